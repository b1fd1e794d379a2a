//! Systems, inverses and determinants by Gaussian elimination.

#[cfg(doc)]
use super::LinalgError;
use super::Triangle;
use super::batch::{Fault, check_right_side, common_batch, finite, for_each, for_each_pair, right_side, square};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::{Tensor, try_filled, try_room};

/// The factors of a batch of matrices, `P D a = L U`, for several systems.
///
/// `D` scales each row to 1, by a power of two, so that nothing is rounded: the rows exchanged, and what counts as a
/// zero pivot, do not depend on the units of the equations.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Lu<F: FloatElement> {
    /// `U` and what is below the diagonal of `L`: `[.., n, n]`.
    factors: Tensor<F>,
    /// For each matrix, which row comes at each place.
    rows: Vec<usize>,
    /// For each matrix and row, by what it was multiplied.
    scale: Vec<F>,
    /// For each matrix, whether the rows are an odd permutation.
    odd: Vec<bool>,
    /// The first zero pivot, up to rounding: matrix, pivot, its relative size.
    singular: Option<(usize, usize, f64)>,
    /// The smallest pivot relative to its row and column.
    smallest: f64,
}

/// The power of two next to `1 / x`, within the exponents of the type.
fn reciprocal_scale<F: FloatElement>(x: F) -> F {
    // Far from both ends of the exponents, so that products with it stay normal.
    let range = if size_of::<F>() == 4 { 100.0 } else { 900.0 };
    let exponent = if x > F::ZERO { x.to_f64().log2().floor().clamp(-range, range) } else { 0.0 };
    F::from_f64((-exponent).exp2())
}

impl<F: FloatElement> Lu<F> {
    /// Factorises every matrix of `a: [.., n, n]`, singular ones too.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`]; [`ShapeError::Rank`], [`ShapeError::Memory`].
    pub fn new(op: &'static str, a: &Tensor<F>) -> Result<Self, ShapeError> {
        let n = square(op, a.shape())?;
        let count = a.shape()[..a.rank() - 2].iter().product::<usize>();
        let mut rows = try_filled(op, 0, count * n)?;
        let mut scale = try_filled(op, F::ONE, count * n)?;
        let mut odd = try_room(op, count)?;
        let (mut singular, mut smallest) = (None, f64::INFINITY);
        let rounding = n as f64 * F::EPSILON.to_f64();
        let mut columns = try_filled(op, F::ZERO, n)?;
        let factors = for_each(op, a, &[n, n], |a, lu| {
            let matrix = odd.len();
            let (rows, scale) = (&mut rows[matrix * n..][..n], &mut scale[matrix * n..][..n]);
            let larger = |m: F, x: F| if x.abs() > m { x.abs() } else { m };
            columns.fill(F::ZERO);
            for i in 0..n {
                let row = &a[i * n..(i + 1) * n];
                scale[i] = reciprocal_scale(row.iter().fold(F::ZERO, |m, &x| larger(m, x)));
                for j in 0..n {
                    lu[i * n + j] = row[j] * scale[i];
                    columns[j] = larger(columns[j], lu[i * n + j]);
                }
            }
            odd.push(F::lu(n, lu, rows)?);
            for k in 0..n {
                let size = (lu[k * n + k].abs() / columns[k]).to_f64();
                let size = if columns[k] == F::ZERO { 0.0 } else { size };
                smallest = smallest.min(size);
                if (size <= rounding || size.is_nan()) && singular.is_none() {
                    singular = Some((matrix, k, size));
                }
            }
            Ok(())
        })?;
        Ok(Lu { factors, rows, scale, odd, singular, smallest })
    }

    /// # Errors
    /// [`LinalgError::Singular`] if a matrix has no inverse, up to rounding.
    pub fn regular(self, op: &'static str) -> Result<Self, ShapeError> {
        match self.singular {
            None => Ok(self),
            Some((matrix, pivot, value)) => Err(Fault::Singular { pivot, value }.of(op, self.factors.shape(), matrix)),
        }
    }

    /// Whether no matrix is so close to a singular one that the product of determinant and inverse loses digits.
    pub fn well_conditioned(&self) -> bool {
        self.smallest > F::EPSILON.to_f64().sqrt().sqrt()
    }

