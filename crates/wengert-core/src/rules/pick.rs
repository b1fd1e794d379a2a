//! Elements by number, and its adjoint, elements added by number; elements that an index names along an axis, whose
//! numbers the forward pass finds, and elements scattered along an axis, likewise.
//!
//! Shapes: `x: [..]`, `positions: [i, j, ..]`, `y: [i, j, ..]`. Cotangent: `x_bar[positions[k]] += y_bar[k]`: an
//! element picked twice receives both.

use super::select::select;
use super::{Array, Cotangents, Op, Pushforward, fitting, one, two};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use core::panic::Location;
use wengert_tensor::{Axis, Shape, ShapeError, Tensor, positions_along};

#[derive(Clone)]
pub(crate) struct Pick<F>(Tensor<i64>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Pick<F> {
    const NAME: &'static str = "pick";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_pick(&self.0)
    }

    fn labels(&mut self) -> Option<&mut Tensor<i64>> {
        Some(&mut self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(place(&y_bar, &self.0, x[0].shape()))
    }
}

/// Elements named along an axis; knows their numbers once it has run. Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct Gather<F>(Box<Along>, PhantomData<F>);

#[derive(Clone)]
struct Along {
    axis: Axis,
    index: Tensor<i64>,
    /// Whether the other axes broadcast, as NumPy's `take_along_axis` has it.
    broadcast: bool,
    found: Found,
}

impl Along {
    fn new(axis: Axis, index: &Tensor<i64>) -> Self {
        Along { axis, index: index.clone(), broadcast: false, found: Found::default() }
    }

    fn find(&self, shape: &Shape) -> Result<Tensor<i64>, ShapeError> {
        match self.broadcast {
            false => positions_along("gather", shape, self.axis, &self.index),
            // The numbers of the elements, rearranged as the elements would be.
            true => {
                Tensor::arange(shape.size()).try_reshape(shape.clone())?.try_take_along_axis(&self.index, self.axis)
            }
        }
    }
}

impl<F: TensorFloat> Gather<F> {
    fn new(axis: Axis, index: &Tensor<i64>, broadcast: bool) -> Self {
        Gather(Box::new(Along { broadcast, ..Along::new(axis, index) }), PhantomData)
    }
}

impl<F: TensorFloat> Op<F> for Gather<F> {
    const NAME: &'static str = "gather";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let positions = self.0.find(x[0].shape())?;
        self.0.found.pick(x[0], positions)
    }

    fn labels(&mut self) -> Option<&mut Tensor<i64>> {
        Some(&mut self.0.index)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        self.0.found.place(x[0], &y_bar)
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        self.0.found.push(x_dot)
    }
}

pub(crate) fn pick<F: TensorFloat, A: Array<F>>(x: &A, positions: &Tensor<i64>) -> A {
    Pick(positions.clone(), PhantomData).on(&[x])
}

/// The numbers of the elements that a rule's forward pass chose.
#[derive(Clone, Default)]
pub(super) struct Found(Option<Tensor<i64>>);

impl Found {
    /// The elements with these numbers, which it remembers.
    pub(super) fn pick<F: TensorFloat>(
        &mut self,
        x: &Tensor<F>,
        positions: Tensor<i64>,
    ) -> Result<Tensor<F>, ShapeError> {
        let y = x.try_pick(&positions)?;
        self.0 = Some(positions);
        Ok(y)
    }

    pub(super) fn remember(&mut self, positions: Tensor<i64>) {
        self.0 = Some(positions);
    }

    pub(super) fn positions(&self) -> &Tensor<i64> {
        self.0.as_ref().unwrap_or_else(|| unreachable!("a pullback runs after its op"))
    }

    /// The tangent of what was chosen, from that of the operand.
    pub(super) fn push<F: TensorFloat, A: Array<F>>(&self, x_dot: &[Option<&A>]) -> Option<A> {
        Some(pick(x_dot[0]?, self.positions()))
    }

    /// The cotangent of the operand they were chosen from.
    pub(super) fn place<F: TensorFloat, A: Array<F>>(&self, x: &A, y_bar: &A) -> Cotangents<A> {
        one(place(y_bar, self.positions(), x.shape()))
    }
}

