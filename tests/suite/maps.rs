//! Fused expressions over tensors: against the same expressions composed of single ops, against finite differences, and
//! where they must refuse.

use crate::panics::panic_text;
use crate::ulp::ulps;
use proptest::prelude::*;
use wengert::prelude::*;
use wengert::{Error, FunctionError, TensorFloat, try_zip_map, try_zip_map_mean, try_zip_map_sum};
use wengert_check::{check_tensor, check_tensors, strategies};

/// The expression as single ops and as a closure: one text for both.
macro_rules! expression {
    ($x:ident, $w:ident, $b:ident) => {
        ($x * $w + $b).tanh() * $x.sigmoid() + (-$x * $x).exp() - ($w / ($x * $x + 1.5)).sin() * $b.relu()
    };
}

macro_rules! fused {
    ($inputs:expr) => {
        zip_map($inputs, |[x, w, b]| expression!(x, w, b))
    };
}

fn normal<F: TensorFloat>(shape: impl Into<Shape>, seed: u64) -> Tensor<F> {
    let x: Tensor<f64> = Tensor::normal(shape, 0.0, 1.0, &mut rng(seed));
    Tensor::from_vec(x.shape().clone(), x.iter().map(F::from_f64).collect())
}

/// Operands of many layouts that broadcast against each other.
fn operands<F: TensorFloat>() -> Vec<[Tensor<F>; 3]> {
    let n = |shape: &[usize], seed| normal::<F>(shape, seed);
    let mut all: Vec<[Tensor<F>; 3]> = [0, 1, 8, 9, 16, 17, 64, 65, 128, 129, 255, 256, 257, 1000, 40_000]
        .map(|len| [n(&[len], 1), n(&[len], 2), n(&[len], 3)])
        .into();
    all.extend([
        [n(&[], 1), n(&[], 2), n(&[], 3)],
        [n(&[2, 0, 3], 1), n(&[3], 2), n(&[], 3)],
        [n(&[7, 50], 1), n(&[50], 2), n(&[7, 1], 3)],
        [n(&[7, 1], 1), n(&[50], 2), n(&[], 3)],
        [n(&[50, 7], 1).t(), n(&[7, 50], 2), n(&[50], 3)],
        [n(&[7, 100], 1).slice(1, Slice::from(1..99).step(2)), n(&[7, 49], 2).flip(0), n(&[49], 3).flip(0)],
        [n(&[300, 3], 1), n(&[3], 2), n(&[300, 1], 3).broadcast_to([300, 3])],
        [n(&[5, 4, 6], 1).permute([2, 0, 1]), n(&[5, 1], 2), n(&[6, 1, 4], 3)],
    ]);
    all
}

#[test]
fn a_fused_expression_is_the_composed_one_in_value_and_gradient() {
    for at in operands::<f64>() {
        let tape = Tape::new();
        let inputs = at.each_ref().map(|x| tape.tensor(x));
        let [x, w, b] = inputs;
        let (composed, fused) = (expression!(x, w, b), fused!(inputs));
        assert_eq!(fused.shape(), composed.shape());
        for (got, want) in fused.value().iter().zip(composed.value().iter()) {
            // Both sides evaluate the same vector functions; what may differ is a rounding of a last product.
            assert!(ulps(got, want, 1.0) <= 2.0, "{got:e} for {want:e}");
        }
        let seed = normal(fused.shape(), 4);
        let (got, want) = (fused.vjp(&seed), composed.vjp(&seed));
        let total = zip_map_sum(inputs, |[x, w, b]| expression!(x, w, b));
        let (sum, sum_want) = (total.gradient(), composed.sum().gradient());
        assert!((total.item() - composed.sum().item()).abs() <= 1e-13 * (1.0 + composed.abs().sum().item()));
        for x in inputs {
            for (got, want) in [(&got[x], &want[x]), (&sum[x], &sum_want[x])] {
                assert_eq!(got.shape(), want.shape());
                let scale = want.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
                assert!(got.iter().zip(want.iter()).all(|(got, want)| (got - want).abs() <= 1e-12 * scale));
            }
        }
    }
}

