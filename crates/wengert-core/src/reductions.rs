//! Functions of many numbers: sums, means, products, norms. One node each on a tape, plain loops on other numbers.
//!
//! Every [`Number`](crate::Number) has them, so a function written over `T: Number` calls [`dot`] or [`log_sum_exp`]
//! and gets one node where `T` is a variable.

use crate::dual::Dual;
use crate::error::{Error, OrPanic};
use crate::number::Primal;
use crate::tape::node::NOWHERE;
use crate::tape::{Handle, Nary, Scalar};
use crate::taylor::Taylor;
use core::iter::Sum;
use core::panic::Location;
use smallvec::SmallVec;
use wengert_kernels::Elementary;

/// Numbers that can be taken many at a time. Called through the functions of this module: [`sum`], [`dot`], ...
///
/// Lengths are checked by those functions.
#[doc(hidden)]
pub trait Reductions: Elementary {
    fn sum_of(x: &[Self]) -> Self;
    fn mean_of(x: &[Self]) -> Self;
    fn variance_of(x: &[Self], degrees: f64) -> Self;
    fn product_of(x: &[Self]) -> Self;
    fn dot_of(a: &[Self], b: &[Self]) -> Self;
    fn affine_of(w: &[Self], x: &[Self], b: Self) -> Self;
    fn norm2_of(x: &[Self]) -> Self;
    fn log_sum_exp_of(x: &[Self]) -> Self;
}

/// `sum_i x_i` as one node; 0 of nothing.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// # use wengert_core::sum;
/// let tape = Tape::new();
/// let x = tape.vars(&[1.0, 2.0, 3.0]);
/// let y = sum(&x);
/// assert_eq!((y.value(), y.gradient().wrt(&x)), (6.0, vec![1.0; 3]));
/// ```
#[inline]
#[track_caller]
pub fn sum<T: Reductions>(x: &[T]) -> T {
    T::sum_of(x)
}

/// `prod_i x_i` as one node; 1 of nothing. The partials are products of the other factors, so a zero among them is no
/// special case.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// # use wengert_core::product;
/// let tape = Tape::new();
/// let x = tape.vars(&[2.0, 0.0, 3.0]);
/// assert_eq!(product(&x).gradient().wrt(&x), [0.0, 6.0, 0.0]);
/// ```
#[inline]
#[track_caller]
pub fn product<T: Reductions>(x: &[T]) -> T {
    T::product_of(x)
}

/// The arithmetic mean `sum_i x_i / n` as one node.
///
/// # Panics
/// If there are no numbers.
///
/// # Examples
/// ```
/// # use wengert_core::{mean, prelude::*};
/// fn centred<T: Number>(x: &[T]) -> T {
///     x[0] - mean(x)
/// }
/// assert_eq!(centred(&[1.0, 2.0, 6.0]), -2.0);
/// ```
#[inline]
#[track_caller]
pub fn mean<T: Reductions>(x: &[T]) -> T {
    try_mean(x).or_panic()
}

/// [`mean`], returning what is wrong.
///
/// # Errors
/// [`Error::Empty`] of nothing.
#[track_caller]
pub fn try_mean<T: Reductions>(x: &[T]) -> Result<T, Error> {
    match x {
        [] => Err(Error::Empty { op: "mean", caller: Location::caller() }),
        _ => Ok(T::mean_of(x)),
    }
}

/// The variance `sum_i (x_i - m)^2 / (n - correction)` about the mean `m`, as one node: correction 0 for that of a
/// population, 1 for the unbiased estimate from a sample.
///
/// In two passes, the mean first, so a large mean costs no digits. Partials `2 (x_i - m) / (n - correction)`: what the
/// mean contributes cancels.
///
/// # Panics
/// If there are not more numbers than `correction`.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// # use wengert_core::variance;
/// let tape = Tape::new();
/// let x = tape.vars(&[1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0]);
/// let y = variance(&x, 1.0);
/// assert_eq!((y.value(), y.gradient().wrt(&x)), (1.0, vec![-1.0, 0.0, 1.0]));
/// ```
#[inline]
#[track_caller]
pub fn variance<T: Reductions>(x: &[T], correction: f64) -> T {
    try_variance(x, correction).or_panic()
}

