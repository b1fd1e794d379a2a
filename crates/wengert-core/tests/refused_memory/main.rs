//! Ops and derivatives made of several steps: whichever request for memory is refused, the error names the op that was
//! called, and nothing of it stays on the tape.

mod derivatives;
mod refusing;

use refusing::refuse_each;
#[cfg(feature = "linalg")]
use refusing::refuse_each_and_room;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_core::prelude::*;
use wengert_core::{Error, TensorVar, try_zip_map, try_zip_map_sum};
use wengert_tensor::{ShapeError, Tensor};

/// Elements of the tensors, of which every one is asked for: 64 KiB.
const SIDE: usize = 128;

fn numbers(shape: &[usize]) -> Tensor<f64> {
    let mut k = 0.0_f64;
    Tensor::from_fn(shape, |_| {
        k += 1.0;
        (k * k * 0.37).sin() + if shape.len() == 2 && shape[0] == shape[1] { 2.0 } else { 0.0 }
    })
}

type Call = for<'t> fn(TensorVar<'t, f64>, TensorVar<'t, f64>) -> Result<TensorVar<'t, f64>, Error>;

/// Walks the refusals of an op of `x` and `y`, which asks for `requests` tensors at least.
#[track_caller]
fn check(op: &str, requests: usize, x: &[usize], y: &[usize], call: Call) {
    let tape = Tape::new();
    let (x, y) = (tape.tensor(numbers(x)), tape.tensor(numbers(y)));
    let before = tape.size().tensors;
    let called = || call(x, y);
    let asked = refuse_each(
        || catch_unwind(AssertUnwindSafe(called)),
        |granted, result| {
            let Ok(result) = result else { panic!("{op}: panics when granted {granted} requests") };
            // What was granted all it asked for in the end is the last walk; it is not checked here.
            let Err(error) = result else { return };
            let Error::Shape { source, .. } = &error else { panic!("{op}: {error}") };
            assert!(matches!(**source, ShapeError::Memory { .. }), "{op}: {error}");
            assert!(error.to_string().contains(&format!("{op}: no memory for")), "{op}, granted {granted}: {error}");
            assert_eq!(tape.size().tensors, before, "{op}: granted {granted} requests it leaves steps");
        },
    );
    assert!(asked >= requests, "{op} asked for {asked} tensors only");
}

#[test]
fn diagonals() {
    // Of axes whose order must change: a permutation, a copy, a view.
    check("diagonal", 1, &[SIDE, 4, SIDE], &[], |x, _| x.try_diagonal(1, 2, 0));
    check("einsum", 1, &[SIDE, 8, SIDE], &[], |x, _| TensorVar::try_einsum("iji->j", &[x]));
    check("einsum", 1, &[SIDE, SIDE], &[SIDE, SIDE], |x, y| TensorVar::try_einsum("ij,kj->ik", &[x, y]));
}

#[test]
fn expressions() {
    check("zip_map", 1, &[SIDE, SIDE], &[SIDE, SIDE], |x, y| try_zip_map([x, y], |[x, y]| x.exp() * y));
    check("zip_map_sum", 2, &[SIDE, SIDE], &[SIDE, SIDE], |x, y| try_zip_map_sum([x, y], |[x, y]| x.exp() * y));
    // Products of any number go by rows.
    check("zip_map", 1, &[SIDE, SIDE], &[SIDE, SIDE], |x, y| {
        try_zip_map([x, y], |[x, y]| [x, y, x].into_iter().product())
    });
}

#[test]
fn normalisations() {
    check("normalize", 3, &[SIDE * SIDE, 2], &[], |x, _| x.try_normalize(1, 1e-3));
    check("batch_norm", 5, &[2, SIDE * SIDE], &[SIDE * SIDE], |x, known| {
        let known = known.value();
        x.try_batch_norm_with(&known, &known, None, None, 1e-5)
    });
}

#[cfg(feature = "linalg")]
#[test]
fn least_squares() {
    check("lstsq", 4, &[2 * SIDE, SIDE], &[2 * SIDE, SIDE], |x, y| x.try_lstsq(y));
}

