//! The matrices of the minimal algorithms `F(m, 3)`, applied to vectors.
//!
//! `m` results of a filter with 3 entries, `y[i] = sum over j of w[j] d[i + j]`, take `t = m + 2` products:
//! `y = AT ((G w) * (BT d))`, `*` entry by entry. The rows of `BT`, `G` and `AT` evaluate polynomials at `t - 1` points
//! and at infinity and interpolate there (Winograd 1980, "Arithmetic Complexity of Computations", section V). In two
//! dimensions each matrix is applied along both axes (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
//! Networks", equation 8).
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

// F(4, 3): the points 0, a, -a, b, -b and infinity with a = 3/4 and b = 3/2. With the usual 1 and 2 the errors of a
// layer of 64 channels are twice as large in the root mean square and four times at most, since larger powers enter the
// matrices; speed is the same.

const A1: f32 = 0.75;
const B1: f32 = 1.5;
const A2: f32 = A1 * A1;
const B2: f32 = B1 * B1;
/// The derivatives of `x (x^2 - a^2) (x^2 - b^2)`, whose roots the points are, at 0, a and b.
const AT_0: f32 = A2 * B2;
const AT_A: f32 = 2.0 * A2 * (A2 - B2);
const AT_B: f32 = 2.0 * B2 * (B2 - A2);

/// `x + c y`.
#[inline(always)]
unsafe fn plus<V: Weave<Element = f32>>(x: V, c: f32, y: V) -> V {
    // SAFETY: passed on.
    unsafe { V::splat(c).mul_add(y, x) }
}

impl Matrix<6, 6> for Image {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([d0, d1, d2, d3, d4, d5]: [V; 6]) -> [V; 6] {
        // SAFETY: passed on.
        unsafe {
            let (even_a, odd_a) = (plus(d4, -B2, d2), plus(d3, -B2, d1));
            let (even_b, odd_b) = (plus(d4, -A2, d2), plus(d3, -A2, d1));
            [
                plus(plus(d4, -A2 - B2, d2), AT_0, d0),
                plus(even_a, A1, odd_a),
                plus(even_a, -A1, odd_a),
                plus(even_b, B1, odd_b),
                plus(even_b, -B1, odd_b),
                plus(plus(d5, -A2 - B2, d3), AT_0, d1),
            ]
        }
    }
}

impl Matrix<3, 6> for Filter {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([w0, w1, w2]: [V; 3]) -> [V; 6] {
        // SAFETY: passed on.
        unsafe {
            let (even_a, even_b) = (plus(w0, A2, w2), plus(w0, B2, w2));
            let (per_a, per_b) = (V::splat(1.0 / AT_A), V::splat(1.0 / AT_B));
            [
                w0.mul(V::splat(1.0 / AT_0)),
                plus(even_a, A1, w1).mul(per_a),
                plus(even_a, -A1, w1).mul(per_a),
                plus(even_b, B1, w1).mul(per_b),
                plus(even_b, -B1, w1).mul(per_b),
                w2,
            ]
        }
    }
}

impl Matrix<6, 4> for Output {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([m0, m1, m2, m3, m4, m5]: [V; 6]) -> [V; 4] {
        // SAFETY: passed on.
        unsafe {
            let (even_a, odd_a) = (m1.add(m2), m1.sub(m2));
            let (even_b, odd_b) = (m3.add(m4), m3.sub(m4));
            [
                m0.add(even_a).add(even_b),
                plus(odd_a.mul(V::splat(A1)), B1, odd_b),
                plus(even_a.mul(V::splat(A2)), B2, even_b),
                plus(plus(m5, A1 * A2, odd_a), B1 * B2, odd_b),
            ]
        }
    }
}

impl Matrix<4, 6> for OutputAdjoint {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([y0, y1, y2, y3]: [V; 4]) -> [V; 6] {
        // SAFETY: passed on.
        unsafe {
            let (even_a, even_b) = (plus(y0, A2, y2), plus(y0, B2, y2));
            let (odd_a, odd_b) = (plus(y1, A2, y3), plus(y1, B2, y3));
            [
                y0,
                plus(even_a, A1, odd_a),
                plus(even_a, -A1, odd_a),
                plus(even_b, B1, odd_b),
                plus(even_b, -B1, odd_b),
                y3,
            ]
        }
    }
}

impl Matrix<6, 3> for FilterAdjoint {
    #[inline(always)]
    unsafe fn times<V: Weave<Element = f32>>([u0, u1, u2, u3, u4, u5]: [V; 6]) -> [V; 3] {
        // SAFETY: passed on.
        unsafe {
            let (per_a, per_b) = (V::splat(1.0 / AT_A), V::splat(1.0 / AT_B));
            let (even_a, odd_a) = (u1.add(u2).mul(per_a), u1.sub(u2).mul(per_a));
            let (even_b, odd_b) = (u3.add(u4).mul(per_b), u3.sub(u4).mul(per_b));
            [
                plus(even_a.add(even_b), 1.0 / AT_0, u0),
                plus(odd_a.mul(V::splat(A1)), B1, odd_b),
                plus(plus(u5, A2, even_a), B2, even_b),
            ]
        }
    }
}
