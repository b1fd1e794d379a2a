//! The same elements in the same order under another shape.
//!
//! Shapes: `x: [..]`, `y: shape` of as many elements. Cotangent: the reshape back.

use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Axis, Shape, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Reshape<F>(Shape, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Reshape<F> {
    const NAME: &'static str = "reshape";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_reshape(self.0.clone())
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(reshape(&y_bar, &x[0].shape()))
    }
}

impl<F> Reshape<F> {
    pub(crate) fn to(shape: Shape) -> Self {
        Reshape(shape, PhantomData)
    }
}

pub(crate) fn reshape<F: TensorFloat, A: Array<F>>(x: &A, shape: &Shape) -> A {
    if x.shape() == *shape { x.clone() } else { Reshape(shape.clone(), PhantomData).on(&[x]) }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The same elements under another shape.
    ///
    /// # Panics
    /// With the text of the error that [`try_reshape`](Self::try_reshape) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(x.reshape([2, 2]).value().at([1, 0]), 3.0);
    /// ```
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Self {
        self.record1(Reshape(shape.into(), PhantomData))
    }

    /// [`reshape`](Self::reshape), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if `shape` has another number of elements.
    #[track_caller]
    pub fn try_reshape(self, shape: impl Into<Shape>) -> Result<Self, Error> {
        self.try_record1(Reshape(shape.into(), PhantomData))
    }

    /// All axes from `axis` on made one: `[n, c, h, w]` becomes `[n, c h w]` from axis 1.
    ///
    /// # Panics
    /// With the text of the error that [`try_flatten_from`](Self::try_flatten_from) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0], [2.0]]]);
    /// assert_eq!(x.flatten_from(1).shape().to_vec(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn flatten_from(self, axis: impl Into<Axis>) -> Self {
        self.try_flatten_from(axis).or_panic()
    }

    /// [`flatten_from`](Self::flatten_from), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist.
    #[track_caller]
    pub fn try_flatten_from(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        let shape = self.shape();
        let axis = self.fit(axis.into().resolve("flatten_from", &shape))?;
        let flat: Shape = shape[..axis].iter().copied().chain([shape[axis..].iter().product()]).collect();
        self.try_reshape(flat)
    }

    /// A new axis of one entry before position `axis`.
    ///
    /// Shapes: `[m, n] -> [m, 1, n]` for axis 1.
    ///
    /// # Panics
    /// With the text of the error that [`try_unsqueeze`](Self::try_unsqueeze) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// assert_eq!(x.unsqueeze(0).shape().to_vec(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn unsqueeze(self, axis: impl Into<Axis>) -> Self {
        self.try_unsqueeze(axis).or_panic()
    }

    /// [`unsqueeze`](Self::unsqueeze), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such position.
    #[track_caller]
    pub fn try_unsqueeze(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        let shape = self.peek().try_unsqueeze(axis).map(|value| value.shape().clone());
        self.try_reshape(self.fit(shape)?)
    }

    /// Without the axis named, which must have one entry.
    ///
    /// Shapes: `[m, 1, n] -> [m, n]` for axis 1.
    ///
    /// # Panics
    /// With the text of the error that [`try_squeeze`](Self::try_squeeze) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0]]);
    /// assert_eq!(x.squeeze(0).shape().to_vec(), [2]);
    /// ```
    #[track_caller]
    pub fn squeeze(self, axis: impl Into<Axis>) -> Self {
        self.try_squeeze(axis).or_panic()
    }

    /// [`squeeze`](Self::squeeze), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist or has another number of entries.
    #[track_caller]
    pub fn try_squeeze(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        let shape = self.peek().try_squeeze(axis).map(|value| value.shape().clone());
        self.try_reshape(self.fit(shape)?)
    }
}
