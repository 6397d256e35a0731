//! Adapters merged into weights as these are read.

use std::path::PathBuf;

use candle_core::Tensor;

use super::{
    AdapterError, AdapterReport, AdapterWeights,
    file::{AdapterFile, Amount},
    keys,
};
use crate::{
    checkpoint::{Part, Patch, names::UnetLayout},
    error::InferenceError,
};

/// Adapters that change the weights of a model, in the order in which they are applied.
///
/// The weight of each scales its change: 1.0 is the change as it was trained. Several add up. DoRA alone is different:
/// files with PEFT's `lora_magnitude_vector` follow PEFT's rule, those with LyCORIS' `dora_scale` ComfyUI's (`magnitude.rs`).
pub struct Adapters {
    files: Vec<(AdapterFile, AdapterWeights)>,
    layout: UnetLayout,
}

impl Adapters {
    /// Opens files, each with its weight, one number or one for each network. Their numbers are read when they are needed.
    ///
    /// # Errors
    /// A file cannot be read, is no adapter, or holds tensors that do not belong together.
    pub fn open<W: Into<AdapterWeights> + Copy>(files: &[(PathBuf, W)], layout: &UnetLayout) -> Result<Self, InferenceError> {
        let files =
            files.iter().map(|(path, weight)| Ok((AdapterFile::open(path)?, (*weight).into()))).collect::<Result<_, InferenceError>>()?;
        Ok(Self { files, layout: layout.clone() })
    }

    /// What became of each file; complete once all of the model's networks are loaded.
    pub fn report(&self) -> Vec<AdapterReport> {
        self.files.iter().map(|(file, _)| file.report()).collect()
    }

    /// What a person should know after all of the model's networks are loaded: a sentence for each file of which only a part was used.
    ///
    /// # Errors
    /// Nothing of a file belongs to the model.
    pub fn check(&self) -> Result<Vec<String>, InferenceError> {
        let mut warnings = Vec::new();
        for (file, _) in &self.files {
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

impl Patch for Adapters {
    fn apply(&self, part: Part, name: &str, values: Tensor) -> Result<Tensor, InferenceError> {
        let Some((module, kind @ ("weight" | "bias"))) = name.rsplit_once('.') else { return Ok(values) };
        let names = keys::names(part, module, &self.layout);
        let mut current = values.clone();
        for (file, weights) in &self.files {
            let Some((found, third)) = file.find(part, &names, (kind, values.dims())) else { continue };
            let amount = Amount { scale: file.scale(found, part, module)?, weight: weights.of(part) };
            let changed = match kind {
                "weight" if file.changes_weight(found, third, values.dims())? => {
                    file.change_weight(found, third, amount, (&values, &current))?
                }
                "bias" if file.changes_bias(found, third, values.elem_count())? => file.change_bias(found, third, amount, &current)?,
                _ => continue,
            };
            // DoRA gives rows new lengths also where nothing is added.
            if amount.weight != 0.0 {
                current = changed;
            }
        }
        Ok(current)
    }
}
