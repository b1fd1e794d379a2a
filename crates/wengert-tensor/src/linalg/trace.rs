//! The trace.

use super::batch::square;
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::Tensor;

impl<F: FloatElement> Tensor<F> {
    /// The sum of the diagonal: `[.., n, n] -> [..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_trace`](Self::try_trace) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).trace().item(), 5.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn trace(&self) -> Tensor<F> {
        self.try_trace().or_panic()
    }

    /// As [`trace`](Self::trace), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`](crate::LinalgError::NotSquare); [`ShapeError::Rank`].
    pub fn try_trace(&self) -> Result<Tensor<F>, ShapeError> {
        square("trace", self.shape())?;
        self.try_diagonal(0, -2, -1)?.try_sum_axes(-1)
    }
}
