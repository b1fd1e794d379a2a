//! What a tape shows of itself, against text, counts and places written by hand.

use super::{NonFinite, Profile, Quantity};
use crate::prelude::*;
use crate::{Primal, TensorOp};
use core::panic::Location;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use wengert_tensor::{Shape, ShapeError, Tensor};

/// Scalars, tensors and both bridges between them.
fn small(tape: &Tape) -> Var<'_> {
    let (a, b) = (tape.var(3.0), tape.var(2.0));
    let c = a * b;
    let w = tape.tensor([[1.0, 2.0], [3.0, 4.0]]);
    let x = tape.constant_tensor([[1.0], [1.0]]);
    let z = w.matmul(x).reshape([2]).retain();
    let y = z.sum().scalar() * c;
    tape.pack(&[y, a]).square().sum().scalar()
}

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
    let graph = tape.graphviz();
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
    let first: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).filter(|word| !word.is_empty()).collect();
    assert_eq!(first, ["t0", "t1", "t2", "t998", "t999", "total:"]);
    assert!(text.contains("   995 entries left out\n"));
    assert_eq!(tape.listing().to_string().lines().count(), 60 + 2);
    assert_eq!(tape.listing().entries(1000).to_string().lines().count(), 1000 + 1);
    assert_eq!(tape.listing().entries(0).to_string().lines().count(), 2);
}

