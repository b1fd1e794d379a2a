//! What a convolution reads for each of its results, axis by axis, and the planes it reads from.
//!
//! Along one axis, result `r` of a convolution sees `x` at `r s + t` with `t = i d - p` for entry `i` of the filter.
//! With `t = s shift + phase`, `0 <= phase < s`, that is entry `r + shift` of the elements of `x` whose index has
//! remainder `phase`. The adjoint turns this around: element `s r + phase` of `x_bar` sees `y_bar` at `r + shift` for
//! those `i` whose `phase - t` is `s shift`. Both are a list of taps with a shift each, over planes without stride: a
//! [`Pass`].

#![expect(unsafe_code, reason = "loops compiled for instructions that the caller has")]

use crate::float::Constants;
use crate::matmul::vector::{Vector, Work};

/// An entry of the filter along one axis, and what it sees.
#[derive(Debug, Clone, Copy)]
struct Tap {
    /// Which entry.
    entry: usize,
    /// Which of the axis's phases it reads, by position in [`Axis::phases`].
    plane: usize,
    /// Result `r` sees entry `r + shift` of that phase.
    shift: isize,
}

/// One axis of a pass.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    taps: Vec<Tap>,
    /// Remainders of source indices that are read.
    phases: Vec<usize>,
    /// Entries of the source, and the distance between neighbours in a phase.
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
        let mut phases = Vec::new();
        let taps = (0..kernel).map(|entry| {
            let t = (entry * d) as isize - p as isize;
            let phase = t.rem_euclid(s as isize) as usize;
            let plane = phases.iter().position(|&known| known == phase).unwrap_or_else(|| {
                phases.push(phase);
                phases.len() - 1
            });
            Tap { entry, plane, shift: t.div_euclid(s as isize) }
        });
        let taps = taps.collect();
        Axis { taps, phases, source: size, source_step: s, results, target_start: 0, target_step: 1 }
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
        let taps = (0..kernel).filter_map(|entry| {
            let t = (phase + p) as isize - (entry * d) as isize;
            (t.rem_euclid(s as isize) == 0).then(|| Tap { entry, plane: 0, shift: t.div_euclid(s as isize) })
        });
        Axis {
            taps: taps.collect(),
            phases: vec![0],
            source: results,
            source_step: 1,
            results: size.saturating_sub(phase).div_ceil(s),
            target_start: phase,
            target_step: s,
        }
    }

    /// The smallest shift.
    fn first(&self) -> isize {
        self.taps.iter().map(|tap| tap.shift).min().unwrap_or(0)
    }

    /// Entries of a plane: the results, and as many more as the shifts reach.
    fn extent(&self) -> usize {
        let last = self.taps.iter().map(|tap| tap.shift).max().unwrap_or(0);
        self.results + (last - self.first()) as usize
    }

    /// For a phase: the entries of the plane that the source has, and the source index of the first.
    fn inside(&self, phase: usize) -> (core::ops::Range<usize>, usize) {
        // Entry `e` is source index `(e + first) step + phase`.
        let known = self.source.saturating_sub(phase).div_ceil(self.source_step) as isize;
        let first = self.first();
        let extent = self.extent() as isize;
        let from = (-first).clamp(0, extent);
        let to = (known - first).clamp(from, extent);
        (from as usize..to as usize, (from + first).max(0) as usize * self.source_step + phase)
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
        let pitch = axes[1].extent();
        // Whole cache lines, an odd number of them: at a power of two the planes of all channels would share a few
        // cache sets.
        let plane = ((axes[0].extent() * pitch).div_ceil(16) | 1) * 16;
        let mut offsets = Vec::with_capacity(channels * axes[0].taps.len() * axes[1].taps.len());
        for channel in 0..channels {
            for row in &axes[0].taps {
                for column in &axes[1].taps {
                    let index = (channel * axes[0].phases.len() + row.plane) * axes[1].phases.len() + column.plane;
                    let shift = |axis: &Axis, tap: &Tap| (tap.shift - axis.first()) as usize;
                    offsets.push(index * plane + shift(&axes[0], row) * pitch + shift(&axes[1], column));
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
        self.axes[1].extent()
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
        self.channels * self.axes[0].phases.len() * self.axes[1].phases.len() * self.plane
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
            for &row_phase in &rows.phases {
                let (inside, first_row) = rows.inside(row_phase);
                for &column_phase in &columns.phases {
                    let (from_to, first_column) = columns.inside(column_phase);
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
                            1 => row.copy_from_slice(&source[..row.len()]),
                            step => row.iter_mut().zip(source.iter().step_by(step)).for_each(|(y, &x)| *y = x),
                        }
                    }
                    plane[inside.end * pitch..].fill(V::Element::ZERO);
                }
            }
        }
    }
}
