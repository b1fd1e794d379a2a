//! An expression: a program of one output whose points are the elements of tensors that broadcast.
//!
//! It runs as a [`Pass`]: one pass over memory forward and one back, however many operations there are. Nothing but the
//! operands is kept; the pullback computes the values again. What no pass can do, operations of many operands, views,
//! and operands repeated along axes that are not neighbours, is done on rows: blocks of elements are read into them,
//! and the program runs there.
//!
//! How the elements are cut depends on their number only, so no bit depends on the number of threads.

use super::draft::Draft;
use super::error::FunctionError;
use super::lanes::Rows;
use super::list::List;
use super::optimise::optimise;
use super::pass::{Pass, Results, Wanted};
use super::program::Program;
use super::recorder::{Recorder, Symbol};
use crate::tensor::TensorFloat;
use core::any::Any;
use core::cell::RefCell;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::slice::ChunksMut;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wengert_kernels::{Par, reduce};
use wengert_tensor::{Reader, Shape, ShapeError, Tensor};

/// Elements a thread takes at a time: 10 us of work or more.
const PIECE: usize = 1 << 14;

/// Below as many steps for an element, all elements together, no thread is worth waking: 50 us at 0.1 to 0.3 ns.
const ALONE: usize = 1 << 18;

/// Passes that are kept: forward and back, and the same for another number of elements.
const MOST_PASSES: usize = 4;

/// What was wanted, and the pass that computes it; `None` if there is no such pass.
type Known<F> = (Wanted<F>, Option<Arc<Pass<F>>>);

/// A recorded expression.
pub(crate) struct Expression<F: TensorFloat> {
    list: List<F>,
    /// For rows only.
    program: OnceLock<Program<F>>,
    spare: Mutex<Vec<Rows<F>>>,
    /// Those used before, for replays.
    passes: Mutex<Vec<Known<F>>>,
}

impl<F: TensorFloat> Expression<F> {
    /// Records an expression of `N` numbers.
    ///
    /// The symbols have the value NaN: there is no one element they stand for, and a value that the closure takes from
    /// one of them and puts back as a constant must not go unseen.
    pub(crate) fn record<const N: usize>(
        f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
    ) -> Result<Self, FunctionError> {
        let recorder = Recorder::new(N, 0);
        let nan = F::from_f64(f64::NAN);
        let y = f(core::array::from_fn(|k| recorder.symbol(nan, k)));
        let draft = recorder.finish(&[y]).map_err(|error| match error {
            FunctionError::NanCompared { place, question, .. } => FunctionError::Branch { place, question },
            error => error,
        })?;
        // A comparison of constants is no branch on an element, and was not recorded; one of an element met NaN.
        Ok(Self::of_draft(draft))
    }

    pub(super) fn of_draft(draft: Draft<F>) -> Self {
        Expression {
            list: optimise(draft),
            program: OnceLock::new(),
            spare: Mutex::default(),
            passes: Mutex::default(),
        }
    }

    /// The optimised list.
    pub(super) fn list(&self) -> &List<F> {
        &self.list
    }

    fn program(&self) -> &Program<F> {
        self.program.get_or_init(|| Program::new(&self.list, super::program::Replay::InRows))
    }

    /// What `wanted` says, in one pass, if there is such a pass.
    fn pass(
        &self,
        op: &'static str,
        wanted: Wanted<F>,
        x: &[&Tensor<F>],
        shape: &Shape,
    ) -> Option<Result<Results<F>, ShapeError>> {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = match passes.iter().find(|(known, _)| *known == wanted) {
            Some((_, pass)) => pass.clone(),
            None => {
                let pass = planned(&self.list, &wanted);
                if passes.len() == MOST_PASSES {
                    passes.clear();
                }
                passes.push((wanted, pass.clone()));
                pass
            }
        };
        drop(passes);
        Some(pass?.run(x, shape)?.map_err(|error| error.called(op)))
    }

