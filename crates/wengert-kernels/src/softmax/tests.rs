//! Rows against the formulas in `f64` from the standard library, for every level and row length.

use super::rows::BLOCK;
use super::*;
use crate::Level;

/// Logits in `-8..8`, from the fractional parts of multiples of the golden ratio.
fn logits<F: Float>(len: usize) -> Vec<F> {
    (0..len).map(|i| F::from_f64(((i as f64 + 1.0) * 0.618_033_988_749_894_9).fract() * 16.0 - 8.0)).collect()
}

struct Row {
    lse: f64,
    softmax: Vec<f64>,
}

fn row<F: Float>(x: &[F]) -> Row {
    let max = x.iter().map(|x| x.to_f64()).fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = x.iter().map(|x| (x.to_f64() - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    Row { lse: max + sum.ln(), softmax: e.iter().map(|e| e / sum).collect() }
}

const LENGTHS: [usize; 11] = [1, 2, 10, 31, 32, 33, 63, 64, 65, 1000, 2 * BLOCK + 77];

fn check<F: Float>() {
    let rows = 3;
    for n in LENGTHS {
        let x = &logits::<F>(rows * n + 1)[1..];
        let y_bar = logits::<F>(rows * n);
        let labels: Vec<usize> = (0..rows).map(|r| (r * 7) % n).collect();
        let eps = F::EPSILON.to_f64();
        for level in Level::available() {
            let (mut y, mut log_y, mut lse) = (vec![F::NAN; rows * n], vec![F::NAN; rows * n], vec![F::NAN; rows]);
            let (mut loss, mut stats) = (vec![F::NAN; rows], vec![F::NAN; 2 * rows]);
            let [mut of_y, mut of_log, mut of_lse, mut of_loss] = [(); 4].map(|()| vec![F::NAN; rows * n]);
            F::softmax_rows(level, x, n, &mut y);
            F::log_softmax_rows(level, x, n, &mut log_y);
            F::log_sum_exp_rows(level, x, n, &mut lse);
            F::cross_entropy_rows(level, x, n, &labels, &mut loss, &mut stats);
            F::softmax_vjp_rows(level, &y, &y_bar, n, &mut of_y);
            F::log_softmax_vjp_rows(level, &log_y, &y_bar, n, &mut of_log);
            F::log_sum_exp_vjp_rows(level, x, n, &y_bar[..rows], &mut of_lse);
            F::cross_entropy_vjp_rows(level, x, n, &labels, &stats, Operand::Slice(&y_bar[..rows]), &mut of_loss);
            for r in 0..rows {
                let part = r * n..(r + 1) * n;
                let Row { lse: want_lse, softmax } = row(&x[part.clone()]);
                let near = |got: F, want: f64, scale: f64, what: &str| {
                    let error = (got.to_f64() - want).abs();
                    assert!(
                        error <= 8.0 * eps * scale,
                        "{level:?} {} n = {n}, {what}: {got}, expected {want}",
                        F::NAME
                    );
                };
                near(lse[r], want_lse, 16.0, "log_sum_exp");
                near(loss[r], want_lse - x[r * n + labels[r]].to_f64(), 16.0, "loss");
                let bars: Vec<f64> = y_bar[part.clone()].iter().map(|b| b.to_f64()).collect();
                let inner: f64 = softmax.iter().zip(&bars).map(|(s, b)| s * b).sum();
                let total: f64 = bars.iter().sum();
                let row_bar = y_bar[r].to_f64();
                // The expected values themselves are plain sums of n terms.
                let terms = 1.0 + (n as f64).sqrt() / 8.0;
                for (j, &s) in softmax.iter().enumerate() {
                    let i = r * n + j;
                    let hit = f64::from(u8::from(j == labels[r]));
                    near(y[i], s, s * terms, "softmax");
                    near(log_y[i], x[i].to_f64() - want_lse, 16.0, "log_softmax");
                    near(of_y[i], s * (bars[j] - inner), 16.0 * s * terms, "softmax_vjp");
                    near(of_log[i], bars[j] - s * total, 16.0 + 8.0 * s * (n as f64).sqrt() * terms, "log_softmax_vjp");
                    near(of_lse[i], s * row_bar, 8.0 * s * terms, "log_sum_exp_vjp");
                    near(of_loss[i], (s - hit) * row_bar, 8.0, "cross_entropy_vjp");
                }
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
fn infinite_logits_have_their_limits() {
    let inf = f64::INFINITY;
    let lse = |x: &[f64]| {
        let (mut y, mut x_bar) = ([0.0], vec![f64::NAN; x.len()]);
        log_sum_exp(x, x.len(), &mut y, Par::SEQUENTIAL);
        log_sum_exp_vjp(x, x.len(), &[1.0], &mut x_bar, Par::SEQUENTIAL);
        (y[0], x_bar)
    };
    assert_eq!(lse(&[-inf, -inf]), (-inf, vec![0.0, 0.0]));
    assert_eq!(lse(&[-inf, 0.0]), (0.0, vec![0.0, 1.0]));
    assert_eq!(lse(&[inf, 0.0, -inf]), (inf, vec![1.0, 0.0, 0.0]));
    let (y, x_bar) = lse(&[f64::NAN, inf]);
    assert!(y.is_nan() && x_bar.iter().all(|x| x.is_nan()));
    let mut y = [0.0; 2];
    log_sum_exp::<f64>(&[], 0, &mut y, Par::SEQUENTIAL);
    assert_eq!(y, [-inf; 2]);
    softmax(&[-inf, -inf], 2, &mut y, Par::SEQUENTIAL);
    assert!(y.iter().all(|y| y.is_nan()));
}

#[test]
fn large_logits_keep_the_digits_of_the_gradient() {
    let mut x_bar = [0.0_f32; 3];
    log_sum_exp_vjp(&[1e4, 1e4, -1e4], 3, &[1.0], &mut x_bar, Par::SEQUENTIAL);
    assert_eq!(x_bar, [0.5, 0.5, 0.0]);
    let (mut loss, mut stats) = ([0.0_f32], [0.0; 2]);
    let x = [1e7, 1e7, -1e7];
    cross_entropy(&x, 3, &[0_u8], &mut loss, &mut stats, Par::SEQUENTIAL);
    assert_eq!(loss, [core::f32::consts::LN_2]);
    cross_entropy_vjp(&x, 3, &[0_u8], &stats, Operand::Splat(2.0), &mut x_bar, Par::SEQUENTIAL);
    assert_eq!(x_bar, [-1.0, 1.0, 0.0]);
}

#[test]
fn a_row_that_does_not_count_receives_nothing() {
    let x = [f32::NAN, f32::INFINITY, 1.0, 2.0];
    let (mut loss, mut stats, mut x_bar) = ([0.0; 2], [0.0; 4], [7.0; 4]);
    cross_entropy(&x, 2, &[0_i64, 1], &mut loss, &mut stats, Par::SEQUENTIAL);
    cross_entropy_vjp(&x, 2, &[0_i64, 1], &stats, Operand::Slice(&[0.0, 1.0]), &mut x_bar, Par::SEQUENTIAL);
    assert_eq!(x_bar[..2], [0.0, 0.0]);
    assert!((x_bar[2] - 0.268_941_43).abs() < 1e-7 && (x_bar[3] + 0.268_941_43).abs() < 1e-7);
}

#[test]
fn threads_change_no_bit() {
    let (rows, n) = (300, 777);
    let x = logits::<f32>(rows * n);
    let labels: Vec<u8> = (0..rows).map(|r| r as u8).collect();
    let run = |threads| {
        let par = Par::new(threads);
        let (mut loss, mut stats, mut x_bar, mut y) =
            (vec![0.0; rows], vec![0.0; 2 * rows], vec![0.0; rows * n], vec![0.0; rows * n]);
        cross_entropy(&x, n, &labels, &mut loss, &mut stats, par);
        cross_entropy_vjp(&x, n, &labels, &stats, Operand::Splat(0.25), &mut x_bar, par);
        softmax(&x, n, &mut y, par);
        (loss, stats, x_bar, y)
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(one == run(threads), "{threads} threads");
    }
}

#[test]
#[should_panic(expected = "must be [rows, 3]")]
fn an_array_that_is_not_rows_is_refused() {
    softmax(&[0.0_f32; 4], 3, &mut [0.0; 4], Par::SEQUENTIAL);
}

#[test]
fn masked_rows_are_the_softmax_of_what_is_allowed() {
    fn check<F: Float>() {
        for n in LENGTHS {
            let x = logits::<F>(3 * n);
            // The second row has nothing allowed, the third everything.
            let allowed: Vec<bool> = (0..3 * n).map(|i| i >= 2 * n || i < n && i % 3 != 1).collect();
            for level in Level::available() {
                let (mut y, mut stats) = (x.clone(), vec![F::NAN; 6]);
                F::masked_softmax_rows(level, &mut y, n, &allowed, &mut stats);
                let mut again = x.clone();
                F::masked_softmax_again_rows(level, &mut again, n, &allowed, &stats);
                for (r, y) in y.chunks(n).enumerate() {
                    let seen: Vec<F> = (r * n..(r + 1) * n).filter(|&i| allowed[i]).map(|i| x[i]).collect();
                    let mut want = row(&seen).softmax.into_iter();
                    for (j, y) in y.iter().enumerate() {
                        let want = if allowed[r * n + j] { want.next().unwrap() } else { 0.0 };
                        let bound = 8.0 * F::EPSILON.to_f64() * want * (1.0 + (n as f64).sqrt() / 8.0);
                        let second = again[r * n + j];
                        let errors = [*y, second].map(|y| (y.to_f64() - want).abs());
                        assert!(
                            errors.iter().all(|&error| error <= bound),
                            "{level:?} {n}, {r}, {j}: {y}, {second}, {want}"
                        );
                    }
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn what_a_mask_hides_does_not_matter_and_what_it_shows_does() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let of = |x: [f64; 2], allowed: &[bool]| {
        let (mut y, mut stats) = (x, [0.0; 2]);
        masked_softmax(&mut y, 2, allowed, &mut stats, Par::SEQUENTIAL);
        y
    };
    assert_eq!(of([nan, 3.0], &[false, true]), [0.0, 1.0]);
    assert_eq!(of([inf, 3.0], &[false, true]), [0.0, 1.0]);
    assert_eq!(of([nan, nan], &[false, false]), [0.0, 0.0]);
    assert_eq!(of([-inf, -inf], &[]), [0.0, 0.0]);
    assert!(of([nan, -inf], &[])[0].is_nan() && of([nan, 3.0], &[])[1].is_nan());
}
