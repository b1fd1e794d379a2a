//! Which states of a long loop to keep, and when: the binomial schedule.
//!
//! To reverse `l` steps with `s` states in memory, advance `m` steps, keep the state there, reverse the `l - m` steps
//! after it with `s - 1`, give the state up, and reverse the first `m` with `s`. The costs
//! `t(l, s) = m + t(l - m, s - 1) + t(m, s)` are least, over all `m`, at `t(l, s) = r l - C(s + r, r - 1)`, where `r`
//! is the smallest number with `l <= C(s + r, s)`: no step is evaluated more than `r` times. The first state counts as
//! one of the `s`.
//!
//! Source: A. Griewank and A. Walther, "Algorithm 799: revolve: an implementation of checkpointing for the reverse or
//! adjoint mode of computational differentiation", 2000, section 2.

/// What to do next when reversing a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep the current state, that before `step`, beside those kept already.
    Keep {
        /// The step that starts from it.
        step: usize,
    },
    /// Go back to the state kept last, that before `step`.
    Restore {
        /// The step that starts from it.
        step: usize,
    },
    /// Evaluate the steps `from..to`.
    Advance {
        /// The first step to evaluate.
        from: usize,
        /// The step to stop before.
        to: usize,
    },
    /// Record `step` from the current state and sweep back over it. Comes once for each step, the last step first.
    Reverse {
        /// The step.
        step: usize,
    },
    /// Give up the state kept last, that before `step`.
    Free {
        /// The step that starts from it.
        step: usize,
    },
}

/// The actions that reverse a loop of `steps` steps with at most `snapshots` states in memory, in the fewest
/// evaluations.
///
/// For loops whose states do not fit variables on a tape; those that do are
/// [`CheckpointedLoop`](crate::CheckpointedLoop)s.
///
/// # Examples
/// ```
/// use wengert_core::checkpoint::{Action, Schedule};
///
/// let actions: Vec<Action> = Schedule::new(3, 2).collect();
/// use Action::*;
/// assert_eq!(
///     actions,
///     [
///         Keep { step: 0 },
///         Advance { from: 0, to: 1 },
///         Keep { step: 1 },
///         Advance { from: 1, to: 2 },
///         Reverse { step: 2 },
///         Restore { step: 1 },
///         Reverse { step: 1 },
///         Free { step: 1 },
///         Restore { step: 0 },
///         Reverse { step: 0 },
///         Free { step: 0 },
///     ]
/// );
/// assert_eq!(Schedule::evaluations(3, 2), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Schedule {
    snapshots: usize,
    /// Steps not yet reversed.
    end: usize,
    /// The step that starts from the current state.
    at: usize,
    /// The steps that start from states kept, in order.
    kept: Vec<usize>,
}

impl Schedule {
    /// The schedule for `steps` steps and `snapshots` states; the first state is one of them and always kept, so 0
    /// counts as 1.
    #[must_use]
    pub fn new(steps: usize, snapshots: usize) -> Self {
        Schedule { snapshots: useful(snapshots, steps), end: steps, at: 0, kept: Vec::new() }
    }

    /// The number of states that is kept if none is given: the fewest with which no step is evaluated more than three
    /// times, about `(6 steps)^(1/3)`.
    ///
    /// Why three: the reverse sweep over a step costs about as much as three evaluations, so it is at worst half of the
    /// time; a fourth evaluation would save little memory more, two would take the square root of `2 steps` states.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::checkpoint::Schedule;
    /// assert_eq!(Schedule::default_snapshots(1_000_000), 180);
    /// ```
    #[must_use]
    pub fn default_snapshots(steps: usize) -> usize {
        let enough = |s: &usize| binomial_sum(*s, 3) >= steps as u128;
        let mut high = 1;
        while !enough(&high) {
            high *= 2;
        }
        let (mut low, mut high) = (high / 2, high);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if enough(&middle) { high = middle } else { low = middle }
        }
        high
    }

    /// How many evaluations of a step the schedule asks for, beside the one recording of each: the least possible
    /// number.
    #[must_use]
    pub fn evaluations(steps: usize, snapshots: usize) -> u128 {
        if steps == 0 {
            return 0;
        }
        let snapshots = useful(snapshots, steps);
        let r = repetitions(steps, snapshots);
        r as u128 * steps as u128 - before(snapshots + 1, r)
    }

    /// How often a step is evaluated at most, beside its recording: the `r` of `steps <= C(snapshots + r, r)`.
    #[must_use]
    pub fn repetitions(steps: usize, snapshots: usize) -> usize {
        repetitions(steps, useful(snapshots, steps))
    }
}

impl Iterator for Schedule {
    type Item = Action;

    fn next(&mut self) -> Option<Action> {
        let Some(&last) = self.kept.last() else {
            // Either nothing was done yet, or everything.
            return (self.end > 0).then(|| self.keep());
        };
        if last == self.end {
            self.kept.pop();
            return Some(Action::Free { step: last });
        }
        if self.at >= self.end {
            self.at = last;
            return Some(Action::Restore { step: last });
        }
        if self.at + 1 == self.end {
            self.end = self.at;
            return Some(Action::Reverse { step: self.at });
        }
        if self.at > last {
            return Some(self.keep());
        }
        let (from, length) = (self.at, self.end - self.at);
        self.at += match self.snapshots - self.kept.len() {
            0 => length - 1,
            free => split(length, free + 1),
        };
        Some(Action::Advance { from, to: self.at })
    }
}

impl Schedule {
    fn keep(&mut self) -> Action {
        self.kept.push(self.at);
        Action::Keep { step: self.at }
    }
}

