//! One picture: from where it begins over the steps of its passes to pixels.

use std::cell::{Cell, RefCell};

use candle_core::Tensor;

use super::{
    Kept,
    drawing::{Begin, Drawing},
    guidance::Guided,
    looking::{LOOKED_AT, Looking, Seen, told},
    pass::Pass,
};
use crate::{
    batcher::Caller,
    engine::{Event, FinishedImage, Progress, Stopped},
    error::InferenceError,
    noise::TorchGenerator,
    pixels,
    sampler::SamplerState,
    task::{Seed, glimpses},
};

/// One picture of a drawing task.
pub(super) struct Picture<'a> {
    pub(super) drawing: &'a Drawing<'a>,
    pub(super) caller: Caller,
    pub(super) index: u32,
    /// How often its state was told because somebody asked.
    pub(super) n_answered: Cell<u32>,
    /// Its steps that are done, both passes together.
    n_done: Cell<u32>,
    /// Those after which it is handed out.
    ends_at: Cell<u32>,
    /// Those of its steps that are looked at.
    seen: RefCell<Vec<Seen>>,
    /// How noisy it was before each of its steps, where it is looked at.
    sigmas: RefCell<Vec<f64>>,
}

/// What becomes pixels.
pub(super) struct Drawn {
    /// Clean latents.
    pub(super) latents: Tensor,
    /// Where it was stopped, if it was.
    stopped: Option<Box<Stopped>>,
}

/// How a pass ends.
enum Way {
    /// With all of its steps.
    Through(SamplerState),
    /// Before that, and with it the picture, which is none if it is left out.
    Over(Option<Drawn>),
}

impl<'a> Picture<'a> {
    pub(super) fn new(drawing: &'a Drawing<'a>, caller: &Caller, index: u32) -> Self {
        let (n_answered, n_done, ends_at) = (Cell::new(0), Cell::new(0), Cell::new(0));
        Self {
            drawing,
            caller: caller.for_picture(index),
            index,
            n_answered,
            n_done,
            ends_at,
            seen: RefCell::default(),
            sigmas: RefCell::default(),
        }
    }

    /// Draws and tells it, unless it is left out.
    pub(super) async fn draw(&self, begin: Begin) -> Result<(), InferenceError> {
        let (drawing, index) = (self.drawing, self.index);
        let Some(Drawn { latents, stopped }) = self.drawn(begin).await? else { return Ok(()) };
        let pixels = self.caller.decode(&latents).await?;
        if !pixels::is_finite(&pixels)? {
            return Err(InferenceError::NotANumber { index, step: self.n_done.get() });
        }
        let image = pixels::to_image(&pixels::to_unit(&pixels)?)?;
        let device_class = drawing.job.facts.device_class.clone();
        let explained = match self.looking() {
            Some(looking) => Some(Box::new(self.explained(looking, (self.seen.take(), self.sigmas.take()), &latents).await?)),
            None => None,
        };
        let finished = FinishedImage { index, seed: self.seed(), image, stopped, digests: self.digests(), device_class, explained };
        drawing.job.events.must_send(Event::Image(finished));
        Ok(())
    }

    /// What the network gave at each of its steps; nothing of those before it went on. The decoder has run, and before that all was looked at.
    fn digests(&self) -> Vec<u64> {
        let made = self.caller.digests();
        let before = (self.n_done.get() as usize).saturating_sub(made.len());
        std::iter::repeat_n(0, before).chain(made).collect()
    }

    pub(super) fn seed(&self) -> Seed {
        self.drawing.base.seed_of(self.index)
    }

