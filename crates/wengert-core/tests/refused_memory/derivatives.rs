//! Derivatives whose every request for memory is refused in turn, of each family of ops and in every mode: the error
//! names the op whose derivative asked, nothing is held or recorded, and asked again the derivative has the same bits.

use super::numbers;
use super::refusing::{grant, held, refuse_each};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_core::prelude::*;
use wengert_core::{Error, FunctionError, TensorFunction, TensorOp, TensorVar, zip_map};
use wengert_tensor::{
    Attention, Convolution, Convolution3d, Interpolation, Padding, Pooling, Reduction, ShapeError, Tensor,
    TransposedConvolution, Windows,
};

type Var<'t> = TensorVar<'t, f64>;

/// Its name, the shapes of its operands, and the program.
type Program = (&'static str, &'static [&'static [usize]], for<'t> fn(&[Var<'t>]) -> Var<'t>);

/// Operands are drawn as [`numbers`] has them; matrices of as many rows as columns are well conditioned.
const PROGRAMS: &[Program] = &[
    ("elementwise", &[&[32, 40], &[40]], |x| (x[0].tanh() * x[1] / (x[0].square() + 2.0)).maximum(x[1])),
    ("activations", &[&[32, 40]], |x| x[0].gelu() + x[0].softplus() + x[0].relu() + x[0].elu(0.5)),
    ("affine", &[&[32, 40]], |x| (x[0] * 3.0 - 1.0) / 7.0 - x[0]),
    ("expressions", &[&[32, 40], &[40]], |x| {
        zip_map([x[0], x[1]], |[x, y]| (x * y).exp() + x) + x[0].map(|x| x.sin() * x)
    }),
    ("choices", &[&[32, 40], &[32, 40]], |x| {
        Var::select(x[0].greater(0.0), x[0], x[1]) + x[1].masked_fill(x[0].value().greater(0.5), 2.0)
    }),
    ("matmul", &[&[32, 24], &[24, 40]], |x| x[0].matmul(x[1])),
    ("matmul of batches", &[&[3, 32, 24], &[40, 24]], |x| x[0].matmul(x[1].t())),
    ("matmul of a vector", &[&[40, 640], &[640]], |x| x[0].matmul(x[1])),
    ("linear", &[&[32, 24], &[40, 24], &[40]], |x| x[0].linear(x[1], x[2])),
    ("outer", &[&[640], &[640]], |x| x[0].outer(x[1]) + x[0].dot(x[1])),
    ("einsum", &[&[8, 9, 10], &[10, 9, 7]], |x| Var::einsum("bij,jik->kb", &[x[0], x[1]])),
    ("einsum of a trace", &[&[32, 32, 3]], |x| Var::einsum("iij->ij", &[x[0]])),
    ("conv1d", &[&[2, 3, 128], &[64, 3, 5]], |x| x[0].conv1d(x[1], &Convolution::new().stride([1, 2]))),
    ("conv2d", &[&[2, 3, 16, 16], &[24, 3, 3, 3]], |x| x[0].conv2d(x[1], &Convolution::new().padding(1))),
    ("conv2d_with_bias", &[&[2, 4, 16, 16], &[64, 2, 3, 3], &[64]], |x| {
        x[0].conv2d_with_bias(x[1], x[2], &Convolution::new().stride(2).groups(2))
    }),
    ("conv1d_with_bias", &[&[2, 3, 128], &[64, 3, 5], &[64]], |x| {
        x[0].conv1d_with_bias(x[1], x[2], &Convolution::new().stride([1, 2]))
    }),
    ("conv2d_max_pool2d, few places", &[&[2, 4, 16, 16], &[64, 4, 3, 3], &[64]], |x| {
        x[0].conv2d_max_pool2d(x[1], x[2], &Convolution::new(), &Pooling::new(2))
    }),
    ("conv2d_max_pool2d, many places", &[&[2, 4, 16, 16], &[64, 4, 3, 3], &[64]], |x| {
        x[0].conv2d_max_pool2d(x[1], x[2], &Convolution::new(), &Pooling::new(2).stride(1))
    }),
    ("conv3d_with_bias", &[&[2, 3, 6, 7, 8], &[64, 3, 3, 3, 3], &[64]], |x| {
        x[0].conv3d_with_bias(x[1], x[2], &Convolution3d::new().padding(1))
    }),
    ("conv3d", &[&[2, 3, 6, 7, 8], &[9, 3, 3, 3, 3]], |x| x[0].conv3d(x[1], &Convolution3d::new().padding(1))),
    ("conv_transpose2d", &[&[2, 6, 8, 8], &[6, 24, 3, 3]], |x| {
        x[0].conv_transpose2d(x[1], &TransposedConvolution::new().stride(2))
    }),
    ("max_pool2d", &[&[2, 6, 16, 16]], |x| x[0].max_pool2d(&Pooling::new(2))),
    ("avg_pool2d", &[&[2, 6, 16, 16]], |x| x[0].avg_pool2d(&Pooling::new(3).stride(1))),
    ("adaptive pooling", &[&[2, 6, 16, 16]], |x| x[0].adaptive_avg_pool2d(7) + x[0].adaptive_max_pool2d(7)),
    ("interpolate", &[&[2, 6, 8, 8]], |x| x[0].interpolate(13, Interpolation::Bilinear { align_corners: false })),
    ("unfold", &[&[2, 3, 16, 16]], |x| x[0].unfold(&Windows::new(3))),
    ("softmax", &[&[32, 40]], |x| x[0].softmax(1) * x[0].log_softmax(0)),
    ("log_sum_exp", &[&[32, 40]], |x| x[0].log_sum_exp(0) + x[0].log_sum_exp(0)),
    ("masked_softmax", &[&[32, 40]], |x| x[0].masked_softmax(x[0].value().greater(-0.5), 1)),
    ("cross_entropy", &[&[64, 20]], |x| {
        let labels: Tensor<i64> = (0..64).map(|k| k % 20).collect();
        x[0].cross_entropy(&labels)
    }),
    ("mse", &[&[32, 40], &[32, 40]], |x| x[0].mse(x[1])),
    ("layer_norm", &[&[32, 40], &[40], &[40]], |x| x[0].layer_norm([40], Some(x[1]), Some(x[2]), 1e-5)),
    ("batch_norm", &[&[16, 6, 8, 8], &[6], &[6]], |x| x[0].batch_norm(Some(x[1]), Some(x[2]), 1e-5).0),
    ("group_norm", &[&[4, 6, 8, 8], &[6], &[6]], |x| x[0].group_norm(2, Some(x[1]), Some(x[2]), 1e-5)),
    ("rms_norm", &[&[32, 40], &[40]], |x| x[0].rms_norm([40], Some(x[1]), 1e-5)),
    ("norms", &[&[32, 40]], |x| x[0].norm2_axes(1).sum() + x[0].norm_axes(3.0, 0).sum() + x[0].normalize(1, 1e-3)),
    ("variance", &[&[32, 40]], |x| x[0].variance_axes(1, 1.0).sum() + x[0].std(0.0) * x[0]),
    ("attention", &[&[3, 20, 16], &[3, 24, 16], &[3, 24, 12]], |x| {
        x[0].scaled_dot_product_attention(x[1], x[2], &Attention::new())
    }),
    ("self_attention", &[&[2, 20, 48]], |x| x[0].self_attention(2, &Attention::new().causal())),
    ("lstm", &[&[5, 4, 48], &[48, 12], &[4, 12], &[4, 12]], |x| x[0].lstm(x[1], x[2], x[3])),
    ("recurrence", &[&[32, 40], &[32, 40]], |x| x[0].recurrence(x[1], 0)),
    ("sums", &[&[32, 40]], |x| x[0].sum_axes(0) * x[0] + x[0].mean_axes(0) - x[0].mean()),
    ("products", &[&[32, 40]], |x| x[0].prod_axes(1).sum() * x[0] + x[0].prod()),
    ("extremes", &[&[32, 40]], |x| x[0].max_axes(0) * x[0] + x[0].min()),
    ("cumsum", &[&[32, 40]], |x| x[0].cumsum(0)),
    ("cumprod", &[&[32, 40]], |x| x[0].cumprod(1)),
    ("cummax", &[&[32, 40]], |x| x[0].cummax_values(1)),
    ("sort", &[&[32, 40]], |x| x[0].sort(1) * x[0]),
    ("topk", &[&[40, 40]], |x| x[0].topk_values(30, 1)),
    ("quantile", &[&[32, 40]], |x| x[0].quantile_axes(0.3, 0) + x[0].median()),
    ("gather", &[&[32, 40], &[32, 40]], |x| {
        let index = Tensor::from_fn([32, 40], |at| ((7 * at[0] + at[1]) % 32) as i64);
        x[0].gather(0, &index) + x[0].scatter_add(0, &index, x[1])
    }),
    ("gather_rows", &[&[32, 40]], |x| x[0].gather_rows(&(0..40).map(|k| k % 7).collect())),
    ("scatter_reduce", &[&[32, 40], &[32, 40]], |x| {
        let index = Tensor::from_fn([32, 40], |at| ((5 * at[0] + at[1]) % 32) as i64);
        x[0].scatter_reduce(0, &index, x[1], Reduction::Mean, true)
            + x[0].scatter_reduce(0, &index, x[1], Reduction::Max, true)
            + x[0].scatter_reduce(0, &index, x[1], Reduction::Prod, true)
    }),
    ("masked_select", &[&[40, 40]], |x| x[0].masked_select(&x[0].value().greater(-2.0))),
    ("slices", &[&[32, 40]], |x| x[0].slice(0, 4..28) * x[0].slice(0, 8..32) + x[0].flip(1).slice(0, ..24)),
    ("concat", &[&[32, 40], &[32, 40]], |x| Var::concat(&[x[0], x[1], x[0]], 1) * Var::stack(&[x[0], x[1]], 0).sum()),
    ("pad", &[&[32, 40]], |x| x[0].pad(&[(1, 2), (3, 4)], Padding::Reflect) * x[0].roll(0, 3).sum()),
    ("permute", &[&[8, 12, 16]], |x| x[0].permute([2, 0, 1]).reshape([16, 96]).triu(1)),
    ("broadcast_to", &[&[640]], |x| x[0].exp().broadcast_to([4, 640])),
    ("checkpoint", &[&[32, 40], &[40, 40]], |x| {
        checkpoint_tensors(&[x[0], x[1]], |v| (v[0].matmul(v[1]).tanh() + v[0]).square())
    }),
    ("an op of the user's", &[&[32, 40]], |x| x[0].apply(Square, &[])),
    ("scalars", &[&[32, 40]], |x| x[0] * x[0].tape().pack(&[x[0].at([1, 2]).exp()]).sum()),
];

#[cfg(feature = "linalg")]
const LINEAR_ALGEBRA: &[Program] = &[
    ("solve", &[&[32, 32], &[32, 24]], |x| (x[0].matmul(x[0].t()) + eye(x[0])).solve(x[1])),
    ("solve_triangular", &[&[32, 32], &[32, 24]], |x| {
        (x[0].tril(-1) + eye(x[0])).solve_triangular(x[1], wengert_tensor::Triangle::lower())
    }),
    ("inverse", &[&[32, 32]], |x| (x[0].matmul(x[0].t()) + eye(x[0])).inverse()),
    ("det", &[&[32, 32]], |x| (x[0].matmul(x[0].t()) * 0.002 + eye(x[0])).det()),
    ("slogdet", &[&[32, 32]], |x| (x[0].matmul(x[0].t()) + eye(x[0])).slogdet().1),
    ("cholesky", &[&[32, 32]], |x| (x[0].matmul(x[0].t()) + eye(x[0])).cholesky()),
    ("qr", &[&[40, 32]], |x| {
        let (q, r) = x[0].qr();
        q.sum() * r
    }),
    ("eigh", &[&[32, 32]], |x| {
        let (values, vectors) = (x[0] + x[0].t()).eigh();
        values.sum() * vectors.square().matmul(values)
    }),
    ("svd", &[&[40, 32]], |x| {
        let (u, s, vt) = x[0].svd();
        u.square().matmul(s).sum() * vt.square()
    }),
    ("expm", &[&[32, 32]], |x| (x[0] * 0.01).expm()),
    ("lstsq", &[&[40, 32], &[40, 24]], |x| x[0].lstsq(x[1])),
];

#[cfg(feature = "linalg")]
fn eye<'t>(like: Var<'t>) -> Var<'t> {
    like.tape().constant_tensor(Tensor::eye(like.shape()[0]))
}

struct Square;
impl TensorOp for Square {
    fn name(&self) -> &'static str {
        "user's square"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
        x[0].try_mul(x[0])
    }
    fn vjp<'t>(&self, x: &[Var<'t>], _: Var<'t>, y_bar: Var<'t>, _: &[bool]) -> Vec<Option<Var<'t>>> {
        vec![Some(x[0] * y_bar * 2.0)]
    }
    fn pull(&self, x: &[&Tensor<f64>], _: &Tensor<f64>, y_bar: &Tensor<f64>, _: &[bool]) -> Vec<Option<Tensor<f64>>> {
        vec![Some(x[0] * y_bar * 2.0)] // operators, which cannot return an error
    }
}

