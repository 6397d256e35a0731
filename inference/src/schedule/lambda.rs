//! Schedules of the solvers in λ, the half-logarithm of the signal-to-noise ratio: DPM-Solver++, UniPC and DEIS. Latents are
//! variance-preserving, timesteps whole.

use super::{
    Asked, Pipeline, ScheduleConfig, ScheduleKind, Spacing,
    flow::{Shift, given_sigmas, stretch},
    numpy::{falling_range, linspace},
    sigmas::{converted, within},
    table::{Levels, Table},
};
use crate::sampler::{NoiseLevel, Sampler};

/// The levels of these samplers.
pub(super) fn lambda_levels(config: &ScheduleConfig, sampler: Sampler, asked: &Asked) -> Levels {
    let (kind, n) = (asked.kind, asked.n_steps);
    let table = config.table(sampler);
    let file = &config.file;
    let is_flow = config.is_flow();
    let is_multistep = matches!(sampler, Sampler::DpmPp2M | Sampler::DpmPp2MSde | Sampler::DpmPp3M);
    let range = within(config, table.range());
    let (mut sigmas, mut timesteps) = match converted(kind, range, n) {
        Some(sigmas) if is_flow => flow_of(sigmas.into_iter().map(|sigma| sigma / (sigma + 1.0)).collect(), table.len()),
        Some(sigmas) => {
            let timesteps = sigmas.iter().map(|&sigma| whole(config, &table, sigma, kind == ScheduleKind::Karras, is_multistep)).collect();
            (sigmas, timesteps)
        }
        None if is_multistep && file.use_lu_lambdas == Some(true) => {
            let ends = (f64::from(table.log_sigmas[table.len() - 1]), f64::from(table.log_sigmas[0]));
            let lambda = |ramp: f64| ends.0 + ramp * (ends.1 - ends.0);
            let sigmas: Vec<f64> = linspace(0.0, 1.0, n).into_iter().map(|ramp| lambda(ramp).exp()).collect();
            let timesteps = sigmas.iter().map(|&sigma| whole(config, &table, sigma, true, is_multistep)).collect();
            (sigmas, timesteps)
        }
        None if is_flow => flow_of(flow_sigmas(config, sampler, asked, table.len()), table.len()),
        None => {
            let timesteps = spaced(config, sampler, kind, n, &table);
            (timesteps.iter().map(|&timestep| table.sigma_at(timestep)).collect(), timesteps)
        }
    };
    let last = sigmas[sigmas.len() - 1];
    let is_converted = is_flow || !matches!(kind, ScheduleKind::Normal | ScheduleKind::SgmUniform);
    sigmas.push(match sampler {
        Sampler::Deis | Sampler::UniPc if is_converted && (sampler == Sampler::Deis || config.ends_at_sigma_min(sampler)) => last,
        Sampler::Deis => table.range().0,
        _ if config.ends_at_sigma_min(sampler) => table.range().0,
        _ => 0.0,
    });
    timesteps.push(0.0);
    let level = |(sigma, timestep): (f64, f64)| match f64::from(sigma as f32) {
        sigma if is_flow => NoiseLevel::of_flow(sigma, timestep),
        sigma => NoiseLevel::of_sigma(sigma, timestep),
    };
    let all: Vec<NoiseLevel> = sigmas.into_iter().zip(timesteps).map(level).collect();
    Levels { at: all[..all.len() - 1].to_vec(), to: all[1..].to_vec(), init_noise_sigma: 1.0 }
}

/// The whole timestep of a sigma: the reference rounds for some kinds and cuts off for the others.
fn whole(config: &ScheduleConfig, table: &Table, sigma: f64, is_rounding_kind: bool, is_multistep: bool) -> f64 {
    let is_cosine = config.file.beta_schedule.as_deref() == Some("squaredcos_cap_v2");
    let timestep = table.timestep_of(sigma);
    if is_rounding_kind && !(is_multistep && is_cosine) { timestep.round_ties_even() } else { timestep.trunc() }
}

fn spaced(config: &ScheduleConfig, sampler: Sampler, kind: ScheduleKind, n: usize, table: &Table) -> Vec<f64> {
    let n_train = table.len();
    let n_visited = match sampler {
        Sampler::UniPc | Sampler::Deis => n_train,
        _ => n_train - n_clipped(config, table),
    };
    let last = (n_train - 1) as f64;
    match config.spacing(sampler, kind) {
        Spacing::Linspace => linspace(0.0, (n_visited - 1) as f64, n + 1)[1..].iter().rev().map(|t| t.round_ties_even()).collect(),
        Spacing::Leading => {
            let (ratio, offset) = (n_visited / (n + 1), config.steps_offset(sampler));
            (1..=n).rev().map(|i| ((i * ratio) as f64 + offset).min(last)).collect()
        }
        Spacing::Trailing => {
            let timestep = |t: f64| (t.round_ties_even() - 1.0).max(0.0);
            falling_range(n_visited as f64, n_train as f64 / n as f64).into_iter().map(timestep).collect()
        }
    }
}

/// How many of the noisiest timesteps `lambda_min_clipped` cuts off.
fn n_clipped(config: &ScheduleConfig, table: &Table) -> usize {
    let Some(least) = config.file.lambda_min_clipped else { return 0 };
    let lambda = |alpha: &&f32| f64::from(alpha.sqrt().ln() - (1.0 - **alpha).sqrt().ln());
    table.alphas_cumprod.iter().filter(|alpha| lambda(alpha) < least).count().min(table.len() - 1)
}

fn flow_of(sigmas: Vec<f64>, n_train: usize) -> (Vec<f64>, Vec<f64>) {
    let timesteps = sigmas.iter().map(|sigma| (sigma * n_train as f64).trunc()).collect();
    (sigmas, timesteps)
}

/// Evenly spaced sigmas of flow matching, shifted towards noise.
fn flow_sigmas(config: &ScheduleConfig, sampler: Sampler, asked: &Asked, n_train: usize) -> Vec<f64> {
    let n = asked.n_steps;
    let shift = Shift::new(config, config.file.flow_shift.or(config.file.shift), asked.n_tokens);
    let even = linspace(1.0, 1.0 / n_train as f64, n + 1);
    // Of these classes only UniPC's takes the sigmas that a pipeline gives.
    if sampler != Sampler::UniPc {
        return even.iter().rev().map(|alpha| shift.of(1.0 - alpha)).take(n).collect();
    }
    let even = if config.amended_by == Some(Pipeline::Flow) { given_sigmas(n) } else { even };
    let mut sigmas: Vec<f64> = even[..n].iter().map(|&sigma| shift.of(sigma)).collect();
    stretch(config, &mut sigmas);
    if (sigmas[0] - 1.0).abs() < 1e-6 {
        sigmas[0] -= 1e-6;
    }
    sigmas
}
