//! Derivatives of a list as lists.
//!
//! A list is run on symbols of another recording, and so are the rules of its steps, forwards or in reverse. What comes
//! out is optimised like what a user recorded: of a derivative that is mostly zero, little is left.

use super::expression::Expression;
use super::list::{Guard, Id, List, Op};
use super::optimise::optimise;
use super::recorder::{Recorder, Symbol, constant};
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use wengert_kernels::{Binary, BinaryFunctions, Unary, UnaryFunctions};

impl<F: TensorFloat> Expression<F> {
    /// `y_bar dy/dx_k` as an expression of the same numbers and, after them, of `y_bar`: the gradient of a map is again
    /// a map, and so on to any order.
    ///
    /// Zero times anything is zero in it, where the plain sweep sees to that too. Derivatives by the other numbers are
    /// recorded on the way; being of no use, they do not survive the optimiser.
    pub(crate) fn pullback(&self, k: usize) -> Self {
        let list = self.list();
        let recorder = Recorder::new(list.inputs + 1, 0);
        let trace = Trace::of(list, &recorder);
        let y_bar = recorder.symbol(F::from_f64(f64::NAN), list.inputs);
        let bars = trace.reverse(list.outputs[0], y_bar, BinaryFunctions::mul_zero);
        let x_bar = bars[k].unwrap_or_else(|| constant(F::ZERO));
        match recorder.finish(&[x_bar]) {
            Ok(draft) => Self::of_draft(draft),
            Err(error) => panic!("in a reverse sweep: {error}"),
        }
    }
}

/// How many tangents there may be for each step: beyond, as where a matrix is dense, numbers with tangents need less
/// memory.
const MOST: usize = 16;

/// The list whose outputs are entries of the Jacobian of `list`, each the sum of those in a row whose columns have one
/// colour, under the same guards. Zero times infinity is NaN in it.
///
/// `None` if it would be too long.
pub(super) fn entries<F: TensorFloat>(
    list: &List<F>,
    colours: &[usize],
    entries: impl Iterator<Item = (usize, usize)>,
) -> Option<List<F>> {
    let recorder = Recorder::new(list.inputs, list.data);
    let trace = Trace::of(list, &recorder);
    trace.guard();
    let tangents = trace.forward(colours, list.inputs + MOST * list.steps.len())?;
    let entries: Vec<_> = entries.map(|(row, colour)| tangents.get(list.outputs[row], colour)).collect();
    Some(optimise(recorder.finish(&entries).ok()?))
}

/// The same of the Hessian of its only output.
pub(super) fn hessian<F: TensorFloat>(
    list: &List<F>,
    colours: &[usize],
    entries: impl Iterator<Item = (usize, usize)>,
) -> Option<List<F>> {
    let gradient = {
        let recorder = Recorder::new(list.inputs, list.data);
        let trace = Trace::of(list, &recorder);
        trace.guard();
        let bars = trace.reverse(list.outputs[0], constant(F::ONE), |partial, y_bar| partial * y_bar);
        let gradient = bars[..list.inputs].iter().map(|x_bar| x_bar.unwrap_or_else(|| constant(F::ZERO)));
        optimise(recorder.finish(&gradient.collect::<Vec<_>>()).ok()?)
    };
    self::entries(&gradient, colours, entries)
}

/// The values of a list as symbols.
struct Trace<'r, 'l, F: TensorFloat> {
    list: &'l List<F>,
    recorder: &'r Recorder<F>,
    values: Vec<Symbol<'r, F>>,
}

