//! S1: the log-likelihood of a Gaussian mixture, 1000 points in 10 dimensions, 25 components.

use super::{Arithmetic, Program, normal};
use wengert::prelude::*;

/// The objective of ADBench's GMM (Srajer, Kukelova and Fitzgibbon 2018): weights, means and the inverse Cholesky factors
/// of the covariances, with a Wishart prior.
pub struct Gmm {
    points: Vec<f64>,
}

const DIM: usize = 10;
const COMPONENTS: usize = 25;
const POINTS: usize = 1000;
/// Entries of a triangular factor: logarithms of the diagonal, then the rest by columns.
const FACTOR: usize = DIM * (DIM + 1) / 2;

impl Default for Gmm {
    fn default() -> Self {
        Gmm { points: normal(POINTS * DIM, 1.0, 1) }
    }
}

/// What all points share: made once from the parameters.
struct Shared<T> {
    /// `weight_k + sum of the logarithms of the diagonal`.
    offsets: Vec<T>,
    /// Diagonals of the factors.
    diagonals: Vec<T>,
}

impl<T: Arithmetic> Shared<T> {
    fn new(p: &[T]) -> Self {
        let (weights, _, factors) = parts(p);
        let mut shared = Shared { offsets: Vec::with_capacity(COMPONENTS), diagonals: Vec::new() };
        for (k, factor) in factors.chunks_exact(FACTOR).enumerate() {
            let mut logs = factor[0];
            for &log in &factor[1..DIM] {
                logs = logs + log;
            }
            shared.diagonals.extend(factor[..DIM].iter().map(|log| log.exp()));
            shared.offsets.push(weights[k] + logs);
        }
        shared
    }
}

/// Weights, means, factors.
fn parts<T>(p: &[T]) -> (&[T], &[T], &[T]) {
    let (weights, rest) = p.split_at(COMPONENTS);
    let (means, factors) = rest.split_at(COMPONENTS * DIM);
    (weights, means, factors)
}

fn log_sum_exp<T: Arithmetic>(x: &[T]) -> T {
    let mut largest = x[0];
    for &x in &x[1..] {
        if x.number() > largest.number() {
            largest = x;
        }
    }
    let mut sum = largest.constant(0.0);
    for &x in x {
        sum = sum + (x - largest).exp();
    }
    sum.ln() + largest
}

/// The log-likelihood of one point, up to what all points share.
fn point_likelihood<T: Arithmetic>(p: &[T], offsets: &[T], diagonals: &[T], point: &[f64]) -> T {
    let (_, means, factors) = parts(p);
    let mut terms = [p[0]; COMPONENTS];
    for k in 0..COMPONENTS {
        let mut centred = [p[0]; DIM];
        for i in 0..DIM {
            centred[i] = -means[k * DIM + i] + point[i];
        }
        let diagonal = &diagonals[k * DIM..];
        let mut q: [T; DIM] = core::array::from_fn(|i| diagonal[i] * centred[i]);
        let mut entry = k * FACTOR + DIM;
        for i in 0..DIM {
            for q in &mut q[i + 1..] {
                *q = *q + factors[entry] * centred[i];
                entry += 1;
            }
        }
        let mut square = q[0] * q[0];
        for &q in &q[1..] {
            square = square + q * q;
        }
        terms[k] = offsets[k] - square * 0.5;
    }
    log_sum_exp(&terms)
}

/// The rest of the objective: normalisation of the weights and the prior.
fn prior<T: Arithmetic>(p: &[T], shared: &Shared<T>) -> T {
    let (weights, _, factors) = parts(p);
    let mut sum = log_sum_exp(weights) * -(POINTS as f64);
    for k in 0..COMPONENTS {
        let factor = &factors[k * FACTOR..(k + 1) * FACTOR];
        let diagonal = &shared.diagonals[k * DIM..(k + 1) * DIM];
        let mut squares = diagonal[0] * diagonal[0];
        for &x in diagonal[1..].iter().chain(&factor[DIM..]) {
            squares = squares + x * x;
        }
        sum = sum + squares * 0.5;
    }
    sum
}

impl Program for Gmm {
    const NAME: &'static str = "S1_gaussian_mixture";
    const OPS: usize = 3_381_000;

    fn point(&self) -> Vec<f64> {
        normal(COMPONENTS * (1 + DIM + FACTOR), 0.3, 2)
    }

    fn value<T: Arithmetic>(&self, p: &[T]) -> T {
        let shared = Shared::new(p);
        let mut total = prior(p, &shared);
        for point in self.points() {
            total = total + point_likelihood(p, &shared.offsets, &shared.diagonals, point);
        }
        total
    }
}

impl Gmm {
    fn points(&self) -> impl Iterator<Item = &[f64]> {
        self.points.chunks_exact(DIM)
    }

    /// The same, each point recorded, swept and forgotten.
    pub fn accumulated<'t>(&self, tape: &'t Tape, p: &[Var<'t>]) -> Var<'t> {
        let shared = Shared::new(p);
        let prior = prior(p, &shared);
        let diagonals = shared.diagonals.iter().map(|x| x.retain());
        let x: Vec<Var> = p.iter().copied().chain(shared.offsets.iter().copied()).chain(diagonals).collect();
        let likelihood = tape.accumulate(&x, self.points(), |x, point| {
            let (p, shared) = x.split_at(p.len());
            let (offsets, diagonals) = shared.split_at(COMPONENTS);
            point_likelihood(p, offsets, diagonals, point)
        });
        prior + likelihood
    }
}
