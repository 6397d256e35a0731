//! The schedule of flow matching: latents on the straight line between noise (sigma 1) and picture (sigma 0).

use super::{
    Asked, NoiseLevel, Pipeline, ScheduleConfig, ScheduleKind,
    conversion::{converted, within},
    keys::TimeShift,
    numpy::{linspace, linspace_f32},
    table::Levels,
};

/// Levels as `FlowMatchEulerDiscreteScheduler` lays them. Its own evenly spaced timesteps run from the already shifted first to the already
/// shifted last and are then shifted again; a pipeline's sigmas are shifted once, and so are those of `sgm_uniform`, which it lacks: they leave
/// out the lowest as k-diffusion's users know it.
pub(super) fn flow_levels(config: &ScheduleConfig, asked: &Asked) -> Levels {
    let (keys, kind, n) = (&config.keys, asked.kind, asked.n_steps);
    let n_train = keys.num_train_timesteps.unwrap_or(1000) as f64;
    let shift = Shift::new(config, keys.shift.or(keys.flow_shift), asked.n_tokens);
    let mut sigmas = match kind {
        ScheduleKind::SgmUniform => linspace(1.0, 1.0 / n as f64, n),
        _ if config.amended_by == Some(Pipeline::Flow) => given_sigmas(n),
        _ => {
            let smallest = f64::from((1.0 / n_train) as f32);
            let smallest = if shift.is_dynamic { smallest } else { f64::from(shift.of(smallest) as f32) };
            linspace(n_train, smallest * n_train, n).into_iter().map(|timestep| timestep / n_train).collect()
        }
    };
    for sigma in &mut sigmas {
        *sigma = shift.of(*sigma);
    }
    stretch(config, &mut sigmas);
    if let Some(converted) = converted(kind, within(config, (sigmas[n - 1], sigmas[0])), n) {
        sigmas = converted;
    }
    sigmas.push(0.0);
    let level = |sigma: &f64| NoiseLevel::of_flow(f64::from(*sigma as f32), f64::from(*sigma as f32) * n_train);
    let all: Vec<NoiseLevel> = sigmas.iter().map(level).collect();
    Levels { at: all[..n].to_vec(), to: all[1..].to_vec(), init_noise_sigma: 1.0 }
}

/// The sigmas that pipelines of flow matching give (`get_default_z_image_sigmas` and its like): `n` of them, from 1 to 1/n in equal steps.
pub(super) fn given_sigmas(n: usize) -> Vec<f64> {
    linspace_f32(1.0, (1.0 / n as f64) as f32, n).into_iter().map(f64::from).collect()
}

/// Stretches sigmas so that the last is the one that the configuration asks for; a single one, which is all noise, stays.
pub(super) fn stretch(config: &ScheduleConfig, sigmas: &mut [f64]) {
    let terminal = config.keys.shift_terminal.filter(|&terminal| terminal != 0.0);
    let (Some(terminal), Some(last)) = (terminal, sigmas.last().filter(|&&last| last < 1.0)) else { return };
    let scale = (1.0 - last) / (1.0 - terminal);
    sigmas.iter_mut().for_each(|sigma| *sigma = 1.0 - (1.0 - *sigma) / scale);
}

/// How sigmas are shifted towards noise: Esser et al. 2024, section 5.3.2.
pub(super) struct Shift {
    factor: f64,
    /// Whether it depends on the picture's size.
    is_dynamic: bool,
}

impl Shift {
    /// By the `given` factor, or by the picture's size where the configuration wants that.
    pub(super) fn new(config: &ScheduleConfig, given: Option<f64>, n_tokens: usize) -> Self {
        let keys = &config.keys;
        if keys.use_dynamic_shifting != Some(true) {
            return Self { factor: given.unwrap_or(1.0), is_dynamic: false };
        }
        let mu = mu(config, n_tokens);
        let factor = if keys.time_shift_type == Some(TimeShift::Linear) { mu } else { mu.exp() };
        Self { factor, is_dynamic: true }
    }

    /// The shifted sigma.
    pub(super) fn of(&self, sigma: f64) -> f64 {
        self.factor * sigma / (1.0 + (self.factor - 1.0) * sigma)
    }
}

/// The shift of a picture of so many tokens, on the straight line through those of the smallest and of the largest (`calculate_shift` of
/// diffusers' pipelines).
fn mu(config: &ScheduleConfig, n_tokens: usize) -> f64 {
    let keys = &config.keys;
    let (base, max) = (keys.base_shift.unwrap_or(0.5), keys.max_shift.unwrap_or(1.15));
    let (base_tokens, max_tokens) = keys.shifted_tokens();
    let slope = (max - base) / f64::from(max_tokens - base_tokens);
    n_tokens as f64 * slope + (base - slope * f64::from(base_tokens))
}
