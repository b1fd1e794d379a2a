//! Functions of many numbers: one node each on a tape, the same numbers everywhere else.

use crate::{assert_close, panic_text};
use proptest::prelude::*;
use wengert_core::prelude::*;
use wengert_core::reductions::{try_affine, try_dot, try_log_sum_exp, try_mean, try_variance};

/// Everything at once, written as users write: over any number.
fn all<T: Number>(x: &[T]) -> [T; 8] {
    let (a, b) = x.split_at(x.len() / 2);
    let b = &b[..a.len()];
    [sum(x), product(x), mean(x), variance(x, 1.0), dot(a, b), affine(a, b, x[0]), norm2(x), log_sum_exp(x)]
}

/// The same by definition.
fn by_definition(x: &[f64]) -> [f64; 8] {
    let n = x.len() as f64;
    let (a, b) = x.split_at(x.len() / 2);
    let total: f64 = x.iter().sum();
    let products: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    [
        total,
        x.iter().product(),
        total / n,
        // Over pairs: sum_{i<j} (x_i - x_j)^2 / n is the sum of squares about the mean.
        x.iter().enumerate().flat_map(|(i, a)| x[..i].iter().map(move |b| (a - b) * (a - b))).sum::<f64>()
            / n
            / (n - 1.0),
        products,
        products + x[0],
        x.iter().map(|x| x * x).sum::<f64>().sqrt(),
        x.iter().map(|x| x.exp()).sum::<f64>().ln(),
    ]
}

proptest! {
    #[test]
    fn they_agree_with_their_definitions_on_every_kind_of_number(x in prop::collection::vec(-2.0..2.0_f64, 4..12)) {
        let expected = by_definition(&x);
        assert_close(&all(&x), &expected, 1e-12);
        let tape = Tape::new();
        let on_tape = tape.vars(&x);
        let before = tape.size().nodes;
        let y = all(&on_tape);
        prop_assert_eq!(tape.size().nodes, before + 8, "one node each");
        prop_assert_eq!(y.map(Var::value), all(&x), "to the last bit");
        // Gradients against central differences of the definitions, and against duals, which take the plain loops.
        let n = x.len();
        let gradients = y.map(|y| y.gradient().wrt(&on_tape));
        for k in 0..n {
            let at = |h: f64| {
                let mut x = x.clone();
                x[k] += h;
                by_definition(&x)
            };
            let (above, below) = (at(1e-5), at(-1e-5));
            let moving: Vec<Dual<f64, 1>> =
                x.iter().enumerate().map(|(i, &x)| Dual { value: x, tangents: [f64::from(u8::from(i == k))] }).collect();
            let forward = all(&moving);
            for f in 0..8 {
                let difference = (above[f] - below[f]) / 2e-5;
                prop_assert!((gradients[f][k] - difference).abs() < 1e-6 * difference.abs().max(1.0), "function {}", f);
                prop_assert!((gradients[f][k] - forward[f].tangents[0]).abs() < 1e-12 * difference.abs().max(1.0));
            }
        }
    }

    #[test]
    fn second_derivatives_of_reverse_mode_agree_with_nested_duals(x in prop::collection::vec(-2.0..2.0_f64, 4..8)) {
        let n = x.len();
        let step = |i: usize, k: usize| f64::from(u8::from(i == k));
        for (i, j) in [(0, 0), (0, 1), (n - 1, 1), (2, 2)] {
            let tape = wengert_core::Tape::<Dual<f64, 1>>::new();
            let on_tape: Vec<Var<'_, Dual<f64, 1>>> =
                (0..n).map(|k| tape.var(Dual { value: x[k], tangents: [step(i, k)] })).collect();
            let nested: Vec<Dual<Dual<f64, 1>, 1>> = (0..n)
                .map(|k| Dual {
                    value: Dual { value: x[k], tangents: [step(i, k)] },
                    tangents: [Dual { value: step(j, k), tangents: [0.0] }],
                })
                .collect();
            let expected = all(&nested).map(|y| y.tangents[0].tangents[0]);
            let got = all(&on_tape).map(|y| y.gradient()[on_tape[j]].tangents[0]);
            assert_close(&got, &expected, 1e-11);
        }
    }
}

