//! Sparse matrices of derivatives as programs of their own, for those who ask for them at many points.

use super::csr::Csr;
use super::derivatives::Matrix;
use super::program::{Program, Replay};
use super::{Function, FunctionError, sparse, symbolic};
use crate::tensor::TensorFloat;
use core::fmt::{self, Debug};

/// The entries of a sparse Jacobian or Hessian as a program of their own: made by
/// [`sparse_jacobian_program`](Function::sparse_jacobian_program) and
/// [`sparse_hessian_program`](Function::sparse_hessian_program).
///
/// Making it takes as long as recording the function half a dozen times, or as 50 to 200 matrices got without it. The
/// Hessian of a long sum of small terms then costs about as much as its gradient.
pub struct SparseProgram<F: TensorFloat = f64> {
    function: Function<F>,
    of: Matrix,
    /// None where entries are too many, or reverse sweeps as good.
    program: Option<Program<F>>,
    values: Vec<F>,
    matrix: Csr<F>,
}

impl<F: TensorFloat> Function<F> {
    /// [`sparse_jacobian`](Self::sparse_jacobian) as a program of its own, for the steps of Gauss-Newton methods and the
    /// like.
    ///
    /// Its entries may differ from those of `sparse_jacobian` in the last bits. Where rows are longer than columns, or
    /// there are more than 16 derivatives for each step of the function, it is the same.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let products = Function::record_many(&[0.0; 4], |x| (0..3).map(|k| x[k] * x[k + 1]).collect())?;
    /// let mut jacobian = products.sparse_jacobian_program();
    /// assert_eq!(jacobian.at(&[3.0, 5.0, 7.0, 9.0])?.values, [5.0, 3.0, 7.0, 5.0, 9.0, 7.0]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn sparse_jacobian_program(&self) -> SparseProgram<F> {
        let plan = self.jacobian_plan();
        let colours = &plan.colouring.colours;
        let row = |row: usize| plan.pattern.row(row).iter().map(move |&column| (row, colours[column]));
        let entries = || symbolic::entries(&self.list, colours, (0..self.outputs()).flat_map(row));
        let list = if plan.by_rows { None } else { entries() };
        SparseProgram::new(self, Matrix::Jacobian, list.map(|list| Program::new(&list, Replay::AtPoint)))
    }

    /// [`sparse_hessian`](Self::sparse_hessian) as a program of its own, for the steps of Newton's method and the like.
    ///
    /// Its entries may differ from those of `sparse_hessian` in the last bits. Where there are more than 16 derivatives
    /// for each step of the gradient, it is the same.
    ///
    /// # Errors
    /// [`FunctionError::NotScalar`] if there are several outputs.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[0.0; 3], |x| x[0] * x[0] * x[1] + x[2])?;
    /// let mut hessian = f.sparse_hessian_program()?;
    /// assert_eq!(hessian.at(&[3.0, 5.0, 7.0])?.values, [10.0, 6.0, 6.0]);
    /// assert_eq!(hessian.at(&[1.0, 2.0, 3.0])?.values, [4.0, 2.0, 2.0]);
    /// # Ok(()) }
    /// ```
    pub fn sparse_hessian_program(&self) -> Result<SparseProgram<F>, FunctionError> {
        self.expect_scalar("sparse_hessian_program")?;
        let plan = self.hessian_plan();
        let list = symbolic::hessian(&self.list, &plan.colouring.colours, plan.sources.iter().copied());
        Ok(SparseProgram::new(self, Matrix::Hessian, list.map(|list| Program::new(&list, Replay::AtPoint))))
    }
}

impl<F: TensorFloat> SparseProgram<F> {
    fn new(function: &Function<F>, of: Matrix, program: Option<Program<F>>) -> Self {
        let pattern = match of {
            Matrix::Jacobian => &function.jacobian_plan().pattern,
            Matrix::Hessian => &function.hessian_plan().pattern,
        };
        SparseProgram { function: function.clone(), of, program, values: Vec::new(), matrix: sparse::csr(pattern) }
    }

    /// The matrix at `x`. A program of its own allocates nothing from the second call on, unless an entry is NaN.
    ///
    /// # Errors
    /// As [`Function::eval`].
    pub fn at(&mut self, x: &[F]) -> Result<&Csr<F>, FunctionError> {
        let entries = &mut self.matrix.values;
        if let Some(program) = &self.program {
            let op = match self.of {
                Matrix::Jacobian => "sparse_jacobian_program",
                Matrix::Hessian => "sparse_hessian_program",
            };
            self.function.forward_over(program, op, &mut self.values, x.len(), |k| x[k])?;
            for (entry, &output) in entries.iter_mut().zip(&program.outputs) {
                *entry = self.values[output as usize];
            }
        }
        // A NaN may come from zero times infinity, which is zero.
        if self.program.is_none() || entries.iter().any(|entry| entry.is_nan()) {
            match self.of {
                Matrix::Jacobian => self.function.jacobian_values(self.function.jacobian_plan(), x, entries)?,
                Matrix::Hessian => self.function.hessian_values(self.function.hessian_plan(), x, entries)?,
            }
        }
        Ok(&self.matrix)
    }

    /// Binds other data.
    ///
    /// # Errors
    /// As [`Function::set_data`].
    pub fn set_data(&mut self, data: &[F]) -> Result<(), FunctionError> {
        self.function.set_data(data)
    }
}

impl<F: TensorFloat> Debug for SparseProgram<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} entries of a {:?}", self.of, self.matrix.values.len(), self.function)
    }
}
