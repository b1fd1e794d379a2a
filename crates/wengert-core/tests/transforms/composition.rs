//! Transforms of transforms: derivatives of derivatives, against derivatives by hand.

use crate::assert_close;
use wengert_core::Tape as AnyTape;
use wengert_core::prelude::*;
use wengert_core::transform::{try_grad, try_hessian, try_hvp, try_value_and_grad};

/// `f = x^2 y^3 + exp(x z)`.
fn f<T: Number>(x: &[T]) -> T {
    x[0].square() * x[1].powi(3) + (x[0] * x[2]).exp()
}
const AT: [f64; 3] = [0.5, -1.5, 0.8];

fn gradient_by_hand([x, y, z]: [f64; 3]) -> [f64; 3] {
    let e = (x * z).exp();
    [2.0 * x * y.powi(3) + z * e, 3.0 * x * x * y * y, x * e]
}
fn hessian_by_hand([x, y, z]: [f64; 3]) -> [[f64; 3]; 3] {
    let e = (x * z).exp();
    let (xx, xy, xz) = (2.0 * y.powi(3) + z * z * e, 6.0 * x * y * y, (1.0 + x * z) * e);
    [[xx, xy, xz], [xy, 6.0 * x * x * y, 0.0], [xz, 0.0, x * x * e]]
}

#[test]
fn the_jacobian_of_the_gradient_is_the_hessian() {
    let f = function!(f);
    let expected = hessian_by_hand(AT).concat();
    assert_close(&hessian(&f, &AT).to_vec(), &expected, 1e-13);
    assert_close(&jacobian_of(&Grad(&f), &AT).to_vec(), &expected, 1e-13);
    assert_close(&Grad(&f).call(&AT), &gradient_by_hand(AT), 1e-13);
    let v = [1.0, -2.0, 0.5];
    let hv: Vec<f64> = hessian_by_hand(AT).iter().map(|row| dot(row, &v)).collect();
    assert_close(&hvp(&f, &AT, &v), &hv, 1e-13);
    // The same along v in forward mode over the gradient.
    assert_close(&jvp(|x| Grad(&f).call(x), &AT, &v).1, &hv, 1e-13);
}

#[test]
fn a_gradient_on_variables_is_differentiated_with_what_follows() {
    // d/dx |grad f|^2 = 2 H grad f, as a closure over variables.
    let f = function!(f);
    let (value, gradient) = value_and_grad(|x| Grad(&f).call(x).iter().map(|g| g.square()).sum(), &AT);
    let g = gradient_by_hand(AT);
    let expected: Vec<f64> = hessian_by_hand(AT).iter().map(|row| 2.0 * dot(row, &g)).collect();
    assert_close(&[value], &[dot(&g, &g)], 1e-13);
    assert_close(&gradient, &expected, 1e-13);
}

/// `<v, grad f>`: a directional derivative as a function again.
struct Along<F>(F, [f64; 3]);
impl<F: ScalarFn> ScalarFn for Along<F> {
    fn call<T: Number>(&self, x: &[T]) -> T {
        let v = self.1.map(T::from);
        dot(&Grad(&self.0).call(x), &v)
    }
}

#[test]
fn third_and_fourth_derivatives_by_composition() {
    let (u, v) = ([1.0, 0.5, -1.0], [0.3, -0.7, 2.0]);
    // Third: the Hessian of <v, grad f> is the derivative of the Hessian along v.
    let third = hessian(&Along(function!(f), v), &AT).to_vec();
    let h = 1e-4;
    let moved = |s: f64| hessian_by_hand([AT[0] + s * v[0], AT[1] + s * v[1], AT[2] + s * v[2]]).concat();
    // Fourth-order differences of second derivatives by hand.
    let difference: Vec<f64> = (0..9)
        .map(|k| (8.0 * (moved(h)[k] - moved(-h)[k]) - (moved(2.0 * h)[k] - moved(-2.0 * h)[k])) / (12.0 * h))
        .collect();
    assert_close(&third, &difference, 1e-9);
    // Fourth along one direction: two compositions and a Hessian-vector product, against the series of f itself.
    let fourth = Along(Along(function!(f), u), u);
    let hv = hvp(&fourth, &AT, &u);
    let series: [f64; 5] = taylor(f, &AT, &u);
    assert_close(&[dot(&hv, &u)], &[24.0 * series[4]], 1e-11);
    // On a tape over series: the gradient's own series along a direction.
    let tape = AnyTape::<Taylor<f64, 4>>::new();
    let x: Vec<_> = AT.iter().zip(u).map(|(&x, u)| tape.var(Taylor::along(x, u))).collect();
    let g = f(&x).gradient();
    let third_along_u: f64 = x.iter().zip(u).map(|(&x, u)| g[x].derivatives()[2] * u).sum();
    assert_close(&[third_along_u], &[6.0 * series[3]], 1e-12);
}

#[test]
fn single_precision_composes_too() {
    struct Cubic;
    impl ScalarFn<f32> for Cubic {
        fn call<T: Number<f32>>(&self, x: &[T]) -> T {
            x[0] * x[0] * x[0] * x[1]
        }
    }
    assert_eq!(Grad(Cubic).call(&[2.0_f32, 3.0]), [36.0, 8.0]);
    let tape = Tape32::new();
    let x = tape.vars(&[2.0, 3.0]);
    let g = Grad(Cubic).call(&x);
    assert_eq!(tape.jacobian(&g, &x).to_vec(), [36.0, 12.0, 12.0, 0.0]);
}

#[test]
fn a_function_of_no_input_is_constant_and_of_nothing_is_refused() {
    fn constant<T: Number>(_: &[T]) -> T {
        T::from(3.0)
    }
    let f = function!(constant);
    assert_eq!(hessian(&f, &[1.0, 2.0]).to_vec(), [0.0; 4]);
    assert_eq!(hvp(&f, &[1.0], &[1.0]), [0.0]);
    assert_eq!(grad(|x| constant(x), &[1.0, 2.0]), [0.0, 0.0]);
    assert_eq!(laplacian(&f, &[1.0]), 0.0);
    let nothing: &[f64] = &[];
    for (op, error) in [
        ("grad", try_grad(|x| constant(x), nothing).unwrap_err()),
        ("value_and_grad", try_value_and_grad(|x| constant(x), nothing).unwrap_err()),
        ("hvp", try_hvp(&f, nothing, nothing).unwrap_err()),
        ("hessian", try_hessian(&f, nothing).unwrap_err()),
    ] {
        let text = error.to_string();
        assert!(text.contains("composition.rs:"), "{text}");
        assert!(text.ends_with(&format!(": {op}: of nothing; give it at least one number")), "{text}");
    }
    let text = try_hvp(&f, &[1.0, 2.0], &[1.0]).unwrap_err().to_string();
    assert!(
        text.ends_with("hvp, point and direction: 2 numbers on the left, 1 on the right; they must be as many"),
        "{text}"
    );
}