#[test]
fn single_precision_is_the_double_one_rounded() {
    for (at, exact) in operands::<f32>().into_iter().zip(operands::<f64>()) {
        let (tape, tape64) = (Tape32::new(), Tape::new());
        let (x, x64) = (at.each_ref().map(|x| tape.tensor(x)), exact.each_ref().map(|x| tape64.tensor(x)));
        let (y, y64) = (fused!(x), fused!(x64));
        let close = |got: &Tensor<f32>, want: &Tensor<f64>, per: f64| {
            let scale = want.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
            got.iter().zip(want.iter()).all(|(got, want)| (f64::from(got) - want).abs() <= per * scale)
        };
        // A handful of roundings of 6e-8 in the value; a gradient is a sum of up to 40 000 of them.
        assert!(close(&y.value(), &y64.value(), 2e-6));
        let (g, g64) = (y.sum().gradient(), y64.sum().gradient());
        for (x, x64) in x.into_iter().zip(x64) {
            assert!(close(&g[x], &g64[x64], 4e-6));
        }
    }
}

#[test]
fn finite_differences_agree_to_second_order() {
    let at = [normal::<f64>([3, 4], 5), normal([4], 6), normal([3, 1], 7)];
    check_tensors(|x| zip_map(x, |[x, w, b]| (x * w + b).tanh() * x.sigmoid() + (-x * x).exp()))
        .at(at.clone())
        .orders(2)
        .assert();
    check_tensors(|x| zip_map_sum(x, |[x, w, b]| (x * w).sin() / (b * b + 1.0) + w.powi(3)))
        .at(at.clone())
        .orders(2)
        .assert();
    check_tensors(|x| zip_map_mean(x, |[x, w, b]| (x * w).cos() * b.exp())).at(at).orders(2).assert();
    check_tensor(|x| x.t().map(|x| x.softplus() * x.erf())).at([[0.3, -1.0, 0.7], [2.0, 0.1, 0.2]]).orders(2).assert();
    check_tensor(|x| {
        zip_map_sum([x.slice(0, 0..4), x.slice(0, 1..5)], |[a, b]| (b - a * a).square() * 100.0 + (a - 1.0).square())
    })
    .at([0.3, -1.0, 0.7, 1.1, 0.9])
    .orders(2)
    .assert();
}

#[test]
fn the_gradient_of_a_map_is_a_map_to_any_order() {
    let tape = Tape::new();
    let x = tape.tensor([0.5, 2.0]);
    let mut y = x.map(|x| x.exp() * x);
    for order in 1..=4 {
        [y] = y.sum().recorded_gradient([x]);
        // (x + k) exp x
        for (got, x) in y.value().iter().zip([0.5_f64, 2.0]) {
            let want = (x + f64::from(order)) * x.exp();
            assert!((got - want).abs() <= 1e-14 * want, "order {order}: {got} for {want}");
        }
    }
}

#[test]
fn one_operand_used_twice_gets_both_cotangents() {
    let tape = Tape::new();
    let x = tape.tensor([2.0, 3.0]);
    let y = zip_map_sum([x, x], |[a, b]| a * a * b);
    assert_eq!(y.gradient()[x].to_vec(), [12.0, 27.0]);
}

/// Checks the pullbacks of a function, for several blocks of elements and a part of one, against one scalar gradient each.
macro_rules! assert_elementwise {
    (|$x:ident| $f:expr) => {{
        let at = [1, 2, 3].map(|seed| normal::<f64>([1300], seed));
        let tape = Tape::new();
        let inputs = at.each_ref().map(|x| tape.tensor(x));
        let seed = normal([1300], 4);
        let whole = zip_map(inputs, |$x| $f).vjp(&seed);
        let total = zip_map_sum(inputs, |$x| $f).gradient();
        for i in (0..1300).step_by(29) {
            let want = grad(
                |x| {
                    let $x = [x[0], x[1], x[2]];
                    $f
                },
                &at.each_ref().map(|x| x.at([i])),
            );
            for (k, &want) in want.iter().enumerate() {
                let close = |got: f64, want: f64| (got - want).abs() <= 1e-11 * want.abs().max(1.0);
                assert!(close(total[inputs[k]].at([i]), want), "{:e} for {want:e}", total[inputs[k]].at([i]));
                let want = want * seed.at([i]);
                assert!(close(whole[inputs[k]].at([i]), want), "{:e} for {want:e}", whole[inputs[k]].at([i]));
            }
        }
    }};
}

