//! The reverse sweep over a program, on any kind of number.
//!
//! As on a tape, zero times anything is zero, and the sweep is optimistic: branch-free first, and again with care only if the
//! adjoint of an input is NaN. Adjoints of data, constants and whatever hangs only on those are not computed.

use super::list::Op;
use super::program::{Program, Run};
use super::replay::next_operands;
use crate::number::Primal;
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_kernels::{Binary, Elementary, Float, Unary};

impl<F: TensorFloat> Program<F> {
    /// Adjoints of all slots for the seeds of the outputs; those of the inputs come first.
    pub(crate) fn reverse<R: Primal<Base = F>>(
        &self,
        values: &[R],
        adjoints: &mut Vec<R>,
        seeds: impl Iterator<Item = (usize, R)> + Clone,
    ) {
        self.sweep::<R, false>(values, adjoints, seeds.clone());
        if adjoints[..self.inputs].iter().any(|x_bar| x_bar.has_nan()) {
            self.sweep::<R, true>(values, adjoints, seeds);
        }
    }

    fn sweep<R: Primal<Base = F>, const CAREFUL: bool>(
        &self,
        values: &[R],
        adjoints: &mut Vec<R>,
        seeds: impl Iterator<Item = (usize, R)>,
    ) {
        adjoints.clear();
        adjoints.resize(self.slots, R::ZERO);
        for (output, seed) in seeds {
            if self.output_is_active[output] {
                adjoints[self.outputs[output] as usize] += seed;
            }
        }
        for run in self.runs.iter().rev().filter(|run| run.active != 0) {
            let (below, from) = adjoints.split_at_mut(run.first as usize);
            self.reverse_run::<R, CAREFUL>(run, values, below, &from[..run.len as usize]);
        }
    }

    #[inline]
    fn reverse_run<R: Primal<Base = F>, const CAREFUL: bool>(
        &self,
        run: &Run,
        values: &[R],
        bars: &mut [R],
        results: &[R],
    ) {
        let args = &self.args[run.args as usize..];
        let values_of_results = &values[run.first as usize..][..results.len()];
        let v = |a: u32| values[a as usize];
        let times = |y_bar: R, partial: R| if CAREFUL { partial.zero_product(y_bar) } else { y_bar * partial };
        let (left, right, third) = (run.active & 1 != 0, run.active & 2 != 0, run.active & 4 != 0);
        macro_rules! one {
            (|$a:ident, $y:ident, $y_bar:ident| $x_bar:expr) => {
                for ((&a, &$y), &$y_bar) in args.iter().zip(values_of_results).zip(results) {
                    let $a = v(a);
                    bars[a as usize] += $x_bar;
                }
            };
        }
        macro_rules! two {
            (|$a:ident, $b:ident, $y:ident, $y_bar:ident| $a_bar:expr, $b_bar:expr) => {
                for ((&[a, b], &$y), &$y_bar) in args.as_chunks().0.iter().zip(values_of_results).zip(results) {
                    let ($a, $b) = (v(a), v(b));
                    if left {
                        bars[a as usize] += $a_bar;
                    }
                    if right {
                        bars[b as usize] += $b_bar;
                    }
                }
            };
        }
        macro_rules! three {
            (|$y_bar:ident| $product_bar:expr, $c_bar:expr) => {
                for (&[a, b, c], &$y_bar) in args.as_chunks().0.iter().zip(results) {
                    let product_bar = $product_bar;
                    if left {
                        bars[a as usize] += times(product_bar, v(b));
                    }
                    if right {
                        bars[b as usize] += times(product_bar, v(a));
                    }
                    if third {
                        bars[c as usize] += $c_bar;
                    }
                }
            };
        }
        match run.op {
            Op::Binary(Binary::Add) => two!(|_a, _b, _y, y_bar| y_bar, y_bar),
            Op::Binary(Binary::Sub) => two!(|_a, _b, _y, y_bar| y_bar, -y_bar),
            Op::Binary(Binary::Mul) => two!(|a, b, _y, y_bar| times(y_bar, b), times(y_bar, a)),
            Op::Binary(Binary::Div) => two!(|_a, b, y, y_bar| times(y_bar, b.recip()), times(y_bar, -(y / b))),
            Op::MulAdd => three!(|y_bar| y_bar, y_bar),
            Op::MulSub => three!(|y_bar| y_bar, -y_bar),
            Op::SubMul => three!(|y_bar| -y_bar, y_bar),
            Op::Unary(Unary::Square) => one!(|a, _y, y_bar| times(y_bar, a + a)),
            Op::Unary(Unary::Neg) => one!(|_a, _y, y_bar| -y_bar),
            Op::Detach => {}
            Op::Unary(op) => one!(|a, y, y_bar| times(y_bar, slope(op, a, y))),
            Op::Binary(op) => {
                for ((&[a, b], &y), &y_bar) in args.as_chunks().0.iter().zip(values_of_results).zip(results) {
                    let (p, q) = slopes(op, v(a), v(b), y);
                    if left {
                        bars[a as usize] += times(y_bar, p);
                    }
                    if right {
                        bars[b as usize] += times(y_bar, q);
                    }
                }
            }
            Op::Parametric => {
                for ((&[a, p], &y), &y_bar) in args.as_chunks().0.iter().zip(values_of_results).zip(results) {
                    let partial = self.parameters[p as usize].derivative(v(a), y);
                    bars[a as usize] += times(y_bar, partial);
                }
            }
            Op::Nary(op) => {
                let mut args = args;
                for (&y, &y_bar) in values_of_results.iter().zip(results) {
                    let (operands, rest) = next_operands(args);
                    partials(op, operands, values, y, |a, partial| match partial {
                        // Plain: of a sum.
                        None => bars[a as usize] += y_bar,
                        Some(partial) => bars[a as usize] += times(y_bar, partial),
                    });
                    args = rest;
                }
            }
        }
    }
}

