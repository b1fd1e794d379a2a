//! Activations: elementary functions as layers.

use super::no_parameters;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use wengert_core::{ParametricFunctions, TensorFloat, TensorVar, UnaryFunctions};

macro_rules! activations {
    ($( $(#[$doc:meta])* $Layer:ident: $function:ident; )*) => { $(
        $(#[$doc])*
        ///
        /// Shapes: `x: [..]`, output `[..]`. Element by element; no parameters.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $Layer;

        no_parameters!($Layer);

        impl<F: TensorFloat> Layer<F> for $Layer {
            #[track_caller]
            fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
                Ok(x.$function())
            }
        }
    )* };
}

activations! {
    /// Rectifier, `max(x, 0)`, with derivative 0 at 0.
    Relu: relu;
    /// Hyperbolic tangent.
    Tanh: tanh;
    /// Logistic function, `1 / (1 + exp(-x))`.
    Sigmoid: sigmoid;
    /// `ln(1 + exp x)`, a smooth rectifier.
    Softplus: softplus;
    /// Gaussian error linear unit, `x P(x)` with the normal distribution function `P`.
    Gelu: gelu;
    /// [`Gelu`] approximated by a hyperbolic tangent, as some published models use it.
    GeluTanh: gelu_tanh;
    /// Sigmoid linear unit, or swish, `x / (1 + exp(-x))`.
    Silu: silu;
    /// `x tanh(ln(1 + exp x))`.
    Mish: mish;
    /// Self-normalising exponential linear unit.
    Selu: selu;
    /// `x` held between 0 and 6.
    Relu6: relu6;
    /// `x` held between -1 and 1.
    HardTanh: hard_tanh;
    /// `x/6 + 1/2` held between 0 and 1.
    HardSigmoid: hard_sigmoid;
    /// `x` times [`HardSigmoid`] of it.
    HardSwish: hard_swish;
}

macro_rules! activations_with_a_constant {
    ($( $(#[$doc:meta])* $Layer:ident($constant:ident): $function:ident; )*) => { $(
        $(#[$doc])*
        ///
        /// Shapes: `x: [..]`, output `[..]`. Element by element; no parameters.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $Layer(pub f64);

        no_parameters!($Layer);

        impl<F: TensorFloat> Layer<F> for $Layer {
            #[track_caller]
            fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
                let Self($constant) = *self;
                Ok(x.$function($constant))
            }
        }
    )* };
}

activations_with_a_constant! {
    /// Exponential linear unit, `x` for positive `x`, else `alpha (exp x - 1)`: `Elu(1.0)` as a rule.
    Elu(alpha): elu;
    /// Exponential linear unit with a continuous slope, `x` for positive `x`, else `alpha (exp(x/alpha) - 1)`:
    /// `Celu(1.0)` as a rule.
    Celu(alpha): celu;
    /// Leaky rectifier, `x` for positive `x`, else `slope x`: `LeakyRelu(0.01)` as a rule.
    LeakyRelu(slope): leaky_relu;
}
