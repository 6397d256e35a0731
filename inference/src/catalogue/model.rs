//! A model's card, from its configuration and the headers of its files.

use super::{ModelCard, ModelEntry, PartCard, PartKind, PreviewCard, Version, card::Widths, limits::Limits};
use crate::{
    checkpoint::Checkpoint,
    error::InferenceError,
    family::{Description, GuidanceRule, ModelShape},
    vae::taesd::{Taesd, TaesdKind},
};

impl ModelCard {
    /// Reads a model's configuration and the headers of its files, for weights of so many bytes a number in memory.
    ///
    /// # Errors
    /// Why it is no model that the engine can draw with, as far as configurations and headers tell.
    pub(super) fn read(entry: &ModelEntry, bytes_per_number: u64, version: Version) -> Result<Self, InferenceError> {
        let checkpoint = Checkpoint::open_with(&entry.path, &entry.others)?;
        let (shape, n_vae) = ModelShape::read(&checkpoint)?.with_vae(&checkpoint, entry.vae.as_deref())?;
        let (rules, Description { family, n_text, n_denoiser, width, prompts }) = (shape.rules(), shape.describe(&checkpoint)?);
        let (mut schedule, mut inpaint_schedule) = shape.schedules(&checkpoint)?;
        let prediction_said_by = match entry.prediction {
            Some(prediction) => {
                (schedule.prediction, inpaint_schedule.prediction) = (prediction, prediction);
                "the configuration".to_owned()
            }
            None => checkpoint.prediction_said_by()?,
        };
        let part = |kind, n_parameters: u64, n_bytes: u64| PartCard { kind, n_parameters, n_bytes: n_parameters * n_bytes };
        let vae_bytes = if shape.vae().force_upcast { 4 } else { bytes_per_number };
        // The decoder's last level begins with the channels of the level below it.
        let widest = shape.vae().block_out_channels.iter().take(2).max().copied().unwrap_or(1);
        let preview = Taesd::find(&entry.path, TaesdKind::of_scaling_factor(shape.vae().scaling_factor)).map(|path| {
            let n_parameters = Taesd::n_parameters(&path).unwrap_or(0);
            PreviewCard { path, n_parameters, n_bytes: n_parameters * bytes_per_number }
        });
        let max_side = Limits::max_side(rules.native_size, rules.size_multiple);
        Ok(Self {
            name: entry.name.clone(),
            path: entry.path.clone(),
            vae: entry.vae.clone(),
            others: entry.others.clone(),
            version,
            family,
            parts: vec![
                part(PartKind::TextEncoders, n_text, bytes_per_number),
                part(PartKind::Denoiser, n_denoiser, bytes_per_number),
                part(PartKind::Vae, n_vae, vae_bytes),
            ],
            preview,
            native_size: rules.native_size,
            size_multiple: rules.size_multiple,
            even_multiple: rules.even_multiple,
            max_side,
            sampler: schedule.own_sampler()?,
            schedule: schedule.own_kind(),
            prediction: schedule.prediction,
            prediction_said_by,
            shift: schedule.static_shift(),
            shift_said_by: checkpoint.shift_said_by()?,
            guidance_off: if rules.guidance == GuidanceRule::AboveZero { 0.0 } else { 1.0 },
            takes_negative_prompt: rules.guidance != GuidanceRule::Input,
            sees_mask: rules.sees_mask,
            is_clip_alone: rules.is_clip_alone,
            latent_channels: rules.latent_channels,
            suited: rules.suited,
            widths: Widths { denoiser: width, vae: widest as u64 },
            limits: Limits { rules, max_side, upscale_factor: None, schedule, inpaint_schedule },
            prompts,
        })
    }
}
