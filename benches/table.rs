//! How does every workload stand against its limit or its peer?
//!
//! `cargo bench -p wengert-benches --bench table` prints `workload | ours | limit or peer | ratio`. Limits are measured in the same process, in
//! turn with the workload. With `WENGERT_PEER_PYTHON` naming a Python that has PyTorch (or JAX), `benches/peer.py` runs in
//! turn with our rows and the faster peer is printed. Words after `--` choose rows: `-- mlp tiny`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

#[path = "rows/lanes.rs"]
mod lanes;
#[path = "workloads/recorded.rs"]
mod recorded;
#[path = "workloads/scalar/mod.rs"]
mod scalar;
#[path = "rows/second_order.rs"]
mod second_order;
#[path = "workloads/sequences.rs"]
mod sequences;
#[path = "rows/tape_size.rs"]
mod tape_size;
#[path = "workloads/tensor.rs"]
mod tensor;
#[path = "rows/threads.rs"]
mod threads;
#[path = "workloads/training.rs"]
mod training;

use recorded::{RecordedStep, Replay};
use scalar::{Asian, Chain, Gmm, Gradient, Logistic, Lorenz, Lstm, Program, RealGradient, Rosenbrock};
use sequences::{LstmStep, TransformerStep};
use tensor::{Conv, Elementwise, LayerNormalization, MappedRosenbrock, MatMul, Pass, SoftmaxCrossEntropy, TensorChain};
use training::{HessianProduct, Step};
use wengert::TensorFloat;
use wengert::prelude::*;

/// How long one sample runs at least: long enough for the clock, short enough for a quiet moment.
const SAMPLE: Duration = Duration::from_millis(20);
const SAMPLES: usize = 25;

/// Seconds per call of one sample.
fn sample(calls: usize, work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        work();
    }
    start.elapsed().as_secs_f64() / calls as f64
}

fn calls_for(work: &mut dyn FnMut()) -> usize {
    work();
    let once = sample(1, work).max(1e-9);
    ((SAMPLE.as_secs_f64() / once) as usize).clamp(1, 1_000_000)
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Seconds per call of two programs, sample by sample in turn, so that a drifting clock meets both.
fn in_turn(ours: &mut dyn FnMut(), other: &mut dyn FnMut()) -> (f64, f64) {
    let (our_calls, other_calls) = (calls_for(ours), calls_for(other));
    let (a, b) = (0..SAMPLES).map(|_| (sample(our_calls, ours), sample(other_calls, other))).unzip();
    (median(a), median(b))
}

fn alone(work: &mut dyn FnMut()) -> f64 {
    let calls = calls_for(work);
    median((0..SAMPLES).map(|_| sample(calls, work)).collect())
}

/// A peer's time for a workload, from `benches/peer.py`; none if no Python was named or it cannot run the row.
fn peer(workload: &str) -> Option<(String, f64)> {
    let python = std::env::var_os("WENGERT_PEER_PYTHON")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peer.py");
    let output = Command::new(python).args([script, workload]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let rows = text.lines().filter_map(|line| {
        let (name, seconds) = line.split_once(' ')?;
        Some((name.to_owned(), seconds.parse().ok()?))
    });
    rows.min_by(|a: &(String, f64), b| a.1.total_cmp(&b.1))
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s => format!("{:.2} ms", s * 1e3),
    }
}

struct Table {
    wanted: Vec<String>,
}

impl Table {
    fn wants(&self, workload: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|word| workload.contains(word.as_str()))
    }

    fn row(&self, workload: &str, ours: &str, other: &str, ratio: f64) {
        println!("| {workload} | {ours} | {other} | {ratio:.2} |");
    }

    /// A row against the peer: both twice, in turn, and the better of each counts. Without a peer the row has only our time.
    fn against_peer<W: FnMut()>(&self, workload: &str, per: f64, prepare: impl FnOnce() -> W) {
        if !self.wants(workload) {
            return;
        }
        let mut work = prepare();
        // However it is done here, the peer has one way.
        let asked = workload.replace(", recorded", "");
        let (first, before) = (alone(&mut work), peer(&asked));
        let (second, after) = (alone(&mut work), peer(&asked));
        let ours = first.min(second) / per;
        match before.into_iter().chain(after).min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((name, seconds)) => {
                let seconds = seconds / per;
                self.row(workload, &time(ours), &format!("{} ({name})", time(seconds)), ours / seconds);
            }
            None => println!("| {workload} | {} | - | - |", time(ours)),
        }
    }

    /// A matrix product beside what one core can do, measured before and after: `peak` times its operations on `f32`.
    fn product<F: TensorFloat>(&self, workload: &str, [m, k, n]: [usize; 3], peak: f64) {
        if !self.wants(workload) {
            return;
        }
        let product = MatMul::<F>::new(m, k, n);
        let before = peak_flops();
        let seconds = wengert::threads(1, || alone(&mut || _ = black_box(product.call())));
        let flops = (2 * m * k * n) as f64 / seconds;
        let ours = format!("{} = {:.0} GFLOP/s", time(seconds), flops / 1e9);
        match before.into_iter().chain(peak_flops()).reduce(f64::max).map(|singles| singles * peak) {
            Some(limit) => {
                self.row(workload, &ours, &format!("{:.0} GFLOP/s (one core's peak)", limit / 1e9), limit / flops);
            }
            None => println!("| {workload} | {ours} | - | - |"),
        }
    }
}

