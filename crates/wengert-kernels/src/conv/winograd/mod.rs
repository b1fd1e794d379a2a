//! Convolution by minimal filtering: fewer products for the same sums.
//!
//! A tile of 2 x 2 results of a 3 x 3 filter takes 36 products; the algorithm `F(2 x 2, 3 x 3)` takes 16, and
//! additions. The tile's 4 x 4 pixels and the filter are transformed, multiplied point by point and summed over
//! channels, and the sums transformed back (`transform`; Winograd 1980, "Arithmetic Complexity of Computations"; Lavin
//! & Gray 2016, "Fast Algorithms for Convolutional Neural Networks"). Since each point is a sum over channels of its
//! own, the products of all tiles at a point are a matrix product: the direct convolution's micro-kernels with a single
//! tap.
//!
//! The adjoint for the images is the same with filters turned around (`convolve`); that for the filters multiplies
//! transformed images with transformed cotangents, tiles being the inner dimension, and transforms the sums back once
//! (`weight`).
//!
//! # How exact
//!
//! Errors over the root mean square of the result, in the root mean square and the largest, operands uniform in -1..1:
//!
//! | | direct | [`Tiles2`](Algorithm::Tiles2) | [`Tiles4`](Algorithm::Tiles4) |
//! |---|---|---|---|
//! | `y`, 64 channels, 56 x 56 | 2.7e-7, 2.9e-6 | 2.6e-7, 2.0e-6 | 8.3e-7, 8.4e-6 |
//! | `y`, 384 channels, 13 x 13 | 2.9e-7, 1.7e-6 | 2.7e-7, 1.4e-6 | - |
//! | `w_bar`, 64 channels, 4 images of 56 x 56 | 2.8e-7, 1.3e-6 | 3.5e-7, 1.8e-6 | 8.8e-7, 4.6e-6 |
//! | `w_bar`, 32 channels, 5 images of 7 x 7 | 1.3e-7 | 2.7e-7 | - |
//!
//! With the points of `F(2, 3)` a result takes in products of its own window's pixels only: zeros give exact zeros, a
//! NaN reaches the windows it lies in and no others, and errors are relative to a window's own numbers. Only an
//! infinity may arrive as NaN, being both added and subtracted. With `F(4, 3)` all this holds for what a tile reads and
//! no longer for a window. Tiles over an edge read zeros, never a neighbouring plane.

#![expect(unsafe_code, reason = "vector loads and stores in rooms whose sizes are computed here")]

mod convolve;
mod filters;
mod tiles;
mod transform;
mod weave;
mod weight;

use super::target::Target;
use super::weight::Images;
use super::{Algorithm, Conv2d};
use crate::Par;
use crate::dispatch::{Level, simd_level};
use crate::matmul::vector::VectorFloat;
use convolve::{Piece, convolve, convolve_piece, pack};
use filters::{ENTRIES, Filters};
use tiles::Grid;
use weight::{weight_adjoint, weight_piece};

#[cfg(test)]
mod tests;

/// Channels of a group, in and out, from which the transforms pay.
const CHANNELS: usize = 32;
/// Columns of tiles from which large tiles pay: narrower ones leave most lanes of the transforms empty.
const LARGE_COLUMNS: usize = 7;
/// Channels in times out up to which large tiles pay: beyond, their transformed filters no longer fit a cache.
const LARGE_FILTERS: usize = 1 << 14;
/// Tiles from which the transform of the filters pays.
const TILES: usize = 64;
/// Tiles of a block: four tile rows of images 56 wide, whose transforms, 64 channels in and out, take 1.2 MB of a 2 MB
/// cache.
const BLOCK: usize = 112;
/// A convolution of tiles.
#[derive(Clone, Copy)]
struct Plan {
    /// Results of a tile along an axis: 2 or 4.
    m: usize,
    grid: Grid,
    batch: usize,
    groups: usize,
    /// Channels that are read and written, of a group.
    channels: usize,
    outs: usize,
}

impl Plan {
    /// From `x` to `y`, if this way pays.
    fn forward(level: Level, conv: &Conv2d) -> Option<Plan> {
        let m = tile(level, conv)?;
        Some(Plan {
            m,
            grid: Grid::new(conv.size, conv.padding, conv.output_size(), m),
            batch: conv.batch,
            groups: conv.groups,
            channels: conv.inputs / conv.groups,
            outs: conv.outputs / conv.groups,
        })
    }

    /// From `y_bar` to `x_bar`, if this way pays.
    fn backward(level: Level, conv: &Conv2d) -> Option<Plan> {
        let m = tile(level, conv)?;
        Some(Plan {
            m,
            grid: Grid::new(conv.output_size(), conv.padding.map(|p| 2 - p), conv.size, m),
            batch: conv.batch,
            groups: conv.groups,
            channels: conv.outputs / conv.groups,
            outs: conv.inputs / conv.groups,
        })
    }

    /// Products of a tile.
    fn points(&self) -> usize {
        (self.m + 2) * (self.m + 2)
    }

    /// Rows of tiles of a block.
    fn block_rows(&self) -> usize {
        let tiles = if self.m == 2 { BLOCK } else { BLOCK / 2 };
        (tiles / self.grid.tiles[1]).max(1)
    }

