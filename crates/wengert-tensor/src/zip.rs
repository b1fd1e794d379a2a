//! Two tensors element by element, repeated to a common shape: how operands are lined up for a loop over slices.

use wengert_kernels::Par;
use wengert_kernels::elementwise::Operand;

use crate::element::Element;
use crate::error::ShapeError;
use crate::layout::Strides;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

/// Elements a thread takes at a time, when the runs are shorter than that.
const PIECE: usize = 1 << 16;
/// Runs shorter than this are put together to tiles.
const SHORT: usize = 512;
/// So many runs are too few to be worth a tile, which has to be cleared first.
const FEW: usize = 16;
/// Elements of a tile: two of them and the result stay in the first-level cache.
const TILE: usize = 1024;

/// The operand that a run starting at `at` reads: one number if its step is 0.
#[inline(always)]
fn operand<T: Copy>(storage: &[T], at: usize, len: usize, step: isize) -> Operand<'_, T> {
    if step == 0 { Operand::Splat(storage[at]) } else { Operand::Slice(&storage[at..at + len]) }
}

/// The operand as a whole, if it is one number or a slice: most operations, and all small ones.
#[inline(always)]
pub(crate) fn whole<'a, T: Element>(x: &'a Tensor<T>, shape: &Shape) -> Option<Operand<'a, T>> {
    if !x.is_dense() {
        None
    } else if x.shape() == shape {
        x.as_slice().map(Operand::Slice)
    } else if x.len() == 1 && x.rank() <= shape.rank() {
        Some(Operand::Splat(x.storage()[x.layout().offset()]))
    } else {
        None
    }
}

/// Rows and their length when `b` is added to each row of `x`, both dense, and the rows are few or long: a bias, for
/// which working out how to walk would take longer than the walk.
#[inline]
fn as_rows<A: Element, B: Element>(x: &Tensor<A>, b: &Tensor<B>) -> Option<usize> {
    let run = b.len();
    let fits = x.is_dense() && b.is_dense() && x.shape().ends_with(b.shape()) && run > 0;
    (fits && x.len() < 2 * PIECE && (run >= SHORT || x.len() <= FEW * run)).then_some(run)
}

/// Two operands and how to walk over them.
struct Pair<'a, A: Element, B: Element> {
    a: &'a Tensor<A>,
    b: &'a Tensor<B>,
    walk: Walk<2>,
}

impl<A: Element, B: Element> Pair<'_, A, B> {
    /// Lines up two operands over `shape`, copying one that no run can read as a slice or a single number.
    fn with<R>(
        op: &'static str,
        a: &Tensor<A>,
        b: &Tensor<B>,
        shape: &Shape,
        f: impl FnOnce(&Pair<'_, A, B>) -> R,
    ) -> Result<R, ShapeError> {
        let walk = Walk::new(shape, [&a.layout().strides_over(op, shape)?, &b.layout().strides_over(op, shape)?]);
        let (_, steps) = walk.run();
        if steps.iter().all(|step| matches!(step, 0 | 1)) {
            return Ok(f(&Pair { a, b, walk }));
        }
        // A strided run gathered number by number would touch a cache line for each; the copy goes by tiles. The steps
        // of a dense operand are 0 and 1.
        let (a, b) = (a.try_to_contiguous(op)?, b.try_to_contiguous(op)?);
        let walk = Walk::new(shape, [&a.layout().strides_over(op, shape)?, &b.layout().strides_over(op, shape)?]);
        Ok(f(&Pair { a: &a, b: &b, walk }))
    }

    fn offsets(&self) -> [usize; 2] {
        [self.a.layout().offset(), self.b.layout().offset()]
    }

    /// Calls `f` for each run in order.
    fn for_each_run<Y>(&self, y: &mut [Y], mut f: impl FnMut(Operand<'_, A>, Operand<'_, B>, &mut [Y])) {
        let (run, [a_step, b_step]) = self.walk.run();
        if run == 0 {
            return;
        }
        let mut rows = y.chunks_exact_mut(run);
        self.walk.for_runs(self.offsets(), 0..rows.len(), |[a, b]| {
            let (a, b) = (operand(self.a.storage(), a, run, a_step), operand(self.b.storage(), b, run, b_step));
            f(a, b, rows.next().unwrap_or_default());
        });
    }

    /// Calls `f` for runs of which `y` holds the results, the first being run number `first`.
    fn for_runs<Y>(&self, first: usize, y: &mut [Y], f: impl Fn(Operand<'_, A>, Operand<'_, B>, &mut [Y], usize)) {
        let (run, [a_step, b_step]) = self.walk.run();
        let (rows, [a_row, b_row]) = self.walk.rows();
        if run >= SHORT || rows <= FEW {
            let mut runs = y.chunks_exact_mut(run).enumerate();
            self.walk.for_runs(self.offsets(), first..first + runs.len(), |[a, b]| {
                let (a, b) = (operand(self.a.storage(), a, run, a_step), operand(self.b.storage(), b, run, b_step));
                if let Some((i, y)) = runs.next() {
                    f(a, b, y, (first + i) * run);
                }
            });
            return;
        }
        // A call for a run of three elements would cost more than the elements do.
        let (mut a_tile, mut b_tile) = (Tile::new(self.a.storage()), Tile::new(self.b.storage()));
        let (mut number, mut y) = (first, y);
        while !y.is_empty() {
            let count = (TILE / run).min(rows - number % rows).min(y.len() / run);
            let (now, later) = y.split_at_mut(count * run);
            let [a, b] = self.walk.position(self.offsets(), number);
            f(
                a_tile.operand(a, [count, run], a_row, a_step),
                b_tile.operand(b, [count, run], b_row, b_step),
                now,
                number * run,
            );
            (number, y) = (number + count, later);
        }
    }
}

