//! Scaled dot-product attention and its pullback, in memory that grows with the lengths and not with their product.

use wengert_kernels::matmul::{Beta, MatMul, MatRef, matmul};
use wengert_kernels::{Par, softmax as kernel};

use crate::axis::{Axes, Axis};
use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::lanes::Lanes;
use crate::reader::Reader;
use crate::shape::Shape;
use crate::tensor::Tensor;

const OP: &str = "scaled_dot_product_attention";
/// Queries worked on at a time: their weights fill a part of the cache, and the products are large enough to run at full speed.
const BLOCK: usize = 64;

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
    #[must_use]
    pub fn new() -> Self {
        Attention::default()
    }

    /// Query `i` sees the keys `0..=i` only.
    #[must_use]
    pub fn causal(self) -> Self {
        Attention { causal: true, ..self }
    }

    /// A query sees the keys for which the mask is true. Shapes: anything that repeats to `[.., l, s]`.
    #[must_use]
    pub fn mask(self, mask: impl Into<Tensor<bool>>) -> Self {
        Attention { mask: Some(mask.into()), ..self }
    }

    /// Products of queries and keys are multiplied with this instead of `1/sqrt(d)`.
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

/// The sizes, and the mask to be read row by row.
struct Plan {
    heads: usize,
    /// Queries, keys, entries of a query or key, entries of a value.
    l: usize,
    s: usize,
    d: usize,
    dv: usize,
    scale: f64,
    causal: bool,
    mask: Option<Reader<bool>>,
}

impl Plan {
    fn new(q: &Shape, k: &Shape, v: &Shape, options: &Attention) -> Result<Plan, ShapeError> {
        let fail = || ShapeError::Attention { op: OP, shapes: Box::new([q.clone(), k.clone(), v.clone()]) };
        let ([q_lead @ .., l, d], [k_lead @ .., s, k_d], [v_lead @ .., v_s, dv]) = (&**q, &**k, &**v) else {
            return Err(fail());
        };
        if q_lead != k_lead || q_lead != v_lead || d != k_d || s != v_s {
            return Err(fail());
        }
        let weights = Shape::from([q_lead, &[*l, *s]].concat());
        weights.try_size(OP)?;
        let mask = options.mask.as_ref().map(|mask| Reader::new(OP, mask, &weights)).transpose()?;
        let heads = q_lead.iter().product();
        Ok(Plan { heads, l: *l, s: *s, d: *d, dv: *dv, scale: options.scale_for(q), causal: options.causal, mask })
    }

    /// Blocks of queries with the number of keys they may see: `(first, rows, keys)`.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..self.l).step_by(BLOCK).map(|first| {
            let rows = BLOCK.min(self.l - first);
            (first, rows, if self.causal { self.s.min(first + rows) } else { self.s })
        })
    }

    /// Which of `keys` keys the queries `first..first + rows` of a head see; nothing if all see all.
    fn allowed<'a>(&self, head: usize, first: usize, rows: usize, keys: usize, room: &'a mut Vec<bool>) -> &'a [bool] {
        room.clear();
        if self.mask.is_none() && !self.causal {
            return room;
        }
        room.resize(rows * keys, true);
        for (i, row) in room.chunks_exact_mut(keys.max(1)).enumerate() {
            if let Some(mask) = &self.mask {
                mask.read((head * self.l + first + i) * self.s, row);
            }
            if self.causal {
                row[(first + i + 1).min(keys)..].fill(false);
            }
        }
        room
    }

    /// `scale q kT` for a block of queries.
    fn products<F: FloatElement>(&self, q: &[F], k: &[F], [rows, keys]: [usize; 2], y: &mut [F], par: Par) {
        let (a, b) = (MatRef::row_major(q, self.d), MatRef::row_major(k, self.d).t());
        let alpha = F::from_f64(self.scale);
        matmul(MatMul { m: rows, k: self.d, n: keys, a, b, alpha, beta: Beta::Overwrite }, y, par);
    }

    /// Calls `work` for each head's parts: side by side if there are enough heads, else one after the other with all threads.
    fn for_each_head<I: ExactSizeIterator + Send>(&self, parts: I, work: impl Fn(usize, I::Item, Par) + Sync)
    where
        I::Item: Send,
    {
        let par = Par::current();
        let large = self.l.saturating_mul(self.s).saturating_mul(self.d + self.dv).saturating_mul(self.heads) > 1 << 18;
        if self.heads >= par.threads() && large {
            par.for_each(parts.enumerate(), |(head, part)| work(head, part, Par::SEQUENTIAL));
        } else {
            parts.enumerate().for_each(|(head, part)| work(head, part, par));
        }
    }
}

