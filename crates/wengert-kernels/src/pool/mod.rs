//! The largest and the mean of windows of a plane, and their adjoints.
//!
//! The loop over windows is inside, the one over the entries of a window outside: neighbours in the result read
//! neighbours of the plane, or every second. Planes are independent, and threads take whole planes.

pub(crate) mod largest;

use crate::dispatch::{Level, kernel, simd_level};
use crate::{Float, Par};

/// Elements worth a thread's while.
const PIECE: usize = 1 << 15;

/// The sizes of a pooling, and where its windows lie. Pairs are `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool2d {
    /// Height and width of a plane of `x`.
    pub size: [usize; 2],
    /// Height and width of the windows, at least 1.
    pub kernel: [usize; 2],
    /// Distance between windows, at least 1.
    pub stride: [usize; 2],
    /// Places around `x` on every side that windows may reach into; less than the window, so that none lies outside.
    pub padding: [usize; 2],
}

impl Pool2d {
    /// Height and width of a plane of results: `(h + 2 p - k) / s + 1`, and 0 where no window fits.
    #[must_use]
    pub fn output_size(&self) -> [usize; 2] {
        core::array::from_fn(|axis| {
            let room = (self.size[axis] + 2 * self.padding[axis]).checked_sub(self.kernel[axis]);
            room.map_or(0, |room| room / self.stride[axis] + 1)
        })
    }

    /// Elements of a plane of `x` and of one of `y`.
    pub(crate) fn planes(&self) -> [usize; 2] {
        let [rows, columns] = self.output_size();
        [self.size[0] * self.size[1], rows * columns]
    }

    /// Planes of `x` and `y`; none where a plane of either is empty.
    fn assert_holds(&self, x: usize, y: usize) -> bool {
        let [x_plane, y_plane] = self.planes();
        assert!((0..2).all(|axis| self.padding[axis] < self.kernel[axis]), "{self:?} has windows that lie outside");
        assert!(
            x_plane == 0 && x == 0 || x.is_multiple_of(x_plane.max(1)) && y == x / x_plane.max(1) * y_plane,
            "{self:?}: {x} elements do not go with {y} results"
        );
        x > 0 && y > 0
    }

    /// The same for places; whether there are any.
    pub(crate) fn assert_finds_places(&self, x: usize, y: usize, at: usize) -> bool {
        assert_eq!(y, at, "as many places as results");
        assert!(u32::try_from(self.planes()[0]).is_ok(), "{self:?}: places of a plane are numbered with 32 bits");
        let any = self.assert_holds(x, y);
        assert!(any || y == 0, "{self:?}: windows of nothing have no largest");
        any
    }

    /// Where each entry of a row of the windows lies inside.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let (size, stride, padding, [_, results]) = (self.size[1], self.stride[1], self.padding[1], self.output_size());
        let span = |entry: usize| {
            let from = padding.saturating_sub(entry).div_ceil(stride);
            let to = (size + padding).saturating_sub(entry).div_ceil(stride).min(results);
            Span { from, to: to.max(from), start: (from * stride + entry).saturating_sub(padding) }
        };
        (0..self.kernel[1]).map(span).filter(|span| span.from < span.to).collect()
    }

    /// The planes of a piece of work.
    fn planes_of_piece(&self) -> usize {
        PIECE.div_ceil(self.planes()[0].max(1))
    }
}

/// For which results an entry of the windows lies inside a row, and where it is for the first of them.
///
/// Found once for all planes, instead of by two divisions for every row of every window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    from: usize,
    to: usize,
    start: usize,
}

/// Entries of a window up to which they are added up one after the other: their mean is off by 2e-6 at most. Of windows
/// of 224 x 224 it would be off by 5e-4.
const FEW: usize = 64;

