//! The product cut into blocks that fit the caches.
//!
//! The order of loops is that of Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication": blocks
//! of columns, of the inner dimension, of rows; a panel of the right operand stays in the first-level cache while the
//! panels of the left one stream past it from the second. What is packed is what could not be read well in place.

#![expect(
    unsafe_code,
    reason = "operands are raw parts of slices that threads share; the slices were checked by the caller"
)]

use super::pack::{Block, pack, packed_len};
use super::skinny::{Dots, Skinny, Strips, goes_around};
use super::tile::Tile;
use super::vector::{Vector, Work, at_level};
use super::{Beta, MatMul, MatRef};
use crate::dispatch::Level;
use crate::scratch::Scratch;
use crate::{Float, Par};
use core::marker::PhantomData;

/// Length of an inner block. A panel of the right operand, two vectors wide, then takes 32 KiB of a 48 KiB cache.
///
/// Sums of a block are added to the result one block after the other, so this length is part of what a product's bits
/// depend on; it is the same for every level and number of threads.
pub(super) const INNER: usize = 256;
/// Rows of a block: with [`INNER`] columns 128 KiB of `f32`, a part of the second-level cache.
const ROWS: usize = 128;
/// Columns of a block: with [`INNER`] rows 1 MiB of `f32`.
const COLUMNS: usize = 1024;
/// Elements between rows from which on a panel in place takes in too many pages.
const FAR: usize = 4096;

/// A product of checked operands, by pointers and strides in elements: a borrow of two slices and, mutably, of a part
/// of a third.
pub(crate) struct Product<'a, F> {
    pub(super) m: usize,
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) a: *const F,
    pub(super) a_row: usize,
    pub(super) a_col: usize,
    pub(super) b: *const F,
    pub(super) b_row: usize,
    pub(super) b_col: usize,
    pub(super) c: *mut F,
    pub(super) c_row: usize,
    /// What the sums are added to, if they are: the result itself, or rows elsewhere that lie as it does.
    start: *const F,
    start_row: usize,
    pub(super) alpha: F,
    pub(super) accumulate: bool,
    /// Whether `b` is packed already: its blocks one after the other, in the order of the loops.
    packed: bool,
    /// Whether it has a short side. Decided for the whole, since it decides about the bits, whatever the cut among
    /// threads.
    skinny: Option<Skinny>,
    /// Whether the whole result is one that no cache holds until it is read.
    pub(super) around: bool,
    borrows: PhantomData<(&'a [F], &'a mut [F])>,
}

// SAFETY: it stands for the borrows it was made from, and borrows of `Sync` numbers may go to other threads.
unsafe impl<F: Float> Send for Product<'_, F> {}
// SAFETY: as above; nothing is written through a shared product.
unsafe impl<F: Float> Sync for Product<'_, F> {}

impl<'a, F: Float> Product<'a, F> {
    /// A product into `c`.
    pub(super) fn new(product: MatMul<'a, F>, c: &'a mut [F]) -> Self {
        product.assert_holds(c);
        // SAFETY: the slices were checked, and are borrowed as long as the product lives.
        unsafe { Self::into_rows(product, c.as_mut_ptr(), product.n) }
    }

    /// A product into rows that start so far apart.
    ///
    /// # Safety
    /// The operands hold their elements. `c` can be written at `[m, n]` elements as long as the product lives, and
    /// nobody else reaches them.
    pub(super) unsafe fn into_rows(product: MatMul<'a, F>, c: *mut F, c_row: usize) -> Self {
        let (skinny, around) = (Skinny::of(&product), goes_around(&product));
        let MatMul { m, k, n, a, b, alpha, beta } = product;
        Product {
            m,
            k,
            n,
            a: a.slice.as_ptr(),
            a_row: a.row_stride,
            a_col: a.col_stride,
            b: b.slice.as_ptr(),
            b_row: b.row_stride,
            b_col: b.col_stride,
            c,
            c_row,
            start: c,
            start_row: c_row,
            alpha,
            accumulate: beta == Beta::Accumulate,
            packed: false,
            skinny,
            around,
            borrows: PhantomData,
        }
    }

