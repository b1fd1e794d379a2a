//! What a check can find.

use core::fmt;

/// An element whose derivative was compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// 1 for the gradient, 2 for the Hessian times a direction.
    pub order: u8,
    /// Which input, counted from 0.
    pub input: usize,
    /// The element's index in that input.
    pub index: Vec<usize>,
    /// The derivative from the tape.
    pub analytic: f64,
    /// The derivative from finite differences.
    pub numeric: f64,
    /// The estimated error of `numeric`.
    pub error: f64,
    /// How far the two may differ: 8 times the estimated error.
    pub tolerance: f64,
}

impl Comparison {
    /// The difference in units of what is allowed: wrong above 1.
    #[must_use]
    pub fn severity(&self) -> f64 {
        let off = (self.analytic - self.numeric).abs();
        if off == 0.0 { 0.0 } else { off / self.tolerance }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { order, input, index, analytic, numeric, error, .. } = self;
        write!(
            f,
            "order {order}, input {input} at {index:?}: analytic {analytic:e}, numeric {numeric:e} with estimated error {error:.0e}"
        )
    }
}

/// An element where the slopes from the two sides differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Kink {
    /// 1 for the function itself, 2 for its gradient.
    pub order: u8,
    /// Which input, counted from 0.
    pub input: usize,
    /// The element's index in that input.
    pub index: Vec<usize>,
    /// The slope to the left.
    pub left: f64,
    /// The slope to the right.
    pub right: f64,
    /// The derivative from the tape.
    pub analytic: f64,
}

impl fmt::Display for Kink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kink { order, input, index, left, right, analytic } = self;
        write!(
            f,
            "order {order}, input {input} at {index:?}: slope {left:.6e} from the left, {right:.6e} from the right, analytic {analytic:.6e}"
        )
    }
}

/// Why a function did not pass.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The function has another value on plain numbers than on the tape.
    #[error(
        "wrong value: {plain:e} on plain numbers, {recorded:e} on the tape; does the function branch on the kind of number?"
    )]
    WrongValue {
        /// The value on plain numbers.
        plain: f64,
        /// The value on the tape.
        recorded: f64,
    },
    /// A derivative differs from finite differences by more than their error.
    #[error("wrong derivative: {worst}; {wrong} of {checked} elements of this order are wrong")]
    WrongDerivative {
        /// The element that is off the most.
        worst: Comparison,
        /// Elements that are off.
        wrong: usize,
        /// Elements compared.
        checked: usize,
    },
    /// The function has no derivative at this point: the slopes from the two sides differ.
    #[error("kink: {kink}; move the point, or accept what lies between with kinks(Kinks::Accept)")]
    Kink {
        /// The first one.
        kink: Kink,
    },
    /// A value or derivative is infinite or NaN.
    #[error("non-finite {what}: {value} for input {input} at {index:?}; is the point inside the function's domain?")]
    NonFinite {
        /// What is not finite: `"gradient"`, or `"Hessian product"`.
        what: &'static str,
        /// Which input, counted from 0.
        input: usize,
        /// The element's index in that input.
        index: Vec<usize>,
        /// What it is instead.
        value: f64,
    },
    /// The function itself is infinite or NaN at the point.
    #[error("non-finite value: the function is {value} at this point; is the point inside its domain?")]
    NonFiniteValue {
        /// What it is instead.
        value: f64,
    },
    /// Finite differences say nothing here: the function is not finite around the point, or too rough.
    #[error(
        "differences do not settle: {comparison}; is the point at the edge of the domain, or the function rough at every scale?"
    )]
    Unsettled {
        /// The element.
        comparison: Comparison,
    },
    /// Forward and reverse mode disagree.
    #[error("forward and reverse mode disagree: J v = {forward:e} forwards, {reverse:e} from the gradient")]
    ForwardReverse {
        /// The directional derivative by forward mode: of dual numbers, or of the tape where the program is one of
        /// tensors.
        forward: f64,
        /// The same from the gradient.
        reverse: f64,
    },
    /// Recording failed.
    #[error(transparent)]
    Tape(#[from] wengert_core::Error),
}
