//! The `config.json` files that a single file stands for: from its tensors' shapes, and for what these do not say from its family.
//!
//! The families' values are those of the published folders: stable-diffusion-v1-5, stable-diffusion-2-1, stable-diffusion-xl-base-1.0 and
//! stable-diffusion-xl-refiner-1.0, whose files `from_single_file` of diffusers 0.42 takes.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device};
use serde_json::{Value, json};

use super::{
    Family, UnetLayout, Weights,
    ldm::{UNET, vae},
    prediction::{self, Decided},
};
use crate::error::InferenceError;

/// Where a text encoder is in a file, and whose names it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextLayout {
    /// transformers' names below a prefix.
    Transformers { prefix: &'static str },
    /// OpenCLIP's names below a prefix.
    OpenClip { prefix: &'static str },
}

/// What a single file holds.
pub(super) struct Facts {
    pub(super) unet_layout: UnetLayout,
    pub(super) vae_prefix: &'static str,
    pub(super) n_vae_levels: usize,
    pub(super) text: BTreeMap<&'static str, TextLayout>,
    /// By part; `scheduler` and `model_index.json` too.
    pub(super) configs: BTreeMap<&'static str, Value>,
}

/// Reads what the names and shapes say.
pub(super) fn read(weights: &Weights, path: &Path) -> Result<Facts, InferenceError> {
    if weights.has("edm_mean") || weights.has("edm_vpred.sigma_max") {
        let what = "a model trained in EDM's way (Playground 2.5)".to_owned();
        return Err(InferenceError::Unsupported { path: path.to_owned(), what });
    }
    let text = text_layouts(weights);
    let family = family_of(&text).ok_or_else(|| {
        let what = "a file without a text encoder (`cond_stage_model.` or `conditioner.embedders.`)".to_owned();
        InferenceError::Unsupported { path: path.to_owned(), what }
    })?;
    let (unet_layout, mut unet) = unet(weights, family)?;
    let vae_prefix = ["first_stage_model.", "vae."].into_iter().find(|prefix| weights.has(&format!("{prefix}decoder.conv_in.weight")));
    let vae_prefix = vae_prefix.unwrap_or("first_stage_model.");
    let n_vae_levels = count(|i| weights.has(&format!("{vae_prefix}decoder.up.{i}.block.0.conv1.weight")));
    let mut configs = BTreeMap::new();
    for (part, layout) in &text {
        configs.insert(*part, text_config(weights, *layout)?);
    }
    if let (Some(pooled), Some(added)) = (configs.get("text_encoder_2").map(|config| config["projection_dim"].as_u64()), unet.added_width) {
        let n_ids = if family == Family::StableDiffusionXl { 6 } else { 5 };
        let width = (added as u64).saturating_sub(pooled.unwrap_or_default()) / n_ids;
        unet.config["addition_embed_type"] = json!("text_time");
        unet.config["addition_time_embed_dim"] = json!(width);
        unet.config["projection_class_embeddings_input_dim"] = json!(added);
    }
    let vae_weights = vae(weights, (vae_prefix, n_vae_levels), (&Device::Cpu, DType::F32));
    let vae = if n_vae_levels > 0 { vae_config(&vae_weights, scaling_factor(family))? } else { published_vae(scaling_factor(family)) };
    configs.insert("vae", vae);
    let decided = prediction::of_file(weights, family, unet.in_channels);
    if family == Family::StableDiffusion2 && unet.in_channels == 4 && decided.prediction == "epsilon" {
        // The base of the family; the one of 768 pixels was trained on from it to predict the velocity.
        unet.config["sample_size"] = json!(64);
    }
    configs.insert("scheduler", schedule(weights, family, &decided));
    configs.insert("model_index.json", model_index(family, unet.in_channels));
    configs.insert("unet", unet.config);
    Ok(Facts { unet_layout, vae_prefix, n_vae_levels, text, configs })
}

fn text_layouts(weights: &Weights) -> BTreeMap<&'static str, TextLayout> {
    let mut layouts = BTreeMap::new();
    for (part, prefix) in [("text_encoder", "cond_stage_model.transformer."), ("text_encoder", "conditioner.embedders.0.transformer.")] {
        if ["text_model.", ""].iter().any(|outer| weights.has(&format!("{prefix}{outer}embeddings.token_embedding.weight"))) {
            layouts.insert(part, TextLayout::Transformers { prefix });
        }
    }
    for (part, prefix) in [
        ("text_encoder", "cond_stage_model.model."),
        ("text_encoder_2", "conditioner.embedders.0.model."),
        ("text_encoder_2", "conditioner.embedders.1.model."),
    ] {
        if weights.has(&format!("{prefix}token_embedding.weight")) {
            layouts.insert(part, TextLayout::OpenClip { prefix });
        }
    }
    layouts
}

