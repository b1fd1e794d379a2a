//! Losses of vectors that should lie near each other, or apart.

use super::{rows_alike, unequal};
use crate::error::Error;
use wengert_core::{Binary, TensorFloat, TensorVar, UnaryFunctions};
use wengert_tensor::{Shape, Tensor, keep};

/// Triplet margin loss, the mean over rows of `max(0, |a - p| - |a - n| + margin)`: an anchor should lie nearer to the
/// positive example than to the negative one, by the margin.
///
/// Shapes: all three alike, `[rows.., d]`; loss `[]`. Distances are Euclidean; PyTorch's add `1e-6` to every
/// difference, these do not, and have slope 0 where two vectors coincide. Source: V. Balntas et al., "Learning local
/// feature descriptors with triplets and shallow convolutional neural networks", 2016.
///
/// # Errors
/// [`Error::Tape`] if the shapes differ or there are no rows.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
///
/// let tape = Tape::<f64>::new();
/// let [a, p, n] = [[[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 5.5]]].map(|x| tape.tensor(x));
/// assert_eq!(loss::triplet_margin(a, p, n, 1.0)?.item(), 0.5);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn triplet_margin<'t, F: TensorFloat>(
    anchor: TensorVar<'t, F>,
    positive: TensorVar<'t, F>,
    negative: TensorVar<'t, F>,
    margin: f64,
) -> Result<TensorVar<'t, F>, Error> {
    let op = "triplet_margin";
    for other in [positive, negative] {
        rows_alike(op, anchor, other)?;
    }
    let distance = |other: TensorVar<'t, F>| Ok::<_, Error>(anchor.try_sub(other)?.try_norm2_axes(-1)?);
    let margin = anchor.tape().constant_tensor(Tensor::scalar(F::from_f64(margin)));
    Ok(distance(positive)?.try_sub(distance(negative)?)?.try_add(margin)?.relu().try_mean_axes(())?)
}

/// Cosine embedding loss, the mean over rows of `1 - cos(a, b)` where the target is 1, and of
/// `max(0, cos(a, b) - margin)` where it is -1.
///
/// Shapes: `a` and `b` alike, `[rows.., d]`, `target: [rows..]`, loss `[]`. The cosine of a zero vector is 0, and
/// nothing flows to it.
///
/// # Errors
/// [`Error::Tape`] if the shapes do not go together or there are no rows.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let (a, b) = (tape.tensor([[3.0, 4.0], [1.0, 0.0]]), tape.tensor([[4.0, 3.0], [0.0, 2.0]]));
/// let loss = loss::cosine_embedding(a, b, &Tensor::from([1.0, -1.0]), 0.0)?;
/// assert!((loss.item() - (1.0 - 24.0 / 25.0) / 2.0).abs() < 1e-15); // the second is at a right angle
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn cosine_embedding<'t, F: TensorFloat>(
    a: TensorVar<'t, F>,
    b: TensorVar<'t, F>,
    target: &Tensor<F>,
    margin: f64,
) -> Result<TensorVar<'t, F>, Error> {
    let op = "cosine_embedding";
    rows_alike(op, a, b)?;
    let shape = a.shape();
    let rows = &shape[..shape.rank() - 1];
    if *rows != target.shape()[..] {
        return Err(unequal(op, Shape::from(rows), target.shape().clone()));
    }
    let cosine = cosine_similarity(a, b)?;
    let constant = |x: Tensor<F>| a.tape().constant_tensor(x);
    let one = constant(Tensor::scalar(F::ONE));
    let margin = constant(Tensor::scalar(F::from_f64(margin)));
    let (near, apart) = (one.try_sub(cosine)?, cosine.try_sub(margin)?.relu());
    // Weights of 1 and 0 instead of a selection: a recorded loss exchanges them with the targets.
    let is_near = a.tape().constant_tensor(target).step();
    let near = near.try_zip(Binary::MulZero, is_near)?;
    let apart = apart.try_zip(Binary::MulZero, one.try_sub(is_near)?)?;
    Ok(near.try_add(apart)?.try_mean_axes(())?)
}

/// `<a, b>/(|a| |b|)` of the vectors along the last axis; 0 where one of them is 0.
#[track_caller]
fn cosine_similarity<'t, F: TensorFloat>(a: TensorVar<'t, F>, b: TensorVar<'t, F>) -> Result<TensorVar<'t, F>, Error> {
    // Each is divided by its own length: the product of two lengths overflows before they do.
    let unit = |x: TensorVar<'t, F>| x.try_zip(Binary::DivOrZero, x.try_norm2_axes(keep(-1))?);
    Ok(unit(a)?.try_mul(unit(b)?)?.try_sum_axes(-1)?)
}