/// Several short runs of an operand as one slice.
struct Tile<'a, T> {
    storage: &'a [T],
    values: [T; TILE],
    /// Where the run starts that `values` repeats, and how often it does.
    repeated: (usize, usize),
}

impl<'a, T: Element> Tile<'a, T> {
    fn new(storage: &'a [T]) -> Self {
        Tile { storage, values: [T::default(); TILE], repeated: (0, 0) }
    }

    /// `count` runs of `run` elements `step` apart, the first starting at `at` and the others `row` apart.
    fn operand(&mut self, at: usize, [count, run]: [usize; 2], row: isize, step: isize) -> Operand<'_, T> {
        let len = count * run;
        let storage = self.storage;
        match (row, step) {
            (0, 0) => return Operand::Splat(storage[at]),
            (_, 1) if row == run as isize => return Operand::Slice(&storage[at..at + len]),
            (0, _) if self.repeated.0 == at && self.repeated.1 >= count => {}
            (_, 0) => {
                for (i, values) in self.values[..len].chunks_exact_mut(run).enumerate() {
                    values.fill(storage[at.wrapping_add_signed(row * i as isize)]);
                }
            }
            _ => {
                for (i, values) in self.values[..len].chunks_exact_mut(run).enumerate() {
                    let at = at.wrapping_add_signed(row * i as isize);
                    values.copy_from_slice(&storage[at..at + run]);
                }
                self.repeated = if row == 0 { (at, count) } else { (0, 0) };
            }
        }
        Operand::Slice(&self.values[..len])
    }
}

/// `y = f(a, b)` for operands that broadcast, where `f` works on runs of elements, in any order and on any thread.
#[inline(always)]
pub(crate) fn try_zip<A: Element, B: Element, Y: Element>(
    op: &'static str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    f: impl Fn(Operand<'_, A>, Operand<'_, B>, &mut [Y]) + Sync,
) -> Result<Tensor<Y>, ShapeError> {
    // Equal shapes: the whole of the work for most calls, so kept small enough to be inlined.
    if a.shape() == b.shape()
        && let (Some(x), Some(z)) = (a.as_slice(), b.as_slice())
    {
        return Tensor::try_build(op, a.shape(), |y| f(Operand::Slice(x), Operand::Slice(z), y));
    }
    try_zip_broadcast(op, a, b, |a, b, y, _| f(a, b, y))
}

