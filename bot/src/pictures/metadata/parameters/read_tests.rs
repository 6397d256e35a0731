use inference::{
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{Enlarger, Hires, ImageSize},
};
use proptest::prelude::*;

use super::*;
use crate::prompt::ModelDefaults;

#[track_caller]
fn recipe(text: &str) -> Recipe {
    read(text).expect("a description")
}

fn model() -> ModelDefaults {
    ModelDefaults {
        name: "m".into(),
        native_size: ImageSize::new(96, 64),
        size_multiple: 8,
        max_side: 256,
        steps: 8,
        guidance_scale: 3.0,
        sampler: Sampler::EulerA,
        schedule: ScheduleKind::Karras,
        clip_skip: 0,
        negative_prompt: Some("noise".into()),
        reads_parts: true,
    }
}

#[test]
fn a_text_of_another_program_is_read_as_far_as_it_is_ours() {
    let read = recipe(
        "masterpiece, (a fox:1.2)\nin snow\nNegative prompt: text,\nwatermark\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 6.5, \
         Seed: 4242, Size: 768x512, Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, ENSD: 31337, Eta: 0.3, \
         Lora hashes: \"ink: 0123456789ab, b: 1\", Hashes: {\"model\": \"6ce0161689\", \"lora:ink\": \"0123\"}, Version: v1.10.1",
    );
    assert_eq!(read.base.prompt, "masterpiece, (a fox:1.2)\nin snow");
    assert_eq!(read.base.negative_prompt.as_deref(), Some("text,\nwatermark"));
    let expected = Said {
        steps: Some(20),
        guidance_scale: Some(6.5),
        size: Some(ImageSize::new(768, 512)),
        seed: Some(Seed(4242)),
        sampler: Some(Sampler::DpmPp2M),
        schedule: Some(ScheduleKind::Karras),
        clip_skip: Some(2),
    };
    assert_eq!((read.said, read.model.as_deref()), (expected, Some("v1-5")));
    let hashes = "Hashes: {\"model\": \"6ce0161689\", \"lora:ink\": \"0123\"}";
    assert_eq!(read.notes, ["ENSD: 31337", "Eta: 0.3", "Lora hashes: ink: 0123456789ab, b: 1", hashes]);
}

#[test]
fn odd_texts_are_prompts_or_noted() {
    for prompt in ["a fox: red", "", "(red apple:1.2), (blue background:1.3), (best quality:1.1)", "{a|b} fox: x, y: z", "[[fox]]", "{fox}"]
    {
        let read = recipe(prompt);
        assert_eq!((read.base.prompt.as_str(), read.said, read.notes), (prompt, Said::default(), vec![]));
    }
    assert_eq!(recipe("Negative prompt: text\nSteps: 1, Seed: 2, Size: 8x8").base.negative_prompt.as_deref(), Some("text"));
    let odd = recipe("a\nSteps: 0, Sampler: Restart, Seed: -1, Size: wide, CFG scale: NaN, Clip skip: 0, Schedule type: Polyexponential");
    let notes =
        ["Steps: 0", "Sampler: Restart", "Seed: -1", "Size: wide", "CFG scale: NaN", "Clip skip: 0", "Schedule type: Polyexponential"];
    assert_eq!((odd.notes, odd.said), (notes.map(str::to_owned).to_vec(), Said::default()));
    let long = recipe(&format!("a\nSteps: 3, Note: {}", "x".repeat(9000)));
    assert_eq!(long.notes[0].chars().count(), MAX_NOTE + 1);
}

