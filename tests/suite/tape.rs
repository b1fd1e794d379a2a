//! How a tape behaves: what has a node of its own, how operators agree, several sweeps, rewinding, panics, length.

use crate::panics::panic_text;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use wengert_core::{
    BinaryFunctions, Dual, Elementary, Number, ParametricFunctions, Tape, UnaryFunctions, Var, dot, fuse, fuse_n,
    log_sum_exp, norm2,
};
use wengert_tensor::Tensor;

/// Every operation that records nothing gives a handle that is not a node of its own: its adjoint would be another's.
#[test]
fn folded_operations_refuse_to_be_asked_for_their_adjoint() {
    let tape = Tape::<f64>::new();
    let x = tape.var(2.0);
    let folded: [(&str, Var<'_, f64>); 24] = [
        ("x + 0.0", x + 0.0),
        ("x - 0.0", x - 0.0),
        ("x * 1.0", x * 1.0),
        ("x / 1.0", x / 1.0),
        ("0.0 + x", 0.0 + x),
        ("1.0 * x", 1.0 * x),
        ("4.0 - x", 4.0 - x),
        ("1.0 / x", 1.0 / x),
        ("-x", -x),
        ("--x", -(-x)),
        ("x.exp()", x.exp()),
        ("x.abs()", x.abs()),
        ("x + x", x + x),
        ("x - x", x - x),
        ("x * x", x * x),
        ("x / x", x / x),
        ("x.powi(1)", x.powi(1)),
        ("x.powf(1.0)", x.powf(1.0)),
        ("x.maximum(x)", x.maximum(x)),
        ("x + constant of no tape", x + Var::from(0.0)),
        ("sum of one", [x].into_iter().sum()),
        ("product of one", [x].into_iter().product()),
        ("norm of one", norm2(&[x])),
        ("log_sum_exp of one", log_sum_exp(&[x])),
    ];
    let other = tape.var(5.0);
    for (what, y) in folded {
        let gradient = (y + other).gradient();
        assert_eq!(gradient.get(y), None, "{what}");
        let text = panic_text(|| gradient[y]);
        assert_eq!(text, "not an input: call y.retain() first, and use what it returns", "{what}");
    }
    // The same questions about numbers that are nodes are answered.
    for (what, y) in [
        ("x", x),
        ("x + other", x + other),
        ("x + constant of the tape", x + tape.constant(0.0)),
        ("retained", (x * 3.0).retain()),
        ("fused", fuse([x, other], |[a, b]| a * b)),
    ] {
        let z = y + tape.var(0.0);
        assert_eq!(z.gradient()[y], 1.0, "{what}");
    }
}

#[test]
fn constants_refuse_with_a_text_of_their_own() {
    let tape = Tape::<f64>::new();
    let x = tape.var(2.0);
    let gradient = x.gradient();
    for constant in [tape.constant(1.0), x.detach(), Var::from(3.0), Var::from(3.0) * tape.constant(2.0)] {
        assert_eq!(gradient.get(constant), None);
        assert_eq!(
            panic_text(|| gradient[constant]),
            "the gradient was asked for a constant; make it an input with tape.var"
        );
    }
}

proptest! {
    /// By value, by reference, assigning, with constants on either side: one number and one gradient.
    #[test]
    fn operators_agree_in_every_form(a in -3.0..3.0_f64, b in 0.5..3.0_f64) {
        fn same(tape: &Tape<f64>, x: [Var<'_, f64>; 2], forms: &[Var<'_, f64>]) -> Result<(), TestCaseError> {
            let first = (forms[0].value(), forms[0].gradient().wrt(x));
            for form in forms {
                prop_assert_eq!((form.value(), form.gradient().wrt(x)), first, "{:?}", tape);
            }
            Ok(())
        }
        let tape = Tape::<f64>::new();
        let x = [tape.var(a), tape.var(b)];
        let [p, q] = x;
        macro_rules! forms {
            ($op:tt, $assign:tt, $method:ident) => {{
                let mut in_place = p;
                in_place $assign q;
                same(&tape, x, &[p $op q, p $op &q, &p $op q, &p $op &q, in_place, p.$method(q)])?;
                let mut in_place = p;
                in_place $assign b;
                let constant = Var::from(b);
                same(&tape, x, &[
                    p $op b, &p $op b, in_place, p $op constant, p $op tape.constant(b), p $op q.detach(), p $op p.lit(b),
                    p.$method(constant),
                ])?;
                let constant = Var::from(a);
                same(&tape, x, &[
                    a $op q, a $op &q, constant $op q, tape.constant(a) $op q, p.detach() $op q, constant.$method(q),
                ])?;
            }};
        }
        forms!(+, +=, plus);
        forms!(-, -=, minus);
        forms!(*, *=, times);
        forms!(/, /=, over);
        same(&tape, x, &[-p, p.negated(), p * -1.0, 0.0 - p])?;
        same(&tape, x, &[p * p, p.square(), p.powi(2)])?;
        // The platform's power rounds by itself, unless the compiler makes a product of it: one ulp apart at -0.7201489710766199.
        let power = p.powf(2.0);
        prop_assert!((power.value() - a * a).abs() <= f64::EPSILON * a * a, "{}", power.value());
        prop_assert!((power.gradient()[p] - 2.0 * a).abs() <= f64::EPSILON * 2.0 * a.abs());
    }

    /// Variables, duals and plain numbers are one arithmetic.
    #[test]
    fn numbers_of_every_kind_agree_on_a_program(a in -2.0..2.0_f64, b in 0.5..2.0_f64, c in -1.0..1.0_f64) {
        fn program<T: Number>([a, b, c]: [T; 3]) -> T {
            let mut total = [a * b, b / (c.square() + 1.0), a.sin()].into_iter().sum::<T>();
            total += [a, b, c].into_iter().product::<T>();
            total -= a.hypot(b) * 0.5;
            total * c.exp() + b.powi(3)
        }
        let tape = Tape::<f64>::new();
        let x = [tape.var(a), tape.var(b), tape.var(c)];
        let y = program(x);
        let dual = program(Dual::independent([a, b, c]));
        prop_assert!((y.value() - program([a, b, c])).abs() <= 1e-14 * (1.0 + y.value().abs()));
        prop_assert!((y.value() - dual.value).abs() <= 1e-14 * (1.0 + y.value().abs()));
        let fused = fuse(x, program);
        for (k, x_bar) in y.gradient().wrt(x).into_iter().enumerate() {
            let scale = 1e-13 * (1.0 + x_bar.abs());
            prop_assert!((x_bar - dual.tangents[k]).abs() <= scale);
            prop_assert!((x_bar - fused.gradient()[x[k]]).abs() <= scale);
        }
    }
}

#[test]
fn a_second_sweep_starts_from_zero() {
    let tape = Tape::<f64>::new();
    let x = tape.var(3.0);
    let t = tape.tensor([1.0, 2.0]);
    let y = x * x + (t * t).sum().scalar();
    for _ in 0..3 {
        let gradient = y.gradient();
        assert_eq!(gradient[x], 6.0);
        assert_eq!(gradient[t].to_vec(), [2.0, 4.0]);
    }
    let z = x * 5.0;
    assert_eq!((z.gradient()[x], y.gradient()[x], y.vjp(2.0)[x]), (5.0, 6.0, 12.0));
}

#[test]
fn several_outputs_add_up_by_their_seeds() {
    let tape = Tape::<f64>::new();
    let x = tape.var(2.0);
    let (y, z) = (x.square(), x.powi(3));
    assert_eq!(tape.vjp([(y, 1.0), (z, 10.0)])[x], 4.0 + 120.0);
    assert_eq!(tape.vjp([(y, 1.0), (y, -1.0)])[x], 0.0);
    let t = tape.tensor([1.0, 2.0]);
    let (u, v) = (t * 2.0, t.square());
    let gradient = tape.vjp_tensors([(u, &Tensor::from([1.0, 0.0])), (v, &Tensor::from([0.0, 1.0]))]);
    assert_eq!(gradient[t].to_vec(), [2.0, 4.0]);
}

#[test]
fn unused_inputs_have_zero_gradients_and_are_known_to_be_unconnected() {
    let tape = Tape::<f64>::new();
    let (x, unused, zero) = (tape.var(2.0), tape.var(1.0), tape.var(0.0));
    let (t, idle) = (tape.tensor([1.0]), tape.tensor([[1.0, 2.0], [3.0, 4.0]]));
    let y = x * zero + zero * zero + t.square().sum().scalar();
    let gradient = y.gradient();
    assert_eq!((gradient[x], gradient[unused]), (0.0, 0.0));
    assert!(y.is_connected(x) && y.is_connected(zero) && !y.is_connected(unused));
    assert_eq!(gradient[idle].to_vec(), [0.0; 4]);
    assert_eq!(*gradient[idle].shape(), [2, 2]);
    assert!(gradient.get_tensor(t).is_some() && gradient.get_tensor(idle).is_none());
    // Through nodes of every kind.
    let many = tape.vars(&[1.0, 2.0, 3.0, 4.0]);
    let z = fuse([many[0], many[1], many[2]], |[a, b, c]| a * b * c) + norm2(&many[..3]);
    assert!(many[..3].iter().all(|&x| z.is_connected(x)) && !z.is_connected(many[3]));
    // A constant is connected to nothing.
    assert!(!x.detach().is_connected(x) && !(x * 1.0).is_connected(x.detach()));
}

#[test]
fn gradients_outlive_the_recording() {
    let mut tape = Tape::<f64>::new();
    let x = tape.vars(&[1.0, 2.0]);
    let gradient = (x[0] * x[1]).gradient();
    let adjoints = gradient.wrt(&x);
    let t = tape.tensor([3.0]);
    let tensor_gradient = t.square().sum().gradient();
    let t_bar = tensor_gradient[t].clone();
    tape.clear();
    assert_eq!((adjoints, t_bar.to_vec()), (vec![2.0, 1.0], vec![6.0]));
    assert_eq!(gradient.norm(), 5.0_f64.sqrt());
    drop(tape);
    assert_eq!(tensor_gradient.norm(), 6.0);
}

#[test]
fn a_gradient_of_another_recording_is_refused() {
    let mut tape = Tape::<f64>::new();
    let gradient = tape.var(1.0).gradient();
    tape.clear();
    let x = tape.var(1.0);
    assert_eq!(gradient.get(x), None);
    let expected = "the gradient is of another recording than the variable; \
                    ask a result computed from the variable for its gradient";
    assert_eq!(panic_text(|| gradient[x]), expected);
    let other = Tape::<f64>::new();
    let y = other.var(1.0);
    assert_eq!(panic_text(|| x.gradient()[y]), expected);
    let gradient = x.gradient();
    let late = tape.var(1.0);
    assert_eq!(panic_text(|| gradient[late]), "the variable was recorded after the sweep");
    let t = tape.tensor([1.0]);
    assert_eq!(panic_text(|| gradient[t].clone()), "the variable was recorded after the sweep");
    let intermediate = t * 2.0;
    let gradient = intermediate.sum().gradient();
    assert!(panic_text(|| gradient[intermediate].clone()).starts_with("not an input: call y.retain() first"));
}

#[test]
fn rewinding_gives_the_same_gradients_in_the_memory_of_one_item() {
    let mut tape = Tape::<f64>::new();
    let (x, w) = (tape.var(2.0).unbind(), tape.var(0.5).unbind());
    let mark = tape.mark();
    let size = tape.size();
    let mut total = [0.0; 2];
    for item in 1..=100 {
        let inputs = [tape.bind(x), tape.bind(w)];
        let [x, w] = inputs;
        let y = fuse([x, w, tape.var(1.0)], |[a, b, c]| (a * b + c).sin()) + (x * w * f64::from(item)).cos();
        let loss = y * y + tape.tensor([1.0, 2.0]).square().sum().scalar();
        let gradient = loss.gradient().wrt(inputs);
        total = [total[0] + gradient[0], total[1] + gradient[1]];
        tape.rewind(mark);
        assert_eq!((tape.size().nodes, tape.size().tensors), (size.nodes, size.tensors));
    }
    let expected = |x: f64, w: f64| -> f64 {
        (1..=100).map(|item| ((x * w + 1.0).sin() + (x * w * f64::from(item)).cos()).powi(2)).sum()
    };
    for (k, total) in total.into_iter().enumerate() {
        let slope =
            wengert_check::derivative(|t| if k == 0 { expected(t, 0.5) } else { expected(2.0, t) }, [2.0, 0.5][k]);
        let slope = slope.expect("a smooth function").central;
        assert!((total - slope.value).abs() <= 8.0 * slope.error, "{total} against {slope:?}");
    }
}

#[test]
fn misused_marks_and_unbound_variables_are_refused() {
    let rewind = "rewind: the mark is of another tape, of a cleared recording, or after a point already rewound to";
    let bind = "bind: the variable is of another tape, of a cleared recording, or of a part that was rewound away";
    let mut tape = Tape::<f64>::new();
    let start = tape.mark();
    let early = tape.var(1.0).unbind();
    let middle = tape.mark();
    let late = (tape.var(2.0) * tape.bind(early)).unbind();
    let end = tape.mark();
    tape.rewind(middle);
    assert_eq!(panic_text(|| tape.rewind(end)), rewind);
    assert_eq!(tape.bind(early).gradient()[tape.bind(early)], 1.0);
    assert_eq!(panic_text(|| tape.bind(late).value()), bind);
    assert_eq!(panic_text(|| Tape::<f64>::new().rewind(middle)), rewind);
    assert_eq!(panic_text(|| Tape::<f64>::new().bind(early).value()), bind);
    tape.rewind(start);
    assert_eq!(panic_text(|| tape.bind(early).value()), bind);
    let kept = tape.var(1.0).unbind();
    tape.clear();
    assert_eq!(panic_text(|| tape.rewind(middle)), rewind);
    assert_eq!(panic_text(|| tape.bind(kept).value()), bind);
    assert_eq!(tape.bind(Var::from(3.0).unbind()).value(), 3.0, "a constant of no tape can be bound anywhere");
}

/// A part that was rewound away and recorded anew holds other numbers under the same node ids.
#[test]
fn a_variable_rewound_away_is_not_taken_for_its_successor() {
    let mut tape = Tape::<f64>::new();
    let mark = tape.mark();
    let first = tape.var(1.0).unbind();
    tape.rewind(mark);
    let second = tape.var(100.0);
    let stale = panic_text(|| tape.bind(first).value());
    assert!(stale.starts_with("bind: the variable is of"), "{stale}");
    assert_eq!(second.value(), 100.0);
}

#[test]
fn marks_and_gradients_of_what_was_rewound_away_are_refused() {
    let mut tape = Tape::<f64>::new();
    let start = tape.mark();
    let x = tape.var(1.0);
    let gradient = (x * 5.0).gradient();
    let inside = tape.mark();
    tape.rewind(start);
    let y = tape.vars(&[1.0, 2.0]);
    assert_eq!(gradient.get(y[0]), None, "the adjoint of another variable");
    assert!(panic_text(|| tape.rewind(inside)).starts_with("rewind: the mark is of"));
}

#[test]
fn a_panic_in_a_closure_leaves_the_tape_usable() {
    let tape = Tape::<f64>::new();
    let x = tape.vars(&[1.0, 2.0, 3.0, 4.0]);
    let expected = |y: Var<'_, f64>| {
        assert_eq!(y.gradient().wrt(&x), [1.0, 1.0, 1.0, 1.0]);
    };
    let sum = || x.iter().copied().sum::<Var<'_, f64>>();
    expected(sum());
    let text = panic_text(|| {
        let numbers = x.iter().enumerate().map(|(k, &x)| if k == 2 { panic!("from the iterator") } else { x * x });
        numbers.sum::<Var<'_, f64>>()
    });
    assert_eq!(text, "from the iterator");
    expected(sum());
    // Again, within a sum that is itself being consumed.
    let y: Var<'_, f64> = x
        .iter()
        .map(|&x| {
            let inner = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                [x, x, x].into_iter().map(|x| if x.value() > 0.0 { panic!("inner") } else { x }).sum::<Var<'_, f64>>()
            }));
            assert!(inner.is_err());
            x
        })
        .sum();
    expected(y);
    assert_eq!(panic_text(|| fuse([x[0], x[1]], |[_, _]| panic!("from fuse"))), "from fuse");
    assert_eq!(panic_text(|| fuse_n([x[0]], |[_]| -> [Dual<f64, 1>; 2] { panic!("from fuse_n") })), "from fuse_n");
    expected(sum());
    let t = tape.tensor([1.0, 2.0]);
    panic_text(|| t + tape.tensor([1.0, 2.0, 3.0]));
    assert_eq!(t.square().sum().gradient()[t].to_vec(), [2.0, 4.0]);
    expected(sum());
}

