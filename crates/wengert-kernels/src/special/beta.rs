//! The beta function and its logarithm, for positive arguments.
//!
//! By gamma functions while both arguments are small; by Stirling's formula, with its powers taken together, where
//! gamma functions of the size of the result's inverse would cancel.

use super::gamma::{gamma, ln_gamma, stirling_rest};
use super::polygamma::digamma;
use core::f64::consts::PI;

/// From here on Stirling's series holds.
const LARGE: f64 = 10.0;

/// `b ln(1 + a/b)` for `a <= b`, less `a`: what `(1 + a/b)^b` lacks of `e^a`, in the exponent.
fn exponential_lack(a: f64, b: f64) -> f64 {
    let t = a / b;
    if t < 1e-3 {
        // -b (t - ln(1 + t))
        -a * t * (0.5 - t * (1.0 / 3.0 - t * (0.25 - t * (0.2 - t / 6.0))))
    } else {
        b * t.ln_1p() - a
    }
}

/// `a + b` and what the rounding took off it.
fn exact_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, if a > b { b - (sum - a) } else { a - (sum - b) })
}

/// `a/(a + b)` to the power `a`, the rounding of sum and quotient made good.
fn share_power(a: f64, b: f64) -> f64 {
    let (sum, rest) = exact_sum(a, b);
    let q = a / sum;
    // a - q (sum + rest), relative to a
    let low = ((-q).mul_add(sum, a) - q * rest) / a;
    q.powf(a) * (a * low).exp()
}

/// `gamma(a) gamma(b)/gamma(a + b)`; NaN for negative arguments.
pub(crate) fn beta(a: f64, b: f64) -> f64 {
    let (a, b) = if a > b { (b, a) } else { (a, b) };
    if !(a >= 0.0 && b >= 0.0) {
        return f64::NAN;
    }
    if a == 0.0 {
        return if b == f64::INFINITY { f64::NAN } else { f64::INFINITY };
    }
    if b == f64::INFINITY {
        return 0.0;
    }
    let sum = a + b;
    if sum == f64::INFINITY {
        return 0.0;
    }
    if b < LARGE {
        // gamma(sum + rest) = gamma(sum) (1 + digamma(sum) rest): 25 ulp near 20.
        let (sum, rest) = exact_sum(a, b);
        if b < 1e-150 {
            return 1.0 / a + 1.0 / b;
        }
        let y = gamma(b) / gamma(sum) * gamma(a);
        return if y.is_finite() { y - y * (digamma(sum) * rest) } else { y };
    }
    let rest = stirling_rest(b) - stirling_rest(sum);
    if a < LARGE {
        // gamma(b)/gamma(sum) = (1 + a/b)^-(b - 1/2) e^a sum^-a e^rest
        let exponent = rest - exponential_lack(a, b) + 0.5 * (a / b).ln_1p();
        return gamma(a) * sum.powf(-a) * exponent.exp();
    }
    let root = (2.0 * PI * (1.0 / a + 1.0 / b)).sqrt();
    let rest = (rest + stirling_rest(a)).exp();
    if a < 1e-3 * b {
        root * share_power(a, b) * (-a).exp() * (-exponential_lack(a, b)).exp() * rest
    } else {
        root * share_power(a, b) * share_power(b, a) * rest
    }
}

/// `ln beta(a, b)`; NaN for negative arguments.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (a, b) = if a > b { (b, a) } else { (a, b) };
    if !(a >= 0.0 && b >= 0.0) {
        return f64::NAN;
    }
    if a == 0.0 {
        return if b == f64::INFINITY { f64::NAN } else { f64::INFINITY };
    }
    if b == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    let sum = a + b;
    if b < LARGE {
        return (ln_gamma(a) - ln_gamma(sum)) + ln_gamma(b);
    }
    let rest = stirling_rest(b) - stirling_rest(sum);
    if a < LARGE {
        return (ln_gamma(a) - a * sum.ln()) + (rest - exponential_lack(a, b) + 0.5 * (a / b).ln_1p());
    }
    let root = 0.5 * (2.0 * PI * (1.0 / a + 1.0 / b)).ln();
    (-a * (b / a).ln_1p() - b * (a / b).ln_1p()) + root + (rest + stirling_rest(a))
}
