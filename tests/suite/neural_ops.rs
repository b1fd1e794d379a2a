//! Normalisations, attention and losses against PyTorch (see `torch`); then the awkward points, and the texts of mistakes.

use crate::torch::{self, Op, Var};
use wengert::nn::loss::{self, CrossEntropy};
use wengert_check::{check_tensor, check_tensors};
use wengert_core::{ParametricFunctions, Tape, TensorVar, UnaryFunctions};
use wengert_tensor::{Attention, Shape, ShapeError, Tensor, rng};

const REFERENCE: &str = include_str!("../reference/neural_ops.txt");

/// That of the script.
const EPSILON: f64 = 0.1;

fn mask() -> Tensor<bool> {
    Tensor::from([[true, false, true], [false, false, true]])
}

/// The targets of the script.
fn targets(y: Var<'_>) -> Tensor<f64> {
    let n = y.shape().size();
    (0..n).map(|k| ((5 * k % 9) as f64 - 4.0) / 2.0).collect::<Tensor<f64>>().reshape(y.shape())
}

fn probabilities(y: Var<'_>) -> Tensor<f64> {
    let n = y.shape().size();
    let p = (0..n).map(|k| (3 * k % 5) as f64).collect::<Tensor<f64>>().reshape(y.shape());
    &p / p.sum_axes(wengert_tensor::keep(-1))
}

/// How likely the script takes each to be true.
fn truth(y: Var<'_>) -> Tensor<f64> {
    let n = y.shape().size();
    (0..n).map(|k| (3 * k % 5) as f64 / 4.0).collect::<Tensor<f64>>().reshape(y.shape())
}

fn signs(n: usize) -> Tensor<f64> {
    [1.0, -1.0, -1.0, 1.0, 1.0].into_iter().take(n).collect()
}

fn labels(y: Var<'_>) -> Tensor<i64> {
    [3, 0, 2].into_iter().take(y.shape()[0]).collect()
}

fn weighted() -> CrossEntropy<f64> {
    CrossEntropy::new().class_weights([0.5, 2.0, 1.0, 0.25])
}

fn last(x: Var<'_>) -> Shape {
    Shape::from([x.shape()[x.shape().rank() - 1]])
}

