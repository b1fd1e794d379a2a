//! The recorder: the same operators as on a tape, over a handle that keeps what was done instead of its partials.

use super::draft::Draft;
use super::error::{FunctionError, Place};
use super::list::{Answer, Id, Op};
use crate::custom::RULE;
use crate::tape::node::NOWHERE;
use crate::tape::{Comparison, Handle, Nary, Pullback, Scalar, UnaryOp};
use crate::tensor::TensorFloat;
use core::cell::RefCell;
use smallvec::SmallVec;
use wengert_kernels::{Binary, Parametric, Unary};

/// What [`Function::record`](crate::Function::record) writes to.
#[derive(Debug, Default)]
pub struct Recorder<F> {
    draft: RefCell<Draft<F>>,
    error: RefCell<Option<FunctionError>>,
}

/// Where a [`Symbol`] is recorded: a recorder, or nowhere for a constant made without one.
#[derive(Clone, Copy)]
pub struct OnRecorder<'r, F>(Option<&'r Recorder<F>>);

/// A number under recording: what the closure given to [`Function::record`](crate::Function::record) computes with.
///
/// It has the operators and methods of a [`Var`](crate::Var). Comparisons are taken on its value and kept: replaying
/// where one would come out otherwise is an error. `value()` gives the plain number, which is frozen in the recording.
pub type Symbol<'r, F = f64> = Scalar<F, OnRecorder<'r, F>>;

impl<F: TensorFloat> Recorder<F> {
    /// A recorder with the inputs and the data of a function.
    pub(super) fn new(inputs: usize, data: usize) -> Self {
        Recorder { draft: RefCell::new(Draft::new(inputs, data)), error: RefCell::new(None) }
    }

    /// The symbol of a value that is there before the first step: an input or data.
    pub(super) fn symbol(&self, value: F, number: usize) -> Symbol<'_, F> {
        self.result(value, node(Id::value(number)))
    }

    /// Ends the recording.
    pub(super) fn finish(&self, outputs: &[Symbol<'_, F>]) -> Result<Draft<F>, FunctionError> {
        for output in outputs {
            if output.handle().0.is_some_and(|recorder| !core::ptr::eq(recorder, self)) {
                return Err(FunctionError::TwoRecordings { place: Place::caller() });
            }
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if outputs.is_empty() {
            return Err(FunctionError::NoOutputs);
        }
        let mut draft = self.draft.take();
        for &output in outputs {
            let id = Operand::from(output).id(&mut draft);
            draft.output(id);
        }
        Ok(draft)
    }

    #[cold]
    fn fail(&self, error: FunctionError) {
        self.error.borrow_mut().get_or_insert(error);
    }

    /// Records a comparison.
    pub(super) fn guard(&self, a: Symbol<'_, F>, b: Symbol<'_, F>, question: Comparison, answer: Answer, place: Place) {
        let draft = &mut *self.draft.borrow_mut();
        let (a, b) = (Operand::from(a).id(draft), Operand::from(b).id(draft));
        draft.guard(a, b, question, answer, place);
    }

    /// The symbol of a result.
    #[inline(always)]
    pub(super) fn result(&self, y: F, node: u32) -> Symbol<'_, F> {
        Scalar::recorded(y, F::ONE, OnRecorder(Some(self)), node)
    }

    /// The node of what `write` puts into the draft, an operation on so many operands.
    #[inline(always)]
    fn record(&self, operands: usize, write: impl FnOnce(&mut Draft<F>) -> Id) -> u32 {
        let draft = &mut *self.draft.borrow_mut();
        if !draft.has_room(operands) {
            self.fail(FunctionError::Full { limit: Id::LIMIT });
            return NOWHERE;
        }
        draft.recorded += 1;
        node(write(draft))
    }

    // Called with numbers in registers, by operators that are part of the closure: a symbol that went through memory at
    // every operation would be waited for.

    #[inline(never)]
    fn unary(&self, op: Op, x: Operand<F>) -> u32 {
        self.record(1, |draft| {
            let x = x.id(draft);
            draft.unary(op, x)
        })
    }

    #[inline(never)]
    fn binary(&self, op: Binary, a: Operand<F>, b: Operand<F>) -> u32 {
        self.record(2, |draft| {
            let (a, b) = (a.id(draft), b.id(draft));
            draft.binary(op, a, b)
        })
    }

    #[inline(never)]
    fn parametric(&self, op: Parametric, x: Operand<F>) -> u32 {
        self.record(1, |draft| {
            let x = x.id(draft);
            draft.parametric(op, x)
        })
    }

    #[inline(never)]
    pub(super) fn nary(&self, op: Nary, operands: &[Symbol<'_, F>]) -> u32 {
        self.record(operands.len(), |draft| {
            let operands: SmallVec<[Id; 16]> = operands.iter().map(|&x| Operand::from(x).id(draft)).collect();
            draft.nary(op, &operands)
        })
    }
}

/// What is recorded of a symbol.
#[derive(Clone, Copy)]
struct Operand<F> {
    node: u32,
    value: F,
}

impl<F: TensorFloat> From<Symbol<'_, F>> for Operand<F> {
    #[inline(always)]
    fn from(x: Symbol<'_, F>) -> Self {
        Operand { node: x.pending().1, value: x.primal() }
    }
}

impl<F: TensorFloat> Operand<F> {
    /// What it is in the list.
    #[inline(always)]
    fn id(self, draft: &mut Draft<F>) -> Id {
        if self.node == NOWHERE { draft.constant(self.value) } else { Id::value(self.node as usize - 1) }
    }
}

/// The node of a value.
#[inline(always)]
fn node(id: Id) -> u32 {
    id.number() as u32 + 1
}

