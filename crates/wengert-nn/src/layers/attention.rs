//! Attention with several heads, and the block of a transformer.

use super::{Dropout, LayerNorm, Linear};
use crate::Module;
use crate::error::Error;
use crate::init::{Activation, xavier_uniform};
use crate::layer::{Layer, Mode};
use core::panic::Location;
use rand::Rng;
use wengert_core::{Caller, Parameter, TensorFloat, TensorVar, Unary};
use wengert_tensor::{Attention, Tensor};

/// Attention with several heads: queries, keys and values are projected, every head attends with its own part of the
/// features, and what the heads found is projected once more.
///
/// As a layer it is self-attention of `x: [.., l, features]`, output alike; [`attend`](Self::attend) has queries apart
/// from keys and values. Names and shapes are those of PyTorch's `nn.MultiheadAttention` with `batch_first`:
/// `in_proj_weight: [3 features, features]` with the projections of queries, keys and values below one another,
/// `in_proj_bias`, `out_proj`. They start as there: the first by Xavier's uniform rule, biases at 0.
///
/// Source: A. Vaswani et al., "Attention is all you need", 2017, section 3.2.2.
///
/// # Examples
/// ```
/// use wengert_nn::{Layer, MultiHeadAttention};
/// use wengert_tensor::{Attention, Tensor, rng};
///
/// let layer = MultiHeadAttention::<f32>::new(12, 3, &mut rng(0)).options(Attention::new().causal());
/// let y = layer.predict(&Tensor::ones([5, 7, 12]))?;
/// assert_eq!(*y.shape(), [5, 7, 12]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct MultiHeadAttention<F: TensorFloat = f32> {
    /// `[3 features, features]`.
    pub in_proj_weight: Parameter<F>,
    /// `[3 features]`.
    pub in_proj_bias: Option<Parameter<F>>,
    /// From the heads' features to those of the output.
    pub out_proj: Linear<F>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    options: Attention,
    /// Where the layer was made: what an error about its shape names.
    #[module(skip)]
    made: Caller,
}

impl<F: TensorFloat> MultiHeadAttention<F> {
    /// A layer of so many features, dealt out evenly to heads.
    ///
    /// # Panics
    /// With the text of the error that [`try_new`](Self::try_new) returns.
    #[track_caller]
    pub fn new(features: usize, heads: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        match Self::try_new(features, heads, rng) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`new`](Self::new), returning what is wrong.
    ///
    /// # Errors
    /// [`Error::Setting`] for no features, or heads that cannot share them evenly; [`Error::Shape`] if there is no
    /// memory.
    #[track_caller]
    pub fn try_new(features: usize, heads: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Self, Error> {
        let of = "multi_head_attention";
        if features == 0 {
            return Err(Error::Setting { of, setting: "features", value: 0.0, expected: "at least 1" });
        }
        if features.checked_rem(heads) != Some(0) {
            let expected = "a number that divides that of the features";
            return Err(Error::Setting { of, setting: "heads", value: heads as f64, expected });
        }
        let mut out_proj = Linear::try_new(features, features, rng)?;
        if let Some(bias) = &mut out_proj.bias {
            bias.value_mut().fill(F::ZERO);
        }
        Ok(MultiHeadAttention {
            in_proj_weight: Parameter::new(xavier_uniform([3 * features, features], Activation::Identity, rng)?),
            in_proj_bias: Some(Parameter::new(Tensor::try_zeros([3 * features])?)),
            out_proj,
            heads,
            options: Attention::new(),
            made: Location::caller(),
        })
    }

    /// The same layer with these masks and this scale.
    #[must_use]
    pub fn options(self, options: Attention) -> Self {
        MultiHeadAttention { options, ..self }
    }

    /// The same layer without biases.
    #[must_use]
    pub fn without_bias(self) -> Self {
        MultiHeadAttention { in_proj_bias: None, out_proj: self.out_proj.without_bias(), ..self }
    }

    fn features(&self) -> usize {
        self.out_proj.inputs()
    }

    /// What `queries` find among `keys` and `values`.
    ///
    /// Shapes: `queries: [.., l, features]`, `keys` and `values`: `[.., s, features]` with the same leading axes,
    /// output like `queries`.
    ///
    /// # Errors
    /// [`Error::Features`] if an operand has other features, [`Error::Tape`] if the shapes do not go together.
    #[track_caller]
    pub fn attend<'t>(
        &self,
        queries: TensorVar<'t, F>,
        keys: TensorVar<'t, F>,
        values: TensorVar<'t, F>,
        mode: &mut Mode<'_>,
    ) -> Result<TensorVar<'t, F>, Error> {
        let part = |x, part| self.split(self.project(x, part, 1)?);
        let found = || {
            Ok(part(queries, 0)?.try_scaled_dot_product_attention(part(keys, 1)?, part(values, 2)?, &self.options)?)
        };
        self.anchored(found().and_then(|found| self.out_proj.forward(self.join(found)?, mode)))
    }

    /// `x` by `count` of the three projections, from number `first` on.
    fn project<'t>(&self, x: TensorVar<'t, F>, first: usize, count: usize) -> Result<TensorVar<'t, F>, Error> {
        let features = self.features();
        let input = x.shape();
        if input.rank() < 2 || input.last() != Some(&features) {
            return Err(Error::Features { layer: "multi_head_attention", expected: features, input, made: self.made });
        }
        let rows = |parameter: &Parameter<F>| {
            let all = x.tape().parameter(parameter);
            match count {
                3 => Ok(all),
                _ => all.try_slice(0, (first * features) as isize..((first + count) * features) as isize),
            }
        };
        let weight = rows(&self.in_proj_weight)?;
        Ok(match &self.in_proj_bias {
            Some(bias) => x.try_linear(weight, rows(bias)?)?,
            None => x.try_matmul_t(false, weight, true)?,
        })
    }

    /// `[.., l, features]` as `[.., heads, l, features / heads]`.
    fn split<'t>(&self, x: TensorVar<'t, F>) -> Result<TensorVar<'t, F>, Error> {
        let mut shape = x.shape().to_vec();
        let lead = shape.len() - 2;
        shape.splice(lead + 1.., [self.heads, self.features() / self.heads]);
        Ok(x.try_reshape(shape)?.try_transpose(lead, lead + 1)?)
    }

    /// `[.., heads, l, features / heads]` as `[.., l, features]`.
    fn join<'t>(&self, x: TensorVar<'t, F>) -> Result<TensorVar<'t, F>, Error> {
        let lead = x.shape().rank() - 3;
        let together = x.try_transpose(lead, lead + 1)?;
        let mut shape = together.shape().to_vec();
        shape.splice(lead + 1.., [self.features()]);
        Ok(together.try_reshape(shape)?)
    }

    #[track_caller]
    fn anchored<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let caller = Location::caller();
        result.map_err(|error| error.called_at(caller).anchored(self.in_proj_weight.id(), "in_proj_weight"))
    }

    #[track_caller]
    fn attend_to_itself<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        // One product for all three projections, and heads where it leaves them.
        let found = self.project(x, 0, 3)?.try_self_attention(self.heads, &self.options)?;
        self.out_proj.forward(found, mode)
    }
}

