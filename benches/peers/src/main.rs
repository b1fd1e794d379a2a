//! How do scalar tapes compare on six programs?
//!
//! Prints, for each program, the time of a gradient over the time of the program itself on plain numbers: ours in plain
//! operators, ours in a richer way, echidna's tape and reverse's tape, and with `--features cpp` those of C++, in
//! parentheses over the time of the same program in C++. A second table has programs recorded once and replayed. Samples are
//! taken in turn, and the fastest of each counts: what disturbs a run only ever makes it slower.

use echidna::{Reverse, Scalar};
use num_traits::Float;
use std::hint::black_box;
use std::time::Instant;
use wengert::prelude::*;

mod cpp;
#[path = "../../workloads/scalar/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the benches use all of it")]
mod workloads;
use cpp::{InCpp, Task};
use workloads::{Arithmetic, Asian, Gmm, Logistic, Lorenz, Lstm, Rosenbrock};

impl Arithmetic for Reverse<f64> {
    #[inline(always)]
    fn constant(self, value: f64) -> Self {
        Reverse::constant(value)
    }
    #[inline(always)]
    fn number(self) -> f64 {
        Scalar::value(&self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        Float::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        Float::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        Float::tanh(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Float::sqrt(self)
    }
    #[inline(always)]
    fn recip(self) -> Self {
        1.0 / self
    }
}

impl Arithmetic for reverse::Var<'_> {
    #[inline(always)]
    fn constant(self, value: f64) -> Self {
        self.tape.add_var(value)
    }
    #[inline(always)]
    fn number(self) -> f64 {
        self.val
    }
    #[inline(always)]
    fn exp(self) -> Self {
        reverse::Var::exp(&self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        reverse::Var::ln(&self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        reverse::Var::tanh(&self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        reverse::Var::sqrt(&self)
    }
    #[inline(always)]
    fn recip(self) -> Self {
        // Not `1.0 / self`, whose derivative this crate gets wrong.
        reverse::Powf::powf(&self, -1.0)
    }
}

/// Writes a gradient.
type Gradient<'a> = Box<dyn FnMut(&mut [f64]) + 'a>;

/// One way to a gradient.
struct Way<'a> {
    name: &'static str,
    /// Is the program recorded once for gradients at many points, and not for each?
    replays: bool,
    /// Is the program written in C++, so that its value there is a second measure?
    in_cpp: bool,
    gradient: Gradient<'a>,
}

impl<'a> Way<'a> {
    fn new(name: &'static str, gradient: impl FnMut(&mut [f64]) + 'a) -> Self {
        Way { name, replays: false, in_cpp: false, gradient: Box::new(gradient) }
    }

    /// A closure over a tape of ours.
    fn ours(name: &'static str, x: &'a [f64], f: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + 'a) -> Self {
        let mut tape = Tape::new();
        Way::new(name, move |g| {
            {
                let x = tape.vars(black_box(x));
                f(&tape, &x).gradient().write_wrt(&x, g);
            }
            tape.clear();
        })
    }

    /// All of them.
    fn all<P: InCpp>(
        program: &'a P,
        richer: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t> + 'a,
        x: &'a [f64],
        task: &'a Task<'a>,
    ) -> Vec<Self> {
        let other = reverse::Tape::new();
        let recorded = Function::record(x, |x| program.value(x)).expect("a finite value");
        let mut ways = vec![
            Way::ours("Wengert, plain", x, |_, x| program.value(x)),
            Way::ours("Wengert, richer", x, richer),
            Way::new("echidna", |g| {
                g.copy_from_slice(&echidna::grad(|x: &[Reverse<f64>]| program.value(x), black_box(x)));
            }),
            Way::new("reverse", move |g| {
                other.clear();
                g.copy_from_slice(&program.value(&other.add_vars(black_box(x))).grad()[..x.len()]);
            }),
            Way {
                replays: true,
                ..Way::new("Wengert", move |g| {
                    _ = recorded.gradient_into(black_box(x), g).expect("the recorded branches")
                })
            },
        ];
        ways.extend(cpp::TAPES.iter().map(|tape| {
            tape.record(task);
            let gradient = Box::new(|g: &mut [f64]| tape.gradient(black_box(task), g));
            Way { name: tape.name, replays: tape.replays(), in_cpp: true, gradient }
        }));
        ways
    }
}

/// The fastest of 15 samples of at least 5 ms, for each program in turn.
fn fastest(programs: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; programs.len()];
    for _ in 0..15 {
        for (program, best) in programs.iter_mut().zip(&mut best) {
            let (start, mut calls) = (Instant::now(), 0);
            while start.elapsed().as_secs_f64() < 5e-3 {
                program();
                calls += 1;
            }
            *best = best.min(start.elapsed().as_secs_f64() / f64::from(calls));
        }
    }
    best
}

/// The rows printed in the end: those of tapes recorded for each gradient, and those of tapes replayed.
#[derive(Default)]
struct Tables([Vec<String>; 2]);

impl Tables {
    fn compare<P: InCpp + Default>(&mut self, richer: impl for<'t> Fn(&P, &'t Tape, &[Var<'t>]) -> Var<'t>) {
        // Words after `--` choose programs.
        let words: Vec<String> = std::env::args().skip(1).collect();
        if !words.is_empty() && !words.iter().any(|word| P::NAME.contains(word.as_str())) {
            return;
        }
        let program = P::default();
        let x = program.point();
        let task = Task::new(&program, &x);
        let mut ways = Way::all(&program, |tape, x| richer(&program, tape, x), &x, &task);

        let value = program.value(&x[..]);
        let off = task.value().map_or(0.0, |in_cpp| (in_cpp - value).abs() / value.abs());
        assert!(off < 1e-10, "{}: the value in C++ is off by {off:.1e} of it", P::NAME);
        let mut gradient = vec![0.0; x.len()];
        (ways[0].gradient)(&mut gradient);
        let expected = gradient.clone();
        let length = expected.iter().fold(0.0_f64, |length, x| length.hypot(*x));
        for way in &mut ways {
            gradient.fill(f64::NAN);
            (way.gradient)(&mut gradient);
            let off = gradient.iter().zip(&expected).fold(0.0_f64, |off, (a, b)| off.hypot(a - b)) / length;
            // Not `off > 1e-9`, which a NaN passes.
            assert!(off <= 1e-9, "{}: {} is off by {off:.1e} of the gradient", P::NAME, way.name);
        }

        let mut value = || _ = black_box(program.value(black_box(&x[..])));
        let mut value_in_cpp = || _ = black_box(black_box(&task).value());
        let mut calls: Vec<Box<dyn FnMut()>> = Vec::new();
        for way in &mut ways {
            let mut g = vec![0.0; x.len()];
            calls.push(Box::new(move || (way.gradient)(black_box(&mut g))));
        }
        let mut timed: Vec<&mut dyn FnMut()> = vec![&mut value, &mut value_in_cpp];
        timed.extend(calls.iter_mut().map(|call| &mut **call as &mut dyn FnMut()));
        let times = fastest(&mut timed);
        drop(calls);
        self.rows(P::NAME, &ways, &times);
    }

    /// Adds a row to each table, and to an empty one its head.
    fn rows(&mut self, program: &str, ways: &[Way], times: &[f64]) {
        let (alone, times) = times.split_at(2);
        for (table, replays) in self.0.iter_mut().zip([false, true]) {
            let ways = ways.iter().zip(times).filter(|(way, _)| way.replays == replays);
            if table.is_empty() {
                let names: Vec<&str> = ways.clone().map(|(way, _)| way.name).collect();
                let first = if replays { "program, recorded once" } else { "program" };
                let columns = if cfg!(feature = "cpp") { "its value alone (in C++)" } else { "its value alone" };
                table.push(format!("| {first} | {columns} | {} |", names.join(" | ")));
                table.push(format!("|---|---|{}", "---|".repeat(names.len())));
            }
            let in_cpp = if cfg!(feature = "cpp") { format!(" ({:.0})", alone[1] * 1e6) } else { String::new() };
            let ratios: Vec<String> = ways
                .map(|(way, time)| {
                    let also = if way.in_cpp { format!(" ({:.1})", time / alone[1]) } else { String::new() };
                    format!("{:.1}{also}", time / alone[0])
                })
                .collect();
            table.push(format!("| {program} | {:.0}{in_cpp} us | {} |", alone[0] * 1e6, ratios.join(" | ")));
        }
    }
}

fn main() {
    let mut tables = Tables::default();
    tables.compare(Gmm::with_tensors);
    tables.compare(|lstm: &Lstm, _, p| lstm.with_sigmoid(p));
    tables.compare(|_: &Rosenbrock, _, x| Rosenbrock::fused(x));
    tables.compare(Asian::accumulated);
    tables.compare(|_: &Lorenz, _, p| Lorenz::fused::<10>(p));
    tables.compare(Logistic::with_tensors);
    println!("{}", tables.0.map(|rows| rows.join("\n")).join("\n\n"));
}
