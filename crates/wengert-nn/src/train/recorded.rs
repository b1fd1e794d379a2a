//! A model's loss recorded once, for training loops of one's own.

use super::Target;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use crate::module::{Entry, Module, ModulePath};
use core::any::{Any, type_name};
use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use rand::TryRng;
use smallvec::SmallVec;
use wengert_core::{Gradients, Parameter, TensorFloat, TensorFunction, TensorVar};
use wengert_tensor::{Tensor, rng};

/// The loss of a model on batches of one shape, recorded once and replayed with its gradients.
///
/// A replay does what a recording does, bit for bit, without running the layers' code: elementwise steps stand together
/// as passes over memory, and nothing is computed that no gradient needs. It pays where layers are small.
///
/// Batch normalisation takes the statistics of every batch that is replayed, and the layers of the recorded model
/// remember them as after a forward pass; the batch that is recorded is not remembered. Refused is what a replay could
/// not renew:
/// - layers that draw random numbers, dropout for one: every replay would draw the same;
/// - layers and losses that read a value, and layers that hand one out, as [`TensorFunction`] says;
/// - losses that make constants of class labels beside the tape:
///   [`loss::CrossEntropy::labels`](crate::loss::CrossEntropy::labels) and [`loss::nll`](crate::loss::nll).
///   [`loss::cross_entropy`](crate::loss::cross_entropy) reads labels in every replay, and
///   [`loss::CrossEntropy::probabilities`](crate::loss::CrossEntropy::probabilities) takes what the others make of
///   them;
/// - targets that no op reads as they are.
///
/// What a layer holds beside its parameters, a setting or a mask, is as it was when the model was recorded.
///
/// # Examples
/// ```
/// use wengert_nn::{Adam, Linear, Optimizer, RecordedLoss, Sequential, Tanh, loss};
/// use wengert_tensor::{Tensor, rng};
///
/// let x = Tensor::<f32>::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let xor = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
/// let mut rng = rng(1);
/// let mut model = Sequential::new().with(Linear::new(2, 16, &mut rng)).with(Tanh).with(Linear::new(16, 1, &mut rng));
/// let mut optimizer = Adam::new(0.05);
/// let mut step = RecordedLoss::record(&model, &x, &xor, loss::mse)?;
/// let mut last = f32::INFINITY;
/// for _ in 0..300 {
///     let (loss, gradients) = step.value_and_gradients(&model, &x, &xor)?;
///     optimizer.step(&mut model, &gradients)?;
///     last = loss;
/// }
/// assert!(last < 0.01, "{last}");
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct RecordedLoss<F: TensorFloat = f32, T: Target = F> {
    program: TensorFunction<F>,
    targets: PhantomData<T>,
}

impl<F: TensorFloat, T: Target> RecordedLoss<F, T> {
    /// Records the loss of `model` in training, on a batch that decides the shapes.
    ///
    /// `loss` hands the targets to ops as they are, as the functions of [`loss`](crate::loss) do: what it computes from
    /// them beside the tape is frozen.
    ///
    /// # Errors
    /// What the layers and the loss return, [`Error::Random`] if a layer draws random numbers, [`Error::Recorded`] if
    /// one reads a value, or the loss works with the targets beside the tape, [`Error::Targets`] if they are neither
    /// class labels nor the model's kind of numbers.
    #[track_caller]
    pub fn record<L: Layer<F> + ?Sized>(
        model: &L,
        x: &Tensor<F>,
        targets: &Tensor<T>,
        loss: impl for<'t> FnOnce(TensorVar<'t, F>, &Tensor<T>) -> Result<TensorVar<'t, F>, Error>,
    ) -> Result<Self, Error> {
        let (mut data, mut labels) = (vec![x.clone()], Vec::new());
        // A copy: the program knows the targets again by their storage.
        let targets: Tensor<T> = targets.iter().collect::<Tensor<T>>().reshape(targets.shape().clone());
        place(&targets, &mut data, &mut labels);
        if data.len() + labels.len() < 2 {
            return Err(Error::Targets { targets: type_name::<T>(), model: type_name::<F>() });
        }
        let caller = Location::caller();
        let mut outcome = Ok(());
        let mut random = Drawn(false);
        let program = TensorFunction::record_model(&data, &labels, |_, data, _| {
            let y = model.forward(data[0], &mut Mode::train(&mut random)).and_then(|y| loss(y, &targets));
            y.unwrap_or_else(|error| {
                outcome = Err(error);
                data[0]
            })
        });
        match (outcome, random) {
            (Err(error), _) => Err(error.located_in(model).called_at(caller)),
            (_, Drawn(true)) => Err(Error::Random),
            _ => Ok(RecordedLoss { program: program?, targets: PhantomData }),
        }
    }

    /// The loss on a batch and its gradients with respect to the parameters of `model`.
    ///
    /// # Errors
    /// [`Error::Recorded`] if the batch has another shape than that recorded, or `model` other parameters, or an op
    /// fails.
    pub fn value_and_gradients<M: Module<F> + ?Sized>(
        &mut self,
        model: &M,
        x: &Tensor<F>,
        targets: &Tensor<T>,
    ) -> Result<(F, Gradients<F>), Error> {
        let (mut data, mut labels) = (SmallVec::<[Tensor<F>; 2]>::new(), SmallVec::<[Tensor<i64>; 1]>::new());
        data.push(x.clone());
        place(targets, &mut data, &mut labels);
        self.program.set_data(&data)?;
        self.program.set_labels(&labels)?;
        let mut parameters: SmallVec<[&Parameter<F>; 16]> = SmallVec::new();
        model.visit(ModulePath::ROOT, &mut |_, entry| {
            if let Entry::Parameter(parameter) = entry {
                parameters.push(parameter);
            }
        });
        let (loss, gradients) = self.program.value_and_gradients_of(parameters)?;
        Ok((loss.item(), gradients))
    }
}

/// The plan of a replay, as [`TensorFunction`] prints it: `d0` are the inputs, `d1` targets that are numbers.
impl<F: TensorFloat, T: Target> fmt::Display for RecordedLoss<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.program.fmt(f)
    }
}

/// Puts targets where a program expects them: whole numbers among the labels, others among the data.
fn place<F: TensorFloat, T: Target>(
    targets: &Tensor<T>,
    data: &mut impl Extend<Tensor<F>>,
    labels: &mut impl Extend<Tensor<i64>>,
) {
    let targets: &dyn Any = targets;
    data.extend(targets.downcast_ref().cloned());
    labels.extend(targets.downcast_ref().cloned());
}

/// A generator that remembers whether it was used.
struct Drawn(bool);

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = true;
        rng(0).try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = true;
        rng(0).try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 = true;
        rng(0).try_fill_bytes(bytes)
    }
}
