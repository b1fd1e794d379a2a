//! Every body against the standard library in a wider type, or against 120-digit values, at every level.

#[path = "known.rs"]
mod known;

use super::rows::{Cos, Exp, ExpM1, Gelu, Ln, Ln1p, NormCdf, NormPdf, Sigmoid, Sin, Softplus, Tanh};
use super::{Lane, LaneFloat, UnaryRow, double, single};
use crate::dispatch::{Level, kernel};
use crate::special::erf;
use crate::{Float, Unary, UnaryFunctions};

kernel! {
    fn evaluate<F: Float, O: UnaryRow>(x: &'a [F], y: &'a mut [F], _row: O) -> () {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = F::of_lane::<FMA>(O::value(x.lane::<FMA>()));
        }
    }
}

/// Distance of an `f32` from an exact value, in units of the last place of the exact value.
fn ulp_f32(got: f32, exact: f64) -> f64 {
    if f64::from(got) == exact
        || got.is_nan() && exact.is_nan()
        || got.is_infinite() && f64::from(got) == f64::from(exact as f32)
    {
        return 0.0;
    }
    let exponent = exact.abs().max(f64::from(f32::MIN_POSITIVE)).log2().floor() as i32;
    (f64::from(got) - exact).abs() / 2f64.powi(exponent - 23)
}

/// Distance of an `f64` from the nearest to the exact value, in ulp.
fn ulp_f64(got: f64, exact: f64) -> f64 {
    if got == exact || got.is_nan() && exact.is_nan() {
        return 0.0;
    }
    let magnitude = exact.abs();
    (got - exact).abs() / (magnitude.next_up() - magnitude)
}

/// Walks the floats of both signs up to `limit` with a stride, and returns the worst distance with its argument.
fn worst<O: UnaryRow>(level: Level, row: impl Fn() -> O, exact: impl Fn(f64) -> f64, limit: f32) -> (f64, f32) {
    const STRIDE: usize = 1999;
    let bits: Vec<u32> = (0..=f32::INFINITY.to_bits()).step_by(STRIDE).collect();
    let x: Vec<f32> =
        bits.iter().flat_map(|&b| [f32::from_bits(b), -f32::from_bits(b)]).filter(|x| x.abs() <= limit).collect();
    let mut y = vec![0.0; x.len()];
    evaluate(level, &x, &mut y, row());
    x.iter()
        .zip(&y)
        .map(|(&x, &y)| (ulp_f32(y, exact(f64::from(x))), x))
        .fold((0.0, 0.0), |w, e| if e.0 > w.0 || e.0.is_nan() { e } else { w })
}

#[test]
fn f32_bodies_are_within_their_ulp_over_the_whole_range() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let inf = f32::INFINITY;
    for level in Level::available() {
        for (name, bound, (ulp, x)) in [
            ("exp", 0.8, worst(level, || Exp, f64::exp, inf)),
            ("exp_m1", 2.0, worst(level, || ExpM1, f64::exp_m1, inf)),
            ("ln", 1.0, worst(level, || Ln, f64::ln, inf)),
            ("ln_1p", 1.5, worst(level, || Ln1p, f64::ln_1p, inf)),
            ("sin", 1.5, worst(level, || Sin, f64::sin, f32::ANGLE_LIMIT)),
            ("cos", 1.5, worst(level, || Cos, f64::cos, f32::ANGLE_LIMIT)),
            ("tanh", 2.0, worst(level, || Tanh, f64::tanh, inf)),
            ("sigmoid", 2.0, worst(level, || Sigmoid, sigmoid, inf)),
            ("softplus", 2.0, worst(level, || Softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), inf)),
            ("norm_pdf", 1.0, worst(level, || NormPdf, erf::norm_pdf, inf)),
            ("norm_cdf", 1.0, worst(level, || NormCdf, erf::norm_cdf, inf)),
            // 2 but for the tail, where the distribution function is subnormal.
            ("gelu", 8.0, worst(level, || Gelu, erf::gelu, inf)),
        ] {
            println!("{level:?} {name}: {ulp:.3} ulp at {x:e}");
            assert!(ulp <= bound, "{level:?} {name}: {ulp} ulp at {x:e}, bound {bound}");
        }
    }
}

