//! Recorded functions: replay against the tape and against the plain program, at one point and at many.

use crate::sparse::by_entries;
use proptest::prelude::*;
use wengert_check::strategies;
use wengert_core::prelude::*;
use wengert_core::{FunctionError, ScalarFn};

const INF: f64 = f64::INFINITY;

/// Bits, with every NaN the same.
fn bits(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }
}

#[track_caller]
pub(crate) fn assert_close(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    let scale = want.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (got, want) in got.iter().zip(want) {
        assert!(
            (got - want).abs() <= tolerance * scale || got == want || got.is_nan() && want.is_nan(),
            "{got} for {want}"
        );
    }
}

/// A program in every construct the recorder knows.
fn everything<T: Number>(x: &[T]) -> T {
    let [a, b, c] = [x[0], x[1], x[2]];
    let mut total = [a * b, b / (c.square() + 1.0), a.sin(), c].into_iter().sum::<T>();
    total += [a, b, c].into_iter().product::<T>();
    total -= a.hypot(b) * 0.5;
    for k in 0..20 {
        total += (a * f64::from(k) - b) * c;
        total -= a * b;
        total = a * c - total;
    }
    total = -(total / b - a) * 1.0 + (T::from(2.0) - c) / a.lit(3.0);
    total * (-c.square()).exp() + b.powi(3) + b.powi(3) * b.powf(T::from(1.5)) + a.maximum(c).atan2(b)
}

#[test]
fn replay_gives_the_bits_of_the_program_and_the_derivatives_of_the_tape() {
    let f = Function::record(&[0.3, 0.7, -0.2], |x| everything(x)).unwrap();
    for x in [[0.3, 0.7, -0.2], [2.0, 1.5, 0.25], [-1.0, 3.0, 4.0], [0.0, 0.5, 0.0]] {
        let tape = Tape::new();
        let vars = tape.vars(&x);
        let y = everything(&vars);
        assert_eq!(bits(f.value(&x).unwrap()), bits(y.value()));
        let (value, gradient) = f.value_and_gradient(&x).unwrap();
        assert_eq!(bits(value), bits(y.value()));
        assert_close(&gradient, &y.gradient().wrt(&vars), 1e-14);
        let v = [0.5, -1.0, 2.0];
        let along: f64 = gradient.iter().zip(&v).map(|(g, v)| g * v).sum();
        assert_close(&f.jvp(&x, &v).unwrap(), &[along], 1e-13);
        assert_close(&f.vjp(&x, &[-2.0]).unwrap(), &gradient.iter().map(|g| -2.0 * g).collect::<Vec<_>>(), 1e-14);
        let everything = function!(everything);
        assert_close(&f.hvp(&x, &v).unwrap(), &hvp(&everything, &x, &v), 1e-13);
        let expected = hessian(&everything, &x).to_vec();
        assert_close(&f.hessian(&x).unwrap().to_vec(), &expected, 1e-13);
        assert_close(&by_entries(&f, &[0.3, 0.7, -0.2], &x), &expected, 1e-13);
    }
}

#[test]
fn nary_operations_replay_like_the_tape() {
    fn both(
        f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
        g: impl for<'r> Fn(&[Symbol<'r>]) -> Symbol<'r>,
        x0: &[f64],
        points: &[Vec<f64>],
    ) {
        let recorded = Function::record(x0, g).unwrap();
        for x in points {
            let (value, gradient) = value_and_grad(&f, x);
            let (replayed, slopes) = recorded.value_and_gradient(x).unwrap();
            assert_eq!(bits(replayed), bits(value), "{x:?}");
            assert_close(&slopes, &gradient, 1e-14);
            // Tangents of zero meet infinities in the dense one.
            for (got, want) in by_entries(&recorded, x0, x).iter().zip(&recorded.hessian(x).unwrap().to_vec()) {
                assert!(
                    want.is_nan() || (got - want).abs() <= 1e-13 * want.abs().max(1.0),
                    "{got} for {want} at {x:?}"
                );
            }
        }
    }
    let points =
        [vec![1.0, 2.0, 3.0, 4.0], vec![0.0, -1.0, 0.5, 0.0], vec![INF, 1.0, 2.0, 3.0], vec![-INF; 4], vec![0.0; 4]];
    let x0 = [0.1, 0.2, 0.3, 0.4];
    both(|x| norm2(x), |x| norm2(x), &x0, &points);
    both(|x| log_sum_exp(x), |x| log_sum_exp(x), &x0, &points);
    both(|x| x.iter().sum(), |x| x.iter().sum(), &x0, &points);
    both(|x| x.iter().copied().product(), |x| x.iter().copied().product(), &x0, &points);
    both(|x| dot(&x[..2], &x[2..]), |x| dot(&x[..2], &x[2..]), &x0, &points[..2]);
    both(
        |x| fuse([x[0], x[1]], |[a, b]| (a * b).sin() * 2.0 + a) * x[2],
        |x| fuse([x[0], x[1]], |[a, b]| (a * b).sin() * 2.0 + a) * x[2],
        &x0,
        &points[..2],
    );
    both(|x| x[0] * x[1].detach(), |x| x[0] * x[1].detach(), &x0, &points[..2]);
    both(|x| x[0].powf(2.5) + 2.0 / x[1], |x| x[0].powf(2.5) + 2.0 / x[1], &x0, &points[..1]);
}

#[test]
fn functions_whose_constants_differ_in_the_sign_of_zero_stay_apart() {
    let f = Function::record_many(&[1.0], |x| {
        let x = x[0];
        vec![x.clamp(0.0, 2.0), x.clamp(-0.0, 2.0), x.leaky_relu(0.0), x.leaky_relu(-0.0)]
    });
    let y: Vec<u64> = f.unwrap().eval(&[-1.0]).unwrap().into_iter().map(bits).collect();
    assert_eq!(y, [0.0, -0.0, -0.0, 0.0].map(bits));
}

