//! The watch for numbers that are not finite.

use crate::prelude::*;
use crate::{NonFinite, Quantity};
use core::panic::Location;
use wengert_tensor::{Shape, Tensor};

#[track_caller]
fn found(tape: &Tape) -> NonFinite {
    let caller = Location::caller();
    tape.nonfinite().unwrap_or_else(|| panic!("{caller}: nothing found"))
}

fn line(found: &NonFinite) -> u32 {
    found.caller.expect("a line").line()
}

#[test]
fn zero_over_zero_is_found_at_its_op_line_and_element() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let a = tape.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]]);
    let b = tape.constant_tensor([1.0, 1.0, 0.0]) + 0.0;
    let c = tape.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]);
    assert_eq!(tape.nonfinite(), None);
    let y = a / c; // the line of the report
    let expected_line = line!() - 1;
    let _later = (y / b).sum();
    let found = found(&tape);
    assert_eq!((found.op, found.quantity, found.node), ("div", Quantity::Value, 4));
    assert_eq!((line(&found), &found.index[..], &found.shape), (expected_line, &[1, 2][..], &Shape::from([2, 3])));
    assert!(found.value.is_nan());
    assert_eq!(found.operands, [Shape::from([2, 3]), Shape::from([2, 3])]);
    assert_eq!(found.nonfinite_operands, []);
    let text = found.to_string().replace(file!(), "nonfinite.rs");
    let expected =
        "div (t4): its value, of shape [2, 3], is NaN at [1, 2]; operands of shape [2, 3] and [2, 3], all finite";
    assert_eq!(text, format!("nonfinite.rs:{expected_line}:13: {expected}"));
}

#[test]
fn overflow_is_found_where_it_happens_also_in_operations_on_constants() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.constant_tensor([1.0, -800.0, 800.0]); // e^709.8 is the largest
    let y = x.exp();
    assert_eq!((found(&tape).op, line(&found(&tape))), ("exp", line!() - 1));
    assert_eq!((found(&tape).index, found(&tape).value), (vec![2], f64::INFINITY));
    let _again = y - y;
    assert_eq!(found(&tape).op, "exp", "the first stays");
    // 1e200 squared is 1e400.
    tape.watch_nonfinite();
    let _square = -tape.tensor([[1e200]]).square();
    assert_eq!((found(&tape).op, found(&tape).index), ("square", vec![0, 0]));
}

#[test]
fn what_was_not_finite_before_is_said_of_the_operand() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let (good, bad) = (tape.tensor([1.0, 2.0]), tape.constant_tensor([0.0, f64::NEG_INFINITY]));
    assert_eq!(tape.nonfinite(), None);
    let _y = good * bad;
    let found = found(&tape);
    assert_eq!((found.op, &found.nonfinite_operands[..], found.value), ("mul", &[1][..], f64::NEG_INFINITY));
    assert!(found.to_string().ends_with("operands of shape [2] and [2], not finite before: operand 1"));
}

#[test]
fn the_index_is_that_of_the_view_not_of_the_memory() {
    let tape = Tape::new();
    let x = tape.tensor([[1.0, 2.0], [3.0, 4.0], [f64::NAN, 6.0]]);
    tape.watch_nonfinite();
    let _y = x.t();
    assert_eq!((found(&tape).shape, found(&tape).index), (Shape::from([2, 3]), vec![0, 2]));
}

#[test]
fn a_cotangent_that_is_not_finite_is_found_at_the_op_that_hands_it_on() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.tensor([4.0, 0.0, 0.0]);
    let scaled = x * 3.0;
    let root = scaled.sqrt(); // slope 1/(2 sqrt 0)
    let expected_line = line!() - 1;
    let y = (root * 2.0).sum();
    assert_eq!(tape.nonfinite(), None);
    y.gradient();
    let found = found(&tape);
    assert_eq!((found.op, found.quantity), ("sqrt", Quantity::OperandCotangent(0)));
    assert_eq!((line(&found), found.index, found.value), (expected_line, vec![1], f64::INFINITY));
    assert_eq!(found.operands, [Shape::from([3])]);
}

#[test]
fn finite_cotangents_that_add_up_to_infinity_are_found() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.tensor([1e-10, 1.0]);
    let a = x * 1e308; // x_bar = 1e308 + 1e308, more than f64 holds
    let line_of_a = line!() - 1;
    let b = x * 1e308;
    (a * 0.0 + b * 0.0).sum().gradient();
    assert_eq!(tape.nonfinite(), None);
    (a - b).sum().vjp(&Tensor::scalar(1.0));
    assert_eq!(tape.nonfinite(), None, "1e308 - 1e308 = 0");
    (a * 1e-10 + b * 1e-10).sum().vjp(&Tensor::scalar(1e10));
    let found = found(&tape);
    // The sweep comes to b first: a adds the second half.
    assert_eq!((found.quantity, line(&found)), (Quantity::OperandCotangent(0), line_of_a));
    assert_eq!(found.value, f64::INFINITY);
}

#[test]
fn a_bad_seed_is_found_before_it_spreads() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let y = tape.tensor([1.0, 2.0]).tanh();
    y.vjp(&Tensor::from([0.0, f64::NAN]));
    assert_eq!((found(&tape).op, found(&tape).quantity, found(&tape).index), ("tanh", Quantity::Cotangent, vec![1]));
}

