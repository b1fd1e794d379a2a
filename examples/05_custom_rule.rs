//! Sometimes you know the derivative better than the tape can find it: the value comes from an iteration, a table, another
//! library.
//! Say how to compute the value on plain numbers and the partials on any; every order of derivative follows from those.

mod lesson;

use wengert::check::check;
use wengert::prelude::*;

/// Lambert's function, the `w` with `w exp(w) = x`, for `x >= 0`.
struct LambertW;

impl CustomFn<1> for LambertW {
    // Halley's iteration. The tape never sees it.
    fn value(&self, [x]: [f64; 1]) -> f64 {
        let mut w = x.ln_1p();
        for _ in 0..20 {
            let miss = w * w.exp() - x;
            w -= miss / (w.exp() * (w + 1.0) - (w + 2.0) * miss / (2.0 * w + 2.0));
        }
        w
    }

    // dw/dx = 1 / (x + exp(w)), from the definition. The value comes along, for rules that are shorter with it.
    fn partials<T: Number>(&self, [x]: [T; 1], w: T) -> [T; 1] {
        [(x + w.exp()).recip()]
    }
}

fn lambert<T: Number>(x: &[T]) -> T {
    LambertW.call([x[0]])
}

fn main() {
    lesson::begin(include_str!("05_custom_rule.rs"));
    let e = 1.0_f64.exp();
    let (value, gradient) = value_and_grad(|x| lambert(x), &[e]);
    let second = hessian(&function!(lambert), &[e]).item();
    println!("W(e) = {value:.12}, W'(e) = {:.12}, W''(e) = {second:.12}", gradient[0]);

    // Known: W(e) = 1, W'(e) = 1 / 2e, W''(e) = -3 / 8e^2.
    assert!((value - 1.0).abs() < 1e-15);
    assert!((gradient[0] - 0.5 / e).abs() < 1e-15 && (second + 0.375 / (e * e)).abs() < 1e-15);

    // A rule is a promise; finite differences tell whether it is kept.
    check(function!(lambert)).at(&[0.7]).orders(2).assert();
}
