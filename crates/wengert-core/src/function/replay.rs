//! Replay at one point: forward over the program, on any kind of number.

use super::columns::{Column, each_chunk, here_mut, in_chunks, many};
use super::list::Op;
use super::program::{Program, Run};
use crate::number::Primal;
use crate::tape::{self, Nary};
use crate::tensor::TensorFloat;
use wengert_kernels::{Binary, Elementary, Float, Unary};

impl<F: TensorFloat> Program<F> {
    /// Makes an array of slots ready: its length, and the constants.
    pub(crate) fn prepare<R: Primal<Base = F>>(&self, values: &mut Vec<R>) {
        if values.len() != self.slots {
            values.clear();
            tape::reserve(values, self.slots);
            values.resize(self.slots, R::ZERO);
            for (slot, &constant) in values[self.first_constant()..].iter_mut().zip(&self.constants) {
                *slot = R::from_base(constant);
            }
        }
    }

    /// Computes all results, from the inputs, data and constants in their slots.
    pub(crate) fn forward<R: Primal<Base = F>>(&self, values: &mut [R]) {
        self.each_run(|run, first, operands| {
            if let Op::Nary(op) = run.op {
                values[first] = nary(op, operands, |a| values[a as usize]);
            } else if run.is_even() {
                self.forward_even(run, first, operands, values);
            } else {
                self.forward_steps::<R, false>(run, first, operands, values);
            }
        });
    }

    /// An even run. Apart from the loop over runs, which then keeps what it needs in registers.
    #[inline(never)]
    fn forward_even<R: Primal<Base = F>>(&self, run: Run, first: usize, operands: &[u32], values: &mut [R]) {
        self.forward_steps::<R, true>(run, first, operands, values);
    }

    /// A run of steps that are not n-ary.
    #[inline(always)]
    fn forward_steps<R: Primal<Base = F>, const EVEN: bool>(
        &self,
        run: Run,
        first: usize,
        operands: &[u32],
        values: &mut [R],
    ) {
        let is_float = const { size_of::<R>() == size_of::<F>() };
        let [at_a, at_b, at_c] = run.columns(operands);
        macro_rules! steps {
            (|$($x:ident $from:ident),*| $y:expr) => {
                if EVEN {
                    each_chunk!(run.len(), const { in_chunks::<R>() }, |step, N| {
                        $( let $x: [R; N] = $from.load(values, step); )*
                        let mut y = [R::ZERO; N];
                        for k in 0..N {
                            $( let $x = $x[k]; )*
                            y[k] = $y;
                        }
                        *here_mut(values, first + step) = y;
                    })
                } else {
                    for (y, &[$($x),*]) in (first..).zip(operands.as_chunks().0) {
                        $( let $x = values[$x as usize]; )*
                        values[y] = $y;
                    }
                }
            };
        }
        // A factor that hangs on no input has no tangent: as a product of two duals, zero times an infinite value would
        // make NaN.
        macro_rules! products {
            (|$times:ident, $($x:ident $from:ident),*| $y:expr) => {
                match run.active() & 0b11 {
                    0b01 if !is_float => {
                        let $times = |a: R, b: R| a.scaled(b.base().to_f64());
                        steps!(|$($x $from),*| $y)
                    }
                    0b10 if !is_float => {
                        let $times = |a: R, b: R| b.scaled(a.base().to_f64());
                        steps!(|$($x $from),*| $y)
                    }
                    _ => {
                        let $times = |a: R, b: R| a * b;
                        steps!(|$($x $from),*| $y)
                    }
                }
            };
        }
        match run.op {
            Op::Binary(Binary::Add) => steps!(|a at_a, b at_b| a + b),
            Op::Binary(Binary::Sub) => steps!(|a at_a, b at_b| a - b),
            Op::Binary(Binary::Mul) => products!(|times, a at_a, b at_b| times(a, b)),
            Op::Binary(Binary::Div) => steps!(|a at_a, b at_b| a / b),
            Op::MulAdd => products!(|times, a at_a, b at_b, c at_c| times(a, b) + c),
            Op::MulSub => products!(|times, a at_a, b at_b, c at_c| times(a, b) - c),
            Op::SubMul => products!(|times, a at_a, b at_b, c at_c| c - times(a, b)),
            Op::Unary(Unary::Square) => steps!(|a at_a| a * a),
            Op::Unary(Unary::Neg) => steps!(|a at_a| -a),
            Op::Detach => steps!(|a at_a| R::from_base(a.base())),
            Op::Unary(op) if is_float && run.is_long() => match at_a {
                Column::Consecutive(a) if EVEN => {
                    let (values, results) = values.split_at_mut(first);
                    R::unary_of_many(op, &values[a..][..run.len()], &mut results[..run.len()]);
                }
                _ => {
                    let slot = |step: usize| if EVEN { at_a.slot(step) } else { operands[step] as usize };
                    many(slot, run.len(), values, first, |x, y| R::unary_of_many(op, x, y));
                }
            },
            Op::Unary(op) => steps!(|a at_a| unary(op, a)),
            Op::Binary(op) => steps!(|a at_a, b at_b| binary(op, a, b)),
            Op::Parametric => {
                for (y, &[a, p]) in (first..).zip(operands.as_chunks().0) {
                    values[y] = self.parameters[p as usize].eval(values[a as usize]);
                }
            }
            // Not of this function.
            Op::Nary(_) => {}
        }
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
                _ => args.split_at(run.listed()),
            };
            work(run, first, operands);
            first += run.len();
        }
    }

    /// Hands out the runs from the last to the first.
    #[inline(always)]
    pub(super) fn each_run_back(&self, work: impl FnMut(Run, usize, &[u32])) {
        self.runs_back().down_to(0, work);
    }

    /// The runs from the last to the first.
    pub(super) fn runs_back(&self) -> RunsBack<'_> {
        RunsBack { first: self.slots, runs: &self.runs, args: &self.args }
    }
}

/// The runs of a program before some slot.
pub(super) struct RunsBack<'p> {
    first: usize,
    runs: &'p [Run],
    args: &'p [u32],
}

impl RunsBack<'_> {
    /// Hands out those behind the slot `start`, from the last to the first.
    #[inline(always)]
    pub(super) fn down_to(&mut self, start: usize, mut work: impl FnMut(Run, usize, &[u32])) {
        let RunsBack { mut first, runs, mut args } = *self;
        let mut len = runs.len();
        for &run in runs.iter().rev() {
            if first <= start {
                break;
            }
            let operands;
            (args, operands) = match run.op {
                Op::Nary(_) => last_operands(args),
                _ => args.split_at(args.len() - run.listed()),
            };
            first -= run.len();
            len -= 1;
            work(run, first, operands);
        }
        *self = RunsBack { first, runs: &runs[..len], args };
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
