//! Parameters by name, in memory and in files.

mod atomic;
mod format;
mod json;

use crate::error::Error;
use crate::module::{Module, ModulePath};
use core::fmt;
use format::File;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use wengert_core::TensorFloat;
use wengert_tensor::{Shape, Tensor};

/// Tensors by name, in the order of the model: what is saved of it.
///
/// A file may be read without a model, to see what is in it.
///
/// # Examples
/// ```
/// use wengert_nn::{Linear, Module};
/// use wengert_tensor::rng;
///
/// let (a, mut b) = (Linear::<f32>::new(2, 3, &mut rng(0)), Linear::new(2, 3, &mut rng(1)));
/// let state = a.state_dict();
/// assert_eq!(state.names().collect::<Vec<_>>(), ["weight", "bias"]);
/// b.load_state_dict(&state)?;
/// assert_eq!(a.weight.value(), b.weight.value());
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict<F: TensorFloat = f32> {
    entries: Vec<(String, Tensor<F>)>,
}

impl<F: TensorFloat> StateDict<F> {
    /// Without tensors.
    #[must_use]
    pub const fn new() -> Self {
        StateDict { entries: Vec::new() }
    }

    /// The number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no tensors.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The tensor of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor<F>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Sets the tensor of this name; returns what it was.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Tensor<F>>) -> Option<Tensor<F>> {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => Some(core::mem::replace(old, value)),
            None => {
                self.entries.push((name, value));
                None
            }
        }
    }

    /// Names and tensors, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor<F>)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// Reads a file in the safetensors format. Numbers of another type are converted to the nearest of `F`.
    ///
    /// # Errors
    /// [`Error::Read`] if the file cannot be read, [`Error::Format`] if it is damaged or of another format.
    pub fn read<P: AsRef<Path>>(path: P) -> Result<Self, Error> {
        let mut file = File::open(path.as_ref())?;
        let mut state = StateDict::new();
        for k in 0..file.tensors().len() {
            let value = file.read(k)?;
            state.entries.push((file.tensors()[k].name.clone(), value));
        }
        Ok(state)
    }

    /// Writes a file in the safetensors format, in one step: whatever happens meanwhile, loss of power included, the
    /// path holds what was there before or this state.
    ///
    /// # Errors
    /// [`Error::Write`]; what was there before still is.
    pub fn write<P: AsRef<Path>>(&self, path: P) -> Result<(), Error> {
        let path = path.as_ref();
        atomic::replace(path, |out| format::write(self, out))
            .map_err(|source| Error::Write { path: path.to_owned(), source })
    }
}

/// How a state differs from what a model needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mismatch {
    /// What the model has and the state has not.
    pub missing: Vec<String>,
    /// What the state has and the model has not.
    pub unexpected: Vec<String>,
    /// Name, shape in the model, shape in the state.
    pub shapes: Vec<(String, Shape, Shape)>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, names) in [("missing", &self.missing), ("unexpected", &self.unexpected)] {
            if !names.is_empty() {
                parts.push(format!("{what} {}", first_few(names.iter().map(|name| format!("{name:?}")))));
            }
        }
        if !self.shapes.is_empty() {
            let shapes = self.shapes.iter();
            let texts =
                shapes.map(|(name, expected, found)| format!("{name:?} has shape {found}, expected {expected}"));
            parts.push(first_few(texts));
        }
        f.write_str(&parts.join("; "))
    }
}

/// The first five of many.
fn first_few(texts: impl ExactSizeIterator<Item = String>) -> String {
    let more = texts.len().saturating_sub(5);
    let shown = texts.take(5).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// For each tensor of the model, in order, its number among the state's tensors; or how the two differ.
fn matched<'s, F: TensorFloat>(
    model: &(impl Module<F> + ?Sized),
    state: impl Iterator<Item = (&'s str, &'s Shape)>,
    path: Option<PathBuf>,
) -> Result<Vec<usize>, Error> {
    let mut unclaimed: HashMap<&str, (usize, &Shape)> = HashMap::new();
    let mut names = Vec::new();
    for (number, (name, shape)) in state.enumerate() {
        unclaimed.insert(name, (number, shape));
        names.push(name);
    }
    let mut mismatch = Mismatch::default();
    let mut numbers = Vec::with_capacity(names.len());
    model.visit(ModulePath::ROOT, &mut |path, entry| {
        let (name, expected) = (path.to_string(), entry.value().shape());
        match unclaimed.remove(name.as_str()) {
            Some((number, shape)) if shape == expected => numbers.push(number),
            Some((_, shape)) => mismatch.shapes.push((name, expected.clone(), shape.clone())),
            None => mismatch.missing.push(name),
        }
    });
    mismatch.unexpected =
        names.iter().filter(|name| unclaimed.contains_key(*name)).map(|&name| name.to_owned()).collect();
    if mismatch == Mismatch::default() {
        Ok(numbers)
    } else {
        Err(Error::StateMismatch { path, mismatch: Box::new(mismatch) })
    }
}

fn set_all<F: TensorFloat>(model: &mut (impl Module<F> + ?Sized), values: impl IntoIterator<Item = Tensor<F>>) {
    let mut values = values.into_iter();
    model.visit_mut(ModulePath::ROOT, &mut |_, entry| {
        if let Some(value) = values.next() {
            *entry.value_mut() = value;
        }
    });
}

/// Sets a model to a state that fits it.
pub(crate) fn assign<F: TensorFloat>(model: &mut (impl Module<F> + ?Sized), state: &StateDict<F>) -> Result<(), Error> {
    let numbers = matched(model, state.iter().map(|(name, value)| (name, value.shape())), None)?;
    set_all(model, numbers.into_iter().map(|number| state.entries[number].1.clone()));
    Ok(())
}

/// Sets a model to the state in a file. Names and shapes are compared before any tensor is read, so that memory is
/// asked for nothing but what the model has.
pub(crate) fn load<F: TensorFloat>(model: &mut (impl Module<F> + ?Sized), path: &Path) -> Result<(), Error> {
    let mut file = File::open(path)?;
    let tensors = file.tensors().iter().map(|tensor| (tensor.name.as_str(), &tensor.shape));
    let numbers = matched(model, tensors, Some(path.to_owned()))?;
    let values = numbers.into_iter().map(|number| file.read(number)).collect::<Result<Vec<_>, _>>()?;
    set_all(model, values);
    Ok(())
}
