//! Differentiates through nalgebra's Cholesky factorisation: the length and the noise of a Gaussian process from data.
//! A function written for any `RealField` is evaluated on plain numbers and on [`Real`], and given by name.

#[path = "../lesson/mod.rs"]
mod lesson;

use nalgebra::{DMatrix, DVector, RealField, convert};
use wengert::prelude::*;
use wengert::real;

/// Where the process was observed.
fn places() -> Vec<f64> {
    (0..40).map(|k| f64::from(k) / 4.0).collect()
}

/// What was observed there.
fn observed() -> DVector<f64> {
    let errors = Tensor::<f64>::normal([40], 0.0, 0.1, &mut rng(13));
    DVector::from_iterator(40, places().iter().zip(errors.iter()).map(|(x, e)| x.sin() + 0.3 * (2.5 * x).cos() + e))
}

/// The covariance `K_ij = exp(-(x_i - x_j)^2 / 2 l^2) + s^2 [i = j]`, from the logarithms of `l` and `s`.
fn covariance<T: RealField + Copy>(p: &[T]) -> DMatrix<T> {
    let (x, length, noise) = (places(), p[0].exp(), p[1].exp());
    DMatrix::from_fn(x.len(), x.len(), |i, j| {
        let distance = convert::<f64, T>(x[i] - x[j]) / length;
        let k = (-distance * distance * convert(0.5)).exp();
        if i == j { k + noise * noise } else { k }
    })
}

/// Minus the logarithm of the likelihood, without its constant: `(yT K^-1 y + ln det K)/2` (C. Rasmussen and
/// C. Williams, *Gaussian Processes for Machine Learning*, 2006, equation 2.30).
fn minus_log_likelihood<T: RealField + Copy>(p: &[T]) -> T {
    let y: DVector<T> = observed().map(convert);
    let factor = covariance(p).cholesky().expect("covariances are positive definite");
    let half: T = convert(0.5);
    y.dot(&factor.solve(&y)) * half + factor.l_dirty().diagonal().iter().fold(T::zero(), |sum, l| sum + l.ln())
}

fn main() {
    lesson::begin(include_str!("13_through_nalgebra.rs"));
    // The same gradient by hand, equation 5.9: tr((K^-1 - a aT) dK/dp)/2 with a = K^-1 y; dK by differences.
    let p = [0.3, -1.0];
    let gradient = real::grad(minus_log_likelihood, &p);
    let inverse = covariance(&p).try_inverse().expect("covariances are regular");
    let a = &inverse * observed();
    for (k, derivative) in gradient.into_iter().enumerate() {
        let h = 1e-5;
        let moved = |h: f64| covariance(&std::array::from_fn::<f64, 2, _>(|i| if i == k { p[i] + h } else { p[i] }));
        let slope = (moved(h) - moved(-h)) / (2.0 * h);
        let expected = ((&inverse - &a * a.transpose()) * slope).trace() / 2.0;
        println!("derivative by parameter {k}: {derivative:.9}, by hand {expected:.9}");
        assert!((derivative - expected).abs() < 1e-7 * expected.abs());
    }

    // Newton's method to the most likely parameters; the Hessian goes through the factorisation twice.
    let mut p = vec![0.3, -1.5];
    for _ in 0..20 {
        let g = DVector::from_vec(real::grad(minus_log_likelihood, &p));
        let h = DMatrix::from_row_slice(2, 2, &real::hessian(minus_log_likelihood, &p).to_vec());
        // Downhill where the function curves the wrong way, and no further than it falls.
        let step = h.cholesky().map_or_else(|| g.clone(), |h| h.solve(&g));
        let at = |t: f64| p.iter().zip(step.iter()).map(|(p, step)| p - t * step).collect::<Vec<f64>>();
        let falls = |t: &f64| minus_log_likelihood(&at(*t)) <= minus_log_likelihood(&p);
        let halvings = (0..30).map(|k| 0.5_f64.powi(k));
        p = halvings.into_iter().find(falls).map_or_else(|| p.clone(), at);
    }
    let gradient = real::grad(minus_log_likelihood, &p);
    let steepest = gradient.iter().fold(0.0_f64, |steepest, g| steepest.max(g.abs()));
    println!("length {:.4}, noise {:.4} (in truth 0.1), gradient {steepest:.0e}", p[0].exp(), p[1].exp());
    assert!(steepest < 1e-8);
    assert!((p[1].exp() - 0.1).abs() < 0.03);
}
