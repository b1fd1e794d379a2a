//! An expression: a program of one output whose points are the elements of tensors that broadcast.
//!
//! Blocks of elements are read into rows, the program runs over them in the first-level cache, and results are written once:
//! one pass over memory forward and one back, however many operations there are. Nothing but the operands is kept; the
//! pullback computes the values again.
//!
//! How the elements are cut depends on their number only, so no bit depends on the number of threads.

use super::error::FunctionError;
use super::lanes::Rows;
use super::list::List;
use super::optimise::optimise;
use super::program::Program;
use super::recorder::{Recorder, Symbol};
use crate::tensor::TensorFloat;
use smallvec::SmallVec;
use std::slice::ChunksMut;
use std::sync::{Mutex, PoisonError};
use wengert_kernels::{Par, reduce};
use wengert_tensor::Reader;

/// Elements a thread takes at a time: 10 us of work or more.
const PIECE: usize = 1 << 14;

/// Below as many steps for an element, all elements together, no thread is worth waking: 50 us at 0.1 to 0.3 ns.
const ALONE: usize = 1 << 18;

/// A recorded expression.
pub(crate) struct Expression<F: TensorFloat> {
    list: List<F>,
    program: Program<F>,
    spare: Mutex<Vec<Rows<F>>>,
}

impl<F: TensorFloat> Expression<F> {
    /// Records an expression of `N` numbers.
    ///
    /// The symbols have the value NaN: there is no one element they stand for, and a value that the closure takes from one of
    /// them and puts back as a constant must not go unseen.
    pub(crate) fn record<const N: usize>(
        f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
    ) -> Result<Self, FunctionError> {
        let recorder = Recorder::new(N, 0);
        let nan = F::from_f64(f64::NAN);
        let y = f(core::array::from_fn(|k| recorder.symbol(nan, k)));
        let list = recorder.finish(&[y]).map_err(|error| match error {
            FunctionError::NanCompared { place, question, .. } => FunctionError::Branch { place, question },
            error => error,
        })?;
        // A comparison of constants is no branch on an element, and was not recorded; one of an element met NaN.
        Ok(Self::of_list(list))
    }

    pub(super) fn of_list(list: List<F>) -> Self {
        let list = optimise(list);
        Expression { program: Program::new(&list), list, spare: Mutex::default() }
    }

    /// The optimised list.
    pub(super) fn list(&self) -> &List<F> {
        &self.list
    }

    /// The values at the elements the operands have.
    pub(crate) fn eval(&self, x: &[Reader<F>], y: &mut [F]) {
        let width = self.program.block_width(y.len());
        self.par(y.len()).for_each(y.chunks_mut(PIECE).enumerate(), |(piece, y)| {
            self.with_rows(|rows| {
                let mut start = piece * PIECE;
                for y in y.chunks_mut(width.lanes()) {
                    y.copy_from_slice(self.program.eval_block(width, y.len(), |k, row| x[k].read(start, row), rows));
                    start += y.len();
                }
            });
        });
    }

    /// The sum of the values at `len` elements: sums of blocks, of pieces, and pairwise of those.
    pub(crate) fn sum(&self, x: &[Reader<F>], len: usize) -> F {
        let width = self.program.block_width(len);
        let mut sums: SmallVec<[f64; 64]> = SmallVec::from_elem(0.0, len.div_ceil(PIECE));
        self.par(len).for_each(sums.iter_mut().enumerate(), |(piece, sum)| {
            self.with_rows(|rows| {
                let end = len.min((piece + 1) * PIECE);
                for start in (piece * PIECE..end).step_by(width.lanes()) {
                    let len = width.lanes().min(end - start);
                    let y = self.program.eval_block(width, len, |k, row| x[k].read(start, row), rows);
                    *sum += reduce::sum_unrounded(y, Par::SEQUENTIAL);
                }
            });
        });
        F::from_f64(reduce::sum_unrounded(&sums, Par::SEQUENTIAL))
    }

