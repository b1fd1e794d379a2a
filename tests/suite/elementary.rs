//! One walker for the tables of elementary functions: a new row is tested by existing.

use crate::reference::{OF_TWO, allowed, higher, is_provided, points};
use crate::ulp::Misses;
use wengert_core::{Binary, Dual, Function, Parametric, ParametricFunctions, Tape, Taylor, Unary};

type Second = Dual<Dual<f64, 1>, 1>;

/// `x` moving along the outer and the inner tangent with the speeds given.
fn second(x: f64, outer: f64, inner: f64) -> Second {
    let value = Dual { value: x, tangents: [inner] };
    Dual { value, tangents: [Dual { value: outer, tangents: [0.0] }] }
}

/// Compares one row at one point by every scalar way; both kinds of opcode have these methods.
macro_rules! compare_by_every_scalar_way {
    ($misses:ident, $op:expr, $key:expr) => {
        for point in points($key, 1) {
            let (x, wanted, units) = (point.arguments[0], &point.results, &point.units);
            let allowed = allowed($op.name());
            let mut compare = |way: &str, order: usize, got: f64| {
                let what = || format!("{:?}({x:e}), order {order}, {way}", $op);
                $misses.compare(what, got, wanted[order], units[order], allowed[order]);
            };
            let y = $op.eval(x);
            compare("plain", 0, y);
            compare("derivative", 1, $op.derivative(x, y));

            let tape = Tape::<f64>::new();
            let variable = tape.var(x);
            let on_tape = $op.eval(variable);
            compare("variable", 0, on_tape.value());
            compare("variable", 1, on_tape.gradient()[variable]);

            let dual = $op.eval(second(x, 1.0, 1.0));
            compare("dual", 0, dual.value.value);
            compare("dual", 1, dual.tangents[0].value);
            compare("dual over dual", 2, dual.tangents[0].tangents[0]);

            let tape = Tape::<Dual<f64, 1>>::new();
            let variable = tape.var(Dual::variable(x));
            let adjoint = $op.eval(variable).gradient()[variable];
            compare("tape of duals", 1, adjoint.value);
            compare("tape of duals", 2, adjoint.tangents[0]);
        }
    };
}

#[test]
fn unary_rows_agree_with_the_reference_by_every_scalar_way() {
    let mut misses = Misses::default();
    for &op in Unary::ALL {
        compare_by_every_scalar_way!(misses, op, op.name());
    }
    for &op in Parametric::SAMPLES {
        compare_by_every_scalar_way!(misses, op, &format!("{op:?}"));
    }
    misses.assert_none();
}

type Fourth = Dual<Dual<Second, 1>, 1>;

/// `x` moving with one speed along four tangents, each inside the next.
fn fourth(x: f64, speed: f64) -> Fourth {
    let third = Dual { value: second(x, speed, speed), tangents: [second(speed, 0.0, 0.0)] };
    Dual { value: third, tangents: [Dual::constant(second(speed, 0.0, 0.0))] }
}

/// Third and fourth derivatives, as reverse over forward gives them at two levels less.
fn third_and_fourth(y: Fourth) -> [f64; 2] {
    let third = y.value.tangents[0].tangents[0].tangents[0];
    [third, y.tangents[0].tangents[0].tangents[0].tangents[0]]
}

#[test]
fn third_and_fourth_derivatives_of_smooth_rows_agree_with_the_reference() {
    // 1e-12 of the largest third or fourth derivative nearby.
    const ALLOWED: f64 = 4500.0;
    let mut misses = Misses::default();
    let mut compare = |what: &str, point: &crate::reference::Point, got: [f64; 2]| {
        for (k, got) in got.into_iter().enumerate() {
            let text = || format!("{what}({:?}), order {}", point.arguments, k + 3);
            misses.compare(text, got, point.results[k], point.units[k], ALLOWED);
        }
    };
    for &op in Unary::ALL {
        for point in higher(op.name(), 1) {
            compare(op.name(), &point, third_and_fourth(op.eval(fourth(point.arguments[0], 1.0))));
        }
    }
    for &op in Parametric::SAMPLES {
        for point in higher(&format!("{op:?}"), 1) {
            compare(&format!("{op:?}"), &point, third_and_fourth(op.eval(fourth(point.arguments[0], 1.0))));
        }
    }
    for &op in Binary::ALL {
        for point in higher(op.name(), 2) {
            let (a, b) = (fourth(point.arguments[0], 1.0), fourth(point.arguments[1], 0.75));
            compare(op.name(), &point, third_and_fourth(op.eval(a, b)));
        }
    }
    misses.assert_none();
}

