//! The scalar variable: a value, a pending partial, and the node it hangs on.
//!
//! Operations of one operand, operations with constants, and operations of one and the same node record nothing: they
//! multiply the pending partial `dv/dnode`. `x / (1 + x * x)` is one node fewer than it looks, five to be exact;
//! ordinary generic code records 17-63 % fewer nodes. Such a handle is *not a node of its own*, and knows it: asking a
//! gradient for its adjoint would answer for another number.

mod arithmetic;

use super::handle::{Handle, Nary, UnaryOp};
use super::node::{NOWHERE, Node};
use super::{Gradients, Pullback, Recording, Tape, mixed_tapes};
use crate::dual::Dual;
use crate::error::{Error, OrPanic};
use crate::number::Primal;
use crate::reductions;
use core::panic::Location;
use wengert_kernels::{Binary, BinaryFunctions};

/// A scalar variable. [`Var`] is the one most programs meet.
///
/// `H` says where operations are recorded; it is a type parameter because most operations touch no memory and have no
/// test to hide a mode in.
#[derive(Clone, Copy)]
pub struct Scalar<F, H> {
    value: F,
    /// `d value / d node`.
    partial: F,
    handle: H,
    /// The node in the lower half; above it [`FOLDED`], if this is a function of the node and not the node itself. One
    /// number: as two, every variable that goes through memory takes a store more, and loops carry the flag along.
    place: u64,
}

/// Says that a variable is a folded function of its node.
const FOLDED: u64 = 1 << 32;

/// A scalar variable on a [`Tape`]: `Copy`, and alive no longer than the recording.
///
/// It may belong to no tape at all (`Var::from(2.0)`, the sum of an empty iterator): such a number is a constant.
/// Variables compare by value.
pub type Var<'t, F = f64> = Scalar<F, OnTape<'t, F>>;

/// Where a [`Var`] is recorded: a tape, or nowhere for a constant made without one.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct OnTape<'t, F: Primal>(Option<&'t Tape<F>>);

impl<F, H> Scalar<F, H> {
    #[inline(always)]
    pub(crate) fn folded(value: F, partial: F, handle: H, node: u32) -> Self {
        Scalar { value, partial, handle, place: u64::from(node) | FOLDED }
    }
    #[inline(always)]
    pub(crate) fn recorded(value: F, one: F, handle: H, node: u32) -> Self {
        Scalar { value, partial: one, handle, place: u64::from(node) }
    }
    /// The same variable with another kind of handle.
    #[inline(always)]
    pub(crate) fn moved<G>(self, handle: G) -> Scalar<F, G> {
        Scalar { value: self.value, partial: self.partial, handle, place: self.place }
    }
}

impl<F: Primal, H: Handle<F>> Scalar<F, H> {
    /// A constant that belongs to no recording.
    #[inline(always)]
    pub(crate) fn nowhere(value: F) -> Self {
        Scalar::folded(value, F::ZERO, H::NOWHERE, NOWHERE)
    }

    /// The value of the computation so far.
    #[inline(always)]
    pub fn value(self) -> F {
        self.value
    }

    /// The number itself, in the tape's own number type.
    #[inline(always)]
    pub fn primal(self) -> F {
        self.value
    }

    /// The same value as a constant: nothing flows back through it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let y = x * x.detach();
    /// assert_eq!(y.gradient()[x], 3.0);
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn detach(self) -> Self {
        H::detached(self)
    }

    /// `a` where `condition` holds, else `b`. Records nothing: the other branch is simply not used, so nothing of it,
    /// NaN included, reaches the gradient.
    #[inline(always)]
    #[must_use]
    pub fn select(condition: bool, a: Self, b: Self) -> Self {
        if condition { a } else { b }
    }

