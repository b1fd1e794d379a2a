//! What a convolution reads for each of its results, axis by axis, and the planes it reads from.
//!
//! Along one axis, result `r` of a convolution sees `x` at `r s + t` with `t = i d - p` for entry `i` of the filter.
//! With `t = s shift + phase`, `0 <= phase < s`, that is entry `r + shift` of the elements of `x` whose index has
//! remainder `phase`. The adjoint turns this around: element `s r + phase` of `x_bar` sees `y_bar` at `r + shift` for
//! those `i` whose `phase - t` is `s shift`. Both are a list of taps with a shift each, over planes without stride: a
//! [`Pass`].

#![expect(unsafe_code, reason = "loops compiled for instructions that the caller has")]

use crate::float::Constants;
use crate::matmul::pack::copy;
use crate::matmul::vector::{Vector, Work};

/// Products that take the time to copy an element, about.
const COPY: usize = 16;
/// Elements that an image with a plane for each column of the filter may have.
const SPREAD: usize = 1 << 20;

/// An entry of the filter along one axis, and what it sees.
#[derive(Debug, Clone, Copy)]
struct Tap {
    /// Which entry.
    entry: usize,
    /// Which of the axis's planes it reads, by position in [`Axis::starts`].
    plane: usize,
    /// Result `r` sees entry `r + shift` of that plane.
    shift: usize,
}

/// One axis of a pass.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    taps: Vec<Tap>,
    /// Where in the source the first entry of each plane lies; before it, in the zeros around it, if negative.
    starts: Vec<isize>,
    /// Entries of a plane: the results, and as many more as the shifts reach.
    extent: usize,
    /// Entries of the source, and the distance between neighbours in a plane.
    source: usize,
    source_step: usize,
    /// Results, and where they go in the target.
    results: usize,
    pub(crate) target_start: usize,
    pub(crate) target_step: usize,
}

impl Axis {
    /// From `size` entries of `x` to `results` of `y`.
    pub(super) fn forward(size: usize, results: usize, kernel: usize, s: usize, p: usize, d: usize) -> Axis {
        let seen = (0..kernel).map(|entry| (entry, (entry * d) as isize - p as isize));
        Axis::new(seen.collect(), [size, s], results, [0, 1])
    }

    /// From `results` entries of `y_bar` to those of `size` entries of `x_bar` that are `phase` modulo `s`.
    pub(super) fn backward(
        size: usize,
        results: usize,
        kernel: usize,
        s: usize,
        p: usize,
        d: usize,
        phase: usize,
    ) -> Axis {
        let seen = (0..kernel).filter_map(|entry| {
            let t = (phase + p) as isize - (entry * d) as isize;
            (t.rem_euclid(s as isize) == 0).then(|| (entry, t.div_euclid(s as isize)))
        });
        Axis::new(seen.collect(), [results, 1], size.saturating_sub(phase).div_ceil(s), [phase, s])
    }

    /// Of entries of the filter and where in the source the first result sees each.
    fn new(
        seen: Vec<(usize, isize)>,
        [source, source_step]: [usize; 2],
        results: usize,
        [target_start, target_step]: [usize; 2],
    ) -> Axis {
        let step = source_step as isize;
        let first = seen.iter().map(|(_, t)| t.div_euclid(step)).min().unwrap_or(0);
        let mut starts = Vec::new();
        let taps = seen.into_iter().map(|(entry, t)| {
            let start = first * step + t.rem_euclid(step);
            let plane = starts.iter().position(|&known| known == start).unwrap_or_else(|| {
                starts.push(start);
                starts.len() - 1
            });
            Tap { entry, plane, shift: (t.div_euclid(step) - first) as usize }
        });
        let taps: Vec<Tap> = taps.collect();
        let extent = results + taps.iter().map(|tap| tap.shift).max().unwrap_or(0);
        Axis { taps, starts, extent, source, source_step, results, target_start, target_step }
    }

    /// The same results with a plane for each tap, which has the entries that the tap sees and no others.
    fn spread(&self) -> Axis {
        let start = |tap: &Tap| self.starts[tap.plane] + (tap.shift * self.source_step) as isize;
        Axis {
            starts: self.taps.iter().map(start).collect(),
            taps: self.taps.iter().enumerate().map(|(plane, tap)| Tap { plane, shift: 0, ..*tap }).collect(),
            extent: self.results,
            ..*self
        }
    }

    /// For a plane that begins at `start`: its entries that the source has, and the source index of the first.
    fn inside(&self, start: isize) -> (core::ops::Range<usize>, usize) {
        // Entries that lie before the source index.
        let before = |index: usize| {
            let entries = (index as isize - start).max(0) as usize;
            entries.div_ceil(self.source_step).min(self.extent)
        };
        let (from, to) = (before(0), before(self.source));
        (from..to, (start + (from * self.source_step) as isize).max(0) as usize)
    }
}

/// A convolution of planes without stride: what the kernels run.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    axes: [Axis; 2],
    pub(crate) channels: usize,
    pub(crate) outs: usize,
    kernel_width: usize,
    /// Elements from one plane to the next.
    plane: usize,
    /// For each channel and tap, where in the planes the first result's operand lies.
    pub(crate) offsets: Vec<usize>,
}

