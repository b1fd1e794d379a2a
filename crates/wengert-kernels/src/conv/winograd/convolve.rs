//! Images from images and filters: the convolution, and its adjoint for the images.
//!
//! A piece of the work goes through its rows of tiles block by block: transform, multiply, transform back. Every result
//! is the sum over channels in their order, a block of them at a time, wherever it lies in a block, so pieces change no
//! bits.

#![expect(unsafe_code, reason = "vector loads and stores in rooms whose sizes are computed here")]

use super::filters::{self, Filters};
use super::tiles::{self, Planes, Points};
use super::transform::{Filter, Image, Matrix, Output};
use super::weave::Weave;
use super::{ENTRIES, Plan, convolve_at, pack_at};
use crate::Par;
use crate::conv::product::{Tile, padded, panel_height};
use crate::conv::target::Target;
use crate::conv::{PIECES, add_bias};
use crate::dispatch::Level;
use crate::matmul::blocked::{even, panel_rows};
use crate::scratch::Scratch;
use core::ops::Range;

/// Channels that are summed at a time, and the sums added up: with the direct sum's 256 the error at 270 channels is
/// 1.7 times as large, more than the direct sum's.
const CHANNELS_OF_BLOCK: usize = 64;

/// Results of images that are pooled together: 512 KiB, which the second-level cache holds beside the tiles.
const POOLED: usize = 1 << 17;

/// What one thread computes: some images with all their channels, or one image and some output channels of a group.
pub(super) struct Piece<'a> {
    images: Range<usize>,
    /// Which of all groups' output channels.
    outs: Range<usize>,
    /// A number for each of all groups' output channels, that is added.
    bias: Option<&'a [f32]>,
    /// `[images, outs, height, width]`.
    target: &'a mut [f32],
}

/// Convolves `source` into `target`, all images and groups.
pub(super) fn convolve(
    level: Level,
    plan: &Plan,
    source: &[f32],
    filters: Filters<'_>,
    bias: Option<&[f32]>,
    target: Target<'_, f32>,
    par: Par,
) {
    let Plan { groups, channels, outs, .. } = *plan;
    let (height, points) = (panel_height::<f32>(level, outs), plan.points());
    let of_group = padded(outs, height) * channels * points;
    let mut scratch = Scratch::take::<f32>(groups * of_group);
    // SAFETY: the scratch holds so many elements, and floats may have any bits.
    let packed = unsafe { core::slice::from_raw_parts_mut(scratch.start::<f32>(), groups * of_group) };
    let panels: Vec<_> = packed
        .chunks_mut(of_group)
        .enumerate()
        .flat_map(|(group, packed)| {
            let filters = Filters { w: &filters.w[group * channels * outs * ENTRIES..], ..filters };
            let panels = packed.chunks_mut(height * channels * points).enumerate();
            panels.map(move |(i, panel)| (filters, i * height, panel))
        })
        .collect();
    par.for_each(panels.into_iter(), |(filters, first, panel)| {
        pack_at(level, plan, &filters, [first, outs], panel);
    });
    let packed = &*packed;

    // Where the work is cut changes no bit, so it may depend on the threads. Few images are cut by output channels, at
    // the price of transforming them for each piece; a piece keeps some.
    let all = groups * outs;
    let pieces: Vec<_> = if par == Par::SEQUENTIAL || plan.batch >= PIECES {
        let most = if par == Par::SEQUENTIAL { plan.batch } else { plan.batch.div_ceil(PIECES) };
        let images = match &target {
            Target::Whole { .. } => most,
            // As large as the filters, which each block of tiles reads, they may be too: few blocks are then cut short.
            Target::Pooled { .. } => (POOLED.max(of_group) / plan.image_lens()[1]).clamp(1, most),
        };
        let pieces = target.cut(images * all).into_iter().enumerate();
        pieces.map(|(i, target)| (i * images..i * images + target.planes() / all, 0..all, target)).collect()
    } else {
        let of_piece = outs.div_ceil(PIECES.div_ceil(plan.batch * groups)).max(28.min(outs)).next_multiple_of(height);
        let parts = target.cut(outs).into_iter().enumerate();
        parts
            .flat_map(|(i, target)| {
                let (image, start) = (i / groups, i % groups * outs);
                target.cut(of_piece).into_iter().enumerate().map(move |(j, target)| {
                    let first = start + j * of_piece;
                    (image..image + 1, first..first + target.planes(), target)
                })
            })
            .collect()
    };
    par.for_each(pieces.into_iter(), |(images, outs, target)| {
        target.write(level, |target| convolve_at(level, plan, source, packed, Piece { images, outs, bias, target }));
    });
}

/// Transforms the filters of a panel.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector).
#[inline(always)]
pub(super) unsafe fn pack<V: Weave<Element = f32>>(
    plan: &Plan,
    filters: &Filters<'_>,
    outs: [usize; 2],
    packed: &mut [f32],
) {
    // SAFETY: passed on.
    unsafe {
        match plan.m {
            2 => filters::pack::<V, 4>(filters, plan.channels, outs, packed),
            4 if V::LANES >= 8 => filters::pack::<V, 6>(filters, plan.channels, outs, packed),
            m => unreachable!("a plan has no tiles of {m}"),
        }
    }
}

