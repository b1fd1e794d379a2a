//! Forward mode: derivatives along a direction.

use super::{ScalarFn, as_many, not_empty};
use crate::dual::Dual;
use crate::error::{Error, OrPanic};
use crate::number::Primal;
use crate::taylor::Taylor;

/// What a closure over duals may return: one dual, or several.
pub trait Moving<F> {
    /// The same without tangents: one number, or several.
    type Values;
    /// The values and the tangents.
    fn split(self) -> (Self::Values, Self::Values);
}
impl<F> Moving<F> for Dual<F, 1> {
    type Values = F;
    fn split(self) -> (F, F) {
        let [tangent] = self.tangents;
        (self.value, tangent)
    }
}
impl<F> Moving<F> for Vec<Dual<F, 1>> {
    type Values = Vec<F>;
    fn split(self) -> (Vec<F>, Vec<F>) {
        self.into_iter().map(Moving::split).unzip()
    }
}
impl<F: Primal, const M: usize> Moving<F> for [Dual<F, 1>; M] {
    type Values = [F; M];
    fn split(self) -> ([F; M], [F; M]) {
        (self.map(|y| y.value), self.map(|y| y.tangents[0]))
    }
}

/// The value of `f` at `x`, and its derivative along `v`, `J v`: one evaluation on duals, no tape.
///
/// `f` may return one number, an array or a `Vec`.
///
/// # Panics
/// With the text of the error that [`try_jvp`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// assert_eq!(jvp(|x| x[0] * x[1], &[2.0, 3.0], &[1.0, 10.0]), (6.0, 23.0));
/// let (y, y_dot) = jvp(|x| [x[0] * x[1], x[0] + x[1]], &[2.0, 3.0], &[1.0, 10.0]);
/// assert_eq!((y, y_dot), ([6.0, 5.0], [23.0, 11.0]));
/// ```
#[track_caller]
pub fn jvp<F: Primal, Y: Moving<F>>(f: impl FnOnce(&[Dual<F, 1>]) -> Y, x: &[F], v: &[F]) -> (Y::Values, Y::Values) {
    try_jvp(f, x, v).or_panic()
}

/// [`jvp`], returning what does not fit.
///
/// # Errors
/// [`Error::Empty`] if `x` is, [`Error::Lengths`] if `x` and `v` have different lengths.
#[track_caller]
pub fn try_jvp<F: Primal, Y: Moving<F>>(
    f: impl FnOnce(&[Dual<F, 1>]) -> Y,
    x: &[F],
    v: &[F],
) -> Result<(Y::Values, Y::Values), Error> {
    not_empty("jvp", x)?;
    as_many("jvp, point and direction", x, v)?;
    let moving: Vec<_> = x.iter().zip(v).map(|(&value, &v)| Dual { value, tangents: [v] }).collect();
    Ok(f(&moving).split())
}

/// The first `N` Taylor coefficients of `t -> f(x + t v)` at `t = 0`: derivatives of order `k` along `v`, over `k!`.
///
/// # Panics
/// With the text of the error that [`try_taylor`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// // exp(t) (1 + 2t): the derivatives at 0 are 1, 3, 5, 7, 9.
/// let coefficients: [f64; 5] = taylor(|x| x[0].exp() * x[1], &[0.0, 1.0], &[1.0, 2.0]);
/// assert_eq!(coefficients, [1.0, 3.0, 5.0 / 2.0, 7.0 / 6.0, 9.0 / 24.0]);
/// ```
#[track_caller]
pub fn taylor<F: Primal, const N: usize>(f: impl FnOnce(&[Taylor<F, N>]) -> Taylor<F, N>, x: &[F], v: &[F]) -> [F; N] {
    try_taylor(f, x, v).or_panic()
}

/// [`taylor`], returning what does not fit.
///
/// # Errors
/// [`Error::Empty`] if `x` is, [`Error::Lengths`] if `x` and `v` have different lengths.
#[track_caller]
pub fn try_taylor<F: Primal, const N: usize>(
    f: impl FnOnce(&[Taylor<F, N>]) -> Taylor<F, N>,
    x: &[F],
    v: &[F],
) -> Result<[F; N], Error> {
    not_empty("taylor", x)?;
    as_many("taylor, point and direction", x, v)?;
    let moving: Vec<_> = x.iter().zip(v).map(|(&x, &v)| Taylor::along(x, v)).collect();
    Ok(f(&moving).coefficients())
}

/// The Laplacian `sum_i d2f/dx_i^2` at `x`: one evaluation on series per input, no tape.
///
/// # Panics
/// With the text of the error that [`try_laplacian`] returns.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// fn potential<T: Number>(x: &[T]) -> T {
///     norm2(x).recip()
/// }
/// // 1/r is harmonic.
/// assert!(laplacian(&function!(potential), &[1.0, 2.0, 2.0]).abs() < 1e-15);
/// ```
#[track_caller]
pub fn laplacian(f: &impl ScalarFn, x: &[f64]) -> f64 {
    try_laplacian(f, x).or_panic()
}

/// [`laplacian`], returning what does not fit.
///
/// # Errors
/// [`Error::Empty`] if `x` is.
#[track_caller]
pub fn try_laplacian(f: &impl ScalarFn, x: &[f64]) -> Result<f64, Error> {
    not_empty("laplacian", x)?;
    let mut moving: Vec<Taylor<f64, 3>> = x.iter().map(|&x| Taylor::constant(x)).collect();
    let mut sum = 0.0;
    for (k, &value) in x.iter().enumerate() {
        moving[k] = Taylor::along(value, 1.0);
        let [_, _, half] = f.call(&moving).coefficients();
        sum += 2.0 * half;
        moving[k] = Taylor::constant(value);
    }
    Ok(sum)
}