    /// The same product, added to `start: [m, n]` instead of what the result holds; columns of `start` are neighbours,
    /// and the product has no short side.
    pub(super) fn onto(self, start: MatRef<'a, F>) -> Self {
        assert_start(&start, [self.m, self.n]);
        assert!(self.skinny.is_none(), "a product with a short side begins with what its result holds");
        Product { start: start.slice.as_ptr(), start_row: start.row_stride, accumulate: true, ..self }
    }

    /// Whether it has a short side.
    pub(super) fn is_skinny(&self) -> bool {
        self.skinny.is_some()
    }

    /// A product into `c` with a right operand that was packed by [`pack_right`] for the level it will run at.
    pub(super) fn with_packed(a: MatRef<'a, F>, [m, k, n]: [usize; 3], b: &'a [F], c: &'a mut [F]) -> Self {
        // The strides of `b` are not looked at.
        let right = MatRef { slice: b, row_stride: 0, col_stride: 0 };
        let product = Product::new(MatMul { m, k, n, a, b: right, alpha: F::ONE, beta: Beta::Overwrite }, c);
        Product { packed: true, skinny: None, ..product }
    }

    /// The part with rows `from..to` of the result.
    ///
    /// # Safety
    /// `from < to <= m`, and no two products write the same rows at a time.
    unsafe fn rows(&self, from: usize, to: usize) -> Self {
        // SAFETY: the row exists in `a`, `c` and what is added.
        unsafe {
            let (c, start) = (self.c.add(from * self.c_row), self.start.add(from * self.start_row));
            Product { m: to - from, a: self.a.add(from * self.a_row), c, start, ..*self }
        }
    }

    /// The part with columns `from..to` of the result.
    ///
    /// # Safety
    /// `from < to <= n`, and no two products write the same columns at a time.
    unsafe fn columns(&self, from: usize, to: usize) -> Self {
        // SAFETY: the column exists in `b`, `c` and what is added.
        unsafe {
            let (c, start) = (self.c.add(from), self.start.add(from));
            Product { n: to - from, b: self.b.add(from * self.b_col), c, start, ..*self }
        }
    }
}

/// Panics unless a product with a result of these sizes can be added to `start`.
pub(super) fn assert_start<F>(start: &MatRef<'_, F>, [m, n]: [usize; 2]) {
    start.assert_holds(m, n);
    assert!(start.col_stride == 1 || n <= 1, "columns of what a product is added to must be neighbours");
}

/// Computes a product at a level, its result cut among threads.
pub(super) fn run<F: Float>(level: Level, product: Product<'_, F>, par: Par) {
    if par.threads() == 1 {
        return F::product_at(level, product);
    }
    // Cut across the longer side: every piece packs the whole of the operand that is not cut.
    let by_rows = product.m >= product.n;
    let length = if by_rows { product.m } else { product.n };
    let piece = length.div_ceil(par.threads()).next_multiple_of(if by_rows { 4 } else { 32 });
    par.for_each(0..length.div_ceil(piece), |i| {
        let (from, to) = (i * piece, ((i + 1) * piece).min(length));
        // SAFETY: the pieces are not empty and do not overlap.
        let part = unsafe { if by_rows { product.rows(from, to) } else { product.columns(from, to) } };
        F::product_at(level, part);
    });
}

/// Elements of a packed right operand, for vectors of any level.
pub(super) fn packed_right_len(k: usize, n: usize) -> usize {
    // A last panel may be whole where the operand is not; the widest are two vectors of 16.
    n.next_multiple_of(32) * k
}

/// Packs a right operand `[k, n]` for products at a level. `target` has [`packed_right_len`] elements.
pub(crate) fn pack_right<F: Float>(level: Level, b: MatRef<'_, F>, [k, n]: [usize; 2], target: &mut [F]) {
    b.assert_holds(k, n);
    assert!(target.len() >= packed_right_len(k, n), "a packed operand [{k}, {n}] does not fit {}", target.len());
    // SAFETY: the sizes were checked.
    unsafe { at_level::<F, _>(level, PackRight { b, sizes: [k, n], target }) }
}

/// Packs the blocks of a right operand in the order [`Blocked`] reads them. `b` holds `sizes`, `target`
/// [`packed_right_len`] elements.
struct PackRight<'a, F> {
    b: MatRef<'a, F>,
    sizes: [usize; 2],
    target: &'a mut [F],
}

