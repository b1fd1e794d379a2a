//! A recorded function at many points: in lanes, and over threads.

use super::lanes::Rows;
use super::{Function, FunctionError};
use crate::tensor::TensorFloat;
use std::sync::Mutex;
use wengert_kernels::Par;
use wengert_tensor::Tensor;

/// Points a thread takes at a time, at least: a multiple of every number of lanes.
const PIECE: usize = 256;

impl<F: TensorFloat> Function<F> {
    /// The values at many points, several at a time and on several threads.
    ///
    /// No bit of a result depends on the number of threads or on the other points, with one exception: the sine or cosine of
    /// an angle shares its last bit's rounding with its block of points if one of them is beyond 1e5. Arithmetic gives the bits
    /// of [`value`](Self::value), transcendental functions may differ from it by 2 ulp each.
    ///
    /// # Errors
    /// As [`value`](Self::value); a guard's error says at which point.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 1.0], |x| x[0] * x[1])?;
    /// assert_eq!(f.values(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])?, [2.0, 12.0, 30.0]);
    /// # Ok(()) }
    /// ```
    pub fn values(&self, points: &[impl AsRef<[F]> + Sync]) -> Result<Vec<F>, FunctionError> {
        self.expect_scalar("values")?;
        let mut values = vec![F::ZERO; points.len()];
        self.expect_points("values", points)?;
        let pieces = points.chunks(PIECE).zip(values.chunks_mut(PIECE));
        self.over_pieces(points.len(), pieces, |first, (points, values)| {
            self.blocks(first, points, (&[], &self.data), false, |start, y, _, _| {
                values[start..start + y.len()].copy_from_slice(y);
            })
        })?;
        Ok(values)
    }

    /// The gradients at many points, one row each: a tensor of shape `[points, inputs]`.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 1.0], |x| x[0] * x[1])?;
    /// assert_eq!(f.gradients(&[[1.0, 2.0], [3.0, 4.0]])?.to_vec(), [2.0, 1.0, 4.0, 3.0]);
    /// # Ok(()) }
    /// ```
    pub fn gradients(&self, points: &[impl AsRef<[F]> + Sync]) -> Result<Tensor<F>, FunctionError> {
        Ok(self.values_and_gradients(points)?.1)
    }

