//! Arithmetic between rows of one array: the steps of a recorded program, evaluated at many points at once.
//!
//! The array holds a row of numbers, one for each point, for every value that is still wanted; a step reads some rows
//! and writes another. A call does a run of steps of one operation. Rows are 16, 64 or 256 numbers long: a step is one
//! vector instruction or a few, without a loop, or four times as many; which length serves depends on how many rows fit
//! the cache.
//!
//! Products and sums are rounded one by one at every level of instructions: a step gives the bits that plain arithmetic
//! gives at one point.

#[expect(unsafe_code, reason = "vector loads through pointers")]
mod load;

use crate::Float;
use crate::dispatch::{kernel, simd_level, vectorised};
use crate::matmul::vector::prefetch;
pub use load::load;
pub(crate) use load::load_at;

/// An operation between rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `y = a + b`.
    Add,
    /// `y = a - b`.
    Sub,
    /// `y = a b`.
    Mul,
    /// `y = a / b`.
    Div,
    /// `y = a b + c`, two roundings.
    MulAdd,
    /// `y = a b - c`, two roundings.
    MulSub,
    /// `y = c - a b`, two roundings.
    SubMul,
    /// `y = a^2`.
    Square,
    /// `y = -a`.
    Neg,
    /// One step: `y = a_1 + a_2 + ..` of all the operands given.
    Sum,
    /// One step: `y = a_1 b_1 + a_2 b_2 + ..` of the operands given in pairs, every product and sum rounded.
    Dot,
}

/// How many numbers a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// 16 numbers: two vectors of `f64` with AVX-512.
    Narrow,
    /// 64 numbers.
    Wide,
    /// 256 numbers, for programs so short that looking at an operation costs as much as 64 numbers of it.
    Broad,
}

impl Width {
    /// How many numbers a row has.
    #[must_use]
    pub const fn lanes(self) -> usize {
        match self {
            Width::Narrow => 16,
            Width::Wide => 64,
            Width::Broad => 256,
        }
    }
}

/// The rows of a run of steps.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    /// The rows of the results: none is read by its own step.
    pub results: &'a [u32],
    /// The rows each step reads, in turn.
    pub operands: &'a [u32],
}

/// Computes a run of steps, the first first.
///
/// # Panics
/// If a row is not there.
///
/// # Examples
/// ```
/// use wengert_kernels::rows::{Arithmetic, Steps, Width, forward};
///
/// // Rows 0 and 1 are inputs; row 2 is their product, row 3 the product plus the second.
/// let mut values = [[2.0; 16], [3.0; 16], [0.0; 16], [0.0; 16]];
/// let product = Steps { results: &[2], operands: &[0, 1] };
/// forward(Arithmetic::Mul, Width::Narrow, values.as_flattened_mut(), product);
/// forward(Arithmetic::Add, Width::Narrow, values.as_flattened_mut(), Steps { results: &[3], operands: &[2, 1] });
/// assert_eq!(values[3], [9.0; 16]);
/// ```
pub fn forward<F: Float>(op: Arithmetic, width: Width, values: &mut [F], Steps { results, operands }: Steps<'_>) {
    match width {
        Width::Narrow => F::narrow_rows_at(simd_level(), op, values, results, operands),
        _ => F::wide_rows_at(simd_level(), op, width.lanes() / PART, values, results, operands),
    }
}

/// Where the adjoints of a run of steps lie: rows of an array of their own, in which those of many values share one.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The rows of the results' adjoints.
    pub own: &'a [u32],
    /// Those of the operands', in turn; with [`FRESH`] where nothing was added to the adjoint before.
    pub operands: &'a [u32],
}

/// Says of a place that what lies there belongs to an adjoint that is used up.
pub const FRESH: u32 = 1 << 31;

