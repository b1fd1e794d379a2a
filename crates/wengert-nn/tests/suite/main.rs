//! Models, training and state from the outside: one module here for each subject there.

mod batches;
mod layers;
mod losses;
mod modules;
mod optimizers;
mod recorded;
mod state;
mod training;
