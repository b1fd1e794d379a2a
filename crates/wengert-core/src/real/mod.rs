//! The variable without a lifetime.

mod desk;

pub use desk::Threaded;
pub(crate) use desk::Recording;
use crate::error::Error;
use crate::tape::node::{NOWHERE, Node};
use crate::tape::sweep::Seeds;
use crate::tape::{Gradients, Handle, Scalar, Tape};
use core::panic::Location;
use core::ops::Index;
use std::rc::Rc;

/// variable
pub type Real<F = f64> = Scalar<F, OnThread>;

/// handle
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnThread(Recording);

impl<F: Threaded> Handle<F> for OnThread {
    const NOWHERE: Self = OnThread(Recording::NONE);

    #[inline(always)]
    fn unary(x: Real<F>, y: F, p: F) -> Real<F> {
        let (partial, node) = x.pending();
        Scalar::folded(y, partial.mul_zero(p), x.handle(), node)
    }

    #[inline(always)]
    #[track_caller]
    fn binary(a: Real<F>, b: Real<F>, y: F, p: F, q: F) -> Real<F> {
        let recording = a.handle();
        if recording != b.handle() {
            return apart(a, b, y, p, q);
        }
        let ((da, a), (db, b)) = (a.pending(), b.pending());
        let (p, q) = (da.mul_zero(p), db.mul_zero(q));
        if a == b {
            return Scalar::folded(y, p + q, recording, a);
        }
        let node = F::desk(|desk| desk.push(recording.0, Node { partials: [p, q], parents: [a, b] }));
        Scalar::recorded(y, F::ONE, recording, node)
    }

    #[inline]
    #[track_caller]
    fn nary(operands: impl Iterator<Item = (Real<F>, F)>, y: F) -> Real<F> {
        operands.fold(Scalar::folded(y, F::ZERO, <Self as Handle<F>>::NOWHERE, NOWHERE), |s, (x, p)| <Self as Handle<F>>::binary(s, x, y, F::ONE, p))
    }
}

#[inline]
#[track_caller]
fn apart<F: Threaded>(a: Real<F>, b: Real<F>, y: F, p: F, q: F) -> Real<F> {
    if b.handle().0 == Recording::NONE {
        return OnThread::unary(a, y, p);
    }
    if a.handle().0 == Recording::NONE {
        return OnThread::unary(b, y, q);
    }
    raise_apart::<F>(a.handle().0, b.handle().0, Location::caller())
}

#[cold]
#[inline(never)]
fn raise_apart<F: Threaded>(a: Recording, b: Recording, caller: crate::error::Caller) -> ! {
    let error = F::desk(|desk| desk.why_apart(a, b, caller));
    panic!("{error}")
}

/// tape
pub struct RealTape<F: Threaded = f64> {
    tape: Rc<Tape<F>>,
}

impl<F: Threaded> RealTape<F> {
    /// new
    pub fn new() -> Self {
        F::tidy_up();
        RealTape { tape: F::desk(|desk| desk.open()) }
    }
    /// var
    #[track_caller]
    pub fn var(&self, value: F) -> Real<F> {
        let recording = self.tape.recording_name();
        let node = F::desk(|desk| desk.with(recording, Location::caller(), |tape| {
            let node = tape.leaf();
            tape.note_input(node, 1);
            node
        })).unwrap();
        Scalar::recorded(value, F::ONE, OnThread(recording), node)
    }
    /// var
    #[track_caller]
    pub fn vars(&self, values: &[F]) -> Vec<Real<F>> {
        let recording = self.tape.recording_name();
        let first = F::desk(|desk| desk.with(recording, Location::caller(), |tape| {
            tape.vars(values).first().map_or(0, |x| x.pending().1)
        })).unwrap();
        (first..).zip(values).map(|(node, &value)| Scalar::recorded(value, F::ONE, OnThread(recording), node)).collect()
    }
    /// c
    pub fn clear(&self) {
        F::desk(|desk| desk.forget(&self.tape));
    }
}
impl<F: Threaded> Drop for RealTape<F> {
    fn drop(&mut self) {
        F::desk(|desk| desk.close(&self.tape));
    }
}
impl<F: Threaded> Real<F> {
    /// g
    #[track_caller]
    pub fn gradient(self) -> Gradients<F> {
        self.try_gradient().unwrap_or_else(|error| error.raise())
    }
    /// g
    ///
    /// # Errors
    /// ..
    #[track_caller]
    pub fn try_gradient(self) -> Result<Gradients<F>, Error> {
        let caller = Location::caller();
        let (partial, node) = self.pending();
        let seeds = Seeds { scalars: smallvec::smallvec![(node, partial)], tensors: smallvec::SmallVec::new() };
        F::desk(|desk| desk.with(self.handle().0, caller, |tape| tape.sweep_from(&seeds)))?
    }
}
impl<F: Threaded> Index<Real<F>> for Gradients<F> {
    type Output = F;
    #[track_caller]
    fn index(&self, x: Real<F>) -> &F {
        self.at_node(x.pending().1)
    }
}
