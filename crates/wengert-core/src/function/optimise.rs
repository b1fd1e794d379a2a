//! The optimiser: the same numbers from fewer steps.
//!
//! Every rewriting keeps every bit of every output: common subexpressions are computed once, dead code not at all,
//! multiplications by 1 and the like are left out, a product that only one sum needs becomes a step with it (both
//! roundings stay: a fused multiply-add with one rounding would give other numbers on other machines), and a long chain
//! of additions becomes one sum that adds in the same order. Data is never taken for a constant, nor for other data of
//! the same value. Gradients may differ in the last bits, since adjoints are added in another order.

use super::list::{Id, List, Op, Step};
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use std::collections::HashSet;
use wengert_kernels::{Binary, Parametric, Unary};

/// Additions a chain must have to become one sum: below, steps of two or three operands in groups are faster.
const CHAIN: usize = 8;

/// The list with fewer steps and the same outputs.
pub(crate) fn optimise<F: TensorFloat>(list: List<F>) -> List<F> {
    let merged = merge(list);
    Fates::of(&merged).carry_out(&merged)
}

/// A hash table of numbers whose keys lie elsewhere. It forgets: an entry makes way for a newer one at its place, so
/// the table never outgrows the second-level cache by much, where an exact one of a long list costs a miss or two for
/// each step. What is lost is the one or other common subexpression of two steps more than a hundred thousand apart.
struct Table {
    slots: Vec<Entry>,
    shift: u32,
}

/// A number with a part of its key's hash: keys whose parts differ are not looked at, which would be a miss for each.
#[derive(Clone, Copy, PartialEq)]
struct Entry {
    number: u32,
    tag: u32,
}

impl Table {
    const EMPTY: Entry = Entry { number: u32::MAX, tag: 0 };
    const BITS: u32 = 17;

    fn new(entries: usize) -> Self {
        let bits = (entries.max(4) * 2).next_power_of_two().trailing_zeros().min(Self::BITS);
        Table { slots: vec![Self::EMPTY; 1 << bits], shift: 64 - bits }
    }

    /// The number of the entry that `is`, or `new`, which is entered then.
    #[inline]
    fn find_or_enter(&mut self, key: u64, new: u32, is: impl Fn(u32) -> bool) -> u32 {
        // Fibonacci hashing: the high bits of a product with 2^64 over the golden ratio.
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let slot = (hash >> self.shift) as usize;
        let new = Entry { number: new, tag: (hash >> 15) as u32 };
        let is = |entry: Entry| entry.tag == new.tag && entry != Self::EMPTY && is(entry.number);
        // Two places side by side, the entry that was asked for later first: what is used again and again stays.
        let pair = &mut self.slots.as_chunks_mut::<2>().0[slot / 2];
        let [first, second] = *pair;
        if first == Self::EMPTY || is(first) {
            pair[0] = if first == Self::EMPTY { new } else { first };
            return pair[0].number;
        }
        let found = if is(second) { second } else { new };
        *pair = [found, first];
        found.number
    }
}

/// A number for each operation.
pub(super) fn code(op: Op) -> u64 {
    match op {
        Op::Unary(op) => op as u64,
        Op::Binary(op) => 0x100 + op as u64,
        Op::Nary(op) => 0x200 + op as u64,
        Op::MulAdd => 0x300,
        Op::MulSub => 0x301,
        Op::SubMul => 0x302,
        Op::Parametric => 0x303,
        Op::Detach => 0x304,
    }
}

/// Common subexpressions and operations that change nothing. In place: the list only gets shorter.
fn merge<F: TensorFloat>(mut list: List<F>) -> List<F> {
    let first = list.first_result();
    let old = core::mem::take(&mut list.constants);
    let mut constants = Constants { table: Table::new(old.len()), old: &old };
    let mut table = Table::new(list.steps.len());
    let mut now: Vec<Id> = Vec::with_capacity(list.steps.len());
    let mut kept = 0;
    for k in 0..list.steps.len() {
        let mut step = list.steps[k];
        let same = match step.op.arity() {
            None => {
                let [start, len] = [step.operands[0], step.operands[1]].map(|id| id.raw() as usize);
                for id in &mut list.pool[start..start + len] {
                    *id = resolve(*id, first, &now, &mut constants, &mut list.constants);
                }
                None
            }
            Some(arity) => {
                for id in &mut step.operands[..arity] {
                    *id = resolve(*id, first, &now, &mut constants, &mut list.constants);
                }
                simplify(&list, &mut step).or_else(|| {
                    let [a, b, c] = step.operands.map(|id| u64::from(id.raw()));
                    let key = a ^ b.rotate_left(25) ^ c.rotate_left(13) ^ (code(step.op) << 50);
                    let entry = table.find_or_enter(key, kept as u32, |old| list.steps[old as usize] == step) as usize;
                    (entry != kept).then(|| Id::value(first + entry))
                })
            }
        };
        now.push(same.unwrap_or_else(|| {
            list.steps[kept] = step;
            kept += 1;
            Id::value(first + kept - 1)
        }));
    }
    list.steps.truncate(kept);
    for k in 0..list.outputs.len() {
        list.outputs[k] = resolve(list.outputs[k], first, &now, &mut constants, &mut list.constants);
    }
    let mut seen = HashSet::new();
    let mut guards = core::mem::take(&mut list.guards);
    guards.retain_mut(|guard| {
        guard.a = resolve(guard.a, first, &now, &mut constants, &mut list.constants);
        guard.b = resolve(guard.b, first, &now, &mut constants, &mut list.constants);
        seen.insert((guard.a, guard.b, guard.question))
    });
    list.guards = guards;
    list
}

