//! Timesteps and sigmas against diffusers.

use std::path::Path;

use inference::{
    error::InferenceError,
    sampler::Sampler,
    schedule::{Schedule, ScheduleConfig, ScheduleKind},
};
use serde_json::Value;

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn assert_close(found: &[f64], wanted: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!((found - wanted).abs() <= tolerance * wanted.abs().max(1.0), "{what}, value {i}: {found} is not {wanted}");
    }
}

#[test]
fn timesteps_and_sigmas_equal_diffusers() {
    let file: Value = serde_json::from_str(include_str!("data/schedules.json")).expect("valid JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 150);
    for case in cases {
        let config = ScheduleConfig::parse(&case["config"].to_string(), Path::new("scheduler_config.json")).expect("a configuration");
        let text = |key: &str| case[key].as_str().expect("a name");
        let sampler: Sampler = text("sampler").parse().expect("a sampler");
        let kind: ScheduleKind = text("schedule").parse().expect("a schedule");
        let steps = case["steps"].as_u64().expect("a count") as usize;
        let what = format!("{sampler} {kind}, {steps} steps, {}", case["config"]);
        let schedule = Schedule::new(&config, sampler, kind, steps);
        let timesteps: Vec<f64> = schedule.levels.iter().map(|level| level.timestep).collect();
        // Karras timesteps come from an interpolation in logarithms of f32; the others differ at most by how the JSON was read.
        let tolerance = if kind == ScheduleKind::Karras { 1e-3 } else { 1e-14 };
        assert_close(&timesteps, &floats(&case["timesteps"]), tolerance, &format!("timesteps of {what}"));
        let sigmas = floats(&case["sigmas"]);
        if sigmas.is_empty() {
            continue; // DDIM has none; its first latents are plain noise, in variance-preserving terms.
        }
        let ours: Vec<f64> = schedule.levels.iter().map(|level| level.sigma).chain(schedule.targets.last().copied()).collect();
        assert_close(&ours, &sigmas, 1e-5, &format!("sigmas of {what}"));
        if sampler != Sampler::DpmPp2M {
            let init = case["init_noise_sigma"].as_f64().expect("a number");
            assert_close(&[schedule.init_noise_sigma], &[init], 1e-5, &format!("first noise of {what}"));
        }
    }
}

#[test]
fn timesteps_equal_those_of_the_starter_models_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/reference");
    let text = std::fs::read_to_string(folder.join("reference.json")).expect("reference.json").replace("-Infinity", "null");
    let file: Value = serde_json::from_str(&text).expect("valid JSON");
    for case in file["cases"].as_array().expect("cases") {
        let config = ScheduleConfig::parse(&case["scheduler_config"].to_string(), Path::new("scheduler_config.json")).expect("a config");
        let sampler: Sampler = case["scheduler"].as_str().expect("a name").parse().expect("a sampler");
        let steps = case["steps"].as_u64().expect("a count") as usize;
        let tensors = candle_core::safetensors::load(folder.join(case["file"].as_str().expect("a file")), &candle_core::Device::Cpu);
        let wanted = &tensors.expect("tensors")["timesteps"];
        let wanted = wanted.to_dtype(candle_core::DType::F64).and_then(|tensor| tensor.to_vec1::<f64>()).expect("floats");
        let found: Vec<f64> =
            Schedule::new(&config, sampler, ScheduleKind::Normal, steps).levels.iter().map(|level| level.timestep).collect();
        assert_eq!(found, wanted, "{}", case["file"]);
    }
}

#[test]
fn what_the_engine_lacks_is_refused_by_file_and_key() {
    let message = |json: &str| match ScheduleConfig::parse(json, Path::new("m/scheduler_config.json")) {
        Err(error @ InferenceError::Unsupported { .. }) => error.to_string(),
        other => panic!("{json}: {other:?}"),
    };
    for (json, what) in [
        (r#"{"beta_schedule": "sigmoid"}"#, "`beta_schedule`: sigmoid"),
        (r#"{"prediction_type": "sample"}"#, "`prediction_type`: sample"),
        (r#"{"timestep_spacing": "odd"}"#, "`timestep_spacing`: odd"),
        (r#"{"thresholding": true}"#, "`thresholding`: true"),
        (r#"{"algorithm_type": "sde-dpmsolver++"}"#, "`algorithm_type`: sde-dpmsolver++"),
        (r#"{"_class_name": "FlowMatchEulerDiscreteScheduler"}"#, "`_class_name`: FlowMatchEulerDiscreteScheduler"),
    ] {
        assert_eq!(message(json), format!("m/scheduler_config.json: {what} is not supported"));
    }
    let python = r#"{"lambda_min_clipped": -Infinity, "beta_schedule": "linear"}"#;
    assert!(ScheduleConfig::parse(python, Path::new("x")).is_ok(), "Python's way to write infinity");
}
