//! The one list of elementary functions.
//!
//! A row is written once, in the file for the arguments its function takes: `unary.rs`, `binary.rs`, or
//! `parametric.rs`, whose functions take constants beside their argument. From it come the opcode, the method on every
//! number ([`Elementary`]), the derivative at every order ([`derivative`]), the vector loops of [`crate::elementwise`],
//! and, in the crates to the right, the methods of tensors and variables and the tests that walk the table.
//! [`unary_table!`](crate::unary_table), [`binary_table!`](crate::binary_table) and
//! [`parametric_table!`](crate::parametric_table) hand the rows to a callback macro.
//!
//! # How to read a row
//!
//! ```text
//! Tanh: tanh(x) {                  opcode, method, argument
//!     value x.tanh();              the function on `f32` and `f64`
//!     d(x) ...;                    dy/dx, from what it names: d(x), d(y), d(x, y) or d()
//!     on -3.0..3.0;                where finite differences are trustworthy
//!     together;                    if value and derivative share most of their work (`together kept`: so much that
//!                                  tensors keep the derivative), else left out
//! }
//! ```
//!
//! A derivative is an expression in `+ - * /`, [`lit`](Elementary::lit) and other rows, generic in the number:
//! evaluated on floats it is the partial, on duals the partial and its tangents, on tensor variables it records ops. So
//! it can be differentiated again, and it contains no branch: what selects (a kink, a tie, a pole) is a row of its own
//! with a derivative of its own. To add an elementary function, add a row and its reference values.
//!
//! # Accuracy
//!
//! In double precision the error of values, first and second derivatives is at most 2, 4 and 8 ulp over the whole
//! domain, measured against 60-digit arithmetic by the tests; where a row says so, 1e-14 in all three. Where a result
//! is the difference of larger terms, an ulp is one of the largest term. Special functions of `f32` are computed in
//! `f64`.

use core::ops::{Add, Div, Mul, Neg, Sub};

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
    (together, together) => {
        true
    };
    (kept, kept) => {
        true
    };
    ($other:ident, $this:ident) => {
        false
    };
}

// Below the two macros, which the files expand their rows with.
mod binary;
mod parametric;
mod unary;

pub use binary::{Binary, BinaryFunctions};
pub use parametric::{Parametric, ParametricFunctions};
pub use unary::{Unary, UnaryFunctions};

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
    + ParametricFunctions
{
    /// The constant `c`, as a number like this one (on the same tape, of the same kind).
    #[must_use]
    fn lit(self, c: f64) -> Self;

    /// `c self`. On numbers that carry derivatives no product of two of them: there an infinite value meets the zero
    /// tangent of the constant.
    #[must_use]
    #[inline(always)]
    fn scaled(self, c: f64) -> Self {
        self * self.lit(c)
    }

    /// Sine and cosine together; each is the other's derivative but for a sign, so the pair costs little more than one.
    #[must_use]
    #[inline(always)]
    fn sin_cos(self) -> (Self, Self) {
        (self.sin(), self.cos())
    }

    /// `self * b + c`, on floats and on what is made of them in one rounding; partials `b`, `self` and 1.
    ///
    /// One rounding is exact about cancellation, not fast: where the processor has no instruction for it, it is a call.
    #[must_use]
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        self * b + c
    }

    /// `a` where `condition` holds, else `b`. The other branch is not used: nothing of it, NaN included, reaches a
    /// derivative.
    #[must_use]
    #[inline(always)]
    fn select(condition: bool, a: Self, b: Self) -> Self {
        if condition { a } else { b }
    }
}

/// The derivatives of the tables' rows as functions, generic in the number.
pub mod derivative {
    pub use super::binary::derivatives::*;
    pub use super::parametric::derivatives::*;
    pub use super::unary::derivatives::*;
}

macro_rules! elementary_float {
    ($($f:ident)*) => { $(
        impl Elementary for $f {
            #[inline(always)]
            fn lit(self, c: f64) -> $f {
                c as $f
            }
            #[inline(always)]
            fn mul_add(self, b: $f, c: $f) -> $f {
                $f::mul_add(self, b, c)
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
        let mut parametric: Vec<&str> = Parametric::SAMPLES.iter().map(|op| op.name()).collect();
        parametric.dedup(); // the samples of a row stand together
        names.extend(parametric);
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
        for &op in Parametric::SAMPLES {
            let (lo, hi) = op.domain();
            assert!(op.eval(lo).is_finite() && op.eval(hi).is_finite(), "{op:?}");
        }
        for &op in Binary::ALL {
            let [(alo, ahi), (blo, bhi)] = op.domain();
            for (a, b) in [(alo, blo), (alo, bhi), (ahi, blo), (ahi, bhi)] {
                assert!(op.eval(a, b).is_finite(), "{} at {a}, {b}", op.name());
            }
        }
    }
}