#[test]
fn scalars_are_looked_at_where_they_are_packed_and_in_sweeps() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let (a, b) = (tape.var(0.0), tape.var(0.0));
    let _packed = tape.pack(&[a, a / b]);
    assert_eq!((found(&tape).op, line(&found(&tape)), found(&tape).index), ("pack", line!() - 1, vec![1]));

    let tape = Tape::new();
    tape.watch_nonfinite();
    let (a, b) = (tape.var(0.5), tape.var(-0.5));
    let u = a + b; // v3 = 0
    let y = u.sqrt() + b;
    y.gradient();
    let found = found(&tape);
    assert_eq!((found.op, found.node, found.value), ("scalar", 3, f64::INFINITY));
    assert_eq!(found.to_string(), "scalar v3: its adjoint is inf; retain and print what it is made of");
}

#[test]
fn of_scalars_and_tensors_in_one_sweep_the_first_is_reported() {
    // The tensor's pullback is bad and comes first, the scalar below it gets the infinity.
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.vars(&[0.0, 1.0]);
    let y = tape.pack(&[x[0] + x[1] - x[1], x[1]]).sqrt().sum();
    y.gradient();
    assert_eq!(found(&tape).op, "sqrt");
    // The scalar comes first and hands the infinity to the tensor it was read from.
    let tape = Tape::new();
    tape.watch_nonfinite();
    let t = tape.tensor([0.0, 1.0]);
    let s = (t * 2.0).scalars();
    let y = (s[0] + s[0] * s[1]).sqrt() + s[1];
    y.gradient();
    assert_eq!(found(&tape).op, "scalar");
}

#[test]
fn zero_times_infinity_is_zero_and_not_reported() {
    // `u.sqrt()` has slope infinity at 0, but nothing flows into it: n is multiplied by 0.
    let gradient = |watched: bool| {
        let tape = Tape::new();
        if watched {
            tape.watch_nonfinite();
        }
        let (a, b, zero) = (tape.var(0.5), tape.var(-0.5), tape.var(0.0));
        let n = (a + b).sqrt() + b;
        let g = (n * zero + a).gradient();
        (g.wrt([a, b, zero]), tape.nonfinite())
    };
    assert_eq!(gradient(true), ([1.0, 0.0, -0.5], None));
    assert_eq!(gradient(false), ([1.0, 0.0, -0.5], None));
}

#[test]
fn the_nan_of_an_optimistic_sweep_is_not_reported_of_tensors() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let (t, zero) = (tape.tensor([0.25, -0.25]), tape.var(0.0));
    let s = (t * 2.0).scalars();
    let n = (s[0] + s[1]).sqrt() + s[1];
    let g = (n * zero + s[0]).gradient(); // without care 0 * inf = NaN reaches `t * 2.0`
    assert_eq!(g[t].to_vec(), [2.0, 0.0]);
    assert_eq!(tape.nonfinite(), None);
}

#[test]
fn what_was_found_outlives_the_recording_and_ends_with_the_watch() {
    let mut tape = Tape::new();
    let early = tape.tensor([-1.0]);
    let old = early.ln();
    assert_eq!(tape.nonfinite(), None, "nobody watched");
    tape.watch_nonfinite();
    old.sum().gradient();
    let report = found(&tape);
    assert_eq!((report.op, &report.nonfinite_operands[..]), ("sum", &[0][..]));
    tape.clear();
    assert_eq!(found(&tape).op, "sum");
    tape.watch_nonfinite();
    assert_eq!(tape.nonfinite(), None);
    let _log = tape.tensor([-1.0]).ln();
    tape.unwatch_nonfinite();
    assert_eq!(tape.nonfinite(), None);
    let _log = tape.tensor([-1.0]).ln();
    assert!(!tape.tensors.observed.get());
}

#[test]
fn ops_of_a_recorded_gradient_stand_where_it_was_asked_for() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.tensor([0.0]);
    let y = x.sqrt().sum();
    let [_dy] = y.recorded_gradient([x]); // 1 / (2 sqrt 0)
    let report = found(&tape);
    assert_eq!((report.quantity, line(&report)), (Quantity::Value, line!() - 2));
    assert_eq!(report.caller.expect("a line").file(), file!());
    tape.watch_nonfinite();
    let _log = (x - 1.0).ln();
    assert_eq!(line(&found(&tape)), line!() - 1);
}

#[test]
fn ops_recorded_before_the_watch_have_no_line_and_cleared_lines_are_forgotten() {
    let mut tape = Tape::new();
    let x = tape.tensor([0.0]);
    let y = x.sqrt().sum();
    tape.watch_nonfinite();
    y.gradient();
    assert_eq!((found(&tape).op, found(&tape).caller), ("sqrt", None));
    tape.watch_nonfinite();
    let _here = tape.tensor([1.0]).tanh().exp().cos();
    tape.clear();
    tape.watch_nonfinite();
    let x = tape.tensor([0.0]);
    let y = x.sqrt().sum();
    y.gradient();
    assert_eq!(line(&found(&tape)), line!() - 2);
}

#[test]
fn watched_and_profiled_results_are_those_of_an_unobserved_tape() {
    let run = |observe: bool| {
        let tape = Tape::new();
        let profile = observe.then(|| tape.profile());
        if observe {
            tape.watch_nonfinite();
        }
        let x = tape.tensor([[0.1, 0.7], [-0.3, 2.0]]);
        let loss = x.matmul(x.tanh()).cross_entropy(&[0, 1]);
        let g = loss.gradient();
        assert!(profile.is_none_or(|profile| profile.ops().len() == 3));
        (loss.item(), g[x].to_vec())
    };
    assert_eq!(run(true), run(false));
}
