//! Matrix products.
//!
//! One routine serves every layout: operands are slices with two strides, so a transpose is an exchange of strides and
//! never a copy. Products with a vector and tiny products have loops of their own. The micro-kernels are written with
//! vector intrinsics for AVX-512 and AVX2 and with plain arrays for everything else.
//!
//! Why not a crate: `gemm` 0.19 would bring 20 crates and half of all compile time, and on a Sapphire Rapids core the
//! code here was 1.3 to 2.5 times as fast in interleaved runs (squares of 32 to 2048, the products of a dense layer);
//! at par when the right operand is transposed.
//!
//! Bits: an element is the sum of its products in the order of the inner index, in blocks of 256, whatever the cut into
//! tiles and threads. Only where the inner dimension is long and the result small is it cut as well, at places that
//! depend on the sizes alone; and products with a short side have sums of their own, which depend on sizes and layout.

pub(crate) mod blocked;
pub(crate) mod gemv;
mod into;
pub(crate) mod pack;
mod skinny;
mod tile;
pub(crate) mod vector;

#[cfg(test)]
mod tests;

pub use into::{MatMut, matmul_into};

use crate::dispatch::{Level, simd_level};
use crate::scratch::Scratch;
use crate::{Float, Par};
use blocked::Product;
use core::marker::PhantomData;

/// A matrix in a slice: element `(i, j)` is `slice[i * row_stride + j * col_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct MatRef<'a, F> {
    /// The elements, starting with `(0, 0)`.
    pub slice: &'a [F],
    /// Distance from one row to the next.
    pub row_stride: usize,
    /// Distance from one column to the next.
    pub col_stride: usize,
}

impl<'a, F> MatRef<'a, F> {
    /// A matrix of `columns` columns whose rows follow one another.
    #[must_use]
    pub const fn row_major(slice: &'a [F], columns: usize) -> Self {
        MatRef { slice, row_stride: columns, col_stride: 1 }
    }

    /// The transpose, by exchange of strides.
    #[must_use]
    pub const fn t(self) -> Self {
        MatRef { slice: self.slice, row_stride: self.col_stride, col_stride: self.row_stride }
    }

    /// Panics unless all elements of `[rows, columns]` are in the slice.
    fn assert_holds(&self, rows: usize, columns: usize) {
        if rows > 0 && columns > 0 {
            let end = (rows - 1)
                .checked_mul(self.row_stride)
                .and_then(|r| (columns - 1).checked_mul(self.col_stride)?.checked_add(r))
                .filter(|&last| last < self.slice.len());
            assert!(end.is_some(), "a matrix of {rows} x {columns} reaches beyond its slice of {}", self.slice.len());
        }
    }
}

/// What a product does to the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beta {
    /// Replaces it; what it held, NaN included, does not matter.
    Overwrite,
    /// Is added to it.
    Accumulate,
}

/// A product `c = alpha a b` or `c += alpha a b` with `a: [m, k]`, `b: [k, n]`, `c: [m, n]`.
#[derive(Debug, Clone, Copy)]
pub struct MatMul<'a, F> {
    /// Rows of `a` and of the result.
    pub m: usize,
    /// Columns of `a`, rows of `b`.
    pub k: usize,
    /// Columns of `b` and of the result.
    pub n: usize,
    /// The left operand.
    pub a: MatRef<'a, F>,
    /// The right operand.
    pub b: MatRef<'a, F>,
    /// What the product is multiplied with.
    pub alpha: F,
    /// Whether it replaces the result or is added to it.
    pub beta: Beta,
}

impl<'a, F: Float> MatMul<'a, F> {
    /// The plain product of two matrices whose rows follow one another: `alpha` 1, overwriting.
    #[must_use]
    pub const fn row_major([m, k, n]: [usize; 3], a: &'a [F], b: &'a [F]) -> Self {
        MatMul { m, k, n, a: MatRef::row_major(a, k), b: MatRef::row_major(b, n), alpha: F::ONE, beta: Beta::Overwrite }
    }
}

impl<F> MatMul<'_, F> {
    /// Panics unless the operands hold their elements and `c` those of the result.
    fn assert_holds(&self, c: &[F]) {
        let MatMul { m, k, n, .. } = *self;
        assert_eq!(Some(c.len()), m.checked_mul(n), "the result of [{m}, {k}] x [{k}, {n}] must hold m * n elements");
        self.assert_operands();
    }

    /// Panics unless the operands hold their elements.
    fn assert_operands(&self) {
        let MatMul { m, k, n, .. } = *self;
        self.a.assert_holds(m, k);
        self.b.assert_holds(k, n);
    }
}

