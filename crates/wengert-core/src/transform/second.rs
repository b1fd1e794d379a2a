//! Second derivatives: reverse mode over duals.

use super::{ScalarFn, as_many, not_empty};
use crate::dual::Dual;
use crate::error::{Error, OrPanic};
use crate::tape::{Gradients, Tape, Var};
use wengert_tensor::Tensor;

/// The Hessian of `f` at `x` times `v`, in about 1.7 times the cost of a gradient: the tangent of the reverse sweep.
///
/// Source: B. A. Pearlmutter, "Fast exact multiplication by the Hessian", 1994.
///
/// # Panics
/// With the text of the error that [`try_hvp`] returns.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// fn f<T: Number>(x: &[T]) -> T {
///     x[0] * x[0] * x[1]
/// }
/// assert_eq!(hvp(&function!(f), &[3.0, 5.0], &[1.0, 10.0]), [70.0, 6.0]);
/// ```
#[track_caller]
pub fn hvp(f: &impl ScalarFn, x: &[f64], v: &[f64]) -> Vec<f64> {
    try_hvp(f, x, v).or_panic()
}

/// [`hvp`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is, [`Error::Lengths`] if `x` and `v` have different lengths; otherwise as
/// [`Var::try_gradient`].
#[track_caller]
pub fn try_hvp(f: &impl ScalarFn, x: &[f64], v: &[f64]) -> Result<Vec<f64>, Error> {
    not_empty("hvp", x)?;
    as_many("hvp, point and direction", x, v)?;
    let tape = Tape::new();
    let moving = |k: usize| Dual { value: x[k], tangents: [v[k]] };
    let inputs: Vec<Var<'_, Dual<f64, 1>>> = (0..x.len()).map(|k| tape.var(moving(k))).collect();
    let gradients = f.call(&inputs).try_gradient()?;
    Ok(inputs.iter().map(|&x| tangents(&gradients, x)[0]).collect())
}

/// The Hessian of `f` at `x`, `H[i, j] = d2f/dx_i dx_j`: four columns per sweep over duals.
///
/// # Panics
/// With the text of the error that [`try_hessian`] returns.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// fn f<T: Number>(x: &[T]) -> T {
///     x[0] * x[0] * x[1]
/// }
/// assert_eq!(hessian(&function!(f), &[3.0, 5.0]).to_vec(), [10.0, 6.0, 6.0, 0.0]);
/// ```
#[track_caller]
pub fn hessian(f: &impl ScalarFn, x: &[f64]) -> Tensor<f64> {
    try_hessian(f, x).or_panic()
}

/// [`hessian`], returning what went wrong.
///
/// # Errors
/// [`Error::Empty`] if `x` is; otherwise as [`Var::try_gradient`].
#[track_caller]
pub fn try_hessian(f: &impl ScalarFn, x: &[f64]) -> Result<Tensor<f64>, Error> {
    const LANES: usize = 4;
    not_empty("hessian", x)?;
    let n = x.len();
    let mut hessian = vec![0.0; n * n];
    let mut tape = Tape::new();
    for first in (0..n).step_by(LANES) {
        let inputs: Vec<Var<'_, Dual<f64, LANES>>> = (0..n).map(|k| tape.var(Dual::moving(x[k], first, k))).collect();
        let gradients = f.call(&inputs).try_gradient()?;
        for (k, &input) in inputs.iter().enumerate() {
            let row = tangents(&gradients, input);
            let columns = (n - first).min(LANES);
            hessian[k * n + first..][..columns].copy_from_slice(&row[..columns]);
        }
        drop(inputs);
        tape.clear();
    }
    Ok(Tensor::from_vec([n, n], hessian))
}

/// The tangents of the adjoint of `x`; zeros if the function does not depend on any input.
fn tangents<const N: usize>(gradients: &Gradients<Dual<f64, N>>, x: Var<'_, Dual<f64, N>>) -> [f64; N] {
    gradients.get(x).map_or([0.0; N], |x_bar| x_bar.tangents)
}
