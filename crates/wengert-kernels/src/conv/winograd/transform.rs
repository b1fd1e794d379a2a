//! The matrices of the minimal algorithms `F(m, 3)`, applied to vectors.
//!
//! `m` results of a filter with 3 entries, `y[i] = sum over j of w[j] d[i + j]`, take `t = m + 2` products:
//! `y = AT ((G w) * (BT d))`, `*` entry by entry. The rows of `BT`, `G` and `AT` evaluate polynomials at `t - 1` points and at
//! infinity and interpolate there (Winograd 1980, "Arithmetic Complexity of Computations", section V). In two dimensions each
//! matrix is applied along both axes (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", equation 8).
//!
//! A matrix is a type, and its sizes say of which algorithm: [`Image`] is `BT`, [`Filter`] `G`, [`Output`] `AT`;
//! [`OutputAdjoint`] and [`FilterAdjoint`] are the transposes of the last two.

#![expect(unsafe_code, reason = "vector intrinsics")]

use super::weave::Weave;

/// A matrix of `B` rows and `A` columns.
pub(super) trait Matrix<const A: usize, const B: usize> {
    /// The matrix times a column, whose entries are vectors.
    ///
    /// # Safety
    /// As for [`Vector`](crate::matmul::vector::Vector).
    unsafe fn times<V: Weave<Element = f32>>(x: [V; A]) -> [V; B];
}

/// `BT`: from `t` pixels to the `t` factors of the products.
pub(super) struct Image;
/// `G`: from a filter to the other factors.
pub(super) struct Filter;
/// `AT`: from the products to `m` results.
pub(super) struct Output;
/// `A`.
pub(super) struct OutputAdjoint;
/// `GT`.
pub(super) struct FilterAdjoint;

/// A matrix along both axes: `matrix x matrixT`.
///
/// # Safety
/// As for [`Vector`](crate::matmul::vector::Vector).
#[inline(always)]
pub(super) unsafe fn both_axes<X: Matrix<A, B>, V: Weave<Element = f32>, const A: usize, const B: usize>(
    x: [[V; A]; A],
) -> [[V; B]; B] {
    // SAFETY: passed on. No closures: they would be compiled without the instructions of the caller.
    unsafe {
        let zero = V::splat(0.0);
        let mut half = [[zero; A]; B];
        for j in 0..A {
            let mut column = [zero; A];
            for i in 0..A {
                column[i] = x[i][j];
            }
            let column = X::times(column);
            for i in 0..B {
                half[i][j] = column[i];
            }
        }
        let mut y = [[zero; B]; B];
        for i in 0..B {
            y[i] = X::times(half[i]);
        }
        y
    }
}

// F(2, 3): the points 0, 1, -1 and infinity. Sums and halves only, so that every entry is off by a rounding or two.

impl Matrix<4, 4> for Image {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([a, b, c, d]: [V; 4]) -> [V; 4] {
        // SAFETY: passed on.
        unsafe { [a.sub(c), b.add(c), c.sub(b), b.sub(d)] }
    }
}

impl Matrix<3, 4> for Filter {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([a, b, c]: [V; 3]) -> [V; 4] {
        // SAFETY: passed on.
        unsafe {
            let (outer, half) = (a.add(c), V::splat(0.5));
            [a, outer.add(b).mul(half), outer.sub(b).mul(half), c]
        }
    }
}

impl Matrix<4, 2> for Output {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([a, b, c, d]: [V; 4]) -> [V; 2] {
        // SAFETY: passed on.
        unsafe { [a.add(b).add(c), b.sub(c).sub(d)] }
    }
}

impl Matrix<2, 4> for OutputAdjoint {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([a, b]: [V; 2]) -> [V; 4] {
        // SAFETY: passed on.
        unsafe { [a, a.add(b), a.sub(b), V::splat(0.0).sub(b)] }
    }
}

impl Matrix<4, 3> for FilterAdjoint {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([a, b, c, d]: [V; 4]) -> [V; 3] {
        // SAFETY: passed on.
        unsafe {
            let half = V::splat(0.5);
            let (sum, difference) = (b.add(c).mul(half), b.sub(c).mul(half));
            [a.add(sum), difference, sum.add(d)]
        }
    }
}
