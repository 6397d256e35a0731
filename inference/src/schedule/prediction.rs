//! What the network's output means, and the clean latents that follow from it.

use candle_core::Tensor;

use crate::{error::InferenceError, sampler::NoiseLevel};

/// What the network's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// The velocity (Salimans and Ho 2022).
    Velocity,
    /// The clean latents themselves.
    Sample,
    /// Noise minus clean latents, along the straight line between them (Lipman et al. 2022).
    Flow,
}

impl std::fmt::Display for Prediction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Epsilon => "epsilon",
            Self::Velocity => "v",
            Self::Sample => "sample",
            Self::Flow => "flow",
        })
    }
}

impl std::str::FromStr for Prediction {
    type Err = String;

    /// Reads what people write: `v`, `v_prediction`, `epsilon`, `eps`, `sample`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_lowercase().replace('-', "_").as_str() {
            "v" | "v_pred" | "v_prediction" | "velocity" => Ok(Self::Velocity),
            "epsilon" | "eps" | "noise" => Ok(Self::Epsilon),
            "sample" => Ok(Self::Sample),
            _ => Err(format!("there is no prediction `{text}`; there are v, epsilon and sample")),
        }
    }
}

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

    /// Factor on the latents before they go into the network, which was trained on latents of unit variance; 1 for flow matching.
    pub fn input_scale(self, at: NoiseLevel) -> f64 {
        match self {
            Self::Flow => 1.0,
            Self::Epsilon | Self::Velocity | Self::Sample => 1.0 / at.alpha.hypot(at.sigma),
        }
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
    use candle_core::{Device, Tensor};

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
