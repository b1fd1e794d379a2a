//! Modules that turn one tensor into another.

use crate::error::Error;
use crate::module::Module;
use core::fmt;
use core::panic::Location;
use rand::Rng;
use wengert_core::{Tape, TensorFloat, TensorVar};
use wengert_tensor::{Pooling, Tensor};

/// Whether a layer is being trained or used. Passed along, never global: a model can do both at once.
pub enum Mode<'r> {
    /// Use: dropout passes everything through.
    Eval,
    /// Training, with the generator that layers draw from.
    Train {
        /// Where randomness comes from; its seed is the caller's.
        rng: &'r mut dyn Rng,
    },
}

impl<'r> Mode<'r> {
    /// Training, with this generator.
    pub fn train(rng: &'r mut dyn Rng) -> Self {
        Mode::Train { rng }
    }

    /// Whether this is training.
    #[must_use]
    pub fn is_train(&self) -> bool {
        matches!(self, Mode::Train { .. })
    }
}

impl fmt::Debug for Mode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_train() { "Train" } else { "Eval" })
    }
}

/// A module with one input and one output.
///
/// # Examples
/// A struct with fields of one's own; see [`Sequential`](crate::Sequential) for chains.
/// ```
/// use wengert_core::{TensorVar, UnaryFunctions};
/// use wengert_nn::{Error, Layer, Linear, Mode, Module};
/// use wengert_tensor::{rng, Tensor};
///
/// #[derive(Module)]
/// struct Residual {
///     inner: Linear,
/// }
/// impl Layer for Residual {
///     fn forward<'t>(&self, x: TensorVar<'t, f32>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, f32>, Error> {
///         Ok(x.try_add(self.inner.forward(x, mode)?.relu())?)
///     }
/// }
///
/// let block = Residual { inner: Linear::new(3, 3, &mut rng(1)) };
/// assert_eq!(*block.predict(&Tensor::zeros([5, 3]))?.shape(), [5, 3]);
/// let error = block.predict(&Tensor::zeros([5, 4])).unwrap_err().to_string();
/// assert!(error.starts_with("inner: linear: expected 3 features along the last axis, got 4"));
/// # Ok::<(), Error>(())
/// ```
pub trait Layer<F: TensorFloat = f32>: Module<F> {
    /// The output for `x`, recorded on its tape.
    ///
    /// # Errors
    /// Whatever does not fit; the layer's path comes with it.
    fn forward<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error>;

    /// The output for `x` with a [`max_pool2d`](TensorVar::max_pool2d) behind it, in one op, if the layer has that and
    /// all fits. A [`Sequential`](crate::Sequential) asks; with nothing the two run one after the other.
    fn forward_max_pool2d<'t>(&self, _x: TensorVar<'t, F>, _pooling: &Pooling) -> Option<TensorVar<'t, F>> {
        None
    }

    /// The output for plain data, in [`Mode::Eval`]. Nothing is recorded: memory is that of one call.
    ///
    /// # Errors
    /// As [`forward`](Self::forward), with the full path of the layer.
    #[track_caller]
    fn predict(&self, x: &Tensor<F>) -> Result<Tensor<F>, Error> {
        evaluate(self, &Tape::evaluating(), x)
    }
}

impl<F: TensorFloat, L: Layer<F> + ?Sized> Layer<F> for Box<L> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let caller = Location::caller();
        (**self).forward(x, mode).map_err(|error| error.called_at(caller))
    }
    fn forward_max_pool2d<'t>(&self, x: TensorVar<'t, F>, pooling: &Pooling) -> Option<TensorVar<'t, F>> {
        (**self).forward_max_pool2d(x, pooling)
    }
}

#[track_caller]
fn evaluate<F: TensorFloat>(
    layer: &(impl Layer<F> + ?Sized),
    tape: &Tape<F>,
    x: &Tensor<F>,
) -> Result<Tensor<F>, Error> {
    let caller = Location::caller();
    let y = layer.forward(tape.constant_tensor(x), &mut Mode::Eval);
    let y = y.map_err(|error| error.located_in(layer).called_at(caller))?;
    Ok(y.value())
}

/// Predictions one after the other, on one tape that is cleared in between.
///
/// # Examples
/// ```
/// use wengert_nn::{Linear, Predictor};
/// use wengert_tensor::{rng, Tensor};
///
/// let model = Linear::new(2, 1, &mut rng(0));
/// let mut predictor = Predictor::new(&model);
/// let y = predictor.predict(&Tensor::<f32>::zeros([4, 2]))?;
/// assert_eq!(*y.shape(), [4, 1]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub struct Predictor<'m, F: TensorFloat, L: ?Sized> {
    model: &'m L,
    tape: Tape<F>,
}

impl<'m, F: TensorFloat, L: Layer<F> + ?Sized> Predictor<'m, F, L> {
    /// Predictions of `model`.
    pub fn new(model: &'m L) -> Self {
        Predictor { model, tape: Tape::evaluating() }
    }

    /// As [`Layer::predict`].
    ///
    /// # Errors
    /// As [`Layer::predict`].
    #[track_caller]
    pub fn predict(&mut self, x: &Tensor<F>) -> Result<Tensor<F>, Error> {
        self.tape.clear();
        let y = evaluate(self.model, &self.tape, x);
        self.tape.clear();
        y
    }
}

impl<F: TensorFloat, L: ?Sized> fmt::Debug for Predictor<'_, F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor").field("tape", &self.tape.size()).finish_non_exhaustive()
    }
}
