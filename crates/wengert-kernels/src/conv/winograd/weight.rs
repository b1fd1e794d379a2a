//! The adjoint for the filters: transformed images times transformed cotangents, tiles being the inner dimension.
//!
//! Sums stay transformed until the last tile. Blocks of tiles are summed in registers and then added up.

#![expect(unsafe_code, reason = "vector loads and stores in rooms whose sizes are computed here")]

use super::tiles::{self, Planes, Points};
use super::transform::{FilterAdjoint, Image, Matrix, OutputAdjoint};
use super::weave::Weave;
use super::{ENTRIES, Plan, filters, weight_at};
use crate::Par;
use crate::compiled::Compiled;
use crate::conv::PIECES;
use crate::conv::weight::{Images, Tile};
use crate::dispatch::{Level, simd_level};
use crate::matmul::vector::{Vector, VectorFloat};
use crate::scratch::Scratch;

/// Tiles of a part of the images whose sums are transformed back together, about.
const PART: usize = 1024;

/// Computes `w_bar` from `x` and `y_bar`.
pub(super) fn weight_adjoint(level: Level, plan: &Plan, x: &[f32], y_bar: &[f32], w_bar: &mut [f32], par: Par) {
    let Plan { batch, groups, channels, outs, grid, .. } = *plan;
    // Images are summed in parts, the parts in their order: how many there are depends on the sizes only. A part is
    // worth the transform of its sums.
    let most = if groups >= PIECES / 2 { 1 } else { batch.min(PIECES / 2) };
    let parts = (batch * grid.tiles[0] * grid.tiles[1] / PART).clamp(1, most);
    let part_len = batch.div_ceil(parts);
    let parts = batch.div_ceil(part_len);
    // Output channels are cut for the sake of the threads, and that changes no bit.
    let across = match level.min(simd_level()) {
        Level::Avx512 => 2 * <f32 as VectorFloat>::Avx512::LANES,
        Level::Avx2 => 2 * <f32 as VectorFloat>::Avx2::LANES,
        Level::Portable => 2 * <f32 as VectorFloat>::Portable::LANES,
    };
    let pieces = if par == Par::SEQUENTIAL { 1 } else { PIECES.div_ceil(parts * groups) };
    let outs_of_piece = outs.div_ceil(pieces).max(28).next_multiple_of(across);

    let all = w_bar.len();
    let mut scratch = Scratch::take::<f32>((parts - 1) * all);
    let others = match parts {
        1 => &mut [],
        // SAFETY: the scratch holds so many elements, and floats may have any bits.
        _ => unsafe { core::slice::from_raw_parts_mut(scratch.start::<f32>(), (parts - 1) * all) },
    };
    let filter = channels * ENTRIES;
    let pieces: Vec<_> = core::iter::once(&mut *w_bar)
        .chain(others.chunks_mut(all))
        .enumerate()
        .flat_map(|(part, w_bar)| {
            w_bar.chunks_mut(outs * filter).enumerate().flat_map(move |(group, w_bar)| {
                let (from, to) = (part * part_len, ((part + 1) * part_len).min(batch));
                let images = Images { from, to, group, groups };
                w_bar
                    .chunks_mut(outs_of_piece * filter)
                    .enumerate()
                    .map(move |(i, w_bar)| (images, i * outs_of_piece, w_bar))
            })
        })
        .collect();
    par.for_each(pieces.into_iter(), |(images, first, w_bar)| {
        weight_at(level, plan, x, y_bar, images, first, w_bar);
    });
    for part in others.chunks(all) {
        f32::add_assign_at(level, w_bar, part);
    }
}

/// Computes the filters' cotangent of the output channels from `first` on over some images.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector).
#[inline(always)]
pub(super) unsafe fn weight_piece<V: Weave<Element = f32>>(
    plan: &Plan,
    x: &[f32],
    y_bar: &[f32],
    images: Images,
    first: usize,
    w_bar: &mut [f32],
) {
    // SAFETY: passed on.
    unsafe {
        // As many rows as the registers of the level hold sums of.
        match (plan.m, V::TILE_ROWS >= 14) {
            (2, true) => run::<V, 2, 4, 8>(plan, x, y_bar, images, first, w_bar),
            (2, false) => run::<V, 2, 4, 4>(plan, x, y_bar, images, first, w_bar),
            (4, true) => run::<V, 4, 6, 8>(plan, x, y_bar, images, first, w_bar),
            (4, false) if V::LANES >= 8 => run::<V, 4, 6, 4>(plan, x, y_bar, images, first, w_bar),
            (m, _) => unreachable!("a plan has no tiles of {m}"),
        }
    }
}