/// The adjoint of [`pick`] from a tensor of `shape`.
pub(crate) fn place<F: TensorFloat, A: Array<F>>(y_bar: &A, positions: &Tensor<i64>, shape: Shape) -> A {
    Place(Box::new((positions.clone(), shape)), PhantomData).on(&[y_bar])
}

/// Zeros of a shape with the operand's elements added where the numbers say. Boxed: the largest op sets the size of all
/// nodes.
#[derive(Clone)]
pub(crate) struct Place<F>(Box<(Tensor<i64>, Shape)>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Place<F> {
    const NAME: &'static str = "place";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (positions, shape) = &*self.0;
        Tensor::try_place(shape.clone(), positions, x[0])
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(Pick(self.0.0.clone(), PhantomData).on(&[&y_bar]))
    }
}

/// Zeros with the operand's elements added where an index says along an axis; knows the numbers once it has run.
#[derive(Clone)]
pub(crate) struct PlaceAlong<F>(Box<(Along, Shape)>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for PlaceAlong<F> {
    const NAME: &'static str = "scatter_add";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (along, shape) = &mut *self.0;
        let positions = positions_along(Self::NAME, shape, along.axis, &along.index)?;
        if positions.shape() != x[0].shape() {
            let (op, lhs, rhs) = (Self::NAME, positions.shape().clone(), x[0].shape().clone());
            return Err(ShapeError::Unequal { op, lhs, rhs });
        }
        let y = Tensor::try_place(shape.clone(), &positions, x[0])?;
        along.found.remember(positions);
        Ok(y)
    }

    fn labels(&mut self) -> Option<&mut Tensor<i64>> {
        Some(&mut self.0.0.index)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(pick(&y_bar, self.0.0.found.positions()))
    }
}

