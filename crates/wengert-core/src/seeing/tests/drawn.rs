//! Lists and graphs.

use super::{Quoted, small};
use crate::Primal;
use crate::prelude::*;

#[test]
fn the_listing_of_a_small_tape_is_the_one_written_by_hand() {
    let tape = Tape::new();
    small(&tape);
    // d c/da = b = 2, d c/db = a = 3; y = 10 * 6, so its partials are 6 and 10. Scalars: 6 nodes of 24 bytes and 2 packed
    // edges of 16. Tensors: 32 + 16 + 16 + 8 + 16 + 16 + 8; t3 shares the memory of t2. Cotangents: at the pullback of t2
    // those of t0 (32), t2 (16) and the retained t3 (16) are alive.
    let expected = "\
v1 = input
v2 = input
v3 = f(v1, v2)                    partials 2, 3
t0 = input                        [2, 2]                32 B  active
t1 = constant                     [2, 1]                16 B  constant
t2 = matmul(t0, t1)               [2, 1]                16 B  active
t3 = reshape(t2)                  [2]                   view  active, retained
t4 = sum(t3)                      []                     8 B  active
v4 = element 0 of t4
v5 = f(v4, v3)                    partials 6, 10
t6 = pack(v5, v1)                 [2]                   16 B  active
t7 = square(t6)                   [2]                   16 B  active
t8 = sum(t7)                      []                     8 B  active
v6 = element 0 of t8
total: 6 scalar nodes, 176 B; 8 tensor nodes, 112 B; cotangents in a sweep, 64 B
";
    assert_eq!(tape.listing().to_string(), expected);
    assert_eq!(tape.to_string(), expected);
}

#[test]
fn an_empty_tape_lists_nothing_and_counts_zero() {
    let text = Tape::new().listing().to_string();
    assert_eq!(text, "total: 0 scalar nodes, 0 B; 0 tensor nodes, 0 B; cotangents in a sweep, 0 B\n");
}

#[test]
fn n_ary_nodes_and_pullbacks_are_listed_with_their_operands() {
    #[derive(Clone)]
    struct ProductAndSum;
    impl CustomVectorFn for ProductAndSum {
        fn value(&self, x: &[f64]) -> Vec<f64> {
            vec![x[0] * x[1], x[0] + x[1]]
        }
        fn vjp<T: Number + Primal<Base = f64>>(&self, x: &[T], _y: &[T], y_bar: &[T], x_bar: &mut [T]) {
            x_bar[0] = y_bar[0] * x[1] + y_bar[1];
            x_bar[1] = y_bar[0] * x[0] + y_bar[1];
        }
    }
    let tape = Tape::new();
    let x = tape.vars(&[1.0, 2.0, 3.0]);
    let _sum = sum(&x);
    let y = ProductAndSum.call(&x[..2]);
    let _product = y[0] * y[1];
    let text = tape.listing().to_string();
    let lines: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[3], "v4 = f(v1, v2, v3) partials 1, 1, 1");
    assert_eq!(lines[4], "v5..v6 = pullback(v1, v2)");
    assert_eq!(lines[5], "v7 = f(v5, v6) partials 3, 2");
    let graph = tape.to_graphviz();
    for edge in ["v2 -> f0", "f0 -> v5;", "f0 -> v6;", "v5 -> v7 [label=\"3\"];"] {
        assert!(graph.contains(edge), "{edge} is missing in\n{graph}");
    }
}

#[test]
fn a_long_listing_leaves_out_its_middle() {
    let tape = Tape::new();
    let mut x = tape.tensor([1.0]);
    for _ in 0..999 {
        x = x.sin();
    }
    let text = tape.listing().entries(5).to_string();
    let first: Vec<&str> =
        text.lines().filter_map(|line| line.split(' ').next()).filter(|word| !word.is_empty()).collect();
    assert_eq!(first, ["t0", "t1", "t2", "t998", "t999", "total:"]);
    assert!(text.contains("   995 entries left out\n"));
    assert_eq!(tape.listing().to_string().lines().count(), 60 + 2);
    assert_eq!(tape.listing().entries(1000).to_string().lines().count(), 1000 + 1);
    assert_eq!(tape.listing().entries(0).to_string().lines().count(), 2);
}

