//! The layers.

mod activation;
mod attention;
mod batch_norm;
mod conv;
mod conv3d;
mod conv_transpose;
mod dropout;
mod embedding;
mod flatten;
mod linear;
mod normalization;
mod pool;
mod recurrent;
mod sequential;
mod upsample;

pub use activation::{
    Celu, Elu, Gelu, GeluTanh, HardSigmoid, HardSwish, HardTanh, LeakyRelu, Mish, Relu, Relu6, Selu, Sigmoid, Silu,
    Softplus, Tanh,
};
pub use attention::{MultiHeadAttention, TransformerBlock};
pub use batch_norm::{BatchNorm1d, BatchNorm2d};
pub use conv::Conv2d;
pub use conv_transpose::ConvTranspose2d;
pub use conv3d::Conv3d;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use linear::Linear;
pub use normalization::{GroupNorm, LayerNorm, RmsNorm};
pub use pool::{AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d};
pub use recurrent::{Gru, Lstm, LstmState, RecurrentWeights, Rnn};
pub use sequential::Sequential;
pub use upsample::Upsample;

/// Implements `Module` for a layer without parameters.
macro_rules! no_parameters {
    ($($Layer:ty)*) => { $(
        impl<F: wengert_core::TensorFloat> $crate::Module<F> for $Layer {
            fn visit<'a>(
                &'a self,
                _path: $crate::ModulePath<'_>,
                _visitor: &mut dyn FnMut($crate::ModulePath<'_>, $crate::Entry<'a, F>),
            ) {
            }
            fn visit_mut<'a>(
                &'a mut self,
                _path: $crate::ModulePath<'_>,
                _visitor: &mut dyn FnMut($crate::ModulePath<'_>, $crate::EntryMut<'a, F>),
            ) {
            }
        }
    )* };
}
use no_parameters;