    /// The solutions of `a x = b`, or `aT x = b`, for columns `b: [.., n, k]`.
    ///
    /// # Errors
    /// [`LinalgError::RightSide`]; [`ShapeError::Broadcast`], [`ShapeError::Memory`].
    pub fn solve(&self, op: &'static str, b: &Tensor<F>, transposed: bool) -> Result<Tensor<F>, ShapeError> {
        let shape = self.factors.shape();
        let n = shape[shape.rank() - 1];
        let (vector, columns) = right_side(op, shape, b, n)?;
        let k = columns.shape()[columns.rank() - 1];
        let factors = self.factors.as_slice().unwrap_or_default();
        let (substitute, upper, lower) = (F::solve_triangular, Triangle::upper(), Triangle::lower().unit());
        let mut exchanged = try_filled(op, F::ZERO, if transposed { n * k } else { 0 })?;
        let x = for_each_pair(op, shape, &columns, &[n, k], |matrix, b, x| {
            let lu = &factors[matrix * n * n..][..n * n];
            let rows = &self.rows[matrix * n..][..n];
            let scale = &self.scale[matrix * n..][..n];
            if transposed {
                exchanged.copy_from_slice(b);
                substitute(n, k, lu, upper.transposed(), &mut exchanged);
                substitute(n, k, lu, lower.transposed(), &mut exchanged);
                for (i, &row) in rows.iter().enumerate() {
                    for j in 0..k {
                        x[row * k + j] = exchanged[i * k + j] * scale[row];
                    }
                }
            } else {
                for (i, &row) in rows.iter().enumerate() {
                    for j in 0..k {
                        x[i * k + j] = b[row * k + j] * scale[row];
                    }
                }
                substitute(n, k, lu, lower, x);
                substitute(n, k, lu, upper, x);
            }
        })?;
        if vector { x.try_squeeze(-1) } else { Ok(x) }
    }

    /// The inverses, `[.., n, n]`.
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    pub fn inverse(&self, op: &'static str) -> Result<Tensor<F>, ShapeError> {
        self.solve(op, &Tensor::try_eye_for(op, self.factors.dim(-1))?, false)
    }

    /// `f` of the sign of each matrix's permutation and of its pivots, as they are without the scale.
    fn pivots(
        &self,
        op: &'static str,
        own: &[usize],
        f: impl Fn(bool, &[F], &mut [F]),
    ) -> Result<Tensor<F>, ShapeError> {
        let mut pivots = try_filled(op, F::ZERO, self.factors.dim(-1))?;
        let mut matrix = 0;
        for_each(op, &self.factors, own, |lu, y| {
            let n = pivots.len();
            for (i, pivot) in pivots.iter_mut().enumerate() {
                *pivot = lu[i * n + i] / self.scale[matrix * n + self.rows[matrix * n + i]];
            }
            f(self.odd[matrix], &pivots, y);
            matrix += 1;
            Ok(())
        })
    }

    /// The determinants, `[..]`.
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    pub fn det(&self, op: &'static str) -> Result<Tensor<F>, ShapeError> {
        self.pivots(op, &[], |odd, pivots, y| {
            y[0] = pivots.iter().fold(if odd { -F::ONE } else { F::ONE }, |det, &pivot| det * pivot);
        })
    }

    /// The sign of the determinants, 0 included, and the logarithm of their magnitudes: `[.., 2]`.
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    pub fn slogdet(&self, op: &'static str) -> Result<Tensor<F>, ShapeError> {
        self.pivots(op, &[2], |odd, pivots, y| {
            y[0] = if odd { -F::ONE } else { F::ONE };
            y[1] = F::ZERO;
            for &pivot in pivots {
                if pivot == F::ZERO {
                    y[0] = F::ZERO;
                } else if pivot < F::ZERO {
                    y[0] = -y[0];
                }
                y[1] += pivot.abs().ln();
            }
        })
    }
}

