//! The networks of every family against diffusers in float32 (tests/data/families; tools/reference/tiny_families.py says how they were made),
//! as folders and as single files.

use std::{collections::HashMap, fs, path::Path};

use crate::common::{
    data,
    families::{self, MODELS, PARTS, folder, networks, single_file, tensors},
    floats, max_difference, starter,
};
use candle_core::{DType, Device, Tensor};
use inference::{
    checkpoint::{Checkpoint, TokenizerSource},
    family::{
        ModelSource,
        stable_diffusion::{Conditioning, Model, PromptState},
    },
};

type Tensors = HashMap<String, Tensor>;

fn reference(model: &str) -> Tensors {
    let all = candle_core::safetensors::load(data().join("families/reference.safetensors"), &Device::Cpu).unwrap();
    let start = format!("{model}.");
    all.into_iter().filter_map(|(name, tensor)| Some((name.strip_prefix(&start)?.to_owned(), tensor))).collect()
}

fn load(path: &Path) -> Model {
    Model::load(path, &Device::Cpu, DType::F32).unwrap()
}

fn row(tensors: &Tensors, name: &str, row: usize) -> Option<Tensor> {
    tensors.get(name).map(|tensor| tensor.narrow(0, row, 1).unwrap().contiguous().unwrap())
}

/// The prompt of a row, made ready.
fn prompt(model: &Model, tensors: &Tensors, i: usize) -> PromptState {
    let conditioning = Conditioning { context: row(tensors, "context", i).unwrap(), pooled: row(tensors, "pooled", i) };
    let ids: Vec<f64> = row(tensors, "ids", i).map_or(Vec::new(), |ids| floats(&ids).iter().map(|id| f64::from(*id)).collect());
    assert_eq!(ids.len(), model.n_ids());
    let prompt = model.prepare(&conditioning, &ids).unwrap();
    match row(tensors, "guidance", i) {
        Some(guidance) => model.with_guidance(prompt, f64::from(floats(&guidance)[0])).unwrap(),
        None => prompt,
    }
}

fn predict(model: &Model, tensors: &Tensors, rows: &[usize]) -> Tensor {
    let prompts: Vec<PromptState> = rows.iter().map(|i| prompt(model, tensors, *i)).collect();
    let latents: Vec<Tensor> = rows.iter().map(|i| row(tensors, "latents", *i).unwrap()).collect();
    let timesteps = floats(&tensors["timesteps"]);
    let timesteps: Vec<f64> = rows.iter().map(|i| f64::from(timesteps[*i])).collect();
    model.predict(&Tensor::cat(&latents, 0).unwrap(), &timesteps, &prompts.iter().collect::<Vec<_>>()).unwrap()
}

fn relative(found: &Tensor, expected: &Tensor) -> f32 {
    max_difference(found, expected) / floats(expected).iter().fold(0.0, |a: f32, b| a.max(b.abs()))
}

