//! Solution of triangular systems, `t(a) x = b` with `t` one triangle of `a`, transposed or not.
//!
//! Shapes: `a: [.., n, n]`, `b, x: [.., n, k]`; leading axes broadcast. Keeps `a`, `x`.
//!
//! Cotangents: `b_bar = t(a)^-T x_bar`, and `a_bar = -b_bar xT` in the triangle that is read, transposed if it is
//! (Giles 2008, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
//! differentiation", 2.3.1).

use super::{by_distance, weighted};
use crate::error::{Error, OrPanic};
use crate::rules::affine::scaled;
use crate::rules::matmul::matmul;
use crate::rules::pushforward::total;
use crate::rules::sum::sum_to;
use crate::rules::{Array, Cotangents, Op, two};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{ShapeError, Tensor, Triangle};

#[derive(Clone)]
pub(crate) struct SolveTriangular<F> {
    triangle: Triangle,
    /// Whether a zero on the diagonal is an error; in pullbacks, where there is nobody to tell, it is divided by.
    checked: bool,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for SolveTriangular<F> {
    const NAME: &'static str = "solve_triangular";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        match self.checked {
            true => x[0].try_solve_triangular(x[1], self.triangle),
            false => x[0].try_substitute(x[1], self.triangle),
        }
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let (a, triangle) = (x[0], self.triangle);
        let b_bar = substitute(a, &y_bar, triangle.transposed());
        let a_bar = wanted[0].then(|| {
            let product = match triangle.is_transposed() {
                false => matmul(&b_bar, false, y, true),
                true => matmul(y, false, &b_bar, true),
            };
            scaled(&self.read(&sum_to(&product, &a.shape())), -F::ONE)
        });
        two(a_bar, wanted[1].then(|| sum_to(&b_bar, &x[1].shape())))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        // t(a) x_dot = b_dot - t(a_dot) x.
        let product = |a_dot: &A| matmul(&self.read(a_dot), self.triangle.is_transposed(), y, false);
        let of_a = x_dot[0].map(|a_dot| scaled(&product(a_dot), -F::ONE));
        let b_dot = total([of_a, x_dot[1].cloned()], &y.shape())?;
        Some(substitute(x[0], &b_dot, self.triangle))
    }
}

impl<F: TensorFloat> SolveTriangular<F> {
    /// What is read of a matrix, and zeros elsewhere.
    fn read<A: Array<F>>(&self, a: &A) -> A {
        let n = a.shape()[a.shape().rank() - 1];
        let read = by_distance(n, n, |right| {
            let inside = if self.triangle.is_lower() { right < 0 } else { right > 0 };
            f64::from(u8::from(inside || right == 0 && !self.triangle.is_unit()))
        });
        weighted(a, read)
    }
}

/// The same inside a derivative.
pub(super) fn substitute<F: TensorFloat, A: Array<F>>(a: &A, b: &A, triangle: Triangle) -> A {
    SolveTriangular { triangle, checked: false, number: PhantomData }.on(&[a, b])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The solution for columns `b`, whatever is on the diagonal.
    #[track_caller]
    pub(super) fn try_substitute(self, b: Self, triangle: Triangle) -> Result<Self, Error> {
        self.try_record2(SolveTriangular { triangle, checked: false, number: PhantomData }, b)
    }

    /// The solution of `a x = b` by substitution, reading one triangle of `a` only, and differentiated by it only.
    ///
    /// Shapes: `a: [.., n, n]`, this tensor; `b: [.., n, k]`, or a vector `[n]`; the result is like `b`. Leading axes
    /// broadcast.
    ///
    /// Source of the derivative: M. B. Giles, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 2008, 2.3.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_solve_triangular`](Self::try_solve_triangular) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Triangle;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([[2.0, 0.0], [1.0, 4.0]]), tape.tensor([2.0, 9.0]));
    /// let x = a.solve_triangular(b, Triangle::lower());
    /// assert_eq!(x.value().to_vec(), [1.0, 2.0]);
    /// assert_eq!(x.sum().gradient()[a].to_vec(), [-0.375, 0.0, -0.25, -0.5]);
    /// ```
    #[track_caller]
    pub fn solve_triangular(self, b: Self, triangle: Triangle) -> Self {
        self.try_solve_triangular(b, triangle).or_panic()
    }

    /// [`solve_triangular`](Self::solve_triangular), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square, have a zero on the diagonal, or `b` does not go with them;
    /// [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_solve_triangular(self, b: Self, triangle: Triangle) -> Result<Self, Error> {
        let op = SolveTriangular { triangle, checked: true, number: PhantomData };
        let _whole = self.whole("solve_triangular");
        let (vector, b) = self.as_columns("solve_triangular", b)?;
        self.try_record2(op, b)?.as_vectors(vector)
    }
}
