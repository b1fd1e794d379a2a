//! Convolution in two dimensions, and its adjoints for both operands.

use wengert_kernels::{Par, conv as kernel};

pub use wengert_kernels::conv::Algorithm as ConvolutionAlgorithm;

use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::pool2d::{Places, Pooling};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Two numbers, for the vertical and the horizontal axis; one number stands for two.
///
/// # Examples
/// ```
/// # use wengert_tensor::Pair;
/// assert_eq!(Pair::from(3), Pair::from([3, 3]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Pair([both; 2])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(pair: [usize; 2]) -> Self {
        Pair(pair)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((vertical, horizontal): (usize, usize)) -> Self {
        Pair([vertical, horizontal])
    }
}

/// Where the windows of a convolution lie: stride, padding, dilation, groups; and how it is summed.
///
/// Pairs are `[vertical, horizontal]`; a single number sets both.
///
/// Convolutions of `f32` with filters of 3 x 3, stride and dilation 1 and 32 or more channels in and out are computed
/// by minimal filtering (Winograd 1980; Lavin & Gray 2016): fewer products and more additions, results as accurate as
/// direct sums, gradients for the filters with 1.3 to 2.5 times the error. An infinity may arrive as NaN, and so may
/// numbers beyond a quarter of the largest float.
/// [`strict`](Convolution::strict) asks for direct sums, [`fast`](Convolution::fast) for fewer products still; `f64` is
/// always summed directly.
///
/// # Examples
/// ```
/// # use wengert_tensor::Convolution;
/// let options = Convolution::new().stride(2).padding([1, 0]);
/// assert_eq!((options.stride, options.padding, options.groups), ([2, 2], [1, 0], 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Distance between windows, at least 1; 1 to begin with.
    pub stride: [usize; 2],
    /// Zeros on every side of the images; none to begin with.
    pub padding: [usize; 2],
    /// Distance between the entries of a window, at least 1; 1 to begin with.
    pub dilation: [usize; 2],
    /// Parts the channels are cut into, each with filters of its own; 1 to begin with.
    pub groups: usize,
    /// How the sums are computed; by tiles of 2 x 2 results to begin with.
    pub algorithm: ConvolutionAlgorithm,
}

