//! Pseudo numerical methods for diffusion models: Liu et al. 2022, Algorithm 2, with a Runge–Kutta start or (PLMS) with a start of rising order.
//!
//! A step of the plan is one network call. The memory holds the network's last outputs; while a step is not complete, also the latents that it
//! began with and, in the Runge–Kutta start, the weighted sum of its outputs so far (before the latents).

use candle_core::Tensor;

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, NoiseLevel, Prediction, ScheduleConfig, ScheduleKind, Table,
        keys::Spacing,
        spec::{End, Space, Spec, Timesteps},
    },
};

/// The outputs that extrapolation looks back on.
const N_OUTPUTS: usize = 3;
/// Calls of the Runge–Kutta start.
const N_RUNGE_KUTTA: usize = 12;
/// Where the last step goes.
const END: End = End::AlphaToOne { default: false };

/// PNDM.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Pndm {
    prediction: Prediction,
    /// Where each call steps from, whatever level the network is told.
    from: Vec<NoiseLevel>,
    starts_by_runge_kutta: bool,
}

/// A call of the network: told one level, or timestep, it steps from another to a third. Timesteps below 0 are the end.
struct Call<T> {
    at: T,
    from: T,
    to: T,
}

impl Method for Pndm {
    const NAMES: Names = Names {
        ours: "pndm",
        shown: "PLMS",
        class: "PNDMScheduler",
        others: &[],
        about: "the first of Stable Diffusion",
        automatic: ScheduleKind::Normal,
    };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        Spec { spacing: Spacing::Leading, ..Spec::of(Self::NAMES.class, Space::Timesteps(Timesteps::to(END))) }
    }

    fn levels(setup: &Setup<'_>) -> Levels {
        let (at, to) = calls(setup).0.into_iter().map(|call| (call.at, call.to)).unzip();
        Levels { at, to, init_noise_sigma: 1.0 }
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        let (calls, starts_by_runge_kutta) = calls(setup);
        let from = calls.into_iter().map(|call| call.from).collect();
        Self { prediction: setup.config.prediction, from, starts_by_runge_kutta }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        let denoised = denoiser.denoise(&state.latents, at).await?;
        let output = self.prediction.output(&state.latents, &denoised, at)?;
        let n_made = run.n_made(state.step);
        let from = self.from[state.step];
        let transferred = |latents: &Tensor, output: &Tensor| self.transferred(latents, output, from, to);
        let (latents, history) = if self.starts_by_runge_kutta && n_made < N_RUNGE_KUTTA {
            runge_kutta(n_made, &state, output, transferred)?
        } else {
            multistep(n_made, &state, output, transferred)?
        };
        Ok(state.advance_with(latents, history, denoised))
    }
}

/// The calls of a run, and whether it starts by Runge–Kutta's method.
fn calls(setup: &Setup<'_>) -> (Vec<Call<NoiseLevel>>, bool) {
    let table = setup.config.table(&setup.spec);
    let end = table.end(setup.config, END);
    let level = |timestep: f64| if timestep >= 0.0 { table.level_at(timestep.min((table.len() - 1) as f64)) } else { end };
    let (calls, starts_by_runge_kutta) = timesteps(setup, &table);
    let levels = calls.into_iter().map(|Call { at, from, to }| Call { at: level(at), from: level(from), to: level(to) });
    (levels.collect(), starts_by_runge_kutta)
}

/// What a call does depends on how many the run has made, so that a run from the middle does not go through the levels one by one.
fn timesteps(setup: &Setup<'_>, table: &Table) -> (Vec<Call<f64>>, bool) {
    let (config, n) = (setup.config, setup.asked.n_steps);
    let chosen = table.timesteps(config, &setup.spec, false, setup.asked);
    // The reference has no Runge–Kutta start with fewer timesteps than the method's order, nor with uneven ones.
    let is_even = setup.asked.kind.is_even();
    let stride = (table.len() / n) as f64;
    let start = |told: &[f64]| setup.n_skipped.min(told.len() - 1);
    if config.skips_runge_kutta(&setup.spec) || chosen.len() < 4 || !is_even {
        let told: Vec<f64> = match chosen.as_slice() {
            [first, second, rest @ ..] => [*first, *second, *second].into_iter().chain(rest.iter().copied()).collect(),
            few => few.to_vec(),
        };
        let start = start(&told);
        let call = |i: usize| {
            let at = told[i];
            let next = told.get(i + 1).copied().unwrap_or(-1.0);
            let (from, to) = match (is_even, i.checked_sub(start)) {
                (true, Some(1)) => (at + stride, at),
                (true, _) => (at, at - stride),
                (false, Some(1)) => (told[i - 1], at),
                (false, _) if next == at => (at, told.get(i + 2).copied().unwrap_or(-1.0)),
                (false, _) => (at, next),
            };
            Call { at, from, to }
        };
        return ((0..told.len()).map(call).collect(), false);
    }
    let half = (table.len() / n / 2) as f64;
    let doubled: Vec<f64> = chosen[..4].iter().rev().flat_map(|&timestep| [timestep, timestep + half]).collect();
    let repeated: Vec<f64> = doubled[..7].iter().flat_map(|&timestep| [timestep, timestep]).collect();
    let runge_kutta: Vec<f64> = repeated[1..=N_RUNGE_KUTTA].iter().rev().copied().collect();
    let told: Vec<f64> = runge_kutta.iter().chain(&chosen[3..]).copied().collect();
    let start = start(&told);
    let call = |i: usize| {
        let at = told[i];
        match i.checked_sub(start) {
            Some(counter) if counter < N_RUNGE_KUTTA => {
                Call { at, from: runge_kutta[counter / 4 * 4], to: at - if counter % 2 == 0 { half } else { 0.0 } }
            }
            _ => Call { at, from: at, to: at - stride },
        }
    };
    ((0..told.len()).map(call).collect(), true)
}

