//! Long short-term memory over whole sequences.
//!
//! Formulas: with `[a_i | a_f | a_g | a_o] = x_t + h weightT`, at every step `c = s(a_f) c + s(a_i) tanh(a_g)` and
//! `h = s(a_o) tanh(c)`; `s` is the sigmoid. Shapes: `x: [l, n, 4 hidden]`, what reaches the gates from outside,
//! `weight: [4 hidden, hidden]`, `h` and `c` before the first step `[n, hidden]`; `y: [l, n, 2 hidden]` with rows
//! `[h | c]`. Keeps the operands, `y`, and the gates.
//!
//! Cotangents, from the last step to the first, with `h_bar` and `c_bar` what reaches a step's state from outside and
//! from the step after it, `t = tanh(c)` and `c'` the memory before: `c_bar += h_bar o (1 - t^2)`; of the sums
//! `i_bar = c_bar g i (1 - i)`, `f_bar = c_bar c' f (1 - f)`, `g_bar = c_bar i (1 - g^2)`, `o_bar = h_bar t o (1 - o)`;
//! on to the step before `c_bar f` and the sums' cotangents times `weight`. That of the weight is one product over all
//! steps.

use super::affine::Affine;
use super::concat::{concat, stack};
use super::map::map;
use super::matmul::matmul;
use super::reshape::reshape;
use super::slice::slice;
use super::zip::zip;
use super::{Array, Cotangents, Op, fitting};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_kernels::{Binary, Unary};
use wengert_tensor::{Shape, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Lstm<F: TensorFloat> {
    /// What the gates were, `[l, n, 4 hidden]`. Shared, not copied, where the op is cloned.
    gates: Option<Tensor<F>>,
}

impl<F: TensorFloat> Op<F> for Lstm<F> {
    const NAME: &'static str = "lstm";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let [states, gates] = x[0].try_lstm(x[1], x[2], x[3])?;
        self.gates = Some(gates);
        Ok(states)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let (sums, weight) = (x[0], x[1]);
        let shape = sums.shape();
        let (l, n, hidden) = (shape[0], shape[1], shape[2] / 4);
        if l == 0 {
            // No step: nothing flows.
            let nothing = |x: &&A| Some(x.constant(fitting(Tensor::try_zeros(x.shape()))));
            return x.iter().map(nothing).collect();
        }
        let product = |a: &A, b: &A| zip(Binary::MulZero, a, b);
        let less = |x: &A| Affine { scale: -F::ONE, shift: F::ONE }.on(&[x]);
        let last = l as isize - 1;
        let (h, c) = (state(y, 0), state(y, 1));
        let before = |first: &A, all: &A| {
            let first = reshape(first, &Shape::from([1, n, hidden]));
            concat(&[&first, &slice(all, 0, ..last)], 0)
        };
        let (h_before, c_before) = (before(x[2], &h), before(x[3], &c));
        let (all, matrix) = (Shape::from([l * n, hidden]), Shape::from([l * n, 4 * hidden]));
        let h_before = reshape(&h_before, &all);
        let sums = zip(Binary::Add, sums, &reshape(&matmul(&h_before, false, weight, true), &shape));
        let gate = |k: usize, op| map(op, &slice(&sums, 2, (k * hidden) as isize..((k + 1) * hidden) as isize));
        let (i, f) = (gate(0, Unary::Sigmoid), gate(1, Unary::Sigmoid));
        let (g, o, t) = (gate(2, Unary::Tanh), gate(3, Unary::Sigmoid), map(Unary::Tanh, &c));
        // The slopes of all steps at once.
        let slope = |s: &A| product(s, &less(s));
        let bend = |t: &A| less(&map(Unary::Square, t));
        let of_c = [product(&g, &slope(&i)), product(&c_before, &slope(&f)), product(&i, &bend(&g)), f.clone()];
        let of_c = of_c.map(|slopes| steps(&slopes));
        let of_h = [product(&t, &slope(&o)), product(&o, &bend(&t))].map(|slopes| steps(&slopes));
        let (h_bars, c_bars) = (steps(&state(&y_bar, 0)), steps(&state(&y_bar, 1)));
        let mut sums_bars = Vec::with_capacity(l);
        let mut later: Option<[A; 2]> = None;
        for k in (0..l).rev() {
            let mut h_bar = h_bars[k].clone();
            let mut c_bar = c_bars[k].clone();
            if let Some([h_later, c_later]) = &later {
                (h_bar, c_bar) = (zip(Binary::Add, &h_bar, h_later), zip(Binary::Add, &c_bar, c_later));
            }
            let c_bar = zip(Binary::Add, &c_bar, &product(&of_h[1][k], &h_bar));
            let [i_bar, f_bar, g_bar, c_before_bar] = [0, 1, 2, 3].map(|gate| product(&of_c[gate][k], &c_bar));
            let sums_bar = concat(&[&i_bar, &f_bar, &g_bar, &product(&of_h[0][k], &h_bar)], 1);
            later = Some([matmul(&sums_bar, false, weight, false), c_before_bar]);
            sums_bars.push(sums_bar);
        }
        sums_bars.reverse();
        let sums_bar = stack(&sums_bars.iter().collect::<Vec<_>>(), 0);
        let weight_bar = wanted[1].then(|| matmul(&reshape(&sums_bar, &matrix), true, &h_before, false));
        let [h_bar, c_bar] = later.map_or([None, None], |bars| bars.map(Some));
        Cotangents::from_iter([Some(sums_bar), weight_bar, h_bar, c_bar])
    }

    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        let Some(gates) = &self.gates else { return self.vjp(x, y, y_bar, wanted) };
        let bars = fitting(x[0].lstm_vjp(x[1], [x[2], x[3]], [y, gates], &y_bar));
        bars.into_iter().map(Some).collect()
    }
}

