//! Sums, differences and odds on the logarithmic scale, and logarithms times a factor.
//!
//! A difference of logarithms becomes an exponent, whose rounding error an exponential multiplies: 350 ulp at 700. So
//! differences are carried to twice the digits.

/// `a - b` and what the rounding took off it.
fn difference(a: f64, b: f64) -> (f64, f64) {
    let d = a - b;
    let taken = a - d;
    let error = (a - (d + taken)) + (taken - b);
    (d, if error.is_finite() { error } else { 0.0 })
}

/// `ln(e^a + e^b)`.
pub(crate) fn log_add_exp(a: f64, b: f64) -> f64 {
    let (large, small) = if a > b { (a, b) } else { (b, a) };
    if large == small {
        // Equal infinities included.
        return large + core::f64::consts::LN_2;
    }
    let (d, error) = difference(small, large);
    let e = d.exp();
    large + (e + e * error).ln_1p()
}

/// The share of `e^a` in `e^a + e^b`: the slope of [`log_add_exp`] in `a`. 0 where both are nothing at all.
pub(crate) fn log_add_exp_share(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY && b == f64::NEG_INFINITY {
        return 0.0;
    }
    if a == b {
        return 0.5;
    }
    let (d, error) = difference(a, b);
    let e = (-d.abs()).exp();
    let (larger, smaller) = (1.0 / (1.0 + e), e / (1.0 + e));
    let (share, other) = if d < 0.0 { (smaller, larger) } else { (larger, smaller) };
    share + share * other * error
}

/// `ln(e^a - e^b)`, NaN for `a < b`.
pub(crate) fn log_sub_exp(a: f64, b: f64) -> f64 {
    if b == f64::NEG_INFINITY && !a.is_nan() || a == f64::INFINITY && b < a {
        return a;
    }
    let (d, error) = difference(b, a);
    // Which form keeps its digits: Maechler 2012, "Accurately computing log(1 - exp(-|a|))", equation 7.
    if d > -core::f64::consts::LN_2 {
        let e = d.exp_m1();
        a + (-(e + (1.0 + e) * error)).ln()
    } else {
        let e = d.exp();
        a + (-(e + e * error)).ln_1p()
    }
}

/// `e^b / (e^a - e^b) = 1/(e^(a - b) - 1)`: minus the slope of [`log_sub_exp`] in `b`. 0 where both are nothing at all.
pub(crate) fn log_sub_exp_ratio(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY && b == f64::NEG_INFINITY {
        return 0.0;
    }
    let (d, error) = difference(a, b);
    if d > 37.0 {
        // 1/expm1(d) is exp(-d) to the last digit, also where exp(d) overflows.
        let e = (-d).exp();
        return e - e * error;
    }
    let e = d.exp_m1();
    let y = 1.0 / e;
    // dy/dd = -y (1 + y)
    if error == 0.0 { y } else { y - y * (1.0 + y) * error }
}

/// `ln(p/(1 - p))`.
pub(crate) fn logit(p: f64) -> f64 {
    if (0.25..=0.75).contains(&p) {
        // 2 atanh(2p - 1): the difference is exact here.
        let t = 2.0 * p - 1.0;
        (2.0 * t.abs() / (1.0 - t.abs())).ln_1p().copysign(t)
    } else {
        (p / (1.0 - p)).ln()
    }
}

/// `x ln y`, 0 at `x = 0` for any number `y`.
pub(crate) fn xlogy(x: f64, y: f64) -> f64 {
    if x == 0.0 && !y.is_nan() { 0.0 } else { x * y.ln() }
}

/// `x ln(1 + y)`, 0 at `x = 0` for any number `y`.
pub(crate) fn xlog1py(x: f64, y: f64) -> f64 {
    if x == 0.0 && !y.is_nan() { 0.0 } else { x * y.ln_1p() }
}
