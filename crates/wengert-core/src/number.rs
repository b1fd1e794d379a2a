//! The numbers of Wengert: what a tape is built over, and what a user's generic function is written over.

use crate::custom::{CustomFn, Entry};
use crate::dual::Dual;
use crate::error::Error;
use crate::reductions::Reductions;
use crate::tape::{Handle, Scalar};
use crate::taylor::Taylor;
use crate::transform::{ScalarFn, gradient};
use core::fmt::{Debug, Display};
use core::iter::{Product, Sum};
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use wengert_kernels::{Constants, Elementary, Float, Par, Unary, elementwise};

/// A number a tape records values, partials and adjoints in: `f32`, `f64`, and [`Dual`](crate::Dual) over either.
///
/// A tape over duals carries tangents through its reverse sweep: that is a Hessian-vector product.
pub trait Primal:
    Reductions + Constants + Debug + Display + PartialEq + PartialOrd + AddAssign + Send + Sync + 'static
{
    /// The float underneath.
    type Base: Float + Elementary;
    /// The tensor half of a tape over this number.
    type Tensors: TensorSide<Self>;

    /// The value without its tangents.
    fn base(self) -> Self::Base;
    /// A constant.
    fn from_base(value: Self::Base) -> Self;
    /// Whether the value and every tangent are 0.
    fn is_zero(self) -> bool;
    /// A product in which zero on either side makes zero, whatever the other is; on duals in every product of
    /// components.
    fn zero_product(self, other: Self) -> Self;
    /// This pending partial times the partial `p` of what comes next: zero on either side makes zero.
    #[doc(hidden)]
    #[inline(always)]
    #[must_use]
    fn onward(self, p: Self) -> Self {
        self.zero_product(p)
    }
    /// Whether the value or a tangent is NaN.
    fn has_nan(self) -> bool;
    /// Whether the value and every tangent are finite.
    fn all_finite(self) -> bool;
    /// `y = op(x)` of many numbers.
    fn unary_of_many(op: Unary, x: &[Self], y: &mut [Self]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = op.eval(x));
    }
    /// `x_bar = y_bar dy/dx` of many numbers, where `y = op(x)`; zero on either side makes zero.
    fn unary_vjp_of_many(op: Unary, x: &[Self], y: &[Self], y_bar: &[Self], x_bar: &mut [Self]) {
        for (((x_bar, &x), &y), &y_bar) in x_bar.iter_mut().zip(x).zip(y).zip(y_bar) {
            *x_bar = op.derivative(x, y).zero_product(y_bar);
        }
    }
}

#[cold]
fn with_care<F: Primal>(partial: F, p: F) -> F {
    partial.zero_product(p)
}

/// What the scalar half of a tape asks of its tensor half.
///
/// Tapes over floats have one ([`Nodes`](crate::Nodes)); a tape over duals has none, `()`.
pub trait TensorSide<F: Primal>: Default {
    /// The adjoints of tensors during a sweep, and of inputs and retained tensors after it.
    type Adjoints: Default + Debug;
    /// Where a sweep may start from, beside scalars.
    type Seed;

    /// Tensor nodes recorded.
    fn count(&self) -> usize;
    /// Forgets all tensor nodes from number `len` on.
    fn truncate(&self, len: usize);
    /// Makes ready for a sweep: no tensor has an adjoint.
    fn start(&self, tensors: &mut Self::Adjoints);
    /// Adds a seed to the adjoint of tensor `number`.
    fn seed(&self, tensors: &mut Self::Adjoints, number: u32, seed: &Self::Seed);
    /// Passes the cotangent of op `number` on to its operands, tensors and scalars. `CAREFUL` multiplies zeros with
    /// care.
    fn pull<const CAREFUL: bool>(&self, number: u32, scalars: &mut [F], tensors: &mut Self::Adjoints);
    /// The name of op `number`.
    fn label(&self, number: u32) -> &'static str;
    /// Whether a NaN reached an input or a retained tensor.
    fn has_nan(&self, tensors: &Self::Adjoints) -> bool;
    /// Gives back what no one can ask for.
    fn finish(&self, tensors: &mut Self::Adjoints);
    /// Whether sweeps are watched for numbers that are not finite. They multiply with care from the start then, so that
    /// what is found is of the program's making and not of the optimistic sweep's.
    fn is_watched(&self) -> bool {
        false
    }
    /// Looks through the adjoints that a watched sweep leaves; `place` says how many scalar nodes precede a tensor op.
    fn watch_adjoints(&self, _scalars: &[F], _tensors: &Self::Adjoints, _place: impl Fn(u32) -> usize) {}
    /// Adds the adjoints of the inputs of another recording of the same program, in order.
    ///
    /// # Errors
    /// [`Error::Unlike`] if they do not correspond, [`Error::Shape`] if there is no memory; `sum` is unchanged then.
    #[track_caller]
    fn add_adjoints(sum: &mut Self::Adjoints, other: &Self::Adjoints) -> Result<(), Error>;
    /// Multiplies the adjoints by a number, for the user's `op`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no memory; nothing is changed then.
    #[track_caller]
    fn scale_adjoints(tensors: &mut Self::Adjoints, op: &'static str, factor: F) -> Result<(), Error>;
    /// The Euclidean norm of the inputs' adjoints.
    fn norm_of_adjoints(tensors: &Self::Adjoints) -> F;
}

impl<F: Primal> TensorSide<F> for () {
    type Adjoints = ();
    type Seed = ();

