//! The adjoints of a convolution whose results were pooled: of each window only the largest result counts.
//!
//! The cotangent of the results is zero but at the places of the pooling, a quarter of them for windows of 2 x 2, and
//! fewer where what follows rectifies. It is never made. A place and its number meet what the filter sees there: with
//! channels innermost the pixels under a row of a filter lie side by side, and so do the row's entries. Both adjoints
//! are sums of such *rows* times numbers. For `w_bar` an output channel sums the pixels at its places; for `x_bar` a
//! place sums the filters of the output channels that chose it. Sums of one list stay in registers, and zeros are left
//! out.

#![expect(clippy::needless_range_loop, reason = "vectors of a sum, by number")]
#![expect(unsafe_code, reason = "vector loads from rows at offsets; the rooms' sizes are computed here")]

use super::{Conv2d, PIECES};
use crate::dispatch::{Level, simd_level};
use crate::float::Constants;
use crate::matmul::pack::{Block, pack};
use crate::matmul::vector::{Vector, Work, at_level};
use crate::scratch::Scratch;
use crate::{Float, Par};
use core::ops::Range;

/// Elements that rooms of rows are rounded up to, and what a vector may read beyond a row.
const LINE: usize = 16;
/// Entries that are listed before they are summed, about.
const LISTED: usize = 1 << 10;
/// Length of a run of pixels up to which all runs of a window are brought together: a short one would leave most lanes
/// empty.
const SHORT: usize = 8;
/// Elements that windows of an image brought together may have: more would not stay in a cache, and take many times the
/// memory of the image.
const TOGETHER: usize = 1 << 17;

/// A number, and where the row begins that it meets.
#[derive(Clone, Copy)]
pub(crate) struct Entry<F> {
    number: F,
    row: u32,
}

/// A sum: its entries end here, those of the next begin; and where it goes.
#[derive(Clone, Copy)]
pub(crate) struct List {
    end: usize,
    target: usize,
}

/// Sums of rows times numbers, to be added to a target.
pub(crate) struct Sums<'a, F> {
    entries: &'a [Entry<F>],
    lists: &'a [List],
    /// How far the rows, and the targets, of each run of a window lie from those of its first.
    runs: &'a [[usize; 2]],
    /// Length of a run.
    len: usize,
    /// With room for a vector beyond the last.
    rows: &'a [F],
    target: &'a mut [F],
}

/// Computes sums with the vectors of a level.
pub(crate) fn add_sums_at<F: Float>(level: Level, sums: Sums<'_, F>) {
    // SAFETY: what is read and written is checked there.
    unsafe { at_level::<F, _>(level, sums) }
}

impl<V: Vector> Work<V> for Sums<'_, V::Element> {
    /// A few vectors of a run at a time for all lists.
    #[inline(always)]
    unsafe fn run(mut self) {
        let Sums { entries, lists, runs, len, .. } = self;
        let [row, target] = [0, 1].map(|of| runs.iter().map(|run| run[of]).max().unwrap_or(0));
        let last_row = entries.iter().map(|entry| entry.row as usize).max().unwrap_or(0);
        let last_target = lists.iter().map(|list| list.target).max().unwrap_or(0);
        assert!(last_row + row + len + LINE <= self.rows.len(), "rows have room for whole vectors");
        assert!(last_target + target + len <= self.target.len(), "targets have room for runs");
        for &run in runs {
            let mut first = 0;
            while first < len {
                // SAFETY: rows and targets have been checked.
                let vectors = unsafe {
                    // A sum is a chain of additions that wait for each other: few vectors need several.
                    match (len - first).div_ceil(V::LANES) {
                        1 => add_vectors::<V, 1, 4>(&mut self, run, first),
                        2 | 3 => add_vectors::<V, 2, 4>(&mut self, run, first),
                        4 | 5 => add_vectors::<V, 4, 2>(&mut self, run, first),
                        6 | 7 => add_vectors::<V, 6, 1>(&mut self, run, first),
                        _ => add_vectors::<V, 8, 1>(&mut self, run, first),
                    }
                };
                first += vectors * V::LANES;
            }
        }
    }
}

