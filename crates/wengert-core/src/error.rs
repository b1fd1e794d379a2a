//! What can go wrong on a tape.

use crate::function::FunctionError;
use core::panic::Location;
use wengert_tensor::{Shape, ShapeError, refuse};

/// The place in the user's program that an error is about.
pub type Caller = &'static Location<'static>;

/// Errors of recording and of the sweeps.
///
/// Scalar operators cannot return a `Result`: they keep the first error with its caller's line on the tape, and
/// `try_gradient` returns it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two operands were recorded on different tapes.
    ///
    /// ```should_panic
    /// # use wengert_core::Tape;
    /// let (first, second) = (Tape::<f64>::new(), Tape::<f64>::new());
    /// let y = first.var(1.0) + second.var(2.0);
    /// y.gradient(); // panics; record both on one tape, or pass `x.value()`, a plain number
    /// ```
    #[error("{caller}: {op}: operands belong to two tapes, tape #{left} and tape #{right}; record both on one tape")]
    MixedTapes {
        /// The operation.
        op: &'static str,
        /// The left operand's tape, numbered in order of creation.
        left: u32,
        /// The right operand's tape.
        right: u32,
        /// Where the operation stands.
        caller: Caller,
    },
    /// A [`Real`](crate::Real) was used after its tape had been cleared.
    ///
    /// ```should_panic
    /// # use wengert_core::prelude::*;
    /// let mut tape = RealTape::new();
    /// let x = tape.var(1.0);
    /// tape.clear();
    /// let y = tape.var(2.0) * x; // panics; make x anew after `clear`
    /// ```
    #[error("{caller}: a variable of tape #{tape} was used after the tape was cleared; make it anew with tape.var")]
    Cleared {
        /// The tape.
        tape: u32,
        /// Where the variable was used.
        caller: Caller,
    },
    /// A [`Real`](crate::Real) was used after its tape was gone.
    ///
    /// ```should_panic
    /// # use wengert_core::{prelude::*, real};
    /// let mut kept: Option<Real> = None;
    /// real::grad(|x| *kept.insert(x[0]), &[1.0]);
    /// kept.unwrap().gradient(); // panics; return values, or hold a RealTape as long as its variables
    /// ```
    #[error(
        "{caller}: a variable of tape #{tape} was used after the tape was dropped; keep the tape, or return from the closure that was given the variable, only when done with it"
    )]
    Dropped {
        /// The tape.
        tape: u32,
        /// Where the variable was used.
        caller: Caller,
    },
    /// A [`Real`](crate::Real) was used on another thread than its tape's.
    ///
    /// ```should_panic
    /// # use wengert_core::prelude::*;
    /// let tape = RealTape::new();
    /// let (x, y) = (tape.var(1.0), tape.var(2.0));
    /// std::thread::spawn(move || x * y).join().unwrap(); // panics; send x.value(), and a RealTape::new() there
    /// ```
    #[error(
        "{caller}: a variable of tape #{tape}, which is of thread {home}, was used on thread {here}; send its value and make a variable of it there"
    )]
    WrongThread {
        /// The tape.
        tape: u32,
        /// The tape's thread.
        home: String,
        /// The thread the variable was used on.
        here: String,
        /// Where the variable was used.
        caller: Caller,
    },
    /// The tape reached its limit, or the system has no more memory for it.
    #[error(
        "tape #{tape} is full: {nodes} nodes and {bytes} bytes recorded, limit {limit} nodes; clear it more often, rewind, or split the computation"
    )]
    Full {
        /// The tape.
        tape: u32,
        /// Scalar nodes it holds.
        nodes: usize,
        /// Bytes it holds.
        bytes: usize,
        /// Scalar nodes it may hold.
        limit: usize,
    },
    /// Operands, axes or indices of a tensor operation do not fit.
    #[error("{caller}: {source}")]
    Shape {
        /// What does not fit. Boxed: errors are rare, results are returned by every operation.
        source: Box<ShapeError>,
        /// Where the operation stands.
        caller: Caller,
    },
    /// No memory for a derivative. What was recorded is as it was: when there is memory, ask again.
    #[error("{caller}: {mode} of {source}")]
    Derivative {
        /// `"gradient"`, or `"tangent"` in forward mode.
        mode: &'static str,
        /// What was refused, to the op whose derivative needs it.
        source: Box<ShapeError>,
        /// Where the derivative was asked for.
        caller: Caller,
    },
    /// The closure of a fused expression cannot be recorded.
    ///
    /// ```should_panic
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 2.0]);
    /// x.map(|x| if x > 0.0 { x } else { -x }); // panics; write x.abs()
    /// ```
    #[error("{caller}: {op}: {source}")]
    Closure {
        /// The operation.
        op: &'static str,
        /// What is wrong in the closure.
        source: Box<FunctionError>,
        /// Where the operation stands.
        caller: Caller,
    },
    /// A gradient without a seed was asked of something that is not one number.
    #[error("{caller}: gradient of a tensor of shape {shape}: not one number; sum it, or give a seed with vjp")]
    NotScalar {
        /// The shape of the output.
        shape: Shape,
        /// Where the gradient was asked for.
        caller: Caller,
    },
    /// A seed has another shape than its output.
    #[error("{caller}: vjp: seed of shape {seed} for an output of shape {output}; they must be equal")]
    SeedShape {
        /// The shape of the seed.
        seed: Shape,
        /// The shape of the output.
        output: Shape,
        /// Where the sweep was asked for.
        caller: Caller,
    },
    /// A gradient that should be recorded passes through scalars.
    #[error(
        "{caller}: {op}: scalars lie between the output and the inputs; keep the program in tensors, or take the derivative over duals"
    )]
    ScalarsBetween {
        /// What was asked for.
        op: &'static str,
        /// Where the derivative was asked for.
        caller: Caller,
    },
    /// Two sets of gradients, or two recordings, do not correspond.
    #[error("{op}: {left} inputs on one side, {right} on the other; both must come from the same program")]
    Unlike {
        /// The operation.
        op: &'static str,
        /// Inputs of the left operand.
        left: usize,
        /// Inputs of the right operand.
        right: usize,
    },
    /// Two lists of numbers that belong together have different lengths.
    #[error("{caller}: {op}: {left} numbers on the left, {right} on the right; they must be as many")]
    Lengths {
        /// The operation.
        op: &'static str,
        /// Length of the left operand.
        left: usize,
        /// Length of the right operand.
        right: usize,
        /// Where the operation stands.
        caller: Caller,
    },
    /// A variance of no more numbers than its correction.
    #[error("{caller}: {op}: of {given} numbers with correction {correction}; it needs more numbers than that")]
    TooFew {
        /// The operation.
        op: &'static str,
        /// Numbers given.
        given: usize,
        /// What is subtracted from their count.
        correction: f64,
        /// Where the operation stands.
        caller: Caller,
    },
    /// A matrix given row by row has not `size * size` entries.
    #[error(
        "{caller}: {op}: {entries} entries of a matrix for {size} unknowns; give {size} x {size} entries, row by row"
    )]
    NotSquare {
        /// The operation.
        op: &'static str,
        /// Entries given.
        entries: usize,
        /// Unknowns.
        size: usize,
        /// Where the operation stands.
        caller: Caller,
    },
    /// A function of the user's gives more or fewer equations than there are unknowns.
    #[error("{caller}: {op}: {equations} equations for {unknowns} unknowns; there must be as many")]
    Unknowns {
        /// The operation.
        op: &'static str,
        /// Residuals returned.
        equations: usize,
        /// Unknowns in the start.
        unknowns: usize,
        /// Where the operation stands.
        caller: Caller,
    },
    /// A matrix has no inverse, up to rounding.
    #[error(
        "{caller}: {op}: the {size} x {size} matrix is singular: pivot {pivot} is {value:e} of its row and column; {}",
        why_singular(op, *value)
    )]
    Singular {
        /// The operation.
        op: &'static str,
        /// Rows of the matrix.
        size: usize,
        /// The unknown that could not be eliminated, counted from 0.
        pivot: usize,
        /// The pivot, relative to the largest entries of its row and column.
        value: f64,
        /// Where the operation stands.
        caller: Caller,
    },
    /// No root of the equations was found.
    #[error(
        "{caller}: {op}: not converged after {iterations} iterations, the largest residual is {residual:e}; {}",
        why_no_root(op, *residual)
    )]
    NotConverged {
        /// The operation.
        op: &'static str,
        /// The largest residual where it stopped.
        residual: f64,
        /// Steps taken.
        iterations: usize,
        /// Where the operation stands.
        caller: Caller,
    },
    /// An operation that needs a number was given none.
    #[error("{caller}: {op}: of nothing; give it at least one number")]
    Empty {
        /// The operation.
        op: &'static str,
        /// Where the operation stands.
        caller: Caller,
    },
}

