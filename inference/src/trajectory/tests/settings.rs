//! Every family with every setting: what it reads changes its pictures, what it does not is told or refused.

use std::{path::Path, sync::Arc};

use candle_core::Tensor;

use super::{catalogue, config, families::models, last_latents};
use crate::{
    catalogue::Catalogue,
    engine::{DeviceChoice, TestStore},
    error::InvalidTask,
    task::{ImageSize, Note, Seed, Setting, Task, TextToImage},
};

const UNREAD_BY_Z_IMAGE: [Setting; 7] =
    [Setting::ClipSkip, Setting::Weights, Setting::Break, Setting::Seamless, Setting::Parts, Setting::Chaos, Setting::Weird];

/// Tiny models, one of each family, with the settings that it makes nothing of.
const MODELS: [(&str, &str, &[Setting]); 6] = [
    ("families", "sd1", &[]),
    ("families", "sd2", &[]),
    ("families", "sdxl", &[]),
    ("families", "sdxl_refiner", &[]),
    ("families", "sd1_lcm", &[Setting::NegativePrompt, Setting::GuidanceRescale, Setting::GuidanceInterval]),
    ("z_image", "turbo", &UNREAD_BY_Z_IMAGE),
];

fn base() -> TextToImage {
    TextToImage {
        prompt: "a red fox".into(),
        size: ImageSize::new(32, 32),
        steps: 3,
        guidance_scale: 4.0,
        sampler: "euler".parse().expect("a sampler"),
        seed: Seed(5),
        ..TextToImage::default()
    }
}

/// A task with a setting and one without, which are alike for who does not read it; `None` for words of a prompt, which are always read as something.
fn with_and_without(setting: Setting) -> (TextToImage, Option<TextToImage>) {
    let with = |change: fn(&mut TextToImage)| {
        let mut changed = base();
        change(&mut changed);
        (changed, Some(base()))
    };
    match setting {
        Setting::ClipSkip => with(|base| base.clip_skip = 1),
        Setting::NegativePrompt => with(|base| base.negative_prompt = Some("blue".into())),
        Setting::GuidanceRescale => with(|base| base.guidance_rescale = 0.7),
        Setting::GuidanceInterval => with(|base| base.guidance_interval = (0.5, 1.0)),
        Setting::Seamless => with(|base| base.seamless = true),
        Setting::Chaos => with(|base| base.chaos = 80),
        Setting::Weird => with(|base| base.weird = 2000),
        Setting::Parts => (TextToImage { prompt: "a red fox::2 blue".into(), has_parts: true, ..base() }, None),
        Setting::Weights => (TextToImage { prompt: "a (red:1.8) fox".into(), ..base() }, None),
        Setting::Break => (TextToImage { prompt: "a red BREAK fox".into(), ..base() }, None),
    }
}

#[test]
fn each_family_reads_a_setting_or_says_that_it_does_not() {
    for (data, model, expected) in MODELS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(data);
        models::write_some(&data, folder.path(), &[model]);
        let catalogue = Arc::new(Catalogue::open(&catalogue(&folder.path().join("models").join(model))).expect(model));
        let mut store = TestStore::open((&config(), DeviceChoice::Cpu), &catalogue).expect(model);
        let mut latents = |base: TextToImage| last_latents((&mut store, &catalogue), base.into(), None, None, 0);
        let numbers = |latents: &Tensor| latents.flatten_all().and_then(|latents| latents.to_vec1::<f32>()).expect("numbers");
        let plain = numbers(&latents(base()));
        assert_eq!(catalogue.notes(&base().into()), [], "{model}");
        for setting in Setting::ALL {
            let is_read = !expected.contains(&setting);
            let (with, without) = with_and_without(setting);
            let task = Task::from(with.clone());
            if Setting::MUST_BE_READ.contains(&setting) && !is_read {
                let refusal = if setting == Setting::Seamless { InvalidTask::Seamless } else { InvalidTask::Unread { setting } };
                assert_eq!(catalogue.check(&task), Err(refusal), "{model}");
                continue;
            }
            assert!(catalogue.check(&task).is_ok(), "{model} {setting:?}");
            let notes = if is_read { vec![] } else { vec![Note::SettingUnread { setting }] };
            assert_eq!(catalogue.notes(&task), notes, "{model} {setting:?}");
            if is_read || without.is_some() {
                assert_eq!(numbers(&latents(with)) != plain, is_read, "{model} {setting:?}");
            }
        }
    }
}