/// Computes the filters' cotangent of the output channels from `first` on over some images, with tiles of `ROWS` rows.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector).
#[inline(always)]
unsafe fn run<V: Weave<Element = f32>, const M: usize, const T: usize, const ROWS: usize>(
    plan: &Plan,
    x: &[f32],
    y_bar: &[f32],
    images: Images,
    first: usize,
    w_bar: &mut [f32],
) where
    Image: Matrix<T, T>,
    OutputAdjoint: Matrix<M, T>,
    FilterAdjoint: Matrix<T, 3>,
{
    let Plan { grid, channels, .. } = *plan;
    let outs = w_bar.len() / (channels * ENTRIES);
    let across = 2 * V::LANES;
    let [x_len, y_len] = plan.image_lens();
    let plane = grid.target[0] * grid.target[1];
    let x = &x[images.from * x_len + images.group * channels * grid.source[0] * grid.source[1]..];
    let y_bar = &y_bar[images.from * y_len + (images.group * plan.outs + first) * plane..];

    let all_rows = (images.to - images.from) * grid.tiles[0];
    let block_rows = plan.block_rows().min(all_rows);
    let tiles = block_rows * grid.tiles[1];
    let [point, channel] = Points::distances::<V>(channels, tiles);
    let turned_point = ((tiles * across).div_ceil(16) | 1) * 16;
    let padded_channels = channels.next_multiple_of(ROWS);
    let (out_blocks, sums_point) = (outs.div_ceil(across), padded_channels * across);
    let planes_len = Planes::len::<V, M>(&grid, block_rows).next_multiple_of(16);
    let turned_len = tiles::turned_len::<V, M>(&grid, block_rows).next_multiple_of(16);
    let sums_len = T * T * out_blocks * sums_point;
    let mut scratch = Scratch::take::<f32>(sums_len + T * T * (point + turned_point) + turned_len + planes_len);
    let sums = scratch.start::<f32>();
    // SAFETY: the scratch is the sums, both operands' transforms, the turned pixels and the planes.
    let (planes, points, turned, turned_points) = unsafe {
        let points = sums.add(sums_len);
        let turned_points = points.add(T * T * point);
        let turned = turned_points.add(T * T * turned_point);
        core::slice::from_raw_parts_mut(sums, sums_len).fill(0.0);
        (
            Planes::new::<V>(&grid, block_rows, turned.add(turned_len)),
            Points { start: points, point, channel },
            turned,
            Points { start: turned_points, point: turned_point, channel: across },
        )
    };
    // Rows that are missing from the last tile repeat the last channel, and are thrown away.
    let offsets: Vec<usize> = (0..padded_channels).map(|c| c.min(channels - 1) * channel).collect();
    let (offsets, _) = offsets.as_chunks::<ROWS>();

    for first_row in (0..all_rows).step_by(block_rows) {
        let block = first_row..(first_row + block_rows).min(all_rows);
        let tiles = block.len() * grid.tiles[1];
        // SAFETY: the rooms were measured for so many rows.
        unsafe {
            tiles::transform::<V, M, T>(&grid, (x, x_len), channels, block.clone(), &planes, points);
            for out_block in 0..out_blocks {
                let wanted = across.min(outs - out_block * across);
                let y_bar = &y_bar[out_block * across * plane..];
                let operand = (y_bar, y_len);
                tiles::transform_adjoint::<V, M, T>(&grid, operand, wanted, block.clone(), turned, turned_points);
                for p in 0..T * T {
                    let x = points.start.add(p * point);
                    let y_bar = turned_points.start.add(p * turned_point);
                    let sums = sums.add((out_block * T * T + p) * sums_point);
                    for (i, offsets) in offsets.iter().enumerate() {
                        let sums = sums.add(i * ROWS * across);
                        Tile { x, offsets, pitch: 0, size: [1, tiles], y_bar, sums }.add::<V, 2>();
                    }
                }
            }
        }
    }
    for (out_block, w_bar) in w_bar.chunks_mut(across * channels * ENTRIES).enumerate() {
        // SAFETY: the sums of a block.
        unsafe { filters::unpack::<V, T>(sums.add(out_block * T * T * sums_point), sums_point, channels, w_bar) }
    }
}
