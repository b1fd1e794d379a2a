//! The tables of elementary functions on tensors: the vector kernels, their pullbacks, and pullbacks differentiated again.

use crate::reference::{OF_TWO, Point, allowed, is_provided, points};
use crate::ulp::Misses;
use wengert_check::check_tensors;
use wengert_core::{Binary, Parametric, ParametricFunctions, Tape, Unary};
use wengert_tensor::{Tensor, rng};

fn column(points: &[Point], of: impl Fn(&Point) -> f64) -> Tensor<f64> {
    points.iter().map(of).collect()
}

/// Compares one row at all its points on tensors; both kinds of opcode have these methods.
macro_rules! compare_on_tensors {
    ($misses:ident, $op:expr, $key:expr) => {
        let points = points($key, 1);
        let tape = Tape::<f64>::new();
        let x = tape.tensor(column(&points, |point| point.arguments[0]));
        let y = $op.eval(x);
        let ones = Tensor::ones(y.shape());
        let fused = y.vjp(&ones)[x].clone();
        let [recorded] = y.sum().recorded_gradient([x]);
        // Second derivatives of rows that do not depend on the point are constants, on which nothing depends.
        let second = recorded.sum().gradient()[x].clone();
        let ways = [
            ("value", 0, y.value()),
            ("pullback", 1, fused),
            ("recorded pullback", 1, recorded.value()),
            ("reverse over reverse", 2, second),
        ];
        for (way, order, got) in ways {
            for (point, got) in points.iter().zip(got.iter()) {
                let what = || format!("{:?}({:e}), order {order}, {way}", $op, point.arguments[0]);
                $misses.compare(what, got, point.results[order], point.units[order], allowed($op.name())[order]);
            }
        }
    };
}

#[test]
fn unary_rows_agree_with_the_reference_on_tensors_to_second_order() {
    let mut misses = Misses::default();
    for &op in Unary::ALL {
        compare_on_tensors!(misses, op, op.name());
    }
    for &op in Parametric::SAMPLES {
        compare_on_tensors!(misses, op, &format!("{op:?}"));
    }
    misses.assert_none();
}

#[test]
fn binary_rows_agree_with_the_reference_on_tensors_to_second_order() {
    let mut misses = Misses::default();
    for &op in Binary::ALL {
        let points = points(op.name(), 2);
        let tape = Tape::<f64>::new();
        let a = tape.tensor(column(&points, |point| point.arguments[0]));
        let b = tape.tensor(column(&points, |point| point.arguments[1]));
        let y = op.eval(a, b);
        let fused = y.vjp(&Tensor::ones(y.shape()));
        let [p, q] = y.sum().recorded_gradient([a, b]);
        let (by_a, by_b) = (p.sum().gradient(), q.sum().gradient());
        let ways = [
            ("value", 0, y.value()),
            ("pullback", 1, fused[a].clone()),
            ("pullback", 2, fused[b].clone()),
            ("recorded pullback", 1, p.value()),
            ("recorded pullback", 2, q.value()),
            ("reverse over reverse", 3, by_a[a].clone()),
            ("reverse over reverse", 4, by_a[b].clone()),
            ("reverse over reverse", 4, by_b[a].clone()),
            ("reverse over reverse", 5, by_b[b].clone()),
        ];
        for (way, result, got) in ways {
            let (which, order) = OF_TWO[result];
            if !is_provided(op.name(), result) {
                continue;
            }
            let allowed = allowed(op.name())[order];
            for (point, got) in points.iter().zip(got.iter()) {
                let what =
                    || format!("{}({:e}, {:e}), {which}, {way}", op.name(), point.arguments[0], point.arguments[1]);
                misses.compare(what, got, point.results[result], point.units[result], allowed);
            }
        }
    }
    misses.assert_none();
}

#[test]
fn rows_agree_with_finite_differences_on_their_domains() {
    let random = |(lo, hi): (f64, f64), seed: u64| Tensor::uniform([2, 3], lo, hi, &mut rng(seed));
    for (seed, &op) in (0..).zip(Unary::ALL) {
        let checked =
            wengert_check::check_tensor(|x| op.eval(x)).at(random(op.domain(), seed)).orders(2).seed(seed).run();
        checked.unwrap_or_else(|error| panic!("{}: {error}", op.name()));
    }
    for (seed, &op) in (50..).zip(Parametric::SAMPLES) {
        let checked =
            wengert_check::check_tensor(|x| op.eval(x)).at(random(op.domain(), seed)).orders(2).seed(seed).run();
        checked.unwrap_or_else(|error| panic!("{op:?}: {error}"));
    }
    for (seed, &op) in (100..).zip(Binary::ALL) {
        // Computed by two methods that meet within an ulp or two, which differences see as a jump.
        if op.name().starts_with("gamma_p_shape") {
            continue;
        }
        let [a, b] = op.domain();
        let at = [random(a, seed), random(b, seed + 1)];
        let checked = check_tensors(|[a, b]| op.eval(a, b)).at(at).orders(2).seed(seed).run();
        checked.unwrap_or_else(|error| panic!("{}: {error}", op.name()));
        // Broadcasting: the smaller operand's cotangent is a sum.
        let at = [random(a, seed), Tensor::uniform([3], b.0, b.1, &mut rng(seed))];
        let checked = check_tensors(|[a, b]| op.eval(a, b)).at(at).orders(2).run();
        checked.unwrap_or_else(|error| panic!("{}, broadcast: {error}", op.name()));
    }
}

