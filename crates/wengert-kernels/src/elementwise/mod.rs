//! Elementary functions and their pullbacks over slices.
//!
//! Rows with a branch-free body become one loop per direction and width, compiled for each [`Level`](crate::Level), and
//! the opcode is looked at once per call; the rest, which are calls anyway, share a loop that looks at it for every
//! element. A pullback multiplies by the partial the table states, under the rule that zero times anything is zero: a
//! cotangent of 0 does not see an infinite slope.

pub mod chain;
pub(crate) mod loops;

use crate::dispatch::simd_level;
use crate::{Binary, Float, Par, Parametric, Unary};
use core::ops::Range;

/// Elements a thread takes at a time. At 0.05 to 10 ns an element this is 3 us to 0.6 ms of work.
const PIECE: usize = 1 << 16;
/// Elements that are copied to a buffer at a time where a loop may not read what it writes.
const BUFFER: usize = 512;
/// Elements up to which a shorter buffer does.
const SHORT: usize = 32;

/// One side of a binary operation: a slice, or one number that stands for a slice of it.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a, T> {
    /// An element for each result.
    Slice(&'a [T]),
    /// The same number for every result.
    Splat(T),
}

impl<'a, T: Copy> Operand<'a, T> {
    /// The elements from `start` to `start + len`; a splat stays one.
    pub(crate) fn part(self, start: usize, len: usize) -> Operand<'a, T> {
        match self {
            Operand::Slice(slice) => Operand::Slice(&slice[start..start + len]),
            splat @ Operand::Splat(_) => splat,
        }
    }

    /// Panics when a slice has another length than the result.
    fn assert_len(&self, len: usize) {
        if let Operand::Slice(slice) = self {
            assert_eq!(slice.len(), len, "operand and result must have one length");
        }
    }
}

/// `y = op(x)`.
///
/// # Panics
/// When `x` and `y` differ in length.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, Unary, elementwise};
///
/// let mut y = [0.0_f32; 3];
/// elementwise::unary(Unary::Square, &[1.0, 2.0, 3.0], &mut y, Par::current());
/// assert_eq!(y, [1.0, 4.0, 9.0]);
/// ```
pub fn unary<F: Float>(op: Unary, x: &[F], y: &mut [F], par: Par) {
    assert_eq!(x.len(), y.len(), "argument and result must have one length");
    if y.len() < 2 * PIECE {
        return F::unary_at(simd_level(), op, x, y);
    }
    par.for_each(x.chunks(PIECE).zip(y.chunks_mut(PIECE)), |(x, y)| F::unary_at(simd_level(), op, x, y));
}

/// `x = op(x)`.
pub fn unary_in_place<F: Float>(op: Unary, x: &mut [F], par: Par) {
    in_blocks(x, par, |_, argument, x| F::unary_at(simd_level(), op, argument, x));
}

/// `y = op(x)` and `slope = dy/dx` in one pass: of a function that says so ([`Unary::shares_slope`]), both together
/// cost little more than one. The product of a cotangent and the slope, that is the pullback of `exp` with the slope
/// for its value, has the bits of [`unary_vjp`].
///
/// # Panics
/// When the slices differ in length.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, Unary, elementwise};
///
/// let (mut y, mut slope) = ([0.0_f32], [0.0]);
/// elementwise::unary_with_slope(Unary::Gelu, &[0.0], &mut y, &mut slope, Par::current());
/// assert_eq!((y, slope), ([0.0], [0.5]));
/// ```
pub fn unary_with_slope<F: Float>(op: Unary, x: &[F], y: &mut [F], slope: &mut [F], par: Par) {
    assert!(x.len() == y.len() && x.len() == slope.len(), "argument, result and slope must have one length");
    if y.len() < 2 * PIECE {
        return F::value_and_slope_at(simd_level(), op, x, y, slope);
    }
    let results = y.chunks_mut(PIECE).zip(slope.chunks_mut(PIECE));
    par.for_each(x.chunks(PIECE).zip(results), |(x, (y, slope))| F::value_and_slope_at(simd_level(), op, x, y, slope));
}

