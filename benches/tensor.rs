//! How fast are tensor operations: products against the machine, elementwise work against memory, tiny ops against nothing?

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[path = "workloads/tensor.rs"]
mod workload;
use workload::{
    Conv, Elementwise, LayerNormalization, MappedRosenbrock, MatMul, Pass, SoftmaxCrossEntropy, TensorChain,
};

fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("matmul");
    for (m, k, n) in [(64, 64, 64), (256, 256, 256), (1024, 1024, 1024), (128, 784, 256)] {
        let product = MatMul::<f32>::new(m, k, n);
        group.throughput(Throughput::Elements((2 * m * k * n) as u64)); // floating-point operations
        group.bench_function(format!("{m}x{k}x{n}"), |b| b.iter(|| product.call()));
    }
}

fn convolutions(c: &mut Criterion) {
    for pass in [Pass::Forward, Pass::Backward] {
        let mut conv = Conv::new(pass);
        c.bench_function(pass.name(), |b| b.iter(|| conv.call()));
    }
}

fn programs(c: &mut Criterion) {
    let mut elementwise = Elementwise::new();
    c.bench_function("elementwise", |b| b.iter(|| elementwise.call()));
    let mut rosenbrock = MappedRosenbrock::at((0..10_000).map(|i| f64::from(i) / 5000.0 - 1.0).collect());
    c.bench_function("rosenbrock_mapped", |b| b.iter(|| rosenbrock.call()));
    let mut cross_entropy = SoftmaxCrossEntropy::new();
    c.bench_function("softmax_ce", |b| b.iter(|| cross_entropy.call()));
    let mut normalization = LayerNormalization::new();
    c.bench_function("layernorm", |b| b.iter(|| normalization.call()));
    let mut chain = TensorChain::new();
    let mut group = c.benchmark_group("tensor_chain");
    group.throughput(Throughput::Elements(TensorChain::OPS as u64));
    group.bench_function("one_element", |b| b.iter(|| chain.call()));
}

criterion_group!(benches, products, convolutions, programs);
criterion_main!(benches);
