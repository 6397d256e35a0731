//! The text encoder of Z-Image and others: Qwen3, a language model whose hidden states are taken (transformers' `Qwen3Model`).

use candle_core::{Device, Tensor};

mod config;
mod tokenizer;

pub use self::{
    config::Qwen3Config,
    tokenizer::{ChatTokenizer, templated},
};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    layers::{linear_without_bias, rms_norm},
    ops::{self, Linear, Pairs, RmsNorm, Rotary, swiglu},
};

/// Turns one prompt's tokens into hidden states. Prompts are computed one by one, so that no other prompt changes a bit of the result.
pub struct Qwen3 {
    tokens: Tensor,
    layers: Vec<Layer>,
    config: Qwen3Config,
    device: Device,
}

impl Qwen3 {
    /// Reads the embeddings and the first `n_layers` layers; the others are not needed for earlier states.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load(weights: &Weights, config: &Qwen3Config, n_layers: usize, device: &Device) -> Result<Self, InferenceError> {
        // Files of the model with its language head have this outer name, those of the model alone have not.
        let weights = if weights.has("embed_tokens.weight") { weights.clone() } else { weights.at("model") };
        let layers = (0..n_layers).map(|i| Layer::load(&weights.at(format!("layers.{i}")), config));
        Ok(Self {
            tokens: weights.tensor("embed_tokens.weight", &[config.vocab_size, config.width])?,
            layers: layers.collect::<Result<_, _>>()?,
            config: config.clone(),
            device: device.clone(),
        })
    }

    /// The hidden state `[1, n, width]` after the last layer that was read, without the final normalisation.
    pub fn encode(&self, ids: &[u32]) -> candle_core::Result<Tensor> {
        let mut hidden = self.tokens.index_select(&Tensor::new(ids, &self.device)?, 0)?.unsqueeze(0)?;
        let places = Rotary::new(&self.config.angles(ids.len()), self.config.head_width / 2, Pairs::Halves, &self.device)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden, &places)?;
        }
        Ok(hidden)
    }
}

struct Layer {
    norm1: RmsNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    out: Linear,
    norm2: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    attention: ops::Attention,
    n_kv_heads: usize,
    head_width: usize,
}

impl Layer {
    fn load(weights: &Weights, config: &Qwen3Config) -> Result<Self, InferenceError> {
        let (width, eps) = (config.width, config.eps);
        let (all, kv) = (config.n_heads * config.head_width, config.n_kv_heads * config.head_width);
        let (attention, feed) = (weights.at("self_attn"), weights.at("mlp"));
        Ok(Self {
            norm1: rms_norm(&weights.at("input_layernorm"), width, eps)?,
            q: linear_without_bias(&attention.at("q_proj"), width, all)?,
            k: linear_without_bias(&attention.at("k_proj"), width, kv)?,
            v: linear_without_bias(&attention.at("v_proj"), width, kv)?,
            q_norm: rms_norm(&attention.at("q_norm"), config.head_width, eps)?,
            k_norm: rms_norm(&attention.at("k_norm"), config.head_width, eps)?,
            out: linear_without_bias(&attention.at("o_proj"), all, width)?,
            norm2: rms_norm(&weights.at("post_attention_layernorm"), width, eps)?,
            gate: linear_without_bias(&feed.at("gate_proj"), width, config.inner_width)?,
            up: linear_without_bias(&feed.at("up_proj"), width, config.inner_width)?,
            down: linear_without_bias(&feed.at("down_proj"), config.inner_width, width)?,
            attention: ops::Attention { n_heads: config.n_heads, is_causal: true, upcast: false },
            n_kv_heads: config.n_kv_heads,
            head_width: config.head_width,
        })
    }

    fn forward(&self, input: &Tensor, places: &Rotary) -> candle_core::Result<Tensor> {
        let normed = self.norm1.forward(input)?;
        let q = places.forward(&self.q_norm.forward(&self.q.forward(&normed)?)?)?;
        let k = places.forward(&self.k_norm.forward(&self.k.forward(&normed)?)?)?;
        let (k, v) = (self.shared(&k)?, self.shared(&self.v.forward(&normed)?)?);
        let hidden = self.out.forward_add(&ops::attention(&q, &k, &v, self.attention)?, input)?;
        let normed = self.norm2.forward(&hidden)?;
        self.down.forward_add(&swiglu(&self.gate.forward(&normed)?, &self.up.forward(&normed)?)?, &hidden)
    }

    /// Keys or values of fewer heads, one for each of the queries' heads (Ainslie et al. 2023, grouped-query attention).
    fn shared(&self, heads: &Tensor) -> candle_core::Result<Tensor> {
        let (n, n_tokens, _) = heads.dims3()?;
        let group = self.attention.n_heads / self.n_kv_heads;
        let heads = heads.reshape((n, n_tokens, self.n_kv_heads, 1, self.head_width))?;
        heads.broadcast_as((n, n_tokens, self.n_kv_heads, group, self.head_width))?.contiguous()?.reshape((n, n_tokens, ()))
    }
}
