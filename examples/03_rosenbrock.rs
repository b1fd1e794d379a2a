//! Going downhill finds the lowest point of a valley: minus the gradient is the way down.
//! Rosenbrock's valley is bent and nearly flat along its bottom, so this takes patience; the next lesson brings a map.

mod lesson;

use wengert::prelude::*;

/// Zero at (1, 1), and nowhere else.
fn rosenbrock<T: Number>(x: &[T]) -> T {
    (x[0] - 1.0).square() + (x[1] - x[0] * x[0]).square() * 100.0
}

fn main() {
    lesson::begin(include_str!("03_rosenbrock.rs"));
    let mut x = vec![-1.2, 1.0];
    let mut steps = 0;
    loop {
        let (value, gradient) = value_and_grad(|x| rosenbrock(x), &x);
        let steepness: f64 = gradient.iter().map(|g| g * g).sum();
        if steepness < 1e-16 {
            break;
        }
        // Halve the step until it goes down by a fair part of what the slope promises.
        let mut length = 1.0;
        let next = loop {
            let next: Vec<f64> = x.iter().zip(&gradient).map(|(x, g)| x - length * g).collect();
            if rosenbrock(&next) <= value - 0.5 * length * steepness {
                break next;
            }
            length /= 2.0;
        };
        x = next;
        steps += 1;
    }
    println!("minimum at ({:.6}, {:.6}) after {steps} steps", x[0], x[1]);
    assert!((x[0] - 1.0).abs() < 1e-7 && (x[1] - 1.0).abs() < 1e-7);
}
