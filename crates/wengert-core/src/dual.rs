//! Forward mode: numbers that carry tangents.

use crate::number::Primal;
use core::ops::{Add, Div, Mul, Neg, Sub};
use wengert_kernels::{
    BinaryFunctions, Constants, Elementary, ParametricFunctions, UnaryFunctions, binary_table, derivative,
    parametric_table, unary_table,
};

/// A value with `N` tangents: `x + x_dot_1 e_1 + .. + x_dot_N e_N` with `e_i e_j = 0`.
///
/// Any function written over [`Number`](crate::Number) evaluates on it and gives `N` directional derivatives. Nested
/// (`Dual<Dual<f64, 1>, 1>`) it gives second derivatives; under a tape (`Tape<Dual<f64, 1>>`) Hessian-vector products.
///
/// A tangent that is zero stays zero through every function, even where the slope is infinite.
///
/// Source: Griewank and Walther, *Evaluating Derivatives*, 2008, section 3.1.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
///
/// let x = Dual::variable(2.0_f64);
/// let y = x * x * 3.0 + x.sin();
/// assert_eq!(y.tangents, [12.0 + 2.0_f64.cos()]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dual<R, const N: usize> {
    /// The value.
    pub value: R,
    /// The tangents.
    pub tangents: [R; N],
}

impl<R: Primal> Dual<R, 1> {
    /// The number `x` moving with speed 1.
    #[inline(always)]
    pub fn variable(x: R) -> Self {
        Dual { value: x, tangents: [R::ONE] }
    }
}

impl<R: Primal, const N: usize> Dual<R, N> {
    /// A number that does not move.
    #[inline(always)]
    pub fn constant(value: R) -> Self {
        Dual { value, tangents: [R::ZERO; N] }
    }

    /// Input number `k` where the directions `first..first + N` are taken.
    #[inline(always)]
    pub(crate) fn moving(value: R, first: usize, k: usize) -> Self {
        Dual { value, tangents: core::array::from_fn(|lane| if first + lane == k { R::ONE } else { R::ZERO }) }
    }

    /// The numbers `x`, each moving in a direction of its own: what a closure must be run on to get all its partials.
    #[inline(always)]
    pub fn independent(x: [R; N]) -> [Self; N] {
        core::array::from_fn(|k| {
            let mut tangents = [R::ZERO; N];
            tangents[k] = R::ONE;
            Dual { value: x[k], tangents }
        })
    }

    /// `y` with tangents `p x_dot`: the chain rule for one argument. Zero on either side makes zero: an infinite slope
    /// in one variable does not make NaN of the others', nor does what a later function ignores.
    #[inline(always)]
    fn chain(self, y: R, p: R) -> Self {
        Dual { value: y, tangents: self.tangents.map(|x_dot| p.zero_product(x_dot)) }
    }

    /// `y` with tangents `p a_dot + q b_dot`, zeros kept.
    #[inline(always)]
    fn chain2(self, other: Self, y: R, p: R, q: R) -> Self {
        let tangents = core::array::from_fn(|k| p.zero_product(self.tangents[k]) + q.zero_product(other.tangents[k]));
        Dual { value: y, tangents }
    }
}

macro_rules! unary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($body:tt)* } )*) => {
        impl<R: Primal, const N: usize> UnaryFunctions for Dual<R, N> {
            $(
                #[inline]
                fn $method(self) -> Self {
                    let y = self.value.$method();
                    self.chain(y, derivative::$method(self.value, y))
                }
            )*
        }
    };
}
unary_table!(unary_methods);

macro_rules! binary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) { $($body:tt)* } )*) => {
        impl<R: Primal, const N: usize> BinaryFunctions for Dual<R, N> {
            $(
                #[inline]
                fn $method(self, $b: Self) -> Self {
                    let y = self.value.$method($b.value);
                    let (p, q) = derivative::$method(self.value, $b.value, y);
                    self.chain2($b, y, p, q)
                }
            )*
        }
    };
}
binary_table!(binary_methods);

macro_rules! parametric_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) { $($body:tt)* } )*) => {
        impl<R: Primal, const N: usize> ParametricFunctions for Dual<R, N> {
            $(
                #[inline]
                #[track_caller]
                fn $method(self, $($p: $P),*) -> Self {
                    let y = self.value.$method($($p),*);
                    self.chain(y, derivative::$method(self.value, y, $($p),*))
                }
            )*
        }
    };
}
parametric_table!(parametric_methods);

impl<R: Primal, const N: usize> Elementary for Dual<R, N> {
    #[inline(always)]
    fn lit(self, c: f64) -> Self {
        Dual::constant(self.value.lit(c))
    }
    #[inline(always)]
    fn scaled(self, c: f64) -> Self {
        let scaled = |x_dot: R| x_dot.zero_product(x_dot.lit(c));
        Dual { value: self.value.scaled(c), tangents: self.tangents.map(scaled) }
    }
    #[inline(always)]
    fn sin_cos(self) -> (Self, Self) {
        let (sin, cos) = self.value.sin_cos();
        (self.chain(sin, cos), self.chain(cos, -sin))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Dual { value: self.value.mul_add(b.value, c.value), tangents: (self * b + c).tangents }
    }
}