/// A way to write a program other than in plain operators.
type Richer<P> = for<'t> fn(&P, &'t Tape, &[Var<'t>]) -> Var<'t>;

impl Table {
    /// The gradient of a program beside the program itself, in plain operators and by richer ways, each with its name.
    fn gradient<P: Program + Default>(&self, ways: &[(&str, Richer<P>)]) {
        if !self.wants(P::NAME) {
            return;
        }
        let program = P::default();
        let point = program.point();
        let mut gradient = Gradient::at(point.clone());
        let expected = gradient.of(|_, x| program.value(x)).to_vec();
        let size = expected.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
        for (how, richer) in ways {
            for (&x, &y) in gradient.of(|tape, x| richer(&program, tape, x)).iter().zip(&expected) {
                assert!((x - y).abs() <= 1e-10 * size, "{}, {how}: {x} instead of {y}", P::NAME);
            }
        }
        let mut primal = || _ = black_box(program.value(black_box(&point[..])));
        let mut row = |how: &str, ours: &mut dyn FnMut()| {
            let (ours, primal) = in_turn(ours, &mut primal);
            let name = format!("{}, {how}", P::NAME);
            let ours_per_op = format!("{} = {} an op", time(ours), time(ours / P::OPS as f64));
            self.row(&name, &ours_per_op, &format!("{} (its primal)", time(primal)), ours / primal);
        };
        row("plain", &mut || _ = black_box(gradient.of(|_, x| program.value(x))[0]));
        for (how, richer) in ways {
            row(how, &mut || _ = black_box(gradient.of(|tape, x| richer(&program, tape, x))[0]));
        }
        let recorded = Function::record(&point, |x| program.value(x)).expect("every branch has an answer");
        let mut g = vec![0.0; point.len()];
        row("recorded and replayed", &mut || _ = black_box(recorded.gradient_into(&point, &mut g)));
        let mut real = RealGradient::at(point.clone());
        row("plain, with Real", &mut || _ = black_box(real.of(|x| program.value(x))[0]));
    }
}

/// What one core can do in fused multiply-adds, in floating-point operations per second; none where it lacks AVX-512.
fn peak_flops() -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        #[expect(unsafe_code, reason = "a bench that times the vector unit")]
        // SAFETY: the feature was just detected.
        let seconds = alone(&mut || _ = black_box(unsafe { peak::chains() }));
        return Some(peak::FLOPS / seconds);
    }
    None
}

#[cfg(target_arch = "x86_64")]
mod peak {
    use core::arch::x86_64::{_mm512_add_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps};
    use std::hint::black_box;

    const TURNS: usize = 4096;
    /// Twelve chains of vectors of sixteen, two operations each.
    pub const FLOPS: f64 = (TURNS * 12 * 16 * 2) as f64;

