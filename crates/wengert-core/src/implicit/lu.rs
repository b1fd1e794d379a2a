//! Gaussian elimination of small dense matrices of floats.
//!
//! Of our own, because the tape may not depend on a linear-algebra library; a few hundred unknowns are its range.

use wengert_kernels::{Elementary, Float};

/// The factors of a matrix with its rows exchanged, `P A = L U`: `L` below the diagonal (its own is 1), `U` above.
pub(crate) struct Lu<B> {
    factors: Vec<B>,
    /// Row `k` was exchanged with row `exchanges[k]`.
    exchanges: Vec<usize>,
}

/// Why a matrix has no inverse: the pivot it ends at, counted from 0, and its size relative to row and column.
pub(crate) struct Singular {
    pub(crate) pivot: usize,
    pub(crate) value: f64,
}

impl<B: Float + Elementary> Lu<B> {
    /// Factorises the `n x n` matrix `a`, given row by row, with scaled partial pivoting.
    ///
    /// A pivot that is rounding error is as good as zero: one smaller than `n eps`, relative to the largest entry of
    /// its column once every row has been scaled to 1. Units of equations and unknowns therefore do not matter.
    pub(crate) fn factor(mut a: Vec<B>, n: usize) -> Result<Self, Singular> {
        let largest =
            |entries: &mut dyn Iterator<Item = B>| entries.fold(B::ZERO, |m, x| if x.abs() > m { x.abs() } else { m });
        let mut scale: Vec<B> = (0..n).map(|i| largest(&mut a[i * n..(i + 1) * n].iter().copied())).collect();
        let columns: Vec<B> = (0..n)
            .map(|j| largest(&mut (0..n).filter(|&i| scale[i] > B::ZERO).map(|i| a[i * n + j] / scale[i])))
            .collect();
        let rounding = B::from_f64(n as f64) * B::EPSILON;
        let mut exchanges = Vec::with_capacity(n);
        for k in 0..n {
            let size = |i: usize| {
                let size = a[i * n + k].abs() / (scale[i] * columns[k]);
                if scale[i] == B::ZERO || columns[k] == B::ZERO { B::ZERO } else { size }
            };
            let mut best = k;
            for i in k + 1..n {
                if size(i) > size(best) {
                    best = i;
                }
            }
            // Negated, so that NaN is caught.
            if !(size(best) > rounding && size(best).is_finite()) {
                return Err(Singular { pivot: k, value: size(best).to_f64() });
            }
            exchanges.push(best);
            scale.swap(k, best);
            for j in 0..n {
                a.swap(k * n + j, best * n + j);
            }
            let (above, below) = a.split_at_mut((k + 1) * n);
            let pivot_row = &above[k * n..];
            for row in below.chunks_exact_mut(n) {
                let factor = row[k] / pivot_row[k];
                row[k] = factor;
                for (x, u) in row[k + 1..].iter_mut().zip(&pivot_row[k + 1..]) {
                    *x -= factor * *u;
                }
            }
        }
        Ok(Lu { factors: a, exchanges })
    }

    /// Unknowns.
    pub(crate) fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// Solves `A x = b`, or `A^T x = b`, in place.
    pub(crate) fn solve(&self, transposed: bool, b: &mut [B]) {
        let n = self.len();
        let a = |i: usize, j: usize| self.factors[i * n + j];
        if !transposed {
            for (k, &other) in self.exchanges.iter().enumerate() {
                b.swap(k, other);
            }
            for i in 0..n {
                b[i] = (0..i).fold(b[i], |x, j| x - a(i, j) * b[j]);
            }
            for i in (0..n).rev() {
                b[i] = (i + 1..n).fold(b[i], |x, j| x - a(i, j) * b[j]) / a(i, i);
            }
        } else {
            for i in 0..n {
                b[i] = (0..i).fold(b[i], |x, j| x - a(j, i) * b[j]) / a(i, i);
            }
            for i in (0..n).rev() {
                b[i] = (i + 1..n).fold(b[i], |x, j| x - a(j, i) * b[j]);
            }
            for (k, &other) in self.exchanges.iter().enumerate().rev() {
                b.swap(k, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orientations_solve_a_matrix_that_needs_exchanges() {
        // A = [[0, 2, 1], [1, 0, 0], [3, 0, 1]]; A (1, 2, 3) = (7, 1, 6), A^T (1, 2, 3) = (11, 2, 4).
        let a = vec![0.0, 2.0, 1.0, 1.0, 0.0, 0.0, 3.0, 0.0, 1.0];
        let lu = Lu::factor(a, 3).unwrap_or_else(|s| panic!("pivot {}", s.pivot));
        let (mut x, mut y) = ([7.0, 1.0, 6.0], [11.0, 2.0, 4.0]);
        lu.solve(false, &mut x);
        lu.solve(true, &mut y);
        for k in 0..3 {
            let expected = k as f64 + 1.0;
            assert!((x[k] - expected).abs() < 1e-14 && (y[k] - expected).abs() < 1e-14, "{x:?} {y:?}");
        }
    }

    #[test]
    fn units_do_not_make_a_matrix_singular_but_dependence_does() {
        assert!(Lu::factor(vec![1e-30, 2e-10, 3e-20, 4e5], 2).is_ok());
        assert!(Lu::factor(vec![1.0, 2.0, 3e-20, 4e-20], 2).is_ok());
        // In exact arithmetic the second row is three times the first; in floats it is off by one rounding.
        assert!(matches!(Lu::factor(vec![0.1, 0.7, 0.3, 0.7 * 3.0], 2), Err(Singular { pivot: 1, .. })));
        assert!(matches!(Lu::factor(vec![1.0, 0.0, 2.0, 0.0], 2), Err(Singular { pivot: 1, value: 0.0 })));
        assert!(matches!(Lu::factor(vec![0.0; 4], 2), Err(Singular { pivot: 0, value: 0.0 })));
        assert!(matches!(Lu::factor(vec![1.0, f64::NAN, 2.0, 3.0], 2), Err(Singular { pivot: 1, .. })));
        assert_eq!(Lu::<f64>::factor(vec![], 0).map_err(|s| s.pivot).map(|lu| lu.len()), Ok(0));
    }
}
