//! A layer of the transformer.

use candle_core::Tensor;

use super::config::TransformerConfig;
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    layers::{linear, linear_without_bias, rms_norm},
    ops::{self, Batch, Linear, RmsNorm, Rotary, swiglu},
};

/// Attention and feed-forward part, each normalised before and after; most layers are told the time too.
pub struct Block {
    norm1: RmsNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    out: Linear,
    norm2: RmsNorm,
    feed_norm1: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    feed_norm2: RmsNorm,
    modulation: Option<Linear>,
    attention: ops::Attention,
}

/// What the time does to both parts: factors before and gates after, each `[n, 1, width]`.
struct Modulation {
    attention: (Tensor, Tensor),
    feed: (Tensor, Tensor),
}

impl Block {
    /// Reads a layer; `is_told_time` where it has a modulation.
    pub fn load(weights: &Weights, config: &TransformerConfig, is_told_time: bool) -> Result<Self, InferenceError> {
        let (width, inner) = (config.width, config.inner_width());
        let (attention, feed) = (weights.at("attention"), weights.at("feed_forward"));
        let norm = |name: &str| rms_norm(&weights.at(name), width, config.eps);
        let projection = |name: &str| linear_without_bias(&attention.at(name), width, width);
        let modulation = || linear(&weights.at("adaLN_modulation.0"), config.time_width(), 4 * width);
        Ok(Self {
            norm1: norm("attention_norm1")?,
            q: projection("to_q")?,
            k: projection("to_k")?,
            v: projection("to_v")?,
            // The published code has a constant of its own for these two.
            q_norm: rms_norm(&attention.at("norm_q"), config.head_width(), 1e-5)?,
            k_norm: rms_norm(&attention.at("norm_k"), config.head_width(), 1e-5)?,
            out: projection("to_out.0")?,
            norm2: norm("attention_norm2")?,
            feed_norm1: norm("ffn_norm1")?,
            gate: linear_without_bias(&feed.at("w1"), width, inner)?,
            up: linear_without_bias(&feed.at("w3"), width, inner)?,
            down: linear_without_bias(&feed.at("w2"), inner, width)?,
            feed_norm2: norm("ffn_norm2")?,
            modulation: is_told_time.then(modulation).transpose()?,
            attention: ops::Attention { n_heads: config.n_heads, is_causal: false, upcast: false },
        })
    }

    /// `[n, tokens, width]` of the same; `time` is `[n, time_width]`.
    pub fn forward(&self, input: &Tensor, places: &Rotary, time: &Tensor, batch: Batch<'_>) -> candle_core::Result<Tensor> {
        let Some(modulation) = self.modulated(time, batch)? else {
            let hidden = (input + self.norm2.forward(&self.attend(&self.norm1.forward(input)?, places, batch)?)?)?;
            return &hidden + self.feed_norm2.forward(&self.feed(&self.feed_norm1.forward(&hidden)?, batch)?)?;
        };
        let (factor, gate) = modulation.attention;
        let attended = self.attend(&self.norm1.forward(input)?.broadcast_mul(&factor)?, places, batch)?;
        let hidden = (input + self.norm2.forward(&attended)?.broadcast_mul(&gate)?)?;
        let (factor, gate) = modulation.feed;
        let fed = self.feed(&self.feed_norm1.forward(&hidden)?.broadcast_mul(&factor)?, batch)?;
        &hidden + self.feed_norm2.forward(&fed)?.broadcast_mul(&gate)?
    }

    fn modulated(&self, time: &Tensor, batch: Batch<'_>) -> candle_core::Result<Option<Modulation>> {
        let Some(modulation) = &self.modulation else { return Ok(None) };
        let parts = modulation.of(batch).forward(time)?.unsqueeze(1)?.chunk(4, 2)?;
        let part = |i: usize| -> candle_core::Result<(Tensor, Tensor)> { Ok(((&parts[i] + 1.0)?, parts[i + 1].contiguous()?.tanh()?)) };
        Ok(Some(Modulation { attention: part(0)?, feed: part(2)? }))
    }

    fn attend(&self, input: &Tensor, places: &Rotary, batch: Batch<'_>) -> candle_core::Result<Tensor> {
        let q = places.forward(&self.q_norm.forward(&self.q.of(batch).forward(input)?)?)?;
        let k = places.forward(&self.k_norm.forward(&self.k.of(batch).forward(input)?)?)?;
        self.out.of(batch).forward(&ops::attention(&q, &k, &self.v.of(batch).forward(input)?, self.attention)?)
    }

    fn feed(&self, input: &Tensor, batch: Batch<'_>) -> candle_core::Result<Tensor> {
        self.down.of(batch).forward(&swiglu(&self.gate.of(batch).forward(input)?, &self.up.of(batch).forward(input)?)?)
    }
}
