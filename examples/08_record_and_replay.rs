//! Record a program once and replay it anywhere: other points, other derivatives, thousands of items of data at a time.
//! A branch that would go another way at the new point is an error, not a wrong number.

mod lesson;

use wengert::FunctionError;
use wengert::prelude::*;

fn main() -> Result<(), FunctionError> {
    lesson::begin(include_str!("08_record_and_replay.rs"));
    // The height of a damped swing, with the time as data that can be exchanged.
    let swing = Function::record_with_data(&[1.0, 0.3], &[0.0], |x, data| {
        let (frequency, damping, time) = (x[0], x[1], data[0]);
        (frequency * time).cos() * (-(damping * time)).exp()
    })?;
    println!("{swing}");

    // One replay for each derivative, at a point that was never recorded.
    let (x, at_two) = ([1.5, 0.2], swing.with_data(&[2.0])?);
    println!("value {}, gradient {:?}", at_two.value(&x)?, at_two.gradient(&x)?);
    assert_eq!(at_two.value(&x)?, 3.0_f64.cos() * (-0.4_f64).exp());
    let h = at_two.hessian(&x)?;
    assert!((h.at([0, 1]) - 4.0 * 3.0_f64.sin() * (-0.4_f64).exp()).abs() < 1e-14);

    // The sum over 10,000 times, in vector lanes and on all cores.
    let times: Vec<[f64; 1]> = (0..10_000).map(|k| [f64::from(k) * 1e-3]).collect();
    let (total, gradient) = swing.total_and_gradient(&x, &times)?;
    println!("sum over {} times: {total}, gradient {gradient:?}", times.len());
    // A sum of steps of 1/1000 is nearly an integral: Re 1 / (damping - i frequency) = damping / (damping^2 + frequency^2).
    let integral = 0.2 / (0.2 * 0.2 + 1.5 * 1.5);
    assert!((total / 1000.0 - integral).abs() < 0.1);

    // A branch is frozen as it was recorded, and guarded.
    let root = Function::record(&[4.0], |x| if x[0] > 0.0 { x[0].sqrt() } else { x[0] * 0.0 })?;
    assert_eq!(root.value(&[9.0])?, 3.0);
    let error = root.value(&[-9.0]).expect_err("the other branch was never recorded");
    println!("{error}");
    assert!(matches!(error, FunctionError::Guard { .. }));
    Ok(())
}