    /// The latents after the last step that is made, as the model's decoder takes them; `None` if it is left out.
    pub(super) async fn drawn(&self, begin: Begin) -> Result<Option<Drawn>, InferenceError> {
        let Drawing { first, second, .. } = self.drawing;
        self.n_done.set(self.drawing.n_done(&begin));
        self.ends_at.set(self.drawing.ends_at(self.n_done.get()));
        let in_second = match begin {
            Begin::Second(state) => Some(state),
            begin => {
                let (state, kept) = self.in_first(begin)?;
                match (self.denoise(first, state, &kept).await?, second) {
                    (Way::Through(state), None) => return Ok(Some(Drawn { latents: state.latents, stopped: None })),
                    (Way::Through(state), Some((hires, second))) => Some(self.enlarged(second, *hires, state).await?),
                    (Way::Over(drawn), _) => return Ok(drawn),
                }
            }
        };
        match (second, in_second) {
            (Some((_, second)), Some(state)) => Ok(match self.denoise(second, state, &Kept::Nothing).await? {
                Way::Through(state) => Some(Drawn { latents: state.latents, stopped: None }),
                Way::Over(drawn) => drawn,
            }),
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
    async fn denoise(&self, pass: &Pass, mut state: SamplerState, kept: &Kept) -> Result<Way, InferenceError> {
        let Drawing { job, base, .. } = self.drawing;
        let n_steps = pass.plan.n_steps();
        if self.is_left_out() {
            return Ok(Way::Over(None));
        }
        if state.step == n_steps {
            return Ok(Way::Through(state));
        }
        let prompts = pass.prompts.as_ref().ok_or(InferenceError::Internal { what: "a pass was begun without its prompts" })?;
        let denoiser = Guided {
            caller: &self.caller,
            prediction: pass.plan.prediction(),
            rule: job.facts.limits.rules.guidance,
            guidance_scale: base.guidance_of(self.index),
            guidance_rescale: base.guidance_rescale,
            negative: prompts.negative_of(base, self.index),
            positive: prompts.of(self.index)?,
            is_on: Cell::new(true),
            kept,
        };
        while state.step < n_steps {
            denoiser.is_on.set(base.guides_at(state.step, n_steps));
            let done = state.step;
            self.caller.begin_step(pass.n_done(done) + 1);
            let before = self.looking().map(|_| state.latents.clone());
            let step = pass.plan.step(&denoiser, state).await?;
            state = step.state;
            if let (Some(latents), Some(level)) = (before, pass.plan.level(done)) {
                let sigma = told(level, pass.plan.prediction());
                self.look(Seen { step: self.n_done.get(), level, sigma, latents, clean: kept.clean(&step.denoised)? });
            }
            state.latents = kept.after(&pass.plan, done, state.latents)?;
            self.at_border(pass, &state, &step.denoised)?;
            if self.is_left_out() {
                return Ok(Way::Over(None));
            }
            if self.is_at_its_stop() || self.n_done.get() < self.drawing.each && job.meter.is_stopped() {
                return Ok(Way::Over(Some(self.stopped(pass, state, kept.clean(&step.denoised)?)?)));
            }
        }
        Ok(Way::Through(state))
    }

    /// What is noted of it, if anything is.
    fn looking(&self) -> Option<&Looking> {
        self.drawing.looking.as_ref().filter(|_| self.index == LOOKED_AT)
    }

    /// Notes a step that was made.
    fn look(&self, seen: Seen) {
        self.sigmas.borrow_mut().push(seen.sigma);
        if glimpses(self.ends_at.get()).contains(&seen.step) {
            self.seen.borrow_mut().push(seen);
        }
    }

    /// The picture as it is at a border, where `clean` is the estimate of its end.
    fn stopped(&self, pass: &Pass, state: SamplerState, clean: Tensor) -> Result<Drawn, InferenceError> {
        let progress = Progress { done: self.n_done.get(), total: self.drawing.each };
        self.leave_rest();
        let stopped = Stopped { progress, state: self.saved(pass, &state)? };
        let latents = if state.step == pass.plan.n_steps() { state.latents } else { clean };
        Ok(Drawn { latents, stopped: Some(Box::new(stopped)) })
    }

    /// Whether nobody wants it any more; its steps are not counted then.
    fn is_left_out(&self) -> bool {
        let is_left_out = self.drawing.job.meter.is_culled(self.index);
        if is_left_out {
            self.leave_rest();
        }
        is_left_out
    }

    /// Takes the steps off that are not made.
    fn leave_rest(&self) {
        let Drawing { job, steps, .. } = self.drawing;
        let rest = self.ends_at.get() - self.n_done.get();
        self.ends_at.set(self.n_done.get());
        if rest > 0 {
            steps.total.set(steps.total.get() - rest);
            job.events.may_send(Event::Progress(steps.progress()));
        }
    }

    /// What happens between steps: progress, previews, saving.
    fn at_border(&self, pass: &Pass, state: &SamplerState, denoised: &Tensor) -> Result<(), InferenceError> {
        let Drawing { job, steps, .. } = self.drawing;
        let step = pass.n_done(state.step);
        self.n_done.set(self.n_done.get() + 1);
        steps.done.set(steps.done.get() + 1);
        job.events.may_send(Event::Progress(steps.progress()));
        let every = job.facts.preview_every;
        if every > 0
            && step.is_multiple_of(every)
            && state.step < pass.plan.n_steps()
            && let Some(image) = job.facts.preview(denoised)?
        {
            job.events.may_send(Event::Preview { index: self.index, step, image });
        }
        // What went on from there would make one more step than it is to.
        if self.is_at_its_stop() { Ok(()) } else { self.save(pass, state) }
    }

    /// Whether it has made the steps after which it is handed out, and they are not all.
    fn is_at_its_stop(&self) -> bool {
        let n_done = self.n_done.get();
        n_done < self.drawing.each && n_done >= self.ends_at.get()
    }
}
