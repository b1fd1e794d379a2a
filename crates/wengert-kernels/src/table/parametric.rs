//! The functions of one argument and constants: their rows, and what is made of them here.

use super::Elementary;
use crate::special::{bessel, polygamma, trigonometric};
use crate::{Float, math};

/// Hands the rows of functions of one number and constants to the macro named, preceded by whatever tokens follow the
/// name.
///
/// The constants have no derivative. `for` lists some of them, for the tests that walk the table.
#[macro_export]
macro_rules! parametric_table {
    ($callback:path $(, $($extra:tt)*)?) => { $callback! { $($($extra)*)?
        /// Integer power, `y = x^n`; `dy/dx = n x^(n-1)`, and exactly 0 for `n = 0`, at 0 and NaN too.
        Powi: powi(x; n: i32) {
            value math::powi(x, n);
            d(x) math::powi_derivative(x, n);
            on 0.5..2.0;
            for (0), (1), (2), (3), (-2);
        }
        /// Polygamma function of order `n`, the `n`-th derivative of `digamma`; `dy/dx` is that of order `n + 1`. NaN
        /// at the poles 0, -1, -2, ... and for negative orders.
        ///
        /// Within 1e-14.
        Polygamma: polygamma(x; n: i32) {
            value math::wide(|x| polygamma::polygamma(n, x), x);
            d(x) x.polygamma(n.saturating_add(1));
            on 0.5..4.0;
            for (0), (2), (3), (4), (5);
        }
        /// Bessel function of the first kind of integer order, `J_n(x)`; `dy/dx = (J_(n-1)(x) - J_(n+1)(x))/2`.
        ///
        /// Within 1e-14 of the height of its waves, and of itself below the first.
        BesselJ: bessel_j(x; n: i32) {
            value math::wide(|x| bessel::bessel_j(n, x), x);
            d(x) (x.bessel_j(n.saturating_sub(1)) - x.bessel_j(n.saturating_add(1))).scaled(0.5);
            on -4.0..4.0;
            for (2), (3), (-1), (7);
        }
        /// Modified Bessel function of the first kind of integer order, `I_n(x)`;
        /// `dy/dx = (I_(n-1)(x) + I_(n+1)(x))/2`.
        ///
        /// Within 1e-14.
        BesselI: bessel_i(x; n: i32) {
            value math::wide(|x| bessel::bessel_i(n, x), x);
            d(x) (x.bessel_i(n.saturating_sub(1)) + x.bessel_i(n.saturating_add(1))).scaled(0.5);
            on -4.0..4.0;
            for (2), (3), (-1), (7);
        }
        /// The `n`-th derivative of `sinc`; `dy/dx` is that of order `n + 1`.
        ///
        /// Within 1e-14 up to order 4, of the larger of itself and `pi^n/(1 + |pi x|)`.
        SincDerivative: sinc_derivative(x; n: i32) {
            value math::wide(|x| trigonometric::sinc_derivative(n, x), x);
            d(x) x.sinc_derivative(n.saturating_add(1));
            on -2.0..2.0;
            for (1), (2), (3), (4);
        }
        /// `x` held between `lo` and `hi`; `dy/dx` is 1 between them, 0 outside and at both bounds (so that
        /// `clamp(0, inf)` is `relu`). NaN stays NaN and passes no gradient.
        ///
        /// # Panics
        /// If `lo > hi` or a bound is NaN.
        Clamp: clamp(x; lo: f64, hi: f64) {
            value math::clamp(x, lo, hi);
            d(x) x.inside(lo, hi);
            on -0.9..0.9;
            for (-1.0, 1.0), (-0.95, f64::INFINITY), (1.0, 2.0);
        }
        /// Exponential linear unit, `y = x` for `x > 0`, else `alpha (exp(x) - 1)`; `dy/dx` is 1, else `alpha exp(x)`,
        /// also at the kink; there the second derivative is 0.
        ///
        /// Source: D.-A. Clevert, T. Unterthiner and S. Hochreiter, "Fast and accurate deep network learning by
        /// exponential linear units (ELUs)", 2015.
        Elu: elu(x; alpha: f64) {
            value math::wide(|x| math::elu(x, alpha, 1.0), x);
            d(x) x.step() + math::elu_slope(x, 1.0).scaled(alpha);
            on -2.0..-0.1;
            for (1.0), (0.5);
        }
        /// `elu` with a slope that is continuous for every `alpha`: `y = x` for `x > 0`, else
        /// `alpha (exp(x/alpha) - 1)`; `dy/dx` is 1, else `exp(x/alpha)`. The second derivative at 0 is 0. An `alpha`
        /// of 0 has no meaning: NaN at 0.
        ///
        /// Source: J. T. Barron, "Continuously differentiable exponential linear units", 2017.
        Celu: celu(x; alpha: f64) {
            value math::wide(|x| math::elu(x, alpha, alpha), x);
            d(x) x.step() + math::elu_slope(x, alpha);
            on -2.0..-0.1;
            for (1.0), (0.5);
        }
        /// `x` for `x > 0`, else `slope x`; `dy/dx` is 1, else `slope`, at the kink too.
        ///
        /// Source: A. Maas, A. Hannun and A. Ng, "Rectifier nonlinearities improve neural network acoustic models",
        /// 2013.
        LeakyRelu: leaky_relu(x; slope: f64) {
            value if x > 0.0 { x } else { math::wide(|x| slope * x, x) };
            d(x) x.step() + (x.lit(1.0) - x.step()).scaled(slope);
            on 0.5..2.0;
            for (0.01), (0.2);
        }
        /// 1 strictly between `lo` and `hi`, else 0, NaN included; the derivative is 0.
        Inside: inside(x; lo: f64, hi: f64) {
            value if x.to_f64() > lo && x.to_f64() < hi { 1.0 } else { 0.0 };
            d(x) x.lit(0.0);
            on -0.9..0.9;
            for (-1.0, 1.0), (1.0, 2.0);
        }
        /// 1 for `x > 0`, 0 for `x < 0`, and the number given at 0; the derivative is 0, at the jump too. NaN stays
        /// NaN.
        Heaviside: heaviside(x; at_zero: f64) {
            value math::heaviside(x, at_zero);
            d(x) x.lit(0.0);
            on 0.5..2.0;
            for (0.5), (1.0);
        }
    } };
}

