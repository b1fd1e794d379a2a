//! A product with a weight on top of a bias, `y = x wT + b`.
//!
//! Shapes: `x: [.., inputs]`, `w: [outputs, inputs]`, `b: [outputs]`, `y: [.., outputs]`. Keeps `x`, `w`. As a product
//! and a sum it was one more pass over memory, and the product stayed on the tape beside the sum.
//!
//! Cotangents: those of the product, and `b_bar` the sum of `y_bar` over all rows.

use super::matmul::MatMul;
use super::pushforward::total;
use super::sum::sum_to;
use super::{Array, Cotangents, Op};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Linear<F>(PhantomData<F>);

impl<F: TensorFloat> Op<F> for Linear<F> {
    const NAME: &'static str = "linear";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_linear(x[1], x[2])
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        self.vjp_unread(x, y, y_bar, wanted, &[true; 3])
    }

    fn vjp_unread<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool], read: &[bool]) -> Cotangents<A> {
        let mut cotangents = MatMul::new(false, true).cotangents(&x[..2], &y_bar, &wanted[..2], &read[..2]);
        cotangents.push(wanted[2].then(|| sum_to(&y_bar, &x[2].shape())));
        cotangents
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let product = MatMul::new(false, true).jvp(&x[..2], y, &x_dot[..2]);
        total([product, x_dot[2].cloned()], &y.shape())
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// `y = x wT + b` with `x` this tensor: the product begins with the bias, so that nothing is added afterwards and
    /// no product without it stays on the tape.
    ///
    /// Shapes: `x: [.., inputs]`, `weight: [outputs, inputs]`, `bias: [outputs]`, result `[.., outputs]`. A single item
    /// is a batch of one, `[1, inputs]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_linear`](Self::try_linear) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.constant_tensor([[1.0, 2.0], [0.0, 1.0]]);
    /// let (w, b) = (tape.tensor([[3.0, 4.0]]), tape.tensor([0.5]));
    /// let y = x.linear(w, b);
    /// assert_eq!(y.value().to_vec(), [11.5, 4.5]);
    /// let [w_bar, b_bar] = y.sum().gradient().wrt([w, b]);
    /// assert_eq!((w_bar.to_vec(), b_bar.item()), (vec![1.0, 3.0], 2.0));
    /// ```
    #[track_caller]
    pub fn linear(self, weight: Self, bias: Self) -> Self {
        self.try_linear(weight, bias).or_panic()
    }

    /// [`linear`](Self::linear), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has less than two axes, `weight` is no matrix, the last axes of both differ, or `bias`
    /// is not `[outputs]`; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_linear(self, weight: Self, bias: Self) -> Result<Self, Error> {
        Self::try_record_many(Linear(PhantomData), &[self, weight, bias])
    }
}
