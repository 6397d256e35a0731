//! What a picture starts from: noise, another picture with noise, or a picture of which a part stays.

use candle_core::{Device, Tensor};
use image::GrayImage;

use super::{Job, pass::Pass};
use crate::{
    batcher::Caller,
    error::InferenceError,
    noise::TorchGenerator,
    pixels,
    sampler::{NoiseLevel, Plan},
    task::{Pixels, Role, TaskKind},
};

/// A value of the mask from which on a pixel is drawn anew; diffusers' 0.5.
const DRAWN: u8 = 128;

/// The encoded source of a task, shared by its pictures.
pub(crate) struct Source {
    latents: Encoded,
    mask: Option<Mask>,
}

/// Mean and standard deviation of scaled latents `[1, c, h, w]`.
struct Encoded {
    mean: Tensor,
    deviation: Tensor,
}

/// Where a picture is drawn anew.
struct Mask {
    /// `[1, 1, h, w]` at the latents' size: 1.0 where it is drawn.
    drawn: Tensor,
    /// The source without the drawn part.
    rest: Encoded,
}

impl Source {
    /// Whether a part of it stays.
    pub(super) fn has_mask(&self) -> bool {
        self.mask.is_some()
    }
}

impl Encoded {
    fn draw(&self, noise: &mut TorchGenerator) -> Result<Tensor, InferenceError> {
        Ok((&self.mean + (&self.deviation * unit_noise(self.mean.dims(), noise, self.mean.device())?)?)?)
    }
}

/// What a picture is held to while it is drawn.
pub(crate) enum Kept {
    /// Nothing.
    Nothing,
    /// A network for inpainting sees mask and rest as further channels, `[1, 1 + c, h, w]`.
    Seen(Tensor),
    /// An ordinary network: the part that stays is put back at every step (diffusers' `StableDiffusionInpaintPipeline`).
    PutBack { drawn: Tensor, stays: Tensor, clean: Tensor, noise: Tensor },
}

impl Kept {
    /// The U-Net's input with what it sees beside the latents.
    pub(crate) fn input(&self, latents: Tensor) -> Result<Tensor, InferenceError> {
        match self {
            Self::Seen(channels) => Ok(Tensor::cat(&[&latents, channels], 1)?),
            Self::Nothing | Self::PutBack { .. } => Ok(latents),
        }
    }

    /// The latents after `step` with the part that stays.
    pub(crate) fn after(&self, plan: &Plan, step: usize, latents: Tensor) -> Result<Tensor, InferenceError> {
        match self {
            Self::PutBack { clean, noise, .. } => self.put_back(&latents, &plan.noised_after(step, clean, noise)?),
            Self::Nothing | Self::Seen(_) => Ok(latents),
        }
    }

    /// The latents within a step, at `at`.
    pub(crate) fn within(&self, latents: Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        match self {
            Self::PutBack { clean, noise, .. } => self.put_back(&latents, &((clean * at.alpha)? + (noise * at.sigma)?)?),
            Self::Nothing | Self::Seen(_) => Ok(latents),
        }
    }

    /// The estimate of the clean latents with the part that stays, as the last latents have it.
    pub(crate) fn clean(&self, denoised: &Tensor) -> Result<Tensor, InferenceError> {
        self.within(denoised.clone(), NoiseLevel::CLEAN)
    }

    fn put_back(&self, latents: &Tensor, original: &Tensor) -> Result<Tensor, InferenceError> {
        match self {
            Self::PutBack { drawn, stays, .. } => Ok((original.broadcast_mul(stays)? + latents.broadcast_mul(drawn)?)?),
            Self::Nothing | Self::Seen(_) => Ok(latents.clone()),
        }
    }
}

impl Job {
    /// Encodes the source of a task that has one.
    pub(crate) async fn encode_source(&self, caller: &Caller) -> Result<Option<Source>, InferenceError> {
        if matches!(self.task().kind, TaskKind::TextToImage(_) | TaskKind::Upscale(_)) {
            return Ok(None);
        }
        let pixels = pixels::from_unit(&self.source_pixels()?)?;
        let encode = async |pixels: &Tensor| -> Result<Encoded, InferenceError> {
            let (mean, deviation) = caller.encode_image(pixels).await?;
            Ok(Encoded { mean, deviation })
        };
        let latents = encode(&pixels).await?;
        let Some(Pixels::Gray(mask)) = self.input(&Role::Mask) else {
            return Ok(Some(Source { latents, mask: None }));
        };
        let stays = binary(mask, 1, |value| value < DRAWN, pixels.device())?;
        let drawn = binary(mask, self.facts.limits.rules.vae_factor as u32, |value| value >= DRAWN, pixels.device())?;
        let rest = encode(&pixels.broadcast_mul(&stays)?).await?;
        Ok(Some(Source { latents, mask: Some(Mask { drawn, rest }) }))
    }

    /// The first latents, and what they are held to. Noise is drawn in the order of diffusers' pipelines.
    pub(super) fn first_latents(
        &self,
        pass: &Pass,
        source: Option<&Source>,
        noise: &mut TorchGenerator,
    ) -> Result<(Tensor, Kept), InferenceError> {
        let facts = &self.facts;
        let shape = facts.limits.rules.latent_shape(pass.size);
        let Some(Source { latents, mask }) = source else {
            return Ok((pass.plan.first_latents(&unit_noise(&shape, noise, &facts.device)?)?, Kept::Nothing));
        };
        let Some(Mask { drawn, rest }) = mask else {
            let clean = latents.draw(noise)?;
            return Ok((pass.plan.noised(&clean, &unit_noise(&shape, noise, &facts.device)?)?, Kept::Nothing));
        };
        let is_seen = facts.limits.rules.sees_mask;
        let is_all_noise = self.task().strength() == Some(1.0);
        let clean = if is_seen && is_all_noise { None } else { Some(latents.draw(noise)?) };
        let first_noise = unit_noise(&shape, noise, &facts.device)?;
        let first = match &clean {
            Some(clean) if !is_all_noise => pass.plan.noised(clean, &first_noise)?,
            _ => pass.plan.first_latents(&first_noise)?,
        };
        let rest = rest.draw(noise)?;
        let kept = match clean {
            Some(clean) if !is_seen => Kept::PutBack { drawn: drawn.clone(), stays: drawn.affine(-1.0, 1.0)?, clean, noise: first_noise },
            _ => Kept::Seen(Tensor::cat(&[drawn, &rest], 1)?),
        };
        Ok((first, kept))
    }
}

/// Unit noise, drawn as torch draws it.
pub(super) fn unit_noise(shape: &[usize], noise: &mut TorchGenerator, device: &Device) -> Result<Tensor, InferenceError> {
    Ok(Tensor::from_vec(noise.randn(shape.iter().product()), shape, device)?)
}

/// `[1, 1, h, w]` of every `stride`-th pixel: 1.0 where it is so (torch's nearest interpolation).
fn binary(mask: &GrayImage, stride: u32, is_so: fn(u8) -> bool, device: &Device) -> Result<Tensor, InferenceError> {
    let (width, height) = (mask.width() / stride, mask.height() / stride);
    let pixel = |x: u32, y: u32| if is_so(mask.get_pixel(x * stride, y * stride).0[0]) { 1.0 } else { 0.0_f32 };
    let values: Vec<f32> = (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect();
    Ok(Tensor::from_vec(values, (1, 1, height as usize, width as usize), device)?)
}
