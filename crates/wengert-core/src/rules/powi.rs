//! Integer powers, element by element: `y = x^n`.
//!
//! Shapes: `x: [..]`, `y: [..]`. Cotangent: `x_bar = n x^(n-1) y_bar`; exactly 0 for `n = 0`, at 0 and NaN too.

use super::affine::scaled;
use super::zip::zip;
use super::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Binary, Elementary};
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Powi<F>(i32, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Powi<F> {
    const NAME: &'static str = "powi";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let n = self.0;
        Ok(x[0].map(|x| x.powi(n)))
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let n = self.0;
        let x_bar = match n {
            0 => scaled(&y_bar, F::ZERO),
            1 => y_bar,
            _ => {
                let power = Powi(n.saturating_sub(1), PhantomData).on(&[x[0]]);
                zip(Binary::MulZero, &scaled(&power, F::from_f64(f64::from(n))), &y_bar)
            }
        };
        one(x_bar)
    }
}

impl<F: TensorFloat> Elementary for TensorVar<'_, F> {
    fn lit(self, c: f64) -> Self {
        self.tape().constant_tensor(Tensor::scalar(F::from_f64(c)))
    }
    #[track_caller]
    fn powi(self, n: i32) -> Self {
        self.record1(Powi(n, PhantomData))
    }
}
