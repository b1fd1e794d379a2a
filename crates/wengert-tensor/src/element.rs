//! The types of number a tensor can hold.

use core::fmt;

use wengert_kernels::{Binary, Elementary, Float};

use crate::buffer::Plain;
use crate::compute::{self, Operand};

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

/// The operations all numbers have, integers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Maximum,
    Minimum,
}

impl Arithmetic {
    /// The name errors use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Arithmetic::Add => "add",
            Arithmetic::Sub => "sub",
            Arithmetic::Mul => "mul",
            Arithmetic::Div => "div",
            Arithmetic::Maximum => "maximum",
            Arithmetic::Minimum => "minimum",
        }
    }
}

/// A type of number: `f32`, `f64`, `i32`, `i64`, `u32` or `u8`.
///
/// Integers wrap around on overflow, as they do in NumPy and PyTorch, and divide towards zero, as they do in Rust.
pub trait Numeric: Element {
    /// The type sums are made in: a float's own, `i64` for integers.
    type Sum: Numeric;
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
                let op = match op {
                    Arithmetic::Add => Binary::Add,
                    Arithmetic::Sub => Binary::Sub,
                    Arithmetic::Mul => Binary::Mul,
                    Arithmetic::Div => Binary::Div,
                    Arithmetic::Maximum => Binary::Maximum,
                    Arithmetic::Minimum => Binary::Minimum,
                };
                compute::binary(op, a, b, y);
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
                    Arithmetic::Add => compute::zip(a, b, y, $t::wrapping_add),
                    Arithmetic::Sub => compute::zip(a, b, y, $t::wrapping_sub),
                    Arithmetic::Mul => compute::zip(a, b, y, $t::wrapping_mul),
                    Arithmetic::Div => compute::zip(a, b, y, $t::wrapping_div),
                    Arithmetic::Maximum => compute::zip(a, b, y, Ord::max),
                    Arithmetic::Minimum => compute::zip(a, b, y, Ord::min),
                }
            }
            fn sum_axis(x: &[Self], dims: [usize; 3], y: &mut [i64]) {
                compute::fold_axis(x, dims, y, |_| 0, |sum: i64, x| sum.wrapping_add(x as i64));
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

/// A floating-point number tensors can be made of: `f32` or `f64`.
pub trait FloatElement: Float + Elementary + Numeric<Sum = Self> {}

impl FloatElement for f32 {}
impl FloatElement for f64 {}
