//! The simplest recording there is: what does one node cost?

use wengert::prelude::*;

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
