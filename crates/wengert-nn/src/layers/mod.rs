//! The layers.

mod activation;
mod conv;
mod dropout;
mod flatten;
mod linear;
mod pool;
mod sequential;

pub use activation::{Relu, Sigmoid, Softplus, Tanh};
pub use conv::Conv2d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::Linear;
pub use pool::{AvgPool2d, MaxPool2d};
pub use sequential::Sequential;

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