#[test]
fn the_models_own_values_stand_where_the_text_is_silent() {
    let (silent, said) =
        (recipe("a fox"), recipe("a fox\nSteps: 3, CFG scale: 2, Size: 64x32, Seed: 5, Sampler: DDIM, Schedule type: Beta"));
    let drawn = |recipe: &Recipe| recipe.said.complete(recipe.base.clone(), &model(), true, Seed(77));
    let expected = TextToImage {
        prompt: "a fox".into(),
        n_images: 1,
        steps: 8,
        guidance_scale: 3.0,
        size: ImageSize::new(96, 64),
        seed: Seed(77),
        sampler: Sampler::EulerA,
        schedule: ScheduleKind::Karras,
        ..TextToImage::default()
    };
    assert_eq!(drawn(&silent), expected);
    let (sampler, schedule) = (Sampler::Ddim, ScheduleKind::Beta);
    let chosen = TextToImage { steps: 3, guidance_scale: 2.0, size: ImageSize::new(64, 32), seed: Seed(5), sampler, schedule, ..expected };
    assert_eq!(drawn(&said), chosen);
    for seed in ["-7", "18446744073709551616", "random", ""] {
        let read = recipe(&format!("a fox\nSteps: 3, Seed: {seed}"));
        assert_eq!((drawn(&read).seed, read.notes), (Seed(77), vec![format!("Seed: {seed}")]));
    }
}

#[test]
fn clip_skip_is_a1111s() {
    for (n, expected) in [(1, 0), (2, 1), (4, 3)] {
        let read = recipe(&format!("a fox\nSteps: 3, Clip skip: {n}"));
        let skipped = |is_clip_alone| read.said.complete(read.base.clone(), &model(), is_clip_alone, Seed(1)).clip_skip;
        assert_eq!((skipped(true), skipped(false)), (expected, 0));
    }
}

#[test]
fn samplers_and_schedules_come_together_or_apart() {
    let how = |fields: &str| {
        let said = recipe(&format!("a\nSteps: 3, {fields}")).said;
        (said.sampler, said.schedule)
    };
    let (sampler, karras) = (Some(Sampler::DpmPp2M), Some(ScheduleKind::Karras));
    assert_eq!(how("Sampler: DPM++ 2M Karras"), (sampler, karras));
    assert_eq!(how("Sampler: DPM++ 2M, Schedule type: Karras"), (sampler, karras));
    assert_eq!(how("Schedule type: Automatic, Sampler: DPM++ 2M"), (sampler, karras));
    assert_eq!(how("Sampler: DPM++ 2M"), (sampler, None));
    assert_eq!(how("Sampler: Euler a, Schedule type: Automatic"), (Some(Sampler::EulerA), Some(ScheduleKind::Normal)));
    assert_eq!(how("Sampler: DPM++ 2M SDE Exponential, Scheduler: karras"), (Some(Sampler::DpmPp2MSde), karras));
}

const SWARM: &str = r#"{
  "sui_image_params": {
    "prompt": "a fox, \"big\"", "negativeprompt": "fog", "model": "Official/sd_xl.safetensors", "seed": 42, "steps": 20, "cfgscale": 6.5,
    "aspectratio": "1:1", "width": 64, "height": 48, "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "clipstopatlayer": -2,
    "loras": ["styles/ink", "wash"], "loraweights": ["0.8", "0.5"], "refinerupscale": 2, "refinercontrolpercentage": 0.3,
    "automaticvae": true, "swarm_version": "0.9.3"
  },
  "sui_extra_data": {"date": "2025-01-01"}
}"#;

#[test]
fn swarmuis_json_is_read() {
    let read = recipe(SWARM);
    assert_eq!((read.base.prompt.as_str(), read.base.negative_prompt.as_deref()), ("a fox, \"big\"", Some("fog")));
    assert_eq!(read.model.as_deref(), Some("sd_xl"));
    let expected = Said {
        steps: Some(20),
        guidance_scale: Some(6.5),
        size: Some(ImageSize::new(64, 48)),
        seed: Some(Seed(42)),
        sampler: Some(Sampler::DpmPp2MSde),
        schedule: Some(ScheduleKind::Karras),
        clip_skip: Some(2),
    };
    assert_eq!(read.said, expected);
    assert_eq!(read.base.adapters, [AdapterUse::new("ink", 0.8), AdapterUse::new("wash", 0.5)]);
    assert_eq!(read.base.hires, Some(Hires { scale: 2.0, strength: 0.3, steps: None, enlarger: Enlarger::Latent }));
    assert_eq!((read.strength, read.notes), (None, vec!["automaticvae: true".to_owned()]));
}

