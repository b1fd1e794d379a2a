//! Expressions of the user's, element by element, in one pass over memory: `map`, `zip_map`, `zip_map_sum`,
//! `zip_map_mean`.
//!
//! Shapes: the operands broadcast against each other (axes aligned at the end; a dimension of 1 repeats); `y` has the
//! broadcast shape, or `[]` where it is the sum. Cotangents: `y_bar dy/dx_k` at every element, summed over what was
//! repeated. Emitted they are expressions again, recorded from the derivative of the program.
//!
//! The cotangent of a sum is one number for all elements, so its derivatives are computed with its values, while those
//! are in the registers, and kept: the sweep multiplies them by that number, which mostly is 1.

use super::pushforward::total;
use super::{Array, Cotangents, Op, fitting, sum_to, zip};
use crate::error::{Error, OrPanic};
use crate::function::{Expression, Symbol};
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernels::Binary;
use wengert_tensor::{Shape, ShapeError, Tensor};

/// An expression at every element.
#[derive(Clone)]
pub(crate) struct ZipMap<F: TensorFloat>(Arc<Expression<F>>);

/// The sum of an expression over all elements, or their mean.
#[derive(Clone)]
pub(crate) struct ZipMapSum<F: TensorFloat> {
    expression: Arc<Expression<F>>,
    mean: bool,
    /// By each operand that a gradient flows to. Out of line: every node has room for the largest rule.
    derivatives: Vec<Option<Tensor<F>>>,
}

impl<F: TensorFloat> ZipMapSum<F> {
    fn of(expression: Arc<Expression<F>>, mean: bool) -> Self {
        ZipMapSum { expression, mean, derivatives: Vec::new() }
    }

    /// What every element counts in the result.
    fn weight(&self, len: usize) -> F {
        if self.mean { F::ONE / F::from_f64(len as f64) } else { F::ONE }
    }

    /// The shape of the values, of which a mean needs one.
    fn shape(&self, x: &[&Tensor<F>]) -> Result<Shape, ShapeError> {
        let shape = broadcast(self.label(), x)?;
        if self.mean && shape.size() == 0 {
            return Err(ShapeError::Empty { op: self.label(), shape });
        }
        Ok(shape)
    }
}

/// The shape that all operands are repeated to.
fn broadcast<F: TensorFloat>(op: &'static str, x: &[&Tensor<F>]) -> Result<Shape, ShapeError> {
    let mut shape = x[0].shape().clone();
    for x in &x[1..] {
        if *x.shape() != shape {
            shape = Shape::broadcast(op, &shape, x.shape())?;
        }
    }
    Ok(shape)
}

/// The cotangents of the operands that are `wanted`, from those at every element.
fn fold<F: TensorFloat>(
    x: &[&Tensor<F>],
    wanted: &[bool],
    x_bars: impl IntoIterator<Item = Tensor<F>>,
) -> Result<Cotangents<Tensor<F>>, ShapeError> {
    let mut x_bars = x_bars.into_iter();
    let fold = |(x, wanted): (&&Tensor<F>, &bool)| match if *wanted { x_bars.next() } else { None } {
        Some(x_bar) if x_bar.shape() != x.shape() => x_bar.try_sum_to(x.shape()).map(Some),
        x_bar => Ok(x_bar),
    };
    x.iter().zip(wanted).map(fold).collect()
}

/// The pullback of both in emitting form: an expression for each operand.
fn emit<F: TensorFloat, A: Array<F>>(
    expression: &Expression<F>,
    x: &[&A],
    y_bar: &A,
    wanted: &[bool],
) -> Cotangents<A> {
    let operands: SmallVec<[&A; 4]> = x.iter().copied().chain([y_bar]).collect();
    let x_bar = |k: usize| sum_to(&ZipMap(Arc::new(expression.pullback(k))).on(&operands), &x[k].shape());
    wanted.iter().enumerate().map(|(k, &wanted)| wanted.then(|| x_bar(k))).collect()
}

/// The pushforward of both: the same op of the derivative in each operand that moves, times its tangent, which takes
/// the place of the result's cotangent.
fn push<F: TensorFloat, A: Array<F>, O: Op<F>>(
    expression: &Expression<F>,
    x: &[&A],
    x_dot: &[Option<&A>],
    shape: &Shape,
    op: impl Fn(Arc<Expression<F>>) -> O,
) -> Option<A> {
    let term = |(k, x_dot): (usize, &Option<&A>)| {
        let operands: SmallVec<[&A; 4]> = x.iter().copied().chain(*x_dot).collect();
        x_dot.map(|_| op(Arc::new(expression.pullback(k))).on(&operands))
    };
    total(x_dot.iter().enumerate().map(term), shape)
}

