//! What a device thread is told.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender},
    },
};

use tokio::sync::mpsc;

use super::{
    Event, Meter, Submission,
    loading::{Loaded, Read},
};
use crate::{catalogue::Catalogue, error::InferenceError, trajectory::Events};

/// Most tasks that were handed to a device and have not begun: they wait for it to look, for a part of theirs that is being loaded, or for room.
pub(super) const MAX_WAITING: usize = 256;

/// Something that a device has in memory or not, by the number of what it is loaded from or, of a set of adapters, made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum PartKey {
    Text(u32),
    Denoiser(u32),
    Vae(u32),
    Preview(u32),
    Upscaler(u32),
    Adapter(u32),
    Set(u32),
}

/// What a device thread is told.
pub(super) enum Message {
    /// A task.
    Task(Box<Command>),
    /// Somebody has cancelled a task.
    Cancelled,
    /// The loader has looked at a part.
    Opened(PartKey, Result<Read, InferenceError>),
    /// The loader has read a part.
    Loaded(PartKey, Result<Box<Loaded>, InferenceError>),
    /// Nothing is done until the other end of this is gone.
    Hold(Receiver<Infallible>),
    /// The engine ends.
    Stop,
}

/// A task for a device thread.
pub(super) struct Command {
    /// What there was when the task was checked.
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) submission: Submission,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) meter: Arc<Meter>,
}

impl Command {
    pub(super) fn events(&self) -> Events {
        Events::new(self.events.clone(), self.submission.task.n_images())
    }
}

/// Counts the tasks of a device that have not begun.
#[derive(Default)]
pub(super) struct WaitingRoom(AtomicUsize);

impl WaitingRoom {
    /// A place for one more, unless there are too many.
    pub(super) fn enter(&self) -> bool {
        self.0.fetch_update(SeqCst, SeqCst, |n| (n < MAX_WAITING).then_some(n + 1)).is_ok()
    }

    /// One has begun, or ended without.
    pub(super) fn leave(&self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Where messages come from and go to.
pub(super) struct Channels {
    pub(super) received: Receiver<Message>,
    /// For what the loader has to say.
    pub(super) messages: Sender<Message>,
    pub(super) room: Arc<WaitingRoom>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_takes_in_only_so_many_tasks_that_have_not_begun() {
        let room = WaitingRoom::default();
        assert!((0..MAX_WAITING).all(|_| room.enter()));
        assert!(!room.enter() && !room.enter(), "there are too many");
        room.leave();
        assert!(room.enter() && !room.enter(), "one has begun");
    }
}