/// Floating-point operations below which a product stays on one thread: about 30 us.
const PARALLEL: usize = 1 << 22;

/// Computes a product into `c`, whose rows follow one another.
///
/// Costs `2 m k n` operations.
///
/// # Panics
/// When an operand reaches beyond its slice, or `c` has another length than `m n`.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, matmul::{MatMul, MatRef, matmul}};
///
/// let (a, b) = ([1.0_f32, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
/// let mut c = [0.0; 4];
/// matmul(MatMul::row_major([2, 2, 2], &a, &b), &mut c, Par::current());
/// assert_eq!(c, [19.0, 22.0, 43.0, 50.0]);
///
/// // aT b
/// let product = MatMul { a: MatRef::row_major(&a, 2).t(), ..MatMul::row_major([2, 2, 2], &a, &b) };
/// matmul(product, &mut c, Par::current());
/// assert_eq!(c, [26.0, 30.0, 38.0, 44.0]);
/// ```
pub fn matmul<F: Float>(product: MatMul<'_, F>, c: &mut [F], par: Par) {
    matmul_at(simd_level(), product, c, par);
}

/// Computes `c = start + alpha a b`, whatever `c` held and `beta` says. A layer's bias is a `start` whose rows are all
/// the same, with 0 from one to the next.
///
/// Bits are those of [`matmul`] with [`Beta::Accumulate`] and `start` in `c`, without the pass over `c` to put it
/// there.
///
/// # Panics
/// As [`matmul`], and when `start` reaches beyond its slice or its columns are no neighbours.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, matmul::{MatMul, MatRef, matmul_onto}};
///
/// let product = MatMul::row_major([2, 1, 2], &[1.0, 2.0], &[5.0, 6.0]);
/// let bias = MatRef { slice: &[0.5, 0.25][..], row_stride: 0, col_stride: 1 };
/// let mut y = [0.0_f64; 4];
/// matmul_onto(product, bias, &mut y, Par::current());
/// assert_eq!(y, [5.5, 6.25, 10.5, 12.25]);
/// ```
pub fn matmul_onto<F: Float>(product: MatMul<'_, F>, start: MatRef<'_, F>, c: &mut [F], par: Par) {
    onto_at(simd_level(), product, start, c, par);
}

fn onto_at<F: Float>(level: Level, product: MatMul<'_, F>, start: MatRef<'_, F>, c: &mut [F], par: Par) {
    let MatMul { m, k, n, .. } = product;
    let product = MatMul { beta: Beta::Accumulate, ..product };
    blocked::assert_start(&start, [m, n]);
    if m > 1 && n > 1 && k > 0 && inner_parts(m, k, n) == 1 {
        let blocked = Product::new(product, c);
        if !blocked.is_skinny() {
            let par = if flops(&product) < PARALLEL { Par::SEQUENTIAL } else { par };
            return blocked::run(level, blocked.onto(start), par);
        }
    }
    product.assert_holds(c);
    copy_start(start, n, c, par);
    matmul_at(level, product, c, par);
}

/// Writes what a product is added to into its result, `[.., n]`.
fn copy_start<F: Float>(start: MatRef<'_, F>, n: usize, c: &mut [F], par: Par) {
    /// Elements that a thread copies at a time, about 10 us.
    const PIECE: usize = 1 << 16;
    if c.is_empty() {
        return;
    }
    let par = if c.len() < 4 * PIECE { Par::SEQUENTIAL } else { par };
    let rows = PIECE.div_ceil(n);
    par.for_each(c.chunks_mut(rows * n).enumerate(), |(i, c)| {
        for (j, row) in c.chunks_exact_mut(n).enumerate() {
            row.copy_from_slice(&start.slice[(i * rows + j) * start.row_stride..][..n]);
        }
    });
}