impl<R: Primal, const N: usize> Constants for Dual<R, N> {
    const ZERO: Self = Dual { value: R::ZERO, tangents: [R::ZERO; N] };
    const ONE: Self = Dual { value: R::ONE, tangents: [R::ZERO; N] };
}

impl<R: Primal, const N: usize> Primal for Dual<R, N> {
    type Base = R::Base;
    type Tensors = ();

    #[inline(always)]
    fn base(self) -> R::Base {
        self.value.base()
    }
    #[inline(always)]
    fn from_base(value: R::Base) -> Self {
        Dual::constant(R::from_base(value))
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.value.is_zero() && self.tangents.iter().all(|x_dot| x_dot.is_zero())
    }
    #[inline(always)]
    fn zero_product(self, other: Self) -> Self {
        let tangents = core::array::from_fn(|k| {
            self.tangents[k].zero_product(other.value) + self.value.zero_product(other.tangents[k])
        });
        Dual { value: self.value.zero_product(other.value), tangents }
    }
    #[inline(always)]
    fn has_nan(self) -> bool {
        self.value.has_nan() || self.tangents.iter().any(|x_dot| x_dot.has_nan())
    }
    #[inline(always)]
    fn all_finite(self) -> bool {
        self.value.all_finite() && self.tangents.iter().all(|x_dot| x_dot.all_finite())
    }
}

// Arithmetic multiplies tangents plainly: only rows and division can have an infinite partial at a finite value, and
// the select of the zero rule costs Hessian-vector products up to 17 % here.
impl<R: Primal, const N: usize> Neg for Dual<R, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Dual { value: -self.value, tangents: self.tangents.map(|x_dot| -x_dot) }
    }
}
impl<R: Primal, const N: usize> Add for Dual<R, N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let tangents = core::array::from_fn(|k| self.tangents[k] + other.tangents[k]);
        Dual { value: self.value + other.value, tangents }
    }
}
impl<R: Primal, const N: usize> Sub for Dual<R, N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let tangents = core::array::from_fn(|k| self.tangents[k] - other.tangents[k]);
        Dual { value: self.value - other.value, tangents }
    }
}
impl<R: Primal, const N: usize> Mul for Dual<R, N> {
    type Output = Self;
    #[inline(always)]
    #[expect(clippy::suspicious_arithmetic_impl, reason = "the product rule is a sum")]
    fn mul(self, other: Self) -> Self {
        let tangents = core::array::from_fn(|k| self.tangents[k] * other.value + self.value * other.tangents[k]);
        Dual { value: self.value * other.value, tangents }
    }
}
impl<R: Primal, const N: usize> Div for Dual<R, N> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let y = self.value / other.value;
        let (p, q) = derivative::over(self.value, other.value, y);
        self.chain2(other, y, p, q)
    }
}

macro_rules! with_constants {
    ($($B:ident)*) => { $(
        impl<R: Primal<Base = $B>, const N: usize> From<$B> for Dual<R, N> {
            #[inline(always)]
            fn from(value: $B) -> Self {
                Self::from_base(value)
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Add<$B> for Dual<R, N> {
            type Output = Self;
            #[inline(always)]
            fn add(self, c: $B) -> Self {
                Dual { value: self.value + R::from_base(c), ..self }
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Sub<$B> for Dual<R, N> {
            type Output = Self;
            #[inline(always)]
            fn sub(self, c: $B) -> Self {
                Dual { value: self.value - R::from_base(c), ..self }
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Mul<$B> for Dual<R, N> {
            type Output = Self;
            #[inline(always)]
            fn mul(self, c: $B) -> Self {
                self.scaled(f64::from(c))
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Div<$B> for Dual<R, N> {
            type Output = Self;
            #[inline(always)]
            fn div(self, c: $B) -> Self {
                let c = R::from_base(c);
                self.chain(self.value / c, c.recip())
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Add<Dual<R, N>> for $B {
            type Output = Dual<R, N>;
            #[inline(always)]
            fn add(self, x: Dual<R, N>) -> Dual<R, N> {
                x + self
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Sub<Dual<R, N>> for $B {
            type Output = Dual<R, N>;
            #[inline(always)]
            fn sub(self, x: Dual<R, N>) -> Dual<R, N> {
                -x + self
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Mul<Dual<R, N>> for $B {
            type Output = Dual<R, N>;
            #[inline(always)]
            fn mul(self, x: Dual<R, N>) -> Dual<R, N> {
                x * self
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Div<Dual<R, N>> for $B {
            type Output = Dual<R, N>;
            #[inline(always)]
            fn div(self, x: Dual<R, N>) -> Dual<R, N> {
                Dual::from(self) / x
            }
        }
    )* };
}
with_constants!(f32 f64);
