//! Making tensors: from values, from a rule for each element, or filled.

use crate::element::{Element, FloatElement, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// A tensor of this shape with the values of `values`, in row-major order.
    ///
    /// # Panics
    /// When there are more or fewer values than elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1, 2, 3, 4]);
    /// assert_eq!(x, Tensor::from([[1, 2], [3, 4]]));
    /// ```
    #[track_caller]
    pub fn from_vec(shape: impl Into<Shape>, values: Vec<T>) -> Self {
        Self::try_from_vec(shape, values).or_panic()
    }

    /// As [`from_vec`](Self::from_vec), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Length`], or [`ShapeError::Memory`].
    pub fn try_from_vec(shape: impl Into<Shape>, values: Vec<T>) -> Result<Self, ShapeError> {
        Self::try_filled_from("from_vec", shape.into(), &values)
    }

    /// A tensor of this shape with a copy of the values of `values`, in row-major order.
    ///
    /// # Panics
    /// When there are more or fewer values than elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// assert_eq!(Tensor::from_slice([2, 2], &[1, 2, 3, 4]), Tensor::from([[1, 2], [3, 4]]));
    /// ```
    #[track_caller]
    pub fn from_slice(shape: impl Into<Shape>, values: &[T]) -> Self {
        Self::try_from_slice(shape, values).or_panic()
    }

    /// As [`from_slice`](Self::from_slice), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Length`], or [`ShapeError::Memory`].
    pub fn try_from_slice(shape: impl Into<Shape>, values: &[T]) -> Result<Self, ShapeError> {
        Self::try_filled_from("from_slice", shape.into(), values)
    }

    fn try_filled_from(op: &'static str, shape: Shape, values: &[T]) -> Result<Self, ShapeError> {
        if shape.try_size(op)? != values.len() {
            return Err(ShapeError::Length { op, shape, given: values.len() });
        }
        Self::try_build(op, &shape, |y| y.copy_from_slice(values))
    }

    /// A tensor whose element at each index is `f(index)`.
    ///
    /// # Panics
    /// When there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let table = Tensor::from_fn([3, 3], |i| (i[0] + 1) as f64 * (i[1] + 1) as f64);
    /// assert_eq!(table.at([2, 1]), 6.0);
    /// ```
    #[track_caller]
    pub fn from_fn(shape: impl Into<Shape>, f: impl FnMut(&[usize]) -> T) -> Self {
        Self::try_from_fn(shape, f).or_panic()
    }

    /// As [`from_fn`](Self::from_fn), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] or [`ShapeError::Memory`].
    pub fn try_from_fn(shape: impl Into<Shape>, mut f: impl FnMut(&[usize]) -> T) -> Result<Self, ShapeError> {
        let shape = shape.into();
        let mut index = Shape::from(&*shape);
        for i in index.as_mut() {
            *i = 0;
        }
        Self::try_build("from_fn", &shape, |y| {
            for y in y {
                *y = f(&index);
                for (i, &dim) in index.as_mut().iter_mut().zip(shape.iter()).rev() {
                    *i += 1;
                    if *i < dim {
                        break;
                    }
                    *i = 0;
                }
            }
        })
    }

    /// A single number, of shape `[]`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::scalar(2.5);
    /// assert_eq!((x.rank(), x.item()), (0, 2.5));
    /// ```
    #[inline]
    pub fn scalar(value: T) -> Self {
        Self::from(value)
    }

    /// Every element `value`.
    ///
    /// # Panics
    /// When there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::full([2], 7).to_vec(), [7, 7]);
    /// ```
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: T) -> Self {
        Self::try_full(shape, value).or_panic()
    }

    /// As [`full`](Self::full), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] or [`ShapeError::Memory`].
    pub fn try_full(shape: impl Into<Shape>, value: T) -> Result<Self, ShapeError> {
        Self::try_build("full", &shape.into(), |y| y.fill(value))
    }

    /// Every element 0, or `false`.
    ///
    /// # Panics
    /// When there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::<f32>::zeros([2, 3]).sum(), 0.0);
    /// assert_eq!(Tensor::<f32>::zeros(3).len(), 3);
    /// ```
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Self::try_zeros(shape).or_panic()
    }

    /// As [`zeros`](Self::zeros), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] or [`ShapeError::Memory`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert!(Tensor::<f64>::try_zeros([1 << 62]).is_err());
    /// ```
    pub fn try_zeros(shape: impl Into<Shape>) -> Result<Self, ShapeError> {
        Self::try_zeros_for("zeros", shape.into())
    }

    /// Zeros in the shape of this tensor.
    ///
    /// # Panics
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).zeros_like().to_vec(), [0.0, 0.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn zeros_like(&self) -> Self {
        Self::zeros(self.shape())
    }

    /// A tensor with whatever values its recycled memory holds, for a caller who writes all of them.
    ///
    /// The values are initialised (reading them is safe), but arbitrary, and different from run to run. `bool` is
    /// `false`.
    ///
    /// # Panics
    /// When there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let mut x = Tensor::<f64>::scratch([2, 3]);
    /// x.make_mut().iter_mut().enumerate().for_each(|(k, x)| *x = k as f64);
    /// assert_eq!(x, Tensor::arange(6).reshape([2, 3]));
    /// ```
    #[inline]
    #[track_caller]
    pub fn scratch(shape: impl Into<Shape>) -> Self {
        Self::try_scratch(shape).or_panic()
    }

    /// As [`scratch`](Self::scratch), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] or [`ShapeError::Memory`].
    #[inline]
    pub fn try_scratch(shape: impl Into<Shape>) -> Result<Self, ShapeError> {
        Self::try_scratch_for("scratch", shape.into())
    }
}

