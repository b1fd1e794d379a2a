//! Images in another size, and channels in exchange for size.

use crate::conv::{Pair, positive};
use crate::element::{Element, FloatElement};
use crate::error::{OrPanic, ShapeError};
use crate::resample::{Taps, check_weights};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What stands between the entries of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interpolation {
    /// The entry whose square holds the upper left corner of the new one.
    Nearest,
    /// What lies on the straight lines between neighbours, vertically and horizontally.
    Bilinear {
        /// Whether the corners' middles stay where they are; otherwise the image's edges do. The second is what image
        /// programs mean by resizing.
        align_corners: bool,
    },
}

impl Interpolation {
    /// The weights along an axis.
    #[doc(hidden)]
    #[must_use]
    pub fn taps(self, inputs: usize, outputs: usize) -> Taps {
        match self {
            Interpolation::Nearest => Taps::nearest(inputs, outputs),
            Interpolation::Bilinear { align_corners } => Taps::linear(inputs, outputs, align_corners),
        }
    }
}

/// The shape of images of this shape in another size.
#[doc(hidden)]
pub fn interpolated_shape(x: &Shape, size: [usize; 2]) -> Result<Shape, ShapeError> {
    let op = "interpolate";
    let [batch, channels, height, width] = **x else {
        return Err(ShapeError::Rank { op, shape: x.clone(), expected: "images, [n, c, h, w]" });
    };
    for size in size {
        positive(op, "output size", size)?;
    }
    if height == 0 || width == 0 {
        return Err(ShapeError::Empty { op, shape: x.clone() });
    }
    let shape = Shape::from([batch, channels, size[0], size[1]]);
    // Weights are listed before the result is made: refuse what there is no memory for here, not after hours of
    // listing.
    Tensor::<u8>::check_room(op, shape.clone())?;
    check_weights(op, size)?;
    Ok(shape)
}

/// How [`Tensor::pixel_shuffle`] and its inverse rearrange images: the shape with the factors as axes, their new order,
/// the shape of the result.
#[doc(hidden)]
pub struct Shuffle {
    pub apart: Shape,
    pub order: [usize; 6],
    pub result: Shape,
}

impl Shuffle {
    /// Channels in rows and columns.
    ///
    /// # Errors
    /// As [`Tensor::try_pixel_shuffle`].
    pub fn of_channels(x: &Shape, factor: usize) -> Result<Shuffle, ShapeError> {
        let op = "pixel_shuffle";
        let [n, c, h, w] = images(op, x, factor)?;
        let square = factor * factor;
        if c % square != 0 {
            let what = "the square of the factor";
            return Err(ShapeError::Multiple { op, axis: 1, of: square, what, shape: x.clone() });
        }
        let result = Shape::from([n, c / square, h.saturating_mul(factor), w.saturating_mul(factor)]);
        result.try_size(op)?;
        let apart = [n, c / square, factor, factor, h, w];
        Ok(Shuffle { apart: Shape::from(apart), order: [0, 1, 4, 2, 5, 3], result })
    }

    /// Rows and columns in channels.
    ///
    /// # Errors
    /// As [`Tensor::try_pixel_unshuffle`].
    pub fn of_pixels(x: &Shape, factor: usize) -> Result<Shuffle, ShapeError> {
        let op = "pixel_unshuffle";
        let [n, c, h, w] = images(op, x, factor)?;
        for axis in [2, 3] {
            if !x[axis].is_multiple_of(factor) {
                return Err(ShapeError::Multiple { op, axis, of: factor, what: "the factor", shape: x.clone() });
            }
        }
        let result = Shape::from([n, c.saturating_mul(factor * factor), h / factor, w / factor]);
        result.try_size(op)?;
        let apart = [n, c, h / factor, factor, w / factor, factor];
        Ok(Shuffle { apart: Shape::from(apart), order: [0, 1, 3, 5, 2, 4], result })
    }
}

fn images(op: &'static str, x: &Shape, factor: usize) -> Result<[usize; 4], ShapeError> {
    positive(op, "factor", factor)?;
    match **x {
        [n, c, h, w] => Ok([n, c, h, w]),
        _ => Err(ShapeError::Rank { op, shape: x.clone(), expected: "images, [n, c, h, w]" }),
    }
}

