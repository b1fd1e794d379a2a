//! Every row of the tables as a loop against its scalar function, at every level, length and alignment.

use super::loops::{binary_at, left_vjp_at, right_vjp_at, unary_at, unary_vjp_at, value_and_slope_at};
use super::*;
use crate::{Elementary, Level};

const LENGTHS: [usize; 11] = [0, 1, 2, 7, 15, 16, 17, 63, 64, 65, 1031];

/// Numbers spread over an interval, by multiples of the golden ratio.
fn spread<F: Float>(n: usize, (lo, hi): (f64, f64), seed: f64) -> Vec<F> {
    (0..n).map(|i| F::from_f64(lo + (hi - lo) * ((i as f64 + seed) * 0.618_033_988_749_894_9).fract())).collect()
}

/// Whether two results are equal up to a few units in the last place of the larger of them and of `scale`.
fn close<F: Float>(got: F, want: F, scale: f64) -> bool {
    let (got, want) = (got.to_f64(), want.to_f64());
    got == want
        || got.is_nan() && want.is_nan()
        || (got - want).abs() <= 8.0 * F::EPSILON.to_f64() * want.abs().max(scale) + F::MIN_POSITIVE.to_f64()
}

fn unary_rows<F: Float + Elementary>() {
    for &op in Unary::ALL {
        for n in LENGTHS {
            let x = &spread::<F>(n + 1, op.domain(), 0.5)[1..]; // not aligned
            let y_bar = spread::<F>(n, (-2.0, 2.0), 0.7);
            let want: Vec<F> = x.iter().map(|&x| op.eval(x)).collect();
            for level in Level::available() {
                let mut y = vec![F::NAN; n];
                unary_at(level, op, x, &mut y);
                for (i, (&got, &want)) in y.iter().zip(&want).enumerate() {
                    assert!(
                        close(got, want, 0.0),
                        "{level:?} {} {} of {}, {i} of {n}: {got}, expected {want}",
                        F::NAME,
                        op.name(),
                        x[i]
                    );
                }
                if op.shares_slope() {
                    // In one pass they have the bits of two.
                    let (mut also, mut slope, mut x_bar) = (vec![F::NAN; n], vec![F::NAN; n], vec![F::NAN; n]);
                    value_and_slope_at(level, op, x, &mut also, &mut slope);
                    unary_vjp_at(level, op, x, &y, &vec![F::ONE; n], &mut x_bar);
                    assert!(also == y && slope == x_bar, "{level:?} {} {} and its slope", F::NAME, op.name());
                }
                let mut x_bar = vec![F::NAN; n];
                unary_vjp_at(level, op, x, &want, &y_bar, &mut x_bar);
                for (i, &got) in x_bar.iter().enumerate() {
                    let partial = op.derivative(x[i], want[i]);
                    assert!(
                        close(got, y_bar[i] * partial, 0.0),
                        "{level:?} {} derivative of {} at {}: {got}",
                        F::NAME,
                        op.name(),
                        x[i]
                    );
                }
            }
            let mut in_place = x.to_vec();
            unary_in_place(op, &mut in_place, Par::SEQUENTIAL);
            let mut y = vec![F::NAN; n];
            unary(op, x, &mut y, Par::SEQUENTIAL);
            assert!(in_place == y, "{} in place", op.name());
            let kept = |keeps, slice| if keeps { slice } else { &[][..] };
            let (x, y) = (kept(op.keeps_argument(), x), kept(op.keeps_result(), &want[..]));
            let (mut bar, mut x_bar) = (y_bar.clone(), vec![F::NAN; n]);
            unary_vjp_in_place(op, x, y, &mut bar, Par::SEQUENTIAL);
            unary_vjp(op, x, y, &y_bar, &mut x_bar, Par::SEQUENTIAL);
            assert!(bar == x_bar, "derivative of {} in place", op.name());
        }
    }
}

#[test]
fn unary_loops_follow_the_table() {
    unary_rows::<f32>();
    unary_rows::<f64>();
}

