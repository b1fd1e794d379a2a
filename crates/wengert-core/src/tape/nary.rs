//! Nodes of many operands: sums, dot products, and whole closures run on duals.

use super::handle::{Handle, Nary};
use super::node::{Edge, NOWHERE, Node};
use super::scalar::{OnTape, Scalar, Var};
use super::{Tape, mixed_tapes};
use crate::dual::Dual;
use crate::error::{Caller, Error};
use crate::number::Primal;
use core::panic::Location;
use smallvec::SmallVec;

/// Collects the operands of one node.
///
/// They go to the tape's scratch stack first: the iterator that yields them may record n-ary nodes itself.
pub(crate) struct Builder<'t, F: Primal> {
    tape: Option<&'t Tape<F>>,
    base: usize,
}

impl<'t, F: Primal> Builder<'t, F> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Builder { tape: None, base: 0 }
    }

    /// Adds the operand `x`, with the partial `p` of the node's value by it.
    #[inline(always)]
    pub(crate) fn operand(&mut self, x: Var<'t, F>, p: F, caller: Caller) {
        if x.is_constant() {
            return;
        }
        let Some(tape) = x.handle().tape() else { return };
        match self.tape {
            None => {
                self.tape = Some(tape);
                self.base = tape.scratch.len();
            }
            Some(first) if core::ptr::eq(first, tape) => {}
            Some(first) => return mixed_tapes(first, tape, caller),
        }
        let (partial, parent) = x.pending();
        tape.scratch.push(Edge { partial: partial.mul_zero(p), parent });
    }

    /// Records the node: nothing for one operand, a plain node for two.
    #[inline]
    pub(crate) fn finish(self, y: F) -> Var<'t, F> {
        let Some(tape) = self.tape else { return Scalar::folded(y, F::ZERO, OnTape::NOWHERE, NOWHERE) };
        let handle = OnTape::on(tape);
        // A tape whose scratch is full reports it; the edges that fit are harmless.
        let result = tape.scratch.with(|edges| match edges.get(self.base..).unwrap_or(&[]) {
            [] => Scalar::folded(y, F::ZERO, handle, NOWHERE),
            [x] => Scalar::folded(y, x.partial, handle, x.parent),
            [a, b] => {
                let node = tape.nodes.push(Node { partials: [a.partial, b.partial], parents: [a.parent, b.parent] });
                Scalar::recorded(y, F::ONE, handle, node)
            }
            edges => Scalar::recorded(y, F::ONE, handle, tape.push_nary(edges)),
        });
        tape.scratch.truncate(self.base);
        result
    }
}

/// Runs `f` on duals and records the whole of it as one node of `N` operands.
///
/// Inside, operations cost arithmetic and no memory: a step of a differential equation becomes a few edges instead of a
/// hundred nodes.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let (x, y) = (tape.var(3.0), tape.var(4.0));
/// let r = fuse([x, y], |[x, y]| (x * x + y * y).sqrt());
/// let g = r.gradient();
/// assert_eq!(r.value(), 5.0);
/// assert!((g[x] - 0.6).abs() < 1e-15 && (g[y] - 0.8).abs() < 1e-15);
/// ```
#[inline(always)]
#[track_caller]
pub fn fuse<F: Primal, H: Handle<F>, const N: usize>(
    x: [Scalar<F, H>; N],
    f: impl FnOnce([H::Inner<N>; N]) -> H::Inner<N>,
) -> Scalar<F, H> {
    let [y] = fuse_n(x, |x| [f(x)]);
    y
}

/// [`fuse`] for a closure with `M` results: one node each.
#[inline(always)]
#[track_caller]
pub fn fuse_n<F: Primal, H: Handle<F>, const N: usize, const M: usize>(
    x: [Scalar<F, H>; N],
    f: impl FnOnce([H::Inner<N>; N]) -> [H::Inner<N>; M],
) -> [Scalar<F, H>; M] {
    H::fuse(x, f)
}

