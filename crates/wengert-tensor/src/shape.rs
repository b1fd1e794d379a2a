//! Shapes: how many entries a tensor has along each axis.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use smallvec::SmallVec;

use crate::error::ShapeError;

/// The number of entries along each axis, outermost first.
///
/// A `Shape` reads as a slice of `usize`. The empty shape `[]` is that of a single number. Up to four axes are stored
/// inline, so that the shapes of everyday tensors never touch the heap.
///
/// # Examples
/// ```
/// # use wengert_tensor::Shape;
/// let shape = Shape::from([2, 3, 4]);
/// assert_eq!(shape.rank(), 3);
/// assert_eq!(shape[1], 3);
/// assert_eq!(shape.size(), 24);
/// assert_eq!(shape.to_string(), "[2, 3, 4]");
/// ```
#[derive(Eq, Default)]
pub struct Shape(SmallVec<[usize; INLINE]>);

/// Axes stored without an allocation: a batch of images has four.
pub(crate) const INLINE: usize = 4;

impl Shape {
    /// The shape of a single number, `[]`.
    pub const SCALAR: Shape = Shape(SmallVec::new_const());

    /// The number of axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Shape};
    /// assert_eq!((Shape::from([2, 3]).rank(), Shape::SCALAR.rank()), (2, 0));
    /// ```
    #[inline]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements: the product of the dimensions, 1 for the shape `[]`.
    ///
    /// Saturates at `usize::MAX`; [`try_size`](Self::try_size) reports an overflow instead. The shape of a tensor that
    /// exists never overflows.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Shape};
    /// assert_eq!([Shape::from([2, 3]).size(), Shape::SCALAR.size(), Shape::from([5, 0]).size()], [6, 1, 0]);
    /// ```
    #[inline]
    pub fn size(&self) -> usize {
        self.checked_size().unwrap_or(usize::MAX)
    }

    /// The number of elements, or an error that names the operation `op` when no address space could hold them.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] when the product of the dimensions exceeds `isize::MAX`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Shape;
    /// assert_eq!(Shape::from([0, 1 << 40, 1 << 40]).try_size("zeros"), Ok(0));
    /// assert!(Shape::from([1 << 40, 1 << 40]).try_size("zeros").is_err());
    /// ```
    #[inline]
    pub fn try_size(&self, op: &'static str) -> Result<usize, ShapeError> {
        match self.checked_size() {
            Some(size) if size <= isize::MAX as usize => Ok(size),
            _ => Err(ShapeError::TooLarge { op, shape: self.clone() }),
        }
    }

    // Written out for the usual ranks: a loop is unrolled for long slices, which costs more than the products.
    #[inline(always)]
    fn checked_size(&self) -> Option<usize> {
        match *self.0 {
            [] => Some(1),
            [a] => Some(a),
            [a, b] => a.checked_mul(b),
            _ => self.checked_size_of_many(),
        }
    }

    // A zero makes the product zero, however large the others are.
    fn checked_size_of_many(&self) -> Option<usize> {
        let product = self.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        product.or(self.contains(&0).then_some(0))
    }

    /// The number of elements of a tensor's own shape, which overflows only where there are none.
    #[inline(always)]
    pub(crate) fn product(&self) -> usize {
        // What wraps is multiplied with a zero, and is zero.
        match *self.0 {
            [] => 1,
            [a] => a,
            [a, b] => a * b,
            [a, b, c] => a.wrapping_mul(b).wrapping_mul(c),
            [a, b, c, d] => a.wrapping_mul(b).wrapping_mul(c).wrapping_mul(d),
            ref more => more.iter().copied().fold(1, usize::wrapping_mul),
        }
    }

    // The library's copy calls memcpy with a variable length. Dimensions that go by registers are written where the
    // copy will stay; out of the branch of their number they would be written elsewhere and moved, for which the
    // processor waits.
    #[inline(always)]
    fn copied(dims: &[usize]) -> Self {
        if dims.len() > INLINE {
            return Shape(SmallVec::from_slice(dims));
        }
        let dim = |axis| if axis < dims.len() { dims[axis] } else { 0 };
        Shape(SmallVec::from_buf_and_len([dim(0), dim(1), dim(2), dim(3)], dims.len()))
    }

    /// Whether it has more axes than are stored inline.
    #[inline(always)]
    pub(crate) fn is_on_heap(&self) -> bool {
        self.0.spilled()
    }

    /// Adds an axis of `dim` entries at the end.
    #[inline]
    pub(crate) fn push(&mut self, dim: usize) {
        self.0.push(dim);
    }

    /// Inserts an axis of `dim` entries before `axis`.
    pub(crate) fn insert(&mut self, axis: usize, dim: usize) {
        self.0.insert(axis, dim);
    }

    /// Removes `axis`.
    pub(crate) fn remove(&mut self, axis: usize) -> usize {
        self.0.remove(axis)
    }

    /// The dimensions, for writing.
    pub(crate) fn as_mut(&mut self) -> &mut [usize] {
        &mut self.0
    }

    /// This shape with `axis` given `dim` entries.
    pub(crate) fn with(mut self, axis: usize, dim: usize) -> Self {
        self.0[axis] = dim;
        self
    }

