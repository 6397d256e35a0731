use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::checkpoint::json::{PerBlock, allow_only, check_divides, check_sizes, parse, unreadable};
use crate::error::InferenceError;

/// The autoencoder's shape (diffusers' `AutoencoderKL`).
#[derive(Clone, Debug)]
pub struct VaeConfig {
    /// Channels of a picture.
    pub in_channels: usize,
    /// Channels of a decoded picture.
    pub out_channels: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Channels of each level, the picture's first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of each level of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Groups of the normalisations.
    pub n_groups: usize,
    /// What the encoder's latents are multiplied by.
    pub scaling_factor: f64,
    /// What is taken from them before that; 0 for Stable Diffusion.
    pub shift_factor: f64,
    /// Whether there is attention in the middle.
    pub has_attention: bool,
    /// Whether there is a convolution after the encoder.
    pub has_quant_conv: bool,
    /// Whether there is a convolution before the decoder.
    pub has_post_quant_conv: bool,
    /// Whether float16 is too narrow.
    pub force_upcast: bool,
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    in_channels: usize,
    out_channels: usize,
    latent_channels: usize,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    block_out_channels: Vec<usize>,
    layers_per_block: PerBlock<usize>,
    norm_num_groups: usize,
    scaling_factor: f64,
    shift_factor: Option<f64>,
    mid_block_add_attention: bool,
    use_quant_conv: bool,
    use_post_quant_conv: bool,
    force_upcast: bool,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            latent_channels: 4,
            down_block_types: vec!["DownEncoderBlock2D".to_owned()],
            up_block_types: vec!["UpDecoderBlock2D".to_owned()],
            block_out_channels: vec![64],
            layers_per_block: PerBlock::One(1),
            norm_num_groups: 32,
            scaling_factor: 0.18215,
            shift_factor: None,
            mid_block_add_attention: true,
            use_quant_conv: true,
            use_post_quant_conv: true,
            force_upcast: true,
        }
    }
}

impl VaeConfig {
    /// Reads `vae/config.json`.
    ///
    /// # Errors
    /// `Unsupported` or `Unreadable`, naming `path` and the key.
    pub fn read(json: &Value, path: &Path) -> Result<Self, InferenceError> {
        allow_only(
            json,
            path,
            &[
                ("_class_name", &["\"AutoencoderKL\""]),
                ("act_fn", &["\"silu\"", "\"swish\""]),
                ("latents_mean", &["null"]),
                ("latents_std", &["null"]),
                ("in_channels", &["3"]),
                ("out_channels", &["3"]),
            ],
        )?;
        let raw: Raw = parse(json, path)?;
        let n_levels = raw.block_out_channels.len();
        for (key, types, known) in
            [("down_block_types", &raw.down_block_types, "DownEncoderBlock2D"), ("up_block_types", &raw.up_block_types, "UpDecoderBlock2D")]
        {
            if let Some(other) = types.iter().find(|name| *name != known) {
                return Err(crate::checkpoint::json::unsupported(path, format!("`{key}` {other:?}")));
            }
            if types.len() != n_levels {
                return Err(unreadable(path, format!("`{key}` has {} values for {n_levels} blocks", types.len())));
            }
        }
        let PerBlock::One(layers_per_block) = raw.layers_per_block else {
            return Err(crate::checkpoint::json::unsupported(path, "a list in `layers_per_block`".to_owned()));
        };
        let mut sizes = vec![
            ("latent_channels", raw.latent_channels),
            ("layers_per_block", layers_per_block),
            ("norm_num_groups", raw.norm_num_groups),
        ];
        sizes.extend(raw.block_out_channels.iter().map(|channels| ("block_out_channels", *channels)));
        check_sizes(path, &sizes)?;
        if !(1..=8).contains(&n_levels) {
            return Err(unreadable(path, format!("`block_out_channels` has {n_levels} values")));
        }
        if !(raw.scaling_factor.is_finite() && raw.scaling_factor > 0.0) {
            return Err(unreadable(path, format!("`scaling_factor` is {}", raw.scaling_factor)));
        }
        let shift_factor = raw.shift_factor.unwrap_or(0.0);
        if !shift_factor.is_finite() {
            return Err(unreadable(path, format!("`shift_factor` is {shift_factor}")));
        }
        check_divides(path, &raw.block_out_channels, "norm_num_groups", raw.norm_num_groups)?;
        Ok(Self {
            in_channels: raw.in_channels,
            out_channels: raw.out_channels,
            latent_channels: raw.latent_channels,
            block_out_channels: raw.block_out_channels,
            layers_per_block,
            n_groups: raw.norm_num_groups,
            scaling_factor: raw.scaling_factor,
            shift_factor,
            has_attention: raw.mid_block_add_attention,
            has_quant_conv: raw.use_quant_conv,
            has_post_quant_conv: raw.use_post_quant_conv,
            force_upcast: raw.force_upcast,
        })
    }

    /// How many times smaller the latents are, 2^(levels − 1).
    pub fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}
