//! Points into lanes: a transposition of a matrix whose rows lie wherever they were.

use crate::Float;
use crate::dispatch::{Level, simd_level};
use crate::float::Constants;
use crate::matmul::vector::{Vector, Work, at_level, prefetch};

/// Writes number `k` of every point to row `k`, where each point has a lane: a row has as many numbers as there are
/// points.
///
/// # Panics
/// If the points are no multiple of 16, or if one of them has fewer numbers than there are rows.
///
/// # Examples
/// ```
/// let points: Vec<[f64; 2]> = (0..16).map(|k| [f64::from(k), -1.0]).collect();
/// let points: Vec<&[f64]> = points.iter().map(|point| &point[..]).collect();
/// let mut rows = [0.0; 32];
/// wengert_kernels::rows::load(&points, &mut rows);
/// assert_eq!(rows[..4], [0.0, 1.0, 2.0, 3.0]);
/// assert_eq!(rows[16..], [-1.0; 16]);
/// ```
pub fn load<F: Float>(points: &[&[F]], rows: &mut [F]) {
    F::load_rows_at(simd_level(), points, rows);
}

/// [`load`] with the vectors of a level.
pub(crate) fn load_at<F: Float>(level: Level, points: &[&[F]], rows: &mut [F]) {
    assert!(points.len().is_multiple_of(MOST), "points come {MOST} at a time");
    let count = rows.len() / points.len().max(1);
    assert!(points.iter().all(|point| point.len() >= count), "a point has a number for every row");
    // SAFETY: there are as many rows as whole vectors of points, and numbers of each; lengths were just compared.
    unsafe { at_level::<F, _>(level, Load { points, count, rows }) }
}

/// The most lanes a vector has.
const MOST: usize = 16;

/// What [`load_at`] does with `count` rows.
struct Load<'a, F> {
    points: &'a [&'a [F]],
    count: usize,
    rows: &'a mut [F],
}

impl<V: Vector> Work<V> for Load<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let Load { points, count, rows } = self;
        let lanes = points.len();
        // The last square begins where the points end: it may write some rows again.
        let last = count.checked_sub(V::LANES);
        let squares = (0..count).step_by(V::LANES).map_while(|k| last.map(|last| k.min(last)));
        // As many numbers of as many points as a vector has lanes.
        let mut square = [V::Element::ZERO; MOST * MOST];
        for first in (0..lanes).step_by(V::LANES) {
            let group = &points[first..][..V::LANES];
            let next = points.get(first + V::LANES..).and_then(|points| points.get(..V::LANES)).unwrap_or(group);
            for k in squares.clone() {
                // SAFETY: the caller has the instructions; every point has numbers `k..k + LANES`, the square has room
                // for LANES of each, and rows `k..k + LANES` have lanes `first..first + LANES`.
                unsafe {
                    for (line, (point, next)) in group.iter().zip(next).enumerate() {
                        V::load(point.as_ptr().add(k)).store(square.as_mut_ptr().add(line * V::LANES));
                        // Points lie apart: the processor does not foresee where the next ones begin.
                        prefetch(next.as_ptr().wrapping_add(k));
                    }
                    let target = rows.as_mut_ptr().add(k * lanes + first);
                    V::transpose(square.as_ptr(), V::LANES, V::LANES, target, lanes);
                }
            }
            if last.is_none() {
                for (k, row) in rows.chunks_exact_mut(lanes).enumerate() {
                    row[first..].iter_mut().zip(group).for_each(|(x, point)| *x = point[k]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points_come_back_in_lanes<F: Float>() {
        for lanes in [16, 64] {
            for count in [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 40] {
                let number = |lane: usize, k: usize| F::from_f64((1 + k * lanes + lane) as f64);
                let points: Vec<Vec<F>> = (0..lanes).map(|l| (0..count).map(|k| number(l, k)).collect()).collect();
                let points: Vec<&[F]> = points.iter().map(|point| &point[..]).collect();
                for level in Level::available() {
                    let mut rows = vec![F::ZERO; count * lanes];
                    load_at(level, &points, &mut rows);
                    for (i, &x) in rows.iter().enumerate() {
                        assert!(x == number(i % lanes, i / lanes), "{level:?}, {count} rows of {lanes}: {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn points_come_back_in_lanes_at_every_level() {
        points_come_back_in_lanes::<f32>();
        points_come_back_in_lanes::<f64>();
    }

    #[test]
    fn a_point_may_be_longer_than_there_are_rows() {
        let point = [1.0, 2.0, 3.0];
        let mut rows = [0.0; 32];
        load(&[&point[..]; 16], &mut rows);
        assert_eq!(rows.as_chunks::<16>().0, [[1.0; 16], [2.0; 16]]);
    }

    #[test]
    #[should_panic(expected = "a point has a number for every row")]
    fn a_short_point_is_refused() {
        load(&[&[1.0][..]; 16], &mut [0.0; 32]);
    }
}
