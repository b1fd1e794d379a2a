//! A list under recording, in which nothing is written twice.
//!
//! Common subexpressions and operations that change nothing are met before they are written: a long list is written and
//! read once less, and shorter.

use super::error::Place;
use super::list::{Answer, Guard, Id, List, Op, Step};
use crate::tape::{Comparison, Nary};
use crate::tensor::TensorFloat;
use core::cell::Cell;
use std::collections::HashSet;
use wengert_kernels::{Binary, Parametric, Unary};

/// A list under recording.
#[derive(Debug, Default)]
pub(crate) struct Draft<F> {
    list: List<F>,
    index: Index,
    /// How many steps were asked for.
    pub(super) recorded: usize,
    asked: HashSet<(Id, Id, Comparison)>,
}

/// Where to find what was written before.
///
/// What no step has read yet is read by no equal step. Therefore most steps need no search: one of their operands was
/// made just now, and they are kept as its first reader. In the table are those whose operands all had readers.
#[derive(Debug, Default)]
struct Index {
    /// Who reads each value, inputs first, then data, then the results of the steps.
    values: Vec<Readers>,
    /// The first reader of each constant.
    constants: Vec<u32>,
    steps: Table,
    bits: Table,
}

/// Who reads a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readers {
    /// How many. What must stay a step of its own, an output or what a guard compares, counts as read twice.
    pub(super) count: u32,
    /// The step that was the first.
    first: u32,
}

impl Readers {
    const NONE: Readers = Readers { count: 0, first: NOBODY };
}

/// The reader of what no step reads.
const NOBODY: u32 = u32::MAX;

/// A hash table of numbers whose keys lie elsewhere. It forgets: once it is as large as the second-level cache, an entry
/// makes way for a newer one at its place, where an exact table of a long list costs a miss or two for each step. What is
/// lost is the one or other common subexpression of two steps more than a hundred thousand apart.
#[derive(Debug, Default)]
struct Table {
    /// Two places for each entry, the one asked for later first: what is used again and again stays.
    pairs: Vec<[Entry; 2]>,
    entered: usize,
}

/// A number with its key's hash: keys whose hashes differ are not looked at, which would be a miss for each.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    number: u32,
    hash: u32,
}

impl Entry {
    const EMPTY: Entry = Entry { number: u32::MAX, hash: 0 };
    const NO_PAIR: [Entry; 2] = [Entry::EMPTY; 2];
}

impl Table {
    const FIRST: usize = 1 << 4;
    const MOST: usize = 1 << 16;

    /// The pair of an entry: by the first bits of its hash, of which there are more when the table grows.
    #[inline]
    fn pair(&mut self, hash: u32) -> &mut [Entry; 2] {
        let place = (u64::from(hash) * self.pairs.len() as u64) >> 32;
        &mut self.pairs[place as usize]
    }

    /// The number of the entry that `is`, or `new`, which is entered then.
    #[inline]
    fn find_or_enter(&mut self, key: u64, new: u32, is: impl Fn(u32) -> bool) -> u32 {
        if self.entered >= self.pairs.len() && self.pairs.len() < Self::MOST {
            self.grow();
        }
        // Fibonacci hashing: the high bits of a product with 2^64 over the golden ratio.
        let hash = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
        let is = |entry: Entry| entry.hash == hash && entry != Entry::EMPTY && is(entry.number);
        let pair = self.pair(hash);
        let [first, second] = *pair;
        if is(first) {
            return first.number;
        }
        if is(second) {
            *pair = [second, first];
            return second.number;
        }
        *pair = [Entry { number: new, hash }, first];
        self.entered += 1;
        new
    }

    /// Doubles the pairs, each of which becomes two side by side.
    #[cold]
    fn grow(&mut self) {
        let old = self.pairs.len();
        self.pairs.resize((old * 2).max(Self::FIRST), Entry::NO_PAIR);
        for place in (0..old).rev() {
            let pair = self.pairs[place];
            self.pairs[2 * place..][..2].fill(Entry::NO_PAIR);
            for entry in pair {
                // Without a branch on what is empty: it is put where nothing is.
                let pair = self.pair(entry.hash);
                let free = usize::from(pair[0] != Entry::EMPTY);
                pair[free] = entry;
            }
        }
    }

