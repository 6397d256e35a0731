use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{PerBlock, allow_only, check_divides, check_sizes, parse, unreadable, unsupported};
use crate::error::InferenceError;

/// The U-Net's shape (diffusers' `UNet2DConditionModel`).
#[derive(Clone, Debug)]
pub struct UnetConfig {
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Side of the latents that it was trained with.
    pub sample_size: Option<usize>,
    /// The way down, the largest level first.
    pub down: Vec<BlockConfig>,
    /// The middle's attention; its channels are the last level's.
    pub mid: AttentionConfig,
    /// The way up, the smallest level first.
    pub up: Vec<BlockConfig>,
    /// Zeros around a picture before it is halved; 0 means one after each side.
    pub downsample_padding: usize,
    /// Groups of the normalisations.
    pub n_groups: usize,
    /// Added to variances.
    pub eps: f64,
    /// Whether cosines come before sines in the timestep's embedding.
    pub flip_sin_to_cos: bool,
    /// Shift in the frequencies of the timestep's embedding.
    pub freq_shift: f64,
    /// Width of the timestep's embedding after its layers.
    pub time_width: usize,
    /// Width of the prompt's embedding.
    pub context_width: usize,
    /// What is added to the timestep's embedding, if anything is.
    pub added: Option<AddedConfig>,
    /// Width of the guidance scale's embedding, where the network takes it in.
    pub guidance_width: Option<usize>,
    /// Side of the first and of the last filter.
    pub end_kernels: (usize, usize),
    /// Whether the projections around attention are linear layers and not convolutions.
    pub use_linear_projection: bool,
    /// Whether half precision is too narrow for attention scores.
    pub upcast_attention: bool,
}

/// The embedding of the whole prompt and of the picture's sizes.
#[derive(Clone, Debug)]
pub struct AddedConfig {
    /// Width of one size's embedding.
    pub id_width: usize,
    /// Width of all together.
    pub width: usize,
}

/// One level's shape.
#[derive(Clone, Debug)]
pub struct BlockConfig {
    /// Channels.
    pub channels: usize,
    /// Residual blocks on the way down; one more on the way up.
    pub n_layers: usize,
    /// Its attention, if it has any.
    pub attention: Option<AttentionConfig>,
}

/// One attention's shape.
#[derive(Clone, Debug)]
pub struct AttentionConfig {
    /// Heads.
    pub n_heads: usize,
    /// Transformer layers in a row.
    pub n_layers: usize,
    /// Whether its first attention looks at the prompt too.
    pub only_cross_attention: bool,
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    in_channels: usize,
    out_channels: usize,
    sample_size: Option<PerBlock<usize>>,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    only_cross_attention: PerBlock<bool>,
    block_out_channels: Vec<usize>,
    layers_per_block: PerBlock<usize>,
    downsample_padding: usize,
    norm_num_groups: usize,
    norm_eps: f64,
    cross_attention_dim: PerBlock<usize>,
    transformer_layers_per_block: PerBlock<usize>,
    attention_head_dim: PerBlock<usize>,
    num_attention_heads: Option<PerBlock<usize>>,
    use_linear_projection: bool,
    upcast_attention: bool,
    time_embedding_dim: Option<usize>,
    conv_in_kernel: usize,
    conv_out_kernel: usize,
    addition_embed_type: Option<String>,
    addition_time_embed_dim: Option<usize>,
    projection_class_embeddings_input_dim: Option<usize>,
    time_cond_proj_dim: Option<usize>,
}

impl Default for Raw {
    fn default() -> Self {
        let names = |names: [&str; 4]| names.map(str::to_owned).to_vec();
        Self {
            in_channels: 4,
            out_channels: 4,
            sample_size: None,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            down_block_types: names(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]),
            up_block_types: names(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
            only_cross_attention: PerBlock::One(false),
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: PerBlock::One(2),
            downsample_padding: 1,
            norm_num_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: PerBlock::One(1280),
            transformer_layers_per_block: PerBlock::One(1),
            attention_head_dim: PerBlock::One(8),
            num_attention_heads: None,
            use_linear_projection: false,
            upcast_attention: false,
            time_embedding_dim: None,
            conv_in_kernel: 3,
            conv_out_kernel: 3,
            addition_embed_type: None,
            addition_time_embed_dim: None,
            projection_class_embeddings_input_dim: None,
            time_cond_proj_dim: None,
        }
    }
}

