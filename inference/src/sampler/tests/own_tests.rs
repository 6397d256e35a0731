//! The last samples that diffusers' own tests expect (`data/diffusers_scheduler_tests.txt`).

use std::cell::Cell;

use candle_core::{DType, Device, Tensor};
use futures::executor::block_on;

use super::{asked, config};
use crate::{
    error::InferenceError,
    noise::TorchGenerator,
    sampler::{Denoiser, NoiseLevel, Sampler, SamplerState},
    schedule::{Prediction, ScheduleKind},
};

/// The network of those tests: `sample · t / (t + 1)`.
struct Dummy {
    prediction: Prediction,
    /// The tests of the k-diffusion family hand the scaled sample to the step as if it were the sample.
    sampler_that_takes_scaled: Option<Sampler>,
    last_sigma: Cell<f64>,
}

impl Denoiser for Dummy {
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        self.last_sigma.set(at.sigma);
        let output = (latents * (at.timestep / (at.timestep + 1.0)))?;
        self.prediction.denoised(latents, &output, at)
    }

    fn hold(&self, latents: Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let Some(sampler) = self.sampler_that_takes_scaled else { return Ok(latents) };
        let (from, to) = (self.last_sigma.get(), at.sigma);
        let called_at = match sampler {
            Sampler::Dpm2 => (from * to).sqrt(),
            // The ancestral step goes down to to² / from and up again.
            Sampler::Dpm2A => (from * (to * to / from)).sqrt(),
            _ => to,
        };
        Ok((latents / called_at.hypot(1.0))?)
    }
}

/// `[4, 3, 8, 8]`: 0..768 in steps of 1/768, channels last; from the end for noise.
fn ramp(reversed: bool) -> Tensor {
    let values: Vec<f32> = (0..768).map(|i| (if reversed { 767 - i } else { i }) as f32 / 768.0).collect();
    let ramp = Tensor::from_vec(values, (3, 8, 8, 4), &Device::Cpu).and_then(|ramp| ramp.permute((3, 0, 1, 2)));
    ramp.and_then(|ramp| ramp.contiguous()).expect("a ramp")
}

struct Row {
    /// Section and test in the file.
    test: (&'static str, &'static str),
    sampler: Sampler,
    config: &'static str,
    kind: ScheduleKind,
    n_steps: usize,
    /// The step that a run starts at, from a noisy sample where the test's name says so.
    start: usize,
}

/// The loop of `full_loop` in those tests: sum and mean of the last sample's absolute values.
fn full_loop(row: &Row) -> Result<(f64, f64), InferenceError> {
    let config = config(row.config);
    let mut plan = row.sampler.plan(&config, &asked(row.kind, row.n_steps, None));
    plan.start = row.start;
    use Sampler::{Dpm2, Dpm2A, Euler, EulerA, Heun, Lms};
    let takes_scaled = matches!(row.sampler, Euler | EulerA | Lms | Heun | Dpm2 | Dpm2A);
    // These tests scale the sample as if it were noise, also where they then add noise to it.
    let sample = if takes_scaled { (ramp(false) * plan.levels.init_noise_sigma)? } else { ramp(false) };
    let latents = if row.test.1.ends_with("with_noise") { plan.noised(&sample, &ramp(true))? } else { sample };
    let denoiser =
        Dummy { prediction: plan.prediction(), sampler_that_takes_scaled: takes_scaled.then_some(row.sampler), last_sigma: Cell::new(0.0) };
    let mut state = SamplerState { step: plan.start, latents, history: Vec::new(), noise: TorchGenerator::new(0) };
    while state.step < plan.n_steps() {
        if takes_scaled {
            state.latents = (state.latents / plan.levels.at[state.step].sigma.hypot(1.0))?;
        }
        state = block_on(plan.step(&denoiser, state))?.state;
    }
    let sum = state.latents.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?;
    Ok((sum, sum / 768.0))
}

/// Sum and mean that a test expects: those of the CPU stand first.
fn expected((section, test): (&str, &str)) -> (Option<f64>, f64) {
    let file = include_str!("../../../tests/data/diffusers_scheduler_tests.txt");
    let begins = format!("== {section}\n");
    let text = &file[file.find(&begins).expect("a section") + begins.len()..];
    let text = &text[..text.find("\n== ").unwrap_or(text.len())];
    let number = |key: &str| {
        let begins = format!("{test} {key} ");
        text.lines().find_map(|line| line.trim().strip_prefix(begins.as_str())).map(|number| number.trim().parse().expect("a number"))
    };
    (number("sum"), number("mean").expect("a mean"))
}

const A: &str = r#"{"clip_sample": true}"#;
const A_V: &str = r#"{"clip_sample": true, "prediction_type": "v_prediction"}"#;
const ONE: &str = r#"{"beta_start": 0.01, "beta_end": 0.02, "set_alpha_to_one": true}"#;
const NOT_ONE: &str = r#"{"beta_start": 0.01, "beta_end": 0.02, "set_alpha_to_one": false}"#;
const B: &str = r#"{"num_train_timesteps": 1100, "beta_start": 0.0001, "beta_end": 0.02}"#;
const B_V: &str = r#"{"num_train_timesteps": 1100, "beta_start": 0.0001, "beta_end": 0.02, "prediction_type": "v_prediction"}"#;
const D: &str = r#"{"lower_order_final": false, "final_sigmas_type": "sigma_min"}"#;
const D_V: &str = r#"{"lower_order_final": false, "final_sigmas_type": "sigma_min", "prediction_type": "v_prediction"}"#;
const D_BOUND: &str = r#"{"lower_order_final": false, "final_sigmas_type": "sigma_min", "thresholding": true,
    "dynamic_thresholding_ratio": 0.87, "sample_max_value": 0.5}"#;