/// The op of a case, as `tests/reference/neural_ops.py` names it.
fn op(name: &str) -> Op {
    match name {
        "layer_norm" => |x| x[0].layer_norm(last(x[0]), None, None, EPSILON),
        "layer_norm w b" => |x| x[0].layer_norm(last(x[0]), Some(x[1]), Some(x[2]), EPSILON),
        "layer_norm 2 axes" => |x| x[0].layer_norm([3, 4], Some(x[1]), None, EPSILON),
        "rms_norm" => |x| x[0].rms_norm(last(x[0]), None, EPSILON),
        "rms_norm w" => |x| x[0].rms_norm(last(x[0]), Some(x[1]), EPSILON),
        "batch_norm" => |x| x[0].batch_norm(None, None, EPSILON).0,
        "batch_norm w b" => |x| x[0].batch_norm(Some(x[1]), Some(x[2]), EPSILON).0,
        "batch_norm with" => |x| {
            let (mean, variance) = (Tensor::from([1.0, -0.5, 0.25]), Tensor::from([0.5, 2.0, 0.0]));
            x[0].batch_norm_with(&mean, &variance, Some(x[1]), Some(x[2]), EPSILON)
        },
        "group_norm 2 w b" => |x| x[0].group_norm(2, Some(x[1]), Some(x[2]), EPSILON),
        "instance_norm w b" => |x| x[0].instance_norm(Some(x[1]), Some(x[2]), EPSILON),
        "normalize -1" => |x| x[0].normalize(-1, 1e-12),
        "normalize 0" => |x| x[0].normalize(0, 1e-12),
        "masked_softmax" => |x| x[0].masked_softmax(mask(), -1),
        "attention" => |x| x[0].scaled_dot_product_attention(x[1], x[2], &Attention::new()),
        "attention causal" => |x| x[0].scaled_dot_product_attention(x[1], x[2], &Attention::new().causal()),
        "attention mask scale" => {
            |x| x[0].scaled_dot_product_attention(x[1], x[2], &Attention::new().mask(mask()).scale(0.7))
        }
        "huber" => |x| loss::huber(x[0], &targets(x[0]), 0.75).expect("one shape"),
        "smooth_l1" => |x| loss::smooth_l1(x[0], &targets(x[0]), 1.5).expect("one shape"),
        "smooth_l1 0" => |x| loss::smooth_l1(x[0], &targets(x[0]), 0.0).expect("one shape"),
        "kl_divergence" => |x| loss::kl_divergence(x[0], &probabilities(x[0])).expect("one shape"),
        "hinge" => |x| loss::hinge(x[0], &signs(x[0].shape()[0])).expect("one shape"),
        "triplet_margin" => |x| loss::triplet_margin(x[0], x[1], x[2], 0.5).expect("one shape"),
        "cosine_embedding" => |x| loss::cosine_embedding(x[0], x[1], &signs(x[0].shape()[0]), 0.1).expect("one shape"),
        "nll" => |x| loss::nll(x[0], &labels(x[0])).expect("labels"),
        "cross_entropy smoothing" => {
            |x| CrossEntropy::new().label_smoothing(0.2).labels(x[0], &labels(x[0])).expect("labels")
        }
        "cross_entropy weights" => |x| weighted().labels(x[0], &labels(x[0])).expect("labels"),
        "cross_entropy all" => {
            |x| weighted().ignore_index(0).label_smoothing(0.2).labels(x[0], &labels(x[0])).expect("labels")
        }
        "cross_entropy probabilities" => {
            |x| weighted().label_smoothing(0.2).probabilities(x[0], &probabilities(x[0])).expect("one shape")
        }
        "self_attention" => |x| x[0].self_attention(2, &Attention::new()),
        "self_attention causal" => |x| x[0].self_attention(2, &Attention::new().causal()),
        "lstm" => |x| x[0].lstm(x[1], x[2], x[3]),
        "mse loss" => |x| loss::mse(x[0], &targets(x[0])).expect("one shape"),
        "l1" => |x| loss::l1(x[0], &targets(x[0])).expect("one shape"),
        "bce_with_logits" => |x| loss::bce_with_logits(x[0], &truth(x[0])).expect("one shape"),
        "gelu" => |x| x[0].gelu(),
        "gelu_tanh" => |x| x[0].gelu_tanh(),
        "silu" => |x| x[0].silu(),
        "mish" => |x| x[0].mish(),
        "elu 0.7" => |x| x[0].elu(0.7),
        "celu 0.5" => |x| x[0].celu(0.5),
        "selu" => |x| x[0].selu(),
        "leaky_relu 0.2" => |x| x[0].leaky_relu(0.2),
        "relu6" => |x| (x[0] * 5.0).relu6(),
        "hardtanh" => |x| (x[0] * 1.03).hard_tanh(),
        "hardsigmoid" => |x| (x[0] * 3.1).hard_sigmoid(),
        "hardswish" => |x| (x[0] * 3.1).hard_swish(),
        _ => panic!("no op for the reference values of `{name}`"),
    }
}

#[test]
fn values_and_derivatives_are_those_of_pytorch_in_every_layout() {
    torch::compare_in_every_layout(REFERENCE, op);
}

#[test]
fn finite_differences_agree_to_second_order() {
    // Attention of packed heads is checked below, at operands of its own.
    torch::check_differences(REFERENCE, op, |name| name.starts_with("self_attention"));
}

/// The gradient of the weighted sum `1 y_0 + 2 y_1 + ..`.
fn slope(f: impl for<'t> Fn(Var<'t>) -> Var<'t>, x: &Tensor<f64>) -> Vec<f64> {
    let tape = Tape::<f64>::new();
    let x = tape.tensor(x);
    let y = f(x);
    y.vjp(&Tensor::from_fn(y.shape(), |at| 1.0 + at.last().map_or(0.0, |&k| k as f64)))[x].to_vec()
}

#[test]
fn rows_without_spread_have_the_promised_values_and_slopes() {
    let tape = Tape::<f64>::new();
    let constant = tape.tensor(Tensor::full([2, 3], 0.1));
    let y = constant.layer_norm([3], None, None, 1e-5);
    assert_eq!(y.value().to_vec(), [0.0; 6]);
    assert_eq!(y.sum().gradient()[constant].to_vec(), [0.0; 6]);
    let (y, mean, variance) = constant.batch_norm(None, None, 1e-5);
    assert_eq!(y.value().to_vec(), [0.0; 6]);
    assert_eq!((mean.to_vec(), variance.to_vec()), (vec![0.1; 3], vec![0.0; 3]));
    // One feature has no spread either.
    assert_eq!(slope(|x| x.layer_norm([1], None, None, 1e-5), &Tensor::from([[5.0], [7.0]])), [0.0; 2]);
}

