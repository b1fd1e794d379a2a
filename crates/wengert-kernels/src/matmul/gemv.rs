//! Products with a vector: no reuse, so the matrix streams through once, in the order it lies in memory.

#![expect(unsafe_code, reason = "vectors are read and written through pointers into slices that are checked before")]

use super::vector::{Vector, Work, at_level};
use crate::Float;
use crate::dispatch::Level;
use crate::float::Constants;

/// Partial sums of a dot product, whatever the vector.
const SUMS: usize = 32;
/// Vectors they take, at most: of two lanes.
const PARTS: usize = 16;
/// Lanes of the longest vector.
pub(super) const LANES: usize = 16;
/// Rows up to which their sums are folded one by one.
const FEW: usize = 4;

/// `y[i] += alpha <row_i, x>` for the rows of `rows`, `stride` apart.
///
/// # Panics
/// When a row reaches beyond the slice.
pub(crate) fn dot_rows<F: Float>(level: Level, rows: &[F], stride: usize, x: &[F], alpha: F, y: &mut [F]) {
    if let Some(before) = y.len().checked_sub(1) {
        assert!(before * stride + x.len() <= rows.len(), "a row reaches beyond its matrix");
    }
    // SAFETY: the rows are there.
    unsafe { at_level::<F, _>(level, DotRows { rows, stride, x, alpha, y }) }
}

struct DotRows<'a, F> {
    rows: &'a [F],
    stride: usize,
    x: &'a [F],
    alpha: F,
    y: &'a mut [F],
}

impl<V: Vector> Work<V> for DotRows<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let DotRows { rows, stride, x, alpha, y } = self;
        // SAFETY: passed on.
        let one = unsafe { V::splat(V::Element::ONE) };
        if y.len() <= FEW {
            for (i, y) in y.iter_mut().enumerate() {
                let mut sum = one;
                // SAFETY: the row exists.
                *y += alpha
                    * unsafe {
                        row_sums::<V, 1>(rows.as_ptr().add(i * stride), stride, x, &raw mut sum);
                        sum_lanes(sum)
                    };
            }
            return;
        }
        // A vector of sums for each row, and turned: then a sum of vectors has a lane for each row.
        let (mut sums, mut turned) = ([one; LANES], [one; LANES]);
        for i in (0..y.len()).step_by(V::LANES) {
            let count = V::LANES.min(y.len() - i);
            // SAFETY: the rows exist, and `y` has `count` elements from `i` on.
            unsafe {
                let mut r = 0;
                while r < count {
                    let row = rows.as_ptr().add((i + r) * stride);
                    let target = sums.as_mut_ptr().add(r);
                    // As many accumulators as hide the latency and fit the registers.
                    r += match SUMS / V::LANES {
                        2 if count - r >= 8 => row_sums::<V, 8>(row, stride, x, target),
                        4 if V::TILE_ROWS >= 8 && count - r >= 4 => row_sums::<V, 4>(row, stride, x, target),
                        4 if V::TILE_ROWS < 8 && count - r >= 2 => row_sums::<V, 2>(row, stride, x, target),
                        _ => row_sums::<V, 1>(row, stride, x, target),
                    };
                }
                V::transpose(sums.as_ptr().cast(), V::LANES, V::LANES, turned.as_mut_ptr().cast(), V::LANES);
                halve(&mut turned, V::LANES);
                let y = y.as_mut_ptr().add(i);
                one.mul_add(V::splat(alpha).mul(turned[0]), V::load_first(y, count)).store_first(y, count);
            }
        }
    }
}

/// The sum of all lanes, by halves.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
pub(super) unsafe fn sum_lanes<V: Vector>(x: V) -> V::Element {
    let mut sums = [V::Element::ZERO; LANES];
    // SAFETY: passed on; no vector has more lanes.
    unsafe { x.store(sums.as_mut_ptr()) };
    let mut half = V::LANES / 2;
    while half > 0 {
        for j in 0..half {
            sums[j] += sums[j + half];
        }
        half /= 2;
    }
    sums[0]
}

/// Adds the first `count` vectors up by halves into the first; `count` is a power of two. With [`sum_lanes`] a dot
/// product has the same tree of sums whatever the vector.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
pub(super) unsafe fn halve<V: Vector>(sums: &mut [V], count: usize) {
    let mut half = count / 2;
    while half > 0 {
        for j in 0..half {
            // SAFETY: passed on.
            sums[j] = unsafe { V::splat(V::Element::ONE).mul_add(sums[j + half], sums[j]) };
        }
        half /= 2;
    }
}

