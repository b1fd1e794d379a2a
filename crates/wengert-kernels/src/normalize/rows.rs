//! The loops over rows.

use super::{STATISTICS, Standard};
use crate::Float;
use crate::dispatch::kernel;
use crate::softmax::rows::{BLOCK, block_sum, fold};

/// The sums of deviations from `mean` and of their squares, over at most a block, in lanes.
#[inline(always)]
fn block_moments<F: Float, const FMA: bool>(x: &[F], mean: F) -> (f64, f64) {
    let (mut first, mut second) = ([F::ZERO; 32], [F::ZERO; 32]);
    let (chunks, rest) = x.as_chunks::<32>();
    for x in chunks {
        for i in 0..32 {
            let deviation = x[i] - mean;
            first[i] += deviation;
            second[i] = deviation.lane_mul_add::<FMA>(deviation, second[i]);
        }
    }
    for ((first, second), &x) in first.iter_mut().zip(&mut second).zip(rest) {
        let deviation = x - mean;
        *first += deviation;
        *second = deviation.lane_mul_add::<FMA>(deviation, *second);
    }
    (fold(first), fold(second))
}

/// Mean, what it leaves, reciprocal deviation, variance.
#[inline(always)]
fn of_row<F: Float, const FMA: bool>(standard: Standard, x: &[F]) -> [F; STATISTICS] {
    let terms = x.len() as f64;
    let mut mean = F::ZERO;
    if standard.centred {
        let mut sum = 0.0;
        for x in x.chunks(BLOCK) {
            sum += block_sum(x);
        }
        mean = F::from_f64(sum / terms);
    }
    let (mut first, mut second) = (0.0, 0.0);
    for x in x.chunks(BLOCK) {
        let moments = block_moments::<F, FMA>(x, mean);
        first += moments.0;
        second += moments.1;
    }
    let left = if standard.centred { first / terms } else { 0.0 };
    let variance = (second - first * left) / terms;
    // Rounding may leave less than nothing. NaN stays.
    let variance = if variance < 0.0 { 0.0 } else { variance };
    let reciprocal = 1.0 / (variance + standard.epsilon).sqrt();
    [mean, F::from_f64(left), F::from_f64(reciprocal), F::from_f64(variance)]
}

#[inline(always)]
fn standardized<F: Float>(x: F, [mean, left, reciprocal, _]: [F; STATISTICS]) -> F {
    ((x - mean) - left) * reciprocal
}

#[inline(always)]
fn apply_row<F: Float, const FMA: bool>(x: &[F], stats: [F; STATISTICS], weight: &[F], bias: &[F], y: &mut [F]) {
    let xy = y.iter_mut().zip(x);
    match (weight.is_empty(), bias.is_empty()) {
        (true, true) => xy.for_each(|(y, &x)| *y = standardized(x, stats)),
        (false, true) => xy.zip(weight).for_each(|((y, &x), &w)| *y = standardized(x, stats) * w),
        (true, false) => xy.zip(bias).for_each(|((y, &x), &b)| *y = standardized(x, stats) + b),
        (false, false) => {
            xy.zip(weight.iter().zip(bias))
                .for_each(|((y, &x), (&w, &b))| *y = standardized(x, stats).lane_mul_add::<FMA>(w, b));
        }
    }
}

/// `sum g` and `sum g z` over at most a block, in lanes, with `g = y_bar w`, or `y_bar` where nothing is `WEIGHTED`.
#[inline(always)]
fn block_products<F: Float, const FMA: bool, const WEIGHTED: bool>(
    x: &[F],
    stats: [F; STATISTICS],
    weight: &[F],
    y_bar: &[F],
) -> (f64, f64) {
    let (mut sum, mut product) = ([F::ZERO; 32], [F::ZERO; 32]);
    let ((x, x_rest), (w, w_rest), (y_bar, y_bar_rest)) =
        (x.as_chunks::<32>(), weight.as_chunks::<32>(), y_bar.as_chunks::<32>());
    for ((x, w), y_bar) in x.iter().zip(w).zip(y_bar) {
        for i in 0..32 {
            let g = if WEIGHTED { y_bar[i] * w[i] } else { y_bar[i] };
            sum[i] += g;
            product[i] = g.lane_mul_add::<FMA>(standardized(x[i], stats), product[i]);
        }
    }
    for (i, ((&x, &w), &y_bar)) in x_rest.iter().zip(w_rest).zip(y_bar_rest).enumerate() {
        let g = if WEIGHTED { y_bar * w } else { y_bar };
        sum[i] += g;
        product[i] = g.lane_mul_add::<FMA>(standardized(x, stats), product[i]);
    }
    (fold(sum), fold(product))
}

/// Rows whose products with the cotangents are summed in the float itself before they reach the sums in `f64`: sixteen
/// terms lose no more than two bits.
const SUMMED: usize = 16;

