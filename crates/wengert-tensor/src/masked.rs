//! The elements a mask marks, one after the other.

use crate::element::Element;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The numbers, in row-major order, of the elements of a tensor of this shape that `mask` marks; a number comes up as
/// often as its element is repeated.
#[doc(hidden)]
pub fn masked_positions(shape: &Shape, mask: &Tensor<bool>) -> Result<Tensor<i64>, ShapeError> {
    let op = "masked_select";
    let common = Shape::broadcast(op, shape, mask.shape())?;
    let numbers = Tensor::<i64>::try_build(op, shape, |y| {
        y.iter_mut().enumerate().for_each(|(number, y)| *y = number as i64);
    })?;
    let (numbers, mask) = (numbers.try_broadcast_to(&common)?, mask.try_broadcast_to(&common)?);
    let marked = mask.iter().filter(|marked| *marked).count();
    Tensor::try_build(op, &Shape::from(marked), |y| {
        let of_marked = numbers.iter().zip(&mask).filter_map(|(number, marked)| marked.then_some(number));
        y.iter_mut().zip(of_marked).for_each(|(y, number)| *y = number);
    })
}

impl<T: Element> Tensor<T> {
    /// The elements where `mask` is true, in row-major order; both are repeated to a common shape. NumPy's `x[mask]`.
    ///
    /// Shapes: `self` and `mask` broadcast, result `[m]` with one entry for each true.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, -2.0], [3.0, 4.0]]);
    /// assert_eq!(x.masked_select(&x.greater(0.0)).to_vec(), [1.0, 3.0, 4.0]);
    /// assert_eq!(x.masked_select(&Tensor::from([true, false])).to_vec(), [1.0, 3.0]); // the first column
    /// ```
    #[must_use]
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor<bool>) -> Tensor<T> {
        self.try_masked_select(mask).or_panic()
    }

    /// As [`masked_select`](Self::masked_select), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`].
    pub fn try_masked_select(&self, mask: &Tensor<bool>) -> Result<Tensor<T>, ShapeError> {
        self.try_pick(&masked_positions(self.shape(), mask)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_select_from_any_layout_in_row_major_order() {
        let x = Tensor::<i64>::arange(6).reshape([2, 3]);
        let mask = Tensor::from([[true, false], [false, true], [true, true]]);
        assert_eq!(x.t().masked_select(&mask).to_vec(), [0, 4, 2, 5]);
        assert_eq!(x.flip(1).masked_select(&mask.t()).to_vec(), [2, 0, 4, 3]);
    }

    #[test]
    fn rows_and_masks_are_repeated_to_a_common_shape() {
        let row = Tensor::from([1, 2, 3]);
        let mask = Tensor::from([[true, false, true], [false, true, true]]);
        assert_eq!(row.masked_select(&mask).to_vec(), [1, 3, 2, 3]);
        assert_eq!(Tensor::scalar(7).masked_select(&mask).to_vec(), [7; 4]);
        assert_eq!(row.masked_select(&Tensor::scalar(true)), row);
    }

    #[test]
    fn nothing_marked_leaves_nothing() {
        let x = Tensor::from([1.0, 2.0]);
        assert_eq!(*x.masked_select(&Tensor::full([2], false)).shape(), [0]);
        assert_eq!(*Tensor::<f64>::zeros([0, 3]).masked_select(&Tensor::full([3], true)).shape(), [0]);
    }

    #[test]
    fn mistakes_are_named() {
        let error = Tensor::<f64>::zeros([2, 3]).try_masked_select(&Tensor::full([2], true)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "masked_select: shapes [2, 3] and [2] do not broadcast: axis 1 has 3 against 2 entries and neither is 1; reshape one side"
        );
    }
}
