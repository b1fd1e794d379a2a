//! Diagonals of matrices, and the triangles beside them.

use crate::axis::Axis;
use crate::element::Element;
use crate::error::{OrPanic, ShapeError};
use crate::layout::View;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The two axes of a matrix or a batch of them, for an operation on their triangles.
#[doc(hidden)]
pub fn triangle_mask(op: &'static str, shape: &Shape, offset: isize, lower: bool) -> Result<Tensor<bool>, ShapeError> {
    let [.., rows, columns] = **shape else {
        return Err(ShapeError::Rank { op, shape: shape.clone(), expected: "a matrix or a batch of matrices" });
    };
    Tensor::try_from_fn([rows, columns], |at| {
        let from_diagonal = (at[1] as isize).saturating_sub(at[0] as isize);
        if lower { from_diagonal <= offset } else { from_diagonal >= offset }
    })
}

impl<T: Element> Tensor<T> {
    /// The lower triangle of a matrix, or of each matrix of a batch: 0 above the diagonal `offset` places to the right
    /// of the main one.
    ///
    /// Shapes: `[.., m, n]`, result alike.
    ///
    /// # Panics
    /// When there are less than two axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.tril(0), Tensor::from([[1, 0, 0], [4, 5, 0]]));
    /// assert_eq!(x.triu(1), Tensor::from([[0, 2, 3], [0, 0, 6]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn tril(&self, offset: isize) -> Tensor<T> {
        self.try_tril(offset).or_panic()
    }

    /// As [`tril`](Self::tril), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`].
    pub fn try_tril(&self, offset: isize) -> Result<Tensor<T>, ShapeError> {
        let mask = triangle_mask("tril", self.shape(), offset, true)?;
        mask.try_select(self, Tensor::try_zeros(())?)
    }

    /// The upper triangle of a matrix, or of each matrix of a batch: 0 below the diagonal `offset` places to the right
    /// of the main one.
    ///
    /// Shapes: `[.., m, n]`, result alike.
    ///
    /// # Panics
    /// When there are less than two axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.triu(0).to_vec(), [1.0, 2.0, 0.0, 4.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn triu(&self, offset: isize) -> Tensor<T> {
        self.try_triu(offset).or_panic()
    }

    /// As [`triu`](Self::triu), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`].
    pub fn try_triu(&self, offset: isize) -> Result<Tensor<T>, ShapeError> {
        let mask = triangle_mask("triu", self.shape(), offset, false)?;
        mask.try_select(self, Tensor::try_zeros(())?)
    }

    /// The elements on the diagonal of two axes, `offset` places to the right of the main one, as a last axis in their
    /// place. No copy.
    ///
    /// Shapes: `[.., m, n]` with the last two axes gives `[.., min(m, n)]` for offset 0.
    ///
    /// # Panics
    /// When an axis does not exist or both are the same.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.diagonal(0, 0, 1).to_vec(), [1, 5]);
    /// assert_eq!(x.diagonal(1, 0, 1).to_vec(), [2, 6]);
    /// assert_eq!(x.diagonal(-1, 0, 1).to_vec(), [4]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn diagonal(&self, offset: isize, rows: impl Into<Axis>, columns: impl Into<Axis>) -> Tensor<T> {
        self.try_diagonal(offset, rows, columns).or_panic()
    }

    /// As [`diagonal`](Self::diagonal), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::RepeatedAxis`].
    pub fn try_diagonal(
        &self,
        offset: isize,
        rows: impl Into<Axis>,
        columns: impl Into<Axis>,
    ) -> Result<Tensor<T>, ShapeError> {
        let op = "diagonal";
        let rows = rows.into().resolve(op, self.shape())?;
        let columns = columns.into().resolve(op, self.shape())?;
        if rows == columns {
            return Err(ShapeError::RepeatedAxis { op, axis: rows, shape: self.shape().clone() });
        }
        let (down, right) = (offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs());
        let (m, n) = (self.shape()[rows], self.shape()[columns]);
        let len = m.saturating_sub(down).min(n.saturating_sub(right));
        let strides = self.strides();
        let kept = (0..self.rank()).filter(|&axis| axis != rows && axis != columns);
        let shape: Shape = kept.clone().map(|axis| self.shape()[axis]).chain([len]).collect();
        let steps = kept.map(|axis| strides[axis]).chain([strides[rows] + strides[columns]]).collect();
        let skip = if len > 0 { strides[rows] * down as isize + strides[columns] * right as isize } else { 0 };
        let start = self.layout().offset().wrapping_add_signed(skip);
        Ok(self.with_view(View::new(shape, steps, start)))
    }

    /// A square matrix with this vector on the diagonal `offset` places to the right of the main one, 0 elsewhere; of a
    /// matrix, the elements of that diagonal.
    ///
    /// Shapes: `[n] -> [n + |offset|, n + |offset|]`; of a matrix the diagonal, a vector.
    ///
    /// # Panics
    /// When this is neither a vector nor a matrix.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([1, 2]);
    /// assert_eq!(x.diag(0), Tensor::from([[1, 0], [0, 2]]));
    /// assert_eq!(x.diag(-1), Tensor::from([[0, 0, 0], [1, 0, 0], [0, 2, 0]]));
    /// assert_eq!(x.diag(-1).diag(-1), x);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn diag(&self, offset: isize) -> Tensor<T> {
        self.try_diag(offset).or_panic()
    }

    /// As [`diag`](Self::diag), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] or [`ShapeError::TooLarge`].
    pub fn try_diag(&self, offset: isize) -> Result<Tensor<T>, ShapeError> {
        let op = "diag";
        match self.rank() {
            2 => self.try_diagonal(offset, 0, 1),
            1 => {
                let n = self.len().saturating_add(offset.unsigned_abs());
                let shape = Shape::from([n, n]);
                shape.try_size(op)?;
                let mut y = Tensor::try_zeros_for(op, shape)?;
                let first = offset.min(0).unsigned_abs() * n + offset.max(0).unsigned_abs();
                let target = y.fresh_mut();
                for (k, x) in self.iter().enumerate() {
                    target[first + k * (n + 1)] = x;
                }
                Ok(y)
            }
            _ => Err(ShapeError::Rank {
                op,
                shape: self.shape().clone(),
                expected: "a vector or a matrix; `diagonal` says which axes",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonals_are_the_elements_on_them() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]);
        for offset in -4..6 {
            let y = x.diagonal(offset, 1, 2);
            let expected: Vec<Vec<i64>> = (0..2)
                .map(|b| (0..3).filter_map(|i| x.get([b, i, (i as isize + offset) as usize])).collect())
                .collect();
            assert_eq!(y.to_vec(), expected.concat(), "offset {offset}");
        }
        assert_eq!(*x.diagonal(0, 2, 0).shape(), [3, 2]);
        assert_eq!(*x.diagonal(-9, 1, 2).shape(), [2, 0]);
    }

    #[test]
    fn diagonals_and_triangles_of_a_view_are_those_of_its_copy() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]).permute([2, 0, 1]).flip(1);
        let dense = x.to_contiguous();
        assert_eq!(x.diagonal(1, 0, 2), dense.diagonal(1, 0, 2));
        assert_eq!(x.triu(-1), dense.triu(-1));
        assert_eq!(*Tensor::<f64>::zeros([0]).diag(1).shape(), [1, 1]);
    }

    #[test]
    fn mistakes_are_named() {
        let text = |error: ShapeError| error.to_string();
        assert_eq!(
            text(Tensor::<f64>::zeros([2, 3]).try_diagonal(0, 1, -1).unwrap_err()),
            "diagonal: axis 1 of shape [2, 3] is named twice; name each axis once"
        );
        assert_eq!(
            text(Tensor::<f64>::zeros([3]).try_tril(0).unwrap_err()),
            "tril: operand of shape [3] has 1 axes; expected a matrix or a batch of matrices"
        );
        assert!(Tensor::<f64>::zeros([1, 1, 1]).try_diag(0).is_err());
    }
}