    /// The values at the elements of operands that broadcast to `shape`.
    pub(crate) fn eval(&self, op: &'static str, x: &[&Tensor<F>], shape: &Shape) -> Result<Tensor<F>, ShapeError> {
        if let Some(results) = self.pass(op, Wanted::Values, x, shape) {
            return Ok(results?.swap_remove(0));
        }
        let x = readers(op, x, shape)?;
        let mut y = Tensor::try_scratch(shape.clone()).map_err(|error| error.called(op))?;
        let program = self.program();
        let width = program.block_width(y.len());
        self.par(y.len()).for_each(y.make_mut().chunks_mut(PIECE).enumerate(), |(piece, y)| {
            self.with_rows(|rows| {
                let mut start = piece * PIECE;
                for y in y.chunks_mut(width.lanes()) {
                    y.copy_from_slice(program.eval_block(width, y.len(), |k, row| x[k].read(start, row), rows));
                    start += y.len();
                }
            });
        });
        Ok(y)
    }

    /// The sum of the values, or their mean.
    pub(crate) fn total(
        &self,
        op: &'static str,
        x: &[&Tensor<F>],
        shape: &Shape,
        mean: bool,
    ) -> Result<Tensor<F>, ShapeError> {
        if let Some(results) = self.pass(op, Wanted::Total { mean }, x, shape) {
            return Ok(results?.swap_remove(0));
        }
        let x = readers(op, x, shape)?;
        let (program, len) = (self.program(), shape.size());
        let width = program.block_width(len);
        let mut sums: SmallVec<[f64; 64]> = SmallVec::from_elem(0.0, len.div_ceil(PIECE));
        self.par(len).for_each(sums.iter_mut().enumerate(), |(piece, sum)| {
            self.with_rows(|rows| {
                let end = len.min((piece + 1) * PIECE);
                for start in (piece * PIECE..end).step_by(width.lanes()) {
                    let len = width.lanes().min(end - start);
                    let y = program.eval_block(width, len, |k, row| x[k].read(start, row), rows);
                    *sum += reduce::sum_unrounded(y, Par::SEQUENTIAL);
                }
            });
        });
        Ok(total_of(&sums, len, mean))
    }

    /// `y_bar dy/dx_k` at every element of `shape`, for the operands that are `wanted`, in turn.
    pub(crate) fn pull(
        &self,
        op: &'static str,
        x: &[&Tensor<F>],
        y_bar: &Tensor<F>,
        shape: &Shape,
        wanted: &[bool],
    ) -> Result<Results<F>, ShapeError> {
        let operands: SmallVec<[&Tensor<F>; 4]> = x.iter().copied().chain([y_bar]).collect();
        if let Some(results) = self.pass(op, Wanted::Cotangents(wanted.into()), &operands, shape) {
            return results;
        }
        let (x, y_bar) = (readers(op, x, shape)?, Reader::new(op, y_bar, shape)?);
        self.pull_blocks(op, &x, shape, wanted, |start, row| y_bar.read(start, row), |_, _| ())
    }

