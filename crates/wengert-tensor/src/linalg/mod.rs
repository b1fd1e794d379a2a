//! Linear algebra on plain tensors: factorizations, systems, determinants, the exponential.
//!
//! Everything works on the last two axes, `[.., n, n]` or `[.., m, n]`, and for each matrix of the batch in front
//! alone; the names and the order of results are those of NumPy's `linalg`. A matrix an operation is not defined for is
//! a [`LinalgError`], which names it by its index in the batch.
//!
//! Factorizations that are not unique are made so: [`qr`](crate::Tensor::qr) has no negative number on the diagonal of
//! `r`; eigenvectors and left singular vectors have a positive entry of largest magnitude. What is meant for symmetric
//! matrices takes the symmetric part `(a + aT) / 2` of others, so that a derivative exists along every entry, and is
//! symmetric.
//!
//! `factorize` has the calls of `faer`, one matrix each; `batch` goes over the matrices; the other modules are
//! operations by subject. Operations with two results have a packed form, of which the results are views: a tape
//! records one node.

mod batch;
mod cholesky;
mod eigh;
mod error;
mod expm;
mod factorize;
mod lu;
mod qr;
mod svd;
mod trace;
mod triangular;

pub use batch::check_right_side;
pub use error::LinalgError;
pub use factorize::Factorize;
pub use lu::Lu;
pub use triangular::Triangle;
