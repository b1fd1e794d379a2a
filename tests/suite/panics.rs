//! The text of a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`, which must panic, and returns the text it panics with.
#[track_caller]
pub fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| {
        f();
    })) else {
        panic!("no panic")
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().map_or_else(|_| "not a text".to_owned(), |text| (*text).to_owned()),
    }
}
