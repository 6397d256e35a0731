//! The layouts of files that Z-Image comes in.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{DType, Device};
use inference::{
    catalogue::{Catalogue, CatalogueConfig, ModelCard, ModelEntry},
    checkpoint::{Checkpoint, Family, FileKind, OtherParts, inspect},
    error::InferenceError,
    family::z_image::TransformerConfig,
    schedule::Shift,
};

use crate::{
    common::data,
    family_models::{Tensor, Tensors, copy, write_tensors},
    z_image_common::{Setting, open},
};

/// The transformer under the names of a single file, below `prefix`, with a tensor that nobody needs.
fn single_file(setting: &Setting, prefix: &str) -> Tensors {
    let names: BTreeMap<String, Vec<String>> =
        serde_json::from_str(&fs::read_to_string(data().join("z_image/single_file.json")).unwrap()).unwrap();
    let bytes = fs::read(setting.part("transformer/diffusion_pytorch_model.safetensors")).unwrap();
    let whole = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let stacked = |parts: &Vec<String>| {
        let parts: Vec<_> = parts.iter().map(|name| whole.tensor(name).unwrap()).collect();
        let mut shape = parts[0].shape().to_vec();
        shape[0] *= parts.len();
        Tensor { shape, bytes: parts.iter().flat_map(|part| part.data().to_vec()).collect() }
    };
    let mut tensors: Tensors = names.iter().map(|(name, parts)| (format!("{prefix}{name}"), stacked(parts))).collect();
    tensors.insert(format!("{prefix}norm_final.weight"), Tensor { shape: vec![1], bytes: vec![0; 4] });
    tensors
}

/// Every tensor of the folder's transformer.
fn tensors_of(setting: &Setting) -> Vec<String> {
    open(&[setting.part("transformer/diffusion_pytorch_model.safetensors")]).names().map(str::to_owned).collect()
}

fn others(setting: &Setting) -> OtherParts {
    OtherParts { text_encoder: Some(setting.part("text_encoder")), tokenizer: Some(setting.part("")), shift: None }
}

#[test]
fn a_single_file_holds_the_tensors_and_the_shape_of_the_folder() {
    let setting = Setting::new();
    let folder = Checkpoint::open(&setting.part("")).unwrap();
    let expected = folder.weights("transformer", &Device::Cpu, DType::F32).unwrap();
    let of_folder = TransformerConfig::read(&setting.config("transformer"), Path::new("config.json")).unwrap();
    let place = tempfile::tempdir().unwrap();
    for (i, prefix) in ["", "model.diffusion_model."].into_iter().enumerate() {
        let path = place.path().join(format!("{i}.safetensors"));
        write_tensors(&path, &single_file(&setting, prefix));
        let file = Checkpoint::open_with(&path, &others(&setting)).unwrap();
        let config = TransformerConfig::read(&file.json("transformer/config.json").unwrap(), &path).unwrap();
        // What the shapes do not tell is as published.
        let published = TransformerConfig { axis_lengths: [1024, 512, 512], ..of_folder.clone() };
        assert_eq!(format!("{config:?}"), format!("{published:?}"), "{prefix}");
        let weights = file.weights("transformer", &Device::Cpu, DType::F32).unwrap();
        for name in tensors_of(&setting) {
            let shape = expected.shape(&name).unwrap().to_vec();
            let (found, wanted) = (weights.tensor(&name, &shape).unwrap(), expected.tensor(&name, &shape).unwrap());
            assert_eq!(crate::common::floats(&found), crate::common::floats(&wanted), "{prefix}{name}");
        }
        for part in ["text_encoder/config.json", "vae/config.json", "scheduler/scheduler_config.json", "model_index.json"] {
            assert!(file.json(part).is_ok(), "{part}");
        }
    }
}

#[test]
fn parts_that_are_not_named_are_found_beside_the_file() {
    let setting = Setting::new();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("z.safetensors");
    write_tensors(&path, &single_file(&setting, ""));
    let message = |checkpoint: &Checkpoint| checkpoint.json("text_encoder/config.json").unwrap_err().to_string();
    let alone = Checkpoint::open(&path).unwrap();
    assert!(message(&alone).contains("without a folder for its text encoder"), "{}", message(&alone));
    assert!(!alone.has("text_encoder") && alone.has("transformer"));
    for (part, folder) in [("text_encoder", place.path().join("text_encoder")), ("vae", place.path().join("z/vae"))] {
        copy(&setting.part(part), &folder);
        let found = Checkpoint::open(&path).unwrap();
        assert!(found.has(part), "{part}");
        assert_eq!(found.json(&format!("{part}/config.json")).unwrap(), setting.config(part));
    }
}

#[test]
fn what_holds_a_transformer_is_told_so() {
    let setting = Setting::new();
    let found = |path: &Path| {
        let inspection = inspect(path).unwrap();
        (inspection.kind, inspection.family)
    };
    assert_eq!(found(&setting.part("")), (FileKind::Model, Some(Family::ZImage)));
    let place = tempfile::tempdir().unwrap();
    for prefix in ["", "model.diffusion_model."] {
        let path = place.path().join("z.safetensors");
        write_tensors(&path, &single_file(&setting, prefix));
        assert_eq!(found(&path), (FileKind::Transformer, Some(Family::ZImage)), "{prefix}");
    }
}

