//! What the pictures of a drawing task share, and where each begins.

use std::cell::{Cell, OnceCell};

use super::{
    Job,
    pass::{Pass, Steps},
    source::Source,
};
use crate::{
    batcher::Caller,
    error::InferenceError,
    sampler::SamplerState,
    state::BelongsTo,
    task::{Hires, TaskKind, TextToImage},
};

/// Where a picture begins.
pub(super) enum Begin {
    /// At noise, or at its source.
    Fresh,
    /// At a border of its first pass.
    First(SamplerState),
    /// At a border of its second pass.
    Second(SamplerState),
}

/// What the pictures of a drawing task share.
pub(super) struct Drawing<'a> {
    pub(super) job: &'a Job,
    pub(super) base: &'a TextToImage,
    pub(super) first: Pass,
    pub(super) second: Option<(Hires, Pass)>,
    /// `None` while no picture begins with it.
    pub(super) source: Option<Source>,
    pub(super) steps: Steps,
    /// What its states belong to, once one was asked for; `None` inside if that cannot be told.
    pub(super) belongs_to: OnceCell<Option<BelongsTo>>,
}

impl<'a> Drawing<'a> {
    /// A drawing task that nothing was done for.
    pub(super) fn new(job: &'a Job, base: &'a TextToImage) -> Self {
        let (first, second) = job.passes(base);
        let each = first.n_steps() + second.as_ref().map_or(0, |(_, pass)| pass.n_steps());
        let steps = Steps { done: Cell::new(0), total: each * base.n_images };
        Self { job, base, first, second, source: None, steps, belongs_to: OnceCell::new() }
    }

    /// Steps of one picture.
    pub(super) fn each(&self) -> u32 {
        self.steps.total / self.base.n_images.max(1)
    }

    /// Encodes what the pictures that are to be drawn need, and nothing else.
    pub(super) async fn prepare<'b>(
        &mut self,
        caller: &Caller,
        begins: impl Iterator<Item = &'b Begin> + Clone,
    ) -> Result<(), InferenceError> {
        if begins.clone().any(|begin| self.has_steps_in_first(begin)) {
            self.first.prompts = Some(self.job.prompts(caller, self.base, self.first.size).await?);
        }
        if let Some((_, second)) = &mut self.second
            && begins.clone().any(|begin| !matches!(begin, Begin::Second(state) if is_last(second, state)))
        {
            second.prompts = Some(self.job.prompts(caller, self.base, second.size).await?);
        }
        if begins.clone().any(|begin| self.needs_source(begin)) {
            self.source = self.job.encode_source(caller).await?;
        }
        Ok(())
    }

    fn has_steps_in_first(&self, begin: &Begin) -> bool {
        match begin {
            Begin::Fresh => true,
            Begin::First(state) => !is_last(&self.first, state),
            Begin::Second(_) => false,
        }
    }

    /// A picture that goes on needs its source only where it is held to it.
    fn needs_source(&self, begin: &Begin) -> bool {
        matches!(begin, Begin::Fresh) || (self.has_steps_in_first(begin) && matches!(self.job.task().kind, TaskKind::Inpaint(_)))
    }

    /// Steps that are done where a picture begins.
    pub(super) fn n_done(&self, begin: &Begin) -> u32 {
        match (begin, &self.second) {
            (Begin::First(state), _) => self.first.n_done(state.step),
            (Begin::Second(state), Some((_, second))) => self.first.n_steps() + second.n_done(state.step),
            (Begin::Fresh | Begin::Second(_), _) => 0,
        }
    }
}

fn is_last(pass: &Pass, state: &SamplerState) -> bool {
    state.step == pass.plan.n_steps()
}
