//! The tape behind the variables without a lifetime.

use super::desk::{Desk, Threaded};
use super::handle::{OnThread, Real};
use crate::error::{Caller, Error, OrPanic};
use crate::tape::{Gradients, Recorded, Tape, TapeSize};
use core::fmt;
use core::panic::Location;
use std::rc::Rc;
use wengert_tensor::{Element, Tensor};

/// A tape whose variables carry no lifetime: [`Real`]s.
///
/// It belongs to the thread that made it and may lie in a struct beside its variables. A thread may have several; their
/// variables do not mix. What [`Tape`] refuses to compile is refused here when it runs, see [`Real`].
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// let mut tape = RealTape::new();
/// for x in [1.0, 2.0, 3.0] {
///     let x = tape.var(x);
///     let y = x * x + x;
///     assert_eq!(y.gradient()[x], 2.0 * x.value() + 1.0);
///     tape.clear(); // x and y are of no use from here on
/// }
/// ```
pub struct RealTape<F: Threaded = f64> {
    /// Not `Send`, as the thread is how variables find it.
    tape: Rc<Tape<F>>,
}

impl<F: Threaded> RealTape<F> {
    /// An empty tape of this thread.
    #[must_use]
    pub fn new() -> Self {
        F::tidy_at_exit();
        RealTape { tape: F::desk(Desk::open) }
    }

    /// Records an input: a variable to differentiate with respect to.
    #[track_caller]
    pub fn var(&self, value: F) -> Real<F> {
        let handle = self.handle();
        self.whole(Location::caller(), |tape| tape.var(value).moved(handle))
    }

    /// Records one input per number.
    #[track_caller]
    pub fn vars(&self, values: &[F]) -> Vec<Real<F>> {
        let handle = self.handle();
        self.whole(Location::caller(), |tape| tape.vars(values).into_iter().map(|x| x.moved(handle)).collect())
    }

    /// One reverse sweep for several outputs: the derivative of `sum_i seed_i y_i`.
    ///
    /// # Panics
    /// With the text of the error that [`try_vjp`](Self::try_vjp) returns.
    #[track_caller]
    pub fn vjp(&self, outputs: impl IntoIterator<Item = (Real<F>, F)>) -> Gradients<F> {
        self.try_vjp(outputs).or_panic()
    }

    /// [`vjp`](Self::vjp), returning what went wrong.
    ///
    /// # Errors
    /// Those of [`Real::try_gradient`], for each output.
    #[track_caller]
    pub fn try_vjp(&self, outputs: impl IntoIterator<Item = (Real<F>, F)>) -> Result<Gradients<F>, Error> {
        let caller = Location::caller();
        let outputs: Vec<(Real<F>, F)> = outputs.into_iter().collect();
        self.own(outputs.iter().map(|&(y, _)| y), caller)?;
        self.whole(caller, |tape| tape.try_vjp(outputs.iter().map(|&(y, seed)| (y.on(tape), seed))))
    }

    /// The Jacobian of several outputs by several inputs: one row per output, one column per input, eight rows per
    /// sweep.
    ///
    /// # Panics
    /// With the text of the error that [`try_jacobian`](Self::try_jacobian) returns; if an input is not a node of its
    /// own.
    #[track_caller]
    pub fn jacobian(&self, outputs: &[Real<F>], inputs: &[Real<F>]) -> Tensor<F>
    where
        F: Element,
    {
        self.try_jacobian(outputs, inputs).or_panic()
    }

    /// [`jacobian`](Self::jacobian), returning what went wrong.
    ///
    /// # Errors
    /// Those of [`Real::try_gradient`], for each output and input.
    ///
    /// # Panics
    /// If an input is not a node of its own.
    #[track_caller]
    pub fn try_jacobian(&self, outputs: &[Real<F>], inputs: &[Real<F>]) -> Result<Tensor<F>, Error>
    where
        F: Element,
    {
        let caller = Location::caller();
        self.own(outputs.iter().chain(inputs).copied(), caller)?;
        self.whole(caller, |tape| {
            let on = |x: &[Real<F>]| x.iter().map(|x| x.on(tape)).collect::<Vec<_>>();
            tape.try_jacobian(&on(outputs), &on(inputs))
        })
    }

