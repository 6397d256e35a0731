//! The engine's handle and a task's handle.

use std::{
    sync::{
        Arc, Weak,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use tokio::sync::mpsc;

use super::{
    Counters, DeviceChoice, EngineConfig, EngineStats, Event, Meter, Submission, Usage,
    device::{self, Command},
};
use crate::{
    catalogue::{Catalogue, Shelf},
    error::InferenceError,
};

/// Most tasks that wait for the device thread to look at its channel, which it does before every batch, and most that wait for their models.
pub(super) const MAX_WAITING: usize = 256;
/// Events kept for a slow reader, besides those that must arrive.
const MAX_OPTIONAL_EVENTS: usize = 64;

/// The handle of a device thread; clones share it. Dropping the last one ends the thread after the batch it is in, and waits for that.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` only while dropping.
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
    /// What tasks may name.
    shelf: Arc<Shelf>,
    /// For people.
    device: String,
    counters: Arc<Counters>,
    /// Dead when the device thread is.
    alive: Weak<()>,
}

impl Engine {
    /// Loads the usual model of a catalogue on a device thread of its own; returns when it is ready. Tasks may name whatever is on the shelf.
    ///
    /// # Errors
    /// The device cannot be used, or a file is missing or does not fit.
    pub fn start(config: EngineConfig, shelf: Arc<Shelf>) -> Result<Self, InferenceError> {
        let (catalogue, device) = (shelf.catalogue(), device::name(&config));
        let (commands, received) = sync_channel(MAX_WAITING);
        let (ready, answer) = sync_channel(1);
        let counters = Arc::new(Counters::default());
        let name = match config.device {
            DeviceChoice::Cpu => "inference-cpu".to_owned(),
            DeviceChoice::Cuda(n) => format!("inference-cuda{n}"),
        };
        let counted = counters.clone();
        let token = Arc::new(());
        let alive = Arc::downgrade(&token);
        let body = move || device::run(&config, &catalogue, &received, &ready, counted, token);
        let spawned = std::thread::Builder::new().name(name.clone()).spawn(body);
        let thread = spawned.map_err(|error| InferenceError::Device { device: name, reason: error.to_string() })?;
        answer.recv().map_err(|_| InferenceError::Stopped)??;
        let commands = Some(commands);
        Ok(Self { inner: Arc::new(Inner { commands, thread: Some(thread), shelf, device, counters, alive }) })
    }

    /// What tasks may name, and what they take.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.inner.shelf.catalogue()
    }

    /// Hands a task in; it starts at the next batch.
    ///
    /// # Errors
    /// The task is invalid, too many wait, or the engine has stopped.
    pub fn submit(&self, submission: Submission) -> Result<TaskHandle, InferenceError> {
        let catalogue = self.catalogue();
        catalogue.check(&submission.task)?;
        submission.check_pixels()?;
        let n_images = submission.task.n_images();
        let (events, receiver) = mpsc::channel(MAX_OPTIONAL_EVENTS + n_images as usize + 1);
        let meter = Arc::new(Meter::default());
        let command = Command { catalogue, submission, events, meter: meter.clone() };
        let commands = self.inner.commands.as_ref().ok_or(InferenceError::Stopped)?;
        match commands.try_send(command) {
            Ok(()) => Ok(TaskHandle { events: receiver, meter, has_ended: false, engine: self.inner.alive.clone() }),
            Err(TrySendError::Full(_)) => Err(InferenceError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(InferenceError::Stopped),
        }
    }

    /// Where it computes, for people, such as `cpu (f32)`.
    pub fn device(&self) -> &str {
        &self.inner.device
    }

    /// Whether tasks can still be drawn: a device thread that has ended takes no more.
    pub fn is_alive(&self) -> bool {
        self.inner.alive.strong_count() > 0
    }

    /// What the device thread has done.
    pub fn stats(&self) -> EngineStats {
        self.inner.counters.stats()
    }

    /// How fast the engine is, as a running average; `None` before the first batch. Times a cost, it estimates the time left.
    pub fn seconds_per_row_megapixel(&self) -> Option<f64> {
        self.inner.counters.seconds_per_row_megapixel()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.commands.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the device thread panicked");
        }
    }
}

/// A task on its way. Dropping it cancels the task.
pub struct TaskHandle {
    events: mpsc::Receiver<Event>,
    meter: Arc<Meter>,
    has_ended: bool,
    /// Dead when the device thread is.
    engine: Weak<()>,
}

impl TaskHandle {
    /// The next event; `None` after the last. Progress and previews may be missing when the reader is slow; pictures and the end never are.
    pub async fn next(&mut self) -> Option<Event> {
        if self.has_ended {
            return None;
        }
        let event = self.events.recv().await.unwrap_or_else(|| {
            let is_alive = self.engine.strong_count() > 0;
            let lost = InferenceError::Internal { what: "a task was dropped without an end" };
            Event::Failed(Arc::new(if is_alive { lost } else { InferenceError::Stopped }))
        });
        self.has_ended = matches!(event, Event::Done(_) | Event::Failed(_));
        Some(event)
    }

    /// Stops the task at its next step; it ends with [`InferenceError::Cancelled`].
    pub fn cancel(&self) {
        self.meter.cancel();
    }

    /// Asks for the state of each picture on its way at its next step border: an [`Event::Checkpoint`] each, sent again at later borders while
    /// the reader is too slow to take it.
    pub fn checkpoint(&self) {
        self.meter.ask_for_states();
    }

    /// What was computed for the task so far.
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        self.cancel();
    }
}