/// The last two tensors of a memory: those that an incomplete step has left.
fn left_by_incomplete(history: &mut Vec<Tensor>) -> Result<(Tensor, Tensor), InferenceError> {
    match (history.pop(), history.pop()) {
        (Some(last), Some(before)) => Ok((before, last)),
        _ => Err(candle_core::Error::Msg("a step of several calls was not begun".into()).into()),
    }
}

/// The fourth-order Runge–Kutta step, in four calls.
fn runge_kutta(
    n_made: usize,
    state: &SamplerState,
    output: Tensor,
    transferred: impl Fn(&Tensor, &Tensor) -> Result<Tensor, InferenceError>,
) -> Result<(Tensor, Vec<Tensor>), InferenceError> {
    let mut history = state.history.clone();
    let call = n_made % 4;
    if call == 0 {
        history.push(output.clone());
        history.push((&output / 6.0)?);
        history.push(state.latents.clone());
        return Ok((transferred(&state.latents, &output)?, history));
    }
    let (sum, began) = left_by_incomplete(&mut history)?;
    if call == 3 {
        let mean = mix([(1.0, &sum), (1.0 / 6.0, &output)])?;
        return Ok((transferred(&began, &mean)?, history));
    }
    history.push(mix([(1.0, &sum), (1.0 / 3.0, &output)])?);
    let latents = transferred(&began, &output)?;
    history.push(began);
    Ok((latents, history))
}

/// The linear multistep; the run's second call improves its first.
fn multistep(
    n_made: usize,
    state: &SamplerState,
    output: Tensor,
    transferred: impl Fn(&Tensor, &Tensor) -> Result<Tensor, InferenceError>,
) -> Result<(Tensor, Vec<Tensor>), InferenceError> {
    let mut outputs = state.history.clone();
    if n_made == 1 {
        let (first, began) = left_by_incomplete(&mut outputs)?;
        let mean = mix([(0.5, &output), (0.5, &first)])?;
        return Ok((transferred(&began, &mean)?, vec![first]));
    }
    outputs.push(output);
    let weights: &[f64] = match outputs.len() {
        1 => &[1.0],
        2 => &[3.0 / 2.0, -1.0 / 2.0],
        3 => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
        _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
    };
    let extrapolated = mix(weights.iter().copied().zip(outputs.iter().rev()))?;
    let latents = transferred(&state.latents, &extrapolated)?;
    if n_made == 0 {
        outputs.push(state.latents.clone());
    } else {
        outputs.drain(..outputs.len().saturating_sub(N_OUTPUTS));
    }
    Ok((latents, outputs))
}

impl Pndm {
    /// Equation 9 of the paper: from one level to another along an output.
    fn transferred(&self, latents: &Tensor, output: &Tensor, from: NoiseLevel, to: NoiseLevel) -> Result<Tensor, InferenceError> {
        let noise = match self.prediction {
            Prediction::Velocity => mix([(from.alpha, output), (from.sigma, latents)])?,
            Prediction::Sample => mix([(1.0 / from.sigma, latents), (-from.alpha / from.sigma, output)])?,
            Prediction::Epsilon | Prediction::Flow => output.clone(),
        };
        let denominator = from.alpha_bar() * to.sigma + from.alpha * from.sigma * to.alpha;
        mix([(to.alpha / from.alpha, latents), (-(to.alpha_bar() - from.alpha_bar()) / denominator, &noise)])
    }
}
