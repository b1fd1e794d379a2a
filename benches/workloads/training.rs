//! Whole training steps: forward, backward, update; and the curvature of a loss along a direction.

use wengert::nn::{
    Adam, Conv2d, Flatten, Linear, MaxPool2d, Mode, Optimizer, Relu, Sequential, Sgd, Tanh, Target, loss,
};
use wengert::prelude::*;
use wengert::{Parameter, Tape32, rng};

type Loss = Box<dyn for<'t> Fn(TensorVar<'t, f32>) -> Result<TensorVar<'t, f32>, wengert::nn::Error>>;

/// 784-512-256-10 with ReLU, a batch of 128 and its labels.
fn digits() -> (Sequential<f32>, Tensor<f32>, Tensor<i64>) {
    let mut rng = rng(1);
    let model = Sequential::new()
        .with(Linear::new(784, 512, &mut rng))
        .with(Relu)
        .with(Linear::new(512, 256, &mut rng))
        .with(Relu)
        .with(Linear::new(256, 10, &mut rng));
    let x = Tensor::normal([128, 784], 0.0, 1.0, &mut rng);
    (model, x, (0..128_i64).map(|i| i * 7919 % 10).collect())
}

/// What a training step works with.
pub struct Parts<T: Target> {
    pub model: Sequential<f32>,
    pub optimizer: Box<dyn Optimizer<f32>>,
    pub x: Tensor<f32>,
    pub targets: Tensor<T>,
}

/// 784-512-256-10 with ReLU, batch 128, softmax cross-entropy, Adam.
pub fn mlp() -> Parts<i64> {
    let (model, x, targets) = digits();
    Parts { model, optimizer: Box::new(Adam::new(1e-3)), x, targets }
}

/// XOR by 2-16-16-1 with tanh, batch 4, mean squared error, SGD.
pub fn tiny() -> Parts<f32> {
    let mut rng = rng(1);
    let model = Sequential::new()
        .with(Linear::new(2, 16, &mut rng))
        .with(Tanh)
        .with(Linear::new(16, 16, &mut rng))
        .with(Tanh)
        .with(Linear::new(16, 1, &mut rng));
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let targets = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    Parts { model, optimizer: Box::new(Sgd::new(0.1)), x, targets }
}

/// One training step, as a user's loop without the trainer reads.
pub struct Step {
    tape: Tape32,
    model: Sequential<f32>,
    optimizer: Box<dyn Optimizer<f32>>,
    x: Tensor<f32>,
    loss: Loss,
}

impl Step {
    pub fn mlp() -> Self {
        let Parts { model, optimizer, x, targets } = mlp();
        let loss: Loss = Box::new(move |y| loss::cross_entropy(y, &targets));
        Step { tape: Tape32::new(), model, optimizer, x, loss }
    }

    pub fn tiny() -> Self {
        let Parts { model, optimizer, x, targets } = tiny();
        let loss: Loss = Box::new(move |y| loss::mse(y, &targets));
        Step { tape: Tape32::new(), model, optimizer, x, loss }
    }

    /// Two convolutions and two full layers in the manner of LeNet: 64 pictures of 28 x 28, SGD with momentum.
    pub fn cnn() -> Self {
        let mut rng = rng(1);
        let model = Sequential::new()
            .with(Conv2d::new(1, 32, 3, &mut rng).padding(1))
            .with(Relu)
            .with(MaxPool2d::new(2))
            .with(Conv2d::new(32, 64, 3, &mut rng).padding(1))
            .with(Relu)
            .with(MaxPool2d::new(2))
            .with(Flatten)
            .with(Linear::new(3136, 128, &mut rng))
            .with(Relu)
            .with(Linear::new(128, 10, &mut rng));
        Self::of_pictures(model, [64, 1, 28, 28], 10, &mut rng)
    }

    /// AlexNet without dropout: 8 pictures of 224 x 224, SGD with momentum.
    pub fn alexnet() -> Self {
        let mut rng = rng(1);
        let model = Sequential::new()
            .with(Conv2d::new(3, 64, 11, &mut rng).stride(4).padding(2))
            .with(Relu)
            .with(MaxPool2d::new(3).stride(2))
            .with(Conv2d::new(64, 192, 5, &mut rng).padding(2))
            .with(Relu)
            .with(MaxPool2d::new(3).stride(2))
            .with(Conv2d::new(192, 384, 3, &mut rng).padding(1))
            .with(Relu)
            .with(Conv2d::new(384, 256, 3, &mut rng).padding(1))
            .with(Relu)
            .with(Conv2d::new(256, 256, 3, &mut rng).padding(1))
            .with(Relu)
            .with(MaxPool2d::new(3).stride(2))
            .with(Flatten)
            .with(Linear::new(9216, 4096, &mut rng))
            .with(Relu)
            .with(Linear::new(4096, 4096, &mut rng))
            .with(Relu)
            .with(Linear::new(4096, 1000, &mut rng));
        Self::of_pictures(model, [8, 3, 224, 224], 1000, &mut rng)
    }

    fn of_pictures(model: Sequential<f32>, shape: [usize; 4], classes: i64, rng: &mut impl rand::Rng) -> Self {
        let x = Tensor::normal(shape, 0.0, 1.0, rng);
        let labels: Tensor<i64> = (0..shape[0] as i64).map(|i| i * 7919 % classes).collect();
        let loss: Loss = Box::new(move |y| loss::cross_entropy(y, &labels));
        Step { tape: Tape32::new(), model, optimizer: Box::new(Sgd::new(0.01).momentum(0.9)), x, loss }
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

/// The Hessian of the loss of [`Step::mlp`] in its parameters times a direction, by reverse over reverse mode.
pub struct HessianProduct {
    tape: Tape32,
    model: Sequential<f32>,
    x: Tensor<f32>,
    labels: Tensor<i64>,
    direction: [Tensor<f32>; 6],
}

impl HessianProduct {
    pub fn new() -> Self {
        let (model, x, labels) = digits();
        let mut rng = rng(9);
        let direction = parameters(&model).map(|w| Tensor::normal(w.value().shape().clone(), 0.0, 1.0, &mut rng));
        HessianProduct { tape: Tape32::new(), model, x, labels, direction }
    }

    pub fn call(&mut self) -> [Tensor<f32>; 6] {
        let product = {
            let x = self.tape.constant_tensor(&self.x);
            let y = self.model.forward(x, &mut Mode::Eval).expect("the shapes fit");
            let loss = loss::cross_entropy(y, &self.labels).expect("the labels fit");
            let w = parameters(&self.model).map(|w| self.tape.parameter(w));
            loss.hvp(w, self.direction.each_ref())
        };
        self.tape.clear();
        product
    }
}

fn parameters(model: &Sequential<f32>) -> [&Parameter<f32>; 6] {
    let parameters: Vec<_> = model.named_parameters().into_iter().map(|(_, parameter)| parameter).collect();
    parameters.try_into().expect("three layers of weight and bias")
}
