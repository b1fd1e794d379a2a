//! Optimizers: how a gradient changes parameters.
//!
//! An optimizer keeps what it remembers of a parameter (velocity, moments) under the parameter's own id, so it serves
//! any number of models and survives changes to one. The update of a parameter is one pass over memory, in place.

mod adam;
mod memory;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;

use crate::error::Error;
use crate::module::{EntryMut, Module, ModulePath};
use crate::state::{Mismatch, StateDict};
use core::panic::Location;
use memory::{Memory, Remembered};
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
///
/// The tape has the numbers of the model: layers are of `f32` unless told otherwise, so with the prelude, whose `Tape` is
/// of `f64`, it is a `Tape32`.
///
/// Layers are frozen by cutting what flows back to them, in `forward`: a parameter without a gradient is left alone, by
/// weight decay as well. In [`Mode::Eval`](crate::Mode::Eval) they keep their running statistics, too.
///
/// ```
/// use wengert_core::TensorVar;
/// use wengert_nn::{AdamW, BatchNorm1d, Error, Layer, Linear, Mode, Module, Sequential, Trainer, loss};
/// use wengert_tensor::{Tensor, rng};
///
/// #[derive(Module)]
/// struct FineTuned {
///     features: Sequential,
///     head: Linear,
/// }
/// impl Layer for FineTuned {
///     fn forward<'t>(&self, x: TensorVar<'t, f32>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, f32>, Error> {
///         self.head.forward(self.features.forward(x, &mut Mode::Eval)?.detach(), mode)
///     }
/// }
///
/// let mut rng = rng(0);
/// let features = Sequential::new().with(Linear::new(2, 4, &mut rng)).with(BatchNorm1d::new(4));
/// let mut model = FineTuned { features, head: Linear::new(4, 1, &mut rng) };
/// let (features, head) = (model.features.state_dict(), model.head.state_dict());
/// let (x, y) = (Tensor::normal([32, 2], 0.0, 1.0, &mut rng), Tensor::ones([32, 1]));
/// Trainer::new(AdamW::new(0.01).weight_decay(0.1), loss::mse).epochs(2).fit(&mut model, &x, &y)?;
/// assert_eq!(model.features.state_dict(), features);
/// assert_ne!(model.head.state_dict(), head);
/// # Ok::<(), Error>(())
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
    /// As [`check`](Self::check), and [`Error::Tape`] if a gradient has another shape than its parameter. Nothing has
    /// been changed when the settings are wrong.
    fn step(&mut self, model: &mut dyn Module<F>, gradients: &Gradients<F>) -> Result<(), Error>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate, as a schedule does.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// What is remembered of the parameters of `model`, as tensors named after them: with the model's own state, what a
    /// training that goes on another day needs. Settings are not part of it.
    ///
    /// The last part of a name is PyTorch's: `weight.momentum_buffer` of [`Sgd`]; `weight.exp_avg`, `weight.exp_avg_sq`
    /// and `weight.step` of [`Adam`] and [`AdamW`]. A parameter that was never updated has none; an optimizer of your
    /// own that does not write this method has none of any.
    ///
    /// # Examples
    /// ```
    /// use wengert_core::Tape;
    /// use wengert_nn::{Adam, Linear, Layer, Mode, Module, Optimizer, StateDict};
    /// use wengert_tensor::{Tensor, rng};
    ///
    /// let mut layer = Linear::<f32>::new(2, 1, &mut rng(0));
    /// let mut adam = Adam::new(0.01);
    /// let tape = Tape::new();
    /// let y = layer.forward(tape.constant_tensor(Tensor::ones([1, 2])), &mut Mode::Eval)?;
    /// let gradients = y.sum().gradient();
    /// drop(tape);
    /// adam.step(&mut layer, &gradients)?;
    /// # let file = std::env::temp_dir().join(format!("wengert-adam-{}.safetensors", std::process::id()));
    /// layer.save(&file)?;
    /// # let moments = std::env::temp_dir().join(format!("wengert-moments-{}.safetensors", std::process::id()));
    /// adam.state_dict(&layer).write(&moments)?;
    ///
    /// // Another day:
    /// let (mut again, mut optimizer) = (Linear::<f32>::new(2, 1, &mut rng(1)), Adam::new(0.01));
    /// again.load(&file)?;
    /// optimizer.load_state_dict(&again, &StateDict::read(&moments)?)?;
    /// assert_eq!(optimizer.state_dict(&again), adam.state_dict(&layer));
    /// # std::fs::remove_file(file).and(std::fs::remove_file(moments)).unwrap();
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    fn state_dict(&self, model: &dyn Module<F>) -> StateDict<F> {
        let _ = model;
        StateDict::new()
    }

    /// Remembers of the parameters of `model` what [`state_dict`](Self::state_dict) gave, and nothing else.
    ///
    /// # Errors
    /// [`Error::StateMismatch`] if the state has names that do not belong to the model and this optimizer, has some of
    /// what is remembered of a parameter but not all, or has other shapes: the text lists them, and nothing has been
    /// changed.
    fn load_state_dict(&mut self, model: &dyn Module<F>, state: &StateDict<F>) -> Result<(), Error> {
        let _ = model;
        match state.is_empty() {
            true => Ok(()),
            false => {
                let unexpected = state.names().map(str::to_owned).collect();
                let mismatch = Box::new(Mismatch { unexpected, ..Mismatch::default() });
                Err(Error::StateMismatch { path: None, mismatch })
            }
        }
    }
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
    fn state_dict(&self, model: &dyn Module<F>) -> StateDict<F> {
        (**self).state_dict(model)
    }
    fn load_state_dict(&mut self, model: &dyn Module<F>, state: &StateDict<F>) -> Result<(), Error> {
        (**self).load_state_dict(model, state)
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
