//! Determinant, and the matrix of its cofactors, which is its derivative at every matrix, singular ones included.
//!
//! Shapes: `a: [.., n, n]`, `det: [..]`, cofactors `c: [.., n, n]`.
//!
//! Cotangents: `a_bar = det_bar c`. Of the cofactors, with `c = det(a) a^-T`: `a_bar = (<c, c_bar> - c c_barT) a^-T`;
//! where there is no inverse to speak of, in the basis of the singular vectors, in which `c` is
//! `d diag(prod_(j != i) s_j)`, `d = det(u v)`: `a_bar = d u (diag(p g) - (p * h)T) v_t` with `h = uT c_bar v`, `g` its
//! diagonal, and `p_ij = prod_(k != i, j) s_k` beside the diagonal, 0 on it. Nothing is divided by.

use super::inverse::inverse;
use super::{columns, minus, on_diagonal, transposed, weighted, with_axes};
use crate::error::{Error, OrPanic};
use crate::rules::matmul::matmul;
use crate::rules::prod::prod;
use crate::rules::rearrange::diagonal;
use crate::rules::reshape::reshape;
use crate::rules::select::select;
use crate::rules::sum::sum_axes;
use crate::rules::zip::zip;
use crate::rules::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::Binary;
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Det<F>(PhantomData<F>);

impl<F: TensorFloat> Op<F> for Det<F> {
    const NAME: &'static str = "det";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_det()
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let cofactors = Cofactors::<F> { orientation: None }.on(&[x[0]]);
        let y_bar = reshape(&y_bar, &with_axes(&x[0].shape(), &[1, 1]));
        one(zip(Binary::MulZero, &cofactors, &y_bar))
    }
}

#[derive(Clone)]
pub(crate) struct Cofactors<F: TensorFloat> {
    /// `det(u v_t)`, if the singular vectors were needed.
    orientation: Option<Box<Tensor<F>>>,
}

impl<F: TensorFloat> Op<F> for Cofactors<F> {
    const NAME: &'static str = "cofactors";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (c, orientation) = x[0].try_cofactors()?;
        self.orientation = orientation.map(Box::new);
        Ok(c)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], c: &A, c_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let a = x[0];
        let shape = a.shape();
        let (rank, n) = (shape.rank(), shape[shape.rank() - 1]);
        let Some(orientation) = &self.orientation else {
            let inner = sum_axes(&zip(Binary::Mul, c, &c_bar), [-2, -1]);
            let inner = weighted(&reshape(&inner, &with_axes(&shape, &[1, 1])), Tensor::eye(n));
            let factor = minus(&inner, &matmul(c, false, &c_bar, true));
            return one(matmul(&factor, false, &inverse(a), true));
        };
        let packed = super::svd::svd(a);
        let (s, u_t, v_t) = (columns(&packed, 0..1), columns(&packed, 1..1 + n), columns(&packed, 1 + n..1 + 2 * n));
        let h = matmul(&matmul(&u_t, false, &c_bar, false), false, &v_t, true);
        let g = reshape(&diagonal(&h, 0, [rank - 2, rank - 1]), &with_axes(&shape, &[n, 1]));
        // All triples, of which those with k apart from i and j count: n^3 numbers, at matrices without an inverse
        // only.
        let apart = Tensor::from_fn([n, n, n], |at| at[2] != at[0] && at[2] != at[1]);
        let factors = select(&apart, &reshape(&s, &with_axes(&shape, &[1, 1, n])), &s.constant(Tensor::scalar(F::ONE)));
        let p = weighted(&prod(&factors, -1), Tensor::ones([n, n]) - Tensor::eye(n));
        let inner = minus(&on_diagonal(&matmul(&p, false, &g, false)), &transposed(&zip(Binary::Mul, &p, &h)));
        let signs = orientation.reshape(with_axes(&shape, &[1, 1]));
        one(matmul(&matmul(&u_t, true, &weighted(&inner, signs), false), false, &v_t, false))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The determinant: `[.., n, n] -> [..]`. Its gradient, the matrix of cofactors, and that of its gradient are exact
    /// at singular matrices too.
    ///
    /// Source of the derivative: M. B. Giles, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 2008, 2.2.4.
    ///
    /// # Panics
    /// With the text of the error that [`try_det`](Self::try_det) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[1.0, 2.0], [2.0, 4.0]]);
    /// let y = a.det();
    /// assert_eq!(y.item(), 0.0);
    /// let cofactors = wengert_tensor::Tensor::from([[4.0, -2.0], [-2.0, 1.0]]);
    /// assert!((&y.gradient()[a] - cofactors).norm2() < 1e-14);
    /// ```
    #[track_caller]
    pub fn det(self) -> Self {
        self.try_det().or_panic()
    }

    /// [`det`](Self::det), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square and finite.
    #[track_caller]
    pub fn try_det(self) -> Result<Self, Error> {
        self.try_record1(Det(PhantomData))
    }
}
