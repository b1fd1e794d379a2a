//! Layers one after the other.

use super::{MaxPool2d, Relu};
use crate::error::Error;
use crate::layer::{Layer, Mode};
use crate::module::{Entry, EntryMut, Module, ModulePath};
use core::any::Any;
use core::fmt;
use core::panic::Location;
use wengert_core::{TensorFloat, TensorVar};
use wengert_tensor::Pooling;

/// A chain of layers: each takes what the one before it gives. They are named by number, `0.weight`, `2.weight`.
///
/// A [`Relu`] with a [`MaxPool2d`] behind it runs after it, on fewer elements: the largest element of a window,
/// rectified, is the largest of the rectified elements, and values and gradients are the same to the bit. A
/// [`Conv2d`](crate::Conv2d) and the pooling that then follows it are one op,
/// [`conv2d_max_pool2d`](TensorVar::conv2d_max_pool2d).
///
/// # Examples
/// ```
/// use wengert_nn::{Layer, Linear, Relu, Sequential};
/// use wengert_tensor::{rng, Tensor};
///
/// let mut rng = rng(0);
/// let model: Sequential =
///     Sequential::new().with(Linear::new(64, 32, &mut rng)).with(Relu).with(Linear::new(32, 10, &mut rng));
/// assert_eq!(*model.predict(&Tensor::zeros([5, 64]))?.shape(), [5, 10]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub struct Sequential<F: TensorFloat = f32> {
    layers: Vec<Box<dyn Layer<F> + Send + Sync>>,
    /// The layers as they run: a rectifier after the pooling behind it.
    order: Vec<usize>,
    /// For each layer, if it pools, how.
    poolings: Vec<Option<Pooling>>,
    /// Whether the last layer is a rectifier.
    ends_in_relu: bool,
}

impl<F: TensorFloat> Sequential<F> {
    /// No layers: the output is the input.
    #[must_use]
    pub fn new() -> Self {
        Sequential { layers: Vec::new(), order: Vec::new(), poolings: Vec::new(), ends_in_relu: false }
    }

    /// This chain with one more layer at its end.
    #[must_use]
    pub fn with(mut self, layer: impl Layer<F> + Send + Sync + 'static) -> Self {
        self.push(layer);
        self
    }

    /// Adds a layer at the end.
    pub fn push(&mut self, layer: impl Layer<F> + Send + Sync + 'static) {
        let as_any: &dyn Any = &layer;
        let index = self.layers.len();
        let pooling = as_any.downcast_ref().map(|&MaxPool2d(pooling)| pooling);
        let exchanged = self.ends_in_relu && pooling.is_some();
        self.order.insert(index - usize::from(exchanged), index);
        self.ends_in_relu = as_any.is::<Relu>();
        self.poolings.push(pooling);
        self.layers.push(Box::new(layer));
    }

    /// The number of layers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Gives an error of layer `index` its number, and a parameter by which the chain is found in the model.
    fn placed(&self, error: Error, index: usize) -> Error {
        let mut first = None;
        self.visit(ModulePath::ROOT, &mut |path, entry| {
            if let (None, Entry::Parameter(parameter)) = (&first, entry) {
                first = Some((parameter.id(), path.to_string()));
            }
        });
        let error = error.located_in(&self.layers[index]).at(index);
        match first {
            Some((id, name)) => error.anchored(id, &name),
            None => error,
        }
    }
}

impl<F: TensorFloat> Default for Sequential<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: TensorFloat> fmt::Debug for Sequential<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self.named_parameters().into_iter().map(|(name, p)| (name, p.value().shape().clone()));
        f.debug_struct("Sequential")
            .field("layers", &self.len())
            .field("parameters", &shapes.collect::<Vec<_>>())
            .finish()
    }
}

impl<F: TensorFloat> Module<F> for Sequential<F> {
    fn visit<'a>(&'a self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, Entry<'a, F>)) {
        self.layers.visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: ModulePath<'_>, visitor: &mut dyn FnMut(ModulePath<'_>, EntryMut<'a, F>)) {
        self.layers.visit_mut(path, visitor);
    }
}

impl<F: TensorFloat> Layer<F> for Sequential<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let (mut x, caller) = (x, Location::caller());
        let mut order = self.order.iter().copied().peekable();
        while let Some(index) = order.next() {
            let pooling = order.peek().and_then(|&next| self.poolings[next].as_ref());
            if let Some(y) = pooling.and_then(|pooling| self.layers[index].forward_max_pool2d(x, pooling)) {
                order.next();
                x = y;
                continue;
            }
            x = self.layers[index].forward(x, mode).map_err(|error| self.placed(error.called_at(caller), index))?;
        }
        Ok(x)
    }
}
