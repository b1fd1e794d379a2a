//! The fully connected layer.

use crate::Module;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use core::panic::Location;
use rand::Rng;
use wengert_core::{Caller, Parameter, TensorFloat, TensorVar};
use wengert_tensor::Tensor;

/// Fully connected layer, `y = x wT + b`.
///
/// Shapes: `x: [.., inputs]`, `weight: [outputs, inputs]`, `bias: [outputs]`, output `[.., outputs]`.
///
/// Weight and bias start uniform within `1/sqrt(inputs)` of 0, as PyTorch's do.
///
/// # Examples
/// ```
/// use wengert_nn::{Layer, Linear};
/// use wengert_tensor::{rng, Tensor};
///
/// let mut layer = Linear::new(2, 1, &mut rng(0));
/// *layer.weight.value_mut() = Tensor::from([[2.0, 3.0]]);
/// *layer.bias.as_mut().unwrap().value_mut() = Tensor::from([10.0]);
/// let y = layer.predict(&Tensor::from([[1.0, 0.0], [1.0, 1.0]]))?;
/// assert_eq!(y.to_vec(), [12.0, 15.0]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Linear<F: TensorFloat = f32> {
    /// `[outputs, inputs]`.
    pub weight: Parameter<F>,
    /// `[outputs]`.
    pub bias: Option<Parameter<F>>,
    /// Where the layer was made: what an error about its shape names.
    #[module(skip)]
    made: Caller,
}

impl<F: TensorFloat> Linear<F> {
    /// A layer from `inputs` to `outputs` features.
    ///
    /// # Panics
    /// With the text of the error that [`try_new`](Self::try_new) returns.
    #[track_caller]
    pub fn new(inputs: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        match Self::try_new(inputs, outputs, rng) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`new`](Self::new), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::Setting`] for no inputs or no outputs; [`Error::Shape`] if there is no memory for the weight.
    #[track_caller]
    pub fn try_new(inputs: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Self, Error> {
        for (setting, value) in [("inputs", inputs), ("outputs", outputs)] {
            if value == 0 {
                return Err(Error::Setting { of: "linear", setting, value: 0.0, expected: "at least 1" });
            }
        }
        let bound = F::from_f64(1.0 / (inputs as f64).sqrt());
        Ok(Linear {
            weight: Parameter::new(Tensor::try_uniform([outputs, inputs], -bound, bound, rng)?),
            bias: Some(Parameter::new(Tensor::try_uniform([outputs], -bound, bound, rng)?)),
            made: Location::caller(),
        })
    }

    /// The same layer without a bias, `y = x wT`.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Linear { bias: None, ..self }
    }

    /// The number of features it takes.
    pub fn inputs(&self) -> usize {
        self.weight.value().shape().last().copied().unwrap_or(0)
    }

    /// The number of features it gives.
    pub fn outputs(&self) -> usize {
        self.weight.value().shape().first().copied().unwrap_or(0)
    }

    #[track_caller]
    fn apply<'t>(&self, x: TensorVar<'t, F>) -> Result<TensorVar<'t, F>, Error> {
        let input = x.shape();
        if input.last() != Some(&self.inputs()) {
            return Err(Error::Features { layer: "linear", expected: self.inputs(), input, made: self.made });
        }
        // A single item is a batch of one.
        let rows = if input.rank() == 1 { x.try_reshape([1, self.inputs()])? } else { x };
        let weight = x.tape().parameter(&self.weight);
        let y = match &self.bias {
            Some(bias) => rows.try_linear(weight, x.tape().parameter(bias))?,
            None => rows.try_matmul_t(false, weight, true)?,
        };
        Ok(if input.rank() == 1 { y.try_reshape([self.outputs()])? } else { y })
    }
}

impl<F: TensorFloat> Layer<F> for Linear<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        self.apply(x).map_err(|error| error.anchored(self.weight.id(), "weight"))
    }
}