#[test]
fn zero_times_infinity_is_zero_in_the_replayed_sweep() {
    type Program = for<'r> fn(Symbol<'r>, Symbol<'r>) -> Symbol<'r>;
    let programs: [(Program, [f64; 2], [f64; 2]); 8] = [
        (|x, y| x.sqrt() * 0.0 + y, [0.0, 1.0], [0.0, 1.0]),
        (|x, y| (-x.sqrt()).relu() + y, [0.0, 1.0], [0.0, 1.0]),
        (|x, y| x.sqrt() * y, [0.0, 0.0], [0.0, 0.0]),
        (|x, y| (x * y).sqrt() * (y - 1.0), [0.0, 1.0], [0.0, 0.0]),
        (|x, y| (x * 1000.0).exp() * 0.0 + y, [1.0, 1.0], [0.0, 1.0]),
        (|x, y| x.sqrt() + y, [0.0, 1.0], [INF, 1.0]),
        (|x, _| x.sqrt(), [0.0, 1.0], [INF, 0.0]),
        (|x, y| x.maximum(y).ln() * 0.0 + y, [0.0, 0.0], [0.0, 1.0]),
    ];
    for (k, (program, x, want)) in programs.into_iter().enumerate() {
        let f = Function::record(&[0.5, 0.25], |x| program(x[0], x[1])).unwrap();
        assert_eq!(f.gradient(&x).unwrap(), want, "program {k}");
    }
}

#[test]
fn constant_factors_of_infinities_keep_their_tangents() {
    type Program = for<'r> fn(Symbol<'r>) -> Symbol<'r>;
    // With the slope at -inf.
    let programs: [(Program, f64); 6] = [
        (|x| x * 2.0, 2.0),
        (|x| 2.0 * x, 2.0),
        (|x| x * 2.0 + x, 3.0),
        (|x| x * 2.0 - 1.0, 2.0),
        (|x| x - x * -2.0, 3.0),
        (|x| (x * 2.0).exp(), 0.0),
    ];
    for (k, (program, slope)) in programs.into_iter().enumerate() {
        let f = Function::record(&[0.5], |x| program(x[0])).unwrap();
        assert_eq!(f.jvp(&[-INF], &[1.0]).unwrap(), [slope], "program {k}");
        assert_eq!(f.hvp(&[-INF], &[1.0]).unwrap(), [0.0], "program {k}");
        assert_eq!(f.directional(&[-INF], &[1.0], 1).unwrap()[1], slope, "program {k}");
    }
    // Data are constants, too.
    let f = Function::record_with_data(&[0.5], &[2.0], |x, d| x[0] * d[0]).unwrap();
    assert_eq!(f.jvp(&[-INF], &[1.0]).unwrap(), [2.0]);
}

#[test]
fn a_branch_that_would_go_another_way_is_an_error_that_names_it() {
    let f = Function::record(&[2.0, 0.0], |x| if x[0] > x[1] { x[0] * x[0] } else { x[1] }).unwrap();
    let line = line!() - 1;
    assert_eq!(f.value(&[3.0, 2.0]).unwrap(), 9.0);
    let text = f.gradient(&[1.0, 2.5]).unwrap_err().to_string();
    assert!(text.starts_with(&format!("tests/suite/function.rs:{line}:")), "{text}");
    assert!(
        text.ends_with(
            ": the recorded branch does not hold: 1 > 2.5 was true, now false; record again at this point, or use maximum, minimum, abs, step"
        ),
        "{text}"
    );
    assert!(matches!(f.value(&[f64::NAN, 0.0]), Err(FunctionError::NanCompared { .. })));
    let text = f.hvp(&[f64::NAN, 0.0], &[1.0, 0.0]).unwrap_err().to_string();
    assert!(
        text.ends_with(": comparison > with NaN: NaN and 0; find what made it NaN before it is compared"),
        "{text}"
    );
    let error = Function::record(&[f64::NAN], |x| if x[0] < 1.0 { x[0] } else { -x[0] }).unwrap_err();
    assert!(matches!(error, FunctionError::NanCompared { point: None, .. }));
    // Asking for less than the order: `>=` still holds where `>` has become `==`.
    let f = Function::record(&[2.0], |x| if x[0] >= 1.0 { x[0] * 2.0 } else { x[0] }).unwrap();
    assert_eq!(f.value(&[1.0]).unwrap(), 2.0);
    let f = Function::record(&[2.0], |x| {
        if x[0].partial_cmp(&1.0).is_some_and(core::cmp::Ordering::is_gt) { x[0] } else { -x[0] }
    });
    let text = f.unwrap().value(&[1.0]).unwrap_err().to_string();
    assert!(text.contains("1 <=> 1 was greater, now equal"), "{text}");
}

#[test]
fn wrong_requests_are_typed_errors() {
    let text = |error: FunctionError| error.to_string();
    assert_eq!(
        text(Function::record(&[], |_| 1.0.into()).unwrap_err()),
        "record: a point of no numbers; a function needs at least one input"
    );
    assert_eq!(
        text(Function::record_many(&[1.0], |_| vec![]).unwrap_err()),
        "record: the closure returned no outputs; return at least one"
    );
    let mut f = Function::record_with_data(&[1.0, 2.0], &[3.0], |x, d| x[0] * x[1] * d[0]).unwrap();
    assert_eq!(text(f.value(&[1.0]).unwrap_err()), "value: point of 1 numbers for a function of 2");
    assert_eq!(text(f.gradient(&[]).unwrap_err()), "gradient: point of 0 numbers for a function of 2");
    assert_eq!(text(f.hvp(&[1.0, 2.0], &[1.0]).unwrap_err()), "hvp: direction of 1 numbers for a function of 2");
    assert_eq!(text(f.jvp(&[1.0, 2.0], &[1.0; 3]).unwrap_err()), "jvp: direction of 3 numbers for a function of 2");
    assert_eq!(text(f.vjp(&[1.0, 2.0], &[]).unwrap_err()), "vjp: seed of 0 numbers for a function of 1");
    assert_eq!(text(f.set_data(&[]).unwrap_err()), "set_data: data of 0 numbers for a function of 1");
    let several = Function::record_many(&[1.0, 2.0], |x| vec![x[0], x[1]]).unwrap();
    assert_eq!(
        text(several.hessian(&[1.0, 2.0]).unwrap_err()),
        "hessian: of a function of 2 outputs; it takes one output: record one, or weigh them with vjp"
    );
    assert!(matches!(several.value(&[1.0, 2.0]), Err(FunctionError::NotScalar { op: "value", outputs: 2 })));
    // A symbol of an outer recording; arithmetic with it does not compile.
    let outer = Function::record(&[1.0], |x| {
        let inner = Function::record(&[2.0], |y| if y[0] > x[0] { y[0] * 3.0 } else { y[0] });
        let line = line!() - 1;
        let expected = format!(
            "tests/suite/function.rs:{line}:53: operands belong to two recordings; pass numbers of one to the other as its inputs or data"
        );
        assert_eq!(inner.unwrap_err().to_string(), expected);
        x[0]
    });
    assert!(matches!(outer, Err(FunctionError::TwoRecordings { .. })));
}

