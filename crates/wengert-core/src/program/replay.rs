//! Running a plan.

use super::TensorFunction;
use super::graph::{Act, Known, Recorded, Source, Value, failed, whole};
use super::plan::{Plan, Planned};
use crate::function::FunctionError;
use crate::rules::Rule;
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_tensor::Tensor;

/// The values of a replay; between replays those of constants alone.
pub(super) struct Memory<F: TensorFloat> {
    pub(super) values: Vec<Option<Tensor<F>>>,
    /// Rules that were evaluated, with their residuals, until their pullback has run.
    pub(super) evaluated: Vec<Option<Rule<F>>>,
    /// What stands for a value that is not kept: NaN, which would show.
    pub(super) unread: Tensor<F>,
}

/// What a replay reads and what it writes.
struct Replay<'a, F: TensorFloat> {
    known: &'a [Known],
    rules: &'a [Recorded<F>],
    labels: &'a [Tensor<i64>],
    memory: &'a mut Memory<F>,
}

impl<F: TensorFloat> TensorFunction<F> {
    /// Computes the targets of a plan, and forgets everything else.
    pub(super) fn replay(
        &mut self,
        x: &[Tensor<F>],
        parameters: &[Tensor<F>],
        gradient: bool,
    ) -> Result<Vec<Tensor<F>>, FunctionError> {
        let plan: &Plan<F> = match (gradient, &self.gradient) {
            (true, Some(plan)) => plan,
            _ => &self.value,
        };
        for &(value, source) in &self.given {
            self.memory.values[value] = match source {
                Source::Input(k) => Some(x[k].clone()),
                Source::Data(k) => Some(self.data[k].clone()),
                Source::Parameter(k) => Some(parameters[k].clone()),
                Source::Constant | Source::Act => None,
            };
        }
        let memory = &mut self.memory;
        let mut replay = Replay { known: &self.known, rules: &self.rules, labels: &self.labels, memory };
        let mut outcome = Ok(());
        for planned in &plan.acts {
            outcome = replay.act(planned, gradient);
            if outcome.is_err() {
                break;
            }
            for &value in &planned.dropped {
                replay.memory.values[value] = None;
            }
        }
        let results = outcome.map(|()| plan.targets.iter().map(|&target| replay.whole(target)).collect());
        for &value in &plan.last {
            self.memory.values[value] = None;
        }
        if results.is_err() {
            self.memory.forget(&self.known);
        }
        results
    }
}

impl<F: TensorFloat> Memory<F> {
    /// Forgets what a replay left that did not come to its end.
    #[cold]
    fn forget(&mut self, known: &[Known]) {
        self.evaluated.fill_with(|| None);
        for (value, known) in self.values.iter_mut().zip(known) {
            if known.source != Source::Constant {
                *value = None;
            }
        }
    }
}

impl<F: TensorFloat> Replay<'_, F> {
    #[inline]
    fn value(&self, value: Value) -> &Tensor<F> {
        self.memory.values[value].as_ref().unwrap_or_else(|| unreachable!("value {value} is read before it is known"))
    }

    fn whole(&self, value: Value) -> Tensor<F> {
        whole(&self.known[value], self.value(value))
    }

    /// Calls `f` with values as a rule reads them.
    fn with<R>(&self, values: &[Value], f: impl FnOnce(&[&Tensor<F>]) -> R) -> R {
        let splat = |&&value: &&Value| self.known[value].splat;
        let spread: SmallVec<[Tensor<F>; 2]> = values.iter().filter(splat).map(|&value| self.whole(value)).collect();
        let mut spread = spread.iter();
        let read = |&value: &Value| match self.known[value].splat {
            true => spread.next().unwrap_or_else(|| self.value(value)),
            false => self.value(value),
        };
        let operands: SmallVec<[&Tensor<F>; 4]> = values.iter().map(read).collect();
        f(&operands)
    }

    fn act(&mut self, Planned { act, dropped }: &Planned<F>, gradient: bool) -> Result<(), FunctionError> {
        match act {
            Act::Forward { rule, operands, wanted, y } => {
                let Recorded { rule: recorded, labels, calls, caller } = &self.rules[*rule];
                let mut evaluated = recorded.clone();
                if let (Some((k, shape)), Some(held)) = (labels, evaluated.labels()) {
                    *held = self.labels[*k].reshape(shape.clone());
                }
                // Without a gradient nothing is kept for it.
                let wanted: SmallVec<[bool; 4]> = wanted.iter().map(|&wanted| wanted && gradient).collect();
                let value = self.with(operands, |x| (calls.forward)(&mut evaluated, x, &wanted));
                self.memory.values[*y] = Some(value.map_err(|source| failed(caller, source))?);
                self.memory.evaluated[*rule] = wanted.contains(&true).then_some(evaluated);
            }
            Act::Pull { rule, x, y, reads_result, y_bar, wanted, x_bar } => {
                // Handed on whole where this is its last use: then a pullback may write over it.
                let handed = dropped.contains(y_bar) && !x.contains(y_bar) && y != y_bar && !self.known[*y_bar].splat;
                let bar = if handed { self.memory.values[*y_bar].take() } else { None };
                let bar = bar.unwrap_or_else(|| self.whole(*y_bar));
                self.pull(*rule, x, reads_result.then_some(*y), bar, wanted, x_bar);
            }
            Act::Pass { chain, operands, results, shape, caller } => {
                let x: SmallVec<[&Tensor<F>; 8]> = operands.iter().map(|&x| self.value(x)).collect();
                let y = Tensor::try_chain(chain, &x, shape, results.len()).map_err(|source| failed(caller, source))?;
                drop(x);
                for (&result, y) in results.iter().zip(y) {
                    self.memory.values[result] = Some(y);
                }
            }
            Act::Link { .. } => unreachable!("the plan joins every step to a pass"),
            Act::SumTo { x, y, caller } => {
                let sum = self.whole(*x).try_sum_to(&self.known[*y].shape);
                self.memory.values[*y] = Some(sum.map_err(|source| failed(caller, source))?);
            }
            Act::Spread { x, y } => self.memory.values[*y] = Some(self.value(*x).reshape([])),
            Act::Ask(asked, of) => {
                let now = (asked.question)(&self.whole(*of));
                if let Some(recorded) = asked.answer.filter(|&recorded| recorded != now) {
                    return Err(FunctionError::Holds { place: asked.caller.into(), recorded });
                }
            }
        }
        Ok(())
    }

    fn pull(
        &mut self,
        rule: usize,
        x: &[Value],
        y: Option<Value>,
        y_bar: Tensor<F>,
        wanted: &[bool],
        x_bar: &[Option<Value>],
    ) {
        let y = y.map(|y| self.whole(y));
        let y = y.as_ref().unwrap_or(&self.memory.unread);
        let Some(evaluated) = self.memory.evaluated[rule].take() else {
            unreachable!("a pullback runs once, after its rule")
        };
        let cotangents = self.with(x, |x| (self.rules[rule].calls.pull)(&evaluated, x, y, y_bar, wanted));
        let mut cotangents = cotangents.into_iter();
        for value in x_bar {
            let flowed = cotangents.next().flatten();
            if let &Some(value) = value {
                // What flowed while recording and does not now is 0.
                let zero = || Tensor::scalar(F::ZERO).broadcast_to(self.known[value].shape.clone());
                self.memory.values[value] = Some(flowed.unwrap_or_else(zero));
            }
        }
    }
}
