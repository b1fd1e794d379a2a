//! What the check accepts, what it refuses, and in which words.

use wengert_check::{CheckError, Kinks, check, check_tensor, check_tensors};
use wengert_core::TensorVar;
use wengert_core::prelude::*;
use wengert_tensor::Tensor;

/// Makes a generic function of numbers a [`ScalarFn`] in one line.
macro_rules! scalar_fn {
    ($Name:ident($x:ident) $body:expr) => {
        struct $Name;
        impl ScalarFn for $Name {
            fn call<T: Number>(&self, $x: &[T]) -> T {
                $body
            }
        }
    };
}

scalar_fn!(Smooth(x)(x[0] * x[1]).sin() + (x[2].exp() + 1.0).ln() / (x[1].square() + 0.5) - x[0].powi(3));
scalar_fn!(Blind(x) x[0] * x[1] + x[0] * T::from(x[0].value()));
scalar_fn!(Manhattan(x) x.iter().map(|x| x.abs()).sum());
scalar_fn!(Ramp(x) x[0].relu() + x[0].sin());
scalar_fn!(SquaredRamp(x) x[0].relu().square());
scalar_fn!(Root(x) x[0].sqrt());
scalar_fn!(Pole(x) x[0].recip());
scalar_fn!(Nothing(x) T::from(3.0) * T::from(x.len() as f64));

/// Adds 1 on anything but a plain number.
struct Split;
impl ScalarFn for Split {
    fn call<T: Number>(&self, x: &[T]) -> T {
        if core::any::type_name::<T>() == "f64" { x[0] * 2.0 } else { x[0] * 2.0 + 1.0 }
    }
}

/// Three times as steep on duals of floats, the numbers of forward mode.
struct Steep;
impl ScalarFn for Steep {
    fn call<T: Number>(&self, x: &[T]) -> T {
        if core::any::type_name::<T>().starts_with("wengert_core::dual::Dual") { x[0] * 3.0 } else { x[0] }
    }
}

#[test]
fn smooth_functions_pass_to_second_order_over_many_magnitudes() {
    for scale in [1e-6, 1e-3, 1.0, 7.0] {
        let x = [0.3 * scale, -0.7 * scale, 1.1 * scale];
        let report = check(Smooth).at(&x).orders(2).directions(3).run().unwrap_or_else(|e| panic!("at {x:?}: {e}"));
        assert_eq!(report.compared, 3 + 3 * 3);
        assert!(report.kinks.is_empty() && report.worst.is_some_and(|worst| worst.severity() <= 1.0));
    }
}

#[test]
fn a_function_of_nothing_has_nothing_wrong() {
    let report = check(Nothing).at(&[]).orders(2).run().expect("no derivative to be wrong");
    assert_eq!((report.compared, report.worst), (0, None));
    let report = check(Nothing).at(&[1.0, 2.0]).orders(2).run().expect("zero is right");
    assert_eq!(report.value, 6.0);
}

#[test]
fn a_wrong_gradient_is_named_with_its_element() {
    let error = check(Blind).at(&[3.0, 5.0]).run().expect_err("half of the square's slope is missing");
    let CheckError::WrongDerivative { worst, wrong, checked } = &error else { panic!("{error}") };
    assert_eq!((worst.order, worst.input, &worst.index[..], worst.analytic), (1, 0, &[0][..], 8.0));
    assert!((worst.numeric - 11.0).abs() <= worst.tolerance && worst.tolerance < 1e-8);
    assert_eq!((*wrong, *checked), (1, 2));
    let text = error.to_string();
    assert!(text.starts_with("wrong derivative: order 1, input 0 at [0]: analytic 8e0, numeric 1.1"), "{text}");
    assert!(text.ends_with("; 1 of 2 elements of this order are wrong"), "{text}");
}

#[test]
fn a_tensor_gradient_cut_by_detach_is_wrong() {
    let error = check_tensors(|[a, b]| a * b.detach()).at([[1.0, 2.0].into(), [3.0, 4.0].into()]).run();
    let Err(CheckError::WrongDerivative { worst, wrong: 2, checked: 4 }) = error else { panic!("{error:?}") };
    assert_eq!((worst.input, worst.analytic), (1, 0.0));
}

#[test]
fn a_wrong_second_derivative_is_found_behind_a_right_gradient() {
    // Each tensor op is right to first order; the product with a detached slope is not to second.
    let error = check_tensor(|x| {
        let slope = x.detach().cos();
        (x - x.detach()) * slope + x.detach().sin()
    })
    .at([0.5, 1.5])
    .orders(2)
    .run();
    // The value moves with the point, so the first order is wrong already on the detached part.
    let Err(CheckError::WrongDerivative { worst, .. }) = error else { panic!("{error:?}") };
    assert_eq!(worst.order, 2);
}