impl Convolution {
    /// Windows at every place inside the images.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution};
    /// assert_eq!(Convolution::new(), Convolution::new().stride(1).padding(0).dilation(1).groups(1));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Convolution {
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            algorithm: ConvolutionAlgorithm::Tiles2,
        }
    }

    /// The same with windows this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f64>::ones([1, 1, 5, 5]), Tensor::ones([1, 1, 3, 3]));
    /// assert_eq!(*x.conv2d(&w, &Convolution::new().stride([1, 2])).shape(), [1, 1, 3, 2]);
    /// ```
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Convolution { stride: stride.into().0, ..self }
    }

    /// The same with so many zeros on every side of the images.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f64>::ones([1, 1, 5, 5]), Tensor::ones([1, 1, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().padding(1));
    /// assert_eq!((y.at([0, 0, 0, 0]), y.at([0, 0, 2, 2])), (4.0, 9.0)); // a corner sees five zeros
    /// ```
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Convolution { padding: padding.into().0, ..self }
    }

    /// The same with the entries of a window this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f64>::ones([1, 1, 5, 5]), Tensor::ones([1, 1, 3, 3]));
    /// assert_eq!(*x.conv2d(&w, &Convolution::new().dilation(2)).shape(), [1, 1, 1, 1]); // windows span 5 x 5
    /// ```
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Convolution { dilation: dilation.into().0, ..self }
    }

    /// The same with channels cut into so many groups.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// // Each channel with a filter of its own.
    /// let x = Tensor::from([1.0, 10.0, 100.0]).reshape([1, 3, 1, 1]);
    /// let w = Tensor::from([2.0, 3.0, 4.0]).reshape([3, 1, 1, 1]);
    /// assert_eq!(x.conv2d(&w, &Convolution::new().groups(3)).to_vec(), [2.0, 30.0, 400.0]);
    /// ```
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Convolution { groups, ..self }
    }

    /// The same with every result the plain sum of its products.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let mut x = vec![1.0_f32; 32 * 16 * 16];
    /// x[0] = f32::INFINITY;
    /// let (x, w) = (Tensor::from(x).reshape([1, 32, 16, 16]), Tensor::ones([32, 32, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().padding(1).strict());
    /// // It reaches four windows of each output channel, and stays an infinity there.
    /// assert_eq!(y.iter().filter(|&y| y == f32::INFINITY).count(), 32 * 4);
    /// ```
    #[must_use]
    pub fn strict(self) -> Self {
        Convolution { algorithm: ConvolutionAlgorithm::Direct, ..self }
    }

    /// The same with fewer products where that pays: wide images and up to about 128 channels.
    ///
    /// Errors are three times those of a direct sum, and relative to the largest numbers in a square of 6 x 6 pixels
    /// around a window; a NaN there reaches the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let x = Tensor::<f32>::arange(32 * 64).reshape([1, 32, 8, 8]) / 2048.0;
    /// let w = Tensor::<f32>::ones([32, 32, 3, 3]) / 288.0;
    /// let options = Convolution::new().padding(1);
    /// let (y, exact) = (x.conv2d(&w, &options.fast()), x.conv2d(&w, &options.strict()));
    /// assert!((y - exact).abs().max() < 1e-5);
    /// ```
    #[must_use]
    pub fn fast(self) -> Self {
        Convolution { algorithm: ConvolutionAlgorithm::Tiles4, ..self }
    }

    /// The shape `[n, out, oh, ow]` of the result for images `x: [n, in, h, w]` and filters
    /// `weight: [out, in / groups, kh, kw]`, with `oh = (h + 2 padding - dilation (kh - 1) - 1) / stride + 1`.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`], [`ShapeError::Groups`], [`ShapeError::Channels`],
    /// [`ShapeError::Window`] or [`ShapeError::TooLarge`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Shape};
    /// let options = Convolution::new().stride(2).padding(3);
    /// let shape = options.output_shape(&Shape::from([10, 3, 224, 224]), &Shape::from([64, 3, 7, 7]))?;
    /// assert_eq!(*shape, [10, 64, 112, 112]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn output_shape(&self, x: &Shape, weight: &Shape) -> Result<Shape, ShapeError> {
        Ok(self.plan("conv2d", x, weight)?.1)
    }

    /// The kernel's sizes, and the shape of the result.
    fn plan(&self, op: &'static str, x: &Shape, weight: &Shape) -> Result<(kernel::Conv2d, Shape), ShapeError> {
        let [batch, inputs, height, width] = **x else {
            return Err(ShapeError::Rank { op, shape: x.clone(), expected: "images, [n, c, h, w]" });
        };
        let [outputs, of_group, kernel_height, kernel_width] = **weight else {
            let expected = "filters, [out, in / groups, kh, kw]";
            return Err(ShapeError::Rank { op, shape: weight.clone(), expected });
        };
        let (size, kernel) = ([height, width], [kernel_height, kernel_width]);
        #[expect(clippy::needless_range_loop, reason = "several arrays have an entry for the axis")]
        for axis in 0..2 {
            positive(op, "stride", self.stride[axis])?;
            positive(op, "dilation", self.dilation[axis])?;
            positive(op, "kernel size", kernel[axis])?;
            bounded(op, "padding", self.padding[axis])?;
        }
        positive(op, "groups", self.groups)?;
        if outputs % self.groups != 0 {
            return Err(ShapeError::Groups { op, weight: weight.clone(), groups: self.groups });
        }
        if of_group.checked_mul(self.groups) != Some(inputs) {
            return Err(ShapeError::Channels { op, x: x.clone(), weight: weight.clone(), groups: self.groups });
        }
        #[expect(clippy::needless_range_loop, reason = "several arrays have an entry for the axis")]
        for axis in 0..2 {
            // At most 2^62, since both were bounded.
            let span = self.dilation[axis] * (kernel[axis] - 1) + 1;
            fits(op, x, axis, span, self.padding[axis])?;
        }
        let Convolution { stride, padding, dilation, groups, algorithm } = *self;
        let conv =
            kernel::Conv2d { batch, inputs, outputs, size, kernel, stride, padding, dilation, groups, algorithm };
        let [rows, columns] = conv.output_size();
        let shape = Shape::from([batch, outputs, rows, columns]);
        shape.try_size(op)?;
        Ok((conv, shape))
    }
}

