//! Replays against the same program on a tape, bit for bit.

mod choices;

use super::TensorFunction;
use crate::prelude::*;
use crate::rules::zip_map_sum;
use crate::{FunctionError, Parameter};
use wengert_kernels::par;
use wengert_tensor::{Attention, Convolution, Pooling, Tensor, Windows, pool, rng};

type Var<'t> = TensorVar<'t, f64>;

fn tensors<const N: usize>(shapes: [&[usize]; N], seed: u64) -> [Tensor<f64>; N] {
    let mut rng = rng(seed);
    shapes.map(|shape| Tensor::uniform(shape.to_vec(), -1.0, 1.0, &mut rng))
}

fn same(what: &str, a: &Tensor<f64>, b: &Tensor<f64>) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    for (k, (a, b)) in a.iter().zip(b.iter()).enumerate() {
        assert!(a.to_bits() == b.to_bits() || a == b, "{what}: element {k} is {a:e}, on a tape {b:e}");
    }
}

/// Records `f` at one point and replays it at two others, three times.
fn agrees<const N: usize>(what: &str, shapes: [&[usize]; N], f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>) -> String {
    let mut program = TensorFunction::record(&tensors(shapes, 1), &f).expect(what);
    for seed in [2, 3, 2] {
        let x = tensors(shapes, seed);
        let tape = Tape::new();
        let v = x.each_ref().map(|x| tape.tensor(x));
        let y = f(&v);
        same(what, &program.value(&x).expect(what), &y.value());
        if y.value().len() != 1 {
            continue;
        }
        let (value, gradient) = program.value_and_gradient(&x).expect(what);
        same(what, &value, &y.value());
        let expected = y.gradient();
        for (k, (x_bar, &x)) in gradient.iter().zip(&v).enumerate() {
            same(&format!("{what}, gradient {k}"), x_bar, &expected[x]);
        }
    }
    format!("{program:?}")
}

/// The cotangents are constants here: a pullback could run before its rule, and with what stands for the result.
#[test]
fn pullbacks_that_read_no_result_run_without_it_and_after_their_rule() {
    agrees("matmul", [&[2, 3], &[3, 2]], |x| x[0].matmul(x[1]).sum());
    agrees("linear", [&[2, 3], &[4, 3], &[4]], |x| x[0].linear(x[1], x[2]).sum());
    agrees("conv2d", [&[1, 2, 4, 4], &[3, 2, 3, 3]], |x| x[0].conv2d(x[1], &Convolution::default()).sum());
    agrees("pools", [&[1, 2, 4, 4]], |x| {
        x[0].max_pool2d(&Pooling::new(2)).sum() + x[0].avg_pool2d(&Pooling::new(2)).sum()
    });
    agrees("layer_norm", [&[3, 4], &[4], &[4]], |x| x[0].layer_norm([4], Some(x[1]), Some(x[2]), 1e-5).sum());
    agrees("attention", [&[1, 2, 3, 4], &[1, 2, 3, 4], &[1, 2, 3, 4]], |x| {
        x[0].scaled_dot_product_attention(x[1], x[2], &Attention::new()).sum()
    });
    agrees("rows and windows", [&[3, 2], &[1, 1, 4, 4]], |x| {
        let windows = x[1].unfold(&Windows::new(2));
        x[0].gather_rows(&Tensor::from([2, 0, 2])).sum() + windows.sum()
    });
    agrees("sums of columns and planes", [&[2, 3, 2, 2], &[3, 1, 1], &[2, 1, 1, 2]], |x| {
        ((x[0] + x[1]).relu() - x[2]).square().sum() + (x[1] - x[0]).sum()
    });
    agrees("losses", [&[3, 4], &[3, 4]], |x| x[0].mse(x[1]) + x[0].cross_entropy(&[1, 0, 3]));
    let [x, w] = tensors([&[2, 3], &[3, 2]], 1);
    let f = TensorFunction::record(&[x, w], |x| x[0].matmul(x[1]).tanh().sum()).unwrap();
    let list = f.to_string();
    let pullback = list.lines().find(|line| line.contains("pullback of matmul")).unwrap();
    // The product `t2` goes into `tanh` alone, whose cotangent `t7` comes back.
    assert!(pullback.ends_with("pullback of matmul(x0, x1; t7)"), "{list}");
}

