//! Batch normalisation, with its memory of past batches.

use super::normalization::{EPSILON, anchored, bound};
use crate::error::Error;
use crate::layer::{Layer, Mode};
use crate::module::{Entry, EntryMut, Module, ModulePath};
use core::panic::Location;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wengert_core::{Parameter, TensorFloat, TensorVar};
use wengert_tensor::{ShapeError, Tensor};

/// The mean and the unbiased variance of the channels of a batch, or averages of several.
#[derive(Debug, Clone)]
struct Batch<F: TensorFloat> {
    mean: Tensor<F>,
    variance: Tensor<F>,
    /// What part of it running averages take in.
    momentum: f64,
    count: usize,
}

impl<F: TensorFloat> Batch<F> {
    /// The one that averages take in as they do this one and then another:
    /// `(1 - q) ((1 - p) a + p x) + q y = (1 - r) a + r z` with `r = p + q - p q` and `z = y + p (1 - q)/r (x - y)`.
    fn then(&self, other: &Self) -> Self {
        let (p, q) = (self.momentum, other.momentum);
        let momentum = p + q - p * q;
        let share = if momentum == 0.0 { F::ZERO } else { F::from_f64(p * (1.0 - q) / momentum) };
        let between = |x: &Tensor<F>, y: &Tensor<F>| x.iter().zip(y.iter()).map(|(x, y)| y + share * (x - y)).collect();
        Batch {
            mean: between(&self.mean, &other.mean),
            variance: between(&self.variance, &other.variance),
            momentum,
            count: self.count + other.count,
        }
    }
}

/// How many batches wait apart, at the most.
const WAITING: usize = 64;

/// Averages of batches, and those that took their place.
#[derive(Debug)]
struct Averages<F: TensorFloat> {
    mean: Tensor<F>,
    variance: Tensor<F>,
    batches: Tensor<F>,
    /// With more batches: references to these may be about, so the newer ones lie beside them until the model is next
    /// changed.
    newer: OnceLock<Box<Averages<F>>>,
}

impl<F: TensorFloat> Averages<F> {
    fn newest(&self) -> &Self {
        let mut averages = self;
        while let Some(newer) = averages.newer.get() {
            averages = newer;
        }
        averages
    }

    /// The same with these batches, without what took their place.
    fn with(&self, batches: &[Batch<F>]) -> Self {
        let (mut mean, mut variance, mut count) = (self.mean.clone(), self.variance.clone(), self.batches.clone());
        for batch in batches {
            let momentum = F::from_f64(batch.momentum);
            for (average, value) in [(&mut mean, &batch.mean), (&mut variance, &batch.variance)] {
                // Both are [channels]: the forward pass compared them.
                let change = value.iter().zip(average.iter()).map(|(value, average)| momentum * (value - average));
                let change: Tensor<F> = change.collect();
                average.add_scaled(F::ONE, &change);
            }
            count = count.map(|count| count + F::from_f64(batch.count as f64));
        }
        Averages { mean, variance, batches: count, newer: OnceLock::new() }
    }
}

// One after the other: a list that drops its rest in its own drop needs stack for every link.
impl<F: TensorFloat> Drop for Averages<F> {
    fn drop(&mut self) {
        let mut newer = self.newer.take();
        while let Some(mut averages) = newer {
            newer = averages.newer.take();
        }
    }
}

/// Running averages of batches.
///
/// A forward pass has no right to change its model: several may run at once. It leaves what it saw in a list, and the
/// averages take that in when the model is next looked through or changed, which saving and a step of an optimizer do.
/// So does every replay of a recorded one, which therefore knows the list.
#[derive(Debug)]
struct Running<F: TensorFloat> {
    averages: Averages<F>,
    momentum: f64,
    seen: Arc<Mutex<Vec<Batch<F>>>>,
}

impl<F: TensorFloat> Running<F> {
    /// What takes in a batch of so many values a channel, as long as the layer lives.
    fn see(&self, values: usize) -> impl Fn(Tensor<F>, Tensor<F>) + Send + Sync + 'static {
        let unbiased = F::from_f64(values as f64 / (values as f64 - 1.0));
        let (seen, momentum) = (Arc::downgrade(&self.seen), self.momentum);
        move |mean, variance| {
            if let Some(seen) = seen.upgrade() {
                let batch = Batch { mean, variance: variance.map(|variance| variance * unbiased), momentum, count: 1 };
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody may ever look: then the last ones wait as one.
                let batch = if seen.len() == WAITING {
                    seen.pop().map(|last| last.then(&batch)).unwrap_or(batch)
                } else {
                    batch
                };
                seen.push(batch);
            }
        }
    }

    /// The averages with all that was seen.
    fn current(&self) -> &Averages<F> {
        // Locked until the newer ones are in place: who comes next finds nothing left to take in.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.averages.newest();
        if seen.is_empty() {
            return newest;
        }
        let newer = newest.newer.get_or_init(|| Box::new(newest.with(&seen)));
        seen.clear();
        newer
    }

    fn settle(&mut self) {
        let current = self.current();
        if !core::ptr::eq(current, &raw const self.averages) {
            self.averages = current.with(&[]);
        }
    }
}

impl<F: TensorFloat> Clone for Running<F> {
    fn clone(&self) -> Self {
        let averages = self.current().with(&[]);
        Running { averages, momentum: self.momentum, seen: Arc::default() }
    }
}

