//! What one entry of the Wengert list is.

/// A recorded operation of at most two operands: its partials and its parents.
///
/// The position in the arena is the node's id and its slot in the adjoint array. Partials are computed when the op is
/// recorded, so the reverse sweep has no opcode to branch on: 1.15 ns a node instead of 8 on unpredictable code.
///
/// A node without a parent (an input), or the missing second parent, points to itself with partial 0. One shared dummy
/// parent would chain a read-modify-write through all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<F> {
    pub(crate) partials: [F; 2],
    /// Both in one number, the first in the lower half: recording is a matter of how many stores there are.
    parents: u64,
}

impl<F> Node<F> {
    #[inline(always)]
    pub(crate) fn new(partials: [F; 2], [a, b]: [u32; 2]) -> Self {
        Node { partials, parents: u64::from(a) | u64::from(b) << 32 }
    }

    #[inline(always)]
    pub(crate) fn parents(&self) -> [u32; 2] {
        [self.parents as u32, (self.parents >> 32) as u32]
    }
}

/// One operand of an n-ary node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge<F> {
    pub(crate) partial: F,
    pub(crate) parent: u32,
}

/// An entry that is not a node of two operands, listed apart so that the sweep over those stays tight.
///
/// `at` places it in recording order: it comes after the scalar nodes `0..at`. An n-ary node owns slot `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Special {
    pub(crate) at: u32,
    pub(crate) kind: Kind,
}

/// The kinds of [`Special`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A node with the operands `start..start + len` of the edge arena.
    Nary { start: u32, len: u32 },
    /// The tensor op with this number.
    Tensor(u32),
    /// A function with the pullback of this number; its `results` own the slots from `at` on.
    Pullback { number: u32, results: u32 },
}

/// The slot that constants point to: its adjoint is never read.
pub(crate) const NOWHERE: u32 = 0;
