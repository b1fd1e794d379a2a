//! Elementary functions of `f64` without branches.
//!
//! Polynomials named "FDLIBM" are those of Sun's Freely Distributable LIBM 5.3 (1993, `e_log.c`, `k_sin.c`, `k_cos.c`,
//! `e_rem_pio2.c`). The others come from the Remez algorithm in 90-digit arithmetic, with the error that is stated.

#![expect(clippy::excessive_precision, reason = "constants with the digits their sources print")]

use super::shared::shared_bodies;
use core::f64::consts::{FRAC_2_PI, LOG2_E, SQRT_2};

shared_bodies!(f64 i64 u64);

/// Above it `e^x` is infinite.
const EXP_MOST: f64 = 710.0;
/// Below it `e^x` is zero.
const EXP_LEAST: f64 = -746.0;
/// From here up `e^x` is normal by a few binades.
const EXP_DECAY_LEAST: f64 = -707.0;
/// Below it `e^x - 1` is -1.
const EXP_M1_LEAST: f64 = -40.0;
/// `1.5 * 2^52`: adding and subtracting it rounds to the nearest integer, and the sum holds that integer in its low
/// bits.
pub(super) const ROUND: f64 = 6_755_399_441_055_744.0;
/// `ln 2` in two parts, the first so short that its product with an exponent is exact (FDLIBM).
const LN_2_HIGH: f64 = 6.931_471_803_691_238_164_90e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;
/// `pi/2` in four parts; the first three have 33 bits, so that their products with integers below 2^20 are exact
/// (FDLIBM).
pub(super) const FRAC_PI_2_PARTS: [f64; 4] = [
    1.570_796_326_734_125_614_17,
    6.077_100_506_303_965_976_60e-11,
    2.022_266_248_711_166_455_80e-21,
    8.478_427_660_368_899_569_97e-32,
];

/// `(e^r - 1 - r) / r^2` for `|r| <= ln 2 / 2`; the error of `e^r` is `2^-58`.
#[inline(always)]
fn exp_tail<const FMA: bool>(r: f64) -> f64 {
    let z = r * r;
    let w = z * z;
    let pair = |a: f64, b: f64| mul_add::<FMA>(a, r, b);
    let high = mul_add::<FMA>(
        pair(2.511_796_944_078_643_9e-8, 2.763_141_323_213_383_1e-7),
        z,
        pair(2.755_721_595_930_644_8e-6, 2.480_148_959_228_848_7e-5),
    );
    let middle = mul_add::<FMA>(
        pair(1.984_126_991_776_560_7e-4, 1.388_888_894_732_937_3e-3),
        z,
        pair(8.333_333_333_307_028_3e-3, 4.166_666_666_651_433_1e-2),
    );
    let low = pair(1.666_666_666_666_669_9e-1, 5.000_000_000_000_012_9e-1);
    mul_add::<FMA>(mul_add::<FMA>(high, w, middle), z, low)
}

/// `e ln 2 + ln(1 + f)` for `1 + f` in `[sqrt(1/2), sqrt 2)` (FDLIBM).
#[inline(always)]
fn log_sum<const FMA: bool>(e: f64, f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let p = mul_add::<FMA>(1.479_819_860_511_658_591e-1, z, 1.531_383_769_920_937_332e-1);
    let p = mul_add::<FMA>(p, z, 1.818_357_216_161_805_012e-1);
    let p = mul_add::<FMA>(p, z, 2.222_219_843_214_978_396e-1);
    let p = mul_add::<FMA>(p, z, 2.857_142_874_366_239_149e-1);
    let p = mul_add::<FMA>(p, z, 3.999_999_999_940_941_908e-1);
    let p = mul_add::<FMA>(p, z, 6.666_666_666_666_735_130e-1);
    let half_square = 0.5 * f * f;
    let tail = mul_add::<FMA>(s, mul_add::<FMA>(p, z, half_square), e * LN_2_LOW);
    mul_add::<FMA>(e, LN_2_HIGH, f - (half_square - tail))
}

