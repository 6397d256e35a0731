//! Samplers against diffusers' own tests, and their order of convergence on a distribution with a known answer.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use futures::executor::block_on;
use inference::{
    error::InferenceError,
    noise::TorchGenerator,
    sampler::{Denoiser, NoiseLevel, Sampler, SamplerState},
    schedule::{Prediction, Schedule, ScheduleConfig, ScheduleKind},
};

/// The network of diffusers' tests: `sample · t / (t + 1)`.
struct Dummy {
    prediction: Prediction,
    /// diffusers' tests of the Euler family hand the scaled sample to the step as if it were the sample.
    takes_latents_as_they_are: bool,
}

impl Denoiser for Dummy {
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let scale = if self.takes_latents_as_they_are { 1.0 } else { at.sigma.hypot(1.0) };
        let output = ((latents / scale)? * (at.timestep / (at.timestep + 1.0)))?;
        self.prediction.denoised(latents, &output, at.sigma)
    }
}

/// `[4, 3, 8, 8]`: 0..768 in steps of 1/768, channels last; from the end for noise.
fn ramp(reversed: bool) -> Tensor {
    let values: Vec<f32> = (0..768).map(|i| (if reversed { 767 - i } else { i }) as f32 / 768.0).collect();
    let ramp = Tensor::from_vec(values, (3, 8, 8, 4), &Device::Cpu).and_then(|ramp| ramp.permute((3, 0, 1, 2)));
    ramp.and_then(|ramp| ramp.contiguous()).expect("a ramp")
}

struct Row {
    sampler: Sampler,
    config: &'static str,
    kind: ScheduleKind,
    /// The step that a run from a noisy sample starts at.
    noisy_from: Option<usize>,
    sum: Option<f64>,
    mean: f64,
}

/// The loop of `full_loop` in diffusers' tests: sum and mean of the last sample's absolute values.
fn full_loop(row: &Row) -> Result<(f64, f64), InferenceError> {
    let config = ScheduleConfig::parse(row.config, Path::new("scheduler_config.json"))?;
    let schedule = Schedule::new(&config, row.sampler, row.kind, 10);
    let start = row.noisy_from.unwrap_or(0);
    let plan = row.sampler.plan(&schedule, start);
    let is_euler = matches!(row.sampler, Sampler::Euler | Sampler::EulerA);
    let first = schedule.levels[start].sigma;
    // The Euler family's tests scale the sample as if it were noise, also where they then add noise to it.
    let sample = if is_euler { (ramp(false) * schedule.init_noise_sigma)? } else { ramp(false) };
    let latents = match row.noisy_from {
        Some(_) => (sample + (ramp(true) * first)?)?,
        None if is_euler => sample,
        None => (sample * first.hypot(1.0))?,
    };
    let denoiser = Dummy { prediction: config.prediction, takes_latents_as_they_are: is_euler };
    let mut state = SamplerState { step: start, latents, history: Vec::new(), noise: TorchGenerator::new(0) };
    while state.step < plan.steps.len() {
        if is_euler {
            state.latents = (state.latents / plan.steps[state.step].at.sigma.hypot(1.0))?;
        }
        state = block_on(row.sampler.step(&plan, &denoiser, state))?.state;
    }
    let latents = (state.latents * plan.final_scale)?;
    let sum = latents.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?;
    Ok((sum, sum / 768.0))
}

const A: &str = r#"{"num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02}"#;
const A_V: &str = r#"{"num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "prediction_type": "v_prediction"}"#;
const A_ONE: &str = r#"{"num_train_timesteps": 1000, "beta_start": 0.01, "beta_end": 0.02, "set_alpha_to_one": true}"#;
const A_NOT_ONE: &str = r#"{"num_train_timesteps": 1000, "beta_start": 0.01, "beta_end": 0.02, "set_alpha_to_one": false}"#;
const B: &str = r#"{"num_train_timesteps": 1100, "beta_start": 0.0001, "beta_end": 0.02}"#;
const B_V: &str = r#"{"num_train_timesteps": 1100, "beta_start": 0.0001, "beta_end": 0.02, "prediction_type": "v_prediction"}"#;
const D: &str = r#"{"num_train_timesteps": 1000, "lower_order_final": false, "final_sigmas_type": "sigma_min"}"#;
const D_V: &str =
    r#"{"num_train_timesteps": 1000, "lower_order_final": false, "final_sigmas_type": "sigma_min", "prediction_type": "v_prediction"}"#;

