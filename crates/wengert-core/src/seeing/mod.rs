//! Looking into a tape: as text, as a graph, op by op in time, and for the first number that is not finite.
//!
//! [`Tape::listing`](crate::Tape::listing), [`Tape::to_graphviz`](crate::Tape::to_graphviz) and
//! [`Tape::to_svg`](crate::Tape::to_svg) read what lies on the tape and need nothing of the recording. Times and
//! watching do: they are taken while an op runs. Recording a tensor op and pulling its cotangent back therefore ask one
//! flag of the tape, before the op, and go a cold way if it is set; scalar operations ask nothing. While a profile is
//! there, lists and pictures show its times at the ops.

mod drawn;
mod observer;
mod outline;
mod profile;
#[cfg(test)]
mod tests;
mod text;
mod times;
mod watch;

pub(crate) use observer::{Observer, label};
pub use profile::{OpTimes, Profile};
pub use text::Listing;
pub(crate) use text::size;
pub(crate) use watch::Suspect;
pub use watch::{NonFinite, Quantity};
