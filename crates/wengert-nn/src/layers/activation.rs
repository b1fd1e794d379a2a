//! Activations: elementary functions as layers.

use super::no_parameters;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use wengert_core::{TensorFloat, TensorVar, UnaryFunctions};

macro_rules! activations {
    ($( $(#[$doc:meta])* $Layer:ident: $function:ident; )*) => { $(
        $(#[$doc])*
        ///
        /// Shapes: `x: [..]`, output `[..]`. Element by element; no parameters.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $Layer;

        no_parameters!($Layer);

        impl<F: TensorFloat> Layer<F> for $Layer {
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
}
