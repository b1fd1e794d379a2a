//! One test binary whose modules mirror the rooms of the workspace.

mod basics;
mod convolution;
mod elementary;
mod elementwise;
mod errors;
mod examples;
mod forward_mode;
mod function;
mod layers;
mod layouts;
mod linalg;
mod losses;
mod made_of_others;
mod maps;
mod mistakes;
mod neural_ops;
mod panics;
mod pictures;
mod reference;
mod sizes;
mod tape;
mod tensor_ops;
mod torch;
mod traps;
mod ulp;
mod windows;
