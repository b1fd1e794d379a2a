//! The windows of images as columns of a matrix, and their adjoint, columns added up to images.

use wengert_kernels::Par;

use crate::conv::{Pair, bounded, fits, positive};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Where windows lie: size, stride, padding, dilation.
///
/// Pairs are `[vertical, horizontal]`; a single number sets both.
///
/// # Examples
/// ```
/// # use wengert_tensor::Windows;
/// let windows = Windows::new(3).stride(2).padding([1, 0]);
/// assert_eq!((windows.kernel, windows.stride, windows.padding), ([3, 3], [2, 2], [1, 0]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Windows {
    /// Size of the windows, at least 1.
    pub kernel: [usize; 2],
    /// Distance between windows, at least 1; 1 to begin with.
    pub stride: [usize; 2],
    /// Zeros on every side of the images; none to begin with.
    pub padding: [usize; 2],
    /// Distance between the entries of a window, at least 1; 1 to begin with.
    pub dilation: [usize; 2],
}

impl Windows {
    /// Windows of this size at every place inside the images.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Windows};
    /// let x = Tensor::<f64>::arange(4).reshape([1, 1, 1, 4]);
    /// let columns = Tensor::from([[[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]]); // two
    /// assert_eq!(x.unfold(&Windows::new([1, 3])), columns);
    /// ```
    #[must_use]
    pub fn new(kernel: impl Into<Pair>) -> Self {
        Windows { kernel: kernel.into().0, stride: [1; 2], padding: [0; 2], dilation: [1; 2] }
    }

    /// The same with windows this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Windows};
    /// let x = Tensor::<f64>::arange(4).reshape([1, 1, 1, 4]);
    /// assert_eq!(x.unfold(&Windows::new([1, 2]).stride([1, 2])), Tensor::from([[[0.0, 2.0], [1.0, 3.0]]]));
    /// ```
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Windows { stride: stride.into().0, ..self }
    }

    /// The same with so many zeros on every side of the images.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Windows};
    /// let x = Tensor::<f64>::arange(4).reshape([1, 1, 1, 4]);
    /// let y = x.unfold(&Windows::new([1, 2]).padding([0, 1]).stride([1, 2]));
    /// assert_eq!(y, Tensor::from([[[0.0, 1.0, 3.0], [0.0, 2.0, 0.0]]]));
    /// ```
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Windows { padding: padding.into().0, ..self }
    }

    /// The same with the entries of a window this far apart.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Windows};
    /// let x = Tensor::<f64>::arange(4).reshape([1, 1, 1, 4]);
    /// assert_eq!(x.unfold(&Windows::new([1, 2]).dilation([1, 3])), Tensor::from([[[0.0], [3.0]]]));
    /// ```
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Windows { dilation: dilation.into().0, ..self }
    }

    /// How many windows there are in images of this shape, vertically and horizontally.
    fn count(&self, op: &'static str, images: &Shape) -> Result<[usize; 2], ShapeError> {
        let mut count = [0; 2];
        for (axis, count) in count.iter_mut().enumerate() {
            positive(op, "kernel size", self.kernel[axis])?;
            positive(op, "stride", self.stride[axis])?;
            positive(op, "dilation", self.dilation[axis])?;
            bounded(op, "padding", self.padding[axis])?;
            // At most 2^62, since both were bounded.
            let span = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            fits(op, images, axis, span, self.padding[axis])?;
            *count = (images[2 + axis].saturating_add(2 * self.padding[axis]) - span) / self.stride[axis] + 1;
        }
        Ok(count)
    }

    /// The shape `[n, c kh kw, oh ow]` of the columns of images of this shape.
    fn columns(&self, op: &'static str, images: &Shape) -> Result<Shape, ShapeError> {
        let [batch, channels, ..] = **images else {
            return Err(ShapeError::Rank { op, shape: images.clone(), expected: "images, [n, c, h, w]" });
        };
        let [rows, columns] = self.count(op, images)?;
        let entries = channels.saturating_mul(self.kernel[0].saturating_mul(self.kernel[1]));
        let shape = Shape::from([batch, entries, rows.saturating_mul(columns)]);
        shape.try_size(op)?;
        Ok(shape)
    }

    /// Goes over the runs of entries of one image plane `[h, w]` and of its columns `[kh kw, oh ow]`: calls `inside`
    /// with where a run begins in the columns, where in the plane, and its length; successive entries in the plane are
    /// a stride apart.
    fn runs(
        &self,
        [height, width]: [usize; 2],
        [rows, columns]: [usize; 2],
        mut inside: impl FnMut(usize, usize, usize),
    ) {
        for i in 0..self.kernel[0] {
            for j in 0..self.kernel[1] {
                let entry = (i * self.kernel[1] + j) * rows * columns;
                // Windows `q` for which `q stride + shift - padding` is a column of the plane.
                let shift = j * self.dilation[1];
                let first = self.padding[1].saturating_sub(shift).div_ceil(self.stride[1]).min(columns);
                let past = (width + self.padding[1]).saturating_sub(shift).div_ceil(self.stride[1]).min(columns);
                if first >= past {
                    continue;
                }
                for r in 0..rows {
                    let y = (r * self.stride[0] + i * self.dilation[0]).wrapping_sub(self.padding[0]);
                    if y < height {
                        let x = first * self.stride[1] + shift - self.padding[1];
                        inside(entry + r * columns + first, y * width + x, past - first);
                    }
                }
            }
        }
    }
}

