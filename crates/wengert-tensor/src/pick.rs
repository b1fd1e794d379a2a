//! Elements by number: read from anywhere, written and added anywhere.
//!
//! Everything here comes down to one list of numbers, which say where in row-major order the elements are. A number of
//! -1 stands for none: nothing is read, or written, there.

use crate::axis::Axis;
use crate::element::{Element, FloatElement, Numeric};
use crate::error::{OrPanic, ShapeError};
use crate::layout::Strides;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::for_positions;

/// Which elements of a tensor of this shape `index` means, numbered in row-major order: at each place of `index`, the
/// element at the same place but for `axis`, where the index says.
///
/// Shapes: `shape: [.., n, ..]`, `index: [.., m, ..]`, of which the other axes may be shorter; the result is of
/// `index`'s.
///
/// # Errors
/// [`ShapeError::Axis`], [`ShapeError::Along`], or [`ShapeError::Index`] naming `op`.
///
/// # Examples
/// ```
/// # use wengert_tensor::{positions_along, Shape, Tensor};
/// let index = Tensor::from([[2, 0], [1, 1]]);
/// let positions = positions_along("gather", &Shape::from([2, 3]), 1, &index).unwrap();
/// assert_eq!(positions, Tensor::from([[2, 0], [4, 4]]));
/// ```
pub fn positions_along(
    op: &'static str,
    shape: &Shape,
    axis: impl Into<Axis>,
    index: &Tensor<i64>,
) -> Result<Tensor<i64>, ShapeError> {
    let axis = axis.into().resolve(op, shape)?;
    let fits = index.rank() == shape.rank()
        && index.shape().iter().zip(&**shape).enumerate().all(|(k, (&i, &n))| k == axis || i <= n);
    if !fits {
        return Err(ShapeError::Along { op, axis, index: index.shape().clone(), shape: shape.clone() });
    }
    let entry = |index: i64| match usize::try_from(index) {
        Ok(entry) if entry < shape[axis] => Ok(entry),
        _ => Err(ShapeError::Index { op, index: index as isize, axis, shape: shape.clone() }),
    };
    let strides = Strides::row_major(shape);
    let steps: Vec<[isize; 1]> = (0..shape.rank()).map(|k| [if k == axis { 0 } else { strides[k] }]).collect();
    let mut entries = index.iter();
    let mut error = None;
    let positions = Tensor::try_build(op, index.shape(), |y| {
        let mut places = y.iter_mut();
        for_positions(index.shape(), &steps, [0], 0..index.len(), |[base]| {
            let (Some(y), Some(index)) = (places.next(), entries.next()) else { return };
            match entry(index) {
                Ok(entry) => *y = (base + entry * strides[axis] as usize) as i64,
                Err(refused) => {
                    *y = 0;
                    error.get_or_insert(refused);
                }
            }
        });
    })?;
    error.map_or(Ok(positions), Err)
}

/// Checks that `position` is -1 or the number of one of `len` elements.
fn element(op: &'static str, position: i64, len: usize) -> Result<Option<usize>, ShapeError> {
    match usize::try_from(position) {
        Ok(place) if place < len => Ok(Some(place)),
        _ if position == -1 => Ok(None),
        _ => Err(ShapeError::Index { op, index: position as isize, axis: 0, shape: Shape::from(len) }),
    }
}

