//! Schedules of the samplers that step through a table of ᾱ: DDIM, DDPM, PNDM, LCM and TCD. Latents are variance-preserving.
//!
//! The reference has only evenly spaced timesteps for them. With the other kinds they take sigmas over the whole table and fractional
//! timesteps, as k-diffusion's samplers do, and step from each level to the next.

use super::{
    Asked, ScheduleConfig, ScheduleKind, Spacing,
    numpy::{falling_range, linspace},
    sigmas::{converted, within},
    table::{Levels, Table},
};
use crate::sampler::{NoiseLevel, Sampler};

/// Whole timesteps of `n` steps, in falling order.
fn spaced(config: &ScheduleConfig, sampler: Sampler, kind: ScheduleKind, n: usize, n_train: usize) -> Vec<f64> {
    let last = (n_train - 1) as f64;
    match config.spacing(sampler, kind) {
        Spacing::Linspace => linspace(0.0, last, n).into_iter().rev().map(f64::round_ties_even).collect(),
        Spacing::Leading => {
            let (ratio, offset) = (n_train / n, config.steps_offset(sampler));
            (0..n).rev().map(|i| ((i * ratio) as f64 + offset).min(last)).collect()
        }
        Spacing::Trailing => {
            let timestep = |t: f64| (t.round_ties_even() - 1.0).max(0.0);
            falling_range(n_train as f64, n_train as f64 / n as f64).into_iter().map(timestep).collect()
        }
    }
}

/// The timesteps of consistency models: a choice among those that they were distilled on. More steps than those stretch the choice.
fn distilled(config: &ScheduleConfig, n: usize, n_train: usize) -> Vec<f64> {
    let original = config.file.original_inference_steps.unwrap_or(50).max(n).min(n_train);
    let stride = n_train / original;
    let kept = ((original as f64 * config.distilled_share) as usize).max(n);
    let step = kept as f64 / n as f64;
    let chosen = |i: usize| ((kept - (i as f64 * step) as usize) * stride - 1) as f64;
    (0..n).map(chosen).collect()
}

fn timesteps(config: &ScheduleConfig, sampler: Sampler, kind: ScheduleKind, n: usize, table: &Table) -> Vec<f64> {
    match converted(kind, within(config, table.range()), n) {
        Some(sigmas) => sigmas.into_iter().map(|sigma| table.timestep_of(sigma)).collect(),
        None if matches!(sampler, Sampler::Lcm | Sampler::Tcd) && kind == ScheduleKind::Normal => distilled(config, n, table.len()),
        None => spaced(config, sampler, kind, n, table.len()),
    }
}

/// The levels of DDIM, DDPM, LCM and TCD.
pub(super) fn discrete_levels(config: &ScheduleConfig, sampler: Sampler, asked: &Asked) -> Levels {
    let (kind, n) = (asked.kind, asked.n_steps);
    let table = config.table(sampler);
    let timesteps = timesteps(config, sampler, kind, n, &table);
    let at: Vec<NoiseLevel> = timesteps.iter().map(|&timestep| table.level_at(timestep)).collect();
    let end = match sampler {
        Sampler::Ddim => last_level(config, &table, true),
        Sampler::Tcd => table.level_at(0.0),
        // LCM ends with its estimate of the clean latents.
        _ => NoiseLevel::CLEAN,
    };
    let steps_back = sampler == Sampler::Ddim && matches!(kind, ScheduleKind::Normal | ScheduleKind::SgmUniform);
    let stride = (table.len() / n) as f64;
    let to = |i: usize| match timesteps[i] - stride {
        // DDIM steps back by a whole number of training timesteps, wherever the next level lies.
        previous if steps_back && previous >= 0.0 => table.level_at(previous),
        _ if steps_back => end,
        _ => at.get(i + 1).copied().unwrap_or(end),
    };
    let to = (0..at.len()).map(to).collect();
    Levels { at, to, init_noise_sigma: 1.0 }
}

fn last_level(config: &ScheduleConfig, table: &Table, default: bool) -> NoiseLevel {
    if config.file.set_alpha_to_one.unwrap_or(default) { NoiseLevel::CLEAN } else { table.level_at(0.0) }
}

/// How a run of PNDM begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstSteps {
    /// By calling the network twice for the first step ("PLMS").
    Doubled,
    /// By so many calls of the Runge–Kutta method.
    RungeKutta(usize),
}

/// One call of the network in PNDM: told one level, it steps from another to a third.
pub(crate) struct PndmCall {
    pub(crate) at: NoiseLevel,
    pub(crate) from: NoiseLevel,
    pub(crate) to: NoiseLevel,
}

/// The calls of PNDM for a run that begins at call `start(n_calls)`; what a call does depends on how many the run has made, so that a run from
/// the middle does not go through the levels one by one.
pub(super) fn pndm_calls(
    config: &ScheduleConfig,
    kind: ScheduleKind,
    n: usize,
    start: impl Fn(usize) -> usize,
) -> (Vec<PndmCall>, usize, FirstSteps) {
    let table = config.table(Sampler::Pndm);
    let chosen = timesteps(config, Sampler::Pndm, kind, n, &table);
    let end = last_level(config, &table, false);
    let level = |timestep: f64| if timestep >= 0.0 { table.level_at(timestep.min((table.len() - 1) as f64)) } else { end };
    let skips = config.skips_runge_kutta();
    // The reference has no Runge–Kutta start with fewer timesteps than the method's order, nor with uneven ones.
    let is_even = matches!(kind, ScheduleKind::Normal | ScheduleKind::SgmUniform);
    let stride = (table.len() / n) as f64;
    if skips || chosen.len() < 4 || !is_even {
        let told: Vec<f64> = match chosen.as_slice() {
            [first, second, rest @ ..] => [*first, *second, *second].into_iter().chain(rest.iter().copied()).collect(),
            few => few.to_vec(),
        };
        let start = start(told.len()).min(told.len() - 1);
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
            PndmCall { at: level(at), from: level(from), to: level(to) }
        };
        let calls = (0..told.len()).map(call).collect();
        return (calls, start, FirstSteps::Doubled);
    }
    let half = (table.len() / n / 2) as f64;
    let doubled: Vec<f64> = chosen[..4].iter().rev().flat_map(|&timestep| [timestep, timestep + half]).collect();
    let mut runge_kutta: Vec<f64> = doubled[..7].iter().flat_map(|&timestep| [timestep, timestep]).collect();
    runge_kutta = runge_kutta[1..13].iter().rev().copied().collect();
    let told: Vec<f64> = runge_kutta.iter().chain(&chosen[3..]).copied().collect();
    let start = start(told.len()).min(told.len() - 1);
    let call = |i: usize| {
        let at = told[i];
        let (from, to) = match i.checked_sub(start) {
            Some(counter) if counter < 12 => (runge_kutta[counter / 4 * 4], at - if counter % 2 == 0 { half } else { 0.0 }),
            _ => (at, at - stride),
        };
        PndmCall { at: level(at), from: level(from), to: level(to) }
    };
    let calls = (0..told.len()).map(call).collect();
    (calls, start, FirstSteps::RungeKutta(12))
}
