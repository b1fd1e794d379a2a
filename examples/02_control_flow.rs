//! Loops and branches need no special form: the tape records the operations that ran, whatever led to them.
//! Here a square root is found by a loop that stops when it is done, and its derivative is still exact.

mod lesson;

use wengert::prelude::*;

/// The square root by Heron's method: replace a guess by the mean of itself and `x` over itself.
fn square_root<T: Number>(x: T) -> T {
    if x.value() == 0.0 {
        return x;
    }
    let mut guess = x;
    // A comparison asks for the value alone; no derivative passes through it.
    while (guess * guess - x).value().abs() > 1e-12 * x.value() {
        guess = (guess + x / guess) / 2.0;
    }
    // One more step: the derivative settles one step after the value.
    (guess + x / guess) / 2.0
}

fn main() {
    lesson::begin(include_str!("02_control_flow.rs"));
    for x in [0.25, 2.0, 100.0] {
        let tape = Tape::new();
        let input = tape.var(x);
        let root = square_root(input);
        let slope = root.gradient()[input];
        println!("sqrt({x}) = {:.9}, slope {slope:.9}", root.value());
        assert!((slope - 0.5 / x.sqrt()).abs() < 1e-12);
    }
    assert_eq!(square_root(9.0), 3.0); // the same function on plain numbers
}
