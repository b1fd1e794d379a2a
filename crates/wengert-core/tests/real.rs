//! The variable without a lifetime: what it shares with `Var`, and how each misuse is caught.

use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_core::prelude::*;
use wengert_core::{Error, real};

/// The text a program panics with.
fn text_of_panic<R>(program: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(program)) {
        Ok(_) => "no panic".to_owned(),
        Err(payload) => payload.downcast_ref::<String>().cloned().unwrap_or_default(),
    }
}

#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

/// Every kind of operation: operators in all operand forms, table rows, n-ary nodes, fused closures.
fn everything<T: Number>(x: &[T], fused: T) -> T {
    let mut y = x[0] * x[1] - x[2] / x[0] + x[1] * 3.0 - x[2] / 7.0;
    y += x.iter().map(|&x| x.square()).sum::<T>();
    y *= x.iter().copied().product::<T>();
    y -= x[0].hypot(x[1]).exp() + x[2].atan2(x[0]);
    y / fused + x[1].powi(3) + -x[0]
}

#[test]
fn gradients_equal_those_of_the_borrowing_variable_bit_for_bit() {
    let x = [0.7, -1.3, 2.1];
    let with_var = value_and_grad(
        |x| {
            let f = fuse([x[0], x[1], x[2]], |[a, b, c]| a * b.sin() + c.exp());
            everything(x, f) + dot(&x[..2], &x[1..]) * norm2(x) + log_sum_exp(x)
        },
        &x,
    );
    let with_real = real::value_and_grad(
        |x| {
            let f = fuse([x[0], x[1], x[2]], |[a, b, c]| a * b.sin() + c.exp());
            everything(x, f) + dot(&x[..2], &x[1..]) * norm2(x) + log_sum_exp(x)
        },
        &x,
    );
    assert_eq!(with_var, with_real);
}

#[test]
fn it_is_what_foreign_code_asks_for() {
    fn takes<T: Copy + Send + Sync + 'static>() {}
    takes::<Real>();
    takes::<Real<f32>>();
}

#[test]
fn constants_need_no_tape_and_go_anywhere() {
    let two = Real::from(2.0);
    let four = std::thread::spawn(move || two * two).join().unwrap();
    assert_eq!((four.value(), four.gradient().norm()), (4.0, 0.0));
    assert_eq!(real::grad(|x| two * x[0] * four, &[1.0]), [8.0]);
    assert_eq!(real::grad(|x| x.iter().map(|&x| two * x).chain([four]).sum(), &[1.0, 1.0]), [2.0, 2.0]);
    assert_eq!(real::grad(|_| four, &[1.0]), [0.0]);
}

#[test]
fn a_variable_on_another_thread_is_refused_by_both_names() {
    let tape = RealTape::new();
    let (x, y) = (tape.var(2.0), tape.var(3.0));
    let number = format!("tape #{}", tape.number());
    let home = format!("of thread {}", std::thread::current().name().unwrap());
    let there = std::thread::Builder::new().name("elsewhere".into());
    let texts = there
        .spawn(move || {
            // A tape under way there must not be taken for the right one.
            let own = RealTape::new();
            let z = own.var(1.0);
            [
                text_of_panic(|| x * y),
                text_of_panic(|| x * z),
                text_of_panic(|| z * x),
                text_of_panic(|| dot(&[x], &[z])),
                text_of_panic(|| fuse([x, y], |[x, y]| x * y)),
                text_of_panic(|| x.gradient()),
                text_of_panic(|| x.retain()),
            ]
        })
        .unwrap()
        .join()
        .unwrap();
    for text in texts {
        assert_contains(&text, &["tests/real.rs", &number, &home, "thread elsewhere", "send its value"]);
    }
    // Nothing happened to it.
    assert_eq!((x * y).gradient().wrt([x, y]), [3.0, 2.0]);
}

#[test]
fn a_variable_that_visits_another_thread_comes_back_whole() {
    let tape = RealTape::new();
    let (x, y) = (tape.var(2.0), tape.var(3.0));
    let x = std::thread::spawn(move || x * 5.0).join().unwrap(); // an operation of one operand reaches no tape
    assert_eq!((x * y).gradient().wrt([y]), [10.0]);
}

#[test]
fn a_variable_of_a_cleared_recording_is_refused() {
    let mut tape = RealTape::new();
    let (x, y) = (tape.var(2.0), tape.var(3.0));
    let g = (x * y).gradient();
    tape.clear();
    assert_contains(&text_of_panic(|| x * y), &["after the tape was cleared", "tests/real.rs"]);
    let z = tape.var(1.0);
    assert_contains(&text_of_panic(|| x * z), &["after the tape was cleared"]);
    assert_contains(&text_of_panic(|| [z, x].into_iter().sum::<Real>()), &["after the tape was cleared"]);
    assert!(matches!(x.try_gradient(), Err(Error::Cleared { .. })));
    assert!(matches!(tape.try_vjp([(z, 1.0), (x, 1.0)]), Err(Error::Cleared { .. })));
    // A gradient outlives `clear`, and knows its own variables; those of the new recording it refuses.
    assert_eq!((g[x], g[y], g.get(z)), (3.0, 2.0, None));
    assert_eq!((z * z).gradient()[z], 2.0);
}

#[test]
fn a_variable_of_an_ended_closure_is_refused_in_a_later_one() {
    let mut kept: Option<Real> = None;
    real::grad(|x| *kept.insert(x[0]), &[2.0]);
    let kept = kept.unwrap();
    assert_contains(&text_of_panic(|| kept * kept.exp() * (kept + 1.0).retain()), &["after the tape was dropped"]);
    assert_contains(&text_of_panic(|| real::grad(|x| x[0] * kept, &[1.0])), &["after the tape was dropped"]);
    assert!(matches!(kept.try_gradient(), Err(Error::Dropped { .. })));
}