#[test]
fn an_iterator_may_record_while_it_is_summed() {
    let tape = Tape::<f64>::new();
    let x = tape.vars(&[1.0, 2.0, 3.0]);
    let y: Var<'_, f64> = x.iter().map(|&a| x.iter().map(|&b| a * b).sum::<Var<'_, f64>>() * norm2(&x)).sum();
    // (sum x)^2 |x|
    let (s, n) = (6.0, 14.0_f64.sqrt());
    for (x_bar, x) in y.gradient().wrt(&x).into_iter().zip([1.0, 2.0, 3.0]) {
        assert!((x_bar - (2.0 * s * n + s * s * x / n)).abs() < 1e-12);
    }
}

#[test]
fn passive_numbers_record_nothing() {
    let tape = Tape::<f64>::new();
    let before = tape.size().nodes;
    let nothing = core::iter::empty::<Var<'_, f64>>().sum::<Var<'_, f64>>();
    let one = core::iter::empty::<Var<'_, f64>>().product::<Var<'_, f64>>();
    let c = tape.constant(3.0) * 2.0 + Var::from(1.0);
    let y = (c * c + nothing).sin() * one;
    assert_eq!((nothing.value(), one.value()), (0.0, 1.0));
    assert_eq!(tape.size().nodes, before);
    assert_eq!(y.gradient().get(c), None);
    let t = tape.constant_tensor([1.0, 2.0]);
    let u = (t * 3.0).tanh().sum();
    assert!(!u.is_active());
}

