//! Losses at their awkward points, where classes of derivatives meet or vectors have no direction: value, gradient, Jacobian's product
//! and second order against mathematics by hand.

use crate::torch::{Op, Var, close, weights};
use wengert::nn::loss;
use wengert::prelude::*;

/// The direction of operand `k`.
fn direction(k: usize, x: &Tensor<f64>) -> Tensor<f64> {
    weights(x.shape(), 5 + k, 13, 8.0)
}

/// Compares a loss with its value, its gradient, and the Hessian times the directions.
#[track_caller]
fn shows(what: &str, x: &[Tensor<f64>], f: Op, y: f64, first: &[Tensor<f64>], second: &[Tensor<f64>]) {
    let tape = Tape::new();
    let inputs: Vec<Var<'_>> = x.iter().map(|x| tape.tensor(x)).collect();
    let loss = f(&inputs);
    close(what, &loss.value(), &Tensor::scalar(y), 1e-15);
    // What a factor gets from a product with the gradient is the Jacobian's product.
    let u = tape.tensor(1.0);
    let scaled = loss * u;
    let gradient = scaled.gradient();
    let mut along = u * 0.0;
    let mut product = 0.0;
    for (k, (&input, first)) in inputs.iter().zip(first).enumerate() {
        close(&format!("{what}, gradient of operand {k}"), &gradient[input], first, 1e-15);
        let [recorded] = scaled.recorded_gradient([input]);
        close(&format!("{what}, recorded gradient of operand {k}"), &recorded.value(), first, 1e-15);
        let v = direction(k, &x[k]);
        product += (first * &v).sum();
        along += (recorded * tape.constant_tensor(v)).sum();
    }
    close(&format!("{what}, Jacobian's product"), &along.value(), &Tensor::scalar(product), 1e-15);
    let gradient = along.gradient();
    close(&format!("{what}, Jacobian's product by the way back"), &gradient[u], &Tensor::scalar(product), 1e-15);
    for (k, (&input, second)) in inputs.iter().zip(second).enumerate() {
        close(&format!("{what}, second order, operand {k}"), &gradient[input], second, 1e-15);
    }
}

/// A loss whose second derivative is 0.
#[track_caller]
fn is_straight(what: &str, x: &[Tensor<f64>], f: Op, y: f64, first: &[Tensor<f64>]) {
    let zeros: Vec<_> = x.iter().map(|x| Tensor::zeros(x.shape())).collect();
    shows(what, x, f, y, first, &zeros);
}

/// What of `v` is across the direction of `(3, 4)`.
fn across(v: &Tensor<f64>) -> Tensor<f64> {
    let along = 0.6 * v.at([0, 0]) + 0.8 * v.at([0, 1]);
    Tensor::from([[v.at([0, 0]) - 0.6 * along, v.at([0, 1]) - 0.8 * along]])
}

#[test]
fn hinges_are_flat_at_their_kink() {
    let f: Op = |x| loss::hinge(x[0], &Tensor::from([1.0, -1.0, 1.0, 1.0])).expect("one shape");
    // At the kink, at the kink, before it and beyond it.
    is_straight("hinge", &[Tensor::from([1.0, -1.0, 0.0, 2.0])], f, 0.25, &[Tensor::from([0.0, 0.0, -0.25, 0.0])]);
    let f: Op = |x| loss::hinge(x[0], &Tensor::from([1.0])).expect("one shape");
    is_straight("hinge of one, at the kink", &[Tensor::from([1.0])], f, 0.0, &[Tensor::from([0.0])]);
    let f: Op = |x| loss::hinge(x[0], &Tensor::scalar(-1.0)).expect("one shape");
    is_straight("hinge of a number", &[Tensor::scalar(0.5)], f, 1.5, &[Tensor::scalar(1.0)]);
}

#[test]
fn divergences_see_nothing_where_the_target_is_zero() {
    let half = 0.5_f64.ln();
    let f: Op = |x| loss::kl_divergence(x[0], &Tensor::from([[0.5, 0.5, 0.0]])).expect("one shape");
    let y = Tensor::from([[half, half, f64::NEG_INFINITY]]);
    is_straight("kl of equals", &[y], f, 0.0, &[Tensor::from([[-0.5, -0.5, 0.0]])]);
    let f: Op = |x| loss::kl_divergence(x[0], &Tensor::from([[0.0, 0.0], [1.0, 0.0]])).expect("one shape");
    let y = Tensor::from([[-1.0, -2.0], [half, half]]);
    is_straight("kl of a row of zeros", &[y], f, -half / 2.0, &[Tensor::from([[0.0, 0.0], [-0.5, 0.0]])]);
    let f: Op = |x| loss::kl_divergence(x[0], &Tensor::zeros([2, 0])).expect("one shape");
    is_straight("kl without classes", &[Tensor::zeros([2, 0])], f, 0.0, &[Tensor::zeros([2, 0])]);
}

