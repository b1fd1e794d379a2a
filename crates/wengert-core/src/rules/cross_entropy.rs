//! Softmax cross-entropy against class labels, mean over rows.
//!
//! Formula: `loss = -1/n sum_i log_softmax(x_i)[label_i]`. Shapes: `x: [rows.., classes]`, `labels: [rows..]`, `n` rows
//! in all, `loss: []`.
//! Cotangent: `x_bar = (softmax(x) - onehot(labels)) loss_bar / n`, fused in one pass.

use super::softmax::softmax;
use super::zip::zip;
use super::{Array, Cotangents, Op, fitting, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use wengert_kernels::Binary;
use wengert_tensor::{Axis, ShapeError, Tensor};

/// Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct CrossEntropy<F: TensorFloat>(Box<Kept<F>>);

#[derive(Clone)]
struct Kept<F: TensorFloat> {
    labels: Tensor<i64>,
    /// Per row the largest logit and the sum of exponentials relative to it.
    statistics: Option<Tensor<F>>,
}

impl<F: TensorFloat> Op<F> for CrossEntropy<F> {
    const NAME: &'static str = "cross_entropy";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (losses, statistics) = x[0].try_cross_entropy(&self.0.labels)?;
        self.0.statistics = Some(statistics);
        losses.try_mean_axes(())
    }

    fn labels(&mut self) -> Option<&mut Tensor<i64>> {
        Some(&mut self.0.labels)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let labels = &self.0.labels;
        let share = 1.0 / labels.len() as f64;
        let onehot = Tensor::from_fn(x[0].shape(), |index| {
            let (class, row) = index.split_last().unwrap_or((&0, &[]));
            F::from_f64(if labels.at(row) == *class as i64 { share } else { 0.0 })
        });
        let share = x[0].constant(Tensor::scalar(F::from_f64(share)));
        let weights = zip(Binary::Mul, &softmax(x[0], Axis::from(-1)), &share);
        let slope = zip(Binary::Sub, &weights, &x[0].constant(onehot));
        one(zip(Binary::MulZero, &slope, &y_bar))
    }

    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        let Kept { labels, statistics: Some(statistics) } = &*self.0 else { return self.vjp(x, y, y_bar, wanted) };
        let row_bar = Tensor::scalar(y_bar.item() / F::from_f64(labels.len() as f64));
        one(fitting(x[0].cross_entropy_vjp(labels, statistics, &row_bar)))
    }
}

impl<F: TensorFloat> CrossEntropy<F> {
    fn of(labels: &(impl Labels + ?Sized)) -> Self {
        CrossEntropy(Box::new(Kept { labels: labels.to_labels(), statistics: None }))
    }
}

/// Class labels: one whole number per row.
pub trait Labels {
    /// As a tensor of shape `[n]`.
    fn to_labels(&self) -> Tensor<i64>;
}
impl Labels for Tensor<i64> {
    fn to_labels(&self) -> Tensor<i64> {
        self.clone()
    }
}
macro_rules! labels {
    ($($T:ty)*) => { $(
        impl Labels for [$T] {
            fn to_labels(&self) -> Tensor<i64> {
                // A label too large for i64 is out of range for any number of classes, and so is the largest.
                self.iter().map(|&label| i64::try_from(label).unwrap_or(i64::MAX)).collect()
            }
        }
        impl Labels for Vec<$T> {
            fn to_labels(&self) -> Tensor<i64> {
                self[..].to_labels()
            }
        }
        impl<const N: usize> Labels for [$T; N] {
            fn to_labels(&self) -> Tensor<i64> {
                self[..].to_labels()
            }
        }
    )* };
}
labels!(i32 i64 u8 u32 usize);

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Mean softmax cross-entropy of logits `[n, classes]` against one label per row.
    ///
    /// Formula: `-1/n sum_i log_softmax(x_i)[label_i]`. Shapes: `x: [n, classes]`, `labels: [n]`, result `[]`.
    ///
    /// Source: C. M. Bishop, *Pattern Recognition and Machine Learning*, 2006, section 4.3.4.
    ///
    /// # Panics
    /// With the text of the error that [`try_cross_entropy`](Self::try_cross_entropy) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let logits = tape.tensor([[0.0, 0.0], [3.0, 3.0]]);
    /// let loss = logits.cross_entropy(&[0, 1]);
    /// assert!((loss.item() - 2.0_f64.ln()).abs() < 1e-15);
    /// assert_eq!(loss.gradient()[logits].to_vec(), [-0.25, 0.25, 0.25, -0.25]);
    /// ```
    #[track_caller]
    pub fn cross_entropy(self, labels: &(impl Labels + ?Sized)) -> Self {
        self.record1(CrossEntropy::of(labels))
    }

    /// [`cross_entropy`](Self::cross_entropy), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if this is not a matrix, has no rows or another number of rows than labels, or if a label is
    /// negative or not below the number of classes: the text names the row.
    #[track_caller]
    pub fn try_cross_entropy(self, labels: &(impl Labels + ?Sized)) -> Result<Self, Error> {
        self.try_record1(CrossEntropy::of(labels))
    }
}
