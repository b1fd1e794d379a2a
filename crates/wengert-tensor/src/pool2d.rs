//! The largest and the mean of windows of images, and their adjoints.

use wengert_kernels::{Par, pool as kernel};

use crate::conv::{Pair, bounded, fits, positive};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Where the windows of a pooling lie: size, stride, padding.
///
/// Pairs are `[vertical, horizontal]`; a single number sets both.
///
/// # Examples
/// ```
/// # use wengert_tensor::Pooling;
/// assert_eq!(Pooling::new(3).stride, [3, 3]); // side by side
/// assert_eq!(Pooling::new(3).stride(2).padding(1).padding, [1, 1]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pooling {
    /// Size of the windows, at least 1.
    pub kernel: [usize; 2],
    /// Distance between windows, at least 1.
    pub stride: [usize; 2],
    /// Places on every side of the images that windows may reach into; less than the window.
    pub padding: [usize; 2],
}

impl Pooling {
    /// Windows of this size, side by side.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::<f64>::arange(16).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.max_pool2d(&Pooling::new(2)).to_vec(), [5.0, 7.0, 13.0, 15.0]);
    /// ```
    #[must_use]
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into().0;
        Pooling { kernel, stride: kernel, padding: [0; 2] }
    }

    /// The same with windows this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::<f64>::arange(16).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.max_pool2d(&Pooling::new(3).stride(1)).to_vec(), [10.0, 11.0, 14.0, 15.0]);
    /// ```
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Pooling { stride: stride.into().0, ..self }
    }

    /// The same with so many places on every side of the images.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::<f64>::arange(16).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.max_pool2d(&Pooling::new(3).padding(1)).to_vec(), [5.0, 7.0, 13.0, 15.0]);
    /// ```
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Pooling { padding: padding.into().0, ..self }
    }

    /// The shape `[n, c, oh, ow]` of the result for images `x: [n, c, h, w]`, with
    /// `oh = (h + 2 padding - kernel) / stride + 1`.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`] or [`ShapeError::Window`].
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Shape};
    /// let shape = Pooling::new(3).stride(2).output_shape(&Shape::from([10, 64, 55, 55]))?;
    /// assert_eq!(*shape, [10, 64, 27, 27]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn output_shape(&self, x: &Shape) -> Result<Shape, ShapeError> {
        Ok(self.plan("pooling", x)?.1)
    }

    /// The kernel's sizes, and the shape of the result.
    pub(crate) fn plan(&self, op: &'static str, x: &Shape) -> Result<(kernel::Pool2d, Shape), ShapeError> {
        let [batch, channels, height, width] = **x else {
            return Err(ShapeError::Rank { op, shape: x.clone(), expected: "images, [n, c, h, w]" });
        };
        let Pooling { kernel, stride, padding } = *self;
        for axis in 0..2 {
            positive(op, "kernel size", kernel[axis])?;
            positive(op, "stride", stride[axis])?;
            bounded(op, "padding", padding[axis])?;
            if padding[axis] >= kernel[axis] {
                let expected = "less than the kernel size, so that every window sees something";
                return Err(ShapeError::Setting { op, setting: "padding", value: padding[axis], expected });
            }
            fits(op, x, axis, kernel[axis], padding[axis])?;
        }
        if u32::try_from(height.saturating_mul(width)).is_err() && batch > 0 && channels > 0 {
            return Err(ShapeError::TooLarge { op, shape: x.clone() });
        }
        let pool = kernel::Pool2d { size: [height, width], kernel, stride, padding };
        let [rows, columns] = pool.output_size();
        let shape = Shape::from([batch, channels, rows, columns]);
        shape.try_size(op)?;
        Ok((pool, shape))
    }
}

