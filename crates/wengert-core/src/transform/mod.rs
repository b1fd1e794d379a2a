//! Functions of functions: gradients, Jacobians, Hessians, directional derivatives.
//!
//! A Rust closure cannot be generic, so there are two ways in. First-order transforms take a closure over [`Var`]s,
//! whose argument type is inferred; a helper it calls must be generic over [`Number`], since one written for `Var`
//! alone could not be evaluated on anything else. Transforms of higher order evaluate the function on several kinds of
//! numbers and take a [`ScalarFn`]; [`function!`](crate::function) makes one from a generic function. A bare generic
//! function is accepted by neither: it has no type to name until its number is chosen.

mod first;
mod forward;
pub(crate) mod gradient;
mod second;
mod vector;

pub use first::{grad, jacobian, try_grad, try_jacobian, try_value_and_grad, try_vjp, value_and_grad, vjp};
pub use forward::{Moving, jvp, laplacian, taylor, try_jvp, try_laplacian, try_taylor};
pub use gradient::Grad;
pub use second::{hessian, hvp, try_hessian, try_hvp};
pub use vector::{jacobian_of, try_jacobian_of};

use crate::error::Error;
use crate::number::Number;
use core::panic::Location;

#[expect(unused_imports, reason = "named in the module's documentation")]
use crate::tape::Var;

/// Refuses to differentiate with respect to nothing.
#[track_caller]
pub(crate) fn not_empty<T>(op: &'static str, x: &[T]) -> Result<(), Error> {
    match x.is_empty() {
        true => Err(Error::Empty { op, caller: Location::caller() }),
        false => Ok(()),
    }
}

/// Refuses a direction or a seed that does not belong to `x`.
#[track_caller]
pub(crate) fn as_many<A, B>(op: &'static str, x: &[A], v: &[B]) -> Result<(), Error> {
    match x.len() == v.len() {
        true => Ok(()),
        false => Err(Error::Lengths { op, left: x.len(), right: v.len(), caller: Location::caller() }),
    }
}

/// A function from numbers to a number that can be evaluated on every kind of number: floats, duals, series, variables.
///
/// `B` is the float its literals are: `ScalarFn` alone means `f64`, as in [`Number`].
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that can be evaluated on every kind of number",
    label = "not a `ScalarFn`",
    note = "a closure has one kind of number; write `fn f<T: Number>(x: &[T]) -> T` and pass `&function!(f)`, or implement `ScalarFn`"
)]
pub trait ScalarFn<B = f64> {
    /// The value at `x`.
    fn call<T: Number<B>>(&self, x: &[T]) -> T;
}

impl<B, F: ScalarFn<B>> ScalarFn<B> for &F {
    fn call<T: Number<B>>(&self, x: &[T]) -> T {
        (**self).call(x)
    }
}

/// A function from numbers to numbers that can be evaluated on every kind of number.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// /// Polar to Cartesian coordinates.
/// struct Cartesian;
/// impl VectorFn for Cartesian {
///     fn call<T: Number>(&self, x: &[T]) -> Vec<T> {
///         vec![x[0] * x[1].cos(), x[0] * x[1].sin()]
///     }
/// }
/// assert_eq!(jacobian_of(&Cartesian, &[2.0, 0.0]).to_vec(), [1.0, 0.0, 0.0, 2.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that can be evaluated on every kind of number",
    label = "not a `VectorFn`",
    note = "write `fn f<T: Number>(x: &[T]) -> Vec<T>` and pass `&vector_function!(f)`, or implement `VectorFn`"
)]
pub trait VectorFn<B = f64> {
    /// The values at `x`; as many at every `x`.
    fn call<T: Number<B>>(&self, x: &[T]) -> Vec<T>;
}

impl<B, F: VectorFn<B>> VectorFn<B> for &F {
    fn call<T: Number<B>>(&self, x: &[T]) -> Vec<T> {
        (**self).call(x)
    }
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

/// Makes a [`VectorFn`] of a generic function `fn name<T: Number>(x: &[T]) -> Vec<T>`.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// fn cartesian<T: Number>(x: &[T]) -> Vec<T> {
///     vec![x[0] * x[1].cos(), x[0] * x[1].sin()]
/// }
/// let j = jacobian_of(&vector_function!(cartesian), &[2.0, 0.0]);
/// assert_eq!(j.to_vec(), [1.0, 0.0, 0.0, 2.0]);
/// ```
#[macro_export]
macro_rules! vector_function {
    ($f:path) => {{
        struct Named;
        impl $crate::VectorFn for Named {
            fn call<T: $crate::Number>(&self, x: &[T]) -> ::std::vec::Vec<T> {
                $f(x)
            }
        }
        Named
    }};
}
