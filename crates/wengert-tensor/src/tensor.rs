//! The tensor itself: a layout over shared storage, and access to its elements.

use crate::buffer::Buffer;
use crate::copy::copy_to_dense;
use crate::element::Element;
use crate::error::{OrPanic, ShapeError};
use crate::layout::{Layout, Strides, View};
use crate::shape::Shape;
use crate::{Axis, iter::Iter};

/// Numbers in a rectangular arrangement of any number of axes; a plain value.
///
/// Cloning shares the storage and costs an atomic increment. A tensor never changes under another's hands: what writes
/// into one ([`make_mut`](Self::make_mut), `+=`, [`add_scaled`](Self::add_scaled)) does so in place when it is the only
/// owner of its storage, and on a copy when it is not.
///
/// A tensor is two words: its storage, which has its shape, and, for one that is not all of its storage in order, what
/// it sees of it, in a small allocation of its own.
///
/// Storage comes from and returns to a pool of idle buffers ([`pool`](crate::pool)).
///
/// # Examples
/// ```
/// # use wengert_tensor::Tensor;
/// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(*x.shape(), [2, 2]);
/// assert_eq!(x.t().to_vec(), [1.0, 3.0, 2.0, 4.0]);
/// assert_eq!((&x * 10.0 + 1.0).at([1, 0]), 31.0);
/// ```
#[derive(Clone)]
pub struct Tensor<T: Element> {
    buffer: Buffer<T>,
    view: Option<Box<View>>,
}

/// The error when `op` gets no memory for `len` elements.
#[cold]
#[inline(never)]
fn refused<T>(op: &'static str, shape: &Shape) -> ShapeError {
    match shape.size().checked_mul(size_of::<T>()) {
        Some(bytes) if bytes <= isize::MAX as usize => ShapeError::Memory { op, shape: shape.clone(), bytes },
        _ => ShapeError::TooLarge { op, shape: shape.clone() },
    }
}

/// Room for `len` numbers beside a result.
pub(crate) fn try_room<T>(op: &'static str, len: usize) -> Result<Vec<T>, ShapeError> {
    let mut room = Vec::new();
    room.try_reserve_exact(len).map_err(|_| refused::<T>(op, &Shape::from(len)))?;
    Ok(room)
}

/// `len` numbers of one `value` beside a result.
#[cfg(feature = "linalg")]
pub(crate) fn try_filled<T: Clone>(op: &'static str, value: T, len: usize) -> Result<Vec<T>, ShapeError> {
    let mut filled = try_room(op, len)?;
    filled.resize(len, value);
    Ok(filled)
}

// What an operation on one element costs is mostly the tensor's own making, so the short functions on the way to a
// result are inlined.
impl<T: Element> Tensor<T> {
    /// A dense tensor with arbitrary values, for `op` to fill.
    #[inline(always)]
    pub(crate) fn try_scratch_for(op: &'static str, shape: Shape) -> Result<Self, ShapeError> {
        match Buffer::scratch(&shape) {
            Some(buffer) => Ok(Tensor { buffer, view: None }),
            None => Err(refused::<T>(op, &shape)),
        }
    }

    /// Refuses elements that there is no memory for, where an operation takes room for so many beside its result.
    pub(crate) fn check_room(op: &'static str, shape: Shape) -> Result<(), ShapeError> {
        // So many there may be memory for: a request is not worth its time.
        const UNDOUBTED: usize = 1 << 30;
        if shape.try_size(op)? > UNDOUBTED {
            Self::try_scratch_for(op, shape)?;
        }
        Ok(())
    }

    /// A dense tensor of zeros.
    #[inline]
    pub(crate) fn try_zeros_for(op: &'static str, shape: Shape) -> Result<Self, ShapeError> {
        match Buffer::zeros(&shape) {
            Some(buffer) => Ok(Tensor { buffer, view: None }),
            None => Err(refused::<T>(op, &shape)),
        }
    }

    /// A dense tensor of this shape whose elements `fill` writes.
    #[inline(always)]
    pub(crate) fn try_build(op: &'static str, shape: &Shape, fill: impl FnOnce(&mut [T])) -> Result<Self, ShapeError> {
        match Buffer::scratch(shape) {
            Some(mut buffer) => {
                fill(buffer.unique_mut().unwrap_or_default());
                Ok(Tensor { buffer, view: None })
            }
            None => Err(refused::<T>(op, shape)),
        }
    }

    /// The elements of a tensor just made: dense, from the buffer's start, without another owner.
    #[inline(always)]
    pub(crate) fn fresh_mut(&mut self) -> &mut [T] {
        debug_assert!(self.view.is_none() && self.buffer.is_unique());
        self.buffer.unique_mut().unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn layout(&self) -> Layout<'_> {
        match &self.view {
            None => Layout::dense(self.buffer.shape()),
            Some(view) => view.layout(),
        }
    }

