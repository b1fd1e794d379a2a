//! The product of packed filters with planes: results of some output channels of one image.
//!
//! Pixels are numbered through the rows of a plane, with the pitch of the planes; two vectors of them at a time, a
//! strip, meet all output channels, so that a strip of every plane stays in the first-level cache and the filters
//! stream past it. Every result is the sum of its products in the order of channels and taps, [`INNER`] at a time, one
//! fused multiply-add each. How results are cut into strips, panels and pieces therefore does not change their bits.

#![expect(unsafe_code, reason = "vector loads from planes at offsets; the planes' sizes are the pass's own")]

use super::pass::Pass;
use crate::Float;
use crate::dispatch::{Level, simd_level};
use crate::float::Constants;
use crate::matmul::blocked::{even, panel_rows};
use crate::matmul::pack::{Block, copy, pack};
use crate::matmul::vector::{Vector, Work, at_level};
use crate::scratch::Scratch;

/// Length of an inner block, about: 28 channels of 3 x 3 taps, whose strips take 20 KiB of a 48 KiB cache. Sums of a
/// block are added to the result one block after the other.
const INNER: usize = 256;
/// Results kept while the blocks of the inner dimension go by: 256 KiB of `f32`, a part of the second-level cache.
const KEPT: usize = 1 << 16;

/// Output channels of one image, and where they go.
pub(crate) struct Part<'a, F> {
    /// `[outs, height, width]`.
    pub(crate) target: &'a mut [F],
    /// Which of the pass's output channels; they begin with a panel.
    pub(crate) outs: core::ops::Range<usize>,
    /// Height and width of the target.
    pub(crate) size: [usize; 2],
}

/// Rows of the panels the filters of `outs` output channels are packed in, at a level.
pub(super) fn panel_height<F: Float>(level: Level, outs: usize) -> usize {
    let most = match level.min(simd_level()) {
        Level::Avx512 => F::Avx512::TILE_ROWS,
        Level::Avx2 => F::Avx2::TILE_ROWS,
        Level::Portable => F::Portable::TILE_ROWS,
    };
    panel_rows(outs, most)
}

/// Output channels in panels of `height`, with those added that fill the last panel.
pub(super) fn padded(outs: usize, height: usize) -> usize {
    outs - outs % height + even(outs % height)
}

/// Packs the output channels from `first` on of one group in a panel: it holds for each channel and tap its outputs side
/// by side, and something finite for those that do not exist. `strides` are those of `w` along output and input channels.
pub(crate) fn pack_at<F: Float>(
    level: Level,
    pass: &Pass,
    w: &[F],
    strides: [usize; 2],
    first: usize,
    packed: &mut [F],
) {
    let rows = packed.len() / pass.inner();
    let wanted = rows.min(pass.outs - first);
    let w = &w[first * strides[0]..];
    let entries: Vec<usize> = pass.entries().collect();
    if strides[1] == entries.len() && entries.iter().copied().eq(0..entries.len()) {
        if wanted < rows {
            packed.fill(F::ZERO);
        }
        let w = &w[..(wanted - 1) * strides[0] + pass.inner()];
        let block = Block { start: w.as_ptr(), across: strides[0], inner: 1, width: wanted, k: pass.inner() };
        // SAFETY: the block was just cut from the filters.
        return unsafe { at_level::<F, _>(level, Panel { block, rows, packed }) };
    }
    let outs = |entry| (0..rows).map(move |out| out.min(wanted - 1) * strides[0] + entry);
    let places: Vec<usize> = entries.into_iter().flat_map(outs).collect();
    for (channel, packed) in packed.chunks_exact_mut(places.len()).enumerate() {
        let w = &w[channel * strides[1]..];
        packed.iter_mut().zip(&places).for_each(|(y, &place)| *y = w[place]);
    }
}

/// Filters that lie as a panel has them, but for the order of its axes: the panel.
struct Panel<'a, F> {
    block: Block<F>,
    rows: usize,
    packed: &'a mut [F],
}

