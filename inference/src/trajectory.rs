//! One task on its way: prompts to embeddings, then for every picture noise, the loop over steps, and decoding.

mod drawing;
mod enlarge;
mod events;
mod explaining;
mod guidance;
mod hires;
mod looking;
mod pass;
mod picture;
mod saved;
mod source;
#[cfg(test)]
pub(crate) mod tests;

use std::{rc::Rc, sync::Arc};

use candle_core::{Device, Tensor};
use futures::future::try_join_all;
use image::RgbImage;

pub(crate) use self::events::Events;
use self::{
    drawing::{Begin, Drawing},
    picture::Picture,
    source::Kept,
};
use crate::{
    adapter::AdapterSet,
    batcher::{Caller, Parts, Ticket},
    catalogue::limits::Limits,
    engine::{Event, Meter, Submission},
    error::InferenceError,
    ops::Padding,
    part::Slot,
    pixels,
    preview::{self, PreviewMap},
    state::{DeviceClass, Files},
    task::{ImageToImage, Inpaint, Pixels, Role, Task, TaskKind, TextToImage},
    vae::taesd::Taesd,
};

/// What every trajectory needs to know about the loaded model.
pub(crate) struct Facts {
    pub(crate) limits: Limits,
    /// One pixel a latent; empty while nobody knows how the model's latents look.
    pub(crate) preview: Rc<Slot<PreviewMap>>,
    /// The tiny decoder of the model, if it has one and there is room for it.
    pub(crate) decoder: Option<Rc<Slot<Taesd>>>,
    pub(crate) preview_every: u32,
    pub(crate) device: Device,
    pub(crate) device_class: DeviceClass,
    /// What was loaded.
    pub(crate) files: Files,
}

impl Facts {
    /// What unfinished latents look like, as far as that is known.
    fn preview(&self, latents: &Tensor) -> Result<Option<RgbImage>, InferenceError> {
        match (self.decoder.as_ref().and_then(|slot| slot.get()), self.preview.get()) {
            (Some(decoder), _) => preview::decoded(&decoder, latents).map(Some),
            (None, Some(map)) => map.image(latents).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// One task and what it needs on its way.
pub(crate) struct Job {
    pub(crate) submission: Submission,
    pub(crate) parts: Rc<Parts>,
    /// What changes the model for the task's rows.
    pub(crate) adapters: AdapterSet,
    pub(crate) facts: Rc<Facts>,
    pub(crate) events: Events,
    pub(crate) meter: Arc<Meter>,
}

impl Job {
    fn task(&self) -> &Task {
        &self.submission.task
    }

    /// What the batcher needs to know of it.
    pub(crate) fn ticket(&self) -> Ticket {
        let is_seamless = self.task().base().is_some_and(|base| base.seamless);
        Ticket {
            parts: self.parts.clone(),
            meter: self.meter.clone(),
            events: self.events.clone(),
            n_images: self.missing().count() as u32,
            padding: if is_seamless { Padding::Circular } else { Padding::Zeros },
            prices: self.facts.limits.rules.prices,
        }
    }

    /// Makes all pictures that are missing; where one becomes not-a-number, the others, and then fails.
    pub(crate) async fn run(&self, caller: &Caller) -> Result<(), InferenceError> {
        match &self.task().kind {
            TaskKind::Upscale(task) => self.enlarge(caller, task.passes).await,
            TaskKind::TextToImage(base) | TaskKind::ImageToImage(ImageToImage { base, .. }) | TaskKind::Inpaint(Inpaint { base, .. }) => {
                self.draw(caller, base).await
            }
        }
    }

    fn input(&self, role: &Role) -> Option<&Pixels> {
        self.submission.inputs.iter().find(|(of, _)| of == role).map(|(_, pixels)| pixels)
    }

    /// Pixels of the source picture, `[1, 3, H, W]` in 0..1.
    fn source_pixels(&self) -> Result<Tensor, InferenceError> {
        match self.input(&Role::Init) {
            Some(Pixels::Colour(image)) => pixels::to_tensor(image, &self.facts.device),
            _ => Err(InferenceError::Internal { what: "a task was started without its source picture" }),
        }
    }

    /// Draws all pictures that are missing, side by side.
    async fn draw(&self, caller: &Caller, base: &TextToImage) -> Result<(), InferenceError> {
        let mut drawing = Drawing::new(self, base);
        let begins = drawing.begins()?;
        drawing.count(&begins);
        self.events.may_send(Event::Progress(drawing.steps.progress()));
        drawing.prepare(caller, &begins).await?;
        // One picture's numbers say nothing about the others', which go on; any other failure would meet them too.
        let drawing = &drawing;
        let picture = async |(index, begin): (u32, Begin)| match Picture::new(drawing, caller, index).draw(begin).await {
            Ok(()) => Ok(None),
            Err(broken @ InferenceError::NotANumber { .. }) => Ok(Some(broken)),
            Err(error) => Err(error),
        };
        let broken = try_join_all(begins.into_iter().map(picture)).await?;
        broken.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    /// The pictures that are not finished.
    fn missing(&self) -> impl Iterator<Item = u32> {
        (0..self.task().n_images()).filter(|index| !self.submission.finished.contains(index))
    }
}
