//! Sums, means, inner products and Euclidean lengths.

use super::{Plan, elements};
use smallvec::SmallVec;
use wengert_kernels::{Par, reduce};

use crate::axis::Axes;
use crate::element::{FloatElement, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Numeric> Tensor<T> {
    /// The sum of all elements; 0 when there are none. Integers are added up as `i64`.
    ///
    /// The error is at most 1e-7 of the sum of absolute values for ten million `f32`, and no bit depends on the number
    /// of threads.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When a view has to be copied and there is no memory.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.sum(), 21.0);
    /// ```
    #[track_caller]
    pub fn sum(&self) -> T::Sum {
        T::total(self.try_dense("sum", &mut None).or_panic())
    }

    /// Sums over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{keep, Tensor};
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_axes(0), Tensor::from([4.0, 6.0]));
    /// assert_eq!(x.sum_axes(keep(1)), Tensor::from([[3.0], [7.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn sum_axes(&self, axes: impl Into<Axes>) -> Tensor<T::Sum> {
        self.try_sum_axes(axes).or_panic()
    }

    /// As [`sum_axes`](Self::sum_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::RepeatedAxis`].
    pub fn try_sum_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<T::Sum>, ShapeError> {
        let (op, axes) = ("sum", axes.into());
        if axes == Axes::ALL {
            return Ok(Tensor::scalar(T::total(self.try_dense(op, &mut None)?)));
        }
        Plan::new(op, self.shape(), &axes)?.run(op, self, T::sum_axis, <T::Sum as Numeric>::sum_axis)
    }

    /// Sums the elements that broadcasting to this shape would have repeated: the adjoint of
    /// [`broadcast_to`](Self::broadcast_to). Integers are added up as `i64`.
    ///
    /// # Panics
    /// When `shape` does not broadcast to the shape of this tensor.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_to([2]), Tensor::from([4.0, 6.0]));
    /// assert_eq!(x.sum_to([2, 1]), Tensor::from([[3.0], [7.0]]));
    /// assert_eq!(x.sum_to(()), Tensor::from(10.0));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn sum_to(&self, shape: impl Into<Shape>) -> Tensor<T::Sum> {
        self.try_summed_to(&shape.into()).or_panic()
    }

    fn try_summed_to(&self, shape: &Shape) -> Result<Tensor<T::Sum>, ShapeError> {
        if self.shape().ends_with(shape) {
            // Leading axes only, as of a bias: one pass, known without looking at axes one by one.
            let (mut copy, inner) = (None, shape.size());
            let x = self.try_dense("sum_to", &mut copy)?;
            let lead: usize = self.shape()[..self.rank() - shape.rank()].iter().product();
            return Tensor::try_build("sum_to", shape, |y| T::sum_axis(x, [1, lead, inner], y));
        }
        let axes = self.summed_axes(shape)?;
        self.try_sum_axes(&axes[..])?.try_reshape(shape)
    }

    /// The axes along which a tensor of shape `from` is repeated to this one's.
    fn summed_axes(&self, from: &Shape) -> Result<SmallVec<[usize; 8]>, ShapeError> {
        let refused = || ShapeError::BroadcastTo { op: "sum_to", from: from.clone(), to: self.shape().clone() };
        let lead = self.rank().checked_sub(from.rank()).ok_or_else(refused)?;
        let mut axes: SmallVec<[usize; 8]> = (0..lead).collect();
        for (axis, &dim) in from.iter().enumerate() {
            match (dim, self.shape()[lead + axis]) {
                (a, b) if a == b => {}
                (1, _) => axes.push(lead + axis),
                _ => return Err(refused()),
            }
        }
        Ok(axes)
    }
}

impl<F: FloatElement> Tensor<F> {
    /// As [`sum_to`](Self::sum_to), with an error instead of a panic; shares storage when there is nothing to sum.
    ///
    /// # Errors
    /// [`ShapeError::BroadcastTo`].
    #[inline]
    pub fn try_sum_to(&self, shape: &Shape) -> Result<Tensor<F>, ShapeError> {
        if self.shape() == shape { Ok(self.clone()) } else { self.try_summed_to(shape) }
    }

    /// The mean of all elements.
    ///
    /// Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.mean(), 3.5);
    /// ```
    #[track_caller]
    pub fn mean(&self) -> F {
        self.try_mean().or_panic()
    }

