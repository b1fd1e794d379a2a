//! The adjoint for the filters: a product whose inner dimension is the pixels.
//!
//! A tile is a few rows, each a channel and a tap, by two vectors of output channels. For each pixel `y_bar` gives the
//! vectors, turned so that output channels lie side by side, and the planes one number a row. Bands of pixels are
//! summed in registers and then added up: a sum in two levels, whose error does not grow with the image.

#![expect(unsafe_code, reason = "vector loads from planes at offsets; the planes' sizes are the pass's own")]

use super::pass::Pass;
use crate::Float;
use crate::dispatch::Level;
use crate::float::Constants;
use crate::matmul::pack::{Block, pack};
use crate::matmul::vector::{Vector, Work, at_level, prefetch};
use crate::scratch::Scratch;

/// Pixels of a band, if a row has not more: two vectors of `y_bar` for each take 32 KiB of a 48 KiB cache.
const BAND: usize = 256;

/// Images of a batch, one group of their channels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Images {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) group: usize,
    pub(crate) groups: usize,
}

impl Images {
    /// The group's channels of every image in turn, of a batch with planes of this size.
    #[inline(always)]
    fn of<'a, F>(&self, batch: &'a [F], of_group: usize) -> impl Iterator<Item = &'a [F]> + use<'a, F> {
        let Images { from, to, group, groups } = *self;
        (from..to).map(move |image| &batch[(image * groups + group) * of_group..][..of_group])
    }
}

/// Computes the sum over some images with the vectors of a level.
pub(crate) fn at<F: Float>(level: Level, pass: &Pass, x: &[F], y_bar: &[F], images: Images, w_bar: &mut [F]) {
    // SAFETY: the sizes are the pass's own.
    unsafe { at_level::<F, _>(level, WeightAdjoint { pass, x, y_bar, images, w_bar }) }
}

/// What [`at`] computes.
struct WeightAdjoint<'a, F> {
    pass: &'a Pass,
    x: &'a [F],
    y_bar: &'a [F],
    images: Images,
    w_bar: &'a mut [F],
}

impl<V: Vector> Work<V> for WeightAdjoint<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: passed on. As many rows as the registers hold sums of.
        unsafe { if V::TILE_ROWS >= 8 { self.sum::<V, 8>() } else { self.sum::<V, 4>() } }
    }
}

impl<F: Float> WeightAdjoint<'_, F> {
    /// Computes the sum with tiles of `ROWS` rows.
    ///
    /// # Safety
    /// As for [`Vector`].
    #[inline(always)]
    unsafe fn sum<V: Vector<Element = F>, const ROWS: usize>(self) {
        let WeightAdjoint { pass, x, y_bar, images, w_bar } = self;
        let across = 2 * V::LANES;
        let ([rows, columns], outs, inner) = (pass.grid(), pass.outs, pass.inner());
        // Without anything between two rows a band is any number of pixels, and one row to the tile.
        let one_row = pass.pitch() == columns;
        let ([rows, columns], pitch) = if one_row { ([rows * columns, 1], 1) } else { ([rows, columns], pass.pitch()) };
        let out_blocks = outs.div_ceil(across);
        // Rows that are missing from the last tile repeat its last one, and are thrown away.
        let mut offsets = pass.offsets.clone();
        offsets.resize(inner.next_multiple_of(ROWS), offsets[inner - 1]);
        let (tiles, _) = offsets.as_chunks::<ROWS>();

        let planes_len = pass.planes_len();
        let mut planes = Scratch::take::<V::Element>(planes_len);
        let planes = planes.start::<V::Element>();
        let band = (BAND / columns).clamp(1, rows);
        let sums_len = out_blocks * offsets.len() * across;
        let mut scratch = Scratch::take::<V::Element>(sums_len + band * columns * across);
        let sums = scratch.start::<V::Element>();
        // SAFETY: the scratch holds the sums, then the band; floats may have any bits.
        let (all_sums, turned) = unsafe { (core::slice::from_raw_parts_mut(sums, sums_len), sums.add(sums_len)) };
        all_sums.fill(V::Element::ZERO);

        let of_group = |batch: usize| batch * pass.results();
        let x_of_group = pass.channels * pass.channel_len();
        for (image, y_bar) in images.of(x, x_of_group).zip(images.of(y_bar, of_group(outs))) {
            // SAFETY: the scratch holds so many elements, and floats may have any bits.
            unsafe { pass.fill::<V>(image, core::slice::from_raw_parts_mut(planes, planes_len)) };
            for first in (0..rows).step_by(band) {
                let band = band.min(rows - first);
                for out_block in 0..out_blocks {
                    let wanted = across.min(outs - out_block * across);
                    let y_bar = &y_bar[out_block * across * pass.results() + first * columns..];
                    // SAFETY: `wanted` output channels follow one another by `results`; the band's room is that of its
                    // pixels.
                    unsafe {
                        let block = Block {
                            start: y_bar.as_ptr(),
                            across: pass.results(),
                            inner: 1,
                            width: wanted,
                            k: band * columns,
                        };
                        // Half the lanes would be empty.
                        let narrow = ROWS >= 8 && wanted <= V::LANES;
                        pack::<V>(block, if narrow { V::LANES } else { across }, turned);
                        for (i, offsets) in tiles.iter().enumerate() {
                            let tile = Tile {
                                x: planes.add(first * pitch),
                                offsets,
                                pitch,
                                size: if one_row { [1, band] } else { [band, columns] },
                                y_bar: turned,
                                sums: sums.add((out_block * tiles.len() + i) * ROWS * across),
                            };
                            if narrow { tile.add::<V, 1>() } else { tile.add::<V, 2>() }
                        }
                    }
                }
            }
        }
        // From output channels side by side to filters one after the other.
        for (out_block, filters) in w_bar.chunks_mut(across * inner).enumerate() {
            // SAFETY: the sums of a block, whose rows are filters' entries, and as many filters.
            unsafe {
                let start = sums.add(out_block * offsets.len() * across).cast_const();
                let block = Block { start, across, inner: 1, width: inner, k: filters.len() / inner };
                pack::<V>(block, inner, filters.as_mut_ptr());
            }
        }
    }
}

