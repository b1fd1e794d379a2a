//! What does one recorded scalar operation cost, and what a whole gradient beside its function?

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

#[path = "workloads/scalar.rs"]
mod workload;
use wengert::prelude::{Real, RealTape};
use workload::{Chain, Gradient, LORENZ_POINT, lorenz, rosenbrock, rosenbrock_point};

fn chains(c: &mut Criterion) {
    let mut group = c.benchmark_group("scalar_chain");
    for (nodes, size) in [(1_000, "1e3"), (1_000_000, "1e6")] {
        for (chains, shape) in [(1, "serial"), (8, "8_interleaved")] {
            let mut chain = Chain::new(nodes, chains);
            group.throughput(Throughput::Elements(chain.call() as u64));
            group.bench_function(format!("{shape}/{size}"), |b| b.iter(|| chain.call()));
        }
    }
}

/// [`Gradient`] with variables that carry no lifetime.
struct RealGradient<F> {
    f: F,
    tape: RealTape,
    x: Vec<f64>,
    gradient: Vec<f64>,
}

impl<F: Fn(&[Real]) -> Real> RealGradient<F> {
    fn new(f: F, x: &[f64]) -> Self {
        RealGradient { f, tape: RealTape::new(), x: x.to_vec(), gradient: vec![0.0; x.len()] }
    }

    fn call(&mut self) -> &[f64] {
        let x = self.tape.vars(&self.x);
        (self.f)(&x).gradient().write_wrt(&x, &mut self.gradient);
        self.tape.clear();
        &self.gradient
    }
}

fn gradients(c: &mut Criterion) {
    let x = rosenbrock_point();
    c.bench_function("S5_rosenbrock/primal", |b| b.iter(|| rosenbrock(black_box(&x))));
    let mut gradient = Gradient::new(|x| rosenbrock(x), &x);
    c.bench_function("S5_rosenbrock/gradient", |b| b.iter(|| black_box(gradient.call()[0])));
    let mut gradient = RealGradient::new(rosenbrock, &x);
    c.bench_function("S5_rosenbrock/gradient_by_real", |b| b.iter(|| black_box(gradient.call()[0])));
    c.bench_function("S8_lorenz/primal", |b| b.iter(|| lorenz(black_box(&LORENZ_POINT))));
    let mut gradient = Gradient::new(|p| lorenz(p), &LORENZ_POINT);
    c.bench_function("S8_lorenz/gradient", |b| b.iter(|| black_box(gradient.call()[0])));
    let mut gradient = RealGradient::new(lorenz, &LORENZ_POINT);
    c.bench_function("S8_lorenz/gradient_by_real", |b| b.iter(|| black_box(gradient.call()[0])));
}

criterion_group!(benches, chains, gradients);
criterion_main!(benches);
