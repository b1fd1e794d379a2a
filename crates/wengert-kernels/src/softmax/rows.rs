//! The loops over rows.

use crate::Float;
use crate::dispatch::{Level, kernel};
use crate::elementwise::Operand;

/// Elements of a block of a row: what the exponentials are buffered in where they are only summed.
pub(crate) const BLOCK: usize = 1024;
/// The last part of a row is padded to a multiple of this; see `elementwise`.
const PADDED: usize = 16;

/// The maximum of a row, without regard to NaN; `-inf` of nothing.
#[inline(always)]
fn row_max<F: Float>(x: &[F]) -> F {
    if x.len() <= PADDED {
        return x.iter().fold(-F::INFINITY, |best, &x| if x > best { x } else { best });
    }
    let mut best = [-F::INFINITY; 32];
    let (chunks, rest) = x.as_chunks::<32>();
    for x in chunks {
        for i in 0..32 {
            best[i] = if x[i] > best[i] { x[i] } else { best[i] };
        }
    }
    for (best, &x) in best.iter_mut().zip(rest) {
        *best = if x > *best { x } else { *best };
    }
    let mut half = 16;
    while half > 0 {
        for i in 0..half {
            best[i] = if best[i + half] > best[i] { best[i + half] } else { best[i] };
        }
        half /= 2;
    }
    best[0]
}

/// Exponentials of a block of a row, in a buffer that is padded with zeros.
struct Exponentials<F> {
    buffer: [F; BLOCK],
}

impl<F: Float> Exponentials<F> {
    #[inline(always)]
    fn new() -> Self {
        Exponentials { buffer: [F::ZERO; BLOCK] }
    }

    /// `exp(x - shift)`, and zeros up to a multiple of [`PADDED`]: knowing which the compiler leaves no scalar rest.
    #[inline(always)]
    fn of<const FMA: bool>(&mut self, x: &[F], shift: F) -> &[F] {
        for (e, &x) in self.buffer.iter_mut().zip(x) {
            *e = x - shift;
        }
        let padded = x.len().next_multiple_of(PADDED);
        self.buffer[x.len()..padded].fill(-F::INFINITY);
        let blocks = self.buffer[..padded].as_chunks_mut::<PADDED>().0;
        for block in &mut *blocks {
            for e in block {
                *e = e.exp_decay::<FMA>();
            }
        }
        blocks.as_flattened()
    }
}

/// `exp(x - shift)` of a row of at most [`PADDED`] elements, zeros after it, and the sum: all in registers, where clearing the
/// buffer of a block would take longer than the row does.
#[inline(always)]
fn few_exponentials<F: Float, const FMA: bool>(x: &[F], shift: F) -> ([F; PADDED], f64) {
    let mut e = [-F::INFINITY; PADDED];
    for (e, &x) in e.iter_mut().zip(x) {
        *e = x - shift;
    }
    for e in &mut e {
        *e = e.exp_decay::<FMA>();
    }
    let mut lanes = e;
    let mut half = PADDED / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    (e, lanes[0].to_f64())
}

/// `y = exp(x - shift)` for a row; returns the sum.
#[inline(always)]
fn exp_row<F: Float, const FMA: bool>(x: &[F], shift: F, y: &mut [F]) -> f64 {
    if x.len() <= PADDED {
        let (e, sum) = few_exponentials::<F, FMA>(x, shift);
        for (y, e) in y.iter_mut().zip(e) {
            *y = e;
        }
        return sum;
    }
    let mut exponentials = Exponentials::new();
    let mut sum = 0.0;
    for (x, y) in x.chunks(BLOCK).zip(y.chunks_mut(BLOCK)) {
        let e = exponentials.of::<FMA>(x, shift);
        y.copy_from_slice(&e[..y.len()]);
        sum += block_sum(e);
    }
    sum
}

/// The sum of products of at most a block, in lanes.
#[inline(always)]
fn block_dot<F: Float, const FMA: bool>(a: &[F], b: &[F]) -> f64 {
    let mut lanes = [F::ZERO; 32];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..32 {
            lanes[i] = a[i].lane_mul_add::<FMA>(b[i], lanes[i]);
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane = a.lane_mul_add::<FMA>(b, *lane);
    }
    fold(lanes)
}

