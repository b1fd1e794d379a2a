//! What can go wrong with a recorded function.

use super::list::Answer;
use crate::tape::Comparison;
use std::borrow::Cow;
use wengert_tensor::{Shape, ShapeError};

/// A line of the user's program, kept in a recording.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file, as the compiler was given it.
    pub file: Cow<'static, str>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    #[track_caller]
    pub(crate) fn caller() -> Self {
        core::panic::Location::caller().into()
    }
}

impl From<&core::panic::Location<'static>> for Place {
    fn from(here: &core::panic::Location<'static>) -> Self {
        Place { file: Cow::Borrowed(here.file()), line: here.line(), column: here.column() }
    }
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Errors of recording a function and of replaying it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// A function of nothing has no derivative.
    ///
    /// ```
    /// # use wengert_core::{FunctionError, prelude::*};
    /// let error = Function::record(&[], |_| 1.0.into()).unwrap_err();
    /// assert_eq!(error, FunctionError::NoInputs); // record with the number of inputs it will be replayed with
    /// ```
    #[error("record: a point of no numbers; a function needs at least one input")]
    NoInputs,
    /// The closure returned no output.
    #[error("record: the closure returned no outputs; return at least one")]
    NoOutputs,
    /// A point, direction or seed has the wrong length.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 2.0], |x| x[0] * x[1])?;
    /// assert!(f.value(&[1.0]).is_err()); // two inputs were recorded: give two
    /// assert_eq!(f.value(&[3.0, 4.0])?, 12.0);
    /// # Ok(()) }
    /// ```
    #[error("{op}: {what} of {got} numbers for a function of {expected}")]
    Length {
        /// The call.
        op: &'static str,
        /// What has the wrong length: `"point"`, `"direction"`, `"seed"`, `"data"`.
        what: &'static str,
        /// The length it has.
        got: usize,
        /// The length it must have.
        expected: usize,
    },
    /// A derivative that only a function of one output has was asked of one with several, or with one inside a list.
    #[error("{op}: of a function of {outputs} outputs; it takes one output: record one, or weigh them with vjp")]
    NotScalar {
        /// The call.
        op: &'static str,
        /// The outputs the function has.
        outputs: usize,
    },
    /// A comparison taken while recording comes out otherwise: the program would take another branch.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[2.0], |x| if x[0] > 1.0 { x[0] * x[0] } else { x[0] })?;
    /// assert!(f.value(&[0.5]).is_err()); // recorded with x > 1: record again at the new point,
    /// let f = Function::record(&[2.0], |x| x[0].maximum(x[0] * x[0]))?; // or use a function that selects
    /// assert_eq!(f.value(&[0.5])?, 0.5);
    /// # Ok(()) }
    /// ```
    #[error(
        "{place}: the recorded branch does not hold{}: {a} {question} {b} was {recorded}, now {now}; record again at this point, or use maximum, minimum, abs, step",
        At(.point)
    )]
    Guard {
        /// Where the comparison stands.
        place: Place,
        /// Which of many points, counted from 0; `None` if there was one.
        point: Option<usize>,
        /// The left number now.
        a: f64,
        /// The right number now.
        b: f64,
        /// What was asked.
        question: Comparison,
        /// The answer while recording.
        recorded: Answer,
        /// The answer now.
        now: Answer,
    },
    /// A comparison met NaN, of which no order can be told.
    #[error("{place}: comparison {question} with NaN{}: {a} and {b}; find what made it NaN before it is compared", At(.point))]
    NanCompared {
        /// Where the comparison stands.
        place: Place,
        /// Which of many points, counted from 0; `None` if there was one.
        point: Option<usize>,
        /// The left number.
        a: f64,
        /// The right number.
        b: f64,
        /// What was asked.
        question: Comparison,
    },
    /// Numbers of two recordings met.
    #[error("{place}: operands belong to two recordings; pass numbers of one to the other as its inputs or data")]
    TwoRecordings {
        /// Where the operation stands.
        place: Place,
    },
    /// Something was recorded that is known by its partials at one point alone: a rule of one's own, or the solution of
    /// equations, found by a solver that is no part of the recording. Record the operations that make it up. Of
    /// [`root`](crate::root) those are the residuals: solve with their Jacobian, and differentiate what hangs on the
    /// solution on a tape.
    ///
    /// ```
    /// # use wengert_core::{FunctionError, prelude::*};
    /// # fn main() -> Result<(), FunctionError> {
    /// // y + sin(y) / 2 = p, solved by Newton's method on recorded residuals; the inputs are y and p.
    /// let residual = Function::record(&[1.0, 1.0], |x| x[0] + x[0].sin() * 0.5 - x[1])?;
    /// let (mut y, p) = (1.0, 1.2);
    /// for _ in 0..6 {
    ///     let (r, slope) = residual.value_and_gradient(&[y, p])?;
    ///     y -= r / slope[0];
    /// }
    /// let slope = residual.gradient(&[y, p])?;
    /// let dy_dp = -slope[1] / slope[0];
    /// assert!((dy_dp - 1.0 / (1.0 + 0.5 * y.cos())).abs() < 1e-15);
    /// # Ok(()) }
    /// ```
    #[error("{place}: {op} is known here by its derivative at one point, and cannot be replayed at others; {instead}")]
    NotReplayable {
        /// Where it stands.
        place: Place,
        /// What it is: `"root"`, `"solve"`, `"a rule of one's own"`.
        op: &'static str,
        /// What to write instead.
        instead: &'static str,
    },
    /// The closure of a fused expression compared numbers. One program serves all elements of the tensors: a branch
    /// would be frozen for all of them, as it came out for none.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([-1.0, 2.0]);
    /// assert!(x.try_map(|x| if x > 0.0 { x } else { x * 0.0 }).is_err());
    /// assert_eq!(x.map(|x| x.relu()).value().to_vec(), [0.0, 2.0]);
    /// ```
    #[error(
        "{place}: comparison {question} in an expression for many elements, which cannot branch for each; use relu, maximum, minimum, clamp, abs or step, or select between tensors"
    )]
    Branch {
        /// Where the comparison stands.
        place: Place,
        /// What was asked.
        question: Comparison,
    },
    /// The value of a tensor was read while a program was recorded: whatever came of it would be frozen as it was.
    ///
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// let x = [Tensor::from([1.0, -2.0])];
    /// assert!(TensorFunction::record(&x, |x| x[0] * x[0].value().max()).is_err());
    /// assert!(TensorFunction::record(&x, |x| x[0] * x[0].max()).is_ok()); // an op is replayed
    /// ```
    #[error(
        "{place}: the value of a tensor is read while a program is recorded, and would be frozen in it; use ops instead, hand it in as data, ask with x.holds(..) or look at it with x.watch(..)"
    )]
    Read {
        /// Where it is read.
        place: Place,
    },
    /// An op handed out plain numbers beside its result while a program was recorded: a replay renews the result, but
    /// could not know what was done with those.
    ///
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// let x = [Tensor::from([1.0, 3.0, 2.0])];
    /// assert!(TensorFunction::record(&x, |x| x[0].topk(2, 0).0.sum()).is_err()); // and where the elements are
    /// assert!(TensorFunction::record(&x, |x| x[0].topk_values(2, 0).sum()).is_ok());
    /// ```
    #[error(
        "{place}: {op} hands out plain numbers beside its result, which would be frozen in a recorded program; use {instead}"
    )]
    HandedOut {
        /// Where it stands.
        place: Place,
        /// The op.
        op: &'static str,
        /// The op with the same result that hands out nothing, or hands it out in every replay.
        instead: &'static str,
    },
    /// A question put by [`holds`](crate::TensorVar::holds) while recording is answered otherwise now.
    #[error("{place}: the recorded branch does not hold: the answer was {recorded}, now it is {}; record again at this point", !.recorded)]
    Holds {
        /// Where the question stands.
        place: Place,
        /// The answer while recording.
        recorded: bool,
    },
    /// Data or labels were handed to a recording that no op reads as they are: what was computed from them would be
    /// frozen.
    ///
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// let (x, labels) = ([Tensor::from([[1.0, 2.0]])], [Tensor::from([1_i64])]);
    /// assert!(TensorFunction::record_model(&x, &labels, |_, x, l| x[0] * l[0].at([0]) as f64).is_err());
    /// assert!(TensorFunction::record_model(&x, &labels, |_, x, l| x[0].cross_entropy(&l[0])).is_ok());
    /// ```
    #[error(
        "record: no op reads {what} {index} as they are, and what is computed from them beside the tape would be frozen; hand them to ops: labels to cross_entropy, gather or gather_rows"
    )]
    Unread {
        /// `"data"` or `"labels"`.
        what: &'static str,
        /// Which ones, counted from 0.
        index: usize,
    },
    /// Labels were handed to an op that works with them beside the tape: what it makes of them would be frozen.
    ///
    /// ```
    /// # use wengert_core::{Parameter, TensorFunction, prelude::*};
    /// # use wengert_tensor::{Reduction, Tensor};
    /// let (w, labels) = (Parameter::new([1.0, 2.0]), [Tensor::from([1_i64, 1])]);
    /// let most = TensorFunction::record_model(&[], &labels, |tape, _, l| {
    ///     tape.parameter(&w).scatter_reduce(0, &l[0], tape.parameter(&w), Reduction::Max, true).sum()
    /// });
    /// assert!(most.is_err());
    /// let all = TensorFunction::record_model(&[], &labels, |tape, _, l| {
    ///     tape.parameter(&w).scatter_add(0, &l[0], tape.parameter(&w)).sum()
    /// });
    /// assert!(all.is_ok());
    /// ```
    #[error(
        "{place}: {op} works with labels {index} beside the tape, and what it makes of them would be frozen in a recorded program; cross_entropy, gather, gather_rows, scatter and scatter_add read them in every replay"
    )]
    Beside {
        /// Where it stands.
        place: Place,
        /// The op.
        op: &'static str,
        /// Which labels, counted from 0.
        index: usize,
    },
    /// Another number of tensors was given than recorded.
    #[error("{op}: {what}: {got} tensors for a program of {expected}")]
    Tensors {
        /// The call.
        op: &'static str,
        /// `"input"`, `"data"` or `"parameter"`.
        what: &'static str,
        /// How many were given.
        got: usize,
        /// How many were recorded.
        expected: usize,
    },
    /// A tensor has another shape than while recording.
    #[error("{op}: {what} {index} has shape {got}, recorded with {expected}; record a program for each shape")]
    Shape {
        /// The call.
        op: &'static str,
        /// `"input"`, `"data"` or `"parameter"`.
        what: &'static str,
        /// Which one, counted from 0.
        index: usize,
        /// The shape it has. Boxed, as the other: errors are rare.
        got: Box<Shape>,
        /// The shape it must have.
        expected: Box<Shape>,
    },
    /// A gradient was asked of an output that is not one number.
    #[error("{op}: of an output of shape {shape}; a gradient is that of one number: reduce it with sum or mean")]
    NotOneNumber {
        /// The call.
        op: &'static str,
        /// The shape of the output.
        shape: Shape,
    },
    /// A tensor operation failed in a replay.
    #[error("{place}: {source}")]
    Tensor {
        /// Where the operation was recorded.
        place: Place,
        /// What is wrong. Boxed: errors are rare.
        source: Box<ShapeError>,
    },
    /// No memory for the derivative of a tensor operation in a replay, or when it was planned.
    #[error("{place}: gradient of {source}")]
    Derivative {
        /// Where the operation was recorded.
        place: Place,
        /// What was refused, to the operation whose derivative needs it.
        source: Box<ShapeError>,
    },
    /// More operations than a recording can number.
    #[error("record: more than {limit} operations; record a part of the program and call it repeatedly")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// A derivative of an order that is not offered.
    #[error("{op}: order {order} is not offered; orders go up to {limit}")]
    Order {
        /// The call.
        op: &'static str,
        /// The order asked for.
        order: usize,
        /// The highest.
        limit: usize,
    },
    /// The bytes are not a saved function of this version, or are damaged.
    #[error("load function: line {line}: {reason}")]
    Format {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        reason: Cow<'static, str>,
    },
}

/// ` at point 7`, or nothing.
struct At<'a>(&'a Option<usize>);

impl core::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.map_or(Ok(()), |point| write!(f, " at point {point}"))
    }
}
