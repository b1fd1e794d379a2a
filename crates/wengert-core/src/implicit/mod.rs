//! Functions given by equations: solutions of linear systems, roots of nonlinear ones.
//!
//! The derivative comes from the implicit function theorem, never from the way the solution was found. With
//! `g(x, p) = 0`, `dg/dx x_dot = -dg/dp p_dot`; transposed, `(dg/dx)^T lambda = x_bar`, `p_bar = -(dg/dp)^T lambda`.
//! One linear system per sweep, whatever the number of iterations and parameters.
//!
//! Only the floats underneath are factorised. On duals `A (x + x_dot e) = b + b_dot e` is two systems with the matrix
//! of floats, so a derivative of any order costs triangular solves only.
//!
//! Source: Griewank and Walther, *Evaluating Derivatives*, 2008, section 15; Giles 2008, "Collected matrix derivative
//! results for forward and reverse mode algorithmic differentiation", section 2.3.1.

mod linear;
mod lu;
mod root;

pub use linear::{solve, try_solve};
pub use root::{Equations, root, root_at, try_root, try_root_at};
