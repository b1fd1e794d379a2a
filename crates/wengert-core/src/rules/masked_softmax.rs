//! Softmax over the elements a mask allows.
//!
//! Formula: `y_i = exp(x_i) / sum exp(x_j)` over allowed `j`; 0 for what is hidden, and for a lane of which nothing
//! counts. Shapes: `x: [..]`, the mask repeats to it, `y: [..]`. Cotangent: `y (y_bar - <y, y_bar>)`, which is 0
//! wherever `y` is, whatever `y_bar` holds there.

use super::sum::sum_keep;
use super::zip::zip;
use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::Binary;
use wengert_tensor::{Axis, ShapeError, Tensor};

/// Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct MaskedSoftmax<F> {
    mask: Option<Box<Tensor<bool>>>,
    axis: Axis,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for MaskedSoftmax<F> {
    const NAME: &'static str = "masked_softmax";
    const PUSHFORWARD: Pushforward = Pushforward::Symmetric;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_masked_softmax(self.mask.as_deref(), self.axis)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let axis = self.axis.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let inner = sum_keep(&zip(Binary::MulZero, &y_bar, y), axis);
        one(zip(Binary::MulZero, &zip(Binary::Sub, &y_bar, &inner), y))
    }
}

pub(crate) fn masked_softmax<F: TensorFloat, A: Array<F>>(x: &A, mask: Option<Tensor<bool>>, axis: Axis) -> A {
    MaskedSoftmax { mask: mask.map(Box::new), axis, number: PhantomData }.on(&[x])
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Softmax along `axis` over the elements for which `mask` is true; 0 for the others, and for all of a lane of
    /// which no element counts.
    ///
    /// Nothing flows to what is hidden. Shapes: `mask` repeats to the shape of `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_masked_softmax`](Self::try_masked_softmax) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 1.0, f64::NAN], [0.0, 0.0, 0.0]]);
    /// let y = x.masked_softmax(Tensor::from([[true, true, false], [false, false, false]]), -1);
    /// assert_eq!(y.value().to_vec(), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
    /// assert_eq!(y.square().sum().gradient()[x].to_vec(), [0.0; 6]);
    /// ```
    #[track_caller]
    pub fn masked_softmax(self, mask: impl Into<Tensor<bool>>, axis: impl Into<Axis>) -> Self {
        self.try_masked_softmax(mask, axis).or_panic()
    }

    /// [`masked_softmax`](Self::masked_softmax), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis or the mask does not repeat to the shape.
    #[track_caller]
    pub fn try_masked_softmax(self, mask: impl Into<Tensor<bool>>, axis: impl Into<Axis>) -> Result<Self, Error> {
        self.try_record1(MaskedSoftmax { mask: Some(Box::new(mask.into())), axis: axis.into(), number: PhantomData })
    }
}
