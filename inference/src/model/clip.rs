//! The text encoder (transformers' `CLIPTextModel`).

use candle_core::{Device, Tensor};

use super::{
    config::ClipConfig,
    layers::{layer_norm, linear},
};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{self, LayerNorm, Linear},
};

/// Turns token ids into the prompt's embedding.
pub struct Clip {
    tokens: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    device: Device,
}

impl Clip {
    /// Reads the network.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load(weights: &Weights, config: &ClipConfig, device: &Device) -> Result<Self, InferenceError> {
        // Some merged files leave out the outermost name.
        let weights = if weights.has("embeddings.token_embedding.weight") { weights.clone() } else { weights.at("text_model") };
        let layers = (0..config.n_layers).map(|i| Layer::load(&weights.at(format!("encoder.layers.{i}")), config));
        Ok(Self {
            tokens: weights.tensor("embeddings.token_embedding.weight", &[config.vocab_size, config.width])?,
            positions: weights.tensor("embeddings.position_embedding.weight", &[config.n_positions, config.width])?,
            layers: layers.collect::<Result<_, _>>()?,
            final_norm: layer_norm(&weights.at("final_layer_norm"), config.width, config.eps)?,
            device: device.clone(),
        })
    }

    /// The last hidden state after the final normalisation, `[1, n, width]`, of one prompt's token ids.
    pub fn forward(&self, ids: &[u32]) -> candle_core::Result<Tensor> {
        let ids = Tensor::new(ids, &self.device)?;
        let positions = self.positions.narrow(0, 0, ids.elem_count())?;
        let mut hidden = (self.tokens.index_select(&ids, 0)? + positions)?.unsqueeze(0)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden)?;
        }
        self.final_norm.forward(&hidden)
    }
}

struct Layer {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
    attention: ops::Attention,
    activation: ops::Activation,
}

impl Layer {
    fn load(weights: &Weights, config: &ClipConfig) -> Result<Self, InferenceError> {
        let width = config.width;
        let projection = |name: &str| linear(&weights.at("self_attn").at(name), width, width);
        Ok(Self {
            norm1: layer_norm(&weights.at("layer_norm1"), width, config.eps)?,
            q: projection("q_proj")?,
            k: projection("k_proj")?,
            v: projection("v_proj")?,
            out: projection("out_proj")?,
            norm2: layer_norm(&weights.at("layer_norm2"), width, config.eps)?,
            feed_in: linear(&weights.at("mlp.fc1"), width, config.inner_width)?,
            feed_out: linear(&weights.at("mlp.fc2"), config.inner_width, width)?,
            attention: ops::Attention { n_heads: config.n_heads, is_causal: true, upcast: false },
            activation: config.activation,
        })
    }

    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        let normed = self.norm1.forward(input)?;
        let (q, k, v) = (self.q.forward(&normed)?, self.k.forward(&normed)?, self.v.forward(&normed)?);
        let hidden = self.out.forward_add(&ops::attention(&q, &k, &v, self.attention)?, input)?;
        let inner = self.activation.forward(&self.feed_in.forward(&self.norm2.forward(&hidden)?)?)?;
        self.feed_out.forward_add(&inner, &hidden)
    }
}