kernel! {
    /// The sum of each window of a plane, divided by the entries of a window; summed in `f64`, for windows of many
    /// entries.
    pub(crate) fn mean_plane_of_many<F: Float>(pool: &'a Pool2d, spans: &'a [Span], x: &'a [F], y: &'a mut [F]) -> () {
        let [_, columns] = pool.output_size();
        let count = pool.kernel[0] as f64 * pool.kernel[1] as f64;
        let mut sums = vec![0.0; columns];
        for (r, y) in y.chunks_exact_mut(columns).enumerate() {
            let top = (r * pool.stride[0]).saturating_sub(pool.padding[0]);
            let bottom = (r * pool.stride[0] + pool.kernel[0] - pool.padding[0]).min(pool.size[0]);
            sums.fill(0.0);
            for row in top..bottom {
                for &Span { from, to, start } in spans {
                    let x = x[row * pool.size[1] + start..].iter().step_by(pool.stride[1]);
                    sums[from..to].iter_mut().zip(x).for_each(|(sum, &x)| *sum += x.to_f64());
                }
            }
            y.iter_mut().zip(&sums).for_each(|(y, sum)| *y = F::from_f64(sum / count));
        }
    }

    /// The sum of each window of a plane, divided by the entries of a window.
    pub(crate) fn mean_plane<F: Float>(pool: &'a Pool2d, spans: &'a [Span], x: &'a [F], y: &'a mut [F]) -> () {
        let [_, columns] = pool.output_size();
        let count = F::from_f64((pool.kernel[0] * pool.kernel[1]) as f64);
        for (r, y) in y.chunks_exact_mut(columns).enumerate() {
            let top = (r * pool.stride[0]).saturating_sub(pool.padding[0]);
            let bottom = (r * pool.stride[0] + pool.kernel[0] - pool.padding[0]).min(pool.size[0]);
            y.fill(F::ZERO);
            for row in top..bottom {
                for &Span { from, to, start } in spans {
                    let x = &x[row * pool.size[1] + start..];
                    match pool.stride[1] {
                        1 => y[from..to].iter_mut().zip(x).for_each(|(y, &x)| *y += x),
                        2 => {
                            let y = &mut y[from..to];
                            let (pairs, last) = pairs(x, y.len());
                            y.iter_mut().zip(pairs).for_each(|(y, pair)| *y += pair[0]);
                            y[pairs.len()..].iter_mut().zip(last).for_each(|(y, &x)| *y += x);
                        }
                        step => y[from..to].iter_mut().zip(x.iter().step_by(step)).for_each(|(y, &x)| *y += x),
                    }
                }
            }
            y.iter_mut().for_each(|y| *y = *y / count);
        }
    }

    /// The adjoint of the mean: every window's share to each of its entries.
    pub(crate) fn mean_plane_adjoint<F: Float>(pool: &'a Pool2d, spans: &'a [Span], y_bar: &'a [F], x_bar: &'a mut [F]) -> () {
        let [_, columns] = pool.output_size();
        let count = F::from_f64((pool.kernel[0] * pool.kernel[1]) as f64);
        x_bar.fill(F::ZERO);
        for (r, y_bar) in y_bar.chunks_exact(columns).enumerate() {
            let top = (r * pool.stride[0]).saturating_sub(pool.padding[0]);
            let bottom = (r * pool.stride[0] + pool.kernel[0] - pool.padding[0]).min(pool.size[0]);
            for row in top..bottom {
                for &Span { from, to, start } in spans {
                    let x_bar = &mut x_bar[row * pool.size[1] + start..];
                    let y_bar = &y_bar[from..to];
                    match pool.stride[1] {
                        1 => x_bar.iter_mut().zip(y_bar).for_each(|(x, &y)| *x += y / count),
                        step => x_bar.iter_mut().step_by(step).zip(y_bar).for_each(|(x, &y)| *x += y / count),
                    }
                }
            }
        }
    }
}

/// Pairs of neighbours in `x`, for at most `count` results, and what is left for one more: every second number, with
/// the step known to the compiler.
#[inline(always)]
fn pairs<F: Float>(x: &[F], count: usize) -> (&[[F; 2]], &[F]) {
    let (pairs, last) = x[..x.len().min(2 * count)].as_chunks();
    (pairs, last)
}

/// The largest element of each window, `y: [planes, oh, ow]` from `x: [planes, h, w]`, and where in its plane it is.
///
/// Of equal elements the first counts, in the order of rows; NaN counts as largest. What lies outside is never it.
///
/// # Panics
/// When the lengths do not go together, a plane has 2^32 elements, or a window may lie outside: the padding must be
/// less than the window, and a plane with windows must have elements.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, pool::{Pool2d, max_pool2d}};
///
/// let pool = Pool2d { size: [2, 4], kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
/// let (mut y, mut at) = ([0.0; 2], [0; 2]);
/// max_pool2d(&pool, &[1.0, 7.0, 3.0, 3.0, 5.0, 2.0, 0.0, 3.0], &mut y, &mut at, Par::current());
/// assert_eq!((y, at), ([7.0, 3.0], [1, 2]));
/// ```
pub fn max_pool2d<F: Float>(pool: &Pool2d, x: &[F], y: &mut [F], at: &mut [u32], par: Par) {
    max_pool2d_at(simd_level(), pool, x, y, at, par);
}