/// Computes `batch` products of one shape; matrix `i` of an operand starts `i` strides into its slice.
///
/// A batch stride of 0 uses the same matrix for all. `c` is `[batch, m, n]`.
///
/// # Panics
/// As [`matmul`].
pub fn matmul_batched<F: Float>(
    product: MatMul<'_, F>,
    batch: usize,
    a_batch_stride: usize,
    b_batch_stride: usize,
    c: &mut [F],
    par: Par,
) {
    let size = product.m * product.n;
    assert_eq!(c.len(), batch * size, "the result of {batch} products must hold batch * m * n elements");
    if size == 0 {
        return;
    }
    let one = |(i, c): (usize, &mut [F]), par| {
        let (mut a, mut b) = (product.a, product.b);
        // An operand without elements may have a slice shorter than its batch strides say.
        a.slice = a.slice.get(i * a_batch_stride..).unwrap_or(&[]);
        b.slice = b.slice.get(i * b_batch_stride..).unwrap_or(&[]);
        matmul(MatMul { a, b, ..product }, c, par);
    };
    let work = flops(&product);
    if batch < par.threads() || work.saturating_mul(batch) < PARALLEL {
        let par = if work < PARALLEL { Par::SEQUENTIAL } else { par };
        return c.chunks_mut(size).enumerate().for_each(|item| one(item, par));
    }
    // Enough products for a piece to be worth 10 us.
    let group = (PARALLEL / 4).div_ceil(work.max(1)).min(batch.div_ceil(par.threads()));
    par.for_each(c.chunks_mut(group * size).enumerate(), |(i, c)| {
        c.chunks_mut(size).enumerate().for_each(|(j, c)| one((i * group + j, c), Par::SEQUENTIAL));
    });
}

/// A right operand packed once, for many products with few rows each: those of the steps of a recurrent network. Packed
/// anew for each, `[128, 512]` costs half as much as its product with 32 rows.
///
/// # Examples
/// ```
/// use wengert_kernels::matmul::{Beta, MatRef, PackedRight};
///
/// let b = PackedRight::new(MatRef::row_major(&[5.0, 6.0, 7.0, 8.0], 2), [2, 2]);
/// let mut c = [0.0; 4];
/// let a = MatRef::row_major(&[1.0, 2.0, 3.0, 4.0], 2);
/// b.multiply(a, 2, None, &mut c);
/// assert_eq!(c, [19.0, 22.0, 43.0, 50.0]);
/// let bias = MatRef { slice: &[0.5, 0.25][..], row_stride: 0, col_stride: 1 }; // the same for all rows
/// b.multiply(a, 2, Some(bias), &mut c);
/// assert_eq!(c, [19.5, 22.25, 43.5, 50.25]);
/// ```
pub struct PackedRight<F> {
    room: Scratch,
    k: usize,
    n: usize,
    level: Level,
    number: PhantomData<F>,
}

impl<F: Float> PackedRight<F> {
    /// Packs `b: [k, n]`.
    ///
    /// # Panics
    /// When it reaches beyond its slice.
    #[must_use]
    pub fn new(b: MatRef<'_, F>, [k, n]: [usize; 2]) -> Self {
        Self::at(simd_level(), b, [k, n])
    }

    fn at(level: Level, b: MatRef<'_, F>, [k, n]: [usize; 2]) -> Self {
        let len = blocked::packed_right_len(k, n);
        let mut room = Scratch::take::<F>(len);
        F::pack_right_at(level, b, [k, n], room.elements_mut(len));
        PackedRight { room, k, n, level, number: PhantomData }
    }

    /// `c = a b` or `c = start + a b` with `a: [m, k]`, on this thread: rows are independent of one another, whatever
    /// `m`. Bits are those of `c += a b` with `start` in `c`.
    ///
    /// # Panics
    /// When `a` or `start` reaches beyond its slice, columns of `start` are no neighbours, or `c` has another length
    /// than `m n`.
    pub fn multiply(&self, a: MatRef<'_, F>, m: usize, start: Option<MatRef<'_, F>>, c: &mut [F]) {
        let (k, n) = (self.k, self.n);
        assert_eq!(c.len(), m * n, "the result of [{m}, {k}] x [{k}, {n}] must hold m * n elements");
        a.assert_holds(m, k);
        if k == 0 {
            match start {
                Some(start) => copy_start(start, n, c, Par::SEQUENTIAL),
                None => c.fill(F::ZERO),
            }
        }
        if m > 0 && k > 0 && n > 0 {
            let b = self.room.elements(blocked::packed_right_len(k, n));
            let product = Product::with_packed(a, [m, k, n], b, c);
            F::product_at(
                self.level,
                match start {
                    Some(start) => product.onto(start),
                    None => product,
                },
            );
        }
    }
}

