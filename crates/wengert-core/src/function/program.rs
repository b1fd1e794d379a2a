//! The program: a recorded list laid out for replay.
//!
//! Values lie in one array of *slots*: inputs, data, constants, then the results of the steps in the order they are
//! computed in. That order is chosen so that equal operations come in *runs*: the replay looks at an opcode once for
//! each run, and then runs a loop over the operands of its steps, or, if the run is *even*, over vectors of them.
//! `schedule` finds it.

use super::columns::{self, Column, LONG};
use super::draft::KEPT;
use super::error::{FunctionError, Place};
use super::layout::Layout;
use super::list::{Answer, Id, List, Op, Step};
use super::schedule::Schedule;
use super::spans::{Crossing, Spans};
use crate::tape::{Comparison, Nary};
use crate::tensor::TensorFloat;
use core::cell::Cell;
use core::mem::take;
use std::sync::OnceLock;
use wengert_kernels::Parametric;

/// What a program is laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// One point: equal steps make long runs, wherever in a loop they come from, and even ones if they can.
    AtPoint,
    /// Rows of points: every step is a vector operation, and the closer together values are made and read, the fewer
    /// rows they need.
    InRows,
}

impl Replay {
    /// Steps that are sorted together.
    pub(super) const fn window(self) -> usize {
        match self {
            Replay::AtPoint => 1 << 16,
            Replay::InRows => 1 << 10,
        }
    }

    /// Steps whose adjoints a reverse sweep keeps in one place: a number of whole windows.
    const fn span(self) -> usize {
        match self {
            Replay::AtPoint => 1 << 16,
            Replay::InRows => 1 << 14,
        }
    }
}

/// Steps a run may have.
pub(super) const MOST: usize = u8::MAX as usize + 1;

/// Consecutive steps of one operation. A step may need the result of an earlier one of its run.
///
/// Four bytes: slots and operands are counted along, so that a long program streams as little as possible through the
/// caches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) op: Op,
    /// Three bits of activity, and [`OF_DATA`].
    flags: u8,
    /// How many steps, less 1.
    more: u8,
    /// [`EVEN`], and a bit for each operand whose slots lie side by side.
    columns: u8,
}

/// The flag of even runs.
const EVEN: u8 = 1 << 7;

/// The flag of steps that hang on data.
const OF_DATA: u8 = 1 << 7;

impl Run {
    /// Which operands a derivative can flow to: bit 0 the first, bit 1 the second, bit 2 any other; of a dot product,
    /// whose operands are pairs, the first and the second of any pair. Those that hang on no input are left out.
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

    /// Whether each operand of its steps lies side by side or in one slot; then only the first steps' operands are
    /// listed.
    #[inline(always)]
    pub(super) fn is_even(self) -> bool {
        self.columns & EVEN != 0
    }

    /// Whether the steps are enough to be taken together. Laid out for one point, they do not need each other then; in
    /// rows they may.
    #[inline(always)]
    pub(super) fn is_long(self) -> bool {
        self.len() >= LONG
    }

    /// The columns of an even run, from its first operands.
    #[inline(always)]
    pub(super) fn columns(self, operands: &[u32]) -> [Column; 3] {
        let column = |operand: usize| {
            let slot = operands.get(operand).map_or(0, |&slot| slot as usize);
            if self.columns & 1 << operand == 0 { Column::Same(slot) } else { Column::Consecutive(slot) }
        };
        [column(0), column(1), column(2)]
    }