impl<'r, 'l, F: TensorFloat> Trace<'r, 'l, F> {
    /// Runs the list. Nothing is known of the values: they are all NaN.
    fn of(list: &'l List<F>, recorder: &'r Recorder<F>) -> Self {
        let nan = F::from_f64(f64::NAN);
        let values = (0..list.first_result()).map(|k| recorder.symbol(nan, k)).collect();
        let mut trace = Trace { list, recorder, values };
        for step in &list.steps {
            let x = |side: usize| trace.value(step.operands[side]);
            let y = match step.op {
                Op::Unary(op) => op.eval(x(0)),
                Op::Binary(op) => op.eval(x(0), x(1)),
                Op::MulAdd => x(0) * x(1) + x(2),
                Op::MulSub => x(0) * x(1) - x(2),
                Op::SubMul => x(2) - x(0) * x(1),
                Op::Parametric => list.parameters[step.operands[1].raw() as usize].eval(x(0)),
                Op::Detach => x(0).detach(),
                Op::Nary(op) => {
                    let operands: Vec<_> = list.operands(step).iter().map(|&id| trace.value(id)).collect();
                    recorder.result(nan, recorder.nary(op, &operands))
                }
            };
            trace.values.push(y);
        }
        trace
    }

    /// The number an operand stands for.
    fn value(&self, id: Id) -> Symbol<'r, F> {
        if id.is_constant() { constant(self.list.constants[id.number()]) } else { self.values[id.number()] }
    }

    /// Puts the guards of the list into the other.
    fn guard(&self) {
        for Guard { a, b, question, answer, place } in &self.list.guards {
            self.recorder.guard(self.value(*a), self.value(*b), *question, *answer, place.clone());
        }
    }

    /// The adjoints of all values for the adjoint of one; `None` where nothing flowed.
    fn reverse(
        &self,
        output: Id,
        y_bar: Symbol<'r, F>,
        times: impl Fn(Symbol<'r, F>, Symbol<'r, F>) -> Symbol<'r, F>,
    ) -> Vec<Option<Symbol<'r, F>>> {
        let mut bars = vec![None; self.values.len()];
        if !output.is_constant() {
            bars[output.number()] = Some(y_bar);
        }
        for number in (0..self.list.steps.len()).rev() {
            if let Some(y_bar) = bars[self.list.first_result() + number] {
                self.partials(number, |id, partial| partial.add_to(&mut bars[id.number()], y_bar, &times));
            }
        }
        bars
    }

    /// The tangents of all values where each input moves in the direction given; `None` if they are more than `most`.
    fn forward(&self, directions: &[usize], most: usize) -> Option<Tangents<'r, F>> {
        let count = directions.iter().max().map_or(0, |last| last + 1);
        let mut tangents = Tangents { ends: Vec::with_capacity(self.values.len()), all: Vec::new() };
        directions.iter().for_each(|&direction| tangents.push([(direction, constant(F::ONE))]));
        (0..self.list.data).for_each(|_| tangents.push([]));
        let mut sums = vec![None; count];
        // The directions the step at hand moves in.
        let mut moving = Vec::new();
        for number in 0..self.list.steps.len() {
            let operands = self.list.operands(&self.list.steps[number]);
            if operands.iter().any(|&id| !tangents.of(id).is_empty()) {
                self.partials(number, |id, partial| {
                    for &(direction, x_dot) in tangents.of(id) {
                        if sums[direction].is_none() {
                            moving.push(direction);
                        }
                        partial.add_to(&mut sums[direction], x_dot, |partial, x_dot| partial * x_dot);
                    }
                });
            }
            moving.sort_unstable();
            tangents.push(moving.drain(..).filter_map(|direction| Some((direction, sums[direction].take()?))));
            if tangents.all.len() > most {
                return None;
            }
        }
        Some(tangents)
    }

    /// Hands out the partials of a step by those of its operands that are no constants.
    fn partials(&self, number: usize, mut hand_out: impl FnMut(Id, Partial<'r, F>)) {
        let Trace { list, values, .. } = self;
        let (step, y) = (&list.steps[number], values[list.first_result() + number]);
        let operands = list.operands(step);
        let x = |side: usize| self.value(operands[side]);
        let mut of = |side: usize, partial: Partial<'r, F>| {
            if !operands[side].is_constant() {
                hand_out(operands[side], partial);
            }
        };
        match step.op {
            Op::Unary(Unary::Neg) => of(0, Partial::MINUS_ONE),
            Op::Unary(op) => of(0, Partial::is(op.derivative(x(0), y))),
            Op::Parametric => {
                of(0, Partial::is(list.parameters[step.operands[1].raw() as usize].derivative(x(0), y)));
            }
            Op::Binary(Binary::Add) => {
                of(0, Partial::ONE);
                of(1, Partial::ONE);
            }
            Op::Binary(Binary::Sub) => {
                of(0, Partial::ONE);
                of(1, Partial::MINUS_ONE);
            }
            Op::Binary(op) => {
                let (p, q) = op.derivative(x(0), x(1), y);
                of(0, Partial::is(p));
                of(1, Partial::is(q));
            }
            Op::MulAdd | Op::MulSub | Op::SubMul => {
                let is_minus = step.op == Op::SubMul;
                of(0, Partial { factor: Some(x(1)), is_minus });
                of(1, Partial { factor: Some(x(0)), is_minus });
                of(2, if step.op == Op::MulSub { Partial::MINUS_ONE } else { Partial::ONE });
            }
            Op::Detach => {}
            Op::Nary(Nary::Sum) => (0..operands.len()).for_each(|side| of(side, Partial::ONE)),
            Op::Nary(Nary::Product) => {
                // Products of the other factors, from both ends: a zero among them is no special case.
                let one = constant(F::ONE);
                let mut after = vec![one; operands.len()];
                for side in (1..operands.len()).rev() {
                    after[side - 1] = after[side] * x(side);
                }
                let mut before = one;
                for (side, &after) in after.iter().enumerate() {
                    of(side, Partial::is(before * after));
                    before *= x(side);
                }
            }
            Op::Nary(Nary::Dot) => {
                for side in 0..operands.len() {
                    of(side, Partial::is(x(side ^ 1)));
                }
            }
            Op::Nary(Nary::Norm2) => {
                for side in 0..operands.len() {
                    of(side, Partial::is(x(side).div_or_zero(y)));
                }
            }
            Op::Nary(Nary::LogSumExp) => {
                for side in 0..operands.len() {
                    of(side, Partial::is((x(side) - y).exp()));
                }
            }
        }
    }
}

