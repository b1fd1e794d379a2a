//! Convolution by minimal filtering: fewer products for the same sums.
//!
//! A tile of 2 x 2 results of a 3 x 3 filter takes 36 products; the algorithm `F(2 x 2, 3 x 3)` takes 16, and additions. The
//! tile's 4 x 4 pixels and the filter are transformed, multiplied point by point and summed over channels, and the sums
//! transformed back (`transform`; Winograd 1980, "Arithmetic Complexity of Computations"; Lavin & Gray 2016, "Fast Algorithms
//! for Convolutional Neural Networks"). Since each point is a sum over channels of its own, the products of all tiles at a
//! point are a matrix product: the direct convolution's micro-kernels with a single tap.
//!
//! The adjoint for the images is the same with filters turned around; that for the filters multiplies transformed images with
//! transformed cotangents, tiles being the inner dimension, and transforms the sums back once.
//!
//! # When, and how exact
//!
//! For `f32`, filters of 3 x 3, stride and dilation 1, padding up to 2, and from [`CHANNELS`] channels in and out of a group,
//! unless [`strict`](super::Conv2d::strict) is set. `f64` is summed directly.
//!
//! For operands that are uniform in -1..1, errors over the root mean square of the result are (64 and 384 channels): forward 2.5e-7 and 6e-7 in the root mean square,
//! 1.1e-6 and 3e-6 at most, which is below the direct sum's 4e-7 and 1e-6, 2.7e-6 and 5e-6; for the filters 7e-7 and 2.3e-6,
//! twice the direct sum's.
//!
//! # What else may differ
//!
//! With the points of `F(2, 3)` a result takes in products of its own window's pixels only, so zeros give exact zeros, a NaN
//! reaches the windows it lies in and no others, and errors are relative to a window's own numbers. (Larger tiles, `F(4, 3)`
//! and so on, have none of this.) An infinity, however, may arrive as NaN: it is both added and subtracted. In the adjoint for
//! the filters an entry takes in products it has no part in, which cancel. Tiles over an edge read zeros, never a
//! neighbouring plane.

#![expect(unsafe_code, reason = "vector loads and stores in rooms whose sizes are computed here")]

mod filters;
mod tiles;
mod transform;
mod weave;

use super::product::{INNER, Tile, padded};
use super::weight::{self, Images};
use super::{Conv2d, PIECES};
use crate::compiled::Compiled;
use crate::dispatch::{Level, simd_level};
use crate::matmul::blocked::{even, panel_rows};
use crate::matmul::vector::{Vector, VectorFloat};
use crate::scratch::Scratch;
use crate::Par;
use core::ops::Range;
use filters::{ENTRIES, Filters};
use tiles::{Grid, Planes, Points};
use weave::Weave;

#[cfg(test)]
mod tests;

/// Channels of a group, in and out, from which the transforms pay.
const CHANNELS: usize = 32;
/// Tiles from which the transform of the filters pays.
const TILES: usize = 64;
/// Tiles of a block: four tile rows of images 56 wide, whose transforms, 64 channels in and out, take 1.2 MB of a 2 MB cache.
const BLOCK: usize = 112;
/// Results of a tile along an axis.
const M: usize = 2;
/// Pixels of a tile along an axis.
const T: usize = M + 2;
/// Products of a tile.
const POINTS: usize = T * T;

/// One group's share of a convolution, as tiles.
#[derive(Clone, Copy)]
struct Plan {
    grid: Grid,
    batch: usize,
    groups: usize,
    /// Of a group.
    channels: usize,
    outs: usize,
}

impl Plan {
    /// From `x` to `y`.
    fn forward(conv: &Conv2d) -> Plan {
        Plan {
            grid: Grid::new(conv.size, conv.padding, conv.output_size(), M),
            batch: conv.batch,
            groups: conv.groups,
            channels: conv.inputs / conv.groups,
            outs: conv.outputs / conv.groups,
        }
    }

    /// From `y_bar` to `x_bar`.
    fn backward(conv: &Conv2d) -> Plan {
        Plan {
            grid: Grid::new(conv.output_size(), conv.padding.map(|p| 2 - p), conv.size, M),
            batch: conv.batch,
            groups: conv.groups,
            channels: conv.outputs / conv.groups,
            outs: conv.inputs / conv.groups,
        }
    }

    /// Rows of tiles of a block.
    fn block_rows(&self) -> usize {
        (BLOCK / self.grid.tiles[1]).max(1)
    }

    /// Elements of all channels of an image that is read, and of one that is written.
    fn image_lens(&self) -> [usize; 2] {
        let [source, target] = [self.grid.source, self.grid.target].map(|[height, width]| height * width);
        [self.groups * self.channels * source, self.groups * self.outs * target]
    }
}

