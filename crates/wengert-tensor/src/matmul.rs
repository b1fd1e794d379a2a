//! Matrix products: two matrices, batches of them, vectors.

use wengert_kernels::Par;
use wengert_kernels::matmul::{self as kernel, Beta, MatMul, MatRef};

use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::layout::Strides;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

/// The last two axes of an operand as a matrix, transposed or not: sizes and strides.
struct Matrix {
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    transposed: bool,
}

impl Matrix {
    /// `None` when the matrix runs backwards, which the kernels do not.
    fn new<F: FloatElement>(x: &Tensor<F>, transposed: bool) -> Option<Matrix> {
        let [.., rows, columns] = **x.shape() else { return None };
        let (row_stride, column_stride) = if x.is_dense() {
            (columns, 1)
        } else {
            let strides = x.strides();
            let [.., row_stride, column_stride] = *strides else { return None };
            (usize::try_from(row_stride).ok()?, usize::try_from(column_stride).ok()?)
        };
        Some(if transposed {
            Matrix { rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride, transposed }
        } else {
            Matrix { rows, columns, row_stride, column_stride, transposed }
        })
    }

    fn at<'a, F>(&self, slice: &'a [F]) -> MatRef<'a, F> {
        MatRef { slice, row_stride: self.row_stride, col_stride: self.column_stride }
    }
}

/// What a product begins with.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, F> {
    Nothing,
    /// What the result holds.
    Result,
    /// The same row for all.
    Row(&'a [F]),
}

/// A product whose operands fit together.
pub(crate) struct Product<'a, F: FloatElement> {
    a: &'a Tensor<F>,
    b: &'a Tensor<F>,
    a_matrix: Matrix,
    b_matrix: Matrix,
    /// `[batch.., m, n]`
    pub(crate) shape: Shape,
}

