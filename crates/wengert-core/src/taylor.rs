//! Truncated power series: derivatives of any order along one direction.

use crate::number::Primal;
use core::ops::{Add, Div, Mul, Neg, Sub};
use wengert_kernels::{
    Binary, BinaryFunctions, Constants, Elementary, Parametric, ParametricFunctions, Unary, UnaryFunctions,
    binary_table, derivative, parametric_table, unary_table,
};

/// A power series in `t`, cut off after `N` coefficients: `x(t) = x_0 + x_1 t + .. + x_(N-1) t^(N-1)`.
///
/// Any function written over [`Number`](crate::Number) evaluates on it, and turns the series of its arguments into that
/// of its result: `x_k = x^(k)(0) / k!`. [`taylor`](crate::transform::taylor) does this along a direction.
///
/// Formula: for `y = f(x)`, `y' = f'(x) x'`, so `k y_k = sum_(j=1..k) j x_j p_(k-j)` where `p` is the series of
/// `f'(x)`, which needs one coefficient less. Functions whose derivative needs their own result, or another function,
/// recurse at most `N` deep; products and quotients cost `N^2 / 2` multiplications.
///
/// Source: Griewank and Walther, *Evaluating Derivatives*, 2008, section 13.2.
///
/// # Examples
/// ```
/// use wengert_core::prelude::*;
/// use wengert_core::Taylor;
///
/// // exp(2t) = 1 + 2t + 2t^2 + 4/3 t^3 + ..
/// let x = Taylor::<f64, 4>::along(0.0, 2.0);
/// assert_eq!(x.exp().coefficients(), [1.0, 2.0, 2.0, 4.0 / 3.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Taylor<R, const N: usize> {
    coefficients: [R; N],
    /// How many coefficients are known: a derivative is asked for with one less than its function. The rest are 0.
    known: usize,
}

impl<R: Primal, const N: usize> Taylor<R, N> {
    const SOME: () = assert!(N > 0, "a series needs at least one coefficient");

    /// The series with these coefficients.
    #[inline]
    pub fn new(coefficients: [R; N]) -> Self {
        let () = Self::SOME;
        Taylor { coefficients, known: N }
    }

    /// `x + v t`: the number `x` moving with speed `v`.
    #[inline]
    pub fn along(x: R, v: R) -> Self {
        let mut coefficients = [R::ZERO; N];
        coefficients[0] = x;
        if N > 1 {
            coefficients[1] = v;
        }
        Self::new(coefficients)
    }

    /// A number that does not move.
    #[inline]
    pub fn constant(x: R) -> Self {
        Self::along(x, R::ZERO)
    }

    /// The coefficients, lowest order first.
    #[inline]
    pub fn coefficients(self) -> [R; N] {
        self.coefficients
    }

    /// The derivatives of order 0 to `N - 1` at `t = 0`: the coefficients times factorials.
    #[inline]
    pub fn derivatives(self) -> [R; N] {
        let mut factorial = R::ONE;
        core::array::from_fn(|k| {
            if k > 0 {
                factorial = factorial * factorial.lit(k as f64);
            }
            self.coefficients[k] * factorial
        })
    }

    /// The first `known` coefficients.
    fn cut(mut self, known: usize) -> Self {
        if known < self.known {
            self.known = known;
            self.coefficients[known..].fill(R::ZERO);
        }
        self
    }

    /// `y` with `y_0` given and `y' = sum_i p_i x_i'`, where the `p` know one coefficient less than the `x`. Zero on
    /// either side of a product makes zero, as on duals.
    fn integral(y_0: R, known: usize, terms: &[(Self, Self)]) -> Self {
        let mut y = [R::ZERO; N];
        y[0] = y_0;
        for (k, y) in y.iter_mut().enumerate().take(known).skip(1) {
            let mut sum = R::ZERO;
            for (p, x) in terms {
                for j in 1..=k {
                    sum += p.coefficients[k - j].zero_product(x.coefficients[j] * x.coefficients[j].lit(j as f64));
                }
            }
            *y = sum / sum.lit(k as f64);
        }
        Taylor { coefficients: y, known }
    }

    /// The function of `x` with value `y_0` whose partials at the result `y` are `partials(y)`: a rule of the user's,
    /// whose partials may read the result. Each turn knows one coefficient more.
    pub(crate) fn by_partials(y_0: R, x: &[Self], partials: impl Fn(Self) -> smallvec::SmallVec<[Self; 4]>) -> Self {
        let known = x.iter().map(|x| x.known).min().unwrap_or(N);
        let mut y = Self::constant(y_0);
        for k in 2..=known {
            let terms: smallvec::SmallVec<[(Self, Self); 4]> = partials(y).into_iter().zip(x.iter().copied()).collect();
            y = Self::integral(y_0, k, &terms);
            y.known = known;
        }
        y.cut(known)
    }

