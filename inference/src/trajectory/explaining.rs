//! From what was noted of a picture to how it came from noise.

use candle_core::Tensor;
use futures::future::try_join_all;
use image::{DynamicImage, RgbImage, imageops::FilterType};

use super::{
    looking::{Looking, Seen, channels},
    picture::Picture,
    source::unit_noise,
};
use crate::{
    engine::{EXPLAINED_SIDE, Explained, Glimpse},
    error::InferenceError,
    noise::TorchGenerator,
    pixels,
    sampler::NoiseLevel,
};

impl Picture<'_> {
    /// How it came from noise to these latents.
    pub(super) async fn explained(
        &self,
        looking: &Looking,
        (seen, sigmas): (Vec<Seen>, Vec<f64>),
        latents: &Tensor,
    ) -> Result<Explained, InferenceError> {
        let noise = unit_noise(latents.dims(), &mut TorchGenerator::new(self.seed().0), latents.device())?;
        let glimpse = async |Seen { step, level, sigma: told, latents: before, clean }: Seen| {
            let NoiseLevel { alpha, sigma, .. } = level;
            let to_unit = 1.0 / alpha.hypot(sigma);
            let (forward, reverse) = ((((latents * alpha)? + (&noise * sigma)?)? * to_unit)?, (before * to_unit)?);
            let (forward, reverse, guess) = futures::try_join!(self.small(&forward), self.small(&reverse), self.small(&clean))?;
            Ok::<_, InferenceError>(Glimpse { step: step + 1, sigma: told, forward, reverse, guess })
        };
        let glimpses = try_join_all(seen.into_iter().map(glimpse)).await?;
        Ok(Explained { glimpses, sigmas, channels: channels(latents)?, words: looking.maps.of_words(&looking.words)? })
    }

    /// Latents decoded, and made smaller.
    async fn small(&self, latents: &Tensor) -> Result<RgbImage, InferenceError> {
        let image = pixels::to_image(&pixels::to_unit(&self.caller.decode(latents).await?)?)?;
        if image.width().max(image.height()) <= EXPLAINED_SIDE {
            return Ok(image);
        }
        Ok(DynamicImage::from(image).resize(EXPLAINED_SIDE, EXPLAINED_SIDE, FilterType::Triangle).into_rgb8())
    }
}
