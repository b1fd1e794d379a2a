//! Products, variances, norms and counts, over everything or over axes.

use wengert_kernels::{BinaryFunctions, Par, reduce};

use crate::axis::Axes;
use crate::element::{Element, FloatElement, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::lanes::Lanes;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What a norm refuses: an order below 1, axes that do not exist, the largest element of nothing.
#[doc(hidden)]
pub fn check_norm(shape: &Shape, p: f64, axes: &Axes) -> Result<(), ShapeError> {
    let op = "norm";
    if p.is_nan() || p < 1.0 {
        let expected = "1, 2, another number above 1, or infinity";
        return Err(ShapeError::Parameter { op, name: "p", value: p, expected });
    }
    let named = axes.resolve(op, shape)?;
    let is_empty = |along: bool| shape.iter().zip(&named).any(|(&n, &named)| named == along && n == 0);
    if p.is_infinite() && is_empty(true) && !is_empty(false) {
        return Err(ShapeError::Empty { op, shape: shape.clone() });
    }
    Ok(())
}

impl<F: FloatElement> Tensor<F> {
    /// The product of all elements; 1 when there are none.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When a view has to be copied and there is no memory.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([2.0, 3.0, 4.0]).prod(), 24.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn prod(&self) -> F {
        self.prod_axes(()).item()
    }

    /// Products over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.prod_axes(0).to_vec(), [3.0, 8.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn prod_axes(&self, axes: impl Into<Axes>) -> Tensor<F> {
        self.try_prod_axes(axes).or_panic()
    }

    /// As [`prod_axes`](Self::prod_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::RepeatedAxis`].
    pub fn try_prod_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<F>, ShapeError> {
        self.try_each_lane("prod", &axes.into(), |lane| lane.iter().fold(F::from_index(1), |product, &x| product * x))
    }

    /// The variance of all elements: `sum (x - mean)^2 / (n - correction)`. A correction of 1 gives the unbiased
    /// estimate from a sample, 0 the variance of a whole population.
    ///
    /// The mean is taken first, so that values far from 0 keep their digits.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are not more elements than `correction`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1e8, 1e8 + 1.0, 1e8 + 2.0]).variance(1.0), 1.0);
    /// ```
    #[doc(alias = "var")]
    #[must_use]
    #[track_caller]
    pub fn variance(&self, correction: f64) -> F {
        self.variance_axes((), correction).item()
    }

    /// Variances over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there are not more elements along the axes than `correction`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.variance_axes(0, 1.0).to_vec(), [2.0, 2.0]);
    /// ```
    #[doc(alias = "var")]
    #[must_use]
    #[track_caller]
    pub fn variance_axes(&self, axes: impl Into<Axes>, correction: f64) -> Tensor<F> {
        self.try_variance_axes(axes, correction).or_panic()
    }

    /// As [`variance_axes`](Self::variance_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`], [`ShapeError::TooFew`], or [`ShapeError::Parameter`] when
    /// the correction is not a number.
    pub fn try_variance_axes(&self, axes: impl Into<Axes>, correction: f64) -> Result<Tensor<F>, ShapeError> {
        let (op, axes) = ("variance", axes.into());
        let terms = self.try_degrees(op, &axes, correction)?;
        self.try_each_lane(op, &axes, |lane| {
            let mean = reduce::sum(lane, Par::current()) / F::from_index(lane.len());
            let deviations: Vec<F> = lane.iter().map(|&x| (x - mean) * (x - mean)).collect();
            F::from_f64(reduce::sum(&deviations, Par::current()).to_f64() / terms)
        })
    }

    /// The standard deviation of all elements, the root of the [`variance`](Self::variance).
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are not more elements than `correction`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([1.0, 3.0]);
    /// assert_eq!(x.std(0.0), 1.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn std(&self, correction: f64) -> F {
        self.std_axes((), correction).item()
    }

    /// Standard deviations over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// As [`variance_axes`](Self::variance_axes).
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.std_axes(0, 0.0).to_vec(), [1.0, 1.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn std_axes(&self, axes: impl Into<Axes>, correction: f64) -> Tensor<F> {
        self.try_std_axes(axes, correction).or_panic()
    }

    /// As [`std_axes`](Self::std_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_variance_axes`](Self::try_variance_axes).
    pub fn try_std_axes(&self, axes: impl Into<Axes>, correction: f64) -> Result<Tensor<F>, ShapeError> {
        let (op, axes) = ("std", axes.into());
        let terms = self.try_degrees(op, &axes, correction)?;
        self.try_each_lane(op, &axes, |lane| {
            let mean = reduce::sum(lane, Par::current()) / F::from_index(lane.len());
            let deviations: Vec<F> = lane.iter().map(|&x| x - mean).collect();
            F::from_f64(reduce::norm2(&deviations, Par::current()).to_f64() / terms.sqrt())
        })
    }

    /// What the sum of squares of a variance is divided by.
    #[doc(hidden)]
    pub fn try_degrees(&self, op: &'static str, axes: &Axes, correction: f64) -> Result<f64, ShapeError> {
        let reduced = axes.resolve(op, self.shape())?;
        let given: usize = self.shape().iter().zip(&reduced).filter(|(_, r)| **r).map(|(&n, _)| n).product();
        if correction.is_nan() || correction < 0.0 {
            let expected = "a number that is not negative";
            return Err(ShapeError::Parameter { op, name: "correction", value: correction, expected });
        }
        match given as f64 > correction {
            true => Ok(given as f64 - correction),
            false => Err(ShapeError::TooFew { op, given, correction, shape: self.shape().clone() }),
        }
    }

    /// The norm `(sum |x|^p)^(1/p)` of all elements as one vector: 1 for the sum of absolute values, 2 for the length,
    /// infinity for the largest absolute value. Neither overflows nor underflows on the way; 0 when there are no
    /// elements.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When `p` is less than 1, or infinite and there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([3.0, -4.0]);
    /// assert_eq!((x.norm(1.0), x.norm(2.0), x.norm(f64::INFINITY)), (7.0, 5.0, 4.0));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn norm(&self, p: f64) -> F {
        self.norm_axes(p, ()).item()
    }

    /// Norms over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When `p` is less than 1, or infinite and there is nothing along the axes; when an axis does not exist or is
    /// named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.norm_axes(1.0, 0).to_vec(), [4.0, 6.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn norm_axes(&self, p: f64, axes: impl Into<Axes>) -> Tensor<F> {
        self.try_norm_axes(p, axes).or_panic()
    }

    /// As [`norm_axes`](Self::norm_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Parameter`], [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_norm_axes(&self, p: f64, axes: impl Into<Axes>) -> Result<Tensor<F>, ShapeError> {
        let (op, axes) = ("norm", axes.into());
        check_norm(self.shape(), p, &axes)?;
        if p == 2.0 {
            return self.try_norm2_axes(axes);
        }
        let sizes = self.try_map(|x| if x.is_nan() { x } else { F::from_f64(x.to_f64().abs()) })?;
        if p == 1.0 {
            return sizes.try_sum_axes(axes);
        }
        if p.is_infinite() {
            return sizes.try_max_axes(axes);
        }
        sizes.try_each_lane(op, &axes, |lane| {
            // Relative to the largest, whose power is 1.
            let largest =
                lane.iter().fold(0.0, |largest: f64, x| if x.to_f64() > largest { x.to_f64() } else { largest });
            if largest == 0.0 || largest.is_infinite() {
                return lane.iter().copied().find(|x| x.is_nan()).unwrap_or(F::from_f64(largest));
            }
            let sum: f64 = lane.iter().map(|x| BinaryFunctions::powf(x.to_f64() / largest, p)).sum();
            F::from_f64(largest * BinaryFunctions::powf(sum, 1.0 / p))
        })
    }
}

