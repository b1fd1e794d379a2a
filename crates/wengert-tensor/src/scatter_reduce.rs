//! Elements brought to places and reduced there: sums, products, means and extremes of what meets.

use crate::axis::Axis;
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::pick::positions_along;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What becomes of several elements that meet at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// Their mean.
    Mean,
    /// The largest; NaN wins. PyTorch's `amax`.
    Max,
    /// The smallest; NaN wins. PyTorch's `amin`.
    Min,
}

impl Reduction {
    #[inline]
    fn meet<F: FloatElement>(self, a: F, b: F) -> F {
        match self {
            Reduction::Sum | Reduction::Mean => a + b,
            Reduction::Prod => a * b,
            Reduction::Max if b > a || b.is_nan() => b,
            Reduction::Min if b < a || b.is_nan() => b,
            Reduction::Max | Reduction::Min => a,
        }
    }
}

/// How many of `positions` name each element of a tensor of this shape.
#[doc(hidden)]
pub fn count_positions(shape: &Shape, positions: &Tensor<i64>) -> Result<Tensor<i64>, ShapeError> {
    let mut counts = Tensor::try_zeros_for("scatter_reduce", shape.clone())?;
    let target = counts.fresh_mut();
    for position in positions {
        target[position as usize] += 1;
    }
    Ok(counts)
}

/// The numbers of the elements of `shape` that `index` means, as many as the source has elements.
#[doc(hidden)]
pub fn reduced_positions(
    shape: &Shape,
    axis: impl Into<Axis>,
    index: &Tensor<i64>,
    source: &Shape,
) -> Result<Tensor<i64>, ShapeError> {
    let op = "scatter_reduce";
    let positions = positions_along(op, shape, axis, index)?;
    match index.shape() == source {
        true => Ok(positions),
        false => Err(ShapeError::Unequal { op, lhs: index.shape().clone(), rhs: source.clone() }),
    }
}

