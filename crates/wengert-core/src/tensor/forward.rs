//! Forward mode over a recording: tangents go the way the values went.

use super::{TensorFloat, TensorVar};
use crate::error::{Caller, Error, OrPanic};
use crate::rules::{Array, zeros, zip};
use crate::tape::Tape;
use core::panic::Location;
use smallvec::SmallVec;
use wengert_kernels::Binary;
use wengert_tensor::{Shape, ShapeError, Tensor, refusable};

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// The derivative of this tensor along `v`, `J v = d/dt y(x + t v)` at `t = 0`: forward mode, one pass over what
    /// was recorded.
    ///
    /// Costs about what [`vjp`](Self::vjp) costs, for a result of any size where that is for inputs of any size; a few
    /// times as much for ops whose tangent nobody wrote: they have that of their pullback, transposed, exact like it.
    /// Shapes: each of `v` like its variable, the result like this tensor; 0 if it depends on none of them, or if they
    /// are constants.
    ///
    /// # Panics
    /// With the text of the error that [`try_jvp`](Self::try_jvp) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, w) = (tape.tensor([1.0, 2.0]), tape.tensor([[3.0, 4.0], [5.0, 6.0]]));
    /// let y = w.matmul(x).square();
    /// let y_dot = y.jvp([x], [&[1.0, 0.0].into()]);
    /// assert_eq!(y_dot.to_vec(), [2.0 * 11.0 * 3.0, 2.0 * 17.0 * 5.0]);
    /// ```
    #[doc(alias = "pushforward")]
    #[track_caller]
    pub fn jvp<const N: usize>(self, wrt: [Self; N], v: [&Tensor<F>; N]) -> Tensor<F> {
        self.try_jvp(wrt, v).or_panic()
    }

    /// [`jvp`](Self::jvp), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::SeedShape`] if a direction has another shape than its variable, [`Error::MixedTapes`] if a variable is
    /// of another tape, [`Error::ScalarsBetween`] if scalars lie on the way, [`Error::Derivative`] if there is no
    /// memory for it.
    #[track_caller]
    pub fn try_jvp<const N: usize>(self, wrt: [Self; N], v: [&Tensor<F>; N]) -> Result<Tensor<F>, Error> {
        let tangents = self.tape().try_jvp_tensors([self], wrt.into_iter().zip(v))?;
        Ok(tangents.into_iter().next().unwrap_or_else(|| zeros(&self.shape())))
    }

    /// The derivative along `v` as a variable on the same tape: differentiable again, in either mode.
    ///
    /// # Panics
    /// With the text of the error that [`try_recorded_jvp`](Self::try_recorded_jvp) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let v = tape.constant_tensor([1.0, 1.0]);
    /// let dy = x.powi(4).recorded_jvp([x], [v]);
    /// assert_eq!(dy.value().to_vec(), [4.0, 32.0]);
    /// assert_eq!(dy.recorded_jvp([x], [v]).value().to_vec(), [12.0, 48.0]);
    /// assert_eq!(dy.sum().gradient()[x].to_vec(), [12.0, 48.0]);
    /// ```
    #[track_caller]
    pub fn recorded_jvp<const N: usize>(self, wrt: [Self; N], v: [Self; N]) -> Self {
        self.try_recorded_jvp(wrt, v).or_panic()
    }

    /// [`recorded_jvp`](Self::recorded_jvp), returning what is wrong.
    ///
    /// # Errors
    /// As [`try_jvp`](Self::try_jvp); [`Error::MixedTapes`] if a direction is of another tape, too.
    #[track_caller]
    pub fn try_recorded_jvp<const N: usize>(self, wrt: [Self; N], v: [Self; N]) -> Result<Self, Error> {
        let (tape, caller) = (self.tape(), Location::caller());
        for v in v {
            self.same_tape(v, "recorded_jvp", caller)?;
        }
        let _asked_at = tape.tensors.asked_at(caller);
        let attempt = tape.attempt();
        let moving = tape.moving("recorded_jvp", wrt.into_iter().zip(v), caller)?;
        let [y_dot] =
            &mut *tape.pushed("recorded_jvp", &[self.number()], moving, |k| TensorVar::new(tape, k), caller)?
        else {
            unreachable!("one tangent for one tensor")
        };
        let y_dot = y_dot.unwrap_or_else(|| tape.constant_tensor(zeros(&self.shape())));
        attempt.keep();
        Ok(y_dot)
    }

    /// The Jacobian of this tensor in `x`, `J[i.., j..] = dy[i..]/dx[j..]`: forward mode by the elements of `x` if they
    /// are at most as many as those of this tensor, else reverse mode by those of this tensor.
    ///
    /// Shapes: `[.., ..]`, the axes of this tensor and behind them those of `x`. Costs as many passes as the smaller of
    /// the two has elements.
    ///
    /// # Panics
    /// With the text of the error that [`try_jacobian`](Self::try_jacobian) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let (x, w) = (tape.tensor([1.0, 2.0]), tape.constant_tensor([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]));
    /// let y = w.matmul(x.square());
    /// assert_eq!(y.jacobian(x), [[6.0, 16.0], [10.0, 24.0], [14.0, 32.0]].into());
    /// ```
    #[track_caller]
    pub fn jacobian(self, x: Self) -> Tensor<F> {
        self.try_jacobian(x).or_panic()
    }

    /// [`jacobian`](Self::jacobian), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::MixedTapes`] if `x` is of another tape, [`Error::ScalarsBetween`] if scalars lie on the way,
    /// [`Error::Shape`] if there is no memory for the result.
    #[track_caller]
    pub fn try_jacobian(self, x: Self) -> Result<Tensor<F>, Error> {
        let caller = Location::caller();
        self.same_tape(x, "jacobian", caller)?;
        let (outputs, inputs) = (self.shape(), x.shape());
        let (m, n) = (outputs.size(), inputs.size());
        let shape: Shape = outputs.iter().chain(inputs.iter()).copied().collect();
        let mut jacobian = self.fit(Tensor::try_zeros(shape))?;
        if jacobian.is_empty() {
            return Ok(jacobian);
        }
        let elements = jacobian.make_mut();
        if n <= m {
            for j in 0..n {
                let column = self.try_jvp([x], [&self.fit(unit(&inputs, j))?])?;
                for (row, y_dot) in elements.chunks_exact_mut(n).zip(&column) {
                    row[j] = y_dot;
                }
            }
        } else {
            let tape = self.tape();
            let new = !tape.is_input(x.number()) && tape.tensors.retain(x.number());
            let swept = self.rows_of_jacobian(x, elements.chunks_exact_mut(n));
            if new {
                tape.tensors.release(x.number());
            }
            swept?;
        }
        Ok(jacobian)
    }

    #[track_caller]
    fn rows_of_jacobian<'a>(self, x: Self, rows: impl Iterator<Item = &'a mut [F]>) -> Result<(), Error> {
        for (i, row) in rows.enumerate() {
            let gradients = self.try_vjp(&self.fit(unit(&self.shape(), i))?)?;
            if let Some(x_bar) = gradients.get_tensor(x) {
                row.iter_mut().zip(x_bar).for_each(|(element, x_bar)| *element = x_bar);
            }
        }
        Ok(())
    }
}

