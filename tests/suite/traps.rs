//! What is returned where a function has a kink, a pole or a tie, or loses its digits: values and gradients, on scalars,
//! on duals and on tensors.

use crate::ulp::ulps;
use wengert_core::{
    BinaryFunctions, Dual, Elementary, Function, FunctionError, Number, ParametricFunctions, Primal, Tape,
    TensorFunction, TensorVar, UnaryFunctions, Var, dot, fuse, log_sum_exp, norm2, real,
};
use wengert_tensor::Tensor;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

#[track_caller]
fn assert_same(what: &str, got: &[f64], want: &[f64]) {
    let same = got.len() == want.len() && got.iter().zip(want).all(|(&got, &want)| ulps(got, want, 0.0) <= 4.0);
    assert!(same, "{what}: got {got:?}, expected {want:?}");
}

/// Value and gradient of one row at a point, taken by a scalar tape, by duals, and by tensors.
macro_rules! every_way {
    ($what:expr, [$($x:ident = $at:expr),+] => $y:expr, $value:expr, [$($slope:expr),+]) => {{
        let want = [$value, $($slope),+];
        {
            let tape = Tape::<f64>::new();
            $( let $x = tape.var($at); )+
            let inputs = [$($x),+];
            let y = $y;
            let gradient = y.gradient();
            assert_same(concat!($what, ", scalars"), &[&[y.value()][..], &gradient.wrt(&inputs[..])].concat(), &want);
        }
        {
            let points = [$($at),+];
            let [$($x),+] = Dual::independent(points);
            let y = $y;
            assert_same(concat!($what, ", duals"), &[&[y.value][..], &y.tangents].concat(), &want);
        }
        {
            let tape = Tape::<f64>::new();
            $( let $x = tape.tensor([$at]); )+
            let inputs = [$($x),+];
            let y = $y;
            let gradient = y.gradient();
            let slopes = inputs.map(|x| gradient[x].item());
            assert_same(concat!($what, ", tensors"), &[&[y.item()][..], &slopes].concat(), &want);
        }
    }};
}

#[test]
fn singular_points_and_kinks() {
    every_way!("sqrt at 0", [x = 0.0] => x.sqrt(), 0.0, [INF]);
    every_way!("cbrt at 0", [x = 0.0] => x.cbrt(), 0.0, [INF]);
    every_way!("abs at 0", [x = 0.0] => x.abs(), 0.0, [0.0]);
    every_way!("abs at -0", [x = -0.0] => x.abs(), 0.0, [0.0]);
    every_way!("relu at 0", [x = 0.0] => x.relu(), 0.0, [0.0]);
    every_way!("relu at NaN", [x = NAN] => x.relu(), NAN, [0.0]);
    every_way!("sign at 0", [x = 0.0] => x.sign(), 0.0, [0.0]);
    every_way!("step at 0", [x = 0.0] => x.step(), 0.0, [0.0]);
    every_way!("ln at 0", [x = 0.0] => x.ln(), -INF, [INF]);
    every_way!("ln at -0", [x = -0.0] => x.ln(), -INF, [INF]);
    every_way!("ln at -1", [x = -1.0] => x.ln(), NAN, [NAN]);
    every_way!("ln_1p at -1", [x = -1.0] => x.ln_1p(), -INF, [INF]);
    every_way!("log2 at -1", [x = -1.0] => x.log2(), NAN, [NAN]);
    every_way!("asin at 1", [x = 1.0] => x.asin(), core::f64::consts::FRAC_PI_2, [INF]);
    every_way!("acos at -1", [x = -1.0] => x.acos(), core::f64::consts::PI, [-INF]);
    every_way!("acosh at 1", [x = 1.0] => x.acosh(), 0.0, [INF]);
    every_way!("atanh at 1", [x = 1.0] => x.atanh(), INF, [INF]);
    every_way!("atanh at -1", [x = -1.0] => x.atanh(), -INF, [INF]);
    every_way!("atanh outside", [x = 2.0] => x.atanh(), NAN, [NAN]);
    every_way!("hypot at the origin", [x = 0.0, y = 0.0] => x.hypot(y), 0.0, [0.0, 0.0]);
    every_way!("huge hypot", [x = 1e200, y = 1e200] => x.hypot(y), 2.0_f64.sqrt() * 1e200, [0.5_f64.sqrt(), 0.5_f64.sqrt()]);
    every_way!("atan2 at the origin", [x = 0.0, y = 0.0] => x.atan2(y), 0.0, [0.0, 0.0]);
    every_way!("tiny atan2", [x = 1e-200, y = 1e-200] => x.atan2(y), core::f64::consts::FRAC_PI_4, [5e199, -5e199]);
    every_way!("x/x at 0", [x = 0.0] => x / x, NAN, [NAN]);
    every_way!("erf_inv at 1", [x = 1.0] => x.erf_inv(), INF, [INF]);
    every_way!("erf_inv at -1", [x = -1.0] => x.erf_inv(), -INF, [INF]);
    every_way!("logit at 0", [x = 0.0] => x.logit(), -INF, [INF]);
    every_way!("logit at 1", [x = 1.0] => x.logit(), INF, [INF]);
    every_way!("logit outside", [x = 1.5] => x.logit(), NAN, [NAN]);
}

