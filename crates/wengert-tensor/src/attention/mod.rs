//! Scaled dot-product attention and its pullback, in memory that grows with the lengths and not with their product.

mod heads;
mod packed;

use heads::{Heads, Plan, pieces};
use wengert_kernels::matmul::MatMut;
use wengert_kernels::{Par, softmax as kernel};

use crate::axis::{Axes, Axis};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::lanes::Lanes;
use crate::shape::Shape;
use crate::tensor::Tensor;

const OP: &str = "scaled_dot_product_attention";

/// Which keys a query sees, and how much the products are scaled.
///
/// # Examples
/// ```
/// # use wengert_tensor::{Attention, Tensor};
/// let options = Attention::new().causal().scale(0.5);
/// assert!(options.causal && options.mask.is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attention {
    /// True where a query may look at a key; repeated to `[.., l, s]`.
    pub mask: Option<Tensor<bool>>,
    /// Whether query `i` sees the keys `0..=i` only.
    pub causal: bool,
    /// What products of queries and keys are multiplied with; `1/sqrt(d)` unless given.
    pub scale: Option<f64>,
}

impl Attention {
    /// Every query sees every key.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, v) = (Tensor::<f64>::zeros([2, 1]), Tensor::from([[10.0], [20.0]])); // all keys match alike
    /// assert_eq!(q.scaled_dot_product_attention(&q, &v, &Attention::new()).to_vec(), [15.0, 15.0]);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Attention::default()
    }

    /// Query `i` sees the keys `0..=i` only.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, v) = (Tensor::<f64>::zeros([2, 1]), Tensor::from([[10.0], [20.0]])); // all keys match alike
    /// assert_eq!(q.scaled_dot_product_attention(&q, &v, &Attention::new().causal()).to_vec(), [10.0, 15.0]);
    /// ```
    #[must_use]
    pub fn causal(self) -> Self {
        Attention { causal: true, ..self }
    }

    /// A query sees the keys for which the mask is true. Shapes: anything that repeats to `[.., l, s]`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, v) = (Tensor::<f64>::zeros([2, 1]), Tensor::from([[10.0], [20.0]])); // all keys match alike
    /// let last = Attention::new().mask(Tensor::from([false, true]));
    /// assert_eq!(q.scaled_dot_product_attention(&q, &v, &last).to_vec(), [20.0, 20.0]);
    /// ```
    #[must_use]
    pub fn mask(self, mask: impl Into<Tensor<bool>>) -> Self {
        Attention { mask: Some(mask.into()), ..self }
    }

    /// Products of queries and keys are multiplied with this instead of `1/sqrt(d)`.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, k, v) = (Tensor::from([[1.0]]), Tensor::from([[0.0], [3f64.ln()]]), Tensor::from([[0.0], [1.0]]));
    /// let y = |scale| q.scaled_dot_product_attention(&k, &v, &Attention::new().scale(scale)).item();
    /// assert!((y(1.0) - 0.75).abs() < 1e-15 && (y(0.0) - 0.5).abs() < 1e-15);
    /// ```
    #[must_use]
    pub fn scale(self, scale: f64) -> Self {
        Attention { scale: Some(scale), ..self }
    }

    /// The scale for queries of this shape.
    #[doc(hidden)]
    #[must_use]
    pub fn scale_for(&self, q: &Shape) -> f64 {
        self.scale.unwrap_or_else(|| 1.0 / (q.last().copied().unwrap_or(1) as f64).sqrt())
    }

    /// The whole mask, the causal one included, of `l` queries and `s` keys; none if every query sees every key.
    #[doc(hidden)]
    #[must_use]
    pub fn allowed(&self, l: usize, s: usize) -> Option<Tensor<bool>> {
        let causal = || Tensor::from_fn([l, s], |at| at[1] <= at[0]);
        match (&self.mask, self.causal) {
            (mask, false) => mask.clone(),
            (None, true) => Some(causal()),
            (Some(mask), true) => Some(mask.and(causal())),
        }
    }
}

/// A result `[heads, rows, columns]` as the matrices of its heads.
fn matrices<F>(x: &mut [F], heads: usize, [rows, columns]: [usize; 2]) -> Vec<MatMut<'_, F>> {
    pieces(x, heads, rows * columns).into_iter().map(|head| MatMut::row_major(head, [rows, columns])).collect()
}

