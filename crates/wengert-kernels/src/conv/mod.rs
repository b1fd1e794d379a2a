//! Convolution in two dimensions and its two adjoints.
//!
//! With `x: [n, c, h, w]`, filters `w: [o, c / groups, kh, kw]` and `y: [n, o, oh, ow]`,
//!
//! `y[n, o, r, q] = sum over c, i, j of w[o, c, i, j] x[n, c, r s + i d - p, q s + j d - p]`
//!
//! with stride `s`, dilation `d`, padding `p`, and `x` zero outside its planes. (It is a correlation: the filter is not
//! turned around. All frameworks call it convolution.) The three functions here are the three derivatives of one form,
//! linear in each of `x`, `w` and `y_bar`: `<y_bar, conv(x, w)>`. So the derivative of each is made of the other two.
//!
//! # How
//!
//! An image is copied once into *planes*, with the zeros of the padding around it and, for a stride, its rows and
//! columns sorted by their remainder, so that neighbours in the result are neighbours in each plane. Then the
//! convolution is a matrix product whose right operand has no memory of its own: row `(c, i, j)` of it is plane `c`
//! from an offset on, and a list of offsets takes the place of a stride. No matrix of patches ("im2col") is ever made;
//! that would be `kh kw` times the image. The columns between the end of one row of pixels and the start of the next
//! are computed too and thrown away: 4 % of a plane 56 wide, 22 % of one 7 wide.
//! Where they cost more than copies do, every column of the filter has a plane of its own, as wide as the result, and
//! there are none.
//!
//! The adjoint for `x` is the same pass over `y_bar`, once for each remainder of the stride (`pass.rs`); that for `w`
//! has pixels as the inner dimension (`weight`).
//!
//! Convolutions of `f32` with many channels and filters of 3 x 3 take fewer products than that ([`Algorithm`],
//! `winograd`).

pub(crate) mod pass;
pub(crate) mod pooled;
pub(crate) mod product;
pub(crate) mod target;
#[cfg(test)]
mod tests;
pub(crate) mod weight;
pub(crate) mod winograd;

use crate::dispatch::{Level, simd_level};
use crate::pool::Pool2d;
use crate::scratch::Scratch;
use crate::{Float, Par};
use pass::{Axis, Pass};
pub use pooled::{conv2d_pooled_input_adjoint, conv2d_pooled_weight_adjoint, pooled_adjoints_pay};
use product::Part;
use target::Target;
use weight::Images;

/// Operations below which a convolution stays on one thread.
const PARALLEL: usize = 1 << 21;
/// Into how many pieces the work is cut at least, where the sizes allow it.
const PIECES: usize = 8;

/// The sizes of a convolution, and where its windows lie. Pairs are `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Images.
    pub batch: usize,
    /// Channels of `x`, a multiple of `groups`.
    pub inputs: usize,
    /// Channels of `y`, a multiple of `groups`.
    pub outputs: usize,
    /// Height and width of `x`.
    pub size: [usize; 2],
    /// Height and width of the filters, at least 1.
    pub kernel: [usize; 2],
    /// Distance between windows, at least 1.
    pub stride: [usize; 2],
    /// Zeros around `x` on every side.
    pub padding: [usize; 2],
    /// Distance between the entries of a window, at least 1.
    pub dilation: [usize; 2],
    /// Channels are cut into so many groups, and the outputs of a group see its inputs only; at least 1.
    pub groups: usize,
    /// How the sums are computed.
    pub algorithm: Algorithm,
}

/// How a convolution is computed.
///
/// The other two than [`Direct`](Algorithm::Direct) take fewer products and more additions (Winograd 1980; Lavin & Gray
/// 2016) for `f32`, filters of 3 x 3, stride and dilation 1, padding up to 2 and 32 or more channels in and out of a
/// group, where the images are large enough; all else, `f64`, and everything on an x86-64 processor without AVX2, is
/// summed directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// Every result is the sum of its products.
    Direct,
    /// Tiles of 2 x 2 results: 16 products for 36.
    ///
    /// As accurate as the direct sum; the filters' adjoint has 1.3 times its error where thousands of products are
    /// summed, and up to 2.5 times it where hundreds are. Results depend on their own windows only. An infinity may
    /// arrive as NaN, and so may numbers beyond a quarter of the largest float: they are added up before they are
    /// multiplied.
    #[default]
    Tiles2,
    /// Tiles of 4 x 4 results: 36 products for 144, for wide images and up to 128 channels.
    ///
    /// Three times the error of the direct sum, relative to the largest numbers a tile reads; a NaN there reaches all
    /// its results. Elsewhere as `Tiles2`.
    Tiles4,
}

