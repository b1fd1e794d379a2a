//! What is trained and how: the choices a run is made of, whoever made them.

use std::fmt;

/// Rule by which a gradient changes the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum 0.9.
    Sgd,
    /// Adam (Kingma and Ba 2015).
    Adam,
    /// Adam with decoupled weight decay of 0.01 (Loshchilov and Hutter 2019).
    Adamw,
}

impl Optimizer {
    /// Momentum of [`Optimizer::Sgd`].
    pub const MOMENTUM: f64 = 0.9;

    /// Weight decay of [`Optimizer::Adamw`].
    pub const WEIGHT_DECAY: f64 = 0.01;

    /// A learning rate that suits the embedded digits and MNIST.
    pub fn default_learning_rate(self) -> f64 {
        match self {
            Self::Sgd => 0.05,
            Self::Adam | Self::Adamw => 0.002,
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sgd => "SGD",
            Self::Adam => "Adam",
            Self::Adamw => "AdamW",
        })
    }
}

/// Sizes of the layers of a multi-layer perceptron; without hidden layers it is softmax regression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// Pixels of an image.
    pub inputs: usize,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// Classes told apart.
    pub classes: usize,
}

/// `64-32-10`, inputs first.
impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inputs)?;
        self.hidden.iter().try_for_each(|units| write!(f, "-{units}"))?;
        write!(f, "-{}", self.classes)
    }
}

/// Everything that decides the outcome of a training: the same configuration and data give the same numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Layer sizes.
    pub architecture: Architecture,
    /// Passes over the training set; at least 1.
    pub epochs: usize,
    /// Images per step; at least 1. The last step of an epoch may have fewer.
    pub batch: usize,
    /// The rule.
    pub optimizer: Optimizer,
    /// Its step size; finite and positive.
    pub learning_rate: f64,
    /// Seed of the initial parameters and of the order of the images.
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_written_as_its_layer_sizes() {
        let mut architecture = Architecture { inputs: 784, hidden: vec![128, 64], classes: 10 };
        assert_eq!(architecture.to_string(), "784-128-64-10");
        architecture.hidden.clear();
        assert_eq!(architecture.to_string(), "784-10");
    }
}