impl<T: Element> Tensor<T> {
    /// The elements with these numbers in row-major order; 0 where the number is -1.
    ///
    /// Shapes: `self: [..]`, `positions: [i, j, ..]`, result `[i, j, ..]`.
    ///
    /// # Panics
    /// When there is no element with one of the numbers.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.pick(&Tensor::from([3, -1, 0])).to_vec(), [4.0, 0.0, 1.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn pick(&self, positions: &Tensor<i64>) -> Tensor<T> {
        self.try_pick(positions).or_panic()
    }

    /// As [`pick`](Self::pick), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Index`], which counts the elements along one axis.
    pub fn try_pick(&self, positions: &Tensor<i64>) -> Result<Tensor<T>, ShapeError> {
        let op = "pick";
        let mut copy = None;
        let x = self.try_dense(op, &mut copy)?;
        let mut y = Tensor::try_zeros_for(op, positions.shape().clone())?;
        for (y, position) in y.fresh_mut().iter_mut().zip(positions) {
            if let Some(place) = element(op, position, x.len())? {
                *y = x[place];
            }
        }
        Ok(y)
    }

    /// The elements that `index` names along `axis`: `y[i, j] = x[index[i, j], j]` for axis 0 of a matrix.
    ///
    /// Shapes: `self: [.., n, ..]`, `index: [.., m, ..]`, result `[.., m, ..]`. Other axes of `index` may be shorter,
    /// and the result is then too.
    ///
    /// # Panics
    /// When an index is negative or not below `n`, or the shapes do not go together.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.gather(1, &Tensor::from([[2, 0], [1, 1]])), Tensor::from([[3.0, 1.0], [5.0, 5.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn gather(&self, axis: impl Into<Axis>, index: &Tensor<i64>) -> Tensor<T> {
        self.try_gather(axis, index).or_panic()
    }

    /// As [`gather`](Self::gather), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::Along`] or [`ShapeError::Index`].
    pub fn try_gather(&self, axis: impl Into<Axis>, index: &Tensor<i64>) -> Result<Tensor<T>, ShapeError> {
        self.try_pick(&positions_along("gather", self.shape(), axis, index)?)
    }

    /// As [`gather`](Self::gather), where the axes other than `axis` broadcast: NumPy's `take_along_axis`.
    ///
    /// Shapes: `self: [.., n, ..]`, `index: [.., m, ..]` of as many axes, result `[.., m, ..]`.
    ///
    /// # Panics
    /// When an index is negative or not below `n`, or the other axes do not broadcast.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[3.0, 1.0], [2.0, 5.0]]);
    /// assert_eq!(x.take_along_axis(&Tensor::from([[1]]), 1), Tensor::from([[1.0], [5.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn take_along_axis(&self, index: &Tensor<i64>, axis: impl Into<Axis>) -> Tensor<T> {
        self.try_take_along_axis(index, axis).or_panic()
    }

    /// As [`take_along_axis`](Self::take_along_axis), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::Along`] or [`ShapeError::Index`].
    pub fn try_take_along_axis(&self, index: &Tensor<i64>, axis: impl Into<Axis>) -> Result<Tensor<T>, ShapeError> {
        let axis = axis.into().resolve("take_along_axis", self.shape())?;
        let [x_shape, index_shape] = taken_shapes(self.shape(), index, axis)?;
        let (x, index) = (self.try_broadcast_to(x_shape)?, index.try_broadcast_to(index_shape)?);
        x.try_pick(&positions_along("take_along_axis", x.shape(), axis, &index)?)
    }

    /// The entries of `axis` with these numbers, in this order: `gather_rows` along any axis.
    ///
    /// Shapes: `self: [.., n, ..]`, `entries: [m]`, result `[.., m, ..]`.
    ///
    /// # Panics
    /// When the axis or an entry does not exist, or `entries` has not one axis.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.index_select(1, &Tensor::from([2, 0])), Tensor::from([[3.0, 1.0], [6.0, 4.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn index_select(&self, axis: impl Into<Axis>, entries: &Tensor<i64>) -> Tensor<T> {
        self.try_index_select(axis, entries).or_panic()
    }

    /// As [`index_select`](Self::index_select), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::Rank`] or [`ShapeError::Index`].
    pub fn try_index_select(&self, axis: impl Into<Axis>, entries: &Tensor<i64>) -> Result<Tensor<T>, ShapeError> {
        let op = "index_select";
        let axis = axis.into().resolve(op, self.shape())?;
        check_entries(op, self.shape(), axis, entries)?;
        self.try_transpose(0, axis)?.try_gather_rows(entries)?.try_transpose(0, axis)
    }

    /// This tensor with elements of `source` where `index` says along `axis`: `y[index[i, j], j] = source[i, j]` for
    /// axis 0 of a matrix. Of several written to one place the last stays, in row-major order of `source`.
    ///
    /// Shapes: `self: [.., n, ..]`, `index` and `source: [.., m, ..]`, result as `self`.
    ///
    /// # Panics
    /// When an index is negative or not below `n`, or the shapes do not go together.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// let y = x.scatter(0, &Tensor::from([2, 0, 2]), &Tensor::from([7.0, 8.0, 9.0]));
    /// assert_eq!(y.to_vec(), [8.0, 2.0, 9.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn scatter(&self, axis: impl Into<Axis>, index: &Tensor<i64>, source: &Tensor<T>) -> Tensor<T> {
        self.try_scatter(axis, index, source).or_panic()
    }

    /// As [`scatter`](Self::scatter), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::Along`], [`ShapeError::Index`], or [`ShapeError::Unequal`] when `index` and
    /// `source` have different shapes.
    pub fn try_scatter(
        &self,
        axis: impl Into<Axis>,
        index: &Tensor<i64>,
        source: &Tensor<T>,
    ) -> Result<Tensor<T>, ShapeError> {
        let op = "scatter";
        let positions = positions_along(op, self.shape(), axis, index)?;
        equal(op, &positions, source)?;
        let mut y = self.try_copy(op)?;
        let target = y.fresh_mut();
        for (position, x) in positions.iter().zip(source) {
            target[position as usize] = x;
        }
        Ok(y)
    }
}