/// The directions in which each value moves, and how fast.
struct Tangents<'r, F: TensorFloat> {
    /// Where those of each value end.
    ends: Vec<usize>,
    all: Vec<(usize, Symbol<'r, F>)>,
}

impl<'r, F: TensorFloat> Tangents<'r, F> {
    /// Those of the next value.
    fn push(&mut self, tangents: impl IntoIterator<Item = (usize, Symbol<'r, F>)>) {
        self.all.extend(tangents);
        self.ends.push(self.all.len());
    }

    /// Those of an operand.
    fn of(&self, id: Id) -> &[(usize, Symbol<'r, F>)] {
        if id.is_constant() {
            return &[];
        }
        let start = id.number().checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[start..self.ends[id.number()]]
    }

    /// That of an operand in one direction.
    fn get(&self, id: Id, direction: usize) -> Symbol<'r, F> {
        let found = self.of(id).iter().find(|(of, _)| *of == direction);
        found.map_or_else(|| constant(F::ZERO), |&(_, x_dot)| x_dot)
    }
}

/// A partial derivative: a factor, if it is not 1, or minus that.
#[derive(Clone, Copy)]
struct Partial<'r, F: TensorFloat> {
    factor: Option<Symbol<'r, F>>,
    is_minus: bool,
}

impl<'r, F: TensorFloat> Partial<'r, F> {
    const ONE: Self = Partial { factor: None, is_minus: false };
    const MINUS_ONE: Self = Partial { factor: None, is_minus: true };

    fn is(factor: Symbol<'r, F>) -> Self {
        Partial { factor: Some(factor), is_minus: false }
    }

    /// Adds this times `x` to a sum that may not have begun.
    fn add_to(
        self,
        sum: &mut Option<Symbol<'r, F>>,
        x: Symbol<'r, F>,
        times: impl Fn(Symbol<'r, F>, Symbol<'r, F>) -> Symbol<'r, F>,
    ) {
        let product = self.factor.map_or(x, |factor| times(factor, x));
        *sum = Some(match (*sum, self.is_minus) {
            (None, false) => product,
            (None, true) => -product,
            (Some(sum), false) => sum + product,
            (Some(sum), true) => sum - product,
        });
    }
}
