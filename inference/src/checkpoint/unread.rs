//! Tensors that nobody read: harmless by their names, or told, or a reason not to draw.

use super::{Checkpoint, Weights, json::unreadable};
use crate::error::InferenceError;

/// Ends of names that change no picture: markers of quantised files, scales of activations, what only training, another use of CLIP or nobody needs.
const HARMLESS_ENDS: [&str; 10] = [
    "scaled_fp8",
    ".scale_input",
    ".input_scale",
    ".comfy_quant",
    "position_ids",
    "logit_scale",
    "text_projection",
    "text_projection.weight",
    "attn_mask",
    "norm_final.weight",
];

/// Beginnings of such names: smoothed twins of other weights, losses, noise levels, markers and whole parts that no picture needs.
const HARMLESS_STARTS: [&str; 17] = [
    "model_ema.",
    "loss.",
    "first_stage_model.loss.",
    "first_stage_model.model_ema.",
    "alphas_",
    "betas",
    "log_one_minus_",
    "logvar",
    "lvlb_weights",
    "posterior_",
    "sqrt_",
    "denoiser.",
    "safety_checker.",
    "vision_model.",
    "visual_projection.",
    "v_pred",
    "ztsnr",
];

/// Tensors that are named in a message.
const MAX_NAMED: usize = 3;

fn is_harmless(name: &str) -> bool {
    HARMLESS_ENDS.iter().any(|end| name.ends_with(end)) || HARMLESS_STARTS.iter().any(|start| name.starts_with(start))
}

/// Numbers in the tensors of a network that loading it will read: those that no picture needs, and scales beside quantised numbers, are none of them.
pub(crate) fn n_parameters(checkpoint: &Checkpoint, part: &str, weights: &Weights) -> u64 {
    let prefix = checkpoint.prefix(part);
    let is_read = |name: &str| name.trim_start_matches("state_dict.").starts_with(prefix) && is_number(name);
    weights.tensors().filter(|(name, _)| is_read(name)).map(|(_, n_values)| n_values).sum()
}

/// The same of an autoencoder that stands alone, or in the file of another model.
pub(crate) fn n_parameters_of_vae(weights: &Weights) -> u64 {
    let is_below = |prefix: &&str| weights.names().any(|name| name.strip_prefix(*prefix) == Some("decoder.conv_in.weight"));
    let prefix = ["first_stage_model.", "vae."].into_iter().find(is_below).unwrap_or_default();
    weights.tensors().filter(|(name, _)| name.starts_with(prefix) && is_number(name)).map(|(_, n_values)| n_values).sum()
}

fn is_number(name: &str) -> bool {
    !is_harmless(name) && !name.ends_with("scale_weight") && !name.ends_with("_scale")
}

/// How many there are, and the first of them.
fn listed(names: &[&str]) -> String {
    let first = names.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = if names.len() > MAX_NAMED { ", …" } else { "" };
    format!("{} tensor{} ({first}{more})", names.len(), if names.len() == 1 { "" } else { "s" })
}

/// Refuses weights of a network that was read without some of them: what it draws would not be what they were trained for.
pub(crate) fn check(checkpoint: &Checkpoint, part: &str, weights: &Weights) -> Result<(), InferenceError> {
    let prefix = checkpoint.prefix(part);
    let unread: Vec<&str> = weights.unread().into_iter().filter(|name| name.starts_with(prefix) && !is_harmless(name)).collect();
    if unread.is_empty() {
        return Ok(());
    }
    let network = match part {
        "unet" => "U-Net",
        "vae" => "VAE",
        other => other,
    };
    Err(unreadable(weights.path(), format!("it has {} that belong to its {network} and that the engine does not know", listed(&unread))))
}

/// What to say of tensors that belong to no network, or to another one than the model has; `None` if there are none.
///
/// `other_vae` tells that the file's own autoencoder is not wanted.
pub(crate) fn warning(checkpoint: &Checkpoint, weights: &Weights, other_vae: bool) -> Option<String> {
    let vae = checkpoint.prefix("vae");
    let is_left_out = |name: &str| other_vae && !vae.is_empty() && name.starts_with(vae);
    let unread: Vec<&str> = weights.unread().into_iter().filter(|name| !is_harmless(name) && !is_left_out(name)).collect();
    (!unread.is_empty()).then(|| format!("{}: {} were not used", weights.path().display(), listed(&unread)))
}
