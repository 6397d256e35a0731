//! The training timesteps of a model: how noisy the latents are at each, whole or fractional.

use super::{
    NoiseLevel,
    betas::{betas, cumulative_product, rescaled_to_zero_snr},
    keys::Keys,
    numpy::{interpolate, ln_f32},
    spec::{Spec, ZeroSnr},
};

/// ᾱ and sigma of every training timestep, as the class of a sampler sees them.
pub(crate) struct Table {
    pub(super) alphas_cumprod: Vec<f32>,
    /// σ = √((1 − ᾱ) / ᾱ).
    pub(super) sigmas: Vec<f32>,
    pub(super) log_sigmas: Vec<f32>,
}

/// The noise levels of a run.
#[derive(Clone, Debug)]
pub(crate) struct Levels {
    /// The level at which each step calls the network first; descending.
    pub(crate) at: Vec<NoiseLevel>,
    /// The level that each step goes to.
    pub(crate) to: Vec<NoiseLevel>,
    /// Factor on unit noise that gives the first latents.
    pub(crate) init_noise_sigma: f64,
}

impl Table {
    pub(super) fn new(keys: &Keys, spec: &Spec) -> Self {
        let mut betas = betas(keys, spec.betas);
        let zero_snr = if keys.rescale_betas_zero_snr == Some(true) { spec.zero_snr } else { ZeroSnr::Unknown };
        if zero_snr != ZeroSnr::Unknown {
            betas = rescaled_to_zero_snr(&betas);
        }
        let mut alphas_cumprod = cumulative_product(&betas);
        if let Some(last) = alphas_cumprod.last_mut().filter(|_| zero_snr == ZeroSnr::Approached) {
            *last = 1.0 / 16_777_216.0;
        }
        let sigmas: Vec<f32> = alphas_cumprod.iter().map(|alpha| ((1.0 - alpha) / alpha).sqrt()).collect();
        let log_sigmas = sigmas.iter().map(|&sigma| ln_f32(sigma)).collect();
        Self { alphas_cumprod, sigmas, log_sigmas }
    }

    /// Number of training timesteps.
    pub(crate) fn len(&self) -> usize {
        self.sigmas.len()
    }

    /// The smallest and the largest sigma of training.
    pub(super) fn range(&self) -> (f64, f64) {
        (f64::from(self.sigmas[0]), f64::from(self.sigmas[self.len() - 1]))
    }

    /// Sigma at a timestep, linear in between.
    pub(super) fn sigma_at(&self, timestep: f64) -> f64 {
        interpolate(&self.sigmas, timestep)
    }

    /// The variance-preserving level at a timestep, ᾱ linear in between.
    pub(crate) fn level_at(&self, timestep: f64) -> NoiseLevel {
        NoiseLevel::of_alpha_bar(interpolate(&self.alphas_cumprod, timestep), timestep)
    }

    /// The fractional timestep of a sigma, linear in log sigma (`_sigma_to_t` of diffusers and k-diffusion).
    pub(crate) fn timestep_of(&self, sigma: f64) -> f64 {
        let log_sigma = sigma.max(1e-10).ln();
        // The reference counts, from below, the last timestep of those not above.
        let n_below = self.log_sigmas.iter().filter(|&&other| log_sigma - f64::from(other) >= 0.0).count();
        let low = n_below.saturating_sub(1).min(self.len() - 2);
        let (below, above) = (f64::from(self.log_sigmas[low]), f64::from(self.log_sigmas[low + 1]));
        let step = f64::from(self.log_sigmas[low] - self.log_sigmas[low + 1]);
        let weight = if below == above { 0.0 } else { ((below - log_sigma) / step).clamp(0.0, 1.0) };
        (1.0 - weight) * low as f64 + weight * (low + 1) as f64
    }
}
