//! What a picture was made with: weights by their hashes, program, device.

use std::{collections::BTreeMap, io, path::Path};

use inference::{catalogue::Catalogue, state::DeviceClass, task::Task};
use serde::{Deserialize, Serialize};
use storage::Provenance;

use crate::pictures::hashes::{Hashes, Part};

/// What a picture was made with. Hashes are SHA-256 in hex; those that could not be computed are missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Of the model's denoising network.
    #[serde(default)]
    pub model_hash: Option<String>,
    /// Of a VAE that is not the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vae_hash: Option<String>,
    /// Of the tensors of the adapters that the task or its prompts name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adapter_hashes: BTreeMap<String, String>,
    /// Of the embeddings whose words the prompts hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub embedding_hashes: BTreeMap<String, String>,
    /// Version of the program.
    #[serde(default)]
    pub engine: String,
    /// Such as `cpu` or `cuda:0`.
    #[serde(default)]
    pub device: String,
    /// Type of weights and activations, such as `f32`.
    #[serde(default)]
    pub dtype: String,
    /// What must be equal for the same numbers to come out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_class: Option<DeviceClass>,
}

impl Origin {
    /// Reads what has not been read before; takes as long as that, so it runs where blocking is allowed.
    pub fn of(task: &Task, catalogue: &Catalogue, device: &str, hashes: &Hashes) -> Self {
        let (device, dtype) = device_and_dtype(device);
        let mut origin = Self { engine: env!("CARGO_PKG_VERSION").into(), device, dtype, ..Self::default() };
        let Some(base) = task.base() else { return origin };
        if let Some(card) = catalogue.model(base.model.as_deref()) {
            origin.model_hash = told(&card.path, hashes.of_model(&card.path));
            // A folder's weights are found as a model's are.
            origin.vae_hash = card.vae.as_deref().and_then(|vae| told(vae, hashes.of_model(vae)));
        }
        let hash = |(name, path): (&String, &Path), part| Some((name.clone(), told(path, hashes.of_file(path, part))?));
        let names = base.all_adapters();
        let used = catalogue.adapters().iter().filter(|card| names.iter().any(|used| used.name == card.name));
        origin.adapter_hashes = used.filter_map(|card| hash((&card.name, &card.path), Part::Tensors)).collect();
        let holds = |name: &str| [Some(&base.prompt), base.negative_prompt.as_ref()].into_iter().flatten().any(|text| text.contains(name));
        let words = catalogue.embeddings().iter().filter(|card| holds(&card.name));
        origin.embedding_hashes = words.filter_map(|card| hash((&card.name, &card.path), Part::Whole)).collect();
        origin
    }

    /// The same of pictures that were drawn on this device, as the engine says it.
    #[must_use]
    pub fn on(self, device: &str) -> Self {
        let (device, dtype) = device_and_dtype(device);
        Self { device, dtype, ..self }
    }

    /// What is kept in the picture's row.
    pub fn provenance(&self) -> Provenance {
        let Self { model_hash, engine, device, dtype, .. } = self.clone();
        Provenance { model_hash, engine, device, dtype }
    }
}

impl From<Provenance> for Origin {
    fn from(kept: Provenance) -> Self {
        let Provenance { model_hash, engine, device, dtype } = kept;
        Self { model_hash, engine, device, dtype, ..Self::default() }
    }
}

fn told(path: &Path, hash: io::Result<String>) -> Option<String> {
    // The engine itself says what is wrong with such a file.
    hash.inspect_err(|error| tracing::info!(%error, path = %path.display(), "weights cannot be hashed; pictures do not name them")).ok()
}

/// `cpu (f32)` as its two parts.
fn device_and_dtype(device: &str) -> (String, String) {
    let (device, dtype) = device.split_once(" (").unwrap_or((device, ""));
    (device.to_owned(), dtype.trim_end_matches(')').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_device_is_read_as_its_two_parts() {
        assert_eq!(device_and_dtype("cuda:1 (bf16)"), ("cuda:1".into(), "bf16".into()));
        assert_eq!(device_and_dtype("cpu"), ("cpu".into(), String::new()));
    }
}
