//! Ops that choose elements by their values: a replay chooses anew, wherever the order has changed.

use crate::prelude::*;
use crate::tensor::TensorFloat;
use crate::{FunctionError, Parameter, TensorFunction};
use std::sync::{Arc, Mutex};
use wengert_tensor::{Reduction, Shape, Tensor, keep, pool, rng};

/// The same bits, NaN with its sign and payload included.
fn same<F: TensorFloat>(what: &str, a: &Tensor<F>, b: &Tensor<F>) {
    assert_eq!(a.shape(), b.shape(), "{what}");
    for (k, (a, b)) in a.iter().zip(b.iter()).enumerate() {
        let (a, b) = (a.to_f64(), b.to_f64());
        assert_eq!(a.to_bits(), b.to_bits(), "{what}: element {k} is {a:e}, on a tape {b:e}");
    }
}

/// Every element with a weight of its own: which one is where shows in value and gradient.
fn weighed<'t, F: TensorFloat>(y: TensorVar<'t, F>) -> TensorVar<'t, F> {
    let weights = Tensor::from_fn(y.shape(), |index| {
        F::from_f64(1.0 + index.iter().fold(0, |number, &k| 7 * number + k) as f64 * 0.375)
    });
    (y * y.tape().constant_tensor(weights)).sum()
}

/// Records `f` at two of the points and replays it at all of them, against a tape.
fn follows<F: TensorFloat>(what: &str, points: &[Tensor<F>], f: impl for<'t> Fn(TensorVar<'t, F>) -> TensorVar<'t, F>) {
    for (k, recorded) in points.iter().enumerate().step_by(5) {
        let x = core::slice::from_ref(recorded);
        let mut program = TensorFunction::record(x, |x| weighed(f(x[0]))).expect(what);
        let mut plain = TensorFunction::record(x, |x| f(x[0])).expect(what);
        for (l, x) in points.iter().enumerate() {
            let what = format!("{what} of shape {} in {}, point {k} at {l}", x.shape(), core::any::type_name::<F>());
            let tape = crate::Tape::<F>::new();
            let v = tape.tensor(x);
            let y = f(v);
            let loss = weighed(y);
            let x = core::slice::from_ref(x);
            same(&what, &plain.value(x).expect(&what), &y.value());
            same(&what, &program.value(x).expect(&what), &loss.value());
            let (value, gradient) = program.value_and_gradient(x).expect(&what);
            same(&what, &value, &loss.value());
            same(&format!("{what}, gradient"), &gradient[0], &loss.gradient()[v]);
        }
    }
}

/// Points of one shape: two orders and the reverse of one, many ties, nothing but ties, infinities, and NaN in some
/// lanes.
fn points<F: TensorFloat>(shape: &[usize]) -> Vec<Tensor<F>> {
    let shape = Shape::from(shape.to_vec());
    let drawn = |seed| Tensor::<F>::uniform(shape.clone(), F::from_f64(-1.0), F::ONE, &mut rng(seed));
    let first = drawn(1);
    let ties = drawn(3).map(|x| F::from_f64((2.0 * x.to_f64()).round()));
    let with = |special: &[f64], seed| {
        let places: Tensor<F> = drawn(seed);
        let mut k = 0;
        places.map(|x| {
            k += 1;
            if k % 3 == 0 { F::from_f64(special[k / 3 % special.len()]) } else { x }
        })
    };
    vec![
        first.clone(),
        drawn(2),
        first.map(|x| F::ZERO - x),
        ties,
        Tensor::full(shape.clone(), F::from_f64(0.5)),
        Tensor::full(shape.clone(), F::ZERO),
        with(&[f64::INFINITY, f64::NEG_INFINITY], 4),
        with(&[f64::NAN, 2.0], 5),
    ]
}

