//! Elements in another arrangement: rolled, repeated, cut up, padded, spread over a grid.

use core::hint::black_box;

use crate::axis::Axis;
use crate::element::Element;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::{Tensor, try_room};

/// What [`Tensor::pad`] puts around the entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Padding<T> {
    /// This number.
    Constant(T),
    /// The entries mirrored at the edge, without the one at the edge: `c b | a b c | b a`.
    Reflect,
    /// The entry at the edge again: `a a | a b c | c c`.
    Replicate,
}

/// The shape of as many axes as there are repetitions, and the one [`Tensor::tile`] gives.
#[doc(hidden)]
pub fn tiled_shapes(shape: &Shape, repetitions: &[usize]) -> Result<[Shape; 3], ShapeError> {
    let rank = shape.rank().max(repetitions.len());
    let aligned = |dims: &[usize], k: usize| (k + dims.len()).checked_sub(rank).map_or(1, |k| dims[k]);
    let (mut apart, mut repeated, mut tiled) = (Shape::SCALAR, Shape::SCALAR, Shape::SCALAR);
    for axis in 0..rank {
        let (n, times) = (aligned(shape, axis), aligned(repetitions, axis));
        apart.push(1);
        apart.push(n);
        repeated.push(times);
        repeated.push(n);
        tiled.push(n.saturating_mul(times));
    }
    tiled.try_size("tile")?;
    Ok([apart, repeated, tiled])
}

/// The sizes of `parts` parts of `n` entries, as equal as possible.
#[doc(hidden)]
pub fn chunk_sizes(n: usize, parts: usize) -> Result<Vec<usize>, ShapeError> {
    if parts == 0 {
        return Err(ShapeError::Parameter { op: "chunk", name: "parts", value: 0.0, expected: "1 at least" });
    }
    check_list("chunk", parts)?;
    Ok((0..parts).map(|part| n / parts + usize::from(part < n % parts)).collect())
}

/// Refuses a list of `len` tensors there is no memory for. Each may be empty, so the elements do not tell.
#[doc(hidden)]
pub fn check_list(op: &'static str, len: usize) -> Result<(), ShapeError> {
    // Looked at, since a request nobody uses is compiled away and counts as granted.
    try_room::<Tensor<f64>>(op, len).map(|room| drop(black_box(room)))
}

/// The first axis that is padded: pairs are of the last axes.
#[doc(hidden)]
pub fn first_padded(shape: &Shape, padding: &[(usize, usize)]) -> Result<usize, ShapeError> {
    let expected = "one at least for each pair of the padding";
    let refused = || ShapeError::Rank { op: "pad", shape: shape.clone(), expected };
    shape.rank().checked_sub(padding.len()).ok_or_else(refused)
}

/// Which entry of `n` stands at each place of an axis padded by reflection or repetition.
#[doc(hidden)]
pub fn padded_entries(
    reflect: bool,
    shape: &Shape,
    axis: usize,
    (before, after): (usize, usize),
) -> Result<Tensor<i64>, ShapeError> {
    let n = shape[axis];
    let refused = |advice| ShapeError::Padding { op: "pad", axis, before, after, shape: shape.clone(), advice };
    if before == 0 && after == 0 {
        return Ok(Tensor::arange(n));
    }
    if n == 0 {
        return Err(refused("there is no entry to repeat"));
    }
    if reflect && before.max(after) >= n {
        return Err(refused("a reflection has one entry less"));
    }
    let len = before.checked_add(n).and_then(|len| len.checked_add(after)).unwrap_or(usize::MAX);
    Shape::from(len).try_size("pad")?;
    let entry = |k: usize| match (k.checked_sub(before), reflect) {
        (None, true) => before - k,
        (None, false) => 0,
        (Some(k), _) if k < n => k,
        (Some(k), true) => 2 * (n - 1) - k,
        (Some(_), false) => n - 1,
    };
    Tensor::try_from_fn(len, |k| entry(k[0]) as i64)
}

