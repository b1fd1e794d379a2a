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
use crate::matmul::vector::{Vector, Work, at_level};
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
        let ([rows, columns], pitch) =
            if one_row { ([rows * columns, 1], 1) } else { ([rows, columns], pass.pitch()) };
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
                        pack::<V>(block, across, turned);
                        for (i, offsets) in tiles.iter().enumerate() {
                            tile::<V, ROWS>(
                                planes.add(first * pitch),
                                offsets,
                                pitch,
                                if one_row { [1, band] } else { [band, columns] },
                                turned,
                                sums.add((out_block * tiles.len() + i) * ROWS * across),
                            );
                        }
                    }
                }
            }
        }
        // From output channels side by side to filters one after the other.
        for (out, filter) in w_bar.chunks_exact_mut(inner).enumerate() {
            let sums = &all_sums[out / across * offsets.len() * across + out % across..];
            for (y, sum) in filter.iter_mut().zip(sums.iter().step_by(across)) {
                *y = *sum;
            }
        }
    }
}

/// Adds to `sums`, `[ROWS, 2 LANES]`, the products of a band.
///
/// # Safety
/// As for [`Vector`]. `x` must be readable at each offset for `rows` rows `pitch` apart of `columns` elements, `y_bar`
/// for two vectors for each pixel, and `sums` writable.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const ROWS: usize>(
    x: *const V::Element,
    offsets: &[usize; ROWS],
    pitch: usize,
    size: [usize; 2],
    y_bar: *const V::Element,
    sums: *mut V::Element,
) {
    // SAFETY: passed on.
    unsafe { V::apart(Tile { x, offsets, pitch, size, y_bar, sums }) }
}

/// What [`tile`] computes.
struct Tile<'a, F, const ROWS: usize> {
    x: *const F,
    offsets: &'a [usize; ROWS],
    pitch: usize,
    size: [usize; 2],
    y_bar: *const F,
    sums: *mut F,
}

impl<V: Vector, const ROWS: usize> Work<V> for Tile<'_, V::Element, ROWS> {
    #[inline(always)]
    unsafe fn run(self) {
        let Tile { x, offsets, pitch, size: [rows, columns], mut y_bar, sums } = self;
        // SAFETY: by the contract above.
        unsafe {
            let mut sum = [[V::splat(V::Element::ZERO); 2]; ROWS];
            for row in 0..rows {
                let mut at = [x; ROWS];
                for (at, offset) in at.iter_mut().zip(offsets) {
                    *at = x.add(row * pitch + offset);
                }
                for column in 0..columns {
                    let y = [V::load(y_bar), V::load(y_bar.add(V::LANES))];
                    macro_rules! multiply_rows {
                        ($($i:literal)*) => { $(
                            if $i < ROWS {
                                let x = V::splat(*at[$i].add(column));
                                sum[$i][0] = x.mul_add(y[0], sum[$i][0]);
                                sum[$i][1] = x.mul_add(y[1], sum[$i][1]);
                            }
                        )* };
                    }
                    multiply_rows!(0 1 2 3 4 5 6 7);
                    y_bar = y_bar.add(2 * V::LANES);
                }
            }
            let one = V::splat(V::Element::ONE);
            macro_rules! add_rows {
                ($($i:literal)*) => { $(
                    if $i < ROWS {
                        for v in 0..2 {
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
