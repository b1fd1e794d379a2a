//! Mean squared error.
//!
//! Formula: `loss = 1/n sum_i (x_i - target_i)^2` over all `n` elements. Shapes: `x` and `target` alike, `loss: []`.
//! Cotangents: `x_bar = 2 (x - target) loss_bar / n`, and its negative for the target.

use super::affine::scaled;
use super::zip::zip;
use super::{Array, Cotangents, Fusible, Op, two};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Binary, Unary};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Mse<F>(PhantomData<F>);

impl<F: TensorFloat> Op<F> for Mse<F> {
    const NAME: &'static str = "mse";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        if x[0].shape() != x[1].shape() {
            // Broadcasting here would be a mistake in nearly every program: [n, 1] against [n] makes [n, n].
            let (lhs, rhs) = (x[0].shape().clone(), x[1].shape().clone());
            return Err(ShapeError::Unequal { op: Self::NAME, lhs, rhs });
        }
        if x[0].is_empty() {
            return Err(ShapeError::Empty { op: Self::NAME, shape: x[0].shape().clone() });
        }
        x[0].try_zip_binary(Binary::Sub, x[1])?.map_unary(Unary::Square).try_mean_axes(())
    }

    fn fusible(&self) -> Fusible<F> {
        Fusible::MeanSquare
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let scale = F::from_f64(2.0 / x[0].shape().size() as f64);
        let slope = scaled(&zip(Binary::Sub, x[0], x[1]), scale);
        let x_bar = zip(Binary::MulZero, &slope, &y_bar);
        let target_bar = wanted[1].then(|| scaled(&x_bar, -F::ONE));
        two(wanted[0].then_some(x_bar), target_bar)
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Mean squared difference from `target`, a tensor of shape `[]`.
    ///
    /// Formula: `1/n sum_i (x_i - t_i)^2` over all `n` elements. Shapes: both alike, result `[]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_mse`](Self::try_mse) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, target) = (tape.tensor([1.0, 4.0]), tape.constant_tensor([0.0, 1.0]));
    /// let y = x.mse(target);
    /// assert_eq!((y.item(), y.gradient()[x].to_vec()), (5.0, vec![1.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn mse(self, target: Self) -> Self {
        self.record2(Mse(PhantomData), target)
    }

    /// [`mse`](Self::mse), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes differ, or there are no elements; [`Error::MixedTapes`] if the operands are of
    /// two tapes.
    #[track_caller]
    pub fn try_mse(self, target: Self) -> Result<Self, Error> {
        self.try_record2(Mse(PhantomData), target)
    }
}
