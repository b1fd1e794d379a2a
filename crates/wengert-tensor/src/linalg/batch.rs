//! Batches of matrices, one matrix after the other.

use super::LinalgError;
use crate::element::FloatElement;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What is wrong with a matrix, before it is known which of the batch it is.
pub enum Fault {
    Singular {
        pivot: usize,
        value: f64,
    },
    NotPositiveDefinite {
        minor: usize,
    },
    RankDeficient {
        column: usize,
    },
    NotConverged,
    /// No memory for so many bytes of working space.
    Memory {
        bytes: usize,
    },
}

impl Fault {
    #[cold]
    pub(super) fn of(self, op: &'static str, shape: &Shape, matrix: usize) -> ShapeError {
        let shape = shape.clone();
        let error = match self {
            Fault::Singular { pivot, value } => LinalgError::Singular { op, shape, matrix, pivot, value },
            Fault::NotPositiveDefinite { minor } => LinalgError::NotPositiveDefinite { op, shape, matrix, minor },
            Fault::RankDeficient { column } => LinalgError::RankDeficient { op, shape, matrix, column },
            Fault::NotConverged => LinalgError::NotConverged { op, shape, matrix },
            Fault::Memory { bytes } => return ShapeError::Memory { op, shape, bytes },
        };
        error.boxed()
    }
}

/// The rows and columns of each matrix of a batch `[.., m, n]`.
pub(super) fn matrix(op: &'static str, shape: &Shape) -> Result<[usize; 2], ShapeError> {
    match **shape {
        [.., m, n] => Ok([m, n]),
        _ => Err(ShapeError::Rank { op, shape: shape.clone(), expected: "a matrix or a batch of matrices" }),
    }
}

/// The rows of each matrix of a batch `[.., n, n]`.
pub(super) fn square(op: &'static str, shape: &Shape) -> Result<usize, ShapeError> {
    match matrix(op, shape)? {
        [m, n] if m == n => Ok(n),
        _ => Err(LinalgError::NotSquare { op, shape: shape.clone() }.boxed()),
    }
}

/// The axes in front of the matrices, and the axes `own` behind them.
pub(super) fn with_axes(shape: &Shape, own: &[usize]) -> Shape {
    shape[..shape.rank() - 2].iter().chain(own).copied().collect()
}

/// Refuses NaN and infinities, which factorizations answer with anything.
pub(super) fn finite<F: FloatElement>(op: &'static str, x: &Tensor<F>) -> Result<(), ShapeError> {
    let [m, n] = matrix(op, x.shape())?;
    match x.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        None => Ok(()),
        Some((k, value)) => {
            let (shape, value) = (x.shape().clone(), value.to_f64());
            let (matrix, row, column) = (k / (m * n), k / n % m, k % n);
            Err(LinalgError::NotFinite { op, shape, matrix, row, column, value }.boxed())
        }
    }
}

/// A tensor `[.., own]` of what `f` makes of each matrix of `x: [.., m, n]`, both row by row.
pub(super) fn for_each<F: FloatElement>(
    op: &'static str,
    x: &Tensor<F>,
    own: &[usize],
    mut f: impl FnMut(&[F], &mut [F]) -> Result<(), Fault>,
) -> Result<Tensor<F>, ShapeError> {
    let [m, n] = matrix(op, x.shape())?;
    let shape = with_axes(x.shape(), own);
    shape.try_size(op)?;
    let count: usize = x.shape()[..x.rank() - 2].iter().product();
    let (size, own): (usize, usize) = (m * n, own.iter().product());
    let mut copy = None;
    let x_entries = x.try_dense(op, &mut copy)?;
    let mut fault = None;
    let y = Tensor::try_build(op, &shape, |y| {
        for k in 0..count {
            if let Err(found) = f(&x_entries[k * size..][..size], &mut y[k * own..][..own]) {
                fault = Some((k, found));
                return;
            }
        }
    })?;
    match fault {
        None => Ok(y),
        Some((k, fault)) => Err(fault.of(op, x.shape(), k)),
    }
}

/// The axes in front of the last two; none of a vector.
fn batch_of(shape: &Shape) -> Shape {
    Shape::from(&shape[..shape.rank().saturating_sub(2)])
}

/// The batch that those of two operands are repeated to.
pub(super) fn common_batch(op: &'static str, a: &Shape, b: &Shape) -> Result<Shape, ShapeError> {
    Shape::broadcast(op, &batch_of(a), &batch_of(b)).map_err(|error| match error {
        ShapeError::Broadcast { axis, .. } => ShapeError::Broadcast { op, lhs: a.clone(), rhs: b.clone(), axis },
        other => other,
    })
}

/// `[.., own]` of what `f` makes of a matrix of `a`, given by its number, and one of `b`, row by row; the batches
/// broadcast.
pub(super) fn for_each_pair<F: FloatElement>(
    op: &'static str,
    a: &Shape,
    b: &Tensor<F>,
    own: &[usize],
    mut f: impl FnMut(usize, &[F], &mut [F]),
) -> Result<Tensor<F>, ShapeError> {
    let batch = common_batch(op, a, b.shape())?;
    // Which matrix of an operand each of the result belongs to: their numbers, repeated like the matrices.
    let numbers =
        |shape: Shape| Tensor::<i64>::arange(shape.size()).try_reshape(shape)?.try_broadcast_to(batch.clone());
    let (a_numbers, b_numbers) = (numbers(batch_of(a))?, numbers(batch_of(b.shape()))?);
    let [rows, columns] = matrix(op, b.shape())?;
    let (size, own_size) = (rows * columns, own.iter().product::<usize>());
    let mut copy = None;
    let entries = b.try_dense(op, &mut copy)?;
    let shape: Shape = batch.iter().chain(own).copied().collect();
    shape.try_size(op)?;
    Tensor::try_build(op, &shape, |y| {
        for (k, (a, b)) in a_numbers.iter().zip(&b_numbers).enumerate() {
            f(a as usize, &entries[b as usize * size..][..size], &mut y[k * own_size..][..own_size]);
        }
    })
}

/// Right-hand sides for matrices of `rows` rows: whether they are one vector, and as columns `[.., rows, k]`.
pub(super) fn right_side<F: FloatElement>(
    op: &'static str,
    a: &Shape,
    b: &Tensor<F>,
    rows: usize,
) -> Result<(bool, Tensor<F>), ShapeError> {
    let vector = check_right_side(op, a, b.shape(), rows)?;
    Ok((vector, if vector { b.try_unsqueeze(1)? } else { b.clone() }))
}

/// Whether right-hand sides for matrices of `rows` rows are one vector.
///
/// # Errors
/// [`LinalgError::RightSide`] if they have another number of rows; [`ShapeError::Rank`].
pub fn check_right_side(op: &'static str, a: &Shape, b: &Shape, rows: usize) -> Result<bool, ShapeError> {
    let given = match **b {
        [] => {
            let expected = "a vector [n], or columns [.., n, k]";
            return Err(ShapeError::Rank { op, shape: b.clone(), expected });
        }
        [n] | [.., n, _] => n,
    };
    if given != rows {
        return Err(LinalgError::RightSide { op, a: a.clone(), b: b.clone(), rows, given }.boxed());
    }
    Ok(b.rank() == 1)
}
