//! The largest of the windows of planes.
//!
//! A row of results is computed in blocks of [`BLOCK`], which stay in registers while the entries of the window go by.
//! A block reads and writes beyond the end of its row, into the next row or plane: what it writes there is overwritten
//! when that row's turn comes. Only at the end of all planes, and where windows reach outside, are rows computed at
//! their exact length.

use super::{Pool2d, Span, pairs};
use crate::Float;
use crate::dispatch::kernel;

/// Results of a block: a vector of `f32`, of the widest.
const BLOCK: usize = 16;

kernel! {
    /// The largest of each window of planes, and where in its plane it is.
    pub(crate) fn max_planes<F: Float>(pool: &'a Pool2d, spans: &'a [Span], x: &'a [F], y: &'a mut [F], at: &'a mut [u32]) -> () {
        let [rows, columns] = pool.output_size();
        let ([x_plane, y_plane], width) = (pool.planes(), pool.size[1]);
        let padded = columns.next_multiple_of(BLOCK);
        for plane in 0..y.len() / y_plane {
            for r in 0..rows {
                let top = (r * pool.stride[0]).saturating_sub(pool.padding[0]);
                let bottom = (r * pool.stride[0] + pool.kernel[0] - pool.padding[0]).min(pool.size[0]);
                let x = &x[plane * x_plane..];
                let from = plane * y_plane + r * columns;
                let (y, at) = (&mut y[from..], &mut at[from..]);
                // What blocks read of the last of the rows.
                let reach = (bottom - 1) * width + padded * pool.stride[1] + pool.kernel[1] - 1;
                let in_blocks = pool.padding[1] == 0 && reach <= x.len() && padded <= y.len();
                match (pool.stride[1], in_blocks) {
                    (1, true) => blocks::<F, 1>(x, [top, bottom], [width, pool.kernel[1]], &mut y[..padded], at),
                    (2, true) => blocks::<F, 2>(x, [top, bottom], [width, pool.kernel[1]], &mut y[..padded], at),
                    _ => row(pool, spans, x, [top, bottom], &mut y[..columns], &mut at[..columns]),
                }
            }
        }
    }
}

/// Computes whole blocks of a row of results, windows `STEP` apart.
#[inline(always)]
fn blocks<F: Float, const STEP: usize>(
    x: &[F],
    [top, bottom]: [usize; 2],
    [width, entries]: [usize; 2],
    y: &mut [F],
    at: &mut [u32],
) {
    let (y, _) = y.as_chunks_mut::<BLOCK>();
    let (at, _) = at.as_chunks_mut::<BLOCK>();
    for (block, (y, at)) in y.iter_mut().zip(at).enumerate() {
        let first = top * width + block * BLOCK * STEP;
        let mut largest = [-F::INFINITY; BLOCK];
        // A window of nothing but minus infinity has its largest in the first place.
        let mut place: [u32; BLOCK] = core::array::from_fn(|i| (first + i * STEP) as u32);
        for row in 0..bottom - top {
            for entry in 0..entries {
                let first = first + row * width + entry;
                let (window, _) = x[first..first + BLOCK * STEP].as_chunks::<STEP>();
                let Some(window) = window.first_chunk::<BLOCK>() else { continue };
                for i in 0..BLOCK {
                    let x = window[i][0];
                    let take = is_larger(x, largest[i]);
                    largest[i] = if take { x } else { largest[i] };
                    place[i] = if take { (first + i * STEP) as u32 } else { place[i] };
                }
            }
        }
        (*y, *at) = (largest, place);
    }
}

/// Computes a row of results.
#[inline(always)]
fn row<F: Float>(pool: &Pool2d, spans: &[Span], x: &[F], [top, bottom]: [usize; 2], y: &mut [F], at: &mut [u32]) {
    for (q, (y, at)) in y.iter_mut().zip(at.iter_mut()).enumerate() {
        *y = -F::INFINITY;
        *at = (top * pool.size[1] + (q * pool.stride[1]).saturating_sub(pool.padding[1])) as u32;
    }
    for row in top..bottom {
        for &Span { from, to, start } in spans {
            let first = row * pool.size[1] + start;
            let (y, at) = (&mut y[from..to], &mut at[from..to]);
            let x = &x[first..];
            match pool.stride[1] {
                1 => keep_largest(x.iter().copied(), first, 1, y, at),
                2 => {
                    let (pairs, last) = pairs(x, y.len());
                    let next = first + 2 * pairs.len();
                    keep_largest(pairs.iter().map(|pair| pair[0]), first, 2, y, at);
                    keep_largest(last.iter().copied(), next, 2, &mut y[pairs.len()..], &mut at[pairs.len()..]);
                }
                step => keep_largest(x.iter().step_by(step).copied(), first, step, y, at),
            }
        }
    }
}

/// Replaces what is smaller than its entry of `x`; entry 0 of `x` has number `first`.
#[inline(always)]
fn keep_largest<F: Float>(x: impl Iterator<Item = F>, first: usize, step: usize, y: &mut [F], at: &mut [u32]) {
    for (i, ((y, at), x)) in y.iter_mut().zip(at).zip(x).enumerate() {
        let take = is_larger(x, *y);
        *y = if take { x } else { *y };
        *at = if take { (first as u32).wrapping_add((i as u32).wrapping_mul(step as u32)) } else { *at };
    }
}

/// Whether `x` takes the place of `y`: the first NaN stays, and of equals the first.
#[inline(always)]
fn is_larger<F: Float>(x: F, y: F) -> bool {
    (x > y) | (x.is_nan() & !y.is_nan())
}