    /// Power with any exponent: a variable, or a constant, for which no logarithm is taken.
    ///
    /// `dy/da = b a^(b-1)`; `dy/db = a^b ln a`.
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn powf(self, exponent: impl Into<Self>) -> Self {
        let exponent = exponent.into();
        let (a, b) = (self.value, exponent.value);
        if exponent.is_constant() {
            let p = a.powf(b - F::ONE).mul_zero(b);
            return H::unary(self, UnaryOp::Right(Binary::Powf, b), a.powf(b), p);
        }
        BinaryFunctions::powf(self, exponent)
    }

    #[inline(always)]
    pub(crate) fn pending(self) -> (F, u32) {
        (self.partial, self.node())
    }

    #[inline(always)]
    pub(crate) fn handle(self) -> H {
        self.handle
    }

    /// Whether nothing can flow back through this number.
    #[inline(always)]
    pub(crate) fn is_constant(self) -> bool {
        self.node() == NOWHERE
    }

    #[inline(always)]
    pub(crate) fn is_node(self) -> bool {
        self.place & FOLDED == 0
    }
    #[inline(always)]
    fn node(self) -> u32 {
        self.place as u32
    }
}

impl<'t, F: Primal> OnTape<'t, F> {
    #[inline(always)]
    pub(crate) fn tape(self) -> Option<&'t Tape<F>> {
        self.0
    }
    #[inline(always)]
    pub(crate) fn on(tape: &'t Tape<F>) -> Self {
        OnTape(Some(tape))
    }
    /// A function `y` of `x` alone: nothing is recorded.
    #[inline(always)]
    fn folded(x: Var<'t, F>, y: F, p: F) -> Var<'t, F> {
        Scalar::folded(y, x.partial.onward(p), x.handle, x.node())
    }
    /// Whether both record to the same place. One comparison: matching on the options would test each for `None` first.
    #[inline(always)]
    pub(crate) fn is(self, other: Self) -> bool {
        core::ptr::eq(self.address(), other.address())
    }
    #[inline(always)]
    fn address(self) -> *const Tape<F> {
        self.0.map_or(core::ptr::null(), core::ptr::from_ref)
    }
}

impl<'t, F: Primal> Handle<F> for OnTape<'t, F> {
    const NOWHERE: Self = OnTape(None);
    type Inner<const N: usize> = Dual<F, N>;

