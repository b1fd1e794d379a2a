//! Losses of numbers against numbers, of distributions against distributions, and of margins.

use super::{absolute, alike, equal_rows, positive};
use crate::error::Error;
use wengert_core::{Binary, ParametricFunctions, TensorFloat, TensorVar, UnaryFunctions};
use wengert_tensor::Tensor;

/// Huber's loss, the mean of `e^2/2` where `|e| <= delta` and `delta (|e| - delta/2)` beyond, with `e = y - t`: squares
/// near the target, absolute values far from it, so that outliers pull no more than `delta`.
///
/// Shapes: `y` and `target` alike, loss `[]`. Source: P. J. Huber, "Robust estimation of a location parameter", 1964.
///
/// # Errors
/// [`Error::Tape`] if the shapes differ or there are no elements; [`Error::Setting`] if `delta` is not positive.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let y = tape.tensor([1.0, 11.0]);
/// let loss = loss::huber(y, &Tensor::from([0.0, 1.0]), 2.0)?;
/// assert_eq!(loss.item(), (0.5 + 18.0) / 2.0);
/// assert_eq!(loss.gradient()[y].to_vec(), [0.5, 1.0]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn huber<'t, F: TensorFloat>(
    y: TensorVar<'t, F>,
    target: &Tensor<F>,
    delta: f64,
) -> Result<TensorVar<'t, F>, Error> {
    positive("huber", "delta", delta)?;
    held("huber", y, target, delta)
}

/// Huber's loss, for `op`.
#[track_caller]
fn held<'t, F: TensorFloat>(
    op: &'static str,
    y: TensorVar<'t, F>,
    target: &Tensor<F>,
    delta: f64,
) -> Result<TensorVar<'t, F>, Error> {
    let e = y.try_sub(alike(op, y, target)?)?;
    // With e held within delta: c (e - c/2) is e^2/2 inside and delta (|e| - delta/2) outside.
    let c = e.clamp(-delta, delta);
    Ok(c.try_mul(e.try_sub(scaled(c, 0.5)?)?)?.try_mean_axes(())?)
}

/// `huber(y, target, beta) / beta`: absolute errors with their kink rounded off within `beta`; for `beta = 0` those
/// themselves.
///
/// Shapes: `y` and `target` alike, loss `[]`. Source: R. Girshick, "Fast R-CNN", 2015.
///
/// # Errors
/// [`Error::Tape`] if the shapes differ or there are no elements; [`Error::Setting`] if `beta` is negative.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let y = tape.tensor([1.0, 6.0]);
/// let loss = loss::smooth_l1(y, &Tensor::from([0.0, 1.0]), 2.0)?;
/// assert_eq!((loss.item(), loss.gradient()[y].to_vec()), ((0.25 + 4.0) / 2.0, vec![0.25, 0.5]));
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn smooth_l1<'t, F: TensorFloat>(
    y: TensorVar<'t, F>,
    target: &Tensor<F>,
    beta: f64,
) -> Result<TensorVar<'t, F>, Error> {
    let op = "smooth_l1";
    if beta == 0.0 {
        return absolute(op, y, target);
    }
    positive(op, "beta", beta)?;
    scaled(held(op, y, target, beta)?, 1.0 / beta)
}

/// Kullback-Leibler divergence of the distribution `target` from the one whose logarithm is `y`,
/// `sum_i t_i (ln t_i - y_i)`, mean over rows: what PyTorch calls `batchmean`.
///
/// Shapes: `y` logarithms and `target` probabilities alike, `[rows.., classes]`; loss `[]`. Where a target is 0 the
/// logarithm does not matter, minus infinity included. Source: S. Kullback and R. A. Leibler, "On information and
/// sufficiency", 1951.
///
/// # Errors
/// [`Error::Tape`] if the shapes differ or there are no rows.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::loss;
/// use wengert_tensor::Tensor;
///
/// let tape = Tape::<f64>::new();
/// let p = Tensor::from([[0.5, 0.5, 0.0]]);
/// let y = tape.tensor([[0.25_f64.ln(), 0.75_f64.ln(), f64::NEG_INFINITY]]);
/// let loss = loss::kl_divergence(y, &p)?;
/// assert!((loss.item() - 0.5 * (4.0_f64 / 3.0).ln()).abs() < 1e-15); // (ln 2 + ln 2/3)/2
/// assert_eq!(loss.gradient()[y].to_vec(), [-0.5, -0.5, 0.0]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn kl_divergence<'t, F: TensorFloat>(y: TensorVar<'t, F>, target: &Tensor<F>) -> Result<TensorVar<'t, F>, Error> {
    equal_rows("kl_divergence", y.shape(), target.shape(), 1)?;
    let t = y.tape().constant_tensor(target);
    let own = t.try_zip(Binary::Xlogy, t)?;
    let terms = own.try_sub(y.try_zip(Binary::MulZero, t)?)?;
    // The mean over rows of sums over classes.
    if y.shape().rank() == 0 { Ok(terms) } else { Ok(terms.try_sum_axes(-1)?.try_mean_axes(())?) }
}

/// Hinge loss of a classifier of two classes, the mean of `max(0, 1 - t y)` with targets `t` of 1 and -1.
///
/// Shapes: `y` and `target` alike, loss `[]`. Its derivative at the kink is 0. Source: C. Cortes and V. Vapnik,
/// "Support-vector networks", 1995.
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
/// let y = tape.tensor([0.5, 3.0]);
/// let loss = loss::hinge(y, &Tensor::from([1.0, 1.0]))?;
/// assert_eq!((loss.item(), loss.gradient()[y].to_vec()), (0.25, vec![-0.5, 0.0]));
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[track_caller]
pub fn hinge<'t, F: TensorFloat>(y: TensorVar<'t, F>, target: &Tensor<F>) -> Result<TensorVar<'t, F>, Error> {
    let t = alike("hinge", y, target)?;
    let one = y.tape().constant_tensor(Tensor::scalar(F::ONE));
    Ok(one.try_sub(y.try_mul(t)?)?.relu().try_mean_axes(())?)
}

/// `x factor`.
#[track_caller]
fn scaled<'t, F: TensorFloat>(x: TensorVar<'t, F>, factor: f64) -> Result<TensorVar<'t, F>, Error> {
    Ok(x.try_mul(x.tape().constant_tensor(Tensor::scalar(F::from_f64(factor))))?)
}
