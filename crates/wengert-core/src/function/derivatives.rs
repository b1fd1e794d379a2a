//! Values and derivatives of a recorded function at one point.

use super::program::Program;
use super::{DIRECTIONS, FEW, Function, FunctionError, Sheet};
use crate::dual::Dual;
use crate::number::Primal;
use crate::taylor::Taylor;
use crate::tensor::TensorFloat;
use wengert_tensor::Tensor;

/// A matrix of derivatives that is found column by column, one direction of the inputs for each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matrix {
    /// Of the outputs, by forward sweeps.
    Jacobian,
    /// Of the one output, by the tangents of reverse sweeps.
    Hessian,
}

impl<F: TensorFloat> Function<F> {
    /// The value at `x`.
    ///
    /// # Errors
    /// [`FunctionError::Length`] if `x` has not one number per input; [`FunctionError::NotScalar`] if there are several
    /// outputs ([`eval`](Self::eval) gives them all); [`FunctionError::Guard`] and [`FunctionError::NanCompared`] if a
    /// recorded comparison does not come out as it did.
    pub fn value(&self, x: &[F]) -> Result<F, FunctionError> {
        self.expect_scalar("value")?;
        self.with_workspace(|work| {
            self.forward("value", &mut work.plain, x.len(), |k| x[k])?;
            Ok(work.plain.values[self.program().outputs[0] as usize])
        })
    }

    /// All outputs at `x`.
    ///
    /// # Errors
    /// As [`value`](Self::value), for any number of outputs.
    pub fn eval(&self, x: &[F]) -> Result<Vec<F>, FunctionError> {
        self.with_workspace(|work| {
            self.forward("eval", &mut work.plain, x.len(), |k| x[k])?;
            Ok(self.program().outputs.iter().map(|&output| work.plain.values[output as usize]).collect())
        })
    }

