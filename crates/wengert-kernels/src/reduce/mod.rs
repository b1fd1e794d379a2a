//! Sums, extremes and norms of slices and along an axis.
//!
//! Sums of `f32` run in `f64`: the conversions cost nothing beside the memory traffic, and the only error left is the
//! rounding of the result, 6e-8. Sums of `f64` are pairwise over blocks (Higham 2002, *Accuracy and Stability of
//! Numerical Algorithms*, section 4.2). How a sum is cut depends on the sizes only, so its bits depend neither on the
//! number of threads nor on the instruction set.
//!
//! A NaN wins every comparison: it is the maximum, the minimum, and where both are found. Of equal elements the first
//! wins.
//!
//! Along an axis, an array is `[outer, n, inner]` in row-major order and the result `[outer, inner]`.

use crate::{Float, Par};

mod extreme;
mod integer;
mod sum;

pub(crate) use extreme::{Extreme, block_extreme_at, extreme_row_at};
pub use extreme::{argmax, argmax_axis, argmin, argmin_axis, max, max_axis, min, min_axis};
pub use integer::{Integer, sum_integers, sum_integers_axis};
pub(crate) use sum::{FEW, Term, add_rows_at, add_to_lanes, block_sum_at, fold, sum_of_blocks};
pub use sum::{
    dot, mean, norm2, sum, sum_abs, sum_abs_axis, sum_axis, sum_of_squares, sum_of_squares_axis, sum_unrounded,
};

/// Partial sums kept side by side: enough to hide the latency of four-cycle additions at 512 bits.
pub(crate) const LANES: usize = 32;
/// Elements summed into one set of lanes before they are folded.
pub(crate) const BLOCK: usize = 4096;
/// Elements a thread takes at a time, a multiple of [`BLOCK`].
const PIECE: usize = 1 << 16;

/// Panics unless `x` is `[outer, n, inner]` and `y` is `[outer, inner]`.
fn assert_dims<F, T>(x: &[F], [outer, n, inner]: [usize; 3], y: &[T]) {
    let rows = outer.saturating_mul(n);
    assert_eq!(x.len(), rows.saturating_mul(inner), "the array must be [outer, n, inner]");
    assert_eq!(y.len(), outer.saturating_mul(inner), "the result must be [outer, inner]");
}

/// Calls `work` with each matrix of `x` and its row of `y`, of these lengths; a thread takes several that are small.
fn for_each_matrix<F: Float, Y: Send>(
    x: &[F],
    matrix: usize,
    y: &mut [Y],
    row: usize,
    par: Par,
    work: impl Fn(&[F], &mut [Y]) + Sync,
) {
    let many = PIECE.div_ceil(matrix);
    let par = if x.len() < 4 * PIECE { Par::SEQUENTIAL } else { par };
    par.for_each(y.chunks_mut(many * row).zip(x.chunks(many * matrix)), |(y, x)| {
        y.chunks_mut(row).zip(x.chunks(matrix)).for_each(|(y, x)| work(x, y));
    });
}

#[cfg(test)]
mod tests;
