//! Several elementary functions and pullbacks in one pass over memory.
//!
//! A chain is a short straight program. It runs block by block, every block small enough that what the steps pass to
//! each other stays in the first-level cache; only inputs are read from memory and only what is asked for is written. A
//! step is the loop that [`unary`](super::unary), [`binary`](super::binary) and their pullbacks run, so a result has
//! the same bits as a call for each step would give. Where a function and its pullback share work, the slope is
//! computed with the value. A product that only a sum reads, or of cotangents that only another such product or a
//! negation's pullback does, is no step of its own: it stays in a register, and is rounded as before.

#![expect(
    unsafe_code,
    reason = "a step reads and writes entries of one table; that they differ is known when it is planned"
)]

use super::PIECE;
use super::loops::Fused;
use crate::dispatch::{Level, simd_level};
use crate::matmul::vector::prefetch;
use crate::scratch::Scratch;
use crate::{Binary, Float, Par, Parametric, Unary, reduce};
use core::mem::take;
use core::ops::Range;
use core::slice::{from_raw_parts, from_raw_parts_mut};
use smallvec::SmallVec;

/// What one step of a chain computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// `y = op(x)`, of `x`.
    Unary(Unary),
    /// `y = op(x)` of a function with constants, of `x`.
    Parametric(Parametric),
    /// `y = op(a, b)`, of `a` and `b`.
    Binary(Binary),
    /// `x_bar = y_bar dy/dx`, of `x`, `y` and `y_bar`.
    UnaryVjp(Unary),
    /// The same of a function with constants.
    ParametricVjp(Parametric),
    /// `a_bar = y_bar dy/da`, of `a`, `b`, `y` and `y_bar`.
    LeftVjp(Binary),
    /// `b_bar = y_bar dy/db`, of `a`, `b`, `y` and `y_bar`.
    RightVjp(Binary),
}

impl Step {
    /// How many operands it reads.
    #[must_use]
    pub const fn arity(self) -> usize {
        match self {
            Step::Unary(_) | Step::Parametric(_) => 1,
            Step::Binary(_) => 2,
            Step::UnaryVjp(_) | Step::ParametricVjp(_) => 3,
            Step::LeftVjp(_) | Step::RightVjp(_) => 4,
        }
    }

    /// Whether this is the pullback of the function that `other`, of `x`, is.
    fn is_pullback_of(self, other: Step) -> bool {
        matches!((self, other), (Step::UnaryVjp(op), Step::Unary(other)) if op == other)
    }

    /// `slope` is written if it is there.
    fn run<F: Float>(self, level: Level, x: [&[F]; 4], y: &mut [F], slope: Option<&mut [F]>) {
        match self {
            Step::Unary(op) => match slope {
                Some(slope) => F::value_and_slope_at(level, op, x[0], y, slope),
                None => F::unary_at(level, op, x[0], y),
            },
            Step::Parametric(op) => F::parametric_at(op, x[0], y),
            Step::Binary(op) => F::binary_at(level, op, x[0], x[1], y),
            Step::UnaryVjp(op) => F::unary_vjp_at(level, op, x[0], x[1], x[2], y),
            Step::ParametricVjp(op) => F::parametric_vjp_at(op, x[0], x[1], x[2], y),
            Step::LeftVjp(op) => F::left_vjp_at(level, op, x[0], x[1], x[2], x[3], y),
            Step::RightVjp(op) => F::right_vjp_at(level, op, x[0], x[1], x[2], x[3], y),
        }
    }
}

