//! Timesteps and sigmas against diffusers, and what a configuration says.

use std::path::Path;

use serde_json::Value;

use super::{asked, config, n_calls};
use crate::{
    error::InferenceError,
    sampler::{Plan, Sampler},
    schedule::{Asked, Pipeline, Prediction, ScheduleConfig, ScheduleKind},
};

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn assert_close(found: &[f64], wanted: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}: {found:?}, not {wanted:?}");
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!((found - wanted).abs() <= tolerance * wanted.abs().max(1.0), "{what}, value {i}: {found} is not {wanted}");
    }
}

fn timesteps(plan: &Plan) -> Vec<f64> {
    plan.levels.at.iter().map(|level| level.timestep).collect()
}

/// Two-call classes list the first and then every timestep twice, or each with the middle before it.
fn every_other(values: &[f64]) -> Vec<f64> {
    values.iter().step_by(2).copied().collect()
}

#[test]
fn timesteps_and_sigmas_equal_diffusers() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/data/schedules.json")).expect("valid JSON");
    let configs: Vec<ScheduleConfig> = file["configs"].as_array().expect("configs").iter().map(|json| config(&json.to_string())).collect();
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 300, "{}", cases.len());
    for case in cases {
        let text = |key: &str| case[key].as_str().expect("a name");
        let sampler: Sampler = text("sampler").parse().expect("a sampler");
        let kind: ScheduleKind = text("schedule").parse().expect("a schedule");
        let steps = case["steps"].as_u64().expect("a count") as usize;
        let index = case["config"].as_u64().expect("an index") as usize;
        let what = format!("{sampler} {kind}, {steps} steps, {}", file["configs"][index]);
        let plan = sampler.plan(&configs[index], &asked(kind, steps, None));
        let is_k = matches!(
            sampler,
            Sampler::Euler | Sampler::EulerA | Sampler::Lms | Sampler::Heun | Sampler::Dpm2 | Sampler::Dpm2A | Sampler::FlowEuler
        );
        let calls_twice = matches!(sampler, Sampler::Heun | Sampler::Dpm2 | Sampler::Dpm2A);
        let mut wanted = floats(&case["timesteps"]);
        if calls_twice {
            assert_eq!(n_calls(&plan), wanted.len(), "calls of {what}");
            wanted = every_other(&wanted);
        }
        // Whole timesteps are exact; fractional ones come from float32. DPM2 with Karras's sigmas rounds fractional ones, one of which is
        // 807.499995: torch's square root is not the nearest float, and its last bit decides.
        let is_rounded = kind == ScheduleKind::Karras && matches!(sampler, Sampler::Dpm2 | Sampler::Dpm2A);
        let tolerance = if is_rounded && index == 2 { 1.0 / 800.0 } else { 1e-6 };
        assert_close(&timesteps(&plan), &wanted, if is_k { tolerance } else { 0.0 }, &format!("timesteps of {what}"));
        let mut sigmas = floats(&case["sigmas"]);
        if !sigmas.is_empty() {
            if calls_twice {
                sigmas = sigmas.iter().skip(1).step_by(2).copied().collect();
                sigmas.insert(0, plan.levels.at[0].sigma);
            }
            let levels: Vec<_> = plan.levels.at.iter().chain(plan.levels.to.last()).collect();
            let ours: Vec<f64> = levels.iter().map(|level| if is_k { level.sigma } else { level.sigma / level.alpha }).collect();
            let ours = if calls_twice { ours[..sigmas.len().min(ours.len())].to_vec() } else { ours };
            assert_close(&ours, &sigmas[..ours.len()], 2e-6, &format!("sigmas of {what}"));
        }
        let init = case["init_noise_sigma"].as_f64().expect("a number");
        assert_close(&[plan.levels.init_noise_sigma], &[init], 1e-6, &format!("first noise of {what}"));
    }
}

