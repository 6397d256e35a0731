use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    checkpoint::json::{allow_only, check_divides, check_sizes, parse, unreadable, unsupported},
    error::InferenceError,
};

/// The text encoder's shape (transformers' `Qwen3Config`).
#[derive(Clone, Debug)]
pub struct Qwen3Config {
    /// Tokens known.
    pub vocab_size: usize,
    /// Numbers per token.
    pub width: usize,
    /// Numbers per token inside a layer's feed-forward part.
    pub inner_width: usize,
    /// Layers.
    pub n_layers: usize,
    /// Heads of the queries.
    pub n_heads: usize,
    /// Heads of keys and values.
    pub n_kv_heads: usize,
    /// Numbers per head; not `width / n_heads`.
    pub head_width: usize,
    /// Added to variances.
    pub eps: f64,
    /// Base of the angles that say where a token is.
    pub rope_theta: f64,
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: usize,
    rms_norm_eps: f64,
    layer_types: Option<Vec<String>>,
    rope_theta: Option<f64>,
    rope_parameters: Option<Rope>,
    rope_scaling: Option<Rope>,
}

/// How transformers 5 writes the angles, and older versions what differs from the plain ones.
#[derive(Deserialize)]
struct Rope {
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            vocab_size: 151_936,
            hidden_size: 4096,
            intermediate_size: 22_016,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: Some(32),
            head_dim: 128,
            rms_norm_eps: 1e-6,
            layer_types: None,
            rope_theta: None,
            rope_parameters: None,
            rope_scaling: None,
        }
    }
}

impl Qwen3Config {
    /// Reads `text_encoder/config.json`.
    ///
    /// # Errors
    /// `Unsupported` or `Unreadable`, naming `path` and the key.
    pub fn read(json: &Value, path: &Path) -> Result<Self, InferenceError> {
        allow_only(
            json,
            path,
            &[
                ("model_type", &["\"qwen3\""]),
                ("architectures", &["[\"Qwen3ForCausalLM\"]", "[\"Qwen3Model\"]", "null"]),
                ("hidden_act", &["\"silu\""]),
                ("attention_bias", &["false"]),
                ("use_sliding_window", &["false"]),
            ],
        )?;
        let raw: Raw = parse(json, path)?;
        let n_kv_heads = raw.num_key_value_heads.unwrap_or(raw.num_attention_heads);
        check_sizes(
            path,
            &[
                ("vocab_size", raw.vocab_size),
                ("hidden_size", raw.hidden_size),
                ("intermediate_size", raw.intermediate_size),
                ("num_hidden_layers", raw.num_hidden_layers),
                ("num_attention_heads", raw.num_attention_heads),
                ("num_key_value_heads", n_kv_heads),
                ("head_dim", raw.head_dim),
            ],
        )?;
        check_divides(path, &[raw.num_attention_heads], "num_key_value_heads", n_kv_heads)?;
        if !raw.head_dim.is_multiple_of(2) {
            return Err(unreadable(path, format!("`head_dim` is {}", raw.head_dim)));
        }
        if let Some(other) = raw.layer_types.iter().flatten().find(|kind| *kind != "full_attention") {
            return Err(unsupported(path, format!("`layer_types` {other:?}")));
        }
        let ropes = [raw.rope_parameters, raw.rope_scaling];
        if let Some(other) = ropes.iter().flatten().filter_map(|rope| rope.rope_type.as_deref()).find(|kind| *kind != "default") {
            return Err(unsupported(path, format!("`rope_type` {other:?}")));
        }
        let rope_theta = ropes.iter().flatten().find_map(|rope| rope.rope_theta).or(raw.rope_theta).unwrap_or(10_000.0);
        if !(rope_theta.is_finite() && rope_theta > 0.0) {
            return Err(unreadable(path, format!("`rope_theta` is {rope_theta}")));
        }
        Ok(Self {
            vocab_size: raw.vocab_size,
            width: raw.hidden_size,
            inner_width: raw.intermediate_size,
            n_layers: raw.num_hidden_layers,
            n_heads: raw.num_attention_heads,
            n_kv_heads,
            head_width: raw.head_dim,
            eps: raw.rms_norm_eps,
            rope_theta,
        })
    }

    /// Numbers in the embeddings and the first `n_layers` layers.
    pub(crate) fn n_parameters(&self, n_layers: usize) -> u64 {
        let (width, all, kv) = (self.width, self.n_heads * self.head_width, self.n_kv_heads * self.head_width);
        let attention = 2 * width * all + 2 * width * kv + 2 * self.head_width;
        (self.vocab_size * width + n_layers * (attention + 3 * width * self.inner_width + 2 * width)) as u64
    }

    /// The angles `[n_tokens, head_width / 2]` of the places 0, 1, … in float32, as transformers computes them.
    pub fn angles(&self, n_tokens: usize) -> Vec<f32> {
        let frequency = |i: usize| 1.0 / (self.rope_theta as f32).powf((2 * i) as f32 / self.head_width as f32);
        let frequencies: Vec<f32> = (0..self.head_width / 2).map(frequency).collect();
        (0..n_tokens).flat_map(|place| frequencies.iter().map(move |frequency| place as f32 * frequency)).collect()
    }
}