#[cfg(feature = "linalg")]
#[test]
fn factorizations_refused_room_to_work_in() {
    type Call = fn(&Tensor<f64>, &Tensor<f64>) -> Result<(), ShapeError>;
    let x = numbers(&[SIDE, SIDE]);
    let positive = x.matmul(&x.t()) + &Tensor::eye(SIDE);
    let calls: [(&str, usize, Call); 9] = [
        ("cholesky", 1, |a, _| a.try_cholesky().map(drop)),
        ("solve", 2, |a, b| a.try_solve(b).map(drop)),
        ("inverse", 2, |a, _| a.try_inverse().map(drop)),
        ("det", 1, |a, _| a.try_det().map(drop)),
        ("slogdet", 1, |a, _| a.try_slogdet().map(drop)),
        ("qr", 4, |a, _| a.try_qr().map(drop)),
        ("lstsq", 4, |a, b| a.try_lstsq(b).map(drop)),
        ("eigh", 4, |a, _| a.try_eigh().map(drop)),
        ("svd", 4, |a, _| a.try_svd().map(drop)),
    ];
    for (op, requests, call) in calls {
        // What libraries keep for a thread is there before.
        call(&positive, &x).expect(op);
        let asked = refuse_each_and_room(
            || call(&positive, &x),
            |granted, result| {
                // Granted all in the end.
                let Err(error) = result else { return };
                assert!(matches!(error, ShapeError::Memory { .. }), "{op}, granted {granted}: {error}");
            },
        );
        assert!(asked >= requests, "{op} asked {asked} times only");
    }
}

#[test]
fn derivatives_refused_half_way_leave_nothing() {
    let tape = Tape::new();
    let x = tape.tensor([1.0, 2.0]);
    let direction = tape.constant_tensor([1.0, 1.0]);
    // Tangents of the exponential and of the square are recorded before the scalars are met, and so are cotangents.
    let y = (tape.pack(&x.scalars()) * x.exp().square()).square().sum();
    let before = tape.size();
    let Err(error) = y.try_recorded_jvp([x], [direction]) else { panic!("scalars lie between") };
    assert!(matches!(error, Error::ScalarsBetween { op: "recorded_jvp", .. }), "{error}");
    assert_eq!(tape.size(), before);
    let Err(error) = y.try_recorded_gradient([x]) else { panic!("scalars lie between") };
    assert!(matches!(error, Error::ScalarsBetween { op: "recorded_gradient", .. }), "{error}");
    assert_eq!(tape.size(), before);
    // d/dx (x e^{2x})^2 = 2 x e^{4x} + 4 x^2 e^{4x}: what was there is as it was.
    let expected = [6.0, 20.0].into_iter().zip([4.0_f64, 8.0]).map(|(factor, power)| factor * power.exp());
    for (x_bar, expected) in y.gradient()[x].iter().zip(expected) {
        assert!((x_bar / expected - 1.0).abs() < 1e-14, "{x_bar}, expected {expected}");
    }
}

/// Of a batch of determinants the pullback is transposed: to be differentiated it is recorded with a cotangent nobody
/// handed in.
#[cfg(feature = "linalg")]
#[test]
fn transposed_pullbacks_leave_no_input() {
    let tape = Tape::new();
    let x = tape.tensor([[[1.0, 2.0], [3.0, 4.0]], [[2.0, 0.0], [0.0, 2.0]]]);
    let direction = tape.constant_tensor(Tensor::eye(2).broadcast_to([2, 2, 2]));
    let tangent = x.det().recorded_jvp([x], [direction]);
    let close = |got: Tensor<f64>, expected: [f64; 2]| {
        assert!(got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-13), "{got:?}");
    };
    // det (a + t 1) = det a + t tr a + t^2.
    close(tangent.value(), [5.0, 4.0]);
    let listing = tape.listing().to_string();
    assert_eq!(listing.matches("= input").count(), 1, "{listing}");
    close(tangent.recorded_jvp([x], [direction]).value(), [2.0, 2.0]);
}
