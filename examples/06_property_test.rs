//! A wrong derivative does not crash: it learns slowly, or learns something else, and nobody knows why.
//! So ask finite differences, at many random points; they need no tolerance from you, and they name the culprit.

mod lesson;

use wengert::check::{CheckError, check};
use wengert::prelude::*;

/// The energy of three charges on a line, and of the springs between them.
fn energy<T: Number>(x: &[T]) -> T {
    let pairs = [(0, 1), (1, 2), (0, 2)];
    pairs.iter().map(|&(i, j)| (x[i] - x[j]).abs().recip() + (x[i] - x[j]).square() * 0.5).sum()
}

/// The same with a mistake: one distance is taken as a plain number, so its derivative is lost.
fn mistaken<T: Number>(x: &[T]) -> T {
    energy(x) + T::from((x[0] - x[1]).value())
}

fn main() {
    lesson::begin(include_str!("06_property_test.rs"));
    let mut rng = rng(7);
    let mut compared = 0;
    for _ in 0..100 {
        let x = Tensor::<f64>::uniform([3], -2.0, 2.0, &mut rng).to_vec();
        match check(function!(energy)).at(&x).orders(2).run() {
            Ok(report) => compared += report.compared,
            // Two charges that all but touch: the differences themselves say they cannot tell.
            Err(CheckError::Unsettled { .. }) => {}
            Err(error) => panic!("at {x:?}: {error}"),
        }
    }
    println!("{compared} derivatives compared with differences, all right");
    assert!(compared > 800);

    let error = check(function!(mistaken)).at(&[0.0, 1.0, 3.0]).run().expect_err("a derivative is lost");
    println!("{error}");
    assert!(matches!(error, CheckError::WrongDerivative { wrong: 2, checked: 3, .. }));
}