impl Default for Convolution {
    fn default() -> Self {
        Self::new()
    }
}

/// A setting from 0 to 2^31 - 1, so that sums and products of two do not overflow.
pub(crate) fn bounded(op: &'static str, setting: &'static str, value: usize) -> Result<(), ShapeError> {
    if value <= i32::MAX as usize {
        return Ok(());
    }
    Err(ShapeError::Setting { op, setting, value, expected: "less than 2^31" })
}

/// A setting from 1 to 2^31 - 1.
pub(crate) fn positive(op: &'static str, setting: &'static str, value: usize) -> Result<(), ShapeError> {
    if value == 0 {
        return Err(ShapeError::Setting { op, setting, value, expected: "at least 1" });
    }
    bounded(op, setting, value)
}

/// Whether a window fits into axis `2 + axis` of images.
pub(crate) fn fits(op: &'static str, x: &Shape, axis: usize, span: usize, padding: usize) -> Result<(), ShapeError> {
    if x[2 + axis].saturating_add(2 * padding) >= span {
        return Ok(());
    }
    Err(ShapeError::Window { op, axis: 2 + axis, span, padding, shape: x.clone() })
}

impl<F: FloatElement> Tensor<F> {
    /// Slides filters over images:
    /// `y[n, o, r, q] = sum over c, i, j of w[o, c, i, j] x[n, c, r s + i d - p, q s + j d - p]` with stride `s`,
    /// dilation `d` and padding `p`; images are zero outside.
    ///
    /// Shapes: `x: [n, in, h, w]`, `weight: [out, in / groups, kh, kw]`, result `[n, out, oh, ow]` with
    /// `oh = (h + 2 p - d (kh - 1) - 1) / s + 1`. Costs `2 n out oh ow in / groups kh kw` operations.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv2d`](Self::try_conv2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let x = Tensor::<f64>::arange(9).reshape([1, 1, 3, 3]);
    /// let edges = Tensor::from([-1.0, 1.0]).reshape([1, 1, 1, 2]);
    /// assert_eq!(x.conv2d(&edges, &Convolution::new()).to_vec(), [1.0; 6]);
    /// let blurred = x.conv2d(&Tensor::ones([1, 1, 3, 3]), &Convolution::new().padding(1).stride(2));
    /// assert_eq!(blurred.to_vec(), [8.0, 12.0, 20.0, 24.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv2d(&self, weight: &Tensor<F>, options: &Convolution) -> Tensor<F> {
        self.try_conv2d(weight, options).or_panic()
    }

    /// As [`conv2d`](Self::conv2d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`Convolution::output_shape`]; [`ShapeError::Memory`] if there is none for the result or an image with its
    /// padding.
    pub fn try_conv2d(&self, weight: &Tensor<F>, options: &Convolution) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "conv2d";
        let (conv, shape) = options.plan(OP, self.shape(), weight.shape())?;
        check_padded::<F>(OP, &conv)?;
        let (mut x_copy, mut w_copy) = (None, None);
        let (x, w) = (self.try_dense(OP, &mut x_copy)?, weight.try_dense(OP, &mut w_copy)?);
        Tensor::try_build(OP, &shape, |y| kernel::conv2d(&conv, x, w, y, Par::current()))
    }

    /// [`conv2d`](Self::conv2d) with a number added to every channel of the result,
    /// `y[n, o] = b[o] + sum over c of w[o, c] * x[n, c]`: the same to the bit as the sum of the two, in one pass over
    /// memory less.
    ///
    /// Shapes: as [`conv2d`](Self::conv2d), and `bias: [out]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv2d_with_bias`](Self::try_conv2d_with_bias) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let x = Tensor::<f64>::arange(9).reshape([1, 1, 3, 3]);
    /// let edges = Tensor::from([-1.0, 1.0]).reshape([1, 1, 1, 2]);
    /// let y = x.conv2d_with_bias(&edges, &Tensor::from([0.5]), &Convolution::new());
    /// assert_eq!(y.to_vec(), [1.5; 6]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv2d_with_bias(&self, weight: &Tensor<F>, bias: &Tensor<F>, options: &Convolution) -> Tensor<F> {
        self.try_conv2d_with_bias(weight, bias, options).or_panic()
    }

    /// As [`conv2d_with_bias`](Self::conv2d_with_bias), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_conv2d`](Self::try_conv2d), and [`ShapeError::Unequal`] if `bias` is not `[out]`.
    pub fn try_conv2d_with_bias(
        &self,
        weight: &Tensor<F>,
        bias: &Tensor<F>,
        options: &Convolution,
    ) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "conv2d_with_bias";
        let (conv, shape) = options.plan(OP, self.shape(), weight.shape())?;
        equal(OP, &Shape::from([conv.outputs]), bias.shape().clone())?;
        check_padded::<F>(OP, &conv)?;
        let (mut x_copy, mut w_copy, mut b_copy) = (None, None, None);
        let (x, w) = (self.try_dense(OP, &mut x_copy)?, weight.try_dense(OP, &mut w_copy)?);
        let bias = bias.try_dense(OP, &mut b_copy)?;
        Tensor::try_build(OP, &shape, |y| kernel::conv2d_with_bias(&conv, x, w, bias, y, Par::current()))
    }

    /// [`conv2d_with_bias`](Self::conv2d_with_bias) and then [`max_pool2d`](Self::max_pool2d): the same to the bit, in
    /// fewer passes over memory.
    ///
    /// Shapes: `x: [n, in, h, w]`, `weight: [out, in / groups, kh, kw]`, `bias: [out]`, result `[n, out, oh, ow]`, as
    /// the pooling makes of the convolution's.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv2d_max_pool2d`](Self::try_conv2d_max_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Pooling, Tensor};
    /// let x = Tensor::<f64>::arange(9).reshape([1, 1, 3, 3]);
    /// let (sums, bias) = (Tensor::from([1.0, 1.0]).reshape([1, 1, 1, 2]), Tensor::from([0.5]));
    /// let y = x.conv2d_max_pool2d(&sums, &bias, &Convolution::new(), &Pooling::new([3, 1]));
    /// assert_eq!(y.to_vec(), [13.5, 15.5]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv2d_max_pool2d(
        &self,
        weight: &Tensor<F>,
        bias: &Tensor<F>,
        options: &Convolution,
        pooling: &Pooling,
    ) -> Tensor<F> {
        self.try_conv2d_max_pool2d(weight, bias, options, pooling).or_panic()
    }

    /// As [`conv2d_max_pool2d`](Self::conv2d_max_pool2d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_conv2d_with_bias`](Self::try_conv2d_with_bias) and [`try_max_pool2d`](Self::try_max_pool2d).
    pub fn try_conv2d_max_pool2d(
        &self,
        weight: &Tensor<F>,
        bias: &Tensor<F>,
        options: &Convolution,
        pooling: &Pooling,
    ) -> Result<Tensor<F>, ShapeError> {
        Ok(self.try_conv2d_max_pool2d_with_places(weight, bias, options, pooling)?.0)
    }

    /// As [`conv2d_max_pool2d`](Self::conv2d_max_pool2d), with the places of the largest elements, the first among
    /// equals.
    ///
    /// # Errors
    /// As [`try_conv2d_max_pool2d`](Self::try_conv2d_max_pool2d).
    pub fn try_conv2d_max_pool2d_with_places(
        &self,
        weight: &Tensor<F>,
        bias: &Tensor<F>,
        options: &Convolution,
        pooling: &Pooling,
    ) -> Result<(Tensor<F>, Places), ShapeError> {
        const OP: &str = "conv2d_max_pool2d";
        let (conv, images) = options.plan(OP, self.shape(), weight.shape())?;
        equal(OP, &Shape::from([conv.outputs]), bias.shape().clone())?;
        check_padded::<F>(OP, &conv)?;
        let (pool, shape) = pooling.plan(OP, &images)?;
        if images.size() == 0 && shape.size() > 0 {
            return Err(ShapeError::Empty { op: OP, shape: images });
        }
        let (mut x_copy, mut w_copy, mut b_copy) = (None, None, None);
        let (x, w) = (self.try_dense(OP, &mut x_copy)?, weight.try_dense(OP, &mut w_copy)?);
        let bias = bias.try_dense(OP, &mut b_copy)?;
        let mut indices = Tensor::try_scratch_for(OP, shape.clone())?;
        let y = Tensor::try_build(OP, &shape, |y| {
            kernel::conv2d_max_pool2d(&conv, &pool, x, w, bias, (y, indices.fresh_mut()), Par::current());
        })?;
        Ok((y, Places { indices, images, pool }))
    }

    /// The adjoint of [`conv2d`](Self::conv2d) for images of shape `x`: the cotangent `y_bar` of the result brought
    /// back to them. It is what is called a transposed convolution.
    ///
    /// # Errors
    /// As [`Convolution::output_shape`], and [`ShapeError::Unequal`] if `y_bar` does not have that shape.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Shape, Tensor};
    /// let w = Tensor::from([1.0, 10.0]).reshape([1, 1, 1, 2]);
    /// let y_bar = Tensor::from([1.0, 2.0]).reshape([1, 1, 1, 2]);
    /// let x_bar = Tensor::conv2d_input_adjoint(&Shape::from([1, 1, 1, 3]), &w, &y_bar, &Convolution::new())?;
    /// assert_eq!(x_bar.to_vec(), [1.0, 12.0, 20.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn conv2d_input_adjoint(
        x: &Shape,
        weight: &Tensor<F>,
        y_bar: &Tensor<F>,
        options: &Convolution,
    ) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "conv2d_input_adjoint";
        let (conv, shape) = options.plan(OP, x, weight.shape())?;
        equal(OP, y_bar.shape(), shape)?;
        check_padded::<F>(OP, &conv)?;
        let (mut w_copy, mut y_copy) = (None, None);
        let (w, y_bar) = (weight.try_dense(OP, &mut w_copy)?, y_bar.try_dense(OP, &mut y_copy)?);
        Tensor::try_build(OP, x, |x_bar| kernel::conv2d_input_adjoint(&conv, w, y_bar, x_bar, Par::current()))
    }

    /// The adjoint of [`conv2d`](Self::conv2d) for filters of shape `weight`: the cotangent `y_bar` of the result
    /// brought back to them, summed over images and windows.
    ///
    /// # Errors
    /// As [`conv2d_input_adjoint`](Self::conv2d_input_adjoint).
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Shape, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 4.0]).reshape([1, 1, 1, 3]);
    /// let y_bar = Tensor::from([1.0, 10.0]).reshape([1, 1, 1, 2]);
    /// let w_bar = Tensor::conv2d_weight_adjoint(&x, &Shape::from([1, 1, 1, 2]), &y_bar, &Convolution::new())?;
    /// assert_eq!(w_bar.to_vec(), [1.0 + 20.0, 2.0 + 40.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn conv2d_weight_adjoint(
        x: &Tensor<F>,
        weight: &Shape,
        y_bar: &Tensor<F>,
        options: &Convolution,
    ) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "conv2d_weight_adjoint";
        let (conv, shape) = options.plan(OP, x.shape(), weight)?;
        equal(OP, y_bar.shape(), shape)?;
        check_padded::<F>(OP, &conv)?;
        let (mut x_copy, mut y_copy) = (None, None);
        let (x, y_bar) = (x.try_dense(OP, &mut x_copy)?, y_bar.try_dense(OP, &mut y_copy)?);
        Tensor::try_build(OP, weight, |w_bar| kernel::conv2d_weight_adjoint(&conv, x, y_bar, w_bar, Par::current()))
    }
}

