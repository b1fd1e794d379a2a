//! Tensors as plain values: shapes, strides, views, recycled storage.