impl<V: Vector> Work<V> for Panel<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the panel has room for so many rows of the block.
        unsafe { pack::<V>(self.block, self.rows, self.packed.as_mut_ptr()) }
    }
}

/// Computes a part with the vectors of a level.
pub(crate) fn at<F: Float>(level: Level, pass: &Pass, image: &[F], packed: &[F], part: Part<'_, F>) {
    // SAFETY: the sizes are the pass's own.
    unsafe { at_level::<F, _>(level, Product { pass, image, packed, part }) }
}

/// What [`at`] computes.
struct Product<'a, F> {
    pass: &'a Pass,
    image: &'a [F],
    packed: &'a [F],
    part: Part<'a, F>,
}

impl<V: Vector> Work<V> for Product<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let Product { pass, image, packed, part } = self;
        let strip = 2 * V::LANES;
        let ([rows, columns], pitch, outs) = (pass.grid(), pass.pitch(), part.outs.len());
        let pixels = (rows - 1) * pitch + columns;
        let height = panel_rows(pass.outs, V::TILE_ROWS);
        let (rest, kept_outs) = (even(outs % height), padded(outs, height));
        assert!(
            part.outs.start % height == 0 && packed.len() == kept_outs * pass.inner(),
            "a part begins with a panel"
        );

        // The last strip reads beyond the last plane.
        let planes_len = pass.planes_len() + strip;
        let mut planes = Scratch::take::<V::Element>(planes_len);
        let planes = planes.start::<V::Element>();
        // SAFETY: the scratch holds so many elements, and floats may have any bits.
        unsafe { pass.fill::<V>(image, core::slice::from_raw_parts_mut(planes, planes_len)) };

        // Of one length: a short block at the end would cost as many additions to the results as a long one.
        let blocks = ((pass.inner() + INNER / 2) / INNER).max(1);
        let block_len = pass.inner().div_ceil(blocks);
        let group = (KEPT / (kept_outs * strip)).clamp(1, 16) * strip;
        let mut results = Scratch::take::<V::Element>(kept_outs * group);
        let results = results.start::<V::Element>();

        for first in (0..pixels).step_by(group) {
            let until = (first + group).min(pixels);
            for (block, offsets) in pass.offsets.chunks(block_len).enumerate() {
                for pixel in (first..until).step_by(strip) {
                    let mut out = 0;
                    while out < kept_outs {
                        let rows = if kept_outs - out >= height { height } else { rest };
                        // SAFETY: an offset plus a pixel of the grid lies in its plane, and a strip ends within one
                        // more; the results have room for whole strips of all panels.
                        unsafe {
                            let tile = Tile {
                                filters: packed.as_ptr().add(out * pass.inner() + block * block_len * rows),
                                planes: planes.add(pixel),
                                offsets,
                                results: results.add(out * group + pixel - first),
                                stride: group,
                                accumulate: block > 0,
                            };
                            if until - pixel > V::LANES {
                                tile.compute::<V, 2>(rows);
                            } else {
                                tile.compute::<V, 1>(rows);
                            }
                        }
                        out += rows;
                    }
                }
            }
            // SAFETY: the results just computed.
            let results = unsafe { core::slice::from_raw_parts(results, kept_outs * group) };
            let [row_axis, column_axis] = pass.axes();
            let (row_step, column_step) = (row_axis.target_step * part.size[1], column_axis.target_step);
            let start = row_axis.target_start * part.size[1] + column_axis.target_start;
            for (target, results) in
                part.target.chunks_exact_mut(part.size[0] * part.size[1]).zip(results.chunks_exact(group))
            {
                for row in first / pitch..(until - 1) / pitch + 1 {
                    // Pixels of this row that are among the results, without those beyond its end.
                    let from = first.max(row * pitch);
                    let to = until.min(row * pitch + columns);
                    if from >= to {
                        continue;
                    }
                    let target = &mut target[start + row * row_step + (from - row * pitch) * column_step..];
                    let row = &results[from - first..to - first];
                    match column_step {
                        1 => {
                            let target = &mut target[..row.len()];
                            // SAFETY: slices of one length.
                            unsafe { copy::<V>(row.as_ptr(), row.len(), target.as_mut_ptr()) }
                        }
                        step => target.iter_mut().step_by(step).zip(row).for_each(|(y, &sum)| *y = sum),
                    }
                }
            }
        }
    }
}

