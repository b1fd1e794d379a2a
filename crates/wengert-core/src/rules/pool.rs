//! The largest and the mean of windows of images.
//!
//! Shapes: `x: [n, c, h, w]`, `y: [n, c, oh, ow]`. The mean is linear and keeps nothing; of the largest the places are
//! kept, and with them it is linear too: what flows back goes to the first of the largest in each window.

use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use std::sync::Arc;
use wengert_tensor::{Places, Pooling, Shape, ShapeError, Tensor};

/// The largest of each window; knows the places once it has run.
#[derive(Clone)]
pub(crate) struct MaxPool2d<F>(Box<Pooling>, Option<Arc<Places>>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for MaxPool2d<F> {
    const NAME: &'static str = "max_pool2d";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (y, places) = x[0].try_max_pool2d_with_places(&self.0)?;
        self.1 = Some(Arc::new(places));
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        match &self.1 {
            Some(places) => one(scatter(places, &y_bar)),
            None => unreachable!("a pullback runs after its op"),
        }
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        Some(pick(self.1.as_ref()?, x_dot[0]?))
    }
}

/// Elements added to zeros at the places of a pooling.
#[derive(Clone)]
pub(crate) struct ScatterPlaces<F>(Arc<Places>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for ScatterPlaces<F> {
    const NAME: &'static str = "max_pool2d_adjoint";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        self.0.scatter(x[0])
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(pick(&self.0, &y_bar))
    }
}

/// The elements at the places of a pooling.
#[derive(Clone)]
pub(crate) struct PickPlaces<F>(Arc<Places>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for PickPlaces<F> {
    const NAME: &'static str = "max_pool2d_pick";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        self.0.pick(x[0])
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(scatter(&self.0, &y_bar))
    }
}

/// Zeros with `y_bar` added at the places.
pub(super) fn scatter<F: TensorFloat, A: Array<F>>(places: &Arc<Places>, y_bar: &A) -> A {
    ScatterPlaces(places.clone(), PhantomData).on(&[y_bar])
}

/// What lies at the places.
pub(super) fn pick<F: TensorFloat, A: Array<F>>(places: &Arc<Places>, x: &A) -> A {
    PickPlaces(places.clone(), PhantomData).on(&[x])
}

/// The mean of each window.
#[derive(Clone)]
pub(crate) struct AvgPool2d<F>(Box<Pooling>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for AvgPool2d<F> {
    const NAME: &'static str = "avg_pool2d";
    const READS_RESULT: bool = false;
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_avg_pool2d(&self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(SpreadMeans(Box::new((*self.0, x[0].shape())), PhantomData).on(&[&y_bar]))
    }
}

/// Each mean's share to all entries of its window.
#[derive(Clone)]
pub(crate) struct SpreadMeans<F>(Box<(Pooling, Shape)>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for SpreadMeans<F> {
    const NAME: &'static str = "avg_pool2d_adjoint";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        Tensor::avg_pool2d_adjoint(&self.0.1, x[0], &self.0.0)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(AvgPool2d(Box::new(self.0.0), PhantomData).on(&[&y_bar]))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The largest element of each window. Of equal elements the first receives the gradient; NaN counts as largest;
    /// what lies outside the images never is.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c, oh, ow]` with `oh = (h + 2 padding - kernel) / stride + 1`.
    ///
    /// # Panics
    /// With the text of the error that [`try_max_pool2d`](Self::try_max_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0, 7.0, 3.0, 3.0], [5.0, 2.0, 0.0, 3.0]]]]);
    /// let y = x.max_pool2d(&Pooling::new(2));
    /// assert_eq!(y.value().to_vec(), [7.0, 3.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn max_pool2d(self, pooling: &Pooling) -> Self {
        self.try_max_pool2d(pooling).or_panic()
    }

    /// [`max_pool2d`](Self::max_pool2d), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not four axes, a setting has no meaning or the window does not fit.
    #[track_caller]
    pub fn try_max_pool2d(self, pooling: &Pooling) -> Result<Self, Error> {
        self.try_record1(MaxPool2d(Box::new(*pooling), None, PhantomData))
    }

    /// The mean of each window; places outside the images count, as zeros.
    ///
    /// Shapes: as [`max_pool2d`](Self::max_pool2d).
    ///
    /// # Panics
    /// With the text of the error that [`try_avg_pool2d`](Self::try_avg_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0, 7.0, 3.0, 3.0], [5.0, 3.0, 0.0, 2.0]]]]);
    /// let y = x.avg_pool2d(&Pooling::new(2));
    /// assert_eq!(y.value().to_vec(), [4.0, 2.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.25; 8]);
    /// ```
    #[track_caller]
    pub fn avg_pool2d(self, pooling: &Pooling) -> Self {
        self.try_avg_pool2d(pooling).or_panic()
    }

    /// [`avg_pool2d`](Self::avg_pool2d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_max_pool2d`](Self::try_max_pool2d).
    #[track_caller]
    pub fn try_avg_pool2d(self, pooling: &Pooling) -> Result<Self, Error> {
        self.try_record1(AvgPool2d(Box::new(*pooling), PhantomData))
    }
}
