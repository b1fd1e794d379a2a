//! Long short-term memory: one step of its cell for rows of a batch, and the pullback, a pass over memory each.
//!
//! Of the sums that reach a row's gates, `[a_i | a_f | a_g | a_o]`, and its memory `c`, the step makes
//! `i = s(a_i)`, `f = s(a_f)`, `g = tanh(a_g)`, `o = s(a_o)` with the sigmoid `s`, then `c' = f c + i g` and
//! `h' = o tanh(c')`. A row of the new state is `[h' | c']`. The gates stay where the sums were: the pullback reads
//! them, and takes slopes from them, `s' = s (1 - s)` and `tanh' = 1 - tanh^2`, with the digits a saturated gate has
//! left.

use crate::dispatch::{kernel, simd_level};
use crate::elementwise::loops::pull_back;
use crate::{Float, UnaryFunctions};

/// Elements worked on at a time: one vector of `f32`, two of `f64`, at 512 bits.
const BLOCK: usize = 16;

/// The memory of each row before a step: row `r` at `c[r * stride..]`.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a, F> {
    /// The elements, starting with those of the first row.
    pub c: &'a [F],
    /// Distance from one row to the next.
    pub stride: usize,
}

/// What flows back to a step.
#[derive(Debug, Clone, Copy)]
pub struct CellBars<'a, F> {
    /// To its state from outside, `[rows, 2 hidden]`.
    pub state: &'a [F],
    /// To its output from the step after it, `[rows, hidden]`.
    pub h: &'a [F],
}

/// Panics unless all slices hold as many rows.
fn assert_rows<F>(hidden: usize, before: Cell<'_, F>, gates: usize, states: &[usize], memories: &[usize]) {
    let rows = gates.checked_div(4 * hidden).unwrap_or(0);
    assert_eq!(rows * 4 * hidden, gates, "gates must be [rows, {}]", 4 * hidden);
    assert!(states.iter().all(|&len| len == rows * 2 * hidden), "states must be [{rows}, {}]", 2 * hidden);
    assert!(memories.iter().all(|&len| len == rows * hidden), "memories must be [{rows}, {hidden}]");
    let end = rows.checked_sub(1).map_or(0, |last| last * before.stride + hidden);
    assert!(before.c.len() >= end, "{rows} rows of a memory reach beyond its slice of {}", before.c.len());
}

/// A step: `gates`, `[rows, 4 hidden]`, holds the sums and receives what the gates make of them; `state`,
/// `[rows, 2 hidden]`, receives the new state.
///
/// # Panics
/// When the slices hold other numbers of rows.
///
/// # Examples
/// ```
/// use wengert_kernels::lstm::{Cell, cell};
///
/// let (mut gates, mut state) = ([0.0_f64, 100.0, 0.0, 100.0], [0.0; 2]); // all is kept, nothing is added
/// cell(1, Cell { c: &[0.5], stride: 1 }, &mut gates, &mut state);
/// assert_eq!(state, [0.5_f64.tanh(), 0.5]);
/// ```
pub fn cell<F: Float>(hidden: usize, before: Cell<'_, F>, gates: &mut [F], state: &mut [F]) {
    assert_rows(hidden, before, gates.len(), &[state.len()], &[]);
    F::lstm_cell_rows(simd_level(), hidden, before, gates, state);
}

/// The pullback of [`cell`] from its `gates` and `state`. `gates_bar`, `[rows, 4 hidden]`, receives the cotangents of
/// the sums; `c_bar`, `[rows, hidden]`, holds what flows to the new memory from the step after and receives that of the
/// memory before. What is multiplied with a cotangent of 0 does not matter.
///
/// # Panics
/// When the slices hold other numbers of rows.
pub fn cell_vjp<F: Float>(
    hidden: usize,
    before: Cell<'_, F>,
    gates: &[F],
    state: &[F],
    bars: CellBars<'_, F>,
    gates_bar: &mut [F],
    c_bar: &mut [F],
) {
    assert_eq!(gates.len(), gates_bar.len(), "gates and cotangents must have one length");
    assert_rows(hidden, before, gates.len(), &[state.len(), bars.state.len()], &[bars.h.len(), c_bar.len()]);
    F::lstm_cell_vjp_rows(simd_level(), hidden, before, gates, state, bars, gates_bar, c_bar);
}

/// The elements from `at` on: a block, or what is left of one with zeros behind.
#[inline(always)]
fn load<F: Float>(x: &[F], at: usize, width: usize) -> [F; BLOCK] {
    let x = &x[at..at + width];
    match x.first_chunk() {
        Some(block) => *block,
        None => {
            let mut block = [F::ZERO; BLOCK];
            for (block, &x) in block.iter_mut().zip(x) {
                *block = x;
            }
            block
        }
    }
}

#[inline(always)]
fn store<F: Float>(block: [F; BLOCK], x: &mut [F], at: usize, width: usize) {
    let x = &mut x[at..at + width];
    match x.first_chunk_mut() {
        Some(whole) => *whole = block,
        None => {
            for (x, block) in x.iter_mut().zip(block) {
                *x = block;
            }
        }
    }
}

