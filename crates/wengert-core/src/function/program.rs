//! The program: a recorded list laid out for replay.
//!
//! Values lie in one array of *slots*: inputs, data, constants, then the results of the steps in the order they are computed
//! in. That order is chosen so that equal operations come in *runs*: the replay looks at an opcode once for each run, and
//! then runs a loop over the operands of its steps. Within a window of the list steps are sorted by their depth (steps of
//! one depth do not need each other), then by operation; the window keeps a step near the operands it reads, in cache.

use super::error::{FunctionError, Place};
use super::layout::Layout;
use super::list::{Answer, Id, List, Op};
use crate::tape::{Comparison, Nary};
use crate::tensor::TensorFloat;
use std::sync::OnceLock;
use wengert_kernels::Parametric;

/// Steps that are sorted together. Long enough for runs of dozens, short enough that operands stay in the first-level cache.
const WINDOW: usize = 1024;

/// Consecutive steps of one operation. A step may need the result of an earlier one of its run.
///
/// Four bytes: slots and operands are counted along, so that a long program streams as little as possible through the caches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) op: Op,
    /// Three bits of activity, and [`OF_DATA`].
    flags: u8,
    /// How many steps, less 1.
    more: u8,
}

/// The flag of steps that hang on data.
const OF_DATA: u8 = 1 << 7;

impl Run {
    /// Which operands a derivative can flow to: bit 0 the first, bit 1 the second, bit 2 any other; of a dot product, whose
    /// operands are pairs, the first and the second of any pair. Those that hang on no input are left out.
    #[inline(always)]
    pub(crate) fn active(self) -> u8 {
        self.flags & !OF_DATA
    }

    /// Whether the steps hang on data.
    #[inline(always)]
    pub(crate) fn is_of_data(self) -> bool {
        self.flags & OF_DATA != 0
    }

    /// How many steps.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        usize::from(self.more) + 1
    }

    /// Whether rows keep the slopes of its steps, which are computed with the values.
    #[inline]
    pub(crate) fn keeps_slopes(self) -> bool {
        self.active() != 0 && matches!(self.op, Op::Unary(op) if op.shares_slope())
    }

    /// How many numbers its operands take; for an n-ary step, whose operands end with their number, none.
    #[inline(always)]
    pub(crate) fn args(self) -> usize {
        self.len() * self.op.width()
    }

    /// How many numbers stand before its operands: the number of an n-ary step's, which stands behind them again.
    #[inline]
    pub(crate) fn before(self) -> usize {
        usize::from(self.op.arity().is_none())
    }

    /// How many numbers it takes of all operands; those given are its own.
    #[inline]
    pub(crate) fn taken(self, operands: &[u32]) -> usize {
        operands.len() + 2 * self.before()
    }
}

/// A comparison to be checked after a replay, by slots.
#[derive(Clone, Debug, PartialEq)]
struct Check {
    a: u32,
    b: u32,
    question: Comparison,
    answer: Answer,
    place: Place,
}

/// A list laid out for replay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program<F> {
    pub(crate) inputs: usize,
    pub(crate) data: usize,
    pub(crate) constants: Vec<F>,
    pub(crate) runs: Vec<Run>,
    /// Slots of the operands, step after step: as many as the operation has, two numbers for a step with parameters (slot,
    /// parameter), and for an n-ary step its operands between their number and their number again.
    pub(crate) args: Vec<u32>,
    pub(crate) parameters: Vec<Parametric>,
    pub(crate) outputs: Vec<u32>,
    checks: Vec<Check>,
    /// Whether an output hangs on an input.
    pub(crate) output_is_active: Vec<bool>,
    pub(crate) slots: usize,
    /// How many steps have their slopes kept.
    pub(crate) slopes: usize,
    layout: OnceLock<Layout>,
}

