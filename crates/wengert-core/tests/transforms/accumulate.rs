//! Sums over items: what they are, what they cost, what cannot go wrong.

use crate::assert_close;
use wengert_core::prelude::*;
use wengert_core::{Error, try_map_reduce};
use wengert_kernels::par::threads;

/// Points of a line with a deterministic disturbance.
fn data(n: usize) -> Vec<(f64, f64)> {
    (0..n).map(|k| k as f64 * 0.37).map(|t| (t.sin(), (3.1 * t).cos())).collect()
}

/// The negative log-likelihood of one yes or no, `ln(1 + exp(eta)) - y eta` with `eta = w t + b`.
fn item<T: Number>(w: T, b: T, (t, y): (f64, f64)) -> T {
    let eta = w * t + b;
    (eta.exp() + 1.0).ln() - eta * (y * 0.5 + 0.5)
}

/// Its sum and its gradient by hand: the residual is `1/(1 + exp(-eta)) - y`.
fn by_hand(w: f64, b: f64, data: &[(f64, f64)]) -> (f64, [f64; 2]) {
    let mut sums = (0.0, [0.0; 2]);
    for &(t, y) in data {
        let eta = w * t + b;
        let residual = 1.0 / (1.0 + (-eta).exp()) - (y * 0.5 + 0.5);
        sums.0 += (1.0 + eta.exp()).ln() - eta * (y * 0.5 + 0.5);
        sums.1[0] += residual * t;
        sums.1[1] += residual;
    }
    sums
}

#[test]
fn a_sum_over_items_has_the_value_and_gradient_of_the_formula() {
    let data = data(1000);
    let (value, gradient) = by_hand(0.7, -0.2, &data);
    let tape = Tape::new();
    let x = tape.vars(&[0.7, -0.2]);
    let y = tape.accumulate(&x, &data, |x, &point| item(x[0], x[1], point));
    assert_close(&[y.value()], &[value], 1e-13);
    assert_close(&y.gradient().wrt(&x), &gradient, 1e-12);
    // A second sweep starts from zero, and the sum is a node like any other.
    assert_close(&(y * y).gradient().wrt(&x), &gradient.map(|g| 2.0 * value * g), 1e-12);
}

#[test]
fn shared_intermediate_results_are_swept_once_with_what_the_items_sent_them() {
    // y = sum_k sin(a_k exp(u) v): dy/du = sum cos(.) a_k exp(u) v, dy/dv = sum cos(.) a_k exp(u).
    let (u, v) = (0.3_f64, 1.7_f64);
    let tape = Tape::new();
    let (tu, tv) = (tape.var(u), tape.var(v));
    let product = tu.exp() * tv;
    let folded = product * 2.0; // a handle with a pending partial may be shared too
    let items: Vec<f64> = (0..500).map(|k| f64::from(k) * 0.01).collect();
    let y = tape.accumulate(&[folded], &items, |x, &a| (x[0] * (0.5 * a)).sin());
    let whole = y + product;
    let e = u.exp();
    let slope: f64 = items.iter().map(|a| (a * e * v).cos() * a).sum();
    assert_close(&whole.gradient().wrt([tu, tv]), &[(slope + 1.0) * e * v, (slope + 1.0) * e], 1e-12);
}

#[test]
fn the_memory_is_that_of_one_item() {
    // Ten thousand items of 200 nodes on a tape that refuses more than 300.
    let tape = Tape::with_node_limit(300);
    let x = tape.vars(&[0.5, 0.1]);
    let chain = |x: [f64; 2], n: usize| (0..n).fold(x[0], |s, _| (s * x[0] + x[1]).sin());
    let y = tape.accumulate(&x, 0..10_000, |x, _| (0..100).fold(x[0], |s, _| (s * x[0] + x[1]).sin()));
    assert!((y.value() / (1e4 * chain([0.5, 0.1], 100)) - 1.0).abs() < 1e-12);
    let g = y.gradient();
    let h = 1e-6;
    let slope = (chain([0.5, 0.1 + h], 100) - chain([0.5, 0.1 - h], 100)) / (2.0 * h);
    assert!((g[x[1]] / (1e4 * slope) - 1.0).abs() < 1e-7);
    assert!(tape.size().nodes <= 3);
    // One item that does not fit alone is the error it would be without.
    let y = tape.accumulate(&x, [()], |x, ()| (0..200).fold(x[0], |s, _| (s * x[0] + x[1]).sin()));
    assert!(matches!(y.try_gradient(), Err(Error::Full { limit: 300, .. })));
}

