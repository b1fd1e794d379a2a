//! Normalisation of rows: layer, root-mean-square and group normalisation, and what the others are made of.

use wengert_kernels::Par;
use wengert_kernels::normalize as kernel;
use wengert_kernels::normalize::{STATISTICS, Standard};

use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The rows, and their length, of a shape that ends in `features`.
fn rows_of(op: &'static str, shape: &Shape, features: &Shape) -> Result<[usize; 2], ShapeError> {
    let lead = shape.rank().checked_sub(features.rank()).filter(|&lead| shape[lead..] == features[..]);
    match lead {
        Some(lead) if features.rank() > 0 => Ok([shape[..lead].iter().product(), features.size()]),
        _ => Err(ShapeError::Features { op, shape: shape.clone(), features: features.clone() }),
    }
}

fn same(op: &'static str, lhs: &Shape, rhs: &Shape) -> Result<(), ShapeError> {
    if lhs == rhs { Ok(()) } else { Err(ShapeError::Unequal { op, lhs: lhs.clone(), rhs: rhs.clone() }) }
}

/// The elements of a weight or bias; none of none.
fn elements<'a, F: FloatElement>(
    op: &'static str,
    x: Option<&'a Tensor<F>>,
    copy: &'a mut Option<Tensor<F>>,
) -> Result<&'a [F], ShapeError> {
    match x {
        Some(x) => x.try_dense(op, copy),
        None => Ok(&[]),
    }
}

/// Checks what is added to a variance.
#[doc(hidden)]
pub fn check_epsilon(op: &'static str, epsilon: f64) -> Result<(), ShapeError> {
    if epsilon >= 0.0 && epsilon.is_finite() {
        return Ok(());
    }
    Err(ShapeError::Parameter { op, name: "epsilon", value: epsilon, expected: "a number from 0 up, 1e-5 say" })
}

/// The channels of `[n, channels, ..]`, if they are a multiple of `groups`.
#[doc(hidden)]
pub fn check_groups(op: &'static str, shape: &Shape, groups: usize) -> Result<usize, ShapeError> {
    let [_, channels, ..] = **shape else {
        return Err(ShapeError::Rank { op, shape: shape.clone(), expected: "two at least, [n, channels, ..]" });
    };
    match channels.checked_rem(groups) {
        Some(0) => Ok(channels),
        _ => Err(ShapeError::ChannelGroups { op, shape: shape.clone(), groups }),
    }
}

/// The rows of `[n, channels, ..]` that groups of channels are, and their length. Of nothing there may be more rows than
/// can be counted.
#[doc(hidden)]
pub fn group_rows(shape: &Shape, channels: usize, groups: usize) -> [usize; 2] {
    [shape[0].saturating_mul(groups), (channels / groups).saturating_mul(Shape::from(&shape[2..]).size())]
}

/// What flows back through a standardisation: to the rows, the weight and the bias.
#[doc(hidden)]
pub type Standardized<F> = (Tensor<F>, Option<Tensor<F>>, Option<Tensor<F>>);

