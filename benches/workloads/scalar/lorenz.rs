//! S8: the Lorenz equations over 10,000 steps of the classical Runge-Kutta method.

use super::{Arithmetic, Program};
use wengert::prelude::*;

/// The distance from the origin at the end (Lorenz 1963). The point holds the three coefficients and the three
/// coordinates of the start.
#[derive(Default)]
pub struct Lorenz;

const STEPS: usize = 10_000;
const H: f64 = 0.001;

impl Program for Lorenz {
    const NAME: &'static str = "S8_lorenz";
    const OPS: usize = 710_006;

    fn point(&self) -> Vec<f64> {
        vec![10.0, 28.0, 8.0 / 3.0, 1.0, 1.0, 1.0]
    }

    fn value<T: Arithmetic>(&self, p: &[T]) -> T {
        let mut x = [p[3], p[4], p[5]];
        for _ in 0..STEPS {
            x = step([p[0], p[1], p[2]], x);
        }
        (x[0] * x[0] + x[1] * x[1] + x[2] * x[2]).sqrt()
    }
}

#[inline(always)]
fn slope<T: Arithmetic>(p: [T; 3], x: T, y: T, z: T) -> [T; 3] {
    [p[0] * (y - x), x * (p[1] - z) - y, x * y - p[2] * z]
}

#[inline(always)]
fn step<T: Arithmetic>(p: [T; 3], [x, y, z]: [T; 3]) -> [T; 3] {
    let k1 = slope(p, x, y, z);
    let k2 = slope(p, x + k1[0] * (0.5 * H), y + k1[1] * (0.5 * H), z + k1[2] * (0.5 * H));
    let k3 = slope(p, x + k2[0] * (0.5 * H), y + k2[1] * (0.5 * H), z + k2[2] * (0.5 * H));
    let k4 = slope(p, x + k3[0] * H, y + k3[1] * H, z + k3[2] * H);
    [
        x + (k1[0] + k2[0] * 2.0 + k3[0] * 2.0 + k4[0]) * (H / 6.0),
        y + (k1[1] + k2[1] * 2.0 + k3[1] * 2.0 + k4[1]) * (H / 6.0),
        z + (k1[2] + k2[2] * 2.0 + k3[2] * 2.0 + k4[2]) * (H / 6.0),
    ]
}

impl Lorenz {
    /// So many steps at a time as three nodes of six operands, which are all that the tape keeps of them.
    pub fn fused<'t, const STEPS_EACH: usize>(p: &[Var<'t>]) -> Var<'t> {
        let mut x = [p[3], p[4], p[5]];
        for _ in 0..STEPS / STEPS_EACH {
            x = fuse_n([p[0], p[1], p[2], x[0], x[1], x[2]], |[a, b, c, x, y, z]| {
                (0..STEPS_EACH).fold([x, y, z], |x, _| step([a, b, c], x))
            });
        }
        norm2(&x)
    }
}
