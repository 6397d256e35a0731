//! Linear multistep in sigma, of fourth order: Adams–Bashforth with uneven steps, k-diffusion `sample_lms`.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        k_diffusion::slope,
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        spec::{Sigmas, Space, Spec},
    },
};

/// LMS.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Lms;

const ORDER: usize = 4;

/// The integral over the step of the polynomial that is 1 at the `j`-th newest of the sigmas and 0 at the others.
///
/// Two Gauss points integrate polynomials of third degree exactly.
fn coefficient(sigmas: &[f64], j: usize, to: f64) -> f64 {
    let newest = sigmas[0];
    let polynomial = |sigma: f64| {
        let others = sigmas.iter().enumerate().filter(|&(k, _)| k != j);
        others.map(|(_, other)| (sigma - other) / (sigmas[j] - other)).product::<f64>()
    };
    let (middle, half) = (0.5 * (newest + to), 0.5 * (to - newest));
    let offset = half / 3f64.sqrt();
    half * (polynomial(middle - offset) + polynomial(middle + offset))
}

impl Method for Lms {
    const NAMES: Names = Names {
        ours: "lms",
        shown: "LMS",
        class: "LMSDiscreteScheduler",
        others: &["lmsdiscrete"],
        about: "an older one",
        automatic: ScheduleKind::Normal,
    };

    fn spec(_: &ScheduleConfig) -> Spec {
        Spec::of(Self::NAMES.class, Space::Sigmas(Sigmas { bounds_karras: false, ..Sigmas::USUAL }))
    }

    fn new(_: &Setup<'_>, _: &Levels) -> Self {
        Self
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        let i = state.step;
        let (at, to) = run.levels(i);
        let denoised = denoiser.denoise(&state.latents, at).await?;
        let mut slopes = state.history.clone();
        slopes.push(slope(&state.latents, &denoised, at)?);
        // A run that starts in the middle takes the full order's weights from its first step on, though it has fewer slopes: so does the reference.
        let order = (i + 1).min(ORDER);
        let sigmas: Vec<f64> = (0..order).map(|k| run.at(i - k).sigma).collect();
        let weights = (0..order).map(|j| coefficient(&sigmas, j, to.sigma));
        let terms = weights.zip(slopes.iter().rev());
        let latents = mix([(1.0, &state.latents)].into_iter().chain(terms))?;
        let n_old = slopes.len().saturating_sub(ORDER - 1);
        slopes.drain(..n_old);
        Ok(state.advance_with(latents, slopes, denoised))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_of_even_steps_are_adams_and_bashforths() {
        let sigmas = [3.0, 4.0, 5.0, 6.0];
        for (j, wanted) in [55.0, -59.0, 37.0, -9.0].into_iter().enumerate() {
            assert!((coefficient(&sigmas, j, 2.0) + wanted / 24.0).abs() < 1e-12, "{j}");
        }
        assert_eq!(coefficient(&[3.0], 0, 2.5), -0.5);
    }
}
