//! Tape-based automatic differentiation: scalars and tensors on one Wengert list.
//!
//! ```
//! use wengert::prelude::*;
//!
//! let tape = Tape::new();
//! let (x, y) = (tape.var(1.5), tape.var(-0.5));
//! let f = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
//! let g = f.gradient();
//! assert_eq!((f.value(), g[x], g[y]), (756.5, 1651.0, -550.0));
//! ```
//!
//! This crate is a front: it gives the rooms behind it one name.
//!
//! - The tape, variables, transforms: here at the root ([`Tape`], [`Var`], [`TensorVar`], [`grad`], [`hessian`]).
//! - [`tensor`]: tensors as plain values.
//! - [`nn`]: layers, losses, optimizers, training.
//! - [`check`]: gradients against finite differences, for your own tests.
//! - [`threads`]: how many threads kernels use. Results never depend on it.

pub use wengert_check as check;
pub use wengert_core::*;
pub use wengert_kernels::par::threads;
pub use wengert_nn as nn;
pub use wengert_tensor as tensor;
pub use wengert_tensor::{Rng, Shape, ShapeError, Tensor, rng};

/// What most programs use: `use wengert::prelude::*`.
pub mod prelude {
    pub use wengert_core::prelude::*;
    pub use wengert_nn::prelude::*;
    #[cfg(feature = "linalg")]
    pub use wengert_tensor::Triangle;
    pub use wengert_tensor::{
        Attention, Axis, Convolution, Convolution3d, Interpolation, MatrixNorm, Pooling, Reduction, Shape, Slice,
        Tensor, TransposedConvolution, Windows, keep, rng,
    };
}

/// The README's programs, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