/// One input of a chain.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a, F> {
    /// An element for each result.
    Slice(&'a [F]),
    /// A row that is repeated: the element for result `i` is that at `i` modulo its length.
    Row(&'a [F]),
    /// Numbers each of which stands for so many results in a row, repeated: the element for result `i` is that at
    /// `i / each` modulo their number. The bias of a convolution.
    Columns(&'a [F], usize),
    /// The same number for every result.
    Splat(F),
}

/// Where a number of the program is while a block is worked on: an entry of a table of all inputs, outputs and blocks,
/// in this order.
type Home = usize;

/// What a link runs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Step(Step),
    /// Several steps, of which only the last one's result is read elsewhere.
    Fused(Fused),
}

/// The product of a cotangent, its first operand, with a partial, its second: the pullback of `exp`, whose derivative
/// is its value.
const PULL: Act = Act::Step(Step::UnaryVjp(Unary::Exp));
/// The pullback of a negation, of the cotangent alone.
const TURN: Act = Act::Step(Step::UnaryVjp(Unary::Neg));

/// A step while a chain is laid out: what it runs, and the numbers it reads. The slope of step `k` has the number of
/// its value plus that of all inputs and steps.
struct Draft {
    act: Act,
    reads: SmallVec<[usize; 4]>,
}

impl Draft {
    /// This step of sums, products and turns of cotangents and the step whose result it reads as operand `i`, as one.
    fn with(&self, other: &Draft, i: usize) -> Option<Draft> {
        const PRODUCT: Act = Act::Step(Step::Binary(Binary::Mul));
        const SUM: Act = Act::Step(Step::Binary(Binary::Add));
        let fused = match (other.act, self.act, i) {
            (PRODUCT, SUM, _) => Fused::ProductSum,
            (PULL, SUM, _) => Fused::PullSum,
            (Act::Fused(Fused::PullPull), SUM, _) => Fused::PullPullSum,
            (PULL, PULL, 0) => Fused::PullPull,
            (PULL, TURN, _) => Fused::PullTurn,
            (Act::Fused(Fused::PullTurn), Act::Fused(Fused::PullSum), 2) => Fused::PullTurnSum,
            _ => return None,
        };
        let others = || self.reads.iter().enumerate().filter(|&(k, _)| k != i).map(|(_, &number)| number);
        // The product comes first that the sum begins with.
        let reads = match fused {
            Fused::PullTurnSum => others().chain(other.reads.iter().copied()).collect(),
            _ => other.reads.iter().copied().chain(others()).collect(),
        };
        Some(Draft { act: Act::Fused(fused), reads })
    }
}

#[derive(Debug, Clone)]
struct Link {
    act: Act,
    operands: [Home; 4],
    /// No operand's home.
    result: Home,
    /// The block of the slope, of a function whose pullback comes later and shares its work. Nor is it any of the
    /// above.
    slope: Option<Home>,
    /// Which sum it is a term of.
    sum: Option<usize>,
}

/// A number of a program whose elements are added up as [`reduce::sum`] adds them, to the bit.
#[derive(Debug, Clone, Copy)]
pub struct Sum {
    /// A step's result.
    pub of: usize,
    /// Whether the sum is divided by the number of elements.
    pub mean: bool,
}

/// A straight program of elementary functions over slices of one length.
///
/// Its numbers are counted from 0: first the inputs, then the result of every step.
///
/// # Examples
/// ```
/// use wengert_kernels::elementwise::chain::{Chain, Input, Step};
/// use wengert_kernels::{Binary, Par, Unary};
///
/// // y = tanh(x) b, of inputs 0 and 1; tanh(x) is number 2, y number 3.
/// let steps = [(Step::Unary(Unary::Tanh), &[0][..]), (Step::Binary(Binary::Mul), &[2, 1][..])];
/// let chain = Chain::new(2, steps, &[3]);
/// let mut y = [0.0_f64; 3];
/// chain.run(3, &[Input::Slice(&[0.0, 1.0, 2.0]), Input::Splat(10.0)], &mut [&mut y], &mut [], Par::current());
/// assert_eq!(y, [0.0, 10.0 * 1.0_f64.tanh(), 10.0 * 2.0_f64.tanh()]);
/// ```
#[derive(Debug, Clone)]
pub struct Chain {
    inputs: usize,
    /// How many were asked for, of which a link may run several.
    steps: usize,
    links: Vec<Link>,
    /// Blocks that hold results between steps.
    blocks: usize,
    outputs: usize,
    sums: Vec<Sum>,
}

/// Elements of a block, a part of those that sums are made of: a multiple of the widest vector.
const BLOCK: usize = 512;
/// Steps from which on a program fetches the next block on the way, which a shorter one would not wait for, and threads
/// take fewer elements at a time.
const LONG: usize = 4;
/// Blocks start at a cache line: else every 512-bit load of one takes in two lines.
const LINE: usize = 64;

impl Chain {
    /// A program of `steps`, each with the numbers of its operands, that writes the results numbered `outputs`.
    ///
    /// An operand that a derivative does not read ([`Unary::keeps_argument`] and its like) may be any number known.
    ///
    /// # Panics
    /// When a step has another number of operands than it reads or reads a number that is not known yet, or when an
    /// output is no step's result or is named twice.
    #[must_use]
    pub fn new<'s>(inputs: usize, steps: impl IntoIterator<Item = (Step, &'s [usize])>, outputs: &[usize]) -> Chain {
        Chain::with_sums(inputs, steps, outputs, Vec::new())
    }

    /// The same program, which also adds up some of its numbers, whether or not they are outputs.
    ///
    /// # Panics
    /// As [`new`](Chain::new), and when a number to be summed is no step's result or is named twice.
    ///
    /// # Examples
    /// ```
    /// use wengert_kernels::elementwise::chain::{Chain, Input, Step, Sum};
    /// use wengert_kernels::{Par, Unary};
    ///
    /// let square = (Step::Unary(Unary::Square), &[0][..]);
    /// let squares = Chain::with_sums(1, [square], &[], vec![Sum { of: 1, mean: true }]);
    /// let mut mean = [0.0_f64];
    /// squares.run(2, &[Input::Slice(&[3.0, 4.0])], &mut [], &mut mean, Par::current());
    /// assert_eq!(mean, [12.5]);
    /// ```
    #[must_use]
    pub fn with_sums<'s>(
        inputs: usize,
        steps: impl IntoIterator<Item = (Step, &'s [usize])>,
        outputs: &[usize],
        sums: Vec<Sum>,
    ) -> Chain {
        let steps: Vec<(Step, &[usize])> = steps.into_iter().collect();
        let known = inputs + steps.len();
        for (i, &output) in outputs.iter().enumerate() {
            assert!((inputs..known).contains(&output), "output {output} is no step's result");
            assert!(!outputs[..i].contains(&output), "output {output} is named twice");
        }
        for (k, &Sum { of, .. }) in sums.iter().enumerate() {
            let is_new = (inputs..known).contains(&of) && sums[..k].iter().all(|other| other.of != of);
            assert!(is_new, "number {of} cannot be summed, or is already");
        }
        let drafts =
            drafts(inputs, &steps, &|number| outputs.contains(&number) || sums.iter().any(|sum| sum.of == number));
        // By number, slopes included; 0 for those nobody reads.
        let mut last_use = vec![0; known + known];
        for (k, draft) in drafts.iter().enumerate() {
            draft.iter().flat_map(|draft| &draft.reads).for_each(|&number| last_use[number] = k);
        }
        // By number, where it is; those of inputs are known.
        let mut homes: Vec<Home> = (0..known + known).collect();
        let first_block = inputs + outputs.len();
        let (mut free, mut blocks, mut links) = (Vec::new(), 0, Vec::<Link>::with_capacity(steps.len()));
        let place = |free: &mut Vec<usize>, blocks: &mut usize| {
            free.pop().unwrap_or_else(|| {
                *blocks += 1;
                first_block + *blocks - 1
            })
        };
        for (k, draft) in drafts.iter().enumerate() {
            let Some(Draft { act, reads }) = draft else { continue };
            // What a loop does not read is any operand.
            let mut operands = [homes[reads[0]]; 4];
            for (operand, &number) in operands.iter_mut().zip(reads) {
                *operand = homes[number];
            }
            if *act == PULL {
                let [bar, partial, ..] = operands;
                operands = [bar, partial, bar, bar];
            }
            let number = inputs + k;
            let result = match outputs.iter().position(|&output| output == number) {
                Some(output) => inputs + output,
                None => place(&mut free, &mut blocks),
            };
            let slope = (last_use[known + number] > 0).then(|| place(&mut free, &mut blocks));
            // Freed after the result has its place: a loop may not write what it reads.
            for (i, &read) in reads.iter().enumerate() {
                if homes[read] >= first_block && last_use[read] == k && !reads[..i].contains(&read) {
                    free.push(homes[read]);
                }
            }
            if result >= first_block && last_use[number] == 0 {
                free.push(result); // nobody reads it
            }
            homes[number] = result;
            homes[known + number] = slope.unwrap_or(result);
            let written = [Some(result), slope];
            assert!(result >= inputs && slope != Some(result), "step {k} writes what it must not");
            assert!(!operands.iter().any(|&read| written.contains(&Some(read))), "step {k} writes what it reads");
            let sum = sums.iter().position(|sum| sum.of == number);
            links.push(Link { act: *act, operands, result, slope, sum });
        }
        Chain { inputs, steps: steps.len(), links, blocks, outputs: outputs.len(), sums }
    }

    /// How many outputs it writes, and how many sums.
    #[must_use]
    pub fn results(&self) -> [usize; 2] {
        [self.outputs, self.sums.len()]
    }

    /// The number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps
    }

    /// Whether there are no steps.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// Runs the program on `inputs` for `len` elements, and overwrites `outputs` and `sums`.
    ///
    /// # Panics
    /// When there are not as many inputs, outputs or sums as the program has, a slice is not `len` long, or a row or
    /// column is empty and `len` is not 0.
    pub fn run<F: Float>(
        &self,
        len: usize,
        inputs: &[Input<'_, F>],
        outputs: &mut [&mut [F]],
        sums: &mut [F],
        par: Par,
    ) {
        assert_eq!(inputs.len(), self.inputs, "the program has {} inputs", self.inputs);
        assert_eq!(outputs.len(), self.outputs, "the program has {} outputs", self.outputs);
        assert_eq!(sums.len(), self.sums.len(), "the program has {} sums", self.sums.len());
        for input in inputs {
            match input {
                Input::Slice(slice) => assert_eq!(slice.len(), len, "operands and results must have one length"),
                Input::Row(row) => assert!(!row.is_empty() || len == 0, "an empty row has nothing to repeat"),
                Input::Columns(column, each) => {
                    assert!(!column.is_empty() && *each > 0 || len == 0, "empty columns have nothing to repeat");
                }
                Input::Splat(_) => {}
            }
        }
        assert!(outputs.iter().all(|output| output.len() == len), "operands and results must have one length");
        // By sum and block of as many elements as `reduce` adds up at a time.
        let mut partial: SmallVec<[f64; 4]> = SmallVec::from_elem(0.0, sums.len() * len.div_ceil(reduce::BLOCK));
        let size = if self.steps < LONG { PIECE } else { PIECE / 4 };
        if len < 2 * size {
            self.piece(inputs, 0..len, outputs, &mut partial);
        } else {
            let mut pieces: Vec<(Vec<&mut [F]>, Vec<f64>)> = Vec::new();
            for start in (0..len).step_by(size) {
                let blocks = size.min(len - start).div_ceil(reduce::BLOCK);
                pieces.push((Vec::with_capacity(outputs.len()), vec![0.0; sums.len() * blocks]));
            }
            for output in outputs {
                for ((piece, _), part) in pieces.iter_mut().zip(output.chunks_mut(size)) {
                    piece.push(part);
                }
            }
            par.for_each(pieces.iter_mut().enumerate(), |(i, (outputs, partial))| {
                self.piece(inputs, i * size..len.min((i + 1) * size), outputs, partial);
            });
            partial.clear();
            for sum in 0..sums.len() {
                for (_, of_piece) in &pieces {
                    let blocks = of_piece.len() / sums.len();
                    partial.extend_from_slice(&of_piece[sum * blocks..][..blocks]);
                }
            }
        }
        let blocks = len.div_ceil(reduce::BLOCK);
        for (k, (y, &Sum { mean, .. })) in sums.iter_mut().zip(&self.sums).enumerate() {
            let sum = F::from_f64(reduce::sum_of_blocks(len, &partial[k * blocks..][..blocks]));
            *y = if mean { sum / F::from_f64(len as f64) } else { sum };
        }
    }

    /// The elements of a range.
    fn piece<F: Float>(
        &self,
        inputs: &[Input<'_, F>],
        range: Range<usize>,
        outputs: &mut [&mut [F]],
        partial: &mut [f64],
    ) {
        // Splats, rows and columns are copied to blocks of their own.
        let blocks = self.blocks + inputs.iter().filter(|input| !matches!(input, Input::Slice(_))).count();
        let room = range.len().min(BLOCK).next_multiple_of(LINE / size_of::<F>()) * blocks;
        // Whatever it holds: a block is written before it is read.
        self.blocks(inputs, range, outputs, partial, Scratch::take::<F>(room).elements_mut(room));
    }

    fn blocks<F: Float>(
        &self,
        inputs: &[Input<'_, F>],
        range: Range<usize>,
        outputs: &mut [&mut [F]],
        partial: &mut [f64],
        room: &mut [F],
    ) {
        let (start, len) = (range.start, range.len());
        if len == 0 {
            return;
        }
        let block = len.min(BLOCK);
        let level = simd_level();
        // No chunks of a slice and no range in steps: of a few elements their divisions would be most of the work.
        let mut rest = room;
        let mut next = || {
            let (first, others) = take(&mut rest).split_at_mut(block.next_multiple_of(LINE / size_of::<F>()));
            rest = others;
            first
        };
        let mut table: SmallVec<[*mut F; 32]> = SmallVec::new();
        for input in inputs {
            table.push(match input {
                // Never written: no step's result is an input.
                Input::Slice(elements) => elements[start..][..len].as_ptr().cast_mut(),
                Input::Row(_) | Input::Columns(..) => next().as_mut_ptr(),
                Input::Splat(value) => {
                    let copies = next();
                    copies.fill(*value);
                    copies.as_mut_ptr()
                }
            });
        }
        outputs.iter_mut().for_each(|output| table.push(output.as_mut_ptr()));
        (0..self.blocks).for_each(|_| table.push(next().as_mut_ptr()));
        let is_stream = |home: &usize| matches!(inputs.get(*home), Some(Input::Slice(_)) | None);
        let streams: SmallVec<[usize; 16]> = (0..inputs.len() + outputs.len()).filter(is_stream).collect();
        let lines = (block * size_of::<F>()).div_ceil(LINE);
        let share = if self.steps < LONG { 0 } else { lines.div_ceil(self.links.len()) * LINE };
        let mut lanes: SmallVec<[_; 1]> = SmallVec::new();
        (0..self.sums.len()).for_each(|_| lanes.push([0.0; reduce::LANES]));
        let partial_blocks = len.div_ceil(reduce::BLOCK);
        let few = start == 0 && len <= reduce::FEW;
        let mut at = 0;
        while at < len {
            let n = block.min(len - at);
            for (input, copies) in inputs.iter().zip(&table) {
                // SAFETY: a block of copies, `block` elements long, which nothing else refers to now.
                let copies = || unsafe { from_raw_parts_mut(*copies, n) };
                match input {
                    Input::Row(row) => repeat(row, start + at, copies()),
                    Input::Columns(column, each) => repeat_each(column, *each, start + at, copies()),
                    Input::Slice(_) | Input::Splat(_) => {}
                }
            }
            let (mut fetched, next) = (0, if share == 0 { 0 } else { block.min(len - at - n) * size_of::<F>() });
            for Link { act, operands, result, slope, sum } in &self.links {
                // A share of what the next block reads and writes: memory works while functions are computed.
                let until = next.min(fetched + share);
                while fetched < until {
                    for &home in &streams {
                        prefetch(table[home].wrapping_add(n).wrapping_byte_add(fetched));
                    }
                    fetched += LINE;
                }
                // SAFETY: an entry of the table has `n` elements left: blocks and copies are `block` long, inputs and
                // outputs `len`, of which `at` were passed. What is written is no input and is not what is read, nor is
                // the slope the result: `new` checked it. All memory is borrowed by this call.
                let y = unsafe {
                    let read = operands.map(|home| from_raw_parts(table[home].cast_const(), n));
                    let slope = slope.map(|home| from_raw_parts_mut(table[home], n));
                    let y = from_raw_parts_mut(table[*result], n);
                    match act {
                        Act::Step(step) => step.run(level, read, y, slope),
                        Act::Fused(fused) => F::fused_at(level, *fused, read, y),
                    }
                    &*y
                };
                match *sum {
                    Some(sum) if few => {
                        partial[sum] = y.iter().fold(0.0, |sum, y| sum + y.to_f64());
                    }
                    Some(sum) => F::add_to_lanes_at(level, y, &mut lanes[sum]),
                    None => {}
                }
            }
            if !few && ((at + n).is_multiple_of(reduce::BLOCK) || at + n == len) {
                for (sum, lanes) in lanes.iter_mut().enumerate() {
                    partial[sum * partial_blocks + at / reduce::BLOCK] = reduce::fold(take(lanes));
                }
            }
            at += n;
            for &home in &streams {
                table[home] = table[home].wrapping_add(n);
            }
        }
    }
}

/// What runs for every step, or nothing where a later one does its work. `is_asked_for` says which results somebody
/// outside reads.
fn drafts(inputs: usize, steps: &[(Step, &[usize])], is_asked_for: &dyn Fn(usize) -> bool) -> Vec<Option<Draft>> {
    let known = inputs + steps.len();
    let mut drafts: Vec<Option<Draft>> = Vec::with_capacity(steps.len());
    let mut uses = vec![0; known];
    for (k, &(step, operands)) in steps.iter().enumerate() {
        assert_eq!(operands.len(), step.arity(), "{step:?} reads {} operands", step.arity());
        for &operand in operands {
            assert!(operand < inputs + k, "step {k} reads number {operand}, which is not known yet");
        }
        let slope = || {
            let is_its = |(other, x): &(Step, &[usize])| step.is_pullback_of(*other) && x[0] == operands[0];
            steps[..k].iter().position(is_its).map(|j| known + inputs + j)
        };
        let partial = match step {
            Step::UnaryVjp(Unary::Exp) => Some(operands[1]),
            Step::Binary(Binary::MulZero) => Some(operands[0]),
            Step::UnaryVjp(op) if op.shares_slope() => slope(),
            Step::LeftVjp(Binary::Mul) => Some(operands[1]),
            Step::RightVjp(Binary::Mul) => Some(operands[0]),
            _ => None,
        };
        let (act, reads) = match (partial, operands) {
            (Some(partial), [.., bar]) => (PULL, SmallVec::from_slice(&[*bar, partial])),
            (None, [.., bar]) if Act::Step(step) == TURN => (TURN, SmallVec::from_slice(&[*bar])),
            _ => (Act::Step(step), SmallVec::from_slice(operands)),
        };
        reads.iter().filter(|&&number| number < known).for_each(|&number| uses[number] += 1);
        drafts.push(Some(Draft { act, reads }));
    }
    for k in 0..drafts.len() {
        let with_another = |drafts: &[Option<Draft>]| {
            let draft = drafts[k].as_ref()?;
            (0..draft.reads.len()).find_map(|i| {
                let number = draft.reads[i];
                let j = number
                    .checked_sub(inputs)
                    .filter(|_| number < known && uses[number] == 1 && !is_asked_for(number))?;
                Some((j, draft.with(drafts[j].as_ref()?, i)?))
            })
        };
        while let Some((j, draft)) = with_another(&drafts) {
            drafts[k] = Some(draft);
            drafts[j] = None;
        }
    }
    drafts
}

/// The elements from `start` on of columns that are repeated, each element `each` times.
fn repeat_each<F: Copy>(column: &[F], each: usize, start: usize, copies: &mut [F]) {
    let (mut at, mut rest) = (start, copies);
    while !rest.is_empty() {
        let n = rest.len().min(each - at % each);
        let (now, later) = rest.split_at_mut(n);
        now.fill(column[at / each % column.len()]);
        (at, rest) = (at + n, later);
    }
}

/// The elements from `start` on of a row that is repeated.
fn repeat<F: Copy>(row: &[F], start: usize, copies: &mut [F]) {
    let (mut from, mut rest) = (start % row.len(), copies);
    while !rest.is_empty() {
        let n = rest.len().min(row.len() - from);
        let (now, later) = rest.split_at_mut(n);
        now.copy_from_slice(&row[from..from + n]);
        (from, rest) = (0, later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elementwise::{Operand, binary, binary_vjp, parametric, parametric_vjp, unary, unary_vjp};
    use crate::numbers::numbers;

    const ONE: Par = Par::SEQUENTIAL;

    /// `d = tanh(a r) + exp(s clamp(a))` and the derivatives by `a` and `r` of `sum d bar`, with a call for every step.
    fn by_calls(a: &[f64], row: &[f64], s: f64, bar: &[f64]) -> [Vec<f64>; 3] {
        let n = a.len();
        let r: Vec<f64> = row.iter().copied().cycle().take(n).collect();
        let new = || vec![f64::NAN; n];
        let (mut ar, mut t, mut c, mut sc, mut e, mut d) = (new(), new(), new(), new(), new(), new());
        let clamp = Parametric::Clamp(-0.25, 0.5);
        binary(Binary::Mul, Operand::Slice(a), Operand::Slice(&r), &mut ar, ONE);
        unary(Unary::Tanh, &ar, &mut t, ONE);
        parametric(clamp, a, &mut c, ONE);
        binary(Binary::Mul, Operand::Splat(s), Operand::Slice(&c), &mut sc, ONE);
        unary(Unary::Exp, &sc, &mut e, ONE);
        binary(Binary::Add, Operand::Slice(&t), Operand::Slice(&e), &mut d, ONE);
        let (mut ar_bar, mut sc_bar, mut c_bar, mut a1, mut a2, mut a_bar, mut r_bar) =
            (new(), new(), new(), new(), new(), new(), new());
        unary_vjp(Unary::Tanh, &ar, &t, bar, &mut ar_bar, ONE);
        unary_vjp(Unary::Exp, &sc, &e, bar, &mut sc_bar, ONE);
        binary_vjp(Binary::Mul, Operand::Splat(s), Operand::Slice(&c), &sc, &sc_bar, None, Some(&mut c_bar), ONE);
        parametric_vjp(clamp, a, &c, &c_bar, &mut a1, ONE);
        let (slice_a, slice_r) = (Operand::Slice(a), Operand::Slice(&r[..]));
        binary_vjp(Binary::Mul, slice_a, slice_r, &ar, &ar_bar, Some(&mut a2), Some(&mut r_bar), ONE);
        binary(Binary::Add, Operand::Slice(&a1), Operand::Slice(&a2), &mut a_bar, ONE);
        [d, a_bar, r_bar]
    }

    fn program() -> Chain {
        // Inputs: 0 a, 1 r, 2 s, 3 bar.
        let clamp = Parametric::Clamp(-0.25, 0.5);
        Chain::new(
            4,
            [
                (Step::Binary(Binary::Mul), &[0, 1][..]), // 4: a r
                (Step::Unary(Unary::Tanh), &[4]),
                (Step::Parametric(clamp), &[0]),
                (Step::Binary(Binary::Mul), &[2, 6]), // 7: s clamp(a)
                (Step::Unary(Unary::Exp), &[7]),
                (Step::Binary(Binary::Add), &[5, 8]), // 9: d
                (Step::UnaryVjp(Unary::Tanh), &[4, 5, 3]),
                (Step::UnaryVjp(Unary::Exp), &[7, 8, 3]),
                (Step::RightVjp(Binary::Mul), &[2, 6, 7, 11]),
                (Step::ParametricVjp(clamp), &[0, 6, 12]),
                (Step::LeftVjp(Binary::Mul), &[0, 1, 4, 10]),
                (Step::RightVjp(Binary::Mul), &[0, 1, 4, 10]), // 15: r_bar
                (Step::Binary(Binary::Add), &[13, 14]),        // 16: a_bar
            ],
            &[9, 16, 15],
        )
    }

    #[test]
    fn a_chain_has_the_bits_of_a_call_for_every_step() {
        let chain = program();
        assert_eq!(chain.len(), 13);
        for n in [0, 1, 7, 8, 9, 511, 512, 513, 1031, 3 * PIECE + 5] {
            let (a, bar): (Vec<f64>, Vec<f64>) = (numbers(n, 1), numbers(n, 2));
            for row in [1, 3, 600] {
                let row: Vec<f64> = numbers(row, 3);
                let expected = by_calls(&a, &row, 0.7, &bar);
                let inputs = [Input::Slice(&a[..]), Input::Row(&row), Input::Splat(0.7), Input::Slice(&bar)];
                for threads in [1, 2, 3] {
                    let mut outputs = [(); 3].map(|()| vec![f64::NAN; n]);
                    let mut slices = outputs.each_mut().map(|output| &mut output[..]);
                    chain.run(n, &inputs, &mut slices, &mut [], Par::new(threads));
                    let equal = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
                    for (k, (output, expected)) in outputs.iter().zip(&expected).enumerate() {
                        assert!(output.iter().zip(expected).all(equal), "output {k} of {n}, {threads} threads");
                    }
                }
            }
        }
    }

    #[test]
    fn sums_have_the_bits_of_sums_of_what_was_written() {
        let steps = [(Step::Unary(Unary::Square), &[0][..]), (Step::Unary(Unary::Tanh), &[0])];
        let sums = vec![Sum { of: 2, mean: false }, Sum { of: 1, mean: true }];
        let (chain, alone) = (Chain::with_sums(1, steps, &[1], sums.clone()), Chain::with_sums(1, steps, &[], sums));
        let sizes = [
            0,
            1,
            7,
            8,
            9,
            33,
            513,
            4095,
            4096,
            4097,
            9000,
            PIECE - 1,
            2 * PIECE,
            2 * PIECE + 5,
            4 * PIECE,
            5 * PIECE + 3,
        ];
        for n in sizes {
            let x: Vec<f32> = numbers(n, 1);
            let (mut squares, mut tanh) = (vec![0.0; n], vec![0.0; n]);
            unary(Unary::Square, &x, &mut squares, ONE);
            unary(Unary::Tanh, &x, &mut tanh, ONE);
            let expected = [reduce::sum(&tanh, ONE), reduce::sum(&squares, ONE) / n as f32];
            for threads in [1, 2, 3] {
                let (mut y, mut sums, mut sums_alone) = (vec![0.0; n], [f32::NAN; 2], [f32::NAN; 2]);
                chain.run(n, &[Input::Slice(&x)], &mut [&mut y], &mut sums, Par::new(threads));
                alone.run(n, &[Input::Slice(&x)], &mut [], &mut sums_alone, Par::new(threads));
                assert_eq!(y, squares);
                let bits = |sums: [f32; 2]| sums.map(f32::to_bits);
                assert_eq!((bits(sums), bits(sums_alone)), (bits(expected), bits(expected)), "{n}, {threads} threads");
            }
        }
    }

    #[test]
    fn a_slope_serves_every_pullback_of_its_function_whatever_has_become_of_the_argument() {
        let chain = Chain::new(
            2,
            [
                (Step::Binary(Binary::Add), &[0, 0][..]), // 2: a, whose block is free once its functions are known
                (Step::Unary(Unary::Tanh), &[2]),
                (Step::Unary(Unary::Sigmoid), &[2]),
                (Step::Binary(Binary::Mul), &[3, 4]), // 5: may stand where a stood
                (Step::UnaryVjp(Unary::Tanh), &[2, 3, 1]),
                (Step::UnaryVjp(Unary::Sigmoid), &[2, 4, 6]),
                (Step::UnaryVjp(Unary::Tanh), &[2, 3, 7]),
                (Step::Binary(Binary::Add), &[5, 8]),
            ],
            &[9],
        );
        for n in [1, 15, 16, 17, 700] {
            let (x, bar): (Vec<f64>, Vec<f64>) = (numbers(n, 1), numbers(n, 2));
            let mut y = vec![f64::NAN; n];
            chain.run(n, &[Input::Slice(&x), Input::Slice(&bar)], &mut [&mut y], &mut [], ONE);
            for ((&x, &bar), y) in x.iter().zip(&bar).zip(y) {
                let (t, s) = ((2.0 * x).tanh(), 1.0 / (1.0 + (-2.0 * x).exp()));
                let (t_bar, s_bar) = (1.0 / (2.0 * x).cosh().powi(2), s * (1.0 - s));
                let expected = t * s + bar * t_bar * s_bar * t_bar;
                assert!((y - expected).abs() <= 1e-14 * (1.0 + bar.abs()), "at {x}: {y}, expected {expected}");
            }
        }
    }

    #[test]
    fn products_and_sums_round_one_by_one_and_a_zero_cotangent_stays_zero() {
        // a b + c, [[a b] c] + d, [a b] + c, [[a b] c], [[a b] -1] and [c d] + [[a b] -1], both ways round, of inputs a, b,
        // c, d, where [x y] is a pullback.
        let (mul, add) = (Step::Binary(Binary::Mul), Step::Binary(Binary::Add));
        let pull = Step::RightVjp(Binary::Mul);
        let turn = Step::UnaryVjp(Unary::Neg);
        let steps: [(Step, &[usize]); 19] = [
            (mul, &[0, 1]),
            (add, &[2, 4]), // 5
            (pull, &[1, 0, 0, 0]),
            (pull, &[2, 0, 0, 6]),
            (add, &[7, 3]), // 8
            (pull, &[1, 0, 0, 0]),
            (add, &[9, 2]), // 10
            (pull, &[1, 0, 0, 0]),
            (pull, &[2, 0, 0, 11]), // 12
            (pull, &[1, 0, 0, 0]),
            (turn, &[2, 3, 13]), // 14
            (pull, &[1, 0, 0, 0]),
            (turn, &[2, 3, 15]),
            (pull, &[3, 0, 0, 2]),
            (add, &[16, 17]), // 18
            (pull, &[1, 0, 0, 0]),
            (turn, &[2, 3, 19]),
            (pull, &[3, 0, 0, 2]),
            (add, &[21, 20]), // 22
        ];
        let asked = [5, 8, 10, 12, 14, 18, 22];
        let chain = Chain::new(4, steps, &asked);
        assert_eq!((chain.len(), chain.links.len()), (19, 7));
        // What is asked for or read twice keeps its place.
        let sums = vec![Sum { of: 4, mean: false }];
        let also_7_and_16 = [5, 7, 8, 10, 12, 14, 16, 18, 22];
        assert_eq!(Chain::with_sums(4, steps, &also_7_and_16, sums).links.len(), 7 + 3);
        let n = 600;
        let mut x = [1, 2, 3, 4].map(|seed| numbers::<f32>(n, seed));
        (x[0][1], x[1][1], x[0][2], x[2][2]) = (0.0, f32::INFINITY, f32::NAN, 0.0);
        let mut y = [(); 7].map(|()| vec![f32::NAN; n]);
        let inputs = x.each_ref().map(|x| Input::Slice(&x[..]));
        chain.run(n, &inputs, &mut y.each_mut().map(|y| &mut y[..]), &mut [], ONE);
        let pulled = |a: f32, b: f32| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        for i in 0..n {
            let [a, b, c, d] = x.each_ref().map(|x| x[i]);
            let (ab, abc) = (pulled(a, b), pulled(pulled(a, b), c));
            let turned = if ab == 0.0 { 0.0 } else { -ab };
            let sum = pulled(c, d) + turned;
            let expected = [a * b + c, abc + d, ab + c, abc, turned, sum, sum];
            for (y, expected) in y.iter().zip(expected) {
                assert!(y[i].to_bits() == expected.to_bits() || y[i].is_nan() && expected.is_nan(), "at {i}");
            }
        }
    }

    #[test]
    fn a_result_nobody_reads_takes_no_others_place() {
        let chain = Chain::new(
            1,
            [
                (Step::Unary(Unary::Exp), &[0][..]),
                (Step::Unary(Unary::Neg), &[0]), // dead
                (Step::Binary(Binary::Add), &[1, 1]),
            ],
            &[3],
        );
        let mut y = [0.0_f32; 2];
        chain.run(2, &[Input::Slice(&[0.0, 1.0])], &mut [&mut y], &mut [], ONE);
        assert_eq!(y, [2.0, 2.0 * Elementary::exp(1.0_f32)]);
    }

    #[test]
    #[should_panic(expected = "reads number 2, which is not known yet")]
    fn a_step_cannot_read_what_comes_later() {
        let _ = Chain::new(1, [(Step::Unary(Unary::Exp), &[2][..]), (Step::Unary(Unary::Exp), &[0])], &[1]);
    }

    use crate::UnaryFunctions as Elementary;
}
