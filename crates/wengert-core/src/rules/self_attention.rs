//! Attention of the places of a sequence to one another, in several heads.
//!
//! Formula: `y = [y_1, .., y_n]` with `y_h = softmax(scale q_h k_hT) v_h`, for
//! `x = [q_1, .., q_n, k_1, .., k_n, v_1, .., v_n]`, all along the last axis. Shapes: `x: [.., l, 3 n d]`,
//! `y: [.., l, n d]`. Keeps `x` and two numbers a query and head, as `scaled_dot_product_attention` does, whose loops
//! these are: heads are read and written where they lie, and the cotangent of `x` is written once. As ops of the tape
//! the parts were cut out, copied into heads, and their cotangents put back among zeros and added.
//!
//! Cotangent: those of queries, keys and values, side by side.

use super::attention::{pushed, with_all_weights};
use super::concat::concat;
use super::permute::permute;
use super::reshape::reshape;
use super::slice::slice;
use super::{Array, Cotangents, Op, fitting, one};
use crate::error::{Error, OrPanic};
use crate::tensor::{TensorFloat, TensorVar};
use wengert_tensor::{Attention, Shape, ShapeError, Tensor};

/// Boxed: the largest op sets the size of all nodes.
#[derive(Clone)]
pub(crate) struct SelfAttend<F: TensorFloat>(Box<Kept<F>>);

#[derive(Clone)]
struct Kept<F: TensorFloat> {
    heads: usize,
    options: Attention,
    /// For each query of each head the largest product and the sum of exponentials relative to it.
    stats: Option<Tensor<F>>,
}

impl<F: TensorFloat> Op<F> for SelfAttend<F> {
    const NAME: &'static str = "self_attention";

    fn forward(&mut self, x: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let (y, stats) = x[0].try_self_attention(self.0.heads, &self.0.options)?;
        self.0.stats = Some(stats);
        Ok(y)
    }

    fn vjp<A: Array<F>>(&self, x: &[&A], y: &A, y_bar: A, _wanted: &[bool]) -> Cotangents<A> {
        let axis = y.shape().rank() - 1;
        let [q, k, v] = self.parts(x[0]);
        let y_bar = apart(&y_bar, self.0.heads);
        let bars = with_all_weights([&q, &k, &v], &y_bar, &self.0.options, [true; 3]);
        let bars: Vec<A> = bars.into_iter().flatten().map(|bar| together(&bar)).collect();
        one(concat(&bars.iter().collect::<Vec<_>>(), axis))
    }

    fn jvp<A: Array<F>>(&self, x: &[&A], _y: &A, x_dot: &[Option<&A>]) -> Option<A> {
        let ([q, k, v], [q_dot, k_dot, v_dot]) = (self.parts(x[0]), self.parts(x_dot[0]?));
        let moving = [Some(&q_dot), Some(&k_dot), Some(&v_dot)];
        pushed([&q, &k, &v], moving, &q.shape(), &self.0.options).map(|y_dot| together(&y_dot))
    }

    fn pull(&self, x: &[&Tensor<F>], y: &Tensor<F>, y_bar: Tensor<F>, wanted: &[bool]) -> Cotangents<Tensor<F>> {
        let Kept { heads, options, stats: Some(stats) } = &*self.0 else { return self.vjp(x, y, y_bar, wanted) };
        one(fitting(x[0].self_attention_vjp(*heads, options, stats, &y_bar)))
    }
}

impl<F: TensorFloat> SelfAttend<F> {
    /// Queries, keys and values by heads.
    fn parts<A: Array<F>>(&self, x: &A) -> [A; 3] {
        let axis = x.shape().rank() - 1;
        let features = x.shape()[axis] as isize / 3;
        [0, 1, 2].map(|k| apart(&slice(x, axis, k * features..(k + 1) * features), self.0.heads))
    }
}

/// `[.., l, n d]` as `[.., n, l, d]`.
fn apart<F: TensorFloat, A: Array<F>>(x: &A, heads: usize) -> A {
    let mut shape = x.shape().to_vec();
    let l = shape.len() - 2;
    let features = shape.remove(l + 1);
    shape.extend([heads, features / heads]);
    permute(&reshape(x, &Shape::from(shape)), &exchange(l))
}

/// `[.., n, l, d]` as `[.., l, n d]`.
fn together<F: TensorFloat, A: Array<F>>(x: &A) -> A {
    let l = x.shape().rank() - 3;
    let x = permute(x, &exchange(l));
    let mut shape = x.shape().to_vec();
    let d = shape.pop().unwrap_or_default();
    shape[l + 1] *= d;
    reshape(&x, &Shape::from(shape))
}

/// The order of axes in which places and heads, of which the first is axis `first`, have changed places.
fn exchange(first: usize) -> Vec<usize> {
    (0..first).chain([first + 1, first, first + 2]).collect()
}

impl<'t, F: TensorFloat> TensorVar<'t, F> {
    /// [`scaled_dot_product_attention`](Self::scaled_dot_product_attention) of the places of a sequence to one another,
    /// in several heads, from queries, keys and values side by side in one tensor, as one product with all three
    /// projections gives them.
    ///
    /// Formula: `y_h = softmax(scale q_h k_hT) v_h` for each head, the heads side by side. Shapes:
    /// `[.., l, 3 features]`, with the queries of all heads first, then their keys, then their values, each
    /// `features / heads` wide; result `[.., l, features]`. A mask repeats to `[.., heads, l, l]`. Costs
    /// `4 l^2 features` operations, less than that when causal, and memory that grows with `l`; nothing is copied into
    /// another order on the way. A query that may look at no key gets 0, and nothing flows through it; what a mask
    /// hides must be finite.
    ///
    /// Source: A. Vaswani et al., "Attention is all you need", 2017, section 3.2.2; the layout is that of the product
    /// with PyTorch's `in_proj_weight`.
    ///
    /// # Panics
    /// With the text of the error that [`try_self_attention`](Self::try_self_attention) returns.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::prelude::*;
    /// # use wengert_tensor::Attention;
    /// let tape = Tape::new();
    /// // Two places; queries and keys of one head are 0, so a place sees itself and those before it alike.
    /// let x = tape.tensor([[0.0, 0.0, 10.0], [0.0, 0.0, 20.0]]);
    /// let y = x.self_attention(1, &Attention::new().causal());
    /// assert_eq!(y.value().to_vec(), [10.0, 15.0]);
    /// assert_eq!(y.sum().gradient()[x].to_vec(), [0.0, 0.0, 1.5, 0.0, 0.0, 0.5]);
    /// ```
    #[track_caller]
    pub fn self_attention(self, heads: usize, options: &Attention) -> Self {
        self.try_self_attention(heads, options).or_panic()
    }

    /// [`self_attention`](Self::self_attention), returning what does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not three times as many features as the heads can share, or the mask does not
    /// repeat to `[.., heads, l, l]`.
    #[track_caller]
    pub fn try_self_attention(self, heads: usize, options: &Attention) -> Result<Self, Error> {
        self.try_record1(SelfAttend(Box::new(Kept { heads, options: options.clone(), stats: None })))
    }
}
