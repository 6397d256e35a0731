//! Adapters: small files that change a model's weights (LoRA, LoCon, LoHa, LoKr, DoRA, full differences), merged in float32 while the weights are read.

mod delta;
mod error;
mod header;
mod info;
mod keys;
mod magnitude;
mod methods;
mod module;
mod set;
mod settings;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use candle_core::{DType, Device, Tensor};

use self::{
    delta::Delta,
    header::Header,
    keys::{Certainty, Name, Place, Places},
    magnitude::{Axis, Change},
    module::{Bias, Entry, Magnitude, Module, modules},
    settings::Settings,
};
pub use self::{
    error::AdapterError,
    info::{AdapterInfo, AdapterKind, Family, kind},
    methods::{Method, method},
    set::AdapterSet,
};
use crate::checkpoint::{Part, Patch, Weights, names::UnetLayout};
use crate::{error::InferenceError, task::Note};

/// Adapters that change the weights of a model, in the order in which they are applied.
///
/// The weight of each scales its change: 1.0 is the change as it was trained. Several add up. DoRA alone is different:
/// files with PEFT's `lora_magnitude_vector` follow PEFT's rule, those with LyCORIS' `dora_scale` ComfyUI's (`magnitude.rs`).
pub struct Adapters {
    files: Vec<AdapterFile>,
    layout: UnetLayout,
}

/// What became of an adapter's file.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterReport {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub info: AdapterInfo,
    /// Modules that it changes.
    pub n_modules: usize,
    /// Those that changed a weight of the model.
    pub n_applied: usize,
    /// Names in the file that belong to nothing in the model, sorted.
    pub unmatched: Vec<String>,
}

/// How much of an adapter goes into each network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdapterWeights {
    /// Factor on its change of the U-Net.
    pub unet: f64,
    /// Factor on its change of the text encoders.
    pub text_encoder: f64,
}

impl AdapterWeights {
    fn of(self, part: Part) -> f64 {
        match part {
            Part::Unet => self.unet,
            Part::TextEncoder | Part::TextEncoder2 => self.text_encoder,
        }
    }
}

impl From<f64> for AdapterWeights {
    /// The same for all networks.
    fn from(weight: f64) -> Self {
        Self { unet: weight, text_encoder: weight }
    }
}

/// What a module's difference is multiplied by.
#[derive(Clone, Copy)]
struct Amount {
    /// In training: alpha / rank, or 1.
    scale: f64,
    /// Now: the adapter's weight.
    weight: f64,
}

struct AdapterFile {
    path: PathBuf,
    own_weights: AdapterWeights,
    weights: Weights,
    modules: HashMap<String, Module>,
    places: Places,
    unknown: Vec<String>,
    alphas: HashMap<String, Option<f64>>,
    settings: HashMap<Part, Settings>,
}

impl Adapters {
    /// Opens files, each with its weight, one number or one for each network. Their numbers are read when they are needed.
    ///
    /// # Errors
    /// A file cannot be read, is no adapter, or holds tensors that do not belong together.
    pub fn open<W: Into<AdapterWeights> + Copy>(files: &[(PathBuf, W)], layout: &UnetLayout) -> Result<Self, InferenceError> {
        let files = files.iter().map(|(path, weight)| AdapterFile::open(path, (*weight).into())).collect::<Result<_, _>>()?;
        Ok(Self { files, layout: layout.clone() })
    }

    /// What became of each file; complete once all of the model's networks are loaded.
    pub fn report(&self) -> Vec<AdapterReport> {
        self.files.iter().map(AdapterFile::report).collect()
    }

    /// What a person should know after all of the model's networks are loaded: a sentence for each file of which only a part was used.
    ///
    /// # Errors
    /// Nothing of a file belongs to the model.
    pub fn check(&self) -> Result<Vec<String>, InferenceError> {
        let mut warnings = Vec::new();
        for file in &self.files {
            file.check_sizes()?;
        }
        for report in self.report() {
            if report.n_applied == 0 {
                let AdapterReport { path, n_modules, info, .. } = report;
                return Err(AdapterError::NothingMatches { path, n_modules, made_for: info.family }.into());
            }
            warnings.extend(report.warning());
        }
        Ok(warnings)
    }
}

impl AdapterReport {
    /// A sentence on what of the file was not used, if anything.
    pub fn warning(&self) -> Option<String> {
        let Self { path, n_modules, n_applied, unmatched, .. } = self;
        let first = unmatched.first()?;
        let others = match unmatched.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Some(format!("{}: {n_applied} of {n_modules} modules match the model; `{first}`{others} did nothing", path.display()))
    }
}