/// Where nothing is `WEIGHTED`, `weight` is any slice as long as the row. `sums` of `y_bar z` and of `y_bar` are added
/// to, unless they are empty.
#[inline(always)]
fn pull_back_row<F: Float, const FMA: bool, const WEIGHTED: bool>(
    centred: bool,
    x: &[F],
    stats: [F; STATISTICS],
    weight: &[F],
    y_bar: &[F],
    x_bar: &mut [F],
    [w_sums, b_sums]: [&mut [F]; 2],
) {
    let (mut sum, mut product) = (0.0, 0.0);
    for ((x, w), y_bar) in x.chunks(BLOCK).zip(weight.chunks(BLOCK)).zip(y_bar.chunks(BLOCK)) {
        let block = block_products::<F, FMA, WEIGHTED>(x, stats, w, y_bar);
        sum += block.0;
        product += block.1;
    }
    let terms = x.len() as f64;
    let mean = F::from_f64(if centred { sum / terms } else { 0.0 });
    let slope = F::from_f64(product / terms);
    let reciprocal = stats[2];
    let row = x_bar.iter_mut().zip(x).zip(weight).zip(y_bar);
    if w_sums.is_empty() {
        for (((x_bar, &x), &w), &y_bar) in row {
            let g = if WEIGHTED { y_bar * w } else { y_bar };
            *x_bar = reciprocal * ((g - mean) - standardized(x, stats) * slope);
        }
        return;
    }
    for ((((x_bar, &x), &w), &y_bar), (w_sum, b_sum)) in row.zip(w_sums.iter_mut().zip(b_sums)) {
        let (g, z) = (if WEIGHTED { y_bar * w } else { y_bar }, standardized(x, stats));
        *x_bar = reciprocal * ((g - mean) - z * slope);
        *w_sum = y_bar.lane_mul_add::<FMA>(z, *w_sum);
        *b_sum += y_bar;
    }
}

fn kept<F: Float>(stats: &[F]) -> [F; STATISTICS] {
    core::array::from_fn(|k| stats[k])
}

kernel! {
    pub(crate) fn statistics<F: Float>(standard: Standard, x: &'a [F], n: usize, stats: &'a mut [F]) -> () {
        for (x, stats) in x.chunks_exact(n).zip(stats.chunks_exact_mut(STATISTICS)) {
            stats.copy_from_slice(&of_row::<F, FMA>(standard, x));
        }
    }

    pub(crate) fn apply<F: Float>(
        x: &'a [F], n: usize, weight: &'a [F], bias: &'a [F], stats: &'a [F], y: &'a mut [F],
    ) -> () {
        for ((x, y), stats) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).zip(stats.chunks_exact(STATISTICS)) {
            apply_row::<F, FMA>(x, kept(stats), weight, bias, y);
        }
    }

    pub(crate) fn standardize<F: Float>(
        standard: Standard, x: &'a [F], n: usize, weight: &'a [F], bias: &'a [F], y: &'a mut [F], stats: &'a mut [F],
    ) -> () {
        for ((x, y), stats) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)).zip(stats.chunks_exact_mut(STATISTICS)) {
            let of_row = of_row::<F, FMA>(standard, x);
            stats.copy_from_slice(&of_row);
            apply_row::<F, FMA>(x, of_row, weight, bias, y);
        }
    }

    /// `sums`, which may be empty, receives those of `y_bar z` and of `y_bar` over the rows.
    pub(crate) fn standardize_vjp<F: Float>(
        standard: Standard, x: &'a [F], n: usize, weight: &'a [F], stats: &'a [F], y_bar: &'a [F], x_bar: &'a mut [F],
        sums: &'a mut [f64],
    ) -> () {
        let mut few = vec![F::ZERO; sums.len()];
        let (rows, x_bars) = (SUMMED * n, x_bar.chunks_mut(SUMMED * n));
        let pieces = x.chunks(rows).zip(stats.chunks(SUMMED * STATISTICS)).zip(y_bar.chunks(rows));
        for (((x, stats), y_bar), x_bar) in pieces.zip(x_bars) {
            let rows = x.chunks_exact(n).zip(stats.chunks_exact(STATISTICS)).zip(y_bar.chunks_exact(n));
            for (((x, stats), y_bar), x_bar) in rows.zip(x_bar.chunks_exact_mut(n)) {
                // Nothing flows through a row that does not count, whatever it holds.
                if y_bar.iter().all(|&y_bar| y_bar == F::ZERO) {
                    x_bar.fill(F::ZERO);
                    continue;
                }
                let (stats, (w_sums, b_sums)) = (kept(stats), few.split_at_mut(sums.len() / 2));
                if weight.is_empty() {
                    pull_back_row::<F, FMA, false>(standard.centred, x, stats, y_bar, y_bar, x_bar, [w_sums, b_sums]);
                } else {
                    pull_back_row::<F, FMA, true>(standard.centred, x, stats, weight, y_bar, x_bar, [w_sums, b_sums]);
                }
            }
            for (sum, few) in sums.iter_mut().zip(&mut few) {
                *sum += few.to_f64();
                *few = F::ZERO;
            }
        }
    }
}