    /// The same for many results, given by how `x_dot` moves them: `jvp(y, x_dot)`.
    pub(crate) fn by_pushforward(y_0: &[R], x: &[Self], jvp: impl Fn(&[Self], &[Self]) -> Vec<Self>) -> Vec<Self> {
        let known = x.iter().map(|x| x.known).min().unwrap_or(N);
        let x_dot: Vec<Self> = x.iter().map(|x| x.slope()).collect();
        let mut y: Vec<Self> = y_0.iter().map(|&y| Self::constant(y)).collect();
        for _ in 1..known {
            let y_dot = jvp(&y, &x_dot);
            for ((y, y_dot), &y_0) in y.iter_mut().zip(y_dot).zip(y_0) {
                let coefficients = core::array::from_fn(|k| match k {
                    0 => y_0,
                    _ if k < known => y_dot.coefficients[k - 1] / y_0.lit(k as f64),
                    _ => R::ZERO,
                });
                *y = Taylor { coefficients, known };
            }
        }
        y.into_iter().map(|y| y.cut(known)).collect()
    }

    /// The series of the derivative by `t`, the last coefficient unknown and 0.
    fn slope(self) -> Self {
        let next = |k: usize| self.coefficients.get(k + 1).map_or(R::ZERO, |&x| x * x.lit((k + 1) as f64));
        Taylor { coefficients: core::array::from_fn(next), known: self.known }
    }

    /// Applies `f` with the derivative `d(x, y)`, which reads `y` only if `keeps_result`.
    #[inline]
    fn unary(self, f: impl Fn(R) -> R, again: fn(Self) -> Self, d: fn(Self, Self) -> Self, keeps_result: bool) -> Self {
        let y_0 = f(self.coefficients[0]);
        if self.known <= 1 {
            return Taylor { coefficients: Self::constant(y_0).coefficients, known: self.known };
        }
        let x = self.cut(self.known - 1);
        let p = if keeps_result { d(x, again(x)) } else { d(x, x) };
        Self::integral(y_0, self.known, &[(p, self)])
    }
}

macro_rules! unary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) { $($body:tt)* } )*) => {
        impl<R: Primal, const N: usize> UnaryFunctions for Taylor<R, N> {
            $(
                fn $method(self) -> Self {
                    self.unary(R::$method, Self::$method, derivative::$method, Unary::$Op.keeps_result())
                }
            )*
        }
    };
}
unary_table!(unary_methods);

macro_rules! binary_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) { $($body:tt)* } )*) => {
        impl<R: Primal, const N: usize> BinaryFunctions for Taylor<R, N> {
            $(
                fn $method(self, $b: Self) -> Self {
                    match Binary::$Op {
                        Binary::Add => self + $b,
                        Binary::Sub => self - $b,
                        Binary::Mul => self * $b,
                        Binary::Div => self / $b,
                        _ => {
                            let y_0 = self.coefficients[0].$method($b.coefficients[0]);
                            let known = self.known.min($b.known);
                            if known <= 1 {
                                return Taylor { coefficients: Self::constant(y_0).coefficients, known };
                            }
                            let (a, b) = (self.cut(known - 1), $b.cut(known - 1));
                            let (p, q) = derivative::$method(a, b, a.$method(b));
                            Self::integral(y_0, known, &[(p, self), (q, $b)])
                        }
                    }
                }
            )*
        }
    };
}
binary_table!(binary_methods);

macro_rules! parametric_methods {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) { $($body:tt)* } )*) => {
        impl<R: Primal, const N: usize> ParametricFunctions for Taylor<R, N> {
            $(
                #[track_caller]
                fn $method(self, $($p: $P),*) -> Self {
                    let y_0 = self.coefficients[0].$method($($p),*);
                    if self.known <= 1 {
                        return Taylor { coefficients: Self::constant(y_0).coefficients, known: self.known };
                    }
                    let x = self.cut(self.known - 1);
                    let keeps_result = Parametric::$Op($($p),*).keeps_result();
                    let p = derivative::$method(x, if keeps_result { x.$method($($p),*) } else { x }, $($p),*);
                    Self::integral(y_0, self.known, &[(p, self)])
                }
            )*
        }
    };
}
parametric_table!(parametric_methods);

impl<R: Primal, const N: usize> Elementary for Taylor<R, N> {
    #[inline]
    fn lit(self, c: f64) -> Self {
        Self::constant(self.coefficients[0].lit(c))
    }
    #[inline]
    fn scaled(self, c: f64) -> Self {
        let mut y = self.coefficients.map(|x| x.zero_product(x.lit(c)));
        y[0] = self.coefficients[0].scaled(c);
        Taylor { coefficients: y, ..self }
    }
}