/// Floats for which this way may be taken.
pub(crate) trait Minimal: Sized {
    /// Computes `y` if this way pays; says whether it does.
    fn minimal_forward(_level: Level, _conv: &Conv2d, _x: &[Self], _w: &[Self], _y: &mut [Self], _par: Par) -> bool {
        false
    }
    /// The same for `x_bar`.
    fn minimal_input_adjoint(
        _level: Level,
        _conv: &Conv2d,
        _w: &[Self],
        _y_bar: &[Self],
        _x_bar: &mut [Self],
        _par: Par,
    ) -> bool {
        false
    }
    /// The same for `w_bar`.
    fn minimal_weight_adjoint(
        _level: Level,
        _conv: &Conv2d,
        _x: &[Self],
        _y_bar: &[Self],
        _w_bar: &mut [Self],
        _par: Par,
    ) -> bool {
        false
    }
}

/// Nobody who asks for 53 bits wants to lose one.
impl Minimal for f64 {}

impl Minimal for f32 {
    fn minimal_forward(level: Level, conv: &Conv2d, x: &[f32], w: &[f32], y: &mut [f32], par: Par) -> bool {
        let pays = pays(conv);
        if pays {
            forward(level, conv, x, w, y, par);
        }
        pays
    }
    fn minimal_input_adjoint(
        level: Level,
        conv: &Conv2d,
        w: &[f32],
        y_bar: &[f32],
        x_bar: &mut [f32],
        par: Par,
    ) -> bool {
        let pays = pays(conv);
        if pays {
            input_adjoint(level, conv, w, y_bar, x_bar, par);
        }
        pays
    }
    fn minimal_weight_adjoint(
        level: Level,
        conv: &Conv2d,
        x: &[f32],
        y_bar: &[f32],
        w_bar: &mut [f32],
        par: Par,
    ) -> bool {
        let pays = pays(conv);
        if pays {
            weight_adjoint(level, conv, x, y_bar, w_bar, par);
        }
        pays
    }
}

/// Whether a convolution takes this way. Depends on the sizes only.
fn pays(conv: &Conv2d) -> bool {
    let tiles = |size: [usize; 2]| size[0].div_ceil(M) * size[1].div_ceil(M);
    let grids = [conv.output_size(), conv.size];
    !conv.strict
        && conv.kernel == [3, 3]
        && conv.stride == [1, 1]
        && conv.dilation == [1, 1]
        && conv.padding.iter().all(|&p| p <= 2)
        && conv.inputs.min(conv.outputs) >= CHANNELS * conv.groups
        // Tiles over the edge compute what nobody wants: at most a quarter of what is gained may go there.
        && grids.iter().all(|&size| conv.batch * tiles(size) >= TILES && 4 * POINTS * tiles(size) <= 3 * ENTRIES * size[0] * size[1])
}

