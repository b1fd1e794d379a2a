//! What does one recorded scalar operation cost, and what a whole gradient beside its function?

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

#[path = "workloads/scalar/mod.rs"]
#[expect(dead_code, reason = "the table measures more")]
mod workload;
use wengert::prelude::*;
use workload::{Asian, Chain, Gmm, Gradient, Logistic, Lorenz, Lstm, Program, RealGradient, Rosenbrock};

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

fn program<P: Program>(c: &mut Criterion, program: &P, richer: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>) {
    let mut group = c.benchmark_group(P::NAME);
    group.sample_size(20).throughput(Throughput::Elements(P::OPS as u64));
    let point = program.point();
    group.bench_function("primal", |b| b.iter(|| program.value(black_box(&point[..]))));
    let mut gradient = Gradient::at(point.clone());
    group.bench_function("gradient", |b| b.iter(|| black_box(gradient.of(|_, x| program.value(x))[0])));
    group.bench_function("gradient, richer", |b| b.iter(|| black_box(gradient.of(&richer)[0])));
    let mut gradient = RealGradient::at(point);
    group.bench_function("gradient, Real", |b| b.iter(|| black_box(gradient.of(|x| program.value(x))[0])));
}

fn gradients(c: &mut Criterion) {
    let (mixture, lstm, option, logistic) = (Gmm::default(), Lstm::default(), Asian::default(), Logistic::default());
    program(c, &mixture, |tape, p| mixture.accumulated(tape, p));
    program(c, &lstm, |_, p| lstm.with_sigmoid(p));
    program(c, &Rosenbrock, |_, x| Rosenbrock::fused(x));
    program(c, &option, |tape, p| option.accumulated(tape, p));
    program(c, &Lorenz, |_, p| Lorenz::fused::<10>(p));
    program(c, &logistic, |tape, b| logistic.with_tensors(tape, b));
    for (name, point, (term, items)) in [
        (Gmm::NAME, mixture.point(), mixture.recorded()),
        (Asian::NAME, option.point(), option.recorded()),
        (Logistic::NAME, logistic.point(), logistic.recorded()),
    ] {
        c.bench_function(&format!("{name}/gradient, recorded, in lanes"), |b| {
            b.iter(|| _ = black_box(term.total_and_gradient(&point, &items)));
        });
    }
}

criterion_group!(benches, chains, gradients);
criterion_main!(benches);
