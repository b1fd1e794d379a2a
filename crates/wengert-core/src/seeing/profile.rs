//! Where the time goes, op by op.

use super::text::size;
use super::times::Times;
use crate::tape::Tape;
use crate::tensor::TensorFloat;
use core::fmt::{self, Write};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wengert_tensor::Shape;

/// The times of a tape's tensor ops, forward and in sweeps; made by [`Tape::profile`]. Printing it gives a table by op.
///
/// It does not borrow the tape, so a loop can clear that between steps; dropping it ends the profiling.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let mut tape = Tape::new();
/// let profile = tape.profile();
/// for _ in 0..3 {
///     let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
///     x.matmul(x).sum().gradient();
///     tape.clear();
/// }
/// println!("{profile}");
/// let matmul = profile.ops().into_iter().find(|op| op.op == "matmul").unwrap();
/// assert_eq!((matmul.calls, matmul.sweeps, matmul.bytes), (3, 3, 3 * 32));
/// let trace = profile.chrome_trace(); // for chrome://tracing or ui.perfetto.dev
/// ```
#[derive(Debug)]
pub struct Profile {
    log: Arc<Mutex<Log>>,
}

/// What one op took in all its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpTimes {
    /// The op.
    pub op: &'static str,
    /// How often it was evaluated.
    pub calls: usize,
    /// How often a cotangent was pulled back through it.
    pub sweeps: usize,
    /// Time to evaluate it.
    pub forward: Duration,
    /// Time to pull cotangents back, adding them to what had arrived before included.
    pub sweep: Duration,
    /// Bytes of its results.
    pub bytes: usize,
}

impl OpTimes {
    /// Forward and sweeps together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.forward + self.sweep
    }
}

impl<F: TensorFloat> Tape<F> {
    /// From now on takes the times of every tensor op, forward and in sweeps, until the [`Profile`] is dropped. A tape
    /// has one profile at a time: the last one asked for. While it is there, [`listing`](Self::listing),
    /// [`to_graphviz`](Self::to_graphviz) and [`to_svg`](Self::to_svg) show the time of every op that lies on the tape.
    ///
    /// Costs two readings of the clock and a lock for each op while it is on, and nothing otherwise. Scalar
    /// operations take less than a reading of the clock: their time is what the ops' leave.
    #[must_use = "dropping the profile ends it"]
    pub fn profile(&self) -> Profile {
        let log = Arc::new(Mutex::new(Log::new()));
        self.tensors.observer.borrow_mut().write_to(Arc::downgrade(&log));
        self.tensors.observed.set(true);
        Profile { log }
    }
}

impl Profile {
    /// The ops, those that took longest first.
    #[must_use]
    pub fn ops(&self) -> Vec<OpTimes> {
        let mut ops: Vec<OpTimes> = self.log().totals.values().copied().collect();
        ops.sort_by_key(|op| core::cmp::Reverse(op.total()));
        ops
    }

    /// From the beginning of profiling to the end of the last op.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let log = self.log();
        log.end.duration_since(log.start)
    }

    /// Every op on a time line, as JSON in the Trace Event Format: `chrome://tracing` and `ui.perfetto.dev` open it. Of
    /// long runs the first 2^20 ops; the table counts all.
    ///
    /// # Examples
    /// ```no_run
    /// # use wengert_core::prelude::*;
    /// # let profile = Tape::new().profile();
    /// std::fs::write("trace.json", profile.chrome_trace())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn chrome_trace(&self) -> String {
        let log = self.log();
        let mut text = String::from("{\"displayTimeUnit\": \"ns\", \"traceEvents\": [");
        for (k, event) in log.events.iter().enumerate() {
            let Event { op, node, phase, shape, bytes, start, time } = event;
            let start = start.duration_since(log.start);
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "{}\n{{\"name\": \"{}\", \"cat\": \"{}\", \"ph\": \"X\", \"ts\": {}, \"dur\": {}, \"pid\": 1, \"tid\": 1, \
                 \"args\": {{\"node\": \"t{node}\", \"shape\": \"{shape}\", \"bytes\": {bytes}}}}}",
                if k == 0 { "" } else { "," },
                escaped(op),
                phase.name(),
                microseconds(start),
                microseconds(*time),
            );
        }
        text + "\n]}\n"
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The unit of the format, with the nanoseconds behind the point.
fn microseconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_micros(), time.subsec_nanos() % 1000)
}