fn all_follow<F: TensorFloat>() {
    for shape in [&[5][..], &[1], &[4, 1], &[1, 6], &[2, 3, 5], &[0, 3]] {
        let x = points::<F>(shape);
        for axis in [0, -1] {
            follows("sort", &x, |x| x.sort(axis));
            follows("sort, the largest first", &x, |x| x.try_sort(axis, true).expect("an axis"));
            follows("topk_values", &x, |x| x.topk_values(shape[0].min(2), 0));
            follows("all of topk_values", &x, |x| x.topk_values(x.shape()[x.shape().rank() - 1], -1));
            follows("cummax_values", &x, |x| x.cummax_values(axis));
            follows("cummin_values", &x, |x| x.cummin_values(axis));
            follows("norm", &x, |x| x.norm_axes(3.0, keep(axis)));
        }
        follows("median", &x, |x| x.median_axes(-1));
        follows("norm of all", &x, |x| x.norm(1.5));
        for q in [0.0, 0.3, 0.5, 1.0] {
            follows("quantile", &x, |x| x.quantile_axes(q, -1));
        }
        if !shape.contains(&0) {
            follows("median of all", &x, |x| x.median());
            follows("quantile of all", &x, |x| x.quantile(0.7));
        }
    }
    // No window divides these evenly.
    for shape in [&[2, 3, 5, 7][..], &[1, 1, 3, 4], &[0, 2, 5, 7]] {
        follows("adaptive_max_pool2d", &points::<F>(shape), |x| x.adaptive_max_pool2d([2, 3]));
    }
    follows("adaptive_max_pool1d", &points::<F>(&[2, 1, 5]), |x| x.adaptive_max_pool1d(3));
    for shape in [&[4, 3][..], &[2, 1], &[3, 2, 5], &[2, 3, 2, 2]] {
        let [channels] = [Tensor::from_fn([shape[1]], |index| F::from_f64(0.5 + index[0] as f64))];
        follows("batch_norm", &points::<F>(shape), |x| {
            let [w, b] = [x.tape().tensor(&channels), x.tape().constant_tensor(&channels)];
            x.batch_norm_watched(Some(w), Some(b), 1e-3, |_, _| {})
        });
        follows("batch_norm of a function", &points::<F>(shape), |x| {
            x.tanh().batch_norm_watched(None, None, 1e-3, |_, _| {}).square()
        });
    }
}

#[test]
fn what_is_chosen_by_value_is_chosen_anew() {
    all_follow::<f64>();
}

#[test]
fn what_is_chosen_by_value_is_chosen_anew_in_f32() {
    all_follow::<f32>();
}

/// Value and gradient of `f` recorded at one point and replayed at another.
fn replayed(
    recorded: &[f64],
    x: &[f64],
    f: impl for<'t> Fn(TensorVar<'t, f64>) -> TensorVar<'t, f64>,
) -> (f64, Vec<f64>) {
    let at = |x: &[f64]| [x.iter().copied().collect::<Tensor<f64>>()];
    let mut program = TensorFunction::record(&at(recorded), |x| f(x[0])).expect("replayable");
    let (value, gradient) = program.value_and_gradient(&at(x)).expect("the same shapes");
    (value.item(), gradient[0].to_vec())
}