impl<F: FloatElement> Tensor<F> {
    /// Zeros of `shape` to which `values` are added at these numbers in row-major order: the adjoint of
    /// [`pick`](Self::pick). A number that comes up twice has both values added, in order; at -1 nothing is.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when there is not one value a number, or [`ShapeError::Index`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::try_place([3], &Tensor::from([2, -1, 2]), &Tensor::from([1.0, 2.0, 3.0])).unwrap();
    /// assert_eq!(y.to_vec(), [0.0, 0.0, 4.0]);
    /// ```
    pub fn try_place(
        shape: impl Into<Shape>,
        positions: &Tensor<i64>,
        values: &Tensor<F>,
    ) -> Result<Tensor<F>, ShapeError> {
        let op = "place";
        equal(op, positions, values)?;
        let mut y = Tensor::try_zeros_for(op, shape.into())?;
        let target = y.fresh_mut();
        for (position, x) in positions.iter().zip(values) {
            if let Some(place) = element(op, position, target.len())? {
                target[place] += x;
            }
        }
        Ok(y)
    }

    /// This tensor with elements of `source` added where `index` says along `axis`; see [`scatter`](Self::scatter).
    ///
    /// Shapes: `index` and `source` alike, of the operand's size but along `axis`; result like the operand.
    ///
    /// # Panics
    /// As [`scatter`](Self::scatter).
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// let y = x.scatter_add(0, &Tensor::from([2, 0, 2]), &Tensor::from([7.0, 8.0, 9.0]));
    /// assert_eq!(y.to_vec(), [9.0, 2.0, 19.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn scatter_add(&self, axis: impl Into<Axis>, index: &Tensor<i64>, source: &Tensor<F>) -> Tensor<F> {
        self.try_scatter_add(axis, index, source).or_panic()
    }

    /// As [`scatter_add`](Self::scatter_add), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_scatter`](Self::try_scatter).
    pub fn try_scatter_add(
        &self,
        axis: impl Into<Axis>,
        index: &Tensor<i64>,
        source: &Tensor<F>,
    ) -> Result<Tensor<F>, ShapeError> {
        let op = "scatter_add";
        let positions = positions_along(op, self.shape(), axis, index)?;
        equal(op, &positions, source)?;
        let mut y = self.try_copy(op)?;
        let target = y.fresh_mut();
        for (position, x) in positions.iter().zip(source) {
            target[position as usize] += x;
        }
        Ok(y)
    }
}

impl<T: Numeric> Tensor<T> {
    /// A row of zeros with a single 1, at the label, for each label.
    ///
    /// Shapes: `labels: [i, j, ..]`, result `[i, j, .., classes]`.
    ///
    /// # Panics
    /// When a label is negative or not below `classes`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::one_hot(&Tensor::from([2, 0]), 3), Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn one_hot(labels: &Tensor<i64>, classes: usize) -> Self {
        Self::try_one_hot(labels, classes).or_panic()
    }

    /// As [`one_hot`](Self::one_hot), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Label`], whose row counts the labels in row-major order, or [`ShapeError::TooLarge`].
    pub fn try_one_hot(labels: &Tensor<i64>, classes: usize) -> Result<Self, ShapeError> {
        let op = "one_hot";
        let mut shape = labels.shape().clone();
        shape.push(classes);
        shape.try_size(op)?;
        let mut y = Tensor::try_zeros_for(op, shape)?;
        let target = y.fresh_mut();
        for (row, label) in labels.iter().enumerate() {
            match usize::try_from(label) {
                Ok(class) if class < classes => target[row * classes + class] = T::from_index(1),
                _ => return Err(ShapeError::Label { op, row, label, classes }),
            }
        }
        Ok(y)
    }
}

fn equal<T: Element>(op: &'static str, index: &Tensor<i64>, source: &Tensor<T>) -> Result<(), ShapeError> {
    match index.shape() == source.shape() {
        true => Ok(()),
        false => Err(ShapeError::Unequal { op, lhs: index.shape().clone(), rhs: source.shape().clone() }),
    }
}

/// Checks the entries of an axis that are asked for by number.
#[doc(hidden)]
pub fn check_entries(op: &'static str, shape: &Shape, axis: usize, entries: &Tensor<i64>) -> Result<(), ShapeError> {
    if entries.rank() != 1 {
        return Err(ShapeError::Rank { op, shape: entries.shape().clone(), expected: "one: a list of entries" });
    }
    let exists = |entry: i64| usize::try_from(entry).is_ok_and(|entry| entry < shape[axis]);
    match entries.iter().find(|&entry| !exists(entry)) {
        Some(index) => Err(ShapeError::Index { op, index: index as isize, axis, shape: shape.clone() }),
        None => Ok(()),
    }
}

