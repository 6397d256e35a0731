//! What the text encoders are asked about a prompt before it is encoded.

use super::{
    Caller,
    queue::{Answer, Work},
};
use crate::{error::InferenceError, text::WordPlace};

impl Caller {
    /// How long a prompt is, in the family's own unit.
    pub(crate) async fn length(&self, prompt: &str) -> Result<usize, InferenceError> {
        if let Some(text) = self.parts.text.get() {
            return text.length(prompt);
        }
        let work = Work::Length { text: self.parts.text.clone(), prompt: prompt.to_owned() };
        match self.call(work, 0.0, usize::MAX).await? {
            Answer::Length(length) => Ok(length),
            _ => Err(InferenceError::Internal { what: "a length was answered with something else" }),
        }
    }

    /// Where a prompt's words stand in what the denoiser looks at.
    pub(crate) async fn words(&self, prompt: &str) -> Result<Vec<WordPlace>, InferenceError> {
        if let Some(text) = self.parts.text.get() {
            return text.words(prompt);
        }
        let work = Work::Words { text: self.parts.text.clone(), prompt: prompt.to_owned() };
        match self.call(work, 0.0, usize::MAX).await? {
            Answer::Words(words) => Ok(words),
            _ => Err(InferenceError::Internal { what: "words were answered with something else" }),
        }
    }
}
