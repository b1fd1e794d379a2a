//! S9: the posterior of a logistic regression, 1000 observations of 20 features.

use super::{Arithmetic, Program, normal};
use wengert::prelude::*;

/// `sum_i y_i e_i - ln(1 + exp(e_i)) - sum_j b_j^2 / (2 * 2.5^2)` with `e = X b`.
pub struct Logistic {
    pub x: Tensor<f64>,
    pub y: Tensor<f64>,
}

const OBSERVATIONS: usize = 1000;
const FEATURES: usize = 20;

impl Default for Logistic {
    fn default() -> Self {
        let y = normal(OBSERVATIONS, 1.0, 6).iter().map(|&y| f64::from(u8::from(y > 0.0))).collect();
        Logistic { x: Tensor::from_vec([OBSERVATIONS, FEATURES], normal(OBSERVATIONS * FEATURES, 1.0, 5)), y }
    }
}

impl Program for Logistic {
    const NAME: &'static str = "S9_logistic_regression";
    const OPS: usize = 46_100;

    fn point(&self) -> Vec<f64> {
        normal(FEATURES, 0.3, 7)
    }

    fn value<T: Arithmetic>(&self, b: &[T]) -> T {
        let mut log_posterior = b[0].constant(0.0);
        let (x, y) = (self.x.as_slice(), self.y.as_slice());
        let (x, y) = (x.expect("made in one piece"), y.expect("made in one piece"));
        for (x, &y) in x.chunks_exact(FEATURES).zip(y) {
            let mut e = b[0] * x[0];
            for j in 1..FEATURES {
                e = e + b[j] * x[j];
            }
            log_posterior = log_posterior + (e * y - (e.exp() + 1.0).ln());
        }
        for &b in b {
            log_posterior = log_posterior - b * b * (0.5 / 6.25);
        }
        log_posterior
    }
}

impl Logistic {
    /// The term of one observation, recorded, and the observations: features, then the label.
    pub fn recorded(&self) -> (Function, Vec<Vec<f64>>) {
        let (x, y) = (self.x.to_vec(), self.y.to_vec());
        let items: Vec<Vec<f64>> = x.chunks_exact(FEATURES).zip(y).map(|(x, y)| [x, &[y]].concat()).collect();
        let term = Function::record_with_data(&self.point(), &items[0], |b, item| {
            let e = dot(b, &item[..FEATURES]);
            // The prior in equal shares.
            e * item[FEATURES] - e.softplus() - dot(b, b) * (0.5 / 6.25 / OBSERVATIONS as f64)
        });
        (term.expect("no branch to record"), items)
    }

    /// The same with `e = X b` as a product of tensors.
    pub fn with_tensors<'t>(&self, tape: &'t Tape, b: &[Var<'t>]) -> Var<'t> {
        let e = tape.constant_tensor(&self.x).matmul(tape.pack(b));
        let likelihood = zip_map_sum([tape.constant_tensor(&self.y), e], |[y, e]| y * e - e.softplus());
        likelihood.scalar() - dot(b, b) * (0.5 / 6.25)
    }
}
