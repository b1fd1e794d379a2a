//! Initial weights.
//!
//! What passes forward should keep its variance from layer to layer, and so should what flows back. With weights of
//! variance `g^2 / fan_in` the first holds, with `g^2 / fan_out` the second; `g` makes up for what the activation takes
//! away.
//!
//! Sources: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
//! AISTATS 2010 (Xavier); K. He et al., "Delving deep into rectifiers", ICCV 2015 (Kaiming).

use crate::error::Error;
use rand::Rng;
use wengert_core::TensorFloat;
use wengert_tensor::{Shape, Tensor};

/// The activation that follows a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// None.
    Identity,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `x` for positive `x`, this slope times `x` for negative.
    LeakyRelu(f64),
}

impl Activation {
    /// The factor that makes up for the activation: 1, 5/3 for tanh, `sqrt 2` for the rectifier,
    /// `sqrt(2 / (1 + slope^2))` for a leaky one. The values PyTorch uses.
    ///
    /// # Examples
    /// ```
    /// use wengert_nn::init::Activation;
    /// assert_eq!(Activation::Relu.gain().powi(2).round(), 2.0); // it passes half of what is symmetric about 0
    /// ```
    #[must_use]
    pub fn gain(self) -> f64 {
        match self {
            Activation::Identity | Activation::Sigmoid => 1.0,
            Activation::Tanh => 5.0 / 3.0,
            Activation::Relu => core::f64::consts::SQRT_2,
            Activation::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        }
    }
}

/// How many inputs an output of a layer sees, and how many outputs an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fans {
    /// Inputs each output is computed from.
    pub fan_in: usize,
    /// Outputs each input is used for.
    pub fan_out: usize,
}

impl Fans {
    /// Those of a weight `[out, in]` or a filter `[out, in, kernel ..]`; none for shapes with fewer axes.
    ///
    /// # Examples
    /// ```
    /// use wengert_nn::init::Fans;
    /// assert_eq!(Fans::of(&[32, 16, 3, 5]), Some(Fans { fan_in: 16 * 15, fan_out: 32 * 15 }));
    /// assert_eq!(Fans::of(&[32]), None);
    /// ```
    #[must_use]
    pub fn of(shape: &[usize]) -> Option<Fans> {
        let [outputs, inputs, kernel @ ..] = shape else { return None };
        let size = kernel.iter().fold(1_usize, |size, &dim| size.saturating_mul(dim));
        Some(Fans { fan_in: inputs.saturating_mul(size), fan_out: outputs.saturating_mul(size) })
    }
}

