//! Poolings whose result has a given size: windows share the images out as evenly as possible.

use crate::axis::keep;
use crate::conv::{Pair, positive};
use crate::delegate::one_high;
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::pool2d::Pooling;
use crate::resample::{Taps, adaptive_window, check_weights};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How an adaptive pooling is done: by windows of one size, where there are such, or by others.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Adaptive {
    /// One window, the whole image.
    Global,
    /// Windows side by side.
    Even(Pooling),
    /// Windows of different sizes, some overlapping; their numbers.
    Uneven([usize; 2]),
}

impl Adaptive {
    /// The windows for images of this shape.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`], [`ShapeError::Empty`], [`ShapeError::TooLarge`] or
    /// [`ShapeError::Memory`] naming `op`.
    pub fn plan(op: &'static str, x: &Shape, output: [usize; 2]) -> Result<Adaptive, ShapeError> {
        let [batch, channels, height, width] = **x else {
            return Err(ShapeError::Rank { op, shape: x.clone(), expected: "images, [n, c, h, w]" });
        };
        for size in output {
            positive(op, "output size", size)?;
        }
        if height == 0 || width == 0 {
            return Err(ShapeError::Empty { op, shape: x.clone() });
        }
        Shape::from([batch, channels, output[0], output[1]]).try_size(op)?;
        if output == [1, 1] {
            return Ok(Adaptive::Global);
        }
        if height % output[0] == 0 && width % output[1] == 0 {
            return Ok(Adaptive::Even(Pooling::new([height / output[0], width / output[1]])));
        }
        check_weights(op, output)?;
        Ok(Adaptive::Uneven(output))
    }
}

/// Where the largest element of each window is, the first among equals; NaN counts as largest.
#[doc(hidden)]
pub fn largest_positions<F: FloatElement>(x: &Tensor<F>, output: [usize; 2]) -> Result<Tensor<i64>, ShapeError> {
    let op = "adaptive_max_pool2d";
    let (height, width) = (x.shape()[2], x.shape()[3]);
    let mut copy = None;
    let planes = x.try_dense(op, &mut copy)?;
    let shape = Shape::from([x.shape()[0], x.shape()[1], output[0], output[1]]);
    Tensor::try_build(op, &shape, |places| {
        let planes = planes.chunks_exact(height * width).enumerate();
        for (places, (number, plane)) in places.chunks_exact_mut(output[0] * output[1]).zip(planes) {
            for (k, place) in places.iter_mut().enumerate() {
                let rows = adaptive_window(height, output[0], k / output[1]);
                let columns = adaptive_window(width, output[1], k % output[1]);
                let mut largest = rows.start * width + columns.start;
                for row in rows {
                    for at in row * width + columns.start..row * width + columns.end {
                        if plane[at] > plane[largest] || plane[at].is_nan() && !plane[largest].is_nan() {
                            largest = at;
                        }
                    }
                }
                *place = (number * height * width + largest) as i64;
            }
        }
    })
}