#[test]
fn the_zero_vector_stays_and_has_the_documented_slope() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([0.0, 0.0]);
    let y = x.normalize(0, 1e-3);
    assert_eq!(y.value().to_vec(), [0.0, 0.0]);
    assert_eq!(y.sum().gradient()[x].to_vec(), [1e3, 1e3]);
    let (a, b) = (tape.tensor([[0.0, 0.0]]), tape.tensor([[1.0, 2.0]]));
    let near = loss::cosine_embedding(a, b, &Tensor::from([1.0]), 0.0).expect("one shape");
    assert_eq!(near.item(), 1.0);
    assert!(near.gradient()[a].iter().chain(&near.gradient()[b]).all(|x_bar| x_bar == 0.0));
}

#[test]
fn what_is_masked_has_an_exact_zero_for_a_gradient() {
    let nan = f64::NAN;
    let x = Tensor::from([[1.0, nan, 1.0], [nan, nan, 3.0]]);
    let masked = |x: Var<'_>| x.masked_softmax(mask(), -1).value();
    assert_eq!(masked(Tape::new().tensor(&x)).to_vec(), [0.5, 0.0, 0.5, 0.0, 0.0, 1.0]);
    assert_eq!(slope(|x| x.masked_softmax(mask(), -1), &x), [-0.5, 0.0, 0.5, 0.0, 0.0, 0.0]);
    // A query that sees nothing: 0, and nothing flows, by either pullback.
    let tape = Tape::<f64>::new();
    let (q, k, v) = (tape.tensor([[1.0], [2.0]]), tape.tensor([[1.0], [3.0]]), tape.tensor([[5.0], [7.0]]));
    let blind = Attention::new().mask(Tensor::from([[true, true], [false, false]]));
    let y = q.scaled_dot_product_attention(k, v, &blind);
    assert_eq!(y.value().at([1, 0]), 0.0);
    let [q_bar] = y.sum().recorded_gradient([q]);
    assert_eq!((q_bar.value().at([1, 0]), y.sum().gradient()[q].at([1, 0])), (0.0, 0.0));
    let x = tape.tensor([[1.0, 1.0, 5.0], [2.0, 3.0, 7.0]]);
    let y = x.self_attention(1, &blind);
    assert_eq!(y.value().at([1, 0]), 0.0);
    let [x_bar] = y.sum().recorded_gradient([x]);
    assert_eq!((x_bar.value().at([1, 0]), y.sum().gradient()[x].at([1, 0])), (0.0, 0.0));
}

#[test]
fn attention_in_place_and_products_on_a_bias_pass_every_check() {
    let x = Tensor::normal([2, 3, 12], 0.0, 1.0, &mut rng(1));
    let mask = Tensor::from_fn([2, 3, 3], |at| (at[0] + at[1] + at[2]) % 3 != 0);
    for options in [Attention::new(), Attention::new().causal().scale(0.7), Attention::new().mask(mask)] {
        check_tensor(|x| x.self_attention(2, &options).square().sum()).at(x.clone()).orders(2).assert();
    }
    let at =
        [[2, 3, 4].into(), Shape::from([5, 4]), [5].into()].map(|s: Shape| Tensor::normal(s, 0.0, 1.0, &mut rng(2)));
    check_tensors(|[x, w, b]| x.linear(w, b).square().sum()).at(at).orders(2).assert();
}

#[test]
fn heads_side_by_side_attend_as_heads_apart_do() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor(Tensor::normal([2, 5, 12], 0.0, 1.0, &mut rng(3)));
    let options = Attention::new().causal();
    let part = |k: isize| x.slice(-1, 4 * k..4 * (k + 1)).reshape([2, 5, 2, 2]).transpose(1, 2);
    let apart = part(0).scaled_dot_product_attention(part(1), part(2), &options).transpose(1, 2).reshape([2, 5, 4]);
    let together = x.self_attention(2, &options);
    assert_eq!(apart.value(), together.value());
    let seed = Tensor::normal([2, 5, 4], 0.0, 1.0, &mut rng(4));
    assert_eq!(apart.vjp(&seed)[x], together.vjp(&seed)[x]);
}

