//! The loops of the table's rows, and which loop serves which row.

use crate::dispatch::{Level, kernel, vectorised};
use crate::lane::{BinaryRow, UnaryRow, rows};
use crate::{Binary, Float, Parametric, Unary};

/// Elements the dear loops work on at a time, and a multiple of which the last part of a slice is padded to: no element
/// is left to a scalar loop, whose `exp` costs 6 ns where a whole block takes less than 10. Two vectors of `f64`, one
/// of `f32`, at 512 bits; the processor overlaps the blocks, so longer ones are not faster and cost short slices 40 ns.
const PADDED: usize = 16;

// A pullback of one element. Both factors may be the zero that counts, and both are looked at: with `||` the second
// would be loaded under a mask that waits for the first.
#[inline(always)]
pub(crate) fn pull_back<F: Float>(y_bar: F, partial: F) -> F {
    let product = y_bar * partial;
    if (y_bar != F::ZERO) & (partial != F::ZERO) { product } else { F::ZERO }
}

#[inline(always)]
fn angles_are_small<F: Float>(x: &[F]) -> bool {
    let mut small = true;
    for &x in x {
        small &= x <= F::ANGLE_LIMIT && -x <= F::ANGLE_LIMIT;
    }
    small
}

/// Products of a chain and the sum that follows them, as one step; every product and sum rounds as it does by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fused {
    /// `a b + c`.
    ProductSum,
    /// `[a b] + c`, where `[a b]` is a product of cotangents: zero if a factor is.
    PullSum,
    /// `[[a b] c]`.
    PullPull,
    /// `[[a b] c] + d`.
    PullPullSum,
    /// `[[a b] -1]`: the pullback of a negation.
    PullTurn,
    /// `[a b] + [[c d] -1]`.
    PullTurnSum,
}

/// One of [`Fused`] as a type, for a loop of its own.
trait FusedRow: Copy {
    fn value<F: Float>(a: F, b: F, c: F, d: F) -> F;
}

