//! The Wengert list: rules, tape and transforms.
//!
//! A guided tour:
//!
//! - [`Tape`] records; [`Var`] is a scalar on it. Reverse mode in three lines:
//!   `let x = tape.var(2.0); let y = x * x; y.gradient()[x]`.
//! - [`Number`] is what generic functions are written over, [`Dual`] is forward mode, [`Primal`] what a tape may be built over.
//! - [`transform`] holds functions of functions: [`grad`], [`value_and_grad`], [`jacobian`], [`hvp`], [`hessian`].
//! - [`Error`] is what can go wrong, with the line it went wrong on.
//!
//! The elementary functions are rows of one table in `wengert-kernels`; a rule for tensors is one file in `rules`.

#[cfg(doctest)]
mod compile_fail;
mod dual;
mod error;
mod number;
mod rules;
mod tape;
mod tensor;
pub mod transform;

pub use dual::Dual;
pub use error::{Caller, Error};
pub use number::{Number, Primal, TensorSide};
pub use rules::Labels;
pub use tape::{
    Comparison, Gradients, Handle, Mark, Nary, OnTape, Scalar, Tape, TapeSize, UnaryOp, Unbound, Var, Wrt, dot, fuse,
    fuse_n, log_sum_exp, norm2,
};
pub use tensor::Nodes;
pub use tensor::{Parameter, ParameterId, TensorAdjoints, TensorFloat, TensorVar};
pub use transform::{ScalarFn, grad, hessian, hvp, jacobian, value_and_grad};
pub use wengert_kernels::{
    Binary, BinaryFunctions, Elementary, Float, Parametric, ParametricFunctions, Unary, UnaryFunctions,
};

/// A tape in single precision.
pub type Tape32 = Tape<f32>;

/// What most programs use: `use wengert::prelude::*`.
pub mod prelude {
    pub use crate::transform::{ScalarFn, grad, hessian, hvp, jacobian, value_and_grad};
    pub use crate::{
        BinaryFunctions, Dual, Elementary, Gradients, Number, Parameter, ParametricFunctions, Tape32, TensorVar,
        UnaryFunctions, Var, dot, function, fuse, fuse_n, log_sum_exp, norm2,
    };

    /// A tape in double precision: [`Tape`](crate::Tape) with its number chosen, so that `Tape::new()` says enough.
    pub type Tape = crate::Tape<f64>;
}
