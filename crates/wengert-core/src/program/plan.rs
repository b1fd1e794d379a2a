//! The order in which a program runs: no dead acts, elementwise steps joined to passes, every value dropped after its
//! last use.

use super::graph::{Act, Graph, Source, Value, Values};
use crate::tensor::TensorFloat;
use core::cmp::Reverse;
use core::panic::Location;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use wengert_kernels::elementwise::chain::{Chain, Step, Sum};
use wengert_tensor::Shape;

/// Steps of one pass: what they hold between them should stay in the cache.
const LONGEST: usize = 48;

/// What a program does to compute certain values.
pub(super) struct Plan<F: TensorFloat> {
    pub(super) acts: Vec<Planned<F>>,
    pub(super) targets: Vec<Value>,
    /// By target: whether it is given away, and not a copy of it.
    pub(super) handed: Vec<bool>,
}

/// An act, and the values nobody needs after it.
pub(super) struct Planned<F: TensorFloat> {
    pub(super) act: Act<F>,
    pub(super) dropped: Values,
}

impl<F: TensorFloat> Act<F> {
    /// Calls `f` for every value whose numbers it needs.
    pub(super) fn reads(&self, f: impl FnMut(Value)) {
        match self {
            Act::Pull { x, y_bar, reads_result: false, .. } => x.iter().chain([y_bar]).copied().for_each(f),
            _ => self.follows(f),
        }
    }

    /// Calls `f` for every value that has to be computed before it.
    fn follows(&self, mut f: impl FnMut(Value)) {
        match self {
            Act::Forward { operands, .. } | Act::Link { operands, .. } => operands.iter().copied().for_each(f),
            Act::Pull { x, y, y_bar, .. } => x.iter().chain([y, y_bar]).copied().for_each(f),
            Act::Pass { operands, .. } => operands.iter().copied().for_each(f),
            Act::Total { x, .. } | Act::SumTo { x, .. } | Act::Spread { x, .. } => f(*x),
            Act::Ask(_, of) => f(*of),
        }
    }

    fn sums(&self, value: Value) -> bool {
        matches!(self, Act::Total { x, .. } if *x == value)
    }

    /// Calls `f` for every value it computes.
    pub(super) fn writes(&self, mut f: impl FnMut(Value)) {
        match self {
            Act::Forward { y, .. } | Act::Link { y, .. } | Act::Total { y, .. } => f(*y),
            Act::SumTo { y, .. } | Act::Spread { y, .. } => f(*y),
            Act::Pull { x_bar, .. } => x_bar.iter().flatten().copied().for_each(f),
            Act::Pass { results, .. } => results.iter().copied().for_each(f),
            Act::Ask(..) => {}
        }
    }
}

impl<F: TensorFloat> Graph<F> {
    /// The plan to compute `targets`.
    pub(super) fn plan(&self, targets: Vec<Value>) -> Plan<F> {
        let alive = self.alive(&targets);
        let ordered = self.ordered(&alive, &targets);
        let mut last_use = vec![0; self.known.len()];
        for (position, act) in ordered.iter().enumerate() {
            act.writes(|value| last_use[value] = position);
            act.reads(|value| last_use[value] = position);
        }
        for &target in &targets {
            last_use[target] = usize::MAX;
        }
        let mut pulled = vec![false; self.rules.len()];
        for act in &ordered {
            if let Act::Pull { rule, .. } = act {
                pulled[*rule] = true;
            }
        }
        let acts = ordered.into_iter().enumerate().map(|(position, mut act)| {
            let mut dropped = Values::new();
            let mut note = |value: Value| {
                let goes = self.known[value].source == Source::Act && last_use[value] == position;
                if goes && !dropped.contains(&value) {
                    dropped.push(value);
                }
            };
            act.reads(&mut note);
            act.writes(&mut note);
            match &mut act {
                // Without a way back nothing is kept for it.
                Act::Forward { rule, wanted, .. } if !pulled[*rule] => wanted.fill(false),
                Act::Pull { x, y, y_bar, handed, .. } => {
                    let read_beside = x.contains(y_bar) || y == y_bar || self.known[*y_bar].splat;
                    *handed = dropped.contains(y_bar) && !read_beside;
                    dropped.retain(|value| !(*handed && value == y_bar));
                }
                _ => {}
            }
            Planned { act, dropped }
        });
        let acts = acts.collect();
        let goes =
            |(k, value): (usize, &Value)| self.known[*value].source == Source::Act && !targets[k + 1..].contains(value);
        Plan { acts, handed: targets.iter().enumerate().map(goes).collect(), targets }
    }

    /// The acts on which a target depends, and those that ask.
    fn alive(&self, targets: &[Value]) -> Vec<bool> {
        let mut needed = vec![false; self.known.len()];
        for &target in targets {
            needed[target] = true;
        }
        let mut alive = vec![false; self.acts.len()];
        for (act, alive) in self.acts.iter().zip(&mut alive).rev() {
            *alive = matches!(act, Act::Ask(..));
            act.writes(|value| *alive |= needed[value]);
            if *alive {
                act.follows(|value| needed[value] = true);
            }
        }
        alive
    }

