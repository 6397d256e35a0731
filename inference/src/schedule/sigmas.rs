//! Schedules of the samplers of k-diffusion, whose latents are clean latents plus sigma times unit noise.

use super::{
    Asked, NoiseLevel, ScheduleConfig, ScheduleKind,
    conversion::{converted, within},
    flow::flow_levels,
    keys::Spacing,
    numpy::{falling_range, linspace},
    spec::{Sigmas, Spec},
    table::{Levels, Table},
};

/// Timesteps of `n` steps without rounding to whole ones, in falling order.
fn spaced(config: &ScheduleConfig, spec: &Spec, laid: Sigmas, (kind, n): (ScheduleKind, usize), n_train: usize) -> Vec<f64> {
    match config.spacing(spec, kind) {
        Spacing::Linspace => {
            let cast = |t: f64| if laid.rounds_to_f32 { f64::from(t as f32) } else { t };
            linspace(0.0, (n_train - 1) as f64, n).into_iter().rev().map(cast).collect()
        }
        Spacing::Leading => {
            let (ratio, offset) = (n_train / n, config.steps_offset(spec));
            (0..n).rev().map(|i| (i * ratio) as f64 + offset).collect()
        }
        Spacing::Trailing => {
            falling_range(n_train as f64, n_train as f64 / n as f64).into_iter().map(|t| t.round_ties_even() - 1.0).collect()
        }
    }
}

/// The levels of these samplers.
pub(super) fn sigma_levels(config: &ScheduleConfig, spec: &Spec, laid: Sigmas, asked: &Asked) -> Levels {
    if config.is_flow() {
        return flow_levels(config, asked);
    }
    let (kind, n) = (asked.kind, asked.n_steps);
    let table = config.table(spec);
    let mut timesteps = spaced(config, spec, laid, (kind, n), table.len());
    let mut sigmas: Vec<f64> = timesteps.iter().map(|&timestep| table.sigma_at(timestep)).collect();
    if laid.is_log_linear {
        let (smallest, largest) = table.range();
        sigmas = linspace(smallest.ln(), largest.ln(), n + 1).into_iter().rev().map(f64::exp).collect();
    }
    if let Some(converted) = converted(kind, range(config, laid, kind, &table, &sigmas), n) {
        timesteps = converted.iter().map(|&sigma| table.timestep_of(sigma)).collect();
        sigmas = converted;
        if kind == ScheduleKind::Karras && laid.rounds_karras {
            timesteps.iter_mut().for_each(|timestep| *timestep = timestep.round_ties_even());
        }
    }
    sigmas.push(if laid.ends_at_sigma_min { table.range().0 } else { 0.0 });
    sigmas.iter_mut().for_each(|sigma| *sigma = f64::from(*sigma as f32));
    if laid.tells_log_sigma {
        timesteps = sigmas[..sigmas.len() - 1].iter().map(|sigma| 0.25 * sigma.ln()).collect();
    }
    let largest = sigmas.iter().copied().fold(0.0, f64::max);
    let is_bare = config.spacing(spec, kind) != Spacing::Leading || (!laid.converts && kind != ScheduleKind::Normal);
    let level = |i: usize| NoiseLevel { alpha: 1.0, sigma: sigmas[i], timestep: timesteps.get(i).copied().unwrap_or(0.0) };
    Levels {
        at: (0..timesteps.len()).map(level).collect(),
        to: (1..=timesteps.len()).map(level).collect(),
        init_noise_sigma: if is_bare { largest } else { largest.hypot(1.0) },
    }
}

/// What converted sigmas range over.
fn range(config: &ScheduleConfig, laid: Sigmas, kind: ScheduleKind, table: &Table, visited: &[f64]) -> (f64, f64) {
    if !laid.converts {
        return table.range();
    }
    let range = (visited[visited.len() - 1], visited[0]);
    if kind == ScheduleKind::Karras && !laid.bounds_karras { range } else { within(config, range) }
}

/// The level of a sigma between two levels of these samplers.
pub(crate) fn level_between(config: &ScheduleConfig, table: &Table, sigma: f64) -> NoiseLevel {
    if config.is_flow() {
        return NoiseLevel::of_flow(sigma, sigma * table.len() as f64);
    }
    NoiseLevel { alpha: 1.0, sigma, timestep: table.timestep_of(sigma) }
}
