//! The two floating-point types everything is built over.

use crate::compiled::Compiled;
use crate::conv::winograd::Minimal;
use crate::lane::LaneFloat;
use crate::matmul::vector::VectorFloat;
use core::fmt::{Debug, Display};
use core::iter::Sum;
use core::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// The two numbers every kind of number has.
pub trait Constants: Sized {
    /// `0`, constant.
    const ZERO: Self;
    /// `1`, constant.
    const ONE: Self;
}

/// A floating-point number the kernels are compiled for: `f32` or `f64`.
///
/// Sealed: the kernels are written for these two widths.
#[expect(private_bounds, reason = "seals the trait")]
pub trait Float:
    Compiled
    + Minimal
    + Constants
    + LaneFloat
    + VectorFloat
    + Copy
    + Default
    + Debug
    + Display
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
{
    /// A quiet NaN.
    const NAN: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// The name users know the type by: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same number as an `f64`, exactly.
    fn to_f64(self) -> f64;
    /// Whether this is NaN.
    fn is_nan(self) -> bool;
    /// Whether this is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// `self * p`, except that a zero `p` gives zero whatever `self` is, infinities and NaN included.
    ///
    /// A partial of exactly zero says that nothing flows this way, so what it is multiplied with does not matter.
    fn mul_zero(self, p: Self) -> Self;
}

macro_rules! float {
    ($($f:ident)*) => { $(
        impl Constants for $f {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
        }
        impl Float for $f {
            const NAN: Self = $f::NAN;
            const INFINITY: Self = $f::INFINITY;
            const EPSILON: Self = $f::EPSILON;
            const MIN_POSITIVE: Self = $f::MIN_POSITIVE;
            const NAME: &'static str = stringify!($f);

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $f
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $f::is_nan(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $f::is_finite(self)
            }
            #[inline(always)]
            fn mul_zero(self, p: Self) -> Self {
                // Multiply first, then select: a branch here costs the recording of unpredictable code 10-20 %.
                let product = self * p;
                if p == 0.0 { 0.0 } else { product }
            }
        }
    )* };
}
float!(f32 f64);
