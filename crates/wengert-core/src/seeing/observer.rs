//! Who looks on while a tape records and sweeps.

use super::profile::{Event, Log, Phase};
use super::times::Times;
use super::watch::{Quantity, Suspect, Watch};
use crate::error::Caller;
use crate::tape::{Tape, Var};
use crate::tensor::{Nodes, Origin, TensorAdjoints, TensorFloat, TensorVar};
use core::cell::RefCell;
use std::sync::{Mutex, Weak};
use std::time::Instant;
use wengert_tensor::Tensor;

/// The profile and the watch of a tape, if any.
#[derive(Default)]
pub(crate) struct Observer {
    /// Weak: a profile is over when the user drops it.
    log: Weak<Mutex<Log>>,
    pub(super) watch: Option<Watch>,
    /// The line that asked for a gradient that is being recorded: its ops stand in the rules, which no user wrote.
    asked_at: Option<Caller>,
}

/// Gives ops the line that asked for them, while it lives.
pub(crate) struct AskedAt<'a>(&'a RefCell<Observer>);

impl Drop for AskedAt<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().asked_at = None;
    }
}

impl Observer {
    pub(crate) fn is_watching(&self) -> bool {
        self.watch.is_some()
    }

    /// Forgets the lines and times of tensors from number `len` on. What was found stays: a step clears before anyone
    /// asks.
    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(watch) = &mut self.watch {
            watch.callers.truncate(len);
        }
        if let Some(mut log) = self.log.upgrade().as_ref().and_then(|log| log.lock().ok()) {
            log.times.truncate(len);
        }
    }

    /// The times of what lies on the tape; empty where there is no profile.
    pub(super) fn times(&self) -> Times {
        let log = self.log.upgrade();
        log.as_ref().and_then(|log| log.lock().ok()).map(|log| log.times.clone()).unwrap_or_default()
    }

    pub(super) fn write_to(&mut self, log: Weak<Mutex<Log>>) {
        self.log = log;
    }

    /// Notes what an op took. Returns whether anyone still looks on.
    fn note(&self, event: Event) -> bool {
        let log = self.log.upgrade();
        if let Some(mut log) = log.as_ref().and_then(|log| log.lock().ok()) {
            log.note(event);
        }
        log.is_some() || self.watch.is_some()
    }
}

/// The op of a tensor, as listings, profiles and the watch name it.
pub(crate) fn label<F: TensorFloat>(origin: &Origin<F>) -> &'static str {
    match origin {
        Origin::Input => "input",
        Origin::Constant => "constant",
        Origin::Op { rule, .. } => rule.label(),
        Origin::Packed { .. } => "pack",
        Origin::Read { .. } => "read",
    }
}

/// The bytes of a tensor's elements.
pub(super) fn bytes<F: TensorFloat>(x: &Tensor<F>) -> usize {
    x.len() * size_of::<F>()
}

impl<F: TensorFloat> Nodes<F> {
    /// While the guard lives, ops are reported at the line of `caller`.
    pub(crate) fn asked_at(&self, caller: Caller) -> AskedAt<'_> {
        self.observer.borrow_mut().asked_at = Some(caller);
        AskedAt(&self.observer)
    }

    /// The forward computation of an op, begun at `start`: its result is `y`.
    #[cold]
    #[inline(never)]
    pub(crate) fn observe_forward(&self, mut suspect: Suspect<'_, F>, y: &Tensor<F>, start: Instant) {
        let time = start.elapsed();
        let (op, node, bytes, shape) = (suspect.op, suspect.number, bytes(y), y.shape().clone());
        let mut observer = self.observer.borrow_mut();
        suspect.caller = observer.asked_at.or(suspect.caller);
        self.observed.set(observer.note(Event { op, node, phase: Phase::Forward, shape, bytes, start, time }));
        if let Some(watch) = &mut observer.watch {
            watch.remember(suspect.number, suspect.caller);
            watch.look(y, Quantity::Value, &suspect);
        }
    }

    /// The pullback of op `number`.
    #[cold]
    #[inline(never)]
    pub(crate) fn observe_pull<const CAREFUL: bool>(
        &self,
        number: u32,
        scalars: &mut [F],
        tensors: &mut TensorAdjoints<F>,
    ) {
        let nodes = self.nodes.borrow();
        let origin = &nodes.origins[number as usize];
        let op = label(origin);
        let Some(y_bar) = tensors.flowed(number) else {
            // Nothing flowed, or scalars that read a tensor hand their adjoints on: no op.
            return self.pull_op::<CAREFUL>(number, scalars, tensors);
        };
        let operands = match origin {
            Origin::Op { operands, .. } => &operands[..],
            _ => &[],
        };
        let x: Vec<&Tensor<F>> = operands.iter().map(|&k| &nodes.values[k as usize].tensor).collect();
        let mut suspect = Suspect { op, number: number as usize, caller: None, operands: &x };
        if let Some(watch) = &mut self.observer.borrow_mut().watch {
            suspect.caller = watch.caller(suspect.number);
            watch.look_back(y_bar, Quantity::Cotangent, &suspect);
        }
        let (shape, bytes) = (y_bar.shape().clone(), bytes(y_bar));
        let start = Instant::now();
        self.pull_op::<CAREFUL>(number, scalars, tensors);
        let time = start.elapsed();
        let mut observer = self.observer.borrow_mut();
        let node = suspect.number;
        self.observed.set(observer.note(Event { op, node, phase: Phase::Sweep, shape, bytes, start, time }));
        let Some(watch) = &mut observer.watch else { return };
        for (k, &operand) in operands.iter().enumerate() {
            if let Some(x_bar) = tensors.flowed(operand) {
                watch.look_back(x_bar, Quantity::OperandCotangent(k), &suspect);
            }
        }
    }

    /// What a watched sweep left: adjoints of scalars, and of inputs, where the sum of finite parts may be infinite.
    pub(crate) fn watch_after_sweep(&self, scalars: &[F], tensors: &TensorAdjoints<F>, place: impl Fn(u32) -> usize) {
        let nodes = self.nodes.borrow();
        let Some(watch) = &mut self.observer.borrow_mut().watch else { return };
        // The slot of constants collects what no one reads.
        let bad = scalars.iter().skip(1).rposition(|x_bar| !wengert_kernels::Float::is_finite(*x_bar)).map(|k| k + 1);
        if let Some(node) = bad {
            watch.look_at_scalar(node, scalars[node], place);
        }
        for &number in &*self.asked_for.borrow() {
            if let Some(x_bar) = tensors.flowed(number) {
                let (op, number) = (label(&nodes.origins[number as usize]), number as usize);
                let suspect = Suspect { op, number, caller: watch.caller(number), operands: &[] };
                watch.look_back(x_bar, Quantity::Cotangent, &suspect);
            }
        }
        watch.end_of_sweep();
    }
}

impl<F: TensorFloat> Tape<F> {
    /// Packing scalars is an op like any other.
    #[cold]
    #[inline(never)]
    pub(crate) fn observe_pack<'t>(&'t self, scalars: &[Var<'t, F>], caller: Caller) -> TensorVar<'t, F> {
        let start = Instant::now();
        let y = self.pack_from(scalars, caller);
        let suspect = Suspect { op: "pack", number: y.number() as usize, caller: Some(caller), operands: &[] };
        self.tensors.observe_forward(suspect, &y.peek(), start);
        y
    }
}
