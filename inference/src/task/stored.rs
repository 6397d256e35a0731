//! A task as it stands in rows and pictures, of this version and of those before.

use serde::Deserialize;

use super::{Input, Role, Task, TaskKind};

/// What is read. Versions before inputs had roles named the source and the mask themselves.
#[derive(Deserialize)]
pub(super) struct Stored {
    #[serde(flatten)]
    kind: TaskKind,
    #[serde(default)]
    inputs: Vec<Input>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    mask: Option<String>,
}

impl From<Stored> for Task {
    fn from(stored: Stored) -> Self {
        let Stored { kind, mut inputs, source, mask } = stored;
        let named = [(Role::Init, source), (Role::Mask, mask)];
        inputs.extend(named.into_iter().filter_map(|(role, blob)| Some(Input { role, blob: blob? })));
        Self { kind, inputs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sampler::Sampler,
        schedule::ScheduleKind,
        task::{AdapterUse, Enlarger, Hires, ImageSize, ImageToImage, Inpaint, Seed, SkippedFor, StopAt, TextToImage, Upscale},
    };

    /// Reads what an older version wrote, and what this one writes of it.
    fn check(stored: &str, expected: &Task) {
        let read: Task = serde_json::from_str(stored).unwrap_or_else(|error| panic!("{stored}: {error}"));
        assert_eq!(read, *expected, "{stored}");
        let written = serde_json::to_string(&read).expect("JSON");
        assert_eq!(serde_json::from_str::<Task>(&written).expect("a task"), *expected, "{written}");
        let value: serde_json::Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(value["kind"].as_str(), Some(expected.word()));
        assert!(value.get("source").is_none() && value.get("mask").is_none(), "{written}");
        assert_eq!(serde_json::from_value::<Task>(value).expect("a task"), *expected);
    }

    #[test]
    fn tasks_of_every_older_kind_are_read() {
        let size = ImageSize::new(64, 96);
        let first = r#""prompt":"a fox","size":{"width":64,"height":96},"steps":20,"guidance_scale":7,"sampler":"euler","seed":18446744073709551615,"n_images":4"#;
        let plain = TextToImage {
            prompt: "a fox".into(),
            clip_skip_of: SkippedFor::Prompt,
            size,
            steps: 20,
            guidance_scale: 7.0,
            sampler: Sampler::Euler,
            seed: Seed(u64::MAX),
            n_images: 4,
            ..TextToImage::default()
        };
        check(&format!(r#"{{"kind":"text_to_image",{first}}}"#), &plain.clone().into());

        let full = format!(
            r#"{first},"negative_prompt":"blurry","model":"dreamy","adapters":[{{"name":"ink","weight":0.5}},{{"name":"oil","weight":1,"text_encoder_weight":0.25}}],
               "clip_skip":1,"clip_skip_of":"both","guidance_rescale":0.7,"guidance_interval":[0.25,0.75],"schedule":"karras","seamless":true,
               "hires":{{"scale":2,"strength":0.5,"steps":9,"enlarger":"network"}}"#
        );
        let all = TextToImage {
            negative_prompt: Some("blurry".into()),
            model: Some("dreamy".into()),
            adapters: vec![AdapterUse::new("ink", 0.5), AdapterUse { text_encoder_weight: Some(0.25), ..AdapterUse::new("oil", 1.0) }],
            clip_skip: 1,
            clip_skip_of: SkippedFor::Both,
            guidance_rescale: 0.7,
            guidance_interval: (0.25, 0.75),
            schedule: ScheduleKind::Karras,
            seamless: true,
            hires: Some(Hires { scale: 2.0, strength: 0.5, steps: Some(9), enlarger: Enlarger::Network }),
            ..plain.clone()
        };
        check(&format!(r#"{{"kind":"text_to_image",{full}}}"#), &all.clone().into());
        check(
            &format!(r#"{{"kind":"image_to_image",{full},"source":"ab12","strength":0.6}}"#),
            &Task::image_to_image(ImageToImage { base: all, strength: 0.6 }, "ab12"),
        );
        check(
            &format!(r#"{{"kind":"image_to_image",{first},"source":"","strength":1}}"#),
            &Task::image_to_image(ImageToImage { base: plain.clone(), strength: 1.0 }, ""),
        );
        check(
            &format!(r#"{{"kind":"inpaint",{first},"source":"ab12","mask":"cd34","strength":0.9}}"#),
            &Task::inpaint(Inpaint { base: plain.clone(), strength: 0.9 }, "ab12", "cd34"),
        );
        check(
            &format!(r#"{{"kind":"text_to_image",{first},"stop_at":{{"percent":60}}}}"#),
            &TextToImage { stop_at: Some(StopAt::Percent(60)), ..plain }.into(),
        );
        let enlarged = |passes| Task::upscale(Upscale { size, passes }, "ab12");
        check(r#"{"kind":"upscale","source":"ab12","size":{"width":64,"height":96}}"#, &enlarged(1));
        check(r#"{"kind":"upscale","source":"ab12","size":{"width":64,"height":96},"passes":2}"#, &enlarged(2));
    }

    #[test]
    fn a_task_of_today_names_its_inputs_by_their_roles() {
        let task = Task::inpaint(Inpaint { base: TextToImage::default(), strength: 1.0 }, "ab", "cd");
        let stored = serde_json::to_value(&task).expect("JSON");
        assert_eq!(stored["inputs"], serde_json::json!([{ "role": "init", "blob": "ab" }, { "role": "mask", "blob": "cd" }]));
        assert!(serde_json::to_value(Task::from(TextToImage::default())).expect("JSON").get("inputs").is_none());
        let unknown = r#"{"kind":"upscale","size":{"width":8,"height":8},"inputs":[{"role":"of_tomorrow","blob":""}]}"#;
        assert!(serde_json::from_str::<Task>(unknown).is_err());
    }
}
