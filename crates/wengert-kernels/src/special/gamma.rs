//! The gamma function and its logarithm.
//!
//! Three ways, none of which cancels: near 2 the Taylor series of the logarithm in `zeta(k) - 1` (Abramowitz and Stegun
//! 1964, 6.1.33), elsewhere below 24 the recurrence down to it, and Stirling's series (6.1.40) above. Negative
//! arguments by reflection (6.1.17).

use super::trigonometric::sinpi;
use core::f64::consts::PI;

/// `1 - gamma` with Euler's constant: the slope of `ln_gamma` at 2.
const SLOPE_AT_2: f64 = 0.42278433509846713;
/// `(-1)^k (zeta(k) - 1)/k` from `k = 2` on.
const AT_2: [f64; 27] = [
    0.3224670334241132,
    -0.0673523010531981,
    0.020580808427784546,
    -0.007385551028673986,
    0.0028905103307415234,
    -0.001192753911703261,
    0.0005096695247430425,
    -0.00022315475845357939,
    9.945751278180853e-5,
    -4.492623673813314e-5,
    2.050721277567069e-5,
    -9.439488275268397e-6,
    4.374866789907488e-6,
    -2.039215753801366e-6,
    9.55141213040742e-7,
    -4.492469198764566e-7,
    2.1207184805554665e-7,
    -1.0043224823968099e-7,
    4.7698101693639804e-8,
    -2.2711094608943164e-8,
    1.0838659214896955e-8,
    -5.183475041970047e-9,
    2.4836745438024785e-9,
    -1.1921401405860912e-9,
    5.731367241678862e-10,
    -2.7595228851242334e-10,
    1.330476437424449e-10,
];
/// `B_2k/(2k (2k - 1))` from `k = 1` on, with the Bernoulli numbers `B`.
const STIRLING: [f64; 8] = [
    0.08333333333333333,
    -0.002777777777777778,
    0.0007936507936507937,
    -0.0005952380952380953,
    0.0008417508417508417,
    -0.0019175269175269176,
    0.00641025641025641,
    -0.029550653594771242,
];
/// `ln(2 pi)/2`.
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;
/// `sqrt(2 pi)`.
const SQRT_2PI: f64 = 2.506_628_274_631_000_7;

/// `ln_gamma(2 + w)` for `|w| <= 1/2`, relative to its size near the zero at 2.
fn near_2(w: f64) -> f64 {
    w * AT_2.iter().rev().fold(0.0, |sum, c| sum * w + c).mul_add(w, SLOPE_AT_2)
}

/// What Stirling's formula leaves out: `ln_gamma(x) - ((x - 1/2) ln x - x + ln(2 pi)/2)`, for `x >= 10`.
pub(super) fn stirling_rest(x: f64) -> f64 {
    let square = (1.0 / x) / x;
    STIRLING.iter().rev().fold(0.0, |sum, c| sum * square + c) / x
}

/// `ln|gamma(x)|`; infinite at the poles 0, -1, -2, ...
pub(crate) fn ln_gamma(x: f64) -> f64 {
    if x <= -0.5 {
        if x == x.floor() {
            return f64::INFINITY;
        }
        // gamma(x) gamma(-x) = -pi/(x sin(pi x))
        return (PI / (x * sinpi(x)).abs()).ln() - ln_gamma(-x);
    }
    if x < 0.5 {
        return near_2(x) - x.ln_1p() - x.abs().ln();
    }
    if x < 1.5 {
        return near_2(x - 1.0) - (x - 1.0).ln_1p();
    }
    if x < 10.0 {
        let (mut x, mut product) = (x, 1.0);
        while x > 2.5 {
            x -= 1.0;
            product *= x;
        }
        return near_2(x - 2.0) + f64::ln(product);
    }
    if x == f64::INFINITY {
        return x;
    }
    (x - 0.5) * (x.ln() - 1.0) + ((HALF_LN_2PI - 0.5) + stirling_rest(x))
}

/// `ln_gamma(1 + x)` for `0 <= x <= 1`, with its digits near the zero at 0.
pub(super) fn ln_gamma_1p(x: f64) -> f64 {
    if x < 0.5 { near_2(x) - x.ln_1p() } else { ln_gamma(1.0 + x) }
}

/// Two factors of `gamma(x)` for `x > 0`, neither of which overflows below 340.
fn factors(x: f64) -> (f64, f64) {
    if x < 0.5 {
        return (near_2(x).exp() / (1.0 + x), 1.0 / x);
    }
    if x < 1.5 {
        return (near_2(x - 1.0).exp(), 1.0 / x);
    }
    if x < 24.0 {
        // Products of integers are exact as far as they fit: factorials come out right.
        let (mut x, mut product) = (x, 1.0);
        while x > 2.5 {
            x -= 1.0;
            product *= x;
        }
        return (near_2(x - 2.0).exp(), product);
    }
    let half_power = x.powf(0.5 * x - 0.25);
    (SQRT_2PI * half_power * (-x).exp() * stirling_rest(x).exp(), half_power)
}

/// The gamma function; infinite at 0 and NaN at the other poles.
pub(crate) fn gamma(x: f64) -> f64 {
    if x > 0.0 {
        if x > 172.0 {
            return f64::INFINITY;
        }
        let (a, b) = factors(x);
        return a * b;
    }
    if x == 0.0 {
        return 1.0 / x;
    }
    if x == x.floor() || x.is_nan() {
        return f64::NAN;
    }
    if x < -184.0 {
        // Below the smallest number; the sign is that of every other interval.
        return if x.floor() % 2.0 == 0.0 { 0.0 } else { -0.0 };
    }
    if x > -0.5 {
        return near_2(x).exp() / (x * (1.0 + x));
    }
    let (a, b) = factors(-x);
    -PI / (x * sinpi(x)) / a / b
}
