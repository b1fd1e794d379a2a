//! Eigenvalues and eigenvectors of symmetric matrices, `a v = v diag(w)`.
//!
//! Shapes: `a: [.., n, n]`, `y: [.., n, 1 + n]`, `w` as a column and `vT` side by side; of `eigvalsh`, `w: [.., n]`. Of
//! `a` the symmetric part is taken.
//!
//! Cotangent: the symmetric part of `v (diag(w_bar) + f * (vT v_bar)) vT` with `f_ij = 1 / (w_j - w_i)` beside the
//! diagonal, 0 on it (Giles 2008, "An extended collection of matrix derivative results for forward and reverse mode
//! algorithmic differentiation", 3.1). Where two eigenvalues are equal see `mod.rs`.

use super::{columns, divided, minus, no_gap, on_diagonal, plus, transposed, with_axes, with_transpose};
use crate::error::{Error, OrPanic};
use crate::rules::affine::scaled;
use crate::rules::matmul::matmul;
use crate::rules::reshape::reshape;
use crate::rules::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::Unary;
use wengert_tensor::{ShapeError, Tensor, keep};

#[derive(Clone)]
pub(crate) struct Eigh<F> {
    /// Which pairs of eigenvalues have a gap between them. Boxed: the largest op sets the size of all nodes.
    apart: Option<Box<Tensor<bool>>>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Eigh<F> {
    const NAME: &'static str = "eigh";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let y = x[0].try_eigh_packed()?;
        let n = x[0].dim(-1);
        let w = y.try_slice(-1, ..1)?;
        let gaps = w.try_transpose(-2, -1)?.try_sub(&w)?.try_map_unary(Unary::Abs)?;
        // The length, not the largest, which there is none of without values: an upper bound as good.
        let length = w.try_norm_axes(2.0, keep([-2, -1]))?;
        let rounding = length.try_mul(&Tensor::scalar(F::from_f64(n as f64) * F::EPSILON))?;
        self.apart = Some(Box::new(gaps.try_greater(&rounding)?));
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let shape = x[0].shape();
        let n = shape[shape.rank() - 1];
        let Some(apart) = &self.apart else { return one(y_bar) };
        let (w, v_t) = (columns(y, 0..1), columns(y, 1..1 + n));
        let (w_bar, v_t_bar) = (columns(&y_bar, 0..1), columns(&y_bar, 1..1 + n));
        let turned = matmul(&v_t, false, &v_t_bar, true);
        let gaps = minus(&transposed(&w), &w);
        let inner = plus(&on_diagonal(&w_bar), &divided(&turned, &gaps, apart, no_gap(n)));
        let symmetric = scaled(&with_transpose(&inner), F::from_f64(0.5));
        one(matmul(&matmul(&v_t, true, &symmetric, false), false, &v_t, false))
    }
}

/// Values and vectors side by side.
fn eigh<F: TensorFloat, A: Array<F>>(a: &A) -> A {
    Eigh { apart: None, number: PhantomData }.on(&[a])
}

/// The values alone. Their derivative needs the vectors but no gaps.
#[derive(Clone)]
pub(crate) struct Eigvalsh<F: TensorFloat> {
    /// The vectors as rows.
    v_t: Option<Box<Tensor<F>>>,
}

/// `v diag(w_bar) vT`.
fn spread<F: TensorFloat, A: Array<F>>(v_t: &A, w_bar: &A) -> A {
    let shape = v_t.shape();
    let w_bar = reshape(w_bar, &with_axes(&shape, &[shape[shape.rank() - 1], 1]));
    matmul(v_t, true, &crate::rules::zip(wengert_kernels::Binary::Mul, v_t, &w_bar), false)
}

impl<F: TensorFloat> Op<F> for Eigvalsh<F> {
    const NAME: &'static str = "eigvalsh";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let y = x[0].try_eigh_packed()?;
        self.v_t = Some(Box::new(y.try_slice(-1, 1..)?));
        y.try_slice(-1, ..1)?.try_squeeze(-1)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _w: &A, w_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let n = x[0].shape()[x[0].shape().rank() - 1];
        one(spread(&columns(&eigh(x[0]), 1..1 + n), &w_bar))
    }

    fn pull(&self, x: &[&Tensor<F>], w: &Tensor<F>, w_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        match &self.v_t {
            Some(v_t) => one(spread(&**v_t, &w_bar)),
            None => self.vjp(x, w, w_bar, wanted),
        }
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The eigenvalues `w`, ascending, and eigenvectors of symmetric matrices: `a v = v diag(w)`, `vT v = 1`.
    ///
    /// Shapes: `a: [.., n, n]`; `w: [.., n]`; `v: [.., n, n]`, the vectors being its columns, each with a positive
    /// entry of largest magnitude. Of a matrix that is not symmetric the symmetric part is taken, so the gradient is
    /// symmetric.
    ///
    /// Vectors of equal eigenvalues have no derivative. The gradient is exact as long as nothing depends on how they
    /// turn into each other: eigenvalues, and vectors of single eigenvalues. Otherwise it is not finite. Second
    /// derivatives of eigenvalues beside equal ones: [`eigvalsh`](Self::eigvalsh).
    ///
    /// Source of the derivative: Giles 2008, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 3.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_eigh`](Self::try_eigh) returns.
    ///
    /// # Examples
    /// The gradient of an eigenvalue is the projection on its vector:
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[2.0, 1.0], [1.0, 2.0]]);
    /// let (w, _) = a.eigh();
    /// let largest = w.slice(0, 1..).sum();
    /// assert!((largest.item() - 3.0).abs() < 1e-15);
    /// assert!((&largest.gradient()[a] - 0.5).norm2() < 1e-15);
    /// ```
    #[track_caller]
    pub fn eigh(self) -> (Self, Self) {
        self.try_eigh().or_panic()
    }

    /// [`eigh`](Self::eigh), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square and finite.
    #[track_caller]
    pub fn try_eigh(self) -> Result<(Self, Self), Error> {
        let _whole = self.whole("eigh");
        let y = self.try_record1(Eigh { apart: None, number: PhantomData })?;
        let n = y.shape()[y.shape().rank() - 2];
        Ok((y.try_column(0)?, y.try_columns(1..1 + n)?.try_transpose(-1, -2)?))
    }

    /// The eigenvalues of symmetric matrices, ascending: `[.., n, n] -> [.., n]`. The second derivative of an
    /// eigenvalue needs the gaps between it and the others, and no others.
    ///
    /// Source of the derivative: M. B. Giles, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 2008, 3.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_eigvalsh`](Self::try_eigvalsh) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[2.0, 1.0], [1.0, 2.0]]);
    /// let w = a.eigvalsh();
    /// assert!((w.value().at([0]) - 1.0).abs() < 1e-14 && (w.value().at([1]) - 3.0).abs() < 1e-14);
    /// let g = w.sum().gradient(); // the trace
    /// assert!((g[a].at([0, 0]) - 1.0).abs() < 1e-14 && g[a].at([0, 1]).abs() < 1e-14);
    /// ```
    #[track_caller]
    pub fn eigvalsh(self) -> Self {
        self.try_eigvalsh().or_panic()
    }

    /// [`eigvalsh`](Self::eigvalsh), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square and finite.
    #[track_caller]
    pub fn try_eigvalsh(self) -> Result<Self, Error> {
        self.try_record1(Eigvalsh { v_t: None })
    }
}
