//! The Wengert list: scalar and tensor operations in one recorded order.
//!
//! Scalar nodes of at most two operands lie in one arena, 24 bytes each (for `f64`); a push is one capacity test and
//! one store and knows of nothing else. Whatever is not such a node (n-ary nodes, tensor ops) goes to a side list with
//! its position, and the reverse sweep runs the tight scalar loop between its entries.

mod accumulate;
pub(crate) mod arena;
mod gradients;
mod handle;
mod nary;
pub(crate) mod node;
mod pullback;
mod rewinds;
mod scalar;
pub(crate) mod sweep;
mod vector;

pub use accumulate::{map_reduce, try_map_reduce};
pub(crate) use arena::reserve;
pub(crate) use gradients::{ANOTHER_RECORDING, Recorded};
pub use gradients::{Differentiable, Gradients, Wrt};
pub use handle::{Comparison, Handle, Nary, UnaryOp};
pub use nary::{fuse, fuse_n};
pub(crate) use nary::{join, record};
pub use pullback::Pullback;
pub use scalar::{OnTape, Scalar, Unbound, Var};
pub use vector::GradientsN;

use crate::error::{Caller, Error};
use crate::number::{Primal, TensorSide};
use crate::real::Tag;
use arena::Arena;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU32, Ordering};
use node::{Edge, Kind, NOWHERE, Node, Special};
pub(crate) use pullback::Pullbacks;
pub(crate) use rewinds::Recording;
use rewinds::Rewinds;
use std::sync::{Arc, Mutex};

/// A Wengert list: what a program computed, in order, with the partials of every step.
///
/// Variables borrow the tape and are `Copy`; [`clear`](Tape::clear) takes it by `&mut`, so using a variable of an
/// earlier recording is a compile error. One tape per thread: a tape is `Send`, not `Sync`, and tapes share nothing.
///
/// Source: R. E. Wengert, "A simple automatic derivative evaluation program", 1964; A. Griewank and A. Walther,
/// *Evaluating Derivatives*, 2008, chapter 4.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// let tape = Tape::new();
/// let (x, y) = (tape.var(1.5), tape.var(-0.5));
/// let f = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
/// let g = f.gradient();
/// assert_eq!((g[x], g[y]), (1651.0, -550.0));
/// ```
pub struct Tape<F: Primal = f64> {
    pub(crate) nodes: Arena<Node<F>>,
    pub(crate) edges: Arena<Edge<F>>,
    /// Edges of n-ary nodes under construction: an iterator may record while `sum` consumes it.
    pub(crate) scratch: Arena<Edge<F>>,
    pub(crate) specials: Arena<Special>,
    /// Ranges `start..end` of input nodes.
    pub(crate) inputs: Arena<(u32, u32)>,
    /// Nodes made by `retain`.
    pub(crate) retained: Arena<u32>,
    pub(crate) tensors: F::Tensors,
    pub(crate) pullbacks: Pullbacks<F>,
    /// The tensor op whose pullback a sweep runs; none while it runs one of scalars.
    pulling: Cell<Option<u32>>,
    error: RefCell<Option<Error>>,
    /// Adjoint arrays handed back by dropped gradients.
    spare: Spare<F>,
    number: u32,
    /// Counts recordings: a gradient remembers which one it is of.
    generation: Cell<u32>,
    rewinds: Rewinds,
    limit: usize,
}

/// Adjoint arrays waiting for the next sweep. Shared, because gradients outlive the borrow of the tape.
pub(crate) type Spare<F> = Arc<Mutex<Vec<Vec<F>>>>;

/// A place in a recording to rewind to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    of: Recording,
    nodes: usize,
    edges: usize,
    specials: usize,
    inputs: usize,
    retained: usize,
    last_input: (u32, u32),
    tensors: usize,
    pullbacks: usize,
}

/// What a tape holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeSize {
    /// Scalar nodes, inputs included.
    pub nodes: usize,
    /// Tensor nodes, inputs and constants included.
    pub tensors: usize,
    /// Bytes kept for scalars, in use or not; tensors share the buffer pool and are not counted.
    pub bytes: usize,
    /// Those of them that the recording fills. Memory grows by doubling, and what was never filled is rarely backed by
    /// the system.
    pub used: usize,
}

impl<F: Primal> Default for Tape<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Primal> Tape<F> {
    /// An empty tape. Allocates nothing until something is recorded.
    #[must_use]
    pub fn new() -> Self {
        Self::with_node_limit(u32::MAX as usize)
    }

