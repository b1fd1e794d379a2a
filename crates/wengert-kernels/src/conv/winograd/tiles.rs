//! Images to tiles and tiles to images.
//!
//! Tiles are numbered row after row through the images, and lie side by side in the lanes of a vector: neighbours along
//! a row. Entry `(i, j)` of the tiles of a row is every `m`-th pixel of a row of pixels from column `j` on, so a
//! channel is first sorted by the remainders of its rows and columns modulo `m`, with the zeros of the padding around
//! it; then it is a vector in memory.

#![expect(clippy::needless_range_loop, reason = "entries of small matrices, by row and column")]
#![expect(unsafe_code, reason = "vector loads and stores within rooms that the grid measures")]

use super::transform::{Image, Matrix, Output, OutputAdjoint, both_axes};
use super::weave::Weave;
use crate::matmul::pack::{Block, pack};
use crate::matmul::vector::{Work, prefetch};
use core::ops::Range;

/// Tiles over images: which pixels they read, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Height and width of the images that are read.
    pub(super) source: [usize; 2],
    /// Zeros around them.
    pub(super) padding: [usize; 2],
    /// Height and width of the images that are written.
    pub(super) target: [usize; 2],
    /// Rows and columns of tiles of an image.
    pub(super) tiles: [usize; 2],
}

impl Grid {
    /// Tiles with `m` x `m` results each.
    pub(super) fn new(source: [usize; 2], padding: [usize; 2], target: [usize; 2], m: usize) -> Grid {
        Grid { source, padding, target, tiles: target.map(|size| size.div_ceil(m)) }
    }

    /// The images that rows of tiles lie in, and which of their rows those are.
    #[inline(always)]
    fn images(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let of_image = self.tiles[0];
        (rows.start / of_image..rows.end.div_ceil(of_image)).map(move |image| {
            let start = image * of_image;
            (image, rows.start.max(start) - start..rows.end.min(start + of_image) - start)
        })
    }
}

/// Transformed tiles: channel `c` at point `p` begins at `start + p * point + c * channel`.
#[derive(Clone, Copy)]
pub(super) struct Points {
    pub(super) start: *mut f32,
    pub(super) point: usize,
    pub(super) channel: usize,
}

impl Points {
    /// Distances between channels and points with room for so many tiles, and one vector beyond.
    pub(super) fn distances<V: Weave>(channels: usize, tiles: usize) -> [usize; 2] {
        // Odd numbers of cache lines: at a power of two all rows would share a few cache sets.
        let odd_lines = |len: usize| (len.div_ceil(16) | 1) * 16;
        let channel = odd_lines(tiles.next_multiple_of(V::LANES) + V::LANES);
        [odd_lines(channels * channel), channel]
    }
}

/// A channel of an image, sorted: rows of pixels by their remainders modulo `M`, and so the columns of each.
pub(super) struct Planes {
    start: *mut f32,
    /// From one row of a plane to the next.
    pitch: usize,
    /// From one plane to the next.
    plane: usize,
}

impl Planes {
    /// Elements for blocks of `rows` rows of tiles.
    pub(super) fn len<V: Weave, const M: usize>(grid: &Grid, rows: usize) -> usize {
        let [pitch, plane] = Self::distances::<V>(grid, rows);
        // What a vector may read beyond the last row.
        M * M * plane + pitch + V::LANES
    }

    fn distances<V: Weave>(grid: &Grid, rows: usize) -> [usize; 2] {
        let pitch = if two_rows::<V>(grid) { V::LANES / 2 } else { grid.tiles[1] + 1 };
        // A vector beyond the last row, which the store of its last columns may reach into.
        [pitch, (rows.min(grid.tiles[0]) + 1) * pitch + V::LANES]
    }

    /// Planes in a room of [`len`](Planes::len) elements.
    pub(super) fn new<V: Weave>(grid: &Grid, rows: usize, start: *mut f32) -> Planes {
        let [pitch, plane] = Self::distances::<V>(grid, rows);
        Planes { start, pitch, plane }
    }