#[test]
fn single_precision_tensors_agree_with_double() {
    let mut misses = Misses::default();
    for &op in Unary::ALL {
        let (lo, hi) = op.domain();
        let x: Tensor<f32> = Tensor::linspace(lo as f32, hi as f32, 203);
        let tape = Tape::<f32>::new();
        let variable = tape.tensor(&x);
        let y = op.eval(variable);
        let slope = y.vjp(&Tensor::ones(y.shape()))[variable].clone();
        for ((x, y), slope) in x.iter().zip(y.value().iter()).zip(slope.iter()) {
            let exact = op.eval(f64::from(x));
            let exact_slope = op.derivative(f64::from(x), exact);
            for (order, got, want) in [(0, y, exact), (1, slope, exact_slope)] {
                let unit = if order == 0 { 0.0 } else { crate::elementary::slope_unit(op.name(), exact) };
                let what = || format!("{}({x:e}), order {order}", op.name());
                misses.compare_single(what, got, want, unit, [2.0, 4.0][order]);
            }
        }
    }
    misses.assert_none();
}

#[test]
fn tensors_and_scalars_agree_at_infinities_nan_and_zeros() {
    let mut misses = Misses::default();
    let awkward = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 2.5, -2.5, 1e300, 5e-324];
    for &op in Unary::ALL {
        let tape = Tape::<f64>::new();
        let x = tape.tensor(awkward);
        let y = op.eval(x);
        let slopes = y.vjp(&Tensor::ones(y.shape()))[x].clone();
        let nothing = (y * 0.0).vjp(&Tensor::ones(y.shape()))[x].clone();
        for (k, x) in awkward.into_iter().enumerate() {
            let value = op.eval(x);
            let rows = [
                ("value", y.value().at([k]), value, 2.0),
                ("slope", slopes.at([k]), op.derivative(x, value), 4.0),
                ("slope times zero", nothing.at([k]), 0.0, 0.0),
            ];
            for (what, got, want, allowed) in rows {
                misses.compare(|| format!("{}({x:e}), {what}", op.name()), got, want, 0.0, allowed);
            }
        }
    }
    for &op in Binary::ALL {
        for a in awkward {
            for b in awkward {
                let tape = Tape::<f64>::new();
                let (va, vb) = (tape.tensor([a]), tape.tensor([b]));
                let y = op.eval(va, vb);
                let gradient = y.vjp(&Tensor::ones([1]));
                let value = op.eval(a, b);
                let (p, q) = op.derivative(a, b, value);
                let rows = [("value", y.item(), value), ("da", gradient[va].item(), p), ("db", gradient[vb].item(), q)];
                for (what, got, want) in rows {
                    misses.compare(|| format!("{}({a:e}, {b:e}), {what}", op.name()), got, want, 0.0, 4.0);
                }
            }
        }
    }
    misses.assert_none();
}

#[test]
fn tensor_powers_to_an_integer_match_scalars() {
    for n in [-3, -1, 0, 1, 2, 5] {
        let tape = Tape::<f64>::new();
        let x = tape.tensor([-2.0, 0.0, 1.5, f64::NAN]);
        let y = x.powi(n);
        let slope = y.vjp(&Tensor::ones([4]))[x].clone();
        for k in 0..4 {
            let point = x.value().at([k]);
            let scalars = Tape::<f64>::new();
            let variable = scalars.var(point);
            let (value, derivative) = (variable.powi(n).value(), variable.powi(n).gradient()[variable]);
            assert!(y.value().at([k]) == value || value.is_nan() && y.value().at([k]).is_nan(), "{point}^{n}");
            assert!(
                slope.at([k]) == derivative || derivative.is_nan() && slope.at([k]).is_nan(),
                "slope of {point}^{n}"
            );
        }
        wengert_check::check_tensor(|x| x.powi(n)).at([0.7, -1.3, 2.0]).orders(2).assert();
    }
}
