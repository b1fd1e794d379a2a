//! Conversions from and to [`ndarray`](https://docs.rs/ndarray) arrays of any rank. They copy: its arrays own a `Vec`,
//! which is neither aligned nor shared.

use ndarray::{ArrayBase, ArrayD, ArrayView, Data, Dimension, IxDyn};

use crate::element::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The elements of an array or a view in its logical order, copied.
///
/// # Examples
/// ```
/// # use wengert_tensor::Tensor;
/// let array = ndarray::array![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!(Tensor::from(&array.t()), Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
/// ```
impl<T: Element, S: Data<Elem = T>, D: Dimension> From<&ArrayBase<S, D>> for Tensor<T> {
    fn from(array: &ArrayBase<S, D>) -> Self {
        let shape = Shape::from(array.shape());
        match array.as_slice() {
            Some(values) => Tensor::from_slice(shape, values),
            None => Tensor::from_vec(shape, array.iter().copied().collect()),
        }
    }
}

/// The elements of an array, copied.
impl<T: Element, D: Dimension> From<ndarray::Array<T, D>> for Tensor<T> {
    fn from(array: ndarray::Array<T, D>) -> Self {
        Tensor::from(&array)
    }
}

/// The elements of a tensor, copied.
///
/// # Examples
/// ```
/// # use wengert_tensor::Tensor;
/// let array = ndarray::ArrayD::from(&Tensor::from([[1, 2], [3, 4]]));
/// assert_eq!(array[[1, 0]], 3);
/// ```
impl<T: Element> From<&Tensor<T>> for ArrayD<T> {
    fn from(tensor: &Tensor<T>) -> Self {
        match tensor.as_ndarray() {
            Some(view) => view.to_owned(),
            None => ArrayD::from(&tensor.to_contiguous()),
        }
    }
}

impl<T: Element> Tensor<T> {
    /// The elements as a view of `ndarray`, without a copy, if they are in row-major order
    /// (see [`to_contiguous`](Self::to_contiguous)).
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.as_ndarray().unwrap().sum(), 10.0);
    /// assert!(x.t().as_ndarray().is_none());
    /// ```
    #[must_use]
    pub fn as_ndarray(&self) -> Option<ArrayView<'_, T, IxDyn>> {
        ArrayView::from_shape(IxDyn(self.shape()), self.as_slice()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_keeps_shape_and_order() {
        for shape in [&[][..], &[3], &[2, 0, 3], &[2, 3, 4]] {
            let count: usize = shape.iter().product();
            let x = Tensor::<i64>::arange(count).reshape(shape);
            let array = ArrayD::from(&x);
            assert_eq!(array.shape(), shape);
            assert_eq!(Tensor::from(array), x);
        }
        let x = Tensor::<i64>::arange(6).reshape([2, 3]);
        assert_eq!(ArrayD::from(&x.t()), ndarray::arr2(&[[0, 3], [1, 4], [2, 5]]).into_dyn());
        assert_eq!(Tensor::from(&ArrayD::from(&x).reversed_axes()), x.t());
        assert_eq!(Tensor::from(&ArrayD::from(&x).slice(ndarray::s![.., ..;-1])), x.flip(1));
    }
}
