//! Tensors that live outside tapes and are bound to them: what training changes.

use super::TensorFloat;
use core::sync::atomic::{AtomicU64, Ordering};
use wengert_tensor::Tensor;

/// The identity of a parameter: what its gradient is looked up by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ParameterId(u64);

/// A tensor that is trained. It lives outside the tape, which borrows its value for one recording.
///
/// After [`Tape::clear`](crate::Tape::clear) the value is not shared any more, so updating it happens in place.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// # use wengert_core::Parameter;
/// let mut w = Parameter::new([3.0_f64, 4.0]);
/// let mut tape = Tape::new();
/// let loss = tape.parameter(&w).square().sum();
/// let g = loss.gradient();
/// tape.clear();
/// let w_bar = &g[&w];
/// w.value_mut().add_scaled(-0.5, w_bar);
/// assert_eq!(w.value().to_vec(), [0.0, 0.0]);
/// ```
#[derive(Debug)]
pub struct Parameter<F: TensorFloat> {
    id: ParameterId,
    value: Tensor<F>,
}

impl<F: TensorFloat> Parameter<F> {
    /// A parameter that starts at `value`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Parameter;
    /// let w = Parameter::<f32>::new([[0.1, -0.2]]);
    /// assert_eq!(*w.value().shape(), [1, 2]);
    /// ```
    pub fn new(value: impl Into<Tensor<F>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Parameter { id: ParameterId(NEXT.fetch_add(1, Ordering::Relaxed)), value: value.into() }
    }

    /// The identity gradients are looked up by.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Parameter;
    /// let (w, v) = (Parameter::new([1.0]), Parameter::new([1.0]));
    /// assert!(w.id() == w.id() && w.id() != v.id()); // equal, but not the same
    /// ```
    pub fn id(&self) -> ParameterId {
        self.id
    }

    /// The current value.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Parameter;
    /// let w = Parameter::new([1.0, 2.0]);
    /// assert_eq!(w.value().to_vec(), [1.0, 2.0]);
    /// ```
    pub fn value(&self) -> &Tensor<F> {
        &self.value
    }

    /// The current value, to change.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::Parameter;
    /// let mut w = Parameter::new([1.0, 2.0]);
    /// let w_bar = [4.0, 8.0].into();
    /// w.value_mut().add_scaled(-0.25, &w_bar); // a step downhill
    /// assert_eq!(w.value().to_vec(), [0.0, 0.0]);
    /// ```
    pub fn value_mut(&mut self) -> &mut Tensor<F> {
        &mut self.value
    }
}

impl<F: TensorFloat> Clone for Parameter<F> {
    /// Another parameter with the same value: it has a gradient of its own.
    fn clone(&self) -> Self {
        Parameter::new(self.value.clone())
    }
}
