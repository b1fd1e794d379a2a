//! Convolution in three dimensions, as one of images with the filters' depth among the channels.

use crate::conv::{Convolution, ConvolutionAlgorithm, bounded, fits, positive};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::rearrange::Padding;
use crate::shape::Shape;
use crate::slice::Slice;
use crate::tensor::Tensor;

/// Three numbers, for depth, height and width; one number stands for three.
///
/// # Examples
/// ```
/// # use wengert_tensor::Triple;
/// assert_eq!(Triple::from(3), Triple::from([3, 3, 3]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Triple(pub [usize; 3]);

impl From<usize> for Triple {
    fn from(all: usize) -> Self {
        Triple([all; 3])
    }
}

impl From<[usize; 3]> for Triple {
    fn from(triple: [usize; 3]) -> Self {
        Triple(triple)
    }
}

impl From<(usize, usize, usize)> for Triple {
    fn from((depth, height, width): (usize, usize, usize)) -> Self {
        Triple([depth, height, width])
    }
}

/// Where the windows of a convolution of volumes lie: stride, padding, dilation, groups.
///
/// Triples are `[depth, height, width]`; a single number sets all.
///
/// # Examples
/// ```
/// # use wengert_tensor::Convolution3d;
/// let options = Convolution3d::new().stride(2).padding([1, 0, 0]);
/// assert_eq!((options.stride, options.padding, options.groups), ([2, 2, 2], [1, 0, 0], 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convolution3d {
    /// Distance between windows, at least 1; 1 to begin with.
    pub stride: [usize; 3],
    /// Zeros on every side of the volumes; none to begin with.
    pub padding: [usize; 3],
    /// Distance between the entries of a window, at least 1; 1 to begin with.
    pub dilation: [usize; 3],
    /// Parts the channels are cut into, each with filters of its own; 1 to begin with.
    pub groups: usize,
    /// How the sums are computed; by tiles of 2 x 2 results to begin with, as in [`Convolution`].
    pub algorithm: ConvolutionAlgorithm,
}

/// How a convolution of volumes becomes one of images.
#[doc(hidden)]
pub struct Flattened {
    /// The shape of the result.
    pub result: Shape,
    /// Zeros before and behind, along the depth.
    pub padding: usize,
    /// For each depth in a window, which depths of the padded volumes meet it.
    pub depths: Vec<Slice>,
    /// The shape of the images: one for each depth of the result, with the depths of its window among the channels.
    pub images: Shape,
    /// The shape of their filters.
    pub filters: Shape,
    pub convolution: Convolution,
}

