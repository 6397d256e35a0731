//! What looks at a picture (transformers' `CLIPVisionTransformer`): a picture is a row of square patches, before which one place stands for all of it.

use std::path::Path;

use candle_core::{DType, Tensor};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    checkpoint::{
        Weights,
        json::{check_divides, check_sizes, parse, unreadable, unsupported},
    },
    error::InferenceError,
    layers::{layer_norm, linear_without_bias},
    ops::{Activation, Batch, LayerNorm, Linear},
    text::clip::{Layer, LayerShape},
};

/// The network's shape (transformers' `CLIPVisionConfig`).
#[derive(Clone, Debug)]
pub(super) struct VisionConfig {
    layer: LayerShape,
    n_layers: usize,
    patch: usize,
    /// The picture's side, in pixels.
    pub(super) side: usize,
    projection_width: usize,
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_channels: usize,
    image_size: usize,
    patch_size: usize,
    hidden_act: String,
    layer_norm_eps: f64,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
        }
    }
}

impl VisionConfig {
    /// Reads `vision_config` of a `config.json`.
    pub(super) fn read(json: &Value, path: &Path, projection_width: usize) -> Result<Self, InferenceError> {
        let raw: Raw = parse(json, path)?;
        check_sizes(
            path,
            &[
                ("hidden_size", raw.hidden_size),
                ("intermediate_size", raw.intermediate_size),
                ("num_hidden_layers", raw.num_hidden_layers),
                ("num_attention_heads", raw.num_attention_heads),
                ("image_size", raw.image_size),
                ("patch_size", raw.patch_size),
            ],
        )?;
        check_divides(path, &[raw.hidden_size], "num_attention_heads", raw.num_attention_heads)?;
        if raw.num_channels != 3 {
            return Err(unsupported(path, format!("`num_channels` {}", raw.num_channels)));
        }
        if raw.image_size < raw.patch_size || raw.image_size > MAX_SIDE {
            return Err(unreadable(path, format!("`image_size` is {} with patches of {}", raw.image_size, raw.patch_size)));
        }
        let activation =
            Activation::of_clip(&raw.hidden_act).ok_or_else(|| unsupported(path, format!("`hidden_act` {:?}", raw.hidden_act)))?;
        let (width, inner_width, n_heads, eps) = (raw.hidden_size, raw.intermediate_size, raw.num_attention_heads, raw.layer_norm_eps);
        Ok(Self {
            layer: LayerShape { width, inner_width, n_heads, activation, eps, is_causal: false },
            n_layers: raw.num_hidden_layers,
            patch: raw.patch_size,
            side: raw.image_size,
            projection_width,
        })
    }

    fn n_patches(&self) -> usize {
        let row = self.side / self.patch;
        row * row
    }
}

/// Larger squares no published network sees.
const MAX_SIDE: usize = 2048;

/// The network with its projection.
pub(super) struct Vision {
    config: VisionConfig,
    whole: Tensor,
    patches: Linear,
    positions: Tensor,
    before: LayerNorm,
    layers: Vec<Layer>,
    after: LayerNorm,
    projection: Linear,
}

impl Vision {
    /// Reads `vision_model` and `visual_projection`.
    pub(super) fn load(weights: &Weights, config: VisionConfig) -> Result<Self, InferenceError> {
        let (width, patch, eps) = (config.layer.width, config.patch, config.layer.eps);
        let projection = linear_without_bias(&weights.at("visual_projection"), width, config.projection_width)?;
        let weights = weights.at("vision_model");
        let embeddings = weights.at("embeddings");
        let patches = embeddings.at("patch_embedding").tensor("weight", &[width, 3, patch, patch])?;
        let layers = (0..config.n_layers).map(|i| Layer::load(&weights.at(format!("encoder.layers.{i}")), &config.layer));
        Ok(Self {
            whole: embeddings.tensor("class_embedding", &[width])?,
            patches: Linear::new(patches.reshape((width, 3 * patch * patch))?, None)?,
            positions: embeddings.at("position_embedding").tensor("weight", &[config.n_patches() + 1, width])?,
            // So it is written in every file.
            before: layer_norm(&weights.at("pre_layrnorm"), width, eps)?,
            layers: layers.collect::<Result<_, _>>()?,
            after: layer_norm(&weights.at("post_layernorm"), width, eps)?,
            projection,
            config,
        })
    }

    /// The embedding `[1, projection_width]` of a picture's numbers `[3, side, side]`.
    pub(super) fn embed(&self, values: Vec<f32>) -> candle_core::Result<Tensor> {
        let (side, patch, width) = (self.config.side, self.config.patch, self.config.layer.width);
        let n = side / patch;
        let device = self.positions.device();
        let pixels = Tensor::from_vec(values, (3, side, side), device)?.narrow(1, 0, n * patch)?.narrow(2, 0, n * patch)?;
        let cut = pixels.contiguous()?.reshape((3, n, patch, n, patch))?.permute((1, 3, 0, 2, 4))?.contiguous()?;
        let patches = self.patches.forward(&cut.reshape((n * n, 3 * patch * patch))?.to_dtype(self.positions.dtype())?)?;
        let rows = (Tensor::cat(&[&self.whole.reshape((1, width))?, &patches], 0)? + &self.positions)?;
        let mut hidden = self.before.forward(&rows.unsqueeze(0)?)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden, Batch::default())?;
        }
        let whole = hidden.narrow(1, 0, 1)?.contiguous()?;
        self.projection.forward(&self.after.forward(&whole)?)?.squeeze(1)?.to_dtype(DType::F32)
    }
}
