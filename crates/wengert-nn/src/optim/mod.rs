//! Optimizers: how a gradient changes parameters.
//!
//! An optimizer keeps what it remembers of a parameter (velocity, moments) under the parameter's own id, so it serves any
//! number of models and survives changes to one. The update of a parameter is one pass over memory, in place.

mod adam;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;

use crate::error::Error;
use crate::module::{EntryMut, Module, ModulePath};
use core::fmt;
use core::panic::Location;
use wengert_core::{Gradients, Parameter, ParameterId, TensorFloat};
use wengert_tensor::{ShapeError, Tensor};

/// A rule by which gradients change parameters.
///
/// # Examples
/// Without a trainer, a step reads: bind and compute, sweep, clear, update.
/// ```
/// use wengert_core::{Parameter, Tape};
/// use wengert_nn::{Optimizer, Sgd};
///
/// let mut w = Parameter::new([3.0_f64, -4.0]);
/// let mut tape = Tape::new();
/// let mut optimizer = Sgd::new(0.25);
/// for _ in 0..20 {
///     let gradients = (tape.parameter(&w) * tape.parameter(&w)).sum().gradient();
///     tape.clear();
///     optimizer.step(&mut w, &gradients)?;
/// }
/// assert_eq!(w.value().to_vec(), [3.0 / f64::from(1 << 20), -4.0 / f64::from(1 << 20)]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub trait Optimizer<F: TensorFloat = f32> {
    /// Whether the settings mean something.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the first that does not.
    fn check(&self) -> Result<(), Error>;

    /// Changes every parameter of `model` that the gradients are of; one that has no gradient is left alone.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`Error::Tape`] if a gradient has another shape than its parameter. Nothing has been
    /// changed when the settings are wrong.
    fn step(&mut self, model: &mut dyn Module<F>, gradients: &Gradients<F>) -> Result<(), Error>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate, as a schedule does.
    fn set_learning_rate(&mut self, learning_rate: f64);
}

impl<F: TensorFloat, O: Optimizer<F> + ?Sized> Optimizer<F> for Box<O> {
    fn check(&self) -> Result<(), Error> {
        (**self).check()
    }
    #[track_caller]
    fn step(&mut self, model: &mut dyn Module<F>, gradients: &Gradients<F>) -> Result<(), Error> {
        let caller = Location::caller();
        (**self).step(model, gradients).map_err(|error| error.called_at(caller))
    }
    fn learning_rate(&self) -> f64 {
        (**self).learning_rate()
    }
    fn set_learning_rate(&mut self, learning_rate: f64) {
        (**self).set_learning_rate(learning_rate);
    }
}

/// What an optimizer remembers, by parameter.
#[derive(Clone)]
struct Memory<S> {
    slots: Vec<(ParameterId, S)>,
    /// Where the next parameter is expected: models are walked in the same order every time.
    next: usize,
}

impl<S> Memory<S> {
    const fn new() -> Self {
        Memory { slots: Vec::new(), next: 0 }
    }

    /// The slot of a parameter, made if it is new.
    fn slot(&mut self, id: ParameterId, new: impl FnOnce() -> Result<S, ShapeError>) -> Result<&mut S, ShapeError> {
        let expected = self.slots.get(self.next).is_some_and(|(known, _)| *known == id);
        let position = match expected {
            true => Some(self.next),
            false => self.slots.iter().position(|(known, _)| *known == id),
        };
        let position = match position {
            Some(position) => position,
            None => {
                self.slots.push((id, new()?));
                self.slots.len() - 1
            }
        };
        self.next = (position + 1) % self.slots.len();
        Ok(&mut self.slots[position].1)
    }
}

impl<S> fmt::Debug for Memory<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parameters", self.slots.len())
    }
}

/// Calls `update(id, gradient, parameter)` for every parameter with a gradient.
#[track_caller]
fn each_parameter<F: TensorFloat>(
    op: &'static str,
    model: &mut dyn Module<F>,
    gradients: &Gradients<F>,
    mut update: impl FnMut(ParameterId, &[F], &mut Tensor<F>) -> Result<(), ShapeError>,
) -> Result<(), Error> {
    let (mut outcome, caller) = (Ok(()), Location::caller());
    model.visit_mut(ModulePath::ROOT, &mut |path, entry| {
        let EntryMut::Parameter(parameter) = entry else { return };
        let Some(gradient) = gradients.get_parameter(parameter) else { return };
        if outcome.is_ok() {
            outcome = one_parameter(op, parameter, gradient, &mut update)
                .map_err(|source| Error::of_shape_at(source, caller).at(path));
        }
    });
    outcome
}

fn one_parameter<F: TensorFloat>(
    op: &'static str,
    parameter: &mut Parameter<F>,
    gradient: &Tensor<F>,
    update: &mut impl FnMut(ParameterId, &[F], &mut Tensor<F>) -> Result<(), ShapeError>,
) -> Result<(), ShapeError> {
    let id = parameter.id();
    let value = parameter.value_mut();
    if gradient.shape() != value.shape() {
        // The parameter was replaced by another between the recording and the step.
        return Err(ShapeError::Unequal { op, lhs: value.shape().clone(), rhs: gradient.shape().clone() });
    }
    let dense;
    let gradient = match gradient.as_slice() {
        Some(slice) => slice,
        None => {
            dense = gradient.to_contiguous();
            dense.as_slice().unwrap_or_default()
        }
    };
    update(id, gradient, value)
}

/// Refuses a setting outside its range. NaN is in none.
fn in_range(
    of: &'static str,
    setting: &'static str,
    value: f64,
    range: impl core::ops::RangeBounds<f64>,
    expected: &'static str,
) -> Result<(), Error> {
    if range.contains(&value) && value.is_finite() {
        Ok(())
    } else {
        Err(Error::Setting { of, setting, value, expected })
    }
}
