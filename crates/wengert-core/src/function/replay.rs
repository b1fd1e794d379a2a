//! Replay at one point: forward over the program, on any kind of number.

use super::list::Op;
use super::program::{Program, Run};
use crate::number::Primal;
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use wengert_kernels::{Binary, Elementary, Float, Unary};

impl<F: TensorFloat> Program<F> {
    /// Makes an array of slots ready: its length, and the constants.
    pub(crate) fn prepare<R: Primal<Base = F>>(&self, values: &mut Vec<R>) {
        if values.len() != self.slots {
            values.clear();
            values.resize(self.slots, R::ZERO);
            for (slot, &constant) in values[self.first_constant()..].iter_mut().zip(&self.constants) {
                *slot = R::from_base(constant);
            }
        }
    }

    /// Computes all results, from the inputs, data and constants in their slots.
    pub(crate) fn forward<R: Primal<Base = F>>(&self, values: &mut [R]) {
        self.each_run(|run, first, operands| match run.op {
            Op::Binary(Binary::Add) => two(operands, values, first, |a, b| a + b),
            Op::Binary(Binary::Sub) => two(operands, values, first, |a, b| a - b),
            Op::Binary(Binary::Mul) => two(operands, values, first, |a, b| a * b),
            Op::Binary(Binary::Div) => two(operands, values, first, |a, b| a / b),
            Op::MulAdd => three(operands, values, first, |a, b, c| a * b + c),
            Op::MulSub => three(operands, values, first, |a, b, c| a * b - c),
            Op::SubMul => three(operands, values, first, |a, b, c| c - a * b),
            Op::Unary(Unary::Square) => one(operands, values, first, |a| a * a),
            Op::Unary(Unary::Neg) => one(operands, values, first, |a| -a),
            Op::Detach => one(operands, values, first, |a| R::from_base(a.base())),
            Op::Unary(op) => one(operands, values, first, |a| unary(op, a)),
            Op::Binary(op) => two(operands, values, first, |a, b| binary(op, a, b)),
            Op::Parametric => {
                for (y, &[a, p]) in (first..).zip(operands.as_chunks().0) {
                    values[y] = self.parameters[p as usize].eval(values[a as usize]);
                }
            }
            Op::Nary(op) => values[first] = nary(op, operands, |a| values[a as usize]),
        });
    }
}

impl<F: TensorFloat> Program<F> {
    /// Hands out the runs in order, each with the slot of its first result and its operands.
    #[inline(always)]
    pub(super) fn each_run(&self, mut work: impl FnMut(Run, usize, &[u32])) {
        let mut first = self.first_result();
        let mut args = &self.args[..];
        for &run in &self.runs {
            let operands;
            (operands, args) = match run.op {
                Op::Nary(_) => next_operands(args),
                _ => args.split_at(run.args()),
            };
            work(run, first, operands);
            first += run.len();
        }
    }

    /// Hands out the runs from the last to the first.
    #[inline(always)]
    pub(super) fn each_run_back(&self, mut work: impl FnMut(Run, usize, &[u32])) {
        let mut first = self.slots;
        let mut args = &self.args[..];
        for &run in self.runs.iter().rev() {
            let operands;
            (args, operands) = match run.op {
                Op::Nary(_) => last_operands(args),
                _ => args.split_at(args.len() - run.args()),
            };
            first -= run.len();
            work(run, first, operands);
        }
    }
}

/// The operands of an n-ary step, which stand between their number and their number again, and what follows.
#[inline(always)]
fn next_operands(args: &[u32]) -> (&[u32], &[u32]) {
    match args.split_first() {
        Some((&len, rest)) => (&rest[..len as usize], &rest[len as usize + 1..]),
        None => (&[], &[]),
    }
}

/// What is before the last n-ary step's operands, and they.
#[inline(always)]
fn last_operands(args: &[u32]) -> (&[u32], &[u32]) {
    match args.split_last() {
        Some((&len, rest)) => {
            let (before, operands) = rest.split_at(rest.len() - len as usize);
            (&before[..before.len() - 1], operands)
        }
        None => (&[], &[]),
    }
}

#[inline(always)]
fn one<R: Copy>(operands: &[u32], values: &mut [R], first: usize, f: impl Fn(R) -> R) {
    for (y, &a) in (first..).zip(operands) {
        values[y] = f(values[a as usize]);
    }
}
#[inline(always)]
fn two<R: Copy>(operands: &[u32], values: &mut [R], first: usize, f: impl Fn(R, R) -> R) {
    for (y, &[a, b]) in (first..).zip(operands.as_chunks().0) {
        values[y] = f(values[a as usize], values[b as usize]);
    }
}
#[inline(always)]
fn three<R: Copy>(operands: &[u32], values: &mut [R], first: usize, f: impl Fn(R, R, R) -> R) {
    for (y, &[a, b, c]) in (first..).zip(operands.as_chunks().0) {
        values[y] = f(values[a as usize], values[b as usize], values[c as usize]);
    }
}

// The whole table once per kind of number, not once per loop.
#[inline(never)]
fn unary<R: Elementary>(op: Unary, x: R) -> R {
    op.eval(x)
}
#[inline(never)]
fn binary<R: Elementary>(op: Binary, a: R, b: R) -> R {
    op.eval(a, b)
}

/// The value of an n-ary step; `v` gives the number in a slot.
#[inline]
pub(super) fn nary<R: Primal>(op: Nary, operands: &[u32], v: impl Fn(u32) -> R) -> R {
    let mut x = operands.iter().map(|&a| v(a));
    match op {
        Nary::Sum => x.next().map_or(R::ZERO, |first| x.fold(first, |sum, x| sum + x)),
        Nary::Product => x.fold(R::ONE, |product, x| product * x),
        Nary::Dot => {
            let pairs = operands.as_chunks().0;
            pairs.iter().fold(R::ZERO, |sum, &[a, b]| sum + v(a) * v(b))
        }
        Nary::Norm2 => x.fold(R::ZERO, R::hypot),
        Nary::LogSumExp => {
            let largest = x.clone().reduce(R::maximum).map_or(-(R::ONE / R::ZERO), |x| x);
            if !largest.base().is_finite() {
                return largest;
            }
            // The largest as a constant: its derivative cancels, and would only round.
            let shift = R::from_base(largest.base());
            x.fold(R::ZERO, |total, x| total + (x - shift).exp()).ln() + shift
        }
    }
}
