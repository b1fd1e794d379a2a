//! Loops over slices.

use wengert_kernels::{Binary, Elementary, Float, Unary};

use crate::element::Numeric;

/// An operand of an element-by-element loop: one value per element, or one for all.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub enum Operand<'a, T> {
    /// One value per element.
    Slice(&'a [T]),
    /// One value for all elements.
    Splat(T),
}

pub(crate) fn zip<A: Copy, B: Copy, Y>(a: Operand<'_, A>, b: Operand<'_, B>, y: &mut [Y], f: impl Fn(A, B) -> Y) {
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        }
        (Operand::Slice(a), Operand::Splat(b)) => {
            for (y, &a) in y.iter_mut().zip(a) {
                *y = f(a, b);
            }
        }
        (Operand::Splat(a), Operand::Slice(b)) => {
            for (y, &b) in y.iter_mut().zip(b) {
                *y = f(a, b);
            }
        }
        (Operand::Splat(a), Operand::Splat(b)) => {
            for y in y {
                *y = f(a, b);
            }
        }
    }
}

pub(crate) fn binary<F: Float + Elementary>(op: Binary, a: Operand<'_, F>, b: Operand<'_, F>, y: &mut [F]) {
    match op {
        Binary::Add => zip(a, b, y, |a, b| a + b),
        Binary::Sub => zip(a, b, y, |a, b| a - b),
        Binary::Mul => zip(a, b, y, |a, b| a * b),
        Binary::Div => zip(a, b, y, |a, b| a / b),
        _ => zip(a, b, y, |a, b| op.eval(a, b)),
    }
}

pub(crate) fn unary<F: Float + Elementary>(op: Unary, x: &[F], y: &mut [F]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = op.eval(x);
    }
}

pub(crate) fn fold_axis<T: Copy, A: Copy>(
    x: &[T],
    [outer, n, inner]: [usize; 3],
    y: &mut [A],
    start: impl Fn(T) -> A,
    f: impl Fn(A, T) -> A,
) {
    for o in 0..outer {
        let block = &x[o * n * inner..(o + 1) * n * inner];
        let y = &mut y[o * inner..(o + 1) * inner];
        for (i, y) in y.iter_mut().enumerate() {
            let mut values = block.iter().skip(i).step_by(inner.max(1)).copied();
            if let Some(first) = values.clone().next() {
                *y = values.by_ref().fold(start(first), &f);
            }
        }
    }
}

pub(crate) fn sum_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F]) {
    y.fill(F::ZERO);
    let mut sums = vec![0.0; y.len()];
    fold_axis(x, dims, &mut sums, |_| 0.0, |sum, x| sum + x.to_f64());
    for (y, sum) in y.iter_mut().zip(sums) {
        *y = F::from_f64(sum);
    }
}

pub(crate) fn extreme_axis<T: Numeric>(largest: bool, x: &[T], dims: [usize; 3], y: &mut [T]) {
    fold_axis(x, dims, y, |x| x, |best, x| if replaces(largest, best, x) { x } else { best });
}

pub(crate) fn arg_extreme_axis<T: Numeric>(largest: bool, x: &[T], dims: [usize; 3], y: &mut [i64]) {
    let mut best: Vec<(T, i64, i64)> = vec![(T::default(), 0, 0); y.len()];
    fold_axis(
        x,
        dims,
        &mut best,
        |x| (x, 0, 0),
        |(best, at, i), x| {
            if replaces(largest, best, x) { (x, i, i + 1) } else { (best, at, i + 1) }
        },
    );
    for (y, best) in y.iter_mut().zip(best) {
        *y = best.1;
    }
}

fn replaces<T: Numeric>(largest: bool, best: T, x: T) -> bool {
    !best.is_nan_value() && (x.is_nan_value() || if largest { x > best } else { x < best })
}