impl<F: FloatElement> Product<'_, F> {
    /// Checks shapes, and hands the product to `f`; an operand that runs backwards is copied first.
    pub(crate) fn with<R>(
        op: &'static str,
        (a, a_transposed): (&Tensor<F>, bool),
        (b, b_transposed): (&Tensor<F>, bool),
        f: impl FnOnce(Product<'_, F>) -> Result<R, ShapeError>,
    ) -> Result<R, ShapeError> {
        for x in [a, b] {
            if x.rank() < 2 {
                let expected = "a matrix or a batch of matrices";
                return Err(ShapeError::Rank { op, shape: x.shape().clone(), expected });
            }
        }
        let matrices = Matrix::new(a, a_transposed).zip(Matrix::new(b, b_transposed));
        let Some((a_matrix, b_matrix)) = matrices else {
            let (a, b) = (a.try_to_contiguous(op)?, b.try_to_contiguous(op)?);
            return Self::with(op, (&a, a_transposed), (&b, b_transposed), f);
        };
        let (lhs, rhs) = (a.shape(), b.shape());
        if a_matrix.columns != b_matrix.rows {
            let (k_lhs, k_rhs) = (a_matrix.columns, b_matrix.rows);
            return Err(ShapeError::Inner { op, lhs: lhs.clone(), rhs: rhs.clone(), k_lhs, k_rhs });
        }
        let (rows, columns) = (a_matrix.rows, b_matrix.columns);
        let shape = if lhs.rank() == 2 && rhs.rank() == 2 {
            Shape::from([rows, columns])
        } else {
            let batch = |shape: &Shape| Shape::from(&shape[..shape.rank() - 2]);
            let mut shape = Shape::broadcast(op, &batch(lhs), &batch(rhs)).map_err(|error| match error {
                ShapeError::Broadcast { axis, .. } => {
                    ShapeError::Broadcast { op, lhs: lhs.clone(), rhs: rhs.clone(), axis }
                }
                other => other,
            })?;
            shape.push(rows);
            shape.push(columns);
            shape
        };
        f(Product { a, b, a_matrix, b_matrix, shape })
    }

    /// Computes `c = start + a b`.
    pub(crate) fn run(&self, start: Start<'_, F>, c: &mut [F]) {
        let (a, b) = (&self.a_matrix, &self.b_matrix);
        let (m, k, n) = (a.rows, a.columns, b.columns);
        let product = |a_at: usize, b_at: usize, m: usize| MatMul {
            m,
            k,
            n,
            // An operand without elements may start at the very end of its storage.
            a: a.at(self.a.storage().get(a_at..).unwrap_or_default()),
            b: b.at(self.b.storage().get(b_at..).unwrap_or_default()),
            alpha: F::from_index(1),
            beta: if matches!(start, Start::Nothing) { Beta::Overwrite } else { Beta::Accumulate },
        };
        let matrix = |product: MatMul<'_, F>, c: &mut [F]| match start {
            Start::Row(slice) => {
                let start = MatRef { slice, row_stride: 0, col_stride: 1 };
                kernel::matmul_onto(product, start, c, Par::current());
            }
            Start::Nothing | Start::Result => kernel::matmul(product, c, Par::current()),
        };
        let offsets = [self.a.layout().offset(), self.b.layout().offset()];
        // First of all: of an empty batch no matrix may be read.
        if c.is_empty() {
            return;
        }
        if c.len() == m * n {
            return matrix(product(offsets[0], offsets[1], m), c);
        }
        // The batch axes, merged; strides along them, repeated ones 0.
        let batch = &self.shape[..self.shape.rank() - 2];
        let walk = Walk::new(batch, [&batch_strides(self.a, batch.len()), &batch_strides(self.b, batch.len())]);
        let (count, [a_step, b_step]) = walk.run();
        if walk.runs() == 1 && b_step == 0 && a_step == (m * a.row_stride) as isize {
            // One matrix on the right, and rows on the left that follow one another through the whole batch.
            return matrix(product(offsets[0], offsets[1], count * m), c);
        }
        if let Start::Row(row) = start {
            c.chunks_exact_mut(n).for_each(|c| c.copy_from_slice(row));
        }
        let mut results = c.chunks_exact_mut(count * m * n);
        walk.for_each_run(offsets, |[a_at, b_at]| {
            let c = results.next().unwrap_or_default();
            match (usize::try_from(a_step), usize::try_from(b_step)) {
                (Ok(a_step), Ok(b_step)) => {
                    kernel::matmul_batched(product(a_at, b_at, m), count, a_step, b_step, c, Par::current());
                }
                // A batch in reverse order goes one by one.
                _ => {
                    for (i, c) in c.chunks_exact_mut(m * n).enumerate() {
                        let a_at = a_at.wrapping_add_signed(a_step * i as isize);
                        let b_at = b_at.wrapping_add_signed(b_step * i as isize);
                        kernel::matmul(product(a_at, b_at, m), c, Par::current());
                    }
                }
            }
        });
    }
}

