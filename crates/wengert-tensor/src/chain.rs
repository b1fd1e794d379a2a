//! A chain of elementary functions over tensors, in one pass.

use crate::element::FloatElement;
use crate::error::ShapeError;
use crate::shape::Shape;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use wengert_kernels::Par;
use wengert_kernels::elementwise::chain::{Chain, Input};

impl<F: FloatElement> Tensor<F> {
    /// Runs `chain` over `inputs` and returns its outputs, each of `shape`, and then its sums, of shape `[]`. For
    /// programs that were planned: users write [`zip_map`](Tensor::zip_map).
    ///
    /// An input has `shape`, or neighbouring axes of it and otherwise ones ([`Shape::repeats_in`]), and is repeated to
    /// `shape`.
    ///
    /// # Errors
    /// [`ShapeError::Unequal`] if an input has another shape than that, [`ShapeError::Memory`].
    ///
    /// # Panics
    /// When the chain has another number of inputs.
    ///
    /// # Examples
    /// ```
    /// use wengert_kernels::elementwise::chain::{Chain, Step};
    /// use wengert_kernels::{Binary, Unary};
    /// use wengert_tensor::Tensor;
    ///
    /// let steps = [(Step::Binary(Binary::Add), &[0, 1][..]), (Step::Unary(Unary::Square), &[2])];
    /// let (x, bias) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([10.0, 20.0]));
    /// let y = Tensor::try_chain(&Chain::new(2, steps, &[3]), &[&x, &bias], x.shape())?;
    /// assert_eq!(y[0].to_vec(), [121.0, 484.0, 169.0, 576.0]);
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn try_chain(
        chain: &Chain,
        inputs: &[&Tensor<F>],
        shape: &Shape,
    ) -> Result<SmallVec<[Tensor<F>; 4]>, ShapeError> {
        const OP: &str = "chain";
        let mut operands: SmallVec<[Input<'_, F>; 8]> = SmallVec::new();
        for input in inputs {
            let Some(elements) = input.as_slice() else {
                let copies = inputs.iter().map(|input| input.try_to_contiguous(OP)).collect::<Result<Vec<_>, _>>()?;
                return Self::try_chain(chain, &copies.iter().collect::<Vec<_>>(), shape);
            };
            operands.push(match elements {
                _ if input.shape() == shape => Input::Slice(elements),
                &[element] => Input::Splat(element),
                _ if shape.ends_with(input.shape()) => Input::Row(elements),
                _ => match input.shape().repeats_in(shape) {
                    Some(1) => Input::Row(elements),
                    Some(each) => Input::Columns(elements, each),
                    None => {
                        let (lhs, rhs) = (input.shape().clone(), shape.clone());
                        return Err(ShapeError::Unequal { op: OP, lhs, rhs });
                    }
                },
            });
        }
        let [outputs, sums] = chain.results();
        let mut results: SmallVec<[Tensor<F>; 4]> = SmallVec::new();
        for _ in 0..outputs {
            results.push(Tensor::try_scratch_for(OP, shape.clone())?);
        }
        let mut slices: SmallVec<[&mut [F]; 4]> = SmallVec::new();
        results.iter_mut().for_each(|y| slices.push(y.fresh_mut()));
        let mut totals: SmallVec<[F; 2]> = SmallVec::from_elem(F::from_index(0), sums);
        chain.run(shape.size(), &operands, &mut slices, &mut totals, Par::current());
        drop(slices);
        totals.iter().for_each(|&total| results.push(Tensor::scalar(total)));
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_kernels::elementwise::chain::Step;
    use wengert_kernels::{Binary, Unary};

    #[test]
    fn inputs_are_repeated_and_views_are_read_in_their_order() {
        let steps = [
            (Step::Binary(Binary::Mul), &[0, 1][..]),
            (Step::Binary(Binary::Add), &[3, 2]),
            (Step::Unary(Unary::Neg), &[4]),
        ];
        let chain = Chain::new(3, steps, &[5, 3]);
        let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).t();
        let (row, one) = (Tensor::from([10.0, 100.0]), Tensor::from([[0.5]]));
        let results = Tensor::try_chain(&chain, &[&x, &row, &one], x.shape()).unwrap();
        let (y, product) = (&results[0], &results[1]);
        assert_eq!(product.to_vec(), [10.0, 400.0, 20.0, 500.0, 30.0, 600.0]);
        assert_eq!(y.to_vec(), [-10.5, -400.5, -20.5, -500.5, -30.5, -600.5]);
        let error = Tensor::try_chain(&chain, &[&x, &x, &Tensor::from([1.0, 2.0, 3.0])], x.shape()).unwrap_err();
        assert!(error.to_string().contains("chain"), "{error}");
        let (column, block) = (Tensor::from([[10.0], [100.0], [1000.0]]), Tensor::from([[[1.0], [2.0]]]));
        let y = &Tensor::try_chain(&chain, &[&x, &column, &one], x.shape()).unwrap()[0];
        assert_eq!(y.to_vec(), [-10.5, -40.5, -200.5, -500.5, -3000.5, -6000.5]);
        let x = Tensor::from_fn([2, 2, 2], |at| (4 * at[0] + 2 * at[1] + at[2]) as f64);
        let y = &Tensor::try_chain(&chain, &[&x, &block, &one], x.shape()).unwrap()[1];
        assert_eq!(y.to_vec(), [0.0, 1.0, 4.0, 6.0, 4.0, 5.0, 12.0, 14.0]);
        let nothing = Tensor::zeros([0, 2]);
        assert_eq!(Tensor::try_chain(&chain, &[&nothing, &row, &one], nothing.shape()).unwrap()[0].len(), 0);
    }
}
