//! Reduction loops over slices seen as `[outer, n, inner]`.

use wengert_kernels::Float;

use crate::element::Numeric;

/// Folds the `n` entries of each lane, starting from what `start` makes of the first. Without entries `y` stays as it is.
pub(crate) fn fold_axis<T: Copy, A: Copy>(
    x: &[T],
    [_, n, inner]: [usize; 3],
    y: &mut [A],
    start: impl Fn(T) -> A,
    f: impl Fn(A, T) -> A,
) {
    if n == 0 || inner == 0 {
        return;
    }
    for (block, y) in x.chunks_exact(n * inner).zip(y.chunks_exact_mut(inner)) {
        let (first, rest) = block.split_at(inner);
        // Row by row, so that memory is read in order whatever the axis.
        for (y, &x) in y.iter_mut().zip(first) {
            *y = start(x);
        }
        for row in rest.chunks_exact(inner) {
            for (y, &x) in y.iter_mut().zip(row) {
                *y = f(*y, x);
            }
        }
    }
}

pub(crate) fn sum_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F]) {
    let mut sums = vec![0.0; y.len()];
    fold_axis(x, dims, &mut sums, |x| x.to_f64(), |sum, x| sum + x.to_f64());
    for (y, sum) in y.iter_mut().zip(sums) {
        *y = F::from_f64(sum);
    }
}

/// Euclidean lengths.
pub(crate) fn norm2_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F]) {
    let mut sums = vec![(0.0, 0.0); y.len()];
    let add = |(scale, sum): (f64, f64), x: F| {
        let x = x.to_f64().abs();
        if x == 0.0 {
            (scale, sum)
        } else if x > scale {
            (x, 1.0 + sum * (scale / x) * (scale / x))
        } else {
            (scale, sum + (x / scale) * (x / scale))
        }
    };
    fold_axis(x, dims, &mut sums, |x| add((0.0, 0.0), x), add);
    for (y, (scale, sum)) in y.iter_mut().zip(sums) {
        *y = F::from_f64(scale * sum.sqrt());
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
        |x| (x, 0, 1),
        |(best, at, i), x| {
            if replaces(largest, best, x) { (x, i, i + 1) } else { (best, at, i + 1) }
        },
    );
    for (y, best) in y.iter_mut().zip(best) {
        *y = best.1;
    }
}

/// Whether `x` takes the place of the best element so far: a NaN does, and is not replaced again.
fn replaces<T: Numeric>(largest: bool, best: T, x: T) -> bool {
    !best.is_nan_value() && (x.is_nan_value() || if largest { x > best } else { x < best })
}