impl Conv2d {
    /// Height and width of `y`: `(h + 2 p - d (kh - 1) - 1) / s + 1`, and 0 where no window fits.
    ///
    /// # Examples
    /// ```
    /// use wengert_kernels::conv::{Algorithm, Conv2d};
    ///
    /// let conv = Conv2d {
    ///     batch: 1, inputs: 3, outputs: 64, size: [224, 224], kernel: [7, 7],
    ///     stride: [2, 2], padding: [3, 3], dilation: [1, 1], groups: 1, algorithm: Algorithm::Tiles2,
    /// };
    /// assert_eq!(conv.output_size(), [112, 112]);
    /// ```
    #[must_use]
    pub fn output_size(&self) -> [usize; 2] {
        core::array::from_fn(|axis| {
            let span = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (self.size[axis] + 2 * self.padding[axis]).checked_sub(span).map_or(0, |room| room / self.stride[axis] + 1)
        })
    }

    /// Elements of `x`, `w` and `y`.
    fn lengths(&self) -> [usize; 3] {
        // Of nothing the other sizes may be any, and their product need not fit.
        let product = |sizes: [usize; 4]| if sizes.contains(&0) { 0 } else { sizes.iter().product() };
        let ([height, width], [rows, columns]) = (self.size, self.output_size());
        [
            product([self.batch, self.inputs, height, width]),
            product([self.outputs, self.inputs / self.groups, self.kernel[0], self.kernel[1]]),
            product([self.batch, self.outputs, rows, columns]),
        ]
    }