#[test]
fn diamonds_cost_linear_time() {
    let tape = Tape::<f64>::new();
    let (x, zero) = (tape.var(1.0), tape.var(0.0));
    let mut y = x;
    for _ in 0..60 {
        // A node of its own at every level, so that folding does not do the work.
        y = (y + zero) + (y + zero * 2.0);
    }
    assert_eq!(y.gradient()[x], 60.0_f64.exp2());
    assert!(tape.size().nodes < 400);
    let t = tape.tensor([1.0]);
    let mut u = t;
    for _ in 0..1000 {
        u = (u + u) * 0.5;
    }
    assert_eq!(u.gradient()[t].to_vec(), [1.0]);
}

/// Runs `f` on a thread whose stack a recursion over the list would overflow, and within the time a loop takes.
fn on_a_small_stack(limit: Duration, f: impl FnOnce() + Send + 'static) {
    let start = Instant::now();
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(f).expect("a thread");
    thread.join().expect("no panic");
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
}

#[test]
fn a_chain_of_ten_million_scalars_needs_no_recursion() {
    on_a_small_stack(Duration::from_secs(30), || {
        let tape = Tape::<f64>::new();
        let (x, step) = (tape.var(1.0), tape.var(1e-7));
        let mut y = x;
        for _ in 0..10_000_000 {
            y += step;
        }
        let nodes = tape.size();
        assert_eq!(nodes.nodes, 10_000_002);
        assert!(nodes.bytes < 400 << 20, "{} bytes", nodes.bytes);
        let gradient = y.gradient();
        assert_eq!((gradient[x], gradient[step]), (1.0, 1e7));
        assert!(y.is_connected(x));
    });
}

