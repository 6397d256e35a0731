//! An adapter's file: which modules of a model it changes, and what it makes of their weights.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use candle_core::{DType, Device, Tensor};

use super::{
    AdapterError, AdapterInfo, AdapterReport,
    delta::Delta,
    header::Header,
    keys::{Certainty, Name, Places},
    magnitude::{Axis, Change},
    module::{Bias, Magnitude, Module, modules},
    roles::Entry,
    settings::Settings,
};
use crate::{
    checkpoint::{Part, Weights},
    error::InferenceError,
};

/// What a module's difference is multiplied by.
#[derive(Clone, Copy)]
pub(super) struct Amount {
    /// In training: alpha / rank, or 1.
    pub(super) scale: f64,
    /// Now: the adapter's weight.
    pub(super) weight: f64,
}

/// The file of an adapter: what it changes, and how.
pub(super) struct AdapterFile {
    pub(super) path: PathBuf,
    pub(super) weights: Weights,
    modules: HashMap<String, Module>,
    places: Places,
    unknown: Vec<String>,
    alphas: HashMap<String, Option<f64>>,
    settings: HashMap<Part, Settings>,
}

impl AdapterFile {
    /// Opens a file; its numbers are read when they are needed.
    ///
    /// # Errors
    /// It cannot be read, is no adapter, or holds tensors that do not belong together.
    pub(super) fn open(path: &Path) -> Result<Self, InferenceError> {
        let header = Header::read(path)?;
        let (modules, unknown) = modules(path, &header.shapes)?;
        let parts = [Part::Unet, Part::Transformer, Part::TextEncoder, Part::TextEncoder2];
        let settings = parts.into_iter().filter_map(|part| Some((part, Settings::read(path, &header, part)?))).collect();
        let weights = Weights::open(&[path.to_owned()], &Device::Cpu, DType::F32)?;
        let places = Places::new(modules.keys());
        Ok(Self { path: path.to_owned(), weights, modules, places, unknown, alphas: header.alphas, settings })
    }

    /// What changes a weight or bias of this shape of a module with these names.
    pub(super) fn find(&self, part: Part, names: &[Name], (kind, shape): (&str, &[usize])) -> Option<(&Module, Option<usize>)> {
        self.places.find(part, names).into_iter().find_map(|(stem, third, certainty)| {
            let module = self.modules.get(stem)?;
            let is_meant = certainty == Certainty::Certain || module.belongs_to(part, kind, shape, n_parts(third));
            is_meant.then_some((module, third))
        })
    }

    /// A module by the file's name.
    pub(super) fn module(&self, stem: &str) -> Result<&Module, InferenceError> {
        self.modules.get(stem).ok_or(InferenceError::Internal { what: "a module of an adapter is gone" })
    }

    /// A module that may be for several networks, and is too large or too small for all of them, was made for another model.
    pub(super) fn check_sizes(&self) -> Result<(), InferenceError> {
        let mut modules: Vec<_> = self.modules.values().filter(|module| module.owner.get().is_none()).collect();
        modules.sort_by_key(|module| &module.stem);
        match modules.into_iter().find_map(|module| Some((module, module.misfit.get()?))) {
            Some((module, (adapter, model))) => Err(self.wrong_shape(module, adapter.clone(), model)),
            None => Ok(()),
        }
    }

    /// A tensor of the file, float32.
    pub(super) fn read(&self, entry: &Entry) -> Result<Tensor, InferenceError> {
        self.weights.tensor(&entry.name, &entry.shape)
    }

