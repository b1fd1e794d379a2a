//! Recorded functions at many points at once: a number of each point in every lane of the vector unit.

use super::scalar::{Gradient, Program};
use super::{Table, in_turn, time};
use std::hint::black_box;
use wengert::prelude::*;

/// Points of [`Table::points_in_lanes`]: two vectors of `f64`.
const POINTS: usize = 16;

impl Table {
    /// The gradient of a sum over items, recorded for one item and replayed for all in vector lanes.
    pub fn sum_in_lanes<P: Program + Default>(&self, recorded: impl Fn(&P) -> (Function, Vec<Vec<f64>>)) {
        let name = format!("{}, recorded by item, in lanes", P::NAME);
        if !self.wants(&name) {
            return;
        }
        let program = P::default();
        let (term, items) = recorded(&program);
        let point = program.point();
        let mut gradient = Gradient::at(point.clone());
        let expected = gradient.of(|_, x| program.value(x));
        let size = expected.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
        let (_, got) = term.total_and_gradient(&point, &items).expect("the recorded shapes");
        for (x, y) in got.iter().zip(expected) {
            assert!((x - y).abs() <= 1e-10 * size, "{}, in lanes: {x} instead of {y}", P::NAME);
        }
        let mut primal = || _ = black_box(program.value(black_box(&point[..])));
        let mut ours = || _ = black_box(term.total_and_gradient(&point, &items));
        let (ours, primal) = wengert::threads(1, || in_turn(&mut ours, &mut primal));
        let ours_per_op = format!("{} = {} an op", time(ours), time(ours / P::OPS as f64));
        self.row(&name, &ours_per_op, &format!("{} (its primal)", time(primal)), ours / primal);
    }

    /// The gradients of a whole program at several points, recorded once.
    pub fn points_in_lanes<P: Program + Default>(&self) {
        let name = format!("{}, recorded, {POINTS} points in lanes, per point", P::NAME);
        if !self.wants(&name) {
            return;
        }
        let program = P::default();
        let point = program.point();
        let recorded = Function::record(&point, |x| program.value(x)).expect("no branch to record");
        let points: Vec<Vec<f64>> =
            (0..POINTS).map(|k| point.iter().map(|x| x * (1.0 + 1e-3 * k as f64)).collect()).collect();
        let gradients = recorded.gradients(&points).expect("the recorded branches");
        let gradients = gradients.to_vec();
        for (point, got) in points.iter().zip(gradients.chunks_exact(point.len())) {
            let mut gradient = Gradient::at(point.clone());
            let expected = gradient.of(|_, x| program.value(x));
            let size = expected.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
            for (x, y) in got.iter().zip(expected) {
                assert!((x - y).abs() <= 1e-9 * size, "{}, at points in lanes: {x} instead of {y}", P::NAME);
            }
        }
        let mut primal = || _ = black_box(program.value(black_box(&point[..])));
        let mut ours = || _ = black_box(recorded.values_and_gradients(&points));
        let (ours, primal) = wengert::threads(1, || in_turn(&mut ours, &mut primal));
        let ours = ours / POINTS as f64;
        let ours_per_op = format!("{} = {} an op", time(ours), time(ours / P::OPS as f64));
        self.row(&name, &ours_per_op, &format!("{} (its primal)", time(primal)), ours / primal);
    }
}