/// `x_bar = y_bar dy/dx`, where `y = op(x)`. Overwrites `x_bar`.
///
/// A primal the derivative does not read may be an empty slice: `x` unless [`Unary::keeps_argument`], `y` unless
/// [`Unary::keeps_result`].
///
/// # Panics
/// When the slices differ in length.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, Unary, elementwise};
///
/// let mut x_bar = [f32::NAN; 2];
/// elementwise::unary_vjp(Unary::Sqrt, &[], &[2.0, 0.0], &[1.0, 0.0], &mut x_bar, Par::current());
/// assert_eq!(x_bar, [0.25, 0.0]); // the slope at 0 is infinite, but nothing asks for it
/// ```
pub fn unary_vjp<F: Float>(op: Unary, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F], par: Par) {
    assert_eq!(y_bar.len(), x_bar.len(), "cotangents must have one length");
    // A primal that is not read still runs through the loop, whose dead load the compiler removes.
    let x = if op.keeps_argument() { x } else { y_bar };
    let y = if op.keeps_result() { y } else { y_bar };
    assert!(x.len() == x_bar.len() && y.len() == x_bar.len(), "primals and cotangents must have one length");
    if x_bar.len() < 2 * PIECE {
        return F::unary_vjp_at(simd_level(), op, x, y, y_bar, x_bar);
    }
    let primals = x.chunks(PIECE).zip(y.chunks(PIECE));
    par.for_each(primals.zip(y_bar.chunks(PIECE)).zip(x_bar.chunks_mut(PIECE)), |(((x, y), y_bar), x_bar)| {
        F::unary_vjp_at(simd_level(), op, x, y, y_bar, x_bar);
    });
}

/// `bar = bar dy/dx`: [`unary_vjp`] where both cotangents are one buffer.
///
/// # Panics
/// When the slices differ in length.
pub fn unary_vjp_in_place<F: Float>(op: Unary, x: &[F], y: &[F], bar: &mut [F], par: Par) {
    let len = bar.len();
    assert!(!op.keeps_argument() || x.len() == len, "primal and cotangent must have one length");
    assert!(!op.keeps_result() || y.len() == len, "primal and cotangent must have one length");
    in_blocks(bar, par, |here, y_bar, bar| {
        let x = if op.keeps_argument() { &x[here.clone()] } else { y_bar };
        let y = if op.keeps_result() { &y[here] } else { y_bar };
        F::unary_vjp_at(simd_level(), op, x, y, y_bar, bar);
    });
}

/// `y = op(x)` of a function with constants.
///
/// # Panics
/// When `x` and `y` differ in length, or the constants are none of the function's.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, Parametric, elementwise};
///
/// let mut y = [0.0_f64; 3];
/// elementwise::parametric(Parametric::Clamp(-1.0, 1.0), &[-2.0, 0.5, 3.0], &mut y, Par::current());
/// assert_eq!(y, [-1.0, 0.5, 1.0]);
/// ```
pub fn parametric<F: Float>(op: Parametric, x: &[F], y: &mut [F], par: Par) {
    assert_eq!(x.len(), y.len(), "argument and result must have one length");
    if y.len() < 2 * PIECE {
        return F::parametric_at(op, x, y);
    }
    par.for_each(x.chunks(PIECE).zip(y.chunks_mut(PIECE)), |(x, y)| F::parametric_at(op, x, y));
}

/// `x_bar = y_bar dy/dx`, where `y = op(x)` is a function with constants. Overwrites `x_bar`.
///
/// # Panics
/// When the slices differ in length.
pub fn parametric_vjp<F: Float>(op: Parametric, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F], par: Par) {
    let len = x_bar.len();
    assert!(x.len() == len && y.len() == len && y_bar.len() == len, "primals and cotangents must have one length");
    if len < 2 * PIECE {
        return F::parametric_vjp_at(op, x, y, y_bar, x_bar);
    }
    let primals = x.chunks(PIECE).zip(y.chunks(PIECE));
    par.for_each(primals.zip(y_bar.chunks(PIECE)).zip(x_bar.chunks_mut(PIECE)), |(((x, y), y_bar), x_bar)| {
        F::parametric_vjp_at(op, x, y, y_bar, x_bar);
    });
}