#[test]
fn kinks_are_not_wrong_gradients() {
    let error = check(Manhattan).at(&[1.0, 0.0, -2.0]).run().expect_err("no derivative at 0");
    assert_eq!(
        error.to_string(),
        "kink: order 1, input 0 at [1]: slope -1.000000e0 from the left, 1.000000e0 from the right, analytic 0.000000e0; \
         move the point, or accept what lies between with kinks(Kinks::Accept)"
    );
    let report = check(Manhattan).at(&[1.0, 0.0, -2.0]).kinks(Kinks::Accept).run().expect("0 lies between -1 and 1");
    assert_eq!((report.compared, report.kinks.len()), (3, 1));
    assert!(check(Ramp).at(&[0.0]).kinks(Kinks::Accept).run().is_ok());
    assert!(matches!(check(Ramp).at(&[0.0]).run(), Err(CheckError::Kink { .. })));
    check(Ramp).at(&[1e-6]).orders(2).assert();
}

#[test]
fn a_kink_of_the_gradient_is_found_at_second_order_only() {
    check(SquaredRamp).at(&[0.0]).assert();
    let error = check(SquaredRamp).at(&[0.0]).orders(2).run().expect_err("the slope has a kink");
    assert!(matches!(&error, CheckError::Kink { kink } if kink.order == 2), "{error}");
}

#[test]
fn a_derivative_outside_the_slopes_is_wrong_even_at_a_kink() {
    let error = check_tensor(|x| x.abs() * 2.0 + x * 5.0 - x.detach() * 5.0).at([0.0]).kinks(Kinks::Accept).run();
    let Err(CheckError::WrongDerivative { worst, .. }) = error else { panic!("{error:?}") };
    assert_eq!(worst.analytic, 5.0);
    assert!((worst.numeric - 2.0).abs() < 1e-9);
}

#[test]
fn non_finite_values_and_gradients_are_named() {
    let text =
        |result: Result<_, CheckError>| result.map(|_: wengert_check::Report| ()).expect_err("not finite").to_string();
    assert_eq!(
        text(check(Pole).at(&[0.0]).run()),
        "non-finite value: the function is inf at this point; is the point inside its domain?"
    );
    assert_eq!(
        text(check(Root).at(&[0.0]).run()),
        "non-finite gradient: inf for input 0 at [0]; is the point inside the function's domain?"
    );
    assert!(text(check(Root).at(&[-1.0]).run()).starts_with("non-finite value: the function is NaN"));
}

#[test]
fn the_edge_of_a_domain_is_unsettled_not_wrong() {
    // 0 * sqrt(x): finite with slope 0 at 0, and nowhere finite to the left.
    let error = check_tensor(|x| (x + 1.0).sqrt() + (x.sqrt() * 0.0)).at([0.0]).run().expect_err("one side is missing");
    let text = error.to_string();
    assert!(
        text.starts_with("differences do not settle: order 1, input 0 at [0]: analytic 5e-1, numeric NaN"),
        "{text}"
    );
}

#[test]
fn values_and_modes_that_disagree_are_told_apart() {
    let error = check(Split).at(&[1.0]).run().expect_err("two values");
    assert_eq!(
        error.to_string(),
        "wrong value: 2e0 on plain numbers, 3e0 on the tape; does the function branch on the kind of number?"
    );
    let error = check(Steep).at(&[1.0]).run().expect_err("two slopes");
    assert!(matches!(error, CheckError::ForwardReverse { .. }), "{error}");
    assert!(error.to_string().starts_with("forward and reverse mode disagree: J v = "), "{error}");
}

#[test]
#[should_panic(expected = "wrong derivative: order 1, input 0 at [0]: analytic 8e0")]
fn assert_panics_with_the_text_of_the_error() {
    check(Blind).at(&[3.0, 5.0]).assert();
}

#[test]
fn tensors_of_any_shape_pass_and_their_report_names_the_worst_element() {
    let x = Tensor::from_fn([2, 3, 2], |i| 0.3 * (i[0] as f64) - 0.2 * (i[1] as f64) + 0.1 * (i[2] as f64) + 0.05);
    let report =
        check_tensor(|x| x.sin().sum_axes(1) * x.mean()).at(x).orders(2).run().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.compared, 12 + 2 * 12);
    let text = report.to_string();
    assert!(text.starts_with("36 derivatives agree; worst: order "), "{text}");
}

#[test]
fn a_program_that_leaves_tensors_is_checked_without_a_tangent() {
    let point = [0.5, -1.5];
    let report = check_tensor(|x: TensorVar<'_, f64>| x.tape().pack(&x.scalars()).square()).at(point).run();
    assert_eq!(report.unwrap_or_else(|error| panic!("{error}")).compared, 2);
}
