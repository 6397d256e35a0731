//! One task on its way: prompts to embeddings, then for every picture noise, the loop over steps, and decoding.

#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use candle_core::{Device, Tensor};
use futures::future::try_join_all;
use image::{GrayImage, RgbImage};
use tokio::sync::mpsc;

use crate::{
    batcher::Caller,
    engine::{Event, FinishedImage, Meter, Progress, Usage},
    error::{InferenceError, InvalidTask},
    guidance::Guided,
    limits::Limits,
    noise::TorchGenerator,
    pixels,
    preview::PreviewMap,
    sampler::{Plan, SamplerState},
    task::{Task, TextToImage},
};

/// What every trajectory needs to know about the loaded model.
pub(crate) struct Facts {
    pub(crate) limits: Limits,
    pub(crate) latent_channels: usize,
    pub(crate) vae_factor: usize,
    pub(crate) scaling_factor: f64,
    pub(crate) preview: PreviewMap,
    pub(crate) preview_every: u32,
    pub(crate) device: Device,
}

/// Where a task tells how it goes. Room for what must arrive is kept free, so nothing here ever waits.
#[derive(Clone)]
pub(crate) struct Events {
    sender: Rc<RefCell<Option<mpsc::Sender<Event>>>>,
    kept_free: Rc<Cell<usize>>,
}

impl Events {
    /// `n_images` pictures and one end will be sent; the channel must have room for them.
    pub(crate) fn new(sender: mpsc::Sender<Event>, n_images: u32) -> Self {
        Self { sender: Rc::new(RefCell::new(Some(sender))), kept_free: Rc::new(Cell::new(n_images as usize + 1)) }
    }

    /// Sends what may be lost.
    fn may_send(&self, event: Event) {
        if let Some(sender) = self.sender.borrow().as_ref().filter(|sender| sender.capacity() > self.kept_free.get()) {
            let _ = sender.try_send(event); // A dropped handle wants no events.
        }
    }

    fn must_send(&self, event: Event) {
        self.kept_free.set(self.kept_free.get().saturating_sub(1));
        if let Some(sender) = self.sender.borrow().as_ref() {
            let _ = sender.try_send(event); // There is room unless the handle was dropped.
        }
    }

    fn end(&self, event: Event) {
        self.must_send(event);
        self.sender.borrow_mut().take();
    }

    pub(crate) fn done(&self, usage: Usage) {
        self.end(Event::Done(usage));
    }

    pub(crate) fn failed(&self, error: InferenceError) {
        let error = if let InferenceError::Shared(error) = error { error } else { Arc::new(error) };
        self.end(Event::Failed(error));
    }
}

/// One task and what it needs on its way.
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) source: Option<RgbImage>,
    pub(crate) mask: Option<GrayImage>,
    pub(crate) facts: Rc<Facts>,
    pub(crate) events: Events,
    pub(crate) meter: Arc<Meter>,
}

/// What all pictures of a drawing task share.
struct Drawing<'a> {
    base: &'a TextToImage,
    plan: Plan,
    /// Mean and standard deviation of the source's latents, before scaling.
    source: Option<(Tensor, Tensor)>,
    negative: Option<Tensor>,
    positive: Tensor,
    n_done: Cell<u32>,
}

impl Job {
    /// Size of the pictures that go through the networks.
    pub(crate) fn megapixels(&self) -> f64 {
        match &self.task {
            Task::Upscale(task) => task.size.megapixels(),
            Task::TextToImage(base) => base.size.megapixels(),
            Task::ImageToImage(task) => task.base.size.megapixels(),
            Task::Inpaint(task) => task.base.size.megapixels(),
        }
    }

    /// Makes all pictures.
    pub(crate) async fn run(&self, caller: &Caller) -> Result<(), InferenceError> {
        match &self.task {
            Task::Upscale(_) => self.upscale(caller).await,
            Task::TextToImage(base) => self.draw(caller, base, None).await,
            Task::ImageToImage(task) => self.draw(caller, &task.base, Some(task.strength)).await,
            Task::Inpaint(task) => self.draw(caller, &task.base, Some(task.strength)).await,
        }
    }

    fn source(&self) -> Result<Tensor, InferenceError> {
        let size = match &self.task {
            Task::Upscale(task) => Some(task.size),
            other => other.base().map(|base| base.size),
        };
        let (width, height) = size.map_or((0, 0), |size| (size.width, size.height));
        let image = self.source.as_ref().ok_or(InvalidTask::Source { width, height })?;
        pixels::to_tensor(image, &self.facts.device)
    }

    async fn upscale(&self, caller: &Caller) -> Result<(), InferenceError> {
        self.events.may_send(Event::Progress(Progress { done: 0, total: 1 }));
        let pixels = caller.upscale(&self.source()?).await?;
        if !pixels::is_finite(&pixels)? {
            return Err(InferenceError::NotANumber { index: 0, step: 0 });
        }
        self.events.may_send(Event::Progress(Progress { done: 1, total: 1 }));
        let image = FinishedImage { index: 0, seed: crate::task::Seed(0), image: pixels::to_image(&pixels)? };
        self.events.must_send(Event::Image(image));
        Ok(())
    }

