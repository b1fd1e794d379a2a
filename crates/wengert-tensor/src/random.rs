//! Random tensors: the same seed gives the same bits on every platform.
//!
//! That takes more than a fixed generator. Rounding, the order of draws and the functions a distribution uses have to
//! be fixed too, so the loops here use nothing but the generator's 64-bit words, exact scaling, and arithmetic that
//! IEEE 754 prescribes to the last bit; the logarithm a normal deviate needs is one of them.

use chacha20::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A generator with a fixed stream: ChaCha with 12 rounds, keyed with the seed.
///
/// Everything random in this crate takes any [`rand::Rng`]; this one is documented never to change. The trait is here
/// too, as [`Rng`], for functions of yours that draw: `fn start(rng: &mut impl Rng)`.
///
/// # Examples
/// ```
/// # use wengert_tensor::{rng, Tensor};
/// let a = Tensor::<f32>::normal([3, 3], 0.0, 1.0, &mut rng(7));
/// let b = Tensor::<f32>::normal([3, 3], 0.0, 1.0, &mut rng(7));
/// assert_eq!(a, b);
/// ```
#[must_use]
pub fn rng(seed: u64) -> ChaCha12Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha12Rng::from_seed(key)
}

/// A number in `[0, 1)` with 53 random bits.
fn unit(rng: &mut (impl Rng + ?Sized)) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A number below `bound`, each as likely as the others.
fn below(bound: u64, rng: &mut (impl Rng + ?Sized)) -> u64 {
    // Numbers from the last, incomplete multiple of `bound` are drawn again (Lemire 2019, section 3, without the
    // division that it saves).
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let x = rng.next_u64();
        if x < limit {
            return x % bound;
        }
    }
}

/// Natural logarithm of a number in `(0, 1]`, to about 1e-15, by arithmetic that is the same everywhere.
///
/// The platform's own logarithm may differ in the last bit from one to the next.
fn ln(x: f64) -> f64 {
    // x = m 2^e with m in [sqrt 1/2, sqrt 2); ln m = 2 atanh s, s = (m - 1)/(m + 1), |s| < 0.1716.
    let bits = x.to_bits();
    let mut e = ((bits >> 52) as i64 - 1023) as f64;
    let mut m = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if m > core::f64::consts::SQRT_2 {
        m *= 0.5;
        e += 1.0;
    }
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    // The first term left out is s^22 / 23 < 1e-18 relative to the sum.
    let series = (0..11).rev().fold(0.0, |sum, k| sum * s2 + 1.0 / f64::from(2 * k + 1));
    e * core::f64::consts::LN_2 + 2.0 * s * series
}

/// Two independent standard normal deviates (Marsaglia & Bray 1964, the polar method).
fn normal_pair(rng: &mut (impl Rng + ?Sized)) -> [f64; 2] {
    loop {
        let (x, y) = (2.0 * unit(rng) - 1.0, 2.0 * unit(rng) - 1.0);
        let r2 = x * x + y * y;
        if r2 < 1.0 && r2 > 0.0 {
            let factor = (-2.0 * ln(r2) / r2).sqrt();
            return [x * factor, y * factor];
        }
    }
}

