//! The schedule of flow matching: latents on the straight line between noise (sigma 1) and picture (sigma 0).

use super::{
    ScheduleConfig, ScheduleKind,
    numpy::linspace,
    sigmas::{converted, within},
    table::Levels,
};
use crate::sampler::NoiseLevel;

/// Levels as `FlowMatchEulerDiscreteScheduler` lays them. Its evenly spaced timesteps run from the already shifted first to the already shifted
/// last and are then shifted again; `sgm_uniform`, which it lacks, leaves out the lowest as k-diffusion's users know it.
pub(super) fn flow_levels(config: &ScheduleConfig, kind: ScheduleKind, n: usize) -> Levels {
    let file = &config.file;
    let n_train = file.num_train_timesteps.unwrap_or(1000) as f64;
    let shift = file.shift.or(file.flow_shift).unwrap_or(1.0);
    let shifted = |sigma: f64| shift * sigma / (1.0 + (shift - 1.0) * sigma);
    let smallest = f64::from(shifted(f64::from((1.0 / n_train) as f32)) as f32);
    let mut sigmas = match kind {
        ScheduleKind::SgmUniform => linspace(1.0, 1.0 / n as f64, n),
        _ => linspace(n_train, smallest * n_train, n).into_iter().map(|timestep| timestep / n_train).collect(),
    };
    for sigma in &mut sigmas {
        *sigma = shifted(*sigma);
    }
    if let Some(terminal) = file.shift_terminal.filter(|&terminal| terminal != 0.0) {
        let scale = (1.0 - sigmas[n - 1]) / (1.0 - terminal);
        sigmas.iter_mut().for_each(|sigma| *sigma = 1.0 - (1.0 - *sigma) / scale);
    }
    if let Some(converted) = converted(kind, within(config, (sigmas[n - 1], sigmas[0])), n) {
        sigmas = converted;
    }
    sigmas.push(0.0);
    let level = |sigma: &f64| NoiseLevel::of_flow(f64::from(*sigma as f32), f64::from(*sigma as f32) * n_train);
    let all: Vec<NoiseLevel> = sigmas.iter().map(level).collect();
    Levels { at: all[..n].to_vec(), to: all[1..].to_vec(), init_noise_sigma: 1.0 }
}
