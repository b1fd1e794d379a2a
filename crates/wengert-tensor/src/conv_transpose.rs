//! Transposed convolution, the adjoint of convolution as an operation of its own, in two dimensions and one.

use crate::conv::{Convolution, ConvolutionAlgorithm, Pair, bounded, positive};
use crate::delegate::one_high;
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::rearrange::Padding;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Where the filters of a transposed convolution land: stride, padding, output padding, dilation, groups.
///
/// The numbers are those of the convolution it is the adjoint of. Pairs are `[vertical, horizontal]`; a single number
/// sets both.
///
/// # Examples
/// Twice as high and wide:
/// ```
/// # use wengert_tensor::{Shape, TransposedConvolution};
/// let options = TransposedConvolution::new().stride(2).padding(1).output_padding(1);
/// let shape = options.output_shape(&Shape::from([1, 8, 5, 7]), &Shape::from([8, 4, 3, 3]))?;
/// assert_eq!(shape, [1, 4, 10, 14]);
/// # Ok::<(), wengert_tensor::ShapeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransposedConvolution {
    /// Distance between the places where neighbours of the operand land, at least 1; 1 to begin with.
    pub stride: [usize; 2],
    /// Entries cut off on every side of the result; none to begin with.
    pub padding: [usize; 2],
    /// Entries added to the result at the end of each axis, fewer than the stride or fewer than the dilation; none to
    /// begin with. A convolution with a stride makes the same of several sizes: this says which of them is meant.
    pub output_padding: [usize; 2],
    /// Distance between the entries of a filter, at least 1; 1 to begin with.
    pub dilation: [usize; 2],
    /// Parts the channels are cut into, each with filters of its own; 1 to begin with.
    pub groups: usize,
    /// How the sums are computed; by tiles of 2 x 2 results to begin with, as in [`Convolution`].
    pub algorithm: ConvolutionAlgorithm,
}