/// [`variance`], returning what is wrong.
///
/// # Errors
/// [`Error::TooFew`] if there are not more numbers than `correction`.
#[track_caller]
pub fn try_variance<T: Reductions>(x: &[T], correction: f64) -> Result<T, Error> {
    let degrees = x.len() as f64 - correction;
    // Also where the correction is NaN.
    if degrees > 0.0 {
        return Ok(T::variance_of(x, degrees));
    }
    Err(Error::TooFew { op: "variance", given: x.len(), correction, caller: Location::caller() })
}

/// Dot product `sum_i a_i b_i` as one node.
///
/// Operands may be variables or, through `From`, constants.
///
/// # Panics
/// If the lengths differ.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let (a, b) = (tape.vars(&[1.0, 2.0, 3.0]), tape.vars(&[4.0, 5.0, 6.0]));
/// let y = dot(&a, &b);
/// assert_eq!((y.value(), y.gradient().wrt(&a)), (32.0, vec![4.0, 5.0, 6.0]));
/// ```
#[inline]
#[track_caller]
pub fn dot<T: Reductions>(a: &[T], b: &[T]) -> T {
    try_dot(a, b).or_panic()
}

/// [`dot`], returning what is wrong.
///
/// # Errors
/// [`Error::Lengths`] if the lengths differ.
#[track_caller]
pub fn try_dot<T: Reductions>(a: &[T], b: &[T]) -> Result<T, Error> {
    same_length("dot", a, b)?;
    Ok(T::dot_of(a, b))
}

/// `sum_i w_i x_i + b` as one node: a neuron before its activation.
///
/// # Panics
/// If `w` and `x` have different lengths.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// # use wengert_core::affine;
/// let tape = Tape::new();
/// let (w, b) = (tape.vars(&[1.0, 2.0]), tape.var(3.0));
/// let y = affine(&w, &[10.0, 20.0].map(Var::from), b);
/// let g = y.gradient();
/// assert_eq!((y.value(), g.wrt(&w), g[b]), (53.0, vec![10.0, 20.0], 1.0));
/// ```
#[inline]
#[track_caller]
pub fn affine<T: Reductions>(w: &[T], x: &[T], b: T) -> T {
    try_affine(w, x, b).or_panic()
}

/// [`affine`], returning what is wrong.
///
/// # Errors
/// [`Error::Lengths`] if `w` and `x` have different lengths.
#[track_caller]
pub fn try_affine<T: Reductions>(w: &[T], x: &[T], b: T) -> Result<T, Error> {
    same_length("affine", w, x)?;
    Ok(T::affine_of(w, x, b))
}

/// Euclidean length of a vector, without overflow, as one node; partials `x_i / y`, all 0 at the origin.
#[inline]
#[track_caller]
pub fn norm2<T: Reductions>(x: &[T]) -> T {
    T::norm2_of(x)
}

/// `ln sum_i exp(x_i)` as one node, without overflow; partials are the softmax.
///
/// Minus infinity everywhere gives minus infinity with partials 0.
///
/// # Panics
/// If `x` is empty: minus infinity would be right, and almost always a mistake.
#[inline]
#[track_caller]
pub fn log_sum_exp<T: Reductions>(x: &[T]) -> T {
    try_log_sum_exp(x).or_panic()
}

/// [`log_sum_exp`], returning what is wrong.
///
/// # Errors
/// [`Error::Empty`] of nothing.
#[track_caller]
pub fn try_log_sum_exp<T: Reductions>(x: &[T]) -> Result<T, Error> {
    match x {
        [] => Err(Error::Empty { op: "log_sum_exp", caller: Location::caller() }),
        _ => Ok(T::log_sum_exp_of(x)),
    }
}

#[track_caller]
fn same_length<T>(op: &'static str, a: &[T], b: &[T]) -> Result<(), Error> {
    match a.len() == b.len() {
        true => Ok(()),
        false => Err(Error::Lengths { op, left: a.len(), right: b.len(), caller: Location::caller() }),
    }
}

/// The loops on numbers that record nothing. A variable's value is computed by them too, so it is the same to the last
/// bit.
pub(crate) mod plain {
    use super::Primal;
    use wengert_kernels::Float;

    pub(crate) fn sum<P: Primal>(x: &[P]) -> P {
        x.iter().fold(P::ZERO, |sum, &x| sum + x)
    }