/// Constants, each bit pattern once.
struct Constants<'a, F> {
    table: Table,
    old: &'a [F],
}

#[inline]
fn resolve<F: TensorFloat>(id: Id, first: usize, now: &[Id], constants: &mut Constants<'_, F>, new: &mut Vec<F>) -> Id {
    if id.is_constant() {
        let value = constants.old[id.number()];
        let bits = value.to_f64().to_bits();
        let number = new.len() as u32;
        let entry =
            constants.table.find_or_enter(bits ^ (bits >> 32), number, |k| new[k as usize].to_f64().to_bits() == bits);
        if entry == number {
            new.push(value);
        }
        Id::constant(entry as usize)
    } else if id.number() < first {
        id
    } else {
        now[id.number() - first]
    }
}

/// Puts a step into its normal form, or names the value it is the same as, bit for bit.
#[inline]
fn simplify<F: TensorFloat>(list: &List<F>, step: &mut Step) -> Option<Id> {
    let parameters = &list.parameters;
    let [a, b, _] = step.operands;
    let is = |id: Id, c: f64| id.is_constant() && list.constants[id.number()].to_f64().to_bits() == c.to_bits();
    match step.op {
        Op::Binary(Binary::Mul | Binary::Add) if b.raw() < a.raw() => step.operands = [b, a, Id::from_raw(0)],
        _ => {}
    }
    // A constant is on the right of a sum or product now.
    let [a, b, _] = step.operands;
    match step.op {
        Op::Binary(Binary::Mul) if a == b => {
            *step = Step { op: Op::Unary(Unary::Square), operands: [a, Id::from_raw(0), Id::from_raw(0)] };
        }
        Op::Binary(Binary::Mul | Binary::Div) if is(b, 1.0) => return Some(a),
        Op::Binary(Binary::Mul | Binary::Div) if is(b, -1.0) => {
            *step = Step { op: Op::Unary(Unary::Neg), operands: [a, Id::from_raw(0), Id::from_raw(0)] };
        }
        // Not `x + 0`: it makes +0 of -0.
        Op::Binary(Binary::Add) if is(b, -0.0) => return Some(a),
        Op::Binary(Binary::Sub) if is(b, 0.0) => return Some(a),
        Op::Unary(Unary::Neg) if !a.is_constant() && a.number() >= list.first_result() => {
            let argument = &list.steps[a.number() - list.first_result()];
            if argument.op == Op::Unary(Unary::Neg) {
                return Some(argument.operands[0]);
            }
        }
        Op::Parametric => match parameters[b.raw() as usize] {
            Parametric::Powi(1) => return Some(a),
            Parametric::Powi(2) => {
                *step = Step { op: Op::Unary(Unary::Square), operands: [a, Id::from_raw(0), Id::from_raw(0)] };
            }
            parameter => {
                // Equal parameters under one number, so that equal steps look equal.
                let mut earlier = parameters[..b.raw() as usize].iter().take(64);
                if let Some(first) = earlier.position(|p| p.has_bits_of(parameter)) {
                    step.operands[1] = Id::from_raw(first as u32);
                }
            }
        },
        _ => {}
    }
    None
}

/// What becomes of each step.
struct Fates {
    fates: Vec<Fate>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// No output needs it.
    Dead,
    Kept,
    /// It is a part of the one step that needs it.
    Absorbed,
    /// It becomes the sum of the chain below it.
    Chain,
    /// A sum or difference that takes in the product on its left.
    WithLeft,
    /// The same on its right.
    WithRight,
}