/// The sum of at most a block, in lanes.
#[inline(always)]
pub(crate) fn block_sum<F: Float>(x: &[F]) -> f64 {
    let mut lanes = [F::ZERO; 32];
    let (chunks, rest) = x.as_chunks::<32>();
    for x in chunks {
        for i in 0..32 {
            lanes[i] += x[i];
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += x;
    }
    fold(lanes)
}

#[inline(always)]
pub(crate) fn fold<F: Float>(mut lanes: [F; 32]) -> f64 {
    let mut half = 16;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0].to_f64()
}

/// `x = exp(x - shift)` for a row; returns the sum.
#[inline(always)]
fn exp_row_in_place<F: Float, const FMA: bool>(x: &mut [F], shift: F) -> f64 {
    let mut exponentials = Exponentials::new();
    let mut sum = 0.0;
    for x in x.chunks_mut(BLOCK) {
        let e = exponentials.of::<FMA>(x, shift);
        x.copy_from_slice(&e[..x.len()]);
        sum += block_sum(e);
    }
    sum
}

/// Minus infinity where nothing is allowed. An empty mask allows everything.
#[inline(always)]
fn hide<F: Float>(x: &mut [F], allowed: &[bool]) {
    for (x, &allowed) in x.iter_mut().zip(allowed) {
        *x = if allowed { *x } else { -F::INFINITY };
    }
}

/// The part of a mask that belongs to a row.
#[inline(always)]
fn mask_of(allowed: &[bool], n: usize, row: usize) -> &[bool] {
    if allowed.is_empty() { allowed } else { &allowed[row * n..(row + 1) * n] }
}

/// The maximum of a row and the sum of `exp(x - maximum)`, blocks in `f64`.
#[inline(always)]
fn max_and_sum<F: Float, const FMA: bool>(x: &[F]) -> (F, f64) {
    let max = row_max(x);
    if x.len() <= PADDED {
        return (max, few_exponentials::<F, FMA>(x, max).1);
    }
    let mut exponentials = Exponentials::new();
    let mut sum = 0.0;
    for x in x.chunks(BLOCK) {
        sum += block_sum(exponentials.of::<FMA>(x, max));
    }
    (max, sum)
}

/// `ln(sum exp x)` from a row, its maximum and its sum: at an infinite maximum the sum is NaN, but the limit is the
/// maximum itself unless the row holds a NaN.
fn log_sum<F: Float>(x: &[F], max: F, sum: f64) -> f64 {
    if max.is_finite() {
        max.to_f64() + sum.ln()
    } else if x.iter().any(|x| x.is_nan()) {
        f64::NAN
    } else {
        max.to_f64()
    }
}

