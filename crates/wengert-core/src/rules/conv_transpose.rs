//! Transposed convolution: the rule for a convolution's cotangent to its images, applied to data.

use super::conv::to_images;
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use wengert_tensor::{TransposedConvolution, one_high};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Puts down each entry of images as a multiple of a filter and adds what overlaps:
    /// `y[n, o, r s + i d - p, q s + j d - p] += w[c, o, i, j] x[n, c, r, q]` with the options' stride `s`, dilation `d` and
    /// padding `p`. The adjoint of [`conv2d`](Self::conv2d); also called deconvolution.
    ///
    /// Shapes: `x: [n, in, h, w]`, `weight: [in, out / groups, kh, kw]`, result `[n, out, oh, ow]` with
    /// `oh = (h - 1) s - 2 p + d (kh - 1) + output_padding + 1`. A bias is added with shape `[out, 1, 1]`.
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
        self.try_conv_transpose2d(weight, options).unwrap_or_else(|error| error.raise())
    }

    /// [`conv_transpose2d`](Self::conv_transpose2d), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an operand has not four axes, channels and groups do not go together, a setting has no meaning or
    /// nothing is left of the result; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_conv_transpose2d(self, weight: Self, options: &TransposedConvolution) -> Result<Self, Error> {
        let shape = self.fit(options.output_shape(&self.shape(), &weight.shape()))?;
        self.same_tape(weight, "conv_transpose2d", Location::caller())?;
        weight.try_record2(to_images(options.convolution(), shape), self)
    }

    /// [`conv_transpose2d`](Self::conv_transpose2d) of sequences, images one entry high.
    ///
    /// Shapes: `x: [n, in, l]`, `weight: [in, out / groups, k]`, result `[n, out, ol]`. The options' horizontal numbers count;
    /// the vertical ones have no meaning here.
    ///
    /// # Panics
    /// With the text of the error that [`try_conv_transpose1d`](Self::try_conv_transpose1d) returns.
    #[track_caller]
    pub fn conv_transpose1d(self, weight: Self, options: &TransposedConvolution) -> Self {
        self.try_conv_transpose1d(weight, options).unwrap_or_else(|error| error.raise())
    }

    /// [`conv_transpose1d`](Self::conv_transpose1d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_conv_transpose2d`](Self::try_conv_transpose2d); an operand must have three axes.
    #[track_caller]
    pub fn try_conv_transpose1d(self, weight: Self, options: &TransposedConvolution) -> Result<Self, Error> {
        let op = "conv_transpose1d";
        let x = self.fit(one_high(op, &self.shape(), "sequences, [n, c, l]"))?;
        let w = self.fit(one_high(op, &weight.shape(), "filters, [in, out / groups, k]"))?;
        let y = self.try_reshape(x)?.try_conv_transpose2d(weight.try_reshape(w)?, &options.horizontal())?;
        let shape = y.shape();
        y.try_reshape([shape[0], shape[1], shape[3]])
    }
}
