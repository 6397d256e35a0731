//! The device thread: takes tasks in and runs batches until the last handle is gone. It never loads anything itself.

use std::sync::{
    Arc,
    mpsc::{SyncSender, TryRecvError},
};

use super::{
    DeviceChoice, EngineConfig,
    message::{Channels, Message},
    store::Store,
    worker::Board,
};
use crate::{batcher::Batcher, catalogue::Catalogue, error::InferenceError, state::DeviceClass};

/// What a device is, once its usual model is in memory.
pub(super) struct Opened {
    /// Bytes that models may take.
    pub(super) budget: u64,
    /// What its numbers depend on.
    pub(super) class: DeviceClass,
}

/// The body of the thread of the device at a place of the configuration; `ready` is told when it takes tasks.
pub(super) fn run(
    (config, choice, place): (&EngineConfig, DeviceChoice, usize),
    catalogue: &Arc<Catalogue>,
    channels: Channels,
    ready: &SyncSender<Result<Opened, InferenceError>>,
    (board, alive): (&Board, Arc<()>),
) {
    let Channels { received, messages, room } = channels;
    let mut batcher = Batcher::new(board.counters.clone(), config.max_batch_rows);
    let opened = Store::open((config, choice, place), messages, room).and_then(|mut store| {
        store.want_usual(catalogue)?;
        loop {
            store.settle(&mut batcher);
            if let Some(loaded) = store.usual() {
                return loaded.map(|()| store);
            }
            if !received.recv().is_ok_and(|message| take(message, &mut store, &batcher)) {
                return Err(InferenceError::Stopped);
            }
        }
    });
    let mut store = match opened {
        Ok(store) => store,
        Err(error) => {
            let _ = ready.send(Err(error)); // Nobody waits: nothing to tell.
            return;
        }
    };
    // The usual model's prompts are counted for every task: not while somebody waits for an answer.
    catalogue.prepare();
    if let Some(residents) = store.new_residents() {
        board.set_residents(residents.into_iter());
    }
    if ready.send(Ok(Opened { budget: store.budget(), class: store.class() })).is_err() {
        return;
    }
    // Dropped before the tasks are when this thread panics: those who wait for them learn that the device is gone.
    let _alive = alive;
    loop {
        let message = match received.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => break,
        };
        if let Some(message) = message {
            board.counters.beat();
            if !take(message, &mut store, &batcher) {
                break;
            }
            continue;
        }
        store.drop_cancelled();
        store.settle(&mut batcher);
        if let Some(residents) = store.new_residents() {
            board.set_residents(residents.into_iter());
        }
        // Nothing to compute: the thread sleeps until a task comes or something was loaded.
        if !batcher.turn() && !store.settle(&mut batcher) {
            let message = received.recv();
            board.counters.beat();
            if !message.is_ok_and(|message| take(message, &mut store, &batcher)) {
                break;
            }
        }
    }
    batcher.stop();
    store.stop();
}

/// Takes a message in; false when the engine ends.
pub(super) fn take(message: Message, store: &mut Store, batcher: &Batcher) -> bool {
    match message {
        Message::Task(command) => store.take_in(command),
        Message::Cancelled => {}
        Message::Opened(key, opened) => store.opened(key, opened, batcher),
        Message::Loaded(key, loaded) => store.loaded(key, loaded, batcher),
        Message::Hold(until) => drop(until.recv()),
        Message::Stop => return false,
    }
    true
}
