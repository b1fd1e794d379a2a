//! Special functions on `f64`, beyond what the standard library has.
//!
//! A file for each family, which names its methods and their sources. Single precision rounds these results.

pub(crate) mod bessel;
pub(crate) mod beta;
pub(crate) mod erf;
pub(crate) mod gamma;
pub(crate) mod incomplete;
pub(crate) mod logarithm;
pub(crate) mod polygamma;
pub(crate) mod trigonometric;
