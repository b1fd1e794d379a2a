//! Least squares through orthogonal factors, `r x = qT b`, composed of their rules: the residual's part of the
//! derivative is in that of `q`.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::{Tensor, Triangle};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The `x` with the smallest `|a x - b|`, for matrices of full column rank.
    ///
    /// Shapes: `a: [.., m, n]`, this tensor, `m >= n`; `b: [.., m, k]`, or a vector `[m]`; `x: [.., n, k]`, or
    /// `[.., n]`. Leading axes broadcast.
    ///
    /// Source of the derivative: G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear
    /// least squares problems whose variables separate", 1973.
    ///
    /// # Panics
    /// With the text of the error that [`try_lstsq`](Self::try_lstsq) returns.
    ///
    /// # Examples
    /// The slope of the line through three points, by their ordinates:
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.constant_tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let b = tape.tensor([1.0, 2.0, 4.0]);
    /// let slope = a.lstsq(b).slice(0, 1..).sum();
    /// assert!((slope.item() - 1.5).abs() < 1e-15);
    /// assert!((&slope.gradient()[b] - wengert_tensor::Tensor::from([-0.5, 0.0, 0.5])).norm2() < 1e-15);
    /// ```
    #[track_caller]
    pub fn lstsq(self, b: Self) -> Self {
        self.try_lstsq(b).or_panic()
    }

    /// [`lstsq`](Self::lstsq), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices have less rows than columns, not full column rank, or `b` does not go with
    /// them; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_lstsq(self, b: Self) -> Result<Self, Error> {
        let _whole = self.whole("lstsq");
        let [m, n] = self.fit(Tensor::check_lstsq(&self.peek(), &b.peek()))?;
        let packed = self.try_qr_packed(true)?;
        let (vector, b) = self.as_columns("lstsq", b)?;
        let projected = packed.try_slice(-1, ..m)?.try_matmul(b)?;
        packed.try_slice(-1, m..m + n)?.try_substitute(projected, Triangle::upper())?.as_vectors(vector)
    }
}
