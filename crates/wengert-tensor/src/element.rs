//! The types of number a tensor can hold.

use core::fmt;

use wengert_kernels::elementwise::{self, Operand};
use wengert_kernels::{Binary, Elementary, Float, Par, reduce};

use crate::buffer::Plain;
#[cfg(feature = "linalg")]
use crate::linalg::Factorize;

/// A type tensors can be made of: `f32`, `f64`, `i32`, `i64`, `u32`, `u8` or `bool`.
///
/// Sealed: storage and kernels are written for these.
pub trait Element: Plain + PartialEq + PartialOrd + fmt::Debug + fmt::Display {
    /// The name of the type: `"f32"`, `"bool"`.
    const NAME: &'static str;
}

macro_rules! element {
    ($($t:ident)*) => { $(
        impl Element for $t {
            const NAME: &'static str = stringify!($t);
        }
    )* };
}
element!(f32 f64 i32 i64 u32 u8 bool);

/// Below this length a loop is written out here: looking at the opcode and the processor, and filling a block with
/// copies of a single number, would take longer than the arithmetic. The results are the same bits.
const SHORT: usize = 64;

/// `y = f(a, b)`.
#[inline(always)]
pub(crate) fn zip<A: Copy, B: Copy, Y>(
    a: Operand<'_, A>,
    b: Operand<'_, B>,
    y: &mut [Y],
    mut f: impl FnMut(A, B) -> Y,
) {
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        }
        (Operand::Slice(a), Operand::Splat(b)) => {
            for (y, &a) in y.iter_mut().zip(a) {
                *y = f(a, b);
            }
        }
        (Operand::Splat(a), Operand::Slice(b)) => {
            for (y, &b) in y.iter_mut().zip(b) {
                *y = f(a, b);
            }
        }
        (Operand::Splat(a), Operand::Splat(b)) => {
            for y in y {
                *y = f(a, b);
            }
        }
    }
}

/// `a = f(a, b)`.
#[inline(always)]
pub(crate) fn update<A: Copy, B: Copy>(a: &mut [A], b: Operand<'_, B>, f: impl Fn(A, B) -> A) {
    match b {
        Operand::Slice(b) => {
            for (a, &b) in a.iter_mut().zip(b) {
                *a = f(*a, b);
            }
        }
        Operand::Splat(b) => {
            for a in a {
                *a = f(*a, b);
            }
        }
    }
}

/// Folds the `n` entries of each lane of `x: [outer, n, inner]` into `y: [outer, inner]`, starting from what `start`
/// makes of the first. Without entries `y` stays as it is.
fn fold_axis<T, A>(x: &[T], [_, n, inner]: [usize; 3], y: &mut [A], start: impl Fn(&T) -> A, add: impl Fn(&mut A, &T)) {
    if n == 0 || inner == 0 {
        return;
    }
    for (block, y) in x.chunks_exact(n * inner).zip(y.chunks_exact_mut(inner)) {
        let (first, rest) = block.split_at(inner);
        // Row by row, so that memory is read in order whatever the axis.
        for (y, x) in y.iter_mut().zip(first) {
            *y = start(x);
        }
        for row in rest.chunks_exact(inner) {
            for (y, x) in y.iter_mut().zip(row) {
                add(y, x);
            }
        }
    }
}

/// The operations all numbers have, integers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

impl Arithmetic {
    /// The row of the table of elementary functions.
    fn row(self) -> Binary {
        match self {
            Arithmetic::Add => Binary::Add,
            Arithmetic::Sub => Binary::Sub,
            Arithmetic::Mul => Binary::Mul,
            Arithmetic::Div => Binary::Div,
        }
    }

    /// The name errors use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Arithmetic::Add => "add",
            Arithmetic::Sub => "sub",
            Arithmetic::Mul => "mul",
            Arithmetic::Div => "div",
        }
    }
}

