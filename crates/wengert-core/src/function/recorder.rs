//! The recorder: the same operators as on a tape, over a handle that keeps what was done instead of its partials.

use super::error::{FunctionError, Place};
use super::list::{Answer, Guard, Id, List, Op, Step};
use crate::tape::{Comparison, Handle, Nary, Pullback, Scalar, UnaryOp};
use crate::tensor::TensorFloat;
use core::cell::RefCell;
use smallvec::SmallVec;
use wengert_kernels::{Binary, Unary};

/// What [`Function::record`](crate::Function::record) writes to.
#[derive(Debug, Default)]
pub struct Recorder<F> {
    list: RefCell<List<F>>,
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
        let list = List {
            inputs,
            data,
            constants: Vec::new(),
            steps: Vec::new(),
            pool: Vec::new(),
            parameters: Vec::new(),
            outputs: Vec::new(),
            guards: Vec::new(),
        };
        Recorder { list: RefCell::new(list), error: RefCell::new(None) }
    }

    /// The symbol of a value that is there before the first step: an input or data.
    pub(super) fn symbol(&self, value: F, number: usize) -> Symbol<'_, F> {
        Scalar::recorded(value, F::ONE, OnRecorder(Some(self)), number as u32 + 1)
    }

    /// Ends the recording.
    pub(super) fn finish(&self, outputs: &[Symbol<'_, F>]) -> Result<List<F>, FunctionError> {
        for output in outputs {
            if output.handle().0.is_some_and(|recorder| !core::ptr::eq(recorder, self)) {
                return Err(FunctionError::TwoRecordings { place: Place::caller() });
            }
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut list = self.list.take();
        for &output in outputs {
            let id = operand(&mut list, output);
            list.outputs.push(id);
        }
        if list.outputs.is_empty() {
            return Err(FunctionError::NoOutputs);
        }
        Ok(list)
    }

    #[cold]
    fn fail(&self, error: FunctionError) {
        self.error.borrow_mut().get_or_insert(error);
    }

    /// Records a comparison.
    pub(super) fn guard(&self, a: Symbol<'_, F>, b: Symbol<'_, F>, question: Comparison, answer: Answer, place: Place) {
        let list = &mut *self.list.borrow_mut();
        let (a, b) = (operand(list, a), operand(list, b));
        list.guards.push(Guard { a, b, question, answer, place });
    }

    /// Records a step.
    pub(super) fn push(&self, op: Op, operands: &[Symbol<'_, F>], y: F) -> Symbol<'_, F> {
        self.push_with(op, operands, y, |_| 0)
    }

    /// Records a step; `extra` may put something into the list first and gives the operand after the last.
    fn push_with(
        &self,
        op: Op,
        operands: &[Symbol<'_, F>],
        y: F,
        extra: impl FnOnce(&mut List<F>) -> u32,
    ) -> Symbol<'_, F> {
        let list = &mut *self.list.borrow_mut();
        let number = list.first_result() + list.steps.len();
        if number + 1 >= Id::LIMIT || list.constants.len() + operands.len() >= Id::LIMIT {
            self.fail(FunctionError::Full { limit: Id::LIMIT });
            return constant(y);
        }
        let mut ids = [Id::from_raw(0); 3];
        if op.arity().is_some() {
            for (id, &x) in ids.iter_mut().zip(operands) {
                *id = operand(list, x);
            }
            if operands.len() < 3 {
                ids[operands.len()] = Id::from_raw(extra(list));
            }
        } else {
            ids[0] = Id::from_raw(list.pool.len() as u32);
            for &x in operands {
                let id = operand(list, x);
                list.pool.push(id);
            }
            ids[1] = Id::from_raw(list.pool.len() as u32 - ids[0].raw());
        }
        list.steps.push(Step { op, operands: ids });
        Scalar::recorded(y, F::ONE, OnRecorder(Some(self)), number as u32 + 1)
    }
}

/// A number that belongs to no recording.
pub(super) fn constant<'r, F: TensorFloat>(value: F) -> Symbol<'r, F> {
    Scalar::folded(value, F::ZERO, OnRecorder(None), crate::tape::node::NOWHERE)
}

/// The operand `x` of a step: what it is in the list.
fn operand<F: TensorFloat>(list: &mut List<F>, x: Symbol<'_, F>) -> Id {
    if x.is_constant() {
        list.constants.push(x.primal());
        Id::constant(list.constants.len() - 1)
    } else {
        Id::value(x.pending().1 as usize - 1)
    }
}

/// The one recorder of the operands; `None` if all are constants, and after a report if there are two.
#[track_caller]
fn common<'r, F: TensorFloat>(operands: &[Symbol<'r, F>]) -> Option<&'r Recorder<F>> {
    let recorders = || operands.iter().filter(|x| !x.is_constant()).filter_map(|x| x.handle().0);
    let first = recorders().next()?;
    if let Some(other) = recorders().find(|recorder| !core::ptr::eq(*recorder, first)) {
        for recorder in [first, other] {
            recorder.fail(FunctionError::TwoRecordings { place: Place::caller() });
        }
        return None;
    }
    Some(first)
}