#[test]
fn a_replay_has_the_bits_of_the_tape() {
    agrees("identity", [&[3]], |x| x[0].sum());
    agrees("no gradient of many numbers", [&[2, 3]], |x| x[0].tanh() * 2.0 - 1.0);
    agrees("chain", [&[2, 3], &[2, 3]], |x| ((x[0] * x[1]).tanh() + x[0].exp() * 0.5 - x[1]).square().mean());
    agrees("rows, columns and numbers", [&[4, 3], &[3], &[4, 1], &[1], &[]], |x| {
        ((x[0] + x[1]) * x[2] / (x[3].square() + 1.0) - x[4]).sigmoid().sum()
    });
    agrees("a long row", [&[3, 700], &[700]], |x| (x[0].sin() * x[1] + x[1]).sum());
    agrees("used again and again", [&[5]], |x| {
        let y = (0..100).fold(x[0], |y, _| (y * x[0] + 0.1).tanh());
        (y * y).sum()
    });
    agrees("layers", [&[4, 3], &[3, 5], &[5], &[5, 2], &[2], &[4, 2]], |x| {
        let h = (x[0].matmul(x[1]) + x[2]).relu();
        (h.matmul(x[3]) + x[4]).mse(x[5])
    });
    agrees("softmax and reductions", [&[4, 5]], |x| {
        let p = x[0].softmax(-1);
        (p * x[0].log_softmax(-1)).sum_axes(1).max_axes(0).sum() + p.mean_axes(0).norm2() + x[0].log_sum_exp(0).sum()
    });
    agrees("shapes", [&[2, 3, 4]], |x| {
        let y = x[0].permute([2, 0, 1]).reshape([4, 6]).slice(0, 1..3).exp();
        TensorVar::concat(&[y, y.t().reshape([2, 6])], 0).cumsum(0).clamp(-0.5, 2.0).sum()
    });
    agrees("convolution", [&[2, 3, 6, 6], &[4, 3, 3, 3], &[4, 1, 1]], |x| {
        let y = x[0].conv2d(x[1], &Convolution::default().padding(1)) + x[2];
        y.relu().max_pool2d(&Pooling::new(2)).powi(3).mean()
    });
    agrees("convolution with bias", [&[2, 3, 6, 6], &[4, 3, 3, 3], &[4]], |x| {
        let y = x[0].conv2d_with_bias(x[1], x[2], &Convolution::default().padding(1));
        y.max_pool2d(&Pooling::new(2)).relu().powi(3).mean()
    });
    agrees("normalisation", [&[4, 6], &[6], &[6]], |x| x[0].layer_norm([6], Some(x[1]), Some(x[2]), 1e-5).gelu().sum());
    agrees("attention between layers", [&[2, 4, 6], &[18, 6], &[18], &[5, 6], &[5]], |x| {
        let found = x[0].linear(x[1], x[2]).self_attention(3, &Attention::new().causal());
        found.linear(x[3], x[4]).gelu().sum()
    });
    agrees("fused by hand", [&[7], &[7]], |x| zip_map_sum([x[0], x[1]], |[a, b]| (a * b).sin()) + x[0].prod());
    agrees("parametric and binary", [&[6], &[6]], |x| {
        x[0].powi(2).atan2(x[1].exp()).maximum(x[1]).hypot(x[0]).minimum(x[0].abs() + 3.0).sum()
    });
    agrees("one element", [&[1], &[1, 1]], |x| (x[0].exp() * x[1] + x[0]).sum());
    agrees("nothing", [&[0, 3]], |x| (x[0] * 2.0).exp().sum());
    agrees("independent of an input", [&[2], &[2]], |x| x[0].exp().sum());
}

