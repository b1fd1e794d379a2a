//! S7: the price of an Asian option by 10,000 simulated paths of 100 days.

use super::{Arithmetic, Program, normal};
use wengert::prelude::*;

/// The discounted mean of `max(average - strike, 0)`; the point holds spot, rate, volatility and strike.
pub struct Asian {
    pub shocks: Vec<f64>,
}

const PATHS: usize = 10_000;
const DAYS: usize = 100;

impl Default for Asian {
    fn default() -> Self {
        Asian { shocks: normal(PATHS * DAYS, 1.0, 4) }
    }
}

impl Program for Asian {
    const NAME: &'static str = "S7_asian_option";
    const OPS: usize = 5_020_000; // and one for each path in the money, about half of them, twice

    fn point(&self) -> Vec<f64> {
        vec![100.0, 0.03, 0.2, 100.0]
    }

    fn value<T: Arithmetic>(&self, p: &[T]) -> T {
        let (drift, volatility) = rates(p);
        let mut total = p[0].constant(0.0);
        for shocks in self.paths() {
            total = total + payoff(p[0], drift, volatility, p[3], shocks);
        }
        discounted(total, p)
    }
}

/// Drift and volatility of one day.
fn rates<T: Arithmetic>(p: &[T]) -> (T, T) {
    let day = 1.0 / DAYS as f64;
    ((p[1] - p[2] * 0.5 * p[2]) * day, p[2] * day.sqrt())
}

/// What one path pays.
#[inline(always)]
fn payoff<T: Arithmetic>(spot: T, drift: T, volatility: T, strike: T, shocks: &[f64]) -> T {
    let mut price = spot;
    let mut sum = spot.constant(0.0);
    for &shock in shocks {
        price = price * (drift + volatility * shock).exp();
        sum = sum + price;
    }
    let average = sum * (1.0 / DAYS as f64);
    if average.number() > strike.number() { average - strike } else { spot.constant(0.0) }
}

/// The price, from the sum over the paths.
fn discounted<T: Arithmetic>(total: T, p: &[T]) -> T {
    total * (-p[1]).exp() * (1.0 / PATHS as f64)
}

impl Asian {
    fn paths(&self) -> impl Iterator<Item = &[f64]> {
        self.shocks.chunks_exact(DAYS)
    }

    /// What one path adds to the price, recorded, and the paths.
    pub fn recorded(&self) -> (Function, Vec<Vec<f64>>) {
        let paths: Vec<Vec<f64>> = self.paths().map(<[f64]>::to_vec).collect();
        let term = Function::record_with_data(&self.point(), &paths[0], |p, shocks| {
            let (drift, volatility) = rates(p);
            let (mut price, mut sum) = (p[0], p[0].constant(0.0));
            for &shock in shocks {
                price *= Arithmetic::exp(drift + volatility * shock);
                sum += price;
            }
            discounted((sum * (1.0 / DAYS as f64) - p[3]).relu(), p)
        });
        (term.expect("no branch to record"), paths)
    }

    /// The price, the paths divided among threads.
    pub fn value_over_threads(&self, p: &[f64], threads: usize) -> f64 {
        let (drift, volatility) = rates(p);
        let part = DAYS * PATHS.div_ceil(threads);
        let total = std::thread::scope(|scope| {
            let sum = |shocks: &[f64]| -> f64 {
                shocks.chunks_exact(DAYS).map(|shocks| payoff(p[0], drift, volatility, p[3], shocks)).sum()
            };
            let parts: Vec<_> = self.shocks.chunks(part).map(|part| scope.spawn(move || sum(part))).collect();
            parts.into_iter().map(|part| part.join().expect("arithmetic does not panic")).sum()
        });
        discounted(total, p)
    }

    /// The price, each path recorded, swept and forgotten, on as many threads as Wengert may use.
    pub fn accumulated_over_threads<'t>(&self, tape: &'t Tape, p: &[Var<'t>]) -> Var<'t> {
        let (drift, volatility) = rates(p);
        let paths: Vec<&[f64]> = self.paths().collect();
        let total = tape.accumulate_parallel(&[p[0], drift, volatility, p[3]], &paths, |x, shocks| {
            payoff(x[0], x[1], x[2], x[3], shocks)
        });
        discounted(total, p)
    }

    /// The gradient of the price, each path recorded on the memory of the last, and the bytes of the tape in the end.
    pub fn rewound(&self) -> ([f64; 4], usize) {
        let mut tape = Tape::new();
        let p: Vec<_> = self.point().iter().map(|&x| tape.var(x).unbind()).collect();
        let mark = tape.mark();
        let mut sums = [0.0; 4];
        for shocks in self.paths() {
            {
                let p: Vec<Var> = p.iter().map(|&x| tape.bind(x)).collect();
                let (drift, volatility) = rates(&p);
                let gradient = discounted(payoff(p[0], drift, volatility, p[3], shocks), &p).gradient();
                sums.iter_mut().zip(p).for_each(|(sum, x)| *sum += gradient[x]);
            }
            tape.rewind(mark);
        }
        (sums, tape.size().bytes)
    }

    /// The price, each path recorded, swept and forgotten.
    pub fn accumulated<'t>(&self, tape: &'t Tape, p: &[Var<'t>]) -> Var<'t> {
        let (drift, volatility) = rates(p);
        let total = tape.accumulate(&[p[0], drift, volatility, p[3]], self.paths(), |x, shocks| {
            payoff(x[0], x[1], x[2], x[3], shocks)
        });
        discounted(total, p)
    }
}
