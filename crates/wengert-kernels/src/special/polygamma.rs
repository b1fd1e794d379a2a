//! Digamma and the polygamma functions, the derivatives of `ln_gamma`.
//!
//! Order `n >= 1` is `(-1)^(n+1) n!` times the Hurwitz zeta function at `n + 1`, summed by Euler and Maclaurin's
//! formula; order 0 by recurrence into its asymptotic series (Abramowitz and Stegun 1964, 6.3.18, 6.4.10, 23.1.30).
//! Negative arguments by reflection (6.4.7).

use super::trigonometric::{cospi, sinpi};
use core::f64::consts::PI;

/// `B_2k/(2k)` from `k = 1` on, with the Bernoulli numbers `B`.
const DIGAMMA: [f64; 8] = [
    0.08333333333333333,
    -0.008333333333333333,
    0.003968253968253968,
    -0.004166666666666667,
    0.007575757575757576,
    -0.021092796092796094,
    0.08333333333333333,
    -0.4432598039215686,
];
/// `B_2k/(2k)!` from `k = 1` on.
const EULER_MACLAURIN: [f64; 13] = [
    0.08333333333333333,
    -0.001388888888888889,
    3.306878306878307e-5,
    -8.267195767195768e-7,
    2.08767569878681e-8,
    -5.284190138687493e-10,
    1.3382536530684679e-11,
    -3.3896802963225827e-13,
    8.586062056277845e-15,
    -2.174868698558062e-16,
    5.5090028283602295e-18,
    -1.3954464685812522e-19,
    3.534707039629467e-21,
];

/// `ln_gamma'`; NaN at the poles 0, -1, -2, ...
pub(crate) fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        return if x > -0.5 { digamma(x + 1.0) - 1.0 / x } else { digamma(1.0 - x) - PI * cospi(x) / sinpi(x) };
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum += 1.0 / x;
        x += 1.0;
    }
    (x.ln() - sum) - (0.5 / x + digamma_series(x))
}

/// `ln x - 1/(2x) - digamma(x)` for `x >= 10`.
pub(super) fn digamma_series(x: f64) -> f64 {
    let square = (1.0 / x) / x;
    square * DIGAMMA.iter().rev().fold(0.0, |sum, c| sum * square + c)
}

/// `n!`.
fn factorial(n: u32) -> f64 {
    (2..=n).fold(1.0, |product, k| product * f64::from(k))
}

/// The `n`-th derivative of `digamma`; NaN at its poles and for negative `n`.
pub(crate) fn polygamma(n: i32, x: f64) -> f64 {
    let Ok(n) = u32::try_from(n) else { return f64::NAN };
    if n == 0 {
        return digamma(x);
    }
    let sign = if n % 2 == 0 { -1.0 } else { 1.0 };
    if x > 0.0 {
        return sign * hurwitz(n, x);
    }
    if x == x.floor() || x.is_nan() {
        return f64::NAN;
    }
    if n < 16 {
        let other = hurwitz(n, 1.0 - x);
        let rest = cotangent_derivative(n, x);
        return rest - other;
    }
    // The poles on either side are all one sees: those eight away weigh 1e-20 of the nearest.
    let nearest = x.round();
    let power = |k: f64| (1.0 / (x - k)).powi(n as i32 + 1);
    let sum: f64 = (-8..=8).map(|k| nearest + f64::from(k)).filter(|&k| k <= 0.0).map(power).sum();
    sign * factorial(n) * sum
}

/// `n!` times the Hurwitz zeta function `sum over k of 1/(x + k)^(n + 1)`, for `x > 0`.
fn hurwitz(n: u32, x: f64) -> f64 {
    let order = f64::from(n);
    let first = 12.0 + 0.5 * order;
    // n!/x^n; one power more underflows before the result does.
    let power = |x: f64| (1..=n).fold(1.0, |y, k| y / x * f64::from(k));
    let (mut x, mut sum) = (x, 0.0);
    while x < first {
        sum += power(x) / x;
        x += 1.0;
    }
    let last = power(x);
    let square = (1.0 / x) / x;
    let mut rising = (order + 1.0) / x;
    let mut series = 0.0;
    for (j, c) in (0u32..).zip(EULER_MACLAURIN) {
        let term = c * rising;
        series += term;
        if term.abs() < 1e-18 {
            break;
        }
        let next = order + 2.0 + 2.0 * f64::from(j);
        rising *= next * (next + 1.0) * square;
    }
    sum + (last / order + last / x * (0.5 + series))
}

/// `d^n/dx^n` of `-pi cot(pi x)`: a polynomial in the cotangent `c`, by `c' = -pi (1 + c^2)`.
fn cotangent_derivative(n: u32, x: f64) -> f64 {
    const DEGREE: usize = 17;
    let mut powers = [0.0; DEGREE + 1];
    powers[1] = -PI;
    for degree in 1..=n as usize {
        let mut next = [0.0; DEGREE + 1];
        for k in 1..=degree {
            let slope = -PI * k as f64 * powers[k];
            next[k - 1] += slope;
            next[k + 1] += slope;
        }
        powers = next;
    }
    let c = cospi(x) / sinpi(x);
    powers.iter().rev().fold(0.0, |sum, p| sum * c + p)
}