fn binary_rows<F: Float + Elementary>() {
    for &op in Binary::ALL {
        let [of_a, of_b] = op.domain();
        for n in LENGTHS {
            let (a, b) = (&spread::<F>(n + 1, of_a, 0.5)[1..], &spread::<F>(n, of_b, 0.2)[..]);
            let y_bar = spread::<F>(n, (-2.0, 2.0), 0.7);
            let (one_a, one_b) = (spread::<F>(1, of_a, 0.9)[0], spread::<F>(1, of_b, 0.4)[0]);
            for (left, right) in [
                (Operand::Slice(a), Operand::Slice(b)),
                (Operand::Slice(a), Operand::Splat(one_b)),
                (Operand::Splat(one_a), Operand::Slice(b)),
                (Operand::Splat(one_a), Operand::Splat(one_b)),
            ] {
                let at = |operand: Operand<'_, F>, i: usize| match operand {
                    Operand::Slice(slice) => slice[i],
                    Operand::Splat(value) => value,
                };
                let mut y = vec![F::NAN; n];
                binary(op, left, right, &mut y, Par::SEQUENTIAL);
                let (mut a_bar, mut b_bar, mut alone) = (vec![F::NAN; n], vec![F::NAN; n], vec![F::NAN; n]);
                binary_vjp(op, left, right, &y, &y_bar, Some(&mut a_bar), Some(&mut b_bar), Par::SEQUENTIAL);
                binary_vjp(op, left, right, &y, &y_bar, None, Some(&mut alone), Par::SEQUENTIAL);
                assert!(alone == b_bar, "{}: one cotangent alone differs", op.name());
                for (side, own, other) in [(Side::Left, &a_bar, &b_bar), (Side::Right, &b_bar, &a_bar)] {
                    let (mut bar, mut rest, mut alone) = (y_bar.clone(), vec![F::NAN; n], y_bar.clone());
                    let par = Par::SEQUENTIAL;
                    binary_vjp_in_place(op, left, right, &y, &mut bar, side, Some(&mut rest), par);
                    binary_vjp_in_place(op, left, right, &y, &mut alone, side, None, par);
                    let same = |x: &[F], y: &[F]| x.iter().zip(y).all(|(x, y)| x == y || x.is_nan() && y.is_nan());
                    let all = same(&bar, own) && same(&rest, other) && same(&alone, own);
                    assert!(all, "{} {side:?} in place", op.name());
                }
                for i in 0..n {
                    let (a, b) = (at(left, i), at(right, i));
                    let want = op.eval(a, b);
                    assert!(close(y[i], want, 0.0), "{} {}({a}, {b}): {}, expected {want}", F::NAME, op.name(), y[i]);
                    let (da, db) = op.derivative(a, b, y[i]);
                    assert!(
                        close(a_bar[i], y_bar[i] * da, 0.0),
                        "{} left of {}({a}, {b}): {}",
                        F::NAME,
                        op.name(),
                        a_bar[i]
                    );
                    assert!(
                        close(b_bar[i], y_bar[i] * db, 0.0),
                        "{} right of {}({a}, {b}): {}",
                        F::NAME,
                        op.name(),
                        b_bar[i]
                    );
                }
                if let Operand::Slice(a) = left {
                    let mut in_place = a.to_vec();
                    binary_in_place(op, &mut in_place, right, Par::SEQUENTIAL);
                    assert!(in_place == y, "{} in place", op.name());
                }
            }
        }
    }
}

#[test]
fn binary_loops_follow_the_table() {
    binary_rows::<f32>();
    binary_rows::<f64>();
}