    fn count(&self) -> usize {
        0
    }
    fn truncate(&self, _len: usize) {}
    fn start(&self, (): &mut ()) {}
    fn seed(&self, (): &mut (), _number: u32, (): &()) {}
    fn pull<const CAREFUL: bool>(&self, _number: u32, _scalars: &mut [F], (): &mut ()) {}
    fn label(&self, _number: u32) -> &'static str {
        unreachable!("a tape over duals has no tensors")
    }
    fn has_nan(&self, (): &()) -> bool {
        false
    }
    fn finish(&self, (): &mut ()) {}
    fn add_adjoints((): &mut (), (): &()) -> Result<(), Error> {
        Ok(())
    }
    fn scale_adjoints((): &mut (), _op: &'static str, _factor: F) -> Result<(), Error> {
        Ok(())
    }
    fn norm_of_adjoints((): &()) -> F {
        F::ZERO
    }
}

macro_rules! primal_float {
    ($($f:ident)*) => { $(
        impl Primal for $f {
            type Base = $f;
            type Tensors = crate::tensor::Nodes<$f>;

            #[inline(always)]
            fn base(self) -> $f {
                self
            }
            #[inline(always)]
            fn from_base(value: $f) -> $f {
                value
            }
            #[inline(always)]
            fn is_zero(self) -> bool {
                self == 0.0
            }
            #[inline(always)]
            fn zero_product(self, other: $f) -> $f {
                let product = self * other;
                if self == 0.0 || other == 0.0 { 0.0 } else { product }
            }
            #[inline(always)]
            fn onward(self, p: $f) -> $f {
                // Zero can only make NaN where the other is not finite: a branch that is hardly ever taken, where two
                // selects made recording Rosenbrock's function 10 % longer.
                let product = self * p;
                if product.is_nan() { with_care(self, p) } else { product }
            }
            #[inline(always)]
            fn has_nan(self) -> bool {
                self.is_nan()
            }
            #[inline(always)]
            fn all_finite(self) -> bool {
                self.is_finite()
            }
            fn unary_of_many(op: Unary, x: &[$f], y: &mut [$f]) {
                elementwise::unary(op, x, y, Par::SEQUENTIAL);
            }
            fn unary_vjp_of_many(op: Unary, x: &[$f], y: &[$f], y_bar: &[$f], x_bar: &mut [$f]) {
                elementwise::unary_vjp(op, x, y, y_bar, x_bar, Par::SEQUENTIAL);
            }
        }
    )* };
}
primal_float!(f32 f64);

/// What a user's generic function is written over: plain floats, duals and variables alike.
///
/// `B` is the type of literals: `Number` alone means constants are `f64`; for single precision write `Number<f32>`.
/// Write a constant on the right of an operator (`x * 100.0`), or through `T::from(100.0)`: the mirrored bound cannot
/// be implied.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// fn rosenbrock<T: Number>(x: &[T]) -> T {
///     (x[0] - 1.0).square() + (x[1] - x[0] * x[0]).square() * 100.0
/// }
/// assert_eq!(rosenbrock(&[1.5, -0.5]), 756.5);
/// let (value, gradient) = value_and_grad(|x| rosenbrock(x), &[1.5, -0.5]);
/// assert_eq!((value, gradient), (756.5, vec![1651.0, -550.0]));
/// ```
pub trait Number<B = f64>:
    Reductions
    + Debug
    + Display
    + PartialEq
    + PartialOrd
    + From<B>
    + Neg<Output = Self>
    + Add<B, Output = Self>
    + Sub<B, Output = Self>
    + Mul<B, Output = Self>
    + Div<B, Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
    + for<'a> Sum<&'a Self>
    + Product
    + for<'a> Product<&'a Self>
{
    /// The value as a plain float, to print. No derivative passes through it.
    ///
    /// To branch, compare the number itself (`x < 0.0`): a recorded [`Function`](crate::Function) notices when such a
    /// comparison would turn out otherwise in a replay, while a value read here is a constant to it.
    fn value(self) -> B;

    /// The gradient of `f` at `x`, in numbers of this kind: what [`Grad`](crate::transform::Grad) is made of.
    #[doc(hidden)]
    #[track_caller]
    fn gradient_of<S: ScalarFn<B>>(f: &S, x: &[Self]) -> Vec<Self>;

    /// A function with a derivative of the user's; called as [`CustomFn::call`].
    #[doc(hidden)]
    #[track_caller]
    fn apply_custom<const N: usize>(rule: &impl CustomFn<N, B>, x: [Self; N]) -> Self;

    /// A function of many results that is one entry of a recording; called by what makes such functions.
    #[doc(hidden)]
    #[track_caller]
    fn apply_entry<E: Entry<B>>(function: E, x: &[Self]) -> Vec<Self>;
}

