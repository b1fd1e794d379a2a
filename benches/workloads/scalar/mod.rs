//! Scalar programs, written once over the little arithmetic that every engine of a comparison has.
//!
//! The names are those under which such programs are known among tapes: S1 Gaussian mixture, S3 long short-term memory, S5
//! Rosenbrock, S7 Asian option, S8 Lorenz, S9 logistic regression. Sizes are fixed; data comes from fixed seeds.

use core::ops::{Add, Div, Mul, Neg, Sub};
use wengert::prelude::*;
use wengert::rng;

mod asian;
mod chain;
mod gmm;
mod logistic;
mod lorenz;
mod lstm;
mod rosenbrock;

pub use asian::Asian;
pub use chain::Chain;
pub use gmm::Gmm;
pub use logistic::Logistic;
pub use lorenz::Lorenz;
pub use lstm::Lstm;
pub use rosenbrock::Rosenbrock;

/// What a program computes with: a plain number, or a variable of any engine.
pub trait Arithmetic:
    Copy
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    /// A constant; some engines find their tape through a variable.
    fn constant(self, value: f64) -> Self;
    /// The number itself.
    fn number(self) -> f64;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn tanh(self) -> Self;
    fn sqrt(self) -> Self;
    fn recip(self) -> Self;
}

macro_rules! arithmetic {
    ($([$($of:tt)*] $T:ty;)*) => { $(
        impl<$($of)*> Arithmetic for $T {
            #[inline(always)]
            fn constant(self, value: f64) -> Self {
                <$T>::from(value)
            }
            #[inline(always)]
            fn number(self) -> f64 {
                Number::value(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                UnaryFunctions::exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                UnaryFunctions::ln(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                UnaryFunctions::tanh(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                UnaryFunctions::sqrt(self)
            }
            #[inline(always)]
            fn recip(self) -> Self {
                UnaryFunctions::recip(self)
            }
        }
    )* };
}
/// Plain numbers, with the functions of the standard library: the program as it is written without an engine.
impl Arithmetic for f64 {
    #[inline(always)]
    fn constant(self, value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn number(self) -> f64 {
        self
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn recip(self) -> Self {
        f64::recip(self)
    }
}

arithmetic! {
    ['t] Var<'t>;
    ['t] Var<'t, Dual<f64, 1>>;
    [] Real;
    ['r] Symbol<'r>;
    [const N: usize] Dual<f64, N>;
}

/// A function of many numbers, and where its gradient is taken.
pub trait Program {
    /// The name in tables.
    const NAME: &'static str;
    /// Elementary operations with an operand that moves, counted in one evaluation.
    const OPS: usize;

    /// The point.
    fn point(&self) -> Vec<f64>;
    /// The value at `x`.
    fn value<T: Arithmetic>(&self, x: &[T]) -> T;
}

/// The gradient of a function, recorded anew at every call on one tape.
pub struct Gradient {
    tape: Tape,
    x: Vec<f64>,
    gradient: Vec<f64>,
}

impl Gradient {
    pub fn at(x: Vec<f64>) -> Self {
        Gradient { tape: Tape::new(), gradient: vec![0.0; x.len()], x }
    }

    pub fn of(&mut self, f: impl for<'t> FnOnce(&'t Tape, &[Var<'t>]) -> Var<'t>) -> &[f64] {
        {
            let x = self.tape.vars(&self.x);
            f(&self.tape, &x).gradient().write_wrt(&x, &mut self.gradient);
        }
        self.tape.clear();
        &self.gradient
    }
}

/// The same with variables that carry no lifetime.
pub struct RealGradient {
    tape: RealTape,
    x: Vec<f64>,
    gradient: Vec<f64>,
}

impl RealGradient {
    pub fn at(x: Vec<f64>) -> Self {
        RealGradient { tape: RealTape::new(), gradient: vec![0.0; x.len()], x }
    }

    pub fn of(&mut self, f: impl FnOnce(&[Real]) -> Real) -> &[f64] {
        let x = self.tape.vars(&self.x);
        f(&x).gradient().write_wrt(&x, &mut self.gradient);
        self.tape.clear();
        &self.gradient
    }
}

/// Numbers from a normal distribution, the same at every call.
fn normal(count: usize, deviation: f64, seed: u64) -> Vec<f64> {
    Tensor::normal([count], 0.0, deviation, &mut rng(seed)).to_vec()
}
