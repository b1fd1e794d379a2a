//! Replay at many points at once: a value is a row of numbers, one for each point, and lies where `layout` says.
//!
//! The opcode is looked at once for a row; a row of 64 keeps that, and the reading of operands, small against the
//! arithmetic. Where 64 points do not fit the second-level cache, rows of 16 do better.

use super::list::Op;
use super::program::{Program, Run};
use super::replay;
use super::reverse;
use crate::tape::{self, Nary};
use crate::tensor::TensorFloat;
use wengert_kernels::elementwise::{self, Operand};
use wengert_kernels::rows::{self, Arithmetic, FRESH, Places, Steps, Width};
use wengert_kernels::{Binary, Par, Unary, reduce};

/// Rows of values and adjoints that may be used up before narrow ones are better: a part of the second-level cache,
/// which has 1 or 2 MiB on current processors and which programs beside this one want, too.
const CACHE: usize = 768 << 10;

/// Values and adjoints at a block of points, as long as they are wanted.
pub(crate) struct Rows<F> {
    width: Option<Width>,
    /// After those of values, the slopes that are kept.
    values: Aligned<F>,
    bars: Aligned<F>,
    spare: [Vec<F>; 2],
    pairs: [Vec<u32>; 2],
}

/// Numbers that start at a cache line: else every other 512-bit load of a row takes in two lines.
struct Aligned<F> {
    memory: Vec<F>,
    start: usize,
    len: usize,
}

const LINE: usize = 64;

impl<F: TensorFloat> Aligned<F> {
    fn zeros(len: usize) -> Self {
        let count = len + LINE / size_of::<F>();
        let mut memory = Vec::new();
        tape::reserve(&mut memory, count);
        memory.resize(count, F::ZERO);
        // "Cannot be told" would be as good as any place: then rows are only slower.
        let start = memory.as_ptr().align_offset(LINE).min(LINE / size_of::<F>());
        Aligned { memory, start, len }
    }
    fn numbers(&self) -> &[F] {
        &self.memory[self.start..self.start + self.len]
    }
    fn numbers_mut(&mut self) -> &mut [F] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl<F: TensorFloat> Rows<F> {
    pub(crate) fn empty() -> Self {
        Rows {
            width: None,
            values: Aligned::zeros(0),
            bars: Aligned::zeros(0),
            spare: Default::default(),
            pairs: Default::default(),
        }
    }

    /// The rows of values, one after the other, and those of slopes.
    pub(crate) fn values(&self) -> &[F] {
        self.values.numbers()
    }

    /// The rows of adjoints: those of the inputs, and then others.
    pub(crate) fn bars(&self) -> &[F] {
        self.bars.numbers()
    }

    /// Whether one of the first `len` adjoints is NaN, or, which only costs a second sweep, both infinities are among
    /// them.
    pub(crate) fn has_nan(&self, len: usize) -> bool {
        // A sum is NaN if one of them is, and a vector loop.
        reduce::sum_unrounded(&self.bars()[..len], Par::SEQUENTIAL).is_nan()
    }
}

/// The operation between rows that a step is, if there is one.
fn arithmetic(op: Op) -> Option<Arithmetic> {
    Some(match op {
        Op::Binary(Binary::Add) => Arithmetic::Add,
        Op::Binary(Binary::Sub) => Arithmetic::Sub,
        Op::Binary(Binary::Mul) => Arithmetic::Mul,
        Op::Binary(Binary::Div) => Arithmetic::Div,
        Op::MulAdd => Arithmetic::MulAdd,
        Op::MulSub => Arithmetic::MulSub,
        Op::SubMul => Arithmetic::SubMul,
        Op::Unary(Unary::Square) => Arithmetic::Square,
        Op::Unary(Unary::Neg) => Arithmetic::Neg,
        Op::Nary(Nary::Sum) => Arithmetic::Sum,
        Op::Nary(Nary::Dot) => Arithmetic::Dot,
        _ => return None,
    })
}

impl<F: TensorFloat> Program<F> {
    /// How many points to take at a time.
    pub(crate) fn width(&self) -> Width {
        if self.bytes(Width::Wide) <= CACHE { Width::Wide } else { Width::Narrow }
    }

    /// How large the rows are.
    fn bytes(&self, width: Width) -> usize {
        (self.layout().values + self.slopes + self.layout().adjoints) * width.lanes() * size_of::<F>()
    }

