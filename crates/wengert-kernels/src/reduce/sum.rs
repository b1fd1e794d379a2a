//! Sums, and what is made of them: means, inner products and norms.

use super::extreme::{Extreme, extreme_of};
use super::{BLOCK, LANES, PIECE, assert_dims, for_each_matrix};
use crate::dispatch::{Level, kernel, simd_level};
use crate::{Float, Par};

/// What is summed: a function of each element, or of each pair.
#[derive(Clone, Copy)]
pub(crate) enum Term {
    Plain,
    Absolute,
    Square,
    Product,
}

/// A [`Term`] as a type, for loops that are compiled once per term.
trait TermRow {
    fn term(a: f64, b: f64) -> f64;
}
struct Plain;
impl TermRow for Plain {
    #[inline(always)]
    fn term(a: f64, _: f64) -> f64 {
        a
    }
}
struct Absolute;
impl TermRow for Absolute {
    #[inline(always)]
    fn term(a: f64, _: f64) -> f64 {
        a.abs()
    }
}
struct Product;
impl TermRow for Product {
    #[inline(always)]
    fn term(a: f64, b: f64) -> f64 {
        a * b
    }
}

kernel! {
    /// The sum of the terms of at most a few blocks.
    fn block_sum<F: Float, T: TermRow>(_term: T, a: &'a [F], b: &'a [F]) -> f64 {
        let mut lanes = [0.0; LANES];
        add_terms::<F, T>(a, b, &mut lanes);
        fold(lanes)
    }

    /// A piece of a block whose sum is made by the piece. All but the last are multiples of [`LANES`] long.
    pub(crate) fn add_to_lanes<F: Float>(x: &'a [F], lanes: &'a mut [f64; LANES]) -> () {
        add_terms::<F, Plain>(x, x, lanes);
    }

    /// `sums += rows`, for `n` rows `stride` apart.
    fn add_rows<F: Float, T: TermRow>(_term: T, rows: &'a [F], n: usize, stride: usize, sums: &'a mut [f64]) -> () {
        for row in 0..n {
            for (sum, &x) in sums.iter_mut().zip(&rows[row * stride..]) {
                *sum += T::term(x.to_f64(), x.to_f64());
            }
        }
    }
}

/// [`block_sum`] of a term. A square is a product with itself: `b` must then be `a`.
pub(crate) fn block_sum_at<F: Float>(level: Level, term: Term, a: &[F], b: &[F]) -> f64 {
    match term {
        Term::Plain => block_sum(level, Plain, a, b),
        Term::Absolute => block_sum(level, Absolute, a, b),
        Term::Square | Term::Product => block_sum(level, Product, a, b),
    }
}

/// [`add_rows`] of a term.
pub(crate) fn add_rows_at<F: Float>(level: Level, term: Term, rows: &[F], n: usize, stride: usize, sums: &mut [f64]) {
    match term {
        Term::Plain => add_rows(level, Plain, rows, n, stride, sums),
        Term::Absolute => add_rows(level, Absolute, rows, n, stride, sums),
        Term::Square | Term::Product => add_rows(level, Product, rows, n, stride, sums),
    }
}

#[inline(always)]
fn add_terms<F: Float, T: TermRow>(a: &[F], b: &[F], lanes: &mut [f64; LANES]) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += T::term(a[i].to_f64(), b[i].to_f64());
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += T::term(a.to_f64(), b.to_f64());
    }
}

