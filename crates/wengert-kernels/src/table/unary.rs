//! The functions of one argument: their rows, and what is made of them here.

use super::Elementary;
use crate::special::{bessel, erf, gamma, logarithm, polygamma, trigonometric};
use crate::{Float, math};

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
        ///
        /// The reciprocal is taken first: then the second derivative at 0 is the limit from the side of its sign.
        Cbrt: cbrt(x) {
            value x.cbrt();
            d(y) y.recip().square() / y.lit(3.0);
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
            d(x) x.non_negative().recip().scaled(core::f64::consts::LOG2_E);
            on 0.5..4.0;
        }
        /// Logarithm to base 10; `dy/dx = 1/(x ln 10)`.
        Log10: log10(x) {
            value x.log10();
            d(x) x.non_negative().recip().scaled(core::f64::consts::LOG10_E);
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
        /// Taken as the square of `1/hypot(x, 1)`: differentiating the reciprocal itself squares it, which underflows
        /// from `1e81` on, where the second derivative is still `1e-243`. `sqrt(1 + x^2)` would do in forward mode
        /// only.
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
        /// Hyperbolic tangent; `dy/dx = 1/cosh^2 x`, a row of its own (`tanh_slope`).
        ///
        /// The shorter `1 - y^2` has relative error 1e-8 at `x = 10` and none of its digits left at 19.5; squaring
        /// `cosh x` overflows from 355.
        Tanh: tanh(x) {
            value math::tanh(x);
            d(x) x.tanh_slope();
            on -2.0..2.0;
            together;
        }
        /// Slope of the hyperbolic tangent, `y = 1/cosh^2 x`, with its digits in both tails; `dy/dx = -2 y tanh x`.
        TanhSlope: tanh_slope(x) {
            value math::tanh_slope(x);
            d(x, y) -(y + y) * x.tanh();
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
        /// Logistic function, `y = 1/(1 + exp(-x))`; `dy/dx = s(x) s(-x)`, a row of its own (`sigmoid_slope`).
        ///
        /// `y (1 - y)` is exactly 0 from 36.75 on, where the truth is 1.1e-16.
        Sigmoid: sigmoid(x) {
            value math::sigmoid(x);
            d(x) x.sigmoid_slope();
            on -4.0..4.0;
            together;
        }
        /// Slope of the logistic function, `y = s(x) s(-x)`, with its digits in both tails; `dy/dx = -y tanh(x/2)`.
        SigmoidSlope: sigmoid_slope(x) {
            value math::sigmoid_slope(x);
            d(x, y) -y * x.scaled(0.5).tanh();
            on -4.0..4.0;
        }
        /// `ln(1 + exp(x))` without overflow; `dy/dx = sigmoid(x)`. No threshold: the second derivative keeps its tail.
        Softplus: softplus(x) {
            value math::softplus(x);
            d(x) x.sigmoid();
            on -4.0..4.0;
            together;
        }
        /// Absolute value; `dy/dx = sign x`, 0 at the kink (the subgradient of smallest norm).
        Abs: abs(x) {
            value x.abs();
            d(x) x.sign();
            on 0.5..2.0;
        }
        /// `max(x, 0)`; `dy/dx = step y`, 0 at the kink. NaN stays NaN and passes no gradient. The second derivative is
        /// 0 everywhere, so that of a mean over samples lacks what the kink adds; `softplus(x / width) * width` has it, smoothed.
        Relu: relu(x) {
            value math::relu(x);
            d(y) y.step();
            on 0.5..2.0;
        }
        /// `-1`, `0` or `1` by the sign of `x`; the derivative is 0. NaN stays NaN.
        Sign: sign(x) {
            value math::sign(x);
            d(x) x.lit(0.0);
            on 0.5..2.0;
        }
        /// `1` where `x > 0`, else `0`, NaN included; the derivative is 0.
        ///
        /// The jump is lost to derivatives of a mean over samples: that of `step(x - k)` with respect to `k` is minus
        /// the density at `k`, and here every sample gives 0. Smooth it, `norm_cdf((x - k) / width)`.
        Step: step(x) {
            value if x > 0.0 { 1.0 } else { 0.0 };
            d(x) x.lit(0.0);
            on 0.5..2.0;
        }
        /// Power of two, `y = 2^x`; `dy/dx = y ln 2`.
        Exp2: exp2(x) {
            value x.exp2();
            d(y) y.scaled(core::f64::consts::LN_2);
            on -2.0..2.0;
        }
        /// Sine of an angle in half turns, `y = sin(pi x)`, exactly 0 at the integers; `dy/dx = pi cos(pi x)`.
        Sinpi: sinpi(x) {
            value math::wide(trigonometric::sinpi, x);
            d(x) x.cospi().scaled(core::f64::consts::PI);
            on -1.0..1.0;
        }
        /// Cosine of an angle in half turns, `y = cos(pi x)`, exactly 0 half way between integers;
        /// `dy/dx = -pi sin(pi x)`.
        Cospi: cospi(x) {
            value math::wide(trigonometric::cospi, x);
            d(x) x.sinpi().scaled(-core::f64::consts::PI);
            on -1.0..1.0;
        }
        /// Cardinal sine, normalised: `y = sin(pi x)/(pi x)`, 1 at 0 and 0 at the other integers.
        ///
        /// `dy/dx = (cos(pi x) - y)/x` has no digits near 0, where the slope is `-pi^2 x/3`: it is a row of its own,
        /// and so is every further derivative (`sinc_derivative`).
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
            together;
        }
        /// Error function, `y = 2/sqrt(pi) integral of exp(-t^2) over 0..x`; `dy/dx = 2/sqrt(pi) exp(-x^2)`.
        Erf: erf(x) {
            value math::wide(erf::erf, x);
            d(x) x.gaussian().scaled(core::f64::consts::FRAC_2_SQRT_PI);
            on -2.0..2.0;
        }
        /// Complementary error function, `y = 1 - erf(x)`, with its digits in the tail;
        /// `dy/dx = -2/sqrt(pi) exp(-x^2)`.
        Erfc: erfc(x) {
            value math::wide(erf::erfc, x);
            d(x) x.gaussian().scaled(-core::f64::consts::FRAC_2_SQRT_PI);
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
        /// Logarithm of the standard normal distribution function, without underflow; `dy/dx` is the inverse Mills
        /// ratio, density over distribution function.
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
            d(x, y) y.mul_zero(x.digamma());
            on 0.5..4.0;
        }
        /// Logarithm of the gamma function's magnitude; `dy/dx = digamma(x)`. Infinite at the poles 0, -1, -2, ...,
        /// where the slope is NaN.
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
            d(x) (x.bessel_j0() - x.bessel_j(2)).scaled(0.5);
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
            d(x) (x.bessel_i0() + x.bessel_i(2)).scaled(0.5);
            on -4.0..4.0;
        }
        /// Gaussian error linear unit, `y = x P(x)` with the normal distribution function `P` (`norm_cdf`), exact in
        /// the left tail; `dy/dx = P(x) + x p(x)` with the density `p`.
        ///
        /// Within 1e-14. Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", 2016.
        Gelu: gelu(x) {
            value math::wide(erf::gelu, x);
            d(x) x.norm_cdf() + x.mul_zero(x.norm_pdf());
            on -0.4..2.0;
            together kept;
        }
        /// The approximation of `gelu` by a hyperbolic tangent, `y = x/2 (1 + tanh u)` with
        /// `u = sqrt(2/pi) (x + 0.044715 x^3)`; `dy/dx = s(v) + x v' s(v) s(-v)` with the sigmoid `s` and `v = 2u`, for
        /// `(1 + tanh u)/2 = s(v)`.
        ///
        /// Within 1e-14; in the left tail within `|v|` ulp, the rounding of the argument. Source: as `gelu`.
        GeluTanh: gelu_tanh(x) {
            value Float::mul_zero(x, math::sigmoid(math::gelu_tanh_argument(x)));
            d(x) {
                let v = math::gelu_tanh_argument(x);
                v.sigmoid() + (x * math::gelu_tanh_slope(x)).mul_zero(v.sigmoid_slope())
            };
            on -0.4..2.0;
        }
        /// Sigmoid linear unit, also called swish, `y = x s(x)` with the sigmoid `s`; `dy/dx = s(x) (1 + x s(-x))`.
        ///
        /// Within 1e-14. Source: S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-weighted linear units for neural network
        /// function approximation in reinforcement learning", 2018.
        Silu: silu(x) {
            value Float::mul_zero(x, math::sigmoid(x));
            d(x) (x.mul_zero((-x).sigmoid()) + x.lit(1.0)).mul_zero(x.sigmoid());
            on -0.5..3.0;
        }
        /// `y = x tanh(ln(1 + exp(x)))`; `dy/dx = t + x t'` with `t` and its slope as in `tanh_softplus`.
        ///
        /// Within 1e-14. Source: D. Misra, "Mish: a self regularized non-monotonic activation function", 2019.
        Mish: mish(x) {
            value math::wide(|x| Float::mul_zero(x, math::tanh_softplus(x)), x);
            d(x) x.tanh_softplus() + x.mul_zero(math::tanh_softplus_slope(x));
            on -0.5..3.0;
        }
        /// `y = tanh(ln(1 + exp(x)))`, the gate of `mish`, from `exp(-|x|)`; `dy/dx = 4 q^2 r/(1 + q^2)^2` with
        /// `q = s(-x)`, `r = s(x)` and the sigmoid `s`. Nothing cancels in either tail.
        ///
        /// Within 1e-14.
        TanhSoftplus: tanh_softplus(x) {
            value math::wide(math::tanh_softplus, x);
            d(x) math::tanh_softplus_slope(x);
            on -2.0..2.0;
        }
        /// Self-normalising `elu`, `y = c x` for `x > 0`, else `c a (exp(x) - 1)`, with `c = 1.0507...`,
        /// `a = 1.6732...`: layers of it keep mean 0 and variance 1. `dy/dx` is `c`, else `c a exp(x)`, also at the
        /// kink; there the second derivative is 0.
        ///
        /// Source: G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.
        Selu: selu(x) {
            value math::wide(math::selu, x);
            d(x) x.step().scaled(math::SELU_SCALE) + math::elu_slope(x, 1.0).scaled(math::SELU_SCALE_ALPHA);
            on 0.5..2.0;
        }
        /// `x` held between 0 and 6; `dy/dx` is 1 between them, 0 outside and at both kinks. NaN stays NaN and passes
        /// no gradient.
        Relu6: relu6(x) {
            value math::clamp(x, 0.0, 6.0);
            d(x) x.inside(0.0, 6.0);
            on 0.5..5.0;
        }
        /// `x` held between -1 and 1; `dy/dx` is 1 between them, 0 outside and at both kinks. NaN stays NaN and passes
        /// no gradient.
        HardTanh: hard_tanh(x) {
            value math::clamp(x, -1.0, 1.0);
            d(x) x.inside(-1.0, 1.0);
            on -0.9..0.9;
        }
        /// Straight line in place of the sigmoid, `y = x/6 + 1/2` held between 0 and 1; `dy/dx = 1/6` for `-3 < x < 3`,
        /// else 0, at both kinks too. NaN stays NaN and passes no gradient.
        HardSigmoid: hard_sigmoid(x) {
            value math::hard_sigmoid(x);
            d(x) x.inside(-3.0, 3.0).scaled(1.0 / 6.0);
            on -2.0..2.0;
        }
        /// `y = x h(x)` with `hard_sigmoid` `h`: 0 up to -3, `x` from 3 on; `dy/dx = x/3 + 1/2` between, 0 at -3 and 1
        /// at 3.
        ///
        /// Source: A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
        HardSwish: hard_swish(x) {
            value Float::mul_zero(x, math::hard_sigmoid(x));
            d(x) x.hard_sigmoid() + x.mul_zero(x.inside(-3.0, 3.0)).scaled(1.0 / 6.0);
            on -1.0..2.0;
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
        /// Inverse Mills ratio `m`, the standard normal density over the distribution function; `dy/dx = -m (m + x)`,
        /// a row of its own (`inverse_mills_slope`): at `-inf` it is -1, where the factors are infinite and zero.
        ///
        /// Within 1e-14.
        InverseMills: inverse_mills(x) {
            value math::wide(erf::inverse_mills, x);
            d(x) x.inverse_mills_slope();
            on -3.0..3.0;
        }
        /// Slope of the inverse Mills ratio, `-m (m + x)`; `dy/dx = m ((m + x)^2 - v)` with the variance `v` of
        /// `mills_variance`.
        ///
        /// Within 1e-14.
        InverseMillsSlope: inverse_mills_slope(x) {
            value math::wide(erf::inverse_mills_slope, x);
            d(x) (x.mills_excess().square() - x.mills_variance()).mul_zero(x.inverse_mills());
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
        /// Variance of a standard normal variable known to be below `x`, `v = 1 - m (m + x)`;
        /// `dy/dx = m ((m + x)^2 - v)`.
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

macro_rules! unary_rows {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) {
        value $value:expr;
        d($($kept:ident),*) $d:expr;
        on $lo:literal..$hi:literal;
        $($together:ident $($kept_with_value:ident)?;)?
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

            /// Whether value and derivative share most of their work, so that both together cost little more than one.
            #[must_use]
            pub const fn shares_slope(self) -> bool {
                match self { $(Unary::$Op => false $(|| is!($together, together))?),* }
            }

            /// Whether so much of it that a tape of tensors computes the derivative with the value, and keeps it.
            #[must_use]
            pub const fn is_dear_alone(self) -> bool {
                match self { $(Unary::$Op => false $($(|| is!($kept_with_value, kept))?)?),* }
            }

            /// The function itself, chosen at run time.
            #[inline]
            pub fn eval<R: Elementary>(self, x: R) -> R {
                match self { $(Unary::$Op => x.$method()),* }
            }

            /// `dy/dx` at `x`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, x: R, y: R) -> R {
                match self { $(Unary::$Op => derivatives::$method(x, y)),* }
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

        pub mod derivatives {
            use super::{Elementary, math};
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_keeps_is_what_it_names() {
        assert!(!Unary::Tanh.keeps_result() && Unary::Tanh.keeps_argument());
        assert!(Unary::Exp.keeps_result() && !Unary::Exp.keeps_argument());
        assert!(Unary::TanhSlope.keeps_result() && Unary::TanhSlope.keeps_argument());
        assert!(Unary::Tanh.shares_slope() && !Unary::Tanh.is_dear_alone() && Unary::Gelu.is_dear_alone());
    }
}