/// What to look for where elimination ends at a pivot of this relative size.
fn why_singular(op: &str, pivot: f64) -> &'static str {
    match op {
        _ if !pivot.is_finite() => "look for NaN and infinity among its entries",
        "root" => {
            "the matrix is that of the residuals' derivatives on the way: start elsewhere, or is an equation repeated, or an unknown in none of them?"
        }
        _ => "is an equation repeated, or an unknown in none of them?",
    }
}

/// What to do where a search for a root ends with this residual.
fn why_no_root(op: &str, residual: f64) -> &'static str {
    match op {
        _ if !residual.is_finite() => "look for NaN and infinity in the parameters, at the start and in the residuals",
        "root_at" => "it is no root, or not to enough digits: root can finish it",
        _ => "start closer to a root, or scale the equations",
    }
}

impl Error {
    /// The same error at another line than the one it names, if it names one: of an op inside a layer that of the
    /// layer's call.
    #[doc(hidden)]
    #[must_use]
    pub fn relocated(mut self, change: impl FnOnce(Caller) -> Caller) -> Self {
        match &mut self {
            Error::MixedTapes { caller, .. }
            | Error::Cleared { caller, .. }
            | Error::Dropped { caller, .. }
            | Error::WrongThread { caller, .. }
            | Error::Shape { caller, .. }
            | Error::Derivative { caller, .. }
            | Error::Closure { caller, .. }
            | Error::NotScalar { caller, .. }
            | Error::SeedShape { caller, .. }
            | Error::ScalarsBetween { caller, .. }
            | Error::Lengths { caller, .. }
            | Error::TooFew { caller, .. }
            | Error::NotSquare { caller, .. }
            | Error::Unknowns { caller, .. }
            | Error::Singular { caller, .. }
            | Error::NotConverged { caller, .. }
            | Error::Empty { caller, .. } => *caller = change(caller),
            Error::Full { .. } | Error::Unlike { .. } => {}
        }
        self
    }

