//! Running a plan.

use super::TensorFunction;
use super::graph::{Act, Known, Recorded, Source, Value, failed, total, whole};
use super::plan::{Plan, Planned};
use crate::function::FunctionError;
use crate::rules::Rule;
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_tensor::{ShapeError, Tensor, refusable};

/// What a replay computes; between replays constants alone.
pub(super) struct Memory<F: TensorFloat> {
    pub(super) values: Vec<Option<Tensor<F>>>,
    /// Copies of rules that hold something, until their pullback has run.
    pub(super) evaluated: Vec<Option<Rule<F>>>,
    /// What stands for a value that is not kept: NaN, which would show.
    pub(super) unread: Tensor<F>,
}

/// The values of a replay: those handed in where they are, the others in its memory.
struct Values<'a, F: TensorFloat> {
    known: &'a [Known],
    inputs: &'a [Tensor<F>],
    data: &'a [Tensor<F>],
    parameters: &'a [&'a Tensor<F>],
    made: &'a mut [Option<Tensor<F>>],
}

/// What a replay reads and what it writes.
struct Replay<'a, F: TensorFloat> {
    rules: &'a mut [Recorded<F>],
    labels: &'a [Tensor<i64>],
    values: Values<'a, F>,
    evaluated: &'a mut [Option<Rule<F>>],
    unread: &'a Tensor<F>,
}

