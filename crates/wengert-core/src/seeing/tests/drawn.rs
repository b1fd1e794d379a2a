//! Lists and graphs.

use super::{Quoted, small};
use crate::prelude::*;
use crate::seeing::profile::{Event, Phase};
use crate::{Primal, Profile};
use std::time::{Duration, Instant};
use wengert_tensor::{Shape, Tensor};

#[test]
fn the_listing_of_a_small_tape_is_the_one_written_by_hand() {
    let tape = Tape::new();
    small(&tape);
    // d c/da = b = 2, d c/db = a = 3; y = 10 * 6, so its partials are 6 and 10. Scalars: 6 nodes of 24 bytes and 2
    // packed edges of 16. Tensors: 32 + 16 + 16 + 8 + 16 + 16 + 8; t3 shares the memory of t2. Cotangents: at the
    // pullback of t2 those of t0 (32), t2 (16) and the retained t3 (16) are alive.
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
    assert!(strings.contains(&r#"say \"hi\" \\ {now\nt11 [1], view"#.to_owned()), "{strings:?}");
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
    assert!(svg.contains(">t0 [2, 2], 32 B</text>") && svg.contains(">10</text>"), "{svg}");
    assert!(svg.contains(">t3 [2], view</text>") && !svg.contains(" %</text>"), "{svg}");
    assert!(svg.contains(r#">say "hi" \ {now</text>"#), "{svg}");
}

/// A tape of a product, `tanh` and a sum, with times of round numbers in place of those the clock said.
fn timed(tape: &Tape) -> Profile {
    let x = tape.tensor(Tensor::full([32, 32], 0.5));
    let profile = tape.profile();
    let y = x.matmul(x).tanh().sum();
    y.gradient();
    let run = |node, phase, nanoseconds| {
        let (shape, start, time) = (Shape::from([]), Instant::now(), Duration::from_nanos(nanoseconds));
        profile.log().times.note(&Event { op: "op", node, phase, shape, bytes: 0, start, time });
    };
    run(1, Phase::Forward, 1500);
    run(1, Phase::Sweep, 2000);
    run(1, Phase::Sweep, 2500);
    run(2, Phase::Forward, 3600);
    run(3, Phase::Forward, 400);
    run(3, Phase::Sweep, 2000);
    profile
}

#[test]
fn a_profiled_tape_shows_the_time_of_every_op_as_written_by_hand() {
    let tape = Tape::new();
    let profile = timed(&tape);
    // 1024 elements of 8 bytes. Times of 6, 3.6 and 2.4 us, together 12: shares of 50, 30 and 20 %, and 1, 0.6 and 0.4
    // of the longest. So much of the way from white to (246, 169, 74), in hexadecimal f6a94a: 0.6 of it is (249.6,
    // 203.4, 146.4), 0.4 of it (251.4, 220.6, 182.6).
    let graph = r##"digraph tape {
  t0 [shape=box, style=bold, label="input\nt0 [32, 32], 8.0 KiB"];
  t1 [shape=box, style=filled, fillcolor="#f6a94a", label="matmul, 50.0 %\nt1 [32, 32], 8.0 KiB\n1.5 us, sweep 4.5 us"];
  t2 [shape=box, style=filled, fillcolor="#facb92", label="tanh, 30.0 %\nt2 [32, 32], 8.0 KiB\n3.6 us"];
  t3 [shape=box, style=filled, fillcolor="#fbddb7", label="sum, 20.0 %\nt3 [], 8 B\n0.4 us, sweep 2.0 us"];
  t0 -> t1;
  t0 -> t1;
  t1 -> t2;
  t2 -> t3;
}
"##;
    assert_eq!(tape.to_graphviz(), graph);
    let listing = "\
t0 = input                        [32, 32]           8.0 KiB  active
t1 = matmul(t0, t0)               [32, 32]           8.0 KiB  active            1.5 us, sweep 4.5 us
t2 = tanh(t1)                     [32, 32]           8.0 KiB  active            3.6 us
t3 = sum(t2)                      []                     8 B  active            0.4 us, sweep 2.0 us
";
    assert!(tape.to_string().starts_with(listing), "{tape}");
    let svg = tape.to_svg();
    for text in ["matmul, 50.0 %", "t1 [32, 32], 8.0 KiB", "1.5 us, sweep 4.5 us", "3.6 us", "t3 [], 8 B"] {
        assert_eq!(svg.matches(&format!(">{text}</text>")).count(), 1, "{text} in\n{svg}");
    }
    for (fill, count) in [("#f6a94a", 1), ("#facb92", 1), ("#fbddb7", 1), ("#ffffff", 1)] {
        assert_eq!(svg.matches(&format!("fill=\"{fill}\"")).count(), count, "{fill} in\n{svg}");
    }
    // The profile over, pictures are those of a tape that never had one.
    drop(profile);
    assert!(tape.to_graphviz().contains(r#"t1 [shape=box, label="matmul\nt1 [32, 32], 8.0 KiB"];"#));
    assert!(!tape.to_string().contains(" us"), "{tape}");
}

#[test]
fn times_of_ops_that_are_no_longer_on_the_tape_are_not_shown() {
    /// Lines with a time, which a machine that is busy may say in another unit.
    fn timed_lines(tape: &Tape) -> usize {
        tape.to_string().lines().filter(|line| line.ends_with('s') && line.contains("active  ")).count()
    }
    let mut tape = Tape::new();
    let profile = timed(&tape);
    let kept = tape.mark();
    let x = tape.tensor([2.0]);
    let _forgotten = x.exp();
    assert_eq!(timed_lines(&tape), 3 + 1);
    tape.rewind(kept);
    assert_eq!(timed_lines(&tape), 3);
    tape.clear();
    let x = tape.tensor([[2.0]]);
    let _transposed = x.t();
    // t1 is another tensor than before: what its sweeps took is forgotten. A view takes time as well.
    let text = tape.to_string();
    let line = text.lines().nth(1).unwrap_or_default();
    assert!(line.contains("view  active") && timed_lines(&tape) == 1 && !line.contains("sweep"), "{text}");
    assert_eq!(profile.ops().len(), 5, "of all that ran: matmul, tanh, sum, exp, and the transposition");
}