impl<V: Vector> Work<V> for PackRight<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let PackRight { b, sizes: [k, n], target } = self;
        if k == 0 || n == 0 {
            return;
        }
        let (across, inner_block) = (2 * V::LANES, inner_block(k));
        let mut target = target.as_mut_ptr();
        // SAFETY: indices stay below `k` and `n`, and the blocks' lengths add up to no more than the target's.
        unsafe {
            for j0 in (0..n).step_by(COLUMNS) {
                let width = COLUMNS.min(n - j0);
                for p0 in (0..k).step_by(inner_block) {
                    let inner = inner_block.min(k - p0);
                    let start = b.slice.as_ptr().add(p0 * b.row_stride + j0 * b.col_stride);
                    let block = Block { start, across: b.col_stride, inner: b.row_stride, width, k: inner };
                    pack::<V>(block, across, target);
                    target = target.add(packed_len(width, inner, across));
                }
            }
        }
    }
}

/// The length of inner blocks: as long as [`INNER`] allows, and all alike.
fn inner_block(k: usize) -> usize {
    k.div_ceil(k.div_ceil(INNER))
}

/// Computes a product with the vectors of a level.
pub(crate) fn at<F: Float>(level: Level, product: Product<'_, F>) {
    // SAFETY: a product borrows all its elements, and what is skinny lies as was found.
    unsafe {
        match product.skinny {
            Some(Skinny::Dots) => at_level::<F, _>(level, Dots(&product)),
            Some(Skinny::Strips) => at_level::<F, _>(level, Strips(&product)),
            None => at_level::<F, _>(level, Blocked(&product)),
        }
    }
}

/// Computes a product block by block.
struct Blocked<'p, F>(&'p Product<'p, F>);

impl<V: Vector> Work<V> for Blocked<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let product = self.0;
        let &Product { m, k, n, a_row, a_col, b_row, b_col, packed, .. } = product;
        let across = 2 * V::LANES;
        // Rows of neighbours are read in place, by tiles of eight: a copy takes longer than it saves. Columns, and
        // tiles of four, which cannot hide the latency, are worth one unless their panel is used once or twice.
        let pack_a = n > 2 * across && (a_col != 1 || V::TILE_ROWS < 8);
        // So are panels that many tiles read, or that lie on a page a row; and what is no whole vectors.
        let often = if b_row > FAR { 1 } else { 4 };
        let pack_b = !packed && (b_col != 1 || m > often * V::TILE_ROWS || n % V::LANES != 0);
        let panel_rows = panel_rows(m, V::TILE_ROWS);
        let inner_block = inner_block(k);

        let a_len = if pack_a { packed_len(m.min(ROWS), inner_block, 2) + 2 * inner_block } else { 0 };
        let b_len = if pack_b { packed_len(n.min(COLUMNS), inner_block, across) } else { 0 };
        let mut scratch = Scratch::take::<V::Element>(a_len + b_len);
        let packed_b = scratch.start::<V::Element>();
        // SAFETY: a product borrows all its elements, and indices stay below m, k, n; packed panels lie within the
        // scratch computed above, `b`'s first.
        unsafe {
            let packed_a = packed_b.add(b_len);
            let mut given = product.b;
            for j0 in (0..n).step_by(COLUMNS) {
                let columns = COLUMNS.min(n - j0);
                for p0 in (0..k).step_by(inner_block) {
                    let inner = inner_block.min(k - p0);
                    let b = if packed { given } else { product.b.add(p0 * b_row + j0 * b_col) };
                    if packed {
                        given = given.add(packed_len(columns, inner, across));
                    }
                    if pack_b {
                        pack::<V>(
                            Block { start: b, across: b_col, inner: b_row, width: columns, k: inner },
                            across,
                            packed_b,
                        );
                    }
                    for i0 in (0..m).step_by(ROWS) {
                        let rows = ROWS.min(m - i0);
                        let a = product.a.add(i0 * a_row + p0 * a_col);
                        let whole = rows - rows % panel_rows;
                        let rest = even(rows - whole);
                        if pack_a {
                            let block = Block { start: a, across: a_row, inner: a_col, width: whole, k: inner };
                            pack::<V>(block, panel_rows, packed_a);
                            // Of nothing there is no start: beyond the last row may be beyond the operand.
                            if rest > 0 {
                                let block = Block { start: a.add(whole * a_row), width: rows - whole, ..block };
                                pack::<V>(block, rest, packed_a.add(whole * inner));
                            }
                        }
                        // The first block is added to what the product is, the others to what it made.
                        let (start, start_row) = match p0 {
                            0 => (product.start, product.start_row),
                            _ => (product.c.cast_const(), product.c_row),
                        };
                        let (start, c) = (start.add(i0 * start_row + j0), product.c.add(i0 * product.c_row + j0));
                        for j in (0..columns).step_by(across) {
                            let panels = Panels {
                                packed: pack_a.then_some(panel_rows),
                                tile: Tile {
                                    k: inner,
                                    a: if pack_a { packed_a } else { a },
                                    a_row,
                                    a_inner: a_col,
                                    b: match (pack_b, packed) {
                                        (true, _) => packed_b.add(j * inner),
                                        (_, true) => b.add(j * inner),
                                        _ => b.add(j),
                                    },
                                    b_inner: if pack_b || packed { across } else { b_row },
                                    c: c.add(j),
                                    c_row: product.c_row,
                                    start: start.add(j),
                                    start_row,
                                    rows,
                                    columns: across.min(columns - j),
                                    alpha: product.alpha,
                                    accumulate: product.accumulate || p0 > 0,
                                },
                            };
                            V::apart(panels);
                        }
                    }
                }
            }
        }
    }
}