    /// Independent chains: more than the unit's latency, fewer than its registers.
    #[target_feature(enable = "avx512f")]
    pub fn chains() -> f32 {
        let (a, b) = (_mm512_set1_ps(black_box(1.000_001)), _mm512_set1_ps(black_box(1e-9)));
        let one = _mm512_set1_ps(1.0);
        // Equal chains would be computed once: the compiler must not know that they are.
        let [mut s0, mut s1, mut s2, mut s3, mut s4, mut s5] = black_box([one; 6]);
        let [mut t0, mut t1, mut t2, mut t3, mut t4, mut t5] = black_box([one; 6]);
        for _ in 0..TURNS {
            s0 = _mm512_fmadd_ps(s0, a, b);
            s1 = _mm512_fmadd_ps(s1, a, b);
            s2 = _mm512_fmadd_ps(s2, a, b);
            s3 = _mm512_fmadd_ps(s3, a, b);
            s4 = _mm512_fmadd_ps(s4, a, b);
            s5 = _mm512_fmadd_ps(s5, a, b);
            t0 = _mm512_fmadd_ps(t0, a, b);
            t1 = _mm512_fmadd_ps(t1, a, b);
            t2 = _mm512_fmadd_ps(t2, a, b);
            t3 = _mm512_fmadd_ps(t3, a, b);
            t4 = _mm512_fmadd_ps(t4, a, b);
            t5 = _mm512_fmadd_ps(t5, a, b);
        }
        let sums = [s0, s1, s2, s3, s4, s5, t0, t1, t2, t3, t4, t5];
        _mm512_reduce_add_ps({
            let mut total = one;
            for sum in sums {
                total = _mm512_add_ps(total, sum);
            }
            total
        })
    }
}