impl<F: TensorFloat> Program<F> {
    /// Lays out a list.
    pub(crate) fn new(list: &List<F>) -> Self {
        let first = list.first_result();
        let base = first + list.constants.len();
        let mut program = Program {
            inputs: list.inputs,
            data: list.data,
            constants: list.constants.clone(),
            runs: Vec::new(),
            args: Vec::with_capacity(list.steps.len() * 3),
            parameters: list.parameters.clone(),
            outputs: Vec::new(),
            checks: Vec::new(),
            output_is_active: Vec::new(),
            slots: base + list.steps.len(),
            slopes: 0,
            layout: OnceLock::new(),
        };
        // The slot of each step, with a bit that says whether it hangs on an input.
        const ACTIVE: u32 = 1 << 31;
        let mut places = vec![0_u32; list.steps.len()];
        let mut of_data = vec![false; list.steps.len()];
        let place = |id: Id, places: &[u32]| match id.number() {
            k if id.is_constant() => (first + k) as u32,
            k if k < list.inputs => k as u32 | ACTIVE,
            k if k < first => k as u32,
            k => places[k - first],
        };
        let mut depths = [0_u32; WINDOW];
        let mut order: Vec<u64> = Vec::with_capacity(WINDOW);
        for start in (0..list.steps.len()).step_by(WINDOW) {
            let window = &list.steps[start..list.steps.len().min(start + WINDOW)];
            order.clear();
            for (k, step) in window.iter().enumerate() {
                let mut depth = 0;
                let mut active = 0_u8;
                let mut data = false;
                for (side, &id) in list.operands(step).iter().enumerate() {
                    let within = if id.is_constant() { None } else { id.number().checked_sub(first + start) };
                    if let Some(within) = within {
                        depth = depth.max(depths[within] + 1);
                    }
                    // Steps of this window have no slot yet, but their activity is known.
                    if place(id, &places) & ACTIVE != 0 {
                        active |= 1 << if step.op == Op::Nary(Nary::Dot) { side & 1 } else { side.min(2) };
                    }
                    data |= match id.number() {
                        _ if id.is_constant() => false,
                        k if k < first => k >= list.inputs,
                        k => of_data[k - first],
                    };
                }
                depths[k] = depth;
                if step.op == Op::Detach {
                    active = 0;
                }
                places[start + k] = if active == 0 { 0 } else { ACTIVE };
                of_data[start + k] = data;
                // Passive steps and those of another activity make runs of their own, and so do those of data.
                let flags = active | if data { OF_DATA } else { 0 };
                order.push(
                    u64::from(depth) << 48 | super::optimise::code(step.op) << 24 | u64::from(flags) << 16 | k as u64,
                );
            }
            order.sort_unstable();
            for (position, &key) in order.iter().enumerate() {
                let k = (key & 0xFFFF) as usize;
                let slot = (base + start + position) as u32;
                let step = &window[k];
                let flags = (key >> 16) as u8;
                let nary = step.op.arity().is_none();
                let operands = list.operands(step);
                match program.runs.last_mut() {
                    Some(run) if run.op == step.op && run.flags == flags && run.more < u8::MAX && !nary => {
                        run.more += 1;
                    }
                    _ => program.runs.push(Run { op: step.op, flags, more: 0 }),
                }
                if nary {
                    program.args.push(operands.len() as u32);
                }
                program.args.extend(operands.iter().map(|&id| place(id, &places) & !ACTIVE));
                if nary {
                    program.args.push(operands.len() as u32);
                }
                if step.op == Op::Parametric {
                    program.args.push(step.operands[1].raw());
                }
                places[start + k] |= slot;
            }
        }
        program.slopes = program.runs.iter().filter(|run| run.keeps_slopes()).map(|run| run.len()).sum();
        for &output in &list.outputs {
            let place = place(output, &places);
            program.outputs.push(place & !ACTIVE);
            program.output_is_active.push(place & ACTIVE != 0);
        }
        for guard in &list.guards {
            let [a, b] = [guard.a, guard.b].map(|id| place(id, &places) & !ACTIVE);
            let (question, answer, place) = (guard.question, guard.answer, guard.place.clone());
            program.checks.push(Check { a, b, question, answer, place });
        }
        program
    }

    /// Where values and adjoints lie in rows: found when it is first asked for, since many programs are only run at one point.
    pub(crate) fn layout(&self) -> &Layout {
        self.layout.get_or_init(|| Layout::of(self))
    }

    /// The row of the value in a slot.
    pub(crate) fn row(&self, slot: usize) -> usize {
        slot.checked_sub(self.first_result()).map_or(slot, |step| self.layout().results[step] as usize)
    }

    /// The slots that comparisons read.
    pub(crate) fn checked(&self) -> impl Iterator<Item = u32> {
        self.checks.iter().flat_map(|check| [check.a, check.b])
    }

    /// The slot of the first result.
    pub(crate) fn first_result(&self) -> usize {
        self.first_constant() + self.constants.len()
    }

    /// The slot of the first constant.
    pub(crate) fn first_constant(&self) -> usize {
        self.inputs + self.data
    }

    /// Whether every comparison comes out as recorded; `values` gives the number in a slot, `point` says which point it is.
    ///
    /// # Errors
    /// [`FunctionError::Guard`] or [`FunctionError::NanCompared`] for the first that does not.
    #[inline]
    pub(crate) fn check<T: PartialOrd>(
        &self,
        point: Option<usize>,
        values: impl Fn(usize) -> T,
        plain: impl Fn(T) -> f64,
    ) -> Result<(), FunctionError> {
        for check in &self.checks {
            let now = check.question.ask(values(check.a as usize), values(check.b as usize));
            if now != Some(check.answer) {
                let (a, b) = (plain(values(check.a as usize)), plain(values(check.b as usize)));
                return Err(check.error(point, a, b, now));
            }
        }
        Ok(())
    }

    /// Whether there is anything to check.
    pub(crate) fn has_checks(&self) -> bool {
        !self.checks.is_empty()
    }
}

impl Check {
    #[cold]
    fn error(&self, point: Option<usize>, a: f64, b: f64, now: Option<Answer>) -> FunctionError {
        let (place, question, recorded) = (self.place.clone(), self.question, self.answer);
        match now {
            Some(now) => FunctionError::Guard { place, point, a, b, question, recorded, now },
            None => FunctionError::NanCompared { place, point, a, b, question },
        }
    }
}
