//! Images in another size.

use super::no_parameters;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use wengert_core::{TensorFloat, TensorVar};
use wengert_tensor::{Interpolation, Pair};

/// Images several times as high and wide, or of a given size, by the nearest entry unless told otherwise.
///
/// Shapes: `x: [n, c, h, w]`, output `[n, c, oh, ow]`. No parameters.
///
/// # Examples
/// ```
/// use wengert_nn::{Layer, Upsample};
/// use wengert_tensor::{Interpolation, Tensor};
///
/// let x = Tensor::<f32>::zeros([10, 3, 7, 5]);
/// assert_eq!(*Upsample::new(2).predict(&x)?.shape(), [10, 3, 14, 10]);
/// let smooth = Upsample::to_size([20, 20]).interpolation(Interpolation::Bilinear { align_corners: false });
/// assert_eq!(*smooth.predict(&x)?.shape(), [10, 3, 20, 20]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upsample {
    size: Size,
    interpolation: Interpolation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Times([usize; 2]),
    Fixed([usize; 2]),
}

no_parameters!(Upsample);

impl Upsample {
    /// So many times as high and wide.
    #[must_use]
    pub fn new(factor: impl Into<Pair>) -> Self {
        Upsample { size: Size::Times(factor.into().0), interpolation: Interpolation::Nearest }
    }

    /// Of this size, `[height, width]`.
    #[must_use]
    pub fn to_size(size: impl Into<Pair>) -> Self {
        Upsample { size: Size::Fixed(size.into().0), interpolation: Interpolation::Nearest }
    }

    /// The same layer with something else between the entries.
    #[must_use]
    pub fn interpolation(self, interpolation: Interpolation) -> Self {
        Upsample { interpolation, ..self }
    }
}

impl<F: TensorFloat> Layer<F> for Upsample {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let size = match (self.size, &*x.shape()) {
            (Size::Times([rows, columns]), &[_, _, height, width]) => {
                [height.saturating_mul(rows), width.saturating_mul(columns)]
            }
            // Of what are no images the size does not matter: they are refused.
            (Size::Times(size) | Size::Fixed(size), _) => size,
        };
        Ok(x.try_interpolate(size, self.interpolation)?)
    }
}