#[test]
fn a_rule_known_at_one_point_only_cannot_be_recorded() {
    struct Square;
    impl CustomFn<1> for Square {
        fn value(&self, [x]: [f64; 1]) -> f64 {
            x * x
        }
        fn partials<T: Number>(&self, [x]: [T; 1], _y: T) -> [T; 1] {
            [x * 2.0]
        }
    }
    #[derive(Clone)]
    struct Twice;
    impl CustomVectorFn for Twice {
        fn value(&self, x: &[f64]) -> Vec<f64> {
            vec![2.0 * x[0]]
        }
        fn vjp<T: Number>(&self, _x: &[T], _y: &[T], y_bar: &[T], x_bar: &mut [T]) {
            x_bar[0] = y_bar[0] * 2.0;
        }
    }
    #[derive(Clone)]
    struct SquareRoot;
    impl Equations for SquareRoot {
        fn residuals<T: Number>(&self, x: &[T], p: &[T]) -> Vec<T> {
            vec![x[0] * x[0] - p[0]]
        }
    }
    let refused = |f: for<'r> fn(&[Symbol<'r>]) -> Symbol<'r>| Function::record(&[4.0], f).unwrap_err().to_string();
    let rule = "a rule of one's own is known here by its derivative at one point, and cannot be replayed at others; \
                record the operations that its value is made of, or call it on a tape";
    let root_of = "root is known here by its derivative at one point, and cannot be replayed at others; record its \
                   residuals, with the unknowns among the inputs, and solve with their jacobian; or call root on a tape";
    let solved = "solve is known here by its derivative at one point, and cannot be replayed at others; write its \
                  elimination in operators, or solve on a tape";
    let gradient = "Grad is known here by its derivative at one point, and cannot be replayed at others; record the \
                    function itself and ask the recording for its gradient or hvp";
    let cases = [
        (refused(|x| Square.call([x[0]]) + 1.0), rule, line!()),
        (refused(|x| custom([x[0]], |[x]| (x, [1.0]))), rule, line!()),
        (refused(|x| x[0].custom(1.0, 2.0)), rule, line!()),
        (refused(|x| Twice.call(x)[0]), rule, line!()),
        (refused(|x| root(&SquareRoot, &[1.0], x)[0]), root_of, line!()),
        (refused(|x| root_at(&SquareRoot, &[2.0], x)[0]), root_of, line!()),
        (refused(|x| solve(x, &[1.0.into()])[0]), solved, line!()),
        (refused(|x| Grad(function!(cube)).call(x)[0]), gradient, line!()),
    ];
    for (text, expected, line) in cases {
        assert!(text.ends_with(expected) && text.contains(&format!("function.rs:{line}:")), "{line}: {text}");
    }
}

fn cube<T: Number>(x: &[T]) -> T {
    x[0].powi(3)
}

#[test]
fn a_loop_with_checkpoints_is_recorded_step_by_step() {
    /// `x -> p x`, with a branch on the number of the step.
    #[derive(Clone)]
    struct Growth;
    impl StepFn for Growth {
        fn step<T: Number>(&self, x: &[T], p: &[T], step: usize) -> Vec<T> {
            vec![if step < 3 { x[0] * p[0] } else { x[0] }]
        }
    }
    let f = Function::record(&[2.0, 5.0], |x| CheckpointedLoop::new(9).call(&Growth, &x[..1], &x[1..])[0]).unwrap();
    assert_eq!(f.value_and_gradient(&[7.0, 3.0]).unwrap(), (7.0 * 27.0, vec![27.0, 7.0 * 27.0]));
    assert_eq!(f.hessian(&[7.0, 3.0]).unwrap().to_vec(), [0.0, 27.0, 27.0, 7.0 * 18.0]);
}

#[test]
fn data_is_exchanged_and_never_merged() {
    // Two data of one value, and a constant of that value.
    let mut f = Function::record_with_data(&[2.0], &[3.0, 3.0], |x, d| x[0] * d[0] + x[0] * d[1] + x[0] * 3.0).unwrap();
    assert_eq!(f.value_and_gradient(&[2.0]).unwrap(), (18.0, vec![9.0]));
    f.set_data(&[10.0, 100.0]).unwrap();
    assert_eq!(f.value_and_gradient(&[2.0]).unwrap(), (226.0, vec![113.0]));
    let other = f.with_data(&[0.0, 1.0]).unwrap();
    assert_eq!((other.value(&[1.0]).unwrap(), f.value(&[1.0]).unwrap()), (4.0, 113.0));
    // What is computed from data alone is computed again.
    let mut g = Function::record_with_data(&[1.0], &[2.0], |x, d| x[0] * d[0].exp().ln()).unwrap();
    g.set_data(&[5.0]).unwrap();
    assert!((g.gradient(&[1.0]).unwrap()[0] - 5.0).abs() < 1e-14);
}

#[test]
fn outputs_may_be_inputs_constants_or_one_another() {
    let f = Function::record_many(&[1.0, 2.0], |x| vec![x[1], 7.0.into(), x[0] * x[1], x[0] * x[1]]).unwrap();
    assert_eq!(f.eval(&[3.0, 4.0]).unwrap(), [4.0, 7.0, 12.0, 12.0]);
    assert_eq!(f.jacobian(&[3.0, 4.0]).unwrap().to_vec(), [0.0, 1.0, 0.0, 0.0, 4.0, 3.0, 4.0, 3.0]);
    assert_eq!(f.vjp(&[3.0, 4.0], &[1.0, 5.0, 1.0, 1.0]).unwrap(), [8.0, 7.0]);
    let constant = Function::record(&[1.0], |_| 3.0.into()).unwrap();
    assert_eq!(constant.value_and_gradient(&[5.0]).unwrap(), (3.0, vec![0.0]));
    assert_eq!(constant.hessian(&[5.0]).unwrap().to_vec(), [0.0]);
}

