//! Linear multistep in sigma, of fourth order: Adams–Bashforth with uneven steps, k-diffusion `sample_lms`.

use super::{Denoiser, Plan, SamplerState, Step, euler::slope, tensors::mix};
use crate::error::InferenceError;

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

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let i = state.step;
    let planned = plan.steps[i];
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let mut slopes = state.history.clone();
    slopes.push(slope(&state.latents, &denoised, planned.at)?);
    // A run that starts in the middle takes the full order's weights from its first step on, though it has fewer slopes: so does the reference.
    let order = (i + 1).min(ORDER);
    let sigmas: Vec<f64> = (0..order).map(|k| plan.steps[i - k].at.sigma).collect();
    let weights = (0..order).map(|j| coefficient(&sigmas, j, planned.to.sigma));
    let terms = weights.zip(slopes.iter().rev());
    let latents = mix([(1.0, &state.latents)].into_iter().chain(terms))?;
    let n_old = slopes.len().saturating_sub(ORDER - 1);
    slopes.drain(..n_old);
    Ok(state.advance_with(latents, slopes, denoised))
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
