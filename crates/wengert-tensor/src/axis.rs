//! Axes as users name them: by position, or from the end with negative numbers.

use smallvec::SmallVec;

use crate::error::ShapeError;
use crate::shape::Shape;

/// One axis of a tensor. Negative numbers count from the end: `-1` is the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis(pub isize);

impl Axis {
    /// The position of this axis in `shape`.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] when `shape` has no such axis.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Axis, Shape};
    /// let shape = Shape::from([2, 3]);
    /// assert_eq!(Axis::from(-1).resolve("sum", &shape), Ok(1));
    /// assert!(Axis::from(2).resolve("sum", &shape).is_err());
    /// ```
    #[inline]
    pub fn resolve(self, op: &'static str, shape: &Shape) -> Result<usize, ShapeError> {
        self.resolve_within(op, shape, shape.rank())
    }

    /// The position of this axis among `rank` axes, which an operation on `shape` has (one more than it where an axis
    /// is inserted).
    #[inline]
    pub(crate) fn resolve_within(self, op: &'static str, shape: &Shape, rank: usize) -> Result<usize, ShapeError> {
        let index = if self.0 < 0 { self.0.wrapping_add(rank as isize) } else { self.0 };
        if 0 <= index && (index as usize) < rank {
            Ok(index as usize)
        } else {
            Err(ShapeError::Axis { op, axis: self.0, rank, shape: shape.clone() })
        }
    }
}

/// The axes a reduction runs over, and whether they stay behind with one entry each.
///
/// Made from one axis, an array of them, or `()` for all.
///
/// # Examples
/// ```
/// # use wengert_tensor::{keep, Tensor};
/// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(x.sum_axes(0), Tensor::from([5.0, 7.0, 9.0]));
/// assert_eq!(x.sum_axes(keep(-1)), Tensor::from([[6.0], [15.0]]));
/// assert_eq!(x.sum_axes([0, 1]), Tensor::from(21.0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axes {
    /// `None`: all axes.
    list: Option<SmallVec<[Axis; 4]>>,
    keep: bool,
}

/// The same axes, kept in the result with one entry each, so that it broadcasts against the operand.
///
/// Called `keepdims` in NumPy.
///
/// # Examples
/// ```
/// # use wengert_tensor::{keep, Tensor};
/// let x = Tensor::from([[1.0, 3.0], [2.0, 2.0]]);
/// let share = &x / x.sum_axes(keep(1));
/// assert_eq!(share, Tensor::from([[0.25, 0.75], [0.5, 0.5]]));
/// ```
pub fn keep(axes: impl Into<Axes>) -> Axes {
    Axes { keep: true, ..axes.into() }
}

impl Axes {
    /// Every axis.
    pub const ALL: Axes = Axes { list: None, keep: false };

    /// Whether reduced axes stay behind with one entry.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Axes, keep};
    /// assert!(keep(1).keeps() && !Axes::from(1).keeps());
    /// ```
    pub fn keeps(&self) -> bool {
        self.keep
    }

    /// Which axes of `shape` are meant: one flag per axis.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] when an axis does not exist, [`ShapeError::RepeatedAxis`] when one is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Axes, Shape};
    /// let shape = Shape::from([2, 3, 4]);
    /// assert_eq!(Axes::from([0, -1]).resolve("sum", &shape)?[..], [true, false, true]);
    /// assert!(Axes::from([2, -1]).resolve("sum", &shape).is_err()); // the last one twice
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn resolve(&self, op: &'static str, shape: &Shape) -> Result<SmallVec<[bool; 8]>, ShapeError> {
        let Some(list) = &self.list else { return Ok(SmallVec::from_elem(true, shape.rank())) };
        let mut named = SmallVec::from_elem(false, shape.rank());
        for axis in list {
            let axis = axis.resolve(op, shape)?;
            if named[axis] {
                return Err(ShapeError::RepeatedAxis { op, axis, shape: shape.clone() });
            }
            named[axis] = true;
        }
        Ok(named)
    }
}

/// All axes.
impl From<()> for Axes {
    fn from((): ()) -> Self {
        Axes::ALL
    }
}

impl From<Axis> for Axes {
    #[inline]
    fn from(axis: Axis) -> Self {
        Axes { list: Some(SmallVec::from_slice(&[axis])), keep: false }
    }
}

macro_rules! from_integer {
    ($($int:ident)*) => { $(
        impl From<$int> for Axis {
            #[inline]
            fn from(axis: $int) -> Self {
                // A number beyond isize is out of range for every shape, and isize::MAX is as well.
                Axis(isize::try_from(axis).unwrap_or(isize::MAX))
            }
        }
        impl From<$int> for Axes {
            #[inline]
            fn from(axis: $int) -> Self {
                Axes::from(Axis::from(axis))
            }
        }
        impl<const N: usize> From<[$int; N]> for Axes {
            fn from(axes: [$int; N]) -> Self {
                Axes::from(&axes[..])
            }
        }
        impl From<&[$int]> for Axes {
            fn from(axes: &[$int]) -> Self {
                Axes { list: Some(axes.iter().map(|&axis| Axis::from(axis)).collect()), keep: false }
            }
        }
    )* };
}
from_integer!(i32 isize usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_axes_count_from_the_end() {
        let shape = Shape::from([2, 3, 4]);
        assert_eq!(Axis::from(-3).resolve("sum", &shape), Ok(0));
        assert_eq!(Axis::from(2usize).resolve("sum", &shape), Ok(2));
    }

    #[test]
    fn axes_out_of_range_are_named() {
        let text = |axis: Axis, shape: Shape| axis.resolve("sum", &shape).unwrap_err().to_string();
        assert_eq!(
            text(Axis(2), Shape::from([2, 3])),
            "sum: axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end"
        );
        assert_eq!(
            text(Axis(0), Shape::SCALAR),
            "sum: axis 0 is out of range for shape []; a single number has no axes"
        );
        assert!(Axis(isize::MIN).resolve("sum", &Shape::from([2])).is_err());
        assert!(Axis::from(usize::MAX).resolve("sum", &Shape::from([2])).is_err());
    }

    #[test]
    fn repeated_axes_are_refused_however_they_are_named() {
        assert_eq!(
            Axes::from([1, -1]).resolve("mean", &Shape::from([2, 3])).unwrap_err().to_string(),
            "mean: axis 1 of shape [2, 3] is named twice; name each axis once"
        );
    }

    #[test]
    fn no_axes_and_all_axes_differ() {
        let shape = Shape::from([2, 3]);
        assert_eq!(Axes::from([0i32; 0]).resolve("sum", &shape).unwrap()[..], [false, false]);
        assert_eq!(Axes::from(()).resolve("sum", &shape).unwrap()[..], [true, true]);
        assert!(keep(()).keeps());
    }
}
