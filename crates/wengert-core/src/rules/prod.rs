//! Products over axes.
//!
//! Shapes: as sums. Cotangent: `x_bar_k = y_bar prod_(i != k) x_i`, the product of what comes before and what comes
//! behind, `O(n)` and without a division: exact where there are zeros, at every order.

use super::rows::Rows;
use super::scan::product_beside;
use super::sum::{broadcast_back, sum_axes};
use super::zip::zip;
use super::{Array, Cotangents, Op, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::Binary;
use wengert_tensor::{Axes, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Prod<F>(Axes, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Prod<F> {
    const NAME: &'static str = "prod";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_prod_axes(self.0.clone())
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let y_bar = broadcast_back(&y_bar, &self.0, &x[0].shape());
        one(zip(Binary::MulZero, &self.others(x[0]), &y_bar))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        Some(sum_axes(&zip(Binary::MulZero, &self.others(x[0]), x_dot[0]?), self.0.clone()))
    }
}

impl<F: TensorFloat> Prod<F> {
    /// For each element the product of the others.
    fn others<A: Array<F>>(&self, x: &A) -> A {
        let rows = Rows::new(&x.shape(), &self.0);
        let x = rows.of(x);
        rows.back(&zip(Binary::Mul, &product_beside(&x, 1, false), &product_beside(&x, 1, true)))
    }
}

#[cfg(feature = "linalg")]
pub(crate) fn prod<F: TensorFloat, A: Array<F>>(x: &A, axes: impl Into<Axes>) -> A {
    Prod(axes.into(), PhantomData).on(&[x])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The product of all elements, a tensor of shape `[]`. The gradient is exact at zeros.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([2.0, 0.0, 3.0]);
    /// assert_eq!(x.prod().gradient()[x].to_vec(), [0.0, 6.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn prod(self) -> Self {
        self.prod_axes(Axes::ALL)
    }

    /// The product over the axes named; `keep(axes)` keeps them with one entry each.
    ///
    /// Shapes: without the axes named.
    ///
    /// # Panics
    /// With the text of the error that [`try_prod_axes`](Self::try_prod_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[2.0, 3.0], [0.0, 5.0]]);
    /// let y = x.prod_axes(1);
    /// assert_eq!(y.value().to_vec(), [6.0, 0.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [3.0, 2.0, 5.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn prod_axes(self, axes: impl Into<Axes>) -> Self {
        self.record1(Prod(axes.into(), PhantomData))
    }

    /// [`prod_axes`](Self::prod_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist or is named twice.
    #[track_caller]
    pub fn try_prod_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        self.try_record1(Prod(axes.into(), PhantomData))
    }
}
