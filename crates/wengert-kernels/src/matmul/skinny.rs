//! Products with a side too short to pay for a copy of an operand: those of a full layer on a small batch.
//!
//! A large matrix streams through once, as it lies in memory: where the result has few rows or columns, as an operand;
//! where the inner dimension is short, as the result. What is added in which order depends on the sizes and the layout
//! only.

#![expect(
    unsafe_code,
    reason = "operands are raw parts of slices that threads share; the slices were checked by the caller"
)]

use super::blocked::Product;
use super::gemv::{halve, sum_lanes};
use super::vector::{Vector, Work, prefetch};
use super::{Beta, MatMul};
use crate::Float;
use crate::scratch::Scratch;

/// Rows, columns or inner indices that are few: beyond, copies of the operands begin to pay.
const FEW: usize = 16;
/// Length from which on sums are worth their beginning and end.
const LONG: usize = 128;
/// Inner indices of a dot product that are summed at a time: of up to eight rows that many stay in the second-level
/// cache.
const DOT: usize = 16384;
/// Inner indices of a strip: rows of the right operand that are read side by side. More than eight, their distance
/// often a multiple of a page, would fall on one another in a cache of eight ways.
const STRIP: usize = 8;
/// Columns of a strip.
const COLUMNS: usize = 4096;
/// Elements of an operand that comes from beyond the second-level cache. Out of that, tiles are as fast.
const LARGE: usize = 1 << 20;
/// Bytes of a result that no cache holds until it is read: writing around the caches saves reading what is overwritten.
const HUGE: usize = 32 << 20;

/// How a product with a short side is best computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Skinny {
    /// As sums along the inner dimension, in which both operands lie.
    Dots,
    /// As sums of rows of the right operand.
    Strips,
}

impl Skinny {
    /// How to compute a product with more than one row and column, if it has a short side and its operands lie well.
    pub(super) fn of<F>(product: &MatMul<'_, F>) -> Option<Skinny> {
        let &MatMul { m, k, n, ref a, ref b, .. } = product;
        let (few, many) = (m.min(n), m.max(n));
        let from_afar = k.saturating_mul(many) >= LARGE;
        let lie_inwards = a.col_stride == 1 && b.row_stride == 1;
        if lie_inwards && many >= LONG && k >= LONG && (few <= FEW / 2 || few <= FEW && from_afar) {
            return Some(Skinny::Dots);
        }
        let few_rows = m <= FEW && n >= LONG && from_afar;
        let few_terms = k <= FEW && n >= LONG && m >= LONG;
        (b.col_stride == 1 && (few_rows || few_terms)).then_some(Skinny::Strips)
    }
}

/// Whether to write a result around the caches. It must be written once: one sum, added to nothing.
pub(super) fn goes_around<F>(product: &MatMul<'_, F>) -> bool {
    let &MatMul { m, k, n, beta, .. } = product;
    beta == Beta::Overwrite && k <= FEW && m.saturating_mul(n).saturating_mul(size_of::<F>()) >= HUGE
}

/// Partial sums of a dot product: they fill 64 bytes, whatever the vector.
const fn lanes<F>() -> usize {
    64 / size_of::<F>()
}
/// Vectors that takes, at most.
const PARTS: usize = 4;

/// Computes a product of few rows with many, or of many with few, as dot products. Inner indices are neighbours in both
/// operands.
pub(super) struct Dots<'p, F>(pub(super) &'p Product<'p, F>);

impl<V: Vector> Work<V> for Dots<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let &Product { m, k, n, a, a_row, b, b_col, c, c_row, alpha, accumulate, .. } = self.0;
        let (few, many) = if m <= n {
            (Side { x: a, stride: a_row, count: m, c: c_row }, Side { x: b, stride: b_col, count: n, c: 1 })
        } else {
            (Side { x: b, stride: b_col, count: n, c: 1 }, Side { x: a, stride: a_row, count: m, c: c_row })
        };
        let (wide, lanes) = (V::TILE_ROWS >= 8, lanes::<V::Element>());
        let rows = if wide && few.count > 4 { 8 } else { 4 };
        let panel_len = rows * DOT.min(k.next_multiple_of(lanes));
        let mut scratch = Scratch::take::<V::Element>(few.count.div_ceil(rows) * panel_len);
        let panels = scratch.start::<V::Element>();
        for p in (0..k).step_by(DOT) {
            let k = DOT.min(k - p);
            // SAFETY: rows and inner indices of the operands, and panels as long as computed above.
            unsafe {
                for i in (0..few.count).step_by(rows) {
                    let count = rows.min(few.count - i);
                    side_by_side(
                        few.x.add(i * few.stride + p),
                        few.stride,
                        count,
                        rows,
                        k,
                        panels.add(i / rows * panel_len),
                    );
                }
                let t = DotProducts { few, many, from: p, k, c, alpha, accumulate: accumulate || p > 0 };
                let mut j = 0;
                while j < many.count {
                    let columns = if wide && many.count - j >= 3 { 3 } else { 1 };
                    for i in (0..few.count).step_by(rows) {
                        let panel = panels.add(i / rows * panel_len);
                        match (rows, columns) {
                            (8, 3) if wide => t.tile::<V, 8, 3>(panel, i, j),
                            (8, _) if wide => t.tile::<V, 8, 1>(panel, i, j),
                            (_, 3) if wide => t.tile::<V, 4, 3>(panel, i, j),
                            _ => t.tile::<V, 4, 1>(panel, i, j),
                        }
                    }
                    j += columns;
                }
            }
        }
    }
}

