//! Where a thread keeps the tapes of its [`Real`](super::Real)s.
//!
//! An operation on a `Real` finds its tape through the thread. The nodes of the recording in hand lie in the
//! thread-local itself, beside that recording's tag: a push is one comparison more than on a [`Tape`], and no pointer
//! to follow. Whatever else a tape does is done on the tape, with its nodes put back.

use crate::dual::Dual;
use crate::error::{Caller, Error, OrPanic};
use crate::number::Primal;
use crate::tape::Tape;
use crate::tape::arena::Arena;
use crate::tape::node::Node;
use core::cell::{Cell, RefCell};
use core::mem::ManuallyDrop;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

/// One recording of one tape: the tape's number, which comes from one counter of the process, and how often the tape
/// had been cleared. 0 is none: the tag of constants.
///
/// Two numbers rather than one count of recordings, so that clearing a tape touches nothing that threads share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag(u64);

impl Tag {
    pub(crate) const NONE: Self = Tag(0);

    pub(crate) fn new(tape: u32, generation: u32) -> Self {
        Tag(u64::from(tape) << 32 | u64::from(generation))
    }
    pub(crate) fn tape(self) -> u32 {
        (self.0 >> 32) as u32
    }
    pub(crate) fn generation(self) -> u32 {
        self.0 as u32
    }
    /// Whether clearing the tape once more would make tags come back: it is not cleared then but replaced.
    pub(crate) fn is_last(self) -> bool {
        self.generation() == u32::MAX
    }
}

/// A tape of this thread.
struct Entry<F: Primal> {
    tape: Rc<Tape<F>>,
    /// The generation its owner began with: those before it ended when a former owner was dropped, those after by
    /// `clear`.
    since: u32,
    owned: bool,
}

/// The tapes of one thread.
pub(crate) struct Desk<F: Primal> {
    /// The recording in hand, whose nodes are in `nodes` instead of its tape.
    in_hand: Cell<Tag>,
    nodes: Arena<Node<F>>,
    /// A handful: one for every `RealTape` alive, and those that wait for another owner.
    entries: RefCell<Vec<Entry<F>>>,
}

/// A tape that has grown beyond this many bytes is freed with its owner; a smaller one serves the next.
const KEPT: usize = 64 << 20;

/// The threads of tapes in use, for the text of an error.
static HOMES: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

fn this_thread() -> String {
    let thread = std::thread::current();
    thread.name().map_or_else(|| format!("{:?}", thread.id()), str::to_owned)
}

impl<F: Primal> Desk<F> {
    const fn new() -> Self {
        Desk { in_hand: Cell::new(Tag::NONE), nodes: Arena::new(0), entries: RefCell::new(Vec::new()) }
    }

    /// Appends the node of an operation on two operands.
    #[inline(always)]
    pub(crate) fn push(&self, tag: Tag, partials: [F; 2], parents: [u32; 2], caller: Caller) -> u32 {
        if self.in_hand.get() != tag || !self.nodes.has_room() {
            let ([p, q], [a, b]) = (partials, parents);
            return self.push_slowly(tag, p, q, a, b, caller);
        }
        self.nodes.push(Node::new(partials, parents))
    }

    /// The push that has to take up another tape first, or to grow the arena. One call for both, with operands that fit
    /// registers, keeps the recording code small.
    #[cold]
    #[inline(never)]
    fn push_slowly(&self, tag: Tag, p: F, q: F, a: u32, b: u32, caller: Caller) -> u32 {
        if self.in_hand.get() != tag {
            let tape = self.find(tag, caller).or_panic();
            self.put_back();
            self.nodes.swap(&tape.nodes);
            self.in_hand.set(tag);
        }
        self.nodes.push(Node::new([p, q], [a, b]))
    }

    /// Gives the nodes in hand back to their tape.
    fn put_back(&self) {
        let tag = self.in_hand.replace(Tag::NONE);
        if let Some(owner) = self.entries.borrow().iter().find(|entry| entry.tape.number() == tag.tape()) {
            self.nodes.swap(&owner.tape.nodes);
        }
    }

