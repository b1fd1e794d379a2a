//! Functions with a derivative of the user's own.
//!
//! Why: the derivative is known in closed form where the value takes an iteration or a table; the value comes from
//! another library; a derivative is to be replaced by another one (straight-through estimators, gradient clipping).
//!
//! | | value and derivative | callable from |
//! |---|---|---|
//! | [`Scalar::custom`](crate::Scalar::custom) | two numbers | variables |
//! | [`custom`] | a closure on numbers | variables, first order |
//! | [`CustomFn`] | value on floats, partials on every number | generic code, any order |
//! | [`custom_vector`] | a closure that returns results and their pullback | variables, first order |
//! | [`CustomVectorFn`] | value on floats, pullback on every number | generic code, any order |
//! | [`TensorOp`](crate::TensorOp) | forward on tensors, pullback on tensor variables | tensors, any order |
//!
//! `wengert_check::check` compares the derivative with finite differences and names the first argument that is wrong.

mod scalar;
mod vector;

pub use scalar::{CustomFn, custom};
pub(crate) use vector::RULE;
pub use vector::{CustomVectorFn, Entry, custom_vector};