#[test]
fn binary_rows_agree_with_the_reference_by_every_scalar_way() {
    let mut misses = Misses::default();
    for &op in Binary::ALL {
        for point in points(op.name(), 2) {
            let (a, b, wanted, units) = (point.arguments[0], point.arguments[1], &point.results, &point.units);
            let mut compare = |way: &str, result: usize, got: f64| {
                if !is_provided(op.name(), result) {
                    return;
                }
                let (which, order) = OF_TWO[result];
                let what = || format!("{}({a:e}, {b:e}), {which}, {way}", op.name());
                misses.compare(what, got, wanted[result], units[result], allowed(op.name())[order]);
            };
            let y = op.eval(a, b);
            let (p, q) = op.derivative(a, b, y);
            for (result, got) in [y, p, q].into_iter().enumerate() {
                compare("plain", result, got);
            }

            let tape = Tape::<f64>::new();
            let (va, vb) = (tape.var(a), tape.var(b));
            let on_tape = op.eval(va, vb);
            let gradient = on_tape.gradient();
            for (result, got) in [on_tape.value(), gradient[va], gradient[vb]].into_iter().enumerate() {
                compare("variable", result, got);
            }

            for (result, [outer, inner]) in [(3, [0, 0]), (4, [0, 1]), (4, [1, 0]), (5, [1, 1])] {
                let moves = |k: usize, direction: usize| f64::from(u8::from(k == direction));
                let dual =
                    op.eval(second(a, moves(0, outer), moves(0, inner)), second(b, moves(1, outer), moves(1, inner)));
                compare("dual over dual", 0, dual.value.value);
                compare("dual over dual", 1 + outer, dual.tangents[0].value);
                compare("dual over dual", result, dual.tangents[0].tangents[0]);

                let tape = Tape::<Dual<f64, 1>>::new();
                let (va, vb) = (
                    tape.var(Dual { value: a, tangents: [moves(0, inner)] }),
                    tape.var(Dual { value: b, tangents: [moves(1, inner)] }),
                );
                let gradient = op.eval(va, vb).gradient();
                compare("tape of duals", result, gradient[[va, vb][outer]].tangents[0]);
            }
        }
    }
    misses.assert_none();
}

/// Points of an interval, ends included.
fn sample(lo: f64, hi: f64, count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |k| lo + (hi - lo) * f64::from(k) / f64::from(count))
}

/// The slopes of special functions are differences of terms the size of the function, or of 1; those with fourth powers of a
/// logarithm in them, of 4.
pub fn slope_unit(name: &str, value: f64) -> f64 {
    match name {
        "gamma_p_shape4" => value.abs().max(4.0),
        _ if allowed(name)[0] > SINGLE[0] => value.abs().max(1.0),
        _ => 0.0,
    }
}

/// Allowed errors in single precision, whose special functions are rounded doubles.
const SINGLE: [f64; 3] = [2.0, 4.0, 8.0];

