//! Sparse matrices by rows.

use crate::tensor::TensorFloat;
use wengert_tensor::Tensor;

/// A sparse matrix in compressed rows: the entries of row `i` are those numbered `row_starts[i]..row_starts[i + 1]`.
///
/// Entries may be zero in value: the pattern is that of every point, the values those of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Csr<F> {
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// Where each row's entries start, and at the end how many there are.
    pub row_starts: Vec<usize>,
    /// The column of each entry, ascending in a row.
    pub column_indices: Vec<usize>,
    /// The value of each entry.
    pub values: Vec<F>,
}

impl<F: TensorFloat> Csr<F> {
    /// The entries of a row: columns and values.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, F)> {
        let entries = self.row_starts[row]..self.row_starts[row + 1];
        self.column_indices[entries.clone()].iter().copied().zip(self.values[entries].iter().copied())
    }

    /// The matrix with all its zeros.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[0.0; 2], |x| x[0] * x[1])?;
    /// assert_eq!(f.sparse_hessian(&[1.0, 2.0])?.to_dense().to_vec(), [0.0, 1.0, 1.0, 0.0]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn to_dense(&self) -> Tensor<F> {
        let mut dense = vec![F::ZERO; self.rows * self.columns];
        for (row, dense) in dense.chunks_exact_mut(self.columns.max(1)).enumerate() {
            self.row(row).for_each(|(column, value)| dense[column] = value);
        }
        Tensor::from_vec([self.rows, self.columns], dense)
    }
}
