//! Convolution in two dimensions:
//! `y[n, o, r, q] = sum over c, i, j of w[o, c, i, j] x[n, c, r s + i d - p, q s + j d - p]`.
//!
//! Shapes: `x: [n, in, h, w]`, `w: [out, in / groups, kh, kw]`, `y: [n, out, oh, ow]`. Keeps `x`, `w`.
//!
//! Cotangents: the form `<y_bar, conv(x, w)>` is linear in each of its three arguments, and with two of them fixed it
//! is a scalar product with the third. So the convolution and its adjoints, for `x` and for `w`, are each other's
//! derivatives: a cotangent that arrives at one of the three takes the place of the argument it stands for, and the
//! other two ops give what flows on.

use super::pool::{pick, scatter};
use super::pushforward::total;
use super::reshape::reshape;
use super::sum::sum_axes;
use super::{Array, Cotangents, Op, Pushforward, fitting, two};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use core::panic::Location;
use std::sync::Arc;
use wengert_tensor::{Convolution, Places, Pooling, Shape, ShapeError, Tensor, one_high};

/// `y` from `x`, `w`. Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct Conv2d<F>(Box<Slide>, PhantomData<F>);

#[derive(Clone)]
struct Slide {
    options: Convolution,
    /// What listings call it: sequences and volumes are convolved as images.
    label: &'static str,
}

impl<F: TensorFloat> Op<F> for Conv2d<F> {
    const NAME: &'static str = "conv2d";
    const READS_RESULT: bool = false;
    const PUSHFORWARD: Pushforward = Pushforward::Multilinear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_conv2d(x[1], &self.0.options)
    }

    fn label(&self) -> &'static str {
        self.0.label
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let (x, w) = (x[0], x[1]);
        let x_bar = wanted[0].then(|| to_input(&self.0.options, x.shape(), w, &y_bar));
        let w_bar = wanted[1].then(|| to_weight(&self.0.options, x, w.shape(), &y_bar));
        two(x_bar, w_bar)
    }
}

/// `y` from `x`, `w` and a number for each output channel, `b: [out]`. As a convolution and a sum it was one more pass
/// over memory, and the convolution stayed on the tape beside the sum.
///
/// Cotangents: those of the convolution, and `b_bar[o]` the sum of `y_bar[n, o, r, q]` over images and pixels.
#[derive(Clone)]
pub(crate) struct ConvBias<F>(Conv2d<F>);

impl<F: TensorFloat> Op<F> for ConvBias<F> {
    const NAME: &'static str = "conv2d_with_bias";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_conv2d_with_bias(x[1], x[2], &self.0.0.options)
    }

    fn label(&self) -> &'static str {
        self.0.label()
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let b_bar = wanted[2].then(|| sum_axes(&y_bar, [0, 2, 3]));
        let mut cotangents = self.0.vjp(&x[..2], y, y_bar, &wanted[..2]);
        cotangents.push(b_bar);
        cotangents
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let product = self.0.jvp(&x[..2], y, &x_dot[..2]);
        total([product, x_dot[2].map(by_channel)], &y.shape())
    }
}

/// The largest of the windows of a convolution with its bias; knows the places once it has run. What is pooled is not
/// kept.
///
/// Cotangents: those of the convolution at the places, where alone something flows; `b_bar[o]` the sum of
/// `y_bar[n, o, r, q]`.
#[derive(Clone)]
pub(crate) struct ConvPool<F>(Box<(Convolution, Pooling)>, Option<Arc<Places>>, PhantomData<F>);

impl<F: TensorFloat> ConvPool<F> {
    fn places(&self) -> &Arc<Places> {
        let Some(places) = &self.1 else { unreachable!("a derivative is taken after the op has run") };
        places
    }

    fn not_pooled(&self) -> ConvBias<F> {
        ConvBias(slide(ConvBias::<F>::NAME, &self.0.0))
    }
}

impl<F: TensorFloat> Op<F> for ConvPool<F> {
    const NAME: &'static str = "conv2d_max_pool2d";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (options, pooling) = &*self.0;
        let (y, places) = x[0].try_conv2d_max_pool2d_with_places(x[1], x[2], options, pooling)?;
        self.1 = Some(Arc::new(places));
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        self.not_pooled().vjp(x, y, scatter(self.places(), &y_bar), wanted)
    }

    fn pull(&self, x: &[&Tensor<F>], _y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        let adjoints = self.places().conv2d_adjoints(x[0], x[1], &y_bar, &self.0.0, [wanted[0], wanted[1]]);
        let mut cotangents = Cotangents::from_iter(fitting(adjoints));
        cotangents.push(wanted[2].then(|| sum_axes(&y_bar, [0, 2, 3])));
        cotangents
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let at_places = |x: &A, w: &A| pick(self.places(), &conv2d(&self.0.0, x, w));
        let to_x = x_dot[0].map(|x_dot| at_places(x_dot, x[1]));
        let to_w = x_dot[1].map(|w_dot| at_places(x[0], w_dot));
        let to_b = x_dot[2].map(by_channel);
        total([to_x, to_w, to_b], self.places().indices().shape())
    }
}

