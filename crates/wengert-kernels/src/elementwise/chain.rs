//! Several elementary functions and pullbacks in one pass over memory.
//!
//! A chain is a short straight program. It runs block by block, every block small enough that what the steps pass to each
//! other stays in the first-level cache; only inputs are read from memory and only what is asked for is written. A step is
//! the loop that [`unary`](super::unary), [`binary`](super::binary) and their pullbacks run, so a result has the same bits as
//! a call for each step would give. Where a function and its pullback share work, the slope is computed with the value.

use super::PIECE;
use crate::dispatch::{Level, simd_level};
use crate::{Binary, Float, Par, Parametric, Unary};
use core::mem::take;
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
    /// The same number for every result.
    Splat(F),
}

/// Where a number of the program is while a block is worked on.
#[derive(Debug, Clone, Copy)]
enum Home {
    Input(usize),
    Block(usize),
    Output(usize),
}

#[derive(Debug, Clone)]
struct Link {
    step: Step,
    operands: [Home; 4],
    result: Home,
    /// The block of the slope, of a function whose pullback comes later and shares its work.
    slope: Option<usize>,
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
/// chain.run(&[Input::Slice(&[0.0, 1.0, 2.0]), Input::Splat(10.0)], &mut [&mut y], Par::current());
/// assert_eq!(y, [0.0, 10.0 * 1.0_f64.tanh(), 10.0 * 2.0_f64.tanh()]);
/// ```
#[derive(Debug, Clone)]
pub struct Chain {
    inputs: usize,
    links: Vec<Link>,
    /// Blocks that hold results between steps.
    blocks: usize,
    outputs: usize,
}

/// Elements of a block: a multiple of the widest vector.
const BLOCK: usize = 512;
/// Blocks that fit where nothing is asked of the heap, if they are short.
const ON_STACK: usize = 512;

/// Blocks, or outputs, as a program runs over them.
type Slices<'a, F> = SmallVec<[&'a mut [F]; 16]>;