    /// Elements of one filter.
    fn filter(&self) -> usize {
        self.inputs / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Whether an image with the zeros around it can be addressed. The kernels' unsafe code relies on it: none of the
    /// room it takes has more than 48 elements for each of these, however windows lie.
    fn is_addressable(&self) -> bool {
        let span = |axis: usize| self.dilation[axis].checked_mul(self.kernel[axis].checked_sub(1)?)?.checked_add(1);
        let padded = |axis: usize| self.padding[axis].checked_mul(2)?.checked_add(self.size[axis]);
        let channels = self.inputs.max(self.outputs) / self.groups;
        let elements = || padded(0)?.checked_mul(padded(1)?)?.checked_mul(channels)?.checked_mul(48 * size_of::<f64>());
        span(0).is_some() && span(1).is_some() && elements().is_some_and(|bytes| bytes <= isize::MAX as usize)
    }

    /// That operands have their lengths, `y` being that of the result.
    fn assert_holds<F>(&self, x: &[F], w: &[F], y: usize) {
        assert!(
            self.inputs.is_multiple_of(self.groups) && self.outputs.is_multiple_of(self.groups),
            "{self:?} cuts channels unevenly"
        );
        assert!(
            x.is_empty() || w.is_empty() || y == 0 || self.is_addressable(),
            "{self:?}: images with their padding have more elements than memory can address"
        );
        assert_eq!([x.len(), w.len(), y], self.lengths(), "the operands of {self:?} have other lengths");
    }

    /// The same for a pooled result and its places, which are of any number.
    fn assert_holds_pooled<F>(&self, x: &[F], w: &[F], y: &[F], at: &[u32]) {
        assert!(
            self.inputs.is_multiple_of(self.groups) && self.outputs.is_multiple_of(self.groups),
            "{self:?} cuts channels unevenly"
        );
        let [x_len, w_len, _] = self.lengths();
        assert_eq!([x.len(), w.len()], [x_len, w_len], "the operands of {self:?} have other lengths");
        let planes = self.batch * self.outputs;
        assert!(
            y.is_empty() || y.len().is_multiple_of(planes) && at.len() == y.len(),
            "{self:?}: pooled planes of one size have a place for each result"
        );
        let empty = x.is_empty() || w.is_empty() || y.is_empty();
        assert!(empty || pooled::rows_are_numbered(self), "{self:?}: pixels are numbered with 32 bits");
    }

    /// The threads worth waking.
    fn par(&self, par: Par) -> Par {
        let work = self.lengths()[2].saturating_mul(2 * self.filter());
        if work < PARALLEL { Par::SEQUENTIAL } else { par }
    }

    /// The pass that computes `y` from `x`.
    fn forward(&self) -> Pass {
        let output = self.output_size();
        let axes = [0, 1].map(|a| {
            Axis::forward(self.size[a], output[a], self.kernel[a], self.stride[a], self.padding[a], self.dilation[a])
        });
        Pass::new(axes, self.kernel, self.inputs / self.groups, self.outputs / self.groups)
    }

    /// The passes that compute `x_bar` from `y_bar`, one for each remainder of the stride.
    fn backward(&self) -> impl Iterator<Item = Pass> {
        let output = self.output_size();
        let axis = move |a: usize, phase| {
            let (size, stride) = (self.size[a], self.stride[a]);
            Axis::backward(size, output[a], self.kernel[a], stride, self.padding[a], self.dilation[a], phase)
        };
        // A stride larger than the image leaves remainders that no pixel has.
        let phases = [0, 1].map(|axis| self.stride[axis].min(self.size[axis]));
        (0..phases[0]).flat_map(move |row| {
            (0..phases[1]).map(move |column| {
                let axes = [axis(0, row), axis(1, column)];
                Pass::new(axes, self.kernel, self.outputs / self.groups, self.inputs / self.groups)
            })
        })
    }
}

/// Convolves `x` with the filters `w`.
///
/// # Panics
/// When a slice does not have the length `conv` says, `groups` does not divide the channels, or an image with its
/// padding has more elements than memory can address.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, conv::{Algorithm, Conv2d, conv2d}};
///
/// let conv = Conv2d {
///     batch: 1, inputs: 1, outputs: 1, size: [2, 3], kernel: [1, 2],
///     stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, algorithm: Algorithm::Tiles2,
/// };
/// let mut y = [0.0; 4];
/// conv2d(&conv, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], &[-1.0, 1.0], &mut y, Par::current());
/// assert_eq!(y, [1.0, 2.0, 8.0, 16.0]);
/// ```
pub fn conv2d<F: Float>(conv: &Conv2d, x: &[F], w: &[F], y: &mut [F], par: Par) {
    conv2d_at(simd_level(), conv, x, w, None, whole(conv, y), par);
}

/// [`conv2d`], and to every plane of `y` the number added that `bias` has for its channel: while the plane is in a
/// cache.
///
/// The same to the bit as the addition afterwards.
///
/// # Panics
/// As [`conv2d`], and when `bias` has not a number for each output channel.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, conv::{Algorithm, Conv2d, conv2d_with_bias}};
///
/// let conv = Conv2d {
///     batch: 1, inputs: 1, outputs: 1, size: [2, 3], kernel: [1, 2],
///     stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, algorithm: Algorithm::Tiles2,
/// };
/// let mut y = [0.0; 4];
/// conv2d_with_bias(&conv, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], &[-1.0, 1.0], &[0.5], &mut y, Par::current());
/// assert_eq!(y, [1.5, 2.5, 8.5, 16.5]);
/// ```
pub fn conv2d_with_bias<F: Float>(conv: &Conv2d, x: &[F], w: &[F], bias: &[F], y: &mut [F], par: Par) {
    conv2d_at(simd_level(), conv, x, w, Some(bias), whole(conv, y), par);
}

/// [`conv2d_with_bias`] and then [`max_pool2d`](crate::pool::max_pool2d) of its planes, while they are in a cache: they
/// are not kept. The same to the bit.
///
/// # Panics
/// As those two, and when the pooling is of planes of another size.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, conv::{Algorithm, Conv2d, conv2d_max_pool2d}, pool::Pool2d};
///
/// let conv = Conv2d {
///     batch: 1, inputs: 1, outputs: 1, size: [2, 3], kernel: [1, 2],
///     stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, algorithm: Algorithm::Tiles2,
/// };
/// let pool = Pool2d { size: [2, 2], kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
/// let (mut y, mut at) = ([0.0], [0]);
/// let x = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// conv2d_max_pool2d(&conv, &pool, &x, &[-1.0, 1.0], &[0.5], (&mut y, &mut at), Par::current());
/// assert_eq!((y, at), ([16.5], [3])); // of 1.5, 2.5, 8.5, 16.5
/// ```
pub fn conv2d_max_pool2d<F: Float>(
    conv: &Conv2d,
    pool: &Pool2d,
    x: &[F],
    w: &[F],
    bias: &[F],
    (y, at): (&mut [F], &mut [u32]),
    par: Par,
) {
    assert_eq!(pool.size, conv.output_size(), "a pooling of other planes than {conv:?} has");
    if !pool.assert_finds_places(conv.lengths()[2], y.len(), at.len()) {
        return;
    }
    conv2d_at(simd_level(), conv, x, w, Some(bias), Target::Pooled { pool, spans: &pool.spans(), y, at }, par);
}

/// The adjoint for `x`: what `y_bar` weighs every element of `x` with.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_input_adjoint<F: Float>(conv: &Conv2d, w: &[F], y_bar: &[F], x_bar: &mut [F], par: Par) {
    conv2d_input_adjoint_at(simd_level(), conv, w, y_bar, x_bar, par);
}

