//! Standardisation of the rows of `[rows, n]`: what layer, batch, group and root-mean-square normalisation have in
//! common.
//!
//! `z = (x - mean)/sqrt(variance + eps)` row by row, or `z = x/sqrt(mean square + eps)`, then `y = z w + b` with a
//! weight and a bias for each column, where there are any. A row is read from memory once and from the cache twice
//! more: for its mean, for the squares of the deviations from it, and to be scaled.
//!
//! The residual of a row is [`STATISTICS`] numbers: its mean, what the rounded mean leaves of a mean of the deviations,
//! the reciprocal of the deviation, the variance. The second makes deviations of equal numbers exactly 0, and the
//! variance that of the corrected two-pass algorithm (T. Chan, G. Golub and R. LeVeque, "Algorithms for computing the
//! sample variance", 1983).

pub(crate) mod rows;

use crate::dispatch::simd_level;
use crate::{Float, Par};

/// The numbers kept of a row.
pub const STATISTICS: usize = 4;
/// Elements a thread takes at a time at least, about 5 us.
const PIECE: usize = 1 << 14;
/// Into how many pieces an array is cut at most: each has sums over its columns of its own, to be added in their order.
const PIECES: usize = 64;

/// What rows are brought to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standard {
    /// Whether the mean is taken off first; without it, rows are divided by the root of their mean square.
    pub centred: bool,
    /// What is added to the variance: it bounds the division where a row is nearly constant.
    pub epsilon: f64,
}

/// Rows a thread takes at a time, from the sizes alone.
fn rows_at_a_time(rows: usize, n: usize) -> usize {
    PIECE.div_ceil(n).max(rows.div_ceil(PIECES))
}

fn threads(len: usize, par: Par) -> Par {
    if len < 4 * PIECE { Par::SEQUENTIAL } else { par }
}

/// Panics unless `len` elements are rows of `n`, and the rest goes with them.
fn rows_of(len: usize, n: usize, statistics: usize, columns: &[usize]) -> usize {
    let rows = len.checked_div(n).unwrap_or(0);
    assert_eq!(rows * n, len, "the array must be [rows, {n}]");
    assert_eq!(statistics, rows * STATISTICS, "there must be {STATISTICS} statistics for each of {rows} rows");
    assert!(columns.iter().all(|&len| len == 0 || len == n), "weight and bias must have {n} elements or none");
    rows
}

/// The statistics of each row.
///
/// # Panics
/// When the slices are not `[rows, n]` and `[rows, 4]`.
pub fn statistics<F: Float>(standard: Standard, x: &[F], n: usize, stats: &mut [F], par: Par) {
    let rows = rows_of(x.len(), n, stats.len(), &[]);
    if rows == 0 {
        return;
    }
    let piece = rows_at_a_time(rows, n);
    let pieces = x.chunks(piece * n).zip(stats.chunks_mut(piece * STATISTICS));
    threads(x.len(), par).for_each(pieces, |(x, stats)| {
        F::statistics_rows(simd_level(), standard, x, n, stats);
    });
}

/// `y = z w + b` from the statistics of each row. `weight` and `bias` may be empty.
///
/// # Panics
/// When the slices are not `[rows, n]`, `[n]`, `[n]`, `[rows, 4]` and `[rows, n]`.
pub fn apply<F: Float>(x: &[F], n: usize, weight: &[F], bias: &[F], stats: &[F], y: &mut [F], par: Par) {
    assert_eq!(x.len(), y.len(), "argument and result must have one length");
    let rows = rows_of(x.len(), n, stats.len(), &[weight.len(), bias.len()]);
    if rows == 0 {
        return;
    }
    let piece = rows_at_a_time(rows, n);
    let pieces = x.chunks(piece * n).zip(stats.chunks(piece * STATISTICS)).zip(y.chunks_mut(piece * n));
    threads(x.len(), par).for_each(pieces, |((x, stats), y)| {
        F::standardized_rows(simd_level(), x, n, weight, bias, stats, y);
    });
}

