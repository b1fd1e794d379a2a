//! Vectors for words.

use crate::Module;
use crate::error::Error;
use core::panic::Location;
use rand::Rng;
use wengert_core::{Parameter, Tape, TensorFloat, TensorVar};
use wengert_tensor::{Shape, Tensor};

/// A learnt vector for each of a number of things: words, places, players.
///
/// Shapes: `weight: [things, features]`. The vectors start standard normal, as PyTorch's do. It is not a
/// [`Layer`](crate::Layer): its input are whole numbers, which have no derivative.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::Embedding;
/// use wengert_tensor::{Tensor, rng};
///
/// let words = Embedding::<f32>::new(1000, 16, &mut rng(0));
/// let tape = Tape::new();
/// let sentence = words.embed(&tape, &Tensor::from([[3, 999], [0, 3]]))?;
/// assert_eq!(*sentence.shape(), [2, 2, 16]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Embedding<F: TensorFloat = f32> {
    /// `[things, features]`.
    pub weight: Parameter<F>,
}

impl<F: TensorFloat> Embedding<F> {
    /// Vectors of so many features for so many things.
    ///
    /// # Panics
    /// With the text of the error that [`try_new`](Self::try_new) returns.
    #[track_caller]
    pub fn new(things: usize, features: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        match Self::try_new(things, features, rng) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`new`](Self::new), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::Setting`] for no things or no features; [`Error::Shape`] if there is no memory for the weight.
    pub fn try_new(things: usize, features: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Self, Error> {
        for (setting, value) in [("things", things), ("features", features)] {
            if value == 0 {
                return Err(Error::Setting { of: "embedding", setting, value: 0.0, expected: "at least 1" });
            }
        }
        Ok(Embedding { weight: Parameter::new(Tensor::try_normal([things, features], F::ZERO, F::ONE, rng)?) })
    }

    /// The vectors of the things with these numbers.
    ///
    /// Shapes: `numbers: [..]`, result `[.., features]`.
    ///
    /// # Errors
    /// [`Error::Tape`] if a number is negative or not below that of the things.
    #[track_caller]
    pub fn embed<'t>(&self, tape: &'t Tape<F>, numbers: &Tensor<i64>) -> Result<TensorVar<'t, F>, Error> {
        let features = self.weight.value().shape()[1];
        let shape: Shape = numbers.shape().iter().copied().chain([features]).collect();
        let rows = numbers.try_reshape([numbers.len()])?;
        let caller = Location::caller();
        let vectors = tape.parameter(&self.weight).try_gather_rows(&rows).and_then(|rows| rows.try_reshape(shape));
        vectors.map_err(|error| Error::from(error).called_at(caller).anchored(self.weight.id(), "weight"))
    }
}
