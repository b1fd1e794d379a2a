//! Elementary functions and their pullbacks over slices.
//!
//! Every row of the tables becomes one loop per direction and width, compiled for each [`Level`](crate::Level); the
//! opcode is looked at once per call. A pullback multiplies by the partial the table states, under the rule that zero
//! times anything is zero: a cotangent of 0 does not see an infinite slope.

use crate::dispatch::{Level, kernel, simd_level};
use crate::lane::{BinaryRow, UnaryRow, rows};
use crate::{Binary, Float, Par, Unary};

/// Elements a thread takes at a time. At 0.05 to 10 ns an element this is 3 us to 0.6 ms of work.
const PIECE: usize = 1 << 16;
/// The length the last, incomplete part of a slice is padded to: a multiple of every vector length times the number of
/// vectors the compiler works on at once, so that no element is left to a scalar loop. A scalar `exp` costs 6 ns, a
/// padded block of 64 about 20.
const PADDED: usize = 64;
/// Elements that are copied to a buffer at a time where a loop may not read what it writes.
const BUFFER: usize = 512;

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

// A pullback of one element. Both factors may be the zero that counts.
#[inline(always)]
fn pull_back<F: Float>(y_bar: F, partial: F) -> F {
    let product = y_bar * partial;
    if y_bar == F::ZERO || partial == F::ZERO { F::ZERO } else { product }
}

#[inline(always)]
fn angles_are_small<F: Float>(x: &[F]) -> bool {
    let mut small = true;
    for &x in x {
        small &= x <= F::ANGLE_LIMIT && -x <= F::ANGLE_LIMIT;
    }
    small
}

/// Whether a level gets vector code. On x86-64 the level below AVX2 takes the standard library instead: processors
/// without AVX2 are old, its `exp` is as fast as ours in 128 bits, and the loops are a third fewer.
const fn vectorised<const FMA: bool>() -> bool {
    FMA || !cfg!(target_arch = "x86_64")
}

/// `y = op(x)` by the standard library, for any number of elements.
fn library<F: Float, O: UnaryRow>(_row: O, x: &[F], y: &mut [F]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x.library::<O>();
    }
}

/// `x_bar = y_bar dy/dx` by the standard library, for any number of elements.
fn library_vjp<F: Float, O: UnaryRow>(_row: O, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) {
    for (((x_bar, &x), &y), &y_bar) in x_bar.iter_mut().zip(x).zip(y).zip(y_bar) {
        *x_bar = pull_back(y_bar, x.library_partial::<O>(y));
    }
}

