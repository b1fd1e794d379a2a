//! The largest and the smallest elements, and where they are.

use super::{Plan, elements};
use crate::axis::{Axes, Axis};
use crate::element::Numeric;
use crate::error::{OrPanic, ShapeError};
use crate::tensor::Tensor;

impl<T: Numeric> Tensor<T> {
    /// The largest element; NaN if there is one.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.max(), 6.0);
    /// ```
    #[track_caller]
    pub fn max(&self) -> T {
        self.try_max().or_panic()
    }

    /// As [`max`](Self::max), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_max(&self) -> Result<T, ShapeError> {
        Ok(T::extreme(true, elements("max", self, &mut None)?))
    }

    /// The smallest element; NaN if there is one.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.min(), 1.0);
    /// ```
    #[track_caller]
    pub fn min(&self) -> T {
        self.try_min().or_panic()
    }

    /// As [`min`](Self::min), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_min(&self) -> Result<T, ShapeError> {
        Ok(T::extreme(false, elements("min", self, &mut None)?))
    }

    /// The largest elements over axes; NaN where there is one.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is nothing along the axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.max_axes(0).to_vec(), [4.0, 5.0, 6.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn max_axes(&self, axes: impl Into<Axes>) -> Tensor<T> {
        self.try_max_axes(axes).or_panic()
    }

    /// As [`max_axes`](Self::max_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_max_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<T>, ShapeError> {
        self.try_extreme_axes("max", true, &axes.into())
    }

    /// The smallest elements over axes; NaN where there is one.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is nothing along the axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.min_axes(1).to_vec(), [1.0, 3.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn min_axes(&self, axes: impl Into<Axes>) -> Tensor<T> {
        self.try_min_axes(axes).or_panic()
    }

    /// As [`min_axes`](Self::min_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_min_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<T>, ShapeError> {
        self.try_extreme_axes("min", false, &axes.into())
    }

    fn try_extreme_axes(&self, op: &'static str, largest: bool, axes: &Axes) -> Result<Tensor<T>, ShapeError> {
        let extreme = |x: &[T], dims, y: &mut [T]| T::extreme_axis(largest, x, dims, y);
        Plan::of_something(op, self.shape(), axes)?.run(op, self, extreme, extreme)
    }

    /// Where the largest element is: its number in row-major order. The first of equal ones; the first NaN if there is
    /// one.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 7.0], [7.0, 3.0]]).argmax(), 1);
    /// ```
    #[track_caller]
    pub fn argmax(&self) -> usize {
        self.try_argmax().or_panic()
    }

    /// As [`argmax`](Self::argmax), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_argmax(&self) -> Result<usize, ShapeError> {
        let empty = || ShapeError::Empty { op: "argmax", shape: self.shape().clone() };
        T::arg_extreme(true, self.try_dense("argmax", &mut None)?).ok_or_else(empty)
    }

    /// Where the smallest element is: its number in row-major order. The first of equal ones; the first NaN if there is
    /// one.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.argmin(), 0);
    /// ```
    #[track_caller]
    pub fn argmin(&self) -> usize {
        self.try_argmin().or_panic()
    }

    /// As [`argmin`](Self::argmin), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_argmin(&self) -> Result<usize, ShapeError> {
        let empty = || ShapeError::Empty { op: "argmin", shape: self.shape().clone() };
        T::arg_extreme(false, self.try_dense("argmin", &mut None)?).ok_or_else(empty)
    }

    /// Where along `axis` the largest elements are. The first of equal ones; the first NaN if there is one.
    ///
    /// Shapes: without the axis.
    ///
    /// # Panics
    /// When the axis does not exist or has no entries.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let logits = Tensor::from([[0.1, 2.0, -1.0], [3.0, 0.0, 0.5]]);
    /// assert_eq!(logits.argmax_axis(-1), Tensor::from([1, 0]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn argmax_axis(&self, axis: impl Into<Axis>) -> Tensor<i64> {
        self.try_argmax_axis(axis).or_panic()
    }

    /// As [`argmax_axis`](Self::argmax_axis), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Empty`].
    pub fn try_argmax_axis(&self, axis: impl Into<Axis>) -> Result<Tensor<i64>, ShapeError> {
        self.try_arg_extreme_axis("argmax", true, axis.into())
    }

    /// Where along `axis` the smallest elements are. The first of equal ones; the first NaN if there is one.
    ///
    /// Shapes: without the axis.
    ///
    /// # Panics
    /// When the axis does not exist or has no entries.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.argmin_axis(1).to_vec(), [0, 1]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn argmin_axis(&self, axis: impl Into<Axis>) -> Tensor<i64> {
        self.try_argmin_axis(axis).or_panic()
    }

    /// As [`argmin_axis`](Self::argmin_axis), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Empty`].
    pub fn try_argmin_axis(&self, axis: impl Into<Axis>) -> Result<Tensor<i64>, ShapeError> {
        self.try_arg_extreme_axis("argmin", false, axis.into())
    }

    fn try_arg_extreme_axis(&self, op: &'static str, largest: bool, axis: Axis) -> Result<Tensor<i64>, ShapeError> {
        let plan = Plan::of_something(op, self.shape(), &Axes::from(axis))?;
        // One axis is one group, so there is no second pass.
        plan.run(op, self, |x, dims, y| T::arg_extreme_axis(largest, x, dims, y), |_, _, _| {})
    }
}
