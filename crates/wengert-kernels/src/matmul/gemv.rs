//! Products with a vector: no reuse, so the matrix streams through once, in the order it lies in memory.

use crate::Float;
use crate::dispatch::kernel;

/// Rows of the matrix taken together, so that the vector is read and written once for all of them.
const ROWS: usize = 8;
/// Partial sums of a dot product.
const LANES: usize = 32;

kernel! {
    /// `y += sum_p x[p] row_p` for `k` rows, `stride` apart.
    pub(crate) fn combine_rows<F: Float>(x: &'a [F], x_stride: usize, k: usize, rows: &'a [F], stride: usize, y: &'a mut [F]) -> () {
        let n = y.len();
        let mut p = 0;
        while p + ROWS <= k {
            let row: [&[F]; ROWS] = core::array::from_fn(|i| &rows[(p + i) * stride..][..n]);
            let c: [F; ROWS] = core::array::from_fn(|i| x[(p + i) * x_stride]);
            for (j, y) in y.iter_mut().enumerate() {
                let mut sum = *y;
                for i in 0..ROWS {
                    sum = c[i].lane_mul_add::<FMA>(row[i][j], sum);
                }
                *y = sum;
            }
            p += ROWS;
        }
        for p in p..k {
            let c = x[p * x_stride];
            for (y, &b) in y.iter_mut().zip(&rows[p * stride..][..n]) {
                *y = c.lane_mul_add::<FMA>(b, *y);
            }
        }
    }

    /// `y[i] += alpha <row_i, x>` for the rows of `rows`, `stride` apart.
    pub(crate) fn dot_rows<F: Float>(rows: &'a [F], stride: usize, x: &'a [F], alpha: F, y: &'a mut [F]) -> () {
        let k = x.len();
        let (x_lanes, x_rest) = x.as_chunks::<LANES>();
        for (i, y) in y.iter_mut().enumerate() {
            let row = &rows[i * stride..][..k];
            let (row_lanes, row_rest) = row.as_chunks::<LANES>();
            let mut sum = [F::ZERO; LANES];
            for (a, b) in row_lanes.iter().zip(x_lanes) {
                for j in 0..LANES {
                    sum[j] = a[j].lane_mul_add::<FMA>(b[j], sum[j]);
                }
            }
            for (j, (&a, &b)) in row_rest.iter().zip(x_rest).enumerate() {
                sum[j] = a.lane_mul_add::<FMA>(b, sum[j]);
            }
            let mut half = LANES / 2;
            while half > 0 {
                for j in 0..half {
                    sum[j] += sum[j + half];
                }
                half /= 2;
            }
            *y += alpha * sum[0];
        }
    }
}