/// The micro-kernel's operands: a few rows, one block of output channels, one band.
pub(super) struct Tile<'a, F, const ROWS: usize> {
    /// Rows `pitch` apart, at each offset.
    pub(super) x: *const F,
    pub(super) offsets: &'a [usize; ROWS],
    pub(super) pitch: usize,
    /// Rows and columns of the band.
    pub(super) size: [usize; 2],
    /// One or two vectors for each pixel.
    pub(super) y_bar: *const F,
    /// `[ROWS, 2 LANES]`.
    pub(super) sums: *mut F,
}

/// A tile of one or two vectors a row.
struct Across<'a, F, const ROWS: usize, const VECTORS: usize>(Tile<'a, F, ROWS>);

impl<F: Float, const ROWS: usize> Tile<'_, F, ROWS> {
    /// Adds to the sums, or to the first half of each row of them, the products of the band.
    ///
    /// # Safety
    /// As for [`Vector`]. `x` must be readable at each offset for the band, `y_bar` for so many vectors for each pixel,
    /// and `sums` writable.
    #[inline(always)]
    pub(super) unsafe fn add<V: Vector<Element = F>, const VECTORS: usize>(self) {
        // SAFETY: passed on.
        unsafe { V::apart(Across::<F, ROWS, VECTORS>(self)) }
    }
}

impl<V: Vector, const ROWS: usize, const VECTORS: usize> Work<V> for Across<'_, V::Element, ROWS, VECTORS> {
    #[inline(always)]
    unsafe fn run(self) {
        let Tile { x, offsets, pitch, size: [rows, columns], mut y_bar, sums } = self.0;
        // SAFETY: by the contract above.
        unsafe {
            // The sums are wanted at the end, by when they have arrived.
            for i in 0..ROWS {
                for v in 0..VECTORS {
                    prefetch(sums.add((i * 2 + v) * V::LANES));
                }
            }
            let mut sum = [[V::splat(V::Element::ZERO); VECTORS]; ROWS];
            for row in 0..rows {
                let mut at = [x; ROWS];
                for (at, offset) in at.iter_mut().zip(offsets) {
                    *at = x.add(row * pitch + offset);
                }
                for column in 0..columns {
                    let y = [V::load(y_bar), V::load(y_bar.add((VECTORS - 1) * V::LANES))];
                    macro_rules! multiply_rows {
                        ($($i:literal)*) => { $(
                            if $i < ROWS {
                                let x = V::splat(*at[$i].add(column));
                                sum[$i][0] = x.mul_add(y[0], sum[$i][0]);
                                if VECTORS == 2 {
                                    sum[$i][1] = x.mul_add(y[1], sum[$i][1]);
                                }
                            }
                        )* };
                    }
                    multiply_rows!(0 1 2 3 4 5 6 7);
                    y_bar = y_bar.add(VECTORS * V::LANES);
                }
            }
            let one = V::splat(V::Element::ONE);
            macro_rules! add_rows {
                ($($i:literal)*) => { $(
                    if $i < ROWS {
                        for v in 0..VECTORS {
                            let y = sums.add(($i * 2 + v) * V::LANES);
                            one.mul_add(sum[$i][v], V::load(y)).store(y);
                        }
                    }
                )* };
            }
            add_rows!(0 1 2 3 4 5 6 7);
        }
    }
}
