//! Matrix product, `y = op(a) op(b)` with `op` the identity or the transpose.
//!
//! Shapes: `a: [.., m, k]`, `b: [.., k, n]`, `y: [.., m, n]`; leading axes broadcast. Keeps `a`, `b`.
//!
//! Cotangents: `a_bar = y_bar bT`, `b_bar = aT y_bar`, from `<y_bar, da b + a db>` and the cyclic property of the trace
//! (Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"),
//! summed over broadcast batches.

use super::pushforward::total;
use super::reshape::reshape;
use super::sum::sum_to;
use super::{Array, Cotangents, Op, two};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use core::panic::Location;
use wengert_tensor::{Shape, ShapeError, Tensor, vector_product};

#[derive(Clone)]
pub(crate) struct MatMul<F> {
    /// Whether each operand is taken transposed.
    transposed: [bool; 2],
    /// Whether anybody reads the value. Of a product nobody reads there is the shape and the derivative.
    read: bool,
    /// Whether it is one of cotangents or tangents with partials, in which zero times anything is zero.
    zero: bool,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for MatMul<F> {
    const NAME: &'static str = "matmul";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let [ta, tb] = self.transposed;
        if !self.read
            && let (&[p, q], &[r, s]) = (&**x[0].shape(), &**x[1].shape())
        {
            let shape = [if ta { q } else { p }, if tb { r } else { s }];
            return Tensor::scalar(F::ZERO).try_broadcast_to(shape);
        }
        let product = if self.zero { Tensor::try_matmul_zero_t } else { Tensor::try_matmul_t };
        product(x[0], ta, x[1], tb)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        self.cotangents(x, &y_bar, wanted, &[true; 2])
    }

    fn vjp_unread<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool], read: &[bool]) -> Cotangents<A> {
        self.cotangents(x, &y_bar, wanted, read)
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let [ta, tb] = self.transposed;
        let product = |a: &A, b: &A| MatMul { zero: true, ..MatMul::new(ta, tb) }.on(&[a, b]);
        let of_a = x_dot[0].map(|a_dot| product(a_dot, x[1]));
        total([of_a, x_dot[1].map(|b_dot| product(x[0], b_dot))], &y.shape())
    }
}

impl<F: TensorFloat> MatMul<F> {
    pub(super) fn new(ta: bool, tb: bool) -> Self {
        MatMul { transposed: [ta, tb], read: true, zero: false, number: PhantomData }
    }

    /// The cotangents; of those that nobody will `read`, only what a second derivative needs.
    pub(super) fn cotangents<A: Array<F>>(&self, x: &[&A], y_bar: &A, wanted: &[bool], read: &[bool]) -> Cotangents<A> {
        let (a, b) = (x[0], x[1]);
        let [ta, tb] = self.transposed;
        if a.shape().rank() > 2 && b.shape().rank() == 2 && !ta {
            // One product with all rows of the batch, instead of one for each entry and a sum over them.
            let rows = |x: &A| {
                let shape = x.shape();
                let (lead, width) = shape.split_at(shape.rank() - 1);
                reshape(x, &Shape::from([lead.iter().product(), width[0]]))
            };
            let mut cotangents = self.cotangents(&[&rows(a), b], &rows(y_bar), wanted, read);
            cotangents[0] = cotangents[0].take().map(|a_bar| reshape(&a_bar, &a.shape()));
            return cotangents;
        }
        let matmul = |a: &A, ta, b: &A, tb, read| MatMul { read, zero: true, ..MatMul::new(ta, tb) }.on(&[a, b]);
        // Each factor's cotangent in the factor's own orientation, so that no product is transposed afterwards.
        let a_bar = wanted[0].then(|| {
            let a_bar = if ta { matmul(b, tb, y_bar, true, read[0]) } else { matmul(y_bar, false, b, !tb, read[0]) };
            sum_to(&a_bar, &a.shape())
        });
        let b_bar = wanted[1].then(|| {
            let b_bar = if tb { matmul(y_bar, true, a, ta, read[1]) } else { matmul(a, !ta, y_bar, false, read[1]) };
            sum_to(&b_bar, &b.shape())
        });
        two(a_bar, b_bar)
    }
}

pub(crate) fn matmul<F: TensorFloat, A: Array<F>>(a: &A, ta: bool, b: &A, tb: bool) -> A {
    MatMul::new(ta, tb).on(&[a, b])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Matrix product `[.., m, k] x [.., k, n] -> [.., m, n]`; leading axes broadcast. A vector is a row on the left, a
    /// column on the right, and its axis is dropped from the result.
    ///
    /// Cotangents: `a_bar = y_bar bT`, `b_bar = aT y_bar`. Source: M. B. Giles, "An extended collection of matrix
    /// derivative results for forward and reverse mode algorithmic differentiation", 2008, 2.2.2.
    ///
    /// # Panics
    /// With the text of the error that [`try_matmul`](Self::try_matmul) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let b = tape.tensor([[1.0], [10.0]]);
    /// let y = a.matmul(b);
    /// assert_eq!(y.value().to_vec(), [21.0, 43.0]);
    /// assert_eq!(y.sum().gradient()[a].to_vec(), [1.0, 10.0, 1.0, 10.0]);
    /// ```
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        self.try_matmul(other).or_panic()
    }

    /// [`matmul`](Self::matmul), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an operand is a single number, the inner dimensions differ or the leading ones do not
    /// broadcast; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_matmul(self, other: Self) -> Result<Self, Error> {
        let (lhs, rhs) = (self.shape(), other.shape());
        if lhs.rank() > 1 && rhs.rank() > 1 {
            return self.try_matmul_t(false, other, false);
        }
        let op = "matmul";
        let _whole = self.whole(op);
        self.same_tape(other, op, Location::caller())?;
        let [a, b, y] = self.fit(vector_product(&lhs, &rhs))?;
        self.try_reshape(a)?.try_matmul_t(false, other.try_reshape(b)?, false)?.try_reshape(y)
    }

    /// Matrix product with either operand taken transposed, without moving it.
    ///
    /// Formula: `op(a) op(b)`. Shapes: `op(a): [.., m, k]`, `op(b): [.., k, n]`, result `[.., m, n]`; leading axes
    /// broadcast.
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul).
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([[1.0], [2.0]]), tape.tensor([[3.0], [4.0]]));
    /// assert_eq!(a.matmul_t(true, b, false).value().to_vec(), [11.0]); // [1, 2] x [2, 1]
    /// assert_eq!(a.matmul_t(false, b, true).value().to_vec(), [3.0, 4.0, 6.0, 8.0]); // [2, 1] x [1, 2]
    /// ```
    #[track_caller]
    pub fn matmul_t(self, transposed: bool, other: Self, other_transposed: bool) -> Self {
        self.record2(MatMul::new(transposed, other_transposed), other)
    }

    /// [`matmul_t`](Self::matmul_t), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_matmul`](Self::try_matmul).
    #[track_caller]
    pub fn try_matmul_t(self, transposed: bool, other: Self, other_transposed: bool) -> Result<Self, Error> {
        self.try_record2(MatMul::new(transposed, other_transposed), other)
    }
}
