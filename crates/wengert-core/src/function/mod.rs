//! Recorded functions: a program is recorded once and replayed at other points.
//!
//! A tape keeps partials, which hold at one point. A [`Function`] keeps the operations themselves: recorded once with
//! [`Function::record`] and optimised once, it gives values, gradients, Jacobians, Hessians and directional derivatives
//! at any point, at one or at thousands together, without running the closure again and without the closure being
//! generic.
//!
//! What is fixed by recording: every branch the program took. Comparisons between numbers are kept as *guards*, and a
//! replay that would take another branch returns [`FunctionError::Guard`]. What the closure reads as a plain number
//! (`x.value()`) is frozen unseen.
//!
//! In this folder, from left to right: `recorder` is what the closure computes with, `draft` where it writes, and `list`
//! what is written; `optimise` makes the list shorter; `schedule` puts it in order and `program` lays it out for replay;
//! `replay` and `reverse` run over it at one point, in `columns` where steps are alike and in `spans` where they are
//! many, `lanes` at many points in the rows of `layout`; `derivatives` is what users call; `sparsity` and `colouring`
//! find which derivatives are zero and need not be computed; `symbolic` makes lists of derivatives, and `entries`
//! programs of them; `expression` runs a program over the elements of tensors; `print` and `save` turn a list into text,
//! `save` also back.

mod colouring;
mod columns;
mod csr;
mod derivatives;
mod draft;
mod entries;
mod error;
mod expression;
mod lanes;
mod layout;
mod list;
mod optimise;
mod pass;
mod points;
mod print;
mod program;
mod recorder;
mod replay;
mod reverse;
mod save;
mod schedule;
mod spans;
mod sparse;
mod sparsity;
mod symbolic;

pub use csr::Csr;
pub use entries::SparseProgram;
pub use error::{FunctionError, Place};
pub(crate) use expression::Expression;
pub use list::Answer;
pub use recorder::{OnRecorder, Recorder, Symbol};

use crate::dual::Dual;
use crate::number::Primal;
use crate::taylor::Taylor;
use crate::tensor::TensorFloat;
use columns::in_chunks;
use core::fmt::{self, Debug};
use draft::Draft;
use list::List;
use program::{Program, Replay};
use std::sync::{Arc, Mutex, OnceLock};

/// A recorded function of some inputs (and data), replayed at any point.
///
/// Shared between threads by reference. Memory for values and adjoints is kept between calls: a steady state allocates
/// what it returns, and nothing with the `_into` forms.
///
/// # What a recording fixes
/// Every branch the closure took. Comparisons between numbers (`x[0] < 1.0`) are kept, and a replay in which one would
/// turn out otherwise returns [`FunctionError::Guard`]. What the closure reads as a plain float (`x[0].value()`), a
/// branch on it included, is frozen unseen.
///
/// # Accuracy
/// Arithmetic is bit for bit what the closure computes at that point, whatever the optimiser did, and so is an
/// elementary function. Twelve and more equal ones that do not need each other's results, as a loop over data has them,
/// are computed together: those that are transcendental are within 2 ulp then. A gradient is that of a tape up to the
/// order in which adjoints are added: equal in exact arithmetic, and in floating point within a few roundings of the
/// largest addend. At many points at once transcendental functions are within 2 ulp of these.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// # fn main() -> Result<(), wengert_core::FunctionError> {
/// let f = Function::record(&[1.5, -0.5], |x| (x[0] - 1.0).powi(2) + (x[1] - x[0] * x[0]).powi(2) * 100.0)?;
/// assert_eq!(f.value(&[1.0, 1.0])?, 0.0);
/// assert_eq!(f.gradient(&[1.5, -0.5])?, [1651.0, -550.0]);
/// assert_eq!(f.hessian(&[1.0, 1.0])?.to_vec(), [802.0, -400.0, -400.0, 200.0]);
/// # Ok(()) }
/// ```
pub struct Function<F: TensorFloat = f64> {
    programs: Arc<Programs<F>>,
    list: Arc<List<F>>,
    recorded: usize,
    data: Vec<F>,
    plans: Arc<sparse::Plans>,
    spare: Mutex<Vec<Workspace<F>>>,
}

/// A list laid out for replay at one point, and for rows and for numbers with tangents, each when it is first asked for:
/// laying out is a third of the time that recording takes, and few programs replay in both ways.
struct Programs<F> {
    at_point: OnceLock<Program<F>>,
    in_rows: OnceLock<Program<F>>,
}

/// Values and adjoints of all slots.
#[derive(Default)]
struct Sheet<R> {
    values: Vec<R>,
    adjoints: Vec<R>,
}

