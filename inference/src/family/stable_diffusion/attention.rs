//! The U-Net's transformers (diffusers' `Transformer2DModel` and `BasicTransformerBlock`).

use candle_core::Tensor;

use super::{config::AttentionConfig, prompt::Prompts};
use crate::layers::{conv, group_norm, layer_norm, linear, linear_without_bias};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{self, Batch, Conv2d, GroupNorm, LayerNorm, Linear, geglu, to_planes, to_tokens},
};

/// Transformer layers over the pixels of one level, looking at the prompt.
pub struct Transformer {
    norm: GroupNorm,
    projections: Projections,
    layers: Vec<Layer>,
}

enum Projections {
    Conv(Conv2d, Conv2d),
    Linear(Linear, Linear),
}

/// A transformer's shape.
#[derive(Clone, Copy, Debug)]
pub struct TransformerShape<'a> {
    /// Channels.
    pub channels: usize,
    /// Heads, and what it looks at.
    pub attention: &'a AttentionConfig,
    /// Transformer layers in a row.
    pub n_layers: usize,
    /// Width of the prompt's embedding.
    pub context_width: usize,
    /// Groups of the normalisation.
    pub n_groups: usize,
    /// Whether the projections are linear layers and not convolutions.
    pub use_linear_projection: bool,
    /// Whether half precision is too narrow for attention scores.
    pub upcast: bool,
}

impl Transformer {
    /// Reads a transformer.
    pub fn load(weights: &Weights, shape: TransformerShape<'_>) -> Result<Self, InferenceError> {
        let channels = shape.channels;
        let (first, last) = (weights.at("proj_in"), weights.at("proj_out"));
        let projections = if shape.use_linear_projection {
            Projections::Linear(linear(&first, channels, channels)?, linear(&last, channels, channels)?)
        } else {
            Projections::Conv(conv(&first, channels, channels, 1)?, conv(&last, channels, channels, 1)?)
        };
        let layers = (0..shape.n_layers).map(|i| Layer::load(&weights.at(format!("transformer_blocks.{i}")), shape));
        Ok(Self {
            norm: group_norm(&weights.at("norm"), channels, shape.n_groups, 1e-6)?,
            projections,
            layers: layers.collect::<Result<_, _>>()?,
        })
    }

    /// Adds the keys and values of a prompt's embedding `[1, tokens, context_width]`, for every layer that looks at it.
    pub fn prepare(&self, context: &Tensor, batch: Batch<'_>, keys_values: &mut Vec<(Tensor, Tensor)>) -> candle_core::Result<()> {
        self.layers.iter().try_for_each(|layer| layer.prepare(context, batch, keys_values))
    }

    /// `[n, channels, h, w]` of the same.
    pub(super) fn forward(&self, input: &Tensor, prompts: &mut Prompts<'_>) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = input.dims4()?;
        let batch = prompts.batch();
        let hidden = self.norm.of(batch).forward(input)?;
        let mut tokens = match &self.projections {
            Projections::Conv(first, _) => to_tokens(&first.within(batch.into()).forward(&hidden)?)?,
            Projections::Linear(first, _) => first.of(batch).forward(&to_tokens(&hidden)?)?,
        };
        for layer in &self.layers {
            tokens = layer.forward(&tokens, prompts, (height, width))?;
        }
        match &self.projections {
            Projections::Conv(_, last) => last.within(batch.into()).forward_add(&to_planes(&tokens, (height, width))?, input),
            Projections::Linear(_, last) => to_planes(&last.of(batch).forward(&tokens)?, (height, width))? + input,
        }
    }
}

struct Layer {
    norm1: LayerNorm,
    attention1: Attention,
    norm2: LayerNorm,
    attention2: Attention,
    norm3: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
    only_cross_attention: bool,
}

impl Layer {
    fn load(weights: &Weights, shape: TransformerShape<'_>) -> Result<Self, InferenceError> {
        let width = shape.channels;
        let only_cross_attention = shape.attention.only_cross_attention;
        let first_width = if only_cross_attention { shape.context_width } else { width };
        Ok(Self {
            norm1: layer_norm(&weights.at("norm1"), width, 1e-5)?,
            attention1: Attention::load(&weights.at("attn1"), first_width, shape)?,
            norm2: layer_norm(&weights.at("norm2"), width, 1e-5)?,
            attention2: Attention::load(&weights.at("attn2"), shape.context_width, shape)?,
            norm3: layer_norm(&weights.at("norm3"), width, 1e-5)?,
            feed_in: linear(&weights.at("ff.net.0.proj"), width, width * 8)?,
            feed_out: linear(&weights.at("ff.net.2"), width * 4, width)?,
            only_cross_attention,
        })
    }

    fn prepare(&self, context: &Tensor, batch: Batch<'_>, keys_values: &mut Vec<(Tensor, Tensor)>) -> candle_core::Result<()> {
        if self.only_cross_attention {
            keys_values.push(self.attention1.keys_values(context, batch)?);
        }
        keys_values.push(self.attention2.keys_values(context, batch)?);
        Ok(())
    }

    fn forward(&self, tokens: &Tensor, prompts: &mut Prompts<'_>, size: (usize, usize)) -> candle_core::Result<Tensor> {
        let batch = prompts.batch();
        let normed = self.norm1.of(batch).forward(tokens)?;
        let q = self.attention1.queries(&normed, batch)?;
        let seen = match self.only_cross_attention {
            true => prompts.next(&q, self.attention1.options, size)?,
            false => self.attention1.keys_values(&normed, batch)?,
        };
        let tokens = self.attention1.forward(&q, &seen, tokens, batch)?;
        let q = self.attention2.queries(&self.norm2.of(batch).forward(&tokens)?, batch)?;
        let seen = prompts.next(&q, self.attention2.options, size)?;
        let tokens = self.attention2.forward(&q, &seen, &tokens, batch)?;
        let inner = self.feed_in.of(batch).forward(&self.norm3.of(batch).forward(&tokens)?)?;
        self.feed_out.of(batch).forward_add(&geglu(&inner)?, &tokens)
    }
}

struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    options: ops::Attention,
}

impl Attention {
    fn load(weights: &Weights, seen_width: usize, shape: TransformerShape<'_>) -> Result<Self, InferenceError> {
        let width = shape.channels;
        Ok(Self {
            to_q: linear_without_bias(&weights.at("to_q"), width, width)?,
            to_k: linear_without_bias(&weights.at("to_k"), seen_width, width)?,
            to_v: linear_without_bias(&weights.at("to_v"), seen_width, width)?,
            to_out: linear(&weights.at("to_out.0"), width, width)?,
            options: ops::Attention { n_heads: shape.attention.n_heads, is_causal: false, upcast: shape.upcast },
        })
    }

    fn keys_values(&self, seen: &Tensor, batch: Batch<'_>) -> candle_core::Result<(Tensor, Tensor)> {
        Ok((self.to_k.of(batch).forward(seen)?, self.to_v.of(batch).forward(seen)?))
    }

    fn queries(&self, tokens: &Tensor, batch: Batch<'_>) -> candle_core::Result<Tensor> {
        self.to_q.of(batch).forward(tokens)
    }

    /// Attention of queries, plus `residual`.
    fn forward(&self, q: &Tensor, (keys, values): &(Tensor, Tensor), residual: &Tensor, batch: Batch<'_>) -> candle_core::Result<Tensor> {
        self.to_out.of(batch).forward_add(&ops::attention(q, keys, values, self.options)?, residual)
    }
}
