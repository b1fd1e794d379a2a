//! Norms over axes.
//!
//! Formulas: `(sum |x|^p)^(1/p)`; for `p = 1` the sum and for infinite `p` the largest of the absolute values, made of
//! those rules. Shapes: as sums.
//!
//! Cotangent of the length (`p = 2`): `x_bar = y_bar x / y`, and 0 with all its derivatives at the zero vector, which
//! has no direction.

use super::select::select;
use super::sum::{broadcast_back, sum_axes};
use super::zip::zip;
use super::{Array, Cotangents, Op, Pushforward, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::marker::PhantomData;
use wengert_kernels::{Binary, Unary};
use wengert_tensor::{Axes, ShapeError, Tensor, check_norm, keep};

#[derive(Clone)]
pub(crate) struct Norm2<F> {
    axes: Axes,
    /// Where the length is not 0, if it is 0 anywhere. Boxed: the largest op sets the size of all nodes.
    directed: Option<Box<Tensor<bool>>>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Norm2<F> {
    fn over(axes: Axes) -> Self {
        Norm2 { axes, directed: None, number: PhantomData }
    }
}

impl<F: TensorFloat> Op<F> for Norm2<F> {
    const NAME: &'static str = "norm2";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let y = x[0].try_norm2_axes(self.axes.clone())?;
        if y.iter().any(|y| y == F::ZERO) {
            let kept = x[0].try_norm2_axes(keep(self.axes.clone()))?;
            self.directed = Some(Box::new(kept.try_not_equal(F::ZERO)?));
        }
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let y_bar = broadcast_back(&y_bar, &self.axes, &x[0].shape());
        one(zip(Binary::MulZero, &self.direction(x[0], y), &y_bar))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        Some(sum_axes(&zip(Binary::MulZero, &self.direction(x[0], y), x_dot[0]?), self.axes.clone()))
    }
}

impl<F: TensorFloat> Norm2<F> {
    /// `x / y`, and 0 where the length is.
    fn direction<A: Array<F>>(&self, x: &A, y: &A) -> A {
        let direction = zip(Binary::Div, x, &broadcast_back(y, &self.axes, &x.shape()));
        match &self.directed {
            Some(directed) => select(directed, &direction, &direction.constant(Tensor::scalar(F::ZERO))),
            None => direction,
        }
    }
}

/// What lanes are divided by before they are raised to a power, their axes kept: the largest absolute value, or 1 where
/// that is 0 or not finite. Nothing flows back: a norm does not depend on it.
#[derive(Clone)]
pub(crate) struct LaneScale<F>(Axes, PhantomData<F>);

impl<F: TensorFloat> Op<F> for LaneScale<F> {
    const NAME: &'static str = "lane_scale";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let largest = x[0].try_norm_axes(f64::INFINITY, keep(self.0.clone()))?;
        largest.try_map(|x| if x > F::ZERO && x.is_finite() { x } else { F::ONE })
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, _y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let mut cotangents = Cotangents::new();
        cotangents.push(None);
        cotangents
    }
}

/// Norms as they are; nothing flows back from those that are 0, whose lanes have no direction.
#[derive(Clone)]
pub(crate) struct Directed<F> {
    /// Where the norm is not 0, if it is 0 anywhere. Boxed: the largest op sets the size of all nodes.
    directed: Option<Box<Tensor<bool>>>,
    number: PhantomData<F>,
}