impl TransposedConvolution {
    /// Filters side by side.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{TransposedConvolution};
    /// let plain = TransposedConvolution::new();
    /// assert_eq!(plain, plain.stride(1).padding(0).output_padding(0).dilation(1).groups(1));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        TransposedConvolution {
            stride: [1; 2],
            padding: [0; 2],
            output_padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            algorithm: ConvolutionAlgorithm::Tiles2,
        }
    }

    /// The same with neighbours landing this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let (x, w) = (Tensor::from([[[[1.0, 2.0]]]]), Tensor::from([[[[1.0, 10.0]]]]));
    /// let y = x.conv_transpose2d(&w, &TransposedConvolution::new().stride([1, 2]));
    /// assert_eq!(y.to_vec(), [1.0, 10.0, 2.0, 20.0]);
    /// ```
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        TransposedConvolution { stride: stride.into().0, ..self }
    }

    /// The same with so many entries cut off on every side.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let (x, w) = (Tensor::from([[[[1.0, 2.0]]]]), Tensor::from([[[[1.0, 10.0]]]]));
    /// let y = x.conv_transpose2d(&w, &TransposedConvolution::new().padding([0, 1]));
    /// assert_eq!(y.to_vec(), [12.0]); // of 1, 12, 20
    /// ```
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        TransposedConvolution { padding: padding.into().0, ..self }
    }

    /// The same with so many entries added at the end of each axis.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let (x, w) = (Tensor::from([[[[1.0, 2.0]]]]), Tensor::from([[[[1.0, 10.0]]]]));
    /// let apart = TransposedConvolution::new().stride([1, 3]);
    /// assert_eq!(x.conv_transpose2d(&w, &apart).to_vec(), [1.0, 10.0, 0.0, 2.0, 20.0]);
    /// assert_eq!(x.conv_transpose2d(&w, &apart.output_padding([0, 1])).to_vec(), [1.0, 10.0, 0.0, 2.0, 20.0, 0.0]);
    /// ```
    #[must_use]
    pub fn output_padding(self, output_padding: impl Into<Pair>) -> Self {
        TransposedConvolution { output_padding: output_padding.into().0, ..self }
    }

    /// The same with the entries of a filter this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let (x, w) = (Tensor::from([[[[1.0, 2.0]]]]), Tensor::from([[[[1.0, 10.0]]]]));
    /// let y = x.conv_transpose2d(&w, &TransposedConvolution::new().dilation([1, 2]));
    /// assert_eq!(y.to_vec(), [1.0, 2.0, 10.0, 20.0]);
    /// ```
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        TransposedConvolution { dilation: dilation.into().0, ..self }
    }

    /// The same with channels cut into so many groups.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// // Each channel with a filter of its own.
    /// let x = Tensor::from([1.0, 10.0]).reshape([1, 2, 1, 1]);
    /// let w = Tensor::from([2.0, 3.0]).reshape([2, 1, 1, 1]);
    /// assert_eq!(x.conv_transpose2d(&w, &TransposedConvolution::new().groups(2)).to_vec(), [2.0, 30.0]);
    /// ```
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        TransposedConvolution { groups, ..self }
    }

    /// The same with every result the plain sum of its products; see [`Convolution::strict`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, TransposedConvolution};
    /// assert_eq!(TransposedConvolution::new().strict().convolution(), Convolution::new().strict());
    /// ```
    #[must_use]
    pub fn strict(self) -> Self {
        TransposedConvolution { algorithm: ConvolutionAlgorithm::Direct, ..self }
    }

    /// The same with fewer products where that pays; see [`Convolution::fast`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Convolution, TransposedConvolution};
    /// assert_eq!(TransposedConvolution::new().fast().convolution(), Convolution::new().fast());
    /// ```
    #[must_use]
    pub fn fast(self) -> Self {
        TransposedConvolution { algorithm: ConvolutionAlgorithm::Tiles4, ..self }
    }

    /// The convolution this is the adjoint of.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let transposed = TransposedConvolution::new().stride(2);
    /// let (x, w) = (Tensor::from([3.0, 4.0]).reshape([1, 1, 1, 2]), Tensor::from([1.0, 10.0]).reshape([1, 1, 1, 2]));
    /// let y = Tensor::from([1.0, 2.0, 5.0, 6.0]).reshape([1, 1, 1, 4]);
    /// // <y, transposed(x)> = <convolution(y), x>.
    /// assert_eq!(x.conv_transpose2d(&w, &transposed).dot(&y), y.conv2d(&w, &transposed.convolution()).dot(&x));
    /// ```
    #[must_use]
    pub fn convolution(&self) -> Convolution {
        let TransposedConvolution { stride, padding, dilation, groups, algorithm, .. } = *self;
        Convolution { stride, padding, dilation, groups, algorithm }
    }

    /// The zeros behind each axis of the operand with which the result has its size: it has more entries than the
    /// convolution passes over where stride or more are added.
    #[doc(hidden)]
    #[must_use]
    pub fn zeros_behind(&self) -> [(usize, usize); 2] {
        [0, 1].map(|axis| (0, self.output_padding[axis] / self.stride[axis]))
    }

    /// Its horizontal half, for images one entry high.
    #[doc(hidden)]
    #[must_use]
    pub fn horizontal(&self) -> Self {
        TransposedConvolution {
            stride: [1, self.stride[1]],
            padding: [0, self.padding[1]],
            output_padding: [0, self.output_padding[1]],
            dilation: [1, self.dilation[1]],
            ..*self
        }
    }

    /// The shape `[n, out, oh, ow]` of the result for images `x: [n, in, h, w]` and filters
    /// `weight: [in, out / groups, kh, kw]`, with
    /// `oh = (h - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1`.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`], [`ShapeError::TransposedChannels`],
    /// [`ShapeError::ChannelGroups`], [`ShapeError::Empty`] or [`ShapeError::TooLarge`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Shape, TransposedConvolution};
    /// let twice = TransposedConvolution::new().stride(2).padding(1);
    /// let shape = twice.output_shape(&Shape::from([10, 8, 5, 7]), &Shape::from([8, 4, 4, 4]))?;
    /// assert_eq!(*shape, [10, 4, 10, 14]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn output_shape(&self, x: &Shape, weight: &Shape) -> Result<Shape, ShapeError> {
        let op = "conv_transpose2d";
        let [batch, inputs, height, width] = **x else {
            return Err(ShapeError::Rank { op, shape: x.clone(), expected: "images, [n, c, h, w]" });
        };
        let [taken, of_group, kernel_height, kernel_width] = **weight else {
            let expected = "filters, [in, out / groups, kh, kw]";
            return Err(ShapeError::Rank { op, shape: weight.clone(), expected });
        };
        positive(op, "groups", self.groups)?;
        if taken != inputs {
            return Err(ShapeError::TransposedChannels { op, x: x.clone(), weight: weight.clone() });
        }
        if inputs % self.groups != 0 {
            return Err(ShapeError::ChannelGroups { op, shape: x.clone(), groups: self.groups });
        }
        let (size, kernel) = ([height, width], [kernel_height, kernel_width]);
        let mut shape = Shape::from([batch, of_group.saturating_mul(self.groups)]);
        for axis in 0..2 {
            positive(op, "stride", self.stride[axis])?;
            positive(op, "dilation", self.dilation[axis])?;
            positive(op, "kernel size", kernel[axis])?;
            bounded(op, "padding", self.padding[axis])?;
            let (output_padding, stride) = (self.output_padding[axis], self.stride[axis]);
            if output_padding >= stride.max(self.dilation[axis]) {
                let expected = "less than the stride or less than the dilation";
                return Err(ShapeError::Setting { op, setting: "output padding", value: output_padding, expected });
            }
            if size[axis] == 0 {
                return Err(ShapeError::Empty { op, shape: x.clone() });
            }
            // The window is at most 2^62, since both factors were bounded.
            let span = self.dilation[axis] * (kernel[axis] - 1) + 1 + output_padding;
            let reached = (size[axis] - 1).saturating_mul(stride).saturating_add(span);
            if reached <= 2 * self.padding[axis] {
                let expected = "less than half of what the filters reach, so that something is left";
                return Err(ShapeError::Setting { op, setting: "padding", value: self.padding[axis], expected });
            }
            shape.push(reached - 2 * self.padding[axis]);
        }
        shape.try_size(op)?;
        Ok(shape)
    }
}