fn family_of(text: &BTreeMap<&'static str, TextLayout>) -> Option<Family> {
    Some(match (text.get("text_encoder"), text.get("text_encoder_2")) {
        (Some(_), Some(_)) => Family::StableDiffusionXl,
        (None, Some(_)) => Family::StableDiffusionXlRefiner,
        (Some(TextLayout::Transformers { .. }), None) => Family::StableDiffusion1,
        (Some(TextLayout::OpenClip { .. }), None) => Family::StableDiffusion2,
        (None, None) => return None,
    })
}

struct UnetFacts {
    config: Value,
    in_channels: usize,
    added_width: Option<usize>,
}

/// One level: its channels, and the transformer layers of its blocks on each way, 0 without attention.
#[derive(Default)]
struct Level {
    channels: usize,
    down: Vec<usize>,
    up: Vec<usize>,
}

fn unet(file: &Weights, family: Family) -> Result<(UnetLayout, UnetFacts), InferenceError> {
    let weights = file.at(UNET.trim_end_matches('.'));
    let size = |name: &str, axis: usize| Ok::<_, InferenceError>(weights.shape(name)?.get(axis).copied().unwrap_or_default());
    let depth = |block: &str| count(|i| weights.has(&format!("{block}.transformer_blocks.{i}.norm1.weight")));
    let levels = levels(&weights, depth)?;
    let mid_depth = depth("middle_block.1");
    let n_inputs: usize = levels.iter().map(|level| level.down.len() + 1).sum();
    let n_outputs: usize = levels.iter().map(|level| level.up.len()).sum();
    let blocks = (0..n_inputs).map(|i| format!("input_blocks.{i}.1")).chain(["middle_block.1".to_owned()]);
    let mut blocks = blocks.chain((0..n_outputs).map(|i| format!("output_blocks.{i}.1")));
    let Some(attention) = blocks.find(|block| depth(block) > 0) else {
        return Err(InferenceError::Unsupported { path: file.path().to_owned(), what: "a U-Net without attention".to_owned() });
    };
    let context_width = size(&format!("{attention}.transformer_blocks.0.attn2.to_k.weight"), 1)?;
    let is_linear = weights.shape(&format!("{attention}.proj_in.weight"))?.len() == 2;
    let in_channels = size("input_blocks.0.0.weight", 1)?;
    let kind = |way: &str, depths: &[usize]| format!("{}{way}Block2D", if depths.contains(&0) { "" } else { "CrossAttn" });
    let channels: Vec<usize> = levels.iter().map(|level| level.channels).collect();
    let layout = UnetLayout {
        n_layers: levels.iter().map(|level| level.down.len()).collect(),
        has_attention: levels.iter().map(|level| !level.up.contains(&0)).collect(),
    };
    let mid = if mid_depth > 0 {
        Some("UNetMidBlock2DCrossAttn")
    } else {
        weights.has("middle_block.0.in_layers.2.weight").then_some("UNetMidBlock2D")
    };
    let config = json!({
        "_class_name": "UNet2DConditionModel",
        "sample_size": sample_size(family, in_channels),
        "in_channels": in_channels,
        "out_channels": size("out.2.weight", 0)?,
        "down_block_types": levels.iter().map(|level| kind("Down", &level.down)).collect::<Vec<_>>(),
        "mid_block_type": mid,
        "up_block_types": levels.iter().rev().map(|level| kind("Up", &level.up)).collect::<Vec<_>>(),
        "block_out_channels": channels,
        "layers_per_block": layout.n_layers,
        "norm_num_groups": n_groups(&channels),
        "cross_attention_dim": context_width,
        "transformer_layers_per_block": levels.iter().map(|level| &level.down).collect::<Vec<_>>(),
        "mid_transformer_layers": (mid_depth > 0).then_some(mid_depth),
        "reverse_transformer_layers_per_block": levels.iter().rev().map(|level| &level.up).collect::<Vec<_>>(),
        "attention_head_dim": n_heads(family, &channels),
        "use_linear_projection": is_linear,
        "time_embedding_dim": size("time_embed.0.weight", 0)?,
    });
    let added_width = weights.has("label_emb.0.0.weight").then(|| size("label_emb.0.0.weight", 1)).transpose()?;
    Ok((layout, UnetFacts { config, in_channels, added_width }))
}