    /// The values at a block of points: `load` writes the rows of the inputs and, after those, of the data. It finds
    /// there what the last call left; of runs that are not `wanted`, what those that are need of them is still there.
    /// For a sweep that follows, `slopes` are computed with the values.
    pub(crate) fn forward_rows(
        &self,
        width: Width,
        rows: &mut Rows<F>,
        slopes: bool,
        wanted: impl Fn(Run) -> bool,
        load: impl FnOnce(&mut [F]),
    ) {
        let lanes = width.lanes();
        let layout = self.layout();
        let count = layout.values + self.slopes;
        let new = rows.width != Some(width) || rows.values.len != count * lanes;
        if new {
            rows.width = Some(width);
            rows.values = Aligned::zeros(count * lanes);
            rows.bars = Aligned::zeros(layout.adjoints * lanes);
            rows.spare = core::array::from_fn(|_| vec![F::ZERO; lanes]);
        }
        let values = rows.values.numbers_mut();
        if new {
            for (row, &constant) in values[self.first_constant() * lanes..].chunks_exact_mut(lanes).zip(&self.constants)
            {
                row.fill(constant);
            }
        }
        load(&mut values[..self.first_constant() * lanes]);
        let mut first_slope = layout.values;
        let mut at = 0;
        self.each_run(|run, first, operands| {
            if wanted(run) {
                let slopes = (slopes && run.keeps_slopes()).then_some(first_slope);
                let steps = Steps {
                    results: &layout.results[first - self.first_result()..][..run.len()],
                    operands: &layout.operands[at + run.before()..][..operands.len()],
                };
                self.forward_run(width, run, steps, slopes, values);
            }
            if run.keeps_slopes() {
                first_slope += run.len();
            }
            at += run.taken(operands);
        });
    }

    /// `slopes` is the row of the first slope, if they are wanted.
    fn forward_run(&self, width: Width, run: Run, steps: Steps<'_>, slopes: Option<usize>, values: &mut [F]) {
        if let Some(op) = arithmetic(run.op) {
            return rows::forward(op, width, values, steps);
        }
        let Steps { results, operands } = steps;
        let lanes = width.lanes();
        let row = |a: u32| a as usize * lanes..(a as usize + 1) * lanes;
        if let Op::Nary(op) = run.op {
            for lane in 0..lanes {
                let y = replay::nary(op, operands, |a| values[a as usize * lanes + lane]);
                values[results[0] as usize * lanes + lane] = y;
            }
            return;
        }
        const DISTINCT: &str = "a step's result has another row than its operands";
        for ((step, &y), operands) in results.iter().enumerate().zip(operands.chunks_exact(run.op.width())) {
            match (run.op, slopes) {
                (Op::Unary(op), Some(slopes)) => {
                    let slope = row((slopes + step) as u32);
                    let [a, y, slope] = values.get_disjoint_mut([row(operands[0]), row(y), slope]).expect(DISTINCT);
                    elementwise::unary_with_slope(op, a, y, slope, Par::SEQUENTIAL);
                }
                (Op::Binary(op), _) if operands[0] != operands[1] => {
                    let [a, b, y] =
                        values.get_disjoint_mut([row(operands[0]), row(operands[1]), row(y)]).expect(DISTINCT);
                    elementwise::binary(op, Operand::Slice(a), Operand::Slice(b), y, Par::SEQUENTIAL);
                }
                _ => {
                    let [a, y] = values.get_disjoint_mut([row(operands[0]), row(y)]).expect(DISTINCT);
                    match run.op {
                        Op::Unary(op) => elementwise::unary(op, a, y, Par::SEQUENTIAL),
                        Op::Binary(op) => {
                            elementwise::binary(op, Operand::Slice(a), Operand::Slice(a), y, Par::SEQUENTIAL);
                        }
                        Op::Parametric => {
                            let op = self.parameters[operands[1] as usize];
                            y.iter_mut().zip(&*a).for_each(|(y, &a)| *y = op.eval(a));
                        }
                        _ => y.copy_from_slice(a),
                    }
                }
            }
        }
    }

