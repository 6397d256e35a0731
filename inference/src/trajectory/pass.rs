//! A pass over the steps, and the prompts that its steps need.

use std::{cell::Cell, rc::Rc};

use futures::future::try_join_all;

use super::{Job, looking::LOOKED_AT};
use crate::{
    batcher::{Caller, Prompt},
    catalogue::limits::Chunks,
    engine::Progress,
    error::InferenceError,
    family::{AttentionMaps, Drift, PromptRequest, Told},
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
    negative: Option<Rc<Prompt>>,
    /// In its place for pictures of a study without the negative prompt.
    unsaid: Option<Rc<Prompt>>,
    /// One for all pictures, or one for each with its index.
    positive: Vec<(u32, Rc<Prompt>)>,
}

impl Prompts {
    /// The negative prompt of a picture; `None` without guidance.
    pub(super) fn negative_of(&self, base: &TextToImage, index: u32) -> Option<&Prompt> {
        let unsaid = self.unsaid.as_deref().filter(|_| base.way(index).is_some_and(|way| !way.has_negative));
        unsaid.or(self.negative.as_deref())
    }

    /// The prompt as a picture reads it.
    pub(super) fn of(&self, index: u32) -> Result<&Prompt, InferenceError> {
        let own = self.positive.iter().find(|(of, _)| *of == index).or(self.positive.first());
        own.map(|(_, prompt)| &**prompt).ok_or(InferenceError::Internal { what: "a picture was begun without its prompt" })
    }
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

    /// The prompts of a pass at a size, encoded for these pictures.
    /// `maps` note what the network looks at of the first picture's.
    pub(super) async fn prompts(
        &self,
        caller: &Caller,
        base: &TextToImage,
        at: (ImageSize, &[u32]),
        maps: Option<&Rc<AttentionMaps>>,
    ) -> Result<Prompts, InferenceError> {
        let (size, indices) = at;
        let limits = &self.facts.limits;
        let is_guided = limits.is_guided(base);
        let chunks = {
            let negative = base.negative_prompt.as_deref().filter(|_| is_guided).unwrap_or_default();
            let mut texts = Vec::new();
            for text in base.texts() {
                texts.push(caller.length(text).await?);
            }
            Chunks::of(&texts, caller.length(negative).await?)
        };
        let request = |text: Option<&str>, is_negative: bool| PromptRequest {
            text: text.map(str::to_owned),
            has_parts: base.has_parts && !is_negative,
            clip_skip: if is_negative && base.clip_skip_of == SkippedFor::Prompt { 0 } else { base.clip_skip },
            length: chunks.longest(),
            adapters: self.adapters.clone(),
        };
        let told = |is_negative: bool, guidance_scale: f64, drifts: Vec<Drift>| {
            let adapters = self.adapters.clone();
            Told { size, is_negative, guidance_scale, adapters, drifts }
        };
        // With chaos, in a study, and where pictures are compared, each has a prompt of its own.
        let has_own = !base.study.is_empty() || !base.readings.is_empty();
        let readers = if base.chaos > 0 || has_own { indices } else { &indices[..indices.len().min(1)] };
        let read = |index: &u32| told(false, base.guidance_of(*index), base.drifts(base.seed_of(*index)));
        let readings: Vec<Told> = readers.iter().map(read).collect();
        let is_plain = readings.iter().all(|told| told.drifts.is_empty());
        let wanted = request(Some(&base.prompt), false);
        let unwanted = |negative: Option<&str>| match negative {
            None if limits.rules.zeroes_empty_negative => request(None, true),
            negative => request(Some(negative.unwrap_or_default()), true),
        };
        let is_unsaid = is_guided && base.study.iter().any(|way| !way.has_negative);
        let unsaid = is_unsaid.then(|| unwanted(None));
        let unwanted = is_guided.then(|| unwanted(base.negative_prompt.as_deref()));
        let negative_of = |request: PromptRequest| caller.prompt(request, told(true, base.guidance_scale, Vec::new()));
        let positive = async {
            if base.readings.is_empty() {
                return caller.prompts(wanted.clone(), readings).await;
            }
            let own = |(index, told): (&u32, Told)| caller.prompt(request(Some(base.prompt_of(*index)), false), told);
            Ok(try_join_all(readers.iter().zip(readings).map(own)).await?.into_iter().map(Rc::new).collect())
        };
        let (positive, negative) = match unwanted {
            None => (positive.await?, None),
            Some(unwanted) if unwanted == wanted && is_plain && !has_own && !limits.rules.tells_negative_apart => {
                let prompts = positive.await?;
                let negative = prompts.first().cloned();
                (prompts, negative)
            }
            Some(unwanted) => {
                let (positive, negative) = futures::try_join!(positive, negative_of(unwanted))?;
                (positive, Some(Rc::new(negative)))
            }
        };
        let unsaid = match unsaid {
            Some(unsaid) => Some(Rc::new(negative_of(unsaid).await?)),
            None => None,
        };
        let noted = |(index, prompt): (u32, Rc<Prompt>)| match maps.filter(|_| index == LOOKED_AT) {
            Some(maps) => (index, Rc::new(Prompt { maps: Some(maps.clone()), ..Prompt::clone(&prompt) })),
            None => (index, prompt),
        };
        let positive = readers.iter().copied().zip(positive).map(noted).collect();
        self.meter.add(chunks.encoding(limits.rules.prices));
        Ok(Prompts { negative, unsaid, positive })
    }
}
