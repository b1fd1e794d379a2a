//! Transforms of closures over variables without a lifetime.
//!
//! A generic function may be given by name, where a transform over [`Var`](crate::Var) wants a closure: this number has
//! a type that the compiler can name.

use super::desk::Threaded;
use super::handle::Real;
use super::tape::RealTape;
use crate::dual::Dual;
use crate::error::{Error, OrPanic};
use crate::transform::{as_many, not_empty};
use wengert_tensor::{Element, Tensor};

/// The gradient of `f` at `x`.
///
/// # Panics
/// With the text of the error that [`try_grad`] returns.
///
/// # Examples
/// ```
/// use wengert_core::{UnaryFunctions, real};
///
/// assert_eq!(real::grad(|x| x[0] * x[1] + x[1].exp(), &[2.0, 0.0]), [0.0, 3.0]);
/// ```
#[track_caller]
pub fn grad<F: Threaded>(f: impl FnOnce(&[Real<F>]) -> Real<F>, x: &[F]) -> Vec<F> {
    value_and_grad(f, x).1
}

/// [`grad`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Real::try_gradient`].
#[track_caller]
pub fn try_grad<F: Threaded>(f: impl FnOnce(&[Real<F>]) -> Real<F>, x: &[F]) -> Result<Vec<F>, Error> {
    not_empty("grad", x)?;
    Ok(try_value_and_grad(f, x)?.1)
}

/// The value and the gradient of `f` at `x`.
///
/// Calls may nest: each has a tape of its own.
///
/// # Panics
/// With the text of the error that [`try_value_and_grad`] returns.
///
/// # Examples
/// ```
/// use wengert_core::real;
///
/// let cube = |x: f64| real::value_and_grad(|x| x[0] * x[0] * x[0], &[x]);
/// assert_eq!(cube(2.0), (8.0, vec![12.0]));
/// ```
#[track_caller]
pub fn value_and_grad<F: Threaded>(f: impl FnOnce(&[Real<F>]) -> Real<F>, x: &[F]) -> (F, Vec<F>) {
    try_value_and_grad(f, x).or_panic()
}

/// [`value_and_grad`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Real::try_gradient`].
#[track_caller]
pub fn try_value_and_grad<F: Threaded>(f: impl FnOnce(&[Real<F>]) -> Real<F>, x: &[F]) -> Result<(F, Vec<F>), Error> {
    not_empty("value_and_grad", x)?;
    let tape = RealTape::new();
    let inputs = tape.vars(x);
    let y = f(&inputs);
    let gradients = y.try_gradient()?;
    Ok((y.value(), inputs.iter().map(|&x| gradients.get(x).unwrap_or(F::ZERO)).collect()))
}

/// The Jacobian of `f` at `x`: one row per output, one column per input, `J[i, j] = df_i/dx_j`.
///
/// One recording, then one sweep for eight outputs at a time.
///
/// # Panics
/// With the text of the error that [`try_jacobian`] returns.
///
/// # Examples
/// ```
/// use wengert_core::real;
///
/// let j = real::jacobian(|x| vec![x[0] * x[1], x[0] + x[1]], &[2.0, 3.0]);
/// assert_eq!(j.to_vec(), [3.0, 2.0, 1.0, 1.0]);
/// ```
#[track_caller]
pub fn jacobian<F: Threaded + Element>(f: impl FnOnce(&[Real<F>]) -> Vec<Real<F>>, x: &[F]) -> Tensor<F> {
    try_jacobian(f, x).or_panic()
}

/// [`jacobian`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Real::try_gradient`].
#[track_caller]
pub fn try_jacobian<F: Threaded + Element>(
    f: impl FnOnce(&[Real<F>]) -> Vec<Real<F>>,
    x: &[F],
) -> Result<Tensor<F>, Error> {
    not_empty("jacobian", x)?;
    let tape = RealTape::new();
    let inputs = tape.vars(x);
    tape.try_jacobian(&f(&inputs), &inputs)
}

/// The Hessian of `f` at `x` times `v`: reverse mode over duals.
///
/// # Panics
/// With the text of the error that [`try_hvp`] returns.
///
/// # Examples
/// ```
/// use wengert_core::real;
///
/// assert_eq!(real::hvp(|x| x[0] * x[0] * x[1], &[3.0, 5.0], &[1.0, 10.0]), [70.0, 6.0]);
/// ```
#[track_caller]
pub fn hvp(f: impl FnOnce(&[Real<Dual<f64, 1>>]) -> Real<Dual<f64, 1>>, x: &[f64], v: &[f64]) -> Vec<f64> {
    try_hvp(f, x, v).or_panic()
}

/// [`hvp`], returning what went wrong.
///
/// # Errors
/// [`Error::Lengths`] if `x` and `v` have different lengths, [`Error::Empty`] if they are empty; otherwise as
/// [`Real::try_gradient`].
#[track_caller]
pub fn try_hvp(
    f: impl FnOnce(&[Real<Dual<f64, 1>>]) -> Real<Dual<f64, 1>>,
    x: &[f64],
    v: &[f64],
) -> Result<Vec<f64>, Error> {
    not_empty("hvp", x)?;
    as_many("hvp, point and direction", x, v)?;
    let moving: Vec<Dual<f64, 1>> = x.iter().zip(v).map(|(&value, &v)| Dual { value, tangents: [v] }).collect();
    Ok(try_grad(f, &moving)?.iter().map(|x_bar| x_bar.tangents[0]).collect())
}

/// How many columns of a Hessian one sweep yields.
const LANES: usize = 4;

/// The Hessian of `f` at `x`, `H[i, j] = d2f/dx_i dx_j`: four columns per call of `f`, over duals.
///
/// # Panics
/// With the text of the error that [`try_hessian`] returns.
///
/// # Examples
/// ```
/// use wengert_core::real;
///
/// let h = real::hessian(|x| x[0] * x[0] * x[1], &[3.0, 5.0]);
/// assert_eq!(h.to_vec(), [10.0, 6.0, 6.0, 0.0]);
/// ```
#[track_caller]
pub fn hessian(f: impl FnMut(&[Real<Dual<f64, LANES>>]) -> Real<Dual<f64, LANES>>, x: &[f64]) -> Tensor<f64> {
    try_hessian(f, x).or_panic()
}

/// [`hessian`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Real::try_gradient`].
#[track_caller]
pub fn try_hessian(
    mut f: impl FnMut(&[Real<Dual<f64, LANES>>]) -> Real<Dual<f64, LANES>>,
    x: &[f64],
) -> Result<Tensor<f64>, Error> {
    not_empty("hessian", x)?;
    let n = x.len();
    let mut hessian = vec![0.0; n * n];
    for first in (0..n).step_by(LANES) {
        let direction = |k: usize| core::array::from_fn(|lane| if first + lane == k { 1.0 } else { 0.0 });
        let moving: Vec<_> = (0..n).map(|k| Dual { value: x[k], tangents: direction(k) }).collect();
        let columns = (n - first).min(LANES);
        for (row, x_bar) in hessian.chunks_exact_mut(n).zip(try_grad(&mut f, &moving)?) {
            row[first..][..columns].copy_from_slice(&x_bar.tangents[..columns]);
        }
    }
    Ok(Tensor::from_vec([n, n], hessian))
}
