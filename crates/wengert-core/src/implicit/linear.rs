//! Linear systems, `A x = b`, as one entry.

use super::lu::Lu;
use crate::custom::CustomVectorFn;
use crate::error::{Error, OrPanic};
use crate::number::{Number, Primal};
use core::panic::Location;
use std::sync::Arc;
use wengert_kernels::{Elementary, Float};

/// The solution of `A x = b`, differentiated with respect to `A` and `b`.
///
/// Shapes: `a`: `n n` numbers, row by row; `b`: `n` numbers; the result: `n` numbers. One entry on a tape. Adjoints:
/// `b_bar = A^-T x_bar`, `A_bar = -b_bar x^T`. Costs `2 n^3 / 3` operations, and `2 n^2` more in each sweep: the
/// factors are kept.
///
/// # Panics
/// With the text of the error that [`try_solve`] returns.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let (a, b) = (tape.vars(&[2.0, 1.0, 1.0, 3.0]), tape.vars(&[3.0, 4.0]));
/// let x = solve(&a, &b); // (1, 1)
/// let g = x[0].gradient();
/// // The first row of the inverse, [3, -1] / 5, and minus that times x.
/// let near = |left: Vec<f64>, right: &[f64]| left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-15);
/// assert!(near(g.wrt(&b), &[0.6, -0.2]));
/// assert!(near(g.wrt(&a), &[-0.6, -0.6, 0.2, 0.2]));
/// ```
#[doc(alias = "linsolve")]
#[track_caller]
pub fn solve<T: Number<B>, B: Float + Elementary>(a: &[T], b: &[T]) -> Vec<T> {
    try_solve(a, b).or_panic()
}

/// [`solve`], returning what is wrong.
///
/// # Errors
/// [`Error::NotSquare`] if there are not as many entries of `a` as the square of the length of `b`; [`Error::Singular`]
/// if `A` has no inverse, up to rounding.
#[track_caller]
pub fn try_solve<T: Number<B>, B: Float + Elementary>(a: &[T], b: &[T]) -> Result<Vec<T>, Error> {
    let (n, caller) = (b.len(), Location::caller());
    if a.len() != n * n {
        return Err(Error::NotSquare { op: "solve", entries: a.len(), size: n, caller });
    }
    let lu = Lu::factor(a.iter().map(|a| a.value()).collect(), n).map_err(|s| Error::Singular {
        op: "solve",
        size: n,
        pivot: s.pivot,
        value: s.value,
        caller,
    })?;
    Ok(LinearSolve { lu: Arc::new(lu), transposed: false }.on(a, b))
}

/// The solution for a matrix whose floats are factorised.
#[derive(Clone)]
pub(super) struct LinearSolve<B> {
    pub(super) lu: Arc<Lu<B>>,
    /// Whether the system is that of the transposed matrix.
    pub(super) transposed: bool,
}

impl<B: Float + Elementary> LinearSolve<B> {
    /// The solution for the matrix `a`, given untransposed.
    #[track_caller]
    pub(super) fn on<T: Number<B>>(&self, a: &[T], b: &[T]) -> Vec<T> {
        self.call(&[a, b].concat())
    }
}

