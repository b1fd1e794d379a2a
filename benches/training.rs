//! What does one training step cost: a multilayer perceptron on digits-sized data, and the smallest network there is?

use criterion::{Criterion, criterion_group, criterion_main};

#[path = "workloads/training.rs"]
mod workload;
use workload::Step;

fn steps(c: &mut Criterion) {
    let mut mlp = Step::mlp();
    c.bench_function("mlp_step", |b| b.iter(|| mlp.call()));
    let mut tiny = Step::tiny();
    c.bench_function("tiny_step", |b| b.iter(|| tiny.call()));
}

criterion_group!(benches, steps);
criterion_main!(benches);