impl<F: FloatElement> Tensor<F> {
    /// This tensor with elements of `source` brought where `index` says along `axis`, and what meets there reduced.
    /// With `include_self` the element that was there takes part; without, it stays only where nothing arrives.
    ///
    /// Shapes: `self: [.., n, ..]`, `index` and `source: [.., m, ..]`, result as `self`; see
    /// [`scatter`](Self::scatter).
    ///
    /// # Panics
    /// With the text of the error that [`try_scatter_reduce`](Self::try_scatter_reduce) returns.
    ///
    /// # Examples
    /// The means of groups, and what has no member:
    /// ```
    /// # use wengert_tensor::{Reduction, Tensor};
    /// let (group, x) = (Tensor::from([0, 2, 0]), Tensor::from([1.0, 5.0, 4.0]));
    /// let means = Tensor::full([3], -1.0).scatter_reduce(0, &group, &x, Reduction::Mean, false);
    /// assert_eq!(means.to_vec(), [2.5, -1.0, 5.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn scatter_reduce(
        &self,
        axis: impl Into<Axis>,
        index: &Tensor<i64>,
        source: &Tensor<F>,
        reduction: Reduction,
        include_self: bool,
    ) -> Tensor<F> {
        self.try_scatter_reduce(axis, index, source, reduction, include_self).or_panic()
    }

    /// As [`scatter_reduce`](Self::scatter_reduce), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::Along`], [`ShapeError::Index`], or [`ShapeError::Unequal`] when `index` and
    /// `source` have different shapes.
    pub fn try_scatter_reduce(
        &self,
        axis: impl Into<Axis>,
        index: &Tensor<i64>,
        source: &Tensor<F>,
        reduction: Reduction,
        include_self: bool,
    ) -> Result<Tensor<F>, ShapeError> {
        let positions = reduced_positions(self.shape(), axis, index, source.shape())?;
        self.try_reduce_at(&positions, source, reduction, include_self)
    }

    /// [`scatter_reduce`](Self::scatter_reduce) to places given by their numbers, which exist: one for each element of
    /// `source`.
    #[doc(hidden)]
    pub fn try_reduce_at(
        &self,
        positions: &Tensor<i64>,
        source: &Tensor<F>,
        reduction: Reduction,
        include_self: bool,
    ) -> Result<Tensor<F>, ShapeError> {
        let op = "scatter_reduce";
        let mut met = Tensor::try_full(self.shape(), i64::from(include_self))?;
        let (mut y, met) = (self.try_copy(op)?, met.fresh_mut());
        let target = y.fresh_mut();
        for (position, x) in positions.iter().zip(source) {
            let (y, met) = (&mut target[position as usize], &mut met[position as usize]);
            *y = if *met == 0 { x } else { reduction.meet(*y, x) };
            *met += 1;
        }
        if reduction == Reduction::Mean {
            for (y, &mut met) in target.iter_mut().zip(met).filter(|(_, met)| **met > 1) {
                *y = *y / F::from_f64(met as f64);
            }
        }
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_meets_is_reduced_with_what_was_there_or_without() {
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let (index, source) = (Tensor::from([[0, 0], [2, 0]]), Tensor::from([[7.0, -8.0], [9.0, 10.0]]));
        let of = |reduction, include_self| x.scatter_reduce(1, &index, &source, reduction, include_self).to_vec();
        assert_eq!(of(Reduction::Sum, true), [0.0, 2.0, 3.0, 14.0, 5.0, 15.0]);
        assert_eq!(of(Reduction::Sum, false), [-1.0, 2.0, 3.0, 10.0, 5.0, 9.0]);
        assert_eq!(of(Reduction::Prod, true), [-56.0, 2.0, 3.0, 40.0, 5.0, 54.0]);
        assert_eq!(of(Reduction::Prod, false), [-56.0, 2.0, 3.0, 10.0, 5.0, 9.0]);
        assert_eq!(of(Reduction::Mean, true), [0.0, 2.0, 3.0, 7.0, 5.0, 7.5]);
        assert_eq!(of(Reduction::Mean, false), [-0.5, 2.0, 3.0, 10.0, 5.0, 9.0]);
        assert_eq!(of(Reduction::Max, true), [7.0, 2.0, 3.0, 10.0, 5.0, 9.0]);
        assert_eq!(of(Reduction::Min, true), [-8.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(of(Reduction::Min, false), [-8.0, 2.0, 3.0, 10.0, 5.0, 9.0]);
    }

    #[test]
    fn nan_wins_among_extremes_and_nothing_changes_nothing() {
        let nan = f64::NAN;
        let x = Tensor::from([0.0, nan, 0.0]);
        for reduction in [Reduction::Max, Reduction::Min] {
            let y = x.scatter_reduce(0, &Tensor::from([0, 0, 1]), &Tensor::from([nan, 5.0, 1.0]), reduction, true);
            assert_eq!(y.map(f64::is_nan).to_vec(), [true, true, false]);
            let y = x.slice(0, ..1).scatter_reduce(0, &Tensor::zeros([0]), &Tensor::zeros([0]), reduction, false);
            assert_eq!(y.to_vec(), [0.0]);
        }
    }

    #[test]
    fn views_scatter_as_their_copies() {
        let x = Tensor::<f64>::arange(6).reshape([2, 3]).t();
        let (index, source) = (Tensor::from([[0, 1], [2, 2]]), Tensor::<f64>::arange(4).reshape([2, 2]).t());
        for reduction in [Reduction::Sum, Reduction::Prod, Reduction::Mean, Reduction::Max, Reduction::Min] {
            let dense = x.to_contiguous().scatter_reduce(0, &index, &source.to_contiguous(), reduction, true);
            assert_eq!(x.scatter_reduce(0, &index, &source, reduction, true), dense);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f64>::zeros([2, 3]);
        let text = |axis: isize, index: Tensor<i64>, source: Tensor<f64>| {
            x.try_scatter_reduce(axis, &index, &source, Reduction::Prod, true).unwrap_err().to_string()
        };
        assert_eq!(
            text(0, Tensor::from([[2]]), Tensor::from([[1.0]])),
            "scatter_reduce: index 2 is out of range for axis 0 of shape [2, 3]; its entries are 0 to 1"
        );
        assert_eq!(
            text(0, Tensor::from([[1]]), Tensor::from([1.0])),
            "scatter_reduce: shapes [1, 1] and [1] differ; they must be equal"
        );
        assert_eq!(
            text(1, Tensor::from([0]), Tensor::from([1.0])),
            "scatter_reduce: shape [1] of the indices does not go with shape [2, 3]; they may differ along axis 1 only"
        );
        assert_eq!(
            text(2, Tensor::from([[0]]), Tensor::from([[1.0]])),
            "scatter_reduce: axis 2 is out of range for shape [2, 3]; use 0 to 1, or -2 to -1 from the end"
        );
    }
}
