//! Systems with a triangular matrix.

use super::LinalgError;
use super::batch::{for_each_pair, right_side, square};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::Tensor;

/// Which triangle of a matrix a system is solved with, and how.
///
/// # Examples
/// ```
/// # use wengert_tensor::{Tensor, Triangle};
/// let a = Tensor::from([[2.0, 9.0], [1.0, 4.0]]); // the 9 is not read
/// let b = Tensor::from([2.0, 9.0]);
/// assert_eq!(a.solve_triangular(&b, Triangle::lower()), Tensor::from([1.0, 2.0]));
/// assert_eq!(a.solve_triangular(&b, Triangle::lower().unit()), Tensor::from([2.0, 7.0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triangle {
    pub(crate) lower: bool,
    pub(crate) transposed: bool,
    pub(crate) unit: bool,
}

impl Triangle {
    /// The lower triangle, with the diagonal; what is above is not read.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Triangle};
    /// let (a, b) = (Tensor::from([[2.0, 4.0], [1.0, 4.0]]), Tensor::from([2.0, 8.0]));
    /// assert_eq!(a.solve_triangular(&b, Triangle::lower()).to_vec(), [1.0, 1.75]); // of [[2, 0], [1, 4]]
    /// ```
    #[must_use]
    pub fn lower() -> Self {
        Triangle { lower: true, transposed: false, unit: false }
    }

    /// The upper triangle, with the diagonal; what is below is not read.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Triangle};
    /// let (a, b) = (Tensor::from([[2.0, 4.0], [1.0, 4.0]]), Tensor::from([2.0, 8.0]));
    /// assert_eq!(a.solve_triangular(&b, Triangle::upper()).to_vec(), [-3.0, 2.0]); // of [[2, 4], [0, 4]]
    /// ```
    #[must_use]
    pub fn upper() -> Self {
        Triangle { lower: false, ..Self::lower() }
    }

    /// The same triangle, transposed: `aT x = b`. Called twice, not transposed.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Triangle};
    /// let (a, b) = (Tensor::from([[2.0, 4.0], [1.0, 4.0]]), Tensor::from([2.0, 8.0]));
    /// let turned = Triangle::lower().transposed();
    /// assert_eq!(a.solve_triangular(&b, turned), a.t().solve_triangular(&b, Triangle::upper()));
    /// ```
    #[must_use]
    pub fn transposed(self) -> Self {
        Triangle { transposed: !self.transposed, ..self }
    }

    /// A diagonal of ones, whatever the matrix has there.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Triangle};
    /// let (a, b) = (Tensor::from([[2.0, 4.0], [1.0, 4.0]]), Tensor::from([2.0, 8.0]));
    /// assert_eq!(a.solve_triangular(&b, Triangle::lower().unit()).to_vec(), [2.0, 6.0]); // of [[1, 0], [1, 1]]
    /// ```
    #[must_use]
    pub fn unit(self) -> Self {
        Triangle { unit: true, ..self }
    }

    /// Whether it is the lower triangle.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Triangle};
    /// assert!(Triangle::lower().is_lower() && !Triangle::upper().is_lower());
    /// ```
    #[must_use]
    pub fn is_lower(self) -> bool {
        self.lower
    }

    /// Whether the system is that of the transposed triangle.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Triangle};
    /// let lower = Triangle::lower();
    /// assert!(lower.transposed().is_transposed() && !lower.transposed().transposed().is_transposed());
    /// ```
    #[must_use]
    pub fn is_transposed(self) -> bool {
        self.transposed
    }

    /// Whether the diagonal is taken for ones.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Triangle};
    /// assert!(Triangle::upper().unit().is_unit() && !Triangle::upper().is_unit());
    /// ```
    #[must_use]
    pub fn is_unit(self) -> bool {
        self.unit
    }
}

impl<F: FloatElement> Tensor<F> {
    /// The solution of `a x = b` by substitution, reading one triangle of `a` only.
    ///
    /// Shapes: `a: [.., n, n]`, this tensor; `b: [.., n, k]`, or a vector `[n]`; the result is like `b`. Leading axes
    /// broadcast. Costs `n^2 k` operations.
    ///
    /// # Panics
    /// With the text of the error that [`try_solve_triangular`](Self::try_solve_triangular) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Triangle};
    /// let a = Tensor::from([[4.0, 2.0], [2.0, 10.0]]);
    /// let (l, b) = (a.cholesky(), Tensor::from([8.0, 22.0]));
    /// let y = l.solve_triangular(&b, Triangle::lower());
    /// let x = l.solve_triangular(&y, Triangle::lower().transposed()); // a x = b
    /// assert_eq!(x, Tensor::from([1.0, 2.0]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn solve_triangular(&self, b: &Tensor<F>, triangle: Triangle) -> Tensor<F> {
        self.try_solve_triangular(b, triangle).or_panic()
    }

    /// As [`solve_triangular`](Self::solve_triangular), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`], [`LinalgError::RightSide`], [`LinalgError::ZeroDiagonal`]; [`ShapeError::Rank`],
    /// [`ShapeError::Broadcast`].
    pub fn try_solve_triangular(&self, b: &Tensor<F>, triangle: Triangle) -> Result<Tensor<F>, ShapeError> {
        let op = "solve_triangular";
        let n = square(op, self.shape())?;
        let diagonal = self.try_diagonal(0, -2, -1)?;
        if !triangle.unit
            && let Some(k) = diagonal.iter().position(|x| x == F::ZERO)
        {
            let (matrix, entry) = (k / n, k % n);
            return Err(LinalgError::ZeroDiagonal { op, shape: self.shape().clone(), matrix, entry }.boxed());
        }
        self.try_substitute(b, triangle)
    }

    /// [`try_solve_triangular`](Self::try_solve_triangular) without a look at the numbers: a zero on the diagonal is
    /// divided by, as pullbacks of singular matrices do.
    ///
    /// # Errors
    /// Shapes that do not fit.
    #[doc(hidden)]
    pub fn try_substitute(&self, b: &Tensor<F>, triangle: Triangle) -> Result<Tensor<F>, ShapeError> {
        let op = "solve_triangular";
        let n = square(op, self.shape())?;
        let (vector, columns) = right_side(op, self.shape(), b, n)?;
        let k = columns.shape()[columns.rank() - 1];
        let mut copy = None;
        let matrices = self.try_dense(op, &mut copy)?;
        let x = for_each_pair(op, self.shape(), &columns, &[n, k], |matrix, b, x| {
            x.copy_from_slice(b);
            F::solve_triangular(n, k, &matrices[matrix * n * n..][..n * n], triangle, x);
        })?;
        if vector { x.try_squeeze(-1) } else { Ok(x) }
    }
}