/// Walks the refusals of a derivative; `check` looks at each error, which must leave nothing that `size` counts.
fn walk<E: Debug>(
    what: &str,
    size: impl Fn() -> [usize; 2],
    mut derivative: impl FnMut() -> Result<Vec<Tensor<f64>>, E>,
    check: impl Fn(&E),
) {
    let bits = |result: Result<Vec<Tensor<f64>>, E>| -> Vec<Vec<u64>> {
        let tensors = result.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        tensors.iter().map(|x| x.iter().map(f64::to_bits).collect()).collect()
    };
    let expected = bits(derivative());
    let mut refusals = 0;
    let asked = refuse_each(
        || {
            let before = (held(), size());
            let result = catch_unwind(AssertUnwindSafe(&mut derivative));
            (before, result.unwrap_or_else(|_| panic!("{what}: panics")).err())
        },
        |granted, (before, error)| {
            let Some(error) = error else { return };
            check(&error);
            assert_eq!((held(), size()), before, "{what}, granted {granted}: something is left");
            refusals += 1;
        },
    );
    assert!(asked > 0 && refusals == asked, "{what}: asked for {asked} tensors, of which {refusals} were refused");
    assert_eq!(bits(derivative()), expected, "{what}: other bits");
}

/// Derivatives on a tape, in every mode.
fn on_a_tape(&(what, shapes, f): &Program) {
    let mut tape = Tape::new();
    let start = tape.mark();
    for mode in ["gradient", "recorded gradient", "tangent", "recorded tangent", "Hessian times vector"] {
        let x: Vec<Var<'_>> = shapes.iter().map(|shape| tape.tensor(numbers(shape))).collect();
        let v: Vec<Tensor<f64>> = shapes.iter().map(|shape| numbers(shape).flip(0)).collect();
        let y = f(&x);
        let loss = y.square().sum();
        let (last, v_last) = (x[x.len() - 1], &v[v.len() - 1]);
        let directions = [&v[0], v_last].map(|v| tape.constant_tensor(v));
        let derivative = || match mode {
            "gradient" => loss.try_gradient().map(|g| x.iter().map(|&x| g[x].clone()).collect()),
            "recorded gradient" => loss.try_recorded_gradient([x[0], last]).map(|g| g.map(Var::value).into()),
            "tangent" => y.try_jvp([x[0], last], [&v[0], v_last]).map(|y_dot| vec![y_dot]),
            "recorded tangent" => y.try_recorded_jvp([x[0], last], directions).map(|y_dot| vec![y_dot.value()]),
            _ => loss.try_hvp([x[0], last], [&v[0], v_last]).map(Vec::from),
        };
        if let Err(Error::ScalarsBetween { .. }) = derivative() {
            continue;
        }
        let names = tape.listing().to_string();
        walk(
            &format!("{what}, {mode}"),
            || [tape.size().nodes, tape.size().tensors],
            derivative,
            |error| {
                let Error::Derivative { mode, source, .. } = error else { panic!("{what}: {error:?}") };
                let ShapeError::Memory { op, bytes, .. } = &**source else { panic!("{what}: {error}") };
                // Directions and seeds of one variable are added beforehand.
                assert!(
                    ["add", "add_scaled"].contains(op) || names.contains(op),
                    "{what}: {error}, recorded are\n{names}"
                );
                let text = error.to_string();
                assert!(text.contains(&format!(": {mode} of {op}: no memory for {bytes} bytes")), "{text}");
                assert!(text.contains("derivatives.rs:"), "{text}");
            },
        );
        tape.rewind(start);
    }
}

