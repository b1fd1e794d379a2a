//! The elements a mask marks: elements picked by number, whose cotangents go back to where they came from.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::{Tensor, masked_positions};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The elements where `mask` is true, in row-major order; both are repeated to a common shape. Nothing flows back
    /// to the others, and to an element selected more than once what flows adds up.
    ///
    /// Shapes: `self` and `mask` broadcast, result `[m]` with one entry for each true.
    ///
    /// # Panics
    /// With the text of the error that [`try_masked_select`](Self::try_masked_select) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, -2.0], [3.0, 4.0]]);
    /// let y = x.masked_select(&x.greater(0.0));
    /// assert_eq!(y.value().to_vec(), [1.0, 3.0, 4.0]);
    /// assert_eq!(y.square().sum().gradient()[x].to_vec(), [2.0, 0.0, 6.0, 8.0]);
    /// ```
    #[track_caller]
    pub fn masked_select(self, mask: &Tensor<bool>) -> Self {
        self.try_masked_select(mask).or_panic()
    }

    /// [`masked_select`](Self::masked_select), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not broadcast.
    #[track_caller]
    pub fn try_masked_select(self, mask: &Tensor<bool>) -> Result<Self, Error> {
        let positions = self.fit(masked_positions(&self.shape(), mask))?;
        self.try_pick(&positions)
    }
}