impl<F: FloatElement> Tensor<F> {
    /// The images in another size, `[height, width]`.
    ///
    /// An entry `k` of `m` along an axis of `n` reads the original, for the nearest entry, at `k n / m` rounded down;
    /// bilinearly at `(k + 1/2) n / m - 1/2`, and with `align_corners` at `k (n - 1) / (m - 1)`. Beyond the edge is the
    /// entry at the edge. Nothing is smoothed: of images made much smaller most entries are left out.
    ///
    /// Shapes: `x: [n, c, h, w]`, result `[n, c, size]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_interpolate`](Self::try_interpolate) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Interpolation, Tensor};
    /// let x = Tensor::from([[[[0.0, 4.0]]]]);
    /// assert_eq!(x.interpolate([1, 4], Interpolation::Nearest).to_vec(), [0.0, 0.0, 4.0, 4.0]);
    /// let bilinear = |align_corners| x.interpolate([1, 4], Interpolation::Bilinear { align_corners });
    /// assert_eq!(bilinear(false).to_vec(), [0.0, 1.0, 3.0, 4.0]);
    /// assert_eq!(bilinear(true).to_vec()[0], 0.0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn interpolate(&self, size: impl Into<Pair>, interpolation: Interpolation) -> Tensor<F> {
        self.try_interpolate(size, interpolation).or_panic()
    }

    /// As [`interpolate`](Self::interpolate), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`] for no size, [`ShapeError::Empty`], [`ShapeError::TooLarge`] or
    /// [`ShapeError::Memory`].
    pub fn try_interpolate(
        &self,
        size: impl Into<Pair>,
        interpolation: Interpolation,
    ) -> Result<Tensor<F>, ShapeError> {
        let size = size.into().0;
        interpolated_shape(self.shape(), size)?;
        (self.try_resample(2, &interpolation.taps(self.shape()[2], size[0])))
            .and_then(|rows| rows.try_resample(3, &interpolation.taps(self.shape()[3], size[1])))
            .map_err(|error| error.called("interpolate"))
    }
}