#[test]
fn language_models_keep_their_names_in_folders() {
    let setting = Setting::new();
    let folder = Checkpoint::open(&setting.part("")).unwrap();
    let weights = folder.weights("text_encoder", &Device::Cpu, DType::F32).unwrap();
    assert!(weights.has("embed_tokens.weight") && weights.has("layers.0.self_attn.q_norm.weight"));
}

/// The card of a lone file with the other parts of the tiny model.
fn card(setting: &Setting, path: &Path, shift: Option<f64>) -> Result<ModelCard, InferenceError> {
    let shift = shift.map(|shift| Shift::try_from(shift).unwrap());
    let entry =
        ModelEntry { others: OtherParts { shift, ..others(setting) }, vae: Some(setting.part("vae")), ..ModelEntry::new("z", path) };
    let catalogue = Catalogue::open(&CatalogueConfig { models: vec![entry], ..CatalogueConfig::default() })?;
    Ok(ModelCard::clone(&catalogue.models()[0]))
}

#[test]
fn a_transformer_alone_is_drawn_as_base_or_turbo_as_something_says() {
    let (setting, place) = (Setting::new(), tempfile::tempdir().unwrap());
    let tensors = single_file(&setting, "");
    let check = |name: &str, asked: Option<f64>, (shift, said_by, steps): (f64, &str, u32)| {
        let path = place.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_tensors(&path, &tensors);
        let card = card(&setting, &path, asked).unwrap();
        assert_eq!((card.shift, card.suited.map(|suited| suited.steps)), (Some(shift), Some(steps)), "{name}");
        assert!(card.shift_said_by.as_deref().is_some_and(|found| found.starts_with(said_by)), "{name}: {:?}", card.shift_said_by);
        let details = inspect(&path).unwrap().details;
        let told = details.iter().find(|(key, _)| key == "shift").map(|(_, value)| value.as_str());
        let expected = asked.is_none().then(|| format!("{shift} ({})", card.shift_said_by.unwrap_or_default()));
        assert!(expected.is_none() || told == expected.as_deref(), "{name}: {told:?}");
    };
    check("mine.safetensors", None, (3.0, "a guess", 8));
    check("z_image_turbo_bf16.safetensors", None, (3.0, "the file's name", 8));
    check("z_image_bf16.safetensors", None, (6.0, "the file's name", 50));
    check("Z-Image/model.safetensors", None, (6.0, "its folder's name", 50));
    check("z_image_turbo_bf16.safetensors", Some(6.0), (6.0, "the configuration", 50));
    fs::create_dir_all(place.path().join("scheduler")).unwrap();
    let schedule = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 6.0}"#;
    fs::write(place.path().join("scheduler/scheduler_config.json"), schedule).unwrap();
    check("mine.safetensors", None, (6.0, "the scheduler_config.json beside it", 50));
    check("mine.safetensors", Some(2.0), (2.0, "the configuration", 8));
    let folder = card(&setting, &setting.part(""), Some(6.0)).unwrap_err().to_string();
    assert!(folder.ends_with("`shift` for a model that is no transformer in a file of its own is not supported"), "{folder}");
    assert_eq!(card(&setting, &setting.part(""), None).unwrap().shift_said_by, None, "a folder says it itself");
}

#[test]
fn lumina_2_is_refused_by_its_shapes_whatever_its_tensors_are_called() {
    let (setting, place) = (Setting::new(), tempfile::tempdir().unwrap());
    let path = place.path().join("lumina.safetensors");
    for prefix in ["", "model.diffusion_model."] {
        for is_split in [false, true] {
            let mut tensors = single_file(&setting, prefix);
            let width = tensors[&format!("{prefix}x_pad_token")].shape[1];
            let zeros = |rows: usize| Tensor { shape: vec![rows, width], bytes: vec![0; rows * width * 4] };
            let attention = format!("{prefix}layers.0.attention");
            if is_split {
                tensors.remove(&format!("{attention}.qkv.weight"));
                for (name, rows) in [("to_q", width), ("to_k", width / 2), ("to_v", width / 2)] {
                    tensors.insert(format!("{attention}.{name}.weight"), zeros(rows));
                }
            } else {
                tensors.insert(format!("{attention}.qkv.weight"), zeros(2 * width));
            }
            write_tensors(&path, &tensors);
            let said = card(&setting, &path, None).unwrap_err().to_string();
            assert!(said.ends_with("Lumina 2, whose tensors are named as those of Z-Image, is not supported"), "{said}");
            assert_eq!(inspect(&path).unwrap().family, Some(Family::Transformer));
        }
    }
    // Any other shape that does not fit is found before anybody waits for the model.
    let mut tensors = single_file(&setting, "");
    let norm = tensors.get_mut("layers.0.attention_norm1.weight").unwrap();
    *norm = Tensor { shape: vec![3], bytes: vec![0; 12] };
    write_tensors(&path, &tensors);
    let said = card(&setting, &path, None).unwrap_err().to_string();
    assert!(said.contains("layers.0.attention_norm1.weight"), "{said}");
}
