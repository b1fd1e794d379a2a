//! Solvers of argmin on functions differentiated here.

use argmin::core::{CostFunction, Executor, Gradient, Hessian, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::BFGS;
use argmin::solver::trustregion::{Steihaug, TrustRegion};
use wengert_core::interop::Minimise;
use wengert_core::prelude::*;

/// Rosenbrock's function of any number of variables; its minimum is 0, at ones.
fn rosenbrock<T: Number>(x: &[T]) -> T {
    x.windows(2).map(|x| (x[1] - x[0] * x[0]).square() * 100.0 + (x[0] - 1.0).square()).sum()
}

#[track_caller]
fn assert_at_ones(x: &[f64], tolerance: f64) {
    assert!(x.iter().all(|x| (x - 1.0).abs() < tolerance), "{x:?}");
}

#[test]
fn bfgs_finds_the_minimum_with_the_gradient() {
    let n = 6;
    let unit = (0..n).map(|i| (0..n).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect::<Vec<Vec<f64>>>();
    let solver = BFGS::new(MoreThuenteLineSearch::new());
    let run = Executor::new(Minimise(function!(rosenbrock)), solver)
        .configure(|state| state.param(vec![-1.2; n]).inv_hessian(unit).max_iters(200))
        .run()
        .unwrap();
    assert_at_ones(run.state().get_best_param().unwrap(), 1e-6);
}

#[test]
fn a_trust_region_method_finds_it_with_the_hessian() {
    let run = Executor::new(Minimise(function!(rosenbrock)), TrustRegion::new(Steihaug::new().with_max_iters(20)))
        .configure(|state| state.param(vec![-1.2, 1.0, -0.5]).max_iters(100))
        .run()
        .unwrap();
    assert_at_ones(run.state().get_best_param().unwrap(), 1e-6);
}

#[test]
fn a_problem_gives_value_gradient_and_hessian() {
    fn f<T: Number>(x: &[T]) -> T {
        x[0] * x[0] * x[1]
    }
    let (problem, x) = (Minimise(function!(f)), vec![3.0, 5.0]);
    assert_eq!(problem.cost(&x).unwrap(), 45.0);
    assert_eq!(problem.gradient(&x).unwrap(), [30.0, 9.0]);
    assert_eq!(problem.hessian(&x).unwrap(), [[10.0, 6.0], [6.0, 0.0]]);
}
