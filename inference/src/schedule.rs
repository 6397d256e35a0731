//! Schedules: how the noise levels of a run are chosen. Pure `f64`, no tensors.
//!
//! Timesteps and sigmas are those of the diffusers class that stands for the sampler: `DDIMScheduler`, `EulerDiscreteScheduler`,
//! `EulerAncestralDiscreteScheduler` and `DPMSolverMultistepScheduler` (huggingface/diffusers 0.42, `src/diffusers/schedulers/`).

mod config;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::config::{Prediction, ScheduleConfig, Spacing};
use crate::sampler::{NoiseLevel, Sampler};

/// How the noise levels are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Evenly spaced training timesteps.
    #[default]
    Normal,
    /// Karras et al. 2022, equation 5, rho 7.
    Karras,
}

impl ScheduleKind {
    /// Every kind, in the order of menus.
    pub const ALL: [Self; 2] = [Self::Normal, Self::Karras];

    /// The name, as in tasks and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Karras => "karras",
        }
    }
}

impl fmt::Display for ScheduleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no schedule has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no schedule `{0}`; there are normal and karras")]
pub struct UnknownSchedule(pub String);

impl FromStr for ScheduleKind {
    type Err = UnknownSchedule;

    fn from_str(name: &str) -> Result<Self, UnknownSchedule> {
        let lower = name.trim().to_lowercase();
        Self::ALL.into_iter().find(|kind| kind.name() == lower).ok_or_else(|| UnknownSchedule(name.into()))
    }
}

/// The noise levels of one run, for one sampler. Latents are in sigma space: the clean latents plus `sigma` times unit noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The level at which each step calls the network; descending.
    pub levels: Vec<NoiseLevel>,
    /// The sigma that each step goes to; but for DDIM's own rule that of the next level.
    pub targets: Vec<f64>,
    /// Standard deviation of the first latents.
    pub init_noise_sigma: f64,
    /// Factor on the last latents; not 1.0 where the reference keeps variance-preserving latents and ends above sigma 0.
    pub final_scale: f64,
    /// DDIM's bound on the denoised latents.
    pub clip: Option<f64>,
    /// Whether DPM-Solver++ ends with a step of first order.
    pub last_is_first_order: bool,
}

impl Schedule {
    /// The levels of `steps` steps. (Trailing spacing may round to one step more, as in the reference.)
    pub fn new(config: &ScheduleConfig, sampler: Sampler, kind: ScheduleKind, steps: usize) -> Self {
        let table = config.sigmas();
        let levels = match kind {
            ScheduleKind::Normal => normal(config, &table, sampler, steps),
            ScheduleKind::Karras => karras(config, &table, sampler, steps),
        };
        let sigma_min = f64::from(table[0]);
        let ends_at = match (sampler, kind) {
            (Sampler::Ddim, ScheduleKind::Normal) if !config.set_alpha_to_one => sigma_min,
            (Sampler::Euler | Sampler::DpmPp2M, _) if config.ends_at_sigma_min => sigma_min,
            _ => 0.0,
        };
        let targets: Vec<f64> = match (sampler, kind) {
            (Sampler::Ddim, ScheduleKind::Normal) => {
                // DDIM steps back by a whole number of training timesteps, wherever the next level lies.
                let stride = (table.len() / steps) as f64;
                let target = |level: &NoiseLevel| match level.timestep - stride {
                    previous if previous >= 0.0 => sigma_at(&table, previous),
                    _ => ends_at,
                };
                levels.iter().map(target).collect()
            }
            _ => levels.iter().skip(1).map(|level| level.sigma).chain([ends_at]).collect(),
        };
        let first = levels[0].sigma;
        let is_bare = match (sampler, kind) {
            (Sampler::Euler, _) | (Sampler::EulerA, ScheduleKind::Normal) => config.spacing(sampler) != Spacing::Leading,
            (Sampler::EulerA, ScheduleKind::Karras) => true,
            (Sampler::Ddim | Sampler::DpmPp2M, _) => false,
        };
        let last = targets[targets.len() - 1];
        Self {
            init_noise_sigma: if is_bare { first } else { first.hypot(1.0) },
            final_scale: if matches!(sampler, Sampler::Ddim | Sampler::DpmPp2M) { 1.0 / last.hypot(1.0) } else { 1.0 },
            clip: if sampler == Sampler::Ddim { config.clip } else { None },
            last_is_first_order: config.euler_at_final || (config.lower_order_final && levels.len() < 15) || last == 0.0,
            levels,
            targets,
        }
    }

    /// Where image-to-image of this strength starts: the first of its last `steps × strength` steps, at least one.
    pub fn start(&self, strength: f64) -> usize {
        let n = self.levels.len();
        n - ((n as f64 * strength) as usize).clamp(1, n)
    }
}

fn normal(config: &ScheduleConfig, table: &[f32], sampler: Sampler, steps: usize) -> Vec<NoiseLevel> {
    let level = |timestep: f64| NoiseLevel { sigma: sigma_at(table, timestep), timestep };
    timesteps(config, table, sampler, steps).into_iter().map(level).collect()
}

