//! Attention of places to one another, from queries, keys and values that lie side by side as one product made them.

use wengert_kernels::matmul::MatMut;

use super::Attention;
use super::heads::{Heads, Plan, pieces};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

const OP: &str = "self_attention";

/// The operand's sizes: places, heads and the entries of a head's query, key or value.
struct Packed {
    lead: usize,
    l: usize,
    heads: usize,
    d: usize,
}

impl Packed {
    fn new(shape: &Shape, heads: usize) -> Result<Packed, ShapeError> {
        match **shape {
            [ref lead @ .., l, width] if heads > 0 && width.is_multiple_of(3) && (width / 3).is_multiple_of(heads) => {
                Ok(Packed { lead: lead.iter().product(), l, heads, d: width / 3 / heads })
            }
            _ => Err(ShapeError::PackedHeads { op: OP, shape: shape.clone(), heads }),
        }
    }

    fn features(&self) -> usize {
        self.heads * self.d
    }

    /// An array `[lead, l, count * heads * d]` as the matrices of its heads: of each entry of the leading axes, `count`
    /// matrices for each of its heads.
    fn matrices<'a, F>(&self, x: &'a mut [F], count: usize) -> Vec<MatMut<'a, F>> {
        let width = count * self.features();
        let items = pieces(x, self.lead, self.l * width).into_iter();
        items.flat_map(|item| MatMut::row_major(item, [self.l, width]).into_columns(count * self.heads)).collect()
    }
}