/// The levels, the largest first.
fn levels(weights: &Weights, depth: impl Fn(&str) -> usize) -> Result<Vec<Level>, InferenceError> {
    let mut levels = vec![Level::default()];
    for i in 1.. {
        let block = format!("input_blocks.{i}");
        if weights.has(&format!("{block}.0.op.weight")) {
            levels.push(Level::default());
            continue;
        }
        let last = format!("{block}.0.out_layers.3.weight");
        if !weights.has(&last) {
            break;
        }
        let channels = weights.shape(&last)?.first().copied().unwrap_or_default();
        if let Some(level) = levels.last_mut() {
            level.channels = channels;
            level.down.push(depth(&format!("{block}.1")));
        }
    }
    let mut output = 0..;
    for level in levels.iter_mut().rev() {
        // One more than on the way down.
        let n_blocks = level.down.len() + 1;
        level.up = output.by_ref().take(n_blocks).map(|i| depth(&format!("output_blocks.{i}.1"))).collect();
        let is_mixed = |depths: &[usize]| depths.contains(&0) && depths.iter().any(|depth| *depth > 0);
        if is_mixed(&level.down) || is_mixed(&level.up) {
            let what = "a U-Net with attention in only some blocks of a level".to_owned();
            return Err(InferenceError::Unsupported { path: weights.path().to_owned(), what });
        }
    }
    Ok(levels)
}

/// Groups of normalisations: 32 in every published model, fewer where the channels of a small one force it.
fn n_groups(channels: &[usize]) -> usize {
    [32, 16, 8, 4, 2].into_iter().find(|n| channels.iter().all(|channels| channels.is_multiple_of(*n))).unwrap_or(1)
}

/// Heads of each level: eight in Stable Diffusion 1, heads of width 64 in all later models, and of 16 in the small ones that diffusers' own tests use.
fn n_heads(family: Family, channels: &[usize]) -> Vec<usize> {
    let is_small = channels.iter().all(|channels| *channels < 320);
    let of_level = |channels: &usize| match family {
        Family::StableDiffusion1 => [8, 4, 2].into_iter().find(|n| channels.is_multiple_of(*n)).unwrap_or(1),
        _ => {
            let width = if is_small { 16 } else { 64 };
            if channels.is_multiple_of(width) { channels / width } else { 1 }
        }
    };
    channels.iter().map(of_level).collect()
}

fn sample_size(family: Family, in_channels: usize) -> usize {
    match family {
        Family::StableDiffusion1 => 64,
        // The inpainting model is based on the one of 512 pixels.
        Family::StableDiffusion2 if in_channels == 9 => 64,
        Family::StableDiffusion2 => 96,
        _ => 128,
    }
}

pub(super) fn scaling_factor(family: Family) -> f64 {
    match family {
        Family::StableDiffusion1 | Family::StableDiffusion2 => 0.18215,
        _ => 0.13025,
    }
}

/// An autoencoder's configuration from weights with diffusers' names.
pub(super) fn vae_config(weights: &Weights, scaling_factor: f64) -> Result<Value, InferenceError> {
    let size = |name: &str, axis: usize| Ok::<_, InferenceError>(weights.shape(name)?.get(axis).copied().unwrap_or_default());
    let n_levels = count(|i| weights.has(&format!("encoder.down_blocks.{i}.resnets.0.conv1.weight")));
    let channels = (0..n_levels).map(|i| size(&format!("encoder.down_blocks.{i}.resnets.0.conv1.weight"), 0));
    let channels = channels.collect::<Result<Vec<_>, _>>()?;
    let has_attention = ["to_q", "query"].iter().any(|name| weights.has(&format!("decoder.mid_block.attentions.0.{name}.weight")));
    Ok(json!({
        "_class_name": "AutoencoderKL",
        "in_channels": size("encoder.conv_in.weight", 1)?,
        "out_channels": size("decoder.conv_out.weight", 0)?,
        "latent_channels": size("decoder.conv_in.weight", 1)?,
        "down_block_types": vec!["DownEncoderBlock2D"; n_levels],
        "up_block_types": vec!["UpDecoderBlock2D"; n_levels],
        "block_out_channels": channels,
        "layers_per_block": count(|i| weights.has(&format!("encoder.down_blocks.0.resnets.{i}.conv1.weight"))),
        "norm_num_groups": n_groups(&channels),
        "scaling_factor": scaling_factor,
        "mid_block_add_attention": has_attention,
        "use_quant_conv": weights.has("quant_conv.weight"),
        "use_post_quant_conv": weights.has("post_quant_conv.weight"),
    }))
}

/// The configuration that every published family shares, for files without an autoencoder: another one has to be given for them.
fn published_vae(scaling_factor: f64) -> Value {
    json!({
        "_class_name": "AutoencoderKL",
        "down_block_types": vec!["DownEncoderBlock2D"; 4],
        "up_block_types": vec!["UpDecoderBlock2D"; 4],
        "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2,
        "scaling_factor": scaling_factor,
    })
}