#[test]
fn single_precision_agrees_with_double_on_every_rows_domain() {
    let mut misses = Misses::default();
    for &op in Unary::ALL {
        let (lo, hi) = op.domain();
        for x in sample(lo, hi, 97) {
            let x = x as f32;
            let exact = op.eval(second(f64::from(x), 1.0, 1.0));
            let got = op.eval(Dual { value: Dual::variable(x), tangents: [Dual::constant(1.0)] });
            let unit = slope_unit(op.name(), exact.value.value);
            let orders = [
                (got.value.value, exact.value.value, 0.0),
                (got.tangents[0].value, exact.tangents[0].value, unit),
                // A second derivative may be a difference of terms the size of the first.
                (got.tangents[0].tangents[0], exact.tangents[0].tangents[0], exact.tangents[0].value.abs().max(unit)),
            ];
            for (order, (got, want, unit)) in orders.into_iter().enumerate() {
                let what = || format!("{}({x:e}), order {order}", op.name());
                misses.compare_single(what, got, want, unit, SINGLE[order]);
            }
        }
    }
    for &op in Binary::ALL {
        let [(alo, ahi), (blo, bhi)] = op.domain();
        for (a, b) in sample(alo, ahi, 13).flat_map(|a| sample(blo, bhi, 13).map(move |b| (a as f32, b as f32))) {
            let y = op.eval(f64::from(a), f64::from(b));
            let (p, q) = op.derivative(f64::from(a), f64::from(b), y);
            let single = op.eval(a, b);
            let (single_p, single_q) = op.derivative(a, b, single);
            // The slope of `a^b ln a` is a sum whose terms may cancel.
            let unit = match op {
                Binary::PowfLn => f64::from(a).powf(f64::from(b) - 1.0),
                _ => slope_unit(op.name(), y),
            };
            for (order, got, want) in [(0, single, y), (1, single_p, p), (1, single_q, q)] {
                let what = || format!("{}({a:e}, {b:e}), order {order}", op.name());
                misses.compare_single(what, got, want, if order == 0 { 0.0 } else { unit }, SINGLE[order]);
            }
        }
    }
    misses.assert_none();
}

/// Values and slopes at the two infinities, from the limits.
fn at_infinities(op: Unary) -> [f64; 4] {
    let (inf, nan, quarter) = (f64::INFINITY, f64::NAN, core::f64::consts::FRAC_PI_2);
    match op {
        Unary::Neg => [-inf, -1.0, inf, -1.0],
        Unary::Recip => [0.0, 0.0, 0.0, 0.0],
        Unary::Sqrt | Unary::Ln | Unary::Ln1p | Unary::Log2 | Unary::Log10 | Unary::Acosh => [inf, 0.0, nan, nan],
        Unary::Cbrt | Unary::Asinh => [inf, 0.0, -inf, 0.0],
        Unary::Square | Unary::Cosh => [inf, inf, inf, -inf],
        Unary::Exp => [inf, inf, 0.0, 0.0],
        Unary::ExpM1 => [inf, inf, -1.0, 0.0],
        Unary::Sin | Unary::Cos | Unary::Tan | Unary::Asin | Unary::Acos | Unary::Atanh => [nan; 4],
        Unary::Atan => [quarter, 0.0, -quarter, 0.0],
        Unary::Sinh => [inf, inf, -inf, inf],
        Unary::Tanh => [1.0, 0.0, -1.0, 0.0],
        Unary::Sigmoid => [1.0, 0.0, 0.0, 0.0],
        Unary::TanhSlope | Unary::SigmoidSlope => [0.0; 4],
        Unary::Softplus | Unary::Relu => [inf, 1.0, 0.0, 0.0],
        Unary::Abs => [inf, 1.0, inf, -1.0],
        Unary::Sign => [1.0, 0.0, -1.0, 0.0],
        Unary::Step => [1.0, 0.0, 0.0, 0.0],
        Unary::OneMinusSquare => [-inf, -inf, -inf, inf],
        Unary::NonNegative => [inf, 1.0, nan, 1.0],
        Unary::Exp2 => [inf, inf, 0.0, 0.0],
        Unary::Sinpi | Unary::Cospi | Unary::Logit | Unary::ErfInv | Unary::ErfInvSlope => [nan; 4],
        Unary::Sinc | Unary::NormPdf | Unary::Gaussian | Unary::BesselJ0 | Unary::BesselJ1 => [0.0; 4],
        Unary::LogSigmoid => [0.0, 0.0, -inf, 1.0],
        Unary::Gelu | Unary::GeluTanh | Unary::Silu | Unary::Mish | Unary::HardSwish => [inf, 1.0, 0.0, 0.0],
        Unary::TanhSoftplus | Unary::HardSigmoid => [1.0, 0.0, 0.0, 0.0],
        Unary::Selu => [inf, 1.0507009873554805, -1.7580993408473769, 0.0],
        Unary::Relu6 => [6.0, 0.0, 0.0, 0.0],
        Unary::HardTanh => [1.0, 0.0, -1.0, 0.0],
        Unary::Erf => [1.0, 0.0, -1.0, 0.0],
        Unary::Erfc => [0.0, 0.0, 2.0, 0.0],
        Unary::NormCdf => [1.0, 0.0, 0.0, 0.0],
        Unary::LogNormCdf => [0.0, 0.0, -inf, inf],
        Unary::Gamma => [inf, inf, nan, nan],
        Unary::LnGamma => [inf, inf, inf, nan],
        Unary::Digamma => [inf, 0.0, nan, nan],
        Unary::Trigamma => [0.0, 0.0, nan, nan],
        Unary::BesselI0 => [inf, inf, inf, -inf],
        Unary::BesselI1 => [inf, inf, -inf, inf],
        Unary::Floor | Unary::Ceil | Unary::RoundTiesEven | Unary::Trunc => [inf, 0.0, -inf, 0.0],
        Unary::InverseMills => [0.0, 0.0, inf, -1.0],
        Unary::InverseMillsSlope => [0.0, 0.0, -1.0, 0.0],
        Unary::MillsExcess => [inf, 1.0, 0.0, 0.0],
        Unary::MillsVariance => [1.0, 0.0, 0.0, 0.0],
    }
}

