//! What a tape shows of a training step: the list of its ops, the time each of them took, and a picture with both.
//!
//! `cargo run --release --example 19_looking_inside`

mod lesson;

use wengert::prelude::*;

/// Two layers, as a network for digits has them: 784 pixels, 128 hidden units, 10 classes.
fn loss<'t>(
    tape: &'t Tape32,
    parameters: &[Tensor<f32>; 4],
    images: &Tensor<f32>,
    labels: &[i64],
) -> TensorVar<'t, f32> {
    let [w1, b1, w2, b2] = parameters.each_ref().map(|parameter| tape.tensor(parameter));
    let hidden = tape.constant_tensor(images).linear(w1, b1).tanh();
    hidden.linear(w2, b2).cross_entropy(labels)
}

fn main() -> std::io::Result<()> {
    lesson::begin(include_str!("19_looking_inside.rs"));
    let mut rng = rng(1);
    let mut random = |shape: &[usize]| Tensor::<f32>::uniform(shape, -0.1, 0.1, &mut rng);
    let parameters = [random(&[128, 784]), random(&[128]), random(&[10, 128]), random(&[10])];
    let images = random(&[32, 784]);
    let labels: Vec<i64> = (0..32).map(|k| k % 10).collect();

    let mut tape = Tape32::new();
    // Once without looking: the first step waits for its memory.
    loss(&tape, &parameters, &images, &labels).gradient();
    tape.clear();

    let profile = tape.profile();
    loss(&tape, &parameters, &images, &labels).gradient();
    println!("{tape}\n{profile}");

    let folder = std::env::temp_dir();
    let (picture, trace) = (folder.join("wengert-tape.svg"), folder.join("wengert-trace.json"));
    std::fs::write(&picture, tape.to_svg())?;
    std::fs::write(&trace, profile.chrome_trace())?;
    println!("a picture: {}\nfor chrome://tracing or ui.perfetto.dev: {}", picture.display(), trace.display());

    let linear = profile.ops().into_iter().find(|op| op.op == "linear").map(|op| (op.calls, op.sweeps, op.bytes));
    // Results of [32, 128] and [32, 10] numbers, of 4 bytes each.
    assert_eq!(linear, Some((2, 2, 4 * 32 * (128 + 10))));
    Ok(())
}
