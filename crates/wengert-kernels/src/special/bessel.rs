//! Bessel functions of integer order: `J_n` and the modified `I_n`.
//!
//! In the middle by Miller's backward recurrence (Olver 1964; DLMF 3.6), normalised by `1 = J_0 + 2 J_2 + 2 J_4 + ..`
//! and `e^x = I_0 + 2 I_1 + 2 I_2 + ..`, which gives every order its digits down to the smallest; near 0 by the power
//! series (DLMF 10.2.2, 10.25.2), for large arguments by Hankel's expansions (DLMF 10.17.3, 10.40.1). No coefficient
//! has to be believed. The error of `J_n` is relative to the height of its waves, not to its value beside a zero.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

/// From here on, and from the square of the order, Hankel's expansions hold to the last digit.
const FAR: f64 = 30.0;

/// `sum of (s x^2/4)^k n!/(k! (n + k)!) (x/2)^n/n!` with the sign `s`.
fn power_series(n: u32, x: f64, s: f64) -> f64 {
    let half = 0.5 * x;
    let first = (1..=n).fold(1.0, |power, k| power * (half / f64::from(k)));
    let square = s * half * half;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40u32 {
        term *= square / (f64::from(k) * f64::from(n + k));
        sum += term;
        if term.abs() < 1e-18 {
            break;
        }
    }
    first * sum
}

/// One multiple of several orders at once.
struct Multiples {
    wanted: f64,
    zero: f64,
    one: f64,
    /// The sum that is 1, or `e^x`, of the functions themselves.
    sum: f64,
}

/// Miller's recurrence `f_(k-1) = (2k/x) f_k + s f_(k+1)` from far above down to order 0.
fn miller(n: u32, x: f64, s: f64) -> Multiples {
    let start = (n.max(x as u32) + 30 + (3.0 * x.cbrt() * 4.0) as u32) & !1;
    let two_over_x = 2.0 / x;
    let (mut above, mut here) = (0.0, 1e-280);
    let (mut wanted, mut one, mut sum) = (0.0, 0.0, 0.0);
    for k in (0..=start).rev() {
        // `here` is the multiple of order k.
        if k == n {
            wanted = here;
        }
        if k == 1 {
            one = here;
        }
        let weight = if k == 0 { 1.0 } else { 2.0 };
        if s > 0.0 || k % 2 == 0 {
            sum += weight * here;
        }
        let below = f64::from(k) * two_over_x * here + s * above;
        (above, here) = (here, below);
        if here.abs() > 1e280 {
            const DOWN: f64 = 1e-280;
            (above, here, one) = (above * DOWN, here * DOWN, one * DOWN);
            (wanted, sum) = (wanted * DOWN, sum * DOWN);
        }
    }
    Multiples { wanted, zero: above, one, sum }
}

/// The terms of Hankel's expansion, `a_k = product of (mu - (2j - 1)^2)/(8 j x)`, passed on until they no longer count.
fn hankel(n: u32, x: f64, mut each: impl FnMut(u32, f64)) {
    let mu = 4.0 * f64::from(n) * f64::from(n);
    let mut term = 1.0_f64;
    for k in 0..60u32 {
        each(k, term);
        let odd = f64::from(2 * k + 1);
        let next = term * (mu - odd * odd) / (8.0 * f64::from(k + 1) * x);
        // The series is asymptotic: past its smallest term it grows again.
        if next.abs() < 1e-18 || next.abs() > term.abs() && odd * odd > mu {
            break;
        }
        term = next;
    }
}

/// Bessel function of the first kind, `J_n(x)`, of any integer order.
pub(crate) fn bessel_j(n: i32, x: f64) -> f64 {
    let order = n.unsigned_abs();
    // J_-n(x) = J_n(-x) = (-1)^n J_n(x)
    let flip = order % 2 == 1 && (n < 0) != (x < 0.0);
    let y = positive_j(order, x.abs());
    if flip { -y } else { y }
}

fn positive_j(n: u32, x: f64) -> f64 {
    if x == f64::INFINITY {
        return 0.0;
    }
    if x.is_nan() {
        return x;
    }
    if x < 1.5 {
        return power_series(n, x, -1.0);
    }
    if x < FAR {
        let f = miller(n, x, -1.0);
        return f.wanted / f.sum;
    }
    let (zero, one) = (far_j(0, x), far_j(1, x));
    let order = f64::from(n);
    if order * order < x {
        far_j(n, x)
    } else if order < x {
        // The recurrence is stable upwards as long as the order is below the argument.
        let recur = |(below, here): (f64, f64), k: u32| (here, f64::from(2 * k) / x * here - below);
        (1..n).fold((zero, one), recur).1
    } else {
        // The sum of hundreds of waves is worth less than two of them known.
        let f = miller(n, x, -1.0);
        if zero.abs() > one.abs() { f.wanted / f.zero * zero } else { f.wanted / f.one * one }
    }
}

/// Hankel's expansion, for `x >= FAR` and orders up to the root of `x`.
fn far_j(n: u32, x: f64) -> f64 {
    let (mut p, mut q) = (0.0, 0.0);
    hankel(n, x, |k, term| match k % 4 {
        0 => p += term,
        1 => q += term,
        2 => p -= term,
        _ => q -= term,
    });
    // cos and sin of x - (2n + 1) pi/4, without rounding the phase.
    let (sin, cos) = x.sin_cos();
    let (c, s) = match n % 4 {
        0 => (cos + sin, sin - cos),
        1 => (sin - cos, -cos - sin),
        2 => (-cos - sin, cos - sin),
        _ => (cos - sin, cos + sin),
    };
    (2.0 / PI / x).sqrt() * FRAC_1_SQRT_2 * (p * c - q * s)
}

/// Modified Bessel function of the first kind, `I_n(x)`, of any integer order.
pub(crate) fn bessel_i(n: i32, x: f64) -> f64 {
    let order = n.unsigned_abs();
    let y = positive_i(order, x.abs());
    if order % 2 == 1 && x < 0.0 { -y } else { y }
}

fn positive_i(n: u32, x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 1.5 {
        return power_series(n, x, 1.0);
    }
    // e^x overflows before the function does.
    let half = (0.5 * x).exp();
    let order = f64::from(n);
    if x < FAR || x < order * order {
        let f = miller(n, x, 1.0);
        return half * (half * (f.wanted / f.sum));
    }
    let mut sum = 0.0;
    hankel(n, x, |k, term| if k % 2 == 0 { sum += term } else { sum -= term });
    half * (half * (sum / (2.0 * PI * x).sqrt()))
}