    /// Sorts what rows of tiles read of a channel.
    ///
    /// # Safety
    /// As for [`Vector`](crate::matmul::vector::Vector). The room must be writable, and made for so many rows.
    #[inline(always)]
    unsafe fn fill<V: Weave<Element = f32>, const M: usize, const T: usize>(
        &self,
        grid: &Grid,
        channel: &[f32],
        rows: Range<usize>,
    ) {
        let width = grid.source[1];
        let [above, left] = grid.padding;
        for row in 0..M * (rows.len() - 1) + T {
            let source = (rows.start * M + row).checked_sub(above).filter(|&row| row < grid.source[0]);
            let pixels = source.map_or(&[][..], |row| &channel[row * width..][..width]);
            for first in (0..=grid.tiles[1]).step_by(V::LANES) {
                // SAFETY: loads stay within the pixels. Rows are written in order, so that what a store leaves behind
                // the end of a row is overwritten by the next, and there is room for a vector behind the last.
                unsafe {
                    let mut sorted = [V::splat(0.0); M];
                    for (i, sorted) in sorted.iter_mut().enumerate() {
                        let start = first * M + i * V::LANES;
                        let from = left.saturating_sub(start).min(V::LANES);
                        let to = (pixels.len() + left).saturating_sub(start).min(V::LANES);
                        let p = pixels.as_ptr().wrapping_add(start).wrapping_sub(left);
                        // The same rows of the next channel are a few lines in another place, which no processor
                        // guesses.
                        prefetch(p.wrapping_add(channel.len()));
                        if to - from.min(to) == V::LANES {
                            *sorted = V::load(p);
                        } else if from < to {
                            *sorted = V::load_lanes(p, from, to);
                        }
                    }
                    let to = self.start.add(row % M * M * self.plane + row / M * self.pitch + first);
                    for (column, sorted) in unweave(sorted).into_iter().enumerate() {
                        sorted.store(to.add(column * self.plane));
                    }
                }
            }
        }
    }
}

/// Whether a vector takes two rows of tiles: each, and the pixels beside it, fill no more than half a vector.
fn two_rows<V: Weave>(grid: &Grid) -> bool {
    grid.tiles[1] < V::LANES / 2
}

/// `M` vectors of neighbours, to one vector for each remainder modulo `M`.
#[inline(always)]
unsafe fn unweave<V: Weave<Element = f32>, const M: usize>(x: [V; M]) -> [V; M] {
    let mut y = x;
    // SAFETY: passed on.
    unsafe {
        let [even, odd] = x[0].unweave(x[1]);
        (y[0], y[1]) = (even, odd);
        if M == 4 {
            let [other_even, other_odd] = x[2].unweave(x[3]);
            [y[0], y[2]] = even.unweave(other_even);
            [y[1], y[3]] = odd.unweave(other_odd);
        }
    }
    y
}

/// The inverse of [`unweave`].
#[inline(always)]
unsafe fn weave<V: Weave<Element = f32>, const M: usize>(x: [V; M]) -> [V; M] {
    let mut y = x;
    // SAFETY: passed on.
    unsafe {
        if M == 4 {
            let (even, odd) = (x[0].weave(x[2]), x[1].weave(x[3]));
            [y[0], y[1]] = even[0].weave(odd[0]);
            [y[2], y[3]] = even[1].weave(odd[1]);
        } else {
            [y[0], y[1]] = x[0].weave(x[1]);
        }
    }
    y
}

/// Transforms rows of tiles of some channels, `source` beginning with them and holding an image every `of_image`
/// elements.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector). The points must have room for the channels and tiles; the planes
/// were made for so many rows.
#[inline(always)]
pub(super) unsafe fn transform<V: Weave<Element = f32>, const M: usize, const T: usize>(
    grid: &Grid,
    (source, of_image): (&[f32], usize),
    channels: usize,
    rows: Range<usize>,
    planes: &Planes,
    points: Points,
) where
    Image: Matrix<T, T>,
{
    // SAFETY: passed on.
    unsafe { V::apart(Transform::<M, T> { grid, source, of_image, channels, rows, planes, points }) }
}