#[test]
fn jumps_have_no_slope_and_halves_round_to_even() {
    for (x, floor, ceil, round, trunc) in [
        (0.5, 0.0, 1.0, 0.0, 0.0),
        (1.5, 1.0, 2.0, 2.0, 1.0),
        (-2.5, -3.0, -2.0, -2.0, -2.0),
        (3.0, 3.0, 3.0, 3.0, 3.0),
    ] {
        every_way!("floor", [x = x] => x.floor(), floor, [0.0]);
        every_way!("ceil", [x = x] => x.ceil(), ceil, [0.0]);
        every_way!("round_ties_even", [x = x] => x.round_ties_even(), round, [0.0]);
        every_way!("trunc", [x = x] => x.trunc(), trunc, [0.0]);
    }
    every_way!("heaviside at 0", [x = 0.0] => x.heaviside(0.5), 0.5, [0.0]);
    every_way!("heaviside at -0", [x = -0.0] => x.heaviside(1.0), 1.0, [0.0]);
    every_way!("heaviside of NaN", [x = NAN] => x.heaviside(0.5), NAN, [0.0]);
    every_way!("copysign(0, -1)", [x = 0.0, y = -1.0] => x.copysign(y), -0.0, [0.0, 0.0]);
    every_way!("copysign(-3, 2)", [x = -3.0, y = 2.0] => x.copysign(y), 3.0, [-1.0, 0.0]);
}

#[test]
fn bounds_pass_no_gradient() {
    every_way!("clamp inside", [x = 0.5] => x.clamp(0.0, 1.0), 0.5, [1.0]);
    every_way!("clamp at the lower bound", [x = 0.0] => x.clamp(0.0, 1.0), 0.0, [0.0]);
    every_way!("clamp at the upper bound", [x = 1.0] => x.clamp(0.0, 1.0), 1.0, [0.0]);
    every_way!("clamp outside", [x = 7.0] => x.clamp(0.0, 1.0), 1.0, [0.0]);
    every_way!("clamp of NaN", [x = NAN] => x.clamp(0.0, 1.0), NAN, [0.0]);
    every_way!("clamp from below only", [x = 3.0] => x.clamp(0.0, INF), 3.0, [1.0]);
}

#[test]
#[should_panic(expected = "clamp: the bounds 2 and 1 are not in order")]
fn reversed_bounds_panic() {
    let tape = Tape::<f64>::new();
    let _ = ParametricFunctions::clamp(tape.var(0.0), 2.0, 1.0);
}

#[test]
fn poles_of_the_gamma_family_have_no_slope() {
    every_way!("ln_gamma at 0", [x = 0.0] => x.ln_gamma(), INF, [NAN]);
    every_way!("ln_gamma at -1", [x = -1.0] => x.ln_gamma(), INF, [NAN]);
    every_way!("digamma at 0", [x = 0.0] => x.digamma(), NAN, [NAN]);
    every_way!("digamma at -3", [x = -3.0] => x.digamma(), NAN, [NAN]);
    every_way!("gamma at 0", [x = 0.0] => x.gamma(), INF, [NAN]);
    every_way!("gamma at -2", [x = -2.0] => x.gamma(), NAN, [NAN]);
    for n in 1..=22 {
        let factorial = (1..=n).map(f64::from).product::<f64>();
        assert_eq!(UnaryFunctions::gamma(f64::from(n + 1)), factorial, "gamma({n} + 1)");
    }
}

#[test]
fn sums_and_differences_on_the_logarithmic_scale_at_the_ends_of_the_range() {
    every_way!("log_add_exp of nothing", [x = -INF, y = -INF] => x.log_add_exp(y), -INF, [0.0, 0.0]);
    every_way!("log_add_exp with nothing", [x = 2.0, y = -INF] => x.log_add_exp(y), 2.0, [1.0, 0.0]);
    every_way!("log_add_exp far apart", [x = 1e4, y = -1e4] => x.log_add_exp(y), 1e4, [1.0, 0.0]);
    every_way!("log_add_exp infinite", [x = INF, y = 1.0] => x.log_add_exp(y), INF, [1.0, 0.0]);
    every_way!("log_add_exp of a tie", [x = 1e4, y = 1e4] => x.log_add_exp(y), 1e4 + 2.0_f64.ln(), [0.5, 0.5]);
    every_way!("log_sub_exp of a tie", [x = 1.0, y = 1.0] => x.log_sub_exp(y), -INF, [INF, -INF]);
    every_way!("log_sub_exp with nothing", [x = 2.0, y = -INF] => x.log_sub_exp(y), 2.0, [1.0, 0.0]);
    every_way!("log_sub_exp far apart", [x = 1e4, y = -1e4] => x.log_sub_exp(y), 1e4, [1.0, 0.0]);
    every_way!("log_sub_exp below", [x = 1.0, y = 2.0] => x.log_sub_exp(y), NAN, [NAN, NAN]);
    every_way!("xlogy(0, 0)", [x = 0.0, y = 0.0] => x.xlogy(y), 0.0, [0.0, 0.0]);
    every_way!("xlogy(0, 2)", [x = 0.0, y = 2.0] => x.xlogy(y), 0.0, [2.0_f64.ln(), 0.0]);
    every_way!("xlogy(1, 0)", [x = 1.0, y = 0.0] => x.xlogy(y), -INF, [-INF, INF]);
    every_way!("xlogy(0, NaN)", [x = 0.0, y = NAN] => x.xlogy(y), NAN, [NAN, NAN]);
    every_way!("xlog1py(0, -1)", [x = 0.0, y = -1.0] => x.xlog1py(y), 0.0, [0.0, 0.0]);

    // Two steps of the tape: second derivatives are 0, where a difference of infinities would be NaN.
    for y in [1e4, -1e4] {
        let tape = Tape::<Dual<f64, 1>>::new();
        let (a, b) = (tape.var(Dual::variable(-y)), tape.var(Dual::constant(y)));
        let gradient = a.log_add_exp(b).gradient();
        assert_eq!((gradient[a].tangents, gradient[b].tangents), ([0.0], [0.0]));
    }
}

