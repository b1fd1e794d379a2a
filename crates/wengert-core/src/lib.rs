//! The Wengert list: rules, tape and transforms.
//!
//! A guided tour:
//!
//! - [`Tape`] records; [`Var`] is a scalar on it. Reverse mode in three lines:
//!   `let x = tape.var(2.0); let y = x * x; y.gradient()[x]`.
//! - [`Real`] is a variable without a lifetime, for code that was written for plain numbers; [`real`] tells when to use
//!   it.
//! - [`Number`] is what generic functions are written over, [`Dual`] is forward mode, [`Taylor`] forward mode of any
//!   order, [`Primal`] what a tape may be built over. [`dot`], [`log_sum_exp`] and other [`reductions`] work on all of
//!   them.
//! - [`transform`] holds functions of functions: [`grad`], [`value_and_grad`], [`jacobian`], [`hvp`], [`hessian`],
//!   [`jvp`], [`vjp`], [`laplacian`], [`taylor`]; [`map_reduce`] sums over items on all cores.
//! - [`Function`] is a scalar program recorded once and replayed at other points, [`TensorFunction`] a program of
//!   tensors.
//! - [`mod@custom`] holds functions with a derivative of the user's own; [`solve`] and [`root`] differentiate solutions
//!   of equations; [`mod@checkpoint`] trades evaluations for memory in long computations.
//! - With feature `linalg`, tensors on a tape have `cholesky`, `solve`, `det`, `qr`, `eigh`, `svd`, `expm` and others.
//! - To look into a tape: [`Tape::listing`], [`Tape::to_graphviz`], [`Tape::to_svg`], [`Tape::profile`],
//!   [`Tape::watch_nonfinite`].
//! - [`Error`] is what can go wrong, with the line it went wrong on.
//!
//! The elementary functions are rows of one table in `wengert-kernels`; a rule for tensors is one file in `rules`.

pub mod checkpoint;
#[cfg(doctest)]
mod compile_fail;
pub mod custom;
mod drawing;
mod dual;
mod error;
mod function;
mod implicit;
pub mod interop;
mod number;
mod operators;
mod program;
pub mod real;
pub mod reductions;
mod rules;
mod seeing;
mod tape;
mod taylor;
mod tensor;
pub mod transform;

pub use checkpoint::{CheckpointedLoop, StepFn, checkpoint, checkpoint_tensors, try_checkpoint_tensors};
pub use custom::{CustomFn, CustomVectorFn, custom, custom_vector};
pub use dual::Dual;
pub use error::{Caller, Error};
pub use function::{Answer, Csr, Function, FunctionError, OnRecorder, Place, Recorder, SparseProgram, Symbol};
pub use implicit::{Equations, root, root_at, solve, try_root, try_root_at, try_solve};
pub use number::{Number, Primal, TensorSide};
pub use program::TensorFunction;
pub use real::{OnThread, Real, RealTape, Threaded};
pub use reductions::{affine, dot, log_sum_exp, mean, norm2, product, sum, variance};
pub use rules::{Labels, TensorOp, try_zip_map, try_zip_map_mean, try_zip_map_sum, zip_map, zip_map_mean, zip_map_sum};
pub use seeing::{Listing, NonFinite, OpTimes, Profile, Quantity};
pub use tape::{
    Comparison, Differentiable, Gradients, GradientsN, Handle, Mark, Nary, OnTape, Pullback, Scalar, Tape, TapeSize,
    UnaryOp, Unbound, Var, Wrt, fuse, fuse_n, map_reduce, try_map_reduce,
};
pub use taylor::Taylor;
pub use tensor::Nodes;
pub use tensor::{Parameter, ParameterId, TensorAdjoints, TensorFloat, TensorVar};
pub use transform::{
    Grad, ScalarFn, VectorFn, grad, hessian, hvp, jacobian, jacobian_of, jvp, laplacian, taylor, value_and_grad, vjp,
};
pub use wengert_kernels::{
    Binary, BinaryFunctions, Elementary, Float, Parametric, ParametricFunctions, Unary, UnaryFunctions,
};

/// A tape in single precision.
pub type Tape32 = Tape<f32>;

/// A recorded function in single precision.
pub type Function32 = Function<f32>;

/// A recorded function of tensors in single precision.
pub type TensorFunction32 = TensorFunction<f32>;

/// What most programs use: `use wengert::prelude::*`.
pub mod prelude {
    pub use crate::transform::{
        Grad, ScalarFn, VectorFn, grad, hessian, hvp, jacobian, jacobian_of, jvp, laplacian, taylor, value_and_grad,
        vjp,
    };
    pub use crate::{
        BinaryFunctions, CheckpointedLoop, CustomFn, CustomVectorFn, Dual, Elementary, Equations, Function32,
        Gradients, Number, Parameter, ParametricFunctions, Real, StepFn, Symbol, Tape32, Taylor, TensorFunction,
        TensorFunction32, TensorVar, UnaryFunctions, Var, affine, checkpoint, checkpoint_tensors, custom,
        custom_vector, dot, function, fuse, fuse_n, log_sum_exp, map_reduce, mean, norm2, product, root, root_at,
        solve, sum, variance, vector_function, zip_map, zip_map_mean, zip_map_sum,
    };

    /// A recorded function in double precision: [`Function`](crate::Function) with its number chosen.
    pub type Function = crate::Function<f64>;
    /// A tape in double precision: [`Tape`](crate::Tape) with its number chosen, so that `Tape::new()` says enough.
    pub type Tape = crate::Tape<f64>;

    /// A tape for [`Real`]s in double precision: [`RealTape`](crate::RealTape) with its number chosen.
    pub type RealTape = crate::RealTape<f64>;
}
