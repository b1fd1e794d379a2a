//! The largest and the smallest element, and where they are.

use super::{BLOCK, LANES, PIECE, assert_dims, for_each_matrix};
use crate::dispatch::{Level, kernel, simd_level};
use crate::{Float, Par};

/// Which extreme is looked for.
#[derive(Clone, Copy)]
pub(crate) enum Extreme {
    Largest,
    Smallest,
}

impl Extreme {
    /// Whether `a` beats `b`; a NaN never does.
    #[inline(always)]
    fn beats<F: Float>(self, a: F, b: F) -> bool {
        match self {
            Extreme::Largest => a > b,
            Extreme::Smallest => a < b,
        }
    }

    /// What every number beats or equals.
    #[inline(always)]
    fn start<F: Float>(self) -> F {
        match self {
            Extreme::Largest => -F::INFINITY,
            Extreme::Smallest => F::INFINITY,
        }
    }
}

/// An [`Extreme`] as a type, for loops that are compiled once for each.
trait ExtremeRow {
    const EXTREME: Extreme;
}
struct Largest;
impl ExtremeRow for Largest {
    const EXTREME: Extreme = Extreme::Largest;
}
struct Smallest;
impl ExtremeRow for Smallest {
    const EXTREME: Extreme = Extreme::Smallest;
}

kernel! {
    /// The extreme of the numbers, and whether there is a NaN among them.
    fn block_extreme<F: Float, E: ExtremeRow>(_extreme: E, x: &'a [F]) -> (F, bool) {
        let mut best = [E::EXTREME.start::<F>(); LANES];
        let mut nan = [false; LANES];
        let (lanes, rest) = x.as_chunks::<LANES>();
        for x in lanes {
            for i in 0..LANES {
                best[i] = if E::EXTREME.beats(x[i], best[i]) { x[i] } else { best[i] };
                nan[i] |= x[i].is_nan();
            }
        }
        for (i, &x) in rest.iter().enumerate() {
            best[i] = if E::EXTREME.beats(x, best[i]) { x } else { best[i] };
            nan[i] |= x.is_nan();
        }
        let one = best.iter().fold(E::EXTREME.start::<F>(), |a, &b| if E::EXTREME.beats(b, a) { b } else { a });
        (one, nan.contains(&true))
    }

    /// `best` and `row` element by element; a NaN in either stays.
    fn extreme_row<F: Float, E: ExtremeRow>(_extreme: E, best: &'a mut [F], row: &'a [F]) -> () {
        for (best, &x) in best.iter_mut().zip(row) {
            *best = if E::EXTREME.beats(x, *best) || x.is_nan() { if best.is_nan() { *best } else { x } } else { *best };
        }
    }
}

/// [`block_extreme`] of an extreme.
pub(crate) fn block_extreme_at<F: Float>(level: Level, extreme: Extreme, x: &[F]) -> (F, bool) {
    match extreme {
        Extreme::Largest => block_extreme(level, Largest, x),
        Extreme::Smallest => block_extreme(level, Smallest, x),
    }
}

/// [`extreme_row`] of an extreme.
pub(crate) fn extreme_row_at<F: Float>(level: Level, extreme: Extreme, best: &mut [F], row: &[F]) {
    match extreme {
        Extreme::Largest => extreme_row(level, Largest, best, row),
        Extreme::Smallest => extreme_row(level, Smallest, best, row),
    }
}

/// The extreme of a slice, NaN if there is one; `None` for an empty slice.
pub(super) fn extreme_of<F: Float>(level: Level, extreme: Extreme, x: &[F], par: Par) -> Option<F> {
    let of_piece = |x: &[F]| match F::block_extreme_at(level, extreme, x) {
        (_, true) => F::NAN,
        (best, false) => best,
    };
    if x.is_empty() {
        return None;
    }
    if x.len() < 4 * PIECE {
        return Some(of_piece(x));
    }
    let mut parts = vec![F::ZERO; x.len().div_ceil(PIECE)];
    par.for_each(parts.iter_mut().zip(x.chunks(PIECE)), |(part, x)| *part = of_piece(x));
    Some(of_piece(&parts))
}

/// Where the extreme is: the first NaN, else the first of the extreme elements; `None` for an empty slice.
pub(super) fn position_of<F: Float>(level: Level, extreme: Extreme, x: &[F]) -> Option<usize> {
    // Blocks are compared by their extreme at full width; only the winner is searched element by element.
    let mut winner: Option<(usize, F)> = None;
    for (i, block) in x.chunks(BLOCK).enumerate() {
        let (best, nan) = F::block_extreme_at(level, extreme, block);
        if nan {
            return block.iter().position(|x| x.is_nan()).map(|j| i * BLOCK + j);
        }
        if winner.is_none_or(|(_, so_far)| extreme.beats(best, so_far)) {
            winner = Some((i, best));
        }
    }
    let (i, best) = winner?;
    x[i * BLOCK..].iter().position(|&x| x == best).map(|j| i * BLOCK + j)
}

