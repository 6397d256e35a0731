//! The embeddings of numbers: the timestep, sizes, the guidance scale.

use candle_core::{DType, Device, Tensor};

use super::config::{AddedConfig, UnetConfig};
use crate::layers::{linear, linear_without_bias};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{Activation, Batch, Linear},
};

/// Sines and cosines of the timestep, then two layers (diffusers' `Timesteps` and `TimestepEmbedding`).
pub struct TimeEmbedding {
    linear1: Linear,
    linear2: Linear,
    sinusoid: Sinusoid,
    guidance: Option<(Linear, usize)>,
    dtype: DType,
    device: Device,
}

impl TimeEmbedding {
    /// Reads the layers.
    pub fn load(weights: &Weights, config: &UnetConfig, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let width = config.down[0].channels;
        let guidance = |n: usize| -> Result<_, InferenceError> { Ok((linear_without_bias(&weights.at("cond_proj"), n, width)?, n)) };
        Ok(Self {
            linear1: linear(&weights.at("linear_1"), width, config.time_width)?,
            linear2: linear(&weights.at("linear_2"), config.time_width, config.time_width)?,
            sinusoid: Sinusoid::of(width, config),
            guidance: config.guidance_width.map(guidance).transpose()?,
            dtype,
            device: device.clone(),
        })
    }

    /// `[n, time_width]`, after the SiLU that every residual block begins with.
    pub fn forward(&self, timesteps: &[f64], beside: BesideTime<'_>, batch: Batch<'_>) -> candle_core::Result<Tensor> {
        let rows: Vec<f32> = timesteps.iter().flat_map(|timestep| self.sinusoid.row(*timestep)).collect();
        let mut rows = Tensor::from_vec(rows, (timesteps.len(), self.sinusoid.width), &self.device)?.to_dtype(self.dtype)?;
        if let Some(guidance) = beside.guidance {
            rows = (rows + guidance)?;
        }
        let (linear1, linear2) = (self.linear1.of(batch), self.linear2.of(batch));
        let hidden = Activation::Silu.forward(&linear1.forward(&rows)?)?;
        let hidden = match beside.added {
            Some(added) => linear2.forward_add(&hidden, added)?,
            None => linear2.forward(&hidden)?,
        };
        Activation::Silu.forward(&hidden)
    }

    /// What a guidance scale adds, `[1, width]`; `None` where the network does not take it in.
    ///
    /// Meng et al. 2023, "On distillation of guided diffusion models"; diffusers' `get_guidance_scale_embedding`, which is called with the scale less 1.
    pub fn guidance(&self, guidance_scale: f64, batch: Batch<'_>) -> candle_core::Result<Option<Tensor>> {
        let Some((layer, n)) = &self.guidance else { return Ok(None) };
        let row = Tensor::from_vec(guidance_row(guidance_scale, *n), (1, *n), &self.device)?;
        layer.of(batch).forward(&row.to_dtype(self.dtype)?).map(Some)
    }
}

/// What goes into the network beside the timesteps.
#[derive(Clone, Copy, Default)]
pub struct BesideTime<'a> {
    /// `[n, width]`, added to the sines and cosines.
    pub guidance: Option<&'a Tensor>,
    /// `[n, time_width]`, added to what becomes of them.
    pub added: Option<&'a Tensor>,
}

/// The embedding of the prompt as a whole and of the picture's sizes in Stable Diffusion XL (`addition_embed_type` `text_time`).
pub struct AddedEmbedding {
    linear1: Linear,
    linear2: Linear,
    sinusoid: Sinusoid,
    width: usize,
    dtype: DType,
    device: Device,
}

impl AddedEmbedding {
    /// Reads the layers.
    pub fn load(
        weights: &Weights,
        (added, config): (&AddedConfig, &UnetConfig),
        device: &Device,
        dtype: DType,
    ) -> Result<Self, InferenceError> {
        Ok(Self {
            linear1: linear(&weights.at("linear_1"), added.width, config.time_width)?,
            linear2: linear(&weights.at("linear_2"), config.time_width, config.time_width)?,
            sinusoid: Sinusoid::of(added.id_width, config),
            width: added.width,
            dtype,
            device: device.clone(),
        })
    }

    /// `[1, time_width]` of the pooled prompt `[1, p]` and the sizes.
    pub fn forward(&self, pooled: &Tensor, ids: &[f64], batch: Batch<'_>) -> candle_core::Result<Tensor> {
        let (n, pooled_width) = pooled.dims2()?;
        if n != 1 || pooled_width + ids.len() * self.sinusoid.width != self.width {
            candle_core::bail!("a pooled prompt {:?} and {} sizes for an embedding of {}", pooled.shape(), ids.len(), self.width);
        }
        let sizes: Vec<f32> = ids.iter().flat_map(|id| self.sinusoid.row(*id)).collect();
        let sizes = Tensor::from_vec(sizes, (1, self.width - pooled_width), &self.device)?;
        let row = Tensor::cat(&[&pooled.to_dtype(DType::F32)?, &sizes], 1)?.to_dtype(self.dtype)?;
        self.linear2.of(batch).forward(&Activation::Silu.forward(&self.linear1.of(batch).forward(&row)?)?)
    }
}

/// diffusers' `get_timestep_embedding`: always float32, because a timestep's sine in half precision is noise.
struct Sinusoid {
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
}

impl Sinusoid {
    fn of(width: usize, config: &UnetConfig) -> Self {
        Self { width, flip_sin_to_cos: config.flip_sin_to_cos, freq_shift: config.freq_shift }
    }

    fn row(&self, timestep: f64) -> Vec<f32> {
        let half = self.width / 2;
        let angle = |i: usize| {
            let exponent = -(10_000_f64.ln()) as f32 * i as f32 / (half as f64 - self.freq_shift) as f32;
            timestep as f32 * exponent.exp()
        };
        let (sines, cosines) = ((0..half).map(|i| angle(i).sin()), (0..half).map(|i| angle(i).cos()));
        let mut row: Vec<f32> = if self.flip_sin_to_cos { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() };
        row.resize(self.width, 0.0);
        row
    }
}

/// The same for guidance scales, with the roundings of diffusers' `get_guidance_scale_embedding`.
fn guidance_row(guidance_scale: f64, width: usize) -> Vec<f32> {
    let half = width / 2;
    let rate = 10_000_f32.ln() / (half as f32 - 1.0);
    let scaled = (guidance_scale - 1.0) as f32 * 1000.0;
    let angle = |i: usize| scaled * (i as f32 * -rate).exp();
    let mut row: Vec<f32> = (0..half).map(|i| angle(i).sin()).chain((0..half).map(|i| angle(i).cos())).collect();
    row.resize(width, 0.0);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinusoid_has_diffusers_values() {
        // diffusers 0.42 get_timestep_embedding(torch.tensor([999.]), 6, flip_sin_to_cos=…, downscale_freq_shift=…).
        let row = |flip_sin_to_cos, freq_shift| Sinusoid { width: 6, flip_sin_to_cos, freq_shift }.row(999.0);
        for (found, expected) in [
            (row(true, 0.0), [0.999_649_8, -0.728_673_3, -0.549_264_7, -0.026_460_75, 0.684_861_4, 0.835_648_5]),
            (row(false, 1.0), [-0.026_460_75, -0.535_603_2, 0.099_733_91, 0.999_649_8, -0.844_469_8, 0.995_014_1]),
        ] {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
            }
        }
    }
}
