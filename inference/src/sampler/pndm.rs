//! Pseudo numerical methods for diffusion models: Liu et al. 2022, Algorithm 2, with a Runge–Kutta start or (PLMS) with a start of rising order.
//!
//! A step of the plan is one network call. The memory holds the network's last outputs; while a step is not complete, also the latents that it
//! began with and, in the Runge–Kutta start, the weighted sum of its outputs so far (before the latents).

use candle_core::Tensor;

use super::{Denoiser, Plan, SamplerState, Step, plan::PlannedStep, tensors::mix};
use crate::{
    error::InferenceError,
    schedule::{FirstSteps, Prediction},
};

/// The outputs that extrapolation looks back on.
const N_OUTPUTS: usize = 3;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let denoised = denoiser.denoise(&state.latents, planned.at).await?;
    let output = plan.prediction().output(&state.latents, &denoised, planned.at)?;
    let n_made = plan.n_made(state.step);
    let (latents, history) = match plan.settings.first_steps {
        FirstSteps::RungeKutta(n_calls) if n_made < n_calls => runge_kutta(plan, &planned, n_made, &state, output)?,
        _ => multistep(plan, &planned, n_made, &state, output)?,
    };
    Ok(state.advance_with(latents, history, denoised))
}

/// The fourth-order Runge–Kutta step, in four calls.
fn runge_kutta(
    plan: &Plan,
    planned: &PlannedStep,
    n_made: usize,
    state: &SamplerState,
    output: Tensor,
) -> Result<(Tensor, Vec<Tensor>), InferenceError> {
    let mut history = state.history.clone();
    let call = n_made % 4;
    if call == 0 {
        history.push(output.clone());
        history.push((&output / 6.0)?);
        history.push(state.latents.clone());
        return Ok((transferred(plan, planned, &state.latents, &output)?, history));
    }
    let (Some(began), Some(sum)) = (history.pop(), history.pop()) else {
        return Err(candle_core::Error::Msg("a Runge–Kutta step was not begun".into()).into());
    };
    if call == 3 {
        let mean = mix([(1.0, &sum), (1.0 / 6.0, &output)])?;
        return Ok((transferred(plan, planned, &began, &mean)?, history));
    }
    history.push(mix([(1.0, &sum), (1.0 / 3.0, &output)])?);
    let latents = transferred(plan, planned, &began, &output)?;
    history.push(began);
    Ok((latents, history))
}

/// The linear multistep; the run's second call improves its first.
fn multistep(
    plan: &Plan,
    planned: &PlannedStep,
    n_made: usize,
    state: &SamplerState,
    output: Tensor,
) -> Result<(Tensor, Vec<Tensor>), InferenceError> {
    let mut outputs = state.history.clone();
    if n_made == 1 {
        let (Some(began), Some(first)) = (outputs.pop(), outputs.pop()) else {
            return Err(candle_core::Error::Msg("the first step was not begun".into()).into());
        };
        let mean = mix([(0.5, &output), (0.5, &first)])?;
        return Ok((transferred(plan, planned, &began, &mean)?, vec![first]));
    }
    outputs.push(output);
    let weights: &[f64] = match outputs.len() {
        1 => &[1.0],
        2 => &[3.0 / 2.0, -1.0 / 2.0],
        3 => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
        _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
    };
    let extrapolated = mix(weights.iter().copied().zip(outputs.iter().rev()))?;
    let latents = transferred(plan, planned, &state.latents, &extrapolated)?;
    if n_made == 0 {
        outputs.push(state.latents.clone());
    } else {
        outputs.drain(..outputs.len().saturating_sub(N_OUTPUTS));
    }
    Ok((latents, outputs))
}

/// Equation 9 of the paper: from one level to another along an output.
fn transferred(plan: &Plan, planned: &PlannedStep, latents: &Tensor, output: &Tensor) -> Result<Tensor, InferenceError> {
    let (from, to) = (planned.via.unwrap_or(planned.at), planned.to);
    let noise = match plan.prediction() {
        Prediction::Velocity => mix([(from.alpha, output), (from.sigma, latents)])?,
        Prediction::Sample => mix([(1.0 / from.sigma, latents), (-from.alpha / from.sigma, output)])?,
        Prediction::Epsilon | Prediction::Flow => output.clone(),
    };
    let denominator = from.alpha_bar() * to.sigma + from.alpha * from.sigma * to.alpha;
    mix([(to.alpha / from.alpha, latents), (-(to.alpha_bar() - from.alpha_bar()) / denominator, &noise)])
}
