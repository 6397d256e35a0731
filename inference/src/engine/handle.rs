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
    Counters, DeviceChoice, EngineConfig, EngineStats, Event, Known, Meter, ModelInfo, NamedFile, Submission, Usage,
    device::{self, Command},
    position_of,
    store::unknown_adapter,
};
use crate::{
    adapter::AdapterWeights,
    error::{InferenceError, InvalidTask},
    limits::{Chunks, Limits, MAX_ADAPTER_WEIGHT, MAX_ADAPTERS},
    task::{Task, TaskKind, TextToImage},
    text::{Prompt, PromptError, PromptLengths},
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
    /// At least one.
    models: Vec<ModelInfo>,
    limits: Vec<Limits>,
    lengths: Vec<Arc<PromptLengths>>,
    adapters: Vec<NamedFile>,
    counters: Arc<Counters>,
    /// Dead when the device thread is.
    alive: Weak<()>,
}

impl Engine {
    /// Loads the model on a device thread of its own; returns when it is ready.
    ///
    /// # Errors
    /// The device cannot be used, or a file is missing or does not fit.
    pub fn start(config: EngineConfig) -> Result<Self, InferenceError> {
        let (commands, received) = sync_channel(MAX_WAITING);
        let (ready, answer) = sync_channel(1);
        let counters = Arc::new(Counters::default());
        let name = match config.device {
            DeviceChoice::Cpu => "inference-cpu".to_owned(),
            DeviceChoice::Cuda(n) => format!("inference-cuda{n}"),
        };
        let (counted, adapters) = (counters.clone(), config.adapters.clone());
        let token = Arc::new(());
        let alive = Arc::downgrade(&token);
        let body = move || device::run(&config, &received, &ready, counted, token);
        let spawned = std::thread::Builder::new().name(name.clone()).spawn(body);
        let thread = spawned.map_err(|error| InferenceError::Device { device: name, reason: error.to_string() })?;
        let known = answer.recv().map_err(|_| InferenceError::Stopped)??;
        let lengths = known.iter().map(|known| known.lengths.clone()).collect();
        let (models, limits) = known.into_iter().map(|Known { info, limits, .. }| (info, limits)).unzip();
        let commands = Some(commands);
        Ok(Self { inner: Arc::new(Inner { commands, thread: Some(thread), models, limits, lengths, adapters, counters, alive }) })
    }

    /// Hands a task in; it starts at the next batch.
    ///
    /// # Errors
    /// The task is invalid, too many wait, or the engine has stopped.
    pub fn submit(&self, submission: Submission) -> Result<TaskHandle, InferenceError> {
        self.check(&submission.task)?;
        submission.check_pixels()?;
        let n_images = submission.task.n_images();
        let (events, receiver) = mpsc::channel(MAX_OPTIONAL_EVENTS + n_images as usize + 1);
        let meter = Arc::new(Meter::default());
        let command = Command { submission, events, meter: meter.clone() };
        let commands = self.inner.commands.as_ref().ok_or(InferenceError::Stopped)?;
        match commands.try_send(command) {
            Ok(()) => Ok(TaskHandle { events: receiver, meter, has_ended: false, engine: self.inner.alive.clone() }),
            Err(TrySendError::Full(_)) => Err(InferenceError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(InferenceError::Stopped),
        }
    }

    /// Whether its model can do this task.
    ///
    /// # Errors
    /// Which value is out of range, and what it may be; a model or an adapter that is not known.
    pub fn check(&self, task: &Task) -> Result<(), InvalidTask> {
        let base = task.base();
        let model = self.index(base.and_then(|base| base.model.as_deref()))?;
        if let Some(base) = base {
            Prompt::parse(&base.prompt).check()?;
            Prompt::parse(base.negative_prompt.as_deref().unwrap_or_default()).check()?;
            self.chunks(model, base)?;
        }
        let adapters = base.map(TextToImage::all_adapters).unwrap_or_default();
        if adapters.len() > MAX_ADAPTERS {
            return Err(InvalidTask::Adapters { found: adapters.len(), max: MAX_ADAPTERS });
        }
        for used in adapters {
            if position_of(self.adapters(), &used.name).is_none() {
                return Err(unknown_adapter(&used.name, &self.inner.adapters));
            }
            let AdapterWeights { unet, text_encoder } = used.weights();
            let range = -MAX_ADAPTER_WEIGHT..=MAX_ADAPTER_WEIGHT;
            if let Some(weight) = [unet, text_encoder].into_iter().find(|weight| !range.contains(weight)) {
                return Err(InvalidTask::AdapterWeight { name: used.name, weight });
            }
        }
        self.limits_of(task, model).check(task)
    }

    /// What a task will cost in row-megapixels: U-Net rows × megapixels, and what encoding, decoding and enlarging cost in the same unit.
    /// Prompts of more than one chunk make rows dearer, and their encoding is charged.
    /// The usage of the finished task is the same. A task of an unknown model costs what it would with the first.
    pub fn cost(&self, task: &Task) -> f64 {
        let name = task.base().and_then(|base| base.model.as_deref());
        let model = self.index(name).unwrap_or(0);
        let chunks = task.base().and_then(|base| self.chunks(model, base).ok());
        self.limits_of(task, model).cost(task, chunks.unwrap_or(Chunks { prompt: 1, negative: 1 }))
    }

    /// Chunks of a task's prompts, as its trajectory will count them.
    fn chunks(&self, model: usize, base: &TextToImage) -> Result<Chunks, PromptError> {
        let (limits, lengths) = (&self.inner.limits[model], &self.inner.lengths[model]);
        let negative = base.negative_prompt.as_deref().filter(|_| limits.is_guided(base)).unwrap_or_default();
        let n_chunks = |text: &str| lengths.n_chunks(&Prompt::parse(text));
        Ok(Chunks { prompt: n_chunks(&base.prompt)?, negative: n_chunks(negative)? })
    }

    /// The super-resolution network is every model's: it takes what any of them draws.
    fn limits_of(&self, task: &Task, model: usize) -> &Limits {
        let largest = self.inner.limits.iter().max_by_key(|limits| limits.max_side);
        largest.filter(|_| matches!(task.kind, TaskKind::Upscale(_))).unwrap_or(&self.inner.limits[model])
    }

    fn index(&self, model: Option<&str>) -> Result<usize, InvalidTask> {
        let Some(name) = model else { return Ok(0) };
        let found = self.position(name);
        let known = || self.models().iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| InvalidTask::UnknownModel { found: name.to_owned(), known: known() })
    }

    /// What the first model is.
    pub fn info(&self) -> &ModelInfo {
        &self.inner.models[0]
    }

    /// Every model that tasks may name.
    pub fn models(&self) -> &[ModelInfo] {
        &self.inner.models
    }

    /// The model of a name, or the first one; `None` for an unknown name.
    pub fn model(&self, name: Option<&str>) -> Option<&ModelInfo> {
        name.map_or(Some(self.info()), |name| self.models().get(self.position(name)?))
    }

    fn position(&self, name: &str) -> Option<usize> {
        position_of(self.models().iter().map(|info| info.name.as_str()), name)
    }

    /// Names of the adapters that tasks and prompts may use.
    pub fn adapters(&self) -> impl Iterator<Item = &str> + Clone {
        self.inner.adapters.iter().map(|file| file.name.as_str())
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