    /// The tape of a recording under way on this thread.
    fn find(&self, tag: Tag, caller: Caller) -> Result<Rc<Tape<F>>, Error> {
        let tape = tag.tape();
        match self.entries.borrow().iter().find(|entry| entry.tape.number() == tape) {
            Some(entry) if entry.owned && entry.tape.tag() == tag => Ok(Rc::clone(&entry.tape)),
            Some(entry) if entry.owned && tag.generation() >= entry.since => Err(Error::Cleared { tape, caller }),
            Some(_) => Err(Error::Dropped { tape, caller }),
            None => {
                let homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
                Err(homes.get(&tape).map_or(Error::Dropped { tape, caller }, |home| Error::WrongThread {
                    tape,
                    home: home.clone(),
                    here: this_thread(),
                    caller,
                }))
            }
        }
    }

    /// Runs `f` on the whole tape of a recording. `f` is not the user's: it records on that tape alone.
    pub(crate) fn with<R>(&self, tag: Tag, caller: Caller, f: impl FnOnce(&Tape<F>) -> R) -> Result<R, Error> {
        let tape = self.find(tag, caller)?;
        self.put_back();
        Ok(f(&tape))
    }

    /// Why operands of two recordings cannot meet: one is not under way here, or both are.
    #[cold]
    pub(crate) fn why_apart(&self, left: Tag, right: Tag, caller: Caller) -> Error {
        match self.find(left, caller).and_then(|_| self.find(right, caller)) {
            Ok(_) => Error::MixedTapes { op: "arithmetic", left: left.tape(), right: right.tape(), caller },
            Err(error) => error,
        }
    }

    /// An empty tape for a new owner.
    pub(crate) fn open(&self) -> Rc<Tape<F>> {
        let mut entries = self.entries.borrow_mut();
        if let Some(entry) = entries.iter_mut().find(|entry| !entry.owned) {
            entry.owned = true;
            entry.since = entry.tape.tag().generation();
            return Rc::clone(&entry.tape);
        }
        let tape = Rc::new(Tape::new());
        HOMES.lock().unwrap_or_else(PoisonError::into_inner).insert(tape.number(), this_thread());
        entries.push(Entry { tape: Rc::clone(&tape), since: tape.tag().generation(), owned: true });
        tape
    }

    /// Ends the recording on a tape.
    pub(crate) fn forget(&self, tape: &Tape<F>) {
        if self.in_hand.get() == tape.tag() {
            self.put_back();
        }
        tape.forget();
    }

    /// Takes a tape back from its owner.
    pub(crate) fn close(&self, tape: &Tape<F>) {
        let spent = tape.tag().is_last();
        self.forget(tape);
        let mut entries = self.entries.borrow_mut();
        let Some(k) = entries.iter().position(|entry| entry.tape.number() == tape.number()) else { return };
        if spent || tape.size().bytes > KEPT {
            strike_out(entries.swap_remove(k).tape.number());
        } else {
            entries[k].owned = false;
        }
    }

    /// Frees everything.
    fn empty(&self) {
        self.put_back();
        for entry in self.entries.take() {
            strike_out(entry.tape.number());
        }
    }
}

fn strike_out(tape: u32) {
    HOMES.lock().unwrap_or_else(PoisonError::into_inner).remove(&tape);
}

/// A number that every thread has tapes of: `f32`, `f64`, and the duals that second derivatives are taken over. Sealed.
#[expect(private_bounds, reason = "seals the trait")]
pub trait Threaded: OnDesk {}

/// Reaches this thread's tapes.
pub(crate) trait OnDesk: Primal {
    fn desk<R>(f: impl FnOnce(&Desk<Self>) -> R) -> R;
    /// Sees to it that the desk is emptied when the thread ends.
    fn tidy_at_exit();
}

// A thread-local cannot be generic: each number has one of its own.
macro_rules! threaded {
    ($($F:ty),*) => { $( const _: () = {
        thread_local! {
            // No destructor and no initialisation: with either, every access would test for them first.
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
            fn tidy_at_exit() {
                // Refused only while the thread is ending; then the system frees what is recorded still.
                _ = TIDY.try_with(|_| ());
            }
        }
        impl Threaded for $F {}
    }; )* };
}
threaded!(f32, f64, Dual<f32, 1>, Dual<f64, 1>, Dual<f64, 4>);
