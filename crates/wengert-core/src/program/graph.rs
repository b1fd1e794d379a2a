//! A recording as a graph of values, its gradient included.
//!
//! The gradient is written out while it is computed once, at the recorded point: only then is it known where a
//! cotangent flows. Elementwise ops and their pullbacks become [`Act::Link`]s, which the plan joins to passes over
//! memory; every other op stays what it is, a rule with two ways.

use super::notes::Asked;
use crate::error::Caller;
use crate::function::FunctionError;
use crate::rules::{Calls, Fusible, Rule, is_none};
use crate::tape::Tape;
use crate::tensor::{Origin, TensorFloat};
use core::panic::Location;
use smallvec::SmallVec;
use wengert_kernels::elementwise::chain::{Chain, Step};
use wengert_kernels::{Binary, Unary};
use wengert_tensor::{Axes, Element, Shape, ShapeError, Tensor, refusable};

/// The number of a value of a program.
pub(super) type Value = usize;
pub(super) type Values = SmallVec<[Value; 4]>;

/// What is known of a value before it is computed.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) shape: Shape,
    /// Whether one number stands for all elements: it is held as a tensor of shape `[]`.
    pub(super) splat: bool,
    pub(super) source: Source,
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Source {
    Input(usize),
    Data(usize),
    Parameter(usize),
    Constant,
    /// Computed by an act.
    Act,
}

/// One thing a program does.
#[derive(Clone)]
pub(super) enum Act<F: TensorFloat> {
    /// Evaluates a rule.
    Forward { rule: usize, operands: Values, wanted: SmallVec<[bool; 4]>, y: Value },
    /// Runs the pullback of a rule evaluated before.
    Pull {
        rule: usize,
        x: Values,
        y: Value,
        /// Whether it needs `y`, and not only that the rule was evaluated.
        reads_result: bool,
        y_bar: Value,
        /// Whether `y_bar` is given away: then the pullback may write over it.
        handed: bool,
        wanted: SmallVec<[bool; 4]>,
        x_bar: SmallVec<[Option<Value>; 4]>,
    },
    /// A step of an elementwise pass.
    Link { step: Step, operands: Values, y: Value, caller: Caller },
    /// Sums all elements, or takes their mean.
    Total { x: Value, y: Value, mean: bool, caller: Caller },
    /// Sums over what broadcasting repeated.
    SumTo { x: Value, y: Value, caller: Caller },
    /// One number, from now on standing for a tensor of it.
    Spread { x: Value, y: Value },
    /// Several links in one pass over memory; the last results are totals of some of them.
    Pass { chain: Chain, operands: SmallVec<[Value; 8]>, results: Values, shape: Shape, caller: Caller },
    /// Asks again what was asked while recording, or shows a value.
    Ask(Asked<F>, Value),
}

/// A rule as it was recorded, and where.
pub(super) struct Recorded<F: TensorFloat> {
    pub(super) rule: Rule<F>,
    /// The labels it reads, and in which shape.
    pub(super) labels: Option<(usize, Shape)>,
    pub(super) calls: &'static Calls<F>,
    pub(super) caller: Caller,
}

impl<F: TensorFloat> Recorded<F> {
    /// The error of a pullback that found no memory.
    #[cold]
    pub(super) fn without_derivative(&self, source: ShapeError) -> FunctionError {
        FunctionError::Derivative { place: self.caller.into(), source: Box::new(source.called(self.rule.label())) }
    }
}

/// A recording as a program.
pub(super) struct Graph<F: TensorFloat> {
    pub(super) known: Vec<Known>,
    /// The values at the recorded point; those of constants stay.
    pub(super) now: Vec<Tensor<F>>,
    pub(super) rules: Vec<Recorded<F>>,
    pub(super) acts: Vec<Act<F>>,
    /// The output.
    pub(super) y: Value,
    /// The gradient: that of each input, then that of each parameter. `None` if the output is not one number.
    pub(super) gradient: Option<Vec<Value>>,
    /// The rules as evaluated at the recorded point, with their residuals.
    evaluated: Vec<Rule<F>>,
    /// The line of the op that is turned into acts.
    caller: Caller,
}

/// What is handed in: nodes, and the tensors that constants and rules may hold.
pub(super) struct Given<'a, F: TensorFloat> {
    pub(super) inputs: Vec<u32>,
    pub(super) data: Vec<u32>,
    pub(super) parameters: Vec<u32>,
    pub(super) held: &'a [Tensor<F>],
    pub(super) labels: &'a [Tensor<i64>],
}

