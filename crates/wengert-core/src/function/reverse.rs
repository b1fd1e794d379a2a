//! The reverse sweep over a program, on any kind of number.
//!
//! As on a tape, zero times anything is zero, and the sweep is optimistic: branch-free first, and again with care only
//! if the adjoint of an input is NaN. Adjoints of data, constants and whatever hangs only on those are not computed.

use super::columns::{each_chunk, here, here_mut, in_chunks, many_back};
use super::list::Op;
use super::program::{Program, Run};
use super::replay::RunsBack;
use crate::number::Primal;
use crate::tape::{self, Nary};
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use wengert_kernels::{Binary, Elementary, Float, Unary};

impl<F: TensorFloat> Program<F> {
    /// Adjoints of the inputs, in the first slots, for the seeds of the outputs.
    ///
    /// The adjoint of a result is set back to 0 once it was passed on: the array need not be cleared for the next
    /// sweep, which for a long program would cost a pass over memory.
    pub(crate) fn reverse<R: Primal<Base = F>>(
        &self,
        values: &[R],
        adjoints: &mut Vec<R>,
        seeds: impl Iterator<Item = (usize, R)> + Clone,
    ) {
        let len = self.spans.adjoints(self);
        if adjoints.len() != len {
            adjoints.clear();
            tape::reserve(adjoints, len);
            adjoints.resize(len, R::ZERO);
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
        bars[..self.inputs].fill(R::ZERO);
        for (output, seed) in seeds {
            if self.output_is_active[output] {
                bars[self.outputs[output] as usize] += seed;
            }
        }
        let mut window = self.spans.last(self);
        let mut runs = self.runs_back();
        loop {
            // From `shift` on the adjoint of a slot is where the slot is.
            self.sweep_down_to::<R, CAREFUL>(window.start, &mut runs, values, &mut bars[window.shift..]);
            if window.start == self.first_result() {
                break;
            }
            window.go_back(bars);
        }
        window.end(bars);
    }

    /// The runs down to the slot `start`.
    #[inline(never)]
    fn sweep_down_to<R: Primal<Base = F>, const CAREFUL: bool>(
        &self,
        start: usize,
        runs: &mut RunsBack<'_>,
        values: &[R],
        bars: &mut [R],
    ) {
        let still = self.inputs..self.first_result();
        runs.down_to(start, |run, first, operands| {
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
                        // Data and constants.
                        _ if still.contains(&(a as usize)) => {}
                        // Of a sum.
                        None => bars[a as usize] += y_bar,
                        Some(partial) => bars[a as usize] += times::<R, CAREFUL>(y_bar, partial),
                    },
                );
            } else if run.is_even() {
                self.reverse_even::<R, CAREFUL>(run, operands, first, values, bars);
            } else {
                self.reverse_steps::<R, CAREFUL, false>(run, operands, first, values, bars);
            }
        });
    }

    /// An even run. Apart from the loop over runs, which then keeps what it needs in registers.
    #[inline(never)]
    fn reverse_even<R: Primal<Base = F>, const CAREFUL: bool>(
        &self,
        run: Run,
        operands: &[u32],
        first: usize,
        values: &[R],
        bars: &mut [R],
    ) {
        self.reverse_steps::<R, CAREFUL, true>(run, operands, first, values, bars);
    }

    /// A run of steps that are not n-ary.
    #[inline(always)]
    fn reverse_steps<R: Primal<Base = F>, const CAREFUL: bool, const EVEN: bool>(
        &self,
        run: Run,
        operands: &[u32],
        first: usize,
        values: &[R],
        bars: &mut [R],
    ) {
        let in_vectors = !CAREFUL && const { size_of::<R>() == size_of::<F>() };
        let [at_a, at_b, at_c] = run.columns(operands);
        let times = times::<R, CAREFUL>;
        let (left, right, third) = (run.active() & 1 != 0, run.active() & 2 != 0, run.active() & 4 != 0);
        // Steps of the operands `$all`, of which the pullback reads `$x` at `$from`: in step `$k`, that at `$to` is
        // given `$x_bar` if it is `$wanted`.
        macro_rules! steps {
            (
                [$($all:ident),*] $($x:ident $from:ident),* => |$y:ident, $y_bar:ident, $k:ident|
                $($wanted:ident $to:ident: $x_bar:expr),*
            ) => {
                if EVEN {
                    each_chunk!(run.len(), !CAREFUL && const { in_chunks::<R>() }, |step, N| {
                        let $y: [R; N] = *here(values, first + step);
                        let $y_bar = core::mem::replace(here_mut(bars, first + step), [R::ZERO; N]);
                        $( let $x: [R; N] = $from.load(values, step); )*
                        $(
                            if $wanted {
                                let mut x_bar = [R::ZERO; N];
                                for $k in 0..N {
                                    x_bar[$k] = $x_bar;
                                }
                                $to.add(bars, step, x_bar);
                            }
                        )*
                    })
                } else {
                    for (y, &[$($all),*]) in (first..first + run.len()).zip(operands.as_chunks().0).rev() {
                        let $y = [values[y]];
                        let $y_bar = [core::mem::replace(&mut bars[y], R::ZERO)];
                        $( let $x = [values[$from as usize]]; )*
                        let $k = 0;
                        $(
                            if $wanted {
                                bars[$to as usize] += $x_bar;
                            }
                        )*
                    }
                }
            };
        }
        match run.op {
            Op::Binary(Binary::Add) => {
                steps!([at_a, at_b] => |_y, y_bar, k| left at_a: y_bar[k], right at_b: y_bar[k]);
            }
            Op::Binary(Binary::Sub) => {
                steps!([at_a, at_b] => |_y, y_bar, k| left at_a: y_bar[k], right at_b: -y_bar[k]);
            }
            Op::Binary(Binary::Mul) => {
                steps!([at_a, at_b] a at_a, b at_b => |_y, y_bar, k|
                    left at_a: times(y_bar[k], b[k]), right at_b: times(y_bar[k], a[k]));
            }
            Op::Binary(Binary::Div) => {
                steps!([at_a, at_b] b at_b => |y, y_bar, k|
                    left at_a: times(y_bar[k], b[k].recip()), right at_b: times(y_bar[k], -(y[k] / b[k])));
            }
            Op::MulAdd => {
                steps!([at_a, at_b, at_c] a at_a, b at_b => |_y, y_bar, k|
                    left at_a: times(y_bar[k], b[k]), right at_b: times(y_bar[k], a[k]), third at_c: y_bar[k]);
            }
            Op::MulSub => {
                steps!([at_a, at_b, at_c] a at_a, b at_b => |_y, y_bar, k|
                    left at_a: times(y_bar[k], b[k]), right at_b: times(y_bar[k], a[k]), third at_c: -y_bar[k]);
            }
            Op::SubMul => {
                steps!([at_a, at_b, at_c] a at_a, b at_b => |_y, y_bar, k|
                    left at_a: times(-y_bar[k], b[k]), right at_b: times(-y_bar[k], a[k]), third at_c: y_bar[k]);
            }
            Op::Unary(Unary::Square) => {
                steps!([at_a] a at_a => |_y, y_bar, k| left at_a: times(y_bar[k], a[k] + a[k]));
            }
            Op::Unary(Unary::Neg) => steps!([at_a] => |_y, y_bar, k| left at_a: -y_bar[k]),
            Op::Unary(Unary::Exp) => steps!([at_a] => |y, y_bar, k| left at_a: times(y_bar[k], y[k])),
            Op::Unary(op) if in_vectors && run.is_long() => {
                let slot = |step: usize| if EVEN { at_a.slot(step) } else { operands[step] as usize };
                many_back(slot, run.len(), values, bars, first, |x, y, y_bar, x_bar| {
                    R::unary_vjp_of_many(op, x, y, y_bar, x_bar);
                });
            }
            Op::Unary(op) => {
                steps!([at_a] a at_a => |y, y_bar, k| left at_a: times(y_bar[k], slope(op, a[k], y[k])));
            }
            Op::Binary(op) => {
                steps!([at_a, at_b] a at_a, b at_b => |y, y_bar, k|
                    left at_a: times(y_bar[k], slopes(op, a[k], b[k], y[k]).0),
                    right at_b: times(y_bar[k], slopes(op, a[k], b[k], y[k]).1));
            }
            Op::Parametric => {
                for (y, &[a, p]) in (first..first + run.len()).zip(operands.as_chunks().0).rev() {
                    let partial = self.parameters[p as usize].derivative(values[a as usize], values[y]);
                    let y_bar = core::mem::replace(&mut bars[y], R::ZERO);
                    bars[a as usize] += times(y_bar, partial);
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
