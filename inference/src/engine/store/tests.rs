//! A store that is driven without a device thread.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::engine::{Counters, device::take};

/// A store and what it hears.
pub(crate) struct TestStore {
    store: Store,
    received: Receiver<Message>,
    batcher: Batcher,
}

impl TestStore {
    /// A store with the first model of a catalogue.
    pub(crate) fn open((config, choice): (&EngineConfig, DeviceChoice), catalogue: &Catalogue) -> Result<Self, InferenceError> {
        let (messages, received) = channel();
        let store = Store::open((config, choice, 0), messages, Arc::default())?;
        let mut store = Self { store, received, batcher: Batcher::new(Arc::new(Counters::default()), 2) };
        store.store.want_usual(catalogue)?;
        store.wait()?;
        Ok(store)
    }

    /// The parts for a task, in memory.
    pub(crate) fn ready(&mut self, task: &Task, catalogue: &Catalogue) -> Result<Ready, InferenceError> {
        let (needed, ready) = self.store.resolve(task, catalogue)?;
        self.store.next_task += 1;
        self.store.residency.arrived(self.store.next_task, needed.clone(), &fixed(&needed));
        self.store.waiting.insert(self.store.next_task, Waiting::Usual);
        self.wait()?;
        Ok(ready)
    }

    /// Does what is to be done until all parts are there.
    fn wait(&mut self) -> Result<(), InferenceError> {
        loop {
            self.store.settle(&mut self.batcher);
            if let Some(loaded) = self.store.usual() {
                return loaded;
            }
            let message = self.received.recv().map_err(|_| InferenceError::Stopped)?;
            take(message, &mut self.store, &self.batcher);
        }
    }
}