#[test]
fn likelihoods_of_labels_take_the_label_alone() {
    let f: Op = |x| loss::nll(x[0], &Tensor::from([1, 0])).expect("labels");
    let y = Tensor::from([[-1.0, -1.0], [-0.5, f64::NEG_INFINITY]]);
    is_straight("nll of a tie, and beside nothing", &[y], f, 0.75, &[Tensor::from([[0.0, -0.5], [-0.5, 0.0]])]);
    let f: Op = |x| loss::nll(x[0], &Tensor::from([0, 0, 0])).expect("labels");
    let y = Tensor::from([[0.0], [-3.0], [0.0]]);
    is_straight("nll of one class", &[y], f, 1.0, &[Tensor::full([3, 1], -1.0 / 3.0)]);
}

#[test]
fn triplets_that_coincide_or_tie_pull_nowhere() {
    let zero = Tensor::zeros([1, 2]);
    let row = |x: f64, y: f64| Tensor::from([[x, y]]);
    let (a, far) = (row(1.0, 1.0), row(4.0, 5.0));
    let f: Op = |x| loss::triplet_margin(x[0], x[1], x[2], 6.0).expect("one shape");
    // The anchor on its positive: `6 - |n - a|`, with the Hessian of a length, (1 - d dT)/5, across d = (3, 4)/5.
    let v = [direction(0, &a), direction(2, &a)];
    let bend = across(&(&v[1] - &v[0])) / 5.0;
    let first = [row(0.6, 0.8), zero.clone(), row(-0.6, -0.8)];
    shows(
        "triplet on its positive",
        &[a.clone(), a.clone(), far.clone()],
        f,
        1.0,
        &first,
        &[bend.clone(), zero.clone(), -bend],
    );
    let flat = [zero.clone(), zero.clone(), zero.clone()];
    is_straight("triplet of one point", &[a.clone(), a.clone(), a.clone()], f, 6.0, &flat);
    // As far from one as from the other, without a margin: the kink.
    let f: Op = |x| loss::triplet_margin(x[0], x[1], x[2], 0.0).expect("one shape");
    is_straight("triplet at the kink", &[zero.clone(), row(3.0, 4.0), row(-3.0, 4.0)], f, 0.0, &flat);
    let f: Op = |x| loss::triplet_margin(x[0], x[1], x[2], 1.0).expect("one shape");
    let point = |x: f64| Tensor::from([[x]]);
    let first = [point(0.0), point(1.0), point(-1.0)];
    is_straight("triplet on a line", &[point(0.0), point(2.0), point(1.0)], f, 2.0, &first);
}

#[test]
fn zero_vectors_have_no_direction_and_equal_ones_the_same() {
    let row = |x: f64, y: f64| Tensor::from([[x, y]]);
    let (zero, a) = (row(0.0, 0.0), row(3.0, 4.0));
    let flat = [zero.clone(), zero.clone()];
    let near: Op = |x| loss::cosine_embedding(x[0], x[1], &Tensor::from([1.0]), 0.0).expect("one shape");
    let apart: Op = |x| loss::cosine_embedding(x[0], x[1], &Tensor::from([-1.0]), 0.0).expect("one shape");
    is_straight("near, one is zero", &[zero.clone(), a.clone()], near, 1.0, &flat);
    is_straight("near, the other is zero", &[a.clone(), zero.clone()], near, 1.0, &flat);
    is_straight("near, both are zero", &flat, near, 1.0, &flat);
    is_straight("apart, one is zero: the kink", &[zero.clone(), a.clone()], apart, 0.0, &flat);
    is_straight("apart, at a right angle: the kink", &[a.clone(), row(-4.0, 3.0)], apart, 0.0, &flat);
    is_straight("apart, opposite", &[a.clone(), row(-3.0, -4.0)], apart, 0.0, &flat);
    // Beside equal vectors `1 - cos` is half the squared difference across them, over the squared length.
    let bend = across(&(direction(0, &a) - direction(1, &a))) / 25.0;
    let second = [bend.clone(), -&bend];
    shows("near, equal", &[a.clone(), a.clone()], near, 0.0, &flat, &second);
    shows("apart, equal", &[a.clone(), a.clone()], apart, 1.0, &flat, &second.map(|h| -h));
}
