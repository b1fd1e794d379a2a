//! A tape as a list to read.

use super::observer::{bytes, label};
use super::outline::{Entry, Outline, short, with_outline};
use crate::tape::Tape;
use crate::tape::node::{Edge, NOWHERE, Node};
use crate::tensor::{Origin, TensorFloat};
use core::fmt;

/// A tape as text, made by [`Tape::listing`].
#[derive(Clone, Copy)]
pub struct Listing<'t, F: TensorFloat> {
    tape: &'t Tape<F>,
    entries: usize,
}

impl<F: TensorFloat> Tape<F> {
    /// The Wengert list as text: print it.
    ///
    /// One line for each entry, in recording order. A tensor `t2` has its op, operands, shape, bytes (`view` where it
    /// shows an operand's memory) and whether gradients flow through it; inputs and constants stand before the op that
    /// follows them. A scalar `v3` has its operands and the partials by them: a tape of scalars keeps no names of ops,
    /// and operations on one variable alone are no nodes. Of lists longer than 60 entries the middle is left out, see
    /// [`Listing::entries`].
    ///
    /// While a [`profile`](Self::profile) is there, the lines of tensor ops end with what they took: to evaluate, and
    /// in all sweeps since.
    ///
    /// The last line counts: nodes, the bytes they take, and the most bytes that cotangents take at once in a sweep
    /// from the last op. Residuals of rules are not counted.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.tensor([1.0, 2.0]);
    /// let y = x.tanh().sum().scalar() * tape.var(2.0);
    /// println!("{}", tape.listing());
    /// assert!(tape.listing().to_string().starts_with("t0 = input"));
    /// ```
    #[must_use]
    pub fn listing(&self) -> Listing<'_, F> {
        Listing { tape: self, entries: 60 }
    }
}

/// The list as [`listing`](Tape::listing) prints it.
impl<F: TensorFloat> fmt::Display for Tape<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listing().fmt(f)
    }
}

impl<F: TensorFloat> Listing<'_, F> {
    /// Prints at most this many entries: half of them the first, half the last.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.vars(&[1.0; 100]);
    /// let text = tape.listing().entries(2).to_string();
    /// assert!(text.starts_with("v1 = input\n   98 entries left out\nv100 = input\n"));
    /// ```
    #[must_use]
    pub fn entries(self, entries: usize) -> Self {
        Listing { entries, ..self }
    }
}

impl<F: TensorFloat> fmt::Display for Listing<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_outline(self.tape, |outline| {
            let mut count = 0_usize;
            outline.visit(|_| count += 1);
            let last = self.entries / 2;
            let first = self.entries - last;
            let (mut k, mut result) = (0, Ok(()));
            outline.visit(|entry| {
                if result.is_ok() && (k < first || k >= count.saturating_sub(last)) {
                    result = writeln!(f, "{}", line(outline, entry).trim_end());
                } else if result.is_ok() && k == first {
                    result = writeln!(f, "   {} entries left out", count - self.entries);
                }
                k += 1;
            });
            result?;
            total(f, outline)
        })
    }
}

fn line<F: TensorFloat>(outline: &Outline<'_, F>, entry: Entry) -> String {
    match entry {
        Entry::Input(node) => format!("v{node} = input"),
        Entry::Plain(node) => scalar(&format!("v{node}"), "f", &outline.parents(node).collect::<Vec<_>>()),
        Entry::Nary { node, start, len } => {
            scalar(&format!("v{node}"), "f", &outline.edges[start as usize..(start + len) as usize])
        }
        Entry::Results { first, count, number } => {
            let operands = names('v', outline.operands_of_pullback(number).iter().map(|edge| edge.parent));
            format!("{} = pullback({operands})", range(first, count))
        }
        Entry::Tensor(number) => tensor(outline, number),
    }
}

/// The most operands a line names, and partials it shows.
const NAMED: usize = 6;

fn names(letter: char, operands: impl ExactSizeIterator<Item = u32>) -> String {
    let count = operands.len();
    let name = |k: u32| if letter == 'v' && k == NOWHERE { "constant".to_owned() } else { format!("{letter}{k}") };
    let mut names: Vec<String> = operands.take(NAMED).map(name).collect();
    if count > NAMED {
        names.push(format!("{} more", count - NAMED));
    }
    names.join(", ")
}

fn range(first: u32, count: u32) -> String {
    if count == 1 { format!("v{first}") } else { format!("v{first}..v{}", first + count - 1) }
}

