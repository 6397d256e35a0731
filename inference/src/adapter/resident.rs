//! An adapter in memory, for one model.

use std::{collections::HashMap, fmt, path::Path, sync::Arc};

use candle_core::{DType, Device, Tensor};

use super::{
    AdapterError, AdapterReport,
    base::Base,
    delta::{Delta, Pair, flat},
    file::{AdapterFile, Amount, part_of},
    keys::{self, Name},
    module::Module,
    roles::Entry,
};
use crate::{
    checkpoint::{Layer, Part},
    error::InferenceError,
    ops::{Branch, LayerKind, LayerName},
};

/// An adapter's file, read for one model. What it changes by products of two matrices (LoRA, LoCon) is in memory, in the model's precision, and stands
/// beside the weights of whichever rows want it, at any weight. Of other changes it knows where they are: sets of adapters make layers of them.
pub struct Adapter {
    pub(super) file: AdapterFile,
    pub(super) base: Arc<Base>,
    changes: HashMap<Part, HashMap<LayerName, LayerChange>>,
    report: AdapterReport,
    device: Device,
    dtype: DType,
    n_bytes: usize,
}

/// What the file changes of one layer.
#[derive(Default)]
pub(super) struct LayerChange {
    pub(super) weight: Option<Found>,
    pub(super) bias: Option<Found>,
}

/// Where the change of a tensor is.
pub(super) struct Found {
    /// The file's name of the module.
    stem: String,
    third: Option<usize>,
    /// What it was multiplied by in training.
    pub(super) scale: f64,
    /// The change, if it is of low rank.
    pub(super) branch: Option<Arc<Branch>>,
}

impl Adapter {
    /// Reads a file for the model, to be used on `device` in `dtype`.
    ///
    /// # Errors
    /// It cannot be read, is no adapter, holds tensors that do not belong together or are no numbers, does not fit the model, or nothing of it belongs
    /// to the model.
    pub fn load(path: &Path, base: &Arc<Base>, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        Self::read(path, base, (device, dtype), true)
    }

    /// Looks whether a file can be read and fits the model, as far as headers tell.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn check(path: &Path, base: &Arc<Base>) -> Result<(), InferenceError> {
        Self::read(path, base, (&Device::Cpu, DType::F32), false).map(drop)
    }

    fn read(path: &Path, base: &Arc<Base>, (device, dtype): (&Device, DType), has_numbers: bool) -> Result<Self, InferenceError> {
        let file = AdapterFile::open(path)?;
        let mut reader = Reader { file: &file, device, dtype, has_numbers, downs: HashMap::new(), n_bytes: 0 };
        let mut changes: HashMap<Part, HashMap<LayerName, LayerChange>> = HashMap::new();
        for network in &base.networks {
            let of_part = changes.entry(network.part).or_default();
            for layer in &network.layers {
                let names = keys::names(network.part, &layer.name, base.layout.as_ref());
                let change = reader.layer(network.part, layer, &names)?;
                if change.weight.is_some() || change.bias.is_some() {
                    of_part.insert(layer.name.clone(), change);
                }
            }
        }
        let n_bytes = reader.n_bytes;
        file.check_sizes()?;
        let report = file.report();
        if report.n_applied == 0 {
            let AdapterReport { path, n_modules, info, .. } = report;
            return Err(AdapterError::NothingMatches { path, n_modules, made_for: info.family }.into());
        }
        Ok(Self { file, base: base.clone(), changes, report, device: device.clone(), dtype, n_bytes })
    }

    /// The memory that it takes: numbers of its products in the model's precision.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// What became of its file.
    pub fn report(&self) -> &AdapterReport {
        &self.report
    }

    /// Whether sets of it need no layer of their own: all its changes are of low rank.
    pub fn is_live(&self) -> bool {
        let is_live = |change: &LayerChange| change.bias.is_none() && change.weight.as_ref().is_none_or(|found| found.branch.is_some());
        self.changes.values().flat_map(HashMap::values).all(is_live)
    }

    pub(super) fn change(&self, part: Part, layer: &str) -> Option<&LayerChange> {
        self.changes.get(&part)?.get(layer)
    }

    /// A weight before all adapters and after those before this one, with `weight` times the change.
    pub(super) fn change_weight(&self, found: &Found, weight: f64, base_and_current: (&Tensor, &Tensor)) -> Result<Tensor, InferenceError> {
        let amount = Amount { scale: found.scale, weight };
        self.file.change_weight(self.file.module(&found.stem)?, found.third, amount, base_and_current)
    }

    /// The same for a bias.
    pub(super) fn change_bias(&self, found: &Found, weight: f64, current: &Tensor) -> Result<Tensor, InferenceError> {
        let amount = Amount { scale: found.scale, weight };
        self.file.change_bias(self.file.module(&found.stem)?, found.third, amount, current)
    }

    /// A tensor on the adapter's device, in its precision.
    pub(super) fn adopt(&self, tensor: &Tensor) -> candle_core::Result<Tensor> {
        tensor.to_dtype(self.dtype)?.to_device(&self.device)
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Adapter").field("path", &self.file.path).field("n_bytes", &self.n_bytes).finish_non_exhaustive()
    }
}