/// The largest element, NaN if there is one; `-inf` of nothing.
pub fn max<F: Float>(x: &[F], par: Par) -> F {
    extreme_of(simd_level(), Extreme::Largest, x, par).unwrap_or(-F::INFINITY)
}

/// The smallest element, NaN if there is one; `inf` of nothing.
pub fn min<F: Float>(x: &[F], par: Par) -> F {
    extreme_of(simd_level(), Extreme::Smallest, x, par).unwrap_or(F::INFINITY)
}

/// Where the largest element is: the first of ties, the first NaN before all; `None` of nothing.
///
/// # Examples
/// ```
/// use wengert_kernels::reduce;
///
/// assert_eq!(reduce::argmax(&[1.0_f32, 3.0, 3.0]), Some(1));
/// assert_eq!(reduce::argmax(&[1.0_f32, f32::NAN, 3.0]), Some(1));
/// ```
pub fn argmax<F: Float>(x: &[F]) -> Option<usize> {
    position_of(simd_level(), Extreme::Largest, x)
}

/// Where the smallest element is: the first of ties, the first NaN before all; `None` of nothing.
pub fn argmin<F: Float>(x: &[F]) -> Option<usize> {
    position_of(simd_level(), Extreme::Smallest, x)
}

fn extreme_axis<F: Float>(
    level: Level,
    extreme: Extreme,
    x: &[F],
    [outer, n, inner]: [usize; 3],
    y: &mut [F],
    par: Par,
) {
    assert_dims(x, [outer, n, inner], y);
    if y.is_empty() {
        return;
    }
    if n == 0 {
        return y.fill(extreme.start());
    }
    for_each_matrix(x, n * inner, y, inner, par, |x, y| {
        if inner == 1 {
            let (best, nan) = F::block_extreme_at(level, extreme, x);
            y[0] = if nan { F::NAN } else { best };
        } else {
            y.copy_from_slice(&x[..inner]);
            for row in x[inner..].chunks(inner) {
                F::extreme_row_at(level, extreme, y, row);
            }
        }
    });
}

/// Largest elements along the middle axis; as [`sum_axis`](super::sum_axis), and for elements as [`max`].
pub fn max_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F], par: Par) {
    extreme_axis(simd_level(), Extreme::Largest, x, dims, y, par);
}

/// Smallest elements along the middle axis; as [`sum_axis`](super::sum_axis), and for elements as [`min`].
pub fn min_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F], par: Par) {
    extreme_axis(simd_level(), Extreme::Smallest, x, dims, y, par);
}

fn position_axis<F: Float>(
    level: Level,
    extreme: Extreme,
    x: &[F],
    [outer, n, inner]: [usize; 3],
    y: &mut [i64],
    par: Par,
) {
    assert_dims(x, [outer, n, inner], y);
    assert!(n > 0 || y.is_empty(), "an axis without elements has no extreme");
    if y.is_empty() {
        return;
    }
    for_each_matrix(x, n * inner, y, inner, par, |x, y| {
        if inner == 1 {
            y[0] = position_of(level, extreme, x).map_or(0, |i| i as i64);
        } else {
            y.fill(0);
            for (row, elements) in x.chunks(inner).enumerate().skip(1) {
                for (j, (y, &element)) in y.iter_mut().zip(elements).enumerate() {
                    let best = x[*y as usize * inner + j];
                    if !best.is_nan() && (element.is_nan() || extreme.beats(element, best)) {
                        *y = row as i64;
                    }
                }
            }
        }
    });
}

/// Where the largest elements are along the middle axis, counted along it; as [`sum_axis`](super::sum_axis), and for
/// elements as [`argmax`].
///
/// # Panics
/// When a slice has another length than the dimensions say, or the axis is empty and the result is not.
pub fn argmax_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [i64], par: Par) {
    position_axis(simd_level(), Extreme::Largest, x, dims, y, par);
}

/// Where the smallest elements are along the middle axis, counted along it; as [`argmax_axis`].
///
/// # Panics
/// As [`argmax_axis`].
pub fn argmin_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [i64], par: Par) {
    position_axis(simd_level(), Extreme::Smallest, x, dims, y, par);
}
