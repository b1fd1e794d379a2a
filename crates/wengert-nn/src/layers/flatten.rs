//! Images to vectors.

use super::no_parameters;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use wengert_core::{TensorFloat, TensorVar};

/// Merges all axes but the first, that of the batch.
///
/// Shapes: `x: [n, a, b, ..]`, output `[n, a b ..]`. No parameters.
///
/// # Examples
/// ```
/// use wengert_nn::{Flatten, Layer};
/// use wengert_tensor::Tensor;
///
/// let images = Tensor::<f32>::zeros([10, 3, 8, 8]);
/// assert_eq!(*Flatten.predict(&images)?.shape(), [10, 192]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flatten;

no_parameters!(Flatten);

impl<F: TensorFloat> Layer<F> for Flatten {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, _mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        Ok(x.try_flatten_from(1)?)
    }
}
