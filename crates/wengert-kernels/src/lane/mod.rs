//! Elementary functions without branches, which the compiler turns into vector code inside a loop.
//!
//! The standard library's `exp` is a call, and a loop around a call stays scalar. The bodies here are straight-line
//! arithmetic with selects, generic in whether a fused multiply-add is an instruction; inlined into a loop compiled for
//! AVX-512 they become 512-bit code. [`Lane`] wraps a float so that a formula written over [`Elementary`] uses them:
//! the derivatives of the table vectorise like the functions.
//!
//! Functions without a body of their own are not worth a loop of their own either: one loop looks the row up for every
//! element (`LaneFloat::row`).
//!
//! Accuracy over the whole domain, in ulp, by the tests below, `f32` and `f64`: `exp` 0.8 and 1; `ln` 1; `exp_m1` 2;
//! `ln_1p` 1.5 and 2; `sin` and `cos` 1.5 and 1; `tanh`, `sigmoid` and `softplus` 2. `norm_pdf` and `norm_cdf` of `f32`
//! 1, `gelu` 2 where the distribution function is normal; in `f64` those three are calls.

mod double;
mod normal;
mod shared;
mod single;

use crate::{Binary, BinaryFunctions, Elementary, Float, Parametric, ParametricFunctions, Unary, UnaryFunctions};
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A float whose elementary functions are branch-free.
///
/// `FMA` says whether the surrounding loop is compiled for a processor with fused multiply-add. `sin` and `cos` hold
/// for arguments up to [`LaneFloat::ANGLE_LIMIT`] only; a loop that calls them tests its blocks first.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
#[repr(transparent)]
pub(crate) struct Lane<F, const FMA: bool>(pub F);

/// What loops over lanes need to know of the float.
pub(crate) trait LaneFloat: Sized {
    /// The largest magnitude `sin` and `cos` of a lane can reduce.
    const ANGLE_LIMIT: Self;
    /// The branch-free number: `Lane<Self, FMA>`.
    type Lane<const FMA: bool>: Elementary;
    /// Wraps.
    fn lane<const FMA: bool>(self) -> Self::Lane<FMA>;
    /// Unwraps.
    fn of_lane<const FMA: bool>(lane: Self::Lane<FMA>) -> Self;
    /// A row's function from the standard library, at any argument.
    fn library<O: UnaryRow>(self) -> Self;
    /// A row's derivative from the standard library, at any argument.
    fn library_partial<O: UnaryRow>(self, y: Self) -> Self;
    /// The function of any row, chosen at run time.
    fn row(self, op: Unary) -> Self;
    /// The derivative of any row, chosen at run time.
    fn row_partial(self, y: Self, op: Unary) -> Self;
    /// The function of any row of two arguments, chosen at run time.
    fn row_binary(self, b: Self, op: Binary) -> Self;
    /// The partials of any row, chosen at run time.
    fn row_partials(self, b: Self, y: Self, op: Binary) -> (Self, Self);
    /// The function of any row with constants.
    fn row_parametric(self, op: Parametric) -> Self;
    /// The derivative of any row with constants.
    fn row_parametric_partial(self, y: Self, op: Parametric) -> Self;
    /// `self^n`.
    fn integer_power(self, n: i32) -> Self;
    /// `self - b trunc(self/b)`.
    fn truncated_remainder(self, b: Self) -> Self;
    /// `e^x` for `x <= 0`, zero where it would be within a few binades of the subnormals.
    fn exp_decay<const FMA: bool>(self) -> Self;
    /// `tanh` from `e = exp(-2|x|)`.
    fn tanh_of<const FMA: bool>(self, e: Self) -> Self;
    /// The slope of `tanh` from `e = exp(-2|x|)`.
    fn tanh_slope_of<const FMA: bool>(self, e: Self) -> Self;
    /// Square root, correctly rounded.
    fn square_root(self) -> Self;
    /// `self * b + c`, in one rounding where that is an instruction.
    fn lane_mul_add<const FMA: bool>(self, b: Self, c: Self) -> Self;
}

/// A row of the table of unary functions as a type, for loops that are compiled once per row.
pub(crate) trait UnaryRow: Copy {
    /// Whether the function, and so its derivative, reduces an angle: then it holds up to [`LaneFloat::ANGLE_LIMIT`].
    const ANGLE: bool;
    /// The function.
    fn value<R: Elementary>(x: R) -> R;
    /// `dy/dx` at `x`, where `y` is the value.
    fn partial<R: Elementary>(x: R, y: R) -> R;
}