    /// An empty tape that refuses to hold more than `limit` scalar nodes: a program that would outgrow its memory gets
    /// a typed error from [`Var::try_gradient`] instead.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{Error, prelude::*};
    /// let tape = Tape::with_node_limit(100);
    /// let a = tape.var(1.0);
    /// let mut y = tape.var(2.0);
    /// for _ in 0..1000 {
    ///     y = y + a;
    /// }
    /// assert!(matches!(y.try_gradient(), Err(Error::Full { limit: 100, .. })));
    /// ```
    #[must_use]
    pub fn with_node_limit(limit: usize) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let limit = limit.min(u32::MAX as usize);
        Tape {
            nodes: Arena::new(limit + 1), // and the slot of constants
            edges: Arena::new(u32::MAX as usize),
            scratch: Arena::new(u32::MAX as usize),
            specials: Arena::new(u32::MAX as usize),
            inputs: Arena::new(u32::MAX as usize),
            retained: Arena::new(u32::MAX as usize),
            tensors: F::Tensors::default(),
            pullbacks: Pullbacks::default(),
            pulling: Cell::new(None),
            error: RefCell::new(None),
            spare: Spare::default(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            generation: Cell::new(0),
            rewinds: Rewinds::default(),
            limit,
        }
    }

    /// Records an input: a variable to differentiate with respect to.
    #[inline]
    pub fn var(&self, value: F) -> Var<'_, F> {
        let node = self.leaf();
        self.note_input(node, 1);
        Scalar::input(self, value, node)
    }

    /// Records one input per number.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.vars(&[1.0, 2.0, 3.0]);
    /// let y = x[0] * x[1] * x[2];
    /// assert_eq!(y.gradient().wrt(&x), [6.0, 3.0, 2.0]);
    /// ```
    pub fn vars(&self, values: &[F]) -> Vec<Var<'_, F>> {
        if values.is_empty() {
            return Vec::new();
        }
        // All leaves at once: one capacity test and one range of inputs for the lot.
        let first = self.first_leaf();
        self.nodes.extend(values.len(), |k| Node::new([F::ZERO; 2], [first + k as u32; 2]));
        self.note_input(first, values.len() as u32);
        (first..).zip(values).map(|(node, &value)| Scalar::input(self, value, node)).collect()
    }

    /// A number with no derivative, by intent. Operations on it alone record nothing.
    #[inline]
    pub fn constant(&self, value: F) -> Var<'_, F> {
        Scalar::constant(self, value)
    }

    /// Forgets the recording and keeps the memory. Variables of it can no longer be used: they borrow the tape.
    pub fn clear(&mut self) {
        self.forget();
    }

    /// [`clear`](Self::clear) for a tape whose variables are checked when they are used.
    pub(crate) fn forget(&self) {
        self.nodes.truncate(0);
        self.edges.truncate(0);
        self.scratch.truncate(0);
        self.specials.truncate(0);
        self.inputs.truncate(0);
        self.retained.truncate(0);
        self.tensors.truncate(0);
        self.pullbacks.truncate(0);
        self.error.replace(None);
        self.rewinds.clear();
        self.generation.set(self.generation.get().wrapping_add(1));
    }

    /// Remembers this point of the recording.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            of: self.recording(),
            nodes: self.nodes.len(),
            edges: self.edges.len(),
            specials: self.specials.len(),
            inputs: self.inputs.len(),
            retained: self.retained.len(),
            last_input: self.inputs.last().unwrap_or((NOWHERE, NOWHERE)),
            tensors: self.tensors.count(),
            pullbacks: self.pullbacks.len(),
        }
    }

    /// Forgets what was recorded after `mark`, so that many items can be differentiated in the memory of one.
    ///
    /// Takes the tape by `&mut`: no variable survives, so a stale one is a compile error. Variables recorded before the
    /// mark are carried over with [`Var::unbind`] and [`Tape::bind`].
    ///
    /// # Panics
    /// If `mark` is of another tape, or of a recording that was cleared, or lies after one already rewound to.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let mut tape = Tape::new();
    /// let x = tape.var(2.0).unbind();
    /// let mark = tape.mark();
    /// let mut total = 0.0;
    /// for item in [1.0, 2.0, 3.0] {
    ///     let y = (tape.bind(x) * item).sin();
    ///     total += y.gradient()[tape.bind(x)];
    ///     tape.rewind(mark);
    /// }
    /// assert!((total - (2.0_f64.cos() + 2.0 * 4.0_f64.cos() + 3.0 * 6.0_f64.cos())).abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn rewind(&mut self, mark: Mark) {
        assert!(
            self.is_current(mark.of) && self.rewinds.keeps_place(mark.of.epoch, mark.nodes, mark.tensors),
            "rewind: the mark is of another tape, of a cleared recording, or after a point already rewound to"
        );
        self.forget_after(mark);
    }

    /// Forgets what was recorded after `mark`. The caller knows that no variable of it is alive.
    pub(crate) fn forget_after(&self, mark: Mark) {
        self.rewinds.note(mark.nodes, mark.tensors);
        self.nodes.truncate(mark.nodes);
        self.edges.truncate(mark.edges);
        self.scratch.truncate(0);
        self.specials.truncate(mark.specials);
        self.inputs.truncate(mark.inputs.saturating_sub(1));
        if mark.inputs > 0 {
            self.inputs.push(mark.last_input);
        }
        self.retained.truncate(mark.retained);
        self.tensors.truncate(mark.tensors);
        self.pullbacks.truncate(mark.pullbacks);
    }

    /// What the tape holds.
    #[must_use]
    pub fn size(&self) -> TapeSize {
        let arenas =
            [self.nodes.bytes(), self.edges.bytes(), self.scratch.bytes(), self.specials.bytes(), self.inputs.bytes()];
        TapeSize {
            nodes: self.nodes.len().saturating_sub(1),
            tensors: self.tensors.count(),
            bytes: arenas.iter().map(|(kept, _)| kept).sum(),
            used: arenas.iter().map(|(_, used)| used).sum(),
        }
    }

    /// The tape's number, in order of creation: error texts name tapes by it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What is being recorded now.
    pub(crate) fn recording(&self) -> Recording {
        Recording { tape: self.number, generation: self.generation.get(), epoch: self.rewinds.epoch() }
    }

    /// The recording's name for variables that do not borrow the tape.
    pub(crate) fn tag(&self) -> Tag {
        Tag::new(self.number, self.generation.get())
    }

    /// Whether `of` is this tape since it was last cleared.
    pub(crate) fn is_current(&self, of: Recording) -> bool {
        of.tape == self.number && of.generation == self.generation.get()
    }

    /// Whether the scalar node recorded as `node` at that time is still the same.
    #[inline]
    pub(crate) fn keeps_node(&self, of: Recording, node: u32) -> bool {
        // Without a rewind since, everything is: looking up a gradient per variable should cost a load, not a search.
        of == self.recording() || self.is_current(of) && self.rewinds.keeps_place(of.epoch, node as usize + 1, 0)
    }

    /// Whether the tensor recorded as `number` at that time is still the same.
    pub(crate) fn keeps_tensor(&self, of: Recording, number: u32) -> bool {
        self.is_current(of) && self.rewinds.keeps_place(of.epoch, 0, number as usize + 1)
    }

    /// A node without parents.
    #[inline(always)]
    pub(crate) fn leaf(&self) -> u32 {
        let node = self.first_leaf();
        self.nodes.push(Node::new([F::ZERO; 2], [node; 2]))
    }

    /// The position of the next node; on an empty tape the slot of constants is made first.
    #[inline(always)]
    pub(crate) fn first_leaf(&self) -> u32 {
        if self.nodes.len() == 0 {
            self.nodes.push(Node::new([F::ZERO; 2], [NOWHERE; 2]));
        }
        self.nodes.len() as u32
    }

    /// Lists `count` nodes from `first` on as inputs, growing the last range where they follow it.
    #[inline]
    pub(crate) fn note_input(&self, first: u32, count: u32) {
        match self.inputs.last() {
            Some((start, end)) if end == first => {
                self.inputs.truncate(self.inputs.len() - 1);
                self.inputs.push((start, end + count));
            }
            _ => _ = self.inputs.push((first, first + count)),
        }
    }

    /// Two edges make a plain node; more go to the edge arena with a place in the side list.
    pub(crate) fn push_nary(&self, edges: &[Edge<F>]) -> u32 {
        let start = self.edges.extend(edges.len(), |k| edges[k]);
        let node = self.leaf();
        if node != NOWHERE {
            self.specials.push(Special { at: node, kind: Kind::Nary { start, len: edges.len() as u32 } });
        }
        node
    }

    /// Keeps the first error for the gradient to report.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&self, error: Error) {
        self.error.borrow_mut().get_or_insert(error);
    }

    /// The error kept, or a full arena.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(error) = &*self.error.borrow() {
            return Err(error.clone());
        }
        if self.nodes.is_full() || self.edges.is_full() || self.scratch.is_full() || self.specials.is_full() {
            let TapeSize { nodes, bytes, .. } = self.size();
            return Err(Error::Full { tape: self.number, nodes, bytes, limit: self.limit });
        }
        Ok(())
    }

    /// An adjoint array from an earlier sweep, or a new one.
    pub(crate) fn take_spare(&self) -> Vec<F> {
        self.spare.lock().map_or_else(|_| Vec::new(), |mut spare| spare.pop().unwrap_or_default())
    }

    pub(crate) fn spare(&self) -> Spare<F> {
        Arc::clone(&self.spare)
    }
}

impl<F: Primal> core::fmt::Debug for Tape<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let TapeSize { nodes, tensors, bytes, .. } = self.size();
        write!(f, "Tape #{} ({nodes} scalar nodes, {tensors} tensor nodes, {bytes} bytes)", self.number)
    }
}

/// Notes on both tapes that operands of one operation were recorded on different ones.
///
/// `extern "C"`: seen from the recording code it cannot unwind, and an unwind edge in every operator costs up to 25 %.
#[cold]
#[inline(never)]
pub(crate) extern "C" fn mixed_tapes<F: Primal>(left: &Tape<F>, right: &Tape<F>, caller: Caller) {
    let error = Error::MixedTapes { op: "arithmetic", left: left.number, right: right.number, caller };
    left.fail(error.clone());
    right.fail(error);
}
