//! Tensors as plain values: shapes, strides, views, recycled storage.

mod axis;
mod buffer;
mod compute;
mod construct;
mod copy;
mod element;
mod error;
mod iter;
mod layout;
mod print;
mod shape;
mod slice;
mod tensor;
mod view;
mod walk;

pub use axis::{Axes, Axis, keep};
pub use buffer::pool;
pub use element::{Element, FloatElement, Numeric};
pub use error::ShapeError;
pub use iter::Iter;
pub use layout::Strides;
pub use shape::Shape;
pub use slice::Slice;
pub use tensor::Tensor;
