//! The `parameters` text that A1111 writes into its pictures and many programs read: written for every picture, and read where it is all
//! that a picture has. Layout and names are those of stable-diffusion-webui 1.10 (`modules/processing.py`, `infotext_utils.py`).

mod fields;
mod json;
mod names;
mod read;
mod recipe;
mod second_pass;

use std::fmt::Write;

use inference::task::{Enlarger, Role, StopAt, TextToImage};

use super::Record;
pub use read::read;
pub use recipe::{NotRead, Recipe, Said};

/// Whether a text has a line of settings or is JSON, so that it is more than words.
pub fn is_description(text: &str) -> bool {
    text.trim_start().starts_with('{') || !fields::split(text).1.is_empty()
}

/// Digits of a model's hash.
const MODEL_DIGITS: usize = 10;
/// Digits of an adapter's hash.
const ADAPTER_DIGITS: usize = 12;

/// A record for other programs and people.
pub fn write(record: &Record) -> String {
    let Record { task, index, is_enlarged, origin } = record;
    let Some(base) = task.base() else {
        return format!("Source hash: {}, Version: Atelier {}", task.source().unwrap_or_default(), origin.engine);
    };
    let mut text = base.prompt.clone();
    if let Some(negative_prompt) = base.negative_prompt.as_ref().filter(|text| !text.is_empty()) {
        let _ = write!(text, "\nNegative prompt: {negative_prompt}"); // Writing to a string cannot fail.
    }
    let mut fields = drawing(base, index.unwrap_or(0));
    let mut add = |name: &'static str, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    let short = |hash: &String, digits: usize| hash.chars().take(digits).collect::<String>();
    let list = |adapters: &std::collections::BTreeMap<String, String>, digits: usize| {
        let entries: Vec<_> = adapters.iter().map(|(name, hash)| format!("{name}: {}", short(hash, digits))).collect();
        (!entries.is_empty()).then(|| entries.join(", "))
    };
    add("Model hash", origin.model_hash.as_ref().map(|hash| short(hash, MODEL_DIGITS)));
    add("Model", base.model.clone());
    add("VAE hash", origin.vae_hash.as_ref().map(|hash| short(hash, MODEL_DIGITS)));
    add("Clip skip", (base.clip_skip > 0).then(|| (base.clip_skip + 1).to_string()));
    add("Denoising strength", task.strength().or(base.hires.map(|hires| hires.strength)).map(|strength| strength.to_string()));
    for (name, role) in [("Source hash", Role::Init), ("Mask hash", Role::Mask)] {
        add(name, task.input(&role).map(|hash| short(&hash.to_owned(), MODEL_DIGITS)));
    }
    add("Lora hashes", list(&origin.adapter_hashes, ADAPTER_DIGITS));
    add("TI hashes", list(&origin.embedding_hashes, ADAPTER_DIGITS));
    add("Enlarged by network", is_enlarged.then(|| "True".to_owned()));
    add("Version", Some(format!("Atelier {}", origin.engine)));
    let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("{name}: {}", quoted(&value))).collect();
    text + "\n" + &fields.join(", ")
}

fn drawing(base: &TextToImage, index: u32) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("Steps", base.steps.to_string()),
        ("Sampler", base.sampler.shown().to_owned()),
        ("Schedule type", base.schedule.shown().to_owned()),
        ("CFG scale", base.guidance_scale.to_string()),
        ("Seed", base.seed.of_image(index).to_string()),
        ("Size", format!("{}x{}", base.size.width, base.size.height)),
    ];
    if base.guidance_rescale > 0.0 {
        fields.push(("CFG rescale", base.guidance_rescale.to_string()));
    }
    if base.guidance_interval != (0.0, 1.0) {
        fields.push(("Guidance interval", format!("{} to {}", base.guidance_interval.0, base.guidance_interval.1)));
    }
    if base.seamless {
        fields.push(("Tiling", "True".into()));
    }
    if let Some(hires) = base.hires {
        fields.push(("Hires upscale", hires.scale.to_string()));
        fields.extend(hires.steps.map(|steps| ("Hires steps", steps.to_string())));
        let enlarger = match hires.enlarger {
            Enlarger::Latent => "Latent",
            Enlarger::Network => "Network",
        };
        fields.push(("Hires upscaler", enlarger.into()));
    }
    match base.stop_at {
        Some(StopAt::Percent(percent)) => fields.push(("Stopped after", format!("{percent}%"))),
        Some(StopAt::Steps(steps)) => fields.push(("Stopped after", format!("{steps} steps"))),
        None => {}
    }
    for used in &base.adapters {
        fields.push(("Adapter", format!("{} at {}", used.name, used.weight)));
    }
    fields
}

