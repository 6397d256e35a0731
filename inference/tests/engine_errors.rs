//! What the engine says when it refuses.

use crate::engine_common::{config, engine, start, starter_things, text_to_image};
use inference::{
    catalogue::{Catalogue, CatalogueConfig, ModelEntry},
    engine::{DeviceChoice, EngineConfig, Submission},
    sampler::Sampler,
    schedule::Prediction,
    task::{ImageSize, ImageToImage, Input, Role, Task, TextToImage, Upscale},
};

#[test]
fn a_bad_task_is_refused_with_one_clear_sentence() {
    let engine = engine(8, 0);
    let good = text_to_image("a cat", 1, 5, 1);
    let drawn = |change: fn(&mut TextToImage)| {
        let mut base = good.clone();
        change(&mut base);
        Task::from(base)
    };
    let changed = |strength: f64| Task::image_to_image(ImageToImage { base: good.clone(), strength }, "s");
    let enlarged = |width, height, passes| Task::upscale(Upscale { size: ImageSize::new(width, height), passes }, "s");
    for (task, sentence) in [
        (drawn(|base| base.steps = 0), "steps must be 1 to 1000, not 0"),
        (drawn(|base| base.steps = 1001), "steps must be 1 to 1000, not 1001"),
        (drawn(|base| base.guidance_scale = -0.5), "guidance must be 0 to 30, not -0.5"),
        (drawn(|base| base.guidance_scale = f64::NAN), "guidance must be 0 to 30, not NaN"),
        (drawn(|base| base.guidance_scale = f64::INFINITY), "guidance must be 0 to 30, not inf"),
        (drawn(|base| base.n_images = 0), "the number of pictures must be 1 to 16, not 0"),
        (drawn(|base| base.n_images = 17), "the number of pictures must be 1 to 16, not 17"),
        (drawn(|base| base.size = ImageSize::new(70, 64)), "70×64 cannot be drawn: sides must be multiples of 4 from 4 to 256"),
        (drawn(|base| base.size = ImageSize::new(64, 512)), "64×512 cannot be drawn: sides must be multiples of 4 from 4 to 256"),
        (changed(0.0), "strength must be above 0 and at most 1, not 0"),
        (changed(1.5), "strength must be above 0 and at most 1, not 1.5"),
        (changed(f64::NAN), "strength must be above 0 and at most 1, not NaN"),
        (changed(0.5), "the picture given as `init` is missing or not 64×64"),
        (enlarged(32, 48, 1), "the picture given as `init` is missing or not 32×48"),
        (
            Task { inputs: vec![Input { role: Role::Control("canny".into()), blob: "s".into() }], ..good.clone().into() },
            "no picture can be given as `control:canny` here",
        ),
        (Task { inputs: Vec::new(), ..changed(0.5) }, "one picture must be given as `init`, not 0"),
        (enlarged(260, 48, 1), "260×48 cannot be drawn: sides must be multiples of 1 from 1 to 256"),
        (enlarged(64, 64, 0), "a picture can be enlarged in 1 to 4 passes, not 0"),
        (enlarged(64, 64, 5), "a picture can be enlarged in 1 to 4 passes, not 5"),
        (enlarged(64, 256, 3), "1024×4096 cannot be drawn: sides must be multiples of 1 from 1 to 2048"),
    ] {
        let error = engine.submit(Submission::new(task.clone())).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(sentence), "{task:?}");
    }
    assert_eq!(engine.stats().n_network_calls, 0);
}

/// A model of flow matching draws along straight lines, where samplers of ᾱ and those with ancestral noise do not go.
#[test]
fn a_sampler_that_does_not_fit_the_model_is_refused_with_those_that_do() {
    let mut things = starter_things();
    things.models[0].prediction = Some(Prediction::Flow);
    let catalogue = Catalogue::open(&things).expect("it is there");
    let check = |sampler: Sampler| {
        let task = Task::from(TextToImage { sampler, ..text_to_image("a cat", 1, 5, 1) });
        catalogue.check(&task).map(drop).map_err(|error| error.to_string())
    };
    let refused: Vec<Sampler> = Sampler::ALL.into_iter().filter(|&sampler| check(sampler).is_err()).collect();
    use Sampler::{Ddim, Ddpm, Dpm2A, DpmPpSde, EulerA, Lcm, Pndm, Tcd};
    assert_eq!(refused, [DpmPpSde, EulerA, Dpm2A, Ddim, Ddpm, Pndm, Lcm, Tcd]);
    let fitting = "dpmpp_2m, dpmpp_2m_sde, dpmpp_3m, dpmpp_2s, euler, unipc, deis, heun, dpm2, lms, flow_euler";
    assert_eq!(check(Ddim), Err(format!("the sampler ddim cannot draw with this model; those that can are {fitting}")));
}

#[test]
fn an_engine_that_cannot_start_says_why() {
    let message =
        |config: EngineConfig, things: CatalogueConfig| start(config, things).err().map(|error| error.to_string()).expect("an error");
    let (good, things) = (config(8, 0), starter_things());
    if cfg!(not(feature = "cuda")) {
        let cuda = EngineConfig { devices: vec![DeviceChoice::Cuda(0)], ..good.clone() };
        assert_eq!(message(cuda, things.clone()), "device cuda:0: this build has no CUDA; build with `--features cuda`");
    }
    let nowhere = vec![ModelEntry { path: "nowhere/at/all".into(), ..things.models[0].clone() }];
    let missing = message(good.clone(), CatalogueConfig { models: nowhere, ..things.clone() });
    assert!(missing.contains("nowhere/at/all") && missing.contains("is missing"), "{missing}");
    let without = start(good, CatalogueConfig { upscaler: None, ..things }).expect("starts").catalogue();
    let task = Task::upscale(Upscale { size: ImageSize::new(64, 64), passes: 1 }, "s");
    assert_eq!(without.check(&task).map_err(|error| error.to_string()), Err("no super-resolution network is loaded".into()));
    let card = without.model(None).expect("the starter model");
    assert_eq!((card.native_size, card.size_multiple), (ImageSize::new(64, 64), 4));
}
