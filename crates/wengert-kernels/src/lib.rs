//! Numerical kernels of Wengert: slices in, slices out.
//!
//! No graph, no named shapes, no allocation that a caller could have made. Everything here is deterministic: a result
//! depends on the operands only, never on the number of threads.
//!
//! # A tour
//!
//! **What is computed.** [`Float`] is `f32` or `f64`. The elementary functions, their derivatives and their
//! documentation are rows of one table (`table`): a row is an opcode ([`Unary`], [`Binary`]), a method
//! ([`UnaryFunctions`], [`BinaryFunctions`]) and a rule in [`derivative`], written over any [`Elementary`] number.
//!
//! **How fast.** `lane` holds branch-free bodies of `exp`, `ln`, `tanh`, `sin` and their like, within 2 ulp, that the
//! compiler turns into vector code inside a loop. `dispatch` compiles a loop for three sets of instructions and picks
//! one at run time ([`Level`], [`simd_level`]); `compiled` makes sure that it is compiled here, once per float, and not
//! again in every crate that calls it. Nothing of this needs a nightly compiler or `-C target-cpu`.
//!
//! **Where.** A module for each kind of loop, readable in any order:
//!
//! | module | what it does |
//! |---|---|
//! | [`elementwise`] | the table's rows over slices, and their pullbacks; accumulation |
//! | [`reduce`] | sums that keep their digits, extremes and their places, norms, along any axis |
//! | [`matmul`] | matrix products in every layout, with micro-kernels of our own |
//! | [`conv`] | convolution in two dimensions and its two adjoints |
//! | [`pool`] | the largest and the mean of windows, and their adjoints |
//! | [`softmax`] | softmax, log-softmax, log-sum-exp, the cross-entropy of labels, and their pullbacks |
//! | [`normalize`] | rows brought to mean 0 and variance 1, and the pullback |
//! | [`lstm`] | long short-term memory: a step of its cell, and the pullback |
//! | [`optimizer`] | SGD and Adam steps in one pass |
//! | [`rows`] | arithmetic between rows of one array: recorded programs at many points at once |
//! | [`par`] | how many threads a kernel may use |
//!
//! **Threads.** A kernel takes a [`Par`] last. It cuts its work at places that depend on the sizes only, and work too
//! small to be worth waking a thread for is never cut.
//!
//! ```
//! use wengert_kernels::{Par, Unary, elementwise, matmul::{MatMul, matmul}, reduce};
//!
//! // y = sum tanh(a b)
//! let (a, b) = ([1.0_f32, 2.0], [0.5_f32, -0.25]);
//! let (mut product, mut y) = ([0.0], [0.0]);
//! matmul(MatMul::row_major([1, 2, 1], &a, &b), &mut product, Par::current());
//! elementwise::unary(Unary::Tanh, &product, &mut y, Par::current());
//! assert_eq!(reduce::sum(&y, Par::current()), 0.0);
//! ```
//!
//! Unsafe code stands in `matmul` and `conv` (pointers and vector intrinsics), in the room they pack into, and in the
//! one macro that calls a function compiled for instructions which were found at run time.

mod compiled;
pub mod conv;
mod dispatch;
pub mod elementwise;
mod float;
mod lane;
pub mod lstm;
mod math;
pub mod matmul;
pub mod normalize;
pub mod optimizer;
pub mod par;
pub mod pool;
pub mod reduce;
pub mod rows;
mod scratch;
pub mod softmax;
mod special;
mod table;

#[cfg(test)]
mod numbers;

pub use dispatch::{Level, simd_level};
pub use float::{Constants, Float};
pub use par::Par;
pub use table::{
    Binary, BinaryFunctions, Elementary, Parametric, ParametricFunctions, Unary, UnaryFunctions, derivative,
};