/// The replay of a recorded program, and its gradient.
fn recorded(&(what, shapes, f): &Program) {
    let x: Vec<Tensor<f64>> = shapes.iter().map(|shape| numbers(shape)).collect();
    let Ok(mut program) = TensorFunction::record(&x, |x| f(x).square().sum()) else { return };
    let derivative = || program.value_and_gradient(&x).map(|(_, gradient)| gradient);
    walk(&format!("{what}, replayed"), || [0, 0], derivative, |error| is_refusal(what, error));
    // While it is planned, too; the closure itself has all the memory it wants.
    let before = held();
    let mut refusals = 0;
    let asked = refuse_each(
        || {
            let granted = grant(usize::MAX);
            let planned = TensorFunction::record(&x, |x| {
                let y = f(x).square().sum();
                grant(granted);
                y
            });
            planned.err()
        },
        |granted, error| {
            let Some(error) = error else { return };
            is_refusal(what, &error);
            assert_eq!(held(), before, "{what}, planned, granted {granted}: something is left");
            refusals += 1;
        },
    );
    assert!(asked > 0 && refusals == asked, "{what}, planned: asked for {asked} tensors, refused {refusals}");
}

/// Whether this is the refusal of an op or of its pullback, at a line of this file.
#[track_caller]
fn is_refusal(what: &str, error: &FunctionError) {
    let (FunctionError::Tensor { source, .. } | FunctionError::Derivative { source, .. }) = error else {
        panic!("{what}: {error:?}")
    };
    assert!(matches!(**source, ShapeError::Memory { .. }), "{what}: {error}");
    assert!(error.to_string().contains("derivatives.rs:"), "{error}");
}