impl<F: FloatElement> Tensor<F> {
    /// [`scaled_dot_product_attention`](Self::scaled_dot_product_attention) of the places of a sequence to one another,
    /// in several heads, from queries, keys and values side by side in one tensor, as one product with all three
    /// projections gives them.
    ///
    /// Shapes: `[.., l, 3 features]`, with the queries of all heads first, then their keys, then their values, each
    /// `features / heads` wide; result `[.., l, features]`, the heads side by side. A mask repeats to
    /// `[.., heads, l, l]`. Nothing is copied into another order on the way. Memory beside the result grows with `l`,
    /// not with its square.
    ///
    /// Source: A. Vaswani et al., "Attention is all you need", 2017, section 3.2.2.
    ///
    /// # Panics
    /// With the text of the error that [`try_self_attention`](Self::try_self_attention) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// // Two places; queries and keys of one head are 0, so a place sees itself and those before it alike.
    /// let x = Tensor::from([[0.0, 0.0, 10.0], [0.0, 0.0, 20.0]]);
    /// assert_eq!(x.self_attention(1, &Attention::new().causal()), Tensor::from([[10.0], [15.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn self_attention(&self, heads: usize, options: &Attention) -> Tensor<F> {
        self.try_self_attention(heads, options).or_panic().0
    }

    /// As [`self_attention`](Self::self_attention), with an error instead of a panic. Returns the result and the
    /// residual of the pullback: `[.. * heads, l, 2]`, for each query the largest product and the sum of exponentials
    /// relative to it.
    ///
    /// # Errors
    /// [`ShapeError::PackedHeads`] if there are not three times as many features as the heads can share,
    /// [`ShapeError::BroadcastTo`] if the mask does not repeat to `[.., heads, l, l]`.
    pub fn try_self_attention(&self, heads: usize, options: &Attention) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let packed = Packed::new(self.shape(), heads)?;
        let [q, k, v] = self.heads_apart(&packed)?;
        let plan = Plan::new::<F>(OP, [q.shape(), k.shape(), v.shape()], options)?;
        let mut y = Tensor::try_scratch_for(OP, self.shape().clone().with(self.rank() - 1, packed.features()))?;
        let mut stats = Tensor::try_scratch_for(OP, Shape::from([plan.heads, plan.l, 2]))?;
        let [q, k, v] = [Heads::new(OP, &q)?, Heads::new(OP, &k)?, Heads::new(OP, &v)?];
        plan.attend([&q, &k, &v], packed.matrices(y.fresh_mut(), 1), stats.fresh_mut())?;
        Ok((y, stats))
    }

    /// The pullback of [`self_attention`](Self::self_attention), with the weights computed again, block by block.
    ///
    /// # Errors
    /// As [`try_self_attention`](Self::try_self_attention), and [`ShapeError::Unequal`] if `y_bar` has another shape
    /// than the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let x = Tensor::from([[0.0, 0.0, 10.0], [0.0, 0.0, 20.0]]);
    /// let options = Attention::new().causal();
    /// let (y, stats) = x.try_self_attention(1, &options)?;
    /// let x_bar = x.self_attention_vjp(1, &options, &stats, &Tensor::ones(y.shape()))?;
    /// assert_eq!(x_bar, Tensor::from([[0.0, 0.0, 1.5], [0.0, 0.0, 0.5]]));
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn self_attention_vjp(
        &self,
        heads: usize,
        options: &Attention,
        stats: &Tensor<F>,
        y_bar: &Tensor<F>,
    ) -> Result<Tensor<F>, ShapeError> {
        let packed = Packed::new(self.shape(), heads)?;
        let y_shape = self.shape().clone().with(self.rank() - 1, packed.features());
        if *y_bar.shape() != y_shape {
            return Err(ShapeError::Unequal { op: OP, lhs: y_shape, rhs: y_bar.shape().clone() });
        }
        let [q, k, v] = self.heads_apart(&packed)?;
        let plan = Plan::new::<F>(OP, [q.shape(), k.shape(), v.shape()], options)?;
        let [q, k, v] = [Heads::new(OP, &q)?, Heads::new(OP, &k)?, Heads::new(OP, &v)?];
        let y_bar = Heads::new(OP, &y_bar.side_by_side(0, packed.heads, packed.d)?)?;
        let mut copy = None;
        let stats = stats.try_dense(OP, &mut copy)?;
        let mut x_bar = Tensor::try_scratch_for(OP, self.shape().clone())?;
        // The matrices of an entry are those of the queries of all heads, of their keys, of their values.
        let mut parts = packed.matrices(x_bar.fresh_mut(), 3).into_iter();
        let mut bars = Vec::with_capacity(plan.heads);
        for _ in 0..packed.lead {
            let [q, k, v] = [(); 3].map(|()| parts.by_ref().take(heads).collect::<Vec<_>>());
            bars.extend(q.into_iter().zip(k).zip(v).map(|((q, k), v)| [q, k, v]));
        }
        plan.pull([&q, &k, &v], stats, &y_bar, bars)?;
        Ok(x_bar)
    }

    /// Queries, keys and values as views `[.., heads, l, d]`.
    fn heads_apart(&self, packed: &Packed) -> Result<[Tensor<F>; 3], ShapeError> {
        let part = |k| self.side_by_side(k * packed.features(), packed.heads, packed.d);
        Ok([part(0)?, part(1)?, part(2)?])
    }

    /// The columns from `first` on as `[.., heads, l, d]`.
    fn side_by_side(&self, first: usize, heads: usize, d: usize) -> Result<Tensor<F>, ShapeError> {
        let columns = self.try_slice(-1, first as isize..(first + heads * d) as isize)?;
        let mut shape = columns.shape().to_vec();
        let lead = shape.len() - 2;
        shape.splice(lead + 1.., [heads, d]);
        columns.try_reshape(shape)?.try_transpose(lead, lead + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn normal(shape: &[usize], seed: u64) -> Tensor<f64> {
        Tensor::normal(shape.to_vec(), 0.0, 1.0, &mut rng(seed))
    }

    /// The options that differ in what they do, for `heads` and `l` places.
    fn options(heads: usize, l: usize) -> [Attention; 4] {
        let mask = Tensor::from_fn([heads, l, l], |at| (at[0] + at[1] + 2 * at[2]) % 3 != 0);
        [
            Attention::new(),
            Attention::new().causal().scale(0.4),
            Attention::new().mask(&mask),
            Attention::new().mask(mask).causal(),
        ]
    }

    /// Copies of queries, keys and values, each head in memory of its own.
    fn copies(x: &Tensor<f64>, heads: usize) -> [Tensor<f64>; 3] {
        let features = x.dim(-1) / 3;
        [0, 1, 2].map(|k| {
            let part = |h: usize| {
                let first = (k * features + h * features / heads) as isize;
                x.slice(-1, first..first + (features / heads) as isize)
            };
            Tensor::stack(&(0..heads).map(part).collect::<Vec<_>>().iter().collect::<Vec<_>>(), -3)
        })
    }

    /// Heads side by side again.
    fn together(x: &Tensor<f64>) -> Tensor<f64> {
        let heads: Vec<_> = (0..x.dim(-3)).map(|h| x.index_axis(-3, h as isize)).collect();
        Tensor::concat(&heads.iter().collect::<Vec<_>>(), -1)
    }

    #[test]
    fn it_is_attention_of_the_parts_bit_for_bit_and_so_is_its_pullback() {
        for (shape, heads) in [(&[2, 70, 24][..], 2), (&[3, 5, 12], 4), (&[130, 18], 3), (&[2, 2, 64, 48], 2)] {
            let x = normal(shape, 1);
            let l = shape[shape.len() - 2];
            let y_bar = normal(&[&shape[..shape.len() - 1], &[shape[shape.len() - 1] / 3]].concat(), 2);
            for options in options(heads, l) {
                let [q, k, v] = copies(&x, heads);
                let (expected, expected_stats) = q.try_scaled_dot_product_attention(&k, &v, &options).unwrap();
                let (y, stats) = x.try_self_attention(heads, &options).unwrap();
                // A head one entry wide is a column, and products with columns have loops of their own.
                let width = x.dim(-1) / 3 / heads;
                let equal = |a: &Tensor<f64>, b: &Tensor<f64>, what: &str| match width {
                    1 => assert!(
                        a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() < 1e-14),
                        "{what} of {shape:?}, {options:?}"
                    ),
                    _ => assert!(a == b, "{what} of {shape:?}, {options:?}: off by {}", (a - b).abs().max()),
                };
                equal(&y, &together(&expected), "value");
                equal(&stats, &expected_stats, "statistics");
                let parts = Tensor::concat(&[&y_bar, &y_bar, &y_bar], -1);
                let apart = &copies(&parts, heads)[0];
                let bars = q.scaled_dot_product_attention_vjp(&k, &v, &options, &expected_stats, apart).unwrap();
                let bars: Vec<_> = bars.iter().map(together).collect();
                let x_bar = x.self_attention_vjp(heads, &options, &stats, &y_bar).unwrap();
                equal(&x_bar, &Tensor::concat(&bars.iter().collect::<Vec<_>>(), -1), "cotangent");
            }
        }
    }

    #[test]
    fn the_pullback_agrees_with_differences() {
        let (x, moved, y_bar) = (normal(&[2, 70, 18], 1), normal(&[2, 70, 18], 2), normal(&[2, 70, 6], 3));
        let h = 1e-5;
        for options in options(3, 70) {
            let at = |t: f64| (&x + &moved * t).self_attention(3, &options).dot(&y_bar);
            let (_, stats) = x.try_self_attention(3, &options).unwrap();
            let slope = x.self_attention_vjp(3, &options, &stats, &y_bar).unwrap().dot(&moved);
            assert!((slope - (at(h) - at(-h)) / (2.0 * h)).abs() < 1e-7, "{options:?}");
        }
    }

    #[test]
    fn operands_that_are_views_are_read_as_they_are() {
        let options = Attention::new().causal();
        let x = normal(&[4, 12, 7], 1).transpose(1, 2);
        let (y, stats) = x.try_self_attention(2, &options).unwrap();
        let dense = x.to_contiguous();
        assert_eq!(y, dense.self_attention(2, &options));
        let y_bar = normal(&[1, 1, 4], 2).broadcast_to([4, 7, 4]);
        let x_bar = x.self_attention_vjp(2, &options, &stats, &y_bar).unwrap();
        assert_eq!(x_bar, dense.self_attention_vjp(2, &options, &stats, &y_bar.to_contiguous()).unwrap());
        let backwards = dense.slice(-1, crate::Slice::from(..).step(-1));
        assert_eq!(backwards.self_attention(2, &options), backwards.to_contiguous().self_attention(2, &options));
    }

    #[test]
    fn threads_change_no_bit() {
        fn same<F: FloatElement>(shape: [usize; 3], heads: usize) {
            let x = Tensor::<F>::normal(shape, F::ZERO, F::ONE, &mut rng(1));
            let options = Attention::new().causal();
            let run = |threads| {
                wengert_kernels::par::threads(threads, || {
                    let (y, stats) = x.try_self_attention(heads, &options).unwrap();
                    (x.self_attention_vjp(heads, &options, &stats, &y).unwrap(), y)
                })
            };
            let one = run(1);
            for threads in [2, 3, 8] {
                assert!(run(threads) == one, "{threads} threads, {shape:?}");
            }
        }
        // Heads beside one another, and one head with all threads.
        same::<f32>([3, 200, 96], 2);
        same::<f64>([3, 200, 96], 2);
        same::<f32>([1, 600, 192], 1);
    }

    #[test]
    fn a_place_that_sees_nothing_gets_and_gives_nothing() {
        let x = normal(&[3, 12], 1);
        let options = Attention::new().mask(Tensor::from([[true], [false], [true]]));
        let (y, stats) = x.try_self_attention(2, &options).unwrap();
        assert!(y.index_axis(0, 1).iter().all(|y| y == 0.0));
        let y_bar = Tensor::from([[0.0; 4], [1.0; 4], [0.0; 4]]);
        assert!(x.self_attention_vjp(2, &options, &stats, &y_bar).unwrap().iter().all(|x_bar| x_bar == 0.0));
    }

    #[test]
    fn no_places_no_entries_and_no_features_are_fine() {
        for shape in [&[2, 0, 12][..], &[0, 3, 12], &[2, 3, 0], &[0, 0]] {
            let x = normal(shape, 1);
            let (y, stats) = x.try_self_attention(2, &Attention::new().causal()).unwrap();
            assert!(y.is_empty());
            let x_bar = x.self_attention_vjp(2, &Attention::new().causal(), &stats, &y).unwrap();
            assert_eq!(x_bar.shape(), x.shape());
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |shape: &[usize], heads, options: &Attention| {
            normal(shape, 1).try_self_attention(heads, options).unwrap_err().to_string()
        };
        let plain = Attention::new();
        assert_eq!(
            text(&[5, 18], 4, &plain),
            "self_attention: shape [5, 18] does not hold queries, keys and values of 4 heads side by side; it is [.., l, 3 * heads * d]"
        );
        for (shape, heads) in [(&[5, 16][..], 2), (&[5, 18], 0), (&[18], 3), (&[], 1)] {
            assert!(text(shape, heads, &plain).contains("side by side"), "{shape:?}");
        }
        let mask = Attention::new().mask(Tensor::from([true, false]));
        assert!(text(&[5, 18], 3, &mask).starts_with("self_attention: shape [2] does not broadcast to [3, 5, 5]"));
        let x = normal(&[5, 18], 1);
        let (y, stats) = x.try_self_attention(3, &plain).unwrap();
        let error = x.self_attention_vjp(3, &plain, &stats, &y.t()).unwrap_err();
        assert!(matches!(error, ShapeError::Unequal { op: OP, .. }));
    }
}