/// The products of `x` with `ROWS` rows, each in a vector of sums at `target`. Returns how many rows.
///
/// # Safety
/// As for [`Vector`]; rows are as long as `x`, and there is room for their sums.
#[inline(always)]
unsafe fn row_sums<V: Vector, const ROWS: usize>(
    rows: *const V::Element,
    stride: usize,
    x: &[V::Element],
    target: *mut V,
) -> usize {
    // SAFETY: inner indices stay below the length of `x`.
    unsafe {
        let mut row = [rows; ROWS];
        for (r, row) in row.iter_mut().enumerate() {
            *row = rows.add(r * stride);
        }
        let mut sums = [[V::splat(V::Element::ZERO); PARTS]; ROWS];
        let whole = x.len() - x.len() % SUMS;
        for p in (0..whole).step_by(SUMS) {
            for q in 0..SUMS / V::LANES {
                let from = p + q * V::LANES;
                let x = V::load(x.as_ptr().add(from));
                for (row, sums) in row.iter().zip(&mut sums) {
                    sums[q] = V::load(row.add(from)).mul_add(x, sums[q]);
                }
            }
        }
        for q in 0..SUMS / V::LANES {
            let from = whole + q * V::LANES;
            if from >= x.len() {
                break;
            }
            let n = V::LANES.min(x.len() - from);
            let x = V::load_first(x.as_ptr().add(from), n);
            for (row, sums) in row.iter().zip(&mut sums) {
                sums[q] = V::load_first(row.add(from), n).mul_add(x, sums[q]);
            }
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            halve(sums, SUMS / V::LANES);
            target.add(r).write(sums[0]);
        }
    }
    ROWS
}

/// `y += sum_p x[p] row_p` for `k` rows, `stride` apart.
///
/// # Panics
/// When a row reaches beyond its slice, or a factor is missing.
pub(crate) fn combine_rows<F: Float>(
    level: Level,
    x: &[F],
    x_stride: usize,
    k: usize,
    rows: &[F],
    stride: usize,
    y: &mut [F],
) {
    if let Some(before) = k.checked_sub(1) {
        assert!(before * x_stride < x.len(), "a factor is missing");
        assert!(before * stride + y.len() <= rows.len(), "a row reaches beyond its matrix");
    }
    // SAFETY: factors and rows are there.
    unsafe { at_level::<F, _>(level, CombineRows { x, x_stride, k, rows, stride, y }) }
}

struct CombineRows<'a, F> {
    x: &'a [F],
    x_stride: usize,
    k: usize,
    rows: &'a [F],
    stride: usize,
    y: &'a mut [F],
}

/// Vectors of sums that are kept in registers.
const VECTORS: usize = 4;
/// Elements of the rows taken together, which stay in the first-level cache from one block of columns to the next; and
/// how many rows these are at least. The result is read and written once for all of them.
const TOGETHER: usize = 2048;
const ROWS: usize = 8;

impl<V: Vector> Work<V> for CombineRows<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let (n, width) = (self.y.len(), VECTORS * V::LANES);
        let rows = (TOGETHER / n.max(1)).max(ROWS);
        let y = self.y.as_mut_ptr();
        let mut from = 0;
        while from < self.k {
            let to = self.k.min(from + rows);
            for j in (0..n).step_by(width) {
                // SAFETY: rows below `k` and columns below `n` are there.
                unsafe {
                    if n - j >= width {
                        self.columns::<V, true>(from, to, j, y.add(j));
                    } else {
                        self.columns::<V, false>(from, to, j, y.add(j));
                    }
                }
            }
            from = to;
        }
    }
}

impl<F: Float> CombineRows<'_, F> {
    /// Adds rows `from..to` to the result in columns from `j` on: [`VECTORS`] vectors, or what is left.
    ///
    /// # Safety
    /// As for [`Vector`]; the rows and columns are there, `y` is where the result's start.
    #[inline(always)]
    unsafe fn columns<V: Vector<Element = F>, const WHOLE: bool>(&self, from: usize, to: usize, j: usize, y: *mut F) {
        let mut count = [V::LANES; VECTORS];
        if !WHOLE {
            for (v, count) in count.iter_mut().enumerate() {
                *count = (self.y.len() - j).saturating_sub(v * V::LANES).min(V::LANES);
            }
        }
        // A macro, not a closure, which would be compiled without the instructions of the caller.
        macro_rules! load {
            ($place:expr, $v:ident) => {
                if WHOLE { V::load($place) } else { V::load_first($place, count[$v]) }
            };
        }
        // SAFETY: vectors of columns end where the columns do.
        unsafe {
            let mut sums = [V::splat(F::ZERO); VECTORS];
            for v in 0..VECTORS {
                sums[v] = load!(y.cast_const().wrapping_add(v * V::LANES), v);
            }
            for p in from..to {
                let factor = V::splat(*self.x.as_ptr().add(p * self.x_stride));
                let row = self.rows.as_ptr().add(p * self.stride + j);
                for v in 0..VECTORS {
                    sums[v] = factor.mul_add(load!(row.wrapping_add(v * V::LANES), v), sums[v]);
                }
            }
            for v in 0..VECTORS {
                sums[v].store_up_to(y.wrapping_add(v * V::LANES), count[v]);
            }
        }
    }
}