impl<F: FloatElement> Product<'_, F> {
    /// Takes back, in the product `c`, what zero times infinity or NaN made.
    ///
    /// An operand's number that is not finite leaves nothing finite in its whole row or column of the product. So a
    /// first row and a first column that are finite show that all is well, for the price of reading them.
    fn keep_zeros(&self, c: &mut [F]) -> Result<(), ShapeError> {
        let (m, k, n) = (self.a_matrix.rows, self.a_matrix.columns, self.b_matrix.columns);
        if c.is_empty() || k == 0 {
            return Ok(());
        }
        // Without a branch an element: a row is a vector loop.
        let finite = |all: bool, c: &F| all & c.is_finite();
        let is_clean = |c: &[F]| c[..n].iter().fold(true, finite) & c.iter().step_by(n).fold(true, finite);
        if c.chunks_exact(m * n).all(is_clean) {
            return Ok(());
        }
        let whole = |x: &Tensor<F>, matrix: &Matrix| {
            let batch = &self.shape[..self.shape.rank() - 2];
            let x = if matrix.transposed { x.try_transpose(-2, -1)? } else { x.clone() };
            let shape: Shape = batch.iter().copied().chain([matrix.rows, matrix.columns]).collect();
            x.try_broadcast_to(shape)?.try_to_contiguous("matmul")
        };
        let (a, b) = (whole(self.a, &self.a_matrix)?, whole(self.b, &self.b_matrix)?);
        let mut careful = Tensor::try_scratch_for("matmul", Shape::from([n]))?;
        let careful = careful.fresh_mut();
        let matrices = a.storage().chunks_exact(m * k).zip(b.storage().chunks_exact(k * n));
        for ((a, b), c) in matrices.zip(c.chunks_exact_mut(m * n)) {
            for (a, c) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)) {
                if !c.iter().any(|c| c.is_nan()) {
                    continue;
                }
                careful.fill(F::ZERO);
                for (&a, b) in a.iter().zip(b.chunks_exact(n)).filter(|(a, _)| **a != F::ZERO) {
                    careful.iter_mut().zip(b).for_each(|(sum, &b)| *sum += if b == F::ZERO { b } else { a * b });
                }
                // Those that are numbers keep their bits.
                c.iter_mut().zip(&*careful).filter(|(c, _)| c.is_nan()).for_each(|(c, &sum)| *c = sum);
            }
        }
        Ok(())
    }
}

/// The strides of the axes before the last two, repeated to `rank` axes.
fn batch_strides<F: FloatElement>(x: &Tensor<F>, rank: usize) -> Strides {
    let own = x.rank() - 2;
    let strides = x.strides();
    let repeated = core::iter::repeat_n(0, rank - own);
    repeated.chain((0..own).map(|axis| if x.shape()[axis] == 1 { 0 } else { strides[axis] })).collect()
}

/// The shapes of the matrices that a product with a vector multiplies, and of its result: `[m, k] x [k, 1] -> [m]`.
#[doc(hidden)]
pub fn vector_product(lhs: &Shape, rhs: &Shape) -> Result<[Shape; 3], ShapeError> {
    let op = "matmul";
    for shape in [lhs, rhs] {
        if shape.rank() == 0 {
            let expected = "one at least; a single number is multiplied with `*`";
            return Err(ShapeError::Rank { op, shape: shape.clone(), expected });
        }
    }
    let a = if let [k] = **lhs { Shape::from([1, k]) } else { lhs.clone() };
    let b = if let [k] = **rhs { Shape::from([k, 1]) } else { rhs.clone() };
    let (k_lhs, k_rhs) = (a[a.rank() - 1], b[b.rank() - 2]);
    if k_lhs != k_rhs {
        return Err(ShapeError::Inner { op, lhs: lhs.clone(), rhs: rhs.clone(), k_lhs, k_rhs });
    }
    let mut y = if lhs.rank() == 1 { rhs.clone() } else { lhs.clone() };
    y.remove(y.rank() - if lhs.rank() == 1 { rhs.rank().min(2) } else { 1 });
    Ok([a, b, y])
}

