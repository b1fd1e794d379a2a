//! Losses: one number that says how far an output is from its target, the mean over the batch.
//!
//! Targets are plain tensors, constants to the tape. Shapes must be equal: broadcasting `[n, 1]` against `[n]` would
//! make `[n, n]`, a mistake in nearly every program.

mod classes;
mod regression;
mod vectors;

pub use classes::{CrossEntropy, nll};
pub use regression::{hinge, huber, kl_divergence, smooth_l1};
pub use vectors::{cosine_embedding, triplet_margin};

use crate::error::Error;
use core::panic::Location;
use wengert_core::{Binary, TensorFloat, TensorVar, UnaryFunctions};
use wengert_tensor::{Shape, ShapeError, Tensor};

/// Mean squared error, `1/n sum_i (y_i - t_i)^2` over all elements.
///
/// Shapes: `y` and `target` alike, loss `[]`.
///
/// # Errors
/// [`Error::Tape`] if the shapes differ or there are no elements.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let y = tape.tensor([1.0, 4.0]);
/// let loss = loss::mse(y, &Tensor::from([0.0, 1.0]))?;
/// assert_eq!(loss.item(), 5.0);
/// assert_eq!(loss.gradient()[y].to_vec(), [1.0, 3.0]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn mse<'t, F: TensorFloat>(y: TensorVar<'t, F>, target: &Tensor<F>) -> Result<TensorVar<'t, F>, Error> {
    Ok(y.try_mse(alike("mse", y, target)?)?)
}

/// Mean absolute error, `1/n sum_i |y_i - t_i|` over all elements; its derivative at a hit is 0.
///
/// Shapes: `y` and `target` alike, loss `[]`.
///
/// # Errors
/// [`Error::Tape`] if the shapes differ or there are no elements.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let y = tape.tensor([1.0, 4.0]);
/// let loss = loss::l1(y, &Tensor::from([1.0, 2.0]))?;
/// assert_eq!((loss.item(), loss.gradient()[y].to_vec()), (1.0, vec![0.0, 0.5]));
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn l1<'t, F: TensorFloat>(y: TensorVar<'t, F>, target: &Tensor<F>) -> Result<TensorVar<'t, F>, Error> {
    absolute("l1", y, target)
}

/// The mean of `|y - t|`, for `op`.
#[track_caller]
fn absolute<'t, F: TensorFloat>(
    op: &'static str,
    y: TensorVar<'t, F>,
    target: &Tensor<F>,
) -> Result<TensorVar<'t, F>, Error> {
    Ok(y.try_sub(alike(op, y, target)?)?.abs().try_mean_axes(())?)
}

/// Softmax cross-entropy against class labels, `-1/n sum_i log_softmax(y_i)[label_i]`.
///
/// Shapes: `y: [n, classes]` logits, `labels: [n]`, loss `[]`.
///
/// # Errors
/// [`Error::Tape`] if the shapes do not go together, there are no rows, or a label is not one of the classes: the text
/// names the row.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let logits = tape.tensor([[0.0, 3.0_f64.ln()]]);
/// let loss = loss::cross_entropy(logits, &Tensor::from([1]))?;
/// assert!((loss.item() - (4.0_f64 / 3.0).ln()).abs() < 1e-15);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn cross_entropy<'t, F: TensorFloat>(y: TensorVar<'t, F>, labels: &Tensor<i64>) -> Result<TensorVar<'t, F>, Error> {
    Ok(y.try_cross_entropy(labels)?)
}

/// Binary cross-entropy of logits, `1/n sum_i t_i softplus(-y_i) + (1 - t_i) softplus(y_i)` over all elements.
///
/// This is `-t ln s(y) - (1 - t) ln(1 - s(y))` with the sigmoid `s`, in a form that neither overflows nor rounds its
/// tails to 0: the loss of a confident, correct answer is small, not nothing.
///
/// Shapes: `y` logits and `target` probabilities alike, loss `[]`.
///
/// # Errors
/// [`Error::Tape`] if the shapes differ or there are no elements.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let y = tape.tensor([-100.0]);
/// assert_eq!(loss::bce_with_logits(y, &Tensor::from([0.0]))?.item(), (-100.0_f64).exp());
/// assert_eq!(loss::bce_with_logits(y, &Tensor::from([1.0]))?.item(), 100.0);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn bce_with_logits<'t, F: TensorFloat>(y: TensorVar<'t, F>, target: &Tensor<F>) -> Result<TensorVar<'t, F>, Error> {
    let target = alike("bce_with_logits", y, target)?;
    let others = y.tape().constant_tensor(Tensor::scalar(F::ONE)).try_sub(target)?;
    // A target of exactly 0 or 1 silences its other term whatever that is: an infinite logit on the right side costs 0.
    let hits = (-y).softplus().try_zip(Binary::MulZero, target)?;
    let misses = y.softplus().try_zip(Binary::MulZero, others)?;
    Ok(hits.try_add(misses)?.try_mean_axes(())?)
}

/// The target as a constant beside `y`, of the same shape and not empty. Asked before anything is recorded: what is
/// refused leaves nothing on the tape.
#[track_caller]
fn alike<'t, F: TensorFloat>(
    op: &'static str,
    y: TensorVar<'t, F>,
    target: &Tensor<F>,
) -> Result<TensorVar<'t, F>, Error> {
    equal_rows(op, y.shape(), target.shape(), 0)?;
    Ok(y.tape().constant_tensor(target))
}

/// Checks that two variables are rows of one shape on one tape, and that there are any.
#[track_caller]
fn rows_alike<F: TensorFloat>(op: &'static str, a: TensorVar<'_, F>, b: TensorVar<'_, F>) -> Result<(), Error> {
    let caller = Location::caller();
    if !core::ptr::eq(a.tape(), b.tape()) {
        let (left, right) = (a.tape().number(), b.tape().number());
        return Err(wengert_core::Error::MixedTapes { op, left, right, caller }.into());
    }
    let shape = a.shape();
    if shape.rank() == 0 {
        return Err(located(ShapeError::Rank { op, shape, expected: "one at least, the last that of the vectors" }));
    }
    equal_rows(op, shape, &b.shape(), 1)
}

/// Checks that shapes are equal and that, but for the last `inner` axes, there is something to take a mean of.
#[track_caller]
fn equal_rows(op: &'static str, lhs: Shape, rhs: &Shape, inner: usize) -> Result<(), Error> {
    if lhs != *rhs {
        return Err(unequal(op, lhs, rhs.clone()));
    }
    match lhs[..lhs.rank().saturating_sub(inner)].contains(&0) {
        true => Err(located(ShapeError::Empty { op, shape: lhs })),
        false => Ok(()),
    }
}

#[track_caller]
fn unequal(op: &'static str, lhs: Shape, rhs: Shape) -> Error {
    located(ShapeError::Unequal { op, lhs, rhs })
}

#[track_caller]
fn located(source: ShapeError) -> Error {
    Error::of_shape(source)
}

fn positive(of: &'static str, setting: &'static str, value: f64) -> Result<(), Error> {
    if value > 0.0 { Ok(()) } else { Err(Error::Setting { of, setting, value, expected: "a positive number" }) }
}