/// Keys whose other values the engine does not have.
const ALLOWED: &[(&str, &[&str])] = &[
    ("_class_name", &["\"UNet2DConditionModel\""]),
    ("act_fn", &["\"silu\"", "\"swish\""]),
    ("addition_embed_type", &["null", "\"text_time\""]),
    ("attention_type", &["\"default\""]),
    ("center_input_sample", &["false"]),
    ("class_embed_type", &["null"]),
    ("class_embeddings_concat", &["false"]),
    ("cross_attention_norm", &["null"]),
    ("downsample_padding", &["0", "1"]),
    ("dual_cross_attention", &["false"]),
    ("encoder_hid_dim", &["null"]),
    ("encoder_hid_dim_type", &["null"]),
    ("mid_block_scale_factor", &["1", "1.0"]),
    ("mid_block_type", &["\"UNetMidBlock2DCrossAttn\""]),
    ("num_class_embeds", &["null"]),
    ("resnet_out_scale_factor", &["1", "1.0"]),
    ("resnet_skip_time_act", &["false"]),
    ("resnet_time_scale_shift", &["\"default\""]),
    ("reverse_transformer_layers_per_block", &["null"]),
    ("time_embedding_act_fn", &["null"]),
    ("time_embedding_type", &["\"positional\""]),
    ("timestep_post_act", &["null"]),
];

