//! The exponential of a matrix.

use super::batch::square;
use super::lu::Lu;
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::{Tensor, try_room};

/// Orders of Pade approximants and the 1-norms up to which their backward error is below the rounding of the type:
/// Higham 2005, "The scaling and squaring method for the matrix exponential revisited", table 2.3; Higham 2008,
/// *Functions of Matrices*, table 10.2, for single precision.
fn orders<F>() -> &'static [(usize, f64)] {
    const DOUBLE: [(usize, f64); 5] = [
        (3, 1.495585217958292e-2),
        (5, 2.53939833006323e-1),
        (7, 9.504178996162932e-1),
        (9, 2.097847961257068),
        (13, 5.371920351148152),
    ];
    const SINGLE: [(usize, f64); 3] = [(3, 4.258730016922831e-1), (5, 1.880152677804762), (7, 3.92572478313866)];
    if size_of::<F>() == 4 { &SINGLE } else { &DOUBLE }
}

/// The approximant `q(a)^-1 p(a)` of order `m`, `p(x) = sum_k c_k x^k`, `q(x) = p(-x)`.
fn pade<F: FloatElement>(a: &Tensor<F>, m: usize) -> Result<Tensor<F>, ShapeError> {
    let n = a.dim(0);
    let coefficients: Vec<F> = (0..=m)
        .scan(1.0, |c, k| {
            if k > 0 {
                *c *= (m - k + 1) as f64 / ((2 * m - k + 1) * k) as f64;
            }
            Some(F::from_f64(*c))
        })
        .collect();
    let (square, one) = (a.try_matmul(a)?, Tensor::try_eye_for("expm", n)?);
    // Even and odd part by Horner's rule in a^2.
    let part = |parity: usize| -> Result<Tensor<F>, ShapeError> {
        let diagonal = |c: F, y: Tensor<F>| y.try_add(&one.try_mul(&Tensor::scalar(c))?);
        let mut terms = coefficients.iter().skip(parity).step_by(2).rev();
        let highest = terms.next().copied().unwrap_or(F::ZERO);
        let first = diagonal(highest, Tensor::try_zeros([n, n])?)?;
        terms.try_fold(first, |y, &c| diagonal(c, y.try_matmul(&square)?))
    };
    let (even, odd) = (part(0)?, a.try_matmul(&part(1)?)?);
    Lu::new("expm", &even.try_sub(&odd)?)?.solve("expm", &even.try_add(&odd)?, false)
}

impl<F: FloatElement> Tensor<F> {
    /// The exponential of a matrix, `sum_k a^k / k!`: the solution of `dy/dt = a y` after a time of 1 from `y = 1`.
    ///
    /// Shapes: `[.., n, n] -> [.., n, n]`. By scaling, a Pade approximant and squaring; about 20 products of matrices,
    /// and one more for each doubling of the norm above 5, which costs up to a bit of the result where the norm is far
    /// above the eigenvalues. NaN and infinities give NaN.
    ///
    /// Source: Higham 2005, "The scaling and squaring method for the matrix exponential revisited".
    ///
    /// # Panics
    /// With the text of the error that [`try_expm`](Self::try_expm) returns.
    ///
    /// # Examples
    /// A generator of rotations:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([[0.0_f64, -1.0], [1.0, 0.0]]).expm();
    /// let (sin, cos) = 1.0_f64.sin_cos();
    /// assert!((y - Tensor::from([[cos, -sin], [sin, cos]])).norm2() < 1e-15);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn expm(&self) -> Tensor<F> {
        self.try_expm().or_panic()
    }

    /// As [`expm`](Self::expm), with an error instead of a panic.
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`](crate::LinalgError::NotSquare); [`ShapeError::Rank`], [`ShapeError::Memory`].
    pub fn try_expm(&self) -> Result<Tensor<F>, ShapeError> {
        let n = square("expm", self.shape())?;
        self.try_expm_leading(n)
    }

    /// The exponential of block triangular matrices whose diagonal blocks are all the leading one of `leading` rows, or
    /// its transpose. That block alone decides the scaling: the others enter linearly, so that large ones may not spoil
    /// it.
    ///
    /// # Errors
    /// As [`try_expm`](Self::try_expm).
    #[doc(hidden)]
    pub fn try_expm_leading(&self, leading: usize) -> Result<Tensor<F>, ShapeError> {
        let op = "expm";
        let n = square(op, self.shape())?;
        let count = self.shape()[..self.rank() - 2].iter().product::<usize>();
        let matrices = self.try_reshape(Shape::from([count, n, n]))?;
        let mut results = try_room(op, count)?;
        for k in 0..count {
            let a = matrices.try_index_axis(0, k as isize)?;
            let block = a.try_slice(0, ..leading)?.try_slice(1, ..leading)?;
            let columns = block.try_norm_axes(1.0, 0)?;
            let norm = columns.iter().fold(0.0, |m: f64, x| m.max(x.to_f64()));
            let orders = orders::<F>();
            let (m, reach) =
                orders.iter().copied().find(|&(_, reach)| norm <= reach).unwrap_or(orders[orders.len() - 1]);
            // An infinite norm has no scale; the result is NaN anyway.
            let halvings = if norm.is_finite() { (norm / reach).log2().ceil().max(0.0) as u32 } else { 0 };
            let scale = Tensor::scalar(F::from_f64((-f64::from(halvings)).exp2()));
            let mut y = pade(&a.try_mul(&scale)?, m)?;
            for _ in 0..halvings {
                y = y.try_matmul(&y)?;
            }
            results.push(y);
        }
        match &results[..] {
            [] => Ok(self.clone()),
            results => Tensor::try_stack(&results.iter().collect::<Vec<_>>(), 0)?.try_reshape(self.shape().clone()),
        }
    }
}