/// The micro-kernel's operands: one strip, one panel, one inner block.
pub(super) struct Tile<'a, F> {
    /// `[offsets, rows]`.
    pub(super) filters: *const F,
    /// The first pixel of the strip in the first plane.
    pub(super) planes: *const F,
    pub(super) offsets: &'a [usize],
    /// `[rows, strip]`, rows `stride` apart.
    pub(super) results: *mut F,
    pub(super) stride: usize,
    /// Whether the sums are added to the results or replace them.
    pub(super) accumulate: bool,
}

/// A tile of so many rows.
struct Rows<'a, F, const VECTORS: usize> {
    tile: Tile<'a, F>,
    rows: usize,
}

impl<V: Vector, const VECTORS: usize> Work<V> for Rows<'_, V::Element, VECTORS> {
    #[inline(always)]
    unsafe fn run(self) {
        let Rows { tile, rows } = self;
        // SAFETY: passed on.
        unsafe {
            match rows {
                2 => tile.rows::<V, 2, VECTORS>(),
                4 => tile.rows::<V, 4, VECTORS>(),
                6 => tile.rows::<V, 6, VECTORS>(),
                // Not taken where `TILE_ROWS` is 6, and then not compiled.
                8 if V::TILE_ROWS >= 8 => tile.rows::<V, 8, VECTORS>(),
                12 if V::TILE_ROWS >= 12 => tile.rows::<V, 12, VECTORS>(),
                14 if V::TILE_ROWS >= 14 => tile.rows::<V, 14, VECTORS>(),
                _ => unreachable!("panels have no other height"),
            }
        }
    }
}

impl<F: Float> Tile<'_, F> {
    /// Computes `rows` rows, a height that panels have, of one or two vectors.
    ///
    /// # Safety
    /// As for [`Vector`]. `planes` must be readable for so many vectors at each offset, `filters` for `rows` elements
    /// for each offset, and `results` writable for `rows` rows of so many vectors.
    #[inline(always)]
    pub(super) unsafe fn compute<V: Vector<Element = F>, const VECTORS: usize>(self, rows: usize) {
        // SAFETY: passed on.
        unsafe { V::apart(Rows::<F, VECTORS> { tile: self, rows }) }
    }

    #[inline(always)]
    unsafe fn rows<V: Vector<Element = F>, const ROWS: usize, const VECTORS: usize>(self) {
        // SAFETY: by the contract of `compute`.
        unsafe {
            let mut sum = [[V::splat(F::ZERO); VECTORS]; ROWS];
            let mut filters = self.filters;
            // Unrolled by hand, and without closures, for the reasons given at the tile of matrix products.
            macro_rules! multiply_rows {
                ($x:ident: $($i:literal)*) => { $(
                    if $i < ROWS {
                        let w = V::splat(*filters.add($i));
                        sum[$i][0] = w.mul_add($x[0], sum[$i][0]);
                        if VECTORS == 2 {
                            sum[$i][1] = w.mul_add($x[1], sum[$i][1]);
                        }
                    }
                )* };
            }
            for &offset in self.offsets {
                let x = self.planes.add(offset);
                let x = [V::load(x), V::load(x.add((VECTORS - 1) * V::LANES))];
                multiply_rows!(x: 0 1 2 3 4 5 6 7 8 9 10 11 12 13);
                filters = filters.add(ROWS);
            }
            let one = V::splat(<F as Constants>::ONE);
            macro_rules! store_rows {
                ($($i:literal)*) => { $(
                    if $i < ROWS {
                        let y = self.results.add($i * self.stride);
                        for v in 0..VECTORS {
                            let y = y.add(v * V::LANES);
                            let sum = if self.accumulate { one.mul_add(sum[$i][v], V::load(y)) } else { sum[$i][v] };
                            sum.store(y);
                        }
                    }
                )* };
            }
            store_rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13);
        }
    }
}
