//! A product with a weight on top of a bias.

use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::matmul::{Product, Start};
use crate::shape::Shape;
use crate::tensor::Tensor;

const OP: &str = "linear";

impl<F: FloatElement> Tensor<F> {
    /// `y = x wT + b` with `x` this tensor: the product begins with the bias instead of zeros, so nothing is added
    /// afterwards.
    ///
    /// Shapes: `x: [.., inputs]`, `weight: [outputs, inputs]`, `bias: [outputs]`, result `[.., outputs]`. A single item
    /// is a batch of one, `[1, inputs]`.
    ///
    /// # Panics
    /// With the text of the error that [`try_linear`](Self::try_linear) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (x, w, b) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, 4.0], [5.0, 6.0]]), Tensor::from([0.5, 0.25]));
    /// assert_eq!(x.linear(&w, &b), Tensor::from([[11.5, 17.25]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn linear(&self, weight: &Tensor<F>, bias: &Tensor<F>) -> Tensor<F> {
        self.try_linear(weight, bias).or_panic()
    }

    /// As [`linear`](Self::linear), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`] if `x` has less than two axes or `weight` is no matrix, [`ShapeError::Inner`] if their last
    /// axes differ, [`ShapeError::Unequal`] if `bias` is not `[outputs]`.
    pub fn try_linear(&self, weight: &Tensor<F>, bias: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        let rank = |x: &Tensor<F>, expected| ShapeError::Rank { op: OP, shape: x.shape().clone(), expected };
        let [.., _, k_lhs] = **self.shape() else { return Err(rank(self, "a matrix or a batch of matrices")) };
        let [outputs, k_rhs] = **weight.shape() else { return Err(rank(weight, "a matrix, [outputs, inputs]")) };
        if k_lhs != k_rhs {
            let (lhs, rhs) = (self.shape().clone(), weight.shape().clone());
            return Err(ShapeError::Inner { op: OP, lhs, rhs, k_lhs, k_rhs });
        }
        if **bias.shape() != [outputs] {
            return Err(ShapeError::Unequal { op: OP, lhs: Shape::from([outputs]), rhs: bias.shape().clone() });
        }
        let mut copy = None;
        let bias = bias.try_dense(OP, &mut copy)?;
        Product::with(OP, (self, false), (weight, true), |product| {
            product.shape.try_size(OP)?;
            Tensor::try_build(OP, &product.shape, |y| product.run(Start::Row(bias), y))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn normal<F: FloatElement>(shape: &[usize], seed: u64) -> Tensor<F> {
        Tensor::normal(shape.to_vec(), F::ZERO, F::ONE, &mut rng(seed))
    }

    #[test]
    fn it_is_the_product_and_then_the_sum() {
        for (x, outputs) in
            [(&[7, 5][..], 3), (&[2, 3, 4], 9), (&[1, 6], 2), (&[1, 1], 1), (&[70, 256], 300), (&[2, 2, 2, 3], 4)]
        {
            let inputs = x[x.len() - 1];
            let (x, w, b) = (normal::<f32>(x, 1), normal(&[outputs, inputs], 2), normal(&[outputs], 3));
            let expected = x.matmul(&w.t()) + &b;
            let y = x.linear(&w, &b);
            assert_eq!(y.shape(), expected.shape());
            // One rounding of the sum and one of the bias, in either order; a single row is summed onto the bias.
            let error = (&y - &expected).abs().max();
            assert!(
                error <= f32::EPSILON * 4.0 * (inputs as f32).sqrt() * expected.abs().max(),
                "{} {error}",
                x.shape()
            );
        }
    }

    #[test]
    fn up_to_256_inputs_of_many_rows_it_has_the_bits_of_the_product_and_the_sum() {
        let (x, w, b) = (normal::<f32>(&[64, 256], 1), normal(&[128, 256], 2), normal(&[128], 3));
        assert_eq!(x.linear(&w, &b), x.matmul(&w.t()) + &b);
    }

    #[test]
    fn views_are_read_where_they_are_and_threads_change_no_bit() {
        let (x, w, b) = (normal::<f64>(&[300, 1000], 1).t(), normal(&[300, 400], 2).t(), normal(&[800], 3));
        let b = b.slice(0, crate::Slice::from(..).step(2));
        let run = |threads| wengert_kernels::par::threads(threads, || x.linear(&w, &b));
        let one = run(1);
        assert_eq!(one, x.to_contiguous().linear(&w.to_contiguous(), &b.to_contiguous()));
        assert!([2, 3].into_iter().all(|threads| run(threads) == one));
    }

    #[test]
    fn a_batch_whose_matrices_do_not_follow_one_another_begins_with_the_bias_too() {
        let (x, w, b) = (normal::<f64>(&[5, 3, 4], 1), normal(&[6, 4], 2), normal(&[6], 3));
        let turned = x.transpose(0, 1);
        assert_eq!(turned.linear(&w, &b), turned.to_contiguous().linear(&w, &b));
    }

    #[test]
    fn nothing_in_nothing_out_and_no_inputs_leave_the_bias() {
        let b = Tensor::from([1.0, 2.0]);
        assert_eq!(Tensor::zeros([2, 0]).linear(&Tensor::zeros([2, 0]), &b), Tensor::from([[1.0, 2.0], [1.0, 2.0]]));
        assert!(Tensor::<f64>::zeros([0, 3]).linear(&Tensor::zeros([2, 3]), &b).is_empty());
        assert!(Tensor::<f64>::zeros([4, 3]).linear(&Tensor::zeros([0, 3]), &Tensor::zeros([0])).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let zeros = |shape: &[usize]| Tensor::<f32>::zeros(shape);
        let text =
            |x: &[usize], w: &[usize], b: &[usize]| zeros(x).try_linear(&zeros(w), &zeros(b)).unwrap_err().to_string();
        assert!(
            text(&[2, 3], &[4, 2], &[4]).starts_with("linear: inner dimensions differ: lhs [2, 3] contracts 3 entries")
        );
        assert!(text(&[2, 3], &[4, 3], &[3]).starts_with("linear: shapes [4] and [3] differ"));
        assert!(text(&[2, 3], &[4, 3], &[1, 4]).starts_with("linear: shapes [4] and [1, 4] differ"));
        assert!(text(&[3], &[4, 3], &[4]).contains("has 1 axes; expected a matrix or a batch of matrices"));
        assert!(text(&[2, 3], &[3], &[4]).contains("expected a matrix, [outputs, inputs]"));
    }
}
