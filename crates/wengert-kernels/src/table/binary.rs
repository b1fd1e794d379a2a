//! The functions of two arguments, arithmetic included: their rows, and what is made of them here.

use super::Elementary;
use crate::math;
use crate::special::{beta, incomplete, logarithm};

/// Hands the binary rows to the macro named, preceded by whatever tokens follow the name.
///
/// `d(a, b, y)` gives both partials, `dy/da` and `dy/db`.
#[macro_export]
macro_rules! binary_table {
    ($callback:path $(, $($extra:tt)*)?) => { $callback! { $($($extra)*)?
        /// Sum, `y = a + b`; partials 1 and 1.
        Add: plus(a, b) {
            value a + b;
            d(a) (a.lit(1.0), a.lit(1.0));
            on -2.0..2.0, -2.0..2.0;
        }
        /// Difference, `y = a - b`; partials 1 and -1.
        Sub: minus(a, b) {
            value a - b;
            d(a) (a.lit(1.0), a.lit(-1.0));
            on -2.0..2.0, -2.0..2.0;
        }
        /// Product, `y = a b`; partials `b` and `a`.
        Mul: times(a, b) {
            value a * b;
            d(a, b) (b, a);
            on -2.0..2.0, -2.0..2.0;
        }
        /// Quotient, `y = a / b`; `dy/da = 1/b`, `dy/db = -y/b`.
        Div: over(a, b) {
            value a / b;
            d(b, y) (b.recip(), -(y / b));
            on -2.0..2.0, 0.5..2.0;
        }
        /// Power `y = a^b` of a variable exponent; `dy/da = b a^(b-1)`, `dy/db = a^b ln a`.
        ///
        /// `0^0 = 1` with both partials 0; a negative base has a NaN slope in the exponent. An exponent that is a
        /// constant costs less through `powi` or a constant operand: the logarithm is then never taken.
        Powf: powf(a, b) {
            value a.powf(b);
            d(a, b) (a.powf_less(b).mul_zero(b), a.powf_ln(b));
            on 0.5..2.0, -2.0..2.0;
        }
        /// Length of the vector `(a, b)` without overflow; partials `a/y`, `b/y`, both 0 at the origin.
        Hypot: hypot(a, b) {
            value a.hypot(b);
            d(a, b, y) (a.div_or_zero(y), b.div_or_zero(y));
            on 0.5..2.0, 0.5..2.0;
        }
        /// Angle of the point `(b, a)`, that is `atan2(y, x)` with `a` the ordinate; partials `b/r^2`, `-a/r^2`, both 0
        /// at the origin, taken through `r = hypot` so that tiny and huge points keep their digits.
        Atan2: atan2(a, b) {
            value a.atan2(b);
            d(a, b) (
                b.div_or_zero(a.hypot(b)).div_or_zero(a.hypot(b)),
                -(a.div_or_zero(a.hypot(b)).div_or_zero(a.hypot(b)))
            );
            on 0.5..2.0, 0.5..2.0;
        }
        /// The larger of two numbers, NaN if either is. A tie splits the gradient evenly; with one NaN the gradient
        /// goes to it.
        Maximum: maximum(a, b) {
            value math::maximum(a, b);
            d(a, b) (a.wins(b), b.wins(a));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The smaller of two numbers, NaN if either is. A tie splits the gradient evenly; with one NaN the gradient
        /// goes to it.
        Minimum: minimum(a, b) {
            value math::minimum(a, b);
            d(a, b) ((-a).wins(-b), (-b).wins(-a));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The larger of two numbers, a number rather than NaN. A tie splits the gradient evenly; NaN takes none of it.
        Fmax: fmax(a, b) {
            value a.max(b);
            d(a, b) (a.fmax_share(b), b.fmax_share(a));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The smaller of two numbers, a number rather than NaN. A tie splits the gradient evenly; NaN takes none of
        /// it.
        Fmin: fmin(a, b) {
            value a.min(b);
            d(a, b) ((-a).fmax_share(-b), (-b).fmax_share(-a));
            on 1.0..2.0, -1.0..0.5;
        }
        /// `ln(e^a + e^b)` without overflow; the partials are the shares of the two in the sum, `sigmoid(a - b)` and
        /// `sigmoid(b - a)`, both 0 where `a = b = -inf`.
        LogAddExp: log_add_exp(a, b) {
            value math::wide2(logarithm::log_add_exp, a, b);
            d(a, b) (a.log_add_exp_share(b), b.log_add_exp_share(a));
            on -2.0..2.0, -2.0..2.0;
        }
        /// `ln(e^a - e^b)` without overflow, NaN for `a < b`; partials `1 + r` and `-r` with `r = 1/(e^(a - b) - 1)`,
        /// infinite where `a = b`.
        LogSubExp: log_sub_exp(a, b) {
            value math::wide2(logarithm::log_sub_exp, a, b);
            d(a, b) (
                a.log_sub_exp_ratio(b).non_negative() + a.lit(1.0),
                -a.log_sub_exp_ratio(b).non_negative()
            );
            on 1.0..2.0, -2.0..0.5;
        }
        /// `y = a ln b`, 0 at `a = 0` whatever `b` is; partials `ln b` and `a/b`, both 0 at the origin.
        Xlogy: xlogy(a, b) {
            value math::wide2(logarithm::xlogy, a, b);
            d(a, b) (a.xlogy_slope(b), a.div_zero(b.non_negative()));
            on -2.0..2.0, 0.5..2.0;
        }
        /// `y = a ln(1 + b)`, 0 at `a = 0` whatever `b` is; partials `ln(1 + b)` and `a/(1 + b)`, both 0 at `(0, -1)`.
        Xlog1py: xlog1py(a, b) {
            value math::wide2(logarithm::xlog1py, a, b);
            d(a, b) (a.xlog1py_slope(b), a.div_zero((b + b.lit(1.0)).non_negative()));
            on -2.0..2.0, -0.5..2.0;
        }
        /// The magnitude of `a` with the sign of `b`; `dy/da` is the product of their signs, 0 at `a = 0`, and
        /// `dy/db = 0`.
        Copysign: copysign(a, b) {
            value a.copysign(b);
            d(a, b) (a.sign().mul_zero(a.lit(1.0).copysign(b)), b.lit(0.0));
            on 0.5..2.0, 0.5..2.0;
        }
        /// Remainder of the division rounded towards 0, with the sign of `a`: `y = a - b trunc(a/b)`; partials 1 and
        /// `-trunc(a/b)`.
        Fmod: fmod(a, b) {
            value a % b;
            d(a, b, y) (a.lit(1.0), -((a - y) / b).round_ties_even());
            on 2.2..2.8, 0.95..1.0;
        }
        /// Remainder of the division rounded down, with the sign of `b`: `y = a - b floor(a/b)`; partials 1 and
        /// `-floor(a/b)`.
        Remainder: remainder(a, b) {
            value math::remainder(a, b);
            d(a, b, y) (a.lit(1.0), -((a - y) / b).round_ties_even());
            on -2.8..-2.2, 0.95..1.0;
        }
        /// Beta function, `y = gamma(a) gamma(b)/gamma(a + b)` for positive numbers, NaN for negative ones;
        /// `dy/da = y (digamma(a) - digamma(a + b))`.
        ///
        /// Within 1e-14.
        Beta: beta(a, b) {
            value math::wide2(beta::beta, a, b);
            d(a, b, y) (
                (a.digamma() - (a + b).digamma()).mul_zero(y),
                (b.digamma() - (a + b).digamma()).mul_zero(y)
            );
            on 0.5..4.0, 0.5..4.0;
        }
        /// Logarithm of the beta function; `dy/da = digamma(a) - digamma(a + b)`.
        ///
        /// Within 1e-14.
        LnBeta: ln_beta(a, b) {
            value math::wide2(beta::ln_beta, a, b);
            d(a, b) (a.digamma() - (a + b).digamma(), b.digamma() - (a + b).digamma());
            on 0.5..4.0, 0.5..4.0;
        }
        /// Regularised lower incomplete gamma function `P(a, b)`, of the shape `a` and the point `b`: the distribution
        /// function of the gamma distribution. `dy/db = b^(a-1) e^-b/gamma(a)`; `dy/da` by differentiating the series.
        ///
        /// Within 1e-14, in the tails of shapes above 500 within 3e-16 times the logarithm. Slopes in the shape to
        /// fourth order and for shapes up to 1e10, NaN beyond; near `a = b` they cost `6 sqrt(a)` steps.
        GammaP: gamma_p(a, b) {
            value math::wide2(incomplete::gamma_p, a, b);
            d(a, b) (a.gamma_p_shape1(b), a.gamma_density(b));
            on 0.5..4.0, 0.5..4.0;
        }
        /// Regularised upper incomplete gamma function `Q(a, b) = 1 - P(a, b)`, with its digits in the tail; `dy/da`
        /// and `dy/db` as for `gamma_p`, with the other sign.
        ///
        /// Within 1e-14, in the tails of shapes above 500 within 3e-16 times the logarithm.
        GammaQ: gamma_q(a, b) {
            value math::wide2(incomplete::gamma_q, a, b);
            d(a, b) (-a.gamma_p_shape1(b), -a.gamma_density(b));
            on 0.5..4.0, 0.5..4.0;
        }
        /// The share of a maximum's gradient that goes to `a`: 1 if `a > b`, 1/2 at a tie, 0 if less, NaN if `a` is
        /// NaN, 0 if only `b` is. The derivative is 0.
        Wins: wins(a, b) {
            value math::wins(a, b);
            d(a) (a.lit(0.0), a.lit(0.0));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The share of `fmax`'s gradient that goes to `a`: 1 if `a > b` or `b` alone is NaN, 1/2 at a tie, NaN if both
        /// are NaN, else 0. The derivative is 0.
        FmaxShare: fmax_share(a, b) {
            value math::fmax_share(a, b);
            d(a) (a.lit(0.0), a.lit(0.0));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The share of `e^a` in `e^a + e^b`, `s(a, b) = sigmoid(a - b)` with the rounding of the difference made good;
        /// 0 where `a = b = -inf`. `dy/da = s(a, b) s(b, a) = -dy/db`.
        LogAddExpShare: log_add_exp_share(a, b) {
            value math::wide2(logarithm::log_add_exp_share, a, b);
            d(a, b, y) (y * b.log_add_exp_share(a), -(y * b.log_add_exp_share(a)));
            on -2.0..2.0, -2.0..2.0;
        }
        /// `r = 1/(e^(a - b) - 1)`; `dy/da = -r (r + 1) = -dy/db`.
        LogSubExpRatio: log_sub_exp_ratio(a, b) {
            value math::wide2(logarithm::log_sub_exp_ratio, a, b);
            d(y) (-(y * (y + y.lit(1.0))), y * (y + y.lit(1.0)));
            on 1.0..2.0, -2.0..0.5;
        }
        /// `ln b`, the slope of `a ln b`, but 0 at the origin; `dy/da = 0`, `dy/db = 1/b`.
        XlogySlope: xlogy_slope(a, b) {
            value if a == 0.0 && b == 0.0 { 0.0 } else { b.ln() };
            d(b) (b.lit(0.0), b.lit(1.0).div_or_zero(b.non_negative()));
            on -2.0..2.0, 0.5..2.0;
        }
        /// `ln(1 + b)`, the slope of `a ln(1 + b)`, but 0 at `(0, -1)`; `dy/da = 0`, `dy/db = 1/(1 + b)`.
        Xlog1pySlope: xlog1py_slope(a, b) {
            value if a == 0.0 && b == -1.0 { 0.0 } else { b.ln_1p() };
            d(b) (b.lit(0.0), b.lit(1.0).div_or_zero((b + b.lit(1.0)).non_negative()));
            on -2.0..2.0, -0.5..2.0;
        }
        /// Quotient in which nothing of nothing is nothing: 0 at the origin.
        DivZero: div_zero(a, b) {
            value if a == 0.0 && b == 0.0 { 0.0 } else { a / b };
            d(b, y) (b.lit(1.0).div_or_zero(b), -(y.div_or_zero(b)));
            on -2.0..2.0, 0.5..2.0;
        }
        /// Gamma density `b^(a-1) e^-b/gamma(a)`; `dy/da = y (ln b - digamma(a))`, `dy/db = y (a - 1 - b)/b`.
        ///
        /// Within 1e-14, far out in the tails of shapes above 5000 within 3e-16 times the logarithm.
        GammaDensity: gamma_density(a, b) {
            value math::wide2(incomplete::gamma_density, a, b);
            d(a, b, y) (
                (b.ln() - a.digamma()).mul_zero(y),
                (((a - a.lit(1.0)) - b) / b).mul_zero(y)
            );
            on 0.5..4.0, 0.5..4.0;
        }
        /// First derivative of `gamma_p` in the shape; `dy/db` is the density's. With `L = ln b - digamma(a)`: density
        /// times `L`.
        ///
        /// Within 1e-14, of the largest term of its series where it is near 0.
        GammaPShape1: gamma_p_shape1(a, b) {
            value math::wide2(incomplete::gamma_p_shape::<1>, a, b);
            d(a, b) (a.gamma_p_shape2(b), (b.ln() - a.digamma()).mul_zero(a.gamma_density(b)));
            on 0.5..4.0, 0.5..4.0;
        }
        /// Second derivative of `gamma_p` in the shape; `dy/db` is the density times `L^2 - trigamma(a)`.
        ///
        /// Within 1e-14, of the largest term of its series where it is near 0: at `(0.202, 0.381)` that is 36 times as
        /// large.
        GammaPShape2: gamma_p_shape2(a, b) {
            value math::wide2(incomplete::gamma_p_shape::<2>, a, b);
            d(a, b) (
                a.gamma_p_shape3(b),
                ((b.ln() - a.digamma()).square() - a.trigamma()).mul_zero(a.gamma_density(b))
            );
            on 0.5..4.0, 0.5..4.0;
        }
        /// Third derivative of `gamma_p` in the shape; `dy/db` is the density times `L^3 - 3 L psi_1 - psi_2`.
        ///
        /// Within 1e-13, of the largest term likewise.
        GammaPShape3: gamma_p_shape3(a, b) {
            value math::wide2(incomplete::gamma_p_shape::<3>, a, b);
            d(a, b) (
                a.gamma_p_shape4(b),
                ((b.ln() - a.digamma()) * ((b.ln() - a.digamma()).square() - a.trigamma() * a.lit(3.0)) - a.polygamma(2))
                    .mul_zero(a.gamma_density(b))
            );
            on 0.5..4.0, 0.5..4.0;
        }
        /// Fourth derivative of `gamma_p` in the shape; `dy/db` is the density times
        /// `L^4 - 6 L^2 psi_1 - 4 L psi_2 + 3 psi_1^2 - psi_3`. The fifth is not provided: `dy/da` is NaN.
        ///
        /// Within 1e-13.
        GammaPShape4: gamma_p_shape4(a, b) {
            value math::wide2(incomplete::gamma_p_shape::<4>, a, b);
            d(a, b) (
                // And so are its derivatives.
                (a + b).scaled(f64::NAN),
                ((b.ln() - a.digamma())
                    * ((b.ln() - a.digamma()) * ((b.ln() - a.digamma()).square() - a.trigamma() * a.lit(6.0))
                        - a.polygamma(2) * a.lit(4.0))
                    + a.trigamma().square() * a.lit(3.0)
                    - a.polygamma(3))
                .mul_zero(a.gamma_density(b))
            );
            on 0.5..4.0, 0.5..4.0;
        }
        /// Product in which zero on either side makes zero of anything, infinities and NaN included: how cotangents
        /// meet partials.
        MulZero: mul_zero(a, b) {
            // Both sides are looked at: with `||` the second factor would be loaded under a mask that waits for the
            // first.
            value if (a == 0.0) | (b == 0.0) { 0.0 } else { a * b };
            d(a, b) (b, a);
            on -2.0..2.0, 0.5..2.0;
        }
        /// Quotient that is 0 where `b` is 0, with derivative 0 there.
        DivOrZero: div_or_zero(a, b) {
            value if b == 0.0 { 0.0 } else { a / b };
            d(b, y) (b.lit(1.0).div_or_zero(b), -(y.div_or_zero(b)));
            on -2.0..2.0, 0.5..2.0;
        }
        /// `a^(b-1)`; `dy/da = (b - 1) a^(b-2)`, `dy/db = a^(b-1) ln a`.
        ///
        /// Below 1/2 the difference `b - 1` is rounded, and a power multiplies that error by `ln a`: 300 ulp at
        /// `1e300^0.3`. There the power is taken first and divided by `a`, which overflows or underflows only if the
        /// result does; above, the difference is exact. The derivative chooses in the same way, by a factor of 0 or 1.
        PowfLess: powf_less(a, b) {
            value math::powf_less(a, b);
            d(a, b, y) (
                ((y / a).mul_zero((b.lit(0.5) - b).step())
                    + a.powf_less(b - b.lit(1.0)).mul_zero(b.lit(1.0) - (b.lit(0.5) - b).step()))
                    .mul_zero(b - b.lit(1.0)),
                a.ln().mul_zero(y)
            );
            on 0.5..2.0, -2.0..2.0;
        }
        /// `a^b ln a`, the slope of a power in its exponent; 0 at `a = 0` for `b >= 0`. `dy/da = a^(b-1) (1 + b ln a)`.
        PowfLn: powf_ln(a, b) {
            value if a == 0.0 && b >= 0.0 { 0.0 } else { a.powf(b) * a.ln() };
            d(a, b, y) (
                a.powf_less(b).mul_zero(b.lit(1.0) + a.ln().mul_zero(b)),
                a.ln().mul_zero(y)
            );
            on 0.5..2.0, -2.0..2.0;
        }
    } };
}

macro_rules! binary_rows {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) {
        value $value:expr;
        d($($kept:ident),*) ($da:expr, $db:expr);
        on $alo:literal..$ahi:literal, $blo:literal..$bhi:literal;
    } )*) => {
        /// Opcodes of the elementary functions of two arguments, arithmetic included.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Binary { $( $(#[$doc])* $Op ),* }

        impl Binary {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Binary] = &[$(Binary::$Op),*];

            /// The method's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Binary::$Op => stringify!($method)),* }
            }

            /// Intervals where the function is smooth and finite differences are trustworthy.
            #[must_use]
            pub const fn domain(self) -> [(f64, f64); 2] {
                match self { $(Binary::$Op => [($alo, $ahi), ($blo, $bhi)]),* }
            }

            /// Whether the derivative reads the result.
            #[must_use]
            pub const fn keeps_result(self) -> bool {
                match self { $(Binary::$Op => false $(|| is!($kept, y))*),* }
            }

            /// The function itself, chosen at run time.
            #[inline]
            pub fn eval<R: Elementary>(self, a: R, b: R) -> R {
                match self { $(Binary::$Op => a.$method(b)),* }
            }

            /// `(dy/da, dy/db)` at `(a, b)`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, a: R, b: R, y: R) -> (R, R) {
                match self { $(Binary::$Op => derivatives::$method(a, b, y)),* }
            }
        }

        /// The functions of two arguments: one method for every row of the table.
        pub trait BinaryFunctions: Sized {
            $( $(#[$doc])* #[must_use] fn $method(self, $b: Self) -> Self; )*
        }

        impl BinaryFunctions for f64 {
            $( #[inline(always)] fn $method(self, $b: f64) -> f64 { let $a = self; $value } )*
        }
        impl BinaryFunctions for f32 {
            $( #[inline(always)] fn $method(self, $b: f32) -> f32 { let $a = self; $value } )*
        }

        pub mod derivatives {
            use super::Elementary;
            $(
                #[doc = concat!("`(dy/da, dy/db)` of [`", stringify!($method), "`](super::BinaryFunctions::", stringify!($method), ") from its arguments and its value.")]
                #[inline(always)]
                #[allow(unused_variables, reason = "a rule names only what it keeps")]
                pub fn $method<R: Elementary>(left: R, right: R, value: R) -> (R, R) {
                    $( let $kept = primal!($kept, left, right, value); )*
                    ($da, $db)
                }
            )*
        }
    };
}
binary_table!(binary_rows);

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of powers in the specification of awkward points: base, exponent, value, both partials.
    #[test]
    fn powers_at_the_awkward_points() {
        let inf = f64::INFINITY;
        let nan = f64::NAN;
        let rows = [
            (0.0, 0.0, 1.0, 0.0, 0.0),
            (0.0, 1.0, 0.0, 1.0, 0.0),
            (0.0, 2.0, 0.0, 0.0, 0.0),
            (0.0, 0.5, 0.0, inf, 0.0),
            (0.0, -1.0, inf, -inf, -inf),
            (-2.0, 3.0, -8.0, 12.0, nan),
            (-2.0, 0.5, nan, nan, nan),
            (nan, 0.0, 1.0, 0.0, nan),
            (1.0, nan, 1.0, nan, 0.0),
            (inf, 0.0, 1.0, 0.0, inf),
        ];
        for (a, b, y, da, db) in rows {
            let value: f64 = a.powf(b);
            let got = derivatives::powf(a, b, value);
            for (got, want) in [(value, y), (got.0, da), (got.1, db)] {
                assert!(got == want || got.is_nan() && want.is_nan(), "{a}^{b}: {got}, expected {want}");
            }
        }
    }
}
