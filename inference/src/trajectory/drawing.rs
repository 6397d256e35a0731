//! What the pictures of a drawing task share, and where each begins.

use std::cell::{Cell, OnceCell};

use super::{
    Job,
    looking::{LOOKED_AT, Looking},
    pass::{Pass, Steps},
    source::Source,
};
use crate::{
    batcher::Caller,
    error::InferenceError,
    sampler::SamplerState,
    state::{BelongsTo, PassKind},
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
    /// What is noted of the first picture, of a study that draws it.
    pub(super) looking: Option<Looking>,
    /// Steps of a picture, both passes together.
    pub(super) each: u32,
    /// Steps of a picture after which it is handed out.
    until: u32,
    /// What its states belong to, once one was asked for; `None` inside if that cannot be told.
    pub(super) belongs_to: OnceCell<Option<BelongsTo>>,
}

impl<'a> Drawing<'a> {
    /// A drawing task that nothing was done for.
    pub(super) fn new(job: &'a Job, base: &'a TextToImage) -> Self {
        let (first, second) = job.passes(base);
        let each = first.n_steps() + second.as_ref().map_or(0, |(_, pass)| pass.n_steps());
        let steps = Steps { done: Cell::new(0), total: Cell::new(0) };
        let until = base.stops_after(each);
        Self { job, base, first, second, source: None, steps, looking: None, each, until, belongs_to: OnceCell::new() }
    }

    /// Counts the steps that are done, and those that are to be made.
    pub(super) fn count(&self, begins: &[(u32, Begin)]) {
        let n_finished = (self.base.n_images - begins.len() as u32) * self.until;
        let sum = |n_steps: &dyn Fn(u32) -> u32| n_finished + begins.iter().map(|(_, begin)| n_steps(self.n_done(begin))).sum::<u32>();
        self.steps.done.set(sum(&|n_done| n_done));
        self.steps.total.set(sum(&|n_done| self.ends_at(n_done)));
    }

    /// Steps after which a picture is handed out that goes on after so many: one that is there already makes one more.
    pub(super) fn ends_at(&self, n_done: u32) -> u32 {
        self.until.max(n_done + 1).min(self.each)
    }

    /// Encodes what the pictures that are to be drawn need, and nothing else.
    pub(super) async fn prepare(&mut self, caller: &Caller, pictures: &[(u32, Begin)]) -> Result<(), InferenceError> {
        let begins = pictures.iter().map(|(_, begin)| begin);
        let indices: Vec<u32> = pictures.iter().map(|(index, _)| *index).collect();
        if pictures.iter().any(|(index, begin)| *index == LOOKED_AT && matches!(begin, Begin::Fresh)) {
            self.looking = self.job.looking(caller, self.base).await?;
        }
        let maps = self.looking.as_ref().map(|looking| looking.maps.clone());
        if begins.clone().any(|begin| self.has_steps_in_first(begin)) {
            self.first.prompts = Some(self.job.prompts(caller, self.base, (self.first.size, &indices), maps.as_ref()).await?);
        }
        let n_first = self.first.n_steps();
        let reaches_second = begins.clone().any(|begin| {
            let n_done = self.n_done(begin);
            n_done < self.each && self.ends_at(n_done) > n_first
        });
        if let Some((_, second)) = &mut self.second
            && reaches_second
        {
            second.prompts = Some(self.job.prompts(caller, self.base, (second.size, &indices), maps.as_ref()).await?);
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
            (Begin::First(state), _) => self.n_done_in(&self.first, state),
            (Begin::Second(state), Some((_, second))) => self.n_done_in(second, state),
            (Begin::Fresh | Begin::Second(_), _) => 0,
        }
    }

    /// Steps of a picture that are done at a border of a pass, those of the pass before it too.
    pub(super) fn n_done_in(&self, pass: &Pass, state: &SamplerState) -> u32 {
        let before = if pass.kind == PassKind::Second { self.first.n_steps() } else { 0 };
        before + pass.n_done(state.step)
    }
}

fn is_last(pass: &Pass, state: &SamplerState) -> bool {
    state.step == pass.plan.n_steps()
}
