//! Axes in another order, without copying.
//!
//! Shapes: axis `k` of `y` is axis `order[k]` of `x`. Cotangent: the inverse permutation.

use super::{Array, Cotangents, Op, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use smallvec::SmallVec;
use wengert_tensor::{Axis, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Permute<F> {
    order: SmallVec<[Axis; 4]>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Permute<F> {
    const NAME: &'static str = "permute";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_permute(self.order.iter().copied())
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let shape = x[0].shape();
        let mut inverse: SmallVec<[Axis; 4]> = self.order.clone();
        for (k, axis) in self.order.iter().enumerate() {
            if let Ok(axis) = axis.resolve(Self::NAME, &shape) {
                inverse[axis] = Axis::from(k);
            }
        }
        one(Permute { order: inverse, number: PhantomData }.on(&[&y_bar]))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The axes in another order: `x.permute([0, 2, 3, 1])` turns `[n, c, h, w]` into `[n, h, w, c]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_permute`](Self::try_permute) returns.
    #[track_caller]
    pub fn permute<A: Into<Axis>>(self, order: impl IntoIterator<Item = A>) -> Self {
        self.try_permute(order).unwrap_or_else(|error| error.raise())
    }

    /// [`permute`](Self::permute), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if `order` does not name every axis once.
    #[track_caller]
    pub fn try_permute<A: Into<Axis>>(self, order: impl IntoIterator<Item = A>) -> Result<Self, Error> {
        self.try_record1(Permute { order: order.into_iter().map(Into::into).collect(), number: PhantomData })
    }

    /// The transposed matrix.
    ///
    /// # Panics
    /// If this is not a matrix.
    #[track_caller]
    pub fn t(self) -> Self {
        self.permute([1, 0])
    }
}
