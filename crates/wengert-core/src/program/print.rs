//! A program as text, and as a graph to draw.

use super::TensorFunction;
use super::graph::{Act, Known, Source, Value};
use super::notes::Asked;
use super::plan::Plan;
use crate::drawing::{Drawing, Line, Look};
use crate::seeing::size;
use crate::tensor::TensorFloat;
use core::fmt;

impl<F: TensorFloat> Asked<F> {
    /// What is done with the value.
    fn done(&self) -> String {
        self.answer.map_or_else(|| "watched".to_owned(), |answer| format!("asked, expected {answer}"))
    }
}

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

    /// What is written down: the plan with the gradient, if there is one.
    fn plan(&self) -> &Plan<F> {
        self.gradient.as_ref().unwrap_or(&self.value)
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
/// // Values and both ways of the product and the exponential, and the sum, in one pass; what is returned.
/// assert_eq!(text.matches(" = pass of 6 steps(x0, ").count(), 1, "{text}");
/// assert_eq!((text.matches(", sums ").count(), text.matches("return ").count()), (1, 1), "{text}");
/// # Ok::<(), wengert_core::FunctionError>(())
/// ```
impl<F: TensorFloat> fmt::Display for TensorFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan();
        for planned in &plan.acts {
            let of = |value: Value| format!("{} of {}", self.name(value), self.known[value].shape);
            match &planned.act {
                Act::Forward { rule, operands, y, .. } => {
                    writeln!(f, "{} = {}({})", of(*y), self.rules[*rule].rule.label(), self.names(operands))?;
                }
                Act::Pull { rule, x, y, reads_result, y_bar, x_bar, .. } => {
                    let made: Vec<String> = x_bar.iter().flatten().map(|&bar| of(bar)).collect();
                    let (label, read) = (self.rules[*rule].rule.label(), self.names(x));
                    let y = if *reads_result { self.name(*y) + ", " } else { String::new() };
                    writeln!(f, "{} = pullback of {label}({read}; {y}{})", made.join(", "), self.name(*y_bar))?;
                }
                Act::Pass { chain, operands, results, shape, .. } => {
                    let steps = if chain.len() == 1 { "1 step" } else { &format!("{} steps", chain.len()) };
                    let (outputs, sums) = results.split_at(chain.results()[0]);
                    let made = match (outputs, sums) {
                        (_, []) => format!("{} of {shape}", self.names(outputs)),
                        ([], _) => format!("sums {} over {shape}", self.names(sums)),
                        _ => format!("{} of {shape}, sums {}", self.names(outputs), self.names(sums)),
                    };
                    writeln!(f, "{made} = pass of {steps}({})", self.names(operands))?;
                }
                Act::Total { x, y, .. } | Act::SumTo { x, y, .. } => {
                    writeln!(f, "{} = {}({})", of(*y), self.title(&planned.act), self.name(*x))?;
                }
                Act::Spread { x, y } => writeln!(f, "{} = {} everywhere", of(*y), self.name(*x))?,
                Act::Ask(asked, value) => {
                    writeln!(f, "{}: {} is {}", asked.caller, self.name(*value), asked.done())?;
                }
                Act::Link { .. } => {}
            }
        }
        writeln!(f, "return {}", self.names(&plan.targets))
    }
}

impl<F: TensorFloat> TensorFunction<F> {
    /// The plan as a graph in the language of Graphviz: `dot -Tsvg` draws it.
    ///
    /// What a replay does are boxes with shapes and bytes of what is made, pullbacks and passes of several steps among
    /// them. Inputs, data and parameters are bold, constants dashed; what makes a result has a double line. Bytes are
    /// those of the elements, also where a tensor shows the memory of another; of one element where one number stands
    /// for all.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// let f = TensorFunction::record(&[Tensor::from([[1.0, 2.0]])], |x| x[0].matmul(x[0].t()).sum())?;
    /// assert!(f.to_graphviz().contains(r#"x0 [shape=box, style=bold, label="input\nx0 [1, 2], 16 B"];"#));
    /// # Ok::<(), wengert_core::FunctionError>(())
    /// ```
    #[must_use]
    #[doc(alias = "graphviz")]
    pub fn to_graphviz(&self) -> String {
        self.drawing().to_graphviz()
    }

