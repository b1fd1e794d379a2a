//! Walking over several layouts at once: as few axes as possible outside, runs as long as possible inside.

use smallvec::SmallVec;

use crate::layout::Strides;
use crate::shape::INLINE;

/// One traversal of `K` layouts of one shape, in row-major order.
///
/// Axes of one entry are dropped, and neighbouring axes become one where every layout allows it, so that two dense operands
/// have a single axis, and a matrix with a row added to it two.
pub(crate) struct Walk<const K: usize> {
    /// At least one axis.
    dims: SmallVec<[usize; INLINE]>,
    strides: SmallVec<[[isize; K]; INLINE]>,
}

impl<const K: usize> Walk<K> {
    pub(crate) fn new(shape: &[usize], strides: [&Strides; K]) -> Self {
        let mut walk = Walk { dims: SmallVec::new(), strides: SmallVec::new() };
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

    /// The merged axes, outermost first.
    pub(crate) fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The steps of every layout along the merged axes.
    pub(crate) fn strides(&self) -> &[[isize; K]] {
        &self.strides
    }

    /// Calls `f` with the position where each run starts, in order; `offsets` is where the layouts start.
    pub(crate) fn for_each_run(&self, offsets: [usize; K], f: impl FnMut([usize; K])) {
        let outer = self.dims.len() - 1;
        for_each_position(&self.dims[..outer], &self.strides[..outer], offsets, f);
    }
}

/// Calls `f` with the position of `K` layouts at every index of `dims`, in row-major order.
pub(crate) fn for_each_position<const K: usize>(
    dims: &[usize],
    strides: &[[isize; K]],
    offsets: [usize; K],
    mut f: impl FnMut([usize; K]),
) {
    if dims.contains(&0) {
        return;
    }
    let mut index: SmallVec<[usize; INLINE]> = SmallVec::from_elem(0, dims.len());
    let mut position = offsets;
    loop {
        f(position);
        // Count up like an odometer, the last axis fastest.
        let mut axis = dims.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return };
            axis = next;
            index[axis] += 1;
            if index[axis] < dims[axis] {
                for k in 0..K {
                    position[k] = position[k].wrapping_add_signed(strides[axis][k]);
                }
                break;
            }
            index[axis] = 0;
            for k in 0..K {
                position[k] = position[k].wrapping_add_signed(-strides[axis][k] * (dims[axis] - 1) as isize);
            }
        }
    }
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
        let mut seen = Vec::new();
        for_each_position(&[2, 3], &[[-3], [1]], [3], |[at]| seen.push(at));
        assert_eq!(seen, [3, 4, 5, 0, 1, 2]);
        for_each_position(&[2, 0], &[[1], [1]], [0], |_| panic!("there is nothing to visit"));
        let mut visits = 0;
        for_each_position(&[], &[], [7], |[at]| visits += at);
        assert_eq!(visits, 7);
    }
}