/// The first operand with elements of the second where an index says along an axis, of several the last; once it has
/// run, knows for each element of the result the number in the second that it has, -1 if none.
#[derive(Clone)]
pub(crate) struct Scatter<F>(Box<Along>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Scatter<F> {
    const NAME: &'static str = "scatter";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let Along { axis, index, found, .. } = &mut *self.0;
        let numbers = Tensor::<i64>::arange(x[1].len()).try_reshape(x[1].shape())?;
        found.remember(Tensor::try_full(x[0].shape(), -1_i64)?.try_scatter(*axis, index, &numbers)?);
        x[0].try_scatter(*axis, index, x[1])
    }

    fn labels(&mut self) -> Option<&mut Tensor<i64>> {
        Some(&mut self.0.index)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let from = self.0.found.positions();
        let zero = y_bar.constant(Tensor::scalar(F::ZERO));
        let x_bar = wanted[0].then(|| select(&fitting(from.try_greater_equal(0)), &zero, &y_bar));
        two(x_bar, wanted[1].then(|| place(&y_bar, from, x[1].shape())))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The elements with these numbers in row-major order; 0 where the number is -1.
    ///
    /// Shapes: `x: [..]`, result that of the numbers.
    ///
    /// # Panics
    /// With the text of the error that [`try_pick`](Self::try_pick) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.pick(&Tensor::from([3, -1, 3]));
    /// assert_eq!(y.value().to_vec(), [4.0, 0.0, 4.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 0.0, 0.0, 2.0]);
    /// ```
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

    /// The elements that `index` names along `axis`: `y[i, j] = x[index[i, j], j]` for axis 0 of a matrix. An element
    /// gathered twice receives both gradients.
    ///
    /// Shapes: `self: [.., n, ..]`, `index: [.., m, ..]`, result `[.., m, ..]`. Other axes of `index` may be shorter,
    /// and the result is then too.
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
        self.try_gather(axis, index).or_panic()
    }

    /// [`gather`](Self::gather), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist, the shapes do not go together, or an index is negative or not below
    /// `n`.
    #[track_caller]
    pub fn try_gather(self, axis: impl Into<Axis>, index: &Tensor<i64>) -> Result<Self, Error> {
        self.try_record1(Gather::new(axis.into(), index, false))
    }

    /// As [`gather`](Self::gather), where the axes other than `axis` broadcast: NumPy's `take_along_axis`.
    ///
    /// Shapes: `x: [.., n, ..]`, `index: [.., m, ..]`, result `[.., m, ..]`, the other axes repeated.
    ///
    /// # Panics
    /// With the text of the error that [`try_take_along_axis`](Self::try_take_along_axis) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.take_along_axis(&Tensor::from([[1]]), 1).value().to_vec(), [2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn take_along_axis(self, index: &Tensor<i64>, axis: impl Into<Axis>) -> Self {
        self.try_take_along_axis(index, axis).or_panic()
    }

    /// [`take_along_axis`](Self::take_along_axis), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_gather`](Self::try_gather), and if the other axes do not broadcast.
    #[track_caller]
    pub fn try_take_along_axis(self, index: &Tensor<i64>, axis: impl Into<Axis>) -> Result<Self, Error> {
        self.try_record1(Gather::new(axis.into(), index, true))
    }

    /// The entries of `axis` with these numbers, in this order: [`gather_rows`](Self::gather_rows) along any axis.
    ///
    /// Shapes: `self: [.., n, ..]`, `entries: [m]`, result `[.., m, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_index_select`](Self::try_index_select) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.index_select(1, &Tensor::from([1, 1]));
    /// assert_eq!(y.value().to_vec(), [2.0, 2.0, 4.0, 4.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 2.0, 0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn index_select(self, axis: impl Into<Axis>, entries: &Tensor<i64>) -> Self {
        self.try_index_select(axis, entries).or_panic()
    }

    /// [`index_select`](Self::index_select), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis or an entry does not exist, or `entries` has not one axis.
    #[track_caller]
    pub fn try_index_select(self, axis: impl Into<Axis>, entries: &Tensor<i64>) -> Result<Self, Error> {
        let _whole = self.whole("index_select");
        let axis = self.fit(axis.into().resolve("index_select", &self.shape()))?;
        self.fit(wengert_tensor::check_entries("index_select", &self.shape(), axis, entries))?;
        if axis == 0 {
            return self.try_gather_rows(entries);
        }
        self.try_transpose(0, axis)?.try_gather_rows(entries)?.try_transpose(0, axis)
    }

    /// This tensor with elements of `source` where `index` says along `axis`. Of several written to one place the last
    /// stays, in row-major order of `source`, and it alone has a gradient.
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
        self.try_scatter(axis, index, source).or_panic()
    }

    /// [`scatter`](Self::scatter), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist, the shapes do not go together, or an index is negative or not below
    /// `n`; [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_scatter(self, axis: impl Into<Axis>, index: &Tensor<i64>, source: Self) -> Result<Self, Error> {
        self.same_tape(source, "scatter", Location::caller())?;
        self.try_record2(Scatter(Box::new(Along::new(axis.into(), index)), PhantomData), source)
    }

    /// This tensor with elements of `source` added where `index` says along `axis`.
    ///
    /// Shapes: as [`scatter`](Self::scatter).
    ///
    /// # Panics
    /// With the text of the error that [`try_scatter_add`](Self::try_scatter_add) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let (x, source) = (tape.tensor([1.0, 2.0]), tape.tensor([10.0, 20.0, 30.0]));
    /// let y = x.scatter_add(0, &Tensor::from([0, 1, 0]), source);
    /// assert_eq!(y.value().to_vec(), [41.0, 22.0]);
    /// assert_eq!((y * x).sum().gradient()[source].to_vec(), [1.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn scatter_add(self, axis: impl Into<Axis>, index: &Tensor<i64>, source: Self) -> Self {
        self.try_scatter_add(axis, index, source).or_panic()
    }

    /// [`scatter_add`](Self::scatter_add), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_scatter`](Self::try_scatter).
    #[track_caller]
    pub fn try_scatter_add(self, axis: impl Into<Axis>, index: &Tensor<i64>, source: Self) -> Result<Self, Error> {
        let _whole = self.whole("scatter_add");
        self.same_tape(source, "scatter_add", Location::caller())?;
        let along = (Along::new(axis.into(), index), self.shape());
        self.try_add(source.try_record1(PlaceAlong(Box::new(along), PhantomData))?)
    }
}