/// Exponentials of a row of `x`, what they are of, and what becomes of them.
#[derive(Clone, Copy)]
enum Weights<'a, F> {
    /// `exp(x - max) / sum`.
    Softmax,
    /// `y_bar - exp(x) sum y_bar`.
    LogSoftmaxVjp { y_bar: &'a [F] },
    /// `y_bar softmax(x)`.
    LogSumExpVjp { y_bar: &'a [F] },
    /// `y_bar (softmax(x) - onehot(label))`.
    CrossEntropyVjp { labels: &'a [usize], stats: &'a [F], y_bar: Operand<'a, F> },
}

/// What becomes of the maximum of a row and the sum of its exponentials.
enum Sums<'a, F> {
    /// `x - max - ln sum`.
    LogSoftmax { y: &'a mut [F] },
    /// `max + ln sum`.
    LogSumExp { y: &'a mut [F] },
    /// `max + ln sum - x[label]`, and both numbers.
    CrossEntropy { labels: &'a [usize], loss: &'a mut [F], stats: &'a mut [F] },
}

/// The statistics of rows of masked logits: computed with their weights, or given.
enum Stats<'a, F> {
    Wanted(&'a mut [F]),
    Given(&'a [F]),
}

/// The same, for all the compiler knows another one for each row: else it makes a copy of the whole loop for every variant.
#[inline(always)]
fn of_this_row<T>(which: &T) -> &T {
    core::hint::black_box(which)
}

// One loop for all functions that take exponentials the same way: what is expensive to compile is the exponential, at
// three levels for two floats, and a test a row costs nothing.
kernel! {
    fn weigh<F: Float>(x: &'a [F], n: usize, weights: Weights<'a, F>, y: &'a mut [F]) -> () {
        for (row, (x, y)) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).enumerate() {
            let weights = *of_this_row(&weights);
            let shift = match weights {
                Weights::Softmax => row_max(x),
                Weights::LogSoftmaxVjp { .. } => F::ZERO,
                Weights::LogSumExpVjp { y_bar } => {
                    let max = row_max(x);
                    if y_bar[row] == F::ZERO || !max.is_finite() {
                        share_out(x, max, y_bar[row], y);
                        continue;
                    }
                    max
                }
                Weights::CrossEntropyVjp { stats, y_bar, .. } => {
                    // Nothing flows into a row that does not count, whatever it holds.
                    if at(y_bar, row) == F::ZERO {
                        y.fill(F::ZERO);
                        continue;
                    }
                    stats[2 * row]
                }
            };
            let sum = exp_row::<F, FMA>(x, shift, y);
            let scale = match weights {
                Weights::Softmax => F::from_f64(1.0 / sum),
                Weights::LogSoftmaxVjp { y_bar } => {
                    let y_bar = &y_bar[row * n..][..n];
                    let mut sum = 0.0;
                    for y_bar in y_bar.chunks(BLOCK) {
                        sum += block_sum(y_bar);
                    }
                    let sum = F::from_f64(sum);
                    for (y, &y_bar) in y.iter_mut().zip(y_bar) {
                        *y = y_bar - *y * sum;
                    }
                    continue;
                }
                Weights::LogSumExpVjp { y_bar } => F::from_f64(y_bar[row].to_f64() / sum),
                Weights::CrossEntropyVjp { stats, y_bar, .. } => at(y_bar, row) / stats[2 * row + 1],
            };
            for y in &mut *y {
                *y *= scale;
            }
            if let Weights::CrossEntropyVjp { labels, y_bar, .. } = weights {
                y[labels[row]] -= at(y_bar, row);
            }
        }
    }

    fn sum_up<F: Float>(x: &'a [F], n: usize, sums: Sums<'a, F>) -> () {
        let mut sums = sums;
        for (row, x) in x.chunks_exact(n).enumerate() {
            let (max, sum) = max_and_sum::<F, FMA>(x);
            match &mut sums {
                Sums::LogSoftmax { y } => {
                    let log = F::from_f64(sum.ln());
                    for (y, &x) in y[row * n..][..n].iter_mut().zip(x) {
                        *y = x - max - log;
                    }
                }
                Sums::LogSumExp { y } => y[row] = F::from_f64(log_sum(x, max, sum)),
                Sums::CrossEntropy { labels, loss, stats } => {
                    loss[row] = F::from_f64(sum.ln() + (max - x[labels[row]]).to_f64());
                    stats[2 * row..][..2].copy_from_slice(&[max, F::from_f64(sum)]);
                }
            }
        }
    }

    fn weigh_masked<F: Float>(x: &'a mut [F], n: usize, allowed: &'a [bool], stats: Stats<'a, F>) -> () {
        let mut stats = stats;
        for (row, x) in x.chunks_exact_mut(n).enumerate() {
            hide(x, mask_of(allowed, n, row));
            let max = match of_this_row(&stats) {
                Stats::Wanted(_) => row_max(x),
                Stats::Given(stats) => stats[2 * row],
            };
            if max == -F::INFINITY
                && let Stats::Wanted(stats) = &mut stats
                && !x.iter().any(|x| x.is_nan())
            {
                x.fill(F::ZERO);
                stats[2 * row..][..2].copy_from_slice(&[F::ZERO, F::INFINITY]);
                continue;
            }
            let sum = exp_row_in_place::<F, FMA>(x, max);
            let scale = match &mut stats {
                Stats::Wanted(stats) => {
                    stats[2 * row..][..2].copy_from_slice(&[max, F::from_f64(sum)]);
                    F::from_f64(1.0 / sum)
                }
                Stats::Given(stats) => F::ONE / stats[2 * row + 1],
            };
            for x in x {
                *x *= scale;
            }
        }
    }

    pub(crate) fn softmax_vjp<F: Float>(y: &'a [F], y_bar: &'a [F], n: usize, x_bar: &'a mut [F]) -> () {
        for ((y, y_bar), x_bar) in y.chunks_exact(n).zip(y_bar.chunks_exact(n)).zip(x_bar.chunks_exact_mut(n)) {
            let mut inner = 0.0;
            for (y, y_bar) in y.chunks(BLOCK).zip(y_bar.chunks(BLOCK)) {
                inner += block_dot::<F, FMA>(y, y_bar);
            }
            let inner = F::from_f64(inner);
            for ((x_bar, &y), &y_bar) in x_bar.iter_mut().zip(y).zip(y_bar) {
                *x_bar = y * (y_bar - inner);
            }
        }
    }
}

#[inline(always)]
fn at<F: Float>(y_bar: Operand<'_, F>, row: usize) -> F {
    match y_bar {
        Operand::Slice(y_bar) => y_bar[row],
        Operand::Splat(y_bar) => y_bar,
    }
}

/// The pullback of `ln(sum exp x)` where it needs no exponentials: nothing flows back, or the maximum is infinite. In the
/// limit everything flows to the infinite elements, evenly; a NaN takes the row.
fn share_out<F: Float>(x: &[F], max: F, y_bar: F, x_bar: &mut [F]) {
    let nan = x.iter().any(|x| x.is_nan());
    if y_bar == F::ZERO || max == -F::INFINITY && !nan {
        return x_bar.fill(F::ZERO);
    }
    let share = y_bar.to_f64() / x.iter().filter(|&&x| x == max).count() as f64;
    for (x_bar, &x) in x_bar.iter_mut().zip(x) {
        *x_bar = if nan {
            F::NAN
        } else if x == max {
            F::from_f64(share)
        } else {
            F::ZERO
        };
    }
}

pub(crate) fn softmax<F: Float>(level: Level, x: &[F], n: usize, y: &mut [F]) {
    weigh(level, x, n, Weights::Softmax, y);
}

/// In place. `stats`, two numbers a row, receives the maximum and the sum; infinity for a row that is minus infinity
/// throughout, whose weights are 0 then.
pub(crate) fn masked_softmax<F: Float>(level: Level, x: &mut [F], n: usize, allowed: &[bool], stats: &mut [F]) {
    weigh_masked(level, x, n, allowed, Stats::Wanted(stats));
}

/// The weights from the logits and the statistics of their rows, in place.
pub(crate) fn masked_softmax_again<F: Float>(level: Level, x: &mut [F], n: usize, allowed: &[bool], stats: &[F]) {
    weigh_masked(level, x, n, allowed, Stats::Given(stats));
}

pub(crate) fn log_softmax<F: Float>(level: Level, x: &[F], n: usize, y: &mut [F]) {
    sum_up(level, x, n, Sums::LogSoftmax { y });
}

pub(crate) fn log_sum_exp<F: Float>(level: Level, x: &[F], n: usize, y: &mut [F]) {
    sum_up(level, x, n, Sums::LogSumExp { y });
}

pub(crate) fn cross_entropy<F: Float>(
    level: Level,
    x: &[F],
    n: usize,
    labels: &[usize],
    loss: &mut [F],
    stats: &mut [F],
) {
    sum_up(level, x, n, Sums::CrossEntropy { labels, loss, stats });
}

pub(crate) fn log_softmax_vjp<F: Float>(level: Level, y: &[F], y_bar: &[F], n: usize, x_bar: &mut [F]) {
    weigh(level, y, n, Weights::LogSoftmaxVjp { y_bar }, x_bar);
}

pub(crate) fn log_sum_exp_vjp<F: Float>(level: Level, x: &[F], n: usize, y_bar: &[F], x_bar: &mut [F]) {
    weigh(level, x, n, Weights::LogSumExpVjp { y_bar }, x_bar);
}

pub(crate) fn cross_entropy_vjp<F: Float>(
    level: Level,
    x: &[F],
    n: usize,
    labels: &[usize],
    stats: &[F],
    y_bar: Operand<'_, F>,
    x_bar: &mut [F],
) {
    weigh(level, x, n, Weights::CrossEntropyVjp { labels, stats, y_bar }, x_bar);
}