/// `x_bar` from `w`, `y_bar`; keeps the shape of `x`.
#[derive(Clone)]
pub(crate) struct ConvToInput<F>(Box<ToInput>, PhantomData<F>);

#[derive(Clone)]
struct ToInput {
    options: Convolution,
    x: Shape,
    /// What listings call it: a gradient, or what a user asked for.
    label: &'static str,
}

impl<F: TensorFloat> Op<F> for ConvToInput<F> {
    const NAME: &'static str = "conv2d_input_adjoint";
    const READS_RESULT: bool = false;
    const PUSHFORWARD: Pushforward = Pushforward::Multilinear;

    fn label(&self) -> &'static str {
        self.0.label
    }

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        Tensor::conv2d_input_adjoint(&self.0.x, x[0], x[1], &self.0.options)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, x_bar_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let (w, y_bar) = (x[0], x[1]);
        let options = &self.0.options;
        let to_w = wanted[0].then(|| to_weight(options, &x_bar_bar, w.shape(), y_bar));
        let to_y_bar = wanted[1].then(|| conv2d(options, &x_bar_bar, w));
        two(to_w, to_y_bar)
    }
}

/// `w_bar` from `x`, `y_bar`; keeps the shape of `w`.
#[derive(Clone)]
pub(crate) struct ConvToWeight<F>(Box<(Convolution, Shape)>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for ConvToWeight<F> {
    const NAME: &'static str = "conv2d_weight_adjoint";
    const READS_RESULT: bool = false;
    const PUSHFORWARD: Pushforward = Pushforward::Multilinear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        Tensor::conv2d_weight_adjoint(x[0], &self.0.1, x[1], &self.0.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, w_bar_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let (x, y_bar) = (x[0], x[1]);
        let options = &self.0.0;
        let to_x = wanted[0].then(|| to_input(options, x.shape(), &w_bar_bar, y_bar));
        let to_y_bar = wanted[1].then(|| conv2d(options, x, &w_bar_bar));
        two(to_x, to_y_bar)
    }
}

/// `[out]` as `[out, 1, 1]`.
fn by_channel<F: TensorFloat, A: Array<F>>(b: &A) -> A {
    reshape(b, &Shape::from([b.shape()[0], 1, 1]))
}

/// The convolution of images that is listed under this name.
fn slide<F: TensorFloat>(label: &'static str, options: &Convolution) -> Conv2d<F> {
    Conv2d(Box::new(Slide { options: *options, label }), PhantomData)
}

/// The transposed convolution, of filters and data, to images of this shape, that is listed under this name.
pub(super) fn transposed<F: TensorFloat>(label: &'static str, options: Convolution, x: Shape) -> ConvToInput<F> {
    ConvToInput(Box::new(ToInput { options, x, label }), PhantomData)
}

fn conv2d<F: TensorFloat, A: Array<F>>(options: &Convolution, x: &A, w: &A) -> A {
    slide(Conv2d::<F>::NAME, options).on(&[x, w])
}

fn to_input<F: TensorFloat, A: Array<F>>(options: &Convolution, x: Shape, w: &A, y_bar: &A) -> A {
    let label = ConvToInput::<F>::NAME;
    ConvToInput(Box::new(ToInput { options: *options, x, label }), PhantomData).on(&[w, y_bar])
}

fn to_weight<F: TensorFloat, A: Array<F>>(options: &Convolution, x: &A, w: Shape, y_bar: &A) -> A {
    ConvToWeight(Box::new((*options, w)), PhantomData).on(&[x, y_bar])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Slides filters over images:
    /// `y[n, o, r, q] = sum over c, i, j of w[o, c, i, j] x[n, c, r s + i d - p, q s + j d - p]` with the options'
    /// stride `s`, dilation `d` and padding `p`; images are zero outside.
    ///
    /// Shapes: `x: [n, in, h, w]`, `weight: [out, in / groups, kh, kw]`, result `[n, out, oh, ow]` with
    /// `oh = (h + 2 p - d (kh - 1) - 1) / s + 1`. A bias comes with [`conv2d_with_bias`](Self::conv2d_with_bias).
    ///
    /// Sources: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016; filters of 3 x 3
    /// by minimal filtering: A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", 2016.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv2d`](Self::try_conv2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.tensor(Tensor::arange(9).reshape([1, 1, 3, 3]));
    /// let w = tape.tensor(Tensor::from([-1.0, 1.0]).reshape([1, 1, 1, 2]));
    /// let y = x.conv2d(w, &Convolution::new());
    /// assert_eq!(y.value().to_vec(), [1.0; 6]);
    /// let g = y.sum().gradient();
    /// assert_eq!(g[x].to_vec(), [-1.0, 0.0, 1.0, -1.0, 0.0, 1.0, -1.0, 0.0, 1.0]);
    /// assert_eq!(g[w].to_vec(), [21.0, 27.0]);
    /// ```
    #[track_caller]
    pub fn conv2d(self, weight: Self, options: &Convolution) -> Self {
        self.try_conv2d(weight, options).or_panic()
    }

    /// [`conv2d`](Self::conv2d), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an operand has not four axes, channels and groups do not go together, a setting has no
    /// meaning or the window does not fit; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_conv2d(self, weight: Self, options: &Convolution) -> Result<Self, Error> {
        self.try_slide(Conv2d::<F>::NAME, weight, None, options)
    }

    /// [`conv2d`](Self::conv2d) with a number added to every channel of the result,
    /// `y[n, o, r, q] = b[o] + sum over c, i, j of w[o, c, i, j] x[n, c, r s + i d - p, q s + j d - p]`: the same to
    /// the bit as a sum of the two, in one pass over memory less, and no convolution without it stays on the tape.
    ///
    /// Shapes: as [`conv2d`](Self::conv2d), and `bias: [out]`.
    ///
    /// Sources: as [`conv2d`](Self::conv2d).
    ///
    /// # Panics
    /// With the text of the error that [`try_conv2d_with_bias`](Self::try_conv2d_with_bias) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.constant_tensor(Tensor::arange(9).reshape([1, 1, 3, 3]));
    /// let (w, b) = (tape.tensor(Tensor::from([-1.0, 1.0]).reshape([1, 1, 1, 2])), tape.tensor([0.5]));
    /// let y = x.conv2d_with_bias(w, b, &Convolution::new());
    /// assert_eq!(y.value().to_vec(), [1.5; 6]);
    /// let [w_bar, b_bar] = y.sum().gradient().wrt([w, b]);
    /// assert_eq!((w_bar.to_vec(), b_bar.item()), (vec![21.0, 27.0], 6.0));
    /// ```
    #[track_caller]
    pub fn conv2d_with_bias(self, weight: Self, bias: Self, options: &Convolution) -> Self {
        self.try_conv2d_with_bias(weight, bias, options).or_panic()
    }

    /// [`conv2d_with_bias`](Self::conv2d_with_bias), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_conv2d`](Self::try_conv2d), and [`Error::Shape`] if `bias` is not `[out]`.
    #[track_caller]
    pub fn try_conv2d_with_bias(self, weight: Self, bias: Self, options: &Convolution) -> Result<Self, Error> {
        self.try_slide(ConvBias::<F>::NAME, weight, Some(bias), options)
    }

    /// The convolution of images that is listed under this name.
    #[track_caller]
    pub(super) fn try_slide(
        self,
        label: &'static str,
        weight: Self,
        bias: Option<Self>,
        options: &Convolution,
    ) -> Result<Self, Error> {
        let product = slide(label, options);
        match bias {
            Some(bias) => Self::try_record_many(ConvBias(product), &[self, weight, bias]),
            None => self.try_record2(product, weight),
        }
    }

    /// [`conv2d_with_bias`](Self::conv2d_with_bias) and then [`max_pool2d`](Self::max_pool2d), in fewer passes over
    /// memory: the values are the same to the bit, and what is pooled does not stay on the tape.
    ///
    /// Where at most a third of all elements are the largest of a window, a gradient for `weight` is summed over their
    /// places alone, and so is one for `x` if a row of a filter, all its channels, has more than 8 elements; there a
    /// cotangent of zero adds nothing, even times an infinity. Other gradients, and those that are recorded, are those
    /// of the two ops.
    ///
    /// Shapes: `x: [n, in, h, w]`, `weight: [out, in / groups, kh, kw]`, `bias: [out]`, result `[n, out, oh, ow]`, as
    /// the pooling makes of the convolution's.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv2d_max_pool2d`](Self::try_conv2d_max_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Convolution, Pooling, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.tensor(Tensor::arange(9).reshape([1, 1, 3, 3]));
    /// let (w, b) = (tape.tensor(Tensor::from([1.0, 10.0]).reshape([1, 1, 1, 2])), tape.tensor([0.5]));
    /// let y = x.conv2d_max_pool2d(w, b, &Convolution::new(), &Pooling::new([3, 1]));
    /// assert_eq!(y.value().to_vec(), [76.5, 87.5]);
    /// let g = y.sum().gradient();
    /// assert_eq!(g[x].to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 11.0, 10.0]);
    /// assert_eq!((g[w].to_vec(), g[b].item()), (vec![13.0, 15.0], 2.0));
    /// ```
    #[track_caller]
    pub fn conv2d_max_pool2d(self, weight: Self, bias: Self, options: &Convolution, pooling: &Pooling) -> Self {
        self.try_conv2d_max_pool2d(weight, bias, options, pooling).or_panic()
    }

    /// [`conv2d_max_pool2d`](Self::conv2d_max_pool2d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_conv2d_with_bias`](Self::try_conv2d_with_bias) and [`try_max_pool2d`](Self::try_max_pool2d).
    #[track_caller]
    pub fn try_conv2d_max_pool2d(
        self,
        weight: Self,
        bias: Self,
        options: &Convolution,
        pooling: &Pooling,
    ) -> Result<Self, Error> {
        let op = ConvPool(Box::new((*options, *pooling)), None, PhantomData);
        Self::try_record_many(op, &[self, weight, bias])
    }

    /// Slides filters over sequences: [`conv2d`](Self::conv2d) of images one entry high.
    ///
    /// Shapes: `x: [n, in, l]`, `weight: [out, in / groups, k]`, result `[n, out, ol]`. The options' horizontal stride,
    /// padding and dilation count; the vertical ones have no meaning here. A bias comes with
    /// [`conv1d_with_bias`](Self::conv1d_with_bias).
    ///
    /// Sources: as [`conv2d`](Self::conv2d).
    ///
    /// # Panics
    /// With the text of the error that [`try_conv1d`](Self::try_conv1d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0, 2.0, 4.0, 8.0]]]);
    /// let w = tape.tensor([[[1.0, 10.0]]]);
    /// assert_eq!(x.conv1d(w, &Convolution::new().stride(2)).value().to_vec(), [21.0, 84.0]);
    /// ```
    #[track_caller]
    pub fn conv1d(self, weight: Self, options: &Convolution) -> Self {
        self.try_conv1d(weight, options).or_panic()
    }

    /// [`conv1d`](Self::conv1d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_conv2d`](Self::try_conv2d); an operand must have three axes.
    #[track_caller]
    pub fn try_conv1d(self, weight: Self, options: &Convolution) -> Result<Self, Error> {
        self.try_slide_along("conv1d", weight, None, options)
    }

    /// [`conv1d`](Self::conv1d) with a number added to every channel of the result; see
    /// [`conv2d_with_bias`](Self::conv2d_with_bias).
    ///
    /// Shapes: as [`conv1d`](Self::conv1d), and `bias: [out]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv1d_with_bias`](Self::try_conv1d_with_bias) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Convolution;
    /// let tape = Tape::new();
    /// let (x, w, b) = (tape.tensor([[[1.0, 2.0, 4.0, 8.0]]]), tape.tensor([[[1.0, 10.0]]]), tape.tensor([0.5]));
    /// let y = x.conv1d_with_bias(w, b, &Convolution::new().stride(2));
    /// assert_eq!(y.value().to_vec(), [21.5, 84.5]);
    /// assert_eq!(y.sum().gradient()[b].to_vec(), [2.0]);
    /// ```
    #[track_caller]
    pub fn conv1d_with_bias(self, weight: Self, bias: Self, options: &Convolution) -> Self {
        self.try_conv1d_with_bias(weight, bias, options).or_panic()
    }

    /// [`conv1d_with_bias`](Self::conv1d_with_bias), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_conv1d`](Self::try_conv1d), and [`Error::Shape`] if `bias` is not `[out]`.
    #[track_caller]
    pub fn try_conv1d_with_bias(self, weight: Self, bias: Self, options: &Convolution) -> Result<Self, Error> {
        self.try_slide_along("conv1d_with_bias", weight, Some(bias), options)
    }

    #[track_caller]
    fn try_slide_along(
        self,
        op: &'static str,
        weight: Self,
        bias: Option<Self>,
        options: &Convolution,
    ) -> Result<Self, Error> {
        let _whole = self.whole(op);
        let x = self.fit(one_high(op, &self.shape(), "sequences, [n, c, l]"))?;
        let w = self.fit(one_high(op, &weight.shape(), "filters, [out, in / groups, k]"))?;
        let horizontal = Convolution {
            stride: [1, options.stride[1]],
            padding: [0, options.padding[1]],
            dilation: [1, options.dilation[1]],
            ..*options
        };
        let shape = self.fit(horizontal.output_shape(&x, &w).map_err(|error| error.of_sequences(op)))?;
        self.same_tape(weight, op, Location::caller())?;
        let y = self.try_reshape(x)?.try_slide(op, weight.try_reshape(w)?, bias, &horizontal);
        y.map_err(|error| error.of_sequences(op))?.try_reshape([shape[0], shape[1], shape[3]])
    }
}
