//! The built-in model and what the configuration makes of it.

use std::path::Path;

use atelier::{
    config::{Config, ModelConfig},
    models::{default_guidance_scale, engine_config, is_configured_starter, is_starter, starter},
};
use inference::engine::{DeviceChoice, Precision};

fn with_model(path: impl AsRef<Path>) -> Config {
    Config { model: ModelConfig { path: path.as_ref().to_owned(), ..ModelConfig::default() }, ..Config::default() }
}

#[test]
fn the_starter_model_of_the_source_tree_is_found_and_complete() {
    let starter = starter().expect("the source tree has it");
    for part in ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] {
        assert!(starter.model.join(part).is_dir(), "{part}");
    }
    assert!(starter.upscaler.is_file());
}

#[test]
fn an_empty_configuration_loads_the_starter_model() {
    let starter = starter().expect("the source tree has it");
    let engine = engine_config(&Config::default()).expect("the defaults are right");
    assert_eq!((engine.models[0].path.clone(), engine.upscaler), (starter.model, Some(starter.upscaler)));
    assert_eq!((engine.device, engine.precision), (DeviceChoice::Cpu, Precision::F32));
    assert_eq!((engine.max_batch_rows, engine.preview_every), (16, 3));
}

#[test]
fn named_models_are_taken_as_named() {
    let mut config = with_model("/models/sd15");
    config.model.upscaler = "/models/x4.safetensors".into();
    config.model.device = "cuda:1".into();
    config.model.precision = "bf16".into();
    let engine = engine_config(&config).expect("the configuration is right");
    assert_eq!((engine.models[0].path.to_str(), engine.upscaler), (Some("/models/sd15"), Some("/models/x4.safetensors".into())));
    assert_eq!((engine.device, engine.precision), (DeviceChoice::Cuda(1), Precision::Bf16));
}

#[test]
fn guidance_suits_the_model_unless_it_is_configured() {
    let starter = starter().expect("the source tree has it").model;
    let roundabout = starter.join("../model");
    assert!(is_starter(&starter) && is_starter(&roundabout) && !is_starter(Path::new("/models/sd15")));
    assert!(is_configured_starter(&Config::default()) && is_configured_starter(&with_model(&roundabout)));
    assert_eq!(default_guidance_scale(&Config::default()), 4.0);
    assert_eq!(default_guidance_scale(&with_model(roundabout)), 4.0);
    assert_eq!(default_guidance_scale(&with_model("/models/sd15")), 7.5);
    let mut config = with_model("/models/sd15");
    config.defaults.guidance_scale = 3.0;
    assert_eq!(default_guidance_scale(&config), 3.0);
}