    /// Whether these are constants or of the recording under way.
    fn own(&self, x: impl IntoIterator<Item = Real<F>>, caller: Caller) -> Result<(), Error> {
        let tag = self.tape.tag();
        let stray = |x: &Real<F>| !Recorded::<F>::is_nowhere(x.handle()) && x.handle().tag() != tag;
        match x.into_iter().find(stray) {
            Some(x) => Err(F::desk(|desk| desk.why_apart(tag, x.handle().tag(), caller))),
            None => Ok(()),
        }
    }

    /// Forgets the recording and keeps the memory. Its variables can no longer be used.
    pub fn clear(&mut self) {
        if self.tape.tag().is_last() {
            *self = Self::new();
        } else {
            F::desk(|desk| desk.forget(&self.tape));
        }
    }

    /// What the tape holds.
    #[must_use]
    #[track_caller]
    pub fn size(&self) -> TapeSize {
        self.whole(Location::caller(), Tape::size)
    }

    /// The tape's number: error texts name tapes by it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.tape.number()
    }

    fn handle(&self) -> OnThread {
        OnThread::of(self.tape.tag())
    }

    #[track_caller]
    fn whole<R>(&self, caller: Caller, f: impl FnOnce(&Tape<F>) -> R) -> R {
        let done = F::desk(|desk| desk.with(self.tape.tag(), caller, f));
        done.or_panic()
    }
}

impl<F: Threaded> Default for RealTape<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Threaded> Drop for RealTape<F> {
    fn drop(&mut self) {
        F::desk(|desk| desk.close(&self.tape));
    }
}

impl<F: Threaded> fmt::Debug for RealTape<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TapeSize { nodes, bytes, .. } = self.size();
        write!(f, "RealTape #{} ({nodes} nodes, {bytes} bytes)", self.number())
    }
}

impl<F: Threaded> Real<F> {
    /// Gives this number a node of its own, so that a gradient can be asked for its adjoint.
    #[must_use]
    #[track_caller]
    pub fn retain(self) -> Self {
        if Recorded::<F>::is_nowhere(self.handle()) {
            return self;
        }
        let retained = self.whole(Location::caller(), |tape| self.on(tape).retain().moved(self.handle()));
        retained.or_panic()
    }

    /// The reverse sweep: the derivative of this number with respect to everything recorded before it.
    ///
    /// # Panics
    /// With the text of the error that [`try_gradient`](Self::try_gradient) returns.
    #[doc(alias = "backward")]
    #[doc(alias = "grad")]
    #[track_caller]
    pub fn gradient(self) -> Gradients<F> {
        self.try_gradient().or_panic()
    }

    /// [`gradient`](Self::gradient), returning what went wrong.
    ///
    /// # Errors
    /// [`Error::Cleared`], [`Error::Dropped`] or [`Error::WrongThread`] if the recording is not under way on this
    /// thread, [`Error::Full`] if the tape ran out of room.
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

    /// [`vjp`](Self::vjp), returning what went wrong.
    ///
    /// # Errors
    /// As [`try_gradient`](Self::try_gradient).
    #[track_caller]
    pub fn try_vjp(self, seed: F) -> Result<Gradients<F>, Error> {
        if Recorded::<F>::is_nowhere(self.handle()) {
            return Ok(Gradients::of_a_constant());
        }
        self.whole(Location::caller(), |tape| tape.try_vjp([(self.on(tape), seed)]))?
    }

    /// Whether a path of recorded operations leads from `x` to this number; a zero derivative alone does not tell.
    #[must_use]
    #[track_caller]
    pub fn is_connected(self, x: Self) -> bool {
        !Recorded::<F>::is_nowhere(self.handle())
            && self.handle() == x.handle()
            && self.whole(Location::caller(), |tape| self.on(tape).is_connected(x.on(tape))).or_panic()
    }

    fn whole<R>(self, caller: Caller, f: impl FnOnce(&Tape<F>) -> R) -> Result<R, Error> {
        F::desk(|desk| desk.with(self.handle().tag(), caller, f))
    }
}
