//! Where the adjoints of a program lie while it is swept in rows.
//!
//! A value must wait for the reverse sweep, an adjoint only from the first step that adds to it to the step it belongs to. So
//! adjoints share rows, each a row that was passed on and is zero again: a long program's are few enough to stay in cache, and
//! the sweep streams the values alone.

use super::list::Op;
use super::program::Program;
use crate::tensor::TensorFloat;

/// The row of every adjoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AdjointRows {
    /// How many rows there are: those of the inputs first, then one for what nobody reads.
    pub(crate) count: usize,
    /// Of the step's own adjoint, step after step.
    pub(crate) own: Vec<u32>,
    /// Of the operands' adjoints, where [`Program::args`] has their slots.
    pub(crate) operands: Vec<u32>,
    /// Of the outputs' adjoints.
    pub(crate) outputs: Vec<u32>,
}

/// Rows given out so far.
struct Rows {
    /// Of each slot that has one.
    of: Vec<u32>,
    count: u32,
    /// Rows to use again, the last one used first since it is in cache: for steps that hang on no data, and for those that do. The
    /// former may be swept once for many sweeps of the latter.
    free: [Vec<u32>; 2],
}

const NONE: u32 = u32::MAX;

impl Rows {
    /// The row of a slot, now at the latest.
    fn take(&mut self, slot: u32, of_data: bool) -> u32 {
        let row = &mut self.of[slot as usize];
        if *row == NONE {
            *row = self.free[usize::from(of_data)].pop().unwrap_or(self.count);
            self.count = self.count.max(*row + 1);
        }
        *row
    }
}

impl AdjointRows {
    /// Gives out the rows, as a sweep will go.
    pub(crate) fn of<F: TensorFloat>(program: &Program<F>) -> Self {
        let first_result = program.first_result();
        let unread = program.inputs as u32;
        let mut rows = Rows { of: vec![NONE; program.slots], count: unread + 1, free: [Vec::new(), Vec::new()] };
        for (slot, row) in rows.of[..first_result].iter_mut().enumerate() {
            *row = unread.min(slot as u32);
        }
        let mut of_data = vec![false; program.slots];
        program.each_run(|run, first, operands| {
            of_data[first..first + run.len()].fill(run.is_of_data());
            if run.active() == 0 {
                rows.of[first..first + run.len()].fill(unread);
            } else if run.is_of_data() {
                // What gathers over many sweeps of steps like these has its row from the start.
                for &slot in operands.iter().step_by(if run.op == Op::Parametric { 2 } else { 1 }) {
                    if !of_data[slot as usize] {
                        rows.take(slot, false);
                    }
                }
            }
        });
        let outputs = program.outputs.iter().map(|&slot| rows.take(slot, of_data[slot as usize])).collect();
        let mut own = vec![unread; program.slots - first_result];
        let mut all = vec![unread; program.args.len()];
        let mut end = all.len();
        program.each_run_back(|run, first, operands| {
            let (start, width) = match run.op {
                Op::Nary(_) => (end - 1 - operands.len(), operands.len()),
                op => (end - operands.len(), op.width()),
            };
            end -= run.taken(operands);
            if run.active() == 0 {
                return;
            }
            for step in (0..run.len()).rev() {
                let slot = first + step;
                own[slot - first_result] = rows.take(slot as u32, run.is_of_data());
                let reads = if run.op == Op::Parametric { 1 } else { width };
                for side in step * width..step * width + reads {
                    all[start + side] = rows.take(operands[side], of_data[operands[side] as usize]);
                }
                rows.free[usize::from(run.is_of_data())].push(own[slot - first_result]);
            }
        });
        AdjointRows { count: rows.count as usize, own, operands: all, outputs }
    }
}
