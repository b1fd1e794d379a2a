//! Softmax, its logarithm, the logarithm of a sum of exponentials, and cross-entropy, with their pullbacks.
//!
//! The kernels work on lanes that lie at the end of a tensor; lanes along other axes are brought there and back.

use wengert_kernels::elementwise::Operand;
use wengert_kernels::{Par, softmax as kernel};

use crate::axis::{Axes, Axis};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::lanes::Lanes;
use crate::tensor::Tensor;

/// `y = f(x)` lane by lane.
fn along<F: FloatElement>(
    op: &'static str,
    x: &Tensor<F>,
    axis: Axis,
    f: impl FnOnce(&[F], usize, &mut [F]),
) -> Result<Tensor<F>, ShapeError> {
    let lanes = Lanes::new(op, x.shape(), &Axes::from(axis))?;
    let x = lanes.bring(op, x)?;
    let y = Tensor::try_build(op, x.shape(), |y| {
        if !y.is_empty() {
            f(x.as_slice().unwrap_or_default(), lanes.len, y);
        }
    })?;
    lanes.take_back(op, y)
}

/// `x_bar = f(y, y_bar)` lane by lane.
fn pull_back_along<F: FloatElement>(
    op: &'static str,
    y: &Tensor<F>,
    y_bar: &Tensor<F>,
    axis: Axis,
    f: impl FnOnce(&[F], &[F], usize, &mut [F]),
) -> Result<Tensor<F>, ShapeError> {
    if y.shape() != y_bar.shape() {
        return Err(ShapeError::Unequal { op, lhs: y.shape().clone(), rhs: y_bar.shape().clone() });
    }
    let brought = Lanes::new(op, y.shape(), &Axes::from(axis))?.bring(op, y_bar)?;
    along(op, y, axis, |y, n, x_bar| f(y, brought.as_slice().unwrap_or_default(), n, x_bar))
}