/// Computes a piece.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector).
#[inline(always)]
pub(super) unsafe fn convolve_piece<V: Weave<Element = f32>>(
    plan: &Plan,
    source: &[f32],
    packed: &[f32],
    piece: Piece<'_>,
) {
    // SAFETY: passed on.
    unsafe {
        match plan.m {
            2 => run::<V, 2, 4>(plan, source, packed, piece),
            4 if V::LANES >= 8 => run::<V, 4, 6>(plan, source, packed, piece),
            m => unreachable!("a plan has no tiles of {m}"),
        }
    }
}

/// Computes a piece in tiles of `M` x `M` results.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector).
#[inline(always)]
unsafe fn run<V: Weave<Element = f32>, const M: usize, const T: usize>(
    plan: &Plan,
    source: &[f32],
    packed: &[f32],
    piece: Piece<'_>,
) where
    Image: Matrix<T, T>,
    Filter: Matrix<3, T>,
    Output: Matrix<T, M>,
{
    let Plan { grid, channels, outs, .. } = *plan;
    let height = panel_rows(outs, V::TILE_ROWS);
    let of_group = packed.len() / plan.groups;
    let [source_len, target_len] = plan.image_lens();
    let plane = target_len / (plan.groups * outs);
    let piece_len = piece.outs.len() * plane;

    let block_rows = plan.block_rows().min(piece.images.len() * grid.tiles[0]);
    let tiles = block_rows * grid.tiles[1];
    let kept_outs = padded(outs.min(piece.outs.len()), height);
    let [point, channel] = Points::distances::<V>(channels, tiles);
    let [product_point, product_channel] = Points::distances::<V>(kept_outs, tiles);
    let planes_len = Planes::len::<V, M>(&grid, block_rows).next_multiple_of(16);
    let mut scratch = Scratch::take::<f32>(planes_len + T * T * (point + product_point));
    let start = scratch.start::<f32>();
    // SAFETY: the scratch is the planes, the transformed tiles, the products.
    let (planes, transformed, products) = unsafe {
        let transformed = start.add(planes_len);
        (
            Planes::new::<V>(&grid, block_rows, start),
            Points { start: transformed, point, channel },
            Points { start: transformed.add(T * T * point), point: product_point, channel: product_channel },
        )
    };
    let offsets: Vec<usize> = (0..channels).map(|c| c * channel).collect();

    for group in piece.outs.start / outs..piece.outs.end.div_ceil(outs) {
        let wanted = piece.outs.start.max(group * outs)..piece.outs.end.min((group + 1) * outs);
        let first_out = wanted.start - group * outs;
        assert!(first_out.is_multiple_of(height), "a piece begins with a panel");
        let packed = &packed[group * of_group + first_out * channels * T * T..];
        let source = &source[piece.images.start * source_len + group * channels * grid.source[0] * grid.source[1]..];
        let target = &mut piece.target[(wanted.start - piece.outs.start) * plane..];
        let rows = piece.images.len() * grid.tiles[0];
        let bias = piece.bias.map(|bias| &bias[wanted.clone()]);
        for first in (0..rows).step_by(block_rows) {
            let block = first..(first + block_rows).min(rows);
            let tiles = block.len() * grid.tiles[1];
            // SAFETY: the rooms were measured for so many rows.
            unsafe {
                tiles::transform::<V, M, T>(&grid, (source, source_len), channels, block.clone(), &planes, transformed);
                multiply::<V>(packed, &offsets, [wanted.len(), height], tiles, [transformed, products], T * T);
                tiles::untransform::<V, M, T>(&grid, products, wanted.len(), block.clone(), (&mut *target, piece_len));
            }
            if let Some(bias) = bias {
                // The images that are complete now.
                for image in block.start / grid.tiles[0]..block.end / grid.tiles[0] {
                    add_bias(bias, &mut target[image * piece_len..][..wanted.len() * plane]);
                }
            }
        }
    }
}

/// Multiplies packed filters with transformed tiles, point by point, and sums over the channels, whose `offsets` are
/// given.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector). The points must have room for the tiles in whole vectors.
#[inline(always)]
unsafe fn multiply<V: Weave<Element = f32>>(
    packed: &[f32],
    offsets: &[usize],
    [outs, height]: [usize; 2],
    tiles: usize,
    [transformed, products]: [Points; 2],
    points: usize,
) {
    let channels = offsets.len();
    let (rest, kept_outs) = (even(outs % height), padded(outs, height));
    assert!(packed.len() >= kept_outs * channels * points, "the filters of a group are packed whole");
    for point in 0..points {
        for (block, offsets) in offsets.chunks(CHANNELS_OF_BLOCK).enumerate() {
            for tile in (0..tiles).step_by(2 * V::LANES) {
                let mut out = 0;
                while out < kept_outs {
                    let rows = if kept_outs - out >= height { height } else { rest };
                    let panel = out * points + point * rows;
                    // SAFETY: the panels were just checked; the points have room by the contract above.
                    unsafe {
                        let t = Tile {
                            filters: packed.as_ptr().add(panel * channels + block * CHANNELS_OF_BLOCK * rows),
                            planes: transformed.start.add(point * transformed.point + tile),
                            offsets,
                            results: products.start.add(point * products.point + out * products.channel + tile),
                            stride: products.channel,
                            accumulate: block > 0,
                        };
                        if tiles - tile > V::LANES { t.compute::<V, 2>(rows) } else { t.compute::<V, 1>(rows) }
                    }
                    out += rows;
                }
            }
        }
    }
}