/// Declares functions compiled for every level, their first argument.
macro_rules! levels {
    ($( $(#[$doc:meta])* fn $name:ident($($x:ident: $t:ty),* $(,)?) = $body:ident; )*) => { $(
        $(#[$doc])*
        fn $name(level: Level, $($x: $t),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($x: $t),*) {
                    // SAFETY: this function has the instructions.
                    unsafe { $body::<<f32 as VectorFloat>::Avx2>($($x),*) }
                }
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($x: $t),*) {
                    // SAFETY: as above.
                    unsafe { $body::<<f32 as VectorFloat>::Avx512>($($x),*) }
                }
                match level.min(simd_level()) {
                    // SAFETY: `simd_level` found these instructions.
                    Level::Avx512 => return unsafe { avx512($($x),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($x),*) },
                    Level::Portable => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = level;
            // SAFETY: plain arrays need no instructions.
            unsafe { $body::<<f32 as VectorFloat>::Portable>($($x),*) }
        }
    )* };
}

levels! {
    /// Transforms filters into a panel.
    fn pack_at(filters: &Filters<'_>, channels: usize, outs: [usize; 2], packed: &mut [f32]) = pack;
    /// Computes a piece.
    fn convolve_at(plan: &Plan, source: &[f32], packed: &[f32], piece: Piece<'_>) = convolve_piece;
    /// Computes the filters' cotangent of some output channels over some images.
    fn weight_at(plan: &Plan, x: &[f32], y_bar: &[f32], images: Images, outs: usize, w_bar: &mut [f32]) = weight_piece;
}

/// Computes `y` from `x` and `w`.
fn forward(level: Level, conv: &Conv2d, x: &[f32], w: &[f32], y: &mut [f32], par: Par) {
    let plan = Plan::forward(conv);
    convolve(level, &plan, x, Filters { w, strides: [plan.channels * ENTRIES, ENTRIES], turned: false }, y, par);
}

/// Computes `x_bar` from `w` and `y_bar`.
fn input_adjoint(level: Level, conv: &Conv2d, w: &[f32], y_bar: &[f32], x_bar: &mut [f32], par: Par) {
    let plan = Plan::backward(conv);
    convolve(level, &plan, y_bar, Filters { w, strides: [ENTRIES, plan.outs * ENTRIES], turned: true }, x_bar, par);
}

/// What one thread computes: some images with all their channels, or one image and some output channels of a group.
struct Piece<'a> {
    images: Range<usize>,
    /// Which of all groups' output channels.
    outs: Range<usize>,
    /// `[images, outs, height, width]`.
    target: &'a mut [f32],
}

fn convolve(level: Level, plan: &Plan, source: &[f32], filters: Filters<'_>, target: &mut [f32], par: Par) {
    let Plan { groups, channels, outs, .. } = *plan;
    let height = panel_height(level, outs);
    let of_group = padded(outs, height) * channels * POINTS;
    let mut scratch = Scratch::take::<f32>(groups * of_group);
    // SAFETY: the scratch holds so many elements, and floats may have any bits.
    let packed = unsafe { core::slice::from_raw_parts_mut(scratch.start::<f32>(), groups * of_group) };
    let panels: Vec<_> = packed
        .chunks_mut(of_group)
        .enumerate()
        .flat_map(|(group, packed)| {
            let filters = Filters { w: &filters.w[group * channels * outs * ENTRIES..], ..filters };
            let panels = packed.chunks_mut(height * channels * POINTS).enumerate();
            panels.map(move |(i, panel)| (filters, i * height, panel))
        })
        .collect();
    par.for_each(panels.into_iter(), |(filters, first, panel)| {
        pack_at(level, &filters, channels, [first, outs], panel);
    });
    let packed = &*packed;

    // Where the work is cut changes no bit, so it may depend on the threads. Few images are cut by output channels, at the
    // price of transforming them for each piece; a piece keeps some.
    let [_, image_len] = plan.image_lens();
    let plane = image_len / (groups * outs);
    let pieces: Vec<Piece<'_>> = if par == Par::SEQUENTIAL || plan.batch >= PIECES {
        let images = if par == Par::SEQUENTIAL { plan.batch } else { plan.batch.div_ceil(PIECES) };
        let pieces = target.chunks_mut(images * image_len).enumerate();
        pieces
            .map(|(i, target)| {
                let first = i * images;
                Piece { images: first..first + target.len() / image_len, outs: 0..groups * outs, target }
            })
            .collect()
    } else {
        let of_piece = outs.div_ceil(PIECES.div_ceil(plan.batch * groups)).max(28.min(outs)).next_multiple_of(height);
        let parts = target.chunks_mut(outs * plane).enumerate();
        parts
            .flat_map(|(i, target)| {
                let (image, start) = (i / groups, i % groups * outs);
                target.chunks_mut(of_piece * plane).enumerate().map(move |(j, target)| {
                    let first = start + j * of_piece;
                    Piece { images: image..image + 1, outs: first..first + target.len() / plane, target }
                })
            })
            .collect()
    };
    par.for_each(pieces.into_iter(), |piece| convolve_at(level, plan, source, packed, piece));
}

/// Rows of the panels the filters are packed in.
fn panel_height(level: Level, outs: usize) -> usize {
    super::product::panel_height::<f32>(level, outs)
}

#[inline(always)]
unsafe fn pack<V: Weave<Element = f32>>(
    filters: &Filters<'_>,
    channels: usize,
    outs: [usize; 2],
    packed: &mut [f32],
) {
    // SAFETY: passed on.
    unsafe { filters::pack::<V, T>(filters, channels, outs, packed) }
}

/// Computes a piece.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn convolve_piece<V: Weave<Element = f32>>(plan: &Plan, source: &[f32], packed: &[f32], piece: Piece<'_>) {
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
    let mut scratch = Scratch::take::<f32>(planes_len + POINTS * (point + product_point));
    let start = scratch.start::<f32>();
    // SAFETY: the scratch is the planes, the transformed tiles, the products.
    let (planes, points, products) = unsafe {
        let points = start.add(planes_len);
        (
            Planes::new::<V>(&grid, block_rows, start),
            Points { start: points, point, channel },
            Points { start: points.add(POINTS * point), point: product_point, channel: product_channel },
        )
    };
    let offsets: Vec<usize> = (0..channels).map(|c| c * channel).collect();

    for group in piece.outs.start / outs..piece.outs.end.div_ceil(outs) {
        let wanted = piece.outs.start.max(group * outs)..piece.outs.end.min((group + 1) * outs);
        let first_out = wanted.start - group * outs;
        assert!(first_out.is_multiple_of(height), "a piece begins with a panel");
        let packed = &packed[group * of_group + first_out * channels * POINTS..];
        let source = &source[piece.images.start * source_len + group * channels * grid.source[0] * grid.source[1]..];
        let target = &mut piece.target[(wanted.start - piece.outs.start) * plane..];
        let rows = piece.images.len() * grid.tiles[0];
        for first in (0..rows).step_by(block_rows) {
            let block = first..(first + block_rows).min(rows);
            let tiles = block.len() * grid.tiles[1];
            // SAFETY: the rooms were measured for so many rows.
            unsafe {
                tiles::transform::<V, M, T>(&grid, (source, source_len), channels, block.clone(), &planes, points);
                multiply::<V>(packed, &offsets, [wanted.len(), height], tiles, points, products);
                tiles::untransform::<V, M, T>(&grid, products, wanted.len(), block, (target, piece_len));
            }
        }
    }
}

