//! Recorded functions as text: a Wengert list to read, and a graph to draw.

use super::Function;
use super::list::{Id, List, Op, Step};
use crate::drawing::{Drawing, Line, Look};
use crate::tape::Nary;
use crate::tensor::TensorFloat;
use core::fmt::{self, Display, Write};
use wengert_kernels::{Binary, Parametric, Unary};

/// An operand by its name: `x0` for inputs, `d0` for data, `v0` for results, constants as they are.
struct Named<'a, F>(&'a List<F>, Id);

impl<F: TensorFloat> Display for Named<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Named(list, id) = self;
        match id.number() {
            k if id.is_constant() => write!(f, "{:?}", list.constants[k]),
            k if k < list.inputs => write!(f, "x{k}"),
            k if k < list.first_result() => write!(f, "d{}", k - list.inputs),
            k => write!(f, "v{}", k - list.first_result()),
        }
    }
}

/// A step as a formula.
struct Formula<'a, F>(&'a List<F>, &'a Step);

impl<F: TensorFloat> Display for Formula<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Formula(list, step) = self;
        let name = |id: Id| Named(list, id);
        match (step.op, list.operands(step)) {
            (Op::Unary(Unary::Neg), &[a]) => write!(f, "-{}", name(a)),
            (Op::Binary(Binary::Add), &[a, b]) => write!(f, "{} + {}", name(a), name(b)),
            (Op::Binary(Binary::Sub), &[a, b]) => write!(f, "{} - {}", name(a), name(b)),
            (Op::Binary(Binary::Mul), &[a, b]) => write!(f, "{} * {}", name(a), name(b)),
            (Op::Binary(Binary::Div), &[a, b]) => write!(f, "{} / {}", name(a), name(b)),
            (Op::MulAdd, &[a, b, c]) => write!(f, "{} * {} + {}", name(a), name(b), name(c)),
            (Op::MulSub, &[a, b, c]) => write!(f, "{} * {} - {}", name(a), name(b), name(c)),
            (Op::SubMul, &[a, b, c]) => write!(f, "{} - {} * {}", name(c), name(a), name(b)),
            (op, operands) => {
                let parametric = (op == Op::Parametric).then(|| list.parameters[step.operands[1].raw() as usize]);
                f.write_str(parametric.map_or(op.name(), Parametric::name))?;
                for (k, &id) in operands.iter().enumerate() {
                    write!(f, "{}{}", if k == 0 { "(" } else { ", " }, name(id))?;
                }
                for constant in parametric.map_or_else(Vec::new, Parametric::constants) {
                    write!(f, ", {constant}")?;
                }
                f.write_char(')')
            }
        }
    }
}

/// The function as a Wengert list: one line for each operation left after optimising, then the guards and the outputs.
///
/// # Examples
/// ```
/// # use wengert_core::prelude::*;
/// # fn main() -> Result<(), wengert_core::FunctionError> {
/// let f = Function::record(&[1.0, 2.0], |x| (x[0] * x[1]).sin() * x[0] + 2.0)?;
/// let text = "inputs x0, x1\nv0 = x0 * x1\nv1 = sin(v0)\nv2 = x0 * v1 + 2.0\noutputs v2\n";
/// assert_eq!(f.to_string(), text);
/// # Ok(()) }
/// ```
impl<F: TensorFloat> Display for Function<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = &*self.list;
        names(f, "inputs", (0..list.inputs).map(|k| Named(list, Id::value(k))))?;
        if list.data > 0 {
            names(f, "data", (list.inputs..list.first_result()).map(|k| Named(list, Id::value(k))))?;
        }
        for (k, step) in list.steps.iter().enumerate() {
            writeln!(f, "v{k} = {}", Formula(list, step))?;
        }
        for guard in &list.guards {
            let (a, b) = (Named(list, guard.a), Named(list, guard.b));
            writeln!(f, "guard {a} {} {b} is {} ({})", guard.question, guard.answer, guard.place)?;
        }
        names(f, "outputs", list.outputs.iter().map(|&id| Named(list, id)))
    }
}

