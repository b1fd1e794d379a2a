//! The pullbacks of all rules, compiled once per float, in this crate.
//!
//! A generic function is compiled in the crate that uses it, again in each. A sweep can meet every rule there is, so each
//! program, each test and each example would compile them all; they are reached through this trait instead, whose
//! implementations for `f32` and `f64` are not generic. What records an op stays generic: it needs its own rule only, and
//! is inlined.

use super::{Cotangents, Rule};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::Tensor;

/// The pullbacks for one float. Private, so that it seals [`TensorFloat`].
pub(crate) trait Compiled: Sized {
    /// The cotangents of a rule's operands, on plain values.
    fn pull(
        rule: &Rule<Self>,
        x: &[&Tensor<Self>],
        y: &Tensor<Self>,
        y_bar: Tensor<Self>,
        wanted: &[bool],
    ) -> Cotangents<Tensor<Self>>
    where
        Self: TensorFloat;

    /// The same, recorded.
    fn recorded_vjp<'t>(
        rule: &Rule<Self>,
        x: &[&TensorVar<'t, Self>],
        y: &TensorVar<'t, Self>,
        y_bar: TensorVar<'t, Self>,
        wanted: &[bool],
    ) -> Cotangents<TensorVar<'t, Self>>
    where
        Self: TensorFloat;
}

macro_rules! compiled {
    ($($F:ident)*) => { $(
        impl Compiled for $F {
            fn pull(
                rule: &Rule<Self>,
                x: &[&Tensor<Self>],
                y: &Tensor<Self>,
                y_bar: Tensor<Self>,
                wanted: &[bool],
            ) -> Cotangents<Tensor<Self>> {
                rule.pull(x, y, y_bar, wanted)
            }

            fn recorded_vjp<'t>(
                rule: &Rule<Self>,
                x: &[&TensorVar<'t, Self>],
                y: &TensorVar<'t, Self>,
                y_bar: TensorVar<'t, Self>,
                wanted: &[bool],
            ) -> Cotangents<TensorVar<'t, Self>> {
                rule.vjp(x, y, y_bar, wanted)
            }
        }
    )* };
}
compiled!(f32 f64);
