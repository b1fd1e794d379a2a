//! The pullback of an expression as an expression: the gradient of a map is again a map, and so on to any order.

use super::expression::Expression;
use super::list::{Id, List, Op};
use super::recorder::{OnRecorder, Recorder, Symbol, constant};
use crate::tape::{Handle, Nary};
use crate::tensor::TensorFloat;
use wengert_kernels::{Binary, BinaryFunctions, Unary, UnaryFunctions};

impl<F: TensorFloat> Expression<F> {
    /// `y_bar dy/dx_k` as an expression of the same numbers and, after them, of `y_bar`.
    ///
    /// Zero times anything is zero in it, where the plain sweep sees to that too. Derivatives by the other numbers are
    /// recorded on the way; being of no use, they do not survive the optimiser.
    pub(crate) fn pullback(&self, k: usize) -> Self {
        let list = self.list();
        let recorder = Recorder::new(list.inputs + 1, 0);
        let nan = F::from_f64(f64::NAN);
        let mut values: Vec<Symbol<'_, F>> = (0..list.inputs).map(|k| recorder.symbol(nan, k)).collect();
        for step in &list.steps {
            let x = |side: usize| value(list, step.operands[side], &values);
            let y = match step.op {
                Op::Unary(op) => op.eval(x(0)),
                Op::Binary(op) => op.eval(x(0), x(1)),
                Op::MulAdd => x(0) * x(1) + x(2),
                Op::MulSub => x(0) * x(1) - x(2),
                Op::SubMul => x(2) - x(0) * x(1),
                Op::Parametric => list.parameters[step.operands[1].raw() as usize].eval(x(0)),
                Op::Detach => x(0).detach(),
                Op::Nary(op) => {
                    let operands = list.operands(step).iter().map(|&id| (value(list, id, &values), nan));
                    OnRecorder::nary(op, operands, nan)
                }
            };
            values.push(y);
        }
        let mut bars = Bars(vec![None; values.len()]);
        bars.add(list.outputs[0], recorder.symbol(nan, list.inputs));
        for (number, step) in list.steps.iter().enumerate().rev() {
            let y = values[list.inputs + number];
            let Some(y_bar) = bars.0[list.inputs + number] else { continue };
            let operands = list.operands(step);
            let x = |side: usize| value(list, operands[side], &values);
            let times = |partial| BinaryFunctions::mul_zero(partial, y_bar);
            match step.op {
                Op::Unary(Unary::Neg) => bars.add(operands[0], -y_bar),
                Op::Unary(op) => bars.add(operands[0], times(op.derivative(x(0), y))),
                Op::Parametric => {
                    let op = list.parameters[step.operands[1].raw() as usize];
                    bars.add(operands[0], times(op.derivative(x(0), y)));
                }
                Op::Binary(Binary::Add) => {
                    bars.add(operands[0], y_bar);
                    bars.add(operands[1], y_bar);
                }
                Op::Binary(Binary::Sub) => {
                    bars.add(operands[0], y_bar);
                    bars.add(operands[1], -y_bar);
                }
                Op::Binary(op) => {
                    let (p, q) = op.derivative(x(0), x(1), y);
                    bars.add(operands[0], times(p));
                    bars.add(operands[1], times(q));
                }
                Op::MulAdd | Op::MulSub | Op::SubMul => {
                    let product_bar = if step.op == Op::SubMul { -y_bar } else { y_bar };
                    bars.add(operands[0], x(1).mul_zero(product_bar));
                    bars.add(operands[1], x(0).mul_zero(product_bar));
                    bars.add(operands[2], if step.op == Op::MulSub { -y_bar } else { y_bar });
                }
                Op::Detach => {}
                Op::Nary(Nary::Sum) => operands.iter().for_each(|&id| bars.add(id, y_bar)),
                Op::Nary(Nary::Product) => {
                    // Products of the other factors, from both ends: a zero among them is no special case.
                    let one = constant(F::ONE);
                    let mut after = vec![one; operands.len()];
                    for side in (1..operands.len()).rev() {
                        after[side - 1] = after[side] * x(side);
                    }
                    let mut before = one;
                    for (side, &id) in operands.iter().enumerate() {
                        bars.add(id, times(before * after[side]));
                        before *= x(side);
                    }
                }
                Op::Nary(Nary::Dot) => {
                    for &[a, b] in operands.as_chunks().0 {
                        bars.add(a, times(value(list, b, &values)));
                        bars.add(b, times(value(list, a, &values)));
                    }
                }
                Op::Nary(Nary::Norm2) => {
                    for (side, &id) in operands.iter().enumerate() {
                        bars.add(id, times(x(side).div_or_zero(y)));
                    }
                }
                Op::Nary(Nary::LogSumExp) => {
                    for (side, &id) in operands.iter().enumerate() {
                        bars.add(id, times((x(side) - y).exp()));
                    }
                }
            }
        }
        let x_bar = bars.0[k].unwrap_or_else(|| constant(F::ZERO));
        match recorder.finish(&[x_bar]) {
            Ok(draft) => Self::of_draft(draft),
            Err(error) => panic!("in a reverse sweep: {error}"),
        }
    }
}

/// The number an operand stands for.
fn value<'r, F: TensorFloat>(list: &List<F>, id: Id, values: &[Symbol<'r, F>]) -> Symbol<'r, F> {
    if id.is_constant() { constant(list.constants[id.number()]) } else { values[id.number()] }
}

/// The adjoints of all values; `None` where nothing flowed.
struct Bars<'r, F: TensorFloat>(Vec<Option<Symbol<'r, F>>>);

impl<'r, F: TensorFloat> Bars<'r, F> {
    fn add(&mut self, id: Id, x_bar: Symbol<'r, F>) {
        if !id.is_constant() {
            let sum = &mut self.0[id.number()];
            *sum = Some(sum.map_or(x_bar, |sum| sum + x_bar));
        }
    }
}
