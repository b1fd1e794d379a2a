//! The Greeks of an option from one reverse sweep per simulated path, each recorded in the memory of the last.
//! The option is on the geometric mean of prices, for which a formula is known to compare with.

mod lesson;

use wengert::prelude::*;

/// How many days the price is taken on.
const DAYS: usize = 12;

/// What the option pays along one path, discounted. `p`: price, volatility, interest, years; `z`: normal deviates.
///
/// The price is a geometric Brownian motion; the option pays what the geometric mean exceeds the strike of 100 by.
fn payoff<T: Number>(p: &[T], z: &[f64]) -> T {
    let [price, volatility, interest, years] = [p[0], p[1], p[2], p[3]];
    let step = years / DAYS as f64;
    let drift = (interest - volatility.square() * 0.5) * step;
    let spread = volatility * step.sqrt();
    let mut logarithm = price.ln();
    let mut sum = T::from(0.0);
    for &z in z {
        logarithm += drift + spread * z;
        sum += logarithm;
    }
    ((sum / DAYS as f64).exp() - 100.0).relu() * (-interest * years).exp()
}

/// The expectation of [`payoff`]: the mean is log-normal again, so the formula of Black and Scholes holds for it with its
/// own drift and spread (A. Kemna and A. Vorst, "A pricing method for options based on average asset values", 1990).
fn formula(p: &[f64]) -> f64 {
    let [price, volatility, interest, years] = [p[0], p[1], p[2], p[3]];
    let n = DAYS as f64;
    let mean = price.ln() + (interest - volatility * volatility / 2.0) * years * (n + 1.0) / (2.0 * n);
    let spread = volatility * (years * (n + 1.0) * (2.0 * n + 1.0) / (6.0 * n * n)).sqrt();
    let d = (mean - 100.0_f64.ln()) / spread;
    let forward = (mean + spread * spread / 2.0).exp();
    (-interest * years).exp() * (forward * below(d + spread) - 100.0 * below(d))
}

/// The probability that a normal deviate is below `x`, by Simpson's rule.
fn below(x: f64) -> f64 {
    let (n, low) = (2_000, -10.0);
    let h = (x - low) / f64::from(n);
    let density = |k: i32| (-(low + f64::from(k) * h).powi(2) / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let pairs = (0..n / 2).map(|k| density(2 * k) + 4.0 * density(2 * k + 1) + density(2 * k + 2));
    pairs.sum::<f64>() * h / 3.0
}

fn main() {
    lesson::begin(include_str!("11_option_greeks.rs"));
    let p = [105.0, 0.3, 0.04, 1.5];
    let paths = 100_000;
    let z = Tensor::<f64>::normal([paths, DAYS], 0.0, 1.0, &mut rng(11)).to_vec();

    let mut tape = Tape::new();
    let (mut sum, mut squares) = ([0.0; 5], [0.0; 5]);
    for z in z.chunks_exact(DAYS) {
        let inputs = tape.vars(&p);
        let y = payoff(&inputs, z);
        let greeks = y.gradient().wrt(&inputs);
        let all = [y.value(), greeks[0], greeks[1], greeks[2], greeks[3]];
        for (k, x) in all.into_iter().enumerate() {
            sum[k] += x;
            squares[k] += x * x;
        }
        tape.clear();
    }

    for (k, name) in ["value", "delta", "vega", "rho", "-theta"].into_iter().enumerate() {
        let exact = if k == 0 {
            formula(&p)
        } else {
            let h = 1e-5;
            let moved =
                |h: f64| formula(&std::array::from_fn::<f64, 4, _>(|i| if i + 1 == k { p[i] + h } else { p[i] }));
            (moved(h) - moved(-h)) / (2.0 * h)
        };
        let n = paths as f64;
        let mean = sum[k] / n;
        let error = ((squares[k] / n - mean * mean) / n).sqrt();
        println!("{name:6} {mean:8.4} +- {error:.4}, formula {exact:8.4}");
        assert!((mean - exact).abs() < 3.0 * error);
    }
}
