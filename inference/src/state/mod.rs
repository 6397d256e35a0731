//! A picture on its way, as data: saved at a border between two steps, and gone on with later, elsewhere, or more than once.
//!
//! A state says what it belongs to (engine, model, task, device), and goes on only where every number would come out as it would have without the
//! interruption. What can be computed again from the task is not in it: prompts, plans, and what inpainting keeps of its source, for which a
//! fresh generator of the same seed draws the same noise as at the beginning.

mod bytes;
mod device_class;
mod digest;
mod error;
mod files;
mod fingerprint;
#[cfg(test)]
mod tests;

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

pub use self::{
    device_class::{DeviceClass, DeviceKind, NUMBERS},
    error::StateError,
};
pub(crate) use self::{files::Files, fingerprint::of_task};
use crate::{host, noise::GeneratorState, task::Seed};

/// Everything that a picture needs at a border between two steps, besides its task.
#[derive(Clone, Debug, PartialEq)]
pub struct TrajectoryState {
    /// Which picture of its task.
    pub index: u32,
    /// The picture's own seed.
    pub seed: Seed,
    /// The pass that it is in.
    pub pass: PassKind,
    /// Steps of the pass's plan that are done, those that its strength leaves out too. A first pass with all of its steps done is the border
    /// between two passes.
    pub step: u32,
    /// Latents in the sampler's space.
    pub latents: SavedTensor,
    /// What the sampler remembers of earlier steps, oldest first.
    pub history: Vec<SavedTensor>,
    /// Where the picture's noise goes on.
    pub generator: GeneratorState,
    /// What it belongs to.
    pub belongs_to: BelongsTo,
}

impl TrajectoryState {
    /// Where the picture is on its way.
    pub fn place(&self) -> Place {
        Place { pass: self.pass, step: self.step }
    }
}

/// A border between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The pass.
    pub pass: PassKind,
    /// Steps of the pass's plan that are done, see [`TrajectoryState::step`].
    pub step: u32,
}

/// A pass over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassKind {
    /// The only one, or the first of two.
    First,
    /// The second, over the enlarged picture.
    Second,
}

/// What a state belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BelongsTo {
    /// SHA-256 in hex of the task as it is for each of its pictures, with the pixels that it starts from.
    pub task: String,
    /// SHA-256 in hex over samples of the model's files: its weights and settings, adapters, learned words.
    pub model: String,
    /// Where the numbers were computed.
    pub device: DeviceClass,
}

/// Numbers of a tensor in main memory, row by row.
#[derive(Clone, PartialEq)]
pub struct SavedTensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl SavedTensor {
    /// A copy of a tensor's numbers; on a GPU this waits for them.
    pub(crate) fn of(tensor: &Tensor) -> candle_core::Result<Self> {
        if tensor.dtype() != DType::F32 {
            candle_core::bail!("latents and what samplers remember are float32, not {:?}", tensor.dtype());
        }
        Ok(Self { shape: tensor.dims().to_vec(), values: host::floats(tensor)? })
    }

    /// The tensor on a device.
    pub(crate) fn on(&self, device: &Device) -> candle_core::Result<Tensor> {
        Tensor::from_vec(self.values.clone(), self.shape.as_slice(), device)
    }

    /// `[1, c, h, w]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

impl std::fmt::Debug for SavedTensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SavedTensor").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// Refuses a state that belongs to something else.
///
/// # Errors
/// What differs.
pub(crate) fn check(found: &BelongsTo, here: &BelongsTo) -> Result<(), StateError> {
    if found.device.numbers != here.device.numbers {
        return Err(StateError::Numbers { found: found.device.numbers, here: here.device.numbers });
    }
    if found.device != here.device {
        return Err(StateError::Device { found: Box::new(found.device.clone()), here: Box::new(here.device.clone()) });
    }
    if found.model != here.model {
        return Err(StateError::Model);
    }
    if found.task == here.task { Ok(()) } else { Err(StateError::Task) }
}