/// Elements that are worth a task of their own: some tens of microseconds.
const TASK: usize = 1 << 15;

/// How images that are not empty, and their columns, are cut into tasks.
struct Planes {
    /// Elements of a channel of an image.
    plane: usize,
    /// Elements of its columns.
    columns: usize,
    /// Channels of a task.
    of_piece: usize,
}

impl Planes {
    fn new(windows: &Windows, size: [usize; 2], count: [usize; 2]) -> Planes {
        let columns = windows.kernel[0] * windows.kernel[1] * count[0] * count[1];
        Planes { plane: size[0] * size[1], columns, of_piece: TASK.div_ceil(columns) }
    }
}

/// The shape of the images that columns of this shape are added up to.
fn folded_shape(columns: &Shape, size: [usize; 2], windows: &Windows) -> Result<Shape, ShapeError> {
    let op = "fold";
    let [batch, entries, _] = **columns else {
        return Err(ShapeError::Rank { op, shape: columns.clone(), expected: "columns, [n, c kh kw, windows]" });
    };
    for kernel in windows.kernel {
        positive(op, "kernel size", kernel)?;
    }
    // At most 2^62, since both were bounded.
    let window = windows.kernel[0] * windows.kernel[1];
    if entries % window != 0 {
        let what = "the entries of a window";
        return Err(ShapeError::Multiple { op, axis: 1, of: window, what, shape: columns.clone() });
    }
    let images = Shape::from([batch, entries / window, size[0], size[1]]);
    images.try_size(op)?;
    let expected = windows.columns(op, &images)?;
    match *columns == expected {
        true => Ok(images),
        false => Err(ShapeError::Unequal { op, lhs: columns.clone(), rhs: expected }),
    }
}

impl<F: FloatElement> Tensor<F> {
    /// The windows of images as columns, channel by channel and row by row (`im2col`): a convolution is a matrix
    /// product with them.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c kh kw, oh ow]` with
    /// `oh = (h + 2 padding - dilation (kh - 1) - 1) / stride + 1`.
    ///
    /// # Panics
    /// With the text of the error that [`try_unfold`](Self::try_unfold) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Windows};
    /// let x = Tensor::from([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]]);
    /// let columns = x.unfold(&Windows::new(2));
    /// assert_eq!(columns, Tensor::from([[[1.0, 2.0], [2.0, 3.0], [4.0, 5.0], [5.0, 6.0]]]));
    /// // Each entry as often as there are windows over it:
    /// assert_eq!(columns.fold([2, 3], &Windows::new(2)).to_vec(), [1.0, 4.0, 3.0, 4.0, 10.0, 6.0]);
    /// ```
    #[doc(alias = "im2col")]
    #[must_use]
    #[track_caller]
    pub fn unfold(&self, windows: &Windows) -> Tensor<F> {
        self.try_unfold(windows).or_panic()
    }

