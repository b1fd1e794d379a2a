//! Variances and standard deviations over axes, composed of other rules.
//!
//! Formulas: `sum (x - mean)^2 / (n - correction)` and its root. Shapes: as sums. The mean is taken off first, so that
//! values far from 0 keep their digits.

use super::affine::Affine;
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::{Axes, Tensor, keep};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The variance of all elements: `sum (x - mean)^2 / (n - correction)`. A correction of 1 gives the unbiased
    /// estimate from a sample, 0 the variance of a whole population.
    ///
    /// Shapes: `x: [..]`, result `[]`.
    ///
    /// # Panics
    /// If there are not more elements than `correction`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1e8, 1e8 + 1.0, 1e8 + 2.0]);
    /// let y = x.variance(1.0);
    /// assert_eq!(y.item(), 1.0);
    /// assert_eq!(y.gradient()[x].to_vec(), [-1.0, 0.0, 1.0]);
    /// ```
    #[doc(alias = "var")]
    #[track_caller]
    pub fn variance(self, correction: f64) -> Self {
        self.variance_axes(Axes::ALL, correction)
    }

    /// Variances over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`. See [`variance`](Self::variance).
    ///
    /// # Panics
    /// With the text of the error that [`try_variance_axes`](Self::try_variance_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 3.0], [2.0, 8.0]]);
    /// assert_eq!(x.variance_axes(1, 1.0).value().to_vec(), [2.0, 18.0]);
    /// ```
    #[doc(alias = "var")]
    #[track_caller]
    pub fn variance_axes(self, axes: impl Into<Axes>, correction: f64) -> Self {
        self.try_variance_axes(axes, correction).or_panic()
    }

    /// [`variance_axes`](Self::variance_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist or is named twice, or there are not more elements along the axes than
    /// `correction`.
    #[track_caller]
    pub fn try_variance_axes(self, axes: impl Into<Axes>, correction: f64) -> Result<Self, Error> {
        let _whole = self.whole("variance");
        let axes = axes.into();
        let terms = self.fit(self.peek().try_degrees("variance", &axes, correction))?;
        let deviations = self.try_sub(self.try_mean_axes(keep(axes.clone()))?)?;
        let squares = deviations.try_mul(deviations)?.try_sum_axes(axes)?;
        squares.try_div(self.tape().constant_tensor(Tensor::scalar(F::from_f64(terms))))
    }

    /// The standard deviation of all elements, the root of the [`variance`](Self::variance). Where all are equal the
    /// gradient is 0.
    ///
    /// Shapes: `x: [..]`, result `[]`.
    ///
    /// # Panics
    /// If there are not more elements than `correction`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 3.0]);
    /// let y = x.std(0.0);
    /// assert_eq!(y.item(), 1.0);
    /// assert!((y.gradient()[x].at([1]) - 0.5).abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn std(self, correction: f64) -> Self {
        self.std_axes(Axes::ALL, correction)
    }

    /// Standard deviations over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`. See [`std`](Self::std).
    ///
    /// # Panics
    /// With the text of the error that [`try_std_axes`](Self::try_std_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 3.0], [2.0, 8.0]]);
    /// let y = x.std_axes(1, 0.0).value();
    /// assert!((y.at([0]) - 1.0).abs() < 1e-15 && (y.at([1]) - 3.0).abs() < 1e-15);
    /// ```
    #[track_caller]
    pub fn std_axes(self, axes: impl Into<Axes>, correction: f64) -> Self {
        self.try_std_axes(axes, correction).or_panic()
    }

    /// [`std_axes`](Self::std_axes), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_variance_axes`](Self::try_variance_axes).
    #[track_caller]
    pub fn try_std_axes(self, axes: impl Into<Axes>, correction: f64) -> Result<Self, Error> {
        let _whole = self.whole("std");
        let axes = axes.into();
        let terms = self.fit(self.peek().try_degrees("std", &axes, correction))?;
        // The length of the deviations: unlike the root of the variance it has derivatives where all are equal.
        let deviations = self.try_sub(self.try_mean_axes(keep(axes.clone()))?)?;
        let scale = F::from_f64(1.0 / terms.sqrt());
        deviations.try_norm2_axes(axes)?.try_record1(Affine { scale, shift: -F::ZERO })
    }
}