impl<T: Numeric> Tensor<T> {
    /// One number for each lane over these axes.
    fn try_each_lane<U: Element>(
        &self,
        op: &'static str,
        axes: &Axes,
        f: impl Fn(&[T]) -> U,
    ) -> Result<Tensor<U>, ShapeError> {
        let lanes = Lanes::new(op, self.shape(), axes)?;
        let x = lanes.bring(op, self)?;
        let x = x.as_slice().unwrap_or_default();
        Tensor::try_build(op, &lanes.shape, |y| {
            for (k, y) in y.iter_mut().enumerate() {
                *y = f(&x[k * lanes.len..][..lanes.len]);
            }
        })
    }

    /// How many elements are not 0; NaN is not.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When a view has to be copied and there is no memory.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0, 2.0, -0.0, 1.0]).count_nonzero(), 2);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn count_nonzero(&self) -> usize {
        self.count_nonzero_axes(()).item() as usize
    }

    /// How many elements over axes are not 0.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 0.0], [3.0, 0.0]]);
    /// assert_eq!(x.count_nonzero_axes(0).to_vec(), [2, 0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn count_nonzero_axes(&self, axes: impl Into<Axes>) -> Tensor<i64> {
        self.try_count_nonzero_axes(axes).or_panic()
    }

    /// As [`count_nonzero_axes`](Self::count_nonzero_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::RepeatedAxis`].
    pub fn try_count_nonzero_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<i64>, ShapeError> {
        let zero = T::from_index(0);
        self.try_each_lane("count_nonzero", &axes.into(), |lane| lane.iter().filter(|&&x| x != zero).count() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep;

    #[test]
    fn products_and_counts_over_axes_of_any_layout() {
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 0.0, 6.0]]);
        assert_eq!(x.prod_axes(0).to_vec(), [4.0, 0.0, 18.0]);
        assert_eq!(x.t().prod_axes(keep(0)), Tensor::from([[6.0, 0.0]]));
        assert_eq!(x.count_nonzero_axes(0).to_vec(), [2, 1, 2]);
        assert_eq!(Tensor::<f64>::zeros([0, 2]).prod_axes(0).to_vec(), [1.0, 1.0]);
        assert_eq!(*Tensor::<f64>::zeros([0, 2]).prod_axes(1).shape(), [0]);
        let cube = Tensor::<f64>::ones([2, 3, 4]) * 2.0;
        assert_eq!(cube.prod_axes([0, 2]).to_vec(), [256.0; 3]);
    }

    #[test]
    fn spreads_are_those_of_the_definition() {
        let x = Tensor::<f64>::from([[1.0, 2.0, 3.0, 6.0]]);
        assert_eq!(x.variance(0.0), 3.5);
        assert_eq!(x.variance_axes(1, 1.0).to_vec(), [14.0 / 3.0]);
        assert!((x.std(1.0) - (14.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(x.variance_axes(0, 0.0).to_vec(), [0.0; 4]);
        assert!((Tensor::<f64>::from([0.0, 2e200]).std(0.0) / 1e200 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn norms_of_every_order() {
        let x = Tensor::<f64>::from([[1.0, -2.0], [2.0, 0.0]]);
        assert_eq!(x.norm_axes(1.0, 0).to_vec(), [3.0, 2.0]);
        assert_eq!(x.norm_axes(f64::INFINITY, 1).to_vec(), [2.0, 2.0]);
        assert!((x.norm(3.0) - 17.0_f64.cbrt()).abs() < 1e-15);
        assert!((Tensor::<f64>::from([1e200, 1e200]).norm(3.0) / (2.0_f64.cbrt() * 1e200) - 1.0).abs() < 1e-15);
        assert_eq!(Tensor::<f64>::zeros([3]).norm(1.5), 0.0);
        assert!(Tensor::<f64>::from([f64::NAN, 0.0]).norm(1.5).is_nan());
        for p in [1.0, 1.5, 2.0] {
            assert_eq!(Tensor::<f64>::zeros([0, 2]).norm_axes(p, 0).to_vec(), [0.0, 0.0]);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f64>::zeros([1, 3]);
        assert_eq!(
            x.try_variance_axes(0, 1.0).unwrap_err().to_string(),
            "variance: shape [1, 3] leaves 1 value for a result, and correction 1 needs more than that; reduce over more, or correct by less"
        );
        assert_eq!(
            x.try_std_axes(1, f64::NAN).unwrap_err().to_string(),
            "std: correction is NaN; expected a number that is not negative"
        );
        assert_eq!(
            x.try_norm_axes(0.5, 1).unwrap_err().to_string(),
            "norm: p is 0.5; expected 1, 2, another number above 1, or infinity"
        );
        assert_eq!(
            x.try_prod_axes([0, 0]).unwrap_err().to_string(),
            "prod: axis 0 of shape [1, 3] is named twice; name each axis once"
        );
    }
}