/// An op with a name that needs escaping everywhere.
struct Quoted;
impl TensorOp for Quoted {
    fn name(&self) -> &'static str {
        "say \"hi\" \\ {now"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> Result<Tensor<f64>, ShapeError> {
        Ok(x[0].clone())
    }
    fn vjp<'t>(
        &self,
        _x: &[TensorVar<'t, f64>],
        _y: TensorVar<'t, f64>,
        y_bar: TensorVar<'t, f64>,
        _wanted: &[bool],
    ) -> Vec<Option<TensorVar<'t, f64>>> {
        vec![Some(y_bar)]
    }
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
    let graph = tape.graphviz();
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
    for (node, shape) in [("v3", "ellipse"), ("v1", "ellipse, style=bold"), ("t1", "box, style=dashed"), ("t2", "box,")] {
        assert!(graph.contains(&format!("{node} [shape={shape}")), "{node}");
    }
    assert!(graph.contains("t0 -> t2;") && graph.contains("t1 -> t2;"));
    assert!(graph.contains("t4 -> v4 [label=\"[0]\"];") && graph.contains("v3 -> v5 [label=\"10\"];"));
    assert!(strings.contains(&r#"t11\nsay \"hi\" \\ {now\n[1]"#.to_owned()), "{strings:?}");
}

/// Enough of JSON for a trace.
#[derive(Debug, PartialEq)]
enum Json {
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(HashMap<String, Json>),
}

impl Json {
    fn parse(text: &str) -> Json {
        let mut rest = text;
        let value = Self::value(&mut rest);
        assert_eq!(rest.trim(), "", "nothing follows the value");
        value
    }

    fn value(rest: &mut &str) -> Json {
        *rest = rest.trim_start();
        match rest.chars().next().expect("a value") {
            '{' => Json::Object(Self::items(rest, '}', |rest| {
                let key = Self::string(rest);
                Self::expect(rest, ':');
                (key, Self::value(rest))
            })),
            '[' => Json::List(Self::items(rest, ']', Self::value)),
            '"' => Json::Text(Self::string(rest)),
            _ => {
                let end = rest.find(|c: char| !"+-.eE0123456789".contains(c)).unwrap_or(rest.len());
                let (number, tail) = rest.split_at(end);
                *rest = tail;
                Json::Number(number.parse().unwrap_or_else(|_| panic!("not a number: {number:?}")))
            }
        }
    }

    fn items<T, C: FromIterator<T>>(rest: &mut &str, end: char, mut item: impl FnMut(&mut &str) -> T) -> C {
        *rest = &rest[1..];
        let mut items = Vec::new();
        while !rest.trim_start().starts_with(end) {
            if !items.is_empty() {
                Self::expect(rest, ',');
            }
            items.push(item(rest));
        }
        Self::expect(rest, end);
        items.into_iter().collect()
    }

    fn expect(rest: &mut &str, c: char) {
        *rest = rest.trim_start().strip_prefix(c).unwrap_or_else(|| panic!("{c} expected at {rest:.20}"));
    }

    fn string(rest: &mut &str) -> String {
        Self::expect(rest, '"');
        let mut string = String::new();
        loop {
            let c = rest.chars().next().expect("a string ends");
            *rest = &rest[c.len_utf8()..];
            match c {
                '"' => return string,
                '\\' => {
                    string.push(rest.chars().next().expect("a character follows a backslash"));
                    *rest = &rest[1..];
                }
                c if c < ' ' => panic!("a control character in a string"),
                c => string.push(c),
            }
        }
    }

    fn at(&self, key: &str) -> &Json {
        match self {
            Json::Object(fields) => &fields[key],
            other => panic!("not an object: {other:?}"),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Json::Number(x) => *x,
            other => panic!("not a number: {other:?}"),
        }
    }
}

/// 3 products, 3 sums and 6 additions forward; each once back.
fn profiled(steps: usize) -> (Profile, Duration) {
    let mut tape = Tape::new();
    let wall = Instant::now();
    let profile = tape.profile();
    for _ in 0..steps {
        let x = tape.tensor(Tensor::full([40, 40], 0.5));
        let y = x.matmul(x);
        (y + x + y).sum().gradient();
        tape.clear();
    }
    let wall = wall.elapsed();
    tape.tensor([1.0]).tanh();
    (profile, wall)
}

#[test]
fn a_profile_counts_every_op_and_no_more_time_than_passed() {
    let (profile, wall) = profiled(3);
    let ops: HashMap<_, _> = profile.ops().into_iter().map(|op| (op.op, op)).collect();
    let counts = |op: &str| (ops[op].calls, ops[op].sweeps, ops[op].bytes);
    assert_eq!(counts("matmul"), (3, 3, 3 * 40 * 40 * 8));
    assert_eq!(counts("add"), (6, 6, 6 * 40 * 40 * 8));
    assert_eq!(counts("sum"), (3, 3, 3 * 8));
    assert_eq!(counts("tanh"), (1, 0, 8));
    assert_eq!(ops.len(), 4);
    let steps = || ["matmul", "add", "sum"].into_iter().map(|op| ops[op].total());
    assert!(steps().all(|time| time > Duration::ZERO));
    assert!(steps().sum::<Duration>() <= wall);
    assert!(ops.values().map(super::OpTimes::total).sum::<Duration>() <= profile.elapsed());
    assert!(profile.ops().is_sorted_by(|a, b| a.total() >= b.total()));
}

#[test]
fn the_table_of_a_profile_has_a_row_for_each_op_and_the_sums() {
    let (profile, _) = profiled(1);
    let table = profile.to_string();
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["op", "calls", "forward", "sweep", "total", "share", "bytes"]);
    assert_eq!(rows.len(), 1 + 4 + 2);
    let sum = rows.iter().find(|row| row[0] == "sum").expect("a row for the sum");
    assert_eq!((sum[1], &sum[sum.len() - 2..]), ("1", &["8", "B"][..]));
    assert_eq!(rows[5][..3], ["all", "ops", "5"]);
    assert_eq!(rows[6][0], "everything");
    assert_eq!(rows[6][rows[6].len() - 2..], ["100.0", "%"]);
}