/// `y = z w + b`, and the statistics of each row. `weight` and `bias` may be empty.
///
/// # Panics
/// As [`apply`].
///
/// # Examples
/// ```
/// use wengert_kernels::Par;
/// use wengert_kernels::normalize::{Standard, standardize};
///
/// let (mut y, mut stats) = ([0.0; 4], [0.0; 8]);
/// let standard = Standard { centred: true, epsilon: 0.0 };
/// standardize(standard, &[1.0, 3.0, 7.0, 5.0], 2, &[10.0, 10.0], &[], &mut y, &mut stats, Par::current());
/// assert_eq!(y, [-10.0, 10.0, 10.0, -10.0]);
/// ```
#[expect(clippy::too_many_arguments, reason = "operands of a loop")]
pub fn standardize<F: Float>(
    standard: Standard,
    x: &[F],
    n: usize,
    weight: &[F],
    bias: &[F],
    y: &mut [F],
    stats: &mut [F],
    par: Par,
) {
    assert_eq!(x.len(), y.len(), "argument and result must have one length");
    let rows = rows_of(x.len(), n, stats.len(), &[weight.len(), bias.len()]);
    if rows == 0 {
        return;
    }
    let piece = rows_at_a_time(rows, n);
    let pieces = x.chunks(piece * n).zip(stats.chunks_mut(piece * STATISTICS)).zip(y.chunks_mut(piece * n));
    threads(x.len(), par).for_each(pieces, |((x, stats), y)| {
        F::standardize_rows(simd_level(), standard, x, n, weight, bias, y, stats);
    });
}

/// The pullback of [`standardize`]: with `g = y_bar w`, `x_bar = (g - mean(g) - z mean(g z))/sqrt(variance + eps)`,
/// without `mean(g)` for rows that are not centred; and over all rows `w_bar = sum y_bar z`, `b_bar = sum y_bar`, each
/// where its slice is not empty. A row whose cotangents are all 0 gets and gives 0.
///
/// # Panics
/// When the slices have other lengths than in [`standardize`].
#[expect(clippy::too_many_arguments, reason = "operands of a loop")]
pub fn standardize_vjp<F: Float>(
    standard: Standard,
    x: &[F],
    n: usize,
    weight: &[F],
    stats: &[F],
    y_bar: &[F],
    x_bar: &mut [F],
    w_bar: &mut [F],
    b_bar: &mut [F],
    par: Par,
) {
    assert!(x.len() == y_bar.len() && x.len() == x_bar.len(), "argument and cotangents must have one length");
    let rows = rows_of(x.len(), n, stats.len(), &[weight.len(), w_bar.len(), b_bar.len()]);
    if rows == 0 {
        w_bar.fill(F::ZERO);
        return b_bar.fill(F::ZERO);
    }
    let piece = rows_at_a_time(rows, n);
    let columns = if w_bar.is_empty() && b_bar.is_empty() { 0 } else { 2 * n };
    let mut sums = vec![0.0; rows.div_ceil(piece) * columns];
    let pieces = x
        .chunks(piece * n)
        .zip(stats.chunks(piece * STATISTICS))
        .zip(y_bar.chunks(piece * n))
        .zip(x_bar.chunks_mut(piece * n));
    if columns == 0 {
        threads(x.len(), par).for_each(pieces, |(((x, stats), y_bar), x_bar)| {
            F::standardize_vjp_rows(simd_level(), standard, x, n, weight, stats, y_bar, x_bar, &mut []);
        });
        return;
    }
    threads(x.len(), par).for_each(pieces.zip(sums.chunks_mut(columns)), |((((x, stats), y_bar), x_bar), sums)| {
        F::standardize_vjp_rows(simd_level(), standard, x, n, weight, stats, y_bar, x_bar, sums);
    });
    let total = |column: usize| F::from_f64(sums.iter().skip(column).step_by(columns).sum());
    for (column, w_bar) in w_bar.iter_mut().enumerate() {
        *w_bar = total(column);
    }
    for (column, b_bar) in b_bar.iter_mut().enumerate() {
        *b_bar = total(n + column);
    }
}

#[cfg(test)]
mod tests;
