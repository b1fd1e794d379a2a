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
        let ([rows, columns], [x_plane, y_plane]) = (pool.output_size(), pool.planes());
        // Sizes written out are sizes the loops are unrolled for.
        let done = match (pool.padding, pool.stride[1], pool.kernel) {
            ([0, 0], 2, [2, 2]) => blocks::<F, 2>(pool, [2, 2], x, y, at),
            ([0, 0], 2, [3, 3]) => blocks::<F, 2>(pool, [3, 3], x, y, at),
            ([0, 0], 2, kernel) => blocks::<F, 2>(pool, kernel, x, y, at),
            ([0, 0], 1, kernel) => blocks::<F, 1>(pool, kernel, x, y, at),
            _ => 0,
        };
        for i in done..y.len() / y_plane * rows {
            let (plane, r) = (i / rows, i % rows);
            let top = (r * pool.stride[0]).saturating_sub(pool.padding[0]);
            let bottom = (r * pool.stride[0] + pool.kernel[0] - pool.padding[0]).min(pool.size[0]);
            let results = i * columns..(i + 1) * columns;
            row(pool, spans, &x[plane * x_plane..], [top, bottom], &mut y[results.clone()], &mut at[results]);
        }
    }
}

/// Computes rows of results in whole blocks, from the first on, of windows `STEP` apart that lie inside; returns how
/// many.
#[inline(always)]
fn blocks<F: Float, const STEP: usize>(
    pool: &Pool2d,
    [height, entries]: [usize; 2],
    x: &[F],
    y: &mut [F],
    at: &mut [u32],
) -> usize {
    let ([rows, columns], [x_plane, y_plane]) = (pool.output_size(), pool.planes());
    let (width, padded) = (pool.size[1], columns.next_multiple_of(BLOCK));
    // What the blocks of a row read.
    let reach = (height - 1) * width + padded * STEP + entries - 1;
    let mut done = 0;
    for plane in 0..y.len() / y_plane {
        for r in 0..rows {
            let (first, from) = (r * pool.stride[0] * width, done * columns);
            let Some(x) = x.get(plane * x_plane + first..).and_then(|x| x.get(..reach)) else { return done };
            let (Some(y), Some(at)) = (y.get_mut(from..from + padded), at.get_mut(from..from + padded)) else {
                return done;
            };
            let blocks = y.as_chunks_mut::<BLOCK>().0.iter_mut().zip(at.as_chunks_mut::<BLOCK>().0);
            for (i, (y, at)) in blocks.enumerate() {
                let start = i * BLOCK * STEP;
                let (largest, place) = block::<F, STEP>(&x[start..], width, [height, entries]);
                *y = largest;
                *at = core::array::from_fn(|i| (first + start + i * STEP) as u32 + place[i]);
            }
            done += 1;
        }
    }
    done
}

/// The largest of each window of a block, the first of which `x` begins with, and where it is, from the window's
/// beginning.
#[inline(always)]
fn block<F: Float, const STEP: usize>(
    x: &[F],
    width: usize,
    [height, entries]: [usize; 2],
) -> ([F; BLOCK], [u32; BLOCK]) {
    // Rows by themselves first: they do not wait for one another.
    let mut all = ([F::ZERO; BLOCK], [0; BLOCK]);
    for row in 0..height {
        let x = &x[row * width..][..BLOCK * STEP + entries - 1];
        let entry = |entry: usize| {
            let windows: &[[F; STEP]; BLOCK] = x[entry..].as_chunks().0.first_chunk().expect("a block of windows");
            (windows.map(|window| window[0]), [(row * width + entry) as u32; BLOCK])
        };
        let mut of_row = entry(0);
        for i in 1..entries {
            of_row = larger(of_row, entry(i));
        }
        all = if row == 0 { of_row } else { larger(all, of_row) };
    }
    all
}

/// The larger of each pair, and where it is.
#[inline(always)]
fn larger<F: Float>(a: ([F; BLOCK], [u32; BLOCK]), b: ([F; BLOCK], [u32; BLOCK])) -> ([F; BLOCK], [u32; BLOCK]) {
    let (mut largest, mut place) = a;
    for i in 0..BLOCK {
        let take = is_larger(b.0[i], largest[i]);
        largest[i] = if take { b.0[i] } else { largest[i] };
        place[i] = if take { b.1[i] } else { place[i] };
    }
    (largest, place)
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
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "of NaN and a number neither is less: one comparison, not two")]
fn is_larger<F: Float>(x: F, y: F) -> bool {
    !(x <= y) & !y.is_nan()
}
