//! Orthogonal factors, and least squares through them.

use super::batch::{Fault, common_batch, finite, for_each, matrix, right_side};
use super::{LinalgError, Triangle};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::{Tensor, try_filled};

impl<F: FloatElement> Tensor<F> {
    /// The reduced factorization `a = q r`, `qT q = 1`, `r` upper triangular without a negative number on its diagonal.
    ///
    /// Shapes: `a: [.., m, n]`; with `k = min(m, n)` `q: [.., m, k]`, `r: [.., k, n]`. Costs `2 n^2 (m - n / 3)`
    /// operations, and as many for `q`.
    ///
    /// # Panics
    /// With the text of the error that [`try_qr`](Self::try_qr) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[3.0, 1.0], [4.0, 2.0]]);
    /// let (q, r) = a.qr();
    /// assert!((q.matmul(&r) - &a).norm2() < 1e-14);
    /// assert!((r - Tensor::from([[5.0, 2.2], [0.0, 0.4]])).norm2() < 1e-14);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn qr(&self) -> (Tensor<F>, Tensor<F>) {
        self.try_qr().or_panic()
    }

    /// As [`qr`](Self::qr), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`]; [`ShapeError::Rank`].
    pub fn try_qr(&self) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let [m, _] = matrix("qr", self.shape())?;
        let packed = self.try_qr_packed()?;
        Ok((packed.try_slice(-1, ..m)?.try_transpose(-2, -1)?, packed.try_slice(-1, m..)?))
    }

    /// `[.., k, m + n]`: a row is a column of `q` and a row of `r`.
    ///
    /// # Errors
    /// As [`try_qr`](Self::try_qr).
    #[doc(hidden)]
    pub fn try_qr_packed(&self) -> Result<Tensor<F>, ShapeError> {
        let op = "qr";
        let [m, n] = matrix(op, self.shape())?;
        finite(op, self)?;
        let (k, width) = (m.min(n), m + n);
        let (mut q_t, mut r) = (try_filled(op, F::ZERO, k * m)?, try_filled(op, F::ZERO, k * n)?);
        for_each(op, self, &[k, width], |a, y| {
            F::qr(m, n, a, &mut q_t, &mut r)?;
            // Without columns there are no rows to go over.
            for i in 0..k {
                let row = &mut y[i * width..(i + 1) * width];
                row[..m].copy_from_slice(&q_t[i * m..(i + 1) * m]);
                row[m..].copy_from_slice(&r[i * n..(i + 1) * n]);
            }
            Ok(())
        })
    }

    /// The `x` with the smallest `|a x - b|`, for matrices of full column rank.
    ///
    /// Shapes: `a: [.., m, n]`, this tensor, `m >= n`; `b: [.., m, k]`, or a vector `[m]`; `x: [.., n, k]`, or
    /// `[.., n]`. Leading axes broadcast. Computed as `r x = qT b`, so the condition of `a` enters once, not squared as
    /// in `aT a x = aT b`.
    ///
    /// # Panics
    /// With the text of the error that [`try_lstsq`](Self::try_lstsq) returns.
    ///
    /// # Examples
    /// The line through three points that is closest to them:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let x = a.lstsq(&Tensor::from([1.0, 2.0, 4.0]));
    /// assert!((x - Tensor::from([5.0 / 6.0, 1.5])).norm2() < 1e-15);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn lstsq(&self, b: &Tensor<F>) -> Tensor<F> {
        self.try_lstsq(b).or_panic()
    }

    /// As [`lstsq`](Self::lstsq), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::RankDeficient`], [`LinalgError::Underdetermined`], [`LinalgError::RightSide`],
    /// [`LinalgError::NotFinite`]; [`ShapeError::Rank`], [`ShapeError::Broadcast`].
    pub fn try_lstsq(&self, b: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        let [m, _] = Self::check_lstsq(self, b)?;
        let packed = self.try_qr_packed()?;
        Self::check_rank(self, &packed)?;
        let (vector, columns) = right_side("lstsq", self.shape(), b, m)?;
        let (q_t, r) = (packed.try_slice(-1, ..m)?, packed.try_slice(-1, m..)?);
        let x = r.try_substitute(&q_t.try_matmul(&columns)?, Triangle::upper())?;
        if vector { x.try_squeeze(-1) } else { Ok(x) }
    }

    /// The rows and columns of matrices that [`lstsq`](Self::lstsq) takes with these right-hand sides.
    ///
    /// # Errors
    /// As [`try_lstsq`](Self::try_lstsq).
    #[doc(hidden)]
    pub fn check_lstsq(a: &Tensor<F>, b: &Tensor<F>) -> Result<[usize; 2], ShapeError> {
        let op = "lstsq";
        let [m, n] = matrix(op, a.shape())?;
        if m < n {
            return Err(LinalgError::Underdetermined { op, shape: a.shape().clone() }.boxed());
        }
        right_side(op, a.shape(), b, m)?;
        common_batch(op, a.shape(), b.shape())?;
        finite(op, a)?;
        Ok([m, n])
    }

    /// Which of the first `min(m, n)` columns of `a` are combinations of those before them, up to rounding, by its
    /// packed factors.
    ///
    /// A diagonal entry of `r` is the distance of a column from the span of those before it, so it is compared with the
    /// length of that column: the units of unknowns do not matter.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Memory`].
    #[doc(hidden)]
    pub fn dependent_columns(a: &Tensor<F>, packed: &Tensor<F>) -> Result<Tensor<bool>, ShapeError> {
        let [m, n] = matrix("qr", a.shape())?;
        let rounding = Tensor::scalar(F::from_f64(m as f64) * F::EPSILON);
        let lengths = a.try_slice(-1, ..m.min(n))?.try_norm2_axes(-2)?;
        let r = packed.try_slice(-1, m..)?.try_diagonal(0, -2, -1)?;
        r.try_less_equal(&lengths.try_mul(&rounding)?)
    }

    /// Whether `a` has full column rank, up to rounding.
    ///
    /// # Errors
    /// [`LinalgError::RankDeficient`].
    #[doc(hidden)]
    pub fn check_rank(a: &Tensor<F>, packed: &Tensor<F>) -> Result<(), ShapeError> {
        let op = "lstsq";
        let [_, n] = matrix(op, a.shape())?;
        match Self::dependent_columns(a, packed)?.iter().position(|dependent| dependent) {
            None => Ok(()),
            Some(k) => Err(Fault::RankDeficient { column: k % n }.of(op, a.shape(), k / n)),
        }
    }
}