macro_rules! batch_norms {
    ($( $(#[$doc:meta])* $BatchNorm:ident: $ranks:pat => $expected:literal; )*) => { $(
        $(#[$doc])*
        ///
        /// In training the mean and variance are those of the batch, and running averages take in a tenth of them (the
        /// variance unbiased); otherwise they are those averages. A forward pass leaves what it saw to whoever looks
        /// through the model next, to save it, to change it, or to predict.
        ///
        /// Parameters and buffers have PyTorch's names: `weight` and `bias` (starting at 1 and 0), `running_mean` and
        /// `running_var` (0 and 1), `num_batches_tracked`. Epsilon is 1e-5.
        ///
        /// Source: S. Ioffe and C. Szegedy, "Batch normalization", 2015.
        #[derive(Debug, Clone)]
        pub struct $BatchNorm<F: TensorFloat = f32> {
            /// `[channels]`.
            pub weight: Option<Parameter<F>>,
            /// `[channels]`.
            pub bias: Option<Parameter<F>>,
            running: Running<F>,
            epsilon: f64,
        }

        impl<F: TensorFloat> $BatchNorm<F> {
            /// Of so many channels.
            #[must_use]
            pub fn new(channels: usize) -> Self {
                let averages = Averages {
                    mean: Tensor::zeros([channels]),
                    variance: Tensor::ones([channels]),
                    batches: Tensor::scalar(F::ZERO),
                    newer: OnceLock::new(),
                };
                let running = Running { averages, momentum: 0.1, seen: Arc::default() };
                $BatchNorm {
                    weight: Some(Parameter::new(Tensor::ones([channels]))),
                    bias: Some(Parameter::new(Tensor::zeros([channels]))),
                    running,
                    epsilon: EPSILON,
                }
            }

            /// The same layer with this added to variances.
            #[must_use]
            pub fn epsilon(self, epsilon: f64) -> Self {
                $BatchNorm { epsilon, ..self }
            }

            /// The same layer, whose averages take in this part of every batch.
            #[must_use]
            pub fn momentum(mut self, momentum: f64) -> Self {
                self.running.momentum = momentum;
                self
            }

            /// The same layer without weight and bias.
            #[must_use]
            pub fn without_parameters(self) -> Self {
                $BatchNorm { weight: None, bias: None, ..self }
            }

            /// The running averages of mean and variance, `[channels]` each, with every batch seen so far.
            #[must_use]
            pub fn running(&self) -> (Tensor<F>, Tensor<F>) {
                let averages = self.running.current();
                (averages.mean.clone(), averages.variance.clone())
            }

            #[track_caller]
            fn apply<'t>(&self, x: TensorVar<'t, F>, mode: &Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
                let (op, shape) = ("batch_norm", x.shape());
                let ($ranks, [_, channels, ..]) = (shape.rank(), &shape[..]) else {
                    return Err(Error::of_shape(ShapeError::Rank { op, shape, expected: $expected }));
                };
                let expected = self.running.averages.mean.len();
                if expected != *channels {
                    return Err(Error::Channels { layer: op, expected, input: shape, caller: Location::caller() });
                }
                let (weight, bias) = (bound(x, self.weight.as_ref()), bound(x, self.bias.as_ref()));
                if mode.is_train() {
                    let look = self.running.see(shape.size() / channels);
                    return Ok(x.try_batch_norm_watched(weight, bias, self.epsilon, look)?);
                }
                let averages = self.running.current();
                Ok(x.try_batch_norm_with(&averages.mean, &averages.variance, weight, bias, self.epsilon)?)
            }
        }

        impl<F: TensorFloat> Layer<F> for $BatchNorm<F> {
            #[track_caller]
            fn forward<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
                self.apply(x, mode).map_err(|error| anchored(error, self.weight.as_ref(), "weight"))
            }
        }

        // Written out, not derived: whoever looks through the model finds the averages up to date.
        impl<F: TensorFloat> Module<F> for $BatchNorm<F> {
            fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
                self.weight.visit(path.field("weight"), visitor);
                self.bias.visit(path.field("bias"), visitor);
                let averages = self.running.current();
                visitor(path.field("running_mean"), Entry::Buffer(&averages.mean));
                visitor(path.field("running_var"), Entry::Buffer(&averages.variance));
                visitor(path.field("num_batches_tracked"), Entry::Buffer(&averages.batches));
            }
            fn visit_mut<'a>(
                &'a mut self,
                path: ModulePath<'_>,
                visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>),
            ) {
                self.running.settle();
                self.weight.visit_mut(path.field("weight"), visitor);
                self.bias.visit_mut(path.field("bias"), visitor);
                let averages = &mut self.running.averages;
                visitor(path.field("running_mean"), EntryMut::Buffer(&mut averages.mean));
                visitor(path.field("running_var"), EntryMut::Buffer(&mut averages.variance));
                visitor(path.field("num_batches_tracked"), EntryMut::Buffer(&mut averages.batches));
            }
        }
    )* };
}

batch_norms! {
    /// Batch normalisation of features or sequences: every channel brought to mean 0 and variance 1 over the batch.
    ///
    /// Shapes: `x: [n, channels]` or `[n, channels, l]`, output alike.
    BatchNorm1d: 2 | 3 => "two or three, [n, channels] or [n, channels, l]";
    /// Batch normalisation of images: every channel brought to mean 0 and variance 1 over the batch and its pixels.
    ///
    /// Shapes: `x: [n, channels, h, w]`, output alike.
    BatchNorm2d: 4 => "four, [n, channels, h, w]";
}
