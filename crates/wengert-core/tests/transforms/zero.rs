//! Zero times anything is zero where cotangents meet partials of tensors, whichever of the two is the zero: on a tape,
//! in a recorded gradient, in a replay. A root at 0 makes the cotangent infinite; what it is handed on to hangs on none
//! of it.

use wengert_core::{BinaryFunctions, TensorFunction, TensorVar, UnaryFunctions, prelude::*};
use wengert_tensor::Tensor;

type Case<const N: usize> = for<'t> fn([TensorVar<'t, f64>; N]) -> TensorVar<'t, f64>;

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-14 * b.abs()
}

/// Asserts that the gradient of the sum of `f(x)` is this one, four ways.
#[track_caller]
fn gradient_is<const N: usize>(f: Case<N>, x: [Tensor<f64>; N], expected: [&[f64]; N]) {
    let compare = |way: &str, got: Vec<Tensor<f64>>| {
        for (got, expected) in got.iter().zip(expected) {
            let agree = got.iter().zip(expected).all(|(a, &b)| close(a, b));
            assert!(got.len() == expected.len() && agree, "{way}: {:?}, expected {expected:?}", got.to_vec());
        }
    };
    let tape = Tape::new();
    let on_tape = x.each_ref().map(|x| tape.tensor(x));
    let y = f(on_tape).sum();
    compare("on a tape", y.gradient().wrt(on_tape).into());
    let recorded = y.recorded_gradient(on_tape);
    compare("recorded", recorded.map(TensorVar::value).into());
    let mut replayed = TensorFunction::record(&x, |x| f(core::array::from_fn(|k| x[k])).sum()).unwrap();
    compare("replayed", replayed.value_and_gradient(&x).unwrap().1);
}

#[test]
fn masks_and_constant_factors() {
    let t = || Tensor::from([1.0, 4.0]);
    gradient_is(|[t]| (t * t.tape().constant_tensor([0.0, 1.0])).sqrt(), [t()], [&[0.0, 0.25]]);
    gradient_is(|[t]| (t * 0.0).sqrt(), [t()], [&[0.0, 0.0]]);
    gradient_is(|[t]| t.map(|t| (t * 0.0).sqrt()), [t()], [&[0.0, 0.0]]);
    gradient_is(|[t]| t.relu().sqrt(), [Tensor::from([-1.0, 4.0])], [&[0.0, 0.25]]);
    gradient_is(|[t]| t.clamp(0.0, 9.0).sqrt(), [Tensor::from([-1.0, 4.0])], [&[0.0, 0.25]]);
    // The mask broadcasts, and moves as well: its derivative by the second is t / (2 sqrt(t m)).
    let m = Tensor::from([[0.0], [1.0]]);
    let infinite = f64::INFINITY;
    gradient_is(|[t, m]| (t * m).sqrt(), [t(), m], [&[0.5, 0.25], &[infinite, 0.5 + 1.0]]);
}

#[test]
fn expressions() {
    let (t, m) = (Tensor::from([1.0, 4.0]), Tensor::from([0.0, 1.0]));
    gradient_is(|[t, m]| zip_map([t, m.detach()], |[t, m]| (t * m).sqrt()), [t, m], [&[0.0, 0.25], &[0.0, 0.0]]);
}

#[test]
fn matrix_products() {
    let x = || Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    gradient_is(|[x]| x.matmul(x.tape().constant_tensor(Tensor::zeros([2, 3]))).sqrt(), [x()], [&[0.0; 4]]);
    // The second column of the weight makes roots of 3 and 7.
    let w = || Tensor::from([[0.0, 1.0], [0.0, 1.0]]);
    let (a, b) = (0.5 / 3.0_f64.sqrt(), 0.5 / 7.0_f64.sqrt());
    let infinite = f64::INFINITY;
    let w_bar = [infinite, a + 3.0 * b, infinite, 2.0 * a + 4.0 * b];
    gradient_is(|[x, w]| x.matmul(w).sqrt(), [x(), w()], [&[a, a, b, b], &w_bar]);
    gradient_is(|[x, w]| x.matmul_t(false, w.t(), true).sqrt(), [x(), w()], [&[a, a, b, b], &w_bar]);
    gradient_is(
        |[x, w, b]| x.linear(w.t(), b).sqrt(),
        [x(), w(), Tensor::zeros([2])],
        [&[a, a, b, b], &w_bar, &[infinite, a + b]],
    );
    // Batches, of which one matrix repeats.
    gradient_is(
        |[x, w]| x.matmul(w).sqrt(),
        [x().reshape([1, 2, 2]).broadcast_to([2, 2, 2]), w().reshape([1, 2, 2])],
        [&[a, a, b, b, a, a, b, b], &w_bar.map(|w_bar| 2.0 * w_bar)],
    );
    gradient_is(|[x]| x.matmul(x.tape().constant_tensor([0.0, 0.0])).sqrt(), [x()], [&[0.0; 4]]);
    // And the other way round: the cotangent is the zero, the factor infinite.
    gradient_is(
        |[x]| {
            x.matmul(x.tape().constant_tensor([[f64::INFINITY, 1.0], [1.0, 1.0]]))
                * x.tape().constant_tensor([0.0, 1.0])
        },
        [x()],
        [&[1.0; 4]],
    );
}

