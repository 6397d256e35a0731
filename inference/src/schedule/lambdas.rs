//! Schedules of the solvers in λ, the half-logarithm of the signal-to-noise ratio. Latents are variance-preserving, timesteps whole.

use super::{
    Asked, NoiseLevel, Pipeline, ScheduleConfig, ScheduleKind,
    conversion::{converted, within},
    flow::{Shift, given_sigmas, stretch},
    keys::{BetaSchedule, Spacing},
    numpy::{falling_range, linspace},
    spec::{Lambdas, Spec},
    table::{Levels, Table},
};

/// The levels of these samplers.
pub(super) fn lambda_levels(config: &ScheduleConfig, spec: &Spec, laid: Lambdas, asked: &Asked) -> Levels {
    let (kind, n) = (asked.kind, asked.n_steps);
    let table = config.table(spec);
    let is_flow = config.is_flow();
    let whole = |sigma: f64, rounds: bool| whole(config, laid, &table, sigma, rounds);
    let range = within(config, table.range());
    let (mut sigmas, mut timesteps) = match converted(kind, range, n) {
        Some(sigmas) if is_flow => flow_of(sigmas.into_iter().map(|sigma| sigma / (sigma + 1.0)).collect(), table.len()),
        Some(sigmas) => {
            let timesteps = sigmas.iter().map(|&sigma| whole(sigma, kind == ScheduleKind::Karras)).collect();
            (sigmas, timesteps)
        }
        None if laid.takes_lu_lambdas && config.keys.use_lu_lambdas == Some(true) => {
            let ends = (f64::from(table.log_sigmas[table.len() - 1]), f64::from(table.log_sigmas[0]));
            let lambda = |ramp: f64| ends.0 + ramp * (ends.1 - ends.0);
            let sigmas: Vec<f64> = linspace(0.0, 1.0, n).into_iter().map(|ramp| lambda(ramp).exp()).collect();
            let timesteps = sigmas.iter().map(|&sigma| whole(sigma, true)).collect();
            (sigmas, timesteps)
        }
        None if is_flow => flow_of(flow_sigmas(config, laid, asked, table.len()), table.len()),
        None => {
            let timesteps = spaced(config, spec, laid, (kind, n), &table);
            (timesteps.iter().map(|&timestep| table.sigma_at(timestep)).collect(), timesteps)
        }
    };
    let last = sigmas[sigmas.len() - 1];
    let is_converted = is_flow || !kind.is_even();
    sigmas.push(match laid.ends_at_sigma_min {
        true if laid.repeats_last && is_converted => last,
        true => table.range().0,
        false => 0.0,
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
fn whole(config: &ScheduleConfig, laid: Lambdas, table: &Table, sigma: f64, rounds: bool) -> f64 {
    let is_cosine = config.keys.beta_schedule == Some(BetaSchedule::Cosine);
    let timestep = table.timestep_of(sigma);
    if rounds && !(laid.takes_lu_lambdas && is_cosine) { timestep.round_ties_even() } else { timestep.trunc() }
}

fn spaced(config: &ScheduleConfig, spec: &Spec, laid: Lambdas, (kind, n): (ScheduleKind, usize), table: &Table) -> Vec<f64> {
    let n_train = table.len();
    let n_visited = if laid.is_clipped { n_train - n_clipped(config, table) } else { n_train };
    let last = (n_train - 1) as f64;
    match config.spacing(spec, kind) {
        Spacing::Linspace => linspace(0.0, (n_visited - 1) as f64, n + 1)[1..].iter().rev().map(|t| t.round_ties_even()).collect(),
        Spacing::Leading => {
            let (ratio, offset) = (n_visited / (n + 1), config.steps_offset(spec));
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
    let Some(least) = config.keys.lambda_min_clipped else { return 0 };
    let lambda = |alpha: &&f32| f64::from(alpha.sqrt().ln() - (1.0 - **alpha).sqrt().ln());
    table.alphas_cumprod.iter().filter(|alpha| lambda(alpha) < least).count().min(table.len() - 1)
}

fn flow_of(sigmas: Vec<f64>, n_train: usize) -> (Vec<f64>, Vec<f64>) {
    let timesteps = sigmas.iter().map(|sigma| (sigma * n_train as f64).trunc()).collect();
    (sigmas, timesteps)
}

/// Evenly spaced sigmas of flow matching, shifted towards noise.
fn flow_sigmas(config: &ScheduleConfig, laid: Lambdas, asked: &Asked, n_train: usize) -> Vec<f64> {
    let n = asked.n_steps;
    let shift = Shift::new(config, config.keys.flow_shift.or(config.keys.shift), asked.n_tokens);
    let even = linspace(1.0, 1.0 / n_train as f64, n + 1);
    if !laid.takes_flow_sigmas {
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