    async fn draw(&self, caller: &Caller, base: &TextToImage, strength: Option<f64>) -> Result<(), InferenceError> {
        let drawing = self.prepare(caller, base, strength).await?;
        try_join_all((0..base.n_images).map(|index| self.picture(caller.for_picture(index), &drawing, index))).await?;
        Ok(())
    }

    /// The plan, the embeddings and the source's latents.
    async fn prepare<'a>(&self, caller: &Caller, base: &'a TextToImage, strength: Option<f64>) -> Result<Drawing<'a>, InferenceError> {
        let plan = self.facts.limits.plan(base, strength);
        let total = (plan.n_steps() - plan.start) as u32 * base.n_images;
        self.events.may_send(Event::Progress(Progress { done: 0, total }));
        let (negative, positive) = embed(caller, base).await?;
        let source = match strength {
            Some(_) => Some(caller.encode_image(&pixels::from_unit(&self.source()?)?).await?),
            None => None,
        };
        Ok(Drawing { base, plan, source, negative, positive, n_done: Cell::new(0) })
    }

    async fn picture(&self, caller: Caller, drawing: &Drawing<'_>, index: u32) -> Result<(), InferenceError> {
        let latents = self.latents(&caller, drawing, index).await?;
        let pixels = caller.decode(&latents).await?;
        if !pixels::is_finite(&pixels)? {
            return Err(InferenceError::NotANumber { index, step: drawing.plan.n_steps() as u32 });
        }
        let image = pixels::to_image(&pixels::to_unit(&pixels)?)?;
        self.events.must_send(Event::Image(FinishedImage { index, seed: drawing.base.seed.of_image(index), image }));
        Ok(())
    }

    /// The loop over steps: the last latents of one picture, as the model's decoder takes them.
    async fn latents(&self, caller: &Caller, drawing: &Drawing<'_>, index: u32) -> Result<Tensor, InferenceError> {
        let Drawing { base, plan, .. } = drawing;
        let denoiser = Guided {
            caller,
            prediction: plan.prediction(),
            guidance_scale: base.guidance_scale,
            negative: drawing.negative.as_ref(),
            positive: &drawing.positive,
        };
        let mut state = self.first_state(drawing, index)?;
        while state.step < plan.n_steps() {
            let step = base.sampler.step(plan, &denoiser, state).await?;
            state = step.state;
            self.at_border(drawing, index, &state, &step.denoised)?;
        }
        plan.finish(&state.latents)
    }

    /// What happens between steps: the check for not-a-number, progress, previews.
    fn at_border(&self, drawing: &Drawing<'_>, index: u32, state: &SamplerState, denoised: &Tensor) -> Result<(), InferenceError> {
        let n_steps = drawing.plan.n_steps();
        let step = (state.step - drawing.plan.start) as u32;
        if !pixels::is_finite(&state.latents)? {
            return Err(InferenceError::NotANumber { index, step });
        }
        drawing.n_done.set(drawing.n_done.get() + 1);
        let total = (n_steps - drawing.plan.start) as u32 * drawing.base.n_images;
        self.events.may_send(Event::Progress(Progress { done: drawing.n_done.get(), total }));
        if self.facts.preview_every > 0 && step.is_multiple_of(self.facts.preview_every) && state.step < n_steps {
            self.events.may_send(Event::Preview { index, step, image: self.facts.preview.image(denoised)? });
        }
        Ok(())
    }

    /// Noise, or the source's latents with noise, drawn in the order of diffusers' pipelines.
    fn first_state(&self, drawing: &Drawing<'_>, index: u32) -> Result<SamplerState, InferenceError> {
        let facts = &self.facts;
        let size = drawing.base.size;
        let shape = [1, facts.latent_channels, size.height as usize / facts.vae_factor, size.width as usize / facts.vae_factor];
        let mut noise = TorchGenerator::new(drawing.base.seed.of_image(index).0);
        let mut draw = || Tensor::from_vec(noise.randn(shape.iter().product()), &shape, &facts.device);
        let latents = match &drawing.source {
            None => drawing.plan.first_latents(&draw()?)?,
            Some((mean, deviation)) => {
                let clean = ((mean + (deviation * draw()?)?)? * facts.scaling_factor)?;
                drawing.plan.noised(&clean, &draw()?)?
            }
        };
        Ok(SamplerState { step: drawing.plan.start, latents, history: Vec::new(), noise })
    }
}

/// Embeddings of negative prompt (with guidance) and prompt; equal texts are encoded once.
async fn embed(caller: &Caller, base: &TextToImage) -> Result<(Option<Tensor>, Tensor), InferenceError> {
    let mut prompts = vec![base.prompt.as_str()];
    let negative = base.negative_prompt.as_deref().unwrap_or_default();
    if base.is_guided() && negative != base.prompt {
        prompts.push(negative);
    }
    let embeddings = try_join_all(prompts.iter().map(|prompt| caller.encode_text(prompt))).await?;
    let known: HashMap<&str, Tensor> = prompts.into_iter().zip(embeddings).collect();
    let negative = if base.is_guided() { Some(known[negative].clone()) } else { None };
    Ok((negative, known[base.prompt.as_str()].clone()))
}