#[test]
fn elementwise_steps_are_one_pass_and_dead_work_is_not_done() {
    let said = agrees("pass", [&[2, 3], &[2, 3]], |x| {
        let _dead = x[0].matmul_t(false, x[1], true);
        ((x[0] * x[1]).tanh() + x[0].exp()).sum()
    });
    // The sum is in the pass; its cotangent is a constant, and both gradients are in the pass too.
    assert!(said.contains("acts: 1,"), "{said}");
    assert!(said.contains("acts_with_gradient: 1"), "{said}");
    let said = agrees("bias", [&[2, 3, 4, 4], &[3, 1, 1]], |x| (x[0] + x[1]).relu().mean());
    // The pass, and the bias's own cotangent.
    assert!(said.contains("acts: 1,"), "{said}");
    assert!(said.contains("acts_with_gradient: 2"), "{said}");
    let said = agrees("mean square", [&[5, 3], &[5, 3]], |x| x[0].tanh().mse(x[1]));
    assert!(said.contains("acts: 1,"), "{said}");
    assert!(said.contains("acts_with_gradient: 1"), "{said}");
}

#[test]
fn what_is_summed_may_be_read_beside_and_summed_again() {
    agrees("sum and mean", [&[2, 3]], |x| {
        let y = x[0].exp();
        y.sum() * y.mean() + y.max() + (y / y.sum()).mean()
    });
    agrees("mean square of one", [&[1], &[1]], |x| x[0].mse(x[1]).exp());
    agrees("mean square of two", [&[2], &[2]], |x| x[0].mse(x[1]) + x[0].sum().mse(x[1].mean()));
    agrees("sum of a number everywhere", [&[2, 3], &[]], |x| (x[0] * 0.0 + x[1].exp()).mean());
    agrees("many", [&[300, 500], &[300, 500], &[500]], |x| (x[0] * x[1] + x[2]).tanh().mse(x[1]) + x[0].square().sum());
}

#[test]
fn data_parameters_and_what_is_cut_off_follow() {
    let [x, d, e] = tensors([&[3], &[3], &[3]], 5);
    let mut f = TensorFunction::record_with_data(&[x], &[d], |x, d| {
        let scale = d[0].square().sum(); // made of data alone
        (x[0] * d[0] * scale + x[0].exp().detach() * x[0]).sum()
    })
    .unwrap();
    f.set_data(std::slice::from_ref(&e)).unwrap();
    let [x2] = tensors([&[3]], 6);
    let (value, gradient) = f.value_and_gradient(std::slice::from_ref(&x2)).unwrap();
    let scale = e.square().sum();
    let expected = x2.iter().zip(e.iter()).map(|(x, e)| x * e * scale + x.exp() * x).sum::<f64>();
    assert!((value.item() - expected).abs() < 1e-14 * expected.abs().max(1.0));
    for ((x_bar, x), e) in gradient[0].iter().zip(x2.iter()).zip(e.iter()) {
        assert!((x_bar - (e * scale + x.exp())).abs() < 1e-14);
    }

    let mut w = Parameter::new([1.0, 2.0]);
    let unused = Parameter::new([7.0]);
    let mut loss =
        TensorFunction::record_model(&[e.slice(0, 1..)], &[], |tape, d, _| (tape.parameter(&w).square() * d[0]).sum())
            .unwrap();
    *w.value_mut() = Tensor::from([3.0, 5.0]);
    let (_, gradients) = loss.value_and_gradients_of([&unused, &w]).unwrap();
    assert_eq!(gradients[&w].to_vec(), [6.0 * e.at([1]), 10.0 * e.at([2])]);
    assert!(gradients.get_parameter(&unused).is_none());
    // Nobody holds on to the parameter: it can be changed where it is.
    assert!(w.value_mut().unique_mut().is_some());
    let error = loss.value_and_gradients_of([&unused]).unwrap_err();
    assert_eq!(error.to_string(), "value_and_gradients_of: parameter: 0 tensors for a program of 1");
}

