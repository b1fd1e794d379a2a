//! Images to tiles and tiles to images.
//!
//! Tiles are numbered row after row through the images, and lie side by side in the lanes of a vector: neighbours along a
//! row. Entry `(i, j)` of the tiles of a row is every `m`-th pixel of a row of pixels from column `j` on, so a channel is first
//! sorted by the remainders of its rows and columns modulo `m`, with the zeros of the padding around it; then it is a
//! vector in memory.

#![expect(unsafe_code, reason = "vector loads and stores within rooms that the grid measures")]

use super::transform::{Image, Matrix, Output, OutputAdjoint, both_axes};
use super::weave::Weave;
use crate::matmul::pack::{Block, pack};
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
    /// From one row of a plane to the next; from one plane to the next.
    pitch: usize,
    plane: usize,
    /// A row of pixels with zeros around.
    line: *mut f32,
    line_len: usize,
}

impl Planes {
    /// Elements for blocks of `rows` rows of tiles.
    pub(super) fn len<V: Weave, const M: usize>(grid: &Grid, rows: usize) -> usize {
        let (pitch, plane, line) = Self::sizes::<V, M>(grid, rows);
        M * M * plane + pitch + 2 * V::LANES + line
    }

    fn sizes<V: Weave, const M: usize>(grid: &Grid, rows: usize) -> (usize, usize, usize) {
        let pitch = grid.tiles[1] + 1;
        let line = pitch.next_multiple_of(V::LANES) * M;
        // A vector beyond the last row, which the store of its last columns may reach into.
        (pitch, (rows.min(grid.tiles[0]) + 1) * pitch + V::LANES, line)
    }

    /// Planes in a room of [`len`](Planes::len) elements.
    ///
    /// # Safety
    /// The room must be writable.
    #[inline(always)]
    pub(super) unsafe fn new<V: Weave<Element = f32>, const M: usize>(
        grid: &Grid,
        rows: usize,
        room: *mut f32,
    ) -> Planes {
        let (pitch, plane, line_len) = Self::sizes::<V, M>(grid, rows);
        // SAFETY: the line is the end of the room.
        unsafe {
            let line = room.add(M * M * plane + pitch + 2 * V::LANES);
            core::slice::from_raw_parts_mut(line, line_len).fill(0.0);
            Planes { start: room, pitch, plane, line, line_len }
        }
    }