/// Adds to the adjoints of the operands of a run what flows back from its results, last step first. The rows of these
/// are rows that no operand of the same step has.
///
/// Bit `k` of `active` says whether operand `k` of each step is wanted (of a sum: any of them; of a dot product: the
/// first or the second of any pair). `careful` makes zero of zero times anything, at the cost of a select per product.
///
/// # Panics
/// If a row is not there.
#[expect(clippy::too_many_arguments, reason = "the two arrays, and what a run is")]
pub fn reverse<F: Float>(
    op: Arithmetic,
    width: Width,
    careful: bool,
    active: u8,
    values: &[F],
    Steps { results, operands }: Steps<'_>,
    bars: &mut [F],
    Places { own, operands: places }: Places<'_>,
) {
    let (level, lanes) = (simd_level(), width.lanes());
    match width {
        _ if careful => F::careful_rows_vjp_at(op, lanes / SHORT, active, values, results, operands, bars, own, places),
        Width::Narrow => F::narrow_rows_vjp_at(level, op, active, values, results, operands, bars, own, places),
        _ => F::wide_rows_vjp_at(level, op, lanes / PART, active, values, results, operands, bars, own, places),
    }
}

/// How many numbers of a wide row are swept at a time: their adjoints wait in registers while they are handed on.
const PART: usize = 32;

#[inline(always)]
fn times<F: Float, const CAREFUL: bool>(y_bar: F, partial: F) -> F {
    let product = y_bar * partial;
    if CAREFUL && (y_bar == F::ZERO || partial == F::ZERO) { F::ZERO } else { product }
}

#[inline(always)]
fn row<F, const K: usize>(rows: &[[F; K]], parts: usize, number: u32) -> &[[F; K]] {
    &rows[number as usize * parts..][..parts]
}

/// Fetches a row of values that a sweep will soon come to: where they fill more than the caches, it would wait for
/// every one of them, since it reads downwards and leaves some out.
#[inline(always)]
fn fetch_before<F, const K: usize>(row: &[[F; K]]) {
    const ROWS: usize = 16;
    const LINE: usize = 64;
    for line in (0..size_of_val(row)).step_by(LINE) {
        prefetch(row.as_ptr().wrapping_sub(ROWS * row.len()).wrapping_byte_add(line));
    }
}

/// Adds to a part of the adjoint at `place`.
#[inline(always)]
fn add<F: Float, const K: usize>(bars: &mut [[F; K]], parts: usize, part: usize, place: u32, f: impl Fn(usize) -> F) {
    let bar = &mut bars[(place & !FRESH) as usize * parts + part];
    let mut sum = if place & FRESH == 0 { *bar } else { [F::ZERO; K] };
    for (lane, sum) in sum.iter_mut().enumerate() {
        *sum += f(lane);
    }
    *bar = sum;
}