impl<F: FloatElement> Tensor<F> {
    /// The solution of `a x = b`.
    ///
    /// Shapes: `a: [.., n, n]`, this tensor; `b: [.., n, k]`, or a vector `[n]`; `x: [.., n, k]`, or `[.., n]`. Leading
    /// axes broadcast. Gaussian elimination with scaled partial pivoting, `2 n^3 / 3 + 2 n^2 k` operations.
    ///
    /// # Panics
    /// With the text of the error that [`try_solve`](Self::try_solve) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[2.0, 1.0], [1.0, 3.0]]);
    /// let x = a.solve(&Tensor::from([3.0, 4.0]));
    /// assert!((x - Tensor::from([1.0, 1.0])).norm2() < 1e-15);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn solve(&self, b: &Tensor<F>) -> Tensor<F> {
        self.try_solve(b).or_panic()
    }

    /// As [`solve`](Self::solve), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::Singular`] if a matrix has no inverse, up to rounding: a pivot less than `n eps` of its row and
    /// column; [`LinalgError::NotSquare`], [`LinalgError::RightSide`], [`LinalgError::NotFinite`];
    /// [`ShapeError::Rank`], [`ShapeError::Broadcast`].
    pub fn try_solve(&self, b: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        let op = "solve";
        self.try_lu(op, b)?.solve(op, b, false)
    }

    /// The factors for systems with these right-hand sides and others.
    ///
    /// # Errors
    /// As [`try_solve`](Self::try_solve).
    #[doc(hidden)]
    pub fn try_lu(&self, op: &'static str, b: &Tensor<F>) -> Result<Lu<F>, ShapeError> {
        let n = square(op, self.shape())?;
        check_right_side(op, self.shape(), b.shape(), n)?;
        common_batch(op, self.shape(), b.shape())?;
        finite(op, self)?;
        Lu::new(op, self)?.regular(op)
    }

    /// The inverse: `a a^-1 = 1`. To solve a system, [`solve`](Self::solve) is faster and rounds less.
    ///
    /// Shapes: `[.., n, n] -> [.., n, n]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_inverse`](Self::try_inverse) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[2.0, 1.0], [4.0, 4.0]]).inverse();
    /// assert_eq!(x, Tensor::from([[1.0, -0.25], [-1.0, 0.5]]));
    /// ```
    #[doc(alias = "inv")]
    #[must_use]
    #[track_caller]
    pub fn inverse(&self) -> Tensor<F> {
        self.try_inverse().or_panic()
    }

    /// As [`inverse`](Self::inverse), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::Singular`], [`LinalgError::NotSquare`], [`LinalgError::NotFinite`]; [`ShapeError::Rank`].
    pub fn try_inverse(&self) -> Result<Tensor<F>, ShapeError> {
        let op = "inverse";
        square(op, self.shape())?;
        finite(op, self)?;
        Lu::new(op, self)?.regular(op)?.inverse(op)
    }

    /// The determinant: `[.., n, n] -> [..]`, 1 for `n = 0`. That of a large matrix easily leaves the range of floats;
    /// see [`slogdet`](Self::slogdet).
    ///
    /// # Panics
    /// With the text of the error that [`try_det`](Self::try_det) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[2.0, 1.0], [4.0, 4.0]]).det().item(), 4.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn det(&self) -> Tensor<F> {
        self.try_det().or_panic()
    }

    /// As [`det`](Self::det), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`], [`LinalgError::NotFinite`]; [`ShapeError::Rank`].
    pub fn try_det(&self) -> Result<Tensor<F>, ShapeError> {
        let op = "det";
        square(op, self.shape())?;
        finite(op, self)?;
        Lu::new(op, self)?.det(op)
    }

    /// The sign of the determinant and the logarithm of its magnitude, each `[..]`: 0 and minus infinity if it is 0.
    ///
    /// # Panics
    /// With the text of the error that [`try_slogdet`](Self::try_slogdet) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (sign, log) = (Tensor::<f64>::eye(500) * -1e10).slogdet();
    /// assert_eq!(sign.item(), 1.0);
    /// assert!((log.item() / (5000.0 * 10_f64.ln()) - 1.0).abs() < 1e-14);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor<F>, Tensor<F>) {
        self.try_slogdet().or_panic()
    }

    /// As [`slogdet`](Self::slogdet), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`], [`LinalgError::NotFinite`]; [`ShapeError::Rank`].
    pub fn try_slogdet(&self) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let packed = self.try_slogdet_packed()?;
        Ok((packed.try_slice(-1, ..1)?.try_squeeze(-1)?, packed.try_slice(-1, 1..)?.try_squeeze(-1)?))
    }

    /// `[.., 2]`: sign and logarithm.
    ///
    /// # Errors
    /// As [`try_slogdet`](Self::try_slogdet).
    #[doc(hidden)]
    pub fn try_slogdet_packed(&self) -> Result<Tensor<F>, ShapeError> {
        let op = "slogdet";
        square(op, self.shape())?;
        finite(op, self)?;
        Lu::new(op, self)?.slogdet(op)
    }

    /// The cofactors of finite matrices, which are the derivatives of the determinant by the entries: `det(a) a^-T`,
    /// where there is an inverse.
    ///
    /// Unless all matrices are well-conditioned they come from the singular value decomposition,
    /// `d u diag(prod_(j != i) s_j) v_t` with `d = det(u) det(v_t)`, exactly 1 or -1, which is returned as well:
    /// `[..]`.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`], [`LinalgError::NotConverged`]; [`ShapeError::Rank`].
    #[doc(hidden)]
    pub fn try_cofactors(&self) -> Result<(Tensor<F>, Option<Tensor<F>>), ShapeError> {
        let op = "det";
        let lu = Lu::new(op, self)?;
        if lu.well_conditioned() {
            let det = lu.det(op)?.try_unsqueeze(-1)?.try_unsqueeze(-1)?;
            return Ok((lu.inverse(op)?.try_transpose(-2, -1)?.try_mul(&det)?, None));
        }
        let (u, s, v_t) = self.try_svd()?;
        let sign = |x: &Tensor<F>| Lu::new(op, x)?.slogdet(op)?.try_slice(-1, ..1)?.try_squeeze(-1);
        let orientation = sign(&u)?.try_mul(&sign(&v_t)?)?;
        let n = s.dim(-1);
        let others = for_each(op, &s.try_unsqueeze(-1)?, &[n], |s, y| {
            for (i, y) in y.iter_mut().enumerate() {
                *y = s.iter().enumerate().filter(|&(j, _)| j != i).fold(F::ONE, |p, (_, &s)| p * s);
            }
            Ok(())
        })?;
        let scaled = u.try_mul(&others.try_mul(&orientation.try_unsqueeze(-1)?)?.try_unsqueeze(-2)?)?;
        Ok((scaled.try_matmul(&v_t)?, Some(orientation)))
    }
}