/// One node with `N` operands known beforehand: no scratch.
#[inline(always)]
pub(super) fn record<'t, F: Primal, const N: usize>(x: [Var<'t, F>; N], y: Dual<F, N>, caller: Caller) -> Var<'t, F> {
    let tape = x.iter().find_map(|x| x.handle().tape());
    let Some(tape) = tape else { return Scalar::folded(y.value, F::ZERO, OnTape::NOWHERE, NOWHERE) };
    let mut edges = [Edge { partial: F::ZERO, parent: NOWHERE }; N];
    for k in 0..N {
        match x[k].handle().tape() {
            Some(other) if !core::ptr::eq(tape, other) => mixed_tapes(tape, other, caller),
            _ => {
                let (partial, parent) = x[k].pending();
                edges[k] = Edge { partial: partial.mul_zero(y.tangents[k]), parent };
            }
        }
    }
    let handle = OnTape::on(tape);
    match edges[..] {
        [] => Scalar::folded(y.value, F::ZERO, handle, NOWHERE),
        [x] => Scalar::folded(y.value, x.partial, handle, x.parent),
        [a, b] => {
            let node = tape.nodes.push(Node { partials: [a.partial, b.partial], parents: [a.parent, b.parent] });
            Scalar::recorded(y.value, F::ONE, handle, node)
        }
        _ => Scalar::recorded(y.value, F::ONE, handle, tape.push_nary(&edges)),
    }
}

/// Dot product `sum_i a_i b_i` as one node.
///
/// Operands may be variables or, through [`Var::from`], constants.
///
/// # Panics
/// If the lengths differ.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let (a, b) = (tape.vars(&[1.0, 2.0, 3.0]), tape.vars(&[4.0, 5.0, 6.0]));
/// let y = dot(&a, &b);
/// assert_eq!((y.value(), y.gradient().wrt(&a)), (32.0, vec![4.0, 5.0, 6.0]));
/// ```
#[track_caller]
pub fn dot<F: Primal, H: Handle<F>>(a: &[Scalar<F, H>], b: &[Scalar<F, H>]) -> Scalar<F, H> {
    if a.len() != b.len() {
        Error::Lengths { op: "dot", left: a.len(), right: b.len(), caller: Location::caller() }.raise()
    }
    let mut y = F::ZERO;
    for (a, b) in a.iter().zip(b) {
        y += a.primal() * b.primal();
    }
    H::nary(Nary::Dot, a.iter().zip(b).flat_map(|(&a, &b)| [(a, b.primal()), (b, a.primal())]), y)
}

/// Euclidean length of a vector, without overflow, as one node; partials `x_i / y`, all 0 at the origin.
#[track_caller]
pub fn norm2<F: Primal, H: Handle<F>>(x: &[Scalar<F, H>]) -> Scalar<F, H> {
    let y = x.iter().fold(F::ZERO, |y, x| y.hypot(x.primal()));
    H::nary(Nary::Norm2, x.iter().map(|&x| (x, x.primal().div_or_zero(y))), y)
}

/// `ln sum_i exp(x_i)` as one node, without overflow; partials are the softmax.
///
/// Minus infinity everywhere gives minus infinity with partials 0.
///
/// # Panics
/// If `x` is empty: minus infinity would be right, and almost always a mistake.
#[track_caller]
pub fn log_sum_exp<F: Primal, H: Handle<F>>(x: &[Scalar<F, H>]) -> Scalar<F, H> {
    if x.is_empty() {
        Error::Empty { op: "log_sum_exp", caller: Location::caller() }.raise()
    }
    let largest = x.iter().fold(x[0].primal(), |largest, x| largest.maximum(x.primal()));
    if !largest.all_finite() {
        // `x - largest` would be NaN. Infinity takes the whole gradient; minus infinity, all of them then, none.
        let share = if largest > F::ZERO { F::ONE } else { largest.mul_zero(F::ZERO) };
        let partial = |x: F| if x == largest { share } else { x.mul_zero(F::ZERO) };
        return H::nary(
            Nary::LogSumExp,
            x.iter().map(|&x| (x, if largest.has_nan() { largest } else { partial(x.primal()) })),
            largest,
        );
    }
    let mut weights: SmallVec<[F; 32]> = x.iter().map(|x| (x.primal() - largest).exp()).collect();
    let mut total = F::ZERO;
    for &weight in &weights {
        total += weight;
    }
    for weight in &mut weights {
        *weight = *weight / total;
    }
    H::nary(Nary::LogSumExp, x.iter().zip(&weights).map(|(&x, &weight)| (x, weight)), total.ln() + largest)
}
