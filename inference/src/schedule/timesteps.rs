//! Schedules of the samplers that step from training timestep to training timestep. Latents are variance-preserving.
//!
//! The reference has only evenly spaced timesteps for them. With the other kinds they take sigmas over the whole table and fractional
//! timesteps, as k-diffusion's samplers do, and step from each level to the next.

use super::{
    Asked, NoiseLevel, ScheduleConfig, ScheduleKind,
    conversion::{converted, within},
    keys::Spacing,
    numpy::{falling_range, linspace},
    spec::{End, Spec, Timesteps},
    table::{Levels, Table},
};

/// Whole timesteps of `n` steps, in falling order.
fn spaced(config: &ScheduleConfig, spec: &Spec, kind: ScheduleKind, n: usize, n_train: usize) -> Vec<f64> {
    let last = (n_train - 1) as f64;
    match config.spacing(spec, kind) {
        Spacing::Linspace => linspace(0.0, last, n).into_iter().rev().map(f64::round_ties_even).collect(),
        Spacing::Leading => {
            let (ratio, offset) = (n_train / n, config.steps_offset(spec));
            (0..n).rev().map(|i| ((i * ratio) as f64 + offset).min(last)).collect()
        }
        Spacing::Trailing => {
            let timestep = |t: f64| (t.round_ties_even() - 1.0).max(0.0);
            falling_range(n_train as f64, n_train as f64 / n as f64).into_iter().map(timestep).collect()
        }
    }
}

/// The timesteps of consistency models: a choice among those that they were distilled on. More steps than those stretch the choice.
fn distilled(config: &ScheduleConfig, share: f64, n: usize, n_train: usize) -> Vec<f64> {
    let original = config.keys.original_inference_steps.unwrap_or(50).max(n).min(n_train);
    let stride = n_train / original;
    let kept = ((original as f64 * share) as usize).max(n);
    let step = kept as f64 / n as f64;
    let chosen = |i: usize| ((kept - (i as f64 * step) as usize) * stride - 1) as f64;
    (0..n).map(chosen).collect()
}

impl Table {
    /// The timesteps that a run visits, in falling order; whole ones where they are evenly spaced.
    pub(crate) fn timesteps(&self, config: &ScheduleConfig, spec: &Spec, is_distilled: bool, asked: &Asked) -> Vec<f64> {
        let (kind, n) = (asked.kind, asked.n_steps);
        match converted(kind, within(config, self.range()), n) {
            Some(sigmas) => sigmas.into_iter().map(|sigma| self.timestep_of(sigma)).collect(),
            None if is_distilled && kind == ScheduleKind::Normal => distilled(config, spec.spread(asked).unwrap_or(1.0), n, self.len()),
            None => spaced(config, spec, kind, n, self.len()),
        }
    }

    /// Where the last step goes.
    pub(crate) fn end(&self, config: &ScheduleConfig, end: End) -> NoiseLevel {
        let is_clean = match end {
            End::Clean => true,
            End::FirstTimestep => false,
            End::AlphaToOne { default } => config.keys.set_alpha_to_one.unwrap_or(default),
        };
        if is_clean { NoiseLevel::CLEAN } else { self.level_at(0.0) }
    }
}

/// The levels of these samplers.
pub(super) fn timestep_levels(config: &ScheduleConfig, spec: &Spec, laid: Timesteps, asked: &Asked) -> Levels {
    let table = config.table(spec);
    let timesteps = table.timesteps(config, spec, laid.is_distilled, asked);
    let at: Vec<NoiseLevel> = timesteps.iter().map(|&timestep| table.level_at(timestep)).collect();
    let end = table.end(config, laid.end);
    let steps_back = laid.steps_back && asked.kind.is_even();
    let stride = (table.len() / asked.n_steps) as f64;
    let to = |i: usize| match timesteps[i] - stride {
        previous if steps_back && previous >= 0.0 => table.level_at(previous),
        _ if steps_back => end,
        _ => at.get(i + 1).copied().unwrap_or(end),
    };
    let to = (0..at.len()).map(to).collect();
    Levels { at, to, init_noise_sigma: 1.0 }
}