/// A head's part of an operand.
fn part<F>(x: &[F], head: usize, len: usize) -> &[F] {
    &x[head * len..(head + 1) * len]
}

/// Pieces of a result, one a head, also where they are empty.
fn pieces<F>(x: &mut [F], heads: usize, len: usize) -> Vec<&mut [F]> {
    let mut rest = x;
    let mut pieces = Vec::with_capacity(heads);
    for _ in 0..heads {
        let (piece, others) = rest.split_at_mut(len);
        pieces.push(piece);
        rest = others;
    }
    pieces
}

impl<F: FloatElement> Tensor<F> {
    /// `softmax(scale q kT) v` for each head, with `q` this tensor: every query's mean of the values, weighted by how well their keys
    /// match it.
    ///
    /// Shapes: `q: [.., l, d]`, `k: [.., s, d]`, `v: [.., s, dv]` with equal leading axes, result `[.., l, dv]`. A query that may look
    /// at no key gets 0. Memory beside the result grows with `s`, not with `l s`.
    ///
    /// Source: A. Vaswani et al., "Attention is all you need", 2017, section 3.2.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_scaled_dot_product_attention`](Self::try_scaled_dot_product_attention) returns.
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

    /// As [`scaled_dot_product_attention`](Self::scaled_dot_product_attention), with an error instead of a panic. Returns the result
    /// and the residual of the pullback: `[heads, l, 2]`, for each query the largest product and the sum of exponentials
    /// relative to it.
    ///
    /// # Errors
    /// [`ShapeError::Attention`] if the shapes do not go together, [`ShapeError::BroadcastTo`] if the mask does not repeat to
    /// `[.., l, s]`.
    pub fn try_scaled_dot_product_attention(
        &self,
        k: &Tensor<F>,
        v: &Tensor<F>,
        options: &Attention,
    ) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let plan = Plan::new(self.shape(), k.shape(), v.shape(), options)?;
        let Plan { heads, l, s, d, dv, .. } = plan;
        let mut copies = (None, None, None);
        let (q, k) = (self.try_dense(OP, &mut copies.0)?, k.try_dense(OP, &mut copies.1)?);
        let v = v.try_dense(OP, &mut copies.2)?;
        let mut y = Tensor::try_scratch_for(OP, self.shape().clone().with(self.rank() - 1, dv))?;
        let mut stats = Tensor::try_scratch_for(OP, Shape::from([heads, l, 2]))?;
        let parts = pieces(y.fresh_mut(), heads, l * dv).into_iter().zip(pieces(stats.fresh_mut(), heads, l * 2));
        plan.for_each_head(parts, |head, (y, stats), par| {
            let (q, k, v) = (part(q, head, l * d), part(k, head, s * d), part(v, head, s * dv));
            let (mut weights, mut room) = (vec![F::ZERO; BLOCK.min(l) * s], Vec::new());
            for (first, rows, keys) in plan.blocks() {
                let weights = &mut weights[..rows * keys];
                let stats = &mut stats[2 * first..2 * (first + rows)];
                if keys > 0 {
                    plan.products(&q[first * d..], k, [rows, keys], weights, par);
                    let allowed = plan.allowed(head, first, rows, keys, &mut room);
                    kernel::masked_softmax(weights, keys, allowed, stats, par);
                } else {
                    stats.fill(F::INFINITY);
                }
                let product = MatMul::row_major([rows, keys, dv], weights, v);
                matmul(product, &mut y[first * dv..(first + rows) * dv], par);
            }
        });
        Ok((y, stats))
    }

    /// The pullback of [`scaled_dot_product_attention`](Self::scaled_dot_product_attention) for all three operands, with the weights
    /// computed again, block by block. A query whose cotangents are all 0 gets and gives nothing.
    ///
    /// # Errors
    /// As [`try_scaled_dot_product_attention`](Self::try_scaled_dot_product_attention), and [`ShapeError::Unequal`] if `y_bar` has
    /// another shape than the result.
    pub fn scaled_dot_product_attention_vjp(
        &self,
        k: &Tensor<F>,
        v: &Tensor<F>,
        options: &Attention,
        stats: &Tensor<F>,
        y_bar: &Tensor<F>,
    ) -> Result<[Tensor<F>; 3], ShapeError> {
        let plan = Plan::new(self.shape(), k.shape(), v.shape(), options)?;
        let Plan { heads, l, s, d, dv, .. } = plan;
        let y_shape = self.shape().clone().with(self.rank() - 1, dv);
        if *y_bar.shape() != y_shape {
            return Err(ShapeError::Unequal { op: OP, lhs: y_shape, rhs: y_bar.shape().clone() });
        }
        let mut bars = (
            Tensor::try_zeros_for(OP, self.shape().clone())?,
            Tensor::try_zeros_for(OP, k.shape().clone())?,
            Tensor::try_zeros_for(OP, v.shape().clone())?,
        );
        let mut copies = (None, None, None, None, None);
        let (q, k) = (self.try_dense(OP, &mut copies.0)?, k.try_dense(OP, &mut copies.1)?);
        let (v, y_bar) = (v.try_dense(OP, &mut copies.2)?, y_bar.try_dense(OP, &mut copies.3)?);
        let stats = stats.try_dense(OP, &mut copies.4)?;
        let parts = pieces(bars.0.fresh_mut(), heads, l * d)
            .into_iter()
            .zip(pieces(bars.1.fresh_mut(), heads, s * d))
            .zip(pieces(bars.2.fresh_mut(), heads, s * dv));
        let scale = F::from_f64(plan.scale);
        plan.for_each_head(parts, |head, ((q_bar, k_bar), v_bar), par| {
            let (q, k, v) = (part(q, head, l * d), part(k, head, s * d), part(v, head, s * dv));
            let (y_bar, stats) = (part(y_bar, head, l * dv), part(stats, head, l * 2));
            let [mut weights, mut weights_bar, mut products_bar] = [(); 3].map(|()| vec![F::ZERO; BLOCK.min(l) * s]);
            let mut room = Vec::new();
            for (first, rows, keys) in plan.blocks().filter(|&(_, _, keys)| keys > 0 && dv > 0) {
                let size = rows * keys;
                let (p, p_bar, product_bar) =
                    (&mut weights[..size], &mut weights_bar[..size], &mut products_bar[..size]);
                let (q, y_bar) = (&q[first * d..], &y_bar[first * dv..(first + rows) * dv]);
                plan.products(q, k, [rows, keys], p, par);
                let allowed = plan.allowed(head, first, rows, keys, &mut room);
                kernel::masked_softmax_again(p, keys, allowed, &stats[2 * first..2 * (first + rows)], par);
                for (p, y_bar) in p.chunks_exact_mut(keys).zip(y_bar.chunks_exact(dv)) {
                    if y_bar.iter().all(|&y_bar| y_bar == F::ZERO) {
                        p.fill(F::ZERO);
                    }
                }
                // v_bar += pT y_bar; p_bar = y_bar vT; through the softmax; q_bar = scale s_bar k; k_bar += scale s_barT q.
                let (of_p, of_y_bar) = (MatRef::row_major(p, keys), MatRef::row_major(y_bar, dv));
                let product = |m, k, n, a, b, alpha, beta| MatMul { m, k, n, a, b, alpha, beta };
                let to_v = product(keys, rows, dv, of_p.t(), of_y_bar, F::ONE, Beta::Accumulate);
                matmul(to_v, &mut v_bar[..keys * dv], par);
                let to_p = product(rows, dv, keys, of_y_bar, MatRef::row_major(v, dv).t(), F::ONE, Beta::Overwrite);
                matmul(to_p, p_bar, par);
                kernel::softmax_vjp(p, p_bar, keys, product_bar, par);
                let of_product = MatRef::row_major(product_bar, keys);
                let to_q = product(rows, keys, d, of_product, MatRef::row_major(k, d), scale, Beta::Overwrite);
                matmul(to_q, &mut q_bar[first * d..(first + rows) * d], par);
                let to_k = product(keys, rows, d, of_product.t(), MatRef::row_major(q, d), scale, Beta::Accumulate);
                matmul(to_k, &mut k_bar[..keys * d], par);
            }
        });
        Ok([bars.0, bars.1, bars.2])
    }

    /// `exp(x) / sum exp(x)` along `axis` over the elements for which `mask` is true; 0 for the others, and for all of a lane of which
    /// no element counts.
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

    /// As [`masked_softmax`](Self::masked_softmax), with an error instead of a panic. Without a mask everything counts, and a lane of
    /// `-inf` becomes 0.
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
