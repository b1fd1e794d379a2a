//! A model is a number that guesses, and learning is moving the number until the guesses are right.
//! First it is told only "hotter" or "colder"; then the derivative says which way to go, and how far.

mod lesson;

use wengert::prelude::*;

/// How wrong the slope is: the mean squared distance of `slope * x` from `y`.
fn error<T: Number>(slope: T, data: &[(f64, f64)]) -> T {
    data.iter().map(|&(x, y)| (slope * x - y).square()).sum::<T>() / data.len() as f64
}

fn main() {
    lesson::begin(include_str!("00_hot_and_cold.rs"));
    // Someone chose 2.5 and told us four points on the line.
    let data = [(1.0, 2.5), (2.0, 5.0), (-1.0, -2.5), (3.0, 7.5)];

    // Hot and cold: try a little more and a little less, keep what is better.
    let (mut slope, mut tries) = (0.0, 0);
    while error(slope, &data) > 1e-6 {
        let (up, down) = (error(slope + 0.001, &data), error(slope - 0.001, &data));
        slope += if up < down { 0.001 } else { -0.001 };
        tries += 2;
    }
    println!("hot and cold: slope {slope:.3} after {tries} tries");

    // The derivative: positive means too large, and large means far away.
    let (mut slope, mut steps) = (0.0, 0);
    let mut tape = Tape::new();
    while error(slope, &data) > 1e-6 {
        let guess = tape.var(slope);
        let uphill = error(guess, &data).gradient()[guess];
        slope -= 0.1 * uphill;
        steps += 1;
        tape.clear();
    }
    println!("derivative:   slope {slope:.3} after {steps} steps");

    assert!((slope - 2.5).abs() < 1e-3 && steps < 10 && tries > 1000);
}
