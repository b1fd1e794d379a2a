//! The reverse sweep over a program, on any kind of number.
//!
//! As on a tape, zero times anything is zero, and the sweep is optimistic: branch-free first, and again with care only if the
//! adjoint of an input is NaN. Adjoints of data, constants and whatever hangs only on those are not computed.

use super::list::Op;
use super::program::{Program, Run};
use crate::number::Primal;
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_kernels::{Binary, Elementary, Float, Unary};

impl<F: TensorFloat> Program<F> {
    /// Adjoints of the inputs, in the first slots, for the seeds of the outputs.
    ///
    /// The adjoint of a result is set back to 0 once it was passed on: the array need not be cleared for the next sweep, which
    /// for a long program would cost a pass over memory.
    pub(crate) fn reverse<R: Primal<Base = F>>(
        &self,
        values: &[R],
        adjoints: &mut Vec<R>,
        seeds: impl Iterator<Item = (usize, R)> + Clone,
    ) {
        if adjoints.len() != self.slots {
            adjoints.clear();
            adjoints.resize(self.slots, R::ZERO);
        }
        self.sweep::<R, false>(values, adjoints, seeds.clone());
        if adjoints[..self.inputs].iter().any(|x_bar| x_bar.has_nan()) {
            self.sweep::<R, true>(values, adjoints, seeds);
        }
    }

    fn sweep<R: Primal<Base = F>, const CAREFUL: bool>(
        &self,
        values: &[R],
        bars: &mut [R],
        seeds: impl Iterator<Item = (usize, R)>,
    ) {
        bars[..self.first_result()].fill(R::ZERO);
        for (output, seed) in seeds {
            if self.output_is_active[output] {
                bars[self.outputs[output] as usize] += seed;
            }
        }
        self.each_run_back(|run, first, operands| {
            if run.active() == 0 {
                return;
            }
            if let Op::Nary(op) = run.op {
                let y_bar = core::mem::replace(&mut bars[first], R::ZERO);
                partials(
                    op,
                    operands,
                    |a| values[a as usize],
                    values[first],
                    |a, partial| match partial {
                        // Of a sum.
                        None => bars[a as usize] += y_bar,
                        Some(partial) => bars[a as usize] += times::<R, CAREFUL>(y_bar, partial),
                    },
                );
            } else {
                self.reverse_run::<R, CAREFUL>(run, operands, first, values, bars);
            }
        });
    }

    /// A run of steps that are not n-ary, last step first.
    #[inline(always)]
    fn reverse_run<R: Primal<Base = F>, const CAREFUL: bool>(
        &self,
        run: Run,
        operands: &[u32],
        first: usize,
        values: &[R],
        bars: &mut [R],
    ) {
        let v = |a: u32| values[a as usize];
        let times = times::<R, CAREFUL>;
        let places = first..first + run.len();
        let (left, right, third) = (run.active() & 1 != 0, run.active() & 2 != 0, run.active() & 4 != 0);
        macro_rules! add {
            ($side:ident, $place:expr, $bar:expr) => {
                if $side {
                    bars[$place as usize] += $bar;
                }
            };
        }
        macro_rules! one {
            (|$a:ident, $y:ident, $y_bar:ident| $x_bar:expr) => {
                for (y, &a) in places.zip(operands).rev() {
                    let ($a, $y) = (v(a), values[y]);
                    let $y_bar = core::mem::replace(&mut bars[y], R::ZERO);
                    bars[a as usize] += $x_bar;
                }
            };
        }
        macro_rules! two {
            (|$a:ident, $b:ident, $y:ident, $y_bar:ident| $a_bar:expr, $b_bar:expr) => {
                for (y, &[a, b]) in places.zip(operands.as_chunks().0).rev() {
                    let ($a, $b, $y) = (v(a), v(b), values[y]);
                    let $y_bar = core::mem::replace(&mut bars[y], R::ZERO);
                    add!(left, a, $a_bar);
                    add!(right, b, $b_bar);
                }
            };
        }
        macro_rules! three {
            (|$y_bar:ident| $product_bar:expr, $c_bar:expr) => {
                for (y, &[a, b, c]) in places.zip(operands.as_chunks().0).rev() {
                    let $y_bar = core::mem::replace(&mut bars[y], R::ZERO);
                    let product_bar = $product_bar;
                    add!(left, a, times(product_bar, v(b)));
                    add!(right, b, times(product_bar, v(a)));
                    add!(third, c, $c_bar);
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
            Op::Unary(Unary::Exp) => one!(|_a, y, y_bar| times(y_bar, y)),
            Op::Unary(op) => one!(|a, y, y_bar| times(y_bar, slope(op, a, y))),
            Op::Binary(op) => {
                for (y, &[a, b]) in places.zip(operands.as_chunks().0).rev() {
                    let (p, q) = slopes(op, v(a), v(b), values[y]);
                    let y_bar = core::mem::replace(&mut bars[y], R::ZERO);
                    add!(left, a, times(y_bar, p));
                    add!(right, b, times(y_bar, q));
                }
            }
            Op::Parametric => {
                for (y, &[a, p]) in places.zip(operands.as_chunks().0).rev() {
                    let partial = self.parameters[p as usize].derivative(v(a), values[y]);
                    let y_bar = core::mem::replace(&mut bars[y], R::ZERO);
                    add!(left, a, times(y_bar, partial));
                }
            }
            // Never active, and not of this function.
            Op::Detach | Op::Nary(_) => {}
        }
    }
}

/// A cotangent times a partial; zero on either side makes zero where that matters.
#[inline(always)]
pub(super) fn times<R: Primal, const CAREFUL: bool>(y_bar: R, partial: R) -> R {
    if CAREFUL { partial.zero_product(y_bar) } else { y_bar * partial }
}

#[inline(never)]
fn slope<R: Elementary>(op: Unary, x: R, y: R) -> R {
    op.derivative(x, y)
}
#[inline(never)]
fn slopes<R: Elementary>(op: Binary, a: R, b: R, y: R) -> (R, R) {
    op.derivative(a, b, y)
}

/// Hands out the partial of an n-ary step by each operand, in their order; `None` stands for 1.
#[inline]
pub(super) fn partials<R: Primal>(
    op: Nary,
    operands: &[u32],
    v: impl Fn(u32) -> R,
    y: R,
    mut add: impl FnMut(u32, Option<R>),
) {
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
