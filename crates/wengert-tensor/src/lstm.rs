//! Long short-term memory over whole sequences, and its pullback.
//!
//! The rows of a batch know nothing of one another: threads take some rows each through all steps, and meet once. The
//! weight is packed once for all steps, and its cotangent is one product over all of them.

use wengert_kernels::Par;
use wengert_kernels::lstm::{Cell, CellBars, cell, cell_vjp};
use wengert_kernels::matmul::{Beta, MatMul, MatRef, PackedRight, matmul};

use crate::element::FloatElement;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::tensor::Tensor;

const OP: &str = "lstm";
/// Floating-point operations below which all rows stay on one thread, about 100 us.
const PARALLEL: usize = 1 << 23;

/// The sizes of operands that go together.
#[derive(Clone, Copy)]
struct Plan {
    steps: usize,
    rows: usize,
    hidden: usize,
}

impl Plan {
    fn new([sums, weight, h, c]: [&Shape; 4]) -> Result<Plan, ShapeError> {
        let rank = |shape: &Shape, expected| ShapeError::Rank { op: OP, shape: shape.clone(), expected };
        let &[steps, rows, _] = &**sums else {
            return Err(rank(sums, "sums for the gates of each step, [l, n, 4 hidden]"));
        };
        let &[_, hidden] = &**weight else { return Err(rank(weight, "a weight, [4 hidden, hidden]")) };
        let gates = hidden.checked_mul(4).ok_or_else(|| rank(weight, "a weight, [4 hidden, hidden]"))?;
        let fit = [
            (weight, Shape::from([gates, hidden])),
            (sums, Shape::from([steps, rows, gates])),
            (h, Shape::from([rows, hidden])),
            (c, Shape::from([rows, hidden])),
        ];
        for (shape, wanted) in fit {
            if *shape != wanted {
                return Err(ShapeError::Unequal { op: OP, lhs: shape.clone(), rhs: wanted });
            }
        }
        Ok(Plan { steps, rows, hidden })
    }

    fn is_empty(&self) -> bool {
        self.steps == 0 || self.rows == 0 || self.hidden == 0
    }

    /// How many rows a thread takes at a time. Each row's numbers are the same whatever the others are.
    fn group(&self, par: Par) -> usize {
        let work = 8 * self.steps * self.rows * self.hidden * self.hidden;
        if work < PARALLEL { self.rows } else { self.rows.div_ceil(par.threads()) }
    }

    /// `x: [l, n, width]` by groups of rows, and for each by steps.
    fn by_groups<'a, F>(&self, x: &'a mut [F], width: usize, group: usize) -> Vec<Vec<&'a mut [F]>> {
        let mut groups: Vec<_> = (0..self.rows.div_ceil(group)).map(|_| Vec::with_capacity(self.steps)).collect();
        for step in x.chunks_mut(self.rows * width) {
            for (of_group, piece) in groups.iter_mut().zip(step.chunks_mut(group * width)) {
                of_group.push(piece);
            }
        }
        groups
    }

    /// `len` elements of step `t` of `x: [l, n, width]`, from row `row` on.
    fn part<'a, F>(&self, x: &'a [F], t: usize, row: usize, width: usize, len: usize) -> &'a [F] {
        &x[(t * self.rows + row) * width..][..len]
    }
}

/// Cotangents of the sums, the weight, and the first state.
pub type LstmBars<F> = [Tensor<F>; 4];

impl<F: FloatElement> Tensor<F> {
    /// The states of long short-term memory after each step, `[l, n, 2 hidden]` with rows `[h | c]`, and what the gates
    /// were.
    ///
    /// Shapes: `self: [l, n, 4 hidden]`, what reaches the gates from outside; `weight: [4 hidden, hidden]`; `h` and
    /// `c`, the state before the first step: `[n, hidden]`.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] or [`ShapeError::Unequal`] if the shapes do not go together.
    #[doc(hidden)]
    pub fn try_lstm(&self, weight: &Self, h: &Self, c: &Self) -> Result<[Self; 2], ShapeError> {
        let plan = Plan::new([self.shape(), weight.shape(), h.shape(), c.shape()])?;
        let Plan { steps, rows, hidden } = plan;
        let mut states = Tensor::try_scratch_for(OP, Shape::from([steps, rows, 2 * hidden]))?;
        let mut gates = Tensor::try_scratch_for(OP, self.shape().clone())?;
        if plan.is_empty() {
            return Ok([states, gates]);
        }
        let mut copies = (None, None, None, None);
        let (sums, weight) = (self.try_dense(OP, &mut copies.0)?, weight.try_dense(OP, &mut copies.1)?);
        let (h, c) = (h.try_dense(OP, &mut copies.2)?, c.try_dense(OP, &mut copies.3)?);
        let packed = PackedRight::new(MatRef::row_major(weight, hidden).t(), [hidden, 4 * hidden]);
        let par = Par::current();
        let group = plan.group(par);
        let parts = plan.by_groups(states.fresh_mut(), 2 * hidden, group);
        let parts = parts.into_iter().zip(plan.by_groups(gates.fresh_mut(), 4 * hidden, group));
        par.for_each(parts.enumerate(), |(g, (mut states, gates))| {
            let first = g * group;
            for (t, gates) in gates.into_iter().enumerate() {
                let sums = MatRef::row_major(plan.part(sums, t, first, 4 * hidden, gates.len()), 4 * hidden);
                let (past, now) = states.split_at_mut(t);
                let (h, c) = match past.last() {
                    Some(state) => {
                        let h = MatRef { slice: state, row_stride: 2 * hidden, col_stride: 1 };
                        (h, Cell { c: &state[hidden..], stride: 2 * hidden })
                    }
                    None => {
                        let c = Cell { c: &c[first * hidden..], stride: hidden };
                        (MatRef::row_major(&h[first * hidden..], hidden), c)
                    }
                };
                packed.multiply(h, gates.len() / (4 * hidden), Some(sums), gates);
                cell(hidden, c, gates, now[0]);
            }
        });
        Ok([states, gates])
    }