const D_LU: &str =
    r#"{"lower_order_final": false, "final_sigmas_type": "sigma_min", "prediction_type": "v_prediction", "use_lu_lambdas": true}"#;
const S: &str = r#"{"final_sigmas_type": "sigma_min"}"#;
const S_V: &str = r#"{"final_sigmas_type": "sigma_min", "prediction_type": "v_prediction"}"#;

fn rows() -> Vec<Row> {
    use Sampler::{Ddim, Ddpm, Deis, Dpm2, Dpm2A, DpmPp2M, DpmPp2S, Euler, EulerA, Heun, Lcm, Lms, Pndm, Tcd, UniPc};
    use ScheduleKind::{Karras, Normal};
    const PLAIN: &str = "test_full_loop_no_noise";
    const VELOCITY: &str = "test_full_loop_with_v_prediction";
    const NOISY: &str = "test_full_loop_with_noise";
    const KARRAS: &str = "test_full_loop_device_karras_sigmas";
    let row = |section, test, sampler, config, kind, start| Row { test: (section, test), sampler, config, kind, n_steps: 10, start };
    let mut rows = vec![
        row("ddim", PLAIN, Ddim, A, Normal, 0),
        row("ddim", VELOCITY, Ddim, A_V, Normal, 0),
        row("ddim", "test_full_loop_with_set_alpha_to_one", Ddim, ONE, Normal, 0),
        row("ddim", "test_full_loop_with_no_set_alpha_to_one", Ddim, NOT_ONE, Normal, 0),
        row("ddim", NOISY, Ddim, A, Normal, 8),
        Row { n_steps: 1000, ..row("ddpm", PLAIN, Ddpm, A, Normal, 0) },
        Row { n_steps: 1000, ..row("ddpm", VELOCITY, Ddpm, A_V, Normal, 0) },
        Row { n_steps: 1000, ..row("ddpm", NOISY, Ddpm, A, Normal, 998) },
        row("pndm", PLAIN, Pndm, "{}", Normal, 0),
        row("pndm", VELOCITY, Pndm, A_V, Normal, 0),
        row("pndm", "test_full_loop_with_set_alpha_to_one", Pndm, ONE, Normal, 0),
        row("pndm", "test_full_loop_with_no_set_alpha_to_one", Pndm, NOT_ONE, Normal, 0),
        Row { n_steps: 1, ..row("lcm", "test_full_loop_onestep", Lcm, "{}", Normal, 0) },
        row("lcm", "test_full_loop_multistep", Lcm, "{}", Normal, 0),
        Row { n_steps: 1, ..row("tcd", "test_full_loop_onestep_deter", Tcd, "{}", Normal, 0) },
        row("tcd", "test_full_loop_multistep_deter", Tcd, "{}", Normal, 0),
        row("dpm_multi", "test_full_loop_no_noise_thres", DpmPp2M, D_BOUND, Normal, 0),
        row("dpm_multi", "test_full_loop_with_karras_and_v_prediction", DpmPp2M, D_V, Karras, 0),
        row("dpm_multi", "test_full_loop_with_lu_and_v_prediction", DpmPp2M, D_LU, Normal, 0),
        Row { n_steps: 50, ..row("dpm_single", "test_full_uneven_loop", DpmPp2S, S, Normal, 3) },
        row("dpm_single", "test_full_loop_with_karras", DpmPp2S, S, Karras, 0),
        row("dpm_single", "test_full_loop_with_karras_and_v_prediction", DpmPp2S, S_V, Karras, 0),
        row("unipc", "test_full_loop_with_karras", UniPc, S, Karras, 0),
        row("unipc", "test_full_loop_with_karras_and_v_prediction", UniPc, S_V, Karras, 0),
        row("euler", KARRAS, Euler, B, Karras, 0),
        row("lms", KARRAS, Lms, B, Karras, 0),
        row("heun", KARRAS, Heun, B, Karras, 0),
    ];
    for (section, sampler, plain, velocity, start) in [
        ("euler", Euler, B, B_V, 8),
        ("euler_ancestral", EulerA, B, B_V, 8),
        ("lms", Lms, B, B_V, 8),
        ("heun", Heun, B, B_V, 8),
        ("kdpm2_discrete", Dpm2, B, B_V, 8),
        ("kdpm2_ancestral", Dpm2A, B, B_V, 8),
        ("dpm_multi", DpmPp2M, D, D_V, 5),
        ("dpm_single", DpmPp2S, S, S_V, 5),
        ("unipc", UniPc, S, S_V, 8),
        ("deis", Deis, "{}", A_V, 8),
    ] {
        rows.push(row(section, PLAIN, sampler, plain, Normal, 0));
        rows.push(row(section, VELOCITY, sampler, velocity, Normal, 0));
        rows.push(row(section, NOISY, sampler, plain, Normal, start));
    }
    rows
}

#[test]
fn the_last_samples_of_diffusers_own_tests_come_out() {
    let mut wrong = Vec::new();
    let rows = rows();
    for row in &rows {
        let (sum, mean) = full_loop(row).expect("a loop");
        let (wanted_sum, wanted_mean) = expected(row.test);
        // diffusers' own tolerances; its sums in the ten thousands are of f32 and good to seven digits.
        let is_right =
            wanted_sum.is_none_or(|wanted| (sum - wanted).abs() < 1e-2_f64.max(wanted * 1e-6)) && (mean - wanted_mean).abs() < 1e-3;
        if !is_right {
            wrong.push(format!("{:?}: sum {sum}, mean {mean}, not {wanted_sum:?}, {wanted_mean}", row.test));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