#[test]
fn replays_in_another_order_have_the_gradients_of_that_order() {
    fn weighted<'t>(y: TensorVar<'t, f64>) -> TensorVar<'t, f64> {
        (y * y.tape().constant_tensor([1.0, 10.0, 100.0])).sum()
    }
    let up = [1.0, 2.0, 3.0, 4.0];
    let x = [3.0, 9.0, 5.0, 3.0];
    assert_eq!(replayed(&up[..3], &[8.0, 9.0, 7.0], |x| weighted(x.sort(0))), (987.0, vec![10.0, 100.0, 1.0]));
    assert_eq!(replayed(&up, &x, |x| weighted(x.topk_values(3, 0))), (359.0, vec![100.0, 1.0, 10.0, 0.0]));
    // Of four the median is the second, of ties the first: the first 3 and the last are the two smallest.
    assert_eq!(replayed(&up, &x, |x| x.median()), (3.0, vec![0.0, 0.0, 0.0, 1.0]));
    // 0.75 lies at 2.25 in order: 5 + (9 - 5)/4.
    assert_eq!(replayed(&up, &x, |x| x.quantile(0.75)), (6.0, vec![0.0, 0.25, 0.75, 0.0]));
    assert_eq!(replayed(&up[..3], &[2.0, 1.0, 2.0], |x| weighted(x.cummax_values(0))), (222.0, vec![111.0, 0.0, 0.0]));
    assert_eq!(replayed(&up[..3], &[2.0, 1.0, 1.0], |x| weighted(x.cummin_values(0))), (112.0, vec![1.0, 110.0, 0.0]));
    // The windows are the entries 0 to 1, 1 to 2 and 2 to 3.
    assert_eq!(
        replayed(&up, &x, |x| weighted(x.reshape([1, 1, 4]).adaptive_max_pool1d(3).reshape([3]))),
        (599.0, vec![0.0, 11.0, 100.0, 0.0])
    );
    // NaN is larger than every number, and stays once it came up.
    let (value, gradient) = replayed(&up[..3], &[f64::NAN, 1.0, 2.0], |x| x.topk_values(1, 0).sum());
    assert!(value.is_nan() && gradient == [1.0, 0.0, 0.0], "{value}, {gradient:?}");
    assert!(replayed(&up, &[1.0, f64::NAN, 0.0, 2.0], |x| x.quantile(0.0)).0.is_nan());
    // (1 + 8)^(1/3), from a point where it has no direction: the derivatives are x^2 / y^2.
    let (value, gradient) = replayed(&[0.0, 0.0], &[1.0, 2.0], |x| x.norm(3.0));
    assert!((value - 9.0_f64.cbrt()).abs() < 1e-15 && (gradient[1] - 4.0 / value.powi(2)).abs() < 1e-15);
    assert_eq!(replayed(&[1.0, 2.0], &[0.0, 0.0], |x| x.norm(3.0)), (0.0, vec![0.0, 0.0]));
    for p in [1.0, 2.0, f64::INFINITY] {
        assert_eq!(replayed(&[1.0, 2.0], &[0.0, -7.0], |x| x.norm(p)), (7.0, vec![0.0, -1.0]));
    }
}

#[test]
fn choices_ask_the_pool_for_nothing_new() {
    let shape = [6, 4, 9, 7];
    let drawn = |seed| [Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed))];
    let mut f = TensorFunction::record(&drawn(1), |x| {
        let x = x[0];
        let few = x.topk_values(3, -1).sum() + x.sort(1).square().sum() + x.median_axes([2, 3]).sum();
        let runs = (x.cummax_values(0) * x.cummin_values(2)).sum() + x.quantile_axes(0.4, [0, 1]).sum();
        let pooled = x.adaptive_max_pool2d([2, 3]).sum() + x.norm_axes(3.0, 1).sum();
        few + runs + pooled + x.batch_norm_watched(None, None, 1e-3, |_, _| {}).powi(3).sum()
    })
    .unwrap();
    let points = [drawn(2), drawn(3)];
    let mut replay = |rounds| {
        for k in 0..rounds {
            f.value_and_gradient(&points[k % 2]).unwrap();
        }
    };
    replay(4);
    let before = pool::stats();
    replay(10);
    assert_eq!(pool::stats().misses, before.misses);
}

#[test]
fn the_forms_that_hand_out_plain_numbers_have_the_same_result_and_gradient() {
    for x in points::<f64>(&[2, 3, 5]) {
        let tape = Tape::new();
        let v = tape.tensor(&x);
        let (topk, cummax, cummin) = (v.topk(3, -1), v.cummax(1), v.cummin(1));
        for (what, y, by_plain_tensors, alone) in [
            ("topk", topk.0, x.gather(-1, &topk.1), v.topk_values(3, -1)),
            ("cummax", cummax.0, x.gather(1, &cummax.1), v.cummax_values(1)),
            ("cummin", cummin.0, x.gather(1, &cummin.1), v.cummin_values(1)),
            ("batch_norm", v.batch_norm(None, None, 0.1).0, v.batch_norm(None, None, 0.1).0.value(), {
                v.batch_norm_watched(None, None, 0.1, |_, _| {})
            }),
        ] {
            same(what, &alone.value(), &y.value());
            same(what, &alone.value(), &by_plain_tensors);
            same(what, &weighed(alone).gradient()[v], &weighed(y).gradient()[v]);
        }
    }
}

