//! Singular values and vectors.

use super::batch::{finite, for_each, matrix};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::{Tensor, try_filled};

/// `u`, `s` and `v_t`.
type Factors<F> = (Tensor<F>, Tensor<F>, Tensor<F>);

impl<F: FloatElement> Tensor<F> {
    /// The reduced singular value decomposition `a = u diag(s) v_t`, `uT u = v_t v_tT = 1`, `s` descending and not
    /// negative.
    ///
    /// Shapes: `a: [.., m, n]`; with `k = min(m, n)` `u: [.., m, k]`, `s: [.., k]`, `v_t: [.., k, n]`. Columns of `u`
    /// have a positive entry of largest magnitude. Costs about `20 m n k` operations.
    ///
    /// # Panics
    /// With the text of the error that [`try_svd`](Self::try_svd) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (u, s, v_t) = Tensor::from([[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]]).svd();
    /// assert!((s - Tensor::from([3.0, 2.0])).norm2() < 1e-15);
    /// assert!((u.index_axis(1, 0) - Tensor::from([0.0, 1.0, 0.0])).norm2() < 1e-15);
    /// assert!((v_t.index_axis(0, 0) - Tensor::from([1.0, 0.0])).norm2() < 1e-15);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn svd(&self) -> (Tensor<F>, Tensor<F>, Tensor<F>) {
        self.try_svd().or_panic()
    }

    /// As [`svd`](Self::svd), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`](crate::LinalgError::NotFinite),
    /// [`LinalgError::NotConverged`](crate::LinalgError::NotConverged); [`ShapeError::Rank`].
    pub fn try_svd(&self) -> Result<Factors<F>, ShapeError> {
        let [m, _] = matrix("svd", self.shape())?;
        let packed = self.try_svd_packed()?;
        let s = packed.try_slice(-1, ..1)?.try_squeeze(-1)?;
        let u = packed.try_slice(-1, 1..1 + m)?.try_transpose(-2, -1)?;
        Ok((u, s, packed.try_slice(-1, 1 + m..)?))
    }

    /// The singular values alone, descending.
    ///
    /// Shapes: `[.., m, n] -> [.., min(m, n)]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_svd`](Self::try_svd) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let s = Tensor::from([[0.0, -3.0], [4.0, 0.0]]).svdvals();
    /// assert!((s.at([0]) - 4.0_f64).abs() < 1e-14 && (s.at([1]) - 3.0_f64).abs() < 1e-14);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn svdvals(&self) -> Tensor<F> {
        self.try_svd().or_panic().1
    }

    /// `[.., k, 1 + m + n]`: a row is a singular value, its left and its right vector.
    ///
    /// # Errors
    /// As [`try_svd`](Self::try_svd).
    #[doc(hidden)]
    pub fn try_svd_packed(&self) -> Result<Tensor<F>, ShapeError> {
        let op = "svd";
        let [m, n] = matrix(op, self.shape())?;
        finite(op, self)?;
        let (k, width) = (m.min(n), 1 + m + n);
        let room = |len| try_filled(op, F::ZERO, len);
        let (mut s, mut u_t, mut v_t) = (room(k)?, room(k * m)?, room(k * n)?);
        for_each(op, self, &[k, width], |a, y| {
            F::svd(m, n, a, &mut s, &mut u_t, &mut v_t)?;
            for (i, row) in y.chunks_exact_mut(width).enumerate() {
                row[0] = s[i];
                row[1..=m].copy_from_slice(&u_t[i * m..(i + 1) * m]);
                row[1 + m..].copy_from_slice(&v_t[i * n..(i + 1) * n]);
            }
            Ok(())
        })
    }
}