/// A row of the table of binary functions as a type.
pub(crate) trait BinaryRow: Copy {
    /// The function.
    fn value<R: Elementary>(a: R, b: R) -> R;
    /// `(dy/da, dy/db)` at `(a, b)`, where `y` is the value.
    fn partials<R: Elementary>(a: R, b: R, y: R) -> (R, R);
}

macro_rules! unary_row_types {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($row:tt)* } )*) => { $(
        #[derive(Clone, Copy)]
        pub(crate) struct $Op;
        impl UnaryRow for $Op {
            const ANGLE: bool = matches!(Unary::$Op, Unary::Sin | Unary::Cos);
            #[inline(always)]
            fn value<R: Elementary>(x: R) -> R { x.$method() }
            #[inline(always)]
            fn partial<R: Elementary>(x: R, y: R) -> R { derivative::$method(x, y) }
        }
    )* };
}
macro_rules! binary_row_types {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) { $($row:tt)* } )*) => { $(
        #[derive(Clone, Copy)]
        pub(crate) struct $Op;
        impl BinaryRow for $Op {
            #[inline(always)]
            fn value<R: Elementary>(a: R, b: R) -> R { a.$method(b) }
            #[inline(always)]
            fn partials<R: Elementary>(a: R, b: R, y: R) -> (R, R) { derivative::$method(a, b, y) }
        }
    )* };
}
/// The rows of both tables as types, under the names of their opcodes.
#[allow(dead_code, reason = "rows that share a loop are looked up by opcode")]
pub(crate) mod rows {
    use super::{BinaryRow, UnaryRow};
    use crate::{Elementary, Unary, derivative};
    crate::unary_table!(unary_row_types);
    crate::binary_table!(binary_row_types);
}

/// The branch-free body of a row, or the standard one for rows without.
macro_rules! body {
    ($m:ident, exp, $x:expr) => {
        $m::exp::<FMA>($x)
    };
    ($m:ident, exp_m1, $x:expr) => {
        $m::exp_m1::<FMA>($x)
    };
    ($m:ident, ln, $x:expr) => {
        $m::ln::<FMA>($x)
    };
    ($m:ident, ln_1p, $x:expr) => {
        $m::ln_1p::<FMA>($x)
    };
    ($m:ident, sin, $x:expr) => {
        $m::sin::<FMA>($x)
    };
    ($m:ident, cos, $x:expr) => {
        $m::cos::<FMA>($x)
    };
    ($m:ident, tanh, $x:expr) => {
        $m::tanh::<FMA>($x)
    };
    ($m:ident, tanh_slope, $x:expr) => {
        $m::tanh_slope::<FMA>($x)
    };
    ($m:ident, sigmoid, $x:expr) => {
        $m::sigmoid::<FMA>($x)
    };
    ($m:ident, sigmoid_slope, $x:expr) => {
        $m::sigmoid_slope::<FMA>($x)
    };
    ($m:ident, softplus, $x:expr) => {
        crate::math::relu($x) + $m::ln_1p_of_fraction::<FMA>($m::exp_fall::<FMA>(-$x.abs()))
    };
    ($m:ident, log_sigmoid, $x:expr) => {
        -crate::math::relu(-$x) - $m::ln_1p_of_fraction::<FMA>($m::exp_fall::<FMA>(-$x.abs()))
    };
    ($m:ident, silu, $x:expr) => {
        Float::mul_zero($x, $m::sigmoid::<FMA>($x))
    };
    ($m:ident, gelu_tanh, $x:expr) => {
        Float::mul_zero($x, $m::sigmoid::<FMA>(crate::math::gelu_tanh_argument($x)))
    };
    ($m:ident, tanh_softplus, $x:expr) => {
        crate::math::tanh_softplus_of($x, $m::exp_fall::<FMA>(-$x.abs()), $m::mul_add::<FMA>)
    };
    ($m:ident, mish, $x:expr) => {
        Float::mul_zero($x, body!($m, tanh_softplus, $x))
    };
    ($m:ident, norm_pdf, $x:expr) => {
        $m::norm_pdf::<FMA>($x)
    };
    ($m:ident, norm_cdf, $x:expr) => {
        $m::norm_cdf::<FMA>($x)
    };
    ($m:ident, gelu, $x:expr) => {
        Float::mul_zero($x, $m::norm_cdf::<FMA>($x))
    };
    ($m:ident, $other:ident, $x:expr) => {
        UnaryFunctions::$other($x)
    };
}