/// The sum of the lanes, halves first.
#[inline(always)]
pub(crate) fn fold(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Terms up to this many are summed one after another: setting up lanes takes longer.
pub(crate) const FEW: usize = 8;

impl Term {
    #[inline(always)]
    fn of<F: Float>(self, a: F, b: F) -> f64 {
        match self {
            Term::Plain => Plain::term(a.to_f64(), 0.0),
            Term::Absolute => Absolute::term(a.to_f64(), 0.0),
            Term::Square | Term::Product => Product::term(a.to_f64(), b.to_f64()),
        }
    }
}

/// Pairwise sum over blocks. Where there is one slice, `b` is `a`.
#[inline]
fn pairwise<F: Float>(level: Level, term: Term, a: &[F], b: &[F]) -> f64 {
    if a.len() <= FEW {
        return a.iter().zip(b).fold(0.0, |sum, (&a, &b)| sum + term.of(a, b));
    }
    in_blocks(level, term, a, b)
}

fn in_blocks<F: Float>(level: Level, term: Term, a: &[F], b: &[F]) -> f64 {
    if a.len() <= BLOCK {
        return F::block_sum_at(level, term, a, b);
    }
    let middle = (a.len() / 2).next_multiple_of(BLOCK);
    let ((a, a_end), (b, b_end)) = (a.split_at(middle), b.split_at(middle));
    in_blocks(level, term, a, b) + in_blocks(level, term, a_end, b_end)
}

/// Pairwise sum of partial sums.
fn pairwise_f64(x: &[f64]) -> f64 {
    match x {
        [] => 0.0,
        [x] => *x,
        _ => {
            let (start, end) = x.split_at(x.len().next_power_of_two() / 2);
            pairwise_f64(start) + pairwise_f64(end)
        }
    }
}

pub(super) fn sum_of<F: Float>(level: Level, term: Term, a: &[F], b: &[F], par: Par) -> f64 {
    if a.len() < 4 * PIECE {
        return pairwise(level, term, a, b);
    }
    let mut parts = vec![0.0; a.len().div_ceil(PIECE)];
    par.for_each(parts.iter_mut().zip(a.chunks(PIECE).zip(b.chunks(PIECE))), |(part, (a, b))| {
        *part = in_blocks(level, term, a, b);
    });
    pairwise_f64(&parts)
}

/// The sum of `len` terms from the sums of their blocks of [`BLOCK`], with the bits of [`sum_of`].
pub(crate) fn sum_of_blocks(len: usize, blocks: &[f64]) -> f64 {
    fn tree(len: usize, blocks: &[f64]) -> f64 {
        match blocks {
            [] => 0.0,
            [sum] => *sum,
            _ => {
                let middle = (len / 2).next_multiple_of(BLOCK);
                let (start, end) = blocks.split_at(middle / BLOCK);
                tree(middle, start) + tree(len - middle, end)
            }
        }
    }
    if len < 4 * PIECE {
        return tree(len, blocks);
    }
    let part = |(i, blocks): (usize, &[f64])| tree(PIECE.min(len - i * PIECE), blocks);
    pairwise_f64(&blocks.chunks(PIECE / BLOCK).enumerate().map(part).collect::<Vec<_>>())
}

/// The sum of all elements; 0 for none.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, reduce};
///
/// let x = vec![0.1_f32; 10_000_000];
/// assert_eq!(reduce::sum(&x, Par::current()), 1_000_000.0); // a running `f32` sum gives 1 087 937
/// ```
pub fn sum<F: Float>(x: &[F], par: Par) -> F {
    F::from_f64(sum_of(simd_level(), Term::Plain, x, x, par))
}

/// The sum as an `f64`, not rounded to the float: for sums that are parts of a longer one.
pub fn sum_unrounded<F: Float>(x: &[F], par: Par) -> f64 {
    sum_of(simd_level(), Term::Plain, x, x, par)
}

/// The sum of the absolute values.
pub fn sum_abs<F: Float>(x: &[F], par: Par) -> F {
    F::from_f64(sum_of(simd_level(), Term::Absolute, x, x, par))
}

/// The sum of the squares. That of `f64` may overflow; [`norm2`] does not.
pub fn sum_of_squares<F: Float>(x: &[F], par: Par) -> F {
    F::from_f64(sum_of(simd_level(), Term::Square, x, x, par))
}

/// The arithmetic mean; NaN of nothing.
pub fn mean<F: Float>(x: &[F], par: Par) -> F {
    F::from_f64(sum_of(simd_level(), Term::Plain, x, x, par) / x.len() as f64)
}

/// The inner product `<a, b>`.
///
/// # Panics
/// When the slices differ in length.
pub fn dot<F: Float>(a: &[F], b: &[F], par: Par) -> F {
    assert_eq!(a.len(), b.len(), "the slices must have one length");
    F::from_f64(sum_of(simd_level(), Term::Product, a, b, par))
}

/// The Euclidean norm, without overflow or underflow on the way.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, reduce};
///
/// assert_eq!(reduce::norm2(&[3.0_f64, 4.0], Par::current()), 5.0);
/// assert!((reduce::norm2(&[3e200_f64, 4e200], Par::current()) / 5e200 - 1.0).abs() < 1e-15);
/// ```
pub fn norm2<F: Float>(x: &[F], par: Par) -> F {
    let squares = sum_of(simd_level(), Term::Square, x, x, par);
    // Within these bounds no square of any weight has overflowed or lost digits; those of f32 always are, or are zero.
    if (1e-280..1e300).contains(&squares) || squares == 0.0 && F::EPSILON.to_f64() > f64::EPSILON || squares.is_nan() {
        return F::from_f64(squares.sqrt());
    }
    let largest = extreme_of(simd_level(), Extreme::Largest, x, par).map_or(0.0, F::to_f64);
    let smallest = extreme_of(simd_level(), Extreme::Smallest, x, par).map_or(0.0, F::to_f64);
    let magnitude = largest.max(-smallest);
    if magnitude == 0.0 || magnitude == f64::INFINITY {
        return F::from_f64(magnitude);
    }
    let scaled: Vec<f64> = x.iter().map(|x| x.to_f64() / magnitude).collect();
    F::from_f64(magnitude * sum_of(simd_level(), Term::Square, &scaled, &scaled, par).sqrt())
}

/// Rows of a column sum that are added to one set of partial sums.
const COLUMN_ROWS: usize = 1024;

pub(super) fn sum_axis_of<F: Float>(
    level: Level,
    term: Term,
    x: &[F],
    [outer, n, inner]: [usize; 3],
    y: &mut [F],
    par: Par,
) {
    assert_dims(x, [outer, n, inner], y);
    if y.is_empty() {
        return;
    }
    if n == 0 {
        return y.fill(F::ZERO);
    }
    let small = x.len() < 4 * PIECE;
    if outer == 1 && inner > 1 {
        return column_sums(level, term, x, n, y, par);
    }
    if inner == 1 {
        if !small && outer < 16 {
            let each = y.iter_mut().zip(x.chunks(n));
            return each.for_each(|(y, x)| *y = F::from_f64(sum_of(level, term, x, x, par)));
        }
        let rows = PIECE.div_ceil(n);
        let par = if small { Par::SEQUENTIAL } else { par };
        return par.for_each(y.chunks_mut(rows).zip(x.chunks(rows * n)), |(y, x)| {
            for (y, x) in y.iter_mut().zip(x.chunks(n)) {
                *y = F::from_f64(pairwise(level, term, x, x));
            }
        });
    }
    if !small && outer < 16 {
        return y.chunks_mut(inner).zip(x.chunks(n * inner)).for_each(|(y, x)| column_sums(level, term, x, n, y, par));
    }
    for_each_matrix(x, n * inner, y, inner, par, |x, y| column_sums(level, term, x, n, y, Par::SEQUENTIAL));
}

/// Sums of the columns of a matrix `[n, inner]`.
fn column_sums<F: Float>(level: Level, term: Term, x: &[F], n: usize, y: &mut [F], par: Par) {
    let inner = y.len();
    // Row by row where nothing else is worth its while; up to 64 elements a stripe does the same.
    if (inner <= FEW && n <= 4 * FEW) || x.len() <= 64 {
        let mut sums = [0.0; 64];
        F::add_rows_at(level, term, x, n, inner, &mut sums[..inner]);
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = F::from_f64(sum);
        }
        return;
    }
    // A stripe of rows is summed into f64, and the stripes pairwise: two levels keep the error of f64 below 1e-13.
    let stripes = n.div_ceil(COLUMN_ROWS);
    // On the stack where they fit: the gradient of every bias comes this way, and a training step should not ask for
    // memory.
    let (mut many, mut some, mut few);
    let sums = match stripes * inner {
        // Clearing a buffer longer than the sums would take longer than the sums.
        0..=64 => {
            few = [0.0; 64];
            &mut few[..stripes * inner]
        }
        65..=1024 => {
            some = [0.0; 1024];
            &mut some[..stripes * inner]
        }
        _ => {
            many = vec![0.0; stripes * inner];
            &mut many[..]
        }
    };
    let stripe = |(sums, x): (&mut [f64], &[F])| {
        if inner < 64 {
            narrow_stripe(level, term, x, sums);
        } else {
            // Columns in groups whose sums stay in the first-level cache.
            let rows = x.len() / inner;
            for (group, sums) in sums.chunks_mut(512).enumerate() {
                F::add_rows_at(level, term, &x[group * 512..], rows, inner, sums);
            }
        }
    };
    let par = if x.len() < 4 * PIECE { Par::SEQUENTIAL } else { par };
    par.for_each(sums.chunks_mut(inner).zip(x.chunks(COLUMN_ROWS * inner)), stripe);
    let mut distance = 1;
    while distance < stripes {
        for i in (0..stripes - distance).step_by(2 * distance) {
            let (left, right) = sums.split_at_mut((i + distance) * inner);
            for (a, &b) in left[i * inner..][..inner].iter_mut().zip(&right[..inner]) {
                *a += b;
            }
        }
        distance *= 2;
    }
    for (y, &sum) in y.iter_mut().zip(&*sums) {
        *y = F::from_f64(sum);
    }
}