#[test]
fn a_variable_of_a_thread_that_ended_is_refused() {
    let x: Real = std::thread::spawn(|| {
        let tape = RealTape::new();
        let x = tape.var(1.0);
        std::mem::forget(tape); // the thread gives back what its tapes hold all the same
        x
    })
    .join()
    .unwrap();
    assert!(matches!(x.try_gradient(), Err(Error::Dropped { .. })));
}

#[test]
fn variables_of_two_tapes_do_not_mix() {
    let (first, second) = (RealTape::new(), RealTape::new());
    let (x, y) = (first.var(2.0), second.var(3.0));
    let names = [format!("tape #{}", first.number()), format!("tape #{}", second.number())];
    for text in [
        text_of_panic(|| x * y),
        text_of_panic(|| fuse([x, y], |[x, y]| x * y)),
        text_of_panic(|| dot(&[x], &[y])),
        text_of_panic(|| first.vjp([(x, 1.0), (y, 1.0)])),
    ] {
        assert_contains(&text, &[&names[0], &names[1], "record both on one tape"]);
    }
    // Each for itself is fine, in turn.
    let (mut a, mut b) = (x, y);
    for _ in 0..10 {
        a = a * x + x;
        b = b * y - y;
    }
    let slope = |k: i32, x: f64, s: f64| {
        let (mut y, mut d) = (x, 1.0);
        for _ in 0..k {
            (y, d) = (y * x + s * x, d * x + y + s);
        }
        d
    };
    assert_eq!((a.gradient()[x], b.gradient()[y]), (slope(10, 2.0, 1.0), slope(10, 3.0, -1.0)));
    assert_eq!(a.gradient().get(y), None);
}

#[test]
fn closures_nest_and_outer_variables_stay_of_use_inside() {
    // d/dx (x^2 (x^3)') at the values, with an outer product recorded while the inner closure runs.
    let outer = real::grad(
        |x| {
            let mut square = Real::from(0.0);
            let inner = real::grad(
                |y| {
                    square = x[0] * x[1];
                    y[0] * y[0] * y[0]
                },
                &[x[0].value()],
            );
            square * inner[0]
        },
        &[2.0, 5.0],
    );
    assert_eq!(outer, [5.0 * 12.0, 2.0 * 12.0]);
    let text = text_of_panic(|| real::grad(|x| real::value_and_grad(|y| y[0] * x[0], &[1.0]).0 * x[0], &[1.0]));
    assert_contains(&text, &["operands belong to two tapes"]);
}

#[test]
fn a_panic_in_a_closure_leaves_the_thread_usable() {
    let tape = RealTape::new();
    let x = tape.var(3.0);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        real::grad(|y| if (y[0] * y[0]).value() > 0.0 { panic!("the user's") } else { y[0] }, &[1.0])
    }));
    assert!(caught.is_err());
    let caught = catch_unwind(AssertUnwindSafe(|| (0..3).map(|k| if k < 2 { x } else { panic!() }).sum::<Real>()));
    assert!(caught.is_err());
    assert_eq!((x * x).gradient()[x], 6.0);
    assert_eq!(real::grad(|x| x[0] * x[0], &[3.0]), [6.0]);
}

#[test]
fn asking_for_the_adjoint_of_no_node_is_refused() {
    let tape = RealTape::new();
    let x = tape.var(2.0);
    let y = x * 3.0;
    let g = (y * y).gradient();
    assert!(catch_unwind(AssertUnwindSafe(|| g[y])).is_err());
    assert_eq!((g.get(y), g.get(Real::from(1.0)), g[x]), (None, None, 36.0));
    let y = y.retain();
    assert_eq!((y * y).gradient()[y], 12.0);
}

#[test]
fn a_sum_may_record_while_it_runs_and_on_other_tapes_too() {
    let (tape, other) = (RealTape::new(), RealTape::new());
    let x = tape.vars(&[1.0, 2.0, 3.0, 4.0]);
    let z = other.var(10.0);
    let mut w = z;
    let y: Real = x
        .iter()
        .map(|&x| {
            w *= z; // meanwhile, elsewhere
            x * x * [x, x, x].into_iter().sum::<Real>()
        })
        .sum();
    assert_eq!(y.gradient().wrt(&x), [9.0, 36.0, 81.0, 144.0]);
    assert_eq!(w.gradient()[z], 5.0e4);
}

#[test]
fn second_derivatives_of_closures() {
    let h = real::hessian(|x| x[0] * x[1] * x[2] + x[4].sin() * x[0] + x[3].square(), &[1.0, 2.0, 3.0, 4.0, 0.5]);
    let (s, c) = 0.5_f64.sin_cos();
    #[rustfmt::skip]
    let expected = [
        0.0, 3.0, 2.0, 0.0, c,
        3.0, 0.0, 1.0, 0.0, 0.0,
        2.0, 1.0, 0.0, 0.0, 0.0,
        0.0, 0.0, 0.0, 2.0, 0.0,
        c,   0.0, 0.0, 0.0, -s,
    ];
    assert_eq!(h.to_vec(), expected);
    assert_eq!(real::hvp(|x| x[0].exp() * x[1], &[0.0, 2.0], &[3.0, 1.0]), [7.0, 3.0]);
    let error = real::try_hvp(|x| x[0], &[1.0], &[]).unwrap_err();
    assert!(matches!(error, Error::Lengths { op: "hvp, point and direction", left: 1, right: 0, .. }), "{error}");
}

#[test]
fn tapes_of_ended_closures_are_used_again() {
    let first = RealTape::new().number();
    for _ in 0..1000 {
        assert_eq!(RealTape::new().number(), first);
    }
}