    /// As [`unfold`](Self::unfold), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`], [`ShapeError::Window`] or [`ShapeError::TooLarge`].
    pub fn try_unfold(&self, windows: &Windows) -> Result<Tensor<F>, ShapeError> {
        let op = "unfold";
        if self.rank() != 4 {
            return Err(ShapeError::Rank { op, shape: self.shape().clone(), expected: "images, [n, c, h, w]" });
        }
        let shape = windows.columns(op, self.shape())?;
        let (size, count) = ([self.shape()[2], self.shape()[3]], windows.count(op, self.shape())?);
        let mut copy = None;
        let x = self.try_dense(op, &mut copy)?;
        let mut y = Tensor::try_zeros_for(op, shape)?;
        if !x.is_empty() {
            let planes = Planes::new(windows, size, count);
            let pieces = y.fresh_mut().chunks_mut(planes.of_piece * planes.columns);
            Par::current().for_each(pieces.zip(x.chunks(planes.of_piece * planes.plane)), |(y, x)| {
                for (y, x) in y.chunks_exact_mut(planes.columns).zip(x.chunks_exact(planes.plane)) {
                    windows.runs(size, count, |to, from, len| match windows.stride[1] {
                        1 => y[to..to + len].copy_from_slice(&x[from..from + len]),
                        stride => {
                            for (y, &x) in y[to..to + len].iter_mut().zip(x[from..].iter().step_by(stride)) {
                                *y = x;
                            }
                        }
                    });
                }
            });
        }
        Ok(y)
    }

    /// Adds columns up to images of a size `[h, w]` (`col2im`): the adjoint of [`unfold`](Self::unfold).
    ///
    /// Shapes: `self: [n, c kh kw, oh ow]`, result `[n, c, h, w]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_fold`](Self::try_fold) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Tensor, Windows};
    /// // Windows of two entries overlap in the middle of three.
    /// let columns = Tensor::from([[[1.0, 10.0], [2.0, 20.0]]]);
    /// assert_eq!(columns.fold([1, 3], &Windows::new([1, 2])).to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    #[doc(alias = "col2im")]
    #[must_use]
    #[track_caller]
    pub fn fold(&self, size: impl Into<Pair>, windows: &Windows) -> Tensor<F> {
        self.try_fold(size, windows).or_panic()
    }

    /// As [`fold`](Self::fold), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_unfold`](Self::try_unfold); [`ShapeError::Multiple`] if the columns are not of whole windows,
    /// [`ShapeError::Unequal`] if there are not as many as images of this size have windows.
    pub fn try_fold(&self, size: impl Into<Pair>, windows: &Windows) -> Result<Tensor<F>, ShapeError> {
        let op = "fold";
        let size = size.into().0;
        let images = folded_shape(self.shape(), size, windows)?;
        let count = windows.count(op, &images)?;
        let mut copy = None;
        let x = self.try_dense(op, &mut copy)?;
        let mut y = Tensor::try_zeros_for(op, images)?;
        if !y.is_empty() {
            let planes = Planes::new(windows, size, count);
            let pieces = y.fresh_mut().chunks_mut(planes.of_piece * planes.plane);
            Par::current().for_each(pieces.zip(x.chunks(planes.of_piece * planes.columns)), |(y, x)| {
                for (y, x) in y.chunks_exact_mut(planes.plane).zip(x.chunks_exact(planes.columns)) {
                    windows.runs(size, count, |from, to, len| {
                        for (y, &x) in y[to..].iter_mut().step_by(windows.stride[1]).zip(&x[from..from + len]) {
                            *y += x;
                        }
                    });
                }
            });
        }
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Convolution, rng};

    fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
        Tensor::uniform(shape, -1.0, 1.0, &mut rng(seed))
    }

    fn settings() -> [Windows; 5] {
        let plain = Windows::new([2, 3]);
        [
            plain,
            plain.stride([2, 1]).padding([1, 2]),
            plain.dilation([3, 2]).padding(3),
            Windows::new(1).stride(3),
            Windows::new([1, 4]).padding([4, 7]).stride([1, 2]),
        ]
    }

    #[test]
    fn a_convolution_is_a_product_with_the_columns() {
        let view = random(&[6, 2, 3, 5], 1).permute([1, 2, 3, 0]).flip(3);
        for windows in settings() {
            let Windows { kernel: [kh, kw], stride, padding, dilation } = windows;
            let w = random(&[4, 3, kh, kw], 2);
            let options = Convolution { stride, padding, dilation, ..Convolution::new() };
            let expected = view.conv2d(&w, &options);
            let columns = view.unfold(&windows);
            assert_eq!(columns, view.to_contiguous().unfold(&windows));
            let product = w.reshape([4, 3 * kh * kw]).matmul(&columns).reshape(expected.shape());
            assert!((product - expected).abs().max() < 1e-14);
        }
    }

    #[test]
    fn folding_is_the_adjoint_of_unfolding() {
        let x = random(&[2, 3, 5, 6], 3);
        for windows in settings() {
            let y = x.unfold(&windows);
            let v = random(y.shape(), 4).transpose(1, 2).to_contiguous().transpose(1, 2);
            let back = v.fold([5, 6], &windows);
            assert!((y.flatten().dot(&v.flatten()) - x.flatten().dot(&back.flatten())).abs() < 1e-12);
        }
        assert_eq!(*Tensor::<f32>::zeros([0, 2, 3, 3]).unfold(&Windows::new(2)).shape(), [0, 8, 4]);
        assert_eq!(*Tensor::<f32>::zeros([2, 0, 4]).fold(3, &Windows::new(2)).shape(), [2, 0, 3, 3]);
        assert_eq!(Tensor::<f32>::zeros([1, 1, 0, 2]).unfold(&Windows::new(1).padding(1)).to_vec(), [0.0; 8]);
    }

    #[test]
    fn many_images_are_shared_out_without_a_change() {
        let x = random(&[5, 7, 40, 50], 5);
        let windows = Windows::new(3).padding(1).stride(2);
        let both = || {
            let columns = x.unfold(&windows);
            (columns.fold([40, 50], &windows), columns)
        };
        let alone = wengert_kernels::par::threads(1, both);
        for threads in [2, 3, 8] {
            assert_eq!(wengert_kernels::par::threads(threads, both), alone);
        }
        let last = x.slice(0, 4..).slice(1, 6..);
        assert_eq!(last.unfold(&windows), alone.1.slice(0, 4..).slice(1, 54..));
        assert_eq!(last.unfold(&windows).fold([40, 50], &windows), alone.0.slice(0, 4..).slice(1, 6..));
    }

    #[test]
    fn no_images_have_windows_of_any_size() {
        let windows = Windows::new(i32::MAX as usize).padding(1 << 30);
        let columns = Tensor::<f32>::zeros([0, 2, 3, 3]).unfold(&windows);
        assert_eq!(*columns.shape(), [0, 2 * windows.kernel[0] * windows.kernel[1], 25]);
        assert_eq!(*columns.fold(3, &windows).shape(), [0, 2, 3, 3]);
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f32>::zeros([1, 2, 5, 4]);
        let text = |result: Result<Tensor<f32>, ShapeError>| result.unwrap_err().to_string();
        assert_eq!(
            text(x.try_unfold(&Windows::new(5))),
            "unfold: the window spans 5 entries of axis 3, x [1, 2, 5, 4] has 4 and a padding of 0 on both sides; use a smaller window or more padding"
        );
        assert_eq!(text(x.try_unfold(&Windows::new(2).stride(0))), "unfold: stride is 0, expected at least 1");
        assert!(text(x.squeeze(0).try_unfold(&Windows::new(2))).ends_with("expected images, [n, c, h, w]"));
        let columns = Tensor::<f32>::zeros([1, 8, 6]);
        assert_eq!(
            text(columns.try_fold([3, 3], &Windows::new(2))),
            "fold: shapes [1, 8, 6] and [1, 8, 4] differ; they must be equal"
        );
        assert_eq!(
            text(columns.try_fold([3, 3], &Windows::new(3))),
            "fold: axis 1 of shape [1, 8, 6] has 8 entries, not a multiple of 9, the entries of a window"
        );
        assert!(text(x.try_fold(3, &Windows::new(1))).ends_with("expected columns, [n, c kh kw, windows]"));
    }
}
