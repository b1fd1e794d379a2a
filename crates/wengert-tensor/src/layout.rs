//! Where the elements of a tensor lie: shape, strides, offset. Arithmetic on numbers only, no storage.

use core::fmt;
use core::ops::{Deref, Range};

use smallvec::SmallVec;

use crate::error::ShapeError;
use crate::shape::{INLINE, Shape};

/// How far apart, in elements, neighbours along each axis lie. Negative along a flipped axis, 0 along a repeated one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Strides(SmallVec<[isize; INLINE]>);

impl Strides {
    /// Row-major: the last axis is contiguous.
    pub(crate) fn row_major(shape: &[usize]) -> Self {
        let mut strides: SmallVec<[isize; INLINE]> = SmallVec::from_elem(0, shape.len());
        let mut stride = 1isize;
        for (s, &dim) in strides.iter_mut().zip(shape).rev() {
            *s = stride;
            // Wraps only when another dimension is 0, and then nothing is ever addressed.
            stride = stride.wrapping_mul(dim as isize);
        }
        Strides(strides)
    }

    pub(crate) fn insert(&mut self, axis: usize, stride: isize) {
        self.0.insert(axis, stride);
    }

    pub(crate) fn remove(&mut self, axis: usize) -> isize {
        self.0.remove(axis)
    }

    pub(crate) fn as_mut(&mut self) -> &mut [isize] {
        &mut self.0
    }
}

impl Deref for Strides {
    type Target = [isize];

    #[inline]
    fn deref(&self) -> &[isize] {
        &self.0
    }
}

impl fmt::Debug for Strides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl FromIterator<isize> for Strides {
    fn from_iter<I: IntoIterator<Item = isize>>(strides: I) -> Self {
        Strides(strides.into_iter().collect())
    }
}

/// What a tensor sees of its buffer, where that is not all of it in order and in the buffer's own shape.
#[derive(Clone, Debug)]
pub(crate) struct View {
    shape: Shape,
    /// Empty if row-major without gaps.
    strides: Strides,
    offset: usize,
}

/// Shape, strides and offset of a tensor in its buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout<'a> {
    shape: &'a Shape,
    /// Nothing, if the elements are the buffer's in row-major order: then the question asked most often, whether they
    /// are a slice, is one comparison.
    view: Option<&'a View>,
}

impl View {
    /// Row-major from `offset` on.
    fn dense(shape: Shape, offset: usize) -> Self {
        View { shape, strides: Strides::default(), offset }
    }

    /// The layout of these parts; drops the strides if they are those of a dense layout.
    pub(crate) fn new(shape: Shape, strides: Strides, offset: usize) -> Self {
        debug_assert_eq!(shape.rank(), strides.len());
        // Nothing to address: any strides will do, and so will any offset that stays in the buffer.
        if shape.contains(&0) {
            return View::dense(shape, 0);
        }
        let mut expected = 1isize;
        for (&dim, &stride) in shape.iter().zip(strides.iter()).rev() {
            match dim {
                // Never stepped along.
                1 => {}
                _ if stride != expected => return View { shape, strides, offset },
                _ => expected *= dim as isize,
            }
        }
        View::dense(shape, offset)
    }

    #[inline(always)]
    pub(crate) fn layout(&self) -> Layout<'_> {
        Layout { shape: &self.shape, view: Some(self) }
    }

    /// Which elements of the buffer it shows, if they are a slice of it, in order.
    #[inline(never)]
    pub(crate) fn range(&self) -> Option<Range<usize>> {
        self.strides.is_empty().then(|| self.offset..self.offset + self.shape.product())
    }

    /// Whether it shows all of a buffer in order.
    pub(crate) fn is_whole(&self, buffer: &Shape) -> bool {
        self.offset == 0 && self.strides.is_empty() && self.shape == *buffer
    }
}

impl<'a> Layout<'a> {
    /// Row-major from the buffer's start.
    #[inline(always)]
    pub(crate) fn dense(shape: &'a Shape) -> Self {
        Layout { shape, view: None }
    }

