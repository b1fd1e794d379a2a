//! Parts of a tensor along one axis: ranges with a step, single entries.

use core::ops::{Bound, RangeBounds};

use crate::axis::Axis;
use crate::element::Element;
use crate::error::{OrPanic, ShapeError};
use crate::layout::View;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

/// A range of entries along an axis, and a step.
///
/// Made from any Rust range; negative ends count from the end of the axis, so `-2..` is the last two entries and `..-1`
/// all but the last.
///
/// # Examples
/// ```
/// # use wengert_tensor::{Slice, Tensor};
/// let x = Tensor::<i64>::arange(6); // 0 1 2 3 4 5
/// assert_eq!(x.slice(0, 1..4).to_vec(), [1, 2, 3]);
/// assert_eq!(x.slice(0, -2..).to_vec(), [4, 5]);
/// assert_eq!(x.slice(0, Slice::from(1..).step(2)).to_vec(), [1, 3, 5]);
/// assert_eq!(x.slice(0, Slice::from(..).step(-2)).to_vec(), [5, 3, 1]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    start: Bound<isize>,
    end: Bound<isize>,
    step: isize,
}

impl Slice {
    /// Takes every `step`-th entry of the range. A negative step starts with the range's last entry and runs backwards.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Slice, Tensor};
    /// let x = Tensor::<i64>::arange(6);
    /// assert_eq!(x.slice(0, Slice::from(1..).step(2)).to_vec(), [1, 3, 5]);
    /// assert_eq!(x.slice(0, Slice::from(1..).step(-3)).to_vec(), [5, 2]);
    /// ```
    #[must_use]
    pub fn step(self, step: isize) -> Self {
        Slice { step, ..self }
    }

    /// The range as positions from the front of an axis of `len` entries.
    fn positions(&self, len: usize) -> (isize, isize) {
        let len = len as isize;
        // Wrapping: numbers near the limits of isize are out of range in any case.
        let from_front = |i: isize| if i < 0 { i.wrapping_add(len) } else { i };
        let start = match self.start {
            Bound::Included(i) => from_front(i),
            Bound::Excluded(i) => from_front(i).wrapping_add(1),
            Bound::Unbounded => 0,
        };
        let end = match self.end {
            Bound::Included(i) => from_front(i).wrapping_add(1),
            Bound::Excluded(i) => from_front(i),
            Bound::Unbounded => len,
        };
        (start, end)
    }
}

fn bound<I: Copy + TryInto<isize>>(bound: Bound<&I>) -> Bound<isize> {
    bound.map(|&i| i.try_into().unwrap_or(isize::MAX))
}

fn slice_of<I: Copy + TryInto<isize>>(range: &impl RangeBounds<I>) -> Slice {
    Slice { start: bound(range.start_bound()), end: bound(range.end_bound()), step: 1 }
}

macro_rules! from_ranges {
    ($($int:ident)*) => { $( from_ranges!($int: Range RangeFrom RangeTo RangeInclusive RangeToInclusive); )* };
    ($int:ident: $($range:ident)*) => { $(
        impl From<core::ops::$range<$int>> for Slice {
            #[inline]
            fn from(range: core::ops::$range<$int>) -> Self {
                slice_of::<$int>(&range)
            }
        }
    )* };
}
from_ranges!(i32 isize usize);

impl From<core::ops::RangeFull> for Slice {
    #[inline]
    fn from(_: core::ops::RangeFull) -> Self {
        Slice { start: Bound::Unbounded, end: Bound::Unbounded, step: 1 }
    }
}

