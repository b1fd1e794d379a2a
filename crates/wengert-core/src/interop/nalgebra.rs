//! `nalgebra`: its number traits, which live in `simba`, for variables without a lifetime and for duals.

use super::foreign::Foreign;
use crate::dual::Dual;
use crate::number::Primal;
use crate::real::{Real, Threaded};
use crate::taylor::Taylor;
use approx::{AbsDiffEq, RelativeEq, UlpsEq};
use num_traits::{Float, FloatConst, One, Zero};
use simba::scalar::{ComplexField, Field, RealField, SubsetOf};
use simba::simd::SimdValue;
use wengert_kernels::UnaryFunctions;

/// What `num_traits::Float` has under the same name.
macro_rules! as_float {
    ($($function:ident)*) => { $(
        #[inline]
        fn $function(self) -> Self {
            Float::$function(self)
        }
    )* };
}

macro_rules! as_float_of_two {
    ($($function:ident)*) => { $(
        #[inline]
        fn $function(self, other: Self) -> Self {
            Float::$function(self, other)
        }
    )* };
}

macro_rules! constants {
    ($($function:ident $constant:ident)*) => { $(
        #[inline]
        fn $function() -> Self {
            <Self as FloatConst>::$constant()
        }
    )* };
}

macro_rules! numbers {
    ($([$($generics:tt)*] $Number:ty;)*) => { $(
        impl<$($generics)*> SubsetOf<$Number> for $Number {
            #[inline]
            fn to_superset(&self) -> Self {
                *self
            }
            #[inline]
            fn from_superset_unchecked(x: &Self) -> Self {
                *x
            }
            #[inline]
            fn is_in_subset(_: &Self) -> bool {
                true
            }
        }

        // A checked conversion to a plain number drops the derivative rather than refuse: nalgebra's exponential
        // unwraps one to choose how often to square.
        impl<$($generics)*> SubsetOf<$Number> for f64 {
            #[inline]
            fn to_superset(&self) -> $Number {
                <$Number>::fixed(*self)
            }
            #[inline]
            fn from_superset_unchecked(x: &$Number) -> f64 {
                x.plain()
            }
            #[inline]
            fn is_in_subset(_: &$Number) -> bool {
                true
            }
        }
        impl<$($generics)*> SubsetOf<$Number> for f32 {
            #[inline]
            fn to_superset(&self) -> $Number {
                <$Number>::fixed(f64::from(*self))
            }
            #[inline]
            fn from_superset_unchecked(x: &$Number) -> f32 {
                x.plain() as f32
            }
            #[inline]
            fn is_in_subset(_: &$Number) -> bool {
                true
            }
        }

        #[expect(unsafe_code, reason = "signatures of the trait; nothing in the bodies is unsafe")]
        impl<$($generics)*> SimdValue for $Number {
            const LANES: usize = 1;
            type Element = Self;
            type SimdBool = bool;

            #[inline(always)]
            fn splat(x: Self) -> Self {
                x
            }
            #[inline(always)]
            fn extract(&self, _lane: usize) -> Self {
                *self
            }
            #[inline(always)]
            unsafe fn extract_unchecked(&self, _lane: usize) -> Self {
                *self
            }
            #[inline(always)]
            fn replace(&mut self, _lane: usize, x: Self) {
                *self = x;
            }
            #[inline(always)]
            unsafe fn replace_unchecked(&mut self, _lane: usize, x: Self) {
                *self = x;
            }
            #[inline(always)]
            fn select(self, condition: bool, other: Self) -> Self {
                if condition { self } else { other }
            }
        }

        impl<$($generics)*> Field for $Number {}

        impl<$($generics)*> AbsDiffEq for $Number {
            type Epsilon = Self;
            fn default_epsilon() -> Self {
                Float::epsilon()
            }
            fn abs_diff_eq(&self, other: &Self, epsilon: Self) -> bool {
                self.plain().abs_diff_eq(&other.plain(), epsilon.plain())
            }
        }
        impl<$($generics)*> RelativeEq for $Number {
            fn default_max_relative() -> Self {
                Float::epsilon()
            }
            fn relative_eq(&self, other: &Self, epsilon: Self, max_relative: Self) -> bool {
                self.plain().relative_eq(&other.plain(), epsilon.plain(), max_relative.plain())
            }
        }
        impl<$($generics)*> UlpsEq for $Number {
            fn default_max_ulps() -> u32 {
                f64::default_max_ulps()
            }
            fn ulps_eq(&self, other: &Self, epsilon: Self, max_ulps: u32) -> bool {
                let (a, b, epsilon) = (self.plain(), other.plain(), epsilon.plain());
                if Self::SINGLE {
                    (a as f32).ulps_eq(&(b as f32), epsilon as f32, max_ulps)
                } else {
                    a.ulps_eq(&b, epsilon, max_ulps)
                }
            }
        }

        impl<$($generics)*> ComplexField for $Number {
            type RealField = Self;

            as_float! {
                sqrt cbrt exp exp_m1 ln ln_1p log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh abs
                recip floor ceil round trunc fract signum exp2
            }
            as_float_of_two! { hypot log powf }

            #[inline(always)]
            fn from_real(x: Self) -> Self {
                x
            }
            #[inline(always)]
            fn real(self) -> Self {
                self
            }
            #[inline]
            fn imaginary(self) -> Self {
                Self::zero()
            }
            #[inline]
            fn modulus(self) -> Self {
                Float::abs(self)
            }
            #[inline]
            fn modulus_squared(self) -> Self {
                self.square()
            }
            fn argument(self) -> Self {
                if self >= Self::zero() { Self::zero() } else { Self::pi() }
            }
            #[inline]
            fn norm1(self) -> Self {
                Float::abs(self)
            }
            #[inline]
            fn scale(self, factor: Self) -> Self {
                self * factor
            }
            #[inline]
            fn unscale(self, factor: Self) -> Self {
                self / factor
            }
            // The product of the two is `self` with slope 1, at 0 too: what a Householder reflection of a column that
            // begins with 0 relies on.
            fn to_exp(self) -> (Self, Self) {
                if self >= Self::zero() { (self, Self::one()) } else { (-self, -Self::one()) }
            }
            #[inline]
            fn mul_add(self, a: Self, b: Self) -> Self {
                Float::mul_add(self, a, b)
            }
            #[inline]
            fn conjugate(self) -> Self {
                self
            }
            #[inline]
            fn sin_cos(self) -> (Self, Self) {
                Float::sin_cos(self)
            }
            #[inline]
            fn powi(self, n: i32) -> Self {
                Float::powi(self, n)
            }
            #[inline]
            fn powc(self, exponent: Self) -> Self {
                Float::powf(self, exponent)
            }
            #[inline]
            fn is_finite(&self) -> bool {
                Float::is_finite(*self)
            }
            #[inline]
            fn try_sqrt(self) -> Option<Self> {
                (self >= Self::zero()).then(|| Float::sqrt(self))
            }
        }

        impl<$($generics)*> RealField for $Number {
            constants! {
                pi PI two_pi TAU frac_pi_2 FRAC_PI_2 frac_pi_3 FRAC_PI_3 frac_pi_4 FRAC_PI_4 frac_pi_6 FRAC_PI_6 frac_pi_8
                FRAC_PI_8 frac_1_pi FRAC_1_PI frac_2_pi FRAC_2_PI frac_2_sqrt_pi FRAC_2_SQRT_PI e E log2_e LOG2_E log10_e
                LOG10_E ln_2 LN_2 ln_10 LN_10
            }
            as_float_of_two! { max min copysign atan2 }

            #[inline]
            fn is_sign_positive(&self) -> bool {
                Float::is_sign_positive(*self)
            }
            #[inline]
            fn is_sign_negative(&self) -> bool {
                Float::is_sign_negative(*self)
            }
            #[inline]
            fn clamp(self, low: Self, high: Self) -> Self {
                Float::clamp(self, low, high)
            }
            fn min_value() -> Option<Self> {
                Some(Float::min_value())
            }
            fn max_value() -> Option<Self> {
                Some(Float::max_value())
            }
        }
    )* };
}

numbers! {
    [F: Threaded] Real<F>;
    [R: Primal, const N: usize] Dual<R, N>;
    [R: Primal, const N: usize] Taylor<R, N>;
}