/// Where the largest elements of windows are: what [`Tensor::try_max_pool2d_with_places`] found.
///
/// # Examples
/// ```
/// # use wengert_tensor::{Pooling, Tensor};
/// let x = Tensor::from([1.0, 7.0, 3.0, 3.0]).reshape([1, 1, 1, 4]);
/// let (y, places) = x.try_max_pool2d_with_places(&Pooling::new([1, 2]))?;
/// assert_eq!((y.to_vec(), places.indices().to_vec()), (vec![7.0, 3.0], vec![1, 2]));
/// assert_eq!(places.scatter(&y)?.to_vec(), [0.0, 7.0, 3.0, 0.0]);
/// assert_eq!(places.pick(&x)?, y);
/// # Ok::<(), wengert_tensor::ShapeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Places {
    /// Numbers in a plane, in the order of rows. None but a pooling makes them, so all are inside.
    pub(crate) indices: Tensor<u32>,
    /// The shape of the images.
    pub(crate) images: Shape,
    pub(crate) pool: kernel::Pool2d,
}

impl Places {
    /// For each window the number of its largest element in its plane `[h, w]`, counted in the order of rows.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::from([[[[1.0, 5.0], [7.0, 2.0]]]]);
    /// let (y, places) = x.try_max_pool2d_with_places(&Pooling::new([1, 2]))?;
    /// assert_eq!(places.indices().to_vec(), [1, 2]); // the second and the third of the plane
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn indices(&self) -> &Tensor<u32> {
        &self.indices
    }

    /// Zeros of the images' shape with every element of `y_bar` added at its place: the adjoint of the pooling.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] if `y_bar` has not the shape of the pooling's result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::from([[[[1.0, 5.0], [7.0, 2.0]]]]);
    /// let (y, places) = x.try_max_pool2d_with_places(&Pooling::new([1, 2]))?;
    /// assert_eq!(places.scatter(&y)?.to_vec(), [0.0, 5.0, 7.0, 0.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn scatter<F: FloatElement>(&self, y_bar: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "max_pool2d_adjoint";
        equal(OP, y_bar.shape(), self.indices.shape())?;
        let (mut copy, at) = (None, self.indices.as_slice().unwrap_or_default());
        let y_bar = y_bar.try_dense(OP, &mut copy)?;
        Tensor::try_build(OP, &self.images, |x| kernel::max_pool2d_adjoint(&self.pool, y_bar, at, x, Par::current()))
    }

    /// The elements of other images of the same shape at these places: the adjoint of [`scatter`](Self::scatter).
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] if `x` has not the shape of the images.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::from([[[[1.0, 5.0], [7.0, 2.0]]]]);
    /// let (y, places) = x.try_max_pool2d_with_places(&Pooling::new([1, 2]))?;
    /// let other = Tensor::from([[[[0.1, 0.2], [0.3, 0.4]]]]);
    /// assert_eq!((places.pick(&x)?, places.pick(&other)?.to_vec()), (y, vec![0.2, 0.3]));
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn pick<F: FloatElement>(&self, x: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "max_pool2d_pick";
        equal(OP, x.shape(), &self.images)?;
        let (mut copy, at) = (None, self.indices.as_slice().unwrap_or_default());
        let x = x.try_dense(OP, &mut copy)?;
        Tensor::try_build(OP, self.indices.shape(), |y| kernel::pick2d(&self.pool, x, at, y, Par::current()))
    }
}

fn equal(op: &'static str, lhs: &Shape, rhs: &Shape) -> Result<(), ShapeError> {
    if lhs == rhs { Ok(()) } else { Err(ShapeError::Unequal { op, lhs: lhs.clone(), rhs: rhs.clone() }) }
}

