//! The layouts of files that Z-Image comes in.

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{DType, Device};
use inference::{
    checkpoint::{Checkpoint, Family, FileKind, OtherParts, inspect},
    family::z_image::TransformerConfig,
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
    OtherParts { text_encoder: Some(setting.part("text_encoder")), tokenizer: Some(setting.part("")) }
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