    /// The pullback of [`try_lstm`](Self::try_lstm), from what it returned.
    ///
    /// # Errors
    /// As [`try_lstm`](Self::try_lstm), and [`ShapeError::Unequal`] if `states_bar` has another shape than the states.
    #[doc(hidden)]
    pub fn lstm_vjp(
        &self,
        weight: &Self,
        [h, c]: [&Self; 2],
        [states, gates]: [&Self; 2],
        states_bar: &Self,
    ) -> Result<LstmBars<F>, ShapeError> {
        let plan = Plan::new([self.shape(), weight.shape(), h.shape(), c.shape()])?;
        let Plan { steps, rows, hidden } = plan;
        if states_bar.shape() != states.shape() {
            let (lhs, rhs) = (states_bar.shape().clone(), states.shape().clone());
            return Err(ShapeError::Unequal { op: OP, lhs, rhs });
        }
        let mut h_bar = Tensor::try_zeros_for(OP, h.shape().clone())?;
        let mut c_bar = Tensor::try_zeros_for(OP, c.shape().clone())?;
        let mut sums_bar = Tensor::try_scratch_for(OP, self.shape().clone())?;
        if plan.is_empty() {
            return Ok([sums_bar, Tensor::try_zeros_for(OP, weight.shape().clone())?, h_bar, c_bar]);
        }
        let mut copies = (None, None, None, None, None, None);
        let weight_slice = weight.try_dense(OP, &mut copies.0)?;
        let (h, c) = (h.try_dense(OP, &mut copies.1)?, c.try_dense(OP, &mut copies.2)?);
        let (states, gates) = (states.try_dense(OP, &mut copies.3)?, gates.try_dense(OP, &mut copies.4)?);
        let states_bar = states_bar.try_dense(OP, &mut copies.5)?;
        let packed = PackedRight::new(MatRef::row_major(weight_slice, hidden), [4 * hidden, hidden]);
        let par = Par::current();
        let group = plan.group(par);
        let memories = h_bar.fresh_mut().chunks_mut(group * hidden).zip(c_bar.fresh_mut().chunks_mut(group * hidden));
        let parts = plan.by_groups(sums_bar.fresh_mut(), 4 * hidden, group).into_iter().zip(memories);
        par.for_each(parts.enumerate(), |(g, (sums_bar, (h_bar, c_bar)))| {
            let first = g * group;
            let n = h_bar.len() / hidden;
            let part = |x, t, width: usize| plan.part(x, t, first, width * hidden, n * width * hidden);
            for (t, sums_bar) in sums_bar.into_iter().enumerate().rev() {
                let before = match t.checked_sub(1) {
                    Some(before) => Cell { c: &part(states, before, 2)[hidden..], stride: 2 * hidden },
                    None => Cell { c: &c[first * hidden..], stride: hidden },
                };
                let bars = CellBars { state: part(states_bar, t, 2), h: h_bar };
                cell_vjp(hidden, before, part(gates, t, 4), part(states, t, 2), bars, sums_bar, c_bar);
                packed.multiply(MatRef::row_major(sums_bar, 4 * hidden), n, None, h_bar);
            }
        });
        let weight_bar = Tensor::try_build(OP, weight.shape(), |weight_bar| {
            // The first step has its own state before it; all others have that of the step before.
            let of_step = |from: usize, k: usize, b, beta| {
                let a =
                    MatRef::row_major(&sums_bar.as_slice().unwrap_or_default()[from * 4 * hidden..], 4 * hidden).t();
                MatMul { m: 4 * hidden, k, n: hidden, a, b, alpha: F::from_index(1), beta }
            };
            matmul(of_step(0, rows, MatRef::row_major(h, hidden), Beta::Overwrite), weight_bar, par);
            let before = MatRef { slice: states, row_stride: 2 * hidden, col_stride: 1 };
            matmul(of_step(rows, (steps - 1) * rows, before, Beta::Accumulate), weight_bar, par);
        })?;
        Ok([sums_bar, weight_bar, h_bar, c_bar])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn normal(shape: &[usize], seed: u64) -> Tensor<f64> {
        Tensor::normal(shape.to_vec(), 0.0, 0.7, &mut rng(seed))
    }

    fn operands([steps, rows, hidden]: [usize; 3]) -> [Tensor<f64>; 4] {
        let of = |shape: &[usize], seed| normal(shape, seed);
        [
            of(&[steps, rows, 4 * hidden], 1),
            of(&[4 * hidden, hidden], 2),
            of(&[rows, hidden], 3),
            of(&[rows, hidden], 4),
        ]
    }

    /// The definition, step by step.
    fn defined([sums, weight, h, c]: &[Tensor<f64>; 4]) -> Tensor<f64> {
        let (mut h, mut c, hidden) = (h.clone(), c.clone(), h.dim(1) as isize);
        let mut states = Vec::new();
        for t in 0..sums.dim(0) {
            let a = sums.index_axis(0, t as isize) + h.matmul(&weight.t());
            let gate = |k: isize| a.slice(1, k * hidden..(k + 1) * hidden);
            c = gate(1).sigmoid() * &c + gate(0).sigmoid() * gate(2).tanh();
            h = gate(3).sigmoid() * c.tanh();
            states.push(Tensor::concat(&[&h, &c], 1));
        }
        Tensor::stack(&states.iter().collect::<Vec<_>>(), 0)
    }

    #[test]
    fn sequences_follow_the_definition() {
        for sizes in [[1, 1, 1], [3, 2, 5], [7, 5, 16], [2, 40, 70]] {
            let x = operands(sizes);
            let [states, _] = x[0].try_lstm(&x[1], &x[2], &x[3]).unwrap();
            let error = (states - defined(&x)).abs().max();
            assert!(error < 1e-13, "{sizes:?}: {error}");
        }
    }

    #[test]
    fn the_pullback_agrees_with_differences() {
        for sizes in [[1, 2, 3], [4, 3, 17], [5, 1, 2]] {
            let (x, h) = (operands(sizes), 1e-5);
            let moved = x.clone().map(|x| normal(x.shape(), 9));
            let [states, gates] = x[0].try_lstm(&x[1], &x[2], &x[3]).unwrap();
            let y_bar = normal(states.shape(), 7);
            let at = |t: f64| defined(&core::array::from_fn(|k| &x[k] + &moved[k] * t)).dot(&y_bar);
            let bars = x[0].lstm_vjp(&x[1], [&x[2], &x[3]], [&states, &gates], &y_bar).unwrap();
            let slope: f64 = bars.iter().zip(&moved).map(|(bar, moved)| bar.dot(moved)).sum();
            assert!((slope - (at(h) - at(-h)) / (2.0 * h)).abs() < 1e-7, "{sizes:?}");
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let x = operands([9, 50, 60]);
        let run = |threads| {
            wengert_kernels::par::threads(threads, || {
                let [states, gates] = x[0].try_lstm(&x[1], &x[2], &x[3]).unwrap();
                let bars = x[0].lstm_vjp(&x[1], [&x[2], &x[3]], [&states, &gates], &states).unwrap();
                (states, bars)
            })
        };
        let one = run(1);
        for threads in [2, 3, 7, 50] {
            assert!(run(threads) == one, "{threads} threads");
        }
    }

    #[test]
    fn no_steps_no_rows_and_no_memory_are_fine() {
        for sizes in [[0, 2, 3], [2, 0, 3], [2, 3, 0]] {
            let x = operands(sizes);
            let [states, gates] = x[0].try_lstm(&x[1], &x[2], &x[3]).unwrap();
            assert_eq!(*states.shape(), [sizes[0], sizes[1], 2 * sizes[2]]);
            let bars = x[0].lstm_vjp(&x[1], [&x[2], &x[3]], [&states, &gates], &states).unwrap();
            assert!(bars.iter().zip(&x).all(|(bar, x)| bar.shape() == x.shape() && bar.iter().all(|bar| bar == 0.0)));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let x = operands([2, 3, 4]);
        let text = |sums: &Tensor<f64>, weight: &Tensor<f64>, h: &Tensor<f64>| {
            sums.try_lstm(weight, h, &x[3]).unwrap_err().to_string()
        };
        let two = normal(&[3, 16], 1);
        assert!(text(&two, &x[1], &x[2]).contains("[l, n, 4 hidden]"), "{}", text(&two, &x[1], &x[2]));
        assert_eq!(text(&x[0], &x[1], &two), "lstm: shapes [3, 16] and [3, 4] differ; they must be equal");
        assert_eq!(text(&x[0], &two, &x[2]), "lstm: shapes [3, 16] and [64, 16] differ; they must be equal");
    }
}