    pub(crate) fn mean<P: Primal>(x: &[P]) -> P {
        let sum = sum(x);
        sum / sum.lit(x.len() as f64)
    }

    pub(crate) fn variance<P: Primal>(x: &[P], degrees: f64) -> P {
        let mean = mean(x);
        let squares = x.iter().fold(P::ZERO, |sum, &x| sum + (x - mean).square());
        squares / mean.lit(degrees)
    }

    pub(crate) fn product<P: Primal>(x: &[P]) -> P {
        x.iter().fold(P::ONE, |product, &x| product * x)
    }

    pub(crate) fn dot<P: Primal>(a: &[P], b: &[P]) -> P {
        a.iter().zip(b).fold(P::ZERO, |sum, (&a, &b)| sum + a * b)
    }

    pub(crate) fn norm2<P: Primal>(x: &[P]) -> P {
        let squares = x.iter().fold(P::ZERO, |sum, &x| sum + x * x);
        let s = squares.base();
        let epsilon = <P::Base as Float>::EPSILON;
        // Squares that underflow beside a sum like this are below its last bit.
        if s.is_finite() && s > <P::Base as Float>::MIN_POSITIVE / (epsilon * epsilon) {
            return squares.sqrt();
        }
        x.iter().fold(P::ZERO, |y, &x| y.hypot(x))
    }

    pub(crate) fn log_sum_exp<P: Primal>(x: &[P]) -> P {
        // The first of the largest, as everywhere.
        let largest = x.iter().copied().reduce(|largest, x| if x > largest || x.base().is_nan() { x } else { largest });
        let largest = largest.unwrap_or(P::ZERO);
        if !largest.base().is_finite() {
            return if largest < P::ZERO { P::from_base(largest.base()) } else { largest };
        }
        // Whatever is subtracted is added again: a constant, so that it has no derivative to compute.
        let shift = P::from_base(largest.base());
        let total = x.iter().fold(P::ZERO, |total, &x| total + (x - shift).exp());
        total.ln() + shift
    }
}

macro_rules! plain_numbers {
    ($([$($generics:tt)*] $T:ty;)*) => { $(
        impl<$($generics)*> Reductions for $T {
            #[inline]
            fn sum_of(x: &[Self]) -> Self {
                plain::sum(x)
            }
            #[inline]
            fn mean_of(x: &[Self]) -> Self {
                plain::mean(x)
            }
            fn variance_of(x: &[Self], degrees: f64) -> Self {
                plain::variance(x, degrees)
            }
            #[inline]
            fn product_of(x: &[Self]) -> Self {
                plain::product(x)
            }
            #[inline]
            fn dot_of(a: &[Self], b: &[Self]) -> Self {
                plain::dot(a, b)
            }
            #[inline]
            fn affine_of(w: &[Self], x: &[Self], b: Self) -> Self {
                plain::dot(w, x) + b
            }
            fn norm2_of(x: &[Self]) -> Self {
                plain::norm2(x)
            }
            fn log_sum_exp_of(x: &[Self]) -> Self {
                plain::log_sum_exp(x)
            }
        }
    )* };
}
plain_numbers! {
    [] f32;
    [] f64;
    [R: Primal, const N: usize] Dual<R, N>;
    [R: Primal, const N: usize] Taylor<R, N>;
}

impl<F: Primal, H: Handle<F>> Reductions for Scalar<F, H> {
    #[inline]
    #[track_caller]
    fn sum_of(x: &[Self]) -> Self {
        <Self as Sum<Self>>::sum(x.iter().copied())
    }

    #[inline]
    #[track_caller]
    fn mean_of(x: &[Self]) -> Self {
        // Division by a constant folds onto the node of the sum.
        let sum = Self::sum_of(x);
        sum / bare(sum.primal().lit(x.len() as f64))
    }

    #[track_caller]
    fn variance_of(x: &[Self], degrees: f64) -> Self {
        H::variance(x, degrees)
    }

    #[track_caller]
    fn product_of(x: &[Self]) -> Self {
        x.iter().copied().product()
    }

    #[inline]
    #[track_caller]
    fn dot_of(a: &[Self], b: &[Self]) -> Self {
        let mut y = F::ZERO;
        for (a, b) in a.iter().zip(b) {
            y += a.primal() * b.primal();
        }
        H::nary(Nary::Dot, a.iter().zip(b).flat_map(|(&a, &b)| [(a, b.primal()), (b, a.primal())]), y)
    }

