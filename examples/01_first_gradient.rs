//! A tape writes down what a program computes; read backwards, it gives the derivative by every input at once.
//! Write the formula as you always would, then ask for its gradient.

mod lesson;

use wengert::prelude::*;

fn main() {
    lesson::begin(include_str!("01_first_gradient.rs"));
    let tape = Tape::new();
    let (x, y) = (tape.var(3.0), tape.var(0.5));

    let z = x * x * y + y.sin();
    let g = z.gradient();

    println!("z = {:.6}, dz/dx = {:.6}, dz/dy = {:.6}", z.value(), g[x], g[y]);

    // By hand: dz/dx = 2 x y, dz/dy = x^2 + cos y.
    assert_eq!(g[x], 2.0 * 3.0 * 0.5);
    assert!((g[y] - (9.0 + 0.5_f64.cos())).abs() < 1e-15);
}
