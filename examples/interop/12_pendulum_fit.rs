//! Fits a damped pendulum to noisy measurements: the derivative goes through the Runge-Kutta steps of the simulation.
//! Gauss-Newton on the residuals, whose Jacobian one call gives.

#[path = "../lesson/mod.rs"]
mod lesson;

use nalgebra::{DMatrix, DVector};
use wengert::prelude::*;

/// Seconds between measurements, and steps of the solver between them.
const INTERVAL: f64 = 0.1;
const STEPS: usize = 5;

/// The angles measured by a perfect observer of `x'' = -k sin x - c x'` from rest. `p`: `k`, `c` and the angle of release.
fn angles<T: Number>(p: &[T], count: usize) -> Vec<T> {
    let slope = |[x, v]: [T; 2]| [v, -(x.sin() * p[0]) - v * p[1]];
    let along = |[x, v]: [T; 2], [dx, dv]: [T; 2], h: f64| [x + dx * h, v + dv * h];
    let h = INTERVAL / STEPS as f64;
    let mut state = [p[2], T::from(0.0)];
    (0..count)
        .map(|_| {
            for _ in 0..STEPS {
                let k1 = slope(state);
                let k2 = slope(along(state, k1, h / 2.0));
                let k3 = slope(along(state, k2, h / 2.0));
                let k4 = slope(along(state, k3, h));
                for i in 0..2 {
                    state[i] += (k1[i] + k2[i] * 2.0 + k3[i] * 2.0 + k4[i]) * (h / 6.0);
                }
            }
            state[0]
        })
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    lesson::begin(include_str!("12_pendulum_fit.rs"));
    let (truth, noise, count) = ([9.81 / 0.7, 0.15, 1.2], 0.02, 100);
    let errors = Tensor::<f64>::normal([count], 0.0, noise, &mut rng(12));
    let measured: Vec<f64> = angles(&truth, count).iter().zip(errors.iter()).map(|(x, e)| x + e).collect();

    // A guess that is in phase with the first swings; from a worse one the fit would need a line search.
    let mut p = vec![13.0, 0.0, 1.0];
    let mut steps = 0;
    let inverse = loop {
        let residuals: Vec<f64> = angles(&p, count).iter().zip(&measured).map(|(x, y)| x - y).collect();
        let jacobian = jacobian(|p| angles(p, count), &p);
        let (r, j) = (DVector::from_vec(residuals), DMatrix::from_row_slice(count, 3, &jacobian.to_vec()));
        let normal = (j.transpose() * &j).cholesky().ok_or("the measurements do not determine the parameters")?;
        let step = normal.solve(&(j.transpose() * &r));
        println!("step {steps}: k {:.4}, c {:.4}, angle {:.4}, rms {:.5}", p[0], p[1], p[2], r.norm() / 10.0);
        p.iter_mut().zip(step.iter()).for_each(|(p, step)| *p -= step);
        steps += 1;
        if step.norm() < 1e-9 {
            break normal.inverse();
        }
    };

    for (k, name) in ["k", "c", "angle"].into_iter().enumerate() {
        let error = noise * inverse[(k, k)].sqrt();
        println!("{name} = {:.4} +- {error:.4}, in truth {:.4}", p[k], truth[k]);
        assert!((p[k] - truth[k]).abs() < 3.0 * error);
    }
    assert!(steps <= 10);
    Ok(())
}