/// Computes `N` vectors of all sums, in `CHAINS` chains each; returns how many.
///
/// # Safety
/// As for [`Vector`]. The rows must be readable for whole vectors at each entry and run, the target writable for each
/// list and run.
#[inline(always)]
unsafe fn add_vectors<V: Vector, const N: usize, const CHAINS: usize>(
    sums: &mut Sums<'_, V::Element>,
    [row, target]: [usize; 2],
    first: usize,
) -> usize {
    // SAFETY: by the contract above; of a vector that ends a run only what belongs to it is read and written of the
    // target.
    unsafe {
        let rows = sums.rows.as_ptr().add(row + first);
        let target = sums.target.as_mut_ptr().add(target + first);
        let one = V::splat(V::Element::ONE);
        let mut from = 0;
        for list in sums.lists {
            let (entries, rest) = sums.entries[from..list.end].as_chunks::<CHAINS>();
            from = list.end;
            let mut sum = [[V::splat(V::Element::ZERO); N]; CHAINS];
            macro_rules! add_row {
                ($sum:expr, $entry:expr) => {
                    let (number, row) = (V::splat($entry.number), rows.add($entry.row as usize));
                    for v in 0..N {
                        $sum[v] = number.mul_add(V::load(row.add(v * V::LANES)), $sum[v]);
                    }
                };
            }
            for entries in entries {
                for chain in 0..CHAINS {
                    add_row!(sum[chain], entries[chain]);
                }
            }
            for entry in rest {
                add_row!(sum[0], entry);
            }
            for chain in 1..CHAINS {
                for v in 0..N {
                    sum[0][v] = one.mul_add(sum[chain][v], sum[0][v]);
                }
            }
            for (v, &sum) in sum[0].iter().enumerate() {
                let y = target.add(list.target + v * V::LANES);
                let left = sums.len - first - v * V::LANES;
                if left >= V::LANES {
                    one.mul_add(sum, V::load(y)).store(y);
                } else {
                    one.mul_add(sum, V::load_first(y, left)).store_first(y, left);
                }
            }
        }
    }
    N
}

/// A matrix `[rows, columns]`, turned, with the vectors of a level.
pub(crate) fn turn_at<F: Float>(level: Level, rows: usize, x: &[F], y: &mut [F]) {
    // SAFETY: lengths are compared there.
    unsafe { at_level::<F, _>(level, Turn { rows, x, y }) }
}

/// What [`turn_at`] does.
struct Turn<'a, F> {
    rows: usize,
    x: &'a [F],
    y: &'a mut [F],
}

impl<V: Vector> Work<V> for Turn<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let Turn { rows, x, y } = self;
        let columns = x.len() / rows;
        assert!(x.len() == rows * columns && y.len() == x.len(), "a matrix has as many elements as its transpose");
        // SAFETY: the caller has the instructions; lengths were just compared.
        unsafe {
            let block = Block { start: x.as_ptr(), across: columns, inner: 1, width: rows, k: columns };
            pack::<V>(block, rows, y.as_mut_ptr());
        }
    }
}

/// Where windows and rows lie in the images of a group, channels innermost and zeros around them.
struct Frame<'a> {
    conv: &'a Conv2d,
    channels: usize,
    outs: usize,
    /// Elements of a row of pixels, zeros included, and of an image.
    pitch: usize,
    image: usize,
    /// Where the window of each result begins.
    windows: Vec<u32>,
    /// Where each run of a window begins: a row of the filter, or an entry where its entries lie apart.
    runs: Vec<usize>,
    /// Entries of the filter in a run.
    taps: usize,
}