/// `bar = bar dy/dx`: [`parametric_vjp`] where both cotangents are one buffer.
///
/// # Panics
/// When the slices differ in length.
pub fn parametric_vjp_in_place<F: Float>(op: Parametric, x: &[F], y: &[F], bar: &mut [F], par: Par) {
    assert!(x.len() == bar.len() && y.len() == bar.len(), "primals and cotangent must have one length");
    in_blocks(bar, par, |here, y_bar, bar| F::parametric_vjp_at(op, &x[here.clone()], &y[here], y_bar, bar));
}

/// `y = op(a, b)`.
///
/// # Panics
/// When a slice differs from `y` in length.
///
/// # Examples
/// ```
/// use wengert_kernels::{Binary, Par, elementwise::{self, Operand}};
///
/// let mut y = [0.0_f64; 3];
/// elementwise::binary(Binary::Sub, Operand::Splat(1.0), Operand::Slice(&[1.0, 2.0, 3.0]), &mut y, Par::current());
/// assert_eq!(y, [0.0, -1.0, -2.0]);
/// ```
pub fn binary<F: Float>(op: Binary, a: Operand<'_, F>, b: Operand<'_, F>, y: &mut [F], par: Par) {
    a.assert_len(y.len());
    b.assert_len(y.len());
    if y.len() < 2 * PIECE {
        return binary_piece(op, a, b, y);
    }
    par.for_each(y.chunks_mut(PIECE).enumerate(), |(i, y)| {
        binary_piece(op, a.part(i * PIECE, y.len()), b.part(i * PIECE, y.len()), y);
    });
}

/// Works with a block of copies of `x`, enough for pieces of `len` elements: to write [`BUFFER`] of them for the three
/// that a small tensor needs would take longer than the work.
#[inline(always)]
fn with_block<F: Float>(len: usize, x: F, work: impl FnOnce(&mut [F])) {
    if len <= SHORT { work(&mut [x; SHORT]) } else { work(&mut [x; BUFFER]) }
}

// A splat becomes a block of copies that stays in the first-level cache: a loop per kind of operand would be three
// times the code for a few percent.
fn binary_piece<F: Float>(op: Binary, a: Operand<'_, F>, b: Operand<'_, F>, y: &mut [F]) {
    let level = simd_level();
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => F::binary_at(level, op, a, b, y),
        (Operand::Slice(a), Operand::Splat(b)) => with_block(y.len(), b, |b| {
            for (y, a) in y.chunks_mut(BUFFER).zip(a.chunks(BUFFER)) {
                F::binary_at(level, op, a, &b[..y.len()], y);
            }
        }),
        (Operand::Splat(a), Operand::Slice(b)) => with_block(y.len(), a, |a| {
            for (y, b) in y.chunks_mut(BUFFER).zip(b.chunks(BUFFER)) {
                F::binary_at(level, op, &a[..y.len()], b, y);
            }
        }),
        (Operand::Splat(a), Operand::Splat(b)) => {
            if let Some((first, rest)) = y.split_first_mut() {
                F::binary_at(level, op, &[a], &[b], core::slice::from_mut(first));
                rest.fill(*first);
            }
        }
    }
}

/// `a = op(a, b)`, the result written over the left operand.
///
/// # Panics
/// When a slice `b` differs from `a` in length.
pub fn binary_in_place<F: Float>(op: Binary, a: &mut [F], b: Operand<'_, F>, par: Par) {
    b.assert_len(a.len());
    in_blocks(a, par, |here, argument, a| {
        binary_piece(op, Operand::Slice(argument), b.part(here.start, a.len()), a);
    });
}

/// Hands `work` blocks of `x`, each with its place and a copy of what it was: a loop may not read what it writes.
fn in_blocks<F: Float>(x: &mut [F], par: Par, work: impl Fn(Range<usize>, &[F], &mut [F]) + Sync) {
    let piece = |(start, x): (usize, &mut [F])| {
        with_block(x.len(), F::ZERO, |block| {
            for (i, x) in x.chunks_mut(BUFFER).enumerate() {
                let before = &mut block[..x.len()];
                before.copy_from_slice(x);
                let start = start + i * BUFFER;
                work(start..start + x.len(), before, x);
            }
        });
    };
    if x.len() < 2 * PIECE {
        return piece((0, x));
    }
    par.for_each(x.chunks_mut(PIECE).enumerate().map(|(i, x)| (i * PIECE, x)), piece);
}

