//! Sparse Jacobians and Hessians: pattern and colouring once, then a few sweeps for each point.

use super::colouring::{self, Colouring};
use super::csr::Csr;
use super::derivatives::Matrix;
use super::sparsity::Pattern;
use super::{Function, FunctionError, Sheet};
use crate::tensor::TensorFloat;
use std::sync::OnceLock;

/// What does not depend on the point.
#[derive(Debug, Default)]
pub(super) struct Plans {
    jacobian: OnceLock<JacobianPlan>,
    hessian: OnceLock<HessianPlan>,
}

#[derive(Debug)]
pub(super) struct JacobianPlan {
    pub(super) pattern: Pattern,
    pub(super) colouring: Colouring,
    /// Whether rows are coloured, for reverse sweeps, and not columns.
    pub(super) by_rows: bool,
}

#[derive(Debug)]
pub(super) struct HessianPlan {
    pub(super) pattern: Pattern,
    pub(super) colouring: Colouring,
    /// For each entry the row and the colour it is read at.
    pub(super) sources: Vec<(usize, usize)>,
}

impl JacobianPlan {
    fn of(pattern: Pattern) -> Self {
        let transposed = pattern.transposed();
        // The longest row is the least number of colours for columns, and the other way round.
        let by_rows = transposed.longest_row() < pattern.longest_row();
        let colouring = colouring::columns(if by_rows { &transposed } else { &pattern });
        JacobianPlan { pattern, colouring, by_rows }
    }
}

impl HessianPlan {
    fn of(pattern: Pattern) -> Self {
        let colouring = colouring::star(&pattern);
        let colours = &colouring.colours;
        let mut sources = Vec::with_capacity(pattern.column_indices.len());
        // How many entries of the row have each colour.
        let mut entries = vec![0_usize; colouring.count];
        for i in 0..pattern.rows() {
            let row = pattern.row(i);
            row.iter().for_each(|&j| entries[colours[j]] += 1);
            // Alone of its colour in this row, or else, by the colouring, alone in the other.
            sources
                .extend(row.iter().map(|&j| if entries[colours[j]] == 1 { (i, colours[j]) } else { (j, colours[i]) }));
            row.iter().for_each(|&j| entries[colours[j]] = 0);
        }
        HessianPlan { pattern, colouring, sources }
    }
}

impl<F: TensorFloat> Function<F> {
    /// The Jacobian at `x` with its zeros left out, in as many directions as its colouring needs: for a banded Jacobian
    /// the width of the band, whatever the number of inputs. Pattern and colouring are found at the first call.
    ///
    /// # Errors
    /// As [`eval`](Self::eval).
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let differences = Function::record_many(&[0.0; 4], |x| (0..3).map(|k| x[k + 1] - x[k]).collect())?;
    /// let j = differences.sparse_jacobian(&[1.0, 2.0, 4.0, 8.0])?;
    /// assert_eq!(j.column_indices, [0, 1, 1, 2, 2, 3]);
    /// assert_eq!(j.values, [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]);
    /// # Ok(()) }
    /// ```
    pub fn sparse_jacobian(&self, x: &[F]) -> Result<Csr<F>, FunctionError> {
        self.expect_length("sparse_jacobian", "point", x.len(), self.inputs())?;
        let plan = self.jacobian_plan();
        let mut jacobian = csr(&plan.pattern);
        self.jacobian_values(plan, x, &mut jacobian.values)?;
        Ok(jacobian)
    }

    /// Pattern and colouring.
    pub(super) fn jacobian_plan(&self) -> &JacobianPlan {
        self.plans.jacobian.get_or_init(|| JacobianPlan::of(self.program_of_rows().jacobian_pattern()))
    }