/// Characters outside of strings, and the strings.
fn outside_and_strings(text: &str) -> (String, Vec<String>) {
    let (mut outside, mut strings) = (String::new(), Vec::new());
    let mut text = text.chars();
    while let Some(c) = text.next() {
        if c != '"' {
            outside.push(c);
            continue;
        }
        let mut string = String::new();
        loop {
            match text.next().expect("a string ends") {
                '"' => break,
                '\\' => string.extend(['\\', text.next().expect("a character follows a backslash")]),
                c => string.push(c),
            }
        }
        strings.push(string);
    }
    (outside, strings)
}

#[test]
fn the_graph_is_well_formed_and_draws_every_node_once() {
    let tape = Tape::new();
    small(&tape);
    tape.tensor([1.0]).apply(Quoted, &[]);
    let graph = tape.to_graphviz();
    let (outside, strings) = outside_and_strings(&graph);
    assert_eq!((outside.matches('{').count(), outside.matches('}').count()), (1, 1));
    assert_eq!(outside.matches('[').count(), outside.matches(']').count());
    let lines: Vec<&str> = outside.lines().collect();
    assert_eq!((lines[0], lines[lines.len() - 1]), ("digraph tape {", "}"));
    assert!(lines[1..lines.len() - 1].iter().all(|line| line.starts_with("  ") && line.ends_with(';')));
    // t5 and t9 are the reads: their scalars are drawn, not they.
    let nodes = ["v1", "v2", "v3", "v4", "v5", "v6", "t0", "t1", "t2", "t3", "t4", "t6", "t7", "t8", "t10", "t11"];
    for node in nodes {
        assert_eq!(graph.matches(&format!("\n  {node} [")).count(), 1, "{node} in\n{graph}");
    }
    assert_eq!(lines.iter().filter(|line| line.contains("shape=")).count(), nodes.len());
    for (node, shape) in [("v3", "ellipse"), ("v1", "ellipse, style=bold"), ("t1", "box, style=dashed"), ("t2", "box,")]
    {
        assert!(graph.contains(&format!("{node} [shape={shape}")), "{node}");
    }
    assert!(graph.contains("t0 -> t2;") && graph.contains("t1 -> t2;"));
    assert!(graph.contains("t4 -> v4 [label=\"[0]\"];") && graph.contains("v3 -> v5 [label=\"10\"];"));
    assert!(strings.contains(&r#"t11\nsay \"hi\" \\ {now\n[1]"#.to_owned()), "{strings:?}");
}

#[test]
fn the_picture_shows_what_the_graph_says() {
    let tape = Tape::new();
    small(&tape);
    tape.tensor([1.0]).apply(Quoted, &[]);
    let (graph, svg) = (tape.to_graphviz(), tape.to_svg());
    let ends = |line: &str| line.split([';', '[']).next().unwrap_or_default().trim().to_owned();
    let mut expected: Vec<String> = graph.lines().filter(|line| line.contains(" -> ")).map(ends).collect();
    let titles = svg.split("<title>").filter_map(|text| text.split_once("</title>"));
    let titles = titles.map(|(title, _)| title.replace("&gt;", ">"));
    let mut found: Vec<String> = titles.filter(|title| title.contains(" -> ")).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let nodes = graph.matches("shape=").count();
    assert_eq!(svg.matches("<title>").count(), 1 + nodes + expected.len());
    assert!(svg.contains(">[2, 2]</text>") && svg.contains(">10</text>"), "{svg}");
    assert!(svg.contains(r#">say "hi" \ {now</text>"#), "{svg}");
}
