//! Tensors as plain values: shapes, strides, views, recycled storage.

mod arithmetic;
mod axis;
mod buffer;
mod construct;
mod copy;
mod element;
mod error;
mod index;
mod iter;
mod join;
mod layout;
mod map;
mod matmul;
mod print;
mod random;
mod reduce;
mod shape;
mod slice;
mod softmax;
mod tensor;
mod view;
mod walk;
mod zip;

pub use axis::{Axes, Axis, keep};
pub use buffer::pool;
pub use element::{Element, FloatElement, Numeric, Signed};
pub use error::ShapeError;
pub use iter::Iter;
pub use layout::Strides;
pub use map::Cast;
pub use random::rng;
pub use shape::Shape;
pub use slice::Slice;
pub use tensor::Tensor;

pub use wengert_kernels::{Binary, Unary};