#[test]
fn every_family_answers_as_in_diffusers() {
    for name in MODELS {
        let (folder, tensors) = (folder(name), reference(name));
        let model = load(folder.path());
        let difference = relative(&predict(&model, &tensors, &[0, 1]), &tensors["output"]);
        println!("{name}: U-Net differs by at most {difference:e} of the largest");
        assert!(difference <= 1e-5, "{name}: {difference}");
        if let Some(pixels) = tensors.get("pixels") {
            let (mean, deviation) = model.encode_image(pixels).unwrap();
            for (found, expected) in [(mean, "mean"), (deviation, "deviation"), (model.decode(&tensors["small"]).unwrap(), "decoded")] {
                let difference = relative(&found, &tensors[expected]);
                println!("{name}: {expected} differs by at most {difference:e} of the largest");
                assert!(difference <= 1e-5, "{name}: {expected}: {difference}");
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_each_other() {
    for name in ["xl", "lcm", "refiner"] {
        let (folder, tensors) = (folder(name), reference(name));
        let model = load(folder.path());
        let alone = [predict(&model, &tensors, &[0]), predict(&model, &tensors, &[1])].map(|tensor| floats(&tensor));
        let rows = [1, 0, 0, 1, 0];
        let together = predict(&model, &tensors, &rows);
        for (place, i) in rows.into_iter().enumerate() {
            assert!(floats(&together.get(place).unwrap()) == alone[i], "{name}: row {i} at place {place}");
        }
    }
}

#[test]
fn configurations_tell_the_families_apart() {
    for (name, n_ids, is_inpainting, takes_guidance) in [
        ("sd1", 0, false, false),
        ("sd1_inpaint", 0, true, false),
        ("lcm", 0, false, true),
        ("sd2", 0, false, false),
        ("xl", 6, false, false),
        ("refiner", 5, false, false),
    ] {
        for folder in [folder(name), single_file(name)] {
            let path = if folder.path().join("unet").exists() { folder.path().to_owned() } else { folder.path().join("model.safetensors") };
            if name == "lcm" && path.is_file() {
                continue; // ldm has no name for the guidance scale's layer.
            }
            let model = load(&path);
            assert_eq!((model.n_ids(), model.is_inpainting(), model.takes_guidance()), (n_ids, is_inpainting, takes_guidance), "{name}");
            assert_eq!(model.config().takes_aesthetic_score, name == "refiner", "{name}");
            assert_eq!(model.config().zeroes_absent_negative, name == "xl" || name == "refiner" && !path.is_file(), "{name}");
        }
    }
}

#[test]
fn a_single_file_gives_every_tensor_of_the_folder() {
    let networks = networks();
    for name in MODELS.into_iter().filter(|name| *name != "lcm") {
        let file = single_file(name);
        let checkpoint = Checkpoint::open(&file.path().join("model.safetensors")).unwrap();
        for part in PARTS {
            assert_eq!(checkpoint.has(part), networks[name].get(part).is_some(), "{name}/{part}");
            if !checkpoint.has(part) {
                continue;
            }
            let weights = checkpoint.weights(part, &Device::Cpu, DType::F32).unwrap();
            for (tensor, shape, values) in tensors(&networks[name][part]) {
                let is_inner = part.starts_with("text") && !tensor.starts_with("text_");
                let tensor = if is_inner { format!("text_model.{tensor}") } else { tensor };
                let found = weights.tensor(&tensor, &shape).unwrap_or_else(|error| panic!("{name}/{part}: {error}"));
                assert!(floats(&found) == values, "{name}/{part}: {tensor}");
            }
        }
    }
}

#[test]
fn a_single_file_answers_as_the_folder() {
    for name in MODELS.into_iter().filter(|name| *name != "lcm") {
        let (folder, file, tensors) = (folder(name), single_file(name), reference(name));
        let path = file.path().join("model.safetensors");
        let (a, b) = (load(folder.path()), load(&path));
        assert_eq!(a.n_parameters(), b.n_parameters(), "{name}");
        assert!(floats(&predict(&a, &tensors, &[0, 1])) == floats(&predict(&b, &tensors, &[0, 1])), "{name}");
        if let Some(small) = tensors.get("small") {
            assert!(floats(&a.decode(small).unwrap()) == floats(&b.decode(small).unwrap()), "{name}");
        }
        if name.starts_with("sd") {
            let text = |model: &Model| floats(&model.encode_text(&["a red apple", ""]).unwrap());
            assert!(text(&a) == text(&b), "{name}");
        }
    }
}

/// Some merged files leave out `text_model.`, and every published one has a copy of smoothed weights or counters that are not needed.
#[test]
fn other_single_files_load_too() {
    let (file, tensors) = (single_file("sd1"), reference("sd1"));
    let path = file.path().join("model.safetensors");
    let expected = floats(&predict(&load(&path), &tensors, &[0]));
    let mut changed = families::ldm_tensors(&networks()["sd1"]);
    for (name, _, _) in &mut changed {
        *name = name.replace("transformer.text_model.", "transformer.").replace("first_stage_model.", "vae.");
    }
    changed.push(("model_ema.diffusion_modelinput_blocks00weight".to_owned(), vec![1], vec![f32::NAN]));
    changed.push(("alphas_cumprod".to_owned(), vec![3], vec![0.9, 0.5, 0.1]));
    changed.push(("v_pred".to_owned(), vec![1], vec![1.0]));
    changed.push(("ztsnr".to_owned(), vec![1], vec![1.0]));
    families::write(&path, &changed);
    let model = load(&path);
    assert!(floats(&predict(&model, &tensors, &[0])) == expected);
    assert!(!floats(&model.encode_text(&["a cat"]).unwrap()).is_empty());
    let schedule = model.checkpoint().json("scheduler/scheduler_config.json").unwrap();
    assert_eq!((&schedule["prediction_type"], &schedule["rescale_betas_zero_snr"]), (&"v_prediction".into(), &true.into()));
    fs::write(
        path.with_extension("json"),
        r#"{"prediction_type":"epsilon","scheduler":{"_class_name":"DDIMScheduler"},"unet":{"norm_num_groups":8}}"#,
    )
    .unwrap();
    let schedule = Checkpoint::open(&path).unwrap().json("scheduler/scheduler_config.json").unwrap();
    assert_eq!((&schedule["prediction_type"], &schedule["_class_name"]), (&"epsilon".into(), &"DDIMScheduler".into()));
}

#[test]
fn schedules_of_single_files_are_those_of_the_published_folders() {
    for (name, class, prediction) in [
        ("sd1", "PNDMScheduler", "epsilon"),
        ("sd2", "DDIMScheduler", "v_prediction"),
        ("xl", "EulerDiscreteScheduler", "epsilon"),
        ("refiner", "EulerDiscreteScheduler", "epsilon"),
    ] {
        let file = single_file(name);
        let checkpoint = Checkpoint::open(&file.path().join("model.safetensors")).unwrap();
        let schedule = checkpoint.json("scheduler/scheduler_config.json").unwrap();
        assert_eq!((&schedule["_class_name"], &schedule["prediction_type"]), (&class.into(), &prediction.into()), "{name}");
        assert_eq!(schedule["beta_end"], 0.012);
    }
}

#[test]
fn tokenizers_are_found_beside_a_single_file_or_built_in() {
    let file = single_file("xl");
    let path = file.path().join("model.safetensors");
    let source = |part: &str| Checkpoint::open(&path).unwrap().tokenizer(part);
    assert_eq!(source("tokenizer"), TokenizerSource::Folder(file.path().join("tokenizer")));
    assert_eq!(source("tokenizer_2"), TokenizerSource::Folder(file.path().join("tokenizer")));
    fs::remove_dir_all(file.path().join("tokenizer")).unwrap();
    assert_eq!(source("tokenizer"), TokenizerSource::Clip { pad: "<|endoftext|>".into() });
    assert_eq!(source("tokenizer_2"), TokenizerSource::Clip { pad: "!".into() });
    let tokenizer = inference::text::Tokenizer::of(&source("tokenizer_2"), 77).unwrap();
    // transformers' CLIPTokenizer with openai/clip-vit-large-patch14's files.
    let ids = tokenizer.ids("a photo of a cat").unwrap();
    assert_eq!(ids[..8], [49406, 320, 1125, 539, 320, 2368, 49407, 0]);
}

#[test]
fn another_vae_takes_the_place_of_the_models_own() {
    let (a, b, small) = (folder("sd1"), folder("xl"), reference("xl").remove("small").unwrap());
    let own = load(a.path());
    let expected = floats(&own.decode(&(&small * (0.18215 / 0.13025)).unwrap()).unwrap());
    let file = single_file("xl");
    for vae in [b.path().join("vae"), b.path().to_owned()] {
        let source = ModelSource { path: a.path().to_owned(), vae: Some(vae), ..ModelSource::default() };
        let model = Model::load(source, &Device::Cpu, DType::F32).unwrap();
        assert_eq!(model.scaling_factor(), 0.13025);
        assert!(floats(&model.decode(&small).unwrap()).iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4));
    }
    for vae in [b.path().join("vae/diffusion_pytorch_model.safetensors"), file.path().join("model.safetensors")] {
        let source = ModelSource { path: a.path().to_owned(), vae: Some(vae), ..ModelSource::default() };
        let model = Model::load(source, &Device::Cpu, DType::F32).unwrap();
        assert_eq!(model.scaling_factor(), 0.18215);
        assert!(floats(&model.decode(&small).unwrap()) == floats(&own.decode(&small).unwrap()));
    }
    let source = ModelSource {
        path: a.path().to_owned(),
        vae: Some(starter().join("upscaler/realesr-animevideov3-x4.safetensors")),
        ..ModelSource::default()
    };
    let error = Model::load(source, &Device::Cpu, DType::F32).err().unwrap().to_string();
    assert!(error.ends_with("a file without `decoder.conv_in.weight`, so without a VAE, is not supported"), "{error}");
}
