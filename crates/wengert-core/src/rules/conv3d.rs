//! Convolution in three dimensions, composed of slices along the depth, stacked among the channels, and a convolution
//! of images.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use wengert_tensor::{Convolution3d, Padding};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Slides filters over volumes; see [`conv2d`](Self::conv2d).
    ///
    /// Shapes: `x: [n, in, d, h, w]`, `weight: [out, in / groups, kd, kh, kw]`, result `[n, out, od, oh, ow]` with
    /// `od = (d + 2 p - dilation (kd - 1) - 1) / s + 1`. A bias comes with
    /// [`conv3d_with_bias`](Self::conv3d_with_bias).
    ///
    /// Each depth of the result is a convolution of images whose channels are those of the `kd` depths it sees, so that
    /// all are one convolution; for it the volumes are copied `kd` times over, and the tape keeps the copy.
    ///
    /// Sources: as [`conv2d`](Self::conv2d).
    ///
    /// # Panics
    /// With the text of the error that [`try_conv3d`](Self::try_conv3d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.tensor(Tensor::arange(8).reshape([1, 1, 2, 2, 2]));
    /// let w = tape.tensor(Tensor::from([-1.0, 1.0]).reshape([1, 1, 2, 1, 1]));
    /// let y = x.conv3d(w, &Convolution3d::new());
    /// assert_eq!(y.value().to_vec(), [4.0; 4]);
    /// assert_eq!(y.sum().gradient()[w].to_vec(), [6.0, 22.0]);
    /// ```
    #[track_caller]
    pub fn conv3d(self, weight: Self, options: &Convolution3d) -> Self {
        self.try_conv3d(weight, options).or_panic()
    }

    /// [`conv3d`](Self::conv3d), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an operand has not five axes, channels and groups do not go together, a setting has no
    /// meaning or the window does not fit; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_conv3d(self, weight: Self, options: &Convolution3d) -> Result<Self, Error> {
        self.try_slide_through("conv3d", weight, None, options)
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
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Convolution3d, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.constant_tensor(Tensor::arange(8).reshape([1, 1, 2, 2, 2]));
    /// let (w, b) = (tape.tensor(Tensor::from([-1.0, 1.0]).reshape([1, 1, 2, 1, 1])), tape.tensor([0.5]));
    /// let y = x.conv3d_with_bias(w, b, &Convolution3d::new());
    /// assert_eq!(y.value().to_vec(), [4.5; 4]);
    /// assert_eq!(y.sum().gradient()[b].to_vec(), [4.0]);
    /// ```
    #[track_caller]
    pub fn conv3d_with_bias(self, weight: Self, bias: Self, options: &Convolution3d) -> Self {
        self.try_conv3d_with_bias(weight, bias, options).or_panic()
    }

    /// [`conv3d_with_bias`](Self::conv3d_with_bias), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_conv3d`](Self::try_conv3d), and [`Error::Shape`] if `bias` is not `[out]`.
    #[track_caller]
    pub fn try_conv3d_with_bias(self, weight: Self, bias: Self, options: &Convolution3d) -> Result<Self, Error> {
        self.try_slide_through("conv3d_with_bias", weight, Some(bias), options)
    }

    #[track_caller]
    fn try_slide_through(
        self,
        op: &'static str,
        weight: Self,
        bias: Option<Self>,
        options: &Convolution3d,
    ) -> Result<Self, Error> {
        let _whole = self.whole(op);
        let flat = self.fit(options.flattened(&self.shape(), &weight.shape()))?;
        self.same_tape(weight, op, Location::caller())?;
        let mut x = self;
        if flat.padding > 0 {
            let sides = (flat.padding, flat.padding);
            x = x.try_pad(&[sides, (0, 0), (0, 0)], Padding::Constant(F::ZERO))?;
        }
        let x = x.try_transpose(1, 2)?; // [n, d, in, h, w]
        let mut depths = Vec::with_capacity(flat.depths.len());
        // A loop, since closures do not hand the caller's line on.
        for &range in &flat.depths {
            depths.push(x.try_slice(1, range)?);
        }
        let x = Self::try_stack(&depths, 3)?; // [n, od, in, kd, h, w]
        let x = x.try_reshape(&flat.images)?;
        let y = x.try_slide(op, weight.try_reshape(&flat.filters)?, bias, &flat.convolution)?;
        y.try_reshape(flat.apart())?.try_transpose(1, 2)
    }
}