fn scalar<F: TensorFloat>(name: &str, op: &str, edges: &[Edge<F>]) -> String {
    let mut partials: Vec<String> = edges.iter().take(NAMED).map(|edge| short(edge.partial)).collect();
    if edges.len() > NAMED {
        partials.push("..".to_owned());
    }
    let formula = format!("{name} = {op}({})", names('v', edges.iter().map(|edge| edge.parent)));
    format!("{formula:<34}partials {}", partials.join(", "))
}

fn tensor<F: TensorFloat>(outline: &Outline<'_, F>, number: u32) -> String {
    let origin = &outline.tensors.origins[number as usize];
    let label = label(origin);
    let formula = match origin {
        Origin::Input | Origin::Constant => format!("t{number} = {label}"),
        Origin::Op { operands, .. } => format!("t{number} = {label}({})", names('t', operands.iter().copied())),
        &Origin::Packed { start } => {
            let scalars = outline.packed(number, start).iter().map(|edge| edge.parent);
            format!("t{number} = {label}({})", names('v', scalars))
        }
        Origin::Read { of, first, element } => {
            return match element {
                Some(element) => format!("v{first} = element {element} of t{of}"),
                None => format!("{} = elements of t{of}", range(*first, outline.value(*of).len() as u32)),
            };
        }
    };
    let value = outline.value(number);
    let memory = outline.memory(number);
    let flags = &outline.tensors.values[number as usize];
    let kind = match (flags.active, flags.retained) {
        (true, true) => "active, retained",
        (true, false) => "active",
        (false, _) => "constant",
    };
    let took = outline.times.of(number).unwrap_or_default();
    format!("{formula:<34}{:<16}{memory:>10}  {kind:<18}{took}", value.shape().to_string())
}

fn total<F: TensorFloat>(f: &mut fmt::Formatter<'_>, outline: &Outline<'_, F>) -> fmt::Result {
    let nodes = outline.nodes.len().saturating_sub(1);
    let edges = outline.edges.len() + outline.packed.len();
    let scalar_bytes = nodes * size_of::<Node<F>>() + edges * size_of::<Edge<F>>();
    let tensors = 0..outline.tensors.values.len() as u32;
    let held = tensors.clone().filter(|&k| outline.read(k).is_none());
    let tensor_bytes: usize = held.clone().filter(|&k| !outline.is_view(k)).map(|k| bytes(outline.value(k))).sum();
    writeln!(
        f,
        "total: {nodes} scalar nodes, {}; {} tensor nodes, {}; cotangents in a sweep, {}",
        size(scalar_bytes),
        held.count(),
        size(tensor_bytes),
        size(most_cotangents(outline))
    )
}

/// The most bytes of cotangents alive at a time in a sweep from the last active tensor: those of inputs and retained
/// tensors stay, others go once they are handed on.
fn most_cotangents<F: TensorFloat>(outline: &Outline<'_, F>) -> usize {
    let columns = outline.tensors;
    let size_of = |k: u32| bytes(outline.value(k));
    let mut alive = vec![false; columns.values.len()];
    let (mut now, mut most, mut started) = (0, 0, false);
    let arrive = |k: u32, alive: &mut [bool], now: &mut usize| {
        if !core::mem::replace(&mut alive[k as usize], true) {
            *now += size_of(k);
        }
    };
    for number in (0..columns.values.len() as u32).rev() {
        let flags = &columns.values[number as usize];
        let origin = &columns.origins[number as usize];
        if flags.active && !started && !matches!(origin, Origin::Read { .. }) {
            started = true;
            arrive(number, &mut alive, &mut now);
        }
        match origin {
            Origin::Read { of, .. } => {
                started = true;
                arrive(*of, &mut alive, &mut now);
            }
            Origin::Op { operands, .. } if alive[number as usize] => {
                for &operand in operands.iter().filter(|&&x| columns.values[x as usize].active) {
                    arrive(operand, &mut alive, &mut now);
                }
            }
            _ => {}
        }
        most = most.max(now);
        let goes = matches!(origin, Origin::Op { .. } | Origin::Packed { .. }) && !flags.retained;
        if goes && alive[number as usize] {
            now -= size_of(number);
        }
    }
    most
}

/// Bytes in the unit that leaves one to four digits.
pub(crate) fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = None;
    for name in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, Some(name));
    }
    unit.map_or_else(|| format!("{bytes} B"), |unit| format!("{size:.1} {unit}"))
}