/// The one of `given` that `held` is, with other dimensions perhaps.
fn position<T: Element>(given: &[Tensor<T>], held: &Tensor<T>) -> Option<usize> {
    let is = |given: &Tensor<T>| given.shares_storage(held) && given.len() == held.len() && held.is_dense();
    given.iter().position(is)
}

impl<F: TensorFloat> Given<'_, F> {
    fn sources(&self) -> impl Iterator<Item = (u32, Source)> {
        let inputs = self.inputs.iter().enumerate().map(|(k, &node)| (node, Source::Input(k)));
        let data = self.data.iter().enumerate().map(|(k, &node)| (node, Source::Data(k)));
        inputs.chain(data).chain(self.parameters.iter().enumerate().map(|(k, &node)| (node, Source::Parameter(k))))
    }
}

impl<F: TensorFloat> Graph<F> {
    /// The program of what `tape` recorded up to node `root`.
    pub(super) fn of(tape: &Tape<F>, given: &Given<'_, F>, root: u32) -> Result<Self, FunctionError> {
        let columns = tape.tensors.nodes.borrow();
        let notes = &tape.tensors.notes;
        let mut graph = Graph {
            known: Vec::new(),
            now: Vec::new(),
            rules: Vec::new(),
            acts: Vec::new(),
            y: 0,
            gradient: None,
            evaluated: Vec::new(),
            caller: Location::caller(),
        };
        let mut source = vec![Source::Constant; columns.values.len()];
        for (node, given) in given.sources() {
            source[node as usize] = given;
        }
        let mut unread = [vec![true; given.data.len()], vec![true; given.labels.len()]];
        let (callers, asked) = (notes.callers.borrow(), notes.asked.borrow());
        let mut callers = callers.iter().peekable();
        let mut asked = asked.iter().peekable();
        let last_asked = asked.clone().map(|asked| asked.of).max();
        // What each node is as a value, whether it moves with what is handed in, and which rule made it.
        let mut nodes: Vec<Value> = Vec::with_capacity(columns.values.len());
        let mut moves = vec![false; columns.values.len()];
        let mut rule_of: Vec<Option<usize>> = vec![None; columns.values.len()];
        let last = Some(root).max(last_asked).map_or(0, |last| last as usize);
        for number in 0..=last {
            let value = &columns.values[number].tensor;
            if let (Origin::Constant, Source::Constant) = (&columns.origins[number], source[number])
                && let Some(k) = position(given.held, value)
                && given.held[k].shape() == value.shape()
            {
                source[number] = Source::Data(k);
                unread[0][k] = false;
            }
            moves[number] = source[number] != Source::Constant;
            let labels = match &columns.origins[number] {
                Origin::Op { rule, .. } => {
                    rule.clone().labels().and_then(|held| Some((position(given.labels, held)?, held.shape().clone())))
                }
                _ => None,
            };
            if let Origin::Op { rule, calls, operands } = &columns.origins[number]
                && (labels.is_some() || operands.iter().any(|&x| moves[x as usize]))
            {
                moves[number] = true;
                if let Some((k, _)) = labels {
                    unread[1][k] = false;
                }
                for &operand in operands {
                    if let Source::Data(k) = source[operand as usize] {
                        unread[0][k] = false;
                    }
                }
                let x: Values = operands.iter().map(|&x| nodes[x as usize]).collect();
                let wanted = operands.iter().map(|&x| columns.values[x as usize].active).collect();
                while callers.next_if(|(node, _)| (*node as usize) < number).is_some() {}
                if let Some((_, caller)) = callers.peek() {
                    graph.caller = caller;
                }
                rule_of[number] = Some(graph.rules.len());
                graph.rules.push(Recorded { rule: rule.clone(), labels, calls, caller: graph.caller });
                nodes.push(graph.forward(x, wanted).map_err(|source| failed(graph.caller, source))?);
            } else {
                nodes.push(graph.value(value.shape().clone(), false, source[number], value.clone()));
            }
            while let Some(asked) = asked.next_if(|asked| asked.of as usize <= number) {
                graph.acts.push(Act::Ask(asked.clone(), nodes[asked.of as usize]));
            }
        }
        if let Some(caller) = notes.differentiated.get() {
            let [op, instead] =
                ["a derivative", "take it of the whole program, by value_and_gradient, or inside a TensorOp"];
            return Err(FunctionError::NotReplayable { place: caller.into(), op, instead });
        }
        if let Some(seen) = notes.reads.borrow().iter().find(|seen| moves[seen.of as usize]) {
            let place = seen.caller.into();
            return Err(match seen.instead {
                Some([op, instead]) => FunctionError::HandedOut { place, op, instead },
                None => FunctionError::Read { place },
            });
        }
        for (held, op, caller) in &*notes.beside.borrow() {
            if let Some(index) = position(given.labels, held) {
                return Err(FunctionError::Beside { place: (*caller).into(), op, index });
            }
        }
        for (what, unread) in ["data", "labels"].into_iter().zip(unread) {
            if let Some(index) = unread.iter().position(|&unread| unread) {
                return Err(FunctionError::Unread { what, index });
            }
        }
        graph.y = nodes[root as usize];
        if graph.known[graph.y].shape.size() == 1 {
            let mut bars: Vec<Option<Value>> = vec![None; nodes.len()];
            let shape = graph.known[graph.y].shape.clone();
            bars[root as usize] = Some(graph.constant(Tensor::full(shape, F::ONE)));
            for number in (0..=root as usize).rev() {
                if let (Some(y_bar), Some(rule), true) = (bars[number], rule_of[number], columns.values[number].active)
                    && let Origin::Op { operands, .. } = &columns.origins[number]
                {
                    let x: Values = operands.iter().map(|&x| nodes[x as usize]).collect();
                    let wanted: SmallVec<[bool; 4]> =
                        operands.iter().map(|&x| columns.values[x as usize].active).collect();
                    let caller = graph.rules[rule].caller;
                    graph.caller = caller;
                    let x_bar = graph.pull(rule, &x, nodes[number], y_bar, &wanted);
                    let x_bar = x_bar.map_err(|source| graph.rules[rule].without_derivative(source))?;
                    for (&operand, x_bar) in operands.iter().zip(x_bar) {
                        let Some(x_bar) = x_bar else { continue };
                        let sum = match bars[operand as usize] {
                            None => Ok(x_bar),
                            Some(sum) => graph.link(Step::Binary(Binary::Add), &[sum, x_bar]),
                        };
                        bars[operand as usize] = Some(sum.map_err(|source| failed(caller, source))?);
                    }
                }
            }
            let wanted = given.inputs.iter().chain(&given.parameters);
            let gradient = wanted.map(|&node| match bars.get(node as usize).copied().flatten() {
                Some(x_bar) => x_bar,
                None => graph.constant(
                    Tensor::scalar(F::ZERO).broadcast_to(columns.values[node as usize].tensor.shape().clone()),
                ),
            });
            graph.gradient = Some(gradient.collect());
        }
        graph.evaluated = Vec::new();
        Ok(graph)
    }