impl<F: FloatElement> Tensor<F> {
    /// Matrix product: `[m, k] x [k, n] -> [m, n]`.
    ///
    /// More axes in front are a batch, and broadcast: `[8, 1, m, k] x [5, k, n] -> [8, 5, m, n]`. A vector on the left
    /// is a row and one on the right a column, and their axis is not in the result: `[m, k] x [k] -> [m]`. Transposed
    /// operands are read where they are. Costs `2 m k n` operations for each matrix of the batch.
    ///
    /// In which order the `k` products of an element are summed is chosen by sizes and by where the operands lie, so a
    /// product with a copy in another order may differ in its last bits; for the number of threads it is always the
    /// same.
    ///
    /// # Panics
    /// When the inner dimensions differ, the batches do not broadcast, or an operand is a single number.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.matmul(&a), Tensor::from([[7.0, 10.0], [15.0, 22.0]]));
    /// assert_eq!(a.matmul(&a.t()), Tensor::from([[5.0, 11.0], [11.0, 25.0]]));
    /// assert_eq!(a.matmul(&Tensor::from([1.0, 1.0])), Tensor::from([3.0, 7.0]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn matmul(&self, other: &Tensor<F>) -> Tensor<F> {
        self.try_matmul(other).or_panic()
    }

    /// As [`matmul`](Self::matmul), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Inner`], [`ShapeError::Broadcast`] or [`ShapeError::Rank`].
    pub fn try_matmul(&self, other: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        if self.rank() > 1 && other.rank() > 1 {
            return Tensor::try_matmul_t(self, false, other, false);
        }
        let [a, b, y] = vector_product(self.shape(), other.shape())?;
        Tensor::try_matmul_t(&self.try_reshape(a)?, false, &other.try_reshape(b)?, false)?.try_reshape(y)
    }

    /// The product of two matrices, or batches of them, each transposed first if so said: `aT b` is
    /// `Tensor::matmul_t(&a, true, &b, false)`.
    ///
    /// Shapes: after transposing `[.., m, k] x [.., k, n] -> [.., m, n]`; leading axes broadcast.
    ///
    /// # Panics
    /// When the inner dimensions differ, the batches do not broadcast, or an operand has less than two axes.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::from([[1.0], [2.0]]), Tensor::from([[3.0], [4.0]]));
    /// assert_eq!(Tensor::matmul_t(&a, true, &b, false).to_vec(), [11.0]);
    /// assert_eq!(Tensor::matmul_t(&a, false, &b, true).to_vec(), [3.0, 4.0, 6.0, 8.0]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn matmul_t(a: &Tensor<F>, a_transposed: bool, b: &Tensor<F>, b_transposed: bool) -> Tensor<F> {
        Self::try_matmul_t(a, a_transposed, b, b_transposed).or_panic()
    }

    /// As [`matmul_t`](Self::matmul_t), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Inner`], [`ShapeError::Broadcast`] or [`ShapeError::Rank`].
    pub fn try_matmul_t(
        a: &Tensor<F>,
        a_transposed: bool,
        b: &Tensor<F>,
        b_transposed: bool,
    ) -> Result<Tensor<F>, ShapeError> {
        Product::with("matmul", (a, a_transposed), (b, b_transposed), |product| {
            Tensor::try_build("matmul", &product.shape, |c| product.run(Start::Nothing, c))
        })
    }

    /// As [`try_matmul_t`](Self::try_matmul_t), but zero times anything is zero, infinities and NaN included: how
    /// cotangents meet partials. An element without such a product has the bits of the plain one.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::from([[f64::INFINITY, 1.0]]), Tensor::from([[0.0, 1.0], [2.0, 3.0]]));
    /// assert!(a.matmul(&b).at([0, 0]).is_nan());
    /// assert_eq!(Tensor::try_matmul_zero_t(&a, false, &b, false).unwrap().to_vec(), [2.0, f64::INFINITY]);
    /// ```
    pub fn try_matmul_zero_t(
        a: &Tensor<F>,
        a_transposed: bool,
        b: &Tensor<F>,
        b_transposed: bool,
    ) -> Result<Tensor<F>, ShapeError> {
        Product::with("matmul", (a, a_transposed), (b, b_transposed), |product| {
            let mut kept = Ok(());
            let c = Tensor::try_build("matmul", &product.shape, |c| {
                product.run(Start::Nothing, c);
                kept = product.keep_zeros(c);
            })?;
            kept.map(|()| c)
        })
    }

    /// `self += a b`, with operands transposed first if so said: how the adjoint of a matrix accumulates.
    ///
    /// # Panics
    /// When the operands do not fit together, or the product has another shape than `self`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let mut sum = Tensor::eye(2);
    /// let a = Tensor::from([[1.0, 2.0]]);
    /// sum.add_matmul_t(&a, true, &a, false);
    /// assert_eq!(sum, Tensor::from([[2.0, 2.0], [2.0, 5.0]]));
    /// ```
    #[track_caller]
    pub fn add_matmul_t(&mut self, a: &Tensor<F>, a_transposed: bool, b: &Tensor<F>, b_transposed: bool) {
        self.try_add_matmul_t(a, a_transposed, b, b_transposed).or_panic();
    }

    /// As [`add_matmul_t`](Self::add_matmul_t), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] when the product has another shape than `self`, and what
    /// [`try_matmul_t`](Self::try_matmul_t) returns.
    pub fn try_add_matmul_t(
        &mut self,
        a: &Tensor<F>,
        a_transposed: bool,
        b: &Tensor<F>,
        b_transposed: bool,
    ) -> Result<(), ShapeError> {
        let op = "add_matmul";
        Product::with(op, (a, a_transposed), (b, b_transposed), |product| {
            if product.shape != *self.shape() {
                return Err(ShapeError::Unequal { op, lhs: self.shape().clone(), rhs: product.shape });
            }
            product.run(Start::Result, self.try_make_mut_for(op)?);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    /// `y[.., i, j] = sum_k a[.., i, k] b[.., k, j]`, an index at a time.
    fn reference(a: &Tensor<f64>, b: &Tensor<f64>) -> Tensor<f64> {
        let batch = |x: &Tensor<f64>| Shape::from(&x.shape()[..x.rank() - 2]);
        let batch = Shape::broadcast("matmul", &batch(a), &batch(b)).unwrap();
        let full = |x: &Tensor<f64>| {
            let shape: Shape = batch.iter().chain(&x.shape()[x.rank() - 2..]).copied().collect();
            x.broadcast_to(shape)
        };
        let (a, b) = (full(a), full(b));
        let shape: Shape = batch.iter().copied().chain([a.dim(-2), b.dim(-1)]).collect();
        Tensor::from_fn(shape, |index| {
            let (batch, ij) = index.split_at(index.len() - 2);
            let term = |k| a.at([batch, &[ij[0], k]].concat()) * b.at([batch, &[k, ij[1]]].concat());
            (0..a.dim(-1)).map(term).sum()
        })
    }

    /// Small integers, whose products and sums are exact.
    fn integers(shape: impl Into<Shape>, seed: u64) -> Tensor<f64> {
        Tensor::uniform(shape, -8.0, 8.0, &mut rng(seed)).map(f64::round)
    }

    #[test]
    fn batches_broadcast() {
        let shapes: &[(&[usize], &[usize])] = &[
            (&[3, 4], &[4, 5]),
            (&[2, 3, 4], &[4, 5]), // rows in one product
            (&[2, 7, 3, 4], &[4, 5]),
            (&[3, 4], &[2, 4, 5]),
            (&[2, 3, 4], &[2, 4, 5]),
            (&[6, 1, 3, 4], &[5, 4, 2]),
            (&[2, 1, 3, 4], &[1, 5, 4, 2]),
            (&[1, 3, 4], &[1, 4, 1]),
            (&[0, 3, 4], &[4, 5]),
            (&[2, 3, 0], &[2, 0, 5]), // a sum of nothing
            (&[2, 0], &[0, 3]),
            (&[2, 3, 4], &[1, 4, 0]),
            (&[0, 3, 4], &[0, 4, 0]),
        ];
        for (seed, &(a, b)) in shapes.iter().enumerate() {
            let (a, b) = (integers(a, seed as u64), integers(b, 100 + seed as u64));
            assert_eq!(a.matmul(&b), reference(&a, &b), "{} x {}", a.shape(), b.shape());
        }
    }

    #[test]
    fn operands_are_read_where_they_are() {
        let x = integers([4, 6, 5], 1);
        let y = integers([5, 6], 2);
        let operands: &[(Tensor<f64>, Tensor<f64>)] = &[
            (x.transpose(1, 2), y.t()), // transposed
            (x.permute([2, 1, 0]), integers([4, 3], 3)),
            (x.slice(1, 1..4), y.clone()),                                 // rows with gaps
            (x.slice(2, crate::Slice::from(..).step(2)), y.slice(0, 2..)), // columns with gaps
            (x.flip(0), y.clone()),                                        // a batch in reverse
            (x.flip(1), y.clone()),                                        // matrices upside down
            (x.flip(2), y.flip(0)),
            (x.index_axis(0, 2), y.clone()),
            (integers([6, 1], 4).broadcast_to([3, 6, 5]), y.clone()), // one number a row
        ];
        for (a, b) in operands {
            assert_eq!(a.matmul(b), reference(a, b), "{:?} x {:?}", a.strides(), b.strides());
        }
    }

    #[test]
    fn transposes_by_flag_equal_transposed_views() {
        let (a, b) = (integers([2, 4, 3], 1), integers([5, 4], 2));
        let expected = reference(&a.transpose(1, 2), &b.t());
        assert_eq!(Tensor::matmul_t(&a, true, &b, true), expected);
        assert_eq!(Tensor::matmul_t(&a.transpose(1, 2), false, &b.t(), false), expected);
        let mut sum = expected.clone();
        sum.add_matmul_t(&a, true, &b, true);
        assert_eq!(sum, expected * 2.0);
    }

    #[test]
    fn vectors_are_rows_and_columns() {
        let (a, x, y) = (integers([3, 4], 1), integers([4], 2), integers([3], 3));
        assert_eq!(a.matmul(&x), reference(&a, &x.unsqueeze(1)).reshape(3));
        assert_eq!(y.matmul(&a), reference(&y.unsqueeze(0), &a).reshape(4));
        assert_eq!(x.matmul(&x).item(), x.iter().map(|x| x * x).sum());
        assert_eq!(*integers([7, 3, 4], 4).matmul(&x).shape(), [7, 3]);
        assert_eq!(*y.matmul(&integers([7, 3, 4], 4)).shape(), [7, 4]);
    }

    #[test]
    fn mistakes_are_named() {
        let zeros = |shape: &[usize]| Tensor::<f32>::zeros(shape);
        let text = |a: &[usize], b: &[usize]| zeros(a).try_matmul(&zeros(b)).unwrap_err().to_string();
        assert_eq!(
            text(&[2, 3], &[2, 3]),
            "matmul: inner dimensions differ: lhs [2, 3] contracts 3 entries, rhs [2, 3] contracts 2; transpose one side?"
        );
        assert_eq!(
            text(&[2, 3], &[2]),
            "matmul: inner dimensions differ: lhs [2, 3] contracts 3 entries, rhs [2] contracts 2; transpose one side?"
        );
        assert_eq!(
            text(&[], &[2]),
            "matmul: operand of shape [] has 0 axes; expected one at least; a single number is multiplied with `*`"
        );
        assert_eq!(
            text(&[4, 2, 3], &[5, 3, 2]),
            "matmul: shapes [4, 2, 3] and [5, 3, 2] do not broadcast: axis 0 has 4 against 5 entries and neither is 1; reshape one side"
        );
        assert!(matches!(
            zeros(&[2, 2]).try_add_matmul_t(&zeros(&[2, 3]), false, &zeros(&[3, 3]), false),
            Err(ShapeError::Unequal { .. })
        ));
        assert!(matches!(
            Tensor::try_matmul_t(&zeros(&[2]), false, &zeros(&[2, 2]), false),
            Err(ShapeError::Rank { .. })
        ));
    }

    #[test]
    fn products_too_large_are_errors() {
        let column = Tensor::scalar(1.0_f32).broadcast_to([1 << 40, 1]);
        assert!(column.try_matmul(&column.t()).is_err());
    }
}
