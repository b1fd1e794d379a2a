//! The one list of elementary functions.
//!
//! A row is written once, here. From it come the opcode, the method on every number ([`Elementary`]), the derivative at
//! every order ([`derivative`]), the vector loops of [`crate::elementwise`], and, in the crates to the right, the methods
//! of tensors and variables and the tests that walk the table. [`unary_table!`](crate::unary_table),
//! [`binary_table!`](crate::binary_table) and [`parametric_table!`](crate::parametric_table), whose functions take
//! constants beside their argument, hand the rows to a callback macro.
//!
//! # How to read a row
//!
//! ```text
//! Tanh: tanh(x) {                  opcode, method, argument
//!     value x.tanh();              the function on `f32` and `f64`
//!     d(x) ...;                    dy/dx, from what it names: d(x), d(y), d(x, y) or d()
//!     on -3.0..3.0;                where finite differences are trustworthy
//! }
//! ```
//!
//! A derivative is an expression in `+ - * /`, [`lit`](Elementary::lit) and other rows, generic in the number: evaluated
//! on floats it is the partial, on duals the partial and its tangents, on tensor variables it records ops. So it can be
//! differentiated again, and it contains no branch: what selects (a kink, a tie, a pole) is a row of its own with a
//! derivative of its own. To add an elementary function, add a row and its reference values.
//!
//! # Accuracy
//!
//! In double precision the error of values, first and second derivatives is at most 2, 4 and 8 ulp over the whole domain,
//! measured against 60-digit arithmetic by the tests; where a row says so, 1e-14 in all three. Where a result is the
//! difference of larger terms, an ulp is one of the largest term. Special functions of `f32` are computed in `f64`.

use crate::Float;
use crate::math;
use crate::special::{bessel, beta, erf, gamma, incomplete, logarithm, polygamma, trigonometric};
use core::ops::{Add, Div, Mul, Neg, Sub};

