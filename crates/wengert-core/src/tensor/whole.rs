//! Ops made of several. Refused, they leave nothing of themselves on the tape, and the error names the whole, not the
//! step.

use super::{TensorFloat, TensorVar};
use crate::error::{Caller, Error};
use crate::tape::{Mark, Tape};
use core::cell::Cell;
use core::panic::Location;

/// What a tape knows of the op whose steps are being recorded.
#[derive(Default)]
pub(super) struct Composed {
    /// Its name, and where it stands.
    op: Cell<Option<(&'static str, Caller)>>,
    refused: Cell<bool>,
}

impl Composed {
    /// An error of a step becomes one of the whole.
    #[cold]
    pub(super) fn refuse(&self, error: Error) -> Error {
        let Some((op, _)) = self.op.get() else { return error };
        self.refused.set(true);
        error.called(op)
    }

    /// Where the op of a step stands; `caller`, if the step is an op itself.
    pub(super) fn caller(&self, caller: Caller) -> Caller {
        self.op.get().map_or(caller, |(_, whole)| whole)
    }
}

/// While it lives, what is recorded are steps of one op. Dropped after one of them was refused, it takes back the
/// others.
#[must_use]
pub(crate) struct Whole<'t, F: TensorFloat> {
    tape: &'t Tape<F>,
    /// Where the steps began; nowhere if the op is a step itself.
    begun: Option<Mark>,
}

/// Takes back what is recorded while it lives, unless it is kept: of what is refused half-way, or panics, nothing
/// stays.
#[must_use]
pub(super) struct Attempt<'t, F: TensorFloat> {
    tape: &'t Tape<F>,
    begun: Option<Mark>,
}

impl<F: TensorFloat> Attempt<'_, F> {
    pub(super) fn keep(mut self) {
        self.begun = None;
    }
}

impl<F: TensorFloat> Drop for Attempt<'_, F> {
    fn drop(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.tape.forget_after(begun);
        }
    }
}

impl<F: TensorFloat> Tape<F> {
    /// What is recorded from here on stays if the attempt is kept.
    pub(super) fn attempt(&self) -> Attempt<'_, F> {
        Attempt { tape: self, begun: Some(self.mark()) }
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// From here on steps of `op` are recorded. The error of a step is that of the whole, and none is passed over:
    /// variables recorded after it would be taken back.
    #[track_caller]
    pub(crate) fn whole(self, op: &'static str) -> Whole<'t, F> {
        let tape = self.tape();
        let composed = &tape.tensors.composed;
        let begun = composed.op.get().is_none().then(|| tape.mark());
        if begun.is_some() {
            composed.op.set(Some((op, Location::caller())));
        }
        Whole { tape, begun }
    }
}

impl<F: TensorFloat> Drop for Whole<'_, F> {
    fn drop(&mut self) {
        let Some(begun) = self.begun else { return };
        let composed = &self.tape.tensors.composed;
        composed.op.set(None);
        if composed.refused.take() {
            // No variable of a step is alive: steps are local to the op, which returned an error.
            self.tape.forget_after(begun);
        }
    }
}
