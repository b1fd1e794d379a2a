//! The optimiser: the same numbers from fewer steps.
//!
//! Every rewriting keeps every bit of every output: common subexpressions are computed once, dead code not at all,
//! multiplications by 1 and the like are left out, a product that only one sum needs becomes a step with it (both
//! roundings stay: a fused multiply-add with one rounding would give other numbers on other machines), and a long chain
//! of additions becomes one sum that adds in the same order. Data is never taken for a constant, nor for other data of
//! the same value. Gradients may differ in the last bits, since adjoints are added in another order.
//!
//! What can be told when a step is recorded is done in the draft; here is what hangs on the steps after it.

use super::draft::{Draft, Readers};
use super::list::{Id, List, Op, Step};
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use wengert_kernels::{Binary, Unary};

/// Additions a chain must have to become one sum: below, steps of two or three operands in groups are faster.
const CHAIN: usize = 8;

/// The list with fewer steps and the same outputs.
pub(crate) fn optimise<F: TensorFloat>(draft: Draft<F>) -> List<F> {
    draft.shortened(|list, readers| {
        let mut optimiser = Optimiser { first: list.first_result(), list, readers };
        optimiser.bury();
        optimiser.fuse();
        optimiser.close_ranks();
    })
}

struct Optimiser<'a, F> {
    list: &'a mut List<F>,
    /// The value that the first step makes.
    first: usize,
    /// How many read each value. What is read by none is no longer there.
    readers: &'a mut [Readers],
}

impl<F: TensorFloat> Optimiser<'_, F> {
    /// Takes away the steps that no output needs.
    fn bury(&mut self) {
        for (k, step) in self.list.steps.iter().enumerate().rev() {
            if self.readers[self.first + k].count == 0 {
                for id in self.list.operands(step).iter().filter(|id| !id.is_constant()) {
                    self.readers[id.number()].count -= 1;
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
            if !matches!(op, Op::Binary(Binary::Add | Binary::Sub)) || self.readers[self.first + k].count == 0 {
                continue;
            }
            if is_sum(op) {
                links.clear();
                addends.clear();
                let mut link = [a, b];
                loop {
                    let [a, b] = link;
                    let on_left = self.single(a, is_sum).map(|next| (next, b));
                    let Some((next, addend)) = on_left.or_else(|| Some((self.single(b, is_sum)?, a))) else { break };
                    links.push(next);
                    addends.push(addend);
                    let [a, b, _] = self.list.steps[next].operands;
                    link = [a, b];
                }
                if links.len() + 1 >= CHAIN {
                    links.iter().for_each(|&link| self.readers[self.first + link].count = 0);
                    addends.extend([link[1], link[0]]);
                    addends.reverse();
                    self.list.steps[k] = self.list.nary(Nary::Sum, &addends);
                    continue;
                }
            }
            let minus = op == Op::Binary(Binary::Sub);
            let (product, other, op) = if let Some(product) = self.single(a, is_product) {
                (product, b, if minus { Op::MulSub } else { Op::MulAdd })
            } else if let Some(product) = self.single(b, is_product) {
                (product, a, if minus { Op::SubMul } else { Op::MulAdd })
            } else {
                continue;
            };
            let Step { op: of, operands: [p, q, _] } = self.list.steps[product];
            let q = if of == Op::Unary(Unary::Square) { p } else { q };
            self.readers[self.first + product].count = 0;
            self.list.steps[k] = Step { op, operands: [p, q, other] };
        }
    }

    /// The step that makes a value, if only one other needs it and it is of one of the operations given.
    #[inline]
    fn single(&self, id: Id, is: fn(Op) -> bool) -> Option<usize> {
        if id.is_constant() || self.readers[id.number()].count != 1 {
            return None;
        }
        id.number().checked_sub(self.first).filter(|&step| is(self.list.steps[step].op))
    }

    /// Takes out what is no longer there.
    fn close_ranks(self) {
        let Optimiser { list, first, readers } = self;
        // Where the number of readers was, the number of the value in the new list.
        (0..).zip(&mut readers[..first]).for_each(|(number, value)| value.count = number);
        let moved = |id: Id, values: &[Readers]| {
            if id.is_constant() { id } else { Id::value(values[id.number()].count as usize) }
        };
        let pool = core::mem::take(&mut list.pool);
        let mut kept = 0;
        for k in 0..list.steps.len() {
            if readers[first + k].count == 0 {
                continue;
            }
            let Step { op, operands: [a, b, c] } = list.steps[k];
            let now = |id| moved(id, readers);
            let operands = match op {
                Op::Nary(_) => {
                    let start = Id::from_raw(list.pool.len() as u32);
                    list.pool.extend(pool[a.raw() as usize..][..b.raw() as usize].iter().map(|&id| now(id)));
                    [start, b, c]
                }
                Op::Parametric => [now(a), b, c],
                // Where there are fewer, 0 stands for the first value, which stays the first.
                _ => [now(a), now(b), now(c)],
            };
            list.steps[kept] = Step { op, operands };
            readers[first + k].count = (first + kept) as u32;
            kept += 1;
        }
        list.steps.truncate(kept);
        for id in &mut list.outputs {
            *id = moved(*id, readers);
        }
        for guard in &mut list.guards {
            guard.a = moved(guard.a, readers);
            guard.b = moved(guard.b, readers);
        }
    }
}
