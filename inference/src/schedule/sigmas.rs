//! Schedules of the k-diffusion family, whose latents are clean latents plus sigma times unit noise; and the conversions that all share.

use super::{
    Asked, ScheduleConfig, ScheduleKind, Spacing,
    flow::flow_levels,
    numpy::{falling_range, linspace},
    quantile::beta_quantile,
    table::{Levels, Table},
};
use crate::sampler::{NoiseLevel, Sampler};

/// `n` sigmas from `largest` to `smallest`; none for the kinds that space timesteps instead.
pub(super) fn converted(kind: ScheduleKind, (smallest, largest): (f64, f64), n: usize) -> Option<Vec<f64>> {
    match kind {
        ScheduleKind::Normal | ScheduleKind::SgmUniform => None,
        ScheduleKind::Karras => {
            let (from, to) = (largest.powf(1.0 / 7.0), smallest.powf(1.0 / 7.0));
            Some(linspace(0.0, 1.0, n).into_iter().map(|ramp| (from + ramp * (to - from)).powf(7.0)).collect())
        }
        ScheduleKind::Exponential => Some(linspace(largest.ln(), smallest.ln(), n).into_iter().map(f64::exp).collect()),
        ScheduleKind::Beta => {
            let sigma = |ramp: f64| smallest + beta_quantile(1.0 - ramp) * (largest - smallest);
            Some(linspace(0.0, 1.0, n).into_iter().map(sigma).collect())
        }
    }
}

/// Timesteps of `n` steps without rounding to whole ones, in falling order.
fn spaced(config: &ScheduleConfig, sampler: Sampler, kind: ScheduleKind, n: usize, n_train: usize) -> Vec<f64> {
    match config.spacing(sampler, kind) {
        Spacing::Linspace => {
            let cast = |t: f64| if sampler == Sampler::DpmPpSde { t } else { f64::from(t as f32) };
            linspace(0.0, (n_train - 1) as f64, n).into_iter().rev().map(cast).collect()
        }
        Spacing::Leading => {
            let (ratio, offset) = (n_train / n, config.steps_offset(sampler));
            (0..n).rev().map(|i| (i * ratio) as f64 + offset).collect()
        }
        Spacing::Trailing => {
            falling_range(n_train as f64, n_train as f64 / n as f64).into_iter().map(|t| t.round_ties_even() - 1.0).collect()
        }
    }
}

/// The levels of Euler, Euler a, LMS, Heun, DPM2, DPM2 a and DPM++ SDE.
///
/// Converted sigmas range over the timesteps that would be visited, as in diffusers; for Euler a, which has no conversions there, over the
/// whole table, as in k-diffusion.
pub(super) fn k_levels(config: &ScheduleConfig, sampler: Sampler, asked: &Asked) -> Levels {
    if config.is_flow() {
        return flow_levels(config, asked);
    }
    let (kind, n) = (asked.kind, asked.n_steps);
    let table = config.table(sampler);
    let mut timesteps = spaced(config, sampler, kind, n, table.len());
    let mut sigmas: Vec<f64> = timesteps.iter().map(|&timestep| table.sigma_at(timestep)).collect();
    let is_euler = sampler == Sampler::Euler;
    if is_euler && config.file.interpolation_type.as_deref() == Some("log_linear") {
        let (smallest, largest) = table.range();
        sigmas = linspace(smallest.ln(), largest.ln(), n + 1).into_iter().rev().map(f64::exp).collect();
    }
    if let Some(converted) = converted(kind, k_range(config, sampler, kind, &table, &sigmas), n) {
        timesteps = converted.iter().map(|&sigma| table.timestep_of(sigma)).collect();
        sigmas = converted;
        if kind == ScheduleKind::Karras && matches!(sampler, Sampler::Dpm2 | Sampler::Dpm2A) {
            timesteps.iter_mut().for_each(|timestep| *timestep = timestep.round_ties_even());
        }
    }
    let ends_at_sigma_min = is_euler && config.file.final_sigmas_type.as_deref() == Some("sigma_min");
    sigmas.push(if ends_at_sigma_min { table.range().0 } else { 0.0 });
    sigmas.iter_mut().for_each(|sigma| *sigma = f64::from(*sigma as f32));
    if is_euler && config.file.timestep_type.as_deref() == Some("continuous") && config.prediction == super::Prediction::Velocity {
        timesteps = sigmas[..sigmas.len() - 1].iter().map(|sigma| 0.25 * sigma.ln()).collect();
    }
    let largest = sigmas.iter().copied().fold(0.0, f64::max);
    let is_bare = config.spacing(sampler, kind) != Spacing::Leading || (sampler == Sampler::EulerA && kind != ScheduleKind::Normal);
    let level = |i: usize| NoiseLevel { alpha: 1.0, sigma: sigmas[i], timestep: timesteps.get(i).copied().unwrap_or(0.0) };
    Levels {
        at: (0..timesteps.len()).map(level).collect(),
        to: (1..=timesteps.len()).map(level).collect(),
        init_noise_sigma: if is_bare { largest } else { largest.hypot(1.0) },
    }
}

/// What converted sigmas range over.
fn k_range(config: &ScheduleConfig, sampler: Sampler, kind: ScheduleKind, table: &Table, visited: &[f64]) -> (f64, f64) {
    if sampler == Sampler::EulerA {
        return table.range();
    }
    let range = (visited[visited.len() - 1], visited[0]);
    // These two classes of the reference do not look at the keys with this kind.
    if kind == ScheduleKind::Karras && matches!(sampler, Sampler::Lms | Sampler::DpmPpSde) {
        return range;
    }
    within(config, range)
}

/// The range with the ends that the configuration gives.
pub(super) fn within(config: &ScheduleConfig, (smallest, largest): (f64, f64)) -> (f64, f64) {
    (config.file.sigma_min.unwrap_or(smallest), config.file.sigma_max.unwrap_or(largest))
}