/// The integer `n`, `|n| < 2^51`, as a float. Conversion from `i64` is an instruction in AVX-512 only.
#[inline(always)]
fn float(n: i64) -> f64 {
    f64::from_bits((n as u64).wrapping_add(ROUND.to_bits())) - ROUND
}

/// `ln(1 + x)`, within 1.5 ulp.
#[inline(always)]
pub(super) fn ln_1p<const FMA: bool>(x: f64) -> f64 {
    let u = 1.0 + x;
    // What the sum lost: it belongs to the logarithm's argument, scaled like it. From 2^54 it is below half an ulp.
    let lost = if u < 2.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let (e, f) = split(u);
    let scale = power_of_two(e.wrapping_neg());
    let lost = if u < 18_014_398_509_481_984.0 { lost * scale } else { 0.0 };
    let y = log_sum::<FMA>(float(e), f + lost);
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == -1.0 { f64::NEG_INFINITY } else { y };
    let y = if x == 0.0 { x } else { y };
    if x < -1.0 { f64::NAN } else { y }
}

/// `tanh |x| = 1 + q` with `q = -2e / (1 + e)` from `e = exp(-2|x|)`, an odd rational function near zero (Cephes,
/// double precision), within 2 ulp.
///
/// `t / (t + 2)` with `t = e^(2x) - 1` needs no second form, and is wrong by 2.5 ulp below one half.
#[inline(always)]
pub(super) fn tanh_of<const FMA: bool>(x: f64, e: f64) -> f64 {
    let a = x.abs();
    (tanh_quotient::<FMA>(a, e) + if a < TANH_SMALL { a } else { 1.0 }).copysign(x)
}

/// The slope of `tanh`, `1 - (1 + q)^2 = -2q - q^2`, near zero 1 less the square of the value: the exponential and the
/// quotient of the value.
#[inline(always)]
pub(super) fn tanh_slope_of<const FMA: bool>(x: f64, e: f64) -> f64 {
    let a = x.abs();
    let q = tanh_quotient::<FMA>(a, e);
    let y = a + q;
    if a < TANH_SMALL { mul_add::<FMA>(-y, y, 1.0) } else { mul_add::<FMA>(-q, q, -2.0 * q) }
}

/// Below it `tanh` is a rational function.
const TANH_SMALL: f64 = 0.625;

/// `tanh a - a` below [`TANH_SMALL`], from there on `tanh a - 1`.
#[inline(always)]
fn tanh_quotient<const FMA: bool>(a: f64, e: f64) -> f64 {
    let z = a * a;
    let p = mul_add::<FMA>(-9.643_991_794_250_522_386_28e-1, z, -9.928_772_310_019_185_865_64e1);
    let p = mul_add::<FMA>(p, z, -1.614_687_684_417_084_479_52e3);
    let q = mul_add::<FMA>(1.0, z, 1.128_116_784_916_329_314_02e2);
    let q = mul_add::<FMA>(q, z, 2.235_488_390_601_004_485_83e3);
    let q = mul_add::<FMA>(q, z, 4.844_063_053_251_254_860_48e3);
    // Both forms end in a quotient: select before the division, there is only one.
    let small = a < TANH_SMALL;
    (if small { p * z * a } else { -2.0 * e }) / (if small { q } else { 1.0 + e })
}

/// Up to here the reduction below is exact enough; beyond, the caller takes `f64::sin` and `f64::cos`.
pub(super) const ANGLE_LIMIT: f64 = 1_048_576.0;

/// `x = n pi/2 + r + rest` with `|r| <= pi/4` and `rest` below half an ulp of `r`: `n` modulo 2^64, `r`, `rest`.
#[inline(always)]
fn reduce_angle<const FMA: bool>(x: f64) -> (i64, f64, f64) {
    let shifted = mul_add::<FMA>(x, FRAC_2_PI, ROUND);
    let n = shifted - ROUND;
    // Exact: the product has 53 bits and the difference cancels. The next two differences carry their rounding along,
    // so that r keeps all its bits for the x nearest to a multiple of pi/2, where 2 * 30 bits cancel.
    let first = x - n * FRAC_PI_2_PARTS[0];
    let (second, lost_second) = difference(first, n * FRAC_PI_2_PARTS[1]);
    let (third, lost_third) = difference(second, n * FRAC_PI_2_PARTS[2]);
    let rest = (lost_second + lost_third) - n * FRAC_PI_2_PARTS[3];
    let r = third + rest;
    (shifted.to_bits() as i64, r, rest - (r - third))
}

