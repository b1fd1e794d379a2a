//! Weighted sums along an axis: what adaptive averages and interpolation are made of.
//!
//! Shapes: axis `axis` of `y` has as many entries as there are sums. Linear: the cotangent is the same with the weights
//! transposed.

use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use std::sync::Arc;
use wengert_tensor::{ShapeError, Taps, Tensor};

#[derive(Clone)]
pub(crate) struct Resample<F> {
    axis: usize,
    taps: Arc<Taps>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Resample<F> {
    const NAME: &'static str = "resample";
    const PUSHFORWARD: Pushforward = Pushforward::Linear;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_resample(self.axis, &self.taps)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(Resample { taps: Arc::new(self.taps.transposed()), ..self.clone() }.on(&[&y_bar]))
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// Weighted sums along `axis`, which has as many entries as the taps take.
    #[track_caller]
    pub(super) fn try_resample(self, axis: usize, taps: Taps) -> Result<Self, Error> {
        self.try_record1(Resample { axis, taps: Arc::new(taps), number: PhantomData })
    }
}
