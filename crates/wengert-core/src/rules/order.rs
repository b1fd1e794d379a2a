//! Elements by size: sorting, the largest few, medians and quantiles.
//!
//! Where the elements are is found by the forward pass, anew in every replay. NaN counts as larger than every number,
//! and of equal elements the first comes first: it takes the whole gradient. Cotangent: `y_bar` to the elements taken.

use super::pick::Found;
use super::rows::Rows;
use super::{Array, Cotangents, Op};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Axes, Axis, ShapeError, Tensor, positions_along, quantile_place};

/// Elements picked by their size; knows their numbers once it has run. Boxed: the largest op sets the size of all
/// nodes.
#[derive(Clone)]
pub(crate) struct BySize<F>(Box<(Order, Found)>, PhantomData<F>);

#[derive(Clone, Copy)]
enum Order {
    Sort {
        axis: Axis,
        descending: bool,
    },
    Largest {
        axis: Axis,
        k: usize,
    },
    /// Of the rows of a matrix.
    Median,
    /// Of the rows of a matrix: the elements at these places of each, in order; one column if they are one.
    Quantile {
        below: usize,
        above: usize,
    },
}

impl Order {
    /// Along which axis, and where along it the elements are.
    fn find<F: TensorFloat>(self, x: &Tensor<F>) -> Result<(Axis, Tensor<i64>), ShapeError> {
        Ok(match self {
            Order::Sort { axis, descending } => (axis, x.try_argsort(axis, descending)?),
            Order::Largest { axis, k } => (axis, x.try_topk(k, axis)?.1),
            Order::Median => (Axis::from(1), x.try_argmedian_rows()?),
            Order::Quantile { below, above } => (Axis::from(1), quantile_columns(x, below, above)?),
        })
    }
}

/// Where along each row of a matrix the elements are that stand at two places in order. A row with NaN, which is sorted
/// to its end, has that at every place.
fn quantile_columns<F: TensorFloat>(x: &Tensor<F>, below: usize, above: usize) -> Result<Tensor<i64>, ShapeError> {
    let [rows, n] = [x.shape()[0], x.shape()[1]];
    if n == 0 {
        return Tensor::try_full([rows, 1 + usize::from(below != above)], 0);
    }
    let sorted = x.try_argsort(1, false)?;
    let last = sorted.try_slice(1, n - 1..n)?;
    let defined = x.try_gather(1, &last)?.map(|x| !x.is_nan());
    let column = |place: usize| defined.try_select(sorted.try_slice(1, place..place + 1)?, last.clone());
    match below == above {
        true => column(below),
        false => Tensor::try_concat(&[&column(below)?, &column(above)?], 1),
    }
}

impl<F: TensorFloat> BySize<F> {
    fn new(order: Order) -> Self {
        BySize(Box::new((order, Found::default())), PhantomData)
    }
}

impl<F: TensorFloat> Op<F> for BySize<F> {
    const NAME: &'static str = "sort";

