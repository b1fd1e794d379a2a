//! Poolings whose result has a given size, composed of the other poolings and, where windows differ in size, of
//! weighted sums along the axes; the largest of such windows are a rule of their own.
//!
//! Shapes: `x: [n, c, h, w]`, `y: [n, c, oh, ow]`. Cotangent of the largest: `y_bar` to the first of them in each
//! window, whose number the forward pass finds.

use super::pick::Found;
use super::{Array, Cotangents, Op};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Adaptive, Pair, Pooling, ShapeError, Taps, Tensor, keep, largest_positions, one_high};

/// The largest of windows that differ in size, `[vertical, horizontal]` of them; knows the places once it has run.
/// Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct AdaptiveMaxPool2d<F>(Box<([usize; 2], Found)>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for AdaptiveMaxPool2d<F> {
    const NAME: &'static str = "adaptive_max_pool2d";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let positions = largest_positions(x[0], self.0.0)?;
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
    /// Means of `output` windows, `[vertical, horizontal]`, that share the images out as evenly as possible: window `k`
    /// of `m` sees the entries from `k h / m`, rounded down, to `(k + 1) h / m`, rounded up. One window is the global
    /// mean.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c, oh, ow]`, for any `h` and `w`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_avg_pool2d`](Self::try_adaptive_avg_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0, 2.0, 6.0]]]]);
    /// let y = x.adaptive_avg_pool2d([1, 2]); // columns 0 to 1 and 1 to 2
    /// assert_eq!(y.value().to_vec(), [1.5, 4.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.5, 1.0, 0.5]);
    /// ```
    #[track_caller]
    pub fn adaptive_avg_pool2d(self, output: impl Into<Pair>) -> Self {
        self.try_adaptive_avg_pool2d(output).or_panic()
    }

    /// [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not four axes, no windows are asked for or the images have no entries.
    #[track_caller]
    pub fn try_adaptive_avg_pool2d(self, output: impl Into<Pair>) -> Result<Self, Error> {
        let (op, shape) = ("adaptive_avg_pool2d", self.shape());
        let _whole = self.whole(op);
        match self.fit(Adaptive::plan(op, &shape, output.into().0))? {
            Adaptive::Global => self.try_mean_axes(keep([2, 3])),
            Adaptive::Even(pooling) => self.try_avg_pool2d(&pooling),
            Adaptive::Uneven([rows, columns]) => {
                self.try_resample(2, Taps::mean(shape[2], rows))?.try_resample(3, Taps::mean(shape[3], columns))
            }
        }
    }

    /// The largest elements of `output` windows; see [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d). Of equal
    /// elements the first receives the gradient; NaN counts as largest.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c, oh, ow]` for `output` of `[oh, ow]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_max_pool2d`](Self::try_adaptive_max_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]]]);
    /// let y = x.adaptive_max_pool2d([1, 2]);
    /// assert_eq!(y.value().to_vec(), [5.0, 6.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn adaptive_max_pool2d(self, output: impl Into<Pair>) -> Self {
        self.try_adaptive_max_pool2d(output).or_panic()
    }

    /// [`adaptive_max_pool2d`](Self::adaptive_max_pool2d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_adaptive_avg_pool2d`](Self::try_adaptive_avg_pool2d).
    #[track_caller]
    pub fn try_adaptive_max_pool2d(self, output: impl Into<Pair>) -> Result<Self, Error> {
        let (op, output, shape) = ("adaptive_max_pool2d", output.into().0, self.shape());
        let _whole = self.whole(op);
        match self.fit(Adaptive::plan(op, &shape, output))? {
            Adaptive::Global => self.try_max_pool2d(&Pooling::new([shape[2], shape[3]])),
            Adaptive::Even(pooling) => self.try_max_pool2d(&pooling),
            Adaptive::Uneven(_) => {
                self.try_record1(AdaptiveMaxPool2d(Box::new((output, Found::default())), PhantomData))
            }
        }
    }

    /// [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d) of sequences: `[n, c, l] -> [n, c, output]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_avg_pool1d`](Self::try_adaptive_avg_pool1d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0, 5.0, 3.0, 7.0]]]);
    /// assert_eq!(x.adaptive_avg_pool1d(2).value().to_vec(), [3.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn adaptive_avg_pool1d(self, output: usize) -> Self {
        self.try_adaptive_avg_pool1d(output).or_panic()
    }

    /// [`adaptive_avg_pool1d`](Self::adaptive_avg_pool1d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_adaptive_avg_pool2d`](Self::try_adaptive_avg_pool2d); there must be three axes.
    #[track_caller]
    pub fn try_adaptive_avg_pool1d(self, output: usize) -> Result<Self, Error> {
        let _whole = self.whole("adaptive_avg_pool1d");
        let x = self.try_one_high("adaptive_avg_pool1d", output)?;
        let y = x.try_adaptive_avg_pool2d([1, output]).map_err(|error| error.of_sequences("adaptive_avg_pool1d"))?;
        y.try_reshape([x.shape()[0], x.shape()[1], output])
    }

    /// [`adaptive_max_pool2d`](Self::adaptive_max_pool2d) of sequences: `[n, c, l] -> [n, c, output]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_max_pool1d`](Self::try_adaptive_max_pool1d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0, 5.0, 3.0, 7.0]]]);
    /// assert_eq!(x.adaptive_max_pool1d(2).value().to_vec(), [5.0, 7.0]);
    /// ```
    #[track_caller]
    pub fn adaptive_max_pool1d(self, output: usize) -> Self {
        self.try_adaptive_max_pool1d(output).or_panic()
    }

    /// [`adaptive_max_pool1d`](Self::adaptive_max_pool1d), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_adaptive_avg_pool1d`](Self::try_adaptive_avg_pool1d).
    #[track_caller]
    pub fn try_adaptive_max_pool1d(self, output: usize) -> Result<Self, Error> {
        let _whole = self.whole("adaptive_max_pool1d");
        let x = self.try_one_high("adaptive_max_pool1d", output)?;
        let y = x.try_adaptive_max_pool2d([1, output]).map_err(|error| error.of_sequences("adaptive_max_pool1d"))?;
        y.try_reshape([x.shape()[0], x.shape()[1], output])
    }

    /// Sequences as images one entry high, if they can be pooled: what is refused leaves no images on the tape.
    #[track_caller]
    fn try_one_high(self, op: &'static str, output: usize) -> Result<Self, Error> {
        let images = self.fit(one_high(op, &self.shape(), "sequences, [n, c, l]"))?;
        self.fit(Adaptive::plan(op, &images, [1, output]).map_err(|error| error.of_sequences(op)))?;
        self.try_reshape(images)
    }
}
