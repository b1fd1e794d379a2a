//! Norms of matrices.

use crate::axis::Axes;
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A norm of matrices `a: [m, n]`.
///
/// Source: Golub & Van Loan 2013, *Matrix Computations*, section 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatrixNorm {
    /// The length of all entries as one vector, `sqrt(sum a_ij^2)`.
    Frobenius,
    /// The largest sum of absolute values of a column: how much the matrix stretches sums of absolute values.
    One,
    /// The largest sum of absolute values of a row: how much it stretches the largest absolute value.
    Infinity,
    /// The largest singular value: how much it stretches lengths. PyTorch's norm 2.
    #[cfg(feature = "linalg")]
    Spectral,
    /// The sum of the singular values. PyTorch's `nuc`.
    #[cfg(feature = "linalg")]
    Nuclear,
}

/// The axes of a matrix of a batch.
pub(crate) fn matrix_axes() -> Axes {
    Axes::from([-2, -1])
}

/// Checks that these are matrices, with entries where the norm is a largest of something.
#[doc(hidden)]
pub fn check_matrix_norm(shape: &Shape, norm: MatrixNorm) -> Result<(), ShapeError> {
    let op = "matrix_norm";
    let [.., m, n] = **shape else {
        return Err(ShapeError::Rank { op, shape: shape.clone(), expected: "a matrix or a batch of matrices" });
    };
    let of_largest = match norm {
        MatrixNorm::Frobenius => 1,
        MatrixNorm::One => n,
        MatrixNorm::Infinity => m,
        #[cfg(feature = "linalg")]
        MatrixNorm::Spectral => m.min(n),
        #[cfg(feature = "linalg")]
        MatrixNorm::Nuclear => 1,
    };
    if of_largest == 0 { Err(ShapeError::Empty { op, shape: shape.clone() }) } else { Ok(()) }
}

impl<F: FloatElement> Tensor<F> {
    /// The norm of a matrix, or of each matrix of a batch.
    ///
    /// Shapes: `a: [.., m, n]`, result `[..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_matrix_norm`](Self::try_matrix_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{MatrixNorm, Tensor};
    /// let a = Tensor::from([[3.0, 0.0], [-4.0, 1.0]]);
    /// assert_eq!(a.matrix_norm(MatrixNorm::Frobenius).item(), 26.0_f64.sqrt());
    /// assert_eq!(a.matrix_norm(MatrixNorm::One).item(), 7.0);
    /// assert_eq!(a.matrix_norm(MatrixNorm::Infinity).item(), 5.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn matrix_norm(&self, norm: MatrixNorm) -> Tensor<F> {
        self.try_matrix_norm(norm).or_panic()
    }

    /// As [`matrix_norm`](Self::matrix_norm), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`]; [`ShapeError::Empty`] for the largest of nothing; for norms of singular values
    /// `ShapeError::Linalg` if an entry is not finite.
    pub fn try_matrix_norm(&self, norm: MatrixNorm) -> Result<Tensor<F>, ShapeError> {
        check_matrix_norm(self.shape(), norm)?;
        match norm {
            MatrixNorm::Frobenius => self.try_norm2_axes(matrix_axes()),
            MatrixNorm::One => self.try_norm_axes(1.0, -2)?.try_max_axes(-1),
            MatrixNorm::Infinity => self.try_norm_axes(1.0, -1)?.try_max_axes(-1),
            #[cfg(feature = "linalg")]
            MatrixNorm::Spectral => self.try_svd_packed()?.try_slice(-1, ..1)?.try_max_axes(matrix_axes()),
            #[cfg(feature = "linalg")]
            MatrixNorm::Nuclear => self.try_svd_packed()?.try_slice(-1, ..1)?.try_sum_axes(matrix_axes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_of_a_batch_of_any_layout() {
        let a = Tensor::from([[[1.0, -2.0], [3.0, 0.0], [0.0, 4.0]], [[0.0; 2]; 3]]);
        for a in [a.clone(), a.transpose(0, 2).to_contiguous().transpose(0, 2)] {
            assert_eq!(a.matrix_norm(MatrixNorm::Frobenius).to_vec(), [30.0_f64.sqrt(), 0.0]);
            assert_eq!(a.matrix_norm(MatrixNorm::One).to_vec(), [6.0, 0.0]);
            assert_eq!(a.matrix_norm(MatrixNorm::Infinity).to_vec(), [4.0, 0.0]);
        }
        assert_eq!(Tensor::<f64>::zeros([2, 0, 3]).matrix_norm(MatrixNorm::One).to_vec(), [0.0; 2]);
        assert_eq!(Tensor::<f64>::zeros([0, 2, 3]).matrix_norm(MatrixNorm::Infinity).len(), 0);
        let nan = Tensor::from([[1.0, f64::NAN], [2.0, 3.0]]);
        assert!(nan.matrix_norm(MatrixNorm::One).item().is_nan());
        let huge = Tensor::<f64>::from([[3e200, 4e200]]).matrix_norm(MatrixNorm::Frobenius).item();
        assert!((huge / 5e200 - 1.0).abs() < 1e-15, "{huge:e}");
    }

    #[cfg(feature = "linalg")]
    #[test]
    fn norms_of_singular_values() {
        // [[0, -3], [2, 0]] turns by 90 degrees and stretches by 3 and 2.
        let a = Tensor::<f64>::from([[0.0, -3.0], [2.0, 0.0]]);
        assert!((a.matrix_norm(MatrixNorm::Spectral).item() - 3.0).abs() < 1e-15);
        assert!((a.matrix_norm(MatrixNorm::Nuclear).item() - 5.0).abs() < 1e-15);
        assert_eq!(Tensor::<f64>::zeros([2, 0, 3]).matrix_norm(MatrixNorm::Nuclear).to_vec(), [0.0; 2]);
        let infinite = Tensor::from([[f64::INFINITY]]).try_matrix_norm(MatrixNorm::Spectral);
        assert!(matches!(infinite, Err(ShapeError::Linalg(_))));
    }

    #[test]
    fn mistakes_are_named() {
        let text = |shape: &[usize], norm| Tensor::<f64>::zeros(shape).try_matrix_norm(norm).unwrap_err().to_string();
        assert_eq!(
            text(&[3], MatrixNorm::Frobenius),
            "matrix_norm: operand of shape [3] has 1 axes; expected a matrix or a batch of matrices"
        );
        assert_eq!(
            text(&[3, 0], MatrixNorm::One),
            "matrix_norm: shape [3, 0] leaves no elements to reduce, and the matrix_norm of nothing is not defined; check `is_empty()` first"
        );
        assert!(text(&[2, 0, 3], MatrixNorm::Infinity).starts_with("matrix_norm: shape [2, 0, 3] leaves no elements"));
    }
}
