//! The autoencoder as a part of a model: between pictures and the latents that denoisers see.

use candle_core::{DType, Tensor};

use super::{AutoencoderKl, VaeConfig};
#[cfg(test)]
use crate::family::toy::ToyVae;
use crate::{checkpoint::Weights, error::InferenceError, ops::Padding};

/// A model's autoencoder, of whatever family.
pub struct Vae {
    network: Network,
    scaling_factor: f64,
    latent_channels: usize,
    factor: usize,
    n_parameters: u64,
    dtype: DType,
}

enum Network {
    Kl(Box<AutoencoderKl>),
    #[cfg(test)]
    Toy(ToyVae),
}

impl Vae {
    /// Reads the network; it computes in the type of the weights.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load(weights: &Weights, config: &VaeConfig) -> Result<Self, InferenceError> {
        let network = Network::Kl(Box::new(AutoencoderKl::load(weights, config)?));
        Ok(Self {
            network,
            scaling_factor: config.scaling_factor,
            latent_channels: config.latent_channels,
            factor: config.factor(),
            n_parameters: weights.n_parameters(),
            dtype: weights.dtype(),
        })
    }

    #[cfg(test)]
    pub(crate) fn toy(network: ToyVae) -> Self {
        let (latent_channels, factor) = (ToyVae::CHANNELS, ToyVae::FACTOR);
        Self { network: Network::Toy(network), scaling_factor: 1.0, latent_channels, factor, n_parameters: 0, dtype: DType::F32 }
    }

    /// Mean and standard deviation `[n, c, h, w]` of the latents of pictures `[n, 3, H, W]` in -1..1, as denoisers see latents. Float32; large
    /// pictures go in tiles.
    pub fn encode(&self, pixels: &Tensor, padding: Padding) -> Result<(Tensor, Tensor), InferenceError> {
        let (mean, deviation) = self.moments(pixels, None, padding)?;
        Ok(((mean * self.scaling_factor)?, (deviation * self.scaling_factor)?))
    }

    /// The same less the shift alone, not scaled; in tiles of at most so many latents, a multiple of 4, where that is asked for.
    pub(crate) fn moments(&self, pixels: &Tensor, tile: Option<usize>, padding: Padding) -> Result<(Tensor, Tensor), InferenceError> {
        let pixels = pixels.to_dtype(self.dtype)?;
        let (mean, deviation) = match (&self.network, tile) {
            (Network::Kl(network), None) => network.encode(&pixels, padding)?,
            (Network::Kl(network), Some(side)) => network.encode_in_tiles(&pixels, side, padding)?,
            #[cfg(test)]
            (Network::Toy(network), _) => network.encode(&pixels)?,
        };
        Ok((mean.to_dtype(DType::F32)?, deviation.to_dtype(DType::F32)?))
    }

    /// Pictures `[n, 3, H, W]` in -1..1 (not clamped) of latents `[n, c, h, w]` as denoisers see them. Float32; large pictures go in tiles.
    pub fn decode(&self, latents: &Tensor, padding: Padding) -> Result<Tensor, InferenceError> {
        self.decode_in(latents, None, padding)
    }

    /// The same in tiles of at most so many latents, a multiple of 4, where that is asked for.
    pub(crate) fn decode_in(&self, latents: &Tensor, tile: Option<usize>, padding: Padding) -> Result<Tensor, InferenceError> {
        let latents = (latents.to_dtype(self.dtype)? / self.scaling_factor)?;
        let pixels = match (&self.network, tile) {
            (Network::Kl(network), None) => network.decode(&latents, padding)?,
            (Network::Kl(network), Some(side)) => network.decode_in_tiles(&latents, side, padding)?,
            #[cfg(test)]
            (Network::Toy(network), _) => network.decode(&latents)?,
        };
        Ok(pixels.to_dtype(DType::F32)?)
    }

    /// What the encoder's latents are multiplied by.
    pub fn scaling_factor(&self) -> f64 {
        self.scaling_factor
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        self.latent_channels
    }

    /// How many times smaller than pictures the latents are.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// Numbers in all weights.
    pub fn n_parameters(&self) -> u64 {
        self.n_parameters
    }

    /// Bytes of all weights.
    pub fn n_bytes(&self) -> u64 {
        self.n_parameters * self.dtype.size_in_bytes() as u64
    }
}
