//! One task on its way: prompts to embeddings, then for every picture noise, the loop over steps, and decoding.

mod events;
mod guidance;
mod hires;
mod source;
#[cfg(test)]
mod tests;

use std::{cell::Cell, rc::Rc, sync::Arc};

use candle_core::{Device, Tensor};
use futures::future::try_join_all;
use image::{GrayImage, RgbImage};

pub(crate) use self::events::Events;
use self::{
    guidance::Guided,
    source::{Kept, Source},
};
use crate::{
    adapter::AdapterSet,
    batcher::{Caller, Parts, Prompt, Ticket},
    engine::{Event, FinishedImage, Meter, Progress},
    error::{InferenceError, InvalidTask},
    family::{PromptRequest, Told},
    limits::{Chunks, Limits},
    noise::TorchGenerator,
    ops::Padding,
    pixels,
    preview::Preview,
    sampler::{Plan, SamplerState},
    task::{ImageSize, ImageToImage, Inpaint, SkippedFor, Task, TextToImage},
};

/// What every trajectory needs to know about the loaded model.
pub(crate) struct Facts {
    pub(crate) limits: Limits,
    pub(crate) preview: Preview,
    pub(crate) preview_every: u32,
    pub(crate) device: Device,
}

/// One task and what it needs on its way.
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) source: Option<RgbImage>,
    pub(crate) mask: Option<GrayImage>,
    /// Pictures that are not drawn again.
    pub(crate) finished: Vec<u32>,
    pub(crate) parts: Rc<Parts>,
    pub(crate) facts: Rc<Facts>,
    pub(crate) events: Events,
    pub(crate) meter: Arc<Meter>,
}

/// What all pictures of a drawing task share on one pass over the steps.
pub(crate) struct Pass<'a> {
    base: &'a TextToImage,
    size: ImageSize,
    plan: Plan,
    /// `None` without guidance.
    negative: Option<Rc<Prompt>>,
    positive: Rc<Prompt>,
}

/// Steps done and to do, all pictures and passes together.
struct Steps {
    done: Cell<u32>,
    total: u32,
}

impl Steps {
    fn new(done: u32, total: u32) -> Self {
        Self { done: Cell::new(done), total }
    }
}

impl Job {
    /// What the batcher needs to know of it.
    pub(crate) fn ticket(&self) -> Ticket {
        let is_seamless = self.task.base().is_some_and(|base| base.seamless);
        Ticket {
            parts: self.parts.clone(),
            meter: self.meter.clone(),
            events: self.events.clone(),
            n_images: self.task.n_images(),
            padding: if is_seamless { Padding::Circular } else { Padding::Zeros },
        }
    }

    /// Makes all pictures; where one becomes not-a-number, the others, and then fails.
    pub(crate) async fn run(&self, caller: &Caller) -> Result<(), InferenceError> {
        match &self.task {
            _ if self.missing().is_empty() => Ok(()),
            Task::Upscale(task) => self.upscale(caller, task.passes).await,
            Task::TextToImage(base) | Task::ImageToImage(ImageToImage { base, .. }) | Task::Inpaint(Inpaint { base, .. }) => {
                self.draw(caller, base).await
            }
        }
    }

    /// The pictures to draw.
    fn missing(&self) -> Vec<u32> {
        (0..self.task.n_images()).filter(|index| !self.finished.contains(index)).collect()
    }

    async fn upscale(&self, caller: &Caller, passes: u32) -> Result<(), InferenceError> {
        let tell = |done: u32| self.events.may_send(Event::Progress(Progress { done, total: passes }));
        tell(0);
        let mut pixels = self.source_pixels()?;
        for pass in 0..passes {
            // Between passes the values are those of a picture, as if it had been saved.
            pixels = caller.upscale(&pixels.clamp(0.0, 1.0)?).await?;
            if !pixels::is_finite(&pixels)? {
                return Err(InferenceError::NotANumber { index: 0, step: pass });
            }
            tell(pass + 1);
        }
        let image = FinishedImage { index: 0, seed: crate::task::Seed(0), image: pixels::to_image(&pixels)? };
        self.events.must_send(Event::Image(image));
        Ok(())
    }

    /// Pixels of the source picture, `[1, 3, H, W]` in 0..1.
    fn source_pixels(&self) -> Result<Tensor, InferenceError> {
        let ImageSize { width, height } = self.task.source_size().unwrap_or(ImageSize::new(0, 0));
        let image = self.source.as_ref().ok_or(InvalidTask::Source { width, height })?;
        pixels::to_tensor(image, &self.facts.device)
    }