fn flops<F>(product: &MatMul<'_, F>) -> usize {
    2usize.saturating_mul(product.m).saturating_mul(product.k).saturating_mul(product.n)
}

fn matmul_at<F: Float>(level: Level, product: MatMul<'_, F>, c: &mut [F], par: Par) {
    let MatMul { m, k, n, beta, .. } = product;
    if m <= 1 || n <= 1 || k == 0 {
        product.assert_holds(c);
        if k == 0 && beta == Beta::Overwrite {
            c.fill(F::ZERO);
        }
        if k == 0 || c.is_empty() || vector_product(level, product, c, par) {
            return;
        }
    }
    let parts = inner_parts(m, k, n);
    if parts > 1 {
        return split_inner(level, product, parts, c, par);
    }
    let par = if flops(&product) < PARALLEL { Par::SEQUENTIAL } else { par };
    // The slices are checked there.
    blocked::run(level, Product::new(product, c), par);
}

/// Into how many parts the inner dimension is cut: more than one where the result is so small that cutting it would not
/// occupy the threads. Depends on the sizes only.
fn inner_parts(m: usize, k: usize, n: usize) -> usize {
    const PART: usize = 32 * blocked::INNER;
    if m * n <= 2048 && k >= 2 * PART { (k / PART).min(8) } else { 1 }
}

/// Sums products over parts of the inner dimension, in their order.
fn split_inner<F: Float>(level: Level, product: MatMul<'_, F>, parts: usize, c: &mut [F], par: Par) {
    let MatMul { k, a, b, beta, .. } = product;
    let length = k.div_ceil(parts).next_multiple_of(blocked::INNER);
    let mut sums = vec![F::ZERO; parts * c.len()];
    par.for_each(sums.chunks_mut(c.len()).enumerate(), |(i, sum)| {
        let (from, to) = ((i * length).min(k), ((i + 1) * length).min(k));
        let a = MatRef { slice: a.slice.get(from * a.col_stride..).unwrap_or(&[]), ..a };
        let b = MatRef { slice: b.slice.get(from * b.row_stride..).unwrap_or(&[]), ..b };
        let part = MatMul { k: to - from, a, b, beta: Beta::Overwrite, ..product };
        matmul_at(level, part, sum, Par::SEQUENTIAL);
    });
    if beta == Beta::Overwrite {
        c.fill(F::ZERO);
    }
    for sum in sums.chunks(c.len()) {
        for (c, &sum) in c.iter_mut().zip(sum) {
            *c += sum;
        }
    }
}

/// A product with one row or one column, if its matrix is contiguous in one direction; says whether it was.
fn vector_product<F: Float>(level: Level, product: MatMul<'_, F>, c: &mut [F], par: Par) -> bool {
    let MatMul { m, k, n, a, b, alpha, beta } = product;
    // A single row is the single column of the transposed product: y = M x with M of `len` rows.
    let (matrix, x, len) = if n == 1 { (a, b, m) } else { (b.t(), a.t(), n) };
    let x_stride = x.row_stride;
    let dots = matrix.col_stride == 1 && (x_stride == 1 || k == 1);
    let combines = matrix.row_stride == 1;
    if !dots && !combines {
        return false;
    }
    if beta == Beta::Overwrite {
        c.fill(F::ZERO);
    }
    // Multiplied into the vector once instead of into every sum.
    let scaled: Vec<F>;
    let (x, x_stride) = if alpha == F::ONE || dots {
        (x.slice, x_stride)
    } else {
        scaled = x.slice.iter().step_by(x_stride.max(1)).take(k).map(|&x| alpha * x).collect();
        (&scaled[..], 1)
    };
    // Outputs a thread takes at a time: pieces of about 64 Ki elements of the matrix.
    let piece = ((1usize << 16).div_ceil(k)).next_multiple_of(64);
    let par = if len * k < 4 << 16 { Par::SEQUENTIAL } else { par };
    par.for_each(c.chunks_mut(piece).enumerate(), |(i, y)| {
        let rows = &matrix.slice[i * piece * matrix.row_stride..];
        if dots {
            F::dot_rows_at(level, rows, matrix.row_stride, &x[..k], alpha, y);
        } else {
            F::combine_rows_at(level, x, x_stride, k, rows, matrix.col_stride, y);
        }
    });
    true
}
