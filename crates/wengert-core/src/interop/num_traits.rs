//! `num_traits` for variables and duals.

use super::foreign::Foreign;
use crate::dual::Dual;
use crate::number::Primal;
use crate::tape::{Differentiable, Scalar};
use crate::taylor::Taylor;
use core::num::FpCategory;
use core::ops::{Rem, RemAssign};
use num_traits::{
    Bounded, Float, FloatConst, FromPrimitive, Inv, MulAdd, MulAddAssign, Num, NumCast, One, ParseFloatError, Pow,
    Signed, ToPrimitive, Zero,
};
use wengert_kernels::{BinaryFunctions, ParametricFunctions, UnaryFunctions};

/// Evaluates an expression on the value in its own width.
macro_rules! in_its_width {
    ($x:expr, |$v:ident| $of_value:expr) => {{
        let value = $x.plain();
        if Self::SINGLE {
            let $v = value as f32;
            $of_value
        } else {
            let $v = value;
            $of_value
        }
    }};
}

/// A constant that has another value in each width.
macro_rules! of_its_width {
    ($($constant:ident)::+) => {
        if Self::SINGLE { Self::fixed(f32::$($constant)::+ as f64) } else { Self::fixed(f64::$($constant)::+) }
    };
}

macro_rules! rows {
    ($($function:ident)*) => { $(
        #[inline]
        fn $function(self) -> Self {
            UnaryFunctions::$function(self)
        }
    )* };
}

