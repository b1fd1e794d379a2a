//! Elementary functions of `f32` without branches.
//!
//! Polynomials named "Cephes" are those of S. Moshier's Cephes library (single precision, 1992). The others come from
//! the Remez algorithm in 90-digit arithmetic, with the error that is stated, then rounded to `f32`.

#![expect(clippy::excessive_precision, reason = "constants with the digits their sources print")]

pub(super) use super::normal::{norm_cdf, norm_pdf};
use super::shared::shared_bodies;
use core::f32::consts::{LOG2_E, SQRT_2};

shared_bodies!(f32 i32 u32);

/// Above it `e^x` is infinite.
const EXP_MOST: f32 = 89.0;
/// Below it `e^x` is zero.
const EXP_LEAST: f32 = -104.0;
/// From here up `e^x` is normal by a few binades.
const EXP_DECAY_LEAST: f32 = -86.6;
/// Below it `e^x - 1` is -1.
const EXP_M1_LEAST: f32 = -20.0;
/// `1.5 * 2^23`: adding and subtracting it rounds to the nearest integer, and the sum holds that integer in its low
/// bits.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` in two parts, the first so short that its product with an exponent is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = (core::f64::consts::LN_2 - 355.0 / 512.0) as f32;

/// `(e^r - 1 - r) / r^2` for `|r| <= ln 2 / 2`; the error of `e^r` is `2^-28`.
#[inline(always)]
fn exp_tail<const FMA: bool>(r: f32) -> f32 {
    let z = r * r;
    let high = mul_add::<FMA>(1.395_060_3e-3, z, mul_add::<FMA>(8.368_953e-3, r, 4.166_620_4e-2));
    mul_add::<FMA>(high, z, mul_add::<FMA>(1.666_651_8e-1, r, 0.5))
}

/// `e ln 2 + ln(1 + f)` for `1 + f` in `[sqrt(1/2), sqrt 2)` (Cephes).
#[inline(always)]
fn log_sum<const FMA: bool>(e: f32, f: f32) -> f32 {
    let z = f * f;
    let p = mul_add::<FMA>(7.037_683_6e-2, f, -1.151_461_03e-1);
    let p = mul_add::<FMA>(p, f, 1.167_699_87e-1);
    let p = mul_add::<FMA>(p, f, -1.242_014_08e-1);
    let p = mul_add::<FMA>(p, f, 1.424_932_28e-1);
    let p = mul_add::<FMA>(p, f, -1.666_805_77e-1);
    let p = mul_add::<FMA>(p, f, 2.000_071_48e-1);
    let p = mul_add::<FMA>(p, f, -2.499_999_4e-1);
    let p = mul_add::<FMA>(p, f, 3.333_333_1e-1);
    let tail = mul_add::<FMA>(e, LN_2_LOW, p * f * z);
    let tail = mul_add::<FMA>(z, -0.5, tail);
    mul_add::<FMA>(e, LN_2_HIGH, f + tail)
}

/// The integer `n` as a float.
#[inline(always)]
fn float(n: i32) -> f32 {
    n as f32
}

/// `ln(1 + x)`, within 1.5 ulp.
#[inline(always)]
pub(super) fn ln_1p<const FMA: bool>(x: f32) -> f32 {
    let u = 1.0 + x;
    // What the sum lost: it belongs to the logarithm's argument, scaled like it. From 2^25 it is below half an ulp.
    let lost = if u < 2.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let (e, f) = split(u);
    let lost = if e < 25 { lost * power_of_two(-e.clamp(-126, 25)) } else { 0.0 };
    let y = log_sum::<FMA>(float(e), f + lost);
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == -1.0 { f32::NEG_INFINITY } else { y };
    let y = if x == 0.0 { x } else { y };
    if x < -1.0 { f32::NAN } else { y }
}