fn max_pool2d_at<F: Float>(level: Level, pool: &Pool2d, x: &[F], y: &mut [F], at: &mut [u32], par: Par) {
    if !pool.assert_finds_places(x.len(), y.len(), at.len()) {
        return;
    }
    let spans = pool.spans();
    let ([x_plane, y_plane], planes) = (pool.planes(), pool.planes_of_piece());
    let pieces = x.chunks(planes * x_plane).zip(y.chunks_mut(planes * y_plane).zip(at.chunks_mut(planes * y_plane)));
    par.for_each(pieces, |(x, (y, at))| {
        F::max_planes_at(level, pool, &spans, x, y, at);
    });
}

/// The adjoint of [`max_pool2d`]: every element of `y_bar` to the place its window's largest has.
///
/// # Panics
/// As [`max_pool2d`], and when a place is not in its plane.
pub fn max_pool2d_adjoint<F: Float>(pool: &Pool2d, y_bar: &[F], at: &[u32], x_bar: &mut [F], par: Par) {
    assert_eq!(y_bar.len(), at.len(), "as many places as results");
    if !pool.assert_holds(x_bar.len(), y_bar.len()) {
        return x_bar.fill(F::ZERO);
    }
    let ([x_plane, y_plane], planes) = (pool.planes(), pool.planes_of_piece());
    let pieces =
        x_bar.chunks_mut(planes * x_plane).zip(y_bar.chunks(planes * y_plane).zip(at.chunks(planes * y_plane)));
    par.for_each(pieces, |(x_bar, (y_bar, at))| {
        let results = y_bar.chunks_exact(y_plane).zip(at.chunks_exact(y_plane));
        for (x_bar, (y_bar, at)) in x_bar.chunks_exact_mut(x_plane).zip(results) {
            x_bar.fill(F::ZERO);
            for (&y_bar, &at) in y_bar.iter().zip(at) {
                x_bar[at as usize] += y_bar;
            }
        }
    });
}

/// Picks from each plane of `x` the elements at `at`, which [`max_pool2d`] gave: the adjoint of its adjoint.
///
/// # Panics
/// As [`max_pool2d_adjoint`].
pub fn pick2d<F: Float>(pool: &Pool2d, x: &[F], at: &[u32], y: &mut [F], par: Par) {
    assert_eq!(y.len(), at.len(), "as many places as results");
    if !pool.assert_holds(x.len(), y.len()) {
        return assert!(y.is_empty(), "{pool:?}: a plane of nothing has no places");
    }
    let ([x_plane, y_plane], planes) = (pool.planes(), pool.planes_of_piece());
    let pieces = x.chunks(planes * x_plane).zip(y.chunks_mut(planes * y_plane).zip(at.chunks(planes * y_plane)));
    par.for_each(pieces, |(x, (y, at))| {
        for (x, (y, at)) in x.chunks_exact(x_plane).zip(y.chunks_exact_mut(y_plane).zip(at.chunks_exact(y_plane))) {
            for (y, &at) in y.iter_mut().zip(at) {
                *y = x[at as usize];
            }
        }
    });
}

/// The mean of each window, `y: [planes, oh, ow]` from `x: [planes, h, w]`; what lies outside counts, as zero.
///
/// # Panics
/// As [`max_pool2d`].
pub fn avg_pool2d<F: Float>(pool: &Pool2d, x: &[F], y: &mut [F], par: Par) {
    avg_pool2d_at(simd_level(), pool, x, y, par);
}

fn avg_pool2d_at<F: Float>(level: Level, pool: &Pool2d, x: &[F], y: &mut [F], par: Par) {
    if !pool.assert_holds(x.len(), y.len()) {
        // Windows of nothing but places outside.
        return y.fill(F::ZERO);
    }
    let spans = pool.spans();
    let mean =
        if pool.kernel[0].saturating_mul(pool.kernel[1]) > FEW { F::mean_plane_of_many_at } else { F::mean_plane_at };
    let ([x_plane, y_plane], planes) = (pool.planes(), pool.planes_of_piece());
    par.for_each(x.chunks(planes * x_plane).zip(y.chunks_mut(planes * y_plane)), |(x, y)| {
        for (x, y) in x.chunks_exact(x_plane).zip(y.chunks_exact_mut(y_plane)) {
            mean(level, pool, &spans, x, y);
        }
    });
}

/// The adjoint of [`avg_pool2d`].
///
/// # Panics
/// As [`max_pool2d`].
pub fn avg_pool2d_adjoint<F: Float>(pool: &Pool2d, y_bar: &[F], x_bar: &mut [F], par: Par) {
    avg_pool2d_adjoint_at(simd_level(), pool, y_bar, x_bar, par);
}

