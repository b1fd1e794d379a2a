//! Functions of functions: gradients, Jacobians, Hessians.
//!
//! A Rust closure cannot be generic, so there are two ways in. First-order transforms take a closure over [`Var`]s, whose
//! argument type is inferred; a helper it calls must be generic over [`Number`], since one written for `Var` alone could
//! not be evaluated on anything else. Transforms of higher order evaluate the function on several kinds of numbers and
//! take a [`ScalarFn`]; [`function!`](crate::function) makes one from a generic function. A bare generic function is
//! accepted by neither: it has no type to name until its number is chosen.

mod first;
mod second;

pub use first::{grad, jacobian, try_grad, try_jacobian, try_value_and_grad, value_and_grad};
pub use second::{hessian, hvp, try_hessian, try_hvp};

use crate::number::Number;

#[expect(unused_imports, reason = "named in the module's documentation")]
use crate::tape::Var;

/// A function from numbers to a number that can be evaluated on every kind of number: floats, duals, variables.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// /// Distance from a point, squared.
/// struct Distance(Vec<f64>);
/// impl ScalarFn for Distance {
///     fn call<T: Number>(&self, x: &[T]) -> T {
///         x.iter().zip(&self.0).map(|(&x, &c)| (x - c).square()).sum()
///     }
/// }
/// let f = Distance(vec![1.0, 2.0]);
/// assert_eq!(hvp(&f, &[5.0, 5.0], &[1.0, 0.0]), [2.0, 0.0]);
/// ```
pub trait ScalarFn {
    /// The value at `x`.
    fn call<T: Number>(&self, x: &[T]) -> T;
}

/// Makes a [`ScalarFn`] of a generic function `fn name<T: Number>(x: &[T]) -> T`.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// fn rosenbrock<T: Number>(x: &[T]) -> T {
///     (x[0] - 1.0).square() + (x[1] - x[0] * x[0]).square() * 100.0
/// }
/// let hv = hvp(&function!(rosenbrock), &[1.0, 1.0], &[1.0, 0.0]);
/// assert_eq!(hv, [802.0, -400.0]);
/// ```
#[macro_export]
macro_rules! function {
    ($f:path) => {{
        struct Named;
        impl $crate::ScalarFn for Named {
            fn call<T: $crate::Number>(&self, x: &[T]) -> T {
                $f(x)
            }
        }
        Named
    }};
}
