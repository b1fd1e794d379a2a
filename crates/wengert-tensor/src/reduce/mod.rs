//! Reductions over everything or over axes: sums and norms, extremes, truth values.

mod extreme;
mod sum;
#[cfg(test)]
mod tests;
mod truth;

use smallvec::SmallVec;

use crate::axis::Axes;
use crate::element::Element;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How a reduction goes over an operand: which axes go, and what is left.
struct Plan {
    /// Neighbouring reduced axes as one group, outermost first: where they start and how many there are. At least one,
    /// which is empty when no axis is reduced: every element is then reduced by itself.
    groups: SmallVec<[(usize, usize); 4]>,
    /// The shape of the result.
    shape: Shape,
    /// How many elements make one of the result.
    count: usize,
}

impl Plan {
    fn new(op: &'static str, shape: &Shape, axes: &Axes) -> Result<Plan, ShapeError> {
        let reduced = axes.resolve(op, shape)?;
        let mut plan = Plan { groups: SmallVec::new(), shape: Shape::SCALAR, count: 1 };
        for (axis, &dim) in shape.iter().enumerate() {
            if !reduced[axis] {
                plan.shape.push(dim);
                continue;
            }
            if axes.keeps() {
                plan.shape.push(1);
            }
            // Wraps only when a dimension is 0 and the product with it.
            plan.count = plan.count.wrapping_mul(dim);
            match plan.groups.last_mut() {
                Some((start, len)) if *start + *len == axis => *len += 1,
                _ => plan.groups.push((axis, 1)),
            }
        }
        if plan.groups.is_empty() {
            plan.groups.push((0, 0));
        }
        plan.shape.try_size(op)?;
        Ok(plan)
    }

    /// As [`new`](Self::new), for a reduction that has no value over nothing.
    fn of_something(op: &'static str, shape: &Shape, axes: &Axes) -> Result<Plan, ShapeError> {
        let plan = Plan::new(op, shape, axes)?;
        if plan.count == 0 && plan.shape.size() > 0 {
            return Err(ShapeError::Empty { op, shape: shape.clone() });
        }
        Ok(plan)
    }

    /// Reduces one group of axes after the other, the innermost first: `first` the operand's, `next` those of its
    /// results.
    fn run<T: Element, S: Element>(
        &self,
        op: &'static str,
        x: &Tensor<T>,
        first: impl Fn(&[T], [usize; 3], &mut [S]),
        next: impl Fn(&[S], [usize; 3], &mut [S]),
    ) -> Result<Tensor<S>, ShapeError> {
        let mut left = x.shape().clone();
        let mut take = |(start, len): (usize, usize)| {
            // Of what is empty, some axes may have more entries than can be counted.
            let size = |dims: &[usize]| dims.iter().fold(1, |size: usize, &dim| size.saturating_mul(dim));
            let dims = [size(&left[..start]), size(&left[start..start + len]), size(&left[start + len..])];
            for _ in 0..len {
                left.remove(start);
            }
            (dims, left.clone())
        };
        let mut copy = None;
        let x = x.try_dense(op, &mut copy)?;
        let mut groups = self.groups.iter().rev();
        let (dims, shape) = take(groups.next().copied().unwrap_or_default());
        let mut y = Tensor::try_build(op, &shape, |y| first(x, dims, y))?;
        for &group in groups {
            let (dims, shape) = take(group);
            y = Tensor::try_build(op, &shape, |z| next(y.as_slice().unwrap_or_default(), dims, z))?;
        }
        y.try_reshape(&self.shape)
    }
}

/// The elements of `x` for a reduction that has no value over nothing.
fn elements<'a, T: Element>(
    op: &'static str,
    x: &'a Tensor<T>,
    copy: &'a mut Option<Tensor<T>>,
) -> Result<&'a [T], ShapeError> {
    match x.is_empty() {
        true => Err(ShapeError::Empty { op, shape: x.shape().clone() }),
        false => x.try_dense(op, copy),
    }
}