/// Multiplies packed filters with transformed tiles, point by point, and sums over the channels, whose `offsets` are given.
///
/// # Safety
/// As for [`Vector`]. The points must have room for the tiles in whole vectors.
#[inline(always)]
unsafe fn multiply<V: Weave<Element = f32>>(
    packed: &[f32],
    offsets: &[usize],
    [outs, height]: [usize; 2],
    tiles: usize,
    points: Points,
    products: Points,
) {
    let channels = offsets.len();
    let (rest, kept_outs) = (even(outs % height), padded(outs, height));
    assert!(packed.len() >= kept_outs * channels * POINTS, "the filters of a group are packed whole");
    for point in 0..POINTS {
        for (block, offsets) in offsets.chunks(INNER).enumerate() {
            for tile in (0..tiles).step_by(2 * V::LANES) {
                let mut out = 0;
                while out < kept_outs {
                    let rows = if kept_outs - out >= height { height } else { rest };
                    let panel = out * POINTS + point * rows;
                    // SAFETY: the panels were just checked; the points have room by the contract above.
                    unsafe {
                        let t = Tile {
                            filters: packed.as_ptr().add(panel * channels + block * INNER * rows),
                            planes: points.start.add(point * points.point + tile),
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

/// Computes `w_bar` from `x` and `y_bar`.
fn weight_adjoint(level: Level, conv: &Conv2d, x: &[f32], y_bar: &[f32], w_bar: &mut [f32], par: Par) {
    let plan = Plan::forward(conv);
    let Plan { batch, groups, channels, outs, grid } = plan;
    // Images are summed in parts, the parts in their order: how many there are depends on the sizes only. A part is worth
    // the transform of its sums.
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
        weight_at(level, &plan, x, y_bar, images, first, w_bar);
    });
    for part in others.chunks(all) {
        f32::add_assign_at(level, w_bar, part);
    }
}

/// Tiles of a part of the images whose sums are transformed back together, about.
const PART: usize = 1024;

#[inline(always)]
unsafe fn weight_piece<V: Weave<Element = f32>>(
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
        if V::TILE_ROWS >= 14 {
            sum_tiles::<V, 8>(plan, x, y_bar, images, first, w_bar);
        } else {
            sum_tiles::<V, 4>(plan, x, y_bar, images, first, w_bar);
        }
    }
}

/// Computes the filters' cotangent of the output channels from `first` on over some images, with tiles of `ROWS` rows.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn sum_tiles<V: Weave<Element = f32>, const ROWS: usize>(
    plan: &Plan,
    x: &[f32],
    y_bar: &[f32],
    images: Images,
    first: usize,
    w_bar: &mut [f32],
) {
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
    let turned_len = tiles::turned_len::<V, M>(&grid).next_multiple_of(16);
    let sums_len = POINTS * out_blocks * sums_point;
    let mut scratch =
        Scratch::take::<f32>(sums_len + POINTS * (point + turned_point) + turned_len + planes_len);
    let sums = scratch.start::<f32>();
    // SAFETY: the scratch is the sums, both operands' transforms, the turned pixels and the planes.
    let (planes, points, turned, turned_points) = unsafe {
        let points = sums.add(sums_len);
        let turned_points = points.add(POINTS * point);
        let turned = turned_points.add(POINTS * turned_point);
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
                for p in 0..POINTS {
                    let x = points.start.add(p * point);
                    let y_bar = turned_points.start.add(p * turned_point);
                    let sums = sums.add((out_block * POINTS + p) * sums_point);
                    for (i, offsets) in offsets.iter().enumerate() {
                        weight::tile::<V, ROWS>(x, offsets, 0, [1, tiles], y_bar, sums.add(i * ROWS * across));
                    }
                }
            }
        }
    }
    for (out_block, w_bar) in w_bar.chunks_mut(across * channels * ENTRIES).enumerate() {
        // SAFETY: the sums of a block.
        unsafe { filters::unpack::<V, T>(sums.add(out_block * POINTS * sums_point), sums_point, channels, w_bar) }
    }
}
