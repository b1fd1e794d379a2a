//! Rows against the formulas in `f64`, for every level, row length and combination of weight and bias.

use super::*;
use crate::Level;

/// Numbers in `lo..hi`, from the fractional parts of multiples of the golden ratio.
fn spread<F: Float>(len: usize, lo: f64, hi: f64, seed: f64) -> Vec<F> {
    (0..len).map(|i| F::from_f64(((i as f64 + seed) * 0.618_033_988_749_894_9).fract() * (hi - lo) + lo)).collect()
}

fn wide<F: Float>(x: &[F]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

#[track_caller]
fn near<F: Float>(what: &str, got: &[F], want: &[f64], scale: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got.to_f64() - want).abs();
        assert!(error <= scale * F::EPSILON.to_f64(), "{what}, {i}: {got}, expected {want}");
    }
}

/// `y`, `x_bar`, `w_bar`, `b_bar` by the formulas of the module.
fn formulas(standard: Standard, x: &[f64], n: usize, w: &[f64], b: &[f64], y_bar: &[f64]) -> [Vec<f64>; 4] {
    let (mut y, mut x_bar, mut w_bar, mut b_bar) = (Vec::new(), Vec::new(), vec![0.0; n], vec![0.0; n]);
    for (x, y_bar) in x.chunks(n).zip(y_bar.chunks(n)) {
        let mean = if standard.centred { x.iter().sum::<f64>() / n as f64 } else { 0.0 };
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        let reciprocal = 1.0 / (variance + standard.epsilon).sqrt();
        let z: Vec<f64> = x.iter().map(|x| (x - mean) * reciprocal).collect();
        let g: Vec<f64> = (0..n).map(|j| y_bar[j] * w.get(j).unwrap_or(&1.0)).collect();
        let g_mean = if standard.centred { g.iter().sum::<f64>() / n as f64 } else { 0.0 };
        let slope = g.iter().zip(&z).map(|(g, z)| g * z).sum::<f64>() / n as f64;
        for j in 0..n {
            y.push(z[j] * w.get(j).unwrap_or(&1.0) + b.get(j).unwrap_or(&0.0));
            x_bar.push(reciprocal * (g[j] - g_mean - z[j] * slope));
            w_bar[j] += y_bar[j] * z[j];
            b_bar[j] += y_bar[j];
        }
    }
    [y, x_bar, w_bar, b_bar]
}

fn check<F: Float>() {
    let rows = 5;
    for n in [1, 2, 10, 31, 32, 33, 64, 65, 1000, 2100] {
        let x = &spread::<F>(rows * n + 1, -3.0, 5.0, 0.3)[1..];
        let y_bar = spread::<F>(rows * n, -1.0, 1.0, 0.8);
        let (weight, bias) = (spread::<F>(n, 0.5, 2.0, 0.1), spread::<F>(n, -1.0, 1.0, 0.6));
        for (centred, w, b) in [
            (true, &weight[..], &bias[..]),
            (true, &[], &[]),
            (false, &weight, &[]),
            (true, &[], &bias),
            (false, &[], &[]),
        ] {
            let standard = Standard { centred, epsilon: 1e-3 };
            let [y, x_bar, w_bar, b_bar] = formulas(standard, &wide(x), n, &wide(w), &wide(b), &wide(&y_bar));
            for level in Level::available() {
                let what = |name: &str| format!("{name}, {level:?} {} n = {n}, centred {centred}", F::NAME);
                let (mut got, mut stats) = (vec![F::NAN; rows * n], vec![F::NAN; rows * STATISTICS]);
                F::standardize_rows(level, standard, x, n, w, b, &mut got, &mut stats);
                near(&what("y"), &got, &y, 32.0);
                let (mut again, mut again_stats) = (got.clone(), stats.clone());
                F::statistics_rows(level, standard, x, n, &mut again_stats);
                F::standardized_rows(level, x, n, w, b, &again_stats, &mut again);
                assert!(again == got && again_stats == stats, "{}", what("in two steps"));
                let mut sums = vec![0.0; 2 * n];
                F::standardize_vjp_rows(level, standard, x, n, w, &stats, &y_bar, &mut got, &mut sums);
                near(&what("x_bar"), &got, &x_bar, 64.0 / if n == 1 { 1e-3_f64.sqrt() } else { 0.1 });
                let sums: Vec<F> = sums.into_iter().map(F::from_f64).collect();
                near(&what("w_bar"), &sums[..n], &w_bar, 64.0);
                near(&what("b_bar"), &sums[n..], &b_bar, 64.0);
            }
        }
    }
}

#[test]
fn rows_follow_their_formulas_in_f32() {
    check::<f32>();
}

#[test]
fn rows_follow_their_formulas_in_f64() {
    check::<f64>();
}

