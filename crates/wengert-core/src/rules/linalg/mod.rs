//! Linear algebra on the last two axes: factorizations, systems, determinants, the exponential.
//!
//! The pullbacks emit matrix products, triangular solutions and the factorizations themselves, so they are
//! differentiated again. A factorization with several results is one node whose value has them side by side
//! (`[w | vT]`, `[qT | r]`, `[s | uT | vT]`), of which the results are slices: its pullback runs once, with all their
//! cotangents.
//!
//! # Where spectra are degenerate
//!
//! Vectors of equal eigenvalues are any basis of their space: they have no derivative, and their pullback divides by
//! the gap. What does not need that gap is exact: an eigenvalue's gradient needs none, and the vectors of a single
//! eigenvalue only need the gaps to it. There `0 / 0` is 0, because the numerator says that nothing flows between the
//! two. Where something does flow, the result is infinite or NaN and not a number that looks like a gradient. Gaps up
//! to `n eps` of the largest value count as none: of vectors that close not even the value is determined. So second
//! derivatives of eigenvalues, which do need the gaps, are not finite at degenerate spectra; functions of the whole
//! matrix (`expm`, `inverse`, `det`, a power) are, by rules of their own.

mod cholesky;
mod det;
mod eigh;
mod expm;
mod inverse;
mod lstsq;
mod qr;
mod slogdet;
mod solve;
mod svd;
mod trace;
mod triangular;

pub(crate) use cholesky::Cholesky;
pub(crate) use det::{Cofactors, Det};
pub(crate) use eigh::{Eigh, Eigvalsh};
pub(crate) use expm::Expm;
pub(crate) use inverse::Inverse;
pub(crate) use qr::Qr;
pub(crate) use slogdet::SlogDet;
pub(crate) use solve::Solve;
pub(crate) use svd::{Svd, Svdvals};
pub(crate) use triangular::SolveTriangular;

use super::Array;
use super::permute::permute;
use super::select::select;
use super::slice::slice;
use super::zip::zip;
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use wengert_kernels::Binary;
use wengert_tensor::{Shape, Tensor, check_right_side};

/// The matrices transposed.
fn transposed<F: TensorFloat, A: Array<F>>(x: &A) -> A {
    let rank = x.shape().rank();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 2, rank - 1);
    permute(x, &order)
}

/// Columns `range` of the matrices.
fn columns<F: TensorFloat, A: Array<F>>(x: &A, range: core::ops::Range<usize>) -> A {
    slice(x, x.shape().rank() - 1, range)
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Columns `range` of the matrices: one result of a factorisation that has several.
    #[track_caller]
    fn try_columns(self, range: core::ops::Range<usize>) -> Result<Self, Error> {
        self.try_slice(-1, range.start as isize..range.end as isize)
    }

    /// Column `k` of the matrices, without its axis.
    #[track_caller]
    fn try_column(self, k: usize) -> Result<Self, Error> {
        let shape = self.shape();
        self.try_columns(k..k + 1)?.try_reshape(&shape[..shape.rank() - 1])
    }
}

/// The axes in front of the matrices, and `own` behind them.
fn with_axes(shape: &Shape, own: &[usize]) -> Shape {
    shape[..shape.rank() - 2].iter().chain(own).copied().collect()
}

/// `x` times numbers that are constants, exactly zero where they are.
fn weighted<F: TensorFloat, A: Array<F>>(x: &A, weights: Tensor<F>) -> A {
    zip(Binary::MulZero, x, &x.constant(weights))
}

/// A matrix of weights that depend on how far an entry is to the right of the diagonal.
fn by_distance<F: TensorFloat>(rows: usize, columns: usize, weight: impl Fn(isize) -> f64) -> Tensor<F> {
    Tensor::from_fn([rows, columns], |at| F::from_f64(weight(at[1] as isize - at[0] as isize)))
}

fn plus<F: TensorFloat, A: Array<F>>(a: &A, b: &A) -> A {
    zip(Binary::Add, a, b)
}

fn minus<F: TensorFloat, A: Array<F>>(a: &A, b: &A) -> A {
    zip(Binary::Sub, a, b)
}

/// `x + xT`.
fn with_transpose<F: TensorFloat, A: Array<F>>(x: &A) -> A {
    plus(x, &transposed(x))
}

/// A column of numbers `[.., n, 1]` as diagonal matrices.
fn on_diagonal<F: TensorFloat, A: Array<F>>(x: &A) -> A {
    let n = x.shape()[x.shape().rank() - 2];
    weighted(x, Tensor::eye(n))
}

/// `p / x` for divisors that are used where `usable`; elsewhere 0 where `p` is, and infinite where it is not.
fn divided<F: TensorFloat, A: Array<F>>(p: &A, x: &A, usable: &Tensor<bool>, elsewhere: Tensor<F>) -> A {
    let one = x.constant(Tensor::scalar(F::ONE));
    let reciprocal = zip(Binary::Div, &one, &select(usable, x, &one));
    zip(Binary::MulZero, &select(usable, &reciprocal, &x.constant(elsewhere)), p)
}

/// Infinity beside the diagonal of `n x n` matrices and 0 on it: what is divided by no gap at all.
fn no_gap<F: TensorFloat>(n: usize) -> Tensor<F> {
    by_distance(n, n, |distance| if distance == 0 { 0.0 } else { f64::INFINITY })
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Right-hand sides as columns, and whether they were one vector.
    #[track_caller]
    fn as_columns(self, op: &'static str, b: Self) -> Result<(bool, Self), Error> {
        let [.., rows, _] = *self.shape() else { return Ok((false, b)) };
        let vector = self.fit(check_right_side(op, &self.shape(), &b.shape(), rows))?;
        self.same_tape(b, op, Location::caller())?;
        Ok((vector, if vector { b.try_reshape([rows, 1])? } else { b }))
    }

    /// Solutions for one vector, which is a column here, as vectors.
    #[track_caller]
    fn as_vectors(self, vector: bool) -> Result<Self, Error> {
        let shape = self.shape();
        if vector { self.try_reshape(&shape[..shape.rank() - 1]) } else { Ok(self) }
    }
}
