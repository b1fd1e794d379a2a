//! Where the values and adjoints of a program lie while it runs in rows.
//!
//! At one point every value has a slot of its own. In rows a long program would stream all of them through memory,
//! twice: so a value that no derivative reads gives its row to another after its last reader, and an adjoint has one
//! only from the first step that adds to it to the step it belongs to. Then what is streamed are the values that
//! products and functions need again, once there and once back. Where an adjoint begins in a sweep is marked, so that
//! its row need not be read there, nor set to zero where the last one ended.

use super::list::Op;
use super::program::{Program, Run};
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use wengert_kernels::rows::FRESH;
use wengert_kernels::{Binary, Unary};

/// The rows of a program. Inputs, data and constants have the rows of their slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layout {
    /// How many rows of values there are, without those of slopes.
    pub(crate) values: usize,
    /// How many rows of adjoints: those of the inputs first, then one for what nobody reads and one that stays 0.
    pub(crate) adjoints: usize,
    /// How many of these, the first, must be 0 when a sweep begins: those above, and adjoints that other sweeps add to.
    pub(crate) cleared: usize,
    /// The value of each step.
    pub(crate) results: Vec<u32>,
    /// The adjoint of each step.
    pub(crate) own: Vec<u32>,
    /// The values of operands, where [`Program::args`] has their slots.
    pub(crate) operands: Vec<u32>,
    /// The adjoints of operands, with [`FRESH`] where an adjoint begins.
    pub(crate) places: Vec<u32>,
    /// The adjoints of outputs, with [`FRESH`] where the seed is the first that is added in a sweep.
    pub(crate) outputs: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Layout {
    pub(crate) fn of<F: TensorFloat>(program: &Program<F>) -> Self {
        let mut layout = Layout { operands: program.args.clone(), ..Layout::default() };
        let of_data = of_data(program);
        layout.place_values(program, &of_data);
        layout.place_adjoints(program, &of_data);
        layout
    }

    fn place_values<F: TensorFloat>(&mut self, program: &Program<F>, of_data: &[bool]) {
        let first_result = program.first_result();
        let kept = kept(program, of_data);
        // The last step that reads each slot; for one that nobody reads its own.
        let mut last: Vec<u32> = (0..program.slots as u32).collect();
        program.each_run(|run, first, operands| {
            for (step, operands) in (first..).zip(steps(run, operands)) {
                operands.iter().for_each(|&slot| last[slot as usize] = step as u32);
            }
        });
        let mut row_of: Vec<u32> = (0..program.slots as u32).collect();
        let mut free = Vec::new();
        let mut count = first_result as u32;
        let mut at = 0;
        program.each_run(|run, first, operands| {
            let start = at + run.before();
            at += run.taken(operands);
            let width = if run.op.arity().is_none() { operands.len() } else { run.op.width() };
            for (step, reads) in steps(run, operands).enumerate() {
                let slot = first + step;
                let again = if kept[slot] { None } else { free.pop() };
                row_of[slot] = again.unwrap_or(count);
                count = count.max(row_of[slot] + 1);
                for (place, &read) in self.operands[start + step * width..].iter_mut().zip(reads) {
                    *place = row_of[read as usize];
                }
                // The same slot may be read twice.
                for &read in reads.iter().chain([&(slot as u32)]) {
                    let read = read as usize;
                    if read >= first_result && !kept[read] && last[read] == slot as u32 {
                        free.push(row_of[read]);
                        last[read] = NONE;
                    }
                }
            }
        });
        self.values = count as usize;
        self.results = row_of.split_off(first_result);
    }

    fn place_adjoints<F: TensorFloat>(&mut self, program: &Program<F>, of_data: &[bool]) {
        let first_result = program.first_result();
        let unread = program.inputs as u32;
        let zero = unread + 1;
        let mut rows = Rows { of: vec![NONE; program.slots], count: zero + 1, free: [Vec::new(), Vec::new()] };
        for (slot, row) in rows.of[..first_result].iter_mut().enumerate() {
            *row = unread.min(slot as u32);
        }
        program.each_run(|run, first, operands| {
            if run.active() == 0 {
                rows.of[first..first + run.len()].fill(unread);
            } else if run.is_of_data() {
                // What gathers over many sweeps of steps like these has its row from the start.
                for &slot in steps(run, operands).flatten().filter(|&&slot| !of_data[slot as usize]) {
                    rows.take(slot, false);
                }
            }
        });
        self.outputs = (program.outputs.iter())
            .map(|&slot| match of_data[slot as usize] {
                true => rows.take(slot, true),
                false => rows.take(slot, false) & !FRESH,
            })
            .collect();
        self.cleared = rows.count as usize;
        self.own = vec![unread; program.slots - first_result];
        self.places = vec![unread; program.args.len()];
        let mut end = self.places.len();
        program.each_run_back(|run, first, operands| {
            end -= run.taken(operands);
            if run.active() == 0 {
                return;
            }
            let start = end + run.before();
            let width = if run.op.arity().is_none() { operands.len() } else { run.op.width() };
            for (step, reads) in steps(run, operands).enumerate().rev() {
                let slot = first + step;
                let own = rows.of[slot];
                self.own[slot - first_result] = if own == NONE { zero } else { own };
                for (place, &read) in self.places[start + step * width..].iter_mut().zip(reads) {
                    *place = rows.take(read, of_data[read as usize]);
                }
                if own != NONE {
                    rows.free[usize::from(run.is_of_data())].push(own);
                }
            }
        });
        self.adjoints = rows.count as usize;
    }
}

