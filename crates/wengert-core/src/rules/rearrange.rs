//! Elements in another arrangement: rolled, repeated, cut up, padded, by diagonals. Composed of slices, concatenation,
//! broadcasting and reshapes, whose cotangents are theirs.

use super::slice::embedding;
#[cfg(feature = "linalg")]
use super::{Array, permute::permute, reshape::reshape, slice::slice};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use core::panic::Location;
use wengert_tensor::{
    Axis, Padding, Shape, ShapeError, Slice, Tensor, check_list, chunk_sizes, first_padded, padded_entries,
    tiled_shapes,
};

/// Every how many elements, from which on, and how many lie on the diagonal of a matrix `[m, n]`.
fn on_diagonal(offset: isize, [m, n]: [usize; 2]) -> (Slice, usize) {
    let (down, right) = (offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs());
    let len = m.saturating_sub(down).min(n.saturating_sub(right));
    let start = if len > 0 { down * n + right } else { 0 };
    let end = if len > 0 { start + (len - 1) * (n + 1) + 1 } else { 0 };
    (Slice::from(start..end).step(n as isize + 1), len)
}

/// The steps to a diagonal: the order of axes that brings its two last, the shape with the two as one, and which
/// elements of that one lie on it.
fn diagonal_steps(shape: &Shape, offset: isize, [rows, columns]: [usize; 2]) -> (Vec<usize>, Shape, Slice) {
    let mut order: Vec<usize> = (0..shape.rank()).filter(|&axis| axis != rows && axis != columns).collect();
    let flat = order.iter().map(|&axis| shape[axis]).chain([shape[rows] * shape[columns]]).collect();
    order.extend([rows, columns]);
    (order, flat, on_diagonal(offset, [shape[rows], shape[columns]]).0)
}