#[test]
fn infinities_give_the_limits() {
    let mut misses = Misses::default();
    for &op in Unary::ALL {
        let [right, right_slope, left, left_slope] = at_infinities(op);
        for (x, y, slope) in [(f64::INFINITY, right, right_slope), (f64::NEG_INFINITY, left, left_slope)] {
            let got = op.eval(x);
            let tape = Tape::<f64>::new();
            let variable = tape.var(x);
            let on_tape = op.eval(variable).gradient()[variable];
            for (what, got, want) in
                [("value", got, y), ("derivative", op.derivative(x, got), slope), ("gradient", on_tape, slope)]
            {
                misses.compare(|| format!("{}({x}), {what}", op.name()), got, want, 0.0, 0.0);
            }
        }
    }
    misses.assert_none();
}

#[test]
fn nan_stays_nan_in_values_and_in_slopes_that_depend_on_the_point() {
    let mut misses = Misses::default();
    for &op in Unary::ALL {
        let y = op.eval(f64::NAN);
        let slope = op.derivative(f64::NAN, y);
        let steps = [Unary::Step];
        misses.require(y.is_nan() != steps.contains(&op), || format!("{}(NaN) is {y}", op.name()));
        let constant = match op {
            Unary::Neg => Some(-1.0),
            Unary::NonNegative => Some(1.0),
            // A comparison with NaN is false: no gradient passes.
            Unary::Relu | Unary::Sign | Unary::Step => Some(0.0),
            Unary::Relu6 | Unary::HardTanh | Unary::HardSigmoid => Some(0.0),
            Unary::Floor | Unary::Ceil | Unary::RoundTiesEven | Unary::Trunc => Some(0.0),
            _ => None,
        };
        let right = constant.map_or(slope.is_nan(), |constant| slope == constant);
        misses.require(right, || format!("slope of {} at NaN is {slope}", op.name()));
    }
    for &op in Binary::ALL {
        for (a, b) in [(f64::NAN, 1.5), (1.5, f64::NAN), (f64::NAN, f64::NAN)] {
            let y = op.eval(a, b);
            let wanted = match op {
                // The winner's share is what a maximum hands to `a`; nothing of it if only `b` is NaN. A sign is lent by NaN too.
                Binary::Wins | Binary::Copysign => a.is_nan(),
                Binary::Fmax | Binary::Fmin | Binary::FmaxShare => a.is_nan() && b.is_nan(),
                // Logarithms of `b` that look at `a` only to tell the origin.
                Binary::XlogySlope | Binary::Xlog1pySlope => b.is_nan(),
                _ => true,
            };
            misses.require(y.is_nan() == wanted, || format!("{}({a}, {b}) is {y}", op.name()));
        }
    }
    misses.assert_none();
}

