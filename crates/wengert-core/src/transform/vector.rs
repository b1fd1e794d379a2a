//! Jacobians of generic functions, in the mode their shape asks for.

use super::{VectorFn, as_many, not_empty};
use crate::dual::Dual;
use crate::error::{Error, OrPanic};
use crate::tape::Tape;
use wengert_tensor::Tensor;

/// The Jacobian of `f` at `x`, `J[i, j] = df_i/dx_j`, in forward mode if there are at most as many inputs as outputs,
/// else in reverse mode; eight columns or rows at a time.
///
/// `f` is called once on floats, to count its outputs.
///
/// # Panics
/// With the text of the error that [`try_jacobian_of`] returns.
///
/// # Examples
/// The Hessian as the Jacobian of the gradient:
/// ```
/// use wengert_core::prelude::*;
///
/// fn f<T: Number>(x: &[T]) -> T {
///     x[0] * x[0] * x[1]
/// }
/// let f = function!(f);
/// assert_eq!(jacobian_of(&Grad(&f), &[3.0, 5.0]), hessian(&f, &[3.0, 5.0]));
/// ```
#[track_caller]
pub fn jacobian_of(f: &impl VectorFn, x: &[f64]) -> Tensor<f64> {
    try_jacobian_of(f, x).or_panic()
}

/// [`jacobian_of`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is, [`Error::Lengths`] if the function returned another number of outputs when called again;
/// otherwise as [`Var::try_gradient`](crate::Var::try_gradient).
#[track_caller]
pub fn try_jacobian_of(f: &impl VectorFn, x: &[f64]) -> Result<Tensor<f64>, Error> {
    not_empty("jacobian_of", x)?;
    let values = f.call(x);
    if values.len() < x.len() {
        let tape = Tape::new();
        let inputs = tape.vars(x);
        let outputs = f.call(&inputs);
        as_many("jacobian_of", &values, &outputs)?;
        return tape.try_jacobian(&outputs, &inputs);
    }
    let mut columns = vec![0.0; values.len() * x.len()];
    match x.len() {
        1 => by_columns::<1>(f, x, &values, &mut columns)?,
        2..=4 => by_columns::<4>(f, x, &values, &mut columns)?,
        _ => by_columns::<8>(f, x, &values, &mut columns)?,
    }
    Ok(Tensor::from_vec([values.len(), x.len()], columns))
}

/// Forward mode, `N` columns per evaluation.
#[track_caller]
fn by_columns<const N: usize>(f: &impl VectorFn, x: &[f64], values: &[f64], jacobian: &mut [f64]) -> Result<(), Error> {
    for first in (0..x.len()).step_by(N) {
        let moving: Vec<Dual<f64, N>> = (0..x.len()).map(|k| Dual::moving(x[k], first, k)).collect();
        let outputs = f.call(&moving);
        as_many("jacobian_of", values, &outputs)?;
        let columns = (x.len() - first).min(N);
        for (row, y) in jacobian.chunks_mut(x.len()).zip(outputs) {
            row[first..first + columns].copy_from_slice(&y.tangents[..columns]);
        }
    }
    Ok(())
}
