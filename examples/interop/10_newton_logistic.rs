//! Maximum likelihood of a logistic regression by Newton's method, with the gradient and the Hessian of one function.
//! The Hessian at the maximum also says how far the estimates are to be trusted.

#[path = "../lesson/mod.rs"]
mod lesson;

use nalgebra::{DMatrix, DVector};
use wengert::prelude::*;

/// Minus the logarithm of the likelihood of labels 0 and 1: `sum_i ln(1 + exp(z_i)) - l_i z_i` with `z_i = a_i . w`.
struct MinusLogLikelihood {
    points: Vec<[f64; 4]>,
    labels: Vec<f64>,
}

impl ScalarFn for MinusLogLikelihood {
    fn call<T: Number>(&self, w: &[T]) -> T {
        let terms = self.points.iter().zip(&self.labels).map(|(a, &label)| {
            let z: T = w.iter().zip(a).map(|(&w, &a)| w * a).sum();
            z.softplus() - z * label
        });
        terms.sum()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    lesson::begin(include_str!("10_newton_logistic.rs"));
    // Data from known weights: a column of ones and three features.
    let truth = [-0.5, 1.0, -2.0, 0.25];
    let (count, features) = (2_000, truth.len());
    let mut rng = rng(10);
    let normal = Tensor::<f64>::normal([count, 3], 0.0, 1.0, &mut rng).to_vec();
    let points: Vec<[f64; 4]> = normal.chunks_exact(3).map(|x| [1.0, x[0], x[1], x[2]]).collect();
    let chance = Tensor::<f64>::uniform([count], 0.0, 1.0, &mut rng);
    let labels = points.iter().zip(chance.iter());
    let labels = labels.map(|(a, chance)| if chance < dot(a, &truth).sigmoid() { 1.0 } else { 0.0 }).collect();
    let f = MinusLogLikelihood { points, labels };

    let mut w = vec![0.0; features];
    let mut steps = 0;
    let inverse = loop {
        let (value, gradient) = value_and_grad(|w| f.call(w), &w);
        let gradient = DVector::from_vec(gradient);
        println!("step {steps}: {value:.9}, |gradient| {:.1e}", gradient.norm());
        let curvature = DMatrix::from_row_slice(features, features, &hessian(&f, &w).to_vec());
        let factor = curvature.cholesky().ok_or("the likelihood has no strict maximum")?;
        if gradient.norm() < 1e-9 {
            break factor.inverse();
        }
        let step = factor.solve(&gradient);
        w.iter_mut().zip(step.iter()).for_each(|(w, step)| *w -= step);
        steps += 1;
    };

    for k in 0..features {
        // Fisher: the inverse of the Hessian is the covariance of the estimates.
        let error = inverse[(k, k)].sqrt();
        println!("w[{k}] = {:.3} +- {error:.3}, in truth {}", w[k], truth[k]);
        assert!((w[k] - truth[k]).abs() < 3.0 * error);
    }
    // At the maximum the chances add up to the labels.
    let expected: f64 = f.points.iter().map(|a| dot(a, &w).sigmoid()).sum();
    let ones: f64 = f.labels.iter().sum();
    println!("{ones} ones among {count}, {expected:.9} expected, after {steps} steps");
    assert!((expected - ones).abs() < 1e-8 && steps <= 8);
    Ok(())
}
