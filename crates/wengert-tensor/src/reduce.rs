//! Reductions: sums, means, largest and smallest elements, norms; over everything or over axes.

use smallvec::SmallVec;
use wengert_kernels::{Par, reduce};

use crate::axis::{Axes, Axis};
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

/// The elements of `x` for a reduction that has no value over nothing.
fn elements<'a, T: Element>(
    op: &'static str,
    x: &'a Tensor<T>,
    copy: &'a mut Option<Tensor<T>>,
) -> Result<&'a [T], ShapeError> {
    match x.is_empty() {
        true => Err(ShapeError::Empty { op, shape: x.shape().clone() }),
        false => x.try_dense(op, copy),
    }
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
        T::total(self.try_dense("sum", &mut None).or_panic())
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
        Ok(T::extreme(true, elements("max", self, &mut None)?))
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
        Ok(T::extreme(false, elements("min", self, &mut None)?))
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
        let empty = || ShapeError::Empty { op: "argmax", shape: self.shape().clone() };
        T::arg_extreme(true, self.try_dense("argmax", &mut None)?).ok_or_else(empty)
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
        let empty = || ShapeError::Empty { op: "argmin", shape: self.shape().clone() };
        T::arg_extreme(false, self.try_dense("argmin", &mut None)?).ok_or_else(empty)
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
        Ok(F::total(elements("mean", self, &mut None)?) / F::from_index(self.len()))
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

    /// The Euclidean length of all elements as one vector, without overflow or underflow on the way; 0 when there are none.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keep, rng};

    /// Small integers, whose sums are exact in any order.
    fn integers(shape: impl Into<Shape>) -> Tensor<f64> {
        Tensor::uniform(shape, -9.0, 9.0, &mut rng(1)).map(f64::round)
    }

    /// Reduces with `f` by going over every index of the result and collecting the elements that belong to it.
    fn reference(x: &Tensor<f64>, axes: &[usize], f: impl Fn(&[f64]) -> f64) -> Tensor<f64> {
        let kept: Shape = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.dim(axis)).collect();
        Tensor::from_fn(kept, |index| {
            let mut lane = x.clone();
            let mut index = index.iter();
            for axis in 0..x.rank() {
                if !axes.contains(&axis) {
                    let i = *index.next().unwrap();
                    lane = lane.slice(axis, i..i + 1);
                }
            }
            f(&lane.to_vec())
        })
    }

    #[test]
    fn every_set_of_axes_agrees_with_collecting_elements() {
        let x = integers([2, 3, 4, 5]);
        for view in [x.clone(), x.permute([3, 1, 0, 2]), x.flip(2).slice(3, ..3)] {
            for set in 0..16 {
                let axes: Vec<usize> = (0..4).filter(|axis| set >> axis & 1 == 1).collect();
                let sum = |v: &[f64]| v.iter().sum::<f64>();
                let max = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let min = |v: &[f64]| v.iter().copied().fold(f64::INFINITY, f64::min);
                assert_eq!(view.sum_axes(&axes[..]), reference(&view, &axes, sum), "{axes:?}");
                assert_eq!(view.max_axes(&axes[..]), reference(&view, &axes, max), "{axes:?}");
                assert_eq!(view.min_axes(&axes[..]), reference(&view, &axes, min), "{axes:?}");
                let kept: Vec<usize> = (0..4).map(|k| if axes.contains(&k) { 1 } else { view.dim(k) }).collect();
                assert_eq!(view.sum_axes(keep(&axes[..])).shape()[..], kept);
                assert_eq!(view.cast::<i64>().sum_axes(&axes[..]).cast::<f64>(), view.sum_axes(&axes[..]));
                assert_eq!(view.cast::<i32>().max_axes(&axes[..]).cast::<f64>(), view.max_axes(&axes[..]));
            }
        }
    }

    #[test]
    fn positions_are_those_of_the_first_extreme() {
        let x = integers([4, 6, 3]);
        for axis in 0..3 {
            let first = |wanted: fn(&[f64]) -> f64| {
                reference(&x, &[axis], move |v| v.iter().position(|&x| x == wanted(v)).unwrap() as f64).cast::<i64>()
            };
            let largest = first(|v| v.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            let smallest = first(|v| v.iter().copied().fold(f64::INFINITY, f64::min));
            assert_eq!(x.argmax_axis(axis), largest);
            assert_eq!(x.argmin_axis(axis), smallest);
            assert_eq!(x.cast::<i64>().argmax_axis(axis), largest);
            assert_eq!(x.cast::<i64>().argmin_axis(axis), smallest);
        }
        let flat = x.to_vec();
        assert_eq!(flat[x.argmax()], x.max());
        assert!(flat[..x.argmax()].iter().all(|&other| other < x.max()));
        assert_eq!(x.cast::<i32>().argmin(), x.argmin());
    }

    #[test]
    fn a_nan_is_the_largest_and_the_smallest() {
        let x = Tensor::from([[1.0, f64::NAN, 3.0], [4.0, 5.0, 6.0]]);
        assert!(x.max().is_nan() && x.min().is_nan());
        assert_eq!((x.argmax(), x.argmin()), (1, 1));
        let max = x.max_axes(1).to_vec();
        assert!(max[0].is_nan() && max[1] == 6.0);
        assert_eq!(x.argmax_axis(1).to_vec(), [1, 2]);
    }

    #[test]
    fn what_has_no_value_over_nothing_is_an_error() {
        let empty = Tensor::<f64>::zeros([0, 3]);
        assert_eq!(
            empty.try_max_axes(0).unwrap_err().to_string(),
            "max: shape [0, 3] leaves no elements to reduce, and the max of nothing is not defined; check `is_empty()` first"
        );
        for op in [empty.try_mean().err(), empty.try_max().err(), empty.try_min().err()] {
            assert!(matches!(op, Some(ShapeError::Empty { .. })));
        }
        assert!(empty.try_argmax().is_err() && empty.try_argmin_axis(0).is_err() && empty.try_mean_axes(0).is_err());
        // The sum, the length and the count of nothing have one.
        assert_eq!((empty.sum(), empty.norm2()), (0.0, 0.0));
        assert_eq!(empty.sum_axes(0).to_vec(), [0.0; 3]);
        assert_eq!(empty.norm2_axes(0).to_vec(), [0.0; 3]);
        // And a reduction without results has nothing to complain about.
        assert!(empty.max_axes(1).is_empty() && empty.argmax_axis(1).is_empty() && empty.mean_axes(1).is_empty());
    }

    #[test]
    fn means_divide_by_the_number_of_elements() {
        let x = Tensor::from([[1.0, 2.0, 6.0], [4.0, 5.0, 0.0]]);
        assert_eq!(x.mean(), 3.0);
        assert_eq!(x.mean_axes(1).to_vec(), [3.0, 3.0]);
        assert_eq!(x.mean_axes(keep(())), Tensor::from([[3.0]]));
    }

    #[test]
    fn lengths_neither_overflow_nor_vanish() {
        for scale in [1e-200, 1.0, 1e200] {
            let x = Tensor::from([[3.0, 5.0], [4.0, 12.0]]) * scale;
            for (lengths, expected) in
                [(x.norm2_axes(0), [5.0, 13.0]), (x.norm2_axes(1), [34f64.sqrt(), 160f64.sqrt()])]
            {
                for (got, expected) in lengths.iter().zip(expected) {
                    assert!((got / (expected * scale) - 1.0).abs() < 1e-15, "{got} at scale {scale}");
                }
            }
            assert!((x.norm2() / (194f64.sqrt() * scale) - 1.0).abs() < 1e-15);
        }
        let small = Tensor::from([[3e-30_f32, 0.0], [4e-30, 0.0]]);
        assert_eq!(small.norm2_axes(0).to_vec(), [5e-30, 0.0]);
        assert!(Tensor::from([f32::NAN, 1.0]).norm2().is_nan());
        assert_eq!(Tensor::from([f64::INFINITY, 1.0]).norm2(), f64::INFINITY);
    }

    #[test]
    fn sums_of_many_single_precision_numbers_keep_their_digits() {
        let n = 10_000_000;
        let x = Tensor::<f32>::full([n], 0.1);
        let truth = f64::from(0.1_f32) * n as f64;
        assert!((f64::from(x.sum()) / truth - 1.0).abs() < 1e-7);
        for sums in [x.reshape([1_000_000, 10]).sum_axes(0), x.reshape([10, 1_000_000]).sum_axes(1)] {
            assert!(sums.iter().all(|sum| (f64::from(sum) * 10.0 / truth - 1.0).abs() < 1e-7));
        }
    }

    #[test]
    fn summing_to_a_shape_is_the_adjoint_of_broadcasting() {
        let y = integers([2, 3, 4]);
        for shape in [&[2, 3, 4][..], &[4], &[3, 1], &[1, 4], &[2, 1, 1], &[1, 1, 1], &[]] {
            let x = integers(shape);
            // <broadcast(x), y> = <x, sum_to(y)>
            assert_eq!(x.broadcast_to([2, 3, 4]).dot(&y), x.dot(&y.sum_to(shape)), "{shape:?}");
        }
        assert_eq!(*Tensor::<f64>::zeros([3, 0]).sum_to([3, 1]).shape(), [3, 1]);
        assert_eq!(
            y.try_sum_to(&Shape::from([2])).unwrap_err().to_string(),
            "sum_to: shape [2] does not broadcast to [2, 3, 4]; aligned at the last axis, every dimension must be equal to the target's or 1"
        );
        assert!(y.try_sum_to(&Shape::from([1, 2, 3, 4])).is_err());
    }

    #[test]
    fn truth_values_are_counted() {
        let x = Tensor::from([[true, true, false], [true, false, false]]);
        assert_eq!((x.count(), x.all(), x.any()), (3, false, true));
        assert_eq!(x.count_axes(0).to_vec(), [2, 1, 0]);
        assert_eq!(x.all_axes(0).to_vec(), [true, false, false]);
        assert_eq!(x.any_axes(keep(1)), Tensor::from([[true], [true]]));
        let none = Tensor::<bool>::zeros([0, 2]);
        assert!(none.all() && !none.any());
        assert_eq!(none.all_axes(0).to_vec(), [true, true]);
    }

    #[test]
    fn large_integers_wrap_in_i64_only() {
        assert_eq!(Tensor::full([1000], 255_u8).sum(), 255_000);
        assert_eq!(Tensor::from([u32::MAX, u32::MAX]).sum(), 2 * i64::from(u32::MAX));
        assert_eq!(Tensor::from([i64::MAX, 1]).sum(), i64::MIN);
    }
}
