//! Workloads of the other files as programs recorded once and replayed.

use crate::training::{self, Parts};
use wengert::nn::{Optimizer, RecordedLoss, Sequential, Target, loss};
use wengert::prelude::*;
use wengert::{TensorFunction, rng};

/// A whole training step whose loss is replayed: [`Step`](crate::training::Step) without its tape.
pub struct RecordedStep<T: Target> {
    program: RecordedLoss<f32, T>,
    model: Sequential<f32>,
    optimizer: Box<dyn Optimizer<f32>>,
    x: Tensor<f32>,
    targets: Tensor<T>,
}

impl RecordedStep<i64> {
    pub fn mlp() -> Self {
        let Parts { model, optimizer, x, targets } = training::mlp();
        let program = RecordedLoss::record(&model, &x, &targets, loss::cross_entropy).expect("nothing is random");
        RecordedStep { program, model, optimizer, x, targets }
    }
}

impl RecordedStep<f32> {
    pub fn tiny() -> Self {
        let Parts { model, optimizer, x, targets } = training::tiny();
        let program = RecordedLoss::record(&model, &x, &targets, loss::mse).expect("nothing is random");
        RecordedStep { program, model, optimizer, x, targets }
    }
}

impl<T: Target> RecordedStep<T> {
    pub fn call(&mut self) -> f32 {
        let outcome = self.program.value_and_gradients(&self.model, &self.x, &self.targets);
        let (loss, gradients) = outcome.expect("the shapes are those recorded");
        self.optimizer.step(&mut self.model, &gradients).expect("every gradient is finite");
        loss
    }
}

/// A program of tensors and a point to replay it at.
pub struct Replay {
    program: TensorFunction<f32>,
    x: Vec<Tensor<f32>>,
}

impl Replay {
    /// `mean(tanh(x w + b) sigmoid(x) + exp(-x^2))` of 1000 x 1000 numbers in plain operators, and all three gradients.
    pub fn elementwise() -> Self {
        let x: Vec<Tensor<f32>> = (1..4).map(|seed| Tensor::normal([1000, 1000], 0.0, 1.0, &mut rng(seed))).collect();
        let program = TensorFunction::record(&x, |x| {
            ((x[0] * x[1] + x[2]).tanh() * x[0].sigmoid() + (-x[0].square()).exp()).mean()
        });
        Replay { program: program.expect("no value is read"), x }
    }

    /// A thousand additions of tensors of one element.
    pub fn chain(ops: usize) -> Self {
        let x = vec![Tensor::from([0.5_f32])];
        let program = TensorFunction::record(&x, |x| (0..ops).fold(x[0], |y, _| y + x[0]));
        Replay { program: program.expect("no value is read"), x }
    }

    pub fn call(&mut self) -> (Tensor<f32>, Vec<Tensor<f32>>) {
        self.program.value_and_gradient(&self.x).expect("the shapes are those recorded")
    }
}