// Functions, not closures or maps over arrays: what is not inlined here would be compiled without the caller's
// instructions, and copy its blocks besides (a sixth of a training step, measured).
#[inline(always)]
fn sigmoid<F: Float, const FMA: bool>(x: F) -> F {
    F::of_lane::<FMA>(x.lane::<FMA>().sigmoid())
}

#[inline(always)]
fn tanh<F: Float, const FMA: bool>(x: F) -> F {
    F::of_lane::<FMA>(x.lane::<FMA>().tanh())
}

/// The slope of a sigmoid with value `s`.
#[inline(always)]
fn slope<F: Float>(s: F) -> F {
    s * (F::ONE - s)
}

kernel! {
    pub(crate) fn cell_rows<F: Float>(hidden: usize, before: Cell<'a, F>, gates: &'a mut [F], state: &'a mut [F]) -> () {
        let rows = gates.chunks_exact_mut((4 * hidden).max(1)).zip(state.chunks_exact_mut((2 * hidden).max(1)));
        for (r, (gates, state)) in rows.enumerate() {
            let c = &before.c[r * before.stride..][..hidden];
            for at in (0..hidden).step_by(BLOCK) {
                let width = BLOCK.min(hidden - at);
                let (mut i, mut f) = (load(gates, at, width), load(gates, hidden + at, width));
                let (mut g, mut o) = (load(gates, 2 * hidden + at, width), load(gates, 3 * hidden + at, width));
                let (mut c, mut h) = (load(c, at, width), [F::ZERO; BLOCK]);
                for k in 0..BLOCK {
                    i[k] = sigmoid::<F, FMA>(i[k]);
                    f[k] = sigmoid::<F, FMA>(f[k]);
                    g[k] = tanh::<F, FMA>(g[k]);
                    o[k] = sigmoid::<F, FMA>(o[k]);
                    c[k] = f[k].lane_mul_add::<FMA>(c[k], i[k] * g[k]);
                    h[k] = o[k] * tanh::<F, FMA>(c[k]);
                }
                store(i, gates, at, width);
                store(f, gates, hidden + at, width);
                store(g, gates, 2 * hidden + at, width);
                store(o, gates, 3 * hidden + at, width);
                store(h, state, at, width);
                store(c, state, hidden + at, width);
            }
        }
    }

    pub(crate) fn cell_vjp_rows<F: Float>(
        hidden: usize, before: Cell<'a, F>, gates: &'a [F], state: &'a [F], bars: CellBars<'a, F>, gates_bar: &'a mut [F],
        c_bar: &'a mut [F],
    ) -> () {
        let rows = gates_bar.chunks_exact_mut((4 * hidden).max(1)).zip(c_bar.chunks_exact_mut(hidden.max(1)));
        for (r, (gates_bar, c_bar)) in rows.enumerate() {
            let (gates, h_bar) = (&gates[r * 4 * hidden..][..4 * hidden], &bars.h[r * hidden..][..hidden]);
            let (state, state_bar) = (&state[r * 2 * hidden..][..2 * hidden], &bars.state[r * 2 * hidden..][..2 * hidden]);
            let c_before = &before.c[r * before.stride..][..hidden];
            for at in (0..hidden).step_by(BLOCK) {
                let width = BLOCK.min(hidden - at);
                let (mut i, mut f) = (load(gates, at, width), load(gates, hidden + at, width));
                let (mut g, mut o) = (load(gates, 2 * hidden + at, width), load(gates, 3 * hidden + at, width));
                let (c, c_before) = (load(state, hidden + at, width), load(c_before, at, width));
                let (h_outside, h_after) = (load(state_bar, at, width), load(h_bar, at, width));
                let (c_outside, mut c_after) = (load(state_bar, hidden + at, width), load(c_bar, at, width));
                // A loop for each result: of one for all, the compiler scatters elements.
                let (mut to_h, mut to_c, mut t) = ([F::ZERO; BLOCK], [F::ZERO; BLOCK], [F::ZERO; BLOCK]);
                for k in 0..BLOCK {
                    t[k] = tanh::<F, FMA>(c[k]);
                }
                for k in 0..BLOCK {
                    to_h[k] = h_outside[k] + h_after[k];
                    to_c[k] = c_outside[k] + c_after[k] + pull_back(to_h[k], o[k] * (F::ONE - t[k] * t[k]));
                }
                for k in 0..BLOCK {
                    o[k] = pull_back(to_h[k], t[k] * slope(o[k]));
                }
                for k in 0..BLOCK {
                    c_after[k] = pull_back(to_c[k], f[k]);
                    f[k] = pull_back(to_c[k], c_before[k] * slope(f[k]));
                }
                for k in 0..BLOCK {
                    let of_g = pull_back(to_c[k], i[k] * (F::ONE - g[k] * g[k]));
                    i[k] = pull_back(to_c[k], g[k] * slope(i[k]));
                    g[k] = of_g;
                }
                store(i, gates_bar, at, width);
                store(f, gates_bar, hidden + at, width);
                store(g, gates_bar, 2 * hidden + at, width);
                store(o, gates_bar, 3 * hidden + at, width);
                store(c_after, c_bar, at, width);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use crate::numbers::numbers;

    fn logistic(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The state after a step of one unit, in `f64`, from the definition.
    fn defined([i, f, g, o]: [f64; 4], c: f64) -> [f64; 2] {
        let c = logistic(f) * c + logistic(i) * g.tanh();
        [logistic(o) * c.tanh(), c]
    }

    fn check<F: Float>() {
        for hidden in [1, 3, 15, 16, 17, 32, 50] {
            let (rows, stride) = (3, hidden + 5);
            let sums: Vec<F> = numbers::<F>(rows * 4 * hidden, 1).into_iter().map(|x| x * F::from_f64(3.0)).collect();
            let (c, state_bar) = (numbers::<F>(rows * stride, 2), numbers::<F>(rows * 2 * hidden, 3));
            let (h_bar, c_bar) = (numbers::<F>(rows * hidden, 4), numbers::<F>(rows * hidden, 5));
            let before = Cell { c: &c, stride };
            for level in Level::available() {
                let (mut gates, mut state) = (sums.clone(), vec![F::NAN; rows * 2 * hidden]);
                F::lstm_cell_rows(level, hidden, before, &mut gates, &mut state);
                let (mut gates_bar, mut c_before_bar) = (vec![F::NAN; gates.len()], c_bar.clone());
                let bars = CellBars { state: &state_bar, h: &h_bar };
                F::lstm_cell_vjp_rows(level, hidden, before, &gates, &state, bars, &mut gates_bar, &mut c_before_bar);
                for (r, k) in (0..rows).flat_map(|r| (0..hidden).map(move |k| (r, k))) {
                    let at = |gate: usize| r * 4 * hidden + gate * hidden + k;
                    let of = |x: &[F], i: usize| x[i].to_f64();
                    let a = [0, 1, 2, 3].map(|gate| of(&sums, at(gate)));
                    let c = of(&c, r * stride + k);
                    let [h, new] = defined(a, c);
                    let near = |got: F, want: f64, room: f64, what: &str| {
                        let error = (got.to_f64() - want).abs();
                        assert!(
                            error <= room,
                            "{level:?} {}, {what} of unit {k} of {hidden}: {got}, expected {want}",
                            F::NAME
                        );
                    };
                    let rounding = 8.0 * F::EPSILON.to_f64();
                    near(state[r * 2 * hidden + k], h, rounding, "output");
                    near(state[r * 2 * hidden + hidden + k], new, rounding, "memory");
                    // By central differences of the definition, good to 1e-9.
                    let h_bar = of(&state_bar, r * 2 * hidden + k) + of(&h_bar, r * hidden + k);
                    let c_bar = of(&state_bar, r * 2 * hidden + hidden + k) + of(&c_bar, r * hidden + k);
                    let slope = |moved: &dyn Fn(f64) -> [f64; 2]| {
                        let ([h1, c1], [h0, c0]) = (moved(1e-5), moved(-1e-5));
                        ((h1 - h0) * h_bar + (c1 - c0) * c_bar) / 2e-5
                    };
                    for gate in 0..4 {
                        let moved = |by: f64| {
                            let mut a = a;
                            a[gate] += by;
                            defined(a, c)
                        };
                        near(gates_bar[at(gate)], slope(&moved), 1e-9 + 2.0 * rounding, "cotangent of a gate");
                    }
                    let moved = |by: f64| defined(a, c + by);
                    near(c_before_bar[r * hidden + k], slope(&moved), 1e-9 + 2.0 * rounding, "cotangent of the memory");
                }
            }
        }
    }

    #[test]
    fn a_step_and_its_pullback_follow_the_definition_in_f32() {
        check::<f32>();
    }

    #[test]
    fn a_step_and_its_pullback_follow_the_definition_in_f64() {
        check::<f64>();
    }

    #[test]
    fn a_unit_nothing_flows_to_gives_nothing() {
        let (gates, state) = ([f64::NAN; 4], [f64::INFINITY, f64::NAN]);
        let (mut gates_bar, mut c_bar) = ([7.0; 4], [0.0]);
        let bars = CellBars { state: &[0.0, 0.0], h: &[0.0] };
        cell_vjp(1, Cell { c: &[f64::NAN], stride: 1 }, &gates, &state, bars, &mut gates_bar, &mut c_bar);
        assert_eq!((gates_bar, c_bar), ([0.0; 4], [0.0]));
    }

    #[test]
    #[should_panic(expected = "states must be [2, 6]")]
    fn slices_of_other_rows_are_refused() {
        cell(3, Cell { c: &[0.0; 6], stride: 3 }, &mut [0.0; 24], &mut [0.0; 11]);
    }
}
