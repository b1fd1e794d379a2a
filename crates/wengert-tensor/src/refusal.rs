//! Memory refused where no error can be returned.
//!
//! The rules of derivatives are formulas of operators and of calls that do not return a `Result`; with one for each of
//! their steps every rule would have an error path that says the same. A refusal leaves such a formula by unwinding, to
//! whoever began it with [`refusable`] and returns the error. No message is printed on the way: nothing has failed that
//! is not reported.
//!
//! Whether somebody waits is a matter of the thread. A sweep that runs on a worker of rayon may find there, while its
//! own pieces are under way, work of the user's that has nothing to do with it; memory refused to that unwinds without
//! a message, too.
//!
//! Of mistakes, such as shapes that do not fit, nothing is caught: they panic at their line.

use crate::error::ShapeError;
use core::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    /// Whether a [`refusable`] of this thread waits for refusals.
    static AWAITED: Cell<bool> = const { Cell::new(false) };
}

/// A refusal on its way up.
struct Refused(ShapeError);

/// Runs `f`; memory refused to an op within, on this thread, ends it and is the error. What `f` worked on must be fit
/// for use after a panic. In programs whose panics abort, refusals do.
#[doc(hidden)]
pub fn refusable<R>(f: impl FnOnce() -> R) -> Result<R, ShapeError> {
    if cfg!(panic = "abort") {
        return Ok(f());
    }
    let outer = AWAITED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    AWAITED.set(outer);
    result.map_err(|payload| match payload.downcast::<Refused>() {
        Ok(refused) => refused.0,
        Err(payload) => resume_unwind(payload),
    })
}

/// Goes up to the [`refusable`] this was called in, if `error` is of memory refused and there is one.
#[doc(hidden)]
pub fn refuse(error: &ShapeError) {
    if matches!(error, ShapeError::Memory { .. }) && AWAITED.get() {
        resume_unwind(Box::new(Refused(error.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::refusable;
    use crate::{ShapeError, Tensor};
    use std::panic::catch_unwind;

    /// 40 TB.
    const HUGE: [usize; 2] = [10_000_000, 1_000_000];

    #[cfg(not(miri))] // Miri's allocator gives up the whole run
    #[test]
    fn refusals_end_at_the_innermost_call_and_other_panics_pass() {
        let outer = refusable(|| {
            let inner = refusable(|| Tensor::<f32>::zeros(HUGE).len());
            assert!(matches!(inner, Err(ShapeError::Memory { .. })), "{inner:?}");
            drop(Tensor::<f32>::ones(HUGE));
        });
        assert!(matches!(outer, Err(ShapeError::Memory { .. })), "{outer:?}");
        assert!(catch_unwind(|| refusable(|| Tensor::<f32>::zeros([2]).matmul(&Tensor::zeros([3])))).is_err());
        // Nobody waits any more.
        assert!(catch_unwind(|| Tensor::<f32>::zeros(HUGE)).is_err());
    }
}
