//! Finding the numbers that are not finite.

use crate::data::Batch;
use crate::module::{Entry, Module, ModulePath};
use core::fmt;
use wengert_core::{Gradients, TensorFloat};
use wengert_kernels::Float;
use wengert_tensor::{Element, Tensor};

/// What besides the loss is not finite: the first of these that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// An input, in this row of the batch.
    Inputs(usize),
    /// A parameter, with this path.
    Parameter(String),
    /// The gradient of a parameter, with this path.
    Gradient(String),
    /// Nothing: the loss alone.
    Loss,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Inputs(row) => write!(f, "and so is row {row} of the batch's inputs; clean the data"),
            Cause::Parameter(path) => {
                write!(f, "and parameter {path} is not finite; lower the learning rate, or load good parameters")
            }
            Cause::Gradient(path) => {
                write!(f, "and the gradient of {path} is not finite; lower the learning rate, or clip the gradient")
            }
            Cause::Loss => {
                write!(f, "while inputs, parameters and gradients are finite; check the loss and the targets")
            }
        }
    }
}

/// What is not finite in a step, if anything is.
pub(super) fn cause<F: TensorFloat, T: Element>(
    loss: f64,
    model: &impl Module<F>,
    gradients: &Gradients<F>,
    batch: &Batch<F, T>,
) -> Option<Cause> {
    let gradient = first_bad_gradient(model, gradients);
    if loss.is_finite() && gradient.is_none() {
        return None;
    }
    let row_len = batch.inputs.len() / batch.len().max(1);
    let input = batch.inputs.iter().position(|x| !Float::is_finite(x)).map(|k| Cause::Inputs(k / row_len.max(1)));
    let parameter = || first_bad_parameter(model).map(Cause::Parameter);
    Some(input.or_else(parameter).or(gradient.map(Cause::Gradient)).unwrap_or(Cause::Loss))
}

/// The path of the first parameter or buffer with a number that is not finite.
pub(super) fn first_bad_parameter<F: TensorFloat>(model: &impl Module<F>) -> Option<String> {
    first_bad(model, |entry| Some(entry.value()))
}

fn first_bad_gradient<F: TensorFloat>(model: &impl Module<F>, gradients: &Gradients<F>) -> Option<String> {
    first_bad(model, |entry| match entry {
        Entry::Parameter(parameter) => gradients.get_parameter(parameter),
        Entry::Buffer(_) => None,
    })
}

fn first_bad<'a, F: TensorFloat>(
    model: &'a impl Module<F>,
    of: impl Fn(Entry<'a, F>) -> Option<&'a Tensor<F>>,
) -> Option<String> {
    let mut found = None;
    model.visit(ModulePath::ROOT, &mut |path, entry| {
        if found.is_none() && of(entry).is_some_and(|value| !all_finite(value)) {
            found = Some(path.to_string());
        }
    });
    found
}

/// Every step asks this of every gradient, so it has no early exit within a block: it vectorises.
fn all_finite<F: TensorFloat>(value: &Tensor<F>) -> bool {
    match value.as_slice() {
        Some(values) => values.chunks(1024).all(|block| block.iter().fold(true, |all, x| all & Float::is_finite(*x))),
        None => value.iter().all(Float::is_finite),
    }
}
