//! What a rewind took away, so that a stale handle is never taken for what was recorded in its place.
//!
//! Node ids are positions, and after a rewind positions are used again. Everything that remembers a position without
//! borrowing the tape (marks, unbound variables, gradients) therefore remembers the time too, as the number of rewinds
//! so far. Recording pays nothing.

use crate::real::Tag;
use core::cell::{Cell, RefCell};

/// A tape, its recording since the last `clear`, and the number of rewinds by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(super) tape: u32,
    pub(super) generation: u32,
    pub(super) epoch: u32,
}

impl Recording {
    pub(crate) fn tag(self) -> Tag {
        Tag::new(self.tape, self.generation)
    }
}

/// The places rewound to. Each entry `(epoch, nodes, tensors)` says what was left at the start of that epoch. A rewind
/// removes the entries it makes irrelevant, so places grow with the epochs, and a loop of rewinds keeps one entry.
#[derive(Default)]
pub(super) struct Rewinds {
    epoch: Cell<u32>,
    cuts: RefCell<Vec<(u32, usize, usize)>>,
}

impl Rewinds {
    pub(super) fn epoch(&self) -> u32 {
        self.epoch.get()
    }

    pub(super) fn clear(&self) {
        self.cuts.borrow_mut().clear();
    }

    /// A rewind to this place.
    pub(super) fn note(&self, nodes: usize, tensors: usize) {
        let epoch = self.epoch.get().wrapping_add(1);
        self.epoch.set(epoch);
        let mut cuts = self.cuts.borrow_mut();
        while cuts.pop_if(|(_, n, t)| *n >= nodes && *t >= tensors).is_some() {}
        cuts.push((epoch, nodes, tensors));
    }

    /// Whether no rewind since `epoch` cut off what lies before this place.
    pub(super) fn keeps_place(&self, epoch: u32, nodes: usize, tensors: usize) -> bool {
        let first = self.cuts.borrow().iter().find(|(cut, _, _)| *cut > epoch).copied();
        first.is_none_or(|(_, n, t)| nodes <= n && tensors <= t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_until_a_rewind_before_it() {
        let rewinds = Rewinds::default();
        let early = rewinds.epoch();
        rewinds.note(10, 0);
        let late = rewinds.epoch();
        assert!(rewinds.keeps_place(early, 10, 0) && !rewinds.keeps_place(early, 11, 0));
        assert!(rewinds.keeps_place(late, 100, 0));
        rewinds.note(5, 0);
        assert!(!rewinds.keeps_place(late, 6, 0) && rewinds.keeps_place(late, 5, 0));
    }

    #[test]
    fn a_loop_of_rewinds_keeps_one_entry() {
        let rewinds = Rewinds::default();
        for _ in 0..1000 {
            rewinds.note(3, 7);
        }
        assert_eq!(rewinds.cuts.borrow().len(), 1);
    }
}
