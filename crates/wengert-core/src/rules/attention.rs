//! Scaled dot-product attention.
//!
//! Formula: `y = P v` with `P = softmax(scale q kT)` row by row, over the keys a query sees. Shapes: `q: [.., l, d]`,
//! `k: [.., s, d]`, `v: [.., s, dv]`, `y: [.., l, dv]`. Keeps `q`, `k`, `v` and two numbers a query: the weights are
//! computed again in the pullback, block by block (T. Dao et al., "FlashAttention", 2022, section 3.1), so that memory
//! grows with the lengths, not with their product. The pullback that is recorded, for derivatives of higher order, has
//! all weights at once.
//!
//! Cotangents: `v_bar = PT y_bar`, `P_bar = y_bar vT`, `S_bar = P (P_bar - <P, P_bar>)` row by row,
//! `q_bar = scale S_bar k`, `k_bar = scale S_barT q`.

use super::affine::scaled;
use super::masked_softmax::masked_softmax;
use super::matmul::matmul;
use super::pushforward::total;
use super::sum::sum_keep;
use super::zip::zip;
use super::{Array, Cotangents, Op, fitting};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_kernels::Binary;
use wengert_tensor::{Attention, Axis, Shape, ShapeError, Tensor};

/// Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct Attend<F: TensorFloat>(Box<Kept<F>>);

#[derive(Clone)]
struct Kept<F: TensorFloat> {
    options: Attention,
    /// For each query the largest product and the sum of exponentials relative to it.
    stats: Option<Tensor<F>>,
}

impl<F: TensorFloat> Op<F> for Attend<F> {
    const NAME: &'static str = "scaled_dot_product_attention";
    const READS_RESULT: bool = false;

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (y, stats) = x[0].try_scaled_dot_product_attention(x[1], x[2], &self.0.options)?;
        self.0.stats = Some(stats);
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], _y: &A, y_bar: A, wanted: &[bool]) -> Cotangents<A> {
        let bars = with_all_weights([x[0], x[1], x[2]], &y_bar, &self.0.options, [wanted[0], wanted[1], wanted[2]]);
        Cotangents::from_iter(bars)
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        pushed([x[0], x[1], x[2]], [x_dot[0], x_dot[1], x_dot[2]], &y.shape(), &self.0.options)
    }

    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        let Kept { options, stats: Some(stats) } = &*self.0 else { return self.vjp(x, y, y_bar, wanted) };
        let bars = fitting(x[0].scaled_dot_product_attention_vjp(x[1], x[2], options, stats, &y_bar));
        bars.into_iter().map(Some).collect()
    }
}

/// The cotangents of queries, keys and values, as far as they are `wanted`, from the weights of all at once.
pub(super) fn with_all_weights<F: TensorFloat, A: Array<F>>(
    [q, k, v]: [&A; 3],
    y_bar: &A,
    options: &Attention,
    wanted: [bool; 3],
) -> [Option<A>; 3] {
    let axis = q.shape().rank() - 1;
    let (scale, p) = all_weights(q, k, options);
    let v_bar = wanted[2].then(|| matmul(&p, true, y_bar, false));
    let p_bar = matmul(y_bar, false, v, true);
    let inner = sum_keep(&zip(Binary::MulZero, &p_bar, &p), axis);
    let products_bar = scaled(&zip(Binary::MulZero, &zip(Binary::Sub, &p_bar, &inner), &p), scale);
    let q_bar = wanted[0].then(|| matmul(&products_bar, false, k, false));
    let k_bar = wanted[1].then(|| matmul(&products_bar, true, q, false));
    [q_bar, k_bar, v_bar]
}

/// The tangent of the result, likewise: `P_dot v + P v_dot`, with `P_dot = P (S_dot - <P, S_dot>)` row by row.
pub(super) fn pushed<F: TensorFloat, A: Array<F>>(
    [q, k, v]: [&A; 3],
    [q_dot, k_dot, v_dot]: [Option<&A>; 3],
    shape: &Shape,
    options: &Attention,
) -> Option<A> {
    let axis = shape.rank() - 1;
    let (scale, p) = all_weights(q, k, options);
    let products = [q_dot.map(|q_dot| matmul(q_dot, false, k, true)), k_dot.map(|k_dot| matmul(q, false, k_dot, true))];
    let p_dot = total(products, &p.shape()).map(|products_dot| {
        let inner = sum_keep(&zip(Binary::MulZero, &products_dot, &p), axis);
        scaled(&zip(Binary::MulZero, &zip(Binary::Sub, &products_dot, &inner), &p), scale)
    });
    let terms =
        [p_dot.map(|p_dot| matmul(&p_dot, false, v, false)), v_dot.map(|v_dot| matmul(&p, false, v_dot, false))];
    total(terms, shape)
}

/// The scale of products, and the weights.
fn all_weights<F: TensorFloat, A: Array<F>>(q: &A, k: &A, options: &Attention) -> (F, A) {
    let (shape, axis) = (q.shape(), q.shape().rank() - 1);
    let (l, s) = (shape[axis - 1], k.shape()[axis - 1]);
    let scale = F::from_f64(options.scale_for(&shape));
    let products = scaled(&matmul(q, false, k, true), scale);
    (scale, masked_softmax(&products, options.allowed(l, s), Axis::from(axis)))
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// `softmax(scale q kT) v` for each head, with `q` this tensor: every query's mean of the values, weighted by how
    /// well their keys match it.
    ///
    /// Shapes: `q: [.., l, d]`, `k: [.., s, d]`, `v: [.., s, dv]` with equal leading axes (batch and heads), result
    /// `[.., l, dv]`. A query that may look at no key gets 0, and nothing flows through it. Costs `2 l s (d + dv)`
    /// operations, less than that when causal, and memory that grows with `l + s`; what a mask hides must be finite in
    /// `v`.
    ///
    /// Source: A. Vaswani et al., "Attention is all you need", 2017, section 3.2.1.
    ///
    /// # Panics
    /// With the text of the error that [`try_scaled_dot_product_attention`](Self::try_scaled_dot_product_attention)
    /// returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Attention;
    /// let tape = Tape::new();
    /// let (q, k) = (tape.tensor([[0.0], [0.0]]), tape.tensor([[1.0], [2.0]]));
    /// let v = tape.tensor([[10.0], [20.0]]);
    /// let y = q.scaled_dot_product_attention(k, v, &Attention::new().causal());
    /// assert_eq!(y.value().to_vec(), [10.0, 15.0]);
    /// assert_eq!(y.sum().gradient()[v].to_vec(), [1.5, 0.5]);
    /// ```
    #[track_caller]
    pub fn scaled_dot_product_attention(self, k: Self, v: Self, options: &Attention) -> Self {
        self.try_scaled_dot_product_attention(k, v, options).or_panic()
    }

    /// [`scaled_dot_product_attention`](Self::scaled_dot_product_attention), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not go together or the mask does not repeat to `[.., l, s]`;
    /// [`Error::MixedTapes`] if the operands are of two tapes.
    #[track_caller]
    pub fn try_scaled_dot_product_attention(self, k: Self, v: Self, options: &Attention) -> Result<Self, Error> {
        let kept = Kept { options: options.clone(), stats: None };
        Self::try_record_many(Attend(Box::new(kept)), &[self, k, v])
    }
}