/// Static shift and shift by the picture's size, a class's own sigmas and those that a pipeline gives.
#[test]
fn schedules_of_flow_matching_equal_diffusers() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/data/flow_schedules.json")).expect("valid JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() > 300, "{}", cases.len());
    for case in cases {
        let count = |value: &Value| value.as_u64().expect("a count") as usize;
        let sampler: Sampler = case["sampler"].as_str().expect("a name").parse().expect("a sampler");
        let kind: ScheduleKind = case["schedule"].as_str().expect("a name").parse().expect("a schedule");
        let mut json = file["configs"][count(&case["config"])].clone();
        json["_class_name"] = "FlowMatchEulerDiscreteScheduler".into();
        let config = config(&json.to_string());
        let config = if case["given"] == true { config.as_amended_by(Pipeline::Flow) } else { config };
        let (width, height) = (count(&case["size"][0]), count(&case["size"][1]));
        let n_tokens = width / 16 * (height / 16);
        let plan = sampler.plan(&config, &Asked { n_tokens, ..asked(kind, count(&case["steps"]), None) });
        let what = format!("{case}, {json}");
        let is_whole = sampler != Sampler::FlowEuler;
        // The reference's fractional ones come from float32 sigmas of which 1 was taken.
        let thousandths = |timesteps: Vec<f64>| timesteps.into_iter().map(|timestep| timestep / 1000.0).collect::<Vec<_>>();
        let (found, wanted) = (thousandths(timesteps(&plan)), thousandths(floats(&case["timesteps"])));
        assert_close(&found, &wanted, if is_whole { 0.0 } else { 1e-6 }, &format!("timesteps of {what}"));
        let levels = plan.levels.at.iter().chain(plan.levels.to.last());
        let sigmas: Vec<f64> = levels.map(|level| level.sigma).collect();
        assert_close(&sigmas, &floats(&case["sigmas"]), 1e-6, &format!("sigmas of {what}"));
        assert!(plan.prediction() == Prediction::Flow && sigmas[0] <= 1.0);
    }
}

#[test]
fn a_single_step_of_flow_matching_is_all_noise_whatever_the_last_sigma_is_to_be() {
    let config = config(r#"{"prediction_type": "flow_prediction", "shift_terminal": 0.1}"#);
    for sampler in [Sampler::FlowEuler, Sampler::UniPc] {
        let plan = sampler.plan(&config, &asked(ScheduleKind::Normal, 1, None));
        assert!((plan.levels.at[0].sigma - 1.0).abs() < 2e-6, "{sampler}: {:?}", plan.levels);
    }
}

/// Pipelines of flow matching leave out other steps than those of Stable Diffusion: of 8 steps at 0.6 they make 5.
#[test]
fn steps_that_changing_a_picture_leaves_out_equal_diffusers() {
    let file: Value = serde_json::from_str(include_str!("../../../tests/data/flow_schedules.json")).expect("valid JSON");
    let config = config("{}").as_amended_by(Pipeline::Flow);
    for case in file["left_out"].as_array().expect("cases") {
        let n_steps = case["steps"].as_u64().expect("a count") as usize;
        let left_out = case["left_out"].as_u64().expect("a count") as usize;
        let plan = Sampler::FlowEuler.plan(&config, &asked(ScheduleKind::Normal, n_steps, case["strength"].as_f64()));
        // Where the reference leaves nothing to do, one step stays.
        assert_eq!(plan.start, left_out.min(n_steps - 1), "{case}");
    }
}

#[test]
fn timesteps_equal_those_of_the_starter_models_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/reference");
    let text = std::fs::read_to_string(folder.join("reference.json")).expect("reference.json").replace("-Infinity", "null");
    let file: Value = serde_json::from_str(&text).expect("valid JSON");
    for case in file["cases"].as_array().expect("cases") {
        let config = config(&case["scheduler_config"].to_string());
        let sampler: Sampler = case["scheduler"].as_str().expect("a name").parse().expect("a sampler");
        let steps = case["steps"].as_u64().expect("a count") as usize;
        let tensors = candle_core::safetensors::load(folder.join(case["file"].as_str().expect("a file")), &candle_core::Device::Cpu);
        let wanted = &tensors.expect("tensors")["timesteps"];
        let wanted = wanted.to_dtype(candle_core::DType::F64).and_then(|tensor| tensor.to_vec1::<f64>()).expect("floats");
        assert_eq!(timesteps(&sampler.plan(&config, &asked(ScheduleKind::Normal, steps, None))), wanted, "{}", case["file"]);
    }
}