kernel! {
    /// `y = op(x)` for a multiple of [`PADDED`] elements, knowing which the compiler leaves no scalar rest. Says how many.
    fn unary_loop<F: Float, O: UnaryRow>(row: O, x: &'a [F], y: &'a mut [F]) -> usize {
        let whole = y.len() / PADDED * PADDED;
        let (x, y) = (&x[..whole], &mut y[..whole]);
        if !vectorised::<FMA>() {
            library(row, x, y);
        } else if O::ANGLE {
            for (x, y) in x.chunks_exact(PADDED).zip(y.chunks_exact_mut(PADDED)) {
                if angles_are_small(x) {
                    for (y, &x) in y.iter_mut().zip(x) {
                        *y = F::of_lane::<FMA>(O::value(x.lane::<FMA>()));
                    }
                } else {
                    library(row, x, y);
                }
            }
        } else {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = F::of_lane::<FMA>(O::value(x.lane::<FMA>()));
            }
        }
        whole
    }

    /// `x_bar = y_bar dy/dx` for a multiple of [`PADDED`] elements. Says how many.
    fn unary_vjp_loop<F: Float, O: UnaryRow>(row: O, x: &'a [F], y: &'a [F], y_bar: &'a [F], x_bar: &'a mut [F]) -> usize {
        let whole = x_bar.len() / PADDED * PADDED;
        let (x, y, y_bar, x_bar) = (&x[..whole], &y[..whole], &y_bar[..whole], &mut x_bar[..whole]);
        if !vectorised::<FMA>() {
            library_vjp(row, x, y, y_bar, x_bar);
        } else if O::ANGLE {
            let blocks = x.chunks_exact(PADDED).zip(y.chunks_exact(PADDED)).zip(y_bar.chunks_exact(PADDED));
            for (((x, y), y_bar), x_bar) in blocks.zip(x_bar.chunks_exact_mut(PADDED)) {
                if angles_are_small(x) {
                    for (((x_bar, &x), &y), &y_bar) in x_bar.iter_mut().zip(x).zip(y).zip(y_bar) {
                        *x_bar = pull_back(y_bar, F::of_lane::<FMA>(O::partial(x.lane::<FMA>(), y.lane::<FMA>())));
                    }
                } else {
                    library_vjp(row, x, y, y_bar, x_bar);
                }
            }
        } else {
            for (((x_bar, &x), &y), &y_bar) in x_bar.iter_mut().zip(x).zip(y).zip(y_bar) {
                *x_bar = pull_back(y_bar, F::of_lane::<FMA>(O::partial(x.lane::<FMA>(), y.lane::<FMA>())));
            }
        }
        whole
    }

    /// `y = op(x)` for any number of elements: for functions so cheap that a scalar rest costs less than a padded block.
    fn cheap_loop<F: Float, O: UnaryRow>(_row: O, x: &'a [F], y: &'a mut [F]) -> usize {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = F::of_lane::<FMA>(O::value(x.lane::<FMA>()));
        }
        y.len()
    }

    /// `x_bar = y_bar dy/dx` for any number of elements.
    fn cheap_vjp_loop<F: Float, O: UnaryRow>(_row: O, x: &'a [F], y: &'a [F], y_bar: &'a [F], x_bar: &'a mut [F]) -> usize {
        for (((x_bar, &x), &y), &y_bar) in x_bar.iter_mut().zip(x).zip(y).zip(y_bar) {
            *x_bar = pull_back(y_bar, F::of_lane::<FMA>(O::partial(x.lane::<FMA>(), y.lane::<FMA>())));
        }
        x_bar.len()
    }

    fn binary_loop<F: Float, O: BinaryRow>(_row: O, a: &'a [F], b: &'a [F], y: &'a mut [F]) -> () {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = F::of_lane::<FMA>(O::value(a.lane::<FMA>(), b.lane::<FMA>()));
        }
    }

    fn left_vjp_loop<F: Float, O: BinaryRow>(_row: O, a: &'a [F], b: &'a [F], y: &'a [F], y_bar: &'a [F], a_bar: &'a mut [F]) -> () {
        for ((((a_bar, &a), &b), &y), &y_bar) in a_bar.iter_mut().zip(a).zip(b).zip(y).zip(y_bar) {
            let partial = O::partials(a.lane::<FMA>(), b.lane::<FMA>(), y.lane::<FMA>()).0;
            *a_bar = pull_back(y_bar, F::of_lane::<FMA>(partial));
        }
    }

    fn right_vjp_loop<F: Float, O: BinaryRow>(_row: O, a: &'a [F], b: &'a [F], y: &'a [F], y_bar: &'a [F], b_bar: &'a mut [F]) -> () {
        for ((((b_bar, &a), &b), &y), &y_bar) in b_bar.iter_mut().zip(a).zip(b).zip(y).zip(y_bar) {
            let partial = O::partials(a.lane::<FMA>(), b.lane::<FMA>(), y.lane::<FMA>()).1;
            *b_bar = pull_back(y_bar, F::of_lane::<FMA>(partial));
        }
    }
}

fn library_loop<F: Float, O: UnaryRow>(_: Level, row: O, x: &[F], y: &mut [F]) -> usize {
    library(row, x, y);
    y.len()
}
fn library_vjp_loop<F: Float, O: UnaryRow>(_: Level, row: O, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) -> usize {
    library_vjp(row, x, y, y_bar, x_bar);
    x_bar.len()
}
fn library_binary_loop<F: Float, O: BinaryRow>(_: Level, _row: O, a: &[F], b: &[F], y: &mut [F]) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = a.library_binary::<O>(b);
    }
}
fn library_left_vjp_loop<F: Float, O: BinaryRow>(
    _: Level,
    _row: O,
    a: &[F],
    b: &[F],
    y: &[F],
    y_bar: &[F],
    a_bar: &mut [F],
) {
    for ((((a_bar, &a), &b), &y), &y_bar) in a_bar.iter_mut().zip(a).zip(b).zip(y).zip(y_bar) {
        *a_bar = pull_back(y_bar, a.library_partials::<O>(b, y).0);
    }
}
fn library_right_vjp_loop<F: Float, O: BinaryRow>(
    _: Level,
    _row: O,
    a: &[F],
    b: &[F],
    y: &[F],
    y_bar: &[F],
    b_bar: &mut [F],
) {
    for ((((b_bar, &a), &b), &y), &y_bar) in b_bar.iter_mut().zip(a).zip(b).zip(y).zip(y_bar) {
        *b_bar = pull_back(y_bar, a.library_partials::<O>(b, y).1);
    }
}