macro_rules! fused_rows {
    ($($Row:ident($a:ident, $b:ident, $c:ident, $d:ident) $value:expr;)*) => { $(
        #[derive(Clone, Copy)]
        struct $Row;
        impl FusedRow for $Row {
            #[inline(always)]
            fn value<F: Float>($a: F, $b: F, $c: F, $d: F) -> F { $value }
        }
    )* };
}
fused_rows! {
    ProductSum(a, b, c, _d) a * b + c;
    PullSum(a, b, c, _d) pull_back(a, b) + c;
    PullPull(a, b, c, _d) pull_back(pull_back(a, b), c);
    PullPullSum(a, b, c, d) pull_back(pull_back(a, b), c) + d;
    PullTurn(a, b, _c, _d) pull_back(pull_back(a, b), -F::ONE);
    PullTurnSum(a, b, c, d) pull_back(a, b) + pull_back(pull_back(c, d), -F::ONE);
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

/// `slope = dy/dx` by the standard library, for any number of elements.
fn library_slope<F: Float, O: UnaryRow>(_row: O, x: &[F], y: &[F], slope: &mut [F]) {
    for ((slope, &x), &y) in slope.iter_mut().zip(x).zip(y) {
        *slope = x.library_partial::<O>(y);
    }
}

kernel! {
    /// `y = op(x)` for whole blocks of [`PADDED`] elements. Says how many elements.
    fn unary_loop<F: Float, O: UnaryRow>(row: O, x: &'a [F], y: &'a mut [F]) -> usize {
        let (x, y) = (x.as_chunks::<PADDED>().0, y.as_chunks_mut::<PADDED>().0);
        if !vectorised::<FMA>() {
            library(row, x.as_flattened(), y.as_flattened_mut());
        } else {
            for (x, y) in x.iter().zip(&mut *y) {
                if O::ANGLE && !angles_are_small(x) {
                    library(row, x, y);
                } else {
                    for i in 0..PADDED {
                        y[i] = F::of_lane::<FMA>(O::value(x[i].lane::<FMA>()));
                    }
                }
            }
        }
        y.len() * PADDED
    }

    /// `x_bar = y_bar dy/dx` for whole blocks of [`PADDED`] elements. Says how many elements.
    fn unary_vjp_loop<F: Float, O: UnaryRow>(row: O, x: &'a [F], y: &'a [F], y_bar: &'a [F], x_bar: &'a mut [F]) -> usize {
        let (x, y, y_bar) = (x.as_chunks::<PADDED>().0, y.as_chunks::<PADDED>().0, y_bar.as_chunks::<PADDED>().0);
        let x_bar = x_bar.as_chunks_mut::<PADDED>().0;
        if !vectorised::<FMA>() {
            library_vjp(row, x.as_flattened(), y.as_flattened(), y_bar.as_flattened(), x_bar.as_flattened_mut());
        } else {
            for (((x, y), y_bar), x_bar) in x.iter().zip(y).zip(y_bar).zip(&mut *x_bar) {
                if O::ANGLE && !angles_are_small(x) {
                    library_vjp(row, x, y, y_bar, x_bar);
                } else {
                    for i in 0..PADDED {
                        let partial = O::partial(x[i].lane::<FMA>(), y[i].lane::<FMA>());
                        x_bar[i] = pull_back(y_bar[i], F::of_lane::<FMA>(partial));
                    }
                }
            }
        }
        x_bar.len() * PADDED
    }

    /// `y = op(x)` for any number of elements: for functions so cheap that a scalar rest costs less than a padded
    /// block.
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

    /// `y = op(x)` and `slope = dy/dx` for whole blocks of [`PADDED`] elements: what both compute is computed once.
    /// Says how many elements.
    fn value_and_slope_loop<F: Float, O: UnaryRow>(row: O, x: &'a [F], y: &'a mut [F], slope: &'a mut [F]) -> usize {
        let x = x.as_chunks::<PADDED>().0;
        let (y, slope) = (y.as_chunks_mut::<PADDED>().0, slope.as_chunks_mut::<PADDED>().0);
        if !vectorised::<FMA>() {
            library(row, x.as_flattened(), y.as_flattened_mut());
            library_slope(row, x.as_flattened(), y.as_flattened(), slope.as_flattened_mut());
        } else {
            for ((x, y), slope) in x.iter().zip(&mut *y).zip(slope) {
                for i in 0..PADDED {
                    let x = x[i].lane::<FMA>();
                    let value = O::value(x);
                    y[i] = F::of_lane::<FMA>(value);
                    slope[i] = F::of_lane::<FMA>(O::partial(x, value));
                }
            }
        }
        y.len() * PADDED
    }

    /// The same for any number of elements.
    fn cheap_value_and_slope_loop<F: Float, O: UnaryRow>(_row: O, x: &'a [F], y: &'a mut [F], slope: &'a mut [F]) -> usize {
        for ((y, slope), &x) in y.iter_mut().zip(slope).zip(x) {
            let x = x.lane::<FMA>();
            let value = O::value(x);
            *y = F::of_lane::<FMA>(value);
            *slope = F::of_lane::<FMA>(O::partial(x, value));
        }
        y.len()
    }

    fn fused_loop<F: Float, O: FusedRow>(_row: O, a: &'a [F], b: &'a [F], c: &'a [F], d: &'a [F], y: &'a mut [F]) -> () {
        for ((((y, &a), &b), &c), &d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *y = O::value(a, b, c, d);
        }
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

// Rows that are calls, and rows met only in derivatives of such: the call costs more than finding out which it is. So
// all share one loop per direction, and the table may grow without the crate taking longer to compile.
fn rare_loop<F: Float>(op: Unary, x: &[F], y: &mut [F]) -> usize {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x.row(op);
    }
    y.len()
}
fn rare_vjp_loop<F: Float>(op: Unary, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) -> usize {
    for (((x_bar, &x), &y), &y_bar) in x_bar.iter_mut().zip(x).zip(y).zip(y_bar) {
        *x_bar = pull_back(y_bar, x.row_partial(y, op));
    }
    x_bar.len()
}
fn rare_value_and_slope_loop<F: Float>(op: Unary, x: &[F], y: &mut [F], slope: &mut [F]) -> usize {
    for ((y, slope), &x) in y.iter_mut().zip(slope).zip(x) {
        *y = x.row(op);
        *slope = x.row_partial(*y, op);
    }
    y.len()
}
fn rare_binary_loop<F: Float>(op: Binary, a: &[F], b: &[F], y: &mut [F]) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = a.row_binary(b, op);
    }
}
fn rare_left_vjp_loop<F: Float>(op: Binary, a: &[F], b: &[F], y: &[F], y_bar: &[F], a_bar: &mut [F]) {
    for ((((a_bar, &a), &b), &y), &y_bar) in a_bar.iter_mut().zip(a).zip(b).zip(y).zip(y_bar) {
        *a_bar = pull_back(y_bar, a.row_partials(b, y, op).0);
    }
}
fn rare_right_vjp_loop<F: Float>(op: Binary, a: &[F], b: &[F], y: &[F], y_bar: &[F], b_bar: &mut [F]) {
    for ((((b_bar, &a), &b), &y), &y_bar) in b_bar.iter_mut().zip(a).zip(b).zip(y).zip(y_bar) {
        *b_bar = pull_back(y_bar, a.row_partials(b, y, op).1);
    }
}

