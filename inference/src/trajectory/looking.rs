//! What is noted of the first picture of a study while it is drawn. Nothing here changes a number of the picture.

use std::rc::Rc;

use candle_core::Tensor;
use image::GrayImage;

use super::Job;
use crate::{
    batcher::Caller, error::InferenceError, family::AttentionMaps, host, sampler::NoiseLevel, schedule::Prediction, task::TextToImage,
    text::WordPlace,
};

/// The picture of a study that tells how it came about.
pub(super) const LOOKED_AT: u32 = 0;

/// What is noted while that picture is drawn.
pub(super) struct Looking {
    pub(super) maps: Rc<AttentionMaps>,
    pub(super) words: Vec<WordPlace>,
}

/// A step before it is made, and what came of it.
pub(super) struct Seen {
    /// Counted from 0.
    pub(super) step: u32,
    pub(super) level: NoiseLevel,
    /// Its noise as people are told it.
    pub(super) sigma: f64,
    pub(super) latents: Tensor,
    pub(super) clean: Tensor,
}

impl Job {
    /// What is noted of a task's pictures, if anything is.
    pub(super) async fn looking(&self, caller: &Caller, base: &TextToImage) -> Result<Option<Looking>, InferenceError> {
        if base.study.is_empty() {
            return Ok(None);
        }
        // The parts of a prompt are encoded each for itself and lie over each other.
        let words = if base.texts().len() > 1 { Vec::new() } else { caller.words(&base.prompt).await? };
        Ok(Some(Looking { maps: Rc::default(), words }))
    }
}

/// The noise of a level as people are told it: of that of the picture, but in flow matching as a share of both.
pub(super) fn told(level: NoiseLevel, prediction: Prediction) -> f64 {
    if prediction == Prediction::Flow { level.sigma } else { level.sigma / level.alpha.max(1e-3) }
}

/// Each channel of latents `[1, c, h, w]`, from its least number to its largest.
pub(super) fn channels(latents: &Tensor) -> Result<Vec<GrayImage>, InferenceError> {
    let (_, _, height, width) = latents.dims4()?;
    let numbers = host::floats(latents)?;
    let gray = |channel: &[f32]| {
        let (least, most) = channel.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), n| (least.min(*n), most.max(*n)));
        let range = (most - least).max(f32::MIN_POSITIVE);
        let bytes = channel.iter().map(|n| ((n - least) / range * 255.0).round() as u8).collect();
        GrayImage::from_raw(width as u32, height as u32, bytes).unwrap_or_default()
    };
    Ok(numbers.chunks((height * width).max(1)).map(gray).collect())
}
