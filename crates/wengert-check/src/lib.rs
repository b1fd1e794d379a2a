//! Gradients checked against finite differences.
//!
//! - [`check`] takes a function of scalars, [`check_tensor`] and [`check_tensors`] closures of tensors; all go on with
//!   `.at(point)`, options like `.orders(2)`, and end in `.assert()` or `.run()`.
//! - The numerical side is [`derivative`]: extrapolated differences that state their own error. Tolerances come from
//!   that error, so there are none to choose.
//! - A function without a derivative at the point is not a wrong gradient: kinks are told apart ([`CheckError::Kink`]).
//! - Feature `proptest`: strategies for shapes, tensors and whole random programs, in `strategies`.
//!
//! ```
//! use wengert_check::{check, CheckError};
//! use wengert_core::prelude::*;
//!
//! fn length<T: Number>(x: &[T]) -> T {
//!     x[0].hypot(x[1])
//! }
//! let report = check(function!(length)).at(&[3.0, -4.0]).orders(2).run()?;
//! assert_eq!(report.value, 5.0);
//! # Ok::<(), CheckError>(())
//! ```

mod check;
mod differences;
mod error;
mod program;
#[cfg(feature = "proptest")]
pub mod strategies;

pub use check::{Check, Function, Kinks, Report, check, check_tensor, check_tensors};
pub use differences::{Estimate, Slope, derivative};
pub use error::{CheckError, Comparison, Kink};
pub use program::{Program, TensorFn};
