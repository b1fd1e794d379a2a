//! Layers, losses, optimizers and training on the Wengert list.
//!
//! A network, its training and its use:
//! ```
//! use wengert_nn::{Adam, Layer, Linear, Sequential, Tanh, Trainer, loss};
//! use wengert_tensor::{Tensor, rng};
//!
//! let x = Tensor::<f32>::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
//! let xor = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
//! let mut rng = rng(1);
//! let mut model = Sequential::new().with(Linear::new(2, 16, &mut rng)).with(Tanh).with(Linear::new(16, 1, &mut rng));
//! let mut trainer = Trainer::new(Adam::new(0.05), loss::mse).epochs(200).batch_size(4);
//! let history = trainer.fit(&mut model, &x, &xor)?;
//! assert!(history.last().unwrap().train.loss < 1e-2);
//! assert!((model.predict(&x)?.at([1, 0]) - 1.0).abs() < 0.2);
//! # Ok::<(), wengert_nn::Error>(())
//! ```
//!
//! A guided tour:
//!
//! - [`Module`] is a tree of parameters with names, [`Layer`] a module with an input and an output. Both are for
//!   structs of your own: `#[derive(Module)]` names the parameters, [`Layer::forward`] says what is computed.
//! - [`Linear`], [`Conv2d`], [`Conv3d`], [`ConvTranspose2d`], [`MaxPool2d`], [`AvgPool2d`], [`AdaptiveAvgPool2d`],
//!   [`AdaptiveMaxPool2d`], [`Upsample`], [`Relu`] and its relatives, [`Flatten`], [`Dropout`],
//!   [`Sequential`]: the layers; [`LayerNorm`], [`RmsNorm`], [`GroupNorm`], [`BatchNorm1d`], [`BatchNorm2d`]:
//!   normalisations; [`Embedding`], [`MultiHeadAttention`], [`TransformerBlock`]: what transformers are made of;
//!   [`Lstm`], [`Gru`], [`Rnn`]: layers with a memory; [`init`]: what weights start from.
//! - [`loss`]: of numbers (squared, absolute, Huber's), of classes (cross-entropy with all its options), of vectors.
//! - [`Sgd`], [`Adam`], [`AdamW`]: how gradients change parameters; [`Optimizer`] for your own.
//! - [`Batches`] cuts data, [`Trainer`] puts everything together: epochs, evaluation, events, checkpoints; it stops at
//!   the first number that is not finite and says where.
//! - [`RecordedLoss`]: a training step recorded once and replayed for every batch.
//! - [`StateDict`]: parameters by name, in safetensors files that PyTorch reads and writes; saving replaces a file in
//!   one step.
//! - [`Error`] is what can go wrong, with the path of the layer.
//!
//! Whether a model is being trained is an argument ([`Mode`]), not a state, and so is every source of randomness.
//! Parameters live outside the tape, which borrows them for one recording; updates happen in place.

// Derived code names this crate from outside.
extern crate self as wengert_nn;

mod data;
mod error;
pub mod init;
mod layer;
mod layers;
pub mod loss;
mod module;
pub mod optim;
mod state;
mod train;

pub use data::{Batch, Batches};
pub use error::{Error, Place};
pub use layer::{Layer, Mode, Predictor};
pub use layers::{
    AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, Celu, Conv2d, Conv3d, ConvTranspose2d,
    Dropout, Elu, Embedding, Flatten, Gelu, GeluTanh, GroupNorm, Gru, HardSigmoid, HardSwish, HardTanh, LayerNorm,
    LeakyRelu, Linear, Lstm, LstmState, MaxPool2d, Mish, MultiHeadAttention, RecurrentWeights, Relu, Relu6, RmsNorm,
    Rnn, Selu, Sequential, Sigmoid, Silu, Softplus, Tanh, TransformerBlock, Upsample,
};
pub use module::{Entry, EntryMut, Module, ModulePath};
pub use optim::{Adam, AdamW, Optimizer, Sgd};
pub use state::{Mismatch, StateDict};
pub use train::{Cause, Epoch, Event, History, RecordedLoss, Score, Step, Target, Trainer};
pub use wengert_derive::Module;

/// What most programs use of this crate; part of the facade's prelude.
pub mod prelude {
    pub use crate::{
        Adam, AdamW, AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, BatchNorm1d, BatchNorm2d, Batches, Celu, Conv2d,
        Conv3d, ConvTranspose2d, Dropout, Elu, Embedding, Flatten, Gelu, GeluTanh, GroupNorm, Gru, HardSigmoid,
        HardSwish, HardTanh, Layer, LayerNorm, LeakyRelu, Linear, Lstm, MaxPool2d, Mish, Mode, Module,
        MultiHeadAttention, Optimizer, RecordedLoss, Relu, Relu6, RmsNorm, Rnn, Selu, Sequential, Sgd, Sigmoid, Silu,
        Softplus, StateDict, Tanh, Trainer, TransformerBlock, Upsample, loss,
    };
}