    /// Adjoints of the inputs at the block of points whose values `rows` holds, for seeds of the outputs: rows
    /// `0..inputs` of the adjoints.
    pub(crate) fn reverse_rows(&self, width: Width, rows: &mut Rows<F>, seed: impl Fn(usize, &mut [F])) {
        let mut sweep = |careful| {
            self.clear_bars(width, rows);
            self.seed_rows(width, rows, &seed);
            self.sweep_rows(width, careful, rows, |_| true);
            rows.has_nan(self.inputs * width.lanes())
        };
        if sweep(false) {
            sweep(true);
        }
    }

    /// Sets the adjoints to 0 that several sweeps may add to.
    pub(crate) fn clear_bars(&self, width: Width, rows: &mut Rows<F>) {
        rows.bars.numbers_mut()[..self.layout().cleared * width.lanes()].fill(F::ZERO);
    }

    /// Adds the seeds of the outputs, which `seed` writes over zeros.
    pub(crate) fn seed_rows(&self, width: Width, rows: &mut Rows<F>, seed: impl Fn(usize, &mut [F])) {
        let Rows { bars, spare: [row, ..], .. } = rows;
        for (number, &output) in self.layout().outputs.iter().enumerate() {
            if self.output_is_active[number] {
                row.fill(F::ZERO);
                seed(number, row);
                add_row(bars.numbers_mut(), width.lanes(), output, row);
            }
        }
    }

    /// Sweeps over the `wanted` runs, from the adjoints given. Those of other runs gather what flows to them.
    pub(crate) fn sweep_rows(&self, width: Width, careful: bool, rows: &mut Rows<F>, wanted: impl Fn(Run) -> bool) {
        let Rows { values, bars, spare, pairs: [factors, pairs], .. } = rows;
        let (values, bars) = (values.numbers(), bars.numbers_mut());
        let layout = self.layout();
        let mut first_slope = layout.values + self.slopes;
        let mut end = layout.operands.len();
        self.each_run_back(|run, first, operands| {
            if run.keeps_slopes() {
                first_slope -= run.len();
            }
            end -= run.taken(operands);
            if run.active() == 0 || !wanted(run) {
                return;
            }
            let (first, start) = (first - self.first_result(), end + run.before());
            let steps = Steps {
                results: &layout.results[first..][..run.len()],
                operands: &layout.operands[start..][..operands.len()],
            };
            let places =
                Places { own: &layout.own[first..][..run.len()], operands: &layout.places[start..][..operands.len()] };
            match arithmetic(run.op) {
                Some(op) => rows::reverse(op, width, careful, run.active(), values, steps, bars, places),
                // As back through products with the slopes; the slope of an exponential is its value.
                None if run.keeps_slopes() || run.op == Op::Unary(Unary::Exp) => {
                    factors.clear();
                    pairs.clear();
                    for (k, (&a, &place)) in steps.operands.iter().zip(places.operands).enumerate() {
                        let slope = if run.keeps_slopes() { (first_slope + k) as u32 } else { steps.results[k] };
                        factors.extend([a, slope]);
                        pairs.extend([place, place]);
                    }
                    let (steps, places) = (Steps { operands: factors, ..steps }, Places { operands: pairs, ..places });
                    rows::reverse(Arithmetic::Mul, width, careful, 1, values, steps, bars, places);
                }
                None => self.reverse_run_of_rows(width, run, steps, values, bars, places, spare),
            }
        });
    }