/// Copies rows so that the lanes of one follow those of the next. As they lie, a power of two apart it may be, their
/// elements would fall on one another in the cache. What is missing is zero.
///
/// # Safety
/// `count` rows of `k` elements, `stride` apart; room for `rows` rows of `k` rounded up to whole lanes.
unsafe fn side_by_side<F: Float>(x: *const F, stride: usize, count: usize, rows: usize, k: usize, panel: *mut F) {
    let lanes = lanes::<F>();
    for p in (0..k).step_by(lanes) {
        for i in 0..rows {
            let there = if i < count { lanes.min(k - p) } else { 0 };
            // SAFETY: within the row and the panel.
            unsafe {
                let target = panel.add(p * rows + i * lanes);
                if there > 0 {
                    target.copy_from_nonoverlapping(x.add(i * stride + p), there);
                }
                for lane in there..lanes {
                    target.add(lane).write(F::ZERO);
                }
            }
        }
    }
}

/// The rows that lie along the inner dimension in one operand: `count` of them, `stride` apart, their results `c`
/// apart.
#[derive(Clone, Copy)]
struct Side<F> {
    x: *const F,
    stride: usize,
    count: usize,
    c: usize,
}

/// Dot products over `k` inner indices from `from` on.
struct DotProducts<F> {
    few: Side<F>,
    many: Side<F>,
    from: usize,
    k: usize,
    c: *mut F,
    alpha: F,
    accumulate: bool,
}

impl<F: Float> DotProducts<F> {
    /// Those of rows `i..i + ROWS` of the few, as far as there are, with `j..j + COLUMNS` of the many.
    ///
    /// # Safety
    /// As for [`Vector`]; `panel` holds the rows from `i` on side by side, and rows `j..j + COLUMNS` are there.
    #[inline(always)]
    unsafe fn tile<V: Vector<Element = F>, const ROWS: usize, const COLUMNS: usize>(
        &self,
        panel: *const F,
        i: usize,
        j: usize,
    ) {
        let (few, many, lanes) = (&self.few, &self.many, lanes::<F>());
        // SAFETY: inner indices stay below `from + k`, and the panel's are rounded up.
        unsafe {
            let start = many.x.add(j * many.stride + self.from);
            let zero = V::splat(F::ZERO);
            let mut sum = [[[zero; PARTS]; COLUMNS]; ROWS];
            // A macro, not a closure, which would be compiled without the instructions of the caller.
            macro_rules! multiply {
                ($p:expr, |$w:ident, $from:ident| $load:expr) => {
                    for q in 0..lanes / V::LANES {
                        let mut row = [zero; COLUMNS];
                        for (c, row) in row.iter_mut().enumerate() {
                            let $from = $p + q * V::LANES;
                            let $w = start.wrapping_add(c * many.stride + $from);
                            *row = $load;
                        }
                        for r in 0..ROWS {
                            let x = V::load(panel.add($p * ROWS + r * lanes + q * V::LANES));
                            for c in 0..COLUMNS {
                                sum[r][c][q] = x.mul_add(row[c], sum[r][c][q]);
                            }
                        }
                    }
                };
            }
            let whole = self.k - self.k % lanes;
            for p in (0..whole).step_by(lanes) {
                multiply!(p, |w, _from| {
                    prefetch(w.wrapping_add(8 * lanes));
                    V::load(w)
                });
            }
            if whole < self.k {
                multiply!(whole, |w, from| V::load_first(w, self.k.saturating_sub(from).min(V::LANES)));
            }
            // Through memory into a loop, as in a tile of a blocked product.
            let mut sums = [[[zero; PARTS]; COLUMNS]; ROWS];
            for r in 0..ROWS {
                for c in 0..COLUMNS {
                    sums[r][c] = sum[r][c];
                }
            }
            for (r, sums) in sums.iter_mut().enumerate().take(few.count - i) {
                for (c, parts) in sums.iter_mut().enumerate() {
                    let y = self.c.add((i + r) * few.c + (j + c) * many.c);
                    halve(parts, lanes / V::LANES);
                    let sum = self.alpha * sum_lanes(parts[0]);
                    *y = if self.accumulate { *y + sum } else { sum };
                }
            }
        }
    }
}

/// Computes a product as sums of a few rows of `b` at a time. Columns of `b` are neighbours.
pub(super) struct Strips<'p, F>(pub(super) &'p Product<'p, F>);

