//! One batch through its part of a model.

use std::sync::Arc;

use candle_core::{DType, Tensor};

use super::queue::{Answer, Call, Work};
use crate::{
    error::InferenceError,
    family::{Conditioning, PromptRequest, Told},
    host,
    part::Slot,
};

/// What the rows of a batch became.
pub(super) struct Answers {
    pub(super) rows: Vec<Answer>,
    /// `[n]`: the sum over each row of a denoiser's answer, still on the device.
    pub(super) sums: Option<Tensor>,
}

/// One batch through its part. Every row has the part, the kind and the shape of the first, so what is no row of it is a fault and not left out.
pub(super) fn compute(batch: &[Call]) -> Result<Answers, InferenceError> {
    let answer = match &batch[0].work {
        Work::Prompt { text, .. } => {
            let text = held(text)?;
            let encode = |request: &PromptRequest| Ok(Answer::Conditioning(Arc::new(text.encode(request)?)));
            let requests = each(batch, |work| if let Work::Prompt { request, .. } = work { Some(request) } else { None })?;
            return Answers::of(requests.into_iter().map(encode));
        }
        Work::Length { text, .. } => {
            let text = held(text)?;
            let prompts = each(batch, |work| if let Work::Length { prompt, .. } = work { Some(prompt) } else { None })?;
            return Answers::of(prompts.into_iter().map(|prompt| text.length(prompt).map(Answer::Length)));
        }
        Work::Words { text, .. } => {
            let text = held(text)?;
            let prompts = each(batch, |work| if let Work::Words { prompt, .. } = work { Some(prompt) } else { None })?;
            return Answers::of(prompts.into_iter().map(|prompt| text.words(prompt).map(Answer::Words)));
        }
        Work::Prepare { denoiser, .. } => {
            let denoiser = held(denoiser)?;
            let prepare =
                |(conditioning, told): (&Arc<Conditioning>, &Told)| Ok(Answer::Prepared(Arc::new(denoiser.prepare(conditioning, told)?)));
            let pairs =
                each(batch, |work| if let Work::Prepare { conditioning, told, .. } = work { Some((conditioning, told)) } else { None })?;
            return Answers::of(pairs.into_iter().map(prepare));
        }
        Work::Predict { denoiser, .. } => {
            held(denoiser)?.predict(&each(batch, |work| if let Work::Predict { row, .. } = work { Some(row) } else { None })?)?
        }
        Work::Read { .. } => {
            let numbers = host::floats(&stacked(batch)?)?;
            let n = (numbers.len() / batch.len()).max(1);
            return Answers::of(numbers.chunks(n).map(|row| Ok(Answer::Floats(row.to_vec()))));
        }
        Work::Encode { vae, padding, .. } => {
            let (mean, deviation) = held(vae)?.encode(&stacked(batch)?, *padding)?;
            Tensor::cat(&[mean, deviation], 1)?
        }
        Work::Decode { vae, padding, .. } => held(vae)?.decode(&stacked(batch)?, *padding)?,
        Work::Upscale { upscaler, .. } => held(upscaler)?.upscale(&stacked(batch)?)?.to_dtype(DType::F32)?,
    };
    if answer.dim(0)? != batch.len() {
        return Err(InferenceError::Internal { what: "a network answered another number of rows than it was given" });
    }
    let sums = matches!(batch[0].work, Work::Predict { .. }).then(|| answer.flatten_from(1)?.sum(1)).transpose()?;
    let rows = (0..batch.len()).map(|row| Ok(Answer::Tensor(answer.narrow(0, row, 1)?)));
    Ok(Answers { sums, ..Answers::of(rows)? })
}

impl Answers {
    fn of(rows: impl Iterator<Item = Result<Answer, InferenceError>>) -> Result<Self, InferenceError> {
        Ok(Self { rows: rows.collect::<Result<_, _>>()?, sums: None })
    }
}

/// The part in a place; a batch is only made of calls whose part is there.
fn held<T>(slot: &Slot<T>) -> Result<Arc<T>, InferenceError> {
    slot.get().ok_or(InferenceError::Internal { what: "a part of a model left before its batch" })
}

/// What each call of a batch brings.
fn each<'a, T>(batch: &'a [Call], brings: impl Fn(&'a Work) -> Option<T>) -> Result<Vec<T>, InferenceError> {
    let all = batch.iter().map(|call| brings(&call.work)).collect::<Option<Vec<T>>>();
    all.ok_or(InferenceError::Internal { what: "a batch of several kinds" })
}

/// The pictures or latents of a batch as one tensor.
fn stacked(batch: &[Call]) -> Result<Tensor, InferenceError> {
    let tensors = each(batch, Work::tensor)?;
    Ok(if let [one] = tensors[..] { one.clone() } else { Tensor::cat(&tensors, 0)? })
}
