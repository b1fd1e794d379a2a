//! Nodes of many operands: how they are built, and whole closures run on duals.

use super::handle::Handle;
use super::node::{Edge, NOWHERE, Node};
use super::scalar::{OnTape, Scalar, Var};
use super::{Tape, mixed_tapes};
use crate::dual::Dual;
use crate::error::Caller;
use crate::number::Primal;

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
        tape.scratch.push(Edge { partial: partial.onward(p), parent });
    }

    /// Records the node.
    #[inline]
    pub(crate) fn finish(self, y: F) -> Var<'t, F> {
        let Some(tape) = self.tape else { return Scalar::folded(y, F::ZERO, OnTape::NOWHERE, NOWHERE) };
        // A tape whose scratch is full reports it; the edges that fit are harmless.
        let result = tape.scratch.with(|edges| join(tape, edges.get(self.base..).unwrap_or(&[]), y));
        tape.scratch.truncate(self.base);
        result
    }
}

/// The value `y` with these operands: no node for one of them, a plain node for two.
#[inline(always)]
pub(crate) fn join<'t, F: Primal>(tape: &'t Tape<F>, edges: &[Edge<F>], y: F) -> Var<'t, F> {
    let handle = OnTape::on(tape);
    match edges {
        [] => Scalar::folded(y, F::ZERO, handle, NOWHERE),
        [x] => Scalar::folded(y, x.partial, handle, x.parent),
        [a, b] => {
            let node = tape.nodes.push(Node::new([a.partial, b.partial], [a.parent, b.parent]));
            Scalar::recorded(y, F::ONE, handle, node)
        }
        edges => Scalar::recorded(y, F::ONE, handle, tape.push_nary(edges)),
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
pub(crate) fn record<'t, F: Primal, const N: usize>(x: [Var<'t, F>; N], y: Dual<F, N>, caller: Caller) -> Var<'t, F> {
    let tape = x.iter().find_map(|x| x.handle().tape());
    let Some(tape) = tape else { return Scalar::folded(y.value, F::ZERO, OnTape::NOWHERE, NOWHERE) };
    let mut edges = [Edge { partial: F::ZERO, parent: NOWHERE }; N];
    for k in 0..N {
        match x[k].handle().tape() {
            Some(other) if !core::ptr::eq(tape, other) => mixed_tapes(tape, other, caller),
            _ => {
                let (partial, parent) = x[k].pending();
                edges[k] = Edge { partial: partial.onward(y.tangents[k]), parent };
            }
        }
    }
    join(tape, &edges, y.value)
}