#[test]
fn a_large_mean_costs_the_variance_no_digits() {
    let x = [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0];
    assert_eq!((variance(&x, 1.0), variance(&x, 0.0)), (30.0, 22.5));
    let tape = Tape::new();
    let v = tape.vars(&x);
    let y = variance(&v, 1.0);
    assert_eq!((y.value(), y.gradient().wrt(&v)), (30.0, vec![-4.0, -2.0, 2.0, 4.0]));
}

#[test]
fn norms_neither_overflow_nor_underflow() {
    assert_close(&[norm2(&[3e200, 4e200]) / 1e200], &[5.0], 1e-15);
    assert_close(&[norm2(&[3e-200, 4e-200]) * 1e200], &[5.0], 1e-15);
    assert!((norm2(&[3e30_f32, 4e30]) / 5e30 - 1.0).abs() < 1e-6);
    assert_eq!(norm2::<f64>(&[]), 0.0);
    let tape = Tape::new();
    let x = tape.vars(&[3e200, 4e200]);
    assert_close(&norm2(&x).gradient().wrt(&x), &[0.6, 0.8], 1e-15);
    let origin = tape.vars(&[0.0, 0.0]);
    assert_eq!(norm2(&origin).gradient().wrt(&origin), [0.0, 0.0]);
    let moving = Dual::independent([0.0, 0.0]);
    assert_eq!(norm2(&moving).tangents, [0.0, 0.0]);
}

#[test]
fn log_sum_exp_is_the_same_at_infinities_on_every_kind_of_number() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    assert_eq!(log_sum_exp(&[1000.0, 1000.0]), 1000.0 + 2.0_f64.ln());
    assert_eq!(log_sum_exp(&[-inf, -inf]), -inf);
    assert_eq!(log_sum_exp(&[inf, 0.0]), inf);
    assert!(log_sum_exp(&[0.0, nan, 1.0]).is_nan());
    for x in [[-inf, -inf], [inf, 0.0], [0.0, inf], [-inf, 2.0]] {
        let tape = Tape::new();
        let v = tape.vars(&x);
        let y = log_sum_exp(&v);
        let forward = log_sum_exp(&Dual::independent(x));
        assert_eq!(y.value(), forward.value);
        assert_eq!(y.gradient().wrt(&v), forward.tangents, "{x:?}");
    }
}

#[test]
fn iterators_of_any_number_are_summed_and_multiplied_by_value_and_by_reference() {
    fn program<T: Number>(x: &[T]) -> T {
        let by_value: T = x.iter().copied().sum();
        let products: T = x.iter().copied().product();
        x.iter().sum::<T>() * by_value + x.iter().product::<T>() * products
    }
    let x = [1.5, -2.0, 0.5];
    // s^2 + p^2 with s = 0, p = -1.5
    assert_eq!(program(&x), 2.25);
    let tape = Tape::new();
    let v = tape.vars(&x);
    // 2 s + 2 p^2 / x_i
    assert_eq!(program(&v).gradient().wrt(&v), [3.0, -2.25, 9.0]);
    assert_eq!(program(&Dual::independent(x)).tangents, [3.0, -2.25, 9.0]);
}

#[test]
fn what_does_not_fit_is_named_with_the_callers_line() {
    let line = line!() + 1;
    let text = try_dot(&[1.0], &[1.0, 2.0]).unwrap_err().to_string();
    assert!(text.contains(&format!("reductions.rs:{line}:")), "{text}");
    assert!(text.ends_with("dot: 1 numbers on the left, 2 on the right; they must be as many"), "{text}");
    let text = try_affine(&[1.0], &[], 2.0).unwrap_err().to_string();
    assert!(text.ends_with("affine: 1 numbers on the left, 0 on the right; they must be as many"), "{text}");
    for text in [try_mean::<f64>(&[]).unwrap_err(), try_log_sum_exp::<f64>(&[]).unwrap_err()].map(|e| e.to_string()) {
        assert!(text.ends_with(": of nothing; give it at least one number"), "{text}");
    }
    for (x, correction) in [(&[1.0][..], 1.0), (&[], 0.0), (&[1.0, 2.0], f64::NAN)] {
        let text = try_variance(x, correction).unwrap_err().to_string();
        let expected =
            format!("variance: of {} numbers with correction {correction}; it needs more numbers than that", x.len());
        assert!(text.ends_with(&expected), "{text}");
    }
    let line = line!() + 1;
    let text = panic_text(|| variance(&[1.0], 1.0));
    assert!(text.contains(&format!("reductions.rs:{line}:")), "{text}");
}