#[test]
fn adjoints_begin_anew_in_every_block() {
    assert_elementwise!(|x| x[1]);
    assert_elementwise!(|x| x[0].atan2(x[0] * x[1]) + x[0].hypot(x[0]) + x[2] * x[2]);
    assert_elementwise!(|x| (x[0] * x[1]).detach() * x[1] + x[2].sin().detach());
    assert_elementwise!(|x| (x[0].sin() + x[1].exp() + x[2] + x[0]).tanh() * x[2].sigmoid() - x[2].tanh());
    assert_elementwise!(|x| product(&[x[0], x[1].cos(), x[2], x[0]]) + norm2(&[x[1], x[2], x[1]]) + x[2]);
    assert_elementwise!(|x| dot(&[x[0], x[1]], &[x[1], x[2]]) * x[0].elu(1.5) + x[1].elu(0.5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn random_expressions_have_the_gradients_of_scalar_programs(program in strategies::program(3, 8)) {
        assert_elementwise!(|x| program.call(&x));
    }
}

#[test]
fn a_mean_is_the_sum_over_the_number_of_elements() {
    for at in operands::<f64>() {
        let tape = Tape::new();
        if at.iter().any(Tensor::is_empty) {
            continue;
        }
        let x = at.each_ref().map(|x| tape.tensor(x));
        let (mean, sum) = (zip_map_mean(x, |[x, w, b]| x * w.sin() + b), zip_map_sum(x, |[x, w, b]| x * w.sin() + b));
        let n = (x[0] * x[1] * x[2]).value().len() as f64;
        assert_eq!(mean.item(), sum.item() / n);
        // A cotangent that is not 1, on both.
        let (g, h) = ((mean * (3.0 * n)).gradient(), (sum * 3.0).gradient());
        for x in x {
            let scale = h[x].iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
            assert!(g[x].iter().zip(h[x].iter()).all(|(g, h)| (g - h).abs() <= 1e-13 * scale));
        }
    }
    let tape = Tape::new();
    let nothing = tape.tensor(Tensor::zeros([0, 3]));
    let error = try_zip_map_mean([nothing], |[x]| x.exp()).unwrap_err();
    assert!(error.to_string().contains(": zip_map_mean: shape [0, 3] leaves no elements"), "{error}");
}

#[test]
fn a_sum_without_weight_moves_nothing_however_steep_it_is() {
    let tape = Tape::new();
    let (x, none) = (tape.tensor([0.0, 4.0]), tape.tensor(0.0));
    let sum = zip_map_sum([x], |[x]| x.ln());
    assert_eq!(sum.gradient()[x].to_vec(), [f64::INFINITY, 0.25]);
    let g = TensorVar::select(Tensor::scalar(false), sum, none * 2.0).gradient();
    assert_eq!(g[x].to_vec(), [0.0; 2]);
}

#[test]
fn constants_get_no_gradient_and_a_map_of_constants_records_nothing() {
    let tape = Tape::new();
    let (x, c) = (tape.tensor([2.0, 3.0]), tape.constant_tensor([5.0, 7.0]));
    let y = zip_map_sum([x, c], |[x, c]| x * c);
    let g = y.gradient();
    assert_eq!(g[x].to_vec(), [5.0, 7.0]);
    assert!(panic_text(|| g[c].len()).contains("a constant"));
    assert!(!c.map(|c| c.exp()).is_active());
    assert_eq!(x.map(|x| x.detach() * x).sum().gradient()[x].to_vec(), [2.0, 3.0]);
    // An expression that forgets its operand: nothing flows, and the shape stays.
    let three = x.map(|_| 3.0.into());
    assert_eq!((three.value().to_vec(), three.sum().gradient()[x].to_vec()), (vec![3.0; 2], vec![0.0; 2]));
}

#[test]
fn sums_of_nothing_are_zero_and_of_a_million_keep_their_digits() {
    let tape = Tape32::new();
    let nothing = tape.tensor(Tensor::zeros([0, 3]));
    let sum = zip_map_sum([nothing], |[x]| x.exp());
    assert_eq!((sum.item(), sum.gradient()[nothing].shape().clone()), (0.0, Shape::from([0, 3])));
    let x = tape.tensor(Tensor::full([1_000_000], 0.1_f32));
    assert_eq!(zip_map_sum([x], |[x]| x * 1.0).item(), 100_000.0);
}

#[test]
fn no_bit_depends_on_the_threads() {
    let at = [normal::<f32>([300, 700], 1), normal([700], 2), normal([300, 1], 3)];
    let all = || {
        let tape = Tape32::new();
        let x = at.each_ref().map(|x| tape.tensor(x));
        let y = fused!(x);
        let total = zip_map_sum(x, |[x, w, b]| (x * w + b).tanh() * x.sigmoid());
        let (g, h) = (y.square().sum().gradient().wrt(x), total.gradient().wrt(x));
        let numbers = |x: &Tensor<f32>| x.iter().map(f32::to_bits).collect::<Vec<_>>();
        (numbers(&y.value()), total.item().to_bits(), g.each_ref().map(numbers), h.each_ref().map(numbers))
    };
    let one = wengert::threads(1, all);
    for threads in [2, 3, 8] {
        assert!(wengert::threads(threads, all) == one, "{threads} threads");
    }
}

#[test]
fn zero_times_infinity_is_zero() {
    let tape = Tape::new();
    let x = tape.tensor([0.0, 4.0]);
    // The slope of sqrt at 0 is infinite, but its cotangent is 0.
    let y = zip_map([x], |[x]| x.sqrt() * x.step());
    assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 0.25]);
    let masked = x.map(|x| x.sqrt()).vjp(&Tensor::from([0.0, 1.0]));
    assert_eq!(masked[x].to_vec(), [0.0, 0.25]);
    // A product with 0 * infinity on the way: the optimistic sweep meets NaN and is repeated with care.
    let y = x.map(|x| x.sqrt().mul_zero(x.step()) * x.step());
    assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 0.25]);
    let [dy] = x.map(|x| x.sqrt() * x.step()).sum().recorded_gradient([x]);
    assert_eq!(dy.value().to_vec(), [0.0, 0.25]);
}

