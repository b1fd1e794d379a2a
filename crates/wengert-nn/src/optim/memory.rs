//! What an optimizer keeps of every parameter, and how it is named in a file.

use crate::error::Error;
use crate::module::{Entry, Module, ModulePath};
use crate::state::{Mismatch, StateDict};
use core::fmt;
use wengert_core::{ParameterId, TensorFloat};
use wengert_tensor::{Shape, ShapeError, Tensor};

/// What an optimizer remembers, by parameter.
#[derive(Clone)]
pub(super) struct Memory<S> {
    slots: Vec<(ParameterId, S)>,
    /// Where the next parameter is expected: models are walked in the same order every time.
    next: usize,
}

impl<S> Memory<S> {
    pub(super) const fn new() -> Self {
        Memory { slots: Vec::new(), next: 0 }
    }

    /// The slot of a parameter, made if it is new.
    pub(super) fn slot(
        &mut self,
        id: ParameterId,
        new: impl FnOnce() -> Result<S, ShapeError>,
    ) -> Result<&mut S, ShapeError> {
        let expected = self.slots.get(self.next).is_some_and(|(known, _)| *known == id);
        let position = match expected {
            true => Some(self.next),
            false => self.slots.iter().position(|(known, _)| *known == id),
        };
        let position = match position {
            Some(position) => position,
            None => {
                self.slots.push((id, new()?));
                self.slots.len() - 1
            }
        };
        self.next = (position + 1) % self.slots.len();
        Ok(&mut self.slots[position].1)
    }
}

/// The number of steps among the tensors: the one that has not the parameter's shape.
pub(super) const STEP: &str = "step";

/// What is remembered of one parameter, as tensors.
pub(super) trait Remembered<F: TensorFloat>: Sized {
    /// The tensors' names, as PyTorch has them.
    const NAMES: &'static [&'static str];

    /// The tensors, in the order of the names: of the parameter's shape, but [`STEP`] a single number.
    fn tensors(&self) -> Vec<Tensor<F>>;

    /// The same made of its tensors, of as many as there are names.
    fn of(tensors: Vec<Tensor<F>>) -> Self;
}

impl<S> Memory<S> {
    /// What is remembered of the parameters of `model`, by name.
    pub(super) fn state_dict<F: TensorFloat>(&self, model: &dyn Module<F>) -> StateDict<F>
    where
        S: Remembered<F>,
    {
        let mut state = StateDict::new();
        model.visit(ModulePath::ROOT, &mut |path, entry| {
            let Entry::Parameter(parameter) = entry else { return };
            if let Some((_, slot)) = self.slots.iter().find(|(id, _)| *id == parameter.id()) {
                for (name, tensor) in S::NAMES.iter().zip(slot.tensors()) {
                    state.insert(path.field(name).to_string(), tensor);
                }
            }
        });
        state
    }

    /// Remembers of the parameters of `model` what is in `state`, and nothing else.
    pub(super) fn load_state_dict<F: TensorFloat>(
        &mut self,
        model: &dyn Module<F>,
        state: &StateDict<F>,
    ) -> Result<(), Error>
    where
        S: Remembered<F>,
    {
        let mut unclaimed: Vec<&str> = state.names().collect();
        let mut mismatch = Mismatch::default();
        let (mut of_model, mut slots) = (Vec::new(), Vec::new());
        model.visit(ModulePath::ROOT, &mut |path, entry| {
            let Entry::Parameter(parameter) = entry else { return };
            of_model.push(parameter.id());
            let names: Vec<String> = S::NAMES.iter().map(|name| path.field(name).to_string()).collect();
            let found: Vec<_> = names.iter().map(|name| state.get(name)).collect();
            if found.iter().all(Option::is_none) {
                return; // never updated
            }
            unclaimed.retain(|name| !names.iter().any(|known| known == name));
            let mut tensors = Vec::with_capacity(names.len());
            for ((name, tensor), kind) in names.into_iter().zip(found).zip(S::NAMES) {
                let expected = if *kind == STEP { Shape::from([]) } else { parameter.value().shape().clone() };
                match tensor {
                    None => mismatch.missing.push(name),
                    Some(tensor) if *tensor.shape() == expected => tensors.push(tensor.clone()),
                    Some(tensor) => mismatch.shapes.push((name, expected, tensor.shape().clone())),
                }
            }
            if tensors.len() == S::NAMES.len() {
                slots.push((parameter.id(), S::of(tensors)));
            }
        });
        mismatch.unexpected = unclaimed.into_iter().map(str::to_owned).collect();
        if mismatch != Mismatch::default() {
            return Err(Error::StateMismatch { path: None, mismatch: Box::new(mismatch) });
        }
        self.slots.retain(|(id, _)| !of_model.contains(id));
        self.slots.append(&mut slots);
        self.next = 0;
        Ok(())
    }
}

impl<S> fmt::Debug for Memory<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parameters", self.slots.len())
    }
}