#[test]
fn rows_far_from_zero_keep_their_digits() {
    // 1e8 + {0, 1, 2}: variance 2/3.
    let (mut y, mut stats) = ([0.0; 3], [0.0; 4]);
    let standard = Standard { centred: true, epsilon: 0.0 };
    standardize(standard, &[1e8, 1e8 + 1.0, 1e8 + 2.0], 3, &[], &[], &mut y, &mut stats, Par::SEQUENTIAL);
    near("y", &y, &[-1.5_f64.sqrt(), 0.0, 1.5_f64.sqrt()], 4.0);
    near("variance", &stats[3..], &[2.0 / 3.0], 1.0);
}

#[test]
fn equal_numbers_become_exactly_zero() {
    for n in [1, 3, 7, 50, 1027] {
        for c in [0.1_f32, -1e7, 3.3e-8] {
            let (mut y, mut stats, mut x_bar) = (vec![7.0; n], [0.0; 4], vec![7.0; n]);
            let (standard, x) = (Standard { centred: true, epsilon: 1e-5 }, vec![c; n]);
            standardize(standard, &x, n, &[], &[], &mut y, &mut stats, Par::SEQUENTIAL);
            assert!(y.iter().all(|&y| y == 0.0), "{n} times {c}: {}", y[0]);
            let ones = vec![1.0; n];
            standardize_vjp(standard, &x, n, &[], &stats, &ones, &mut x_bar, &mut [], &mut [], Par::SEQUENTIAL);
            assert!(x_bar.iter().all(|&x_bar| x_bar == 0.0), "{n} times {c}: {}", x_bar[0]);
        }
    }
}

#[test]
fn a_row_that_does_not_count_gives_and_receives_nothing() {
    let x = [f32::NAN, f32::INFINITY, 1.0, 2.0];
    let (mut y, mut stats) = ([0.0; 4], [0.0; 8]);
    let standard = Standard { centred: true, epsilon: 0.0 };
    standardize(standard, &x, 2, &[], &[], &mut y, &mut stats, Par::SEQUENTIAL);
    assert!(y[0].is_nan() && y[2..] == [-1.0, 1.0]);
    let (mut x_bar, mut w_bar, mut b_bar) = ([7.0; 4], [7.0; 2], [7.0; 2]);
    let y_bar = [0.0, 0.0, 1.0, 0.0];
    standardize_vjp(standard, &x, 2, &[], &stats, &y_bar, &mut x_bar, &mut w_bar, &mut b_bar, Par::SEQUENTIAL);
    assert_eq!((x_bar, w_bar, b_bar), ([0.0; 4], [-1.0, 0.0], [1.0, 0.0]));
}

#[test]
fn threads_change_no_bit() {
    let (rows, n) = (700, 300);
    let (x, y_bar) = (spread::<f32>(rows * n, -1.0, 2.0, 0.2), spread::<f32>(rows * n, -1.0, 1.0, 0.7));
    let weight = spread::<f32>(n, 0.5, 2.0, 0.4);
    let run = |threads| {
        let (par, standard) = (Par::new(threads), Standard { centred: true, epsilon: 1e-5 });
        let (mut y, mut stats) = (vec![0.0; rows * n], vec![0.0; rows * STATISTICS]);
        let (mut x_bar, mut w_bar, mut b_bar) = (vec![0.0; rows * n], vec![0.0; n], vec![0.0; n]);
        standardize(standard, &x, n, &weight, &[], &mut y, &mut stats, par);
        standardize_vjp(standard, &x, n, &weight, &stats, &y_bar, &mut x_bar, &mut w_bar, &mut b_bar, par);
        (y, x_bar, w_bar, b_bar)
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(one == run(threads), "{threads} threads");
    }
}

#[test]
fn no_rows_and_rows_of_nothing_are_no_work() {
    let standard = Standard { centred: true, epsilon: 1e-5 };
    standardize::<f64>(standard, &[], 0, &[], &[], &mut [], &mut [], Par::SEQUENTIAL);
    standardize::<f64>(standard, &[], 3, &[], &[], &mut [], &mut [], Par::SEQUENTIAL);
    let (mut w_bar, mut b_bar) = ([7.0; 3], [7.0; 3]);
    standardize_vjp::<f64>(standard, &[], 3, &[], &[], &[], &mut [], &mut w_bar, &mut b_bar, Par::SEQUENTIAL);
    assert_eq!((w_bar, b_bar), ([0.0; 3], [0.0; 3]));
}

#[test]
#[should_panic(expected = "must be [rows, 3]")]
fn an_array_that_is_not_rows_is_refused() {
    statistics(Standard { centred: true, epsilon: 0.0 }, &[0.0_f32; 4], 3, &mut [0.0; 4], Par::SEQUENTIAL);
}
