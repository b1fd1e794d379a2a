//! Running sums, products and extremes along an axis, and the recurrence that products and their derivatives are made
//! of.

use crate::axis::Axis;
use crate::element::{Element, FloatElement, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::tensor::{Tensor, try_room};

/// `shape` as `[outer, n, inner]` around `axis`.
fn around<T: Element>(x: &Tensor<T>, axis: usize) -> [usize; 3] {
    let size = |dims: &[usize]| dims.iter().product::<usize>();
    [size(&x.shape()[..axis]), x.shape()[axis], size(&x.shape()[axis + 1..])]
}

impl<F: FloatElement> Tensor<F> {
    /// Running sums along `axis`: `y_k = x_0 + .. + x_k`. Single precision is summed in double.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0, 3.0]).cumsum(0).to_vec(), [1.0, 3.0, 6.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cumsum(&self, axis: impl Into<Axis>) -> Tensor<F> {
        self.try_cumsum(axis, false).or_panic()
    }

    /// As [`cumsum`](Self::cumsum), with an error instead of a panic; from the end of the axis if `reverse`.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_cumsum(&self, axis: impl Into<Axis>, reverse: bool) -> Result<Tensor<F>, ShapeError> {
        let op = "cumsum";
        let axis = axis.into().resolve(op, self.shape())?;
        let [_, n, inner] = around(self, axis);
        let mut copy = None;
        let x = self.try_dense(op, &mut copy)?;
        let mut sums: Vec<f64> = try_room(op, inner)?;
        sums.resize(inner, 0.0);
        Tensor::try_build(op, self.shape(), |y| {
            if y.is_empty() {
                return;
            }
            for (y, x) in y.chunks_exact_mut(n * inner).zip(x.chunks_exact(n * inner)) {
                sums.fill(0.0);
                for k in in_order(n, reverse) {
                    let row = k * inner..(k + 1) * inner;
                    for ((y, x), sum) in y[row.clone()].iter_mut().zip(&x[row]).zip(&mut sums) {
                        *sum += x.to_f64();
                        *y = F::from_f64(*sum);
                    }
                }
            }
        })
    }

    /// Running products along `axis`: `y_k = x_0 .. x_k`.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([2.0, 3.0, 0.0, 5.0]).cumprod(0).to_vec(), [2.0, 6.0, 0.0, 0.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cumprod(&self, axis: impl Into<Axis>) -> Tensor<F> {
        self.try_cumprod(axis).or_panic()
    }

    /// As [`cumprod`](Self::cumprod), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_cumprod(&self, axis: impl Into<Axis>) -> Result<Tensor<F>, ShapeError> {
        let op = "cumprod";
        let axis = axis.into().resolve(op, self.shape())?;
        let [_, n, inner] = around(self, axis);
        let mut y = self.try_copy(op)?;
        if !y.is_empty() {
            for y in y.fresh_mut().chunks_exact_mut(n * inner) {
                for i in inner..n * inner {
                    let before = y[i - inner];
                    y[i] *= before;
                }
            }
        }
        Ok(y)
    }

    /// The linear recurrence `y_k = a_k y_(k-1) + b_k` along `axis`, which starts at `y_0 = b_0`; `a_0` is not used.
    ///
    /// If `reverse`, it runs from the end: `y_k = a_k y_(k+1) + b_k`. If `lagged`, the factor is the one of the entry
    /// it comes from: `y_k = a_(k-1) y_(k-1) + b_k`. These four are each other's derivatives. `O(n)`.
    ///
    /// Shapes: `a`, `b` and the result `[.., n, ..]`.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], or [`ShapeError::Unequal`] when `a` and `b` have different shapes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::full([4], 0.5), Tensor::from([8.0, 0.0, 0.0, 1.0]));
    /// assert_eq!(Tensor::try_recurrence(&a, &b, 0, false, false).unwrap().to_vec(), [8.0, 4.0, 2.0, 2.0]);
    /// ```
    pub fn try_recurrence(
        a: &Tensor<F>,
        b: &Tensor<F>,
        axis: impl Into<Axis>,
        reverse: bool,
        lagged: bool,
    ) -> Result<Tensor<F>, ShapeError> {
        let op = "recurrence";
        if a.shape() != b.shape() {
            return Err(ShapeError::Unequal { op, lhs: a.shape().clone(), rhs: b.shape().clone() });
        }
        let axis = axis.into().resolve(op, a.shape())?;
        let [_, n, inner] = around(a, axis);
        let mut copy = None;
        let a = a.try_dense(op, &mut copy)?;
        let mut y = b.try_copy(op)?;
        if !y.is_empty() {
            for (y, a) in y.fresh_mut().chunks_exact_mut(n * inner).zip(a.chunks_exact(n * inner)) {
                let mut before = None;
                for k in in_order(n, reverse) {
                    if let Some(before) = before {
                        let factor = if lagged { before } else { k };
                        for i in 0..inner {
                            let (y_before, a) = (y[before * inner + i], a[factor * inner + i]);
                            y[k * inner + i] += a * y_before;
                        }
                    }
                    before = Some(k);
                }
            }
        }
        Ok(y)
    }
}