/// The adjoint for `w`: what `y_bar` weighs every element of the filters with, summed over images and windows.
///
/// # Panics
/// As [`conv2d`].
pub fn conv2d_weight_adjoint<F: Float>(conv: &Conv2d, x: &[F], y_bar: &[F], w_bar: &mut [F], par: Par) {
    conv2d_weight_adjoint_at(simd_level(), conv, x, y_bar, w_bar, par);
}

fn conv2d_at<F: Float>(
    level: Level,
    conv: &Conv2d,
    x: &[F],
    w: &[F],
    bias: Option<&[F]>,
    mut y: Target<'_, F>,
    par: Par,
) {
    conv.assert_holds(x, w, y.elements());
    assert!(
        bias.is_none_or(|bias| bias.len() == conv.outputs),
        "{conv:?}: a bias has a number for each output channel"
    );
    if y.elements() == 0 {
        return;
    }
    if x.is_empty() || w.is_empty() {
        for image in y.cut(conv.outputs) {
            image.write(level, |y| {
                y.fill(F::ZERO);
                add_bias(bias.unwrap_or_default(), y);
            });
        }
        return;
    }
    let par = conv.par(par);
    if F::minimal_forward(level, conv, x, w, bias, &mut y, par) {
        return;
    }
    let filter = conv.filter();
    let weights = Filters {
        w,
        of_group: conv.outputs / conv.groups * filter,
        strides: [filter, conv.kernel[0] * conv.kernel[1]],
    };
    run(level, conv, &[conv.forward()], x, &weights, bias, y, conv.output_size(), par);
}

/// The planes of a result.
fn whole<'a, F>(conv: &Conv2d, y: &'a mut [F]) -> Target<'a, F> {
    Target::Whole { plane: conv.output_size().iter().product(), y }
}

/// Adds to each of the planes `y` its number, if there are numbers.
fn add_bias<F: Float>(bias: &[F], y: &mut [F]) {
    let plane = y.len() / bias.len().max(1);
    for (y, &bias) in y.chunks_exact_mut(plane).zip(bias) {
        y.iter_mut().for_each(|y| *y += bias);
    }
}

fn conv2d_input_adjoint_at<F: Float>(level: Level, conv: &Conv2d, w: &[F], y_bar: &[F], x_bar: &mut [F], par: Par) {
    conv.assert_holds(x_bar, w, y_bar.len());
    if x_bar.is_empty() || w.is_empty() || y_bar.is_empty() {
        return x_bar.fill(F::ZERO);
    }
    let par = conv.par(par);
    if F::minimal_input_adjoint(level, conv, w, y_bar, x_bar, par) {
        return;
    }
    let passes: Vec<Pass> = conv.backward().collect();
    if passes.iter().any(|pass| pass.inner() == 0) {
        // Windows with gaps between them: what no window reaches is written by no pass.
        x_bar.fill(F::ZERO);
    }
    let filter = conv.filter();
    let weights = Filters {
        w,
        of_group: conv.outputs / conv.groups * filter,
        strides: [conv.kernel[0] * conv.kernel[1], filter],
    };
    let x_bar = Target::Whole { plane: conv.size[0] * conv.size[1], y: x_bar };
    run(level, conv, &passes, y_bar, &weights, None, x_bar, conv.size, par);
}

/// Filters, and how far apart two of one group lie along the outputs and along the channels of a pass.
struct Filters<'a, F> {
    w: &'a [F],
    of_group: usize,
    strides: [usize; 2],
}

