//! A tape as a graph to draw.

use super::observer::label;
use super::outline::{Entry, Outline, short, with_outline};
use super::times::Took;
use crate::drawing::{Drawing, Line, Look};
use crate::tape::Tape;
use crate::tape::node::{Edge, NOWHERE};
use crate::tensor::{Origin, TensorFloat};
use std::time::Duration;

impl<F: TensorFloat> Tape<F> {
    /// The tape as a graph in the language of Graphviz: `dot -Tsvg` draws it.
    ///
    /// Tensors are boxes with op, number, shape and bytes (`view` where one shows an operand's memory), scalars are
    /// ellipses; constants are dashed, inputs bold. Edges to scalars carry the partial, edges from a tensor to a scalar
    /// the element that was read. Every node is drawn: meant for tapes of some hundred nodes.
    ///
    /// While a [`profile`](Self::profile) is there, boxes have the time of the op as well: to evaluate it, in all
    /// sweeps since, and its share of the time of all ops on the tape. Boxes are shaded by their time, the longest
    /// darkest.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0]]);
    /// let y = x.tanh();
    /// let graph = tape.to_graphviz();
    /// assert!(graph.contains(r#"t1 [shape=box, label="tanh\nt1 [1, 2], 16 B"];"#));
    /// assert!(graph.contains("t0 -> t1;"));
    /// ```
    #[must_use]
    #[doc(alias = "graphviz")]
    #[doc(alias = "dot")]
    pub fn to_graphviz(&self) -> String {
        self.drawing().to_graphviz()
    }

    /// The tape as a picture, an SVG file: what [`to_graphviz`](Self::to_graphviz) describes, drawn without Graphviz.
    ///
    /// Operands stand above what is made of them. Of tapes of more than 200 nodes the middle is left out.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let profile = tape.profile(); // for the times; without it the picture has shapes and bytes
    /// let x = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.matmul(x).tanh().sum();
    /// y.gradient();
    /// let picture = tape.to_svg();
    /// # let path = std::env::temp_dir().join("wengert-doc-tape.svg");
    /// std::fs::write(&path, &picture)?;
    /// assert!(picture.starts_with("<svg") && picture.contains(">t1 [2, 2], 32 B</text>"));
    /// assert_eq!(picture.matches(", sweep ").count(), 3, "the product, tanh and the sum");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    #[doc(alias = "draw")]
    pub fn to_svg(&self) -> String {
        self.drawing().to_svg()
    }

    fn drawing(&self) -> Drawing {
        with_outline(self, |outline| {
            let (sum, longest) = (outline.times.sum(), outline.times.longest());
            let mut graph = Graph { drawing: Drawing::new("tape"), sum, longest };
            outline.visit(|entry| graph.entry(outline, entry));
            graph.drawing
        })
    }
}

struct Graph {
    drawing: Drawing,
    /// The time of all ops, and of the one that took longest.
    sum: Duration,
    longest: Duration,
}

impl Graph {
    fn entry<F: TensorFloat>(&mut self, outline: &Outline<'_, F>, entry: Entry) {
        match entry {
            Entry::Input(node) => {
                self.drawing.node(format!("v{node}"), Look::round(Line::Bold), format!("input\nv{node}"));
            }
            Entry::Plain(node) => {
                self.scalar(node);
                outline.parents(node).for_each(|edge| self.partial(edge, ('v', node)));
            }
            Entry::Nary { node, start, len } => {
                self.scalar(node);
                let edges = &outline.edges[start as usize..(start + len) as usize];
                edges.iter().for_each(|edge| self.partial(*edge, ('v', node)));
            }
            Entry::Results { first, count, number } => {
                self.drawing.node(format!("f{number}"), Look::round(Line::Plain), "pullback");
                outline.operands_of_pullback(number).iter().for_each(|edge| self.partial(*edge, ('f', number)));
                for node in first..first + count {
                    self.scalar(node);
                    self.edge(('f', number), ('v', node), "");
                }
            }
            Entry::Tensor(number) => self.tensor(outline, number),
        }
    }

    fn tensor<F: TensorFloat>(&mut self, outline: &Outline<'_, F>, number: u32) {
        let origin = &outline.tensors.origins[number as usize];
        if let (Origin::Read { of, element, .. }, Some((first, count))) = (origin, outline.read(number)) {
            for node in first..first + count {
                self.scalar(node);
                let element = element.unwrap_or(node - first);
                self.edge(('t', *of), ('v', node), &format!("[{element}]"));
            }
            return;
        }
        let line = match origin {
            Origin::Input => Line::Bold,
            Origin::Constant => Line::Dashed,
            _ => Line::Plain,
        };
        let mut look = Look::angular(line);
        let mut text = label(origin).to_owned();
        let took = outline.times.of(number);
        if let Some(took) = took {
            text += &format!(", {:.1} %", 100.0 * share(took, self.sum));
            look.shade = share(took, self.longest);
        }
        text += &format!("\nt{number} {}, {}", outline.value(number).shape(), outline.memory(number));
        text.extend(took.map(|took| format!("\n{took}")));
        self.drawing.node(format!("t{number}"), look, text);
        match origin {
            Origin::Op { operands, .. } => operands.iter().for_each(|&x| self.edge(('t', x), ('t', number), "")),
            Origin::Packed { start } => {
                outline.packed(number, *start).iter().for_each(|edge| self.partial(*edge, ('t', number)));
            }
            _ => {}
        }
    }

    fn scalar(&mut self, node: u32) {
        self.drawing.node(format!("v{node}"), Look::round(Line::Plain), format!("v{node}"));
    }

    fn partial<F: TensorFloat>(&mut self, edge: Edge<F>, to: (char, u32)) {
        if edge.parent != NOWHERE {
            self.edge(('v', edge.parent), to, &short(edge.partial));
        }
    }

    fn edge(&mut self, (a, i): (char, u32), (b, k): (char, u32), label: &str) {
        self.drawing.edge(&format!("{a}{i}"), &format!("{b}{k}"), label);
    }
}

/// The time of an op as a share of another. Clocks may be too coarse to see any.
fn share(took: Took, of: Duration) -> f64 {
    if of.is_zero() { 0.0 } else { took.total().as_secs_f64() / of.as_secs_f64() }
}
