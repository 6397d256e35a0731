//! DPM-Solver++ (2M), (2M) with fresh noise and (3M): Lu et al. 2022, Algorithm 2, with rising order at the start and falling order at the end.

use super::{Denoiser, Plan, SamplerState, Step, dpm_solver::Differences, tensors::mix};
use crate::{error::InferenceError, schedule::Algorithm};

/// Runs shorter than this end with steps of lower order where the configuration wants it.
pub(super) const SHORT: usize = 15;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let i = state.step;
    let (planned, settings) = (plan.steps[i], &plan.settings);
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let output = settings.algorithm.output(&state.latents, &denoised, planned.at)?;
    let fresh = if settings.algorithm.is_stochastic() { Some(state.draw()?) } else { None };
    let mut outputs = std::mem::take(&mut state.history);
    outputs.push(output.clone());
    let lambda = |back: usize| plan.steps[i - back].at.lambda();
    let h = planned.to.lambda() - lambda(0);
    let weights = settings.algorithm.weights(planned.at, planned.to);
    let newest: Vec<_> = outputs.iter().rev().collect();
    let latents = match (order(plan, i, h), newest.as_slice()) {
        (2, [m0, m1, ..]) => {
            let r0 = (lambda(0) - lambda(1)) / h;
            let first = mix([(1.0 / r0, *m0), (-1.0 / r0, m1)])?;
            weights.applied(plan, &state.latents, m0, Differences::First(&first), fresh.as_ref())?
        }
        (3, [m0, m1, m2, ..]) => {
            let (r0, r1) = ((lambda(0) - lambda(1)) / h, (lambda(1) - lambda(2)) / h);
            let newer = mix([(1.0 / r0, *m0), (-1.0 / r0, m1)])?;
            let older = mix([(1.0 / r1, *m1), (-1.0 / r1, m2)])?;
            let change = (&newer - &older)?;
            let first = mix([(1.0, &newer), (r0 / (r0 + r1), &change)])?;
            let second = (change / (r0 + r1))?;
            weights.applied(plan, &state.latents, m0, Differences::Both(&first, &second), fresh.as_ref())?
        }
        _ => weights.applied(plan, &state.latents, &output, Differences::None, fresh.as_ref())?,
    };
    let n_old = outputs.len().saturating_sub(settings.order - 1);
    outputs.drain(..n_old);
    Ok(state.advance_with(latents, outputs, denoised))
}

/// The order of a step.
fn order(plan: &Plan, i: usize, h: f64) -> usize {
    let (settings, n) = (&plan.settings, plan.steps.len());
    let is_short = settings.lower_order_final && n < SHORT;
    let highest = if settings.algorithm == Algorithm::NoiseSde { settings.order.min(2) } else { settings.order };
    let limit = match n - i {
        _ if h == 0.0 => 1,
        1 if settings.euler_at_final || is_short => 1,
        2 if is_short => 2,
        _ => highest,
    };
    highest.min(limit).min(plan.n_made(i) + 1)
}
