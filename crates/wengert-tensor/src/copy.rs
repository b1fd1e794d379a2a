//! Bringing strided elements into row-major order.

use crate::element::Element;
use crate::layout::Layout;
use crate::walk::{Walk, for_positions};

/// Side of the tiles a transposition goes by: a row of a tile of `f32` is one cache line.
const TILE: usize = 16;

/// Copies the elements of `layout` in `source` to `target`, in row-major order.
pub(crate) fn copy_to_dense<T: Element>(source: &[T], layout: Layout<'_>, target: &mut [T]) {
    debug_assert_eq!(layout.len(), target.len());
    let offset = layout.offset();
    if layout.is_dense() {
        target.copy_from_slice(&source[offset..offset + target.len()]);
        return;
    }
    let walk = Walk::new(layout.shape(), [&layout.strides()]);
    let (run, [step]) = walk.run();
    let mut rows = target.chunks_exact_mut(run);
    let mut next_row = || rows.next().unwrap_or_default();
    match step {
        1 => walk.for_each_run([offset], |[at]| next_row().copy_from_slice(&source[at..at + run])),
        0 => walk.for_each_run([offset], |[at]| next_row().fill(source[at])),
        _ => match walk.strides().iter().rposition(|&[stride]| stride == 1) {
            Some(axis) => transpose(source, offset, &walk, axis, target),
            None => walk.for_each_run([offset], |[at]| {
                let mut at = at;
                for y in next_row() {
                    *y = source[at];
                    at = at.wrapping_add_signed(step);
                }
            }),
        },
    }
}

/// Copies where the elements next to one another in the source are those along `axis`, not the last: by tiles, so that
/// both reads and writes are of whole cache lines.
fn transpose<T: Element>(source: &[T], offset: usize, walk: &Walk<1>, axis: usize, target: &mut [T]) {
    let (run, [step]) = walk.run();
    let rows = walk.dims()[axis];
    // What is left when the two axes of the tiles are taken out, with source and target strides.
    let last = walk.dims().len() - 1;
    let mut dims = Vec::with_capacity(last);
    let mut strides = Vec::with_capacity(last);
    let mut row_stride = 0;
    let mut target_stride = 1;
    for (k, (&dim, &[stride])) in walk.dims().iter().zip(walk.strides()).enumerate().rev() {
        if k == axis {
            row_stride = target_stride;
        } else if k != last {
            dims.insert(0, dim);
            strides.insert(0, [stride, target_stride as isize]);
        }
        target_stride *= dim;
    }
    let mut tile = [[T::default(); TILE]; TILE];
    for_positions(&dims, &strides, [offset, 0], 0..dims.iter().product(), |[from, to]| {
        for i in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - i);
            for j in (0..run).step_by(TILE) {
                let width = TILE.min(run - j);
                // Column j of the target lies along a row of the source.
                let mut at = (from + i).wrapping_add_signed(step * j as isize);
                for line in &mut tile[..width] {
                    line[..height].copy_from_slice(&source[at..at + height]);
                    at = at.wrapping_add_signed(step);
                }
                for k in 0..height {
                    let row = &mut target[to + (i + k) * row_stride + j..][..width];
                    for (y, line) in row.iter_mut().zip(&tile) {
                        *y = line[k];
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::View;
    use crate::shape::Shape;

    /// Every index in order, one multiplication per axis.
    fn reference(source: &[u32], layout: Layout<'_>) -> Vec<u32> {
        let strides = layout.strides();
        (0..layout.len())
            .map(|mut flat| {
                let mut at = layout.offset() as isize;
                for (&dim, &stride) in layout.shape().iter().zip(strides.iter()).rev() {
                    at += (flat % dim) as isize * stride;
                    flat /= dim;
                }
                source[at as usize]
            })
            .collect()
    }

    #[test]
    fn every_path_agrees_with_index_arithmetic() {
        let source: Vec<u32> = (0..60_000).collect();
        let cases: &[(&[usize], &[isize], usize)] = &[
            (&[3, 5], &[5, 1], 7),
            (&[3, 5], &[10, 1], 0),                   // rows with gaps
            (&[3, 5], &[0, 1], 2),                    // repeated row
            (&[3, 5], &[1, 0], 2),                    // repeated column
            (&[40, 37], &[1, 40], 0),                 // transposed, uneven tiles
            (&[16, 32], &[1, 16], 5),                 // transposed, whole tiles
            (&[2, 17, 3, 19], &[969, 1, 323, 17], 0), // one inner axis moved
            (&[5, 4, 3, 2], &[1, 5, 20, 60], 0),      // all reversed
            (&[7], &[-1], 6),                         // flipped
            (&[4, 6], &[-2, 8], 6),                   // no contiguous axis
            (&[17, 18], &[1, -17], 17 * 17),          // transposed and flipped
            (&[0, 3], &[1, 0], 0),
            (&[], &[], 11),
        ];
        for &(shape, strides, offset) in cases {
            let view = View::new(Shape::from(shape), strides.iter().copied().collect(), offset);
            let layout = view.layout();
            let mut target = vec![0; layout.len()];
            copy_to_dense(&source, layout, &mut target);
            assert_eq!(target, reference(&source, layout), "{shape:?} {strides:?}");
        }
    }
}