impl<B: Float + Elementary> CustomVectorFn<B> for LinearSolve<B> {
    const AT_ONE_POINT: [&'static str; 2] = ["solve", "write its elimination in operators, or solve on a tape"];

    fn value(&self, x: &[B]) -> Vec<B> {
        let n = self.lu.len();
        let mut y = x[n * n..].to_vec();
        self.lu.solve(self.transposed, &mut y);
        y
    }

    fn vjp<T: Number<B> + Primal<Base = B>>(&self, x: &[T], y: &[T], y_bar: &[T], x_bar: &mut [T]) {
        let n = self.lu.len();
        let b_bar = LinearSolve { lu: Arc::clone(&self.lu), transposed: !self.transposed }.on(&x[..n * n], y_bar);
        let (rows, columns) = if self.transposed { (y, &b_bar[..]) } else { (&b_bar[..], y) };
        for (a_bar, row) in x_bar.chunks_exact_mut(n).zip(rows) {
            for (a_bar, column) in a_bar.iter_mut().zip(columns) {
                *a_bar = -row.zero_product(*column);
            }
        }
        x_bar[n * n..].copy_from_slice(&b_bar);
    }

    fn jvp<T: Number<B> + Primal<Base = B>>(&self, x: &[T], y: &[T], x_dot: &[T], y_dot: &mut [T]) {
        // A y_dot = b_dot - A_dot y
        let n = self.lu.len();
        let (a_dot, b_dot) = x_dot.split_at(n * n);
        let mut rest = b_dot.to_vec();
        for i in 0..n {
            for j in 0..n {
                let (row, column) = if self.transposed { (j, i) } else { (i, j) };
                rest[row] -= a_dot[i * n + j].zero_product(y[column]);
            }
        }
        y_dot.copy_from_slice(&self.on(&x[..n * n], &rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// The first unknown of a 2 x 2 system, by Cramer's rule.
    fn cramer<T: Number>(x: &[T]) -> T {
        (x[4] * x[3] - x[1] * x[5]) / (x[0] * x[3] - x[1] * x[2])
    }
    fn solved<T: Number>(x: &[T]) -> T {
        solve(&x[..4], &x[4..])[0]
    }

    const POINT: [f64; 6] = [0.3, 1.7, -2.1, 0.4, 1.1, -0.6];

    #[test]
    fn first_and_second_derivatives_are_those_of_cramers_rule() {
        let (value, gradient) = value_and_grad(|x| solved(x), &POINT);
        let (expected, expected_gradient) = value_and_grad(|x| cramer(x), &POINT);
        assert!((value - expected).abs() < 1e-15);
        for (g, e) in gradient.iter().zip(&expected_gradient) {
            assert!((g - e).abs() < 1e-14, "{gradient:?} for {expected_gradient:?}");
        }
        let (h, e) = (hessian(&function!(solved), &POINT).to_vec(), hessian(&function!(cramer), &POINT).to_vec());
        for (h, e) in h.iter().zip(&e) {
            assert!((h - e).abs() < 1e-13, "{h} for {e}");
        }
    }

    #[test]
    fn third_derivatives_are_those_of_cramers_rule() {
        type Third = Dual<Dual<Dual<f64, 1>, 1>, 1>;
        let along = [1.0, -0.5, 0.7, 0.2, -1.3, 0.9];
        let x: Vec<Third> = POINT
            .iter()
            .zip(along)
            .map(|(&x, v)| {
                let first = Dual { value: x, tangents: [v] };
                let second = Dual { value: first, tangents: [Dual::constant(v)] };
                Dual { value: second, tangents: [Dual::constant(Dual::constant(v))] }
            })
            .collect();
        let third = |y: Third| y.tangents[0].tangents[0].tangents[0];
        let (y, e) = (third(solved(&x)), third(cramer(&x)));
        assert!((y - e).abs() < 1e-12 * e.abs().max(1.0), "{y} for {e}");
    }

    #[test]
    fn a_system_of_any_size_is_one_entry() {
        let n = 12;
        let tape = Tape::new();
        let entries: Vec<f64> =
            (0..n * n).map(|k| if k % (n + 1) == 0 { 4.0 } else { ((k * 7 % 11) as f64 - 5.0) / 10.0 }).collect();
        let (a, b) = (tape.vars(&entries), tape.vars(&vec![1.0; n]));
        let before = tape.size().nodes;
        let x = solve(&a, &b);
        assert_eq!(tape.size().nodes - before, n);
        for i in 0..n {
            let row: f64 = (0..n).map(|j| entries[i * n + j] * x[j].value()).sum();
            assert!((row - 1.0).abs() < 1e-14);
        }
        // sum x = 1^T A^-1 1: b_bar solves A^T b_bar = 1.
        let b_bar = x.iter().sum::<Var<'_>>().gradient().wrt(&b);
        for j in 0..n {
            let column: f64 = (0..n).map(|i| entries[i * n + j] * b_bar[i]).sum();
            assert!((column - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn single_precision_and_no_unknowns_work() {
        let tape = Tape32::new();
        let (a, b) = (tape.vars(&[4.0]), tape.vars(&[2.0]));
        assert_eq!(solve(&a, &b)[0].gradient()[a[0]], -0.125);
        assert_eq!(solve::<f64, f64>(&[], &[]), []);
    }

    #[test]
    fn singular_and_misshapen_systems_are_named() {
        let error = try_solve(&[1.0, 2.0, 2.0, 4.0], &[1.0, 1.0]).expect_err("twice the same row");
        let text = error.to_string();
        assert!(
            text.ends_with(
                ": solve: the 2 x 2 matrix is singular: pivot 1 is 0e0 of its row and column; is an equation repeated, or an unknown in none of them?"
            ) && text.contains("linear.rs"),
            "{text}"
        );
        for bad in [f64::NAN, f64::INFINITY] {
            let text = try_solve(&[1.0, bad, 2.0, 4.0], &[1.0, 1.0]).expect_err("not a number").to_string();
            assert!(text.ends_with("; look for NaN and infinity among its entries"), "{text}");
        }
        let error = try_solve(&[1.0, 2.0, 3.0], &[1.0, 1.0]).expect_err("three entries");
        let text = error.to_string();
        assert!(
            text.ends_with(": solve: 3 entries of a matrix for 2 unknowns; give 2 x 2 entries, row by row"),
            "{text}"
        );
    }
}
