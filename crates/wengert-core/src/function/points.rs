//! A recorded function at many points: in lanes, and over threads.

use super::lanes::Rows;
use super::program::Run;
use super::{Function, FunctionError};
use crate::tensor::TensorFloat;
use std::sync::Mutex;
use wengert_kernels::Par;
use wengert_kernels::rows::{self, Width};
use wengert_tensor::Tensor;

/// Steps times points that a thread takes at a time, at least, about: 25 us.
const PIECE: usize = 50_000;
/// How many times as much it takes where that leaves as many pieces: what hangs on no data is done anew for each.
const LARGE: usize = 8;

impl<F: TensorFloat> Function<F> {
    /// The values at many points, several at a time and on several threads.
    ///
    /// No bit of a result depends on the number of threads or on the other points, with one exception: the sine or
    /// cosine of an angle shares its last bit's rounding with its block of points if one of them is beyond 1e5.
    /// Arithmetic gives the bits of [`value`](Self::value), transcendental functions may differ from it by 2 ulp each.
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
        let piece = self.piece(points.len());
        let pieces = points.chunks(piece).zip(values.chunks_mut(piece));
        self.over_pieces(points.len(), pieces, |first, (points, values)| {
            self.blocks(first, points, false, |start, y, _, _| {
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
        let piece = self.piece(points.len());
        let pieces = points.chunks(piece).zip(values.chunks_mut(piece)).zip(gradients.chunks_mut(piece * inputs));
        self.over_pieces(points.len(), pieces, |first, ((points, values), gradients)| {
            self.blocks(first, points, true, |start, y, bars, lanes| {
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

    /// The sum of the function over many items of data at one point, and its gradient: several items at a time, on
    /// several threads, added in an order that depends on the number of items only.
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
        let sums = if derivatives { self.inputs() + 1 } else { 1 };
        // One row of sums for each piece, added in the order of the pieces whoever computed them.
        let piece = self.piece(items.len());
        let mut partial = vec![F::ZERO; items.len().div_ceil(piece) * sums];
        let pieces = items.chunks(piece).zip(partial.chunks_mut(sums));
        self.over_pieces(items.len(), pieces, |first, (items, sums)| {
            self.with_workspace(|work| {
                self.sum_over_piece(first, x, items, false, &mut work.rows, sums)?;
                if sums[1..].iter().any(|x_bar| x_bar.is_nan()) {
                    self.sum_over_piece(first, x, items, true, &mut work.rows, sums)?;
                }
                Ok(())
            })
        })?;
        let mut total = vec![F::ZERO; sums];
        for partial in partial.chunks_exact(sums) {
            total.iter_mut().zip(partial).for_each(|(sum, &partial)| *sum += partial);
        }
        Ok(total)
    }

    /// The sum over a piece of the items and, if there is room for them, those of the derivatives.
    ///
    /// What hangs on no data is computed for the first block of items alone, and its adjoints gather, lane by lane,
    /// until the last block has been swept.
    fn sum_over_piece<P: AsRef<[F]>>(
        &self,
        first: usize,
        x: &[F],
        items: &[P],
        careful: bool,
        rows: &mut Rows<F>,
        sums: &mut [F],
    ) -> Result<(), FunctionError> {
        let program = self.program_of_rows();
        let width = program.width();
        let lanes = width.lanes();
        let output = program.row(program.outputs[0] as usize) * lanes;
        let derivatives = sums.len() > 1;
        sums.fill(F::ZERO);
        for (number, items) in items.chunks(lanes).enumerate() {
            program.forward_rows(
                width,
                rows,
                derivatives,
                |run| number == 0 || run.is_of_data(),
                |rows| {
                    let (inputs, data) = rows.split_at_mut(self.inputs() * lanes);
                    if number == 0 {
                        inputs.chunks_exact_mut(lanes).zip(x).for_each(|(row, &x)| row.fill(x));
                    }
                    load_lanes(data, lanes, items);
                },
            );
            self.check_lanes(rows, lanes, first + number * lanes, items.len())?;
            sums[0] += sum(&rows.values()[output..][..items.len()]);
            if derivatives {
                if number == 0 {
                    program.clear_bars(width, rows);
                }
                program.seed_rows(width, rows, |_, row| row[..items.len()].fill(F::ONE));
                program.sweep_rows(width, careful, rows, Run::is_of_data);
            }
        }
        if derivatives {
            program.sweep_rows(width, careful, rows, |run| !run.is_of_data());
            for (total, bars) in sums[1..].iter_mut().zip(rows.bars().chunks_exact(lanes)) {
                *total = sum(bars);
            }
        }
        Ok(())
    }

    /// How many of so many points a thread takes at a time: a multiple of every number of lanes, whatever the number of
    /// threads.
    fn piece(&self, points: usize) -> usize {
        let least = (PIECE / self.list.steps.len().max(1)).clamp(1, 4096);
        (points / LARGE).clamp(least, LARGE * least).next_multiple_of(64)
    }

    /// Runs `work` on pieces of the points, each with the number of its first point; the error is that of the first
    /// point that has one.
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
            if let Err(error) = work(number * self.piece(points), item)
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

    /// Points block by block: `take` is given where the block starts, its values, the adjoints of the inputs in rows,
    /// and the length of a row.
    fn blocks<P: AsRef<[F]>>(
        &self,
        first: usize,
        points: &[P],
        derivatives: bool,
        mut take: impl FnMut(usize, &[F], &[F], usize),
    ) -> Result<(), FunctionError> {
        let program = self.program_of_rows();
        let width = program.width();
        let lanes = width.lanes();
        let output = program.row(program.outputs[0] as usize) * lanes;
        self.with_workspace(|work| {
            let rows: &mut Rows<F> = &mut work.rows;
            let mut values = [F::ZERO; 64];
            for (number, points) in points.chunks(lanes).enumerate() {
                program.forward_rows(
                    width,
                    rows,
                    derivatives,
                    |_| true,
                    |rows| {
                        let (inputs, data) = rows.split_at_mut(self.inputs() * lanes);
                        load_lanes(inputs, lanes, points);
                        if number == 0 {
                            data.chunks_exact_mut(lanes).zip(&self.data).for_each(|(row, &x)| row.fill(x));
                        }
                    },
                );
                self.check_lanes(rows, lanes, first + number * lanes, points.len())?;
                let values = &mut values[..points.len()];
                values.copy_from_slice(&rows.values()[output..][..points.len()]);
                if derivatives {
                    program.reverse_rows(width, rows, |_, row| row.fill(F::ONE));
                }
                take(number * lanes, values, &rows.bars()[..self.inputs() * lanes], lanes);
            }
            Ok(())
        })
    }

    /// Whether every comparison came out as recorded at `count` points, of which `first` is in the first lane.
    fn check_lanes(&self, rows: &Rows<F>, lanes: usize, first: usize, count: usize) -> Result<(), FunctionError> {
        let program = self.program_of_rows();
        if program.has_checks() {
            for lane in 0..count {
                let value = |slot: usize| rows.values()[program.row(slot) * lanes + lane];
                program.check(Some(first + lane), value, wengert_kernels::Float::to_f64)?;
            }
        }
        Ok(())
    }
}

/// Writes a point into each lane; lanes without one repeat the last.
fn load_lanes<F: TensorFloat>(rows: &mut [F], lanes: usize, points: &[impl AsRef<[F]>]) {
    const MOST: usize = Width::Wide.lanes();
    let Some(last) = points.last() else { return };
    let points: [&[F]; MOST] = core::array::from_fn(|lane| points.get(lane).unwrap_or(last).as_ref());
    rows::load(&points[..lanes], rows);
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
