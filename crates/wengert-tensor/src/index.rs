//! Rows by number: gathering them, and adding into them.

use crate::element::{Arithmetic, Element, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;
use wengert_kernels::elementwise::Operand;

/// Checks row numbers, which are those of `shape`.
fn checked(op: &'static str, indices: &Tensor<i64>, shape: &Shape) -> Result<Vec<usize>, ShapeError> {
    let Some(&rows) = shape.first() else {
        return Err(ShapeError::Rank {
            op,
            shape: shape.clone(),
            expected: "at least one, whose entries are the rows",
        });
    };
    indices
        .iter()
        .enumerate()
        .map(|(position, row)| match usize::try_from(row) {
            Ok(number) if number < rows => Ok(number),
            _ => Err(ShapeError::Row { op, position, row, shape: shape.clone() }),
        })
        .collect()
}

impl<T: Element> Tensor<T> {
    /// The rows (entries of axis 0) with the given numbers, in that order: an embedding look-up.
    ///
    /// Shapes: `self: [rows, ...]`, `indices: [i, j, ..]`, result `[i, j, .., ...]`.
    ///
    /// # Panics
    /// When a row does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let table = Tensor::from([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]]);
    /// let rows = table.gather_rows(&Tensor::from([2, 0, 2]));
    /// assert_eq!(rows, Tensor::from([[2.0, 2.1], [0.0, 0.1], [2.0, 2.1]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn gather_rows(&self, indices: &Tensor<i64>) -> Tensor<T> {
        self.try_gather_rows(indices).or_panic()
    }

    /// As [`gather_rows`](Self::gather_rows), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Row`], or [`ShapeError::Rank`] for a single number, which has no rows.
    pub fn try_gather_rows(&self, indices: &Tensor<i64>) -> Result<Tensor<T>, ShapeError> {
        let op = "gather_rows";
        let numbers = checked(op, indices, self.shape())?;
        let shape: Shape = indices.shape().iter().chain(&self.shape()[1..]).copied().collect();
        let row: usize = self.shape()[1..].iter().product();
        let x = self.try_to_contiguous(op)?;
        let x = x.as_slice().unwrap_or_default();
        Tensor::try_build(op, &shape, |y| {
            if row > 0 {
                for (y, number) in y.chunks_exact_mut(row).zip(numbers) {
                    y.copy_from_slice(&x[number * row..][..row]);
                }
            }
        })
    }
}

impl<T: Numeric> Tensor<T> {
    /// Adds each row of `rows` to the row of this tensor with the number at the same place of `indices`; the adjoint of
    /// [`gather_rows`](Self::gather_rows). A number that comes up twice has both its rows added, in order.
    ///
    /// Shapes: `self: [n, ...]`, `indices: [i, j, ..]`, `rows: [i, j, .., ...]`.
    ///
    /// # Panics
    /// When a row does not exist or the shapes do not match.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mut sums = Tensor::zeros([3, 1]);
    /// sums.scatter_add_rows(&Tensor::from([2, 0, 2]), &Tensor::from([[1.0], [2.0], [3.0]]));
    /// assert_eq!(sums.to_vec(), [2.0, 0.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn scatter_add_rows(&mut self, indices: &Tensor<i64>, rows: &Tensor<T>) {
        self.try_scatter_add_rows(indices, rows).or_panic();
    }

    /// As [`scatter_add_rows`](Self::scatter_add_rows), with an error instead of a panic; then nothing has been added.
    ///
    /// # Errors
    /// [`ShapeError::Row`], [`ShapeError::Rank`], or [`ShapeError::Unequal`] when `rows` has another shape than the
    /// rows gathered by `indices`.
    pub fn try_scatter_add_rows(&mut self, indices: &Tensor<i64>, rows: &Tensor<T>) -> Result<(), ShapeError> {
        let op = "scatter_add_rows";
        let numbers = checked(op, indices, self.shape())?;
        let shape: Shape = indices.shape().iter().chain(&self.shape()[1..]).copied().collect();
        if *rows.shape() != shape {
            return Err(ShapeError::Unequal { op, lhs: shape, rhs: rows.shape().clone() });
        }
        let row: usize = self.shape()[1..].iter().product();
        let rows = rows.try_to_contiguous(op)?;
        let y = self.try_make_mut_for(op)?;
        if row > 0 {
            for (x, number) in rows.as_slice().unwrap_or_default().chunks_exact(row).zip(numbers) {
                T::arithmetic_in_place(Arithmetic::Add, &mut y[number * row..][..row], Operand::Slice(x));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_tensors_of_any_rank() {
        let table = Tensor::from([[0, 1], [10, 11], [20, 21]]);
        let y = table.gather_rows(&Tensor::from([[2, 2], [0, 1]]));
        assert_eq!(y, Tensor::from([[[20, 21], [20, 21]], [[0, 1], [10, 11]]]));
        assert_eq!(table.gather_rows(&Tensor::scalar(1)), Tensor::from([10, 11]));
        assert_eq!(*table.gather_rows(&Tensor::zeros([0])).shape(), [0, 2]);
        assert_eq!(Tensor::from([5, 6]).gather_rows(&Tensor::from([1, 1, 0])).to_vec(), [6, 6, 5]);
        assert_eq!(table.t().gather_rows(&Tensor::from([1])), Tensor::from([[1, 11, 21]]));
    }

    #[test]
    fn rows_that_do_not_exist_are_named() {
        let table = Tensor::<f32>::zeros([3, 2]);
        let text = |indices: Tensor<i64>| table.try_gather_rows(&indices).unwrap_err().to_string();
        assert_eq!(
            text(Tensor::from([0, 3])),
            "gather_rows: index 1 asks for row 3 of shape [3, 2]; its rows are 0 to 2"
        );
        assert_eq!(
            text(Tensor::from([-1])),
            "gather_rows: index 0 asks for row -1 of shape [3, 2]; its rows are 0 to 2"
        );
        let error = Tensor::scalar(1.0).try_gather_rows(&Tensor::from([0])).unwrap_err();
        assert!(matches!(error, ShapeError::Rank { .. }));
    }

    #[test]
    fn scattering_is_the_adjoint_of_gathering() {
        // <gather(x), y> = <x, scatter(y)>, in exact arithmetic.
        let x = Tensor::<i64>::arange(12).reshape([4, 3]);
        let indices = Tensor::from([3, 1, 3, 0]);
        let y = Tensor::<i64>::arange(12).reshape([4, 3]) * 7 - 5;
        let mut scattered = Tensor::zeros([4, 3]);
        scattered.scatter_add_rows(&indices, &y);
        assert_eq!((x.gather_rows(&indices) * &y).sum(), (x * scattered).sum());
    }

    #[test]
    fn a_failed_scatter_changes_nothing() {
        let mut sums = Tensor::<i64>::zeros([2]);
        assert!(sums.try_scatter_add_rows(&Tensor::from([0, 2]), &Tensor::from([1, 1])).is_err());
        assert_eq!(
            sums.try_scatter_add_rows(&Tensor::from([0, 1]), &Tensor::from([1])).unwrap_err().to_string(),
            "scatter_add_rows: shapes [2] and [1] differ; they must be equal"
        );
        assert_eq!(sums.to_vec(), [0, 0]);
    }
}
