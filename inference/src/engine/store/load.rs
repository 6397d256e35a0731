//! What the loader is given to do.

use std::time::Instant;

use tracing::Span;

use super::{Message, PartKey, PartKind, Read, Store, TaskId, Waiting, loading, places::Place};
use crate::{error::InferenceError, telemetry};

const NO_MODEL: InferenceError = InferenceError::Internal { what: "a part without a model" };

impl Store {
    /// The span of the task that waits longest for a part.
    pub(super) fn span_of(&self, key: PartKey) -> Span {
        let Some(id) = self.places.get(key).map(Place::id) else { return Span::none() };
        let waits = |(task, waiting): (&TaskId, &Waiting)| match waiting {
            Waiting::Task { command, ready } if ready.has(id) => Some((*task, command.meter.span().clone())),
            Waiting::Task { .. } | Waiting::Usual => None,
        };
        self.waiting.iter().filter_map(waits).min_by_key(|(task, _)| *task).map_or(Span::none(), |(_, span)| span)
    }

    pub(super) fn read(&self, key: PartKey, read: Read) {
        let messages = self.messages.clone();
        let model = self.places.source_by(key).map(|source| source.card.name.clone());
        let work = move || {
            let begun = Instant::now();
            let loaded = read()?;
            telemetry::loaded(begun.elapsed());
            tracing::info!(part = ?key, model.name = model, elapsed_ms = begun.elapsed().as_millis() as u64, "loaded");
            Ok(Box::new(loaded))
        };
        self.loader.load(work, move |loaded| {
            let _ = messages.send(Message::Loaded(key, loaded)); // The device thread may be over.
        });
    }

    pub(super) fn look_at(&self, key: PartKey) {
        let messages = self.messages.clone();
        let done = move |opened| {
            let _ = messages.send(Message::Opened(key, opened)); // As above.
        };
        let to = (self.device.clone(), self.dtype);
        let kind = match key {
            PartKey::Text(_) => PartKind::TextEncoders,
            PartKey::Denoiser(_) => PartKind::Denoiser,
            PartKey::Vae(_) => PartKind::Vae,
            PartKey::Preview(_) => {
                return match self.places.source_by(key) {
                    Some(source) => self.loader.load(move || source.open_preview(to.0), done),
                    None => done(Err(NO_MODEL)),
                };
            }
            PartKey::Upscaler(number) => {
                let file = self.places.upscaler_file(number);
                return self.loader.load(move || loading::open_upscaler(file, to.0), done);
            }
            // Nothing but its adapters is looked at.
            PartKey::Set(_) => return,
            PartKey::Adapter(number) => {
                let file = self.places.adapter_file(number);
                return match self.places.source_by(key) {
                    Some(source) => self.loader.load(move || source.open_adapter(file, to), done),
                    None => done(Err(NO_MODEL)),
                };
            }
        };
        match self.places.get(key).zip(self.places.source_by(key)) {
            Some((place, source)) => {
                let id = place.id();
                self.loader.load(move || source.open(kind, id, to), done);
            }
            None => done(Err(InferenceError::Internal { what: "a part without a place" })),
        }
    }
}