/// Uniform with variance `gain^2 / fan_in`: within `gain sqrt(3 / fan_in)` of 0.
///
/// # Errors
/// [`Error::Fan`] for shapes with fewer than two axes, [`Error::Shape`] if there is no memory.
///
/// # Examples
/// ```
/// use wengert_nn::init::{Activation, kaiming_uniform};
/// use wengert_tensor::{rng, Tensor};
///
/// let w: Tensor<f32> = kaiming_uniform([10, 600], Activation::Relu, &mut rng(0))?;
/// assert!(w.max() < 0.1 && w.max() > 0.099); // sqrt(2) sqrt(3 / 600)
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub fn kaiming_uniform<F: TensorFloat>(
    shape: impl Into<Shape>,
    activation: Activation,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<F>, Error> {
    let (shape, fans) = with_fans("kaiming_uniform", shape.into())?;
    uniform(shape, deviation(activation, fans.fan_in as f64), rng)
}

/// Normal with variance `gain^2 / fan_in`.
///
/// # Errors
/// As [`kaiming_uniform`].
///
/// # Examples
/// ```
/// use wengert_nn::init::{kaiming_normal, Activation};
/// use wengert_tensor::{rng, Tensor};
///
/// let w: Tensor<f64> = kaiming_normal([100, 400], Activation::Identity, &mut rng(0))?;
/// let deviation = w.square().mean().sqrt();
/// assert!((deviation - 0.05).abs() < 1e-3); // 1 / sqrt(400), of 40,000 numbers
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub fn kaiming_normal<F: TensorFloat>(
    shape: impl Into<Shape>,
    activation: Activation,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<F>, Error> {
    let (shape, fans) = with_fans("kaiming_normal", shape.into())?;
    normal(shape, deviation(activation, fans.fan_in as f64), rng)
}

/// Uniform with variance `2 gain^2 / (fan_in + fan_out)`: within `gain sqrt(6 / (fan_in + fan_out))` of 0.
///
/// # Errors
/// As [`kaiming_uniform`].
///
/// # Examples
/// ```
/// use wengert_nn::init::{xavier_uniform, Activation};
/// use wengert_tensor::{rng, Tensor};
///
/// let w: Tensor<f64> = xavier_uniform([200, 400], Activation::Identity, &mut rng(0))?;
/// assert!(w.abs().max() < 0.1 && w.abs().max() > 0.0999); // sqrt(6 / 600)
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub fn xavier_uniform<F: TensorFloat>(
    shape: impl Into<Shape>,
    activation: Activation,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<F>, Error> {
    let (shape, fans) = with_fans("xavier_uniform", shape.into())?;
    uniform(shape, deviation(activation, mean(fans)), rng)
}

/// Normal with variance `2 gain^2 / (fan_in + fan_out)`.
///
/// # Errors
/// As [`kaiming_uniform`].
///
/// # Examples
/// ```
/// use wengert_nn::init::{xavier_normal, Activation};
/// use wengert_tensor::{rng, Tensor};
///
/// let w: Tensor<f64> = xavier_normal([200, 600], Activation::Identity, &mut rng(0))?;
/// let deviation = w.square().mean().sqrt();
/// assert!((deviation - 0.05).abs() < 1e-3); // sqrt(2 / 800), of 120,000 numbers
/// # Ok::<(), wengert_nn::Error>(())
/// ```
pub fn xavier_normal<F: TensorFloat>(
    shape: impl Into<Shape>,
    activation: Activation,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Tensor<F>, Error> {
    let (shape, fans) = with_fans("xavier_normal", shape.into())?;
    normal(shape, deviation(activation, mean(fans)), rng)
}

fn with_fans(op: &'static str, shape: Shape) -> Result<(Shape, Fans), Error> {
    match Fans::of(&shape) {
        Some(fans) => Ok((shape, fans)),
        None => Err(Error::Fan { op, shape }),
    }
}

fn mean(fans: Fans) -> f64 {
    (fans.fan_in as f64 + fans.fan_out as f64) / 2.0
}

/// Standard deviation; a fan of 0 belongs to a weight without elements, for which any will do.
fn deviation(activation: Activation, fan: f64) -> f64 {
    activation.gain() / fan.max(1.0).sqrt()
}

fn uniform<F: TensorFloat>(shape: Shape, deviation: f64, rng: &mut (impl Rng + ?Sized)) -> Result<Tensor<F>, Error> {
    // The variance of a uniform distribution on [-b, b] is b^2 / 3.
    let bound = F::from_f64(3.0_f64.sqrt() * deviation);
    Ok(Tensor::try_uniform(shape, -bound, bound, rng)?)
}

fn normal<F: TensorFloat>(shape: Shape, deviation: f64, rng: &mut (impl Rng + ?Sized)) -> Result<Tensor<F>, Error> {
    Ok(Tensor::try_normal(shape, F::ZERO, F::from_f64(deviation), rng)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::rng;

    fn variance(w: &Tensor<f64>) -> f64 {
        w.iter().map(|x| x * x).sum::<f64>() / w.len() as f64
    }

    #[test]
    fn variances_are_those_of_the_papers() {
        // 40 000 samples: the relative standard error of a variance is sqrt(2 / n) = 0.7 % (normal), less for uniform.
        let shape = [50, 20, 8, 5];
        let (fan_in, fan_out) = (20.0 * 40.0, 50.0 * 40.0);
        let rng = &mut rng(3);
        for (w, expected) in [
            (kaiming_uniform(shape, Activation::Relu, rng), 2.0 / fan_in),
            (kaiming_normal(shape, Activation::LeakyRelu(0.5), rng), 1.6 / fan_in),
            (xavier_uniform(shape, Activation::Tanh, rng), 25.0 / 9.0 * 2.0 / (fan_in + fan_out)),
            (xavier_normal(shape, Activation::Identity, rng), 2.0 / (fan_in + fan_out)),
        ] {
            let got = variance(&w.unwrap());
            assert!((got / expected - 1.0).abs() < 0.04, "{got} {expected}");
        }
    }

    #[test]
    fn a_vector_has_no_fan() {
        let error = kaiming_normal::<f32>([3], Activation::Relu, &mut rng(0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "kaiming_normal: shape [3] has no fan in and fan out; a weight is [out, in] or [out, in, kernel ..]"
        );
    }
}
