//! Scalar programs: chains, Rosenbrock (S5), the Lorenz equations (S8).

use wengert::prelude::*;

/// Rosenbrock's function of `x.len()` variables (Rosenbrock 1960), as a loop of scalar operations.
pub fn rosenbrock<T: Number>(x: &[T]) -> T {
    let mut sum = T::from(0.0);
    for i in 0..x.len() - 1 {
        let a = x[i + 1] - x[i] * x[i];
        let b = x[i] - 1.0;
        sum += a * 100.0 * a + b * b;
    }
    sum
}

/// The Lorenz equations (Lorenz 1963) by 10,000 steps of the classical Runge-Kutta method; the distance from the origin
/// at the end. `p` holds the three coefficients and the three coordinates of the start.
pub fn lorenz<T: Number>(p: &[T]) -> T {
    let slope = |x: T, y: T, z: T| [p[0] * (y - x), x * (p[1] - z) - y, x * y - p[2] * z];
    let h = 0.001;
    let (mut x, mut y, mut z) = (p[3], p[4], p[5]);
    for _ in 0..10_000 {
        let k1 = slope(x, y, z);
        let k2 = slope(x + k1[0] * (0.5 * h), y + k1[1] * (0.5 * h), z + k1[2] * (0.5 * h));
        let k3 = slope(x + k2[0] * (0.5 * h), y + k2[1] * (0.5 * h), z + k2[2] * (0.5 * h));
        let k4 = slope(x + k3[0] * h, y + k3[1] * h, z + k3[2] * h);
        x += (k1[0] + k2[0] * 2.0 + k3[0] * 2.0 + k4[0]) * (h / 6.0);
        y += (k1[1] + k2[1] * 2.0 + k3[1] * 2.0 + k4[1]) * (h / 6.0);
        z += (k1[2] + k2[2] * 2.0 + k3[2] * 2.0 + k4[2]) * (h / 6.0);
    }
    (x * x + y * y + z * z).sqrt()
}

/// Where the gradient of [`rosenbrock`] is taken: 10,000 variables.
pub fn rosenbrock_point() -> Vec<f64> {
    (0..10_000).map(|i| f64::from(i * 37 % 101) / 50.0 - 1.0).collect()
}

/// Where the gradient of [`lorenz`] is taken.
pub const LORENZ_POINT: [f64; 6] = [10.0, 28.0, 8.0 / 3.0, 1.0, 1.0, 1.0];

/// The gradient of a function, recorded anew at every call on one tape.
pub struct Gradient<F> {
    f: F,
    tape: Tape,
    x: Vec<f64>,
    gradient: Vec<f64>,
}

impl<F: for<'t> Fn(&[Var<'t>]) -> Var<'t>> Gradient<F> {
    pub fn new(f: F, x: &[f64]) -> Self {
        Gradient { f, tape: Tape::new(), x: x.to_vec(), gradient: vec![0.0; x.len()] }
    }

    pub fn call(&mut self) -> &[f64] {
        {
            let x = self.tape.vars(&self.x);
            let g = (self.f)(&x).gradient();
            for (derivative, &x) in self.gradient.iter_mut().zip(&x) {
                *derivative = g[x];
            }
        }
        self.tape.clear();
        &self.gradient
    }
}

/// `y = y * a[i % 16] + b[i % 16]`, the simplest recording there is: two nodes a turn.
pub struct Chain {
    tape: Tape,
    inputs: Vec<f64>,
    turns: usize,
    chains: usize,
}

impl Chain {
    /// `nodes` recorded nodes, as one serial chain or several interleaved ones.
    pub fn new(nodes: usize, chains: usize) -> Self {
        // Factors of product 1, so that neither values nor adjoints fade into subnormal numbers, which are slow.
        let inputs = (0..32).map(|i| if i % 2 == 0 { 1.001 } else { 1.0 / 1.001 }).collect();
        Chain { tape: Tape::new(), inputs, turns: nodes / (2 * chains), chains }
    }

    /// Records, sweeps, clears; returns the number of nodes recorded by the chain itself.
    pub fn call(&mut self) -> usize {
        let nodes = {
            let inputs = self.tape.vars(&self.inputs);
            let (a, b) = inputs.split_at(16);
            let before = self.tape.size().nodes;
            let mut nodes = 0;
            let g = match self.chains {
                1 => {
                    let mut y = a[0].retain();
                    for i in 0..self.turns {
                        y = y * a[i % 16] + b[i % 16];
                    }
                    nodes += self.tape.size().nodes - before - 1;
                    y.gradient()
                }
                _ => {
                    let mut y = [
                        a[0].retain(),
                        a[1].retain(),
                        a[2].retain(),
                        a[3].retain(),
                        a[4].retain(),
                        a[5].retain(),
                        a[6].retain(),
                        a[7].retain(),
                    ];
                    for i in 0..self.turns {
                        for y in &mut y {
                            *y = *y * a[i % 16] + b[i % 16];
                        }
                    }
                    nodes += self.tape.size().nodes - before - 8;
                    y.into_iter().sum::<Var>().gradient()
                }
            };
            std::hint::black_box(g[a[3]]);
            nodes
        };
        self.tape.clear();
        nodes
    }
}
