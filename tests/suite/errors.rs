//! Every error's text, and that a failed operation leaves nothing behind.

use crate::panics::panic_text;
use wengert_core::{Error, Tape, UnaryFunctions, Var, dot, fuse, log_sum_exp};
use wengert_tensor::Tensor;

/// The text, with this file's path cut down to its name.
fn text(error: &Error) -> String {
    error.to_string().replace(file!(), "errors.rs")
}

#[track_caller]
fn failure<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error,
    }
}

#[test]
fn mixed_scalars_name_both_tapes_and_the_line_of_the_operator() {
    let (first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
    let (x, y) = (first.var(1.0), second.var(2.0));
    let z = x * y; // the line the error names
    let line = line!() - 1;
    let expected = format!(
        "errors.rs:{line}:13: arithmetic: operands belong to two tapes, tape #{} and tape #{}; record both on one tape",
        first.number(),
        second.number()
    );
    assert_eq!(text(&failure(z.try_gradient())), expected);
    assert_eq!(panic_text(|| z.gradient()).replace(file!(), "errors.rs"), expected);
    // Both tapes know, whichever is asked; the first error stays.
    let _again = y + x;
    assert_eq!(text(&failure(y.try_gradient())), expected);
}

#[test]
fn every_scalar_operation_catches_mixed_tapes() {
    type Mix = for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;
    let rows: [(&str, Mix); 9] = [
        ("+", |x, y| x + y),
        ("-", |x, y| x - y),
        ("*=", |mut x, y| {
            x *= y;
            x
        }),
        ("/", |x, y| (x * 2.0) / y),
        ("sum", |x, y| [x, y].into_iter().sum()),
        ("dot", |x, y| dot(&[x], &[y])),
        ("log_sum_exp", |x, y| log_sum_exp(&[x, y])),
        ("fuse", |x, y| fuse([x, y], |[a, b]| a * b)),
        ("hypot", |x, y| wengert_core::BinaryFunctions::hypot(x, y)),
    ];
    for (what, mix) in rows {
        let (first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
        // Equal node numbers on both tapes: nothing but the tapes tells them apart.
        let z = mix(first.var(1.0), second.var(2.0));
        let error = failure(z.try_gradient());
        assert!(
            matches!(error, Error::MixedTapes { left, right, .. } if left == first.number() && right == second.number()),
            "{what}: {error}"
        );
        // `Iterator::sum` hands no caller on: the line is the standard library's.
        assert!(what == "sum" || text(&error).starts_with("errors.rs:"), "{what}: {error}");
    }
}

#[test]
fn a_mixed_tape_is_usable_again_after_clear() {
    let (mut first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
    let _mixed = first.var(1.0) * second.var(2.0);
    first.clear();
    let x = first.var(3.0);
    assert_eq!((x * x).gradient()[x], 6.0);
}

#[test]
fn an_output_of_another_tape_is_refused() {
    let (first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
    let error = failure(first.try_vjp([(second.var(1.0), 1.0)]));
    assert!(matches!(error, Error::MixedTapes { .. }), "{error}");
    let (first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
    let error = failure(first.try_vjp_tensors([(second.tensor([1.0]), &Tensor::from([1.0]))]));
    assert!(matches!(error, Error::MixedTapes { .. }), "{error}");
}

#[test]
fn mixed_tensors_name_both_tapes_and_the_line() {
    let (first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
    let (x, y) = (first.tensor([1.0]), second.tensor([2.0]));
    let error = failure(x.try_add(y));
    let line = line!() - 1;
    let operands = format!(
        "operands belong to two tapes, tape #{} and tape #{}; record both on one tape",
        first.number(),
        second.number()
    );
    assert!(text(&error).starts_with(&format!("errors.rs:{line}:")) && text(&error).ends_with(&operands), "{error}");
    let panicked = panic_text(|| x * y);
    assert!(panicked.contains("errors.rs:") && panicked.ends_with(&operands), "{panicked}");
    assert!(matches!(failure(x.sum().try_recorded_gradient([y])), Error::MixedTapes { .. }));
    // Nothing was kept: each tape goes on.
    assert_eq!(x.square().sum().gradient()[x].to_vec(), [2.0]);
}

#[test]
fn gradients_of_more_than_one_number_need_a_seed_of_their_shape() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let error = failure(x.try_gradient());
    let line = line!() - 1;
    assert_eq!(
        text(&error),
        format!(
            "errors.rs:{line}:27: gradient of a tensor of shape [2, 3]: not one number; sum it, or give a seed with vjp"
        )
    );
    assert!(panic_text(|| x.gradient()).ends_with("not one number; sum it, or give a seed with vjp"));
    assert!(matches!(failure(x.try_recorded_gradient([x])), Error::NotScalar { .. }));
    let error = failure(x.try_vjp(&Tensor::ones([3, 2])));
    assert!(
        text(&error).ends_with("vjp: seed of shape [3, 2] for an output of shape [2, 3]; they must be equal"),
        "{error}"
    );
    assert!(panic_text(|| x.vjp(&Tensor::ones([6]))).contains("seed of shape [6] for an output of shape [2, 3]"));
    assert_eq!(x.vjp(&Tensor::full([2, 3], 2.0))[x].to_vec(), [2.0; 6]);
}

#[test]
fn a_full_tape_says_what_it_holds_and_what_to_do() {
    let mut tape = Tape::<f64>::with_node_limit(10);
    {
        let (a, mut y) = (tape.var(1.0), tape.var(2.0));
        for _ in 0..100 {
            y += a;
        }
        let error = failure(y.try_gradient());
        assert!(matches!(error, Error::Full { nodes: 10, limit: 10, .. }), "{error}");
        let shown = text(&error);
        assert!(shown.starts_with(&format!("tape #{} is full: 10 nodes and ", tape.number())), "{shown}");
        assert!(
            shown.ends_with(" bytes recorded, limit 10 nodes; clear it more often, rewind, or split the computation"),
            "{shown}"
        );
    }
    tape.clear();
    let x = tape.var(3.0);
    assert_eq!((x * x).gradient()[x], 6.0);
}

#[test]
fn lists_that_do_not_fit_are_named() {
    let tape = Tape::<f64>::new();
    let x = tape.vars(&[1.0, 2.0, 3.0]);
    assert!(
        panic_text(|| dot(&x, &x[..2])).ends_with("dot: 3 numbers on the left, 2 on the right; they must be as many")
    );
    assert!(
        panic_text(|| log_sum_exp::<Var<'_>>(&[])).ends_with("log_sum_exp: of nothing; give it at least one number")
    );
}

#[test]
fn scalars_between_tensors_cannot_be_recorded_through() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([1.0, 2.0]);
    let y = tape.pack(&x.scalars()).square().sum();
    let error = failure(y.try_recorded_gradient([x]));
    assert!(matches!(error, Error::ScalarsBetween { .. }), "{error}");
    let text = failure(y.try_jvp([x], [&Tensor::ones([2])])).to_string();
    assert!(
        text.contains("errors.rs:") && text.contains(": jvp: scalars lie between the output and the inputs"),
        "{text}"
    );
    assert_eq!(y.gradient()[x].to_vec(), [2.0, 4.0]);
}

#[test]
fn shape_mistakes_carry_the_line_and_leave_nothing_on_the_tape() {
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.tensor(Tensor::ones([2, 3])), tape.tensor(Tensor::ones([4, 5])));
    let (empty, scalar) = (tape.tensor(Tensor::zeros([0, 3])), tape.tensor(1.0));
    let before = tape.size();
    let rows = [
        (
            "broadcast",
            failure(a.try_add(b)),
            "shapes [2, 3] and [4, 5] do not broadcast: axis 0 has 2 against 4 entries",
        ),
        ("vector", failure(a.try_mul(b)), "do not broadcast"),
        (
            "inner",
            failure(a.try_matmul(b)),
            "inner dimensions differ: lhs [2, 3] contracts 3 entries, rhs [4, 5] contracts 4",
        ),
        ("0-d product", failure(a.try_matmul(scalar)), "matmul"),
        ("axis", failure(a.try_sum_axes(2)), "axis 2 is out of range for shape [2, 3]"),
        ("repeated axis", failure(a.try_mean_axes([0, -2])), "axis 0 of shape [2, 3] is named twice"),
        ("softmax axis", failure(a.try_softmax(-3)), "axis -3 is out of range for shape [2, 3]"),
        (
            "mean of nothing",
            failure(empty.try_mean_axes(0)),
            "leaves no elements to reduce, and the mean of nothing is not defined",
        ),
        ("max of nothing", failure(empty.try_max_axes(0)), "of nothing is not defined"),
        (
            "reshape",
            failure(a.try_reshape([4, 2])),
            "shape [2, 3] has 6 elements, shape [4, 2] has 8; they must be equal",
        ),
        ("permute", failure(a.try_permute([0])), "1 axes given for shape [2, 3]"),
        ("broadcast_to", failure(a.try_broadcast_to([3, 2])), "shape [2, 3] does not broadcast to [3, 2]"),
        ("slice", failure(a.try_slice(1, 1..7)), "range 1..7 leaves axis 1 of shape [2, 3]"),
        ("row", failure(a.try_gather_rows(&[0, 5].into())), "index 1 asks for row 5 of shape [2, 3]"),
        (
            "label",
            failure(a.try_cross_entropy(&[0, 3])),
            "row 1 has label 3; with 3 classes a label is at least 0 and less than 3",
        ),
        ("negative label", failure(a.try_cross_entropy(&[-1, 0])), "row 0 has label -1"),
        ("element", failure(a.try_at([2, 0])), "2"),
        ("mse", failure(a.try_mse(b)), "[2, 3]"),
    ];
    for (what, error, expected) in &rows {
        let shown = text(error);
        assert!(matches!(error, Error::Shape { .. }), "{what}: {shown}");
        assert!(shown.starts_with("errors.rs:") && shown.contains(expected), "{what}: {shown}");
    }
    assert_eq!(tape.size(), before, "a failed operation leaves nothing");
    assert!(failure(wengert_core::TensorVar::<f64>::try_concat(&[], 0)).to_string().contains("concat"));
    // The short forms panic with the same text.
    let panicked = panic_text(|| a.matmul(b));
    assert!(panicked.ends_with(rows[2].1.to_string().split_once(": ").map_or("", |(_, rest)| rest)), "{panicked}");
    assert_eq!(a.sum().gradient()[a].to_vec(), [1.0; 6]);
}

#[test]
fn losses_over_nothing_are_errors_not_nan() {
    let tape = Tape::<f64>::new();
    let nothing = tape.tensor(Tensor::zeros([0, 3]));
    let no_labels: [i64; 0] = [];
    for error in [failure(nothing.try_cross_entropy(&no_labels)), failure(nothing.try_mse(nothing))] {
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
}

#[test]
fn impossible_sizes_are_errors() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([1.0]);
    for size in [1_usize << 62, 1 << 40] {
        let result = x.try_broadcast_to([size, 1 << 20]).and_then(|wide| wide.try_add(wide));
        let error = failure(result);
        assert!(error.to_string().contains("memory"), "{error}");
    }
}
