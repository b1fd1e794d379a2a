//! Second derivatives beside the gradient they are made of.

use super::scalar::{Program, Rosenbrock};
use super::{Table, in_turn, time};
use std::hint::black_box;
use wengert::prelude::*;

impl Table {
    /// The Hessian times a vector, recorded once and recorded at every call, each beside the gradient got in that way.
    pub fn hessian_times_vector(&self) {
        let name = |way: &str| format!("{}, Hessian times vector, {way}", Rosenbrock::NAME);
        let ways = [name("recorded and replayed"), name("by `hvp`")];
        if !ways.iter().any(|name| self.wants(name)) {
            return;
        }
        let x = Rosenbrock.point();
        let v: Vec<f64> = (0..x.len()).map(|i| f64::from(i as u32 % 7) - 3.0).collect();
        let recorded = Function::record(&x, |x| Rosenbrock.value(x)).expect("no branch to record");
        let [ours, other] = [recorded.hvp(&x, &v).expect("the recorded shapes"), hvp(&Rosenbrock, &x, &v)];
        // Of f = sum 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2, by hand.
        for (i, (ours, other)) in ours.iter().zip(other).enumerate() {
            let (mut expected, mut size) = (0.0, 0.0);
            let mut add = |entry: f64, v: f64| {
                expected += entry * v;
                size += (entry * v).abs();
            };
            if i + 1 < x.len() {
                add(1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0, v[i]);
                add(-400.0 * x[i], v[i + 1]);
            }
            if i > 0 {
                add(200.0, v[i]);
                add(-400.0 * x[i - 1], v[i - 1]);
            }
            for got in [*ours, other] {
                assert!((got - expected).abs() <= 1e-12 * size, "row {i}: {got} instead of {expected}");
            }
        }
        let row = |name: &str, product: &mut dyn FnMut(), gradient: &mut dyn FnMut()| {
            let (product, gradient) = in_turn(product, gradient);
            self.row(name, &time(product), &format!("{} (its gradient)", time(gradient)), product / gradient);
        };
        row(&ways[0], &mut || _ = black_box(recorded.hvp(black_box(&x), &v)), &mut || {
            _ = black_box(recorded.gradient(black_box(&x)));
        });
        row(&ways[1], &mut || _ = black_box(hvp(&Rosenbrock, black_box(&x), &v)), &mut || {
            _ = black_box(grad(|x| Rosenbrock.call(x), black_box(&x)));
        });
    }

    /// A sparse Hessian whose pattern and colouring are known: by replays with tangents, and by a program of its own.
    pub fn coloured_hessian(&self) {
        const INPUTS: usize = 100;
        let name = |way: &str| format!("{}, {INPUTS} variables, coloured Hessian, {way}", Rosenbrock::NAME);
        let ways = [name("replayed"), name("as a program of its own")];
        if !ways.iter().any(|name| self.wants(name)) {
            return;
        }
        let x: Vec<f64> = Rosenbrock.point()[..INPUTS].to_vec();
        let recorded = Function::record(&x, |x| Rosenbrock.value(x)).expect("no branch to record");
        let mut sparse = recorded.sparse_hessian(&x).expect("one output");
        let mut program = recorded.sparse_hessian_program().expect("one output");
        let dense = recorded.hessian(&x).expect("one output").to_vec();
        for sparse in [&sparse, program.at(&x).expect("the recorded branch")] {
            assert_eq!(sparse.values.len(), 3 * INPUTS - 2, "the Hessian is tridiagonal");
            for (got, dense) in sparse.to_dense().iter().zip(&dense) {
                assert!((got - dense).abs() <= 1e-12 * got.abs(), "{got} instead of {dense}");
            }
        }
        let mut gradient = vec![0.0; INPUTS];
        let mut gradient = || _ = black_box(recorded.gradient_into(black_box(&x), &mut gradient));
        let mut row = |name: &str, hessian: &mut dyn FnMut()| {
            let (hessian, gradient) = in_turn(hessian, &mut gradient);
            self.row(name, &time(hessian), &format!("{} (its gradient)", time(gradient)), hessian / gradient);
        };
        row(&ways[0], &mut || _ = black_box(recorded.sparse_hessian_into(black_box(&x), &mut sparse)));
        row(&ways[1], &mut || _ = black_box(program.at(black_box(&x))));
    }
}
