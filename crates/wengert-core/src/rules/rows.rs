//! The lanes over some axes as the rows of a matrix, for rules that work along one axis, and back.

use super::Array;
use super::permute::permute;
use super::reshape::reshape;
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_tensor::{Axes, Shape};

/// How the axes of an operand become rows, and those that are reduced columns.
pub(crate) struct Rows {
    pub(crate) order: SmallVec<[usize; 8]>,
    /// The operand's shape, its axes in this order.
    permuted: Shape,
    pub(crate) matrix: Shape,
    /// The shape of one value a row.
    pub(crate) result: Shape,
}

impl Rows {
    /// Axes have been checked by the forward pass or the caller; none is named of those that do not exist.
    pub(crate) fn new(shape: &Shape, axes: &Axes) -> Self {
        let reduced = axes.resolve("rows", shape).unwrap_or_else(|_| SmallVec::from_elem(false, shape.rank()));
        let that = |are: bool| (0..shape.rank()).filter(|&axis| reduced[axis] == are).collect::<SmallVec<[usize; 8]>>();
        let (kept, gone) = (that(false), that(true));
        let size = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product::<usize>();
        let matrix = Shape::from([size(&kept), size(&gone)]);
        let result = match axes.keeps() {
            true => shape.iter().zip(&reduced).map(|(&n, &reduced)| if reduced { 1 } else { n }).collect(),
            false => kept.iter().map(|&axis| shape[axis]).collect(),
        };
        let order: SmallVec<[usize; 8]> = kept.into_iter().chain(gone).collect();
        let permuted = order.iter().map(|&axis| shape[axis]).collect();
        Rows { order, permuted, matrix, result }
    }

    pub(crate) fn of<F: TensorFloat, A: Array<F>>(&self, x: &A) -> A {
        reshape(&permute(x, &self.order), &self.matrix)
    }

    pub(crate) fn back<F: TensorFloat, A: Array<F>>(&self, x: &A) -> A {
        let mut inverse: SmallVec<[usize; 8]> = SmallVec::from_elem(0, self.order.len());
        for (k, &axis) in self.order.iter().enumerate() {
            inverse[axis] = k;
        }
        permute(&reshape(x, &self.permuted), &inverse)
    }
}