    /// The whole buffer, which the layout's offset and strides refer to.
    #[inline(always)]
    pub(crate) fn storage(&self) -> &[T] {
        &self.buffer
    }

    /// The same storage seen in another way.
    pub(crate) fn with_view(&self, view: View) -> Self {
        let whole = view.is_whole(self.buffer.shape());
        Tensor { buffer: self.buffer.clone(), view: (!whole).then(|| Box::new(view)) }
    }

    /// The number of entries along each axis.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(*x.shape(), [2, 3]);
    /// assert_eq!(*x.t().shape(), [3, 2]);
    /// ```
    #[inline(always)]
    pub fn shape(&self) -> &Shape {
        self.layout().shape()
    }

    /// The number of axes: 0 for a single number, 1 for a vector, 2 for a matrix.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::scalar(5.0).rank(), 0);
    /// assert_eq!(Tensor::from([[5.0]]).rank(), 2);
    /// ```
    #[inline]
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of entries along `axis`.
    ///
    /// # Panics
    /// When there is no such axis.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!((x.dim(0), x.dim(-1)), (2, 3)); // from the end if negative
    /// ```
    #[inline]
    #[track_caller]
    pub fn dim(&self, axis: impl Into<Axis>) -> usize {
        self.shape()[axis.into().resolve("dim", self.shape()).or_panic()]
    }