impl<F: TensorFloat> Layer<F> for MultiHeadAttention<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        self.anchored(self.attend_to_itself(x, mode))
    }
}

/// The block transformers are stacks of: attention, then two layers for every place on its own, each after a
/// normalisation and beside a way around: `x + attention(norm1(x))`, then `x + linear2(f(linear1(norm2(x))))`.
///
/// Shapes: `x: [.., l, features]`, output alike. Names are those of PyTorch's `nn.TransformerEncoderLayer`, whose
/// `norm_first` this is: `self_attn`, `linear1`, `linear2`, `norm1`, `norm2`. The function `f` is `relu` unless set,
/// and nothing is dropped unless asked for.
///
/// Sources: A. Vaswani et al., "Attention is all you need", 2017; R. Xiong et al., "On layer normalization in the
/// transformer architecture", 2020, for the normalisation in front.
///
/// # Examples
/// ```
/// use wengert_core::Unary;
/// use wengert_nn::{Layer, TransformerBlock};
/// use wengert_tensor::{Tensor, rng};
///
/// let block = TransformerBlock::<f32>::new(12, 3, 48, &mut rng(0)).activation(Unary::Gelu).causal();
/// assert_eq!(*block.predict(&Tensor::ones([5, 7, 12]))?.shape(), [5, 7, 12]);
/// # Ok::<(), wengert_nn::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct TransformerBlock<F: TensorFloat = f32> {
    /// The attention.
    pub self_attn: MultiHeadAttention<F>,
    /// From the features to the hidden ones.
    pub linear1: Linear<F>,
    /// Back.
    pub linear2: Linear<F>,
    /// In front of the attention.
    pub norm1: LayerNorm<F>,
    /// In front of the layers.
    pub norm2: LayerNorm<F>,
    #[module(skip)]
    activation: Unary,
    #[module(skip)]
    dropout: Dropout,
}

impl<F: TensorFloat> TransformerBlock<F> {
    /// A block of so many features, heads and hidden features (usually four times the features).
    ///
    /// # Panics
    /// With the text of the error that [`try_new`](Self::try_new) returns.
    #[track_caller]
    pub fn new(features: usize, heads: usize, hidden: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        match Self::try_new(features, heads, hidden, rng) {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`new`](Self::new), returning what is wrong.
    ///
    /// # Errors
    /// As [`MultiHeadAttention::try_new`] and [`Linear::try_new`].
    #[track_caller]
    pub fn try_new(features: usize, heads: usize, hidden: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Self, Error> {
        Ok(TransformerBlock {
            self_attn: MultiHeadAttention::try_new(features, heads, rng)?,
            linear1: Linear::try_new(features, hidden, rng)?,
            linear2: Linear::try_new(hidden, features, rng)?,
            norm1: LayerNorm::new([features]),
            norm2: LayerNorm::new([features]),
            activation: Unary::Relu,
            dropout: Dropout::try_new(0.0)?,
        })
    }

    /// The same block with this function between its two layers.
    #[must_use]
    pub fn activation(self, activation: Unary) -> Self {
        TransformerBlock { activation, ..self }
    }

    /// The same block, in which a place sees itself and those before it only.
    #[must_use]
    pub fn causal(self) -> Self {
        TransformerBlock { self_attn: self.self_attn.options(Attention::new().causal()), ..self }
    }

    /// The same block with dropout behind the attention, the activation and the last layer.
    #[must_use]
    pub fn dropout(self, dropout: Dropout) -> Self {
        TransformerBlock { dropout, ..self }
    }
}

impl<F: TensorFloat> Layer<F> for TransformerBlock<F> {
    #[track_caller]
    fn forward<'t>(&self, x: TensorVar<'t, F>, mode: &mut Mode<'_>) -> Result<TensorVar<'t, F>, Error> {
        let found = self.self_attn.forward(self.norm1.forward(x, mode)?, mode)?;
        let x = x.try_add(self.dropout.forward(found, mode)?)?;
        let hidden = self.linear1.forward(self.norm2.forward(x, mode)?, mode)?.try_unary(self.activation)?;
        let thought = self.linear2.forward(self.dropout.forward(hidden, mode)?, mode)?;
        Ok(x.try_add(self.dropout.forward(thought, mode)?)?)
    }
}