#[test]
fn the_optimiser_keeps_every_bit() {
    // Signs of zero, where `x + 0` and `x * 1` differ; chains of sums in another order would round differently.
    let f = Function::record(&[1.0, 1.0], |x| {
        let mut sum = x[0] * 0.1;
        for k in 1..50 {
            sum += x[1] * (0.1 * f64::from(k)) - x[0] / 3.0;
        }
        sum * 1.0 + (x[0] + 0.0) * 1e-30 - (x[1] - 0.0)
    })
    .unwrap();
    let plain = |x: [f64; 2]| {
        let mut sum = x[0] * 0.1;
        for k in 1..50 {
            sum += x[1] * (0.1 * f64::from(k)) - x[0] / 3.0;
        }
        sum * 1.0 + (x[0] + 0.0) * 1e-30 - (x[1] - 0.0)
    };
    for x in [[1.0, 2.0], [-0.0, -0.0], [0.0, -0.0], [1e308, 1e308], [0.1, -7.3]] {
        assert_eq!(bits(f.value(&x).unwrap()), bits(plain(x)), "{x:?}");
    }
    let signs = Function::record(&[1.0], |x| (x[0] + 0.0).recip()).unwrap();
    assert_eq!(signs.value(&[-0.0]).unwrap(), INF);
    let signs = Function::record(&[1.0], |x| (x[0] - 0.0).recip()).unwrap();
    assert_eq!(signs.value(&[-0.0]).unwrap(), -INF);
    // A square and its negation, of which neither forms the negated argument: 1/(-x x) + 1/(x -x) + (-x)^2.
    let f = Function::record(&[1.0], |x| (-x[0] * x[0]).recip() + (x[0] * -x[0]).recip() + (-x[0]).square()).unwrap();
    assert_eq!(f.steps().1, 5, "square, negation, reciprocal, its double, their sum");
    for x in [0.0_f64, -0.0, 3.0, -1e200] {
        assert_eq!(bits(f.value(&[x]).unwrap()), bits(2.0 * (-x * x).recip() + x * x), "{x}");
    }
    assert_eq!(f.gradient(&[-2.0]).unwrap(), [-4.5]);
}

