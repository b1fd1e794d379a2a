//! S5: Rosenbrock's function of 10,000 variables.

use super::{Arithmetic, Program};
use wengert::prelude::*;

/// `sum_i 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2` (Rosenbrock 1960).
#[derive(Default)]
pub struct Rosenbrock;

impl Program for Rosenbrock {
    const NAME: &'static str = "S5_rosenbrock";
    const OPS: usize = 79_992;

    fn point(&self) -> Vec<f64> {
        (0..10_000).map(|i| f64::from(i * 37 % 101) / 50.0 - 1.0).collect()
    }

    fn value<T: Arithmetic>(&self, x: &[T]) -> T {
        let mut sum = x[0].constant(0.0);
        for i in 0..x.len() - 1 {
            let a = x[i + 1] - x[i] * x[i];
            let b = -x[i] + 1.0;
            sum = sum + (a * 100.0 * a + b * b);
        }
        sum
    }
}

/// The same for transforms, which choose the numbers themselves.
impl ScalarFn for Rosenbrock {
    fn call<T: Number>(&self, x: &[T]) -> T {
        let mut sum = T::from(0.0);
        for i in 0..x.len() - 1 {
            let a = x[i + 1] - x[i] * x[i];
            let b = -x[i] + 1.0;
            sum += a * 100.0 * a + b * b;
        }
        sum
    }
}

impl Rosenbrock {
    /// Each term one node, and their sum one node.
    pub fn fused<'t>(x: &[Var<'t>]) -> Var<'t> {
        x.windows(2).map(|x| fuse([x[0], x[1]], |[x, next]| (next - x * x).square() * 100.0 + (x - 1.0).square())).sum()
    }
}
