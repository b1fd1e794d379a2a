//! The one list of elementary functions.
//!
//! A row is written once, here. From it come the opcode, the method on every number ([`Elementary`]), the derivative at
//! every order ([`derivative`]), the vector loops of [`crate::elementwise`], and, in the crates to the right, the methods
//! of tensors and variables and the tests that walk the table. [`unary_table!`](crate::unary_table) and
//! [`binary_table!`](crate::binary_table) hand the rows to a callback macro.
//!
//! # How to read a row
//!
//! ```text
//! Tanh: tanh(x) {                  opcode, method, argument
//!     value x.tanh();              the function on `f32` and `f64`
//!     d(x) ...;                    dy/dx, from what it names: d(x), d(y), d(x, y) or d()
//!     on -3.0..3.0;                where finite differences are trustworthy
//! }
//! ```
//!
//! A derivative is an expression in `+ - * /`, [`lit`](Elementary::lit) and other rows, generic in the number: evaluated
//! on floats it is the partial, on duals the partial and its tangents, on tensor variables it records ops. So it can be
//! differentiated again, and it contains no branch: what selects (a kink, a tie, a pole) is a row of its own with a
//! derivative of its own. To add an elementary function, add a row and its reference values.

use crate::Float;
use crate::math;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// Hands the unary rows to the macro named, preceded by whatever tokens follow the name.
#[macro_export]
macro_rules! unary_table {
    ($callback:path $(, $($extra:tt)*)?) => { $callback! { $($($extra)*)?
        /// Negation, `y = -x`; `dy/dx = -1`.
        Neg: negated(x) {
            value -x;
            d(x) x.lit(-1.0);
            on -2.0..2.0;
        }
        /// Reciprocal, `y = 1/x`; `dy/dx = -y^2`.
        Recip: recip(x) {
            value 1.0 / x;
            d(y) -(y * y);
            on 0.5..3.0;
        }
        /// Square root; `dy/dx = 1/(2y)`, infinite at 0, the true limit.
        Sqrt: sqrt(x) {
            value x.sqrt();
            d(y) (y + y).recip();
            on 0.5..4.0;
        }
        /// Cube root, defined for negative numbers too; `dy/dx = 1/(3y^2)`, infinite at 0.
        Cbrt: cbrt(x) {
            value x.cbrt();
            d(y) (y * y * y.lit(3.0)).recip();
            on 0.5..4.0;
        }
        /// Square, `y = x^2`; `dy/dx = 2x`.
        Square: square(x) {
            value x * x;
            d(x) x + x;
            on -2.0..2.0;
        }
        /// Natural exponential; `dy/dx = y`.
        Exp: exp(x) {
            value x.exp();
            d(y) y;
            on -2.0..2.0;
        }
        /// `exp(x) - 1`, exact near 0; `dy/dx = exp(x)`.
        ///
        /// `y + 1` would be the same on paper and has no digit left at -37.
        ExpM1: exp_m1(x) {
            value x.exp_m1();
            d(x) x.exp();
            on -2.0..2.0;
        }
        /// Natural logarithm; `dy/dx = 1/x`. At 0 it is `-inf` with an infinite slope, below 0 NaN with a NaN slope.
        Ln: ln(x) {
            value x.ln();
            d(x) x.non_negative().recip();
            on 0.5..4.0;
        }
        /// `ln(1 + x)`, exact near 0; `dy/dx = 1/(1 + x)`.
        Ln1p: ln_1p(x) {
            value x.ln_1p();
            d(x) (x + x.lit(1.0)).non_negative().recip();
            on -0.5..3.0;
        }
        /// Logarithm to base 2; `dy/dx = 1/(x ln 2)`.
        Log2: log2(x) {
            value x.log2();
            d(x) x.non_negative().recip() * x.lit(core::f64::consts::LOG2_E);
            on 0.5..4.0;
        }
        /// Logarithm to base 10; `dy/dx = 1/(x ln 10)`.
        Log10: log10(x) {
            value x.log10();
            d(x) x.non_negative().recip() * x.lit(core::f64::consts::LOG10_E);
            on 0.5..4.0;
        }
        /// Sine of an angle in radians; `dy/dx = cos x`.
        Sin: sin(x) {
            value x.sin();
            d(x) x.cos();
            on -3.0..3.0;
        }
        /// Cosine of an angle in radians; `dy/dx = -sin x`.
        Cos: cos(x) {
            value x.cos();
            d(x) -x.sin();
            on -3.0..3.0;
        }
        /// Tangent of an angle in radians; `dy/dx = 1 + y^2`.
        Tan: tan(x) {
            value x.tan();
            d(y) y * y + y.lit(1.0);
            on -1.2..1.2;
        }
        /// Arc sine; `dy/dx = 1/sqrt((1 - x)(1 + x))`, infinite at the ends.
        ///
        /// See `one_minus_square` for why the product is a row of its own.
        Asin: asin(x) {
            value x.asin();
            d(x) x.one_minus_square().sqrt().recip();
            on -0.8..0.8;
        }
        /// Arc cosine; `dy/dx = -1/sqrt((1 - x)(1 + x))`.
        Acos: acos(x) {
            value x.acos();
            d(x) -x.one_minus_square().sqrt().recip();
            on -0.8..0.8;
        }
        /// Arc tangent; `dy/dx = 1/(1 + x^2)`.
        ///
        /// Taken as the square of `1/hypot(x, 1)`: differentiating the reciprocal itself squares it, which underflows from
        /// `1e81` on, where the second derivative is still `1e-243`. `sqrt(1 + x^2)` would do in forward mode only.
        Atan: atan(x) {
            value x.atan();
            d(x) x.hypot(x.lit(1.0)).recip().square();
            on -3.0..3.0;
        }
        /// Hyperbolic sine; `dy/dx = cosh x`.
        Sinh: sinh(x) {
            value x.sinh();
            d(x) x.cosh();
            on -2.0..2.0;
        }
        /// Hyperbolic cosine; `dy/dx = sinh x`.
        Cosh: cosh(x) {
            value x.cosh();
            d(x) x.sinh();
            on -2.0..2.0;
        }
        /// Hyperbolic tangent; `dy/dx = 1/cosh^2 x = 4 s(2x) s(-2x)` with the sigmoid `s`.
        ///
        /// The shorter `1 - y^2` has relative error 1e-8 at `x = 10` and none of its digits left at 19.5; squaring
        /// `cosh x` overflows from 355.
        Tanh: tanh(x) {
            value x.tanh();
            d(x) (x + x).sigmoid() * (-(x + x)).sigmoid() * x.lit(4.0);
            on -2.0..2.0;
        }
        /// Inverse hyperbolic sine; `dy/dx = 1/hypot(x, 1)`, which does not overflow where `x^2` would.
        Asinh: asinh(x) {
            value x.asinh();
            d(x) x.hypot(x.lit(1.0)).recip();
            on -3.0..3.0;
        }
        /// Inverse hyperbolic cosine; `dy/dx = 1/(sqrt(x - 1) sqrt(x + 1))`.
        Acosh: acosh(x) {
            value math::acosh(x);
            d(x) ((x - x.lit(1.0)).sqrt() * (x + x.lit(1.0)).sqrt()).recip();
            on 1.5..4.0;
        }
        /// Inverse hyperbolic tangent; `dy/dx = 1/((1 - x)(1 + x))`, infinite at the ends.
        Atanh: atanh(x) {
            value math::atanh(x);
            d(x) x.one_minus_square().non_negative().recip();
            on -0.8..0.8;
        }
        /// Logistic function, `y = 1/(1 + exp(-x))`; `dy/dx = s(x) s(-x)`.
        ///
        /// `y (1 - y)` is exactly 0 from 36.75 on, where the truth is 1.1e-16.
        Sigmoid: sigmoid(x) {
            value math::sigmoid(x);
            d(x, y) y * (-x).sigmoid();
            on -4.0..4.0;
        }
        /// `ln(1 + exp(x))` without overflow; `dy/dx = sigmoid(x)`. No threshold: the second derivative keeps its tail.
        Softplus: softplus(x) {
            value math::softplus(x);
            d(x) x.sigmoid();
            on -4.0..4.0;
        }
        /// Absolute value; `dy/dx = sign x`, 0 at the kink (the subgradient of smallest norm).
        Abs: abs(x) {
            value x.abs();
            d(x) x.sign();
            on 0.5..2.0;
        }
        /// `max(x, 0)`; `dy/dx = step x`, 0 at the kink. NaN stays NaN and passes no gradient.
        Relu: relu(x) {
            value math::relu(x);
            d(x) x.step();
            on 0.5..2.0;
        }
        /// `-1`, `0` or `1` by the sign of `x`; the derivative is 0. NaN stays NaN.
        Sign: sign(x) {
            value math::sign(x);
            d(x) x.lit(0.0);
            on 0.5..2.0;
        }
        /// `1` where `x > 0`, else `0`, NaN included; the derivative is 0.
        Step: step(x) {
            value if x > 0.0 { 1.0 } else { 0.0 };
            d(x) x.lit(0.0);
            on 0.5..2.0;
        }
        /// `(1 - x)(1 + x)`; `dy/dx = -2x`.
        ///
        /// `1 - x * x` cancels near `x = 1`: 1e-11 relative error in the slope of `asin`. The product does not, but its
        /// derivative, taken factor by factor, is `(1 - x) - (1 + x)` and has no digit of `-2x` left below `1e-16`.
        OneMinusSquare: one_minus_square(x) {
            value (1.0 - x) * (1.0 + x);
            d(x) -(x + x);
            on -2.0..2.0;
        }
        /// The identity on the numbers from 0 up, NaN below: keeps a derivative inside its function's domain.
        NonNegative: non_negative(x) {
            value math::non_negative(x);
            d(x) x.lit(1.0);
            on 0.5..2.0;
        }
    } };
}

