//! What can go wrong with a model, its data, its training and its file.

use crate::module::{Entry, Module, ModulePath};
use crate::state::Mismatch;
use crate::train::Cause;
use core::fmt;
use core::panic::Location;
use std::io;
use std::path::PathBuf;
use wengert_core::{Caller, ParameterId, TensorFloat};
use wengert_tensor::{Shape, ShapeError};

/// Errors of layers, losses, optimizers, data, training and state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation on the tape failed.
    #[error(transparent)]
    Tape(Box<wengert_core::Error>),
    /// An operation on plain tensors failed.
    #[error(transparent)]
    Shape(Box<ShapeError>),
    /// A recorded program could not be recorded or replayed.
    #[error(transparent)]
    Recorded(Box<wengert_core::FunctionError>),
    /// Targets of a type that a recorded loss cannot exchange.
    #[error("record: targets of {targets} for a model of {model}; give them as {model}, or class labels as i64")]
    Targets {
        /// The type of the targets.
        targets: &'static str,
        /// The type of the model's numbers.
        model: &'static str,
    },
    /// A model that draws random numbers was recorded: every replay would see the same ones.
    #[error(
        "record: the model draws random numbers in training, which would be frozen; train it on a tape, or without dropout"
    )]
    Random,
    /// An error inside a layer, with the layer's path.
    #[error("{place}{source}")]
    InLayer {
        /// The layer.
        place: Place,
        /// What went wrong there.
        source: Box<Error>,
    },
    /// A layer was given another number of features than it was made for.
    ///
    /// ```
    /// # use wengert_nn::{Error, Layer, Linear};
    /// # use wengert_tensor::{rng, Tensor};
    /// let layer = Linear::new(64, 10, &mut rng(0));
    /// assert!(layer.predict(&Tensor::<f32>::zeros([32, 63])).is_err());
    /// assert!(layer.predict(&Tensor::<f32>::zeros([32, 64])).is_ok());
    /// ```
    #[error(
        "{layer}: expected {expected} features along the last axis, got {}; the layer is made at {made}",
        Got(input)
    )]
    Features {
        /// The kind of layer.
        layer: &'static str,
        /// The features it was made for.
        expected: usize,
        /// The shape it was given.
        input: Shape,
        /// Where the layer was made.
        made: Caller,
    },
    /// A layer was given another number of channels than it was made for.
    ///
    /// ```
    /// # use wengert_nn::{BatchNorm2d, Layer};
    /// # use wengert_tensor::Tensor;
    /// let layer = BatchNorm2d::new(16);
    /// assert!(layer.predict(&Tensor::<f32>::zeros([32, 3, 8, 8])).is_err());
    /// assert!(layer.predict(&Tensor::<f32>::zeros([32, 16, 8, 8])).is_ok());
    /// ```
    #[error("{caller}: {layer}: expected {expected} channels along axis 1, got {} (shape {input})", input[1])]
    Channels {
        /// The kind of layer.
        layer: &'static str,
        /// The channels it was made for.
        expected: usize,
        /// The shape it was given.
        input: Shape,
        /// Where it was called.
        caller: Caller,
    },
    /// Channels that groups cannot share evenly.
    ///
    /// ```
    /// # use wengert_nn::GroupNorm;
    /// assert!(GroupNorm::<f32>::try_new(3, 16).is_err());
    /// assert!(GroupNorm::<f32>::try_new(4, 16).is_ok());
    /// ```
    #[error(
        "{layer}: {groups} groups cannot share {channels} channels evenly; choose a number of groups that divides {channels}"
    )]
    Groups {
        /// The kind of layer.
        layer: &'static str,
        /// The groups asked for.
        groups: usize,
        /// The channels of the layer.
        channels: usize,
    },
    /// A setting of a layer, optimizer or training has no meaning.
    ///
    /// ```
    /// # use wengert_nn::Dropout;
    /// assert!(Dropout::try_new(1.5).is_err()); // a probability
    /// assert!(Dropout::try_new(0.5).is_ok());
    /// ```
    #[error("{of}: {setting} is {value}, expected {expected}")]
    Setting {
        /// What is being set up.
        of: &'static str,
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What values it may have.
        expected: &'static str,
    },
    /// A weight with fewer than two axes has no fan.
    #[error("{op}: shape {shape} has no fan in and fan out; a weight is [out, in] or [out, in, kernel ..]")]
    Fan {
        /// The initialisation.
        op: &'static str,
        /// The shape.
        shape: Shape,
    },
    /// Inputs and targets are not as many, or there are none.
    #[error("{what}: {inputs} inputs and {targets} targets; give one target per input, and at least one of each")]
    Rows {
        /// The data.
        what: &'static str,
        /// Entries along axis 0 of the inputs.
        inputs: usize,
        /// Entries along axis 0 of the targets.
        targets: usize,
    },
    /// Training met a number that is not finite.
    #[error("training stopped at epoch {epoch}, step {step}: the loss is {loss}, {cause}")]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step within the epoch, counted from 1.
        step: usize,
        /// The loss of that step.
        loss: f64,
        /// What else is not finite.
        cause: Cause,
    },
    /// A file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written. What was there before still is.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not in the safetensors format, or is damaged.
    #[error("{}: not a valid safetensors file: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A state belongs to another model.
    #[error("{}the state does not fit the model: {mismatch}", Prefix(path))]
    StateMismatch {
        /// The file it came from, if it did.
        path: Option<PathBuf>,
        /// What does not fit.
        mismatch: Box<Mismatch>,
    },
}