/// The numbers below `n`, upwards or downwards.
fn in_order(n: usize, reverse: bool) -> impl Iterator<Item = usize> {
    (0..n).map(move |k| if reverse { n - 1 - k } else { k })
}

impl<T: Numeric> Tensor<T> {
    /// The largest elements so far along `axis`, and where they are. The first of equal ones; NaN stays once it came
    /// up.
    ///
    /// Shapes: both results like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (y, index) = Tensor::from([1.0, 3.0, 2.0, 3.0]).cummax(0);
    /// assert_eq!(y.to_vec(), [1.0, 3.0, 3.0, 3.0]);
    /// assert_eq!(index.to_vec(), [0, 1, 1, 1]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cummax(&self, axis: impl Into<Axis>) -> (Tensor<T>, Tensor<i64>) {
        self.try_cummax(axis).or_panic()
    }

    /// As [`cummax`](Self::cummax), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_cummax(&self, axis: impl Into<Axis>) -> Result<(Tensor<T>, Tensor<i64>), ShapeError> {
        self.try_cumulative_extreme("cummax", axis.into(), |x, best| x > best)
    }

    /// The smallest elements so far along `axis`, and where they are. The first of equal ones; NaN stays once it came
    /// up.
    ///
    /// Shapes: both results like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (y, places) = Tensor::from([3.0, 1.0, 2.0]).cummin(0);
    /// assert_eq!((y.to_vec(), places.to_vec()), (vec![3.0, 1.0, 1.0], vec![0, 1, 1]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn cummin(&self, axis: impl Into<Axis>) -> (Tensor<T>, Tensor<i64>) {
        self.try_cummin(axis).or_panic()
    }

    /// As [`cummin`](Self::cummin), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_cummin(&self, axis: impl Into<Axis>) -> Result<(Tensor<T>, Tensor<i64>), ShapeError> {
        self.try_cumulative_extreme("cummin", axis.into(), |x, best| x < best)
    }

    fn try_cumulative_extreme(
        &self,
        op: &'static str,
        axis: Axis,
        better: impl Fn(&T, &T) -> bool,
    ) -> Result<(Tensor<T>, Tensor<i64>), ShapeError> {
        let axis = axis.resolve(op, self.shape())?;
        let [_, n, inner] = around(self, axis);
        let mut y = self.try_copy(op)?;
        let mut index = Tensor::try_zeros_for(op, self.shape().clone())?;
        if !y.is_empty() {
            let blocks = y.fresh_mut().chunks_exact_mut(n * inner).zip(index.fresh_mut().chunks_exact_mut(n * inner));
            for (y, index) in blocks {
                for i in inner..n * inner {
                    let (x, best) = (y[i], y[i - inner]);
                    let is_nan = |x: &T| x.partial_cmp(x).is_none();
                    if better(&x, &best) || is_nan(&x) && !is_nan(&best) {
                        index[i] = (i / inner) as i64;
                    } else {
                        (y[i], index[i]) = (best, index[i - inner]);
                    }
                }
            }
        }
        Ok((y, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_values_go_along_any_axis() {
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(x.cumsum(0), Tensor::from([[1.0, 2.0, 3.0], [5.0, 7.0, 9.0]]));
        assert_eq!(x.t().cumsum(0), Tensor::from([[1.0, 4.0], [3.0, 9.0], [6.0, 15.0]]));
        assert_eq!(x.try_cumsum(1, true).unwrap(), Tensor::from([[6.0, 5.0, 3.0], [15.0, 11.0, 6.0]]));
        assert_eq!(x.cumprod(-1), Tensor::from([[1.0, 2.0, 6.0], [4.0, 20.0, 120.0]]));
        assert_eq!(x.flip(0).cummax(0).0, Tensor::from([[4.0, 5.0, 6.0], [4.0, 5.0, 6.0]]));
        for empty in [[0, 3], [3, 0]] {
            let x = Tensor::<f64>::zeros(empty);
            assert_eq!((x.cumsum(0).shape(), x.cumprod(1).shape()), (x.shape(), x.shape()));
        }
    }

    #[test]
    fn single_precision_sums_keep_their_digits() {
        let y = Tensor::<f32>::full([1_000_000], 0.1).cumsum(0);
        assert!((f64::from(y.at([999_999])) / (f64::from(0.1_f32) * 1e6) - 1.0).abs() < 1e-7);
    }

    #[test]
    fn the_four_recurrences_are_what_they_say() {
        let (a, b) = (Tensor::from([2.0, 3.0, 5.0]), Tensor::from([1.0, 10.0, 100.0]));
        let run = |reverse, lagged| Tensor::try_recurrence(&a, &b, 0, reverse, lagged).unwrap().to_vec();
        assert_eq!(run(false, false), [1.0, 13.0, 165.0]); // 10 + 3 * 1, 100 + 5 * 13
        assert_eq!(run(false, true), [1.0, 12.0, 136.0]); // 10 + 2 * 1, 100 + 3 * 12
        assert_eq!(run(true, false), [621.0, 310.0, 100.0]); // 10 + 3 * 100, 1 + 2 * 310
        assert_eq!(run(true, true), [1531.0, 510.0, 100.0]); // 10 + 5 * 100, 1 + 3 * 510
    }

    #[test]
    fn running_extremes_take_the_first_of_equals_and_keep_nan() {
        let nan = f64::NAN;
        let (y, index) = Tensor::from([1.0, 1.0, nan, 5.0, nan]).cummax(0);
        assert_eq!(index.to_vec(), [0, 0, 2, 2, 2]);
        assert_eq!(y.map(f64::is_nan).to_vec(), [false, false, true, true, true]);
        assert_eq!(Tensor::from([3, 3, 1, 2]).cummin(0).1.to_vec(), [0, 0, 2, 2]);
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f64>::zeros([2, 3]);
        let axis = "axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end";
        assert_eq!(x.try_cumsum(2, false).unwrap_err().to_string(), format!("cumsum: {axis}"));
        assert_eq!(x.try_cumprod(2).unwrap_err().to_string(), format!("cumprod: {axis}"));
        assert_eq!(x.try_cummax(2).unwrap_err().to_string(), format!("cummax: {axis}"));
        assert_eq!(
            Tensor::try_recurrence(&x, &Tensor::zeros([3]), 0, false, false).unwrap_err().to_string(),
            "recurrence: shapes [2, 3] and [3] differ; they must be equal"
        );
    }
}