/// A type of number: `f32`, `f64`, `i32`, `i64`, `u32` or `u8`.
///
/// Integers wrap around on overflow, as they do in NumPy and PyTorch, and divide towards zero, as they do in Rust.
pub trait Numeric: Element {
    /// The type sums are made in: a float's own, `i64` for integers.
    type Sum: Numeric<Sum = Self::Sum>;
    /// Whether dividing by zero has no result.
    #[doc(hidden)]
    const EXACT: bool;

    /// The number nearest to `i`.
    #[doc(hidden)]
    fn from_index(i: usize) -> Self;
    #[doc(hidden)]
    fn arithmetic(op: Arithmetic, a: Operand<'_, Self>, b: Operand<'_, Self>, y: &mut [Self]);
    #[doc(hidden)]
    fn arithmetic_in_place(op: Arithmetic, a: &mut [Self], b: Operand<'_, Self>);
    #[doc(hidden)]
    fn total(x: &[Self]) -> Self::Sum;
    /// The largest or smallest of at least one element.
    #[doc(hidden)]
    fn extreme(largest: bool, x: &[Self]) -> Self;
    #[doc(hidden)]
    fn arg_extreme(largest: bool, x: &[Self]) -> Option<usize>;
    #[doc(hidden)]
    fn sum_axis(x: &[Self], dims: [usize; 3], y: &mut [Self::Sum]);
    #[doc(hidden)]
    fn extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [Self]);
    #[doc(hidden)]
    fn arg_extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [i64]);
}

macro_rules! numeric_float {
    ($($t:ident)*) => { $(
        impl Numeric for $t {
            type Sum = $t;
            const EXACT: bool = false;

            #[inline]
            fn from_index(i: usize) -> Self {
                i as $t
            }
            #[inline]
            fn arithmetic(op: Arithmetic, a: Operand<'_, Self>, b: Operand<'_, Self>, y: &mut [Self]) {
                if y.len() < SHORT {
                    return match op {
                        Arithmetic::Add => zip(a, b, y, |a, b| a + b),
                        Arithmetic::Sub => zip(a, b, y, |a, b| a - b),
                        Arithmetic::Mul => zip(a, b, y, |a, b| a * b),
                        Arithmetic::Div => zip(a, b, y, |a, b| a / b),
                    };
                }
                elementwise::binary(op.row(), a, b, y, Par::current());
            }
            #[inline]
            fn arithmetic_in_place(op: Arithmetic, a: &mut [Self], b: Operand<'_, Self>) {
                if a.len() < SHORT {
                    return match op {
                        Arithmetic::Add => update(a, b, |a, b| a + b),
                        Arithmetic::Sub => update(a, b, |a, b| a - b),
                        Arithmetic::Mul => update(a, b, |a, b| a * b),
                        Arithmetic::Div => update(a, b, |a, b| a / b),
                    };
                }
                match (op, b) {
                    (Arithmetic::Add, Operand::Slice(b)) => elementwise::add_assign(a, b, Par::current()),
                    (Arithmetic::Mul, Operand::Splat(b)) => elementwise::scale(a, b, Par::current()),
                    _ => elementwise::binary_in_place(op.row(), a, b, Par::current()),
                }
            }
            #[inline]
            fn total(x: &[Self]) -> Self {
                reduce::sum(x, Par::current())
            }
            fn extreme(largest: bool, x: &[Self]) -> Self {
                if largest { reduce::max(x, Par::current()) } else { reduce::min(x, Par::current()) }
            }
            fn arg_extreme(largest: bool, x: &[Self]) -> Option<usize> {
                if largest { reduce::argmax(x) } else { reduce::argmin(x) }
            }
            fn sum_axis(x: &[Self], dims: [usize; 3], y: &mut [Self]) {
                reduce::sum_axis(x, dims, y, Par::current());
            }
            fn extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [Self]) {
                let f = if largest { reduce::max_axis } else { reduce::min_axis };
                f(x, dims, y, Par::current());
            }
            fn arg_extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [i64]) {
                let f = if largest { reduce::argmax_axis } else { reduce::argmin_axis };
                f(x, dims, y, Par::current());
            }
        }
    )* };
}
numeric_float!(f32 f64);