impl UnetConfig {
    /// Reads `unet/config.json`.
    ///
    /// # Errors
    /// `Unsupported` or `Unreadable`, naming `path` and the key.
    pub fn read(json: &Value, path: &Path) -> Result<Self, InferenceError> {
        allow_only(json, path, ALLOWED)?;
        let depths = json.get("transformer_layers_per_block");
        if let Some(depths) = depths.filter(|depths| depths.as_array().is_some_and(|depths| depths.iter().any(Value::is_array))) {
            return Err(unsupported(path, format!("`transformer_layers_per_block` {depths} (levels of uneven depth)")));
        }
        let raw: Raw = parse(json, path)?;
        let n = raw.block_out_channels.len();
        let n_layers = raw.layers_per_block.for_blocks(n, path, "layers_per_block")?;
        // Stable Diffusion's configurations say "dimension" and mean the number of heads; diffusers keeps that (issue 2011).
        let heads_key = if raw.num_attention_heads.is_some() { "num_attention_heads" } else { "attention_head_dim" };
        let n_heads = raw.num_attention_heads.as_ref().unwrap_or(&raw.attention_head_dim).for_blocks(n, path, heads_key)?;
        let depths = raw.transformer_layers_per_block.for_blocks(n, path, "transformer_layers_per_block")?;
        let only_cross = raw.only_cross_attention.for_blocks(n, path, "only_cross_attention")?;
        let context_widths = raw.cross_attention_dim.for_blocks(n, path, "cross_attention_dim")?;
        let context_width = context_widths.first().copied().unwrap_or_default();
        if context_widths.iter().any(|width| *width != context_width) {
            return Err(unsupported(path, format!("`cross_attention_dim` {context_widths:?}")));
        }
        let mut sizes = vec![
            ("in_channels", raw.in_channels),
            ("out_channels", raw.out_channels),
            ("norm_num_groups", raw.norm_num_groups),
            ("cross_attention_dim", context_width),
            ("conv_in_kernel", raw.conv_in_kernel),
            ("conv_out_kernel", raw.conv_out_kernel),
        ];
        match &raw.sample_size {
            Some(PerBlock::One(size)) => sizes.push(("sample_size", *size)),
            Some(PerBlock::Each(each)) => sizes.extend(each.iter().map(|size| ("sample_size", *size))),
            None => {}
        }
        sizes.extend(raw.time_cond_proj_dim.map(|width| ("time_cond_proj_dim", width)));
        for (key, values) in [
            ("block_out_channels", &raw.block_out_channels),
            ("layers_per_block", &n_layers),
            (heads_key, &n_heads),
            ("transformer_layers_per_block", &depths),
        ] {
            sizes.extend(values.iter().map(|value| (key, *value)));
        }
        check_sizes(path, &sizes)?;
        if !(1..=8).contains(&n) {
            return Err(unreadable(path, format!("`block_out_channels` has {n} values")));
        }
        check_divides(path, &raw.block_out_channels, "norm_num_groups", raw.norm_num_groups)?;

        let attention =
            |level: usize| AttentionConfig { n_heads: n_heads[level], n_layers: depths[level], only_cross_attention: only_cross[level] };
        let block = |level: usize, has_attention: bool| -> Result<BlockConfig, InferenceError> {
            let channels = raw.block_out_channels[level];
            if has_attention {
                check_divides(path, &[channels], heads_key, n_heads[level])?;
            }
            Ok(BlockConfig { channels, n_layers: n_layers[level], attention: has_attention.then(|| attention(level)) })
        };
        let kinds = |key, names: &[String], direction| kinds(path, key, names, n, direction);
        let down_kinds = kinds("down_block_types", &raw.down_block_types, "Down")?;
        let up_kinds = kinds("up_block_types", &raw.up_block_types, "Up")?;
        check_divides(path, &raw.block_out_channels[n - 1..], heads_key, n_heads[n - 1])?;
        Ok(Self {
            in_channels: raw.in_channels,
            out_channels: raw.out_channels,
            sample_size: match &raw.sample_size {
                Some(PerBlock::One(size)) => Some(*size),
                Some(PerBlock::Each(sizes)) => sizes.first().copied(),
                None => None,
            },
            down: down_kinds.iter().enumerate().map(|(level, kind)| block(level, *kind)).collect::<Result<_, _>>()?,
            mid: AttentionConfig { only_cross_attention: false, ..attention(n - 1) },
            up: up_kinds.iter().enumerate().map(|(i, kind)| block(n - 1 - i, *kind)).collect::<Result<_, _>>()?,
            downsample_padding: raw.downsample_padding,
            n_groups: raw.norm_num_groups,
            eps: raw.norm_eps,
            flip_sin_to_cos: raw.flip_sin_to_cos,
            freq_shift: raw.freq_shift,
            time_width: raw.time_embedding_dim.unwrap_or(raw.block_out_channels[0] * 4),
            context_width,
            added: added(&raw, path)?,
            guidance_width: raw.time_cond_proj_dim,
            end_kernels: (raw.conv_in_kernel, raw.conv_out_kernel),
            use_linear_projection: raw.use_linear_projection,
            upcast_attention: raw.upcast_attention,
        })
    }
}

/// What Stable Diffusion XL adds to the timestep's embedding.
fn added(raw: &Raw, path: &Path) -> Result<Option<AddedConfig>, InferenceError> {
    if raw.addition_embed_type.is_none() {
        return Ok(None);
    }
    let size = |key: &str, value: Option<usize>| {
        let value = value.ok_or_else(|| unreadable(path, format!("`{key}` is missing, which `addition_embed_type` needs")))?;
        check_sizes(path, &[(key, value)])?;
        Ok::<_, InferenceError>(value)
    };
    Ok(Some(AddedConfig {
        id_width: size("addition_time_embed_dim", raw.addition_time_embed_dim)?,
        width: size("projection_class_embeddings_input_dim", raw.projection_class_embeddings_input_dim)?,
    }))
}

/// Whether each block has attention.
fn kinds(path: &Path, key: &str, names: &[String], n: usize, direction: &str) -> Result<Vec<bool>, InferenceError> {
    if names.len() != n {
        return Err(unreadable(path, format!("`{key}` has {} values for {n} blocks", names.len())));
    }
    let kind = |name: &String| match name.strip_suffix("Block2D").and_then(|name| name.strip_suffix(direction)) {
        Some("") => Ok(false),
        Some("CrossAttn") => Ok(true),
        _ => Err(unsupported(path, format!("`{key}` {name:?}"))),
    };
    names.iter().map(kind).collect()
}
