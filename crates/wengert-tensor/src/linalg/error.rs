//! What can be wrong with a matrix.

use crate::error::ShapeError;
use crate::shape::Shape;
use core::fmt;

/// Matrices an operation of linear algebra is not defined for.
///
/// It is the source of [`ShapeError::Linalg`](crate::ShapeError::Linalg). Matrices of a batch are named by their index.
///
/// # Examples
/// ```
/// # use wengert_tensor::{LinalgError, ShapeError, Tensor};
/// let a = Tensor::from([[1.0, 2.0], [2.0, 1.0]]); // eigenvalues 3 and -1
/// let Err(ShapeError::Linalg(error)) = a.try_cholesky() else { panic!("not positive definite") };
/// assert!(matches!(*error, LinalgError::NotPositiveDefinite { minor: 2, .. }));
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LinalgError {
    /// A matrix with more rows than columns, or less, where they must be as many.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f64>::ones([3, 2]).inverse();
    /// ```
    /// More equations than unknowns have a solution of least squares:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let line = a.lstsq(&Tensor::from([1.0, 2.0, 3.0]));
    /// ```
    #[error("{op}: matrices of shape {shape} are not square; it takes [.., n, n]{}", square_advice(op))]
    NotSquare {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
    },
    /// A matrix without an inverse, up to rounding.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [2.0, 4.0]]).inverse(); // twice the same row
    /// ```
    /// The determinant says so in time, and a ridge makes it regular:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[1.0, 2.0], [2.0, 4.0]]);
    /// assert_eq!(a.det().item(), 0.0);
    /// let x = (a + Tensor::eye(2) * 1e-3).inverse();
    /// ```
    #[error(
        "{op}: {} is singular: pivot {pivot} is {value:e} of its row and column; is a row or column repeated, or zero?",
        Which(shape, *matrix)
    )]
    Singular {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// Which matrix of the batch, counted through.
        matrix: usize,
        /// The column that could not be eliminated, counted from 0.
        pivot: usize,
        /// The pivot, relative to the largest entries of its row and column.
        value: f64,
    },
    /// A triangle with a zero on its diagonal.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Tensor, Triangle};
    /// let x = Tensor::from([[0.0, 0.0], [1.0, 1.0]]).solve_triangular(&Tensor::from([1.0, 1.0]), Triangle::lower());
    /// ```
    /// Unless the diagonal is taken for ones:
    /// ```
    /// # use wengert_tensor::{Tensor, Triangle};
    /// let a = Tensor::from([[0.0, 0.0], [1.0, 1.0]]);
    /// let x = a.solve_triangular(&Tensor::from([1.0, 1.0]), Triangle::lower().unit());
    /// ```
    #[error(
        "{op}: {} has a zero on its diagonal, at [{entry}, {entry}], and no inverse; did you mean the other triangle, or a `unit` diagonal?",
        Which(shape, *matrix)
    )]
    ZeroDiagonal {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// Which matrix of the batch, counted through.
        matrix: usize,
        /// Where on the diagonal.
        entry: usize,
    },
    /// A matrix that is not positive definite.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let l = Tensor::from([[1.0, 2.0], [2.0, 1.0]]).cholesky();
    /// ```
    /// A covariance that lost its definiteness to rounding is given some on the diagonal:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let l = (Tensor::from([[1.0, 1.0], [1.0, 1.0]]) + Tensor::eye(2) * 1e-9).cholesky();
    /// ```
    #[error(
        "{op}: {} is not positive definite: its leading minor of order {minor} is not positive; add a small multiple of the identity if it should be",
        Which(shape, *matrix)
    )]
    NotPositiveDefinite {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// Which matrix of the batch, counted through.
        matrix: usize,
        /// The order of the first leading minor that is not positive: 1 for the first entry, `n` for the determinant.
        minor: usize,
    },
    /// Right-hand sides of another length than the matrix has rows.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f64>::eye(2).solve(&Tensor::ones([1, 2]));
    /// ```
    /// They are columns:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f64>::eye(2).solve(&Tensor::ones([2, 1]));
    /// ```
    #[error(
        "{op}: matrices of shape {a} have {rows} rows, right-hand sides of shape {b} have {given}; b is a vector [{rows}] or columns [.., {rows}, k]"
    )]
    RightSide {
        /// The operation.
        op: &'static str,
        /// The shape of the matrices.
        a: Shape,
        /// The shape of the right-hand sides.
        b: Shape,
        /// Rows of a matrix.
        rows: usize,
        /// Rows of the right-hand sides.
        given: usize,
    },
    /// Less equations than unknowns.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f64>::ones([2, 3]).lstsq(&Tensor::ones([2]));
    /// ```
    /// The shortest of the many solutions is a combination of the rows:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]);
    /// let x = a.t().matmul(&a.matmul(&a.t()).solve(&Tensor::from([1.0, 2.0])));
    /// ```
    #[error(
        "{op}: matrices of shape {shape} have less rows than columns, so that there are many solutions; the shortest is aT (a aT)^-1 b"
    )]
    Underdetermined {
        /// The operation.
        op: &'static str,
        /// The shape of the matrices.
        shape: Shape,
    },
    /// Columns of which one is a combination of the others, up to rounding.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f64>::ones([3, 2]).lstsq(&Tensor::ones([3]));
    /// ```
    /// Leave it out, or ask for a small solution as well:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::<f64>::ones([3, 2]);
    /// let x = (a.t().matmul(&a) + Tensor::eye(2) * 1e-6).solve(&a.t().matmul(&Tensor::ones([3])));
    /// ```
    #[error(
        "{op}: {} does not have full column rank: column {column} is a combination of those before it, up to rounding; leave it out, or solve (aT a + c I) x = aT b",
        Which(shape, *matrix)
    )]
    RankDeficient {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// Which matrix of the batch, counted through.
        matrix: usize,
        /// The first such column, counted from 0.
        column: usize,
    },
    /// A NaN or an infinity in a matrix to be factorised.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let (w, v) = Tensor::from([[1.0, f64::NAN], [0.0, 1.0]]).eigh();
    /// ```
    #[error(
        "{op}: {} has {value} at [{row}, {column}]; the op that made it is found with `tape.watch_nonfinite()`",
        Which(shape, *matrix)
    )]
    NotFinite {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// Which matrix of the batch, counted through.
        matrix: usize,
        /// The row.
        row: usize,
        /// The column.
        column: usize,
        /// What is there.
        value: f64,
    },
    /// An iteration that did not end.
    #[error("{op}: {} did not yield to the iteration; scale its entries, or report it", Which(shape, *matrix))]
    NotConverged {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// Which matrix of the batch, counted through.
        matrix: usize,
    },
}

impl LinalgError {
    /// As what tensor operations return. Not `From`: a second conversion into `ShapeError` would leave `?` in closures
    /// without a type.
    #[cold]
    pub(super) fn boxed(self) -> ShapeError {
        ShapeError::Linalg(Box::new(self))
    }
}

fn square_advice(op: &str) -> &'static str {
    if op == "solve" { "; `lstsq` solves systems with more equations than unknowns" } else { "" }
}

/// Names a matrix of a batch.
struct Which<'a>(&'a Shape, usize);

impl fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Which(shape, mut matrix) = *self;
        let batch = &shape[..shape.rank().saturating_sub(2)];
        if batch.is_empty() {
            return write!(f, "the matrix of shape {shape}");
        }
        let mut index = vec![0; batch.len()];
        for (index, &n) in index.iter_mut().zip(batch).rev() {
            *index = matrix % n.max(1);
            matrix /= n.max(1);
        }
        write!(f, "matrix {index:?} of shape {shape}")
    }
}
