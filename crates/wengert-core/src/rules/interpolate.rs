//! Images in another size, weighted sums along both axes; channels in exchange for size, a reshape and a permutation.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::{Interpolation, Pair, Shuffle, interpolated_shape};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
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
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Interpolation;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[0.0, 4.0]]]]);
    /// let y = x.interpolate([1, 4], Interpolation::Bilinear { align_corners: false });
    /// assert_eq!(y.value().to_vec(), [0.0, 1.0, 3.0, 4.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [2.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn interpolate(self, size: impl Into<Pair>, interpolation: Interpolation) -> Self {
        self.try_interpolate(size, interpolation).or_panic()
    }

    /// [`interpolate`](Self::interpolate), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not four axes, no size is asked for or the images have no entries.
    #[track_caller]
    pub fn try_interpolate(self, size: impl Into<Pair>, interpolation: Interpolation) -> Result<Self, Error> {
        let _whole = self.whole("interpolate");
        let (shape, size) = (self.shape(), size.into().0);
        self.fit(interpolated_shape(&shape, size))?;
        let rows = self.try_resample(2, interpolation.taps(shape[2], size[0]))?;
        rows.try_resample(3, interpolation.taps(shape[3], size[1]))
    }

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
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]);
    /// assert_eq!(*x.pixel_shuffle(2).shape(), [1, 1, 2, 2]);
    /// assert_eq!(x.pixel_shuffle(2).pixel_unshuffle(2).value(), x.value());
    /// ```
    #[track_caller]
    pub fn pixel_shuffle(self, factor: usize) -> Self {
        self.try_pixel_shuffle(factor).or_panic()
    }

    /// [`pixel_shuffle`](Self::pixel_shuffle), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not four axes, or `factor^2` is 0 or does not divide the channels.
    #[track_caller]
    pub fn try_pixel_shuffle(self, factor: usize) -> Result<Self, Error> {
        let _whole = self.whole("pixel_shuffle");
        let shuffle = self.fit(Shuffle::of_channels(&self.shape(), factor))?;
        self.try_shuffle(shuffle)
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
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// let y = x.pixel_unshuffle(2);
    /// assert_eq!((y.shape().to_vec(), y.value().to_vec()), (vec![1, 4, 1, 1], vec![1.0, 2.0, 3.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn pixel_unshuffle(self, factor: usize) -> Self {
        self.try_pixel_unshuffle(factor).or_panic()
    }

    /// [`pixel_unshuffle`](Self::pixel_unshuffle), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not four axes, or `factor` is 0 or does not divide height and width.
    #[track_caller]
    pub fn try_pixel_unshuffle(self, factor: usize) -> Result<Self, Error> {
        let _whole = self.whole("pixel_unshuffle");
        let shuffle = self.fit(Shuffle::of_pixels(&self.shape(), factor))?;
        self.try_shuffle(shuffle)
    }

    #[track_caller]
    fn try_shuffle(self, Shuffle { apart, order, result }: Shuffle) -> Result<Self, Error> {
        self.try_reshape(apart)?.try_permute(order)?.try_reshape(result)
    }
}
