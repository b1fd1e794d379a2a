//! Softmax, its logarithm, and log-sum-exp over one axis.
//!
//! Formulas: `softmax(x)_i = exp(x_i) / sum_j exp(x_j)`, taken relative to the largest so that nothing overflows;
//! `log_softmax = x - log_sum_exp(x)`.
//!
//! Shapes: `x: [.., n, ..]`; softmax and log_softmax keep the shape, log_sum_exp drops the axis. Cotangents:
//! `y (y_bar - <y, y_bar>)`, `y_bar - exp(y) <1, y_bar>`, and `softmax(x) y_bar`.

use super::affine::Affine;
use super::map::map;
use super::parametric::parametric;
use super::sum::{broadcast_back, sum_axes, sum_keep};
use super::zip::zip;
use super::{Array, Cotangents, Op, Pushforward, fitting, one};
use crate::error::Error;
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Binary, Parametric, Unary};
use wengert_tensor::{Axes, Axis, ShapeError, Tensor};

#[derive(Clone)]
pub(crate) struct Softmax<F>(Axis, PhantomData<F>);

impl<F: TensorFloat> Op<F> for Softmax<F> {
    const NAME: &'static str = "softmax";
    const PUSHFORWARD: Pushforward = Pushforward::Symmetric;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_softmax(self.0)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let axis = self.0.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let inner = sum_keep(&zip(Binary::MulZero, y, &y_bar), axis);
        let x_bar = zip(Binary::MulZero, y, &zip(Binary::Sub, &y_bar, &inner));
        one(x_bar)
    }

    fn pull(&self, _x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, _wanted: &[bool]) -> Cotangents<Tensor<F>> {
        one(fitting(Tensor::softmax_vjp(y, &y_bar, self.0)))
    }
}

#[derive(Clone)]
pub(crate) struct LogSoftmax<F>(Axis, PhantomData<F>);

impl<F: TensorFloat> Op<F> for LogSoftmax<F> {
    const NAME: &'static str = "log_softmax";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_log_softmax(self.0)
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let axis = self.0.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let total = sum_keep(&y_bar, axis);
        let x_bar = zip(Binary::Sub, &y_bar, &zip(Binary::MulZero, &map(Unary::Exp, y), &total));
        one(x_bar)
    }

    fn jvp<A: Array<F>>(&self, _x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let axis = self.0.resolve(Self::NAME, &y.shape()).unwrap_or_default();
        let x_dot = x_dot[0]?;
        let mean = sum_keep(&zip(Binary::MulZero, &map(Unary::Exp, y), x_dot), axis);
        Some(zip(Binary::Sub, x_dot, &mean))
    }

    fn pull(&self, _x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, _wanted: &[bool]) -> Cotangents<Tensor<F>> {
        one(fitting(Tensor::log_softmax_vjp(y, &y_bar, self.0)))
    }
}

#[derive(Clone)]
pub(crate) struct LogSumExp<F>(Axis, PhantomData<F>);

impl<F: TensorFloat> Op<F> for LogSumExp<F> {
    const NAME: &'static str = "log_sum_exp";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        x[0].try_log_sum_exp(self.0)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let y_bar = broadcast_back(&y_bar, &Axes::from(self.0), &x[0].shape());
        one(zip(Binary::MulZero, &self.weights(x[0], y), &y_bar))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        Some(sum_axes(&zip(Binary::MulZero, &self.weights(x[0], y), x_dot[0]?), Axes::from(self.0)))
    }

    fn pull(&self, x: &[&Tensor<F>], _y: &Tensor<F>, y_bar: Tensor<F>, _wanted: &[bool]) -> Cotangents<Tensor<F>> {
        one(fitting(Tensor::log_sum_exp_vjp(x[0], &y_bar, self.0)))
    }
}

impl<F: TensorFloat> LogSumExp<F> {
    /// `dy/dx`.
    fn weights<A: Array<F>>(&self, x: &A, y: &A) -> A {
        // Not exp(x - y): that loses digits where x is large. Infinities share as the largest numbers do.
        let largest = 1.0 / F::MIN_POSITIVE.to_f64();
        let weights = softmax(&parametric(Parametric::Clamp(f64::NEG_INFINITY, largest), x), self.0);
        // A slice that is all minus infinity has softmax NaN and no slope: there this is 0, at all other numbers 1, and
        // NaN at NaN.
        let above = Affine { scale: F::MIN_POSITIVE, shift: F::from_f64(8.0) }.on(&[y]);
        let defined = map(Unary::Relu, &map(Unary::Sign, &above));
        zip(Binary::MulZero, &weights, &broadcast_back(&defined, &Axes::from(self.0), &x.shape()))
    }
}

pub(crate) fn softmax<F: TensorFloat, A: Array<F>>(x: &A, axis: Axis) -> A {
    Softmax(axis, PhantomData).on(&[x])
}

macro_rules! methods {
    ($($(#[$doc:meta])* $Op:ident $method:ident $try_method:ident;)*) => {
        impl<'t, F: TensorFloat> TensorVar<'t, F> { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If there is no such axis.
            #[track_caller]
            pub fn $method(self, axis: impl Into<Axis>) -> Self {
                self.record1($Op(axis.into(), PhantomData))
            }

            #[doc = concat!("[`", stringify!($method), "`](Self::", stringify!($method), "), returning what does not fit.")]
            ///
            /// # Errors
            /// [`Error::Shape`] if there is no such axis.
            #[track_caller]
            pub fn $try_method(self, axis: impl Into<Axis>) -> Result<Self, Error> {
                self.try_record1($Op(axis.into(), PhantomData))
            }
        )* }
    };
}
methods! {
    /// Softmax over one axis, `y = exp(x) / sum exp(x)`: positive weights that sum to 1. Shapes: result like `x`.
    ///
    /// Source: J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1000.0, 1000.0]);
    /// let y = x.softmax(0);
    /// assert_eq!(y.value().to_vec(), [0.5, 0.5]);
    /// assert_eq!((y * tape.constant_tensor([1.0, 0.0])).sum().gradient()[x].to_vec(), [0.25, -0.25]);
    /// ```
    Softmax softmax try_softmax;
    /// The logarithm of [`softmax`](Self::softmax), `y = x - ln sum exp(x)`, without the overflow and the zeros of
    /// taking them in turn. Shapes: result like `x`.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([0.0, -1000.0]);
    /// assert_eq!(x.log_softmax(0).value().to_vec(), [0.0, -1000.0]);
    /// ```
    LogSoftmax log_softmax try_log_softmax;
    /// `ln sum exp(x)` over one axis, which is dropped, without overflow; the gradient is the softmax. Shapes: without
    /// the axis.
    ///
    /// Source: P. Blanchard, D. J. Higham and N. J. Higham, "Accurately computing the log-sum-exp and softmax
    /// functions", 2021.
    ///
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1000.0, 1000.0]);
    /// let y = x.log_sum_exp(0);
    /// assert_eq!(y.item(), 1000.0 + 2.0_f64.ln());
    /// assert_eq!(y.gradient()[x].to_vec(), [0.5, 0.5]);
    /// ```
    LogSumExp log_sum_exp try_log_sum_exp;
}