impl<F: TensorFloat> TensorFunction<F> {
    /// Computes the targets of a plan, the value and, as `kept` makes them `rest`, the others, and forgets everything
    /// else.
    pub(super) fn replay<R>(
        &mut self,
        inputs: &[Tensor<F>],
        parameters: &[&Tensor<F>],
        gradient: bool,
        rest: &mut Vec<R>,
        kept: impl Fn(Tensor<F>) -> R,
    ) -> Result<Tensor<F>, FunctionError> {
        let plan: &Plan<F> = match (gradient, &self.gradient) {
            (true, Some(plan)) => plan,
            _ => &self.value,
        };
        let Memory { values, evaluated, unread } = &mut self.memory;
        let (data, labels) = (&self.data, &self.labels);
        let values = Values { known: &self.known, inputs, data, parameters, made: values };
        let mut replay = Replay { rules: &mut self.rules, labels, values, evaluated, unread };
        let mut at = 0;
        let acted = refusable(|| {
            plan.acts.iter().enumerate().try_for_each(|(k, planned)| {
                at = k;
                replay.act(planned)
            })
        });
        if let Err(error) = acted.unwrap_or_else(|source| Err(replay.refused(&plan.acts[at].act, source))) {
            self.memory.forget(&self.known);
            return Err(error);
        }
        let mut results = plan.targets.iter().zip(&plan.handed).map(|(&target, &handed)| match handed {
            true => whole(&self.known[target], replay.values.take(target)),
            false => replay.values.whole(target),
        });
        let value = results.next().unwrap_or_else(|| unreachable!("a plan has a target"));
        rest.extend(results.map(kept));
        Ok(value)
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

impl<F: TensorFloat> Values<'_, F> {
    #[inline]
    fn get(&self, value: Value) -> &Tensor<F> {
        match self.known[value].source {
            Source::Input(k) => &self.inputs[k],
            Source::Data(k) => &self.data[k],
            Source::Parameter(k) => self.parameters[k],
            Source::Constant | Source::Act => self.made[value].as_ref().unwrap_or_else(|| early(value)),
        }
    }

    /// Gives a computed value away.
    #[inline]
    fn take(&mut self, value: Value) -> Tensor<F> {
        self.made[value].take().unwrap_or_else(|| early(value))
    }

    fn whole(&self, value: Value) -> Tensor<F> {
        whole(&self.known[value], self.get(value).clone())
    }

    /// Calls `f` with values as a rule reads them.
    #[inline]
    fn with<R>(&self, values: &[Value], f: impl FnOnce(&[&Tensor<F>]) -> R) -> R {
        let spread: SmallVec<[Tensor<F>; 2]>;
        let mut operands: SmallVec<[&Tensor<F>; 4]> = SmallVec::new();
        if values.iter().any(|&value| self.known[value].splat) {
            spread = values.iter().map(|&value| self.whole(value)).collect();
            operands.extend(&spread);
        } else {
            values.iter().for_each(|&value| operands.push(self.get(value)));
        }
        f(&operands)
    }
}

#[cold]
fn early(value: Value) -> ! {
    unreachable!("value {value} is read before it is known")
}

impl<F: TensorFloat> Replay<'_, F> {
    fn act(&mut self, Planned { act, dropped }: &Planned<F>) -> Result<(), FunctionError> {
        let values = &mut self.values;
        match act {
            Act::Forward { rule: number, operands, wanted, y } => {
                let Recorded { rule, labels, calls, caller } = &mut self.rules[*number];
                let evaluated = match calls.holds {
                    false => rule,
                    true => self.evaluated[*number].insert(rule.clone()),
                };
                if let Some((k, shape)) = labels
                    && let Some(held) = evaluated.labels()
                {
                    *held = self.labels[*k].reshape(shape.clone());
                }
                let value = values.with(operands, |x| (calls.forward)(evaluated, x, wanted));
                values.made[*y] = Some(value.map_err(|source| failed(caller, source))?);
                if calls.holds && !wanted.contains(&true) {
                    self.evaluated[*number] = None;
                }
            }
            Act::Pull { rule, x, y, reads_result, y_bar, handed, wanted, x_bar } => {
                let y_bar = if *handed { values.take(*y_bar) } else { values.whole(*y_bar) };
                let y = if *reads_result { values.get(*y) } else { self.unread };
                let recorded = &self.rules[*rule];
                let evaluated = self.evaluated[*rule].as_ref().unwrap_or(&recorded.rule);
                let mut cotangents = values.with(x, |x| (recorded.calls.pull)(evaluated, x, y, y_bar, wanted));
                let mut cotangents = cotangents.iter_mut();
                for value in x_bar {
                    let flowed = cotangents.next().and_then(Option::take);
                    if let &Some(value) = value {
                        // What flowed while recording and does not now is 0.
                        let zero = || Tensor::scalar(F::ZERO).broadcast_to(values.known[value].shape.clone());
                        values.made[value] = Some(flowed.unwrap_or_else(zero));
                    }
                }
                if recorded.calls.holds {
                    self.evaluated[*rule] = None;
                }
            }
            Act::Pass { chain, operands, results, shape, caller } => {
                let mut x: SmallVec<[&Tensor<F>; 8]> = SmallVec::new();
                operands.iter().for_each(|&operand| x.push(values.get(operand)));
                let y = Tensor::try_chain(chain, &x, shape).map_err(|source| failed(caller, source))?;
                drop(x);
                for (&result, y) in results.iter().zip(y) {
                    values.made[result] = Some(y);
                }
            }
            Act::Link { .. } => unreachable!("the plan joins every step to a pass"),
            Act::Total { x, y, mean, caller } => {
                let total = values.with(&[*x], |x| total(x[0], *mean));
                values.made[*y] = Some(total.map_err(|source| failed(caller, source))?);
            }
            Act::SumTo { x, y, caller } => {
                let sum = values.with(&[*x], |x| x[0].try_sum_to(&values.known[*y].shape));
                values.made[*y] = Some(sum.map_err(|source| failed(caller, source))?);
            }
            Act::Spread { x, y } => values.made[*y] = Some(values.get(*x).reshape([])),
            Act::Ask(asked, of) => {
                let now = values.with(&[*of], |of| (asked.question)(of[0]));
                if let Some(recorded) = asked.answer.filter(|&recorded| recorded != now) {
                    return Err(FunctionError::Holds { place: asked.caller.into(), recorded });
                }
            }
        }
        dropped.iter().for_each(|&value| values.made[value] = None);
        Ok(())
    }

    /// The error of an act that could not return the refusal of memory.
    #[cold]
    fn refused(&self, act: &Act<F>, source: ShapeError) -> FunctionError {
        match act {
            Act::Pull { rule, .. } => self.rules[*rule].without_derivative(source),
            Act::Forward { rule, .. } => failed(self.rules[*rule].caller, source),
            Act::Ask(asked, _) => failed(asked.caller, source),
            _ => unreachable!("passes, sums and views return their errors: {source}"),
        }
    }
}
