use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::checkpoint::json::{PerBlock, allow_only, check_divides, check_sizes, parse, unreadable, unsupported};
use crate::checkpoint::names::UnetLayout;
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
    /// The middle, if there is one; its channels are the last level's.
    pub mid: Option<MidConfig>,
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

impl UnetLayout {
    /// The layout of a network.
    pub fn of(config: &UnetConfig) -> Self {
        let (n_layers, has_attention) = config.up.iter().rev().map(|block| (block.n_layers, block.attention.is_some())).unzip();
        Self { n_layers, has_attention }
    }
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

/// The middle's shape.
#[derive(Clone, Debug)]
pub struct MidConfig {
    /// Its attention and a second residual block after it, if it has them.
    pub attention: Option<AttentionConfig>,
}

/// The shape of a level's attentions.
#[derive(Clone, Debug)]
pub struct AttentionConfig {
    /// Heads.
    pub n_heads: usize,
    /// Transformer layers in a row, for each residual block.
    pub depths: Vec<usize>,
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
    transformer_layers_per_block: PerBlock<Depths>,
    reverse_transformer_layers_per_block: Option<PerBlock<Depths>>,
    /// Not diffusers' key: the middle's depth where a single file has another one than its last level.
    mid_transformer_layers: Option<usize>,
    mid_block_type: Option<String>,
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
            transformer_layers_per_block: PerBlock::One(Depths::One(1)),
            reverse_transformer_layers_per_block: None,
            mid_transformer_layers: None,
            mid_block_type: Some(MID_WITH_ATTENTION.to_owned()),
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

const MID_WITH_ATTENTION: &str = "UNetMidBlock2DCrossAttn";

/// Transformer layers of a level: as many in each of its blocks, or a number for each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Depths {
    One(usize),
    Each(Vec<usize>),
}

impl Depths {
    fn first(&self) -> usize {
        match self {
            Self::One(depth) => *depth,
            Self::Each(depths) => depths.first().copied().unwrap_or_default(),
        }
    }

    /// The depths of a level of so many blocks.
    fn of_blocks(&self, n_blocks: usize, (path, key): (&Path, &str)) -> Result<Vec<usize>, InferenceError> {
        let depths = match self {
            Self::One(depth) => vec![*depth; n_blocks],
            Self::Each(depths) if depths.len() == n_blocks => depths.clone(),
            Self::Each(depths) => {
                return Err(unreadable(path, format!("`{key}` has {} values for a level of {n_blocks} blocks", depths.len())));
            }
        };
        depths.iter().try_for_each(|depth| check_sizes(path, &[(key, *depth)]))?;
        Ok(depths)
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
    ("mid_block_type", &["null", "\"UNetMidBlock2D\"", "\"UNetMidBlock2DCrossAttn\""]),
    ("num_class_embeds", &["null"]),
    ("resnet_out_scale_factor", &["1", "1.0"]),
    ("resnet_skip_time_act", &["false"]),
    ("resnet_time_scale_shift", &["\"default\""]),
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
        let raw: Raw = parse(json, path)?;
        let n = raw.block_out_channels.len();
        let n_layers = raw.layers_per_block.for_blocks(n, path, "layers_per_block")?;
        // Stable Diffusion's configurations say "dimension" and mean the number of heads; diffusers keeps that (issue 2011).
        let heads_key = if raw.num_attention_heads.is_some() { "num_attention_heads" } else { "attention_head_dim" };
        let n_heads = raw.num_attention_heads.as_ref().unwrap_or(&raw.attention_head_dim).for_blocks(n, path, heads_key)?;
        let (depths_key, up_depths_key) = ("transformer_layers_per_block", "reverse_transformer_layers_per_block");
        let depths = raw.transformer_layers_per_block.for_blocks(n, path, depths_key)?;
        let up_depths = match &raw.reverse_transformer_layers_per_block {
            Some(depths) => depths.for_blocks(n, path, up_depths_key)?,
            None if depths.iter().all(|depths| matches!(depths, Depths::One(_))) => depths.iter().rev().cloned().collect(),
            None => return Err(unreadable(path, format!("`{depths_key}` has lists in it, so `{up_depths_key}` is needed too"))),
        };
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
        for (key, values) in [("block_out_channels", &raw.block_out_channels), ("layers_per_block", &n_layers), (heads_key, &n_heads)] {
            sizes.extend(values.iter().map(|value| (key, *value)));
        }
        check_sizes(path, &sizes)?;
        if !(1..=8).contains(&n) {
            return Err(unreadable(path, format!("`block_out_channels` has {n} values")));
        }
        check_divides(path, &raw.block_out_channels, "norm_num_groups", raw.norm_num_groups)?;

        let attention = |level: usize, depths: Vec<usize>| -> Result<AttentionConfig, InferenceError> {
            check_divides(path, &raw.block_out_channels[level..=level], heads_key, n_heads[level])?;
            Ok(AttentionConfig { n_heads: n_heads[level], depths, only_cross_attention: only_cross[level] })
        };
        let block = |level: usize, depths: Option<(&Depths, &str)>, n_more: usize| -> Result<BlockConfig, InferenceError> {
            let depths = depths.map(|(depths, key)| depths.of_blocks(n_layers[level] + n_more, (path, key)));
            let attention = depths.map(|depths| attention(level, depths?)).transpose()?;
            Ok(BlockConfig { channels: raw.block_out_channels[level], n_layers: n_layers[level], attention })
        };
        let kinds = |key, names: &[String], direction| kinds(path, key, names, n, direction);
        let down_kinds = kinds("down_block_types", &raw.down_block_types, "Down")?;
        let up_kinds = kinds("up_block_types", &raw.up_block_types, "Up")?;
        let down = down_kinds.iter().zip(&depths).enumerate();
        let up = up_kinds.iter().zip(&up_depths).enumerate();
        let mid = |kind: &String| -> Result<MidConfig, InferenceError> {
            if kind != MID_WITH_ATTENTION {
                return Ok(MidConfig { attention: None });
            }
            let depth = raw.mid_transformer_layers.unwrap_or_else(|| depths[n - 1].first());
            let attention = attention(n - 1, Depths::One(depth).of_blocks(1, (path, depths_key))?)?;
            Ok(MidConfig { attention: Some(AttentionConfig { only_cross_attention: false, ..attention }) })
        };
        Ok(Self {
            in_channels: raw.in_channels,
            out_channels: raw.out_channels,
            sample_size: match &raw.sample_size {
                Some(PerBlock::One(size)) => Some(*size),
                Some(PerBlock::Each(sizes)) => sizes.first().copied(),
                None => None,
            },
            down: down.map(|(i, (kind, depths))| block(i, kind.then_some((depths, depths_key)), 0)).collect::<Result<_, _>>()?,
            mid: raw.mid_block_type.as_ref().map(mid).transpose()?,
            up: up.map(|(i, (kind, depths))| block(n - 1 - i, kind.then_some((depths, up_depths_key)), 1)).collect::<Result<_, _>>()?,
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
