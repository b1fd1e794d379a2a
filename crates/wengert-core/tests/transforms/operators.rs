//! Every operator in every form of its operands, for variables and duals in both precisions, against arithmetic on
//! floats and finite differences of it.

use proptest::prelude::*;
use wengert_core::{Dual, Tape, Var};

/// The operators between `$a` and `$b` by value and reference and, where `$a` is a variable, assigning.
macro_rules! forms {
    (both $op:tt $a:expr, $b:expr) => { [$a $op $b, &$a $op $b, $a $op &$b, &$a $op &$b] };
    (assign $op_assign:tt $a:expr, $b:expr) => {{
        let (mut by_value, mut by_reference) = ($a, $a);
        by_value $op_assign $b;
        by_reference $op_assign &$b;
        [by_value, by_reference]
    }};
}

/// Checks all forms of one operator for one kind of number: `$result` takes a number to its value and its two
/// derivatives.
macro_rules! check {
    ($F:ident, $op:tt $op_assign:tt, $x:expr, $y:expr, $a:expr, $b:expr, $result:expr) => {{
        let (x, y, a, b) = ($x, $y, $a, $b);
        let f = |a: $F, b: $F| a $op b;
        // Central differences in double precision: 1e-10 of noise, 1e-10 of curvature.
        let h = 1e-5;
        let (wide_a, wide_b) = (f64::from(a), f64::from(b));
        let slope = |u: f64, v: f64| u $op v;
        let by_a = (slope(wide_a + h, wide_b) - slope(wide_a - h, wide_b)) / (2.0 * h);
        let by_b = (slope(wide_a, wide_b + h) - slope(wide_a, wide_b - h)) / (2.0 * h);
        let tolerance = 1e-7_f64.max(8.0 * f64::from($F::EPSILON));
        let near = |got: $F, expected: f64| (f64::from(got) - expected).abs() <= tolerance * expected.abs().max(1.0);
        let variables = forms!(both $op x, y).into_iter().chain(forms!(assign $op_assign x, y));
        for z in variables {
            let (value, dx, dy) = $result(z);
            prop_assert_eq!(value, f(a, b));
            prop_assert!(near(dx, by_a) && near(dy, by_b), "{} {} {}", stringify!($op), dx, dy);
        }
        let constant_right = forms!(both $op x, b).into_iter().chain(forms!(assign $op_assign x, b));
        for z in constant_right {
            let (value, dx, dy) = $result(z);
            prop_assert_eq!(value, f(a, b));
            prop_assert!(near(dx, by_a) && dy == 0.0, "constant on the right: {} {}", dx, dy);
        }
        for z in forms!(both $op a, y) {
            let (value, dx, dy) = $result(z);
            prop_assert_eq!(value, f(a, b));
            prop_assert!(dx == 0.0 && near(dy, by_b), "constant on the left: {} {}", dx, dy);
        }
    }};
}

macro_rules! check_all {
    ($F:ident, $x:expr, $y:expr, $a:expr, $b:expr, $result:expr) => {
        check!($F, + +=, $x, $y, $a, $b, $result);
        check!($F, - -=, $x, $y, $a, $b, $result);
        check!($F, * *=, $x, $y, $a, $b, $result);
        check!($F, / /=, $x, $y, $a, $b, $result);
    };
}

macro_rules! for_precision {
    ($F:ident $variables:ident $duals:ident) => {
        proptest! {
            #[test]
            fn $variables(a in -3.0..3.0_f64, b in prop_oneof![-3.0..-0.5_f64, 0.5..3.0_f64]) {
                let (a, b) = (a as $F, b as $F);
                let tape = Tape::<$F>::new();
                let (x, y) = (tape.var(a), tape.var(b));
                let result = |z: Var<'_, $F>| {
                    let g = z.gradient();
                    (z.value(), g[x], g[y])
                };
                check_all!($F, x, y, a, b, result);
                for z in [-x, -&x] {
                    prop_assert_eq!(result(z), (-a, -1.0, 0.0));
                }
                // Both operands on one node, which folds.
                prop_assert_eq!(result(x - x), (0.0, 0.0, 0.0));
                prop_assert_eq!(result(y / y).0, 1.0);
                prop_assert!(result(y / y).2.abs() <= 4.0 * $F::EPSILON);
            }

            #[test]
            fn $duals(a in -3.0..3.0_f64, b in prop_oneof![-3.0..-0.5_f64, 0.5..3.0_f64]) {
                let (a, b) = (a as $F, b as $F);
                let [x, y] = Dual::independent([a, b]);
                let result = |z: Dual<$F, 2>| (z.value, z.tangents[0], z.tangents[1]);
                check_all!($F, x, y, a, b, result);
                for z in [-x, -&x] {
                    prop_assert_eq!(result(z), (-a, -1.0, 0.0));
                }
            }
        }
    };
}
for_precision!(f64 variables_of_f64_agree_with_arithmetic_in_every_form duals_of_f64_agree_with_arithmetic_in_every_form);
for_precision!(f32 variables_of_f32_agree_with_arithmetic_in_every_form duals_of_f32_agree_with_arithmetic_in_every_form);

#[test]
fn tapes_over_duals_take_plain_constants_in_every_form() {
    let tape = Tape::<Dual<f64, 1>>::new();
    let x = tape.var(Dual::variable(2.0));
    let (c, borrowed) = (3.0, &3.0);
    let results = [x + c, x - c, x * c, x / c, c + x, c - x, c * x, c / x, x * borrowed, borrowed / x];
    let values = results.map(|y| y.primal().value);
    assert_eq!(values, [5.0, -1.0, 6.0, 2.0 / 3.0, 5.0, 1.0, 6.0, 1.5, 6.0, 1.5]);
    let slopes = results.map(|y| y.gradient()[x].value);
    assert_eq!(slopes, [1.0, 1.0, 3.0, 1.0 / 3.0, 1.0, -1.0, 3.0, -0.75, 3.0, -0.75]);
    // d2/dx2 of 3/x is 6/x^3.
    assert_eq!((c / x).gradient()[x].tangents, [0.75]);
}
