//! Elements by size: sorting, the largest few, medians and quantiles.
//!
//! NaN counts as larger than every number. Equal elements keep their order, so the first of them comes first.

use core::cmp::Ordering;

use crate::axis::{Axes, Axis};
use crate::element::{FloatElement, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::lanes::Lanes;
use crate::tensor::{Tensor, try_room};

/// The order of numbers with NaN behind them all.
fn order<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |x: &T| x.partial_cmp(x).is_none();
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

impl<T: Numeric> Tensor<T> {
    /// The elements in ascending order along `axis`; NaN comes last. `O(n log n)`.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[3.0, 1.0, 2.0]]).sort(1).to_vec(), [1.0, 2.0, 3.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn sort(&self, axis: impl Into<Axis>) -> Tensor<T> {
        self.try_sort(axis, false).or_panic()
    }

    /// As [`sort`](Self::sort), with an error instead of a panic; the largest first if `descending`.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_sort(&self, axis: impl Into<Axis>, descending: bool) -> Result<Tensor<T>, ShapeError> {
        let axis = axis.into();
        self.try_gather(axis, &self.try_ranked("sort", axis, descending, None)?)
    }

    /// Where along `axis` the elements are that [`sort`](Self::sort) gives; equal ones in their order.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([2.0, 1.0, 2.0, 0.0]).argsort(0).to_vec(), [3, 1, 0, 2]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn argsort(&self, axis: impl Into<Axis>) -> Tensor<i64> {
        self.try_argsort(axis, false).or_panic()
    }

    /// As [`argsort`](Self::argsort), with an error instead of a panic; the largest first if `descending`.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_argsort(&self, axis: impl Into<Axis>, descending: bool) -> Result<Tensor<i64>, ShapeError> {
        self.try_ranked("argsort", axis.into(), descending, None)
    }

    /// The `k` largest elements along `axis`, the largest first, and where they are; of equal ones the first.
    /// `O(n + k log k)`.
    ///
    /// Shapes: `[.., n, ..]`, both results `[.., k, ..]`.
    ///
    /// # Panics
    /// When the axis does not exist or has less than `k` entries.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (values, index) = Tensor::from([1.0, 5.0, 3.0, 5.0]).topk(3, 0);
    /// assert_eq!(values.to_vec(), [5.0, 5.0, 3.0]);
    /// assert_eq!(index.to_vec(), [1, 3, 2]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn topk(&self, k: usize, axis: impl Into<Axis>) -> (Tensor<T>, Tensor<i64>) {
        self.try_topk(k, axis).or_panic()
    }

    /// As [`topk`](Self::topk), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], or [`ShapeError::Range`] when there are less than `k` entries.
    pub fn try_topk(&self, k: usize, axis: impl Into<Axis>) -> Result<(Tensor<T>, Tensor<i64>), ShapeError> {
        let axis = axis.into();
        let index = self.try_ranked("topk", axis, true, Some(k))?;
        Ok((self.try_gather(axis, &index)?, index))
    }

    /// Where the elements in order are; the first `k` of them.
    fn try_ranked(
        &self,
        op: &'static str,
        axis: Axis,
        descending: bool,
        k: Option<usize>,
    ) -> Result<Tensor<i64>, ShapeError> {
        let axis = axis.resolve(op, self.shape())?;
        let n = self.shape()[axis];
        let k = k.unwrap_or(n);
        if k > n {
            let shape = self.shape().clone();
            return Err(ShapeError::Range { op, start: 0, end: isize::try_from(k).unwrap_or(isize::MAX), axis, shape });
        }
        let last = self.try_transpose(axis, -1)?.try_to_contiguous(op)?;
        let x = last.as_slice().unwrap_or_default();
        let shape = last.shape().clone().with(last.rank() - 1, k);
        let mut numbers: Vec<usize> = try_room(op, n)?;
        let index = Tensor::try_build(op, &shape, |y| {
            if k == 0 {
                return;
            }
            for (y, x) in y.chunks_exact_mut(k).zip(x.chunks_exact(n)) {
                numbers.clear();
                numbers.extend(0..n);
                // Ties by number make the order total, so that the fast unstable routines give the stable order.
                let by_size = |&i: &usize, &j: &usize| {
                    let by_value = if descending { order(&x[j], &x[i]) } else { order(&x[i], &x[j]) };
                    by_value.then(i.cmp(&j))
                };
                if k < n {
                    numbers.select_nth_unstable_by(k - 1, by_size);
                }
                numbers[..k].sort_unstable_by(by_size);
                for (y, &number) in y.iter_mut().zip(&numbers) {
                    *y = number as i64;
                }
            }
        })?;
        index.try_transpose(axis, -1)?.try_to_contiguous(op)
    }

    /// The median of all elements: of an even number the lower one of the middle two. NaN if there is one.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0, 1.0, 3.0, 2.0]).median(), 2.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn median(&self) -> T {
        self.median_axes(()).item()
    }

    /// Medians over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is nothing along the axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.median_axes(1).to_vec(), [2.0, 4.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn median_axes(&self, axes: impl Into<Axes>) -> Tensor<T> {
        self.try_median_axes(axes).or_panic()
    }

    /// As [`median_axes`](Self::median_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_median_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<T>, ShapeError> {
        let op = "median";
        let (lanes, x) = self.try_lanes(op, &axes.into())?;
        x.try_gather(1, &x.try_middle(op)?)?.try_reshape(lanes.shape)
    }

    /// The lanes over these axes as the rows of a matrix, for an operation that has no value over nothing.
    pub(crate) fn try_lanes(&self, op: &'static str, axes: &Axes) -> Result<(Lanes, Tensor<T>), ShapeError> {
        let lanes = Lanes::new(op, self.shape(), axes)?;
        if lanes.len == 0 && lanes.shape.size() > 0 {
            return Err(ShapeError::Empty { op, shape: self.shape().clone() });
        }
        let x = lanes.bring(op, self)?.try_reshape([lanes.shape.size(), lanes.len])?;
        Ok((lanes, x))
    }

    /// Where the median of each row of this matrix is: `[rows, n] -> [rows, 1]`; the first NaN where there is one.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] when this is not a matrix, [`ShapeError::Empty`] when it has no columns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor};
    /// let x = Tensor::from([[3.0, 1.0, 2.0], [5.0, f64::NAN, 4.0]]);
    /// assert_eq!(x.try_argmedian_rows()?, Tensor::from([[2], [1]]));
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn try_argmedian_rows(&self) -> Result<Tensor<i64>, ShapeError> {
        let op = "median";
        let [rows, n] = **self.shape() else {
            return Err(ShapeError::Rank {
                op,
                shape: self.shape().clone(),
                expected: "a matrix, whose rows have medians",
            });
        };
        if n == 0 && rows > 0 {
            return Err(ShapeError::Empty { op, shape: self.shape().clone() });
        }
        self.try_middle(op)
    }

    fn try_middle(&self, op: &'static str) -> Result<Tensor<i64>, ShapeError> {
        let n = self.shape()[1];
        let mut copy = None;
        let x = self.try_dense(op, &mut copy)?;
        let mut numbers: Vec<usize> = try_room(op, n)?;
        Tensor::try_build(op, &crate::Shape::from([self.shape()[0], 1]), |y| {
            for (y, x) in y.iter_mut().zip(x.chunks_exact(n.max(1))) {
                let nan = x.iter().position(|x| x.partial_cmp(x).is_none());
                *y = nan.unwrap_or_else(|| {
                    numbers.clear();
                    numbers.extend(0..n);
                    let by_size = |&i: &usize, &j: &usize| order(&x[i], &x[j]).then(i.cmp(&j));
                    *numbers.select_nth_unstable_by((n - 1) / 2, by_size).1
                }) as i64;
            }
        })
    }
}

