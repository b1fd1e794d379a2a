//! Walking over several layouts at once: as few axes as possible outside, runs as long as possible inside.

use core::ops::Range;

use smallvec::SmallVec;

use crate::layout::Strides;
use crate::shape::INLINE;

/// One traversal of `K` layouts of one shape, in row-major order.
///
/// Axes of one entry are dropped, and neighbouring axes become one where every layout allows it, so that two dense
/// operands have a single axis, and a matrix with a row added to it two.
pub(crate) struct Walk<const K: usize> {
    /// At least one axis.
    dims: SmallVec<[usize; INLINE]>,
    strides: SmallVec<[[isize; K]; INLINE]>,
}

impl<const K: usize> Walk<K> {
    pub(crate) fn new(shape: &[usize], strides: [&Strides; K]) -> Self {
        let mut walk = Walk { dims: SmallVec::new(), strides: SmallVec::new() };
        // Nothing to walk over, and the product of the other dimensions may be more than can be counted.
        if shape.contains(&0) {
            walk.dims.push(0);
            walk.strides.push([1; K]);
            return walk;
        }
        for (axis, &dim) in shape.iter().enumerate() {
            if dim == 1 {
                continue;
            }
            let here: [isize; K] = core::array::from_fn(|k| strides[k][axis]);
            if let (Some(last_dim), Some(last)) = (walk.dims.last_mut(), walk.strides.last_mut())
                && (0..K).all(|k| last[k] == here[k] * dim as isize)
            {
                *last_dim *= dim;
                *last = here;
            } else {
                walk.dims.push(dim);
                walk.strides.push(here);
            }
        }
        if walk.dims.is_empty() {
            walk.dims.push(1);
            walk.strides.push([1; K]);
        }
        walk
    }

    /// The length of the innermost runs, and every layout's step along them.
    pub(crate) fn run(&self) -> (usize, [isize; K]) {
        let last = self.dims.len() - 1;
        (self.dims[last], self.strides[last])
    }

    /// How many runs lie along the axis outside the innermost, and every layout's step from one to the next.
    pub(crate) fn rows(&self) -> (usize, [isize; K]) {
        match self.dims.len().checked_sub(2) {
            Some(axis) => (self.dims[axis], self.strides[axis]),
            None => (1, [0; K]),
        }
    }

    /// Where the run with this number starts.
    pub(crate) fn position(&self, offsets: [usize; K], run: usize) -> [usize; K] {
        let mut position = offsets;
        self.for_runs(offsets, run..run + 1, |at| position = at);
        position
    }

    /// The merged axes, outermost first.
    pub(crate) fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The steps of every layout along the merged axes.
    pub(crate) fn strides(&self) -> &[[isize; K]] {
        &self.strides
    }

    /// The number of runs.
    pub(crate) fn runs(&self) -> usize {
        self.dims[..self.dims.len() - 1].iter().product()
    }

    /// Calls `f` with the position where each run starts, in order; `offsets` is where the layouts start.
    pub(crate) fn for_each_run(&self, offsets: [usize; K], f: impl FnMut([usize; K])) {
        self.for_runs(offsets, 0..self.runs(), f);
    }

    /// As [`for_each_run`](Self::for_each_run), for some of the runs.
    #[inline]
    pub(crate) fn for_runs(&self, offsets: [usize; K], runs: Range<usize>, f: impl FnMut([usize; K])) {
        let outer = self.dims.len() - 1;
        for_positions(&self.dims[..outer], &self.strides[..outer], offsets, runs, f);
    }
}

/// Calls `f` with the position of `K` layouts at the indices of `dims` that have these numbers in row-major order.
#[inline]
pub(crate) fn for_positions<const K: usize>(
    dims: &[usize],
    strides: &[[isize; K]],
    offsets: [usize; K],
    numbers: Range<usize>,
    mut f: impl FnMut([usize; K]),
) {
    if numbers.is_empty() {
        return;
    }
    let mut position = offsets;
    let mut step = |axis: usize, by: isize| {
        for (position, stride) in position.iter_mut().zip(strides[axis]) {
            *position = position.wrapping_add_signed(stride * by);
        }
        position
    };
    // The first index.
    let mut index: SmallVec<[usize; INLINE]> = SmallVec::from_elem(0, dims.len());
    let mut number = numbers.start;
    let mut at = offsets;
    for axis in (0..dims.len()).rev() {
        index[axis] = number % dims[axis];
        number /= dims[axis];
        at = step(axis, index[axis] as isize);
    }
    for _ in 1..numbers.len() {
        f(at);
        // Count up like an odometer, the last axis fastest.
        for axis in (0..dims.len()).rev() {
            index[axis] += 1;
            if index[axis] < dims[axis] {
                at = step(axis, 1);
                break;
            }
            index[axis] = 0;
            step(axis, 1 - dims[axis] as isize);
        }
    }
    f(at);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strides(s: &[isize]) -> Strides {
        s.iter().copied().collect()
    }

    #[test]
    fn dense_operands_become_one_run() {
        let s = strides(&[12, 4, 1]);
        let walk = Walk::new(&[2, 3, 4], [&s, &s]);
        assert_eq!(walk.run(), (24, [1, 1]));
    }

    #[test]
    fn a_row_added_to_a_matrix_has_one_run_a_row() {
        let walk = Walk::new(&[2, 3, 4], [&strides(&[12, 4, 1]), &strides(&[0, 0, 1])]);
        assert_eq!((walk.run(), walk.dims()), ((4, [1, 1]), &[6, 4][..]));
        let mut starts = Vec::new();
        walk.for_each_run([0, 5], |at| starts.push(at));
        assert_eq!(starts, [[0, 5], [4, 5], [8, 5], [12, 5], [16, 5], [20, 5]]);
    }

    #[test]
    fn positions_count_like_an_odometer_and_backwards() {
        let visit = |dims: &[usize], strides: &[[isize; 1]], offset, numbers| {
            let mut seen = Vec::new();
            for_positions(dims, strides, [offset], numbers, |[at]| seen.push(at));
            seen
        };
        assert_eq!(visit(&[2, 3], &[[-3], [1]], 3, 0..6), [3, 4, 5, 0, 1, 2]);
        assert_eq!(visit(&[2, 3], &[[-3], [1]], 3, 2..4), [5, 0]);
        assert_eq!(visit(&[2, 1, 2], &[[10], [7], [1]], 0, 1..4), [1, 10, 11]);
        assert_eq!(visit(&[2, 0], &[[1], [1]], 0, 0..0), []);
        assert_eq!(visit(&[], &[], 7, 0..1), [7]);
    }
}