    fn label(&self) -> &'static str {
        match self.0.0 {
            Order::Sort { .. } => "sort",
            Order::Largest { .. } => "topk",
            Order::Median => "median",
            Order::Quantile { .. } => "quantile",
        }
    }

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (axis, index) = self.0.0.find(x[0])?;
        let positions = positions_along(self.label(), x[0].shape(), axis, &index)?;
        self.0.1.pick(x[0], positions)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        self.0.1.place(x[0], &y_bar)
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        self.0.1.push(x_dot)
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The elements in ascending order along `axis`; NaN comes last.
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_sort`](Self::try_sort) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, 1.0, 2.0]);
    /// let y = x.sort(0);
    /// assert_eq!(y.value().to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!((y * tape.constant_tensor([10.0, 20.0, 30.0])).sum().gradient()[x].to_vec(), [30.0, 10.0, 20.0]);
    /// ```
    #[track_caller]
    pub fn sort(self, axis: impl Into<Axis>) -> Self {
        self.try_sort(axis, false).or_panic()
    }

    /// [`sort`](Self::sort), returning what does not fit; the largest first if `descending`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    #[track_caller]
    pub fn try_sort(self, axis: impl Into<Axis>, descending: bool) -> Result<Self, Error> {
        let axis = self.fit(axis.into().resolve("sort", &self.shape()))?.into();
        self.try_record1(BySize::new(Order::Sort { axis, descending }))
    }

    /// The `k` largest elements along `axis`, the largest first, and where they are; of equal ones the first.
    ///
    /// Where they are are plain numbers, which a [recorded program](crate::TensorFunction) could not renew: there use
    /// [`topk_values`](Self::topk_values).
    ///
    /// Shapes: `x: [.., n, ..]`, both results `[.., k, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_topk`](Self::try_topk) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 3.0, 2.0]);
    /// let (y, places) = x.topk(2, 0);
    /// assert_eq!((y.value().to_vec(), places.to_vec()), (vec![3.0, 2.0], vec![1, 2]));
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn topk(self, k: usize, axis: impl Into<Axis>) -> (Self, Tensor<i64>) {
        self.try_topk(k, axis).or_panic()
    }

    /// [`topk`](Self::topk), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist or has less than `k` entries.
    #[track_caller]
    pub fn try_topk(self, k: usize, axis: impl Into<Axis>) -> Result<(Self, Tensor<i64>), Error> {
        let axis = axis.into();
        let (_, index) = self.fit(self.value_handed_out("topk", "topk_values").try_topk(k, axis))?;
        Ok((self.try_gather(axis, &index)?, index))
    }

    /// The `k` largest elements along `axis`, the largest first; of equal ones the first.
    ///
    /// Shapes: `x: [.., n, ..]`, result `[.., k, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_topk_values`](Self::try_topk_values) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 5.0, 3.0, 5.0]);
    /// let y = x.topk_values(3, 0);
    /// assert_eq!(y.value().to_vec(), [5.0, 5.0, 3.0]);
    /// assert_eq!((y * tape.constant_tensor([1.0, 2.0, 3.0])).sum().gradient()[x].to_vec(), [0.0, 1.0, 3.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn topk_values(self, k: usize, axis: impl Into<Axis>) -> Self {
        self.try_topk_values(k, axis).or_panic()
    }

    /// [`topk_values`](Self::topk_values), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_topk`](Self::try_topk).
    #[track_caller]
    pub fn try_topk_values(self, k: usize, axis: impl Into<Axis>) -> Result<Self, Error> {
        self.try_record1(BySize::new(Order::Largest { axis: axis.into(), k }))
    }

    /// The median of all elements: of an even number the lower one of the middle two. NaN if there is one.
    ///
    /// Shapes: `x: [..]`, result `[]`.
    ///
    /// # Panics
    /// If there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([4.0, 1.0, 3.0, 2.0]);
    /// assert_eq!(x.median().item(), 2.0);
    /// assert_eq!(x.median().gradient()[x].to_vec(), [0.0, 0.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn median(self) -> Self {
        self.median_axes(Axes::ALL)
    }

    /// Medians over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`. See [`median`](Self::median).
    ///
    /// # Panics
    /// With the text of the error that [`try_median_axes`](Self::try_median_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.median_axes(1).value().to_vec(), [2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn median_axes(self, axes: impl Into<Axes>) -> Self {
        self.try_median_axes(axes).or_panic()
    }

    /// [`median_axes`](Self::median_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist or is named twice, or there is nothing along the axes.
    #[track_caller]
    pub fn try_median_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        let _whole = self.whole("median");
        let (rows, x, _) = self.try_rows("median", &axes.into())?;
        x.try_record1(BySize::new(Order::Median))?.try_reshape(rows.result)
    }

    /// The value below which the fraction `q` of all elements lies, interpolated linearly: of `n` values in order the
    /// one at `q (n - 1)`. NaN if there is one.
    ///
    /// Shapes: `x: [..]`, result `[]`.
    ///
    /// Source: R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", 1996, definition 7.
    ///
    /// # Panics
    /// If `q` is not from 0 to 1 or there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([4.0, 1.0, 3.0, 2.0]);
    /// let y = x.quantile(0.25);
    /// assert_eq!(y.item(), 1.75);
    /// assert_eq!(y.gradient()[x].to_vec(), [0.0, 0.25, 0.0, 0.75]);
    /// ```
    #[track_caller]
    pub fn quantile(self, q: f64) -> Self {
        self.quantile_axes(q, Axes::ALL)
    }

    /// Quantiles over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`. See [`quantile`](Self::quantile).
    ///
    /// # Panics
    /// With the text of the error that [`try_quantile_axes`](Self::try_quantile_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.quantile_axes(0.25, 1).value().to_vec(), [1.5, 3.5]);
    /// ```
    #[track_caller]
    pub fn quantile_axes(self, q: f64, axes: impl Into<Axes>) -> Self {
        self.try_quantile_axes(q, axes).or_panic()
    }

    /// [`quantile_axes`](Self::quantile_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if `q` is not from 0 to 1, an axis does not exist or is named twice, or there is nothing along
    /// the axes.
    #[track_caller]
    pub fn try_quantile_axes(self, q: f64, axes: impl Into<Axes>) -> Result<Self, Error> {
        let _whole = self.whole("quantile");
        self.fit(quantile_place(q, 1))?;
        let (rows, x, n) = self.try_rows("quantile", &axes.into())?;
        let (below, above, share) = self.fit(quantile_place(q, n))?;
        let taken = x.try_record1(BySize::new(Order::Quantile { below, above }))?;
        // Infinities have no place between them, so a share of 0 is not multiplied with.
        let y = if below == above {
            taken
        } else {
            let (a, b) = (taken.try_slice(1, 0..1)?, taken.try_slice(1, 1..2)?);
            let share = self.tape().constant_tensor(Tensor::scalar(F::from_f64(share)));
            a.try_add(b.try_sub(a)?.try_mul(share)?)?
        };
        y.try_reshape(rows.result)
    }

    /// The lanes over these axes as the rows of a matrix, and their length, for an op that has no value over nothing.
    #[track_caller]
    fn try_rows(self, op: &'static str, axes: &Axes) -> Result<(Rows, Self, usize), Error> {
        let shape = self.shape();
        let reduced = self.fit(axes.resolve(op, &shape))?;
        let n = shape.iter().zip(&reduced).filter(|(_, reduced)| **reduced).map(|(&n, _)| n).product();
        let rows = Rows::new(&shape, axes);
        if n == 0 && rows.result.size() > 0 {
            return self.fit(Err(ShapeError::Empty { op, shape }));
        }
        let x = self.try_permute(rows.order.iter().copied())?.try_reshape(rows.matrix.clone())?;
        Ok((rows, x, n))
    }
}