#[test]
fn levels_give_the_same_bits_for_functions_of_two_arguments() {
    // One rounding, or one loop for all levels.
    fn check<F: Float>() {
        for &op in Binary::ALL {
            let [of_a, of_b] = op.domain();
            let (a, b) = (spread::<F>(10_001, of_a, 0.5), spread::<F>(10_001, of_b, 0.2));
            let run = |level| {
                let mut all = vec![vec![F::NAN; a.len()]; 3];
                binary_at(level, op, &a, &b, &mut all[0]);
                let y = all[0].clone();
                left_vjp_at(level, op, &a, &b, &y, &y, &mut all[1]);
                right_vjp_at(level, op, &a, &b, &y, &y, &mut all[2]);
                all.concat()
            };
            let portable = run(Level::Portable);
            for level in Level::available() {
                for (got, &want) in run(level).into_iter().zip(&portable) {
                    assert!(ulps(got, want, 0.0) == 0.0, "{level:?} {} {}: {got}, portable {want}", F::NAME, op.name());
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn angles_beyond_the_reduction_are_as_good_as_the_library() {
    let mut x = spread::<f32>(200, (-3.0, 3.0), 0.5);
    for (i, big) in [(3, 1e7_f32), (70, -3.4e38), (71, f32::INFINITY), (199, f32::NAN)] {
        x[i] = big;
    }
    for (op, std) in [(Unary::Sin, f32::sin as fn(f32) -> f32), (Unary::Cos, f32::cos)] {
        let (mut y, mut x_bar) = (vec![0.0; 200], vec![0.0; 200]);
        for level in Level::available() {
            unary_at(level, op, &x, &mut y);
            assert!(x.iter().zip(&y).all(|(&x, &y)| close(y, std(x), 0.0)), "{level:?} {}", op.name());
            unary_vjp_at(level, op, &x, &y, &[1.0; 200], &mut x_bar);
            assert!(
                x.iter().zip(&x_bar).all(|(&x, &d)| close(d, op.derivative(x, std(x)), 0.0)),
                "{level:?} {}",
                op.name()
            );
        }
    }
}

#[test]
fn zero_times_anything_is_zero_in_a_pullback() {
    for n in [1, 70] {
        // An infinite slope that nothing asks for, and an infinite cotangent that meets a flat function.
        let mut x_bar = vec![f64::NAN; n];
        unary_vjp(Unary::Sqrt, &[], &vec![0.0; n], &vec![0.0; n], &mut x_bar, Par::SEQUENTIAL);
        assert!(x_bar.iter().all(|&x| x == 0.0));
        unary_vjp(Unary::Relu, &[], &vec![0.0; n], &vec![f64::INFINITY; n], &mut x_bar, Par::SEQUENTIAL);
        assert!(x_bar.iter().all(|&x| x == 0.0));
        let zero = Operand::Splat(0.0);
        binary_vjp(
            Binary::Div,
            Operand::Splat(1.0),
            zero,
            &vec![f64::INFINITY; n],
            &vec![0.0; n],
            None,
            Some(&mut x_bar),
            Par::SEQUENTIAL,
        );
        assert!(x_bar.iter().all(|&x| x == 0.0));
    }
}

#[test]
fn threads_change_no_bit() {
    let n = 3 * PIECE + 77;
    let (a, b) = (spread::<f32>(n, (0.5, 2.0), 0.5), spread::<f32>(n, (0.5, 2.0), 0.2));
    let run = |threads| {
        let par = Par::new(threads);
        let mut all = vec![vec![0.0; n]; 6];
        unary(Unary::Tanh, &a, &mut all[0], par);
        unary_vjp(Unary::Sin, &a, &[], &b, &mut all[1], par);
        binary(Binary::Div, Operand::Slice(&a), Operand::Splat(3.0), &mut all[2], par);
        let (left, right) = all.split_at_mut(4);
        binary_vjp(
            Binary::Mul,
            Operand::Slice(&a),
            Operand::Slice(&b),
            &[],
            &b,
            Some(&mut left[3]),
            Some(&mut right[0]),
            par,
        );
        all[5].copy_from_slice(&a);
        unary_in_place(Unary::Exp, &mut all[5], par);
        unary_vjp_in_place(Unary::Ln, &a, &[], &mut all[5], par);
        add_scaled(&mut all[5], 0.5, &b, par);
        add_assign(&mut all[5], &a, par);
        scale(&mut all[5], 0.3, par);
        let (mut bar, mut other) = (b.clone(), vec![0.0; n]);
        let (left, right) = (Operand::Slice(&a[..]), Operand::Splat(3.0));
        binary_vjp_in_place(Binary::Mul, left, right, &[], &mut bar, Side::Left, Some(&mut other), par);
        parametric_vjp_in_place(Parametric::Clamp(0.7, 1.8), &a, &a, &mut bar, par);
        all.extend([bar, other]);
        all
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(one == run(threads), "{threads} threads");
    }
}

#[test]
fn accumulation_is_what_it_says() {
    for n in LENGTHS {
        let (x, mut y) = (spread::<f64>(n, (-1.0, 1.0), 0.5), spread::<f64>(n, (-1.0, 1.0), 0.1));
        let before = y.clone();
        add_assign(&mut y, &x, Par::SEQUENTIAL);
        add_scaled(&mut y, -2.0, &x, Par::SEQUENTIAL);
        scale(&mut y, 4.0, Par::SEQUENTIAL);
        for i in 0..n {
            assert!((y[i] - 4.0 * (before[i] - x[i])).abs() < 1e-14);
        }
        fill(&mut y, 7.0, Par::SEQUENTIAL);
        assert!(y.iter().all(|&y| y == 7.0));
    }
}

#[test]
#[should_panic(expected = "must have one length")]
fn slices_of_unequal_length_are_refused() {
    unary(Unary::Exp, &[0.0_f32; 3], &mut [0.0; 2], Par::SEQUENTIAL);
}

/// Distance in units of the last place of `want`, or of `unit` where that is larger.
fn ulps<F: Float>(got: F, want: F, unit: f64) -> f64 {
    let (got, want) = (got.to_f64(), want.to_f64());
    if got == want || got.is_nan() && want.is_nan() {
        return 0.0;
    }
    let size = want.abs().max(unit).max(F::MIN_POSITIVE.to_f64());
    (got - want).abs() / (F::EPSILON.to_f64() * 2.0_f64.powi(size.log2().floor() as i32))
}

/// A row at every level over the arguments given, value and slope, against the portable level. Says whether a bit
/// differs.
fn compare_levels<F: Float>(op: Unary, x: &[F]) -> bool {
    // A product of `x` and a gate: within 2 ulp the gate, and a product may be half as far from the next float as its
    // factor. Where the gate, or any exponential, is subnormal it has lost its digits. The slope passes through zero, a
    // difference of terms near 1.
    let product = matches!(op, Unary::Silu | Unary::GeluTanh | Unary::Mish);
    let (of_value, of_slope) = if product { (4.0, 8.0) } else { (2.0, 4.0) };
    let ones = vec![F::ONE; x.len()];
    let mut y = vec![F::NAN; x.len()];
    let mut slope = y.clone();
    unary_at(Level::Portable, op, x, &mut y);
    unary_vjp_at(Level::Portable, op, x, &y, &ones, &mut slope);
    let mut differ = false;
    for level in Level::available().skip(1) {
        let (mut got, mut got_slope) = (vec![F::NAN; x.len()], vec![F::NAN; x.len()]);
        unary_at(level, op, x, &mut got);
        unary_vjp_at(level, op, x, &y, &ones, &mut got_slope);
        for (i, &x) in x.iter().enumerate() {
            let least = F::MIN_POSITIVE.to_f64()
                * match op {
                    _ if product => x.to_f64().abs().min(1e4),
                    // Four exponentials, which are subnormal first.
                    Unary::TanhSlope => 4.0,
                    _ => 0.0,
                };
            differ |= ulps(got[i], y[i], 0.0) + ulps(got_slope[i], slope[i], 0.0) > 0.0;
            let apart = ulps(got[i], y[i], least);
            let (name, got, y) = (op.name(), got[i], y[i]);
            assert!(apart <= of_value, "{level:?} {} {name}({x}): {got}, portable {y}, {apart} ulp", F::NAME);
            let apart = ulps(got_slope[i], slope[i], if product { 1.0 } else { 0.0 });
            let (got, slope) = (got_slope[i], slope[i]);
            assert!(
                apart <= of_slope,
                "{level:?} {} slope of {name} at {x}: {got}, portable {slope}, {apart} ulp",
                F::NAME
            );
        }
    }
    differ
}

#[test]
fn levels_agree_within_two_ulp_on_functions_of_one_argument() {
    // Every magnitude and both signs, and more where functions bend.
    const COUNT: u32 = 150_000;
    fn wide<F: Float>(magnitudes: impl Iterator<Item = F>) -> Vec<F> {
        let mut x: Vec<F> = magnitudes.flat_map(|x| [x, -x]).collect();
        x.extend(spread::<F>(COUNT as usize, (-100.0, 100.0), 0.5));
        x.extend(spread::<F>(COUNT as usize, (-2.0, 2.0), 0.2));
        x.extend([F::INFINITY, -F::INFINITY, F::NAN]);
        x
    }
    let single = wide((0..COUNT).map(|k| f32::from_bits(k * (f32::INFINITY.to_bits() / COUNT))));
    let double = wide((0..COUNT).map(|k| f64::from_bits(u64::from(k) * (f64::INFINITY.to_bits() / u64::from(COUNT)))));
    // Rows that share a loop for all levels, or are one instruction, agree to the bit, and need no more points to show
    // it.
    let few = |count: usize| (0..2_000).map(move |k| k * (count / 2_000));
    for &op in Unary::ALL {
        let short: Vec<f32> = few(single.len()).map(|k| single[k]).collect();
        if compare_levels(op, &short) {
            compare_levels(op, &single);
        }
        let short: Vec<f64> = few(double.len()).map(|k| double[k]).collect();
        if compare_levels(op, &short) {
            compare_levels(op, &double);
        }
    }
}
