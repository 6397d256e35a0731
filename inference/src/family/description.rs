//! What a catalogue says of a model beside its [`Rules`](super::Rules).

use crate::{checkpoint, text::PromptMeasure};

/// What a model is, from its configuration and the headers of its files alone.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    /// The models that share its networks' shapes.
    pub(crate) family: checkpoint::Family,
    /// Numbers in the weights of its text encoders.
    pub(crate) n_text: u64,
    /// Numbers in the weights of its denoiser.
    pub(crate) n_denoiser: u64,
    /// Numbers of the denoiser's widest layer for each latent.
    pub(crate) width: u64,
    /// How long its prompts are.
    pub(crate) prompts: PromptMeasure,
}