    fn clear(&mut self) {
        self.pairs.clear();
        self.entered = 0;
    }
}

thread_local! {
    /// Memory of the last recording for the next.
    static SPARE: Cell<(Index, Vec<Step>)> = Cell::default();
}

/// Steps for which memory is kept, 40 bytes for each: in memory new from the system, recording takes twice as long.
pub(super) const KEPT: usize = 1 << 17;

impl Index {
    /// Gives the memory to the next recording.
    fn keep(mut self, mut steps: Vec<Step>) {
        steps.clear();
        self.values.clear();
        self.constants.clear();
        self.steps.clear();
        self.bits.clear();
        // A thread that ends keeps nothing.
        _ = SPARE.try_with(|spare| spare.set((self, steps)));
    }

    #[inline(always)]
    fn first_reader(&mut self, id: Id) -> &mut u32 {
        if id.is_constant() { &mut self.constants[id.number()] } else { &mut self.values[id.number()].first }
    }

    /// The number of the step equal to this one, or `new`, under which it is entered then.
    #[inline(always)]
    fn find_or_enter<const N: usize>(&mut self, step: &Step, operands: [Id; N], steps: &[Step], new: u32) -> u32 {
        let mut is_new = false;
        for id in operands {
            let reader = self.first_reader(id);
            is_new |= *reader == NOBODY || *reader == new;
            if *reader == NOBODY {
                *reader = new;
            }
        }
        if is_new {
            return new;
        }
        for id in operands {
            let reader = *self.first_reader(id);
            if steps[reader as usize] == *step {
                return reader;
            }
        }
        let [a, b, c] = step.operands.map(|id| u64::from(id.raw()));
        let key = a ^ b.rotate_left(25) ^ c.rotate_left(13) ^ (u64::from(step.op.code()) << 50);
        self.steps.find_or_enter(key, new, |number| steps[number as usize] == *step)
    }
}

impl<F: TensorFloat> Draft<F> {
    /// Parameters that are looked through for equal ones.
    const PARAMETERS: usize = 64;

    /// The beginning of a list.
    pub(super) fn new(inputs: usize, data: usize) -> Self {
        let (mut index, steps) = SPARE.try_with(Cell::take).unwrap_or_default();
        index.values.resize(inputs + data, Readers::NONE);
        Draft { list: List { inputs, data, steps, ..List::default() }, index, ..Draft::default() }
    }

    /// Whether another step of some operands fits.
    #[inline]
    pub(super) fn has_room(&self, operands: usize) -> bool {
        self.index.values.len() + 1 < Id::LIMIT && self.list.constants.len() + operands < Id::LIMIT
    }

    /// A constant, each bit pattern once.
    #[inline]
    pub(super) fn constant(&mut self, value: F) -> Id {
        let bits = value.to_f64().to_bits();
        let constants = &mut self.list.constants;
        let new = constants.len() as u32;
        let is_same = |number: u32| constants[number as usize].to_f64().to_bits() == bits;
        let number = self.index.bits.find_or_enter(bits ^ (bits >> 32), new, is_same);
        if number == new {
            constants.push(value);
            self.index.constants.push(NOBODY);
        }
        Id::constant(number as usize)
    }

    /// The result of an operation on one number.
    #[inline]
    pub(super) fn unary(&mut self, op: Op, x: Id) -> Id {
        if matches!(op, Op::Unary(Unary::Neg | Unary::Square))
            && let Some(argument) = self.negated(x)
        {
            return if op == Op::Unary(Unary::Neg) { argument } else { self.step(op, [argument], 0) };
        }
        self.step(op, [x], 0)
    }

    /// What `x` is the negation of, if it is one.
    #[inline]
    fn negated(&self, x: Id) -> Option<Id> {
        let step = x.number().checked_sub(self.list.first_result()).filter(|_| !x.is_constant())?;
        let Step { op, operands: [argument, ..] } = self.list.steps[step];
        (op == Op::Unary(Unary::Neg)).then_some(argument)
    }