#[test]
fn zero_cotangents_pass_every_rows_infinite_and_nan_slopes_as_zero() {
    let mut misses = Misses::default();
    let awkward = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300, -1e300, 5e-324];
    for &op in Unary::ALL {
        for x in awkward {
            let tape = Tape::<f64>::new();
            let (variable, other) = (tape.var(x), tape.var(1.0));
            let y = op.eval(variable) * 0.0 + other;
            let gradient = y.gradient();
            misses.require(gradient[variable] == 0.0 && gradient[other] == 1.0, || {
                format!("0 {}({x}): gradient {}", op.name(), gradient[variable])
            });
            // A node of its own between, so that the zero is met in the sweep.
            let y = (op.eval(variable) + other) * tape.constant(0.0) + other;
            let gradient = y.gradient();
            misses.require(gradient[variable] == 0.0 && gradient[other] == 1.0, || {
                format!("0 ({}({x}) + z): gradient {} {}", op.name(), gradient[variable], gradient[other])
            });
            let resting = op.eval(Dual { value: x, tangents: [0.0] });
            misses.require(resting.tangents == [0.0], || {
                format!("{}({x}) at rest moves {:?}", op.name(), resting.tangents)
            });
        }
    }
    misses.assert_none();
}

#[test]
fn integer_powers_are_exact_to_second_order_at_zero_and_nan() {
    for (n, x, expected) in [
        (0, 0.0, [1.0, 0.0, 0.0]),
        (0, f64::NAN, [1.0, 0.0, 0.0]),
        (1, 0.0, [0.0, 1.0, 0.0]),
        (2, 0.0, [0.0, 0.0, 2.0]),
        (2, -3.0, [9.0, -6.0, 2.0]),
        (3, -2.0, [-8.0, 12.0, -12.0]),
        (-1, 2.0, [0.5, -0.25, 0.25]),
        (-2, 2.0, [0.25, -0.25, 0.375]),
    ] {
        let y = second(x, 1.0, 1.0).powi(n);
        assert_eq!([y.value.value, y.tangents[0].value, y.tangents[0].tangents[0]], expected, "{x}^{n}");
        let tape = Tape::<f64>::new();
        let variable = tape.var(x);
        assert_eq!(variable.powi(n).gradient()[variable], expected[1], "{x}^{n}");
    }
}

#[test]
fn activations_have_the_documented_derivatives_at_their_kinks() {
    let scale = 1.0507009873554805;
    let cases = [
        (Unary::Selu, 0.0, [0.0, 1.7580993408473769, 0.0]),
        (Unary::Relu6, 0.0, [0.0; 3]),
        (Unary::Relu6, 6.0, [6.0, 0.0, 0.0]),
        (Unary::HardTanh, -1.0, [-1.0, 0.0, 0.0]),
        (Unary::HardTanh, 1.0, [1.0, 0.0, 0.0]),
        (Unary::HardSigmoid, -3.0, [0.0; 3]),
        (Unary::HardSigmoid, 3.0, [1.0, 0.0, 0.0]),
        (Unary::HardSwish, -3.0, [0.0; 3]),
        (Unary::HardSwish, 3.0, [3.0, 1.0, 0.0]),
        (Unary::Selu, 1.0, [scale, scale, 0.0]),
    ];
    for (op, x, expected) in cases {
        let y = op.eval(second(x, 1.0, 1.0));
        assert_eq!([y.value.value, y.tangents[0].value, y.tangents[0].tangents[0]], expected, "{op:?}({x})");
    }
    let cases = [
        (Parametric::Elu(1.0), [0.0, 1.0, 0.0]),
        (Parametric::Elu(0.5), [0.0, 0.5, 0.0]),
        (Parametric::Celu(0.5), [0.0, 1.0, 0.0]),
        (Parametric::LeakyRelu(0.2), [0.0, 0.2, 0.0]),
    ];
    for (op, expected) in cases {
        let y = op.eval(second(0.0, 1.0, 1.0));
        assert_eq!([y.value.value, y.tangents[0].value, y.tangents[0].tangents[0]], expected, "{op:?}(0)");
    }
}

