//! The windows of images as columns of a matrix, and columns added up to images.
//!
//! Shapes: `x: [n, c, h, w]`, columns `[n, c kh kw, oh ow]`. Both are linear and each the other's cotangent.

use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_tensor::{Pair, ShapeError, Tensor, Windows};

/// Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct Unfold<F>(Box<Windows>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Unfold<F> {
    const NAME: &'static str = "unfold";
    const READS_RESULT: bool = false;
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_unfold(&self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let images = x[0].shape();
        one(Fold(Box::new((*self.0, [images[2], images[3]])), PhantomData).on(&[&y_bar]))
    }
}

/// Knows the size of the images.
#[derive(Clone)]
pub(crate) struct Fold<F>(Box<(Windows, [usize; 2])>, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Fold<F> {
    const NAME: &'static str = "fold";
    const READS_RESULT: bool = false;
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_fold(self.0.1, &self.0.0)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(Unfold(Box::new(self.0.0), PhantomData).on(&[&y_bar]))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The windows of images as columns, channel by channel and row by row (`im2col`): a convolution is a matrix
    /// product with them.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c kh kw, oh ow]` with
    /// `oh = (h + 2 padding - dilation (kh - 1) - 1) / stride + 1`.
    ///
    /// Source: K. Chellapilla, S. Puri and P. Simard, "High performance convolutional neural networks for document
    /// processing", 2006.
    ///
    /// # Panics
    /// With the text of the error that [`try_unfold`](Self::try_unfold) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Windows;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0, 2.0, 3.0]]]]);
    /// let columns = x.unfold(&Windows::new([1, 2]));
    /// assert_eq!(columns.value().to_vec(), [1.0, 2.0, 2.0, 3.0]);
    /// assert_eq!(columns.sum().gradient()[x].to_vec(), [1.0, 2.0, 1.0]);
    /// ```
    #[doc(alias = "im2col")]
    #[track_caller]
    pub fn unfold(self, windows: &Windows) -> Self {
        self.try_unfold(windows).or_panic()
    }

    /// [`unfold`](Self::unfold), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not four axes, a setting has no meaning or the window does not fit.
    #[doc(alias = "im2col")]
    #[track_caller]
    pub fn try_unfold(self, windows: &Windows) -> Result<Self, Error> {
        self.try_record1(Unfold(Box::new(*windows), PhantomData))
    }

    /// Adds columns up to images of a size `[h, w]` (`col2im`): the adjoint of [`unfold`](Self::unfold).
    ///
    /// Shapes: `self: [n, c kh kw, oh ow]`, result `[n, c, h, w]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_fold`](Self::try_fold) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Windows;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[1.0, 2.0], [10.0, 20.0]]]); // two windows of two entries
    /// let y = x.fold([1, 3], &Windows::new([1, 2]));
    /// assert_eq!(y.value().to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    #[doc(alias = "col2im")]
    #[track_caller]
    pub fn fold(self, size: impl Into<Pair>, windows: &Windows) -> Self {
        self.try_fold(size, windows).or_panic()
    }

    /// [`fold`](Self::fold), returning what does not fit.
    ///
    /// # Errors
    /// As [`try_unfold`](Self::try_unfold), and if the columns are not those of images of this size.
    #[doc(alias = "col2im")]
    #[track_caller]
    pub fn try_fold(self, size: impl Into<Pair>, windows: &Windows) -> Result<Self, Error> {
        self.try_record1(Fold(Box::new((*windows, size.into().0)), PhantomData))
    }
}
