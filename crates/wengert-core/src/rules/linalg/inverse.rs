//! Inverse of a matrix.
//!
//! Shapes: `a, y: [.., n, n]`. Keeps `y`.
//!
//! Cotangent: `a_bar = -yT y_bar yT`, from `dy = -y da y` (Giles 2008, "An extended collection of matrix derivative
//! results for forward and reverse mode algorithmic differentiation", 2.2.3).

use crate::error::{Error, OrPanic};
use crate::rules::affine::scaled;
use crate::rules::matmul::matmul;
use crate::rules::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Lu, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Inverse<F> {
    /// Whether a singular matrix is an error; in pullbacks, where there is nobody to tell, its inverse is not finite.
    checked: bool,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Inverse<F> {
    const NAME: &'static str = "inverse";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        match self.checked {
            true => x[0].try_inverse(),
            false => Lu::new(Self::NAME, x[0])?.inverse(Self::NAME),
        }
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(scaled(&matmul(&matmul(y, true, &y_bar, false), false, y, true), -F::ONE))
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        Some(scaled(&matmul(&matmul(y, false, x_dot[0]?, false), false, y, false), -F::ONE))
    }
}

/// The inverse, not finite where there is none.
pub(super) fn inverse<F: TensorFloat, A: Array<F>>(a: &A) -> A {
    Inverse { checked: false, number: PhantomData }.on(&[a])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The inverse: `a a^-1 = 1`. To solve a system, [`solve`](Self::solve) is faster and rounds less.
    ///
    /// Shapes: `[.., n, n] -> [.., n, n]`.
    ///
    /// Source of the derivative: M. B. Giles, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 2008, 2.2.3.
    ///
    /// # Panics
    /// With the text of the error that [`try_inverse`](Self::try_inverse) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[2.0, 0.0], [0.0, 4.0]]);
    /// let y = a.inverse();
    /// assert_eq!(y.value().to_vec(), [0.5, 0.0, 0.0, 0.25]);
    /// assert_eq!(y.sum().gradient()[a].to_vec(), [-0.25, -0.125, -0.125, -0.0625]);
    /// ```
    #[doc(alias = "inv")]
    #[track_caller]
    pub fn inverse(self) -> Self {
        self.try_inverse().or_panic()
    }

    /// [`inverse`](Self::inverse), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square, finite and regular.
    #[track_caller]
    pub fn try_inverse(self) -> Result<Self, Error> {
        self.try_record1(Inverse { checked: true, number: PhantomData })
    }
}