#[test]
fn labels_and_constants_that_are_data_follow() {
    let (w, x) = (Parameter::new(tensors([&[3, 4]], 1)[0].clone()), tensors([&[5, 3], &[5, 4]], 2));
    let labels = Tensor::from([0_i64, 1, 2, 3, 0]);
    let rows = Tensor::from([[1_i64, 4], [0, 0]]);
    let program = |tape: &Tape, d: [&Tensor<f64>; 2], labels: &Tensor<i64>, rows: &Tensor<i64>| {
        let logits = tape.constant_tensor(d[0]).matmul(tape.parameter(&w));
        let shift = logits.gather_rows(&rows.reshape([4])).sum();
        let loss = (logits * tape.constant_tensor(d[1])).cross_entropy(labels) + shift;
        (loss.item(), loss.gradient()[&w].clone())
    };
    // The constant is the tensor that was handed in as data.
    let mut f = TensorFunction::record_model(&x, &[labels, rows], |tape, d, l| {
        let logits = d[0].matmul(tape.parameter(&w));
        let shift = logits.gather_rows(&l[1].reshape([4])).sum();
        (logits * tape.constant_tensor(&x[1])).cross_entropy(&l[0]) + shift
    })
    .unwrap();
    let (other, labels, rows) =
        (tensors([&[5, 3], &[5, 4]], 7), Tensor::from([3_i64, 3, 1, 0, 2]), Tensor::from([[2_i64, 2], [3, 1]]));
    f.set_data(&other).unwrap();
    f.set_labels(&[labels.clone(), rows.clone()]).unwrap();
    let (value, gradients) = f.value_and_gradients_of([&w]).unwrap();
    let (expected, w_bar) = program(&Tape::new(), [&other[0], &other[1]], &labels, &rows);
    assert_eq!(value.item(), expected);
    same("gradient", &gradients[&w], &w_bar);
    // A label out of range is an error of the replay, at the line of the op.
    f.set_labels(&[Tensor::from([4_i64, 0, 0, 0, 0]), rows]).unwrap();
    let error = f.value_and_gradients_of([&w]).unwrap_err().to_string();
    assert!(error.contains("program/tests.rs") && error.contains("cross_entropy"), "{error}");
    f.set_labels(&[labels, Tensor::from([[0_i64, 0], [0, 0]])]).unwrap();
    assert!(f.value_and_gradients_of([&w]).is_ok());
}

#[test]
fn a_steady_state_asks_the_pool_for_nothing_new() {
    let shapes: [&[usize]; 3] = [&[64, 50], &[50, 40], &[40]];
    let mut f = TensorFunction::record(&tensors(shapes, 1), |x| {
        let h = ((x[0].matmul(x[1]) + x[2]).tanh() * 2.0).exp();
        (h.softmax(-1) * h).mean()
    })
    .unwrap();
    let x = tensors(shapes, 2);
    for _ in 0..3 {
        f.value_and_gradient(&x).unwrap();
    }
    let before = pool::stats();
    for _ in 0..10 {
        f.value_and_gradient(&x).unwrap();
    }
    assert_eq!(pool::stats().misses, before.misses);
}