#[test]
fn labels_that_gather_follow() {
    let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let labels = [Tensor::from([0_i64, 0]), Tensor::from([[0_i64], [0]]), Tensor::from([0_i64, 0])];
    let mut f = TensorFunction::record_model(core::slice::from_ref(&x), &labels, |_, x, l| {
        let rows = x[0].gather(1, &l[0].unsqueeze(1)).sum();
        rows + x[0].take_along_axis(&l[1], 1).sum() * 100.0 + x[0].pick(&l[2]).sum() * 10_000.0
    })
    .unwrap();
    let set = |f: &mut TensorFunction, labels: [[i64; 2]; 3]| {
        let [a, b, c] = labels.map(Tensor::from);
        f.set_labels(&[a, b.unsqueeze(1), c]).unwrap();
    };
    let none: [&Parameter<f64>; 0] = [];
    set(&mut f, [[2, 0], [1, 2], [5, 5]]);
    assert_eq!(f.value_and_gradients_of(none).unwrap().0.item(), 7.0 + 800.0 + 120_000.0);
    set(&mut f, [[2, 3], [1, 2], [5, 5]]);
    let error = f.value_and_gradients_of(none).unwrap_err().to_string();
    assert!(error.contains("program/tests/choices.rs") && error.contains(": gather: "), "{error}");
}

#[test]
fn labels_that_scatter_follow_and_what_is_done_with_labels_beside_the_tape_is_refused() {
    let points = |seed| {
        let drawn = |shape: [usize; 2], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed));
        [drawn([3, 2], seed), drawn([4, 2], seed + 10)]
    };
    fn program<'t>(x: &[TensorVar<'t, f64>], index: &Tensor<i64>) -> TensorVar<'t, f64> {
        weighed(x[0].scatter(0, index, x[1])) + weighed(x[0].scatter_add(0, index, x[1]).square())
    }
    let index = |rows: [i64; 4]| rows.iter().flat_map(|&row| [row, 2 - row]).collect::<Tensor<i64>>().reshape([4, 2]);
    let labels = [index([0, 1, 2, 1])];
    let w = points(1).map(Parameter::new);
    let mut f = TensorFunction::record_model(&[], &labels, |tape, _, l| {
        program(&[tape.parameter(&w[0]), tape.parameter(&w[1])], &l[0])
    })
    .unwrap();
    for rows in [[2, 2, 2, 2], [0, 1, 2, 0], [1, 0, 0, 1]] {
        f.set_labels(&[index(rows)]).unwrap();
        let (value, gradients) = f.value_and_gradients_of(&w).unwrap();
        let tape = crate::Tape::<f64>::new();
        let x = [tape.parameter(&w[0]), tape.parameter(&w[1])];
        let y = program(&x, &index(rows));
        same("scatter", &value, &y.value());
        let expected = y.gradient();
        w.iter().for_each(|w| same("scatter, gradient", &gradients[w], &expected[w]));
    }
    let refused = TensorFunction::record_model(&[], &labels, |tape, _, l| {
        let x = [tape.parameter(&w[0]), tape.parameter(&w[1])];
        program(&x, &l[0]) + x[0].scatter_reduce(0, &l[0], x[1], Reduction::Max, true).sum()
    });
    let error = refused.map(|_| ()).unwrap_err();
    assert!(matches!(error, FunctionError::Beside { op: "scatter_reduce", index: 0, .. }), "{error:?}");
    assert!(error.to_string().contains("program/tests/choices.rs"), "{error}");
    // An index that cannot be exchanged may be worked with.
    let fixed = TensorFunction::record(&points(1), |x| {
        x[0].scatter_reduce(0, &index([0, 0, 1, 2]), x[1], Reduction::Max, true).sum()
    });
    assert!(fixed.is_ok());
}

