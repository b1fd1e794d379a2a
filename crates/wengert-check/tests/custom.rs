//! Derivatives of the user's own, right and wrong; solutions of equations; loops in little memory.

use wengert_check::{CheckError, check, check_tensor};
use wengert_core::prelude::*;
use wengert_core::{TensorOp, TensorVar};
use wengert_tensor::{ShapeError, Tensor};

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

/// `x sigmoid(x)` on tensors, with `wrong` added to the slope in ordinary sweeps, or in recorded ones.
struct Swish {
    pull: f64,
    vjp: f64,
}

impl TensorOp for Swish {
    fn name(&self) -> &'static str {
        "swish"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
        Ok(x[0].map(|x| x / (1.0 + (-x).exp())))
    }
    fn vjp<'t>(
        &self,
        x: &[TensorVar<'t, f64>],
        y: TensorVar<'t, f64>,
        y_bar: TensorVar<'t, f64>,
        _wanted: &[bool],
    ) -> Vec<Option<TensorVar<'t, f64>>> {
        vec![Some((y + x[0].sigmoid() * (1.0 - y) + self.vjp) * y_bar)]
    }
    fn pull(
        &self,
        x: &[&Tensor<f64>],
        y: &Tensor<f64>,
        y_bar: &Tensor<f64>,
        _wanted: &[bool],
    ) -> Vec<Option<Tensor<f64>>> {
        let terms = x[0].iter().zip(y.iter()).zip(y_bar.iter());
        let x_bar = terms.map(|((x, y), y_bar)| (y + (1.0 - y) / (1.0 + (-x).exp()) + self.pull) * y_bar).collect();
        vec![Some(Tensor::from_vec(x[0].shape().clone(), x_bar))]
    }
}

#[test]
fn tensor_ops_are_checked_to_second_order_and_both_pullbacks_are_seen() {
    let point = [[0.3, -1.2], [2.0, 0.0]];
    let swish = |pull, vjp| check_tensor(move |x: TensorVar<'_, f64>| x.apply(Swish { pull, vjp }, &[])).at(point);
    swish(0.0, 0.0).orders(2).assert();
    let error = swish(0.01, 0.0).run();
    assert!(matches!(error, Err(CheckError::WrongDerivative { wrong: 4, checked: 4, .. })), "{error:?}");
    // Forward mode is made of the pullback that is recorded.
    let error = swish(0.0, 0.01).run();
    assert!(matches!(error, Err(CheckError::ForwardReverse { .. })), "{error:?}");
}

/// All unknowns of a 3 x 3 system, mixed.
struct System;
impl ScalarFn for System {
    fn call<T: Number>(&self, x: &[T]) -> T {
        let y = solve(&x[..9], &x[9..]);
        y[0] * y[1].sin() + y[2] * y[2]
    }
}

/// Two curves that cross.
#[derive(Clone)]
struct Crossing;
impl Equations for Crossing {
    fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
        vec![x[0].exp() - x[1] * p[0], x[0] * x[0] + x[1] * x[1] * p[1] - p[2]]
    }
}
impl ScalarFn for Crossing {
    fn call<T: Number>(&self, p: &[T]) -> T {
        let x = root(self, &[0.5, 1.0], p);
        x[0] * x[1] + x[1].ln()
    }
}

/// A predator and its prey, the sum of both at the end.
#[derive(Clone)]
struct Prey;
impl StepFn for Prey {
    fn step<T: Number>(&self, x: &[T], p: &[T], _step: usize) -> Vec<T> {
        vec![x[0] + x[0] * (p[0] - x[1]) * 0.05, x[1] + x[1] * (x[0] - p[1]) * 0.05]
    }
}
impl ScalarFn for Prey {
    fn call<T: Number>(&self, x: &[T]) -> T {
        let end = CheckpointedLoop::new(40).snapshots(3).call(self, &x[..2], &x[2..]);
        end[0] + end[1]
    }
}

#[test]
fn solutions_roots_and_loops_pass_to_second_order() {
    let system = [2.0, -0.4, 0.3, 0.7, 1.5, -0.9, 0.2, 0.6, -1.8, 0.5, -1.0, 0.8];
    check(System).at(&system).orders(2).assert();
    check(Crossing).at(&[1.3, 0.8, 2.5]).orders(2).assert();
    check(Prey).at(&[0.9, 0.7, 1.1, 0.8]).orders(2).assert();
}
