//! Which derivatives are zero at every point: patterns found by passing sets of inputs through the program.
//!
//! A set of 64 inputs is one word; a pass over the program finds which results hang on which of them. For the Hessian a
//! second pass, backwards, finds in which of the 64 directions each adjoint changes: the pattern of the Hessian times
//! those directions. Two passes of a word per step for every 64 inputs.
//!
//! Source: A. Walther, "Computing sparse Hessians with automatic differentiation", 2008; B. M. Bell, *CppAD*,
//! sections on sparsity patterns.

use super::list::Op;
use super::program::Program;
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use wengert_kernels::{Binary, Unary};

/// Where the entries of a sparse matrix are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern {
    pub(crate) columns: usize,
    pub(crate) row_starts: Vec<usize>,
    pub(crate) column_indices: Vec<usize>,
}

impl Pattern {
    pub(crate) fn of_rows(rows: Vec<Vec<usize>>, columns: usize) -> Self {
        let mut row_starts = vec![0];
        let mut column_indices = Vec::new();
        for row in rows {
            column_indices.extend(row);
            row_starts.push(column_indices.len());
        }
        Pattern { columns, row_starts, column_indices }
    }

    pub(crate) fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    pub(crate) fn row(&self, row: usize) -> &[usize] {
        &self.column_indices[self.row_starts[row]..self.row_starts[row + 1]]
    }

    pub(crate) fn transposed(&self) -> Self {
        let mut rows = vec![Vec::new(); self.columns];
        for row in 0..self.rows() {
            self.row(row).iter().for_each(|&column| rows[column].push(row));
        }
        Pattern::of_rows(rows, self.rows())
    }

    /// The length of the longest row.
    pub(crate) fn longest_row(&self) -> usize {
        self.row_starts.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
    }
}

/// How a function of one number bends.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// It has no derivative to speak of.
    Constant,
    /// Straight, but for kinks.
    Straight,
    Curved,
}

fn shape(op: Unary) -> Shape {
    match op {
        Unary::Sign | Unary::Step | Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::RoundTiesEven => Shape::Constant,
        Unary::Neg | Unary::Abs | Unary::Relu | Unary::NonNegative => Shape::Straight,
        // Right for any function: at worst an entry is listed that is always zero.
        _ => Shape::Curved,
    }
}

impl<F: TensorFloat> Program<F> {
    /// The pattern of the Jacobian.
    pub(crate) fn jacobian_pattern(&self) -> Pattern {
        let mut rows = vec![Vec::new(); self.outputs.len()];
        let mut sets = vec![0_u64; self.slots];
        for first in (0..self.inputs).step_by(64) {
            self.spread(first, &mut sets);
            for (row, &output) in rows.iter_mut().zip(&self.outputs) {
                row.extend(members(sets[output as usize]).map(|k| first + k));
            }
        }
        Pattern::of_rows(rows, self.inputs)
    }

    /// The pattern of the Hessian of the first output.
    pub(crate) fn hessian_pattern(&self) -> Pattern {
        let mut rows = vec![Vec::new(); self.inputs];
        let (mut sets, mut bends) = (vec![0_u64; self.slots], vec![0_u64; self.slots]);
        // What the output hangs on: the rest has no adjoint.
        let mut reached = vec![false; self.slots];
        reached[self.outputs[0] as usize] = true;
        self.each_run_back(|run, first, operands| {
            let width = run.op.width();
            for step in (0..run.len()).rev().filter(|_| run.active() != 0) {
                if reached[first + step] {
                    let operands = if width == 0 { operands } else { &operands[step * width..][..width] };
                    let slots = if run.op == Op::Parametric { &operands[..1] } else { operands };
                    slots.iter().for_each(|&a| reached[a as usize] = true);
                }
            }
        });
        for first in (0..self.inputs).step_by(64) {
            self.spread(first, &mut sets);
            bends.fill(0);
            self.bend(&sets, &reached, &mut bends);
            for (row, &set) in rows.iter_mut().zip(&bends) {
                row.extend(members(set).map(|k| first + k));
            }
        }
        Pattern::of_rows(rows, self.inputs)
    }

    /// Which of the inputs from `first` on each slot hangs on.
    fn spread(&self, first: usize, sets: &mut [u64]) {
        sets[..self.first_result()].fill(0);
        for (k, set) in sets[first..self.inputs.min(first + 64)].iter_mut().enumerate() {
            *set = 1 << k;
        }
        self.each_run(|run, first, operands| {
            let width = run.op.width();
            for step in 0..run.len() {
                let operands = if width == 0 { operands } else { &operands[step * width..][..width] };
                sets[first + step] = match run.op {
                    _ if run.active() == 0 => 0,
                    Op::Unary(op) if shape(op) == Shape::Constant => 0,
                    Op::Binary(Binary::Wins) => 0,
                    Op::Parametric => sets[operands[0] as usize],
                    _ => operands.iter().fold(0, |set, &a| set | sets[a as usize]),
                };
            }
        });
    }

    /// In which of the directions the adjoint of each slot changes.
    fn bend(&self, sets: &[u64], reached: &[bool], bends: &mut [u64]) {
        let set = |a: u32| sets[a as usize];
        self.each_run_back(|run, first, operands| {
            let width = run.op.width();
            for step in (0..run.len()).rev().filter(|step| run.active() != 0 && reached[first + step]) {
                let y = bends[first + step];
                let mut add = |a: u32, bend: u64| bends[a as usize] |= bend;
                let operands = if width == 0 { operands } else { &operands[step * width..][..width] };
                match (run.op, operands) {
                    (Op::Unary(op), &[a]) => match shape(op) {
                        Shape::Constant => {}
                        Shape::Straight => add(a, y),
                        Shape::Curved => add(a, y | set(a)),
                    },
                    (Op::Parametric, &[a, _]) => add(a, y | set(a)),
                    (Op::Binary(Binary::Wins) | Op::Detach, _) => {}
                    (
                        Op::Binary(Binary::Add | Binary::Sub | Binary::Maximum | Binary::Minimum) | Op::Nary(Nary::Sum),
                        _,
                    ) => operands.iter().for_each(|&a| add(a, y)),
                    (Op::Binary(Binary::Mul | Binary::MulZero), &[a, b]) => {
                        add(a, y | set(b));
                        add(b, y | set(a));
                    }
                    (Op::Binary(Binary::Div | Binary::DivOrZero), &[a, b]) => {
                        add(a, y | set(b));
                        add(b, y | set(a) | set(b));
                    }
                    (Op::MulAdd | Op::MulSub | Op::SubMul, &[a, b, c]) => {
                        add(a, y | set(b));
                        add(b, y | set(a));
                        add(c, y);
                    }
                    (Op::Nary(Nary::Dot), _) => {
                        for &[a, b] in operands.as_chunks().0 {
                            add(a, y | set(b));
                            add(b, y | set(a));
                        }
                    }
                    _ => {
                        let all = operands.iter().fold(y, |all, &a| all | set(a));
                        operands.iter().for_each(|&a| add(a, all));
                    }
                }
            }
        });
    }
}

/// The numbers of the bits that are set, ascending.
fn members(mut set: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as usize);
        set &= set.wrapping_sub(1);
        lowest
    })
}