/// Hands the binary rows to the macro named, preceded by whatever tokens follow the name.
///
/// `d(a, b, y)` gives both partials, `dy/da` and `dy/db`.
#[macro_export]
macro_rules! binary_table {
    ($callback:path $(, $($extra:tt)*)?) => { $callback! { $($($extra)*)?
        /// Sum, `y = a + b`.
        Add: plus(a, b) {
            value a + b;
            d(a) (a.lit(1.0), a.lit(1.0));
            on -2.0..2.0, -2.0..2.0;
        }
        /// Difference, `y = a - b`.
        Sub: minus(a, b) {
            value a - b;
            d(a) (a.lit(1.0), a.lit(-1.0));
            on -2.0..2.0, -2.0..2.0;
        }
        /// Product, `y = a b`.
        Mul: times(a, b) {
            value a * b;
            d(a, b) (b, a);
            on -2.0..2.0, -2.0..2.0;
        }
        /// Quotient, `y = a / b`; `dy/da = 1/b`, `dy/db = -y/b`.
        Div: over(a, b) {
            value a / b;
            d(b, y) (b.recip(), -(y / b));
            on -2.0..2.0, 0.5..2.0;
        }
        /// Power `y = a^b` of a variable exponent; `dy/da = b a^(b-1)`, `dy/db = a^b ln a`.
        ///
        /// `0^0 = 1` with both partials 0; a negative base has a NaN slope in the exponent. An exponent that is a
        /// constant costs less through `powi` or a constant operand: the logarithm is then never taken.
        Powf: powf(a, b) {
            value a.powf(b);
            d(a, b) (a.powf_less(b).mul_zero(b), a.powf_ln(b));
            on 0.5..2.0, -2.0..2.0;
        }
        /// Length of the vector `(a, b)` without overflow; partials `a/y`, `b/y`, both 0 at the origin.
        Hypot: hypot(a, b) {
            value a.hypot(b);
            d(a, b, y) (a.div_or_zero(y), b.div_or_zero(y));
            on 0.5..2.0, 0.5..2.0;
        }
        /// Angle of the point `(b, a)`, that is `atan2(y, x)` with `a` the ordinate; partials `b/r^2`, `-a/r^2`, both 0 at
        /// the origin, taken through `r = hypot` so that tiny and huge points keep their digits.
        Atan2: atan2(a, b) {
            value a.atan2(b);
            d(a, b) (
                b.div_or_zero(a.hypot(b)).div_or_zero(a.hypot(b)),
                -(a.div_or_zero(a.hypot(b)).div_or_zero(a.hypot(b)))
            );
            on 0.5..2.0, 0.5..2.0;
        }
        /// The larger of two numbers, NaN if either is. A tie splits the gradient evenly; with one NaN the gradient goes to it.
        Maximum: maximum(a, b) {
            value math::maximum(a, b);
            d(a, b) (a.wins(b), b.wins(a));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The smaller of two numbers, NaN if either is. A tie splits the gradient evenly; with one NaN the gradient goes to it.
        Minimum: minimum(a, b) {
            value math::minimum(a, b);
            d(a, b) ((-a).wins(-b), (-b).wins(-a));
            on 1.0..2.0, -1.0..0.5;
        }
        /// The share of a maximum's gradient that goes to `a`: 1 if `a > b`, 1/2 at a tie, 0 if less, NaN if `a` is NaN, 0
        /// if only `b` is. The derivative is 0.
        Wins: wins(a, b) {
            value math::wins(a, b);
            d(a) (a.lit(0.0), a.lit(0.0));
            on 1.0..2.0, -1.0..0.5;
        }
        /// Product in which a zero `b` makes zero of anything, infinities and NaN included: how cotangents meet partials.
        MulZero: mul_zero(a, b) {
            value Float::mul_zero(a, b);
            d(a, b) (b, a);
            on -2.0..2.0, 0.5..2.0;
        }
        /// Quotient that is 0 where `b` is 0, with derivative 0 there.
        DivOrZero: div_or_zero(a, b) {
            value if b == 0.0 { 0.0 } else { a / b };
            d(b, y) (b.lit(1.0).div_or_zero(b), -(y.div_or_zero(b)));
            on -2.0..2.0, 0.5..2.0;
        }
        /// `a^(b-1)`; `dy/da = (b - 1) a^(b-2)`, `dy/db = a^(b-1) ln a`.
        ///
        /// Below 1/2 the difference `b - 1` is rounded, and a power multiplies that error by `ln a`: 300 ulp at `1e300^0.3`.
        /// There the power is taken first and divided by `a`, which overflows or underflows only if the result does; above,
        /// the difference is exact. The derivative chooses in the same way, by a factor of 0 or 1.
        PowfLess: powf_less(a, b) {
            value math::powf_less(a, b);
            d(a, b, y) (
                ((y / a).mul_zero((b.lit(0.5) - b).step())
                    + a.powf_less(b - b.lit(1.0)).mul_zero(b.lit(1.0) - (b.lit(0.5) - b).step()))
                    .mul_zero(b - b.lit(1.0)),
                a.ln().mul_zero(y)
            );
            on 0.5..2.0, -2.0..2.0;
        }
        /// `a^b ln a`, the slope of a power in its exponent; 0 at `a = 0` for `b >= 0`. `dy/da = a^(b-1) (1 + b ln a)`.
        PowfLn: powf_ln(a, b) {
            value if a == 0.0 && b >= 0.0 { 0.0 } else { a.powf(b) * a.ln() };
            d(a, b, y) (
                a.powf_less(b).mul_zero(b.lit(1.0) + a.ln().mul_zero(b)),
                a.ln().mul_zero(y)
            );
            on 0.5..2.0, -2.0..2.0;
        }
    } };
}

/// A number elementary functions are defined for: arithmetic, constants, and one method for every row of the tables.
///
/// Implemented by `f32`, `f64`, the vector lanes of this crate, dual numbers, and variables: a derivative written over
/// `R: Elementary` serves all of them.
///
/// # Examples
/// ```
/// use wengert_kernels::Elementary;
///
/// fn bell<R: Elementary>(x: R) -> R {
///     (-x.square()).exp()
/// }
/// assert_eq!(bell(0.0_f64), 1.0);
/// ```
pub trait Elementary:
    Copy
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + UnaryFunctions
    + BinaryFunctions
{
    /// The constant `c`, as a number like this one (on the same tape, of the same kind).
    #[must_use]
    fn lit(self, c: f64) -> Self;

    /// Integer power, `y = x^n`; `dy/dx = n x^(n-1)`, and exactly 0 for `n = 0`, at 0 and NaN too.
    #[must_use]
    fn powi(self, n: i32) -> Self;
}

// A derivative names what it keeps; binding just those names makes touching another primal a compile error.
macro_rules! primal {
    (x, $x:ident, $y:ident) => {
        $x
    };
    (y, $x:ident, $y:ident) => {
        $y
    };
    (a, $a:ident, $b:ident, $y:ident) => {
        $a
    };
    (b, $a:ident, $b:ident, $y:ident) => {
        $b
    };
    (y, $a:ident, $b:ident, $y:ident) => {
        $y
    };
}
macro_rules! is {
    (x, x) => {
        true
    };
    (y, y) => {
        true
    };
    ($other:ident, $this:ident) => {
        false
    };
}

macro_rules! unary_rows {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident) {
        value $value:expr;
        d($($kept:ident),*) $d:expr;
        on $lo:literal..$hi:literal;
    } )*) => {
        /// Opcodes of the elementary functions of one argument.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Unary { $( $(#[$doc])* $Op ),* }

        impl Unary {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Unary] = &[$(Unary::$Op),*];

            /// The method's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Unary::$Op => stringify!($method)),* }
            }

            /// An interval where the function is smooth and finite differences are trustworthy.
            #[must_use]
            pub const fn domain(self) -> (f64, f64) {
                match self { $(Unary::$Op => ($lo, $hi)),* }
            }

            /// Whether the derivative reads the argument.
            #[must_use]
            pub const fn keeps_argument(self) -> bool {
                match self { $(Unary::$Op => false $(|| is!($kept, x))*),* }
            }

            /// Whether the derivative reads the result.
            #[must_use]
            pub const fn keeps_result(self) -> bool {
                match self { $(Unary::$Op => false $(|| is!($kept, y))*),* }
            }

            /// The function itself, chosen at run time.
            #[inline]
            pub fn eval<R: Elementary>(self, x: R) -> R {
                match self { $(Unary::$Op => x.$method()),* }
            }

            /// `dy/dx` at `x`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, x: R, y: R) -> R {
                match self { $(Unary::$Op => derivative::$method(x, y)),* }
            }
        }

        /// The functions of one argument: one method for every row of the table.
        pub trait UnaryFunctions: Sized {
            $( $(#[$doc])* #[must_use] fn $method(self) -> Self; )*
        }

        impl UnaryFunctions for f64 {
            $( #[inline(always)] fn $method(self) -> f64 { let $x = self; $value } )*
        }
        impl UnaryFunctions for f32 {
            $( #[inline(always)] fn $method(self) -> f32 { let $x = self; $value } )*
        }

        mod unary_derivatives {
            use super::Elementary;
            $(
                #[doc = concat!("`dy/dx` of [`", stringify!($method), "`](super::UnaryFunctions::", stringify!($method), ") from its argument and its value.")]
                #[inline(always)]
                #[allow(unused_variables, reason = "a rule names only what it keeps")]
                pub fn $method<R: Elementary>(argument: R, value: R) -> R {
                    $( let $kept = primal!($kept, argument, value); )*
                    $d
                }
            )*
        }
    };
}
unary_table!(unary_rows);

macro_rules! binary_rows {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($a:ident, $b:ident) {
        value $value:expr;
        d($($kept:ident),*) ($da:expr, $db:expr);
        on $alo:literal..$ahi:literal, $blo:literal..$bhi:literal;
    } )*) => {
        /// Opcodes of the elementary functions of two arguments, arithmetic included.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Binary { $( $(#[$doc])* $Op ),* }

        impl Binary {
            /// Every row, in the order of the table.
            pub const ALL: &'static [Binary] = &[$(Binary::$Op),*];

            /// The method's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Binary::$Op => stringify!($method)),* }
            }

            /// Intervals where the function is smooth and finite differences are trustworthy.
            #[must_use]
            pub const fn domain(self) -> [(f64, f64); 2] {
                match self { $(Binary::$Op => [($alo, $ahi), ($blo, $bhi)]),* }
            }

            /// The function itself, chosen at run time.
            #[inline]
            pub fn eval<R: Elementary>(self, a: R, b: R) -> R {
                match self { $(Binary::$Op => a.$method(b)),* }
            }

            /// `(dy/da, dy/db)` at `(a, b)`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, a: R, b: R, y: R) -> (R, R) {
                match self { $(Binary::$Op => derivative::$method(a, b, y)),* }
            }
        }

        /// The functions of two arguments: one method for every row of the table.
        pub trait BinaryFunctions: Sized {
            $( $(#[$doc])* #[must_use] fn $method(self, $b: Self) -> Self; )*
        }

        impl BinaryFunctions for f64 {
            $( #[inline(always)] fn $method(self, $b: f64) -> f64 { let $a = self; $value } )*
        }
        impl BinaryFunctions for f32 {
            $( #[inline(always)] fn $method(self, $b: f32) -> f32 { let $a = self; $value } )*
        }

        mod binary_derivatives {
            use super::Elementary;
            $(
                #[doc = concat!("`(dy/da, dy/db)` of [`", stringify!($method), "`](super::BinaryFunctions::", stringify!($method), ") from its arguments and its value.")]
                #[inline(always)]
                #[allow(unused_variables, reason = "a rule names only what it keeps")]
                pub fn $method<R: Elementary>(left: R, right: R, value: R) -> (R, R) {
                    $( let $kept = primal!($kept, left, right, value); )*
                    ($da, $db)
                }
            )*
        }
    };
}
binary_table!(binary_rows);

/// The derivatives of the tables' rows as functions, generic in the number.
pub mod derivative {
    use super::Elementary;
    pub use super::binary_derivatives::*;
    pub use super::unary_derivatives::*;

    /// `dy/dx` of `y = x^n`: `n x^(n-1)`, and 0 for `n = 0`.
    #[inline(always)]
    pub fn powi<R: Elementary>(x: R, n: i32) -> R {
        match n {
            0 => x.lit(0.0),
            1 => x.lit(1.0),
            2 => x + x,
            // `n - 1` overflows for one exponent only, whose power is 0, 1 or infinite anyway.
            _ => x.powi(n.saturating_sub(1)) * x.lit(f64::from(n)),
        }
    }
}

macro_rules! elementary_float {
    ($($f:ident)*) => { $(
        impl Elementary for $f {
            #[inline(always)]
            fn lit(self, c: f64) -> $f {
                c as $f
            }
            #[inline(always)]
            fn powi(self, n: i32) -> $f {
                // LLVM turns a constant 2 into a product only after inlining; say it.
                if n == 2 { self * self } else { $f::powi(self, n) }
            }
        }
    )* };
}
elementary_float!(f32 f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_and_names_are_unique() {
        let mut names: Vec<&str> = Unary::ALL.iter().map(|op| op.name()).collect();
        names.extend(Binary::ALL.iter().map(|op| op.name()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_domain_is_inside_the_functions_own() {
        for &op in Unary::ALL {
            let (lo, hi) = op.domain();
            for i in 0..=10 {
                let x = lo + (hi - lo) * f64::from(i) / 10.0;
                assert!(op.eval(x).is_finite(), "{} at {x}", op.name());
            }
        }
        for &op in Binary::ALL {
            let [(alo, ahi), (blo, bhi)] = op.domain();
            for (a, b) in [(alo, blo), (alo, bhi), (ahi, blo), (ahi, bhi)] {
                assert!(op.eval(a, b).is_finite(), "{} at {a}, {b}", op.name());
            }
        }
    }

    #[test]
    fn what_a_rule_keeps_is_what_it_names() {
        assert!(!Unary::Tanh.keeps_result() && Unary::Tanh.keeps_argument());
        assert!(Unary::Exp.keeps_result() && !Unary::Exp.keeps_argument());
        assert!(Unary::Sigmoid.keeps_result() && Unary::Sigmoid.keeps_argument());
    }

    /// The table of powers in the specification of awkward points: base, exponent, value, both partials.
    #[test]
    fn powers_at_the_awkward_points() {
        let inf = f64::INFINITY;
        let nan = f64::NAN;
        let rows = [
            (0.0, 0.0, 1.0, 0.0, 0.0),
            (0.0, 1.0, 0.0, 1.0, 0.0),
            (0.0, 2.0, 0.0, 0.0, 0.0),
            (0.0, 0.5, 0.0, inf, 0.0),
            (0.0, -1.0, inf, -inf, -inf),
            (-2.0, 3.0, -8.0, 12.0, nan),
            (-2.0, 0.5, nan, nan, nan),
            (nan, 0.0, 1.0, 0.0, nan),
            (1.0, nan, 1.0, nan, 0.0),
            (inf, 0.0, 1.0, 0.0, inf),
        ];
        for (a, b, y, da, db) in rows {
            let value: f64 = a.powf(b);
            let got = derivative::powf(a, b, value);
            for (got, want) in [(value, y), (got.0, da), (got.1, db)] {
                assert!(got == want || got.is_nan() && want.is_nan(), "{a}^{b}: {got}, expected {want}");
            }
        }
    }
}
