//! The convolutional layer of volumes.

use super::conv::{check_sizes, weight_and_bias};
use crate::Module;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use rand::Rng;
use wengert_core::{Parameter, TensorFloat, TensorVar};
use wengert_tensor::{Convolution3d, Triple};

/// Convolution of volumes, or of films, with learnt filters; see [`Conv2d`](crate::Conv2d).
///
/// Shapes: `x: [n, inputs, d, h, w]`, `weight: [outputs, inputs / groups, kd, kh, kw]`, `bias: [outputs]`, output
/// `[n, outputs, od, oh, ow]` with `od = (d + 2 padding - dilation (kd - 1) - 1) / stride + 1`.
///
/// Weight and bias start uniform within `1/sqrt(inputs / groups kd kh kw)` of 0. That, names and shapes are PyTorch's.
///
/// # Examples
/// ```
/// use wengert_nn::{Conv3d, Layer};
/// use wengert_tensor::{Tensor, rng};
///
/// let layer = Conv3d::new(1, 4, [1, 3, 3], &mut rng(0)).padding([0, 1, 1]);
/// assert_eq!(*layer.predict(&Tensor::<f32>::zeros([2, 1, 8, 6, 6]))?.shape(), [2, 4, 8, 6, 6]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Conv3d<F: TensorFloat = f32> {
    /// `[outputs, inputs / groups, kd, kh, kw]`.
    pub weight: Parameter<F>,
    /// `[outputs]`.
    pub bias: Option<Parameter<F>>,
    #[module(skip)]
    options: Convolution3d,
}

impl<F: TensorFloat> Conv3d<F> {
    /// A layer from `inputs` to `outputs` channels, with filters of size `kernel` at every place inside the volumes.
    ///
    /// # Panics
    /// With the text of the error that [`try_with_options`](Self::try_with_options) returns.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Triple>, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::with_options(inputs, outputs, kernel, Convolution3d::new(), rng)
    }

    /// A layer with stride, padding, dilation and groups.
    ///
    /// # Panics
    /// With the text of the error that [`try_with_options`](Self::try_with_options) returns.
    #[track_caller]
    pub fn with_options(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Triple>,
        options: Convolution3d,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        match Self::try_with_options(inputs, outputs, kernel, options, rng) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`with_options`](Self::with_options), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::Setting`] for no inputs, no outputs, filters of no size, or channels that are not multiples of the
    /// groups; [`Error::Shape`] if there is no memory for the weight.
    pub fn try_with_options(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Triple>,
        options: Convolution3d,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self, Error> {
        let [depth, height, width] = kernel.into().0;
        check_sizes("conv3d", inputs, outputs, &[depth, height, width], options.groups)?;
        let (weight, bias) = weight_and_bias([outputs, inputs / options.groups, depth, height, width], outputs, rng)?;
        Ok(Conv3d { weight, bias, options })
    }

    /// The same layer with filters this far apart.
    #[must_use]
    pub fn stride(self, stride: impl Into<Triple>) -> Self {
        Conv3d { options: self.options.stride(stride), ..self }
    }

    /// The same layer with so many zeros on every side of the volumes.
    #[must_use]
    pub fn padding(self, padding: impl Into<Triple>) -> Self {
        Conv3d { options: self.options.padding(padding), ..self }
    }

    /// The same layer with the entries of a filter this far apart.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Triple>) -> Self {
        Conv3d { options: self.options.dilation(dilation), ..self }
    }

    /// The same layer without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Conv3d { bias: None, ..self }
    }

    /// Stride, padding, dilation, groups.
    pub fn options(&self) -> &Convolution3d {
        &self.options
    }
}

impl<F: TensorFloat> Layer<F> for Conv3d<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let weight = x.tape().parameter(&self.weight);
        let y = match &self.bias {
            Some(bias) => x.try_conv3d_with_bias(weight, x.tape().parameter(bias), &self.options),
            None => x.try_conv3d(weight, &self.options),
        };
        y.map_err(|error| Error::from(error).anchored(self.weight.id(), "weight"))
    }
}