    fn value(&mut self, shape: Shape, splat: bool, source: Source, now: Tensor<F>) -> Value {
        self.known.push(Known { shape, splat, source });
        self.now.push(now);
        self.known.len() - 1
    }

    fn constant(&mut self, value: Tensor<F>) -> Value {
        self.value(value.shape().clone(), false, Source::Constant, value)
    }

    /// A value as a rule reads it.
    fn whole(&self, value: Value) -> Tensor<F> {
        whole(&self.known[value], self.now[value].clone())
    }

    /// Whether a pass over tensors of `shape` can read it.
    fn fits(&self, value: Value, shape: &Shape) -> bool {
        let known = &self.known[value].shape;
        known.repeats_in(shape).is_some()
    }

    /// The rule added last, evaluated.
    fn forward(&mut self, x: Values, wanted: SmallVec<[bool; 4]>) -> Result<Value, ShapeError> {
        let rule = self.rules.len() - 1;
        self.evaluated.push(self.rules[rule].rule.clone());
        match self.rules[rule].rule.fusible() {
            Fusible::Unary(op) => return self.link(Step::Unary(op), &x),
            Fusible::Parametric(op) => return self.link(Step::Parametric(op), &x),
            Fusible::Binary(op) => {
                let shape = Shape::broadcast(op.name(), &self.known[x[0]].shape, &self.known[x[1]].shape)?;
                if x.iter().all(|&x| self.fits(x, &shape)) {
                    return self.link(Step::Binary(op), &x);
                }
            }
            Fusible::Affine { scale, shift } => return self.affine(x[0], scale, shift),
            Fusible::MeanSquare => {
                let difference = self.link(Step::Binary(Binary::Sub), &x)?;
                let square = self.link(Step::Unary(Unary::Square), &[difference])?;
                return self.total(square, true);
            }
            Fusible::Sum { mean, all: true } => return self.total(x[0], mean),
            Fusible::Sum { .. } | Fusible::No => {}
        }
        let operands: SmallVec<[Tensor<F>; 4]> = x.iter().map(|&x| self.whole(x)).collect();
        let operands: SmallVec<[&Tensor<F>; 4]> = operands.iter().collect();
        let y = (self.rules[rule].calls.forward)(&mut self.evaluated[rule], &operands, &wanted)?;
        let y = self.value(y.shape().clone(), false, Source::Act, y);
        self.acts.push(Act::Forward { rule, operands: x, wanted, y });
        Ok(y)
    }

