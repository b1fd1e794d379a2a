//! Elements by size: sorting, the largest few, medians and quantiles, all gathered from where they are.
//!
//! NaN counts as larger than every number, and of equal elements the first comes first: it takes the whole gradient. Cotangent:
//! `y_bar` to the elements taken.

use super::rows::Rows;
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::{Axes, Axis, ShapeError, Tensor, quantile_place};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The elements in ascending order along `axis`; NaN comes last.
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
        self.try_sort(axis, false).unwrap_or_else(|error| error.raise())
    }

    /// [`sort`](Self::sort), returning what does not fit; the largest first if `descending`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    #[track_caller]
    pub fn try_sort(self, axis: impl Into<Axis>, descending: bool) -> Result<Self, Error> {
        let axis = self.fit(axis.into().resolve("sort", &self.shape()))?;
        self.try_gather(axis, &self.try_argsort(axis, descending)?)
    }

    /// The `k` largest elements along `axis`, the largest first, and where they are; of equal ones the first.
    ///
    /// # Panics
    /// With the text of the error that [`try_topk`](Self::try_topk) returns.
    #[track_caller]
    pub fn topk(self, k: usize, axis: impl Into<Axis>) -> (Self, Tensor<i64>) {
        self.try_topk(k, axis).unwrap_or_else(|error| error.raise())
    }

    /// [`topk`](Self::topk), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist or has less than `k` entries.
    #[track_caller]
    pub fn try_topk(self, k: usize, axis: impl Into<Axis>) -> Result<(Self, Tensor<i64>), Error> {
        let axis = axis.into();
        let (_, index) = self.fit(self.value().try_topk(k, axis))?;
        Ok((self.try_gather(axis, &index)?, index))
    }

    /// The median of all elements: of an even number the lower one of the middle two. NaN if there is one.
    ///
    /// # Panics
    /// If there are no elements.
    #[track_caller]
    pub fn median(self) -> Self {
        self.median_axes(Axes::ALL)
    }

    /// Medians over the axes named.
    ///
    /// # Panics
    /// With the text of the error that [`try_median_axes`](Self::try_median_axes) returns.
    #[track_caller]
    pub fn median_axes(self, axes: impl Into<Axes>) -> Self {
        self.try_median_axes(axes).unwrap_or_else(|error| error.raise())
    }

    /// [`median_axes`](Self::median_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist or is named twice, or there is nothing along the axes.
    #[track_caller]
    pub fn try_median_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        let (rows, x, _) = self.try_rows("median", &axes.into())?;
        let middle = self.fit(x.value().try_argmedian_rows())?;
        x.try_gather(1, &middle)?.try_reshape(rows.result)
    }

    /// The value below which the fraction `q` of all elements lies, interpolated linearly: of `n` values in order the one at
    /// `q (n - 1)`. NaN if there is one.
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
    /// # Panics
    /// With the text of the error that [`try_quantile_axes`](Self::try_quantile_axes) returns.
    #[track_caller]
    pub fn quantile_axes(self, q: f64, axes: impl Into<Axes>) -> Self {
        self.try_quantile_axes(q, axes).unwrap_or_else(|error| error.raise())
    }

    /// [`quantile_axes`](Self::quantile_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if `q` is not from 0 to 1, an axis does not exist or is named twice, or there is nothing along the axes.
    #[track_caller]
    pub fn try_quantile_axes(self, q: f64, axes: impl Into<Axes>) -> Result<Self, Error> {
        // Before the rows are recorded.
        self.fit(quantile_place(q, 1))?;
        let (rows, x, n) = self.try_rows("quantile", &axes.into())?;
        let (below, above, share) = self.fit(quantile_place(q, n))?;
        let sorted = self.fit(x.value().try_argsort(1, false))?;
        // A lane with NaN, which is sorted to its end, has that as every quantile.
        let last =
            self.fit(x.value().try_gather(1, &self.fit(sorted.try_slice(1, -1..).or_else(|_| Ok(sorted.clone())))?))?;
        let defined = last.map(|x| !x.is_nan());
        let at = |place: usize| {
            let column = |place: usize| sorted.try_slice(1, place..place + 1);
            let index = match n {
                0 => Ok(Tensor::zeros([0, 1])),
                _ => column(place).and_then(|here| defined.try_select(here, column(n - 1)?)),
            };
            x.try_gather(1, &self.fit(index)?)
        };
        let a = at(below)?;
        // Infinities have no place between them, so a share of 0 is not multiplied with.
        let y = if share == 0.0 {
            a
        } else {
            let share = self.tape().constant_tensor(Tensor::scalar(F::from_f64(share)));
            a.try_add(at(above)?.try_sub(a)?.try_mul(share)?)?
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
        let x = rows.of(&self);
        Ok((rows, x, n))
    }
}