impl Chain {
    /// A program of `steps`, each with the numbers of its operands, that writes the results numbered `outputs`.
    ///
    /// An operand that a derivative does not read ([`Unary::keeps_argument`] and its like) may be any number known.
    ///
    /// # Panics
    /// When a step has another number of operands than it reads or reads a number that is not known yet, or when an output
    /// is no step's result or is named twice.
    #[must_use]
    pub fn new<'s>(inputs: usize, steps: impl IntoIterator<Item = (Step, &'s [usize])>, outputs: &[usize]) -> Chain {
        let steps: Vec<(Step, &[usize])> = steps.into_iter().collect();
        let mut last_use = vec![0; inputs + steps.len()];
        // By step: the last that reads its slope, or 0; and the step whose slope it reads.
        let (mut last_use_of_slope, mut function) = (vec![0; steps.len()], vec![None; steps.len()]);
        for (k, (step, operands)) in steps.iter().enumerate() {
            assert_eq!(operands.len(), step.arity(), "{step:?} reads {} operands", step.arity());
            for &operand in *operands {
                assert!(operand < inputs + k, "step {k} reads number {operand}, which is not known yet");
            }
            let mut read = *operands;
            if let Step::UnaryVjp(op) = step
                && op.shares_slope()
            {
                let is_its = |(other, x): &(Step, &[usize])| step.is_pullback_of(*other) && x[0] == operands[0];
                function[k] = steps[..k].iter().position(is_its);
                if let Some(j) = function[k] {
                    last_use_of_slope[j] = k;
                    read = &operands[2..];
                }
            }
            for &operand in read {
                last_use[operand] = k;
            }
        }
        let mut homes: Vec<Home> = (0..inputs).map(Home::Input).collect();
        let (mut free, mut blocks, mut links) = (Vec::new(), 0, Vec::<Link>::with_capacity(steps.len()));
        let place = |free: &mut Vec<usize>, blocks: &mut usize| {
            free.pop().unwrap_or_else(|| {
                *blocks += 1;
                *blocks - 1
            })
        };
        for (k, (step, numbers)) in steps.iter().enumerate() {
            let mut operands = [homes.first().copied().unwrap_or(Home::Input(0)); 4];
            for (operand, &number) in operands.iter_mut().zip(*numbers) {
                *operand = homes[number];
            }
            let number = inputs + k;
            let result = match outputs.iter().position(|&output| output == number) {
                Some(output) => Home::Output(output),
                None => Home::Block(place(&mut free, &mut blocks)),
            };
            let slope = (last_use_of_slope[k] > 0).then(|| place(&mut free, &mut blocks));
            let mut step = *step;
            if let Some(j) = function[k]
                && let Some(block) = links[j].slope
            {
                // The product with a slope: the pullback of `exp`, whose derivative is its value.
                step = Step::UnaryVjp(Unary::Exp);
                // Its argument, which that does not read, may have lost its place.
                operands = [operands[2], Home::Block(block), operands[2], operands[2]];
                if last_use_of_slope[j] == k {
                    free.push(block);
                }
            }
            // Freed after the result has its place: a loop may not write what it reads.
            for (i, &number) in numbers.iter().enumerate() {
                if let Home::Block(block) = homes[number]
                    && last_use[number] == k
                    && !numbers[..i].contains(&number)
                {
                    free.push(block);
                }
            }
            if let Home::Block(block) = result
                && last_use[number] == 0
            {
                free.push(block); // nobody reads it
            }
            homes.push(result);
            links.push(Link { step, operands, result, slope });
        }
        for (i, &output) in outputs.iter().enumerate() {
            assert!((inputs..homes.len()).contains(&output), "output {output} is no step's result");
            assert!(!outputs[..i].contains(&output), "output {output} is named twice");
        }
        Chain { inputs, links, blocks, outputs: outputs.len() }
    }

    /// The number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are no steps.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Runs the program on `inputs` and overwrites `outputs`.
    ///
    /// # Panics
    /// When there are not as many inputs or outputs as the program has, slices differ in length, or a row is empty and the
    /// outputs are not.
    pub fn run<F: Float>(&self, inputs: &[Input<'_, F>], outputs: &mut [&mut [F]], par: Par) {
        assert_eq!(inputs.len(), self.inputs, "the program has {} inputs", self.inputs);
        assert_eq!(outputs.len(), self.outputs, "the program has {} outputs", self.outputs);
        let len = outputs.first().map_or(0, |output| output.len());
        for input in inputs {
            match input {
                Input::Slice(slice) => assert_eq!(slice.len(), len, "operands and results must have one length"),
                Input::Row(row) => assert!(!row.is_empty() || len == 0, "an empty row has nothing to repeat"),
                Input::Splat(_) => {}
            }
        }
        assert!(outputs.iter().all(|output| output.len() == len), "results must have one length");
        if len < 2 * PIECE {
            let outputs: Slices<'_, F> = outputs.iter_mut().map(|output| &mut **output).collect();
            return self.piece(inputs, 0, outputs);
        }
        let mut pieces: Vec<Slices<'_, F>> = (0..len.div_ceil(PIECE)).map(|_| Slices::new()).collect();
        for output in outputs {
            for (piece, part) in pieces.iter_mut().zip(output.chunks_mut(PIECE)) {
                piece.push(part);
            }
        }
        par.for_each(pieces.into_iter().enumerate(), |(i, outputs)| self.piece(inputs, i * PIECE, outputs));
    }

    /// The elements from `start` on that `outputs` have room for.
    fn piece<F: Float>(&self, inputs: &[Input<'_, F>], start: usize, outputs: Slices<'_, F>) {
        let block = outputs.first().map_or(0, |output| output.len()).min(BLOCK);
        // Splats and rows are copied to blocks of their own.
        let room = block * (self.blocks + inputs.iter().filter(|input| !matches!(input, Input::Slice(_))).count());
        match room {
            0..=ON_STACK => self.blocks::<F>(inputs, start, outputs, block, &mut [F::ZERO; ON_STACK]),
            _ => self.blocks(inputs, start, outputs, block, &mut vec![F::ZERO; room]),
        }
    }

    fn blocks<F: Float>(
        &self,
        inputs: &[Input<'_, F>],
        start: usize,
        mut outputs: Slices<'_, F>,
        block: usize,
        room: &mut [F],
    ) {
        if block == 0 {
            return;
        }
        let level = simd_level();
        let mut rooms = room.chunks_exact_mut(block);
        let mut blocks: Slices<'_, F> = rooms.by_ref().take(self.blocks).collect();
        let mut copies: Slices<'_, F> = inputs
            .iter()
            .map(|input| match input {
                Input::Slice(_) => &mut [][..],
                Input::Row(_) => rooms.next().unwrap_or_default(),
                Input::Splat(value) => {
                    let copies = rooms.next().unwrap_or_default();
                    copies.fill(*value);
                    copies
                }
            })
            .collect();
        let len = outputs.first().map_or(0, |output| output.len());
        for at in (0..len).step_by(block) {
            let n = block.min(len - at);
            for (input, copies) in inputs.iter().zip(&mut copies) {
                if let Input::Row(row) = input {
                    repeat(row, start + at, &mut copies[..n]);
                }
            }
            for Link { step, operands, result, slope } in &self.links {
                // What is written is taken out meanwhile, so that the others can be read.
                let mut slopes = slope.map(|i| take(&mut blocks[i]));
                let slopes_now = slopes.as_deref_mut().map(|slopes| &mut slopes[..n]);
                match *result {
                    Home::Block(i) => {
                        let whole = take(&mut blocks[i]);
                        let now = Now { inputs, copies: &copies, blocks: &blocks, outputs: &outputs, start, at, n };
                        step.run(level, operands.map(|home| now.slice(home)), &mut whole[..n], slopes_now);
                        blocks[i] = whole;
                    }
                    Home::Output(i) => {
                        let whole = take(&mut outputs[i]);
                        let now = Now { inputs, copies: &copies, blocks: &blocks, outputs: &outputs, start, at, n };
                        step.run(level, operands.map(|home| now.slice(home)), &mut whole[at..][..n], slopes_now);
                        outputs[i] = whole;
                    }
                    Home::Input(_) => unreachable!("no step writes an input"),
                }
                if let (Some(i), Some(slopes)) = (*slope, slopes) {
                    blocks[i] = slopes;
                }
            }
        }
    }
}

/// What can be read while a block is worked on: `n` elements, `at` elements into a piece that begins at `start`.
struct Now<'a, F> {
    inputs: &'a [Input<'a, F>],
    copies: &'a [&'a mut [F]],
    blocks: &'a [&'a mut [F]],
    outputs: &'a [&'a mut [F]],
    start: usize,
    at: usize,
    n: usize,
}

