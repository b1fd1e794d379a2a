//! Views: the same storage under another layout. No element is copied, except where a reshape has to.

use smallvec::SmallVec;

use crate::axis::Axis;
use crate::element::Element;
use crate::error::{OrPanic, ShapeError};
use crate::layout::View;
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The transpose of a matrix: `[m, n] -> [n, m]`. No copy.
    ///
    /// # Panics
    /// When this is not a matrix; [`transpose`](Self::transpose) exchanges two axes of any tensor.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.t().to_vec(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn t(&self) -> Self {
        self.try_t().or_panic()
    }

    /// As [`t`](Self::t), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`].
    pub fn try_t(&self) -> Result<Self, ShapeError> {
        if self.rank() != 2 {
            return Err(ShapeError::Rank {
                op: "t",
                shape: self.shape().clone(),
                expected: "a matrix; use `transpose` to say which axes change places",
            });
        }
        Ok(self.exchanged(0, 1))
    }

    /// Exchanges two axes. No copy.
    ///
    /// # Panics
    /// When an axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f32>::zeros([2, 3, 4]);
    /// assert_eq!(*x.transpose(1, -1).shape(), [2, 4, 3]);
    /// ```
    #[doc(alias = "swap_axes")]
    #[must_use]
    #[track_caller]
    pub fn transpose(&self, a: impl Into<Axis>, b: impl Into<Axis>) -> Self {
        self.try_transpose(a, b).or_panic()
    }

    /// As [`transpose`](Self::transpose), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_transpose(&self, a: impl Into<Axis>, b: impl Into<Axis>) -> Result<Self, ShapeError> {
        let a = a.into().resolve("transpose", self.shape())?;
        let b = b.into().resolve("transpose", self.shape())?;
        Ok(self.exchanged(a, b))
    }

    fn exchanged(&self, a: usize, b: usize) -> Self {
        let (mut shape, mut strides) = (self.shape().clone(), self.strides());
        shape.as_mut().swap(a, b);
        strides.as_mut().swap(a, b);
        self.with_view(View::new(shape, strides, self.layout().offset()))
    }

    /// Puts the axes in another order: axis `k` of the result is axis `axes[k]` of this tensor. No copy.
    ///
    /// # Panics
    /// When `axes` does not name every axis once.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let images = Tensor::<f32>::zeros([8, 3, 28, 30]); // [n, c, h, w]
    /// assert_eq!(*images.permute([0, 2, 3, 1]).shape(), [8, 28, 30, 3]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn permute<A: Into<Axis>>(&self, axes: impl IntoIterator<Item = A>) -> Self {
        self.try_permute(axes).or_panic()
    }

    /// As [`permute`](Self::permute), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Permutation`].
    pub fn try_permute<A: Into<Axis>>(&self, axes: impl IntoIterator<Item = A>) -> Result<Self, ShapeError> {
        let op = "permute";
        let axes: SmallVec<[Axis; 8]> = axes.into_iter().map(Into::into).collect();
        let own = self.strides();
        let mut named: SmallVec<[bool; 8]> = SmallVec::from_elem(false, self.rank());
        let mut order: SmallVec<[usize; 8]> = SmallVec::new();
        for axis in &axes {
            let axis = axis.resolve(op, self.shape())?;
            if named[axis] {
                return Err(ShapeError::RepeatedAxis { op, axis, shape: self.shape().clone() });
            }
            named[axis] = true;
            order.push(axis);
        }
        if order.len() != self.rank() {
            return Err(ShapeError::Permutation { op, given: order.len(), shape: self.shape().clone() });
        }
        let shape = order.iter().map(|&axis| self.shape()[axis]).collect();
        let strides = order.iter().map(|&axis| own[axis]).collect();
        Ok(self.with_view(View::new(shape, strides, self.layout().offset())))
    }

    /// Repeats the elements along axes of one entry, and along new leading axes, to shape `to`. No copy: repeated
    /// elements are one element.
    ///
    /// # Panics
    /// When a dimension is neither 1 nor that of `to`, aligned at the last axis.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let row = Tensor::from([1, 2, 3]);
    /// assert_eq!(row.broadcast_to([2, 3]).to_vec(), [1, 2, 3, 1, 2, 3]);
    /// ```
    #[doc(alias = "expand")]
    #[must_use]
    #[track_caller]
    pub fn broadcast_to(&self, to: impl Into<Shape>) -> Self {
        self.try_broadcast_to(to).or_panic()
    }

    /// As [`broadcast_to`](Self::broadcast_to), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::BroadcastTo`], or [`ShapeError::TooLarge`] when the repeated elements could not be counted.
    pub fn try_broadcast_to(&self, to: impl Into<Shape>) -> Result<Self, ShapeError> {
        let (op, to) = ("broadcast_to", to.into());
        if to == *self.shape() {
            return Ok(self.clone());
        }
        let strides = self.layout().strides_over(op, &to)?;
        to.try_size(op)?;
        Ok(self.with_view(View::new(to, strides, self.layout().offset())))
    }

    /// Removes an axis of one entry. No copy.
    ///
    /// # Panics
    /// When the axis does not exist or has another number of entries.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(*Tensor::<f32>::zeros([2, 1, 3]).squeeze(1).shape(), [2, 3]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn squeeze(&self, axis: impl Into<Axis>) -> Self {
        self.try_squeeze(axis).or_panic()
    }

    /// As [`squeeze`](Self::squeeze), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Squeeze`].
    pub fn try_squeeze(&self, axis: impl Into<Axis>) -> Result<Self, ShapeError> {
        let op = "squeeze";
        let axis = axis.into().resolve(op, self.shape())?;
        if self.shape()[axis] != 1 {
            return Err(ShapeError::Squeeze { op, axis, shape: self.shape().clone() });
        }
        Ok(self.without(axis, 0))
    }

    /// This tensor at one index of `axis`, without the axis.
    pub(crate) fn without(&self, axis: usize, index: usize) -> Self {
        let (mut shape, mut strides) = (self.shape().clone(), self.strides());
        shape.remove(axis);
        let skip = strides.remove(axis) * index as isize;
        self.with_view(View::new(shape, strides, self.layout().offset().wrapping_add_signed(skip)))
    }

    /// Inserts an axis of one entry, so that it becomes axis `axis` of the result. No copy.
    ///
    /// # Panics
    /// When `axis` is out of range for the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f32>::zeros([2, 3]);
    /// assert_eq!(*x.unsqueeze(0).shape(), [1, 2, 3]);
    /// assert_eq!(*x.unsqueeze(-1).shape(), [2, 3, 1]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn unsqueeze(&self, axis: impl Into<Axis>) -> Self {
        self.try_unsqueeze(axis).or_panic()
    }

    /// As [`unsqueeze`](Self::unsqueeze), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_unsqueeze(&self, axis: impl Into<Axis>) -> Result<Self, ShapeError> {
        let axis = axis.into().resolve_within("unsqueeze", self.shape(), self.rank() + 1)?;
        let (mut shape, mut strides) = (self.shape().clone(), self.strides());
        shape.insert(axis, 1);
        strides.insert(axis, 0);
        Ok(self.with_view(View::new(shape, strides, self.layout().offset())))
    }

    /// The same elements in row-major order under another shape of as many elements. Copies only when the strides of
    /// this tensor leave no other way.
    ///
    /// # Panics
    /// When the number of elements differs.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::arange(6).reshape([2, 3]);
    /// assert_eq!(x, Tensor::from([[0, 1, 2], [3, 4, 5]]));
    /// assert_eq!(x.t().reshape([2, 3]), Tensor::from([[0, 3, 1], [4, 2, 5]])); // copies
    /// ```
    #[must_use]
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Self {
        self.try_reshape(shape).or_panic()
    }

    /// As [`reshape`](Self::reshape), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Reshape`], or [`ShapeError::Memory`] for the copy.
    pub fn try_reshape(&self, shape: impl Into<Shape>) -> Result<Self, ShapeError> {
        let (op, to) = ("reshape", shape.into());
        if to.size() != self.len() {
            return Err(ShapeError::Reshape { op, from: self.shape().clone(), to });
        }
        match self.layout().reshaped(&to) {
            Some(view) => Ok(self.with_view(view)),
            None => self.try_copy(op)?.try_reshape(to),
        }
    }

    /// As [`reshape`](Self::reshape), with one dimension left open (`None`), which the number of elements determines.
    ///
    /// # Panics
    /// When the dimension cannot be inferred: more than one is open, the others do not divide the number of elements,
    /// or there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let batch = Tensor::<f32>::zeros([8, 3, 28, 28]);
    /// assert_eq!(*batch.reshape_infer([Some(8), None]).shape(), [8, 2352]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn reshape_infer(&self, dims: impl AsRef<[Option<usize>]>) -> Self {
        self.try_reshape_infer(dims).or_panic()
    }

    /// As [`reshape_infer`](Self::reshape_infer), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Infer`], and what [`try_reshape`](Self::try_reshape) returns.
    pub fn try_reshape_infer(&self, dims: impl AsRef<[Option<usize>]>) -> Result<Self, ShapeError> {
        let dims = dims.as_ref();
        let unknown = dims.iter().filter(|dim| dim.is_none()).count();
        let known: Shape = dims.iter().flatten().copied().collect();
        let infer = || ShapeError::Infer { op: "reshape", from: self.shape().clone(), known: known.size(), unknown };
        let open = match unknown {
            0 => 0,
            1 if known.size() > 0 && !self.is_empty() && self.len().is_multiple_of(known.size()) => {
                self.len() / known.size()
            }
            _ => return Err(infer()),
        };
        self.try_reshape(dims.iter().map(|dim| dim.unwrap_or(open)).collect::<Shape>())
    }

    /// All elements along one axis, in row-major order.
    ///
    /// Shapes: `[..] -> [n]`.
    ///
    /// # Panics
    /// When a copy is needed and there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(*x.flatten().shape(), [4]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn flatten(&self) -> Self {
        self.reshape(self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slice::Slice;

    fn matrix() -> Tensor<i64> {
        Tensor::from([[0, 1, 2], [3, 4, 5]])
    }

    #[test]
    fn views_share_storage() {
        let x = matrix();
        for view in [
            x.t(),
            x.permute([1, 0]),
            x.unsqueeze(1),
            x.reshape([3, 2]),
            x.broadcast_to([4, 2, 3]),
            x.slice(1, ..2),
            x.flip(0),
            x.index_axis(0, 1),
            x.t().reshape([3, 1, 2]),
        ] {
            assert!(view.shares_storage(&x), "{}", view.shape());
        }
        assert!(!x.t().flatten().shares_storage(&x));
    }

    #[test]
    fn views_of_views_compose() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]);
        let y = x.permute([2, 0, 1]).flip(0).slice(2, 1..).index_axis(1, 1).t();
        // y[a, b] = x[1, 1 + a, 3 - b]
        let expected = Tensor::from_fn([2, 4], |i| (12 + 4 * (1 + i[0]) + 3 - i[1]) as i64);
        assert_eq!(y, expected);
        assert_eq!(y.slice(1, Slice::from(..).step(-2)).to_vec(), [16, 18, 20, 22]);
    }

    #[test]
    fn transposing_twice_gives_a_dense_tensor_back() {
        assert!(matrix().t().t().is_dense());
        assert!(Tensor::<f32>::zeros([1, 5]).t().is_dense(), "a row and a column are the same memory");
    }

    #[test]
    fn sizes_zero_and_one_are_ordinary() {
        let empty = Tensor::<f32>::zeros([0, 3]);
        assert_eq!(*empty.t().shape(), [3, 0]);
        assert_eq!(*empty.reshape([3, 0, 7]).shape(), [3, 0, 7]);
        assert_eq!(*empty.broadcast_to([2, 0, 3]).shape(), [2, 0, 3]);
        let one = Tensor::scalar(5);
        assert_eq!(one.broadcast_to([2, 2]).to_vec(), [5; 4]);
        assert_eq!(*one.reshape([1, 1]).squeeze(0).squeeze(0).shape(), []);
        assert!(one.broadcast_to([0]).is_empty());
    }

    #[test]
    fn no_elements_are_none_however_large_the_other_axes() {
        const MANY: usize = 1 << 40;
        for shape in [[MANY, MANY, 0], [0, MANY, MANY], [MANY, 0, MANY]] {
            let x = Tensor::<f32>::zeros(shape);
            for view in [x.clone(), x.transpose(0, 2), x.flip(1), x.unsqueeze(0), x.slice(2, ..0), &x + &x.flip(0)] {
                assert_eq!((view.len(), view.iter().count(), view.to_contiguous().to_vec().len()), (0, 0, 0));
                assert_eq!(*view.reshape([0]).reshape(shape).shape(), shape);
            }
        }
    }

    #[test]
    fn broadcasts_too_large_to_count_are_refused() {
        let error = Tensor::scalar(1.0).try_broadcast_to([1 << 40, 1 << 40]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "broadcast_to: shape [1099511627776, 1099511627776] has more elements than memory can address"
        );
        // Countable, and never stored.
        assert_eq!(Tensor::scalar(1.0).broadcast_to([1 << 40]).len(), 1 << 40);
    }

    #[test]
    fn mistakes_are_named() {
        let x = matrix();
        let text = |result: Result<Tensor<i64>, ShapeError>| result.unwrap_err().to_string();
        assert_eq!(
            text(x.unsqueeze(0).try_t()),
            "t: operand of shape [1, 2, 3] has 3 axes; expected a matrix; use `transpose` to say which axes change places"
        );
        assert_eq!(text(x.try_permute([0])), "permute: 1 axes given for shape [2, 3]; name each of its 2 axes once");
        assert_eq!(text(x.try_permute([0, -2])), "permute: axis 0 of shape [2, 3] is named twice; name each axis once");
        assert_eq!(
            text(x.try_squeeze(0)),
            "squeeze: axis 0 of shape [2, 3] has 2 entries; only an axis of one entry can be removed"
        );
        assert_eq!(
            text(x.try_reshape([4, 2])),
            "reshape: shape [2, 3] has 6 elements, shape [4, 2] has 8; they must be equal"
        );
        assert_eq!(
            text(x.try_reshape([usize::MAX, 2])),
            format!(
                "reshape: shape [2, 3] has 6 elements, shape [{}, 2] has {}; they must be equal",
                usize::MAX,
                usize::MAX
            )
        );
        assert_eq!(
            text(x.try_broadcast_to([3, 2])),
            "broadcast_to: shape [2, 3] does not broadcast to [3, 2]; aligned at the last axis, every dimension must be equal to the target's or 1"
        );
        assert_eq!(
            text(x.try_broadcast_to([3])),
            "broadcast_to: shape [2, 3] does not broadcast to [3]; aligned at the last axis, every dimension must be equal to the target's or 1"
        );
        assert_eq!(
            text(x.try_unsqueeze(3)),
            "unsqueeze: axis 3 is out of range for shape [2, 3]; use 0 to 2, or -3 to -1 from the end"
        );
        assert_eq!(
            text(x.try_reshape_infer([None, Some(4)])),
            "reshape: shape [2, 3] leaves no size for the open dimension: 6 elements are not a multiple of 4"
        );
        assert_eq!(
            text(x.try_reshape_infer([None, None])),
            "reshape: shape [2, 3] leaves no size for the open dimension: 2 are open, and one can be inferred"
        );
        assert_eq!(
            text(Tensor::zeros([0, 2]).try_reshape_infer([None, Some(0)])),
            "reshape: shape [0, 2] leaves no size for the open dimension: without elements every size would do, so give it"
        );
    }
}