    /// Sorts what rows of tiles read of a channel.
    ///
    /// # Safety
    /// As for [`Vector`](crate::matmul::vector::Vector). No more rows than the planes were made for.
    #[inline(always)]
    unsafe fn fill<V: Weave<Element = f32>, const M: usize, const T: usize>(
        &mut self,
        grid: &Grid,
        channel: &[f32],
        rows: Range<usize>,
    ) {
        let width = grid.source[1];
        // SAFETY: the line holds `M` whole vectors for each vector of a plane's row, and the source's row within them. Rows
        // are written in order, so that what a store leaves behind the end of a row is overwritten by the next.
        unsafe {
            let line = core::slice::from_raw_parts_mut(self.line, self.line_len);
            for row in 0..M * (rows.len() - 1) + T {
                let to = self.start.add(row % M * M * self.plane + row / M * self.pitch);
                let source = (rows.start * M + row).checked_sub(grid.padding[0]).filter(|&row| row < grid.source[0]);
                match source {
                    Some(row) => line[grid.padding[1]..][..width].copy_from_slice(&channel[row * width..][..width]),
                    None => {
                        for column in 0..M {
                            core::slice::from_raw_parts_mut(to.add(column * self.plane), self.pitch).fill(0.0);
                        }
                        continue;
                    }
                }
                for first in (0..self.pitch).step_by(V::LANES) {
                    let pixels = self.line.add(first * M);
                    let mut sorted = [V::splat(0.0); M];
                    for (i, sorted) in sorted.iter_mut().enumerate() {
                        *sorted = V::load(pixels.add(i * V::LANES));
                    }
                    let sorted = unweave(sorted);
                    for (column, sorted) in sorted.into_iter().enumerate() {
                        sorted.store(to.add(column * self.plane + first));
                    }
                }
            }
        }
    }
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

/// Transforms rows of tiles of some channels, `source` beginning with them and holding an image every `of_image` elements.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector). The points must have room for the channels and tiles; the planes were
/// made for so many rows.
#[inline(always)]
pub(super) unsafe fn transform<V: Weave<Element = f32>, const M: usize, const T: usize>(
    grid: &Grid,
    (source, of_image): (&[f32], usize),
    channels: usize,
    rows: Range<usize>,
    planes: &mut Planes,
    points: Points,
) where
    Image: Matrix<T, T>,
{
    let size = grid.source[0] * grid.source[1];
    let columns = grid.tiles[1];
    for channel in 0..channels {
        let mut tile = 0;
        for (image, rows) in grid.images(rows.clone()) {
            let pixels = &source[image * of_image + channel * size..][..size];
            // SAFETY: tiles and one vector beyond lie within the points, reads of a plane within it and what follows it.
            unsafe {
                planes.fill::<V, M, T>(grid, pixels, rows.clone());
                for row in 0..rows.len() {
                    for first in (0..columns).step_by(V::LANES) {
                        let from = planes.start.add(row * planes.pitch + first);
                        let mut d = [[V::splat(0.0); T]; T];
                        for i in 0..T {
                            for j in 0..T {
                                let plane = i % M * M + j % M;
                                d[i][j] = V::load(from.add(plane * planes.plane + i / M * planes.pitch + j / M));
                            }
                        }
                        let v = both_axes::<Image, V, T, T>(d);
                        let to = points.start.add(channel * points.channel + tile + first);
                        for i in 0..T {
                            for j in 0..T {
                                v[i][j].store(to.add((i * T + j) * points.point));
                            }
                        }
                    }
                    tile += columns;
                }
            }
        }
    }
}

/// Transforms products back to rows of tiles of some channels, `target` beginning with them and holding an image every
/// `of_image` elements.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector). The points must hold the channels and tiles.
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
    let [height, width] = grid.target;
    let columns = grid.tiles[1];
    for channel in 0..channels {
        let mut tile = 0;
        for (image, rows) in grid.images(rows.clone()) {
            let target = &mut target[image * of_image + channel * height * width..][..height * width];
            for row in rows {
                for first in (0..columns).step_by(V::LANES) {
                    // SAFETY: tiles and one vector beyond lie within the points; stores stay within a row of the target.
                    unsafe {
                        let from = points.start.add(channel * points.channel + tile + first);
                        let mut products = [[V::splat(0.0); T]; T];
                        for i in 0..T {
                            for j in 0..T {
                                products[i][j] = V::load(from.add((i * T + j) * points.point));
                            }
                        }
                        let results = both_axes::<Output, V, T, M>(products);
                        for i in 0..M.min(height - row * M) {
                            let start = (row * M + i) * width + first * M;
                            let mut left = width - first * M;
                            let to = target[start..start + left.min(M * V::LANES)].as_mut_ptr();
                            for (part, pixels) in weave(results[i]).into_iter().enumerate() {
                                let count = left.min(V::LANES);
                                if count > 0 {
                                    pixels.store_up_to(to.add(part * V::LANES), count);
                                }
                                left -= count;
                            }
                        }
                    }
                }
                tile += columns;
            }
        }
    }
}

/// Elements of the room for rows of pixels turned by [`transform_adjoint`].
pub(super) fn turned_len<V: Weave, const M: usize>(grid: &Grid) -> usize {
    M * M * grid.tiles[1] * 2 * V::LANES
}

/// Transforms rows of tiles of a cotangent, up to two vectors of its channels, which `source` begins with, holding an image
/// every `of_image` elements. At each point the tiles follow one another, their channels side by side.
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
    let columns = grid.tiles[1];
    let mut to = points.start;
    for (image, rows) in grid.images(rows) {
        let pixels = &source[image * of_image..][..channels * height * width];
        for row in rows {
            // SAFETY: a row of the cotangent is read for so many channels; tiles lie within their room, turned pixels within
            // theirs.
            unsafe {
                for i in 0..M {
                    let turned = turned.add(i * M * columns * across);
                    let line = row * M + i;
                    let inside = if line < height { width } else { 0 };
                    if inside > 0 {
                        let start = pixels[line * width..].as_ptr();
                        let block = Block { start, across: height * width, inner: 1, width: channels, k: width };
                        pack::<V>(block, across, turned);
                    }
                    // Tiles over the edge see zeros there.
                    core::slice::from_raw_parts_mut(turned.add(inside * across), (M * columns - inside) * across)
                        .fill(0.0);
                }
                for column in 0..columns {
                    for half in 0..2 {
                        let from = turned.add(column * M * across + half * V::LANES);
                        let mut y = [[V::splat(0.0); M]; M];
                        for i in 0..M {
                            for j in 0..M {
                                y[i][j] = V::load(from.add((i * M * columns + j) * across));
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
