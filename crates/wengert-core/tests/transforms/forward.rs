//! Forward mode: tangents and power series.

use crate::{assert_close, panic_text};
use proptest::prelude::*;
use wengert_core::prelude::*;
use wengert_core::transform::{try_jvp, try_laplacian, try_taylor, try_vjp};
use wengert_core::{Binary, Unary};

/// The value of a polynomial by Horner's rule.
fn polynomial(coefficients: &[f64], t: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c)
}

/// A power series must give the function's own values nearby: nothing of the derivative's code is used to check it.
#[test]
fn series_of_every_row_meet_the_function_nearby() {
    const ORDER: usize = 9;
    for &op in Unary::ALL {
        let (low, high) = op.domain();
        // A narrow domain has a pole near: the first coefficient left out must stay below rounding.
        let v = 0.7 * ((high - low) / 2.0).min(1.0);
        for x in [0.25, 0.6, 0.8].map(|share| low + share * (high - low)) {
            let y: Taylor<f64, ORDER> = op.eval(Taylor::along(x, v));
            for t in [-0.02, 0.01, 0.02] {
                let (got, expected) = (polynomial(&y.coefficients(), t), op.eval(x + v * t));
                let error = (got - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-13, "{} at {x} + {v} * {t}: {got} for {expected}", op.name());
            }
        }
    }
    for &op in Binary::ALL {
        let [(a_low, a_high), (b_low, b_high)] = op.domain();
        for (s, t) in [(0.3, 0.6), (0.7, 0.45)] {
            let (a, b) = (a_low + s * (a_high - a_low), b_low + t * (b_high - b_low));
            // The incomplete gamma functions have no more than four derivatives in their shape.
            let v = if op.name().starts_with("gamma_") { 0.0 } else { 0.7 };
            let y: Taylor<f64, ORDER> = op.eval(Taylor::along(a, v), Taylor::along(b, -0.4));
            for t in [-0.02, 0.01, 0.02] {
                let (got, expected) = (polynomial(&y.coefficients(), t), op.eval(a + v * t, b - 0.4 * t));
                let error = (got - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-13, "{} at ({a}, {b}), t = {t}: {got} for {expected}", op.name());
            }
        }
    }
}

