//! Tape-based automatic differentiation: scalars and tensors on one Wengert list.
