//! S1: the log-likelihood of a Gaussian mixture, 1000 points in 10 dimensions, 25 components.

use super::{Arithmetic, Program, normal};
use core::cmp::Ordering;
use core::ops::Add;
use wengert::prelude::*;

/// The objective of ADBench's GMM (Srajer, Kukelova and Fitzgibbon 2018): weights, means and the inverse Cholesky factors
/// of the covariances, with a Wishart prior. Sizes are known at run time only, as in a program that reads its data.
pub struct Gmm {
    dim: usize,
    components: usize,
    pub points: Vec<f64>,
}

impl Default for Gmm {
    fn default() -> Self {
        Gmm { dim: 10, components: 25, points: normal(10 * 1000, 1.0, 1) }
    }
}

/// The parameters, and what all points share: made from them once.
struct Shared<'x, T> {
    /// Logarithms of unnormalised weights.
    weights: &'x [T],
    means: &'x [T],
    /// Triangular factors: logarithms of the diagonal, then the rest by columns.
    factors: &'x [T],
    /// `weight_k + sum of the logarithms of the diagonal`.
    offsets: &'x [T],
    /// Diagonals of the factors.
    diagonals: &'x [T],
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

fn sum_of_squares<T: Arithmetic>(x: &[T]) -> T {
    let mut sum = x[0] * x[0];
    for &x in &x[1..] {
        sum = sum + x * x;
    }
    sum
}

impl Gmm {
    /// Entries of one triangular factor.
    fn entries(&self) -> usize {
        self.dim * (self.dim + 1) / 2
    }

    fn points(&self) -> impl Iterator<Item = &[f64]> {
        self.points.chunks_exact(self.dim)
    }

    /// Offsets and diagonals.
    fn shared<T: Arithmetic>(&self, p: &[T]) -> (Vec<T>, Vec<T>) {
        let factors = p[self.components * (1 + self.dim)..].chunks_exact(self.entries());
        let diagonals = factors.clone().flat_map(|factor| factor[..self.dim].iter().map(|log| log.exp())).collect();
        let offset = |(factor, &weight): (&[T], &T)| factor[..self.dim].iter().fold(weight, |sum, &log| sum + log);
        (factors.zip(p).map(offset).collect(), diagonals)
    }

