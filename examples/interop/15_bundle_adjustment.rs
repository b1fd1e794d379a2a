//! Where were the cameras, and where are the points they saw: bundle adjustment by Levenberg and Marquardt's method.
//! Each residual knows one camera and one point, so the Jacobian is sparse, and colouring gets it in a few sweeps.

#[path = "../lesson/mod.rs"]
mod lesson;

use nalgebra::{DMatrix, DVector};
use wengert::prelude::*;

const CAMERAS: usize = 6;
const POINTS: usize = 40;

/// Where camera `c` (a rotation vector, a translation) sees the point `p`, in units of the focal length.
///
/// Rotation by Rodrigues' formula; `sinc`-like quotients are safe because no camera here stands unrotated.
fn project<T: Number>(c: &[T], p: &[T]) -> [T; 2] {
    let angle = norm2(&c[..3]);
    let axis = [c[0] / angle, c[1] / angle, c[2] / angle];
    let (sin, cos) = (angle.sin(), angle.cos());
    let along = (axis[0] * p[0] + axis[1] * p[1] + axis[2] * p[2]) * (-cos + 1.0);
    let across = |k: usize| axis[(k + 1) % 3] * p[(k + 2) % 3] - axis[(k + 2) % 3] * p[(k + 1) % 3];
    let seen = |k: usize| p[k] * cos + across(k) * sin + axis[k] * along + c[3 + k];
    let depth = seen(2);
    [seen(0) / depth, seen(1) / depth]
}

/// All differences between where points are seen and where they were seen.
fn residuals<T: Number>(x: &[T], seen: &[f64]) -> Vec<T> {
    let (cameras, points) = x.split_at(6 * CAMERAS);
    let pairs = cameras.chunks_exact(6).flat_map(|camera| points.chunks_exact(3).map(move |point| (camera, point)));
    let views = pairs.flat_map(|(camera, point)| project(camera, point));
    views.zip(seen).map(|(view, &seen)| view - seen).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    lesson::begin(include_str!("15_bundle_adjustment.rs"));
    // Cameras on an arc, points in a cube before them, and views with an error of a thousandth of the focal length.
    let mut rng = rng(15);
    let mut truth = Vec::new();
    for k in 0..CAMERAS {
        let angle = 0.2 * (k as f64 + 0.5) - 0.6;
        truth.extend([0.05, angle, 0.02, 0.3 * angle, -0.1, 6.0]);
    }
    truth.extend(Tensor::<f64>::uniform([3 * POINTS], -1.0, 1.0, &mut rng).iter());
    let noise = Tensor::<f64>::normal([2 * CAMERAS * POINTS], 0.0, 1e-3, &mut rng);
    let exact = residuals(&truth, &vec![0.0; noise.len()]);
    let seen: Vec<f64> = exact.iter().zip(noise.iter()).map(|(view, noise)| view + noise).collect();

    // The first guess is off by a tenth of everything.
    let off = Tensor::<f64>::normal([truth.len()], 0.0, 0.1, &mut rng);
    let mut x: Vec<f64> = truth.iter().zip(off.iter()).map(|(x, off)| x + off).collect();

    let f = Function::record_many(&x, |x| residuals(x, &seen))?;
    let cost = |r: &[f64]| r.iter().map(|r| r * r).sum::<f64>();
    let (mut r, mut damping) = (f.eval(&x)?, 1e-3);
    for step in 0..40 {
        let j = f.sparse_jacobian(&x)?;
        // (J^T J + damping diag) step = J^T r, where each row of J has eight entries.
        let mut normal = DMatrix::<f64>::zeros(x.len(), x.len());
        let mut slope = DVector::<f64>::zeros(x.len());
        for (row, residual) in r.iter().enumerate() {
            for (a, p) in j.row(row) {
                slope[a] += p * residual;
                j.row(row).for_each(|(b, q)| normal[(a, b)] += p * q);
            }
        }
        if step == 0 {
            let entries = j.column_indices.len();
            println!("{} residuals, {} unknowns, {entries} entries of {}", j.rows, j.columns, j.rows * j.columns);
            // A view across knows nothing of the camera's height, and one down nothing of its side.
            assert_eq!(entries, (6 + 3 - 1) * j.rows);
        }
        for k in 0..x.len() {
            normal[(k, k)] *= 1.0 + damping;
            normal[(k, k)] += 1e-12; // seven directions move everything and change no view
        }
        let step_back = normal.cholesky().ok_or("the normal equations are not positive")?.solve(&slope);
        let trial: Vec<f64> = x.iter().zip(step_back.iter()).map(|(x, step)| x - step).collect();
        let after = f.eval(&trial)?;
        println!("step {step}: {:.6e} -> {:.6e}, damping {damping:.0e}", cost(&r), cost(&after));
        if cost(&after) < cost(&r) {
            let gain = 1.0 - cost(&after) / cost(&r);
            (x, r, damping) = (trial, after, damping * 0.1);
            if gain < 1e-9 {
                break;
            }
        } else {
            damping *= 10.0;
        }
    }
    // What is left is the noise: its variance times the number of views that are not used up by unknowns.
    let free = (2 * CAMERAS * POINTS - (6 * CAMERAS + 3 * POINTS - 7)) as f64;
    let deviation = (cost(&r) / free).sqrt();
    println!("error of one view: {deviation:.2e}, in truth 1e-3");
    assert!((deviation / 1e-3 - 1.0).abs() < 0.15);
    Ok(())
}
