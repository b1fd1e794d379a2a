//! Functions of many results whose derivative is a piece of code: one entry of the side list each.
//!
//! The results are nodes without parents, side by side; the entry stands before the first of them. When the sweep
//! arrives there, all their adjoints are known, and the pullback turns them into those of the operands. Scalar nodes do
//! not know that such entries exist.

use super::node::{Edge, Kind, NOWHERE, Node, Special};
use super::{OnTape, Scalar, Tape, Var, mixed_tapes};
use crate::error::Caller;
use crate::number::Primal;
use core::cell::RefCell;
use core::ops::Range;

/// The derivative of a function `R^n -> R^m` at one point, transposed: adds `J^T y_bar` to zeros.
///
/// The first argument is `y_bar`, `m` numbers; the second is where `x_bar` goes, `n` numbers, all 0 at first. `Send`
/// because a tape may move to another thread.
pub type Pullback<F> = Box<dyn Fn(&[F], &mut [F]) + Send>;

/// The pullbacks of a recording, in order.
pub(crate) struct Pullbacks<F>(RefCell<Vec<Entry<F>>>);

struct Entry<F> {
    /// Where the operands are in the edge arena.
    operands: Range<usize>,
    pullback: Pullback<F>,
}

impl<F> Default for Pullbacks<F> {
    fn default() -> Self {
        Pullbacks(RefCell::default())
    }
}

impl<F: Primal> Pullbacks<F> {
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub(super) fn truncate(&self, len: usize) {
        self.0.borrow_mut().truncate(len);
    }

    /// The nodes that pullback `number` passes adjoints to.
    pub(crate) fn operands<'e>(&self, number: u32, edges: &'e [Edge<F>]) -> &'e [Edge<F>] {
        &edges[self.0.borrow()[number as usize].operands.clone()]
    }

    /// Passes the adjoints of the `results` on to the operands. Where nothing flowed the pullback is not run: most are
    /// dear, and zero in is zero out.
    pub(super) fn pull<const CAREFUL: bool>(
        &self,
        number: u32,
        results: Range<usize>,
        edges: &[Edge<F>],
        adjoints: &mut [F],
    ) {
        if adjoints[results.clone()].iter().all(|y_bar| y_bar.is_zero()) {
            return;
        }
        let entries = self.0.borrow();
        let Entry { operands, pullback } = &entries[number as usize];
        let operands = &edges[operands.clone()];
        let mut x_bar = vec![F::ZERO; operands.len()];
        pullback(&adjoints[results], &mut x_bar);
        for (&Edge { partial, parent }, &x_bar) in operands.iter().zip(&x_bar) {
            adjoints[parent as usize] += if CAREFUL { partial.zero_product(x_bar) } else { x_bar * partial };
        }
    }
}

impl<F: Primal> Tape<F> {
    /// Records `results` nodes whose adjoints `pullback` passes on to `n` operands, given by partial and node. Returns
    /// the first node; [`NOWHERE`] if there is none, or no room.
    pub(crate) fn push_pullback(
        &self,
        n: usize,
        mut operand: impl FnMut(usize) -> (F, u32),
        results: usize,
        pullback: Pullback<F>,
    ) -> u32 {
        if results == 0 {
            return NOWHERE;
        }
        let start = self.edges.extend(n, |k| {
            let (partial, parent) = operand(k);
            Edge { partial, parent }
        }) as usize;
        let first = self.first_leaf();
        let placed = self.nodes.extend(results, |k| Node::new([F::ZERO; 2], [first + k as u32; 2]));
        if placed == NOWHERE {
            return NOWHERE;
        }
        let mut entries = self.pullbacks.0.borrow_mut();
        let kind = Kind::Pullback { number: entries.len() as u32, results: results as u32 };
        entries.push(Entry { operands: start..start + n, pullback });
        self.specials.push(Special { at: first, kind });
        first
    }
}

/// The results `y` of a function of `x` as one entry; constants if no operand is recorded.
pub(super) fn record_many<'t, F: Primal>(
    x: &[Var<'t, F>],
    y: Vec<F>,
    pullback: Pullback<F>,
    caller: Caller,
) -> Vec<Var<'t, F>> {
    let active = x.iter().filter(|x| !x.is_constant());
    let Some(tape) = active.clone().find_map(|x| x.handle().tape()) else {
        return y.into_iter().map(|y| Scalar::nowhere(y)).collect();
    };
    for other in active.filter_map(|x| x.handle().tape()) {
        if !core::ptr::eq(tape, other) {
            mixed_tapes(tape, other, caller);
            return y.into_iter().map(|y| Scalar::folded(y, F::ZERO, OnTape::on(tape), NOWHERE)).collect();
        }
    }
    let first = tape.push_pullback(x.len(), |k| x[k].pending(), y.len(), pullback);
    let handle = OnTape::on(tape);
    let node = |k: usize| if first == NOWHERE { NOWHERE } else { first + k as u32 };
    y.into_iter().enumerate().map(|(k, y)| Scalar::recorded(y, F::ONE, handle, node(k))).collect()
}