/// Rows of adjoints given out so far.
struct Rows {
    /// Of each slot that has one.
    of: Vec<u32>,
    count: u32,
    /// Rows to use again, the last one first since it is in cache: for steps that hang on no data, and for those that
    /// do. The former may be swept once for many sweeps of the latter.
    free: [Vec<u32>; 2],
}

impl Rows {
    /// The row of a slot, now at the latest: [`FRESH`] if it had none.
    fn take(&mut self, slot: u32, of_data: bool) -> u32 {
        let row = &mut self.of[slot as usize];
        if *row != NONE {
            return *row;
        }
        *row = self.free[usize::from(of_data)].pop().unwrap_or(self.count);
        self.count = self.count.max(*row + 1);
        *row | FRESH
    }
}

/// The slots that each step of a run reads.
fn steps(run: Run, operands: &[u32]) -> impl DoubleEndedIterator<Item = &[u32]> + ExactSizeIterator {
    let (width, reads) = match run.op {
        Op::Nary(_) => (operands.len(), operands.len()),
        Op::Parametric => (2, 1),
        op => (op.width(), op.width()),
    };
    // A sum of nothing has a step, too.
    (0..run.len()).map(move |step| &operands[step * width..][..reads])
}

/// Whether each slot hangs on data that is computed.
fn of_data<F: TensorFloat>(program: &Program<F>) -> Vec<bool> {
    let mut of_data = vec![false; program.slots];
    program.each_run(|run, first, _| of_data[first..first + run.len()].fill(run.is_of_data()));
    of_data
}

/// Whether the value in each slot is wanted after its last reader: by the reverse sweep, by the user, or because it is
/// computed once for many items of data.
fn kept<F: TensorFloat>(program: &Program<F>, of_data: &[bool]) -> Vec<bool> {
    let mut kept = vec![false; program.slots];
    let outside = program.outputs.iter().copied().chain(program.checked());
    outside.for_each(|slot| kept[slot as usize] = true);
    program.each_run(|run, first, operands| {
        let (left, right) = (run.active() & 1 != 0, run.active() & 2 != 0);
        for (slot, reads) in (first..).zip(steps(run, operands)) {
            for &read in reads {
                kept[read as usize] |= run.is_of_data() && !of_data[read as usize];
            }
            if run.active() == 0 || run.keeps_slopes() {
                continue;
            }
            let mut keep = |slot: u32| kept[slot as usize] = true;
            match run.op {
                Op::Binary(Binary::Add | Binary::Sub) | Op::Unary(Unary::Neg) | Op::Nary(Nary::Sum) => {}
                Op::Binary(Binary::Mul) | Op::MulAdd | Op::MulSub | Op::SubMul => {
                    if left {
                        keep(reads[1]);
                    }
                    if right {
                        keep(reads[0]);
                    }
                }
                Op::Unary(op) => {
                    if op.keeps_argument() {
                        keep(reads[0]);
                    }
                    if op.keeps_result() {
                        keep(slot as u32);
                    }
                }
                Op::Nary(Nary::Dot) => reads.iter().copied().for_each(keep),
                _ => reads.iter().copied().chain([slot as u32]).for_each(keep),
            }
        }
    });
    kept
}
