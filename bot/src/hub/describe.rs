//! What a model file is.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::{header::Header, refuse};

/// What a file or folder is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// What it is for.
    pub kind: FileKind,
    /// Which kind of Stable Diffusion it is or goes with.
    pub family: Option<Family>,
    /// Numbers in all its tensors.
    pub n_parameters: u64,
    /// Names of types with the numbers stored in each, the most frequent first.
    pub dtypes: Vec<(String, u64)>,
    /// Label and value, for people.
    pub details: Vec<(String, String)>,
    /// What the maker wrote into the file.
    pub metadata: Vec<(String, String)>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum FileKind {
    Model,
    SingleFile,
    Unet,
    Vae,
    TextEncoder,
    Lora,
    TextualInversion,
    Upscaler,
    Taesd,
    ControlNet,
    #[default]
    Unknown,
}

/// The kinds of Stable Diffusion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Family {
    StableDiffusion1,
    StableDiffusion2,
    StableDiffusionXl,
    StableDiffusionXlRefiner,
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Model => "a model folder",
            Self::SingleFile => "a whole model in one file",
            Self::Unet => "a U-Net alone",
            Self::Vae => "a VAE alone",
            Self::TextEncoder => "a text encoder alone",
            Self::Lora => "a LoRA",
            Self::TextualInversion => "a textual inversion",
            Self::Upscaler => "an upscaler",
            Self::Taesd => "a tiny VAE",
            Self::ControlNet => "a ControlNet",
            Self::Unknown => "an unknown file",
        })
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::StableDiffusion1 => "Stable Diffusion 1",
            Self::StableDiffusion2 => "Stable Diffusion 2",
            Self::StableDiffusionXl => "Stable Diffusion XL",
            Self::StableDiffusionXlRefiner => "Stable Diffusion XL refiner",
        })
    }
}

/// Looks at a file or a model's folder; reads headers and configurations, not weights.
///
/// # Errors
/// One sentence that names the file and says what to do.
pub fn describe(path: &Path) -> anyhow::Result<Inspection> {
    if path.is_dir() {
        return folder(path);
    }
    refuse::by_content(path)?;
    let header = Header::read(path)?;
    let kind = kind(&header);
    let family = family(&header, kind);
    let mut inspection = Inspection { kind, family, ..Inspection::default() };
    inspection.add(&header);
    inspection.metadata = header.metadata.into_iter().collect();
    Ok(inspection)
}

impl Inspection {
    fn add(&mut self, header: &Header) {
        for tensor in header.tensors.values() {
            let n_values = tensor.shape.iter().fold(1u64, |product, side| product.saturating_mul(*side));
            let dtype = tensor.dtype.to_lowercase();
            self.n_parameters = self.n_parameters.saturating_add(n_values);
            match self.dtypes.iter_mut().find(|(known, _)| *known == dtype) {
                Some((_, n)) => *n = n.saturating_add(n_values),
                None => self.dtypes.push((dtype, n_values)),
            }
        }
        self.dtypes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    }
}

fn folder(path: &Path) -> anyhow::Result<Inspection> {
    let index = path.join("model_index.json");
    let text = std::fs::read(&index).with_context(|| format!("{} is no model's folder: it has no model_index.json", path.display()))?;
    let index: Value = serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", index.display()))?;
    let mut inspection = Inspection { kind: FileKind::Model, ..Inspection::default() };
    if let Some(class) = index.get("_class_name").and_then(Value::as_str) {
        inspection.details.push(("pipeline".into(), class.to_owned()));
    }
    for part in ["unet", "vae", "text_encoder", "text_encoder_2"] {
        let files = std::fs::read_dir(path.join(part)).into_iter().flatten().flatten().map(|entry| entry.path());
        let files: Vec<_> = files.filter(|file| refuse::is_safetensors(&file.to_string_lossy())).collect();
        // One precision of each network is enough to count.
        let is_half = |file: &Path| file.to_string_lossy().contains(".fp16");
        let has_plain = files.iter().any(|file| !is_half(file));
        for file in files.iter().filter(|file| !(has_plain && is_half(file))) {
            let header = Header::read(file)?;
            inspection.add(&header);
            if part == "unet" {
                inspection.family = inspection.family.or(family(&header, FileKind::Unet));
            }
        }
    }
    Ok(inspection)
}

fn kind(header: &Header) -> FileKind {
    let has = |part: &str| header.tensors.keys().any(|name| name.contains(part));
    let starts = |part: &str| header.tensors.keys().any(|name| name.starts_with(part));
    match () {
        () if starts("model.diffusion_model.") => FileKind::SingleFile,
        () if has("lora_down.") || has("lora_A.") || has("hada_w1") || has("lokr_w1") => FileKind::Lora,
        () if has("controlnet_cond_embedding") || starts("control_model.") => FileKind::ControlNet,
        () if starts("time_embedding.") && starts("down_blocks.") => FileKind::Unet,
        () if has("decoder.up_blocks.") || has("decoder.up.") => FileKind::Vae,
        () if starts("decoder.layers.") => FileKind::Taesd,
        () if has("text_model.encoder.layers.") => FileKind::TextEncoder,
        () if has("conv_first.") || starts("body.0.") || starts("model.1.sub.") => FileKind::Upscaler,
        () if starts("emb_params") || (starts("clip_l") && starts("clip_g")) => FileKind::TextualInversion,
        () => FileKind::Unknown,
    }
}

/// By the width of the cross-attention's context.
fn family(header: &Header, kind: FileKind) -> Option<Family> {
    let is_key = |name: &str| name.ends_with("attn2.to_k.weight") || (name.contains("attn2_to_k") && name.contains("lora_down"));
    let attention = header.tensors.iter().find(|(name, _)| is_key(name)).and_then(|(_, tensor)| tensor.shape.get(1).copied());
    let embedding = || header.tensors.get("emb_params").and_then(|tensor| tensor.shape.last().copied());
    match attention.or_else(|| (kind == FileKind::TextualInversion).then(embedding).flatten())? {
        768 => Some(Family::StableDiffusion1),
        1024 => Some(Family::StableDiffusion2),
        2048 => Some(Family::StableDiffusionXl),
        1280 => Some(Family::StableDiffusionXlRefiner),
        _ => None,
    }
}
