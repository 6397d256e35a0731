//! How noisy latents are.

/// How much noise is in the latents, and the training timestep that the sampler's reference tells the network there.
///
/// Latents are `alpha` times the clean latents plus `sigma` times unit noise. `alpha` is 1 for the samplers of k-diffusion, √ᾱ for the
/// variance-preserving ones, and `1 − sigma` in flow matching.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevel {
    /// Factor on the clean latents.
    pub alpha: f64,
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// Training timestep, fractional where the reference's is.
    pub timestep: f64,
}

impl NoiseLevel {
    /// No noise.
    pub(crate) const CLEAN: Self = Self { alpha: 1.0, sigma: 0.0, timestep: 0.0 };

    /// The variance-preserving level of this ᾱ.
    pub(crate) fn of_alpha_bar(alpha_bar: f64, timestep: f64) -> Self {
        Self { alpha: alpha_bar.sqrt(), sigma: (1.0 - alpha_bar).max(0.0).sqrt(), timestep }
    }

    /// The variance-preserving level whose noise is `sigma` times its picture.
    pub(crate) fn of_sigma(sigma: f64, timestep: f64) -> Self {
        let alpha = 1.0 / sigma.hypot(1.0);
        Self { alpha, sigma: sigma * alpha, timestep }
    }

    /// The level of flow matching.
    pub(crate) fn of_flow(sigma: f64, timestep: f64) -> Self {
        Self { alpha: 1.0 - sigma, sigma, timestep }
    }

    /// Half the logarithm of the signal-to-noise ratio; infinite without noise.
    pub(crate) fn lambda(self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }

    /// ᾱ, for variance-preserving levels.
    pub(crate) fn alpha_bar(self) -> f64 {
        self.alpha * self.alpha
    }

    /// 1 − ᾱ, the variance of the noise, for variance-preserving levels.
    pub(crate) fn variance(self) -> f64 {
        self.sigma * self.sigma
    }

    /// ᾱ here over ᾱ at a cleaner level: close to 1, so that what float32 makes of it shows in the references' noise.
    pub(crate) fn alpha_ratio(self, cleaner: Self) -> f64 {
        f64::from(self.alpha_bar() as f32 / cleaner.alpha_bar() as f32)
    }
}