#[test]
fn remainders_take_the_quotient_they_rounded_for_their_slope() {
    every_way!("fmod", [x = -7.5, y = 2.0] => x.fmod(y), -1.5, [1.0, 3.0]);
    every_way!("remainder", [x = -7.5, y = 2.0] => x.remainder(y), 0.5, [1.0, 4.0]);
    every_way!("remainder by a negative number", [x = 7.5, y = -2.0] => x.remainder(y), -0.5, [1.0, 4.0]);
    every_way!("fmod by zero", [x = 1.0, y = 0.0] => x.fmod(y), NAN, [1.0, NAN]);
}

#[test]
fn cardinal_sine_at_the_origin() {
    let x = Dual { value: Dual::variable(0.0_f64), tangents: [Dual::constant(1.0)] };
    let y = x.sinc();
    let curvature = -core::f64::consts::PI * core::f64::consts::PI / 3.0;
    assert_eq!((y.value.value, y.tangents[0].value), (1.0, 0.0));
    assert_same("sinc'' at 0", &[y.tangents[0].tangents[0]], &[curvature]);
    every_way!("slope of bessel_j1 at 0", [x = 0.0] => x.bessel_j1(), 0.0, [0.5]);
    every_way!("slope of bessel_i1 at 0", [x = 0.0] => x.bessel_i1(), 0.0, [0.5]);
}

#[test]
fn second_derivatives_at_the_origin_are_zero_not_nan() {
    type Second = Dual<Dual<f64, 2>, 2>;
    let second = |f: fn(Second, Second) -> Second| {
        let moving = |k: usize| {
            let unit = |n: usize| if n == k { 1.0 } else { 0.0 };
            let value = Dual { value: 0.0, tangents: [unit(0), unit(1)] };
            Dual { value, tangents: [Dual::constant(unit(0)), Dual::constant(unit(1))] }
        };
        f(moving(0), moving(1)).tangents.map(|tangent| tangent.tangents)
    };
    assert_eq!(second(BinaryFunctions::hypot), [[0.0; 2]; 2]);
    assert_eq!(second(BinaryFunctions::atan2), [[0.0; 2]; 2]);
    assert_eq!(second(|x, y| x.abs() + y.relu()), [[0.0; 2]; 2]);

    let tape = Tape::<Dual<f64, 1>>::new();
    let x = [tape.var(Dual::variable(0.0)), tape.var(Dual::variable(0.0))];
    let gradient = norm2(&x).gradient();
    assert_eq!(gradient.wrt(x).map(|x_bar| (x_bar.value, x_bar.tangents[0])), [(0.0, 0.0); 2]);
}

#[test]
fn square_root_has_its_true_limits_at_zero_to_second_order() {
    let tape = Tape::<Dual<f64, 1>>::new();
    let x = tape.var(Dual::variable(0.0));
    let gradient = x.sqrt().gradient();
    assert_eq!((gradient[x].value, gradient[x].tangents), (INF, [-INF]));
    let y = Dual { value: Dual::variable(0.0), tangents: [Dual::constant(1.0)] }.sqrt();
    assert_eq!((y.tangents[0].value, y.tangents[0].tangents[0]), (INF, -INF));
}

#[test]
fn lengths_neither_overflow_nor_divide_by_zero() {
    let tape = Tape::<f64>::new();
    let x = tape.vars(&[0.0, 0.0, 0.0]);
    let y = norm2(&x);
    assert_eq!((y.value(), y.gradient().wrt(&x)), (0.0, vec![0.0; 3]));
    let x = tape.vars(&[1e200, 1e200]);
    let y = norm2(&x);
    assert_same(
        "norm2",
        &[&[y.value()][..], &y.gradient().wrt(&x)].concat(),
        &[2.0_f64.sqrt() * 1e200, 0.5_f64.sqrt(), 0.5_f64.sqrt()],
    );
}