#[inline(never)]
fn slope<R: Elementary>(op: Unary, x: R, y: R) -> R {
    op.derivative(x, y)
}
#[inline(never)]
fn slopes<R: Elementary>(op: Binary, a: R, b: R, y: R) -> (R, R) {
    op.derivative(a, b, y)
}

/// Hands out the partial of an n-ary step by each operand; `None` stands for 1.
#[inline]
fn partials<R: Primal>(op: Nary, operands: &[u32], values: &[R], y: R, mut add: impl FnMut(u32, Option<R>)) {
    let v = |a: u32| values[a as usize];
    match op {
        Nary::Sum => operands.iter().for_each(|&a| add(a, None)),
        Nary::Product => {
            // Products of the other factors, from both ends: a zero among them is no special case.
            let mut after: SmallVec<[R; 16]> = SmallVec::from_elem(R::ONE, operands.len());
            for k in (1..operands.len()).rev() {
                after[k - 1] = after[k] * v(operands[k]);
            }
            let mut before = R::ONE;
            for (&a, &after) in operands.iter().zip(&after) {
                add(a, Some(before * after));
                before = before * v(a);
            }
        }
        Nary::Dot => {
            for &[a, b] in operands.as_chunks().0 {
                add(a, Some(v(b)));
                add(b, Some(v(a)));
            }
        }
        Nary::Norm2 => operands.iter().for_each(|&a| add(a, Some(v(a).div_or_zero(y)))),
        Nary::LogSumExp if y.base().is_finite() => operands.iter().for_each(|&a| add(a, Some((v(a) - y).exp()))),
        Nary::LogSumExp => {
            // `x - y` would be NaN. Infinity takes the whole gradient; minus infinity, all of them then, none.
            let share = if y.base() > R::Base::default() { R::ONE } else { R::ZERO };
            operands.iter().for_each(|&a| {
                let partial = if y.base().is_nan() {
                    y
                } else if v(a) == y {
                    share
                } else {
                    R::ZERO
                };
                add(a, Some(partial));
            });
        }
    }
}
