//! Changes to weights as they are read: how adapters (LoRA and its kin) reach a network without a second copy of it.

use candle_core::Tensor;

use super::Part;
use crate::error::InferenceError;

/// Changes the weights of a network while they are read.
pub trait Patch: Send + Sync {
    /// Tensor `name` of `part` (diffusers' name, such as `down_blocks.0.attentions.0.proj_in.weight`) from its `values`, float32 on the processor.
    ///
    /// # Errors
    /// The change does not fit the values' shape.
    fn apply(&self, part: Part, name: &str, values: Tensor) -> Result<Tensor, InferenceError>;
}