#[test]
fn huge_logits_keep_their_digits_in_attention() {
    let tape = Tape::<f64>::new();
    let (q, k) = (tape.tensor([[1e4]]), tape.tensor([[1.0], [1.0], [-1.0]]));
    let v = tape.tensor([[2.0], [4.0], [100.0]]);
    let y = q.scaled_dot_product_attention(k, v, &Attention::new());
    assert_eq!(y.item(), 3.0);
    assert_eq!(y.sum().gradient()[v].to_vec(), [0.5, 0.5, 0.0]);
}

#[test]
fn losses_at_the_awkward_points() {
    let tape = Tape::<f64>::new();
    let inf = f64::INFINITY;
    // A probability of 0 silences its logarithm, and a label its others.
    let y = tape.tensor([[0.0, -inf]]);
    let kl = loss::kl_divergence(y, &Tensor::from([[1.0, 0.0]])).expect("one shape");
    assert_eq!((kl.item(), kl.gradient()[y].to_vec()), (0.0, vec![-1.0, 0.0]));
    let nll = loss::nll(y, &Tensor::from([0])).expect("a label");
    assert_eq!((nll.item(), nll.gradient()[y].to_vec()), (0.0, vec![-1.0, 0.0]));
    let smooth = CrossEntropy::new().label_smoothing(0.1).labels(y, &Tensor::from([0])).expect("a label");
    assert_eq!(smooth.item(), inf);
    // The number of the specification, and the plain loss with the options' form.
    let y = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    let plain = CrossEntropy::new().labels(y, &Tensor::from([0, 1])).expect("labels");
    assert!((plain.item() - y.cross_entropy(&[0, 1]).item()).abs() < 1e-15);
}

#[test]
fn mistakes_name_op_shapes_and_what_to_do() {
    let tape = Tape::<f64>::new();
    let (x, v) = (tape.tensor(Tensor::ones([2, 3])), tape.tensor(Tensor::ones([3])));
    let four = tape.tensor(Tensor::ones([4]));
    let mask = Attention::new().mask(Tensor::from([true, false]));
    let rows: Vec<(Result<Var<'_>, wengert_core::Error>, &str)> = vec![
        (
            x.try_layer_norm([4], None, None, 1e-5),
            "layer_norm: shape [2, 3] does not end in [4]; give the sizes of its last axes, of one at least",
        ),
        (x.try_layer_norm([3], Some(four), None, 1e-5), "layer_norm: shapes [4] and [3] differ; they must be equal"),
        (x.try_rms_norm([3], None, -1.0), "rms_norm: epsilon is -1; expected a number from 0 up, 1e-5 say"),
        (
            x.try_group_norm(2, None, None, 1e-5),
            "group_norm: axis 1 of shape [2, 3] has 3 channels, which 2 groups cannot share evenly; choose a divisor of 3",
        ),
        (x.try_instance_norm(Some(four), None, 1e-5), "instance_norm: shapes [4] and [3] differ; they must be equal"),
        (
            v.try_batch_norm(None, None, 1e-5).map(|(y, _, _)| y),
            "batch_norm: operand of shape [3] has 1 axes; expected two at least, [n, channels, ..]",
        ),
        (
            x.slice(0, ..1).try_batch_norm(None, None, 1e-5).map(|(y, _, _)| y),
            "batch_norm: shape [1, 3] leaves 1 value for a result, and correction 1 needs more than that; reduce over more, or correct by less",
        ),
        (
            x.try_batch_norm_with(&Tensor::ones([2]), &Tensor::ones([3]), None, None, 1e-5),
            "batch_norm: shapes [2] and [3] differ; they must be equal",
        ),
        (
            x.try_normalize(2, 1e-12),
            "normalize: axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end",
        ),
        (
            x.try_masked_softmax(Tensor::from([true, false]), -1),
            "masked_softmax: shape [2] does not broadcast to [2, 3]; aligned at the last axis, every dimension must be equal to the target's or 1",
        ),
        (
            x.try_scaled_dot_product_attention(v, x, &Attention::new()),
            "scaled_dot_product_attention: q [2, 3], k [3] and v [2, 3] do not go together; they are [.., l, d], [.., s, d] and [.., s, dv] with the same leading axes",
        ),
        (
            x.try_scaled_dot_product_attention(
                tape.tensor(Tensor::ones([5, 3])),
                tape.tensor(Tensor::ones([5, 1])),
                &mask,
            ),
            "scaled_dot_product_attention: shape [2] does not broadcast to [2, 5]; aligned at the last axis, every dimension must be equal to the target's or 1",
        ),
        (
            x.try_self_attention(2, &mask),
            "self_attention: shape [2, 3] does not hold queries, keys and values of 2 heads side by side; it is [.., l, 3 * heads * d]",
        ),
        (
            x.try_linear(tape.tensor(Tensor::ones([5, 3])), four),
            "linear: shapes [5] and [4] differ; they must be equal",
        ),
    ];
    for (result, expected) in rows {
        let text = result.expect_err(expected).to_string();
        let (line, sentence) = text.split_once(": ").expect("the caller's line comes first");
        assert!(line.contains("neural_ops.rs:"), "{text}");
        assert_eq!(sentence, expected);
    }
    let other = Tape::<f64>::new();
    assert!(x.try_layer_norm([3], Some(other.tensor(Tensor::ones([3]))), None, 1e-5).is_err());
    assert!(TensorVar::try_scaled_dot_product_attention(x, x, other.tensor(Tensor::ones([2, 3])), &mask).is_err());
}