impl<F: TensorFloat> Op<F> for Directed<F> {
    const NAME: &'static str = "directed";
    const PUSHFORWARD: Pushforward = Pushforward::Symmetric;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        if x[0].iter().any(|x| x == F::ZERO) {
            self.directed = Some(Box::new(x[0].try_not_equal(F::ZERO)?));
        }
        Ok(x[0].clone())
    }

    fn vjp<A: Array<F>>(&self, _x: &[&A], _y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        one(match &self.directed {
            Some(directed) => select(directed, &y_bar, &y_bar.constant(Tensor::scalar(F::ZERO))),
            None => y_bar,
        })
    }
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The Euclidean length of all elements as one vector, without overflow on the way. At the zero vector the gradient
    /// is 0.
    ///
    /// Formula: `sqrt(sum x^2)`; cotangent `y_bar x / y`. Shapes: `x: [..]`, result `[]`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, 4.0]);
    /// assert_eq!(x.norm2().item(), 5.0);
    /// assert_eq!(x.norm2().gradient()[x].to_vec(), [0.6, 0.8]);
    /// ```
    #[track_caller]
    pub fn norm2(self) -> Self {
        self.norm2_axes(Axes::ALL)
    }

    /// Euclidean lengths over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// With the text of the error that [`try_norm2_axes`](Self::try_norm2_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[3.0, 4.0], [0.0, 0.0]]);
    /// let y = x.norm2_axes(1);
    /// assert_eq!(y.value().to_vec(), [5.0, 0.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.6, 0.8, 0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn norm2_axes(self, axes: impl Into<Axes>) -> Self {
        self.record1(Norm2::over(axes.into()))
    }

    /// [`norm2_axes`](Self::norm2_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist or is named twice.
    #[track_caller]
    pub fn try_norm2_axes(self, axes: impl Into<Axes>) -> Result<Self, Error> {
        self.try_record1(Norm2::over(axes.into()))
    }

    /// The norm `(sum |x|^p)^(1/p)` of all elements as one vector: 1 for the sum of absolute values, 2 for the length,
    /// infinity for the largest absolute value, whose ties share the gradient. At the zero vector the gradient is 0.
    ///
    /// Shapes: `x: [..]`, result `[]`.
    ///
    /// # Panics
    /// If `p` is less than 1, or infinite and there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([3.0, -4.0]);
    /// assert_eq!((x.norm(1.0).item(), x.norm(f64::INFINITY).item()), (7.0, 4.0));
    /// assert_eq!(x.norm(1.0).gradient()[x].to_vec(), [1.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn norm(self, p: f64) -> Self {
        self.norm_axes(p, Axes::ALL)
    }

    /// Norms over the axes named.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`. See [`norm`](Self::norm).
    ///
    /// # Panics
    /// With the text of the error that [`try_norm_axes`](Self::try_norm_axes) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[3.0, -4.0], [1.0, 2.0]]);
    /// assert_eq!(x.norm_axes(1.0, 0).value().to_vec(), [4.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn norm_axes(self, p: f64, axes: impl Into<Axes>) -> Self {
        self.try_norm_axes(p, axes).or_panic()
    }

    /// [`norm_axes`](Self::norm_axes), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if `p` is less than 1, an axis does not exist or is named twice, or `p` is infinite and there
    /// is nothing along the axes.
    #[track_caller]
    pub fn try_norm_axes(self, p: f64, axes: impl Into<Axes>) -> Result<Self, Error> {
        let _whole = self.whole("norm");
        let axes = axes.into();
        self.fit(check_norm(&self.shape(), p, &axes))?;
        match p {
            1.0 => return self.try_unary(Unary::Abs)?.try_sum_axes(axes),
            2.0 => return self.try_norm2_axes(axes),
            f64::INFINITY => return self.try_unary(Unary::Abs)?.try_max_axes(axes),
            _ if self.shape().size() == 0 => return self.try_unary(Unary::Abs)?.try_sum_axes(axes),
            _ => {}
        }
        let scale = self.try_record1(LaneScale(axes.clone(), PhantomData))?;
        let number = |x: f64| self.tape().constant_tensor(Tensor::scalar(F::from_f64(x)));
        let powers = self.try_unary(Unary::Abs)?.try_div(scale)?.try_zip(Binary::Powf, number(p))?;
        let root = powers.try_sum_axes(keep(axes.clone()))?.try_zip(Binary::Powf, number(1.0 / p))?;
        let y = root.try_mul(scale)?.try_record1(Directed { directed: None, number: PhantomData })?;
        y.try_sum_axes(axes)
    }
}