impl<T: Numeric> Tensor<T> {
    /// Every element 1.
    ///
    /// # Panics
    /// When there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::<f64>::ones([2]).to_vec(), [1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Self::try_ones(shape).or_panic()
    }

    /// As [`ones`](Self::ones), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] or [`ShapeError::Memory`].
    pub fn try_ones(shape: impl Into<Shape>) -> Result<Self, ShapeError> {
        Self::try_build("ones", &shape.into(), |y| y.fill(T::from_index(1)))
    }

    /// Ones in the shape of this tensor.
    ///
    /// # Panics
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).ones_like().to_vec(), [1.0, 1.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn ones_like(&self) -> Self {
        Self::ones(self.shape())
    }

    /// The `n` by `n` identity matrix.
    ///
    /// # Panics
    /// When there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::eye(2), Tensor::from([[1.0, 0.0], [0.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        Self::try_eye_for("eye", n).or_panic()
    }

    pub(crate) fn try_eye_for(op: &'static str, n: usize) -> Result<Self, ShapeError> {
        let mut matrix = Self::try_zeros_for(op, Shape::from([n, n]))?;
        for diagonal in matrix.fresh_mut().iter_mut().step_by(n.saturating_add(1)) {
            *diagonal = T::from_index(1);
        }
        Ok(matrix)
    }

    /// The numbers 0, 1, 2, ... `n - 1`.
    ///
    /// # Panics
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::arange(4), Tensor::from([0.0, 1.0, 2.0, 3.0]));
    /// assert_eq!(Tensor::arange(6).reshape([2, 3]), Tensor::from([[0, 1, 2], [3, 4, 5]]));
    /// ```
    #[track_caller]
    pub fn arange(n: usize) -> Self {
        Self::try_build("arange", &Shape::from(n), |y| {
            for (i, y) in y.iter_mut().enumerate() {
                *y = T::from_index(i);
            }
        })
        .or_panic()
    }
}

