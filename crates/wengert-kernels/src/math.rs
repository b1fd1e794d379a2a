//! Elementary functions the standard library lacks, or has with fewer digits, on `f32` and `f64`.
//!
//! These are the scalar bodies; the loops over slices use those of [`crate::lane`].

use crate::{Elementary, Float};

/// Logistic function `1/(1 + exp(-x))`.
#[inline(always)]
pub fn sigmoid<F: Float + Elementary>(x: F) -> F {
    sigmoid_of((-x.abs()).exp(), x < F::ZERO, |a, b, c| a * b + c)
}

/// The slope of the logistic function, `s(x) s(-x)`.
#[inline(always)]
pub fn sigmoid_slope<F: Float + Elementary>(x: F) -> F {
    sigmoid_slope_of((-x.abs()).exp(), |a, b, c| a * b + c)
}

/// The logistic function from `e = exp(-|x|)`, which cannot overflow, so that the left tail keeps its digits down to
/// the subnormals. With the slope beside it exponential and quotient are computed once.
#[inline(always)]
pub fn sigmoid_of<F: Float>(e: F, negative: bool, mul_add: impl Fn(F, F, F) -> F) -> F {
    let tail = sigmoid_tail(e, mul_add);
    if negative { tail } else { F::ONE - tail }
}

/// The slope of the logistic function from `e = exp(-|x|)`, with a multiply-add of the caller's: `t - t^2` where
/// `t = s(-|x|)`.
#[inline(always)]
pub fn sigmoid_slope_of<F: Float>(e: F, mul_add: impl Fn(F, F, F) -> F) -> F {
    let tail = sigmoid_tail(e, &mul_add);
    mul_add(-tail, tail, tail)
}

/// `s(-|x|) = e/(1 + e)`.
#[inline(always)]
fn sigmoid_tail<F: Float>(e: F, mul_add: impl Fn(F, F, F) -> F) -> F {
    let sum = F::ONE + e;
    let quotient = e / sum;
    // What the sum lost moves the quotient by the fraction lost / sum: with it the error is 1.4 ulp, without it 2.3.
    let lost = e - (sum - F::ONE);
    mul_add(-lost, mul_add(-quotient, quotient, quotient), quotient)
}

/// Hyperbolic tangent, within 2 ulp.
#[inline(always)]
pub fn tanh<F: Float + Elementary>(x: F) -> F {
    x.tanh_of::<false>((-(x + x).abs()).exp())
}

/// The slope of the hyperbolic tangent, `1/cosh^2 x`.
#[inline(always)]
pub fn tanh_slope<F: Float + Elementary>(x: F) -> F {
    x.tanh_slope_of::<false>((-(x + x).abs()).exp())
}

/// `ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|))`.
#[inline(always)]
pub fn softplus<F: Float + Elementary>(x: F) -> F {
    relu(x) + (-x.abs()).exp().ln_1p()
}

/// `max(x, 0)`, keeping NaN.
#[inline(always)]
pub fn relu<F: Float>(x: F) -> F {
    // The comparison is false for NaN, which then passes.
    if x <= F::ZERO { F::ZERO } else { x }
}

/// `-1`, `0` or `1`; NaN for NaN. Both zeros give `0`.
#[inline(always)]
pub fn sign<F: Float>(x: F) -> F {
    if x > F::ZERO {
        F::ONE
    } else if x < F::ZERO {
        -F::ONE
    } else if x == F::ZERO {
        F::ZERO
    } else {
        x
    }
}

/// `x` for `x >= 0` (with `-0` made `0`), NaN below.
#[inline(always)]
pub fn non_negative<F: Float>(x: F) -> F {
    if x > F::ZERO {
        x
    } else if x == F::ZERO {
        F::ZERO
    } else {
        F::NAN
    }
}

/// `v` such that `gelu_tanh(x) = x s(v)` with the sigmoid `s`: `2 sqrt(2/pi) (x + 0.044715 x^3)`.
#[inline(always)]
pub fn gelu_tanh_argument<R: Elementary>(x: R) -> R {
    x * (x.square() * x.lit(GELU_LINEAR * GELU_CUBIC) + x.lit(GELU_LINEAR))
}

