//! Derivatives of the user's own, right and wrong.

use wengert_check::{CheckError, check};
use wengert_core::prelude::*;

/// `a^2 b + sin b`, with `wrong` added to the second partial.
#[derive(Clone, Copy)]
struct Rule {
    wrong: f64,
}

impl CustomFn<2> for Rule {
    fn value(&self, [a, b]: [f64; 2]) -> f64 {
        a * a * b + b.sin()
    }
    fn partials<T: Number>(&self, [a, b]: [T; 2], _y: T) -> [T; 2] {
        [a * b * 2.0, a * a + b.cos() + self.wrong]
    }
}

impl ScalarFn for Rule {
    fn call<T: Number>(&self, x: &[T]) -> T {
        CustomFn::call(self, [x[0] * x[1], x[1].exp()])
    }
}

/// `(a b, a / b)` with `wrong` added to the cotangent of `a`, or to its tangent.
#[derive(Clone, Copy)]
struct VectorRule {
    pullback: f64,
    pushforward: f64,
}

impl CustomVectorFn for VectorRule {
    fn value(&self, x: &[f64]) -> Vec<f64> {
        vec![x[0] * x[1], x[0] / x[1]]
    }
    fn vjp<T: Number>(&self, x: &[T], y: &[T], y_bar: &[T], x_bar: &mut [T]) {
        x_bar[0] = y_bar[0] * x[1] + y_bar[1] / x[1] + self.pullback;
        x_bar[1] = y_bar[0] * x[0] - y_bar[1] * y[1] / x[1];
    }
    fn jvp<T: Number>(&self, x: &[T], y: &[T], x_dot: &[T], y_dot: &mut [T]) {
        y_dot[0] = x_dot[0] * x[1] + x_dot[1] * x[0] + self.pushforward;
        y_dot[1] = (x_dot[0] - x_dot[1] * y[1]) / x[1];
    }
}

impl ScalarFn for VectorRule {
    fn call<T: Number>(&self, x: &[T]) -> T {
        let y = CustomVectorFn::call(self, x);
        y[0].sin() + y[1] * y[1]
    }
}

#[test]
fn right_rules_pass_to_second_order() {
    check(Rule { wrong: 0.0 }).at(&[0.7, 0.4]).orders(2).assert();
    check(VectorRule { pullback: 0.0, pushforward: 0.0 }).at(&[0.7, 1.4]).orders(2).assert();
}

#[test]
fn a_wrong_partial_is_reported_with_index_analytic_and_numeric_value() {
    let error = check(Rule { wrong: 0.01 }).at(&[0.0, 0.0]).run().expect_err("the second partial is wrong");
    let CheckError::WrongDerivative { worst, wrong: 1, checked: 2 } = &error else { panic!("{error}") };
    // At (0, 0): a = 0, b = 1, so df/dx1 = (a^2 + cos b) e^0 = cos 1.
    assert_eq!((worst.order, &worst.index[..]), (1, &[1][..]));
    assert!((worst.analytic - (1.0_f64.cos() + 0.01)).abs() < 1e-15 && (worst.numeric - 1.0_f64.cos()).abs() < 1e-10);
    let text = error.to_string();
    assert!(text.starts_with("wrong derivative: order 1, input 0 at [1]: analytic 5.5030230586813"), "{text}");
    assert!(text.contains("numeric 5.40302305868"), "{text}");
}

#[test]
fn a_wrong_pullback_and_a_wrong_pushforward_are_told_apart() {
    let error = check(VectorRule { pullback: 0.01, pushforward: 0.0 }).at(&[0.7, 1.4]).run();
    assert!(matches!(error, Err(CheckError::WrongDerivative { wrong: 1, .. })), "{error:?}");
    let error = check(VectorRule { pullback: 0.0, pushforward: 0.01 }).at(&[0.7, 1.4]).run();
    assert!(matches!(error, Err(CheckError::ForwardReverse { .. })), "{error:?}");
}