impl<V: Vector> Work<V> for Strips<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let product = self.0;
        let &Product { m, k, n, a, a_row, a_col, b, b_row, c, c_row, alpha, accumulate, .. } = product;
        let inner = if k <= FEW { k } else { STRIP };
        let around = product.around && c.addr() % 64 == 0 && (c_row * size_of::<V::Element>()).is_multiple_of(64);
        for j in (0..n).step_by(COLUMNS) {
            let columns = COLUMNS.min(n - j);
            for p in (0..k).step_by(inner) {
                let k = inner.min(k - p);
                let mut i = 0;
                while i < m {
                    // SAFETY: `i`, `p` and `j` are indices of the product, which borrows its elements.
                    unsafe {
                        let strip = Strip {
                            a: a.add(i * a_row + p * a_col),
                            a_row,
                            a_inner: a_col,
                            b: b.add(p * b_row + j),
                            b_inner: b_row,
                            c: c.add(i * c_row + j),
                            c_row,
                            k,
                            columns,
                            alpha,
                            accumulate: accumulate || p > 0,
                            around,
                        };
                        // A row that is missing from a sum costs less than another sum: the operand is waited for.
                        i += match m - i {
                            rows @ 5.. if V::TILE_ROWS >= 8 => strip.sum::<V, 8>(rows.min(8)),
                            rows @ 3.. => strip.sum::<V, 4>(rows.min(4)),
                            rows => strip.sum::<V, 2>(rows),
                        };
                    }
                }
            }
        }
        if around {
            V::order_stores();
        }
    }
}

/// Some rows of a result: sums of `k` rows of `b`, at most [`FEW`].
struct Strip<F> {
    a: *const F,
    a_row: usize,
    a_inner: usize,
    b: *const F,
    b_inner: usize,
    c: *mut F,
    c_row: usize,
    k: usize,
    columns: usize,
    alpha: F,
    accumulate: bool,
    /// Whether to write around the caches.
    around: bool,
}

impl<F: Float> Strip<F> {
    /// Computes `rows` rows, at most `ROWS`, and returns how many.
    ///
    /// # Safety
    /// As for [`Vector`].
    #[inline(always)]
    unsafe fn sum<V: Vector<Element = F>, const ROWS: usize>(&self, rows: usize) -> usize {
        let mut factors = [[F::ZERO; ROWS]; FEW];
        for (p, factors) in factors.iter_mut().enumerate().take(self.k) {
            for (i, factor) in factors.iter_mut().enumerate().take(rows) {
                // SAFETY: a strip has its rows and inner indices.
                *factor = self.alpha * unsafe { *self.a.add(i * self.a_row + p * self.a_inner) };
            }
        }
        let whole = self.columns - self.columns % (2 * V::LANES);
        // SAFETY: vectors of columns end where the columns do.
        unsafe {
            for j in (0..whole).step_by(2 * V::LANES) {
                self.columns::<V, ROWS, 2>(&factors, rows, j, V::LANES);
            }
            for j in (whole..self.columns).step_by(V::LANES) {
                self.columns::<V, ROWS, 1>(&factors, rows, j, V::LANES.min(self.columns - j));
            }
        }
        rows
    }

    /// The sums in columns from `j` on: `VECTORS` vectors, or the first `n` lanes of one.
    ///
    /// # Safety
    /// As for [`Vector`]; the columns are there.
    #[inline(always)]
    unsafe fn columns<V: Vector<Element = F>, const ROWS: usize, const VECTORS: usize>(
        &self,
        factors: &[[F; ROWS]; FEW],
        rows: usize,
        j: usize,
        n: usize,
    ) {
        // SAFETY: the caller promises the columns, the strip its rows; it goes around the caches only where rows are
        // aligned, and `j` is whole vectors.
        unsafe {
            let zero = V::splat(F::ZERO);
            let mut sum = [[zero; VECTORS]; ROWS];
            let mut b = self.b.add(j);
            for factors in factors.iter().take(self.k) {
                let mut row = [zero; VECTORS];
                for (v, row) in row.iter_mut().enumerate() {
                    *row = if VECTORS > 1 { V::load(b.add(v * V::LANES)) } else { V::load_first(b, n) };
                    prefetch(b.wrapping_add((8 + v) * V::LANES));
                }
                for i in 0..ROWS {
                    let factor = V::splat(factors[i]);
                    for v in 0..VECTORS {
                        sum[i][v] = factor.mul_add(row[v], sum[i][v]);
                    }
                }
                b = b.wrapping_add(self.b_inner);
            }
            let one = V::splat(F::ONE);
            for (i, sum) in sum.iter().enumerate() {
                // Not `take`, which would keep the sums in memory.
                if i >= rows {
                    break;
                }
                for (v, &sum) in sum.iter().enumerate() {
                    let c = self.c.add(i * self.c_row + j + v * V::LANES);
                    let mut y = sum;
                    if self.accumulate {
                        y = one.mul_add(y, if VECTORS > 1 { V::load(c) } else { V::load_first(c, n) });
                    }
                    if self.around && n == V::LANES {
                        y.store_around(c);
                    } else if VECTORS > 1 {
                        y.store(c);
                    } else {
                        y.store_first(c, n);
                    }
                }
            }
        }
    }
}