    /// The result of an operation on two numbers.
    #[inline]
    pub(super) fn binary(&mut self, op: Binary, mut a: Id, mut b: Id) -> Id {
        if matches!(op, Binary::Mul | Binary::Add) && b.raw() < a.raw() {
            // A constant is on the right of a sum or product then.
            (a, b) = (b, a);
        }
        if op == Binary::Mul && a == b {
            return self.unary(Op::Unary(Unary::Square), a);
        }
        // As in `exp(-x * x)`.
        if op == Binary::Mul && self.negated(b) == Some(a) {
            let square = self.unary(Op::Unary(Unary::Square), a);
            return self.unary(Op::Unary(Unary::Neg), square);
        }
        if b.is_constant() {
            let c = self.list.constants[b.number()].to_f64();
            let is = |value: f64| c.to_bits() == value.to_bits();
            match op {
                Binary::Mul | Binary::Div if is(1.0) => return a,
                Binary::Mul | Binary::Div if is(-1.0) => return self.unary(Op::Unary(Unary::Neg), a),
                // Not `x + 0`: it makes +0 of -0.
                Binary::Add if is(-0.0) => return a,
                Binary::Sub if is(0.0) => return a,
                _ => {}
            }
        }
        self.step(Op::Binary(op), [a, b], 0)
    }

    /// The result of an operation with parameters.
    pub(super) fn parametric(&mut self, parameter: Parametric, x: Id) -> Id {
        match parameter {
            Parametric::Powi(1) => x,
            Parametric::Powi(2) => self.unary(Op::Unary(Unary::Square), x),
            _ => {
                // Equal parameters under one number, so that equal steps look equal.
                let parameters = &mut self.list.parameters;
                let earlier = parameters.iter().take(Self::PARAMETERS).position(|p| p.has_bits_of(parameter));
                let number = earlier.unwrap_or(parameters.len());
                if number == parameters.len() {
                    parameters.push(parameter);
                }
                self.step(Op::Parametric, [x], number as u32)
            }
        }
    }

    /// The result of an operation on many numbers.
    pub(super) fn nary(&mut self, op: Nary, operands: &[Id]) -> Id {
        let step = self.list.nary(op, operands);
        self.push(step, operands)
    }

    /// Keeps a comparison, if it is the first of these two.
    pub(super) fn guard(&mut self, a: Id, b: Id, question: Comparison, answer: Answer, place: Place) {
        if self.asked.insert((a, b, question)) {
            self.keep(a);
            self.keep(b);
            self.list.guards.push(Guard { a, b, question, answer, place });
        }
    }

    pub(super) fn output(&mut self, id: Id) {
        self.keep(id);
        self.list.outputs.push(id);
    }

    fn keep(&mut self, id: Id) {
        if !id.is_constant() {
            self.index.values[id.number()].count += 2;
        }
    }

    /// The result of a step in its normal form; `parameter` stands behind its operands.
    #[inline(always)]
    fn step<const N: usize>(&mut self, op: Op, operands: [Id; N], parameter: u32) -> Id {
        let mut ids = [0, parameter, 0].map(Id::from_raw);
        ids[..N].copy_from_slice(&operands);
        let step = Step { op, operands: ids };
        let steps = &self.list.steps;
        let new = steps.len() as u32;
        let known = self.index.find_or_enter(&step, operands, steps, new);
        if known == new { self.push(step, &operands) } else { Id::value(self.list.first_result() + known as usize) }
    }

    /// Writes a step.
    #[inline(always)]
    fn push(&mut self, step: Step, operands: &[Id]) -> Id {
        for id in operands {
            if !id.is_constant() {
                self.index.values[id.number()].count += 1;
            }
        }
        self.list.steps.push(step);
        self.index.values.push(Readers::NONE);
        Id::value(self.index.values.len() - 1)
    }

    /// Hands out the list and the readers of its values to be made shorter.
    pub(super) fn shortened(self, shorten: impl FnOnce(&mut List<F>, &mut [Readers])) -> List<F> {
        let Draft { mut list, mut index, .. } = self;
        shorten(&mut list, &mut index.values);
        if index.values.len() <= KEPT {
            let steps = list.steps.clone();
            index.keep(core::mem::replace(&mut list.steps, steps));
        } else {
            list.steps.shrink_to_fit();
        }
        list
    }
}