// Which loop serves a row. Rows that are calls to the standard library have nothing to vectorise and share one loop for all
// levels; a row that is not named here gets padded blocks, which is right for whatever takes more than a few instructions.
macro_rules! value_loop {
    (cbrt) => {
        library_loop
    };
    (log2) => {
        library_loop
    };
    (log10) => {
        library_loop
    };
    (tan) => {
        library_loop
    };
    (asin) => {
        library_loop
    };
    (acos) => {
        library_loop
    };
    (atan) => {
        library_loop
    };
    (sinh) => {
        library_loop
    };
    (cosh) => {
        library_loop
    };
    (asinh) => {
        library_loop
    };
    (acosh) => {
        library_loop
    };
    (atanh) => {
        library_loop
    };
    (negated) => {
        cheap_loop
    };
    (recip) => {
        cheap_loop
    };
    (sqrt) => {
        cheap_loop
    };
    (square) => {
        cheap_loop
    };
    (abs) => {
        cheap_loop
    };
    (relu) => {
        cheap_loop
    };
    (sign) => {
        cheap_loop
    };
    (step) => {
        cheap_loop
    };
    (non_negative) => {
        cheap_loop
    };
    (one_minus_square) => {
        cheap_loop
    };
    ($other:ident) => {
        unary_loop
    };
}
macro_rules! vjp_loop {
    (sinh) => {
        library_vjp_loop
    };
    (cosh) => {
        library_vjp_loop
    };
    (asinh) => {
        library_vjp_loop
    };
    (negated) => {
        cheap_vjp_loop
    };
    (recip) => {
        cheap_vjp_loop
    };
    (sqrt) => {
        cheap_vjp_loop
    };
    (square) => {
        cheap_vjp_loop
    };
    (exp) => {
        cheap_vjp_loop
    };
    (ln) => {
        cheap_vjp_loop
    };
    (ln_1p) => {
        cheap_vjp_loop
    };
    (log2) => {
        cheap_vjp_loop
    };
    (log10) => {
        cheap_vjp_loop
    };
    (tan) => {
        cheap_vjp_loop
    };
    (atan) => {
        cheap_vjp_loop
    };
    (abs) => {
        cheap_vjp_loop
    };
    (relu) => {
        cheap_vjp_loop
    };
    (sign) => {
        cheap_vjp_loop
    };
    (step) => {
        cheap_vjp_loop
    };
    (non_negative) => {
        cheap_vjp_loop
    };
    (one_minus_square) => {
        cheap_vjp_loop
    };
    ($other:ident) => {
        unary_vjp_loop
    };
}

macro_rules! binary_value_loop {
    (powf) => {
        library_binary_loop
    };
    (hypot) => {
        library_binary_loop
    };
    (atan2) => {
        library_binary_loop
    };
    (powf_ln) => {
        library_binary_loop
    };
    (powf_less) => {
        library_binary_loop
    };
    ($other:ident) => {
        binary_loop
    };
}
macro_rules! binary_vjp_loop {
    (powf, $library:ident, $own:ident) => {
        $library
    };
    (atan2, $library:ident, $own:ident) => {
        $library
    };
    (powf_ln, $library:ident, $own:ident) => {
        $library
    };
    (powf_less, $library:ident, $own:ident) => {
        $library
    };
    ($other:ident, $library:ident, $own:ident) => {
        $own
    };
}
// The table as a `match` on the opcode, each arm with its own loop.
macro_rules! unary_loops {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) {
        value $value:expr;
        d($($kept:ident),*) $d:expr;
        on $lo:literal..$hi:literal;
    } )*) => {
        /// As many elements from the start as the row's loop takes; says how many.
        fn unary_start<F: Float>(level: Level, op: Unary, x: &[F], y: &mut [F]) -> usize {
            match op { $(Unary::$Op => value_loop!($method)(level, rows::$Op, x, y)),* }
        }
        fn unary_vjp_start<F: Float>(level: Level, op: Unary, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) -> usize {
            match op { $(Unary::$Op => vjp_loop!($method)(level, rows::$Op, x, y, y_bar, x_bar)),* }
        }
    };
}
crate::unary_table!(unary_loops);