    /// What a module's difference was multiplied by in training: alpha / rank, or 1.
    pub(super) fn scale(&self, module: &Module, part: Part, name: &str) -> Result<f64, InferenceError> {
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

    /// Whether the module changes a weight of this shape, which it must fit.
    pub(super) fn changes_weight(&self, module: &Module, third: Option<usize>, shape: &[usize]) -> Result<bool, InferenceError> {
        let Some(delta) = &module.delta else { return Ok(false) };
        let (n_rows, size) = (shape.first().copied().unwrap_or(1), shape.iter().product::<usize>());
        let (rows, columns) = delta.size();
        let n_parts = n_parts(third);
        if rows != n_rows * n_parts || rows.saturating_mul(columns) != size * n_parts {
            return Err(self.wrong_shape(module, vec![rows, columns], shape));
        }
        if let Some(magnitude) = &module.magnitude {
            self.axis(module, magnitude, third, shape)?;
        }
        module.is_weight_used.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// Whether a module's lengths are those of rows or of columns.
    fn axis(&self, module: &Module, magnitude: &Magnitude, third: Option<usize>, shape: &[usize]) -> Result<Axis, InferenceError> {
        let (Magnitude::Peft(entry) | Magnitude::Lycoris(entry)) = magnitude;
        let (n_rows, n_parts) = (shape.first().copied().unwrap_or(1), n_parts(third));
        let is_for_columns = matches!(magnitude, Magnitude::Lycoris(_)) && shape.len() > 1 && entry.shape.get(1) == Some(&shape[1]);
        let n = entry.shape.iter().product::<usize>();
        if n == n_rows * n_parts && (n_parts == 3 || !is_for_columns || entry.shape[0] == n) {
            Ok(Axis::Rows)
        } else if is_for_columns && n == shape[1] {
            Ok(Axis::Columns)
        } else {
            Err(self.wrong_shape(module, entry.shape.clone(), shape))
        }
    }

    /// A weight before all adapters and after those before this one, changed by a module that fits it.
    pub(super) fn change_weight(
        &self,
        module: &Module,
        third: Option<usize>,
        Amount { scale, weight }: Amount,
        (base, current): (&Tensor, &Tensor),
    ) -> Result<Tensor, InferenceError> {
        let Some(delta) = &module.delta else { return Ok(current.clone()) };
        let shape = base.dims();
        let n_rows = shape.first().copied().unwrap_or(1);
        let values = delta.values(&|entry| self.read(entry))?;
        let delta = (part_of(&values, third, n_rows)?.reshape(shape)? * scale)?;
        let change = Change { base, current, delta: &delta, weight };
        let Some(magnitude) = &module.magnitude else { return Ok((current + (&delta * weight)?)?) };
        let (Magnitude::Peft(entry) | Magnitude::Lycoris(entry)) = magnitude;
        let axis = self.axis(module, magnitude, third, shape)?;
        let lengths = self.read(entry)?.flatten_all()?;
        let lengths = if let Axis::Rows = axis { part_of(&lengths, third, n_rows)? } else { lengths };
        Ok(match magnitude {
            Magnitude::Peft(_) => change.peft(&lengths)?,
            Magnitude::Lycoris(_) => change.lycoris(&lengths, axis)?,
        })
    }

    /// Whether the module changes a bias of so many numbers, which it must fit.
    pub(super) fn changes_bias(&self, module: &Module, third: Option<usize>, n: usize) -> Result<bool, InferenceError> {
        let Some(Bias::Difference(entry) | Bias::OfProduct(entry)) = &module.bias else { return Ok(false) };
        if entry.shape.iter().product::<usize>() != n * n_parts(third) {
            return Err(self.wrong_shape(module, entry.shape.clone(), &[n]));
        }
        module.is_bias_used.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// A bias changed by a module that fits it.
    pub(super) fn change_bias(
        &self,
        module: &Module,
        third: Option<usize>,
        amount: Amount,
        current: &Tensor,
    ) -> Result<Tensor, InferenceError> {
        let (entry, scale) = match &module.bias {
            None => return Ok(current.clone()),
            Some(Bias::Difference(entry)) => (entry, 1.0),
            Some(Bias::OfProduct(entry)) => (entry, amount.scale),
        };
        let delta = part_of(&self.read(entry)?.flatten_all()?, third, current.elem_count())?.reshape(current.shape())?;
        Ok((current + (delta * (scale * amount.weight))?)?)
    }

    fn wrong_shape(&self, module: &Module, adapter: Vec<usize>, model: &[usize]) -> InferenceError {
        let made_for = AdapterInfo::of(&self.modules).family;
        let (path, module) = (self.path.clone(), module.stem.clone());
        AdapterError::Shape { path, module, adapter, model: model.to_vec(), made_for }.into()
    }

    /// What became of it.
    pub(super) fn report(&self) -> AdapterReport {
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
pub(super) fn part_of(values: &Tensor, third: Option<usize>, n_rows: usize) -> candle_core::Result<Tensor> {
    third.map_or(Ok(values.clone()), |third| values.narrow(0, third * n_rows, n_rows)?.contiguous())
}
