//! Profiles and traces.

use super::{Quoted, small};
use crate::prelude::*;
use crate::{OpTimes, Profile};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use wengert_tensor::Tensor;

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
    let _after = tape.tensor([1.0]).tanh();
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
    assert!(ops.values().map(OpTimes::total).sum::<Duration>() <= profile.elapsed());
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
    assert_eq!(rows[6][0], "elapsed");
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
