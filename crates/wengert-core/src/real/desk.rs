//! Where a thread keeps the tapes of its `Real`s.
//!
//! An operation on a `Real` finds its tape through the thread. The nodes of the recording in use lie in the thread-local
//! itself, beside the name of that recording: a push is one comparison more than on a [`Tape`], and no pointer to follow.
//! Whatever else a tape does happens on the tape, with its nodes put back for that time.

use crate::error::{Caller, Error, Stray};
use crate::number::Primal;
use crate::tape::Tape;
use crate::tape::arena::Arena;
use crate::tape::node::Node;
use core::cell::{Cell, RefCell};
use core::mem::ManuallyDrop;
use core::panic::Location;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

/// Names one recording of one tape for all time: the tape's number, from the one counter of the process, and how often it
/// was cleared. 0 names none: a constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Recording(u64);

impl Recording {
    pub(crate) const NONE: Self = Recording(0);

    pub(crate) fn new(tape: u32, generation: u32) -> Self {
        Recording(u64::from(tape) << 32 | u64::from(generation))
    }
    pub(crate) fn tape(self) -> u32 {
        (self.0 >> 32) as u32
    }
    pub(crate) fn generation(self) -> u32 {
        self.0 as u32
    }
}

/// A tape of this thread.
struct Entry<F: Primal> {
    tape: Rc<Tape<F>>,
    /// The generation its present owner began with: older ones ended with their scope, later ones by `clear`.
    since: u32,
    /// Whether it waits for a new owner.
    idle: bool,
}

/// The tapes of one thread.
pub(crate) struct Desk<F: Primal> {
    /// Which recording `nodes` is of.
    recording: Cell<Recording>,
    nodes: Arena<Node<F>>,
    entries: RefCell<Vec<Entry<F>>>,
}

/// Which thread a tape lives on, for the text of an error.
static THREADS: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

fn this_thread() -> String {
    let thread = std::thread::current();
    thread.name().map_or_else(|| format!("{:?}", thread.id()), str::to_owned)
}

impl<F: Primal> Desk<F> {
    pub(crate) const fn new() -> Self {
        Desk { recording: Cell::new(Recording::NONE), nodes: Arena::new(0), entries: RefCell::new(Vec::new()) }
    }

    /// Appends a node to a recording.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn push(&self, recording: Recording, node: Node<F>) -> u32 {
        if self.recording.get() != recording {
            self.turn_to(recording, Location::caller());
        }
        self.nodes.push(node)
    }

    /// Takes the nodes of `recording` in hand.
    #[cold]
    #[inline(never)]
    fn turn_to(&self, recording: Recording, caller: Caller) {
        match self.find(recording, caller) {
            Ok(tape) => {
                self.put_back();
                self.nodes.swap(&tape.nodes);
                self.recording.set(recording);
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Gives the nodes in hand back to their tape.
    fn put_back(&self) {
        let recording = self.recording.replace(Recording::NONE);
        if recording != Recording::NONE {
            let entries = self.entries.borrow();
            let owner = entries.iter().find(|entry| entry.tape.number() == recording.tape());
            self.nodes.swap(&owner.expect("a recording in hand has a tape").tape.nodes);
        }
    }

    /// The tape of a recording of this thread that is under way.
    fn find(&self, recording: Recording, caller: Caller) -> Result<Rc<Tape<F>>, Error> {
        let stray = |stray| Error::Stray { tape: recording.tape(), stray, caller };
        let entries = self.entries.borrow();
        match entries.iter().find(|entry| entry.tape.number() == recording.tape()) {
            Some(entry) if entry.tape.recording_name() == recording && !entry.idle => Ok(Rc::clone(&entry.tape)),
            Some(entry) if recording.generation() < entry.since || entry.idle => Err(stray(Stray::Ended)),
            Some(_) => Err(stray(Stray::Cleared)),
            None => {
                let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
                Err(stray(threads.get(&recording.tape()).map_or(Stray::Ended, |home| Stray::Thread {
                    home: home.clone(),
                    here: this_thread(),
                })))
            }
        }
    }

    /// Runs `f` on the whole tape of a recording.
    pub(crate) fn with<R>(
        &self,
        recording: Recording,
        caller: Caller,
        f: impl FnOnce(&Tape<F>) -> R,
    ) -> Result<R, Error> {
        let tape = self.find(recording, caller)?;
        self.put_back();
        Ok(f(&tape))
    }

    /// Why operands of two recordings cannot meet.
    #[cold]
    pub(crate) fn why_apart(&self, left: Recording, right: Recording, caller: Caller) -> Error {
        let found = self.find(left, caller).and_then(|_| self.find(right, caller));
        match found {
            Ok(_) => Error::MixedTapes { op: "arithmetic", left: left.tape(), right: right.tape(), caller },
            Err(error) => error,
        }
    }

    /// A tape with nothing on it, an idle one if there is.
    pub(crate) fn open(&self) -> Rc<Tape<F>> {
        let mut entries = self.entries.borrow_mut();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.idle) {
            entry.idle = false;
            entry.since = entry.tape.recording_name().generation();
            return Rc::clone(&entry.tape);
        }
        let tape = Rc::new(Tape::new());
        THREADS.lock().unwrap_or_else(PoisonError::into_inner).insert(tape.number(), this_thread());
        entries.push(Entry { tape: Rc::clone(&tape), since: 0, idle: false });
        tape
    }

    /// Forgets the recording of a tape.
    pub(crate) fn forget(&self, tape: &Tape<F>) {
        if self.recording.get().tape() == tape.number() {
            self.put_back();
        }
        tape.forget();
    }

    /// Makes a tape ready for its next owner.
    pub(crate) fn close(&self, tape: &Tape<F>) {
        self.forget(tape);
        if let Some(entry) = self.entries.borrow_mut().iter_mut().find(|entry| entry.tape.number() == tape.number()) {
            entry.idle = true;
        }
    }

    /// Frees everything.
    fn empty(&self) {
        self.put_back();
        let entries = self.entries.take();
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &entries {
            threads.remove(&entry.tape.number());
        }
    }
}

/// A number that every thread has tapes for. Sealed.
#[expect(private_bounds, reason = "seals the trait")]
pub trait Threaded: OnDesk {}

/// Reaches this thread's tapes. A thread-local cannot be generic: each number has one of its own.
pub(crate) trait OnDesk: Primal {
    fn desk<R>(f: impl FnOnce(&Desk<Self>) -> R) -> R;
    /// Sees to it that the desk is emptied when the thread ends.
    fn tidy_up();
}

macro_rules! threaded {
    ($($F:ty)*) => { $( const _: () = {
        thread_local! {
            // No destructor: a thread-local with one is reached through a test of its state at every access.
            static DESK: ManuallyDrop<Desk<$F>> = const { ManuallyDrop::new(Desk::new()) };
            static TIDY: Tidy = const { Tidy };
        }
        struct Tidy;
        impl Drop for Tidy {
            fn drop(&mut self) {
                DESK.with(|desk| desk.empty());
            }
        }
        impl OnDesk for $F {
            #[inline(always)]
            fn desk<R>(f: impl FnOnce(&Desk<$F>) -> R) -> R {
                DESK.with(|desk| f(desk))
            }
            fn tidy_up() {
                // An error says that the thread is ending already: what it still records is then not freed.
                _ = TIDY.try_with(|_| ());
            }
        }
        impl Threaded for $F {}
    }; )* };
}
threaded!(f32 f64);
