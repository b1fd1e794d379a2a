//! The micro-kernel: a small tile of the result, held in registers while the inner dimension runs.
//!
//! A tile has up to [`Vector::TILE_ROWS`] rows and one or two vectors of columns. Every element of the result is the
//! sum of its products in the order of the inner index, one fused multiply-add each, whatever the tile's shape and
//! place; therefore how a product is cut into tiles, and among threads, does not change its bits.

#![expect(unsafe_code, reason = "loads and stores through pointers; the slices were checked by the caller")]

use super::vector::{Vector, prefetch};
use crate::Float;

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
    /// What the product is added to, if it is: element `(i, j)` at `start + i * start_row + j`.
    pub start: *const F,
    pub start_row: usize,
    /// Rows and columns of the result that exist; the tile may be larger.
    pub rows: usize,
    pub columns: usize,
    /// What the product is multiplied with.
    pub alpha: F,
    /// Whether the product is added to something.
    pub accumulate: bool,
}

impl<F: Float> Tile<F> {
    /// Computes `height` rows, a height that tiles are compiled for, of one or two vectors.
    ///
    /// # Safety
    /// As for [`Vector`]. `a` must be readable for `height` rows (not only `rows`), `b` for whole vectors; `c` writable
    /// for `rows` x `columns`, and `start` readable if the product is added to it. Heights of 6, 12 and 14 are those of
    /// packed panels.
    #[inline(always)]
    pub(super) unsafe fn compute<V: Vector<Element = F>, const VECTORS: usize>(&self, height: usize) {
        // SAFETY: passed on.
        unsafe {
            match height {
                1 => self.rows::<V, 1, VECTORS>(),
                2 => self.rows::<V, 2, VECTORS>(),
                4 => self.rows::<V, 4, VECTORS>(),
                6 => self.rows::<V, 6, VECTORS>(),
                // Not taken where `TILE_ROWS` is 6, and then not compiled.
                8 if V::TILE_ROWS >= 8 => self.rows::<V, 8, VECTORS>(),
                12 if V::TILE_ROWS >= 12 => self.rows::<V, 12, VECTORS>(),
                14 if V::TILE_ROWS >= 14 => self.rows::<V, 14, VECTORS>(),
                _ => unreachable!("tiles have no other height"),
            }
        }
    }

    #[inline(always)]
    unsafe fn rows<V: Vector<Element = F>, const ROWS: usize, const VECTORS: usize>(&self) {
        let t = self;
        // Of a packed panel all elements of an inner index are at constant distances from one pointer; that many rows
        // need it.
        let panel = matches!(ROWS, 6 | 12 | 14);
        let (a_row, a_inner) = if panel { (1, ROWS) } else { (t.a_row, t.a_inner) };
        // SAFETY: by the contract above; the offsets stay inside what it promises.
        unsafe {
            let last = t.columns - (VECTORS - 1) * V::LANES;
            let zero = V::splat(V::Element::ZERO);
            let mut sum = [[zero; VECTORS]; ROWS];
            let (mut a, mut b) = (t.a, t.b);
            // Unrolled by hand: the compiler unrolls up to eight rows by itself, and beyond keeps the sums in memory at
            // half the speed. And no closures: they would be compiled without the instructions of the caller.
            macro_rules! multiply_rows {
                ($row:ident: $($i:literal)*) => { $(
                    if $i < ROWS {
                        let x = V::splat(*a.add($i * a_row));
                        sum[$i][0] = x.mul_add($row[0], sum[$i][0]);
                        if VECTORS == 2 {
                            sum[$i][1] = x.mul_add($row[1], sum[$i][1]);
                        }
                    }
                )* };
            }
            // The result is wanted at the end, by when it has arrived.
            for i in 0..t.rows {
                let c = t.c.add(i * t.c_row);
                prefetch(c);
                prefetch(c.add(t.columns - 1));
            }
            for _ in 0..t.k {
                let row = [V::load(b), if VECTORS == 2 { V::load(b.add(V::LANES)) } else { zero }];
                multiply_rows!(row: 0 1 2 3 4 5 6 7 8 9 10 11 12 13);
                // The last step leads beyond the operands, where nothing is read; `add` may not even point there.
                a = a.wrapping_add(a_inner);
                b = b.wrapping_add(t.b_inner);
            }
            // Through memory into a loop: storing from registers, row by row unrolled, is half of all code of this
            // crate.
            let mut rows = [[zero; VECTORS]; ROWS];
            macro_rules! keep_rows {
                ($($i:literal)*) => { $( if $i < ROWS { rows[$i] = sum[$i]; } )* };
            }
            keep_rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13);
            let alpha = V::splat(t.alpha);
            let (mut c, mut start) = (t.c, t.start);
            for row in rows.iter().take(t.rows) {
                if VECTORS == 2 {
                    let sum = result(alpha, row[0], start, V::LANES, t.accumulate);
                    sum.store(c);
                }
                let beyond = (VECTORS - 1) * V::LANES;
                let sum = result(alpha, row[VECTORS - 1], start.add(beyond), last, t.accumulate);
                sum.store_up_to(c.add(beyond), last);
                c = c.wrapping_add(t.c_row);
                start = start.wrapping_add(t.start_row);
            }
        }
    }
}

/// `alpha sum`, or that added to the first `n` elements at `start`.
#[inline(always)]
unsafe fn result<V: Vector>(alpha: V, sum: V, start: *const V::Element, n: usize, accumulate: bool) -> V {
    // SAFETY: passed on.
    unsafe {
        match (accumulate, n == V::LANES) {
            (false, _) => alpha.mul(sum),
            (true, true) => alpha.mul_add(sum, V::load(start)),
            (true, false) => alpha.mul_add(sum, V::load_first(start, n)),
        }
    }
}
