//! Sign of the determinant and logarithm of its magnitude.
//!
//! Shapes: `a: [.., n, n]`, `y: [.., 2]`, sign and logarithm.
//!
//! Cotangent: `a_bar = log_bar a^-T` (Giles 2008, "An extended collection of matrix derivative results for forward and
//! reverse mode algorithmic differentiation", 2.2.4), not finite where there is no inverse. The sign does not change.

use super::inverse::inverse;
use super::{columns, transposed, with_axes};
use crate::error::{Error, OrPanic};
use crate::rules::reshape::reshape;
use crate::rules::zip::zip;
use crate::rules::{Array, Cotangents, Op, one};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::Binary;
use wengert_tensor::{ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct SlogDet<F>(PhantomData<F>);

impl<F: TensorFloat> Op<F> for SlogDet<F> {
    const NAME: &'static str = "slogdet";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_slogdet_packed()
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let log_bar = reshape(&columns(&y_bar, 1..2), &with_axes(&x[0].shape(), &[1, 1]));
        one(zip(Binary::MulZero, &transposed(&inverse(x[0])), &log_bar))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The sign of the determinant, a constant, and the logarithm of its magnitude, each `[..]`; 0 and minus infinity
    /// for singular matrices, where the gradient is not finite.
    ///
    /// Shapes: `[.., n, n]`, both results `[..]`.
    ///
    /// Source of the derivative: M. B. Giles, "An extended collection of matrix derivative results for forward and
    /// reverse mode algorithmic differentiation", 2008, 2.2.4.
    ///
    /// # Panics
    /// With the text of the error that [`try_slogdet`](Self::try_slogdet) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[2.0, 0.0], [0.0, -4.0]]);
    /// let (sign, log) = a.slogdet();
    /// assert_eq!((sign.item(), log.item()), (-1.0, 8.0_f64.ln()));
    /// assert_eq!(log.gradient()[a].to_vec(), [0.5, 0.0, 0.0, -0.25]);
    /// ```
    #[track_caller]
    pub fn slogdet(self) -> (Self, Self) {
        self.try_slogdet().or_panic()
    }

    /// [`slogdet`](Self::slogdet), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square and finite.
    #[track_caller]
    pub fn try_slogdet(self) -> Result<(Self, Self), Error> {
        let _whole = self.whole("slogdet");
        let y = self.try_record1(SlogDet(PhantomData))?;
        Ok((y.try_column(0)?.detach(), y.try_column(1)?))
    }
}