    #[inline]
    #[track_caller]
    fn affine_of(w: &[Self], x: &[Self], b: Self) -> Self {
        H::affine(w, x, b)
    }

    #[track_caller]
    fn norm2_of(x: &[Self]) -> Self {
        let values: SmallVec<[F; 32]> = x.iter().map(|x| x.primal()).collect();
        let y = F::norm2_of(&values);
        H::nary(Nary::Norm2, x.iter().map(|&x| (x, x.primal().div_or_zero(y))), y)
    }

    #[track_caller]
    fn log_sum_exp_of(x: &[Self]) -> Self {
        let largest = x.iter().fold(x[0].primal(), |largest, x| largest.maximum(x.primal()));
        if !largest.all_finite() {
            // `x - largest` would be NaN. Infinity takes the whole gradient; minus infinity, all of them then, none.
            let share = if largest > F::ZERO { F::ONE } else { largest.mul_zero(F::ZERO) };
            let partial = |x: F| if x == largest { share } else { x.mul_zero(F::ZERO) };
            return H::nary(
                Nary::LogSumExp,
                x.iter().map(|&x| (x, if largest.has_nan() { largest } else { partial(x.primal()) })),
                largest,
            );
        }
        let mut weights: SmallVec<[F; 32]> = x.iter().map(|x| (x.primal() - largest).exp()).collect();
        let mut total = F::ZERO;
        for &weight in &weights {
            total += weight;
        }
        for weight in &mut weights {
            *weight = *weight / total;
        }
        H::nary(Nary::LogSumExp, x.iter().zip(&weights).map(|(&x, &weight)| (x, weight)), total.ln() + largest)
    }
}

/// A constant of no tape: operations with it fold.
fn bare<F: Primal, H: Handle<F>>(value: F) -> Scalar<F, H> {
    Scalar::folded(value, F::ZERO, H::NOWHERE, NOWHERE)
}

/// What [`Handle::variance`] does where a recording must be good at other inputs too: sums of `d_i = x_i - c` about the
/// constant `c` that is the mean now, `(sum d_i^2 - (sum d_i)^2 / n) / degrees`, which is the variance for any `c`.
#[track_caller]
pub(crate) fn variance_by_sums<F: Primal, H: Handle<F>>(x: &[Scalar<F, H>], degrees: f64) -> Scalar<F, H> {
    let values: SmallVec<[F; 32]> = x.iter().map(|x| x.primal()).collect();
    let centre = F::from_base(plain::mean(&values).base());
    let mut moved: SmallVec<[Scalar<F, H>; 32]> = SmallVec::new();
    for &x in x {
        moved.push(x - bare(centre));
    }
    let sum = Scalar::sum_of(&moved);
    let constant = |c: f64| bare(centre.lit(c));
    (Scalar::dot_of(&moved, &moved) - sum * sum / constant(x.len() as f64)) / constant(degrees)
}

/// What [`Handle::variance`] does on a tape: one node.
#[track_caller]
pub(crate) fn variance_as_node<F: Primal, H: Handle<F>>(x: &[Scalar<F, H>], degrees: f64) -> Scalar<F, H> {
    let values: SmallVec<[F; 32]> = x.iter().map(|x| x.primal()).collect();
    let mean = plain::mean(&values);
    let degrees_of = mean.lit(degrees);
    let partial = |x: F| (x - mean + (x - mean)) / degrees_of;
    H::by_partials(x.iter().map(|&x| (x, partial(x.primal()))), plain::variance(&values, degrees))
}

/// What [`Handle::affine`] does on a tape: one node.
#[inline]
#[track_caller]
pub(crate) fn affine_as_node<F: Primal, H: Handle<F>>(
    w: &[Scalar<F, H>],
    x: &[Scalar<F, H>],
    b: Scalar<F, H>,
) -> Scalar<F, H> {
    let mut y = F::ZERO;
    for (w, x) in w.iter().zip(x) {
        y += w.primal() * x.primal();
    }
    let products = w.iter().zip(x).flat_map(|(&w, &x)| [(w, x.primal()), (x, w.primal())]);
    H::by_partials(products.chain([(b, F::ONE)]), y + b.primal())
}
