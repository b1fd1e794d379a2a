//! Trace, the sum of a diagonal.

use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The sum of the diagonal: `[.., n, n] -> [..]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_trace`](Self::try_trace) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let a = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.trace().item(), 5.0);
    /// assert_eq!(a.matmul(a).trace().gradient()[a].to_vec(), [2.0, 6.0, 4.0, 8.0]); // 2 aT
    /// ```
    #[track_caller]
    pub fn trace(self) -> Self {
        self.try_trace().or_panic()
    }

    /// [`trace`](Self::trace), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the matrices are not square.
    #[track_caller]
    pub fn try_trace(self) -> Result<Self, Error> {
        let _whole = self.whole("trace");
        // Views cost nothing, and say what does not fit.
        self.fit(self.peek().try_trace())?;
        self.try_diagonal(0, -2, -1)?.try_sum_axes(-1)
    }
}
