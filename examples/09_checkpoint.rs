//! The gradient of a million steps of a differential equation does not fit on a tape, but the way back can be walked with a
//! few states in memory and the rest computed again.
//! Binomial checkpointing needs the fewest evaluations there can be: this lesson counts them against the formula.

mod lesson;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use wengert::checkpoint::Schedule;
use wengert::prelude::*;

/// A damped pendulum, `angle'' = -p0 sin(angle) - p1 angle'`, one step of the classical Runge-Kutta method.
fn step<T: Number>(x: &[T], p: &[T]) -> Vec<T> {
    const H: f64 = 1e-3;
    let slope = |x: [T; 2]| [x[1], -(x[0].sin() * p[0]) - x[1] * p[1]];
    let moved = |k: [T; 2], h: f64| [x[0] + k[0] * h, x[1] + k[1] * h];
    let k1 = slope([x[0], x[1]]);
    let k2 = slope(moved(k1, H / 2.0));
    let k3 = slope(moved(k2, H / 2.0));
    let k4 = slope(moved(k3, H));
    (0..2).map(|i| x[i] + (k1[i] + k4[i] + (k2[i] + k3[i]) * 2.0) * (H / 6.0)).collect()
}

/// The derivative of the last angle by start and parameters, and how often a step was evaluated or recorded.
fn checkpointed(steps: usize, snapshots: usize, x: &[f64; 4]) -> (Vec<f64>, u64) {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let tape = Tape::new();
    let x = tape.vars(x);
    let end = CheckpointedLoop::new(steps).snapshots(snapshots).run(&x[..2], &x[2..], move |x, p, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        step(x, p)
    });
    let gradient = end[0].gradient().wrt(&x);
    assert!(tape.size().nodes < 100, "the tape holds the ends of the loop only");
    (gradient, calls.load(Ordering::Relaxed))
}

/// The same with every step on the tape.
fn recorded(steps: usize, x: &[f64; 4]) -> Vec<f64> {
    grad(|x| (0..steps).fold(x[..2].to_vec(), |state, _| step(&state, &x[2..]))[0], x)
}

fn main() {
    lesson::begin(include_str!("09_checkpoint.rs"));
    let x = [1.2, 0.0, 9.81, 0.002]; // angle, speed, stiffness, damping

    // Where both fit, they agree.
    let (gradient, _) = checkpointed(10_000, 20, &x);
    for (ours, whole) in gradient.iter().zip(recorded(10_000, &x)) {
        assert!((ours - whole).abs() < 1e-12 * whole.abs().max(1.0), "{ours} for {whole}");
    }

    // A million steps with a thousand states; a debug build takes fewer.
    let steps = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let snapshots = 1000;
    let start = Instant::now();
    let (gradient, calls) = checkpointed(steps, snapshots, &x);
    let theory = Schedule::evaluations(steps, snapshots) as u64 + steps as u64;
    assert_eq!(calls, theory, "each step is recorded once and evaluated as often as the theory says");
    println!(
        "d(angle)/d(start, speed, stiffness, damping) after {steps} steps: {gradient:.6?}\n{calls} steps taken, {:.2} for each, in {:.2?}",
        calls as f64 / steps as f64,
        start.elapsed()
    );
}