/// Memory for replays.
struct Workspace<F: TensorFloat> {
    plain: Sheet<F>,
    dual: Sheet<Dual<F, 1>>,
    few: Sheet<Dual<F, FEW>>,
    duals: Sheet<Dual<F, DIRECTIONS>>,
    series: Sheet<Taylor<F, 5>>,
    rows: lanes::Rows<F>,
}

/// Directions a forward sweep takes at a time where there are several: two 128-bit vectors of `f64`, one of `f32`.
const DIRECTIONS: usize = 4;

/// Where there are as few in all, as a tridiagonal Hessian needs: with its value such a number is two vectors of `f64`,
/// too.
const FEW: usize = 3;

impl<F: TensorFloat> Default for Workspace<F> {
    fn default() -> Self {
        Workspace {
            plain: Sheet::empty(),
            dual: Sheet::empty(),
            few: Sheet::empty(),
            duals: Sheet::empty(),
            series: Sheet::empty(),
            rows: lanes::Rows::empty(),
        }
    }
}

impl<R> Sheet<R> {
    fn empty() -> Self {
        Sheet { values: Vec::new(), adjoints: Vec::new() }
    }
}

impl<F: TensorFloat> Function<F> {
    /// Records a function of one output, at the point `x` (which decides the branches it takes).
    ///
    /// # Errors
    /// [`FunctionError::NoInputs`] if `x` is empty, [`FunctionError::NanCompared`] if the closure compared a NaN,
    /// [`FunctionError::TwoRecordings`] if it used numbers of another recording, [`FunctionError::Full`] past 2^31
    /// operations.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 2.0], |x| (x[0] * x[1]).sin() + x[0])?;
    /// assert_eq!(f.value(&[0.0, 5.0])?, 0.0);
    /// assert_eq!(f.gradient(&[0.0, 5.0])?, [6.0, 0.0]);
    /// # Ok(()) }
    /// ```
    pub fn record(x: &[F], f: impl for<'r> FnOnce(&[Symbol<'r, F>]) -> Symbol<'r, F>) -> Result<Self, FunctionError> {
        Self::record_on(x, &[], |x, _, end| end(&[f(x)]))
    }

    /// Records a function of several outputs.
    ///
    /// # Errors
    /// As [`record`](Self::record); [`FunctionError::NoOutputs`] if the closure returns none.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let polar = Function::record_many(&[1.0, 1.0], |x| vec![x[0] * x[1].cos(), x[0] * x[1].sin()])?;
    /// assert_eq!(polar.jacobian(&[2.0, 0.0])?.to_vec(), [1.0, 0.0, 0.0, 2.0]);
    /// # Ok(()) }
    /// ```
    pub fn record_many(
        x: &[F],
        f: impl for<'r> FnOnce(&[Symbol<'r, F>]) -> Vec<Symbol<'r, F>>,
    ) -> Result<Self, FunctionError> {
        Self::record_on(x, &[], |x, _, end| end(&f(x)))
    }

    /// Records a function of one output that also reads data: numbers that no derivative is taken by, and that
    /// [`set_data`](Self::set_data) exchanges without recording again.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let mut f = Function::record_with_data(&[1.0], &[2.0, 3.0], |x, d| (x[0] * d[0] - d[1]).square())?;
    /// assert_eq!(f.gradient(&[1.0])?, [-4.0]);
    /// f.set_data(&[1.0, 0.0])?;
    /// assert_eq!(f.gradient(&[1.0])?, [2.0]);
    /// # Ok(()) }
    /// ```
    pub fn record_with_data(
        x: &[F],
        data: &[F],
        f: impl for<'r> FnOnce(&[Symbol<'r, F>], &[Symbol<'r, F>]) -> Symbol<'r, F>,
    ) -> Result<Self, FunctionError> {
        Self::record_on(x, data, |x, data, end| end(&[f(x, data)]))
    }

    /// Records a function of several outputs that also reads data.
    ///
    /// # Errors
    /// As [`record_many`](Self::record_many).
    pub fn record_many_with_data(
        x: &[F],
        data: &[F],
        f: impl for<'r> FnOnce(&[Symbol<'r, F>], &[Symbol<'r, F>]) -> Vec<Symbol<'r, F>>,
    ) -> Result<Self, FunctionError> {
        Self::record_on(x, data, |x, data, end| end(&f(x, data)))
    }

    fn record_on(
        x: &[F],
        data: &[F],
        f: impl for<'r> FnOnce(
            &[Symbol<'r, F>],
            &[Symbol<'r, F>],
            &dyn Fn(&[Symbol<'r, F>]) -> Result<Draft<F>, FunctionError>,
        ) -> Result<Draft<F>, FunctionError>,
    ) -> Result<Self, FunctionError> {
        if x.is_empty() {
            return Err(FunctionError::NoInputs);
        }
        let recorder = Recorder::new(x.len(), data.len());
        let symbols: Vec<Symbol<'_, F>> =
            x.iter().chain(data).enumerate().map(|(number, &value)| recorder.symbol(value, number)).collect();
        let (inputs, constants) = symbols.split_at(x.len());
        let draft = f(inputs, constants, &|outputs| recorder.finish(outputs))?;
        let recorded = draft.recorded;
        Ok(Self::of_list(optimise::optimise(draft), recorded, data.to_vec()))
    }

    fn of_list(list: List<F>, recorded: usize, data: Vec<F>) -> Self {
        let programs = Programs { at_point: OnceLock::new(), in_rows: OnceLock::new() };
        let (plans, spare) = Default::default();
        Function { programs: Arc::new(programs), list: Arc::new(list), recorded, data, plans, spare }
    }

    /// How many inputs it has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.list.inputs
    }

    /// How many outputs it has.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.list.outputs.len()
    }

    /// The data it is bound to.
    #[must_use]
    pub fn data(&self) -> &[F] {
        &self.data
    }

    /// How many operations were recorded, and how many are left after optimising.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0], |x| x[0].sin() * x[0].sin() + x[0].exp() * 0.0)?;
    /// assert_eq!(f.steps(), (6, 4)); // sin, square, exp, and a product with its sum
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn steps(&self) -> (usize, usize) {
        (self.recorded, self.list.steps.len())
    }

    /// Binds other data.
    ///
    /// # Errors
    /// [`FunctionError::Length`] if it is not as long as that it was recorded with.
    pub fn set_data(&mut self, data: &[F]) -> Result<(), FunctionError> {
        self.expect_length("set_data", "data", data.len(), self.data.len())?;
        self.data.copy_from_slice(data);
        Ok(())
    }

    /// The same function with other data; the recording is shared.
    ///
    /// # Errors
    /// As [`set_data`](Self::set_data).
    pub fn with_data(&self, data: &[F]) -> Result<Self, FunctionError> {
        let mut other = self.clone();
        other.set_data(data)?;
        Ok(other)
    }

    fn expect_length(
        &self,
        op: &'static str,
        what: &'static str,
        got: usize,
        expected: usize,
    ) -> Result<(), FunctionError> {
        if got == expected { Ok(()) } else { Err(FunctionError::Length { op, what, got, expected }) }
    }

    fn expect_scalar(&self, op: &'static str) -> Result<(), FunctionError> {
        if self.outputs() == 1 { Ok(()) } else { Err(FunctionError::NotScalar { op, outputs: self.outputs() }) }
    }

    /// The program for replays at one point in numbers of this kind. What is laid out for chunks of steps takes a
    /// quarter longer where they are done one by one.
    fn program_for<R: Primal<Base = F>>(&self) -> &Program<F> {
        if const { in_chunks::<R>() } { self.program() } else { self.program_of_rows() }
    }

    /// The program for replays at one point.
    fn program(&self) -> &Program<F> {
        self.programs.at_point.get_or_init(|| Program::new(&self.list, Replay::AtPoint))
    }

    /// The program for replays in rows, and in numbers with more than one tangent.
    fn program_of_rows(&self) -> &Program<F> {
        self.programs.in_rows.get_or_init(|| Program::new(&self.list, Replay::InRows))
    }

    /// Lends a workspace to `work`; one per thread that calls at the same time.
    fn with_workspace<T>(&self, work: impl FnOnce(&mut Workspace<F>) -> T) -> T {
        let spare = self.spare.lock().ok().and_then(|mut spare| spare.pop());
        let mut workspace = spare.unwrap_or_default();
        let result = work(&mut workspace);
        if let Ok(mut spare) = self.spare.lock() {
            spare.push(workspace);
        }
        result
    }
}

impl<F: TensorFloat> Clone for Function<F> {
    fn clone(&self) -> Self {
        Function {
            programs: Arc::clone(&self.programs),
            list: Arc::clone(&self.list),
            recorded: self.recorded,
            data: self.data.clone(),
            plans: Arc::clone(&self.plans),
            spare: Mutex::default(),
        }
    }
}

impl<F: TensorFloat> Debug for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (recorded, steps) = self.steps();
        write!(f, "Function of {} inputs and {} data to {} outputs", self.inputs(), self.data.len(), self.outputs())?;
        write!(f, " ({recorded} operations recorded, {steps} after optimising)")
    }
}