    pub(super) fn jacobian_values(&self, plan: &JacobianPlan, x: &[F], entries: &mut [F]) -> Result<(), FunctionError> {
        let (rows, columns) = (self.outputs(), self.inputs());
        let JacobianPlan { pattern, colouring: Colouring { colours, count }, by_rows } = plan;
        let length = if *by_rows { columns } else { rows };
        let mut compressed = vec![F::ZERO; count * length];
        if *by_rows {
            self.with_workspace(|work| {
                let Sheet { values, adjoints } = &mut work.plain;
                self.forward_in("sparse_jacobian", values, x.len(), |k| x[k])?;
                for (colour, sums) in compressed.chunks_exact_mut(length.max(1)).enumerate() {
                    let of_colour = colours.iter().enumerate().filter(|&(_, c)| *c == colour);
                    self.program().reverse(values, adjoints, of_colour.map(|(output, _)| (output, F::ONE)));
                    sums.copy_from_slice(&adjoints[..columns]);
                }
                Ok(())
            })?;
        } else {
            let moves = |k: usize, colour: usize| colours[k] == colour;
            self.columns(Matrix::Jacobian, "sparse_jacobian", x, *count, moves, |colour, row, value| {
                compressed[colour * length + row] = value;
            })?;
        }
        let mut entries = entries.iter_mut();
        for row in 0..rows {
            for (&column, entry) in pattern.row(row).iter().zip(&mut entries) {
                *entry =
                    compressed[if *by_rows { colours[row] * length + column } else { colours[column] * length + row }];
            }
        }
        Ok(())
    }

    /// The Hessian at `x` with its zeros left out, in as many directions as a star colouring of it needs: three for a
    /// tridiagonal one, whatever the number of inputs. Pattern and colouring are found at the first call.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[0.0; 3], |x| x[0] * x[0] * x[1] + x[2])?;
    /// let h = f.sparse_hessian(&[3.0, 5.0, 7.0])?;
    /// assert_eq!((h.row_starts, h.column_indices, h.values), (vec![0, 2, 3, 3], vec![0, 1, 0], vec![10.0, 6.0, 6.0]));
    /// # Ok(()) }
    /// ```
    pub fn sparse_hessian(&self, x: &[F]) -> Result<Csr<F>, FunctionError> {
        let plan = self.hessian_plan_for(x)?;
        let mut hessian = csr(&plan.pattern);
        self.hessian_values(plan, x, &mut hessian.values)?;
        Ok(hessian)
    }

    /// The Hessian at `x`, written over that of another point, which [`sparse_hessian`](Self::sparse_hessian) made.
    ///
    /// # Errors
    /// As [`sparse_hessian`](Self::sparse_hessian); [`FunctionError::Length`] if `hessian` is not of this function: it
    /// must have as many entries.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[0.0; 3], |x| x[0] * x[0] * x[1] + x[2])?;
    /// let mut h = f.sparse_hessian(&[3.0, 5.0, 7.0])?;
    /// f.sparse_hessian_into(&[1.0, 2.0, 3.0], &mut h)?;
    /// assert_eq!(h.values, [4.0, 2.0, 2.0]);
    /// # Ok(()) }
    /// ```
    pub fn sparse_hessian_into(&self, x: &[F], hessian: &mut Csr<F>) -> Result<(), FunctionError> {
        let plan = self.hessian_plan_for(x)?;
        self.expect_length("sparse_hessian", "matrix", hessian.values.len(), plan.sources.len())?;
        self.hessian_values(plan, x, &mut hessian.values)
    }

    fn hessian_plan_for(&self, x: &[F]) -> Result<&HessianPlan, FunctionError> {
        self.expect_scalar("sparse_hessian")?;
        self.expect_length("sparse_hessian", "point", x.len(), self.inputs())?;
        Ok(self.hessian_plan())
    }

    /// Pattern and colouring, for one output.
    pub(super) fn hessian_plan(&self) -> &HessianPlan {
        self.plans.hessian.get_or_init(|| HessianPlan::of(self.program_of_rows().hessian_pattern()))
    }

    pub(super) fn hessian_values(&self, plan: &HessianPlan, x: &[F], values: &mut [F]) -> Result<(), FunctionError> {
        let Colouring { colours, count } = &plan.colouring;
        let n = self.inputs();
        let mut compressed = vec![F::ZERO; count * n];
        let moves = |k: usize, colour: usize| colours[k] == colour;
        self.columns(Matrix::Hessian, "sparse_hessian", x, *count, moves, |colour, row, value| {
            compressed[colour * n + row] = value;
        })?;
        for (value, &(row, colour)) in values.iter_mut().zip(&plan.sources) {
            *value = compressed[colour * n + row];
        }
        Ok(())
    }
}

/// A matrix of zeros where entries may be.
pub(super) fn csr<F: TensorFloat>(pattern: &Pattern) -> Csr<F> {
    Csr {
        rows: pattern.rows(),
        columns: pattern.columns,
        row_starts: pattern.row_starts.clone(),
        column_indices: pattern.column_indices.clone(),
        values: vec![F::ZERO; pattern.column_indices.len()],
    }
}
