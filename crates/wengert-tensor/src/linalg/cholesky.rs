//! Cholesky factors of symmetric positive definite matrices.

use super::batch::{finite, for_each, square};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::Tensor;

/// `y = (a + aT) / 2`.
pub(super) fn symmetric_part<F: FloatElement>(n: usize, a: &[F], y: &mut [F]) {
    let half = F::from_f64(0.5);
    for i in 0..n {
        for j in 0..n {
            y[i * n + j] = half * a[i * n + j] + half * a[j * n + i];
        }
    }
}

impl<F: FloatElement> Tensor<F> {
    /// The lower triangular `l` with a positive diagonal and `l lT = a`, for symmetric positive definite matrices.
    ///
    /// Shapes: `a, l: [.., n, n]`. Of a matrix that is not symmetric the symmetric part `(a + aT) / 2` is taken. Costs
    /// `n^3 / 3` operations.
    ///
    /// # Panics
    /// With the text of the error that [`try_cholesky`](Self::try_cholesky) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let l = Tensor::from([[4.0, 2.0], [2.0, 10.0]]).cholesky();
    /// assert_eq!(l, Tensor::from([[2.0, 0.0], [1.0, 3.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cholesky(&self) -> Tensor<F> {
        self.try_cholesky().or_panic()
    }

    /// As [`cholesky`](Self::cholesky), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`](crate::LinalgError::NotPositiveDefinite), which names the first leading
    /// minor that is not positive; [`LinalgError::NotSquare`](crate::LinalgError::NotSquare),
    /// [`LinalgError::NotFinite`](crate::LinalgError::NotFinite); [`ShapeError::Rank`].
    pub fn try_cholesky(&self) -> Result<Tensor<F>, ShapeError> {
        let op = "cholesky";
        let n = square(op, self.shape())?;
        finite(op, self)?;
        for_each(op, self, &[n, n], |a, l| {
            symmetric_part(n, a, l);
            F::cholesky(n, l)
        })
    }
}
