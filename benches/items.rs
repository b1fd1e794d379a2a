//! What does adding up items on a tape of their own save, and do tapes on several threads contend?

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use wengert::prelude::*;

/// An Asian call option under geometric Brownian motion, by simulation: 10,000 paths of 100 steps (S7). The inputs are the
/// price, the interest rate, the volatility and the strike.
const PATHS: usize = 10_000;
const STEPS: usize = 100;
const POINT: [f64; 4] = [100.0, 0.03, 0.2, 100.0];

/// Drift and volatility of one step: what all paths share.
fn of_a_step<T: Number>(x: &[T]) -> [T; 4] {
    let dt = 1.0 / STEPS as f64;
    [x[0], (x[1] - x[2] * x[2] * 0.5) * dt, x[2] * dt.sqrt(), x[3]]
}

/// What the option pays at the end of one path.
fn payoff<T: Number>(shared: &[T], normals: &[f64]) -> T {
    let (mut price, mut sum) = (shared[0], T::from(0.0));
    for &z in normals {
        price *= (shared[1] + shared[2] * z).exp();
        sum += price;
    }
    (sum * (1.0 / STEPS as f64) - shared[3]).relu()
}

fn discounted<T: Number>(sum: T, rate: T) -> T {
    sum * (-rate).exp() * (1.0 / PATHS as f64)
}

fn items(c: &mut Criterion) {
    let mut generator = rng(7);
    let normals: Tensor<f64> = Tensor::normal([PATHS * STEPS], 0.0, 1.0, &mut generator);
    let normals = normals.to_vec();
    let paths: Vec<&[f64]> = normals.chunks(STEPS).collect();

    let mut group = c.benchmark_group("S7_asian_option");
    group.sample_size(20).throughput(Throughput::Elements((PATHS * STEPS) as u64));
    group.bench_function("primal", |b| {
        b.iter(|| {
            let shared = of_a_step(black_box(&POINT));
            discounted(paths.iter().map(|path| payoff(&shared, path)).sum::<f64>(), POINT[1])
        });
    });
    let mut tape = Tape::new();
    group.bench_function("gradient, one recording", |b| {
        b.iter(|| {
            {
                let x = tape.vars(black_box(&POINT));
                let shared = of_a_step(&x);
                let y = discounted(paths.iter().map(|path| payoff(&shared, path)).sum(), x[1]);
                black_box(y.gradient()[x[0]]);
            }
            tape.clear();
        });
    });
    group.bench_function("gradient, path by path", |b| {
        b.iter(|| {
            {
                let x = tape.vars(black_box(&POINT));
                let sum = tape.accumulate(&of_a_step(&x), &paths, |shared, path| payoff(shared, path));
                black_box(discounted(sum, x[1]).gradient()[x[0]]);
            }
            tape.clear();
        });
    });
    for count in [1, 2, 4, 8] {
        if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < count) {
            break;
        }
        group.bench_function(format!("gradient, path by path, {count} threads"), |b| {
            b.iter(|| {
                wengert::threads(count, || {
                    let tape = Tape::new();
                    let x = tape.vars(black_box(&POINT));
                    let shared = of_a_step(&x);
                    let sum = tape.accumulate_parallel(&shared, &paths, |shared, &path| payoff(shared, path));
                    black_box(discounted(sum, x[1]).gradient()[x[0]]);
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, items);
criterion_main!(benches);