/// Between which two of `n` sorted values the quantile `q` lies, and how far from the first: NumPy's and PyTorch's
/// "linear".
///
/// # Errors
/// [`ShapeError::Parameter`] when `q` is not from 0 to 1.
#[doc(hidden)]
pub fn quantile_place(q: f64, n: usize) -> Result<(usize, usize, f64), ShapeError> {
    if !(0.0..=1.0).contains(&q) {
        return Err(ShapeError::Parameter { op: "quantile", name: "q", value: q, expected: "a number from 0 to 1" });
    }
    let place = q * n.saturating_sub(1) as f64;
    let below = place.floor() as usize;
    Ok((below, place.ceil() as usize, place - below as f64))
}

impl<F: FloatElement> Tensor<F> {
    /// The value below which the fraction `q` of all elements lies, interpolated linearly. NaN if there is one.
    ///
    /// Of `n` values in order it is the one at `q (n - 1)`: `quantile(0.0)` is the smallest, `quantile(1.0)` the
    /// largest, and `quantile(0.5)` of an even number of values the mean of the middle two.
    ///
    /// Shapes: `x: [..]`, a number. Source: R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", 1996,
    /// definition 7.
    ///
    /// # Panics
    /// When `q` is not from 0 to 1 or there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0, 1.0, 3.0, 2.0]).quantile(0.25), 1.75);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn quantile(&self, q: f64) -> F {
        self.quantile_axes(q, ()).item()
    }

    /// Quantiles over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When `q` is not from 0 to 1, an axis does not exist or is named twice, or there is nothing along the axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.quantile_axes(0.25, 1).to_vec(), [1.5, 3.5]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn quantile_axes(&self, q: f64, axes: impl Into<Axes>) -> Tensor<F> {
        self.try_quantile_axes(q, axes).or_panic()
    }

    /// As [`quantile_axes`](Self::quantile_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Parameter`], [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_quantile_axes(&self, q: f64, axes: impl Into<Axes>) -> Result<Tensor<F>, ShapeError> {
        let op = "quantile";
        let (lanes, x) = self.try_lanes(op, &axes.into())?;
        let (below, above, share) = quantile_place(q, lanes.len)?;
        let sorted = x.try_sort(1, false)?;
        let y = Tensor::try_build(op, &lanes.shape, |y| {
            let rows = sorted.as_slice().unwrap_or_default().chunks_exact(lanes.len.max(1));
            for (y, row) in y.iter_mut().zip(rows) {
                let (a, b) = (row[below], row[above]);
                let last = row[lanes.len - 1];
                // Infinities have no place between them, so a share of 0 is not multiplied with.
                *y = match (last.is_nan(), share == 0.0) {
                    (true, _) => last,
                    (_, true) => a,
                    _ => a + F::from_f64(share) * (b - a),
                };
            }
        })?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep;

    #[test]
    fn sorting_puts_nan_last_and_keeps_equal_elements_in_order() {
        let x = Tensor::from([[f64::NAN, 2.0, -1.0], [0.0, -0.0, 0.0]]);
        assert_eq!(x.argsort(1), Tensor::from([[2, 1, 0], [0, 1, 2]]));
        assert_eq!(x.try_argsort(1, true).unwrap(), Tensor::from([[0, 1, 2], [0, 1, 2]]));
        assert_eq!(x.t().argsort(0), x.argsort(1).t());
        assert_eq!(Tensor::from([3, 1, 2]).flip(0).sort(0).to_vec(), [1, 2, 3]);
        assert_eq!(*Tensor::<f32>::zeros([0, 3]).sort(0).shape(), [0, 3]);
    }

    #[test]
    fn the_largest_few_are_the_head_of_the_sorted() {
        let x = Tensor::from_fn([50], |i| ((i[0] * 37) % 11) as f64);
        let sorted = x.try_argsort(0, true).unwrap();
        for k in [0, 1, 7, 50] {
            assert_eq!(x.topk(k, 0).1, sorted.slice(0, ..k), "{k}");
        }
    }

    #[test]
    fn medians_are_elements_and_quantiles_lie_between() {
        let x = Tensor::from([[4.0, 1.0, 3.0, 2.0], [7.0, 7.0, 5.0, 6.0]]);
        assert_eq!(x.median_axes(1).to_vec(), [2.0, 6.0]);
        assert_eq!(x.median_axes(keep(0)), Tensor::from([[4.0, 1.0, 3.0, 2.0]]));
        assert_eq!(x.median(), 4.0);
        assert_eq!(x.quantile_axes(0.5, 1).to_vec(), [2.5, 6.5]);
        assert_eq!((x.quantile(0.0), x.quantile(1.0)), (1.0, 7.0));
        let infinite = Tensor::from([f64::NEG_INFINITY, f64::INFINITY]);
        assert_eq!(infinite.quantile(0.0), f64::NEG_INFINITY);
        assert!(Tensor::from([1.0, f64::NAN, 3.0]).median().is_nan());
        assert!(Tensor::from([1.0, f64::NAN, 3.0]).quantile(0.0).is_nan());
        assert_eq!(*Tensor::<f64>::zeros([0, 3]).median_axes(1).shape(), [0]);
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f64>::zeros([2, 3]);
        assert_eq!(
            x.try_topk(4, 1).unwrap_err().to_string(),
            "topk: range 0..4 leaves axis 1 of shape [2, 3], which has 3 entries"
        );
        assert_eq!(
            x.try_quantile_axes(1.5, 1).unwrap_err().to_string(),
            "quantile: q is 1.5; expected a number from 0 to 1"
        );
        assert!(x.try_quantile_axes(f64::NAN, 1).is_err());
        assert_eq!(
            Tensor::<f64>::zeros([2, 0]).try_median_axes(1).unwrap_err().to_string(),
            "median: shape [2, 0] leaves no elements to reduce, and the median of nothing is not defined; check `is_empty()` first"
        );
        assert_eq!(
            x.try_sort(2, false).unwrap_err().to_string(),
            "sort: axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end"
        );
    }
}