#[test]
fn slopes_computed_with_values_are_those_of_single_ops_at_awkward_points() {
    let inf = f64::INFINITY;
    let awkward = [0.0, -0.0, 1e-300, -0.624, 0.626, 19.5, -40.0, 400.0, -800.0, inf, -inf, f64::NAN];
    for weight in [1.0, 0.0, -2.5, inf, f64::NAN] {
        let tape = Tape::new();
        let x = tape.tensor(awkward);
        let w = tape.constant_tensor(Tensor::full([awkward.len()], weight));
        let fused = zip_map([x, w], |[x, w]| (x.tanh() + x.sigmoid()) * w).sum().gradient();
        let single = ((x.tanh() + x.sigmoid()) * w).sum().gradient();
        for ((x, got), want) in awkward.into_iter().zip(fused[x].iter()).zip(single[x].iter()) {
            assert!(got == want || got.is_nan() && want.is_nan(), "at {x}, weight {weight}: {got:e} for {want:e}");
        }
    }
}

#[test]
fn a_value_read_in_the_closure_is_nan_not_a_frozen_number() {
    let tape = Tape::new();
    let x = tape.tensor([1.0, 2.0]);
    let y = x.map(|x| x * x.value());
    assert!(y.value().iter().all(f64::is_nan));
}