macro_rules! numbers {
    ($([$($generics:tt)*] $Number:ty;)*) => { $(
        impl<$($generics)*> Zero for $Number {
            #[inline(always)]
            fn zero() -> Self {
                Self::fixed(0.0)
            }
            #[inline(always)]
            fn is_zero(&self) -> bool {
                self.plain() == 0.0
            }
        }

        impl<$($generics)*> One for $Number {
            #[inline(always)]
            fn one() -> Self {
                Self::fixed(1.0)
            }
        }

        impl<$($generics)*> Rem for $Number {
            type Output = Self;
            #[inline]
            fn rem(self, other: Self) -> Self {
                BinaryFunctions::fmod(self, other)
            }
        }

        impl<$($generics)*> RemAssign for $Number {
            #[inline]
            fn rem_assign(&mut self, other: Self) {
                *self = BinaryFunctions::fmod(*self, other);
            }
        }

        impl<$($generics)*> Num for $Number {
            type FromStrRadixErr = ParseFloatError;
            fn from_str_radix(text: &str, radix: u32) -> Result<Self, ParseFloatError> {
                f64::from_str_radix(text, radix).map(Self::fixed)
            }
        }

        impl<$($generics)*> ToPrimitive for $Number {
            fn to_i64(&self) -> Option<i64> {
                self.plain().to_i64()
            }
            fn to_u64(&self) -> Option<u64> {
                self.plain().to_u64()
            }
            fn to_i128(&self) -> Option<i128> {
                self.plain().to_i128()
            }
            fn to_u128(&self) -> Option<u128> {
                self.plain().to_u128()
            }
            fn to_f32(&self) -> Option<f32> {
                self.plain().to_f32()
            }
            fn to_f64(&self) -> Option<f64> {
                Some(self.plain())
            }
        }

        impl<$($generics)*> FromPrimitive for $Number {
            fn from_i64(n: i64) -> Option<Self> {
                n.to_f64().map(Self::fixed)
            }
            fn from_u64(n: u64) -> Option<Self> {
                n.to_f64().map(Self::fixed)
            }
            fn from_i128(n: i128) -> Option<Self> {
                n.to_f64().map(Self::fixed)
            }
            fn from_u128(n: u128) -> Option<Self> {
                n.to_f64().map(Self::fixed)
            }
            fn from_f64(x: f64) -> Option<Self> {
                Some(Self::fixed(x))
            }
        }

        impl<$($generics)*> NumCast for $Number {
            /// A constant: the derivative of what is cast does not come along.
            fn from<X: ToPrimitive>(x: X) -> Option<Self> {
                x.to_f64().map(Self::fixed)
            }
        }

        impl<$($generics)*> Bounded for $Number {
            fn min_value() -> Self {
                Float::min_value()
            }
            fn max_value() -> Self {
                Float::max_value()
            }
        }

        impl<$($generics)*> Signed for $Number {
            #[inline]
            fn abs(&self) -> Self {
                Float::abs(*self)
            }
            #[inline]
            fn abs_sub(&self, other: &Self) -> Self {
                Float::abs_sub(*self, *other)
            }
            #[inline]
            fn signum(&self) -> Self {
                Float::signum(*self)
            }
            #[inline]
            fn is_positive(&self) -> bool {
                Float::is_sign_positive(*self)
            }
            #[inline]
            fn is_negative(&self) -> bool {
                Float::is_sign_negative(*self)
            }
        }

        impl<$($generics)*> Inv for $Number {
            type Output = Self;
            #[inline]
            fn inv(self) -> Self {
                Float::recip(self)
            }
        }

        impl<$($generics)*> MulAdd for $Number {
            type Output = Self;
            #[inline]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Float::mul_add(self, a, b)
            }
        }

        impl<$($generics)*> MulAddAssign for $Number {
            #[inline]
            fn mul_add_assign(&mut self, a: Self, b: Self) {
                *self = Float::mul_add(*self, a, b);
            }
        }

        impl<$($generics)*> Pow<i32> for $Number {
            type Output = Self;
            #[inline]
            fn pow(self, n: i32) -> Self {
                Float::powi(self, n)
            }
        }

        impl<$($generics)*> Pow<Self> for $Number {
            type Output = Self;
            #[inline]
            fn pow(self, exponent: Self) -> Self {
                Float::powf(self, exponent)
            }
        }

        impl<$($generics)*> Float for $Number {
            rows! {
                sqrt cbrt exp exp_m1 ln ln_1p log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh abs
                recip floor ceil trunc
            }

            #[inline]
            fn round(self) -> Self {
                // Half away from zero, as on floats: the largest number below 1/2 keeps what is below it below.
                let half = BinaryFunctions::copysign(Self::fixed(0.499_999_999_999_999_94), self);
                UnaryFunctions::trunc(self + half)
            }
            #[inline]
            fn signum(self) -> Self {
                let one = BinaryFunctions::copysign(Self::fixed(1.0), self);
                if self.plain().is_nan() { self } else { one }
            }

            #[inline]
            fn nan() -> Self {
                Self::fixed(f64::NAN)
            }
            #[inline]
            fn infinity() -> Self {
                Self::fixed(f64::INFINITY)
            }
            #[inline]
            fn neg_infinity() -> Self {
                Self::fixed(f64::NEG_INFINITY)
            }
            #[inline]
            fn neg_zero() -> Self {
                Self::fixed(-0.0)
            }
            #[inline]
            fn min_value() -> Self {
                of_its_width!(MIN)
            }
            #[inline]
            fn min_positive_value() -> Self {
                of_its_width!(MIN_POSITIVE)
            }
            #[inline]
            fn epsilon() -> Self {
                of_its_width!(EPSILON)
            }
            #[inline]
            fn max_value() -> Self {
                of_its_width!(MAX)
            }
            #[inline]
            fn is_nan(self) -> bool {
                self.plain().is_nan()
            }
            #[inline]
            fn is_infinite(self) -> bool {
                self.plain().is_infinite()
            }
            #[inline]
            fn is_finite(self) -> bool {
                self.plain().is_finite()
            }
            #[inline]
            fn is_normal(self) -> bool {
                in_its_width!(self, |x| x.is_normal())
            }
            #[inline]
            fn classify(self) -> FpCategory {
                in_its_width!(self, |x| x.classify())
            }
            #[inline]
            fn is_sign_positive(self) -> bool {
                self.plain().is_sign_positive()
            }
            #[inline]
            fn is_sign_negative(self) -> bool {
                self.plain().is_sign_negative()
            }
            fn integer_decode(self) -> (u64, i16, i8) {
                in_its_width!(self, |x| x.integer_decode())
            }
            #[inline]
            fn fract(self) -> Self {
                self - Float::trunc(self)
            }
            #[inline]
            fn mul_add(self, a: Self, b: Self) -> Self {
                self * a + b
            }
            #[inline]
            fn powi(self, n: i32) -> Self {
                ParametricFunctions::powi(self, n)
            }
            #[inline]
            fn powf(self, exponent: Self) -> Self {
                self.power(exponent)
            }
            #[inline]
            fn exp2(self) -> Self {
                UnaryFunctions::exp2(self)
            }
            #[inline]
            fn log(self, base: Self) -> Self {
                UnaryFunctions::ln(self) / UnaryFunctions::ln(base)
            }
            #[inline]
            fn to_degrees(self) -> Self {
                self * Self::fixed(180.0 / core::f64::consts::PI)
            }
            #[inline]
            fn to_radians(self) -> Self {
                self * Self::fixed(core::f64::consts::PI / 180.0)
            }
            #[inline]
            fn max(self, other: Self) -> Self {
                BinaryFunctions::fmax(self, other)
            }
            #[inline]
            fn min(self, other: Self) -> Self {
                BinaryFunctions::fmin(self, other)
            }
            #[inline]
            fn clamp(self, low: Self, high: Self) -> Self {
                self.between(low, high)
            }
            #[inline]
            fn abs_sub(self, other: Self) -> Self {
                (self - other).relu()
            }
            #[inline]
            fn hypot(self, other: Self) -> Self {
                BinaryFunctions::hypot(self, other)
            }
            #[inline]
            fn atan2(self, other: Self) -> Self {
                BinaryFunctions::atan2(self, other)
            }
            #[inline]
            fn sin_cos(self) -> (Self, Self) {
                (UnaryFunctions::sin(self), UnaryFunctions::cos(self))
            }
            #[inline]
            fn copysign(self, sign: Self) -> Self {
                BinaryFunctions::copysign(self, sign)
            }
        }

        impl<$($generics)*> FloatConst for $Number {
            float_constants! {
                E FRAC_1_PI FRAC_1_SQRT_2 FRAC_2_PI FRAC_2_SQRT_PI FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8 LN_10
                LN_2 LOG10_E LOG2_E PI SQRT_2 TAU LOG10_2 LOG2_10
            }
        }
    )* };
}

macro_rules! float_constants {
    ($($constant:ident)*) => { $(
        #[inline]
        fn $constant() -> Self {
            Self::fixed(core::f64::consts::$constant)
        }
    )* };
}

// Variables on tapes only: on a recorder, what is constant between jumps would stay as it was when recorded.
numbers! {
    [F: Primal, H: Differentiable<F>] Scalar<F, H>;
    [R: Primal, const N: usize] Dual<R, N>;
    [R: Primal, const N: usize] Taylor<R, N>;
}
