//! What does one training step cost: full layers, filters, sequences, and the smallest network there is? And a Hessian times a vector?

use criterion::{Criterion, criterion_group, criterion_main};

#[path = "workloads/sequences.rs"]
mod sequences;
#[path = "workloads/training.rs"]
mod workload;
use sequences::{LstmStep, TransformerStep};
use workload::{HessianProduct, Step};

fn steps(c: &mut Criterion) {
    let mut mlp = Step::mlp();
    c.bench_function("mlp_step", |b| b.iter(|| mlp.call()));
    let mut cnn = Step::cnn();
    c.bench_function("cnn_step", |b| b.iter(|| cnn.call()));
    let mut alexnet = Step::alexnet();
    let mut group = c.benchmark_group("alexnet_step");
    group.sample_size(10).bench_function("batch 8", |b| b.iter(|| alexnet.call()));
    group.finish();
    let mut lstm = LstmStep::new();
    c.bench_function("lstm_step", |b| b.iter(|| lstm.call()));
    let mut transformer = TransformerStep::new();
    c.bench_function("transformer_step", |b| b.iter(|| transformer.call()));
    let mut product = HessianProduct::new();
    c.bench_function("hvp of mlp_step", |b| b.iter(|| product.call()));
    let mut tiny = Step::tiny();
    c.bench_function("tiny_step", |b| b.iter(|| tiny.call()));
}

criterion_group!(benches, steps);
criterion_main!(benches);
