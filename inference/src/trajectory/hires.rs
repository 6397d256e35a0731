//! The second, larger pass ("hires fix"): the composition of the small picture, the detail of the large one.

use candle_core::Tensor;
use image::imageops::{FilterType, resize};

use super::{pass::Pass, picture::Picture, source::unit_noise};
use crate::{
    error::InferenceError,
    pixels,
    sampler::SamplerState,
    task::{Enlarger, Hires},
};

impl Picture<'_> {
    /// The beginning of the second pass: the latents after the first, enlarged, with noise.
    pub(super) async fn enlarged(&self, pass: &Pass, hires: Hires, first: SamplerState) -> Result<SamplerState, InferenceError> {
        let (caller, facts) = (&self.caller, &self.drawing.job.facts);
        let SamplerState { latents, mut noise, .. } = first;
        let factor = facts.limits.rules.vae_factor;
        let (height, width) = (pass.size.height as usize, pass.size.width as usize);
        let clean = match hires.enlarger {
            Enlarger::Latent => bilinear(&latents, (height / factor, width / factor))?,
            Enlarger::Network => {
                let small = pixels::to_unit(&caller.decode(&latents).await?)?.clamp(0.0, 1.0)?;
                let large = pixels::to_image(&caller.upscale(&small).await?)?;
                let large = resize(&large, width as u32, height as u32, FilterType::Lanczos3);
                let pixels = pixels::from_unit(&pixels::to_tensor(&large, &facts.device)?)?;
                let (mean, deviation) = caller.encode_image(&pixels).await?;
                (&mean + (deviation * unit_noise(mean.dims(), &mut noise, mean.device())?)?)?
            }
        };
        let unit = unit_noise(clean.dims(), &mut noise, clean.device())?;
        let latents = pass.plan.noised(&clean, &unit)?;
        Ok(SamplerState { step: pass.plan.start, latents, history: Vec::new(), noise })
    }
}

/// `[1, c, h', w']` of `[1, c, h, w]`, torch's `interpolate(mode="bilinear", align_corners=False)`.
fn bilinear(latents: &Tensor, (height, width): (usize, usize)) -> Result<Tensor, InferenceError> {
    let (_, _, old_height, old_width) = latents.dims4()?;
    let device = latents.device();
    let rows = Tensor::from_vec(weights(old_height, height), (height, old_height), device)?;
    let columns = Tensor::from_vec(weights(old_width, width), (width, old_width), device)?;
    // Along the rows, then along the columns: [h', h]·[c·w, h]ᵀ and [w', w]·[c·h', w]ᵀ.
    let (n, channels, _, _) = latents.dims4()?;
    let tall = latents.transpose(2, 3)?.contiguous()?.reshape((n * channels * old_width, old_height))?.matmul(&rows.t()?)?;
    let tall = tall.reshape((n, channels, old_width, height))?.transpose(2, 3)?.contiguous()?;
    let large = tall.reshape((n * channels * height, old_width))?.matmul(&columns.t()?)?;
    Ok(large.reshape((n, channels, height, width))?)
}

/// For each new place along a side the weights of the old ones.
fn weights(old: usize, new: usize) -> Vec<f32> {
    let mut weights = vec![0.0; old * new];
    for (place, row) in weights.chunks_exact_mut(old).enumerate() {
        let at = ((place as f64 + 0.5) * old as f64 / new as f64 - 0.5).max(0.0);
        let first = (at as usize).min(old - 1);
        let share = (at - first as f64) as f32;
        row[first] += 1.0 - share;
        row[(first + 1).min(old - 1)] += share;
    }
    weights
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn latents_are_enlarged_as_torch_enlarges_them() {
        // torch 2.15: F.interpolate(torch.arange(6.).reshape(1, 1, 2, 3), size=(3, 5), mode="bilinear").
        let small = Tensor::arange(0.0_f32, 6.0, &Device::Cpu).and_then(|values| values.reshape((1, 1, 2, 3))).expect("values");
        let large = bilinear(&small, (3, 5)).and_then(|large| Ok(large.flatten_all()?.to_vec1::<f32>()?)).expect("larger");
        let expected = [0.0, 0.4, 1.0, 1.6, 2.0, 1.5, 1.9, 2.5, 3.1, 3.5, 3.0, 3.4, 4.0, 4.6, 5.0];
        assert!(large.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5), "{large:?}");
    }
}