#[test]
fn what_the_engine_lacks_is_refused_by_file_and_key() {
    let message = |json: &str| match ScheduleConfig::parse(json, Path::new("m/scheduler_config.json")) {
        Err(error @ InferenceError::Unsupported { .. }) => error.to_string(),
        other => panic!("{json}: {other:?}"),
    };
    for (json, what) in [
        (r#"{"beta_schedule": "odd"}"#, "`beta_schedule`: odd"),
        (r#"{"prediction_type": "original_score"}"#, "`prediction_type`: original_score"),
        (r#"{"timestep_spacing": "odd"}"#, "`timestep_spacing`: odd"),
        (r#"{"variance_type": "learned_range"}"#, "`variance_type`: learned_range"),
        (r#"{"algorithm_type": "ode"}"#, "`algorithm_type`: ode"),
        (r#"{"solver_order": 4}"#, "`solver_order`: 4"),
        (r#"{"invert_sigmas": true}"#, "`invert_sigmas`: true"),
        (r#"{"time_shift_type": "odd"}"#, "`time_shift_type`: odd"),
        (r#"{"use_dynamic_shifting": true, "max_image_seq_len": 256}"#, "`max_image_seq_len`: 256"),
        (r#"{"num_train_timesteps": 1}"#, "`num_train_timesteps`: 1"),
    ] {
        assert_eq!(message(json), format!("m/scheduler_config.json: {what} is not supported"));
    }
    let python = r#"{"lambda_min_clipped": -Infinity, "beta_schedule": "linear"}"#;
    assert!(ScheduleConfig::parse(python, Path::new("x")).is_ok(), "Python's way to write infinity");
}

#[test]
fn a_configuration_says_how_its_makers_sample() {
    let own = |json: &str| config(json).own_sampler().map_err(|error| error.to_string());
    for (json, sampler) in [
        (r#"{"_class_name": "PNDMScheduler", "skip_prk_steps": true}"#, Sampler::Pndm),
        (r#"{"_class_name": "DPMSolverMultistepScheduler"}"#, Sampler::DpmPp2M),
        (r#"{"_class_name": "DPMSolverMultistepScheduler", "solver_order": 3}"#, Sampler::DpmPp3M),
        (r#"{"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"}"#, Sampler::DpmPp2MSde),
        (r#"{"_class_name": "EulerAncestralDiscreteScheduler"}"#, Sampler::EulerA),
        (r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}"#, Sampler::FlowEuler),
    ] {
        assert_eq!(own(json), Ok(sampler));
    }
    let error = own(r#"{"_class_name": "EDMEulerScheduler"}"#);
    assert_eq!(error, Err("scheduler_config.json: `_class_name`: EDMEulerScheduler is not supported".into()));
    assert_eq!(own("{}"), Err("scheduler_config.json: `_class_name`: none is not supported".into()));
    for (json, kind) in [
        (r#"{"use_karras_sigmas": true}"#, ScheduleKind::Karras),
        (r#"{"use_exponential_sigmas": true, "use_karras_sigmas": false}"#, ScheduleKind::Exponential),
        (r#"{"use_beta_sigmas": true}"#, ScheduleKind::Beta),
        (r#"{"timestep_spacing": "trailing"}"#, ScheduleKind::Normal),
    ] {
        assert_eq!(config(json).own_kind(), kind, "{json}");
    }
    assert_eq!(config(r#"{"_class_name": "FlowMatchEulerDiscreteScheduler"}"#).prediction, Prediction::Flow);
    assert_eq!(config(r#"{"prediction_type": "sample"}"#).prediction, Prediction::Sample);
}

/// The Stable Diffusion 1 and 2 pipelines set an offset of 1 and switch clipping off, but a class chosen later takes its own defaults for keys
/// that the file lacks.
#[test]
fn pipelines_amend_what_the_file_says_and_the_own_class() {
    let last = |json: &str, sampler: Sampler, is_amended: bool| {
        let config = if is_amended { config(json).as_amended_by(Pipeline::Drawing) } else { config(json) };
        let plan = sampler.plan(&config, &asked(ScheduleKind::Normal, 10, None));
        plan.levels.at[plan.n_steps() - 1].timestep
    };
    let ddim = r#"{"_class_name": "DDIMScheduler"}"#;
    let ddim_given = r#"{"_class_name": "DDIMScheduler", "steps_offset": 0}"#;
    assert_eq!(last(ddim, Sampler::Ddim, false), 0.0);
    assert_eq!(last(ddim, Sampler::Ddim, true), 1.0, "its own class");
    assert_eq!(last(ddim, Sampler::Ddpm, true), 0.0, "another class's default");
    assert_eq!(last(ddim_given, Sampler::Ddpm, true), 1.0, "a given key carries over");
}

#[test]
fn strength_counts_the_steps_that_are_left() {
    let plan = |sampler: Sampler, n, strength| {
        sampler.plan(&config(r#"{"skip_prk_steps": true}"#), &asked(ScheduleKind::Normal, n, Some(strength)))
    };
    for (sampler, n, strength, start, calls) in [
        (Sampler::Ddim, 10, 0.6, 4, 6),
        (Sampler::Ddim, 10, 1.0, 0, 10),
        (Sampler::Ddim, 10, 0.01, 9, 1),
        (Sampler::Heun, 10, 0.6, 4, 11),
        (Sampler::Dpm2A, 10, 0.05, 9, 1),
        (Sampler::DpmPpSde, 4, 1.0, 0, 7),
        (Sampler::Pndm, 10, 0.6, 4, 7),
        (Sampler::Pndm, 10, 1.0, 0, 11),
        (Sampler::UniPc, 30, 0.2, 24, 6),
    ] {
        let plan = plan(sampler, n, strength);
        assert_eq!((plan.start, n_calls(&plan)), (start, calls), "{sampler}, {n} steps, {strength}");
    }
}