    async fn draw(&self, caller: &Caller, base: &TextToImage) -> Result<(), InferenceError> {
        let facts = &self.facts;
        let plan = facts.limits.plan(&self.task, base);
        let hires = base.hires.map(|hires| (hires, facts.limits.hires_plan(base, hires)));
        let each = (to_do(&plan) + hires.as_ref().map_or(0, |(_, plan)| to_do(plan))) as u32;
        let missing = self.missing();
        let total = each * base.n_images;
        let steps = Steps::new(total - each * missing.len() as u32, total);
        self.events.may_send(Event::Progress(Progress { done: steps.done.get(), total }));
        let pass = self.pass(caller, base, base.size, plan).await?;
        let second = match hires {
            Some((hires, plan)) => Some((hires, self.pass(caller, base, facts.limits.hires_size(base, hires), plan).await?)),
            None => None,
        };
        let source = self.encode_source(caller).await?;
        let finish = async |index: u32| -> Result<(), InferenceError> {
            let caller = caller.for_picture(index);
            let (mut latents, mut noise) = self.latents(&caller, &pass, source.as_ref(), &steps, index).await?;
            if let Some((hires, second)) = &second {
                (latents, noise) = self.enlarge(&caller, second, *hires, (latents, noise), &steps, index).await?;
            }
            drop(noise);
            let pixels = caller.decode(&latents).await?;
            if !pixels::is_finite(&pixels)? {
                return Err(InferenceError::NotANumber { index, step: each });
            }
            let image = pixels::to_image(&pixels::to_unit(&pixels)?)?;
            self.events.must_send(Event::Image(FinishedImage { index, seed: base.seed.of_image(index), image }));
            Ok(())
        };
        // One picture's numbers say nothing about the others', which go on; any other failure would meet them too.
        let picture = async |index: u32| match finish(index).await {
            Ok(()) => Ok(None),
            Err(broken @ InferenceError::NotANumber { .. }) => Ok(Some(broken)),
            Err(error) => Err(error),
        };
        let broken = try_join_all(missing.into_iter().map(picture)).await?;
        broken.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    /// The prompts of a pass, encoded.
    async fn pass<'a>(&self, caller: &Caller, base: &'a TextToImage, size: ImageSize, plan: Plan) -> Result<Pass<'a>, InferenceError> {
        let limits = &self.facts.limits;
        let is_guided = limits.is_guided(base);
        let chunks = {
            let negative = base.negative_prompt.as_deref().filter(|_| is_guided).unwrap_or_default();
            Chunks { prompt: caller.length(&base.prompt)?, negative: caller.length(negative)? }
        };
        let request = |text: Option<&str>, is_negative: bool| PromptRequest {
            text: text.map(str::to_owned),
            clip_skip: if is_negative && base.clip_skip_of == SkippedFor::Prompt { 0 } else { base.clip_skip },
            length: chunks.longest(),
            adapters: AdapterSet::default(),
        };
        let told = |is_negative: bool| Told { size, is_negative, guidance_scale: base.guidance_scale, adapters: AdapterSet::default() };
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
        self.meter.add(chunks.encoding());
        Ok(Pass { base, size, plan, negative, positive })
    }

    /// The first pass of one picture: its last latents, as the model's decoder takes them, and where its noise goes on.
    async fn latents(
        &self,
        caller: &Caller,
        pass: &Pass<'_>,
        source: Option<&Source>,
        steps: &Steps,
        index: u32,
    ) -> Result<(Tensor, TorchGenerator), InferenceError> {
        let mut noise = TorchGenerator::new(pass.base.seed.of_image(index).0);
        let (latents, kept) = self.first_latents(pass, source, &mut noise)?;
        self.denoise(caller, pass, (latents, noise), kept, steps, index).await
    }

    /// The loop over steps.
    async fn denoise(
        &self,
        caller: &Caller,
        pass: &Pass<'_>,
        (latents, noise): (Tensor, TorchGenerator),
        kept: Kept,
        steps: &Steps,
        index: u32,
    ) -> Result<(Tensor, TorchGenerator), InferenceError> {
        let Pass { base, plan, .. } = pass;
        let n_steps = plan.n_steps();
        let denoiser = Guided {
            caller,
            prediction: plan.prediction(),
            rule: self.facts.limits.rules.guidance,
            guidance_scale: base.guidance_scale,
            guidance_rescale: base.guidance_rescale,
            negative: pass.negative.as_deref(),
            positive: &pass.positive,
            is_on: Cell::new(true),
            kept: &kept,
        };
        let mut state = SamplerState { step: plan.start, latents, history: Vec::new(), noise };
        while state.step < n_steps {
            denoiser.is_on.set(base.guides_at(state.step, n_steps));
            let done = state.step;
            caller.begin_step((done + 1 - plan.start) as u32);
            let step = plan.step(&denoiser, state).await?;
            state = step.state;
            state.latents = kept.after(plan, done, state.latents)?;
            self.at_border(pass, steps, index, &state, &step.denoised)?;
        }
        Ok((state.latents, state.noise))
    }

    /// What happens between steps: progress, previews.
    fn at_border(&self, pass: &Pass<'_>, steps: &Steps, index: u32, state: &SamplerState, denoised: &Tensor) -> Result<(), InferenceError> {
        let step = (state.step - pass.plan.start) as u32;
        steps.done.set(steps.done.get() + 1);
        self.events.may_send(Event::Progress(Progress { done: steps.done.get(), total: steps.total }));
        let every = self.facts.preview_every;
        if every > 0 && step.is_multiple_of(every) && state.step < pass.plan.n_steps() {
            self.events.may_send(Event::Preview { index, step, image: self.facts.preview.image(denoised)? });
        }
        Ok(())
    }
}

/// Steps from a plan's start to its end.
fn to_do(plan: &Plan) -> usize {
    plan.n_steps() - plan.start
}
