//! Transposed convolution: the rule for a convolution's cotangent to its images, applied to data.

use super::conv::transposed;
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use wengert_tensor::{Padding, TransposedConvolution, one_high};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Puts down each entry of images as a multiple of a filter and adds what overlaps:
    /// `y[n, o, r s + i d - p, q s + j d - p] += w[c, o, i, j] x[n, c, r, q]` with the options' stride `s`, dilation
    /// `d` and padding `p`. The adjoint of [`conv2d`](Self::conv2d); also called deconvolution.
    ///
    /// Shapes: `x: [n, in, h, w]`, `weight: [in, out / groups, kh, kw]`, result `[n, out, oh, ow]` with
    /// `oh = (h - 1) s - 2 p + d (kh - 1) + output_padding + 1`. A bias is added with shape `[out, 1, 1]`.
    ///
    /// Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016, chapter 4.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv_transpose2d`](Self::try_conv_transpose2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::TransposedConvolution;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0, 2.0]]]]);
    /// let w = tape.tensor([[[[1.0, 10.0]]]]);
    /// let y = x.conv_transpose2d(w, &TransposedConvolution::new());
    /// assert_eq!(y.value().to_vec(), [1.0, 12.0, 20.0]);
    /// let g = y.sum().gradient();
    /// assert_eq!((g[x].to_vec(), g[w].to_vec()), (vec![11.0, 11.0], vec![3.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn conv_transpose2d(self, weight: Self, options: &TransposedConvolution) -> Self {
        self.try_conv_transpose2d(weight, options).or_panic()
    }

    /// [`conv_transpose2d`](Self::conv_transpose2d), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an operand has not four axes, channels and groups do not go together, a setting has no
    /// meaning or nothing is left of the result; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_conv_transpose2d(self, weight: Self, options: &TransposedConvolution) -> Result<Self, Error> {
        self.try_transposed("conv_transpose2d", weight, options)
    }

    #[track_caller]
    fn try_transposed(self, op: &'static str, weight: Self, options: &TransposedConvolution) -> Result<Self, Error> {
        let _whole = self.whole(op);
        let shape = self.fit(options.output_shape(&self.shape(), &weight.shape()))?;
        self.same_tape(weight, op, Location::caller())?;
        let x = match options.zeros_behind() {
            [(0, 0), (0, 0)] => self,
            sides => self.try_pad(&sides, Padding::Constant(F::ZERO))?,
        };
        weight.try_record2(transposed(op, options.convolution(), shape), x)
    }

    /// [`conv_transpose2d`](Self::conv_transpose2d) of sequences, images one entry high.
    ///
    /// Shapes: `x: [n, in, l]`, `weight: [in, out / groups, k]`, result `[n, out, ol]`. The options' horizontal numbers
    /// count; the vertical ones have no meaning here.
    ///
    /// Source: as [`conv_transpose2d`](Self::conv_transpose2d).
    ///
    /// # Panics
    /// With the text of the error that [`try_conv_transpose1d`](Self::try_conv_transpose1d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::TransposedConvolution;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0, 2.0]]]);
    /// let w = tape.tensor([[[1.0, 10.0]]]);
    /// let y = x.conv_transpose1d(w, &TransposedConvolution::new().stride(2));
    /// assert_eq!(y.value().to_vec(), [1.0, 10.0, 2.0, 20.0]);
    /// ```
    #[track_caller]
    pub fn conv_transpose1d(self, weight: Self, options: &TransposedConvolution) -> Self {
        self.try_conv_transpose1d(weight, options).or_panic()
    }

    /// [`conv_transpose1d`](Self::conv_transpose1d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_conv_transpose2d`](Self::try_conv_transpose2d); an operand must have three axes.
    #[track_caller]
    pub fn try_conv_transpose1d(self, weight: Self, options: &TransposedConvolution) -> Result<Self, Error> {
        let op = "conv_transpose1d";
        let _whole = self.whole(op);
        let x = self.fit(one_high(op, &self.shape(), "sequences, [n, c, l]"))?;
        let w = self.fit(one_high(op, &weight.shape(), "filters, [in, out / groups, k]"))?;
        let horizontal = options.horizontal();
        let shape = self.fit(horizontal.output_shape(&x, &w).map_err(|error| error.of_sequences(op)))?;
        self.same_tape(weight, op, Location::caller())?;
        let y = self.try_reshape(x)?.try_transposed(op, weight.try_reshape(w)?, &horizontal);
        y.map_err(|error| error.of_sequences(op))?.try_reshape([shape[0], shape[1], shape[3]])
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use wengert_tensor::{Convolution, Tensor, TransposedConvolution};

    #[test]
    fn what_is_added_behind_may_outnumber_the_stride() {
        let tape = Tape::new();
        let (x, w) = (tape.tensor([[[[1.0, 2.0]]]]), tape.tensor([[[[1.0, 10.0]]]]));
        // The last two entries lie beyond all filters, but for the one that the padding cut off.
        let options = TransposedConvolution::new().dilation([1, 3]).padding([0, 1]).output_padding([0, 2]);
        let y = x.conv_transpose2d(w, &options);
        assert_eq!(y.value().to_vec(), [2.0, 0.0, 10.0, 20.0, 0.0]);
        let weighed = y * tape.constant_tensor(Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0]));
        let g = weighed.sum().gradient();
        assert_eq!((g[x].to_vec(), g[w].to_vec()), (vec![30.0, 41.0], vec![2.0, 11.0]));
    }

    #[test]
    fn profiles_tell_it_from_the_gradient_of_a_convolution() {
        let tape = Tape::new();
        let profile = tape.profile();
        let (x, w) = (tape.tensor([[[[1.0, 2.0]]]]), tape.tensor([[[[1.0, 10.0]]]]));
        x.conv_transpose2d(w, &TransposedConvolution::new()).sum().gradient();
        let [y] = x.conv2d(w, &Convolution::new()).sum().recorded_gradient([x]);
        assert_eq!(y.value().to_vec(), [1.0, 10.0]);
        let calls = |name: &str| profile.ops().iter().find(|op| op.op == name).map_or(0, |op| op.calls);
        assert_eq!((calls("conv_transpose2d"), calls("conv2d_input_adjoint")), (1, 1));
    }
}