impl<'a> Frame<'a> {
    fn new(conv: &'a Conv2d) -> Frame<'a> {
        let Conv2d { size, kernel, stride, padding, dilation, groups, .. } = *conv;
        let channels = conv.inputs / groups;
        let pitch = (size[1] + 2 * padding[1]) * channels;
        let image = (size[0] + 2 * padding[0]) * pitch;
        let [rows, columns] = conv.output_size();
        let window = |r: usize, q: usize| (r * stride[0] * pitch + q * stride[1] * channels) as u32;
        let taps = if dilation[1] == 1 { kernel[1] } else { 1 };
        let run = |i: usize, j: usize| i * dilation[0] * pitch + j * dilation[1] * channels;
        Frame {
            conv,
            channels,
            outs: conv.outputs / groups,
            pitch,
            image,
            windows: (0..rows).flat_map(|r| (0..columns).map(move |q| window(r, q))).collect(),
            runs: (0..kernel[0]).flat_map(|i| (0..kernel[1]).step_by(taps).map(move |j| run(i, j))).collect(),
            taps,
        }
    }

    /// Elements of a run.
    fn run_len(&self) -> usize {
        self.taps * self.channels
    }

    /// For each row of pixels: where it lies in an image without zeros, and in one with them.
    fn pixel_rows(&self) -> impl Iterator<Item = [Range<usize>; 2]> {
        let Conv2d { size: [height, width], padding: [above, left], .. } = *self.conv;
        let (len, pitch, start) = (width * self.channels, self.pitch, above * self.pitch + left * self.channels);
        (0..height).map(move |row| [row * len..(row + 1) * len, start + row * pitch..start + row * pitch + len])
    }

    /// Entries of one filter, in the order of runs, channels innermost, with where each lies in the filter as it is
    /// given.
    fn entries(&self) -> impl Iterator<Item = (usize, usize)> {
        let (channels, taps) = (self.channels, self.conv.kernel[0] * self.conv.kernel[1]);
        (0..taps).flat_map(move |tap| (0..channels).map(move |c| (tap * channels + c, c * taps + tap)))
    }
}

/// Whether 32 bits number the rows: in an image with its zeros, in windows brought together, in filters.
pub(super) fn rows_are_numbered(conv: &Conv2d) -> bool {
    let row = (conv.inputs / conv.groups).saturating_mul(conv.kernel[1]).saturating_add(2 * LINE);
    let padded = |axis: usize| conv.padding[axis].saturating_mul(2).saturating_add(conv.size[axis]);
    let pixels = padded(0).saturating_mul(padded(1)).max(conv.outputs);
    row.saturating_mul(conv.kernel[0]).saturating_mul(pixels) <= u32::MAX as usize
}

/// Whether [`conv2d_pooled_input_adjoint`] and [`conv2d_pooled_weight_adjoint`] take less time than the adjoints for
/// all results: where at most a third of them, `pooled`, are left, and for the images where filters have long rows.
#[must_use]
pub fn pooled_adjoints_pay(conv: &Conv2d, pooled: usize) -> [bool; 2] {
    let [rows, columns] = conv.output_size();
    let few = pooled <= conv.batch * conv.outputs * rows * columns / 3 && rows_are_numbered(conv);
    let of_group = conv.inputs / conv.groups;
    let run = if conv.dilation[1] == 1 { of_group * conv.kernel[1] } else { of_group };
    [few && run > SHORT, few]
}

/// The adjoint for the filters of [`conv2d`](super::conv2d) with [`max_pool2d`](crate::pool::max_pool2d) behind it:
/// `y_bar` is the cotangent of what was pooled, `at` the places. A cotangent of zero adds nothing, even to an infinity.
///
/// Other sums than by the two adjoints one after the other; as exact as sums of all products.
///
/// # Panics
/// When a slice does not have the length `conv` says, a place is not in its plane, `groups` does not divide the
/// channels, or an image has too many to number the pixels its filters see with 32 bits.
pub fn conv2d_pooled_weight_adjoint<F: Float>(
    conv: &Conv2d,
    x: &[F],
    y_bar: &[F],
    at: &[u32],
    w_bar: &mut [F],
    par: Par,
) {
    weight_adjoint_at(simd_level(), conv, x, y_bar, at, w_bar, par);
}

pub(super) fn weight_adjoint_at<F: Float>(
    level: Level,
    conv: &Conv2d,
    x: &[F],
    y_bar: &[F],
    at: &[u32],
    w_bar: &mut [F],
    par: Par,
) {
    conv.assert_holds_pooled(x, w_bar, y_bar, at);
    if x.is_empty() || w_bar.is_empty() || y_bar.is_empty() {
        return w_bar.fill(F::ZERO);
    }
    let (frame, par) = (Frame::new(conv), conv.par(par));
    let sums = WeightSums::new(&frame);
    // Images are summed in parts, the parts in their order: how many there are depends on the sizes only.
    let part = conv.batch.div_ceil(PIECES / 2);
    let parts = conv.batch.div_ceil(part);
    let of_part = conv.outputs * sums.filter;
    let mut room = Scratch::take::<F>(parts * of_part);
    let all = room.elements_mut::<F>(parts * of_part);
    par.for_each(all.chunks_mut(of_part).enumerate(), |(i, target)| {
        let images = i * part..((i + 1) * part).min(conv.batch);
        sums.add(level, images, x, y_bar, at, target);
    });
    let (first, others) = all.split_at_mut(of_part);
    for part in others.chunks(of_part) {
        F::add_assign_at(level, first, part);
    }
    for (w_bar, sum) in w_bar.chunks_exact_mut(conv.filter()).zip(first.chunks_exact(sums.filter)) {
        for (entry, place) in frame.entries() {
            w_bar[place] = sum[entry / sums.len * sums.padded + entry % sums.len];
        }
    }
}

/// How the filters' cotangent is summed: runs of a window, or where they are short all of them as one.
struct WeightSums<'a> {
    frame: &'a Frame<'a>,
    /// Whether windows are brought together.
    together: bool,
    /// Length of a run, and distance from one to the next in the sums; elements of a filter there.
    len: usize,
    padded: usize,
    filter: usize,
}

