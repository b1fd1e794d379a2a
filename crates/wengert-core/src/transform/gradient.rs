//! The gradient as a function, on any kind of number: what makes transforms compose.

use super::{ScalarFn, VectorFn};
use crate::dual::Dual;
use crate::error::OrPanic;
use crate::number::{Number, Primal};
use crate::tape::{Handle, Scalar, Tape, Var};

/// The gradient of a [`ScalarFn`] as a [`VectorFn`]: `Grad(&f).call(x)` is the gradient of `f` at `x` in the numbers
/// that `x` consists of, so it can be differentiated again, and again.
///
/// On floats, duals and series it is a reverse sweep over that number. On a variable it is one node per component,
/// whose partials are a row of the Hessian.
///
/// # Examples
/// The third derivative of `x^5` along `x`, by composition: the Hessian of a component of the gradient.
/// ```
/// use wengert_core::prelude::*;
///
/// fn fifth<T: Number>(x: &[T]) -> T {
///     x[0].powi(5)
/// }
/// /// df/dx_0 as a function.
/// struct Slope<F>(F);
/// impl<F: ScalarFn> ScalarFn for Slope<F> {
///     fn call<T: Number>(&self, x: &[T]) -> T {
///         Grad(&self.0).call(x)[0]
///     }
/// }
/// assert_eq!(hessian(&Slope(function!(fifth)), &[2.0]).to_vec(), [60.0 * 4.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Grad<F>(
    /// The function.
    pub F,
);

impl<B, F: ScalarFn<B>> VectorFn<B> for Grad<F> {
    #[track_caller]
    fn call<T: Number<B>>(&self, x: &[T]) -> Vec<T> {
        T::gradient_of(&self.0, x)
    }
}

/// By a reverse sweep over the numbers themselves.
#[track_caller]
pub(crate) fn by_reverse<B, R: Primal<Base = B>, S: ScalarFn<B>>(f: &S, x: &[R]) -> Vec<R>
where
    for<'t> Var<'t, R>: Number<B>,
{
    let tape = Tape::new();
    let inputs = tape.vars(x);
    let gradients = f.call(&inputs).try_gradient().or_panic();
    inputs.iter().map(|&x| gradients.get(x).unwrap_or(R::ZERO)).collect()
}

/// Directions that share a sweep.
const LANES: usize = 4;

/// As nodes: the gradient's derivative is the Hessian, from reverse sweeps over duals.
#[track_caller]
pub(crate) fn as_nodes<B, F: Primal<Base = B>, H: Handle<F>, S: ScalarFn<B>>(
    f: &S,
    x: &[Scalar<F, H>],
) -> Vec<Scalar<F, H>>
where
    for<'t> Var<'t, Dual<F, LANES>>: Number<B>,
{
    let n = x.len();
    let (mut gradient, mut hessian) = (vec![F::ZERO; n], vec![F::ZERO; n * n]);
    let mut tape = Tape::new();
    for first in (0..n).step_by(LANES) {
        let inputs: Vec<Var<'_, Dual<F, LANES>>> =
            x.iter().enumerate().map(|(k, x)| tape.var(Dual::moving(x.primal(), first, k))).collect();
        let gradients = f.call(&inputs).try_gradient().or_panic();
        let columns = (n - first).min(LANES);
        for (k, &input) in inputs.iter().enumerate() {
            let x_bar = gradients.get(input).unwrap_or(Dual::constant(F::ZERO));
            gradient[k] = x_bar.value;
            hessian[k * n + first..][..columns].copy_from_slice(&x_bar.tangents[..columns]);
        }
        drop(inputs);
        tape.clear();
    }
    let mut nodes = Vec::with_capacity(n);
    for (k, &y) in gradient.iter().enumerate() {
        // Not by `map`: a closure does not pass the caller's line on.
        nodes.push(H::by_partials(x.iter().copied().zip(hessian[k * n..][..n].iter().copied()), y));
    }
    nodes
}
