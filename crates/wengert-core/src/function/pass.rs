//! An expression as a chain of elementwise steps: values, cotangents, or both, in one pass over memory that reads
//! tensors where they lie and writes what is asked for where it belongs.

use super::list::{Id, List, Op};
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_kernels::elementwise::chain::{Chain, Step, Sum};
use wengert_kernels::{Binary, Unary};
use wengert_tensor::{Shape, ShapeError, Tensor};

/// Steps of an expression from which on rows are better: their blocks get shorter with the number of values that are
/// alive, while those of a pass would leave the first-level cache.
const LONG: usize = 64;

/// Whether a cotangent is wanted, by operand.
pub(super) type Operands = SmallVec<[bool; 4]>;

/// What a pass computes.
#[derive(Clone, PartialEq)]
pub(super) enum Wanted<F> {
    /// The values.
    Values,
    /// Their sum, or their mean.
    Total { mean: bool },
    /// The cotangents of these operands, for those of the values, which are one operand more.
    Cotangents(Operands),
    /// The cotangents of these operands for the same cotangent of every value; and the sum of the values, or their
    /// mean.
    Both { operands: Operands, y_bar: F, mean: bool },
}

/// What a pass returns: a tensor for each output, and the sum last.
pub(super) type Results<F> = SmallVec<[Tensor<F>; 4]>;

/// A pass over the operands of an expression.
pub(super) struct Pass<F: TensorFloat> {
    chain: Chain,
    /// What it reads after the operands.
    constants: Vec<Tensor<F>>,
}

impl<F: TensorFloat> Pass<F> {
    /// `None` if the expression is long, or has an operation that no steps of two operands make up.
    pub(super) fn new(list: &List<F>, wanted: &Wanted<F>) -> Option<Self> {
        let steps_of_two = |op| !matches!(op, Op::Nary(Nary::Product | Nary::Norm2 | Nary::LogSumExp));
        if list.steps.len() >= LONG
            || !list.steps.iter().all(|step| steps_of_two(step.op) && !list.operands(step).is_empty())
        {
            return None;
        }
        let tensors = list.inputs + usize::from(matches!(wanted, Wanted::Cotangents(_)));
        let mut constants = list.constants.clone();
        let one = tensors + constants.len();
        constants.push(F::ONE);
        let (operands, y_bar) = match wanted {
            Wanted::Values | Wanted::Total { .. } => (&[][..], list.inputs),
            Wanted::Cotangents(operands) => (&operands[..], list.inputs),
            Wanted::Both { operands, y_bar, .. } => {
                constants.push(*y_bar);
                (&operands[..], one + 1)
            }
        };
        let values = (0..list.inputs).collect();
        let mut lines = Lines { list, tensors, first: tensors + constants.len(), steps: Vec::new(), values };
        for number in 0..list.steps.len() {
            let y = lines.forward(number);
            lines.values.push(y);
        }
        let y = lines.value(list.outputs[0]);
        let mut outputs = SmallVec::new();
        for bar in lines.reverse(operands, y_bar) {
            let bar = bar.unwrap_or_else(|| lines.binary(Binary::Sub, one, one));
            let own = lines.own(bar, one, &outputs);
            outputs.push(own);
        }
        let sum = match *wanted {
            Wanted::Total { mean } | Wanted::Both { mean, .. } => Some(Sum { of: lines.own(y, one, &[]), mean }),
            Wanted::Values => {
                outputs.push(lines.own(y, one, &[]));
                None
            }
            Wanted::Cotangents(_) => None,
        };
        let constants = constants.into_iter().map(Tensor::scalar).collect();
        Some(Pass { chain: lines.chain(outputs, sum), constants })
    }

    /// `None` if an operand is repeated as no pass repeats it, or a view that a pass would copy: rows read it in place.
    pub(super) fn run(&self, x: &[&Tensor<F>], shape: &Shape) -> Option<Result<Results<F>, ShapeError>> {
        // What is one number everywhere, as the cotangents of a sum are, is an operand of one number.
        let mut numbers: SmallVec<[Option<Tensor<F>>; 4]> = SmallVec::new();
        for x in x {
            let fits = x.shape().repeats_in(shape).is_some();
            numbers.push(match x.is_dense() {
                true if fits => None,
                false if fits && x.strides().iter().all(|&stride| stride == 0) => {
                    Some(Tensor::scalar(x.iter().next()?))
                }
                _ => return None,
            });
        }
        let tensors = x.iter().zip(&numbers).map(|(&x, number)| number.as_ref().unwrap_or(x));
        let inputs: SmallVec<[&Tensor<F>; 8]> = tensors.chain(&self.constants).collect();
        Some(Tensor::try_chain(&self.chain, &inputs, shape))
    }
}

