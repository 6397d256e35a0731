//! `scheduler_config.json`: what a model's noise was in training, and how its makers sample it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::{error::InferenceError, sampler::Sampler};

/// What the network's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// The velocity (Salimans and Ho 2022).
    Velocity,
}

/// How training timesteps are picked (Lin et al. 2023, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// From 0 in equal whole steps.
    Leading,
    /// From the last in equal steps.
    Trailing,
    /// From the first to the last, both included.
    Linspace,
}

/// A parsed `scheduler_config.json`. Keys that the file lacks take the default of the class in diffusers that stands for the sampler in use.
#[derive(Clone, Debug)]
pub struct ScheduleConfig {
    /// What the network's output means.
    pub prediction: Prediction,
    /// ᾱ of every training timestep.
    pub(super) alphas_cumprod: Vec<f32>,
    pub(super) is_cosine: bool,
    pub(super) steps_offset: u32,
    /// DDIM's bound on the denoised latents.
    pub(super) clip: Option<f64>,
    pub(super) set_alpha_to_one: bool,
    pub(super) ends_at_sigma_min: bool,
    pub(super) lower_order_final: bool,
    pub(super) euler_at_final: bool,
    pub(super) lambda_min_clipped: f64,
    pub(super) sigma_min: Option<f64>,
    pub(super) sigma_max: Option<f64>,
    spacing: Option<Spacing>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    #[serde(rename = "_class_name")]
    class_name: Option<String>,
    num_train_timesteps: Option<usize>,
    beta_start: Option<f64>,
    beta_end: Option<f64>,
    beta_schedule: Option<String>,
    trained_betas: Option<Vec<f32>>,
    rescale_betas_zero_snr: Option<bool>,
    prediction_type: Option<String>,
    timestep_spacing: Option<String>,
    steps_offset: Option<u32>,
    clip_sample: Option<bool>,
    clip_sample_range: Option<f64>,
    thresholding: Option<bool>,
    set_alpha_to_one: Option<bool>,
    final_sigmas_type: Option<String>,
    lower_order_final: Option<bool>,
    euler_at_final: Option<bool>,
    lambda_min_clipped: Option<Value>,
    sigma_min: Option<f64>,
    sigma_max: Option<f64>,
    algorithm_type: Option<String>,
    solver_type: Option<String>,
    interpolation_type: Option<String>,
    timestep_type: Option<String>,
    use_flow_sigmas: Option<bool>,
}

impl ScheduleConfig {
    /// Reads `scheduler_config.json`.
    ///
    /// # Errors
    /// The file is missing or malformed, or asks for something that changes pictures and that the engine does not have.
    pub fn load(path: &Path) -> Result<Self, InferenceError> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => InferenceError::Missing { path: path.into() },
            _ => InferenceError::Unreadable { path: path.into(), reason: error.to_string() },
        })?;
        Self::parse(&text, path)
    }

    /// Parses the text of a `scheduler_config.json`; `path` is for the errors.
    ///
    /// # Errors
    /// As for [`ScheduleConfig::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, InferenceError> {
        // Python writes `-Infinity` for lambda_min_clipped, which is no JSON.
        let text = text.replace(": -Infinity", ": null").replace(": Infinity", ": null");
        let file: File =
            serde_json::from_str(&text).map_err(|error| InferenceError::Unreadable { path: path.into(), reason: error.to_string() })?;
        let unsupported = |key: &str, value: &str| Unsupported { path: path.into(), key: key.into(), value: value.into() };
        refuse(&file, &unsupported)?;
        let prediction = match file.prediction_type.as_deref().unwrap_or("epsilon") {
            "epsilon" => Prediction::Epsilon,
            "v_prediction" => Prediction::Velocity,
            other => return Err(unsupported("prediction_type", other).into()),
        };
        let spacing = match file.timestep_spacing.as_deref() {
            None => None,
            Some("leading") => Some(Spacing::Leading),
            Some("trailing") => Some(Spacing::Trailing),
            Some("linspace") => Some(Spacing::Linspace),
            Some(other) => return Err(unsupported("timestep_spacing", other).into()),
        };
        let ends_at_sigma_min = match file.final_sigmas_type.as_deref().unwrap_or("zero") {
            "zero" => false,
            "sigma_min" => true,
            other => return Err(unsupported("final_sigmas_type", other).into()),
        };
        let beta_schedule = file.beta_schedule.clone().unwrap_or_else(|| "linear".into());
        let betas = betas(&file, &beta_schedule).ok_or_else(|| unsupported("beta_schedule", &beta_schedule))?;
        if betas.len() < 2 {
            return Err(unsupported("num_train_timesteps", &betas.len().to_string()).into());
        }
        let mut alphas_cumprod = cumulative_product(&betas);
        if file.rescale_betas_zero_snr.unwrap_or(false) {
            alphas_cumprod = rescaled_to_zero_snr(&alphas_cumprod);
        }
        Ok(Self {
            prediction,
            alphas_cumprod,
            is_cosine: beta_schedule == "squaredcos_cap_v2",
            steps_offset: file.steps_offset.unwrap_or(0),
            clip: file.clip_sample.unwrap_or(true).then(|| file.clip_sample_range.unwrap_or(1.0)),
            set_alpha_to_one: file.set_alpha_to_one.unwrap_or(true),
            ends_at_sigma_min,
            lower_order_final: file.lower_order_final.unwrap_or(true),
            euler_at_final: file.euler_at_final.unwrap_or(false),
            lambda_min_clipped: file.lambda_min_clipped.as_ref().and_then(Value::as_f64).unwrap_or(f64::NEG_INFINITY),
            sigma_min: file.sigma_min,
            sigma_max: file.sigma_max,
            spacing,
        })
    }

    pub(super) fn spacing(&self, sampler: Sampler) -> Spacing {
        self.spacing.unwrap_or(match sampler {
            Sampler::Ddim => Spacing::Leading,
            Sampler::Euler | Sampler::EulerA | Sampler::DpmPp2M => Spacing::Linspace,
        })
    }

    /// σ = √((1 − ᾱ) / ᾱ) of every training timestep, in `f32` as torch computes it.
    pub(super) fn sigmas(&self) -> Vec<f32> {
        self.alphas_cumprod.iter().map(|alpha| ((1.0 - alpha) / alpha).sqrt()).collect()
    }
}