#[test]
fn refused_derivatives_are_errors_and_leave_nothing() {
    PROGRAMS.iter().for_each(on_a_tape);
}

#[test]
fn refused_replays_are_errors_and_leave_nothing() {
    PROGRAMS.iter().for_each(recorded);
}

#[test]
fn refused_in_a_pullback_of_scalars_that_works_with_tensors_is_an_error() {
    let tape = Tape::new();
    let x = tape.vars(&numbers(&[640]).to_vec());
    let squares = custom_vector(&x, |x| {
        let slope = Tensor::from_vec([x.len()], x.to_vec()) * 2.0;
        let pullback = move |y_bar: &[f64], x_bar: &mut [f64]| {
            let product = &slope * &Tensor::from_vec([y_bar.len()], y_bar.to_vec());
            x_bar.iter_mut().zip(&product).for_each(|(x_bar, product)| *x_bar = product);
        };
        (x.iter().map(|x| x * x).collect(), pullback)
    });
    let sum = squares.into_iter().reduce(|a, b| a + b).unwrap();
    let expected = sum.gradient().wrt(&x);
    let mut refusals = 0;
    let asked = refuse_each(
        || sum.try_gradient().map(|g| g.wrt(&x)),
        |_, result| {
            let Err(error) = result else { return };
            assert!(matches!(error, Error::Derivative { mode: "gradient", .. }), "{error}");
            refusals += 1;
        },
    );
    assert!(asked > 0 && refusals == asked, "asked for {asked} tensors, of which {refusals} were refused");
    assert_eq!(sum.gradient().wrt(&x), expected);
}

