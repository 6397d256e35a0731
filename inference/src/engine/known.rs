//! What is known of a model before it is loaded.

use std::{path::Path, sync::Arc};

use super::{EngineConfig, ModelEntry, ModelInfo, device};
use crate::{
    checkpoint::Checkpoint,
    error::InferenceError,
    family::{ModelShape, stable_diffusion::config::UnetConfig},
    limits::Limits,
    text::{EncoderShape, PromptLengths, clip::ClipConfig},
};

/// What is known of a model before it is loaded.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) entry: ModelEntry,
    pub(crate) info: ModelInfo,
    pub(crate) limits: Limits,
    /// The U-Net that adapters change; other denoisers take none.
    pub(crate) unet: Option<UnetConfig>,
    /// Shared with the handle.
    pub(crate) lengths: Arc<PromptLengths>,
}

impl Known {
    /// Reads a model's configuration and the headers of its files.
    pub(crate) fn read(entry: &ModelEntry, config: &EngineConfig, upscale_factor: Option<u32>) -> Result<Self, InferenceError> {
        let checkpoint = Checkpoint::open_with(&entry.path, &entry.others)?;
        let shape = ModelShape::read(&checkpoint)?;
        let rules = shape.rules();
        let (mut schedule, mut inpaint_schedule) = shape.schedules(&checkpoint)?;
        let prediction_said_by = match entry.prediction {
            Some(prediction) => {
                (schedule.prediction, inpaint_schedule.prediction) = (prediction, prediction);
                "the configuration".to_owned()
            }
            None => checkpoint.prediction_said_by()?,
        };
        let max_side = Limits::max_side(rules.native_size, rules.size_multiple);
        let info = ModelInfo {
            name: entry.name.clone(),
            path: entry.path.clone(),
            sampler: schedule.own_sampler()?,
            schedule: schedule.own_kind(),
            is_clip_alone: rules.is_clip_alone,
            prediction: schedule.prediction,
            prediction_said_by,
            native_size: rules.native_size,
            size_multiple: rules.size_multiple,
            even_multiple: rules.even_multiple,
            max_side,
            upscale_factor,
            n_parameters: 0,
            device: device::name(config),
        };
        let limits = Limits { rules, max_side, upscale_factor, schedule, inpaint_schedule };
        let model = shape.stable_diffusion();
        let shape = |config: Option<&ClipConfig>, part: &str| {
            let shape = |config: &ClipConfig| EncoderShape {
                tokenizer: checkpoint.tokenizer(part),
                n_positions: config.n_positions,
                width: config.width,
            };
            config.map(shape)
        };
        let words = config.embeddings.iter().map(|file| (file.name.clone(), file.path.clone())).collect();
        let shapes = [
            shape(model.and_then(|model| model.text_encoder.as_ref()), "tokenizer"),
            shape(model.and_then(|model| model.text_encoder_2.as_ref()), "tokenizer_2"),
        ];
        let lengths = Arc::new(PromptLengths::new(shapes, Arc::new(words)));
        Ok(Self { entry: entry.clone(), info, limits, unet: model.map(|model| model.unet.clone()), lengths })
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
    ModelShape::read(&checkpoint)?.schedules(&checkpoint)?.0.own_sampler()?;
    Ok(())
}
