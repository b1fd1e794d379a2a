//! The second handle of [`Scalar`]: a tag, checked where an operation reaches a tape.

use super::desk::{Tag, Threaded};
use crate::dual::Dual;
use crate::error::{Caller, OrPanic};
use crate::number::Primal;
use crate::reductions;
use crate::tape::node::{Edge, NOWHERE};
use crate::tape::{Handle, Nary, OnTape, Pullback, Recorded, Recording, Scalar, Tape, UnaryOp, Var, join, record};
use core::panic::Location;
use smallvec::SmallVec;
use wengert_kernels::Binary;

/// A scalar variable without a lifetime: `Copy + Send + Sync + 'static`, what foreign generic code asks for.
///
/// It is recorded on a [`RealTape`](super::RealTape), found through the thread. What the borrow of a [`Var`] makes a
/// compile error is checked when it runs: used after its tape was cleared or dropped, on another thread, or with a
/// variable of another tape, the first operation that reaches a tape, or the request for its gradient, panics and says
/// which of these happened. Operations of one operand reach none.
///
/// A constant (`Real::from(2.0)`, the `zero()` of other crates' traits) belongs to no tape and may be used anywhere.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// struct Pendulum { angle: Real, speed: Real } // no lifetime to pass on
///
/// let tape = RealTape::new();
/// let start = Pendulum { angle: tape.var(0.5), speed: tape.var(0.0) };
/// let energy = start.speed * start.speed * 0.5 + 9.81 * (1.0 - start.angle.cos());
/// assert_eq!(energy.gradient()[start.angle], 9.81 * 0.5_f64.sin());
/// ```
pub type Real<F = f64> = Scalar<F, OnThread>;

/// Where a [`Real`] is recorded: one recording of one tape of one thread, or nowhere for a constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnThread(Tag);

impl OnThread {
    pub(super) fn of(tag: Tag) -> Self {
        OnThread(tag)
    }
    pub(super) fn tag(self) -> Tag {
        self.0
    }
    #[inline(always)]
    fn folded<F: Primal>(x: Real<F>, y: F, p: F) -> Real<F>
    where
        Self: Handle<F>,
    {
        let (partial, node) = x.pending();
        Scalar::folded(y, partial.onward(p), x.handle(), node)
    }
}

impl<F: Threaded> Real<F> {
    /// This variable as one that borrows its tape.
    pub(super) fn on(self, tape: &Tape<F>) -> Var<'_, F> {
        self.moved(OnTape::on(tape))
    }
}

impl<F: Threaded> Handle<F> for OnThread {
    const NOWHERE: Self = OnThread(Tag::NONE);
    type Inner<const N: usize> = Dual<F, N>;

    #[inline(always)]
    fn unary(x: Real<F>, _op: UnaryOp<F>, y: F, p: F) -> Real<F> {
        OnThread::folded(x, y, p)
    }

    #[inline(always)]
    fn negated(x: Real<F>) -> Real<F> {
        let (partial, node) = x.pending();
        Scalar::folded(-x.primal(), -partial, x.handle(), node)
    }

    #[inline(always)]
    fn detached(x: Real<F>) -> Real<F> {
        Scalar::folded(x.primal(), F::ZERO, x.handle(), NOWHERE)
    }

    #[inline(always)]
    #[track_caller]
    fn binary(a: Real<F>, b: Real<F>, _op: Binary, y: F, p: F, q: F) -> Real<F> {
        let handle = a.handle();
        if handle != b.handle() {
            return apart(a, b, y, [p, q]);
        }
        let ((a_partial, a), (b_partial, b)) = (a.pending(), b.pending());
        let (p, q) = (a_partial.onward(p), b_partial.onward(q));
        // Two constants of no tape end here too.
        if a == b {
            return Scalar::folded(y, p + q, handle, a);
        }
        let caller = Location::caller(); // a closure does not pass the caller's line on
        let node = F::desk(|desk| desk.push(handle.0, [p, q], [a, b], caller));
        Scalar::recorded(y, F::ONE, handle, node)
    }

    #[inline]
    #[track_caller]
    fn nary(_op: Nary, operands: impl Iterator<Item = (Real<F>, F)>, y: F) -> Real<F> {
        Self::by_partials(operands, y)
    }

