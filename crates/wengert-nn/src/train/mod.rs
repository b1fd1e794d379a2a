//! Training: epochs over a data set, with everything around them.

mod finite;
#[cfg(feature = "progress")]
mod progress;
mod recorded;
mod report;

pub use finite::Cause;
pub use recorded::RecordedLoss;
pub use report::{Epoch, Event, History, Score, Step, Target};

use crate::data::{Batch, Batches};
use crate::error::Error;
use crate::layer::{Layer, Mode};
use crate::optim::Optimizer;
use core::fmt;
use core::panic::Location;
use report::Running;
use std::path::{Path, PathBuf};
use std::time::Instant;
use wengert_core::{Gradients, Tape, TensorFloat, TensorVar};
use wengert_tensor::{Tensor, rng};

/// Items evaluated at a time, at least.
const EVALUATION_BATCH: usize = 256;

/// Trains a model: an optimizer, a loss, and how to use them.
///
/// The loss is any function of an output and the targets, such as those of [`loss`](crate::loss) or a closure. With
/// class labels as targets the accuracy is measured too.
///
/// The same seed gives the same numbers, on any number of threads. Training stops at the first loss or gradient that is
/// not finite, before it changes a parameter.
///
/// # Examples
/// ```
/// use wengert_nn::{Adam, Event, Linear, Trainer, loss};
/// use wengert_tensor::{Tensor, rng};
///
/// // Which of two numbers is larger?
/// let x = Tensor::<f32>::uniform([500, 2], -1.0, 1.0, &mut rng(1));
/// let labels: Tensor<i64> = (0..500).map(|k| i64::from(x.at([k, 0]) > x.at([k, 1]))).collect();
/// let mut model = Linear::new(2, 2, &mut rng(2));
/// let mut losses = Vec::new();
/// let history = Trainer::new(Adam::new(0.05), loss::cross_entropy)
///     .epochs(20)
///     .batch_size(50)
///     .seed(3)
///     .on_event(|event| {
///         if let Event::Step(step) = event {
///             losses.push(step.loss);
///         }
///     })
///     .fit(&mut model, &x, &labels)?;
/// assert!(history.last().unwrap().train.accuracy.unwrap() > 0.95);
/// assert_eq!(losses.len(), 20 * 10);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub struct Trainer<'a, F: TensorFloat, T: Target> {
    optimizer: Box<dyn Optimizer<F> + 'a>,
    loss: LossFunction<'a, F, T>,
    correct: Option<Correct<'a, F, T>>,
    epochs: usize,
    batch_size: usize,
    seed: u64,
    shuffle: bool,
    clip_norm: Option<f64>,
    schedule: Option<Schedule<'a>>,
    test: Option<(Tensor<F>, Tensor<T>)>,
    exact_train_score: bool,
    checkpoint: Option<PathBuf>,
    on_event: Option<OnEvent<'a>>,
    stop_when: Option<StopWhen<'a>>,
    #[cfg(feature = "progress")]
    progress: bool,
}

type LossFunction<'a, F, T> = Box<dyn for<'t> Fn(TensorVar<'t, F>, &Tensor<T>) -> Result<TensorVar<'t, F>, Error> + 'a>;

type Correct<'a, F, T> = Box<dyn Fn(&Tensor<F>, &Tensor<T>) -> usize + 'a>;
type OnEvent<'a> = Box<dyn FnMut(Event<'_>) + 'a>;
type Schedule<'a> = Box<dyn FnMut(usize, usize) -> f64 + 'a>;
type StopWhen<'a> = Box<dyn FnMut(&Epoch) -> bool + 'a>;

