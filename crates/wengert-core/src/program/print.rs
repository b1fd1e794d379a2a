//! A program as text.

use super::TensorFunction;
use super::graph::{Act, Source, Value};
use crate::tensor::TensorFloat;
use core::fmt;

impl<F: TensorFloat> TensorFunction<F> {
    fn name(&self, value: Value) -> String {
        match self.known[value].source {
            Source::Input(k) => format!("x{k}"),
            Source::Data(k) => format!("d{k}"),
            Source::Parameter(k) => format!("p{k}"),
            Source::Constant => format!("c{value}"),
            Source::Act => format!("t{value}"),
        }
    }

    fn names(&self, values: &[Value]) -> String {
        values.iter().map(|&value| self.name(value)).collect::<Vec<_>>().join(", ")
    }
}

/// The plan, a line for each thing a replay does, with the shape of what it makes: `x0` is an input, `d0` data, `p0` a
/// parameter, `c0` a constant, `t0` computed.
///
/// # Examples
/// ```
/// # use wengert_core::{TensorFunction, prelude::*};
/// # use wengert_tensor::Tensor;
/// let f = TensorFunction::record(&[Tensor::from([1.0, 2.0])], |x| (x[0].exp() * x[0]).sum())?;
/// let text = f.to_string();
/// // Values and both ways of the product and the exponential in one pass; the sum; what is returned.
/// assert_eq!(text.matches("of [2] = pass of 6 steps(x0, ").count(), 1, "{text}");
/// assert_eq!((text.matches("= sum(").count(), text.matches("return ").count()), (1, 1), "{text}");
/// # Ok::<(), wengert_core::FunctionError>(())
/// ```
impl<F: TensorFloat> fmt::Display for TensorFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.gradient.as_ref().unwrap_or(&self.value);
        for planned in &plan.acts {
            let of = |value: Value| format!("{} of {}", self.name(value), self.known[value].shape);
            match &planned.act {
                Act::Forward { rule, operands, y, .. } => {
                    writeln!(f, "{} = {}({})", of(*y), self.rules[*rule].rule.label(), self.names(operands))?;
                }
                Act::Pull { rule, x, y, y_bar, x_bar, .. } => {
                    let made: Vec<String> = x_bar.iter().flatten().map(|&bar| of(bar)).collect();
                    let (label, read) = (self.rules[*rule].rule.label(), self.names(x));
                    let (y, y_bar) = (self.name(*y), self.name(*y_bar));
                    writeln!(f, "{} = pullback of {label}({read}; {y}, {y_bar})", made.join(", "))?;
                }
                Act::Pass { chain, operands, results, shape, .. } => {
                    let steps = if chain.len() == 1 { "1 step" } else { &format!("{} steps", chain.len()) };
                    let (made, read) = (self.names(results), self.names(operands));
                    writeln!(f, "{made} of {shape} = pass of {steps}({read})")?;
                }
                Act::SumTo { x, y, .. } => writeln!(f, "{} = sum({})", of(*y), self.name(*x))?,
                Act::Spread { x, y } => writeln!(f, "{} = {} everywhere", of(*y), self.name(*x))?,
                Act::Ask(asked, value) => {
                    writeln!(f, "{}: {} is asked, expected {}", asked.caller, self.name(*value), asked.answer)?;
                }
                Act::Link { .. } => {}
            }
        }
        writeln!(f, "return {}", self.names(&plan.targets))
    }
}
