//! Adam and AdamW.

use super::memory::STEP;
use super::{Memory, Optimizer, Remembered, each_parameter, in_range};
use crate::error::Error;
use crate::module::Module;
use crate::state::StateDict;
use wengert_core::{Gradients, TensorFloat};
use wengert_kernels::{Par, optimizer};
use wengert_tensor::Tensor;

#[derive(Clone)]
struct Moments<F: TensorFloat> {
    m: Tensor<F>,
    v: Tensor<F>,
    /// Steps this parameter has taken, which the bias correction needs: a parameter may have no gradient in some.
    steps: u64,
}

impl<F: TensorFloat> Remembered<F> for Moments<F> {
    const NAMES: &'static [&'static str] = &["exp_avg", "exp_avg_sq", STEP];

    fn tensors(&self) -> Vec<Tensor<F>> {
        vec![self.m.clone(), self.v.clone(), Tensor::scalar(F::from_f64(self.steps as f64))]
    }

    fn of(tensors: Vec<Tensor<F>>) -> Self {
        let [m, v, steps] = <[_; 3]>::try_from(tensors).unwrap_or_else(|_| unreachable!("as many as names"));
        Moments { m, v, steps: steps.item().to_f64() as u64 }
    }
}

macro_rules! adam {
    ($( $(#[$doc:meta])* $Adam:ident = $name:literal, decoupled: $decoupled:literal, weight_decay: $decay:literal; )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $Adam<F: TensorFloat = f32> {
            learning_rate: f64,
            betas: (f64, f64),
            epsilon: f64,
            weight_decay: f64,
            moments: Memory<Moments<F>>,
        }

        impl<F: TensorFloat> $Adam<F> {
            /// With this learning rate, betas 0.9 and 0.999, epsilon 1e-8,
            #[doc = concat!("weight decay ", stringify!($decay), ".")]
            #[must_use]
            pub fn new(learning_rate: f64) -> Self {
                let (betas, epsilon, weight_decay) = ((0.9, 0.999), 1e-8, $decay);
                $Adam { learning_rate, betas, epsilon, weight_decay, moments: Memory::new() }
            }

            /// How much of the two moments is kept from step to step, each from 0 to below 1.
            #[must_use]
            pub fn betas(self, first: f64, second: f64) -> Self {
                $Adam { betas: (first, second), ..self }
            }

            /// What is added to the root of the second moment, above 0.
            #[must_use]
            pub fn epsilon(self, epsilon: f64) -> Self {
                $Adam { epsilon, ..self }
            }

            /// The strength of weight decay.
            #[must_use]
            pub fn weight_decay(self, weight_decay: f64) -> Self {
                $Adam { weight_decay, ..self }
            }
        }

        impl<F: TensorFloat> Optimizer<F> for $Adam<F> {
            fn check(&self) -> Result<(), Error> {
                let not_negative = "a finite number, not negative";
                in_range($name, "learning_rate", self.learning_rate, 0.0.., not_negative)?;
                in_range($name, "beta1", self.betas.0, 0.0..1.0, "at least 0 and below 1")?;
                in_range($name, "beta2", self.betas.1, 0.0..1.0, "at least 0 and below 1")?;
                in_range($name, "epsilon", self.epsilon, f64::MIN_POSITIVE.., "a finite number above 0")?;
                in_range($name, "weight_decay", self.weight_decay, 0.0.., not_negative)
            }

            #[track_caller]
            fn step(&mut self, model: &mut dyn Module<F>, gradients: &Gradients<F>) -> Result<(), Error> {
                Optimizer::<F>::check(self)?;
                let settings = optimizer::Adam {
                    learning_rate: F::from_f64(self.learning_rate),
                    beta1: F::from_f64(self.betas.0),
                    beta2: F::from_f64(self.betas.1),
                    epsilon: F::from_f64(self.epsilon),
                    weight_decay: F::from_f64(self.weight_decay),
                    decoupled: $decoupled,
                };
                let par = Par::current();
                each_parameter($name, model, gradients, |id, gradient, value| {
                    let moments = self.moments.slot(id, || {
                        let zeros = || Tensor::try_zeros(value.shape().clone());
                        Ok(Moments { m: zeros()?, v: zeros()?, steps: 0 })
                    })?;
                    moments.steps += 1;
                    let (m, v) = (moments.m.make_mut(), moments.v.make_mut());
                    optimizer::adam(settings, moments.steps, gradient, m, v, value.make_mut(), par);
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
                self.moments.state_dict(model)
            }

            fn load_state_dict(&mut self, model: &dyn Module<F>, state: &StateDict<F>) -> Result<(), Error> {
                self.moments.load_state_dict(model, state)
            }
        }
    )* };
}

adam! {
    /// Adam: steps of the size of the learning rate, whatever that of the gradient.
    ///
    /// For a parameter `w` with gradient `g` in step `t`, learning rate `a`:
    /// ```text
    /// g <- g + decay w
    /// m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
    /// w <- w - a (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
    /// ```
    /// Source: D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    ///
    /// # Examples
    /// ```
    /// use wengert_nn::Adam;
    /// let optimizer: Adam = Adam::new(1e-3).betas(0.9, 0.99);
    /// ```
    Adam = "adam", decoupled: false, weight_decay: 0.0;
    /// Adam with weight decay apart from the gradient: `w <- w - a decay w` before the step of [`Adam`].
    ///
    /// Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    ///
    /// # Examples
    /// ```
    /// use wengert_nn::AdamW;
    /// let optimizer: AdamW = AdamW::new(1e-3).weight_decay(0.05);
    /// ```
    AdamW = "adamw", decoupled: true, weight_decay: 0.01;
}
