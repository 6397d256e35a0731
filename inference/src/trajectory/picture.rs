//! One picture: from where it begins over the steps of its passes to pixels.

use std::cell::Cell;

use candle_core::Tensor;

use super::{
    Kept,
    drawing::{Begin, Drawing},
    guidance::Guided,
    pass::Pass,
};
use crate::{
    batcher::Caller,
    engine::{Event, FinishedImage, Progress},
    error::InferenceError,
    noise::TorchGenerator,
    pixels,
    sampler::SamplerState,
    task::Seed,
};

/// One picture of a drawing task.
pub(super) struct Picture<'a> {
    pub(super) drawing: &'a Drawing<'a>,
    pub(super) caller: Caller,
    pub(super) index: u32,
    /// How often its state was told because somebody asked.
    pub(super) n_answered: Cell<u32>,
}

impl<'a> Picture<'a> {
    pub(super) fn new(drawing: &'a Drawing<'a>, caller: &Caller, index: u32) -> Self {
        Self { drawing, caller: caller.for_picture(index), index, n_answered: Cell::new(0) }
    }

    /// Draws and tells it.
    pub(super) async fn draw(&self, begin: Begin) -> Result<(), InferenceError> {
        let (drawing, index) = (self.drawing, self.index);
        let latents = self.latents(begin).await?;
        let pixels = self.caller.decode(&latents).await?;
        if !pixels::is_finite(&pixels)? {
            return Err(InferenceError::NotANumber { index, step: drawing.each() });
        }
        let image = pixels::to_image(&pixels::to_unit(&pixels)?)?;
        drawing.job.events.must_send(Event::Image(FinishedImage { index, seed: self.seed(), image }));
        Ok(())
    }

    pub(super) fn seed(&self) -> Seed {
        self.drawing.base.seed.of_image(self.index)
    }

    /// The latents after the last step, as the model's decoder takes them.
    pub(super) async fn latents(&self, begin: Begin) -> Result<Tensor, InferenceError> {
        let Drawing { first, second, .. } = self.drawing;
        let in_second = match begin {
            Begin::Second(state) => Some(state),
            begin => {
                let (state, kept) = self.in_first(begin)?;
                let state = self.denoise(first, state, &kept).await?;
                match second {
                    None => return Ok(state.latents),
                    Some((hires, second)) => Some(self.enlarged(second, *hires, state).await?),
                }
            }
        };
        match (second, in_second) {
            (Some((_, second)), Some(state)) => Ok(self.denoise(second, state, &Kept::Nothing).await?.latents),
            _ => Err(InferenceError::Internal { what: "a picture was in a pass that its task does not have" }),
        }
    }

    /// A picture in its first pass, and what it is held to. For one that goes on, that is computed again: its source is encoded to the same numbers,
    /// and a fresh generator draws the noise that it began with.
    fn in_first(&self, begin: Begin) -> Result<(SamplerState, Kept), InferenceError> {
        let Drawing { job, first, source, .. } = self.drawing;
        let mut noise = TorchGenerator::new(self.seed().0);
        match begin {
            Begin::First(state) if source.as_ref().is_none_or(|source| !source.has_mask()) => Ok((state, Kept::Nothing)),
            Begin::First(state) => Ok((state, job.first_latents(first, source.as_ref(), &mut noise)?.1)),
            Begin::Fresh | Begin::Second(_) => {
                let (latents, kept) = job.first_latents(first, source.as_ref(), &mut noise)?;
                Ok((SamplerState { step: first.plan.start, latents, history: Vec::new(), noise }, kept))
            }
        }
    }

    /// The loop over steps.
    async fn denoise(&self, pass: &Pass, mut state: SamplerState, kept: &Kept) -> Result<SamplerState, InferenceError> {
        let Drawing { job, base, .. } = self.drawing;
        let n_steps = pass.plan.n_steps();
        if state.step == n_steps {
            return Ok(state);
        }
        let prompts = pass.prompts.as_ref().ok_or(InferenceError::Internal { what: "a pass was begun without its prompts" })?;
        let denoiser = Guided {
            caller: &self.caller,
            prediction: pass.plan.prediction(),
            rule: job.facts.limits.rules.guidance,
            guidance_scale: base.guidance_scale,
            guidance_rescale: base.guidance_rescale,
            negative: prompts.negative.as_deref(),
            positive: &prompts.positive,
            is_on: Cell::new(true),
            kept,
        };
        while state.step < n_steps {
            denoiser.is_on.set(base.guides_at(state.step, n_steps));
            let done = state.step;
            self.caller.begin_step(pass.n_done(done) + 1);
            let step = pass.plan.step(&denoiser, state).await?;
            state = step.state;
            state.latents = kept.after(&pass.plan, done, state.latents)?;
            self.at_border(pass, &state, &step.denoised)?;
        }
        Ok(state)
    }

    /// What happens between steps: progress, previews, saving.
    fn at_border(&self, pass: &Pass, state: &SamplerState, denoised: &Tensor) -> Result<(), InferenceError> {
        let Drawing { job, steps, .. } = self.drawing;
        let step = pass.n_done(state.step);
        steps.done.set(steps.done.get() + 1);
        job.events.may_send(Event::Progress(Progress { done: steps.done.get(), total: steps.total }));
        let every = job.facts.preview_every;
        if every > 0
            && step.is_multiple_of(every)
            && state.step < pass.plan.n_steps()
            && let Some(preview) = job.facts.preview.get()
        {
            job.events.may_send(Event::Preview { index: self.index, step, image: preview.image(denoised)? });
        }
        self.save(pass, state)
    }
}