#[test]
fn the_trace_is_json_with_one_event_for_each_run_in_order() {
    let tape = Tape::new();
    let profile = tape.profile();
    let x = tape.tensor([[1.0, 2.0]]);
    x.tanh().apply(Quoted, &[]).sum().gradient();
    let trace = Json::parse(&profile.chrome_trace());
    let Json::List(events) = trace.at("traceEvents") else { panic!("a list of events") };
    let text = |text: &str| Json::Text(text.to_owned());
    let names: Vec<&Json> = events.iter().map(|event| event.at("name")).collect();
    let quoted = "say \"hi\" \\ {now";
    let expected = ["tanh", quoted, "sum", "sum", quoted, "tanh"].map(text);
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    let phases = ["forward", "forward", "forward", "sweep", "sweep", "sweep"].map(text);
    assert!(events.iter().zip(&phases).all(|(event, phase)| event.at("cat") == phase));
    let mut end = 0.0;
    for event in events {
        assert_eq!((event.at("ph"), event.at("pid").number()), (&text("X"), 1.0));
        let (start, time) = (event.at("ts").number(), event.at("dur").number());
        // Half a nanosecond for decimals that are no binary fractions.
        assert!(start >= end - 5e-4 && time >= 0.0, "{event:?} after {end}");
        end = start + time;
    }
    assert!(end <= 1e6 * profile.elapsed().as_secs_f64() + 2e-3);
    let args = events[0].at("args");
    assert_eq!((args.at("node"), args.at("shape"), args.at("bytes").number()), (&text("t1"), &text("[1, 2]"), 16.0));
    let empty = Json::parse(&Tape::new().profile().chrome_trace());
    assert_eq!(empty.at("traceEvents"), &Json::List(Vec::new()));
}

#[test]
fn a_dropped_profile_ends_and_a_second_replaces_the_first() {
    let tape = Tape::new();
    let x = tape.tensor([1.0]);
    let first = tape.profile();
    let _one = x.tanh();
    let second = tape.profile();
    let _two = x.tanh();
    assert_eq!((first.ops()[0].calls, second.ops()[0].calls), (1, 1));
    drop(second);
    assert!(tape.tensors.observed.get());
    let _three = x.tanh();
    assert!(!tape.tensors.observed.get(), "the next op notices");
    assert_eq!(first.ops()[0].calls, 1);
}

#[test]
fn packed_scalars_are_an_op_in_profiles() {
    let tape = Tape::new();
    let profile = tape.profile();
    small(&tape).gradient();
    let counts: HashMap<_, _> = profile.ops().into_iter().map(|op| (op.op, (op.calls, op.sweeps))).collect();
    let expected = [("matmul", (1, 1)), ("reshape", (1, 1)), ("sum", (2, 2)), ("pack", (1, 1)), ("square", (1, 1))];
    assert_eq!(counts, HashMap::from(expected));
}

#[track_caller]
fn found(tape: &Tape) -> NonFinite {
    let caller = Location::caller();
    tape.nonfinite().unwrap_or_else(|| panic!("{caller}: nothing found"))
}

fn line(found: &NonFinite) -> u32 {
    found.caller.expect("a line").line()
}

#[test]
fn zero_over_zero_is_found_at_its_op_line_and_element() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let a = tape.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]]);
    let b = tape.constant_tensor([1.0, 1.0, 0.0]) + 0.0;
    let c = tape.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]);
    assert_eq!(tape.nonfinite(), None);
    let y = a / c; // the line of the report
    let expected_line = line!() - 1;
    let _later = (y / b).sum();
    let found = found(&tape);
    assert_eq!((found.op, found.quantity, found.node), ("div", Quantity::Value, 4));
    assert_eq!((line(&found), &found.index[..], &found.shape), (expected_line, &[1, 2][..], &Shape::from([2, 3])));
    assert!(found.value.is_nan());
    assert_eq!(found.operands, [Shape::from([2, 3]), Shape::from([2, 3])]);
    assert_eq!(found.nonfinite_operands, []);
    let text = found.to_string().replace(file!(), "tests.rs");
    let expected = "div (t4): its value, of shape [2, 3], is NaN at [1, 2]; operands of shape [2, 3] and [2, 3], all finite";
    assert_eq!(text, format!("tests.rs:{expected_line}:13: {expected}"));
}