#[test]
fn without_try_they_panic_with_the_same_text() {
    let tape = Tape::new();
    let loss = tape.tensor(numbers(&[32, 40])).tanh().square().sum();
    let mut compared = 0;
    let asked = refuse_each(
        || {
            let granted = grant(usize::MAX);
            grant(granted);
            let returned = loss.try_gradient().err();
            grant(granted);
            (returned, catch_unwind(AssertUnwindSafe(|| loss.gradient())).err())
        },
        |_, (returned, panicked)| {
            assert_eq!(returned.is_some(), panicked.is_some(), "one of the two, and not the other");
            let (Some(returned), Some(panicked)) = (returned, panicked) else { return };
            let (returned, said) = (returned.to_string(), panicked.downcast_ref::<String>());
            // Their lines differ.
            let (line, said) = said.and_then(|said| said.split_once(": gradient of ")).expect("a text");
            assert!(line.contains("derivatives.rs:"), "{line}");
            assert_eq!(returned.split_once(": gradient of ").map(|(_, text)| text), Some(said));
            compared += 1;
        },
    );
    assert!(asked > 0 && compared == asked, "asked for {asked} tensors, compared {compared} texts");
}

#[cfg(feature = "linalg")]
#[test]
fn refused_derivatives_of_linear_algebra_are_errors_and_leave_nothing() {
    LINEAR_ALGEBRA.iter().for_each(on_a_tape);
    LINEAR_ALGEBRA.iter().for_each(recorded);
}

