//! The engine's handle and a task's handle.

use std::{
    convert::Infallible,
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        mpsc::{Sender, channel, sync_channel},
    },
};

use tokio::sync::mpsc;

use super::{
    Counters, DeviceChoice, EngineConfig, EngineStats, Event, Meter, Pulse, Submission, Usage,
    device::{self, Opened},
    message::{Channels, Command, Message},
    needs, placement, router,
    worker::{Board, Refused, Worker},
};
use crate::{
    catalogue::{Catalogue, Shelf},
    error::InferenceError,
    state::DeviceClass,
    task::Task,
};

/// Events kept for a slow reader, besides those that must arrive.
const MAX_OPTIONAL_EVENTS: usize = 64;

/// The handle of the device threads; clones share it. Dropping the last one ends each thread after the batch it is in, and waits for that.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    /// Tasks are handed to these one after another, so that two at once see each other.
    workers: Mutex<Vec<Worker>>,
    counters: Vec<Arc<Counters>>,
    /// Each dead when that device's thread is.
    alive: Vec<Weak<()>>,
    /// Bytes that models may take where they may take most.
    largest_budget: u64,
    /// What tasks may name.
    shelf: Arc<Shelf>,
    /// For people.
    device: String,
}

impl Engine {
    /// Loads the usual model of a catalogue on each device, in threads of their own; returns when all are ready. Tasks may name whatever is on the shelf.
    ///
    /// # Errors
    /// A device cannot be used, or a file is missing or does not fit.
    pub fn start(config: EngineConfig, shelf: Arc<Shelf>) -> Result<Self, InferenceError> {
        let device = placement::names(&config.devices, config.precision);
        let start = |(place, &choice): (usize, &DeviceChoice)| {
            let (ready, answer) = sync_channel(1);
            let (config, catalogue, name) = (config.clone(), shelf.catalogue(), placement::name(choice, config.precision));
            let body = move |channels: Channels, told: (&Board, Arc<()>)| {
                device::run((&config, choice, place), &catalogue, channels, &ready, told)
            };
            Ok((Worker::spawn(name, body)?, answer))
        };
        let started = config.devices.iter().enumerate().map(start).collect::<Result<Vec<_>, InferenceError>>()?;
        let mut workers = Vec::new();
        for (mut worker, answer) in started {
            let ended = |_| InferenceError::DeviceEnded { device: worker.device().to_owned() };
            let Opened { budget, class } = answer.recv().map_err(ended)??;
            (worker.budget, worker.class) = (budget, Some(class));
            workers.push(worker);
        }
        if workers.is_empty() {
            return Err(InferenceError::NoDevices);
        }
        Ok(Self::of(workers, shelf, device))
    }

    fn of(workers: Vec<Worker>, shelf: Arc<Shelf>, device: String) -> Self {
        let counters = workers.iter().map(|worker| worker.board().counters.clone()).collect();
        let alive = workers.iter().map(Worker::alive).collect();
        let largest_budget = workers.iter().map(|worker| worker.budget).max().unwrap_or(0);
        Self { inner: Arc::new(Inner { workers: Mutex::new(workers), counters, alive, largest_budget, shelf, device }) }
    }