impl Pass {
    pub(super) fn new(axes: [Axis; 2], kernel: [usize; 2], channels: usize, outs: usize) -> Pass {
        let mut axes = axes;
        let spread = axes[1].spread();
        if spread_pays(&axes, &spread, channels, outs) {
            axes[1] = spread;
        }
        let pitch = axes[1].extent;
        // Whole cache lines, an odd number of them: at a power of two the planes of all channels would share a few
        // cache sets.
        let plane = ((axes[0].extent * pitch).div_ceil(16) | 1) * 16;
        let mut offsets = Vec::with_capacity(channels * axes[0].taps.len() * axes[1].taps.len());
        for channel in 0..channels {
            for row in &axes[0].taps {
                for column in &axes[1].taps {
                    let index = (channel * axes[0].starts.len() + row.plane) * axes[1].starts.len() + column.plane;
                    offsets.push(index * plane + row.shift * pitch + column.shift);
                }
            }
        }
        Pass { axes, channels, outs, kernel_width: kernel[1], plane, offsets }
    }

    /// Length of the inner dimension: channels times taps.
    pub(crate) fn inner(&self) -> usize {
        self.offsets.len()
    }

    /// Rows and columns of results.
    pub(crate) fn grid(&self) -> [usize; 2] {
        [self.axes[0].results, self.axes[1].results]
    }

    /// Results of one output channel.
    pub(crate) fn results(&self) -> usize {
        self.axes[0].results * self.axes[1].results
    }

    /// Elements from one row of a plane to the next.
    pub(crate) fn pitch(&self) -> usize {
        self.axes[1].extent
    }

    pub(crate) fn axes(&self) -> &[Axis; 2] {
        &self.axes
    }

    /// Elements of one channel of an image.
    pub(crate) fn channel_len(&self) -> usize {
        self.axes[0].source * self.axes[1].source
    }

    /// Elements of all planes.
    pub(crate) fn planes_len(&self) -> usize {
        self.channels * self.axes[0].starts.len() * self.axes[1].starts.len() * self.plane
    }

    /// Where in a filter of one channel each tap lies, in the order of the offsets.
    pub(crate) fn entries(&self) -> impl Iterator<Item = usize> + '_ {
        let columns = &self.axes[1].taps;
        self.axes[0]
            .taps
            .iter()
            .flat_map(move |row| columns.iter().map(move |c| row.entry * self.kernel_width + c.entry))
    }

    /// Writes the planes of an image `[channels, height, width]`, zeros around it.
    ///
    /// # Safety
    /// As for [`Vector`].
    #[inline(always)]
    pub(crate) unsafe fn fill<V: Vector>(&self, image: &[V::Element], planes: &mut [V::Element]) {
        // SAFETY: passed on.
        unsafe { V::apart(Fill { pass: self, image, planes }) }
    }
}

/// Whether a plane for each column of the filter, `spread`, pays: results are then neighbours through all rows, and none
/// is computed to be thrown away, at the price of copies.
fn spread_pays([rows, columns]: &[Axis; 2], spread: &Axis, channels: usize, outs: usize) -> bool {
    let planes = |axis: &Axis| axis.starts.len().saturating_mul(axis.extent);
    if planes(rows).saturating_mul(planes(spread)).saturating_mul(channels) > SPREAD {
        return false;
    }
    // Of one channel: products that go, and elements more to copy.
    let sizes = [rows.results, rows.taps.len(), columns.taps.len(), outs];
    let products = sizes.into_iter().fold(columns.extent - columns.results, usize::saturating_mul);
    let copies = planes(rows) * planes(spread).saturating_sub(planes(columns));
    products > COPY * copies
}

/// What [`Pass::fill`] does.
struct Fill<'a, F> {
    pass: &'a Pass,
    image: &'a [F],
    planes: &'a mut [F],
}

impl<V: Vector> Work<V> for Fill<'_, V::Element> {
    #[inline(always)]
    unsafe fn run(self) {
        let Fill { pass, image, planes } = self;
        let [rows, columns] = &pass.axes;
        let (pitch, size) = (pass.pitch(), rows.source * columns.source);
        let mut planes = planes.chunks_exact_mut(pass.plane);
        for channel in image.chunks_exact(size) {
            for &row_start in &rows.starts {
                let (inside, first_row) = rows.inside(row_start);
                for &column_start in &columns.starts {
                    let (from_to, first_column) = columns.inside(column_start);
                    let Some(plane) = planes.next() else { return };
                    plane[..inside.start * pitch].fill(V::Element::ZERO);
                    for (i, row) in plane[inside.start * pitch..inside.end * pitch].chunks_exact_mut(pitch).enumerate()
                    {
                        let source = &channel[(first_row + i * rows.source_step) * columns.source..][..columns.source];
                        row[..from_to.start].fill(V::Element::ZERO);
                        row[from_to.end..].fill(V::Element::ZERO);
                        let row = &mut row[from_to.clone()];
                        if row.is_empty() {
                            continue;
                        }
                        let source = &source[first_column..];
                        match columns.source_step {
                            1 => {
                                let source = &source[..row.len()];
                                // SAFETY: slices of one length.
                                unsafe { copy::<V>(source.as_ptr(), row.len(), row.as_mut_ptr()) }
                            }
                            step => row.iter_mut().zip(source.iter().step_by(step)).for_each(|(y, &x)| *y = x),
                        }
                    }
                    plane[inside.end * pitch..].fill(V::Element::ZERO);
                }
            }
        }
    }
}
