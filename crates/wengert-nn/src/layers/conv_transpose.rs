//! The transposed convolutional layer.

use super::conv::{check_sizes, weight_and_bias};
use crate::Module;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use rand::Rng;
use wengert_core::{Parameter, TensorFloat, TensorVar};
use wengert_tensor::{Pair, TransposedConvolution};

/// Transposed convolution of images with learnt filters: every entry puts down a multiple of a filter, and what
/// overlaps is added. With a stride it makes images larger.
///
/// Shapes: `x: [n, inputs, h, w]`, `weight: [inputs, outputs / groups, kh, kw]`, `bias: [outputs]`, output
/// `[n, outputs, oh, ow]` with `oh = (h - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1`.
///
/// Weight and bias start uniform within `1/sqrt(outputs / groups kh kw)` of 0. That, names and shapes are PyTorch's.
///
/// # Examples
/// ```
/// use wengert_nn::{ConvTranspose2d, Layer};
/// use wengert_tensor::{Tensor, rng};
///
/// let twice = ConvTranspose2d::new(8, 4, 4, &mut rng(0)).stride(2).padding(1);
/// assert_eq!(*twice.weight.value().shape(), [8, 4, 4, 4]);
/// assert_eq!(*twice.predict(&Tensor::<f32>::zeros([10, 8, 5, 7]))?.shape(), [10, 4, 10, 14]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct ConvTranspose2d<F: TensorFloat = f32> {
    /// `[inputs, outputs / groups, kh, kw]`.
    pub weight: Parameter<F>,
    /// `[outputs]`.
    pub bias: Option<Parameter<F>>,
    #[module(skip)]
    options: TransposedConvolution,
}

impl<F: TensorFloat> ConvTranspose2d<F> {
    /// A layer from `inputs` to `outputs` channels, with filters of size `kernel` side by side.
    ///
    /// # Panics
    /// With the text of the error that [`try_with_options`](Self::try_with_options) returns.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Pair>, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::with_options(inputs, outputs, kernel, TransposedConvolution::new(), rng)
    }

    /// A layer with stride, padding, output padding, dilation and groups.
    ///
    /// # Panics
    /// With the text of the error that [`try_with_options`](Self::try_with_options) returns.
    #[track_caller]
    pub fn with_options(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        options: TransposedConvolution,
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
        kernel: impl Into<Pair>,
        options: TransposedConvolution,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self, Error> {
        let [height, width] = kernel.into().0;
        check_sizes("conv_transpose2d", inputs, outputs, &[height, width], options.groups)?;
        let (weight, bias) = weight_and_bias([inputs, outputs / options.groups, height, width], outputs, rng)?;
        Ok(ConvTranspose2d { weight, bias, options })
    }

    /// The same layer with neighbours landing this far apart.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        ConvTranspose2d { options: self.options.stride(stride), ..self }
    }

    /// The same layer with so many entries cut off on every side of the result.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        ConvTranspose2d { options: self.options.padding(padding), ..self }
    }

    /// The same layer with so many entries added at the end of each axis of the result, fewer than the stride or the
    /// dilation.
    #[must_use]
    pub fn output_padding(self, output_padding: impl Into<Pair>) -> Self {
        ConvTranspose2d { options: self.options.output_padding(output_padding), ..self }
    }

    /// The same layer with the entries of a filter this far apart.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        ConvTranspose2d { options: self.options.dilation(dilation), ..self }
    }

    /// The same layer without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        ConvTranspose2d { bias: None, ..self }
    }

    /// Stride, padding, output padding, dilation, groups.
    pub fn options(&self) -> &TransposedConvolution {
        &self.options
    }

    #[track_caller]
    fn apply<'t>(&self, x: TensorVar<'t, F>) -> Result<TensorVar<'t, F>, Error> {
        let y = x.try_conv_transpose2d(x.tape().parameter(&self.weight), &self.options)?;
        let Some(bias) = &self.bias else { return Ok(y) };
        // What overlaps is added to zeros: the sums have no place to begin with the bias.
        let by_channel = x.tape().parameter(bias).try_reshape([bias.value().len(), 1, 1])?;
        Ok(y.try_add(by_channel)?)
    }
}

impl<F: TensorFloat> Layer<F> for ConvTranspose2d<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        self.apply(x).map_err(|error| error.anchored(self.weight.id(), "weight"))
    }
}
