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
        for run in &self.runs {
            let (done, rest) = values.split_at_mut(run.first as usize);
            self.forward_run(run, done, &mut rest[..run.len as usize]);
        }
    }

    #[inline]
    fn forward_run<R: Primal<Base = F>>(&self, run: &Run, done: &[R], results: &mut [R]) {
        let args = &self.args[run.args as usize..];
        match run.op {
            Op::Binary(Binary::Add) => two(args, done, results, |a, b| a + b),
            Op::Binary(Binary::Sub) => two(args, done, results, |a, b| a - b),
            Op::Binary(Binary::Mul) => two(args, done, results, |a, b| a * b),
            Op::Binary(Binary::Div) => two(args, done, results, |a, b| a / b),
            Op::MulAdd => three(args, done, results, |a, b, c| a * b + c),
            Op::MulSub => three(args, done, results, |a, b, c| a * b - c),
            Op::SubMul => three(args, done, results, |a, b, c| c - a * b),
            Op::Unary(Unary::Square) => one(args, done, results, |a| a * a),
            Op::Unary(Unary::Neg) => one(args, done, results, |a| -a),
            Op::Detach => one(args, done, results, |a| R::from_base(a.base())),
            Op::Unary(op) => one(args, done, results, |a| unary(op, a)),
            Op::Binary(op) => two(args, done, results, |a, b| binary(op, a, b)),
            Op::Parametric => {
                for (y, [a, p]) in results.iter_mut().zip(args.as_chunks().0) {
                    *y = self.parameters[*p as usize].eval(done[*a as usize]);
                }
            }
            Op::Nary(op) => {
                let mut args = args;
                for y in results {
                    let (operands, rest) = next_operands(args);
                    *y = nary(op, operands, done);
                    args = rest;
                }
            }
        }
    }
}

/// The operands of an n-ary step, and what follows.
#[inline]
pub(super) fn next_operands(args: &[u32]) -> (&[u32], &[u32]) {
    match args.split_first() {
        Some((&len, rest)) => rest.split_at(len as usize),
        None => (&[], &[]),
    }
}

#[inline(always)]
fn one<R: Copy>(args: &[u32], done: &[R], results: &mut [R], f: impl Fn(R) -> R) {
    for (y, &a) in results.iter_mut().zip(args) {
        *y = f(done[a as usize]);
    }
}
#[inline(always)]
fn two<R: Copy>(args: &[u32], done: &[R], results: &mut [R], f: impl Fn(R, R) -> R) {
    for (y, &[a, b]) in results.iter_mut().zip(args.as_chunks().0) {
        *y = f(done[a as usize], done[b as usize]);
    }
}
#[inline(always)]
fn three<R: Copy>(args: &[u32], done: &[R], results: &mut [R], f: impl Fn(R, R, R) -> R) {
    for (y, &[a, b, c]) in results.iter_mut().zip(args.as_chunks().0) {
        *y = f(done[a as usize], done[b as usize], done[c as usize]);
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

fn nary<R: Primal>(op: Nary, operands: &[u32], done: &[R]) -> R {
    let mut x = operands.iter().map(|&a| done[a as usize]);
    match op {
        Nary::Sum => x.next().map_or(R::ZERO, |first| x.fold(first, |sum, x| sum + x)),
        Nary::Product => x.fold(R::ONE, |product, x| product * x),
        Nary::Dot => {
            let pairs = operands.as_chunks().0;
            pairs.iter().fold(R::ZERO, |sum, &[a, b]| sum + done[a as usize] * done[b as usize])
        }
        Nary::Norm2 => x.fold(R::ZERO, |length, x| length.hypot(x)),
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