impl<'a, F: TensorFloat, T: Target> Trainer<'a, F, T> {
    /// Training with this optimizer and loss: 10 epochs of batches of 32, shuffled from seed 0, until told otherwise.
    #[must_use]
    pub fn new(
        optimizer: impl Optimizer<F> + 'a,
        loss: impl for<'t> Fn(TensorVar<'t, F>, &Tensor<T>) -> Result<TensorVar<'t, F>, Error> + 'a,
    ) -> Self {
        Trainer {
            optimizer: Box::new(optimizer),
            loss: Box::new(loss),
            correct: None,
            epochs: 10,
            batch_size: 32,
            seed: 0,
            shuffle: true,
            clip_norm: None,
            schedule: None,
            test: None,
            exact_train_score: false,
            checkpoint: None,
            on_event: None,
            stop_when: None,
            #[cfg(feature = "progress")]
            progress: false,
        }
    }

    /// How often to go through the data.
    #[must_use]
    pub fn epochs(self, epochs: usize) -> Self {
        Trainer { epochs, ..self }
    }

    /// How many items to a step.
    #[must_use]
    pub fn batch_size(self, batch_size: usize) -> Self {
        Trainer { batch_size, ..self }
    }

    /// What the order of the data and the layers' randomness come from.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Trainer { seed, ..self }
    }

    /// Whether to go through the data in another order every epoch. It does unless told otherwise.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> Self {
        Trainer { shuffle, ..self }
    }

    /// Sets the learning rate before every step to `rate(step, steps)`: the step, counted from 0 through all epochs,
    /// and how many there will be.
    ///
    /// # Examples
    /// Half a cosine, from 0.1 to nearly 0:
    /// ```
    /// use std::f64::consts::PI;
    /// use wengert_nn::{Sgd, Trainer, loss};
    /// # use wengert_nn::Linear;
    /// # use wengert_tensor::{Tensor, rng};
    ///
    /// let mut trainer = Trainer::new(Sgd::new(0.1), loss::mse)
    ///     .schedule(|step, steps| 0.05 * (1.0 + (PI * step as f64 / steps as f64).cos()));
    /// # let (mut model, x) = (Linear::<f32>::new(1, 1, &mut rng(0)), Tensor::zeros([4, 1]));
    /// # trainer.fit(&mut model, &x, &x)?;
    /// # assert!(trainer.optimizer_mut().learning_rate() < 0.01);
    /// # Ok::<(), wengert_nn::Error>(())
    /// ```
    /// Source: I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation
    /// 5.
    #[must_use]
    pub fn schedule(self, rate: impl FnMut(usize, usize) -> f64 + 'a) -> Self {
        Trainer { schedule: Some(Box::new(rate)), ..self }
    }

    /// Scales a gradient down to this Euclidean norm if it is longer (all parameters taken as one vector).
    #[must_use]
    pub fn clip_norm(self, limit: f64) -> Self {
        Trainer { clip_norm: Some(limit), ..self }
    }

    /// Data to measure the model with after every epoch, not to train with.
    #[must_use]
    pub fn test_data(self, inputs: &Tensor<F>, targets: &Tensor<T>) -> Self {
        Trainer { test: Some((inputs.clone(), targets.clone())), ..self }
    }

    /// Measures the training data after every epoch as well. Otherwise its score is the mean over the epoch's steps,
    /// which costs nothing but is that of a model still changing, with dropout.
    #[must_use]
    pub fn exact_train_score(self) -> Self {
        Trainer { exact_train_score: true, ..self }
    }

    /// How many outputs count as correct, where [`Target::correct`] does not say so.
    #[must_use]
    pub fn accuracy(self, correct: impl Fn(&Tensor<F>, &Tensor<T>) -> usize + 'a) -> Self {
        Trainer { correct: Some(Box::new(correct)), ..self }
    }

    /// Saves the model to this file after every epoch that left all parameters finite. After a failure it holds the
    /// last good state.
    #[must_use]
    pub fn checkpoint(self, path: impl AsRef<Path>) -> Self {
        Trainer { checkpoint: Some(path.as_ref().to_owned()), ..self }
    }

    /// Calls `on_event` after every step and every epoch.
    #[must_use]
    pub fn on_event(self, on_event: impl FnMut(Event<'_>) + 'a) -> Self {
        Trainer { on_event: Some(Box::new(on_event)), ..self }
    }

    /// Ends training after an epoch for which `stop_when` is true.
    #[must_use]
    pub fn stop_when(self, stop_when: impl FnMut(&Epoch) -> bool + 'a) -> Self {
        Trainer { stop_when: Some(Box::new(stop_when)), ..self }
    }

    /// Shows a progress bar with loss, accuracy, samples per second and time left, if standard error is a terminal.
    #[cfg(feature = "progress")]
    #[must_use]
    pub fn progress(self) -> Self {
        Trainer { progress: true, ..self }
    }

    /// The optimizer, for example to save what it remembers ([`Optimizer::state_dict`]) or to change its learning rate
    /// between two calls of [`fit`](Self::fit); within one, [`schedule`](Self::schedule) does.
    pub fn optimizer_mut(&mut self) -> &mut (dyn Optimizer<F> + 'a) {
        &mut *self.optimizer
    }

    /// Trains `model`.
    ///
    /// Shapes: `inputs: [n, ..]`, `targets: [n, ..]`.
    ///
    /// Orders and random numbers come from the seed and the number of the epoch, so a second call with the same seed
    /// repeats those of the first.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings without meaning, [`Error::Rows`] for data that do not go together,
    /// [`Error::Diverged`] at the first loss or gradient that is not finite: the parameters are those before that step,
    /// and the checkpoint, if there is one, holds the last epoch before it. Errors of the model and the loss with the
    /// path of the layer; errors of saving.
    #[track_caller]
    pub fn fit<L: Layer<F>>(
        &mut self,
        model: &mut L,
        inputs: &Tensor<F>,
        targets: &Tensor<T>,
    ) -> Result<History, Error> {
        let caller = Location::caller();
        self.check()?;
        let mut batches = Batches::new(inputs, targets, self.batch_size)?;
        if self.shuffle {
            batches = batches.shuffled(self.seed);
        }
        #[cfg(feature = "progress")]
        let bar = self.progress.then(|| progress::Bar::new(self.epochs, batches.items()));
        let begin = Instant::now();
        let mut tape = Tape::new();
        let mut history = History::default();
        for epoch in 1..=self.epochs {
            let epoch_begin = Instant::now();
            let mut randomness = rng(self.seed);
            // Batches have the streams from 0 up; this leaves them to it.
            randomness.set_stream(u64::MAX - epoch as u64);
            let mut running = Running::default();
            for (step, batch) in batches.epoch(epoch as u64).enumerate() {
                let batch = batch?;
                let mode = &mut Mode::train(&mut randomness);
                let (loss, correct, mut gradients) =
                    self.differentiate(model, &tape, &batch, mode).map_err(|error| error.called_at(caller))?;
                tape.clear();
                if let Some(cause) = finite::cause(loss, model, &gradients, &batch) {
                    return Err(Error::Diverged { epoch, step: step + 1, loss, cause });
                }
                if let Some(limit) = self.clip_norm {
                    gradients.try_clip(F::from_f64(limit)).map_err(|error| Error::from(error).called_at(caller))?;
                }
                if let Some(rate) = &mut self.schedule {
                    let rate = rate((epoch - 1) * batches.len() + step, self.epochs * batches.len());
                    self.optimizer.set_learning_rate(rate);
                }
                self.optimizer.step(model, &gradients).map_err(|error| error.called_at(caller))?;
                running.add(loss, correct, batch.len());
                let (step, steps, samples) = (step + 1, batches.len(), running.samples());
                let report = Step { epoch, step, steps, samples, loss, running: running.score() };
                #[cfg(feature = "progress")]
                if let Some(bar) = &bar {
                    bar.step(&report, batch.len());
                }
                self.tell(Event::Step(&report));
            }
            let samples_per_second = running.samples() as f64 / epoch_begin.elapsed().as_secs_f64().max(1e-9);
            if let Some(parameter) = finite::first_bad_parameter(model) {
                let (step, loss) = (batches.len(), running.score().loss);
                return Err(Error::Diverged { epoch, step, loss, cause: Cause::Parameter(parameter) });
            }
            let train = match self.exact_train_score {
                true => self.evaluate(model, inputs, targets)?,
                false => running.score(),
            };
            let test = match &self.test {
                Some((inputs, targets)) => Some(self.evaluate(model, inputs, targets)?),
                None => None,
            };
            if let Some(path) = &self.checkpoint {
                model.save(path)?;
            }
            let elapsed = begin.elapsed();
            let time_left = elapsed.mul_f64((self.epochs - epoch) as f64 / epoch as f64);
            let report = Epoch { epoch, epochs: self.epochs, train, test, samples_per_second, elapsed, time_left };
            #[cfg(feature = "progress")]
            if let Some(bar) = &bar {
                bar.epoch(&report);
            }
            self.tell(Event::Epoch(&report));
            let stop = self.stop_when.as_mut().is_some_and(|stop| stop(&report));
            history.epochs.push(report);
            if stop {
                break;
            }
        }
        Ok(history)
    }

    /// Measures `model` on data, in [`Mode::Eval`]: the mean loss, and the accuracy where there is one.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    #[track_caller]
    pub fn evaluate(
        &self,
        model: &(impl Layer<F> + ?Sized),
        inputs: &Tensor<F>,
        targets: &Tensor<T>,
    ) -> Result<Score, Error> {
        let caller = Location::caller();
        let mut tape = Tape::evaluating();
        let mut running = Running::default();
        for batch in Batches::new(inputs, targets, self.batch_size.max(EVALUATION_BATCH))?.epoch(0) {
            let batch = batch?;
            let (_, value, correct) =
                self.compute(model, &tape, &batch, &mut Mode::Eval).map_err(|error| error.called_at(caller))?;
            running.add(value, correct, batch.len());
            tape.clear();
        }
        Ok(running.score())
    }

    fn check(&self) -> Result<(), Error> {
        self.optimizer.check()?;
        match self.clip_norm {
            Some(value) if !(value > 0.0 && value.is_finite()) => {
                Err(Error::Setting { of: "trainer", setting: "clip_norm", value, expected: "a finite number above 0" })
            }
            _ => Ok(()),
        }
    }

    /// Records a batch: the loss, its value, and how many outputs are correct.
    fn compute<'t>(
        &self,
        model: &(impl Layer<F> + ?Sized),
        tape: &'t Tape<F>,
        batch: &Batch<F, T>,
        mode: &mut Mode<'_>,
    ) -> Result<(TensorVar<'t, F>, f64, Option<usize>), Error> {
        let y = model.forward(tape.constant_tensor(&batch.inputs), mode).map_err(|error| error.located_in(model))?;
        let loss = (self.loss)(y, &batch.targets)?;
        let value = loss.value().try_item()?.to_f64();
        let correct = match &self.correct {
            Some(correct) => Some(correct(&y.value(), &batch.targets)),
            None => T::correct(&y.value(), &batch.targets),
        };
        Ok((loss, value, correct))
    }

    fn differentiate(
        &self,
        model: &impl Layer<F>,
        tape: &Tape<F>,
        batch: &Batch<F, T>,
        mode: &mut Mode<'_>,
    ) -> Result<(f64, Option<usize>, Gradients<F>), Error> {
        let (loss, value, correct) = self.compute(model, tape, batch, mode)?;
        Ok((value, correct, loss.try_gradient()?))
    }

    fn tell(&mut self, event: Event<'_>) {
        if let Some(on_event) = &mut self.on_event {
            on_event(event);
        }
    }
}

impl<F: TensorFloat, T: Target> fmt::Debug for Trainer<'_, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("epochs", &self.epochs)
            .field("batch_size", &self.batch_size)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