impl<T: Element> Tensor<T> {
    /// Spreads channels over images `factor` times as high and wide: channel `c factor^2 + i factor + j` becomes every
    /// `factor`-th row from `i` and column from `j` of channel `c`.
    ///
    /// Shapes: `x: [n, c factor^2, h, w]`, result `[n, c, h factor, w factor]`.
    ///
    /// Source: Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel
    /// convolutional neural network", section 2.2.
    ///
    /// # Panics
    /// With the text of the error that [`try_pixel_shuffle`](Self::try_pixel_shuffle) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]]]);
    /// let y = x.pixel_shuffle(2);
    /// assert_eq!(y, Tensor::from([[[[1, 3, 2, 4], [5, 7, 6, 8]]]]));
    /// assert_eq!(y.pixel_unshuffle(2), x);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn pixel_shuffle(&self, factor: usize) -> Tensor<T> {
        self.try_pixel_shuffle(factor).or_panic()
    }

    /// As [`pixel_shuffle`](Self::pixel_shuffle), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`] for a factor of 0, or [`ShapeError::Multiple`].
    pub fn try_pixel_shuffle(&self, factor: usize) -> Result<Tensor<T>, ShapeError> {
        self.shuffled(Shuffle::of_channels(self.shape(), factor)?)
    }

    /// Gathers every `factor`-th row and column in a channel of its own: the inverse of
    /// [`pixel_shuffle`](Self::pixel_shuffle).
    ///
    /// Shapes: `x: [n, c, h factor, w factor]`, result `[n, c factor^2, h, w]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_pixel_unshuffle`](Self::try_pixel_unshuffle) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// assert_eq!(*x.pixel_unshuffle(2).shape(), [1, 4, 1, 1]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn pixel_unshuffle(&self, factor: usize) -> Tensor<T> {
        self.try_pixel_unshuffle(factor).or_panic()
    }

    /// As [`pixel_unshuffle`](Self::pixel_unshuffle), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`], [`ShapeError::Setting`] for a factor of 0, or [`ShapeError::Multiple`].
    pub fn try_pixel_unshuffle(&self, factor: usize) -> Result<Tensor<T>, ShapeError> {
        self.shuffled(Shuffle::of_pixels(self.shape(), factor)?)
    }

    fn shuffled(&self, Shuffle { apart, order, result }: Shuffle) -> Result<Tensor<T>, ShapeError> {
        self.try_reshape(apart)?.try_permute(order)?.try_reshape(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    const EDGES: Interpolation = Interpolation::Bilinear { align_corners: false };
    const CORNERS: Interpolation = Interpolation::Bilinear { align_corners: true };

    #[test]
    fn the_same_size_changes_nothing_and_views_are_as_their_copies() {
        let view = Tensor::<f64>::uniform([4, 2, 3, 5], -1.0, 1.0, &mut rng(1)).permute([1, 2, 3, 0]).flip(2);
        let x = view.to_contiguous();
        for how in [Interpolation::Nearest, EDGES, CORNERS] {
            assert_eq!(view.interpolate([5, 4], how), x);
            assert_eq!(view.interpolate([3, 9], how), x.interpolate([3, 9], how));
            let constant = Tensor::<f64>::full([1, 1, 3, 4], 0.3).interpolate([7, 5], how);
            assert!(constant.iter().all(|y| (y - 0.3).abs() < 1e-15));
        }
    }

    #[test]
    fn a_ramp_stays_a_ramp_between_its_corners() {
        let ramp = Tensor::<f64>::arange(4).reshape([1, 1, 1, 4]);
        let y = ramp.interpolate([1, 7], CORNERS);
        assert!(y.iter().enumerate().all(|(k, y)| (y - k as f64 / 2.0).abs() < 1e-15));
        assert_eq!(ramp.interpolate([1, 2], Interpolation::Nearest).to_vec(), [0.0, 2.0]);
        assert_eq!(ramp.interpolate([1, 2], EDGES).to_vec(), [0.5, 2.5]);
        assert_eq!(ramp.interpolate(1, CORNERS).to_vec(), [0.0]);
        // What has no part in a result does not spoil it.
        let infinite = Tensor::from([[[[1.0, f64::INFINITY]]]]).interpolate([1, 3], CORNERS);
        assert_eq!(infinite.to_vec(), [1.0, f64::INFINITY, f64::INFINITY]);
    }

    #[test]
    fn shuffling_is_undone_by_unshuffling() {
        let x = Tensor::<i64>::arange(2 * 18 * 2 * 5).reshape([2, 18, 2, 5]);
        let y = x.pixel_shuffle(3);
        assert_eq!(*y.shape(), [2, 2, 6, 15]);
        assert_eq!(y.pixel_unshuffle(3), x);
        // Channel 1 * 9 + 2 * 3 + 1 is row 2 and column 1 of each square of channel 1.
        assert_eq!(y.at([1, 1, 3 + 2, 4 * 3 + 1]), x.at([1, 9 + 7, 1, 4]));
        assert_eq!(*Tensor::<f32>::zeros([0, 4, 3, 3]).pixel_shuffle(2).shape(), [0, 1, 6, 6]);
    }

    #[test]
    fn mistakes_are_named() {
        let x = Tensor::<f32>::zeros([1, 6, 5, 4]);
        let text = |result: Result<Tensor<f32>, ShapeError>| result.unwrap_err().to_string();
        assert_eq!(
            text(x.squeeze(0).try_interpolate(2, EDGES)),
            "interpolate: operand of shape [6, 5, 4] has 3 axes; expected images, [n, c, h, w]"
        );
        assert_eq!(text(x.try_interpolate([0, 2], EDGES)), "interpolate: output size is 0, expected at least 1");
        let refused = x.try_interpolate([1 << 30, 1 << 18], EDGES);
        assert!(matches!(refused, Err(ShapeError::Memory { op: "interpolate", .. })), "{refused:?}");
        // The largest size asks for weights of 80 GiB, which some machines have: more than there are addresses for,
        // then.
        let refused = check_weights("interpolate", [1, 1 << 43]);
        assert!(matches!(refused, Err(ShapeError::Memory { op: "interpolate", .. })), "{refused:?}");
        assert!(text(x.slice(2, ..0).try_interpolate(2, EDGES)).contains("shape [1, 6, 0, 4] leaves no elements"));
        assert_eq!(
            text(x.try_pixel_shuffle(2)),
            "pixel_shuffle: axis 1 of shape [1, 6, 5, 4] has 6 entries, not a multiple of 4, the square of the factor"
        );
        assert_eq!(text(x.try_pixel_shuffle(0)), "pixel_shuffle: factor is 0, expected at least 1");
        assert_eq!(
            text(x.try_pixel_unshuffle(2)),
            "pixel_unshuffle: axis 2 of shape [1, 6, 5, 4] has 5 entries, not a multiple of 2, the factor"
        );
        assert!(text(x.squeeze(0).try_pixel_unshuffle(2)).contains("expected images"));
    }
}
