//! A layer of a CLIP, which both of its kinds are made of (transformers' `CLIPEncoderLayer`).

use candle_core::Tensor;

use crate::{
    checkpoint::Weights,
    error::InferenceError,
    layers::{layer_norm, linear},
    ops::{self, Activation, Batch, LayerNorm, Linear},
};

/// What a layer is like.
#[derive(Clone, Debug)]
pub(crate) struct LayerShape {
    /// Numbers per token.
    pub(crate) width: usize,
    /// Numbers per token inside the feed-forward part.
    pub(crate) inner_width: usize,
    /// Attention heads.
    pub(crate) n_heads: usize,
    /// The feed-forward part's activation.
    pub(crate) activation: Activation,
    /// Added to variances.
    pub(crate) eps: f64,
    /// Whether a token sees only those before it.
    pub(crate) is_causal: bool,
}

/// A layer of either kind of CLIP.
pub(crate) struct Layer {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
    attention: ops::Attention,
    activation: Activation,
}

impl Layer {
    /// Reads `self_attn`, `mlp` and both normalisations.
    pub(crate) fn load(weights: &Weights, shape: &LayerShape) -> Result<Self, InferenceError> {
        let width = shape.width;
        let projection = |name: &str| linear(&weights.at("self_attn").at(name), width, width);
        Ok(Self {
            norm1: layer_norm(&weights.at("layer_norm1"), width, shape.eps)?,
            q: projection("q_proj")?,
            k: projection("k_proj")?,
            v: projection("v_proj")?,
            out: projection("out_proj")?,
            norm2: layer_norm(&weights.at("layer_norm2"), width, shape.eps)?,
            feed_in: linear(&weights.at("mlp.fc1"), width, shape.inner_width)?,
            feed_out: linear(&weights.at("mlp.fc2"), shape.inner_width, width)?,
            attention: ops::Attention { n_heads: shape.n_heads, is_causal: shape.is_causal, upcast: false },
            activation: shape.activation,
        })
    }

    /// Hidden states `[n, tokens, width]`.
    pub(crate) fn forward(&self, input: &Tensor, batch: Batch<'_>) -> candle_core::Result<Tensor> {
        let normed = self.norm1.of(batch).forward(input)?;
        let [q, k, v] = [&self.q, &self.k, &self.v].map(|layer| layer.of(batch).forward(&normed));
        let hidden = self.out.of(batch).forward_add(&ops::attention(&q?, &k?, &v?, self.attention)?, input)?;
        let inner = self.feed_in.of(batch).forward(&self.norm2.of(batch).forward(&hidden)?)?;
        self.feed_out.of(batch).forward_add(&self.activation.forward(&inner)?, &hidden)
    }
}
