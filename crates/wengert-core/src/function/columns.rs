//! Where the operands of an *even* run lie: side by side, or all in one slot.
//!
//! The steps of a long run do not need each other, and their results lie side by side. If the slots of each operand do
//! so, too, or are one, a column of operands is told by its first slot, and several steps are one vector operation.

use super::program::MOST;
use crate::number::Primal;

/// Runs of fewer steps are short: what they read was written just now, number by number, and a vector would wait until
/// all of them have left for the cache.
pub(super) const LONG: usize = 12;

/// The slots of an operand of the steps of an even run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// One after the other, from this one on.
    Consecutive(usize),
    /// One for all steps.
    Same(usize),
}

impl Column {
    /// The slot of a step.
    #[inline(always)]
    pub(super) fn slot(self, step: usize) -> usize {
        match self {
            Column::Consecutive(first) => first + step,
            Column::Same(slot) => slot,
        }
    }

    /// The numbers of `N` steps from `step` on.
    #[inline(always)]
    pub(super) fn load<R: Copy, const N: usize>(self, values: &[R], step: usize) -> [R; N] {
        match self {
            Column::Consecutive(first) => *here(values, first + step),
            Column::Same(slot) => [values[slot]; N],
        }
    }

    /// Adds to the adjoints of those.
    #[inline(always)]
    pub(super) fn add<R: Primal, const N: usize>(self, bars: &mut [R], step: usize, mut x_bar: [R; N]) {
        match self {
            Column::Consecutive(first) => {
                for (bar, x_bar) in here_mut::<R, N>(bars, first + step).iter_mut().zip(x_bar) {
                    *bar += x_bar;
                }
            }
            Column::Same(slot) => {
                // As a tree: one after the other the sums would wait for each other.
                let mut len = N;
                while len > 1 {
                    len /= 2;
                    for k in 0..len {
                        let other = x_bar[k + len];
                        x_bar[k] += other;
                    }
                }
                bars[slot] += x_bar[0];
            }
        }
    }
}

/// How many of the first steps, whose operands stand in turn, are a run, and, if it is even, a bit for each operand
/// whose slots lie side by side.
pub(super) fn even_part(operands: &[u32], width: usize) -> (usize, Option<u8>) {
    let steps = || operands.chunks_exact(width).take(MOST);
    // Whether operand `k` is the same slot in all steps, or the next in each.
    let mut same = [true; 3];
    let mut next = [true; 3];
    let mut len = 0;
    for (step, slots) in (0..).zip(steps()) {
        let (mut same_here, mut next_here) = (same, next);
        for (k, (&slot, &first)) in slots.iter().zip(operands).enumerate() {
            same_here[k] &= slot == first;
            next_here[k] &= slot == first + step;
        }
        if (0..width).any(|k| !same_here[k] && !next_here[k]) {
            break;
        }
        (same, next) = (same_here, next_here);
        len += 1;
    }
    if len >= LONG {
        return (len, Some((0..width).fold(0, |columns, k| columns | u8::from(!same[k]) << k)));
    }
    // Up to where an even part may begin.
    let mut begin = 0;
    for (step, (slots, before)) in (1..).zip(steps().skip(1).zip(steps())) {
        if slots.iter().zip(before).any(|(&slot, &before)| slot != before && slot != before + 1) {
            begin = step;
        } else if begin > 0 && step + 1 - begin >= LONG {
            return (begin, None);
        }
    }
    (steps().len(), None)
}

const INSIDE: &str = "a run lies within the program's slots";

/// The `N` numbers from `first` on.
#[inline(always)]
pub(super) fn here<T, const N: usize>(numbers: &[T], first: usize) -> &[T; N] {
    numbers[first..].first_chunk().expect(INSIDE)
}

/// The same, to be written.
#[inline(always)]
pub(super) fn here_mut<T, const N: usize>(numbers: &mut [T], first: usize) -> &mut [T; N] {
    numbers[first..].first_chunk_mut().expect(INSIDE)
}

/// Whether steps in numbers of this kind are done several at a time: those with more than one tangent fill a vector by
/// themselves.
pub(super) const fn in_chunks<R: Primal>() -> bool {
    size_of::<R>() <= 2 * size_of::<R::Base>()
}

/// Steps `0..len`, as many at a time as fill a vector if `in_vectors`: `body` with `$N` steps from `$step` on.
macro_rules! each_chunk {
    ($len:expr, $in_vectors:expr, |$step:ident, $N:ident| $body:expr) => {{
        let len = $len;
        let mut $step = 0;
        if $in_vectors {
            while $step + 8 <= len {
                const $N: usize = 8;
                $body;
                $step += $N;
            }
            if $step + 4 <= len {
                const $N: usize = 4;
                $body;
                $step += $N;
            }
        }
        while $step < len {
            const $N: usize = 1;
            $body;
            $step += $N;
        }
    }};
}
pub(super) use each_chunk;

/// Numbers that a call of a function of many takes at a time.
const MANY: usize = 64;

/// `y = f(x)` many at a time, for `len` numbers in the slots given; results go to those from `first` on, behind all
/// operands.
#[inline(never)]
pub(super) fn many<R: Primal>(
    slot: impl Fn(usize) -> usize,
    len: usize,
    values: &mut [R],
    first: usize,
    f: impl Fn(&[R], &mut [R]),
) {
    let (values, results) = values.split_at_mut(first);
    let mut buffer = [R::ZERO; MANY];
    for (start, y) in (0..).step_by(MANY).zip(results[..len].chunks_mut(MANY)) {
        let x = &mut buffer[..y.len()];
        (start..).zip(&mut *x).for_each(|(step, x)| *x = values[slot(step)]);
        f(x, y);
    }
}

/// Adds `x_bar = f(x, y, y_bar)` many at a time to the adjoints in the slots given, and sets those of the results to 0.
#[inline(never)]
pub(super) fn many_back<R: Primal>(
    slot: impl Fn(usize) -> usize,
    len: usize,
    values: &[R],
    bars: &mut [R],
    first: usize,
    f: impl Fn(&[R], &[R], &[R], &mut [R]),
) {
    let [mut x, mut y_bar, mut x_bar] = [[R::ZERO; MANY]; 3];
    for start in (0..len).step_by(MANY) {
        let steps = start..len.min(start + MANY);
        let results = first + steps.start..first + steps.end;
        let [x, y_bar, x_bar] = [&mut x, &mut y_bar, &mut x_bar].map(|buffer| &mut buffer[..steps.len()]);
        steps.clone().zip(&mut *x).for_each(|(step, x)| *x = values[slot(step)]);
        y_bar.copy_from_slice(&bars[results.clone()]);
        bars[results.clone()].fill(R::ZERO);
        f(x, &values[results], y_bar, x_bar);
        steps.zip(&*x_bar).for_each(|(step, &x_bar)| bars[slot(step)] += x_bar);
    }
}
