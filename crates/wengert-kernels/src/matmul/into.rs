//! Products written into a part of a larger matrix: the columns of one head among those of all, say.

#![expect(unsafe_code, reason = "columns of one matrix are written by several threads: no slices tell them apart")]

use super::{Beta, MatMul, blocked, flops, matmul_at};
use crate::dispatch::{Level, simd_level};
use crate::{Float, Par};
use core::marker::PhantomData;
use core::ops::Range;

/// A matrix to be written, whose rows may be apart: elements of a slice that nobody else sees.
///
/// # Examples
/// ```
/// use wengert_kernels::matmul::MatMut;
///
/// let mut x = [0; 6];
/// for (k, mut columns) in MatMut::row_major(&mut x, [2, 3]).into_columns(3).enumerate() {
///     columns.row_mut(1).fill(k);
/// }
/// assert_eq!(x, [0, 0, 0, 0, 1, 2]);
/// ```
#[derive(Debug)]
pub struct MatMut<'a, F> {
    /// Element `(i, j)` is at `i * row_stride + j` from here, for all `i` below `rows` and `j` below `columns`, and
    /// only this matrix is used to reach it as long as it lives.
    start: *mut F,
    rows: usize,
    columns: usize,
    row_stride: usize,
    borrow: PhantomData<&'a mut [F]>,
}

// SAFETY: it stands for the mutable borrow of its elements.
unsafe impl<F: Send> Send for MatMut<'_, F> {}
// SAFETY: nothing is written through a shared one, and nothing read.
unsafe impl<F: Sync> Sync for MatMut<'_, F> {}

impl<'a, F> MatMut<'a, F> {
    /// A whole slice as a matrix whose rows follow one another.
    ///
    /// # Panics
    /// When it has another length than `rows * columns`.
    #[must_use]
    pub fn row_major(slice: &'a mut [F], [rows, columns]: [usize; 2]) -> Self {
        assert_eq!(Some(slice.len()), rows.checked_mul(columns), "a matrix of {rows} x {columns} has as many elements");
        MatMut { start: slice.as_mut_ptr(), rows, columns, row_stride: columns, borrow: PhantomData }
    }

    /// Cut between columns into so many matrices of equal width, from left to right.
    ///
    /// # Panics
    /// When they cannot share the columns evenly.
    pub fn into_columns(self, count: usize) -> impl ExactSizeIterator<Item = MatMut<'a, F>> {
        assert!(self.columns.is_multiple_of(count), "{} columns in {count} equal parts", self.columns);
        let columns = self.columns.checked_div(count).unwrap_or(0);
        // Where there are no elements the start is never moved: it may be the end of its slice.
        let step = if self.rows == 0 { 0 } else { columns };
        (0..count).map(move |k| {
            // SAFETY: a first row, if there is one, has this column or ends with it; the parts have no element in
            // common, and the whole is consumed.
            let start = unsafe { self.start.add(k * step) };
            MatMut { start, columns, ..self.shared() }
        })
    }

    /// Some of the rows.
    ///
    /// # Panics
    /// When there are not as many.
    #[must_use]
    pub fn rows_mut(&mut self, rows: Range<usize>) -> MatMut<'_, F> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        let below = if rows.is_empty() { 0 } else { rows.start * self.row_stride };
        // SAFETY: the row exists; this matrix is borrowed as long as the result lives.
        let start = unsafe { self.start.add(below) };
        MatMut { start, rows: rows.len(), ..self.shared() }
    }

    /// A row.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row_mut(&mut self, row: usize) -> &mut [F] {
        let MatMut { start, columns, .. } = self.rows_mut(row..row + 1);
        // SAFETY: the elements of a row lie side by side; they were borrowed mutably and are so again.
        unsafe { core::slice::from_raw_parts_mut(start, columns) }
    }

    /// Writes `value` everywhere.
    pub fn fill(&mut self, value: F)
    where
        F: Copy,
    {
        (0..self.rows).for_each(|i| self.row_mut(i).fill(value));
    }

    /// The same matrix twice, for a moment: callers give one away or change it.
    fn shared<'b>(&self) -> MatMut<'b, F> {
        MatMut { borrow: PhantomData, ..*self }
    }

    /// The elements as a slice, if nothing lies between the rows.
    fn as_mut_slice(&mut self) -> Option<&mut [F]> {
        let gapless = self.rows <= 1 || self.row_stride == self.columns;
        // SAFETY: as of a row; rows follow one another.
        gapless.then(|| unsafe { core::slice::from_raw_parts_mut(self.start, self.rows * self.columns) })
    }
}

/// Computes a product into a matrix whose rows may be apart.
///
/// Bits are those of [`matmul`](super::matmul()) except of a single column and of small results of a very long inner
/// dimension, for which it has loops of their own; and never hang on the number of threads.
///
/// # Panics
/// When an operand reaches beyond its slice, or `c` is not `[m, n]`.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, matmul::{MatMul, MatMut, matmul_into}};
///
/// let mut y = [0.0_f64; 4];
/// let mut left = MatMut::row_major(&mut y, [2, 2]).into_columns(2).next().unwrap();
/// matmul_into(MatMul::row_major([2, 1, 1], &[2.0, 3.0], &[5.0]), left.rows_mut(0..2), Par::current());
/// assert_eq!(y, [10.0, 0.0, 15.0, 0.0]);
/// ```
pub fn matmul_into<F: Float>(product: MatMul<'_, F>, c: MatMut<'_, F>, par: Par) {
    into_at(simd_level(), product, c, par);
}