/// The outputs, or the memories, of all steps.
fn state<F: TensorFloat, A: Array<F>>(y: &A, which: usize) -> A {
    let hidden = y.shape()[2] / 2;
    slice(y, 2, (which * hidden) as isize..((which + 1) * hidden) as isize)
}

/// The steps of `x: [l, ..]`, cut by halves: the cotangent of a slice is as large as what it is cut from, so that
/// cutting off one step after the other would cost the square of their number.
fn steps<F: TensorFloat, A: Array<F>>(x: &A) -> Vec<A> {
    fn cut<F: TensorFloat, A: Array<F>>(x: &A, parts: &mut Vec<A>) {
        let shape = x.shape();
        let (l, half) = (shape[0], (shape[0] / 2) as isize);
        if l == 1 {
            return parts.push(reshape(x, &Shape::from(&shape[1..])));
        }
        cut(&slice(x, 0, ..half), parts);
        cut(&slice(x, 0, half..), parts);
    }
    let mut parts = Vec::new();
    cut(x, &mut parts);
    parts
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The states of long short-term memory after each step of a sequence, from what reaches the gates from outside:
    /// with `[a_i | a_f | a_g | a_o] = self_t + h weightT` at every step `c = s(a_f) c + s(a_i) tanh(a_g)`,
    /// `h = s(a_o) tanh(c)`.
    ///
    /// Shapes: `self: [l, n, 4 hidden]`, `weight: [4 hidden, hidden]`, the state before, `h` and `c`, `[n, hidden]`;
    /// result `[l, n, 2 hidden]` with rows `[h | c]`. Costs `8 l n hidden^2` operations forward and twice that back.
    /// Slopes of gates come from their values, so that of a gate at 1 nothing is left once it rounds there.
    ///
    /// Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997; F. Gers et al., "Learning to forget",
    /// 2000.
    ///
    /// # Panics
    /// With the text of the error that [`try_lstm`](Self::try_lstm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let sums = tape.tensor([[[0.0, 0.0, 0.5, 0.0]], [[0.0, 0.0, 0.5, 0.0]]]); // two steps of one unit
    /// let (weight, nothing) = (tape.tensor([[0.0], [0.0], [0.0], [0.0]]), tape.tensor([[0.0]]));
    /// let y = sums.lstm(weight, nothing, nothing).value();
    /// let (c, g) = (y.slice(2, 1..2).to_vec(), 0.5_f64.tanh());
    /// assert_eq!(c, [0.5 * g, 0.25 * g + 0.5 * g]);
    /// ```
    #[track_caller]
    pub fn lstm(self, weight: Self, h: Self, c: Self) -> Self {
        self.try_lstm(weight, h, c).or_panic()
    }

    /// [`lstm`](Self::lstm), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not go together, [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_lstm(self, weight: Self, h: Self, c: Self) -> Result<Self, Error> {
        Self::try_record_many(Lstm { gates: None }, &[self, weight, h, c])
    }
}
