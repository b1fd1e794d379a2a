//! What a training reports while it runs.

use std::time::Duration;

/// How well a network does on a set of images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Fraction of images classified rightly.
    pub accuracy: f64,
}

/// After one step of the optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchReport {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Images in this step's batch.
    pub samples: usize,
    /// Mean over the batches of this epoch so far, each taken before its step.
    pub running: Score,
}

/// After one pass over the training set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochReport {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// On the training set, with the parameters as they are at the end of the epoch.
    pub train: Score,
    /// On the test set.
    pub test: Score,
    /// Time since the training began.
    pub elapsed: Duration,
}

/// What a training tells its observer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// A step is done.
    Batch(BatchReport),
    /// An epoch is done.
    Epoch(EpochReport),
}