#[test]
fn what_hands_out_plain_numbers_is_refused_and_says_what_to_use() {
    let x = [Tensor::from([[1.0, 3.0], [2.0, 5.0]])];
    let refused = |outcome: Result<TensorFunction, FunctionError>| outcome.map(|_| ()).expect_err("plain numbers");
    for (op, instead, outcome) in [
        ("topk", "topk_values", TensorFunction::record(&x, |x| x[0].topk(1, 0).0.sum())),
        ("cummax", "cummax_values", TensorFunction::record(&x, |x| x[0].cummax(0).0.sum())),
        ("cummin", "cummin_values", TensorFunction::record(&x, |x| x[0].cummin(0).0.sum())),
        ("batch_norm", "batch_norm_watched", TensorFunction::record(&x, |x| x[0].batch_norm(None, None, 0.1).0.sum())),
    ] {
        let error = refused(outcome);
        assert!(matches!(error, FunctionError::HandedOut { .. }), "{error:?}");
        let (place, said) = error.to_string().split_once(": ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(place.contains("program/tests/choices.rs"), "{place}");
        assert_eq!(
            said,
            format!(
                "{op} hands out plain numbers beside its result, which would be frozen in a recorded program; use {instead}"
            )
        );
    }
    for (k, outcome) in [
        TensorFunction::record(&x, |x| x[0].gather(0, &x[0].argsort(0)).sum()),
        TensorFunction::record(&x, |x| x[0].gather_rows(&x[0].argmax_axis(0)).sum()),
        TensorFunction::record(&x, |x| x[0] * x[0].count_nonzero() as f64),
        TensorFunction::record(&x, |x| x[0].masked_select(&x[0].greater(2.0)).sum()),
        TensorFunction::record(&x, |x| x[0] * x[0].at([0, 0]).value()),
        TensorFunction::record(&x, |x| x[0] * x[0].scalars()[0].value()),
    ]
    .into_iter()
    .enumerate()
    {
        let error = refused(outcome);
        assert!(matches!(error, FunctionError::Read { .. }), "{k}: {error:?}");
        assert!(error.to_string().ends_with(
            ": the value of a tensor is read while a program is recorded, and would be frozen in it; use ops instead, hand it in as data, ask with x.holds(..) or look at it with x.watch(..)"
        ));
    }
    // Of what does not move, plain numbers may be handed out.
    let still = TensorFunction::record(&x, |x| x[0] * x[0].tape().constant_tensor([1.0, 2.0]).topk(1, 0).0);
    assert!(still.is_ok());
}

#[test]
fn what_is_refused_may_stand_in_a_checkpoint() {
    follows("checkpoint", &points::<f64>(&[3, 4]), |x| {
        checkpoint_tensors(&[x], |v| {
            let (largest, index) = v[0].topk(2, 1);
            let below = TensorVar::select(v[0].less(0.25), v[0], v[0] * 3.0);
            largest + v[0].exp().gather(1, &index) + below.gather(1, &v[0].argsort(1).slice(1, ..2))
        })
    });
}

#[test]
fn what_is_watched_is_shown_in_every_replay_and_not_while_recording() {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let program = |x: TensorVar<'_, f64>| {
        let [first, second] = [Arc::clone(&shown), Arc::clone(&shown)];
        let y = x.exp();
        y.sum().watch(move |y| first.lock().unwrap().push(y.item()));
        // Of what no gradient reads too.
        (x * 2.0).max().watch(move |x| second.lock().unwrap().push(x.item()));
    };
    let taken = || core::mem::take(&mut *shown.lock().unwrap());
    let tape = Tape::new();
    program(tape.tensor([0.0, 0.0]));
    assert_eq!(taken(), [2.0, 0.0]);
    let mut f = TensorFunction::record(&[Tensor::from([0.0, 1.0])], |x| {
        program(x[0]);
        x[0].square().sum()
    })
    .unwrap();
    assert_eq!(taken(), []);
    let (value, gradient) = f.value_and_gradient(&[Tensor::from([0.0, 0.0])]).unwrap();
    assert_eq!((value.item(), gradient[0].to_vec(), taken()), (0.0, vec![0.0, 0.0], vec![2.0, 0.0]));
    f.value(&[Tensor::from([0.0, 3.0])]).unwrap();
    assert_eq!(taken(), [1.0 + 3.0_f64.exp(), 6.0]);
    assert_eq!(f.to_string().matches(" is watched\n").count(), 2, "{f}");
    assert_eq!(f.to_graphviz().matches("label=\"watched\"").count(), 2);
}

