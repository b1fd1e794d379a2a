//! A transformer lets every place of a sequence look at all others, and learns where to look.
//! This one learns to sort digits from examples alone: what belongs third depends on every digit there is.

mod lesson;

use std::error::Error;
use std::time::Instant;
use wengert::Unary;
use wengert::nn::Error as LayerError;
use wengert::prelude::*;

const LENGTH: usize = 6;
const FEATURES: usize = 32;

/// Vectors for digits and for places, blocks of attention, and a score for each digit at each place.
#[derive(Module)]
struct Sorter {
    digits: Embedding,
    places: Embedding,
    blocks: Vec<TransformerBlock>,
    norm: LayerNorm,
    head: Linear,
}

impl Sorter {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let mut block = || TransformerBlock::new(FEATURES, 4, 2 * FEATURES, &mut rng).activation(Unary::Gelu);
        let blocks = vec![block(), block()];
        Sorter {
            digits: Embedding::new(10, FEATURES, &mut rng),
            places: Embedding::new(LENGTH, FEATURES, &mut rng),
            blocks,
            norm: LayerNorm::new([FEATURES]),
            head: Linear::new(FEATURES, 10, &mut rng),
        }
    }

    /// Scores `[n, LENGTH, 10]` from sequences `[n, LENGTH]`.
    fn scores<'t>(&self, tape: &'t Tape32, x: &Tensor<i64>) -> Result<TensorVar<'t, f32>, LayerError> {
        let places = Tensor::arange(LENGTH);
        let mut y = self.digits.embed(tape, x)?.try_add(self.places.embed(tape, &places)?)?;
        for block in &self.blocks {
            y = block.forward(y, &mut Mode::Eval)?;
        }
        self.head.forward(self.norm.forward(y, &mut Mode::Eval)?, &mut Mode::Eval)
    }
}

/// Sequences of digits, unsorted and sorted.
fn examples(n: usize, seed: u64) -> (Tensor<i64>, Tensor<i64>) {
    let x = Tensor::<f32>::uniform([n, LENGTH], 0.0, 10.0, &mut rng(seed)).map(|digit| digit as i64);
    let sorted = x.sort(-1);
    (x, sorted)
}

fn main() -> Result<(), Box<dyn Error>> {
    lesson::begin(include_str!("16_transformer.rs"));
    let mut model = Sorter::new(1);
    println!("{} parameters", model.parameter_count());
    let (mut tape, mut optimizer) = (Tape32::new(), Adam::new(3e-3));
    let (start, mut first, mut last) = (Instant::now(), 0.0, 0.0);
    for step in 0..=300 {
        let (x, sorted) = examples(64, 1000 + step);
        let loss = loss::cross_entropy(model.scores(&tape, &x)?, &sorted)?;
        last = loss.item();
        if step == 0 {
            first = last;
        }
        if step % 100 == 0 {
            println!("step {step:3}: loss {last:.4}, after {:.1?}", start.elapsed());
        }
        let gradients = loss.gradient();
        tape.clear();
        optimizer.set_learning_rate(3e-3 * (1.0 - step as f64 / 301.0));
        optimizer.step(&mut model, &gradients)?;
    }
    assert!(first > 2.0, "before training it guesses: ln 10 = 2.3");
    assert!(last < 0.2 * first);

    let (x, sorted) = examples(500, 1);
    let read = model.scores(&Tape32::evaluating(), &x)?.value().argmax_axis(-1);
    let right = read.equal(&sorted).count() as f64 / sorted.len() as f64;
    println!("{:.1} % of the digits of 500 new sequences are in their place", 100.0 * right);
    println!("{:?} sorts to {:?}", x.index_axis(0, 0).to_vec(), read.index_axis(0, 0).to_vec());
    assert!(right > 0.95);
    Ok(())
}
