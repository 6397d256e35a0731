//! What a model file is, told from its header alone.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use candle_core::DType;
use serde::Serialize;

use super::{Family, FileKind, Header, HfFolder, Part, TensorInfo};
use crate::{adapter, error::InferenceError};

/// What a file or folder is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// What it is for.
    pub kind: FileKind,
    /// Which models it belongs to.
    pub family: Option<Family>,
    /// Numbers in all tensors.
    pub n_parameters: u64,
    /// The types of its tensors with the numbers stored in each, the most frequent first.
    pub dtypes: Vec<(String, u64)>,
    /// What else its tensors say, such as the rank of a LoRA.
    pub details: Vec<(String, String)>,
    /// What its maker wrote into it.
    pub metadata: Vec<(String, String)>,
}

/// Tells what a file or a folder is. Only headers are read, so the size does not matter.
///
/// # Errors
/// `Missing` or `Unreadable`, naming the file.
pub fn inspect(path: &Path) -> Result<Inspection, InferenceError> {
    if path.is_dir() {
        return inspect_folder(path);
    }
    let header = Header::read(path)?;
    let tensors = Tensors::new(&header.tensors);
    let kind = tensors.kind();
    let mut details = tensors.details(kind);
    if kind == FileKind::SingleFile
        && let Ok(schedule) = super::Checkpoint::open(path).and_then(|checkpoint| checkpoint.json("scheduler/scheduler_config.json"))
    {
        details.extend(prediction_of(&schedule));
    }
    if kind == FileKind::Transformer
        && let Ok(checkpoint) = super::Checkpoint::open(path)
    {
        details.extend(shift_of(&checkpoint.json("scheduler/scheduler_config.json")?));
    }
    let metadata = header.metadata.clone().into_iter().collect();
    Ok(Inspection { kind, family: tensors.family(kind), metadata, details, ..sums(&header.tensors) })
}

fn inspect_folder(path: &Path) -> Result<Inspection, InferenceError> {
    let folder = HfFolder::open(path)?;
    let index = folder.json("model_index.json")?;
    let (mut tensors, mut details, mut family) = (Vec::new(), Vec::new(), None);
    details.extend(index["_class_name"].as_str().map(|class| ("pipeline".to_owned(), class.to_owned())));
    for part in ["unet", "transformer", "vae", "text_encoder", "text_encoder_2"].into_iter().filter(|part| folder.has(part)) {
        let files: Vec<PathBuf> = folder.files(part, DType::F32)?;
        let headers = files.iter().map(|file| Header::read(file)).collect::<Result<Vec<_>, _>>()?;
        let of_part: Vec<TensorInfo> = headers.into_iter().flat_map(|header| header.tensors).collect();
        details.push((part.to_owned(), format!("{} numbers in {}", sums(&of_part).n_parameters, plural(files.len(), "file"))));
        if part == "unet" {
            let unet = Tensors::new(&of_part);
            family = unet.family(FileKind::Unet);
            details.extend(unet.details(FileKind::Unet));
        }
        if part == "transformer" && Tensors::new(&of_part).kind() == FileKind::Transformer {
            family = Some(Tensors::new(&of_part).transformer());
        }
        tensors.extend(of_part);
    }
    if folder.has("scheduler") || path.join("scheduler/scheduler_config.json").is_file() {
        let schedule = folder.json("scheduler/scheduler_config.json")?;
        details.extend(prediction_of(&schedule));
    }
    Ok(Inspection { kind: FileKind::Model, family, details, ..sums(&tensors) })
}

/// What a file is, by the names and shapes of its tensors alone.
pub(super) fn kind_of(path: &Path) -> Result<FileKind, InferenceError> {
    Ok(Tensors::new(&Header::read(path)?.tensors).kind())
}

