//! A range of one axis, with a step, without copying; and its adjoint, embedding into zeros.
//!
//! Shapes: axis `axis` of `y` has as many entries as the range names. Cotangent: `y_bar` in its place among zeros.

use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Axis, Shape, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Slice<F> {
    axis: Axis,
    range: wengert_tensor::Slice,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Slice<F> {
    const NAME: &'static str = "slice";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_slice(self.axis, self.range)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(Embed(Box::new((self.clone(), x[0].shape()))).on(&[&y_bar]))
    }
}

/// Zeros of a shape with the operand where the slice reads. Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct Embed<F>(Box<(Slice<F>, Shape)>);

impl<F: TensorFloat> Op<F> for Embed<F> {
    const NAME: &'static str = "embed";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (slice, shape) = &*self.0;
        Tensor::try_embed(shape.clone(), slice.axis, slice.range, x[0])
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(self.0.0.clone().on(&[&y_bar]))
    }
}

pub(crate) fn slice<F: TensorFloat, A: Array<F>>(x: &A, axis: usize, range: impl Into<wengert_tensor::Slice>) -> A {
    Slice { axis: axis.into(), range: range.into(), number: PhantomData }.on(&[x])
}

/// Zeros of `shape` with `x` where the range of `axis` is.
pub(crate) fn embed<F: TensorFloat, A: Array<F>>(
    x: &A,
    axis: usize,
    range: impl Into<wengert_tensor::Slice>,
    shape: Shape,
) -> A {
    embedding(axis, range, shape).on(&[x])
}

/// The op of [`embed`].
pub(super) fn embedding<F: TensorFloat>(
    axis: usize,
    range: impl Into<wengert_tensor::Slice>,
    shape: Shape,
) -> Embed<F> {
    Embed(Box::new((Slice { axis: axis.into(), range: range.into(), number: PhantomData }, shape)))
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// A range of one axis: `x.slice(1, 2..5)`, `x.slice(0, Slice::from(..).step(2))`.
    ///
    /// Shapes: `[.., n, ..] -> [.., m, ..]` with the `m` entries of the range.
    ///
    /// # Panics
    /// With the text of the error that [`try_slice`](Self::try_slice) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Slice;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0, 4.0]);
    /// let y = x.slice(0, Slice::from(..).step(2));
    /// assert_eq!(y.value().to_vec(), [1.0, 3.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 0.0, 1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn slice(self, axis: impl Into<Axis>, range: impl Into<wengert_tensor::Slice>) -> Self {
        self.try_slice(axis, range).or_panic()
    }

    /// [`slice`](Self::slice), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist or the range leaves it.
    #[track_caller]
    pub fn try_slice(self, axis: impl Into<Axis>, range: impl Into<wengert_tensor::Slice>) -> Result<Self, Error> {
        self.try_record1(Slice { axis: axis.into(), range: range.into(), number: PhantomData })
    }

    /// One entry of `axis`, which goes away: the last place of every sequence is `x.index_axis(1, -1)`. A negative
    /// index counts from the end.
    ///
    /// Shapes: without the axis.
    ///
    /// # Panics
    /// With the text of the error that [`try_index_axis`](Self::try_index_axis) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// let y = x.index_axis(1, -1);
    /// assert_eq!(y.value().to_vec(), [3.0, 6.0]);
    /// assert_eq!(y.square().sum().gradient()[x].to_vec(), [0.0, 0.0, 6.0, 0.0, 0.0, 12.0]);
    /// ```
    #[track_caller]
    pub fn index_axis(self, axis: impl Into<Axis>, index: isize) -> Self {
        self.try_index_axis(axis, index).or_panic()
    }

    /// [`index_axis`](Self::index_axis), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis or no such entry.
    #[track_caller]
    pub fn try_index_axis(self, axis: impl Into<Axis>, index: isize) -> Result<Self, Error> {
        let (op, shape) = ("index_axis", self.shape());
        let axis = self.fit(axis.into().resolve(op, &shape))?;
        let position = if index < 0 { index.wrapping_add(shape[axis] as isize) } else { index };
        if position < 0 || position >= shape[axis] as isize {
            return self.fit(Err(ShapeError::Index { op, index, axis, shape }));
        }
        self.try_slice(axis, position..position + 1)?.try_squeeze(axis)
    }

    /// The axis read backwards.
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_flip`](Self::try_flip) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.flip(0).value().to_vec(), [3.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn flip(self, axis: impl Into<Axis>) -> Self {
        self.try_flip(axis).or_panic()
    }

    /// [`flip`](Self::flip), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    #[track_caller]
    pub fn try_flip(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        let axis = self.fit(axis.into().resolve("flip", &self.shape()))?;
        self.try_slice(axis, wengert_tensor::Slice::from(..).step(-1))
    }
}