/// Tiles one below the other, as many as hold the rows of `tile`.
struct Panels<F> {
    /// Rows of the panels that the left operand is packed in, if it is.
    packed: Option<usize>,
    tile: Tile<F>,
}

impl<V: Vector> Work<V> for Panels<V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let Panels { packed, mut tile } = self;
        let mut left = tile.rows;
        while left > 0 {
            let height = match packed {
                Some(height) if left >= height => height,
                Some(_) => even(left),
                None => direct_rows(left, V::TILE_ROWS),
            };
            if packed.is_some() {
                (tile.a_row, tile.a_inner) = (1, height);
            }
            tile.rows = height.min(left);
            // SAFETY: the operands hold the rows that are left, and a packed one whole panels.
            unsafe {
                if tile.columns > V::LANES {
                    tile.compute::<V, 2>(height);
                } else {
                    tile.compute::<V, 1>(height);
                }
            }
            left -= tile.rows;
            let panel = if packed.is_some() { tile.k * height } else { tile.a_row * height };
            tile.a = tile.a.wrapping_add(panel);
            tile.c = tile.c.wrapping_add(tile.c_row * height);
            tile.start = tile.start.wrapping_add(tile.start_row * height);
        }
    }
}

/// The height of the packed panel that holds some rows, of those the tiles are compiled for: 2, 4, 6, 8, 12, 14; 0 for
/// none.
pub(crate) fn even(rows: usize) -> usize {
    match rows.next_multiple_of(2) {
        10 => 12,
        even => even,
    }
}

/// The height of panels that costs least: 128 rows are 10 panels of 12 and one of 8, not 9 of 14 and one of 2, whose 4
/// sums could not keep the multipliers busy.
pub(crate) fn panel_rows(m: usize, most: usize) -> usize {
    if m <= most {
        return even(m);
    }
    // In tenths of a row's time: a tile costs its rows, no fewer than hide the latency, and two thirds of a row
    // besides.
    let tile = |rows: usize| if rows == 0 { 0 } else { 10 * rows.max(most / 2) + 7 };
    let cost = |rows: usize| m / rows * tile(rows) + tile(even(m % rows));
    (most / 2..=most).filter(|&rows| even(rows) == rows).min_by_key(|&rows| (cost(rows), most - rows)).unwrap_or(most)
}

/// The height of a tile read in place, from what is left of the rows.
fn direct_rows(left: usize, most: usize) -> usize {
    match left.min(most) {
        0..2 => 1,
        2..4 => 2,
        4..8 => 4,
        _ => 8,
    }
}
