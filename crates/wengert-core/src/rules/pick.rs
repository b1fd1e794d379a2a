//! Elements by number, and its adjoint, elements added by number. Gathering and scattering along an axis are made of them.
//!
//! Shapes: `x: [..]`, `positions: [i, j, ..]`, `y: [i, j, ..]`. Cotangent: `x_bar[positions[k]] += y_bar[k]`: an element picked
//! twice receives both.

use super::{Array, Cotangents, Op, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use core::panic::Location;
use wengert_tensor::{Axis, Shape, ShapeError, Tensor, positions_along};

#[derive(Clone)]
pub(crate) struct Pick<F>(Tensor<i64>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Pick<F> {
    const NAME: &'static str = "pick";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_pick(&self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(Place(Box::new((self.0.clone(), x[0].shape())), PhantomData).on(&[&y_bar]))
    }
}

pub(crate) fn pick<F: TensorFloat, A: Array<F>>(x: &A, positions: &Tensor<i64>) -> A {
    Pick(positions.clone(), PhantomData).on(&[x])
}

/// Zeros of a shape with the operand's elements added where the numbers say. Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct Place<F>(Box<(Tensor<i64>, Shape)>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Place<F> {
    const NAME: &'static str = "place";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (positions, shape) = &*self.0;
        Tensor::try_place(shape.clone(), positions, x[0])
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(Pick(self.0.0.clone(), PhantomData).on(&[&y_bar]))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The elements with these numbers in row-major order; 0 where the number is -1.
    ///
    /// # Panics
    /// With the text of the error that [`try_pick`](Self::try_pick) returns.
    #[track_caller]
    pub fn pick(self, positions: &Tensor<i64>) -> Self {
        self.record1(Pick(positions.clone(), PhantomData))
    }

    /// [`pick`](Self::pick), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no element with one of the numbers.
    #[track_caller]
    pub fn try_pick(self, positions: &Tensor<i64>) -> Result<Self, Error> {
        self.try_record1(Pick(positions.clone(), PhantomData))
    }

    /// The elements that `index` names along `axis`: `y[i, j] = x[index[i, j], j]` for axis 0 of a matrix. An element gathered
    /// twice receives both gradients.
    ///
    /// Shapes: `self: [.., n, ..]`, `index: [.., m, ..]`, result `[.., m, ..]`. Other axes of `index` may be shorter, and the
    /// result is then too.
    ///
    /// # Panics
    /// With the text of the error that [`try_gather`](Self::try_gather) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// let y = x.gather(1, &Tensor::from([[2, 0], [1, 1]]));
    /// assert_eq!(y.value().to_vec(), [3.0, 1.0, 5.0, 5.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 0.0, 1.0, 0.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn gather(self, axis: impl Into<Axis>, index: &Tensor<i64>) -> Self {
        self.try_gather(axis, index).unwrap_or_else(|error| error.raise())
    }

    /// [`gather`](Self::gather), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist, the shapes do not go together, or an index is negative or not below `n`.
    #[track_caller]
    pub fn try_gather(self, axis: impl Into<Axis>, index: &Tensor<i64>) -> Result<Self, Error> {
        let positions = self.fit(positions_along("gather", &self.shape(), axis, index))?;
        self.try_record1(Pick(positions, PhantomData))
    }

    /// As [`gather`](Self::gather), where the axes other than `axis` broadcast: NumPy's `take_along_axis`.
    ///
    /// # Panics
    /// With the text of the error that [`try_take_along_axis`](Self::try_take_along_axis) returns.
    #[track_caller]
    pub fn take_along_axis(self, index: &Tensor<i64>, axis: impl Into<Axis>) -> Self {
        self.try_take_along_axis(index, axis).unwrap_or_else(|error| error.raise())
    }

    /// [`take_along_axis`](Self::take_along_axis), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_gather`](Self::try_gather), and if the other axes do not broadcast.
    #[track_caller]
    pub fn try_take_along_axis(self, index: &Tensor<i64>, axis: impl Into<Axis>) -> Result<Self, Error> {
        // The numbers of the elements, rearranged as the elements would be.
        let shape = self.shape();
        let numbers = Tensor::<i64>::arange(shape.size()).try_reshape(shape);
        let positions = numbers.and_then(|numbers| numbers.try_take_along_axis(index, axis));
        self.try_record1(Pick(self.fit(positions)?, PhantomData))
    }

    /// The entries of `axis` with these numbers, in this order: [`gather_rows`](Self::gather_rows) along any axis.
    ///
    /// Shapes: `self: [.., n, ..]`, `entries: [m]`, result `[.., m, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_index_select`](Self::try_index_select) returns.
    #[track_caller]
    pub fn index_select(self, axis: impl Into<Axis>, entries: &Tensor<i64>) -> Self {
        self.try_index_select(axis, entries).unwrap_or_else(|error| error.raise())
    }

    /// [`index_select`](Self::index_select), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis or an entry does not exist, or `entries` has not one axis.
    #[track_caller]
    pub fn try_index_select(self, axis: impl Into<Axis>, entries: &Tensor<i64>) -> Result<Self, Error> {
        let axis = self.fit(axis.into().resolve("index_select", &self.shape()))?;
        self.fit(wengert_tensor::check_entries("index_select", &self.shape(), axis, entries))?;
        if axis == 0 {
            return self.try_gather_rows(entries);
        }
        self.try_transpose(0, axis)?.try_gather_rows(entries)?.try_transpose(0, axis)
    }

    /// This tensor with elements of `source` where `index` says along `axis`. Of several written to one place the last stays, in
    /// row-major order of `source`, and it alone has a gradient.
    ///
    /// Shapes: `self: [.., n, ..]`, `index` and `source: [.., m, ..]`, result as `self`.
    ///
    /// # Panics
    /// With the text of the error that [`try_scatter`](Self::try_scatter) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let (x, s) = (tape.tensor([1.0, 2.0, 3.0]), tape.tensor([7.0, 8.0, 9.0]));
    /// let y = x.scatter(0, &Tensor::from([2, 0, 2]), s);
    /// assert_eq!(y.value().to_vec(), [8.0, 2.0, 9.0]);
    /// let [x_bar, s_bar] = y.sum().gradient().wrt([x, s]);
    /// assert_eq!((x_bar.to_vec(), s_bar.to_vec()), (vec![0.0, 1.0, 0.0], vec![0.0, 1.0, 1.0]));
    /// ```
    #[track_caller]
    pub fn scatter(self, axis: impl Into<Axis>, index: &Tensor<i64>, source: Self) -> Self {
        self.try_scatter(axis, index, source).unwrap_or_else(|error| error.raise())
    }

    /// [`scatter`](Self::scatter), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist, the shapes do not go together, or an index is negative or not below `n`;
    /// [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_scatter(self, axis: impl Into<Axis>, index: &Tensor<i64>, source: Self) -> Result<Self, Error> {
        self.same_tape(source, "scatter", Location::caller())?;
        let axis = axis.into();
        // Which element of the source each element comes from: what scattering the numbers leaves behind.
        let numbers = Tensor::<i64>::arange(source.shape().size()).try_reshape(source.shape());
        let none = Tensor::try_full(self.shape(), -1_i64);
        let from = none.and_then(|none| none.try_scatter(axis, index, &numbers?));
        let from = self.fit(from)?;
        let written = self.fit(from.try_greater_equal(0))?;
        Self::try_select(written, source.try_record1(Pick(from, PhantomData))?, self)
    }

    /// This tensor with elements of `source` added where `index` says along `axis`.
    ///
    /// Shapes: as [`scatter`](Self::scatter).
    ///
    /// # Panics
    /// With the text of the error that [`try_scatter_add`](Self::try_scatter_add) returns.
    #[track_caller]
    pub fn scatter_add(self, axis: impl Into<Axis>, index: &Tensor<i64>, source: Self) -> Self {
        self.try_scatter_add(axis, index, source).unwrap_or_else(|error| error.raise())
    }

    /// [`scatter_add`](Self::scatter_add), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_scatter`](Self::try_scatter).
    #[track_caller]
    pub fn try_scatter_add(self, axis: impl Into<Axis>, index: &Tensor<i64>, source: Self) -> Result<Self, Error> {
        let op = "scatter_add";
        self.same_tape(source, op, Location::caller())?;
        let positions = self.fit(positions_along(op, &self.shape(), axis, index))?;
        if *index.shape() != source.shape() {
            return self.fit(Err(ShapeError::Unequal { op, lhs: index.shape().clone(), rhs: source.shape() }));
        }
        self.try_add(source.try_record1(Place(Box::new((positions, self.shape())), PhantomData))?)
    }
}
