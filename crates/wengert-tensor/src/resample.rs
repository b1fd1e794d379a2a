//! Weighted sums along an axis: what adaptive averages and interpolation are made of.
//!
//! Both are linear, and in each direction on their own; the weights are few and known beforehand. One loop does them
//! all, and with the weights transposed their adjoints.

use wengert_kernels::Par;

use crate::axis::Axis;
use crate::element::FloatElement;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// For each entry of a result along an axis: which entries of the operand are added up for it, with which weights.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
pub struct Taps {
    /// Entries of the operand.
    inputs: usize,
    /// Where the list of each entry of the result ends.
    ends: Vec<usize>,
    list: Vec<(usize, f64)>,
}

impl Taps {
    fn new(inputs: usize, outputs: usize, mut taps_of: impl FnMut(usize, &mut Vec<(usize, f64)>)) -> Taps {
        let (mut ends, mut list) = (Vec::with_capacity(outputs), Vec::with_capacity(outputs));
        for k in 0..outputs {
            taps_of(k, &mut list);
            ends.push(list.len());
        }
        Taps { inputs, ends, list }
    }

    /// Means of windows that share `inputs` entries out to `outputs`, as evenly as possible: the entries that overlap
    /// `inputs / outputs` times the interval `[k, k + 1]`.
    pub fn mean(inputs: usize, outputs: usize) -> Taps {
        Taps::new(inputs, outputs, |k, list| {
            let window = adaptive_window(inputs, outputs, k);
            let weight = 1.0 / window.len() as f64;
            list.extend(window.map(|i| (i, weight)));
        })
    }

    /// The entry whose interval, stretched to `outputs`, holds the left end of the interval `[k, k + 1]`.
    pub fn nearest(inputs: usize, outputs: usize) -> Taps {
        Taps::new(inputs, outputs, |k, list| list.push((scaled(k, inputs, outputs), 1.0)))
    }

    /// Between the two entries beside `x = (k + 1/2) inputs / outputs - 1/2`, or with `align_corners`, which puts the
    /// first on the first and the last on the last, beside `x = k (inputs - 1) / (outputs - 1)`; the entry at the edge
    /// beyond it.
    pub fn linear(inputs: usize, outputs: usize, align_corners: bool) -> Taps {
        let last = inputs.saturating_sub(1);
        Taps::new(inputs, outputs, |k, list| {
            // `x = over / under`, no less than 0. In whole numbers: rounded, what falls on an entry could fall beside
            // it.
            let (k, outputs) = (k as u128, outputs as u128);
            let (over, under) = match align_corners {
                true => (k * last as u128, outputs.max(2) - 1),
                false => (((2 * k + 1) * inputs as u128).saturating_sub(outputs), 2 * outputs),
            };
            let before = (over / under).min(last as u128) as usize;
            let share = if before == last { 0 } else { over % under };
            // A weight of 0 would make NaN of an infinity that has no part in the result.
            let both = [(before, under - share), (before + 1, share)].into_iter().filter(|&(_, share)| share > 0);
            list.extend(both.map(|(i, share)| (i, share as f64 / under as f64)));
        })
    }

    /// Those of the adjoint.
    #[must_use]
    pub fn transposed(&self) -> Taps {
        let mut lists = vec![Vec::new(); self.inputs];
        for k in 0..self.ends.len() {
            for &(i, weight) in self.of(k) {
                lists[i].push((k, weight));
            }
        }
        Taps::new(self.ends.len(), self.inputs, |i, list| list.append(&mut lists[i]))
    }

    fn of(&self, k: usize) -> &[(usize, f64)] {
        let start = if k == 0 { 0 } else { self.ends[k - 1] };
        &self.list[start..self.ends[k]]
    }
}

/// Refuses results along two axes for whose weights there is no memory: beside a narrow result they are much the
/// larger.
pub(crate) fn check_weights(op: &'static str, outputs: [usize; 2]) -> Result<(), ShapeError> {
    // Two weights with their places, and where they end.
    const NUMBERS: usize = 5;
    outputs.into_iter().try_for_each(|outputs| Tensor::<f64>::check_room(op, Shape::from([outputs, NUMBERS])))
}

/// `k inputs / outputs`, rounded down.
fn scaled(k: usize, inputs: usize, outputs: usize) -> usize {
    // No more than `inputs` for `k` up to `outputs`.
    (k as u128 * inputs as u128 / outputs as u128) as usize
}

/// The entries of an axis that window `k` of `outputs` sees.
pub(crate) fn adaptive_window(inputs: usize, outputs: usize, k: usize) -> core::ops::Range<usize> {
    let end = ((k + 1) as u128 * inputs as u128).div_ceil(outputs as u128);
    scaled(k, inputs, outputs)..end as usize
}

/// Elements that are worth a task of their own: some tens of microseconds.
const TASK: usize = 1 << 15;

