//! What training says of itself.

use std::time::Duration;
use wengert_core::TensorFloat;
use wengert_tensor::{Element, Tensor};

/// How good a model is on some data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean loss.
    pub loss: f64,
    /// Share of correct outputs, where that can be said.
    pub accuracy: Option<f64>,
}

/// A step of training.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 1.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Items seen in this epoch.
    pub samples: usize,
    /// The loss of this step's batch, before the step.
    pub loss: f64,
    /// The mean over the epoch so far.
    pub running: Score,
}

/// An epoch of training.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Epoch {
    /// Its number, counted from 1.
    pub epoch: usize,
    /// Epochs to be trained in all.
    pub epochs: usize,
    /// On the training data.
    pub train: Score,
    /// On the test data, if there are any.
    pub test: Option<Score>,
    /// Items trained with per second, evaluation not counted.
    pub samples_per_second: f64,
    /// Since training began.
    pub elapsed: Duration,
    /// Until all epochs are done, if the others take as long.
    pub time_left: Duration,
}

/// What a [`Trainer`](crate::Trainer) reports while it trains.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A step was made.
    Step(&'e Step),
    /// An epoch is over.
    Epoch(&'e Epoch),
}

/// What a training returns.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct History {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
}

impl History {
    /// The last epoch; none if there were none.
    #[must_use]
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last()
    }
}

/// A type of targets.
pub trait Target: Element {
    /// How many outputs are correct; `None` if that cannot be said.
    fn correct<F: TensorFloat>(output: &Tensor<F>, targets: &Tensor<Self>) -> Option<usize>;
}

impl Target for i64 {
    /// Of `[n, classes]`, the rows whose largest number is at the label.
    fn correct<F: TensorFloat>(output: &Tensor<F>, targets: &Tensor<i64>) -> Option<usize> {
        if output.rank() != 2 || targets.rank() != 1 {
            return None;
        }
        let guesses = output.try_argmax_axis(1).ok()?;
        Some(guesses.iter().zip(targets).filter(|(guess, label)| guess == label).count())
    }
}

macro_rules! numbers {
    ($($F:ty)*) => { $(
        impl Target for $F {
            /// Nothing: a number is never hit exactly.
            fn correct<F: TensorFloat>(_output: &Tensor<F>, _targets: &Tensor<$F>) -> Option<usize> {
                None
            }
        }
    )* };
}
numbers!(f32 f64);

/// Sums over the items of an epoch.
#[derive(Default)]
pub(super) struct Running {
    loss: f64,
    correct: usize,
    counted: usize,
    samples: usize,
}

impl Running {
    pub(super) fn add(&mut self, loss: f64, correct: Option<usize>, samples: usize) {
        self.loss += loss * samples as f64;
        self.samples += samples;
        if let Some(correct) = correct {
            self.correct += correct;
            self.counted += samples;
        }
    }

    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    pub(super) fn score(&self) -> Score {
        let accuracy = (self.counted > 0).then(|| self.correct as f64 / self.counted as f64);
        Score { loss: self.loss / self.samples.max(1) as f64, accuracy }
    }
}