/// What [`transform`] does, for convolutions and their adjoints.
struct Transform<'a, const M: usize, const T: usize> {
    grid: &'a Grid,
    source: &'a [f32],
    of_image: usize,
    channels: usize,
    rows: Range<usize>,
    planes: &'a Planes,
    points: Points,
}

impl<V: Weave<Element = f32>, const M: usize, const T: usize> Work<V> for Transform<'_, M, T>
where
    Image: Matrix<T, T>,
{
    #[inline(always)]
    unsafe fn run(self) {
        let Transform { grid, source, of_image, channels, rows, planes, points } = self;
        let size = grid.source[0] * grid.source[1];
        for channel in 0..channels {
            let mut tile = channel * points.channel;
            for (image, rows) in grid.images(rows.clone()) {
                let pixels = &source[image * of_image + channel * size..][..size];
                // SAFETY: passed on.
                unsafe {
                    planes.fill::<V, M, T>(grid, pixels, rows.clone());
                    let to = Points { start: points.start.add(tile), ..points };
                    if two_rows::<V>(grid) {
                        transform_rows::<V, M, T, true>(grid, rows.len(), planes, to);
                    } else {
                        transform_rows::<V, M, T, false>(grid, rows.len(), planes, to);
                    }
                }
                tile += rows.len() * grid.tiles[1];
            }
        }
    }
}

/// Transforms rows of tiles of a channel, one at a time or `TWO`.
///
/// # Safety
/// As for [`transform`].
#[inline(always)]
unsafe fn transform_rows<V: Weave<Element = f32>, const M: usize, const T: usize, const TWO: bool>(
    grid: &Grid,
    rows: usize,
    planes: &Planes,
    points: Points,
) where
    Image: Matrix<T, T>,
{
    let columns = grid.tiles[1];
    for row in (0..rows).step_by(if TWO { 2 } else { 1 }) {
        for first in (0..columns).step_by(V::LANES) {
            // SAFETY: tiles and one vector beyond lie within the points, reads of a plane within it and what follows
            // it. Tiles are written in order, so that what a store leaves behind the last is overwritten by the next.
            unsafe {
                let from = planes.start.add(row * planes.pitch + first);
                let mut d = [[V::splat(0.0); T]; T];
                for i in 0..T {
                    for j in 0..T {
                        let plane = i % M * M + j % M;
                        d[i][j] = V::load(from.add(plane * planes.plane + i / M * planes.pitch + j / M));
                    }
                }
                let v = both_axes::<Image, V, T, T>(d);
                let to = points.start.add(row * columns + first);
                for i in 0..T {
                    for j in 0..T {
                        let to = to.add((i * T + j) * points.point);
                        if TWO { v[i][j].store_halves(to, to.add(columns)) } else { v[i][j].store(to) }
                    }
                }
            }
        }
    }
}

/// Transforms products back to rows of tiles of some channels, `target` beginning with them and holding an image every
/// `of_image` elements.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector). The points must hold the channels and tiles, and a vector beyond.
#[inline(always)]
pub(super) unsafe fn untransform<V: Weave<Element = f32>, const M: usize, const T: usize>(
    grid: &Grid,
    points: Points,
    channels: usize,
    rows: Range<usize>,
    (target, of_image): (&mut [f32], usize),
) where
    Output: Matrix<T, M>,
{
    let size = grid.target[0] * grid.target[1];
    for channel in 0..channels {
        let mut tile = channel * points.channel;
        for (image, rows) in grid.images(rows.clone()) {
            let target = &mut target[image * of_image + channel * size..][..size];
            // SAFETY: passed on.
            unsafe {
                let from = Points { start: points.start.add(tile), ..points };
                if two_rows::<V>(grid) {
                    untransform_rows::<V, M, T, true>(grid, from, rows.clone(), target);
                } else {
                    untransform_rows::<V, M, T, false>(grid, from, rows.clone(), target);
                }
            }
            tile += rows.len() * grid.tiles[1];
        }
    }
}