macro_rules! numeric_integer {
    ($($t:ident)*) => { $(
        impl Numeric for $t {
            type Sum = i64;
            const EXACT: bool = true;

            #[inline]
            fn from_index(i: usize) -> Self {
                i as $t
            }
            fn arithmetic(op: Arithmetic, a: Operand<'_, Self>, b: Operand<'_, Self>, y: &mut [Self]) {
                match op {
                    Arithmetic::Add => zip(a, b, y, $t::wrapping_add),
                    Arithmetic::Sub => zip(a, b, y, $t::wrapping_sub),
                    Arithmetic::Mul => zip(a, b, y, $t::wrapping_mul),
                    Arithmetic::Div => zip(a, b, y, $t::wrapping_div),
                }
            }
            fn arithmetic_in_place(op: Arithmetic, a: &mut [Self], b: Operand<'_, Self>) {
                match op {
                    Arithmetic::Add => update(a, b, $t::wrapping_add),
                    Arithmetic::Sub => update(a, b, $t::wrapping_sub),
                    Arithmetic::Mul => update(a, b, $t::wrapping_mul),
                    Arithmetic::Div => update(a, b, $t::wrapping_div),
                }
            }
            fn total(x: &[Self]) -> i64 {
                x.iter().fold(0, |sum, &x| sum.wrapping_add(i64::from(x)))
            }
            fn extreme(largest: bool, x: &[Self]) -> Self {
                let extreme = if largest { x.iter().max() } else { x.iter().min() };
                extreme.copied().unwrap_or_default()
            }
            fn arg_extreme(largest: bool, x: &[Self]) -> Option<usize> {
                // The first of equal ones: `max_by` would return the last.
                let first = |(i, x), (j, y)| if if largest { y > x } else { y < x } { (j, y) } else { (i, x) };
                x.iter().enumerate().reduce(first).map(|(i, _)| i)
            }
            fn sum_axis(x: &[Self], dims: [usize; 3], y: &mut [i64]) {
                y.fill(0);
                fold_axis(x, dims, y, |&x| i64::from(x), |sum, &x| *sum = sum.wrapping_add(i64::from(x)));
            }
            fn extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [Self]) {
                fold_axis(x, dims, y, |&x| x, |best, &x| *best = if largest { x.max(*best) } else { x.min(*best) });
            }
            fn arg_extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [i64]) {
                // The best so far, where it was, and where the fold is.
                let mut lanes = vec![(0, 0, 0); y.len()];
                fold_axis(x, dims, &mut lanes, |&x| (x, 0, 0), |(best, place, here), &x| {
                    *here += 1;
                    if if largest { x > *best } else { x < *best } {
                        (*best, *place) = (x, *here);
                    }
                });
                for (y, lane) in y.iter_mut().zip(lanes) {
                    *y = lane.1;
                }
            }
        }
    )* };
}
numeric_integer!(i32 i64 u32 u8);

/// A number with a sign: `f32`, `f64`, `i32` or `i64`.
pub trait Signed: Numeric {
    /// The number with the other sign; the smallest integer stays as it is.
    #[doc(hidden)]
    fn negative(self) -> Self;
}

impl Signed for f32 {
    fn negative(self) -> Self {
        -self
    }
}
impl Signed for f64 {
    fn negative(self) -> Self {
        -self
    }
}
impl Signed for i32 {
    fn negative(self) -> Self {
        self.wrapping_neg()
    }
}
impl Signed for i64 {
    fn negative(self) -> Self {
        self.wrapping_neg()
    }
}

/// What linear algebra asks of a number: nothing, without it.
#[cfg(not(feature = "linalg"))]
#[doc(hidden)]
pub trait Factorize {}
#[cfg(not(feature = "linalg"))]
impl<T> Factorize for T {}

/// A floating-point number tensors can be made of: `f32` or `f64`.
pub trait FloatElement: Float + Elementary + Signed + Numeric<Sum = Self> + Factorize {}

impl FloatElement for f32 {}
impl FloatElement for f64 {}
