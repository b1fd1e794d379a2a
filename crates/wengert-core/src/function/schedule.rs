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
    /// Where the steps of each depth start; while steps are added, how many they are.
    starts: Vec<u32>,
    order: Vec<u32>,
    /// Where runs start, and the end.
    breaks: Vec<u32>,
    keys: Vec<u64>,
}

struct Entry {
    depth: u32,
    code: u16,
    flags: u8,
    /// Where it is read, smaller for what is read earlier.
    rank: u32,
}

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
        self.starts.clear();
    }

    /// Adds the next step of the window that begins with step `start`.
    pub(super) fn push<F>(&mut self, list: &List<F>, start: usize, step: &Step, flags: u8) {
        let mut depth = 0;
        for operand in list.operands(step).iter().filter_map(|&id| within(list, start, id)) {
            depth = depth.max(self.steps[operand].depth + 1);
        }
        self.steps.push(Entry { depth, code: super::optimise::code(step.op) as u16, flags, rank: UNREAD });
        if self.starts.len() <= depth as usize {
            self.starts.resize(depth as usize + 1, 0);
        }
        self.starts[depth as usize] += 1;
    }

    /// Sorts the steps.
    pub(super) fn sort<F>(&mut self, list: &List<F>, start: usize, replay: Replay) {
        let Schedule { steps, starts, order, breaks, keys } = self;
        let mut next = 0;
        for start in starts.iter_mut() {
            next += core::mem::replace(start, next);
        }
        starts.push(next);
        order.clear();
        order.resize(steps.len(), 0);
        let mut free = starts.clone();
        for (k, step) in (0..).zip(&*steps) {
            let place = &mut free[step.depth as usize];
            order[*place as usize] = k;
            *place += 1;
        }
        breaks.clear();
        breaks.push(next);
        // The deepest first: where a step is read must be known.
        for ends in starts.windows(2).rev() {
            let level = &mut order[ends[0] as usize..ends[1] as usize];
            if level.len() > 1 {
                keys.clear();
                keys.extend(level.iter().map(|&k| {
                    let Entry { code, flags, rank, .. } = steps[k as usize];
                    u64::from(code) << 54 | u64::from(flags) << 46 | u64::from(rank) << BITS | u64::from(k)
                }));
                keys.sort_unstable();
                for (k, key) in level.iter_mut().zip(&*keys) {
                    *k = (key & ((1 << BITS) - 1)) as u32;
                }
            }
            if replay == Replay::AtPoint {
                for (place, &k) in (ends[0]..).zip(&*level) {
                    rank_operands(list, start, &list.steps[start + k as usize], place, steps);
                }
            }
            let kind = |k: u32| (steps[k as usize].code, steps[k as usize].flags);
            let changes = |&place: &u32| {
                let [before, here] = [place - 1, place].map(|place| level[(place - ends[0]) as usize]);
                kind(before) != kind(here)
            };
            breaks.extend((ends[0] + 1..ends[1]).rev().filter(changes));
            breaks.push(ends[0]);
        }
        breaks.reverse();
    }

    /// The steps as they are evaluated, by their numbers in the window.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The steps of one depth, operation and flags, and these.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&[u32], u8)> {
        self.breaks.windows(2).map(|ends| {
            let run = &self.order[ends[0] as usize..ends[1] as usize];
            (run, self.steps[run[0] as usize].flags)
        })
    }
}

/// The number in the window that begins with step `start`, if the value is made there.
#[inline]
fn within<F>(list: &List<F>, start: usize, id: Id) -> Option<usize> {
    if id.is_constant() { None } else { id.number().checked_sub(list.first_result() + start) }
}

/// Ranks the operands of a step that is the one at `place`.
///
/// One operand leads, and lies as the steps do: that from which others are subtracted or to which products are added,
/// or else the newest. What many steps read, as the largest of some numbers is subtracted from all, then stays where
/// another reader wants it. The operands of many n-ary steps lie first by first, then second by second.
fn rank_operands<F>(list: &List<F>, start: usize, step: &Step, place: u32, steps: &mut [Entry]) {
    let operands = list.operands(step);
    let inside = |id: Id| within(list, start, id);
    let leading = match step.op {
        Op::Binary(Binary::Sub | Binary::Div) => inside(operands[0]),
        Op::MulAdd | Op::MulSub | Op::SubMul => inside(operands[2]),
        _ => None,
    };
    let leading = leading.or_else(|| operands.iter().filter_map(|&id| inside(id)).max());
    for (side, &id) in (0..).zip(operands) {
        let Some(operand) = inside(id) else { continue };
        let rank = match step.op {
            Op::Nary(_) => u32::min(side, BESIDE >> BITS) << BITS | place,
            _ if Some(operand) == leading => place,
            _ => BESIDE | place,
        };
        let least = &mut steps[operand].rank;
        *least = rank.min(*least);
    }
}
