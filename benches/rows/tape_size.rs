//! The memory of tapes, without adjoints, which live only as long as a sweep's gradients.

use super::Table;
use super::scalar::{Asian, Gmm, Gradient, Logistic, Lorenz, Lstm, Program, Rosenbrock};
use wengert::prelude::*;

/// Bytes for each operation of a program recorded in plain operators: those the recording fills, and all the tape keeps.
fn bytes_per_op<P: Program + Default>() -> [f64; 2] {
    let tape = Tape::new();
    let program = P::default();
    let y = program.value(&tape.vars(&program.point()));
    assert!(y.value().is_finite());
    let size = tape.size();
    [size.used, size.bytes].map(|bytes| bytes as f64 / P::OPS as f64)
}

/// The bars: bytes an operation, and bytes of a tape rewound for every path.
const PER_OP: f64 = 16.0;
const REWOUND: f64 = 4_194_304.0;

impl Table {
    /// Memory per operation of the six programs and their mean, and of a tape rewound for every path.
    pub fn tape_sizes(&self) {
        if self.wants("tape_bytes, per op") {
            let programs = [
                (Gmm::NAME, bytes_per_op::<Gmm>()),
                (Lstm::NAME, bytes_per_op::<Lstm>()),
                (Rosenbrock::NAME, bytes_per_op::<Rosenbrock>()),
                (Asian::NAME, bytes_per_op::<Asian>()),
                (Lorenz::NAME, bytes_per_op::<Lorenz>()),
                (Logistic::NAME, bytes_per_op::<Logistic>()),
            ];
            let mean = [0, 1].map(|k| programs.iter().map(|(_, bytes)| bytes[k]).sum::<f64>() / programs.len() as f64);
            for (program, [used, kept]) in programs.into_iter().chain([("mean of the six", mean)]) {
                let name = format!("tape_bytes, per op, {program}");
                let ours = format!("{used:.1} B filled, {kept:.1} B kept");
                self.row(&name, &ours, &format!("{PER_OP} B (bar of the mean)"), used / PER_OP);
            }
        }
        let name = format!("tape_bytes, {}, rewound by path, peak", Asian::NAME);
        if self.wants(&name) {
            let option = Asian::default();
            let mut gradient = Gradient::at(option.point());
            let expected = gradient.of(|_, p| option.value(p));
            let (got, bytes) = option.rewound();
            for (x, y) in got.iter().zip(expected) {
                assert!((x - y).abs() <= 1e-10 * y.abs(), "{name}: {x} instead of {y}");
            }
            // Arenas never shrink: what is kept in the end was the most.
            self.row(&name, &format!("{bytes} B kept"), "4 MiB (bar)", bytes as f64 / REWOUND);
        }
    }
}
