//! Sums, means and their adjoint, broadcasting.
//!
//! Shapes: `sum_axes` drops the axes named, or keeps them with one entry; `sum_to(shape)` sums over what broadcasting
//! from `shape` would repeat; `broadcast_to(shape)` repeats. `sum_to` and `broadcast_to` are each other's cotangent.

use super::affine::scaled;
use super::reshape::reshape;
use super::{Array, Cotangents, Fusible, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Axes, Shape, ShapeError, Tensor, keep};

/// Sum, or mean, over axes.
#[derive(Clone)]
pub(crate) struct SumAxes<F> {
    axes: Axes,
    mean: bool,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for SumAxes<F> {
    const NAME: &'static str = "sum";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        if self.mean { x[0].try_mean_axes(self.axes.clone()) } else { x[0].try_sum_axes(self.axes.clone()) }
    }

    fn fusible(&self) -> Fusible<F> {
        Fusible::Sum { mean: self.mean, all: self.axes == Axes::ALL }
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let shape = x[0].shape();
        let y_bar = if self.mean {
            // Not empty: the forward pass refuses means of nothing.
            let terms = shape.size() / y.shape().size().max(1);
            scaled(&y_bar, F::from_f64(1.0 / terms as f64))
        } else {
            y_bar
        };
        one(broadcast_back(&y_bar, &self.axes, &shape))
    }
}

/// `y`, reduced over `axes` of `shape`, repeated to `shape` again.
pub(crate) fn broadcast_back<F: TensorFloat, A: Array<F>>(y: &A, axes: &Axes, shape: &Shape) -> A {
    let reduced = axes.resolve("sum", shape).unwrap_or_default();
    let kept: Shape = shape.iter().zip(&reduced).map(|(&n, &reduced)| if reduced { 1 } else { n }).collect();
    broadcast_to(&reshape(y, &kept), shape)
}

/// Repeats along new and unit axes.
#[derive(Clone)]
pub(crate) struct BroadcastTo<F>(Shape, PhantomData<F>);

impl<F: TensorFloat> Op<F> for BroadcastTo<F> {
    const NAME: &'static str = "broadcast_to";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_broadcast_to(self.0.clone())
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(sum_to(&y_bar, &x[0].shape()))
    }
}

pub(crate) fn broadcast_to<F: TensorFloat, A: Array<F>>(x: &A, shape: &Shape) -> A {
    if x.shape() == *shape { x.clone() } else { BroadcastTo(shape.clone(), PhantomData).on(&[x]) }
}

/// Sums over what broadcasting repeats.
#[derive(Clone)]
pub(crate) struct SumTo<F>(Shape, PhantomData<F>);

impl<F: TensorFloat> Op<F> for SumTo<F> {
    const NAME: &'static str = "sum_to";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_sum_to(&self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(broadcast_to(&y_bar, &x[0].shape()))
    }
}

pub(crate) fn sum_to<F: TensorFloat, A: Array<F>>(x: &A, shape: &Shape) -> A {
    if x.shape() == *shape { x.clone() } else { SumTo(shape.clone(), PhantomData).on(&[x]) }
}

pub(crate) fn sum_axes<F: TensorFloat, A: Array<F>>(x: &A, axes: impl Into<Axes>) -> A {
    SumAxes { axes: axes.into(), mean: false, number: PhantomData }.on(&[x])
}

/// The sum over one axis, kept with one entry.
pub(crate) fn sum_keep<F: TensorFloat, A: Array<F>>(x: &A, axis: usize) -> A {
    sum_axes(x, keep(axis))
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The sum of all elements, a tensor of shape `[]`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = (x * x).sum();
    /// assert_eq!(y.item(), 30.0);
    /// assert_eq!(y.gradient()[x].to_vec(), [2.0, 4.0, 6.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn sum(self) -> Self {
        self.sum_axes(Axes::ALL)
    }

    /// The sum over the axes named; `keep(axes)` keeps them with one entry each.
    ///
    /// Shapes: without the axes named.
    ///
    /// # Panics
    /// With the text of the error that [`try_sum_axes`](Self::try_sum_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::keep;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.sum_axes(0).value().to_vec(), [5.0, 8.0, 8.0]);
    /// assert_eq!(x.sum_axes(keep(1)).shape().to_vec(), [2, 1]);
    /// ```
    #[track_caller]
    pub fn sum_axes(self, axes: impl Into<Axes>) -> Self {
        self.record1(SumAxes { axes: axes.into(), mean: false, number: PhantomData })
    }

    /// [`sum_axes`](Self::sum_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist or is named twice.
    #[track_caller]
    pub fn try_sum_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        self.try_record1(SumAxes { axes: axes.into(), mean: false, number: PhantomData })
    }

    /// The mean of all elements, a tensor of shape `[]`.
    ///
    /// # Panics
    /// If there are none.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 6.0, 7.0]);
    /// let y = x.mean();
    /// assert_eq!((y.item(), y.gradient()[x].to_vec()), (4.0, vec![0.25; 4]));
    /// ```
    #[track_caller]
    pub fn mean(self) -> Self {
        self.mean_axes(Axes::ALL)
    }

    /// The mean over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// With the text of the error that [`try_mean_axes`](Self::try_mean_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.mean_axes(1);
    /// assert_eq!(y.value().to_vec(), [1.5, 3.5]);
    /// ```
    #[track_caller]
    pub fn mean_axes(self, axes: impl Into<Axes>) -> Self {
        self.record1(SumAxes { axes: axes.into(), mean: true, number: PhantomData })
    }

    /// [`mean_axes`](Self::mean_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist, is named twice, or has no entries to take the mean of.
    #[track_caller]
    pub fn try_mean_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        self.try_record1(SumAxes { axes: axes.into(), mean: true, number: PhantomData })
    }

    /// Repeats along new and unit axes, without copying.
    ///
    /// Shapes: `[1, n] -> [m, n]`, `[n] -> [m, n]`; cotangents are summed over what was repeated.
    ///
    /// # Panics
    /// With the text of the error that [`try_broadcast_to`](Self::try_broadcast_to) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let y = x.broadcast_to([3, 2]);
    /// assert_eq!(y.value().to_vec(), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [3.0, 3.0]);
    /// ```
    #[doc(alias = "expand")]
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Self {
        self.record1(BroadcastTo(shape.into(), PhantomData))
    }

    /// [`broadcast_to`](Self::broadcast_to), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if this shape does not broadcast to `shape`.
    #[track_caller]
    pub fn try_broadcast_to(self, shape: impl Into<Shape>) -> Result<Self, Error> {
        self.try_record1(BroadcastTo(shape.into(), PhantomData))
    }

    /// Sums over what broadcasting from `shape` would repeat: the adjoint of [`broadcast_to`](Self::broadcast_to).
    ///
    /// # Panics
    /// With the text of the error that [`try_sum_to`](Self::try_sum_to) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_to([1, 2]).value().to_vec(), [4.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn sum_to(self, shape: impl Into<Shape>) -> Self {
        self.try_sum_to(shape).or_panic()
    }

    /// [`sum_to`](Self::sum_to), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if `shape` does not broadcast to this shape.
    #[track_caller]
    pub fn try_sum_to(self, shape: impl Into<Shape>) -> Result<Self, Error> {
        self.try_record1(SumTo(shape.into(), PhantomData))
    }
}
