//! Training steps of models of sequences: long short-term memory, and a small transformer.

use wengert::nn::{
    AdamW, Embedding, Error, Layer, LayerNorm, Linear, Lstm, Mode, Module, Optimizer, Sgd, TransformerBlock, loss,
};
use wengert::prelude::*;
use wengert::{Tape32, Unary, rng};

/// Long short-term memory: 32 sequences of 32 steps with 64 features, 128 hidden ones; mean squared error of the last state, SGD.
pub struct LstmStep {
    tape: Tape32,
    model: Lstm<f32>,
    optimizer: Sgd,
    x: Tensor<f32>,
    target: Tensor<f32>,
}

impl LstmStep {
    pub fn new() -> Self {
        let mut rng = rng(5);
        LstmStep {
            tape: Tape32::new(),
            model: Lstm::new(64, 128, 1, &mut rng),
            optimizer: Sgd::new(0.01),
            x: Tensor::normal([32, 32, 64], 0.0, 1.0, &mut rng),
            target: Tensor::normal([1, 32, 128], 0.0, 0.5, &mut rng),
        }
    }

    pub fn call(&mut self) -> f32 {
        let (loss, gradients) = {
            let x = self.tape.constant_tensor(&self.x);
            let (_, (h, _)) = self.model.run(x, None).expect("the shapes fit");
            let loss = loss::mse(h, &self.target).expect("the shapes fit");
            (loss.item(), loss.gradient())
        };
        self.tape.clear();
        self.optimizer.step(&mut self.model, &gradients).expect("every gradient is finite");
        loss
    }
}

const PLACES: usize = 64;
const FEATURES: usize = 128;
const LETTERS: usize = 65;
const BATCH: usize = 16;

/// A decoder of letters: four blocks of four heads, GELU between their layers.
#[derive(Module)]
struct Decoder {
    letters: Embedding,
    places: Embedding,
    blocks: Vec<TransformerBlock>,
    norm: LayerNorm,
    head: Linear,
}

impl Decoder {
    fn scores<'t>(&self, tape: &'t Tape32, x: &Tensor<i64>) -> Result<TensorVar<'t, f32>, Error> {
        let mut y = self.letters.embed(tape, x)?.try_add(tape.parameter(&self.places.weight))?;
        for block in &self.blocks {
            y = block.forward(y, &mut Mode::Eval)?;
        }
        self.head.forward(self.norm.forward(y, &mut Mode::Eval)?, &mut Mode::Eval)
    }
}

/// A transformer: 16 texts of 64 letters, 128 features; mean cross-entropy of every next letter, AdamW.
pub struct TransformerStep {
    tape: Tape32,
    model: Decoder,
    optimizer: AdamW,
    x: Tensor<i64>,
    labels: Tensor<i64>,
}

impl TransformerStep {
    pub fn new() -> Self {
        let mut rng = rng(6);
        let mut block = || TransformerBlock::new(FEATURES, 4, 4 * FEATURES, &mut rng).activation(Unary::Gelu).causal();
        let blocks = (0..4).map(|_| block()).collect();
        let model = Decoder {
            letters: Embedding::new(LETTERS, FEATURES, &mut rng),
            places: Embedding::new(PLACES, FEATURES, &mut rng),
            blocks,
            norm: LayerNorm::new([FEATURES]),
            head: Linear::new(FEATURES, LETTERS, &mut rng).without_bias(),
        };
        let letter = |k: usize| (k * 7919 % LETTERS) as i64;
        let letters = |first: usize| Tensor::from_fn([BATCH, PLACES], |at| letter(first + at[0] * PLACES + at[1]));
        let optimizer = AdamW::new(1e-3).weight_decay(0.01);
        TransformerStep { tape: Tape32::new(), model, optimizer, x: letters(0), labels: letters(1) }
    }

    pub fn call(&mut self) -> f32 {
        let (loss, gradients) = {
            let scores = self.model.scores(&self.tape, &self.x).expect("the shapes fit");
            let loss = loss::cross_entropy(scores, &self.labels).expect("the labels fit");
            (loss.item(), loss.gradient())
        };
        self.tape.clear();
        self.optimizer.step(&mut self.model, &gradients).expect("every gradient is finite");
        loss
    }
}