impl WeightSums<'_> {
    fn new<'a>(frame: &'a Frame<'a>) -> WeightSums<'a> {
        let padded = |len: usize| (len + SHORT).next_multiple_of(LINE);
        let (runs, run, whole) = (frame.runs.len(), frame.run_len(), frame.runs.len() * frame.run_len());
        let together = runs > 1 && run <= SHORT && frame.windows.len() * padded(whole) <= TOGETHER;
        let (runs, len) = if together { (1, whole) } else { (runs, run) };
        let padded = padded(len);
        WeightSums { frame, together, len, padded, filter: runs * padded }
    }

    /// Sums over some images.
    fn add<F: Float>(&self, level: Level, images: Range<usize>, x: &[F], y_bar: &[F], at: &[u32], target: &mut [F]) {
        let WeightSums { frame, padded, .. } = *self;
        let (conv, outs) = (frame.conv, frame.outs);
        let groups = images.start * conv.groups..images.end * conv.groups;
        let (image, results) = (x.len() / (conv.batch * conv.groups), y_bar.len() / (conv.batch * conv.outputs));
        let windows = if self.together { frame.windows.len() * padded } else { 0 };
        let mut room = Scratch::take::<F>(image + frame.image + LINE + windows + LINE);
        let room = room.elements_mut::<F>(image + frame.image + LINE + windows + LINE);
        let (turned, room) = room.split_at_mut(image);
        let (pixels, brought) = room.split_at_mut(frame.image + LINE);
        pixels.fill(F::ZERO);
        // Where the runs of a window begin, and where it does for each place.
        let (runs, starts): (Vec<[usize; 2]>, Vec<u32>) = match self.together {
            true => (vec![[0, 0]], (0..frame.windows.len()).map(|i| (i * padded) as u32).collect()),
            false => {
                (frame.runs.iter().enumerate().map(|(i, &run)| [run, i * padded]).collect(), frame.windows.clone())
            }
        };
        // So many output channels at a time that their lists stay in a cache.
        let mut lists = vec![List { end: 0, target: 0 }; (LISTED / results).clamp(1, outs)];
        let listed = lists.len() * results;
        let mut entries = vec![Entry { number: F::ZERO, row: 0 }; listed];
        target.fill(F::ZERO);
        for group in groups {
            F::turn_at(level, frame.channels, &x[group * image..][..image], turned);
            for [from, to] in frame.pixel_rows() {
                pixels[to].copy_from_slice(&turned[from]);
            }
            if self.together {
                for (j, run) in frame.runs.iter().enumerate() {
                    // Of the greatest length: what is too much, the next run overwrites.
                    let place = j * frame.run_len()..j * frame.run_len() + SHORT;
                    for (to, &window) in brought.chunks_exact_mut(padded).zip(&frame.windows) {
                        to[place.clone()].copy_from_slice(&pixels[window as usize + run..][..SHORT]);
                    }
                }
            }
            let rows = if self.together { &*brought } else { &*pixels };
            let planes = group * outs * results..(group + 1) * outs * results;
            let (y_bar, at) = (y_bar[planes.clone()].chunks(listed), at[planes].chunks(listed));
            for (i, (y_bar, at)) in y_bar.zip(at).enumerate() {
                let first = group % conv.groups * outs + i * lists.len();
                let planes = y_bar.chunks_exact(results).zip(at.chunks_exact(results));
                let mut count = 0;
                for (out, (list, (y_bar, at))) in lists.iter_mut().zip(planes).enumerate() {
                    for (&number, &at) in y_bar.iter().zip(at) {
                        entries[count] = Entry { number, row: starts[at as usize] };
                        count += usize::from(number != F::ZERO);
                    }
                    *list = List { end: count, target: (first + out) * self.filter };
                }
                let (entries, lists, runs) = (&entries[..count], &lists[..y_bar.len() / results], &runs[..]);
                F::conv_add_sums_at(level, Sums { entries, lists, runs, len: self.len, rows, target });
            }
        }
    }
}