macro_rules! unary_lane {
    ($f:ident, $m:ident, $( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($row:tt)* } )*) => {
        impl<const FMA: bool> UnaryFunctions for Lane<$f, FMA> {
            $( #[inline(always)] fn $method(self) -> Self { Lane(body!($m, $method, self.0)) } )*
        }
    };
}
macro_rules! binary_lane {
    ($f:ident, $( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) { $($row:tt)* } )*) => {
        impl<const FMA: bool> BinaryFunctions for Lane<$f, FMA> {
            $( #[inline(always)] fn $method(self, b: Self) -> Self { Lane(BinaryFunctions::$method(self.0, b.0)) } )*
        }
    };
}

macro_rules! parametric_lane {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) { $($row:tt)* } )*) => {
        impl<F: Float + Elementary, const FMA: bool> ParametricFunctions for Lane<F, FMA> {
            $( #[inline(always)] fn $method(self, $($p: $P),*) -> Self { Lane(ParametricFunctions::$method(self.0, $($p),*)) } )*
        }
    };
}
crate::parametric_table!(parametric_lane);

macro_rules! lane {
    ($($f:ident $m:ident)*) => { $(
        crate::unary_table!(unary_lane, $f, $m,);
        crate::binary_table!(binary_lane, $f,);

        impl<const FMA: bool> Elementary for Lane<$f, FMA> {
            #[inline(always)]
            fn lit(self, c: f64) -> Self {
                Lane(c as $f)
            }
        }

        impl LaneFloat for $f {
            const ANGLE_LIMIT: $f = $m::ANGLE_LIMIT;
            type Lane<const FMA: bool> = Lane<$f, FMA>;
            #[inline(always)]
            fn lane<const FMA: bool>(self) -> Lane<$f, FMA> {
                Lane(self)
            }
            #[inline(always)]
            fn of_lane<const FMA: bool>(lane: Lane<$f, FMA>) -> $f {
                lane.0
            }
            #[inline(always)]
            fn library<O: UnaryRow>(self) -> $f {
                O::value(self)
            }
            #[inline(always)]
            fn library_partial<O: UnaryRow>(self, y: $f) -> $f {
                O::partial(self, y)
            }
            fn row(self, op: Unary) -> $f {
                op.eval(self)
            }
            fn row_partial(self, y: $f, op: Unary) -> $f {
                op.derivative(self, y)
            }
            fn row_binary(self, b: $f, op: Binary) -> $f {
                op.eval(self, b)
            }
            fn row_partials(self, b: $f, y: $f, op: Binary) -> ($f, $f) {
                op.derivative(self, b, y)
            }
            fn row_parametric(self, op: Parametric) -> $f {
                op.eval(self)
            }
            fn row_parametric_partial(self, y: $f, op: Parametric) -> $f {
                op.derivative(self, y)
            }
            #[inline(always)]
            fn integer_power(self, n: i32) -> $f {
                self.powi(n)
            }
            #[inline(always)]
            fn truncated_remainder(self, b: $f) -> $f {
                self % b
            }
            #[inline(always)]
            fn exp_decay<const FMA: bool>(self) -> $f {
                $m::exp_decay::<FMA>(self)
            }
            #[inline(always)]
            fn tanh_of<const FMA: bool>(self, e: $f) -> $f {
                $m::tanh_of::<FMA>(self, e)
            }
            #[inline(always)]
            fn tanh_slope_of<const FMA: bool>(self, e: $f) -> $f {
                $m::tanh_slope_of::<FMA>(self, e)
            }
            #[inline(always)]
            fn square_root(self) -> $f {
                self.sqrt()
            }
            #[inline(always)]
            fn lane_mul_add<const FMA: bool>(self, b: $f, c: $f) -> $f {
                $m::mul_add::<FMA>(self, b, c)
            }
        }
    )* };
}
lane!(f32 single f64 double);

macro_rules! arithmetic {
    ($($Op:ident $op:ident)*) => { $(
        impl<F: Float, const FMA: bool> $Op for Lane<F, FMA> {
            type Output = Self;
            #[inline(always)]
            fn $op(self, other: Self) -> Self {
                Lane(self.0.$op(other.0))
            }
        }
    )* };
}
arithmetic!(Add add Sub sub Mul mul Div div);

impl<F: Float, const FMA: bool> Neg for Lane<F, FMA> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Lane(-self.0)
    }
}

#[cfg(test)]
mod tests;
