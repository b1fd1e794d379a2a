//! Largest and smallest elements over axes.
//!
//! Shapes: as sums. Cotangent: `y_bar` to the elements equal to the extreme, split evenly among ties; NaN wins, and
//! takes a NaN gradient with it.

use super::sum::{broadcast_back, sum_axes};
use super::zip::zip;
use super::{Array, Cotangents, Op, one, two};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::Binary;
use wengert_tensor::{Axes, ShapeError, Tensor, keep};

#[derive(Clone)]
pub(crate) struct Extreme<F> {
    axes: Axes,
    largest: bool,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Extreme<F> {
    const NAME: &'static str = "max/min";

    fn label(&self) -> &'static str {
        if self.largest { "max" } else { "min" }
    }

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        if self.largest { x[0].try_max_axes(self.axes.clone()) } else { x[0].try_min_axes(self.axes.clone()) }
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let y_bar = broadcast_back(&y_bar, &self.axes, &x[0].shape());
        one(zip(Binary::MulZero, &self.shares(x[0], y), &y_bar))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        Some(sum_axes(&zip(Binary::MulZero, &self.shares(x[0], y), x_dot[0]?), self.axes.clone()))
    }
}

impl<F: TensorFloat> Extreme<F> {
    /// The share that each element has in the extreme.
    fn shares<A: Array<F>>(&self, x: &A, y: &A) -> A {
        let extreme = broadcast_back(y, &self.axes, &x.shape());
        TieShare(self.axes.clone(), PhantomData).on(&[x, &extreme])
    }
}

/// The share of an extreme's gradient that goes to each element; its own derivative is 0.
#[derive(Clone)]
pub(crate) struct TieShare<F>(Axes, PhantomData<F>);

impl<F: TensorFloat> Op<F> for TieShare<F> {
    const NAME: &'static str = "tie_share";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        // NaN equals nothing: where the extreme is NaN, mark every element with it.
        let mark = |x: F, extreme: F| match (x == extreme, extreme.is_nan()) {
            (_, true) => F::NAN,
            (equal, _) => F::from_f64(f64::from(u8::from(equal))),
        };
        let ties = x[0].try_zip_map(x[1], mark)?;
        let count = ties.try_sum_axes(keep(self.0.clone()))?;
        ties.try_zip_binary(Binary::Div, &count)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, _y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        two(None, None)
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The largest element. A tie splits the gradient evenly; NaN wins.
    ///
    /// Shapes: `x: [..]`, result `[]`.
    ///
    /// # Panics
    /// If there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, 1.0, 3.0]);
    /// assert_eq!(x.max().gradient()[x].to_vec(), [0.5, 0.0, 0.5]);
    /// ```
    #[track_caller]
    pub fn max(self) -> Self {
        self.max_axes(Axes::ALL)
    }

    /// The smallest element. A tie splits the gradient evenly; NaN wins.
    ///
    /// Shapes: `x: [..]`, result `[]`.
    ///
    /// # Panics
    /// If there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, 1.0, 1.0]);
    /// assert_eq!(x.min().item(), 1.0);
    /// assert_eq!(x.min().gradient()[x].to_vec(), [0.0, 0.5, 0.5]);
    /// ```
    #[track_caller]
    pub fn min(self) -> Self {
        self.min_axes(Axes::ALL)
    }

    /// The largest element over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// With the text of the error that [`try_max_axes`](Self::try_max_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// let y = x.max_axes(1);
    /// assert_eq!(y.value().to_vec(), [5.0, 6.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn max_axes(self, axes: impl Into<Axes>) -> Self {
        self.record1(Extreme { axes: axes.into(), largest: true, number: PhantomData })
    }

    /// [`max_axes`](Self::max_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist, is named twice, or has no entries.
    #[track_caller]
    pub fn try_max_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        self.try_record1(Extreme { axes: axes.into(), largest: true, number: PhantomData })
    }

    /// The smallest element over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// With the text of the error that [`try_min_axes`](Self::try_min_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// let y = x.min_axes(1);
    /// assert_eq!(y.value().to_vec(), [1.0, 3.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn min_axes(self, axes: impl Into<Axes>) -> Self {
        self.record1(Extreme { axes: axes.into(), largest: false, number: PhantomData })
    }

    /// [`min_axes`](Self::min_axes), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_max_axes`](Self::try_max_axes).
    #[track_caller]
    pub fn try_min_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        self.try_record1(Extreme { axes: axes.into(), largest: false, number: PhantomData })
    }
}