#[test]
fn a_chain_of_a_million_tensor_ops_needs_no_recursion() {
    on_a_small_stack(Duration::from_secs(60), || {
        let tape = Tape::<f64>::new();
        let (x, step) = (tape.tensor([1.0]), tape.tensor([1e-6]));
        let mut y = x;
        for _ in 0..1_000_000 {
            y += step;
        }
        let gradient = y.gradient();
        assert_eq!((gradient[x].item(), gradient[step].item()), (1.0, 1e6));
    });
}

#[test]
fn recording_again_after_clear_takes_no_more_memory() {
    let mut tape = Tape::<f64>::new();
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let x = tape.vars(&[1.0; 100]);
        let y: Var<'_, f64> = x.windows(3).map(|x| fuse([x[0], x[1], x[2]], |[a, b, c]| a * b + c)).sum();
        assert_eq!(y.gradient()[x[50]], 3.0);
        drop(x);
        sizes.push(tape.size());
        tape.clear();
    }
    assert!(sizes.iter().all(|size| size == &sizes[0]), "{sizes:?}");
}

#[test]
fn a_tape_tells_what_its_recording_fills_and_what_it_keeps() {
    let mut tape = Tape::<f64>::new();
    assert_eq!((tape.size().used, tape.size().bytes), (0, 0));
    let (a, b) = (tape.var(1.0), tape.var(1.0));
    let before = tape.size();
    let mut y = a;
    for _ in 0..1000 {
        y *= b;
    }
    assert_eq!(y.gradient()[b], 1000.0);
    let after = tape.size();
    // Two partials and two parents a node.
    assert_eq!((after.nodes - before.nodes, after.used - before.used), (1000, 1000 * 24));
    assert!(after.bytes >= after.used);
    let kept = tape.size().bytes;
    tape.clear();
    assert_eq!((tape.size().used, tape.size().bytes), (0, kept));
}

