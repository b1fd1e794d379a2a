//! Running sums and extremes, and the linear recurrence that running products and their derivatives are made of.
//!
//! Formulas: `cumsum`: `y_k = x_0 + .. + x_k`; `recurrence`: `y_k = a_k y_(k-1) + b_k`, from either end, the factor
//! taken at the entry itself or, `lagged`, at the one before.
//!
//! Shapes: all `[.., n, ..]`. Cotangents: of a running sum the running sum from the other end. Of the recurrence
//! `g_k = y_bar_k + a_(k+1) g_(k+1)`, which is a recurrence from the other end, lagged if this is not; then `b_bar = g`
//! and `a_bar_k = g_k y_(k-1)` (lagged: `a_bar_k = g_(k+1) y_k`). So the four kinds are each other's derivatives at
//! every order, in `O(n)` and without a division. Of a running extreme: `y_bar` to the elements that were it, whose
//! numbers the forward pass finds.

use super::pick::Found;
use super::pushforward::total;
use super::slice::{embed, slice};
use super::zip::zip;
use super::{Array, Cotangents, Op, Pushforward, one, two};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::Binary;
use wengert_tensor::{Axis, Shape, ShapeError, Tensor, positions_along};

#[derive(Clone)]
pub(crate) struct CumSum<F> {
    axis: Axis,
    reverse: bool,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for CumSum<F> {
    const NAME: &'static str = "cumsum";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_cumsum(self.axis, self.reverse)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(CumSum { reverse: !self.reverse, ..self.clone() }.on(&[&y_bar]))
    }
}

/// The largest elements so far, or the smallest; knows their numbers once it has run. Boxed: the largest op sets the
/// size of all nodes.
#[derive(Clone)]
pub(crate) struct CumExtreme<F>(Box<Running>, PhantomData<F>);

#[derive(Clone)]
struct Running {
    axis: Axis,
    largest: bool,
    found: Found,
}

impl<F: TensorFloat> CumExtreme<F> {
    fn new(axis: Axis, largest: bool) -> Self {
        CumExtreme(Box::new(Running { axis, largest, found: Found::default() }), PhantomData)
    }
}

impl<F: TensorFloat> Op<F> for CumExtreme<F> {
    const NAME: &'static str = "cummax/cummin";

    fn label(&self) -> &'static str {
        if self.0.largest { "cummax" } else { "cummin" }
    }

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let axis = self.0.axis;
        let (y, index) = if self.0.largest { x[0].try_cummax(axis)? } else { x[0].try_cummin(axis)? };
        let positions = positions_along(self.label(), x[0].shape(), axis, &index)?;
        self.0.found.remember(positions);
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        self.0.found.place(x[0], &y_bar)
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        self.0.found.push(x_dot)
    }
}

#[derive(Clone)]
pub(crate) struct Recurrence<F> {
    axis: Axis,
    reverse: bool,
    lagged: bool,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Recurrence<F> {
    const NAME: &'static str = "recurrence";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        Tensor::try_recurrence(x[0], x[1], self.axis, self.reverse, self.lagged)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let axis = self.axis.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let back = Recurrence { reverse: !self.reverse, lagged: !self.lagged, ..self.clone() };
        let g = back.on(&[x[0], &y_bar]);
        let a_bar = wanted[0].then(|| match self.lagged {
            false => zip(Binary::MulZero, &moved_on(y, axis, self.reverse), &g),
            true => zip(Binary::MulZero, y, &moved_on(&g, axis, !self.reverse)),
        });
        two(a_bar, wanted[1].then_some(g))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        // y_dot_k = a_k y_dot_(k-1) + (a_dot_k y_(k-1) + b_dot_k), a recurrence of the same kind.
        let axis = self.axis.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let of_a = x_dot[0].map(|a_dot| match self.lagged {
            false => zip(Binary::MulZero, &moved_on(y, axis, self.reverse), a_dot),
            true => moved_on(&zip(Binary::MulZero, y, a_dot), axis, self.reverse),
        });
        let start = total([of_a, x_dot[1].cloned()], &y.shape())?;
        Some(self.clone().on(&[x[0], &start]))
    }
}

