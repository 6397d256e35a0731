//! What is known of a model before it is loaded.

use std::{path::Path, sync::Arc};

use super::{EngineConfig, ModelEntry, ModelInfo, device};
use crate::{
    checkpoint::Checkpoint,
    error::InferenceError,
    family::stable_diffusion::{ModelConfig, config::UnetConfig},
    limits::{Conditioning, Limits, SizeConditioning},
    schedule::{Pipeline, ScheduleConfig},
    task::ImageSize,
    text::{EncoderShape, PromptLengths, clip::ClipConfig},
};

/// What is known of a model before it is loaded.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) entry: ModelEntry,
    pub(crate) info: ModelInfo,
    pub(crate) limits: Limits,
    pub(crate) unet: UnetConfig,
    /// Shared with the handle.
    pub(crate) lengths: Arc<PromptLengths>,
}

impl Known {
    /// Reads a model's configuration and the headers of its files.
    pub(crate) fn read(entry: &ModelEntry, config: &EngineConfig, upscale_factor: Option<u32>) -> Result<Self, InferenceError> {
        let checkpoint = Checkpoint::open(&entry.path)?;
        let model = ModelConfig::read(&checkpoint)?;
        let (mut schedule, mut inpaint_schedule) = schedules(&checkpoint)?;
        let prediction_said_by = match entry.prediction {
            Some(prediction) => {
                (schedule.prediction, inpaint_schedule.prediction) = (prediction, prediction);
                "the configuration".to_owned()
            }
            None => checkpoint.prediction_said_by()?,
        };
        let native_size = ImageSize::new(model.native_size() as u32, model.native_size() as u32);
        let size_multiple = model.vae.factor() as u32;
        let size = match model.n_ids() {
            0 => SizeConditioning::None,
            _ if model.takes_aesthetic_score => SizeConditioning::Score,
            _ => SizeConditioning::Sizes,
        };
        let conditioning =
            Conditioning { size, zeroes_empty_negative: model.zeroes_absent_negative, takes_guidance: model.unet.guidance_width.is_some() };
        let max_side = Limits::max_side(native_size, size_multiple);
        let info = ModelInfo {
            name: entry.name.clone(),
            path: entry.path.clone(),
            sampler: schedule.own_sampler()?,
            schedule: schedule.own_kind(),
            is_clip_alone: model.is_clip_alone(),
            prediction: schedule.prediction,
            prediction_said_by,
            native_size,
            size_multiple,
            // Every level of the U-Net but the last halves the latents.
            even_multiple: size_multiple << (model.unet.down.len() - 1),
            max_side,
            upscale_factor,
            n_parameters: 0,
            device: device::name(config),
        };
        let sees_mask = model.is_inpainting();
        let limits = Limits { size_multiple, max_side, upscale_factor, schedule, inpaint_schedule, conditioning, sees_mask };
        let shape = |config: &Option<ClipConfig>, part: &str| {
            let shape = |config: &ClipConfig| EncoderShape {
                tokenizer: checkpoint.tokenizer(part),
                n_positions: config.n_positions,
                width: config.width,
            };
            config.as_ref().map(shape)
        };
        let words = config.embeddings.iter().map(|file| (file.name.clone(), file.path.clone())).collect();
        let shapes = [shape(&model.text_encoder, "tokenizer"), shape(&model.text_encoder_2, "tokenizer_2")];
        let lengths = Arc::new(PromptLengths::new(shapes, Arc::new(words)));
        Ok(Self { entry: entry.clone(), info, limits, unet: model.unet, lengths })
    }
}

/// Whether a folder or file is a model that the engine can draw with, as far as configurations and headers tell.
pub fn is_model(path: &Path) -> bool {
    check_model(path).is_ok()
}

/// Looks whether a folder or file is a model that the engine can draw with, as far as configurations and headers tell.
///
/// # Errors
/// Why it is none.
pub fn check_model(path: &Path) -> Result<(), InferenceError> {
    let checkpoint = Checkpoint::open(path)?;
    ModelConfig::read(&checkpoint)?;
    schedules(&checkpoint)?.0.own_sampler()?;
    Ok(())
}

/// The schedule, as the pipeline that the model names takes it, and as its inpainting pipeline does.
fn schedules(checkpoint: &Checkpoint) -> Result<(ScheduleConfig, ScheduleConfig), InferenceError> {
    const NAME: &str = "scheduler/scheduler_config.json";
    let json = checkpoint.json(NAME)?;
    let schedule = ScheduleConfig::parse(&json.to_string(), &checkpoint.json_path(NAME))?;
    let index = checkpoint.json("model_index.json")?;
    let class = index.get("_class_name").and_then(serde_json::Value::as_str).unwrap_or_default();
    let is_amended = class.starts_with("StableDiffusion") && !class.starts_with("StableDiffusionXL");
    if !is_amended {
        return Ok((schedule.clone(), schedule));
    }
    Ok((schedule.clone().as_amended_by(Pipeline::Drawing), schedule.as_amended_by(Pipeline::Inpainting)))
}