/// Values with signs of the layout stand in quotation marks, as JSON.
fn quoted(value: &str) -> String {
    let is_plain = !value.contains([',', ':', '"']) && !value.contains(char::is_control) && value.trim() == value;
    let is_plain = is_plain && !value.starts_with(['{', '[']);
    if is_plain { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use inference::{
        sampler::Sampler,
        schedule::ScheduleKind,
        task::{AdapterUse, Hires, ImageSize, ImageToImage, Seed, Task},
    };
    use proptest::prelude::*;

    use super::{super::tests::record, *};

    #[test]
    fn the_text_has_the_usual_layout() {
        let mut record = record("a fox\nin snow");
        record.origin.engine = "0.1.0".into();
        let base = record.task.base_mut().expect("it draws");
        base.seed = Seed(40);
        base.guidance_scale = 7.0;
        base.sampler = Sampler::DpmPp2M;
        base.schedule = ScheduleKind::Karras;
        base.model = Some("dreamy".into());
        assert_eq!(
            write(&record),
            "a fox\nin snow\nSteps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 5x3, \
             Model hash: ababababab, Model: dreamy, Version: Atelier 0.1.0"
        );
        base_with_everything(&mut record);
        assert_eq!(
            write(&record),
            "a fox\nin snow\nNegative prompt: text: red, blue\nSteps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, \
             Size: 5x3, CFG rescale: 0.7, Tiling: True, Hires upscale: 2, Hires steps: 9, Hires upscaler: Network, \
             Stopped after: 60%, Model hash: ababababab, \
             Model: dreamy, Clip skip: 3, Denoising strength: 0.5, Source hash: 0123456789, Lora hashes: \"ink: cdcdcdcdcdcd, b: e\", \
             Version: Atelier 0.1.0"
                .replace("ink: cdcdcdcdcdcd, b: e", "b: e, ink: cdcdcdcdcdcd")
        );
    }

    fn base_with_everything(record: &mut Record) {
        let mut base = record.task.base().cloned().expect("it draws");
        base.negative_prompt = Some("text: red, blue".into());
        base.clip_skip = 2;
        base.guidance_rescale = 0.7;
        base.seamless = true;
        base.hires = Some(Hires { scale: 2.0, strength: 0.6, steps: Some(9), enlarger: Enlarger::Network });
        base.stop_at = Some(StopAt::Percent(60));
        record.task = Task::image_to_image(ImageToImage { base, strength: 0.5 }, "0123456789abcdef");
        record.origin.adapter_hashes = [("ink".to_owned(), "cd".repeat(32)), ("b".to_owned(), "e".to_owned())].into();
    }

    #[test]
    fn what_is_written_is_understood() {
        let mut written = record("a fox, <lora:ink:0.8>");
        base_with_everything(&mut written);
        let found = read(&write(&written)).expect("a text");
        assert!(found.notes.iter().all(|note| note.contains("hash") || note.contains("Version")), "{:?}", found.notes);
        let base = written.task.base().cloned().expect("it draws");
        let expected = TextToImage {
            seed: Seed(u64::MAX).of_image(2),
            model: None,
            hires: Some(Hires { scale: 2.0, strength: 0.5, steps: Some(9), enlarger: Enlarger::Network }),
            ..base
        };
        assert_eq!(complete(&found), expected);
        assert_eq!(found.strength, None, "a second pass has its own");
    }

    fn complete(found: &Recipe) -> TextToImage {
        let silent = crate::prompt::ModelDefaults {
            name: "m".into(),
            native_size: ImageSize::new(1, 1),
            size_multiple: 1,
            max_side: 1,
            steps: 1,
            guidance_scale: 1.0,
            sampler: Sampler::Tcd,
            schedule: ScheduleKind::Beta,
            clip_skip: 0,
            negative_prompt: None,
            reads_parts: true,
        };
        found.said.complete(found.base.clone(), &silent, true, Seed(0))
    }

    /// Names with what the layout is made of.
    fn hostile() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(", ".to_owned()),
            Just(": ".to_owned()),
            Just("\"".to_owned()),
            Just("\\".to_owned()),
            Just("\n".to_owned()),
            Just("Steps: 9, ".to_owned()),
            Just("Seed: 1, ".to_owned()),
            Just("{".to_owned()),
            Just("]".to_owned()),
            Just(" at ".to_owned()),
            "\\PC{1,4}",
            any::<String>(),
        ];
        proptest::collection::vec(part, 1..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn every_field_comes_back_whatever_stands_in_the_others(
            (prompt, negative) in (hostile(), proptest::option::of(hostile())),
            (model, adapter) in (hostile(), hostile()),
            (seed, steps, guidance) in (any::<u64>(), 1_u32..=1000, 0.0_f64..=30.0),
            (sampler, schedule) in (proptest::sample::select(Sampler::ALL.to_vec()), proptest::sample::select(ScheduleKind::ALL.to_vec())),
            (clip_skip, interval, weight) in (0_u32..=12, (0.0_f64..0.5, 0.5_f64..=1.0), -2.0_f64..2.0),
            (width, height, is_seamless) in (1_u32..5000, 1_u32..5000, any::<bool>()),
            stop in prop_oneof![Just(None), (10_u32..=99).prop_map(|percent| Some(StopAt::Percent(percent))), (1_u32..99).prop_map(|steps| Some(StopAt::Steps(steps)))],
        ) {
            let mut record = record("");
            let is_words = |text: &str| !text.contains("Negative prompt:");
            prop_assume!(is_words(&prompt) && negative.as_deref().is_none_or(is_words) && !prompt.trim().starts_with(['{', '[']));
            record.task = Task::from(TextToImage {
                prompt: prompt.trim().to_owned(),
                negative_prompt: negative.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
                model: Some(model.clone()),
                adapters: vec![AdapterUse::new(adapter, weight)],
                clip_skip,
                size: ImageSize::new(width, height),
                steps,
                guidance_scale: guidance,
                guidance_interval: interval,
                sampler,
                schedule,
                seed: Seed(seed),
                n_images: 1,
                seamless: is_seamless,
                stop_at: stop,
                ..TextToImage::default()
            });
            record.index = None;
            let found = read(&write(&record)).expect("a text");
            let expected = TextToImage { model: None, ..record.task.base().cloned().expect("it draws") };
            prop_assert_eq!(complete(&found), expected, "{}", write(&record));
            prop_assert_eq!(found.model.unwrap_or_default(), model);
        }
    }
}
