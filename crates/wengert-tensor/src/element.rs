//! The types of number a tensor can hold.

use core::fmt;

use wengert_kernels::elementwise::{self, Operand};
use wengert_kernels::{Binary, Elementary, Float, Par};

use crate::buffer::Plain;
use crate::compute;

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

/// Below this length a loop is written out here: looking at the opcode and the processor, and filling a block with copies
/// of a single number, would take longer than the arithmetic. The results are the same bits.
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
    /// Whether this is NaN.
    #[doc(hidden)]
    fn is_nan_value(self) -> bool;
    #[doc(hidden)]
    fn arithmetic(op: Arithmetic, a: Operand<'_, Self>, b: Operand<'_, Self>, y: &mut [Self]);
    #[doc(hidden)]
    fn arithmetic_in_place(op: Arithmetic, a: &mut [Self], b: Operand<'_, Self>);
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
            fn is_nan_value(self) -> bool {
                self.is_nan()
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
            fn sum_axis(x: &[Self], dims: [usize; 3], y: &mut [Self]) {
                compute::sum_axis(x, dims, y);
            }
            fn extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [Self]) {
                compute::extreme_axis(largest, x, dims, y);
            }
            fn arg_extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [i64]) {
                compute::arg_extreme_axis(largest, x, dims, y);
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
            #[inline]
            fn is_nan_value(self) -> bool {
                false
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
            fn sum_axis(x: &[Self], dims: [usize; 3], y: &mut [i64]) {
                y.fill(0);
                compute::fold_axis(x, dims, y, |x| x as i64, |sum: i64, x| sum.wrapping_add(x as i64));
            }
            fn extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [Self]) {
                compute::extreme_axis(largest, x, dims, y);
            }
            fn arg_extreme_axis(largest: bool, x: &[Self], dims: [usize; 3], y: &mut [i64]) {
                compute::arg_extreme_axis(largest, x, dims, y);
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

/// A floating-point number tensors can be made of: `f32` or `f64`.
pub trait FloatElement: Float + Elementary + Signed + Numeric<Sum = Self> {}

impl FloatElement for f32 {}
impl FloatElement for f64 {}
