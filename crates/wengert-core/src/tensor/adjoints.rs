//! The adjoints of tensors.

use super::{ParameterId, TensorFloat};
use crate::error::Error;
use core::fmt;
use std::sync::{Arc, Mutex};
use wengert_kernels::Float;
use wengert_tensor::Tensor;

/// The adjoints of tensors during a sweep and, of inputs and retained tensors, after it.
pub struct TensorAdjoints<F: TensorFloat> {
    slots: Vec<Slot<F>>,
    bound: Vec<(ParameterId, u32)>,
    spare: Option<Spare<F>>,
}

/// The adjoint of one tensor.
#[derive(Clone)]
pub(crate) enum Slot<F: TensorFloat> {
    /// Nothing flowed so far, or what flowed was handed on.
    Empty,
    /// What flowed.
    Flowed(Tensor<F>),
    /// An input nothing flowed to.
    Unconnected(Tensor<F>),
}

/// The memory of dropped adjoints, waiting for the next sweep.
pub(crate) type Spare<F> = Arc<Mutex<Vec<Memory<F>>>>;
pub(crate) type Memory<F> = (Vec<Slot<F>>, Vec<(ParameterId, u32)>);

impl<F: TensorFloat> Default for TensorAdjoints<F> {
    fn default() -> Self {
        TensorAdjoints { slots: Vec::new(), bound: Vec::new(), spare: None }
    }
}

impl<F: TensorFloat> TensorAdjoints<F> {
    /// The slots, to be filled from outside.
    pub(crate) fn slots_mut(&mut self) -> &mut Vec<Slot<F>> {
        &mut self.slots
    }

    pub(crate) fn start(&mut self, spare: &Spare<F>, count: usize, bound: &[(ParameterId, u32)]) {
        if self.spare.is_none() {
            let memory = spare.lock().ok().and_then(|mut spare| spare.pop());
            (self.slots, self.bound) = memory.unwrap_or_default();
            self.spare = Some(Arc::clone(spare));
        }
        self.slots.clear();
        self.slots.resize_with(count, || Slot::Empty);
        self.bound.clear();
        self.bound.extend_from_slice(bound);
    }

    /// Adds a contribution, if there is one. The first is moved in, from where it lies, since moving it twice would take as long as
    /// adding a small one; later ones are added in the memory of whichever is alone.
    #[inline]
    pub(super) fn add(&mut self, number: u32, x_bar: &mut Option<Tensor<F>>) {
        match (&mut self.slots[number as usize], x_bar) {
            (Slot::Flowed(sum), Some(x_bar)) => sum.accumulate(x_bar),
            (empty, x_bar) => {
                if let Some(x_bar) = x_bar.take() {
                    *empty = Slot::Flowed(x_bar);
                }
            }
        }
    }

    /// Adds to one element, given by its position in logical order.
    pub(super) fn add_element(&mut self, number: u32, element: usize, x_bar: F, like: &Tensor<F>) {
        let slot = &mut self.slots[number as usize];
        if !matches!(slot, Slot::Flowed(_)) {
            *slot = Slot::Flowed(Tensor::zeros(like.shape().clone()));
        }
        if let Slot::Flowed(sum) = slot {
            sum.make_mut()[element] += x_bar;
        }
    }

    /// Takes what flowed to an op's result; a retained one keeps its copy.
    #[inline]
    pub(super) fn consume(&mut self, number: u32, retained: bool) -> Option<Tensor<F>> {
        let slot = &mut self.slots[number as usize];
        if retained {
            return match slot {
                Slot::Flowed(sum) => Some(sum.clone()),
                _ => None,
            };
        }
        match core::mem::replace(slot, Slot::Empty) {
            Slot::Flowed(sum) => Some(sum),
            _ => None,
        }
    }

    pub(super) fn has_nan(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::Flowed(sum) if sum.iter().any(Float::is_nan)))
    }

    /// Settles the adjoint of an input or retained tensor after the sweep: if nothing flowed to it, it is 0.
    pub(super) fn settle(&mut self, number: u32, like: &Tensor<F>) {
        let slot = &mut self.slots[number as usize];
        if !matches!(slot, Slot::Flowed(_)) {
            // One zero, repeated: an unconnected input costs no memory.
            *slot = Slot::Unconnected(Tensor::scalar(F::ZERO).broadcast_to(like.shape().clone()));
        }
    }

    pub(crate) fn slot(&self, number: u32) -> Option<&Slot<F>> {
        self.slots.get(number as usize)
    }

    pub(crate) fn node_of(&self, parameter: ParameterId) -> Option<u32> {
        self.bound.iter().find(|(id, _)| *id == parameter).map(|&(_, node)| node)
    }

    /// The adjoints of inputs and retained tensors, zeros included.
    fn iter(&self) -> impl Iterator<Item = &Tensor<F>> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Flowed(x_bar) | Slot::Unconnected(x_bar) => Some(x_bar),
            Slot::Empty => None,
        })
    }

    /// The slots of inputs and retained tensors.
    fn asked_for(&mut self) -> impl Iterator<Item = &mut Slot<F>> {
        self.slots.iter_mut().filter(|slot| !matches!(slot, Slot::Empty))
    }

    pub(super) fn add_all(&mut self, other: &Self) -> Result<(), Error> {
        let (left, right) = (self.iter().count(), other.iter().count());
        if left != right || self.iter().zip(other.iter()).any(|(a, b)| a.shape() != b.shape()) {
            return Err(Error::Unlike { op: "add gradients", left, right });
        }
        let theirs = other.slots.iter().filter(|slot| !matches!(slot, Slot::Empty));
        for (sum, x_bar) in self.asked_for().zip(theirs) {
            match (sum, x_bar) {
                (Slot::Flowed(sum), Slot::Flowed(x_bar)) => sum.add_scaled(F::ONE, x_bar),
                (sum, Slot::Flowed(_)) => *sum = x_bar.clone(),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn scale(&mut self, factor: F) {
        for slot in self.asked_for() {
            if let Slot::Flowed(x_bar) = slot {
                *x_bar = x_bar.map(|x_bar| x_bar * factor);
            }
        }
    }

    pub(super) fn norm(&self) -> F {
        self.iter().fold(F::ZERO, |norm, x_bar| norm.hypot(x_bar.norm2()))
    }
}

impl<F: TensorFloat> fmt::Debug for TensorAdjoints<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<F: TensorFloat> Drop for TensorAdjoints<F> {
    fn drop(&mut self) {
        if let Some(Ok(mut spare)) = self.spare.as_ref().map(|spare| spare.lock())
            && spare.len() < 4
        {
            self.slots.clear();
            spare.push((core::mem::take(&mut self.slots), core::mem::take(&mut self.bound)));
        }
    }
}