/// A number that belongs to no recording.
pub(super) fn constant<'r, F: TensorFloat>(value: F) -> Symbol<'r, F> {
    Scalar::folded(value, F::ZERO, OnRecorder(None), NOWHERE)
}

/// The one recorder of the operands; `None` if all are constants, and after a report if there are two.
#[inline]
#[track_caller]
fn common<'r, F: TensorFloat>(operands: &[Symbol<'r, F>]) -> Option<&'r Recorder<F>> {
    // A constant made of a symbol has that of the symbol, and no place on it.
    let mut recorders = operands.iter().filter(|x| !x.is_constant()).filter_map(|x| x.handle().0);
    let first = recorders.next()?;
    match recorders.find(|recorder| !core::ptr::eq(*recorder, first)) {
        None => Some(first),
        Some(other) => two_recordings([first, other]),
    }
}

#[cold]
#[track_caller]
fn two_recordings<F: TensorFloat>(recorders: [&Recorder<F>; 2]) -> Option<&Recorder<F>> {
    for recorder in recorders {
        recorder.fail(FunctionError::TwoRecordings { place: Place::caller() });
    }
    None
}

impl<'r, F: TensorFloat> Handle<F> for OnRecorder<'r, F> {
    const NOWHERE: Self = OnRecorder(None);
    const REPLAYED: bool = true;
    // A fused closure is recorded like any other code: there is nothing to fuse for in a list that is replayed.
    type Inner<const N: usize> = Symbol<'r, F>;

    #[inline(always)]
    fn unary(x: Symbol<'r, F>, op: UnaryOp<F>, y: F, _p: F) -> Symbol<'r, F> {
        let Some(recorder) = common(&[x]) else { return constant(y) };
        let x = x.into();
        let constant = |value| Operand { node: NOWHERE, value };
        let node = match op {
            UnaryOp::Row(row) => recorder.unary(Op::Unary(row), x),
            UnaryOp::Right(op, c) => recorder.binary(op, x, constant(c)),
            UnaryOp::Left(c, op) => recorder.binary(op, constant(c), x),
            UnaryOp::Parametric(op) => recorder.parametric(op, x),
        };
        recorder.result(y, node)
    }

    #[inline(always)]
    fn negated(x: Symbol<'r, F>) -> Symbol<'r, F> {
        Self::unary(x, UnaryOp::Row(Unary::Neg), -x.primal(), -F::ONE)
    }

    fn detached(x: Symbol<'r, F>) -> Symbol<'r, F> {
        // Not a constant: the value is another at another point.
        let Some(recorder) = common(&[x]) else { return constant(x.primal()) };
        recorder.result(x.primal(), recorder.unary(Op::Detach, x.into()))
    }

    #[inline(always)]
    #[track_caller]
    fn binary(a: Symbol<'r, F>, b: Symbol<'r, F>, op: Binary, y: F, _p: F, _q: F) -> Symbol<'r, F> {
        let Some(recorder) = common(&[a, b]) else { return constant(y) };
        recorder.result(y, recorder.binary(op, a.into(), b.into()))
    }

    #[track_caller]
    fn nary(op: Nary, operands: impl Iterator<Item = (Symbol<'r, F>, F)>, y: F) -> Symbol<'r, F> {
        let mut all: SmallVec<[Symbol<'r, F>; 16]> = SmallVec::new();
        if op == Nary::Sum {
            // Sums start from 0, which makes +0 of -0.
            all.push(constant(F::ZERO));
        }
        // All are taken before the first is recorded: the iterator may record, too.
        operands.for_each(|(x, _)| all.push(x));
        let Some(recorder) = common(&all) else { return constant(y) };
        recorder.result(y, recorder.nary(op, &all))
    }

    #[track_caller]
    fn by_partials(operands: impl Iterator<Item = (Symbol<'r, F>, F)>, y: F) -> Symbol<'r, F> {
        let all: SmallVec<[Symbol<'r, F>; 16]> = operands.map(|(x, _)| x).collect();
        Self::refuse(&all, ["Grad", "record the function itself and ask the recording for its gradient or hvp"]);
        constant(y)
    }

    #[track_caller]
    fn custom<const N: usize>(x: [Symbol<'r, F>; N], y: F, _p: [F; N]) -> Symbol<'r, F> {
        Self::refuse(&x, RULE);
        constant(y)
    }

    #[track_caller]
    fn many(x: &[Symbol<'r, F>], y: Vec<F>, _pullback: Pullback<F>) -> Vec<Symbol<'r, F>> {
        Self::refuse(x, RULE);
        y.into_iter().map(constant).collect()
    }

    #[track_caller]
    fn refuse(x: &[Symbol<'r, F>], [op, instead]: [&'static str; 2]) {
        if let Some(recorder) = common(x) {
            recorder.fail(FunctionError::NotReplayable { place: Place::caller(), op, instead });
        }
    }

    fn fuse<const N: usize, const M: usize>(
        x: [Symbol<'r, F>; N],
        f: impl FnOnce([Symbol<'r, F>; N]) -> [Symbol<'r, F>; M],
    ) -> [Symbol<'r, F>; M] {
        f(x)
    }

    #[track_caller]
    fn compared(a: Symbol<'r, F>, b: Symbol<'r, F>, question: Comparison) {
        let Some(recorder) = common(&[a, b]) else { return };
        let place = Place::caller();
        match question.ask(a.primal(), b.primal()) {
            Some(answer) => recorder.guard(a, b, question, answer, place),
            None => {
                let (a, b) = (a.primal().to_f64(), b.primal().to_f64());
                recorder.fail(FunctionError::NanCompared { place, point: None, a, b, question });
            }
        }
    }
}
