//! The Wengert list: rules, tape and transforms.
//!
//! A guided tour:
//!
//! - [`Tape`] records; [`Var`] is a scalar on it. Reverse mode in three lines:
//!   `let x = tape.var(2.0); let y = x * x; y.gradient()[x]`.
//! - [`Number`] is what generic functions are written over, [`Dual`] is forward mode, [`Primal`] what a tape may be built over.
//! - [`transform`] holds functions of functions: [`grad`], [`value_and_grad`], [`jacobian`], [`hvp`], [`hessian`].
//! - [`mod@custom`] holds functions with a derivative of the user's own; [`solve`] and [`root`] differentiate solutions of
//!   equations; [`mod@checkpoint`] trades evaluations for memory in long computations.
//! - [`Error`] is what can go wrong, with the line it went wrong on.
//!
//! The elementary functions are rows of one table in `wengert-kernels`; a rule for tensors is one file in `rules`.

pub mod checkpoint;
#[cfg(doctest)]
mod compile_fail;
pub mod custom;
mod dual;
mod error;
mod implicit;
mod number;
mod rules;
mod tape;
mod tensor;
pub mod transform;

pub use checkpoint::{CheckpointedLoop, StepFn, checkpoint};
pub use custom::{CustomFn, CustomVectorFn, custom, custom_vector};
pub use dual::Dual;
pub use error::{Caller, Error};
pub use implicit::{Equations, root, root_at, solve, try_root, try_root_at, try_solve};
pub use number::{Number, Primal, TensorSide};
pub use rules::{Labels, TensorOp};
pub use tape::{
    Comparison, Gradients, Handle, Mark, Nary, OnTape, Pullback, Scalar, Tape, TapeSize, UnaryOp, Unbound, Var, Wrt,
    dot, fuse, fuse_n, log_sum_exp, norm2,
};
pub use tensor::Nodes;
pub use tensor::{Parameter, ParameterId, TensorAdjoints, TensorFloat, TensorVar};
pub use transform::{ScalarFn, grad, hessian, hvp, jacobian, value_and_grad};
pub use wengert_kernels::{Binary, BinaryFunctions, Elementary, Float, Unary, UnaryFunctions};

/// A tape in single precision.
pub type Tape32 = Tape<f32>;

/// What most programs use: `use wengert::prelude::*`.
pub mod prelude {
    pub use crate::transform::{ScalarFn, grad, hessian, hvp, jacobian, value_and_grad};
    pub use crate::{
        BinaryFunctions, CheckpointedLoop, CustomFn, CustomVectorFn, Dual, Elementary, Equations, Gradients, Number,
        Parameter, StepFn, Tape32, TensorVar, UnaryFunctions, Var, checkpoint, custom, custom_vector, dot, function,
        fuse, fuse_n, log_sum_exp, norm2, root, root_at, solve,
    };

    /// A tape in double precision: [`Tape`](crate::Tape) with its number chosen, so that `Tape::new()` says enough.
    pub type Tape = crate::Tape<f64>;
}