#[test]
fn overflow_is_found_where_it_happens_also_in_operations_on_constants() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.constant_tensor([1.0, -800.0, 800.0]); // e^709.8 is the largest
    let y = x.exp();
    assert_eq!((found(&tape).op, line(&found(&tape))), ("exp", line!() - 1));
    assert_eq!((found(&tape).index, found(&tape).value), (vec![2], f64::INFINITY));
    let _again = y - y;
    assert_eq!(found(&tape).op, "exp", "the first stays");
    // 1e200 squared is 1e400.
    tape.watch_nonfinite();
    let _square = -tape.tensor([[1e200]]).square();
    assert_eq!((found(&tape).op, found(&tape).index), ("square", vec![0, 0]));
}

#[test]
fn what_was_not_finite_before_is_said_of_the_operand() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let (good, bad) = (tape.tensor([1.0, 2.0]), tape.constant_tensor([0.0, f64::NEG_INFINITY]));
    assert_eq!(tape.nonfinite(), None);
    let _y = good * bad;
    let found = found(&tape);
    assert_eq!((found.op, &found.nonfinite_operands[..], found.value), ("mul", &[1][..], f64::NEG_INFINITY));
    assert!(found.to_string().ends_with("operands of shape [2] and [2], not finite before: operand 1"));
}

#[test]
fn the_index_is_that_of_the_view_not_of_the_memory() {
    let tape = Tape::new();
    let x = tape.tensor([[1.0, 2.0], [3.0, 4.0], [f64::NAN, 6.0]]);
    tape.watch_nonfinite();
    let _y = x.t();
    assert_eq!((found(&tape).shape, found(&tape).index), (Shape::from([2, 3]), vec![0, 2]));
}

#[test]
fn a_cotangent_that_is_not_finite_is_found_at_the_op_that_hands_it_on() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.tensor([4.0, 0.0, 0.0]);
    let scaled = x * 3.0;
    let root = scaled.sqrt(); // slope 1/(2 sqrt 0)
    let expected_line = line!() - 1;
    let y = (root * 2.0).sum();
    assert_eq!(tape.nonfinite(), None);
    y.gradient();
    let found = found(&tape);
    assert_eq!((found.op, found.quantity), ("sqrt", Quantity::OperandCotangent(0)));
    assert_eq!((line(&found), found.index, found.value), (expected_line, vec![1], f64::INFINITY));
    assert_eq!(found.operands, [Shape::from([3])]);
}

#[test]
fn finite_cotangents_that_add_up_to_infinity_are_found() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.tensor([1e-10, 1.0]);
    let a = x * 1e308; // x_bar = 1e308 + 1e308, more than f64 holds
    let line_of_a = line!() - 1;
    let b = x * 1e308;
    (a * 0.0 + b * 0.0).sum().gradient();
    assert_eq!(tape.nonfinite(), None);
    (a - b).sum().vjp(&Tensor::scalar(1.0));
    assert_eq!(tape.nonfinite(), None, "1e308 - 1e308 = 0");
    (a * 1e-10 + b * 1e-10).sum().vjp(&Tensor::scalar(1e10));
    let found = found(&tape);
    // The sweep comes to b first: a adds the second half.
    assert_eq!((found.quantity, line(&found)), (Quantity::OperandCotangent(0), line_of_a));
    assert_eq!(found.value, f64::INFINITY);
}

#[test]
fn a_bad_seed_is_found_before_it_spreads() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let y = tape.tensor([1.0, 2.0]).tanh();
    y.vjp(&Tensor::from([0.0, f64::NAN]));
    assert_eq!((found(&tape).op, found(&tape).quantity, found(&tape).index), ("tanh", Quantity::Cotangent, vec![1]));
}

#[test]
fn scalars_are_looked_at_where_they_are_packed_and_in_sweeps() {
    let tape = Tape::new();
    tape.watch_nonfinite();
    let (a, b) = (tape.var(0.0), tape.var(0.0));
    let _packed = tape.pack(&[a, a / b]);
    assert_eq!((found(&tape).op, line(&found(&tape)), found(&tape).index), ("pack", line!() - 1, vec![1]));

    let tape = Tape::new();
    tape.watch_nonfinite();
    let (a, b) = (tape.var(0.5), tape.var(-0.5));
    let u = a + b; // v3 = 0
    let y = u.sqrt() + b;
    y.gradient();
    let found = found(&tape);
    assert_eq!((found.op, found.node, found.value), ("scalar", 3, f64::INFINITY));
    assert_eq!(found.to_string(), "scalar v3: its adjoint is inf; retain and print what it is made of");
}

