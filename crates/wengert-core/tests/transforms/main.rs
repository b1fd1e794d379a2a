//! Sums over items, many seeds at once, n-ary nodes, operators, functions of functions: one binary, a module each.

mod accumulate;
mod composition;
mod forward;
mod operators;
mod reductions;
mod vector;
mod zero;

/// The text a closure panics with.
fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let Err(cause) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) else { panic!("it did not panic") };
    match cause.downcast::<String>() {
        Ok(text) => *text,
        Err(cause) => (*cause.downcast::<&'static str>().expect("a text")).to_owned(),
    }
}

/// Asserts that two lists of numbers agree to `tolerance`, relative where they are larger than 1.
#[track_caller]
fn assert_close(got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (k, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "[{k}]: got {got:e}, expected {expected:e}, error {error:e}");
    }
}
