//! `argmin`: a function as a problem for its solvers.

use crate::transform::{ScalarFn, try_grad, try_hessian};
use argmin::core::{CostFunction, Error, Gradient, Hessian};

/// A [`ScalarFn`] as a problem for argmin's solvers: its value, gradient and Hessian at a `Vec<f64>`.
///
/// An error of the tape ends the solver's run with that error.
///
/// # Examples
/// ```
/// use argmin::core::{Executor, State};
/// use argmin::solver::linesearch::MoreThuenteLineSearch;
/// use argmin::solver::quasinewton::BFGS;
/// use wengert_core::interop::Minimise;
/// use wengert_core::prelude::*;
///
/// fn bowl<T: Number>(x: &[T]) -> T {
///     (x[0] - 1.0).square() + (x[1] + 2.0).square() * 10.0
/// }
/// let unit = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
/// let run = Executor::new(Minimise(function!(bowl)), BFGS::new(MoreThuenteLineSearch::new()))
///     .configure(|state| state.param(vec![5.0, 5.0]).inv_hessian(unit).max_iters(50))
///     .run()?;
/// let x = run.state().get_best_param().unwrap();
/// assert!((x[0] - 1.0).abs() < 1e-6 && (x[1] + 2.0).abs() < 1e-6);
/// # Ok::<(), argmin::core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Minimise<F>(pub F);

impl<F: ScalarFn> CostFunction for Minimise<F> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.0.call(x))
    }
}

impl<F: ScalarFn> Gradient for Minimise<F> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(try_grad(|x| self.0.call(x), x)?)
    }
}

impl<F: ScalarFn> Hessian for Minimise<F> {
    type Param = Vec<f64>;
    type Hessian = Vec<Vec<f64>>;

    fn hessian(&self, x: &Vec<f64>) -> Result<Vec<Vec<f64>>, Error> {
        let rows = try_hessian(&self.0, x)?.to_vec();
        Ok((0..x.len()).map(|i| rows[i * x.len()..][..x.len()].to_vec()).collect())
    }
}