impl Places {
    /// The adjoints of [`Tensor::conv2d_max_pool2d`], which found these places, for `x` and for `weight`, as far as
    /// they are `wanted`: those of the convolution for `y_bar` [scattered](Places::scatter).
    ///
    /// Where so few results are places that it pays, sums of what meets them; there a cotangent of zero adds nothing,
    /// even to an infinity.
    ///
    /// # Errors
    /// As [`Tensor::conv2d_input_adjoint`] and [`Places::scatter`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Pooling, Tensor};
    /// let x = Tensor::<f64>::arange(9).reshape([1, 1, 3, 3]);
    /// let (w, b) = (Tensor::from([1.0, 10.0]).reshape([1, 1, 1, 2]), Tensor::from([0.5]));
    /// let (options, pooling) = (Convolution::new(), Pooling::new([3, 1]));
    /// let (y, places) = x.try_conv2d_max_pool2d_with_places(&w, &b, &options, &pooling)?;
    /// let [x_bar, w_bar] = places.conv2d_adjoints(&x, &w, &Tensor::ones(y.shape().clone()), &options, [true; 2])?;
    /// assert_eq!(x_bar.unwrap().to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 11.0, 10.0]);
    /// assert_eq!(w_bar.unwrap().to_vec(), [13.0, 15.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn conv2d_adjoints<F: FloatElement>(
        &self,
        x: &Tensor<F>,
        weight: &Tensor<F>,
        y_bar: &Tensor<F>,
        options: &Convolution,
        wanted: [bool; 2],
    ) -> Result<[Option<Tensor<F>>; 2], ShapeError> {
        const OP: &str = "conv2d_max_pool2d_adjoint";
        let (conv, images) = options.plan(OP, x.shape(), weight.shape())?;
        equal(OP, &self.images, images)?;
        equal(OP, y_bar.shape(), self.indices.shape().clone())?;
        check_padded::<F>(OP, &conv)?;
        let pays = kernel::pooled_adjoints_pay(&conv, y_bar.shape().size());
        let all = (0..2).any(|i| wanted[i] && !pays[i]).then(|| self.scatter(y_bar)).transpose()?;
        let (mut copy, at) = (None, self.indices.as_slice().unwrap_or_default());
        let y_bar = y_bar.try_dense(OP, &mut copy)?;
        let to_x = || match &all {
            Some(y_bar) if !pays[0] => Tensor::conv2d_input_adjoint(x.shape(), weight, y_bar, options),
            _ => {
                let mut copy = None;
                let w = weight.try_dense(OP, &mut copy)?;
                Tensor::try_build(OP, x.shape(), |x_bar| {
                    kernel::conv2d_pooled_input_adjoint(&conv, w, y_bar, at, x_bar, Par::current());
                })
            }
        };
        let to_w = || match &all {
            Some(y_bar) if !pays[1] => Tensor::conv2d_weight_adjoint(x, weight.shape(), y_bar, options),
            _ => {
                let mut copy = None;
                let x = x.try_dense(OP, &mut copy)?;
                Tensor::try_build(OP, weight.shape(), |w_bar| {
                    kernel::conv2d_pooled_weight_adjoint(&conv, x, y_bar, at, w_bar, Par::current());
                })
            }
        };
        Ok([wanted[0].then(to_x).transpose()?, wanted[1].then(to_w).transpose()?])
    }
}

