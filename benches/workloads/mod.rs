//! The programs that are timed, each as a user would write it.
//!
//! Every file is one family; a workload owns its data and tape, so that a call is one iteration in steady state.

pub mod scalar;
pub mod tensor;
pub mod training;
