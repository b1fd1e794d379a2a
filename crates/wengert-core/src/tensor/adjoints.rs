//! The adjoints of tensors.

use super::{ParameterId, TensorFloat};
use crate::error::Error;
use core::fmt;
use core::panic::Location;
use std::sync::{Arc, Mutex};
use wengert_kernels::{Binary, Float};
use wengert_tensor::{ShapeError, Tensor};

/// The adjoints of tensors during a sweep and, of inputs and retained tensors, after it.
pub struct TensorAdjoints<F: TensorFloat> {
    slots: Vec<Slot<F>>,
    bound: Vec<(ParameterId, u32)>,
    spare: Option<Spare<F>>,
}

/// The adjoint of one tensor.
#[derive(Clone)]
pub(crate) struct Slot<F: TensorFloat> {
    /// What flowed; nothing, if nothing did so far or what did was handed on.
    x_bar: Option<Tensor<F>>,
    /// An input nothing flowed to, with a zero in its slot.
    unconnected: bool,
}

impl<F: TensorFloat> Slot<F> {
    const EMPTY: Self = Slot { x_bar: None, unconnected: false };

    pub(crate) fn flowed(x_bar: Tensor<F>) -> Self {
        Slot { x_bar: Some(x_bar), unconnected: false }
    }
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
        self.slots.resize_with(count, || Slot::EMPTY);
        self.bound.clear();
        self.bound.extend_from_slice(bound);
    }

    /// Adds a contribution. The first is moved in, later ones are added in the memory of whichever is alone.
    #[inline]
    pub(super) fn add(&mut self, number: u32, mut x_bar: Tensor<F>) {
        match &mut self.slots[number as usize].x_bar {
            Some(sum) => sum.accumulate(&mut x_bar),
            empty => *empty = Some(x_bar),
        }
    }

    /// Adds to one element, given by its position in logical order.
    pub(super) fn add_element(&mut self, number: u32, element: usize, x_bar: F, like: &Tensor<F>) {
        let sum = self.slots[number as usize].x_bar.get_or_insert_with(|| Tensor::zeros(like.shape().clone()));
        sum.make_mut()[element] += x_bar;
    }

    /// Takes what flowed to an op's result; a retained one keeps its copy.
    #[inline]
    pub(super) fn consume(&mut self, number: u32, retained: bool) -> Option<Tensor<F>> {
        let sum = &mut self.slots[number as usize].x_bar;
        if retained { sum.clone() } else { sum.take() }
    }

    pub(super) fn has_nan(&self) -> bool {
        self.iter().any(|x_bar| x_bar.iter().any(Float::is_nan))
    }

    /// Settles the adjoint of an input or retained tensor after the sweep: if nothing flowed to it, it is 0.
    pub(super) fn settle(&mut self, number: u32, like: &Tensor<F>) {
        let slot = &mut self.slots[number as usize];
        if slot.x_bar.is_none() {
            // One zero, repeated: an unconnected input costs no memory.
            let zero = Tensor::scalar(F::ZERO).broadcast_to(like.shape().clone());
            *slot = Slot { x_bar: Some(zero), unconnected: true };
        }
    }

    /// Whether the sweep knew of this tensor.
    pub(crate) fn has_slot(&self, number: u32) -> bool {
        (number as usize) < self.slots.len()
    }

    /// The adjoint of a tensor, of an input that nothing flowed to a zero.
    pub(crate) fn get(&self, number: u32) -> Option<&Tensor<F>> {
        self.slots.get(number as usize)?.x_bar.as_ref()
    }

    /// What flowed to a tensor.
    pub(crate) fn flowed(&self, number: u32) -> Option<&Tensor<F>> {
        let slot = self.slots.get(number as usize)?;
        slot.x_bar.as_ref().filter(|_| !slot.unconnected)
    }

    pub(crate) fn node_of(&self, parameter: ParameterId) -> Option<u32> {
        self.bound.iter().find(|(id, _)| *id == parameter).map(|&(_, node)| node)
    }

    /// The adjoints of inputs and retained tensors, zeros included.
    fn iter(&self) -> impl Iterator<Item = &Tensor<F>> {
        self.slots.iter().filter_map(|slot| slot.x_bar.as_ref())
    }

    /// The slots of inputs and retained tensors.
    fn asked_for(&mut self) -> impl Iterator<Item = &mut Slot<F>> {
        self.slots.iter_mut().filter(|slot| slot.x_bar.is_some())
    }

    /// Those adjoints of inputs and retained tensors that something flowed to.
    fn connected(&mut self) -> impl Iterator<Item = &mut Tensor<F>> {
        self.slots.iter_mut().filter(|slot| !slot.unconnected).filter_map(|slot| slot.x_bar.as_mut())
    }

    #[track_caller]
    pub(super) fn add_all(&mut self, other: &Self) -> Result<(), Error> {
        let (left, right) = (self.iter().count(), other.iter().count());
        if left != right || self.iter().zip(other.iter()).any(|(a, b)| a.shape() != b.shape()) {
            return Err(Error::Unlike { op: ADD, left, right });
        }
        let theirs = other.slots.iter().filter(|slot| slot.x_bar.is_some());
        let mut pairs: Vec<(&mut Slot<F>, Slot<F>)> =
            self.asked_for().zip(theirs.cloned()).filter(|(_, x_bar)| !x_bar.unconnected).collect();
        // Memory first: once the sums begin, nothing can refuse them.
        let caller = Location::caller();
        for (sum, x_bar) in pairs.iter_mut().filter(|(sum, _)| !sum.unconnected) {
            let [Some(sum), Some(x_bar)] = [&mut sum.x_bar, &mut x_bar.x_bar] else { continue };
            ready(sum, x_bar).map_err(|source| Error::Shape { source: Box::new(source.called(ADD)), caller })?;
        }
        for (sum, x_bar) in pairs {
            match (&mut sum.x_bar, &x_bar.x_bar) {
                (Some(sum_bar), Some(x_bar)) if !sum.unconnected => sum_bar.add_scaled(F::ONE, x_bar),
                _ => *sum = x_bar,
            }
        }
        Ok(())
    }

    /// `op` is what the caller did.
    #[track_caller]
    pub(super) fn scale(&mut self, op: &'static str, factor: F) -> Result<(), Error> {
        let caller = Location::caller();
        // Memory first: once the products begin, nothing can refuse them.
        for x_bar in self.connected() {
            let own = x_bar.try_make_mut();
            own.map_err(|source| Error::Shape { source: Box::new(source.called(op)), caller })?;
        }
        for x_bar in self.connected() {
            x_bar.make_mut().iter_mut().for_each(|x_bar| *x_bar *= factor);
        }
        Ok(())
    }

    pub(super) fn norm(&self) -> F {
        self.iter().fold(F::ZERO, |norm, x_bar| norm.hypot(x_bar.norm2()))
    }
}

/// What sums of gradients are called in errors.
const ADD: &str = "add gradients";

/// Gives `sum` memory of its own and puts the elements of `x_bar` in a row: then they can be added without more.
fn ready<F: TensorFloat>(sum: &mut Tensor<F>, x_bar: &mut Tensor<F>) -> Result<(), ShapeError> {
    sum.try_make_mut()?;
    if x_bar.as_slice().is_none() {
        *x_bar = x_bar.try_zip_binary(Binary::Mul, &Tensor::scalar(F::ONE))?;
    }
    Ok(())
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