/// The slope of [`gelu_tanh_argument`].
#[inline(always)]
pub fn gelu_tanh_slope<R: Elementary>(x: R) -> R {
    x.square() * x.lit(3.0 * GELU_LINEAR * GELU_CUBIC) + x.lit(GELU_LINEAR)
}

/// `2 sqrt(2/pi)`.
const GELU_LINEAR: f64 = core::f64::consts::FRAC_2_SQRT_PI * core::f64::consts::SQRT_2;
/// The paper's coefficient of the cube.
const GELU_CUBIC: f64 = 0.044_715;

/// `tanh(ln(1 + exp(x)))`; see the table.
#[inline(always)]
pub fn tanh_softplus<F: Float + Elementary>(x: F) -> F {
    tanh_softplus_of(x, (-x.abs()).exp(), |a, b, c| a * b + c)
}

/// `tanh(ln(1 + exp(x)))` from `e = exp(-|x|)`, with a multiply-add of the caller's: `(1 + 2e)/(1 + 2e + 2e^2)` where
/// `x > 0`, else `(2e + e^2)/(2 + 2e + e^2)`.
#[inline(always)]
pub fn tanh_softplus_of<F: Float>(x: F, e: F, mul_add: impl Fn(F, F, F) -> F) -> F {
    let twice = e + e;
    let (above, below) = (twice + F::ONE, mul_add(e, e, twice));
    let (numerator, denominator) =
        if x > F::ZERO { (above, mul_add(twice, e, above)) } else { (below, below + (F::ONE + F::ONE)) };
    numerator / denominator
}

/// The slope of `tanh(ln(1 + exp(x)))`; see the table.
#[inline(always)]
pub fn tanh_softplus_slope<R: Elementary>(x: R) -> R {
    let (q, r) = ((-x).sigmoid(), x.sigmoid());
    let square = q * q;
    square * r * x.lit(4.0) / (square + x.lit(1.0)).square()
}

/// `c` and `c a` of `selu`: the solution of the two equations that keep mean 0 and variance 1.
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
/// See [`SELU_SCALE`].
pub const SELU_SCALE_ALPHA: f64 = 1.758_099_340_847_376_9;

/// `selu`, with factors of its own for both sides: the product of two rounded ones would cost an ulp.
#[inline(always)]
pub fn selu(x: f64) -> f64 {
    if x > 0.0 { SELU_SCALE * x } else { SELU_SCALE_ALPHA * x.exp_m1() }
}

/// `x` for `x > 0`, else `alpha (exp(x/width) - 1)`.
#[inline(always)]
pub fn elu(x: f64, alpha: f64, width: f64) -> f64 {
    if x > 0.0 { x } else { alpha * (x / width).exp_m1() }
}

/// `exp(x/width)` for `x <= 0`, else 0, with slope 0 at the jump.
#[inline(always)]
pub fn elu_slope<R: Elementary>(x: R, width: f64) -> R {
    // Held below 0 first: the exponential of a large positive number would be infinite, and its product with 0 NaN.
    let below = x.clamp(f64::NEG_INFINITY, 0.0);
    let below = if width == 1.0 { below } else { below / x.lit(width) };
    below.exp().mul_zero(x.lit(1.0) - x.step())
}

/// `x/6 + 1/2` held between 0 and 1. The sum with 3 is exact near -3, where the result is small.
#[inline(always)]
pub fn hard_sigmoid<F: Float>(x: F) -> F {
    clamp(x + F::from_f64(3.0), 0.0, 6.0) / F::from_f64(6.0)
}