pub(crate) fn parametric_loop<F: Float>(op: Parametric, x: &[F], y: &mut [F]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x.row_parametric(op);
    }
}
pub(crate) fn parametric_vjp_loop<F: Float>(op: Parametric, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) {
    for (((x_bar, &x), &y), &y_bar) in x_bar.iter_mut().zip(x).zip(y).zip(y_bar) {
        *x_bar = pull_back(y_bar, x.row_parametric_partial(y, op));
    }
}

/// Runs the loop an opcode is listed under, compiled for its row; opcodes not listed share the last.
macro_rules! own_loops {
    ($Table:ident, $op:ident, $level:ident, $args:tt; $($own:ident: $($Op:ident)*;)* _: $rare:ident) => {
        match $op {
            $( $( $Table::$Op => own_loops!(@call $own, $level, $Op, $args), )* )*
            _ => own_loops!(@rare $rare, $op, $args),
        }
    };
    (@call $own:ident, $level:ident, $Op:ident, ($($arg:ident),*)) => {
        $own($level, rows::$Op, $($arg),*)
    };
    (@rare $rare:ident, $op:ident, ($($arg:ident),*)) => {
        $rare($op, $($arg),*)
    };
}

/// As many elements from the start as the row's loop takes; says how many.
fn unary_start<F: Float>(level: Level, op: Unary, x: &[F], y: &mut [F]) -> usize {
    own_loops! { Unary, op, level, (x, y);
        // The last three are calls in `f64`, of which a padded block would be sixteen.
        cheap_loop: Neg Recip Sqrt Square Abs Relu Sign Step Gelu NormCdf NormPdf;
        unary_loop: Exp ExpM1 Ln Ln1p Sin Cos Tanh TanhSlope Sigmoid SigmoidSlope Softplus LogSigmoid Silu GeluTanh Mish;
        _: rare_loop
    }
}

fn unary_vjp_start<F: Float>(level: Level, op: Unary, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) -> usize {
    own_loops! { Unary, op, level, (x, y, y_bar, x_bar);
        cheap_vjp_loop: Neg Recip Sqrt Square Exp Ln Ln1p Abs Relu Gelu NormCdf NormPdf;
        unary_vjp_loop: ExpM1 Sin Cos Tanh Sigmoid Softplus LogSigmoid Silu GeluTanh Mish;
        _: rare_vjp_loop
    }
}

fn value_and_slope_start<F: Float>(level: Level, op: Unary, x: &[F], y: &mut [F], slope: &mut [F]) -> usize {
    own_loops! { Unary, op, level, (x, y, slope);
        cheap_value_and_slope_loop: Gelu;
        value_and_slope_loop: Tanh Sigmoid Softplus LogSigmoid;
        _: rare_value_and_slope_loop
    }
}

/// A few elements, the first repeated to fill a block. Copied one by one: a call of `memcpy` costs more.
#[inline(always)]
fn padded<F: Float>(few: &[F]) -> [F; PADDED] {
    let mut block = [few[0]; PADDED];
    for (block, &x) in block.iter_mut().zip(few) {
        *block = x;
    }
    block
}

