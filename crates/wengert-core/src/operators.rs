//! What numbers that carry more than a value have alike: duals, truncated series and variables.
//!
//! Operators by reference and with assignment forward to those by value, sums of references to sums of values. Numbers
//! of forward mode compare and print as their values; variables do not stand there, as a recorder keeps their
//! comparisons.

use crate::dual::Dual;
use crate::number::Primal;
use crate::tape::{Handle, Scalar};
use crate::taylor::Taylor;
use core::cmp::Ordering;
use core::fmt::{self, Display};
use core::iter::{Product, Sum};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use wengert_kernels::Constants;

/// One form of an operator; with a constant of the type `$C`, for numbers over it.
macro_rules! forward {
    ([$($generics:tt)*] $Op:ident $op:ident $A:ty, $B:ty => $T:ty $(where $C:ident)?, |$a:ident, $b:ident| $x:expr, $y:expr) => {
        impl<$($generics)*> $Op<$B> for $A
        where
            F: Primal $(<Base = $C>)?,
        {
            type Output = $T;
            #[inline(always)]
            #[track_caller]
            fn $op(self, other: $B) -> $T {
                let ($a, $b) = (self, other);
                $Op::$op($x, $y)
            }
        }
    };
}

/// All forms of an operator.
macro_rules! forms {
    ($generics:tt $T:ty: $($Op:ident $op:ident, $OpAssign:ident $op_assign:ident;)*) => { $(
        forward!($generics $Op $op $T, &$T => $T, |a, b| a, *b);
        forward!($generics $Op $op &$T, $T => $T, |a, b| *a, b);
        forward!($generics $Op $op &$T, &$T => $T, |a, b| *a, *b);
        forms!(@constants $generics $Op $op $T, f32);
        forms!(@constants $generics $Op $op $T, f64);
        forms!(@assign $generics $Op $op $OpAssign $op_assign $T);
    )* };
    (@constants $generics:tt $Op:ident $op:ident $T:ty, $B:ident) => {
        forward!($generics $Op $op &$T, $B => $T where $B, |a, b| *a, b);
        forward!($generics $Op $op $T, &$B => $T where $B, |a, b| a, *b);
        forward!($generics $Op $op &$T, &$B => $T where $B, |a, b| *a, *b);
        forward!($generics $Op $op $B, &$T => $T where $B, |a, b| a, *b);
        forward!($generics $Op $op &$B, $T => $T where $B, |a, b| *a, b);
        forward!($generics $Op $op &$B, &$T => $T where $B, |a, b| *a, *b);
    };
    (@assign [$($generics:tt)*] $Op:ident $op:ident $OpAssign:ident $op_assign:ident $T:ty) => {
        impl<$($generics)*, X> $OpAssign<X> for $T
        where
            Self: $Op<X, Output = Self>,
        {
            #[inline(always)]
            #[track_caller]
            fn $op_assign(&mut self, other: X) {
                *self = $Op::$op(*self, other);
            }
        }
    };
}

macro_rules! numbers {
    ($([$($generics:tt)*] $T:ty;)*) => { $(
        forms! { [$($generics)*] $T:
            Add add, AddAssign add_assign;
            Sub sub, SubAssign sub_assign;
            Mul mul, MulAssign mul_assign;
            Div div, DivAssign div_assign;
        }
        impl<$($generics)*> Neg for &$T {
            type Output = $T;
            #[inline(always)]
            fn neg(self) -> $T {
                -*self
            }
        }
        impl<'a, $($generics)*> Sum<&'a $T> for $T {
            #[inline]
            #[track_caller]
            fn sum<I: Iterator<Item = &'a Self>>(numbers: I) -> Self {
                numbers.copied().sum()
            }
        }
        impl<'a, $($generics)*> Product<&'a $T> for $T {
            #[track_caller]
            fn product<I: Iterator<Item = &'a Self>>(numbers: I) -> Self {
                numbers.copied().product()
            }
        }
    )* };
}
numbers! {
    [F: Primal, const N: usize] Dual<F, N>;
    [F: Primal, const N: usize] Taylor<F, N>;
    [F: Primal, H: Handle<F>] Scalar<F, H>;
}

macro_rules! forward_mode {
    ($($T:ident, |$x:ident| $value:expr;)*) => { $(
        impl<F: Primal, const N: usize> PartialEq for $T<F, N> {
            #[inline(always)]
            fn eq(&self, other: &Self) -> bool {
                let value = |$x: &Self| $value;
                value(self) == value(other)
            }
        }
        impl<F: Primal, const N: usize> PartialOrd for $T<F, N> {
            #[inline(always)]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                let value = |$x: &Self| $value;
                value(self).partial_cmp(&value(other))
            }
        }
        impl<F: Primal, const N: usize> Display for $T<F, N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let value = |$x: &Self| $value;
                Display::fmt(&value(self), f)
            }
        }
        impl<F: Primal, const N: usize> Sum for $T<F, N> {
            fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
                numbers.fold(Self::ZERO, Add::add)
            }
        }
        impl<F: Primal, const N: usize> Product for $T<F, N> {
            fn product<I: Iterator<Item = Self>>(numbers: I) -> Self {
                numbers.fold(Self::ONE, Mul::mul)
            }
        }
    )* };
}
forward_mode! {
    Dual, |x| x.value;
    Taylor, |x| x.coefficients()[0];
}
