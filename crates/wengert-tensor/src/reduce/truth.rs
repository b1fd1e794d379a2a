//! Whether all or some truth values hold, and how many.

use crate::axis::Axes;
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// Whether all elements are true; so it is when there are none.
    ///
    /// Shapes: `x: [..]`, one truth.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[true, false], [true, true]]);
    /// assert!(!x.all());
    /// ```
    pub fn all(&self) -> bool {
        self.iter().all(|x| x)
    }

    /// Whether some element is true.
    ///
    /// Shapes: `x: [..]`, one truth.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[true, false], [true, true]]);
    /// assert!(x.any());
    /// ```
    pub fn any(&self) -> bool {
        self.iter().any(|x| x)
    }

    /// How many elements are true.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[true, false], [true, true]]);
    /// assert_eq!(x.count(), 3);
    /// ```
    pub fn count(&self) -> usize {
        self.iter().filter(|&x| x).count()
    }

    /// How many elements are true over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let right = Tensor::from([[true, false], [true, true]]);
    /// assert_eq!(right.count_axes(0), Tensor::from([2, 1]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn count_axes(&self, axes: impl Into<Axes>) -> Tensor<i64> {
        self.cast::<u8>().sum_axes(axes)
    }

    /// Whether all elements over axes are true.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[true, false], [true, true]]);
    /// assert_eq!(x.all_axes(0).to_vec(), [true, false]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn all_axes(&self, axes: impl Into<Axes>) -> Tensor<bool> {
        self.not().count_axes(axes).equal(0)
    }

    /// Whether some element over axes is true.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[true, false], [true, true]]);
    /// assert_eq!(x.any_axes(0).to_vec(), [true, true]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn any_axes(&self, axes: impl Into<Axes>) -> Tensor<bool> {
        self.count_axes(axes).greater(0)
    }
}