/// Hands the unary rows to the macro named, preceded by whatever tokens follow the name.
#[macro_export]
macro_rules! unary_table {
    ($callback:path $(, $($extra:tt)*)?) => { $callback! { $($($extra)*)?
        /// Negation, `y = -x`; `dy/dx = -1`.
        Neg: negated(x) {
            value -x;
            d(x) x.lit(-1.0);
            on -2.0..2.0;
        }
        /// Reciprocal, `y = 1/x`; `dy/dx = -y^2`.
        Recip: recip(x) {
            value 1.0 / x;
            d(y) -(y * y);
            on 0.5..3.0;
        }
        /// Square root; `dy/dx = 1/(2y)`, infinite at 0, the true limit.
        Sqrt: sqrt(x) {
            value x.sqrt();
            d(y) (y + y).recip();
            on 0.5..4.0;
        }
        /// Cube root, defined for negative numbers too; `dy/dx = 1/(3y^2)`, infinite at 0.
        Cbrt: cbrt(x) {
            value x.cbrt();
            d(y) (y * y * y.lit(3.0)).recip();
            on 0.5..4.0;
        }
        /// Square, `y = x^2`; `dy/dx = 2x`.
        Square: square(x) {
            value x * x;
            d(x) x + x;
            on -2.0..2.0;
        }
        /// Natural exponential; `dy/dx = y`.
        Exp: exp(x) {
            value x.exp();
            d(y) y;
            on -2.0..2.0;
        }
        /// `exp(x) - 1`, exact near 0; `dy/dx = exp(x)`.
        ///
        /// `y + 1` would be the same on paper and has no digit left at -37.
        ExpM1: exp_m1(x) {
            value x.exp_m1();
            d(x) x.exp();
            on -2.0..2.0;
        }
        /// Natural logarithm; `dy/dx = 1/x`. At 0 it is `-inf` with an infinite slope, below 0 NaN with a NaN slope.
        Ln: ln(x) {
            value x.ln();
            d(x) x.non_negative().recip();
            on 0.5..4.0;
        }
        /// `ln(1 + x)`, exact near 0; `dy/dx = 1/(1 + x)`.
        Ln1p: ln_1p(x) {
            value x.ln_1p();
            d(x) (x + x.lit(1.0)).non_negative().recip();
            on -0.5..3.0;
        }
        /// Logarithm to base 2; `dy/dx = 1/(x ln 2)`.
        Log2: log2(x) {
            value x.log2();
            d(x) x.non_negative().recip() * x.lit(core::f64::consts::LOG2_E);
            on 0.5..4.0;
        }
        /// Logarithm to base 10; `dy/dx = 1/(x ln 10)`.
        Log10: log10(x) {
            value x.log10();
            d(x) x.non_negative().recip() * x.lit(core::f64::consts::LOG10_E);
            on 0.5..4.0;
        }
        /// Sine of an angle in radians; `dy/dx = cos x`.
        Sin: sin(x) {
            value x.sin();
            d(x) x.cos();
            on -3.0..3.0;
        }
        /// Cosine of an angle in radians; `dy/dx = -sin x`.
        Cos: cos(x) {
            value x.cos();
            d(x) -x.sin();
            on -3.0..3.0;
        }
        /// Tangent of an angle in radians; `dy/dx = 1 + y^2`.
        Tan: tan(x) {
            value x.tan();
            d(y) y * y + y.lit(1.0);
            on -1.2..1.2;
        }
        /// Arc sine; `dy/dx = 1/sqrt((1 - x)(1 + x))`, infinite at the ends.
        ///
        /// See `one_minus_square` for why the product is a row of its own.
        Asin: asin(x) {
            value x.asin();
            d(x) x.one_minus_square().sqrt().recip();
            on -0.8..0.8;
        }
        /// Arc cosine; `dy/dx = -1/sqrt((1 - x)(1 + x))`.
        Acos: acos(x) {
            value x.acos();
            d(x) -x.one_minus_square().sqrt().recip();
            on -0.8..0.8;
        }
        /// Arc tangent; `dy/dx = 1/(1 + x^2)`.
        ///
        /// Taken as the square of `1/hypot(x, 1)`: differentiating the reciprocal itself squares it, which underflows from
        /// `1e81` on, where the second derivative is still `1e-243`. `sqrt(1 + x^2)` would do in forward mode only.
        Atan: atan(x) {
            value x.atan();
            d(x) x.hypot(x.lit(1.0)).recip().square();
            on -3.0..3.0;
        }
        /// Hyperbolic sine; `dy/dx = cosh x`.
        Sinh: sinh(x) {
            value x.sinh();
            d(x) x.cosh();
            on -2.0..2.0;
        }
        /// Hyperbolic cosine; `dy/dx = sinh x`.
        Cosh: cosh(x) {
            value x.cosh();
            d(x) x.sinh();
            on -2.0..2.0;
        }
        /// Hyperbolic tangent; `dy/dx = 1/cosh^2 x = 4 s(2x) s(-2x)` with the sigmoid `s`.
        ///
        /// The shorter `1 - y^2` has relative error 1e-8 at `x = 10` and none of its digits left at 19.5; squaring
        /// `cosh x` overflows from 355.
        Tanh: tanh(x) {
            value x.tanh();
            d(x) (x + x).sigmoid() * (-(x + x)).sigmoid() * x.lit(4.0);
            on -2.0..2.0;
        }
        /// Inverse hyperbolic sine; `dy/dx = 1/hypot(x, 1)`, which does not overflow where `x^2` would.
        Asinh: asinh(x) {
            value x.asinh();
            d(x) x.hypot(x.lit(1.0)).recip();
            on -3.0..3.0;
        }
        /// Inverse hyperbolic cosine; `dy/dx = 1/(sqrt(x - 1) sqrt(x + 1))`.
        Acosh: acosh(x) {
            value math::acosh(x);
            d(x) ((x - x.lit(1.0)).sqrt() * (x + x.lit(1.0)).sqrt()).recip();
            on 1.5..4.0;
        }
        /// Inverse hyperbolic tangent; `dy/dx = 1/((1 - x)(1 + x))`, infinite at the ends.
        Atanh: atanh(x) {
            value math::atanh(x);
            d(x) x.one_minus_square().non_negative().recip();
            on -0.8..0.8;
        }
        /// Logistic function, `y = 1/(1 + exp(-x))`; `dy/dx = s(x) s(-x)`.
        ///
        /// `y (1 - y)` is exactly 0 from 36.75 on, where the truth is 1.1e-16.
        Sigmoid: sigmoid(x) {
            value math::sigmoid(x);
            d(x, y) y * (-x).sigmoid();
            on -4.0..4.0;
        }
        /// `ln(1 + exp(x))` without overflow; `dy/dx = sigmoid(x)`. No threshold: the second derivative keeps its tail.
        Softplus: softplus(x) {
            value math::softplus(x);
            d(x) x.sigmoid();
            on -4.0..4.0;
        }
        /// Absolute value; `dy/dx = sign x`, 0 at the kink (the subgradient of smallest norm).
        Abs: abs(x) {
            value x.abs();
            d(x) x.sign();
            on 0.5..2.0;
        }
        /// `max(x, 0)`; `dy/dx = step x`, 0 at the kink. NaN stays NaN and passes no gradient.
        Relu: relu(x) {
            value math::relu(x);
            d(x) x.step();
            on 0.5..2.0;
        }
        /// `-1`, `0` or `1` by the sign of `x`; the derivative is 0. NaN stays NaN.
        Sign: sign(x) {
            value math::sign(x);
            d(x) x.lit(0.0);
            on 0.5..2.0;
        }
        /// `1` where `x > 0`, else `0`, NaN included; the derivative is 0.
        Step: step(x) {
            value if x > 0.0 { 1.0 } else { 0.0 };
            d(x) x.lit(0.0);
            on 0.5..2.0;
        }
        /// Power of two, `y = 2^x`; `dy/dx = y ln 2`.
        Exp2: exp2(x) {
            value x.exp2();
            d(y) y * y.lit(core::f64::consts::LN_2);
            on -2.0..2.0;
        }
        /// Sine of an angle in half turns, `y = sin(pi x)`, exactly 0 at the integers; `dy/dx = pi cos(pi x)`.
        Sinpi: sinpi(x) {
            value math::wide(trigonometric::sinpi, x);
            d(x) x.cospi() * x.lit(core::f64::consts::PI);
            on -1.0..1.0;
        }
        /// Cosine of an angle in half turns, `y = cos(pi x)`, exactly 0 half way between integers; `dy/dx = -pi sin(pi x)`.
        Cospi: cospi(x) {
            value math::wide(trigonometric::cospi, x);
            d(x) x.sinpi() * x.lit(-core::f64::consts::PI);
            on -1.0..1.0;
        }
        /// Cardinal sine, normalised: `y = sin(pi x)/(pi x)`, 1 at 0 and 0 at the other integers.
        ///
        /// `dy/dx = (cos(pi x) - y)/x` has no digits near 0, where the slope is `-pi^2 x/3`: it is a row of its own, and so
        /// is every further derivative (`sinc_derivative`).
        Sinc: sinc(x) {
            value math::wide(trigonometric::sinc, x);
            d(x) x.sinc_derivative(1);
            on -2.0..2.0;
        }
        /// Log-odds, `y = ln(x/(1 - x))`; `dy/dx = 1/x + 1/(1 - x)`, a sum that keeps its digits. NaN outside 0 to 1.
        Logit: logit(x) {
            value math::wide(logarithm::logit, x);
            d(x) x.non_negative().recip() + (x.lit(1.0) - x).non_negative().recip();
            on 0.1..0.9;
        }
        /// Logarithm of the logistic function, `y = -ln(1 + exp(-x))`; `dy/dx = sigmoid(-x)`.
        LogSigmoid: log_sigmoid(x) {
            value -math::softplus(-x);
            d(x) (-x).sigmoid();
            on -4.0..4.0;
        }
        /// Error function, `y = 2/sqrt(pi) integral of exp(-t^2) over 0..x`; `dy/dx = 2/sqrt(pi) exp(-x^2)`.
        Erf: erf(x) {
            value math::wide(erf::erf, x);
            d(x) x.gaussian() * x.lit(core::f64::consts::FRAC_2_SQRT_PI);
            on -2.0..2.0;
        }
        /// Complementary error function, `y = 1 - erf(x)`, with its digits in the tail; `dy/dx = -2/sqrt(pi) exp(-x^2)`.
        Erfc: erfc(x) {
            value math::wide(erf::erfc, x);
            d(x) x.gaussian() * x.lit(-core::f64::consts::FRAC_2_SQRT_PI);
            on -2.0..2.0;
        }
        /// Inverse error function, infinite at -1 and 1, NaN outside; `dy/dx = sqrt(pi)/2 exp(y^2)`.
        ///
        /// Within 1e-14. The slope is a row of its own: the rounding of `y` would cost `exp(y^2)` 35 ulp.
        ErfInv: erf_inv(x) {
            value math::wide(erf::erf_inv, x);
            d(x) x.erf_inv_slope();
            on -0.8..0.8;
        }
        /// Standard normal density, `y = exp(-x^2/2)/sqrt(2 pi)`; `dy/dx = -x y`.
        NormPdf: norm_pdf(x) {
            value math::wide(erf::norm_pdf, x);
            d(x, y) -x.mul_zero(y);
            on -2.0..2.0;
        }
        /// Standard normal distribution function, `y = erfc(-x/sqrt(2))/2`, with its digits in the tail; `dy/dx` is the
        /// density.
        NormCdf: norm_cdf(x) {
            value math::wide(erf::norm_cdf, x);
            d(x) x.norm_pdf();
            on -2.0..2.0;
        }
        /// Logarithm of the standard normal distribution function, without underflow; `dy/dx` is the inverse Mills ratio,
        /// density over distribution function.
        ///
        /// Within 1e-14.
        LogNormCdf: log_norm_cdf(x) {
            value math::wide(erf::log_norm_cdf, x);
            d(x) x.inverse_mills();
            on -3.0..3.0;
        }
        /// Gamma function, factorials shifted by one; `dy/dx = y digamma(x)`. Infinite at 0, NaN at the other poles.
        ///
        /// Within 1e-14; factorials are exact up to `gamma(23)`.
        Gamma: gamma(x) {
            value math::wide(gamma::gamma, x);
            d(x, y) y * x.digamma();
            on 0.5..4.0;
        }
        /// Logarithm of the gamma function's magnitude; `dy/dx = digamma(x)`. Infinite at the poles 0, -1, -2, ..., where
        /// the slope is NaN.
        ///
        /// Within 1e-14; for positive arguments relative to the value, beside its zeros 1 and 2 too.
        LnGamma: ln_gamma(x) {
            value math::wide(gamma::ln_gamma, x);
            d(x) x.digamma();
            on 0.5..4.0;
        }
        /// Logarithmic derivative of the gamma function; `dy/dx = trigamma(x)`. NaN at the poles 0, -1, -2, ...
        ///
        /// Within 1e-14.
        Digamma: digamma(x) {
            value math::wide(polygamma::digamma, x);
            d(x) x.trigamma();
            on 0.5..4.0;
        }
        /// Derivative of `digamma`; `dy/dx` is `polygamma(2)`. NaN at the poles.
        ///
        /// Within 1e-14.
        Trigamma: trigamma(x) {
            value math::wide(|x| polygamma::polygamma(1, x), x);
            d(x) x.polygamma(2);
            on 0.5..4.0;
        }
        /// Bessel function `J_0`; `dy/dx = -J_1(x)`.
        ///
        /// Within 1e-14 of the height of its waves.
        BesselJ0: bessel_j0(x) {
            value math::wide(|x| bessel::bessel_j(0, x), x);
            d(x) -x.bessel_j1();
            on -4.0..4.0;
        }
        /// Bessel function `J_1`; `dy/dx = (J_0(x) - J_2(x))/2`, which is 1/2 at 0.
        ///
        /// Within 1e-14 of the height of its waves.
        BesselJ1: bessel_j1(x) {
            value math::wide(|x| bessel::bessel_j(1, x), x);
            d(x) (x.bessel_j0() - x.bessel_j(2)) * x.lit(0.5);
            on -4.0..4.0;
        }
        /// Modified Bessel function `I_0`; `dy/dx = I_1(x)`.
        ///
        /// Within 1e-14.
        BesselI0: bessel_i0(x) {
            value math::wide(|x| bessel::bessel_i(0, x), x);
            d(x) x.bessel_i1();
            on -4.0..4.0;
        }
        /// Modified Bessel function `I_1`; `dy/dx = (I_0(x) + I_2(x))/2`, which is 1/2 at 0.
        ///
        /// Within 1e-14.
        BesselI1: bessel_i1(x) {
            value math::wide(|x| bessel::bessel_i(1, x), x);
            d(x) (x.bessel_i0() + x.bessel_i(2)) * x.lit(0.5);
            on -4.0..4.0;
        }
        /// The largest integer not above `x`; the derivative is 0, at the jumps too.
        Floor: floor(x) {
            value x.floor();
            d(x) x.lit(0.0);
            on 0.2..0.8;
        }
        /// The smallest integer not below `x`; the derivative is 0, at the jumps too.
        Ceil: ceil(x) {
            value x.ceil();
            d(x) x.lit(0.0);
            on 0.2..0.8;
        }
        /// The nearest integer, the even one half way between two; the derivative is 0, at the jumps too.
        RoundTiesEven: round_ties_even(x) {
            value x.round_ties_even();
            d(x) x.lit(0.0);
            on 0.6..1.4;
        }
        /// The integer next to `x` towards 0; the derivative is 0, at the jumps too.
        Trunc: trunc(x) {
            value x.trunc();
            d(x) x.lit(0.0);
            on 0.2..0.8;
        }
        /// The Gaussian `exp(-x^2)`; `dy/dx = -2 x y`. The rounding of the square, 700 ulp in the tail, is made good.
        Gaussian: gaussian(x) {
            value math::wide(erf::gaussian, x);
            d(x, y) -(x + x).mul_zero(y);
            on -2.0..2.0;
        }
        /// Slope of the inverse error function, `sqrt(pi)/2 exp(erf_inv(x)^2)`; `dy/dx = 2 erf_inv(x) y^2`.
        ///
        /// Within 1e-14.
        ErfInvSlope: erf_inv_slope(x) {
            value math::wide(erf::erf_inv_slope, x);
            d(x, y) (x.erf_inv() * y) * (y + y);
            on -0.8..0.8;
        }
        /// Inverse Mills ratio `m`, the standard normal density over the distribution function; `dy/dx = -m (m + x)`.
        ///
        /// Within 1e-14.
        InverseMills: inverse_mills(x) {
            value math::wide(erf::inverse_mills, x);
            d(x, y) -x.mills_excess().mul_zero(y);
            on -3.0..3.0;
        }
        /// `m + x` with the inverse Mills ratio `m`, whose terms cancel in the left tail; `dy/dx = 1 - m (m + x)`.
        ///
        /// Within 1e-14.
        MillsExcess: mills_excess(x) {
            value math::wide(erf::mills_excess, x);
            d(x) x.mills_variance();
            on -3.0..3.0;
        }
        /// Variance of a standard normal variable known to be below `x`, `v = 1 - m (m + x)`; `dy/dx = m ((m + x)^2 - v)`.
        ///
        /// Within 1e-14.
        MillsVariance: mills_variance(x) {
            value math::wide(erf::mills_variance, x);
            d(x, y) (x.mills_excess().square() - y).mul_zero(x.inverse_mills());
            on -3.0..3.0;
        }
        /// `(1 - x)(1 + x)`; `dy/dx = -2x`.
        ///
        /// `1 - x * x` cancels near `x = 1`: 1e-11 relative error in the slope of `asin`. The product does not, but its
        /// derivative, taken factor by factor, is `(1 - x) - (1 + x)` and has no digit of `-2x` left below `1e-16`.
        OneMinusSquare: one_minus_square(x) {
            value (1.0 - x) * (1.0 + x);
            d(x) -(x + x);
            on -2.0..2.0;
        }
        /// The identity on the numbers from 0 up, NaN below: keeps a derivative inside its function's domain.
        NonNegative: non_negative(x) {
            value math::non_negative(x);
            d(x) x.lit(1.0);
            on 0.5..2.0;
        }
    } };
}

