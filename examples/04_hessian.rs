//! The gradient says which way is down; the Hessian says how the ground bends, and so where the bottom is.
//! Newton's method jumps there: the valley that took lesson 3 two thousand steps takes about twenty.

mod lesson;

use wengert::prelude::*;

/// Zero at (1, 1), and nowhere else.
fn rosenbrock<T: Number>(x: &[T]) -> T {
    (x[0] - 1.0).square() + (x[1] - x[0] * x[0]).square() * 100.0
}

fn main() {
    lesson::begin(include_str!("04_hessian.rs"));
    let f = function!(rosenbrock);
    let mut x = vec![-1.2, 1.0];
    let mut steps = 0;
    loop {
        let (value, gradient) = value_and_grad(|x| rosenbrock(x), &x);
        if gradient.iter().all(|g| g.abs() < 1e-12) {
            break;
        }
        // H d = g: the jump to the bottom of the parabola that fits the ground here.
        let jump = solve(&hessian(&f, &x).to_vec(), &gradient);
        // Far from the bottom the parabola may promise too much: go part of the way.
        let mut length = 1.0;
        let next = loop {
            let next: Vec<f64> = x.iter().zip(&jump).map(|(x, d)| x - length * d).collect();
            if rosenbrock(&next) < value || length < 1e-6 {
                break next;
            }
            length /= 2.0;
        };
        x = next;
        steps += 1;
    }
    println!("minimum at ({:.12}, {:.12}) after {steps} steps", x[0], x[1]);
    assert!((x[0] - 1.0).abs() < 1e-12 && (x[1] - 1.0).abs() < 1e-12 && steps < 30);

    // At the bottom: [[802, -400], [-400, 200]], by hand.
    let bend = hessian(&f, &[1.0, 1.0]);
    assert_eq!(bend.to_vec(), [802.0, -400.0, -400.0, 200.0]);
}