impl<F: FloatElement> Tensor<F> {
    /// `softmax(scale q kT) v` for each head, with `q` this tensor: every query's mean of the values, weighted by how
    /// well their keys match it.
    ///
    /// Shapes: `q: [.., l, d]`, `k: [.., s, d]`, `v: [.., s, dv]` with equal leading axes, result `[.., l, dv]`. A
    /// query that may look at no key gets 0. Memory beside the result grows with `s`, not with `l s`.
    ///
    /// Source: A. Vaswani et al., "Attention is all you need", 2017, section 3.2.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_scaled_dot_product_attention`](Self::try_scaled_dot_product_attention)
    /// returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, k) = (Tensor::from([[0.0], [0.0]]), Tensor::from([[1.0], [2.0]]));
    /// let v = Tensor::from([[10.0, 0.0], [20.0, 1.0]]);
    /// let y = q.scaled_dot_product_attention(&k, &v, &Attention::new().causal());
    /// assert_eq!(y, Tensor::from([[10.0, 0.0], [15.0, 0.5]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn scaled_dot_product_attention(&self, k: &Tensor<F>, v: &Tensor<F>, options: &Attention) -> Tensor<F> {
        self.try_scaled_dot_product_attention(k, v, options).or_panic().0
    }

    /// As [`scaled_dot_product_attention`](Self::scaled_dot_product_attention), with an error instead of a panic.
    /// Returns the result and the residual of the pullback: `[heads, l, 2]`, for each query the largest product and the
    /// sum of exponentials relative to it.
    ///
    /// # Errors
    /// [`ShapeError::Attention`] if the shapes do not go together, [`ShapeError::BroadcastTo`] if the mask does not
    /// repeat to `[.., l, s]`.
    pub fn try_scaled_dot_product_attention(
        &self,
        k: &Tensor<F>,
        v: &Tensor<F>,
        options: &Attention,
    ) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let plan = Plan::new::<F>(OP, [self.shape(), k.shape(), v.shape()], options)?;
        let Plan { heads, l, dv, .. } = plan;
        let [q, k, v] = [Heads::new(OP, self)?, Heads::new(OP, k)?, Heads::new(OP, v)?];
        let mut y = Tensor::try_scratch_for(OP, self.shape().clone().with(self.rank() - 1, dv))?;
        let mut stats = Tensor::try_scratch_for(OP, Shape::from([heads, l, 2]))?;
        plan.attend([&q, &k, &v], matrices(y.fresh_mut(), heads, [l, dv]), stats.fresh_mut())?;
        Ok((y, stats))
    }

    /// The pullback of [`scaled_dot_product_attention`](Self::scaled_dot_product_attention) for all three operands,
    /// with the weights computed again, block by block. A query whose cotangents are all 0 gets and gives nothing.
    ///
    /// # Errors
    /// As [`try_scaled_dot_product_attention`](Self::try_scaled_dot_product_attention), and [`ShapeError::Unequal`] if
    /// `y_bar` has another shape than the result.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, v) = (Tensor::<f64>::zeros([2, 1]), Tensor::from([[10.0], [20.0]]));
    /// let options = Attention::new().causal();
    /// let (y, stats) = q.try_scaled_dot_product_attention(&q, &v, &options)?;
    /// let [_, _, v_bar] = q.scaled_dot_product_attention_vjp(&q, &v, &options, &stats, &Tensor::ones(y.shape()))?;
    /// assert_eq!(v_bar.to_vec(), [1.5, 0.5]); // both queries see the first value, the second query half of each
    /// # Ok::<(), wengert_tensor::ShapeError>(())
    /// ```
    pub fn scaled_dot_product_attention_vjp(
        &self,
        k: &Tensor<F>,
        v: &Tensor<F>,
        options: &Attention,
        stats: &Tensor<F>,
        y_bar: &Tensor<F>,
    ) -> Result<[Tensor<F>; 3], ShapeError> {
        let plan = Plan::new::<F>(OP, [self.shape(), k.shape(), v.shape()], options)?;
        let Plan { heads, l, s, d, dv, .. } = plan;
        let y_shape = self.shape().clone().with(self.rank() - 1, dv);
        if *y_bar.shape() != y_shape {
            return Err(ShapeError::Unequal { op: OP, lhs: y_shape, rhs: y_bar.shape().clone() });
        }
        let mut bars = (
            Tensor::try_scratch_for(OP, self.shape().clone())?,
            Tensor::try_scratch_for(OP, k.shape().clone())?,
            Tensor::try_scratch_for(OP, v.shape().clone())?,
        );
        let [q, k, v] = [Heads::new(OP, self)?, Heads::new(OP, k)?, Heads::new(OP, v)?];
        let mut copy = None;
        let stats = stats.try_dense(OP, &mut copy)?;
        let parts = matrices(bars.0.fresh_mut(), heads, [l, d])
            .into_iter()
            .zip(matrices(bars.1.fresh_mut(), heads, [s, d]))
            .zip(matrices(bars.2.fresh_mut(), heads, [s, dv]))
            .map(|((q_bar, k_bar), v_bar)| [q_bar, k_bar, v_bar]);
        plan.pull([&q, &k, &v], stats, &Heads::new(OP, y_bar)?, parts.collect())?;
        Ok([bars.0, bars.1, bars.2])
    }

    /// `exp(x) / sum exp(x)` along `axis` over the elements for which `mask` is true; 0 for the others, and for all of
    /// a lane of which no element counts.
    ///
    /// What is hidden does not matter, NaN included. Shapes: `mask` repeats to the shape of `x`.
    ///
    /// # Panics
    /// When the axis does not exist or the mask does not repeat to the shape.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 1.0, f64::NAN], [0.0, 0.0, 0.0]]);
    /// let mask = Tensor::from([[true, true, false], [false, false, false]]);
    /// assert_eq!(x.masked_softmax(&mask, -1), Tensor::from([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn masked_softmax(&self, mask: &Tensor<bool>, axis: impl Into<Axis>) -> Tensor<F> {
        self.try_masked_softmax(Some(mask), axis).or_panic()
    }

    /// As [`masked_softmax`](Self::masked_softmax), with an error instead of a panic. Without a mask everything counts,
    /// and a lane of `-inf` becomes 0.
    ///
    /// # Errors
    /// [`ShapeError::Axis`], [`ShapeError::BroadcastTo`].
    pub fn try_masked_softmax(
        &self,
        mask: Option<&Tensor<bool>>,
        axis: impl Into<Axis>,
    ) -> Result<Tensor<F>, ShapeError> {
        let op = "masked_softmax";
        let lanes = Lanes::new(op, self.shape(), &Axes::from(axis.into()))?;
        let x = lanes.bring(op, self)?;
        let mask = match mask {
            Some(mask) => {
                let fits = |_| ShapeError::BroadcastTo { op, from: mask.shape().clone(), to: self.shape().clone() };
                Some(lanes.bring(op, &mask.try_broadcast_to(self.shape()).map_err(fits)?)?)
            }
            None => None,
        };
        let allowed = mask.as_ref().and_then(Tensor::as_slice).unwrap_or_default();
        let y = Tensor::try_build(op, x.shape(), |y| {
            if !y.is_empty() {
                y.copy_from_slice(x.as_slice().unwrap_or_default());
                let mut stats = vec![F::ZERO; y.len() / lanes.len * 2];
                kernel::masked_softmax(y, lanes.len, allowed, &mut stats, Par::current());
            }
        })?;
        lanes.take_back(op, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn normal(shape: &[usize], seed: u64) -> Tensor<f64> {
        Tensor::normal(shape.to_vec(), 0.0, 1.0, &mut rng(seed))
    }

    /// The definition, with all weights at once.
    fn defined(q: &Tensor<f64>, k: &Tensor<f64>, v: &Tensor<f64>, options: &Attention) -> Tensor<f64> {
        let products = q.matmul(&k.transpose(-1, -2)) * options.scale_for(q.shape());
        let (l, s) = (q.dim(-2), k.dim(-2));
        let hidden = options.allowed(l, s).unwrap_or_else(|| Tensor::from_fn([l, s], |_| true)).not();
        let e = (&products - products.max()).exp();
        let e = hidden.select(0.0, e);
        let sums = e.sum_axes(crate::keep(-1));
        let weights = sums.equal(0.0).select(0.0, e / sums.equal(0.0).select(1.0, &sums));
        weights.matmul(v)
    }

    #[test]
    fn blocks_of_queries_agree_with_the_definition() {
        for (l, s) in [(1, 1), (5, 3), (64, 64), (65, 130), (150, 70)] {
            let (q, k, v) = (normal(&[2, 3, l, 4], 1), normal(&[2, 3, s, 4], 2), normal(&[2, 3, s, 5], 3));
            let mask = Tensor::from_fn([3, 1, s], |at| (at[0] + at[2]) % 3 != 0 || s == 1);
            for options in [
                Attention::new(),
                Attention::new().causal(),
                Attention::new().mask(&mask).scale(0.3),
                Attention::new().mask(&mask).causal(),
            ] {
                let y = q.scaled_dot_product_attention(&k, &v, &options);
                let error = (y - defined(&q, &k, &v, &options)).abs().max();
                assert!(error < 1e-14, "{l} {s} {options:?}: {error}");
            }
        }
    }

    #[test]
    fn the_pullback_agrees_with_differences() {
        let (q, k, v) = (normal(&[2, 70, 3], 1), normal(&[2, 66, 3], 2), normal(&[2, 66, 2], 3));
        let (h, moved) = (1e-5, [normal(&[2, 70, 3], 4), normal(&[2, 66, 3], 5), normal(&[2, 66, 2], 6)]);
        let y_bar = normal(&[2, 70, 2], 7);
        for options in [Attention::new(), Attention::new().causal().scale(0.4)] {
            let at = |t: f64| {
                let moved = |x: &Tensor<f64>, k: usize| x + &moved[k] * t;
                moved(&q, 0).scaled_dot_product_attention(&moved(&k, 1), &moved(&v, 2), &options).dot(&y_bar)
            };
            let (_, stats) = q.try_scaled_dot_product_attention(&k, &v, &options).unwrap();
            let bars = q.scaled_dot_product_attention_vjp(&k, &v, &options, &stats, &y_bar).unwrap();
            let slope: f64 = bars.iter().zip(&moved).map(|(bar, moved)| bar.dot(moved)).sum();
            assert!((slope - (at(h) - at(-h)) / (2.0 * h)).abs() < 1e-7);
        }
    }

    #[test]
    fn a_query_that_sees_nothing_gets_nothing_and_gives_nothing() {
        let (q, k, v) = (normal(&[3, 2], 1), normal(&[4, 2], 2), normal(&[4, 2], 3));
        let options = Attention::new().mask(Tensor::from([[true], [false], [true]]));
        let (y, stats) = q.try_scaled_dot_product_attention(&k, &v, &options).unwrap();
        assert_eq!(y.index_axis(0, 1).to_vec(), [0.0, 0.0]);
        let y_bar = Tensor::from([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]]);
        for bar in q.scaled_dot_product_attention_vjp(&k, &v, &options, &stats, &y_bar).unwrap() {
            assert!(bar.iter().all(|bar| bar == 0.0));
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let (q, k, v) = (normal(&[3, 200, 16], 1), normal(&[3, 200, 16], 2), normal(&[3, 200, 16], 3));
        let options = Attention::new().causal();
        let run = |threads| {
            wengert_kernels::par::threads(threads, || {
                let (y, stats) = q.try_scaled_dot_product_attention(&k, &v, &options).unwrap();
                let bars = q.scaled_dot_product_attention_vjp(&k, &v, &options, &stats, &y).unwrap();
                (y, bars)
            })
        };
        let one = run(1);
        for threads in [2, 4] {
            assert!(run(threads) == one, "{threads} threads");
        }
    }

    #[test]
    fn no_queries_no_keys_and_empty_values_are_fine() {
        let options = Attention::new().causal();
        for (l, s, d, dv) in [(0, 3, 2, 2), (3, 0, 2, 2), (3, 3, 0, 2), (3, 3, 2, 0)] {
            let (q, k, v) = (normal(&[2, l, d], 1), normal(&[2, s, d], 2), normal(&[2, s, dv], 3));
            let (y, stats) = q.try_scaled_dot_product_attention(&k, &v, &options).unwrap();
            assert_eq!(*y.shape(), [2, l, dv]);
            assert!(s > 0 || y.iter().all(|y| y == 0.0));
            q.scaled_dot_product_attention_vjp(&k, &v, &options, &stats, &y).unwrap();
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |q: &[usize], k: &[usize], v: &[usize], options: &Attention| {
            normal(q, 1)
                .try_scaled_dot_product_attention(&normal(k, 2), &normal(v, 3), options)
                .unwrap_err()
                .to_string()
        };
        let plain = Attention::new();
        assert_eq!(
            text(&[2, 5, 3], &[2, 4, 2], &[2, 4, 3], &plain),
            "scaled_dot_product_attention: q [2, 5, 3], k [2, 4, 2] and v [2, 4, 3] do not go together; they are [.., l, d], [.., s, d] and [.., s, dv] with the same leading axes"
        );
        for (q, k, v) in [([2, 5, 3], [1, 4, 3], [2, 4, 3]), ([2, 5, 3], [2, 4, 3], [2, 5, 3])] {
            assert!(text(&q, &k, &v, &plain).contains("do not go together"));
        }
        assert!(text(&[3], &[3], &[3], &plain).contains("q [3], k [3]"));
        let mask = Attention::new().mask(Tensor::from([true, false]));
        assert!(text(&[5, 3], &[4, 3], &[4, 3], &mask).contains("shape [2] does not broadcast to [5, 4]"));
        let error = normal(&[2, 3], 1).try_masked_softmax(Some(&Tensor::from([true, false])), -1).unwrap_err();
        assert!(error.to_string().starts_with("masked_softmax: shape [2] does not broadcast to [2, 3]"), "{error}");
    }
}
