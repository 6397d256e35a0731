//! From the network's output to the clean latents, and back.

use candle_core::Tensor;

use crate::{
    error::InferenceError,
    schedule::{NoiseLevel, Prediction},
};

impl Prediction {
    /// The clean latents, from noisy `latents` and the network's `output` at this level, all `[n, c, h, w]`.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub fn denoised(self, latents: &Tensor, output: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        Ok(match self {
            Self::Epsilon => ((latents - (output * at.sigma)?)? / at.alpha)?,
            Self::Velocity => {
                let length = at.alpha.hypot(at.sigma);
                ((latents * (at.alpha / length / length))? - (output * (at.sigma / length))?)?
            }
            Self::Sample => output.clone(),
            Self::Flow => (latents - (output * at.sigma)?)?,
        })
    }

    /// The network's output again, from `latents` and the `denoised` that followed from it: for solvers that extrapolate raw outputs.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub(crate) fn output(self, latents: &Tensor, denoised: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        Ok(match self {
            Self::Epsilon => noise(latents, denoised, at)?,
            Self::Velocity => {
                let length = at.alpha.hypot(at.sigma);
                ((latents * (at.alpha / at.sigma / length))? - (denoised * (length / at.sigma))?)?
            }
            Self::Sample => denoised.clone(),
            Self::Flow => ((latents - denoised)? / at.sigma)?,
        })
    }
}

/// The noise in `latents` if their clean part is `denoised`.
pub(crate) fn noise(latents: &Tensor, denoised: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
    Ok(((latents - (denoised * at.alpha)?)? / at.sigma)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Latents made of known clean latents and noise come apart again, whatever the network says and in whichever space.
    #[test]
    fn clean_latents_follow_from_each_kind_of_output() {
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).expect("a tensor");
        let (clean, unit) = (tensor(&[0.5, -1.0, 2.0]), tensor(&[1.5, 0.25, -0.75]));
        for (prediction, alpha, sigma) in [
            (Prediction::Epsilon, 1.0, 3.0),
            (Prediction::Epsilon, 0.6, 0.8),
            (Prediction::Velocity, 0.6, 0.8),
            (Prediction::Velocity, 1.0, 3.0),
            (Prediction::Sample, 0.6, 0.8),
            (Prediction::Flow, 0.3, 0.7),
        ] {
            let check = || -> Result<(), InferenceError> {
                let at = NoiseLevel { alpha, sigma, timestep: 0.0 };
                let latents = ((&clean * alpha)? + (&unit * sigma)?)?;
                let length = f64::hypot(alpha, sigma);
                let output = match prediction {
                    Prediction::Epsilon => unit.clone(),
                    Prediction::Velocity => ((&unit * (alpha / length))? - (&clean * (sigma / length))?)?,
                    Prediction::Sample => clean.clone(),
                    Prediction::Flow => (&unit - &clean)?,
                };
                let denoised = prediction.denoised(&latents, &output, at)?;
                let again = prediction.output(&latents, &denoised, at)?;
                for (found, wanted) in [(denoised, &clean), (again, &output), (noise(&latents, &clean, at)?, &unit)] {
                    let off = (found - wanted)?.abs()?.max_all()?.to_scalar::<f64>()?;
                    assert!(off < 1e-12, "{prediction:?} at {alpha}, {sigma}: {off}");
                }
                Ok(())
            };
            check().expect("arithmetic");
        }
    }
}