impl<F: TensorFloat> Op<F> for ZipMap<F> {
    const NAME: &'static str = "zip_map";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        self.0.eval(Self::NAME, x, &broadcast(Self::NAME, x)?)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        emit(&self.0, x, &y_bar, wanted)
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        push(&self.0, x, x_dot, &y.shape(), ZipMap)
    }

    fn pull(&self, x: &[&Tensor<F>], _y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        let shape = fitting(broadcast(Self::NAME, x));
        let x_bars = fitting(self.0.pull(Self::NAME, x, &y_bar, &shape, wanted));
        fitting(fold(x, wanted, x_bars))
    }
}

impl<F: TensorFloat> Op<F> for ZipMapSum<F> {
    const NAME: &'static str = "zip_map_sum";

    fn label(&self) -> &'static str {
        if self.mean { "zip_map_mean" } else { Self::NAME }
    }

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        self.expression.total(self.label(), x, &self.shape(x)?, self.mean)
    }

    fn forward_recorded(&mut self, x: &[&Tensor<F>], wanted: &[bool]) -> Result<Tensor<F>, ShapeError> {
        if !wanted.contains(&true) {
            return self.forward(x);
        }
        let shape = self.shape(x)?;
        let weight = self.weight(shape.size());
        let (y, derivatives) = self.expression.total_and_pull(self.label(), x, weight, &shape, wanted, self.mean)?;
        self.derivatives = fold(x, wanted, derivatives)?.into_vec();
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let y_bar = if self.mean {
            let shape =
                x.iter().skip(1).try_fold(x[0].shape(), |shape, x| Shape::broadcast(Self::NAME, &shape, &x.shape()));
            let weight = y_bar.constant(Tensor::scalar(self.weight(fitting(shape).size())));
            zip(Binary::Mul, &y_bar, &weight)
        } else {
            y_bar
        };
        emit(&self.expression, x, &y_bar, wanted)
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        push(&self.expression, x, x_dot, &y.shape(), |expression| ZipMapSum::of(expression, self.mean))
    }

    fn pull(&self, x: &[&Tensor<F>], _y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        debug_assert!(self.derivatives.iter().map(Option::is_some).eq(wanted.iter().copied()), "{x:?}");
        let scaled = |derivative: &Tensor<F>| {
            if y_bar.item() == F::ONE {
                return derivative.clone();
            }
            fitting(derivative.try_zip_binary(Binary::MulZero, &y_bar))
        };
        self.derivatives.iter().map(|derivative| derivative.as_ref().map(scaled)).collect()
    }
}

#[track_caller]
fn record<F: TensorFloat, const N: usize>(
    op: &'static str,
    f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
) -> Result<Arc<Expression<F>>, Error> {
    let caller = Location::caller();
    let expression = Expression::record(f).map_err(|source| Error::Closure { op, source: Box::new(source), caller })?;
    Ok(Arc::new(expression))
}

/// An expression of several tensors, element by element, in one pass over memory: `y_i = f(x_1i, x_2i, ..)`.
///
/// Shapes: the operands broadcast against each other, as in arithmetic (axes aligned at the end; a dimension of 1
/// repeats); `y` has the broadcast shape.
///
/// The closure is recorded, in a few microseconds, and its program run over blocks of elements that stay in cache: one
/// pass forward, and one back, which computes the values anew. Only the operands are kept, whatever the length of the
/// expression. It may use every function a [`Symbol`] has, and anything around it as constants; it cannot compare
/// elements, since one program serves all of them (`relu`, `maximum`, `minimum`, `clamp`, `abs` and `step` can), and
/// the `value()` of an element is NaN. Differentiable to any order: the gradient of such an expression is again one.
///
/// # Panics
/// With the text of the error that [`try_zip_map`] returns.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// let tape = Tape::new();
/// let x = tape.tensor([[0.5, -1.0], [2.0, 0.0]]);
/// let (w, b) = (tape.tensor([1.0, 2.0]), tape.tensor(0.25)); // a row, and one number
/// let y = zip_map([x, w, b], |[x, w, b]| (x * w + b).tanh() * x.sigmoid() + (-x * x).exp());
/// let composed = (x * w + b).tanh() * x.sigmoid() + (-x * x).exp();
/// assert!((y - composed).abs().max().item() < 1e-15);
/// assert_eq!(*y.sum().gradient()[w].shape(), w.shape());
/// ```
#[track_caller]
pub fn zip_map<'t, F: TensorFloat, const N: usize>(
    x: [TensorVar<'t, F>; N],
    f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
) -> TensorVar<'t, F> {
    try_zip_map(x, f).or_panic()
}