impl<T: Element> Tensor<T> {
    /// The entries of a range along `axis`. No copy.
    ///
    /// Unlike NumPy, a range that leaves the axis is a mistake rather than cut short. An empty range inside it is fine.
    ///
    /// Shapes: `[.., n, ..] -> [.., m, ..]` with the `m` entries of the range.
    ///
    /// # Panics
    /// When the axis does not exist, the range leaves it, or the step is 0.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[0, 1, 2], [3, 4, 5]]);
    /// assert_eq!(x.slice(1, 1..), Tensor::from([[1, 2], [4, 5]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn slice(&self, axis: impl Into<Axis>, range: impl Into<Slice>) -> Self {
        self.try_slice(axis, range).or_panic()
    }

    /// As [`slice`](Self::slice), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::Range`] or [`ShapeError::Step`].
    pub fn try_slice(&self, axis: impl Into<Axis>, range: impl Into<Slice>) -> Result<Self, ShapeError> {
        let (op, range) = ("slice", range.into());
        let axis = axis.into().resolve(op, self.shape())?;
        let (start, end) = range.positions(self.shape()[axis]);
        if start < 0 || end < start || end as usize > self.shape()[axis] {
            return Err(ShapeError::Range { op, start, end, axis, shape: self.shape().clone() });
        }
        if range.step == 0 {
            return Err(ShapeError::Step { op });
        }
        let len = ((end - start) as usize).div_ceil(range.step.unsigned_abs());
        let mut strides = self.strides();
        let first = if range.step > 0 || len == 0 { start } else { end - 1 };
        let skip = strides[axis].wrapping_mul(first);
        // A step far beyond the axis leaves one entry, whose stride nobody uses.
        strides.as_mut()[axis] = strides[axis].wrapping_mul(range.step);
        let view =
            View::new(self.shape().clone().with(axis, len), strides, self.layout().offset().wrapping_add_signed(skip));
        Ok(self.with_view(view))
    }

    /// Zeros of `shape` with `part` where `slice(axis, range)` reads: the adjoint of [`slice`](Self::slice).
    ///
    /// # Errors
    /// As [`try_slice`](Self::try_slice); [`ShapeError::Unequal`] when `part` has another shape than the slice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Slice, Tensor};
    /// let part = Tensor::from([1.0, 2.0]);
    /// let y = Tensor::try_embed([5], 0, Slice::from(..4).step(2), &part).unwrap();
    /// assert_eq!(y.to_vec(), [1.0, 0.0, 2.0, 0.0, 0.0]);
    /// ```
    pub fn try_embed(
        shape: impl Into<Shape>,
        axis: impl Into<Axis>,
        range: impl Into<Slice>,
        part: &Tensor<T>,
    ) -> Result<Self, ShapeError> {
        let op = "embed";
        let mut y = Tensor::try_zeros_for(op, shape.into())?;
        let place = y.try_slice(axis, range)?;
        if place.shape() != part.shape() {
            return Err(ShapeError::Unequal { op, lhs: place.shape().clone(), rhs: part.shape().clone() });
        }
        let walk = Walk::new(part.shape(), [&place.strides(), &part.strides()]);
        let offsets = [place.layout().offset(), part.layout().offset()];
        drop(place);
        let (run, steps) = walk.run();
        let (source, target) = (part.storage(), y.fresh_mut());
        walk.for_each_run(offsets, |[mut to, mut from]| {
            if steps == [1, 1] {
                return target[to..to + run].copy_from_slice(&source[from..from + run]);
            }
            for _ in 0..run {
                target[to] = source[from];
                to = to.wrapping_add_signed(steps[0]);
                from = from.wrapping_add_signed(steps[1]);
            }
        });
        Ok(y)
    }

    /// The entries along `axis` in reverse order. No copy.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).flip(0), Tensor::from([[3, 4], [1, 2]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn flip(&self, axis: impl Into<Axis>) -> Self {
        self.try_flip(axis).or_panic()
    }

    /// As [`flip`](Self::flip), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_flip(&self, axis: impl Into<Axis>) -> Result<Self, ShapeError> {
        let axis = axis.into().resolve("flip", self.shape())?;
        self.try_slice(axis, Slice::from(..).step(-1))
    }

    /// One entry of `axis`, which goes away: row 1 of a matrix is `x.index_axis(0, 1)`. No copy. A negative index
    /// counts from the end.
    ///
    /// Shapes: without the axis.
    ///
    /// # Panics
    /// When the axis or the entry does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[0, 1, 2], [3, 4, 5]]);
    /// assert_eq!(x.index_axis(0, 1).to_vec(), [3, 4, 5]);
    /// assert_eq!(x.index_axis(1, -1).to_vec(), [2, 5]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn index_axis(&self, axis: impl Into<Axis>, index: isize) -> Self {
        self.try_index_axis(axis, index).or_panic()
    }

    /// As [`index_axis`](Self::index_axis), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Index`].
    pub fn try_index_axis(&self, axis: impl Into<Axis>, index: isize) -> Result<Self, ShapeError> {
        let op = "index_axis";
        let axis = axis.into().resolve(op, self.shape())?;
        let dim = self.shape()[axis];
        let position = if index < 0 { index.wrapping_add(dim as isize) } else { index };
        match usize::try_from(position) {
            Ok(position) if position < dim => Ok(self.without(axis, position)),
            _ => Err(ShapeError::Index { op, index, axis, shape: self.shape().clone() }),
        }
    }

    /// Cuts `axis` into parts of the given sizes. No copy.
    ///
    /// Shapes: `[.., n, ..]`, results `[.., size, ..]`.
    ///
    /// # Panics
    /// When the axis does not exist or the sizes do not add up to it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let parts = Tensor::arange(5).split(0, &[2, 3]);
    /// assert_eq!(parts, [Tensor::from([0, 1]), Tensor::from([2, 3, 4])]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn split(&self, axis: impl Into<Axis>, sizes: &[usize]) -> Vec<Self> {
        self.try_split(axis, sizes).or_panic()
    }

    /// As [`split`](Self::split), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Parts`].
    pub fn try_split(&self, axis: impl Into<Axis>, sizes: &[usize]) -> Result<Vec<Self>, ShapeError> {
        let op = "split";
        let axis = axis.into().resolve(op, self.shape())?;
        let total = sizes.iter().fold(0usize, |sum, &size| sum.saturating_add(size));
        if total != self.shape()[axis] {
            return Err(ShapeError::Parts { op, total, axis, shape: self.shape().clone() });
        }
        let mut start = 0;
        sizes
            .iter()
            .map(|size| {
                let part = self.try_slice(axis, start..start + size);
                start += size;
                part
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_every_kind_and_type() {
        let x = Tensor::<i64>::arange(6);
        let rows: Vec<(Slice, &[i64])> = vec![
            ((..).into(), &[0, 1, 2, 3, 4, 5]),
            ((2..4_usize).into(), &[2, 3]),
            ((2..=4).into(), &[2, 3, 4]),
            ((..-4).into(), &[0, 1]),
            ((-3..=-2).into(), &[3, 4]),
            ((..=0).into(), &[0]),
            ((3..3).into(), &[]),
            ((6..).into(), &[]),
            (Slice::from(1..5).step(3), &[1, 4]),
            (Slice::from(1..5).step(-1), &[4, 3, 2, 1]),
            (Slice::from(1..5).step(-3), &[4, 1]),
            (Slice::from(..).step(isize::MAX), &[0]),
            (Slice::from(..).step(isize::MIN), &[5]),
            (Slice::from(2..2).step(-1), &[]),
        ];
        for (range, expected) in rows {
            assert_eq!(x.slice(0, range).to_vec(), expected, "{range:?}");
        }
    }

    #[test]
    fn ranges_that_leave_the_axis_are_mistakes() {
        let (x, start) = (Tensor::<f32>::zeros([5]), 2);
        for range in [
            Slice::from(2..9),
            (4..start).into(),
            (-6..).into(),
            (6..).into(),
            (usize::MAX..).into(),
            (..=isize::MAX).into(),
        ] {
            assert!(matches!(x.try_slice(0, range), Err(ShapeError::Range { .. })), "{range:?}");
        }
        assert_eq!(
            x.try_slice(0, 2..9).unwrap_err().to_string(),
            "slice: range 2..9 leaves axis 0 of shape [5], which has 5 entries"
        );
        assert_eq!(
            x.try_slice(0, Slice::from(..).step(0)).unwrap_err().to_string(),
            "slice: step 0 never arrives; use a positive step, or a negative one to run backwards"
        );
    }

    #[test]
    fn entries_that_do_not_exist_are_named_as_given() {
        let x = Tensor::<f32>::zeros([2, 0]);
        let text = |axis: i32, index| x.try_index_axis(axis, index).unwrap_err().to_string();
        assert_eq!(
            text(0, -3),
            "index_axis: index -3 is out of range for axis 0 of shape [2, 0]; its entries are 0 to 1"
        );
        assert_eq!(text(1, 0), "index_axis: index 0 is out of range for axis 1 of shape [2, 0]; it has no entries");
    }

    #[test]
    fn parts_must_add_up() {
        let error = Tensor::<f32>::zeros([5]).try_split(0, &[2, 2]).unwrap_err();
        assert_eq!(error.to_string(), "split: the parts have 4 entries together, axis 0 of shape [5] has 5");
        assert!(Tensor::<f32>::zeros([5]).try_split(0, &[usize::MAX, 6]).is_err());
        assert_eq!(Tensor::<f32>::zeros([0]).split(0, &[]).len(), 0);
    }
}