#[test]
fn single_precision_works_too() {
    let f = Function32::record(&[1.0, 2.0], |x| (x[0] * x[1]).exp() * 2.0).unwrap();
    let e = 0.5_f32.exp();
    assert_eq!(f.value_and_gradient(&[0.5, 1.0]).unwrap(), (2.0 * e, vec![2.0 * e, e]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_programs_replay_like_the_tape(
        program in strategies::program(3, 6),
        x in prop::array::uniform3(-2.0..2.0_f64),
        v in prop::array::uniform3(-2.0..2.0_f64),
    ) {
        let f = Function::record(&[0.1, 0.2, 0.3], |x| program.call(x)).unwrap();
        prop_assert_eq!(bits(f.value(&x).unwrap()), bits(program.evaluate(&x)));
        let gradient = grad(|x| program.call(x), &x);
        assert_close(&f.gradient(&x).unwrap(), &gradient, 1e-12);
        assert_close(&f.hvp(&x, &v).unwrap(), &hvp(&program, &x, &v), 1e-11);
        assert_close(&f.hessian(&x).unwrap().to_vec(), &hessian(&program, &x).to_vec(), 1e-11);
    }
}

#[test]
fn directional_derivatives_are_those_of_series() {
    let f = Function::record(&[0.3, 0.7, -0.2], |x| everything(x)).unwrap();
    let (x, v) = ([0.4, 1.2, -0.6], [0.5, -1.0, 0.25]);
    let along = f.directional(&x, &v, 4).unwrap();
    let line: [Taylor<f64, 5>; 3] = core::array::from_fn(|k| Taylor::along(x[k], v[k]));
    assert_close(&along, &everything(&line).derivatives(), 1e-12);
    assert_eq!(bits(along[0]), bits(f.value(&x).unwrap()));
    assert_close(&along[1..2], &f.jvp(&x, &v).unwrap(), 1e-13);
    let hv = f.hvp(&x, &v).unwrap();
    assert_close(&along[2..3], &[hv.iter().zip(&v).map(|(h, v)| h * v).sum()], 1e-12);
    // sin(2 t) and its derivatives at t = 0.3.
    let f = Function::record(&[1.0], |x| (x[0] * 2.0).sin()).unwrap();
    let (sin, cos) = 0.6_f64.sin_cos();
    assert_close(
        &f.directional(&[0.3], &[1.0], 4).unwrap(),
        &[sin, 2.0 * cos, -4.0 * sin, -8.0 * cos, 16.0 * sin],
        1e-15,
    );
    assert_eq!(f.directional(&[0.3], &[1.0], 1).unwrap().len(), 2);
    assert_eq!(
        f.directional(&[0.3], &[1.0], 5).unwrap_err().to_string(),
        "directional: order 5 is not offered; orders go up to 4"
    );
}

/// Every operation that is done several steps at a time, over items that do not need each other: operands that are the same for all,
/// lie side by side, or lie anywhere. `order` says which number an item reads beside its own.
fn items<T: Number>(x: &[T], constants: &[f64], order: &[usize]) -> T {
    let [p, q] = [x[0], x[1]];
    let x = &x[2..];
    let mut all = Vec::new();
    for (k, &c) in constants.iter().enumerate() {
        let mut y = (x[k] - p) * q;
        for turn in 0..3 {
            y = (y * c + q) / (x[order[k]] + 3.0) - y * p;
            y = y * y - (p - x[k] * f64::from(turn)) - y * 0.25;
            y = -(y * 0.125) * (x[order[k]] * 0.5);
        }
        all.push(y);
    }
    let mut sum = p * q;
    for &y in &all {
        sum += y;
    }
    sum
}

/// Where items read: the next but one around, all the first, anywhere.
fn orders(count: usize) -> [Vec<usize>; 3] {
    [|k| k + 2, |_| 0, |k| 7 * k + 7].map(|other: fn(usize) -> usize| (0..count).map(|k| other(k) % count).collect())
}

#[test]
fn steps_taken_together_give_the_bits_of_steps_one_by_one() {
    for count in [1, 3, 11, 12, 13, 15, 16, 19, 40, 259, 600] {
        let constants: Vec<f64> = (0..count).map(|k| 0.3 + 0.01 * k as f64).collect();
        for order in orders(count) {
            let x: Vec<f64> = (0..count + 2).map(|k| (k as f64 * 0.7).sin()).collect();
            let f = Function::record(&vec![0.5; count + 2], |x| items(x, &constants, &order)).unwrap();
            assert_eq!(bits(f.value(&x).unwrap()), bits(items(&x, &constants, &order)), "{count}");
            let tape = Tape::new();
            let vars = tape.vars(&x);
            let gradient = items(&vars, &constants, &order).gradient().wrt(&vars);
            assert_close(&f.gradient(&x).unwrap(), &gradient, 1e-13);
            // The way in duals, which takes steps one by one, and rows, which lay them out anew.
            let v: Vec<f64> = (0..count + 2).map(|k| (k as f64).cos()).collect();
            let along: f64 = gradient.iter().zip(&v).map(|(g, v)| g * v).sum();
            assert!((f.jvp(&x, &v).unwrap()[0] - along).abs() <= 1e-10 * along.abs().max(1.0));
            assert_close(&f.gradients(&[&x]).unwrap().to_vec(), &gradient, 1e-13);
        }
    }
    // In single precision, against the plain program in it.
    let f = Function32::record(&[0.5; 42], |x| {
        let mut sum = x[0];
        for k in 2..42 {
            sum += (x[k] - x[0]) * x[1] / (x[k] * x[k] + 1.0);
        }
        sum
    });
    let x: Vec<f32> = (0..42).map(|k| (k as f32).sin()).collect();
    let want = (2..42).fold(x[0], |sum, k| sum + (x[k] - x[0]) * x[1] / (x[k] * x[k] + 1.0));
    assert_eq!(f.unwrap().value(&x).unwrap(), want);
}

#[test]
fn functions_taken_together_are_those_of_one_number() {
    fn functions<T: Number>(x: &[T], order: &[usize]) -> T {
        let mut sum = x[0];
        for (k, &x_k) in x.iter().enumerate() {
            let y = (x_k * 0.5).exp() + x[order[k]].tanh() * x_k.sin();
            sum += (y.square() + 1.0).ln().sqrt() * y.sigmoid().recip() + y.atan().powi(3).maximum(x[0]);
        }
        sum
    }
    for count in [1, 11, 12, 13, 64, 65, 300] {
        for order in orders(count) {
            let x: Vec<f64> = (0..count).map(|k| (k as f64 * 0.7).sin() * 3.0).collect();
            let f = Function::record(&vec![0.5; count], |x| functions(x, &order)).unwrap();
            let (value, gradient) = f.value_and_gradient(&x).unwrap();
            let plain = functions(&x, &order);
            assert!((value - plain).abs() <= 1e-14 * plain.abs(), "{value} for {plain}");
            assert_eq!(bits(value), bits(f.value(&x).unwrap()));
            let (_, by_tape) = value_and_grad(|x| functions(x, &order), &x);
            assert_close(&gradient, &by_tape, 1e-13);
        }
    }
}

#[test]
fn steps_taken_together_keep_zero_times_infinity_and_guards() {
    // At 0 the square root's slope is infinite, and nothing asks for it.
    let f = Function::record(&[1.0; 20], |x| {
        let mut sum = x[0] * 0.0;
        for &x in x {
            sum += (x.sqrt() * 0.0) * (x + 2.0);
        }
        sum
    })
    .unwrap();
    assert_eq!(f.gradient(&[0.0; 20]).unwrap(), [0.0; 20]);
    // A product whose other factor is infinite, in an addend that a zero follows.
    let f = Function::record(&[1.0; 21], |x| {
        let mut sum = x[0];
        for &item in &x[1..] {
            sum += (item * (x[0].recip() * item)) * 0.0;
        }
        sum
    })
    .unwrap();
    assert_eq!(f.gradient(&[0.0; 21]).unwrap()[1..], [0.0; 20]);
    // Each item is compared: the first that takes another branch is named.
    let f = Function::record(&[1.0; 30], |x| {
        let mut sum = x[0];
        for &x in &x[1..] {
            let y = x * 3.0 - 1.0;
            sum += if y > 0.0 { y.square() } else { -y };
        }
        sum
    })
    .unwrap();
    let mut x = [1.0; 30];
    assert_eq!(f.value(&x).unwrap(), 1.0 + 29.0 * 4.0);
    x[17] = 0.25;
    let Err(FunctionError::Guard { a, b, .. }) = f.value(&x) else { panic!("another branch") };
    assert_eq!((a, b), (-0.25, 0.0));
}

#[test]
fn what_a_long_program_computes_again_and_again_is_computed_once() {
    // More steps than the table of common subexpressions has room for, and one expression that all of them use.
    const TURNS: usize = 300_000;
    let f = Function::record(&[0.5, 0.25], |x| {
        let mut y = x[0];
        for _ in 0..TURNS {
            y /= x[0] - x[1];
        }
        y
    })
    .unwrap();
    assert_eq!(f.steps(), (2 * TURNS, TURNS + 1));
}

/// Enough points for several blocks and a part of one.
/// A long program: values that are read soon, much later, or both, by steps of one, two and many operands.
fn long<T: Number>(x: &[T], d: &[T], many_cross: bool, strays: bool) -> Vec<T> {
    const TURNS: usize = 16_000;
    let early: Vec<T> =
        (0..if many_cross { 60_000 } else { 50 }).map(|k| (x[k % 3] * (0.1 * k as f64)).sin()).collect();
    let passive: Vec<T> = (0..4).map(|k| d[0] * (1.0 + f64::from(k))).collect();
    let mut outputs = vec![early[7] * x[1]];
    let mut state = x[0];
    let (mut totals, mut history) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let far = early[turn * 31 % early.len()];
        let far = if turn % 4 == 0 && turn > 10_000 { far + history[turn - 10_000] } else { far };
        let a = state * x[1] + far;
        let b = a * 0.5 - x[2] * d[0];
        let c = b / (b.square() + 1.0);
        state = c * 0.9 + far * 0.01;
        history.push(state);
        let constant = T::from(0.25 * (turn % 50) as f64);
        let parts = [state, a * 0.001, if strays { passive[turn % 4] } else { d[0] }, far * c, constant];
        totals.push(parts.into_iter().sum::<T>() * (1.0 + 1e-4 * turn as f64));
        if turn == TURNS / 2 {
            outputs.push(state * state);
        }
    }
    outputs.push(totals.into_iter().sum::<T>());
    outputs
}

#[test]
fn adjoints_of_long_programs_are_those_of_the_tape() {
    let (x, d) = ([0.3, -0.8, 1.2], [0.7]);
    for (many_cross, strays) in [(false, false), (false, true), (true, false)] {
        let f = Function::record_many_with_data(&[0.1, 0.2, 0.3], &d, |x, d| long(x, d, many_cross, strays)).unwrap();
        assert!(f.steps().1 > 70_000, "{:?}", f.steps());
        let tape = Tape::new();
        let vars = tape.vars(&x);
        let data = d.map(|d| vars[0] * 0.0 + d).map(Var::detach);
        let y = long(&vars, &data, many_cross, strays);
        let rows: Vec<Vec<f64>> = y.iter().map(|y| y.gradient().wrt(&vars)).collect();
        let seed = [2.0, -1.0, 0.5];
        let expected: Vec<f64> = (0..3).map(|k| (0..3).map(|row| seed[row] * rows[row][k]).sum()).collect();
        // Twice: nothing of the first sweep is left.
        for _ in 0..2 {
            assert_close(&f.vjp(&x, &seed).unwrap(), &expected, 1e-12);
            assert_close(&f.jacobian(&x).unwrap().to_vec(), &rows.concat(), 1e-12);
        }
    }
    // A chain of one operation, and in its middle a sum with constants.
    fn chain<T: Number>(x: &[T]) -> T {
        (0..150_000).fold(x[0], |y, k| {
            let y = y * x[1] + x[2];
            if k == 80_000 { [y, T::from(1.5), T::from(2.5)].into_iter().sum() } else { y }
        })
    }
    let x = [0.5, 1.0, 0.1];
    let (_, expected) = value_and_grad(|x| chain(x), &x);
    let f = Function::record(&[1.0; 3], |x| chain(x)).unwrap();
    for _ in 0..2 {
        assert_close(&f.gradient(&x).unwrap(), &expected, 1e-12);
    }
    let (x, v) = ([0.3, -0.8, 1.2], [1.0, -2.0, 0.5]);
    let f = Function::record(&[0.1, 0.2, 0.3], |x| long(x, &x[2..], false, false)[2]).unwrap();
    let bend = Function::record(&[0.0], |t| {
        let along: Vec<Symbol> = x.iter().zip(&v).map(|(&x, &v)| t[0] * v + x).collect();
        long(&along, &along[2..], false, false)[2]
    });
    let second = bend.unwrap().directional(&[0.0], &[1.0], 2).unwrap()[2];
    let product: f64 = f.hvp(&x, &v).unwrap().iter().zip(&v).map(|(h, v)| h * v).sum();
    assert_close(&[product], &[second], 1e-11);
    // All directions at once: the same adjoints with several tangents.
    let h = f.hessian(&x).unwrap().to_vec();
    let product: f64 = (0..9).map(|k| v[k / 3] * h[k] * v[k % 3]).sum();
    assert_close(&[product], &[second], 1e-11);
}

fn points(count: usize) -> Vec<[f64; 3]> {
    (0..count).map(|k| [0.1, 1.7, -0.3].map(|x| x + (k as f64 * 0.37 + x).sin())).collect()
}

#[test]
fn many_points_give_what_one_gives() {
    let f = Function::record(&[0.3, 0.7, -0.2], |x| everything(x)).unwrap();
    for count in [0, 1, 7, 64, 65, 1000] {
        let points = points(count);
        let (values, gradients) = f.values_and_gradients(&points).unwrap();
        assert_eq!(values, f.values(&points).unwrap());
        assert_eq!(gradients.shape(), &[count, 3][..]);
        for (k, x) in points.iter().enumerate() {
            let (value, gradient) = f.value_and_gradient(x).unwrap();
            assert_close(&[values[k]], &[value], 1e-13);
            assert_close(&gradients.to_vec()[3 * k..][..3], &gradient, 1e-12);
        }
    }
    // Arithmetic alone: the same bits.
    let f = Function::record(&[1.0; 3], |x| x[0] * x[1] / (x[2] * x[2] + 1.0) - x[1] * 0.1 + x[0]).unwrap();
    let points = points(300);
    for (x, value) in points.iter().zip(f.values(&points).unwrap()) {
        assert_eq!(bits(value), bits(f.value(x).unwrap()));
    }
}

#[test]
fn no_bit_depends_on_the_threads() {
    let f = Function::record(&[0.3, 0.7, -0.2], |x| everything(x)).unwrap();
    let data = Function::record_with_data(&[1.0], &[0.0; 3], |x, d| (x[0] * d[0] - d[1]).tanh() * d[2]).unwrap();
    let points = points(5000);
    let all = || (f.values_and_gradients(&points).unwrap(), data.total_and_gradient(&[0.7], &points).unwrap());
    let one = wengert::threads(1, all);
    for threads in [2, 3, 8] {
        assert_eq!(wengert::threads(threads, all), one);
    }
}

/// A long program whose steps read values from near and far: they are wanted for short and long, by products and by sums only.
fn tangle<T: Number>(x: &[T], d: &[T], steps: usize) -> T {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut values: Vec<T> = x.iter().chain(d).copied().collect();
    for _ in 0..steps {
        let len = values.len();
        let mut any = || if random(8) == 0 { random(len) } else { len - 1 - random(len.min(12)) };
        let [a, b, c] = [any(), any(), any()].map(|k| values[k]);
        let y = match random(16) {
            0 => (a + b) * 0.5,
            1 => a - b * 0.5,
            2 => a * b,
            3 => a / (b.square() + 1.5),
            4 => (a * b + c) * 0.5,
            5 => a * b - c * 0.5,
            6 => c * 0.5 - a * b,
            7 => (-a.square()).exp(),
            8 => (a.square() + 1.0).sqrt() - b.square(),
            9 => a.tanh() + a.sin() * 0.25,
            10 => a.maximum(b) - a.hypot(c) * 0.5,
            11 => a.powi(3) * 0.25,
            12 => (0..10).map(|k| values[len - 1 - k % len.min(10)]).sum::<T>() * 0.1,
            13 => -a - b * 0.25,
            14 => dot(&[a, b, c], &[c, a, b]) * 0.25,
            _ => log_sum_exp(&[a, b, c]) - norm2(&[a, b, c]) * 0.5,
        };
        // Holds everywhere, and has to be looked at after all steps.
        values.push(if y > T::from(1e9) { a } else { y.tanh() });
    }
    values[values.len() - 20..].iter().copied().sum()
}

#[test]
fn values_and_adjoints_that_share_rows_do_not_meet() {
    let x = [0.4, -0.9, 1.3];
    let points: Vec<[f64; 3]> = (0..70).map(|k| x.map(|x| x + (f64::from(k) * 0.37 + x).sin() * 0.2)).collect();
    // Rows of 64 numbers in cache, and rows of 16 of a program too long for it.
    for steps in [40, 200, 3000] {
        let f = Function::record(&x, |x| tangle(x, &[], steps)).unwrap();
        let (values, gradients) = f.values_and_gradients(&points).unwrap();
        assert_eq!(values, f.values(&points).unwrap());
        for ((x, value), got) in points.iter().zip(values).zip(gradients.to_vec().chunks(3)) {
            let (expected, gradient) = value_and_grad(|x| tangle(x, &[], steps), x);
            assert_close(&[value], &[expected], 1e-12);
            assert_close(got, &gradient, 1e-11);
        }
        // Some steps hang on the inputs alone and are computed once, others on data.
        let f = Function::record_with_data(&x[..2], &[0.0; 3], |x, d| {
            let shared = tangle(x, &[], steps / 2);
            tangle(&[x[0], shared, x[1] * shared], d, steps)
        })
        .unwrap();
        let (total, gradient) = f.total_and_gradient(&x[..2], &points).unwrap();
        let (expected, slopes) = value_and_grad(
            |x| {
                let shared = tangle(x, &[], steps / 2);
                let each = points.iter().map(|d| tangle(&[x[0], shared, x[1] * shared], &d.map(Into::into), steps));
                each.sum()
            },
            &x[..2],
        );
        assert_close(&[total], &[expected], 1e-12);
        assert_close(&gradient, &slopes, 1e-11);
    }
}

#[test]
fn sums_over_items_are_the_sums_of_each() {
    let f =
        Function::record_with_data(&[1.0, 1.0], &[0.0; 3], |x, d| (x[0] * d[0] + x[1] - d[1]).square() * d[2]).unwrap();
    let items = points(700);
    let x = [0.3, -1.5];
    let (mut value, mut gradient) = (0.0, [0.0; 2]);
    for item in &items {
        let residual = x[0] * item[0] + x[1] - item[1];
        value += residual * residual * item[2];
        gradient[0] += 2.0 * residual * item[0] * item[2];
        gradient[1] += 2.0 * residual * item[2];
    }
    let (total, slopes) = f.total_and_gradient(&x, &items).unwrap();
    assert_close(&[total], &[value], 1e-12);
    assert_close(&slopes, &gradient, 1e-12);
    assert_eq!(f.total(&x, &items).unwrap(), total);
    assert_eq!(f.total(&x, &items[..0]).unwrap(), 0.0);
    assert!(matches!(f.total(&x, &[[1.0]]), Err(FunctionError::Length { what: "data", got: 1, expected: 3, .. })));
}

/// `ln(1 + |x|^2)` hangs on no data: once for all items is enough, but its derivative counts for each.
#[test]
fn what_hangs_on_no_data_counts_for_every_item() {
    let term = |x: &[f64], d: &[f64]| {
        let norm = 1.0 + x[0] * x[0] + x[1] * x[1];
        let residual = x[0] * d[0] + x[1] * d[1] - d[2];
        let value = residual.powi(2) + norm.ln() * d[2];
        let slope = |k: usize| 2.0 * residual * d[k] + 2.0 * x[k] / norm * d[2];
        (value, [slope(0), slope(1)])
    };
    let f = Function::record_with_data(&[1.0, 1.0], &[0.0; 3], |x, d| {
        if d[0] > 5.0 {
            return x[0];
        }
        let norm = dot(x, x) + 1.0;
        (dot(x, &d[..2]) - d[2]).square() + norm.ln() * d[2]
    })
    .unwrap();
    let mut items = points(1500);
    let x = [0.3, -1.5];
    let check = |items: &[[f64; 3]]| {
        let each = items.iter().map(|d| term(&x, d));
        let (value, slopes) = each.fold((0.0, [0.0; 2]), |(sum, [a, b]), (y, [p, q])| (sum + y, [a + p, b + q]));
        let (total, gradient) = f.total_and_gradient(&x, items).unwrap();
        assert_close(&[total], &[value], 1e-12);
        assert_close(&gradient, &slopes, 1e-12);
    };
    for count in [1, 63, 64, 65, 700, 1500] {
        check(&items[..count]);
    }
    // A guard that fails after blocks that were swept leaves nothing behind.
    let kept = core::mem::replace(&mut items[200], [9.0; 3]);
    let error = f.total_and_gradient(&x, &items).unwrap_err();
    assert!(matches!(error, FunctionError::Guard { point: Some(200), .. }), "{error}");
    items[200] = kept;
    check(&items);
}

#[test]
fn a_guard_among_many_points_names_the_first_it_fails_at() {
    let f = Function::record(&[1.0], |x| if x[0] > 0.0 { x[0] * 2.0 } else { -x[0] }).unwrap();
    let mut points = vec![[1.0]; 900];
    points[333] = [-1.0];
    points[700] = [f64::NAN];
    for threads in [1, 4] {
        let error = wengert::threads(threads, || f.gradients(&points).unwrap_err());
        assert!(matches!(error, FunctionError::Guard { point: Some(333), .. }), "{error}");
        assert!(error.to_string().contains("does not hold at point 333: -1 > 0 was true, now false"), "{error}");
    }
    points[10] = [f64::NAN];
    assert!(matches!(f.values(&points), Err(FunctionError::NanCompared { point: Some(10), .. })));
    assert!(matches!(f.values(&[vec![1.0, 2.0]]), Err(FunctionError::Length { op: "values", got: 2, .. })));
}

#[test]
fn zero_times_infinity_is_zero_in_lanes_too() {
    let f = Function::record(&[1.0, 1.0], |x| (x[0] * x[1]).sqrt() * (x[1] - 1.0) + x[0].ln() * x[1]).unwrap();
    let points = [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]];
    let gradients = f.gradients(&points).unwrap();
    for (x, gradient) in points.iter().zip(gradients.to_vec().chunks(2)) {
        assert_eq!(
            gradient.iter().map(|&x| bits(x)).collect::<Vec<_>>(),
            f.gradient(x).unwrap().into_iter().map(bits).collect::<Vec<_>>()
        );
    }
}

