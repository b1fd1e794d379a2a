//! Axes in another order, without copying.
//!
//! Shapes: axis `k` of `y` is axis `order[k]` of `x`. Cotangent: the inverse permutation.

use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
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
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

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

pub(crate) fn permute<F: TensorFloat, A: Array<F>>(x: &A, order: &[usize]) -> A {
    if order.is_sorted() {
        return x.clone();
    }
    Permute { order: order.iter().map(|&axis| Axis::from(axis)).collect(), number: PhantomData }.on(&[x])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The axes in another order: `x.permute([0, 2, 3, 1])` turns `[n, c, h, w]` into `[n, h, w, c]`.
    ///
    /// Shapes: `[n_0, n_1, ..]`, result `[n_order[0], n_order[1], ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_permute`](Self::try_permute) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// let y = x.permute([1, 0]);
    /// assert_eq!((y.shape().to_vec(), y.value().to_vec()), (vec![3, 2], vec![1.0, 4.0, 5.0, 3.0, 2.0, 6.0]));
    /// ```
    #[track_caller]
    pub fn permute<A: Into<Axis>>(self, order: impl IntoIterator<Item = A>) -> Self {
        self.try_permute(order).or_panic()
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
    /// Shapes: `[m, n] -> [n, m]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_t`](Self::try_t) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0]]);
    /// assert_eq!(x.t().shape().to_vec(), [2, 1]);
    /// ```
    #[track_caller]
    pub fn t(self) -> Self {
        self.try_t().or_panic()
    }

    /// [`t`](Self::t), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if this is not a matrix.
    #[track_caller]
    pub fn try_t(self) -> Result<Self, Error> {
        self.fit(self.peek().try_t().map(drop))?;
        self.try_permute([1, 0])
    }

    /// Two axes exchanged.
    ///
    /// Shapes: `[.., m, .., n, ..] -> [.., n, .., m, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_transpose`](Self::try_transpose) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0, 2.0], [3.0, 4.0]]]);
    /// assert_eq!(x.transpose(1, 2).value().to_vec(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    #[doc(alias = "swap_axes")]
    #[track_caller]
    pub fn transpose(self, a: impl Into<Axis>, b: impl Into<Axis>) -> Self {
        self.try_transpose(a, b).or_panic()
    }

    /// [`transpose`](Self::transpose), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist.
    #[track_caller]
    pub fn try_transpose(self, a: impl Into<Axis>, b: impl Into<Axis>) -> Result<Self, Error> {
        let shape = self.shape();
        let a = self.fit(a.into().resolve("transpose", &shape))?;
        let b = self.fit(b.into().resolve("transpose", &shape))?;
        let mut order: SmallVec<[usize; 4]> = (0..shape.rank()).collect();
        order.swap(a, b);
        self.try_permute(order)
    }
}
