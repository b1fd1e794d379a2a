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

/// The operand that a run starting at `at` reads: one number if its step is 0.
#[inline(always)]
fn operand<T: Copy>(storage: &[T], at: usize, len: usize, step: isize) -> Operand<'_, T> {
    if step == 0 { Operand::Splat(storage[at]) } else { Operand::Slice(&storage[at..at + len]) }
}

/// The part of the operand that is one number or a slice: most operations, and all small ones.
#[inline(always)]
fn whole<'a, T: Element>(x: &'a Tensor<T>, shape: &Shape) -> Option<Operand<'a, T>> {
    if !x.is_dense() {
        return None;
    }
    if x.shape() == shape {
        x.as_slice().map(Operand::Slice)
    } else if x.len() == 1 && x.rank() <= shape.rank() {
        Some(Operand::Splat(x.storage()[x.layout().offset()]))
    } else {
        None
    }
}

/// Two operands, their common shape and how to walk over them.
struct Pair<'a, A: Element, B: Element> {
    a: &'a Tensor<A>,
    b: &'a Tensor<B>,
    walk: Walk<2>,
}

impl<A: Element, B: Element> Pair<'_, A, B> {
    fn offsets(&self) -> [usize; 2] {
        [self.a.layout().offset(), self.b.layout().offset()]
    }

    fn operands(&self, [a, b]: [usize; 2]) -> (Operand<'_, A>, Operand<'_, B>) {
        let (len, steps) = self.walk.run();
        (operand(self.a.storage(), a, len, steps[0]), operand(self.b.storage(), b, len, steps[1]))
    }
}

/// Lines up two operands over `shape`, copying one that no run can read as a slice or a single number.
fn paired<R, A: Element, B: Element>(
    op: &'static str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    shape: &Shape,
    f: impl FnOnce(Pair<'_, A, B>) -> R,
) -> Result<R, ShapeError> {
    let strides = |x: &Strides, y: &Strides| Walk::new(shape, [x, y]);
    let walk = strides(&a.layout().strides_over(op, shape)?, &b.layout().strides_over(op, shape)?);
    let (_, steps) = walk.run();
    if steps.iter().all(|&step| step == 0 || step == 1) {
        return Ok(f(Pair { a, b, walk }));
    }
    // A strided run gathered number by number would touch a cache line for each; the copy goes by tiles. A dense operand
    // has steps of 0 and 1 only.
    let (a, b) = (a.try_to_contiguous(op)?, b.try_to_contiguous(op)?);
    let walk = strides(&a.layout().strides_over(op, shape)?, &b.layout().strides_over(op, shape)?);
    Ok(f(Pair { a: &a, b: &b, walk }))
}

/// `y = f(a, b)` for operands that broadcast, where `f` works on runs of elements, in any order and on any thread.
#[inline(always)]
pub(crate) fn try_zip<A: Element, B: Element, Y: Element>(
    op: &'static str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    f: impl Fn(Operand<'_, A>, Operand<'_, B>, &mut [Y]) + Sync,
) -> Result<Tensor<Y>, ShapeError> {
    // Equal shapes: the whole of the work for most calls, so kept small enough to be inlined. Both ways meet as shape and
    // buffer, not as tensors, which would have to meet in memory and be moved on from there (20 ns for one element).
    let (shape, buffer) = if a.is_dense() && b.is_dense() && a.shape() == b.shape() {
        let (x, z) = (a.as_slice().unwrap_or_default(), b.as_slice().unwrap_or_default());
        let buffer = Tensor::try_buffer(op, a.shape(), |y| f(Operand::Slice(x), Operand::Slice(z), y))?;
        (a.shape().clone(), buffer)
    } else {
        try_zip_broadcast(op, a, b, f)?.into_dense_parts()
    };
    Ok(Tensor::from_dense_parts(shape, buffer))
}

#[inline(never)]
fn try_zip_broadcast<A: Element, B: Element, Y: Element>(
    op: &'static str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    f: impl Fn(Operand<'_, A>, Operand<'_, B>, &mut [Y]) + Sync,
) -> Result<Tensor<Y>, ShapeError> {
    let shape = Shape::broadcast(op, a.shape(), b.shape())?;
    if let (Some(a), Some(b)) = (whole(a, &shape), whole(b, &shape)) {
        return Tensor::try_build(op, &shape, |y| f(a, b, y));
    }
    let mut y = Tensor::try_scratch_for(op, shape.clone())?;
    paired(op, a, b, &shape, |pair| {
        let (run, _) = pair.walk.run();
        if y.is_empty() {
            return;
        }
        let runs_a_piece = (PIECE / run).max(1);
        let y = y.fresh_mut();
        let piece = |first: usize, y: &mut [Y]| {
            let mut rows = y.chunks_exact_mut(run);
            pair.walk.for_runs(pair.offsets(), first..first + rows.len(), |at| {
                let (a, b) = pair.operands(at);
                f(a, b, rows.next().unwrap_or_default());
            });
        };
        // A run of PIECE elements or more is the kernel's own to share out.
        if run >= PIECE || y.len() < 2 * PIECE {
            piece(0, y);
        } else {
            let pieces = y.chunks_mut(runs_a_piece * run).enumerate();
            Par::current().for_each(pieces, |(i, y)| piece(i * runs_a_piece, y));
        }
    })?;
    Ok(y)
}

/// As [`try_zip`], for work that has to be done in order on this thread.
pub(crate) fn try_zip_in_order<A: Element, B: Element, Y: Element>(
    op: &'static str,
    a: &Tensor<A>,
    b: &Tensor<B>,
    mut f: impl FnMut(Operand<'_, A>, Operand<'_, B>, &mut [Y]),
) -> Result<Tensor<Y>, ShapeError> {
    let shape = Shape::broadcast(op, a.shape(), b.shape())?;
    let mut y = Tensor::try_scratch_for(op, shape.clone())?;
    paired(op, a, b, &shape, |pair| {
        let (run, _) = pair.walk.run();
        let mut rows = y.fresh_mut().chunks_exact_mut(run.max(1));
        pair.walk.for_runs(pair.offsets(), 0..rows.len(), |at| {
            let (a, b) = pair.operands(at);
            f(a, b, rows.next().unwrap_or_default());
        });
    })?;
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
        f(y.try_make_mut(op)?, b);
        return Ok(());
    }
    let shape = y.shape().clone();
    let strides = |b: &Tensor<B>| {
        b.layout().strides_over(op, &shape).map(|b| Walk::new(&shape, [&Strides::row_major(&shape), &b]))
    };
    let mut walk = strides(b)?;
    let mut b = b.clone();
    if !matches!(walk.run().1[1], 0 | 1) {
        b = b.try_to_contiguous(op)?;
        walk = strides(&b)?;
    }
    let (run, steps) = walk.run();
    let mut rows = y.try_make_mut(op)?.chunks_exact_mut(run.max(1));
    walk.for_runs([0, b.layout().offset()], 0..rows.len(), |[_, at]| {
        f(rows.next().unwrap_or_default(), operand(b.storage(), at, run, steps[1]));
    });
    Ok(())
}