    /// The number of elements: the product of the shape.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2, 3], [4, 5, 6]]).len(), 6);
    /// assert_eq!(Tensor::scalar(1.0).len(), 1);
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        match &self.view {
            None => self.buffer.len(),
            Some(view) => view.layout().len(),
        }
    }

    /// Whether there are no elements: some axis has no entries.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert!(Tensor::<f32>::zeros([3, 0]).is_empty());
    /// assert!(!Tensor::<f32>::zeros([]).is_empty()); // a number
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How far apart, in elements, neighbours along each axis lie in the storage; negative for an axis read backwards,
    /// 0 for one that repeats.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.strides()[..], [3, 1]);
    /// assert_eq!(x.t().strides()[..], [1, 3]);
    /// assert_eq!(Tensor::scalar(7).broadcast_to([2, 2]).strides()[..], [0, 0]);
    /// ```
    pub fn strides(&self) -> Strides {
        self.layout().strides()
    }

    /// Whether the elements lie in row-major order without gaps, so that [`as_slice`](Self::as_slice) has them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert!(x.is_dense() && !x.t().is_dense());
    /// assert!(x.slice(0, 1..).is_dense() && !x.slice(1, 1..).is_dense()); // a row; a column
    /// ```
    #[inline(always)]
    pub fn is_dense(&self) -> bool {
        self.layout().is_dense()
    }

    /// Whether two tensors share their storage, as a view does with what it is a view of, and a clone until one of the
    /// two is written to.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// let mut y = x.clone();
    /// assert!(y.shares_storage(&x) && x.t().shares_storage(&x));
    /// y.set([0, 0], 9);
    /// assert!(!y.shares_storage(&x));
    /// ```
    pub fn shares_storage(&self, other: &Tensor<T>) -> bool {
        self.buffer.same(&other.buffer)
    }

    /// The elements in row-major order, if they lie like that in the storage.
    ///
    /// `None` for views that skip, repeat, flip or permute; [`to_contiguous`](Self::to_contiguous) always has a slice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.as_slice(), Some(&[1, 2, 3, 4][..]));
    /// assert_eq!(x.t().as_slice(), None);
    /// ```
    #[inline(always)]
    pub fn as_slice(&self) -> Option<&[T]> {
        match &self.view {
            None => Some(&self.buffer),
            Some(view) => self.buffer.get(view.range()?),
        }
    }

    /// A tensor with the same elements that is dense: itself, sharing storage, or a copy.
    ///
    /// # Panics
    /// When there is no memory for the copy.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.t().to_contiguous().as_slice(), Some(&[1, 3, 2, 4][..]));
    /// assert!(x.to_contiguous().shares_storage(&x));
    /// ```
    #[inline]
    #[track_caller]
    pub fn to_contiguous(&self) -> Tensor<T> {
        self.try_to_contiguous("to_contiguous").or_panic()
    }

    #[inline]
    pub(crate) fn try_to_contiguous(&self, op: &'static str) -> Result<Tensor<T>, ShapeError> {
        if self.is_dense() { Ok(self.clone()) } else { self.try_copy(op) }
    }

    /// The elements in row-major order; `copy` holds them if they have to be brought into that order first.
    #[inline(always)]
    pub(crate) fn try_dense<'a>(&'a self, op: &'static str, copy: &'a mut Option<Self>) -> Result<&'a [T], ShapeError> {
        match self.as_slice() {
            Some(x) => Ok(x),
            None => Ok(copy.insert(self.try_copy(op)?).as_slice().unwrap_or_default()),
        }
    }

    /// A dense copy in storage of its own.
    #[cold]
    #[inline(never)]
    pub(crate) fn try_copy(&self, op: &'static str) -> Result<Tensor<T>, ShapeError> {
        Tensor::try_build(op, self.shape(), |y| copy_to_dense(&self.buffer, self.layout(), y))
    }

    /// The elements in row-major order, copied.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.to_vec(), [1, 2, 3, 4]);
    /// assert_eq!(x.t().to_vec(), [1, 3, 2, 4]);
    /// ```
    pub fn to_vec(&self) -> Vec<T> {
        match self.as_slice() {
            Some(slice) => slice.to_vec(),
            None => self.iter().collect(),
        }
    }

    /// The elements in row-major order.
    ///
    /// They are copied: a `Vec` cannot take over aligned, shared memory.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).into_vec(), vec![1, 2, 3, 4]);
    /// ```
    pub fn into_vec(self) -> Vec<T> {
        self.to_vec()
    }

    /// Goes over the elements in row-major order.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert!(x.t().iter().eq([1, 3, 2, 4]));
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(&self.buffer, self.layout())
    }

    /// The elements for writing, if that can be done in place: they are dense and no other tensor shares them.
    ///
    /// [`make_mut`](Self::make_mut) copies them where it cannot.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mut x = Tensor::from([1.0, 2.0]);
    /// x.unique_mut().unwrap()[0] = 7.0;
    /// let shared = x.clone();
    /// assert!(x.unique_mut().is_none());
    /// assert_eq!(shared.to_vec(), [7.0, 2.0]);
    /// ```
    #[inline]
    pub fn unique_mut(&mut self) -> Option<&mut [T]> {
        match &self.view {
            None => self.buffer.unique_mut(),
            Some(view) => self.buffer.unique_mut()?.get_mut(view.range()?),
        }
    }

    /// The elements for writing, in row-major order; copies them first if they are shared or not dense.
    ///
    /// # Panics
    /// When there is no memory for the copy.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mut x = Tensor::from([1.0, 2.0]);
    /// let before = x.clone();
    /// x.make_mut()[0] = 7.0;
    /// assert_eq!((x.to_vec(), before.to_vec()), (vec![7.0, 2.0], vec![1.0, 2.0]));
    /// ```
    #[inline]
    #[track_caller]
    pub fn make_mut(&mut self) -> &mut [T] {
        self.try_make_mut().or_panic()
    }

    /// As [`make_mut`](Self::make_mut), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Memory`].
    #[inline]
    pub fn try_make_mut(&mut self) -> Result<&mut [T], ShapeError> {
        self.try_make_mut_for("make_mut")
    }

    #[inline(always)]
    pub(crate) fn try_make_mut_for(&mut self, op: &'static str) -> Result<&mut [T], ShapeError> {
        if !(self.is_dense() && self.buffer.is_unique()) {
            *self = self.try_copy(op)?;
        }
        Ok(self.unique_mut().unwrap_or_default())
    }

    /// The element at an index, one number per axis, counted from 0.
    ///
    /// # Panics
    /// When there are not as many indices as axes or one is out of range.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.at([1, 0]), 3.0);
    /// assert_eq!(x.get([2, 0]), None);
    /// ```
    #[inline]
    #[track_caller]
    pub fn at(&self, index: impl AsRef<[usize]>) -> T {
        self.try_at(index).or_panic()
    }

    /// The element at an index, if there is one.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.get([1, 0]), Some(3));
    /// assert_eq!((x.get([2, 0]), x.get([0])), (None, None)); // no such row; an index too few
    /// ```
    #[inline]
    pub fn get(&self, index: impl AsRef<[usize]>) -> Option<T> {
        self.try_at(index).ok()
    }

    /// As [`at`](Self::at), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Indices`] or [`ShapeError::Index`].
    #[inline]
    pub fn try_at(&self, index: impl AsRef<[usize]>) -> Result<T, ShapeError> {
        Ok(self.buffer[self.position("at", index.as_ref())?])
    }

    /// Writes one element, copying the storage first if it is shared.
    ///
    /// # Panics
    /// As [`at`](Self::at), and when there is no memory for the copy.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mut x = Tensor::<f32>::zeros([2, 2]);
    /// x.set([1, 0], 5.0);
    /// assert_eq!(x.to_vec(), [0.0, 0.0, 5.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn set(&mut self, index: impl AsRef<[usize]>, value: T) {
        let index = index.as_ref();
        // Checked before the copy, and again after it, when strides may have changed.
        self.position("set", index).or_panic();
        self.try_make_mut_for("set").or_panic();
        let position = self.position("set", index).or_panic();
        if let Some(all) = self.buffer.unique_mut() {
            all[position] = value;
        }
    }

    /// Where in the storage the element with this index lies.
    fn position(&self, op: &'static str, index: &[usize]) -> Result<usize, ShapeError> {
        let shape = self.shape();
        if index.len() != shape.rank() {
            return Err(ShapeError::Indices { op, given: index.len(), shape: shape.clone() });
        }
        if let Some(axis) = index.iter().zip(shape.iter()).position(|(i, dim)| i >= dim) {
            let index = isize::try_from(index[axis]).unwrap_or(isize::MAX);
            return Err(ShapeError::Index { op, index, axis, shape: shape.clone() });
        }
        let strides = self.layout().strides();
        let steps = index.iter().zip(strides.iter()).map(|(&i, &stride)| i as isize * stride);
        Ok(self.layout().offset().wrapping_add_signed(steps.sum()))
    }

    /// The only element of a tensor of one element, whatever its rank.
    ///
    /// # Panics
    /// When there are more elements, or none.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::scalar(3).item(), 3);
    /// assert_eq!(Tensor::from([[7.0]]).item(), 7.0);
    /// ```
    #[inline]
    #[track_caller]
    pub fn item(&self) -> T {
        self.try_item().or_panic()
    }

    /// As [`item`](Self::item), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::NotOne`].
    #[inline]
    pub fn try_item(&self) -> Result<T, ShapeError> {
        if self.len() == 1 {
            Ok(self.buffer[self.layout().offset()])
        } else {
            Err(ShapeError::NotOne { op: "item", shape: self.shape().clone() })
        }
    }
}

