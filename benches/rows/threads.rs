//! What threads gain, and whether tapes on several of them stand in each other's way.
//!
//! Two processors may be two threads of one core: what the plain program gains in the same way is printed beside.

use super::scalar::{Asian, Gradient, Program};
use super::{SAMPLES, Table, calls_for, median, sample};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// Seconds from the first start to the last end of `threads` threads that each do `calls` times the work `prepare` makes them.
fn side_by_side<W: FnMut()>(threads: usize, calls: usize, prepare: &(impl Fn() -> W + Sync)) -> f64 {
    let together = Barrier::new(threads);
    let times: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut work = prepare();
                    work();
                    together.wait();
                    let start = Instant::now();
                    (0..calls).for_each(|_| work());
                    (start, Instant::now())
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("the work does not panic")).collect()
    });
    let first = times.iter().map(|times| times.0).min();
    let last = times.iter().map(|times| times.1).max();
    first.zip(last).map_or(0.0, |(first, last)| (last - first).as_secs_f64())
}

/// Whether there are two processors to use.
fn two_processors() -> bool {
    std::thread::available_parallelism().is_ok_and(|processors| processors.get() >= 2)
}

/// The medians of four times, taken in turn.
fn medians(mut times: impl FnMut() -> [f64; 4]) -> [f64; 4] {
    let samples: Vec<[f64; 4]> = (0..SAMPLES).map(|_| times()).collect();
    [0, 1, 2, 3].map(|k| median(samples.iter().map(|sample| sample[k]).collect()))
}

impl Table {
    /// Gradients on two threads, each with a tape of its own, over gradients on one.
    pub fn tapes_side_by_side<P: Program + Default + Sync>(&self) {
        let name = format!("{}, two tapes on 2 threads over one on 1", P::NAME);
        if !self.wants(&name) || !two_processors() {
            return;
        }
        let program = P::default();
        let point = program.point();
        let gradient = || {
            let mut gradient = Gradient::at(point.clone());
            let program = &program;
            move || _ = black_box(gradient.of(|_, x| program.value(x))[0])
        };
        let primal = || || _ = black_box(program.value(black_box(&point[..])));
        let (calls, primal_calls) = (calls_for(&mut gradient()), calls_for(&mut primal()));
        let [one, two, primal_one, primal_two] = medians(|| {
            [
                side_by_side(1, calls, &gradient),
                side_by_side(2, calls, &gradient),
                side_by_side(1, primal_calls, &primal),
                side_by_side(2, primal_calls, &primal),
            ]
        });
        let (ours, primal) = (two / one, primal_two / primal_one);
        self.row(&name, &format!("x {ours:.2}"), &format!("x {primal:.2} (its primal)"), ours / primal);
    }

    /// A sum over items, accumulated on two threads over one.
    pub fn items_over_threads(&self) {
        let name = format!("{}, accumulate_parallel, 2 threads over 1", Asian::NAME);
        if !self.wants(&name) || !two_processors() {
            return;
        }
        let program = Asian::default();
        let point = program.point();
        let mut gradient = Gradient::at(point.clone());
        let mut seconds = |threads| {
            let mut work = || _ = black_box(gradient.of(|tape, p| program.accumulated_over_threads(tape, p))[0]);
            wengert::threads(threads, || sample(calls_for(&mut work), &mut work))
        };
        let primal = |threads| {
            let mut work = || _ = black_box(program.value_over_threads(black_box(&point), threads));
            sample(calls_for(&mut work), &mut work)
        };
        let [one, two, primal_one, primal_two] = medians(|| [seconds(1), seconds(2), primal(1), primal(2)]);
        let (ours, primal) = (two / one, primal_two / primal_one);
        self.row(&name, &format!("x {ours:.2}"), &format!("x {primal:.2} (its primal)"), ours / primal);
    }
}
