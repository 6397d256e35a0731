use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::layer::LayerShape;
use crate::checkpoint::json::{allow_only, check_divides, check_sizes, parse, unsupported};
use crate::{error::InferenceError, ops::Activation};

/// The text encoder's shape (transformers' `CLIPTextConfig`).
#[derive(Clone, Debug)]
pub struct ClipConfig {
    /// Tokens known.
    pub vocab_size: usize,
    /// Numbers per token.
    pub width: usize,
    /// Numbers per token inside a layer's feed-forward part.
    pub inner_width: usize,
    /// Layers.
    pub n_layers: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Tokens in a prompt, with its start and end.
    pub n_positions: usize,
    /// The feed-forward part's activation.
    pub activation: Activation,
    /// Added to variances.
    pub eps: f64,
    /// Width of the pooled embedding, where the encoder has a projection.
    pub projection_width: usize,
    /// Which token stands for the whole prompt.
    pub pooled_token: PooledToken,
}

/// Which token's state becomes the pooled embedding (transformers' `CLIPTextModel.forward`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PooledToken {
    /// The first of the largest id: what files with the old, wrong `eos_token_id` 2 mean.
    LargestId,
    /// The first with this id, or the prompt's start where it does not occur.
    First(u32),
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    hidden_act: String,
    layer_norm_eps: f64,
    projection_dim: Option<usize>,
    eos_token_id: Option<u32>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
            projection_dim: None,
            eos_token_id: Some(49407),
        }
    }
}

impl ClipConfig {
    /// Reads `text_encoder/config.json`.
    ///
    /// # Errors
    /// `Unsupported` or `Unreadable`, naming `path` and the key.
    pub fn read(json: &Value, path: &Path) -> Result<Self, InferenceError> {
        let architectures = ["[\"CLIPTextModel\"]", "[\"CLIPTextModelWithProjection\"]", "null"];
        allow_only(json, path, &[("architectures", &architectures), ("use_attention_mask", &["false", "null"])])?;
        let raw: Raw = parse(json, path)?;
        let projection_width = raw.projection_dim.unwrap_or(512);
        check_sizes(
            path,
            &[
                ("vocab_size", raw.vocab_size),
                ("hidden_size", raw.hidden_size),
                ("intermediate_size", raw.intermediate_size),
                ("num_hidden_layers", raw.num_hidden_layers),
                ("num_attention_heads", raw.num_attention_heads),
                ("max_position_embeddings", raw.max_position_embeddings),
                ("projection_dim", projection_width),
            ],
        )?;
        check_divides(path, &[raw.hidden_size], "num_attention_heads", raw.num_attention_heads)?;
        let activation =
            Activation::of_clip(&raw.hidden_act).ok_or_else(|| unsupported(path, format!("`hidden_act` {:?}", raw.hidden_act)))?;
        Ok(Self {
            vocab_size: raw.vocab_size,
            width: raw.hidden_size,
            inner_width: raw.intermediate_size,
            n_layers: raw.num_hidden_layers,
            n_heads: raw.num_attention_heads,
            n_positions: raw.max_position_embeddings,
            activation,
            eps: raw.layer_norm_eps,
            projection_width,
            pooled_token: raw.eos_token_id.filter(|id| *id != 2).map_or(PooledToken::LargestId, PooledToken::First),
        })
    }

    /// What its layers are like.
    pub(crate) fn layer(&self) -> LayerShape {
        let Self { width, inner_width, n_heads, activation, eps, .. } = *self;
        LayerShape { width, inner_width, n_heads, activation, eps, is_causal: true }
    }

    /// Numbers in the network's weights, with its projection or without.
    pub(crate) fn n_parameters(&self, has_projection: bool) -> u64 {
        let (width, inner) = (self.width, self.inner_width);
        // Four projections, two layers that feed forward, two normalisations, all with biases.
        let layer = 4 * (width * width + width) + 2 * width * inner + inner + width + 4 * width;
        let projection = if has_projection { width * self.projection_width } else { 0 };
        ((self.vocab_size + self.n_positions + 2) * width + self.n_layers * layer + projection) as u64
    }
}
