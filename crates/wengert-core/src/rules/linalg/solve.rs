//! Solution of linear systems, `a x = b`, or `aT x = b`.
//!
//! Shapes: `a: [.., n, n]`, `b, x: [.., n, k]`; leading axes broadcast. Keeps the factors of `a`, with which pullbacks
//! of every order solve.
//!
//! Cotangents: `b_bar = a^-T x_bar`, `a_bar = -b_bar xT` (Giles 2008, "An extended collection of matrix derivative
//! results for forward and reverse mode algorithmic differentiation", 2.3.1).

use crate::error::{Error, OrPanic};
use crate::rules::affine::scaled;
use crate::rules::matmul::matmul;
use crate::rules::pushforward::total;
use crate::rules::sum::sum_to;
use crate::rules::{Array, Cotangents, Op, two};
use crate::tensor::{TensorFloat, TensorVar};
use std::sync::Arc;
use wengert_tensor::{Lu, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Solve<F: TensorFloat> {
    /// The factors of `a`, once they are known.
    lu: Option<Arc<Lu<F>>>,
    transposed: bool,
}

impl<F: TensorFloat> Op<F> for Solve<F> {
    const NAME: &'static str = "solve";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let lu = match &self.lu {
            Some(lu) => Arc::clone(lu),
            None => Arc::new(x[0].try_lu(Self::NAME, x[1])?),
        };
        self.lu.insert(lu).solve(Self::NAME, x[1], self.transposed)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let a = x[0];
        let b_bar = Solve { lu: self.lu.clone(), transposed: !self.transposed }.on(&[a, &y_bar]);
        let a_bar = wanted[0].then(|| {
            let product = match self.transposed {
                false => matmul(&b_bar, false, y, true),
                true => matmul(y, false, &b_bar, true),
            };
            scaled(&sum_to(&product, &a.shape()), -F::ONE)
        });
        two(a_bar, wanted[1].then(|| sum_to(&b_bar, &x[1].shape())))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        // a x_dot = b_dot - a_dot x.
        let of_a = x_dot[0].map(|a_dot| scaled(&matmul(a_dot, self.transposed, y, false), -F::ONE));
        let b_dot = total([of_a, x_dot[1].cloned()], &y.shape())?;
        Some(self.clone().on(&[x[0], &b_dot]))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The solution of `a x = b`.
    ///
    /// Shapes: `a: [.., n, n]`, this tensor; `b: [.., n, k]`, or a vector `[n]`; `x: [.., n, k]`, or `[.., n]`. Leading
    /// axes broadcast. Gaussian elimination, `2 n^3 / 3 + 2 n^2 k` operations; a sweep uses the factors again and costs
    /// `4 n^2 k`.
    ///
    /// Source of the derivative: M. B. Giles, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 2008, 2.3.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_solve`](Self::try_solve) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([[2.0, 1.0], [4.0, 4.0]]), tape.tensor([3.0, 8.0]));
    /// let x = a.solve(b);
    /// assert_eq!(x.value().to_vec(), [1.0, 1.0]);
    /// // The sums of the columns of the inverse, [1, -1/4] and [-1, 1/2].
    /// assert_eq!(x.sum().gradient()[b].to_vec(), [0.0, 0.25]);
    /// ```
    #[track_caller]
    pub fn solve(self, b: Self) -> Self {
        self.try_solve(b).or_panic()
    }

    /// [`solve`](Self::solve), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square, finite and regular, or `b` does not go with them;
    /// [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_solve(self, b: Self) -> Result<Self, Error> {
        let _whole = self.whole("solve");
        let (vector, b) = self.as_columns("solve", b)?;
        self.try_record2(Solve { lu: None, transposed: false }, b)?.as_vectors(vector)
    }
}