impl<F: FloatElement> Tensor<F> {
    /// Means of `output` windows, `[vertical, horizontal]`, that share the images out as evenly as possible: window `k`
    /// of `m` sees the entries from `k h / m`, rounded down, to `(k + 1) h / m`, rounded up. One window is the global
    /// mean.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c, oh, ow]`, for any `h` and `w`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_avg_pool2d`](Self::try_adaptive_avg_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f64>::arange(10).reshape([1, 1, 2, 5]);
    /// assert_eq!(x.adaptive_avg_pool2d([2, 1]).to_vec(), [2.0, 7.0]);
    /// assert_eq!(x.adaptive_avg_pool2d([1, 2]).to_vec(), [3.5, 5.5]); // columns 0 to 2 and 2 to 4
    /// ```
    #[must_use]
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, output: impl Into<Pair>) -> Tensor<F> {
        self.try_adaptive_avg_pool2d(output).or_panic()
    }

    /// As [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`] for no windows, [`ShapeError::Empty`], [`ShapeError::TooLarge`] or
    /// [`ShapeError::Memory`].
    pub fn try_adaptive_avg_pool2d(&self, output: impl Into<Pair>) -> Result<Tensor<F>, ShapeError> {
        let op = "adaptive_avg_pool2d";
        let y = match Adaptive::plan(op, self.shape(), output.into().0)? {
            Adaptive::Global => self.try_mean_axes(keep([2, 3])),
            Adaptive::Even(pooling) => self.try_avg_pool2d(&pooling),
            Adaptive::Uneven([rows, columns]) => (self.try_resample(2, &Taps::mean(self.shape()[2], rows)))
                .and_then(|x| x.try_resample(3, &Taps::mean(self.shape()[3], columns))),
        };
        y.map_err(|error| error.called(op))
    }

    /// The largest elements of `output` windows; see [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d). NaN counts as
    /// largest.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c, oh, ow]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_max_pool2d`](Self::try_adaptive_max_pool2d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::<f64>::arange(10).reshape([1, 1, 2, 5]);
    /// assert_eq!(x.adaptive_max_pool2d([1, 2]).to_vec(), [7.0, 9.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn adaptive_max_pool2d(&self, output: impl Into<Pair>) -> Tensor<F> {
        self.try_adaptive_max_pool2d(output).or_panic()
    }

    /// As [`adaptive_max_pool2d`](Self::adaptive_max_pool2d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_adaptive_avg_pool2d`](Self::try_adaptive_avg_pool2d).
    pub fn try_adaptive_max_pool2d(&self, output: impl Into<Pair>) -> Result<Tensor<F>, ShapeError> {
        let (op, output) = ("adaptive_max_pool2d", output.into().0);
        let y = match Adaptive::plan(op, self.shape(), output)? {
            Adaptive::Global => self.try_max_pool2d(&Pooling::new([self.shape()[2], self.shape()[3]])),
            Adaptive::Even(pooling) => self.try_max_pool2d(&pooling),
            Adaptive::Uneven(_) => largest_positions(self, output).and_then(|places| self.try_pick(&places)),
        };
        y.map_err(|error| error.called(op))
    }

    /// [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d) of sequences: `[n, c, l] -> [n, c, output]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_avg_pool1d`](Self::try_adaptive_avg_pool1d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[[1.0, 5.0, 3.0, 7.0]]]);
    /// assert_eq!(x.adaptive_avg_pool1d(2).to_vec(), [3.0, 5.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, output: usize) -> Tensor<F> {
        self.try_adaptive_avg_pool1d(output).or_panic()
    }

    /// As [`adaptive_avg_pool1d`](Self::adaptive_avg_pool1d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_adaptive_avg_pool2d`](Self::try_adaptive_avg_pool2d).
    pub fn try_adaptive_avg_pool1d(&self, output: usize) -> Result<Tensor<F>, ShapeError> {
        let op = "adaptive_avg_pool1d";
        let x = self.try_reshape(one_high(op, self.shape(), "sequences, [n, c, l]")?)?;
        x.try_adaptive_avg_pool2d([1, output]).map_err(|error| error.of_sequences(op))?.try_squeeze(2)
    }

    /// [`adaptive_max_pool2d`](Self::adaptive_max_pool2d) of sequences: `[n, c, l] -> [n, c, output]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_adaptive_max_pool1d`](Self::try_adaptive_max_pool1d) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[[1.0, 5.0, 3.0, 7.0]]]);
    /// assert_eq!(x.adaptive_max_pool1d(2).to_vec(), [5.0, 7.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn adaptive_max_pool1d(&self, output: usize) -> Tensor<F> {
        self.try_adaptive_max_pool1d(output).or_panic()
    }

    /// As [`adaptive_max_pool1d`](Self::adaptive_max_pool1d), with an error instead of a panic.
    ///
    /// # Errors
    /// As [`try_adaptive_avg_pool2d`](Self::try_adaptive_avg_pool2d).
    pub fn try_adaptive_max_pool1d(&self, output: usize) -> Result<Tensor<F>, ShapeError> {
        let op = "adaptive_max_pool1d";
        let x = self.try_reshape(one_high(op, self.shape(), "sequences, [n, c, l]")?)?;
        x.try_adaptive_max_pool2d([1, output]).map_err(|error| error.of_sequences(op))?.try_squeeze(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn windows_are_those_of_the_definition() {
        let view = Tensor::<f64>::uniform([5, 2, 7, 3], -1.0, 1.0, &mut rng(1)).permute([3, 1, 0, 2]).flip(2);
        let x = view.to_contiguous();
        for output in [[1, 1], [2, 3], [5, 7], [4, 2], [8, 9], [1, 7]] {
            let (mean, max) = (view.adaptive_avg_pool2d(output), view.adaptive_max_pool2d(output));
            for (at, k) in [[0, 0], [1, 1], [2, 0]].iter().zip(0..) {
                let (r, q) = (k % output[0], (k + 1) % output[1]);
                let rows = adaptive_window(5, output[0], r);
                let columns = adaptive_window(7, output[1], q);
                let window = x.slice(2, rows.start as isize..rows.end as isize);
                let window = window.slice(3, columns.start as isize..columns.end as isize);
                let window = window.index_axis(0, at[0] as isize).index_axis(0, at[1] as isize);
                assert!((mean.at([at[0], at[1], r, q]) - window.mean()).abs() < 1e-15);
                assert_eq!(max.at([at[0], at[1], r, q]), window.max());
            }
        }
    }

    #[test]
    fn nan_is_the_largest_and_batches_may_be_empty() {
        let x = Tensor::from([[[f64::NAN, 1.0, 7.0]]]);
        assert!(x.adaptive_max_pool1d(2).at([0, 0, 0]).is_nan());
        assert_eq!(x.adaptive_max_pool1d(2).at([0, 0, 1]), 7.0);
        assert_eq!(*Tensor::<f32>::zeros([0, 3, 5, 5]).adaptive_avg_pool2d([2, 3]).shape(), [0, 3, 2, 3]);
        assert_eq!(*Tensor::<f32>::zeros([2, 0, 5, 5]).adaptive_max_pool2d(2).shape(), [2, 0, 2, 2]);
        assert_eq!(Tensor::<f64>::from([[[1.0, 2.0, 6.0]]]).adaptive_avg_pool1d(2).to_vec(), [1.5, 4.0]);
    }

    #[test]
    fn mistakes_are_named() {
        let text = |x: &[usize], output: [usize; 2]| {
            let x = Tensor::<f32>::zeros(x);
            let text = x.try_adaptive_avg_pool2d(output).unwrap_err().to_string();
            assert_eq!(x.try_adaptive_max_pool2d(output).unwrap_err().to_string(), text.replace("avg", "max"));
            text
        };
        assert_eq!(
            text(&[3, 8, 8], [2, 2]),
            "adaptive_avg_pool2d: operand of shape [3, 8, 8] has 3 axes; expected images, [n, c, h, w]"
        );
        assert_eq!(text(&[1, 3, 8, 8], [2, 0]), "adaptive_avg_pool2d: output size is 0, expected at least 1");
        assert!(text(&[1, 3, 0, 8], [2, 2]).starts_with("adaptive_avg_pool2d: shape [1, 3, 0, 8] leaves no elements"));
        assert_eq!(
            Tensor::<f32>::zeros([3, 8]).try_adaptive_max_pool1d(2).unwrap_err().to_string(),
            "adaptive_max_pool1d: operand of shape [3, 8] has 2 axes; expected sequences, [n, c, l]"
        );
    }
}