/// The larger of two numbers; NaN if either is.
#[inline(always)]
pub fn maximum<F: Float>(a: F, b: F) -> F {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller of two numbers; NaN if either is.
#[inline(always)]
pub fn minimum<F: Float>(a: F, b: F) -> F {
    if a < b || a.is_nan() { a } else { b }
}

/// The share of a maximum's gradient that goes to `a`.
#[inline(always)]
pub fn wins<F: Float>(a: F, b: F) -> F {
    if a.is_nan() {
        a
    } else if a > b {
        F::ONE
    } else if a == b {
        F::from_f64(0.5)
    } else {
        F::ZERO
    }
}

/// `a^(b - 1)`, with the rounding of `b - 1` made good.
#[inline(always)]
pub fn powf_less<F: Float + Elementary>(a: F, b: F) -> F {
    // Exponents from 1/2 up lose nothing by the subtraction. At 0 the sign of the exponent is all that matters.
    if b < F::from_f64(0.5) && a != F::ZERO { a.powf(b) / a } else { a.powf(b - F::ONE) }
}

/// Inverse hyperbolic cosine, through `ln_1p` so that it keeps its digits near 1.
///
/// `ln(x + sqrt(x^2 - 1))`, the textbook form, has lost half of them at `1 + 1e-16`.
#[inline(always)]
pub fn acosh<F: Float + Elementary>(x: F) -> F {
    let t = x - F::ONE;
    if t * t < F::INFINITY {
        (t + (t * (t + F::from_f64(2.0))).sqrt()).ln_1p()
    } else {
        // The root is x to the last digit out here, NaN included.
        x.ln() + F::from_f64(core::f64::consts::LN_2)
    }
}

/// Inverse hyperbolic tangent: `ln_1p(2|x|/(1 - |x|))/2` with the sign of `x`, so that both tails keep their digits.
#[inline(always)]
pub fn atanh<F: Float + Elementary>(x: F) -> F {
    let magnitude = x.abs();
    let y = ((magnitude + magnitude) / (F::ONE - magnitude)).ln_1p() * F::from_f64(0.5);
    if x < F::ZERO { -y } else { y }
}

/// A function of `f64` on either width.
#[inline(always)]
pub fn wide<F: Float>(f: impl Fn(f64) -> f64, x: F) -> F {
    F::from_f64(f(x.to_f64()))
}

/// A function of two `f64` on either width.
#[inline(always)]
pub fn wide2<F: Float>(f: impl Fn(f64, f64) -> f64, a: F, b: F) -> F {
    F::from_f64(f(a.to_f64(), b.to_f64()))
}

/// `x^n`.
#[inline(always)]
pub fn powi<F: Float>(x: F, n: i32) -> F {
    // LLVM turns a constant 2 into a product only after inlining; say it.
    if n == 2 { x * x } else { x.integer_power(n) }
}

/// `n x^(n-1)`, and 0 for `n = 0`.
#[inline(always)]
pub fn powi_derivative<R: Elementary>(x: R, n: i32) -> R {
    match n {
        0 => x.lit(0.0),
        1 => x.lit(1.0),
        2 => x + x,
        // `n - 1` overflows for one exponent only, whose power is 0, 1 or infinite anyway.
        _ => x.powi(n.saturating_sub(1)).scaled(f64::from(n)),
    }
}

/// `x` held between two bounds; NaN for NaN.
#[inline(always)]
#[track_caller]
pub fn clamp<F: Float>(x: F, lo: f64, hi: f64) -> F {
    assert!(lo <= hi, "clamp: the bounds {lo} and {hi} are not in order; the lower one comes first");
    let (lo, hi) = (F::from_f64(lo), F::from_f64(hi));
    if x < lo {
        lo
    } else if x > hi {
        hi
    } else {
        x
    }
}

/// 0 or 1 by the sign of `x`, and `at_zero` at 0; NaN for NaN.
#[inline(always)]
pub fn heaviside<F: Float>(x: F, at_zero: f64) -> F {
    if x > F::ZERO {
        F::ONE
    } else if x < F::ZERO {
        F::ZERO
    } else if x == F::ZERO {
        F::from_f64(at_zero)
    } else {
        x
    }
}

/// `a - b floor(a/b)`, with the sign of `b`.
#[inline(always)]
pub fn remainder<F: Float>(a: F, b: F) -> F {
    let rest = a.truncated_remainder(b);
    if rest != F::ZERO && (rest < F::ZERO) != (b < F::ZERO) { rest + b } else { rest }
}

/// The share of an `fmax`'s gradient that goes to `a`.
#[inline(always)]
pub fn fmax_share<F: Float>(a: F, b: F) -> F {
    if b.is_nan() {
        if a.is_nan() { a } else { F::ONE }
    } else if a > b {
        F::ONE
    } else if a == b {
        F::from_f64(0.5)
    } else {
        F::ZERO
    }
}
