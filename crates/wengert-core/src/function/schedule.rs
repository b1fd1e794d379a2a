//! The order of the steps of a window.
//!
//! Steps are sorted by their depth (steps of one depth do not need each other), then by operation. For a replay at one
//! point equal steps of one depth are put in the order in which the next depth reads them: from the turns of a loop,
//! wherever they were recorded, come runs whose operands lie side by side.

use super::list::{Id, List, Op, Step};
use super::program::Replay;
use wengert_kernels::Binary;

/// A window of steps, and the order they are evaluated in.
#[derive(Default)]
pub(super) struct Schedule {
    steps: Vec<Entry>,
    groups: Vec<Group>,
    /// The first group of each depth.
    depths: Vec<u32>,
    /// The groups as they are evaluated.
    runs: Vec<u32>,
    order: Vec<u32>,
    keys: Vec<u64>,
    /// Groups that were asked for, by a hash of their depth and kind.
    recent: Vec<u32>,
}

struct Entry {
    depth: u32,
    group: u32,
    /// Where it is read, smaller for what is read earlier.
    rank: u32,
}

/// The steps of one depth, operation and flags.
struct Group {
    depth: u32,
    kind: Kind,
    /// The next of this depth.
    next: u32,
    /// How many steps; then where they end in the order.
    end: u32,
}

/// What is equal in steps that make a run: the number of the operation, and flags. In this order groups are evaluated.
type Kind = (u16, u8);

/// No group.
const END: u32 = u32::MAX;

/// Groups that are remembered.
const RECENT: usize = 256;

/// The rank of what no step of the window reads: such steps stay as they were recorded.
const UNREAD: u32 = (1 << 30) - 1;

/// A rank of operands that need not lie as their readers do.
const BESIDE: u32 = 1 << 29;

/// Steps a window may have, as a number of bits: those of a step's number in a key and in a rank.
const BITS: u32 = 16;
const _: () = assert!(Replay::AtPoint.window() <= 1 << BITS && Replay::InRows.window() <= 1 << BITS);