    /// The cotangents of the operands of a rule.
    fn pull(
        &mut self,
        rule: usize,
        x: &[Value],
        y: Value,
        y_bar: Value,
        wanted: &[bool],
    ) -> Result<SmallVec<[Option<Value>; 4]>, ShapeError> {
        // A primal that the derivative does not read is not kept for it.
        let read = |reads: bool, primal| if reads { primal } else { y_bar };
        match self.rules[rule].rule.fusible() {
            Fusible::Unary(op) => {
                let operands = [read(op.keeps_argument(), x[0]), read(op.keeps_result(), y), y_bar];
                return Ok(SmallVec::from_slice(&[Some(self.link(Step::UnaryVjp(op), &operands)?)]));
            }
            Fusible::Parametric(op) => {
                return Ok(SmallVec::from_slice(&[Some(self.link(Step::ParametricVjp(op), &[x[0], y, y_bar])?)]));
            }
            Fusible::Affine { scale, .. } => {
                let x_bar = match scale {
                    scale if scale == F::ONE => y_bar,
                    scale if scale == F::ZERO || !scale.is_finite() => self.with(Binary::MulZero, y_bar, scale)?,
                    scale => self.with(Binary::Mul, y_bar, scale)?,
                };
                return Ok(SmallVec::from_slice(&[Some(x_bar)]));
            }
            Fusible::Binary(op) => {
                let shape = self.known[y].shape.clone();
                // Of sums and differences nothing but shapes is read, however the operands broadcast.
                if matches!(op, Binary::Add | Binary::Sub) || x.iter().all(|&x| self.fits(x, &shape)) {
                    let mut x_bar = SmallVec::new();
                    for (side, &operand) in x.iter().enumerate() {
                        x_bar.push(match (wanted[side], op, side) {
                            (false, ..) => None,
                            (_, Binary::Add, _) | (_, Binary::Sub, 0) => Some(self.sum_to(y_bar, operand)?),
                            (_, Binary::Sub, _) => {
                                let sum = self.sum_to(y_bar, operand)?;
                                Some(self.link(Step::Unary(Unary::Neg), &[sum])?)
                            }
                            _ => {
                                let step = if side == 0 { Step::LeftVjp(op) } else { Step::RightVjp(op) };
                                let operands = [x[0], x[1], read(op.keeps_result(), y), y_bar];
                                let bar = self.link(step, &operands)?;
                                Some(self.sum_to(bar, operand)?)
                            }
                        });
                    }
                    return Ok(x_bar);
                }
            }
            Fusible::Sum { mean, .. } if self.known[y].shape.size() == 1 => {
                let shape = self.known[x[0]].shape.clone();
                let share = F::from_f64(1.0 / shape.size() as f64);
                let x_bar = if mean { self.with(Binary::Mul, y_bar, share)? } else { y_bar };
                let number = self.now[x_bar].reshape([]);
                if self.are_constant(&[x_bar]) {
                    return Ok(SmallVec::from_slice(&[Some(self.value(shape, true, Source::Constant, number))]));
                }
                let y = self.value(shape, true, Source::Act, number);
                self.acts.push(Act::Spread { x: x_bar, y });
                return Ok(SmallVec::from_slice(&[Some(y)]));
            }
            Fusible::MeanSquare => {
                let difference = self.link(Step::Binary(Binary::Sub), x)?;
                let scale = F::from_f64(2.0 / self.known[difference].shape.size() as f64);
                let slope = self.affine(difference, scale, -F::ZERO)?;
                let x_bar = self.link(Step::Binary(Binary::MulZero), &[slope, y_bar])?;
                let target_bar = wanted[1].then(|| self.affine(x_bar, -F::ONE, -F::ZERO)).transpose()?;
                return Ok(SmallVec::from_slice(&[wanted[0].then_some(x_bar), target_bar]));
            }
            Fusible::Sum { .. } | Fusible::No => {}
        }
        let operands: SmallVec<[Tensor<F>; 4]> = x.iter().map(|&x| self.whole(x)).collect();
        let operands: SmallVec<[&Tensor<F>; 4]> = operands.iter().collect();
        let Calls { pull, reads_result, .. } = *self.rules[rule].calls;
        let cotangents =
            refusable(|| pull(&self.evaluated[rule], &operands, &self.whole(y), self.whole(y_bar), wanted))?;
        let mut x_bar = SmallVec::new();
        for (cotangent, &wanted) in cotangents.into_iter().zip(wanted) {
            let flowed = cotangent.filter(|_| wanted);
            x_bar.push(flowed.map(|bar| self.value(bar.shape().clone(), false, Source::Act, bar)));
        }
        let (x, wanted, all) = (Values::from_slice(x), SmallVec::from_slice(wanted), x_bar.clone());
        self.acts.push(Act::Pull { rule, x, y, reads_result, y_bar, handed: false, wanted, x_bar });
        Ok(all)
    }