/// As [`try_zip`], where `f` also gets the number of its run's first element.
#[inline(never)]
pub(crate) fn try_zip_broadcast<A: Element, B: Element, Y: Element>(
    op: &'static str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    f: impl Fn(Operand<'_, A>, Operand<'_, B>, &mut [Y], usize) + Sync,
) -> Result<Tensor<Y>, ShapeError> {
    let shape = Shape::broadcast(op, a.shape(), b.shape())?;
    if let (Some(a), Some(b)) = (whole(a, &shape), whole(b, &shape)) {
        return Tensor::try_build(op, &shape, |y| f(a, b, y, 0));
    }
    if let Some(run) = as_rows(a, b) {
        let (a, b) = (a.as_slice().unwrap_or_default(), b.as_slice().unwrap_or_default());
        return Tensor::try_build(op, &shape, |y| {
            for (i, (y, a)) in y.chunks_exact_mut(run).zip(a.chunks_exact(run)).enumerate() {
                f(Operand::Slice(a), Operand::Slice(b), y, i * run);
            }
        });
    }
    let mut y = Tensor::try_scratch_for(op, shape.clone())?;
    if y.is_empty() {
        return Ok(y);
    }
    Pair::with(op, a, b, &shape, |pair| {
        let y = y.fresh_mut();
        let (run, _) = pair.walk.run();
        // A run of PIECE elements or more is the kernel's own to share out.
        if run >= PIECE || y.len() < 2 * PIECE {
            return pair.for_runs(0, y, &f);
        }
        let runs = PIECE / run;
        Par::current().for_each(y.chunks_mut(runs * run).enumerate(), |(i, y)| pair.for_runs(i * runs, y, &f));
    })?;
    Ok(y)
}

/// As [`try_zip`], for work that has to be done in order on this thread.
pub(crate) fn try_zip_in_order<A: Element, B: Element, Y: Element>(
    op: &'static str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    f: impl FnMut(Operand<'_, A>, Operand<'_, B>, &mut [Y]),
) -> Result<Tensor<Y>, ShapeError> {
    let shape = Shape::broadcast(op, a.shape(), b.shape())?;
    let mut y = Tensor::try_scratch_for(op, shape.clone())?;
    Pair::with(op, a, b, &shape, |pair| pair.for_each_run(y.fresh_mut(), f))?;
    Ok(y)
}

/// `y = f(y, b)` where `b` is repeated to the shape of `y`, in place if nobody shares `y`.
#[inline(always)]
pub(crate) fn try_update<T: Element, B: Element>(
    op: &'static str,
    y: &mut Tensor<T>,
    b: &Tensor<B>,
    mut f: impl FnMut(&mut [T], Operand<'_, B>),
) -> Result<(), ShapeError> {
    if let Some(b) = whole(b, y.shape()) {
        f(y.try_make_mut_for(op)?, b);
        return Ok(());
    }
    try_update_broadcast(op, y, b, f)
}

#[inline(never)]
fn try_update_broadcast<T: Element, B: Element>(
    op: &'static str,
    y: &mut Tensor<T>,
    b: &Tensor<B>,
    mut f: impl FnMut(&mut [T], Operand<'_, B>),
) -> Result<(), ShapeError> {
    if let Some(run) = as_rows(y, b) {
        for row in y.try_make_mut_for(op)?.chunks_exact_mut(run) {
            f(row, Operand::Slice(b.as_slice().unwrap_or_default()));
        }
        return Ok(());
    }
    let walk = |b: &Tensor<B>| {
        let own = Strides::row_major(y.shape());
        b.layout().strides_over(op, y.shape()).map(|strides| Walk::new(y.shape(), [&own, &strides]))
    };
    let (mut b, mut lined_up) = (b.clone(), walk(b)?);
    if !matches!(lined_up.run().1[1], 0 | 1) {
        b = b.try_to_contiguous(op)?;
        lined_up = walk(&b)?;
    }
    let (run, [_, step]) = lined_up.run();
    let (rows, [_, row]) = lined_up.rows();
    let offsets = [0, b.layout().offset()];
    let y = y.try_make_mut_for(op)?;
    if run >= SHORT || rows <= FEW {
        let mut runs = y.chunks_exact_mut(run.max(1));
        lined_up.for_runs(offsets, 0..runs.len(), |[_, at]| {
            f(runs.next().unwrap_or_default(), operand(b.storage(), at, run, step));
        });
        return Ok(());
    }
    let (mut tile, mut number, mut y) = (Tile::new(b.storage()), 0, y);
    while !y.is_empty() {
        let count = (TILE / run).min(rows - number % rows);
        let (now, later) = y.split_at_mut(count * run);
        let [_, at] = lined_up.position(offsets, number);
        f(now, tile.operand(at, [count, run], row, step));
        (number, y) = (number + count, later);
    }
    Ok(())
}
