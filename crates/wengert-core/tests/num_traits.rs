//! `num_traits::Float` on variables and duals: values as on `f64`, derivatives as finite differences say.

use num_traits::{Bounded, Float, FloatConst, FromPrimitive, Num, NumAssign, Signed, ToPrimitive, Zero};
use std::num::FpCategory;
use wengert_core::prelude::{Dual, RealTape, Tape};
use wengert_core::{Real, real};

/// A function written over `Float`, on each number it is evaluated on here.
struct Row {
    name: &'static str,
    plain: fn(f64) -> f64,
    real: fn(Real) -> Real,
    dual: fn(Dual<f64, 1>) -> Dual<f64, 1>,
    single: fn(Real<f32>) -> Real<f32>,
    points: &'static [f64],
}

macro_rules! rows {
    ($($name:ident |$x:ident| $y:expr, $points:expr;)*) => {{
        $( fn $name<T: Float + FloatConst>($x: T) -> T { $y } )*
        [$(Row {
            name: stringify!($name),
            plain: $name,
            real: $name,
            dual: $name,
            single: $name,
            points: &$points,
        }),*]
    }};
}

fn c<T: Float>(x: f64) -> T {
    T::from(x).expect("a float")
}

fn table() -> impl IntoIterator<Item = Row> {
    rows! {
        floor |x| x.floor() * x, [1.3, -1.3, 2.5];
        ceil |x| x.ceil() * x, [1.3, -1.3, 2.5];
        round |x| x.round() * x, [1.3, -1.3, 2.7, -0.2];
        trunc |x| x.trunc() * x, [1.3, -1.3, 2.5];
        fract |x| x.fract() * x, [1.3, -1.3, 2.5];
        abs |x| x.abs(), [1.3, -1.3];
        signum |x| x.signum() * x, [1.3, -1.3];
        mul_add |x| x.mul_add(x, x), [1.3, -1.3];
        recip |x| x.recip(), [1.3, -1.3];
        powi |x| x.powi(3) + x.powi(-2), [1.3, -1.3];
        powf_of_a_constant |x| x.powf(c(2.5)) + x.powf(c(-0.5)), [1.3, 4.0];
        negative_base |x| x.powf(c(3.0)), [-1.3];
        powf |x| x.powf(x), [1.3, 0.4];
        sqrt |x| x.sqrt(), [1.3, 4.0];
        exp |x| x.exp(), [1.3, -1.3];
        exp2 |x| x.exp2(), [1.3, -1.3];
        ln |x| x.ln(), [1.3, 0.3];
        log |x| x.log(c(3.0)) + (x + c(1.0)).log(x), [1.3, 0.3];
        log2 |x| x.log2(), [1.3, 0.3];
        log10 |x| x.log10(), [1.3, 0.3];
        to_degrees |x| x.to_degrees(), [1.3];
        to_radians |x| x.to_radians(), [130.0];
        max |x| x.max(c(1.0)) + x.max(x * x), [0.5, 1.5, -2.0];
        min |x| x.min(c(1.0)) + x.min(x * x), [0.5, 1.5, -2.0];
        clamp |x| x.clamp(c(-1.0), c(1.0)) * x, [0.5, 1.5, -2.0];
        abs_sub |x| positive_difference(x), [0.5, 1.5];
        cbrt |x| x.cbrt(), [1.3, -1.3];
        hypot |x| x.hypot(c(2.0)), [1.3, -1.3];
        sin |x| x.sin(), [1.3, -1.3];
        cos |x| x.cos(), [1.3, -1.3];
        tan |x| x.tan(), [1.3, -1.3];
        asin |x| x.asin(), [0.3, -0.3];
        acos |x| x.acos(), [0.3, -0.3];
        atan |x| x.atan(), [1.3, -1.3];
        atan2 |x| x.atan2(c(-2.0)) + c::<T>(1.5).atan2(x), [1.3, -1.3];
        sin_cos |x| x.sin_cos().0 * x + x.sin_cos().1, [1.3, -1.3];
        exp_m1 |x| x.exp_m1(), [1.3, 1e-3];
        ln_1p |x| x.ln_1p(), [1.3, 1e-3];
        sinh |x| x.sinh(), [1.3, -1.3];
        cosh |x| x.cosh(), [1.3, -1.3];
        tanh |x| x.tanh(), [1.3, -1.3];
        asinh |x| x.asinh(), [1.3, -1.3];
        acosh |x| x.acosh(), [1.3, 2.0];
        atanh |x| x.atanh(), [0.3, -0.3];
        copysign |x| x.copysign(c(-1.0)) * x.copysign(x) + c::<T>(3.0).copysign(x), [1.3, -1.3];
        remainder |x| x % c(0.7) + c::<T>(5.0) % x, [1.3, -1.3];
        constants |x| x * T::PI() + T::E() * x + T::TAU() + T::LOG2_10(), [1.3];
    }
}

fn positive_difference<T: Float>(x: T) -> T {
    x.abs_sub(c(1.0)) * x
}

/// Central differences of fourth order: error about `h^4`, roundings about `1e-16/h`.
fn slope(f: fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(x + h) - f(x - h)) - (f(x + 2.0 * h) - f(x - 2.0 * h))) / (12.0 * h)
}