fn names(f: &mut fmt::Formatter<'_>, what: &str, names: impl Iterator<Item = impl Display>) -> fmt::Result {
    f.write_str(what)?;
    for (k, name) in names.enumerate() {
        write!(f, "{}{name}", if k == 0 { " " } else { ", " })?;
    }
    f.write_char('\n')
}

impl<F: TensorFloat> Function<F> {
    /// The function as a graph in the language of Graphviz: `dot -Tsvg` draws it. Inputs and data are boxes, outputs
    /// have a double line, constants are dashed boxes with their value.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 2.0], |x| x[0] * x[1])?;
    /// assert!(f.to_graphviz().contains("x0 -> v0;"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn to_graphviz(&self) -> String {
        self.drawing().to_graphviz()
    }

    /// The function as a picture, an SVG file: what [`to_graphviz`](Self::to_graphviz) describes, drawn without
    /// Graphviz.
    ///
    /// Operands stand above what is made of them. Of functions of more than 200 nodes the middle is left out.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # fn main() -> Result<(), wengert_core::FunctionError> {
    /// let f = Function::record(&[1.0, 2.0], |x| x[0] * x[1])?;
    /// assert!(f.to_svg().contains("<title>x0 -&gt; v0</title>"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[doc(alias = "draw")]
    pub fn to_svg(&self) -> String {
        self.drawing().to_svg()
    }

    fn drawing(&self) -> Drawing {
        let list = &*self.list;
        let mut drawing = Drawing::new("function");
        let name = |id: Id| match id.number() {
            k if id.is_constant() => format!("c{k}"),
            _ => Named(list, id).to_string(),
        };
        let line = |id: Id| if list.outputs.contains(&id) { Line::Double } else { Line::Plain };
        for id in (0..list.first_result()).map(Id::value) {
            drawing.node(name(id), Look::angular(line(id)), name(id));
        }
        for (k, constant) in list.constants.iter().enumerate() {
            drawing.node(format!("c{k}"), Look::angular(Line::Dashed), format!("{constant:?}"));
        }
        for (k, step) in list.steps.iter().enumerate() {
            let id = Id::value(list.first_result() + k);
            drawing.node(name(id), Look::round(line(id)), label(list, step));
            for &operand in list.operands(step) {
                drawing.edge(&name(operand), &name(id), "");
            }
        }
        drawing
    }
}

/// The name of an operation with the constants it takes: `powi 3`.
fn label<F: TensorFloat>(list: &List<F>, step: &Step) -> String {
    if step.op != Op::Parametric {
        return step.op.name().to_owned();
    }
    let op = list.parameters[step.operands[1].raw() as usize];
    op.constants().iter().fold(op.name().to_owned(), |text, constant| format!("{text} {constant}"))
}

impl Op {
    /// The name it is printed and saved under.
    pub(super) fn name(self) -> &'static str {
        match self {
            Op::Unary(op) => op.name(),
            Op::Binary(op) => op.name(),
            Op::MulAdd => "mul_add",
            Op::MulSub => "mul_sub",
            Op::SubMul => "sub_mul",
            Op::Parametric => "parametric", // each by its own name: the list knows which
            Op::Detach => "detach",
            Op::Nary(Nary::Sum) => "sum",
            Op::Nary(Nary::Product) => "product",
            Op::Nary(Nary::Dot) => "dot",
            Op::Nary(Nary::Norm2) => "norm2",
            Op::Nary(Nary::LogSumExp) => "log_sum_exp",
        }
    }

    /// The operation of a name.
    pub(super) fn named(name: &str) -> Option<Op> {
        let unary = Unary::ALL.iter().map(|&op| Op::Unary(op));
        let binary = Binary::ALL.iter().map(|&op| Op::Binary(op));
        let nary = [Nary::Sum, Nary::Product, Nary::Dot, Nary::Norm2, Nary::LogSumExp].map(Op::Nary);
        let others = [Op::MulAdd, Op::MulSub, Op::SubMul, Op::Detach];
        unary.chain(binary).chain(nary).chain(others).find(|op| op.name() == name)
    }
}
