//! Products summed over named axes. The plan is that of plain tensors; here its steps are recorded, so that the
//! cotangents are those of permutation, reshape, sum and matrix product.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use wengert_tensor::{Contract, Shape, ShapeError, contract};

/// A variable as an operand of the plan.
#[derive(Clone)]
struct Factor<'t, F: TensorFloat>(TensorVar<'t, F>);

/// The factor that a step made. What it refuses gets the line of the whole.
fn step<F: TensorFloat>(made: Result<TensorVar<'_, F>, Error>) -> Result<Factor<'_, F>, ShapeError> {
    made.map(Factor).map_err(|error| match error {
        Error::Shape { source, .. } => *source,
        error => unreachable!("of one tape: {error}"),
    })
}

impl<F: TensorFloat> Contract for Factor<'_, F> {
    fn dims(&self) -> Shape {
        self.0.shape()
    }
    fn permuted(&self, order: &[usize]) -> Result<Self, ShapeError> {
        step(self.0.try_permute(order.iter().copied()))
    }
    fn reshaped(&self, shape: Shape) -> Result<Self, ShapeError> {
        step(self.0.try_reshape(shape))
    }
    fn summed(&self, axes: &[usize]) -> Result<Self, ShapeError> {
        step(self.0.try_sum_axes(axes))
    }
    fn diagonal_of(&self, a: usize, b: usize) -> Result<Self, ShapeError> {
        step(self.0.try_diagonal_of(0, [a, b]))
    }
    fn product(&self, other: &Self) -> Result<Self, ShapeError> {
        step(self.0.try_mul(other.0))
    }
    fn matrix_product(&self, other: &Self) -> Result<Self, ShapeError> {
        step(self.0.try_matmul_t(false, other.0, false))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The product of the operands summed over all axes that are not in the result, by letters: `ij,jk->ik` is the
    /// matrix product, `bij,bj->bi` a batch of matrices times vectors, `i,j->ij` the outer product, `ii->` the trace.
    ///
    /// A letter used twice for one operand takes its diagonal. `...` stands for any further axes, which broadcast.
    /// Without an arrow the result has the letters used once, in alphabetical order. More than two operands are
    /// multiplied pair by pair, the cheapest first; each pair is one batched matrix product.
    ///
    /// Source: A. Einstein, "Die Grundlage der allgemeinen Relativitaetstheorie", 1916, section 5.
    ///
    /// # Panics
    /// With the text of the error that [`try_einsum`](Self::try_einsum) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (a, x) = (tape.tensor([[1.0, 2.0], [3.0, 4.0]]), tape.tensor([1.0, 10.0]));
    /// let y = TensorVar::einsum("i,ij,j->", &[x, a, x]); // a quadratic form
    /// assert_eq!(y.item(), 451.0);
    /// assert_eq!(y.gradient()[x].to_vec(), [52.0, 85.0]); // (a + aT) x
    /// ```
    #[track_caller]
    pub fn einsum(formula: &str, operands: &[Self]) -> Self {
        Self::try_einsum(formula, operands).or_panic()
    }

    /// [`einsum`](Self::einsum), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the formula cannot be read or does not describe the operands, with the position of what is
    /// wrong; [`Error::Empty`] of nothing; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_einsum(formula: &str, operands: &[Self]) -> Result<Self, Error> {
        let (op, caller) = ("einsum", Location::caller());
        let Some(first) = operands.first() else { return Err(Error::Empty { op, caller }) };
        let _whole = first.whole(op);
        for &other in operands {
            first.same_tape(other, op, caller)?;
        }
        let factors: Vec<Factor<'t, F>> = operands.iter().map(|&x| Factor(x)).collect();
        Ok(first.fit(contract(formula, &factors))?.0)
    }

    /// The inner product of all elements with those of a tensor of the same shape, `sum x y`, a tensor of shape `[]`.
    ///
    /// Formula: `sum_i x_i y_i`; cotangents `x_bar = y_bar y` and `y_bar x`. Shapes: both alike, result `[]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_dot`](Self::try_dot) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([1.0, 2.0]), tape.tensor([3.0, 4.0]));
    /// let y = a.dot(b);
    /// assert_eq!((y.item(), y.gradient()[a].to_vec()), (11.0, vec![3.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn dot(self, other: Self) -> Self {
        self.try_dot(other).or_panic()
    }

    /// [`dot`](Self::dot), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes differ, [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_dot(self, other: Self) -> Result<Self, Error> {
        let op = "dot";
        let _whole = self.whole(op);
        self.same_tape(other, op, Location::caller())?;
        let (lhs, rhs) = (self.shape(), other.shape());
        if lhs != rhs {
            return self.fit(Err(ShapeError::Unequal { op, lhs, rhs }));
        }
        self.try_reshape(lhs.size())?.try_matmul(other.try_reshape(rhs.size())?)
    }

    /// The outer product of two vectors: `[m] x [n] -> [m, n]`, `y_ij = a_i b_j`.
    ///
    /// # Panics
    /// With the text of the error that [`try_outer`](Self::try_outer) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([1.0, 2.0]), tape.tensor([3.0, 4.0]));
    /// let y = a.outer(b);
    /// assert_eq!(y.value().to_vec(), [3.0, 4.0, 6.0, 8.0]);
    /// assert_eq!(y.sum().gradient()[a].to_vec(), [7.0, 7.0]);
    /// ```
    #[track_caller]
    pub fn outer(self, other: Self) -> Self {
        self.try_outer(other).or_panic()
    }

    /// [`outer`](Self::outer), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an operand is not a vector, [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_outer(self, other: Self) -> Result<Self, Error> {
        let _whole = self.whole("outer");
        if let Some(shape) = [self.shape(), other.shape()].into_iter().find(|shape| shape.rank() != 1) {
            let expected = "a vector; `einsum` multiplies axes by name";
            return self.fit(Err(ShapeError::Rank { op: "outer", shape, expected }));
        }
        self.try_reshape([self.shape()[0], 1])?.try_mul(other)
    }
}