impl AdapterReport {
    /// The same for the person who asked, who knows the file by this name.
    pub fn note(&self, name: &str) -> Option<Note> {
        let Self { n_modules, n_applied, unmatched, .. } = self;
        let (name, n_modules, n_applied) = (name.to_owned(), *n_modules, *n_applied);
        (!unmatched.is_empty()).then_some(Note::AdapterInPart { name, n_applied, n_modules, n_unused: unmatched.len() })
    }
}

impl Patch for Adapters {
    fn apply(&self, part: Part, name: &str, values: Tensor) -> Result<Tensor, InferenceError> {
        let Some((module, kind @ ("weight" | "bias"))) = name.rsplit_once('.') else { return Ok(values) };
        let names = keys::names(part, module, &self.layout);
        let mut current = values.clone();
        for file in &self.files {
            let Some((found, third)) = file.find(part, &names, (kind, values.dims())) else { continue };
            let amount = Amount { scale: file.scale(found, part, module)?, weight: file.own_weights.of(part) };
            let changed = match kind {
                "weight" => file.change_weight(found, third, amount, (&values, &current))?,
                _ => file.change_bias(found, third, amount, &current)?,
            };
            // DoRA gives rows new lengths also where nothing is added.
            if amount.weight != 0.0 {
                current = changed;
            }
        }
        Ok(current)
    }
}

impl AdapterFile {
    fn open(path: &Path, own_weights: AdapterWeights) -> Result<Self, InferenceError> {
        let header = Header::read(path)?;
        let (modules, unknown) = modules(path, &header)?;
        let parts = [Part::Unet, Part::TextEncoder, Part::TextEncoder2];
        let settings = parts.into_iter().filter_map(|part| Some((part, Settings::read(path, &header, part)?))).collect();
        let weights = Weights::open(&[path.to_owned()], &Device::Cpu, DType::F32)?;
        let places = Places::new(modules.keys());
        Ok(Self { path: path.to_owned(), own_weights, weights, modules, places, unknown, alphas: header.alphas, settings })
    }

    /// What changes a weight or bias of this shape of a module with these names.
    fn find(&self, part: Part, names: &[Name], (kind, shape): (&str, &[usize])) -> Option<(&Module, Option<usize>)> {
        self.places.find(part, names).into_iter().find_map(|(stem, third, certainty)| {
            let module = self.modules.get(stem)?;
            let is_meant = certainty == Certainty::Certain || module.belongs_to(part, kind, shape, n_parts(third));
            is_meant.then_some((module, third))
        })
    }

    /// A module that may be for several networks, and is too large or too small for all of them, was made for another model.
    fn check_sizes(&self) -> Result<(), InferenceError> {
        let mut modules: Vec<_> = self.modules.values().filter(|module| module.owner.get().is_none()).collect();
        modules.sort_by_key(|module| &module.stem);
        match modules.into_iter().find_map(|module| Some((module, module.misfit.get()?))) {
            Some((module, (adapter, model))) => Err(self.wrong_shape(module, adapter.clone(), model)),
            None => Ok(()),
        }
    }

    fn read(&self, entry: &Entry) -> Result<Tensor, InferenceError> {
        self.weights.tensor(&entry.name, &entry.shape)
    }

    /// What a module's difference was multiplied by in training: alpha / rank, or 1.
    fn scale(&self, module: &Module, part: Part, name: &str) -> Result<f64, InferenceError> {
        let rank = module.delta.as_ref().and_then(Delta::rank);
        match (&module.alpha, rank) {
            (Some(alpha), Some(rank)) => {
                let refuse = |reason: String| Err(InferenceError::Unreadable { path: self.path.clone(), reason });
                let name = &alpha.name;
                let alpha = match self.alphas.get(name) {
                    None => return refuse(format!("`{name}` is empty where one number is needed")),
                    Some(None) => return refuse(format!("`{name}` holds no number")),
                    Some(Some(alpha)) if !alpha.is_finite() => {
                        return refuse(format!("`{name}` holds a value that is not a finite number"));
                    }
                    Some(Some(alpha)) => *alpha,
                };
                Ok(alpha / rank as f64)
            }
            (Some(_), None) => Ok(1.0),
            (None, _) => Ok(self.settings.get(&part).map_or(1.0, |settings| settings.scale(name, rank))),
        }
    }