/// `a_bar = y_bar dy/da` and `b_bar = y_bar dy/db`, where `y = op(a, b)`; either may be left out. Overwrites.
///
/// Both are element by element, of a splat too: its adjoint is the sum of the elements, which the caller takes. A
/// result the derivative does not read (that of `Add`, `Sub`, `Mul`) may be an empty slice.
///
/// # Panics
/// When a slice differs from `y_bar` in length.
#[expect(clippy::too_many_arguments, reason = "two operands, a result, and the cotangent of each")]
pub fn binary_vjp<F: Float>(
    op: Binary,
    a: Operand<'_, F>,
    b: Operand<'_, F>,
    y: &[F],
    y_bar: &[F],
    a_bar: Option<&mut [F]>,
    b_bar: Option<&mut [F]>,
    par: Par,
) {
    let len = y_bar.len();
    a.assert_len(len);
    b.assert_len(len);
    // Not read, it still runs through the loop, whose dead load the compiler removes.
    let y = if op.keeps_result() { y } else { y_bar };
    assert_eq!(y.len(), len, "result and cotangent must have one length");
    for (side, bar) in [(Side::Left, a_bar), (Side::Right, b_bar)] {
        let Some(bar) = bar else { continue };
        assert_eq!(bar.len(), len, "cotangents must have one length");
        if len < 2 * PIECE {
            pull_back(op, side, a, b, y, y_bar, bar);
            continue;
        }
        par.for_each(bar.chunks_mut(PIECE).enumerate(), |(i, bar)| {
            let here = i * PIECE..i * PIECE + bar.len();
            let (a, b) = (a.part(here.start, bar.len()), b.part(here.start, bar.len()));
            pull_back(op, side, a, b, &y[here.clone()], &y_bar[here], bar);
        });
    }
}

/// Which operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `a`, on the left.
    Left,
    /// `b`, on the right.
    Right,
}

/// [`binary_vjp`] where the cotangent of the operand on this side is written over that of the result, and the cotangent
/// of the other one to `other`, if given. One pass over all of them.
///
/// # Panics
/// When a slice differs from `bar` in length.
///
/// # Examples
/// ```
/// use wengert_kernels::elementwise::{self, Operand, Side};
/// use wengert_kernels::{Binary, Par};
///
/// let (a, b) = (Operand::Slice(&[2.0, 3.0]), Operand::Splat(5.0));
/// let (mut bar, mut a_bar) = ([1.0, -1.0], [0.0; 2]);
/// elementwise::binary_vjp_in_place(Binary::Mul, a, b, &[], &mut bar, Side::Right, Some(&mut a_bar), Par::current());
/// assert_eq!((bar, a_bar), ([2.0, -3.0], [5.0, -5.0]));
/// ```
#[expect(clippy::too_many_arguments, reason = "two operands, a result, and the cotangent of each")]
pub fn binary_vjp_in_place<F: Float>(
    op: Binary,
    a: Operand<'_, F>,
    b: Operand<'_, F>,
    y: &[F],
    bar: &mut [F],
    side: Side,
    other: Option<&mut [F]>,
    par: Par,
) {
    let len = bar.len();
    a.assert_len(len);
    b.assert_len(len);
    assert!(!op.keeps_result() || y.len() == len, "result and cotangent must have one length");
    let pull_back = |side, here: Range<usize>, y_bar: &[F], bar: &mut [F]| {
        let (a, b) = (a.part(here.start, here.len()), b.part(here.start, here.len()));
        pull_back(op, side, a, b, if op.keeps_result() { &y[here] } else { y_bar }, y_bar, bar);
    };
    let Some(other) = other else {
        return in_blocks(bar, par, |here, y_bar, bar| pull_back(side, here, y_bar, bar));
    };
    assert_eq!(other.len(), len, "cotangents must have one length");
    let opposite = if side == Side::Left { Side::Right } else { Side::Left };
    par.for_each(bar.chunks_mut(PIECE).zip(other.chunks_mut(PIECE)).enumerate(), |(i, (bar, other))| {
        with_block(bar.len(), F::ZERO, |block| {
            for (j, (bar, other)) in bar.chunks_mut(BUFFER).zip(other.chunks_mut(BUFFER)).enumerate() {
                let start = i * PIECE + j * BUFFER;
                let here = start..start + bar.len();
                let y_bar = &mut block[..bar.len()];
                y_bar.copy_from_slice(bar);
                pull_back(opposite, here.clone(), y_bar, other);
                pull_back(side, here, y_bar, bar);
            }
        });
    });
}