/// The shapes that operand and indices of [`Tensor::take_along_axis`] are repeated to.
fn taken_shapes(shape: &Shape, index: &Tensor<i64>, axis: usize) -> Result<[Shape; 2], ShapeError> {
    let op = "take_along_axis";
    let refused = || ShapeError::Along { op, axis, index: index.shape().clone(), shape: shape.clone() };
    if index.rank() != shape.rank() {
        return Err(refused());
    }
    let (ours, theirs) = (shape.clone().with(axis, 1), index.shape().clone().with(axis, 1));
    let common = Shape::broadcast(op, &ours, &theirs).map_err(|_| refused())?;
    Ok([common.clone().with(axis, shape[axis]), common.with(axis, index.shape()[axis])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathering_reads_along_any_axis_of_any_layout() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]);
        for (x, dense) in [(x.clone(), x.clone()), (x.flip(1).flip(1), x.clone())] {
            for axis in 0..3 {
                let index = Tensor::from_fn(dense.shape().clone().with(axis, 5), |i| {
                    (i.iter().sum::<usize>() % dense.dim(axis)) as i64
                });
                let y = x.gather(axis, &index);
                let expected = Tensor::from_fn(index.shape(), |i| {
                    let mut at = i.to_vec();
                    at[axis] = index.at(i) as usize;
                    dense.at(at)
                });
                assert_eq!(y, expected);
            }
        }
        assert_eq!(*x.gather(1, &Tensor::zeros([2, 0, 4])).shape(), [2, 0, 4]);
        assert_eq!(x.gather(0, &Tensor::from([[[1]]])), Tensor::from([[[12]]]));
    }

    #[test]
    fn the_last_of_several_writers_stays() {
        let x = Tensor::<f64>::zeros([2, 3]);
        let (index, source) = (Tensor::from([[1, 1], [0, 0]]), Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
        assert_eq!(x.scatter(1, &index, &source), Tensor::from([[0.0, 2.0, 0.0], [4.0, 0.0, 0.0]]));
        assert_eq!(x.scatter_add(1, &index, &source), Tensor::from([[0.0, 3.0, 0.0], [7.0, 0.0, 0.0]]));
    }

    #[test]
    fn selecting_entries_keeps_the_other_axes_in_place() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]);
        let y = x.index_select(1, &Tensor::from([2, 2, 0]));
        assert_eq!(y, Tensor::stack(&[&x.index_axis(1, 2), &x.index_axis(1, 2), &x.index_axis(1, 0)], 1));
        assert_eq!(*x.index_select(-1, &Tensor::zeros([0])).shape(), [2, 3, 0]);
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f64>::zeros([2, 3]);
        let text = |error: ShapeError| error.to_string();
        assert_eq!(
            text(x.try_gather(1, &Tensor::from([[0, 3]])).unwrap_err()),
            "gather: index 3 is out of range for axis 1 of shape [2, 3]; its entries are 0 to 2"
        );
        assert_eq!(
            text(x.try_gather(1, &Tensor::from([0, 1])).unwrap_err()),
            "gather: shape [2] of the indices does not go with shape [2, 3]; they may differ along axis 1 only"
        );
        assert_eq!(
            text(x.try_scatter(0, &Tensor::from([[-1]]), &Tensor::from([[1.0]])).unwrap_err()),
            "scatter: index -1 is out of range for axis 0 of shape [2, 3]; its entries are 0 to 1"
        );
        assert_eq!(
            text(x.try_scatter_add(0, &Tensor::from([[1]]), &Tensor::from([1.0])).unwrap_err()),
            "scatter_add: shapes [1, 1] and [1] differ; they must be equal"
        );
        assert_eq!(
            text(x.try_index_select(0, &Tensor::from([1, 2])).unwrap_err()),
            "index_select: index 2 is out of range for axis 0 of shape [2, 3]; its entries are 0 to 1"
        );
        assert_eq!(
            text(x.try_pick(&Tensor::from([6])).unwrap_err()),
            "pick: index 6 is out of range for axis 0 of shape [6]; its entries are 0 to 5"
        );
        assert_eq!(
            text(Tensor::<f64>::try_one_hot(&Tensor::from([0, 3]), 3).unwrap_err()),
            "one_hot: row 1 has label 3; with 3 classes a label is at least 0 and less than 3"
        );
        assert!(x.try_take_along_axis(&Tensor::zeros([3, 1]), 1).is_err());
    }
}