/// Transforms products back to rows of tiles of a channel, one at a time or `TWO`.
///
/// # Safety
/// As for [`untransform`].
#[inline(always)]
unsafe fn untransform_rows<V: Weave<Element = f32>, const M: usize, const T: usize, const TWO: bool>(
    grid: &Grid,
    points: Points,
    rows: Range<usize>,
    target: &mut [f32],
) where
    Output: Matrix<T, M>,
{
    let [height, width] = grid.target;
    let columns = grid.tiles[1];
    for row in rows.clone().step_by(if TWO { 2 } else { 1 }) {
        for first in (0..columns).step_by(V::LANES) {
            // SAFETY: tiles and one vector beyond lie within the points; stores stay within the slices they are made
            // from.
            unsafe {
                let from = points.start.add((row - rows.start) * columns + first);
                let mut products = [[V::splat(0.0); T]; T];
                for i in 0..T {
                    for j in 0..T {
                        let from = from.add((i * T + j) * points.point);
                        products[i][j] = if TWO { V::load_halves(from, from.add(columns)) } else { V::load(from) };
                    }
                }
                let results = both_axes::<Output, V, T, M>(products);
                for (i, results) in results.into_iter().enumerate() {
                    for (part, pixels) in weave(results).into_iter().enumerate() {
                        // Of two rows of tiles the second fills the second half of the parts.
                        let (below, part) = if TWO { (part / (M / 2), part % (M / 2)) } else { (0, part) };
                        let line = (row + below) * M + i;
                        let column = first * M + part * V::LANES;
                        if row + below < rows.end && line < height && column < width {
                            let count = V::LANES.min(width - column);
                            let to = target[line * width + column..][..count].as_mut_ptr();
                            prefetch(to.wrapping_add(height * width));
                            pixels.store_up_to(to, count);
                        }
                    }
                }
            }
        }
    }
}

/// Elements of the room for the pixels of blocks of `rows` rows of tiles, turned by [`transform_adjoint`].
pub(super) fn turned_len<V: Weave, const M: usize>(grid: &Grid, rows: usize) -> usize {
    (rows.min(grid.tiles[0]) * M * grid.target[1] + 1) * 2 * V::LANES
}

/// Transforms rows of tiles of a cotangent, up to two vectors of its channels, which `source` begins with, holding an
/// image every `of_image` elements. At each point the tiles follow one another, their channels side by side.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector). The points must have room for the tiles, `turned` for
/// [`turned_len`] elements.
#[inline(always)]
pub(super) unsafe fn transform_adjoint<V: Weave<Element = f32>, const M: usize, const T: usize>(
    grid: &Grid,
    (source, of_image): (&[f32], usize),
    channels: usize,
    rows: Range<usize>,
    turned: *mut f32,
    points: Points,
) where
    OutputAdjoint: Matrix<M, T>,
{
    let across = 2 * V::LANES;
    let [height, width] = grid.target;
    let mut to = points.start;
    for (image, rows) in grid.images(rows) {
        let pixels = &source[image * of_image..][..channels * height * width];
        let (first, end) = (rows.start * M, (rows.end * M).min(height));
        let k = (end - first) * width;
        // SAFETY: pixels are read for so many channels, and turned within their room, whose last one is zero; tiles lie
        // within the room of the points.
        unsafe {
            let start = pixels[first * width..].as_ptr();
            pack::<V>(Block { start, across: height * width, inner: 1, width: channels, k }, across, turned);
            // What tiles over the edge see there.
            let zeros = turned.add(k * across);
            core::slice::from_raw_parts_mut(zeros, across).fill(0.0);
            for row in rows.clone() {
                for column in 0..grid.tiles[1] {
                    for half in 0..2 {
                        let mut y = [[V::splat(0.0); M]; M];
                        for i in 0..M {
                            for j in 0..M {
                                let (line, column) = (row * M + i, column * M + j);
                                let inside = line < height && column < width;
                                let from = turned.wrapping_add(((line - first) * width + column) * across);
                                y[i][j] = V::load(if inside { from } else { zeros }.add(half * V::LANES));
                            }
                        }
                        let g = both_axes::<OutputAdjoint, V, M, T>(y);
                        for i in 0..T {
                            for j in 0..T {
                                g[i][j].store(to.add((i * T + j) * points.point + half * V::LANES));
                            }
                        }
                    }
                    to = to.add(points.channel);
                }
            }
        }
    }
}