/// Zeros with a 1 at element `k`.
fn unit<F: TensorFloat>(shape: &Shape, k: usize) -> Result<Tensor<F>, ShapeError> {
    let mut elements = Tensor::try_zeros(shape)?;
    elements.make_mut()[k] = F::ONE;
    Ok(elements)
}

impl<F: TensorFloat> Tape<F> {
    /// The derivatives of several tensors along directions of others, in one pass over what was recorded:
    /// [`TensorVar::jvp`] of each.
    ///
    /// # Panics
    /// With the text of the error that [`try_jvp_tensors`](Self::try_jvp_tensors) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let direction = [1.0, 0.0].into();
    /// let [square, sum] = &tape.jvp_tensors([x.square(), x.sum()], [(x, &direction)])[..] else { unreachable!() };
    /// assert_eq!((square.to_vec(), sum.item()), (vec![2.0, 0.0], 1.0));
    /// ```
    #[track_caller]
    pub fn jvp_tensors<'a>(
        &'a self,
        outputs: impl IntoIterator<Item = TensorVar<'a, F>>,
        moving: impl IntoIterator<Item = (TensorVar<'a, F>, &'a Tensor<F>)>,
    ) -> Vec<Tensor<F>> {
        self.try_jvp_tensors(outputs, moving).or_panic()
    }

    /// [`jvp_tensors`](Self::jvp_tensors), returning what is wrong.
    ///
    /// # Errors
    /// As [`TensorVar::try_jvp`]; [`Error::MixedTapes`] if an output is of another tape, too.
    #[track_caller]
    pub fn try_jvp_tensors<'a, 'b>(
        &'a self,
        outputs: impl IntoIterator<Item = TensorVar<'a, F>>,
        moving: impl IntoIterator<Item = (TensorVar<'a, F>, &'b Tensor<F>)>,
    ) -> Result<Vec<Tensor<F>>, Error> {
        let caller = Location::caller();
        let mut numbers: SmallVec<[u32; 4]> = SmallVec::new();
        for y in outputs {
            self.own(y, "jvp", caller)?;
            numbers.push(y.number());
        }
        let moving = moving.into_iter().map(|(x, v)| (x, v.clone()));
        let moving = self.moving("jvp", moving, caller)?;
        let value = |k: u32| self.tensors.nodes.borrow().values[k as usize].tensor.clone();
        let tangents = self.pushed("jvp", &numbers, moving, value, caller)?;
        let zero = |number: u32| zeros(value(number).shape());
        Ok(tangents.into_iter().zip(numbers).map(|(y_dot, number)| y_dot.unwrap_or_else(|| zero(number))).collect())
    }

    /// Variables and their directions, of one shape each.
    fn moving<'a, A: Array<F>>(
        &'a self,
        op: &'static str,
        pairs: impl Iterator<Item = (TensorVar<'a, F>, A)>,
        caller: Caller,
    ) -> Result<Vec<(u32, A)>, Error> {
        let mut moving = Vec::new();
        for (x, v) in pairs {
            self.own(x, op, caller)?;
            let (seed, output) = (v.shape(), x.shape());
            if seed != output {
                return Err(Error::SeedShape { seed, output, caller });
            }
            moving.push((x.number(), v));
        }
        Ok(moving)
    }

    /// The tangents of some tensors from those of others, `None` where nothing flows, as plain values or recorded:
    /// `array` makes an operand of a number. Where a tensor moves by itself and with others, both count.
    fn pushed<A: Array<F>>(
        &self,
        op: &'static str,
        outputs: &[u32],
        moving: Vec<(u32, A)>,
        array: impl Fn(u32) -> A,
        caller: Caller,
    ) -> Result<Vec<Option<A>>, Error> {
        let Some(&last) = outputs.iter().max() else { return Ok(Vec::new()) };
        if self.tensors.notes.differentiate(caller) {
            return Ok(outputs.iter().map(|_| None).collect());
        }
        let first = moving.iter().map(|&(number, _)| number).min().unwrap_or(0);
        let moves = self.moved_by(moving.iter().map(|&(number, _)| number), first.min(last), last);
        let needed = self.made_of(outputs, last);
        let mut tangents: Vec<Option<A>> = vec![None; last as usize + 1];
        let add = |sum: &mut Option<A>, tangent: A| {
            *sum = Some(match sum.take() {
                Some(sum) => zip(Binary::Add, &sum, &tangent),
                None => tangent,
            });
        };
        let mut at = None;
        let pushed = refusable(|| {
            for (number, v) in moving {
                if number <= last && moves.all[number as usize] {
                    add(&mut tangents[number as usize], v);
                }
            }
            for number in (first..=last).filter(|&number| moves.made[number as usize] && needed[number as usize]) {
                let Some((rule, operands)) = self.rule_of(number, op, caller)? else { continue };
                at = Some(rule.label());
                let y_dot = {
                    let x: SmallVec<[A; 4]> = operands.iter().map(|&k| array(k)).collect();
                    let x: SmallVec<[&A; 4]> = x.iter().collect();
                    let x_dot = operands.iter().map(|&k| tangents[k as usize].as_ref());
                    let x_dot: SmallVec<[Option<&A>; 4]> = x_dot.collect();
                    match x_dot.iter().any(Option::is_some) {
                        true => rule.jvp(&x, &array(number), &x_dot),
                        false => None,
                    }
                };
                if let Some(y_dot) = y_dot {
                    add(&mut tangents[number as usize], y_dot);
                }
            }
            Ok(())
        });
        pushed.unwrap_or_else(|source| Err(Error::derivative("tangent", at, source, caller)))?;
        Ok(outputs.iter().map(|&number| tangents[number as usize].clone()).collect())
    }
}
