//! Whole training steps: forward, backward, update.

use wengert::nn::{Adam, Linear, Mode, Optimizer, Relu, Sequential, Sgd, Tanh, loss};
use wengert::prelude::*;
use wengert::{Tape32, rng};

type Loss = Box<dyn for<'t> Fn(TensorVar<'t, f32>) -> Result<TensorVar<'t, f32>, wengert::nn::Error>>;

/// One training step, as a user's loop without the trainer reads.
pub struct Step {
    tape: Tape32,
    model: Sequential<f32>,
    optimizer: Box<dyn Optimizer<f32>>,
    x: Tensor<f32>,
    loss: Loss,
}

impl Step {
    /// 784-512-256-10 with ReLU, batch 128, softmax cross-entropy, Adam.
    pub fn mlp() -> Self {
        let mut rng = rng(1);
        let model = Sequential::new()
            .with(Linear::new(784, 512, &mut rng))
            .with(Relu)
            .with(Linear::new(512, 256, &mut rng))
            .with(Relu)
            .with(Linear::new(256, 10, &mut rng));
        let x = Tensor::normal([128, 784], 0.0, 1.0, &mut rng);
        let labels: Tensor<i64> = (0..128_i64).map(|i| i * 7919 % 10).collect();
        let loss: Loss = Box::new(move |y| loss::cross_entropy(y, &labels));
        Step { tape: Tape32::new(), model, optimizer: Box::new(Adam::new(1e-3)), x, loss }
    }

    /// XOR by 2-16-16-1 with tanh, batch 4, mean squared error, SGD.
    pub fn tiny() -> Self {
        let mut rng = rng(1);
        let model = Sequential::new()
            .with(Linear::new(2, 16, &mut rng))
            .with(Tanh)
            .with(Linear::new(16, 16, &mut rng))
            .with(Tanh)
            .with(Linear::new(16, 1, &mut rng));
        let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
        let target = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
        let loss: Loss = Box::new(move |y| loss::mse(y, &target));
        Step { tape: Tape32::new(), model, optimizer: Box::new(Sgd::new(0.1)), x, loss }
    }

    pub fn call(&mut self) -> f32 {
        let (loss, gradients) = {
            let x = self.tape.constant_tensor(&self.x);
            let y = self.model.forward(x, &mut Mode::Eval).expect("the shapes fit");
            let loss = (self.loss)(y).expect("the labels fit");
            (loss.item(), loss.gradient())
        };
        self.tape.clear();
        self.optimizer.step(&mut self.model, &gradients).expect("every gradient is finite");
        loss
    }
}
