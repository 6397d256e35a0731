//! Last latents against diffusers over a small stand-in for a network: `tools/reference/samplers.py`.

use candle_core::{Device, Tensor};
use futures::executor::block_on;
use serde_json::Value;

use super::{asked, config};
use crate::{
    error::InferenceError,
    noise::TorchGenerator,
    sampler::{Denoiser, NoiseLevel, Sampler, SamplerState},
    schedule::{Asked, Prediction, ScheduleKind},
};

/// The network of the script, and what inpainting puts back between two calls.
struct StandIn {
    prediction: Prediction,
    kept: Option<Kept>,
}

/// The half of the latents that inpainting keeps.
struct Kept {
    clean: Tensor,
    noise: Tensor,
    mask: Tensor,
}

impl Kept {
    fn put_back(&self, latents: &Tensor, kept: &Tensor) -> Result<Tensor, InferenceError> {
        Ok(((kept * self.mask.affine(-1.0, 1.0)?)? + (latents * &self.mask)?)?)
    }
}

impl Denoiser for StandIn {
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let scaled = (latents * self.prediction.input_scale(at))?;
        let output = scaled.tanh()?.affine(0.7, 0.3 * (at.timestep / 300.0).cos())?;
        self.prediction.denoised(latents, &output, at)
    }

    fn hold(&self, latents: Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let Some(kept) = &self.kept else { return Ok(latents) };
        kept.put_back(&latents, &((&kept.clean * at.alpha)? + (&kept.noise * at.sigma)?)?)
    }
}

fn latents_of(values: Vec<f32>) -> Result<Tensor, InferenceError> {
    Ok(Tensor::from_vec(values, (1, 1, 4, 4), &Device::Cpu)?)
}

fn last_latents(case: &Value, config_json: &Value) -> Result<Vec<f64>, InferenceError> {
    let text = |key: &str| case[key].as_str().expect("a name");
    let sampler: Sampler = text("sampler").parse().expect("a sampler");
    let kind: ScheduleKind = text("schedule").parse().expect("a schedule");
    let n_steps = case["steps"].as_u64().expect("a count");
    let config = config(&config_json.to_string());
    let strength = case["strength"].as_f64();
    let eta = config_json["eta"].as_f64().unwrap_or(0.0);
    let plan = sampler.plan(&config, &Asked { eta, ..asked(kind, n_steps as usize, strength) });
    let mut generator = TorchGenerator::new(n_steps);
    let noise = latents_of(generator.randn(16))?;
    let clean = latents_of((0..16).map(|i| i as f32 / 8.0 - 1.0).collect())?;
    let mask = latents_of((0..16).map(|i| (i % 2) as f32).collect())?;
    let latents = if strength.is_some() { plan.noised(&clean, &noise)? } else { plan.first_latents(&noise)? };
    let kept = (case["inpaint"] == true).then(|| Kept { clean: clean.clone(), noise: noise.clone(), mask });
    let denoiser = StandIn { prediction: plan.prediction(), kept };
    let mut state = SamplerState { step: plan.start, latents, history: Vec::new(), noise: generator };
    while state.step < plan.n_steps() {
        let step = state.step;
        state = block_on(plan.step(&denoiser, state))?.state;
        assert!(state.history.len() <= 5, "{sampler} remembers {} tensors", state.history.len());
        if let Some(kept) = &denoiser.kept {
            state.latents = kept.put_back(&state.latents, &plan.noised_after(step, &clean, &noise)?)?;
        }
    }
    let values = state.latents.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.into_iter().map(f64::from).collect())
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

#[test]
fn last_latents_equal_those_of_diffusers() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/data/samplers.json")).expect("valid JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 800, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let config = &file["configs"][case["config"].as_u64().expect("an index") as usize];
        let found = last_latents(case, config).expect("a run");
        let wanted: Vec<f64> = case["latents"].as_array().expect("latents").iter().filter_map(Value::as_f64).collect();
        assert_eq!(found.len(), wanted.len());
        let distance = length(found.iter().zip(&wanted).map(|(a, b)| a - b)) / length(wanted.iter().copied());
        if distance.is_nan() || distance >= tolerance(case, config) {
            let options = ["sampler", "schedule", "steps", "strength", "inpaint"].map(|key| case[key].to_string()).join(" ");
            wrong.push(format!("{distance:.1e}: {options} {config}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The length of the difference over the length of the latents.
fn tolerance(case: &Value, config: &Value) -> f64 {
    // Their first sigma is 4096, of which float32 keeps three or four digits where the noise has gone.
    let starts_at_4096 = case["sampler"] == "euler" && config["rescale_betas_zero_snr"] == true;
    if starts_at_4096 { 1e-3 } else { 1e-4 }
}