// A row is `parts` parts of `K` numbers: as many as fit the registers at a time.
#[inline(always)]
fn forward_rows<F: Float, const K: usize>(
    op: Arithmetic,
    parts: usize,
    rows: &mut [[F; K]],
    results: &[u32],
    operands: &[u32],
) {
    // A step of the operands `$x`: in the expression they are a part of their rows each, and `$l` a lane.
    macro_rules! steps {
        (|$($x:ident),*; $l:ident| $y:expr) => {
            for (&y, &[$($x),*]) in results.iter().zip(operands.as_chunks().0) {
                for part in 0..parts {
                    $( let $x = &rows[$x as usize * parts + part]; )*
                    // The result is complete before it is stored: the compiler need not ask whether the rows overlap.
                    let mut result = [F::ZERO; K];
                    for ($l, result) in result.iter_mut().enumerate() {
                        *result = $y;
                    }
                    rows[y as usize * parts + part] = result;
                }
            }
        };
    }
    match op {
        Arithmetic::Add => steps!(|a, b; l| a[l] + b[l]),
        Arithmetic::Sub => steps!(|a, b; l| a[l] - b[l]),
        Arithmetic::Mul => steps!(|a, b; l| a[l] * b[l]),
        Arithmetic::Div => steps!(|a, b; l| a[l] / b[l]),
        Arithmetic::MulAdd => steps!(|a, b, c; l| a[l] * b[l] + c[l]),
        Arithmetic::MulSub => steps!(|a, b, c; l| a[l] * b[l] - c[l]),
        Arithmetic::SubMul => steps!(|a, b, c; l| c[l] - a[l] * b[l]),
        Arithmetic::Square => steps!(|a; l| a[l] * a[l]),
        Arithmetic::Neg => steps!(|a; l| -a[l]),
        Arithmetic::Sum => {
            let (Some(&y), Some((&a, rest))) = (results.first(), operands.split_first()) else { return };
            for part in 0..parts {
                let mut sum = rows[a as usize * parts + part];
                for &a in rest {
                    for (sum, &a) in sum.iter_mut().zip(&rows[a as usize * parts + part]) {
                        *sum += a;
                    }
                }
                rows[y as usize * parts + part] = sum;
            }
        }
        Arithmetic::Dot => {
            let Some(&y) = results.first() else { return };
            for part in 0..parts {
                let mut sum = [F::ZERO; K];
                for &[a, b] in operands.as_chunks().0 {
                    let (a, b) = (&rows[a as usize * parts + part], &rows[b as usize * parts + part]);
                    for ((sum, &a), &b) in sum.iter_mut().zip(a).zip(b) {
                        *sum += a * b;
                    }
                }
                rows[y as usize * parts + part] = sum;
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "operands of a loop")]
#[inline(always)]
fn reverse_rows<F: Float, const K: usize, const CAREFUL: bool>(
    op: Arithmetic,
    parts: usize,
    active: u8,
    values: &[[F; K]],
    results: &[u32],
    operands: &[u32],
    bars: &mut [[F; K]],
    own: &[u32],
    places: &[u32],
) {
    let times = times::<F, CAREFUL>;
    let (left, right, third) = (active & 1 != 0, active & 2 != 0, active & 4 != 0);
    // Through a long run the processor foresees where it goes.
    let short = parts == 1 && results.len() < 8;
    // A step of the operands `$x` with the adjoints `$x_bar`, each wanted if `$wanted`; `$y` is the result and `$l` a
    // lane.
    macro_rules! steps {
        (|$($x:ident),*; $y:ident, $y_bar:ident, $l:ident| $($wanted:ident $at:ident: $x_bar:expr),*) => {
            let steps = operands.as_chunks().0.iter().zip(places.as_chunks().0);
            for ((&$y, &own), (&[$($x),*], &[$($at),*])) in results.iter().zip(own).zip(steps).rev() {
                let $y = row(values, parts, $y);
                $( let $x = row(values, parts, $x); )*
                if short {
                    $( fetch_before($x); )*
                }
                for part in 0..parts {
                    let $y = &$y[part];
                    $( let $x = &$x[part]; )*
                    let $y_bar = bars[own as usize * parts + part];
                    $(
                        if $wanted {
                            add(bars, parts, part, $at, |$l| $x_bar);
                        }
                    )*
                }
            }
        };
    }
    match op {
        Arithmetic::Add => {
            steps!(|_a, _b; _y, y_bar, l| left a: y_bar[l], right b: y_bar[l]);
        }
        Arithmetic::Sub => {
            steps!(|_a, _b; _y, y_bar, l| left a: y_bar[l], right b: -y_bar[l]);
        }
        Arithmetic::Mul => {
            steps!(|a, b; _y, y_bar, l| left at_a: times(y_bar[l], b[l]), right at_b: times(y_bar[l], a[l]));
        }
        Arithmetic::Div => {
            steps!(|_a, b; y, y_bar, l| left at_a: times(y_bar[l], F::ONE / b[l]),
                right at_b: times(y_bar[l], -(y[l] / b[l])));
        }
        Arithmetic::MulAdd => {
            steps!(|a, b, _c; _y, y_bar, l| left at_a: times(y_bar[l], b[l]), right at_b: times(y_bar[l], a[l]),
                third at_c: y_bar[l]);
        }
        Arithmetic::MulSub => {
            steps!(|a, b, _c; _y, y_bar, l| left at_a: times(y_bar[l], b[l]), right at_b: times(y_bar[l], a[l]),
                third at_c: -y_bar[l]);
        }
        Arithmetic::SubMul => {
            steps!(|a, b, _c; _y, y_bar, l| left at_a: times(-y_bar[l], b[l]), right at_b: times(-y_bar[l], a[l]),
                third at_c: y_bar[l]);
        }
        Arithmetic::Square => {
            steps!(|a; _y, y_bar, l| left at_a: times(y_bar[l], a[l] + a[l]));
        }
        Arithmetic::Neg => {
            steps!(|_a; _y, y_bar, l| left at_a: -y_bar[l]);
        }
        Arithmetic::Sum => {
            let Some(&own) = own.first() else { return };
            for part in 0..parts {
                let y_bar = bars[own as usize * parts + part];
                for &a in places {
                    add(bars, parts, part, a, |l| y_bar[l]);
                }
            }
        }
        Arithmetic::Dot => {
            let Some(&own) = own.first() else { return };
            for part in 0..parts {
                let y_bar = bars[own as usize * parts + part];
                for (&[a, b], &[at_a, at_b]) in operands.as_chunks().0.iter().zip(places.as_chunks().0) {
                    let (a, b) = (&row(values, parts, a)[part], &row(values, parts, b)[part]);
                    if left {
                        add(bars, parts, part, at_a, |l| times(y_bar[l], b[l]));
                    }
                    if right {
                        add(bars, parts, part, at_b, |l| times(y_bar[l], a[l]));
                    }
                }
            }
        }
    }
}

kernel! {
    // Rows of one part, which the compiler knows.
    pub(crate) fn narrow<F: Float>(op: Arithmetic, values: &'a mut [F], results: &'a [u32], operands: &'a [u32]) -> () {
        if vectorised::<FMA>() {
            forward_rows::<F, 16>(op, 1, values.as_chunks_mut().0, results, operands);
        } else {
            short_parts(op, 16 / SHORT, values, results, operands);
        }
    }

    pub(crate) fn narrow_vjp<F: Float>(
        op: Arithmetic, active: u8, values: &'a [F], results: &'a [u32], operands: &'a [u32], bars: &'a mut [F],
        own: &'a [u32], places: &'a [u32],
    ) -> () {
        if vectorised::<FMA>() {
            let (values, bars) = (values.as_chunks().0, bars.as_chunks_mut().0);
            reverse_rows::<F, 16, false>(op, 1, active, values, results, operands, bars, own, places);
        } else {
            short_parts_vjp::<F, false>(op, 16 / SHORT, active, values, results, operands, bars, own, places);
        }
    }

    // Rows of any number of parts.
    pub(crate) fn wide<F: Float>(
        op: Arithmetic, parts: usize, values: &'a mut [F], results: &'a [u32], operands: &'a [u32],
    ) -> () {
        if vectorised::<FMA>() {
            forward_rows::<F, PART>(op, parts, values.as_chunks_mut().0, results, operands);
        } else {
            short_parts(op, parts * PART / SHORT, values, results, operands);
        }
    }

    pub(crate) fn wide_vjp<F: Float>(
        op: Arithmetic, parts: usize, active: u8, values: &'a [F], results: &'a [u32], operands: &'a [u32],
        bars: &'a mut [F], own: &'a [u32], places: &'a [u32],
    ) -> () {
        if vectorised::<FMA>() {
            let (values, bars) = (values.as_chunks().0, bars.as_chunks_mut().0);
            reverse_rows::<F, PART, false>(op, parts, active, values, results, operands, bars, own, places);
        } else {
            short_parts_vjp::<F, false>(op, parts * PART / SHORT, active, values, results, operands, bars, own, places);
        }
    }
}

/// How many numbers of a row are taken at a time where vectors are short: four vectors of two.
const SHORT: usize = 8;

/// Rows of any number of short parts.
fn short_parts<F: Float>(op: Arithmetic, parts: usize, values: &mut [F], results: &[u32], operands: &[u32]) {
    forward_rows::<F, SHORT>(op, parts, values.as_chunks_mut().0, results, operands);
}

/// The way back through rows of any number of short parts. With care, which counts more than speed, this serves every
/// level: all round alike.
#[expect(clippy::too_many_arguments, reason = "operands of a loop")]
pub(crate) fn short_parts_vjp<F: Float, const CAREFUL: bool>(
    op: Arithmetic,
    parts: usize,
    active: u8,
    values: &[F],
    results: &[u32],
    operands: &[u32],
    bars: &mut [F],
    own: &[u32],
    places: &[u32],
) {
    let (values, bars) = (values.as_chunks().0, bars.as_chunks_mut().0);
    reverse_rows::<F, SHORT, CAREFUL>(op, parts, active, values, results, operands, bars, own, places);
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: [(Arithmetic, usize); 9] = [
        (Arithmetic::Add, 2),
        (Arithmetic::Sub, 2),
        (Arithmetic::Mul, 2),
        (Arithmetic::Div, 2),
        (Arithmetic::MulAdd, 3),
        (Arithmetic::MulSub, 3),
        (Arithmetic::SubMul, 3),
        (Arithmetic::Square, 1),
        (Arithmetic::Neg, 1),
    ];

    fn plain(op: Arithmetic, [a, b, c]: [f64; 3]) -> (f64, [f64; 3]) {
        match op {
            Arithmetic::Add => (a + b, [1.0, 1.0, 0.0]),
            Arithmetic::Sub => (a - b, [1.0, -1.0, 0.0]),
            Arithmetic::Mul => (a * b, [b, a, 0.0]),
            Arithmetic::Div => (a / b, [1.0 / b, -(a / b / b), 0.0]),
            Arithmetic::MulAdd => (a * b + c, [b, a, 1.0]),
            Arithmetic::MulSub => (a * b - c, [b, a, -1.0]),
            Arithmetic::SubMul => (c - a * b, [-b, -a, 1.0]),
            Arithmetic::Square => (a * a, [2.0 * a, 0.0, 0.0]),
            Arithmetic::Neg => (-a, [-1.0, 0.0, 0.0]),
            Arithmetic::Sum | Arithmetic::Dot => unreachable!("tested by themselves"),
        }
    }

    #[test]
    fn rows_compute_what_numbers_do_at_every_width() {
        for width in [Width::Narrow, Width::Wide, Width::Broad] {
            let k = width.lanes();
            let inputs = |row: usize, lane: usize| 0.5 + row as f64 - 0.0013 * lane as f64;
            for (op, arity) in OPS {
                let mut values: Vec<f64> = (0..5 * k).map(|i| inputs(i / k, i % k)).collect();
                // Two steps in a run, the second reading the first.
                let operands: Vec<u32> =
                    [[0, 1, 2], [3, 2, 1]].iter().flat_map(|step| step[..arity].to_vec()).collect();
                let steps = Steps { results: &[3, 4], operands: &operands };
                forward(op, width, &mut values, steps);
                let mut bars = vec![0.0; 5 * k];
                bars[4 * k..].fill(2.0);
                let places = Places { own: &[3, 4], operands: &operands };
                reverse(op, width, false, 7, &values, steps, &mut bars, places);
                for lane in 0..k {
                    let x = [0, 1, 2].map(|row| inputs(row, lane));
                    let (first, p) = plain(op, x);
                    let (second, q) = plain(op, [first, x[2], x[1]]);
                    assert_eq!((values[3 * k + lane], values[4 * k + lane]), (first, second), "{op:?}");
                    let through = 2.0 * q[0];
                    let want = [through * p[0], through * p[1] + 2.0 * q[2], through * p[2] + 2.0 * q[1]];
                    for row in 0..3 {
                        let got = bars[row * k + lane];
                        assert!(
                            (got - want[row]).abs() <= 1e-13 * want[row].abs().max(1.0),
                            "{op:?}: {got} for {}",
                            want[row]
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn steps_of_a_run_use_rows_again() {
        // With x and y in rows 0 and 1: x y in row 2, then (x y) y in the row of x; back through both with one row for
        // both.
        for width in [Width::Narrow, Width::Wide, Width::Broad] {
            let k = width.lanes();
            let fill = |rows: [f64; 3]| -> Vec<f64> { rows.iter().flat_map(|&x| vec![x; k]).collect() };
            let mut values = fill([3.0, 5.0, 0.0]);
            let steps = Steps { results: &[2, 0], operands: &[0, 1, 2, 1] };
            forward(Arithmetic::Mul, width, &mut values, steps);
            assert_eq!(values, fill([75.0, 5.0, 15.0]));
            let mut bars = fill([f64::NAN, 0.0, 1.0]);
            let steps = Steps { operands: &[1, 1, 2, 1], ..steps };
            let places = Places { own: &[0, 2], operands: &[2 | FRESH, 1, FRESH, 1] };
            reverse(Arithmetic::Mul, width, false, 3, &values, steps, &mut bars, places);
            assert_eq!(bars[k..], fill([0.0, 15.0 + 25.0, 25.0])[k..]);
        }
    }

    #[test]
    fn a_sum_adds_in_order_and_spreads_its_adjoint() {
        let mut values = [[1e16; 16], [1.0; 16], [-1e16; 16], [0.0; 16]];
        let operands = [0, 1, 2, 1];
        let steps = Steps { results: &[3], operands: &operands };
        forward(Arithmetic::Sum, Width::Narrow, values.as_flattened_mut(), steps);
        assert_eq!(values[3], [1e16 + 1.0 - 1e16 + 1.0; 16]);
        let mut bars = [[0.0; 16], [0.0; 16], [0.5; 16], [3.0; 16]];
        let places = Places { own: &[3], operands: &operands };
        let (values, all) = (values.as_flattened(), bars.as_flattened_mut());
        reverse(Arithmetic::Sum, Width::Narrow, false, 1, values, steps, all, places);
        assert_eq!(bars[..3], [[3.0; 16], [6.0; 16], [3.5; 16]]);
        let (values, all) = (values, bars.as_flattened_mut());
        let places = Places { own: &[3], operands: &[FRESH, 1 | FRESH, 2, 1] };
        reverse(Arithmetic::Sum, Width::Narrow, false, 1, values, steps, all, places);
        assert_eq!(bars[..3], [[3.0; 16], [6.0; 16], [6.5; 16]]);
    }

    #[test]
    fn a_dot_product_adds_in_order_and_gives_each_side_the_other() {
        for width in [Width::Narrow, Width::Wide, Width::Broad] {
            let k = width.lanes();
            let fill = |rows: &[f64]| -> Vec<f64> { rows.iter().flat_map(|&x| vec![x; k]).collect() };
            let mut values = fill(&[1e16, 1.0, -1.0, 3.0, 0.0]);
            let operands = [0, 1, 1, 3, 2, 0];
            let steps = Steps { results: &[4], operands: &operands };
            forward(Arithmetic::Dot, width, &mut values, steps);
            assert_eq!(values, fill(&[1e16, 1.0, -1.0, 3.0, 1e16 + 3.0 - 1e16]));
            for (active, bars) in
                [(3, [2.0 - 2.0, 2e16 + 6.0, 2e16, 2.0]), (1, [2.0, 6.0, 2e16, 0.0]), (2, [-2.0, 2e16, 0.0, 2.0])]
            {
                for careful in [false, true] {
                    let mut got = fill(&[0.0, 0.0, 0.0, 0.0, 2.0]);
                    let places = Places { own: &[4], operands: &operands };
                    reverse(Arithmetic::Dot, width, careful, active, &values, steps, &mut got, places);
                    assert_eq!(got[..4 * k], fill(&bars), "{active}");
                }
            }
        }
    }

    #[test]
    fn zero_times_infinity_is_zero_with_care() {
        let values = [[0.0; 16], [f64::INFINITY; 16], [f64::NAN; 16]];
        let mut bars = [[0.0; 16], [0.0; 16], [0.0; 16]];
        let steps = Steps { results: &[2], operands: &[0, 1] };
        let places = Places { own: &[2], operands: &[0, 1] };
        let sweep = |careful, bars: &mut [[f64; 16]; 3]| {
            let (values, bars) = (values.as_flattened(), bars.as_flattened_mut());
            reverse(Arithmetic::Mul, Width::Narrow, careful, 3, values, steps, bars, places);
        };
        sweep(true, &mut bars);
        assert_eq!(bars[..2], [[0.0; 16]; 2]);
        sweep(false, &mut bars);
        assert!(bars[0][0].is_nan());
    }
}