    /// Elements of all channels of an image that is read, and of one that is written.
    fn image_lens(&self) -> [usize; 2] {
        let [source, target] = [self.grid.source, self.grid.target].map(|[height, width]| height * width);
        [self.groups * self.channels * source, self.groups * self.outs * target]
    }
}

/// The results of a tile along an axis with which a convolution takes this way, if it does. Never depends on the
/// threads.
fn tile(level: Level, conv: &Conv2d) -> Option<usize> {
    let fits = conv.kernel == [3, 3]
        && conv.stride == [1, 1]
        && conv.dilation == [1, 1]
        && conv.padding.iter().all(|&p| p <= 2)
        && conv.inputs.min(conv.outputs) >= CHANNELS * conv.groups;
    if !fits || conv.algorithm == Algorithm::Direct {
        return None;
    }
    // Products for a channel of an image that is read and one that is written, both ways.
    let sizes = [conv.output_size(), conv.size];
    let tiles = |m: usize| sizes.map(|[height, width]| height.div_ceil(m) * width.div_ceil(m));
    let products = |m: usize| tiles(m).map(|tiles| tiles * (m + 2) * (m + 2)).iter().sum::<usize>();
    let direct = sizes.map(|[height, width]| ENTRIES * height * width).iter().sum::<usize>();
    // Tiles over an edge compute what nobody wants: a quarter fewer products must be left to pay for the transforms.
    let pays = |m: usize| tiles(m).iter().all(|tiles| conv.batch * tiles >= TILES) && 4 * products(m) <= 3 * direct;
    // Processors of x86-64 without vectors of eight are few and small: for them it is not compiled.
    let level = level.min(simd_level());
    if cfg!(target_arch = "x86_64") && level == Level::Portable {
        return None;
    }
    // Without such vectors the many sums of large tiles are not compiled: they cost a build more than they give.
    let large = conv.algorithm == Algorithm::Tiles4
        && level > Level::Portable
        && sizes.iter().all(|size| size[1].div_ceil(4) >= LARGE_COLUMNS)
        && (conv.inputs / conv.groups) * (conv.outputs / conv.groups) <= LARGE_FILTERS
        && pays(4)
        && products(4) < products(2);
    if large { Some(4) } else { pays(2).then_some(2) }
}

/// Floats for which this way may be taken.
pub(crate) trait Minimal: Sized {
    /// Computes `y` if this way pays; says whether it does.
    fn minimal_forward(
        _level: Level,
        _conv: &Conv2d,
        _x: &[Self],
        _w: &[Self],
        _bias: Option<&[Self]>,
        _y: &mut Target<'_, Self>,
        _par: Par,
    ) -> bool {
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
    fn minimal_forward(
        level: Level,
        conv: &Conv2d,
        x: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        y: &mut Target<'_, f32>,
        par: Par,
    ) -> bool {
        let Some(plan) = Plan::forward(level, conv) else { return false };
        let filters = Filters { w, strides: [plan.channels * ENTRIES, ENTRIES], turned: false };
        convolve(level, &plan, x, filters, bias, y.borrow(), par);
        true
    }
    fn minimal_input_adjoint(
        level: Level,
        conv: &Conv2d,
        w: &[f32],
        y_bar: &[f32],
        x_bar: &mut [f32],
        par: Par,
    ) -> bool {
        let Some(plan) = Plan::backward(level, conv) else { return false };
        let filters = Filters { w, strides: [ENTRIES, plan.outs * ENTRIES], turned: true };
        let x_bar = Target::Whole { plane: conv.size[0] * conv.size[1], y: x_bar };
        convolve(level, &plan, y_bar, filters, None, x_bar, par);
        true
    }
    fn minimal_weight_adjoint(
        level: Level,
        conv: &Conv2d,
        x: &[f32],
        y_bar: &[f32],
        w_bar: &mut [f32],
        par: Par,
    ) -> bool {
        let Some(plan) = Plan::forward(level, conv) else { return false };
        weight_adjoint(level, &plan, x, y_bar, w_bar, par);
        true
    }
}

/// Declares functions compiled for every level that [`tile`] allows, their first argument.
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
                    Level::Avx512 => unsafe { avx512($($x),*) },
                    // SAFETY: as above.
                    Level::Avx2 => unsafe { avx2($($x),*) },
                    Level::Portable => unreachable!("`tile` allows no other level"),
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = level;
                // SAFETY: plain arrays need no instructions.
                unsafe { $body::<<f32 as VectorFloat>::Portable>($($x),*) }
            }
        }
    )* };
}

levels! {
    /// Transforms filters into a panel.
    fn pack_at(plan: &Plan, filters: &Filters<'_>, outs: [usize; 2], packed: &mut [f32]) = pack;
    /// Computes a piece.
    fn convolve_at(plan: &Plan, source: &[f32], packed: &[f32], piece: Piece<'_>) = convolve_piece;
    /// Computes the filters' cotangent of some output channels over some images.
    fn weight_at(plan: &Plan, x: &[f32], y_bar: &[f32], images: Images, outs: usize, w_bar: &mut [f32]) = weight_piece;
}