#[test]
fn what_a_row_does_not_provide_is_nan_in_every_later_derivative() {
    // The fifth derivative of the incomplete gamma function in its shape; the sixth came out as 0.
    let op = Binary::GammaPShape4;
    let [a, b] = Dual::independent([2.0, 1.5]).map(|x: Dual<f64, 2>| x);
    let slope = op.derivative(a, b, op.eval(a, b)).0;
    assert!(slope.value.is_nan() && slope.tangents.iter().all(|x| x.is_nan()), "{slope:?}");
}

/// The second derivative of a row at `x`, by every way there is to it.
fn second_derivatives(op: Unary, x: f64) -> [(&'static str, f64); 5] {
    let forward = op.eval(second(x, 1.0, 1.0)).tangents[0].tangents[0];
    let tape = Tape::<Dual<f64, 1>>::new();
    let moving = tape.var(Dual::variable(x));
    let reverse = op.eval(moving).gradient()[moving].tangents[0];
    let series = op.eval(Taylor::<f64, 3>::along(x, 1.0)).derivatives()[2];
    let replayed = Function::record(&[0.5], |x| op.eval(x[0])).unwrap().hvp(&[x], &[1.0]).unwrap()[0];
    let tape = Tape::<f64>::new();
    let tensor = tape.tensor([x]);
    let [on_tensors] = op.eval(tensor).sum().hvp([tensor], [&[1.0].into()]);
    [
        ("forward", forward),
        ("reverse", reverse),
        ("series", series),
        ("replay", replayed),
        ("tensor", on_tensors.to_vec()[0]),
    ]
}

#[test]
fn second_derivatives_at_infinite_slopes_and_values_are_limits_in_every_way() {
    let inf = f64::INFINITY;
    let cases = [
        // -1/(x^2 ln b) from the right.
        (Unary::Ln, 0.0, -inf),
        (Unary::Log2, 0.0, -inf),
        (Unary::Log10, 0.0, -inf),
        // -2/9 x^(-5/3), odd: the zero's sign says from which side.
        (Unary::Cbrt, 0.0, -inf),
        (Unary::Cbrt, -0.0, inf),
        (Unary::Cbrt, inf, 0.0),
        (Unary::Cbrt, -inf, 0.0),
        // Values beyond the range have derivatives beyond it.
        (Unary::Exp2, 2000.0, inf),
        (Unary::BesselI1, 800.0, inf),
        (Unary::BesselI1, -800.0, -inf),
        (Unary::Gamma, inf, inf),
        // What a bound holds back, NaN too, does not move.
        (Unary::Selu, inf, 0.0),
        (Unary::Selu, f64::NAN, 0.0),
        (Unary::HardSigmoid, inf, 0.0),
        (Unary::SigmoidSlope, inf, 0.0),
    ];
    let mut misses = Misses::default();
    for (op, x, expected) in cases {
        for (way, got) in second_derivatives(op, x) {
            misses.compare(|| format!("{}({x}), {way}", op.name()), got, expected, 0.0, 0.0);
        }
    }
    misses.assert_none();
}

#[test]
fn the_sign_of_nan_does_not_move() {
    let slope = Binary::Copysign.derivative(second(f64::NAN, 1.0, 1.0), second(2.0, 0.0, 0.0), second(2.0, 0.0, 0.0));
    assert_eq!(slope.0.tangents[0].value, 0.0);
}
