//! Numerical kernels of Wengert: slices in, slices out.
//!
//! No graph, no named shapes, no allocation that a caller could have made. Everything here is deterministic: a result
//! depends on the operands only, never on the number of threads.

mod compiled;
mod dispatch;
pub mod elementwise;
mod float;
mod lane;
mod math;
pub mod matmul;
pub mod optimizer;
pub mod par;
pub mod reduce;
pub mod softmax;
mod table;

pub use dispatch::{Level, simd_level};
pub use float::{Constants, Float};
pub use par::Par;
pub use table::{Binary, BinaryFunctions, Elementary, Unary, UnaryFunctions, derivative};