struct Unsupported {
    path: PathBuf,
    key: String,
    value: String,
}

impl From<Unsupported> for InferenceError {
    fn from(it: Unsupported) -> Self {
        Self::Unsupported { path: it.path, what: format!("`{}`: {}", it.key, it.value) }
    }
}

/// Refuses what would silently give other pictures than the model's makers see.
fn refuse(file: &File, unsupported: &impl Fn(&str, &str) -> Unsupported) -> Result<(), InferenceError> {
    let class = file.class_name.as_deref().unwrap_or_default();
    if class.starts_with("FlowMatch") || class.starts_with("EDM") {
        return Err(unsupported("_class_name", class).into());
    }
    for (key, value) in [("thresholding", file.thresholding), ("use_flow_sigmas", file.use_flow_sigmas)] {
        if value == Some(true) {
            return Err(unsupported(key, "true").into());
        }
    }
    for (key, value, known) in [
        ("algorithm_type", &file.algorithm_type, &["dpmsolver++", "deis"][..]),
        ("solver_type", &file.solver_type, &["midpoint", "logrho", "bh1", "bh2"]),
        ("interpolation_type", &file.interpolation_type, &["linear"]),
        ("timestep_type", &file.timestep_type, &["discrete"]),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !known.contains(value)) {
            return Err(unsupported(key, value).into());
        }
    }
    Ok(())
}

fn betas(file: &File, beta_schedule: &str) -> Option<Vec<f32>> {
    if let Some(betas) = &file.trained_betas {
        return Some(betas.clone());
    }
    let n = file.num_train_timesteps.unwrap_or(1000);
    let (start, end) = (file.beta_start.unwrap_or(0.0001), file.beta_end.unwrap_or(0.02));
    match beta_schedule {
        "linear" => Some(linspace_f32(start, end, n)),
        "scaled_linear" => Some(linspace_f32(start.sqrt(), end.sqrt(), n).into_iter().map(|root| root * root).collect()),
        "squaredcos_cap_v2" => {
            let alpha_bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
            let time = |i: usize| i as f64 / n as f64;
            Some((0..n).map(|i| (1.0 - alpha_bar(time(i + 1)) / alpha_bar(time(i))).min(0.999) as f32).collect())
        }
        _ => None,
    }
}

/// `torch.linspace` in float32: from both ends to the middle, with fused multiply-adds.
fn linspace_f32(start: f64, end: f64, n: usize) -> Vec<f32> {
    let (start, end) = (start as f32, end as f32);
    let step = (end - start) / (n.max(2) - 1) as f32;
    let value = |i: usize| if i < n / 2 { step.mul_add(i as f32, start) } else { (-step).mul_add((n - 1 - i) as f32, end) };
    (0..n).map(value).collect()
}

/// `torch.cumprod(1 - betas)` in float32: torch keeps the running product in `f64`.
fn cumulative_product(betas: &[f32]) -> Vec<f32> {
    let mut product = 1.0;
    let step = |beta: &f32| {
        product *= f64::from(1.0 - beta);
        product as f32
    };
    betas.iter().map(step).collect()
}

/// Lin et al. 2023, algorithm 1. The last ᾱ stays just above zero, so that its sigma is finite.
fn rescaled_to_zero_snr(alphas_cumprod: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = alphas_cumprod.iter().map(|alpha| alpha.sqrt()).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let mut rescaled: Vec<f32> = roots.iter().map(|root| ((root - last) * (first / (first - last))).powi(2)).collect();
    if let Some(last) = rescaled.last_mut() {
        *last = 1.0 / 16_777_216.0;
    }
    rescaled
}