#[test]
fn every_function_has_the_value_of_f64_and_the_slope_of_differences() {
    for Row { name, plain, real: f, dual, single, points } in table() {
        for &x in points {
            let (value, gradient) = real::value_and_grad(|x| f(x[0]), &[x]);
            let (y, expected) = (plain(x), slope(plain, x));
            assert!((value - y).abs() <= 4.0 * f64::EPSILON * y.abs(), "{name} at {x}: {value}, expected {y}");
            let close = |got: f64, tolerance: f64| (got - expected).abs() <= tolerance * expected.abs().max(1.0);
            assert!(close(gradient[0], 1e-8), "{name}' at {x}: {}, expected {expected}", gradient[0]);
            let forward = dual(Dual::variable(x));
            assert!(
                close(forward.tangents[0], 1e-8),
                "{name}' at {x} in forward mode: {forward:?}, expected {expected}"
            );
            let narrow = real::grad(|x| single(x[0]), &[x as f32])[0];
            assert!(close(f64::from(narrow), 1e-4), "{name}' at {x} in f32: {narrow}, expected {expected}");
        }
    }
}

#[test]
fn generic_code_runs_on_variables_that_borrow_their_tape() {
    fn newton_square_root<T: Float + NumAssign>(x: T) -> T {
        let mut y = x;
        while (y * y - x).abs() > c::<T>(1e-14) * x {
            y -= (y * y - x) / (y + y);
        }
        y
    }
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = newton_square_root(x);
    assert!((y.value() - 2.0_f64.sqrt()).abs() < 1e-15);
    assert!((y.gradient()[x] - 0.5 / 2.0_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn predicates_look_at_the_value() {
    let tape = RealTape::new();
    let x = |value: f64| Float::recip(tape.var(1.0 / value));
    assert!(x(f64::INFINITY).is_infinite() && !x(2.0).is_infinite());
    assert!(Float::is_finite(x(2.0)) && !Float::is_finite(x(f64::INFINITY)));
    assert!(Float::is_nan(tape.var(f64::NAN)) && !Float::is_nan(x(2.0)));
    assert!(Float::is_sign_negative(x(-2.0)) && Float::is_sign_positive(tape.var(0.0)));
    assert!(Float::is_sign_negative(tape.var(-0.0)) && Signed::is_negative(&x(-1.0)) && Signed::is_positive(&x(1.0)));
    assert!(tape.var(0.0).is_zero() && !x(2.0).is_zero());
    assert_eq!(tape.var(1e-310).classify(), FpCategory::Subnormal);
    assert_eq!(tape.var(-0.75).integer_decode(), (-0.75_f64).integer_decode());
    // In the width of the variable: 1e-40 is normal among f64 and not among f32.
    let single = wengert_core::RealTape::<f32>::new();
    assert_eq!(single.var(1e-40).classify(), FpCategory::Subnormal);
    assert!(tape.var(1e-40).is_normal() && !single.var(1e-40).is_normal());
    assert_eq!(single.var(0.75).integer_decode(), 0.75_f32.integer_decode());
}

#[test]
fn constants_are_those_of_the_width() {
    assert_eq!(<Real as Float>::epsilon().value(), f64::EPSILON);
    assert_eq!(<Real<f32> as Float>::epsilon().value(), f32::EPSILON);
    assert_eq!(<Real<f32> as Float>::max_value().value(), f32::MAX);
    assert_eq!(<Real<f32> as Bounded>::min_value().value(), f32::MIN);
    assert_eq!(<Real as Float>::min_positive_value().value(), f64::MIN_POSITIVE);
    assert_eq!(<Real<f32> as FloatConst>::PI().value(), std::f32::consts::PI);
    assert!(<Real as Float>::neg_zero().value().is_sign_negative());
}

#[test]
fn extremes_ignore_nan_and_split_ties() {
    let nan = Real::from(f64::NAN);
    let (value, gradient) = real::value_and_grad(|x| x[0].max(nan) + nan.min(x[0]), &[3.0]);
    assert_eq!((value, gradient), (6.0, vec![2.0]));
    assert_eq!(real::grad(|x| x[0].max(x[1]) * 3.0 + x[0].min(x[1]), &[1.0, 1.0]), [2.0, 2.0]);
    // At the ends of the interval the end has the slope: 0 for the variable.
    assert_eq!(real::grad(|x| x[0].clamp(Real::from(0.0), x[1]), &[2.0, 2.0]), [0.0, 1.0]);
}

#[test]
fn conversions() {
    assert_eq!(<Real as Num>::from_str_radix("-2.5", 10).unwrap().value(), -2.5);
    assert!(<Real as Num>::from_str_radix("two", 10).is_err());
    assert_eq!(<Real as FromPrimitive>::from_u64(7).unwrap().value(), 7.0);
    let tape = RealTape::new();
    let x = tape.var(-2.75);
    assert_eq!((x.to_i64(), x.to_u8(), x.to_f64(), x.to_f32()), (Some(-2), None, Some(-2.75), Some(-2.75)));
    let y = <Real as num_traits::NumCast>::from(x).unwrap();
    assert_eq!((y.value(), (y * x).gradient()[x]), (-2.75, -2.75)); // a cast is a constant
    assert_eq!(<Real as num_traits::NumCast>::from(1_u8).unwrap().value(), 1.0);
}