/// Equal shapes and equal elements. A NaN equals nothing, so a tensor with one does not equal itself.
impl<T: Element> PartialEq for Tensor<T> {
    fn eq(&self, other: &Self) -> bool {
        if self.shape() != other.shape() {
            return false;
        }
        match (self.as_slice(), other.as_slice()) {
            (Some(a), Some(b)) => a == b,
            _ => self.iter().eq(other.iter()),
        }
    }
}

impl<'a, T: Element> IntoIterator for &'a Tensor<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_two_words_and_moves_between_threads() {
        fn moves<T: Send + Sync>() {}
        moves::<Tensor<f32>>();
        assert_eq!(size_of::<Option<Tensor<f32>>>(), 2 * size_of::<usize>());
    }

    #[test]
    fn writing_is_in_place_for_the_only_owner() {
        let mut x = Tensor::from([1.0, 2.0, 3.0]);
        let address = x.storage().as_ptr();
        x.make_mut()[0] = 9.0;
        x.set([2], 8.0);
        assert_eq!(x.storage().as_ptr(), address);
        let shared = x.clone();
        assert!(x.unique_mut().is_none());
        x.set([1], 7.0);
        assert_eq!((x.to_vec(), shared.to_vec()), (vec![9.0, 7.0, 8.0], vec![9.0, 2.0, 8.0]));
    }

    #[test]
    fn writing_through_a_view_changes_the_view_only() {
        let x = Tensor::from([[1, 2], [3, 4]]);
        let mut t = x.t();
        t.set([0, 1], 30);
        assert_eq!((t.to_vec(), x.to_vec()), (vec![1, 30, 2, 4], vec![1, 2, 3, 4]));
    }

    #[test]
    fn a_row_of_an_otherwise_dropped_matrix_is_written_in_place() {
        let x = Tensor::from([[1, 2], [3, 4]]);
        let mut row = x.index_axis(0, 1);
        drop(x);
        row.unique_mut().unwrap()[0] = 5;
        assert_eq!(row.to_vec(), [5, 4]);
    }

    #[test]
    fn bad_indices_are_named() {
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let text = |index: &[usize]| x.try_at(index).unwrap_err().to_string();
        assert_eq!(text(&[0, 3]), "at: index 3 is out of range for axis 1 of shape [2, 3]; its entries are 0 to 2");
        assert_eq!(
            text(&[usize::MAX, 0]),
            format!("at: index {} is out of range for axis 0 of shape [2, 3]; its entries are 0 to 1", isize::MAX)
        );
        assert_eq!(text(&[1]), "at: 1 indices given for shape [2, 3]; give one for each of its 2 axes");
        assert_eq!(
            x.try_item().unwrap_err().to_string(),
            "item: shape [2, 3] has 6 elements, expected one; pick one with `at` or reduce first"
        );
    }

    #[test]
    fn equality_is_of_shapes_and_elements_not_of_storage() {
        let x = Tensor::from([[1.0, 2.0], [2.0, 1.0]]);
        assert_eq!(x.t(), x);
        assert_ne!(x.reshape(4), x);
        let nan = Tensor::from([f32::NAN]);
        assert_ne!(nan, nan.clone());
        assert_eq!(Tensor::<f32>::zeros([0, 2]), Tensor::zeros([0, 2]));
    }
}