/// `y = op(x)`, an incomplete last block through a padded buffer.
pub(crate) fn unary_at<F: Float>(level: Level, op: Unary, x: &[F], y: &mut [F]) {
    let done = unary_start(level, op, x, y);
    let rest = y.len() - done;
    if rest > 0 {
        let (mut x_rest, mut y_rest) = ([x[done]; PADDED], [F::ZERO; PADDED]);
        x_rest[..rest].copy_from_slice(&x[done..]);
        unary_start(level, op, &x_rest, &mut y_rest);
        y[done..].copy_from_slice(&y_rest[..rest]);
    }
}

/// `x_bar = y_bar dy/dx`, an incomplete last block through padded buffers.
pub(crate) fn unary_vjp_at<F: Float>(level: Level, op: Unary, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) {
    let done = unary_vjp_start(level, op, x, y, y_bar, x_bar);
    let rest = x_bar.len() - done;
    if rest > 0 {
        let mut buffers = [[x[done]; PADDED], [y[done]; PADDED], [F::ZERO; PADDED]];
        for (buffer, slice) in buffers.iter_mut().zip([x, y, y_bar]) {
            buffer[..rest].copy_from_slice(&slice[done..]);
        }
        let mut x_bar_rest = [F::ZERO; PADDED];
        unary_vjp_start(level, op, &buffers[0], &buffers[1], &buffers[2], &mut x_bar_rest);
        x_bar[done..].copy_from_slice(&x_bar_rest[..rest]);
    }
}

macro_rules! binary_loops {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) {
        value $value:expr;
        d($($kept:ident),*) ($da:expr, $db:expr);
        on $alo:literal..$ahi:literal, $blo:literal..$bhi:literal;
    } )*) => {
        /// Whether a row's derivative reads the result.
        fn reads_result(op: Binary) -> bool {
            match op { $(Binary::$Op => [$(stringify!($kept)),*].contains(&"y")),* }
        }
        pub(crate) fn binary_at<F: Float>(level: Level, op: Binary, a: &[F], b: &[F], y: &mut [F]) {
            match op { $(Binary::$Op => binary_value_loop!($method)(level, rows::$Op, a, b, y)),* }
        }
        pub(crate) fn left_vjp_at<F: Float>(level: Level, op: Binary, a: &[F], b: &[F], y: &[F], y_bar: &[F], a_bar: &mut [F]) {
            match op { $(Binary::$Op => binary_vjp_loop!($method, library_left_vjp_loop, left_vjp_loop)(level, rows::$Op, a, b, y, y_bar, a_bar)),* }
        }
        pub(crate) fn right_vjp_at<F: Float>(level: Level, op: Binary, a: &[F], b: &[F], y: &[F], y_bar: &[F], b_bar: &mut [F]) {
            match op { $(Binary::$Op => binary_vjp_loop!($method, library_right_vjp_loop, right_vjp_loop)(level, rows::$Op, a, b, y, y_bar, b_bar)),* }
        }
    };
}
crate::binary_table!(binary_loops);

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
    let piece = |x: &mut [F]| {
        let mut buffer = [F::ZERO; BUFFER];
        for x in x.chunks_mut(BUFFER) {
            let argument = &mut buffer[..x.len()];
            argument.copy_from_slice(x);
            F::unary_at(simd_level(), op, argument, x);
        }
    };
    if x.len() < 2 * PIECE {
        return piece(x);
    }
    par.for_each(x.chunks_mut(PIECE), piece);
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
    let piece = |(start, bar): (usize, &mut [F])| {
        let mut buffer = [F::ZERO; BUFFER];
        for (i, bar) in bar.chunks_mut(BUFFER).enumerate() {
            let y_bar = &mut buffer[..bar.len()];
            y_bar.copy_from_slice(bar);
            let part = start + i * BUFFER..start + i * BUFFER + bar.len();
            let x = if op.keeps_argument() { &x[part.clone()] } else { &*y_bar };
            let y = if op.keeps_result() { &y[part] } else { &*y_bar };
            F::unary_vjp_at(simd_level(), op, x, y, y_bar, bar);
        }
    };
    if len < 2 * PIECE {
        return piece((0, bar));
    }
    par.for_each(bar.chunks_mut(PIECE).enumerate().map(|(i, bar)| (i * PIECE, bar)), piece);
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