impl<F: FloatElement> Tensor<F> {
    /// `n` numbers from `first` to `last`, evenly spaced, both included.
    ///
    /// One number is `first`. The ends are exact, and the numbers lie symmetrically between them.
    ///
    /// # Panics
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::linspace(-1.0, 1.0, 5).to_vec(), [-1.0, -0.5, 0.0, 0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn linspace(first: F, last: F, n: usize) -> Self {
        Self::try_build("linspace", &Shape::from(n), |y| {
            let steps = n.saturating_sub(1).max(1);
            let step = (last.to_f64() - first.to_f64()) / steps as f64;
            for (i, y) in y.iter_mut().enumerate() {
                // Counted from the nearer end, so that rounding does not grow along the way.
                *y = F::from_f64(if i <= steps / 2 {
                    first.to_f64() + step * i as f64
                } else {
                    last.to_f64() - step * (steps - i) as f64
                });
            }
        })
        .or_panic()
    }
}

/// A single number, of shape `[]`.
impl<T: Element> From<T> for Tensor<T> {
    #[inline]
    #[track_caller]
    fn from(value: T) -> Self {
        Self::try_build("scalar", &Shape::SCALAR, |y| y.fill(value)).or_panic()
    }
}

/// A clone, which shares storage.
impl<T: Element> From<&Tensor<T>> for Tensor<T> {
    #[inline]
    fn from(tensor: &Tensor<T>) -> Self {
        tensor.clone()
    }
}

impl<T: Element> From<Vec<T>> for Tensor<T> {
    #[track_caller]
    fn from(values: Vec<T>) -> Self {
        Self::from(values.as_slice())
    }
}

impl<T: Element> From<&[T]> for Tensor<T> {
    #[track_caller]
    fn from(values: &[T]) -> Self {
        Self::from_slice(values.len(), values)
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor<T> {
    #[track_caller]
    fn from(values: [T; N]) -> Self {
        Self::from_slice([N], &values)
    }
}

impl<T: Element, const N: usize, const M: usize> From<[[T; M]; N]> for Tensor<T> {
    #[track_caller]
    fn from(values: [[T; M]; N]) -> Self {
        Self::from_slice([N, M], values.as_flattened())
    }
}

impl<T: Element, const N: usize, const M: usize, const L: usize> From<[[[T; L]; M]; N]> for Tensor<T> {
    #[track_caller]
    fn from(values: [[[T; L]; M]; N]) -> Self {
        Self::from_slice([N, M, L], values.as_flattened().as_flattened())
    }
}

impl<T: Element, const N: usize, const M: usize, const L: usize, const K: usize> From<[[[[T; K]; L]; M]; N]>
    for Tensor<T>
{
    #[track_caller]
    fn from(values: [[[[T; K]; L]; M]; N]) -> Self {
        Self::from_slice([N, M, L, K], values.as_flattened().as_flattened().as_flattened())
    }
}

/// A vector of the iterator's values.
impl<T: Element> FromIterator<T> for Tensor<T> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::from(values.into_iter().collect::<Vec<T>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_arrays_have_the_shape_they_show() {
        assert_eq!(*Tensor::from([[[1, 2]], [[3, 4]], [[5, 6]]]).shape(), [3, 1, 2]);
        assert_eq!(*Tensor::from([[[[1.0_f32; 5]; 4]; 3]; 2]).shape(), [2, 3, 4, 5]);
        assert_eq!(*Tensor::from([[0.0_f64; 0]; 3]).shape(), [3, 0]);
        assert_eq!(*Tensor::from(true).shape(), []);
        assert_eq!(Tensor::from([[1, 2], [3, 4]]).to_vec(), [1, 2, 3, 4]);
        assert_eq!((0..3_i64).collect::<Tensor<_>>(), Tensor::arange(3));
    }

    #[test]
    fn from_fn_sees_every_index_in_order() {
        let x = Tensor::from_fn([2, 1, 3], |i| (100 * i[0] + 10 * i[1] + i[2]) as u32);
        assert_eq!(x.to_vec(), [0, 1, 2, 100, 101, 102]);
        assert_eq!(Tensor::from_fn((), |i| i.len() as u32).item(), 0);
        assert!(Tensor::<u32>::from_fn([2, 0], |_| panic!("there are no elements")).is_empty());
    }

    #[test]
    fn wrong_numbers_of_values_are_named() {
        let error = Tensor::try_from_vec([2, 3], vec![1.0; 5]).unwrap_err();
        assert_eq!(error.to_string(), "from_vec: shape [2, 3] needs 6 values, 5 given");
        assert!(Tensor::try_from_slice([1 << 40, 1 << 40], &[0_u8; 3]).is_err());
    }

    #[test]
    fn requests_beyond_memory_are_errors() {
        let huge = 1 << 62;
        assert_eq!(
            Tensor::<f64>::try_zeros([huge]).unwrap_err().to_string(),
            "zeros: shape [4611686018427387904] has more elements than memory can address"
        );
        assert_eq!(
            Tensor::<f32>::try_zeros([10_000_000, 1_000_000]).unwrap_err().to_string(),
            "zeros: no memory for 40000000000000 bytes, the size of shape [10000000, 1000000]; use a smaller batch, or free idle buffers with `pool::trim`"
        );
        assert!(Tensor::<f32>::try_ones([1 << 40, 1 << 40]).is_err());
        assert!(Tensor::<f32>::try_full([10_000_000, 1_000_000], 1.0).is_err());
        assert!(Tensor::<f32>::try_from_fn([usize::MAX], |_| 0.0).is_err());
    }

    #[test]
    fn linspace_is_exact_at_both_ends() {
        let x = Tensor::<f32>::linspace(0.1, 0.7, 8).to_vec();
        assert_eq!((x[0], x[7]), (0.1, 0.7));
        assert_eq!(Tensor::linspace(2.0, 5.0, 1).to_vec(), [2.0]);
        assert!(Tensor::linspace(2.0, 5.0, 0).is_empty());
        let third = Tensor::linspace(0.0, 1.0, 4).to_vec();
        assert_eq!(third[1], 1.0 / 3.0);
    }

    #[test]
    fn eye_of_every_size() {
        assert!(Tensor::<f32>::eye(0).is_empty());
        assert_eq!(Tensor::<u8>::eye(3).to_vec(), [1, 0, 0, 0, 1, 0, 0, 0, 1]);
    }
}
