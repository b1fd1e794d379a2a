//! The loops of the table's rows, and which loop serves which row.

use crate::dispatch::{Level, kernel};
use crate::lane::{BinaryRow, UnaryRow, rows};
use crate::{Binary, Float, Unary};

/// The length the last, incomplete part of a slice is padded to: a multiple of every vector length times the number of
/// vectors the compiler works on at once, so that no element is left to a scalar loop. A scalar `exp` costs 6 ns, a
/// padded block of 64 about 20.
const PADDED: usize = 64;

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
        pub(super) fn reads_result(op: Binary) -> bool {
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
