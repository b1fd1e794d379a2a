//! What a user of tapes sees when something does not fit: the text of the error, at their own line.
//!
//! One test, because the panic hook belongs to the whole process.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Mutex;

use wengert_core::prelude::*;
use wengert_core::{TensorVar, Var};
use wengert_tensor::{Convolution, Pooling, Tensor};

/// The file and the line of the last panic.
static PLACE: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

/// Runs a call that must panic; returns the text, the file and the line of the panic.
fn panic_of<R>(call: impl FnOnce() -> R) -> (String, String, u32) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else { return ("no panic".into(), String::new(), 0) };
    let fixed = payload.downcast_ref::<&str>().copied().unwrap_or("no text"); // a panic without arguments has no String
    let text = payload.downcast_ref::<String>().map_or(fixed, String::as_str).to_owned();
    let (file, line) = PLACE.lock().unwrap().clone();
    (text, file, line)
}

#[test]
fn panics_are_at_the_line_of_the_caller() {
    let hook = take_hook();
    set_hook(Box::new(|info| {
        if let Some(place) = info.location() {
            *PLACE.lock().unwrap() = (place.file().to_owned(), place.line());
        }
    }));
    // Compared when the usual hook is back, else a difference would be silent.
    let mut panics = Vec::new();
    macro_rules! each {
        ($($text:literal: $call:expr;)*) => { $(
            // `line!()` is where the list starts; its entries have a line each.
            let line = line!() + 1 + panics.len() as u32;
            panics.push((stringify!($call), $text, panic_of(|| $call), line));
        )* };
    }
    let (tape, other) = (Tape::new(), Tape::new());
    let (x, y): (Var, Var) = (tape.var(1.0), other.var(2.0));
    let twice = x * 2.0;
    let (a, b) = (tape.tensor(Tensor::ones([2, 3])), tape.tensor(Tensor::ones([4])));
    let doubled = a * 2.0;
    let image = tape.tensor(Tensor::ones([1, 1, 2, 2]));
    let real = RealTape::new();
    let mut cleared = RealTape::new();
    let (fresh, stale) = (real.var(1.0), cleared.var(1.0));
    cleared.clear();
    each! {
        "not an input: call y.retain() first": twice.sin().gradient()[twice];
        "asked for a constant": x.sin().gradient()[Var::from(2.0)];
        "not an input: call y.retain() first": doubled.sum().gradient()[doubled].sum();
        "add: shapes [2, 3] and [4] do not broadcast": a + b;
        "mul: operands belong to two tapes": a * other.tensor(Tensor::ones([2, 3]));
        "matmul: inner dimensions differ": a.matmul(a);
        "softmax: axis 2 is out of range": a.softmax(2);
        "sum: axis -3 is out of range": a.sum_axes(-3);
        "reshape: shape [2, 3] has 6 elements, shape [4] has 4": a.reshape([4]);
        "slice: range 0..5 leaves axis 1": a.slice(1, 0..5);
        "index_axis: index 2 is out of range for axis 0": a.index_axis(0, 2);
        "concat: tensor 1 of shape [4]": TensorVar::concat(&[a, b], 0);
        "gradient of a tensor of shape [2, 3]: not one number": a.gradient();
        "conv2d: operand of shape [2, 3] has 2 axes": a.conv2d(image, &Convolution::new());
        "max_pool2d: the window spans 3 entries": image.max_pool2d(&Pooling::new(3));
        "cross_entropy: row 0 has label 3": a.cross_entropy(&Tensor::from([3, 0]));
        "used after the tape was cleared": (stale * 2.0 + stale).sin().gradient();
        "operands belong to two tapes": fresh * cleared.var(1.0);
        "dot: 1 numbers on the left, 2 on the right": dot(&[x], &[x, x]);
        "operands belong to two tapes": (x * y).gradient(); // last: a tape keeps its first error
    }
    set_hook(hook);
    for (call, text, (said, file, at), line) in panics {
        assert!(said.contains(text), "{call}: {said}");
        assert_eq!((file.as_str(), at), (file!(), line), "{call}: {said}");
    }
}