#[test]
fn statistics_of_a_batch_are_shown_in_every_replay() {
    let drawn = |seed| [Tensor::<f64>::normal([4, 3, 5], 2.0, 3.0, &mut rng(seed))];
    let shown = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&shown);
    let mut f = TensorFunction::record(&drawn(1), |x| {
        let look = move |mean, variance| list.lock().unwrap().push([mean, variance]);
        x[0].batch_norm_watched(None, None, 1e-5, look).square().sum()
    })
    .unwrap();
    for seed in [2, 3] {
        let x = drawn(seed);
        f.value_and_gradient(&x).unwrap();
        let (_, mean, variance) = Tape::new().tensor(&x[0]).batch_norm(None, None, 1e-5);
        let [m, v] = &shown.lock().unwrap().pop().unwrap();
        same("mean", m, &mean);
        same("variance", v, &variance);
        // And by the definition.
        for (k, (m, v)) in m.iter().zip(v.iter()).enumerate() {
            let channel: Vec<f64> = x[0].slice(1, k as isize..k as isize + 1).iter().collect();
            let mean = channel.iter().sum::<f64>() / 20.0;
            let variance = channel.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20.0;
            assert!((m - mean).abs() < 1e-13 && (v - variance).abs() < 1e-12, "channel {k}");
        }
    }
    assert!(shown.lock().unwrap().is_empty());
}

#[test]
fn a_mean_and_a_variance_that_are_data_follow() {
    let x = [Tensor::<f64>::normal([4, 3, 5], 2.0, 3.0, &mut rng(1))];
    let data = |seed| [0.0, 1.0].map(|low| Tensor::<f64>::uniform([3], low, 2.0, &mut rng(seed)));
    let known = data(2);
    let mut f = TensorFunction::record_with_data(&x, &known, |x, _| {
        weighed(x[0].batch_norm_with(&known[0], &known[1], None, None, 1e-3))
    })
    .unwrap();
    let others = data(3);
    f.set_data(&others).unwrap();
    let (value, gradient) = f.value_and_gradient(&x).unwrap();
    let tape = Tape::new();
    let v = tape.tensor(&x[0]);
    let y = weighed(v.batch_norm_with(&others[0], &others[1], None, None, 1e-3));
    same("value", &value, &y.value());
    same("gradient", &gradient[0], &y.gradient()[v]);
    // By the definition.
    let slope = 1.0 / (others[1].at([1]) + 1e-3).sqrt();
    let weight = 1.0 + (7 + 2) as f64 * 0.375;
    assert!((gradient[0].at([0, 1, 2]) - slope * weight).abs() < 1e-14);
}

#[cfg(feature = "linalg")]
#[test]
fn least_squares_follow_and_refuse_dependent_columns_in_a_replay_too() {
    let a = |seed| Tensor::<f64>::uniform([5, 2], -1.0, 1.0, &mut rng(seed));
    let b = Tensor::from([1.0, -2.0, 0.5, 3.0, 1.0]);
    follows("lstsq", &[a(1), a(2), a(3)], |a| a.lstsq(a.tape().constant_tensor(&b)));
    let mut f = TensorFunction::record(&[a(1)], |x| x[0].lstsq(x[0].tape().constant_tensor(&b)).sum()).unwrap();
    let dependent = Tensor::from([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0], [1.0, 2.0], [3.0, 6.0]]);
    let error = f.value(core::slice::from_ref(&dependent)).unwrap_err();
    assert!(matches!(error, FunctionError::Tensor { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("program/tests/choices.rs") && said.contains(": lstsq: "), "{said}");
    // The same words as of plain tensors.
    assert!(said.ends_with(&dependent.try_lstsq(&b).unwrap_err().to_string()), "{said}");
    assert!(f.value(&[a(2)]).is_ok());
}