    /// The plan as a picture, an SVG file: what [`to_graphviz`](Self::to_graphviz) describes, drawn without Graphviz.
    ///
    /// Operands stand above what is made of them. Of programs of more than 200 nodes the middle is left out.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// let f = TensorFunction::record(&[Tensor::from([[1.0, 2.0]])], |x| x[0].matmul(x[0].t()).sum())?;
    /// assert!(f.to_svg().contains(">pullback of matmul</text>"));
    /// # Ok::<(), wengert_core::FunctionError>(())
    /// ```
    #[must_use]
    #[doc(alias = "draw")]
    pub fn to_svg(&self) -> String {
        self.drawing().to_svg()
    }

    fn drawing(&self) -> Drawing {
        let plan = self.plan();
        let mut drawing = Drawing::new("program");
        // The node that makes a value: itself, if it is handed in or constant.
        let mut maker: Vec<String> = (0..self.known.len()).map(|value| self.name(value)).collect();
        let mut is_drawn = vec![false; self.known.len()];
        for (k, planned) in plan.acts.iter().enumerate() {
            let act = &planned.act;
            let mut read = Vec::new();
            act.reads(|value| read.push(value));
            read.iter().for_each(|&value| self.draw_given(value, &mut is_drawn, &mut drawing));
            let mut made = Vec::new();
            act.writes(|value| made.push(value));
            let name = made.first().map_or_else(|| format!("a{k}"), |&value| self.name(value));
            let is_result = made.iter().any(|value| plan.targets.contains(value));
            let line = if is_result { Line::Double } else { Line::Plain };
            let values = made.iter().map(|&value| self.described(value));
            let text = [self.title(act)].into_iter().chain(values).collect::<Vec<_>>().join("\n");
            drawing.node(&name, Look::angular(line), text);
            let mut makers: Vec<&String> = read.iter().map(|&value| &maker[value]).collect();
            if matches!(act, Act::Pull { .. } | Act::Pass { .. }) {
                // These read many values at once, often of one maker.
                makers.sort_unstable();
                makers.dedup();
            }
            makers.into_iter().for_each(|maker| drawing.edge(maker, &name, ""));
            for value in made {
                maker[value].clone_from(&name);
            }
        }
        // Results that nothing computes: an input handed through, the zero gradient of what is not read.
        plan.targets.iter().for_each(|&value| self.draw_given(value, &mut is_drawn, &mut drawing));
        drawing
    }

    /// Draws a value that no act makes, once.
    fn draw_given(&self, value: Value, is_drawn: &mut [bool], drawing: &mut Drawing) {
        let (line, title) = match self.known[value].source {
            Source::Act => return,
            Source::Constant => (Line::Dashed, "constant"),
            Source::Input(_) => (Line::Bold, "input"),
            Source::Data(_) => (Line::Bold, "data"),
            Source::Parameter(_) => (Line::Bold, "parameter"),
        };
        if !core::mem::replace(&mut is_drawn[value], true) {
            let text = format!("{title}\n{}", self.described(value));
            drawing.node(self.name(value), Look::angular(line), text);
        }
    }

    /// The name of a value, its shape and its bytes.
    fn described(&self, value: Value) -> String {
        let Known { shape, splat, .. } = &self.known[value];
        let elements = if *splat { 1 } else { shape.iter().product() };
        format!("{} {shape}, {}", self.name(value), size(elements * size_of::<F>()))
    }

    /// What an act is called.
    fn title(&self, act: &Act<F>) -> String {
        let label = |rule: usize| self.rules[rule].rule.label();
        match act {
            Act::Forward { rule, .. } => label(*rule).to_owned(),
            Act::Pull { rule, .. } => format!("pullback of {}", label(*rule)),
            Act::Pass { chain, .. } if chain.len() == 1 => "pass of 1 step".to_owned(),
            Act::Pass { chain, .. } => format!("pass of {} steps", chain.len()),
            Act::Total { mean: true, .. } => "mean".to_owned(),
            Act::Total { .. } | Act::SumTo { .. } => "sum".to_owned(),
            Act::Spread { .. } => "everywhere".to_owned(),
            Act::Ask(asked, _) => asked.done(),
            Act::Link { .. } => "step".to_owned(),
        }
    }
}