    /// What tasks may name, and what they take.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.inner.shelf.catalogue()
    }

    /// Hands a task in; it starts at the next batch, on the device where it will end first.
    ///
    /// # Errors
    /// The task is invalid, too many wait, or no device is left.
    pub fn submit(&self, submission: Submission) -> Result<TaskHandle, InferenceError> {
        let catalogue = self.catalogue();
        let task = &submission.task;
        let cost = catalogue.check(task)?.cost;
        self.check_memory(task, &catalogue)?;
        submission.check_pixels()?;
        // The super-resolution network is in memory everywhere.
        let model = task.base().and_then(|base| Some(catalogue.model(base.model.as_deref())?.path.clone()));
        let n_images = task.n_images();
        let (events, receiver) = mpsc::channel(MAX_OPTIONAL_EVENTS + n_images as usize + 1);
        let meter = Arc::new(Meter::default());
        let command = Command { catalogue, submission, events, meter: meter.clone() };
        let (device, place, messages) = self.hand_in(Box::new(command), cost, model)?;
        let (devices, counters) = (self.inner.alive.clone(), self.inner.counters[place].clone());
        Ok(TaskHandle { events: receiver, meter, counters, messages, has_ended: false, device, place, devices })
    }

    /// Whether a device has memory enough for a task.
    ///
    /// # Errors
    /// `Memory`: something that it needs at once is larger than what models may take.
    pub fn check_memory(&self, task: &Task, catalogue: &Catalogue) -> Result<(), InferenceError> {
        needs::check(task, catalogue, self.inner.largest_budget)
    }

    /// Gives a command to the device where its task will end first; that device's name, place and channel.
    fn hand_in(
        &self,
        mut command: Box<Command>,
        cost: f64,
        model: Option<PathBuf>,
    ) -> Result<(String, usize, Sender<Message>), InferenceError> {
        let workers = self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |place: &usize| needs::check(&command.submission.task, &command.catalogue, workers[*place].budget).is_ok();
        let mut open: Vec<usize> = (0..workers.len()).filter(|&place| workers[place].is_alive()).filter(fits).collect();
        let classes: Vec<&DeviceClass> = command.submission.resume.iter().map(|state| &state.belongs_to.device).collect();
        router::keep_class(&mut open, |&place| classes.iter().all(|class| workers[place].class.as_ref() == Some(class)));
        let mut is_full = false;
        loop {
            let chosen = router::choose(cost, open.iter().map(|&place| workers[place].candidate(model.as_deref())));
            let Some(chosen) = chosen else { return Err(if is_full { InferenceError::Busy } else { InferenceError::Stopped }) };
            let place = open.remove(chosen);
            let worker = &workers[place];
            command = match worker.send(command, cost, model.clone()) {
                Ok(()) => return Ok((worker.device().to_owned(), place, worker.messages())),
                Err(Refused::Full(command)) => {
                    is_full = true;
                    command
                }
                Err(Refused::Dead(command)) => command,
            };
        }
    }

    /// Has every device do nothing after the batch that it is in, until what this gives is dropped: to its tasks it looks as if it hung. For tests of
    /// those who use an engine, of what happens while a task is on its way or a device hangs. The end of the engine waits for it too.
    pub fn hold(&self) -> Held {
        let workers = self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let hold = |worker: &Worker| {
            let (held, until) = channel();
            let _ = worker.messages().send(Message::Hold(until)); // A dead device does nothing anyway.
            held
        };
        Held { _devices: workers.iter().map(hold).collect() }
    }

    /// Where it computes, for people, such as `cpu (f32)` or `cuda:0, cuda:1 (bf16)`.
    pub fn device(&self) -> &str {
        &self.inner.device
    }

    /// Whether tasks can still be drawn: a device thread that has ended takes no more.
    pub fn is_alive(&self) -> bool {
        self.inner.alive.iter().any(|device| device.strong_count() > 0)
    }

    /// What the device threads have done, all together.
    pub fn stats(&self) -> EngineStats {
        self.device_stats().into_iter().fold(EngineStats::default(), |sum, stats| EngineStats {
            n_network_calls: sum.n_network_calls + stats.n_network_calls,
            n_network_rows: sum.n_network_rows + stats.n_network_rows,
            n_active: sum.n_active + stats.n_active,
        })
    }

    /// What each device thread has done, in the order of the configuration.
    pub fn device_stats(&self) -> Vec<EngineStats> {
        self.inner.counters.iter().map(|counters| counters.stats()).collect()
    }

    /// How fast a device of the engine is, as a running average over all of them; `None` before the first batch. Times a cost, it estimates the time left.
    pub fn seconds_per_row_megapixel(&self) -> Option<f64> {
        let known: Vec<f64> = self.inner.counters.iter().filter_map(|counters| counters.seconds_per_row_megapixel()).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }
}

/// Devices that do nothing until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Held {
    _devices: Vec<Sender<Infallible>>,
}

/// A task on its way. Dropping it cancels the task.
pub struct TaskHandle {
    events: mpsc::Receiver<Event>,
    meter: Arc<Meter>,
    /// The device's.
    counters: Arc<Counters>,
    messages: Sender<Message>,
    has_ended: bool,
    device: String,
    /// Which of the devices it is.
    place: usize,
    /// Each dead when that device's thread is.
    devices: Vec<Weak<()>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("device", &self.device()).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle").field("device", &self.device).field("usage", &self.usage()).finish_non_exhaustive()
    }
}

impl TaskHandle {
    /// The next event; `None` after the last. Progress and previews may be missing when the reader is slow; pictures and the end never are.
    pub async fn next(&mut self) -> Option<Event> {
        if self.has_ended {
            return None;
        }
        let event = self.events.recv().await.unwrap_or_else(|| {
            let is_alive = |device: &Weak<()>| device.strong_count() > 0;
            Event::Failed(Arc::new(match () {
                () if self.devices.get(self.place).is_some_and(is_alive) => {
                    InferenceError::Internal { what: "a task was dropped without an end" }
                }
                () if self.devices.iter().any(is_alive) => InferenceError::DeviceEnded { device: self.device.clone() },
                () => InferenceError::Stopped,
            }))
        });
        self.has_ended = matches!(event, Event::Done(_) | Event::Failed(_));
        Some(event)
    }

    /// Stops the task at its next step; it ends with [`InferenceError::Cancelled`].
    pub fn cancel(&self) {
        self.meter.cancel();
        // A device that waits for something else looks then.
        let _ = self.messages.send(Message::Cancelled);
    }

    /// Has every unfinished picture handed out at its next step border, as [`FinishedImage::stopped`](super::FinishedImage::stopped); the task is done
    /// then. A picture that has not begun makes one step.
    pub fn stop(&self) {
        self.meter.stop();
    }

    /// Leaves a picture out: from its next step border on nothing is computed for it, and it is not handed out unless it was finished by then. The task
    /// is done with the others.
    pub fn cull(&self, index: u32) {
        self.meter.cull(index);
    }

    /// What was last done for the task, and by its device at all.
    pub fn pulse(&self) -> Pulse {
        Pulse { task: self.meter.last_beat(), device: self.counters.last_beat() }
    }

    /// The device that it is drawn on, such as `cpu (f32)`.
    pub fn device(&self) -> &str {
        &self.device
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

#[cfg(test)]
mod tests;
