//! The tiny Z-Image of `tools/reference/z_image.py`, and what diffusers and transformers compute with it.

use std::{collections::HashMap, path::PathBuf};

use candle_core::{DType, Device, Tensor};
use inference::checkpoint::{Weights, hf_folder::read_json};
use serde_json::Value;

use crate::{common::data, family_models as models};

/// A model's folder and the reference.
pub struct Setting {
    folder: tempfile::TempDir,
    pub reference: HashMap<String, Tensor>,
    pub texts: Value,
}

impl Setting {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        models::write_some(&data().join("z_image"), folder.path(), &["turbo"]);
        let reference = candle_core::safetensors::load(data().join("z_image/reference.safetensors"), &Device::Cpu).unwrap();
        Self { folder, reference, texts: read_json(&data().join("z_image/texts.json")).unwrap() }
    }

    pub fn part(&self, name: &str) -> PathBuf {
        self.folder.path().join("models/turbo").join(name)
    }

    pub fn config(&self, part: &str) -> Value {
        read_json(&self.part(part).join("config.json")).unwrap()
    }

    pub fn prompts(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.texts.as_object().unwrap().iter().map(|(name, text)| (name.as_str(), text))
    }
}

pub fn open(paths: &[PathBuf]) -> Weights {
    Weights::open(paths, &Device::Cpu, DType::F32).unwrap()
}

pub fn ids(text: &Value) -> Vec<u32> {
    text["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// Whether the distance is at most so much of the expected length, both as lengths of vectors.
pub fn assert_near(name: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let length = |tensor: &Tensor| tensor.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    let distance = length(&(found - expected).unwrap()) / length(expected);
    assert!(distance <= tolerance, "{name}: {distance:.1e}");
}