/// `tanh |x| = 1 - 2q` with `q = e / (1 + e)` from `e = exp(-2|x|)`, an odd polynomial near zero (Cephes), within 2 ulp.
///
/// `t / (t + 2)` with `t = e^(2x) - 1` needs no polynomial, and is wrong by 2.5 ulp around 0.03.
#[inline(always)]
pub(super) fn tanh_of<const FMA: bool>(x: f32, e: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let p = mul_add::<FMA>(-5.704_988_7e-3, z, 2.063_908_9e-2);
    let p = mul_add::<FMA>(p, z, -5.373_971_6e-2);
    let p = mul_add::<FMA>(p, z, 1.333_144_2e-1);
    let p = mul_add::<FMA>(p, z, -3.333_328_2e-1);
    let near_zero = mul_add::<FMA>(p * z, a, a);
    let far = mul_add::<FMA>(-2.0, e / (1.0 + e), 1.0);
    (if a < 0.625 { near_zero } else { far }).copysign(x)
}

/// The slope of `tanh`, `1 - (1 - 2q)^2 = 4(q - q^2)`: the exponential and the quotient of the value.
#[inline(always)]
pub(super) fn tanh_slope_of<const FMA: bool>(_x: f32, e: f32) -> f32 {
    let q = e / (1.0 + e);
    4.0 * mul_add::<FMA>(-q, q, q)
}

/// Up to here the reduction below is exact enough; beyond, the caller takes `f32::sin` and `f32::cos`.
pub(super) const ANGLE_LIMIT: f32 = 1_048_576.0;

/// `x = n pi/2 + r` with `|r| <= pi/4`: `n` modulo 2^32, and `r`.
#[inline(always)]
fn reduce_angle<const FMA: bool>(x: f32) -> (i32, f32) {
    // In f64: near a multiple of pi/2 the first 30 bits of r cancel, and r must still have 24.
    const ROUND: f64 = super::double::ROUND;
    let x = f64::from(x);
    let shifted = super::double::mul_add::<FMA>(x, core::f64::consts::FRAC_2_PI, ROUND);
    let n = shifted - ROUND;
    let r = super::double::mul_add::<FMA>(n, -super::double::FRAC_PI_2_PARTS[0], x);
    let r = super::double::mul_add::<FMA>(n, -super::double::FRAC_PI_2_PARTS[1], r);
    (shifted.to_bits() as i32, r as f32)
}

/// `sin r` for `|r| <= pi/4` (Cephes).
#[inline(always)]
fn sin_near_zero<const FMA: bool>(r: f32) -> f32 {
    let z = r * r;
    let p = mul_add::<FMA>(-1.951_529_6e-4, z, 8.332_161e-3);
    let p = mul_add::<FMA>(p, z, -1.666_665_5e-1);
    mul_add::<FMA>(p * z, r, r)
}

/// `cos r` for `|r| <= pi/4` (Cephes).
#[inline(always)]
fn cos_near_zero<const FMA: bool>(r: f32) -> f32 {
    let z = r * r;
    let p = mul_add::<FMA>(2.443_315_7e-5, z, -1.388_731_6e-3);
    let p = mul_add::<FMA>(p, z, 4.166_664_6e-2);
    let p = mul_add::<FMA>(p, z, -0.5);
    mul_add::<FMA>(p, z, 1.0)
}

/// `sin x` for `|x| <= ANGLE_LIMIT`, within 1.5 ulp.
#[inline(always)]
pub(super) fn sin<const FMA: bool>(x: f32) -> f32 {
    let (n, r) = reduce_angle::<FMA>(x);
    let y = if n & 1 == 0 { sin_near_zero::<FMA>(r) } else { cos_near_zero::<FMA>(r) };
    let y = f32::from_bits(y.to_bits() ^ ((n & 2) << 30) as u32);
    if x == 0.0 { x } else { y }
}

/// `cos x` for `|x| <= ANGLE_LIMIT`, within 1.5 ulp.
#[inline(always)]
pub(super) fn cos<const FMA: bool>(x: f32) -> f32 {
    let (n, r) = reduce_angle::<FMA>(x);
    let y = if n & 1 == 0 { cos_near_zero::<FMA>(r) } else { sin_near_zero::<FMA>(r) };
    f32::from_bits(y.to_bits() ^ ((n.wrapping_add(1) & 2) << 30) as u32)
}