impl From<wengert_core::Error> for Error {
    fn from(error: wengert_core::Error) -> Self {
        Error::Tape(Box::new(error))
    }
}

impl From<wengert_core::FunctionError> for Error {
    fn from(error: wengert_core::FunctionError) -> Self {
        Error::Recorded(Box::new(error))
    }
}

impl From<ShapeError> for Error {
    fn from(error: ShapeError) -> Self {
        Error::Shape(Box::new(error))
    }
}

/// The path of a layer as far as it is known, and a parameter by which the model can complete it.
///
/// A layer does not know the names of those around it. Containers put their part in front as an error passes through
/// them; the fields of user structs are found where the whole model is at hand, by looking up the parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    path: String,
    /// A parameter of the layer, and its own path from where `path` begins.
    anchor: Option<(ParameterId, String)>,
}

impl Place {
    /// The path, `features.3`; empty for the model itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { Ok(()) } else { write!(f, "{}: ", self.path) }
    }
}

impl Error {
    /// The same error, in the part of a module called `step`: a field, or a number.
    ///
    /// For containers of layers. Structs need not call it for their fields if these have parameters.
    ///
    /// # Examples
    /// ```
    /// # use wengert_nn::{Error, Layer, Linear};
    /// # use wengert_tensor::{rng, Tensor};
    /// let layer = Linear::new(64, 10, &mut rng(0));
    /// let error = layer.predict(&Tensor::<f32>::zeros([63])).unwrap_err().at("head").at("model");
    /// assert!(error.to_string().starts_with("model.head: linear: expected 64 features"));
    /// ```
    #[must_use]
    pub fn at(self, step: impl fmt::Display) -> Error {
        let (mut place, source) = self.into_placed();
        place.path = joined(&step, &place.path);
        if let Some((_, path)) = &mut place.anchor {
            *path = joined(&step, path);
        }
        Error::InLayer { place, source }
    }

    /// The path of the layer this error is in, as far as it is known.
    #[must_use]
    pub fn layer(&self) -> Option<&str> {
        match self {
            Error::InLayer { place, .. } => Some(place.path()),
            _ => None,
        }
    }

    /// The same error, in a module that has this parameter under this name.
    pub(crate) fn anchored(self, parameter: ParameterId, name: &str) -> Error {
        let (mut place, source) = self.into_placed();
        place.anchor.get_or_insert_with(|| (parameter, name.to_owned()));
        Error::InLayer { place, source }
    }

    /// The same error at the line of the user's call, if it names one of this crate: `#[track_caller]` does not pass
    /// through `dyn Layer`. A line in a layer of the user's stays.
    pub(crate) fn called_at(self, caller: Caller) -> Error {
        let theirs = |line| if is_ours(line) { caller } else { line };
        match self {
            Error::Tape(error) => Error::Tape(Box::new(error.relocated(theirs))),
            Error::Channels { layer, expected, input, caller } => {
                Error::Channels { layer, expected, input, caller: theirs(caller) }
            }
            Error::InLayer { place, source } => Error::InLayer { place, source: Box::new(source.called_at(caller)) },
            error => error,
        }
    }

    /// What does not fit in a call at the line of whoever asks.
    #[track_caller]
    pub(crate) fn of_shape(source: ShapeError) -> Error {
        Error::of_shape_at(source, Location::caller())
    }

    pub(crate) fn of_shape_at(source: ShapeError, caller: Caller) -> Error {
        wengert_core::Error::Shape { source: Box::new(source), caller }.into()
    }

    /// The same error with the full path of its layer in `model`.
    pub(crate) fn located_in<F: TensorFloat>(self, model: &(impl Module<F> + ?Sized)) -> Error {
        let Error::InLayer { mut place, source } = self else { return self };
        if let Some((id, known)) = place.anchor.take() {
            let mut full = None;
            model.visit(ModulePath::ROOT, &mut |path, entry| {
                if let Entry::Parameter(parameter) = entry
                    && parameter.id() == id
                {
                    full = Some(path.to_string());
                }
            });
            let outer = full.as_deref().and_then(|full| full.strip_suffix(&known)).unwrap_or_default();
            let outer = outer.strip_suffix('.').unwrap_or(outer);
            if !outer.is_empty() {
                place.path = joined(&outer, &place.path);
            }
        }
        Error::InLayer { place, source }
    }

    fn into_placed(self) -> (Place, Box<Error>) {
        match self {
            Error::InLayer { place, source } => (place, source),
            other => (Place { path: String::new(), anchor: None }, Box::new(other)),
        }
    }
}

/// Whether this is a line of this crate, or of the standard library's where a loss is called as a function it was
/// handed.
fn is_ours(line: Caller) -> bool {
    let file = line.file();
    file.starts_with(file!().trim_end_matches("error.rs"))
        || ["ops/function.rs", "ops\\function.rs"].iter().any(|function| file.ends_with(function))
}

fn joined(outer: &impl fmt::Display, inner: &str) -> String {
    if inner.is_empty() { outer.to_string() } else { format!("{outer}.{inner}") }
}

/// What a layer was given.
struct Got<'a>(&'a Shape);

impl fmt::Display for Got<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.last() {
            Some(features) => write!(f, "{features} (shape {})", self.0),
            None => write!(f, "a single number without axes"),
        }
    }
}

/// The file an error is about, if it is about one.
struct Prefix<'a>(&'a Option<PathBuf>);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "{}: ", path.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_small_enough_to_return_by_value() {
        assert!(size_of::<Error>() < 128, "{}", size_of::<Error>());
    }
}
