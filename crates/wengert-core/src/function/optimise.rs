//! The optimiser: the same numbers from fewer steps.
//!
//! Every rewriting keeps every bit of every output: common subexpressions are computed once, dead code not at all,
//! multiplications by 1 and the like are left out, a product that only one sum needs becomes a step with it (both
//! roundings stay: a fused multiply-add with one rounding would give other numbers on other machines), and a long chain
//! of additions becomes one sum that adds in the same order. Data is never taken for a constant, nor for other data of
//! the same value. Gradients may differ in the last bits, since adjoints are added in another order.
//!
//! What can be told when a step is recorded is done in the draft; here is what hangs on the steps after it.

use super::draft::Draft;
use super::list::{Id, List, Op, Step};
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use wengert_kernels::{Binary, Unary};

/// Additions a chain must have to become one sum: below, steps of two or three operands in groups are faster.
const CHAIN: usize = 8;

/// The list with fewer steps and the same outputs.
pub(crate) fn optimise<F: TensorFloat>(draft: Draft<F>) -> List<F> {
    let Draft { list, readers, .. } = draft;
    let uses = readers.into_iter().map(|readers| readers.count).collect();
    let mut optimiser = Optimiser { first: list.first_result(), list, uses };
    optimiser.bury();
    optimiser.fuse();
    optimiser.close_ranks()
}

struct Optimiser<F> {
    list: List<F>,
    /// The value that the first step makes.
    first: usize,
    /// How often each value is read, of a step of its own at least once. Those that are not read are no longer there.
    uses: Vec<u32>,
}

impl<F: TensorFloat> Optimiser<F> {
    /// Takes away the steps that no output needs.
    fn bury(&mut self) {
        for (k, step) in self.list.steps.iter().enumerate().rev() {
            if self.uses[self.first + k] == 0 {
                for id in self.list.operands(step).iter().filter(|id| !id.is_constant()) {
                    self.uses[id.number()] -= 1;
                }
            }
        }
    }

    /// Makes one step of several. In place, from the last to the first: the last of a chain of sums is met before the
    /// others.
    fn fuse(&mut self) {
        let is_sum = |op| op == Op::Binary(Binary::Add);
        let is_product = |op| matches!(op, Op::Binary(Binary::Mul) | Op::Unary(Unary::Square));
        let mut links = Vec::new();
        let mut addends = Vec::new();
        for k in (0..self.list.steps.len()).rev() {
            let Step { op, operands: [a, b, _] } = self.list.steps[k];
            if !matches!(op, Op::Binary(Binary::Add | Binary::Sub)) || self.uses[self.first + k] == 0 {
                continue;
            }
            if is_sum(op) {
                links.clear();
                addends.clear();
                let mut link = [a, b];
                loop {
                    let [a, b] = link;
                    let (next, addend) = match (self.single(a, is_sum), self.single(b, is_sum)) {
                        (Some(next), _) => (next, b),
                        (None, Some(next)) => (next, a),
                        (None, None) => break,
                    };
                    links.push(next);
                    addends.push(addend);
                    let [a, b, _] = self.list.steps[next].operands;
                    link = [a, b];
                }
                if links.len() + 1 >= CHAIN {
                    links.iter().for_each(|&link| self.uses[self.first + link] = 0);
                    addends.extend([link[1], link[0]]);
                    addends.reverse();
                    self.list.steps[k] = self.list.nary(Nary::Sum, &addends);
                    continue;
                }
            }
            let minus = op == Op::Binary(Binary::Sub);
            let (product, other, op) = match (self.single(a, is_product), self.single(b, is_product)) {
                (Some(product), _) => (product, b, if minus { Op::MulSub } else { Op::MulAdd }),
                (None, Some(product)) => (product, a, if minus { Op::SubMul } else { Op::MulAdd }),
                (None, None) => continue,
            };
            let Step { op: of, operands: [p, q, _] } = self.list.steps[product];
            let q = if of == Op::Unary(Unary::Square) { p } else { q };
            self.uses[self.first + product] = 0;
            self.list.steps[k] = Step { op, operands: [p, q, other] };
        }
    }

    /// The step that makes a value, if only one other needs it and it is of one of the operations given.
    #[inline]
    fn single(&self, id: Id, is: fn(Op) -> bool) -> Option<usize> {
        if id.is_constant() || self.uses[id.number()] != 1 {
            return None;
        }
        id.number().checked_sub(self.first).filter(|&step| is(self.list.steps[step].op))
    }

    /// The list without what is no longer there.
    fn close_ranks(self) -> List<F> {
        let Optimiser { mut list, first, uses: mut numbers } = self;
        // Where the number of uses was, the new number.
        (0..).zip(&mut numbers[..first]).for_each(|(number, now)| *now = number);
        let moved = |id: Id, numbers: &[u32]| {
            if id.is_constant() { id } else { Id::value(numbers[id.number()] as usize) }
        };
        let pool = core::mem::take(&mut list.pool);
        let mut kept = 0;
        for k in 0..list.steps.len() {
            if numbers[first + k] == 0 {
                continue;
            }
            let mut step = list.steps[k];
            match step.op.arity() {
                Some(arity) => {
                    for id in &mut step.operands[..arity] {
                        *id = moved(*id, &numbers);
                    }
                }
                None => {
                    let [start, len, _] = step.operands.map(|id| id.raw() as usize);
                    step.operands[0] = Id::from_raw(list.pool.len() as u32);
                    list.pool.extend(pool[start..start + len].iter().map(|&id| moved(id, &numbers)));
                }
            }
            numbers[first + k] = (first + kept) as u32;
            list.steps[kept] = step;
            kept += 1;
        }
        list.steps.truncate(kept);
        list.steps.shrink_to_fit();
        for id in &mut list.outputs {
            *id = moved(*id, &numbers);
        }
        for guard in &mut list.guards {
            guard.a = moved(guard.a, &numbers);
            guard.b = moved(guard.b, &numbers);
        }
        list
    }
}