    /// As [`mean`](Self::mean), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_mean(&self) -> Result<F, ShapeError> {
        Ok(F::total(elements("mean", self, &mut None)?) / F::from_index(self.len()))
    }

    /// The means over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is nothing along the axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.mean_axes(0).to_vec(), [2.5, 4.0, 4.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn mean_axes(&self, axes: impl Into<Axes>) -> Tensor<F> {
        self.try_mean_axes(axes).or_panic()
    }

    /// As [`mean_axes`](Self::mean_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_mean_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<F>, ShapeError> {
        let (op, axes) = ("mean", axes.into());
        if axes == Axes::ALL {
            return self.try_mean().map(Tensor::scalar);
        }
        let plan = Plan::of_something(op, self.shape(), &axes)?;
        let mut mean = plan.run(op, self, F::sum_axis, F::sum_axis)?;
        mean /= F::from_index(plan.count);
        Ok(mean)
    }

    /// The inner product of all elements with those of a tensor of the same shape, `sum x y`.
    ///
    /// # Panics
    /// When the shapes differ.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).dot(&Tensor::from([3.0, 4.0])), 11.0);
    /// ```
    #[track_caller]
    pub fn dot(&self, other: &Tensor<F>) -> F {
        self.try_dot(other).or_panic()
    }

    /// As [`dot`](Self::dot), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`].
    pub fn try_dot(&self, other: &Tensor<F>) -> Result<F, ShapeError> {
        let op = "dot";
        if self.shape() != other.shape() {
            return Err(ShapeError::Unequal { op, lhs: self.shape().clone(), rhs: other.shape().clone() });
        }
        Ok(reduce::dot(self.try_dense(op, &mut None)?, other.try_dense(op, &mut None)?, Par::current()))
    }

    /// The Euclidean length of all elements as one vector, without overflow or underflow on the way; 0 when there are
    /// none.
    ///
    /// Formula: `sqrt(sum x^2)`. Shapes: `x: [..]`, a number.
    ///
    /// # Panics
    /// When a view has to be copied and there is no memory.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0, 4.0]).norm2(), 5.0);
    /// assert_eq!(Tensor::from([0.0, -3e200]).norm2(), 3e200);
    /// ```
    #[track_caller]
    pub fn norm2(&self) -> F {
        reduce::norm2(self.try_dense("norm2", &mut None).or_panic(), Par::current())
    }

    /// Euclidean lengths over axes.
    ///
    /// Shapes: without the axes named, or with one entry along them for `keep(axes)`.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[3.0, 4.0], [5.0, 12.0]]);
    /// assert_eq!(x.norm2_axes(1).to_vec(), [5.0, 13.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn norm2_axes(&self, axes: impl Into<Axes>) -> Tensor<F> {
        self.try_norm2_axes(axes).or_panic()
    }

    /// As [`norm2_axes`](Self::norm2_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::RepeatedAxis`].
    pub fn try_norm2_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<F>, ShapeError> {
        let op = "norm2";
        // The length of the lengths is the length of the whole.
        Plan::new(op, self.shape(), &axes.into())?.run(op, self, norm2_axis, norm2_axis)
    }
}

/// Euclidean lengths of the lanes of `x: [outer, n, inner]`.
fn norm2_axis<F: FloatElement>(x: &[F], [outer, n, inner]: [usize; 3], y: &mut [F]) {
    if inner == 1 && n > 0 {
        for (y, lane) in y.iter_mut().zip(x.chunks_exact(n)) {
            *y = reduce::norm2(lane, Par::current());
        }
        return;
    }
    reduce::sum_of_squares_axis(x, [outer, n, inner], y, Par::current());
    let smallest = F::MIN_POSITIVE.to_f64() / F::EPSILON.to_f64().powi(2);
    for (i, y) in y.iter_mut().enumerate() {
        let squares = y.to_f64();
        if squares.is_nan() || smallest < squares && squares.is_finite() {
            *y = F::from_f64(squares.sqrt());
        } else {
            // Squares overflowed or vanished; lanes of zeros come here too.
            let start = i / inner * n * inner + i % inner;
            let lane: Vec<F> = x[start.min(x.len())..].iter().step_by(inner).take(n).copied().collect();
            *y = reduce::norm2(&lane, Par::current());
        }
    }
}