impl<F: FloatElement> Tensor<F> {
    /// `exp(x) / sum exp(x)` along `axis`: positive numbers that add up to 1.
    ///
    /// Nothing overflows. A lane of `-inf` becomes NaN; along an axis without entries the result is empty.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let logits = Tensor::from([[1000.0, 1000.0], [f64::NEG_INFINITY, 0.0]]);
    /// assert_eq!(logits.softmax(-1), Tensor::from([[0.5, 0.5], [0.0, 1.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn softmax(&self, axis: impl Into<Axis>) -> Tensor<F> {
        self.try_softmax(axis).or_panic()
    }

    /// As [`softmax`](Self::softmax), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_softmax(&self, axis: impl Into<Axis>) -> Result<Tensor<F>, ShapeError> {
        along("softmax", self, axis.into(), |x, n, y| kernel::softmax(x, n, y, Par::current()))
    }

    /// `x - ln sum exp(x)` along `axis`: the logarithm of [`softmax`](Self::softmax), which keeps its digits where that
    /// is tiny.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([0.0_f64, 3.0_f64.ln()]).log_softmax(0);
    /// assert!((y.at([0]) - 0.25_f64.ln()).abs() < 1e-15 && (y.at([1]) - 0.75_f64.ln()).abs() < 1e-15);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn log_softmax(&self, axis: impl Into<Axis>) -> Tensor<F> {
        self.try_log_softmax(axis).or_panic()
    }

    /// As [`log_softmax`](Self::log_softmax), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_log_softmax(&self, axis: impl Into<Axis>) -> Result<Tensor<F>, ShapeError> {
        along("log_softmax", self, axis.into(), |x, n, y| kernel::log_softmax(x, n, y, Par::current()))
    }

    /// `ln sum exp(x)` over axes, without overflow.
    ///
    /// `-inf` over `-inf` only, and over nothing; `inf` if there is one.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// Source: P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
    /// functions", 2021.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([1e4, 1e4]);
    /// assert_eq!(x.log_sum_exp(()).item(), 1e4 + 2f64.ln());
    /// ```
    #[must_use]
    #[track_caller]
    pub fn log_sum_exp(&self, axes: impl Into<Axes>) -> Tensor<F> {
        self.try_log_sum_exp(axes).or_panic()
    }

    /// As [`log_sum_exp`](Self::log_sum_exp), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::RepeatedAxis`].
    pub fn try_log_sum_exp(&self, axes: impl Into<Axes>) -> Result<Tensor<F>, ShapeError> {
        let op = "log_sum_exp";
        let lanes = Lanes::new(op, self.shape(), &axes.into())?;
        let x = lanes.bring(op, self)?;
        Tensor::try_build(op, &lanes.shape, |y| {
            kernel::log_sum_exp(x.as_slice().unwrap_or_default(), lanes.len, y, Par::current());
        })
    }

    /// The pullback of [`softmax`](Self::softmax) from its value: `x_bar = y (y_bar - <y, y_bar>)` along `axis`.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when `y` and `y_bar` differ in shape, [`ShapeError::Axis`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let y = Tensor::from([0.25, 0.75]);
    /// let x_bar = Tensor::softmax_vjp(&y, &Tensor::from([1.0, 0.0]), 0)?;
    /// assert_eq!(x_bar.to_vec(), [0.1875, -0.1875]); // 0.25 (1 - 0.25), 0.75 (0 - 0.25)
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn softmax_vjp(y: &Tensor<F>, y_bar: &Tensor<F>, axis: impl Into<Axis>) -> Result<Tensor<F>, ShapeError> {
        pull_back_along("softmax", y, y_bar, axis.into(), |y, y_bar, n, x_bar| {
            kernel::softmax_vjp(y, y_bar, n, x_bar, Par::current());
        })
    }

    /// The pullback of [`log_softmax`](Self::log_softmax) from its value: `x_bar = y_bar - exp(y) sum y_bar` along
    /// `axis`.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when `y` and `y_bar` differ in shape, [`ShapeError::Axis`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let y = Tensor::from([[0.0_f64, 0.0]]).log_softmax(1);
    /// let x_bar = Tensor::log_softmax_vjp(&y, &Tensor::from([[1.0, 0.0]]), 1)?;
    /// assert!((x_bar - Tensor::from([[0.5, -0.5]])).abs().max() < 1e-15);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn log_softmax_vjp(y: &Tensor<F>, y_bar: &Tensor<F>, axis: impl Into<Axis>) -> Result<Tensor<F>, ShapeError> {
        pull_back_along("log_softmax", y, y_bar, axis.into(), |y, y_bar, n, x_bar| {
            kernel::log_softmax_vjp(y, y_bar, n, x_bar, Par::current());
        })
    }

    /// The pullback of [`log_sum_exp`](Self::log_sum_exp) from its argument: `x_bar = y_bar softmax(x)` over `axes`.
    /// Over `-inf` only it is 0.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when `y_bar` has another shape than the value, [`ShapeError::Axis`],
    /// [`ShapeError::RepeatedAxis`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let x = Tensor::from([[1.0, 1.0, 1.0, 1.0], [0.0, f64::NEG_INFINITY, 0.0, f64::NEG_INFINITY]]);
    /// let x_bar = Tensor::log_sum_exp_vjp(&x, &Tensor::from([4.0, 2.0]), 1)?;
    /// assert_eq!(x_bar, Tensor::from([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0]]));
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn log_sum_exp_vjp(x: &Tensor<F>, y_bar: &Tensor<F>, axes: impl Into<Axes>) -> Result<Tensor<F>, ShapeError> {
        let op = "log_sum_exp";
        let lanes = Lanes::new(op, x.shape(), &axes.into())?;
        if lanes.shape != *y_bar.shape() {
            return Err(ShapeError::Unequal { op, lhs: lanes.shape, rhs: y_bar.shape().clone() });
        }
        let (x, mut copy) = (lanes.bring(op, x)?, None);
        let y_bar = y_bar.try_dense(op, &mut copy)?;
        let x_bar = Tensor::try_build(op, x.shape(), |x_bar| {
            kernel::log_sum_exp_vjp(x.as_slice().unwrap_or_default(), lanes.len, y_bar, x_bar, Par::current());
        })?;
        lanes.take_back(op, x_bar)
    }

    /// The cross-entropy of each row of logits and its label, `ln sum exp(x) - x[label]`.
    ///
    /// Shapes: `self: [rows.., classes]`, `labels: [rows..]`, result `[rows..]`.
    ///
    /// # Panics
    /// When a label is not one of the classes, or the shapes do not match.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let logits = Tensor::from([[0.0, 0.0], [0.0, 1e4]]);
    /// let losses = logits.cross_entropy(&Tensor::from([1, 1]));
    /// assert_eq!(losses.to_vec(), [2f64.ln(), 0.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cross_entropy(&self, labels: &Tensor<i64>) -> Tensor<F> {
        self.try_cross_entropy(labels).or_panic().0
    }

    /// As [`cross_entropy`](Self::cross_entropy), with an error instead of a panic. Returns the losses and the residual
    /// that [`cross_entropy_vjp`](Self::cross_entropy_vjp) reads: `[rows.., 2]`, the largest logit and
    /// `sum exp(x - largest)`.
    ///
    /// # Errors
    /// [`ShapeError::Label`], [`ShapeError::Labels`], or [`ShapeError::Rank`] for a single number.
    pub fn try_cross_entropy(&self, labels: &Tensor<i64>) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let op = "cross_entropy";
        let classes = self.checked_labels(op, labels)?;
        let (mut x_copy, mut labels_copy) = (None, None);
        let x = self.try_dense(op, &mut x_copy)?;
        let rows = labels.try_dense(op, &mut labels_copy)?;
        let mut residual_shape = labels.shape().clone();
        residual_shape.push(2);
        let mut losses = Tensor::try_scratch_for(op, labels.shape().clone())?;
        let mut residual = Tensor::try_scratch_for(op, residual_shape)?;
        kernel::cross_entropy(x, classes, rows, losses.fresh_mut(), residual.fresh_mut(), Par::current());
        Ok((losses, residual))
    }

    /// The pullback of [`cross_entropy`](Self::cross_entropy): `x_bar = y_bar (softmax(x) - onehot(label))` for each
    /// row.
    ///
    /// `y_bar` has an element for each row, or one for all. A row with cotangent 0 gets 0.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when `y_bar` is neither, and what [`try_cross_entropy`](Self::try_cross_entropy)
    /// returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let (logits, labels) = (Tensor::from([[0.0, 0.0], [1.0, 1.0]]), Tensor::from([0, 1]));
    /// let (_, residual) = logits.try_cross_entropy(&labels)?;
    /// let x_bar = logits.cross_entropy_vjp(&labels, &residual, &Tensor::from([1.0, 10.0]))?;
    /// assert_eq!(x_bar, Tensor::from([[-0.5, 0.5], [5.0, -5.0]]));
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn cross_entropy_vjp(
        &self,
        labels: &Tensor<i64>,
        residual: &Tensor<F>,
        y_bar: &Tensor<F>,
    ) -> Result<Tensor<F>, ShapeError> {
        let op = "cross_entropy";
        let classes = self.checked_labels(op, labels)?;
        let mut copies = (None, None, None, None);
        let x = self.try_dense(op, &mut copies.0)?;
        let rows = labels.try_dense(op, &mut copies.1)?;
        let residual = residual.try_dense(op, &mut copies.2)?;
        let y_bar = match y_bar.try_item() {
            Ok(y_bar) => Operand::Splat(y_bar),
            Err(_) if y_bar.shape() == labels.shape() => Operand::Slice(y_bar.try_dense(op, &mut copies.3)?),
            Err(_) => {
                return Err(ShapeError::Unequal { op, lhs: labels.shape().clone(), rhs: y_bar.shape().clone() });
            }
        };
        Tensor::try_build(op, self.shape(), |x_bar| {
            kernel::cross_entropy_vjp(x, classes, rows, residual, y_bar, x_bar, Par::current());
        })
    }

    /// Checks that there is one label for each row, and that it is one of the classes, whose number is returned.
    fn checked_labels(&self, op: &'static str, labels: &Tensor<i64>) -> Result<usize, ShapeError> {
        let [rows @ .., classes] = &**self.shape() else {
            return Err(ShapeError::Rank {
                op,
                shape: self.shape().clone(),
                expected: "one at least, the last that of classes",
            });
        };
        if labels.shape()[..] != *rows {
            return Err(ShapeError::Labels { op, logits: self.shape().clone(), labels: labels.shape().clone() });
        }
        let is_class = |label: i64| usize::try_from(label).is_ok_and(|label| label < *classes);
        match labels.iter().enumerate().find(|&(_, label)| !is_class(label)) {
            Some((row, label)) => Err(ShapeError::Label { op, row, label, classes: *classes }),
            None => Ok(*classes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shape, keep, rng};

    const INF: f64 = f64::INFINITY;

    fn assert_close(got: &Tensor<f64>, expected: &Tensor<f64>) {
        assert_eq!(got.shape(), expected.shape());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{got}, expected {expected}");
        }
    }

    #[test]
    fn every_axis_agrees_with_the_definition() {
        let x = Tensor::<f64>::normal([3, 4, 5], 0.0, 2.0, &mut rng(1));
        for view in [x.clone(), x.permute([1, 2, 0]), x.flip(1)] {
            for axis in 0..3 {
                let sum = view.exp().sum_axes(keep(axis));
                assert_close(&view.softmax(axis), &(view.exp() / &sum));
                assert_close(&view.log_softmax(axis), &(&view - sum.ln()));
                assert_close(&view.log_sum_exp(keep(axis)), &sum.ln());
            }
            assert_close(&view.log_sum_exp([0, 2]), &view.exp().sum_axes([0, 2]).ln());
            assert_close(&view.log_sum_exp(keep([0, 1])), &view.exp().sum_axes(keep([0, 1])).ln());
            assert_close(&view.log_sum_exp(()), &view.exp().sum_axes(()).ln());
        }
    }

    #[test]
    fn infinities_and_empty_axes() {
        let x = Tensor::from([[-INF, -INF], [-INF, 1.0], [INF, 0.0]]);
        assert_eq!(x.log_sum_exp(1).to_vec(), [-INF, 1.0, INF]);
        let bar = Tensor::log_sum_exp_vjp(&x, &Tensor::from([1.0, 1.0, 1.0]), 1).unwrap();
        assert_eq!(bar.to_vec(), [0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        assert!(x.softmax(1).index_axis(0, 0).iter().all(f64::is_nan));
        let empty = Tensor::<f64>::zeros([2, 0]);
        assert_eq!(empty.log_sum_exp(1).to_vec(), [-INF; 2]);
        assert_eq!((empty.softmax(1).len(), empty.log_sum_exp(0).len()), (0, 0));
        assert!(Tensor::log_sum_exp_vjp(&empty, &Tensor::from([1.0, 1.0]), 1).unwrap().is_empty());
    }

    #[test]
    fn gradients_keep_their_digits_at_large_logits() {
        let x = Tensor::from([1e4, 1e4, -1e4]);
        assert_eq!(Tensor::log_sum_exp_vjp(&x, &Tensor::scalar(1.0), 0).unwrap().to_vec(), [0.5, 0.5, 0.0]);
    }

    /// `<y_bar, f(x + h d) - f(x - h d)> / 2h` against `<x_bar, d>`.
    fn check(
        f: impl Fn(&Tensor<f64>) -> Tensor<f64>,
        vjp: impl Fn(&Tensor<f64>, &Tensor<f64>, &Tensor<f64>) -> Tensor<f64>,
    ) {
        let normal = |shape: &Shape, seed| Tensor::<f64>::normal(shape, 0.0, 1.0, &mut rng(seed));
        let x = normal(&Shape::from([2, 3, 4]), 1).permute([1, 0, 2]);
        let (y, d, h) = (f(&x), normal(x.shape(), 2), 1e-5);
        let y_bar = normal(y.shape(), 3);
        let difference = (f(&(&x + &d * h)) - f(&(&x - &d * h))) / (2.0 * h);
        let x_bar = vjp(&x, &y, &y_bar);
        assert!((y_bar.dot(&difference) - x_bar.dot(&d)).abs() < 1e-8);
    }

    #[test]
    fn pullbacks_agree_with_differences_along_every_axis() {
        for axis in 0..3 {
            check(|x| x.softmax(axis), |_, y, y_bar| Tensor::softmax_vjp(y, y_bar, axis).unwrap());
            check(|x| x.log_softmax(axis), |_, y, y_bar| Tensor::log_softmax_vjp(y, y_bar, axis).unwrap());
            check(|x| x.log_sum_exp(axis), |x, _, y_bar| Tensor::log_sum_exp_vjp(x, y_bar, axis).unwrap());
        }
        check(|x| x.log_sum_exp(keep([0, 2])), |x, _, y_bar| Tensor::log_sum_exp_vjp(x, y_bar, keep([0, 2])).unwrap());
        let labels = Tensor::from([[0, 3], [1, 1], [2, 0]]);
        check(
            |x| x.cross_entropy(&labels),
            |x, _, y_bar| {
                let (_, residual) = x.try_cross_entropy(&labels).unwrap();
                x.cross_entropy_vjp(&labels, &residual, y_bar).unwrap()
            },
        );
    }

    #[test]
    fn one_cotangent_serves_all_rows() {
        let (x, labels) = (Tensor::<f64>::normal([3, 4], 0.0, 1.0, &mut rng(1)), Tensor::from([0, 3, 2]));
        let (_, residual) = x.try_cross_entropy(&labels).unwrap();
        let bar = |y_bar: Tensor<f64>| x.cross_entropy_vjp(&labels, &residual, &y_bar).unwrap();
        assert_eq!(bar(Tensor::scalar(0.5)), bar(Tensor::full([3], 0.5)));
        assert!(x.cross_entropy_vjp(&labels, &residual, &Tensor::zeros([2])).is_err());
    }

    #[test]
    fn labels_are_checked() {
        let x = Tensor::<f32>::zeros([2, 3]);
        let text = |labels: Tensor<i64>| x.try_cross_entropy(&labels).unwrap_err().to_string();
        assert_eq!(
            text(Tensor::from([0, 3])),
            "cross_entropy: row 1 has label 3; with 3 classes a label is at least 0 and less than 3"
        );
        assert_eq!(
            text(Tensor::from([-1, 0])),
            "cross_entropy: row 0 has label -1; with 3 classes a label is at least 0 and less than 3"
        );
        assert_eq!(
            text(Tensor::from([0])),
            "cross_entropy: labels of shape [1] for logits of shape [2, 3]; expected the number of a class for each row, shape [2]"
        );
        assert!(Tensor::scalar(1.0).try_cross_entropy(&Tensor::scalar(0)).is_err());
        assert!(Tensor::<f32>::zeros([0, 3]).cross_entropy(&Tensor::zeros([0])).is_empty());
    }
}