impl Fates {
    fn of<F: TensorFloat>(list: &List<F>) -> Self {
        let first = list.first_result();
        let mut uses = vec![0_u32; list.steps.len()];
        let step_of = |id: Id| (!id.is_constant()).then(|| id.number().checked_sub(first)).flatten();
        for &output in &list.outputs {
            if let Some(k) = step_of(output) {
                uses[k] += 2; // not a part of another step
            }
        }
        for guard in &list.guards {
            for k in [guard.a, guard.b].into_iter().filter_map(step_of) {
                uses[k] += 2;
            }
        }
        let mut fates = vec![Fate::Dead; list.steps.len()];
        for k in (0..list.steps.len()).rev() {
            if uses[k] == 0 {
                continue;
            }
            fates[k] = Fate::Kept;
            for operand in list.operands(&list.steps[k]).iter().filter_map(|&id| step_of(id)) {
                uses[operand] += 1;
            }
        }
        // A step that only one other needs, of one of the operations given.
        let single = |id: Id, is: fn(Op) -> bool| step_of(id).filter(|&k| uses[k] == 1 && is(list.steps[k].op));
        let is_sum = |op| op == Op::Binary(Binary::Add);
        let is_product = |op| matches!(op, Op::Binary(Binary::Mul) | Op::Unary(Unary::Square));
        let mut chain = Vec::new();
        for k in (0..list.steps.len()).rev() {
            let Step { op, operands: [a, b, _] } = list.steps[k];
            if fates[k] != Fate::Kept || !matches!(op, Op::Binary(Binary::Add | Binary::Sub)) {
                continue;
            }
            if is_sum(op) {
                chain.clear();
                let mut next = Some(k);
                while let Some(link) = next {
                    chain.push(link);
                    let [a, b, _] = list.steps[link].operands;
                    next = single(a, is_sum).or_else(|| single(b, is_sum));
                }
                if chain.len() >= CHAIN {
                    for &link in &chain[1..] {
                        fates[link] = Fate::Absorbed;
                    }
                    fates[k] = Fate::Chain;
                    continue;
                }
            }
            if let Some(product) = single(a, is_product) {
                fates[product] = Fate::Absorbed;
                fates[k] = Fate::WithLeft;
            } else if let Some(product) = single(b, is_product) {
                fates[product] = Fate::Absorbed;
                fates[k] = Fate::WithRight;
            }
        }
        Fates { fates }
    }

    fn carry_out<F: TensorFloat>(&self, list: &List<F>) -> List<F> {
        let first = list.first_result();
        let mut new = List { steps: Vec::with_capacity(list.steps.len()), pool: Vec::new(), ..Self::frame(list) };
        let mut now = vec![Id::from_raw(0); list.steps.len()];
        let moved = |id: Id, now: &[Id]| match id {
            id if id.is_constant() || id.number() < first => id,
            id => now[id.number() - first],
        };
        let factors = |id: Id| {
            let Step { op, operands: [a, b, _] } = list.steps[id.number() - first];
            if op == Op::Unary(Unary::Square) { [a, a] } else { [a, b] }
        };
        for (k, step) in list.steps.iter().enumerate() {
            let [a, b, _] = step.operands;
            let subtract = step.op == Op::Binary(Binary::Sub);
            let step = match self.fates[k] {
                Fate::Dead | Fate::Absorbed => continue,
                Fate::Kept => match step.op {
                    Op::Nary(_) => {
                        let start = new.pool.len();
                        new.pool.extend(list.operands(step).iter().map(|&id| moved(id, &now)));
                        Step { op: step.op, operands: [Id::from_raw(start as u32), step.operands[1], Id::from_raw(0)] }
                    }
                    _ => {
                        let mut step = *step;
                        let arity = step.op.arity().unwrap_or(0);
                        for id in &mut step.operands[..arity] {
                            *id = moved(*id, &now);
                        }
                        step
                    }
                },
                Fate::Chain => {
                    let start = new.pool.len();
                    let mut link = k;
                    // From the last addend to the first, then turned round.
                    loop {
                        let [a, b, _] = list.steps[link].operands;
                        let below = |id: Id| {
                            !id.is_constant()
                                && id.number() >= first
                                && self.fates[id.number() - first] == Fate::Absorbed
                                && list.steps[id.number() - first].op == Op::Binary(Binary::Add)
                        };
                        let (next, addend) = if below(a) {
                            (a, b)
                        } else if below(b) {
                            (b, a)
                        } else {
                            new.pool.push(moved(b, &now));
                            new.pool.push(moved(a, &now));
                            break;
                        };
                        new.pool.push(moved(addend, &now));
                        link = next.number() - first;
                    }
                    new.pool[start..].reverse();
                    let len = new.pool.len() - start;
                    Step {
                        op: Op::Nary(Nary::Sum),
                        operands: [Id::from_raw(start as u32), Id::from_raw(len as u32), Id::from_raw(0)],
                    }
                }
                Fate::WithLeft => {
                    let [p, q] = factors(a).map(|id| moved(id, &now));
                    Step { op: if subtract { Op::MulSub } else { Op::MulAdd }, operands: [p, q, moved(b, &now)] }
                }
                Fate::WithRight => {
                    let [p, q] = factors(b).map(|id| moved(id, &now));
                    Step { op: if subtract { Op::SubMul } else { Op::MulAdd }, operands: [p, q, moved(a, &now)] }
                }
            };
            now[k] = Id::value(first + new.steps.len());
            new.steps.push(step);
        }
        for id in &mut new.outputs {
            *id = moved(*id, &now);
        }
        for guard in &mut new.guards {
            guard.a = moved(guard.a, &now);
            guard.b = moved(guard.b, &now);
        }
        new
    }

    /// Everything of a list but its steps and their operands.
    fn frame<F: TensorFloat>(list: &List<F>) -> List<F> {
        List {
            inputs: list.inputs,
            data: list.data,
            constants: list.constants.clone(),
            steps: Vec::new(),
            pool: Vec::new(),
            parameters: list.parameters.clone(),
            outputs: list.outputs.clone(),
            guards: list.guards.clone(),
        }
    }
}
