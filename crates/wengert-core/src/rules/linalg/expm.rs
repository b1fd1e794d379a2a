//! Exponential of a matrix.
//!
//! Shapes: `a, y: [.., n, n]`.
//!
//! Cotangent: the derivative of the exponential at `aT` in the direction of `y_bar`, which stands in the upper right of
//! the exponential of `[[aT, y_bar], [0, aT]]` (Al-Mohy & Higham 2009, "Computing the Frechet derivative of the matrix
//! exponential, with an application to condition number estimation", equation 1.4 and 2.3). Being an exponential, it is
//! differentiated again likewise.

use super::{columns, transposed};
use crate::error::{Error, OrPanic};
use crate::rules::concat::concat;
use crate::rules::slice::slice;
use crate::rules::{Array, Cotangents, Op, one, zeros};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Expm<F> {
    /// The rows of the leading block that decides the scaling; `None` for all. A cotangent, however large, must not.
    leading: Option<usize>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Expm<F> {
    const NAME: &'static str = "expm";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        match self.leading {
            None => x[0].try_expm(),
            Some(leading) => x[0].try_expm_leading(leading),
        }
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(self.derivative(&transposed(x[0]), &y_bar))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        Some(self.derivative(x[0], x_dot[0]?))
    }
}

impl<F: TensorFloat> Expm<F> {
    /// The derivative of the exponential at `a` in a direction.
    fn derivative<A: Array<F>>(&self, a: &A, direction: &A) -> A {
        let shape = a.shape();
        let (rows, n) = (shape.rank() - 2, shape[shape.rank() - 1]);
        let zeros = a.constant(zeros(&shape));
        let above = concat(&[a, direction], rows + 1);
        let block = concat(&[&above, &concat(&[&zeros, a], rows + 1)], rows);
        let y = Expm { leading: Some(self.leading.unwrap_or(n)), number: PhantomData }.on(&[&block]);
        columns(&slice(&y, rows, 0..n), n..2 * n)
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The exponential of a matrix, `sum_k a^k / k!`: the solution of `dy/dt = a y` after a time of 1 from `y = 1`.
    ///
    /// Shapes: `[.., n, n] -> [.., n, n]`. The gradient is that of an exponential of `2 n` rows. Source of the
    /// derivative: Al-Mohy & Higham 2009, "Computing the Frechet derivative of the matrix exponential".
    ///
    /// # Panics
    /// With the text of the error that [`try_expm`](Self::try_expm) returns.
    ///
    /// # Examples
    /// The trace of a function has the transposed derivative for a gradient, here the exponential itself:
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[0.0, -1.0], [1.0, 0.0]]);
    /// let y = a.expm();
    /// assert!((&y.trace().gradient()[a] - y.value().t()).norm2() < 1e-15);
    /// ```
    #[track_caller]
    pub fn expm(self) -> Self {
        self.try_expm().or_panic()
    }

    /// [`expm`](Self::expm), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square.
    #[track_caller]
    pub fn try_expm(self) -> Result<Self, Error> {
        self.try_record1(Expm { leading: None, number: PhantomData })
    }
}