/// The entries of `axis` moved on by one, or back by one, a 0 where there is none.
fn moved_on<F: TensorFloat, A: Array<F>>(x: &A, axis: usize, back: bool) -> A {
    let shape = x.shape();
    let n = shape[axis] as isize;
    if n == 0 {
        return x.clone();
    }
    let (from, to) = if back { (1..n, 0..n - 1) } else { (0..n - 1, 1..n) };
    embed(&slice(x, axis, from), axis, to, shape)
}

/// The product of the entries of `axis` before each one, or behind it; 1 where there is none.
pub(crate) fn product_beside<F: TensorFloat, A: Array<F>>(x: &A, axis: usize, behind: bool) -> A {
    let start = x.constant(super::fitting(first_ones(&x.shape(), axis, behind)));
    Recurrence { axis: axis.into(), reverse: behind, lagged: true, number: PhantomData }.on(&[x, &start])
}

/// Zeros with ones at the first entry of `axis`, or at the last.
fn first_ones<F: TensorFloat>(shape: &Shape, axis: usize, last: bool) -> Result<Tensor<F>, ShapeError> {
    let n = shape[axis] as isize;
    if n == 0 {
        return Tensor::try_zeros(shape.clone());
    }
    let ones: Shape = shape.iter().enumerate().map(|(k, &dim)| if k == axis { 1 } else { dim }).collect();
    let place = if last { n - 1..n } else { 0..1 };
    Tensor::try_embed(shape.clone(), axis, place, &Tensor::try_ones(ones)?)
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Running sums along `axis`: `y_k = x_0 + .. + x_k`.
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_cumsum`](Self::try_cumsum) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0]);
    /// let y = x.cumsum(0);
    /// assert_eq!(y.value().to_vec(), [1.0, 3.0, 6.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [3.0, 2.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn cumsum(self, axis: impl Into<Axis>) -> Self {
        self.try_cumsum(axis).or_panic()
    }

    /// [`cumsum`](Self::cumsum), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist.
    #[track_caller]
    pub fn try_cumsum(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        self.try_record1(CumSum { axis: axis.into(), reverse: false, number: PhantomData })
    }

    /// Running products along `axis`: `y_k = x_0 .. x_k`. The gradient is exact at zeros, and `O(n)`.
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_cumprod`](Self::try_cumprod) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([2.0, 0.0, 3.0, 0.0, 5.0]);
    /// assert_eq!(x.cumprod(0).sum().gradient()[x].to_vec(), [1.0, 8.0, 0.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn cumprod(self, axis: impl Into<Axis>) -> Self {
        self.try_cumprod(axis).or_panic()
    }

    /// [`cumprod`](Self::cumprod), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist.
    #[track_caller]
    pub fn try_cumprod(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        let _whole = self.whole("cumprod");
        let shape = self.shape();
        let axis = self.fit(axis.into().resolve("cumprod", &shape))?;
        let start = self.tape().constant_tensor(self.fit(first_ones(&shape, axis, false))?);
        let before = Recurrence { axis: axis.into(), reverse: false, lagged: true, number: PhantomData };
        self.try_mul(self.try_record2(before, start)?)
    }

    /// The linear recurrence `y_k = a_k y_(k-1) + b_k` along `axis`, where this is `a`; it starts at `y_0 = b_0`, and
    /// `a_0` is not used. `O(n)`, and so are its derivatives. Filters and linear state-space models are recurrences.
    ///
    /// Shapes: `self`, `b` and the result `[.., n, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_recurrence`](Self::try_recurrence) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (a, b) = (tape.tensor([0.5, 0.5, 0.5]), tape.tensor([8.0, 0.0, 1.0]));
    /// let y = a.recurrence(b, 0);
    /// assert_eq!(y.value().to_vec(), [8.0, 4.0, 3.0]);
    /// assert_eq!(y.sum().gradient()[b].to_vec(), [1.75, 1.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn recurrence(self, b: Self, axis: impl Into<Axis>) -> Self {
        self.try_recurrence(b, axis).or_panic()
    }

    /// [`recurrence`](Self::recurrence), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist or the shapes differ, [`Error::MixedTapes`] if the operands are of
    /// two tapes.
    #[track_caller]
    pub fn try_recurrence(self, b: Self, axis: impl Into<Axis>) -> Result<Self, Error> {
        self.try_record2(Recurrence { axis: axis.into(), reverse: false, lagged: false, number: PhantomData }, b)
    }

    /// The largest elements so far along `axis`, and where they are. The first of equal ones takes the whole gradient;
    /// NaN stays once it came up.
    ///
    /// Where they are are plain numbers, which a [recorded program](crate::TensorFunction) could not renew: there use
    /// [`cummax_values`](Self::cummax_values).
    ///
    /// Shapes: both results like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_cummax`](Self::try_cummax) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 3.0, 2.0]);
    /// let (y, places) = x.cummax(0);
    /// assert_eq!((y.value().to_vec(), places.to_vec()), (vec![1.0, 3.0, 3.0], vec![0, 1, 1]));
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 2.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn cummax(self, axis: impl Into<Axis>) -> (Self, Tensor<i64>) {
        self.try_cummax(axis).or_panic()
    }

    /// [`cummax`](Self::cummax), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist.
    #[track_caller]
    pub fn try_cummax(self, axis: impl Into<Axis>) -> Result<(Self, Tensor<i64>), Error> {
        let axis = axis.into();
        let (_, index) = self.fit(self.value_handed_out("cummax", "cummax_values").try_cummax(axis))?;
        Ok((self.try_gather(axis, &index)?, index))
    }

    /// The largest elements so far along `axis`. The first of equal ones takes the whole gradient; NaN stays once it
    /// came up.
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_cummax_values`](Self::try_cummax_values) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 3.0, 2.0, 3.0]);
    /// let y = x.cummax_values(0);
    /// assert_eq!(y.value().to_vec(), [1.0, 3.0, 3.0, 3.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 3.0, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn cummax_values(self, axis: impl Into<Axis>) -> Self {
        self.try_cummax_values(axis).or_panic()
    }

    /// [`cummax_values`](Self::cummax_values), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist.
    #[track_caller]
    pub fn try_cummax_values(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        self.try_record1(CumExtreme::new(axis.into(), true))
    }

    /// The smallest elements so far along `axis`, and where they are; see [`cummax`](Self::cummax).
    ///
    /// Shapes: both results like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_cummin`](Self::try_cummin) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, 1.0, 2.0]);
    /// let (y, places) = x.cummin(0);
    /// assert_eq!((y.value().to_vec(), places.to_vec()), (vec![3.0, 1.0, 1.0], vec![0, 1, 1]));
    /// ```
    #[track_caller]
    pub fn cummin(self, axis: impl Into<Axis>) -> (Self, Tensor<i64>) {
        self.try_cummin(axis).or_panic()
    }

    /// [`cummin`](Self::cummin), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist.
    #[track_caller]
    pub fn try_cummin(self, axis: impl Into<Axis>) -> Result<(Self, Tensor<i64>), Error> {
        let axis = axis.into();
        let (_, index) = self.fit(self.value_handed_out("cummin", "cummin_values").try_cummin(axis))?;
        Ok((self.try_gather(axis, &index)?, index))
    }

    /// The smallest elements so far along `axis`; see [`cummax_values`](Self::cummax_values).
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_cummin_values`](Self::try_cummin_values) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, 1.0, 2.0]);
    /// assert_eq!(x.cummin_values(0).value().to_vec(), [3.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn cummin_values(self, axis: impl Into<Axis>) -> Self {
        self.try_cummin_values(axis).or_panic()
    }

    /// [`cummin_values`](Self::cummin_values), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist.
    #[track_caller]
    pub fn try_cummin_values(self, axis: impl Into<Axis>) -> Result<Self, Error> {
        self.try_record1(CumExtreme::new(axis.into(), false))
    }
}
