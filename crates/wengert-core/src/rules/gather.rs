//! Rows picked by index, and its adjoint, rows added by index.
//!
//! Shapes: `x: [n, ..]`, `rows: [m]`, `y: [m, ..]`. Cotangent: `x_bar[rows[k]] += y_bar[k]`: a row picked twice
//! receives both.

use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Shape, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct GatherRows<F>(Tensor<i64>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for GatherRows<F> {
    const NAME: &'static str = "gather_rows";
    const READS_RESULT: bool = false;
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_gather_rows(&self.0)
    }

    fn labels(&mut self) -> Option<&mut Tensor<i64>> {
        Some(&mut self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(ScatterRows(Box::new((self.0.clone(), x[0].shape())), PhantomData).on(&[&y_bar]))
    }
}

/// Zeros of a shape with the operand's rows added where the indices say. Boxed: the largest op sets the size of all
/// nodes.
#[derive(Clone)]
pub(crate) struct ScatterRows<F>(Box<(Tensor<i64>, Shape)>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for ScatterRows<F> {
    const NAME: &'static str = "scatter_rows";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (rows, shape) = &*self.0;
        let mut y = Tensor::try_zeros(shape.clone())?;
        y.try_scatter_add_rows(rows, x[0])?;
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(GatherRows(self.0.0.clone(), PhantomData).on(&[&y_bar]))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The rows (entries of axis 0) with these numbers, in this order: an embedding look-up.
    ///
    /// Shapes: `x: [m, ..]`, the numbers `[n]`, result `[n, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_gather_rows`](Self::try_gather_rows) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let table = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = table.gather_rows(&Tensor::from([1_i64, 1]));
    /// assert_eq!(y.value().to_vec(), [3.0, 4.0, 3.0, 4.0]);
    /// assert_eq!(y.sum().gradient()[table].to_vec(), [0.0, 0.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn gather_rows(self, rows: &Tensor<i64>) -> Self {
        self.record1(GatherRows(rows.clone(), PhantomData))
    }

    /// [`gather_rows`](Self::gather_rows), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an index is negative or not below the number of rows.
    #[track_caller]
    pub fn try_gather_rows(self, rows: &Tensor<i64>) -> Result<Self, Error> {
        self.try_record1(GatherRows(rows.clone(), PhantomData))
    }
}
