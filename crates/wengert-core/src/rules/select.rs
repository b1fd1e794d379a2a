//! Elements of one tensor or another, by a condition; filling and triangles by a mask.
//!
//! Shapes: `condition`, `a` and `b` broadcast, `y` has the broadcast shape. Cotangents: `y_bar` where the element came
//! from, an exact 0 elsewhere, so that nothing of the branch not taken, NaN included, reaches a derivative.

use super::sum::sum_to;
use super::{Array, Cotangents, Op, Pushforward, two};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Shape, ShapeError, Tensor, triangle_mask};

#[derive(Clone)]
pub(crate) struct Select<F>(Tensor<bool>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Select<F> {
    const NAME: &'static str = "select";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        self.0.try_select(x[0], x[1])
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let zero = y_bar.constant(Tensor::scalar(F::ZERO));
        let a_bar = || sum_to(&select(&self.0, &y_bar, &zero), &x[0].shape());
        let b_bar = || sum_to(&select(&self.0, &zero, &y_bar), &x[1].shape());
        two(wanted[0].then(a_bar), wanted[1].then(b_bar))
    }
}

pub(crate) fn select<F: TensorFloat, A: Array<F>>(condition: &Tensor<bool>, a: &A, b: &A) -> A {
    Select(condition.clone(), PhantomData).on(&[a, b])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The element of `a` where `condition` is true, of `b` where it is false; all three are repeated to a common
    /// shape.
    ///
    /// Nothing flows to the element not taken, however infinite or undefined its derivative is.
    ///
    /// # Panics
    /// With the text of the error that [`try_select`](Self::try_select) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 0.0, 4.0]);
    /// let zero = tape.constant_tensor(0.0);
    /// let y = TensorVar::select(x.greater(0.0), x.sqrt(), zero);
    /// assert_eq!(y.value().to_vec(), [0.0, 0.0, 2.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 0.0, 0.25]);
    /// ```
    #[doc(alias = "where")]
    #[track_caller]
    pub fn select(condition: impl Into<Tensor<bool>>, a: Self, b: Self) -> Self {
        a.record2(Select(condition.into(), PhantomData), b)
    }

    /// [`select`](Self::select), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not broadcast, [`Error::MixedTapes`] if the operands are of two tapes.
    #[doc(alias = "where")]
    #[track_caller]
    pub fn try_select(condition: impl Into<Tensor<bool>>, a: Self, b: Self) -> Result<Self, Error> {
        a.try_record2(Select(condition.into(), PhantomData), b)
    }

    /// This tensor with `value` where `mask` is true; nothing flows back from there.
    ///
    /// Shapes: `self` and `mask` broadcast; result of their common shape.
    ///
    /// # Panics
    /// With the text of the error that [`try_masked_fill`](Self::try_masked_fill) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([0.0, 1000.0]);
    /// let y = x.exp().masked_fill(x.greater(10.0), 0.0);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn masked_fill(self, mask: impl Into<Tensor<bool>>, value: F) -> Self {
        self.try_masked_fill(mask, value).or_panic()
    }

    /// [`masked_fill`](Self::masked_fill), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not broadcast.
    #[track_caller]
    pub fn try_masked_fill(self, mask: impl Into<Tensor<bool>>, value: F) -> Result<Self, Error> {
        let _whole = self.whole("masked_fill");
        let mask = mask.into();
        self.fit(Shape::broadcast("masked_fill", mask.shape(), &self.shape()))?;
        Self::try_select(mask, self.tape().constant_tensor(Tensor::scalar(value)), self)
    }

    /// The lower triangle of a matrix, or of each matrix of a batch: 0 above the diagonal `offset` places to the right
    /// of the main one.
    ///
    /// Shapes: `[.., m, n]`, result alike.
    ///
    /// # Panics
    /// With the text of the error that [`try_tril`](Self::try_tril) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.tril(0).value().to_vec(), [1.0, 0.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn tril(self, offset: isize) -> Self {
        self.try_tril(offset).or_panic()
    }

    /// [`tril`](Self::tril), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are less than two axes.
    #[track_caller]
    pub fn try_tril(self, offset: isize) -> Result<Self, Error> {
        let _whole = self.whole("tril");
        let mask = self.fit(triangle_mask("tril", &self.shape(), offset, true))?;
        Self::try_select(mask, self, self.tape().constant_tensor(Tensor::scalar(F::ZERO)))
    }

    /// The upper triangle of a matrix, or of each matrix of a batch: 0 below the diagonal `offset` places to the right
    /// of the main one.
    ///
    /// Shapes: `[.., m, n]`, result alike.
    ///
    /// # Panics
    /// With the text of the error that [`try_triu`](Self::try_triu) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.triu(0).value().to_vec(), [1.0, 2.0, 0.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn triu(self, offset: isize) -> Self {
        self.try_triu(offset).or_panic()
    }

    /// [`triu`](Self::triu), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are less than two axes.
    #[track_caller]
    pub fn try_triu(self, offset: isize) -> Result<Self, Error> {
        let _whole = self.whole("triu");
        let mask = self.fit(triangle_mask("triu", &self.shape(), offset, false))?;
        Self::try_select(mask, self, self.tape().constant_tensor(Tensor::scalar(F::ZERO)))
    }
}
