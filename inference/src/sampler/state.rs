//! One picture between two steps.

use candle_core::Tensor;

use crate::{error::InferenceError, noise::TorchGenerator};

/// One picture at a step border: everything that the next step needs besides the plan.
#[derive(Clone, Debug)]
pub(crate) struct SamplerState {
    /// Steps done, counted from the plan's first.
    pub(crate) step: usize,
    /// Latents `[1, c, h, w]` in the sampler's space, `f32`.
    pub(crate) latents: Tensor,
    /// What a multistep solver remembers, oldest first; at most five tensors.
    pub(crate) history: Vec<Tensor>,
    /// Where the picture's noise goes on.
    pub(crate) noise: TorchGenerator,
}

/// What a step gives.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The state after it.
    pub(crate) state: SamplerState,
    /// The estimate of the clean latents that it was made with.
    pub(crate) denoised: Tensor,
}

impl SamplerState {
    /// Fresh unit noise of the latents' shape.
    pub(super) fn draw(&mut self) -> Result<Tensor, InferenceError> {
        let shape = self.latents.shape().clone();
        let noise = Tensor::from_vec(self.noise.randn(shape.elem_count()), shape, self.latents.device())?;
        Ok(noise.to_dtype(self.latents.dtype())?)
    }

    /// The state after a step without memory.
    pub(super) fn advance(self, latents: Tensor, denoised: Tensor) -> Step {
        Step { state: Self { step: self.step + 1, latents, ..self }, denoised }
    }

    /// The state after a step that leaves this behind.
    pub(super) fn advance_with(self, latents: Tensor, history: Vec<Tensor>, denoised: Tensor) -> Step {
        Step { state: Self { step: self.step + 1, latents, history, noise: self.noise }, denoised }
    }
}
