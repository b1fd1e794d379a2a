//! Long computations in little memory: forget, and compute again in the reverse sweep.
//!
//! - [`checkpoint`] does so for one piece of a program: its nodes exist only while the sweep passes through.
//! - [`checkpoint_tensors`] does so for a piece of tensor operations.
//! - [`CheckpointedLoop`] does so for a loop of many steps, with a handful of states in memory and the fewest
//!   evaluations.
//! - [`Schedule`] is the plan of such a loop by itself.

mod evolution;
mod schedule;
mod segment;
mod tensors;

pub use evolution::{CheckpointedLoop, StepFn};
pub use schedule::{Action, Schedule};
pub use segment::checkpoint;
pub use tensors::{checkpoint_tensors, try_checkpoint_tensors};