fn text_config(file: &Weights, layout: TextLayout) -> Result<Value, InferenceError> {
    match layout {
        TextLayout::Transformers { prefix } => {
            let outer = if file.has(&format!("{prefix}text_model.embeddings.token_embedding.weight")) { "text_model." } else { "" };
            let weights = file.at(format!("{prefix}{outer}").trim_end_matches('.'));
            let shape = |name: &str| weights.shape(name);
            let tokens = shape("embeddings.token_embedding.weight")?;
            Ok(json!({
                "architectures": ["CLIPTextModel"],
                "vocab_size": tokens.first(),
                "hidden_size": tokens.get(1),
                "intermediate_size": shape("encoder.layers.0.mlp.fc1.weight")?.first(),
                "num_hidden_layers": count(|i| weights.has(&format!("encoder.layers.{i}.layer_norm1.weight"))),
                "num_attention_heads": n_text_heads(tokens),
                "max_position_embeddings": shape("embeddings.position_embedding.weight")?.first(),
                "hidden_act": "quick_gelu",
                "projection_dim": tokens.get(1),
                "bos_token_id": tokens.first().map(|n| n.saturating_sub(2)),
                "eos_token_id": tokens.first().map(|n| n.saturating_sub(1)),
            }))
        }
        TextLayout::OpenClip { prefix } => {
            let weights = file.at(prefix.trim_end_matches('.'));
            let shape = |name: &str| weights.shape(name);
            let tokens = shape("token_embedding.weight")?;
            let n_layers = count(|i| weights.has(&format!("transformer.resblocks.{i}.ln_1.weight")));
            let is_only = prefix == "cond_stage_model.model.";
            let projection = if weights.has("text_projection") { shape("text_projection")?.get(1) } else { tokens.get(1) };
            Ok(json!({
                "architectures": [if is_only { "CLIPTextModel" } else { "CLIPTextModelWithProjection" }],
                "vocab_size": tokens.first(),
                "hidden_size": tokens.get(1),
                "intermediate_size": shape("transformer.resblocks.0.mlp.c_fc.weight")?.first(),
                // Stable Diffusion 2 was trained on the last layer but one, and its folder leaves the last one out.
                "num_hidden_layers": if is_only && n_layers == 24 { 23 } else { n_layers },
                "num_attention_heads": n_text_heads(tokens),
                "max_position_embeddings": shape("positional_embedding")?.first(),
                "hidden_act": "gelu",
                "projection_dim": projection,
                "bos_token_id": tokens.first().map(|n| n.saturating_sub(2)),
                "eos_token_id": tokens.first().map(|n| n.saturating_sub(1)),
            }))
        }
    }
}

/// Heads of a text encoder: of width 64 in every published one, four in the small ones that diffusers' own tests use.
fn n_text_heads(tokens: &[usize]) -> usize {
    match tokens.get(1).copied().unwrap_or_default() {
        width if width >= 512 && width.is_multiple_of(64) => width / 64,
        width if width.is_multiple_of(4) => 4,
        _ => 1,
    }
}

fn schedule(weights: &Weights, family: Family, decided: &Decided) -> Value {
    let is_xl = matches!(family, Family::StableDiffusionXl | Family::StableDiffusionXlRefiner);
    let is_768 = family == Family::StableDiffusion2 && decided.prediction == "v_prediction";
    let has_zero_snr = weights.has("ztsnr");
    let mut schedule = json!({
        "_class_name": if is_xl { "EulerDiscreteScheduler" } else if is_768 { "DDIMScheduler" } else { "PNDMScheduler" },
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "clip_sample": false,
        "set_alpha_to_one": false,
        "skip_prk_steps": true,
        "steps_offset": 1,
        "timestep_spacing": if has_zero_snr { "trailing" } else { "leading" },
        "prediction_type": decided.prediction,
    });
    schedule[prediction::SAID_BY] = json!(decided.said_by);
    if has_zero_snr {
        schedule["rescale_betas_zero_snr"] = json!(true);
    }
    schedule
}

fn model_index(family: Family, in_channels: usize) -> Value {
    let kind = match (family, in_channels) {
        (Family::StableDiffusion1 | Family::StableDiffusion2, 9) => "StableDiffusionInpaintPipeline",
        (Family::StableDiffusion1 | Family::StableDiffusion2, _) => "StableDiffusionPipeline",
        (Family::StableDiffusionXl, 9) => "StableDiffusionXLInpaintPipeline",
        (Family::StableDiffusionXlRefiner, _) => "StableDiffusionXLImg2ImgPipeline",
        _ => "StableDiffusionXLPipeline",
    };
    json!({
        "_class_name": kind,
        "force_zeros_for_empty_prompt": family == Family::StableDiffusionXl,
        "requires_aesthetics_score": family == Family::StableDiffusionXlRefiner,
    })
}

fn count(mut is_there: impl FnMut(usize) -> bool) -> usize {
    (0..).take_while(|i| is_there(*i)).count()
}