fn main() {
    // Cargo passes --bench; words choose rows.
    let wanted = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let table = Table { wanted };
    let mut header = String::from("| workload | ours | limit or peer | ratio |\n");
    let _ = write!(header, "|---|---|---|---|");
    println!("{header}");

    for (nodes, size) in [(1_000, "1e3"), (1_000_000, "1e6")] {
        for (chains, shape) in [(1, "serial"), (8, "8 interleaved")] {
            let workload = format!("scalar_chain, {shape}, {size} nodes, per node");
            if table.wants(&workload) {
                let mut chain = Chain::new(nodes, chains);
                let recorded = chain.call();
                assert!(recorded.abs_diff(nodes) <= 16, "the chain records two nodes a turn, {recorded} in all");
                let seconds = alone(&mut || _ = chain.call()) / recorded as f64;
                println!("| {workload} | {} | - | - |", time(seconds));
            }
        }
    }
    table.gradient(&[("accumulated by point", Gmm::accumulated), ("through tensors", Gmm::with_tensors)]);
    table.gradient(&[("sigmoid as one function", |lstm: &Lstm, _, p| lstm.with_sigmoid(p))]);
    table.gradient(&[("terms fused and summed", |_: &Rosenbrock, _, x| Rosenbrock::fused(x))]);
    if table.wants(Rosenbrock::NAME) {
        let point = Rosenbrock.point();
        let mut mapped = MappedRosenbrock::at(point.clone());
        let expected = Gradient::at(point.clone()).of(|_, x| Rosenbrock.value(x)).to_vec();
        assert!(mapped.call().iter().zip(expected).all(|(x, y)| (x - y).abs() <= 1e-12 * y.abs().max(1.0)));
        let mut primal = || _ = black_box(Rosenbrock.value(black_box(&point[..])));
        let (ours, primal) = in_turn(&mut || _ = black_box(mapped.call()), &mut primal);
        let name = format!("{}, one zip_map_sum over slices", Rosenbrock::NAME);
        table.row(&name, &time(ours), &format!("{} (its primal)", time(primal)), ours / primal);
    }
    table.gradient(&[("accumulated by path", Asian::accumulated)]);
    table.gradient(&[
        ("steps fused", |_: &Lorenz, _, p| Lorenz::fused::<1>(p)),
        ("ten steps fused", |_: &Lorenz, _, p| Lorenz::fused::<10>(p)),
    ]);
    table.gradient(&[("through tensors", Logistic::with_tensors)]);
    table.sum_in_lanes(Gmm::recorded);
    table.sum_in_lanes(Asian::recorded);
    table.sum_in_lanes(Logistic::recorded);
    table.points_in_lanes::<Gmm>();
    table.points_in_lanes::<Lstm>();
    table.points_in_lanes::<Rosenbrock>();
    table.points_in_lanes::<Lorenz>();
    table.hessian_times_vector();
    table.coloured_hessian();
    table.tape_sizes();
    table.tapes_side_by_side::<Rosenbrock>();
    table.tapes_side_by_side::<Lorenz>();
    table.items_over_threads();
    for (m, k, n) in [(64, 64, 64), (256, 256, 256), (1024, 1024, 1024), (2048, 2048, 2048), (128, 784, 256)] {
        table.product::<f32>(&format!("matmul_{m}x{k}x{n}"), [m, k, n], 1.0);
        // A vector holds half as many.
        table.product::<f64>(&format!("matmul_{m}x{k}x{n}, f64"), [m, k, n], 0.5);
    }
    for threads in [1, 2] {
        wengert::threads(threads, || {
            let name =
                |workload: &str| if threads == 1 { workload.to_owned() } else { format!("{workload}, 2 threads") };
            table.against_peer(&name("elementwise"), 1.0, || {
                let mut elementwise = Elementwise::new();
                move || _ = black_box(elementwise.call())
            });
            table.against_peer(&name("elementwise, recorded"), 1.0, || {
                let mut elementwise = Replay::elementwise();
                move || _ = black_box(elementwise.call())
            });
            table.against_peer(&name("softmax_ce"), 1.0, || {
                let mut cross_entropy = SoftmaxCrossEntropy::new();
                move || _ = black_box(cross_entropy.call())
            });
            table.against_peer(&name("layernorm"), 1.0, || {
                let mut normalization = LayerNormalization::new();
                move || _ = black_box(normalization.call())
            });
            for kind in [Pass::Forward, Pass::Backward] {
                table.against_peer(&name(kind.name()), 1.0, || {
                    let mut conv = Conv::new(kind);
                    move || conv.call()
                });
            }
            let step = |workload: &str, new: fn() -> Step| {
                table.against_peer(&name(workload), 1.0, || {
                    let mut step = new();
                    move || _ = black_box(step.call())
                });
            };
            step("mlp_step", Step::mlp);
            table.against_peer(&name("mlp_step, recorded"), 1.0, || {
                let mut step = RecordedStep::mlp();
                move || _ = black_box(step.call())
            });
            step("cnn_step", Step::cnn);
            step("alexnet_step", Step::alexnet);
            table.against_peer(&name("lstm_step"), 1.0, || {
                let mut lstm = LstmStep::new();
                move || _ = black_box(lstm.call())
            });
            table.against_peer(&name("transformer_step"), 1.0, || {
                let mut transformer = TransformerStep::new();
                move || _ = black_box(transformer.call())
            });
            table.against_peer(&name("hvp of mlp_step"), 1.0, || {
                let mut product = HessianProduct::new();
                move || _ = black_box(product.call())
            });
        });
    }
    wengert::threads(1, || {
        table.against_peer("tiny_step", 1.0, || {
            let mut tiny = Step::tiny();
            move || _ = black_box(tiny.call())
        });
        table.against_peer("tiny_step, recorded", 1.0, || {
            let mut tiny = RecordedStep::tiny();
            move || _ = black_box(tiny.call())
        });
        table.against_peer("tensor_chain, recorded, per op", TensorChain::OPS as f64, || {
            let mut chain = Replay::chain(TensorChain::OPS);
            move || _ = black_box(chain.call())
        });
        table.against_peer("tensor_chain, per op", TensorChain::OPS as f64, || {
            let mut chain = TensorChain::new();
            move || _ = black_box(chain.call())
        });
    });
}