/// What floats, duals and series share, which are recorded nowhere.
macro_rules! of_the_unrecorded {
    ($B:ident) => {
        #[inline(always)]
        fn value(self) -> $B {
            self.base()
        }
        fn gradient_of<S: ScalarFn<$B>>(f: &S, x: &[Self]) -> Vec<Self> {
            gradient::by_reverse(f, x)
        }
    };
}

macro_rules! number {
    ($($B:ident)*) => { $(
        impl Number<$B> for $B {
            of_the_unrecorded!($B);
            #[inline]
            fn apply_custom<const N: usize>(rule: &impl CustomFn<N, $B>, x: [Self; N]) -> Self {
                rule.value(x)
            }
            fn apply_entry<E: Entry<$B>>(function: E, x: &[Self]) -> Vec<Self> {
                function.value(x)
            }
        }
        impl<R: Primal<Base = $B> + Number<$B>, const N: usize> Number<$B> for Dual<R, N> {
            of_the_unrecorded!($B);
            #[inline]
            fn apply_custom<const M: usize>(rule: &impl CustomFn<M, $B>, x: [Self; M]) -> Self {
                let values = x.map(|x| x.value);
                let y = R::apply_custom(rule, values);
                let partials = rule.partials(values, y);
                let tangent = |k: usize| {
                    x.iter().zip(partials).fold(R::ZERO, |sum, (x, p)| sum + p.zero_product(x.tangents[k]))
                };
                Dual { value: y, tangents: core::array::from_fn(tangent) }
            }
            fn apply_entry<E: Entry<$B>>(function: E, x: &[Self]) -> Vec<Self> {
                function.tangents(x)
            }
        }
        impl<R: Primal<Base = $B> + Number<$B>, const N: usize> Number<$B> for Taylor<R, N> {
            of_the_unrecorded!($B);
            #[inline]
            fn apply_custom<const M: usize>(rule: &impl CustomFn<M, $B>, x: [Self; M]) -> Self {
                let y = R::apply_custom(rule, x.map(|x| x.coefficients()[0]));
                Self::by_partials(y, &x, |y| rule.partials(x, y).into_iter().collect())
            }
            fn apply_entry<E: Entry<$B>>(function: E, x: &[Self]) -> Vec<Self> {
                let values: Vec<R> = x.iter().map(|x| x.coefficients()[0]).collect();
                let y = R::apply_entry(function.clone(), &values);
                Self::by_pushforward(&y, x, |y, x_dot| function.jvp(x, y, x_dot))
            }
        }
        impl<F: Primal<Base = $B> + Number<$B>, H: Handle<F>> Number<$B> for Scalar<F, H> {
            #[inline(always)]
            fn value(self) -> $B {
                self.primal().base()
            }
            #[track_caller]
            fn gradient_of<S: ScalarFn<$B>>(f: &S, x: &[Self]) -> Vec<Self> {
                gradient::as_nodes(f, x)
            }
            #[inline]
            #[track_caller]
            fn apply_custom<const N: usize>(rule: &impl CustomFn<N, $B>, x: [Self; N]) -> Self {
                let values = x.map(Scalar::primal);
                let y = F::apply_custom(rule, values);
                H::custom(x, y, rule.partials(values, y))
            }
            #[track_caller]
            fn apply_entry<E: Entry<$B>>(function: E, x: &[Self]) -> Vec<Self> {
                let values: Vec<F> = x.iter().map(|x| x.primal()).collect();
                if x.iter().all(|x| x.is_constant()) {
                    return F::apply_entry(function, &values).into_iter().map(Scalar::nowhere).collect();
                }
                if H::REPLAYED {
                    if let Some(y) = function.operations(x) {
                        return y;
                    }
                    H::refuse(x, E::AT_ONE_POINT);
                }
                let (y, pullback) = function.record(values);
                H::many(x, y, pullback)
            }
        }
    )* };
}
number!(f32 f64);
