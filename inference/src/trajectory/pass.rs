//! A pass over the steps, and the prompts that its steps need.

use std::{cell::Cell, rc::Rc};

use super::Job;
use crate::{
    batcher::{Caller, Prompt},
    catalogue::limits::Chunks,
    engine::Progress,
    error::InferenceError,
    family::{PromptRequest, Told},
    sampler::Plan,
    state::PassKind,
    task::{Hires, ImageSize, SkippedFor, TextToImage},
};

/// What all pictures of a drawing task share on one pass over the steps.
pub(super) struct Pass {
    pub(super) kind: PassKind,
    pub(super) size: ImageSize,
    pub(super) plan: Plan,
    /// `None` while no picture has steps to make.
    pub(super) prompts: Option<Prompts>,
}

/// A pass's prompts, encoded.
pub(super) struct Prompts {
    /// `None` without guidance.
    pub(super) negative: Option<Rc<Prompt>>,
    pub(super) positive: Rc<Prompt>,
}

/// Steps done and to do, all pictures and passes together.
pub(super) struct Steps {
    pub(super) done: Cell<u32>,
    /// Without those that are left out.
    pub(super) total: Cell<u32>,
}

impl Steps {
    pub(super) fn progress(&self) -> Progress {
        Progress { done: self.done.get(), total: self.total.get() }
    }
}

impl Pass {
    /// Steps from the plan's start to its end.
    pub(super) fn n_steps(&self) -> u32 {
        self.n_done(self.plan.n_steps())
    }

    /// Steps of the pass that are done at a step of the plan.
    pub(super) fn n_done(&self, step: usize) -> u32 {
        (step - self.plan.start) as u32
    }
}

impl Job {
    /// The passes of a drawing task, without prompts.
    pub(super) fn passes(&self, base: &TextToImage) -> (Pass, Option<(Hires, Pass)>) {
        let limits = &self.facts.limits;
        let pass = |kind, size, plan| Pass { kind, size, plan, prompts: None };
        let first = pass(PassKind::First, base.size, limits.plan(self.task(), base));
        let second = |hires| (hires, pass(PassKind::Second, limits.hires_size(base, hires), limits.hires_plan(base, hires)));
        (first, base.hires.map(second))
    }

    /// The prompts of a pass at a size, encoded.
    pub(super) async fn prompts(&self, caller: &Caller, base: &TextToImage, size: ImageSize) -> Result<Prompts, InferenceError> {
        let limits = &self.facts.limits;
        let is_guided = limits.is_guided(base);
        let chunks = {
            let negative = base.negative_prompt.as_deref().filter(|_| is_guided).unwrap_or_default();
            Chunks { prompt: caller.length(&base.prompt).await?, negative: caller.length(negative).await? }
        };
        let request = |text: Option<&str>, is_negative: bool| PromptRequest {
            text: text.map(str::to_owned),
            clip_skip: if is_negative && base.clip_skip_of == SkippedFor::Prompt { 0 } else { base.clip_skip },
            length: chunks.longest(),
            adapters: self.adapters.clone(),
        };
        let told = |is_negative: bool| Told { size, is_negative, guidance_scale: base.guidance_scale, adapters: self.adapters.clone() };
        let wanted = request(Some(&base.prompt), false);
        let unwanted = is_guided.then(|| match &base.negative_prompt {
            None if limits.rules.zeroes_empty_negative => request(None, true),
            negative => request(Some(negative.as_deref().unwrap_or_default()), true),
        });
        let positive = caller.prompt(wanted.clone(), told(false));
        let (positive, negative) = match unwanted {
            None => (Rc::new(positive.await?), None),
            Some(unwanted) if unwanted == wanted && !limits.rules.tells_negative_apart => {
                let prompt = Rc::new(positive.await?);
                (prompt.clone(), Some(prompt))
            }
            Some(unwanted) => {
                let (positive, negative) = futures::try_join!(positive, caller.prompt(unwanted, told(true)))?;
                (Rc::new(positive), Some(Rc::new(negative)))
            }
        };
        self.meter.add(chunks.encoding(limits.rules.prices));
        Ok(Prompts { negative, positive })
    }
}