impl<T: Element> Tensor<T> {
    /// The entries of `axis` moved on by `by` places; those that leave at the end come back in front.
    ///
    /// Shapes: result like the operand.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2, 3, 4]).roll(0, 1).to_vec(), [4, 1, 2, 3]);
    /// assert_eq!(Tensor::from([1, 2, 3, 4]).roll(0, -1).to_vec(), [2, 3, 4, 1]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn roll(&self, axis: impl Into<Axis>, by: isize) -> Tensor<T> {
        self.try_roll(axis, by).or_panic()
    }

    /// As [`roll`](Self::roll), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`].
    pub fn try_roll(&self, axis: impl Into<Axis>, by: isize) -> Result<Tensor<T>, ShapeError> {
        let axis = axis.into().resolve("roll", self.shape())?;
        let n = self.shape()[axis];
        if n == 0 {
            return Ok(self.clone());
        }
        let cut = n - by.rem_euclid(n as isize) as usize;
        Tensor::try_concat(&[&self.try_slice(axis, cut..)?, &self.try_slice(axis, ..cut)?], axis)
    }

    /// Every entry of `axis` `times` times in a row: NumPy's `repeat`, PyTorch's `repeat_interleave`.
    ///
    /// Shapes: `[.., n, ..] -> [.., n times, ..]`.
    ///
    /// # Panics
    /// When the axis does not exist or no memory could hold the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).repeat(0, 3).to_vec(), [1, 1, 1, 2, 2, 2]);
    /// ```
    #[doc(alias = "repeat_interleave")]
    #[must_use]
    #[track_caller]
    pub fn repeat(&self, axis: impl Into<Axis>, times: usize) -> Tensor<T> {
        self.try_repeat(axis, times).or_panic()
    }

    /// As [`repeat`](Self::repeat), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::TooLarge`].
    pub fn try_repeat(&self, axis: impl Into<Axis>, times: usize) -> Result<Tensor<T>, ShapeError> {
        let op = "repeat";
        let axis = axis.into().resolve(op, self.shape())?;
        let repeated = self.shape().clone().with(axis, self.shape()[axis].saturating_mul(times));
        repeated.try_size(op)?;
        let mut apart = self.shape().clone();
        apart.insert(axis + 1, times);
        self.try_unsqueeze(axis + 1)?.try_broadcast_to(apart)?.try_reshape(repeated)
    }

    /// The whole tensor again and again along each axis: `[m, n]` tiled by `[2, 3]` is `[2 m, 3 n]`. PyTorch calls it
    /// `repeat` too.
    ///
    /// `repetitions` are of the last axes; more of them than there are axes make new ones in front.
    ///
    /// # Panics
    /// When no memory could hold the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert_eq!(Tensor::from([1, 2]).tile(&[2, 2]), Tensor::from([[1, 2, 1, 2], [1, 2, 1, 2]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn tile(&self, repetitions: &[usize]) -> Tensor<T> {
        self.try_tile(repetitions).or_panic()
    }

    /// As [`tile`](Self::tile), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`].
    pub fn try_tile(&self, repetitions: &[usize]) -> Result<Tensor<T>, ShapeError> {
        let [apart, repeated, tiled] = tiled_shapes(self.shape(), repetitions)?;
        self.try_reshape(apart)?.try_broadcast_to(repeated)?.try_reshape(tiled)
    }

    /// Cuts `axis` into `parts` parts as equal as possible, the longer ones first: NumPy's `array_split`. No copy.
    /// There are always `parts` of them; PyTorch's `chunk` may return fewer.
    ///
    /// Shapes: `[.., n, ..]`, results `[.., m, ..]` with the `m` adding up to `n`.
    ///
    /// # Panics
    /// When the axis does not exist or `parts` is 0.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let parts = Tensor::arange(5).chunk(0, 2);
    /// assert_eq!(parts, [Tensor::from([0, 1, 2]), Tensor::from([3, 4])]);
    /// ```
    #[doc(alias = "array_split")]
    #[must_use]
    #[track_caller]
    pub fn chunk(&self, axis: impl Into<Axis>, parts: usize) -> Vec<Self> {
        self.try_chunk(axis, parts).or_panic()
    }

    /// As [`chunk`](Self::chunk), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`] or [`ShapeError::Parameter`]; [`ShapeError::Memory`] or [`ShapeError::TooLarge`] for the list
    /// of parts.
    pub fn try_chunk(&self, axis: impl Into<Axis>, parts: usize) -> Result<Vec<Self>, ShapeError> {
        let axis = axis.into().resolve("chunk", self.shape())?;
        self.try_split(axis, &chunk_sizes(self.shape()[axis], parts)?)
    }

    /// The entries of `axis` one by one, without the axis. No copy.
    ///
    /// Shapes: `[.., n, ..]`, `n` results without the axis.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let columns = Tensor::from([[1, 2], [3, 4]]).unbind(1);
    /// assert_eq!(columns, [Tensor::from([1, 3]), Tensor::from([2, 4])]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn unbind(&self, axis: impl Into<Axis>) -> Vec<Self> {
        self.try_unbind(axis).or_panic()
    }

    /// As [`unbind`](Self::unbind), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Axis`]; [`ShapeError::Memory`] or [`ShapeError::TooLarge`] for the list of entries.
    pub fn try_unbind(&self, axis: impl Into<Axis>) -> Result<Vec<Self>, ShapeError> {
        let axis = axis.into().resolve("unbind", self.shape())?;
        check_list("unbind", self.shape()[axis])?;
        Ok((0..self.shape()[axis]).map(|index| self.without(axis, index)).collect())
    }

    /// More entries around the last axes: `(before, after)` for each of them.
    ///
    /// Shapes: `[.., n, ..] -> [.., before + n + after, ..]`.
    ///
    /// # Panics
    /// When there are more pairs than axes, or entries to reflect or repeat are wanting.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Padding, Tensor};
    /// let x = Tensor::from([1, 2, 3]);
    /// assert_eq!(x.pad(&[(1, 2)], Padding::Constant(0)).to_vec(), [0, 1, 2, 3, 0, 0]);
    /// assert_eq!(x.pad(&[(2, 1)], Padding::Reflect).to_vec(), [3, 2, 1, 2, 3, 2]);
    /// assert_eq!(x.pad(&[(1, 1)], Padding::Replicate).to_vec(), [1, 1, 2, 3, 3]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn pad(&self, padding: &[(usize, usize)], with: Padding<T>) -> Tensor<T> {
        self.try_pad(padding, with).or_panic()
    }

    /// As [`pad`](Self::pad), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Padding`] or [`ShapeError::TooLarge`].
    pub fn try_pad(&self, padding: &[(usize, usize)], with: Padding<T>) -> Result<Tensor<T>, ShapeError> {
        let op = "pad";
        let mut y = self.clone();
        let first = first_padded(self.shape(), padding)?;
        for (axis, &sides) in (first..).zip(padding) {
            if sides == (0, 0) {
                continue;
            }
            y = match with {
                Padding::Constant(value) => {
                    let filled = |n: usize| Tensor::try_full(y.shape().clone().with(axis, n), value);
                    let joined = filled(sides.0).and_then(|before| {
                        let after = filled(sides.1)?;
                        Tensor::try_concat(&[&before, &y, &after], axis)
                    });
                    joined.map_err(|error| error.called(op))?
                }
                Padding::Reflect | Padding::Replicate => {
                    let reflect = matches!(with, Padding::Reflect);
                    let entries = padded_entries(reflect, self.shape(), axis, sides)?;
                    y.shape().clone().with(axis, entries.len()).try_size(op)?;
                    y.try_index_select(axis, &entries)?
                }
            };
        }
        Ok(y)
    }

    /// The points of a grid: for vectors of `m` and `n` coordinates two matrices `[m, n]`, of which the first varies
    /// along axis 0 and the second along axis 1. No copy.
    ///
    /// Shapes: `[m], [n], ..`, results `[m, n, ..]` each.
    ///
    /// # Panics
    /// When an operand is not a vector.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let grid = Tensor::meshgrid(&[&Tensor::from([1, 2]), &Tensor::from([3, 4, 5])]);
    /// assert_eq!(grid[0], Tensor::from([[1, 1, 1], [2, 2, 2]]));
    /// assert_eq!(grid[1], Tensor::from([[3, 4, 5], [3, 4, 5]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn meshgrid(vectors: &[&Tensor<T>]) -> Vec<Tensor<T>> {
        Self::try_meshgrid(vectors).or_panic()
    }

    /// As [`meshgrid`](Self::meshgrid), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] or [`ShapeError::TooLarge`].
    pub fn try_meshgrid(vectors: &[&Tensor<T>]) -> Result<Vec<Tensor<T>>, ShapeError> {
        let op = "meshgrid";
        if let Some(other) = vectors.iter().find(|x| x.rank() != 1) {
            return Err(ShapeError::Rank {
                op,
                shape: other.shape().clone(),
                expected: "one: the coordinates along an axis",
            });
        }
        let grid: Shape = vectors.iter().map(|x| x.len()).collect();
        grid.try_size(op)?;
        let ones: Shape = grid.iter().map(|_| 1).collect();
        let along =
            |(axis, x): (usize, &&Tensor<T>)| x.try_reshape(ones.clone().with(axis, x.len()))?.try_broadcast_to(&grid);
        vectors.iter().enumerate().map(along).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrangement_of_a_view_is_that_of_its_copy() {
        let x = Tensor::<i64>::arange(24).reshape([2, 3, 4]).permute([2, 0, 1]).flip(1);
        let dense = x.to_contiguous();
        for axis in 0..3 {
            for by in [-7, 0, 1, 3] {
                assert_eq!(x.roll(axis, by), dense.roll(axis, by));
            }
            assert_eq!(x.repeat(axis, 2), dense.repeat(axis, 2));
        }
        assert_eq!(x.tile(&[2, 1, 3]), dense.tile(&[2, 1, 3]));
        assert_eq!(x.pad(&[(0, 1), (2, 1)], Padding::Reflect), dense.pad(&[(0, 1), (2, 1)], Padding::Reflect));
    }

    #[test]
    fn nothing_stays_nothing() {
        let x = Tensor::<f64>::zeros([0, 3]);
        assert_eq!(*x.roll(0, 5).shape(), [0, 3]);
        assert_eq!(*x.repeat(1, 0).shape(), [0, 0]);
        assert_eq!(*x.tile(&[3, 2]).shape(), [0, 6]);
        assert_eq!(x.unbind(0).len(), 0);
        assert_eq!(*x.pad(&[(1, 1), (0, 0)], Padding::Constant(0.0)).shape(), [2, 3]);
        assert_eq!(Tensor::<f64>::zeros([2, 3]).chunk(1, 5).len(), 5);
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f64>::zeros([2, 3]);
        let text = |error: ShapeError| error.to_string();
        assert_eq!(
            text(x.try_pad(&[(3, 0)], Padding::Reflect).unwrap_err()),
            "pad: 3 before and 0 after axis 1 of shape [2, 3], which has 3 entries; a reflection has one entry less"
        );
        assert_eq!(
            text(x.try_pad(&[(1, 1); 3], Padding::Replicate).unwrap_err()),
            "pad: operand of shape [2, 3] has 2 axes; expected one at least for each pair of the padding"
        );
        assert_eq!(text(x.try_chunk(0, 0).unwrap_err()), "chunk: parts is 0; expected 1 at least");
        assert_eq!(
            text(x.try_chunk(0, 1 << 60).unwrap_err()),
            "chunk: shape [1152921504606846976] has more elements than memory can address"
        );
        assert_eq!(
            text(Tensor::<f64>::zeros([1 << 60, 0]).try_unbind(0).unwrap_err()),
            "unbind: shape [1152921504606846976] has more elements than memory can address"
        );
        assert_eq!(
            text(x.try_tile(&[usize::MAX, 2]).unwrap_err()),
            "tile: shape [18446744073709551615, 6] has more elements than memory can address"
        );
        assert!(x.try_pad(&[(usize::MAX, 1)], Padding::Replicate).is_err());
        assert!(x.try_pad(&[(usize::MAX, 1)], Padding::Constant(0.0)).is_err());
        assert!(x.try_repeat(0, usize::MAX).is_err());
        assert!(Tensor::try_meshgrid(&[&x]).is_err());
    }
}
