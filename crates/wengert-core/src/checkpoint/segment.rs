//! One piece of a program, recorded when the sweep arrives.

use crate::number::Primal;
use crate::tape::{Handle, OnTape, Scalar, Tape, Var};

/// Evaluates `f` at `x` without recording it; the reverse sweep records it then, on a tape of its own, and forgets it
/// again.
///
/// The tape holds one node per result instead of every operation of `f`, for the price of evaluating `f` once more. May
/// be nested. `f` must compute the same each time, and sees of the tape only what it is given: variables cannot be
/// captured.
///
/// Works on every tape, those over duals too; on numbers that are recorded nowhere it just evaluates `f`.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let x = tape.var(0.5);
/// let y = checkpoint(&[x], |x| vec![(0..1000).fold(x[0], |y, _| (y * y).cos())]);
/// assert_eq!(tape.size().nodes, 2);
/// let expected = (0..1000).fold(x, |y, _| (y * y).cos());
/// assert_eq!((y[0].value(), y[0].gradient()[x]), (expected.value(), expected.gradient()[x]));
/// ```
#[track_caller]
pub fn checkpoint<'t, F, C>(x: &[Var<'t, F>], f: C) -> Vec<Var<'t, F>>
where
    F: Primal,
    C: for<'s> Fn(&[Var<'s, F>]) -> Vec<Var<'s, F>> + Send + 'static,
{
    let values: Vec<F> = x.iter().map(|x| x.primal()).collect();
    let constants: Vec<Var<'_, F>> = values.iter().map(|&x| Scalar::nowhere(x)).collect();
    let y = f(&constants).into_iter().map(Scalar::primal).collect();
    let pullback = move |y_bar: &[F], x_bar: &mut [F]| {
        let tape = Tape::new();
        let x = tape.vars(&values);
        let gradients = tape.vjp(f(&x).into_iter().zip(y_bar.iter().copied()));
        for (x_bar, &x) in x_bar.iter_mut().zip(&x) {
            *x_bar = gradients.get(x).unwrap_or(F::ZERO);
        }
    };
    OnTape::many(x, y, Box::new(pullback))
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_segment_gives_the_gradient_of_its_recording() {
        fn swirl<T: Number>(x: &[T]) -> Vec<T> {
            let (mut a, mut b) = (x[0], x[1]);
            for k in 0..100 {
                (a, b) = ((b * 0.9 + a).sin(), (a * b - 0.1 * f64::from(k)).cos());
            }
            vec![a, b]
        }
        fn outer<T: Number>(y: &[T], x: &[T]) -> T {
            y[0] * y[1] + y[0] * x[0]
        }
        let tape = Tape::new();
        let x = tape.vars(&[0.3, -0.8]);
        let whole = outer(&swirl(&x), &x);
        let nodes = tape.size().nodes;
        let parts = outer(&checkpoint(&x, |x| swirl(x)), &x);
        assert!(tape.size().nodes - nodes <= 6, "{} nodes", tape.size().nodes - nodes);
        assert_eq!(parts.value(), whole.value());
        for (part, whole) in parts.gradient().wrt(&x).iter().zip(whole.gradient().wrt(&x)) {
            assert!((part - whole).abs() <= 1e-13 * whole.abs(), "{part} for {whole}");
        }
    }

    #[test]
    fn segments_nest_and_each_level_is_evaluated_once_more() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let tape = Tape::new();
        let x = tape.var(1.1);
        let y = checkpoint(&[x], move |x| {
            let counted = Arc::clone(&counted);
            let inner = checkpoint(x, move |x| {
                counted.fetch_add(1, Ordering::Relaxed);
                vec![x[0].sin()]
            });
            vec![inner[0] * inner[0]]
        });
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert!((y[0].gradient()[x] - 2.2_f64.sin()).abs() < 1e-15);
        assert_eq!(runs.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_segment_on_a_tape_over_duals_gives_second_derivatives() {
        let tape = crate::Tape::new();
        let x = tape.var(Dual::variable(0.7));
        let y = checkpoint(&[x], |x| vec![x[0].sin() * x[0]]);
        let second = y[0].gradient()[x].tangents[0];
        assert!((second - (2.0 * 0.7_f64.cos() - 0.7 * 0.7_f64.sin())).abs() < 1e-15);
    }
}
