//! Numerical kernels of Wengert: slices in, slices out.
//!
//! No graph, no named shapes, no allocation that a caller could have made. Everything here is deterministic: a result
//! depends on the operands only, never on the number of threads.

mod float;
mod math;
mod table;

pub use float::Float;
pub use table::{Binary, BinaryFunctions, Elementary, Unary, UnaryFunctions, derivative};