/// The adjoint for the images of [`conv2d`](super::conv2d) with [`max_pool2d`](crate::pool::max_pool2d) behind it:
/// `y_bar` is the cotangent of what was pooled, `at` the places. A cotangent of zero adds nothing, even to an infinity.
///
/// Other sums than by the two adjoints one after the other; as exact as sums of all products.
///
/// # Panics
/// As [`conv2d_pooled_weight_adjoint`].
pub fn conv2d_pooled_input_adjoint<F: Float>(
    conv: &Conv2d,
    w: &[F],
    y_bar: &[F],
    at: &[u32],
    x_bar: &mut [F],
    par: Par,
) {
    input_adjoint_at(simd_level(), conv, w, y_bar, at, x_bar, par);
}

pub(super) fn input_adjoint_at<F: Float>(
    level: Level,
    conv: &Conv2d,
    w: &[F],
    y_bar: &[F],
    at: &[u32],
    x_bar: &mut [F],
    par: Par,
) {
    conv.assert_holds_pooled(x_bar, w, y_bar, at);
    if x_bar.is_empty() || w.is_empty() || y_bar.is_empty() {
        return x_bar.fill(F::ZERO);
    }
    let (frame, par) = (Frame::new(conv), conv.par(par));
    let (outs, len) = (frame.outs, frame.run_len());
    // Filters of a group: for each run, those of all output channels.
    let padded = (len.div_ceil(LINE) | 1) * LINE;
    let of_run = outs * padded;
    let of_group = frame.runs.len() * of_run + LINE;
    let mut room = Scratch::take::<F>(conv.groups * of_group);
    let packed = room.elements_mut::<F>(conv.groups * of_group);
    packed.fill(F::ZERO);
    for (out, w) in w.chunks_exact(conv.filter()).enumerate() {
        let packed = &mut packed[out / outs * of_group..][..of_group];
        for (entry, place) in frame.entries() {
            packed[entry / len * of_run + out % outs * padded + entry % len] = w[place];
        }
    }
    let packed = &*packed;
    let runs: Vec<[usize; 2]> = frame.runs.iter().enumerate().map(|(i, &run)| [i * of_run, run]).collect();
    let image = x_bar.len() / (conv.batch * conv.groups);
    let results = y_bar.len() / (conv.batch * conv.outputs);
    let of_piece = (conv.batch * conv.groups).div_ceil(PIECES);
    par.for_each(x_bar.chunks_mut(of_piece * image).enumerate(), |(piece, x_bar)| {
        let mut room = Scratch::take::<F>(image + frame.image);
        let (turned, pixels) = room.elements_mut::<F>(image + frame.image).split_at_mut(image);
        let mut entries = vec![Entry { number: F::ZERO, row: 0 }; outs * results];
        let mut lists = vec![List { end: 0, target: 0 }; frame.windows.len()];
        for (i, x_bar) in x_bar.chunks_exact_mut(image).enumerate() {
            let group = piece * of_piece + i;
            pixels.fill(F::ZERO);
            let planes = group * outs * results..(group + 1) * outs * results;
            let (y_bar, at) = (&y_bar[planes.clone()], &at[planes]);
            let count = sort_by_place(y_bar, at, results, padded, &frame.windows, &mut lists, &mut entries);
            let rows = &packed[group % conv.groups * of_group..][..of_group];
            let (entries, lists, runs) = (&entries[..count], &lists[..], &runs[..]);
            F::conv_add_sums_at(level, Sums { entries, lists, runs, len, rows, target: &mut *pixels });
            for [to, from] in frame.pixel_rows() {
                turned[to].copy_from_slice(&pixels[from]);
            }
            F::turn_at(level, image / frame.channels, turned, x_bar);
        }
    });
}

/// Lists for each place the output channels that chose it, in their order, by counting; returns how many entries they
/// have.
fn sort_by_place<F: Float>(
    y_bar: &[F],
    at: &[u32],
    results: usize,
    padded: usize,
    windows: &[u32],
    lists: &mut [List],
    entries: &mut [Entry<F>],
) -> usize {
    for (list, &window) in lists.iter_mut().zip(windows) {
        *list = List { end: 0, target: window as usize };
    }
    for (&number, &at) in y_bar.iter().zip(at) {
        lists[at as usize].end += usize::from(number != F::ZERO);
    }
    // Where the entries of each begin, and with the entries where they end.
    let mut count = 0;
    for list in &mut *lists {
        count += core::mem::replace(&mut list.end, count);
    }
    for (out, (y_bar, at)) in y_bar.chunks_exact(results).zip(at.chunks_exact(results)).enumerate() {
        let row = (out * padded) as u32;
        for (&number, &at) in y_bar.iter().zip(at) {
            if number != F::ZERO {
                let end = &mut lists[at as usize].end;
                entries[*end] = Entry { number, row };
                *end += 1;
            }
        }
    }
    count
}