/// Runs passes from `source` to `target`, whose planes have `size`, and adds the bias.
#[expect(clippy::too_many_arguments, reason = "the operands of a convolution")]
fn run<F: Float>(
    level: Level,
    conv: &Conv2d,
    passes: &[Pass],
    source: &[F],
    filters: &Filters<'_, F>,
    bias: Option<&[F]>,
    mut target: Target<'_, F>,
    size: [usize; 2],
    par: Par,
) {
    let images = conv.batch * conv.groups;
    let outs = passes[0].outs;
    let height = product::panel_height::<F>(level, outs);
    // Few images are cut by output channels, at the price of copying their planes for each piece; a piece keeps some.
    // Where they are cut changes no bit, so it may depend on the threads.
    let pieces = if par == Par::SEQUENTIAL { 1 } else { PIECES.div_ceil(images) };
    let outs_of_piece = outs.div_ceil(pieces).max(outs.min(28)).next_multiple_of(height);
    for pass in passes.iter().filter(|pass| pass.inner() > 0 && pass.results() > 0) {
        let packed_len = product::padded(outs, height) * pass.inner();
        let mut scratch = Scratch::take::<F>(conv.groups * packed_len);
        let packed = scratch.elements_mut::<F>(conv.groups * packed_len);
        let panels = packed.chunks_mut(packed_len).enumerate().flat_map(|(group, packed)| {
            let panels = packed.chunks_mut(height * pass.inner()).enumerate();
            panels.map(move |(i, panel)| (&filters.w[group * filters.of_group..], i * height, panel))
        });
        let panels: Vec<_> = panels.collect();
        par.for_each(panels.into_iter(), |(w, first, panel)| {
            F::conv_pack_at(level, pass, w, filters.strides, first, panel);
        });
        let packed = &*packed;
        let source_len = source.len() / images;
        let pieces: Vec<_> = target
            .borrow()
            .cut(outs)
            .into_iter()
            .enumerate()
            .flat_map(|(image, target)| {
                let parts = target.cut(outs_of_piece).into_iter().enumerate();
                parts.map(move |(i, part)| (image, i * outs_of_piece, part))
            })
            .collect();
        par.for_each(pieces.into_iter(), |(image, first, target)| {
            let outs = first..first + target.planes();
            let panels = first * pass.inner()..product::padded(outs.end, height) * pass.inner();
            let packed = &packed[image % conv.groups * packed_len..][panels];
            target.write(level, |target| {
                let part = Part { target: &mut *target, outs: outs.clone(), size };
                F::conv_product_at(level, pass, &source[image * source_len..][..source_len], packed, part);
                if let Some(bias) = bias {
                    add_bias(&bias[image % conv.groups * pass.outs..][outs], target);
                }
            });
        });
    }
}

fn conv2d_weight_adjoint_at<F: Float>(level: Level, conv: &Conv2d, x: &[F], y_bar: &[F], w_bar: &mut [F], par: Par) {
    conv.assert_holds(x, w_bar, y_bar.len());
    if x.is_empty() || w_bar.is_empty() || y_bar.is_empty() {
        return w_bar.fill(F::ZERO);
    }
    let par = conv.par(par);
    if F::minimal_weight_adjoint(level, conv, x, y_bar, w_bar, par) {
        return;
    }
    let pass = conv.forward();
    let of_group = w_bar.len() / conv.groups;
    // Images are summed in parts, the parts in their order: how many there are depends on the sizes only.
    let parts = if conv.groups >= PIECES / 2 { 1 } else { conv.batch.min(PIECES / 2) };
    let part_len = conv.batch.div_ceil(parts);
    let images = |part: usize, group: usize| Images {
        from: part * part_len,
        to: ((part + 1) * part_len).min(conv.batch),
        group,
        groups: conv.groups,
    };
    let mut others = vec![F::ZERO; (parts - 1) * w_bar.len()];
    let mut pieces: Vec<_> =
        w_bar.chunks_mut(of_group).enumerate().map(|(group, w_bar)| (images(0, group), w_bar)).collect();
    pieces.extend(
        others.chunks_mut(of_group).enumerate().map(|(i, w_bar)| (images(1 + i / conv.groups, i % conv.groups), w_bar)),
    );
    par.for_each(pieces.into_iter(), |(images, w_bar)| {
        F::conv_weight_at(level, &pass, x, y_bar, images, w_bar);
    });
    for part in others.chunks(w_bar.len()) {
        F::add_assign_at(level, w_bar, part);
    }
}
