//! The convolutional layer.

use crate::Module;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use rand::Rng;
use wengert_core::{Parameter, TensorFloat, TensorVar};
use wengert_tensor::{Convolution, Pair, Pooling, Shape, Tensor};

/// Checks the channels and the filters of a convolutional layer.
pub(super) fn check_sizes(
    of: &'static str,
    inputs: usize,
    outputs: usize,
    kernel: &[usize],
    groups: usize,
) -> Result<(), Error> {
    let channels = [("inputs", inputs), ("outputs", outputs)];
    let filters = kernel.iter().map(|&size| ("kernel", size));
    for (setting, value) in channels.into_iter().chain(filters).chain([("groups", groups)]) {
        if value == 0 {
            return Err(Error::Setting { of, setting, value: 0.0, expected: "at least 1" });
        }
    }
    for (setting, value) in channels {
        if value % groups != 0 {
            let expected = "a multiple of the groups";
            return Err(Error::Setting { of, setting, value: value as f64, expected });
        }
    }
    Ok(())
}

/// Weight of `shape` and bias of a convolutional layer, uniform within `1/sqrt(n)` of 0 with the `n` entries that a
/// filter, the first axis aside, has.
pub(super) fn weight_and_bias<F: TensorFloat>(
    shape: impl Into<Shape>,
    outputs: usize,
    rng: &mut (impl Rng + ?Sized),
) -> Result<(Parameter<F>, Option<Parameter<F>>), Error> {
    let shape = shape.into();
    let entries: f64 = shape[1..].iter().map(|&n| n as f64).product();
    let bound = F::from_f64(1.0 / entries.sqrt());
    let weight = Parameter::new(Tensor::try_uniform(shape, -bound, bound, rng)?);
    Ok((weight, Some(Parameter::new(Tensor::try_uniform([outputs], -bound, bound, rng)?))))
}

/// Convolution of images with learnt filters: `y[n, o] = b[o] + sum over c of w[o, c] * x[n, c]`, `*` sliding the
/// filter.
///
/// Shapes: `x: [n, inputs, h, w]`, `weight: [outputs, inputs / groups, kh, kw]`, `bias: [outputs]`, output
/// `[n, outputs, oh, ow]` with `oh = (h + 2 padding - dilation (kh - 1) - 1) / stride + 1`.
///
/// Weight and bias start uniform within `1/sqrt(inputs / groups kh kw)` of 0, as PyTorch's do (He et al. 2015, "Delving
/// deep into rectifiers", with the slope `sqrt(5)`); [`init`](crate::init) has others. Names and shapes are PyTorch's
/// too.
///
/// # Examples
/// ```
/// use wengert_nn::{Conv2d, Layer};
/// use wengert_tensor::{Convolution, Tensor, rng};
///
/// let images = Tensor::<f32>::zeros([10, 3, 32, 32]);
/// let same = Conv2d::new(3, 16, 3, &mut rng(0)).padding(1);
/// assert_eq!(*same.predict(&images)?.shape(), [10, 16, 32, 32]);
///
/// let by_channel = Conv2d::with_options(3, 6, 5, Convolution::new().groups(3).stride(2), &mut rng(0));
/// assert_eq!(*by_channel.weight.value().shape(), [6, 1, 5, 5]);
/// assert_eq!(*by_channel.predict(&images)?.shape(), [10, 6, 14, 14]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Conv2d<F: TensorFloat = f32> {
    /// `[outputs, inputs / groups, kh, kw]`.
    pub weight: Parameter<F>,
    /// `[outputs]`.
    pub bias: Option<Parameter<F>>,
    #[module(skip)]
    options: Convolution,
}

impl<F: TensorFloat> Conv2d<F> {
    /// A layer from `inputs` to `outputs` channels, with filters of size `kernel` at every place inside the images.
    ///
    /// # Panics
    /// With the text of the error that [`try_with_options`](Self::try_with_options) returns.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, kernel: impl Into<Pair>, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::with_options(inputs, outputs, kernel, Convolution::new(), rng)
    }

    /// A layer with stride, padding, dilation and groups.
    ///
    /// # Panics
    /// With the text of the error that [`try_with_options`](Self::try_with_options) returns.
    #[track_caller]
    pub fn with_options(
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        options: Convolution,
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
        options: Convolution,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self, Error> {
        let [height, width] = kernel.into().0;
        check_sizes("conv2d", inputs, outputs, &[height, width], options.groups)?;
        let (weight, bias) = weight_and_bias([outputs, inputs / options.groups, height, width], outputs, rng)?;
        Ok(Conv2d { weight, bias, options })
    }

    /// The same layer with filters this far apart.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Conv2d { options: self.options.stride(stride), ..self }
    }

    /// The same layer with so many zeros on every side of the images.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Conv2d { options: self.options.padding(padding), ..self }
    }

    /// The same layer with the entries of a filter this far apart.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Conv2d { options: self.options.dilation(dilation), ..self }
    }

    /// The same layer without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Conv2d { bias: None, ..self }
    }

    /// Stride, padding, dilation, groups.
    pub fn options(&self) -> &Convolution {
        &self.options
    }

    #[track_caller]
    fn apply<'t>(&self, x: TensorVar<'t, F>) -> Result<TensorVar<'t, F>, Error> {
        let weight = x.tape().parameter(&self.weight);
        Ok(match &self.bias {
            Some(bias) => x.try_conv2d_with_bias(weight, x.tape().parameter(bias), &self.options)?,
            None => x.try_conv2d(weight, &self.options)?,
        })
    }
}

impl<F: TensorFloat> Layer<F> for Conv2d<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        self.apply(x).map_err(|error| error.anchored(self.weight.id(), "weight"))
    }

    fn forward_max_pool2d<'t>(&self, x: TensorVar<'t, F>, pooling: &Pooling) -> Option<TensorVar<'t, F>> {
        let (weight, bias) = (x.tape().parameter(&self.weight), x.tape().parameter(self.bias.as_ref()?));
        x.try_conv2d_max_pool2d(weight, bias, &self.options, pooling).ok()
    }
}