/// `a - b` and what its rounding lost (Knuth's two-sum).
#[inline(always)]
fn difference(a: f64, b: f64) -> (f64, f64) {
    let d = a - b;
    let b_seen = a - d;
    let a_seen = d + b_seen;
    (d, (a - a_seen) - (b - b_seen))
}

/// `sin(r + rest)` for `|r| <= pi/4` (FDLIBM).
#[inline(always)]
fn sin_near_zero<const FMA: bool>(r: f64, rest: f64) -> f64 {
    let z = r * r;
    let p = mul_add::<FMA>(1.589_690_995_211_550_102_21e-10, z, -2.505_076_025_340_686_341_95e-8);
    let p = mul_add::<FMA>(p, z, 2.755_731_370_707_006_767_89e-6);
    let p = mul_add::<FMA>(p, z, -1.984_126_982_985_794_931_34e-4);
    let p = mul_add::<FMA>(p, z, 8.333_333_333_322_489_461_24e-3);
    let cube = z * r;
    r - ((z * (0.5 * rest - cube * p) - rest) + cube * 1.666_666_666_666_663_243_48e-1)
}

/// `cos(r + rest)` for `|r| <= pi/4` (FDLIBM).
#[inline(always)]
fn cos_near_zero<const FMA: bool>(r: f64, rest: f64) -> f64 {
    let z = r * r;
    let p = mul_add::<FMA>(-1.135_964_755_778_819_482_65e-11, z, 2.087_572_321_298_174_827_90e-9);
    let p = mul_add::<FMA>(p, z, -2.755_731_435_139_066_330_35e-7);
    let p = mul_add::<FMA>(p, z, 2.480_158_728_947_672_941_78e-5);
    let p = mul_add::<FMA>(p, z, -1.388_888_888_887_410_957_49e-3);
    let p = mul_add::<FMA>(p, z, 4.166_666_666_666_660_190_37e-2);
    let half_square = 0.5 * z;
    let one = 1.0 - half_square;
    one + (((1.0 - one) - half_square) + (z * z * p - r * rest))
}

/// `sin x` for `|x| <= ANGLE_LIMIT`, within 1 ulp.
#[inline(always)]
pub(super) fn sin<const FMA: bool>(x: f64) -> f64 {
    let (n, r, rest) = reduce_angle::<FMA>(x);
    let y = if n & 1 == 0 { sin_near_zero::<FMA>(r, rest) } else { cos_near_zero::<FMA>(r, rest) };
    let y = f64::from_bits(y.to_bits() ^ ((n & 2) << 62) as u64);
    if x == 0.0 { x } else { y }
}

/// `cos x` for `|x| <= ANGLE_LIMIT`, within 1 ulp.
#[inline(always)]
pub(super) fn cos<const FMA: bool>(x: f64) -> f64 {
    let (n, r, rest) = reduce_angle::<FMA>(x);
    let y = if n & 1 == 0 { cos_near_zero::<FMA>(r, rest) } else { sin_near_zero::<FMA>(r, rest) };
    f64::from_bits(y.to_bits() ^ ((n.wrapping_add(1) & 2) << 62) as u64)
}

/// The normal density. A call: the branches of the scalar function are what keeps it within 1.6 ulp.
#[inline(always)]
pub(super) fn norm_pdf<const FMA: bool>(x: f64) -> f64 {
    crate::special::erf::norm_pdf(x)
}

/// The normal distribution function, a call as well.
#[inline(always)]
pub(super) fn norm_cdf<const FMA: bool>(x: f64) -> f64 {
    crate::special::erf::norm_cdf(x)
}