impl<F: FloatElement> Tensor<F> {
    /// Independent numbers, uniform from `low` (included) to `high` (excluded).
    ///
    /// Each element takes one 64-bit word of the generator.
    ///
    /// # Panics
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{rng, Tensor};
    /// let x = Tensor::<f64>::uniform([1000], -1.0, 1.0, &mut rng(0));
    /// assert!(x.min() >= -1.0 && x.max() < 1.0);
    /// ```
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, low: F, high: F, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::try_uniform(shape, low, high, rng).or_panic()
    }

    /// As [`uniform`](Self::uniform), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] or [`ShapeError::Memory`].
    pub fn try_uniform(
        shape: impl Into<Shape>,
        low: F,
        high: F,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self, ShapeError> {
        let (from, width) = (low.to_f64(), high.to_f64() - low.to_f64());
        Self::try_build("uniform", &shape.into(), |y| {
            for y in y {
                let x = F::from_f64(from + width * unit(rng));
                // Rounding can reach the upper end.
                *y = if x < high { x } else { low };
            }
        })
    }

    /// Independent normal deviates with this mean and standard deviation.
    ///
    /// # Panics
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{rng, Tensor};
    /// let x = Tensor::<f64>::normal([10_000], 5.0, 2.0, &mut rng(0));
    /// assert!((x.mean() - 5.0).abs() < 0.1);
    /// ```
    #[track_caller]
    pub fn normal(shape: impl Into<Shape>, mean: F, deviation: F, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::try_normal(shape, mean, deviation, rng).or_panic()
    }

    /// As [`normal`](Self::normal), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::TooLarge`] or [`ShapeError::Memory`].
    pub fn try_normal(
        shape: impl Into<Shape>,
        mean: F,
        deviation: F,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self, ShapeError> {
        let (mean, deviation) = (mean.to_f64(), deviation.to_f64());
        Self::try_build("normal", &shape.into(), |y| {
            for pair in y.chunks_mut(2) {
                for (y, x) in pair.iter_mut().zip(normal_pair(rng)) {
                    *y = F::from_f64(mean + deviation * x);
                }
            }
        })
    }
}

impl Tensor<i64> {
    /// The numbers 0 to `n - 1` in random order, each order as likely as the others.
    ///
    /// # Panics
    /// When there is no memory for them.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{rng, Tensor};
    /// let data = Tensor::from([[0.0], [1.0], [2.0]]);
    /// let shuffled = data.gather_rows(&Tensor::permutation(3, &mut rng(1)));
    /// assert_eq!(shuffled.sum(), data.sum());
    /// ```
    #[track_caller]
    pub fn permutation(n: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut order = Tensor::<i64>::arange(n);
        let numbers = order.fresh_mut();
        for i in (1..numbers.len()).rev() {
            numbers.swap(i, below(i as u64 + 1, rng) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_are_fixed_for_good() {
        // A change here breaks every program that relies on its seed. The numbers come from an independent program:
        // ChaCha12 as specified, key 42, and the methods above.
        assert_eq!(
            Tensor::<f64>::uniform([2], 0.0, 1.0, &mut rng(42)).to_vec(),
            [0.4320298621284324, 0.16107808043466643]
        );
        assert_eq!(
            Tensor::<f64>::normal([3], 0.0, 1.0, &mut rng(42)).to_vec(),
            [-0.23893029547745945, -1.1913866430364692, 1.1195122891144946]
        );
        assert_eq!(Tensor::permutation(8, &mut rng(42)).to_vec(), [7, 6, 3, 1, 2, 4, 0, 5]);
    }

    #[test]
    fn single_precision_rounds_the_same_numbers() {
        let double = Tensor::<f64>::normal([50], 1.0, 3.0, &mut rng(5));
        assert_eq!(double.cast::<f32>(), Tensor::<f32>::normal([50], 1.0, 3.0, &mut rng(5)));
    }

    #[test]
    fn the_logarithm_agrees_with_the_platforms() {
        let mut rng = rng(3);
        for _ in 0..10_000 {
            let x = unit(&mut rng) * unit(&mut rng).powi(20) + f64::MIN_POSITIVE;
            let error = (ln(x) - x.ln()).abs();
            assert!(error <= 4.0 * f64::EPSILON * x.ln().abs().max(1e-3), "ln({x}): {error}");
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn deviates_have_the_moments_of_a_normal_distribution() {
        let n = 200_000;
        let x = Tensor::<f64>::normal([n], 0.0, 1.0, &mut rng(9));
        // Standard errors of the first four moments: sqrt(1, 2, 15, 96) / sqrt n.
        for (power, moment, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let got = x.map(|x| x.powi(power)).mean();
            assert!((got - moment).abs() < 4.0 * f64::sqrt(variance / n as f64), "moment {power}: {got}");
        }
    }

    #[test]
    fn uniform_numbers_stay_below_the_upper_end() {
        let (low, high) = (1.0_f32, 1.0 + f32::EPSILON);
        assert!(Tensor::uniform([100], low, high, &mut rng(0)).iter().all(|x| x == low));
        assert_eq!(Tensor::uniform([3], 2.0, 2.0, &mut rng(0)).to_vec(), [2.0; 3]);
    }

    #[test]
    fn permutations_hold_every_number_once_and_differ() {
        let mut rng = rng(11);
        let mut seen = std::collections::HashMap::new();
        for _ in 0..6000 {
            *seen.entry(Tensor::permutation(3, &mut rng).to_vec()).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        // 1000 expected of each; five standard deviations are 145.
        assert!(seen.values().all(|&count| (855..1145).contains(&count)), "{seen:?}");
        let mut order = Tensor::permutation(1000, &mut rng).to_vec();
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..1000));
        assert!(Tensor::permutation(0, &mut rng).is_empty());
    }

    #[test]
    fn requests_beyond_memory_are_errors() {
        assert!(Tensor::<f32>::try_uniform([1 << 40, 1 << 40], 0.0, 1.0, &mut rng(0)).is_err());
        assert!(Tensor::<f32>::try_normal([10_000_000, 1_000_000], 0.0, 1.0, &mut rng(0)).is_err());
    }
}