/// The diagonal of two axes, which exist and differ, as the last axis: in a derivative, where all of it fits.
#[cfg(feature = "linalg")]
pub(crate) fn diagonal<F: TensorFloat, A: Array<F>>(x: &A, offset: isize, axes: [usize; 2]) -> A {
    let (order, flat, elements) = diagonal_steps(&x.shape(), offset, axes);
    slice(&reshape(&permute(x, &order), &flat), flat.rank() - 1, elements)
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The entries of `axis` moved on by `by` places; those that leave at the end come back in front.
    ///
    /// Shapes: result like `x`.
    ///
    /// # Panics
    /// With the text of the error that [`try_roll`](Self::try_roll) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0]);
    /// assert_eq!(x.roll(0, 1).value().to_vec(), [3.0, 1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn roll(self, axis: impl Into<Axis>, by: isize) -> Self {
        self.try_roll(axis, by).or_panic()
    }

    /// [`roll`](Self::roll), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis.
    #[track_caller]
    pub fn try_roll(self, axis: impl Into<Axis>, by: isize) -> Result<Self, Error> {
        let _whole = self.whole("roll");
        let axis = self.fit(axis.into().resolve("roll", &self.shape()))?;
        let n = self.shape()[axis];
        if n == 0 {
            return Ok(self);
        }
        let cut = n - by.rem_euclid(n as isize) as usize;
        Self::try_concat(&[self.try_slice(axis, cut..)?, self.try_slice(axis, ..cut)?], axis)
    }

    /// Every entry of `axis` `times` times in a row: NumPy's `repeat`, PyTorch's `repeat_interleave`.
    ///
    /// Shapes: `[.., n, ..] -> [.., n times, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_repeat`](Self::try_repeat) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let y = x.repeat(0, 2);
    /// assert_eq!(y.value().to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [2.0, 2.0]);
    /// ```
    #[doc(alias = "repeat_interleave")]
    #[track_caller]
    pub fn repeat(self, axis: impl Into<Axis>, times: usize) -> Self {
        self.try_repeat(axis, times).or_panic()
    }

    /// [`repeat`](Self::repeat), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis or no memory could hold the result.
    #[track_caller]
    pub fn try_repeat(self, axis: impl Into<Axis>, times: usize) -> Result<Self, Error> {
        let op = "repeat";
        let _whole = self.whole(op);
        let shape = self.shape();
        let axis = self.fit(axis.into().resolve(op, &shape))?;
        let with = |dims: [usize; 2]| -> Vec<usize> { [&shape[..axis], &dims, &shape[axis + 1..]].concat() };
        let n = shape[axis];
        let mut repeated = shape.to_vec();
        repeated[axis] = n.saturating_mul(times);
        let repeated = Shape::from(repeated);
        self.fit(repeated.try_size(op))?;
        self.try_reshape(with([n, 1]))?.try_broadcast_to(with([n, times]))?.try_reshape(repeated)
    }

    /// The whole tensor again and again along each axis: `[m, n]` tiled by `[2, 3]` is `[2 m, 3 n]`. `repetitions` are
    /// of the last axes; more of them than there are axes make new ones in front.
    ///
    /// # Panics
    /// With the text of the error that [`try_tile`](Self::try_tile) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let y = x.tile(&[2, 1]);
    /// assert_eq!((y.shape().to_vec(), y.value().to_vec()), (vec![2, 2], vec![1.0, 2.0, 1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn tile(self, repetitions: &[usize]) -> Self {
        self.try_tile(repetitions).or_panic()
    }

    /// [`tile`](Self::tile), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if no memory could hold the result.
    #[track_caller]
    pub fn try_tile(self, repetitions: &[usize]) -> Result<Self, Error> {
        let _whole = self.whole("tile");
        let [apart, repeated, tiled] = self.fit(tiled_shapes(&self.shape(), repetitions))?;
        self.try_reshape(apart)?.try_broadcast_to(repeated)?.try_reshape(tiled)
    }

    /// Cuts `axis` into parts of the given sizes.
    ///
    /// Shapes: `[.., n, ..]`, results `[.., size, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_split`](Self::try_split) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0]);
    /// let parts = x.split(0, &[1, 2]);
    /// assert_eq!((parts[0].sum() * parts[1].sum()).gradient()[x].to_vec(), [5.0, 1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn split(self, axis: impl Into<Axis>, sizes: &[usize]) -> Vec<Self> {
        self.try_split(axis, sizes).or_panic()
    }

    /// [`split`](Self::split), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist or the sizes do not add up to it.
    #[track_caller]
    pub fn try_split(self, axis: impl Into<Axis>, sizes: &[usize]) -> Result<Vec<Self>, Error> {
        let _whole = self.whole("split");
        let axis = axis.into();
        // Views cost nothing, and say what does not fit.
        self.fit(self.peek().try_split(axis, sizes))?;
        let (mut parts, mut start) = (Vec::with_capacity(sizes.len()), 0);
        for size in sizes {
            parts.push(self.try_slice(axis, start..start + size)?);
            start += size;
        }
        Ok(parts)
    }

    /// Cuts `axis` into `parts` parts as equal as possible, the longer ones first. There are always `parts` of them.
    ///
    /// Shapes: `[.., n, ..]`, results `[.., m, ..]` with the `m` adding up to `n`.
    ///
    /// # Panics
    /// With the text of the error that [`try_chunk`](Self::try_chunk) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0]);
    /// let parts = x.chunk(0, 2);
    /// assert_eq!((parts[0].value().to_vec(), parts[1].value().to_vec()), (vec![1.0, 2.0], vec![3.0]));
    /// ```
    #[doc(alias = "array_split")]
    #[track_caller]
    pub fn chunk(self, axis: impl Into<Axis>, parts: usize) -> Vec<Self> {
        self.try_chunk(axis, parts).or_panic()
    }

    /// [`chunk`](Self::chunk), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the axis does not exist, `parts` is 0, or there is no memory for a list of so many.
    #[track_caller]
    pub fn try_chunk(self, axis: impl Into<Axis>, parts: usize) -> Result<Vec<Self>, Error> {
        let _whole = self.whole("chunk");
        let axis = self.fit(axis.into().resolve("chunk", &self.shape()))?;
        let sizes = self.fit(chunk_sizes(self.shape()[axis], parts))?;
        self.try_split(axis, &sizes)
    }

    /// The entries of `axis` one by one, without the axis.
    ///
    /// Shapes: `[.., n, ..]`, `n` results without the axis.
    ///
    /// # Panics
    /// With the text of the error that [`try_unbind`](Self::try_unbind) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let rows = x.unbind(0);
    /// assert_eq!(rows[1].value().to_vec(), [3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn unbind(self, axis: impl Into<Axis>) -> Vec<Self> {
        self.try_unbind(axis).or_panic()
    }

    /// [`unbind`](Self::unbind), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such axis, or no memory for the list of its entries.
    #[track_caller]
    pub fn try_unbind(self, axis: impl Into<Axis>) -> Result<Vec<Self>, Error> {
        let _whole = self.whole("unbind");
        let shape = self.shape();
        let axis = self.fit(axis.into().resolve("unbind", &shape))?;
        self.fit(check_list("unbind", shape[axis]))?;
        let left = [&shape[..axis], &shape[axis + 1..]].concat();
        let mut entries = Vec::with_capacity(shape[axis]);
        for k in 0..shape[axis] {
            entries.push(self.try_slice(axis, k..k + 1)?.try_reshape(&left[..])?);
        }
        Ok(entries)
    }

    /// More entries around the last axes: `(before, after)` for each of them.
    ///
    /// Shapes: `[.., n, ..] -> [.., before + n + after, ..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_pad`](Self::try_pad) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Padding;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0, 3.0]);
    /// let y = x.pad(&[(2, 0)], Padding::Reflect);
    /// assert_eq!(y.value().to_vec(), [3.0, 2.0, 1.0, 2.0, 3.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn pad(self, padding: &[(usize, usize)], with: Padding<F>) -> Self {
        self.try_pad(padding, with).or_panic()
    }

    /// [`pad`](Self::pad), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are more pairs than axes, entries to reflect or repeat are wanting, or no memory could
    /// hold the result.
    #[track_caller]
    pub fn try_pad(self, padding: &[(usize, usize)], with: Padding<F>) -> Result<Self, Error> {
        let _whole = self.whole("pad");
        let shape = self.shape();
        let first = self.fit(first_padded(&shape, padding))?;
        let mut y = self;
        for (axis, &sides) in (first..).zip(padding) {
            if sides == (0, 0) {
                continue;
            }
            y = match with {
                Padding::Constant(value) => {
                    let filled = |n: usize| {
                        let mut shape = y.shape().to_vec();
                        shape[axis] = n;
                        Tensor::try_full(shape, value)
                    };
                    // Not in the closure, which does not hand the caller's line on.
                    let (before, after) = (self.fit(filled(sides.0))?, self.fit(filled(sides.1))?);
                    let [before, after] = [before, after].map(|part| self.tape().constant_tensor(part));
                    Self::try_concat(&[before, y, after], axis)?
                }
                Padding::Reflect | Padding::Replicate => {
                    let reflect = matches!(with, Padding::Reflect);
                    y.try_index_select(axis, &self.fit(padded_entries(reflect, &shape, axis, sides))?)?
                }
            };
        }
        Ok(y)
    }

    /// The elements on the diagonal of two axes, `offset` places to the right of the main one, as a last axis in their
    /// place.
    ///
    /// Shapes: `[.., m, .., n, ..]`, result with the two axes gone and the diagonal last.
    ///
    /// # Panics
    /// With the text of the error that [`try_diagonal`](Self::try_diagonal) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 5.0, 2.0], [4.0, 3.0, 6.0]]);
    /// assert_eq!(x.diagonal(0, 0, 1).value().to_vec(), [1.0, 3.0]);
    /// assert_eq!(x.diagonal(1, 0, 1).value().to_vec(), [5.0, 6.0]);
    /// ```
    #[track_caller]
    pub fn diagonal(self, offset: isize, rows: impl Into<Axis>, columns: impl Into<Axis>) -> Self {
        self.try_diagonal(offset, rows, columns).or_panic()
    }

    /// [`diagonal`](Self::diagonal), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an axis does not exist or both are the same.
    #[track_caller]
    pub fn try_diagonal(self, offset: isize, rows: impl Into<Axis>, columns: impl Into<Axis>) -> Result<Self, Error> {
        let op = "diagonal";
        let _whole = self.whole(op);
        let shape = self.shape();
        let rows = self.fit(rows.into().resolve(op, &shape))?;
        let columns = self.fit(columns.into().resolve(op, &shape))?;
        if rows == columns {
            return self.fit(Err(ShapeError::RepeatedAxis { op, axis: rows, shape }));
        }
        self.try_diagonal_of(offset, [rows, columns])
    }

    /// The diagonal of two axes, which exist and differ.
    #[track_caller]
    pub(super) fn try_diagonal_of(self, offset: isize, axes: [usize; 2]) -> Result<Self, Error> {
        let (order, flat, elements) = diagonal_steps(&self.shape(), offset, axes);
        let last = flat.rank() - 1;
        let x = if order.is_sorted() { self } else { self.try_permute(order)? };
        x.try_reshape(flat)?.try_slice(last, elements)
    }

    /// A square matrix with this vector on the diagonal `offset` places to the right of the main one, 0 elsewhere; of a
    /// matrix, the elements of that diagonal.
    ///
    /// Shapes: `[n] -> [n + |offset|, n + |offset|]`; of a matrix the diagonal, a vector.
    ///
    /// # Panics
    /// With the text of the error that [`try_diag`](Self::try_diag) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// assert_eq!(x.diag(0).value().to_vec(), [1.0, 0.0, 0.0, 2.0]);
    /// assert_eq!(x.diag(0).diag(0).value().to_vec(), [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn diag(self, offset: isize) -> Self {
        self.try_diag(offset).or_panic()
    }

    /// [`diag`](Self::diag), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if this is neither a vector nor a matrix, or no memory could hold the result.
    #[track_caller]
    pub fn try_diag(self, offset: isize) -> Result<Self, Error> {
        let op = "diag";
        let _whole = self.whole(op);
        let shape = self.shape();
        match shape.rank() {
            2 => self.try_diagonal(offset, 0, 1),
            1 => {
                let n = shape[0].saturating_add(offset.unsigned_abs());
                let matrix = Shape::from([n, n]);
                let size = self.fit(matrix.try_size(op))?;
                let (range, _) = on_diagonal(offset, [n, n]);
                self.try_record1(embedding(0, range, Shape::from(size)))?.try_reshape(matrix)
            }
            _ => {
                let expected = "a vector or a matrix; `diagonal` says which axes";
                self.fit(Err(ShapeError::Rank { op, shape, expected }))
            }
        }
    }

    /// The points of a grid: for vectors of `m` and `n` coordinates two matrices `[m, n]`, of which the first varies
    /// along axis 0 and the second along axis 1.
    ///
    /// Shapes: `[m], [n], ..`, results `[m, n, ..]` each.
    ///
    /// # Panics
    /// With the text of the error that [`try_meshgrid`](Self::try_meshgrid) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_core::TensorVar;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.tensor([1.0, 2.0]), tape.tensor([3.0, 4.0]));
    /// let grid = TensorVar::meshgrid(&[x, y]);
    /// assert_eq!(grid[0].value().to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// assert_eq!(grid[1].value().to_vec(), [3.0, 4.0, 3.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn meshgrid(vectors: &[Self]) -> Vec<Self> {
        Self::try_meshgrid(vectors).or_panic()
    }

    /// [`meshgrid`](Self::meshgrid), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if an operand is not a vector or no memory could hold the result; [`Error::MixedTapes`] if the
    /// operands are of two tapes.
    #[track_caller]
    pub fn try_meshgrid(vectors: &[Self]) -> Result<Vec<Self>, Error> {
        let Some(first) = vectors.first() else { return Ok(Vec::new()) };
        let _whole = first.whole("meshgrid");
        for &other in vectors {
            first.same_tape(other, "meshgrid", Location::caller())?;
        }
        let values: Vec<Tensor<F>> = vectors.iter().map(|x| x.peek()).collect();
        // Views cost nothing, and say what does not fit.
        let grids = first.fit(Tensor::try_meshgrid(&values.iter().collect::<Vec<_>>()))?;
        let mut grid = Vec::with_capacity(vectors.len());
        for (axis, (x, view)) in vectors.iter().zip(grids).enumerate() {
            let along: Shape = (0..vectors.len()).map(|k| if k == axis { view.shape()[k] } else { 1 }).collect();
            grid.push(x.try_reshape(along)?.try_broadcast_to(view.shape())?);
        }
        Ok(grid)
    }
}