    /// [`total`](Self::total), and [`pull`](Self::pull) with the same `y_bar` for every element, in one pass.
    pub(crate) fn total_and_pull(
        &self,
        op: &'static str,
        x: &[&Tensor<F>],
        y_bar: F,
        shape: &Shape,
        wanted: &[bool],
        mean: bool,
    ) -> Result<(Tensor<F>, Results<F>), ShapeError> {
        if let Some(results) = self.pass(op, Wanted::Both { operands: wanted.into(), y_bar, mean }, x, shape) {
            let mut results = results?;
            return Ok((results.remove(results.len() - 1), results));
        }
        let x = readers(op, x, shape)?;
        let len = shape.size();
        let sums: SmallVec<[Mutex<f64>; 64]> = (0..len.div_ceil(PIECE)).map(|_| Mutex::new(0.0)).collect();
        let x_bars = self.pull_blocks(
            op,
            &x,
            shape,
            wanted,
            |_, row| row.fill(y_bar),
            |piece, y| {
                let sum = reduce::sum_unrounded(y, Par::SEQUENTIAL);
                *sums[piece].lock().unwrap_or_else(PoisonError::into_inner) += sum;
            },
        )?;
        let sums: SmallVec<[f64; 64]> =
            sums.into_iter().map(|sum| sum.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
        Ok((total_of(&sums, len, mean), x_bars))
    }

    /// Block by block: `seed` writes the cotangents from an element on, `take` is given the values and in which piece
    /// they are.
    fn pull_blocks(
        &self,
        op: &'static str,
        x: &[Reader<F>],
        shape: &Shape,
        wanted: &[bool],
        seed: impl Fn(usize, &mut [F]) + Sync,
        take: impl Fn(usize, &[F]) + Sync,
    ) -> Result<Results<F>, ShapeError> {
        let (program, len) = (self.program(), shape.size());
        let width = program.block_width(len);
        let lanes = width.lanes();
        let count = wanted.iter().filter(|wanted| **wanted).count();
        let mut results: Results<F> = (0..count)
            .map(|_| Tensor::try_scratch(shape.clone()).map_err(|error| error.called(op)))
            .collect::<Result<_, _>>()?;
        let mut arrays = results.iter_mut();
        let mut array =
            |wanted: &bool| wanted.then(|| arrays.next()).flatten().map(|x_bar| x_bar.make_mut().chunks_mut(PIECE));
        let pieces = Pieces { arrays: wanted.iter().map(&mut array).collect(), count: len.div_ceil(PIECE) };
        self.par(len).for_each(pieces.enumerate(), |(piece, mut x_bars)| {
            self.with_rows(|rows| {
                let first = piece * PIECE;
                for start in (first..len.min(first + PIECE)).step_by(lanes) {
                    let len = lanes.min(len - start).min(first + PIECE - start);
                    let read = |k: usize, row: &mut [F]| x[k].read(start, row);
                    let (y, bars) = program.pull_block(width, len, read, |row| seed(start, row), rows);
                    take(piece, y);
                    for (x_bar, row) in x_bars.iter_mut().zip(bars.chunks_exact(lanes)) {
                        if let Some(x_bar) = x_bar {
                            x_bar[start - first..][..len].copy_from_slice(&row[..len]);
                        }
                    }
                }
            });
        });
        Ok(results)
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

/// A pass, and what it was planned for.
struct Planned<F: TensorFloat> {
    list: List<F>,
    wanted: Wanted<F>,
    pass: Arc<Pass<F>>,
}

thread_local! {
    /// The passes this thread planned last, each a [`Planned`]: a program that records the same expressions in every
    /// step would else spend half the time of a recording on planning them again.
    static PLANNED: RefCell<VecDeque<Box<dyn Any>>> = const { RefCell::new(VecDeque::new()) };
}

/// Passes a thread remembers: those of a small model's step.
const REMEMBERED: usize = 16;

/// The pass for a list, as planned before or now. That there is none is soon seen, and not remembered.
fn planned<F: TensorFloat>(list: &List<F>, wanted: &Wanted<F>) -> Option<Arc<Pass<F>>> {
    let find = |known: &RefCell<VecDeque<Box<dyn Any>>>| {
        let known = known.borrow();
        let mut known = known.iter().filter_map(|known| known.downcast_ref::<Planned<F>>());
        known.find(|known| known.wanted == *wanted && known.list.has_bits_of(list)).map(|known| known.pass.clone())
    };
    // A thread that ends remembers nothing.
    if let Ok(Some(pass)) = PLANNED.try_with(find) {
        return Some(pass);
    }
    let pass = Arc::new(Pass::new(list, wanted)?);
    let new = Box::new(Planned { list: list.clone(), wanted: wanted.clone(), pass: pass.clone() });
    let _ = PLANNED.try_with(|known| {
        let mut known = known.borrow_mut();
        known.truncate(REMEMBERED - 1);
        known.push_front(new);
    });
    Some(pass)
}

/// The operands, repeated to `shape`.
fn readers<F: TensorFloat>(
    op: &'static str,
    x: &[&Tensor<F>],
    shape: &Shape,
) -> Result<SmallVec<[Reader<F>; 4]>, ShapeError> {
    x.iter().map(|x| Reader::new(op, x, shape)).collect()
}

/// The sum, or the mean, of `len` numbers whose partial sums these are.
fn total_of<F: TensorFloat>(sums: &[f64], len: usize, mean: bool) -> Tensor<F> {
    let sum = F::from_f64(reduce::sum_unrounded(sums, Par::SEQUENTIAL));
    Tensor::scalar(if mean { sum / F::from_f64(len as f64) } else { sum })
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