/// The start is always kept, and more states than steps are of no use.
fn useful(snapshots: usize, steps: usize) -> usize {
    snapshots.clamp(1, steps.max(1))
}

/// How far to advance before the next state is kept, with `length >= 2` steps to reverse and `s >= 2` states, that at
/// the start among them. Any number is optimal that leaves neither part more or fewer than `r - 1` or `r` repetitions
/// allow; the largest keeps states for the shortest time.
fn split(length: usize, s: usize) -> usize {
    let r = repetitions(length, s);
    let left = binomial_sum(s, r - 1);
    let right = length as u128 - before(s - 1, r);
    left.min(right) as usize
}

/// The smallest `r` with `length <= C(s + r, s)`.
fn repetitions(length: usize, s: usize) -> usize {
    if s == 1 {
        return length.saturating_sub(1);
    }
    let (mut r, mut reach) = (0_usize, 1_u128);
    while reach < length as u128 {
        r += 1;
        reach = reach * (s + r) as u128 / r as u128;
    }
    r
}

/// `C(s + r, s)`: the longest loop that `s` states and `r` evaluations of every step can reverse. Saturates.
fn binomial_sum(s: usize, r: usize) -> u128 {
    let (small, large) = (s.min(r), s.max(r));
    (1..=small).fold(1_u128, |c, k| c.saturating_mul((large + k) as u128) / k as u128)
}

/// `C(s + r - 1, s)`, one repetition fewer; 0 if there is none to take away.
fn before(s: usize, r: usize) -> u128 {
    r.checked_sub(1).map_or(0, |r| binomial_sum(s, r))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fewest evaluations, by trying every split: `table[s][l]`.
    fn optimum(states: usize, steps: usize) -> Vec<Vec<u128>> {
        let mut table = vec![vec![u128::MAX / 4; steps + 1]; states + 1];
        for s in 1..=states {
            (table[s][0], table[s][1]) = (0, 0);
            for l in 2..=steps {
                // Without another state: from the start to the step before the last one reversed, each time.
                let mut best = (l * (l - 1) / 2) as u128;
                if s > 1 {
                    for m in 1..l {
                        best = best.min(m as u128 + table[s - 1][l - m] + table[s][m]);
                    }
                }
                table[s][l] = best;
            }
        }
        table
    }

    /// Does what the schedule says on states that are just their positions: evaluations, most states kept.
    fn perform(steps: usize, snapshots: usize) -> (u128, usize) {
        let (mut at, mut kept, mut next) = (0, Vec::new(), steps);
        let (mut evaluations, mut peak) = (0, 0);
        for action in Schedule::new(steps, snapshots) {
            match action {
                Action::Keep { step } => {
                    assert_eq!(step, at);
                    kept.push(at);
                    peak = peak.max(kept.len());
                }
                Action::Restore { step } => {
                    assert_eq!(kept.last(), Some(&step));
                    at = step;
                }
                Action::Advance { from, to } => {
                    assert!(from == at && to > from && to < next);
                    evaluations += (to - from) as u128;
                    at = to;
                }
                Action::Reverse { step } => {
                    assert!(step == at && step + 1 == next);
                    next = step;
                    at = usize::MAX;
                }
                Action::Free { step } => assert_eq!(kept.pop(), Some(step)),
            }
        }
        assert!(next == 0 && kept.is_empty());
        (evaluations, peak)
    }

    #[test]
    fn evaluations_are_the_optimum_of_dynamic_programming() {
        let table = optimum(12, 150);
        for (s, row) in table.iter().enumerate().skip(1) {
            for (l, &least) in row.iter().enumerate() {
                assert_eq!(Schedule::evaluations(l, s), least, "formula, {l} steps, {s} states");
                let (evaluations, peak) = perform(l, s);
                assert_eq!(evaluations, least, "performed, {l} steps, {s} states");
                assert!(peak <= s, "{peak} states for {l} steps, {s} allowed");
            }
        }
    }

    #[test]
    fn long_loops_take_what_the_formula_says() {
        // C(1002, 2) = 501501 < 1e6 <= C(1003, 3), so r = 3, and t = 3e6 - C(1003, 2).
        assert_eq!(Schedule::evaluations(1_000_000, 1000), 3_000_000 - 502_503);
        assert_eq!(perform(1_000_000, 1000), (2_497_497, 1000));
        for (steps, snapshots) in [(10_000, 10), (10_000, 2), (3000, 1), (20_000, 7), (99_999, 180)] {
            let (evaluations, peak) = perform(steps, snapshots);
            assert_eq!(evaluations, Schedule::evaluations(steps, snapshots), "{steps} steps, {snapshots} states");
            assert!(peak <= snapshots);
        }
    }

    #[test]
    fn as_many_states_as_steps_evaluate_nothing_twice() {
        assert_eq!(Schedule::evaluations(100, 100), 99);
        assert_eq!(perform(100, usize::MAX), (99, 99));
        assert_eq!(perform(5, 0), perform(5, 1));
    }

    #[test]
    fn the_default_is_the_fewest_states_with_three_repetitions() {
        for steps in [1, 2, 3, 4, 5, 10, 1000, 12_345, 1_000_000_000] {
            let s = Schedule::default_snapshots(steps);
            assert!(Schedule::repetitions(steps, s) <= 3, "{steps} steps, {s} states");
            assert!(s == 1 || Schedule::repetitions(steps, s - 1) > 3, "{steps} steps, {s} states");
        }
        assert_eq!(Schedule::default_snapshots(0), 1);
    }
}
