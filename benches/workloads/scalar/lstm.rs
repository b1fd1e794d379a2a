//! S3: a long short-term memory of two diagonal layers over a sequence of 1024 vectors of 14 bits.

use super::{Arithmetic, Program, normal};
use wengert::prelude::*;

/// The mean log-likelihood of the next vector, negated (Hochreiter and Schmidhuber 1997, with diagonal weights).
pub struct Lstm {
    pub state: Vec<f64>,
    pub sequence: Vec<f64>,
}

const LAYERS: usize = 2;
const LENGTH: usize = 1024;
const WIDTH: usize = 14;

impl Default for Lstm {
    fn default() -> Self {
        let sequence = normal(LENGTH * WIDTH, 1.0, 3).iter().map(|&x| f64::from(u8::from(x > 0.0))).collect();
        Lstm { state: normal(2 * LAYERS * WIDTH, 0.5, 8), sequence }
    }
}

fn sigmoid<T: Arithmetic>(x: T) -> T {
    ((-x).exp() + 1.0).recip()
}

/// One unit of a layer, with the sigmoid to use: its new cell and its new output.
#[inline(always)]
fn unit<T: Arithmetic>([input, hidden, cell]: [T; 3], w: [T; 8], sigmoid: impl Fn(T) -> T) -> [T; 2] {
    let forget = sigmoid(input * w[0] + w[4]);
    let ingate = sigmoid(hidden * w[1] + w[5]);
    let outgate = sigmoid(input * w[2] + w[6]);
    let change = (hidden * w[3] + w[7]).tanh();
    let cell = cell * forget + ingate * change;
    [cell, outgate * cell.tanh()]
}

impl Lstm {
    /// The program, with the unit to use.
    #[inline(always)]
    fn run<T: Arithmetic>(&self, p: &[T], unit: impl Fn([T; 3], [T; 8]) -> [T; 2]) -> T {
        let (weights, ends) = p.split_at(8 * LAYERS * WIDTH);
        let (scale_in, ends) = ends.split_at(WIDTH);
        let (scale_out, bias_out) = ends.split_at(WIDTH);
        let zero = p[0].constant(0.0);
        let mut state: Vec<T> = self.state.iter().map(|&s| p[0].constant(s)).collect();
        let mut input = [zero; WIDTH];
        let mut likelihood = zero;
        for pair in self.sequence.windows(2 * WIDTH).step_by(WIDTH) {
            let (now, next) = pair.split_at(WIDTH);
            for i in 0..WIDTH {
                input[i] = scale_in[i] * now[i];
            }
            for (layer, w) in weights.chunks_exact(8 * WIDTH).enumerate() {
                let (hidden, cell) = state[2 * WIDTH * layer..2 * WIDTH * (layer + 1)].split_at_mut(WIDTH);
                for i in 0..WIDTH {
                    let w = core::array::from_fn(|gate| w[gate * WIDTH + i]);
                    [cell[i], hidden[i]] = unit([input[i], hidden[i], cell[i]], w);
                }
                input.copy_from_slice(hidden);
            }
            let mut total = zero;
            let mut logits = [zero; WIDTH];
            for i in 0..WIDTH {
                logits[i] = input[i] * scale_out[i] + bias_out[i];
                total = total + logits[i].exp();
            }
            let log_total = (total + 2.0).ln();
            for i in 0..WIDTH {
                likelihood = likelihood + (logits[i] - log_total) * next[i];
            }
        }
        -likelihood * (1.0 / ((LENGTH - 1) * WIDTH) as f64)
    }

    /// Each sigmoid one function of the library's, where the plain program has three operations.
    pub fn with_sigmoid<'t>(&self, p: &[Var<'t>]) -> Var<'t> {
        self.run(p, |state, w| unit(state, w, UnaryFunctions::sigmoid))
    }
}

impl Program for Lstm {
    const NAME: &'static str = "S3_lstm";
    const OPS: usize = 861_368;

    fn point(&self) -> Vec<f64> {
        normal(8 * LAYERS * WIDTH + 3 * WIDTH, 0.5, 9)
    }

    fn value<T: Arithmetic>(&self, p: &[T]) -> T {
        self.run(p, |state, w| unit(state, w, sigmoid))
    }
}
