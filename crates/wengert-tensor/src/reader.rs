//! Reading an operand block by block, whatever its layout.

use crate::element::Element;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

/// A tensor broadcast to a shape, read in blocks of row-major order: for kernels that take several operands block by
/// block.
///
/// Repeated elements are repeated on the way, without a copy of the whole. Only what lies strided in the storage (a
/// transposed operand, a slice with steps) is copied into order when the reader is made: gathered number by number,
/// every element would touch a cache line of its own.
///
/// # Examples
/// ```
/// # use wengert_tensor::{Reader, Shape, Tensor};
/// let row = Tensor::from([1.0, 2.0, 3.0]);
/// let reader = Reader::new("example", &row, &Shape::from([2, 3]))?;
/// let mut block = [0.0; 3];
/// reader.read(2, &mut block);
/// assert_eq!(block, [3.0, 1.0, 2.0]);
/// # Ok::<(), wengert_tensor::ShapeError>(())
/// ```
pub struct Reader<T: Element> {
    x: Tensor<T>,
    walk: Walk<1>,
}

impl<T: Element> Reader<T> {
    /// Makes ready to read `x`, repeated to `shape`, on behalf of `op`.
    ///
    /// # Errors
    /// [`ShapeError::BroadcastTo`] if `x` does not broadcast to `shape`, [`ShapeError::Memory`] if a copy is needed and
    /// there is no memory for it.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Reader, Shape, Tensor};
    /// let column = Tensor::from([[1.0], [2.0]]);
    /// assert!(Reader::new("example", &column, &Shape::from([2, 3])).is_ok());
    /// assert!(Reader::new("example", &column, &Shape::from([3, 3])).is_err());
    /// ```
    pub fn new(op: &'static str, x: &Tensor<T>, shape: &Shape) -> Result<Self, ShapeError> {
        let walk = |x: &Tensor<T>| Ok(Walk::new(shape, [&x.layout().strides_over(op, shape)?]));
        let reader = Reader { x: x.clone(), walk: walk(x)? };
        if matches!(reader.walk.run().1, [0 | 1]) {
            return Ok(reader);
        }
        let x = x.try_to_contiguous(op)?;
        let walk = walk(&x)?;
        Ok(Reader { x, walk })
    }

    /// Copies the elements from number `start` on, in row-major order, as many as `block` has.
    ///
    /// # Panics
    /// If there are not as many.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Reader, Shape, Tensor};
    /// let reader = Reader::new("example", &Tensor::from([[1.0], [2.0]]), &Shape::from([2, 3]))?;
    /// let mut block = [0.0; 4];
    /// reader.read(1, &mut block);
    /// assert_eq!(block, [1.0, 1.0, 2.0, 2.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn read(&self, start: usize, block: &mut [T]) {
        let (run, [step]) = self.walk.run();
        let (storage, offset) = (self.x.storage(), self.x.layout().offset());
        let copy = |at: usize, within: usize, block: &mut [T]| match step {
            0 => block.fill(storage[at]),
            _ => block.copy_from_slice(&storage[at + within..][..block.len()]),
        };
        let end = start + block.len();
        if block.is_empty() {
            return;
        }
        if self.walk.dims().len() == 1 {
            assert!(end <= run, "a block within the tensor");
            return copy(offset, start, block);
        }
        assert!(end <= run * self.walk.runs(), "a block within the tensor");
        let (mut within, mut rest) = (start % run, block);
        self.walk.for_runs([offset], start / run..end.div_ceil(run), |[at]| {
            let left = core::mem::take(&mut rest);
            let (now, later) = left.split_at_mut(left.len().min(run - within));
            copy(at, within, now);
            (within, rest) = (0, later);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_every_length_and_start_are_the_elements_in_order() {
        let x = Tensor::from_fn([2, 3, 4], |i| (100 * i[0] + 10 * i[1] + i[2]) as f64);
        let operands = [
            x.clone(),
            x.slice(2, 1..3).broadcast_to([2, 3, 2]),
            x.slice(1, 1..2),
            x.slice(2, 3..4),
            Tensor::from_fn([4, 3, 2], |i| (100 * i[0] + 10 * i[1] + i[2]) as f64).permute([2, 1, 0]),
            x.flip(2),
            Tensor::scalar(7.0),
            Tensor::from([[1.0], [2.0], [3.0]]),
        ];
        for x in operands {
            let shape = match x.shape().last() {
                Some(2) => Shape::from([2, 3, 2]),
                _ => Shape::from([2, 3, 4]),
            };
            let all = x.broadcast_to(shape.clone()).to_vec();
            let reader = Reader::new("test", &x, &shape).unwrap();
            for start in 0..all.len() {
                for end in start..=all.len() {
                    let mut block = vec![f64::NAN; end - start];
                    reader.read(start, &mut block);
                    assert_eq!(block, all[start..end], "{start}..{end} of {:?}", x.shape());
                }
            }
        }
    }

    #[test]
    fn shapes_that_do_not_broadcast_are_refused() {
        let error = Reader::new("zip_map", &Tensor::from([1.0, 2.0]), &Shape::from([3])).err().unwrap();
        assert!(matches!(error, ShapeError::BroadcastTo { op: "zip_map", .. }));
    }
}
