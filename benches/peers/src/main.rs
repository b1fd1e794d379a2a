//! How do the scalar tapes of Rust compare on six programs?
//!
//! Prints, for each program, the time of a gradient over the time of the program itself on plain numbers: ours in plain
//! operators, ours in a richer way, echidna's tape and reverse's tape. Samples are
//! taken in turn, and the fastest of each counts: what disturbs a run only ever makes it slower.

use echidna::{Reverse, Scalar};
use num_traits::Float;
use std::hint::black_box;
use std::time::Instant;
use wengert::prelude::*;

#[path = "../../workloads/scalar/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the benches use all of it")]
mod workloads;
use workloads::{Arithmetic, Asian, Gmm, Gradient, Logistic, Lorenz, Lstm, Program, Rosenbrock};

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

fn compare<P: Program>(program: &P, richer: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>) {
    let x = program.point();
    let (mut plain, mut rich) = (Gradient::at(x.clone()), Gradient::at(x.clone()));
    let expected = plain.of(|_, x| program.value(x)).to_vec();
    let length = expected.iter().fold(0.0_f64, |length, x| length.hypot(*x));
    let agrees = |name: &str, g: &[f64]| {
        let off = g.iter().zip(&expected).fold(0.0_f64, |off, (a, b)| off.hypot(a - b)) / length;
        if off > 1e-10 {
            eprintln!("{}: {name} is off by {off:.1e} of the gradient", P::NAME);
        }
    };
    agrees("richer", rich.of(&richer));
    agrees("echidna", &echidna::grad(|x: &[Reverse<f64>]| program.value(x), &x));
    let tape = reverse::Tape::new();
    agrees("reverse", &program.value(&tape.add_vars(&x)).grad()[..x.len()]);
    let times = fastest(&mut [
        &mut || _ = black_box(program.value(black_box(&x[..]))),
        &mut || _ = black_box(plain.of(|_, x| program.value(x))[0]),
        &mut || _ = black_box(rich.of(&richer)[0]),
        &mut || _ = black_box(echidna::grad(|x: &[Reverse<f64>]| program.value(x), black_box(&x))),
        &mut || {
            tape.clear();
            _ = black_box(program.value(&tape.add_vars(black_box(&x))).grad());
        },
    ]);
    let ratios: Vec<String> = times[1..].iter().map(|t| format!("{:.1}", t / times[0])).collect();
    println!("| {} | {:.0} us | {} |", P::NAME, times[0] * 1e6, ratios.join(" | "));
}

fn main() {
    println!("| program | its value alone | ours, plain | ours, richer | echidna | reverse |\n|---|---|---|---|---|---|");
    let (mixture, lstm, option, logistic) = (Gmm::default(), Lstm::default(), Asian::default(), Logistic::default());
    compare(&mixture, |tape, p| mixture.accumulated(tape, p));
    compare(&lstm, |_, p| lstm.fused(p));
    compare(&Rosenbrock, |_, x| Rosenbrock::fused(x));
    compare(&option, |tape, p| option.accumulated(tape, p));
    compare(&Lorenz, |_, p| Lorenz::fused(p));
    compare(&logistic, |tape, b| logistic.with_tensors(tape, b));
}