#[test]
fn threads_change_no_bit() {
    let shapes: [&[usize]; 2] = [&[300, 1000], &[1000]];
    let mut f =
        TensorFunction::record(&tensors(shapes, 1), |x| (x[0].tanh() * x[1] + x[0].exp()).square().mean()).unwrap();
    let x = tensors(shapes, 2);
    let one = par::threads(1, || f.value_and_gradient(&x)).unwrap();
    for threads in [2, 3, 8] {
        let many = par::threads(threads, || f.value_and_gradient(&x)).unwrap();
        same("value", &many.0, &one.0);
        many.1.iter().zip(&one.1).for_each(|(a, b)| same("gradient", a, b));
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let x = [Tensor::from([1.0, 2.0])];
    let text = |error: FunctionError| error.to_string();
    let mut f = TensorFunction::record(&x, |x| x[0].exp()).unwrap();
    assert_eq!(text(f.value(&[]).unwrap_err()), "value: input: 0 tensors for a program of 1");
    assert_eq!(
        text(f.value(&[Tensor::from([1.0])]).unwrap_err()),
        "value: input 0 has shape [1], recorded with [2]; record a program for each shape"
    );
    assert_eq!(
        text(f.value_and_gradient(&x).unwrap_err()),
        "value_and_gradient: of an output of shape [2]; a gradient is that of one number: reduce it with sum or mean"
    );
    assert_eq!(text(f.set_data(&x).unwrap_err()), "set_data: data: 1 tensors for a program of 0");
    for (k, read) in [
        TensorFunction::record(&x, |x| x[0] * x[0].value().max()),
        TensorFunction::record(&x, |x| TensorVar::select(x[0].greater(1.5), x[0], -x[0])),
        TensorFunction::record(&x, |x| x[0].gather_rows(&x[0].argsort(0)).sum()),
        TensorFunction::record(&x, |x| x[0] * x[0].sum().item()),
    ]
    .into_iter()
    .enumerate()
    {
        let said = text(read.map(|_| ()).expect_err("a value is read"));
        assert!(said.contains("program/tests.rs") && said.contains("would be frozen"), "{k}: {said}");
    }
    // A derivative taken inside would keep what its pullbacks hold, labels for one.
    let labels = Tensor::from([1_i64]);
    for taken in [
        TensorFunction::record(&x, |x| x[0].square().sum().recorded_gradient([x[0]])[0].sum()),
        TensorFunction::record(&x, |x| {
            let slope = x[0].reshape([1, 2]).cross_entropy(&labels).gradient()[x[0]].clone();
            (x[0] * x[0].tape().constant_tensor(slope)).sum()
        }),
    ] {
        let said = text(taken.map(|_| ()).expect_err("a derivative is taken"));
        assert!(said.contains("program/tests.rs") && said.contains("cannot be replayed"), "{said}");
    }
    // What does not depend on an input may be read, and what is only printed.
    let harmless = TensorFunction::record(&x, |x| {
        let c = x[0].tape().constant_tensor([2.0]);
        let _ = format!("{:?}", x[0]);
        x[0] * c.item()
    });
    assert!(harmless.is_ok());
}

#[test]
fn a_question_is_asked_again() {
    let mut f = TensorFunction::record(&[Tensor::from([4.0])], |x| {
        if x[0].sum().holds(|sum| sum.item() > 3.0) { x[0].ln() } else { x[0] * 0.0 }
    })
    .unwrap();
    assert_eq!(f.value(&[Tensor::from([std::f64::consts::E])]).map(|y| y.item()).ok(), None);
    assert_eq!(f.value(&[Tensor::from([4.0])]).unwrap().item(), 4.0_f64.ln());
    // An error leaves the program usable.
    assert!(f.value(&[Tensor::from([1.0])]).unwrap_err().to_string().contains("the answer was true, now it is false"));
    assert_eq!(f.value_and_gradient(&[Tensor::from([8.0])]).unwrap().1[0].item(), 0.125);
}

#[test]
fn a_program_is_drawn_with_its_acts_and_what_they_read() {
    let [w, x] = tensors([&[3, 2], &[4, 3]], 1);
    let f = TensorFunction::record_with_data(&[w], &[x], |p, d| d[0].matmul(p[0]).tanh().sum()).unwrap();
    let graph = f.to_graphviz();
    let given = [
        // f64: 6 and 12 elements of 8 bytes.
        "  x0 [shape=box, style=bold, label=\"input\\nx0 [3, 2], 48 B\"];",
        "  d0 [shape=box, style=bold, label=\"data\\nd0 [4, 3], 96 B\"];",
    ];
    for text in
        given.into_iter().chain(["label=\"matmul\\nt", "label=\"pass of 2 steps\\nt", "label=\"pullback of matmul\\nt"])
    {
        assert_eq!(graph.matches(text).count(), 1, "{text} in\n{graph}");
    }
    // The value, which the pass makes, and the gradient.
    assert_eq!(graph.matches("peripheries=2").count(), 2, "{graph}");
    let svg = f.to_svg();
    let (nodes, edges) = (graph.matches(" [shape=").count(), graph.matches(" -> ").count());
    assert!(edges >= 6, "{graph}");
    // A title for the picture, for each node, and for each edge.
    assert_eq!(svg.matches("<title>").count(), 1 + nodes + edges);
    assert_eq!(svg.matches("marker-end").count(), edges);
}

#[test]
fn results_that_nothing_computes_are_drawn_too() {
    let f = TensorFunction::record(&[Tensor::scalar(2.0)], |x| x[0]).unwrap();
    let graph = f.to_graphviz();
    assert_eq!(graph.matches("x0 [shape=box, style=bold").count(), 1, "{graph}");
    // The gradient, 1.
    assert_eq!(graph.matches("shape=box, style=dashed").count(), 1, "{graph}");
    assert_eq!(f.to_svg().matches("<title>").count(), 3);
}