    fn view<'x, T>(&self, p: &'x [T], offsets: &'x [T], diagonals: &'x [T]) -> Shared<'x, T> {
        let (weights, rest) = p.split_at(self.components);
        let (means, factors) = rest.split_at(self.components * self.dim);
        Shared { weights, means, factors, offsets, diagonals }
    }

    /// What the components give one point to the log-likelihood, up to a constant, in `terms`. The buffers hold `dim`, `dim`
    /// and `components` numbers.
    #[inline(always)]
    fn terms<D: Copy, T: Arithmetic + Add<D, Output = T>>(
        &self,
        x: &Shared<'_, T>,
        point: &[D],
        [centred, q, terms]: [&mut [T]; 3],
    ) {
        let (dim, entries) = (self.dim, self.entries());
        for (k, term) in terms.iter_mut().enumerate() {
            for i in 0..dim {
                centred[i] = -x.means[k * dim + i] + point[i];
                q[i] = x.diagonals[k * dim + i] * centred[i];
            }
            let mut entry = k * entries + dim;
            for i in 0..dim {
                for q in &mut q[i + 1..] {
                    *q = *q + x.factors[entry] * centred[i];
                    entry += 1;
                }
            }
            *term = x.offsets[k] - sum_of_squares(q) * 0.5;
        }
    }

    /// The log-likelihood of one point, up to a constant.
    fn likelihood<T: Arithmetic>(&self, x: &Shared<'_, T>, point: &[f64], [centred, q, terms]: [&mut [T]; 3]) -> T {
        self.terms(x, point, [centred, q, terms]);
        log_sum_exp(terms)
    }

    /// The rest of the objective: normalisation of the weights and the prior.
    fn prior<T: Arithmetic>(&self, x: &Shared<'_, T>) -> T {
        let mut sum = log_sum_exp(x.weights) * -((self.points.len() / self.dim) as f64);
        for (factor, diagonal) in x.factors.chunks_exact(self.entries()).zip(x.diagonals.chunks_exact(self.dim)) {
            sum = sum + (sum_of_squares(diagonal) + sum_of_squares(&factor[self.dim..])) * 0.5;
        }
        sum
    }

    /// What one point adds to the objective, recorded, and the points.
    pub fn recorded(&self) -> (Function, Vec<Vec<f64>>) {
        let points: Vec<Vec<f64>> = self.points().map(<[f64]>::to_vec).collect();
        let term = Function::record_with_data(&self.point(), &points[0], |p, point| {
            let (offsets, diagonals) = self.shared(p);
            let x = self.view(p, &offsets, &diagonals);
            let [mut centred, mut q, mut terms] = [self.dim, self.dim, self.components].map(|n| vec![p[0]; n]);
            self.terms(&x, point, [&mut centred, &mut q, &mut terms]);
            // Not the function above, which would fix the component that is the largest at this point. The prior in equal shares.
            wengert::log_sum_exp(&terms) + self.prior(&x) * (1.0 / points.len() as f64)
        });
        (term.expect("no branch to record"), points)
    }

    /// The same, each point recorded, swept and forgotten.
    pub fn accumulated<'t>(&self, tape: &'t Tape, p: &[Var<'t>]) -> Var<'t> {
        let (offsets, diagonals) = self.shared(p);
        let offsets: Vec<Var> = offsets.into_iter().map(Var::retain).collect();
        let diagonals: Vec<Var> = diagonals.into_iter().map(Var::retain).collect();
        let prior = self.prior(&self.view(p, &offsets, &diagonals));
        let all: Vec<Var> = [p, &offsets, &diagonals].concat();
        let likelihood = tape.accumulate(&all, self.points(), |x, point| {
            let (p, shared) = x.split_at(p.len());
            let (offsets, diagonals) = shared.split_at(self.components);
            let [mut centred, mut q, mut terms] = [self.dim, self.dim, self.components].map(|n| vec![x[0]; n]);
            self.likelihood(&self.view(p, offsets, diagonals), point, [&mut centred, &mut q, &mut terms])
        });
        prior + likelihood
    }

    /// The same as products of matrices: all points through all factors at once.
    pub fn with_tensors<'t>(&self, tape: &'t Tape, p: &[Var<'t>]) -> Var<'t> {
        let (dim, components, entries) = (self.dim, self.components, self.entries());
        let points = self.points.len() / dim;
        let (weights, means, factors) = {
            let (p, ends) = (tape.pack(p), [components, components * (1 + dim)]);
            (p.slice(0, ..ends[0]), p.slice(0, ends[0]..ends[1]), p.slice(0, ends[1]..))
        };
        let factors = factors.reshape([components, entries]);
        let (logs, below) = (factors.slice(1, ..dim), factors.slice(1, dim..));
        let diagonal = logs.exp();
        // Row by row of a triangular matrix; above the diagonal the zero that is put last.
        let entry = |row: usize, column: usize| match row.cmp(&column) {
            Ordering::Less => entries,
            Ordering::Equal => row,
            Ordering::Greater => dim + column * (2 * dim - 1 - column) / 2 + row - column - 1,
        };
        let places = Tensor::from_fn([dim * dim], |at| entry(at[0] / dim, at[0] % dim) as i64);
        let zero = tape.constant_tensor(Tensor::zeros([components, 1]));
        let triangles = TensorVar::concat(&[diagonal, below, zero], 1).index_select(1, &places);
        let shifts = triangles.reshape([components, dim, dim]).matmul(means.reshape([components, dim, 1]));
        let q = tape.constant_tensor(Tensor::from_vec([points, dim], self.points.clone())).matmul_t(
            false,
            triangles.reshape([components * dim, dim]),
            true,
        ) - shifts.reshape([components * dim]);
        let squares = q.square().reshape([points, components, dim]).sum_axes(2);
        let terms = weights + logs.sum_axes(1) - squares * 0.5;
        let prior = weights.log_sum_exp(0) * -(points as f64) + (diagonal.square().sum() + below.square().sum()) * 0.5;
        (terms.log_sum_exp(1).sum() + prior).scalar()
    }
}

impl Program for Gmm {
    const NAME: &'static str = "S1_gaussian_mixture";
    const OPS: usize = 3_381_000;

    fn point(&self) -> Vec<f64> {
        normal(self.components * (1 + self.dim + self.entries()), 0.3, 2)
    }

    fn value<T: Arithmetic>(&self, p: &[T]) -> T {
        let (offsets, diagonals) = self.shared(p);
        let shared = self.view(p, &offsets, &diagonals);
        let [mut centred, mut q, mut terms] = [self.dim, self.dim, self.components].map(|n| vec![p[0]; n]);
        let mut total = self.prior(&shared);
        for point in self.points() {
            total = total + self.likelihood(&shared, point, [&mut centred, &mut q, &mut terms]);
        }
        total
    }
}