    #[inline(always)]
    pub(crate) fn shape(self) -> &'a Shape {
        self.shape
    }

    #[inline(always)]
    pub(crate) fn offset(self) -> usize {
        self.view.map_or(0, |view| view.offset)
    }

    /// Whether the elements are a slice of the buffer, in order.
    #[inline(always)]
    pub(crate) fn is_dense(self) -> bool {
        // A layout without axes is one element, and dense.
        self.gaps().is_none()
    }

    /// The strides of a layout that is not dense.
    #[inline(always)]
    fn gaps(self) -> Option<&'a Strides> {
        self.view.map(|view| &view.strides).filter(|strides| !strides.is_empty())
    }

    /// The number of elements.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.shape.product()
    }

    /// The strides, also of a dense layout.
    pub(crate) fn strides(self) -> Strides {
        self.gaps().cloned().unwrap_or_else(|| Strides::row_major(self.shape))
    }

    /// The same elements under another shape of as many elements; `None` when the strides do not allow it.
    ///
    /// Axes that lie behind one another without a gap are taken as one; the new shape has to cut each of these groups
    /// into whole axes.
    pub(crate) fn reshaped(self, shape: &Shape) -> Option<View> {
        debug_assert_eq!(self.len(), shape.size());
        let Some(strides) = self.gaps() else { return Some(View::dense(shape.clone(), self.offset())) };
        // Groups as (entries, stride of the innermost axis), outermost first.
        let mut groups: SmallVec<[(usize, isize); INLINE]> = SmallVec::new();
        for (&dim, &stride) in self.shape.iter().zip(strides.iter()) {
            match groups.last_mut() {
                _ if dim == 1 => {}
                Some(group) if group.1 == stride * dim as isize => *group = (group.0 * dim, stride),
                _ => groups.push((dim, stride)),
            }
        }
        let mut strides: SmallVec<[isize; INLINE]> = SmallVec::from_elem(0, shape.rank());
        let mut left = (1, 0);
        for (s, &dim) in strides.iter_mut().zip(shape.iter()).rev() {
            if dim == 1 {
                continue;
            }
            if left.0 == 1 {
                left = groups.pop()?;
            }
            if !left.0.is_multiple_of(dim) {
                return None;
            }
            *s = left.1;
            left = (left.0 / dim, left.1 * dim as isize);
        }
        Some(View::new(shape.clone(), Strides(strides), self.offset()))
    }

    /// The strides that repeat this layout's elements to shape `to`: 0 along every axis that is repeated.
    pub(crate) fn strides_over(self, op: &'static str, to: &Shape) -> Result<Strides, ShapeError> {
        let refused = || ShapeError::BroadcastTo { op, from: self.shape.clone(), to: to.clone() };
        let lead = to.rank().checked_sub(self.shape.rank()).ok_or_else(refused)?;
        let own = self.strides();
        let mut strides: SmallVec<[isize; INLINE]> = SmallVec::from_elem(0, to.rank());
        for (axis, (&dim, &stride)) in self.shape.iter().zip(own.iter()).enumerate() {
            match (dim, to[lead + axis]) {
                (1, _) => {}
                (a, b) if a == b => strides[lead + axis] = stride,
                _ => return Err(refused()),
            }
        }
        Ok(Strides(strides))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shape: &[usize], strides: &[isize]) -> View {
        View::new(shape.into(), strides.iter().copied().collect(), 0)
    }

    #[test]
    fn dense_layouts_are_recognised() {
        for (shape, strides) in [
            (&[2, 3][..], &[3, 1][..]),
            (&[1, 3], &[77, 1]), // an axis of one entry is never stepped along
            (&[2, 1, 3], &[3, -5, 1]),
            (&[0, 3], &[7, 7]), // nothing to address
            (&[3, 0], &[7, 7]),
            (&[], &[]),
        ] {
            assert!(view(shape, strides).layout().is_dense(), "{shape:?} {strides:?}");
        }
        for (shape, strides) in [(&[2, 3][..], &[1, 2][..]), (&[2, 3], &[0, 1]), (&[3], &[-1]), (&[3], &[2])] {
            assert!(!view(shape, strides).layout().is_dense(), "{shape:?} {strides:?}");
        }
    }

    #[test]
    fn reshapes_without_a_copy_are_found() {
        // Every second row of [8, 6]: rows can be cut, not joined.
        let rows = view(&[4, 6], &[12, 1]);
        assert_eq!(rows.layout().reshaped(&[2, 2, 3, 2].into()).unwrap().layout().strides()[..], [24, 12, 2, 1]);
        assert!(rows.layout().reshaped(&[24].into()).is_none());
        assert!(rows.layout().reshaped(&[8, 3].into()).is_none());
        // A transposed matrix.
        assert!(view(&[3, 2], &[1, 3]).layout().reshaped(&[6].into()).is_none());
        assert!(view(&[3, 2], &[1, 3]).layout().reshaped(&[3, 1, 2].into()).is_some());
        // A number repeated.
        assert_eq!(view(&[2, 3], &[0, 0]).layout().reshaped(&[6].into()).unwrap().layout().strides()[..], [0]);
    }
}
