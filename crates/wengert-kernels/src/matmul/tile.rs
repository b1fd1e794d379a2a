//! The micro-kernel: a small tile of the result, held in registers while the inner dimension runs.
//!
//! A tile has up to [`Vector::TILE_ROWS`] rows and one or two vectors of columns. Every element of the result is the sum
//! of its products in the order of the inner index, one fused multiply-add each, whatever the tile's shape and place;
//! therefore how a product is cut into tiles, and among threads, does not change its bits.

#![expect(unsafe_code, reason = "loads and stores through pointers; the slices were checked by the caller")]

use super::vector::Vector;
use crate::float::Constants;

/// Where a tile's operands lie. Strides are in elements.
#[derive(Clone, Copy)]
pub(super) struct Tile<F> {
    /// Length of the inner dimension.
    pub k: usize,
    /// Left operand: element `(i, p)` at `a + i * a_row + p * a_inner`.
    pub a: *const F,
    pub a_row: usize,
    pub a_inner: usize,
    /// Right operand: element `(p, j)` at `b + p * b_inner + j`.
    pub b: *const F,
    pub b_inner: usize,
    /// Result: element `(i, j)` at `c + i * c_row + j`.
    pub c: *mut F,
    pub c_row: usize,
    /// Rows and columns of the result that exist; the tile may be larger.
    pub rows: usize,
    pub columns: usize,
    /// Whether `b` can be read beyond `columns`, up to whole vectors.
    pub b_padded: bool,
    /// What the product is multiplied with.
    pub alpha: F,
    /// Whether the product is added to the result or replaces it.
    pub accumulate: bool,
}

/// Computes a tile of `ROWS` rows and `VECTORS` vectors. `PACKED` says that the left operand is a packed panel, with its
/// rows side by side: then all `ROWS` elements of an inner index are at constant distances from one pointer.
///
/// # Safety
/// As for [`Vector`]. `a` must be readable for `ROWS` rows (not only `rows`), `b` for `columns`, or for all lanes when
/// `b_padded`; `c` writable for `rows` x `columns`.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize, const PACKED: bool>(t: Tile<V::Element>) {
    let (a_row, a_inner) = if PACKED { (1, ROWS) } else { (t.a_row, t.a_inner) };
    // SAFETY: by the contract above; the offsets stay inside what it promises.
    unsafe {
        let last = t.columns - (VECTORS - 1) * V::LANES;
        let full = last == V::LANES;
        let mut sum = [[V::splat(V::Element::ZERO); VECTORS]; ROWS];
        let (mut a, mut b) = (t.a, t.b);
        if t.b_padded || full {
            for _ in 0..t.k {
                let row: [V; VECTORS] = core::array::from_fn(|v| V::load(b.add(v * V::LANES)));
                for (i, sum) in sum.iter_mut().enumerate() {
                    let x = V::splat(*a.add(i * a_row));
                    for (sum, &row) in sum.iter_mut().zip(&row) {
                        *sum = x.mul_add(row, *sum);
                    }
                }
                a = a.add(a_inner);
                b = b.add(t.b_inner);
            }
        } else {
            for _ in 0..t.k {
                let row: [V; VECTORS] = core::array::from_fn(|v| {
                    let p = b.add(v * V::LANES);
                    if v + 1 < VECTORS { V::load(p) } else { V::load_first(p, last) }
                });
                for (i, sum) in sum.iter_mut().enumerate() {
                    let x = V::splat(*a.add(i * a_row));
                    for (sum, &row) in sum.iter_mut().zip(&row) {
                        *sum = x.mul_add(row, *sum);
                    }
                }
                a = a.add(a_inner);
                b = b.add(t.b_inner);
            }
        }
        let alpha = V::splat(t.alpha);
        for (i, sum) in sum.iter().enumerate() {
            if i >= t.rows {
                break;
            }
            for (v, &sum) in sum.iter().enumerate() {
                let c = t.c.add(i * t.c_row + v * V::LANES);
                if v + 1 < VECTORS || full {
                    (if t.accumulate { alpha.mul_add(sum, V::load(c)) } else { alpha.mul(sum) }).store(c);
                } else {
                    let y = if t.accumulate { alpha.mul_add(sum, V::load_first(c, last)) } else { alpha.mul(sum) };
                    y.store_first(c, last);
                }
            }
        }
    }
}