impl Convolution3d {
    /// Windows at every place inside the volumes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d};
    /// assert_eq!(Convolution3d::new(), Convolution3d::new().stride(1).padding(0).dilation(1).groups(1));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        let algorithm = ConvolutionAlgorithm::Tiles2;
        Convolution3d { stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups: 1, algorithm }
    }

    /// The same with windows this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// let (x, w) = (Tensor::<f64>::ones([1, 1, 4, 5, 5]), Tensor::ones([1, 1, 2, 3, 3]));
    /// assert_eq!(*x.conv3d(&w, &Convolution3d::new().stride([2, 1, 2])).shape(), [1, 1, 2, 3, 2]);
    /// ```
    #[must_use]
    pub fn stride(self, stride: impl Into<Triple>) -> Self {
        Convolution3d { stride: stride.into().0, ..self }
    }

    /// The same with so many zeros on every side of the volumes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// let (x, w) = (Tensor::<f64>::ones([1, 1, 4, 5, 5]), Tensor::ones([1, 1, 2, 3, 3]));
    /// let y = x.conv3d(&w, &Convolution3d::new().padding([0, 1, 1]));
    /// assert_eq!((y.at([0, 0, 0, 0, 0]), y.at([0, 0, 0, 2, 2])), (8.0, 18.0)); // a corner sees zeros
    /// ```
    #[must_use]
    pub fn padding(self, padding: impl Into<Triple>) -> Self {
        Convolution3d { padding: padding.into().0, ..self }
    }

    /// The same with the entries of a window this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// let (x, w) = (Tensor::<f64>::ones([1, 1, 4, 5, 5]), Tensor::ones([1, 1, 2, 3, 3]));
    /// assert_eq!(*x.conv3d(&w, &Convolution3d::new().dilation([3, 1, 2])).shape(), [1, 1, 1, 3, 1]);
    /// ```
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Triple>) -> Self {
        Convolution3d { dilation: dilation.into().0, ..self }
    }

    /// The same with channels cut into so many groups.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// // Each channel with a filter of its own.
    /// let x = Tensor::from([1.0, 10.0, 100.0]).reshape([1, 3, 1, 1, 1]);
    /// let w = Tensor::from([2.0, 3.0, 4.0]).reshape([3, 1, 1, 1, 1]);
    /// assert_eq!(x.conv3d(&w, &Convolution3d::new().groups(3)).to_vec(), [2.0, 30.0, 400.0]);
    /// ```
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Convolution3d { groups, ..self }
    }

    /// The same with every result the plain sum of its products; see [`Convolution::strict`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Convolution3d};
    /// assert_eq!(Convolution3d::new().strict().algorithm, Convolution::new().strict().algorithm);
    /// ```
    #[must_use]
    pub fn strict(self) -> Self {
        Convolution3d { algorithm: ConvolutionAlgorithm::Direct, ..self }
    }

    /// The same with fewer products where that pays; see [`Convolution::fast`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, Convolution3d};
    /// assert_eq!(Convolution3d::new().fast().algorithm, Convolution::new().fast().algorithm);
    /// ```
    #[must_use]
    pub fn fast(self) -> Self {
        Convolution3d { algorithm: ConvolutionAlgorithm::Tiles4, ..self }
    }

    /// The shape `[n, out, od, oh, ow]` of the result for volumes `x: [n, in, d, h, w]` and filters
    /// `weight: [out, in / groups, kd, kh, kw]`, with `od = (d + 2 padding - dilation (kd - 1) - 1) / stride + 1`.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`], [`ShapeError::Groups`], [`ShapeError::Channels`],
    /// [`ShapeError::Window`] or [`ShapeError::TooLarge`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d, Shape};
    /// let options = Convolution3d::new().stride([1, 2, 2]).padding([1, 3, 3]);
    /// let shape = options.output_shape(&Shape::from([4, 3, 16, 112, 112]), &Shape::from([64, 3, 3, 7, 7]))?;
    /// assert_eq!(*shape, [4, 64, 16, 56, 56]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn output_shape(&self, x: &Shape, weight: &Shape) -> Result<Shape, ShapeError> {
        let op = "conv3d";
        let [batch, inputs, _, _, _] = **x else {
            return Err(ShapeError::Rank { op, shape: x.clone(), expected: "volumes, [n, c, d, h, w]" });
        };
        let [outputs, of_group, _, _, _] = **weight else {
            let expected = "filters, [out, in / groups, kd, kh, kw]";
            return Err(ShapeError::Rank { op, shape: weight.clone(), expected });
        };
        positive(op, "groups", self.groups)?;
        if outputs % self.groups != 0 {
            return Err(ShapeError::Groups { op, weight: weight.clone(), groups: self.groups });
        }
        if of_group.checked_mul(self.groups) != Some(inputs) {
            return Err(ShapeError::Channels { op, x: x.clone(), weight: weight.clone(), groups: self.groups });
        }
        let mut shape = Shape::from([batch, outputs]);
        for axis in 0..3 {
            let (kernel, padding) = (weight[2 + axis], self.padding[axis]);
            positive(op, "stride", self.stride[axis])?;
            positive(op, "dilation", self.dilation[axis])?;
            positive(op, "kernel size", kernel)?;
            bounded(op, "padding", padding)?;
            // At most 2^62, since both were bounded.
            let span = self.dilation[axis] * (kernel - 1) + 1;
            fits(op, x, axis, span, padding)?;
            shape.push((x[2 + axis].saturating_add(2 * padding) - span) / self.stride[axis] + 1);
        }
        shape.try_size(op)?;
        Ok(shape)
    }

    /// The convolution of images this is.
    #[doc(hidden)]
    pub fn flattened(&self, x: &Shape, weight: &Shape) -> Result<Flattened, ShapeError> {
        let op = "conv3d";
        let result = self.output_shape(x, weight)?;
        let ([.., height, width], [outputs, of_group, depth, kernel_height, kernel_width]) = (&**x, &**weight) else {
            return Err(ShapeError::Rank { op, shape: x.clone(), expected: "volumes, [n, c, d, h, w]" });
        };
        let (first, steps) = (self.stride[0], result[2]);
        let slice = |k: usize| {
            let start = k * self.dilation[0];
            let end = start + (steps - 1) * first + 1;
            Slice::from(start as isize..end as isize).step(first as isize)
        };
        let images = Shape::from([x[0].saturating_mul(steps), x[1].saturating_mul(*depth), *height, *width]);
        images.try_size(op)?;
        Ok(Flattened {
            padding: self.padding[0],
            depths: (0..*depth).map(slice).collect(),
            images,
            filters: Shape::from([*outputs, of_group * depth, *kernel_height, *kernel_width]),
            convolution: Convolution {
                stride: [self.stride[1], self.stride[2]],
                padding: [self.padding[1], self.padding[2]],
                dilation: [self.dilation[1], self.dilation[2]],
                groups: self.groups,
                algorithm: self.algorithm,
            },
            result,
        })
    }
}