#[test]
fn the_last_samples_of_diffusers_own_tests_come_out() {
    use Sampler::{Ddim, DpmPp2M, Euler, EulerA};
    use ScheduleKind::{Karras, Normal};
    let row = |sampler, config, kind, noisy_from, sum, mean| Row { sampler, config, kind, noisy_from, sum, mean };
    let rows = [
        row(Ddim, A, Normal, None, Some(172.0067), 0.223967),
        row(Ddim, A_V, Normal, None, Some(52.5302), 0.0684),
        row(Ddim, A_ONE, Normal, None, Some(149.8295), 0.1951),
        row(Ddim, A_NOT_ONE, Normal, None, Some(149.0784), 0.1941),
        row(Ddim, A, Normal, Some(8), Some(354.5418), 0.4616),
        row(Euler, B, Normal, None, Some(10.0807), 0.0131),
        row(Euler, B_V, Normal, None, Some(0.0002), 2.2676e-06),
        row(Euler, B, Karras, None, Some(124.522_994_995_117_19), 0.162_139_326_333_999_63),
        row(Euler, B, Normal, Some(8), Some(57062.9297), 74.3007),
        row(EulerA, B, Normal, None, Some(152.3192), 0.1983),
        row(EulerA, B_V, Normal, None, Some(108.4439), 0.1412),
        row(EulerA, B, Normal, Some(8), Some(56163.0508), 73.1290),
        row(DpmPp2M, D, Normal, None, None, 0.3301),
        row(DpmPp2M, D, Normal, Some(5), Some(318.4111), 0.4146),
        row(DpmPp2M, D_V, Normal, None, None, 0.2251),
        row(DpmPp2M, D_V, Karras, None, None, 0.2096),
    ];
    for row in rows {
        let (sum, mean) = full_loop(&row).expect("a loop");
        let what = format!("{} {} from {:?}, {}: sum {sum}, mean {mean}", row.sampler, row.kind, row.noisy_from, row.config);
        // diffusers' own tolerances; its sums in the ten thousands are of f32 and good to seven digits.
        assert!(row.sum.is_none_or(|wanted| (sum - wanted).abs() < 1e-2_f64.max(wanted * 3e-7)), "{what}");
        assert!((mean - row.mean).abs() < 1e-3, "{what}");
    }
}

/// The exact denoiser of data that are normal with this mean and deviation.
struct Gaussian;
const MEAN: f64 = 0.3;
const DEVIATION: f64 = 0.5;

impl Denoiser for Gaussian {
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let variance = DEVIATION.powi(2) + at.sigma.powi(2);
        Ok(latents.affine(DEVIATION.powi(2) / variance, MEAN * at.sigma.powi(2) / variance)?)
    }
}

/// Error of a run from sigma 10 to 0.1 with levels that are even in the logarithm, against the closed form.
fn error(sampler: Sampler, n_steps: usize) -> Result<f64, InferenceError> {
    let sigma = |i: usize| 10.0 * 0.01_f64.powf(i as f64 / n_steps as f64);
    let levels: Vec<NoiseLevel> = (0..n_steps).map(|i| NoiseLevel { sigma: sigma(i), timestep: 0.0 }).collect();
    let targets = (1..=n_steps).map(sigma).collect();
    let schedule = Schedule { levels, targets, init_noise_sigma: 10.0, final_scale: 1.0, clip: None, last_is_first_order: false };
    let plan = sampler.plan(&schedule, 0);
    let first = 7.0;
    let latents = Tensor::full(first, (1, 1, 1, 1), &Device::Cpu)?;
    let mut state = SamplerState { step: 0, latents, history: Vec::new(), noise: TorchGenerator::new(0) };
    while state.step < n_steps {
        state = block_on(sampler.step(&plan, &Gaussian, state))?.state;
    }
    // Along the probability-flow ODE the distance from the mean shrinks with the deviation of the noisy data.
    let exact = MEAN + (first - MEAN) * DEVIATION.hypot(0.1) / DEVIATION.hypot(10.0);
    Ok((state.latents.flatten_all()?.to_vec1::<f64>()?[0] - exact).abs())
}

#[test]
fn each_solver_converges_with_its_order() {
    for (sampler, order) in [(Sampler::Euler, 1.0), (Sampler::Ddim, 1.0), (Sampler::DpmPp2M, 2.0)] {
        let (coarse, fine) = (error(sampler, 80).expect("a run"), error(sampler, 160).expect("a run"));
        let found = (coarse / fine).log2();
        assert!((found - order).abs() < 0.15, "{sampler}: order {found:.3}, errors {coarse:.2e} and {fine:.2e}");
    }
}

#[test]
fn ancestral_noise_keeps_the_distribution() {
    let config = ScheduleConfig::parse(A, Path::new("x")).expect("a configuration");
    let schedule = Schedule::new(&config, Sampler::EulerA, ScheduleKind::Karras, 60);
    let plan = Sampler::EulerA.plan(&schedule, 0);
    let mut noise = TorchGenerator::new(3);
    let latents = Tensor::from_vec(noise.randn(20_000), (1, 2, 100, 100), &Device::Cpu).expect("noise");
    let latents = (latents * schedule.init_noise_sigma).expect("noise");
    let mut state = SamplerState { step: 0, latents, history: Vec::new(), noise };
    while state.step < plan.steps.len() {
        state = block_on(Sampler::EulerA.step(&plan, &Gaussian, state)).expect("a step").state;
    }
    let values = state.latents.flatten_all().and_then(|tensor| tensor.to_vec1::<f32>()).expect("values");
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    assert!((mean - MEAN).abs() < 0.02, "mean {mean}");
    assert!((variance.sqrt() - DEVIATION).abs() < 0.05, "deviation {}", variance.sqrt());
}