#[test]
fn errors_name_the_op_and_the_line() {
    let (tape, other) = (Tape::new(), Tape::new());
    let (a, b) = (tape.tensor([1.0, 2.0]), tape.tensor([1.0, 2.0, 3.0]));
    let text = |error: Error| error.to_string().replace(file!(), "maps.rs");
    let line = line!() + 1;
    let error = a.try_map(|x| if x > 0.0 { x } else { -x }).unwrap_err();
    let Error::Closure { op: "zip_map", source, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, FunctionError::Branch { .. }));
    let advice = "in an expression for many elements, which cannot branch for each; use relu, maximum, minimum, clamp, abs or step, or select between tensors";
    let text_of = text(error);
    assert!(
        text_of.starts_with(&format!("maps.rs:{line}:")) && text_of.contains(&format!(": zip_map: maps.rs:{line}:")),
        "{text_of}"
    );
    assert!(text_of.ends_with(&format!("comparison > {advice}")), "{text_of}");
    let error = try_zip_map_sum([a, a], |[x, y]| if x == y { x } else { y }).unwrap_err();
    assert!(text(error).contains("zip_map_sum: maps.rs"));
    let panicked = panic_text(|| a.map(|x| if x <= 1.0 { x } else { -x })).replace(file!(), "maps.rs");
    assert!(panicked.contains(&format!("comparison <= {advice}")), "{panicked}");

    let error = text(try_zip_map([a, b], |[x, y]| x * y).unwrap_err());
    let shapes = "zip_map: shapes [2] and [3] do not broadcast";
    assert!(error.starts_with("maps.rs:") && error.contains(shapes), "{error}");
    assert!(matches!(
        try_zip_map([a, other.tensor([1.0, 2.0])], |[x, y]| x * y),
        Err(Error::MixedTapes { op: "zip_map", .. })
    ));
    let none: [TensorVar<'_, f64>; 0] = [];
    assert!(matches!(try_zip_map(none, |[]| 1.0.into()), Err(Error::Empty { op: "zip_map", .. })));
    let error = a.try_map(|x| fuse([x], |[x]| x * x)).map(|y| y.value().to_vec());
    assert_eq!(error, Ok(vec![1.0, 4.0]));
    // A failed op leaves nothing.
    assert_eq!(a.square().sum().gradient()[a].to_vec(), [2.0, 4.0]);
}

#[test]
fn a_rule_known_at_one_point_is_refused() {
    let tape = Tape::new();
    let x = tape.tensor([1.0, 2.0]);
    let error = x.try_map(|x| custom([x], |[x]| (x * x, [2.0 * x]))).unwrap_err();
    let Error::Closure { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, FunctionError::NotReplayable { .. }), "{error}");
}

/// Passes are remembered by what they compute, not by where they were recorded.
#[test]
fn expressions_that_differ_in_a_sign_of_zero_or_a_constant_are_not_taken_for_one_another() {
    let tape = Tape::new();
    let x = tape.tensor([1.0, -2.0, 3.0]);
    let scaled = |c: f64| x.map(|x| x * c).value().to_vec();
    // More than are remembered, twice: known ones, and those that had to make way.
    for c in (0..40).chain(0..40).map(f64::from) {
        assert_eq!(scaled(c + 2.0), [c + 2.0, -2.0 * (c + 2.0), 3.0 * (c + 2.0)]);
        let signs = |c| scaled(c).iter().map(|y| y.is_sign_negative()).collect::<Vec<_>>();
        assert_eq!((signs(0.0), signs(-0.0)), (vec![false, true, false], vec![true, false, true]));
        let clamped = |low| x.map(|x| x.clamp(low, 2.0 + c)).value().to_vec();
        assert_eq!((clamped(-1.0)[1], clamped(-1.5)[1]), (-1.0, -1.5));
        assert_eq!((clamped(0.0)[1].is_sign_negative(), clamped(-0.0)[1].is_sign_negative()), (false, true));
    }
    let (x, y) = (tape.tensor([3.0]), tape.tensor([5.0]));
    let product = |[x, y]: [_; 2]| zip_map_sum([x, y], |[x, y]| x * y * y);
    let [x_bar, y_bar] = product([x, y]).gradient().wrt([x, y]);
    assert_eq!((x_bar.to_vec(), y_bar.to_vec()), (vec![25.0], vec![30.0]));
    // The same expression of other operands that move.
    let [y_bar] = product([x.detach(), y]).gradient().wrt([y]);
    assert_eq!(y_bar.to_vec(), [30.0]);
    // The same expression of other numbers.
    let singles = Tape32::new();
    let [wide, single] =
        [x.map(|x| x * 2.5).value().to_vec()[0], f64::from(singles.tensor([3.0]).map(|x| x * 2.5).value().to_vec()[0])];
    assert_eq!((wide, single), (7.5, 7.5));
}