/// Reports an operation whose partials are known, and how to compute it at another point is not.
#[track_caller]
fn not_replayable<F: TensorFloat>(operands: &[Symbol<'_, F>]) {
    if let Some(recorder) = common(operands) {
        recorder.fail(FunctionError::NotReplayable { place: Place::caller() });
    }
}

impl<'r, F: TensorFloat> Handle<F> for OnRecorder<'r, F> {
    const NOWHERE: Self = OnRecorder(None);
    // A fused closure is recorded like any other code: there is nothing to fuse for in a list that is replayed.
    type Inner<const N: usize> = Symbol<'r, F>;

    fn unary(x: Symbol<'r, F>, op: UnaryOp<F>, y: F, _p: F) -> Symbol<'r, F> {
        let Some(recorder) = common(&[x]) else { return constant(y) };
        match op {
            UnaryOp::Row(row) => recorder.push(Op::Unary(row), &[x], y),
            UnaryOp::Right(op, c) => recorder.push(Op::Binary(op), &[x, constant(c)], y),
            UnaryOp::Left(c, op) => recorder.push(Op::Binary(op), &[constant(c), x], y),
            UnaryOp::Parametric(op) => recorder.push_with(Op::Parametric, &[x], y, |list| {
                list.parameters.push(op);
                list.parameters.len() as u32 - 1
            }),
        }
    }

    fn negated(x: Symbol<'r, F>) -> Symbol<'r, F> {
        Self::unary(x, UnaryOp::Row(Unary::Neg), -x.primal(), -F::ONE)
    }

    fn detached(x: Symbol<'r, F>) -> Symbol<'r, F> {
        // Not a constant: the value is another at another point.
        common(&[x]).map_or_else(|| constant(x.primal()), |recorder| recorder.push(Op::Detach, &[x], x.primal()))
    }

    #[track_caller]
    fn binary(a: Symbol<'r, F>, b: Symbol<'r, F>, op: Binary, y: F, _p: F, _q: F) -> Symbol<'r, F> {
        common(&[a, b]).map_or_else(|| constant(y), |recorder| recorder.push(Op::Binary(op), &[a, b], y))
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
        common(&all).map_or_else(|| constant(y), |recorder| recorder.push(Op::Nary(op), &all, y))
    }

    #[track_caller]
    fn by_partials(operands: impl Iterator<Item = (Symbol<'r, F>, F)>, y: F) -> Symbol<'r, F> {
        let all: SmallVec<[Symbol<'r, F>; 16]> = operands.map(|(x, _)| x).collect();
        not_replayable(&all);
        constant(y)
    }

    #[track_caller]
    fn many(x: &[Symbol<'r, F>], y: Vec<F>, _pullback: Pullback<F>) -> Vec<Symbol<'r, F>> {
        not_replayable(x);
        y.into_iter().map(constant).collect()
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