impl Default for TransposedConvolution {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: FloatElement> Tensor<F> {
    /// Puts down each entry of images as a multiple of a filter and adds what overlaps:
    /// `y[n, o, r s + i d - p, q s + j d - p] += w[c, o, i, j] x[n, c, r, q]` with stride `s`, dilation `d` and padding
    /// `p`. The adjoint of [`conv2d`](Self::conv2d); also called deconvolution.
    ///
    /// Shapes: `x: [n, in, h, w]`, `weight: [in, out / groups, kh, kw]`, result `[n, out, oh, ow]` with
    /// `oh = (h - 1) s - 2 p + d (kh - 1) + output_padding + 1`.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv_transpose2d`](Self::try_conv_transpose2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let x = Tensor::from([[[[1.0, 2.0]]]]);
    /// let w = Tensor::from([[[[1.0, 10.0]]]]);
    /// assert_eq!(x.conv_transpose2d(&w, &TransposedConvolution::new()).to_vec(), [1.0, 12.0, 20.0]);
    /// let apart = TransposedConvolution::new().stride([1, 3]);
    /// assert_eq!(x.conv_transpose2d(&w, &apart).to_vec(), [1.0, 10.0, 0.0, 2.0, 20.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv_transpose2d(&self, weight: &Tensor<F>, options: &TransposedConvolution) -> Tensor<F> {
        self.try_conv_transpose2d(weight, options).or_panic()
    }

    /// As [`conv_transpose2d`](Self::conv_transpose2d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`TransposedConvolution::output_shape`].
    pub fn try_conv_transpose2d(
        &self,
        weight: &Tensor<F>,
        options: &TransposedConvolution,
    ) -> Result<Tensor<F>, ShapeError> {
        let shape = options.output_shape(self.shape(), weight.shape())?;
        let y = match options.zeros_behind() {
            [(0, 0), (0, 0)] => Tensor::conv2d_input_adjoint(&shape, weight, self, &options.convolution()),
            sides => (self.try_pad(&sides, Padding::Constant(F::ZERO)))
                .and_then(|x| Tensor::conv2d_input_adjoint(&shape, weight, &x, &options.convolution())),
        };
        y.map_err(|error| error.called("conv_transpose2d"))
    }

