//! Forward mode: how tangents go through ops.
//!
//! Most ops say in one word what their pullback has in common with their pushforward. For the others the pushforward is
//! made of the pullback: `y_bar -> <x_dot, J^T y_bar>` is linear in `y_bar`, so its gradient in `y_bar` is `J x_dot`,
//! whatever `y_bar` is (Townsend 2017, "A new trick for calculating Jacobian vector products"). That costs a pullback
//! and the pullback of it; ops for which one pass does have a rule of their own.

use super::sum::{broadcast_to, sum_axes};
use super::zip::zip;
use super::{Array, Op, fitting};
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_kernels::Binary;
use wengert_tensor::{Axes, Shape, Tensor};

/// What is known of an op's Jacobian.
pub(crate) enum Pushforward {
    /// Nothing: its pullback is transposed, unless the op has a rule of its own.
    Transposed,
    /// It is the op itself: `y` is linear in all operands together.
    Linear,
    /// It is the op with one operand after the other replaced by its tangent: `y` is linear in each operand.
    Multilinear,
    /// It is symmetric, and the pullback therefore the pushforward: `y` has one operand.
    Symmetric,
}

/// The tangent of an op's result, by what is known of its Jacobian; `None` where nothing flows.
pub(super) fn tangent<F: TensorFloat, A: Array<F>, O: Op<F>>(
    op: &O,
    x: &[&A],
    y: &A,
    x_dot: &[Option<&A>],
) -> Option<A> {
    match O::PUSHFORWARD {
        Pushforward::Linear => {
            let zeros: SmallVec<[A; 4]> = x.iter().map(|x| x.constant(zeros(&x.shape()))).collect();
            let x_dot: SmallVec<[&A; 4]> =
                x_dot.iter().zip(&zeros).map(|(x_dot, zeros)| x_dot.unwrap_or(zeros)).collect();
            Some(op.clone().on(&x_dot))
        }
        Pushforward::Multilinear => {
            let term = |k: usize| {
                let mut x = SmallVec::<[&A; 4]>::from_slice(x);
                x[k] = x_dot[k]?;
                Some(op.clone().on(&x))
            };
            total((0..x.len()).map(term), &y.shape())
        }
        Pushforward::Symmetric => A::pullback(op, x, y, x_dot[0]?.clone(), &[true]).pop().flatten(),
        Pushforward::Transposed if y.shape().size() == 1 => {
            // One row is the whole Jacobian.
            let wanted: SmallVec<[bool; 4]> = x_dot.iter().map(Option::is_some).collect();
            let one = y.constant(Tensor::full(y.shape(), F::ONE));
            let rows = op.vjp(x, y, one, &wanted);
            let term = |(row, x_dot): (&Option<A>, &Option<&A>)| {
                Some(sum_axes(&zip(Binary::MulZero, row.as_ref()?, (*x_dot)?), Axes::ALL))
            };
            total(rows.iter().zip(x_dot).map(term), &y.shape())
        }
        Pushforward::Transposed => A::transposed_pullback(op, x, y, x_dot),
    }
}

/// Zeros in the memory of one.
pub(crate) fn zeros<F: TensorFloat>(shape: &Shape) -> Tensor<F> {
    fitting(Tensor::scalar(F::ZERO).try_broadcast_to(shape.clone()))
}

/// The sum of what flowed, repeated to `shape` where it is smaller.
pub(super) fn total<F: TensorFloat, A: Array<F>>(
    terms: impl IntoIterator<Item = Option<A>>,
    shape: &Shape,
) -> Option<A> {
    let sum = terms.into_iter().flatten().reduce(|sum, term| zip(Binary::Add, &sum, &term))?;
    if sum.shape().size() == 1 && shape.size() == 1 {
        return Some(super::reshape::reshape(&sum, shape));
    }
    Some(broadcast_to(&sum, shape))
}