impl<F: FloatElement> Tensor<F> {
    /// Weighted sums along `axis`, which has as many entries as the taps take.
    #[doc(hidden)]
    pub fn try_resample(&self, axis: impl Into<Axis>, taps: &Taps) -> Result<Tensor<F>, ShapeError> {
        let op = "resample";
        let axis = axis.into().resolve(op, self.shape())?;
        debug_assert_eq!(self.shape()[axis], taps.inputs);
        let (n, m) = (taps.inputs, taps.ends.len());
        let shape = self.shape().clone().with(axis, m);
        shape.try_size(op)?;
        let inner: usize = shape[axis + 1..].iter().product();
        let mut copy = None;
        let x = self.try_dense(op, &mut copy)?;
        Tensor::try_build(op, &shape, |y| {
            if x.is_empty() || y.is_empty() {
                return y.fill(F::ZERO);
            }
            let blocks = (TASK / (n.max(m) * inner)).max(1);
            let tasks = y.chunks_mut(blocks * m * inner).zip(x.chunks(blocks * n * inner));
            Par::current().for_each(tasks, |(y, x)| {
                for (y, x) in y.chunks_exact_mut(m * inner).zip(x.chunks_exact(n * inner)) {
                    block(taps, inner, x, y);
                }
            });
        })
    }
}

/// `[n, inner] -> [m, inner]`.
fn block<F: FloatElement>(taps: &Taps, inner: usize, x: &[F], y: &mut [F]) {
    for (k, y) in y.chunks_exact_mut(inner).enumerate() {
        if let [y] = y {
            *y = taps.of(k).iter().fold(F::ZERO, |sum, &(i, weight)| sum + F::from_f64(weight) * x[i]);
            continue;
        }
        y.fill(F::ZERO);
        for &(i, weight) in taps.of(k) {
            let weight = F::from_f64(weight);
            for (y, &x) in y.iter_mut().zip(&x[i * inner..][..inner]) {
                *y += weight * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test]
    fn transposed_taps_are_the_adjoint_along_every_axis() {
        let random = |shape: &[usize], seed| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng(seed));
        for (n, m) in [(5, 3), (3, 5), (4, 4), (1, 6), (7, 1)] {
            for taps in [Taps::mean(n, m), Taps::nearest(n, m), Taps::linear(n, m, true), Taps::linear(n, m, false)] {
                for axis in 0..3_usize {
                    let mut shape = [2, 3, 4];
                    shape[axis] = n;
                    let x = random(&shape, 1);
                    let y = x.try_resample(axis, &taps).unwrap();
                    let v = random(y.shape(), 2);
                    let back = v.try_resample(axis, &taps.transposed()).unwrap();
                    assert_eq!(back.shape(), x.shape());
                    assert!((y.flatten().dot(&v.flatten()) - x.flatten().dot(&back.flatten())).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn weights_of_a_result_add_up_to_one() {
        for (n, m) in [(5, 3), (3, 5), (1, 4), (10, 7)] {
            for taps in [Taps::mean(n, m), Taps::linear(n, m, true), Taps::linear(n, m, false)] {
                let y = Tensor::<f64>::ones([n]).try_resample(0, &taps).unwrap();
                assert!(y.iter().all(|y| (y - 1.0).abs() < 1e-15));
            }
        }
    }

    #[test]
    fn entries_that_fall_on_entries_of_the_operand_read_nothing_else() {
        // Entry `k` of `n (2 j + 1)` lies on entry `(2 k + 1 - (2 j + 1)) / (2 (2 j + 1))` where that divides.
        for (n, times) in (2..40).flat_map(|n| [3, 5, 7, 9, 49].map(|times| (n, times))) {
            let taps = Taps::linear(n, n * times, false);
            for i in 0..n {
                assert_eq!(taps.of(i * times + times / 2), [(i, 1.0)], "{n} to {}", n * times);
            }
            // With corners on corners `n - 1` steps become `(n - 1) times`.
            let taps = Taps::linear(n, (n - 1) * times + 1, true);
            for i in 0..n {
                assert_eq!(taps.of(i * times), [(i, 1.0)], "{n} to {}", (n - 1) * times + 1);
            }
        }
    }

    #[test]
    fn large_operands_are_shared_out_without_a_change() {
        let x = Tensor::<f32>::uniform([300, 40, 20], -1.0, 1.0, &mut rng(3));
        let taps = Taps::linear(20, 33, false);
        let alone = wengert_kernels::par::threads(1, || x.try_resample(2, &taps).unwrap());
        assert_eq!(wengert_kernels::par::threads(4, || x.try_resample(2, &taps).unwrap()), alone);
        let row = x.slice(0, 299..).slice(1, 39..);
        assert_eq!(row.try_resample(2, &taps).unwrap(), alone.slice(0, 299..).slice(1, 39..));
    }
}