#[test]
fn of_scalars_and_tensors_in_one_sweep_the_first_is_reported() {
    // The tensor's pullback is bad and comes first, the scalar below it gets the infinity.
    let tape = Tape::new();
    tape.watch_nonfinite();
    let x = tape.vars(&[0.0, 1.0]);
    let y = tape.pack(&[x[0] + x[1] - x[1], x[1]]).sqrt().sum();
    y.gradient();
    assert_eq!(found(&tape).op, "sqrt");
    // The scalar comes first and hands the infinity to the tensor it was read from.
    let tape = Tape::new();
    tape.watch_nonfinite();
    let t = tape.tensor([0.0, 1.0]);
    let s = (t * 2.0).scalars();
    let y = (s[0] + s[0] * s[1]).sqrt() + s[1];
    y.gradient();
    assert_eq!(found(&tape).op, "scalar");
}

#[test]
fn zero_times_infinity_is_zero_and_not_reported() {
    // `u.sqrt()` has slope infinity at 0, but nothing flows into it: n is multiplied by 0.
    let gradient = |watched: bool| {
        let tape = Tape::new();
        if watched {
            tape.watch_nonfinite();
        }
        let (a, b, zero) = (tape.var(0.5), tape.var(-0.5), tape.var(0.0));
        let n = (a + b).sqrt() + b;
        let g = (n * zero + a).gradient();
        (g.wrt([a, b, zero]), tape.nonfinite())
    };
    assert_eq!(gradient(true), ([1.0, 0.0, -0.5], None));
    assert_eq!(gradient(false), ([1.0, 0.0, -0.5], None));
}

#[test]
fn what_was_found_outlives_the_recording_and_ends_with_the_watch() {
    let mut tape = Tape::new();
    let early = tape.tensor([-1.0]);
    let old = early.ln();
    assert_eq!(tape.nonfinite(), None, "nobody watched");
    tape.watch_nonfinite();
    old.sum().gradient();
    let report = found(&tape);
    assert_eq!((report.op, &report.nonfinite_operands[..]), ("sum", &[0][..]));
    tape.clear();
    assert_eq!(found(&tape).op, "sum");
    tape.watch_nonfinite();
    assert_eq!(tape.nonfinite(), None);
    let _log = tape.tensor([-1.0]).ln();
    tape.unwatch_nonfinite();
    assert_eq!(tape.nonfinite(), None);
    let _log = tape.tensor([-1.0]).ln();
    assert!(!tape.tensors.observed.get());
}

#[test]
fn ops_recorded_before_the_watch_have_no_line_and_cleared_lines_are_forgotten() {
    let mut tape = Tape::new();
    let x = tape.tensor([0.0]);
    let y = x.sqrt().sum();
    tape.watch_nonfinite();
    y.gradient();
    assert_eq!((found(&tape).op, found(&tape).caller), ("sqrt", None));
    tape.watch_nonfinite();
    let _here = tape.tensor([1.0]).tanh().exp().cos();
    tape.clear();
    tape.watch_nonfinite();
    let x = tape.tensor([0.0]);
    let y = x.sqrt().sum();
    y.gradient();
    assert_eq!(line(&found(&tape)), line!() - 2);
}

#[test]
fn watched_and_profiled_results_are_those_of_an_unobserved_tape() {
    let run = |observe: bool| {
        let tape = Tape::new();
        let profile = observe.then(|| tape.profile());
        if observe {
            tape.watch_nonfinite();
        }
        let x = tape.tensor([[0.1, 0.7], [-0.3, 2.0]]);
        let loss = x.matmul(x.tanh()).cross_entropy(&[0, 1]);
        let g = loss.gradient();
        assert!(profile.is_none_or(|profile| profile.ops().len() == 3));
        (loss.item(), g[x].to_vec())
    };
    assert_eq!(run(true), run(false));
}
