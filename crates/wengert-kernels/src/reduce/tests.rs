//! Reductions against exact sums in wider arithmetic, for every level, length and number of threads.

use super::extreme::{extreme_of, position_of};
use super::sum::{sum_axis_of, sum_of};
use super::*;
use crate::dispatch::Level;
use crate::numbers::numbers;

/// The sum without error to speak of (Neumaier 1974).
fn exact(x: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for x in x {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + lost
}

const LENGTHS: [usize; 12] = [0, 1, 2, LANES - 1, LANES, LANES + 1, 63, 65, BLOCK - 1, BLOCK, 3 * BLOCK + 7, 70_001];

#[test]
fn sums_are_exact_to_the_last_rounding_at_every_length_and_level() {
    fn check<F: Float>() {
        for n in LENGTHS {
            let all = numbers::<F>(n + 1, 0);
            let x = &all[1..]; // not aligned
            let absolute: f64 = exact(x.iter().map(|x| x.to_f64().abs()));
            for level in Level::available() {
                for (name, got, want) in [
                    ("sum", sum_of(level, Term::Plain, x, x, Par::SEQUENTIAL), exact(x.iter().map(|x| x.to_f64()))),
                    ("abs", sum_of(level, Term::Absolute, x, x, Par::SEQUENTIAL), absolute),
                    (
                        "squares",
                        sum_of(level, Term::Square, x, x, Par::SEQUENTIAL),
                        exact(x.iter().map(|x| x.to_f64().powi(2))),
                    ),
                    (
                        "dot",
                        sum_of(level, Term::Product, x, &all[..n], Par::SEQUENTIAL),
                        exact(x.iter().zip(&all).map(|(a, b)| a.to_f64() * b.to_f64())),
                    ),
                ] {
                    assert!(
                        (got - want).abs() <= 1e-15 * absolute,
                        "{level:?} {} {name} of {n}: {got}, expected {want}",
                        F::NAME
                    );
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn ten_million_f32_terms_keep_seven_digits_along_any_axis() {
    const N: usize = 10_000_000;
    let most = 3 * N;
    let tenth = vec![0.1_f32; most];
    let mut late_ones = vec![1.0_f32; most];
    late_ones[0] = 16_777_216.0; // 2^24, from which a running sum cannot count
    // Of both signs and sizes over twelve decades, so that large terms cancel and small ones remain.
    let sizes = numbers::<f32>(most, 1).into_iter().zip(numbers::<f32>(most, 2));
    let cancelling: Vec<f32> = sizes.map(|(x, size)| x * 10_f32.powf(6.0 * size)).collect();
    for (name, x) in [("0.1", &tenth), ("2^24 and ones", &late_ones), ("cancelling", &cancelling)] {
        // In one row; columns of a matrix, neighbours and far apart; and along the middle.
        for dims in [[1, N, 1], [3, N, 1], [1, N, 3], [1, N / 1000, 1000], [2, N / 10, 10]] {
            let [outer, n, inner] = dims;
            let x = &x[..outer * n * inner];
            let mut y = vec![0.0; outer * inner];
            sum_axis(x, dims, &mut y, Par::SEQUENTIAL);
            if dims == [1, N, 1] {
                assert_eq!(sum(x, Par::SEQUENTIAL), y[0], "{name}");
            }
            for (i, &y) in y.iter().enumerate() {
                let (o, j) = (i / inner, i % inner);
                let terms = || (0..n).map(|r| f64::from(x[(o * n + r) * inner + j]));
                let (want, size) = (exact(terms()), exact(terms().map(f64::abs)));
                assert!((f64::from(y) - want).abs() <= 1e-7 * size, "{name} {dims:?} [{i}]: {y}, expected {want}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    fn check<F: Float>() {
        let x = numbers::<F>(1_200_000, 0);
        let every = |par: Par| {
            let mut all =
                vec![sum(&x, par), sum_abs(&x, par), dot(&x, &x, par), norm2(&x, par), max(&x, par), min(&x, par)];
            for dims in [[1, 1_200_000, 1], [1, 120_000, 10], [3, 4000, 100], [1200, 1000, 1], [2, 600, 1000]] {
                let mut y = vec![F::ZERO; dims[0] * dims[2]];
                sum_axis(&x, dims, &mut y, par);
                all.extend_from_slice(&y);
                max_axis(&x, dims, &mut y, par);
                all.extend_from_slice(&y);
            }
            all
        };
        let one = every(Par::SEQUENTIAL);
        for threads in [2, 3, 8] {
            assert!(one == every(Par::new(threads)), "{} with {threads} threads", F::NAME);
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn levels_agree_on_the_bits_of_sums() {
    let x = numbers::<f64>(70_001, 0);
    let portable = sum_of(Level::Portable, Term::Plain, &x, &x, Par::SEQUENTIAL);
    for level in Level::available() {
        assert_eq!(sum_of(level, Term::Plain, &x, &x, Par::SEQUENTIAL), portable, "{level:?}");
    }
}

#[test]
fn sums_along_an_axis_equal_their_definition() {
    for dims in
        [[0, 3, 4], [2, 0, 3], [2, 3, 0], [1, 1, 1], [3, 5, 1], [2, 3, 4], [2, 7, 63], [1, 2500, 3], [2, 1030, 130]]
    {
        let [outer, n, inner] = dims;
        let x = numbers::<f64>(outer * n * inner, 0);
        for level in Level::available() {
            let mut y = vec![f64::NAN; outer * inner];
            sum_axis_of(level, Term::Plain, &x, dims, &mut y, Par::SEQUENTIAL);
            for (i, &y) in y.iter().enumerate() {
                let column = (0..n).map(|r| x[(i / inner * n + r) * inner + i % inner]);
                let want = exact(column);
                assert!((y - want).abs() < 1e-13, "{level:?} {dims:?} [{i}]: {y}, expected {want}");
            }
        }
    }
}

#[test]
fn extremes_and_their_places_equal_their_definition() {
    let nan = f32::NAN;
    for n in LENGTHS.into_iter().filter(|&n| n > 0) {
        for nans in [&[][..], &[0], &[n / 2, n - 1]] {
            let mut x = numbers::<f32>(n, 0);
            x[n / 3] = 2.0;
            x[n - 1] = 2.0;
            x[n / 4] = -2.0;
            for &i in nans {
                x[i] = nan;
            }
            let first_nan = nans.first().copied();
            // Strictly greater, so the first of ties stays.
            let place =
                |beats: fn(f32, f32) -> bool| (0..n).fold(0, |best, i| if beats(x[i], x[best]) { i } else { best });
            let (largest, smallest) =
                (first_nan.unwrap_or(place(|a, b| a > b)), first_nan.unwrap_or(place(|a, b| a < b)));
            for level in Level::available() {
                assert_eq!(position_of(level, Extreme::Largest, &x), Some(largest), "{level:?} {n} {nans:?}");
                assert_eq!(position_of(level, Extreme::Smallest, &x), Some(smallest), "{level:?} {n} {nans:?}");
                let same = |a: Option<f32>, b: f32| a == Some(b) || b.is_nan() && a.is_some_and(f32::is_nan);
                assert!(same(extreme_of(level, Extreme::Largest, &x, Par::SEQUENTIAL), x[largest]));
                assert!(same(extreme_of(level, Extreme::Smallest, &x, Par::SEQUENTIAL), x[smallest]));
            }
        }
    }
    assert_eq!(argmax::<f32>(&[]), None);
    assert_eq!(max::<f32>(&[], Par::SEQUENTIAL), f32::NEG_INFINITY);
    assert_eq!(argmax(&[f64::NEG_INFINITY; 3]), Some(0));
    assert_eq!(argmin(&[f64::INFINITY; 3]), Some(0));
}

#[test]
fn extremes_along_an_axis_keep_the_first_of_ties_and_the_first_nan() {
    let x = [1.0, 5.0, f32::NAN, 3.0, 5.0, 2.0, 3.0, f32::NAN, f32::NAN]; // [3, 3]
    let (mut at, mut y) = ([9_i64; 3], [0.0; 3]);
    argmax_axis(&x, [1, 3, 3], &mut at, Par::SEQUENTIAL);
    assert_eq!(at, [1, 2, 0]);
    argmin_axis(&x, [3, 3, 1], &mut at, Par::SEQUENTIAL);
    assert_eq!(at, [2, 2, 1]);
    max_axis(&x, [1, 3, 3], &mut y, Par::SEQUENTIAL);
    assert!(y[0] == 3.0 && y[1].is_nan() && y[2].is_nan());
    min_axis(&x, [3, 3, 1], &mut y, Par::SEQUENTIAL);
    assert!(y[0].is_nan() && y[1] == 2.0 && y[2].is_nan());
}

#[test]
fn the_norm_neither_overflows_nor_underflows() {
    let s = core::f64::consts::SQRT_2;
    for scale in [1e-320, 1e-200, 1.0, 1e200, 1.2e308] {
        let got = norm2(&[scale, -scale], Par::SEQUENTIAL);
        assert!((got - s * scale).abs() <= 4e-16 * got + 1e-323, "{scale:e}: {got:e}");
    }
    assert_eq!(norm2(&[1e30_f32, 1e30], Par::SEQUENTIAL), 1.414_213_5e30);
    assert_eq!(norm2(&[1e-30_f32, 0.0], Par::SEQUENTIAL), 1e-30);
    assert_eq!(norm2::<f64>(&[], Par::SEQUENTIAL), 0.0);
    assert_eq!(norm2(&[0.0_f64; 4], Par::SEQUENTIAL), 0.0);
    assert!(norm2(&[f64::NAN, 1.0], Par::SEQUENTIAL).is_nan());
    assert_eq!(norm2(&[f64::NEG_INFINITY, 1.0], Par::SEQUENTIAL), f64::INFINITY);
}

#[test]
fn integers_and_truth_values_are_counted_in_i64() {
    assert_eq!(sum_integers(&[u32::MAX; 3]), 3 * i64::from(u32::MAX));
    assert_eq!(sum_integers(&[true, false, true]), 2);
    let mut y = [0; 2];
    sum_integers_axis(&[1_u8, 2, 3, 4, 5, 255], [1, 3, 2], &mut y);
    assert_eq!(y, [9, 261]);
}