#[test]
fn sums_of_gradients_that_somebody_else_holds() {
    let tape = Tape::new();
    let (a, b) = (tape.tensor(numbers(&[32, 40])), tape.tensor(numbers(&[32, 40])));
    let gradient = || (a * b).sum().gradient();
    let (mut total, other) = (gradient(), (a.square() + b.sum()).sum().gradient());
    let held = [total[a].clone(), total[b].clone()];
    wengert_tensor::pool::set_limit(0); // recycled memory is not asked for
    let mut refused = 0;
    loop {
        grant(refused);
        let result = catch_unwind(AssertUnwindSafe(|| total.try_add(&other)));
        grant(usize::MAX);
        let Ok(result) = result else { panic!("panics when granted {refused} requests") };
        let Err(error) = result else { break };
        let Error::Shape { source, caller } = &error else { panic!("{error}") };
        assert!(matches!(**source, ShapeError::Memory { .. }) && caller.file() == file!(), "{error}");
        assert!(error.to_string().contains("add gradients: no memory for"), "{error}");
        assert_eq!([&total[a], &total[b]], held.each_ref(), "changed by what was refused");
        refused += 1;
    }
    assert!(refused >= 2, "{refused}");
    let close = |x: &Tensor<f64>, y: Tensor<f64>| x.iter().zip(y.iter()).all(|(x, y)| (x - y).abs() <= 1e-12 * y.abs());
    assert!(close(&total[a], &held[0] + a.value() * 2.0) && close(&total[b], &held[1] + 1280.0));
    assert_eq!(held[0], b.value());
}

#[test]
fn scaled_gradients_that_somebody_else_holds() {
    let tape = Tape::new();
    let (a, b, c) = (tape.tensor(numbers(&[32, 40])), tape.tensor(numbers(&[32, 40])), tape.var(2.0));
    let y = (a * b).sum().scalars()[0] * c;
    wengert_tensor::pool::set_limit(0); // recycled memory is not asked for
    for (op, scale) in [
        ("scale gradients", (|g| g.try_scale(0.5).map(drop)) as fn(&mut Gradients) -> Result<(), Error>),
        ("clip gradients", |g| g.try_clip(1.0).map(drop)),
    ] {
        let mut gradient = y.gradient();
        let held = [gradient[a].clone(), gradient[b].clone()];
        for granted in 0..2 {
            grant(granted);
            let result = catch_unwind(AssertUnwindSafe(|| scale(&mut gradient)));
            grant(usize::MAX);
            let Ok(Err(error)) = result else { panic!("{op} granted {granted} requests: {result:?}") };
            let Error::Shape { source, caller } = &error else { panic!("{error}") };
            assert!(matches!(**source, ShapeError::Memory { .. }) && caller.file() == file!(), "{error}");
            assert!(error.to_string().contains(&format!("{op}: no memory for")), "{error}");
            assert_eq!([&gradient[a], &gradient[b]], held.each_ref(), "changed by what was refused");
        }
    }
    let mut gradient = y.gradient();
    let before = (gradient[a].clone(), gradient[c]);
    gradient.scale(0.5);
    assert_eq!((&gradient[a], gradient[c]), (&(&before.0 * 0.5), before.1 * 0.5));
    let norm = gradient.norm();
    assert_eq!(gradient.clip(norm * 2.0), norm);
    assert_eq!(gradient.clip(norm / 4.0), norm);
    assert!((gradient.norm() - norm / 4.0).abs() < 1e-12 * norm);
}