impl Schedule {
    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.groups.clear();
        self.depths.clear();
        self.recent.clear();
        self.recent.resize(RECENT, END);
    }

    /// Adds the next step of the window that begins with step `start`.
    pub(super) fn push<F>(&mut self, list: &List<F>, start: usize, step: &Step, flags: u8) {
        let operands = list.operands(step).iter().filter_map(|&id| within(list, start, id));
        let depth = operands.map(|operand| self.steps[operand].depth + 1).max().unwrap_or(0);
        let group = self.group(depth, (step.op.code(), flags));
        self.groups[group as usize].end += 1;
        self.steps.push(Entry { depth, group, rank: UNREAD });
    }

    /// The group of steps of a depth, at most one more than there are, and kind.
    #[inline]
    fn group(&mut self, depth: u32, kind: Kind) -> u32 {
        let hash = (depth * 37 + u32::from(kind.0) * 5 + u32::from(kind.1)) as usize % RECENT;
        let recent = self.recent[hash];
        match self.groups.get(recent as usize) {
            Some(group) if group.depth == depth && group.kind == kind => recent,
            _ => {
                let group = self.find_or_enter(depth, kind);
                self.recent[hash] = group;
                group
            }
        }
    }

    fn find_or_enter(&mut self, depth: u32, kind: Kind) -> u32 {
        if self.depths.len() == depth as usize {
            self.depths.push(END);
        }
        let first = self.depths[depth as usize];
        let mut number = first;
        while let Some(group) = self.groups.get(number as usize) {
            if group.kind == kind {
                return number;
            }
            number = group.next;
        }
        self.groups.push(Group { depth, kind, next: first, end: 0 });
        self.depths[depth as usize] = self.groups.len() as u32 - 1;
        self.depths[depth as usize]
    }

    /// Sorts the steps.
    pub(super) fn sort<F>(&mut self, list: &List<F>, start: usize, replay: Replay) {
        let Schedule { steps, groups, depths, runs, order, keys, .. } = self;
        runs.clear();
        for &first in &*depths {
            let here = runs.len();
            let mut number = first;
            while let Some(group) = groups.get(number as usize) {
                runs.push(number);
                number = group.next;
            }
            runs[here..].sort_unstable_by_key(|&group| groups[group as usize].kind);
        }
        let mut next = 0;
        for &group in &*runs {
            // Where its next step stands: in the end, where it ends.
            next += core::mem::replace(&mut groups[group as usize].end, next);
        }
        order.clear();
        order.resize(steps.len(), 0);
        for (k, step) in (0..).zip(&*steps) {
            let place = &mut groups[step.group as usize].end;
            order[*place as usize] = k;
            *place += 1;
        }
        if replay == Replay::InRows {
            return;
        }
        // The deepest first: where a step is read must be known.
        let mut end = order.len();
        for before in (0..runs.len()).rev() {
            let begin = before.checked_sub(1).map_or(0, |before| groups[runs[before] as usize].end as usize);
            let run = &mut order[begin..end];
            keys.clear();
            keys.extend(run.iter().map(|&k| u64::from(steps[k as usize].rank) << BITS | u64::from(k)));
            if !keys.is_sorted() {
                // No two are equal, but long parts are often in order, which a stable sort makes use of.
                keys.sort();
                for (k, key) in run.iter_mut().zip(&*keys) {
                    *k = (key & ((1 << BITS) - 1)) as u32;
                }
            }
            if let Some(&first) = run.first() {
                let op = list.steps[start + first as usize].op;
                rank_operands(list, start, op, (begin as u32..).zip(&*run), steps);
            }
            end = begin;
        }
    }

    /// The steps as they are evaluated, by their numbers in the window.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The steps of one depth, operation and flags, and these.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&[u32], u8)> {
        let mut begin = 0;
        self.runs.iter().map(move |&group| {
            let Group { end, kind: (_, flags), .. } = self.groups[group as usize];
            (&self.order[core::mem::replace(&mut begin, end as usize)..end as usize], flags)
        })
    }
}

/// The number in the window that begins with step `start`, if the value is made there.
#[inline]
fn within<F>(list: &List<F>, start: usize, id: Id) -> Option<usize> {
    if id.is_constant() { None } else { id.number().checked_sub(list.first_result() + start) }
}

/// Ranks the operands of steps of one operation, given with their places in the order.
///
/// One operand leads, and lies as the steps do: that from which others are subtracted or to which products are added,
/// or else the newest. What many steps read, as the largest of some numbers is subtracted from all, then stays where
/// another reader wants it. The operands of many n-ary steps lie first by first, then second by second.
fn rank_operands<'a, F>(
    list: &List<F>,
    start: usize,
    op: Op,
    run: impl Iterator<Item = (u32, &'a u32)>,
    steps: &mut [Entry],
) {
    let inside = |id: Id| within(list, start, id);
    let leads = match op {
        Op::Binary(Binary::Sub | Binary::Div) => Some(0),
        Op::MulAdd | Op::MulSub | Op::SubMul => Some(2),
        _ => None,
    };
    let is_nary = matches!(op, Op::Nary(_));
    for (place, &k) in run {
        let operands = list.operands(&list.steps[start + k as usize]);
        let newest = || operands.iter().filter_map(|&id| inside(id)).max();
        let leading = if is_nary { None } else { leads.and_then(|side: usize| inside(operands[side])).or_else(newest) };
        for (side, &id) in (0..).zip(operands) {
            let Some(operand) = inside(id) else { continue };
            let rank = if is_nary {
                u32::min(side, BESIDE >> BITS) << BITS | place
            } else if Some(operand) == leading {
                place
            } else {
                BESIDE | place
            };
            let least = &mut steps[operand].rank;
            *least = rank.min(*least);
        }
    }
}
