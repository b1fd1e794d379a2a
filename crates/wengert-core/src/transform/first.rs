//! First derivatives of closures over variables.

use super::{as_many, not_empty};
use crate::error::{Error, OrPanic};
use crate::number::Primal;
use crate::tape::{Tape, Var};
use wengert_tensor::Tensor;

/// The gradient of `f` at `x`.
///
/// A generic function, or a [`ScalarFn`](crate::ScalarFn), goes in by a closure: `|x| f(x)`, `|x| f.call(x)`; see
/// [`value_and_grad`].
///
/// # Panics
/// With the text of the error that [`try_grad`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// assert_eq!(grad(|x| x[0] * x[1] + x[1].exp(), &[2.0, 0.0]), [0.0, 3.0]);
/// ```
#[doc(alias = "gradient")]
#[track_caller]
pub fn grad<F: Primal>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>, x: &[F]) -> Vec<F> {
    try_grad(f, x).or_panic()
}

/// [`grad`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Var::try_gradient`].
#[track_caller]
pub fn try_grad<F: Primal>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>, x: &[F]) -> Result<Vec<F>, Error> {
    not_empty("grad", x)?;
    Ok(try_value_and_grad(f, x)?.1)
}

/// The value and the gradient of `f` at `x`.
///
/// # Panics
/// With the text of the error that [`try_value_and_grad`] returns.
///
/// # Examples
/// A closure is enough here. A generic function, which [`hessian`](crate::hessian) and its kin need, goes in by a
/// closure around it, and so does a [`ScalarFn`](crate::ScalarFn); its bare name does not compile. A closure that calls
/// a method on what it computes with a literal must know the numbers it gets: `&[3.0_f64]`, or a variable.
/// ```
/// # use wengert_core::prelude::*;
/// let (value, gradient) = value_and_grad(|x| norm2(x), &[3.0, 4.0]);
/// assert_eq!((value, gradient), (5.0, vec![0.6, 0.8]));
///
/// fn bowl<T: Number>(x: &[T]) -> T {
///     x[0].square() * 2.0
/// }
/// assert_eq!(value_and_grad(|x| bowl(x), &[3.0]), (18.0, vec![12.0]));
/// let f = function!(bowl);
/// assert_eq!(value_and_grad(|x| f.call(x), &[3.0]), (18.0, vec![12.0]));
/// assert_eq!(hessian(&f, &[3.0]).to_vec(), [4.0]);
///
/// assert_eq!(value_and_grad(|x| (x[0] - 1.0).square(), &[3.0_f64]), (4.0, vec![4.0]));
/// ```
#[doc(alias = "value_and_gradient")]
#[track_caller]
pub fn value_and_grad<F: Primal>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>, x: &[F]) -> (F, Vec<F>) {
    try_value_and_grad(f, x).or_panic()
}

/// [`value_and_grad`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Var::try_gradient`].
#[track_caller]
pub fn try_value_and_grad<F: Primal>(
    f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
    x: &[F],
) -> Result<(F, Vec<F>), Error> {
    not_empty("value_and_grad", x)?;
    let tape = Tape::new();
    let inputs = tape.vars(x);
    let y = f(&inputs);
    let gradients = y.try_gradient()?;
    let gradient = inputs.iter().map(|&x| gradients.get(x).unwrap_or(F::ZERO)).collect();
    Ok((y.value(), gradient))
}

/// The Jacobian of `f` at `x`: one row per output, one column per input, `J[i, j] = df_i/dx_j`.
///
/// In reverse mode: one recording, then one sweep for eight outputs at a time. Where there are more outputs than
/// inputs, [`jacobian_of`](super::jacobian_of) is faster: it takes a generic function and chooses the mode.
///
/// # Panics
/// With the text of the error that [`try_jacobian`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let j = jacobian(|x| vec![x[0] * x[1], x[0] + x[1]], &[2.0, 3.0]);
/// assert_eq!(j.to_vec(), [3.0, 2.0, 1.0, 1.0]);
/// ```
#[track_caller]
pub fn jacobian<F>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Vec<Var<'t, F>>, x: &[F]) -> Tensor<F>
where
    F: Primal + wengert_tensor::Element,
{
    try_jacobian(f, x).or_panic()
}

/// [`jacobian`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Var::try_gradient`].
#[track_caller]
pub fn try_jacobian<F>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Vec<Var<'t, F>>, x: &[F]) -> Result<Tensor<F>, Error>
where
    F: Primal + wengert_tensor::Element,
{
    not_empty("jacobian", x)?;
    let tape = Tape::new();
    let inputs = tape.vars(x);
    tape.try_jacobian(&f(&inputs), &inputs)
}

/// The values of `f` at `x`, and the row vector `y_bar J`: one reverse sweep from the seed `y_bar`.
///
/// # Panics
/// With the text of the error that [`try_vjp`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let (y, x_bar) = vjp(|x| vec![x[0] * x[1], x[0] + x[1]], &[2.0, 3.0], &[10.0, 1.0]);
/// assert_eq!((y, x_bar), (vec![6.0, 5.0], vec![31.0, 21.0]));
/// ```
#[track_caller]
pub fn vjp<F: Primal>(
    f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Vec<Var<'t, F>>,
    x: &[F],
    y_bar: &[F],
) -> (Vec<F>, Vec<F>) {
    try_vjp(f, x, y_bar).or_panic()
}

/// [`vjp`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is, [`Error::Lengths`] if there are not as many outputs as seeds; otherwise as
/// [`Var::try_gradient`].
#[track_caller]
pub fn try_vjp<F: Primal>(
    f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Vec<Var<'t, F>>,
    x: &[F],
    y_bar: &[F],
) -> Result<(Vec<F>, Vec<F>), Error> {
    not_empty("vjp", x)?;
    let tape = Tape::new();
    let inputs = tape.vars(x);
    let outputs = f(&inputs);
    as_many("vjp, outputs and seed", &outputs, y_bar)?;
    let gradients = tape.try_vjp(outputs.iter().copied().zip(y_bar.iter().copied()))?;
    Ok((outputs.iter().map(|y| y.primal()).collect(), gradients.wrt(&inputs)))
}