    #[track_caller]
    fn many(x: &[Real<F>], y: Vec<F>, pullback: Pullback<F>) -> Vec<Real<F>> {
        let caller = Location::caller();
        let tag = x.iter().fold(Tag::NONE, |tag, &x| common(tag, x, caller));
        if tag == Tag::NONE {
            return y.into_iter().map(Scalar::nowhere).collect();
        }
        let record = |tape: &Tape<F>| {
            let on: Vec<Var<'_, F>> = x.iter().map(|x| x.on(tape)).collect();
            OnTape::many(&on, y, pullback).into_iter().map(|y| y.moved(OnThread(tag))).collect()
        };
        F::desk(|desk| desk.with(tag, caller, record)).or_panic()
    }

    #[inline]
    #[track_caller]
    fn by_partials(operands: impl Iterator<Item = (Real<F>, F)>, y: F) -> Real<F> {
        let caller = Location::caller();
        let mut tag = Tag::NONE;
        // Not on the tape's scratch stack: the iterator may record on another tape meanwhile.
        let mut edges: SmallVec<[Edge<F>; 32]> = SmallVec::new();
        operands.for_each(|(x, p)| {
            tag = common(tag, x, caller);
            let (partial, parent) = x.pending();
            if parent != NOWHERE {
                edges.push(Edge { partial: partial.onward(p), parent });
            }
        });
        whole(tag, y, caller, |tape| join(tape, &edges, y))
    }

    #[track_caller]
    fn variance(x: &[Real<F>], degrees: f64) -> Real<F> {
        reductions::variance_as_node(x, degrees)
    }

    #[track_caller]
    fn affine(w: &[Real<F>], x: &[Real<F>], b: Real<F>) -> Real<F> {
        reductions::affine_as_node(w, x, b)
    }

    #[inline(always)]
    #[track_caller]
    fn fuse<const N: usize, const M: usize>(
        x: [Real<F>; N],
        f: impl FnOnce([Dual<F, N>; N]) -> [Dual<F, N>; M],
    ) -> [Real<F>; M] {
        let caller = Location::caller();
        let tag = x.iter().fold(Tag::NONE, |tag, &x| common(tag, x, caller));
        let y = f(Dual::independent(x.map(Scalar::primal)));
        y.map(|y| whole(tag, y.value, caller, |tape| record(x.map(|x| x.on(tape)), y, caller)))
    }
}

impl<F: Threaded> Recorded<F> for OnThread {
    fn is_nowhere(self) -> bool {
        self.0 == Tag::NONE
    }
    #[inline(always)]
    fn is(self, other: Self) -> bool {
        self == other
    }
    fn records(self, of: Recording) -> bool {
        self.0 == of.tag()
    }
    fn keeps(self, of: Recording, _node: u32) -> bool {
        // Tapes of this kind are not rewound: a recording keeps every node.
        self.0 == of.tag()
    }
}

/// An operation of variables with different tags: one of them is a bare constant, or something is wrong.
#[inline]
#[track_caller]
fn apart<F: Threaded>(a: Real<F>, b: Real<F>, y: F, [p, q]: [F; 2]) -> Real<F> {
    let (left, right) = (a.handle().0, b.handle().0);
    if right == Tag::NONE {
        OnThread::folded(a, y, p)
    } else if left == Tag::NONE {
        OnThread::folded(b, y, q)
    } else {
        raise_apart::<F>(left, right, Location::caller())
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn raise_apart<F: Threaded>(left: Tag, right: Tag, caller: Caller) -> ! {
    let error = F::desk(|desk| desk.why_apart(left, right, caller));
    panic!("{error}")
}

/// The recording that `x` and the operands before it share.
#[inline(always)]
fn common<F: Threaded>(tag: Tag, x: Real<F>, caller: Caller) -> Tag {
    match x.handle().0 {
        Tag::NONE => tag,
        other if tag == Tag::NONE || tag == other => other,
        other => raise_apart::<F>(tag, other, caller),
    }
}

/// Records the value `y` on the whole tape.
#[inline]
#[track_caller]
fn whole<F: Threaded>(tag: Tag, y: F, caller: Caller, f: impl FnOnce(&Tape<F>) -> Var<'_, F>) -> Real<F> {
    if tag == Tag::NONE {
        return Scalar::folded(y, F::ZERO, OnThread(tag), NOWHERE);
    }
    let recorded = F::desk(|desk| desk.with(tag, caller, |tape| f(tape).moved(OnThread(tag))));
    recorded.or_panic()
}
