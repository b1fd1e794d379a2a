//! Spans: the parts of a long program whose adjoints a reverse sweep keeps in one place after the other.
//!
//! Most adjoints live for a short time. In a place that stays in the second-level cache they cost little, where an array
//! for those of all steps would be a pass over memory.

use super::list::{Id, Op};
use super::program::{Places, Program};
use crate::number::Primal;
use crate::tensor::TensorFloat;

/// The spans of a program.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spans {
    /// Steps of a span; the last has no more.
    len: usize,
    /// The slots of results that later spans or outputs read, ascending.
    crossing: Vec<u32>,
}

impl Spans {
    /// One span of all steps.
    pub(super) fn one(steps: usize) -> Self {
        Spans { len: steps.max(1), crossing: Vec::new() }
    }

    /// How many numbers the adjoints are.
    pub(super) fn adjoints<F: TensorFloat>(&self, program: &Program<F>) -> usize {
        program.slots.max(self.last(program).start + self.len)
    }

    /// The last of them.
    pub(super) fn last<F: TensorFloat>(&self, program: &Program<F>) -> Window<'_> {
        let first = program.first_result();
        let start = first + (program.slots - first).saturating_sub(1) / self.len * self.len;
        Window { start, shift: 0, crossing: &self.crossing, len: self.len, inputs: program.inputs }
    }
}

/// Finds out which results are read by later spans.
pub(super) struct Crossing {
    /// The value that the first step makes.
    first: usize,
    /// Steps of a span.
    len: usize,
    /// The first step of this span, and its first run.
    start: usize,
    pub(super) run: usize,
    /// Which results cross, if there are several spans.
    steps: Vec<bool>,
    /// Whether steps of many operands read results that no derivative flows to: their adjoints are of no use, and must
    /// not meet those of others.
    has_strays: bool,
}

impl Crossing {
    pub(super) fn new(first: usize, steps: usize, len: usize) -> Self {
        let steps = vec![false; if steps > len { steps } else { 0 }];
        Crossing { first, len, start: 0, run: 0, steps, has_strays: false }
    }

    /// Goes on to step `start`, before which there are as many runs.
    pub(super) fn enter(&mut self, start: usize, runs: usize) {
        if start - self.start == self.len {
            (self.start, self.run) = (start, runs);
        }
    }

    /// Notes the operands of a step.
    #[inline]
    pub(super) fn read(&mut self, operands: &[Id], op: Op, places: &Places) {
        if self.steps.is_empty() {
            return;
        }
        for &id in operands.iter().filter(|id| !id.is_constant()) {
            if let Some(step) = id.number().checked_sub(self.first) {
                let is_active = places.is_active(id);
                self.steps[step] |= is_active && step < self.start;
                self.has_strays |= !is_active && op.arity().is_none();
            }
        }
    }

    /// Notes an output.
    pub(super) fn wanted(&mut self, output: Id) {
        if !self.steps.is_empty() && !output.is_constant() && output.number() >= self.first {
            self.steps[output.number() - self.first] = true;
        }
    }

    /// The spans of a list whose steps have these slots: only one where several would cost more than they save.
    pub(super) fn spans(self, slots: &[u32], first_result: usize, inputs: usize) -> Spans {
        let one = Spans::one(slots.len());
        if self.steps.is_empty() || self.has_strays {
            return one;
        }
        let crossing = slots.iter().zip(&self.steps).filter(|(_, crosses)| **crosses);
        let mut crossing: Vec<u32> = crossing.map(|(&slot, _)| slot).collect();
        crossing.sort_unstable();
        // Each is moved from span to span until its own is reached; those of inputs to the first.
        let last = (slots.len() - 1) / self.len;
        let moves = |&slot: &u32| last - (slot as usize - first_result) / self.len;
        if crossing.iter().map(moves).sum::<usize>() + last * inputs > slots.len() / 4 {
            return one;
        }
        Spans { len: self.len, crossing }
    }
}

/// Where a sweep is: adjoints are `shift` numbers behind their slots, one span more from span to span, so that those of
/// each span lie where those of the last did. The adjoints of what came before the span move along.
pub(super) struct Window<'p> {
    /// The first slot of the span.
    pub(super) start: usize,
    pub(super) shift: usize,
    /// Results of this span and earlier ones that outputs or later spans read.
    crossing: &'p [u32],
    /// Steps of a span.
    len: usize,
    inputs: usize,
}

impl Window<'_> {
    /// Goes on to the span before this.
    #[cold]
    pub(super) fn go_back<R: Primal>(&mut self, bars: &mut [R]) {
        while let Some((&slot, rest)) = self.crossing.split_last()
            && slot as usize >= self.start
        {
            self.crossing = rest;
        }
        let shift = self.shift + self.len;
        for &slot in self.crossing.iter().rev() {
            bars[slot as usize + shift] = core::mem::replace(&mut bars[slot as usize + self.shift], R::ZERO);
        }
        self.move_inputs(bars, shift);
        self.start -= self.len;
    }

    /// Ends the sweep: the adjoints of the inputs are the first then.
    pub(super) fn end<R: Primal>(mut self, bars: &mut [R]) {
        self.move_inputs(bars, 0);
    }

    /// Puts the adjoints of the inputs where they belong with another shift.
    fn move_inputs<R: Primal>(&mut self, bars: &mut [R], shift: usize) {
        let old = core::mem::replace(&mut self.shift, shift);
        if shift != old {
            for k in 0..self.inputs {
                let k = if shift > old { self.inputs - 1 - k } else { k };
                bars[k + shift] = core::mem::replace(&mut bars[k + old], R::ZERO);
            }
        }
    }
}