fn avg_pool2d_adjoint_at<F: Float>(level: Level, pool: &Pool2d, y_bar: &[F], x_bar: &mut [F], par: Par) {
    if !pool.assert_holds(x_bar.len(), y_bar.len()) {
        return x_bar.fill(F::ZERO);
    }
    let spans = pool.spans();
    let ([x_plane, y_plane], planes) = (pool.planes(), pool.planes_of_piece());
    par.for_each(x_bar.chunks_mut(planes * x_plane).zip(y_bar.chunks(planes * y_plane)), |(x_bar, y_bar)| {
        for (x_bar, y_bar) in x_bar.chunks_exact_mut(x_plane).zip(y_bar.chunks_exact(y_plane)) {
            F::mean_plane_adjoint_at(level, pool, &spans, y_bar, x_bar);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers with many ties, and a NaN now and then.
    fn numbers(n: usize, nans: bool) -> Vec<f32> {
        let mut state = 12345_u32;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if nans && state >> 28 == 7 { f32::NAN } else { ((state >> 24) % 9) as f32 - 4.0 }
            })
            .collect()
    }

    /// The places of a window inside its plane, in the order of rows.
    fn window(pool: &Pool2d, result: usize) -> Vec<usize> {
        let columns = pool.output_size()[1];
        let index = [result / columns, result % columns];
        let along = |axis: usize| {
            let first = (index[axis] * pool.stride[axis]) as isize - pool.padding[axis] as isize;
            let inside = move |i: &isize| (0..pool.size[axis] as isize).contains(i);
            (first..first + pool.kernel[axis] as isize).filter(inside).map(|i| i as usize)
        };
        along(0).flat_map(|row| along(1).map(move |column| row * pool.size[1] + column)).collect()
    }

    fn pools() -> impl Iterator<Item = Pool2d> {
        let sides = [(1, 1, 0), (2, 2, 0), (3, 2, 0), (3, 2, 1), (2, 3, 1), (3, 1, 2), (5, 4, 2), (4, 4, 0)];
        // Results narrower and wider than a block of them.
        [[6, 45], [7, 14], [6, 5]].into_iter().flat_map(move |size| {
            sides.into_iter().flat_map(move |(kh, sh, ph)| {
                sides.into_iter().map(move |(kw, sw, pw)| Pool2d {
                    size,
                    kernel: [kh, kw],
                    stride: [sh, sw],
                    padding: [ph, pw],
                })
            })
        })
    }

    #[test]
    fn the_largest_of_a_window_is_its_first_and_nan_wins() {
        for (pool, nans) in pools().flat_map(|pool| [(pool, false), (pool, true)]) {
            let ([x_plane, y_plane], planes) = (pool.planes(), 3);
            let x = numbers(planes * x_plane, nans);
            for level in Level::available() {
                let (mut y, mut at) = (vec![0.0; planes * y_plane], vec![0; planes * y_plane]);
                max_pool2d_at(level, &pool, &x, &mut y, &mut at, Par::new(2));
                for (i, (y, at)) in y.iter().zip(&at).enumerate() {
                    let x = &x[i / y_plane * x_plane..];
                    let window = window(&pool, i % y_plane);
                    let nan = window.iter().copied().find(|&j| x[j].is_nan());
                    let largest = window.iter().copied().rev().max_by(|&a, &b| x[a].total_cmp(&x[b]));
                    let expected = nan.or(largest).unwrap();
                    assert_eq!(*at as usize, expected, "{level:?} {pool:?}, result {i}");
                    assert_eq!(y.to_bits(), x[expected].to_bits());
                }
            }
        }
    }

    #[test]
    fn means_and_both_adjoints_equal_their_definitions() {
        for pool in pools() {
            let ([x_plane, y_plane], planes) = (pool.planes(), 3);
            let (x, y_bar) = (numbers(planes * x_plane, false), numbers(planes * y_plane, false));
            let (mut y, mut at) = (vec![0.0; y_bar.len()], vec![0; y_bar.len()]);
            max_pool2d(&pool, &x, &mut y, &mut at, Par::SEQUENTIAL);
            let (mut means, mut to_largest, mut to_all) = (vec![0.0; y.len()], vec![0.0; x.len()], vec![0.0; x.len()]);
            let count = (pool.kernel[0] * pool.kernel[1]) as f32;
            for i in 0..y.len() {
                let plane = i / y_plane * x_plane;
                to_largest[plane + at[i] as usize] += y_bar[i];
                for j in window(&pool, i % y_plane) {
                    means[i] += x[plane + j]; // integers: exact in any order
                    to_all[plane + j] += y_bar[i] / count;
                }
                means[i] /= count;
            }
            let mut got = vec![f32::NAN; x.len()];
            max_pool2d_adjoint(&pool, &y_bar, &at, &mut got, Par::new(3));
            assert_eq!(got, to_largest, "{pool:?}");
            pick2d(&pool, &x, &at, &mut y, Par::new(3));
            assert!(y.iter().zip(&at).enumerate().all(|(i, (y, &at))| *y == x[i / y_plane * x_plane + at as usize]));
            for level in Level::available() {
                avg_pool2d_at(level, &pool, &x, &mut y, Par::new(3));
                assert_eq!(y, means, "{level:?} {pool:?}");
                got.fill(f32::NAN);
                avg_pool2d_adjoint_at(level, &pool, &y_bar, &mut got, Par::new(3));
                assert!(got.iter().zip(&to_all).all(|(a, b)| (a - b).abs() < 1e-5), "{level:?} {pool:?}");
            }
        }
    }

    #[test]
    fn a_window_of_minus_infinity_has_its_first_place() {
        let pool = Pool2d { size: [3, 3], kernel: [2, 2], stride: [2, 2], padding: [1, 1] };
        let (mut y, mut at) = ([0.0; 4], [9; 4]);
        max_pool2d(&pool, &[f64::NEG_INFINITY; 9], &mut y, &mut at, Par::SEQUENTIAL);
        assert_eq!((y, at), ([f64::NEG_INFINITY; 4], [0, 1, 3, 4]));
    }

    #[test]
    fn a_window_larger_than_the_plane_sees_all_of_it() {
        let pool = Pool2d { size: [2, 2], kernel: [6, 6], stride: [1, 1], padding: [2, 2] };
        let (mut y, mut at) = ([0.0], [9]);
        max_pool2d(&pool, &[1.0, 3.0, 4.0, 2.0], &mut y, &mut at, Par::SEQUENTIAL);
        assert_eq!((y, at), ([4.0], [2]));
        avg_pool2d(&pool, &[9.0, 9.0, 9.0, 9.0], &mut y, Par::SEQUENTIAL);
        assert_eq!(y, [1.0]);
    }

    #[test]
    fn no_planes_and_no_windows_are_no_work() {
        let pool = Pool2d { size: [3, 3], kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        max_pool2d::<f32>(&pool, &[], &mut [], &mut [], Par::SEQUENTIAL);
        let mut x_bar = [1.0; 9];
        avg_pool2d_adjoint(&Pool2d { kernel: [4, 4], ..pool }, &[], &mut x_bar, Par::SEQUENTIAL);
        assert_eq!(x_bar, [0.0; 9]);
    }

    #[test]
    fn means_of_large_windows_are_as_exact_as_those_of_small_ones() {
        let pool = Pool2d { size: [224, 448], kernel: [224, 224], stride: [224, 224], padding: [0, 0] };
        for level in Level::available() {
            let mut y = [f32::NAN; 2];
            avg_pool2d_at(level, &pool, &vec![0.1; 224 * 448], &mut y, Par::SEQUENTIAL);
            assert_eq!(y, [0.1; 2], "{level:?}");
        }
    }

    #[test]
    fn windows_of_nothing_but_places_outside_have_the_mean_zero() {
        let pool = Pool2d { size: [0, 3], kernel: [2, 2], stride: [1, 1], padding: [1, 1] };
        let mut y = [f32::NAN; 8];
        avg_pool2d(&pool, &[], &mut y, Par::SEQUENTIAL);
        assert_eq!(y, [0.0; 8]);
    }

    #[test]
    #[should_panic(expected = "windows of nothing have no largest")]
    fn windows_of_nothing_but_places_outside_have_no_largest() {
        let pool = Pool2d { size: [0, 3], kernel: [2, 2], stride: [1, 1], padding: [1, 1] };
        max_pool2d::<f32>(&pool, &[], &mut [0.0; 4], &mut [0; 4], Par::SEQUENTIAL);
    }

    #[test]
    #[should_panic(expected = "windows that lie outside")]
    fn padding_as_large_as_the_window_is_refused() {
        let pool = Pool2d { size: [3, 3], kernel: [2, 2], stride: [2, 2], padding: [0, 2] };
        avg_pool2d(&pool, &[0.0; 9], &mut [0.0; 6], Par::SEQUENTIAL);
    }
}