impl Default for Convolution3d {
    fn default() -> Self {
        Self::new()
    }
}

impl Flattened {
    /// The shape of the images' convolution, its depths apart from the batch.
    #[must_use]
    pub fn apart(&self) -> [usize; 5] {
        let [n, out, d, h, w] = [0, 1, 2, 3, 4].map(|axis| self.result[axis]);
        [n, d, out, h, w]
    }
}

impl<F: FloatElement> Tensor<F> {
    /// Slides filters over volumes; see [`conv2d`](Self::conv2d).
    ///
    /// Shapes: `x: [n, in, d, h, w]`, `weight: [out, in / groups, kd, kh, kw]`, result `[n, out, od, oh, ow]` with
    /// `od = (d + 2 p - dilation (kd - 1) - 1) / s + 1`.
    ///
    /// Each depth of the result is a convolution of images whose channels are those of the `kd` depths it sees, so that
    /// all are one convolution; for it the volumes are copied `kd` times over.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv3d`](Self::try_conv3d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// let x = Tensor::<f64>::arange(8).reshape([1, 1, 2, 2, 2]);
    /// let forward = Tensor::from([-1.0, 1.0]).reshape([1, 1, 2, 1, 1]);
    /// assert_eq!(x.conv3d(&forward, &Convolution3d::new()).to_vec(), [4.0; 4]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv3d(&self, weight: &Tensor<F>, options: &Convolution3d) -> Tensor<F> {
        self.try_conv3d(weight, options).or_panic()
    }

    /// As [`conv3d`](Self::conv3d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`Convolution3d::output_shape`].
    pub fn try_conv3d(&self, weight: &Tensor<F>, options: &Convolution3d) -> Result<Tensor<F>, ShapeError> {
        self.conv3d_of(weight, None, options).map_err(|error| error.called("conv3d"))
    }

    /// [`conv3d`](Self::conv3d) with a number added to every channel of the result; see
    /// [`conv2d_with_bias`](Self::conv2d_with_bias).
    ///
    /// Shapes: as [`conv3d`](Self::conv3d), and `bias: [out]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv3d_with_bias`](Self::try_conv3d_with_bias) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// let x = Tensor::<f64>::arange(8).reshape([1, 1, 2, 2, 2]);
    /// let forward = Tensor::from([-1.0, 1.0]).reshape([1, 1, 2, 1, 1]);
    /// let y = x.conv3d_with_bias(&forward, &Tensor::from([0.5]), &Convolution3d::new());
    /// assert_eq!(y.to_vec(), [4.5; 4]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv3d_with_bias(&self, weight: &Tensor<F>, bias: &Tensor<F>, options: &Convolution3d) -> Tensor<F> {
        self.try_conv3d_with_bias(weight, bias, options).or_panic()
    }

    /// As [`conv3d_with_bias`](Self::conv3d_with_bias), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_conv3d`](Self::try_conv3d), and [`ShapeError::Unequal`] if `bias` is not `[out]`.
    pub fn try_conv3d_with_bias(
        &self,
        weight: &Tensor<F>,
        bias: &Tensor<F>,
        options: &Convolution3d,
    ) -> Result<Tensor<F>, ShapeError> {
        self.conv3d_of(weight, Some(bias), options).map_err(|error| error.called("conv3d_with_bias"))
    }

    fn conv3d_of(
        &self,
        weight: &Tensor<F>,
        bias: Option<&Tensor<F>>,
        options: &Convolution3d,
    ) -> Result<Tensor<F>, ShapeError> {
        let flat = options.flattened(self.shape(), weight.shape())?;
        let mut x = self.clone();
        if flat.padding > 0 {
            let sides = (flat.padding, flat.padding);
            x = x.try_pad(&[sides, (0, 0), (0, 0)], Padding::Constant(F::ZERO))?;
        }
        let x = x.try_transpose(1, 2)?; // [n, d, in, h, w]
        let depths: Vec<_> = flat.depths.iter().map(|&depths| x.try_slice(1, depths)).collect::<Result<_, _>>()?;
        let x = Tensor::try_stack(&depths.iter().collect::<Vec<_>>(), 3)?; // [n, od, in, kd, h, w]
        let x = x.try_reshape(&flat.images)?;
        let weight = weight.try_reshape(&flat.filters)?;
        let y = match bias {
            Some(bias) => x.try_conv2d_with_bias(&weight, bias, &flat.convolution)?,
            None => x.try_conv2d(&weight, &flat.convolution)?,
        };
        y.try_reshape(flat.apart())?.try_transpose(1, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TransposedConvolution, rng};

    fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
        Tensor::uniform(shape, -1.0, 1.0, &mut rng(seed))
    }

    #[test]
    fn it_is_the_sum_over_depths_of_convolutions_of_images() {
        let plain = Convolution3d::new();
        for (options, groups) in [
            (plain, 1),
            (plain.stride([2, 1, 3]).padding([1, 2, 0]), 1),
            (plain.dilation([2, 1, 2]).padding([0, 1, 1]), 2),
            (plain.stride(2).padding(2), 4),
        ] {
            let options = options.groups(groups);
            let view = random(&[5, 4, 2, 6, 7], 1).permute([2, 1, 0, 3, 4]).flip(4);
            let w = random(&[8, 4 / groups, 2, 3, 2], 2);
            let y = view.conv3d(&w, &options);
            let Convolution3d { stride, padding, dilation, .. } = options;
            let flat = Convolution {
                stride: [stride[1], stride[2]],
                padding: [padding[1], padding[2]],
                dilation: [dilation[1], dilation[2]],
                groups,
                ..Convolution::new()
            };
            for od in 0..y.shape()[2] {
                let mut sum = Tensor::zeros(y.index_axis(2, od as isize).shape());
                for k in 0..2 {
                    let at = (od * stride[0] + k * dilation[0]).wrapping_sub(padding[0]);
                    if at < 5 {
                        let images = view.index_axis(2, at as isize);
                        sum += images.conv2d(&w.index_axis(2, k as isize), &flat);
                    }
                }
                assert!((y.index_axis(2, od as isize) - sum).abs().max() < 1e-13, "depth {od}, {options:?}");
            }
        }
    }

    #[test]
    fn strict_sums_keep_infinities() {
        let mut x = Tensor::<f32>::ones([1, 32, 1, 16, 16]);
        x.set([0, 3, 0, 5, 6], f32::INFINITY);
        let y = x.conv3d(&Tensor::ones([32, 32, 1, 3, 3]), &Convolution3d::new().padding([0, 1, 1]).strict());
        assert_eq!(y.iter().filter(|&y| y == f32::INFINITY).count(), 32 * 9);
        let transposed = TransposedConvolution::new().padding(1).strict();
        let y = x.squeeze(2).conv_transpose2d(&Tensor::ones([32, 32, 3, 3]), &transposed);
        assert_eq!(y.iter().filter(|&y| y == f32::INFINITY).count(), 32 * 9);
    }

    #[test]
    fn nothing_gives_nothing() {
        let w = random(&[2, 3, 1, 2, 2], 3);
        assert_eq!(*Tensor::zeros([0, 3, 4, 4, 4]).conv3d(&w, &Convolution3d::new()).shape(), [0, 2, 4, 3, 3]);
    }

    #[test]
    fn mistakes_are_named() {
        let text = |x: &[usize], w: &[usize], options: Convolution3d| {
            Tensor::<f32>::zeros(x).try_conv3d(&Tensor::zeros(w), &options).unwrap_err().to_string()
        };
        let plain = Convolution3d::new();
        assert_eq!(
            text(&[3, 8, 8, 8], &[4, 3, 3, 3, 3], plain),
            "conv3d: operand of shape [3, 8, 8, 8] has 4 axes; expected volumes, [n, c, d, h, w]"
        );
        assert_eq!(
            text(&[1, 3, 8, 8, 8], &[4, 3, 3, 3], plain),
            "conv3d: operand of shape [4, 3, 3, 3] has 4 axes; expected filters, [out, in / groups, kd, kh, kw]"
        );
        assert_eq!(
            text(&[1, 3, 8, 8, 8], &[4, 2, 3, 3, 3], plain),
            "conv3d: x [1, 3, 8, 8, 8] has 3 channels, weight [4, 2, 3, 3, 3] takes 2 in each of 1 groups; a weight is [out, in / groups, kd, kh, kw]"
        );
        assert_eq!(
            text(&[1, 3, 2, 8, 8], &[4, 3, 3, 3, 3], plain),
            "conv3d: the window spans 3 entries of axis 2, x [1, 3, 2, 8, 8] has 2 and a padding of 0 on both sides; use a smaller window or more padding"
        );
        assert_eq!(
            text(&[1, 2, 8, 8, 8], &[3, 1, 3, 3, 3], plain.groups(2)),
            "conv3d: weight [3, 1, 3, 3, 3] has 3 outputs, not a multiple of its 2 groups"
        );
        assert_eq!(
            text(&[1, 2, 8, 8, 8], &[2, 2, 3, 3, 3], plain.stride(0)),
            "conv3d: stride is 0, expected at least 1"
        );
    }
}
