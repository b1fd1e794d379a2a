//! Norms of matrices, composed of lengths, sums of absolute values, extremes and singular values, whose cotangents are
//! theirs.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_kernels::Unary;
use wengert_tensor::{MatrixNorm, check_matrix_norm};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The norm of a matrix, or of each matrix of a batch.
    ///
    /// Gradients: of the Frobenius norm `a / |a|`, and 0 at the zero matrix; of the others that of the row, column or
    /// singular value that is the largest, shared evenly where several are; of the nuclear norm `u v_t`, a subgradient
    /// where a singular value is 0.
    ///
    /// Shapes: `a: [.., m, n]`, result `[..]`.
    ///
    /// Source: G. H. Golub and C. F. Van Loan, *Matrix Computations*, 2013, section 2.3.
    ///
    /// # Panics
    /// With the text of the error that [`try_matrix_norm`](Self::try_matrix_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::MatrixNorm;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[3.0, 0.0], [-4.0, 1.0]]);
    /// let y = a.matrix_norm(MatrixNorm::One);
    /// assert_eq!(y.item(), 7.0);
    /// assert_eq!(y.gradient()[a].to_vec(), [1.0, 0.0, -1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn matrix_norm(self, norm: MatrixNorm) -> Self {
        self.try_matrix_norm(norm).or_panic()
    }

    /// [`matrix_norm`](Self::matrix_norm), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if these are not matrices, there is nothing to take the largest of, or singular values are
    /// asked for of what is not finite.
    ///
    /// # Panics
    /// For norms of singular values where `wengert-tensor` has feature `linalg` and `wengert-core` has not.
    #[track_caller]
    pub fn try_matrix_norm(self, norm: MatrixNorm) -> Result<Self, Error> {
        let _whole = self.whole("matrix_norm");
        self.fit(check_matrix_norm(&self.shape(), norm))?;
        match norm {
            MatrixNorm::Frobenius => self.try_norm2_axes([-2, -1]),
            MatrixNorm::One => self.try_unary(Unary::Abs)?.try_sum_axes(-2)?.try_max_axes(-1),
            MatrixNorm::Infinity => self.try_unary(Unary::Abs)?.try_sum_axes(-1)?.try_max_axes(-1),
            #[cfg(feature = "linalg")]
            MatrixNorm::Spectral => self.try_svdvals()?.try_max_axes(-1),
            #[cfg(feature = "linalg")]
            MatrixNorm::Nuclear => self.try_svdvals()?.try_sum_axes(-1),
            norm => panic!("matrix_norm: {norm:?} on a tape needs feature `linalg` of wengert-core"),
        }
    }
}
