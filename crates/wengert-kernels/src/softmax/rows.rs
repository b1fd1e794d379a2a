//! The loops over rows.

use crate::Float;
use crate::dispatch::kernel;
use crate::elementwise::Operand;

/// Elements of a block of a row, which is summed in lanes.
pub(crate) const BLOCK: usize = 1024;
/// Exponentials taken together.
const LANES: usize = 16;

/// The maximum of a row, without regard to NaN; `-inf` of nothing.
#[inline(always)]
fn row_max<F: Float>(x: &[F]) -> F {
    if x.len() <= LANES {
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

/// `exp(x - shift)` of at most so many elements, and zeros.
#[inline(always)]
fn exponentials<F: Float, const FMA: bool>(x: &[F], shift: F) -> [F; LANES] {
    let mut e = [-F::INFINITY; LANES];
    for (e, &x) in e.iter_mut().zip(x) {
        *e = x - shift;
    }
    for e in &mut e {
        *e = e.exp_decay::<FMA>();
    }
    e
}

/// `y = exp(x - shift)` for a row; returns the sum.
#[inline(always)]
fn exp_row<F: Float, const FMA: bool>(x: &[F], shift: F, y: &mut [F]) -> f64 {
    // The rows of classifiers are often as short, and this a fifth faster.
    if x.len() <= LANES {
        let e = exponentials::<F, FMA>(x, shift);
        y.copy_from_slice(&e[..x.len()]);
        return fold(e);
    }
    let mut sum = 0.0;
    for (x, y) in x.chunks(BLOCK).zip(y.chunks_mut(BLOCK)) {
        sum += exp_block::<F, FMA>(x, shift, |at, e| y[at..][..e.len()].copy_from_slice(e));
    }
    sum
}

/// The sum of `exp(x - shift)` over at most a block of a row; `take` is given the exponentials, each with its place.
#[inline(always)]
fn exp_block<F: Float, const FMA: bool>(x: &[F], shift: F, mut take: impl FnMut(usize, &[F])) -> f64 {
    let mut lanes = [F::ZERO; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for (k, x) in chunks.iter().enumerate() {
        let e = exponentials::<F, FMA>(x, shift);
        take(LANES * k, &e);
        for i in 0..LANES {
            lanes[i] += e[i];
        }
    }
    if !rest.is_empty() {
        let e = exponentials::<F, FMA>(rest, shift);
        take(LANES * chunks.len(), &e[..rest.len()]);
        for i in 0..LANES {
            lanes[i] += e[i];
        }
    }
    fold(lanes)
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
pub(crate) fn fold<F: Float, const N: usize>(mut lanes: [F; N]) -> f64 {
    let mut half = N / 2;
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
    let mut sum = 0.0;
    for x in x.chunks_mut(BLOCK) {
        let mut lanes = [F::ZERO; LANES];
        let (chunks, rest) = x.as_chunks_mut::<LANES>();
        for x in chunks {
            *x = exponentials::<F, FMA>(x, shift);
            for i in 0..LANES {
                lanes[i] += x[i];
            }
        }
        if !rest.is_empty() {
            let e = exponentials::<F, FMA>(rest, shift);
            rest.copy_from_slice(&e[..rest.len()]);
            for i in 0..LANES {
                lanes[i] += e[i];
            }
        }
        sum += fold(lanes);
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
    let mut sum = 0.0;
    for x in x.chunks(BLOCK) {
        sum += exp_block::<F, FMA>(x, max, |_, _| ());
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

/// A row of the pullback of softmax whose cotangent is not finite everywhere: zero times anything is zero.
#[cold]
#[inline(never)]
fn softmax_vjp_row<F: Float>(y: &[F], y_bar: &[F], x_bar: &mut [F]) {
    let inner: f64 = y.iter().zip(y_bar).map(|(&y, &y_bar)| y_bar.mul_zero(y).to_f64()).sum();
    for ((x_bar, &y), &y_bar) in x_bar.iter_mut().zip(y).zip(y_bar) {
        *x_bar = (y_bar - F::from_f64(inner)).mul_zero(y);
    }
}

kernel! {
    pub(crate) fn softmax<F: Float>(x: &'a [F], n: usize, y: &'a mut [F]) -> () {
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            let max = row_max(x);
            let sum = exp_row::<F, FMA>(x, max, y);
            let scale = F::from_f64(1.0 / sum);
            for y in y {
                *y *= scale;
            }
        }
    }

    /// In place. `stats`, two numbers a row, receives the maximum and the sum; infinity for a row that is minus
    /// infinity throughout, whose weights are 0 then.
    pub(crate) fn masked_softmax<F: Float>(x: &'a mut [F], n: usize, allowed: &'a [bool], stats: &'a mut [F]) -> () {
        for (row, (x, stats)) in x.chunks_exact_mut(n).zip(stats.chunks_exact_mut(2)).enumerate() {
            hide(x, mask_of(allowed, n, row));
            let max = row_max(x);
            if max == -F::INFINITY && !x.iter().any(|x| x.is_nan()) {
                x.fill(F::ZERO);
                stats.copy_from_slice(&[F::ZERO, F::INFINITY]);
                continue;
            }
            let sum = exp_row_in_place::<F, FMA>(x, max);
            let scale = F::from_f64(1.0 / sum);
            for x in x {
                *x *= scale;
            }
            stats.copy_from_slice(&[max, F::from_f64(sum)]);
        }
    }

    /// The weights from the logits and the statistics of their rows, in place.
    pub(crate) fn masked_softmax_again<F: Float>(x: &'a mut [F], n: usize, allowed: &'a [bool], stats: &'a [F]) -> () {
        for (row, (x, stats)) in x.chunks_exact_mut(n).zip(stats.chunks_exact(2)).enumerate() {
            hide(x, mask_of(allowed, n, row));
            exp_row_in_place::<F, FMA>(x, stats[0]);
            let scale = F::ONE / stats[1];
            for x in x {
                *x *= scale;
            }
        }
    }

    pub(crate) fn log_softmax<F: Float>(x: &'a [F], n: usize, y: &'a mut [F]) -> () {
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            let (max, sum) = max_and_sum::<F, FMA>(x);
            let log = F::from_f64(sum.ln());
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - max - log;
            }
        }
    }

    pub(crate) fn log_sum_exp<F: Float>(x: &'a [F], n: usize, y: &'a mut [F]) -> () {
        for (x, y) in x.chunks_exact(n).zip(y) {
            let (max, sum) = max_and_sum::<F, FMA>(x);
            *y = F::from_f64(log_sum(x, max, sum));
        }
    }

    pub(crate) fn softmax_vjp<F: Float>(y: &'a [F], y_bar: &'a [F], n: usize, x_bar: &'a mut [F]) -> () {
        for ((y, y_bar), x_bar) in y.chunks_exact(n).zip(y_bar.chunks_exact(n)).zip(x_bar.chunks_exact_mut(n)) {
            let mut inner = 0.0;
            for (y, y_bar) in y.chunks(BLOCK).zip(y_bar.chunks(BLOCK)) {
                inner += block_dot::<F, FMA>(y, y_bar);
            }
            let inner = F::from_f64(inner);
            if !inner.is_finite() {
                softmax_vjp_row(y, y_bar, x_bar);
                continue;
            }
            for ((x_bar, &y), &y_bar) in x_bar.iter_mut().zip(y).zip(y_bar) {
                *x_bar = y * (y_bar - inner);
            }
        }
    }

    pub(crate) fn log_softmax_vjp<F: Float>(y: &'a [F], y_bar: &'a [F], n: usize, x_bar: &'a mut [F]) -> () {
        for ((y, y_bar), x_bar) in y.chunks_exact(n).zip(y_bar.chunks_exact(n)).zip(x_bar.chunks_exact_mut(n)) {
            let mut sum = 0.0;
            for y_bar in y_bar.chunks(BLOCK) {
                sum += block_sum(y_bar);
            }
            exp_row::<F, FMA>(y, F::ZERO, x_bar);
            let sum = F::from_f64(sum);
            if !sum.is_finite() {
                // What has no share of the sum, has none of its infinity.
                x_bar.iter_mut().zip(y_bar).for_each(|(x_bar, &y_bar)| *x_bar = y_bar - sum.mul_zero(*x_bar));
                continue;
            }
            for (x_bar, &y_bar) in x_bar.iter_mut().zip(y_bar) {
                *x_bar = y_bar - *x_bar * sum;
            }
        }
    }

    pub(crate) fn log_sum_exp_vjp<F: Float>(x: &'a [F], n: usize, y_bar: &'a [F], x_bar: &'a mut [F]) -> () {
        for ((x, &y_bar), x_bar) in x.chunks_exact(n).zip(y_bar).zip(x_bar.chunks_exact_mut(n)) {
            let max = row_max(x);
            if y_bar == F::ZERO || max == -F::INFINITY && !x.iter().any(|x| x.is_nan()) {
                x_bar.fill(F::ZERO);
            } else if max.is_finite() {
                let sum = exp_row::<F, FMA>(x, max, x_bar);
                let scale = F::from_f64(y_bar.to_f64() / sum);
                if !scale.is_finite() {
                    x_bar.iter_mut().for_each(|x_bar| *x_bar = scale.mul_zero(*x_bar));
                    continue;
                }
                for x_bar in x_bar {
                    *x_bar *= scale;
                }
            } else {
                // The limit: everything flows to the infinite elements, evenly; a NaN takes the row.
                let nan = x.iter().any(|x| x.is_nan());
                let share = y_bar.to_f64() / x.iter().filter(|&&x| x == max).count() as f64;
                for (x_bar, &x) in x_bar.iter_mut().zip(x) {
                    *x_bar = if nan { F::NAN } else if x == max { F::from_f64(share) } else { F::ZERO };
                }
            }
        }
    }

    pub(crate) fn cross_entropy<F: Float>(x: &'a [F], n: usize, labels: &'a [usize], loss: &'a mut [F], stats: &'a mut [F]) -> () {
        for (((x, &label), loss), stats) in x.chunks_exact(n).zip(labels).zip(loss).zip(stats.chunks_exact_mut(2)) {
            let (max, sum) = max_and_sum::<F, FMA>(x);
            *loss = F::from_f64(sum.ln() + (max - x[label]).to_f64());
            stats.copy_from_slice(&[max, F::from_f64(sum)]);
        }
    }

    pub(crate) fn cross_entropy_vjp<F: Float>(
        x: &'a [F], n: usize, labels: &'a [usize], stats: &'a [F], y_bar: Operand<'a, F>, x_bar: &'a mut [F],
    ) -> () {
        for (row, ((x, &label), x_bar)) in x.chunks_exact(n).zip(labels).zip(x_bar.chunks_exact_mut(n)).enumerate() {
            let y_bar = match y_bar {
                Operand::Slice(y_bar) => y_bar[row],
                Operand::Splat(y_bar) => y_bar,
            };
            // Nothing flows into a row that does not count, whatever it holds.
            if y_bar == F::ZERO {
                x_bar.fill(F::ZERO);
                continue;
            }
            let (max, sum) = (stats[2 * row], stats[2 * row + 1]);
            exp_row::<F, FMA>(x, max, x_bar);
            if !y_bar.is_finite() {
                // The slope first: where it is 0, nothing flows.
                x_bar.iter_mut().for_each(|x_bar| *x_bar = *x_bar / sum);
                x_bar[label] -= F::ONE;
                x_bar.iter_mut().for_each(|x_bar| *x_bar = y_bar.mul_zero(*x_bar));
                continue;
            }
            let scale = y_bar / sum;
            for x_bar in &mut *x_bar {
                *x_bar *= scale;
            }
            x_bar[label] -= y_bar;
        }
    }
}