    /// The acts that are alive in an order in which elementwise steps stand together: whatever else can be done is done
    /// first, then as many steps over one shape as there are, small shapes before large ones: a large pass takes in
    /// what only waits for a number, and so the way back of a mean with the way there.
    fn ordered(&self, alive: &[bool], targets: &[Value]) -> Vec<Act<F>> {
        let mut readers: Vec<SmallVec<[usize; 2]>> = vec![SmallVec::new(); self.known.len()];
        let mut waits = vec![0; self.acts.len()];
        for (k, act) in self.acts.iter().enumerate().filter(|(k, _)| alive[*k]) {
            act.follows(|value| {
                if self.known[value].source == Source::Act {
                    readers[value].push(k);
                    waits[k] += 1;
                }
            });
        }
        let mut made_by_link = vec![false; self.known.len()];
        for act in &self.acts {
            if let Act::Link { y, .. } = act {
                made_by_link[*y] = !self.known[*y].splat;
            }
        }
        let (others, totals) = (BinaryHeap::new(), Vec::new());
        let mut ready = Ready { others, totals, links: BTreeMap::new(), shapes: Vec::new(), made_by_link };
        for k in (0..self.acts.len()).filter(|&k| alive[k] && waits[k] == 0) {
            ready.add(self, k);
        }
        let mut ordered = Vec::new();
        let mut done = |k: usize, ready: &mut Ready| {
            self.acts[k].writes(|value| {
                for &reader in &readers[value] {
                    waits[reader] -= 1;
                    if waits[reader] == 0 {
                        ready.add(self, reader);
                    }
                }
            });
        };
        loop {
            if let Some(Reverse(k)) = ready.others.pop() {
                ordered.push(self.acts[k].clone());
                done(k, &mut ready);
                continue;
            }
            let mut group = Vec::new();
            // Of equally many elements, the shape whose first step was recorded first.
            let size = |kind: usize| if ready.shapes[kind].1 { 1 } else { ready.shapes[kind].0.size() };
            let smallest = ready.links.iter().min_by_key(|&(&kind, links)| (size(kind), links.first().copied()));
            let Some((&kind, _)) = smallest else { break };
            while group.len() < LONGEST
                && let Some(k) = ready.links.get_mut(&kind).and_then(BTreeSet::pop_first)
            {
                group.push(k);
                done(k, &mut ready);
            }
            ready.links.retain(|_, links| !links.is_empty());
            // What the pass sums is known after it, not in it.
            for total in core::mem::take(&mut ready.totals) {
                group.push(total);
                done(total, &mut ready);
            }
            ordered.push(self.pass(&group, &readers, targets));
        }
        ordered
    }

    /// One pass for all steps of a group.
    fn pass(&self, group: &[usize], readers: &[SmallVec<[usize; 2]>], targets: &[Value]) -> Act<F> {
        let mut operands: SmallVec<[Value; 8]> = SmallVec::new();
        let mut made: Vec<Value> = Vec::new();
        let links = || {
            group.iter().filter_map(|&k| match &self.acts[k] {
                Act::Link { step, operands, y, .. } => Some((*step, operands, *y)),
                _ => None,
            })
        };
        for (_, read, y) in links() {
            for &value in read.iter().filter(|value| !made.contains(value)) {
                if !operands.contains(&value) {
                    operands.push(value);
                }
            }
            made.push(y);
        }
        let number = |value: Value| {
            let made = made.iter().position(|&y| y == value).map(|k| operands.len() + k);
            made.or_else(|| operands.iter().position(|&x| x == value)).unwrap_or_default()
        };
        let steps: Vec<(Step, Values)> =
            links().map(|(step, read, _)| (step, read.iter().map(|&value| number(value)).collect())).collect();
        let outside = |value: Value| readers[value].iter().any(|reader| !group.contains(reader));
        let mut results: Values = made.iter().copied().filter(|y| targets.contains(y) || outside(*y)).collect();
        let outputs: Vec<usize> = results.iter().map(|&y| number(y)).collect();
        let totals = || {
            group.iter().filter_map(|&k| match self.acts[k] {
                Act::Total { x, y, mean, .. } => Some((Sum { of: number(x), mean }, y)),
                _ => None,
            })
        };
        let steps = steps.iter().map(|(step, read)| (*step, &read[..]));
        let chain = Chain::with_sums(operands.len(), steps, &outputs, totals().map(|(sum, _)| sum).collect());
        results.extend(totals().map(|(_, y)| y));
        let shape = match made.first().map(|&y| &self.known[y]) {
            Some(known) if !known.splat => known.shape.clone(),
            _ => Shape::from([]),
        };
        let caller = group.iter().find_map(|&k| match &self.acts[k] {
            Act::Link { caller, .. } => Some(*caller),
            _ => None,
        });
        Act::Pass { chain, operands, results, shape, caller: caller.unwrap_or_else(|| Location::caller()) }
    }
}

/// Acts whose operands are known: elementwise steps by shape, totals of what a step makes, and the others.
struct Ready {
    others: BinaryHeap<Reverse<usize>>,
    totals: Vec<usize>,
    links: BTreeMap<usize, BTreeSet<usize>>,
    /// The shapes met, and whether one number stands for all elements.
    shapes: Vec<(Shape, bool)>,
    /// By value: whether it is an element of a pass, one for each of its shape.
    made_by_link: Vec<bool>,
}

impl Ready {
    fn add<F: TensorFloat>(&mut self, graph: &Graph<F>, k: usize) {
        let y = match &graph.acts[k] {
            Act::Link { y, .. } => y,
            // A pass adds up a number once: its mean beside its sum is an act of its own.
            Act::Total { x, .. }
                if self.made_by_link[*x] && !self.totals.iter().any(|&other| graph.acts[other].sums(*x)) =>
            {
                return self.totals.push(k);
            }
            _ => return self.others.push(Reverse(k)),
        };
        let known = &graph.known[*y];
        let kind = (known.shape.clone(), known.splat);
        let kind = self.shapes.iter().position(|shape| *shape == kind).unwrap_or_else(|| {
            self.shapes.push(kind);
            self.shapes.len() - 1
        });
        self.links.entry(kind).or_default().insert(k);
    }
}
