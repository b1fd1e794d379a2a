//! `ndarray`: variables without a lifetime as operands of whole arrays, `&array * x`.
//!
//! Arithmetic of arrays among themselves, sums and products ask for the operators alone, and matrix products for
//! [`num_traits`] besides.

use crate::dual::Dual;
use crate::number::Primal;
use crate::real::{Real, Threaded};
use crate::taylor::Taylor;
use ndarray::ScalarOperand;

impl<F: Threaded> ScalarOperand for Real<F> {}
impl<R: Primal, const N: usize> ScalarOperand for Dual<R, N> {}
impl<R: Primal, const N: usize> ScalarOperand for Taylor<R, N> {}
