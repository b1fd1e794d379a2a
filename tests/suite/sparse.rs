//! Sparse Jacobians and Hessians of recorded functions, by replays and as programs of their own, against dense ones.

use crate::function::assert_close;
use wengert_core::prelude::*;
use wengert_core::{Binary, FunctionError, Parametric, Unary};

fn rosenbrock<T: Number>(x: &[T]) -> T {
    let pairs = x.windows(2).map(|x| (x[1] - x[0] * x[0]).square() * 100.0 + (x[0] - 1.0).square());
    pairs.fold(T::from(0.0), |sum, x| sum + x)
}

#[test]
fn sparse_derivatives_are_the_dense_ones() {
    let x: Vec<f64> = (0..100).map(|k| (f64::from(k) * 0.7).sin()).collect();
    let f = Function::record(&x, |x| rosenbrock(x)).unwrap();
    let h = f.sparse_hessian(&x).unwrap();
    assert_eq!(h.values.len(), 298, "tridiagonal");
    assert_close(&h.to_dense().to_vec(), &hessian(&function!(rosenbrock), &x).to_vec(), 1e-14);
    assert_close(&f.hessian(&x).unwrap().to_vec(), &h.to_dense().to_vec(), 1e-14);
    let mut other = f.sparse_hessian(&vec![0.0; 100]).unwrap();
    f.sparse_hessian_into(&x, &mut other).unwrap();
    assert_eq!(other, h);
    assert_close(&by_entries(&f, &[0.0; 100], &x), &hessian(&function!(rosenbrock), &x).to_vec(), 1e-14);
    other.values.pop();
    let text = f.sparse_hessian_into(&x, &mut other).unwrap_err().to_string();
    assert_eq!(text, "sparse_hessian: matrix of 297 numbers for a function of 298");
    // A hub, a chain, and an input nothing hangs on; more inputs than a word has bits.
    let f = Function::record(&x, |x| {
        (1..99).fold(x[0].exp(), |sum, k| sum + x[0] * x[k].sin() + (x[k] / (x[k - 1].square() + 1.0)).atan())
    })
    .unwrap();
    let h = f.sparse_hessian(&x).unwrap();
    assert_close(&h.to_dense().to_vec(), &f.hessian(&x).unwrap().to_vec(), 1e-14);
    assert_close(&by_entries(&f, &[0.5; 100], &x), &f.hessian(&x).unwrap().to_vec(), 1e-14);
    assert!(h.row(99).next().is_none() && h.values.len() < 700, "{}", h.values.len());
    // By columns, and by rows where a row is full.
    let banded = Function::record_many(&x, |x| x.windows(3).map(|x| x[0] * x[1] - x[2].sin()).collect()).unwrap();
    let full =
        Function::record_many(&x, |x| vec![x.iter().copied().sum::<Symbol>().exp(), x[3] * x[4], x[3].abs()]).unwrap();
    for f in [banded, full] {
        let j = f.sparse_jacobian(&x).unwrap();
        assert_close(&j.to_dense().to_vec(), &f.jacobian(&x).unwrap().to_vec(), 1e-14);
        assert!(j.values.len() <= 3 * 98);
        let mut program = f.sparse_jacobian_program();
        program.at(&[0.5; 100]).unwrap();
        assert_close(&program.at(&x).unwrap().to_dense().to_vec(), &f.jacobian(&x).unwrap().to_vec(), 1e-14);
        let text = program.at(&x[1..]).unwrap_err().to_string();
        assert!(text.ends_with("point of 99 numbers for a function of 100"), "{text}");
    }
}

/// The Hessian by its program at `x`, after another point.
pub(crate) fn by_entries(f: &Function, elsewhere: &[f64], x: &[f64]) -> Vec<f64> {
    let mut program = f.sparse_hessian_program().unwrap();
    program.at(elsewhere).unwrap();
    program.at(x).unwrap().to_dense().to_vec()
}

