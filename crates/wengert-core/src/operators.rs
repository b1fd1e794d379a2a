//! Operators by reference: every form forwards to the one by value, for duals, truncated series and variables alike.

use crate::dual::Dual;
use crate::number::Primal;
use crate::tape::{Handle, Scalar};
use crate::taylor::Taylor;
use core::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! forward {
    ([$($generics:tt)*] $Op:ident $op:ident $A:ty, $B:ty => $T:ty, |$a:ident, $b:ident| $x:expr, $y:expr) => {
        impl<$($generics)*> $Op<$B> for $A {
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

/// Numbers `T<R, N>` that carry more than a value.
macro_rules! among_numbers {
    ($T:ident $($Op:ident $op:ident)*) => {
        $(
            forward!([R: Primal, const N: usize] $Op $op $T<R, N>, &$T<R, N> => $T<R, N>, |a, b| a, *b);
            forward!([R: Primal, const N: usize] $Op $op &$T<R, N>, $T<R, N> => $T<R, N>, |a, b| *a, b);
            forward!([R: Primal, const N: usize] $Op $op &$T<R, N>, &$T<R, N> => $T<R, N>, |a, b| *a, *b);
            among_numbers!(@constants $T $Op $op f32);
            among_numbers!(@constants $T $Op $op f64);
        )*
        impl<R: Primal, const N: usize> Neg for &$T<R, N> {
            type Output = $T<R, N>;
            #[inline(always)]
            fn neg(self) -> $T<R, N> {
                -*self
            }
        }
    };
    (@constants $T:ident $Op:ident $op:ident $B:ident) => {
        forward!([R: Primal<Base = $B>, const N: usize] $Op $op &$T<R, N>, $B => $T<R, N>, |a, b| *a, b);
        forward!([R: Primal<Base = $B>, const N: usize] $Op $op $T<R, N>, &$B => $T<R, N>, |a, b| a, *b);
        forward!([R: Primal<Base = $B>, const N: usize] $Op $op &$T<R, N>, &$B => $T<R, N>, |a, b| *a, *b);
        forward!([R: Primal<Base = $B>, const N: usize] $Op $op $B, &$T<R, N> => $T<R, N>, |a, b| a, *b);
        forward!([R: Primal<Base = $B>, const N: usize] $Op $op &$B, $T<R, N> => $T<R, N>, |a, b| *a, b);
        forward!([R: Primal<Base = $B>, const N: usize] $Op $op &$B, &$T<R, N> => $T<R, N>, |a, b| *a, *b);
    };
}
among_numbers!(Dual Add add Sub sub Mul mul Div div);
among_numbers!(Taylor Add add Sub sub Mul mul Div div);

/// Variables with constants by reference, as iterators over data yield them.
macro_rules! with_borrowed_constants {
    ($($B:ident)*) => { $( with_borrowed_constants!(@ $B Add add Sub sub Mul mul Div div); )* };
    (@ $B:ident $($Op:ident $op:ident)*) => { $(
        forward!([F: Primal<Base = $B>, H: Handle<F>] $Op $op Scalar<F, H>, &$B => Scalar<F, H>, |a, b| a, *b);
        forward!([F: Primal<Base = $B>, H: Handle<F>] $Op $op &Scalar<F, H>, &$B => Scalar<F, H>, |a, b| *a, *b);
        forward!([F: Primal<Base = $B>, H: Handle<F>] $Op $op &$B, Scalar<F, H> => Scalar<F, H>, |a, b| *a, b);
        forward!([F: Primal<Base = $B>, H: Handle<F>] $Op $op &$B, &Scalar<F, H> => Scalar<F, H>, |a, b| *a, *b);
    )* };
}
with_borrowed_constants!(f32 f64);
