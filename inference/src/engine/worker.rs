//! A device thread, from the side of those who hand tasks in.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
};

use super::{
    Counters, Meter,
    message::{Channels, Command, Message, WaitingRoom},
    router::Candidate,
};
use crate::{error::InferenceError, state::DeviceClass};

/// What a device thread tells of itself.
#[derive(Default)]
pub(super) struct Board {
    pub(super) counters: Arc<Counters>,
    /// Files and folders of the models in memory.
    residents: Mutex<HashSet<PathBuf>>,
}

impl Board {
    pub(super) fn set_residents(&self, residents: impl Iterator<Item = PathBuf>) {
        *self.residents() = residents.collect();
    }

    fn residents(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.residents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task on its way on a device.
struct Assigned {
    cost: f64,
    meter: Weak<Meter>,
    model: Option<PathBuf>,
}

/// A task that a device does not take.
pub(super) enum Refused {
    /// Too many wait there.
    Full(Box<Command>),
    /// The thread is dead.
    Dead(Box<Command>),
}

/// The handle of a device thread. Dropping it ends the thread after the batch it is in, and waits for that.
pub(super) struct Worker {
    /// For people.
    device: String,
    /// Bytes that models may take.
    pub(super) budget: u64,
    /// What its numbers depend on; `None` until its thread has told.
    pub(super) class: Option<DeviceClass>,
    messages: Sender<Message>,
    room: Arc<WaitingRoom>,
    thread: Option<JoinHandle<()>>,
    board: Arc<Board>,
    /// Dead when the thread is.
    alive: Weak<()>,
    assigned: Mutex<Vec<Assigned>>,
}

impl Worker {
    /// Starts a thread, which is over when `body` is.
    ///
    /// # Errors
    /// The system has no room for a thread.
    pub(super) fn spawn(device: String, body: impl FnOnce(Channels, (&Board, Arc<()>)) + Send + 'static) -> Result<Self, InferenceError> {
        let (messages, received) = channel();
        let (board, room, token) = (Arc::new(Board::default()), Arc::new(WaitingRoom::default()), Arc::new(()));
        let (told, alive) = (board.clone(), Arc::downgrade(&token));
        let channels = Channels { received, messages: messages.clone(), room: room.clone() };
        let spawned = std::thread::Builder::new().name(format!("inference-{device}")).spawn(move || body(channels, (&told, token)));
        let thread = spawned.map_err(|error| InferenceError::Device { device: device.clone(), reason: error.to_string() })?;
        Ok(Self { device, budget: u64::MAX, class: None, messages, room, thread: Some(thread), board, alive, assigned: Mutex::default() })
    }

    pub(super) fn device(&self) -> &str {
        &self.device
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    pub(super) fn messages(&self) -> Sender<Message> {
        self.messages.clone()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.strong_count() > 0
    }

    /// Dead when the thread is.
    pub(super) fn alive(&self) -> Weak<()> {
        self.alive.clone()
    }

    /// How it would be for a task of this model, which may be none.
    pub(super) fn candidate(&self, model: Option<&Path>) -> Candidate {
        let mut assigned = self.assigned();
        assigned.retain(|task| task.meter.upgrade().is_some_and(|meter| !meter.is_cancelled()));
        let left = |task: &Assigned| task.meter.upgrade().map(|meter| task.cost - meter.usage().row_megapixels);
        // What tasks before this one wait for is as good as there.
        let has = |model: &Path| self.board.residents().contains(model) || assigned.iter().any(|task| task.model.as_deref() == Some(model));
        let missing = if model.is_none_or(has) { 0.0 } else { 1.0 };
        Candidate { left: assigned.iter().filter_map(left).collect(), missing }
    }

    /// Hands a task in.
    ///
    /// # Errors
    /// Gives the task back.
    pub(super) fn send(&self, command: Box<Command>, cost: f64, model: Option<PathBuf>) -> Result<(), Refused> {
        if !self.room.enter() {
            return Err(Refused::Full(command));
        }
        let meter = Arc::downgrade(&command.meter);
        match self.messages.send(Message::Task(command)) {
            Ok(()) => self.assigned().push(Assigned { cost, meter, model }),
            Err(sent) => {
                self.room.leave();
                if let Message::Task(command) = sent.0 {
                    return Err(Refused::Dead(command));
                }
            }
        }
        Ok(())
    }

    fn assigned(&self) -> MutexGuard<'_, Vec<Assigned>> {
        self.assigned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop); // A dead thread need not be told.
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(device = self.device, "the device thread panicked");
        }
    }
}
