//! The built-in model and what the configuration makes of it.

use std::path::Path;

use atelier::{
    config::{Config, ModelConfig},
    models::{catalogue_config, engine_config, is_configured_starter, is_starter, known, starter, suited},
};
use inference::{
    catalogue::{Catalogue, ModelCard},
    engine::{DeviceChoice, Precision},
    family::Suited,
    sampler::Sampler,
    schedule::{Prediction, ScheduleKind},
    task::ImageSize,
};

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
    let things = catalogue_config(&Config::default()).expect("the defaults are right");
    assert_eq!((things.models[0].path.clone(), things.upscaler), (starter.model, Some(starter.upscaler)));
    let engine = engine_config(&Config::default()).expect("the defaults are right");
    assert_eq!((engine.devices, engine.precision), (vec![DeviceChoice::Cpu], Precision::F32));
    assert_eq!((engine.max_batch_rows, engine.preview_every), (16, 3));
}

#[test]
fn named_models_are_taken_as_named() {
    let mut config = with_model("/models/sd15");
    config.model.upscaler = "/models/x4.safetensors".into();
    config.engine.devices = vec!["cuda:1".into()];
    config.model.precision = "bf16".into();
    let things = catalogue_config(&config).expect("the configuration is right");
    assert_eq!((things.models[0].path.to_str(), things.upscaler), (Some("/models/sd15"), Some("/models/x4.safetensors".into())));
    let engine = engine_config(&config).expect("the configuration is right");
    assert_eq!((engine.devices, engine.precision), (vec![DeviceChoice::Cuda(1)], Precision::Bf16));
}

#[test]
fn guidance_suits_the_model_unless_it_is_configured() {
    let starter = starter().expect("the source tree has it").model;
    let roundabout = starter.join("../model");
    assert!(is_starter(&starter) && is_starter(&roundabout) && !is_starter(Path::new("/models/sd15")));
    assert!(is_configured_starter(&Config::default()) && is_configured_starter(&with_model(&roundabout)));
    let guidance = |config: &Config| suited(config, &known(config).expect("the starter is there")[0], &info()).guidance_scale;
    assert_eq!(guidance(&Config::default()), 4.0);
    assert_eq!(guidance(&with_model(roundabout)), 4.0);
    assert_eq!(guidance(&with_model("/models/sd15")), 7.5);
    let mut config = with_model("/models/sd15");
    config.defaults.guidance_scale = 3.0;
    assert_eq!(guidance(&config), 3.0);
}

/// A model of Stable Diffusion's measures.
fn info() -> ModelCard {
    let catalogue = Catalogue::open(&catalogue_config(&Config::default()).expect("the starter model")).expect("it is there");
    let mut card = ModelCard::clone(&catalogue.models()[0]);
    (card.sampler, card.schedule) = (Sampler::EulerA, ScheduleKind::Karras);
    (card.native_size, card.size_multiple, card.even_multiple, card.max_side) = (ImageSize::new(512, 512), 8, 64, 2040);
    card
}

#[test]
fn what_a_models_makers_draw_with_comes_before_what_nobody_chose() {
    let mut card = info();
    let drawn = |card: &ModelCard, text: &str| {
        let config = Config::parse(&format!("[model]\npath = \"/models/turbo\"\n{text}")).expect("a configuration");
        let model = suited(&config, &known(&config).expect("the starter is there")[0], card);
        (model.steps, model.guidance_scale)
    };
    assert_eq!(drawn(&card, ""), (25, 7.5));
    card.suited = Some(Suited { steps: 8, guidance_scale: 0.0 });
    assert_eq!(drawn(&card, ""), (8, 0.0));
    assert_eq!(drawn(&card, "[defaults]\nsteps = 30\nguidance_scale = 3.0"), (30, 3.0));
    assert_eq!(drawn(&card, "[limits]\nmax_steps = 5\n[defaults]\nsteps = 5"), (5, 0.0));
}

#[test]
fn an_alias_comes_before_the_defaults_and_those_before_the_model() {
    let mut config = Config::parse(
        "[aliases.a]\npath = \"/a\"\nsteps = 9\nguidance_scale = 2.0\nsampler = \"ddim\"\nschedule = \"normal\"\nwidth = 320\nheight = 640\n\
         clip_skip = 1\nnegative_prompt = \"text\"\n[aliases.b]\npath = \"/b\"",
    )
    .expect("a configuration");
    let of = |config: &Config, index: usize| suited(config, &known(config).expect("the starter is there")[index], &info());
    let a = of(&config, 1);
    assert_eq!((a.steps, a.guidance_scale, a.sampler, a.schedule), (9, 2.0, Sampler::Ddim, ScheduleKind::Normal));
    assert_eq!((a.native_size, a.clip_skip, a.negative_prompt.as_deref()), (ImageSize::new(320, 640), 1, Some("text")));
    let b = of(&config, 2);
    assert_eq!((b.steps, b.guidance_scale, b.sampler, b.schedule), (25, 7.5, Sampler::EulerA, ScheduleKind::Karras), "the model's own");
    assert_eq!((b.native_size, b.size_multiple, b.max_side), (ImageSize::new(512, 512), 64, 1984), "sides that suit every level");
    config.defaults.sampler = Some(Sampler::Euler.into());
    assert_eq!((of(&config, 1).sampler, of(&config, 2).sampler), (Sampler::Ddim, Sampler::Euler));
}

/// What is usual suits most models; one that it cannot draw with has its own way, unless its alias says otherwise.
#[test]
fn a_usual_sampler_that_does_not_fit_a_model_leaves_it_its_own() {
    let text = "[defaults]\nsampler = \"Euler a Karras\"\n[aliases.a]\npath = \"/a\"\n[aliases.b]\npath = \"/b\"\nsampler = \"ddim\"";
    let config = Config::parse(text).expect("a configuration");
    let how = |prediction: Prediction, index: usize| {
        let mut card = info();
        (card.prediction, card.sampler, card.schedule) = (prediction, Sampler::FlowEuler, ScheduleKind::Normal);
        let suited = suited(&config, &known(&config).expect("the starter is there")[index], &card);
        (suited.sampler, suited.schedule)
    };
    assert_eq!(how(Prediction::Epsilon, 1), (Sampler::EulerA, ScheduleKind::Karras));
    assert_eq!(how(Prediction::Flow, 1), (Sampler::FlowEuler, ScheduleKind::Normal));
    assert_eq!(how(Prediction::Flow, 2).0, Sampler::Ddim, "which is then refused with those that fit");
}