#[test]
fn reductions_that_choose_or_share() {
    let infinite = f64::INFINITY;
    gradient_is(|[x]| x.max_axes(0).sqrt(), [Tensor::from([-1.0, 0.0])], [&[0.0, infinite]]);
    gradient_is(|[a, b]| a.maximum(b).sqrt(), [[0.0].into(), [-1.0].into()], [&[infinite], &[0.0]]);
    gradient_is(|[x]| x.prod().sqrt(), [Tensor::from([0.0, 0.0, 3.0])], [&[0.0; 3]]);
    gradient_is(|[x]| x.norm2().sqrt(), [Tensor::from([0.0, 0.0])], [&[0.0; 2]]);
    gradient_is(|[a, b]| a.hypot(b).sqrt(), [[0.0].into(), [0.0].into()], [&[0.0], &[0.0]]);
    gradient_is(|[x]| x.softmax(0).sqrt(), [Tensor::from([0.0, -1000.0])], [&[0.0; 2]]);
    gradient_is(|[x]| x.log_sum_exp(0).sqrt(), [Tensor::from([0.0, -1000.0])], [&[infinite, 0.0]]);
    gradient_is(|[x]| x.cross_entropy(&Tensor::from([0_i64])).sqrt(), [Tensor::from([[1000.0, 0.0]])], [&[0.0; 2]]);
    gradient_is(|[x]| x.mse(x.detach()).sqrt(), [Tensor::from([1.0, 2.0])], [&[0.0; 2]]);
    gradient_is(|[x]| x.variance_axes(0, 1.0).sqrt(), [Tensor::from([2.0, 2.0])], [&[0.0; 2]]);
    gradient_is(|[x]| x.cumprod(0).sqrt().sum(), [Tensor::from([0.0, 0.0])], [&[infinite, 0.0]]);
}

#[test]
fn derivatives_of_recorded_gradients() {
    // d/dm of sum(d/dt sqrt(t m)) = d/dm (sqrt(m/t) / 2), and what a mask of 0 lets through stays 0.
    let tape = Tape::new();
    let t = tape.tensor([1.0, 4.0]);
    let mask = tape.constant_tensor([0.0, 1.0]);
    let [t_bar] = (t * mask).sqrt().sum().recorded_gradient([t]);
    assert_eq!(t_bar.value().to_vec(), [0.0, 0.25]);
    // d2/dt2 sqrt(t) = -t^(-3/2) / 4.
    assert_eq!(t_bar.sum().gradient()[t].to_vec(), [0.0, -1.0 / 32.0]);
    let x = tape.tensor([[1.0, 4.0]]);
    let w = tape.constant_tensor([[0.0, 1.0], [0.0, 0.0]]);
    let [x_bar] = x.matmul(w).sqrt().sum().recorded_gradient([x]);
    assert_eq!(x_bar.value().to_vec(), [0.5, 0.0]);
    assert_eq!(x_bar.sum().gradient()[x].to_vec(), [-0.25, 0.0]);
}

#[test]
fn tangents() {
    // Along a direction that is 0 where the slope is infinite, and along one that only a mask keeps from there.
    let tape = Tape::new();
    let (t, mask) = (tape.tensor([1.0, 4.0]), tape.constant_tensor([0.0, 1.0]));
    let y = (t * mask).sqrt();
    let y_dot = y.jvp([t], [&Tensor::from([1.0, 1.0])]);
    assert_eq!(y_dot.to_vec(), [0.0, 0.25]);
}

#[test]
fn log_sum_exp_recorded_far_from_zero_and_at_infinities() {
    let (infinite, nan) = (f64::INFINITY, f64::NAN);
    // Shares are those of softmax, whatever the exponential of the result is.
    gradient_is(|[x]| x.log_sum_exp(0), [Tensor::from([-1000.0, -1000.0])], [&[0.5, 0.5]]);
    gradient_is(|[x]| x.log_sum_exp(0), [Tensor::from([-1e300, -infinite])], [&[1.0, 0.0]]);
    gradient_is(|[x]| x.log_sum_exp(0), [Tensor::from([1e300, 0.0])], [&[1.0, 0.0]]);
    gradient_is(|[x]| x.log_sum_exp(0), [Tensor::from([-infinite, -infinite])], [&[0.0, 0.0]]);
    gradient_is(|[x]| x.log_sum_exp(0), [Tensor::from([infinite, 3.0, infinite])], [&[0.5, 0.0, 0.5]]);
    // The Hessian of two equal ones is [[1, -1], [-1, 1]] / 4.
    let tape = Tape::new();
    let x = tape.tensor([-1000.0, -1000.0]);
    let [hv] = x.log_sum_exp(0).hvp([x], [&Tensor::from([1.0, 0.0])]);
    assert_eq!(hv.to_vec(), [0.25, -0.25]);
    // A NaN takes the row on a tape, and recorded.
    let x = tape.tensor([nan, 1.0]);
    let [x_bar] = x.log_sum_exp(0).recorded_gradient([x]);
    assert!(x_bar.value().iter().all(f64::is_nan));
}