impl<'a, F> Now<'a, F> {
    #[inline]
    fn slice(&self, home: Home) -> &'a [F] {
        match home {
            Home::Input(i) => match self.inputs[i] {
                Input::Slice(slice) => &slice[self.start + self.at..][..self.n],
                _ => &self.copies[i][..self.n],
            },
            Home::Block(i) => &self.blocks[i][..self.n],
            Home::Output(i) => &self.outputs[i][self.at..][..self.n],
        }
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
                    chain.run(&inputs, &mut slices, Par::new(threads));
                    let equal = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
                    for (k, (output, expected)) in outputs.iter().zip(&expected).enumerate() {
                        assert!(output.iter().zip(expected).all(equal), "output {k} of {n}, {threads} threads");
                    }
                }
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
            chain.run(&[Input::Slice(&x), Input::Slice(&bar)], &mut [&mut y], ONE);
            for ((&x, &bar), y) in x.iter().zip(&bar).zip(y) {
                let (t, s) = ((2.0 * x).tanh(), 1.0 / (1.0 + (-2.0 * x).exp()));
                let (t_bar, s_bar) = (1.0 / (2.0 * x).cosh().powi(2), s * (1.0 - s));
                let expected = t * s + bar * t_bar * s_bar * t_bar;
                assert!((y - expected).abs() <= 1e-14 * (1.0 + bar.abs()), "at {x}: {y}, expected {expected}");
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
        chain.run(&[Input::Slice(&[0.0, 1.0])], &mut [&mut y], ONE);
        assert_eq!(y, [2.0, 2.0 * Elementary::exp(1.0_f32)]);
    }

    #[test]
    #[should_panic(expected = "reads number 2, which is not known yet")]
    fn a_step_cannot_read_what_comes_later() {
        let _ = Chain::new(1, [(Step::Unary(Unary::Exp), &[2][..]), (Step::Unary(Unary::Exp), &[0])], &[1]);
    }

    use crate::UnaryFunctions as Elementary;
}
