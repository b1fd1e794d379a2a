//! A tape as a graph to draw.

use super::observer::label;
use super::outline::{Entry, Outline, short, with_outline};
use crate::tape::Tape;
use crate::tape::node::{Edge, NOWHERE};
use crate::tensor::{Origin, TensorFloat};
use core::fmt::Write;

impl<F: TensorFloat> Tape<F> {
    /// The tape as a graph in the language of Graphviz: `dot -Tsvg` draws it.
    ///
    /// Tensors are boxes with op and shape, scalars are ellipses; constants are dashed, inputs bold. Edges to scalars carry
    /// the partial, edges from a tensor to a scalar the element that was read. Every node is drawn: meant for tapes of some
    /// hundred nodes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([[1.0, 2.0]]);
    /// let y = x.tanh();
    /// let graph = tape.to_graphviz();
    /// assert!(graph.contains(r#"t1 [shape=box, label="t1\ntanh\n[1, 2]"];"#));
    /// assert!(graph.contains("t0 -> t1;"));
    /// ```
    #[must_use]
    #[doc(alias = "graphviz")]
    #[doc(alias = "dot")]
    pub fn to_graphviz(&self) -> String {
        let mut graph = Graph(String::from("digraph tape {\n"));
        with_outline(self, |outline| outline.visit(|entry| graph.entry(outline, entry)));
        graph.0 + "}\n"
    }
}

struct Graph(String);

impl Graph {
    fn entry<F: TensorFloat>(&mut self, outline: &Outline<'_, F>, entry: Entry) {
        match entry {
            Entry::Input(node) => self.node('v', node, "ellipse, style=bold", &format!("v{node}\ninput")),
            Entry::Plain(node) => {
                self.scalar(node);
                outline.parents(node).for_each(|edge| self.partial(edge, 'v', node));
            }
            Entry::Nary { node, start, len } => {
                self.scalar(node);
                let edges = &outline.edges[start as usize..(start + len) as usize];
                edges.iter().for_each(|edge| self.partial(*edge, 'v', node));
            }
            Entry::Results { first, count, number } => {
                self.node('f', number, "ellipse", "pullback");
                outline.operands_of_pullback(number).iter().for_each(|edge| self.partial(*edge, 'f', number));
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
        let shape = match origin {
            Origin::Input => "box, style=bold",
            Origin::Constant => "box, style=dashed",
            _ => "box",
        };
        self.node('t', number, shape, &format!("t{number}\n{}\n{}", label(origin), outline.value(number).shape()));
        match origin {
            Origin::Op { operands, .. } => operands.iter().for_each(|&x| self.edge(('t', x), ('t', number), "")),
            Origin::Packed { start } => {
                outline.packed(number, *start).iter().for_each(|edge| self.partial(*edge, 't', number));
            }
            _ => {}
        }
    }

    fn scalar(&mut self, node: u32) {
        self.node('v', node, "ellipse", &format!("v{node}"));
    }

    fn node(&mut self, letter: char, number: u32, shape: &str, label: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "  {letter}{number} [shape={shape}, label=\"{}\"];", escaped(label));
    }

    fn partial<F: TensorFloat>(&mut self, edge: Edge<F>, letter: char, number: u32) {
        if edge.parent != NOWHERE {
            self.edge(('v', edge.parent), (letter, number), &short(edge.partial));
        }
    }

    fn edge(&mut self, from: (char, u32), to: (char, u32), label: &str) {
        let ((a, i), (b, k)) = (from, to);
        let label = if label.is_empty() { String::new() } else { format!(" [label=\"{}\"]", escaped(label)) };
        let _ = writeln!(self.0, "  {a}{i} -> {b}{k}{label};");
    }
}

/// A label between quotes: users name their own ops as they like.
fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