    /// The values and the gradients at many points.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn values_and_gradients(
        &self,
        points: &[impl AsRef<[F]> + Sync],
    ) -> Result<(Vec<F>, Tensor<F>), FunctionError> {
        self.expect_scalar("gradients")?;
        let mut values = vec![F::ZERO; points.len()];
        let mut gradients = vec![F::ZERO; points.len() * self.inputs()];
        self.expect_points("gradients", points)?;
        let inputs = self.inputs();
        let pieces = points.chunks(PIECE).zip(values.chunks_mut(PIECE)).zip(gradients.chunks_mut(PIECE * inputs));
        self.over_pieces(points.len(), pieces, |first, ((points, values), gradients)| {
            self.blocks(first, points, (&[], &self.data), true, |start, y, bars, lanes| {
                values[start..start + y.len()].copy_from_slice(y);
                for (k, bars) in bars.chunks_exact(lanes).enumerate() {
                    for (lane, &x_bar) in bars[..y.len()].iter().enumerate() {
                        gradients[(start + lane) * inputs + k] = x_bar;
                    }
                }
            })
        })?;
        Ok((values, Tensor::from_vec([points.len(), self.inputs()], gradients)))
    }

    fn expect_points(&self, op: &'static str, points: &[impl AsRef<[F]>]) -> Result<(), FunctionError> {
        points.iter().try_for_each(|point| self.expect_length(op, "point", point.as_ref().len(), self.inputs()))
    }

    /// The sum of the function over many items of data at one point `x`: a log-likelihood, a Monte-Carlo mean.
    ///
    /// # Errors
    /// As [`values`](Self::values); [`FunctionError::Length`] if an item is not as long as the data recorded.
    pub fn total(&self, x: &[F], items: &[impl AsRef<[F]> + Sync]) -> Result<F, FunctionError> {
        Ok(self.sum_over_items("total", x, items, false)?[0])
    }

    /// The sum of the function over many items of data at one point, and its gradient: several items at a time, on several
    /// threads, added in an order that depends on the number of items only.
    ///
    /// # Errors
    /// As [`total`](Self::total).
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// // Squared residuals of a line through three points.
    /// let f = Function::record_with_data(&[0.0, 0.0], &[0.0, 0.0], |p, d| (p[0] * d[0] + p[1] - d[1]).square())?;
    /// let data = [[0.0, 1.0], [1.0, 3.0], [2.0, 6.0]];
    /// assert_eq!(f.total_and_gradient(&[2.0, 1.0], &data)?, (1.0, vec![-4.0, -2.0]));
    /// # Ok(()) }
    /// ```
    pub fn total_and_gradient(&self, x: &[F], items: &[impl AsRef<[F]> + Sync]) -> Result<(F, Vec<F>), FunctionError> {
        let mut sums = self.sum_over_items("total", x, items, true)?;
        let value = sums.remove(0);
        Ok((value, sums))
    }

    /// The sum of the values and, after it, those of the derivatives.
    fn sum_over_items<P: AsRef<[F]> + Sync>(
        &self,
        op: &'static str,
        x: &[F],
        items: &[P],
        derivatives: bool,
    ) -> Result<Vec<F>, FunctionError> {
        self.expect_scalar(op)?;
        self.expect_length(op, "point", x.len(), self.inputs())?;
        for item in items {
            self.expect_length(op, "data", item.as_ref().len(), self.data.len())?;
        }
        let inputs = if derivatives { self.inputs() } else { 0 };
        // One row of sums for each piece, added in the order of the pieces whoever computed them.
        let mut partial = vec![F::ZERO; items.len().div_ceil(PIECE) * (inputs + 1)];
        let pieces = items.chunks(PIECE).zip(partial.chunks_mut(inputs + 1));
        self.over_pieces(items.len(), pieces, |first, (items, sums)| {
            self.blocks(first, items, (x, &[]), derivatives, |_, values, bars, lanes| {
                sums[0] += sum(values);
                for (total, bars) in sums[1..].iter_mut().zip(bars.chunks_exact(lanes)) {
                    *total += sum(&bars[..values.len()]);
                }
            })
        })?;
        let mut sums = vec![F::ZERO; inputs + 1];
        for partial in partial.chunks_exact(inputs + 1) {
            sums.iter_mut().zip(partial).for_each(|(sum, &partial)| *sum += partial);
        }
        Ok(sums)
    }

    /// Runs `work` on pieces of the points, each with the number of its first point; the error is that of the first point that
    /// has one.
    fn over_pieces<I: ExactSizeIterator + Send>(
        &self,
        points: usize,
        pieces: I,
        work: impl Fn(usize, I::Item) -> Result<(), FunctionError> + Sync,
    ) -> Result<(), FunctionError>
    where
        I::Item: Send,
    {
        let first_error: Mutex<Option<(usize, FunctionError)>> = Mutex::new(None);
        let step = |(number, item)| {
            if let Err(error) = work(number * PIECE, item)
                && let Ok(mut first) = first_error.lock()
                && first.as_ref().is_none_or(|&(earlier, _)| number < earlier)
            {
                *first = Some((number, error));
            }
        };
        // 0.5 to 1 ns for a step at a point: below 50 us no thread is worth waking.
        let par = if points * self.list.steps.len() < 100_000 { Par::SEQUENTIAL } else { Par::current() };
        par.for_each(pieces.enumerate(), step);
        match first_error.into_inner() {
            Ok(Some((_, error))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Points, or items of data, block by block: a block reads the inputs and data `before`, then a point's own numbers, then
    /// those `after`. `take` is given where the block starts, its values, the adjoints of the inputs in rows, and the length
    /// of a row.
    fn blocks<P: AsRef<[F]>>(
        &self,
        first: usize,
        points: &[P],
        (before, after): (&[F], &[F]),
        derivatives: bool,
        mut take: impl FnMut(usize, &[F], &[F], usize),
    ) -> Result<(), FunctionError> {
        let program = &*self.program;
        let width = program.width();
        let lanes = width.lanes();
        let output = program.outputs[0] as usize * lanes;
        let own = before.len()..self.inputs() + self.data.len() - after.len();
        self.with_workspace(|work| {
            let rows: &mut Rows<F> = &mut work.rows;
            let mut values = [F::ZERO; 64];
            for (number, points) in points.chunks(lanes).enumerate() {
                program.forward_rows(width, rows, |rows| {
                    if number == 0 {
                        let same = rows.chunks_exact_mut(lanes).zip(before);
                        same.for_each(|(row, &x)| row.fill(x));
                        let same = rows[own.end * lanes..].chunks_exact_mut(lanes).zip(after);
                        same.for_each(|(row, &x)| row.fill(x));
                    }
                    let rows = &mut rows[own.start * lanes..own.end * lanes];
                    // Lanes without a point repeat the last.
                    for (lane, point) in
                        (0..lanes).zip(points.iter().chain(core::iter::repeat(&points[points.len() - 1])))
                    {
                        for (row, &x) in rows.chunks_exact_mut(lanes).zip(point.as_ref()) {
                            row[lane] = x;
                        }
                    }
                });
                if program.has_checks() {
                    for lane in 0..points.len() {
                        let point = first + number * lanes + lane;
                        let value = |slot: usize| rows.values()[slot * lanes + lane];
                        program.check(Some(point), value, wengert_kernels::Float::to_f64)?;
                    }
                }
                let values = &mut values[..points.len()];
                values.copy_from_slice(&rows.values()[output..][..points.len()]);
                let bars = if derivatives { program.reverse_rows(width, rows, |_, row| row.fill(F::ONE)) } else { &[] };
                take(number * lanes, values, bars, lanes);
            }
            Ok(())
        })
    }
}

/// The sum of the numbers of a row, as eight sums side by side: one after the other they would wait for each other.
fn sum<F: TensorFloat>(row: &[F]) -> F {
    let (eights, rest) = row.as_chunks::<8>();
    let mut sums = [F::ZERO; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, &x)| *sum += x);
    }
    sums.iter().chain(rest).fold(F::ZERO, |sum, &x| sum + x)
}