/// Euler takes its range from the timesteps that it would visit; DPM-Solver++ takes the whole table and rounds the timesteps, both as diffusers;
/// the others have no such option there and follow k-diffusion: the whole table, fractional timesteps.
fn karras(config: &ScheduleConfig, table: &[f32], sampler: Sampler, steps: usize) -> Vec<NoiseLevel> {
    let (mut smallest, mut largest) = (f64::from(table[0]), f64::from(table[table.len() - 1]));
    if sampler == Sampler::Euler {
        let visited = normal(config, table, sampler, steps);
        (smallest, largest) = (visited[visited.len() - 1].sigma, visited[0].sigma);
        (smallest, largest) = (config.sigma_min.unwrap_or(smallest), config.sigma_max.unwrap_or(largest));
    }
    let log_sigmas: Vec<f64> = table.iter().map(|sigma| f64::from(sigma.ln())).collect();
    let (from, to) = (largest.powf(1.0 / 7.0), smallest.powf(1.0 / 7.0));
    let whole = match sampler {
        // diffusers rounds here, but for the cosine schedule only cuts off.
        Sampler::DpmPp2M if config.is_cosine => f64::trunc,
        Sampler::DpmPp2M => f64::round_ties_even,
        Sampler::Ddim | Sampler::Euler | Sampler::EulerA => |timestep| timestep,
    };
    let level = |ramp: f64| {
        let sigma = (from + ramp * (to - from)).powi(7);
        NoiseLevel { sigma: f64::from(sigma as f32), timestep: whole(timestep_of(&log_sigmas, sigma)) }
    };
    linspace(0.0, 1.0, steps).into_iter().map(level).collect()
}

fn timesteps(config: &ScheduleConfig, table: &[f32], sampler: Sampler, steps: usize) -> Vec<f64> {
    let n = table.len();
    let is_dpm = sampler == Sampler::DpmPp2M;
    let end = if is_dpm { last_timestep(config) } else { n };
    let offset = f64::from(config.steps_offset);
    let last = (n - 1) as f64;
    match config.spacing(sampler) {
        Spacing::Leading => {
            // DPM-Solver++ lays one timestep more and leaves out the lowest.
            let (ratio, first) = if is_dpm { (end / (steps + 1), 1) } else { (n / steps, 0) };
            (first..first + steps).rev().map(|i| ((i * ratio) as f64 + offset).min(last)).collect()
        }
        Spacing::Trailing => {
            let ratio = n as f64 / steps as f64;
            let stride = end as f64 - (end as f64 - ratio);
            let count = (end as f64 / ratio).ceil() as usize;
            (0..count).map(|i| ((end as f64 - i as f64 * stride).round_ties_even() - 1.0).max(0.0)).collect()
        }
        Spacing::Linspace => {
            let mut values = if is_dpm { linspace(0.0, (end - 1) as f64, steps + 1)[1..].to_vec() } else { linspace(0.0, last, steps) };
            values.reverse();
            let value =
                |t: f64| if matches!(sampler, Sampler::Euler | Sampler::EulerA) { f64::from(t as f32) } else { t.round_ties_even() };
            values.into_iter().map(value).collect()
        }
    }
}

/// How many of the table's levels DPM-Solver++ may visit: `lambda_min_clipped` cuts the noisiest.
fn last_timestep(config: &ScheduleConfig) -> usize {
    let lambda = |alpha: &f32| f64::from(alpha.sqrt().ln() - (1.0 - alpha).sqrt().ln());
    let n_clipped = config.alphas_cumprod.iter().filter(|alpha| lambda(alpha) < config.lambda_min_clipped).count();
    (config.alphas_cumprod.len() - n_clipped).max(1)
}

/// Sigma between two training timesteps, linearly (as `numpy.interp`), in `f32`.
fn sigma_at(table: &[f32], timestep: f64) -> f64 {
    let low = (timestep.floor() as usize).min(table.len() - 1);
    let high = (low + 1).min(table.len() - 1);
    let (below, above) = (f64::from(table[low]), f64::from(table[high]));
    f64::from((below + (above - below) * (timestep - low as f64).clamp(0.0, 1.0)) as f32)
}

/// The fractional training timestep of a sigma, linear in log sigma (`_sigma_to_t` of diffusers and k-diffusion).
fn timestep_of(log_sigmas: &[f64], sigma: f64) -> f64 {
    let log_sigma = sigma.max(1e-10).ln();
    let low = log_sigmas.partition_point(|&other| other <= log_sigma).saturating_sub(1).min(log_sigmas.len() - 2);
    let weight = ((log_sigmas[low] - log_sigma) / (log_sigmas[low] - log_sigmas[low + 1])).clamp(0.0, 1.0);
    low as f64 + weight
}

fn linspace(start: f64, end: f64, n: usize) -> Vec<f64> {
    let step = (end - start) / (n.max(2) - 1) as f64;
    (0..n).map(|i| if i > 0 && i + 1 == n { end } else { start + i as f64 * step }).collect()
}