#[test]
fn zero_times_infinity_in_an_item_is_zero_and_spoils_no_other() {
    let tape = Tape::new();
    let (x, y) = (tape.var(0.0), tape.var(2.0));
    // The second item's sum is multiplied by an exact zero: the root's infinite slope at 0 does not matter.
    let total = tape.accumulate(&[x, y], [1.0, 0.0, 1.0], |x, item| {
        if item == 0.0 { (x[0] * x[1]).sqrt() * (x[1] - 2.0) + x[1] * x[1] } else { x[0] * 3.0 + x[1] }
    });
    let g = total.gradient();
    assert_eq!((g[x], g[y]), (6.0, 6.0));
    // A slope that is infinite stays so, in its own input alone.
    let total = tape.accumulate(&[x, y], [0, 1], |x, _| x[0].sqrt() + x[1]);
    let g = total.gradient();
    assert_eq!((g[x], g[y]), (f64::INFINITY, 2.0));
    let total = tape.accumulate(&[x, y], [f64::NAN, 1.0], |x, item| x[0] * item + x[1]);
    let g = total.gradient();
    assert!(g[x].is_nan() && g[y] == 2.0);
}

#[test]
fn items_may_use_nodes_of_many_operands_and_return_anything() {
    let tape = Tape::new();
    let x = tape.vars(&[1.0, 2.0, 3.0]);
    let y = tape.accumulate(&x, 0..4, |x, k| match k {
        0 => dot(x, x),
        1 => x.iter().copied().product(),
        2 => x[1],
        _ => Var::from(5.0),
    });
    assert_eq!(y.value(), 14.0 + 6.0 + 2.0 + 5.0);
    assert_eq!(y.gradient().wrt(&x), [2.0 + 6.0, 4.0 + 3.0 + 1.0, 6.0 + 2.0]);
    // No items, and no inputs: constants.
    let none = tape.accumulate(&x, core::iter::empty::<f64>(), |x, _| x[0]);
    assert!(none.value() == 0.0 && none.gradient().get(none).is_none());
    let constant = tape.accumulate(&[], [1.0, 2.0], |_, item| Var::from(item));
    assert_eq!(constant.value(), 3.0);
}

#[test]
fn second_derivatives_pass_through_a_sum_over_items() {
    // d2/dw2 sum = sum s (1 - s) t^2, with s the logistic function of eta.
    let data = data(200);
    let (w, b) = (0.7, -0.2);
    let tape = wengert_core::Tape::<Dual<f64, 2>>::new();
    let moving = Dual::independent([w, b]);
    let x = tape.vars(&moving);
    let y = tape.accumulate(&x, &data, |x, &point| item(x[0], x[1], point));
    let g = y.gradient();
    let mut hessian = [0.0; 4];
    for &(t, _) in &data {
        let s = 1.0 / (1.0 + (-(w * t + b)).exp());
        let c = s * (1.0 - s);
        hessian = [hessian[0] + c * t * t, hessian[1] + c * t, hessian[2] + c * t, hessian[3] + c];
    }
    assert_close(&[g[x[0]].tangents, g[x[1]].tangents].concat(), &hessian, 1e-12);
}

#[test]
fn sums_on_threads_are_the_same_bit_for_bit_on_any_number_of_them() {
    for n in [0, 1, 2, 63, 64, 65, 129, 1000] {
        let data = data(n);
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let run = |count| -> (f64, Vec<f64>) {
            threads(count, || map_reduce(&[0.7, -0.2], &data, |x, &point| item(x[0], x[1], point)))
        };
        let (value, gradient) = run(1);
        for count in [2, 3, 8] {
            let (v, g) = run(count);
            assert_eq!((v.to_bits(), bits(&g)), (value.to_bits(), bits(&gradient)), "{n} items, {count} threads");
        }
        let (expected, by_hand) = by_hand(0.7, -0.2, &data);
        assert_close(&[value], &[expected], 1e-13);
        assert_close(&gradient, &by_hand, 1e-12);
    }
}

#[test]
fn a_sum_on_threads_is_a_node_too() {
    let data = data(300);
    let tape = Tape::new();
    let x = tape.vars(&[0.7, -0.2]);
    let scale = x[0].exp();
    let y = tape.accumulate_parallel(&[scale, x[1]], &data, |x, &point| item(x[0], x[1], point));
    let (_, [w_bar, b_bar]) = by_hand(0.7_f64.exp(), -0.2, &data);
    assert_close(&y.gradient().wrt(&x), &[w_bar * 0.7_f64.exp(), b_bar], 1e-12);
}

#[test]
fn shared_inputs_of_another_tape_are_refused() {
    let (tape, other) = (Tape::new(), Tape::new());
    let (x, y) = (tape.var(1.0), other.var(2.0));
    let line = line!() + 1;
    let sum = tape.accumulate(&[x, y], [1.0], |x, _| x[0] * x[1]);
    assert_eq!(sum.value(), 2.0);
    let text = (sum * x).try_gradient().unwrap_err().to_string();
    assert!(
        text.contains(&format!("accumulate.rs:{line}:")) && text.contains("operands belong to two tapes"),
        "{text}"
    );
}

#[test]
fn the_first_failing_item_is_reported_from_any_thread() {
    // What an item records on a tape of its own must not meet the shared inputs: the line is named.
    let items: Vec<u32> = (0..100).collect();
    let result = try_map_reduce(&[1.0], &items, |x, &k| {
        let stranger = Box::leak(Box::new(Tape::new())).var(2.0);
        if k == 70 { x[0] * stranger } else { x[0] }
    });
    assert!(matches!(result, Err(Error::MixedTapes { .. })));
}
