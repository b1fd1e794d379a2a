//! One test binary whose modules mirror the rooms of the workspace.

mod convolution;
mod elementary;
mod elementwise;
mod errors;
mod examples;
mod function;
mod maps;
mod panics;
mod reference;
mod tape;
mod tensor_ops;
mod traps;
mod ulp;