/// Refuses images whose zeros around them there is no memory for: the kernels copy them, one at a time.
fn check_padded<F: FloatElement>(op: &'static str, conv: &kernel::Conv2d) -> Result<(), ShapeError> {
    let [height, width] = [0, 1].map(|axis| conv.size[axis].saturating_add(2 * conv.padding[axis]));
    Tensor::<F>::check_room(op, Shape::from([conv.inputs / conv.groups, height, width]))
}

fn equal(op: &'static str, lhs: &Shape, rhs: Shape) -> Result<(), ShapeError> {
    if *lhs == rhs { Ok(()) } else { Err(ShapeError::Unequal { op, lhs: lhs.clone(), rhs }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    /// With few places and with many, groups, filters of short rows, and operands that are views.
    #[test]
    fn adjoints_at_places_are_those_of_what_was_scattered() {
        let draw =
            |shape: [usize; 4], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed)).permute([0, 1, 3, 2]);
        for (inputs, groups, pooling) in [
            (5, 1, Pooling::new(2)),
            (1, 1, Pooling::new(2)),
            (6, 2, Pooling::new(3).stride(2).padding(1)),
            (5, 1, Pooling::new(2).stride(1)),
        ] {
            let options = Convolution::new().padding(1).groups(groups);
            let (x, w, b) = (draw([2, inputs, 9, 8], 1), draw([4, inputs / groups, 2, 3], 2), Tensor::arange(4));
            let (y, places) = x.try_conv2d_max_pool2d_with_places(&w, &b, &options, &pooling).unwrap();
            assert_eq!(y, x.conv2d_with_bias(&w, &b, &options).max_pool2d(&pooling));
            let [rows, columns] = [y.shape()[2], y.shape()[3]];
            let y_bar = draw([2, 4, columns, rows], 3);
            let all = places.scatter(&y_bar).unwrap();
            let got = places.conv2d_adjoints(&x, &w, &y_bar, &options, [true; 2]).unwrap();
            let expected = [
                Tensor::conv2d_input_adjoint(x.shape(), &w, &all, &options).unwrap(),
                Tensor::conv2d_weight_adjoint(&x, w.shape(), &all, &options).unwrap(),
            ];
            for (got, expected) in got.iter().flatten().zip(&expected) {
                assert!((got - expected).iter().all(|d| d.abs() < 1e-13), "{inputs} channels, {pooling:?}");
            }
            let only = |wanted| places.conv2d_adjoints(&x, &w, &y_bar, &options, wanted).unwrap();
            assert_eq!(only([true, false]), [got[0].clone(), None]);
            assert_eq!(only([false, true]), [None, got[1].clone()]);
            assert!(places.conv2d_adjoints(&x, &w, &y, &options.padding(2), [true; 2]).is_err());
            assert!(places.conv2d_adjoints(&x, &w, &y.slice(2, 1..), &options, [true; 2]).is_err());
        }
    }

    #[test]
    fn views_convolve_as_their_copies() {
        let (x, w) = (
            Tensor::<f64>::uniform([5, 2, 4, 6], -1.0, 1.0, &mut rng(1)),
            Tensor::uniform([3, 4, 2, 3], -1.0, 1.0, &mut rng(2)),
        );
        let (x_view, w_view) = (x.permute([1, 2, 0, 3]), w.permute([0, 1, 3, 2]).flip(3));
        let (x, w) = (x_view.to_contiguous(), w_view.to_contiguous());
        let options = Convolution::new().padding(1);
        let y = x.conv2d(&w, &options);
        assert_eq!(x_view.conv2d(&w_view, &options), y);
        let y_view = y.permute([0, 1, 3, 2]).to_contiguous().permute([0, 1, 3, 2]);
        assert_eq!(
            Tensor::conv2d_input_adjoint(x.shape(), &w_view, &y_view, &options),
            Tensor::conv2d_input_adjoint(x.shape(), &w, &y, &options)
        );
        assert_eq!(
            Tensor::conv2d_weight_adjoint(&x_view, w.shape(), &y_view, &options),
            Tensor::conv2d_weight_adjoint(&x, w.shape(), &y, &options)
        );
    }

    #[test]
    fn algorithms_agree_to_rounding_and_double_precision_has_but_one() {
        fn all<F: FloatElement>(options: Convolution) -> [Tensor<F>; 3] {
            let random =
                |shape: [usize; 4], seed| Tensor::<F>::uniform(shape, F::from_f64(-1.0), F::ONE, &mut rng(seed));
            let (x, w, y_bar) = (random([2, 32, 28, 29], 1), random([33, 32, 3, 3], 2), random([2, 33, 28, 29], 3));
            [
                x.conv2d(&w, &options),
                Tensor::conv2d_input_adjoint(x.shape(), &w, &y_bar, &options).unwrap(),
                Tensor::conv2d_weight_adjoint(&x, w.shape(), &y_bar, &options).unwrap(),
            ]
        }
        let plain = Convolution::new().padding(1);
        let (strict, plain, fast) = (plain.strict(), plain, plain.fast());
        let direct = all::<f32>(strict);
        for options in [plain, fast] {
            assert_eq!(all::<f64>(options), all(strict));
            for (got, direct) in all::<f32>(options).iter().zip(&direct) {
                assert_ne!(got, direct);
                // Results are sums of 288 products or more, whose root mean square is a third.
                assert!(got.iter().zip(direct.iter()).all(|(got, direct)| (got - direct).abs() < 5e-4));
            }
        }
    }

    #[test]
    fn zeros_around_images_that_no_memory_holds_are_refused() {
        // Two windows along each axis, each with one entry in the image; between their entries lie nothing but zeros.
        let (x, w) = (Tensor::<f32>::ones([1, 1, 1, 1]), Tensor::ones([1, 1, 2, 2]));
        let y_bar = Tensor::ones([1, 1, 2, 2]);
        let refusals = |padding: usize| {
            let options = Convolution::new().padding(padding).dilation(2 * padding - 1);
            assert_eq!(options.output_shape(x.shape(), w.shape()).unwrap(), *y_bar.shape());
            [
                x.try_conv2d(&w, &options),
                Tensor::conv2d_input_adjoint(x.shape(), &w, &y_bar, &options),
                Tensor::conv2d_weight_adjoint(&x, w.shape(), &y_bar, &options),
            ]
        };
        for refused in refusals(1 << 24) {
            assert!(matches!(refused, Err(ShapeError::Memory { .. })), "{refused:?}");
        }
        for refused in refusals(1 << 30) {
            assert!(matches!(refused, Err(ShapeError::TooLarge { .. })), "{refused:?}");
        }
    }

    #[test]
    fn windows_farther_apart_than_the_image_is_wide_leave_one() {
        let options = Convolution::new().stride(i32::MAX as usize);
        let (x, w) = (Tensor::from([[[[3.0, 1.0], [1.0, 1.0]]]]), Tensor::<f64>::full([1, 1, 1, 1], 2.0));
        let y = x.conv2d(&w, &options);
        assert_eq!(y.to_vec(), [6.0]);
        let x_bar = Tensor::conv2d_input_adjoint(x.shape(), &w, &y, &options).unwrap();
        assert_eq!(x_bar.to_vec(), [12.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn mistakes_are_named() {
        let text = |x: &[usize], w: &[usize], options: Convolution| {
            Tensor::<f32>::zeros(x).try_conv2d(&Tensor::zeros(w), &options).unwrap_err().to_string()
        };
        let plain = Convolution::new();
        assert_eq!(
            text(&[3, 8, 8], &[4, 3, 3, 3], plain),
            "conv2d: operand of shape [3, 8, 8] has 3 axes; expected images, [n, c, h, w]"
        );
        assert_eq!(
            text(&[1, 3, 8, 8], &[4, 3, 3], plain),
            "conv2d: operand of shape [4, 3, 3] has 3 axes; expected filters, [out, in / groups, kh, kw]"
        );
        assert_eq!(
            text(&[1, 3, 8, 8], &[4, 2, 3, 3], plain.groups(2)),
            "conv2d: x [1, 3, 8, 8] has 3 channels, weight [4, 2, 3, 3] takes 2 in each of 2 groups; a weight is [out, in / groups, kh, kw]"
        );
        assert_eq!(
            text(&[1, 4, 8, 8], &[3, 2, 3, 3], plain.groups(2)),
            "conv2d: weight [3, 2, 3, 3] has 3 outputs, not a multiple of its 2 groups"
        );
        assert_eq!(
            text(&[1, 1, 9, 4], &[1, 1, 3, 3], plain.dilation(3).padding([0, 1])),
            "conv2d: the window spans 7 entries of axis 3, x [1, 1, 9, 4] has 4 and a padding of 1 on both sides; use a smaller window or more padding"
        );
        assert_eq!(
            text(&[1, 1, 8, 8], &[1, 1, 3, 3], plain.stride([1, 0])),
            "conv2d: stride is 0, expected at least 1"
        );
        assert_eq!(text(&[1, 1, 8, 8], &[1, 1, 3, 3], plain.groups(0)), "conv2d: groups is 0, expected at least 1");
        assert_eq!(
            text(&[1, 1, 8, 8], &[1, 1, 3, 3], plain.padding(usize::MAX)),
            "conv2d: padding is 18446744073709551615, expected less than 2^31"
        );
        assert!(
            text(&[1, 1, 8, 8], &[1, 1, 3, 3], plain.padding(1 << 30))
                .contains("more elements than memory can address")
        );
        let (x, w) = (Tensor::<f32>::zeros([1, 1, 4, 4]), Tensor::zeros([1, 1, 3, 3]));
        assert_eq!(
            Tensor::conv2d_input_adjoint(x.shape(), &w, &x, &plain).unwrap_err().to_string(),
            "conv2d_input_adjoint: shapes [1, 1, 4, 4] and [1, 1, 2, 2] differ; they must be equal"
        );
        assert_eq!(
            Tensor::conv2d_weight_adjoint(&x, w.shape(), &x, &plain).unwrap_err().to_string(),
            "conv2d_weight_adjoint: shapes [1, 1, 4, 4] and [1, 1, 2, 2] differ; they must be equal"
        );
    }
}