/// `y = op(x)`, an incomplete last block through a padded buffer.
pub(crate) fn unary_at<F: Float>(level: Level, op: Unary, x: &[F], y: &mut [F]) {
    let done = unary_start(level, op, x, y);
    let rest = y.len() - done;
    if rest > 0 {
        let mut y_rest = [F::ZERO; PADDED];
        unary_start(level, op, &padded(&x[done..]), &mut y_rest);
        for (y, y_rest) in y[done..].iter_mut().zip(y_rest) {
            *y = y_rest;
        }
    }
}

/// `x_bar = y_bar dy/dx`, an incomplete last block through padded buffers.
pub(crate) fn unary_vjp_at<F: Float>(level: Level, op: Unary, x: &[F], y: &[F], y_bar: &[F], x_bar: &mut [F]) {
    let done = unary_vjp_start(level, op, x, y, y_bar, x_bar);
    let rest = x_bar.len() - done;
    if rest > 0 {
        let [x, y, y_bar] = [x, y, y_bar].map(|slice| padded(&slice[done..]));
        let mut x_bar_rest = [F::ZERO; PADDED];
        unary_vjp_start(level, op, &x, &y, &y_bar, &mut x_bar_rest);
        for (x_bar, x_bar_rest) in x_bar[done..].iter_mut().zip(x_bar_rest) {
            *x_bar = x_bar_rest;
        }
    }
}

/// `y = op(x)` and `slope = dy/dx`, an incomplete last block through padded buffers.
pub(crate) fn value_and_slope_at<F: Float>(level: Level, op: Unary, x: &[F], y: &mut [F], slope: &mut [F]) {
    let done = value_and_slope_start(level, op, x, y, slope);
    if done < y.len() {
        let (mut y_rest, mut slope_rest) = ([F::ZERO; PADDED], [F::ZERO; PADDED]);
        value_and_slope_start(level, op, &padded(&x[done..]), &mut y_rest, &mut slope_rest);
        for ((y, slope), (y_rest, slope_rest)) in
            y[done..].iter_mut().zip(&mut slope[done..]).zip(y_rest.into_iter().zip(slope_rest))
        {
            (*y, *slope) = (y_rest, slope_rest);
        }
    }
}

pub(crate) fn binary_at<F: Float>(level: Level, op: Binary, a: &[F], b: &[F], y: &mut [F]) {
    own_loops! { Binary, op, level, (a, b, y);
        binary_loop: Add Sub Mul Div Maximum Minimum MulZero;
        _: rare_binary_loop
    }
}

/// An operand that a step does not read may be any.
pub(crate) fn fused_at<F: Float>(level: Level, fused: Fused, x: [&[F]; 4], y: &mut [F]) {
    let [a, b, c, d] = x;
    match fused {
        Fused::ProductSum => fused_loop(level, ProductSum, a, b, c, d, y),
        Fused::PullSum => fused_loop(level, PullSum, a, b, c, d, y),
        Fused::PullPull => fused_loop(level, PullPull, a, b, c, d, y),
        Fused::PullPullSum => fused_loop(level, PullPullSum, a, b, c, d, y),
        Fused::PullTurn => fused_loop(level, PullTurn, a, b, c, d, y),
        Fused::PullTurnSum => fused_loop(level, PullTurnSum, a, b, c, d, y),
    }
}

pub(crate) fn left_vjp_at<F: Float>(level: Level, op: Binary, a: &[F], b: &[F], y: &[F], y_bar: &[F], a_bar: &mut [F]) {
    own_loops! { Binary, op, level, (a, b, y, y_bar, a_bar);
        left_vjp_loop: Add Sub Mul Div Maximum Minimum MulZero;
        _: rare_left_vjp_loop
    }
}

pub(crate) fn right_vjp_at<F: Float>(
    level: Level,
    op: Binary,
    a: &[F],
    b: &[F],
    y: &[F],
    y_bar: &[F],
    b_bar: &mut [F],
) {
    own_loops! { Binary, op, level, (a, b, y, y_bar, b_bar);
        right_vjp_loop: Add Sub Mul Div Maximum Minimum MulZero;
        _: rare_right_vjp_loop
    }
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