pub(super) fn into_at<F: Float>(level: Level, product: MatMul<'_, F>, mut c: MatMut<'_, F>, par: Par) {
    let MatMul { m, k, n, beta, .. } = product;
    assert_eq!([c.rows, c.columns], [m, n], "the result of [{m}, {k}] x [{k}, {n}]");
    if let Some(c) = c.as_mut_slice() {
        return matmul_at(level, product, c, par);
    }
    if n == 0 {
        return;
    }
    if k == 0 {
        if beta == Beta::Overwrite {
            c.fill(F::ZERO);
        }
        return;
    }
    let par = if flops(&product) < super::PARALLEL { Par::SEQUENTIAL } else { par };
    product.assert_operands();
    // SAFETY: the operands were checked; `c` holds the elements of the result, and is borrowed until they are written.
    let product = unsafe { blocked::Product::into_rows(product, c.start, c.row_stride) };
    blocked::run(level, product, par);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matmul::MatRef;
    use crate::numbers::numbers;

    #[test]
    fn a_result_between_other_columns_is_the_product_and_leaves_its_neighbours_alone() {
        for [m, k, n] in [
            [1, 3, 4],
            [2, 5, 16],
            [5, 7, 17],
            [7, 0, 3],
            [15, 33, 65],
            [70, 257, 3],
            [64, 64, 32],
            [130, 300, 200],
            [4, 128, 130],
            [130, 7, 128],
        ] {
            let (a, b, before) = (numbers::<f32>(m * k, 1), numbers::<f32>(k * n, 2), numbers::<f32>(m * 3 * n, 3));
            for (beta, turned) in [(Beta::Overwrite, false), (Beta::Accumulate, false), (Beta::Accumulate, true)] {
                let mut product = MatMul { beta, alpha: 0.5, ..MatMul::row_major([m, k, n], &a, &b) };
                if turned {
                    product.b = MatRef::row_major(&b, k).t();
                }
                let middle =
                    |x: &[f32]| -> Vec<f32> { x.chunks(3 * n).flat_map(|row| row[n..2 * n].to_vec()).collect() };
                for level in Level::available() {
                    let mut expected = middle(&before);
                    matmul_at(level, product, &mut expected, Par::SEQUENTIAL);
                    for threads in [1, 2, 3] {
                        let mut all = before.clone();
                        let c = MatMut::row_major(&mut all, [m, 3 * n]).into_columns(3).nth(1).expect("three parts");
                        into_at(level, product, c, Par::new(threads));
                        assert!(middle(&all) == expected, "{level:?} [{m}, {k}, {n}] {beta:?}, {threads} threads");
                        for (row, was) in all.chunks(3 * n).zip(before.chunks(3 * n)) {
                            assert!(row[..n] == was[..n] && row[2 * n..] == was[2 * n..], "{level:?} [{m}, {k}, {n}]");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn parts_hold_their_own_elements() {
        let mut x: Vec<usize> = (0..24).collect();
        for (k, mut part) in MatMut::row_major(&mut x, [4, 6]).into_columns(2).enumerate() {
            assert_eq!(*part.row_mut(3), [18 + 3 * k, 19 + 3 * k, 20 + 3 * k]);
            part.rows_mut(1..3).fill(k);
            assert_eq!(part.rows_mut(4..4).rows, 0);
        }
        let zeros_and_ones = [0, 0, 0, 1, 1, 1];
        assert_eq!(x[6..18], [zeros_and_ones, zeros_and_ones].concat());
        assert_eq!(x[..6], [0, 1, 2, 3, 4, 5]);
        assert_eq!(x[18..], [18, 19, 20, 21, 22, 23]);
    }

    #[test]
    fn matrices_without_elements_are_written_and_nothing_happens() {
        let none: &mut [f32] = &mut [];
        for shape in [[0, 4], [4, 0], [0, 0]] {
            for mut part in MatMut::row_major(&mut *none, shape).into_columns(2) {
                part.fill(1.0);
                let [m, n] = [part.rows, part.columns];
                let nothing = MatRef::row_major(&[][..], 0);
                let product = MatMul { a: nothing, b: nothing, ..MatMul::row_major([m, 0, n], &[], &[]) };
                matmul_into(product, part, Par::SEQUENTIAL);
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows 1..3 of 2")]
    fn rows_beyond_the_last_are_refused() {
        let _ = MatMut::row_major(&mut [0; 4], [2, 2]).rows_mut(1..3);
    }

    #[test]
    #[should_panic(expected = "5 columns in 2 equal parts")]
    fn columns_are_shared_evenly() {
        let _ = MatMut::row_major(&mut [0; 10], [2, 5]).into_columns(2);
    }

    #[test]
    #[should_panic(expected = "the result of [2, 1] x [1, 3]")]
    fn a_result_of_another_shape_is_refused() {
        let c = &mut [0.0; 4];
        matmul_into(MatMul::row_major([2, 1, 3], &[1.0; 2], &[1.0; 3]), MatMut::row_major(c, [2, 2]), Par::SEQUENTIAL);
    }
}