#[test]
fn scalars_and_tensors_mix_in_one_gradient() {
    let tape = Tape::<f64>::new();
    let s = tape.vars(&[0.3, -0.2, 0.7]);
    let w = tape.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 2.0]]);
    let hidden = w.matmul(tape.pack(&s).reshape([3, 1])).tanh();
    let parts = hidden.scalars();
    let y = parts[0] * parts[1] + hidden.at([0, 0]) * s[0] + dot(&parts, &parts);
    let gradient = y.gradient();
    let evaluate = |s: &[f64], w: &[f64]| {
        let hidden: Vec<f64> =
            w.chunks(3).map(|row| row.iter().zip(s).map(|(w, s)| w * s).sum::<f64>().tanh()).collect();
        hidden[0] * hidden[1] + hidden[0] * s[0] + hidden[0] * hidden[0] + hidden[1] * hidden[1]
    };
    let (s0, w0) = ([0.3, -0.2, 0.7], w.value().to_vec());
    let close = |got: f64, slope: Option<wengert_check::Slope>| {
        let slope = slope.expect("smooth").central;
        assert!((got - slope.value).abs() <= 8.0 * slope.error, "{got} against {slope:?}");
    };
    for k in 0..3 {
        let moved = |t: f64| {
            let mut s = s0;
            s[k] = t;
            evaluate(&s, &w0)
        };
        close(gradient[s[k]], wengert_check::derivative(moved, s0[k]));
    }
    for k in 0..6 {
        let moved = |t: f64| {
            let mut w = w0.clone();
            w[k] = t;
            evaluate(&s0, &w)
        };
        close(gradient[w].to_vec()[k], wengert_check::derivative(moved, w0[k]));
    }
}