fn check_f64<O: UnaryRow>(
    name: &str,
    bound: f64,
    row: impl Fn() -> O,
    table: &[(f64, f64)],
    std: impl Fn(f64) -> f64,
    range: f64,
) {
    let (x, exact): (Vec<f64>, Vec<f64>) = table.iter().copied().unzip();
    for level in Level::available() {
        let mut y = vec![0.0; x.len()];
        evaluate(level, &x, &mut y, row());
        for ((&x, &got), &exact) in x.iter().zip(&y).zip(&exact) {
            let ulp = ulp_f64(got, exact);
            assert!(ulp <= bound, "{level:?} {name}({x:e}): got {got:e}, expected {exact:e}, {ulp} ulp");
        }
        // Densely against the standard library, which is itself within one ulp of the exact value (tanh: two).
        let dense: Vec<f64> =
            (0..200_000).map(|i| ((f64::from(i) * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0) * range).collect();
        let mut y = vec![0.0; dense.len()];
        evaluate(level, &dense, &mut y, row());
        let worst = dense
            .iter()
            .zip(&y)
            .map(|(&x, &y)| (ulp_f64(y, std(x)), x))
            .fold((0.0, 0.0), |w, e| if e.0 > w.0 || e.0.is_nan() { e } else { w });
        println!("{level:?} {name}: {} from the library at {:e}", worst.0, worst.1);
        assert!(worst.0 <= bound + 1.0, "{level:?} {name}({:e}) is {} ulp from the library", worst.1, worst.0);
    }
}

#[test]
fn f64_bodies_are_within_two_ulp_of_known_values() {
    check_f64("exp", 1.0, || Exp, known::EXP, f64::exp, 740.0);
    check_f64("exp_m1", 2.0, || ExpM1, known::EXP_M1, f64::exp_m1, 5.0);
    check_f64("ln", 1.0, || Ln, known::LN, f64::ln, 1e3);
    check_f64("ln_1p", 2.0, || Ln1p, known::LN_1P, f64::ln_1p, 3.0);
    check_f64("sin", 1.0, || Sin, known::SIN, f64::sin, 1e5);
    check_f64("cos", 1.0, || Cos, known::COS, f64::cos, 1e5);
    check_f64("tanh", 2.0, || Tanh, known::TANH, f64::tanh, 3.0);
    check_f64("sigmoid", 2.0, || Sigmoid, known::SIGMOID, |x| 1.0 / (1.0 + (-x).exp()), 40.0);
}

#[test]
fn special_values_are_those_of_the_standard_library() {
    fn same<F: Float, O: UnaryRow>(level: Level, name: &str, row: O, std: fn(F) -> F, limited: bool) {
        let tiny = F::MIN_POSITIVE * F::EPSILON;
        let mut x = vec![F::ZERO, -F::ZERO, F::ONE, -F::ONE, tiny, -tiny, F::MIN_POSITIVE, -F::MIN_POSITIVE];
        if !limited {
            x.extend([F::NAN, F::INFINITY, -F::INFINITY, F::ONE / F::MIN_POSITIVE, -F::ONE / F::MIN_POSITIVE]);
        }
        let mut y = vec![F::ZERO; x.len()];
        evaluate(level, &x, &mut y, row);
        for (&x, &y) in x.iter().zip(&y) {
            let want = std(x);
            let close =
                (y.to_f64() - want.to_f64()).abs() <= 2.0 * (want.to_f64().abs() * F::EPSILON.to_f64() + tiny.to_f64());
            let zero = want != F::ZERO || F::ONE / want == F::ONE / y;
            assert!(
                (y == want || close || y.is_nan() && want.is_nan()) && zero,
                "{level:?} {} {name}({x:?}): {y:?}, expected {want}",
                F::NAME
            );
        }
    }
    macro_rules! all {
        ($($Row:ident $method:ident $limited:literal)*) => {
            for level in Level::available() { $(
                same::<f32, _>(level, stringify!($method), $Row, <f32 as UnaryFunctions>::$method, $limited);
                same::<f64, _>(level, stringify!($method), $Row, <f64 as UnaryFunctions>::$method, $limited);
            )* }
        };
    }
    for level in Level::available() {
        // The rows of plain numbers share their formulas with the lanes here.
        same(level, "tanh", Tanh, f32::tanh, false);
        same(level, "tanh", Tanh, f64::tanh, false);
        same(level, "sigmoid", Sigmoid, |x: f32| 1.0 / (1.0 + (-x).exp()), false);
        same(level, "sigmoid", Sigmoid, |x: f64| 1.0 / (1.0 + (-x).exp()), false);
    }
    all!(Exp exp false ExpM1 exp_m1 false Ln ln false Ln1p ln_1p false
         Softplus softplus false Sin sin true Cos cos true NormPdf norm_pdf false NormCdf norm_cdf false Gelu gelu false);
    assert_eq!(Unary::Exp.eval(Lane::<f32, false>(0.0)).0, 1.0);
}

#[test]
fn exponentials_of_what_is_not_positive_have_the_bits_of_all_others() {
    // Down to where the result is subnormal and zero.
    for k in 0..40_000 {
        let share = f64::from(k) / 40_000.0;
        let (x, narrow) = (-760.0 * share, (-110.0 * share) as f32);
        assert_eq!(double::exp_fall::<true>(x).to_bits(), double::exp::<true>(x).to_bits(), "{x}");
        assert_eq!(double::exp_fall::<false>(x).to_bits(), double::exp::<false>(x).to_bits(), "{x}");
        assert_eq!(single::exp_fall::<true>(narrow).to_bits(), single::exp::<true>(narrow).to_bits(), "{narrow}");
        assert_eq!(single::exp_fall::<false>(narrow).to_bits(), single::exp::<false>(narrow).to_bits(), "{narrow}");
    }
    assert_eq!((double::exp_fall::<true>(-f64::INFINITY), single::exp_fall::<true>(-f32::INFINITY)), (0.0, 0.0));
    assert!(double::exp_fall::<true>(f64::NAN).is_nan() && single::exp_fall::<true>(f32::NAN).is_nan());
}
