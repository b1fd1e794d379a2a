//! Many numbers are known only by an equation they solve, and a solver's thousand steps are not what we want to
//! differentiate.
//! The equation alone is enough: the implicit function theorem turns it into the derivative of its solution.

mod lesson;

use wengert::prelude::*;

/// A chain of length `p[1]` between two posts `p[0]` apart, both equally high. It hangs as `a cosh(x / a)`; the unknown is `a`.
#[derive(Clone)]
struct Chain;

impl Equations for Chain {
    fn residuals<T: Number>(&self, a: &[T], p: &[T]) -> Vec<T> {
        vec![a[0] * 2.0 * (p[0] / (a[0] * 2.0)).sinh() - p[1]]
    }
}

/// How far the middle of the chain hangs below its ends.
fn sag<T: Number>(p: &[T]) -> T {
    let a = root(&Chain, &[5.0], p)[0];
    a * ((p[0] / (a * 2.0)).cosh() - 1.0)
}

fn main() {
    lesson::begin(include_str!("07_implicit_function.rs"));
    let posts = [10.0, 12.0]; // distance, length
    let (value, gradient) = value_and_grad(|p| sag(p), &posts);
    println!("sag {value:.6}; a longer chain adds {:.6} per metre, a wider gap {:.6}", gradient[1], gradient[0]);

    // Twice as large a chain has twice the sag, so p0 ds/dp0 + p1 ds/dp1 = s, by Euler's theorem.
    assert!((posts[0] * gradient[0] + posts[1] * gradient[1] - value).abs() < 1e-12);
    // The hard way agrees: solve again for a chain a little longer and a little shorter.
    let h = 1e-5;
    let difference = (sag(&[10.0, 12.0 + h]) - sag(&[10.0, 12.0 - h])) / (2.0 * h);
    assert!((gradient[1] - difference).abs() < 1e-8, "{} against {difference}", gradient[1]);
    // And second derivatives come along: more chain adds less and less sag.
    assert!(hessian(&function!(sag), &posts).at([1, 1]) < 0.0);
}