macro_rules! parametric_rows {
    ($( $(#[$doc:meta])* $Op:ident: $method:ident($x:ident; $($p:ident: $P:ty),*) {
        value $value:expr;
        d($($kept:ident),*) $d:expr;
        on $lo:literal..$hi:literal;
        for $(($($sample:expr),*)),*;
    } )*) => {
        /// Opcodes of the functions of one argument and constants, with the constants.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Parametric { $( $(#[$doc])* $Op($($P),*) ),* }

        impl Parametric {
            /// Every row with some constants, in the order of the table.
            pub const SAMPLES: &'static [Parametric] = &[$($(Parametric::$Op($($sample),*)),*),*];

            /// The method's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Parametric::$Op(..) => stringify!($method)),* }
            }

            /// An interval where the function is smooth and finite differences are trustworthy.
            #[must_use]
            pub const fn domain(self) -> (f64, f64) {
                match self { $(Parametric::$Op(..) => ($lo, $hi)),* }
            }

            /// Whether the derivative reads the result.
            #[must_use]
            pub const fn keeps_result(self) -> bool {
                match self { $(Parametric::$Op(..) => false $(|| is!($kept, y))*),* }
            }

            /// The constants, in order, whole numbers as numbers too.
            #[must_use]
            pub fn constants(self) -> Vec<f64> {
                match self { $(Parametric::$Op($($p),*) => vec![$(f64::from($p)),*]),* }
            }

            /// Whether it is the same function with the same constants to the bit: 0 and -0 are two.
            #[must_use]
            pub fn has_bits_of(self, other: Parametric) -> bool {
                let bits = |op: Parametric| op.constants().into_iter().map(f64::to_bits);
                self == other && bits(self).eq(bits(other))
            }

            /// The function of this name with these constants; none if there is no such function, or it takes others.
            #[must_use]
            pub fn named(name: &str, constants: &[f64]) -> Option<Parametric> {
                let mut constants = constants.iter().copied();
                let op = match name {
                    $(stringify!($method) => Parametric::$Op($(<$P as TableConstant>::of(constants.next()?)?),*),)*
                    _ => return None,
                };
                // Bounds that `clamp` would refuse with a panic.
                let refused = |op: &_| matches!(op, Parametric::Clamp(lo, hi) if lo > hi || lo.is_nan() || hi.is_nan());
                constants.next().is_none().then_some(op).filter(|op| !refused(op))
            }

            /// The function itself, chosen at run time.
            #[inline]
            #[track_caller]
            pub fn eval<R: Elementary>(self, x: R) -> R {
                match self { $(Parametric::$Op($($p),*) => x.$method($($p),*)),* }
            }

            /// `dy/dx` at `x`, where `y` is the function's value there.
            #[inline]
            pub fn derivative<R: Elementary>(self, x: R, y: R) -> R {
                match self { $(Parametric::$Op($($p),*) => derivatives::$method(x, y, $($p),*)),* }
            }
        }

        /// The functions of one argument and constants: one method for every row of the table.
        pub trait ParametricFunctions: Sized {
            $( $(#[$doc])* #[must_use] fn $method(self, $($p: $P),*) -> Self; )*
        }

        impl ParametricFunctions for f64 {
            $( #[inline(always)] #[track_caller] fn $method(self, $($p: $P),*) -> f64 { let $x = self; $value } )*
        }
        impl ParametricFunctions for f32 {
            $( #[inline(always)] #[track_caller] fn $method(self, $($p: $P),*) -> f32 { let $x = self; $value } )*
        }

        pub mod derivatives {
            use super::{Elementary, math};
            $(
                #[doc = concat!("`dy/dx` of [`", stringify!($method), "`](super::ParametricFunctions::", stringify!($method), ") from its argument, its value and its constants.")]
                #[inline(always)]
                #[allow(unused_variables, reason = "a rule names only what it keeps")]
                pub fn $method<R: Elementary>(argument: R, value: R, $($p: $P),*) -> R {
                    $( let $kept = primal!($kept, argument, value); )*
                    $d
                }
            )*
        }
    };
}
parametric_table!(parametric_rows);

/// What the constants of a row may be.
trait TableConstant: Sized {
    /// The constant equal to a number, if there is one.
    fn of(number: f64) -> Option<Self>;
}
impl TableConstant for f64 {
    fn of(number: f64) -> Option<f64> {
        Some(number)
    }
}
impl TableConstant for i32 {
    fn of(number: f64) -> Option<i32> {
        (f64::from(number as i32) == number).then_some(number as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parametric_row_is_known_by_its_name_and_constants() {
        for &op in Parametric::SAMPLES {
            assert_eq!(Parametric::named(op.name(), &op.constants()), Some(op));
        }
        for (name, constants) in
            [("powi", &[][..]), ("powi", &[0.5]), ("powi", &[1.0, 2.0]), ("no_such", &[1.0]), ("clamp", &[1.0, 0.0])]
        {
            assert_eq!(Parametric::named(name, constants), None, "{name} {constants:?}");
        }
    }
}