#[test]
fn constants_made_of_symbols_are_constants() {
    let f = Function::record_many(&[3.0, 5.0], |x| {
        let zero = x[1].lit(0.0);
        vec![zero * 1.0, (zero - 0.0).sqrt(), (zero + 2.0).detach() * x[0], zero.powi(1), x[1].lit(1.0) * zero]
    });
    assert_eq!(f.unwrap().eval(&[7.0, 11.0]).unwrap(), [0.0, 0.0, 14.0, 0.0, 0.0]);
}

#[test]
fn a_function_prints_as_a_list_and_as_a_graph() {
    let f = Function::record_with_data(&[1.0, 2.0], &[3.0], |x, d| {
        let y = if x[0] < d[0] { x[0].powi(3) } else { x[1] };
        -(y / x[1]) + log_sum_exp(x) - x[0].hypot(2.0.into()) * x[1]
    })
    .unwrap();
    let text = f.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["inputs x0, x1", "data d0"]);
    for line in ["v0 = powi(x0, 3)", "v1 = v0 / x1", "v2 = -v1", "v3 = log_sum_exp(x0, x1)", "v5 = hypot(x0, 2.0)"] {
        assert!(lines.contains(&line), "{line} in\n{text}");
    }
    assert!(text.contains("guard x0 < d0 is true (tests/suite/function.rs:"), "{text}");
    assert!(text.ends_with("outputs v6\n"), "{text}");
    let graph = f.to_graphviz();
    assert!(graph.starts_with("digraph function {\n") && graph.ends_with("}\n"));
    let nodes = ["  x0 [shape=box, label=\"x0\"];", "  v0 [shape=ellipse, label=\"powi 3\"];"];
    let output = "  v6 [shape=ellipse, peripheries=2, label=\"sub_mul\"];";
    for line in nodes.into_iter().chain([output, "  v0 -> v1;"]) {
        assert!(graph.contains(line), "{line} in\n{graph}");
    }
    let svg = f.to_svg();
    assert!(svg.contains(">powi 3</text>") && svg.contains("<title>v0 -&gt; v1</title>"), "{svg}");
    assert_eq!(svg.matches("marker-end").count(), graph.matches(" -> ").count());
}

