//! A training step recorded once and replayed: the same numbers as on a tape, without running the layers' code again.
//!
//! `cargo run --release --example 18_recorded_step`

mod lesson;

use std::time::Instant;
use wengert::nn::{Linear, Mode, RecordedLoss, Sequential, Tanh, loss};
use wengert::prelude::*;

/// Two spirals of 100 points each, and the spiral each point is on: 1 or -1.
fn spirals() -> (Tensor<f32>, Tensor<f32>) {
    let point = |k: usize| {
        let (side, t) = (if k.is_multiple_of(2) { 1.0 } else { -1.0 }, (k / 2) as f32 / 100.0);
        let (angle, radius) = (t * 7.0, side * (0.1 + t));
        ([radius * angle.cos(), radius * angle.sin()], side)
    };
    let x = Tensor::from_fn([200, 2], |index| point(index[0]).0[index[1]]);
    (x, Tensor::from_fn([200, 1], |index| point(index[0]).1))
}

fn network() -> Sequential<f32> {
    let mut rng = rng(7);
    Sequential::new()
        .with(Linear::new(2, 32, &mut rng))
        .with(Tanh)
        .with(Linear::new(32, 32, &mut rng))
        .with(Tanh)
        .with(Linear::new(32, 1, &mut rng))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    lesson::begin(include_str!("18_recorded_step.rs"));
    let (x, side) = spirals();
    const STEPS: usize = 3000;

    // On a tape: recorded in every step.
    let (mut model, mut adam, mut tape) = (network(), Adam::new(0.01), Tape32::new());
    let start = Instant::now();
    let mut taped = 0.0;
    for _ in 0..STEPS {
        let gradients = {
            let y = model.forward(tape.constant_tensor(&x), &mut Mode::Eval)?;
            let loss = loss::mse(y, &side)?;
            taped = loss.item();
            loss.gradient()
        };
        tape.clear();
        adam.step(&mut model, &gradients)?;
    }
    println!("on a tape:     loss {taped:.6} after {STEPS} steps, {:.2} s", start.elapsed().as_secs_f64());

    // Recorded once, replayed in every step.
    let (mut model, mut adam) = (network(), Adam::new(0.01));
    let mut step = RecordedLoss::record(&model, &x, &side, loss::mse)?;
    let start = Instant::now();
    let mut replayed = 0.0;
    for _ in 0..STEPS {
        let (loss, gradients) = step.value_and_gradients(&model, &x, &side)?;
        replayed = loss;
        adam.step(&mut model, &gradients)?;
    }
    println!("recorded once: loss {replayed:.6} after {STEPS} steps, {:.2} s", start.elapsed().as_secs_f64());
    assert_eq!(taped, replayed, "a replay has the bits of the tape");

    let y = model.predict(&x)?;
    let right = y.iter().zip(side.iter()).filter(|(y, side)| y * side > 0.0).count();
    println!("{right} of 200 points on the right spiral\n\nWhat one replay does:");
    print!("{step}");
    Ok(())
}