#[test]
fn every_row_has_the_entries_of_its_hessian() {
    let check = |name: &str, f: Function, x: &[f64], expected: &[f64]| {
        for (got, want) in by_entries(&f, x, x).iter().zip(expected) {
            // The incomplete gamma functions have no more than four derivatives in their shape.
            let is_given = !(want.is_nan() && name.starts_with("gamma_"));
            let scale = want.abs().max(1.0);
            assert!(!is_given || (got - want).abs() <= 1e-13 * scale, "{name} at {x:?}: {got} for {want}");
        }
    };
    for &op in Unary::ALL {
        let (low, high) = op.domain();
        for x in [0.25, 0.7].map(|share| low + share * (high - low)) {
            // Of f(x) y: by series, which know nothing of the rows' slopes of slopes.
            let series: Taylor<f64, 3> = op.eval(Taylor::along(x, 1.0));
            let [_, slope, bend] = series.derivatives();
            let f = Function::record(&[x, 3.0], |x| op.eval(x[0]) * x[1]).unwrap();
            check(op.name(), f, &[x, 3.0], &[3.0 * bend, slope, slope, 0.0]);
        }
    }
    for &op in Parametric::SAMPLES {
        let (low, high) = op.domain();
        let x = low + 0.3 * (high - low);
        let series: Taylor<f64, 3> = op.eval(Taylor::along(x, 1.0));
        let [_, slope, bend] = series.derivatives();
        let f = Function::record(&[x, 3.0], |x| op.eval(x[0]) * x[1]).unwrap();
        check(op.name(), f, &[x, 3.0], &[3.0 * bend, slope, slope, 0.0]);
    }
    for &op in Binary::ALL {
        let [(a_low, a_high), (b_low, b_high)] = op.domain();
        let (a, b) = (a_low + 0.3 * (a_high - a_low), b_low + 0.6 * (b_high - b_low));
        let along = |s: f64, t: f64| {
            let series: Taylor<f64, 3> = op.eval(Taylor::along(a, s), Taylor::along(b, t));
            series.derivatives()[2]
        };
        let (aa, bb) = (along(1.0, 0.0), along(0.0, 1.0));
        let ab = (along(1.0, 1.0) - aa - bb) / 2.0;
        let f = Function::record(&[a, b], |x| op.eval(x[0], x[1])).unwrap();
        check(op.name(), f, &[a, b], &[aa, ab, ab, bb]);
    }
}

#[test]
fn a_program_of_entries_knows_data_guards_and_zero_times_infinity() {
    let f = Function::record_with_data(&[1.0, 2.0], &[3.0], |x, d| {
        let y = x[0].square() * x[1] * d[0];
        if y > 0.0 { y * x[1].detach() } else { -y }
    })
    .unwrap();
    let mut h = f.sparse_hessian_program().unwrap();
    assert_eq!(h.at(&[3.0, 5.0]).unwrap().to_dense().to_vec(), [150.0, 90.0, 90.0, 0.0]);
    h.set_data(&[1.0]).unwrap();
    assert_eq!(h.at(&[3.0, 5.0]).unwrap().to_dense().to_vec(), [50.0, 30.0, 30.0, 0.0]);
    let Err(FunctionError::Guard { a, .. }) = h.at(&[3.0, -1.0]) else { panic!("no guard") };
    assert_eq!(a, -9.0);
    let text = h.set_data(&[]).unwrap_err().to_string();
    assert_eq!(text, "set_data: data of 0 numbers for a function of 1");
    // The same of Jacobians.
    let mut f = Function::record_many_with_data(&[1.0, 2.0], &[3.0], |x, d| {
        let y = x[0] * x[1].square() * d[0];
        vec![if y > 0.0 { y } else { -y }, x[1].detach() * x[0], (x[0] * 0.0).sqrt() * 0.0 + x[1]]
    })
    .unwrap();
    f.set_data(&[5.0]).unwrap();
    let mut j = f.sparse_jacobian_program();
    assert_eq!(j.at(&[2.0, 3.0]).unwrap().to_dense().to_vec(), [45.0, 60.0, 3.0, 0.0, 0.0, 1.0]);
    let Err(FunctionError::Guard { a, .. }) = j.at(&[-1.0, 1.0]) else { panic!("no guard") };
    assert_eq!(a, -5.0);
    let text = f.sparse_hessian_program().unwrap_err().to_string();
    assert!(text.starts_with("sparse_hessian_program: "), "{text}");
    // The slope of the square root is infinite where nothing asks for it.
    let f = Function::record(&[0.5, 0.25], |x| x[0].sqrt() * 0.0 + x[1].square() * x[1]).unwrap();
    assert_eq!(by_entries(&f, &[0.5, 0.25], &[0.0, 2.0]), [0.0, 0.0, 0.0, 12.0]);
    let f = Function::record(&[0.5, 0.25], |x| x[0].sqrt() * x[1]).unwrap();
    assert_eq!(by_entries(&f, &[0.5, 0.25], &[0.0, 0.0]), f.hessian(&[0.0, 0.0]).unwrap().to_vec());
}

#[test]
fn a_dense_hessian_has_no_program_of_entries() {
    // A long chain, in which every step moves with all inputs.
    fn chain<T: Number>(x: &[T]) -> T {
        let total = x.iter().fold(T::from(1.0), |total, &x| total * (x * 0.1 + 1.0));
        (0..200).fold(total, |y, _| (y + 0.5).sin())
    }
    let x: Vec<f64> = (0..40).map(|k| (f64::from(k) * 0.7).sin()).collect();
    let f = Function::record(&x, |x| chain(x)).unwrap();
    let mut program = f.sparse_hessian_program().unwrap();
    assert_eq!(program.at(&x).unwrap(), &f.sparse_hessian(&x).unwrap());
    assert_close(&program.at(&x).unwrap().to_dense().to_vec(), &hessian(&function!(chain), &x).to_vec(), 1e-13);
}
