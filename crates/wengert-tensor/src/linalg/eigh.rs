//! Eigenvalues and eigenvectors of symmetric matrices.

use super::batch::{finite, for_each, square};
use super::cholesky::symmetric_part;
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::{Tensor, try_filled};

impl<F: FloatElement> Tensor<F> {
    /// The eigenvalues `w`, ascending, and eigenvectors of symmetric matrices: `a v = v diag(w)`, `vT v = 1`.
    ///
    /// Shapes: `a: [.., n, n]`; `w: [.., n]`; `v: [.., n, n]`, the vectors being its columns, each with a positive
    /// entry of largest magnitude. Of a matrix that is not symmetric the symmetric part is taken. Costs about `9 n^3`
    /// operations.
    ///
    /// # Panics
    /// With the text of the error that [`try_eigh`](Self::try_eigh) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (w, v) = Tensor::from([[2.0, 1.0], [1.0, 2.0]]).eigh();
    /// assert!((w - Tensor::from([1.0, 3.0])).norm2() < 1e-15);
    /// assert!((v.abs() - 0.5_f64.sqrt()).norm2() < 1e-15);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn eigh(&self) -> (Tensor<F>, Tensor<F>) {
        self.try_eigh().or_panic()
    }

    /// As [`eigh`](Self::eigh), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`](crate::LinalgError::NotSquare),
    /// [`LinalgError::NotFinite`](crate::LinalgError::NotFinite),
    /// [`LinalgError::NotConverged`](crate::LinalgError::NotConverged); [`ShapeError::Rank`].
    pub fn try_eigh(&self) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let packed = self.try_eigh_packed()?;
        let w = packed.try_slice(-1, ..1)?.try_squeeze(-1)?;
        Ok((w, packed.try_slice(-1, 1..)?.try_transpose(-2, -1)?))
    }

    /// The eigenvalues alone, ascending.
    ///
    /// Shapes: `[.., n, n] -> [.., n]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_eigh`](Self::try_eigh) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let w = Tensor::from([[2.0, 1.0], [1.0, 2.0]]).eigvalsh();
    /// assert!((w.at([0]) - 1.0_f64).abs() < 1e-14 && (w.at([1]) - 3.0_f64).abs() < 1e-14);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn eigvalsh(&self) -> Tensor<F> {
        self.try_eigh().or_panic().0
    }

    /// `[.., n, 1 + n]`: a row is an eigenvalue and its vector.
    ///
    /// # Errors
    /// As [`try_eigh`](Self::try_eigh).
    #[doc(hidden)]
    pub fn try_eigh_packed(&self) -> Result<Tensor<F>, ShapeError> {
        let op = "eigh";
        let n = square(op, self.shape())?;
        finite(op, self)?;
        let room = |len| try_filled(op, F::ZERO, len);
        let (mut symmetric, mut v_t, mut w) = (room(n * n)?, room(n * n)?, room(n)?);
        for_each(op, self, &[n, n + 1], |a, y| {
            symmetric_part(n, a, &mut symmetric);
            F::eigh(n, &symmetric, &mut w, &mut v_t)?;
            for (i, row) in y.chunks_exact_mut(n + 1).enumerate() {
                row[0] = w[i];
                row[1..].copy_from_slice(&v_t[i * n..(i + 1) * n]);
            }
            Ok(())
        })
    }
}
