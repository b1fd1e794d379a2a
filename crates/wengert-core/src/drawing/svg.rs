//! A drawing as SVG.

use super::layers::{Given, LABEL, Layout, Point, layout};
use super::{Drawing, Line, Look, Node};
use core::fmt::Write;

/// The width of a letter and the height of a line, in pixels, of the monospaced letters that labels are written in:
/// they look alike everywhere, so boxes fit them.
const LETTER: f64 = 7.2;
const ROW: f64 = 15.0;
/// The same of the smaller letters at edges.
const SMALL: f64 = 6.0;

/// Width and height of a node.
fn size(node: &Node) -> (f64, f64) {
    let rows = node.label.lines().count() as f64;
    let letters = node.label.lines().map(|line| line.chars().count()).max().unwrap_or(0) as f64;
    let margin = if node.look.line == Line::Double { 6.0 } else { 0.0 };
    let (width, height) = (letters * LETTER + 14.0 + margin, rows * ROW + 10.0 + margin);
    // An ellipse around the same text is wider and higher.
    if node.look.round { (width * 1.2 + 8.0, height + 6.0) } else { (width, height) }
}

pub(super) fn written(drawing: &Drawing) -> String {
    let sizes: Vec<(f64, f64)> = drawing.nodes.iter().map(size).collect();
    let width = |label: &str| label.chars().count() as f64 * SMALL;
    let edges: Vec<_> = drawing.edges.iter().map(|edge| (edge.from, edge.to, width(&edge.label))).collect();
    let Layout { nodes, edges, labels, width, height } = layout(&Given { nodes: &sizes, edges: &edges });
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"monospace\" font-size=\"12\" text-anchor=\"middle\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 1 L8 4 L0 7 Z\" fill=\"#555\"/></marker></defs>\n",
        drawing.title
    );
    // Writing to a string cannot fail.
    for (edge, points) in drawing.edges.iter().zip(edges) {
        let [from, to] = [edge.from, edge.to].map(|k| (&drawing.nodes[k], nodes[k], sizes[k]));
        let _ = write!(text, "<g><title>{} -&gt; {}</title>", escaped(&from.0.name), escaped(&to.0.name));
        let start = border(from, points.first().map_or(from.1.0, |p| p.0), 1.0);
        let end = border(to, points.last().map_or(to.1.0, |p| p.0), -1.0);
        let path = path(start, &points, end);
        let _ = writeln!(text, "<path d=\"{path}\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#head)\"/></g>");
    }
    for (node, (&centre, &size)) in drawing.nodes.iter().zip(nodes.iter().zip(&sizes)) {
        write_node(&mut text, node, centre, size);
    }
    // On top of edges and on a piece of paper each, so that a line that passes does not strike them out.
    for (edge, (x, y)) in drawing.edges.iter().zip(labels).filter(|(edge, _)| !edge.label.is_empty()) {
        let y = y + LABEL / 3.0;
        let _ = writeln!(
            text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"10\" stroke=\"white\" stroke-width=\"4\" paint-order=\"stroke\">{}</text>",
            escaped(&edge.label)
        );
    }
    text + "</svg>\n"
}

fn write_node(text: &mut String, node: &Node, (x, y): Point, (width, height): (f64, f64)) {
    let _ = write!(text, "<g><title>{}</title>", escaped(&node.name));
    outline(text, node.look, (x, y), (width, height), "");
    if node.look.line == Line::Double {
        outline(text, node.look, (x, y), (width - 6.0, height - 6.0), " class=\"inner\"");
    }
    let rows = node.label.lines().count() as f64;
    for (k, line) in node.label.lines().enumerate() {
        let y = y + (k as f64 - (rows - 1.0) / 2.0) * ROW + 4.0;
        let _ = write!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(line));
    }
    text.push_str("</g>\n");
}

fn outline(text: &mut String, look: Look, (x, y): Point, (width, height): (f64, f64), class: &str) {
    let line = match look.line {
        Line::Plain | Line::Double => "stroke=\"black\"",
        Line::Bold => "stroke=\"black\" stroke-width=\"2.2\"",
        Line::Dashed => "stroke=\"black\" stroke-dasharray=\"5 3\"",
    };
    let (rx, ry, fill) = (width / 2.0, height / 2.0, look.fill());
    let _ = if look.round {
        write!(
            text,
            "<ellipse{class} cx=\"{x:.1}\" cy=\"{y:.1}\" rx=\"{rx:.1}\" ry=\"{ry:.1}\" fill=\"{fill}\" {line}/>"
        )
    } else {
        let (left, top) = (x - rx, y - ry);
        write!(
            text,
            "<rect{class} x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"3\" fill=\"{fill}\" {line}/>"
        )
    };
}

/// The point below (`side` 1) or above (-1) a place `x` on the line around a node.
fn border((node, (centre, y), (width, height)): (&Node, Point, (f64, f64)), x: f64, side: f64) -> Point {
    let across = 2.0 * (x - centre) / width;
    let share = if node.look.round { (1.0 - across * across).max(0.0).sqrt() } else { 1.0 };
    (x, y + side * share * height / 2.0)
}

/// Lines where an edge passes a layer, curves between them.
fn path(start: Point, points: &[Point], end: Point) -> String {
    let mut path = format!("M{:.1} {:.1}", start.0, start.1);
    let mut last = start;
    for (k, &(x, y)) in points.iter().enumerate() {
        let _ = if k % 2 == 0 || x == last.0 {
            write!(path, " V{y:.1}")
        } else {
            let middle = (last.1 + y) / 2.0;
            write!(path, " C{:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}", last.0)
        };
        last = (x, y);
    }
    path + &format!(" V{:.1}", end.1)
}

/// Text between tags: users name their own ops as they like.
fn escaped(text: &str) -> String {
    // Control characters are no characters of XML, whichever way they are written.
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
