//! Dropout.

use super::no_parameters;
use crate::error::Error;
use crate::layer::{Layer, Mode};
use wengert_core::{Binary, TensorFloat, TensorVar};
use wengert_tensor::Tensor;

/// In training, sets each element to 0 with probability `p` and divides the others by `1 - p`; otherwise, nothing.
///
/// The division keeps the mean, so that nothing need be changed for use ("inverted" dropout). What is dropped is 0 even
/// if it was infinite or NaN, and so is its cotangent.
///
/// Shapes: `x: [..]`, output `[..]`. No parameters. Source: N. Srivastava et al., "Dropout: a simple way to prevent
/// neural networks from overfitting", JMLR 15, 2014.
///
/// # Examples
/// ```
/// use wengert_core::Tape;
/// use wengert_nn::{Dropout, Layer, Mode};
/// use wengert_tensor::{rng, Tensor};
///
/// let (dropout, tape) = (Dropout::new(0.5), Tape::<f32>::new());
/// let x = tape.tensor(Tensor::ones([1000]));
/// let y = dropout.forward(x, &mut Mode::train(&mut rng(0)))?;
/// assert!(y.value().iter().all(|y| y == 0.0 || y == 2.0));
/// assert_eq!(dropout.forward(x, &mut Mode::Eval)?.value(), x.value());
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    probability: f64,
}

no_parameters!(Dropout);

impl Dropout {
    /// Drops each element with this probability.
    ///
    /// # Panics
    /// If it is not between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn new(probability: f64) -> Self {
        match Self::try_new(probability) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`new`](Self::new), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::Setting`] if the probability is not between 0 and 1.
    pub fn try_new(probability: f64) -> Result<Self, Error> {
        if (0.0..=1.0).contains(&probability) {
            Ok(Dropout { probability })
        } else {
            let expected = "a probability, 0 to 1";
            Err(Error::Setting { of: "dropout", setting: "probability", value: probability, expected })
        }
    }
}

impl<F: TensorFloat> Layer<F> for Dropout {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let Mode::Train { rng } = mode else { return Ok(x) };
        if self.probability == 0.0 {
            return Ok(x);
        }
        // 32 bits an element: the probability is met to 2^-32, and the generator gives two draws a word.
        let threshold = (self.probability * 4_294_967_296.0) as u64;
        let kept = F::from_f64(1.0 / (1.0 - self.probability));
        let mut mask = Tensor::try_scratch(x.shape())?;
        for m in mask.make_mut() {
            *m = if u64::from(rng.next_u32()) < threshold { F::ZERO } else { kept };
        }
        // The product in which a zero of the mask wins over whatever it meets.
        Ok(x.try_zip(Binary::MulZero, x.tape().constant_tensor(mask))?)
    }
}