    /// One elementwise step.
    fn link(&mut self, step: Step, operands: &[Value]) -> Result<Value, ShapeError> {
        let mut shape = self.known[operands[0]].shape.clone();
        for &operand in &operands[1..] {
            shape = Shape::broadcast("link", &shape, &self.known[operand].shape)?;
        }
        let one = |&x: &Value| self.known[x].splat || self.known[x].shape.size() == 1;
        let splat = shape.size() != 1 && operands.iter().all(one);
        let numbers: SmallVec<[usize; 4]> = (0..operands.len()).collect();
        let chain = Chain::new(operands.len(), [(step, &numbers[..])], &[operands.len()]);
        let x: SmallVec<[&Tensor<F>; 4]> = operands.iter().map(|&x| &self.now[x]).collect();
        let size = if splat { Shape::from([]) } else { shape.clone() };
        let now = Tensor::try_chain(&chain, &x, &size)?.remove(0);
        drop(x);
        if self.are_constant(operands) {
            return Ok(self.value(shape, splat, Source::Constant, now));
        }
        let y = self.value(shape, splat, Source::Act, now);
        self.acts.push(Act::Link { step, operands: Values::from_slice(operands), y, caller: self.caller });
        Ok(y)
    }

    /// Whether what is made of these is computed once and for all, as are the cotangents where the way back begins.
    fn are_constant(&self, values: &[Value]) -> bool {
        values.iter().all(|&value| self.known[value].source == Source::Constant)
    }

    /// A step with a constant on the right.
    fn with(&mut self, op: Binary, x: Value, c: F) -> Result<Value, ShapeError> {
        let c = self.constant(Tensor::scalar(c));
        self.link(Step::Binary(op), &[x, c])
    }

    /// `scale x + shift` as the rule evaluates it.
    fn affine(&mut self, x: Value, scale: F, shift: F) -> Result<Value, ShapeError> {
        let scaled = if scale == F::ONE { x } else { self.with(Binary::Mul, x, scale)? };
        let shifted = scale == F::ONE || !is_none(shift);
        if shifted { self.with(Binary::Add, scaled, shift) } else { Ok(scaled) }
    }

    /// The sum of all elements, or their mean.
    fn total(&mut self, x: Value, mean: bool) -> Result<Value, ShapeError> {
        let now = total(&self.whole(x), mean)?;
        let y = self.value(now.shape().clone(), false, Source::Act, now);
        self.acts.push(Act::Total { x, y, mean, caller: self.caller });
        Ok(y)
    }

    /// `x` summed to the shape of `like`.
    fn sum_to(&mut self, x: Value, like: Value) -> Result<Value, ShapeError> {
        let shape = self.known[like].shape.clone();
        if self.known[x].shape == shape {
            return Ok(x);
        }
        let now = self.whole(x).try_sum_to(&shape)?;
        let y = self.value(shape, false, Source::Act, now);
        self.acts.push(Act::SumTo { x, y, caller: self.caller });
        Ok(y)
    }
}

/// A value as a rule reads it: with all its elements.
pub(super) fn whole<F: TensorFloat>(known: &Known, value: Tensor<F>) -> Tensor<F> {
    if known.splat { value.broadcast_to(known.shape.clone()) } else { value }
}

pub(super) fn total<F: TensorFloat>(x: &Tensor<F>, mean: bool) -> Result<Tensor<F>, ShapeError> {
    if mean { x.try_mean_axes(Axes::ALL) } else { x.try_sum_axes(Axes::ALL) }
}

pub(super) fn failed(caller: Caller, source: ShapeError) -> FunctionError {
    FunctionError::Tensor { place: caller.into(), source: Box::new(source) }
}