/// The steps of a chain on the way. Its numbers are the tensors, the constants, and the results of the steps from
/// `first` on.
struct Lines<'a, F> {
    list: &'a List<F>,
    tensors: usize,
    first: usize,
    steps: Vec<(Step, SmallVec<[usize; 4]>)>,
    /// By value of the list, its number.
    values: Vec<usize>,
}

impl<F> Lines<'_, F> {
    fn push(&mut self, step: Step, operands: &[usize]) -> usize {
        self.steps.push((step, SmallVec::from_slice(operands)));
        self.first + self.steps.len() - 1
    }

    fn binary(&mut self, op: Binary, a: usize, b: usize) -> usize {
        self.push(Step::Binary(op), &[a, b])
    }

    fn value(&self, id: Id) -> usize {
        if id.is_constant() { self.tensors + id.number() } else { self.values[id.number()] }
    }

    /// The same number as the result of a step that makes nothing of `others`: what a chain hands out.
    fn own(&mut self, number: usize, one: usize, others: &[usize]) -> usize {
        let is_own = number >= self.first && !others.contains(&number);
        if is_own { number } else { self.binary(Binary::Mul, number, one) }
    }

    /// The value of a step of the list.
    fn forward(&mut self, number: usize) -> usize {
        let step = &self.list.steps[number];
        let x: SmallVec<[usize; 8]> = self.list.operands(step).iter().map(|&id| self.value(id)).collect();
        match step.op {
            Op::Unary(op) => self.push(Step::Unary(op), &x),
            Op::Parametric => {
                let op = self.list.parameters[step.operands[1].raw() as usize];
                self.push(Step::Parametric(op), &x)
            }
            Op::Binary(op) => self.binary(op, x[0], x[1]),
            Op::MulAdd | Op::MulSub | Op::SubMul => {
                let product = self.binary(Binary::Mul, x[0], x[1]);
                match step.op {
                    Op::MulAdd => self.binary(Binary::Add, product, x[2]),
                    Op::MulSub => self.binary(Binary::Sub, product, x[2]),
                    _ => self.binary(Binary::Sub, x[2], product),
                }
            }
            Op::Detach => x[0],
            Op::Nary(Nary::Dot) => {
                let mut sum = self.binary(Binary::Mul, x[0], x[1]);
                for &[a, b] in &x.as_chunks().0[1..] {
                    let product = self.binary(Binary::Mul, a, b);
                    sum = self.binary(Binary::Add, sum, product);
                }
                sum
            }
            // The only other one that `Pass::new` lets through.
            Op::Nary(_) => x[1..].iter().fold(x[0], |sum, &x| self.binary(Binary::Add, sum, x)),
        }
    }

    /// The cotangents of those operands of the list that are `wanted`; `None` where nothing flows.
    fn reverse(&mut self, wanted: &[bool], y_bar: usize) -> SmallVec<[Option<usize>; 4]> {
        let list = self.list;
        // What hangs on a wanted operand.
        let mut active: Vec<bool> = wanted.to_vec();
        active.resize(list.inputs, false);
        for step in &list.steps {
            let reads = |id: &Id| !id.is_constant() && active[id.number()];
            let is_active = step.op != Op::Detach && list.operands(step).iter().any(reads);
            active.push(is_active);
        }
        let mut bars = Bars { active, sums: vec![None; list.inputs + list.steps.len()] };
        bars.add(self, list.outputs[0], |_| y_bar);
        for (number, step) in list.steps.iter().enumerate().rev() {
            let Some(y_bar) = bars.sums[list.inputs + number] else { continue };
            let (y, operands) = (self.values[list.inputs + number], list.operands(step));
            let x: SmallVec<[usize; 8]> = operands.iter().map(|&id| self.value(id)).collect();
            let negated = |lines: &mut Lines<'_, F>| lines.push(Step::Unary(Unary::Neg), &[y_bar]);
            // A primal that the derivative does not read is not kept for it.
            let read = |reads: bool, primal| if reads { primal } else { y_bar };
            match step.op {
                Op::Unary(op) => {
                    let read = [read(op.keeps_argument(), x[0]), read(op.keeps_result(), y), y_bar];
                    bars.add(self, operands[0], |lines| lines.push(Step::UnaryVjp(op), &read));
                }
                Op::Parametric => {
                    let op = list.parameters[step.operands[1].raw() as usize];
                    bars.add(self, operands[0], |lines| lines.push(Step::ParametricVjp(op), &[x[0], y, y_bar]));
                }
                Op::Binary(Binary::Add) | Op::Nary(Nary::Sum) => {
                    operands.iter().for_each(|&id| bars.add(self, id, |_| y_bar));
                }
                Op::Binary(Binary::Sub) => {
                    bars.add(self, operands[0], |_| y_bar);
                    bars.add(self, operands[1], negated);
                }
                Op::Binary(op) => {
                    let read = [x[0], x[1], read(op.keeps_result(), y), y_bar];
                    bars.add(self, operands[0], |lines| lines.push(Step::LeftVjp(op), &read));
                    bars.add(self, operands[1], |lines| lines.push(Step::RightVjp(op), &read));
                }
                Op::MulAdd | Op::MulSub | Op::SubMul => {
                    let product_bar = if step.op == Op::SubMul { negated(self) } else { y_bar };
                    bars.add_product(self, [operands[0], operands[1]], [x[0], x[1]], product_bar);
                    bars.add(self, operands[2], |lines| if step.op == Op::MulSub { negated(lines) } else { y_bar });
                }
                Op::Nary(_) => {
                    for (&pair, &x) in operands.as_chunks().0.iter().zip(x.as_chunks().0) {
                        bars.add_product(self, pair, x, y_bar);
                    }
                }
                Op::Detach => {}
            }
        }
        let wanted = wanted.iter().enumerate().filter(|(_, wanted)| **wanted);
        wanted.map(|(k, _)| bars.sums[k]).collect()
    }

    /// The chain of those steps that outputs and sum need.
    fn chain(mut self, mut outputs: SmallVec<[usize; 4]>, mut sum: Option<Sum>) -> Chain {
        let mut needed = vec![false; self.first + self.steps.len()];
        outputs.iter().copied().chain(sum.map(|sum| sum.of)).for_each(|number| needed[number] = true);
        for (k, (_, operands)) in self.steps.iter().enumerate().rev() {
            if needed[self.first + k] {
                operands.iter().for_each(|&number| needed[number] = true);
            }
        }
        let mut next = self.first;
        let mut numbers: Vec<usize> = (0..self.first).collect();
        for &needed in &needed[self.first..] {
            numbers.push(next);
            next += usize::from(needed);
        }
        let mut kept = needed[self.first..].iter();
        self.steps.retain(|_| kept.next().is_some_and(|needed| *needed));
        let renumbered = self.steps.iter_mut().flat_map(|(_, operands)| operands).chain(&mut outputs);
        renumbered.chain(sum.as_mut().map(|sum| &mut sum.of)).for_each(|number| *number = numbers[*number]);
        let steps = self.steps.iter().map(|(step, operands)| (*step, &operands[..]));
        Chain::with_sums(self.first, steps, &outputs, sum.into_iter().collect())
    }
}

/// The cotangents of all values so far.
struct Bars {
    active: Vec<bool>,
    sums: Vec<Option<usize>>,
}

impl Bars {
    /// Adds `x_bar` to the cotangent of a value, if it is wanted.
    fn add<F>(&mut self, lines: &mut Lines<'_, F>, x: Id, x_bar: impl FnOnce(&mut Lines<'_, F>) -> usize) {
        if !x.is_constant() && self.active[x.number()] {
            let x_bar = x_bar(lines);
            let sum = &mut self.sums[x.number()];
            *sum = Some(sum.map_or(x_bar, |sum| lines.binary(Binary::Add, sum, x_bar)));
        }
    }

    /// Those of two factors.
    fn add_product<F>(&mut self, lines: &mut Lines<'_, F>, factors: [Id; 2], [a, b]: [usize; 2], y_bar: usize) {
        let read = [a, b, y_bar, y_bar];
        self.add(lines, factors[0], |lines| lines.push(Step::LeftVjp(Binary::Mul), &read));
        self.add(lines, factors[1], |lines| lines.push(Step::RightVjp(Binary::Mul), &read));
    }
}
