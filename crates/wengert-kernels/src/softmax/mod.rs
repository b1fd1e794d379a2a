//! Softmax, its logarithm, and the cross-entropy of labels, over the rows of `[rows, n]`.
//!
//! A row is read once from memory and twice more from the cache: for its maximum, for the exponentials and their sum,
//! and to scale them. The exponentials are those of differences from the maximum, so nothing overflows, and the
//! residual of a row is its maximum and its sum, two numbers: `exp(x - log_sum_exp)` would lose the digits by which the
//! logarithm is rounded, all of them at logits of 1e7.

pub(crate) mod rows;

use crate::dispatch::simd_level;
use crate::elementwise::Operand;
use crate::{Float, Par};

/// Elements a thread takes at a time, about 10 us.
const PIECE: usize = 1 << 14;

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

/// `y = exp(x) / sum exp(x)` for each row of `n` elements. A row that is all `-inf`, or holds NaN or `inf`, becomes
/// NaN.
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
    by_rows(x, n, y, par, |x, y| F::softmax_rows(simd_level(), x, n, y));
}

/// `x = exp(x) / sum exp(x)` for each row over the elements that are allowed, in place; the others become 0, and so
/// does a row of which nothing is allowed, or all that is allowed is `-inf`. What a hidden element holds, NaN included,
/// does not matter.
///
/// An empty mask allows everything. `stats`, two numbers a row, receives what [`masked_softmax_again`] reads.
///
/// # Panics
/// When the slices are not `[rows, n]`, `[rows, n]` or empty, and `[rows, 2]`.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, softmax};
///
/// let (mut x, mut stats) = ([1.0, 1.0, f64::NAN, 0.0, 0.0, 0.0], [0.0; 4]);
/// softmax::masked_softmax(&mut x, 3, &[true, true, false, false, false, false], &mut stats, Par::current());
/// assert_eq!(x, [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
/// ```
pub fn masked_softmax<F: Float>(x: &mut [F], n: usize, allowed: &[bool], stats: &mut [F], par: Par) {
    let Some((rows, par)) = masked_plan(x.len(), n, allowed, stats.len(), par) else { return };
    par.for_each(x.chunks_mut(rows * n).zip(stats.chunks_mut(2 * rows)).enumerate(), |(i, (x, stats))| {
        F::masked_softmax_rows(simd_level(), x, n, part_of_mask(allowed, i * rows * n, x.len()), stats);
    });
}

/// What [`masked_softmax`] computes, from the logits and its statistics: for pullbacks that do not keep the weights.
///
/// # Panics
/// As [`masked_softmax`].
pub fn masked_softmax_again<F: Float>(x: &mut [F], n: usize, allowed: &[bool], stats: &[F], par: Par) {
    let Some((rows, par)) = masked_plan(x.len(), n, allowed, stats.len(), par) else { return };
    par.for_each(x.chunks_mut(rows * n).zip(stats.chunks(2 * rows)).enumerate(), |(i, (x, stats))| {
        F::masked_softmax_again_rows(simd_level(), x, n, part_of_mask(allowed, i * rows * n, x.len()), stats);
    });
}

fn masked_plan(len: usize, n: usize, allowed: &[bool], stats: usize, par: Par) -> Option<(usize, Par)> {
    assert!(allowed.is_empty() || allowed.len() == len, "the mask must be empty or have {len} elements");
    (rows_of(len, n, &[stats.div_ceil(2)]) > 0).then(|| plan(len, n, par))
}

fn part_of_mask(allowed: &[bool], start: usize, len: usize) -> &[bool] {
    if allowed.is_empty() { allowed } else { &allowed[start..start + len] }
}

/// `y = x - ln sum exp(x)` for each row.
///
/// # Panics
/// When the slices are not `[rows, n]`.
pub fn log_softmax<F: Float>(x: &[F], n: usize, y: &mut [F], par: Par) {
    by_rows(x, n, y, par, |x, y| F::log_softmax_rows(simd_level(), x, n, y));
}

/// `x_bar = y (y_bar - <y, y_bar>)` for each row, where `y` is the [`softmax`].
///
/// # Panics
/// When the slices are not `[rows, n]`.
pub fn softmax_vjp<F: Float>(y: &[F], y_bar: &[F], n: usize, x_bar: &mut [F], par: Par) {
    vjp_by_rows(y, y_bar, n, x_bar, par, |y, y_bar, x_bar| F::softmax_vjp_rows(simd_level(), y, y_bar, n, x_bar));
}

/// `x_bar = y_bar - exp(y) sum y_bar` for each row, where `y` is the [`log_softmax`].
///
/// # Panics
/// When the slices are not `[rows, n]`.
pub fn log_softmax_vjp<F: Float>(y: &[F], y_bar: &[F], n: usize, x_bar: &mut [F], par: Par) {
    vjp_by_rows(y, y_bar, n, x_bar, par, |y, y_bar, x_bar| F::log_softmax_vjp_rows(simd_level(), y, y_bar, n, x_bar));
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
    par.for_each(x.chunks(rows * n).zip(y.chunks_mut(rows)), |(x, y)| F::log_sum_exp_rows(simd_level(), x, n, y));
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
    par.for_each(pieces, |((x, y_bar), x_bar)| F::log_sum_exp_vjp_rows(simd_level(), x, n, y_bar, x_bar));
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

/// `loss = ln sum exp(x) - x[label]` for each row of logits. `stats`, two numbers a row, receives the maximum and the
/// sum of `exp(x - maximum)`: the residual of [`cross_entropy_vjp`].
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
    par.for_each(pieces, |(((x, labels), loss), stats)| {
        let indices: Vec<usize> = labels.iter().map(|label| label.index()).collect();
        F::cross_entropy_rows(simd_level(), x, n, &indices, loss, stats);
    });
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
        let indices: Vec<usize> = labels.iter().map(|label| label.index()).collect();
        F::cross_entropy_vjp_rows(simd_level(), x, n, &indices, stats, y_bar, x_bar);
    });
}

#[cfg(test)]
mod tests;
