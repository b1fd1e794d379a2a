//! What does one training step cost: full layers, filters, and the smallest network there is?

use criterion::{Criterion, criterion_group, criterion_main};

#[path = "workloads/training.rs"]
mod workload;
use workload::Step;

fn steps(c: &mut Criterion) {
    let mut mlp = Step::mlp();
    c.bench_function("mlp_step", |b| b.iter(|| mlp.call()));
    let mut cnn = Step::cnn();
    c.bench_function("cnn_step", |b| b.iter(|| cnn.call()));
    let mut alexnet = Step::alexnet();
    let mut group = c.benchmark_group("alexnet_step");
    group.sample_size(10).bench_function("batch 8", |b| b.iter(|| alexnet.call()));
    group.finish();
    let mut tiny = Step::tiny();
    c.bench_function("tiny_step", |b| b.iter(|| tiny.call()));
}

criterion_group!(benches, steps);
criterion_main!(benches);