/// The inside of a JSON string: users name their own ops as they like.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c < ' ' => escaped += &format!("\\u{:04x}", c as u32),
            c => escaped.push(c),
        }
    }
    escaped
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ops, elapsed) = (self.ops(), self.elapsed());
        let share = |time: Duration| 100.0 * time.as_secs_f64() / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let width = ops.iter().map(|op| op.op.chars().count()).max().unwrap_or(0).max("elapsed".len());
        writeln!(
            f,
            "{:<width$}{:>10}{:>12}{:>12}{:>12}{:>9}{:>12}",
            "op", "calls", "forward", "sweep", "total", "share", "bytes"
        )?;
        let (mut calls, mut forward, mut sweep, mut bytes) = (0, Duration::ZERO, Duration::ZERO, 0);
        for op in &ops {
            (calls, forward, sweep, bytes) =
                (calls + op.calls, forward + op.forward, sweep + op.sweep, bytes + op.bytes);
            writeln!(
                f,
                "{:<width$}{:>10}{:>12}{:>12}{:>12}{:>7.1} %{:>12}",
                op.op,
                op.calls,
                short(op.forward),
                short(op.sweep),
                short(op.total()),
                share(op.total()),
                size(op.bytes)
            )?;
        }
        let total = forward + sweep;
        writeln!(
            f,
            "{:<width$}{calls:>10}{:>12}{:>12}{:>12}{:>7.1} %{:>12}",
            "all ops",
            short(forward),
            short(sweep),
            short(total),
            share(total),
            size(bytes)
        )?;
        writeln!(f, "{:<width$}{:>46}{:>7.1} %", "elapsed", short(elapsed), share(elapsed))
    }
}

/// A time in the unit that leaves one to three digits before the point.
pub(super) fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 1e-3 => format!("{:.1} us", 1e6 * s),
        s if s < 1.0 => format!("{:.2} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}

/// Which way an op ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Forward,
    Sweep,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Forward => "forward",
            Phase::Sweep => "sweep",
        }
    }
}

/// One op's run.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) op: &'static str,
    pub(super) node: usize,
    pub(super) phase: Phase,
    pub(super) shape: Shape,
    pub(super) bytes: usize,
    pub(super) start: Instant,
    pub(super) time: Duration,
}

/// Ops kept for the time line: enough for thousands of steps, at some hundred bytes each.
const MOST_EVENTS: usize = 1 << 20;

/// What a profile has seen.
#[derive(Debug)]
pub(super) struct Log {
    start: Instant,
    end: Instant,
    events: Vec<Event>,
    totals: BTreeMap<&'static str, OpTimes>,
    /// Of what lies on the tape now.
    pub(super) times: Times,
}

impl Log {
    fn new() -> Self {
        let start = Instant::now();
        Log { start, end: start, events: Vec::new(), totals: BTreeMap::new(), times: Times::default() }
    }

    pub(super) fn note(&mut self, event: Event) {
        self.end = self.end.max(event.start + event.time);
        self.times.note(&event);
        let zero =
            OpTimes { op: event.op, calls: 0, sweeps: 0, forward: Duration::ZERO, sweep: Duration::ZERO, bytes: 0 };
        let op = self.totals.entry(event.op).or_insert(zero);
        match event.phase {
            Phase::Forward => {
                op.calls += 1;
                op.forward += event.time;
                op.bytes += event.bytes;
            }
            Phase::Sweep => {
                op.sweeps += 1;
                op.sweep += event.time;
            }
        }
        if self.events.len() < MOST_EVENTS {
            self.events.push(event);
        }
    }
}