/// Column sums of a few columns: as many rows side by side as fill the lanes, folded at the end.
fn narrow_stripe<F: Float>(level: Level, term: Term, x: &[F], sums: &mut [f64]) {
    const WIDTH: usize = 128;
    let inner = sums.len();
    let mut wide = [0.0; WIDTH];
    let wide = &mut wide[..WIDTH / inner * inner];
    let whole = x.len() - x.len() % wide.len();
    let rows = whole / wide.len();
    F::add_rows_at(level, term, x, rows, wide.len(), wide);
    for row in wide.chunks(inner) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += x;
        }
    }
    F::add_rows_at(level, term, &x[whole..], (x.len() - whole) / inner, inner, sums);
}

/// Sums along the middle axis of `[outer, n, inner]`; overwrites `y: [outer, inner]`.
///
/// # Panics
/// When a slice has another length than the dimensions say.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, reduce};
///
/// let mut columns = [0.0_f32; 3];
/// reduce::sum_axis(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 2, 3], &mut columns, Par::current());
/// assert_eq!(columns, [5.0, 7.0, 9.0]);
/// ```
pub fn sum_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F], par: Par) {
    sum_axis_of(simd_level(), Term::Plain, x, dims, y, par);
}

/// Sums of absolute values along the middle axis; as [`sum_axis`].
pub fn sum_abs_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F], par: Par) {
    sum_axis_of(simd_level(), Term::Absolute, x, dims, y, par);
}

/// Sums of squares along the middle axis; as [`sum_axis`].
pub fn sum_of_squares_axis<F: Float>(x: &[F], dims: [usize; 3], y: &mut [F], par: Par) {
    sum_axis_of(simd_level(), Term::Square, x, dims, y, par);
}
