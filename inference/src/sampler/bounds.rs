//! Bounds on the clean latents.

use candle_core::Tensor;

use super::Denoiser;
use crate::{
    error::InferenceError,
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
        self.bounded(denoiser, &denoised).await
    }

    /// Clean latents `[1, c, h, w]` within the bounds.
    pub(super) async fn bounded(&self, denoiser: &impl Denoiser, denoised: &Tensor) -> Result<Tensor, InferenceError> {
        match (self.threshold, self.clip) {
            (Some(threshold), _) => {
                let bound = threshold.bound(denoiser.read(denoised).await?);
                Ok((denoised.clamp(-bound, bound)? / bound)?)
            }
            (None, Some(bound)) => Ok(denoised.clamp(-bound, bound)?),
            (None, None) => Ok(denoised.clone()),
        }
    }
}

impl Threshold {
    /// What a picture's numbers are bounded to and then divided by: the quantile of their absolute values, at least 1.
    fn bound(self, numbers: Vec<f32>) -> f64 {
        let mut sizes: Vec<f32> = numbers.into_iter().map(f32::abs).collect();
        let Some(last) = sizes.len().checked_sub(1) else { return 1.0 };
        sizes.sort_unstable_by(f32::total_cmp);
        let position = self.ratio.clamp(0.0, 1.0) * last as f64;
        let low = position.floor() as usize;
        let (below, above) = (f64::from(sizes[low]), f64::from(sizes[(low + 1).min(last)]));
        let quantile = below + (above - below) * (position - low as f64);
        quantile.max(1.0).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_bounded_by_a_quantile_of_their_sizes() {
        for (ratio, max, numbers, expected) in [
            (0.5, 9.0, &[-3.0, 1.0, 2.0][..], 2.0),
            (0.75, 9.0, &[-3.0, 1.0, 2.0], 2.5),
            (1.0, 9.0, &[-3.0, 1.0, 2.0], 3.0),
            (7.0, 9.0, &[-3.0, 1.0, 2.0], 3.0),
            (1.0, 2.5, &[-3.0, 1.0, 2.0], 2.5),
            (0.5, 9.0, &[0.1, -0.2, 0.3], 1.0),
            (0.5, 9.0, &[], 1.0),
            (0.5, 9.0, &[f32::NAN, 1.0, 1.0], 1.0),
        ] {
            assert_eq!(Threshold { ratio, max }.bound(numbers.to_vec()), expected, "{ratio} of {numbers:?}");
        }
    }
}
