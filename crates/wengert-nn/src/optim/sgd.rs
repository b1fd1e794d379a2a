//! Stochastic gradient descent.

use super::{Memory, Optimizer, Remembered, each_parameter, in_range};
use crate::error::Error;
use crate::module::Module;
use crate::state::StateDict;
use wengert_core::{Gradients, TensorFloat};
use wengert_kernels::{Par, optimizer};
use wengert_tensor::Tensor;

/// Stochastic gradient descent, with momentum and weight decay if asked for.
///
/// For a parameter `w` with gradient `g`, learning rate `a`, momentum `m`, weight decay `d`:
/// ```text
/// g <- g + d w
/// v <- m v + g            (v <- g in the first step)
/// w <- w - a v            (plain),  w <- w - a (g + m v)   (Nesterov)
/// ```
/// These are PyTorch's conventions: the learning rate is outside the velocity.
///
/// # Examples
/// ```
/// use wengert_nn::Sgd;
/// let optimizer: Sgd = Sgd::new(0.1).momentum(0.9).nesterov().weight_decay(1e-4);
/// ```
#[derive(Debug, Clone)]
pub struct Sgd<F: TensorFloat = f32> {
    learning_rate: f64,
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
    velocities: Memory<Velocity<F>>,
}

#[derive(Clone)]
struct Velocity<F: TensorFloat> {
    value: Tensor<F>,
    first_step: bool,
}

impl<F: TensorFloat> Remembered<F> for Velocity<F> {
    const NAMES: &'static [&'static str] = &["momentum_buffer"];

    fn tensors(&self) -> Vec<Tensor<F>> {
        vec![self.value.clone()]
    }

    fn of(tensors: Vec<Tensor<F>>) -> Self {
        let [value] = <[_; 1]>::try_from(tensors).unwrap_or_else(|_| unreachable!("as many as names"));
        Velocity { value, first_step: false }
    }
}

impl<F: TensorFloat> Sgd<F> {
    /// Plain descent with this learning rate.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Sgd { learning_rate, momentum: 0.0, weight_decay: 0.0, nesterov: false, velocities: Memory::new() }
    }

    /// How much of the velocity is kept from step to step, from 0 to below 1; 0 without this call.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }
    }

    /// Looks ahead along the velocity (Nesterov 1983, in the form of Sutskever et al. 2013). Needs momentum.
    #[must_use]
    pub fn nesterov(self) -> Self {
        Sgd { nesterov: true, ..self }
    }

    /// Adds this multiple of the parameter to its gradient; 0 without this call.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Sgd { weight_decay, ..self }
    }
}

impl<F: TensorFloat> Optimizer<F> for Sgd<F> {
    fn check(&self) -> Result<(), Error> {
        in_range("sgd", "learning_rate", self.learning_rate, 0.0.., "a finite number, not negative")?;
        in_range("sgd", "weight_decay", self.weight_decay, 0.0.., "a finite number, not negative")?;
        match self.nesterov {
            false => in_range("sgd", "momentum", self.momentum, 0.0..1.0, "at least 0 and below 1"),
            true if self.momentum == 0.0 => {
                let expected = "above 0 and below 1 for the Nesterov form";
                Err(Error::Setting { of: "sgd", setting: "momentum", value: 0.0, expected })
            }
            true => in_range("sgd", "momentum", self.momentum, 0.0..1.0, "above 0 and below 1 for the Nesterov form"),
        }
    }

    #[track_caller]
    fn step(&mut self, model: &mut dyn Module<F>, gradients: &Gradients<F>) -> Result<(), Error> {
        Optimizer::<F>::check(self)?;
        let settings = optimizer::Sgd {
            learning_rate: F::from_f64(self.learning_rate),
            momentum: F::from_f64(self.momentum),
            dampening: F::ZERO,
            weight_decay: F::from_f64(self.weight_decay),
            nesterov: self.nesterov,
        };
        let par = Par::current();
        let velocities = (self.momentum != 0.0).then_some(&mut self.velocities);
        let mut velocities = velocities;
        each_parameter("sgd", model, gradients, |id, gradient, value| {
            let Some(velocities) = &mut velocities else {
                optimizer::sgd(settings, true, gradient, None, value.make_mut(), par);
                return Ok(());
            };
            let velocity = velocities
                .slot(id, || Ok(Velocity { value: Tensor::try_zeros(value.shape().clone())?, first_step: true }))?;
            let first = core::mem::replace(&mut velocity.first_step, false);
            optimizer::sgd(settings, first, gradient, Some(velocity.value.make_mut()), value.make_mut(), par);
            Ok(())
        })
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn state_dict(&self, model: &dyn Module<F>) -> StateDict<F> {
        self.velocities.state_dict(model)
    }

    fn load_state_dict(&mut self, model: &dyn Module<F>, state: &StateDict<F>) -> Result<(), Error> {
        self.velocities.load_state_dict(model, state)
    }
}