impl<F: FloatElement> Tensor<F> {
    /// Rows of mean 0 and variance 1, over the last axes: `y = (x - mean)/sqrt(variance + epsilon) weight + bias`.
    ///
    /// Shapes: `x: [.., features]`, `weight` and `bias`, where there are any: `features`. The variance is that of a
    /// whole population; a row of equal numbers becomes exactly 0 before the bias. Without `epsilon` such a row is NaN.
    ///
    /// Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016.
    ///
    /// # Panics
    /// With the text of the error that [`try_layer_norm`](Self::try_layer_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [7.0, 5.0]]);
    /// assert_eq!(x.layer_norm([2], None, None, 0.0), Tensor::from([[-1.0, 1.0], [1.0, -1.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn layer_norm(
        &self,
        features: impl Into<Shape>,
        weight: Option<&Tensor<F>>,
        bias: Option<&Tensor<F>>,
        epsilon: f64,
    ) -> Tensor<F> {
        self.try_layer_norm(features, weight, bias, epsilon).or_panic()
    }

    /// As [`layer_norm`](Self::layer_norm), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Features`] if the shape does not end in `features`, [`ShapeError::Unequal`] if weight or bias have
    /// another shape, [`ShapeError::Parameter`] if `epsilon` is negative or not finite.
    pub fn try_layer_norm(
        &self,
        features: impl Into<Shape>,
        weight: Option<&Tensor<F>>,
        bias: Option<&Tensor<F>>,
        epsilon: f64,
    ) -> Result<Tensor<F>, ShapeError> {
        let standard = Standard { centred: true, epsilon };
        Ok(self.try_standardize("layer_norm", &features.into(), standard, weight, bias, None)?.0)
    }

    /// Rows of mean square 1, over the last axes: `y = x/sqrt(mean(x^2) + epsilon) weight`.
    ///
    /// Shapes: `x: [.., features]`, `weight: features`. Source: B. Zhang and R. Sennrich, "Root mean square layer
    /// normalization", 2019.
    ///
    /// # Panics
    /// With the text of the error that [`try_rms_norm`](Self::try_rms_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[3.0, -3.0], [0.0, 0.0]]);
    /// assert_eq!(x.rms_norm([2], None, 1e-300), Tensor::from([[1.0, -1.0], [0.0, 0.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn rms_norm(&self, features: impl Into<Shape>, weight: Option<&Tensor<F>>, epsilon: f64) -> Tensor<F> {
        self.try_rms_norm(features, weight, epsilon).or_panic()
    }

    /// As [`rms_norm`](Self::rms_norm), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_layer_norm`](Self::try_layer_norm).
    pub fn try_rms_norm(
        &self,
        features: impl Into<Shape>,
        weight: Option<&Tensor<F>>,
        epsilon: f64,
    ) -> Result<Tensor<F>, ShapeError> {
        let standard = Standard { centred: false, epsilon };
        Ok(self.try_standardize("rms_norm", &features.into(), standard, weight, None, None)?.0)
    }

    /// Groups of channels of mean 0 and variance 1, image by image.
    ///
    /// Shapes: `x: [n, channels, ..]`, with `channels` a multiple of `groups`. With one group it is a layer
    /// normalisation of whole images, with as many as channels an instance normalisation. Source: Y. Wu and K. He,
    /// "Group normalization", 2018.
    ///
    /// # Panics
    /// With the text of the error that [`try_group_norm`](Self::try_group_norm) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0, 10.0, 30.0]]);
    /// assert_eq!(x.group_norm(2, 0.0).to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn group_norm(&self, groups: usize, epsilon: f64) -> Tensor<F> {
        self.try_group_norm(groups, epsilon).or_panic()
    }

    /// As [`group_norm`](Self::group_norm), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] if there is no axis of channels, [`ShapeError::ChannelGroups`] if `groups` does not divide
    /// them, [`ShapeError::Parameter`] if `epsilon` is negative or not finite.
    pub fn try_group_norm(&self, groups: usize, epsilon: f64) -> Result<Tensor<F>, ShapeError> {
        let op = "group_norm";
        let channels = check_groups(op, self.shape(), groups)?;
        let [rows, width] = group_rows(self.shape(), channels, groups);
        let rows = self.try_reshape([rows, width])?;
        let standard = Standard { centred: true, epsilon };
        rows.try_standardize(op, &Shape::from([width]), standard, None, None, None)?.0.try_reshape(self.shape())
    }

    /// Standardised rows, and the statistics the pullback reads; given the latter they are not computed again.
    #[doc(hidden)]
    pub fn try_standardize(
        &self,
        op: &'static str,
        features: &Shape,
        standard: Standard,
        weight: Option<&Tensor<F>>,
        bias: Option<&Tensor<F>>,
        stats: Option<&Tensor<F>>,
    ) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let [rows, n] = rows_of(op, self.shape(), features)?;
        check_epsilon(op, standard.epsilon)?;
        for of_columns in [weight, bias].into_iter().flatten() {
            same(op, of_columns.shape(), features)?;
        }
        let (mut x_copy, mut w_copy, mut b_copy) = (None, None, None);
        let x = self.try_dense(op, &mut x_copy)?;
        let (w, b) = (elements(op, weight, &mut w_copy)?, elements(op, bias, &mut b_copy)?);
        let rows = if n == 0 { 0 } else { rows };
        if let Some(stats) = stats {
            let y = Tensor::try_build(op, self.shape(), |y| {
                kernel::apply(x, n, w, b, stats.as_slice().unwrap_or_default(), y, Par::current());
            })?;
            return Ok((y, stats.clone()));
        }
        let mut y = Tensor::try_scratch_for(op, self.shape().clone())?;
        let stats = Tensor::try_build(op, &Shape::from([rows, STATISTICS]), |stats| {
            kernel::standardize(standard, x, n, w, b, y.fresh_mut(), stats, Par::current());
        })?;
        Ok((y, stats))
    }

    /// The statistics of the rows of a matrix, `[rows, 4]`: the mean and what its rounding leaves, the reciprocal
    /// deviation, the variance.
    #[doc(hidden)]
    pub fn try_statistics(&self, op: &'static str, standard: Standard) -> Result<Tensor<F>, ShapeError> {
        check_epsilon(op, standard.epsilon)?;
        let [rows, n] = **self.shape() else {
            return Err(ShapeError::Rank { op, shape: self.shape().clone(), expected: "a matrix" });
        };
        let mut copy = None;
        let x = self.try_dense(op, &mut copy)?;
        let rows = if n == 0 { 0 } else { rows };
        Tensor::try_build(op, &Shape::from([rows, STATISTICS]), |stats| {
            kernel::statistics(standard, x, n, stats, Par::current());
        })
    }

    /// The pullback of [`try_standardize`](Self::try_standardize); weight and bias get theirs where there are any.
    #[doc(hidden)]
    #[expect(clippy::too_many_arguments, reason = "operands and cotangents of one pass")]
    pub fn standardize_vjp(
        &self,
        op: &'static str,
        features: &Shape,
        standard: Standard,
        weight: Option<&Tensor<F>>,
        with_bias: bool,
        stats: &Tensor<F>,
        y_bar: &Tensor<F>,
    ) -> Result<Standardized<F>, ShapeError> {
        let [_, n] = rows_of(op, self.shape(), features)?;
        same(op, self.shape(), y_bar.shape())?;
        let mut copies = (None, None, None, None);
        let x = self.try_dense(op, &mut copies.0)?;
        let w = elements(op, weight, &mut copies.1)?;
        let y_bar = y_bar.try_dense(op, &mut copies.2)?;
        let stats = stats.try_dense(op, &mut copies.3)?;
        let columns = |wanted: bool| match wanted {
            true => Tensor::try_scratch_for(op, features.clone()).map(Some),
            false => Ok(None),
        };
        let (mut w_bar, mut b_bar) = (columns(weight.is_some())?, columns(with_bias)?);
        let x_bar = Tensor::try_build(op, self.shape(), |x_bar| {
            let w_bar = w_bar.as_mut().map(Tensor::fresh_mut).unwrap_or_default();
            let b_bar = b_bar.as_mut().map(Tensor::fresh_mut).unwrap_or_default();
            kernel::standardize_vjp(standard, x, n, w, stats, y_bar, x_bar, w_bar, b_bar, Par::current());
        })?;
        Ok((x_bar, w_bar, b_bar))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn views_are_normalised_as_their_copies() {
        let x = Tensor::<f64>::normal([4, 3, 5], 1.0, 2.0, &mut rng(3));
        let (w, b) = (Tensor::normal([3, 5], 1.0, 0.1, &mut rng(4)), Tensor::normal([3, 5], 0.0, 1.0, &mut rng(5)));
        let view = x.permute([2, 1, 0]);
        let y = view.layer_norm([3, 4], None, None, 1e-5);
        assert_eq!(y, view.to_contiguous().layer_norm([3, 4], None, None, 1e-5));
        let rows = y.reshape([5, 12]);
        assert!(rows.mean_axes(1).iter().all(|mean| mean.abs() < 1e-15));
        assert!(rows.variance_axes(1, 0.0).iter().all(|variance| (variance - 1.0).abs() < 1e-5));
        let scaled = x.layer_norm([3, 5], Some(&w.t().to_contiguous().t()), Some(&b), 1e-5);
        let plain = x.layer_norm([3, 5], None, None, 1e-5) * &w + &b;
        assert!((scaled - plain).abs().max() < 1e-15);
        assert_eq!(x.group_norm(1, 1e-5), x.layer_norm([3, 5], None, None, 1e-5));
        assert_eq!(x.group_norm(3, 1e-5), x.layer_norm([5], None, None, 1e-5));
    }

    #[test]
    fn nothing_to_normalise_stays_nothing() {
        for shape in [[0, 3], [2, 0]] {
            let x = Tensor::<f32>::zeros(shape);
            assert_eq!(*x.layer_norm([shape[1]], None, None, 1e-5).shape(), shape);
            assert_eq!(*x.group_norm(1, 1e-5).shape(), shape);
        }
        // Any number of groups can share no channels.
        assert_eq!(*Tensor::<f32>::zeros([2, 0]).group_norm(usize::MAX, 1e-5).shape(), [2, 0]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let x = Tensor::<f32>::zeros([2, 6]);
        let text = |result: Result<Tensor<f32>, ShapeError>| result.unwrap_err().to_string();
        let (w, none) = (Tensor::zeros([2]), None);
        assert_eq!(
            text(x.try_layer_norm([4], none, none, 1e-5)),
            "layer_norm: shape [2, 6] does not end in [4]; give the sizes of its last axes, of one at least"
        );
        assert!(text(x.try_rms_norm(Shape::from([]), none, 1e-5)).contains("does not end in []"));
        assert!(text(x.try_layer_norm([1, 2, 6], none, none, 1e-5)).contains("does not end in [1, 2, 6]"));
        assert_eq!(
            text(x.try_layer_norm([6], Some(&w), none, 1e-5)),
            "layer_norm: shapes [2] and [6] differ; they must be equal"
        );
        assert_eq!(
            text(x.try_group_norm(4, 1e-5)),
            "group_norm: axis 1 of shape [2, 6] has 6 channels, which 4 groups cannot share evenly; choose a divisor of 6"
        );
        assert!(text(x.try_group_norm(0, 1e-5)).contains("0 groups"));
        assert!(text(Tensor::zeros([3]).try_group_norm(1, 1e-5)).contains("[n, channels, ..]"));
        for epsilon in [-1e-5, f64::NAN, f64::INFINITY] {
            assert!(text(x.try_layer_norm([6], none, none, epsilon)).contains("epsilon is"));
        }
    }
}
