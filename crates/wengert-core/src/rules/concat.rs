//! Tensors put together along an axis they have (`concat`) or a new one (`stack`).
//!
//! Shapes: `concat` of `[.., n_k, ..]` gives `[.., sum n_k, ..]`; `stack` of `m` times `[..]` gives `[.., m, ..]`.
//! Cotangents: the slices of `y_bar`.

use super::reshape::reshape;
use super::slice::slice;
use super::{Array, Cotangents, Op, Pushforward};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Axis, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Concat<F>(Axis, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Concat<F> {
    const NAME: &'static str = "concat";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        Tensor::try_concat(x, self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let axis = self.0.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let mut from = 0;
        let parts = x.iter().zip(wanted).map(|(x, &wanted)| {
            let to = from + x.shape()[axis] as isize;
            let part = wanted.then(|| slice(&y_bar, axis, from..to));
            from = to;
            part
        });
        parts.collect()
    }
}

#[derive(Clone)]
pub(crate) struct Stack<F>(Axis, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Stack<F> {
    const NAME: &'static str = "stack";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        Tensor::try_stack(x, self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let axis = self.0.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let part = |(k, (x, &wanted)): (usize, (&&A, &bool))| {
            let k = k as isize;
            wanted.then(|| reshape(&slice(&y_bar, axis, k..k + 1), &x.shape()))
        };
        x.iter().zip(wanted).enumerate().map(part).collect()
    }
}

pub(crate) fn concat<F: TensorFloat, A: Array<F>>(parts: &[&A], axis: usize) -> A {
    Concat(axis.into(), PhantomData).on(parts)
}

pub(crate) fn stack<F: TensorFloat, A: Array<F>>(parts: &[&A], axis: usize) -> A {
    Stack(axis.into(), PhantomData).on(parts)
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Tensors put together along `axis`, in which alone they may differ.
    ///
    /// Shapes: `[.., n_k, ..]` each, result `[.., n_1 + n_2 + .., ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_concat`](Self::try_concat) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_core::TensorVar;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([1.0, 2.0]), tape.tensor([3.0]));
    /// let y = TensorVar::concat(&[a, b, a], 0);
    /// assert_eq!(y.value().to_vec(), [1.0, 2.0, 3.0, 1.0, 2.0]);
    /// assert_eq!(y.sum().gradient()[a].to_vec(), [2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn concat(parts: &[Self], axis: impl Into<Axis>) -> Self {
        Self::try_concat(parts, axis).or_panic()
    }

    /// [`concat`](Self::concat), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if shapes differ elsewhere or the axis does not exist; [`Error::Empty`] of nothing;
    /// [`Error::MixedTapes`] if the parts are of two tapes.
    #[track_caller]
    pub fn try_concat(parts: &[Self], axis: impl Into<Axis>) -> Result<Self, Error> {
        Self::try_record_many(Concat(axis.into(), PhantomData), parts)
    }

    /// Tensors of one shape put together along a new axis at position `axis`.
    ///
    /// # Panics
    /// With the text of the error that [`try_stack`](Self::try_stack) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_core::TensorVar;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([1.0, 2.0]), tape.tensor([3.0, 4.0]));
    /// assert_eq!(TensorVar::stack(&[a, b], 1).value().to_vec(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn stack(parts: &[Self], axis: impl Into<Axis>) -> Self {
        Self::try_stack(parts, axis).or_panic()
    }

    /// [`stack`](Self::stack), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_concat`](Self::try_concat).
    #[track_caller]
    pub fn try_stack(parts: &[Self], axis: impl Into<Axis>) -> Result<Self, Error> {
        Self::try_record_many(Stack(axis.into(), PhantomData), parts)
    }
}