/// What the network predicts, and what says so where that is not plain.
fn prediction_of(schedule: &serde_json::Value) -> Option<(String, String)> {
    let prediction = schedule["prediction_type"].as_str()?;
    let said_by = schedule[super::prediction::SAID_BY].as_str().map(|said_by| format!(" ({said_by})")).unwrap_or_default();
    Some(("prediction".to_owned(), format!("{prediction}{said_by}")))
}

/// How far the schedule is shifted, and what says so.
fn shift_of(schedule: &serde_json::Value) -> Option<(String, String)> {
    Some(("shift".to_owned(), format!("{} ({})", schedule["shift"].as_f64()?, schedule[super::shift::SAID_BY].as_str()?)))
}

fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// An inspection that knows only numbers and types.
fn sums(tensors: &[TensorInfo]) -> Inspection {
    let mut dtypes: BTreeMap<String, u64> = BTreeMap::new();
    for tensor in tensors {
        *dtypes.entry(format!("{:?}", tensor.dtype).to_lowercase()).or_default() += tensor.n_values();
    }
    let n_parameters = dtypes.values().sum();
    let mut dtypes: Vec<_> = dtypes.into_iter().collect();
    dtypes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    Inspection { kind: FileKind::Unknown, family: None, n_parameters, dtypes, details: Vec::new(), metadata: Vec::new() }
}

/// Tensors by name, and what they tell of their file.
pub(crate) struct Tensors<'a> {
    shapes: BTreeMap<&'a str, &'a [usize]>,
    /// Asked for more than once, of hundreds of names.
    method: OnceCell<Option<&'static adapter::Method>>,
}

impl<'a> Tensors<'a> {
    pub(crate) fn new(tensors: &'a [TensorInfo]) -> Self {
        let shapes = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
        Self { shapes, method: OnceCell::new() }
    }

    fn has(&self, name: &str) -> bool {
        self.shapes.contains_key(name)
    }

    /// Whether a name begins so.
    fn begins(&self, start: &str) -> bool {
        self.shapes.range(start..).next().is_some_and(|(name, _)| name.starts_with(start))
    }