#[test]
fn losses_refuse_what_has_no_meaning() {
    let tape = Tape::<f64>::new();
    let y = tape.tensor(Tensor::zeros([2, 3]));
    let text = |result: Result<Var<'_>, wengert::nn::Error>| result.expect_err("a mistake").to_string();
    let (plain, both) = (CrossEntropy::new(), Tensor::from([0, 2]));
    let ends = [
        (text(loss::huber(y, &Tensor::zeros([2, 3]), 0.0)), "huber: delta is 0, expected a positive number"),
        (text(loss::smooth_l1(y, &Tensor::zeros([2, 3]), -1.0)), "smooth_l1: beta is -1, expected a positive number"),
        (text(loss::hinge(y, &Tensor::zeros([3]))), "hinge: shapes [2, 3] and [3] differ; they must be equal"),
        (
            text(loss::kl_divergence(y, &Tensor::zeros([3]))),
            "kl_divergence: shapes [2, 3] and [3] differ; they must be equal",
        ),
        (
            text(loss::nll(y, &Tensor::from([0, 3]))),
            "nll: row 1 has label 3; with 3 classes a label is at least 0 and less than 3",
        ),
        (
            text(plain.labels(y, &Tensor::from([0]))),
            "cross_entropy: labels of shape [1] for logits of shape [2, 3]; expected the number of a class for each row, shape [2]",
        ),
        (
            text(plain.clone().ignore_index(-100).labels(y, &Tensor::from([-100, -100]))),
            "cross_entropy: the weight of all labels is 0; expected a positive sum: a row at least whose label counts",
        ),
        (
            text(plain.clone().class_weights([1.0, 2.0]).labels(y, &both)),
            "cross_entropy: shapes [2] and [3] differ; they must be equal",
        ),
        (
            text(plain.clone().label_smoothing(1.5).labels(y, &both)),
            "cross_entropy: label_smoothing is 1.5, expected a fraction, 0 to 1",
        ),
        (
            text(loss::triplet_margin(y, y, tape.tensor(Tensor::zeros([2, 4])), 1.0)),
            "triplet_margin: shapes [2, 3] and [2, 4] differ; they must be equal",
        ),
        (
            text(loss::cosine_embedding(y, y, &Tensor::zeros([3]), 0.0)),
            "cosine_embedding: shapes [2] and [3] differ; they must be equal",
        ),
    ];
    for (text, end) in ends {
        assert!(text.ends_with(end), "{text}");
    }
    let empty = tape.tensor(Tensor::zeros([0, 3]));
    let nothing = Tensor::zeros([0, 3]);
    for result in [
        loss::huber(empty, &nothing, 1.0),
        loss::kl_divergence(empty, &nothing),
        loss::hinge(empty, &nothing),
        plain.probabilities(empty, &nothing),
        plain.labels(empty, &Tensor::zeros([0])),
    ] {
        let error = result.expect_err("nothing to take a mean of");
        let wengert::nn::Error::Tape(error) = error else { panic!("{error}") };
        assert!(
            matches!(&*error, wengert_core::Error::Shape { source, .. } if matches!(**source, ShapeError::Empty { .. }))
        );
    }
}
