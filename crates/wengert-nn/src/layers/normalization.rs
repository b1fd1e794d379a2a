//! Normalisations that need no memory of past batches: layer, root-mean-square, group.

use crate::Module;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use wengert_core::{Parameter, TensorFloat, TensorVar};
use wengert_tensor::{Shape, Tensor};

/// What is added to a variance, as PyTorch does.
pub(super) const EPSILON: f64 = 1e-5;

/// The parameter's node, if there is one.
pub(super) fn bound<'t, F: TensorFloat>(
    x: TensorVar<'t, F>,
    parameter: Option<&Parameter<F>>,
) -> Option<TensorVar<'t, F>> {
    parameter.map(|parameter| x.tape().parameter(parameter))
}

/// Names the layer of an error by one of its parameters, if it has any.
pub(super) fn anchored<F: TensorFloat>(error: Error, parameter: Option<&Parameter<F>>, name: &str) -> Error {
    match parameter {
        Some(parameter) => error.anchored(parameter.id(), name),
        None => error,
    }
}

/// Layer normalisation: every item's features brought to mean 0 and variance 1, then `weight` and `bias`, feature by
/// feature.
///
/// Shapes: `x: [.., features]`, weight, bias and output accordingly. The weight starts at 1, the bias at 0; epsilon is
/// 1e-5.
/// Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016.
///
/// # Examples
/// ```
/// use wengert_nn::{Layer, LayerNorm};
/// use wengert_tensor::Tensor;
///
/// let y = LayerNorm::<f64>::new([2]).epsilon(0.0).predict(&Tensor::from([[1.0, 3.0]]))?;
/// assert_eq!(y.to_vec(), [-1.0, 1.0]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct LayerNorm<F: TensorFloat = f32> {
    /// The shape of the features.
    pub weight: Option<Parameter<F>>,
    /// The shape of the features.
    pub bias: Option<Parameter<F>>,
    #[module(skip)]
    features: Shape,
    #[module(skip)]
    epsilon: f64,
}

impl<F: TensorFloat> LayerNorm<F> {
    /// Over the last axes, which have these sizes.
    #[must_use]
    pub fn new(features: impl Into<Shape>) -> Self {
        let features = features.into();
        let weight = Some(Parameter::new(Tensor::ones(&features)));
        LayerNorm { weight, bias: Some(Parameter::new(Tensor::zeros(&features))), features, epsilon: EPSILON }
    }

    /// The same layer with this added to variances.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        LayerNorm { epsilon, ..self }
    }

    /// The same layer without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        LayerNorm { bias: None, ..self }
    }

    /// The same layer without weight and bias.
    #[must_use]
    pub fn without_parameters(self) -> Self {
        LayerNorm { weight: None, bias: None, ..self }
    }
}

impl<F: TensorFloat> Layer<F> for LayerNorm<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let (weight, bias) = (bound(x, self.weight.as_ref()), bound(x, self.bias.as_ref()));
        x.try_layer_norm(&self.features, weight, bias, self.epsilon)
            .map_err(|error| anchored(error.into(), self.weight.as_ref(), "weight"))
    }
}

/// Root-mean-square normalisation: every item's features divided by the root of their mean square, then `weight`,
/// feature by feature.
///
/// Shapes: `x: [.., features]`, weight and output accordingly. The weight starts at 1; epsilon is 1e-5. Source: B.
/// Zhang and R. Sennrich, "Root mean square layer normalization", 2019.
#[derive(Debug, Clone, Module)]
pub struct RmsNorm<F: TensorFloat = f32> {
    /// The shape of the features.
    pub weight: Option<Parameter<F>>,
    #[module(skip)]
    features: Shape,
    #[module(skip)]
    epsilon: f64,
}

impl<F: TensorFloat> RmsNorm<F> {
    /// Over the last axes, which have these sizes.
    #[must_use]
    pub fn new(features: impl Into<Shape>) -> Self {
        let features = features.into();
        RmsNorm { weight: Some(Parameter::new(Tensor::ones(&features))), features, epsilon: EPSILON }
    }

    /// The same layer with this added to mean squares.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        RmsNorm { epsilon, ..self }
    }

    /// The same layer without a weight.
    #[must_use]
    pub fn without_parameters(self) -> Self {
        RmsNorm { weight: None, ..self }
    }
}

impl<F: TensorFloat> Layer<F> for RmsNorm<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        x.try_rms_norm(&self.features, bound(x, self.weight.as_ref()), self.epsilon)
            .map_err(|error| anchored(error.into(), self.weight.as_ref(), "weight"))
    }
}

/// Group normalisation: groups of channels brought to mean 0 and variance 1, image by image, then `weight` and `bias`,
/// channel by channel. With as many groups as channels it is instance normalisation.
///
/// Shapes: `x: [n, channels, ..]`, weight and bias `[channels]`, output like `x`. The weight starts at 1, the bias at
/// 0; epsilon is 1e-5. Source: Y. Wu and K. He, "Group normalization", 2018.
#[derive(Debug, Clone, Module)]
pub struct GroupNorm<F: TensorFloat = f32> {
    /// `[channels]`.
    pub weight: Option<Parameter<F>>,
    /// `[channels]`.
    pub bias: Option<Parameter<F>>,
    #[module(skip)]
    groups: usize,
    #[module(skip)]
    epsilon: f64,
}

impl<F: TensorFloat> GroupNorm<F> {
    /// So many groups of channels.
    ///
    /// # Panics
    /// With the text of the error that [`try_new`](Self::try_new) returns.
    #[must_use]
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> Self {
        match Self::try_new(groups, channels) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`new`](Self::new), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::Groups`] if the channels are not a multiple of the groups, [`Error::Setting`] if there are none;
    /// [`Error::Shape`] if there is no memory.
    pub fn try_new(groups: usize, channels: usize) -> Result<Self, Error> {
        if channels == 0 {
            return Err(Error::Setting { of: "group_norm", setting: "channels", value: 0.0, expected: "at least 1" });
        }
        if channels.checked_rem(groups) != Some(0) {
            return Err(Error::Groups { layer: "group_norm", groups, channels });
        }
        Ok(GroupNorm {
            weight: Some(Parameter::new(Tensor::try_ones([channels])?)),
            bias: Some(Parameter::new(Tensor::try_zeros([channels])?)),
            groups,
            epsilon: EPSILON,
        })
    }

    /// The same layer with this added to variances.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        GroupNorm { epsilon, ..self }
    }

    /// The same layer without weight and bias.
    #[must_use]
    pub fn without_parameters(self) -> Self {
        GroupNorm { weight: None, bias: None, ..self }
    }
}

impl<F: TensorFloat> Layer<F> for GroupNorm<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let (weight, bias) = (bound(x, self.weight.as_ref()), bound(x, self.bias.as_ref()));
        x.try_group_norm(self.groups, weight, bias, self.epsilon)
            .map_err(|error| anchored(error.into(), self.weight.as_ref(), "weight"))
    }
}