// A splat becomes a block of copies that stays in the first-level cache: a loop per kind of operand would be three times
// the code for a few percent.
fn binary_piece<F: Float>(op: Binary, a: Operand<'_, F>, b: Operand<'_, F>, y: &mut [F]) {
    let level = simd_level();
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => F::binary_at(level, op, a, b, y),
        (Operand::Slice(a), Operand::Splat(b)) => {
            let b = [b; BUFFER];
            for (y, a) in y.chunks_mut(BUFFER).zip(a.chunks(BUFFER)) {
                F::binary_at(level, op, a, &b[..y.len()], y);
            }
        }
        (Operand::Splat(a), Operand::Slice(b)) => {
            let a = [a; BUFFER];
            for (y, b) in y.chunks_mut(BUFFER).zip(b.chunks(BUFFER)) {
                F::binary_at(level, op, &a[..y.len()], b, y);
            }
        }
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
    let piece = |(start, a): (usize, &mut [F])| {
        let mut buffer = [F::ZERO; BUFFER];
        for (i, a) in a.chunks_mut(BUFFER).enumerate() {
            let argument = &mut buffer[..a.len()];
            argument.copy_from_slice(a);
            binary_piece(op, Operand::Slice(argument), b.part(start + i * BUFFER, a.len()), a);
        }
    };
    if a.len() < 2 * PIECE {
        return piece((0, a));
    }
    par.for_each(a.chunks_mut(PIECE).enumerate().map(|(i, a)| (i * PIECE, a)), piece);
}

/// `a_bar = y_bar dy/da` and `b_bar = y_bar dy/db`, where `y = op(a, b)`; either may be left out. Overwrites.
///
/// Both are element by element, of a splat too: its adjoint is the sum of the elements, which the caller takes. A result
/// the derivative does not read (that of `Add`, `Sub`, `Mul`) may be an empty slice.
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
    mut a_bar: Option<&mut [F]>,
    mut b_bar: Option<&mut [F]>,
    par: Par,
) {
    let len = y_bar.len();
    a.assert_len(len);
    b.assert_len(len);
    for bar in [&a_bar, &b_bar].into_iter().flatten() {
        assert_eq!(bar.len(), len, "cotangents must have one length");
    }
    // Not read, it still runs through the loop, whose dead load the compiler removes.
    let y = if reads_result(op) { y } else { y_bar };
    assert_eq!(y.len(), len, "result and cotangent must have one length");
    if let Some(a_bar) = &mut a_bar {
        par_pull_back(a, b, y, y_bar, a_bar, par, |a, b, y, y_bar, bar| {
            F::left_vjp_at(simd_level(), op, a, b, y, y_bar, bar);
        });
    }
    if let Some(b_bar) = &mut b_bar {
        par_pull_back(a, b, y, y_bar, b_bar, par, |a, b, y, y_bar, bar| {
            F::right_vjp_at(simd_level(), op, a, b, y, y_bar, bar);
        });
    }
}

fn par_pull_back<F: Float>(
    a: Operand<'_, F>,
    b: Operand<'_, F>,
    y: &[F],
    y_bar: &[F],
    bar: &mut [F],
    par: Par,
    work: impl Fn(&[F], &[F], &[F], &[F], &mut [F]) + Sync,
) {
    // Blocks of a splat's copies, as in `binary_piece`; two slices go through whole.
    let step = if matches!((a, b), (Operand::Slice(_), Operand::Slice(_))) { usize::MAX } else { BUFFER };
    let piece = |(start, bar): (usize, &mut [F])| {
        let mut copies = [[F::ZERO; BUFFER]; 2];
        for (copies, operand) in copies.iter_mut().zip([a, b]) {
            if let Operand::Splat(value) = operand {
                *copies = [value; BUFFER];
            }
        }
        let mut start = start;
        for bar in bar.chunks_mut(step) {
            let part = start..start + bar.len();
            let side = |operand, copies| match operand {
                Operand::Slice(slice) => {
                    let slice: &[F] = slice;
                    &slice[part.clone()]
                }
                Operand::Splat(_) => {
                    let copies: &[F; BUFFER] = copies;
                    &copies[..part.len()]
                }
            };
            work(side(a, &copies[0]), side(b, &copies[1]), &y[part.clone()], &y_bar[part.clone()], bar);
            start += bar.len();
        }
    };
    if bar.len() < 2 * PIECE {
        return piece((0, bar));
    }
    par.for_each(bar.chunks_mut(PIECE).enumerate().map(|(i, bar)| (i * PIECE, bar)), piece);
}

kernel! {
    pub(crate) fn add_scaled_loop<F: Float>(y: &'a mut [F], c: F, x: &'a [F]) -> () {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = c.lane_mul_add::<FMA>(x, *y);
        }
    }
    pub(crate) fn add_assign_loop<F: Float>(y: &'a mut [F], x: &'a [F]) -> () {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
    pub(crate) fn scale_loop<F: Float>(y: &'a mut [F], c: F) -> () {
        for y in y {
            *y *= c;
        }
    }
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