    /// The first tensor, in the order of names, that ends so.
    pub(crate) fn ending(&self, ends: &[&str]) -> Option<&'a [usize]> {
        self.shapes.iter().find(|(name, _)| ends.iter().any(|end| name.ends_with(end))).map(|(_, shape)| *shape)
    }

    /// The kind of adapter that it is, if it is one.
    pub(crate) fn method(&self) -> Option<&'static adapter::Method> {
        *self.method.get_or_init(|| adapter::method(self.shapes.iter().map(|(name, shape)| (*name, *shape))))
    }

    pub(crate) fn kind(&self) -> FileKind {
        let is_inversion = |shape: &[usize]| matches!(shape, [width] | [_, width] if *width <= 4096);
        if self.begins("control_model.") || self.begins("controlnet_cond_embedding.") || self.begins("input_hint_block.") {
            FileKind::ControlNet
        } else if super::transformer_file::is_one(|name| self.has(name)) {
            FileKind::Transformer
        } else if self.begins("model.diffusion_model.") || self.begins("state_dict.model.diffusion_model.") {
            let others = ["first_stage_model.", "vae.", "cond_stage_model.", "conditioner."];
            let has_all = others.iter().any(|start| self.begins(start) || self.begins(&format!("state_dict.{start}")));
            if has_all { FileKind::SingleFile } else { FileKind::Unet }
        } else if self.method().is_some() {
            FileKind::Lora
        } else if self.has("conv_in.weight") && self.begins("down_blocks.")
            || ["input_blocks.0.", "diffusion_model.input_blocks.0.", "model_ema.diffusion_model"].iter().any(|start| self.begins(start))
        {
            FileKind::Unet
        } else if self.ending(&["decoder.conv_in.weight"]).is_some() {
            FileKind::Vae
        } else if self.ending(&["embeddings.token_embedding.weight", "model.token_embedding.weight"]).is_some()
            || self.has("token_embedding.weight")
        {
            FileKind::TextEncoder
        } else if self.has("conv_first.weight")
            || self.has("body.0.weight") && self.has("body.1.weight")
            || self.has("model.0.weight") && self.begins("model.1.sub.")
            || self.has("params_ema.conv_first.weight")
        {
            FileKind::Upscaler
        } else if self.has("1.weight") && self.has("3.conv.0.weight")
            || self.begins("taesd_")
            || self.begins("decoder.layers.") && self.begins("encoder.layers.")
        {
            FileKind::Taesd
        } else if self.has("emb_params")
            || self.has("clip_l")
            || self.has("clip_g")
            || self.shapes.len() == 1 && self.shapes.values().all(|shape| is_inversion(shape))
        {
            FileKind::TextualInversion
        } else {
            FileKind::Unknown
        }
    }

    /// Width of the prompts that a U-Net, or an adapter's changes to one, look at.
    fn context_width(&self) -> Option<usize> {
        let ends = [
            "attn2.to_k.weight",
            "attn2_to_k.lora_down.weight",
            "attn2.to_k.lora_A.weight",
            "attn2.to_k.lora.down.weight",
            "attn2.processor.to_k_lora.down.weight",
        ];
        if let Some(shape) = self.ending(&ends) {
            return shape.get(1).copied();
        }
        // LoHa's second factor is as wide as the layer's input.
        self.ending(&["attn2_to_k.hada_w1_b"]).and_then(|shape| shape.get(1).copied())
    }

    /// The family of a transformer's file.
    fn transformer(&self) -> Family {
        let is_lumina = super::transformer_file::is_lumina(|name| self.shapes.get(name).copied());
        if is_lumina { Family::Transformer } else { Family::ZImage }
    }

    /// The family of the transformer that an adapter changes, if its names are those of Z-Image's.
    fn transformer_of_adapter(&self) -> Option<Family> {
        let is_lumina = || self.shapes.iter().any(|(name, shape)| adapter::is_as_wide_as_lumina(name, shape));
        let is_one = self.shapes.keys().any(|name| adapter::is_of_z_image(name));
        is_one.then(|| if is_lumina() { Family::Transformer } else { Family::ZImage })
    }

    /// The networks that an adapter changes, as far as names tell.
    pub(crate) fn networks(&self) -> HashSet<Part> {
        // The tensors of one module stand together in the order of names.
        let module = |name: &&'a str| name.split(".lora_").next().map_or(*name, |name| name.trim_end_matches(".alpha"));
        let mut before = "";
        let first = self.shapes.keys().filter(|name| std::mem::replace(&mut before, module(name)) != module(name));
        first.filter_map(|name| adapter::network_of(name)).collect()
    }

    /// The ranks of an adapter's matrices.
    pub(crate) fn ranks(&self) -> BTreeSet<usize> {
        let down = [".lora_down.weight", ".lora_A.weight", ".lora.down.weight", "_lora.down.weight"];
        let is_down = |name: &str| down.iter().any(|end| name.ends_with(end));
        self.shapes.iter().filter(|(name, _)| is_down(name)).filter_map(|(_, shape)| shape.first().copied()).collect()
    }

    /// Pixels along one latent of an autoencoder: every level of its decoder but one doubles them.
    pub(crate) fn vae_factor(&self) -> u32 {
        let level = |name: &&str| {
            ["decoder.up.", "decoder.up_blocks."].iter().find_map(|start| Some(name.split_once(start)?.1.split_once('.')?.0.to_owned()))
        };
        let n_levels = self.shapes.keys().filter_map(level).collect::<BTreeSet<_>>().len();
        1 << n_levels.saturating_sub(1).min(16)
    }

    pub(crate) fn family(&self, kind: FileKind) -> Option<Family> {
        match kind {
            FileKind::SingleFile if self.begins("conditioner.embedders.1.") => Some(Family::StableDiffusionXl),
            FileKind::SingleFile if self.begins("conditioner.embedders.0.model.") => Some(Family::StableDiffusionXlRefiner),
            FileKind::SingleFile if self.begins("cond_stage_model.model.") => Some(Family::StableDiffusion2),
            FileKind::SingleFile if self.begins("cond_stage_model.transformer.") => Some(Family::StableDiffusion1),
            FileKind::SingleFile | FileKind::Unet | FileKind::ControlNet | FileKind::Lora => {
                let is_of_second = || self.shapes.keys().any(|name| adapter::network_of(name) == Some(Part::TextEncoder2));
                let of_text = || (kind == FileKind::Lora && is_of_second()).then_some(Family::StableDiffusionXl);
                let of_transformer = || if kind == FileKind::Lora { self.transformer_of_adapter() } else { None };
                self.context_width().and_then(Family::of_context).or_else(of_text).or_else(of_transformer)
            }
            FileKind::Transformer => Some(self.transformer()),
            FileKind::TextualInversion if self.has("clip_g") => Some(Family::StableDiffusionXl),
            FileKind::TextualInversion => self.shapes.values().next().and_then(|shape| shape.last()).and_then(|width| match width {
                768 => Some(Family::StableDiffusion1),
                1024 => Some(Family::StableDiffusion2),
                _ => None,
            }),
            _ => None,
        }
    }

    fn details(&self, kind: FileKind) -> Vec<(String, String)> {
        let mut details = Vec::new();
        let mut tell = |key: &str, value: Option<String>| details.extend(value.map(|value| (key.to_owned(), value)));
        let number = |value: Option<usize>| value.map(|value| value.to_string());
        match kind {
            FileKind::SingleFile | FileKind::Unet => {
                let first = self.ending(&["input_blocks.0.0.weight"]).or_else(|| self.shapes.get("conv_in.weight").copied());
                let channels = first.and_then(|shape| shape.get(1).copied());
                tell("channels in", number(channels));
                let use_of = |channels| match channels {
                    8 => Some("InstructPix2Pix".to_owned()),
                    9 => Some("inpainting".to_owned()),
                    _ => None,
                };
                tell("made for", channels.and_then(use_of));
                tell("prompt width", number(self.context_width()));
                tell("prediction", (kind == FileKind::Unet && self.has("v_pred")).then(|| "v_prediction".to_owned()));
                tell("zero terminal SNR", self.has("ztsnr").then(|| "yes".to_owned()));
                tell("left out", self.begins("model_ema.").then(|| "a second U-Net, `model_ema.`".to_owned()));
            }
            FileKind::Lora => {
                let ranks: Vec<String> = self.ranks().iter().map(usize::to_string).collect();
                tell("rank", (!ranks.is_empty()).then(|| ranks.join(", ")));
                let method = self.method().filter(|method| method.name != "LoRA");
                let support = |method: &adapter::Method| if method.is_read { "" } else { ", which is not supported" };
                tell("method", method.map(|method| format!("{}{}", method.name, support(method))));
                let parts = [
                    ("U-Net", Part::Unet),
                    ("transformer", Part::Transformer),
                    ("text encoder", Part::TextEncoder),
                    ("second text encoder", Part::TextEncoder2),
                ];
                let found = self.networks();
                let changed: Vec<&str> = parts.iter().filter(|(_, part)| found.contains(part)).map(|(name, _)| *name).collect();
                tell("changes", (!changed.is_empty()).then(|| changed.join(", ")));
            }
            FileKind::TextualInversion => {
                let shape = self.shapes.values().next().copied().unwrap_or_default();
                tell("tokens", Some(if let [n, _] = shape { n.to_string() } else { "1".to_owned() }));
            }
            FileKind::Vae => {
                let shape = self.ending(&["decoder.conv_in.weight"]);
                tell("latent channels", number(shape.and_then(|shape| shape.get(1).copied())));
            }
            _ => {}
        }
        details
    }
}