impl<R: Primal, const N: usize> Constants for Taylor<R, N> {
    const ZERO: Self = Taylor { coefficients: [R::ZERO; N], known: N };
    const ONE: Self = {
        let mut coefficients = [R::ZERO; N];
        coefficients[0] = R::ONE;
        Taylor { coefficients, known: N }
    };
}

impl<R: Primal, const N: usize> Primal for Taylor<R, N> {
    type Base = R::Base;
    type Tensors = ();

    #[inline]
    fn base(self) -> R::Base {
        self.coefficients[0].base()
    }
    #[inline]
    fn from_base(value: R::Base) -> Self {
        Self::constant(R::from_base(value))
    }
    #[inline]
    fn is_zero(self) -> bool {
        self.coefficients.iter().all(|x| x.is_zero())
    }
    fn zero_product(self, other: Self) -> Self {
        self.product_by(other, R::zero_product)
    }
    #[inline]
    fn has_nan(self) -> bool {
        self.coefficients.iter().any(|x| x.has_nan())
    }
    #[inline]
    fn all_finite(self) -> bool {
        self.coefficients.iter().all(|x| x.all_finite())
    }
}

impl<R: Primal, const N: usize> Taylor<R, N> {
    /// The product of two series, Cauchy's, with the product of coefficients given.
    #[inline]
    fn product_by(self, other: Self, multiply: impl Fn(R, R) -> R) -> Self {
        let known = self.known.min(other.known);
        let mut y = [R::ZERO; N];
        for (k, y) in y.iter_mut().enumerate().take(known) {
            let mut sum = multiply(self.coefficients[0], other.coefficients[k]);
            for j in 1..=k {
                sum += multiply(self.coefficients[j], other.coefficients[k - j]);
            }
            *y = sum;
        }
        Taylor { coefficients: y, known }
    }

    #[inline]
    fn each(self, other: Self, f: impl Fn(R, R) -> R) -> Self {
        let coefficients = core::array::from_fn(|k| f(self.coefficients[k], other.coefficients[k]));
        Taylor { coefficients, known: self.known }.cut(other.known)
    }
}

impl<R: Primal, const N: usize> Neg for Taylor<R, N> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Taylor { coefficients: self.coefficients.map(|x| -x), ..self }
    }
}
impl<R: Primal, const N: usize> Add for Taylor<R, N> {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        self.each(other, |a, b| a + b)
    }
}
impl<R: Primal, const N: usize> Sub for Taylor<R, N> {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        self.each(other, |a, b| a - b)
    }
}
impl<R: Primal, const N: usize> Mul for Taylor<R, N> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        self.product_by(other, |a, b| a * b)
    }
}
impl<R: Primal, const N: usize> Div for Taylor<R, N> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let known = self.known.min(other.known);
        let mut y = [R::ZERO; N];
        y[0] = self.coefficients[0] / other.coefficients[0];
        for k in 1..known {
            let mut rest = self.coefficients[k];
            for j in 1..=k {
                rest = rest - other.coefficients[j].zero_product(y[k - j]);
            }
            y[k] = if rest.is_zero() { R::ZERO } else { rest / other.coefficients[0] };
        }
        Taylor { coefficients: y, known }
    }
}

macro_rules! with_constants {
    ($($B:ident)*) => { $(
        impl<R: Primal<Base = $B>, const N: usize> From<$B> for Taylor<R, N> {
            #[inline]
            fn from(value: $B) -> Self {
                Self::from_base(value)
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Mul<$B> for Taylor<R, N> {
            type Output = Self;
            #[inline]
            fn mul(self, c: $B) -> Self {
                self.scaled(f64::from(c))
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> Mul<Taylor<R, N>> for $B {
            type Output = Taylor<R, N>;
            #[inline]
            fn mul(self, x: Taylor<R, N>) -> Taylor<R, N> {
                x * self
            }
        }
        with_constants!(@ $B Add add Sub sub Div div);
    )* };
    (@ $B:ident $($Op:ident $op:ident)*) => { $(
        impl<R: Primal<Base = $B>, const N: usize> $Op<$B> for Taylor<R, N> {
            type Output = Self;
            #[inline]
            fn $op(self, c: $B) -> Self {
                $Op::$op(self, Self::from(c))
            }
        }
        impl<R: Primal<Base = $B>, const N: usize> $Op<Taylor<R, N>> for $B {
            type Output = Taylor<R, N>;
            #[inline]
            fn $op(self, x: Taylor<R, N>) -> Taylor<R, N> {
                $Op::$op(Taylor::from(self), x)
            }
        }
    )* };
}
with_constants!(f32 f64);
