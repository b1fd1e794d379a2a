//! What is drawn of tapes, functions and programs: nodes with a label, and edges.
//!
//! A [`Drawing`] is filled in the order of the list, so every edge leads from a node to a later one. It is written in
//! the language of Graphviz, or laid out here (`layers`) and written as SVG (`svg`), for which nothing need be
//! installed.

mod layers;
mod svg;
#[cfg(test)]
mod tests;

use core::fmt::Write;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of the largest picture: about as many as fit a wall.
const MOST: usize = 200;

/// A graph to draw.
pub(crate) struct Drawing {
    title: &'static str,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    numbers: BTreeMap<String, usize>,
}

struct Node {
    name: String,
    look: Look,
    label: String,
}

/// From node to node, by position.
struct Edge {
    from: usize,
    to: usize,
    label: String,
}

/// How a node is drawn.
#[derive(Clone, Copy, Default)]
pub(crate) struct Look {
    /// An ellipse, not a box.
    pub(crate) round: bool,
    pub(crate) line: Line,
    /// How dark it is filled: from 0, the paper, to 1.
    pub(crate) shade: f64,
}

/// The line around a node.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Line {
    #[default]
    Plain,
    Bold,
    Dashed,
    Double,
}

impl Look {
    /// A box.
    pub(crate) const fn angular(line: Line) -> Look {
        Look { round: false, line, shade: 0.0 }
    }

    /// An ellipse.
    pub(crate) const fn round(line: Line) -> Look {
        Look { round: true, line, shade: 0.0 }
    }

    /// The colour it is filled with: white, or a tint of one orange. The darkest still bears black letters, and printed
    /// in greys the tints keep their order.
    fn fill(self) -> String {
        const DARKEST: [u8; 3] = [0xf6, 0xa9, 0x4a];
        let [red, green, blue] = DARKEST.map(|part| (255.0 - self.shade * (255.0 - f64::from(part))).round() as u8);
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Drawing {
    pub(crate) fn new(title: &'static str) -> Drawing {
        Drawing { title, nodes: Vec::new(), edges: Vec::new(), numbers: BTreeMap::new() }
    }

    /// A node with lines of text on it.
    pub(crate) fn node(&mut self, name: impl Into<String>, look: Look, label: impl Into<String>) {
        let (name, label) = (name.into(), label.into());
        self.numbers.insert(name.clone(), self.nodes.len());
        self.nodes.push(Node { name, look, label });
    }

    /// An edge between two nodes that are there already.
    pub(crate) fn edge(&mut self, from: &str, to: &str, label: impl Into<String>) {
        let number = |name| self.numbers.get(name).copied();
        let ends = number(from).zip(number(to));
        debug_assert!(
            ends.is_some_and(|(from, to)| from < to),
            "{from} -> {to} does not lead from a node to a later one"
        );
        self.edges.extend(ends.map(|(from, to)| Edge { from, to, label: label.into() }));
    }

    /// The graph in the language of Graphviz.
    pub(crate) fn to_graphviz(&self) -> String {
        let mut text = format!("digraph {} {{\n", self.title);
        for Node { name, look, label } in &self.nodes {
            let shape = if look.round { "ellipse" } else { "box" };
            let is_shaded = look.shade > 0.0;
            let line = match (look.line, is_shaded) {
                (Line::Plain, false) => "",
                (Line::Plain, true) => ", style=filled",
                (Line::Bold, false) => ", style=bold",
                (Line::Bold, true) => ", style=\"bold,filled\"",
                (Line::Dashed, false) => ", style=dashed",
                (Line::Dashed, true) => ", style=\"dashed,filled\"",
                (Line::Double, false) => ", peripheries=2",
                (Line::Double, true) => ", peripheries=2, style=filled",
            };
            let fill = if is_shaded { format!(", fillcolor=\"{}\"", look.fill()) } else { String::new() };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {name} [shape={shape}{line}{fill}, label=\"{}\"];", quoted(label));
        }
        for Edge { from, to, label } in &self.edges {
            let (from, to) = (&self.nodes[*from].name, &self.nodes[*to].name);
            let label = if label.is_empty() { String::new() } else { format!(" [label=\"{}\"]", quoted(label)) };
            let _ = writeln!(text, "  {from} -> {to}{label};");
        }
        text + "}\n"
    }

    /// The graph as an SVG picture, without its middle if it has more than [`MOST`] nodes.
    pub(crate) fn to_svg(&self) -> String {
        if self.nodes.len() > MOST { svg::written(&self.without_middle()) } else { svg::written(self) }
    }

    /// The first and the last nodes, and one that stands for those between them.
    fn without_middle(&self) -> Drawing {
        const GAP: &str = "...";
        let (first, rest) = (MOST / 2, self.nodes.len() - MOST / 2);
        let mut drawing = Drawing::new(self.title);
        for (k, Node { name, look, label }) in self.nodes.iter().enumerate() {
            if k == first {
                drawing.node(GAP, Look::angular(Line::Dashed), format!("{} nodes left out", rest - first));
            }
            if k < first || k >= rest {
                drawing.node(name, *look, label);
            }
        }
        let name = |k: usize| if k < first || k >= rest { &self.nodes[k].name } else { GAP };
        let mut through = BTreeSet::new();
        for Edge { from, to, label } in &self.edges {
            match (name(*from), name(*to)) {
                (GAP, GAP) => {}
                // What leads into the gap and out of it is drawn once for each node.
                (from, to) if from == GAP || to == GAP => {
                    if through.insert((from, to)) {
                        drawing.edge(from, to, "");
                    }
                }
                (from, to) => drawing.edge(from, to, label),
            }
        }
        drawing
    }
}

/// A label between quotes: users name their own ops as they like.
fn quoted(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
