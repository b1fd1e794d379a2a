//! Bringing the lanes of an operand, along one axis or several, to the end, where loops find them one after another.

use smallvec::SmallVec;

use crate::axis::Axes;
use crate::element::Element;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How the lanes of an operand, along one axis or several, come to the end.
pub(crate) struct Lanes {
    /// The order of axes that brings them there; `None` when they are there already.
    order: Option<SmallVec<[usize; 8]>>,
    /// The shape of a result with one element for each lane.
    pub(crate) shape: Shape,
    /// The elements of a lane.
    pub(crate) len: usize,
}

impl Lanes {
    pub(crate) fn new(op: &'static str, shape: &Shape, axes: &Axes) -> Result<Lanes, ShapeError> {
        let inside = axes.resolve(op, shape)?;
        if let [outer @ .., true] = &inside[..]
            && !outer.contains(&true)
        {
            // The last axis alone: nothing to bring anywhere.
            let (last, len) = (outer.len(), shape[outer.len()]);
            let mut shape = shape.clone();
            if axes.keeps() {
                shape = shape.with(last, 1);
            } else {
                shape.remove(last);
            }
            return Ok(Lanes { order: None, shape, len });
        }
        let axes_that = |are: bool| (0..shape.rank()).filter(move |&axis| inside[axis] == are);
        let order: SmallVec<[usize; 8]> = axes_that.clone()(false).chain(axes_that.clone()(true)).collect();
        let len = axes_that.clone()(true).map(|axis| shape[axis]).product();
        let mut result: Shape = axes_that.clone()(false).map(|axis| shape[axis]).collect();
        if axes.keeps() {
            for axis in axes_that(true) {
                result.insert(axis, 1);
            }
        }
        result.try_size(op)?;
        let order = (!order.is_sorted()).then_some(order);
        Ok(Lanes { order, shape: result, len })
    }

    /// The elements lane by lane.
    pub(crate) fn bring<T: Element>(&self, op: &'static str, x: &Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        match &self.order {
            None => x.try_to_contiguous(op),
            Some(order) => x.try_permute(order.iter().copied())?.try_to_contiguous(op),
        }
    }

    /// Undoes [`bring`](Self::bring).
    pub(crate) fn take_back<T: Element>(&self, op: &'static str, x: Tensor<T>) -> Result<Tensor<T>, ShapeError> {
        let Some(order) = &self.order else { return Ok(x) };
        let mut back: SmallVec<[usize; 8]> = SmallVec::from_elem(0, order.len());
        for (from, &to) in order.iter().enumerate() {
            back[to] = from;
        }
        x.try_permute(back)?.try_to_contiguous(op)
    }
}