#[test]
fn ties_split_and_nan_wins() {
    every_way!("maximum", [x = 2.0, y = 1.0] => x.maximum(y), 2.0, [1.0, 0.0]);
    every_way!("minimum", [x = 2.0, y = 1.0] => x.minimum(y), 1.0, [0.0, 1.0]);
    every_way!("maximum at a tie", [x = 1.0, y = 1.0] => x.maximum(y), 1.0, [0.5, 0.5]);
    every_way!("minimum at a tie", [x = 1.0, y = 1.0] => x.minimum(y), 1.0, [0.5, 0.5]);
    every_way!("maximum against a constant at a tie", [x = 0.0] => x.maximum(x.lit(0.0)), 0.0, [0.5]);
    every_way!("maximum of NaN and 1", [x = NAN, y = 1.0] => x.maximum(y), NAN, [NAN, 0.0]);
    every_way!("maximum of 1 and NaN", [x = 1.0, y = NAN] => x.maximum(y), NAN, [0.0, NAN]);
    every_way!("minimum of NaN and 1", [x = NAN, y = 1.0] => x.minimum(y), NAN, [NAN, 0.0]);
    every_way!("fmax of NaN and 1", [x = NAN, y = 1.0] => x.fmax(y), 1.0, [0.0, 1.0]);
    every_way!("fmin of 1 and NaN", [x = 1.0, y = NAN] => x.fmin(y), 1.0, [1.0, 0.0]);
    every_way!("fmax of NaN and NaN", [x = NAN, y = NAN] => x.fmax(y), NAN, [NAN, NAN]);
    every_way!("fmax at a tie", [x = 1.0, y = 1.0] => x.fmax(y), 1.0, [0.5, 0.5]);

    let tape = Tape::<f64>::new();
    let x = tape.tensor([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]]);
    let y = x.max_axes(1);
    assert_eq!(y.value().to_vec(), [3.0, 2.0]);
    let third = 1.0 / 3.0;
    assert_eq!(y.sum().gradient()[x].to_vec(), [0.5, 0.0, 0.5, third, third, third]);
    let x = tape.tensor([1.0, NAN, 3.0]);
    for y in [x.max(), x.min()] {
        assert!(y.item().is_nan() && y.gradient()[x].iter().all(f64::is_nan), "NaN wins and takes the gradient");
    }
}

