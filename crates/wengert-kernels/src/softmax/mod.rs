//! Softmax, its logarithm, and the cross-entropy of labels, over the rows of `[rows, n]`.
//!
//! A row is read once from memory and twice more from the cache: for its maximum, for the exponentials and their sum, and
//! to scale them. The exponentials are those of differences from the maximum, so nothing overflows, and the residual of a
//! row is its maximum and its sum, two numbers: `exp(x - log_sum_exp)` would lose the digits by which the
//! logarithm is rounded, all of them at logits of 1e7.

use crate::dispatch::{kernel, simd_level};
use crate::elementwise::Operand;
use crate::{Float, Par};

/// Elements of a block of a row: what the exponentials are buffered in where they are only summed.
const BLOCK: usize = 1024;
/// The last part of a row is padded to a multiple of this; see `elementwise`.
const PADDED: usize = 64;
/// Elements a thread takes at a time, about 10 us.
const PIECE: usize = 1 << 14;

/// The maximum of a row, without regard to NaN; `-inf` of nothing.
#[inline(always)]
fn row_max<F: Float>(x: &[F]) -> F {
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

/// `y = exp(x - shift) * scale`.
#[inline(always)]
fn exp_shifted<F: Float, const FMA: bool>(x: &[F], shift: F, scale: F, y: &mut [F]) {
    let whole = x.len() - x.len() % PADDED;
    let rest = x.len() - whole;
    let (mut x_rest, mut y_rest) = ([shift; PADDED], [F::ZERO; PADDED]);
    x_rest[..rest].copy_from_slice(&x[whole..]);
    let (y_whole, y_end) = y.split_at_mut(whole);
    for (x, y) in [(&x[..whole], y_whole), (&x_rest[..], &mut y_rest[..])] {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - shift).lane_exp::<FMA>() * scale;
        }
    }
    y_end.copy_from_slice(&y_rest[..rest]);
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
fn block_sum<F: Float>(x: &[F]) -> f64 {
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
fn fold<F: Float>(mut lanes: [F; 32]) -> f64 {
    let mut half = 16;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0].to_f64()
}

