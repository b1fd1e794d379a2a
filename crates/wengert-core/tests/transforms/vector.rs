//! Several seeds in one sweep, and Jacobians of every shape.

use crate::{assert_close, panic_text};
use wengert_core::prelude::*;
use wengert_core::transform::{try_jacobian, try_jacobian_of};
use wengert_core::{Error, Tape as AnyTape};

/// `y_i = sin(x_i') x_i'' + i` with the indices going round, and its Jacobian by hand.
fn program<T: Number>(x: &[T], outputs: usize) -> Vec<T> {
    let n = x.len();
    (0..outputs).map(|i| x[i % n].sin() * x[(i * 3 + 1) % n] + i as f64).collect()
}
fn by_hand(x: &[f64], outputs: usize) -> Vec<f64> {
    let n = x.len();
    let mut jacobian = vec![0.0; outputs * n];
    for i in 0..outputs {
        let (a, b) = (i % n, (i * 3 + 1) % n);
        jacobian[i * n + a] += x[a].cos() * x[b];
        jacobian[i * n + b] += x[a].sin();
    }
    jacobian
}

struct Program(usize);
impl VectorFn for Program {
    fn call<T: Number>(&self, x: &[T]) -> Vec<T> {
        program(x, self.0)
    }
}

#[test]
fn jacobians_of_every_shape_agree_with_the_formula_in_either_mode() {
    for n in [1, 2, 4, 5, 9] {
        let x: Vec<f64> = (0..n).map(|k| 0.3 + 0.4 * k as f64).collect();
        for outputs in [1, 2, 4, 5, 8, 9, 17] {
            let expected = by_hand(&x, outputs);
            let reverse = jacobian(|x| program(x, outputs), &x);
            assert_eq!(reverse.shape()[..], [outputs, n]);
            assert_close(&reverse.to_vec(), &expected, 1e-14);
            let chosen = jacobian_of(&Program(outputs), &x);
            assert_eq!(chosen.shape()[..], [outputs, n]);
            assert_close(&chosen.to_vec(), &expected, 1e-14);
        }
    }
    assert_eq!(jacobian(|_| vec![], &[1.0]).shape()[..], [0, 1]);
}

#[test]
fn a_jacobian_passes_through_nodes_of_many_operands_and_constants() {
    let tape = Tape::new();
    let x = tape.vars(&[1.0, 2.0, 3.0]);
    let outputs = [sum(&x), dot(&x, &x), product(&x), x[1], tape.constant(3.0), Var::from(2.0), -x[2] * 2.0];
    let expected = [
        [1.0, 1.0, 1.0],
        [2.0, 4.0, 6.0],
        [6.0, 3.0, 2.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [0.0, 0.0, -2.0],
    ];
    assert_eq!(tape.jacobian(&outputs, &x).to_vec(), expected.concat());
    // What is recorded later, and sweeps in between, change nothing.
    let _ = (x[0] * x[1]).gradient();
    assert_eq!(tape.jacobian(&outputs[..2], &x).to_vec(), expected[..2].concat());
}

#[test]
fn zero_times_infinity_is_zero_in_every_lane_and_spoils_no_other() {
    let tape = Tape::new();
    let (x, y) = (tape.var(0.0), tape.var(2.0));
    let dead = (x * y).sqrt() * (y - 2.0);
    let infinite = (x * y).sqrt() + y;
    let j = tape.jacobian(&[dead + x, infinite, x * y], &[x, y]).to_vec();
    assert_eq!(j, [1.0, 0.0, f64::INFINITY, 1.0, 2.0, 0.0]);
    let g = tape.vjp_n([(dead, [1.0, 0.0]), (y, [0.0, 5.0])]);
    assert_eq!((g[x], g[y]), ([0.0, 0.0], [0.0, 5.0]));
}

#[test]
fn seeds_in_lanes_are_sums_over_outputs() {
    let tape = Tape::new();
    let (x, y) = (tape.var(2.0), tape.var(5.0));
    let (a, b) = (x * y, x / y);
    let g = tape.vjp_n([(a, [1.0, 0.0, 2.0]), (b, [0.0, 1.0, 10.0])]);
    assert_eq!((g[x], g[y]), ([5.0, 0.2, 12.0], [2.0, -0.08, 4.0 - 0.8]));
    assert_eq!(g.get(-x), None);
    assert_eq!(g.get(tape.constant(1.0)), None);
    assert_eq!(panic_text(|| g[-x]), "not an input: call y.retain() first, and use what it returns");
    let kept = (x * 3.0).retain();
    assert_eq!(panic_text(|| g[kept]), "the variable was recorded after the sweep");
    assert_eq!(tape.vjp_n([(kept * kept, [1.0])])[kept], [12.0]);
}

#[test]
fn lanes_pass_through_tensors_too() {
    let tape = Tape::new();
    let x = tape.vars(&[1.0, 2.0, 3.0]);
    let squares = tape.pack(&x).square();
    let outputs: Vec<Var<'_>> = squares.scalars().into_iter().chain([squares.sum().scalar()]).collect();
    let expected = [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0], [2.0, 4.0, 6.0]];
    assert_eq!(tape.jacobian(&outputs, &x).to_vec(), expected.concat());
}

#[test]
fn duals_have_lanes_too() {
    // The Jacobian's derivative along v, row by row: (d/dx)(x y) = y, moving with 3.
    let tape = AnyTape::<Dual<f64, 1>>::new();
    let x = tape.var(Dual { value: 2.0, tangents: [1.0] });
    let y = tape.var(Dual { value: 5.0, tangents: [3.0] });
    let one = Dual::constant(1.0);
    let zero = Dual::constant(0.0);
    let g = tape.vjp_n([(x * y, [one, zero]), (y * y, [zero, one])]);
    assert_eq!(g[x].map(|d| (d.value, d.tangents[0])), [(5.0, 3.0), (0.0, 0.0)]);
    assert_eq!(g[y].map(|d| (d.value, d.tangents[0])), [(2.0, 1.0), (10.0, 6.0)]);
}

#[test]
fn mistakes_are_named() {
    let (tape, other) = (Tape::new(), Tape::new());
    let (x, y) = (tape.var(1.0), other.var(2.0));
    let error = tape.try_jacobian(&[x * x, y], &[x]).unwrap_err();
    assert!(matches!(error, Error::MixedTapes { .. }), "{error}");
    assert!(matches!(tape.try_vjp_n([(x, [1.0])]), Err(Error::MixedTapes { .. })), "the error stays on the tape");
    let text = try_jacobian(|x: &[Var<'_>]| x.to_vec(), &[]).unwrap_err().to_string();
    assert!(text.ends_with("jacobian: of nothing; give it at least one number"), "{text}");
    let text = try_jacobian_of(&Program(2), &[]).unwrap_err().to_string();
    assert!(text.ends_with("jacobian_of: of nothing; give it at least one number"), "{text}");

    /// Returns one number more each time it is called.
    struct Growing(std::cell::Cell<usize>);
    impl VectorFn for Growing {
        fn call<T: Number>(&self, x: &[T]) -> Vec<T> {
            self.0.set(self.0.get() + 1);
            vec![x[0]; self.0.get()]
        }
    }
    let line = line!() + 1;
    let text = try_jacobian_of(&Growing(1.into()), &[1.0]).unwrap_err().to_string();
    assert!(text.contains(&format!("vector.rs:{line}:")), "{text}");
    assert!(text.ends_with("jacobian_of: 2 numbers on the left, 3 on the right; they must be as many"), "{text}");
}
