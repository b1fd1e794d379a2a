//! Where the results of a convolution go.

use crate::Float;
use crate::dispatch::Level;
use crate::pool::{Pool2d, Span};
use crate::scratch::Scratch;

/// Planes of results: as they are, or pooled while they are in a cache.
pub(crate) enum Target<'a, F> {
    Whole { plane: usize, y: &'a mut [F] },
    Pooled { pool: &'a Pool2d, spans: &'a [Span], y: &'a mut [F], at: &'a mut [u32] },
}

impl<'a, F: Float> Target<'a, F> {
    /// How many.
    pub(super) fn planes(&self) -> usize {
        match self {
            Target::Whole { plane, y } => y.len() / plane,
            Target::Pooled { pool, y, .. } => y.len() / pool.planes()[1],
        }
    }

    /// Elements of planes as they are.
    pub(super) fn elements(&self) -> usize {
        match self {
            Target::Whole { y, .. } => y.len(),
            Target::Pooled { pool, .. } => self.planes() * pool.planes()[0],
        }
    }

    /// The same planes, for a while.
    pub(super) fn borrow(&mut self) -> Target<'_, F> {
        match self {
            Target::Whole { plane, y } => Target::Whole { plane: *plane, y },
            Target::Pooled { pool, spans, y, at } => Target::Pooled { pool, spans, y, at },
        }
    }

    /// So many planes at a time.
    pub(super) fn cut(self, planes: usize) -> Vec<Target<'a, F>> {
        match self {
            Target::Whole { plane, y } => y.chunks_mut(planes * plane).map(|y| Target::Whole { plane, y }).collect(),
            Target::Pooled { pool, spans, y, at } => {
                let len = planes * pool.planes()[1];
                let pieces = y.chunks_mut(len).zip(at.chunks_mut(len));
                pieces.map(|(y, at)| Target::Pooled { pool, spans, y, at }).collect()
            }
        }
    }

    /// Lets `compute` write the planes.
    pub(super) fn write(self, level: Level, compute: impl FnOnce(&mut [F])) {
        let elements = self.elements();
        match self {
            Target::Whole { y, .. } => compute(y),
            Target::Pooled { pool, spans, y, at } => {
                let mut room = Scratch::take::<F>(elements);
                let room = room.elements_mut::<F>(elements);
                compute(room);
                F::max_planes_at(level, pool, spans, room, y, at);
            }
        }
    }
}