    /// `y_bar dy/dx_k` at every element, written to the arrays that are there, all of length `len`.
    pub(crate) fn pull(&self, x: &[Reader<F>], y_bar: &Reader<F>, len: usize, x_bars: &mut [Option<&mut [F]>]) {
        self.pull_blocks(x, len, x_bars, |start, row| y_bar.read(start, row), |_, _| ());
    }

    /// [`sum`](Self::sum) and, with `y_bar` for every element, [`pull`](Self::pull) in one pass.
    pub(crate) fn sum_and_pull(&self, x: &[Reader<F>], y_bar: F, len: usize, x_bars: &mut [Option<&mut [F]>]) -> F {
        let sums: SmallVec<[Mutex<f64>; 64]> = (0..len.div_ceil(PIECE)).map(|_| Mutex::new(0.0)).collect();
        self.pull_blocks(
            x,
            len,
            x_bars,
            |_, row| row.fill(y_bar),
            |piece, y| {
                let sum = reduce::sum_unrounded(y, Par::SEQUENTIAL);
                *sums[piece].lock().unwrap_or_else(PoisonError::into_inner) += sum;
            },
        );
        let sums: SmallVec<[f64; 64]> =
            sums.into_iter().map(|sum| sum.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
        F::from_f64(reduce::sum_unrounded(&sums, Par::SEQUENTIAL))
    }

    /// Block by block: `seed` writes the cotangents from an element on, `take` is given the values and in which piece they are.
    fn pull_blocks(
        &self,
        x: &[Reader<F>],
        len: usize,
        x_bars: &mut [Option<&mut [F]>],
        seed: impl Fn(usize, &mut [F]) + Sync,
        take: impl Fn(usize, &[F]) + Sync,
    ) {
        let width = self.program.block_width(len);
        let lanes = width.lanes();
        let pieces = Pieces {
            arrays: x_bars.iter_mut().map(|x_bar| x_bar.as_deref_mut().map(|x_bar| x_bar.chunks_mut(PIECE))).collect(),
            count: len.div_ceil(PIECE),
        };
        self.par(len).for_each(pieces.enumerate(), |(piece, mut x_bars)| {
            self.with_rows(|rows| {
                let first = piece * PIECE;
                for start in (first..len.min(first + PIECE)).step_by(lanes) {
                    let len = lanes.min(len - start).min(first + PIECE - start);
                    let read = |k: usize, row: &mut [F]| x[k].read(start, row);
                    let (y, bars) = self.program.pull_block(width, len, read, |row| seed(start, row), rows);
                    take(piece, y);
                    for (x_bar, row) in x_bars.iter_mut().zip(bars.chunks_exact(lanes)) {
                        if let Some(x_bar) = x_bar {
                            x_bar[start - first..][..len].copy_from_slice(&row[..len]);
                        }
                    }
                }
            });
        });
    }

    fn par(&self, len: usize) -> Par {
        if len * (self.list.steps.len() + 1) < ALONE { Par::SEQUENTIAL } else { Par::current() }
    }

    fn with_rows(&self, work: impl FnOnce(&mut Rows<F>)) {
        let spare = self.spare.lock().ok().and_then(|mut spare| spare.pop());
        let mut rows = spare.unwrap_or_else(Rows::empty);
        work(&mut rows);
        if let Ok(mut spare) = self.spare.lock() {
            spare.push(rows);
        }
    }
}

/// The pieces of several arrays of one length, side by side.
struct Pieces<'a, F> {
    arrays: SmallVec<[Option<ChunksMut<'a, F>>; 4]>,
    count: usize,
}

impl<'a, F> Iterator for Pieces<'a, F> {
    type Item = SmallVec<[Option<&'a mut [F]>; 4]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        Some(self.arrays.iter_mut().map(|array| array.as_mut().and_then(Iterator::next)).collect())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl<F> ExactSizeIterator for Pieces<'_, F> {}