    /// How often each element of a tensor of this shape follows itself when it is repeated to `shape`, if that is all
    /// there is to say: if its axes, but for ones at either end, are neighbours in `shape`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Shape;
    /// let images = Shape::from([8, 3, 5, 5]);
    /// let repeats = |shape: &[usize]| Shape::from(shape).repeats_in(&images);
    /// assert_eq!((repeats(&[3, 1, 1]), repeats(&[5]), repeats(&[8, 1, 1, 1])), (Some(25), Some(1), Some(75)));
    /// assert_eq!((repeats(&[3, 1, 5]), repeats(&[4, 1, 1])), (None, None));
    /// ```
    pub fn repeats_in(&self, shape: &Shape) -> Option<usize> {
        let ones = self.iter().rev().take_while(|&&dim| dim == 1).count();
        let rest = &self[..self.rank() - ones];
        let rest = &rest[rest.iter().take_while(|&&dim| dim == 1).count()..];
        let (lead, repeated) = shape.split_at(shape.rank().checked_sub(ones)?);
        (self.rank() <= shape.rank() && lead.ends_with(rest)).then(|| repeated.iter().product())
    }

    /// The shape both operands are repeated to by an element-by-element operation.
    ///
    /// Shapes are aligned at the last axis; along each axis the dimensions must be equal or one of them 1, and missing
    /// leading axes count as 1 (NumPy's rule).
    ///
    /// # Errors
    /// [`ShapeError::Broadcast`] names `op`, both shapes and the first axis that does not fit.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Shape;
    /// let (a, b) = (Shape::from([5, 1, 3]), Shape::from([4, 1]));
    /// assert_eq!(Shape::broadcast("add", &a, &b), Ok(Shape::from([5, 4, 3])));
    /// ```
    pub fn broadcast(op: &'static str, lhs: &Shape, rhs: &Shape) -> Result<Shape, ShapeError> {
        let (long, short) = if lhs.rank() >= rhs.rank() { (lhs, rhs) } else { (rhs, lhs) };
        let mut shape = long.clone();
        let lead = long.rank() - short.rank();
        for (axis, &dim) in short.iter().enumerate() {
            let axis = lead + axis;
            match (shape[axis], dim) {
                (a, b) if a == b => {}
                (_, 1) => {}
                (1, b) => shape.0[axis] = b,
                _ => return Err(ShapeError::Broadcast { op, lhs: lhs.clone(), rhs: rhs.clone(), axis }),
            }
        }
        Ok(shape)
    }
}

impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Self {
        Shape::copied(self)
    }
}

impl PartialEq for Shape {
    // A loop: comparing slices calls memcmp, which takes longer than up to four numbers do.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Deref for Shape {
    type Target = [usize];

    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[inline]
    fn from(dims: [usize; N]) -> Self {
        Shape::copied(&dims)
    }
}

impl<const N: usize> From<&[usize; N]> for Shape {
    #[inline]
    fn from(dims: &[usize; N]) -> Self {
        Shape::copied(dims)
    }
}

impl From<&[usize]> for Shape {
    #[inline]
    fn from(dims: &[usize]) -> Self {
        Shape::copied(dims)
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(SmallVec::from_vec(dims))
    }
}

/// One axis: `Tensor::zeros(3)` is a vector of three zeros.
impl From<usize> for Shape {
    #[inline]
    fn from(dim: usize) -> Self {
        Shape(SmallVec::from_buf_and_len([dim, 0, 0, 0], 1))
    }
}

/// No axes: the shape of a single number.
impl From<()> for Shape {
    #[inline]
    fn from((): ()) -> Self {
        Shape::SCALAR
    }
}

impl From<&Shape> for Shape {
    #[inline]
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Self {
        Shape(dims.into_iter().collect())
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_products_and_overflow_is_noticed() {
        assert_eq!(Shape::SCALAR.size(), 1);
        assert_eq!(Shape::from([3, 0, 2]).size(), 0);
        assert_eq!(Shape::from([usize::MAX, 2, 0]).size(), 0);
        assert_eq!(Shape::from([usize::MAX, 2]).size(), usize::MAX);
        assert_eq!(
            Shape::from([1 << 62, 4]).try_size("zeros").unwrap_err().to_string(),
            "zeros: shape [4611686018427387904, 4] has more elements than memory can address"
        );
        assert!(Shape::from([usize::MAX]).try_size("zeros").is_err());
    }

    #[test]
    fn clones_of_every_rank_are_equal() {
        for rank in 0..7 {
            let shape: Shape = (2..2 + rank).collect();
            assert_eq!(shape.clone(), shape);
            assert_eq!(shape.rank(), rank);
        }
    }

    #[test]
    fn broadcasting_follows_numpy() {
        let cases: &[(&[usize], &[usize], &[usize])] = &[
            (&[], &[], &[]),
            (&[3], &[], &[3]),
            (&[3, 1], &[1, 0], &[3, 0]),
            (&[8, 1, 6, 1], &[7, 1, 5], &[8, 7, 6, 5]),
            (&[1], &[0], &[0]),
        ];
        for &(a, b, expected) in cases {
            let (a, b) = (Shape::from(a), Shape::from(b));
            assert_eq!(Shape::broadcast("add", &a, &b).unwrap(), *expected);
            assert_eq!(Shape::broadcast("add", &b, &a).unwrap(), *expected);
        }
    }

    #[test]
    fn shapes_that_do_not_broadcast_are_named() {
        let error = Shape::broadcast("add", &Shape::from([2, 3]), &Shape::from([4])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "add: shapes [2, 3] and [4] do not broadcast: axis 1 has 3 against 4 entries and neither is 1; reshape one side"
        );
        assert!(Shape::broadcast("add", &Shape::from([3]), &Shape::from([0])).is_err());
    }
}