    /// [`conv_transpose2d`](Self::conv_transpose2d) of sequences, images one entry high.
    ///
    /// Shapes: `x: [n, in, l]`, `weight: [in, out / groups, k]`, result `[n, out, ol]`. The options' horizontal numbers
    /// count; the vertical ones have no meaning here.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv_transpose1d`](Self::try_conv_transpose1d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let (x, w) = (Tensor::from([[[1.0, 2.0]]]), Tensor::from([[[1.0, 10.0]]]));
    /// assert_eq!(x.conv_transpose1d(&w, &TransposedConvolution::new()).to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn conv_transpose1d(&self, weight: &Tensor<F>, options: &TransposedConvolution) -> Tensor<F> {
        self.try_conv_transpose1d(weight, options).or_panic()
    }

    /// As [`conv_transpose1d`](Self::conv_transpose1d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`TransposedConvolution::output_shape`].
    pub fn try_conv_transpose1d(
        &self,
        weight: &Tensor<F>,
        options: &TransposedConvolution,
    ) -> Result<Tensor<F>, ShapeError> {
        let op = "conv_transpose1d";
        let x = self.try_reshape(one_high(op, self.shape(), "sequences, [n, c, l]")?)?;
        let weight = weight.try_reshape(one_high(op, weight.shape(), "filters, [in, out / groups, k]")?)?;
        let y = x.try_conv_transpose2d(&weight, &options.horizontal());
        y.map_err(|error| error.of_sequences(op))?.try_squeeze(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn it_is_the_adjoint_of_the_convolution() {
        // <y, conv(x, w)> = <conv_transpose(y, w), x>, whatever the settings.
        let random = |shape: &[usize], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed));
        let plain = TransposedConvolution::new();
        for (options, kernel) in [
            (plain, [1, 1]),
            (plain.stride([2, 3]).padding([1, 0]).output_padding([1, 2]), [3, 2]),
            (plain.dilation([2, 1]).groups(2).stride(2), [2, 3]),
        ] {
            let (y, w) = (random(&[2, 4, 3, 5], 1), random(&[4, 6 / options.groups, kernel[0], kernel[1]], 2));
            let back = y.conv_transpose2d(&w, &options);
            let x = random(back.shape(), 3);
            let forth = x.conv2d(&w, &options.convolution());
            assert_eq!(forth.shape(), y.shape());
            assert!((forth.flatten().dot(&y.flatten()) - x.flatten().dot(&back.flatten())).abs() < 1e-12);
        }
    }

    #[test]
    fn entries_land_where_the_formula_says_and_those_added_may_outnumber_the_stride() {
        let random = |shape: &[usize], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed));
        let plain = TransposedConvolution::new();
        for options in [
            plain.stride([2, 3]).padding([1, 0]).output_padding([1, 2]),
            plain.dilation([3, 2]).output_padding([2, 1]),
            plain.dilation([5, 4]).stride([2, 3]).padding([0, 3]).output_padding([4, 3]),
        ] {
            let (x, w) = (random(&[2, 2, 3, 4], 1), random(&[2, 3, 2, 3], 2));
            let y = x.conv_transpose2d(&w, &options);
            let [rows, columns] = [y.shape()[2], y.shape()[3]];
            let TransposedConvolution { stride: s, padding: p, output_padding: more, dilation: d, .. } = options;
            assert_eq!(rows + 2 * p[0], 2 * s[0] + d[0] + more[0] + 1);
            assert_eq!(columns + 2 * p[1], 3 * s[1] + 2 * d[1] + more[1] + 1);
            let mut sums = Tensor::<f64>::zeros(y.shape());
            for (n, c, o) in (0..12).map(|k| (k / 6, k / 3 % 2, k % 3)) {
                for (r, q, i, j) in (0..72).map(|k| (k / 24, k / 6 % 4, k / 3 % 2, k % 3)) {
                    let row = (r * s[0] + i * d[0]).wrapping_sub(p[0]);
                    let column = (q * s[1] + j * d[1]).wrapping_sub(p[1]);
                    if row < rows && column < columns {
                        let sum = sums.at([n, o, row, column]) + w.at([c, o, i, j]) * x.at([n, c, r, q]);
                        sums.set([n, o, row, column], sum);
                    }
                }
            }
            assert!((y - sums).abs().max() < 1e-14, "{options:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let text = |x: &[usize], w: &[usize], options: TransposedConvolution| {
            Tensor::<f32>::zeros(x).try_conv_transpose2d(&Tensor::zeros(w), &options).unwrap_err().to_string()
        };
        let plain = TransposedConvolution::new();
        assert_eq!(
            text(&[3, 8, 8], &[3, 4, 3, 3], plain),
            "conv_transpose2d: operand of shape [3, 8, 8] has 3 axes; expected images, [n, c, h, w]"
        );
        assert_eq!(
            text(&[1, 3, 8, 8], &[4, 3, 3, 3], plain),
            "conv_transpose2d: x [1, 3, 8, 8] has 3 channels, weight [4, 3, 3, 3] takes 4; a transposed weight is [in, out / groups, kh, kw]"
        );
        assert_eq!(
            text(&[1, 3, 8, 8], &[3, 4, 3, 3], plain.groups(2)),
            "conv_transpose2d: axis 1 of shape [1, 3, 8, 8] has 3 channels, which 2 groups cannot share evenly; choose a divisor of 3"
        );
        assert_eq!(
            text(&[1, 3, 8, 8], &[3, 4, 3, 3], plain.stride(2).output_padding([0, 2])),
            "conv_transpose2d: output padding is 2, expected less than the stride or less than the dilation"
        );
        assert_eq!(
            text(&[1, 3, 2, 2], &[3, 4, 3, 3], plain.padding(2)),
            "conv_transpose2d: padding is 2, expected less than half of what the filters reach, so that something is left"
        );
        assert!(text(&[1, 3, 0, 2], &[3, 4, 3, 3], plain).contains("shape [1, 3, 0, 2] leaves no elements"));
        assert_eq!(
            text(&[1, 3, 8, 8], &[3, 4, 3, 3], plain.stride(0)),
            "conv_transpose2d: stride is 0, expected at least 1"
        );
        let (x, w) = (Tensor::<f32>::zeros([1, 2, 3, 4]), Tensor::zeros([2, 2, 3]));
        assert_eq!(
            x.try_conv_transpose1d(&w, &plain).unwrap_err().to_string(),
            "conv_transpose1d: operand of shape [1, 2, 3, 4] has 4 axes; expected sequences, [n, c, l]"
        );
    }
}