    /// Steps that are neither arithmetic nor have their slopes kept. Zeros are treated with care here always: it costs
    /// nothing beside a function.
    #[expect(clippy::too_many_arguments, reason = "what a run is, and the arrays")]
    fn reverse_run_of_rows(
        &self,
        width: Width,
        run: Run,
        Steps { results, operands }: Steps<'_>,
        values: &[F],
        bars: &mut [F],
        places: Places<'_>,
        spare: &mut [Vec<F>; 2],
    ) {
        let lanes = width.lanes();
        let value = |a: u32| &values[a as usize * lanes..][..lanes];
        if let Op::Nary(op) = run.op {
            for lane in 0..lanes {
                let y_bar = bars[places.own[0] as usize * lanes + lane];
                let y = values[results[0] as usize * lanes + lane];
                let v = |a: u32| values[a as usize * lanes + lane];
                let mut places = places.operands.iter();
                reverse::partials(op, operands, v, y, |_, partial| {
                    if let Some(&place) = places.next() {
                        let bar = &mut bars[(place & !FRESH) as usize * lanes + lane];
                        let before = if place & FRESH == 0 { *bar } else { F::ZERO };
                        *bar = before + partial.map_or(y_bar, |partial| reverse::times::<F, true>(y_bar, partial));
                    }
                });
            }
            return;
        }
        let step_width = run.op.width();
        let rows = operands.chunks_exact(step_width).zip(places.operands.chunks_exact(step_width));
        for ((&y, &own), (operands, places)) in results.iter().zip(places.own).zip(rows).rev() {
            let [left, right] = spare;
            let y_bar = &bars[own as usize * lanes..][..lanes];
            let (a, y) = (value(operands[0]), value(y));
            match run.op {
                Op::Unary(op) => elementwise::unary_vjp(op, a, y, y_bar, left, Par::SEQUENTIAL),
                Op::Binary(op) => {
                    let b = value(operands[1]);
                    let a_bar = (run.active() & 1 != 0).then_some(&mut left[..]);
                    let b_bar = (run.active() & 2 != 0).then_some(&mut right[..]);
                    let (a, b) = (Operand::Slice(a), Operand::Slice(b));
                    elementwise::binary_vjp(op, a, b, y, y_bar, a_bar, b_bar, Par::SEQUENTIAL);
                }
                _ => {
                    let op = self.parameters[operands[1] as usize];
                    for (((x_bar, &y_bar), &a), &y) in left.iter_mut().zip(y_bar).zip(a).zip(y) {
                        *x_bar = reverse::times::<F, true>(y_bar, op.derivative(a, y));
                    }
                }
            }
            if run.active() & 1 != 0 {
                add_row(bars, lanes, places[0], left);
            }
            if run.active() & 2 != 0 {
                add_row(bars, lanes, places[1], right);
            }
        }
    }

    /// How many points to take at a time where `count` elements of tensors are the points and opcodes are looked at for
    /// each block: as many as leave all rows in the first-level cache, which has 32 or 48 KiB.
    pub(crate) fn block_width(&self, count: usize) -> Width {
        match count {
            0..=16 => Width::Narrow,
            _ if count > 128 && self.bytes(Width::Broad) <= 48 << 10 => Width::Broad,
            _ => self.width(),
        }
    }

    /// The values of the first output at a block of `len` points, at most as many as a row has: `read(k, row)` writes
    /// those of input `k`.
    pub(crate) fn eval_block<'a>(
        &self,
        width: Width,
        len: usize,
        read: impl Fn(usize, &mut [F]),
        rows: &'a mut Rows<F>,
    ) -> &'a [F] {
        self.forward_rows(width, rows, false, |_| true, |rows| load(rows, width.lanes(), len, read));
        &rows.values()[self.row(self.outputs[0] as usize) * width.lanes()..][..len]
    }

    /// The values and the pullback of [`eval_block`](Self::eval_block), this a row for each input: in row `k`,
    /// `y_bar[i] dy[i]/dx_k[i]` for the cotangents that `seed` writes.
    pub(crate) fn pull_block<'a>(
        &self,
        width: Width,
        len: usize,
        read: impl Fn(usize, &mut [F]),
        seed: impl Fn(&mut [F]),
        rows: &'a mut Rows<F>,
    ) -> (&'a [F], &'a [F]) {
        self.forward_rows(width, rows, true, |_| true, |rows| load(rows, width.lanes(), len, read));
        self.reverse_rows(width, rows, |_, row| seed(&mut row[..len]));
        let rows = &*rows;
        let lanes = width.lanes();
        (&rows.values()[self.row(self.outputs[0] as usize) * lanes..][..len], &rows.bars()[..self.inputs * lanes])
    }
}

/// Adds to the adjoint at `place`.
fn add_row<F: TensorFloat>(bars: &mut [F], lanes: usize, place: u32, row: &[F]) {
    let bar = &mut bars[(place & !FRESH) as usize * lanes..][..lanes];
    if place & FRESH != 0 {
        bar.fill(F::ZERO);
    }
    elementwise::add_assign(bar, row, Par::SEQUENTIAL);
}

/// The rows of the inputs, the last element repeated in what is left of a row.
fn load<F: Copy>(rows: &mut [F], lanes: usize, len: usize, read: impl Fn(usize, &mut [F])) {
    for (k, row) in rows.chunks_exact_mut(lanes).enumerate() {
        let (row, rest) = row.split_at_mut(len);
        read(k, row);
        rest.fill(row[len - 1]);
    }
}