/// Hands the binary rows to the macro named, preceded by whatever tokens follow the name.
///
/// `d(a, b, y)` gives both partials, `dy/da` and `dy/db`.
#[macro_export]
macro_rules! binary_table {
    ($callback:path $(, $($extra:tt)*)?) => { $callback! { $($($extra)*)?
        /// Sum, `y = a + b`.
        Add: plus(a, b) {
            value a + b;
            d(a) (a.lit(1.0), a.lit(1.0));
            on -2.0..2.0, -2.0..2.0;
        }
        /// Difference, `y = a - b`.
        Sub: minus(a, b) {
            value a - b;
            d(a) (a.lit(1.0), a.lit(-1.0));
            on -2.0..2.0, -2.0..2.0;
        }
        /// Product, `y = a b`.
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
        /// Angle of the point `(b, a)`, that is `atan2(y, x)` with `a` the ordinate; partials `b/r^2`, `-a/r^2`, both 0 at
        /// the origin, taken through `r = hypot` so that tiny and huge points keep their digits.
        Atan2: atan2(a, b) {
            value a.atan2(b);
            d(a, b) (
                b.div_or_zero(a.hypot(b)).div_or_zero(a.hypot(b)),
                -(a.div_or_zero(a.hypot(b)).div_or_zero(a.hypot(b)))
            );
            on 0.5..2.0, 0.5..2.0;
        }
        /// The larger of two numbers, NaN if either is. A tie splits the gradient evenly; with one NaN the gradient goes to it.
        Maximum: maximum(a, b) {
            value math::maximum(a, b);
            d(a, b) (a.wins(b), b.wins(a));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The smaller of two numbers, NaN if either is. A tie splits the gradient evenly; with one NaN the gradient goes to it.
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
        /// The smaller of two numbers, a number rather than NaN. A tie splits the gradient evenly; NaN takes none of it.
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
        /// `ln(e^a - e^b)` without overflow, NaN for `a < b`; partials `1 + r` and `-r` with `r = 1/(e^(a - b) - 1)`, infinite
        /// where `a = b`.
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
        /// The magnitude of `a` with the sign of `b`; `dy/da` is the product of their signs, 0 at `a = 0`, and `dy/db = 0`.
        Copysign: copysign(a, b) {
            value a.copysign(b);
            d(a, b) (a.sign() * a.lit(1.0).copysign(b), b.lit(0.0));
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
        /// Within 1e-14, in the tails of shapes above 500 within 3e-16 times the logarithm. Slopes in the shape to fourth
        /// order and for shapes up to 1e10, NaN beyond; near `a = b` they cost `6 sqrt(a)` steps.
        GammaP: gamma_p(a, b) {
            value math::wide2(incomplete::gamma_p, a, b);
            d(a, b) (a.gamma_p_shape1(b), a.gamma_density(b));
            on 0.5..4.0, 0.5..4.0;
        }
        /// Regularised upper incomplete gamma function `Q(a, b) = 1 - P(a, b)`, with its digits in the tail; `dy/da` and `dy/db`
        /// as for `gamma_p`, with the other sign.
        ///
        /// Within 1e-14, in the tails of shapes above 500 within 3e-16 times the logarithm.
        GammaQ: gamma_q(a, b) {
            value math::wide2(incomplete::gamma_q, a, b);
            d(a, b) (-a.gamma_p_shape1(b), -a.gamma_density(b));
            on 0.5..4.0, 0.5..4.0;
        }
        /// The share of a maximum's gradient that goes to `a`: 1 if `a > b`, 1/2 at a tie, 0 if less, NaN if `a` is NaN, 0
        /// if only `b` is. The derivative is 0.
        Wins: wins(a, b) {
            value math::wins(a, b);
            d(a) (a.lit(0.0), a.lit(0.0));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The share of `fmax`'s gradient that goes to `a`: 1 if `a > b` or `b` alone is NaN, 1/2 at a tie, NaN if both are
        /// NaN, else 0. The derivative is 0.
        FmaxShare: fmax_share(a, b) {
            value math::fmax_share(a, b);
            d(a) (a.lit(0.0), a.lit(0.0));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The share of `e^a` in `e^a + e^b`, `s(a, b) = sigmoid(a - b)` with the rounding of the difference made good; 0 where
        /// `a = b = -inf`. `dy/da = s(a, b) s(b, a) = -dy/db`.
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
        /// First derivative of `gamma_p` in the shape; `dy/db` is the density's. With `L = ln b - digamma(a)`: density times `L`.
        ///
        /// Within 1e-14.
        GammaPShape1: gamma_p_shape1(a, b) {
            value math::wide2(incomplete::gamma_p_shape::<1>, a, b);
            d(a, b) (a.gamma_p_shape2(b), (b.ln() - a.digamma()).mul_zero(a.gamma_density(b)));
            on 0.5..4.0, 0.5..4.0;
        }
        /// Second derivative of `gamma_p` in the shape; `dy/db` is the density times `L^2 - trigamma(a)`.
        ///
        /// Within 1e-14.
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
        /// Within 1e-13.
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
                a.lit(f64::NAN),
                ((b.ln() - a.digamma())
                    * ((b.ln() - a.digamma()) * ((b.ln() - a.digamma()).square() - a.trigamma() * a.lit(6.0))
                        - a.polygamma(2) * a.lit(4.0))
                    + a.trigamma().square() * a.lit(3.0)
                    - a.polygamma(3))
                .mul_zero(a.gamma_density(b))
            );
            on 0.5..4.0, 0.5..4.0;
        }
        /// Product in which a zero `b` makes zero of anything, infinities and NaN included: how cotangents meet partials.
        MulZero: mul_zero(a, b) {
            value Float::mul_zero(a, b);
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
        /// Below 1/2 the difference `b - 1` is rounded, and a power multiplies that error by `ln a`: 300 ulp at `1e300^0.3`.
        /// There the power is taken first and divided by `a`, which overflows or underflows only if the result does; above,
        /// the difference is exact. The derivative chooses in the same way, by a factor of 0 or 1.
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

/// Hands the rows of functions of one number and constants to the macro named, preceded by whatever tokens follow the name.
///
/// The constants have no derivative. `for` lists some of them, for the tests that walk the table.
#[macro_export]
macro_rules! parametric_table {
    ($callback:path $(, $($extra:tt)*)?) => { $callback! { $($($extra)*)?
        /// Integer power, `y = x^n`; `dy/dx = n x^(n-1)`, and exactly 0 for `n = 0`, at 0 and NaN too.
        Powi: powi(x; n: i32) {
            value math::powi(x, n);
            d(x) math::powi_derivative(x, n);
            on 0.5..2.0;
            for (0), (1), (2), (3), (-2);
        }
        /// Polygamma function of order `n`, the `n`-th derivative of `digamma`; `dy/dx` is that of order `n + 1`. NaN at the
        /// poles 0, -1, -2, ... and for negative orders.
        ///
        /// Within 1e-14.
        Polygamma: polygamma(x; n: i32) {
            value math::wide(|x| polygamma::polygamma(n, x), x);
            d(x) x.polygamma(n.saturating_add(1));
            on 0.5..4.0;
            for (0), (2), (3), (4), (5);
        }
        /// Bessel function of the first kind of integer order, `J_n(x)`; `dy/dx = (J_(n-1)(x) - J_(n+1)(x))/2`.
        ///
        /// Within 1e-14 of the height of its waves, and of itself below the first.
        BesselJ: bessel_j(x; n: i32) {
            value math::wide(|x| bessel::bessel_j(n, x), x);
            d(x) (x.bessel_j(n.saturating_sub(1)) - x.bessel_j(n.saturating_add(1))) * x.lit(0.5);
            on -4.0..4.0;
            for (2), (3), (-1), (7);
        }
        /// Modified Bessel function of the first kind of integer order, `I_n(x)`; `dy/dx = (I_(n-1)(x) + I_(n+1)(x))/2`.
        ///
        /// Within 1e-14.
        BesselI: bessel_i(x; n: i32) {
            value math::wide(|x| bessel::bessel_i(n, x), x);
            d(x) (x.bessel_i(n.saturating_sub(1)) + x.bessel_i(n.saturating_add(1))) * x.lit(0.5);
            on -4.0..4.0;
            for (2), (3), (-1), (7);
        }
        /// The `n`-th derivative of `sinc`; `dy/dx` is that of order `n + 1`.
        ///
        /// Within 1e-14 up to order 4, of the larger of itself and `pi^n/(1 + |pi x|)`.
        SincDerivative: sinc_derivative(x; n: i32) {
            value math::wide(|x| trigonometric::sinc_derivative(n, x), x);
            d(x) x.sinc_derivative(n.saturating_add(1));
            on -2.0..2.0;
            for (1), (2), (3), (4);
        }
        /// `x` held between `lo` and `hi`; `dy/dx` is 1 between them, 0 outside and at both bounds (so that `clamp(0, inf)` is
        /// `relu`). NaN stays NaN and passes no gradient.
        ///
        /// # Panics
        /// If `lo > hi` or a bound is NaN.
        Clamp: clamp(x; lo: f64, hi: f64) {
            value math::clamp(x, lo, hi);
            d(x) x.inside(lo, hi);
            on -0.9..0.9;
            for (-1.0, 1.0), (-0.95, f64::INFINITY), (1.0, 2.0);
        }
        /// 1 strictly between `lo` and `hi`, else 0, NaN included; the derivative is 0.
        Inside: inside(x; lo: f64, hi: f64) {
            value if x.to_f64() > lo && x.to_f64() < hi { 1.0 } else { 0.0 };
            d(x) x.lit(0.0);
            on -0.9..0.9;
            for (-1.0, 1.0), (1.0, 2.0);
        }
        /// 1 for `x > 0`, 0 for `x < 0`, and the number given at 0; the derivative is 0, at the jump too. NaN stays NaN.
        Heaviside: heaviside(x; at_zero: f64) {
            value math::heaviside(x, at_zero);
            d(x) x.lit(0.0);
            on 0.5..2.0;
            for (0.5), (1.0);
        }
    } };
}

/// A number elementary functions are defined for: arithmetic, constants, and one method for every row of the tables.
///
/// Implemented by `f32`, `f64`, the vector lanes of this crate, dual numbers, and variables: a derivative written over
/// `R: Elementary` serves all of them.
///
/// # Examples
/// ```
/// use wengert_kernels::Elementary;
///
/// fn bell<R: Elementary>(x: R) -> R {
///     (-x.square()).exp()
/// }
/// assert_eq!(bell(0.0_f64), 1.0);
/// ```
pub trait Elementary:
    Copy
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + UnaryFunctions
    + BinaryFunctions
    + ParametricFunctions
{
    /// The constant `c`, as a number like this one (on the same tape, of the same kind).
    #[must_use]
    fn lit(self, c: f64) -> Self;

    /// Sine and cosine together; each is the other's derivative but for a sign, so the pair costs little more than one.
    #[must_use]
    #[inline(always)]
    fn sin_cos(self) -> (Self, Self) {
        (self.sin(), self.cos())
    }

    /// `self * b + c`, on floats and on what is made of them in one rounding; partials `b`, `self` and 1.
    ///
    /// One rounding is exact about cancellation, not fast: where the processor has no instruction for it, it is a call.
    #[must_use]
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }

    /// `a` where `condition` holds, else `b`. The other branch is not used: nothing of it, NaN included, reaches a derivative.
    #[must_use]
    #[inline(always)]
    fn select(condition: bool, a: Self, b: Self) -> Self {
        if condition { a } else { b }
    }
}

// A derivative names what it keeps; binding just those names makes touching another primal a compile error.
macro_rules! primal {
    (x, $x:ident, $y:ident) => {
        $x
    };
    (y, $x:ident, $y:ident) => {
        $y
    };
    (a, $a:ident, $b:ident, $y:ident) => {
        $a
    };
    (b, $a:ident, $b:ident, $y:ident) => {
        $b
    };
    (y, $a:ident, $b:ident, $y:ident) => {
        $y
    };
}
macro_rules! is {
    (x, x) => {
        true
    };
    (y, y) => {
        true
    };
    ($other:ident, $this:ident) => {
        false
    };
}

macro_rules! unary_rows {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) {
        value $value:expr;
        d($($kept:ident),*) $d:expr;
        on $lo:literal..$hi:literal;
    } )*) => {
        /// Opcodes of the elementary functions of one argument.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Unary { $( $(#[$doc])* $Op ),* }

        impl Unary {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Unary] = &[$(Unary::$Op),*];

            /// The method's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Unary::$Op => stringify!($method)),* }
            }

            /// An interval where the function is smooth and finite differences are trustworthy.
            #[must_use]
            pub const fn domain(self) -> (f64, f64) {
                match self { $(Unary::$Op => ($lo, $hi)),* }
            }

            /// Whether the derivative reads the argument.
            #[must_use]
            pub const fn keeps_argument(self) -> bool {
                match self { $(Unary::$Op => false $(|| is!($kept, x))*),* }
            }

            /// Whether the derivative reads the result.
            #[must_use]
            pub const fn keeps_result(self) -> bool {
                match self { $(Unary::$Op => false $(|| is!($kept, y))*),* }
            }

            /// The function itself, chosen at run time.
            #[inline]
            pub fn eval<R: Elementary>(self, x: R) -> R {
                match self { $(Unary::$Op => x.$method()),* }
            }

            /// `dy/dx` at `x`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, x: R, y: R) -> R {
                match self { $(Unary::$Op => derivative::$method(x, y)),* }
            }
        }

        /// The functions of one argument: one method for every row of the table.
        pub trait UnaryFunctions: Sized {
            $( $(#[$doc])* #[must_use] fn $method(self) -> Self; )*
        }

        impl UnaryFunctions for f64 {
            $( #[inline(always)] fn $method(self) -> f64 { let $x = self; $value } )*
        }
        impl UnaryFunctions for f32 {
            $( #[inline(always)] fn $method(self) -> f32 { let $x = self; $value } )*
        }

        mod unary_derivatives {
            use super::Elementary;
            $(
                #[doc = concat!("`dy/dx` of [`", stringify!($method), "`](super::UnaryFunctions::", stringify!($method), ") from its argument and its value.")]
                #[inline(always)]
                #[allow(unused_variables, reason = "a rule names only what it keeps")]
                pub fn $method<R: Elementary>(argument: R, value: R) -> R {
                    $( let $kept = primal!($kept, argument, value); )*
                    $d
                }
            )*
        }
    };
}
unary_table!(unary_rows);

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

            /// The function itself, chosen at run time.
            #[inline]
            pub fn eval<R: Elementary>(self, a: R, b: R) -> R {
                match self { $(Binary::$Op => a.$method(b)),* }
            }

            /// `(dy/da, dy/db)` at `(a, b)`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, a: R, b: R, y: R) -> (R, R) {
                match self { $(Binary::$Op => derivative::$method(a, b, y)),* }
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

        mod binary_derivatives {
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

macro_rules! parametric_rows {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) {
        value $value:expr;
        d($($kept:ident),*) $d:expr;
        on $lo:literal..$hi:literal;
        for $(($($sample:expr),*)),*;
    } )*) => {
        /// Opcodes of the functions of one argument and constants, with the constants.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Parametric { $( $(#[$doc])* $Op($($P),*) ),* }

        impl Parametric {
            /// Every row with some constants, in the order of the table.
            pub const SAMPLES: &'static [Parametric] = &[$($(Parametric::$Op($($sample),*)),*),*];

            /// The method's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Parametric::$Op(..) => stringify!($method)),* }
            }

            /// An interval where the function is smooth and finite differences are trustworthy.
            #[must_use]
            pub const fn domain(self) -> (f64, f64) {
                match self { $(Parametric::$Op(..) => ($lo, $hi)),* }
            }

            /// Whether the derivative reads the result.
            #[must_use]
            pub const fn keeps_result(self) -> bool {
                match self { $(Parametric::$Op(..) => false $(|| is!($kept, y))*),* }
            }

            /// The constants, in order, whole numbers as numbers too.
            #[must_use]
            pub fn constants(self) -> Vec<f64> {
                match self { $(Parametric::$Op($($p),*) => vec![$(f64::from($p)),*]),* }
            }

            /// The function of this name with these constants; none if there is no such function, or it takes others.
            #[must_use]
            pub fn named(name: &str, constants: &[f64]) -> Option<Parametric> {
                let mut constants = constants.iter().copied();
                let op = match name {
                    $(stringify!($method) => Parametric::$Op($(<$P as TableConstant>::of(constants.next()?)?),*),)*
                    _ => return None,
                };
                constants.next().is_none().then_some(op).filter(|op| !matches!(op, Parametric::Clamp(lo, hi) if !(lo <= hi)))
            }

            /// The function itself, chosen at run time.
            #[inline]
            #[track_caller]
            pub fn eval<R: Elementary>(self, x: R) -> R {
                match self { $(Parametric::$Op($($p),*) => x.$method($($p),*)),* }
            }

            /// `dy/dx` at `x`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, x: R, y: R) -> R {
                match self { $(Parametric::$Op($($p),*) => derivative::$method(x, y, $($p),*)),* }
            }
        }

        /// The functions of one argument and constants: one method for every row of the table.
        pub trait ParametricFunctions: Sized {
            $( $(#[$doc])* #[must_use] fn $method(self, $($p: $P),*) -> Self; )*
        }

        impl ParametricFunctions for f64 {
            $( #[inline(always)] #[track_caller] fn $method(self, $($p: $P),*) -> f64 { let $x = self; $value } )*
        }
        impl ParametricFunctions for f32 {
            $( #[inline(always)] #[track_caller] fn $method(self, $($p: $P),*) -> f32 { let $x = self; $value } )*
        }

        mod parametric_derivatives {
            use super::{Elementary, math};
            $(
                #[doc = concat!("`dy/dx` of [`", stringify!($method), "`](super::ParametricFunctions::", stringify!($method), ") from its argument, its value and its constants.")]
                #[inline(always)]
                #[allow(unused_variables, reason = "a rule names only what it keeps")]
                pub fn $method<R: Elementary>(argument: R, value: R, $($p: $P),*) -> R {
                    $( let $kept = primal!($kept, argument, value); )*
                    $d
                }
            )*
        }
    };
}
parametric_table!(parametric_rows);

/// What the constants of a row may be.
trait TableConstant: Sized {
    /// The constant equal to a number, if there is one.
    fn of(number: f64) -> Option<Self>;
}
impl TableConstant for f64 {
    fn of(number: f64) -> Option<f64> {
        Some(number)
    }
}
impl TableConstant for i32 {
    fn of(number: f64) -> Option<i32> {
        (f64::from(number as i32) == number).then_some(number as i32)
    }
}

/// The derivatives of the tables' rows as functions, generic in the number.
pub mod derivative {
    pub use super::binary_derivatives::*;
    pub use super::parametric_derivatives::*;
    pub use super::unary_derivatives::*;
}

macro_rules! elementary_float {
    ($($f:ident)*) => { $(
        impl Elementary for $f {
            #[inline(always)]
            fn lit(self, c: f64) -> $f {
                c as $f
            }
            #[inline(always)]
            fn mul_add(self, b: $f, c: $f) -> $f {
                $f::mul_add(self, b, c)
            }
        }
    )* };
}
elementary_float!(f32 f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parametric_row_is_known_by_its_name_and_constants() {
        for &op in Parametric::SAMPLES {
            assert_eq!(Parametric::named(op.name(), &op.constants()), Some(op));
        }
        for (name, constants) in
            [("powi", &[][..]), ("powi", &[0.5]), ("powi", &[1.0, 2.0]), ("no_such", &[1.0]), ("clamp", &[1.0, 0.0])]
        {
            assert_eq!(Parametric::named(name, constants), None, "{name} {constants:?}");
        }
    }

    #[test]
    fn opcodes_and_names_are_unique() {
        let mut names: Vec<&str> = Unary::ALL.iter().map(|op| op.name()).collect();
        names.extend(Binary::ALL.iter().map(|op| op.name()));
        let mut parametric: Vec<&str> = Parametric::SAMPLES.iter().map(|op| op.name()).collect();
        parametric.dedup(); // the samples of a row stand together
        names.extend(parametric);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_domain_is_inside_the_functions_own() {
        for &op in Unary::ALL {
            let (lo, hi) = op.domain();
            for i in 0..=10 {
                let x = lo + (hi - lo) * f64::from(i) / 10.0;
                assert!(op.eval(x).is_finite(), "{} at {x}", op.name());
            }
        }
        for &op in Parametric::SAMPLES {
            let (lo, hi) = op.domain();
            assert!(op.eval(lo).is_finite() && op.eval(hi).is_finite(), "{op:?}");
        }
        for &op in Binary::ALL {
            let [(alo, ahi), (blo, bhi)] = op.domain();
            for (a, b) in [(alo, blo), (alo, bhi), (ahi, blo), (ahi, bhi)] {
                assert!(op.eval(a, b).is_finite(), "{} at {a}, {b}", op.name());
            }
        }
    }

    #[test]
    fn what_a_rule_keeps_is_what_it_names() {
        assert!(!Unary::Tanh.keeps_result() && Unary::Tanh.keeps_argument());
        assert!(Unary::Exp.keeps_result() && !Unary::Exp.keeps_argument());
        assert!(Unary::Sigmoid.keeps_result() && Unary::Sigmoid.keeps_argument());
    }

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
            let got = derivative::powf(a, b, value);
            for (got, want) in [(value, y), (got.0, da), (got.1, db)] {
                assert!(got == want || got.is_nan() && want.is_nan(), "{a}^{b}: {got}, expected {want}");
            }
        }
    }
}
