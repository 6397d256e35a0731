//! Bounds on the clean latents.

use candle_core::Tensor;

use super::Denoiser;
use crate::{
    error::InferenceError,
    host,
    schedule::{NoiseLevel, ScheduleConfig, spec::Spec},
};

/// What a configuration bounds the clean latents to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    threshold: Option<Threshold>,
    /// Largest absolute value.
    clip: Option<f64>,
}

/// Dynamic thresholding (Saharia et al. 2022).
#[derive(Clone, Copy, Debug)]
struct Threshold {
    /// The quantile of absolute values.
    ratio: f64,
    /// The largest bound.
    max: f64,
}

impl Bounds {
    /// Those of a class that knows dynamic thresholding.
    pub(super) fn thresholding(config: &ScheduleConfig) -> Self {
        let keys = &config.keys;
        let threshold = Threshold { ratio: keys.dynamic_thresholding_ratio.unwrap_or(0.995), max: keys.sample_max_value.unwrap_or(1.0) };
        Self { threshold: (keys.thresholding == Some(true)).then_some(threshold), clip: None }
    }

    /// The same, of a class that clips too, by `default` where the configuration does not say it.
    pub(super) fn clipping(self, config: &ScheduleConfig, spec: &Spec, default: bool) -> Self {
        let clip = config.clips(spec, default).then(|| config.keys.clip_sample_range.unwrap_or(1.0));
        Self { clip, ..self }
    }

    /// The bounded clean latents in `latents`.
    pub(super) async fn denoise(&self, denoiser: &impl Denoiser, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let denoised = denoiser.denoise(latents, at).await?;
        self.bounded(&denoised)
    }

    /// Clean latents within the bounds.
    pub(super) fn bounded(&self, denoised: &Tensor) -> Result<Tensor, InferenceError> {
        match (self.threshold, self.clip) {
            (Some(threshold), _) => thresholded(denoised, threshold),
            (None, Some(bound)) => Ok(denoised.clamp(-bound, bound)?),
            (None, None) => Ok(denoised.clone()),
        }
    }
}

/// Dynamic thresholding of each row: bounded by the quantile of its absolute values, at least 1, and divided by it.
fn thresholded(denoised: &Tensor, threshold: Threshold) -> Result<Tensor, InferenceError> {
    let rows = (0..denoised.dim(0)?).map(|row| {
        let row = denoised.narrow(0, row, 1)?;
        let mut sizes = host::floats(&row.abs()?)?;
        sizes.sort_unstable_by(f32::total_cmp);
        let position = threshold.ratio.clamp(0.0, 1.0) * (sizes.len() - 1) as f64;
        let low = position.floor() as usize;
        let (below, above) = (f64::from(sizes[low]), f64::from(sizes[(low + 1).min(sizes.len() - 1)]));
        let quantile = below + (above - below) * (position - low as f64);
        let bound = quantile.max(1.0).min(threshold.max);
        Ok((row.clamp(-bound, bound)? / bound)?)
    });
    Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, InferenceError>>()?, 0)?)
}