/// The cotangent of the operand on one side, on one thread.
fn pull_back<F: Float>(
    op: Binary,
    side: Side,
    a: Operand<'_, F>,
    b: Operand<'_, F>,
    y: &[F],
    y_bar: &[F],
    bar: &mut [F],
) {
    // Blocks of a splat's copies, as in `binary_piece`; two slices go through whole.
    let step = if matches!((a, b), (Operand::Slice(_), Operand::Slice(_))) { usize::MAX } else { BUFFER };
    let copies = |operand| match operand {
        Operand::Slice(_) => (0, F::ZERO),
        Operand::Splat(value) => (bar.len(), value),
    };
    let ((a_len, a_value), (b_len, b_value)) = (copies(a), copies(b));
    with_block(a_len, a_value, |a_copies| {
        with_block(b_len, b_value, |b_copies| {
            let mut start = 0;
            for bar in bar.chunks_mut(step) {
                let part = start..start + bar.len();
                let a = if let Operand::Slice(a) = a { &a[part.clone()] } else { &a_copies[..bar.len()] };
                let b = if let Operand::Slice(b) = b { &b[part.clone()] } else { &b_copies[..bar.len()] };
                let (y, y_bar) = (&y[part.clone()], &y_bar[part]);
                match side {
                    Side::Left => F::left_vjp_at(simd_level(), op, a, b, y, y_bar, bar),
                    Side::Right => F::right_vjp_at(simd_level(), op, a, b, y, y_bar, bar),
                }
                start += bar.len();
            }
        });
    });
}

/// `y += x`: how adjoints accumulate.
///
/// # Panics
/// When the slices differ in length.
pub fn add_assign<F: Float>(y: &mut [F], x: &[F], par: Par) {
    assert_eq!(x.len(), y.len(), "the slices must have one length");
    if y.len() < 2 * PIECE {
        return F::add_assign_at(simd_level(), y, x);
    }
    par.for_each(y.chunks_mut(PIECE).zip(x.chunks(PIECE)), |(y, x)| F::add_assign_at(simd_level(), y, x));
}

/// `y += c x`, fused where the processor can.
///
/// # Panics
/// When the slices differ in length.
pub fn add_scaled<F: Float>(y: &mut [F], c: F, x: &[F], par: Par) {
    assert_eq!(x.len(), y.len(), "the slices must have one length");
    if y.len() < 2 * PIECE {
        return F::add_scaled_at(simd_level(), y, c, x);
    }
    par.for_each(y.chunks_mut(PIECE).zip(x.chunks(PIECE)), |(y, x)| F::add_scaled_at(simd_level(), y, c, x));
}

/// `y *= c`.
pub fn scale<F: Float>(y: &mut [F], c: F, par: Par) {
    if y.len() < 2 * PIECE {
        return F::scale_at(simd_level(), y, c);
    }
    par.for_each(y.chunks_mut(PIECE), |y| F::scale_at(simd_level(), y, c));
}

/// `y = value`, for elements of any kind.
pub fn fill<T: Copy + Send + Sync>(y: &mut [T], value: T, par: Par) {
    if y.len() < 2 * PIECE {
        return y.fill(value);
    }
    par.for_each(y.chunks_mut(PIECE), |y| y.fill(value));
}

#[cfg(test)]
mod tests;