struct Reader<'a> {
    file: &'a AdapterFile,
    device: &'a Device,
    dtype: DType,
    /// Whether more than headers is read.
    has_numbers: bool,
    /// Matrices that several layers share: queries, keys and values in one.
    downs: HashMap<String, Tensor>,
    n_bytes: usize,
}

impl Reader<'_> {
    fn layer(&mut self, part: Part, layer: &Layer, names: &[Name]) -> Result<LayerChange, InferenceError> {
        let file = self.file;
        let found = |(module, third): (&Module, Option<usize>), branch| -> Result<Found, InferenceError> {
            Ok(Found { stem: module.stem.clone(), third, scale: file.scale(module, part, &layer.name)?, branch })
        };
        let mut change = LayerChange::default();
        if let Some((module, third)) = file.find(part, names, ("weight", &layer.weight))
            && file.changes_weight(module, third, &layer.weight)?
        {
            change.weight = Some(found((module, third), self.branch(module, third, layer)?)?);
        }
        if let Some(n) = layer.bias
            && let Some((module, third)) = file.find(part, names, ("bias", &[n]))
            && file.changes_bias(module, third, n)?
        {
            change.bias = Some(found((module, third), None)?);
        }
        Ok(change)
    }

    /// The change of a linear layer's or a convolution's weight, if it is of low rank and nothing else.
    fn branch(&mut self, module: &Module, third: Option<usize>, layer: &Layer) -> Result<Option<Arc<Branch>>, InferenceError> {
        let (Some(Delta::Product(Pair { rows, columns, core, .. })), None) = (&module.delta, &module.magnitude) else { return Ok(None) };
        let [out, rest @ ..] = &layer.weight[..] else { return Ok(None) };
        if layer.kind == LayerKind::Plain || !self.has_numbers {
            return Ok(None);
        }
        let up = self.file.read(rows)?.reshape(flat(&rows.shape))?;
        let up = self.adopt(&part_of(&up, third, *out)?)?;
        let branch = match core {
            None => Branch::new(up, self.down(columns, &[&[flat(&columns.shape).0], rest].concat())?),
            Some(core) if layer.kind == LayerKind::Conv2d && core.shape.len() == 4 && core.shape[2..] == rest[1..] => {
                let (n, inputs) = flat(&columns.shape);
                Branch::with_core(up, self.down(core, &core.shape)?, self.down(columns, &[n, inputs])?)
            }
            Some(_) => return Ok(None),
        };
        Ok(Some(Arc::new(branch)))
    }

    fn down(&mut self, entry: &Entry, shape: &[usize]) -> Result<Tensor, InferenceError> {
        if let Some(known) = self.downs.get(&entry.name) {
            return Ok(known.reshape(shape)?);
        }
        let values = self.file.read(entry)?;
        let down = self.adopt(&values.reshape(shape)?)?;
        self.downs.insert(entry.name.clone(), down.clone());
        Ok(down)
    }

    fn adopt(&mut self, tensor: &Tensor) -> Result<Tensor, InferenceError> {
        let adopted = tensor.to_dtype(self.dtype)?.to_device(self.device)?;
        self.n_bytes += adopted.elem_count() * adopted.dtype().size_in_bytes();
        Ok(adopted)
    }
}
