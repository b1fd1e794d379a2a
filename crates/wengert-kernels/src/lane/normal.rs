//! The normal distribution in `f32`, without branches.
//!
//! `P(-t) = exp(-t^2/2) g(t)` for `t >= 0`, where `g`, half the scaled complement of the error function, falls from 1/2 like
//! `1/t`. Times `(t + 4)/4` it is tame in `w = (t - 4)/(t + 4)`, which maps all `t` into `[-1, 1]` (M. Shepherd and J. Laframboise,
//! "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x", 1981): a polynomial of degree 9, by interpolation at Chebyshev points in
//! 40-digit arithmetic, with relative error 1.4e-8.

use super::single::{exp, mul_add};

/// From here on the density is 0.
const FAR: f32 = 15.0;
/// The bits of a float but the last 12: its square has no more than 24, and is exact.
const LEADING: u32 = !0xfff;
/// `1/sqrt(2 pi)`.
const INV_SQRT_2PI: f32 = 0.398_942_3;

/// `exp(-t^2/2)` for `0 <= t <= FAR`, within 1.5 ulp: what the rounding of the square loses is up to 190 ulp of the result.
#[inline(always)]
fn bell<const FMA: bool>(t: f32) -> f32 {
    let head = f32::from_bits(t.to_bits() & LEADING);
    let square = t * t;
    let lost = mul_add::<FMA>(t - head, t + head, head * head - square);
    let e = exp::<FMA>(-0.5 * square);
    mul_add::<FMA>(e, -0.5 * lost, e)
}

/// `|x|`, but no more than `FAR`; NaN for NaN.
#[inline(always)]
fn magnitude(x: f32) -> f32 {
    let t = x.abs();
    if t > FAR { FAR } else { t }
}

/// The density `exp(-x^2/2)/sqrt(2 pi)`, within 2.5 ulp.
#[inline(always)]
pub(super) fn norm_pdf<const FMA: bool>(x: f32) -> f32 {
    INV_SQRT_2PI * bell::<FMA>(magnitude(x))
}

/// The distribution function, within 5 ulp: half of them are those of the quotient and the polynomial.
#[inline(always)]
pub(super) fn norm_cdf<const FMA: bool>(x: f32) -> f32 {
    let t = magnitude(x);
    let share = 4.0 / (t + 4.0);
    let w = (t - 4.0) / (t + 4.0);
    let p = mul_add::<FMA>(-3.138_959_6e-5, w, 4.724_913e-5);
    let p = mul_add::<FMA>(p, w, 3.917_204e-4);
    let p = mul_add::<FMA>(p, w, -8.802_432e-4);
    let p = mul_add::<FMA>(p, w, -1.881_350_6e-3);
    let p = mul_add::<FMA>(p, w, 1.510_154_6e-2);
    let p = mul_add::<FMA>(p, w, -4.663_082_7e-2);
    let p = mul_add::<FMA>(p, w, 9.678_417e-2);
    let p = mul_add::<FMA>(p, w, -1.519_741_5e-1);
    let p = mul_add::<FMA>(p, w, 1.888_212_8e-1);
    let tail = bell::<FMA>(t) * (p * share);
    if x < 0.0 { tail } else { 1.0 - tail }
}
