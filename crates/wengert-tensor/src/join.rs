//! Joining tensors along an axis, an existing one or a new one.

use crate::axis::Axis;
use crate::copy::copy_to_dense;
use crate::element::Element;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Puts tensors behind one another along `axis`. Their shapes may differ along that axis only.
    ///
    /// # Panics
    /// When there are no tensors, the axis does not exist, or shapes differ along another one.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::from([[1, 2]]), Tensor::from([[3, 4], [5, 6]]));
    /// assert_eq!(Tensor::concat(&[&a, &b], 0), Tensor::from([[1, 2], [3, 4], [5, 6]]));
    /// ```
    #[track_caller]
    pub fn concat(tensors: &[&Tensor<T>], axis: impl Into<Axis>) -> Tensor<T> {
        Self::try_concat(tensors, axis).or_panic()
    }

    /// As [`concat`](Self::concat), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::NoTensors`], [`ShapeError::Axis`] or [`ShapeError::Join`].
    pub fn try_concat(tensors: &[&Tensor<T>], axis: impl Into<Axis>) -> Result<Tensor<T>, ShapeError> {
        let op = "concat";
        let first = tensors.first().ok_or(ShapeError::NoTensors { op })?;
        let axis = axis.into().resolve(op, first.shape())?;
        let mut total = 0usize;
        for (position, tensor) in tensors.iter().enumerate() {
            let fits = tensor.rank() == first.rank()
                && (0..first.rank()).all(|k| k == axis || tensor.shape()[k] == first.shape()[k]);
            if !fits {
                let (first, other) = (first.shape().clone(), tensor.shape().clone());
                return Err(ShapeError::Join { op, axis, position, first, other });
            }
            total = total.saturating_add(tensor.shape()[axis]);
        }
        let shape = first.shape().clone().with(axis, total);
        let inner: usize = shape[axis + 1..].iter().product();
        Self::try_build(op, &shape, |y| {
            // Each tensor is a band of every row, where a row is all that has one index before `axis`.
            let row = total * inner;
            let mut start = 0;
            for tensor in tensors {
                let band = tensor.shape()[axis] * inner;
                if band > 0 {
                    copy_band(tensor, y, row, start, band);
                }
                start += band;
            }
        })
    }

    /// Puts tensors of one shape side by side along a new axis.
    ///
    /// # Panics
    /// When there are no tensors, the new axis would be out of range, or shapes differ.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::from([1, 2]), Tensor::from([3, 4]));
    /// assert_eq!(Tensor::stack(&[&a, &b], 0), Tensor::from([[1, 2], [3, 4]]));
    /// assert_eq!(Tensor::stack(&[&a, &b], -1), Tensor::from([[1, 3], [2, 4]]));
    /// ```
    #[track_caller]
    pub fn stack(tensors: &[&Tensor<T>], axis: impl Into<Axis>) -> Tensor<T> {
        Self::try_stack(tensors, axis).or_panic()
    }

    /// As [`stack`](Self::stack), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::NoTensors`], [`ShapeError::Axis`] or [`ShapeError::Join`].
    pub fn try_stack(tensors: &[&Tensor<T>], axis: impl Into<Axis>) -> Result<Tensor<T>, ShapeError> {
        let op = "stack";
        let first = tensors.first().ok_or(ShapeError::NoTensors { op })?;
        let axis = axis.into().resolve_within(op, first.shape(), first.rank() + 1)?;
        if let Some(position) = tensors.iter().position(|tensor| tensor.shape() != first.shape()) {
            let (first, other) = (first.shape().clone(), tensors[position].shape().clone());
            return Err(ShapeError::Join { op, axis, position, first, other });
        }
        let columns = tensors.iter().map(|tensor| tensor.try_unsqueeze(axis)).collect::<Result<Vec<_>, _>>()?;
        Self::try_concat(&columns.iter().collect::<Vec<_>>(), axis)
    }
}

/// Copies the elements of `tensor`, `band` at a time, to `start` of each row of `y`.
fn copy_band<T: Element>(tensor: &Tensor<T>, y: &mut [T], row: usize, start: usize, band: usize) {
    if row == band && !tensor.is_dense() {
        // One piece of memory: the faster copy applies.
        return copy_to_dense(tensor.storage(), tensor.layout(), y);
    }
    let rows = y.chunks_exact_mut(row).map(|row| &mut row[start..start + band]);
    if let Some(x) = tensor.as_slice() {
        for (y, x) in rows.zip(x.chunks_exact(band)) {
            y.copy_from_slice(x);
        }
    } else {
        let mut x = tensor.iter();
        for y in rows {
            for (y, x) in y.iter_mut().zip(&mut x) {
                *y = x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_along_every_axis_dense_or_not() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]);
        for axis in 0..3 {
            for (a, b) in [(x.slice(axis, ..1), x.slice(axis, 1..)), (x.slice(axis, ..0), x.clone())] {
                assert_eq!(Tensor::concat(&[&a, &b], axis), x, "axis {axis}");
            }
        }
        // Views that are not dense, in the inner and the outer position.
        let t = x.permute([2, 0, 1]);
        assert_eq!(Tensor::concat(&[&t.slice(0, ..3), &t.slice(0, 3..)], 0), t);
        assert_eq!(Tensor::concat(&[&t.slice(2, ..1), &t.slice(2, 1..)], 2), t);
    }

    #[test]
    fn stacking_undoes_taking_apart() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]);
        for axis in 0..3 {
            let parts: Vec<_> = (0..x.dim(axis)).map(|i| x.index_axis(axis, i as isize)).collect();
            assert_eq!(Tensor::stack(&parts.iter().collect::<Vec<_>>(), axis), x);
        }
        assert_eq!(Tensor::stack(&[&Tensor::from(1), &Tensor::from(2)], 0), Tensor::from([1, 2]));
    }

    #[test]
    fn mistakes_are_named() {
        let (a, b) = (Tensor::<f32>::zeros([3, 5]), Tensor::<f32>::zeros([2, 4]));
        assert_eq!(
            Tensor::try_concat(&[&a, &a, &b], 0).unwrap_err().to_string(),
            "concat: tensor 2 of shape [2, 4] does not fit the first, of shape [3, 5]; shapes may differ along axis 0 only"
        );
        assert_eq!(
            Tensor::try_stack(&[&a, &b], 0).unwrap_err().to_string(),
            "stack: tensor 1 of shape [2, 4] does not fit the first, of shape [3, 5]; all shapes must be equal"
        );
        assert_eq!(
            Tensor::<f32>::try_concat(&[], 0).unwrap_err().to_string(),
            "concat: no tensors given; the result's shape would be unknown"
        );
        assert!(matches!(Tensor::try_concat(&[&Tensor::from(1.0)], 0), Err(ShapeError::Axis { .. })));
        assert!(matches!(Tensor::try_stack(&[&a], 3), Err(ShapeError::Axis { .. })));
    }

    #[test]
    fn nothing_joined_to_nothing_is_nothing() {
        let empty = Tensor::<f32>::zeros([0, 3]);
        assert_eq!(*Tensor::concat(&[&empty, &empty], 0).shape(), [0, 3]);
        assert_eq!(*Tensor::concat(&[&empty, &empty], 1).shape(), [0, 6]);
        assert_eq!(*Tensor::stack(&[&empty, &empty], 0).shape(), [2, 0, 3]);
    }
}
