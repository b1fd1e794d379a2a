//! First derivatives of closures over variables.

use crate::error::Error;
use crate::number::Primal;
use crate::tape::{Tape, Var};
use wengert_tensor::Tensor;

/// The gradient of `f` at `x`.
///
/// # Panics
/// With the text of the error that [`try_grad`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// assert_eq!(grad(|x| x[0] * x[1] + x[1].exp(), &[2.0, 0.0]), [0.0, 3.0]);
/// ```
#[track_caller]
pub fn grad<F: Primal>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>, x: &[F]) -> Vec<F> {
    value_and_grad(f, x).1
}

/// [`grad`], returning what went wrong.
///
/// # Errors
/// As [`Var::try_gradient`].
pub fn try_grad<F: Primal>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>, x: &[F]) -> Result<Vec<F>, Error> {
    Ok(try_value_and_grad(f, x)?.1)
}

/// The value and the gradient of `f` at `x`.
///
/// # Panics
/// With the text of the error that [`try_value_and_grad`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let (value, gradient) = value_and_grad(|x| norm2(x), &[3.0, 4.0]);
/// assert_eq!((value, gradient), (5.0, vec![0.6, 0.8]));
/// ```
#[track_caller]
pub fn value_and_grad<F: Primal>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>, x: &[F]) -> (F, Vec<F>) {
    try_value_and_grad(f, x).unwrap_or_else(|error| error.raise())
}

/// [`value_and_grad`], returning what went wrong.
///
/// # Errors
/// As [`Var::try_gradient`].
pub fn try_value_and_grad<F: Primal>(
    f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Var<'t, F>,
    x: &[F],
) -> Result<(F, Vec<F>), Error> {
    let tape = Tape::new();
    let inputs = tape.vars(x);
    let y = f(&inputs);
    let gradients = y.try_gradient()?;
    let gradient = inputs.iter().map(|&x| gradients.get(x).unwrap_or(F::ZERO)).collect();
    Ok((y.value(), gradient))
}

/// The Jacobian of `f` at `x`: one row per output, one column per input, `J[i, j] = df_i/dx_j`.
///
/// One reverse sweep per output over one recording.
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
    try_jacobian(f, x).unwrap_or_else(|error| error.raise())
}

/// [`jacobian`], returning what went wrong.
///
/// # Errors
/// As [`Var::try_gradient`].
pub fn try_jacobian<F>(f: impl for<'t> FnOnce(&[Var<'t, F>]) -> Vec<Var<'t, F>>, x: &[F]) -> Result<Tensor<F>, Error>
where
    F: Primal + wengert_tensor::Element,
{
    let tape = Tape::new();
    let inputs = tape.vars(x);
    let outputs = f(&inputs);
    let mut rows = Vec::with_capacity(outputs.len() * x.len());
    for y in &outputs {
        let gradients = y.try_gradient()?;
        rows.extend(inputs.iter().map(|&x| gradients.get(x).unwrap_or(F::ZERO)));
    }
    Ok(Tensor::from_vec([outputs.len(), x.len()], rows))
}
