//! The timestep's embedding.

use candle_core::{DType, Device, Tensor};

use super::{config::UnetConfig, layers::linear};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{Activation, Linear},
};

/// Sines and cosines of the timestep, then two layers (diffusers' `Timesteps` and `TimestepEmbedding`).
pub struct TimeEmbedding {
    linear1: Linear,
    linear2: Linear,
    sinusoid: Sinusoid,
    dtype: DType,
    device: Device,
}

impl TimeEmbedding {
    /// Reads the layers.
    pub fn load(weights: &Weights, config: &UnetConfig, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let width = config.down[0].channels;
        Ok(Self {
            linear1: linear(&weights.at("linear_1"), width, config.time_width)?,
            linear2: linear(&weights.at("linear_2"), config.time_width, config.time_width)?,
            sinusoid: Sinusoid { width, flip_sin_to_cos: config.flip_sin_to_cos, freq_shift: config.freq_shift },
            dtype,
            device: device.clone(),
        })
    }

    /// `[n, time_width]`, after the SiLU that every residual block begins with.
    pub fn forward(&self, timesteps: &[f64]) -> candle_core::Result<Tensor> {
        let rows: Vec<f32> = timesteps.iter().flat_map(|timestep| self.sinusoid.row(*timestep)).collect();
        let rows = Tensor::from_vec(rows, (timesteps.len(), self.sinusoid.width), &self.device)?.to_dtype(self.dtype)?;
        let hidden = Activation::Silu.forward(&self.linear1.forward(&rows)?)?;
        Activation::Silu.forward(&self.linear2.forward(&hidden)?)
    }
}

/// diffusers' `get_timestep_embedding`: always float32, because a timestep's sine in half precision is noise.
struct Sinusoid {
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
}

impl Sinusoid {
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