/// [`zip_map`], returning what is wrong.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not broadcast, [`Error::Closure`] if the closure compares elements or uses a
/// custom rule or symbols of another recording, [`Error::MixedTapes`] if the operands are of two tapes,
/// [`Error::Empty`] if there are none.
#[track_caller]
pub fn try_zip_map<'t, F: TensorFloat, const N: usize>(
    x: [TensorVar<'t, F>; N],
    f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
) -> Result<TensorVar<'t, F>, Error> {
    TensorVar::try_record_many(ZipMap(record("zip_map", f)?), &x)
}

/// The sum over all elements of an expression of several tensors, a tensor of shape `[]`:
/// `y = sum_i f(x_1i, x_2i, ..)`.
///
/// As [`zip_map`] and then `sum`, but the elements are never written to memory, and in the reverse sweep one number
/// takes the place of a tensor of cotangents: the derivatives are computed with the values and kept. The sum runs in
/// `f64` over blocks that depend on the shapes only: bit for bit the same on any number of threads. Of no elements it
/// is 0.
///
/// # Panics
/// With the text of the error that [`try_zip_map_sum`] returns.
///
/// # Examples
/// Rosenbrock's function of a thousand numbers, from two overlapping slices of them:
/// ```
/// use wengert_core::prelude::*;
///
/// let tape = Tape::new();
/// let x = tape.tensor(wengert_tensor::Tensor::full([1000], 1.0));
/// let y = zip_map_sum([x.slice(0, 0..999), x.slice(0, 1..1000)], |[a, b]| {
///     (b - a * a).square() * 100.0 + (a - 1.0).square()
/// });
/// assert_eq!(y.item(), 0.0);
/// assert!(y.gradient()[x].iter().all(|x_bar| x_bar == 0.0));
/// ```
#[track_caller]
pub fn zip_map_sum<'t, F: TensorFloat, const N: usize>(
    x: [TensorVar<'t, F>; N],
    f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
) -> TensorVar<'t, F> {
    try_zip_map_sum(x, f).or_panic()
}

/// [`zip_map_sum`], returning what is wrong.
///
/// # Errors
/// As [`try_zip_map`].
#[track_caller]
pub fn try_zip_map_sum<'t, F: TensorFloat, const N: usize>(
    x: [TensorVar<'t, F>; N],
    f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
) -> Result<TensorVar<'t, F>, Error> {
    TensorVar::try_record_many(ZipMapSum::of(record("zip_map_sum", f)?, false), &x)
}

/// The mean over all elements of an expression of several tensors, a tensor of shape `[]`:
/// `y = 1/n sum_i f(x_1i, x_2i, ..)`.
///
/// As [`zip_map_sum`], and one pass over memory less than its quotient by `n`: the sweep finds the derivatives divided.
///
/// # Panics
/// With the text of the error that [`try_zip_map_mean`] returns.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// let tape = Tape::new();
/// let (x, y) = (tape.tensor([1.0, 2.0, 4.0]), tape.constant_tensor([1.0, 0.0, 1.0]));
/// let loss = zip_map_mean([x, y], |[x, y]| (x - y).square());
/// assert_eq!(loss.item(), 13.0 / 3.0);
/// assert_eq!(loss.gradient()[x].to_vec(), [0.0, 4.0 / 3.0, 2.0]);
/// ```
#[track_caller]
pub fn zip_map_mean<'t, F: TensorFloat, const N: usize>(
    x: [TensorVar<'t, F>; N],
    f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
) -> TensorVar<'t, F> {
    try_zip_map_mean(x, f).or_panic()
}

/// [`zip_map_mean`], returning what is wrong.
///
/// # Errors
/// As [`try_zip_map`], and [`Error::Shape`] if there are no elements.
#[track_caller]
pub fn try_zip_map_mean<'t, F: TensorFloat, const N: usize>(
    x: [TensorVar<'t, F>; N],
    f: impl for<'r> FnOnce([Symbol<'r, F>; N]) -> Symbol<'r, F>,
) -> Result<TensorVar<'t, F>, Error> {
    TensorVar::try_record_many(ZipMapSum::of(record("zip_map_mean", f)?, true), &x)
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// An expression of each element, in one pass over memory: [`zip_map`] of one tensor.
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_map`](Self::try_map) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let y = x.map(|x| x * x * x - x);
    /// assert_eq!(y.value().to_vec(), [0.0, 6.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [2.0, 11.0]);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn map(self, f: impl for<'r> FnOnce(Symbol<'r, F>) -> Symbol<'r, F>) -> Self {
        zip_map([self], |[x]| f(x))
    }

    /// [`map`](Self::map), returning what is wrong. (One elementary function, named by its opcode, is
    /// [`try_unary`](Self::try_unary).)
    ///
    /// # Errors
    /// As [`try_zip_map`].
    #[track_caller]
    pub fn try_map(self, f: impl for<'r> FnOnce(Symbol<'r, F>) -> Symbol<'r, F>) -> Result<Self, Error> {
        try_zip_map([self], |[x]| f(x))
    }
}
