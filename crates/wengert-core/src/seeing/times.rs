//! What each op that lies on a tape took, while a profile was there to see it.

use super::profile::{Event, Phase, short};
use core::fmt;
use std::time::Duration;

/// The times of a tape's tensors, by number. They go with the tensors: a tape that is cleared forgets them, a profile
/// does not.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Vec<Took>);

/// The time of one op.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Took {
    /// Time to evaluate it; none if it was recorded before the profile began.
    forward: Option<Duration>,
    /// Time to pull cotangents back through it, in all sweeps so far; none if there was none.
    sweep: Option<Duration>,
}

impl Took {
    pub(super) fn total(self) -> Duration {
        self.forward.unwrap_or_default() + self.sweep.unwrap_or_default()
    }
}

/// `1.5 us, sweep 2.5 us`, or the one of them that is known; nothing of an op that nobody saw.
impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.forward.map(short), self.sweep.map(short)) {
            (Some(forward), Some(sweep)) => write!(f, "{forward}, sweep {sweep}"),
            (Some(forward), None) => f.write_str(&forward),
            (None, Some(sweep)) => write!(f, "sweep {sweep}"),
            (None, None) => Ok(()),
        }
    }
}

impl Times {
    pub(super) fn note(&mut self, event: &Event) {
        if self.0.len() <= event.node {
            self.0.resize(event.node + 1, Took::default());
        }
        let took = &mut self.0[event.node];
        match event.phase {
            Phase::Forward => *took = Took { forward: Some(event.time), sweep: None },
            Phase::Sweep => took.sweep = Some(took.sweep.unwrap_or_default() + event.time),
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// What tensor `number` took, if that is known.
    pub(super) fn of(&self, number: u32) -> Option<Took> {
        self.0.get(number as usize).copied().filter(|took| *took != Took::default())
    }

    /// The time of all of them.
    pub(super) fn sum(&self) -> Duration {
        self.0.iter().map(|took| took.total()).sum()
    }

    /// The time of the one that took longest.
    pub(super) fn longest(&self) -> Duration {
        self.0.iter().map(|took| took.total()).max().unwrap_or_default()
    }
}
