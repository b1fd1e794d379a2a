//! Reductions: sums, means, largest and smallest elements, norms; over everything or over axes.

use smallvec::SmallVec;

use crate::axis::{Axes, Axis};
use crate::compute::norm2_axis;
use crate::element::{Element, FloatElement, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How a reduction goes over an operand: which axes go, and what is left.
struct Plan {
    /// Neighbouring reduced axes as one group, outermost first: where they start and how many there are. At least one, which
    /// is empty when no axis is reduced: every element is then reduced by itself.
    groups: SmallVec<[(usize, usize); 4]>,
    /// The shape of the result.
    shape: Shape,
    /// How many elements make one of the result.
    count: usize,
}

impl Plan {
    fn new(op: &'static str, shape: &Shape, axes: &Axes) -> Result<Plan, ShapeError> {
        let reduced = axes.resolve(op, shape)?;
        let mut plan = Plan { groups: SmallVec::new(), shape: Shape::SCALAR, count: 1 };
        for (axis, &dim) in shape.iter().enumerate() {
            if !reduced[axis] {
                plan.shape.push(dim);
                continue;
            }
            if axes.keeps() {
                plan.shape.push(1);
            }
            // Wraps only when a dimension is 0 and the product with it.
            plan.count = plan.count.wrapping_mul(dim);
            match plan.groups.last_mut() {
                Some((start, len)) if *start + *len == axis => *len += 1,
                _ => plan.groups.push((axis, 1)),
            }
        }
        if plan.groups.is_empty() {
            plan.groups.push((0, 0));
        }
        plan.shape.try_size(op)?;
        Ok(plan)
    }

    /// As [`new`](Self::new), for a reduction that has no value over nothing.
    fn of_something(op: &'static str, shape: &Shape, axes: &Axes) -> Result<Plan, ShapeError> {
        let plan = Plan::new(op, shape, axes)?;
        if plan.count == 0 && plan.shape.size() > 0 {
            return Err(ShapeError::Empty { op, shape: shape.clone() });
        }
        Ok(plan)
    }

    /// Reduces one group of axes after the other, the innermost first: `first` the operand's, `next` those of its results.
    fn run<T: Element, S: Element>(
        &self,
        op: &'static str,
        x: &Tensor<T>,
        first: impl Fn(&[T], [usize; 3], &mut [S]),
        next: impl Fn(&[S], [usize; 3], &mut [S]),
    ) -> Result<Tensor<S>, ShapeError> {
        let mut left = x.shape().clone();
        let mut take = |(start, len): (usize, usize)| {
            let size = |dims: &[usize]| dims.iter().product::<usize>();
            let dims = [size(&left[..start]), size(&left[start..start + len]), size(&left[start + len..])];
            for _ in 0..len {
                left.remove(start);
            }
            (dims, left.clone())
        };
        let mut copy = None;
        let x = x.try_dense(op, &mut copy)?;
        let mut groups = self.groups.iter().rev();
        let (dims, shape) = take(groups.next().copied().unwrap_or_default());
        let mut y = Tensor::try_build(op, &shape, |y| first(x, dims, y))?;
        for &group in groups {
            let (dims, shape) = take(group);
            y = Tensor::try_build(op, &shape, |z| next(y.as_slice().unwrap_or_default(), dims, z))?;
        }
        y.try_reshape(&self.shape)
    }
}

/// Reduces all elements to one value.
fn whole<T: Element, S: Copy + Default>(
    op: &'static str,
    x: &Tensor<T>,
    f: impl FnOnce(&[T], [usize; 3], &mut [S]),
) -> Result<S, ShapeError> {
    let mut copy = None;
    let x = x.try_dense(op, &mut copy)?;
    let mut y = [S::default()];
    f(x, [1, x.len(), 1], &mut y);
    Ok(y[0])
}

/// As [`whole`], for a reduction that has no value over nothing.
fn whole_of_something<T: Element, S: Copy + Default>(
    op: &'static str,
    x: &Tensor<T>,
    f: impl FnOnce(&[T], [usize; 3], &mut [S]),
) -> Result<S, ShapeError> {
    if x.is_empty() {
        return Err(ShapeError::Empty { op, shape: x.shape().clone() });
    }
    whole(op, x, f)
}

impl<T: Numeric> Tensor<T> {
    /// The sum of all elements; 0 when there are none. Integers are added up as `i64`.
    ///
    /// The error is at most 1e-7 of the sum of absolute values for ten million `f32`, and no bit depends on the number of
    /// threads.
    ///
    /// # Panics
    /// When a view has to be copied and there is no memory.
    #[track_caller]
    pub fn sum(&self) -> T::Sum {
        whole("sum", self, T::sum_axis).or_panic()
    }

    /// Sums over axes.
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
        let op = "sum";
        Plan::new(op, self.shape(), &axes.into())?.run(op, self, T::sum_axis, <T::Sum as Numeric>::sum_axis)
    }

    /// The largest element; NaN if there is one.
    ///
    /// # Panics
    /// When there are no elements.
    #[track_caller]
    pub fn max(&self) -> T {
        self.try_max().or_panic()
    }

    /// As [`max`](Self::max), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_max(&self) -> Result<T, ShapeError> {
        whole_of_something("max", self, |x, dims, y| T::extreme_axis(true, x, dims, y))
    }

    /// The smallest element; NaN if there is one.
    ///
    /// # Panics
    /// When there are no elements.
    #[track_caller]
    pub fn min(&self) -> T {
        self.try_min().or_panic()
    }

    /// As [`min`](Self::min), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_min(&self) -> Result<T, ShapeError> {
        whole_of_something("min", self, |x, dims, y| T::extreme_axis(false, x, dims, y))
    }

    /// The largest elements over axes; NaN where there is one.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is nothing along the axes.
    #[must_use]
    #[track_caller]
    pub fn max_axes(&self, axes: impl Into<Axes>) -> Tensor<T> {
        self.try_max_axes(axes).or_panic()
    }

    /// As [`max_axes`](Self::max_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_max_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<T>, ShapeError> {
        self.try_extreme_axes("max", true, &axes.into())
    }

    /// The smallest elements over axes; NaN where there is one.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is nothing along the axes.
    #[must_use]
    #[track_caller]
    pub fn min_axes(&self, axes: impl Into<Axes>) -> Tensor<T> {
        self.try_min_axes(axes).or_panic()
    }

    /// As [`min_axes`](Self::min_axes), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::RepeatedAxis`] or [`ShapeError::Empty`].
    pub fn try_min_axes(&self, axes: impl Into<Axes>) -> Result<Tensor<T>, ShapeError> {
        self.try_extreme_axes("min", false, &axes.into())
    }

    fn try_extreme_axes(&self, op: &'static str, largest: bool, axes: &Axes) -> Result<Tensor<T>, ShapeError> {
        let extreme = |x: &[T], dims, y: &mut [T]| T::extreme_axis(largest, x, dims, y);
        Plan::of_something(op, self.shape(), axes)?.run(op, self, extreme, extreme)
    }

    /// Where the largest element is: its number in row-major order. The first of equal ones; the first NaN if there is one.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 7.0], [7.0, 3.0]]).argmax(), 1);
    /// ```
    #[track_caller]
    pub fn argmax(&self) -> usize {
        self.try_argmax().or_panic()
    }

    /// As [`argmax`](Self::argmax), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_argmax(&self) -> Result<usize, ShapeError> {
        Ok(whole_of_something("argmax", self, |x, dims, y| T::arg_extreme_axis(true, x, dims, y))? as usize)
    }

    /// Where the smallest element is: its number in row-major order. The first of equal ones; the first NaN if there is one.
    ///
    /// # Panics
    /// When there are no elements.
    #[track_caller]
    pub fn argmin(&self) -> usize {
        self.try_argmin().or_panic()
    }

    /// As [`argmin`](Self::argmin), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_argmin(&self) -> Result<usize, ShapeError> {
        Ok(whole_of_something("argmin", self, |x, dims, y| T::arg_extreme_axis(false, x, dims, y))? as usize)
    }

    /// Where along `axis` the largest elements are. The first of equal ones; the first NaN if there is one.
    ///
    /// # Panics
    /// When the axis does not exist or has no entries.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let logits = Tensor::from([[0.1, 2.0, -1.0], [3.0, 0.0, 0.5]]);
    /// assert_eq!(logits.argmax_axis(-1), Tensor::from([1, 0]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn argmax_axis(&self, axis: impl Into<Axis>) -> Tensor<i64> {
        self.try_argmax_axis(axis).or_panic()
    }

    /// As [`argmax_axis`](Self::argmax_axis), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Empty`].
    pub fn try_argmax_axis(&self, axis: impl Into<Axis>) -> Result<Tensor<i64>, ShapeError> {
        self.try_arg_extreme_axis("argmax", true, axis.into())
    }

    /// Where along `axis` the smallest elements are. The first of equal ones; the first NaN if there is one.
    ///
    /// # Panics
    /// When the axis does not exist or has no entries.
    #[must_use]
    #[track_caller]
    pub fn argmin_axis(&self, axis: impl Into<Axis>) -> Tensor<i64> {
        self.try_argmin_axis(axis).or_panic()
    }

    /// As [`argmin_axis`](Self::argmin_axis), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Empty`].
    pub fn try_argmin_axis(&self, axis: impl Into<Axis>) -> Result<Tensor<i64>, ShapeError> {
        self.try_arg_extreme_axis("argmin", false, axis.into())
    }

    fn try_arg_extreme_axis(&self, op: &'static str, largest: bool, axis: Axis) -> Result<Tensor<i64>, ShapeError> {
        let plan = Plan::of_something(op, self.shape(), &Axes::from(axis))?;
        // One axis is one group, so there is no second pass.
        plan.run(op, self, |x, dims, y| T::arg_extreme_axis(largest, x, dims, y), |_, _, _| {})
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
        let shape = shape.into();
        self.summed_axes(&shape).and_then(|axes| self.try_sum_axes(&axes[..])?.try_reshape(shape)).or_panic()
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
        if self.shape() == shape {
            return Ok(self.clone());
        }
        let axes = self.summed_axes(shape)?;
        self.try_sum_axes(&axes[..])?.try_reshape(shape)
    }

    /// The mean of all elements.
    ///
    /// # Panics
    /// When there are no elements.
    #[track_caller]
    pub fn mean(&self) -> F {
        self.try_mean().or_panic()
    }

    /// As [`mean`](Self::mean), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Empty`].
    pub fn try_mean(&self) -> Result<F, ShapeError> {
        Ok(whole_of_something("mean", self, F::sum_axis)? / F::from_index(self.len()))
    }

    /// The means over axes.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice, or there is nothing along the axes.
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
        let op = "mean";
        let plan = Plan::of_something(op, self.shape(), &axes.into())?;
        let mut mean = plan.run(op, self, F::sum_axis, F::sum_axis)?;
        mean /= F::from_index(plan.count);
        Ok(mean)
    }

    /// The Euclidean length of all elements as one vector, without overflow or underflow on the way; 0 when there are none.
    ///
    /// # Panics
    /// When a view has to be copied and there is no memory.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0, 4.0]).norm2(), 5.0);
    /// assert_eq!(Tensor::from([3e200, 4e200]).norm2(), 5e200);
    /// ```
    #[track_caller]
    pub fn norm2(&self) -> F {
        whole("norm2", self, norm2_axis).or_panic()
    }

    /// Euclidean lengths over axes.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
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

impl Tensor<bool> {
    /// Whether all elements are true; so it is when there are none.
    pub fn all(&self) -> bool {
        self.iter().all(|x| x)
    }

    /// Whether some element is true.
    pub fn any(&self) -> bool {
        self.iter().any(|x| x)
    }

    /// How many elements are true.
    pub fn count(&self) -> usize {
        self.iter().filter(|&x| x).count()
    }

    /// How many elements are true over axes.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let right = Tensor::from([[true, false], [true, true]]);
    /// assert_eq!(right.count_axes(0), Tensor::from([2, 1]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn count_axes(&self, axes: impl Into<Axes>) -> Tensor<i64> {
        self.cast::<u8>().sum_axes(axes)
    }

    /// Whether all elements over axes are true.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    #[must_use]
    #[track_caller]
    pub fn all_axes(&self, axes: impl Into<Axes>) -> Tensor<bool> {
        self.not().count_axes(axes).equal(0)
    }

    /// Whether some element over axes is true.
    ///
    /// # Panics
    /// When an axis does not exist or is named twice.
    #[must_use]
    #[track_caller]
    pub fn any_axes(&self, axes: impl Into<Axes>) -> Tensor<bool> {
        self.count_axes(axes).greater(0)
    }
}
