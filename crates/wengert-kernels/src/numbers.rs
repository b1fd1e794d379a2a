//! Numbers for the tests of kernels.

use crate::Float;

/// `n` numbers in `-1..1` from a linear congruence (Numerical Recipes), the same on every machine.
pub(crate) fn numbers<F: Float>(n: usize, seed: u32) -> Vec<F> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            F::from_f64(f64::from(state >> 8) / f64::from(1_u32 << 23) - 1.0)
        })
        .collect()
}