impl<F: FloatElement> Tensor<F> {
    /// The largest element of each window; NaN counts as largest, and what lies outside the images never does.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c, oh, ow]` with `oh = (h + 2 padding - kernel) / stride + 1`.
    ///
    /// # Panics
    /// With the text of the error that [`try_max_pool2d`](Self::try_max_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::<f32>::arange(16).reshape([1, 1, 4, 4]);
    /// assert_eq!(x.max_pool2d(&Pooling::new(2)).to_vec(), [5.0, 7.0, 13.0, 15.0]);
    /// assert_eq!(x.avg_pool2d(&Pooling::new(2)).to_vec(), [2.5, 4.5, 10.5, 12.5]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn max_pool2d(&self, pooling: &Pooling) -> Tensor<F> {
        self.try_max_pool2d(pooling).or_panic()
    }

    /// As [`max_pool2d`](Self::max_pool2d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`Pooling::output_shape`]; [`ShapeError::Empty`] for windows that see nothing but the padding of an empty
    /// image.
    pub fn try_max_pool2d(&self, pooling: &Pooling) -> Result<Tensor<F>, ShapeError> {
        Ok(self.try_max_pool2d_with_places(pooling)?.0)
    }

    /// As [`max_pool2d`](Self::max_pool2d), with the places of the largest elements, the first among equals.
    ///
    /// # Errors
    /// As [`try_max_pool2d`](Self::try_max_pool2d).
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let x = Tensor::from([[[[3.0, 3.0], [2.0, 1.0]]]]);
    /// let (y, places) = x.try_max_pool2d_with_places(&Pooling::new(2))?;
    /// assert_eq!((y.item(), places.indices().item()), (3.0, 0)); // the first among equals
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn try_max_pool2d_with_places(&self, pooling: &Pooling) -> Result<(Tensor<F>, Places), ShapeError> {
        const OP: &str = "max_pool2d";
        let (pool, shape) = pooling.plan(OP, self.shape())?;
        if self.is_empty() && shape.size() > 0 {
            return Err(ShapeError::Empty { op: OP, shape: self.shape().clone() });
        }
        let mut copy = None;
        let x = self.try_dense(OP, &mut copy)?;
        let mut indices = Tensor::try_scratch_for(OP, shape.clone())?;
        let y = Tensor::try_build(OP, &shape, |y| {
            kernel::max_pool2d(&pool, x, y, indices.fresh_mut(), Par::current());
        })?;
        Ok((y, Places { indices, images: self.shape().clone(), pool }))
    }

    /// The mean of each window; places outside the images count, as zeros.
    ///
    /// Shapes: as [`max_pool2d`](Self::max_pool2d).
    ///
    /// # Panics
    /// With the text of the error that [`try_avg_pool2d`](Self::try_avg_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// # use wengert_tensor::Pooling;
    /// let x = Tensor::from([[[[1.0, 5.0], [2.0, 4.0]]]]);
    /// assert_eq!(x.avg_pool2d(&Pooling::new(2)).to_vec(), [3.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn avg_pool2d(&self, pooling: &Pooling) -> Tensor<F> {
        self.try_avg_pool2d(pooling).or_panic()
    }

    /// As [`avg_pool2d`](Self::avg_pool2d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`Pooling::output_shape`].
    pub fn try_avg_pool2d(&self, pooling: &Pooling) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "avg_pool2d";
        let (pool, shape) = pooling.plan(OP, self.shape())?;
        let mut copy = None;
        let x = self.try_dense(OP, &mut copy)?;
        Tensor::try_build(OP, &shape, |y| kernel::avg_pool2d(&pool, x, y, Par::current()))
    }

    /// The adjoint of [`avg_pool2d`](Self::avg_pool2d) for images of shape `x`: each window's share to all its entries.
    ///
    /// # Errors
    /// As [`Pooling::output_shape`], and [`ShapeError::Unequal`] if `y_bar` does not have that shape.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Pooling, Shape, Tensor};
    /// let y_bar = Tensor::from([4.0, 8.0]).reshape([1, 1, 1, 2]);
    /// let x_bar = Tensor::avg_pool2d_adjoint(&Shape::from([1, 1, 2, 4]), &y_bar, &Pooling::new(2))?;
    /// assert_eq!(x_bar.to_vec(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn avg_pool2d_adjoint(x: &Shape, y_bar: &Tensor<F>, pooling: &Pooling) -> Result<Tensor<F>, ShapeError> {
        const OP: &str = "avg_pool2d_adjoint";
        let (pool, shape) = pooling.plan(OP, x)?;
        equal(OP, y_bar.shape(), &shape)?;
        let mut copy = None;
        let y_bar = y_bar.try_dense(OP, &mut copy)?;
        Tensor::try_build(OP, x, |x_bar| kernel::avg_pool2d_adjoint(&pool, y_bar, x_bar, Par::current()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn views_are_pooled_as_their_copies() {
        let view = Tensor::<f64>::uniform([5, 2, 4, 6], -1.0, 1.0, &mut rng(1)).permute([1, 2, 0, 3]).flip(3);
        let x = view.to_contiguous();
        let pooling = Pooling::new([2, 3]).stride(1).padding(1);
        let (y, places) = view.try_max_pool2d_with_places(&pooling).unwrap();
        assert_eq!(y, x.max_pool2d(&pooling));
        assert_eq!(view.avg_pool2d(&pooling), x.avg_pool2d(&pooling));
        assert_eq!(places.pick(&view).unwrap(), y);
    }

    #[test]
    fn the_mean_over_nothing_but_padding_is_zero_and_the_largest_is_refused() {
        let (x, pooling) = (Tensor::<f32>::zeros([1, 2, 0, 3]), Pooling::new(2).padding(1));
        for _ in 0..4 {
            drop(Tensor::<f32>::full([1, 2, 1, 2], 7.0)); // what a recycled buffer may hold
            assert_eq!(x.avg_pool2d(&pooling).to_vec(), [0.0; 4]);
        }
        assert!(matches!(x.try_max_pool2d(&pooling), Err(ShapeError::Empty { op: "max_pool2d", .. })));
        let none = Tensor::<f32>::zeros([1 << 40, 1 << 40, 0, 3]);
        assert!(none.try_avg_pool2d(&pooling).is_err());
        assert_eq!(none.slice(0, ..0).avg_pool2d(&pooling).len(), 0);
    }

    #[test]
    fn mistakes_are_named() {
        let text = |x: &[usize], pooling: Pooling| {
            let x = Tensor::<f32>::zeros(x);
            let text = x.try_max_pool2d(&pooling).unwrap_err().to_string();
            assert_eq!(x.try_avg_pool2d(&pooling).unwrap_err().to_string(), text.replace("max", "avg"));
            text
        };
        assert_eq!(
            text(&[3, 8, 8], Pooling::new(2)),
            "max_pool2d: operand of shape [3, 8, 8] has 3 axes; expected images, [n, c, h, w]"
        );
        assert_eq!(
            text(&[1, 3, 8, 2], Pooling::new(3)),
            "max_pool2d: the window spans 3 entries of axis 3, x [1, 3, 8, 2] has 2 and a padding of 0 on both sides; use a smaller window or more padding"
        );
        assert_eq!(
            text(&[1, 3, 8, 8], Pooling::new(2).padding(2)),
            "max_pool2d: padding is 2, expected less than the kernel size, so that every window sees something"
        );
        assert_eq!(text(&[1, 3, 8, 8], Pooling::new(0)), "max_pool2d: kernel size is 0, expected at least 1");
        assert_eq!(text(&[1, 3, 8, 8], Pooling::new(2).stride(0)), "max_pool2d: stride is 0, expected at least 1");
        let x = Tensor::<f32>::zeros([1, 1, 4, 4]);
        let places = x.try_max_pool2d_with_places(&Pooling::new(2)).unwrap().1;
        assert_eq!(
            places.scatter(&x).unwrap_err().to_string(),
            "max_pool2d_adjoint: shapes [1, 1, 4, 4] and [1, 1, 2, 2] differ; they must be equal"
        );
        assert!(matches!(places.pick(&x.reshape([1, 1, 2, 8])), Err(ShapeError::Unequal { .. })));
        assert!(matches!(Tensor::avg_pool2d_adjoint(x.shape(), &x, &Pooling::new(2)), Err(ShapeError::Unequal { .. })));
    }
}