#[test]
fn known_series_come_out_to_the_last_digits() {
    // Abramowitz and Stegun 1964, 4.3.65-67, 4.5.62-65: coefficients at 0.
    let at_zero = Taylor::<f64, 8>::along(0.0, 1.0);
    let near = |got: Taylor<f64, 8>, expected: [f64; 8]| assert_close(&got.coefficients(), &expected, 1e-15);
    near(at_zero.exp(), [1.0, 1.0, 1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0]);
    near(at_zero.sin(), [0.0, 1.0, 0.0, -1.0 / 6.0, 0.0, 1.0 / 120.0, 0.0, -1.0 / 5040.0]);
    near(at_zero.tan(), [0.0, 1.0, 0.0, 1.0 / 3.0, 0.0, 2.0 / 15.0, 0.0, 17.0 / 315.0]);
    near(at_zero.tanh(), [0.0, 1.0, 0.0, -1.0 / 3.0, 0.0, 2.0 / 15.0, 0.0, -17.0 / 315.0]);
    near(at_zero.atan(), [0.0, 1.0, 0.0, -1.0 / 3.0, 0.0, 1.0 / 5.0, 0.0, -1.0 / 7.0]);
    near(at_zero.ln_1p(), [0.0, 1.0, -1.0 / 2.0, 1.0 / 3.0, -1.0 / 4.0, 1.0 / 5.0, -1.0 / 6.0, 1.0 / 7.0]);
    near(1.0 / (1.0 - at_zero), [1.0; 8]);
    let root = [1.0, 0.5, -1.0 / 8.0, 1.0 / 16.0, -5.0 / 128.0, 7.0 / 256.0, -21.0 / 1024.0, 33.0 / 2048.0];
    near((at_zero + 1.0).sqrt(), root);
    near((at_zero + 1.0).powf(Taylor::from(0.5)), root);
    near((at_zero + 2.0).powi(3), [8.0, 12.0, 6.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(at_zero.exp().derivatives().map(f64::round), [1.0; 8]);
}

#[test]
fn series_know_their_order_and_take_constants() {
    let x = Taylor::<f64, 1>::along(2.0, 5.0);
    assert_eq!(x.sin().coefficients(), [2.0_f64.sin()]);
    let x = Taylor::<f64, 3>::along(2.0, 1.0);
    assert_eq!((x * 3.0 - 1.0).coefficients(), [5.0, 3.0, 0.0]);
    assert_eq!((1.0 / &x).coefficients(), [0.5, -0.25, 0.125]);
    let mut y = x;
    y *= &x;
    y += 1.0;
    assert_eq!(y.coefficients(), [5.0, 4.0, 1.0]);
    assert_eq!([x, x].iter().sum::<Taylor<f64, 3>>().coefficients(), [4.0, 2.0, 0.0]);
    assert_eq!([x, x].iter().product::<Taylor<f64, 3>>().coefficients(), [4.0, 4.0, 1.0]);
    // A coefficient that is zero stays zero where the slope is infinite.
    assert_eq!(Taylor::<f64, 3>::constant(0.0).sqrt().coefficients(), [0.0, 0.0, 0.0]);
    assert_eq!(Taylor::<f64, 2>::along(0.0, 1.0).sqrt().coefficients(), [0.0, f64::INFINITY]);
    assert_eq!(dot(&[x, x], &[x, x]).coefficients(), [8.0, 8.0, 2.0]);
}

#[test]
fn a_factor_that_does_not_move_leaves_infinities_where_they_are() {
    let inf = f64::INFINITY;
    let x = Taylor::<f64, 3>::along(inf, 1.0);
    assert_eq!((x * 2.0).coefficients(), [inf, 2.0, 0.0]);
    assert_eq!((0.5 * x).coefficients(), [inf, 0.5, 0.0]);
    assert_eq!(x.scaled(-1.0).coefficients(), [-inf, -1.0, 0.0]);
    // All terms of a series of positive ones overflow together; those of a logarithm alternate.
    assert_eq!(Taylor::<f64, 3>::along(2000.0, 1.0).exp2().coefficients(), [inf; 3]);
    assert_eq!(Taylor::<f64, 4>::along(0.0, 1.0).log2().coefficients(), [-inf, inf, -inf, inf]);
}

fn wave<T: Number>(x: &[T]) -> T {
    (x[0] * 3.0).sin() * (x[1] * 2.0).exp()
}

proptest! {
    #[test]
    fn directional_derivatives_to_order_four_agree_with_the_formula(
        x in prop::array::uniform2(-1.0..1.0_f64), v in prop::array::uniform2(-1.0..1.0_f64),
    ) {
        // f = Im exp(z), z = 2 x_1 + 3i x_0: along v the k-th derivative is Im (w^k exp(z)), w = 2 v_1 + 3i v_0.
        let got: [f64; 6] = taylor(wave, &x, &v);
        let (mut re, mut im) = ((2.0 * x[1]).exp() * (3.0 * x[0]).cos(), (2.0 * x[1]).exp() * (3.0 * x[0]).sin());
        let mut factorial = 1.0;
        for (k, got) in got.into_iter().enumerate() {
            factorial *= k.max(1) as f64;
            prop_assert!((got - im / factorial).abs() < 1e-13 * (re.abs() + im.abs() + 1.0) * 4.0_f64.powi(k as i32));
            (re, im) = (2.0 * v[1] * re - 3.0 * v[0] * im, 2.0 * v[1] * im + 3.0 * v[0] * re);
        }
        // Its Laplacian is (4 - 9) f.
        let laplace = laplacian(&function!(wave), &x);
        prop_assert!((laplace + 5.0 * wave(&x)).abs() < 1e-12);
    }

    #[test]
    fn forward_and_reverse_are_transposes(
        x in prop::array::uniform3(0.5..2.0_f64), v in prop::array::uniform3(-1.0..1.0_f64),
        u in prop::array::uniform2(-1.0..1.0_f64),
    ) {
        fn f<T: Number>(x: &[T]) -> [T; 2] {
            [x[0].sin() * x[1] / x[2], x[2].powf(x[0]) + x[1].ln()]
        }
        let (y, y_dot) = jvp(f, &x, &v);
        let (same, x_bar) = vjp(|x| f(x).to_vec(), &x, &u);
        prop_assert_eq!(&same[..], &y[..]);
        // <u, J v> = <JT u, v>
        let (left, right): (f64, f64) = (dot(&u, &y_dot), dot(&x_bar, &v));
        prop_assert!((left - right).abs() < 1e-12);
        let (several, _) = jvp(|x| f(x).to_vec(), &x, &v);
        prop_assert_eq!(several, y.to_vec());
    }
}

#[test]
fn what_does_not_fit_is_named_with_the_callers_line() {
    let ends = |error: wengert_core::Error, text: &str| {
        let got = error.to_string();
        assert!(got.contains("forward.rs:") && got.ends_with(text), "{got}");
    };
    ends(
        try_jvp(|x| x[0], &[1.0, 2.0], &[1.0]).unwrap_err(),
        "jvp, point and direction: 2 numbers on the left, 1 on the right; they must be as many",
    );
    ends(
        try_jvp(|_| Dual::from(1.0_f64), &[] as &[f64], &[]).unwrap_err(),
        "jvp: of nothing; give it at least one number",
    );
    let series = |x: &[Taylor<f64, 3>]| x[0];
    ends(
        try_taylor(series, &[1.0], &[]).unwrap_err(),
        "taylor, point and direction: 1 numbers on the left, 0 on the right; they must be as many",
    );
    ends(try_taylor(series, &[], &[]).unwrap_err(), "taylor: of nothing; give it at least one number");
    ends(try_laplacian(&function!(wave), &[]).unwrap_err(), "laplacian: of nothing; give it at least one number");
    ends(
        try_vjp(|x| x.to_vec(), &[1.0], &[1.0, 2.0]).unwrap_err(),
        "vjp, outputs and seed: 1 numbers on the left, 2 on the right; they must be as many",
    );
    ends(try_vjp(|x| x.to_vec(), &[] as &[f64], &[]).unwrap_err(), "vjp: of nothing; give it at least one number");
    let line = line!() + 1;
    let text = panic_text(|| jvp(|x| x[0], &[1.0], &[]));
    assert!(text.contains(&format!("forward.rs:{line}:")), "{text}");
}