#[test]
fn fooocus_json_and_text_are_read() {
    let json = r#"{"adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL_v8", "base_model_hash": "aeb7e9e689", "full_prompt": ["a fox", "styled"],
        "guidance_scale": 4.0, "lora_combined_1": "offset_lora : 0.1", "lora_combined_2": "False : off : 1.0", "loras": [["offset_lora", 0.1, "ab"]],
        "metadata_scheme": "fooocus", "negative_prompt": "", "performance": "Speed", "prompt": "a fox", "refiner_model": "None", "refiner_switch": 0.5,
        "resolution": "(1152, 896)", "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "seed": "1403", "steps": 30, "styles": "['Fooocus V2']",
        "vae": "Default (model)", "version": "Fooocus v2.5.5"}"#;
    let text = "a fox\nNegative prompt: fog\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 1403, Size: 1152x896, CFG scale: 4, Sharpness: 2, \
                ADM Guidance: \"(1.5, 0.8, 0.3)\", Model: juggernautXL_v8, Model hash: aeb7e9e689, Performance: Speed, Scheduler: karras, \
                Lora hashes: \"offset_lora: ab\", Lora weights: \"offset_lora: 0.1\", Version: Fooocus v2.5.5";
    let notes: [&[&str]; 2] = [
        &["adm_guidance: (1.5, 0.8, 0.3)", "styles: ['Fooocus V2']"],
        &["Sharpness: 2", "ADM Guidance: (1.5, 0.8, 0.3)", "Performance: Speed", "Lora hashes: offset_lora: ab"],
    ];
    for (text, notes) in [json, text].iter().zip(notes) {
        let read = recipe(text);
        assert_eq!((read.base.prompt.as_str(), read.model.as_deref()), ("a fox", Some("juggernautXL_v8")));
        assert_eq!((read.said.steps, read.said.seed, read.said.guidance_scale), (Some(30), Some(Seed(1403)), Some(4.0)));
        assert_eq!(read.said.size, Some(ImageSize::new(1152, 896)));
        assert_eq!((read.said.sampler, read.said.schedule), (Some(Sampler::DpmPp2MSde), Some(ScheduleKind::Karras)));
        assert_eq!(read.base.adapters, [AdapterUse::new("offset_lora", 0.1)]);
        assert_eq!(read.notes, notes);
    }
}

#[test]
fn other_json_is_refused_by_name_and_no_prompt() {
    let refused = |text: &str| read(text).expect_err(text);
    for (text, program) in [
        (r#"{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}"#, "ComfyUI"),
        (r#"{"last_node_id": 9, "nodes": [], "links": []}"#, "ComfyUI"),
        (r#"{"generation_mode": "txt2img", "positive_prompt": "a fox"}"#, "InvokeAI"),
        (r#"{"prompt": "a fox", "uc": "fog", "steps": 28}"#, "NovelAI"),
    ] {
        assert_eq!(refused(text), NotRead::Program(program));
    }
    for text in ["{}", r#"{"prompt": "a fox"}"#, r#"[{"prompt": "a fox"}]"#, r#" ["a", "b"] "#, "{\n}"] {
        assert_eq!(refused(text), NotRead::UnknownJson, "{text}");
    }
    for n_bytes in (30..SWARM.len()).step_by(17) {
        assert_eq!(refused(&SWARM[..n_bytes]), NotRead::DamagedJson, "{n_bytes}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), line in "[A-Z a-z0-9:,\"x\\\\{}\\[\\]-]{0,60}", key in "[a-z_]{0,12}") {
        let _ = read(&text);
        let _ = read(&format!("{text}\nSteps: 3, {line}"));
        let _ = read(&format!("{{\"sui_image_params\": {{\"{key}\": {}}}}}", serde_json::Value::from(text.as_str())));
        let _ = read(&format!("{{\"base_model\": \"\", \"prompt\": \"\", \"{key}\": {}}}", serde_json::Value::from(text)));
    }
}
