//! The normal distribution in `f32`, without branches.
//!
//! `P(-t) = exp(-t^2/2) g(t)` for `t >= 0`, where `g`, half the scaled complement of the error function, falls from 1/2
//! like `1/t`. Times `(t + 4)/4` it is tame in `w = (t - 4)/(t + 4)`, which maps all `t` into `[-1, 1]` (M. Shepherd
//! and J. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x", 1981): up to `FAR` a polynomial of degree
//! 10, by interpolation at Chebyshev points in 50-digit arithmetic, with relative error 3e-9.
//!
//! All of it in `f64`, where the square of an `f32` is exact: in `f32` the quotient, the polynomial and the exponential
//! cost `norm_cdf` five units in the last place. Of the exponential only as much is computed as an `f32` shows: a third
//! of the terms an `f64` would need, and no care for results that are not normal, since the least is `2^-163`.

use super::double::{ROUND, mul_add};

/// From here on the density is 0.
const FAR: f32 = 15.0;
/// `1/sqrt(2 pi)`.
const INV_SQRT_2PI: f64 = 0.398_942_280_401_432_7;
/// `exp(-t^2/2) = 2^(HALF_LOG2_E t^2)`.
const HALF_LOG2_E: f64 = -0.5 * core::f64::consts::LOG2_E;

/// `|x|`, but no more than `FAR`; NaN for NaN.
#[inline(always)]
fn magnitude(x: f32) -> f64 {
    let t = x.abs();
    f64::from(if t > FAR { FAR } else { t })
}

/// `exp(-t^2/2)` for `t` up to `FAR`, with relative error 3e-9: a polynomial of degree 6 for `2^r`, `|r| <= 1/2`, by
/// interpolation at Chebyshev points in 40-digit arithmetic.
#[inline(always)]
fn exp_of_square<const FMA: bool>(t: f64) -> f64 {
    let x = t * t * HALF_LOG2_E;
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    let p = mul_add::<FMA>(1.546_144_469_856_913e-4, r, 1.340_042_817_761_583_8e-3);
    let p = mul_add::<FMA>(p, r, 9.618_056_678_524_637e-3);
    let p = mul_add::<FMA>(p, r, 5.550_327_226_670_302e-2);
    let p = mul_add::<FMA>(p, r, 2.402_265_092_228_875_7e-1);
    let p = mul_add::<FMA>(p, r, 6.931_472_067_028_326e-1);
    let p = mul_add::<FMA>(p, r, 1.0);
    // The power of two goes straight into the exponent's bits. What an f32 NaN leaves of the sum has zeros there, and
    // stays NaN.
    f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// The density `exp(-x^2/2)/sqrt(2 pi)`, to rounding.
#[inline(always)]
pub(super) fn norm_pdf<const FMA: bool>(x: f32) -> f32 {
    (INV_SQRT_2PI * exp_of_square::<FMA>(magnitude(x))) as f32
}

/// The distribution function, to rounding.
#[inline(always)]
pub(super) fn norm_cdf<const FMA: bool>(x: f32) -> f32 {
    let t = magnitude(x);
    let over = 1.0 / (t + 4.0);
    let w = mul_add::<FMA>(over, -8.0, 1.0);
    let p = mul_add::<FMA>(-1.288_914_832_464_035_4e-5, w, -5.794_966_958_557_517_6e-5);
    let p = mul_add::<FMA>(p, w, 4.276_365_289_671_564_5e-5);
    let p = mul_add::<FMA>(p, w, 4.113_048_243_408_72e-4);
    let p = mul_add::<FMA>(p, w, -8.723_293_190_287_64e-4);
    let p = mul_add::<FMA>(p, w, -1.886_317_066_428_762_4e-3);
    let p = mul_add::<FMA>(p, w, 1.509_938_327_195_730_5e-2);
    let p = mul_add::<FMA>(p, w, -4.663_032_035_063_032e-2);
    let p = mul_add::<FMA>(p, w, 9.678_434_199_963_998e-2);
    let p = mul_add::<FMA>(p, w, -1.519_741_647_727_130_6e-1);
    let p = mul_add::<FMA>(p, w, 1.888_212_826_557_526_8e-1);
    let tail = exp_of_square::<FMA>(t) * (4.0 * p * over);
    (if x < 0.0 { tail } else { 1.0 - tail }) as f32
}