/// The maximum of a row and the sum of `exp(x - maximum)`, blocks in `f64`.
#[inline(always)]
fn max_and_sum<F: Float, const FMA: bool>(x: &[F]) -> (F, f64) {
    let max = row_max(x);
    let mut buffer = [F::ZERO; BLOCK];
    let mut sum = 0.0;
    for x in x.chunks(BLOCK) {
        let e = &mut buffer[..x.len()];
        exp_shifted::<F, FMA>(x, max, F::ONE, e);
        sum += block_sum(e);
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

kernel! {
    fn softmax_rows<F: Float>(x: &'a [F], n: usize, y: &'a mut [F]) -> () {
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            let max = row_max(x);
            let mut sum = 0.0;
            for (x, y) in x.chunks(BLOCK).zip(y.chunks_mut(BLOCK)) {
                exp_shifted::<F, FMA>(x, max, F::ONE, y);
                sum += block_sum(y);
            }
            let scale = F::from_f64(1.0 / sum);
            for y in y {
                *y *= scale;
            }
        }
    }

    fn log_softmax_rows<F: Float>(x: &'a [F], n: usize, y: &'a mut [F]) -> () {
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            let (max, sum) = max_and_sum::<F, FMA>(x);
            let log = F::from_f64(sum.ln());
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - max - log;
            }
        }
    }

    fn log_sum_exp_rows<F: Float>(x: &'a [F], n: usize, y: &'a mut [F]) -> () {
        for (x, y) in x.chunks_exact(n).zip(y) {
            let (max, sum) = max_and_sum::<F, FMA>(x);
            *y = F::from_f64(log_sum(x, max, sum));
        }
    }

    fn softmax_vjp_rows<F: Float>(y: &'a [F], y_bar: &'a [F], n: usize, x_bar: &'a mut [F]) -> () {
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

    fn log_softmax_vjp_rows<F: Float>(y: &'a [F], y_bar: &'a [F], n: usize, x_bar: &'a mut [F]) -> () {
        for ((y, y_bar), x_bar) in y.chunks_exact(n).zip(y_bar.chunks_exact(n)).zip(x_bar.chunks_exact_mut(n)) {
            let mut sum = 0.0;
            for y_bar in y_bar.chunks(BLOCK) {
                sum += block_sum(y_bar);
            }
            exp_shifted::<F, FMA>(y, F::ZERO, F::from_f64(sum), x_bar);
            for (x_bar, &y_bar) in x_bar.iter_mut().zip(y_bar) {
                *x_bar = y_bar - *x_bar;
            }
        }
    }

    fn log_sum_exp_vjp_rows<F: Float>(x: &'a [F], n: usize, y_bar: &'a [F], x_bar: &'a mut [F]) -> () {
        for ((x, &y_bar), x_bar) in x.chunks_exact(n).zip(y_bar).zip(x_bar.chunks_exact_mut(n)) {
            let max = row_max(x);
            if y_bar == F::ZERO || max == -F::INFINITY && !x.iter().any(|x| x.is_nan()) {
                x_bar.fill(F::ZERO);
            } else if max.is_finite() {
                let mut sum = 0.0;
                for (x, x_bar) in x.chunks(BLOCK).zip(x_bar.chunks_mut(BLOCK)) {
                    exp_shifted::<F, FMA>(x, max, F::ONE, x_bar);
                    sum += block_sum(x_bar);
                }
                let scale = F::from_f64(y_bar.to_f64() / sum);
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

    fn cross_entropy_rows<F: Float, L: Label>(x: &'a [F], n: usize, labels: &'a [L], loss: &'a mut [F], stats: &'a mut [F]) -> () {
        for (((x, label), loss), stats) in x.chunks_exact(n).zip(labels).zip(loss).zip(stats.chunks_exact_mut(2)) {
            let (max, sum) = max_and_sum::<F, FMA>(x);
            *loss = F::from_f64(sum.ln() + (max - x[label.index()]).to_f64());
            stats.copy_from_slice(&[max, F::from_f64(sum)]);
        }
    }

    fn cross_entropy_vjp_rows<F: Float, L: Label>(
        x: &'a [F], n: usize, labels: &'a [L], stats: &'a [F], y_bar: Operand<'a, F>, x_bar: &'a mut [F],
    ) -> () {
        for (row, ((x, label), x_bar)) in x.chunks_exact(n).zip(labels).zip(x_bar.chunks_exact_mut(n)).enumerate() {
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
            exp_shifted::<F, FMA>(x, max, y_bar / sum, x_bar);
            x_bar[label.index()] -= y_bar;
        }
    }
}

/// Panics unless all slices hold as many rows.
fn rows_of(len: usize, n: usize, others: &[usize]) -> usize {
    let rows = len.checked_div(n).unwrap_or(0);
    assert_eq!(rows * n, len, "the array must be [rows, {n}]");
    assert!(others.iter().all(|&other| other == rows), "the arrays must have {rows} rows, and have {others:?}");
    rows
}

/// Rows a thread takes at a time, and the threads for the whole.
fn plan(len: usize, n: usize, par: Par) -> (usize, Par) {
    (PIECE.div_ceil(n), if len < 4 * PIECE { Par::SEQUENTIAL } else { par })
}

/// A function from rows to rows, in pieces.
fn by_rows<F: Float>(x: &[F], n: usize, y: &mut [F], par: Par, work: impl Fn(&[F], &mut [F]) + Sync) {
    assert_eq!(x.len(), y.len(), "argument and result must have one length");
    if rows_of(x.len(), n, &[]) == 0 {
        return;
    }
    let (rows, par) = plan(x.len(), n, par);
    par.for_each(x.chunks(rows * n).zip(y.chunks_mut(rows * n)), |(x, y)| work(x, y));
}

/// `y = exp(x) / sum exp(x)` for each row of `n` elements. A row that is all `-inf`, or holds NaN or `inf`, becomes NaN.
///
/// # Panics
/// When the slices are not `[rows, n]`.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, softmax};
///
/// let mut y = [0.0_f64; 2];
/// softmax::softmax(&[1000.0, 1000.0], 2, &mut y, Par::current());
/// assert_eq!(y, [0.5, 0.5]);
/// ```
pub fn softmax<F: Float>(x: &[F], n: usize, y: &mut [F], par: Par) {
    by_rows(x, n, y, par, |x, y| softmax_rows(simd_level(), x, n, y));
}

/// `y = x - ln sum exp(x)` for each row.
///
/// # Panics
/// When the slices are not `[rows, n]`.
pub fn log_softmax<F: Float>(x: &[F], n: usize, y: &mut [F], par: Par) {
    by_rows(x, n, y, par, |x, y| log_softmax_rows(simd_level(), x, n, y));
}

/// `x_bar = y (y_bar - <y, y_bar>)` for each row, where `y` is the [`softmax`].
///
/// # Panics
/// When the slices are not `[rows, n]`.
pub fn softmax_vjp<F: Float>(y: &[F], y_bar: &[F], n: usize, x_bar: &mut [F], par: Par) {
    vjp_by_rows(y, y_bar, n, x_bar, par, |y, y_bar, x_bar| softmax_vjp_rows(simd_level(), y, y_bar, n, x_bar));
}

/// `x_bar = y_bar - exp(y) sum y_bar` for each row, where `y` is the [`log_softmax`].
///
/// # Panics
/// When the slices are not `[rows, n]`.
pub fn log_softmax_vjp<F: Float>(y: &[F], y_bar: &[F], n: usize, x_bar: &mut [F], par: Par) {
    vjp_by_rows(y, y_bar, n, x_bar, par, |y, y_bar, x_bar| log_softmax_vjp_rows(simd_level(), y, y_bar, n, x_bar));
}

fn vjp_by_rows<F: Float>(
    y: &[F],
    y_bar: &[F],
    n: usize,
    x_bar: &mut [F],
    par: Par,
    work: impl Fn(&[F], &[F], &mut [F]) + Sync,
) {
    assert!(y.len() == y_bar.len() && y.len() == x_bar.len(), "result and cotangents must have one length");
    if rows_of(y.len(), n, &[]) == 0 {
        return;
    }
    let (rows, par) = plan(y.len(), n, par);
    let pieces = y.chunks(rows * n).zip(y_bar.chunks(rows * n)).zip(x_bar.chunks_mut(rows * n));
    par.for_each(pieces, |((y, y_bar), x_bar)| work(y, y_bar, x_bar));
}

/// `y = ln sum exp(x)` for each row: `-inf` for a row of `-inf` or of no elements, `inf` for a row with an `inf`.
///
/// # Panics
/// When `x` is not `[y.len(), n]`.
pub fn log_sum_exp<F: Float>(x: &[F], n: usize, y: &mut [F], par: Par) {
    if n == 0 {
        return y.fill(-F::INFINITY);
    }
    rows_of(x.len(), n, &[y.len()]);
    let (rows, par) = plan(x.len(), n, par);
    par.for_each(x.chunks(rows * n).zip(y.chunks_mut(rows)), |(x, y)| log_sum_exp_rows(simd_level(), x, n, y));
}

/// `x_bar = y_bar softmax(x)` for each row: the pullback of [`log_sum_exp`]. A row of `-inf` gets 0; of a row with an
/// `inf`, the infinite elements share `y_bar`.
///
/// # Panics
/// When the slices are not `[rows, n]` and `[rows]`.
pub fn log_sum_exp_vjp<F: Float>(x: &[F], n: usize, y_bar: &[F], x_bar: &mut [F], par: Par) {
    assert_eq!(x.len(), x_bar.len(), "argument and cotangent must have one length");
    if n == 0 || rows_of(x.len(), n, &[y_bar.len()]) == 0 {
        return;
    }
    let (rows, par) = plan(x.len(), n, par);
    let pieces = x.chunks(rows * n).zip(y_bar.chunks(rows)).zip(x_bar.chunks_mut(rows * n));
    par.for_each(pieces, |((x, y_bar), x_bar)| log_sum_exp_vjp_rows(simd_level(), x, n, y_bar, x_bar));
}

/// A class number.
pub trait Label: Copy + Send + Sync {
    /// The class, counted from 0.
    fn index(self) -> usize;
}
macro_rules! label {
    ($($t:ident)*) => { $(
        impl Label for $t {
            #[inline(always)]
            fn index(self) -> usize {
                self as usize
            }
        }
    )* };
}
label!(u8 u32 i64 usize);

/// `loss = ln sum exp(x) - x[label]` for each row of logits. `stats`, two numbers a row, receives the maximum and the sum
/// of `exp(x - maximum)`: the residual of [`cross_entropy_vjp`].
///
/// # Panics
/// When the slices are not `[rows, n]`, `[rows]`, `[rows]`, `[rows, 2]`, or a label is not below `n`.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, elementwise::Operand, softmax};
///
/// let (mut loss, mut stats, mut x_bar) = ([0.0_f64], [0.0; 2], [0.0; 2]);
/// softmax::cross_entropy(&[0.0, 0.0], 2, &[1_u32], &mut loss, &mut stats, Par::current());
/// assert!((loss[0] - core::f64::consts::LN_2).abs() < 1e-15);
/// softmax::cross_entropy_vjp(&[0.0, 0.0], 2, &[1_u32], &stats, Operand::Splat(1.0), &mut x_bar, Par::current());
/// assert_eq!(x_bar, [0.5, -0.5]);
/// ```
pub fn cross_entropy<F: Float, L: Label>(x: &[F], n: usize, labels: &[L], loss: &mut [F], stats: &mut [F], par: Par) {
    if rows_of(x.len(), n, &[labels.len(), loss.len(), stats.len().div_ceil(2)]) == 0 {
        return;
    }
    let (rows, par) = plan(x.len(), n, par);
    let pieces = x.chunks(rows * n).zip(labels.chunks(rows)).zip(loss.chunks_mut(rows)).zip(stats.chunks_mut(2 * rows));
    par.for_each(pieces, |(((x, labels), loss), stats)| cross_entropy_rows(simd_level(), x, n, labels, loss, stats));
}

/// `x_bar = y_bar (softmax(x) - onehot(label))` for each row: the pullback of [`cross_entropy`], with a cotangent for
/// each row or one for all. A row with cotangent 0 gets 0.
///
/// # Panics
/// As [`cross_entropy`].
pub fn cross_entropy_vjp<F: Float, L: Label>(
    x: &[F],
    n: usize,
    labels: &[L],
    stats: &[F],
    y_bar: Operand<'_, F>,
    x_bar: &mut [F],
    par: Par,
) {
    assert_eq!(x.len(), x_bar.len(), "argument and cotangent must have one length");
    if rows_of(x.len(), n, &[labels.len(), stats.len().div_ceil(2)]) == 0 {
        return;
    }
    if let Operand::Slice(y_bar) = y_bar {
        assert_eq!(y_bar.len(), labels.len(), "there must be one cotangent a row");
    }
    let (rows, par) = plan(x.len(), n, par);
    let pieces =
        x.chunks(rows * n).zip(labels.chunks(rows)).zip(stats.chunks(2 * rows)).zip(x_bar.chunks_mut(rows * n));
    par.for_each(pieces.enumerate(), |(i, (((x, labels), stats), x_bar))| {
        let y_bar = y_bar.part(i * rows, labels.len());
        cross_entropy_vjp_rows(simd_level(), x, n, labels, stats, y_bar, x_bar);
    });
}

#[cfg(test)]
mod tests;