#[test]
fn powers() {
    every_way!("0^0", [x = 0.0, y = 0.0] => BinaryFunctions::powf(x, y), 1.0, [0.0, 0.0]);
    every_way!("0^1", [x = 0.0, y = 1.0] => BinaryFunctions::powf(x, y), 0.0, [1.0, 0.0]);
    every_way!("0^2", [x = 0.0, y = 2.0] => BinaryFunctions::powf(x, y), 0.0, [0.0, 0.0]);
    every_way!("0^0.5", [x = 0.0, y = 0.5] => BinaryFunctions::powf(x, y), 0.0, [INF, 0.0]);
    every_way!("0^0.3", [x = 0.0, y = 0.3] => BinaryFunctions::powf(x, y), 0.0, [INF, 0.0]);
    every_way!("0^-1", [x = 0.0, y = -1.0] => BinaryFunctions::powf(x, y), INF, [-INF, -INF]);
    every_way!("(-2)^3", [x = -2.0, y = 3.0] => BinaryFunctions::powf(x, y), -8.0, [12.0, NAN]);
    every_way!("(-2)^0.5", [x = -2.0, y = 0.5] => BinaryFunctions::powf(x, y), NAN, [NAN, NAN]);
    every_way!("NaN^0", [x = NAN, y = 0.0] => BinaryFunctions::powf(x, y), 1.0, [0.0, NAN]);
    every_way!("1^NaN", [x = 1.0, y = NAN] => BinaryFunctions::powf(x, y), 1.0, [NAN, 0.0]);
    every_way!("inf^0", [x = INF, y = 0.0] => BinaryFunctions::powf(x, y), 1.0, [0.0, INF]);
    for (n, slope, second) in [(0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (2.0, 0.0, 2.0)] {
        let x = Dual { value: Dual::variable(0.0), tangents: [Dual::constant(1.0)] };
        let y = BinaryFunctions::powf(x, Dual::constant(Dual::constant(n)));
        assert_eq!((y.tangents[0].value, y.tangents[0].tangents[0]), (slope, second), "0^{n}");
    }
}

#[test]
fn a_constant_exponent_never_takes_a_logarithm() {
    let tape = Tape::<f64>::new();
    let x = tape.var(-2.0);
    let y = x.powf(3.0);
    assert_eq!((y.value(), y.gradient()[x]), (-8.0, 12.0));
    assert_eq!(x.powf(0.0).gradient()[x], 0.0);
    // The exponent's slope is NaN; through an exponent that is a constant nothing flows, so nothing is spoiled.
    let tensor = tape.tensor([-2.0]);
    let y = BinaryFunctions::powf(tensor, tape.constant_tensor([3.0]));
    assert_eq!(y.gradient()[tensor].to_vec(), [12.0]);
}

/// What every branch-taking program must give at the edge of the branch not taken.
#[test]
fn a_branch_not_taken_leaves_no_trace() {
    let tape = Tape::<f64>::new();
    let at = |value: f64| tape.var(value);
    type Row = (&'static str, fn(Var<'_, f64>, Var<'_, f64>) -> f64, f64, f64, f64);
    let rows: [Row; 8] = [
        ("select sqrt", |x, y| slope(Var::select(x > 0.0, x.sqrt(), y), x), 0.0, 1.0, 0.0),
        ("select sqrt below", |x, y| slope(Var::select(x > 0.0, x.sqrt(), y), x), -1.0, 1.0, 0.0),
        ("select sqrt(xy) y", |x, y| slope(Var::select(x > 0.0, (x * y).sqrt() * y, x), x), 0.0, 2.0, 1.0),
        ("0 sqrt x + y", |x, y| slope(x.sqrt() * 0.0 + y, x), 0.0, 1.0, 0.0),
        ("relu(-sqrt x) + y", |x, y| slope((-x.sqrt()).relu() + y, x), 0.0, 1.0, 0.0),
        ("sqrt(x) y", |x, y| slope(x.sqrt() * y, x), 0.0, 0.0, 0.0),
        ("sqrt(xy) (y - 1)", |x, y| slope((x * y).sqrt() * (y - 1.0), x), 0.0, 1.0, 0.0),
        ("0 exp(1000 x)", |x, y| slope((x * 1000.0).exp() * 0.0 + y, x), 1.0, 1.0, 0.0),
    ];
    fn slope(z: Var<'_, f64>, x: Var<'_, f64>) -> f64 {
        z.gradient()[x]
    }
    for (what, f, x, y, want) in rows {
        let got = f(at(x), at(y));
        assert_eq!(got, want, "{what} at ({x}, {y})");
    }
    let (x, y) = (at(0.0), at(3.0));
    assert_eq!((slope(x.sqrt(), x), slope(x.sqrt() + y, x)), (INF, INF), "the true limit stays");
    let z = fuse([x, y], |[a, b]| a.sqrt() + b);
    assert_eq!((slope(z, x), slope(z, y)), (INF, 1.0), "an infinite slope in x does not spoil y");
    let z = fuse([x, y], |[a, b]| (-a.sqrt()).relu() + b);
    assert_eq!((slope(z, x), slope(z, y)), (0.0, 1.0));
}

#[test]
fn a_branch_not_taken_leaves_no_trace_on_duals_and_tensors() {
    let x = Dual::variable(0.0_f64);
    assert_eq!((-x.sqrt()).relu().tangents, [0.0]);
    assert_eq!(Dual::constant(0.0_f64).sqrt().tangents, [0.0; 1], "what does not move stays");

    // Second order: the branch is cut for tangents of tangents too.
    let x = Dual { value: Dual::variable(0.0_f64), tangents: [Dual::constant(1.0)] };
    let y = (-x.sqrt()).relu();
    assert_eq!((y.tangents[0].value, y.tangents[0].tangents[0]), (0.0, 0.0));

    let tape = Tape::<Dual<f64, 1>>::new();
    let (x, y) = (tape.var(Dual::variable(0.0)), tape.var(Dual::constant(1.0)));
    let gradient = ((-x.sqrt()).relu() + y).gradient();
    assert!(gradient[x].is_zero() && !gradient[x].has_nan(), "{:?}", gradient[x]);

    let tape = Tape::<f64>::new();
    let x = tape.tensor([0.0, 4.0]);
    for (what, z, want) in [
        ("relu(-sqrt)", (-x.sqrt()).relu() + x, [1.0, 1.0]),
        ("sqrt times a mask", x.sqrt() * tape.constant_tensor([0.0, 1.0]), [0.0, 0.25]),
        ("exp times a mask", (x * 1000.0).exp() * tape.constant_tensor([1.0, 0.0]), [1000.0, 0.0]),
        ("sqrt of the other branch", x.maximum(tape.constant_tensor([1.0, 1.0])).sqrt(), [0.0, 0.25]),
    ] {
        assert_eq!(z.sum().gradient()[x].to_vec(), want, "{what}");
        let [recorded] = z.sum().recorded_gradient([x]);
        assert_eq!(recorded.value().to_vec(), want, "{what}, recorded");
    }
}

/// Inputs are searched for NaN in blocks: wherever the masked one lies, it is found.
#[test]
fn an_infinite_slope_behind_a_mask_is_found_among_many_inputs() {
    let mut tape = Tape::new();
    for masked in [0, 1, 62, 63, 64, 65, 127, 128, 129] {
        {
            let x = tape.vars(&[3.0; 130]);
            let later = tape.var(0.0); // the mask: sqrt'(0) is infinite, and the mask's partial in x is 0
            let y = (x[masked] * later).sqrt() + x[5] * x[6];
            let g = y.gradient();
            let want: Vec<f64> = (0..130).map(|k| if k == 5 || k == 6 { 3.0 } else { 0.0 }).collect();
            assert_eq!(g.wrt(&x), want, "input {masked}");
            assert_eq!(g[later], INF);
        }
        tape.clear();
    }
}

/// A mask in front of a function whose slope is infinite there, on handles that are not nodes of their own and on tapes over duals.
#[test]
fn a_mask_in_front_of_an_infinite_slope_leaves_no_trace() {
    fn masked<T: Number>(x: T) -> Vec<T> {
        let y = T::from(2.0);
        let zero = x * 0.0;
        vec![
            zero.sqrt(),
            (-x).relu().sqrt(),
            (-x).clamp(0.0, 5.0).cbrt(),
            (x - x).abs().sqrt(),
            (zero - 1.0).asin(),
            zero.powf(T::from(0.5)),
            zero.powi(-1) * 0.0 + y,
            zero.hypot(x * 0.0) + zero.ln().exp(),
            fuse_sqrt(zero),
        ]
    }
    fn fuse_sqrt<T: Number>(x: T) -> T {
        norm2(&[x.sqrt(), x])
    }
    let tape = Tape::<f64>::new();
    let x = tape.var(1.5);
    for (k, y) in masked(x).into_iter().enumerate() {
        assert_eq!(y.gradient()[x], 0.0, "row {k}");
    }
    let y = fuse([x * 0.0], |[x]| x.sqrt());
    assert_eq!(y.gradient()[x], 0.0, "fused");
    for k in 0..masked(1.5).len() {
        assert_eq!(real::grad(|x| masked(x[0])[k], &[1.5]), [0.0], "row {k} without a lifetime");
    }
    let tape = Tape::<Dual<f64, 1>>::new();
    let x = tape.var(Dual::variable(1.5));
    for (k, y) in masked_of_duals(x).into_iter().enumerate() {
        let x_bar = y.gradient()[x];
        assert!(x_bar.is_zero() && !x_bar.has_nan(), "row {k} over duals: {x_bar:?}");
    }
    fn masked_of_duals(x: Var<'_, Dual<f64, 1>>) -> [Var<'_, Dual<f64, 1>>; 2] {
        [(x * 0.0).sqrt(), (-x).relu().sqrt()]
    }
}

#[test]
fn what_a_zero_partial_meets_next_leaves_no_trace() {
    // The derivative of `x * 0` is 0, and what follows depends on nothing: not if it overflows, nor if it is NaN.
    every_way!("exp", [x = 1.0] => (x * 0.0_f64 + 800.0_f64).exp(), INF, [0.0]);
    every_way!("square", [x = 1.0] => (x * 0.0_f64 + 1e200_f64).square(), INF, [0.0]);
    every_way!("sin", [x = 1.0] => (x * 0.0_f64 + INF).sin(), NAN, [0.0]);
    every_way!("powi", [x = 1.0] => (x * 0.0_f64 + 1e200_f64).powi(3), INF, [0.0]);
    every_way!("constant factor", [x = -1.0] => (x.relu() + 1.0_f64) * INF, INF, [0.0]);
    every_way!("constant NaN", [x = -1.0] => (x.relu() + 1.0_f64) * NAN, NAN, [0.0]);
    every_way!("tanh before", [x = -1e200] => x.tanh() * INF, -INF, [0.0]);
    every_way!("ln behind", [x = 0.5] => (x * INF).ln(), INF, [0.0]);
    // One factor alone does not move; to the other its partial is 0.
    let tape = Tape::<f64>::new();
    let (x, y) = (tape.var(-1.0), tape.var(INF));
    assert_same("factor", &((x.relu() + 1.0_f64) * y).gradient().wrt([x, y]), &[0.0, 1.0]);
    // On a tape of duals the Hessian is 0 as well.
    assert_same("hvp", &real::hvp(|x| (x[0] * 0.0_f64 + 800.0_f64).exp(), &[1.0], &[1.0]), &[0.0]);
    assert_same("real", &real::grad(|x| (x[0] * 0.0_f64 + 800.0_f64).exp(), &[1.0]), &[0.0]);
}

#[test]
fn what_a_zero_partial_meets_next_leaves_no_trace_in_replays() -> Result<(), FunctionError> {
    let f = Function::record(&[0.5], |x| (x[0] * 0.0_f64 + 800.0_f64).exp() + (x[0].tanh() * INF).tanh())?;
    assert_same("one point", &f.gradient(&[30.0])?, &[0.0]);
    let (_, gradients) = f.values_and_gradients(&[[30.0]; 17])?;
    assert_same("lanes", &gradients.to_vec(), &[0.0; 17]);
    assert_same("hvp", &f.hvp(&[30.0], &[1.0])?, &[0.0]);
    // d tanh(u) = 0 where u is infinite, though du/dx is.
    let mut f = TensorFunction::record(&[Tensor::from([0.5; 3])], |x| (x[0] * INF).tanh().sum()).expect("recorded");
    let (_, gradient) = f.value_and_gradient(&[Tensor::from([0.5, -2.0, 3.0])]).expect("replayed");
    assert_same("tensors", &gradient[0].to_vec(), &[0.0; 3]);
    let tape = Tape::<f64>::new();
    let x = tape.tensor([0.5, -2.0]);
    let [x_bar] = (x * INF).tanh().sum().recorded_gradient([x]);
    assert_same("recorded gradient", &x_bar.value().to_vec(), &[0.0; 2]);
    assert_same("its tangent", &x_bar.jvp([x], [&Tensor::from([1.0, 1.0])]).to_vec(), &[0.0; 2]);
    Ok(())
}

#[test]
fn products_and_differences_with_constants_keep_the_sign_of_zero() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([0.0, -0.0]);
    let signs = |y: TensorVar<'_, f64>| y.value().iter().map(|y| 1.0 / y).collect::<Vec<_>>();
    assert_eq!(signs(x * 1.0), [INF, -INF]);
    assert_eq!(signs(x * 2.0), [INF, -INF]);
    assert_eq!(signs(-x), [-INF, INF]);
    assert_eq!(signs(x - 0.0), [INF, -INF]);
    assert_eq!(signs(x + 0.0), [INF, INF]);
    assert_eq!(signs(0.0 - x), [INF, INF]);
    assert_eq!(signs(-0.0 - x), [-INF, INF]);
    let points = [x.value()];
    let once = TensorFunction::record(&points, |x| (x[0] * 1.0_f64).recip() + (0.0_f64 - x[0]).recip());
    // -inf beside inf: at 0 both are inf, at -0 the sum is NaN.
    let y = once.expect("recorded").value(&points).expect("replayed").to_vec();
    assert!(y[0] == INF && y[1].is_nan(), "{y:?}");
}

#[test]
fn second_derivatives_of_powers_reach_as_far_as_they_do() -> Result<(), FunctionError> {
    // 6 x and 6 / x^4, though x^2 and 1 / x^3 are infinite here.
    for (n, x, want) in [(3, 1e200, 6e200), (3, -1e200, -6e200), (-2, 1e-200, INF)] {
        assert_same("tape", &real::hvp(|x| x[0].powi(n), &[x], &[1.0]), &[want]);
        let f = Function::record(&[0.5], |x| x[0].powi(n))?;
        assert_same("replay", &f.hvp(&[x], &[1.0])?, &[want]);
        assert_same("Hessian", &f.hessian(&[x])?.to_vec(), &[want]);
        let tape = Tape::<f64>::new();
        let point = tape.tensor([x]);
        assert_same("tensors", &point.powi(n).hvp([point], [&Tensor::from([1.0])])[0].to_vec(), &[want]);
    }
    // d2/dx2 (-2 x)^2 = 8 however large x is: the constant factor has no tangent.
    assert_same("constant factor", &real::hvp(|x| (x[0] * -2.0_f64).square(), &[-INF], &[1.0]), &[8.0]);
    Ok(())
}

#[test]
fn log_sum_exp_and_softmax_at_the_ends_of_the_range() {
    type Row = ([f64; 3], f64, [f64; 3]);
    let rows: [Row; 6] = [
        ([1e4, 1e4, -1e4], 1e4 + 2.0_f64.ln(), [0.5, 0.5, 0.0]),
        ([-INF, -INF, -INF], -INF, [0.0; 3]),
        ([-INF, 1.0, -INF], 1.0, [0.0, 1.0, 0.0]),
        ([INF, 0.0, 1.0], INF, [1.0, 0.0, 0.0]),
        ([-1e4, -1e4, -INF], -1e4 + 2.0_f64.ln(), [0.5, 0.5, 0.0]),
        ([NAN, 0.0, 1.0], NAN, [NAN; 3]),
    ];
    for (x, value, slopes) in rows {
        let tape = Tape::<f64>::new();
        let scalars = tape.vars(&x);
        let y = log_sum_exp(&scalars);
        assert_same("scalars", &[y.value()], &[value]);
        assert_same("scalars, gradient", &y.gradient().wrt(&scalars), &slopes);
        let tensor = tape.tensor(x);
        let y = tensor.log_sum_exp(0);
        assert_same("tensors", &[y.item()], &[value]);
        assert_same("tensors, gradient", &y.gradient()[tensor].to_vec(), &slopes);
    }
    let tape = Tape::<f64>::new();
    let huge = tape.tensor([1e4, -1e4, 1e4]);
    assert_eq!(huge.softmax(0).value().to_vec(), [0.5, 0.0, 0.5]);
    assert!(tape.tensor([-INF, -INF]).softmax(0).value().iter().all(f64::is_nan), "a fully masked row is NaN");
    let x = tape.tensor([1000.0, 0.0]);
    assert_eq!(x.log_softmax(0).value().to_vec(), [0.0, -1000.0], "where ln(softmax) would be -inf");
    assert_eq!(x.log_softmax(0).sum().gradient()[x].to_vec(), [-1.0, 1.0]);
}

#[test]
fn cross_entropy_of_certain_and_hopeless_predictions_is_finite() {
    let tape = Tape::<f64>::new();
    let logits = tape.tensor([[1e4, -1e4], [1e4, -1e4]]);
    let loss = logits.cross_entropy(&[0, 1]);
    assert_eq!(loss.item(), 1e4, "mean of 0 and 2e4");
    assert_eq!(loss.gradient()[logits].to_vec(), [0.0, 0.0, 0.5, -0.5]);
    let [recorded] = loss.recorded_gradient([logits]);
    assert_eq!(recorded.value().to_vec(), [0.0, 0.0, 0.5, -0.5]);
}

#[test]
fn reductions_of_nothing_and_of_unit_axes() {
    let tape = Tape::<f64>::new();
    let nothing = tape.tensor(Tensor::zeros([0]));
    let sum = nothing.sum();
    assert_eq!((sum.item(), sum.gradient()[nothing].len()), (0.0, 0));
    for (result, op) in
        [(nothing.try_mean_axes(0), "mean"), (nothing.try_max_axes(0), "max"), (nothing.try_min_axes(0), "min")]
    {
        let text = result.expect_err("there is no such value").to_string();
        assert!(text.contains(op) && text.contains("[0]"), "{text}");
    }
    let empty_rows = tape.tensor(Tensor::zeros([2, 0]));
    assert_eq!(empty_rows.log_sum_exp(1).value().to_vec(), [-INF, -INF]);
    assert_eq!(*empty_rows.softmax(1).value().shape(), [2, 0]);

    let (a, b) = (tape.tensor(Tensor::ones([3, 1])), tape.tensor(Tensor::ones([1, 0])));
    let sum = a + b;
    assert_eq!(*sum.value().shape(), [3, 0]);
    assert_eq!(sum.sum().gradient()[a].to_vec(), [0.0; 3]);
    let product = tape.tensor(Tensor::ones([2, 0])).matmul(tape.tensor(Tensor::ones([0, 3])));
    assert_eq!(product.value().to_vec(), [0.0; 6]);
}

#[test]
fn gathering_a_row_twice_adds_its_gradients() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let y = x.gather_rows(&[2, 0, 2].into());
    assert_eq!(y.value().to_vec(), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
    assert_eq!(y.sum().gradient()[x].to_vec(), [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]);
}

#[test]
fn long_sums_keep_their_digits() {
    // 1e7 times 0.1 in single precision: a running sum is off by 9 %.
    let tape = Tape::<f32>::new();
    let x = tape.constant_tensor(Tensor::full([10_000_000], 0.1));
    let exact = f64::from(0.1_f32) * 1e7;
    assert!((f64::from(x.sum().item()) - exact).abs() <= 1e-7 * exact);
    let columns = tape.constant_tensor(Tensor::full([1_000_000, 10], 0.1));
    let exact = exact / 10.0;
    assert!(columns.sum_axes(0).value().iter().all(|sum| (f64::from(sum) - exact).abs() <= 1e-7 * exact));
}

#[test]
fn products_of_zeros_divide_by_nothing() {
    let tape = Tape::<f64>::new();
    for (x, slopes) in
        [([2.0, 0.0, 3.0], [0.0, 6.0, 0.0]), ([0.0, 0.0, 3.0], [0.0; 3]), ([2.0, 4.0, 3.0], [12.0, 6.0, 8.0])]
    {
        let x = tape.vars(&x);
        let y: Var<'_, f64> = x.iter().copied().product();
        assert_eq!(y.gradient().wrt(&x), slopes);
    }
    let x = tape.vars(&[1.0, INF]);
    let y = dot(&x, &[Var::from(2.0), Var::from(0.0)]);
    assert_eq!(y.gradient().wrt(&x), [2.0, 0.0]);
}

#[test]
fn pairs_and_fused_products_agree_with_their_parts() {
    let tape = Tape::<f64>::new();
    let x = tape.var(0.7);
    let (sin, cos) = x.sin_cos();
    assert_eq!((sin.value(), cos.value()), (0.7_f64.sin(), 0.7_f64.cos()));
    assert_eq!((sin.gradient()[x], cos.gradient()[x]), (0.7_f64.cos(), -0.7_f64.sin()));
    let tiny = 2.0_f64.powi(-30);
    // (1 + t)(1 - t) - 1 = -t^2, of which two roundings leave nothing.
    let (a, b, c) = (tape.var(1.0 + tiny), tape.var(1.0 - tiny), tape.var(-1.0));
    let y = Elementary::mul_add(a, b, c);
    let gradient = y.gradient();
    assert_eq!((y.value(), gradient[a], gradient[b], gradient[c]), (-tiny * tiny, 1.0 - tiny, 1.0 + tiny, 1.0));
    let dual = Elementary::mul_add(Dual::variable(1.0 + tiny), Dual::constant(1.0 - tiny), Dual::constant(-1.0));
    assert_eq!((dual.value, dual.tangents), (-tiny * tiny, [1.0 - tiny]));
    assert_eq!(f64::select(false, NAN, 2.0), 2.0);
}
