//! Cholesky factor, `l lT = a` with `l` lower triangular.
//!
//! Shapes: `a, l: [.., n, n]`. Of `a` the symmetric part is taken. Keeps `l`.
//!
//! Cotangent: `a_bar = (s + sT) / 2` with `s = l^-T P(lT l_bar) l^-1`, where `P` takes the lower triangle with half of
//! its diagonal (Murray 2016, "Differentiation of the Cholesky decomposition", equation 10).

use super::triangular::substitute;
use super::{by_distance, transposed, weighted, with_transpose};
use crate::error::{Error, OrPanic};
use crate::rules::affine::scaled;
use crate::rules::matmul::matmul;
use crate::rules::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{ShapeError, Tensor, Triangle};

#[derive(Clone)]
pub(crate) struct Cholesky<F>(PhantomData<F>);

impl<F: TensorFloat> Op<F> for Cholesky<F> {
    const NAME: &'static str = "cholesky";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_cholesky()
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], l: &A, l_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let n = l.shape()[l.shape().rank() - 1];
        let lower = by_distance(n, n, |right| if right <= 0 { 1.0 } else { 0.0 });
        let p = halved(&matmul(l, true, &weighted(&l_bar, lower), false));
        let across = Triangle::lower().transposed();
        let s_t = substitute(l, &transposed(&substitute(l, &p, across)), across);
        one(scaled(&with_transpose(&s_t), F::from_f64(0.5)))
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], l: &A, x_dot: &[Option<&A>]) -> Option<A> {
        // l_dot = l P(l^-1 s l^-T), with s the symmetric part of a_dot.
        let s = scaled(&with_transpose(x_dot[0]?), F::from_f64(0.5));
        let half = substitute(l, &s, Triangle::lower());
        let inner = substitute(l, &transposed(&half), Triangle::lower());
        Some(matmul(l, false, &halved(&inner), false))
    }
}

/// The lower triangle with half of its diagonal.
fn halved<F: TensorFloat, A: Array<F>>(x: &A) -> A {
    let n = x.shape()[x.shape().rank() - 1];
    let half = by_distance(n, n, |right| if right < 0 { 1.0 } else { f64::from(u8::from(right == 0)) / 2.0 });
    weighted(x, half)
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The lower triangular `l` with a positive diagonal and `l lT = a`, for symmetric positive definite matrices.
    ///
    /// Shapes: `a, l: [.., n, n]`. Of a matrix that is not symmetric the symmetric part `(a + aT) / 2` is taken, so the
    /// gradient is symmetric. Source of the derivative: Murray 2016, "Differentiation of the Cholesky decomposition".
    ///
    /// # Panics
    /// With the text of the error that [`try_cholesky`](Self::try_cholesky) returns.
    ///
    /// # Examples
    /// The logarithm of a determinant, whose gradient is the inverse:
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[4.0, 2.0], [2.0, 10.0]]);
    /// let log_det = a.cholesky().diagonal(0, 0, 1).ln().sum() * 2.0;
    /// let inverse = a.value().inverse();
    /// assert!((&log_det.gradient()[a] - inverse).norm2() < 1e-15);
    /// ```
    #[track_caller]
    pub fn cholesky(self) -> Self {
        self.try_cholesky().or_panic()
    }

    /// [`cholesky`](Self::cholesky), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square, finite and positive definite, with the first leading minor that
    /// is not positive.
    #[track_caller]
    pub fn try_cholesky(self) -> Result<Self, Error> {
        self.try_record1(Cholesky(PhantomData))
    }
}