    // The opcodes are for recorders.
    #[inline(always)]
    fn unary(x: Var<'t, F>, _op: UnaryOp<F>, y: F, p: F) -> Var<'t, F> {
        OnTape::folded(x, y, p)
    }

    #[inline(always)]
    fn negated(x: Var<'t, F>) -> Var<'t, F> {
        // A sign cannot make NaN of an infinity: no select.
        Scalar::folded(-x.value, -x.partial, x.handle, x.node())
    }

    #[inline(always)]
    fn detached(x: Var<'t, F>) -> Var<'t, F> {
        Scalar::folded(x.value, F::ZERO, x.handle, NOWHERE)
    }

    #[inline(always)]
    #[track_caller]
    fn binary(a: Var<'t, F>, b: Var<'t, F>, _op: Binary, y: F, p: F, q: F) -> Var<'t, F> {
        if !a.handle.is(b.handle) {
            return apart(a, b, y, [p, q]);
        }
        let (p, q) = (a.partial.onward(p), b.partial.onward(q));
        // After the tapes are known to be one: equal node ids on two tapes are not one node.
        if a.node() == b.node() {
            return Scalar::folded(y, p + q, a.handle, a.node());
        }
        let Some(tape) = a.handle.0 else { no_tape() };
        let node = tape.nodes.push(Node::new([p, q], [a.node(), b.node()]));
        Scalar::recorded(y, F::ONE, a.handle, node)
    }

    #[inline]
    #[track_caller]
    fn nary(_op: Nary, operands: impl Iterator<Item = (Var<'t, F>, F)>, y: F) -> Var<'t, F> {
        // A closure does not pass the caller's line on.
        let caller = Location::caller();
        let mut node = super::nary::Builder::new();
        operands.for_each(|(x, p)| node.operand(x, p, caller));
        node.finish(y)
    }

    #[inline]
    #[track_caller]
    fn by_partials(operands: impl Iterator<Item = (Var<'t, F>, F)>, y: F) -> Var<'t, F> {
        Self::nary(Nary::Sum, operands, y)
    }

    #[track_caller]
    fn variance(x: &[Var<'t, F>], degrees: f64) -> Var<'t, F> {
        reductions::variance_as_node(x, degrees)
    }

    #[inline]
    #[track_caller]
    fn affine(w: &[Var<'t, F>], x: &[Var<'t, F>], b: Var<'t, F>) -> Var<'t, F> {
        reductions::affine_as_node(w, x, b)
    }

    // The operands are known: no scratch.
    #[inline(always)]
    #[track_caller]
    fn custom<const N: usize>(x: [Var<'t, F>; N], y: F, p: [F; N]) -> Var<'t, F> {
        super::nary::record(x, Dual { value: y, tangents: p }, Location::caller())
    }

    #[track_caller]
    fn many(x: &[Var<'t, F>], y: Vec<F>, pullback: Pullback<F>) -> Vec<Var<'t, F>> {
        super::pullback::record_many(x, y, pullback, Location::caller())
    }

    #[inline(always)]
    #[track_caller]
    fn fuse<const N: usize, const M: usize>(
        x: [Var<'t, F>; N],
        f: impl FnOnce([Dual<F, N>; N]) -> [Dual<F, N>; M],
    ) -> [Var<'t, F>; M] {
        let caller = Location::caller();
        f(Dual::independent(x.map(Scalar::primal))).map(|y| super::nary::record(x, y, caller))
    }
}

/// An operation of variables with different handles: one of them is a bare constant, or they are of two tapes.
#[inline(always)]
#[track_caller]
fn apart<'t, F: Primal>(a: Var<'t, F>, b: Var<'t, F>, y: F, [p, q]: [F; 2]) -> Var<'t, F> {
    match side(a.handle, b.handle, Location::caller()) {
        Live::Left => OnTape::folded(a, y, p),
        Live::Right => OnTape::folded(b, y, q),
        Live::Neither => Scalar::folded(y, F::ZERO, a.handle, NOWHERE),
    }
}

/// Variables of different nodes hang on a tape. Returning a constant here instead gives every operation one result more
/// to join, 2 to 9 % of a recording.
#[cold]
#[inline(never)]
extern "C" fn no_tape() -> ! {
    unreachable!("constants of no tape have one node")
}

/// Which of two operands with different handles a result hangs on.
#[repr(u8)]
enum Live {
    Left,
    Right,
    Neither,
}

/// Looks at the handles alone, out of the way: with this in line a recorded Gaussian mixture took 5 to 15 % longer, and
/// given the variables it would bring them to memory. Nothing in it unwinds.
#[cold]
#[inline(never)]
extern "C" fn side<'t, F: Primal>(a: OnTape<'t, F>, b: OnTape<'t, F>, at: &'static Location<'static>) -> Live {
    match (a.0, b.0) {
        (_, None) => Live::Left,
        (None, _) => Live::Right,
        (Some(left), Some(right)) => {
            mixed_tapes(left, right, at);
            Live::Neither
        }
    }
}

impl<'t, F: Primal> Var<'t, F> {
    #[inline(always)]
    pub(crate) fn input(tape: &'t Tape<F>, value: F, node: u32) -> Self {
        Scalar::recorded(value, F::ONE, OnTape(Some(tape)), node)
    }

    #[inline(always)]
    pub(crate) fn constant(tape: &'t Tape<F>, value: F) -> Self {
        Scalar::folded(value, F::ZERO, OnTape(Some(tape)), NOWHERE)
    }

    /// Gives this number a node of its own, so that a gradient can be asked for its adjoint.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var(2.0);
    /// let y = (x * 3.0).retain(); // d/dx alone would be asked of x
    /// let z = y * y;
    /// let g = z.gradient();
    /// assert_eq!((g[y], g[x]), (12.0, 36.0));
    /// ```
    #[must_use]
    pub fn retain(self) -> Self {
        let Some(tape) = self.handle.0 else { return self };
        if self.is_constant() {
            return self;
        }
        let own = tape.nodes.len() as u32;
        let node = tape.nodes.push(Node::new([self.partial, F::ZERO], [self.node(), own]));
        tape.retained.push(node);
        Scalar::recorded(self.value, F::ONE, self.handle, node)
    }

    /// The reverse sweep: the derivative of this number with respect to everything recorded before it.
    ///
    /// Formula: `x_bar_j = sum_i y_bar_i dy_i/dx_j` over the list backwards, from the seed 1. Costs one pass; may be
    /// called again, for this number or another, and starts from zero each time.
    ///
    /// # Panics
    /// With the text of the error that [`try_gradient`](Self::try_gradient) returns.
    #[doc(alias = "backward")]
    #[doc(alias = "grad")]
    #[track_caller]
    pub fn gradient(self) -> Gradients<F> {
        self.try_gradient().or_panic()
    }

    /// [`gradient`](Self::gradient), returning what went wrong while recording.
    ///
    /// # Errors
    /// [`Error::MixedTapes`] if operands of two tapes met in an operation, [`Error::Full`] if the tape ran out of room,
    /// [`Error::Derivative`] if there is no memory for the tensors of the sweep.
    #[track_caller]
    pub fn try_gradient(self) -> Result<Gradients<F>, Error> {
        self.try_vjp(F::ONE)
    }

    /// The reverse sweep from a seed other than 1: `seed` times the gradient.
    ///
    /// # Panics
    /// As [`gradient`](Self::gradient).
    #[track_caller]
    pub fn vjp(self, seed: F) -> Gradients<F> {
        self.try_vjp(seed).or_panic()
    }

    /// [`vjp`](Self::vjp), returning what went wrong while recording.
    ///
    /// # Errors
    /// As [`try_gradient`](Self::try_gradient).
    #[track_caller]
    pub fn try_vjp(self, seed: F) -> Result<Gradients<F>, Error> {
        match self.handle.0 {
            Some(tape) => tape.try_vjp([(self, seed)]),
            None => Ok(Gradients::of_a_constant()),
        }
    }

    /// Whether a path of recorded operations leads from `x` to this number; a zero derivative alone does not tell.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, unused) = (tape.var(0.0), tape.var(1.0));
    /// let y = x * x;
    /// assert_eq!((y.gradient()[x], y.gradient()[unused]), (0.0, 0.0));
    /// assert!(y.is_connected(x) && !y.is_connected(unused));
    /// ```
    pub fn is_connected(self, x: Self) -> bool {
        match (self.handle.0, x.handle.0) {
            (Some(tape), Some(other)) if core::ptr::eq(tape, other) => tape.reaches(self.node(), x.node()),
            _ => false,
        }
    }

    /// This variable without its borrow of the tape, to carry over a [`rewind`](Tape::rewind).
    #[must_use]
    pub fn unbind(self) -> Unbound<F> {
        let of = self.handle.0.map(Tape::recording);
        Unbound { value: self.value, partial: self.partial, place: self.place, of }
    }
}

/// A variable that does not borrow its tape, made by [`Var::unbind`]; [`Tape::bind`] makes it usable again.
#[derive(Clone, Copy, Debug)]
pub struct Unbound<F> {
    value: F,
    partial: F,
    place: u64,
    of: Option<Recording>,
}

impl<F: Primal> Tape<F> {
    /// Takes an unbound variable back.
    ///
    /// # Panics
    /// If it is of another tape, of a recording that was cleared, or of a part that was rewound away.
    #[track_caller]
    pub fn bind(&self, x: Unbound<F>) -> Var<'_, F> {
        if let Some(of) = x.of {
            assert!(
                self.keeps_node(of, x.place as u32) || x.place as u32 == NOWHERE && self.is_current(of),
                "bind: the variable is of another tape, of a cleared recording, or of a part that was rewound away"
            );
        }
        Scalar { value: x.value, partial: x.partial, handle: OnTape(Some(self)), place: x.place }
    }
}