    /// The gradient at `x`.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn gradient(&self, x: &[F]) -> Result<Vec<F>, FunctionError> {
        Ok(self.value_and_gradient(x)?.1)
    }

    /// The value and the gradient at `x`.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    #[doc(alias = "value_and_grad")]
    pub fn value_and_gradient(&self, x: &[F]) -> Result<(F, Vec<F>), FunctionError> {
        self.expect_length("gradient", "point", x.len(), self.inputs())?;
        let mut gradient = vec![F::ZERO; self.inputs()];
        let value = self.gradient_into(x, &mut gradient)?;
        Ok((value, gradient))
    }

    /// The value at `x`, and the gradient written to `gradient`: allocates nothing from the second call on.
    ///
    /// # Errors
    /// As [`value`](Self::value); [`FunctionError::Length`] if `gradient` has not one number per input.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[0.0], |x| x[0] * x[0])?;
    /// let mut gradient = [0.0];
    /// assert_eq!(f.gradient_into(&[3.0], &mut gradient)?, 9.0);
    /// assert_eq!(gradient, [6.0]);
    /// # Ok(()) }
    /// ```
    pub fn gradient_into(&self, x: &[F], gradient: &mut [F]) -> Result<F, FunctionError> {
        self.expect_scalar("gradient")?;
        self.expect_length("gradient", "gradient", gradient.len(), self.inputs())?;
        self.with_workspace(|work| {
            let Sheet { values, adjoints } = &mut work.plain;
            self.forward_in("gradient", values, x.len(), |k| x[k])?;
            self.program().reverse(values, adjoints, core::iter::once((0, F::ONE)));
            gradient.copy_from_slice(&adjoints[..self.inputs()]);
            Ok(values[self.program().outputs[0] as usize])
        })
    }

    /// The derivative of `sum_i seed_i y_i` by the inputs: `seedT J`.
    ///
    /// # Errors
    /// As [`eval`](Self::eval); [`FunctionError::Length`] if `seed` has not one number per output.
    #[doc(alias = "vhp")]
    pub fn vjp(&self, x: &[F], seed: &[F]) -> Result<Vec<F>, FunctionError> {
        self.expect_length("vjp", "seed", seed.len(), self.outputs())?;
        self.with_workspace(|work| {
            let Sheet { values, adjoints } = &mut work.plain;
            self.forward_in("vjp", values, x.len(), |k| x[k])?;
            self.program().reverse(values, adjoints, seed.iter().copied().enumerate());
            Ok(adjoints[..self.inputs()].to_vec())
        })
    }

    /// The derivative of the outputs in the direction `v`: `J v`.
    ///
    /// # Errors
    /// As [`eval`](Self::eval); [`FunctionError::Length`] if `v` has not one number per input.
    pub fn jvp(&self, x: &[F], v: &[F]) -> Result<Vec<F>, FunctionError> {
        self.expect_length("jvp", "direction", v.len(), self.inputs())?;
        self.with_workspace(|work| {
            self.forward("jvp", &mut work.dual, x.len(), |k| Dual { value: x[k], tangents: [v[k]] })?;
            Ok(self
                .program_for::<Dual<F, 1>>()
                .outputs
                .iter()
                .map(|&output| work.dual.values[output as usize].tangents[0])
                .collect())
        })
    }

    /// The Hessian at `x` times `v`: the tangent of the reverse sweep.
    ///
    /// Source: B. A. Pearlmutter, "Fast exact multiplication by the Hessian", 1994.
    ///
    /// # Errors
    /// As [`value`](Self::value); [`FunctionError::Length`] if `v` has not one number per input.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[0.0, 0.0], |x| x[0] * x[0] * x[1])?;
    /// assert_eq!(f.hvp(&[3.0, 5.0], &[1.0, 10.0])?, [70.0, 6.0]);
    /// # Ok(()) }
    /// ```
    pub fn hvp(&self, x: &[F], v: &[F]) -> Result<Vec<F>, FunctionError> {
        self.expect_scalar("hvp")?;
        self.expect_length("hvp", "direction", v.len(), self.inputs())?;
        self.with_workspace(|work| {
            let Sheet { values, adjoints } = &mut work.dual;
            self.forward_in("hvp", values, x.len(), |k| Dual { value: x[k], tangents: [v[k]] })?;
            self.program_for::<Dual<F, 1>>().reverse(values, adjoints, core::iter::once((0, Dual::constant(F::ONE))));
            Ok(adjoints[..self.inputs()].iter().map(|x_bar| x_bar.tangents[0]).collect())
        })
    }

    /// The value and the derivatives along a line, `d^k/dt^k f(x + t v)` at `t = 0` for `k = 0..=order`, of orders up
    /// to 4: by one forward sweep of Taylor series.
    ///
    /// # Errors
    /// As [`value`](Self::value); [`FunctionError::Length`] if `v` has not one number per input,
    /// [`FunctionError::Order`] above 4.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 1.0], |x| x[0] * x[0] * x[0] * x[1])?;
    /// // (1 + t)^3 (2 + t) = 2 + 7 t + 9 t^2 + 5 t^3 + t^4
    /// assert_eq!(f.directional(&[1.0, 2.0], &[1.0, 1.0], 4)?, [2.0, 7.0, 18.0, 30.0, 24.0]);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "taylor")]
    pub fn directional(&self, x: &[F], v: &[F], order: usize) -> Result<Vec<F>, FunctionError> {
        const LIMIT: usize = 4;
        if order > LIMIT {
            return Err(FunctionError::Order { op: "directional", order, limit: LIMIT });
        }
        self.expect_scalar("directional")?;
        self.expect_length("directional", "direction", v.len(), self.inputs())?;
        self.with_workspace(|work| {
            self.forward("directional", &mut work.series, x.len(), |k| Taylor::along(x[k], v[k]))?;
            let series = work.series.values[self.program_for::<Taylor<F, 5>>().outputs[0] as usize];
            Ok(series.derivatives()[..=order].to_vec())
        })
    }

    /// The Jacobian at `x`, `J[i, j] = dy_i/dx_j`: by forward sweeps, four columns each, or by reverse sweeps, one row
    /// each, whichever takes less work.
    ///
    /// # Errors
    /// As [`eval`](Self::eval).
    pub fn jacobian(&self, x: &[F]) -> Result<Tensor<F>, FunctionError> {
        let (rows, columns) = (self.outputs(), self.inputs());
        self.expect_length("jacobian", "point", x.len(), columns)?;
        let mut jacobian = vec![F::ZERO; rows * columns];
        // A forward sweep of four directions costs about as much as two reverse sweeps.
        if columns.div_ceil(DIRECTIONS) * 2 <= rows {
            self.columns(Matrix::Jacobian, "jacobian", x, columns, is_unit, |direction, row, y_dot| {
                jacobian[row * columns + direction] = y_dot;
            })?;
        } else {
            self.with_workspace(|work| {
                let Sheet { values, adjoints } = &mut work.plain;
                self.forward_in("jacobian", values, x.len(), |k| x[k])?;
                for (output, row) in jacobian.chunks_exact_mut(columns).enumerate() {
                    self.program().reverse(values, adjoints, core::iter::once((output, F::ONE)));
                    row.copy_from_slice(&adjoints[..columns]);
                }
                Ok(())
            })?;
        }
        Ok(Tensor::from_vec([rows, columns], jacobian))
    }

    /// The Hessian at `x`, `H[i, j] = d2f/dx_i dx_j`: four columns per pair of sweeps.
    ///
    /// Where most of it is zero, [`sparse_hessian`](Self::sparse_hessian) costs much less.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn hessian(&self, x: &[F]) -> Result<Tensor<F>, FunctionError> {
        self.expect_scalar("hessian")?;
        let n = self.inputs();
        self.expect_length("hessian", "point", x.len(), n)?;
        let mut hessian = vec![F::ZERO; n * n];
        self.columns(Matrix::Hessian, "hessian", x, n, is_unit, |direction, row, value| {
            hessian[row * n + direction] = value;
        })?;
        Ok(Tensor::from_vec([n, n], hessian))
    }

    /// A matrix times `directions` vectors of zeros and ones, several at a time: `moves` says which inputs a direction
    /// moves, `take` is given each direction, row of the matrix and derivative.
    pub(super) fn columns(
        &self,
        of: Matrix,
        op: &'static str,
        x: &[F],
        directions: usize,
        moves: impl Fn(usize, usize) -> bool,
        take: impl FnMut(usize, usize, F),
    ) -> Result<(), FunctionError> {
        self.with_workspace(|work| match directions {
            ..=FEW => self.columns_in(&mut work.few, of, op, x, directions, moves, take),
            _ => self.columns_in(&mut work.duals, of, op, x, directions, moves, take),
        })
    }

    /// [`columns`](Self::columns), `N` at a time.
    #[expect(clippy::too_many_arguments, reason = "what is asked for, and the memory")]
    fn columns_in<const N: usize>(
        &self,
        Sheet { values, adjoints }: &mut Sheet<Dual<F, N>>,
        of: Matrix,
        op: &'static str,
        x: &[F],
        directions: usize,
        moves: impl Fn(usize, usize) -> bool,
        mut take: impl FnMut(usize, usize, F),
    ) -> Result<(), FunctionError> {
        for first in (0..directions).step_by(N) {
            self.forward_in(op, values, x.len(), |k| moving(x[k], |lane| moves(k, first + lane)))?;
            let mut take = |row, number: Dual<F, N>| {
                let each = (first..directions).zip(number.tangents);
                each.for_each(|(direction, value)| take(direction, row, value));
            };
            match of {
                Matrix::Jacobian => {
                    let y = self.program_for::<Dual<F, N>>().outputs.iter().map(|&output| values[output as usize]);
                    y.enumerate().for_each(|(row, y)| take(row, y));
                }
                Matrix::Hessian => {
                    self.program_for::<Dual<F, N>>().reverse(
                        values,
                        adjoints,
                        core::iter::once((0, Dual::constant(F::ONE))),
                    );
                    let x_bar = adjoints[..self.inputs()].iter();
                    x_bar.enumerate().for_each(|(row, &x_bar)| take(row, x_bar));
                }
            }
        }
        Ok(())
    }

    fn forward<R: Primal<Base = F>>(
        &self,
        op: &'static str,
        sheet: &mut Sheet<R>,
        len: usize,
        x: impl Fn(usize) -> R,
    ) -> Result<(), FunctionError> {
        self.forward_in(op, &mut sheet.values, len, x)
    }

    /// Fills the slots with the values at `x`, a point of `len` numbers, and checks the guards.
    pub(super) fn forward_in<R: Primal<Base = F>>(
        &self,
        op: &'static str,
        values: &mut Vec<R>,
        len: usize,
        x: impl Fn(usize) -> R,
    ) -> Result<(), FunctionError> {
        self.forward_over(self.program_for::<R>(), op, values, len, x)
    }

    /// The same over another program of these inputs and data.
    pub(super) fn forward_over<R: Primal<Base = F>>(
        &self,
        program: &Program<F>,
        op: &'static str,
        values: &mut Vec<R>,
        len: usize,
        x: impl Fn(usize) -> R,
    ) -> Result<(), FunctionError> {
        self.expect_length(op, "point", len, self.inputs())?;
        program.prepare(values);
        for (k, slot) in values[..len].iter_mut().enumerate() {
            *slot = x(k);
        }
        for (slot, &value) in values[len..].iter_mut().zip(&self.data) {
            *slot = R::from_base(value);
        }
        program.forward(values);
        if program.has_checks() {
            program.check(None, |slot| values[slot].base(), wengert_kernels::Float::to_f64)?;
        }
        Ok(())
    }
}

/// The number `x` that moves in the directions of which `moves` holds.
fn moving<F: TensorFloat, const N: usize>(x: F, moves: impl Fn(usize) -> bool) -> Dual<F, N> {
    Dual { value: x, tangents: core::array::from_fn(|lane| if moves(lane) { F::ONE } else { F::ZERO }) }
}

/// Whether input `k` moves in the direction with this number, where each input has one of its own.
fn is_unit(k: usize, direction: usize) -> bool {
    k == direction
}