#[test]
fn a_saved_function_comes_back_the_same() {
    let f = Function::record(&[0.3, 0.7, -0.2], |x| if x[0] > -10.0 { everything(x) } else { x[0] }).unwrap();
    let bytes = f.to_bytes();
    let loaded = Function::from_bytes(&bytes).unwrap();
    assert_eq!(loaded.to_bytes(), bytes);
    assert_eq!((loaded.to_string(), loaded.steps()), (f.to_string(), f.steps()));
    let x = [1.0, 2.0, 0.5];
    assert_eq!(loaded.value_and_gradient(&x).unwrap(), f.value_and_gradient(&x).unwrap());
    assert_eq!(loaded.value(&[-20.0, 1.0, 1.0]), f.value(&[-20.0, 1.0, 1.0]));
    let data = Function::record_with_data(&[1.0], &[f64::NAN, -0.0], |x, d| x[0] * d[1]).unwrap();
    assert_eq!(bits(Function::from_bytes(&data.to_bytes()).unwrap().value(&[1.0]).unwrap()), bits(-0.0));
}

#[test]
fn damaged_files_are_refused_by_line() {
    let refusal = |text: &str| Function::from_bytes(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        refusal("PK"),
        "load function: line 1: expected `wengert function 1`: not a saved function, or one of another version"
    );
    let start = "wengert function 1\nfloat f64\ninputs 1\ndata\nrecorded 1\n";
    let after = |rest: &str| refusal(&format!("{start}{rest}"));
    assert_eq!(after(""), "load function: line 6: the file ends here, expected more");
    assert_eq!(after("end\n"), "load function: line 6: expected an output before the end");
    assert_eq!(after("output x0\nend\nend\n"), "load function: line 8: expected nothing after the end");
    assert_eq!(after("step warp x0\n"), "load function: line 6: no such operation");
    assert_eq!(after("step sin v0\n"), "load function: line 6: expected an operand that exists, found `v0`");
    assert_eq!(after("step sin x0 x0\n"), "load function: line 6: sin takes 1 operands");
    assert_eq!(after("step dot x0\n"), "load function: line 6: dot of 1 operands");
    assert_eq!(after("constant 12\n"), "load function: line 6: expected the 16 hexadecimal digits of a number of f64");
    assert_eq!(after("guard < x0 x0 less 1 1 f\n"), "load function: line 6: expected a comparison and its answer");
    assert_eq!(
        refusal(&start.replace("inputs 1", "inputs 99999999999999999999")),
        "load function: line 3: expected the number of inputs, a number below 2147483648"
    );
    assert_eq!(refusal(&start.replace("f64", "f32")), "load function: line 2: expected a function of f64");
    assert_eq!(
        Function::from_bytes(b"wengert function 1\n\xff").unwrap_err().to_string(),
        "load function: line 2: not text in UTF-8"
    );
    // More inputs than there is memory for: an error of the call, not an abort.
    let huge = format!("{}output x0\nend\n", start.replace("inputs 1", "inputs 2147483000"));
    let f = Function::from_bytes(huge.as_bytes()).unwrap();
    assert!(matches!(f.gradient(&[1.0]), Err(FunctionError::Length { .. })));
    assert!(matches!(f.hessian(&[1.0]), Err(FunctionError::Length { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Cut off, a byte changed, lines dropped: an error or a function, never a panic.
    #[test]
    fn no_file_makes_loading_panic(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let f = Function::record_with_data(&[0.3, 0.7, -0.2], &[1.0], |x, d| {
            if x[0] > d[0] { x[0] } else { everything(x) * d[0] + dot(x, x) }
        }).unwrap();
        let mut bytes = f.to_bytes();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(f) = Function::from_bytes(bytes) && f.inputs() == 3 {
                let _ = f.value_and_gradient(&[0.1, 0.2, 0.3]);
            }
        }
    }

    #[test]
    fn random_programs_agree_in_lanes_and_in_sparse_form(
        program in strategies::program(3, 6),
        x in prop::array::uniform3(-2.0..2.0_f64),
    ) {
        let f = Function::record(&[0.1, 0.2, 0.3], |x| program.call(x)).unwrap();
        let (values, gradients) = f.values_and_gradients(&[x; 3]).unwrap();
        assert_close(&values[2..], &[f.value(&x).unwrap()], 1e-12);
        assert_close(&gradients.to_vec()[6..], &f.gradient(&x).unwrap(), 1e-11);
        let dense = f.hessian(&x).unwrap().to_vec();
        assert_close(&f.sparse_hessian(&x).unwrap().to_dense().to_vec(), &dense, 1e-11);
        assert_close(&by_entries(&f, &[0.1, 0.2, 0.3], &x), &dense, 1e-11);
        let loaded = Function::from_bytes(&f.to_bytes()).unwrap();
        prop_assert_eq!(bits(loaded.value(&x).unwrap()), bits(f.value(&x).unwrap()));
    }
}