    /// How many operands are listed.
    #[inline(always)]
    pub(super) fn listed(self) -> usize {
        if self.is_even() { self.op.width() } else { self.args() }
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

/// Where the values of a list lie, and what else is known while it is laid out.
#[derive(Default)]
pub(super) struct Places {
    /// The slots of the results of the steps; those of inputs and data are their numbers.
    pub(super) slots: Vec<u32>,
    /// What the results hang on: [`ACTIVE`] or [`OF_DATA`] or both.
    flags: Vec<u8>,
    inputs: usize,
    /// The slot of each constant that was asked for.
    constants: Vec<u32>,
    /// Constants as they were asked for: what steps read one after the other lies side by side.
    in_order: Vec<u32>,
    /// The slot of the first constant, and the number of the first step's result.
    first_constant: usize,
    schedule: Schedule,
    /// The slots of the operands of a run.
    operands: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

thread_local! {
    /// Memory for the next list: in memory new from the system all takes twice as long.
    static SPARE: Cell<Places> = Cell::default();
}

impl Places {
    /// Whether a value hangs on an input.
    pub(super) fn is_active(&self, id: Id) -> bool {
        self.flags(id) & ACTIVE != 0
    }

    /// What a value hangs on.
    #[inline]
    fn flags(&self, id: Id) -> u8 {
        match id.number().checked_sub(self.first_constant) {
            Some(step) => self.flags[step],
            None if id.number() < self.inputs => ACTIVE,
            None => OF_DATA,
        }
    }

    /// The flags of a step.
    #[inline]
    fn flags_of_step<F>(&self, list: &List<F>, step: &Step) -> u8 {
        let (mut active, mut of_data) = (0, 0);
        for (side, &id) in list.operands(step).iter().enumerate().filter(|(_, id)| !id.is_constant()) {
            let side = if step.op == Op::Nary(Nary::Dot) { side & 1 } else { side.min(2) };
            active |= (self.flags(id) & ACTIVE) << side;
            of_data |= self.flags(id) & OF_DATA;
        }
        if step.op == Op::Detach { of_data } else { active | of_data }
    }

    /// Those before the first step.
    fn of<F>(list: &List<F>) -> Self {
        let mut places = SPARE.try_with(Cell::take).unwrap_or_default();
        places.slots.clear();
        places.flags.clear();
        places.constants.clear();
        places.constants.resize(list.constants.len(), NOWHERE);
        places.in_order.clear();
        (places.inputs, places.first_constant) = (list.inputs, list.first_result());
        places
    }

    /// Gives the memory to the next list.
    fn keep(self) {
        if self.slots.len() <= KEPT && self.constants.len() <= KEPT {
            // A thread that ends keeps nothing.
            _ = SPARE.try_with(|spare| spare.set(self));
        }
    }

    #[inline]
    fn slot(&mut self, id: Id) -> u32 {
        let number = id.number();
        if !id.is_constant() {
            return number.checked_sub(self.first_constant).map_or(number as u32, |step| self.slots[step]);
        }
        if self.constants[number] == NOWHERE {
            self.constants[number] = (self.first_constant + self.in_order.len()) as u32;
            self.in_order.push(number as u32);
        }
        self.constants[number]
    }
}

/// The flag of values that hang on an input.
const ACTIVE: u8 = 1;

/// A list laid out for replay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Program<F> {
    pub(crate) inputs: usize,
    pub(crate) data: usize,
    pub(crate) constants: Vec<F>,
    pub(crate) runs: Vec<Run>,
    /// Slots of the operands, step after step: as many as the operation has, two numbers for a step with parameters
    /// (slot, parameter), and for an n-ary step its operands between their number and their number again. Of an even
    /// run the first step's only.
    pub(crate) args: Vec<u32>,
    pub(crate) parameters: Vec<Parametric>,
    pub(crate) outputs: Vec<u32>,
    checks: Vec<Check>,
    /// Whether an output hangs on an input.
    pub(crate) output_is_active: Vec<bool>,
    pub(crate) slots: usize,
    pub(super) spans: Spans,
    /// How many steps have their slopes kept.
    pub(crate) slopes: usize,
    layout: OnceLock<Layout>,
}

impl<F: TensorFloat> Program<F> {
    /// Lays out a list.
    pub(crate) fn new(list: &List<F>, replay: Replay) -> Self {
        let first = list.first_result();
        let base = first + list.constants.len();
        let mut program = Program {
            inputs: list.inputs,
            data: list.data,
            constants: Vec::with_capacity(list.constants.len()),
            runs: Vec::new(),
            args: Vec::with_capacity(list.steps.len() * 2),
            parameters: list.parameters.clone(),
            outputs: Vec::new(),
            checks: Vec::new(),
            output_is_active: Vec::new(),
            slots: base + list.steps.len(),
            spans: Spans::one(list.steps.len()),
            slopes: 0,
            layout: OnceLock::new(),
        };
        let mut places = Places::of(list);
        let mut crossing = Crossing::new(first, list.steps.len(), replay.span());
        for (start, window) in (0..).step_by(replay.window()).zip(list.steps.chunks(replay.window())) {
            crossing.enter(start, program.runs.len());
            places.schedule.clear();
            for step in window {
                // Passive steps and those of another activity make runs of their own, and so do those of data.
                let flags = places.flags_of_step(list, step);
                crossing.read(list.operands(step), step.op, &places);
                places.flags.push(flags & OF_DATA | if flags & !OF_DATA == 0 { 0 } else { ACTIVE });
                places.schedule.push(list, start, step, flags);
            }
            places.schedule.sort(list, start, replay);
            places.slots.resize(start + window.len(), NOWHERE);
            for (slot, &k) in (base + start..).zip(places.schedule.order()) {
                places.slots[start + k as usize] = slot as u32;
            }
            let (schedule, mut operands) = (take(&mut places.schedule), take(&mut places.operands));
            for (steps, flags) in schedule.runs() {
                let op = window[steps[0] as usize].op;
                let steps = steps.iter().map(|&k| &window[k as usize]);
                operands.clear();
                match op {
                    Op::Nary(_) => {
                        for step in steps {
                            let slots = list.operands(step).iter().map(|&id| places.slot(id));
                            let len = slots.len() as u32;
                            program.args.push(len);
                            program.args.extend(slots);
                            program.args.push(len);
                            program.runs.push(Run { op, flags, more: 0, columns: 0 });
                        }
                    }
                    Op::Parametric => {
                        operands.extend(steps.flat_map(|step| [places.slot(step.operands[0]), step.operands[1].raw()]));
                    }
                    _ => {
                        for step in steps {
                            operands.extend(step.operands[..op.width()].iter().map(|&id| places.slot(id)));
                        }
                    }
                }
                program.push_runs(op, flags, &operands, replay, crossing.run);
            }
            (places.schedule, places.operands) = (schedule, operands);
        }
        program.slopes = program.runs.iter().filter(|run| run.keeps_slopes()).map(|run| run.len()).sum();
        for &output in &list.outputs {
            program.outputs.push(places.slot(output));
            crossing.wanted(output);
            program.output_is_active.push(!output.is_constant() && places.is_active(output));
        }
        program.spans = crossing.spans(&places.slots, base, list.inputs);
        for guard in &list.guards {
            let [a, b] = [guard.a, guard.b].map(|id| places.slot(id));
            let (question, answer, place) = (guard.question, guard.answer, guard.place.clone());
            program.checks.push(Check { a, b, question, answer, place });
        }
        program.constants.extend(places.in_order.iter().map(|&number| list.constants[number as usize]));
        // Those that nothing reads.
        program.constants.resize(list.constants.len(), F::ZERO);
        places.keep();
        program
    }

    /// Appends steps of one depth and operation, with a fixed number of operands, to the runs from `first` on.
    fn push_runs(&mut self, op: Op, flags: u8, mut operands: &[u32], replay: Replay, first: usize) {
        while !operands.is_empty() {
            let (len, even) = match replay {
                Replay::AtPoint if op != Op::Parametric => columns::even_part(operands, op.width()),
                _ => (operands.len() / op.width(), None),
            };
            // Steps of another depth may follow in a run whose steps are taken one by one.
            let most = if replay == Replay::InRows { MOST } else { LONG - 1 };
            let steps;
            (steps, operands) = operands.split_at(len.min(MOST) * op.width());
            let len = len.min(MOST);
            match self.runs[first..].last_mut() {
                Some(last)
                    if (last.op, last.flags, last.columns, even) == (op, flags, 0, None)
                        && last.len() + len <= most =>
                {
                    last.more += len as u8;
                }
                _ => {
                    let columns = even.map_or(0, |consecutive| consecutive | EVEN);
                    self.runs.push(Run { op, flags, more: (len - 1) as u8, columns });
                }
            }
            self.args.extend_from_slice(if even.is_some() { &steps[..op.width()] } else { steps });
        }
    }

    /// Where values and adjoints lie in rows: found when it is first asked for, since many programs are only run at one
    /// point.
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

    /// Whether every comparison comes out as recorded; `values` gives the number in a slot, `point` says which point it
    /// is.
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