    fn change_weight(
        &self,
        module: &Module,
        third: Option<usize>,
        Amount { scale, weight }: Amount,
        (base, current): (&Tensor, &Tensor),
    ) -> Result<Tensor, InferenceError> {
        let Some(delta) = &module.delta else { return Ok(current.clone()) };
        let shape = base.dims();
        let (n_rows, size) = (shape.first().copied().unwrap_or(1), base.elem_count());
        let (rows, columns) = delta.size();
        let n_parts = n_parts(third);
        if rows != n_rows * n_parts || rows.saturating_mul(columns) != size * n_parts {
            return Err(self.wrong_shape(module, vec![rows, columns], shape));
        }
        let values = delta.values(&|entry| self.read(entry))?;
        let delta = (part_of(&values, third, n_rows)?.reshape(shape)? * scale)?;
        module.is_weight_used.store(true, Ordering::Relaxed);
        let change = Change { base, current, delta: &delta, weight };
        let Some(magnitude) = &module.magnitude else { return Ok((current + (&delta * weight)?)?) };
        let (Magnitude::Peft(entry) | Magnitude::Lycoris(entry)) = magnitude;
        let is_for_columns = matches!(magnitude, Magnitude::Lycoris(_)) && shape.len() > 1 && entry.shape.get(1) == Some(&shape[1]);
        let n = entry.shape.iter().product::<usize>();
        Ok(if n == n_rows * n_parts && (n_parts == 3 || !is_for_columns || entry.shape[0] == n) {
            let lengths = part_of(&self.read(entry)?.flatten_all()?, third, n_rows)?;
            match magnitude {
                Magnitude::Peft(_) => change.peft(&lengths)?,
                Magnitude::Lycoris(_) => change.lycoris(&lengths, Axis::Rows)?,
            }
        } else if is_for_columns && n == shape[1] {
            change.lycoris(&self.read(entry)?.flatten_all()?, Axis::Columns)?
        } else {
            return Err(self.wrong_shape(module, entry.shape.clone(), shape));
        })
    }

    fn change_bias(&self, module: &Module, third: Option<usize>, amount: Amount, current: &Tensor) -> Result<Tensor, InferenceError> {
        let (entry, scale) = match &module.bias {
            None => return Ok(current.clone()),
            Some(Bias::Difference(entry)) => (entry, 1.0),
            Some(Bias::OfProduct(entry)) => (entry, amount.scale),
        };
        let n_parts = n_parts(third);
        if entry.shape.iter().product::<usize>() != current.elem_count() * n_parts {
            return Err(self.wrong_shape(module, entry.shape.clone(), current.dims()));
        }
        let delta = part_of(&self.read(entry)?.flatten_all()?, third, current.elem_count())?.reshape(current.shape())?;
        module.is_bias_used.store(true, Ordering::Relaxed);
        Ok((current + (delta * (scale * amount.weight))?)?)
    }

    fn wrong_shape(&self, module: &Module, adapter: Vec<usize>, model: &[usize]) -> InferenceError {
        let made_for = AdapterInfo::of(&self.modules).family;
        let (path, module) = (self.path.clone(), module.stem.clone());
        AdapterError::Shape { path, module, adapter, model: model.to_vec(), made_for }.into()
    }

    fn report(&self) -> AdapterReport {
        let mut unmatched = self.unknown.clone();
        let mut n_applied = 0;
        for module in self.modules.values() {
            let is_weight_used = module.is_weight_used.load(Ordering::Relaxed);
            let is_bias_used = module.is_bias_used.load(Ordering::Relaxed);
            n_applied += usize::from(is_weight_used || is_bias_used);
            if (module.delta.is_some() && !is_weight_used) || (module.bias.is_some() && !is_bias_used) {
                unmatched.push(module.stem.clone());
            }
        }
        unmatched.sort();
        let info = AdapterInfo::of(&self.modules);
        AdapterReport { path: self.path.clone(), n_modules: info.n_modules, info, n_applied, unmatched }
    }
}

/// How many modules of the model share one of the file.
fn n_parts(third: Option<usize>) -> usize {
    if third.is_some() { 3 } else { 1 }
}

/// The n-th third of a tensor's rows, or all of it.
fn part_of(values: &Tensor, third: Option<usize>, n_rows: usize) -> candle_core::Result<Tensor> {
    third.map_or(Ok(values.clone()), |third| values.narrow(0, third * n_rows, n_rows)?.contiguous())
}

/// The names under which a file may hold the changes of a module (diffusers' or transformers' name), with underscores for dots.
pub fn key_names(part: Part, module: &str, layout: &UnetLayout) -> Vec<String> {
    keys::with_prefixes(part, module, layout)
}

/// The network that a tensor of an adapter's file changes, as far as its name tells.
pub(super) fn network_of(name: &str) -> Option<Part> {
    Place::of(name).part()
}