    /// The derivative of `op`, or of a function that has no name, refused memory.
    #[cold]
    pub(crate) fn derivative(mode: &'static str, op: Option<&'static str>, source: ShapeError, caller: Caller) -> Self {
        let source = match op {
            Some(op) => source.called(op),
            None => source,
        };
        Error::Derivative { mode, source: Box::new(source), caller }
    }

    /// The same of operation `called`, which is made of the one that failed.
    pub(crate) fn called(self, called: &'static str) -> Self {
        self.said(called, |source| source.called(called))
    }

    /// The same of operation `called` on sequences, which were made images one entry high.
    pub(crate) fn of_sequences(self, called: &'static str) -> Self {
        self.said(called, |source| source.of_sequences(called))
    }

    fn said(mut self, called: &'static str, change: impl FnOnce(ShapeError) -> ShapeError) -> Self {
        match &mut self {
            Error::Shape { source, .. } => **source = change((**source).clone()),
            Error::MixedTapes { op, .. } => *op = called,
            _ => {}
        }
        self
    }

    /// Panics with this error's text at the caller's line.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn raise(&self) -> ! {
        if let Error::Shape { source, .. } | Error::Derivative { source, .. } = self {
            refuse(source);
        }
        panic!("{self}")
    }
}

/// The value, or a panic with the error's text at the line of the caller: in a closure given to `unwrap_or_else` it
/// would be the closure's own.
pub(crate) trait OrPanic<V> {
    fn or_panic(self) -> V;
}

impl<V> OrPanic<V> for Result<V, Error> {
    #[inline]
    #[track_caller]
    fn or_panic(self) -> V {
        match self {
            Ok(value) => value,
            Err(error) => error.raise(),
        }
    }
}

impl<V> OrPanic<V> for Result<V, &'static str> {
    #[inline]
    #[track_caller]
    fn or_panic(self) -> V {
        match self {
            Ok(value) => value,
            Err(reason) => panic!("{reason}"),
        }
    }
}
