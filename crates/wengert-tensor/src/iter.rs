//! Going over the elements of a tensor one by one.

use smallvec::SmallVec;

use crate::element::Element;
use crate::layout::Layout;
use crate::shape::INLINE;
use crate::walk::Walk;

/// The elements of a tensor in row-major order; made by [`Tensor::iter`](crate::Tensor::iter).
#[derive(Debug, Clone)]
pub struct Iter<'a, T> {
    storage: &'a [T],
    /// The axes of the layout, merged where possible, with their strides.
    axes: SmallVec<[(usize, isize); INLINE]>,
    /// The index of the next element along each of them.
    index: SmallVec<[usize; INLINE]>,
    position: usize,
    left: usize,
}

impl<'a, T: Element> Iter<'a, T> {
    pub(crate) fn new(storage: &'a [T], layout: Layout<'_>) -> Self {
        let walk = Walk::new(layout.shape(), [&layout.strides()]);
        let axes: SmallVec<_> = walk.dims().iter().zip(walk.strides()).map(|(&dim, &[stride])| (dim, stride)).collect();
        let index = SmallVec::from_elem(0, axes.len());
        Iter { storage, axes, index, position: layout.offset(), left: layout.len() }
    }
}

impl<T: Element> Iterator for Iter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let value = self.storage[self.position];
        for (index, &(dim, stride)) in self.index.iter_mut().zip(&self.axes).rev() {
            *index += 1;
            self.position = self.position.wrapping_add_signed(stride);
            if *index < dim {
                break;
            }
            *index = 0;
            self.position = self.position.wrapping_add_signed(-stride * dim as isize);
        }
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T: Element> ExactSizeIterator for Iter<'_, T> {}
