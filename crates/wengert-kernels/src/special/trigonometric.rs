//! `sin(pi x)`, `cos(pi x)`, the cardinal sine and its derivatives.
//!
//! Angles in half turns are reduced exactly, by taking whole turns off; the product with pi is carried to twice the
//! digits, so that the results are within one ulp or so at any argument.

use core::f64::consts::PI;

/// What pi has beyond its nearest double.
const PI_LOW: f64 = 1.224_646_799_147_353_2e-16;

/// Sine and cosine of `pi a` for `|a| <= 1/2`.
fn sin_cos_pi(a: f64) -> (f64, f64) {
    let angle = PI * a;
    let rest = a.mul_add(PI, -angle) + a * PI_LOW;
    let (sin, cos) = angle.sin_cos();
    (sin + rest * cos, cos - rest * sin)
}

/// `x` less the nearest even integer: from -1 to 1, exact.
fn reduce(x: f64) -> f64 {
    x - 2.0 * (0.5 * x).round()
}

/// `sin(pi x)`; zero at every integer.
pub(crate) fn sinpi(x: f64) -> f64 {
    let r = reduce(x);
    let a = r.abs();
    let y = if a <= 0.25 {
        sin_cos_pi(a).0
    } else if a <= 0.75 {
        sin_cos_pi(0.5 - a).1
    } else {
        sin_cos_pi(1.0 - a).0
    };
    y.copysign(r)
}

/// `cos(pi x)`; zero half way between integers.
pub(crate) fn cospi(x: f64) -> f64 {
    let a = reduce(x).abs();
    if a <= 0.25 {
        sin_cos_pi(a).1
    } else if a <= 0.75 {
        sin_cos_pi(0.5 - a).0
    } else {
        -sin_cos_pi(1.0 - a).1
    }
}

/// The cardinal sine `sin(pi x)/(pi x)`, 1 at 0.
pub(crate) fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-8 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let angle = PI * x;
    let rest = x.mul_add(PI, -angle) + x * PI_LOW;
    let y = sinpi(x) / angle;
    y - y * (rest / angle)
}

/// The `n`-th derivative of [`sinc`].
///
/// Away from 0 by differentiating `pi x sinc(x) = sin(pi x)`: `x f_n = pi^(n-1) sin(pi x + n pi/2) - n f_(n-1)`. That
/// loses its digits for `|pi x| < n`, where the Taylor series takes over: from
/// `sinc(x) = integral of cos(pi x t) over 0..1`, its terms are `(-1)^k (pi x)^(2k-n) pi^n / ((2k - n)! (2k + 1))`.
pub(crate) fn sinc_derivative(n: i32, x: f64) -> f64 {
    let n = u32::try_from(n).unwrap_or(0);
    if n == 0 {
        return sinc(x);
    }
    if x.is_infinite() {
        return 0.0;
    }
    let angle = PI * x;
    if angle.abs() > f64::from(n) + 0.5 {
        let (sin, cos) = (sinpi(x), cospi(x));
        let (mut y, mut power) = (sinc(x), 1.0);
        for k in 1..=n {
            let wave = [sin, cos, -sin, -cos][k as usize % 4];
            y = (power * wave - f64::from(k) * y) / x;
            power *= PI;
        }
        return y;
    }
    // The lowest power is x^0 or x^1.
    let first = n.div_ceil(2);
    let mut factor = (0..n).fold(1.0, |product, _| product * PI);
    let mut power = 2 * first - n;
    if power == 1 {
        factor *= angle;
    }
    if first % 2 == 1 {
        factor = -factor;
    }
    let square = angle * angle;
    let mut sum = 0.0;
    loop {
        let term = factor / f64::from(n + power + 1);
        sum += term;
        if term.abs() <= 1e-18 * sum.abs() || sum.is_nan() {
            return sum;
        }
        factor *= -square / (f64::from(power + 1) * f64::from(power + 2));
        power += 2;
    }
}
